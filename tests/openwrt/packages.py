#!/usr/bin/env python3
"""The packages of `openwrt/build ARCH`: their bytes, and what they do to a router's root directory.

  tests/openwrt/packages.py target/openwrt/ARCH [unittest's arguments]

As root; needs busybox, nft, openssl and signify-openbsd.
"""

import base64
import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT / "openwrt" / "tools")]

import feed  # noqa: E402
import ipk  # noqa: E402
from router import Router, members  # noqa: E402

FOLDER = Path(sys.argv[1] if len(sys.argv) > 1 else "").absolute()
RULE = 'counter log prefix "reject wan in: " group 32 snaplen 128 queue-threshold 40 comment "fwstat wan"\n'


def package(name):
    """The package's file."""
    (found,) = FOLDER.glob(f"{name}_*.ipk")
    return found


class Bytes(unittest.TestCase):
    maxDiff = None

    def test_the_files_are_those_of_the_readme(self):
        readme = (ROOT / "openwrt/README.md").read_text()
        listed = {}
        for name, text in re.findall(r"^### (\S+)\n\n```\n(.*?)```", readme, re.S | re.M):
            listed[name] = text.split("\n")[:-1]
        inside = {}
        for path in FOLDER.glob("*.ipk"):
            data = members(members(path.read_bytes())["data.tar.gz"][1])
            lines = [f"{entry.mode & 0o777:o} /{name}" for name, (entry, content) in data.items() if content is not None]
            inside[path.name.split("_")[0]] = sorted(lines, key=lambda line: line.split()[1])
        self.assertEqual({name: listed.get(name) for name in inside}, inside)

    def test_the_same_input_gives_the_same_bytes(self):
        for folder, fields in ((path.parent, fields) for path in sorted((ROOT / "openwrt").glob("*/control"))
                               for fields in ipk.paragraphs(path)):  # fmt: skip
            built = package(fields["Package"]).read_bytes()
            with tempfile.TemporaryDirectory() as place:
                program = Path(place) / "program"
                data = members(members(built)["data.tar.gz"][1])
                program.write_bytes(data.get("usr/bin/fwstat", (None, b""))[1])
                tree = Path(place) / "tree"
                before = os.umask(0o077)
                ipk.assemble(folder, fields, tree, {"FWSTAT_BINARY": str(program)})
                os.umask(before)
                version, architecture = package(fields["Package"]).stem.split("_", 2)[1:]
                again = ipk.make(folder, fields, tree, version, architecture, ipk.source_epoch(ROOT))
            self.assertEqual(again[0], package(fields["Package"]).name)
            self.assertTrue(again[2] == built, fields["Package"])

    def test_everything_belongs_to_root_and_nothing_is_open_to_others(self):
        for path in FOLDER.glob("*.ipk"):
            outer = members(path.read_bytes())
            self.assertEqual(list(outer), ["debian-binary", "data.tar.gz", "control.tar.gz"])
            self.assertEqual(outer["debian-binary"][1], b"2.0\n")
            for part in ("data.tar.gz", "control.tar.gz"):
                for name, (entry, _) in members(outer[part][1]).items():
                    self.assertEqual((entry.uid, entry.gid, entry.uname, entry.gname), (0, 0, "", ""), name)
                    if not entry.issym():
                        self.assertEqual(entry.mode & 0o022, 0, name)

    def test_the_folder_is_a_feed(self):
        index = (FOLDER / "Packages").read_text()
        self.assertEqual(gzip.decompress((FOLDER / "Packages.gz").read_bytes()).decode(), index)
        entries = re.split(r"(?m)^(?=Package: )", index)[1:]
        self.assertEqual(len(entries), len(list(FOLDER.glob("*.ipk"))))
        for entry in entries:
            field = dict(re.findall(r"(?m)^([A-Za-z0-9-]+): (.*)$", entry))
            content = (FOLDER / field["Filename"]).read_bytes()
            self.assertEqual(int(field["Size"]), len(content))
            self.assertEqual(field["SHA256sum"], hashlib.sha256(content).hexdigest())
            control = members(members(content)["control.tar.gz"][1])["control"][1].decode()
            for line in control.splitlines():
                self.assertIn(line, entry)
        subprocess.run(["sha256sum", "--quiet", "-c", "sha256sums"], cwd=FOLDER, check=True)

    def test_a_key_signs_the_index_as_usign_does(self):
        with tempfile.TemporaryDirectory() as place:
            line = ["signify-openbsd", "-G", "-n", "-p", f"{place}/key.pub", "-s", f"{place}/key.sec"]
            subprocess.run(line, check=True)
            copy = Path(place) / "feed"
            shutil.copytree(FOLDER, copy)
            controls = {path.name: "Package: x\nDescription: x\n" for path in copy.glob("*.ipk")}
            feed.write(copy, controls, f"{place}/key.sec")
            line = ["signify-openbsd", "-V", "-q", "-p", f"{place}/key.pub", "-x", f"{copy}/Packages.sig", "-m"]
            subprocess.run([*line, f"{copy}/Packages"], check=True)
            (copy / "Packages").write_text("another\n")
            self.assertNotEqual(subprocess.run([*line, f"{copy}/Packages"], capture_output=True).returncode, 0)
            # One bit of the key wrong, or no key at all: a sentence, no signature.
            head, text = Path(f"{place}/key.sec").read_text().splitlines()
            bad = bytearray(base64.b64decode(text))
            bad[50] ^= 1
            for content in (f"{head}\n{base64.b64encode(bad).decode()}\n", "", "x\n=\n", f"{head}\nRWQ=\n"):
                Path(f"{place}/bad").write_text(content)
                with self.assertRaisesRegex(feed.BuildError, "key"):
                    feed.sign(Path(f"{place}/bad"), b"")


