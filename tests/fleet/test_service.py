"""The program without a proxy: tokens, checks and answers of `serve`, the commands beside it, and a ClickHouse server
in the embedded engine's place."""

import gzip
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import unittest

from fwstat_fleet import made_up
from fwstat_fleet.batch import MAX_LINES, BatchError, check, unpack
from fwstat_fleet.registry import Registry
from service import answers, free_port, until
from support import FLEET, ROOT, ago, day_line, ndjson, pair_line, sent_of

DAY = ago(1)


class Check(unittest.TestCase):
    def refused(self, data, status, reason):
        with self.assertRaisesRegex(BatchError, reason) as caught:
            check(data, 7)
        self.assertEqual(caught.exception.status, status)

    def test_what_cannot_be_read(self):
        whole = gzip.compress(ndjson(day_line(DAY), pair_line(DAY)))
        self.assertEqual(len(check(whole, 7)), 2)
        self.assertEqual(len(check(whole + gzip.compress(ndjson(pair_line(DAY, port=1))), 7)), 3)
        for cut in range(2, len(whole)):
            self.refused(whole[:cut], 400, "cut short|no gzip data")
        for place in range(10, len(whole)):
            broken = bytearray(whole)
            broken[place] ^= 0xFF
            try:
                check(bytes(broken), 7)
            except BatchError as error:
                self.assertIn(error.status, (400, 422))
            else:
                self.fail(f"byte {place} of {len(whole)} is not checked")
        for line in (b"[]", b"1", b'"x"', b"{", b"[" * 100_000, b"1" * 5000):
            self.refused(ndjson(day_line(DAY)) + line + b"\n", 400, "line 2 is not")
        self.refused(ndjson(day_line(DAY)) + b"\xff\xfe\n", 400, "no UTF-8")
        self.refused(b"", 400, "no line")
        self.refused(ndjson({"kind": "hour"}), 400, "no line")

    def test_what_would_fill_the_memory(self):
        self.refused(gzip.compress(bytes(80 << 20)), 413, "when unpacked")
        self.refused(gzip.compress(ndjson(day_line(DAY)) + b"{}\n" * MAX_LINES), 413, f"more than {MAX_LINES} lines")
        member = gzip.compress(b"x")
        self.assertEqual(unpack(member * 1000), b"x" * 1000)
        self.refused(member * 2000, 413, "more than 1024 gzip members")
        self.refused(gzip.compress(b"\n" * (MAX_LINES + 1)), 413, f"more than {MAX_LINES} lines")
        self.assertEqual(len(check(ndjson(day_line(DAY)) + b"{}\n" * (MAX_LINES - 1), 7)), 1)
        self.assertEqual(unpack(gzip.compress(b"x" * (1 << 20))), b"x" * (1 << 20))

    def test_every_value(self):
        bad = {
            "day": [None, 5, "None", "", "2026-13-01", "2026-1-1", "20261101", "2026-W40-1", "２０２６-11-01", ago(402), ago(-3)],
            "sent": [None, "5", 1.5, True, 0, sent_of(ago(-4))],
            "class": [None, "attack", 5, []],
            "attempts": [None, -1, 1.5, True, "5", 10**15],
            "protocol": [None, -1, 256, True],
            "port": [None, -1, 65536, 4294967319, 18446744073709551639, 23.0, "23"],
            "source": [None, 5, "", "203.0.113", "203.0.113.5/24", "fe80::1%eth0", "x", "::1\n"],
            "country": [None, "us", "USA", "U", 5, "Ü1"],
            "format": [None, 2, "1", True],
        }
        for name, values in bad.items():
            for value in values:
                with self.subTest(name, value=value):
                    self.refused(ndjson(day_line(DAY), pair_line(DAY, **{name: value})), 422, f"line 2: '{name}'")
        bad = {
            "sources": [None, -1, "2"], "complete": [None, 2, True], "lost": [None, -1], "offset": [None, 901, 1.5],
            "version": [5, "<b>", "v" * 33, "1\t2"], "hours": [5, [1], [-1] * 24, ["1"] * 24, [True] * 24], "format": [None, 2],
        }  # fmt: skip
        for name, values in bad.items():
            for value in values:
                with self.subTest(name, value=value):
                    self.refused(ndjson(day_line(DAY, **{name: value})), 422, f"line 1: '{name}'")
        line = {**pair_line(DAY), "kind": "service", "sources": 1}
        for value in (None, [], [65536], [-1], ["1"], [1] * 1025):
            self.refused(ndjson(day_line(DAY), {**line, "registers": value}), 422, "line 2: 'registers'")

    def test_a_batch_is_one_whole(self):
        self.refused(ndjson(pair_line(DAY)), 422, "the line for the whole of")
        self.refused(ndjson(day_line(DAY), pair_line(DAY, **{"class": "login"})), 422, "class login, is missing")
        self.refused(ndjson(day_line(DAY), day_line(DAY)), 422, "a second line")
        self.refused(ndjson(day_line(DAY), pair_line(DAY, sent=sent_of(DAY, 1))), 422, "'sent' differs")
        two = ndjson(day_line(DAY), pair_line(DAY), day_line(ago(2)), pair_line(ago(2)))
        self.assertEqual(len(check(two, 7)), 4)

    def test_what_is_not_known_is_skipped(self):
        rows = check(ndjson(day_line(DAY, more={"a": [1]}), {"kind": "asn", "asn": 5}, pair_line(DAY, Port=99, router=5)), 7)
        self.assertEqual([row[0] for row in rows], [7, 7])
        self.assertEqual(rows[1][7], 23)

    def test_made_up_batches_are_good_and_always_the_same(self):
        fleet = made_up.Fleet(2, 5)
        batches = [data for _, _, _, data in fleet.batches()]
        self.assertEqual(batches, [data for _, _, _, data in made_up.Fleet(2, 5).batches()])
        for data in batches:
            check(data, 1)


