"""Every question of fleet/queries against plain sums over a made-up fleet of 12 routers and 70 days."""

import unittest
from collections import defaultdict
from statistics import median_low

from fwstat_fleet import made_up, store
from fwstat_fleet.batch import check
from fwstat_fleet.made_up import address
from support import EngineTest, Truth, day_line, sent_of


class Questions(EngineTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.fleet = made_up.Fleet(12, 70)
        cls.truth = Truth(cls.fleet)
        rows = []
        for router, _, _, data in cls.fleet.batches():
            rows += check(data, router)
        store.insert(cls.engine, rows)
        cls.engine.query(
            "INSERT INTO routers (router, name, site, enrolled) "
            "SELECT number + 1, concat('r', toString(number + 1)), 'Berlin', now() FROM numbers(13)"
        )
        store.rollup(cls.engine)
        cls.days = cls.fleet.days
        cls.span = {"from": str(cls.days[0]), "to": str(cls.days[-1])}
        cls.last = cls.days[-30:]
        cls.recent = {"from": str(cls.last[0]), "to": str(cls.last[-1])}
        cls.asked = set()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()

    def setUp(self):
        pass

    def ask(self, question, **parameters):
        self.asked.add(question)
        return super().ask(question, **parameters)

    def distinct(self, said, truth):
        """Different sources are estimates: within 2 % or, of few, within one."""
        self.assertLessEqual(abs(int(said) - len(truth)), max(1, 0.02 * len(truth)))

    def union(self, days, *key, of=None):
        found = set()
        for day in days:
            found |= (of or self.truth.sources)[day, *key]
        return found

    def services(self, days, name="attempt"):
        found = defaultdict(int)
        for (day, *key), count in self.truth.service.items():
            if day in set(days) and len(key) == 3 and key[0] == name:
                found[key[1], key[2]] += count
        return found

    def heaviest(self, days, limit):
        found = self.services(days)
        return sorted(found, key=lambda service: (-found[service], service))[:limit]

    def test_months(self):
        answer = self.ask("months", **self.span)
        months = sorted({str(day)[:7] for day in self.days})
        self.assertEqual([row["month"] for row in answer], months)
        for row in answer:
            days = [day for day in self.days if str(day)[:7] == row["month"]]
            attempts = sum(self.truth.attempts[day, "attempt"] for day in days)
            self.assertEqual((row["days"], int(row["attempts"])), (len(days), attempts))
            self.assertEqual(row["attempts_per_router_day"], round(attempts / len(days) / 12, 1))
            self.assertIsNone(row["year_over_year"])
            self.distinct(row["sources"], self.union(days, "attempt"))

    def test_months_against_the_year_before(self):
        day, before = self.days[-1], self.days[-1].replace(year=self.days[-1].year - 1)
        lines = [
            day_line(str(before), attempts=int(self.truth.attempts[day, "attempt"]) * 2, sent=sent_of(str(before))),
        ]
        try:
            self.take(1, *lines)
            store.rollup(self.engine)
            (row,) = self.ask("months", **{"from": str(day), "to": str(day)})
            month = [other for other in self.days if str(other)[:7] == str(day)[:7]]
            rate = sum(self.truth.attempts[other, "attempt"] for other in month) / len(month) / 12
            self.assertAlmostEqual(row["year_over_year"], rate / lines[0]["attempts"], delta=0.0006)
        finally:
            for table in ("router_day", "service_day", "rollups"):
                self.engine.query(f"DELETE FROM {table} WHERE day = {{day:Date}}", {"day": str(before)})

    def test_ports(self):
        answer = self.ask("ports", limit=10, **self.recent)
        truth, earlier = self.services(self.last), self.services(self.days[-60:-30])
        order = self.heaviest(self.last, 10)
        self.assertEqual([(row["protocol"], row["port"]) for row in answer], order)
        whole = sum(self.truth.attempts[day, "attempt"] for day in self.last)
        for row, service in zip(answer, order):
            self.assertEqual(int(row["attempts"]), truth[service])
            self.assertEqual(row["share"], round(truth[service] / whole, 4))
            self.distinct(row["sources"], self.union(self.last, "attempt", *service))
            self.assertAlmostEqual(row["change"], truth[service] / earlier[service], delta=0.0006)
            self.assertEqual(row["routers"], max(len(self.truth.routers[day, "attempt", *service]) for day in self.last))

    def test_ports_by_month(self):
        answer = self.ask("ports_by_month", limit=5, **self.span)
        heaviest = set(self.heaviest(self.days, 5))
        self.assertEqual({(row["protocol"], row["port"]) for row in answer}, heaviest)
        for row in answer:
            days = [day for day in self.days if str(day)[:7] == row["month"]]
            service = row["protocol"], row["port"]
            self.assertEqual(int(row["attempts"]), self.services(days)[service])
            self.distinct(row["sources"], self.union(days, "attempt", *service))

    def test_trend(self):
        for service in ((-1, 0), (6, 23)):
            answer = self.ask("trend", protocol=service[0], port=service[1], **self.recent)
            self.assertEqual([row["day"] for row in answer], [str(day) for day in self.last])
            for row, day in zip(answer, self.last):
                key = (day, "attempt") if service[0] < 0 else (day, "attempt", *service)
                attempts = self.truth.attempts[key] if service[0] < 0 else self.truth.service[key]
                self.assertEqual((int(row["attempts"]), row["routers"]), (attempts, len(self.truth.routers[key])))
                self.distinct(row["sources"], self.truth.sources[key])

    def test_busy(self):
        answer = self.ask("busy", min=500, limit=100, **self.recent)
        said = {(row["day"], row["protocol"], row["port"]): int(row["attempts"]) for row in answer}
        truth = {}
        for day in self.last:
            for service, count in self.services([day]).items():
                if count >= 500:
                    truth[str(day), *service] = count
        self.assertEqual(said, truth)

    def test_countries(self):
        for service in ((-1, 0), (6, 23)):
            key = ("attempt",) if service[0] < 0 else ("attempt", *service)
            answer = self.ask("countries", protocol=service[0], port=service[1], limit=50, **self.recent)
            truth = defaultdict(int)
            for (day, *place), count in self.truth.country.items():
                if day in set(self.last) and tuple(place[:-1]) == key:
                    truth[place[-1] or "-"] += count
            self.assertEqual({row["country"]: int(row["attempts"]) for row in answer}, dict(truth))
            for row in answer:
                self.assertEqual(row["share"], round(truth[row["country"]] / sum(truth.values()), 4))
                code = "" if row["country"] == "-" else row["country"]
                self.distinct(row["sources"], self.union(self.last, *key, code, of=self.truth.country_sources))

    def test_hours(self):
        answer = self.ask("hours", **self.recent)
        truth = defaultdict(int)
        for day in self.last:
            for router in self.fleet.routers:
                for line in self.fleet.lines(router, day):
                    if line["kind"] == "day" and line["class"] == "attempt":
                        for hour, count in enumerate(line["hours"]):
                            truth[day.isoweekday(), hour] += count
        self.assertEqual({(row["weekday"], row["hour"]): int(row["attempts"]) for row in answer}, dict(truth))

    def test_logins(self):
        for row in self.ask("logins", **self.span):
            days = [day for day in self.days if str(day)[:7] == row["month"]]
            self.assertEqual(int(row["failed_logins"]), sum(self.truth.attempts[day, "login"] for day in days))
            self.distinct(row["sources"], self.union(days, "login"))

    def test_anomalies(self):
        answer = self.ask("anomalies", **self.span)
        flood = self.fleet.days[-1 - made_up.FLOOD_BEFORE]
        self.assertEqual([(row["day"], row["protocol"], row["port"]) for row in answer], [(str(flood), 17, 1900)])
        rates = [self.truth.service[day, "attempt", 17, 1900] / 12 for day in self.days]
        rates = [rate for rate in rates if rate]
        self.assertEqual(int(answer[0]["attempts"]), self.truth.service[flood, "attempt", 17, 1900])
        middle = {median_low(rates), sorted(rates)[len(rates) // 2]}
        self.assertIn(int(answer[0]["expected"]), {round(rate * 12) for rate in middle})

    def by_source(self, days, name="attempt", service=None):
        found = defaultdict(lambda: [0, set(), set()])
        for (day, router), events in self.truth.events.items():
            if day in set(days):
                for (kind, protocol, port, source), count in events.items():
                    if kind == name and service in (None, (protocol, port)):
                        row = found[address(source)]
                        row[0] += count
                        row[1].add(router)
                        row[2].add((protocol, port))
        return found

    def test_sources(self):
        for service in (None, (6, 23)):
            protocol, port = service or (-1, 0)
            answer = self.ask("sources", protocol=protocol, port=port, min=40, limit=1000, **self.recent)
            truth = self.by_source(self.last, service=service)
            said = {row["address"]: [int(row["attempts"]), row["routers"], row["services"]] for row in answer}
            for row in said.values():
                row[1:] = [int(value) for value in row[1:]]
            self.assertEqual(
                said,
                {name: [row[0], len(row[1]), len(row[2])] for name, row in truth.items() if row[0] >= 40},
            )

    def test_source(self):
        for number in (0, 9):
            answer = self.ask("source", source=address(number), **self.recent)
            truth = defaultdict(int)
            for (day, router), events in self.truth.events.items():
                if day in set(self.last):
                    for (kind, _, _, source), count in events.items():
                        if kind == "attempt" and source == number:
                            truth[router] += count
            self.assertEqual({row["router"]: int(row["attempts"]) for row in answer}, dict(truth))
            self.assertTrue(truth)
            self.assertEqual({row["name"] for row in answer}, {f"r{router}" for router in truth})
        with self.assertRaisesRegex(ValueError, "needs --source"):
            self.ask("source")

    def test_shared_sources_and_the_list_for_routers(self):
        answer = self.ask("shared_sources", routers=4, limit=10_000, **self.recent)
        routers = defaultdict(dict)  # source: {day: routers by any protocol}
        for (day, router), events in self.truth.events.items():
            if day in set(self.last):
                for kind, _, _, source in events:
                    if kind == "attempt":
                        routers[source].setdefault(day, set()).add(router)
        truth = {}
        for source, days in routers.items():
            counts = [len(seen) for seen in days.values() if len(seen) >= 4]
            if counts:
                truth[address(source)] = (len(counts), max(counts))
        said = {row["address"]: (int(row["days"]), row["most_routers_a_day"]) for row in answer}
        self.assertEqual(said, truth)

        week = self.days[-7:]
        answer = self.ask("shared_list", routers=2, days=3, limit=10_000, **{"from": str(week[0]), "to": str(week[-1])})
        truth = {}
        for source in {source for day, source in self.truth.on if day in week}:
            counts = [len(self.truth.on[day, source]) for day in week if len(self.truth.on[day, source]) >= 2]
            if len(counts) >= 3:
                truth[address(source)] = (max(counts), len(counts))
        self.assertEqual({row["address"]: (row["most_routers_a_day"], int(row["days"])) for row in answer}, truth)
        self.assertGreater(len(truth), 10)
        ranks = [row["most_routers_a_day"] for row in answer]
        self.assertEqual(ranks, sorted(ranks, reverse=True))
        text = store.shared_list(self.engine, 2, 3, 10_000).splitlines()
        head = text[0].split()
        self.assertEqual((head[:2], head[3], text[-1]), (["fwstat-shared", "1"], str(len(truth)), "end"))
        self.assertEqual([line.split()[0] for line in text[1:-1]], [row["address"] for row in answer])

    def test_silent(self):
        answer = {row["router"]: row for row in self.ask("silent", limit=100, **self.recent)}
        self.assertEqual((int(answer[13]["silent_days"]), answer[13]["last_day"]), (30, None))
        for router in self.fleet.routers:
            incomplete = sum(1 for day in self.last if self.fleet.incomplete(router, day))
            if incomplete:
                self.assertEqual(int(answer[router]["incomplete_days"]), incomplete)
                self.assertEqual(int(answer[router]["silent_days"]), 0)
            else:
                self.assertNotIn(router, answer)

    def test_egress(self):
        answer = self.ask("egress", min=1, **self.recent)
        truth = defaultdict(int)
        for (day, router), events in self.truth.events.items():
            if day in set(self.last):
                for (kind, protocol, port, _), count in events.items():
                    if kind == "egress":
                        truth[router, protocol, port] += count
        self.assertEqual({(row["router"], row["protocol"], row["port"]): int(row["attempts"]) for row in answer}, dict(truth))
        self.assertTrue(truth)

    def test_routers_and_one_router(self):
        answer = self.ask("routers", limit=100, **self.recent)
        truth = {}
        for router in self.fleet.routers:
            own = [sum(count for key, count in self.truth.events[day, router].items() if key[0] == "attempt") for day in self.last]
            truth[router] = sum(own) + sum(self.fleet.incomplete(router, day) for day in self.last)
        self.assertEqual({row["router"]: int(row["attempts"]) for row in answer}, truth)
        answer = self.ask("router", router=3, limit=1000, **self.recent)
        truth = defaultdict(int)
        for day in self.last:
            for (kind, protocol, port, _), count in self.truth.events[day, 3].items():
                if kind == "attempt":
                    truth[protocol, port] += count
        self.assertEqual({(row["protocol"], row["port"]): int(row["attempts"]) for row in answer}, dict(truth))

    def test_z_every_question_was_asked_and_describes_itself(self):
        self.assertEqual(self.asked, set(store.questions()))
        for name, text in store.questions().items():
            self.assertTrue(20 < len(text) < 140 and "\n" not in text, f"{name}: {text}")


class SharedListOfHostileBatches(EngineTest):
    def test_what_is_no_public_address_never_gets_into_the_list(self):
        hostile = [
            "0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "169.254.1.1", "172.16.0.1", "192.168.1.1", "198.18.0.1",
            "224.0.0.1", "255.255.255.255", "192.0.2.1", "::", "::1", "::ffff:10.0.0.1", "fe80::1", "fd00::1", "ff02::1",
            "100::1234", "2001:db8::1", "2002:a00::1", "64:ff9b::a00:1",
        ]  # fmt: skip
        good = ["20.1.2.3", "2a00::5"]
        from support import ago, pair_line

        for back in range(1, 5):
            for router in (1, 2, 3):
                pairs = [pair_line(ago(back), source=source) for source in hostile + good]
                # What one router makes up, however much, and what is easily forged.
                pairs.append(pair_line(ago(back), source="20.9.9.9", attempts=10**9 + router if router == 1 else 1, protocol=17))
                if router == 1:
                    pairs.append(pair_line(ago(back), source="20.8.8.8", attempts=10**12))
                self.take(router, day_line(ago(back)), *pairs)
        store.rollup(self.engine)
        said = [line.split() for line in store.shared_list(self.engine, 2, 3, 4096).splitlines()]
        self.assertEqual(said[0][3], "2")
        self.assertEqual(said[1:], [["20.1.2.3", "3", "4"], ["2a00::5", "3", "4"], ["end"]])

    def test_an_empty_fleet_has_an_empty_list_and_answers(self):
        self.assertEqual(store.shared_list(self.engine, 2, 3, 10).split()[3:], ["0", "end"])
        for question in store.questions():
            self.assertEqual(self.ask(question, source="20.1.2.3", router=1), [], question)


if __name__ == "__main__":
    unittest.main()
