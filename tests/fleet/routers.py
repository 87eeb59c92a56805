"""Routers as they are: the real daemon with NFLOG in a network namespace of its own, a real broker, and a wall clock that
the test sets (libfaketime)."""

import json
import os
import pathlib
import re
import subprocess
import time

from service import Router, until
from support import ROOT

TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
PROGRAM = pathlib.Path(os.environ.get("FWSTAT_PROGRAM", TARGET / "debug/fwstat"))
BROKER = pathlib.Path(os.environ.get("FWSTAT_BROKER", TARGET / "debug/examples/broker"))
FRAMES = (ROOT / "tests/support/frames.py").read_text()
RULES = """
table inet test {
    chain input {
        type filter hook input priority 0;
        icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, mld2-listener-report } accept
        iifname "wan" counter log group 32 prefix "reject wan in: " snaplen 128 drop comment "fwstat wan"
    }
}
"""
MACS = {"wan": "02:00:00:00:00:01", "eth0": "02:00:00:00:00:07"}


def run(*command, text=None):
    done = subprocess.run([str(word) for word in command], input=text, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def missing():
    """Why there can be no such router here, or None."""
    if os.getuid() != 0:
        return "not root"
    libraries = list(pathlib.Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    if not libraries:
        return "libfaketime is missing (Debian's package faketime)"
    for program in (PROGRAM, BROKER):
        if not program.exists():
            return f"{program} is missing: cargo build --bin fwstat --example broker"
    return None


class RealRouter(Router):
    """With the sender that serves its daemon's spool."""

    def __init__(self, place, server, token, number, zone, fleet_options, more=""):
        self.home = pathlib.Path(place) / "home"
        for folder in ("config", "run", "db"):
            (self.home / folder).mkdir(parents=True)
        super().__init__(place, server, token, 0)
        self.spool, self.flash = self.home / "run/fleet", self.home / "db/fleet"
        self.router, self.outside = (f"fwfleet-{os.getpid()}-{number}-{side}" for side in ("r", "o"))
        self.daemon = self.broker = None
        (self.home / "config/system").write_text(f"config system\n\toption timezone '{zone}'\n")
        (self.home / "config/fwstat").write_text(
            f"config fwstat 'main'\n\toption database '{self.home}/db'\n\toption input 'nflog'\n"
            f"config fleet 'fleet'\n\toption enabled '1'\n{fleet_options}{more}"
        )
        self._network()
        self.broker = subprocess.Popen([BROKER, self.home / "ubus.sock"])
        until(lambda: (self.home / "ubus.sock").exists())

    def _network(self):
        for name in (self.router, self.outside):
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
        run("ip", "-n", self.router, "link", "add", "wan", "type", "veth", "peer", "name", "eth0", "netns", self.outside)
        for name, link, address in ((self.router, "wan", "198.51.100.1/24"), (self.outside, "eth0", "198.51.100.7/24")):
            run("ip", "-n", name, "link", "set", link, "address", MACS[link])
            run("ip", "-n", name, "addr", "add", address, "dev", link)
            run("ip", "-n", name, "link", "set", link, "up")
        # Sources are made up: no way leads back to them.
        run("ip", "netns", "exec", self.router, "sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.wan.rp_filter=0")
        run("ip", "netns", "exec", self.router, "nft", "-f", "-", text=RULES)

    def set_clock(self, instant):
        (self.home / "clock.new").write_text(f"{instant - int(time.time()):+d}\n")
        os.replace(self.home / "clock.new", self.home / "clock")

    def start_daemon(self):
        (self.home / "run/clock-set").mkdir(exist_ok=True)
        (library,) = pathlib.Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
        with open(self.home / "log", "ab") as log:
            self.daemon = subprocess.Popen(
                ["ip", "netns", "exec", self.router, "env", f"LD_PRELOAD={library}",
                 f"FAKETIME_TIMESTAMP_FILE={self.home}/clock", "FAKETIME_NO_CACHE=1", "NO_FAKE_STAT=1",
                 "FAKETIME_DONT_FAKE_MONOTONIC=1", "DONT_FAKE_MONOTONIC=1",
                 PROGRAM, "daemon", "--config", self.home / "config/fwstat", "--ubus", self.home / "ubus.sock",
                 "--run", self.home / "run"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        until(lambda: self.running())

    def running(self):
        assert self.daemon.poll() is None, self.log()
        try:
            return self.ask("status")["inputs"][0]["state"] == "running"
        except AssertionError:
            return False

    def stop_daemon(self):
        if self.daemon:
            self.daemon.terminate()
            code = self.daemon.wait(30)
            self.daemon = None
            return code

    def log(self):
        return (self.home / "log").read_text()

    def ask(self, question, *arguments):
        """The daemon's own answer."""
        try:
            return json.loads(run(PROGRAM, question, *arguments, "--json", "--ubus", self.home / "ubus.sock"))
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log()}") from None

    def send(self, packets):
        """Packets from outside: (source, protocol, port, how many)."""
        run("ip", "netns", "exec", self.outside, "python3", "-", text=f"""{FRAMES}
number = 0
for source, protocol, port, count in {packets!r}:
    V4 = socket.inet_aton(source), V4[1]
    for _ in range(count):
        number += 1
        ipv4(protocol, tcp(54321, port, 2) if protocol == 6 else udp(40000, port, b'x') if protocol == 17
             else echo(8, 1, number), ident=number)
""")  # fmt: skip

    def batch(self, day):
        """The batches of a day that wait."""
        return [name for name in self.waiting() if name.startswith(f"{day}-")]

    def close(self):
        self.stop()
        if self.daemon:
            self.daemon.kill()
            self.daemon.wait()
        if self.broker:
            self.broker.kill()
            self.broker.wait()
        for name in (self.router, self.outside):
            subprocess.run(["ip", "netns", "del", name], capture_output=True)


def protocol_number(name):
    return {"tcp": 6, "udp": 17, "icmp": 1}.get(name) or int(re.sub(r"\D", "", name))
