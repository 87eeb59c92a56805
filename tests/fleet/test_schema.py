"""The tables: what they refuse, and every way in which such tables are known to give wrong figures."""

import re
import unittest
from concurrent.futures import ThreadPoolExecutor

from fwstat_fleet import store
from fwstat_fleet.batch import check
from fwstat_fleet.engine import statements
from support import FLEET, EngineTest, ago, day_line, ndjson, pair_line, sent_of

YESTERDAY = ago(1)
VIOLATED_CONSTRAINT = 469
# Who writes to the table without fwstat-fleet reads the batch as JSON and takes the router from elsewhere. (A server
# reads what is posted by input(), to which chdb gives nothing; the reader and the constraints are the same.)
DIRECT = (
    "INSERT INTO inbox SELECT {router} AS router, * FROM format(JSONEachRow, 'kind String, format String, day String, "
    "sent String, class String, protocol String, port String, source String, country String, attempts String, "
    "sources String, complete String, lost String, offset String, version String, hours Array(String), "
    "registers Array(String)', $batch${batch}$batch$) SETTINGS input_format_json_read_numbers_as_strings = 1"
)

REFUSED = [
    ("router_is_known", {"router": 0}),
    ("kind_is_known", {"kind": "hour"}),
    ("format_is_1", {"format": 2}),
    ("day_is_a_date", {"day": "2026-13-01"}),
    ("day_is_a_date", {"day": "2026-1-1"}),
    ("day_is_a_date", {"day": 20000}),
    ("day_is_a_date", {"day": None}),
    ("day_is_recent", {"day": ago(402), "sent": sent_of(ago(402))}),
    ("day_is_recent", {"day": ago(-3), "sent": sent_of(ago(-3))}),
    ("sent_is_a_time", {"sent": 10**10}),
    ("sent_is_a_time", {"sent": sent_of(YESTERDAY) - 86_400}),
    ("sent_is_a_time", {"sent": sent_of(ago(-4))}),
    ("sent_is_a_time", {"sent": None}),
    ("class_is_known", {"class": "attack"}),
    ("attempts_is_a_count", {"attempts": -1}),
    ("attempts_is_a_count", {"attempts": 1.5}),
    ("attempts_is_a_count", {"attempts": 18446744073709551639}),
    ("attempts_is_a_count", {"attempts": None}),
    ("protocol_fits", {"protocol": 256}),
    ("protocol_fits", {"protocol": 262}),  # 6 in eight bits
    ("protocol_fits", {"protocol": None}),
    ("port_fits", {"port": 65536}),
    ("port_fits", {"port": 65559}),  # 23 in sixteen bits
    ("port_fits", {"port": 4294967319}),  # 23 in 32 bits
    ("port_fits", {"port": 18446744073709551639}),  # 23 in 64 bits
    ("port_fits", {"port": True}),
    ("port_fits", {"port": None}),
    ("source_is_an_address", {"source": "203.0.113"}),
    ("source_is_an_address", {"source": ""}),
    ("source_is_an_address", {"source": "203.0.113.5/24"}),
    ("country_has_two_letters", {"country": "USA"}),
    ("country_has_two_letters", {"country": "us"}),
]
REFUSED_DAY = [
    ("sources_is_a_count", {"sources": None}),
    ("complete_is_0_or_1", {"complete": 2}),
    ("lost_is_a_count", {"lost": -1}),
    ("offset_is_minutes", {"offset": 901}),
    ("offset_is_minutes", {"offset": "x"}),
    ("version_is_plain", {"version": "<b>"}),
    ("version_is_plain", {"version": "v" * 33}),
    ("hours_are_24_counts", {"hours": [1, 2, 3]}),
    ("hours_are_24_counts", {"hours": [-1] * 24}),
    ("registers_fit", {"registers": [65536]}),
]