class Feed(unittest.TestCase):
    """openwrt/fwstat/Makefile, as far as it can be read without the SDK."""

    maxDiff = None

    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.place = Path(place.name)

    def make(self, *words):
        line = ["make", "-s", "-C", ROOT / "openwrt/fwstat", f"TOPDIR={HERE}/sdk", f"BUILD={self.place}/build"]
        line += [f"DEST={self.place}/dest", *words]
        return subprocess.run(line, check=True, capture_output=True, text=True).stdout

    def test_its_fields_are_those_of_the_package(self):
        fields = dict(line.split(" ", 1) for line in self.make("fields").splitlines())
        (ours,) = ipk.paragraphs(ROOT / "openwrt/fwstat/control")
        depends = {word.lstrip("+") for word in fields["depends"].split() if word.startswith("+")}
        self.assertEqual(depends, set(ours["Depends"].split(", ")) - {"libc"})
        self.assertEqual(fields["version"], package("fwstat").name.split("_")[1])
        self.assertEqual(fields["title"] + ".", ours["Description"].splitlines()[0])
        self.assertEqual((fields["section"], fields["user"]), (ours["Section"], ours["Require-User"]))
        self.assertEqual(fields["conffiles"], (ROOT / "openwrt/fwstat/conffiles").read_text().strip())

    def test_it_installs_the_same_files_and_scripts(self):
        (self.place / "build/installed/bin").mkdir(parents=True)
        (self.place / "build/installed/bin/fwstat").write_text("program")
        (self.place / "dest").mkdir()
        self.make("install", "scripts")
        for name in ("postinst", "prerm"):
            script = self.place / "dest" / name
            self.assertEqual(script.read_text(), (ROOT / "openwrt/fwstat" / name).read_text())
            script.unlink()
        data = members(members(package("fwstat").read_bytes())["data.tar.gz"][1])
        self.assertEqual(ipk.files(self.place / "dest"), sorted(name.rstrip("/") for name in data if name != "."))

    def test_it_takes_all_that_the_program_is_made_of(self):
        self.make("prepare")
        line = ["cargo", "metadata", "--locked", "--offline", "--no-deps", "--format-version", "1"]
        done = subprocess.run(line, cwd=self.place / "build/source", capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)


