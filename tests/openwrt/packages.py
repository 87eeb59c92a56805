#!/usr/bin/env python3
"""The packages of `openwrt/build ARCH`: their bytes, and what they do to a router's root directory.

  tests/openwrt/packages.py target/openwrt/ARCH [unittest's arguments]

As root; needs busybox, nft, openssl and signify-openbsd.
"""

import base64
import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT / "openwrt" / "tools")]

import apk  # noqa: E402
import feed  # noqa: E402
import ipk  # noqa: E402
from router import Router, members  # noqa: E402

FOLDER = Path(sys.argv[1] if len(sys.argv) > 1 else "").absolute()
RULE = ('counter name "fwstat_zone_wan" log prefix "reject wan in: " group 32 snaplen 128 queue-threshold 40 '
        'comment "fwstat wan"\n')  # fmt: skip
# What the init script makes of a firewall's configuration; tests/kernel/firewall.rs sends packets through it.
RULES = ROOT / "tests/data/firewall-rules.txt"


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
            if fields["Package"] == "fwstat-full":
                # Only built with --full.
                continue
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


class Apk(unittest.TestCase):
    """The same packages for apk; what apk itself writes only where it is found (APK=FILE)."""

    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.place = Path(place.name)

    def assembled(self):
        made = {path.name.split("_")[0] for path in FOLDER.glob("*.ipk")}
        for control in sorted((ROOT / "openwrt").glob("*/control")):
            for fields in ipk.paragraphs(control):
                if fields["Package"] in made:
                    tree = self.place / fields["Package"]
                    tree.mkdir()
                    data = members(members(package(fields["Package"]).read_bytes())["data.tar.gz"][1])
                    for name, (entry, content) in data.items():
                        if content is not None:
                            (tree / name).parent.mkdir(parents=True, exist_ok=True)
                            (tree / name).write_bytes(content)
                            (tree / name).chmod(entry.mode)
                    yield control.parent, fields, tree

    def test_lists_and_scripts_are_those_of_openwrts_own_packages(self):
        for folder, fields, tree in self.assembled():
            name = fields["Package"]
            files = [path for path in ipk.files(tree) if (tree / path).is_file()]
            apk.prepare(folder, fields, tree, 1_700_000_000)
            lists = tree / "lib/apk/packages"
            self.assertEqual((lists / f"{name}.list").read_text().split(), [f"/{path}" for path in files])
            self.assertEqual((lists / f"{name}.rusers").exists(), "Require-User" in fields)
            scripts = apk.scripts(folder, name)
            for script in scripts.values():
                self.assertTrue(script.startswith("#!/bin/sh\n"), name)
                self.assertEqual(script.count("#!"), 1)
                subprocess.run(["busybox", "ash", "-n"], input=script, text=True, check=True)
            self.assertIn("\nadd_group_and_user\ndefault_postinst\n", scripts["post-install"])
            self.assertIn("export PKG_UPGRADE=1\n", scripts["post-upgrade"])
            if name == "fwstat":
                self.assertEqual((lists / "fwstat.rusers").read_text(), fields["Require-User"] + "\n")
                self.assertEqual((lists / "fwstat.conffiles").read_text(), "/etc/config/fwstat\n")
                checksum = hashlib.sha256((tree / "etc/config/fwstat").read_bytes()).hexdigest()
                self.assertEqual((lists / "fwstat.conffiles_static").read_text(), f"/etc/config/fwstat {checksum}\n")
                self.assertIn("fwstat_includes_remove", scripts["pre-deinstall"])

    @unittest.skipIf(not shutil.which(os.environ.get("APK", "apk")), "no apk-tools 3 (APK=FILE)")
    def test_apk_installs_upgrades_and_removes_them(self):
        made = {}
        for folder, fields, tree in self.assembled():
            fields["Depends"] = ""
            for release in ("0.1.0-r1", "0.1.0-r2"):
                place = self.place / release
                place.mkdir(exist_ok=True)
                if fields["Package"] == "fwstat" and release.endswith("2"):
                    config = tree / "etc/config/fwstat"
                    config.write_text(config.read_text() + "# another default\n")
                made[fields["Package"], release] = apk.make(folder, fields, tree, release, "x86_64", 1_700_000_000, place)
        again = made["fwstat", "0.1.0-r2"].read_bytes()
        apk.index(self.place / "0.1.0-r2", [path for (_, release), path in made.items() if release.endswith("2")])
        self.assertTrue((self.place / "0.1.0-r2/packages.adb").exists())
        root = self.place / "root"
        (root / "etc/apk").mkdir(parents=True)
        (root / "etc/apk/arch").write_text("x86_64\n")

        def run(*words):
            line = [apk.tool(), "--root", root, "--allow-untrusted", "--no-scripts", "--no-network", *words]
            return subprocess.run(line, check=True, capture_output=True, text=True).stdout

        run("add", "--initdb", made["fwstat", "0.1.0-r1"])
        config = root / "etc/config/fwstat"
        config.write_text(config.read_text().replace("'32'", "'7'"))
        run("add", made["fwstat", "0.1.0-r2"])
        self.assertIn("'7'", config.read_text())
        self.assertIn("# another default", (root / "etc/config/fwstat.apk-new").read_text())
        run("del", "fwstat")
        self.assertFalse((root / "usr/bin/fwstat").exists())
        self.assertTrue(config.exists())
        # The same input gives the same bytes.
        for folder, fields, tree in ((folder, fields, tree) for folder, fields, tree in [
            (ROOT / "openwrt/fwstat", ipk.paragraphs(ROOT / "openwrt/fwstat/control")[0] | {"Depends": ""}, self.place / "fwstat"),
        ]):  # fmt: skip
            repeated = apk.make(folder, fields, tree, "0.1.0-r2", "x86_64", 1_700_000_000, self.place)
            self.assertTrue(repeated.read_bytes() == again)


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

    def test_the_full_package_takes_its_place(self):
        (ours,), (full,) = (ipk.paragraphs(ROOT / f"openwrt/{name}/control") for name in ("fwstat", "fwstat-full"))
        # apk installs a package that provides a version of another in its place, never beside it.
        self.assertEqual(apk.information(full, "0.1.0-r1", "x86_64", "fwstat-full")["provides"], "fwstat=0.1.0-r1")
        self.assertEqual((full.pop("Provides"), full.pop("Conflicts")), ("fwstat", "fwstat"))
        for fields in (ours, full):
            for name in ("Package", "Description"):
                del fields[name]
        self.assertEqual(full, ours)
        environment = {"FWSTAT_BINARY": "/bin/false", "FWSTAT_FULL_BINARY": "/bin/true"}
        trees = []
        for name in ("fwstat", "fwstat-full"):
            ipk.assemble(ROOT / "openwrt" / name, {}, self.place / name, environment)
            trees.append(ipk.files(self.place / name))
        self.assertEqual(*trees)
        self.assertEqual((self.place / "fwstat-full/usr/bin/fwstat").read_bytes(), Path("/bin/true").read_bytes())
        for name in ("conffiles", "postinst", "prerm"):
            read = {(ROOT / "openwrt" / folder / name).read_text() for folder in ("fwstat", "fwstat-full")}
            self.assertEqual(len(read), 1)

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
        included = [
            (source.parent / name).resolve()
            for source in (self.place / "build/source/src").rglob("*.rs")
            for name in re.findall(r'include_(?:str|bytes)!\("([^"]+)"', source.read_text())
        ]
        self.assertTrue(included)
        self.assertEqual([str(path) for path in included if not path.exists()], [])


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
        self.assertEqual(self.router.read("/var/run/fwstat/rules/append-input_wan.nft"), RULE)
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
            {"etc/config/fwstat", "etc/fwstat", "etc/passwd", "etc/group"},
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
        self.assertIn("skipping /var/run/fwstat/rules/append-input_wan.nft", self.router.run("/sbin/fw4", "-q", "start"))
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
            "option as_database '/mnt/my data/asn.mmdb'",
        ]
        for text in bad:
            self.option(text)
        rules = sorted(os.listdir(self.router.place / "tmp/run/fwstat/rules"))
        self.service("reload")
        self.assertEqual(sorted(os.listdir(self.router.place / "tmp/run/fwstat/rules")), rules)
        self.assertEqual(self.ruleset().count('comment "fwstat wan"'), 2)
        self.assertFalse((self.router.place / "tmp/owned").exists())
        said = self.router.read("/tmp/log")
        for sentence in ("zone 'wan;' is not a plain name", "the firewall has no zone 'nowhere'",
                         "nflog_group is not a number from 0 to 65535", "is not a plain path",
                         "the service cannot read as_database '/mnt/my data/asn.mmdb'"):  # fmt: skip
            self.assertIn(sentence, said)

    def test_zones_may_stand_in_an_option(self):
        self.start_firewall()
        self.router.install(package("fwstat"))
        config = self.router.place / "etc/config/fwstat"
        config.write_text(re.sub(r"\tlist zone .*\n", "", config.read_text()))
        self.option("option zone 'wan lan *'")
        with (self.router.place / "etc/config/firewall").open("a") as firewall:
            firewall.write("\nconfig zone\n\toption name 'guest'\n\toption input 'REJECT'\n")
        self.service("reload")
        self.assertIn("zone '*' is not a plain name", self.router.read("/tmp/log"))
        self.option("option zone 'guest'")
        self.service("reload")
        self.assertIn("counter fwstat_zone_guest", self.rules())
        self.assertNotIn("counter fwstat_zone_wan", self.rules())

    def test_a_full_ram_leaves_options_and_rules_as_they_are(self):
        self.start_firewall()
        self.router.install(package("fwstat"))
        run = self.router.place / "tmp/run/fwstat"
        shutil.rmtree(run)
        run.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", run], check=True)
        self.addCleanup(subprocess.run, ["umount", run], check=True)
        self.service("reload")
        state, ruleset = self.router.tree(), self.ruleset()
        self.option("option nflog_group '7'")
        filler = run / "filler"
        with self.assertRaises(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        self.service("reload")
        content = filler.stat().st_size
        filler.unlink()
        self.assertGreater(content, 500_000)
        after = self.router.tree()
        changed = {name for name in after if after[name] != state.get(name, b"-")}
        self.assertEqual(changed, {"etc/config/fwstat"})
        self.assertEqual(self.ruleset(), ruleset)
        said = self.router.read("/tmp/log")
        self.assertIn("no space left in /var/run/fwstat: /etc/config/fwstat is not read again", said)
        self.assertIn("no space left in /var/run/fwstat: the firewall keeps the rules that it has", said)
        # With space again all of it is read.
        self.service("reload")
        self.assertIn("group 7 ", self.rules())
        self.assertIn("'7'", self.router.read("/var/run/fwstat/config/fwstat"))

    def firewall(self, defaults="", zone="", more=""):
        """The stock configuration with other options in the sections defaults and zone wan, and more sections."""
        path = self.router.place / "etc/config/firewall"
        text = self.stock
        for kind, options in (("config defaults", defaults), ("option name\t\twan", zone)):
            lines = "".join(f"\toption {line}\n" for line in options.split("\n") if line)
            text = text.replace(f"{kind}\n", f"{kind}\n{lines}", 1)
            for line in options.split("\n"):
                name = line.split(" ")[0]
                head, tail = text.split(kind, 1)
                first, rest = tail.split("\n\n", 1)
                kept = [row for row in first.split("\n") if row in lines or not re.match(rf"\toption {name}\s", row or "-")]
                text = head + kind + "\n".join(kept) + "\n\n" + rest if name else text
        path.write_text(text + more)

    def rules(self):
        folder = self.router.place / "tmp/run/fwstat/rules"
        return "".join(f"-- {path.name}\n{path.read_text()}" for path in sorted(folder.glob("*.nft")))

    def test_a_group_with_leading_zeros_is_the_one_that_the_daemon_reads(self):
        self.start_firewall()
        self.router.install(package("fwstat"))
        self.option("option nflog_group '00032'")
        self.service("reload")
        self.assertEqual(self.router.read("/var/run/fwstat/rules/append-input_wan.nft"), RULE)
        self.assertNotIn("group 26", self.ruleset())

    def test_the_rules_are_made_of_the_firewalls_configuration(self):
        self.router.install(package("fwstat"))
        self.stock = self.router.read("/etc/config/firewall").split("\nconfig include")[0]
        cases = {
            "default": {},
            "invalid": {"defaults": "drop_invalid 1\nsynflood_rate 100/min\nsynflood_burst 5", "zone": "input DROP"},
            "forward accept": {"defaults": "forward drop", "zone": "forward ACCEPT"},
            "no syn_flood": {"defaults": "syn_flood 0"},
            "zero burst": {"defaults": "synflood_burst 0\nsynflood_rate 7"},
            "bad rate": {"defaults": "synflood_rate 7/week"},
            "default forward accept": {"defaults": "forward ACCEPT\nsyn_flood 0"},
            "everything accepted": {"defaults": "forward ACCEPT\nsyn_flood 0", "zone": "input ACCEPT\nforward ACCEPT"},
        }
        found = ""
        for name, options in cases.items():
            self.firewall(**options)
            self.service("reload")
            found += f"== {name}\n{self.rules()}"
            # As fw4 loads it.
            self.router.run("/sbin/fw4", "-q", "restart")
            told = self.router.run("/usr/sbin/nft", "list", "ruleset")
            self.assertEqual(told.count('comment "fwstat '), self.rules().count('comment "fwstat '), name)
        self.assertIn("synflood_rate '7/week' is not understood", self.router.read("/tmp/log"))
        if os.environ.get("FWSTAT_BLESS"):
            RULES.write_text(found)
        self.assertEqual(RULES.read_text(), found)

    def packets(self, *lines):
        """Sends from outside by zone wan's interface; answers with the counters by their rule or name."""
        if not hasattr(self, "outside"):
            line = ["unshare", "--net", "sh", "-c", "echo; exec sleep infinity"]
            self.outside = subprocess.Popen(line, stdout=subprocess.PIPE)
            self.outside.stdout.readline()
            self.addCleanup(self.outside.stdout.close)
            self.addCleanup(self.outside.wait)
            self.addCleanup(self.outside.kill)
            inside = ["nsenter", f"--net=/proc/{self.router.holder.pid}/ns/net"]
            outside = ["nsenter", f"--net=/proc/{self.outside.pid}/ns/net"]
            for line in (
                [*inside, "ip", "link", "add", "wan", "type", "veth", "peer", "name", "eth0", "netns", str(self.outside.pid)],
                [*inside, "ip", "link", "set", "wan", "address", "02:00:00:00:00:01"],
                [*outside, "ip", "link", "set", "eth0", "address", "02:00:00:00:00:07"],
                [*inside, "ip", "addr", "add", "198.51.100.1/24", "dev", "wan"],
                [*inside, "ip", "link", "set", "lo", "up"],
                [*inside, "ip", "link", "set", "wan", "up"],
                [*outside, "ip", "link", "set", "eth0", "up"],
                [*inside, "ip", "neigh", "replace", "198.51.100.7", "lladdr", "02:00:00:00:00:07", "dev", "wan"],
            ):
                subprocess.run(line, check=True)
        script = (ROOT / "tests/support/frames.py").read_text() + "import time\n" + "\n".join(lines)
        subprocess.run(["nsenter", f"--net=/proc/{self.outside.pid}/ns/net", "python3", "-c", script], check=True)
        # The kernel may still be delivering what was sent.
        before, counters = None, self.counters()
        while counters != before:
            time.sleep(0.2)
            before, counters = counters, self.counters()
        return counters

    def counters(self):
        """The firewall's counters by their rule or name."""
        json_text = self.router.run("/usr/sbin/nft", "-j", "list", "ruleset")
        counters = {}
        for row in json.loads(json_text)["nftables"]:
            if "counter" in row:
                counters[row["counter"]["name"]] = row["counter"]["packets"]
            elif "rule" in row:
                rule = row["rule"]
                for statement in rule["expr"]:
                    if isinstance(statement.get("counter"), dict):
                        name = f"{rule['chain']}: {rule.get('comment', '')}"
                        counters[name] = statement["counter"]["packets"]
        return counters

    FLOOD = "for n in range({count}): ipv4(6, tcp(1024 + n % 60000, 23, 2), n & 0xffff); time.sleep({pause})"

    def test_every_packet_of_a_flood_is_counted_once_whatever_syn_flood_drops(self):
        self.start_firewall()
        self.router.install(package("fwstat"))
        reject = "reject_from_wan: !fw4: reject wan IPv4/IPv6 traffic"
        sent = 0
        # 20, 60 and 600 a second, and as many as there can be.
        for count, pause in ((40, 0.05), (240, 0.0166), (1200, 0.00166), (5000, 0)):
            counters = self.packets(self.FLOOD.format(count=count, pause=pause))
            sent += count
            self.assertEqual(counters["fwstat_zone_wan"], counters[reject])
            self.assertEqual(counters["fwstat_syn_flood"], sent - counters[reject])
        self.assertGreater(counters["fwstat_syn_flood"], 3000)
        self.assertGreater(counters[reject], 100)
        # UDP is not limited; a reload of the firewall keeps our counters.
        before = counters["fwstat_zone_wan"]
        self.router.run("/sbin/fw4", "-q", "reload")
        counters = self.packets("for n in range(30): ipv4(17, udp(1024 + n, 1900), n)")
        self.assertEqual((counters["fwstat_zone_wan"], counters["fwstat_syn_flood"]), (before + 30, sent - before))

    def test_with_drop_invalid_and_a_rule_of_the_owner_each_packet_has_one_place(self):
        self.stock = self.router.read("/etc/config/firewall")
        rule = "\nconfig rule\n\toption name 'Drop-telnet'\n\toption src 'wan'\n\toption proto 'tcp'\n"
        rule += "\toption dest_port '23'\n\toption target 'DROP'\n"
        self.firewall(defaults="drop_invalid 1\nsynflood_rate 10", zone="input DROP", more=rule)
        self.start_firewall()
        self.router.install(package("fwstat"))
        self.packets("")
        # The frames' TCP checksums are not filled in: by default they make any packet invalid.
        line = ["sysctl", "-qw", "net.netfilter.nf_conntrack_checksum=0"]
        subprocess.run(["nsenter", f"--net=/proc/{self.router.holder.pid}/ns/net", *line], check=True)
        began = time.monotonic()
        counters = self.packets(
            self.FLOOD.format(count=1000, pause=0.001),
            "for n in range(50): ipv4(6, tcp(2000 + n, 80, 4), n)",  # RST of no connection
            "for n in range(20): ipv4(17, udp(1024 + n, 1900), n)",
        )
        self.assertEqual(counters["fwstat_invalid"], 50)
        self.assertEqual(counters["fwstat_zone_wan"], 20)
        telnet = counters["input_wan: !fw4: Drop-telnet"]
        self.assertEqual(counters["fwstat_syn_flood"] + telnet, 1000)
        # Fifty at once, and ten a second.
        self.assertTrue(50 < telnet < 52 + 10 * (time.monotonic() - began), telnet)

    def test_forwarded_packets_have_the_default_policys_word_whatever_the_zones_is(self):
        for zone, ours in (("forward DROP", "fwstat_zone_wan"), ("forward ACCEPT", "fwstat_forward")):
            with self.subTest(zone):
                self.stock = self.router.read("/etc/config/firewall").split("\nconfig include")[0]
                self.firewall(zone=zone)
                if not hasattr(self, "outside"):
                    self.start_firewall()
                    self.router.install(package("fwstat"))
                    self.packets("")
                    inside = ["nsenter", f"--net=/proc/{self.router.holder.pid}/ns/net"]
                    for line in (
                        ["ip", "link", "add", "lan", "type", "veth", "peer", "name", "host"],
                        ["ip", "link", "set", "host", "up"],
                        ["ip", "addr", "add", "192.0.2.1/24", "dev", "lan"],
                        ["ip", "link", "set", "lan", "up"],
                        ["ip", "neigh", "replace", "192.0.2.9", "lladdr", "02:00:00:00:00:09", "dev", "lan"],
                        ["sysctl", "-qw", "net.ipv4.ip_forward=1"],
                    ):
                        subprocess.run([*inside, *line], check=True)
                self.service("reload")
                counters = self.packets(
                    'lan = socket.inet_aton("192.0.2.9")',
                    "for n in range(25): ipv4(17, udp(1024 + n, 1900), n, destination=lan)",
                )
                self.assertEqual(counters[ours], 25)
                self.assertIn('log prefix "reject ', self.rules().split("forward: ")[0].rsplit("\n", 1)[1])

    def test_other_zones_than_before_have_the_rules(self):
        self.start_firewall()
        self.router.install(package("fwstat"))
        self.option("list zone 'lan'")
        config = self.router.place / "etc/config/fwstat"
        config.write_text(config.read_text().replace("list zone 'wan'", "list zone 'lan'"))
        self.service("reload")
        ruleset = self.ruleset()
        self.assertNotIn('comment "fwstat wan"', ruleset)
        # The zone accepts: what comes in by it and may go nowhere is refused by the default policy.
        self.assertEqual(ruleset.count('comment "fwstat rule forward"'), 1)
        self.assertNotIn("input_wan", self.router.read("/etc/config/firewall"))
        self.assertEqual(self.reloads(), 2)

    def test_a_kernel_without_nflog_counts_without_it(self):
        self.start_firewall()
        nft = self.router.place / "usr/sbin/nft"
        nft.rename(nft.with_name("nft.real"))
        # As the kernel answers without nfnetlink_log.
        nft.write_text('#!/bin/sh\n[ "$1" != -c ] || ! grep -qs "log prefix" /var/run/fwstat/rules.new/*.try || exit 1\n'
                       'exec /usr/sbin/nft.real "$@"\n')  # fmt: skip
        nft.chmod(0o755)
        self.router.install(package("fwstat"))
        self.assertEqual(self.router.read("/var/run/fwstat/rules/append-input_wan.nft"),
                         'counter name "fwstat_zone_wan" comment "fwstat wan"\n')  # fmt: skip
        self.assertIn("install kmod-nfnetlink-log", self.router.read("/tmp/log"))

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
        text = firewall.read_text().replace("config include 'fwstat_append__input_wan'", "config include fwstat_append__input_wan")
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
        for line in ("set_param user fwstat", "set_param group fwstat", "set_param no_new_privs 1",
                     "set_param capabilities /etc/capabilities/fwstat.json", "add_jail fwstat procfs ronly",
                     "add_jail_mount /var/run/ubus", "set_param reload_signal HUP",
                     "add_jail_mount_rw /var/run/fwstat/state", "add_jail_mount_rw /etc/fwstat",
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

    def jailed(self):
        (self.router.place / "sbin/ujail").write_text("#!/bin/sh\n")
        (self.router.place / "sbin/ujail").chmod(0o755)
        self.router.install(package("fwstat"))

    def test_a_drive_that_is_mounted_later_is_shown_to_the_jail_after_a_reload(self):
        self.jailed()
        drive, proc = self.router.place / "mnt/usb", self.router.place / "proc"
        drive.mkdir(parents=True)
        subprocess.run(["mount", "-t", "proc", "none", proc], check=True)
        self.addCleanup(subprocess.run, ["umount", proc], check=True)
        self.option("option as_database '/mnt/usb/asn.mmdb'")
        self.service("reload")
        self.assertIn("add_jail_mount /mnt/usb\n", self.router.read("/tmp/instance"))
        before = (self.router.place / "tmp/instance").stat().st_mtime_ns
        self.service("reload")
        self.assertEqual((self.router.place / "tmp/instance").stat().st_mtime_ns, before)
        subprocess.run(["mount", "-t", "tmpfs", "none", drive], check=True)
        self.addCleanup(subprocess.run, ["umount", drive], check=True)
        self.service("reload")
        self.assertNotEqual((self.router.place / "tmp/instance").stat().st_mtime_ns, before)

    def test_another_folder_is_mounted_into_the_running_jail_and_else_it_is_told_by_a_signal(self):
        self.start_firewall()
        self.jailed()
        config = self.router.place / "etc/config/fwstat"
        self.assertIn("add_jail_mount_rw /etc/fwstat", self.router.read("/tmp/instance"))
        config.write_text(config.read_text().replace("evidence '200'", "evidence '100'"))
        before = (self.router.place / "tmp/instance").stat().st_mtime_ns
        self.service("reload")
        self.assertEqual((self.router.place / "tmp/instance").stat().st_mtime_ns, before)
        config.write_text(config.read_text().replace("/etc/fwstat'", "/srv/fwstat'"))
        self.service("reload")
        instance = self.router.read("/tmp/instance").splitlines()
        self.assertIn("add_jail_mount_rw /srv/fwstat", instance)
        self.assertNotIn("add_jail_mount_rw /etc/fwstat", instance)
        (self.router.place / "srv/countries").mkdir()
        config.write_text(config.read_text().replace("/usr/share/fwstat/country", "/srv/countries/country"))
        self.service("reload")
        instance = self.router.read("/tmp/instance").splitlines()
        self.assertIn("add_jail_mount /srv/countries", instance)
        self.assertIn("add_jail_mount /usr/share/fwstat", instance, "advice is read from there")
        # The rules stay meanwhile.
        self.assertEqual(self.reloads(), 1)

    def test_the_jail_shows_the_folder_of_ubus_and_not_its_socket(self):
        self.jailed()
        instance = self.router.read("/tmp/instance").splitlines()
        self.assertIn("add_jail_mount /var/run/ubus", instance)
        (jail,) = [line.split() for line in instance if line.startswith("add_jail ")]
        # With the word `ubus` procd binds the socket's file, which is another one after a restart of ubusd.
        self.assertNotIn("ubus", jail)

    def fleet(self, options, token="the-secret-of-this-router"):
        """Reloads with these options of the fleet; what procd is told of its instance."""
        config = self.router.place / "etc/config/fwstat"
        text = re.sub(r"\nconfig fleet .*?\n(?=\n)", f"\nconfig fleet 'fleet'\n{options}\n", self.shipped, count=1, flags=re.S)
        self.assertNotEqual(text, self.shipped)
        config.write_text(text)
        path = self.router.place / "etc/fwstat.token"
        path.unlink(missing_ok=True)
        if token:
            path.write_text(token + "\n")
            path.chmod(0o600)
        self.service("reload")
        told = self.router.read("/tmp/procd")
        return told[told.index("open_instance fleet"):].split("open_instance notify")[0] if "open_instance fleet" in told else ""

    def test_batches_are_sent_only_where_it_is_configured_and_the_token_is_no_argument(self):
        self.jailed()
        self.shipped = self.router.read("/etc/config/fwstat")
        self.assertNotIn("fleet-send", self.router.read("/tmp/procd"))
        self.assertFalse((self.router.place / "tmp/run/fwstat/fleet").exists())
        on, url = "\toption enabled '1'\n", "\toption url 'https://fleet.example.net/fwstat/v1/batch'\n"
        for options, token, said in ((on, "x", "has no url"), (on + url, None, "there is no token_file"), (url, "x", None)):
            self.assertEqual(self.fleet(options, token), "")
            if said:
                self.assertIn(said, self.router.read("/tmp/log"))
        told = self.fleet(on + url + "\toption spread '2h'\n")
        self.assertIn(
            "set_param command /usr/share/fwstat/fleet-send /var/run/fwstat/state/fleet:/etc/fwstat/fleet "
            "https://fleet.example.net/fwstat/v1/batch /var/run/fwstat/fleet/token 7200", told,
        )  # fmt: skip
        for line in ("set_param user fwstat-fleet", "set_param group fwstat-fleet", "set_param no_new_privs 1", "set_param file /etc/fwstat.token"):
            self.assertIn(line, told)
        self.assertNotIn("the-secret-of-this-router", self.router.read("/tmp/procd") + self.router.read("/tmp/log"))
        token = self.router.place / "tmp/run/fwstat/fleet/token"
        self.assertEqual((token.read_text(), token.stat().st_mode & 0o777), ("the-secret-of-this-router\n", 0o600))
        self.assertNotIn("shared", told)
        self.assertIn("https://fleet.example.net/fwstat/v1/shared", self.fleet(on + url + "\toption shared '1'\n"))
        self.assertNotIn("https://shared", self.fleet(on + "\toption url 'https://fleet.example.net'\n\toption shared '1'\n"))
        # The sender may reach its spools and the token, and list nothing of the daemon's.
        sender, daemon = token.stat().st_uid, (self.router.place / "etc/fwstat").stat().st_uid
        self.assertNotIn(sender, (0, daemon))
        for place in ("etc/fwstat", "tmp/run/fwstat/state"):
            self.assertEqual((self.router.place / place).stat().st_mode & 0o7777, 0o751, place)
            spool = (self.router.place / place / "fleet").stat()
            self.assertEqual((spool.st_uid, spool.st_mode & 0o7777), (daemon, 0o2770), place)
        # A server that refused the token is asked again after a reload.
        (self.router.place / "tmp/run/fwstat/state/fleet/sender.json").write_text('{"state":"stopped","answer":401}\n')
        self.assertIn("FWSTAT_RELOADED=", self.fleet(on + url))

    def test_a_link_in_the_place_of_a_spool_leads_nowhere(self):
        self.jailed()
        self.shipped = self.router.read("/etc/config/fwstat")
        other = self.router.place / "srv"
        other.mkdir(mode=0o755)
        for place in ("etc/fwstat", "tmp/run/fwstat/state"):
            (self.router.place / place / "fleet").symlink_to("/srv")
        self.fleet("\toption enabled '1'\n\toption url 'https://fleet.example.net/fwstat/v1/batch'\n")
        self.assertEqual((other.stat().st_uid, other.stat().st_mode & 0o7777), (0, 0o755))
        for place in ("etc/fwstat", "tmp/run/fwstat/state"):
            spool = (self.router.place / place / "fleet").lstat()
            self.assertEqual(spool.st_mode & 0o7777, 0o2770)

    def test_a_folder_with_other_files_stays_roots(self):
        other = self.router.place / "srv"
        other.mkdir()
        (other / "letter").write_text("mine")
        self.router.install(package("fwstat"))
        config = self.router.place / "etc/config/fwstat"
        config.write_text(config.read_text().replace("/etc/fwstat'", "/srv'"))
        self.service("reload")
        self.assertEqual((other.stat().st_uid, (other / "letter").stat().st_uid), (0, 0))
        self.assertIn("/srv contains other files (letter)", self.router.read("/tmp/log"))

    def test_a_database_of_networks_can_lie_beside_the_store_and_stays_roots(self):
        self.router.install(package("fwstat"))
        store = self.router.place / "etc/fwstat"
        (store / "asn.mmdb").write_text("")
        os.chown(store, 0, 0)
        self.option("option as_database '/etc/fwstat/asn.mmdb'")
        self.service("reload")
        self.assertNotEqual(store.stat().st_uid, 0)
        self.assertEqual((store / "asn.mmdb").stat().st_uid, 0)

    def test_links_in_the_services_folders_lead_nowhere(self):
        self.router.install(package("fwstat"))
        secret = self.router.place / "etc/shadow"
        secret.write_text("secret")
        (self.router.place / "etc/fwstat/2026-01.fws").symlink_to("/etc/shadow")
        (self.router.place / "tmp/run/fwstat/state/clock-set").symlink_to("/etc/made")
        (self.router.place / "tmp/fwstat-firewall").symlink_to("/etc/shadow")
        self.service("reload")
        self.assertEqual(secret.read_text(), "secret")
        environment = {"ACTION": "stratum"}
        self.router.run("/bin/sh", "/etc/hotplug.d/ntp/60-fwstat", environment=environment, check=False)
        self.assertEqual(secret.stat().st_uid, 0)
        self.assertFalse((self.router.place / "etc/made").exists())

    def test_ntp_tells_that_the_clock_is_set(self):
        self.router.install(package("fwstat"))
        told = self.router.place / "tmp/run/fwstat/state/clock-set"
        for said in ({"ACTION": "unsync"}, {"ACTION": "periodic", "stratum": "16"}, {"ACTION": "periodic"}):
            self.router.run("/bin/sh", "/etc/hotplug.d/ntp/60-fwstat", environment=said)
            self.assertFalse(told.exists())
        self.router.run("/bin/sh", "/etc/hotplug.d/ntp/60-fwstat", environment={"ACTION": "periodic", "stratum": "3"})
        self.assertTrue(told.exists())
        for _ in range(2):
            self.router.run("/bin/sh", "/etc/hotplug.d/ntp/60-fwstat", environment={"ACTION": "stratum"})
        self.assertTrue(told.exists())

    def test_sysupgrade_commits_before_it_lists_what_to_keep(self):
        self.router.install(package("fwstat"))
        program = self.router.place / "usr/bin/fwstat"
        program.write_text("#!/bin/sh\necho \"$*\" >> /tmp/asked\nexit 1\n")
        script = "sysupgrade_init_conffiles=list_them; list_them() { echo list >> /tmp/asked; }; set -e\n"
        script += ". /lib/functions.sh; . /lib/upgrade/fwstat.sh; for hook in $sysupgrade_init_conffiles; do $hook /tmp/list; done"
        self.router.run("/bin/sh", "-c", script)
        self.assertEqual(self.router.read("/tmp/asked"), "commit\nlist\n")
        self.assertEqual(self.router.read("/lib/upgrade/keep.d/fwstat"), "/etc/fwstat/\n/etc/fwstat.token\n")
        self.assertFalse((self.router.place / "etc/fwstat/notify.d").exists(), "an old script would replace the new one")

    def test_sysupgrade_keeps_statistics_that_are_elsewhere_on_flash(self):
        self.router.install(package("fwstat"))
        proc, drive = self.router.place / "proc", self.router.place / "mnt/usb"
        drive.mkdir(parents=True)
        for kind, place in ("proc", proc), ("tmpfs", drive):
            subprocess.run(["mount", "-t", kind, "none", place], check=True)
            self.addCleanup(subprocess.run, ["umount", place], check=True)
        for folder in "srv", "srv/fleet", "mnt/usb/fleet", "etc/fwstat":
            (self.router.place / folder).mkdir(parents=True, exist_ok=True)
            for name in "2026-10.fws", "2038-01.later", "passwords":
                (self.router.place / folder / name).touch()
        config = self.router.place / "etc/config/fwstat"
        listed = {}
        for folder in "/etc/fwstat", "/srv", "/mnt/usb", "/nowhere":
            config.write_text(re.sub("option database .*", f"option database '{folder}'", config.read_text()))
            script = "set -e; . /lib/functions.sh; . /lib/upgrade/fwstat.sh; : > /tmp/list; fwstat_keep /tmp/list"
            self.router.run("/bin/sh", "-c", script)
            listed[folder] = sorted(self.router.read("/tmp/list").split())
        kept = ["/srv/2026-10.fws", "/srv/2038-01.later", "/srv/fleet/2026-10.fws", "/srv/fleet/2038-01.later", "/srv/fleet/passwords"]
        self.assertEqual(listed, {"/etc/fwstat": [], "/srv": kept, "/mnt/usb": [], "/nowhere": []})

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
