"""The other ends of the notifier's scripts: a log, an HTTP server, an SMTP server."""

import email
import email.policy
import http.server
import socket
import threading
import time
from pathlib import Path

from aiosmtpd.controller import Controller


def free_port():
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        return tried.getsockname()[1]


def until(condition, what):
    end = time.monotonic() + 120
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not within 120 s: {what}")
        time.sleep(0.05)


class Log:
    """What is written to the system's log."""

    def __init__(self):
        self.text = ""
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("/dev/log")
        threading.Thread(target=self.collect, daemon=True).start()

    def collect(self):
        while True:
            self.text += self.socket.recv(65536).decode(errors="replace") + "\n"


class Web:
    """An HTTP server that keeps what it gets."""

    def __init__(self):
        self.requests, self.status, self.headers, self.arguments = [], 200, {}, []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                # What anybody on the router sees of the sender.
                for path in Path("/proc").glob("[0-9]*/cmdline"):
                    try:
                        outer.arguments.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
                    except OSError:
                        pass
                outer.requests.append((self.path, dict(self.headers), body))
                self.send_response(outer.status)
                for name, value in outer.headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Mailbox:
    """An SMTP server that keeps what it gets."""

    def __init__(self):
        self.mails = []
        self.controller = Controller(self, hostname="127.0.0.1", port=free_port())
        self.controller.start()

    async def handle_DATA(self, server, session, envelope):
        self.mails.append((envelope, email.message_from_bytes(envelope.content, policy=email.policy.default)))
        return "250 OK"
