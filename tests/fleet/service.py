"""A whole server for tests: fwstat-fleet serve, nginx with TLS before it, and between the two a place where answers can
get lost; and the router's sender under busybox ash with a clock that the test sets."""

import http.client
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time

from fwstat_fleet.registry import Registry
from support import FLEET, ROOT

SENDER = ROOT / "files/usr/share/fwstat/fleet-send"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(what, seconds=180):
    """Waits until `what()` is true; fails when it is not after a long time."""
    end = time.monotonic() + seconds
    while not (value := what()):
        if time.monotonic() > end:
            raise AssertionError(f"did not happen within {seconds} s")
        time.sleep(0.02)
    return value


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


class Lossy:
    """Passes connections on to a port. While `lose` is above 0 a request arrives there, and its answer gets lost."""

    def __init__(self, target):
        self.target, self.lose, self.lost = target, 0, 0
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self._pass, args=(client,), daemon=True).start()

    def _pass(self, client):
        try:
            server = socket.create_connection(("127.0.0.1", self.target))
        except OSError:
            client.close()
            return

        def copy():
            while data := client.recv(65536):
                server.sendall(data)

        thread = threading.Thread(target=self._quietly, args=(copy,), daemon=True)
        thread.start()

        def back():
            while data := server.recv(65536):
                if self.lose > 0:
                    self.lose, self.lost = self.lose - 1, self.lost + 1
                    break
                client.sendall(data)

        self._quietly(back)
        for end in (client, server):
            self._quietly(lambda end=end: end.shutdown(socket.SHUT_RDWR))
            end.close()

    @staticmethod
    def _quietly(action):
        try:
            action()
        except OSError:
            pass


