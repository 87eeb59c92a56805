"""Three real routers over some midnights, their senders, nginx with TLS and tokens, the engine: the answers about the
fleet are the daemons' own, whatever gets lost, sent again, corrected, refused, dropped or out of reach on the way."""

import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
from datetime import datetime, timedelta, timezone

from fwstat_fleet import store
from fwstat_fleet.engine import SOCKET, Running
from routers import PROGRAM, RealRouter, missing, protocol_number, run
from service import Server, until
from support import TODAY, json_objects

DAY = 86_400
# Zone, hours east of UTC, options.
ROUTERS = (
    ("JST-9", 9, "\toption sources 'address'\n"),
    ("UTC0", 0, "\toption sources 'hash'\n\toption hash_key 'of the fleet'\n"),
    ("EST5", -5, "\toption sources 'none'\n\toption keep '1d'\n"),
)


class Routers(unittest.TestCase):
    def setUp(self):
        if why := missing():
            if os.environ.get("CI") == "true":
                self.fail(f"this test must run in CI: {why}")
            self.skipTest(why)
        self.place = tempfile.mkdtemp(prefix="fwstat-fleet-")
        # The daemon's user passes through to its directories.
        os.chmod(self.place, 0o755)
        self.server = Server(self.place)
        self.addCleanup(self.server.close)
        self.random = random.Random(22)
        self.days = [TODAY - timedelta(days=back) for back in (7, 6, 5, 4)]
        self.routers = []
        for number, (zone, _, options) in enumerate(ROUTERS, 1):
            router, token = self.server.registry.enroll(f"router-{number}")
            self.assertEqual(router, number)
            self.routers.append(RealRouter(f"{self.place}/router-{number}", self.server, token, number, zone, options))
            self.addCleanup(self.routers[-1].close)
            self.routers[-1].set_clock(self.instant(number, self.days[0], 12))
            self.routers[-1].start_daemon()
        self.server.start()
        self.server.start_nginx()

    def instant(self, number, day, hour=0, second=0):
        """Of a router's local day."""
        start = datetime(day.year, day.month, day.day, tzinfo=timezone.utc).timestamp()
        return int(start) + hour * 3600 + second - ROUTERS[number - 1][1] * 3600

    def packets(self, number):
        """Own sources and ones that all routers see; ports that all know."""
        found = []
        for place in range(24):
            source = f"203.0.113.{place}" if place < 8 else f"100.{64 + number}.{self.random.randrange(200)}.{place}"
            protocol, port = self.random.choice(((6, 23), (6, 22), (17, 1900), (6, 445), (1, 0)))
            found.append((source, protocol, port, self.random.randrange(1, 9)))
        return found

    def pass_day(self, number, day):
        """Packets of a day, and the midnight after it."""
        router, packets = self.routers[number - 1], self.packets(number)
        router.set_clock(self.instant(number, day, 12))
        until(lambda: router.ask("status")["clock"]["set"])
        router.send(packets)
        sent = sum(packet[3] for packet in packets)
        until(lambda: router.ask("summary", "--from", day, "--to", day)["attempts"] == sent)
        router.set_clock(self.instant(number, day, 24, 2))
        until(lambda: router.ask("status") and router.batch(day))
        return sent

    def services(self, number, first, last=None):
        """A router's own services, by the rows that the fleet has."""
        answer = self.routers[number - 1].ask("services", "--limit", 1000, "--from", first, "--to", last or first)
        return {
            (protocol_number(row["protocol"]), row.get("port", 0)): (row["attempts"], row["unique_sources"])
            for row in answer["services"]
        }

    def fleet(self, question, first, last=None, **parameters):
        """What `fwstat-fleet ask` answers beside a running `serve`, without a process for each question."""
        engine = Running(str(self.server.data / SOCKET))
        parameters = {"from": str(first), "to": str(last or first), "limit": 1000, **parameters}
        return json_objects(store.ask(engine, question, parameters, "JSONEachRow"))

    def same_figures(self, number, day):
        router = self.routers[number - 1]
        rows = self.fleet("router", day, router=number)
        found = {
            (row["protocol"], row["port"]): (int(row["attempts"]), int(row["most_sources_a_day"])) for row in rows
        }
        self.assertEqual(found, self.services(number, day), f"router {number}, {day}")
        own = router.ask("summary", "--from", day, "--to", day)
        (whole,) = [row for row in self.fleet("routers", day) if row["router"] == number]
        self.assertEqual(
            (int(whole["attempts"]), int(whole["most_sources_a_day"]), int(whole["incomplete_days"])),
            (own["attempts"], own["unique_sources"], 0),
        )

    def run_sender(self, number, seconds=1800):
        router = self.routers[number - 1]
        clock = int((router.place / "clock").read_text())
        router.run_until(clock + seconds)
        router.wait()

    def start_sender(self, number, day):
        router = self.routers[number - 1]
        (router.place / "clock").write_text(f"{self.instant(number, day, 24, 60)}\n")
        router.start(self.instant(number, day, 24, 1800))
        router.wait()

    def test_what_the_daemons_tell_is_what_the_fleet_tells(self):
        first, *rest = self.days
        for number in (1, 2, 3):
            self.pass_day(number, first)
        # The answer to the first router gets lost; the third has a token that is not known.
        good = self.routers[2].token
        (self.routers[2].place / "token").write_text("x" * len(good) + "\n")
        self.server.lossy.lose = 1
        self.start_sender(1, first)
        self.assertEqual(self.server.lossy.lost, 1)
        self.start_sender(2, first)
        self.start_sender(3, first)
        self.assertEqual([len(router.waiting()) for router in self.routers], [0, 0, 1])
        told = self.routers[2].ask("status")
        self.assertEqual((told["fleet"]["state"], told["fleet"]["answer"], told["fleet"]["waiting"]), ("stopped", 401, 1))
        self.assertTrue(any("HTTP 401" in warning for warning in told["warnings"]), told["warnings"])
        self.routers[2].stop()
        (self.routers[2].place / "token").write_text(good + "\n")
        self.start_sender(3, first)
        self.server.command("rollup")
        for number in (1, 2, 3):
            self.same_figures(number, first)
            self.assertEqual(self.routers[number - 1].waiting(), [])
        told = self.routers[0].ask("status")["fleet"]
        self.assertEqual((told["waiting"], told["state"], told["sources"]), (0, "idle", "address"))
        self.assertIn("last_sent", told)
        # What of the sources leaves a router.
        own = {row["address"]: row["attempts"] for row in self.routers[0].ask("sources", "--limit", 1000, "--from", first, "--to", first)["sources"]}
        for address in list(own)[:3]:
            rows = self.fleet("source", first, source=address)
            self.assertEqual(sum(int(row["attempts"]) for row in rows), own[address], address)
        for router, inside in zip(self.routers, (True, False, False)):
            made = next(router.flash.glob("made-*"), None) or next(router.spool.glob("made-*"))
            self.assertEqual("203.0.113." in run("gzip", "-dc", made), inside)

        # Three days without a server. The third router keeps a batch for one day alone.
        self.server.stop_nginx()
        for day in rest:
            for number in (1, 2, 3):
                self.pass_day(number, day)
                self.run_sender(number)
        told = [router.ask("status")["fleet"] for router in self.routers]
        self.assertEqual([row["waiting"] for row in told], [3, 3, 2], told)
        self.assertEqual([row["dropped"] for row in told], [0, 0, 1], told)
        self.assertEqual({row["state"] for row in told}, {"waiting"})
        self.server.start_nginx()
        for number in (1, 2, 3):
            self.run_sender(number, 8 * 3600)
        self.assertEqual([router.waiting() for router in self.routers], [[], [], []])
        self.server.command("rollup")
        for number in (1, 2, 3):
            for day in rest:
                if (number, day) != (3, rest[0]):
                    self.same_figures(number, day)
        rows = self.fleet("routers", rest[0])
        self.assertEqual(sorted(row["router"] for row in rows), [1, 2])

        # Lines of a day that was sent, imported later: the whole day is sent anew.
        router, day = self.routers[0], rest[-1]
        before = router.ask("summary", "--from", day, "--to", day)["attempts"]
        self.assertEqual(router.stop_daemon(), 0, router.log())
        lines = [
            f"{day.strftime('%a %b %d')} 20:00:{place:02d} {day.year} kern.warn kernel: [{place + 10}.000000] reject wan in: IN=wan OUT= "
            f"SRC={source} DST=198.51.100.1 LEN=40 TTL=58 ID={place + 7000} PROTO=TCP SPT=54321 DPT={port} WINDOW=1024 SYN URGP=0\n"
            for place, (source, port) in enumerate((("203.0.113.1", 23), ("203.0.113.200", 8080), ("203.0.113.201", 23)))
        ]
        (router.home / "late.log").write_text("".join(lines))
        run(PROGRAM, "import", "--db", router.home / "db", "--wan", "wan", "--timezone", "JST-9", router.home / "late.log")
        router.start_daemon()
        until(lambda: router.batch(day))
        self.assertEqual(router.ask("summary", "--from", day, "--to", day)["attempts"], before + 3)
        self.run_sender(1)
        self.assertEqual(router.waiting(), [])
        self.server.command("rollup")
        for number, day in ((1, day), (1, first), (2, day), (3, day)):
            self.same_figures(number, day)

        # The export tells the same once more, and changes nothing.
        for number, router in enumerate(self.routers, 1):
            path = pathlib.Path(router.home / "export.ndjson")
            path.write_text(run(PROGRAM, "export", "--format", "ndjson", "--db", router.home / "db"))
            self.server.command("import", "--router", number, path)
            for day in self.days:
                self.same_figures(number, day)
        # No token is in any log or argument.
        logged = self.server.texts() + "".join(router.log() + router.said() for router in self.routers)
        seen = "".join((router.place / "seen").read_text() for router in self.routers)
        for router in self.routers:
            self.assertNotIn(router.token, logged + seen)
            self.assertEqual(router.stop_daemon(), 0, router.log())