class Constraints(EngineTest):
    def direct(self, *lines, router=7):
        return DIRECT.replace("{router}", str(router)).replace("{batch}", ndjson(*lines).decode())

    def test_every_constraint_refuses_and_the_rest_of_the_batch_stays_out(self):
        named = set(re.findall(r"CONSTRAINT (\w+)", (FLEET / "schema.sql").read_text()))
        cases = [(name, pair_line(YESTERDAY), change) for name, change in REFUSED]
        cases += [(name, day_line(YESTERDAY), change) for name, change in REFUSED_DAY]
        self.assertEqual(named, {name for name, _, _ in cases}, "a constraint without a case, or a case without one")
        for name, line, change in cases:
            with self.subTest(name, change=change):
                router = change.get("router", 7)
                bad = {**line, **change}
                bad.pop("router", None)
                error = self.refuses(
                    self.direct(day_line(YESTERDAY), pair_line(YESTERDAY), bad, router=router), VIOLATED_CONSTRAINT
                )
                self.assertIn(f"`{name}`", error)
        for table in ("pairs", "router_day", "router_service"):
            self.assertEqual(self.one(f"SELECT toInt32(count()) FROM {table}"), 0, table)

    def test_a_good_batch_arrives_whole_and_its_router_is_not_the_body_s(self):
        self.engine.query(self.direct(day_line(YESTERDAY, router=99), pair_line(YESTERDAY, router=99, new_key={"a": [1]})))
        self.assertEqual(
            self.rows("SELECT router, address, protocol, port, toInt32(attempts), country FROM pairs"),
            [[7, "203.0.113.5", 6, 23, 5, "US"]],
        )
        self.assertEqual(
            self.rows("SELECT router, toInt32(attempts), complete, offset, toInt32(hours[24]) FROM router_day"),
            [[7, 10, 1, 540, 10]],
        )

    def test_the_largest_batch_is_one_block(self):
        lines = [day_line(YESTERDAY)]
        lines += [pair_line(YESTERDAY, source=f"20.{n >> 16}.{n >> 8 & 255}.{n & 255}") for n in range(200_000)]
        rows = check(ndjson(*lines), 7, most_bytes=1 << 30, most_lines=1 << 20)
        rows[-1] = rows[-1][:7] + (99999,) + rows[-1][8:]
        with self.assertRaisesRegex(Exception, "port_fits"):
            store.insert(self.engine, rows)
        self.assertEqual(self.one("SELECT toInt32(count()) FROM pairs"), 0)
        self.assertEqual(self.one("SELECT toInt32(count()) FROM router_day"), 0)

    def test_running_the_schema_again_keeps_what_is_there(self):
        self.take(7, day_line(YESTERDAY), pair_line(YESTERDAY))
        store.init(self.engine)
        self.assertEqual(self.one("SELECT toInt32(count()) FROM pairs"), 1)


