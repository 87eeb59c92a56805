"""The collector for prometheus-node-exporter-lua under Lua 5.1, called as the exporter calls it."""

import pathlib
import subprocess
import tempfile
import unittest

from support import ROOT

PACKAGE = ROOT / "openwrt/prometheus-node-exporter-lua-fwstat"
EXPORTED = """# HELP fwstat_events_today Events of the local day by class.
# TYPE fwstat_events_today gauge
fwstat_events_today{class="attempt"} 12
# HELP fwstat_service_attempts_today The most tried services of the local day.
# TYPE fwstat_service_attempts_today gauge
fwstat_service_attempts_today{class="attempt",protocol="tcp",port="23",name="Tel\\"net\\\\"} 7
# HELP fwstat_uptime_seconds Since the daemon started.
# TYPE fwstat_uptime_seconds gauge
fwstat_uptime_seconds 3600
"""
# What the exporter does: a global `output`, the module by its name, `scrape` in a protected call.
EXPORTER = """
package.path = arg[1] .. "/usr/lib/lua/?.lua"
output = print
local popen = io.popen
io.popen = function(command)
  assert(command:find("^/usr/bin/fwstat export %-%-format prometheus"), command)
  return popen("cat " .. arg[2])
end
local collector = require("prometheus-collectors.fwstat")
local good, message = pcall(collector.scrape)
if not good then io.stderr:write(message) end
os.exit(good and 0 or 1)
"""


class Collector(unittest.TestCase):
    def scrape(self, exported):
        with tempfile.TemporaryDirectory() as place:
            place = pathlib.Path(place)
            subprocess.run([PACKAGE / "assemble", place / "root"], check=True)
            (place / "exporter.lua").write_text(EXPORTER)
            (place / "exported").write_text(exported)
            return subprocess.run(
                ["lua5.1", place / "exporter.lua", place / "root", place / "exported"], capture_output=True, text=True
            )

    def test_it_passes_on_what_fwstat_exports(self):
        done = self.scrape(EXPORTED)
        self.assertEqual((done.returncode, done.stdout), (0, EXPORTED))
        checked = subprocess.run(["promtool", "check", "metrics"], input=done.stdout, capture_output=True, text=True)
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)

    def test_it_passes_on_nothing_else(self):
        done = self.scrape(EXPORTED + "fwstat: a warning\nnode_load1 99\n# TYPE node_load1 gauge\n# a comment\n")
        self.assertEqual((done.returncode, done.stdout), (0, EXPORTED))

    def test_it_fails_where_the_daemon_gives_nothing(self):
        done = self.scrape("")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("its daemon does not run", done.stderr)


if __name__ == "__main__":
    unittest.main()