class Shared(unittest.TestCase):
    """The list of shared sources in a real kernel, and what a poisoned one can do: nothing."""

    GUARD = "config guard 'guard'\n\toption enabled '1'\n\tlist allow '185.0.9.0/24'\n"

    def setUp(self):
        if why := missing():
            if os.environ.get("CI") == "true":
                self.fail(f"this test must run in CI: {why}")
            self.skipTest(why)
        place = tempfile.mkdtemp(prefix="fwstat-fleet-")
        self.addCleanup(shutil.rmtree, place)
        self.router = RealRouter(f"{place}/router", None, "token", 9, "UTC0", "\toption shared '1'\n", self.GUARD)
        self.addCleanup(self.router.close)
        self.router.set_clock(int(time.time()))
        self.router.start_daemon()
        until(lambda: self.router.ask("status")["guard"]["state"] in ("on", "degraded"))

    def put(self, *sources, text=None, made=None):
        made = int(time.time()) if made is None else made
        text = text or f"fwstat-shared 1 {made} {len(sources)}\n" + "".join(f"{source} 9 3\n" for source in sources) + "end\n"
        self.router.spool.mkdir(exist_ok=True)
        (self.router.spool / "shared.new").write_text(text)
        os.replace(self.router.spool / "shared.new", self.router.spool / "shared")
        self.router.daemon.send_signal(signal.SIGHUP)

    def in_kernel(self):
        found = set()
        for name in ("shared4", "shared6"):
            done = subprocess.run(
                ["ip", "netns", "exec", self.router.router, "nft", "-j", "list", "set", "inet", "fwstat", name],
                capture_output=True, text=True,
            )  # fmt: skip
            if done.returncode == 0:
                (row,) = [row["set"] for row in json.loads(done.stdout)["nftables"] if "set" in row]
                found |= {element["elem"]["val"] for element in row.get("elem", ())}
        return found

    def dropped(self):
        text = run("ip", "netns", "exec", self.router.router, "nft", "list", "chain", "inet", "fwstat", "drop_blocked")
        return int(text.split("counter packets ")[1].split()[0])

    def test_what_many_saw_is_refused_and_a_poisoned_list_harms_nobody(self):
        # The router's own address, its network's, private, reserved and allowed ones; and two that are bad.
        self.put(
            "198.51.100.1", "10.0.0.1", "192.168.1.1", "127.0.0.1", "0.0.0.0", "255.255.255.255", "224.0.0.1",
            "::1", "fe80::1", "185.0.9.9", "185.0.2.7", "2a00:db::9",
        )  # fmt: skip
        until(lambda: self.in_kernel() == {"185.0.2.7", "2a00:db::"})
        self.assertEqual(self.router.ask("status")["fleet"]["shared"], 2)
        self.router.send([("185.0.2.7", 6, 23, 5), ("185.0.2.8", 6, 23, 7), ("185.0.9.9", 6, 23, 3)])
        until(lambda: self.router.ask("summary")["attempts"] == 15)
        self.assertEqual(self.dropped(), 5)
        self.assertEqual(self.router.ask("blocks")["blocks"], [])
        # What is wrong as a whole changes nothing.
        row = "185.0.2.9 9 3\n"
        for text in (
            f"fwstat-shared 1 {int(time.time())} 1\n0.0.0.0/0 9 3\nend\n",
            f"fwstat-shared 1 {int(time.time())} 1\n::/0 9 3\nend\n",
            f"fwstat-shared 1 {int(time.time())} 1000000\n{row * 1_000_000}end\n",
            f"fwstat-shared 1 {int(time.time())} 2\n{row}",
            "\0" * 300_000,
            "185.0.2.9; flush ruleset\n",
        ):
            self.put(text=text)
            # The signal comes before the question.
            self.router.ask("status")
            self.assertIn("the fleet's list of shared sources is not taken", self.router.log())
            self.assertEqual(self.in_kernel(), {"185.0.2.7", "2a00:db::"}, text[:80])
        # A list of three days ago holds no more; without the guard none does.
        self.put("185.0.2.9", made=int(time.time()) - 3 * 86_400)
        until(lambda: not self.in_kernel())
        self.put("185.0.2.9")
        until(lambda: self.in_kernel() == {"185.0.2.9"})
        config = self.router.home / "config/fwstat"
        config.write_text(config.read_text().replace("config guard 'guard'\n\toption enabled '1'", "config guard 'guard'\n\toption enabled '0'"))
        self.router.daemon.send_signal(signal.SIGHUP)
        until(lambda: not self.in_kernel())
        self.assertEqual(self.router.ask("status")["fleet"]["shared"], 0)
        self.assertEqual(self.router.stop_daemon(), 0, self.router.log())


if __name__ == "__main__":
    unittest.main()