class Names(unittest.TestCase):
    def test_enroll_revoke_and_a_file_that_others_edit(self):
        with tempfile.TemporaryDirectory() as place:
            registry = Registry(place)
            first, token = registry.enroll('Office, "north"', "Berlin")
            second, other = registry.enroll("plain")
            self.assertEqual((first, second), (1, 2))
            self.assertEqual(registry.router_of(f"Bearer {token}"), 1)
            for wrong in ("", token, f"Bearer {token}x", f"bearer {token}", f"Bearer {other[:-1]}"):
                self.assertIsNone(registry.router_of(wrong))
            self.assertEqual([row["name"] for row in registry.routers()], ['Office, "north"', "plain"])
            with open(registry.tokens, "a") as file:
                file.write('# by hand\n"Bearer 0123456789012345678901234" 2; # a second token\n"broken\n')
            self.assertEqual(registry.router_of("Bearer 0123456789012345678901234"), 2)
            self.assertTrue(registry.revoke(2))
            self.assertFalse(registry.revoke(2))
            self.assertIsNone(registry.router_of(f"Bearer {other}"))
            self.assertIsNone(registry.router_of("Bearer 0123456789012345678901234"))
            self.assertEqual(registry.router_of(f"Bearer {token}"), 1)
            self.assertIn("# by hand", pathlib.Path(registry.tokens).read_text())
            self.assertEqual(registry.enroll("third")[0], 3)
            self.assertTrue(registry.routers()[1]["revoked"])
            for name in ("a\nb", "a\tb", "x" * 65, "a\\b"):
                with self.assertRaises(ValueError):
                    registry.enroll(name)
            for path in (registry.tokens, registry.names):
                self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)


    def test_a_line_of_routers_csv_that_is_damaged_is_named(self):
        with tempfile.TemporaryDirectory() as place:
            registry = Registry(place)
            registry.enroll("first")
            names = pathlib.Path(registry.names)
            good = names.read_text()
            for damaged in (good + "2,second\n", good + "x,second,,2026-01-01 00:00:00,\n", "\ufeff" + good):
                names.write_text(damaged, encoding="utf-8")
                for use in (registry.routers, lambda: registry.enroll("third"), lambda: registry.write_table(None)):
                    with self.assertRaisesRegex(ValueError, r"routers\.csv, line [23]: not of the columns router, name"):
                        use()
                self.assertEqual(names.read_text(encoding="utf-8"), damaged)

    def test_routers_that_are_enrolled_at_the_same_time(self):
        with tempfile.TemporaryDirectory() as place:
            code = "import sys; from fwstat_fleet.registry import Registry; print(*Registry(sys.argv[1]).enroll('x'))"
            started = [subprocess.Popen([sys.executable, "-c", code, place], stdout=subprocess.PIPE, text=True) for _ in range(6)]
            told = [process.communicate()[0].split() for process in started]
            self.assertEqual(sorted(int(router) for router, _ in told), [1, 2, 3, 4, 5, 6])
            for router, token in told:
                self.assertEqual(Registry(place).router_of(f"Bearer {token}"), int(router))


