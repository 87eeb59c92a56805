"""The batch that a router sends for a closed day: gzip'ed NDJSON, checked before it reaches the engine.

The checks are those of the constraints of `inbox` in schema.sql, which hold for whoever writes there. They are made
here, too, so that a router gets an answer that names the line, and so that many batches can be written at once.
"""

import json
import re
import socket
import time
import zlib
from datetime import date, timedelta, timezone, datetime

COLUMNS = (
    "router", "kind", "format", "day", "sent", "class", "protocol", "port", "source", "country", "attempts", "sources",
    "complete", "lost", "offset", "version", "hours", "registers",
)  # fmt: skip
CLASSES = ("attempt", "backscatter", "noise", "egress", "login")
MAX_COMPRESSED = 4 << 20
# Of a batch; the export of many days that `import` reads may be larger.
MAX_PLAIN = 16 << 20
MAX_LINES = 100_000
MAX_COUNT = 10**15 - 1
OLDEST_DAYS = 400

_COUNTRY = re.compile(r"[A-Z]{2}|", re.ASCII)
_VERSION = re.compile(r"[A-Za-z0-9.+~_-]{0,32}", re.ASCII)


class BatchError(Exception):
    """A batch that is refused. `status` is the HTTP answer: 413 too large, 400 unreadable, 422 a value is refused."""

    def __init__(self, status, reason):
        super().__init__(reason)
        self.status = status


def unpack(data, most=MAX_PLAIN):
    """The text of a gzip'ed batch, or of a plain one, of at most `most` bytes."""
    if data[:2] != b"\x1f\x8b":
        if len(data) > most:
            raise BatchError(413, f"more than {most} bytes")
        return data
    parts, size = [], 0
    # After each member the rest is copied: 200,000 empty ones in 4 MB would take minutes.
    most_members = most >> 14
    try:
        while data:
            if len(parts) == most_members:
                raise BatchError(413, f"more than {most_members} gzip members")
            gunzip = zlib.decompressobj(wbits=31)
            part = gunzip.decompress(data, most - size + 1)
            size += len(part)
            if size > most:
                raise BatchError(413, f"more than {most} bytes when unpacked")
            if not gunzip.eof:
                raise BatchError(400, "the gzip data is cut short")
            parts.append(part)
            data = gunzip.unused_data.lstrip(b"\0")
    except zlib.error as error:
        raise BatchError(400, f"no gzip data: {error}") from None
    return b"".join(parts)


def _whole(row, key, most, least=0, missing=None):
    value = row.get(key, missing)
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"'{key}' is not a whole number from {least} to {most}")
    return value


def _text(row, key, pattern):
    value = row.get(key, "")
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ValueError(f"'{key}' is not of its form")
    return value


def _day(row, today):
    text = row.get("day")
    try:
        day = date.fromisoformat(text)
    except (TypeError, ValueError):
        day = None
    if day is None or str(day) != text:
        raise ValueError("'day' is not a date (YYYY-MM-DD)")
    if not today - timedelta(days=OLDEST_DAYS) <= day <= today + timedelta(days=1):
        raise ValueError(f"'day' is {text}: older than {OLDEST_DAYS} days, or after tomorrow")
    return text, int(datetime(day.year, day.month, day.day, tzinfo=timezone.utc).timestamp())


def _address(row):
    text = row.get("source")
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            return socket.inet_ntop(family, socket.inet_pton(family, text))
        except (OSError, TypeError, ValueError):
            continue
    raise ValueError("'source' is not an address")


def _row(row, router, now, days):
    """A line as the values of COLUMNS, or None for one of a kind that is not known."""
    kind = row.get("kind")
    if kind not in ("day", "pair", "service"):
        return None
    if row.get("format", None if kind == "day" else 1) != 1 or type(row.get("format", 1)) is not int:
        raise ValueError("'format' is not 1: the router needs a server of another version")
    text = row.get("day")
    if not isinstance(text, str) or text not in days:
        text, start = _day(row, datetime.fromtimestamp(now, timezone.utc).date())
        days[text] = start
    sent = _whole(row, "sent", now + 172_800, days[text])
    if row.get("class") not in CLASSES:
        raise ValueError("'class' is not known")
    attempts = _whole(row, "attempts", MAX_COUNT)
    head = (router, kind, 1, text, sent, row["class"])
    if kind == "day":
        hours = row.get("hours", [])
        if not isinstance(hours, list) or len(hours) not in (0, 24):
            raise ValueError("'hours' are not 24 counts")
        if any(type(hour) is not int or not 0 <= hour <= MAX_COUNT for hour in hours):
            raise ValueError("'hours' are not 24 counts")
        return head + (
            "", "", "", "", attempts, _whole(row, "sources", 999_999_999), _whole(row, "complete", 1),
            _whole(row, "lost", MAX_COUNT), _whole(row, "offset", 900, -900), _text(row, "version", _VERSION), hours, [],
        )  # fmt: skip
    service = (_whole(row, "protocol", 255), _whole(row, "port", 65535))
    if kind == "pair":
        source = (_address(row), _text(row, "country", _COUNTRY))
        return head + service + source + (attempts, "", "", "", "", "", [], [])
    registers = row.get("registers")
    if not isinstance(registers, list) or not 0 < len(registers) <= 1024:
        raise ValueError("'registers' are not 1 to 1024 numbers")
    if any(type(value) is not int or not 0 <= value <= 65535 for value in registers):
        raise ValueError("'registers' are not 1 to 1024 numbers")
    sources = _whole(row, "sources", 999_999_999)
    return head + service + ("", "", attempts, sources, "", "", "", "", [], registers)


def check(data, router, now=None, most_bytes=MAX_PLAIN, most_lines=MAX_LINES):
    """The rows of a batch, as tuples of COLUMNS. `now` is Unix time; without it, the clock's.

    A batch is taken whole or not at all. Unknown keys and lines of unknown kinds are skipped. An export of several
    days is taken, too, if every day has its own `sent`.
    """
    now = int(time.time()) if now is None else now
    rows, days, sent_of, whole = [], {}, {}, set()
    try:
        text = unpack(data, most_bytes).decode()
    except UnicodeDecodeError:
        raise BatchError(400, "no UTF-8") from None
    # The last line ends, too.
    if text.count("\n") > most_lines:
        raise BatchError(413, f"more than {most_lines} lines")
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            raise BatchError(400, f"line {number} is not JSON") from None
        if not isinstance(row, dict):
            raise BatchError(400, f"line {number} is not a JSON object")
        try:
            values = _row(row, router, now, days)
        except ValueError as error:
            raise BatchError(422, f"line {number}: {error}") from None
        if values is None:
            continue
        _, kind, _, day, sent, name = values[:6]
        if sent_of.setdefault(day, sent) != sent:
            raise BatchError(422, f"line {number}: 'sent' differs from the other lines of the day")
        if kind == "day":
            if (day, name) in whole:
                raise BatchError(422, f"line {number}: a second line for the whole day and class")
            whole.add((day, name))
        rows.append(values)
    if not rows:
        raise BatchError(400, "no line of a known kind")
    for values in rows:
        if (values[3], values[5]) not in whole:
            raise BatchError(422, f"the line for the whole of {values[3]}, class {values[5]}, is missing")
    return rows


def tab_separated(rows):
    """Rows of `check` as the engine reads them. No value has a character that would need an escape."""
    lines = []
    for row in rows:
        lines.append("\t".join("['" + "','".join(map(str, v)) + "']" if v else "[]" for v in row[16:]))
        lines[-1] = "\t".join(map(str, row[:16])) + "\t" + lines[-1]
    return "\n".join(lines) + "\n"
