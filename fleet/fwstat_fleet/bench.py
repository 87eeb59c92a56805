"""Fills the embedded engine with made-up fleets of several sizes and compares every figure with what they are made of.

Prints bytes for each router and day, rows stored in a CPU second, the time of a roll-up and of each question, and how they grow
with the fleet. Fails if attempts differ, if different sources are off by more than 2 %, or if a router's day takes more
than 12 KB.

A row of the fleet is a function of its number alone, so the truth is summed up beside the tables, by exact bitmaps of
the sources' numbers, and never passes through them.
"""

import argparse
import gzip
import json
import os
import resource
import shutil
import sys
import tempfile
import time
from datetime import datetime, timedelta, timezone

from . import store
from .batch import COLUMNS, check
from .engine import Embedded

# A router sees `pairs` rows of 5/6 as many sources a day: three in ten of them out of 20,000 that never change, the others
# out of 400,000, of which 5,000 leave and come each day. Services are distributed log-uniformly over 300.
MADE_UP = """
    SELECT intDiv(number, {pairs}) + 1 AS router, number % {pairs} AS place,
        intDiv(place * 5, 6) AS nth,
        toUInt32(if(nth * 10 < 3 * intDiv({pairs} * 5, 6),
            (sipHash64(router, {day}) % 20000 + nth * 7919) % 20000,
            20000 + {day} * 5000 + (sipHash64(router, {day}, 1) % 400000 + nth * 104729) % 400000)) AS id,
        (toUInt32(exp(sipHash64(id, intDiv({day}, 30)) / 18446744073709551616. * log(300))) - 1 + (place % 6 = 1)) % 300
            AS service,
        if(service % 5 = 4, 17, 6) AS protocol,
        if(service = 0, 23, if(service = 1, 22, 1024 + service * 7919 % 64000)) AS port,
        toUInt32(1 + sipHash64(id, place) % 5 + 300 * (sipHash64(id, place, 1) % 500 = 0)) AS attempts,
        toUInt32(id * 2654435761 % 4294967296) AS address,
        concat(char(65 + intDiv(sipHash64(id) % 64, 26)), char(65 + sipHash64(id) % 64 % 26)) AS country
    FROM numbers({rows})
"""


