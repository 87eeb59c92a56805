"""ClickHouse's HTTP interface over chdb, as far as clickhouse-connect uses it: there is no server in any registry to
test with. The engine, its SQL, its formats and its errors are the real ones; users, settings and sessions are not."""

import gzip
import re
import sys
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from chdb.session import Session

PASSWORD = "secret"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(b"")

    def do_POST(self):
        body = b""
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        coding = self.headers.get("Content-Encoding")
        self.answer(gzip.decompress(body) if coding == "gzip" else zlib.decompress(body) if coding == "deflate" else body)

    def answer(self, body):
        url = urlsplit(self.path)
        if url.path == "/ping":
            return self.reply(200, b"Ok.\n")
        asked = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        from_header = self.headers.get("X-ClickHouse-Key") == PASSWORD
        if not (from_header or "Basic ZmxlZXQ6c2VjcmV0" in self.headers.get("Authorization", "")):
            return self.reply(403, b"Code: 516. DB::Exception: fleet: Authentication failed. (AUTHENTICATION_FAILED)\n", 516)
        sql = (asked.get("query", "") + "\n" + body.decode()).strip() if asked.get("query") else body.decode()
        given = {name[6:]: value for name, value in asked.items() if name.startswith("param_")}
        found = re.search(r"\sFORMAT\s+(\w+)\s*$", sql)
        form = "TabSeparated"
        if found and not re.match(r"\s*INSERT", sql, re.IGNORECASE):
            sql, form = sql[: found.start()], found.group(1)
        form = form if found else asked.get("default_format", self.headers.get("X-ClickHouse-Format", form))
        with self.server.lock:
            self.server.asked.append(sql)
            try:
                self.server.session.query(f"USE {asked.get('database', 'default')}")
                text = self.server.session.query(sql, form, params=given).bytes()
            except Exception as error:
                code = re.search(r"Code: (\d+)\.", str(error))
                return self.reply(500, str(error).encode(), int(code.group(1)) if code else 1)
        self.reply(200, text or b"", form=form)

    def reply(self, status, text, code=None, form=None):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.send_header("Content-Type", "text/plain; charset=UTF-8")
        self.send_header("X-ClickHouse-Timezone", "UTC")
        if code:
            self.send_header("X-ClickHouse-Exception-Code", str(code))
        if form:
            self.send_header("X-ClickHouse-Format", form)
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *arguments):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, place, port=0):
        super().__init__(("127.0.0.1", port), Handler)
        self.session = Session(place)
        self.session.query("CREATE DATABASE IF NOT EXISTS fwstat")
        self.lock, self.asked = threading.Lock(), []


if __name__ == "__main__":
    server = Server(sys.argv[1])
    print(server.server_address[1], flush=True)
    server.serve_forever()
