"""The dashboards, alerts and the Prometheus collector: every panel's SQL runs, every metric exists."""

import json
import pathlib
import re
import subprocess
import tempfile
import unittest

from fwstat_fleet import made_up, store
from fwstat_fleet.batch import check
from support import FLEET, ROOT, EngineTest

GRAFANA, PROMETHEUS = FLEET / "grafana", FLEET / "prometheus"


def panels(name):
    board = json.loads((GRAFANA / name).read_text())
    return [panel for panel in board["panels"] if panel["type"] != "row"]


class Files(unittest.TestCase):
    def test_they_are_what_the_questions_make_of_them(self):
        before = {path: path.read_text() for path in GRAFANA.glob("*.json")}
        self.assertEqual(len(before), 3)
        try:
            subprocess.run([GRAFANA / "make"], check=True)
            for path, text in before.items():
                self.assertEqual(path.read_text(), text, f"{path.name}: run fleet/grafana/make")
        finally:
            for path, text in before.items():
                path.write_text(text)

    def test_a_dashboard_is_laid_out_and_its_variables_exist(self):
        for name in ("clickhouse.json", "prometheus.json"):
            board = json.loads((GRAFANA / name).read_text())
            self.assertEqual(len({panel["id"] for panel in board["panels"]}), len(board["panels"]))
            cells = set()
            for panel in board["panels"]:
                place = panel["gridPos"]
                own = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
                self.assertFalse(own & cells, panel["title"])
                self.assertLessEqual(place["x"] + place["w"], 24)
                cells |= own
            known = {variable["name"] for variable in board["templating"]["list"]}
            used = set(re.findall(r"\$\{?([a-z]\w*)", json.dumps(board["panels"])))
            self.assertEqual(used - known, set())
            self.assertEqual(known - used, set())


class Sql(EngineTest):
    VARIABLES = {
        "class": "attempt", "protocol": "6", "port": "23", "source": made_up.address(0), "routers": "2", "router": "3",
    }  # fmt: skip

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.fleet = made_up.Fleet(9, 30)
        rows = []
        for router, _, _, data in cls.fleet.batches():
            rows += check(data, router)
        store.insert(cls.engine, rows)
        cls.engine.query(
            "INSERT INTO routers (router, name, site, enrolled) SELECT number + 1, 'r', 's', now() FROM numbers(10)"
        )
        store.rollup(cls.engine)

    def setUp(self):
        pass

    def grafana(self, text):
        """The SQL as the data source sends it."""
        first, last = self.fleet.days[0], self.fleet.days[-1]
        for macro, day in (("$__fromTime", first), ("$__toTime", last)):
            text = text.replace(macro, f"toDateTime(toUnixTimestamp(toDateTime('{day} 12:00:00', 'UTC')))")
        for name, value in self.VARIABLES.items():
            text = text.replace(f"${{{name}:sqlstring}}", f"'{value}'")
            text = re.sub(rf"\${name}\b", value, text)
        self.assertNotIn("$", text)
        return text

    def test_every_panel_has_rows(self):
        found = panels("clickhouse.json")
        self.assertEqual(len(found), 17)
        for panel in found:
            with self.subTest(panel["title"]):
                for target in panel["targets"]:
                    rows = json.loads(self.engine.query(self.grafana(target["rawSql"]), form="JSON"))
                    self.assertTrue(rows["data"])
                    names = [column["name"] for column in rows["meta"]]
                    if target["queryType"] == "timeseries":
                        self.assertEqual((names[0], rows["meta"][0]["type"][:8]), ("time", "DateTime"))
                    text = json.dumps(panel)
                    for field in re.findall(r'"(?:columnField|rowField|valueField|xField|lookup|field)": "(\w+)"', text):
                        self.assertIn(field, names)

    def test_a_hostile_variable_stays_a_text(self):
        for panel in panels("clickhouse.json"):
            for target in panel["targets"]:
                for name in ("class", "source"):
                    self.assertNotRegex(target["rawSql"], rf"\$\{{?{name}(?!:sqlstring)")

    def test_every_alert_counts_rows(self):
        (group,) = json.loads((GRAFANA / "alerts.json").read_text())["groups"]
        counts = {}
        for rule in group["rules"]:
            text = self.grafana(rule["data"][0]["model"]["rawSql"])
            counts[rule["uid"]] = int(json.loads(self.engine.query(text, form="JSON"))["data"][0]["rows"])
        self.assertEqual(counts["fwstat-silent"], 1, "router 10 sends nothing")
        self.assertGreater(counts["fwstat-egress"], 0)
        self.assertEqual(set(counts), {f"fwstat-{name}" for name in ("silent", "incomplete", "egress", "anomaly", "logins")})


class Metrics(unittest.TestCase):
    def expressions(self):
        for panel in panels("prometheus.json"):
            for target in panel["targets"]:
                yield target["expr"].replace("$instance", ".+")

    def test_every_metric_is_exported(self):
        (exporter,) = (ROOT / "src").rglob("prometheus.rs")
        source = exporter.read_text().split("#[cfg(test)]")[0]
        exported = set(re.findall(r'"(fwstat_\w+)"', source))
        used = set()
        for text in [*self.expressions(), (PROMETHEUS / "alerts.yml").read_text(), (GRAFANA / "prometheus.json").read_text()]:
            used |= set(re.findall(r"\bfwstat_\w+", text))
        self.assertGreater(len(used), 10)
        self.assertEqual(used - exported, set())

    def test_every_expression_is_promql(self):
        rules = [{"record": f"panel:{place}", "expr": text} for place, text in enumerate(self.expressions())]
        with tempfile.TemporaryDirectory() as place:
            path = pathlib.Path(place, "panels.yml")
            path.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
            for name in (path, PROMETHEUS / "alerts.yml"):
                done = subprocess.run(["promtool", "check", "rules", name], capture_output=True, text=True)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_alerts_fire_when_they_should_and_no_others(self):
        done = subprocess.run(
            ["promtool", "test", "rules", ROOT / "tests/fleet/alerts_test.yml"], capture_output=True, text=True
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