class Fleet:
    def __init__(self, engine, routers, days, pairs):
        self.engine, self.routers, self.pairs = engine, routers, pairs
        last = datetime.now(timezone.utc).date() - timedelta(days=1)
        self.days = [last - timedelta(days=back) for back in range(days - 1, -1, -1)]
        self.rows = routers * pairs
        self.use()
        store.init(engine)
        engine.query(
            "CREATE TABLE truth (month Date, protocol UInt8, port UInt16, country String, "
            "attempts SimpleAggregateFunction(sum, UInt64), sources AggregateFunction(groupBitmap, UInt32)) "
            "ENGINE = AggregatingMergeTree ORDER BY (month, protocol, port, country)"
        )

    def use(self):
        self.engine.query(f"CREATE DATABASE IF NOT EXISTS fleet_{self.routers}")
        self.engine.query(f"USE fleet_{self.routers}")

    def made_up(self, day):
        return MADE_UP.format(pairs=self.pairs, day=day.toordinal(), rows=self.rows)

    def sent(self, router, day):
        midnight = datetime(day.year, day.month, day.day, 15, tzinfo=timezone.utc)
        return int(midnight.timestamp()) + router * 7919 % 60

    def note_truth(self, day):
        self.engine.query(
            f"INSERT INTO truth SELECT toStartOfMonth(toDate('{day}')), protocol, port, country, sum(attempts), "
            f"groupBitmapState(id) FROM ({self.made_up(day)}) GROUP BY protocol, port, country"
        )

    def load(self, day):
        """All batches of a day by one INSERT into the inbox, with its constraints and its views."""
        sent = self.sent(0, day)
        empty = "'' AS sources, '' AS complete, '' AS lost, '' AS offset, '' AS version, [] AS hours, [] AS registers"
        self.engine.query(
            f"INSERT INTO inbox ({', '.join(COLUMNS)}) SELECT toUInt32(router), 'pair', '1', '{day}', "
            f"toString({sent} + router * 7919 % 60), 'attempt', toString(protocol), toString(port), "
            f"IPv4NumToString(address), country, toString(attempts), {empty} FROM ({self.made_up(day)}) "
            f"UNION ALL SELECT toUInt32(router), 'day', '1', '{day}', toString({sent} + router * 7919 % 60), 'attempt', "
            f"'', '', '', '', toString(sum(attempts)), toString(uniqExact(id)), '1', '0', '540', '0.2.0', "
            f"arrayMap(x -> toString(x * 10), range(24)), [] FROM ({self.made_up(day)}) GROUP BY router "
            "SETTINGS async_insert = 0"
        )

    def load_by_batches(self, day):
        """The same through files as routers send them: unpacked, checked and stored in groups. Returns the CPU seconds
        and the bytes that came over the network."""
        lines = {}
        text = self.engine.query(
            "SELECT router, protocol, port, IPv4NumToString(address), country, attempts "
            f"FROM ({self.made_up(day)}) ORDER BY router, place"
        )
        for line in text.splitlines():
            router, *row = line.split("\t")
            lines.setdefault(int(router), []).append(row)
        batches = []
        for router, rows in lines.items():
            head = {"format": 1, "day": str(day), "sent": self.sent(router, day), "class": "attempt"}
            whole = {"kind": "day", "attempts": sum(int(row[4]) for row in rows), "sources": len({row[2] for row in rows})}
            rest = {"complete": 1, "lost": 0, "offset": 540, "version": "0.2.0", "hours": [10 * hour for hour in range(24)]}
            out = [json.dumps({**head, **whole, **rest}, separators=(",", ":"))]
            for protocol, port, address, country, attempts in rows:
                row = {"protocol": int(protocol), "port": int(port), "source": address, "country": country}
                row = {**head, "kind": "pair", **row, "attempts": int(attempts)}
                out.append(json.dumps(row, separators=(",", ":")))
            batches.append((router, gzip.compress("\n".join(out).encode() + b"\n", 6)))
        begin = time.process_time()
        store.insert_all(self.engine, (check(data, router) for router, data in batches))
        return time.process_time() - begin, sum(len(data) for _, data in batches)

    def bytes(self):
        """Bytes on disk by table, once the engine has merged what was stored, as it does by itself in time."""
        for table in ("pairs", "router_day", "router_service", "service_day", "country_day", "source_day"):
            self.engine.query(f"OPTIMIZE TABLE {table} FINAL")
        text = self.engine.query(
            "SELECT table, sum(bytes_on_disk) FROM system.parts WHERE active AND database = currentDatabase() "
            "AND table != 'truth' GROUP BY table ORDER BY table"
        )
        return {name: int(size) for name, size in (line.split("\t") for line in text.splitlines())}

    def rolled(self):
        return {"from": str(self.days[0]), "to": str(self.days[-1])}

    def compare(self):
        """The months, ports and countries that the tables answer with, against the truth. Returns the greatest error of
        different sources; attempts have none."""
        errors = []

        def both(title, key, asked, attempts, sources, truth):
            said = [json.loads(line) for line in asked.splitlines()]
            true = {}
            for line in self.engine.query(truth).splitlines():
                *names, count, different = line.split("\t")
                true[tuple(names)] = int(count), int(different)
            if len(said) < 3 and len(true) >= 3:
                sys.exit(f"{title}: only {len(said)} rows")
            for row in said:
                names = tuple(str(row[name]) for name in key)
                if int(row[attempts]) != true[names][0]:
                    sys.exit(f"{title} {names}: {row[attempts]} attempts, but {true[names][0]} were made")
                errors.append((abs(int(row[sources]) / true[names][1] - 1), title, names, int(row[sources]), true[names][1]))

        span, exact = self.rolled(), "sum(attempts), groupBitmapMerge(sources) FROM truth"
        both(
            "months", ["month"], store.ask(self.engine, "months", span, "JSONEachRow"), "attempts", "sources",
            f"SELECT formatDateTime(month, '%Y-%m'), {exact} GROUP BY month",
        )  # fmt: skip
        both(
            "ports", ["protocol", "port"], store.ask(self.engine, "ports", {**span, "limit": 50}, "JSONEachRow"),
            "attempts", "sources", f"SELECT protocol, port, {exact} GROUP BY protocol, port",
        )  # fmt: skip
        both(
            "ports by month", ["month", "protocol", "port"],
            store.ask(self.engine, "ports_by_month", {**span, "limit": 50}, "JSONEachRow"), "attempts", "sources",
            f"SELECT formatDateTime(month, '%Y-%m'), protocol, port, {exact} GROUP BY month, protocol, port",
        )  # fmt: skip
        both(
            "countries of TCP 23", ["country"],
            store.ask(self.engine, "countries", {**span, "protocol": 6, "port": 23, "limit": 100}, "JSONEachRow"),
            "attempts", "sources", f"SELECT country, {exact} WHERE protocol = 6 AND port = 23 GROUP BY country",
        )  # fmt: skip
        errors.sort()
        return len(errors), errors[-1]


def measure(engine, question, parameters):
    """Seconds (the better of two), rows and bytes read."""
    best = None
    for _ in range(2):
        begin = time.monotonic()
        answer = json.loads(store.ask(engine, question, parameters, "JSON"))
        seconds = time.monotonic() - begin
        if best is None or seconds < best[0]:
            best = seconds, answer["statistics"]["rows_read"], answer["rows"]
    return best


