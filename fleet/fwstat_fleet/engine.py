"""ClickHouse as a process of its own (by HTTP), inside this process (chdb), or inside a running `serve` (by a socket).

All three take the same SQL, with parameters as `{name:Type}`.
"""

import http.client
import json
import os
import re
import socket
import threading
from urllib.parse import urlsplit

SOCKET = "serve.sock"


class EngineError(Exception):
    """The engine refused or failed. `code` is ClickHouse's number, 0 where it gave none."""

    def __init__(self, text):
        found = re.search(r"Code: (\d+)\.", text)
        super().__init__(text.strip())
        self.code = int(found.group(1)) if found else 0


class Embedded:
    """chdb over a directory, which one process at a time can have."""

    def __init__(self, directory):
        from chdb.session import Session  # takes a second: only those load it who need it

        # chdb keeps a query's parameters in the connection: two queries at a time would exchange theirs.
        self.lock = threading.Lock()
        try:
            self.session = Session(os.path.join(directory, "engine"))
        except RuntimeError as error:
            raise EngineError(f"{directory}: another process has the engine, or it cannot be opened: {error}") from None
        self.query("CREATE DATABASE IF NOT EXISTS fwstat")
        self.query("USE fwstat")

    def query(self, sql, parameters=None, form="TabSeparated"):
        try:
            with self.lock:
                return str(self.session.query(sql, form, params=parameters or {}))
        except Exception as error:  # chdb raises RuntimeError or its own class, by version
            raise EngineError(str(error)) from None

    def close(self):
        self.session.close()


class Server:
    """A ClickHouse server: http[s]://[user[:password]@]host[:port][/database]."""

    def __init__(self, url):
        import clickhouse_connect

        parts = urlsplit(url)
        try:
            self.client = clickhouse_connect.get_client(
                interface=parts.scheme,
                host=parts.hostname,
                port=parts.port or 0,
                username=parts.username or os.environ.get("CLICKHOUSE_USER") or "default",
                password=parts.password or os.environ.get("CLICKHOUSE_PASSWORD") or "",
                database=parts.path.strip("/") or "fwstat",
                autogenerate_session_id=False,
            )
        except Exception as error:
            raise EngineError(str(error)) from None

    def query(self, sql, parameters=None, form="TabSeparated"):
        try:
            return self.client.raw_query(sql, parameters=parameters or None, fmt=form if _answers(sql) else None).decode()
        except Exception as error:
            raise EngineError(str(error)) from None

    def close(self):
        self.client.close()


class Running:
    """The engine of a running `serve`, through a socket that only the same user can open."""

    def __init__(self, path):
        self.path = path

    def query(self, sql, parameters=None, form="TabSeparated"):
        connection = http.client.HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX)
        try:
            connection.sock.connect(self.path)
            connection.request("POST", "/sql", json.dumps({"sql": sql, "parameters": parameters or {}, "form": form}))
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        if answer.status != 200:
            raise EngineError(text)
        return text

    def close(self):
        pass


def _answers(sql):
    """Whether a statement has rows as its answer."""
    return re.match(r"(\s|--[^\n]*\n)*(SELECT|WITH|SHOW|DESCRIBE|EXPLAIN)\b", sql, re.IGNORECASE) is not None


def open_engine(directory, url=None):
    """The engine that the options name; that of a running `serve` where one has the directory."""
    if url:
        return Server(url)
    path = os.path.join(directory, SOCKET)
    if os.path.exists(path):
        running = Running(path)
        try:
            running.query("SELECT 1")
            return running
        except OSError:
            pass  # left behind by a `serve` that was killed
    return Embedded(directory)


def statements(text):
    """The statements of an SQL file: each ends with a semicolon at the end of its line."""
    return [part.strip() for part in re.split(r";[ \t]*\n", text + "\n") if re.sub(r"--[^\n]*", "", part).strip()]