@unittest.skipIf(os.geteuid() != 0, "chroot and network namespaces need root")
class Installed(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.place = tempfile.TemporaryDirectory()
        self.router = Router(self.place.name)
        self.addCleanup(self.place.cleanup)
        self.addCleanup(self.router.close)

    def start_firewall(self):
        self.router.run("/sbin/fw4", "-q", "start")

    def ruleset(self):
        return self.router.run("/usr/sbin/nft", "-n", "list", "ruleset")

    def reloads(self):
        calls = (self.router.place / "tmp/fw4")
        return calls.read_text().split().count("reload") if calls.exists() else 0

    def service(self, word, **options):
        return self.router.run("/bin/sh", "/etc/rc.common", "/etc/init.d/fwstat", word, **options)

    def option(self, text):
        """Sets it at the end of the section main: the last one counts."""
        config = self.router.place / "etc/config/fwstat"
        config.write_text(config.read_text().replace("\nconfig guard", f"\t{text}\n\nconfig guard"))

    def test_the_page_is_there_for_who_is_logged_in(self):
        service, cache = self.router.place / "etc/init.d/rpcd", self.router.place / "tmp/luci-indexcache.12ab.json"
        service.write_text('#!/bin/sh\necho "$1" >> /tmp/rpcd\n')
        service.chmod(0o755)
        cache.write_text("{}")
        (self.router.place / "tmp/luci-modulecache").mkdir()
        self.router.install(package("luci-app-fwstat"))
        self.assertEqual(self.router.read("/tmp/rpcd"), "reload\n")
        self.assertEqual(list((self.router.place / "tmp").glob("luci-*")), [])

    def test_installing_counts_and_uninstalling_leaves_the_tree_as_it_was(self):
        self.start_firewall()
        before = self.router.tree()
        self.router.install(package("fwstat"))
        self.assertEqual(self.ruleset().count('comment "fwstat wan"'), 2)
        self.assertEqual(self.router.read("/var/run/fwstat/rules/input_wan.nft"), RULE)
        self.assertIn("S18fwstat", os.listdir(self.router.place / "etc/rc.d"))
        self.assertFalse((self.router.place / "etc/uci-defaults/80-fwstat").exists())
        self.assertEqual(self.reloads(), 1)
        self.router.remove("fwstat")
        self.assertNotIn("fwstat", self.ruleset())
        after = self.router.tree()
        left = {name for name in after if before.get(name, b"-") != after[name]}
        # The configuration, the data, the service's user; what is in RAM goes with the next boot.
        self.assertEqual(
            {name for name in left if not name.startswith("tmp/run/fwstat")},
            {"etc/config/fwstat", "etc/passwd", "etc/group"},
        )
        self.assertEqual(set(before) - set(after), set())
        self.assertFalse((self.router.place / "tmp/run/fwstat/rules").exists())

    def test_twice_in_a_row_changes_nothing_more(self):
        self.start_firewall()
        self.router.install(package("fwstat"))
        first, rules, told = self.router.tree(), self.ruleset(), self.router.read("/tmp/procd")
        self.router.install(package("fwstat"))
        for word in ("start", "reload", "restart", "boot"):
            self.service(word)
        after = self.router.tree()
        # uci-defaults came again and went again.
        self.assertEqual({name for name in after if after[name] != first.get(name, b"-")}, set())
        self.assertEqual(self.ruleset(), rules)
        self.assertEqual(self.router.read("/tmp/procd"), told)
        self.assertEqual(self.reloads(), 1)
        self.router.remove("fwstat")
        self.router.run("/bin/sh", "-c", ". /lib/functions.sh; config_load firewall")

    def test_an_upgrade_keeps_configuration_and_sections(self):
        self.start_firewall()
        self.router.install(package("fwstat"))
        self.option("option nflog_group '7'")
        config, firewall = self.router.read("/etc/config/fwstat"), self.router.read("/etc/config/firewall")
        self.router.remove("fwstat", upgrade=True)
        self.router.install(package("fwstat"), upgrade=True)
        self.assertEqual(self.router.read("/etc/config/fwstat"), config)
        self.assertEqual(self.router.read("/etc/config/firewall"), firewall)
        self.assertIn("log group 7 ", self.ruleset().replace('prefix "reject wan in: " ', ""))

    def test_at_boot_the_firewall_starts_with_and_without_our_files(self):
        self.router.install(package("fwstat"))
        self.assertEqual(self.reloads(), 0, "no firewall runs: nothing to reload")
        shutil.rmtree(self.router.place / "tmp/run/fwstat")
        self.assertIn("skipping /var/run/fwstat/rules/input_wan.nft", self.router.run("/sbin/fw4", "-q", "start"))
        self.assertNotIn("fwstat", self.ruleset())
        self.service("boot")
        self.assertEqual(self.ruleset().count('comment "fwstat wan"'), 2)

    def test_what_is_bad_in_the_configuration_never_reaches_the_firewall(self):
        self.start_firewall()
        self.router.install(package("fwstat"))
        bad = [
            "list zone 'wan; drop'",
            "list zone '../../etc'",
            "list zone '$(touch /tmp/owned)'",
            "list zone 'nowhere'",
            "option nflog_group '1;flush ruleset'",
            "option nflog_group '99999'",
            "option database '/etc/../root $(touch /tmp/owned)'",
        ]
        for text in bad:
            self.option(text)
        rules = sorted(os.listdir(self.router.place / "tmp/run/fwstat/rules"))
        self.service("reload")
        self.assertEqual(sorted(os.listdir(self.router.place / "tmp/run/fwstat/rules")), rules)
        self.assertEqual(self.ruleset().count('comment "fwstat wan"'), 2)
        self.assertFalse((self.router.place / "tmp/owned").exists())
        said = self.router.read("/tmp/log")
        for sentence in ("zone 'wan; drop' is not a plain name", "the firewall has no zone 'nowhere'",
                         "nflog_group is not a number from 0 to 65535", "is not a plain path"):  # fmt: skip
            self.assertIn(sentence, said)

    def test_zones_that_accept_get_no_rule_and_other_zones_go(self):
        self.start_firewall()
        self.router.install(package("fwstat"))
        self.option("list zone 'lan'")
        config = self.router.place / "etc/config/fwstat"
        config.write_text(config.read_text().replace("list zone 'wan'", "list zone 'lan'"))
        self.service("reload")
        self.assertNotIn("fwstat", self.ruleset())
        self.assertNotIn("fwstat", self.router.read("/etc/config/firewall"))
        self.assertEqual(self.reloads(), 2)

    def test_a_kernel_without_nflog_counts_without_it(self):
        self.start_firewall()
        nft = self.router.place / "usr/sbin/nft"
        nft.rename(nft.with_name("nft.real"))
        # As the kernel answers without nfnetlink_log.
        nft.write_text('#!/bin/sh\n[ "$1" != -c ] || ! grep -qs "log prefix" /var/run/fwstat/rules.new/*.nft || exit 1\n'
                       'exec /usr/sbin/nft.real "$@"\n')  # fmt: skip
        nft.chmod(0o755)
        self.router.install(package("fwstat"))
        self.assertEqual(self.router.read("/var/run/fwstat/rules/input_wan.nft"), 'counter comment "fwstat wan"\n')
        self.assertIn("opkg install kmod-nfnetlink-log", self.router.read("/tmp/log"))

    def test_a_broken_nft_leaves_the_firewall_alone(self):
        self.start_firewall()
        before = self.ruleset()
        nft = self.router.place / "usr/sbin/nft"
        content = nft.read_bytes()
        nft.write_text("#!/bin/sh\nexit 1\n")
        self.router.install(package("fwstat"))
        self.assertEqual(os.listdir(self.router.place / "tmp/run/fwstat/rules"), [])
        self.assertNotIn("fwstat", self.router.read("/etc/config/firewall"))
        nft.write_bytes(content)
        self.assertEqual(self.ruleset(), before)

    def test_the_users_lines_of_the_firewall_stay_whatever_uci_made_of_ours(self):
        firewall = self.router.place / "etc/config/firewall"
        mine = firewall.read_text() + "\n\n\nconfig include 'mine'\n\toption path '/etc/mine'\n\n# the end"
        firewall.write_text(mine)
        self.router.install(package("fwstat"))
        # A user's section came behind ours, and ours were written anew.
        text = firewall.read_text().replace("config include 'fwstat_input_wan'", "config include fwstat_input_wan")
        firewall.write_text(text + "\nconfig rule\n\toption name 'later'\n")
        self.router.remove("fwstat")
        self.assertEqual(firewall.read_text(), mine + "\n\nconfig rule\n\toption name 'later'\n")
        self.assertEqual(firewall.stat().st_mode & 0o777, 0o600)

    def test_disabled_means_no_rules_and_no_service(self):
        self.start_firewall()
        self.router.install(package("fwstat"))
        self.assertIn("set_param command /usr/bin/fwstat daemon", self.router.read("/tmp/procd"))
        config = self.router.place / "etc/config/fwstat"
        config.write_text(config.read_text().replace("option enabled '1'", "option enabled 'no'"))
        self.service("reload")
        self.assertNotIn("set_param", self.router.read("/tmp/procd"))
        self.assertNotIn("fwstat", self.ruleset())

    def test_stop_takes_the_rules_and_restart_does_not(self):
        self.start_firewall()
        self.router.install(package("fwstat"))
        self.service("restart")
        self.assertEqual(self.reloads(), 1)
        # What a daemon leaves that was killed.
        self.router.run("/usr/sbin/nft", "add table inet fwstat")
        self.service("restart")
        self.assertIn("table inet fwstat", self.ruleset())
        self.service("stop")
        self.assertEqual(self.reloads(), 2)
        self.assertNotIn("fwstat", self.ruleset())

    def test_with_ujail_the_service_has_one_capability_and_its_own_user(self):
        (self.router.place / "sbin/ujail").write_text("#!/bin/sh\n")
        (self.router.place / "sbin/ujail").chmod(0o755)
        self.router.install(package("fwstat"))
        told = self.router.read("/tmp/procd").splitlines()
        for line in ("set_param user fwstat", "set_param capabilities /etc/capabilities/fwstat.json",
                     "set_param no_new_privs 1", "add_jail fwstat ubus procfs ronly", "set_param reload_signal HUP",
                     "add_jail_mount_rw /var/run/fwstat/state /etc/fwstat",
                     "add_reload_trigger fwstat firewall system network dhcp uhttpd", "add_reload_interface_trigger wan"):  # fmt: skip
            self.assertIn(line, told)
        owners = {name: (self.router.place / name).stat().st_uid for name in
                  ("etc/fwstat", "tmp/run/fwstat", "tmp/run/fwstat/state", "tmp/run/fwstat/config",
                   "tmp/run/fwstat/rules")}  # fmt: skip
        self.assertEqual([name for name, owner in owners.items() if owner], ["etc/fwstat", "tmp/run/fwstat/state"])
        copies = self.router.place / "tmp/run/fwstat/config"
        self.assertEqual((copies / "fwstat").read_bytes(), (self.router.place / "etc/config/fwstat").read_bytes())
        self.assertEqual((copies / "fwstat").stat().st_mode & 0o777, 0o640)
        network = (copies / "network").read_text()
        self.assertIn("list dns '192.0.2.53'", network)
        self.assertNotIn("secret", network)

    def test_a_folder_with_other_files_stays_roots(self):
        other = self.router.place / "srv"
        other.mkdir()
        (other / "letter").write_text("mine")
        self.router.install(package("fwstat"))
        config = self.router.place / "etc/config/fwstat"
        config.write_text(config.read_text().replace("/etc/fwstat'", "/srv'"))
        self.service("reload")
        self.assertEqual((other.stat().st_uid, (other / "letter").stat().st_uid), (0, 0))
        self.assertIn("/srv holds files of others (letter)", self.router.read("/tmp/log"))

    def test_links_in_the_services_folders_lead_nowhere(self):
        self.router.install(package("fwstat"))
        secret = self.router.place / "etc/shadow"
        secret.write_text("secret")
        (self.router.place / "etc/fwstat/2026-01.fws").symlink_to("/etc/shadow")
        (self.router.place / "tmp/run/fwstat/state/clock-set").symlink_to("/etc/made")
        self.service("reload")
        environment = {"ACTION": "stratum"}
        self.router.run("/bin/sh", "/etc/hotplug.d/ntp/60-fwstat", environment=environment, check=False)
        self.assertEqual(secret.stat().st_uid, 0)
        self.assertFalse((self.router.place / "etc/made").exists())

    def test_ntp_tells_that_the_clock_is_set(self):
        self.router.install(package("fwstat"))
        told = self.router.place / "tmp/run/fwstat/state/clock-set"
        self.router.run("/bin/sh", "/etc/hotplug.d/ntp/60-fwstat", environment={"ACTION": "unsync"})
        self.assertFalse(told.exists())
        for _ in range(2):
            self.router.run("/bin/sh", "/etc/hotplug.d/ntp/60-fwstat", environment={"ACTION": "stratum"})
        self.assertTrue(told.exists())

    def test_sysupgrade_commits_before_it_lists_what_to_keep(self):
        self.router.install(package("fwstat"))
        program = self.router.place / "usr/bin/fwstat"
        program.write_text("#!/bin/sh\necho \"$*\" >> /tmp/asked\nexit 1\n")
        script = "sysupgrade_init_conffiles=list_them; list_them() { echo list >> /tmp/asked; }; set -e\n"
        script += ". /lib/upgrade/fwstat.sh; for hook in $sysupgrade_init_conffiles; do $hook /tmp/list; done"
        self.router.run("/bin/sh", "-c", script)
        self.assertEqual(self.router.read("/tmp/asked"), "commit\nlist\n")
        self.assertEqual(self.router.read("/lib/upgrade/keep.d/fwstat"), "/etc/fwstat/\n")

    def test_missing_sections_are_added_once(self):
        (self.router.place / "etc/config/fwstat").write_text("config fwstat 'main'\n\toption enabled '0'\n")
        self.router.install(package("fwstat"))
        self.router.install(package("fwstat"))
        text = self.router.read("/etc/config/fwstat")
        self.assertEqual((text.count("config fwstat 'main'"), text.count("config guard 'guard'")), (1, 1))


if __name__ == "__main__":
    if not FOLDER.is_dir():
        sys.exit(__doc__.strip())
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
