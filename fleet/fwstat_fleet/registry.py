"""The routers of a fleet and their tokens: two files that a person can read and edit.

`routers.csv` names them. `tokens.map` has the tokens, each a line `"Bearer TOKEN" ROUTER;`, which is how nginx's `map`
includes them; `serve` reads the same file where no proxy stands before it. It has mode 0600.
"""

import contextlib
import csv
import fcntl
import io
import os
import re
import secrets
from datetime import datetime, timezone

FIELDS = ("router", "name", "site", "enrolled", "revoked")
_TOKEN = re.compile(r'"Bearer ([A-Za-z0-9._~+/=-]{20,200})" ([0-9]{1,10});')
_PLAIN = re.compile(r"[^\t\r\n\\\x00-\x1f]{0,64}")


class Registry:
    def __init__(self, directory):
        self.names = os.path.join(directory, "routers.csv")
        self.tokens = os.path.join(directory, "tokens.map")
        self._lock = os.path.join(directory, ".lock")
        self._read = None, {}

    def routers(self):
        """The rows of `routers.csv`. Raises ValueError for a line that is not one of it."""
        if not os.path.exists(self.names):
            return []
        rows = []
        with open(self.names, newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            for row in reader:
                if any(not isinstance(row.get(field), str) for field in FIELDS) or not row["router"].isdecimal():
                    raise ValueError(f"{self.names}, line {reader.line_num}: not of the columns {', '.join(FIELDS)}")
                rows.append(row)
        return rows

    def router_of(self, authorization):
        """The router that a header `Authorization` belongs to, or None."""
        try:
            stat = os.stat(self.tokens)
        except FileNotFoundError:
            return None
        seen = stat.st_mtime_ns, stat.st_ino, stat.st_size
        if self._read[0] != seen:
            with open(self.tokens, encoding="ascii", errors="replace") as file:
                found = (_TOKEN.match(line) for line in file)
                self._read = seen, {f"Bearer {hit[1]}": int(hit[2]) for hit in found if hit}
        return self._read[1].get(authorization)

    def enroll(self, name, site=""):
        """Adds a router; returns its number and token."""
        for text in (name, site):
            if not _PLAIN.fullmatch(text):
                raise ValueError(f"{text!r} is not plain text of at most 64 characters")
        token = secrets.token_urlsafe(32)
        with self._locked():
            rows = self.routers()
            router = max((int(row["router"]) for row in rows), default=0) + 1
            rows.append({"router": router, "name": name, "site": site, "enrolled": _now(), "revoked": ""})
            self._write_names(rows)
            self._write(self.tokens, self._token_lines() + [f'"Bearer {token}" {router};\n'])
        return router, token

    def revoke(self, router):
        """Takes a router's tokens away. True if there was one."""
        with self._locked():
            lines = self._token_lines()
            kept = [line for line in lines if not ((hit := _TOKEN.match(line)) and int(hit[2]) == router)]
            self._write(self.tokens, kept)
            rows = self.routers()
            for row in rows:
                if int(row["router"]) == router:
                    row["revoked"] = row["revoked"] or _now()
            self._write_names(rows)
        return len(kept) < len(lines)

    def write_table(self, engine):
        """Brings the table `routers` to what the file says."""
        rows = [
            "\t".join([row["router"], row["name"], row["site"], row["enrolled"], row["revoked"] or "\\N"])
            for row in self.routers()
        ]
        if rows:
            sql = "INSERT INTO routers (router, name, site, enrolled, revoked) SETTINGS async_insert = 0 FORMAT TabSeparated\n"
            engine.query(sql + "\n".join(rows) + "\n")

    @contextlib.contextmanager
    def _locked(self):
        """Commands that change the files at the same time would give two routers one number."""
        with open(self._lock, "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _token_lines(self):
        if not os.path.exists(self.tokens):
            return []
        with open(self.tokens, encoding="ascii", errors="replace") as file:
            return file.readlines()

    def _write_names(self, rows):
        text = io.StringIO()
        writer = csv.DictWriter(text, FIELDS, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        self._write(self.names, [text.getvalue()])

    def _write(self, path, lines):
        new = path + ".new"
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)


def _now():
    return datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
