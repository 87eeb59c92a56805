"""Routers' real senders, nginx with TLS and tokens, the service, the engine: what was spooled is what is answered,
whatever gets lost, sent again, corrected, refused or out of reach on the way."""

import json
import os
import pathlib
import re
import signal
import tempfile
import unittest
from collections import defaultdict

from fwstat_fleet import made_up
from service import Router, Server, until
from support import NOW, day_line, ndjson, pair_line

DAY = 86_400


class EndToEnd(unittest.TestCase):
    def setUp(self):
        self.place = tempfile.mkdtemp(prefix="fwstat-fleet-")
        self.server = Server(self.place)
        self.addCleanup(self.server.close)
        self.routers = []
        self.fleet = made_up.Fleet(3, 6, pairs=60)
        for number in self.fleet.routers:
            router, token = self.server.registry.enroll(f"router-{number}")
            self.assertEqual(router, number)
            self.routers.append(Router(f"{self.place}/router-{number}", self.server, token, NOW - 7 * DAY))
        self.server.start()
        self.server.start_nginx()
        self.addCleanup(self.stop)

    def stop(self):
        for router in self.routers:
            router.stop()

    def name(self, number, day, sent=None):
        return f"{day}-{sent or self.fleet.sent(number, day)}.ndjson.gz"

    def put(self, number, day, flash=False):
        self.routers[number - 1].put(self.name(number, day), self.fleet.batch(number, day), flash)

    def truth(self, without=()):
        found = defaultdict(int)
        for number in self.fleet.routers:
            for day in self.fleet.days:
                if (number, day) not in without:
                    for (kind, protocol, port, _), count in self.fleet.events(number, day).items():
                        if kind == "attempt":
                            found[protocol, port] += count
        return dict(found)

    def answer(self):
        self.server.command("rollup")
        text = self.server.command(
            "ask", "ports", "--limit", 1000, "--format", "json", "--from", self.fleet.days[0], "--to", self.fleet.days[-1]
        )
        rows = [json.loads(line) for line in text.splitlines()]
        return {(row["protocol"], row["port"]): int(row["attempts"]) for row in rows}

    def no_token_anywhere(self):
        logged = self.server.texts()
        for router in self.routers:
            if not router.transfers():
                continue
            for text in (logged, router.said(), (router.place / "seen").read_text(), router.state()):
                self.assertNotIn(router.token, text)

    def test_nothing_is_lost_and_nothing_doubled(self):
        first, second, *rest = self.fleet.days
        start = NOW - 7 * DAY
        # An answer gets lost for each router; what is stored is sent again.
        self.server.lossy.lose = 3
        for number in self.fleet.routers:
            self.put(number, first)
            self.put(number, second, flash=True)
            self.routers[number - 1].start(start + 1800)
        for router in self.routers:
            router.wait()
            self.assertEqual(router.waiting(), [])
        self.assertEqual(self.server.lossy.lost, 3)
        self.assertEqual(sum(router.transfers() for router in self.routers), 9)
        self.assertEqual(self.answer(), self.truth({(n, day) for n in self.fleet.routers for day in rest}))

        # Three days without a server: first no engine behind nginx, then no nginx. A day closes each day.
        self.server.stop()
        for step, day in enumerate(rest[:3]):
            for number, router in enumerate(self.routers, 1):
                self.put(number, day)
                router.run_until(start + (1 + step) * DAY)
            for router in self.routers:
                router.wait()
            self.server.stop_nginx()
        for router in self.routers:
            self.assertEqual(len(router.waiting()), 3)
            self.assertIn('"state":"waiting"', router.state())
        self.server.start()
        self.server.start_nginx()
        for number, router in enumerate(self.routers, 1):
            self.put(number, rest[3])
            router.run_until(start + 3 * DAY + 7 * 3600)
        for router in self.routers:
            router.wait()
            self.assertEqual(router.waiting(), [])
            self.assertIn('"state":"idle"', router.state())
        self.assertEqual(self.answer(), self.truth())
        self.waits_grow_to_six_hours()
        # One message when it began, one when it was over; not one for each try.
        for router in self.routers:
            self.assertEqual(len(re.findall("could not be sent", router.said())), 2, router.said())
            self.assertEqual(len(re.findall("sending works again", router.said())), 2, router.said())
        self.no_token_anywhere()

        # Killed without notice: what was answered is there.
        self.server.stop(signal.SIGKILL)
        self.server.start()
        self.assertEqual(self.answer(), self.truth())

    def waits_grow_to_six_hours(self):
        series = []
        for router in self.routers:
            waits = router.sleeps()
            self.assertLessEqual(max(waits), 6 * 3600)
            # The first that is not the first of its outage, and the one before it.
            begin = next(place for place, wait in enumerate(waits) if wait >= 120) - 1
            expected = [60 << step for step in range(9)] + [17280] * 3
            for base, wait in zip(expected, waits[begin:]):
                self.assertTrue(base <= wait <= base * 5 // 4, (base, waits[begin : begin + 12]))
            waits = waits[begin : begin + len(expected)]
            series.append(tuple(waits))
        self.assertEqual(len(set(series)), 3, "routers that fail together do not try again together")

    def test_a_correction_replaces_and_what_is_refused_is_set_aside(self):
        day = self.fleet.days[0]
        router = self.routers[0]
        first = self.fleet.sent(1, day)
        router.put(self.name(1, day, first), self.fleet.batch(1, day))
        corrected = {key: count for key, count in self.fleet.events(1, day).items() if key[1:3] != (6, 23)}
        router.put(self.name(1, day, first + 60), self.fleet.batch(1, day, first + 60, corrected))
        text = str(self.fleet.days[1])
        for sent, body in (
            (first + 100, b"no gzip, no JSON\n"),
            (first + 101, ndjson(day_line(text), pair_line(text, port=70000))),
            (first + 102, b"\x1f\x8b" + bytes(5 << 20)),
        ):
            router.put(f"{text}-{sent}.ndjson.gz", body)
        self.put(1, self.fleet.days[2])
        router.start(NOW - 7 * DAY + 1800)
        router.wait()
        self.assertEqual(router.waiting(), [])
        bad = sorted(path.name for path in router.spool.glob("*.bad"))
        self.assertEqual(bad, [f"{text}-{first + more}.ndjson.gz.bad" for more in (100, 101, 102)])
        for status in (400, 422, 413):
            self.assertIn(f"HTTP {status}", router.said())
        self.assertIn("'port' is not a whole number from 0 to 65535", self.server.texts())
        expected = defaultdict(int)
        for events in (corrected, self.fleet.events(1, self.fleet.days[2])):
            for (kind, protocol, port, _), count in events.items():
                if kind == "attempt":
                    expected[protocol, port] += count
        self.assertEqual(self.answer(), dict(expected))

    @unittest.skipIf(os.getuid() != 0, "only root can make a directory read-only for root")
    def test_a_batch_that_cannot_be_deleted_keeps_no_other_one_waiting(self):
        router, (first, second, third, *_) = self.routers[0], self.fleet.days
        self.put(1, first, flash=True)
        self.routers[0].put(f"{second}-{NOW - 8 * DAY}.ndjson.gz", b"no batch", flash=True)
        self.put(1, third)
        read_only = f"mount --bind {router.flash} {router.flash}; mount -o remount,bind,ro {router.flash}"
        router.start(NOW - 7 * DAY + 7200, within=("unshare", "--mount", "sh", "-ec", f'{read_only}; exec "$@"', "sh"))
        router.wait()
        self.assertEqual([router.transfers(), len(router.waiting())], [3, 2], router.said())
        self.assertIn("(HTTP 400), and it cannot be renamed", router.said())
        self.assertIn('"state":"idle"', router.state())
        # On a drive that can be written again.
        router.stop()
        router.start(NOW - 7 * DAY + 9000)
        router.wait()
        self.assertEqual([router.transfers(), router.waiting()], [5, []])
        self.assertEqual(self.answer(), self.truth({(n, day) for n in (1, 2, 3) for day in self.fleet.days} - {(1, first), (1, third)}))

    def test_a_wrong_token_stops_until_reload_and_a_revoked_one_too(self):
        router = self.routers[0]
        self.put(1, self.fleet.days[0])
        (router.place / "token").write_text("wrong-token-of-nobody-at-all\n")
        router.start(NOW - 7 * DAY + 1800)
        until(lambda: "until the service is reloaded" in router.said())
        router.wait()
        self.assertIn('"state":"stopped","answer":401', router.state())
        self.assertEqual((router.transfers(), len(router.waiting())), (1, 1))
        self.assertEqual(router.stop(), 0)
        (router.place / "token").write_text(router.token + "\n")
        router.start(NOW - 7 * DAY + 90000)
        router.wait()
        self.assertEqual((router.transfers(), router.waiting()), (2, []))
        router.stop()

        self.server.registry.revoke(1)
        self.server.reload_nginx()
        self.put(1, self.fleet.days[1])
        router.start(NOW - 7 * DAY + 180000)
        router.wait()
        self.assertIn('"answer":401', router.state())
        self.assertEqual(len(router.waiting()), 1)
        self.no_token_anywhere()

    def test_the_oldest_goes_first_and_a_full_spool_loses_only_what_is_dropped(self):
        router = self.routers[0]
        self.server.stop()
        start = NOW - 7 * DAY
        router.start(start + 600)
        router.wait()
        # The daemon keeps four batches and drops the oldest, also while it is being sent.
        for step, day in enumerate(self.fleet.days):
            self.put(1, day, flash=step % 2 == 0)
            for name in router.waiting()[:-4]:
                for folder in (router.spool, router.flash):
                    (folder / name).unlink(missing_ok=True)
            router.run_until(start + (step + 1) * DAY)
            router.wait()
        self.server.start()
        router.run_until(start + 6 * DAY + 7 * 3600)
        router.wait()
        self.assertEqual(router.waiting(), [])
        lost = {(1, day) for day in self.fleet.days[:2]}
        others = {(number, day) for number in (2, 3) for day in self.fleet.days}
        self.assertEqual(self.answer(), self.truth(lost | others))
        names = re.findall(r"--data-binary @\S*/(\S+)\.ndjson\.gz", (router.place / "seen").read_text())
        self.assertEqual(names[-4:], [self.name(1, day)[:-10] for day in self.fleet.days[2:]])
        silent = self.server.command(
            "ask", "silent", "--format", "json", "--from", self.fleet.days[0], "--to", self.fleet.days[-1]
        )
        days = {row["router"]: int(row["silent_days"]) for row in map(json.loads, silent.splitlines())}
        self.assertEqual(days, {1: 2, 2: 6, 3: 6})

    def test_batches_wait_a_random_part_of_the_spread(self):
        sent, made = [], NOW - 7 * DAY
        for router, number in zip(self.routers, self.fleet.routers):
            router.put(f"{self.fleet.days[0]}-{made}.ndjson.gz", self.fleet.batch(number, self.fleet.days[0]))
            # So long that two of three are rarely sent in the same minute.
            router.start(NOW - 6 * DAY + 600, spread=DAY)
        for router in self.routers:
            router.wait()
            self.assertEqual(router.waiting(), [])
            sent.append(json.loads(router.state())["last_sent"] - made)
        for delay in sent:
            self.assertTrue(0 <= delay <= DAY + 60, sent)
        self.assertEqual(len(set(sent)), 3, sent)

    def test_what_the_sender_cannot_work_with_is_said_and_no_token_leaves(self):
        router = self.routers[0]
        self.put(1, self.fleet.days[0])
        for url, token, message in (
            (f"http://localhost:{self.server.public}/fwstat/v1/batch", router.token, "is not an https:// address"),
            (None, "", "no token in"),
            (None, 'x" \nurl = "file:///etc/passwd', "holds no token"),
            (f"https://127.0.0.1:{self.server.public}/fwstat/v1/batch", router.token, "trying again"),  # another name
            (f"https://localhost:{self.server.lossy.port}/fwstat/v1/batch", router.token, "trying again"),  # no TLS
        ):
            with self.subTest(message):
                (router.place / "errors").write_text("")
                (router.place / "token").write_text(token)
                (router.place / "clock").write_text(f"{NOW - 7 * DAY}\n")
                router.start(NOW - 7 * DAY + 600, url=url)
                router.wait()
                self.assertIn(message, router.said())
                self.assertEqual(len(router.waiting()), 1)
                router.stop()
        self.assertEqual(self.answer(), {})

    def test_the_list_of_shared_sources_is_fetched_twice_a_day(self):
        router, start = self.routers[0], NOW - 7 * DAY
        shared = f"https://localhost:{self.server.public}/fwstat/v1/shared"
        router.start(start + 600, shared=shared)
        router.wait()
        first = (router.spool / "shared").read_text()
        self.assertRegex(first, r"\Afwstat-shared 1 \d+ 0\nend\n\Z")
        self.assertEqual(router.transfers(), 1)
        # Without a server the list stays, and it is asked for once an hour.
        (router.spool / "shared").write_text("before\n")
        self.server.stop_nginx()
        router.run_until(start + DAY)
        router.wait()
        self.assertEqual((router.spool / "shared").read_text(), "before\n")
        self.assertTrue(11 <= router.transfers() - 1 <= 13, router.transfers())
        self.server.start_nginx()
        router.run_until(start + DAY + 2 * 3600)
        router.wait()
        self.assertRegex((router.spool / "shared").read_text(), r"\Afwstat-shared 1 ")
        # Nobody who is not of the fleet gets it, and an answer that is no list takes no list's place.
        router.stop()
        (router.place / "token").write_text("x" * 43 + "\n")
        (router.spool / "shared").write_text("before\n")
        router.start(start + DAY + 4 * 3600, shared=shared)
        router.wait()
        self.assertEqual((router.spool / "shared").read_text(), "before\n")
        router.stop()
        self.assertEqual(sorted(path.name for path in router.spool.iterdir()), ["sender.json", "shared"])
        self.no_token_anywhere()

    def test_who_a_router_is_comes_from_its_token_alone(self):
        token = self.routers[1].token
        day = str(self.fleet.days[0])
        body = ndjson(day_line(day, router=3), pair_line(day, router=3))
        headers = {"Authorization": f"Bearer {token}", "X-Fwstat-Router": "3"}
        self.assertEqual(self.server.request("POST", "/fwstat/v1/batch", headers, body)[0], 204)
        self.assertEqual(self.server.request("POST", "/fwstat/v1/batch", {"X-Fwstat-Router": "3"}, body)[0], 401)
        self.assertEqual(self.server.request("GET", "/fwstat/v1/shared", {"X-Fwstat-Router": "3"})[0], 401)
        self.assertEqual(self.server.request("POST", "/sql", headers, b'{"sql":"SELECT 1"}')[0], 404)
        status, text = self.server.request("GET", "/fwstat/v1/shared", headers)
        self.assertEqual((status, text.split()[::4][0], text.split()[-1]), (200, b"fwstat-shared", b"end"))
        rows = self.server.command("ask", "routers", "--from", day, "--to", day, "--format", "json")
        self.assertEqual([json.loads(line)["router"] for line in rows.splitlines()], [2])
        files = [pathlib.Path(self.server.data, name) for name in ("tokens.map", "routers.csv", "serve.sock")]
        self.assertEqual([oct(path.stat().st_mode & 0o777) for path in files], ["0o600"] * 3)


if __name__ == "__main__":
    unittest.main()