class Traps(EngineTest):
    def total(self, day=YESTERDAY, question="ports"):
        answer = self.ask(question, **{"from": day, "to": day})
        return {(row["protocol"], row["port"]): (int(row["attempts"]), int(row["sources"])) for row in answer}

    def merge(self):
        for table in ("pairs", "router_day", "router_service", "service_day", "country_day", "source_day"):
            self.engine.query(f"OPTIMIZE TABLE {table} FINAL")

    def test_the_same_source_on_two_days_is_counted_on_both(self):
        # FINAL merges equal keys of different partitions, which `day` in the key prevents.
        for back in (1, 2):
            self.take(7, day_line(ago(back)), pair_line(ago(back), attempts=back))
        query = "SELECT toString(day), toInt32(attempts) FROM current_pairs(from = {from:Date}, to = {to:Date}) ORDER BY day"
        self.assertEqual(self.rows(query, **{"from": ago(2), "to": ago(1)}), [[ago(2), 2], [ago(1), 1]])
        self.merge()
        self.assertEqual(self.rows(query, **{"from": ago(2), "to": ago(1)}), [[ago(2), 2], [ago(1), 1]])

    def test_queries_at_the_same_time_keep_their_parameters(self):
        with ThreadPoolExecutor(4) as pool:
            found = pool.map(lambda number: self.one("SELECT {number:Int32}", number=number), range(400))
            self.assertEqual(list(found), list(range(400)))

    def test_a_batch_sent_again_and_a_roll_up_made_again_double_nothing(self):
        lines = day_line(YESTERDAY), pair_line(YESTERDAY), pair_line(YESTERDAY, source="2001:db8::1", attempts=5)
        seen = []
        for _ in range(3):
            self.take(7, *lines)
            made, expired = store.rollup(self.engine)
            self.assertEqual((made, expired), (1, []))
            seen.append((self.total(), self.ask("countries", **{"from": YESTERDAY, "to": YESTERDAY})))
            self.merge()
        self.assertEqual(seen[0][0], {(6, 23): (10, 2)})
        self.assertEqual(seen[0], seen[1])
        self.assertEqual(seen[0], seen[2])
        self.assertEqual(store.rollup(self.engine), (0, []), "nothing has arrived since")

    def test_numbers_that_would_wrap_are_refused_by_the_check_and_by_the_table(self):
        # 4294967319 read as 32 bits is port 23; the table's case is among the constraints above.
        with self.assertRaisesRegex(Exception, "'port' is not a whole number from 0 to 65535"):
            check(ndjson(day_line(YESTERDAY), pair_line(YESTERDAY, port=4294967319)), 7)

    def test_an_old_day_that_is_imported_is_not_expired_at_once(self):
        self.take(7, day_line(ago(395)), pair_line(ago(395)))
        self.merge()
        self.assertEqual(self.one("SELECT toInt32(count()) FROM pairs"), 1)
        store.rollup(self.engine)
        self.merge()
        self.assertEqual(self.total(ago(395)), {(6, 23): (5, 1)})

    def test_pairs_expire_90_days_after_their_arrival(self):
        self.take(7, day_line(YESTERDAY), pair_line(YESTERDAY))
        self.engine.query("ALTER TABLE pairs UPDATE arrived = today() - 91 WHERE 1 SETTINGS mutations_sync = 2")
        self.merge()
        self.assertEqual(self.one("SELECT toInt32(count()) FROM pairs"), 0)

    def test_a_day_whose_pairs_have_expired_is_not_made_anew_from_what_is_left(self):
        self.take(7, day_line(ago(100)), pair_line(ago(100), attempts=1000))
        store.rollup(self.engine)
        before = self.total(ago(100))
        self.engine.query("TRUNCATE TABLE pairs")
        self.engine.query("ALTER TABLE router_day UPDATE arrived = now() - INTERVAL 91 DAY WHERE 1 SETTINGS mutations_sync = 2")
        self.take(8, day_line(ago(100)), pair_line(ago(100), attempts=1))
        self.assertEqual(store.rollup(self.engine), (0, [ago(100)]))
        self.assertEqual(self.total(ago(100)), before)
        self.assertEqual(before, {(6, 23): (1000, 1)})

    def live(self, interval):
        self.engine.query(f"ALTER TABLE pairs MODIFY TTL arrived + INTERVAL {interval}")

    def test_how_long_pairs_live_is_what_their_table_says(self):
        self.addCleanup(self.live, "90 DAY")
        for days, arrived, expired in ((90, "89 DAY - INTERVAL 1 HOUR", True), (90, "88 DAY", False), (30, "30 DAY", True),
                                       (30, "28 DAY", False), (200, "100 DAY", False)):  # fmt: skip
            with self.subTest(days, arrived=arrived):
                self.setUp()
                self.live(f"{days} DAY")
                self.take(7, day_line(ago(100)), pair_line(ago(100)))
                self.engine.query(f"ALTER TABLE router_day UPDATE arrived = now() - INTERVAL {arrived} WHERE 1 SETTINGS mutations_sync = 2")
                self.take(8, day_line(ago(100)), pair_line(ago(100)))
                self.assertEqual(store.rollup(self.engine), (0, [ago(100)]) if expired else (1, []))
                self.assertEqual(store.forget(self.engine, 8), (1, [ago(100)] if expired else []))
        self.live("3 MONTH")
        for act in (lambda: store.rollup(self.engine), lambda: store.forget(self.engine, 7)):
            with self.assertRaisesRegex(ValueError, "TTL arrived"):
                act()
        self.assertEqual(self.rows("SELECT DISTINCT router FROM pairs"), [[7]], "nothing is deleted before")

    def test_states_need_the_exact_argument_type(self):
        head = "INSERT INTO service_day SELECT 'attempt', 6, 23, today(), now64(6), 1, 1, "
        for state in ("uniqCombinedState(16)(toIPv4('192.0.2.1'))", "uniqCombinedState(17)(toIPv6('192.0.2.1'))"):
            with self.subTest(state):
                self.refuses(f"{head}{state}, [], []", 70)
        self.engine.query(f"{head}uniqCombinedState(16)(toIPv6('192.0.2.1')), [], []")

    def test_a_correction_with_fewer_rows_leaves_nothing_of_the_first_batch(self):
        first = day_line(YESTERDAY, attempts=10), pair_line(YESTERDAY), pair_line(YESTERDAY, port=2323)
        login = day_line(YESTERDAY, **{"class": "login"}), pair_line(YESTERDAY, **{"class": "login", "port": 22})
        self.take(7, *first, *login)
        store.rollup(self.engine)
        self.assertEqual(set(self.total()), {(6, 23), (6, 2323)})
        later = sent_of(YESTERDAY, 60)
        self.take(7, day_line(YESTERDAY, attempts=4, sent=later), pair_line(YESTERDAY, attempts=4, sent=later))
        # The first batch again, late: its answer was lost.
        self.take(7, *first, *login)
        store.rollup(self.engine)
        for _ in range(2):
            self.assertEqual(self.total(), {(6, 23): (4, 1)})
            months = self.ask("months", **{"from": YESTERDAY, "to": YESTERDAY})
            self.assertEqual([int(row["attempts"]) for row in months], [4])
            self.assertEqual(self.ask("logins", **{"from": YESTERDAY, "to": YESTERDAY}), [])
            router = self.ask("router", router=7, **{"from": YESTERDAY, "to": YESTERDAY})
            self.assertEqual([(row["port"], int(row["attempts"])) for row in router], [(23, 4)])
            self.merge()

    def test_a_roll_up_that_fails_half_way_is_made_anew_by_the_next(self):
        self.take(7, day_line(YESTERDAY), pair_line(YESTERDAY), pair_line(YESTERDAY, port=2323))
        store.rollup(self.engine)
        before = self.total()
        later = sent_of(YESTERDAY, 60)
        self.take(7, day_line(YESTERDAY, attempts=4, sent=later), pair_line(YESTERDAY, attempts=4, sent=later))
        parts = statements((FLEET / "rollup.sql").read_text())
        made = self.engine.query("SELECT now64(6, 'UTC')").strip()
        for part in parts[:3]:
            self.engine.query(part, {"from": YESTERDAY, "to": YESTERDAY, "made": made})
        for _ in range(2):
            # What was made shows at once; a service that the correction has no more stays until the end.
            self.assertEqual(self.total(), {**before, (6, 23): (4, 1)})
            countries = self.ask("countries", **{"from": YESTERDAY, "to": YESTERDAY})
            self.assertEqual([int(row["attempts"]) for row in countries], [10])
            self.merge()
        self.assertEqual(store.rollup(self.engine), (1, []))
        self.assertEqual(self.total(), {(6, 23): (4, 1)})
        countries = self.ask("countries", **{"from": YESTERDAY, "to": YESTERDAY})
        self.assertEqual([int(row["attempts"]) for row in countries], [4])

    def test_a_router_that_is_forgotten_leaves_nothing_but_what_cannot_be_made_anew(self):
        for back in (1, 2, 100):
            self.take(7, day_line(ago(back)), pair_line(ago(back), attempts=1000))
        self.take(8, day_line(YESTERDAY), pair_line(YESTERDAY, port=22))
        store.rollup(self.engine)
        self.engine.query(
            f"ALTER TABLE router_day UPDATE arrived = now() - INTERVAL 91 DAY WHERE day = '{ago(100)}' SETTINGS mutations_sync = 2"
        )
        self.assertEqual(store.forget(self.engine, 7), (3, [ago(100)]))
        for _ in range(2):
            self.assertEqual(self.total(), {(6, 22): (5, 1)})
            self.assertEqual(self.total(ago(2)), {})
            self.assertEqual(self.total(ago(100)), {(6, 23): (1000, 1)})
            for table in ("pairs", "router_day", "router_service"):
                self.assertEqual(self.rows(f"SELECT DISTINCT router FROM {table}"), [[8]], table)
            self.merge()
        self.assertEqual(store.rollup(self.engine), (0, []))

    def test_losses_of_a_day_are_counted_once_for_all_its_classes(self):
        self.engine.query("INSERT INTO routers (router, name, site, enrolled) VALUES (7, 'r', 's', now())")
        for back, lost in ((1, 3), (2, 4)):
            login = {"class": "login", "lost": lost, "complete": 0}
            self.take(7, day_line(ago(back), lost=lost), pair_line(ago(back)), day_line(ago(back), **login))
        (row,) = self.ask("silent", **{"from": ago(2), "to": YESTERDAY})
        self.assertEqual((int(row["lost"]), int(row["incomplete_days"]), int(row["silent_days"])), (7, 2, 0))
        self.assertEqual((row["last_day"], row["version"]), (YESTERDAY, "0.2.0"))

    def test_routers_that_send_no_addresses_are_counted_by_registers(self):
        # Two routers with one register each in common and 300 of their own.
        def service(shift):
            places = [0] + list(range(1 + shift, 301 + shift))
            return {
                **pair_line(YESTERDAY), "kind": "service", "sources": 301, "registers": [place * 64 + 1 for place in places],
            }  # fmt: skip

        for router, shift in ((7, 0), (8, 300)):
            line = service(shift)
            del line["source"], line["country"]
            self.take(router, day_line(YESTERDAY, attempts=5, sources=301), line)
        self.take(9, day_line(YESTERDAY, attempts=5), pair_line(YESTERDAY))
        store.rollup(self.engine)
        (row,) = self.ask("ports", **{"from": YESTERDAY, "to": YESTERDAY})
        self.assertEqual((int(row["attempts"]), int(row["sources"]), row["routers"]), (15, 1, 3))
        # 601 of 1,024 registers: 1024 * ln(1024 / 423).
        self.assertEqual(int(row["sources_of_registers"]), 905)

    def test_what_is_answered_with_is_on_disk(self):
        for table in ("pairs", "router_day", "router_service", "service_day", "country_day", "source_day"):
            made = self.one(f"SHOW CREATE TABLE {table}")
            self.assertIn("fsync_after_insert = 1", made)


if __name__ == "__main__":
    unittest.main()
