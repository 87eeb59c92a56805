#!/usr/bin/env python3
"""The notifier and its scripts, each before a real receiver: see `run`."""

import datetime
import grp
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse
from pathlib import Path

sys.dont_write_bytecode = True
from receivers import Log, Mailbox, Web, free_port, until  # noqa: E402

HERE = Path(__file__).resolve().parent
FILES = HERE.parents[1] / "files"
NOTIFY = FILES / "usr/share/fwstat/notify"
LIBRARY = FILES / "usr/share/fwstat/notify.sh"
SHIPPED = FILES / "usr/share/fwstat/notify.d"

REASON = 'a flood, 200 attempts within 1m (tcp 23) "; touch /tmp/notify-taken; $(touch /tmp/notify-taken) \\ <b> \u00e9'
LINE = "reject wan in: IN=wan OUT= SRC=198.51.100.7 DST=203.0.113.9 LEN=44 PROTO=TCP SPT=40000 DPT=23 WINDOW=1024 RES=0x00 SYN URGP=0"
BLOCK = {
    "address": "198.51.100.7",
    "since": "2026-11-28T09:00:00+09:00",
    "expires": "2026-11-28T10:00:00+09:00",
    "reason": REASON,
    "rule": "flood",
    "count": 200,
    "window": "1m",
    "evidence": [LINE, LINE.replace("PROTO=TCP", "PROTO=ICMP")],
    "services": ["tcp 23", "tcp 2323"],
}


