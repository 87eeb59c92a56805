"""What the tests share: an empty embedded engine, batches of any lines, sums over a made-up fleet."""

import json
import pathlib
import shutil
import tempfile
import time
import unittest
from collections import defaultdict
from datetime import datetime, timedelta, timezone

from fwstat_fleet import store
from fwstat_fleet.batch import check
from fwstat_fleet.engine import Embedded, EngineError

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FLEET = ROOT / "fleet"
NOW = int(time.time())
TODAY = datetime.fromtimestamp(NOW, timezone.utc).date()


TABLES = (
    "pairs", "router_day", "router_service", "rollups", "service_day", "country_day", "source_day", "routers",
)  # fmt: skip


def ago(days):
    return str(TODAY - timedelta(days=days))


def sent_of(day, more=0):
    """A `sent` that fits a day in the past."""
    return int(datetime.fromisoformat(day).replace(tzinfo=timezone.utc).timestamp()) + 54_000 + more


def day_line(day, /, **values):
    return {
        "format": 1, "kind": "day", "day": day, "sent": sent_of(day), "class": "attempt", "attempts": 10, "sources": 2,
        "complete": 1, "lost": 0, "offset": 540, "version": "0.2.0", "hours": [0] * 23 + [10], **values,
    }  # fmt: skip


def pair_line(day, /, **values):
    return {
        "format": 1, "kind": "pair", "day": day, "sent": sent_of(day), "class": "attempt", "protocol": 6, "port": 23,
        "source": "203.0.113.5", "country": "US", "attempts": 5, **values,
    }  # fmt: skip


def ndjson(*lines):
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


class EngineTest(unittest.TestCase):
    """One engine for the tests of a class, empty before each of them."""

    @classmethod
    def setUpClass(cls):
        cls.place = tempfile.mkdtemp(prefix="fwstat-fleet-")
        cls.engine = Embedded(cls.place)
        store.init(cls.engine)

    @classmethod
    def tearDownClass(cls):
        cls.engine.close()
        shutil.rmtree(cls.place)

    def setUp(self):
        for table in TABLES:
            self.engine.query(f"TRUNCATE TABLE {table}")

    def take(self, router, *lines):
        store.insert(self.engine, check(ndjson(*lines), router))

    def rows(self, sql, **parameters):
        return json_rows(self.engine.query(sql, parameters, "JSONCompactEachRow"))

    def one(self, sql, **parameters):
        return self.rows(sql, **parameters)[0][0]

    def ask(self, question, **parameters):
        return json_objects(store.ask(self.engine, question, parameters, "JSONEachRow"))

    def refuses(self, sql, code, **parameters):
        with self.assertRaises(EngineError) as caught:
            self.engine.query(sql, parameters)
        self.assertEqual(caught.exception.code, code, caught.exception)
        return str(caught.exception)


def json_rows(text):
    return [json.loads(line, parse_float=float) for line in text.splitlines()]


json_objects = json_rows


def whole(value):
    """A number that the engine writes as text because it has 64 bits."""
    return int(value)


class Truth:
    """Sums over what a made-up fleet is made of, by plain dictionaries and sets."""

    def __init__(self, fleet):
        self.attempts = defaultdict(int)  # (day, class): the routers' totals
        self.service = defaultdict(int)  # (day, class, protocol, port)
        self.sources = defaultdict(set)  # the same key; and (day, class)
        self.routers = defaultdict(set)
        self.country = defaultdict(int)  # (day, class, protocol, port, country)
        self.country_sources = defaultdict(set)
        self.on = defaultdict(set)  # (day, source): routers that saw it by TCP
        self.events = {}
        from fwstat_fleet.made_up import country

        for day in fleet.days:
            for router in fleet.routers:
                events = self.events[day, router] = fleet.events(router, day)
                for (name, protocol, port, source), count in events.items():
                    for key in ((day, name), (day, name, protocol, port)):
                        self.service[key] += count
                        self.sources[key].add(source)
                        self.routers[key].add(router)
                        place = (*key, "" if name == "egress" else country(source))
                        self.country[place] += count
                        self.country_sources[place].add(source)
                    self.attempts[day, name] += count
                    if name == "attempt" and protocol == 6:
                        self.on[day, source].add(router)
                self.attempts[day, "attempt"] += fleet.incomplete(router, day)
