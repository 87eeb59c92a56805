"""What the commands do with an engine: tables, batches, roll-ups, questions."""

import pathlib
import re
from datetime import date, datetime, timedelta, timezone

from .batch import COLUMNS, tab_separated
from .engine import statements

HERE = pathlib.Path(__file__).resolve().parent.parent
QUESTIONS = HERE / "queries"
# How many pairs one roll-up reads at most, if they are of several days: bounds its memory.
PAIRS_AT_ONCE = 10_000_000

# Rows that are written at once: many batches share a part on disk.
TOGETHER = 250_000

# Large enough that a batch is one block: it is stored whole or not at all.
INSERT = (
    f"INSERT INTO inbox ({', '.join(COLUMNS)}) SETTINGS async_insert = 0, max_insert_block_size = 4000000, "
    "min_insert_block_size_rows = 4000000, min_insert_block_size_bytes = 1073741824, input_format_parallel_parsing = 0, "
    "max_partitions_per_insert_block = 0 "
    "FORMAT TabSeparated\n"
)


def init(engine):
    """Makes the tables that are not there yet."""
    for statement in statements((HERE / "schema.sql").read_text()):
        engine.query(statement)


def insert(engine, rows):
    """Stores the rows of one batch or of several."""
    engine.query(INSERT + tab_separated(rows))


def insert_all(engine, batches):
    """Stores the rows of many batches, many together."""
    rows = []
    for batch in batches:
        rows += batch
        if len(rows) > TOGETHER:
            insert(engine, rows)
            rows = []
    if rows:
        insert(engine, rows)


def days_before_expiry(engine):
    """Full days that pairs live after their arrival, by the TTL of their table, which the owner may have changed. They
    expire at midnight, before as many times 24 hours have passed. Raises ValueError if the TTL is not in days."""
    found = re.search(r"TTL arrived \+ (?:toIntervalDay\(|INTERVAL )(\d+)(?:\)| DAY)", engine.query("SHOW CREATE TABLE pairs"))
    if not found:
        raise ValueError("the table pairs has no `TTL arrived + INTERVAL n DAY`: which days can be rolled up is not known")
    return int(found[1]) - 1


def due_days(engine):
    """The days that batches have reached since their roll-up, each with its number of pairs, and those among them that
    cannot be made anew because pairs of theirs have expired."""
    answer = engine.query(
        "SELECT router_day.day, min(arrived) < now() - INTERVAL {days:UInt32} DAY, any(pairs) FROM router_day "
        "LEFT JOIN (SELECT day, max(made) AS latest FROM rollups GROUP BY day) AS rolled ON rolled.day = router_day.day "
        "LEFT JOIN (SELECT day, count() AS pairs FROM pairs GROUP BY day) AS kept ON kept.day = router_day.day "
        "GROUP BY router_day.day HAVING max(arrived) >= max(latest) ORDER BY router_day.day",
        {"days": days_before_expiry(engine)},
    )
    lines = [line.split("\t") for line in answer.splitlines()]
    due = [(date.fromisoformat(day), int(pairs)) for day, expired, pairs in lines if expired == "0"]
    return due, [day for day, expired, _ in lines if expired != "0"]


def spans(due):
    """Due days as spans of successive days, each with no more pairs than are rolled up at once, or of one day."""
    found, first, last, total = [], None, None, 0
    for day, pairs in due:
        if first and day == last + timedelta(days=1) and total + pairs <= PAIRS_AT_ONCE:
            last, total = day, total + pairs
            continue
        if first:
            found.append((first, last))
        first, last, total = day, day, pairs
    return found + [(first, last)] if first else []


def rollup(engine, progress=lambda first, last: None):
    """Makes the roll-ups of all days that need one. Returns the number of days made and the days that cannot be."""
    due, expired = due_days(engine)
    _roll(engine, spans(due), progress)
    return len(due), expired


def _roll(engine, found, progress=lambda first, last: None):
    parts = statements((HERE / "rollup.sql").read_text())
    for first, last in found:
        made = engine.query("SELECT now64(6, 'UTC')").strip()
        for part in parts:
            engine.query(part, {"from": str(first), "to": str(last), "made": made})
        progress(first, last)


def forget(engine, router):
    """Deletes what a router sent and makes the roll-ups of its days anew. Returns the number of its days, and those whose
    roll-ups still hold its figures, because pairs of theirs have expired."""
    answer = engine.query(
        "SELECT day, min(arrived) < now() - INTERVAL {days:UInt32} DAY FROM router_day "
        "WHERE day IN (SELECT day FROM router_day WHERE router = {router:UInt32}) GROUP BY day ORDER BY day",
        {"days": days_before_expiry(engine), "router": router},
    )
    days = [line.split("\t") for line in answer.splitlines()]
    for table in ("pairs", "router_service", "router_day"):
        engine.query(f"DELETE FROM {table} WHERE router = {{router:UInt32}}", {"router": router})
    _roll(engine, spans([(date.fromisoformat(day), PAIRS_AT_ONCE) for day, expired in days if expired == "0"]))
    return len(days), [day for day, expired in days if expired != "0"]


def questions():
    """Name and first sentence of every question."""
    found = {}
    for path in sorted(QUESTIONS.glob("*.sql")):
        comment = " ".join(line[3:] for line in path.read_text().splitlines() if line.startswith("-- "))
        found[path.stem] = comment.split(". ")[0].split(": ")[0].rstrip(".")
    return found


def defaults():
    """The parameters of the questions where none are given: the last 30 days up to yesterday (UTC), inbound attempts,
    all services together."""
    yesterday = datetime.now(timezone.utc).date() - timedelta(days=1)
    return {
        "from": str(yesterday - timedelta(days=29)), "to": str(yesterday), "class": "attempt", "protocol": -1, "port": 0,
        "source": None, "router": None, "routers": 2, "days": 3, "min": 100, "limit": 20,
    }  # fmt: skip


def ask(engine, question, parameters, form="PrettyCompactMonoBlock"):
    """The answer to a question of queries/, as text in a format of ClickHouse."""
    text = (QUESTIONS / f"{question}.sql").read_text().strip().removesuffix(";")
    known = {key: value for key, value in {**defaults(), **parameters}.items() if f"{{{key}:" in text}
    for key, value in known.items():
        if value is None:
            raise ValueError(f"query {question} needs --{key}")
    return engine.query(text, known, form)


def shared_list(engine, routers, days, limit):
    """The list of shared bad sources as routers fetch it: a first line with format, Unix time and count, a line for
    each address with the most routers a day and the days, and a last line by which a cut list is known."""
    today = datetime.now(timezone.utc)
    yesterday = today.date() - timedelta(days=1)
    rows = ask(
        engine,
        "shared_list",
        {"from": str(yesterday - timedelta(days=6)), "to": str(yesterday), "routers": routers, "days": days, "limit": limit},
        "TabSeparated",
    )
    lines = [" ".join(row.split("\t")) for row in rows.splitlines()]
    return "\n".join([f"fwstat-shared 1 {int(today.timestamp())} {len(lines)}", *lines, "end"]) + "\n"