class Program(unittest.TestCase):
    def setUp(self):
        self.place = pathlib.Path(tempfile.mkdtemp(prefix="fwstat-fleet-"))
        self.addCleanup(shutil.rmtree, self.place)
        self.data = self.place / "data"
        self.environment = dict(os.environ)
        self.process = None

    def command(self, *arguments, code=0, **more):
        done = subprocess.run(
            [FLEET / "fwstat-fleet", "--data", self.data, *map(str, arguments)], capture_output=True, text=True,
            env=self.environment, **more,
        )  # fmt: skip
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stdout if code == 0 else done.stderr

    def serve(self, *arguments):
        self.port = free_port()
        self.log = open(self.place / "log", "wb")
        self.addCleanup(self.log.close)
        self.process = subprocess.Popen(
            [FLEET / "fwstat-fleet", "--data", self.data, "serve", "--listen", f"127.0.0.1:{self.port}", *arguments],
            stderr=self.log, env=self.environment,
        )  # fmt: skip
        self.addCleanup(self.stop)
        until(lambda: answers(self.port) or self.process.poll() is not None)

    def stop(self, how=signal.SIGTERM):
        if self.process:
            self.process.send_signal(how)
            self.assertEqual(self.process.wait(60), 0 if how == signal.SIGTERM else -how)
            self.process = None

    def request(self, method, path, body=None, token="", **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        if token:
            headers["Authorization"] = f"Bearer {token}"
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    def enroll(self, name):
        return re.search(r"token  (\S+)", self.command("enroll", name)).group(1)

    def ports(self):
        rows = self.command("ask", "ports", "--from", DAY, "--to", DAY, "--format", "json").splitlines()
        return {(row["protocol"], row["port"]): int(row["attempts"]) for row in map(json.loads, rows)}

    def test_a_small_fleet_without_a_proxy(self):
        token = self.enroll("first")
        self.serve("--rollup-every", "0")
        batch = gzip.compress(ndjson(day_line(DAY), pair_line(DAY)))
        self.assertEqual(self.request("GET", "/fwstat/v1/health"), (204, ""))
        self.assertEqual(self.request("POST", "/fwstat/v1/batch", batch)[0], 401)
        self.assertEqual(self.request("POST", "/fwstat/v1/batch", batch, "wrong" * 8)[0], 401)
        self.assertEqual(self.request("POST", "/fwstat/v1/batch", batch, **{"X-Fwstat-Router": "1"})[0], 401)
        self.assertEqual(self.request("POST", "/fwstat/v1/batch", batch, token), (204, ""))
        status, reason = self.request("POST", "/fwstat/v1/batch", ndjson(day_line(DAY), pair_line(DAY, port=-1)), token)
        self.assertEqual((status, reason), (422, "line 2: 'port' is not a whole number from 0 to 65535\n"))
        self.assertEqual(self.request("POST", "/fwstat/v1/batch", b"x", token)[0], 400)
        self.assertEqual(self.request("POST", "/fwstat/v1/batch", bytes(5 << 20), token)[0], 413)
        self.assertEqual(self.request("GET", "/fwstat/v1/batch", token=token)[0], 405)
        self.assertEqual(self.request("POST", "/sql", b'{"sql":"SELECT 1","parameters":{},"form":"CSV"}', token)[0], 404)
        self.assertEqual(self.request("GET", "/fwstat/v1/shared")[0], 401)
        self.assertRegex(self.request("GET", "/fwstat/v1/shared", token=token)[1], r"\Afwstat-shared 1 \d+ 0\nend\n\Z")
        # Enrolled, asked, imported and revoked while it serves.
        later = self.enroll("second")
        self.assertEqual(self.request("POST", "/fwstat/v1/batch", batch, later)[0], 204)
        folder = self.place / "3"
        folder.mkdir()
        (folder / f"{DAY}-{sent_of(DAY)}.ndjson").write_bytes(ndjson(day_line(DAY), pair_line(DAY, attempts=1)))
        self.assertEqual(self.command("import", folder / f"{DAY}-{sent_of(DAY)}.ndjson"), "1 files imported, 0 left out\n")
        self.assertEqual(self.ports(), {(6, 23): 11})
        names = self.command("ask", "silent", "--from", ago(2), "--to", DAY, "--format", "csv")
        self.assertIn('1,"first"', names)
        self.command("revoke", 2)
        self.assertEqual(self.request("POST", "/fwstat/v1/batch", batch, later)[0], 401)
        self.assertIn("needs --source", self.command("ask", "source", code=1))
        # A client that goes away in the middle of a batch, and one that sends the head alone.
        for head in (b"POST /fwstat/v1/batch HTTP/1.1\r\n", b"POST /fwstat/v1/batch HTTP/1.1\r\nContent-Length: 99\r\n\r\nx"):
            with socket.create_connection(("127.0.0.1", self.port)) as client:
                client.sendall(head)
        self.stop()
        log = (self.place / "log").read_text()
        self.assertNotIn("Traceback", log)
        self.assertNotIn(token, log)
        self.assertFalse((self.data / "serve.sock").exists())
        self.assertEqual(self.ports(), {(6, 23): 11})

    @unittest.skipIf(os.getuid() != 0, "only root can act as somebody else")
    def test_what_root_makes_belongs_to_the_owner_of_the_directory(self):
        self.place.chmod(0o755)
        self.data.mkdir(mode=0o700)
        os.chown(self.data, 12345, 23456)
        # The one that made the virtual environment may be in root's home, where nobody else can read it.
        (self.place / "venv/bin").mkdir(parents=True)
        (self.place / "venv/bin/python").symlink_to("/usr/bin/python3")
        self.environment["FWSTAT_FLEET_VENV"] = str(self.place / "venv")
        self.enroll("first")
        self.enroll("second")
        self.command("revoke", 1)
        made = [self.data, *self.data.iterdir()]
        self.assertEqual({path.name for path in made}, {"data", ".lock", "routers.csv", "tokens.map"})
        self.assertEqual({(path.lstat().st_uid, path.lstat().st_gid) for path in made}, {(12345, 23456)})

    def test_roll_ups_are_made_while_it_serves(self):
        token = self.enroll("first")
        self.serve("--rollup-every", "1")
        self.request("POST", "/fwstat/v1/batch", ndjson(day_line(DAY), pair_line(DAY)), token)
        until(lambda: self.ports() == {(6, 23): 5})
        self.stop(signal.SIGKILL)
        # Its socket is left behind; the directory is usable all the same.
        self.assertTrue((self.data / "serve.sock").exists())
        self.assertEqual(self.ports(), {(6, 23): 5})

    def test_import_reads_what_it_can_and_says_what_it_cannot(self):
        good, bad, cut = self.place / "good.ndjson.gz", self.place / "bad.ndjson", self.place / "cut.ndjson.gz"
        good.write_bytes(gzip.compress(ndjson(day_line(DAY), pair_line(DAY), day_line(ago(300)), pair_line(ago(300)))))
        bad.write_bytes(ndjson(day_line(DAY), pair_line(DAY, port=70000)))
        cut.write_bytes(good.read_bytes()[:60])
        said = self.command("import", "--router", 5, good, bad, cut, self.place / "none", code=1)
        self.assertIn("bad.ndjson: line 2: 'port' is not", said)
        self.assertIn("cut.ndjson.gz: the gzip data is cut short: left out", said)
        self.assertIn("none", said)
        self.assertEqual(self.ports(), {(6, 23): 5})
        self.assertIn("whose is it?", self.command("import", good, code=1))
        done = subprocess.run(
            [FLEET / "fwstat-fleet", "--data", self.data, "import", "--router", "6", "-"], input=good.read_bytes(),
            capture_output=True,
        )  # fmt: skip
        self.assertEqual(done.stdout, b"1 files imported, 0 left out\n")
        self.assertEqual(self.ports(), {(6, 23): 10})

    def test_one_process_has_the_engine_and_the_proxy_s_word_counts_on_loopback_alone(self):
        self.assertIn("loopback", self.command("serve", "--proxy", "--listen", "0.0.0.0:0", code=1))
        self.assertIn("not ADDRESS:PORT", self.command("serve", "--listen", "here", code=1))
        self.serve("--rollup-every", "0")
        other = subprocess.run(
            [sys.executable, "-c", "import sys; from fwstat_fleet.engine import Embedded; Embedded(sys.argv[1])", self.data],
            capture_output=True, text=True,
        )  # fmt: skip
        self.assertIn("another process has the engine", other.stderr)
        # A second one would take the first one's socket.
        self.assertIn("another `serve` is running", self.command("serve", "--listen", f"127.0.0.1:{free_port()}", code=1))
        self.assertEqual(self.command("ask", "ports", "--format", "csv").count("\n"), 1)

    def test_the_demo_is_a_first_table(self):
        said = self.command("demo", "--routers", 3, "--days", 4)
        self.assertRegex(said, r"│ +6 │ +23 │ +\d+ │")
        self.assertIn("has routers already", self.command("demo", code=1))

    def test_a_clickhouse_server_in_the_engine_s_place(self):
        server = subprocess.Popen(
            [sys.executable, ROOT / "tests/fleet/clickhouse_http.py", self.place / "server"], stdout=subprocess.PIPE, text=True
        )
        self.addCleanup(server.stdout.close)
        self.addCleanup(server.wait)
        self.addCleanup(server.terminate)
        url = f"http://fleet@127.0.0.1:{server.stdout.readline().strip()}/fwstat"
        self.environment["FWSTAT_FLEET_SERVER"] = url
        self.assertIn("516", self.command("init", code=1), "without a password")
        self.environment["CLICKHOUSE_PASSWORD"] = "secret"
        self.command("init")
        token = self.enroll("first")
        self.serve("--rollup-every", "0")
        fleet = made_up.Fleet(1, 1)
        self.assertEqual(self.request("POST", "/fwstat/v1/batch", fleet.batch(1, fleet.days[0]), token), (204, ""))
        self.assertEqual(self.request("POST", "/fwstat/v1/batch", b"x", token)[0], 400)
        self.assertEqual(self.command("rollup"), "1 days rolled up\n")
        truth = {}
        for (kind, protocol, port, _), count in fleet.events(1, fleet.days[0]).items():
            if kind == "attempt":
                truth[protocol, port] = truth.get((protocol, port), 0) + count
        rows = self.command("ask", "ports", "--from", DAY, "--to", DAY, "--format", "json", "--limit", 1000).splitlines()
        self.assertEqual({(row["protocol"], row["port"]): int(row["attempts"]) for row in map(json.loads, rows)}, truth)
        self.assertIn("first", self.command("ask", "routers", "--from", DAY, "--to", DAY))
        self.assertIn("needs --source", self.command("ask", "source", code=1))
        # The server goes away: the router is told to try again.
        server.terminate()
        server.wait()
        self.assertEqual(self.request("POST", "/fwstat/v1/batch", fleet.batch(1, fleet.days[0]), token)[0], 503)
        self.assertEqual(self.request("GET", "/fwstat/v1/health")[0], 503)
        self.assertIn("fwstat-fleet: ", self.command("ask", "ports", code=1))


if __name__ == "__main__":
    unittest.main()