class Notifier(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.place = Path(tempfile.mkdtemp(prefix="notify-test-"))
        self.addCleanup(shutil.rmtree, self.place)
        self.scripts = self.place / "notify.d"
        self.scripts.mkdir()
        self.secrets = self.place / "secret"
        self.secrets.touch(0o600)
        os.mkfifo(self.place / "bus")
        self.environment = {
            "PATH": f"{HERE}/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(self.place),
            "TEST_PLACE": str(self.place),
            "TMPDIR": str(self.place),
            "NOTIFY_LIBRARY": str(LIBRARY),
            "NOTIFY_SCRIPTS": str(self.scripts),
            "NOTIFY_SHIPPED": str(self.place / "shipped"),
            "NOTIFY_SECRETS": str(self.secrets),
            "NOTIFY_HOST": "rooter",
            "NOTIFY_STATE": str(self.place),
            "TZ": "JST-9",
        }
        LOG.text = ""
        self.process = self.bus = None
        self.addCleanup(self.stop)

    def ship(self, *names):
        for name in names:
            shutil.copy(SHIPPED / name, self.scripts)

    def script(self, name, text):
        path = self.scripts / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path

    def start(self, **options):
        environment = self.environment | {f"NOTIFY_{name.upper()}": str(value) for name, value in options.items()}
        self.process = subprocess.Popen(["/bin/sh", NOTIFY], env=environment, stderr=subprocess.PIPE, start_new_session=True)
        self.bus = (self.place / "bus").open("w")

    def stop(self):
        if self.bus:
            self.bus.close()
        if self.process:
            self.process.terminate()
            self.process.wait(60)
            self.process.stderr.close()
            # Whatever it was at, nothing that it started stays behind. A killed process takes a moment to die.
            end = time.monotonic() + 60
            while (left := self.left()) and time.monotonic() < end:
                time.sleep(0.05)
            if left:
                os.killpg(self.process.pid, signal.SIGKILL)
            self.assertEqual(left, [])

    def left(self):
        """Processes of the notifier's group that were not ended."""
        rows = subprocess.run(["ps", "-eo", "pgid=,stat=,args="], capture_output=True, text=True).stdout.splitlines()
        rows = (row.split(None, 2) for row in rows)
        return [row[2] for row in rows if row[0] == str(self.process.pid) and row[1][0] != "Z"]

    def send(self, name, data):
        # As `ubus listen` prints it.
        self.bus.write(f'{{ "fwstat.{name}": {json.dumps(data, ensure_ascii=False)} }}\n')
        self.bus.flush()

    def refused(self, port):
        with socket.socket() as tried:
            return tried.connect_ex(("127.0.0.1", port))

    def web(self):
        web = Web()
        self.addCleanup(web.close)
        return web

    def mailbox(self):
        mailbox = Mailbox()
        self.addCleanup(mailbox.controller.stop)
        configuration = self.place / ".msmtprc"
        configuration.write_text(
            f"account default\nhost 127.0.0.1\nport {mailbox.controller.port}\nfrom rooter@example.org\nauth off\ntls off\n"
        )
        configuration.chmod(0o600)
        return mailbox


class Scripts(Notifier):
    def tearDown(self):
        self.assertFalse(Path("/tmp/notify-taken").exists(), "text became a command")

    def test_mail(self):
        mailbox = self.mailbox()
        self.ship("mail")
        self.start(mail="owner@example.org", mail_from="rooter@example.org")
        self.send("block", BLOCK)
        until(lambda: mailbox.mails, "a mail")
        envelope, mail = mailbox.mails[0]
        self.assertEqual(envelope.rcpt_tos, ["owner@example.org"])
        self.assertEqual(mail["Subject"], "rooter: Blocked: 198.51.100.7")
        self.assertEqual(mail["From"], "rooter@example.org")
        text = mail.get_content()
        self.assertIn(f"is blocked until {BLOCK['expires']}: {REASON}.", text)
        self.assertIn(f"> {LINE}", text)

    def test_the_report_of_a_month_is_the_mail(self):
        mailbox = self.mailbox()
        self.ship("mail")
        self.start(mail="owner@example.org", language="ja")
        self.send("report", {"month": "2026-10", "from": "2026-10-01", "to": "2026-10-31"})
        until(lambda: mailbox.mails, "a mail")
        envelope, mail = mailbox.mails[0]
        self.assertLessEqual(max(map(len, envelope.content.split(b"\r\n"))), 998, "RFC 5322, section 2.1.1")
        self.assertEqual(mail["Subject"], "rooter: Firewall report 2026-10")
        self.assertEqual(mail.get_content_type(), "text/html")
        self.assertIn('<html lang="ja">', mail.get_content())
        self.assertIn("<h1>2026-10</h1>", mail.get_content())

    def test_reports_come_on_their_first_day(self):
        self.script("a", 'cat >> "$TEST_PLACE/reports"')
        cases = [
            ("monthly", "2026-11-01 07:20:00", True, [{"month": "2026-10", "from": "2026-10-01", "to": "2026-10-31"}]),
            ("monthly", "2026-11-01 06:20:00", True, []),
            ("monthly", "2026-11-02 09:20:00", True, []),
            ("monthly", "2026-11-01 07:20:00", False, []),
            ("weekly", "2026-11-02 08:20:00", True, [{"from": "2026-10-26", "to": "2026-11-01"}]),
            ("off", "2026-11-01 07:20:00", True, []),
        ]
        for again in (False, True):
            for kind, at, clock, wanted in cases[: 1 if again else None]:
                (self.place / "reports").write_text("")
                (self.place / "status").write_text(json.dumps({"clock": {"set": clock}}))
                if not again:
                    (self.place / "reported").unlink(missing_ok=True)
                now = datetime.datetime.fromisoformat(f"{at}+09:00").timestamp()
                self.start(now=int(now), report=kind)
                # The time is looked at when it starts, before this.
                self.send("block", BLOCK)
                wanted = ([] if again else wanted) + [BLOCK]
                reports = self.place / "reports"
                until(lambda: len(reports.read_text().splitlines()) >= len(wanted), (kind, at, again))
                found = [json.loads(line) for line in reports.read_text().splitlines()]
                self.assertCountEqual(found, wanted, (kind, at, again))
                self.stop()
                self.process = self.bus = None
            # Once.
            (self.place / "reported").write_text("2026-11-01\n")

    def test_a_line_break_in_an_event_is_no_header(self):
        mailbox = self.mailbox()
        self.ship("mail")
        self.start(mail="owner@example.org")
        self.send("block", BLOCK | {"address": "198.51.100.7\r\nBcc: other@example.org\n"})
        until(lambda: mailbox.mails, "a mail")
        envelope, mail = mailbox.mails[0]
        self.assertEqual(envelope.rcpt_tos, ["owner@example.org"])
        self.assertIsNone(mail["Bcc"])

    def test_ntfy_webhook_and_telegram(self):
        web = self.web()
        self.ship("ntfy", "webhook", "telegram")
        self.secrets.write_text("ntfy_token=tk_1234567\nwebhook_authorization=Bearer w_7654321\ntelegram_token=42:tg_abcdef\n")
        self.start(ntfy=f"{web.url}/topic", webhook=f"{web.url}/hook", telegram="-100", telegram_api=f"{web.url}/api")
        self.send("block", BLOCK)
        until(lambda: len(web.requests) == 3, "three requests")
        found = {path: (headers, body) for path, headers, body in web.requests}
        headers, body = found["/topic"]
        self.assertEqual((headers["Title"], headers["Authorization"]), ("rooter: Blocked: 198.51.100.7", "Bearer tk_1234567"))
        text = f"198.51.100.7 is blocked until {BLOCK['expires']}: {REASON}."
        self.assertEqual(body, text)
        headers, body = found["/hook"]
        self.assertEqual(headers["Authorization"], "Bearer w_7654321")
        title = "rooter: Blocked: 198.51.100.7"
        wanted = {"event": "block", "host": "rooter", "title": title, "text": text, "data": BLOCK}
        self.assertEqual(json.loads(body), wanted)
        headers, body = found["/api/bot42:tg_abcdef/sendMessage"]
        self.assertEqual(json.loads(body)["chat_id"], "-100")
        self.assertEqual(json.loads(body)["text"], f"{title} \u2014 {text}")
        for secret in ("tk_1234567", "w_7654321", "tg_abcdef"):
            self.assertFalse([line for line in web.arguments if secret in line], "a secret is in the list of processes")
        self.assertEqual(LOG.text, "")

    def test_what_a_dry_run_and_a_loss_say(self):
        web = self.web()
        self.ship("webhook", "abuseipdb")
        self.secrets.write_text("abuseipdb_key=k3y\n")
        self.start(webhook=f"{web.url}/hook", abuseipdb=1, abuseipdb_api=f"{web.url}/api")
        self.send("block", BLOCK | {"dry": True})
        self.send("incomplete", {"what": "guard", "because": "more sources were blocked"})
        until(lambda: len(web.requests) == 2, "two messages")
        self.assertEqual([path for path, _, _ in web.requests], ["/hook", "/hook"], "nothing is reported of a dry run")
        texts = [json.loads(body)["text"] for _, _, body in web.requests]
        self.assertEqual(texts, [f"A dry run: 198.51.100.7 is not blocked, but would be: {REASON}.", "more sources were blocked"])

    def test_a_receiver_that_refuses_is_told_in_the_log(self):
        web = self.web()
        web.status = 503
        self.ship("webhook")
        self.start(webhook=web.url)
        self.send("block", BLOCK)
        until(lambda: "webhook: failed" in LOG.text and "503" in LOG.text, "the log tells it")

    def test_a_redirection_is_no_delivery(self):
        web = self.web()
        web.status, web.headers = 301, {"Location": "https://example.org/hook"}
        self.ship("webhook")
        self.start(webhook=web.url)
        self.send("block", BLOCK)
        until(lambda: "webhook: failed" in LOG.text and "301" in LOG.text, "the log tells it")

    def test_mqtt_with_home_assistant(self):
        port = free_port()
        (self.place / "mosquitto").mkdir()
        configuration, passwords = self.place / "mosquitto/conf", self.place / "mosquitto/passwords"
        subprocess.run(["mosquitto_passwd", "-c", "-b", passwords, "rooter", "s3cret-pw"], check=True, capture_output=True)
        configuration.write_text(f"listener {port} 127.0.0.1\nallow_anonymous false\npassword_file {passwords}\nuser root\n")
        broker = subprocess.Popen(["mosquitto", "-c", configuration], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(broker.wait)
        self.addCleanup(broker.terminate)
        until(lambda: not self.refused(port), "the broker listens")
        line = ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(port), "-u", "rooter", "-P", "s3cret-pw", "-t", "#", "-F", "%t %p"]
        listener = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
        self.addCleanup(listener.stdout.close)
        self.addCleanup(listener.wait)
        self.addCleanup(listener.terminate)
        messages = []

        def collect():
            for line in listener.stdout:
                messages.append(line)

        threading.Thread(target=collect, daemon=True).start()

        def listens():
            line = ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(port), "-u", "rooter", "-P", "s3cret-pw", "-t", "ready", "-m", "1"]
            subprocess.run(line, check=True)
            return "ready 1\n" in messages

        # An event is not retained: whoever subscribes later never gets it.
        until(listens, "the listener has subscribed")
        self.ship("mqtt")
        self.secrets.write_text("mqtt_user=rooter\nmqtt_password=s3cret-pw\n")
        self.start(mqtt="127.0.0.1", mqtt_port=port)
        self.send("block", BLOCK)

        def topic(wanted):
            return [json.loads(line.split(" ", 1)[1]) for line in messages if line.startswith(wanted + " ")]

        until(lambda: topic("fwstat/rooter/event/block") and len(topic("homeassistant/sensor/fwstat_rooter/blocks_active/config")) > 1, "all topics")
        self.assertEqual(topic("fwstat/rooter/event/block"), [BLOCK])
        self.assertEqual(topic("fwstat/rooter/state")[-1],
                         {"last_event": "rooter: Blocked: 198.51.100.7", "attempts_today": 1234, "blocks_active": 5})  # fmt: skip
        for name in ("last_event", "attempts_today", "blocks_active"):
            (entity, *_) = topic(f"homeassistant/sensor/fwstat_rooter/{name}/config")
            self.assertEqual(entity["state_topic"], "fwstat/rooter/state")
            self.assertEqual(entity["value_template"], "{{ value_json.%s }}" % name)
            self.assertEqual(entity["device"]["identifiers"], ["fwstat_rooter"])
        self.assertEqual(LOG.text, "")

    def test_abuseipdb_keeps_its_rules(self):
        web = self.web()
        self.ship("abuseipdb")
        self.secrets.write_text("abuseipdb_key=k3y-of-mine\n")
        self.script("zz-last", 'cat > "$TEST_PLACE/last"')
        self.start(abuseipdb=1, abuseipdb_api=web.url, count=1, most="1000/1h")

        def report(**changes):
            self.send("block", BLOCK | changes)
            marker = BLOCK | changes
            until(lambda: (self.place / "last").exists() and (self.place / "last").read_text().strip() and
                  json.loads((self.place / "last").read_text()) == marker, "the event was handled")  # fmt: skip
            (self.place / "last").unlink()
            return len(web.requests)

        self.assertEqual(report(services=["tcp 23", "udp 53"]), 0, "UDP can be forged")
        self.assertEqual(report(services=[]), 0)
        self.assertEqual(report(rule="manual"), 0)
        self.assertEqual(report(), 1)
        path, headers, body = web.requests[0]
        self.assertEqual((path, headers["Key"], headers["Accept"]), ("/report", "k3y-of-mine", "application/json"))
        form = dict(urllib.parse.parse_qsl(body))
        self.assertEqual(form, {"ip": "198.51.100.7", "categories": "14,15", "comment": f"fwstat: {REASON}"})
        self.assertEqual(report(count=201), 1, "the same address within 15 minutes")
        self.assertEqual(report(address="198.51.100.8", rule="login", services=[]), 2)
        self.assertIn("categories=18%2C22", web.requests[1][2])
        self.assertEqual(report(address="2001:db8:1:2::/64", last_address="2001:db8:1:2:3::9"), 3)
        self.assertEqual(dict(urllib.parse.parse_qsl(web.requests[2][2]))["ip"], "2001:db8:1:2:3::9")
        self.assertNotIn("abuseipdb", LOG.text)
        self.assertEqual(report(address="2001:db8:1:3::/64"), 3, "a network is no address")
        until(lambda: "2001:db8:1:3::/64 is not reported" in LOG.text, "the log says so")
        web.status, web.headers = 429, {"Retry-After": "3600"}
        self.assertEqual(report(address="198.51.100.9"), 4)
        web.status, web.headers = 200, {}
        self.assertEqual(report(address="198.51.100.10"), 4, "not before the time that the service names")
        self.assertFalse([line for line in web.arguments if "k3y-of-mine" in line])
        # A reload of the service starts the notifier again.
        self.stop()
        self.start(abuseipdb=1, abuseipdb_api=web.url, count=1, most="1000/1h")
        self.assertEqual(report(address="198.51.100.11"), 4, "nor after a restart")

    def test_dshield(self):
        mailbox = self.mailbox()
        self.ship("dshield")
        self.script("zz-last", 'cat > "$TEST_PLACE/last"')
        self.start(dshield="12345", dshield_to="reports@example.org", mail_from="rooter@example.org", most="1000/1h")
        self.send("block", BLOCK)
        until(lambda: mailbox.mails, "a mail")
        envelope, mail = mailbox.mails[0]
        self.assertEqual(envelope.rcpt_tos, ["reports@example.org"])
        self.assertEqual(mail["Subject"], "FORMAT DSHIELD USERID 12345 TZ +09:00 fwstat")
        (line,) = mail.get_content().splitlines()
        fields = line.split("\t")
        self.assertRegex(fields[0], r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+09:00$")
        self.assertEqual(fields[1:], ["12345", "1", "198.51.100.7", "40000", "10.0.113.9", "23", "TCP", "S"])
        self.send("block", BLOCK | {"count": 7})
        last = self.place / "last"
        until(lambda: last.exists() and '"count": 7' in last.read_text(), "the second event was handled")
        self.assertEqual(len(mailbox.mails), 1, "one mail an hour")
        self.stop()
        self.start(dshield="12345", dshield_to="reports@example.org", mail_from="rooter@example.org", most="1000/1h")
        self.send("block", BLOCK | {"count": 8})
        until(lambda: '"count": 8' in last.read_text(), "the third event was handled")
        self.assertEqual(len(mailbox.mails), 1, "one mail an hour, whenever the notifier was started")


class Limits(Notifier):
    def test_a_flood_of_events_becomes_one_message(self):
        web = self.web()
        self.ship("webhook")
        self.start(webhook=web.url, most="2/10s")
        for number in range(9):
            self.send("block", BLOCK | {"count": number})
        self.send("anomaly", {"protocol": "tcp", "port": 23, "attempts": 5000, "expected": 48.5, "date": "2026-11-28"})
        until(lambda: len(web.requests) >= 3, "two and the sum")
        bodies = [json.loads(body) for _, _, body in web.requests]
        self.assertEqual([body["event"] for body in bodies], ["block", "block", "more"])
        self.assertEqual(bodies[2]["data"], {"count": 8, "events": "block anomaly"})
        self.assertEqual(bodies[2]["title"], "rooter: 8 more events")
        self.send("anomaly", {"protocol": "tcp", "port": 23, "attempts": 5000, "expected": 48.5, "date": "2026-11-28"})
        until(lambda: len(web.requests) == 4, "then each again")
        self.assertEqual(json.loads(web.requests[3][2])["text"], "5000 attempts on TCP 23 on 2026-11-28, usually about 48.")

    def test_numbers_with_leading_zeros(self):
        self.script("a", 'echo "$FWSTAT_EVENT" >> "$TEST_PLACE/ran"')
        self.start(most="08/09m")
        self.send("test", {})
        self.send("test", {})
        until(lambda: (self.place / "ran").exists() and (self.place / "ran").read_text() == "test\n" * 2, "both events")

    def test_a_bad_limit_is_named(self):
        self.script("a", 'echo "$FWSTAT_EVENT" >> "$TEST_PLACE/ran"')
        self.start(most="1000/1440m")
        self.send("test", {})
        until(lambda: (self.place / "ran").exists(), "the event")
        self.process.terminate()
        said = self.process.communicate()[1].decode()
        self.assertIn("option most '1000/1440m' is not a number and a time such as 6/1h; using 6/1h", said)

    def test_a_script_that_hangs_is_ended_with_what_it_started(self):
        self.script("a-hangs", 'sleep 4711 & echo $! > "$TEST_PLACE/child"; wait')
        self.script("b-next", 'echo "$FWSTAT_EVENT $FWSTAT_ADDRESS" > "$TEST_PLACE/next"')
        self.start(seconds=1)
        self.send("block", BLOCK)
        until((self.place / "next").exists, "the next script runs")
        until(lambda: (self.place / "next").read_text() == "block 198.51.100.7\n", "with the event")
        child = (self.place / "child").read_text().strip()
        until(lambda: not Path(f"/proc/{child}").exists(), "its child is gone")
        until(lambda: "a-hangs: failed" in LOG.text and "longer than 1 seconds" in LOG.text, "the log tells it")

    def test_a_stop_while_ubus_goes_away_leaves_nothing(self):
        for turn in range(20):
            self.start()
            time.sleep(0.1)
            self.bus.close()
            # From before the cleaning begins until it is over.
            time.sleep(turn * 0.003)
            self.stop()

    def test_a_stop_ends_a_script_that_runs(self):
        self.script("a", 'sleep 4711 & echo > "$TEST_PLACE/began"; wait')
        self.start()
        self.send("block", BLOCK)
        until((self.place / "began").exists, "the script runs")

    def test_scripts_run_one_at_a_time(self):
        for name in ("a", "b"):
            self.script(name, 'echo in >> "$TEST_PLACE/turns"; sleep 0.3; echo out >> "$TEST_PLACE/turns"')
        self.start()
        self.send("block", BLOCK)
        self.send("test", {})
        until(lambda: (self.place / "turns").exists() and len((self.place / "turns").read_text().split()) == 8, "four runs")
        self.assertEqual((self.place / "turns").read_text().split(), ["in", "out"] * 4)

    def test_only_scripts_of_root_run(self):
        self.script("a-writable", 'touch "$TEST_PLACE/taken"').chmod(0o777)
        os.chown(self.script("b-foreign", 'touch "$TEST_PLACE/taken"'), 12345, 12345)
        (self.scripts / "c-link").symlink_to(self.scripts / "a-writable")
        self.script("d-good", 'touch "$TEST_PLACE/good"')
        self.start()
        self.send("block", BLOCK)
        until((self.place / "good").exists, "the good one ran")
        self.assertFalse((self.place / "taken").exists())

    def test_other_events_and_broken_lines_do_nothing(self):
        self.script("a", 'echo "$FWSTAT_EVENT" >> "$TEST_PLACE/ran"')
        self.start()
        self.bus.write('nonsense\n{ "fwstat.block": \n{ "fwstat.$(reboot)": {} }\n{ "other.block": {} }\n{ "fwstat.unblock": {} }\n')
        self.send("test", {})
        until((self.place / "ran").exists, "the test event")
        self.assertEqual((self.place / "ran").read_text(), "test\n")

    def test_it_ends_when_the_bus_is_gone(self):
        self.script("a", "exit 0")
        self.start()
        self.bus.close()
        self.assertEqual(self.process.wait(60), 1)
        self.assertEqual(list(self.place.glob("fwstat-notify.*/lines")), [])


class Service(Notifier):
    """What /etc/init.d/fwstat asks procd for."""

    def instance(self, configuration):
        config = self.place / "config"
        config.mkdir(exist_ok=True)
        functions = self.place / "functions.sh"
        root = HERE.parent / "openwrt/root"
        text = (root / "lib/functions.sh").read_text()
        functions.write_text(text.replace("/etc/config/", f"{config}/").replace("/lib/uci.awk", f"{root}/lib/uci.awk"))
        (config / "fwstat").write_text(configuration)
        script = f"""
            . {LIBRARY}
            NOTIFY_USER=nobody
            procd_open_instance() {{ echo "instance $1"; }}
            procd_set_param() {{ echo "$*"; }}
            procd_append_param() {{ echo "$*"; }}
            procd_close_instance() {{ echo closed; }}
            chgrp() {{ shift; command chgrp -R "$(id -gn nobody)" "$2"; }}
            notify_service
        """
        environment = self.environment | {"NOTIFY_RUN": str(self.place / "run"), "NOTIFY_FUNCTIONS": str(functions)}
        return subprocess.run(["/bin/sh", "-c", script], env=environment, capture_output=True, text=True, check=True).stdout

    def test_nothing_runs_unless_something_is_configured(self):
        self.ship(*(path.name for path in SHIPPED.iterdir()))
        self.assertEqual(self.instance("config fwstat 'main'\n\toption enabled '1'\n"), "")
        for word in "0", "off", "no", "false", "disabled":
            self.assertEqual(self.instance(f"config notify 'notify'\n\toption abuseipdb '{word}'\n"), "")
        shipped = (FILES / "etc/config/fwstat").read_text()
        self.assertEqual(self.instance(shipped), "", "the shipped configuration")
        self.assertFalse((self.place / "run").exists())

    def test_the_instance(self):
        self.ship("ntfy", "mail")
        self.secrets.write_text("ntfy_token=tk_1\n")
        told = self.instance(f"config notify 'notify'\n\toption ntfy 'https://ntfy.example.org/a b'\n\toption secret_file '{self.secrets}'\n").splitlines()
        self.assertEqual((told[0], told[-1]), ("instance notify", "closed"))
        for line in ("user nobody", "group nobody", "env NOTIFY_NTFY=https://ntfy.example.org/a b", "env NOTIFY_MAIL="):
            self.assertIn(line, told)
        self.assertEqual([path.name for path in (self.place / "run/notify.d").iterdir()], ["ntfy"], "what is off is not there")
        secret = self.place / "run/secret"
        self.assertEqual((secret.read_text(), secret.stat().st_mode & 0o777, secret.stat().st_uid), ("ntfy_token=tk_1\n", 0o440, 0))
        self.assertEqual(grp.getgrgid(secret.stat().st_gid).gr_gid, pwd.getpwnam("nobody").pw_gid)
        self.assertEqual((self.place / "run").stat().st_mode & 0o007, 0)
        self.assertFalse([line for line in told if "tk_1" in line], "no secret in procd's parameters")
        # Another reload replaces the directory and leaves no second one.
        self.instance(f"config notify 'notify'\n\toption ntfy 'https://ntfy.example.org/a b'\n\toption secret_file '{self.secrets}'\n")
        self.assertEqual(secret.read_text(), "ntfy_token=tk_1\n")
        self.assertEqual([path.name for path in self.place.glob("run*")], ["run"])

    def test_an_own_script_replaces_the_shipped_one_of_the_same_name(self):
        shipped, run = self.place / "shipped", self.place / "run/notify.d"
        shipped.mkdir()
        for name in ("ntfy", "mail", "mqtt"):
            shutil.copy(SHIPPED / name, shipped)
        own = self.script("ntfy", "# option: ntfy\necho mine; exit 1")
        self.instance("config notify 'notify'\n\toption ntfy 'https://a'\n\toption mail 'owner@example.org'\n")
        self.assertEqual(sorted(path.name for path in run.iterdir()), ["mail", "ntfy"])
        self.assertEqual((run / "ntfy").read_text(), own.read_text())
        self.assertEqual((run / "mail").read_text(), (SHIPPED / "mail").read_text())

    def test_sections_join(self):
        self.ship("ntfy")
        # As where the owner's section has no name, and the package's update adds the one that the form needs.
        own = f"config notify\n\toption ntfy 'https://ntfy.example.org/a'\n\toption most '2/1d'\n\toption secret_file '{self.secrets}'\n"
        told = self.instance(own + "\nconfig notify 'notify'\n").splitlines()
        self.assertIn("env NOTIFY_NTFY=https://ntfy.example.org/a", told)
        self.assertTrue([line for line in told if "NOTIFY_MOST=2/1d" in line])
        self.assertEqual(self.instance("config notify\n\toption ntfy 'https://a'\n\nconfig notify 'notify'\n\toption ntfy '0'\n"), "")

    def test_secrets_that_others_can_read_are_not_used(self):
        self.ship("ntfy")
        self.secrets.write_text("ntfy_token=tk_1\n")
        self.secrets.chmod(0o644)
        self.instance(f"config notify 'notify'\n\toption ntfy 'https://ntfy.example.org/a'\n\toption secret_file '{self.secrets}'\n")
        self.assertEqual((self.place / "run/secret").read_text(), "")
        until(lambda: "mode 0600" in LOG.text, "the log tells it")

    def test_by_hand(self):
        web = self.web()
        self.ship("webhook", "ntfy")
        self.instance(f"config notify 'notify'\n\toption webhook '{web.url}'\n")
        environment = self.environment | {"NOTIFY_FUNCTIONS": str(self.place / "functions.sh")}
        done = subprocess.run(["/bin/sh", NOTIFY, "--test"], env=environment, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout), (0, "webhook: sent\n"), done.stderr)
        self.assertEqual(json.loads(web.requests[0][2])["event"], "test")
        web.status = 500
        done = subprocess.run(["/bin/sh", NOTIFY, "--test"], env=environment, capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("webhook: failed", done.stdout)
        self.instance("config fwstat 'main'\n")
        done = subprocess.run(["/bin/sh", NOTIFY, "--test"], env=environment, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("nothing is configured", done.stderr)


if __name__ == "__main__":
    LOG = Log()
    unittest.main()