def questions(fleet):
    span = fleet.rolled()
    month = {"from": str(fleet.days[-30]) if len(fleet.days) >= 30 else span["from"], "to": span["to"]}
    week = {"from": str(fleet.days[-7]) if len(fleet.days) >= 7 else span["from"], "to": span["to"]}
    source = fleet.engine.query("SELECT address FROM source_day ORDER BY routers DESC, address LIMIT 1").strip()
    return [
        ("months", span, True), ("ports", span, True), ("ports_by_month", span, True), ("trend", span, True),
        ("trend", {**span, "protocol": 6, "port": 23}, True), ("busy", month, True), ("countries", span, True),
        ("countries", {**span, "protocol": 6, "port": 23}, True), ("hours", span, True), ("anomalies", span, True),
        ("shared_sources", {**week, "routers": 20}, False), ("shared_list", {**week, "routers": 20}, False),
        ("silent", week, False), ("routers", month, False), ("router", {**span, "router": 7}, False),
        ("source", {**month, "source": source}, False), ("sources", {**week, "protocol": 6, "port": 23}, False),
    ]  # fmt: skip


def run(engine, routers, days, pairs, by_batches):
    fleet = Fleet(engine, routers, days, pairs)
    print(f"\n== {routers} routers, {days} days, {routers * days * pairs:,} pairs ({pairs:,} a router-day)", flush=True)
    loading = 0.0
    for number, day in enumerate(fleet.days):
        fleet.note_truth(day)
        if number >= days - by_batches:
            seconds, size = fleet.load_by_batches(day)
            print(
                f"batches of {day}: {size / routers:,.0f} bytes each over the network; unpacked, checked and stored "
                f"{fleet.rows / seconds:,.0f} rows a CPU second", flush=True,
            )  # fmt: skip
        else:
            begin = time.process_time()
            fleet.load(day)
            loading += time.process_time() - begin
        if number % 30 == 29:
            print(f"{day} ...", flush=True)
    if days > by_batches:
        print(f"into the inbox: {fleet.rows * (days - by_batches) / loading:,.0f} rows a CPU second (made in the same statement)")
    begin, seconds = time.monotonic(), time.process_time()
    store.rollup(engine)
    begin, seconds = time.monotonic() - begin, time.process_time() - seconds
    print(f"roll-ups: {begin / days:.2f} s and {seconds / days:.2f} CPU seconds a day")
    print(f"memory so far: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.1f} GB at most")
    count, (worst, title, names, said, true) = fleet.compare()
    print(f"{count} figures compared: attempts exact; different sources within {worst:.2%} ({title} {' '.join(names)}: "
          f"{said:,} of {true:,})")  # fmt: skip
    sizes = fleet.bytes()
    for name, size in sizes.items():
        print(f"  {name:16}{size:16,} bytes{size / routers / days:12,.0f} for each router and day")
    daily = sizes["pairs"] / routers / days
    print(f"a router's day takes {daily:,.0f} bytes of pairs, {sum(sizes.values()) / routers / days:,.0f} of all", flush=True)
    if worst > 0.02:
        sys.exit("different sources are off by more than 2 %")
    if routers >= 1000 and daily > 12_000:
        sys.exit("a router's day takes more than 12 KB")
    return fleet


def main():
    parser = argparse.ArgumentParser(prog="fleet/bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--routers", default="100,1000", help="sizes of fleets (default: %(default)s)")
    parser.add_argument("--days", type=int, default=182)
    parser.add_argument("--pairs", type=int, default=2700, help="rows of a router's day (default: %(default)s)")
    parser.add_argument("--by-batches", type=int, default=1, help="how many days go through files as routers send them")
    parser.add_argument("--place", help="a directory for the engine, kept; default: a temporary one")
    options = parser.parse_args()
    place = options.place or tempfile.mkdtemp(prefix="fwstat-fleet-bench-")
    os.makedirs(place, exist_ok=True)
    try:
        engine = Embedded(place)
        print("ClickHouse", engine.query("SELECT version()").strip(), "by chdb,", os.cpu_count(), "cores")
        fleets = [run(engine, int(size), options.days, options.pairs, options.by_batches) for size in options.routers.split(",")]
        report(fleets)
        engine.close()
    finally:
        if not options.place:
            shutil.rmtree(place)


def report(fleets):
    """Each question's time by size of the fleet; those of the roll-ups read no more rows for more routers."""
    print("\n" + f"{'question':16}" + "".join(f"{fleet.routers:>9} routers: s   rows read" for fleet in fleets))
    table = []
    for fleet in fleets:
        fleet.use()
        table.append([(name, of_rollups, measure(fleet.engine, name, asked)) for name, asked, of_rollups in questions(fleet)])
    for column in zip(*table):
        name, of_rollups, _ = column[0]
        cells = "".join(f"{seconds:20.3f}{rows:12,}" for _, _, (seconds, rows, _) in column)
        print(f"{name:16}{cells}" + ("   roll-ups" if of_rollups else ""))
        smallest, largest = column[0][2][1], column[-1][2][1]
        # The engine reads in steps of 8,192 rows.
        if of_rollups and largest > 2 * smallest + 50_000:
            sys.exit(f"{name} reads {largest / smallest:.1f} times as many rows for {fleets[-1].routers} routers")


if __name__ == "__main__":
    main()