class Server:
    def __init__(self, place):
        self.place = pathlib.Path(place)
        self.data = self.place / "data"
        self.data.mkdir(mode=0o700)
        self.registry = Registry(self.data)
        self.port, self.public = free_port(), free_port()
        self.lossy = Lossy(self.port)
        self.log = open(self.place / "serve.log", "ab")
        self._certificate()
        self.process = self.nginx = None

    def _certificate(self):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", self.place / "key.pem",
             "-out", self.place / "cert.pem"],
            check=True, capture_output=True,
        )  # fmt: skip

    def start(self):
        self.process = subprocess.Popen(
            [FLEET / "fwstat-fleet", "--data", self.data, "serve", "--proxy", "--listen", f"127.0.0.1:{self.port}",
             "--rollup-every", "0"],
            stderr=self.log,
        )  # fmt: skip
        until(lambda: answers(self.port) or self.process.poll() is not None)

    def stop(self, how=signal.SIGTERM):
        if self.process:
            self.process.send_signal(how)
            self.process.wait()
            self.process = None

    def start_nginx(self):
        """The configuration that is shipped, with other names and paths."""
        (self.data / "tokens.map").touch()
        text = (FLEET / "proxy/nginx.conf").read_text()
        for old, new in (
            ("listen 443 ssl;", f"listen 127.0.0.1:{self.public} ssl;"),
            ("    listen [::]:443 ssl;\n", ""),
            ("rate=2r/s", "rate=1000r/s"),  # days pass in seconds here
            ("fleet.example.net;", "localhost;"),
            ("/var/lib/fwstat-fleet/tokens.map", str(self.data / "tokens.map")),
            ("/etc/ssl/fleet.example.net.crt", str(self.place / "cert.pem")),
            ("/etc/ssl/private/fleet.example.net.key", str(self.place / "key.pem")),
            ("127.0.0.1:8040", f"127.0.0.1:{self.lossy.port}"),
        ):
            assert old in text, old
            text = text.replace(old, new)
        (self.place / "site.conf").write_text(text)
        user = "user root;" if os.getuid() == 0 else ""
        (self.place / "nginx.conf").write_text(
            f"{user} daemon off; worker_processes 1; pid {self.place}/nginx.pid; error_log {self.place}/nginx.log;\n"
            f"events {{}}\nhttp {{ access_log {self.place}/access.log; client_body_temp_path {self.place}/body;\n"
            f"proxy_temp_path {self.place}/proxy; fastcgi_temp_path {self.place}/f; uwsgi_temp_path {self.place}/u;\n"
            f"scgi_temp_path {self.place}/s; include {self.place}/site.conf; }}\n"
        )
        with open(self.place / "nginx.err", "ab") as errors:
            self.nginx = subprocess.Popen(["nginx", "-p", self.place, "-c", self.place / "nginx.conf"], stderr=errors)
        until(lambda: answers(self.public) or self.nginx.poll() is not None)

    def stop_nginx(self):
        if self.nginx:
            self.nginx.terminate()
            self.nginx.wait()
            self.nginx = None

    def reload_nginx(self):
        """Back when a new worker serves: a token that nobody has gets its 401 from a process that was not there."""
        before = self._workers()
        self.nginx.send_signal(signal.SIGHUP)
        until(lambda: (now := self._workers()) and not now & before)

    def _workers(self):
        path = f"/proc/{self.nginx.pid}/task/{self.nginx.pid}/children"
        return set(pathlib.Path(path).read_text().split())

    def request(self, method, path, headers=(), body=None):
        connection = http.client.HTTPSConnection(
            "localhost", self.public, context=ssl.create_default_context(cafile=self.place / "cert.pem"), timeout=30
        )
        connection.request(method, path, body, dict(headers))
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer.status, text

    def command(self, *arguments):
        done = subprocess.run(
            [FLEET / "fwstat-fleet", "--data", self.data, *map(str, arguments)], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def texts(self):
        """All that was logged."""
        return "".join(path.read_text() for path in self.place.glob("*.log")) + (self.place / "nginx.err").read_text()

    def close(self):
        self.stop()
        self.stop_nginx()
        self.lossy.server.close()
        self.log.close()
        shutil.rmtree(self.place)


# `sleep` and `date` of the sender are functions here: a sleep moves the clock on. Where the clock passes the time in
# the file `stop_at`, the sender waits for the test to move that on, or ends where the test says so. `waiting` names the
# time that it waits at: the test may have moved that on since the sender read it.
HARNESS = r"""
PLACE=%(place)s
PATH=$PLACE/bin:$PATH
sleep() {
	echo "$1" >> "$PLACE/sleeps"
	echo $(($(cat "$PLACE/clock") + $1)) > "$PLACE/clock.new" && mv "$PLACE/clock.new" "$PLACE/clock"
	while stop_at=$(cat "$PLACE/stop_at") && [ "$(cat "$PLACE/clock")" -ge "$stop_at" ]; do
		echo "$stop_at" > "$PLACE/waiting.new" && mv "$PLACE/waiting.new" "$PLACE/waiting"
		busybox sleep 0.02
	done
	rm -f "$PLACE/waiting"
}
date() { cat "$PLACE/clock"; }
set -- %(arguments)s
. %(sender)s
"""


class Router:
    """A router's sender with a spool and a clock of its own."""

    def __init__(self, place, server, token, now):
        self.place, self.server = pathlib.Path(place), server
        self.spool = self.place / "spool"
        self.flash = self.place / "flash"
        for folder in (self.spool, self.flash, self.place / "bin"):
            folder.mkdir(parents=True)
        (self.place / "token").write_text(token + "\n")
        (self.place / "clock").write_text(f"{now}\n")
        self.token, self.process = token, None
        curl = shutil.which("curl")
        # What any other process could see of curl, written down.
        (self.place / "bin/curl").write_text(
            f'#!/bin/sh\n{{ echo "$@"; env; }} >> {self.place}/seen\nexec {curl} "$@"\n'
        )
        (self.place / "bin/curl").chmod(0o755)

    def start(self, run_until, url=None, spread=0, shared="''", within=()):
        """`within`: a command that runs the sender."""
        self.run_until(run_until)
        url = url or f"https://localhost:{self.server.public}/fwstat/v1/batch"
        script = HARNESS % {
            "place": self.place,
            "sender": SENDER,
            "arguments": f"{self.spool}:{self.flash} {url} {self.place}/token {spread} {shared}",
        }
        self.errors = open(self.place / "errors", "ab")
        self.process = subprocess.Popen(
            [*within, "busybox", "ash", "-c", script], stdout=self.errors, stderr=self.errors, stdin=subprocess.DEVNULL,
            env={**os.environ, "CURL_CA_BUNDLE": str(self.server.place / "cert.pem")},
        )  # fmt: skip

    def run_until(self, clock):
        """Lets the sender's clock go on to this time."""
        (self.place / "stop_at.new").write_text(f"{clock}\n")
        os.replace(self.place / "stop_at.new", self.place / "stop_at")

    def wait(self):
        """Until the sender has reached the time."""
        wanted, waiting = (self.place / "stop_at").read_text(), self.place / "waiting"

        def reached():
            try:
                return waiting.read_text() == wanted
            except FileNotFoundError:
                return False

        until(lambda: reached() or self.process.poll() is not None)
        assert self.process.poll() is None, self.said()

    def stop(self):
        if self.process:
            self.process.terminate()
            code = self.process.wait(30)
            self.process = None
            self.errors.close()
            (self.place / "waiting").unlink(missing_ok=True)
            return code

    def put(self, name, data, flash=False):
        folder = self.flash if flash else self.spool
        (folder / ".new").write_bytes(data)
        os.replace(folder / ".new", folder / name)

    def waiting(self):
        return sorted(path.name for folder in (self.spool, self.flash) for path in folder.glob("[0-9]*.ndjson.gz"))

    def state(self):
        return (self.spool / "sender.json").read_text()

    def said(self):
        path = self.place / "errors"
        return path.read_text() if path.exists() else ""

    def sleeps(self):
        path = self.place / "sleeps"
        return [int(line) for line in path.read_text().split()] if path.exists() else []

    def transfers(self):
        path = self.place / "seen"
        return len(re.findall(r"^-q ", path.read_text(), re.MULTILINE)) if path.exists() else 0
