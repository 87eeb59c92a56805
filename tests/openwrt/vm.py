#!/usr/bin/env python3
"""A router on a MIPS kernel: Debian's mipsel kernel for the board Malta under qemu-system, with the packaged program.

  tests/openwrt/vm.py PACKAGE.ipk BROKER      both built for mipsel_24kc

The root directory, made here and kept in RAM there: Debian's busybox and nft, the stand-ins of root/, the package as
opkg leaves it. The package's own scripts write the rules and name the daemon's command. Packets come from outside,
through qemu's network card; the daemon is asked over ubus. Needs root, apt-get, dpkg-deb, busybox and
qemu-system-mipsel.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from router import members  # noqa: E402

CACHE = Path(os.environ.get("CARGO_TARGET_DIR", HERE.parents[1] / "target")).absolute() / "openwrt/debian-mipsel"
KERNEL = "linux-image-4kc-malta"
PACKAGES = """busybox-static nftables libnftables1 libc6 libnftnl11 libmnl0 libgmp10 libjansson4 libxtables12 libedit2
libbsd0 libmd0 libtinfo6""".split()
# In the order in which they need one another.
MODULES = "mii pcnet32 crc32c_generic libcrc32c nfnetlink nf_tables nfnetlink_log nft_log".split()
# Datagrams to each port: what the router must count to the packet.
SENT = {1900: 40, 5060: 25, 53413: 7}
PATIENCE = 300

INIT = r"""#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
mkdir -p /tmp/run/ubus
for module in MODULES; do insmod /modules/$module.ko || echo "SAYS no module $module"; done
ip link set lo up
ip link set eth0 name wan
ip addr add 10.0.2.15/24 dev wan
ip link set wan up
uname -srm | sed 's/^/SAYS /'
/sbin/fw4 -q start
/bin/broker /var/run/ubus/ubus.sock < /dev/null > /dev/null 2>&1 &
/bin/sh /usr/lib/opkg/info/fwstat.postinst 2>&1 | sed 's/^/SAYS /'
$(sed -n 's/^set_param command //p' /tmp/procd) 2>&1 | sed 's/^/SAYS /' &
until fwstat status --json > /dev/null 2>&1; do sleep 1; done
fwstat check 2>&1 | sed 's/^/SAYS /'
echo READY
read -r _
for question in status summary services sources; do echo "ANSWER $question $(fwstat $question --json)"; done
echo "ANSWER counters $(nft -j list table inet fw4)"
grep -E 'VmHWM|VmRSS' /proc/$(pidof fwstat)/status | sed 's/^/SAYS /'
fwstat commit && ls -l /etc/fwstat | sed 's/^/SAYS /'
echo END
poweroff -f
"""


def apt(*line):
    """apt for another architecture, with lists and status of its own: the machine's stay as they are."""
    for folder in ("lists/partial", "archives/partial"):
        (CACHE / folder).mkdir(parents=True, exist_ok=True)
    (CACHE / "status").touch()
    options = {
        "APT::Architecture": "mipsel",
        "APT::Architectures": "mipsel",
        "APT::Sandbox::User": "root",
        "Dir::State::lists": CACHE / "lists",
        "Dir::State::status": CACHE / "status",
        "Dir::Cache::archives": CACHE / "archives",
        "Dir::Cache::pkgcache": "",
        "Dir::Cache::srcpkgcache": "",
    }
    settings = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    return subprocess.run([line[0], *settings, *line[1:]], check=True, cwd=CACHE, capture_output=True, text=True).stdout


def debian():
    """The packages' folder, fetched once."""
    if not list(CACHE.glob("linux-image-*.deb")):
        CACHE.mkdir(parents=True, exist_ok=True)
        apt("apt-get", "update", "-qq")
        needs = apt("apt-cache", "depends", KERNEL).splitlines()
        (kernel,) = [line.split(":")[1].strip() for line in needs if line.strip().startswith("Depends: linux-image-")]
        apt("apt-get", "download", *PACKAGES, kernel)
    return CACHE


def root_directory(place, package, broker):
    """Fills `place` with what the machine boots; the kernel's path."""
    unpacked = place.parent / "debian"
    for file in debian().glob("*.deb"):
        to = place.parent / "kernel" if file.name.startswith("linux-image") else unpacked
        subprocess.run(["dpkg-deb", "-x", file, to], check=True)
    shutil.copytree(unpacked / "lib", place / "lib")
    for folder in ("usr/lib", "usr/sbin"):
        shutil.copytree(unpacked / folder, place / folder, symlinks=True)
    (place / "bin").mkdir()
    shutil.copy(unpacked / "bin/busybox", place / "bin/busybox")
    for applet in subprocess.run(["busybox", "--list"], capture_output=True, text=True).stdout.split():
        if applet != "busybox":
            (place / "bin" / applet).symlink_to("busybox")
    (place / "bin/logger").unlink(missing_ok=True)
    shutil.copytree(HERE / "root", place, dirs_exist_ok=True)
    for folder in ("proc", "sys", "dev", "tmp", "etc/rc.d", "etc/init.d", "usr/lib/opkg/info", "modules"):
        (place / folder).mkdir(parents=True, exist_ok=True)
    (place / "var").symlink_to("tmp")
    shutil.copy(broker, place / "bin/broker")
    outer = members(package.read_bytes())
    data = members(outer["data.tar.gz"][1])
    for path, (entry, content) in data.items():
        if content is not None:
            (place / path).parent.mkdir(parents=True, exist_ok=True)
            (place / path).write_bytes(content)
            (place / path).chmod(entry.mode)
    information = place / "usr/lib/opkg/info"
    for part, (_, content) in members(outer["control.tar.gz"][1]).items():
        if content is not None:
            (information / f"fwstat.{part}").write_bytes(content)
    listed = (f"/{path}\n" for path, (_, content) in data.items() if content is not None)
    (information / "fwstat.list").write_text("".join(listed))
    for module in MODULES:
        (found,) = (place.parent / "kernel/lib/modules").rglob(f"{module}.ko")
        shutil.copy(found, place / "modules")
    (place / "init").write_text(INIT.replace("MODULES", " ".join(MODULES)))
    (place / "init").chmod(0o755)
    (kernel,) = (place.parent / "kernel/boot").glob("vmlinuz-*")
    return kernel


def free_ports(kind, number):
    """Ports of this machine that nobody uses now."""
    sockets = [socket.socket(socket.AF_INET, kind) for _ in range(number)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def send(udp, tcp):
    """Datagrams slowly, so that none is lost on the way, and one attempt at telnet."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        for port, count in SENT.items():
            for number in range(count):
                out.sendto(b"M-SEARCH %d" % number, ("127.0.0.1", udp[port]))
                time.sleep(0.01)
    with socket.socket() as out:
        out.settimeout(2)
        try:
            out.connect(("127.0.0.1", tcp))
            out.recv(1)
        except OSError:
            pass
    time.sleep(2)


def boot(place, package, broker):
    """Runs the machine; its answers by question."""
    root = place / "root"
    root.mkdir()
    kernel = root_directory(root, package, broker)
    archive = place / "initramfs.gz"
    line = "find . | busybox cpio -o -H newc 2> /dev/null | gzip -1"
    with archive.open("wb") as out:
        subprocess.run(["sh", "-c", line], cwd=root, stdout=out, check=True)
    udp = dict(zip(SENT, free_ports(socket.SOCK_DGRAM, len(SENT))))
    (tcp,) = free_ports(socket.SOCK_STREAM, 1)
    forward = [f"hostfwd=udp:127.0.0.1:{port}-:{inside}" for inside, port in udp.items()]
    network = ",".join(["user,model=pcnet", *forward, f"hostfwd=tcp:127.0.0.1:{tcp}-:23"])
    line = ["qemu-system-mipsel", "-M", "malta", "-m", "256", "-nographic", "-no-reboot", "-monitor", "none"]
    line += ["-kernel", kernel, "-initrd", archive, "-nic", network]
    line += ["-append", "console=ttyS0 rdinit=/init quiet panic=-1"]
    machine = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, errors="replace")
    watch = threading.Timer(PATIENCE, machine.kill)
    watch.start()
    answers, ended, seen = {}, False, []
    for line in machine.stdout:
        line = line.rstrip()
        seen.append(line)
        if line.startswith("SAYS "):
            print("  ", line[5:])
        elif line.endswith("READY"):
            send(udp, tcp)
            machine.stdin.write("\n")
            machine.stdin.flush()
        elif line.startswith("ANSWER "):
            question, text = line.split(" ", 2)[1:]
            answers[question] = json.loads(text)
        elif line == "END":
            ended = True
    watch.cancel()
    machine.wait()
    if not ended:
        sys.exit("vm: the machine did not come to its end:\n" + "\n".join(seen[-30:]))
    return answers


def check(answers):
    """Every datagram was counted by the rule, received by the daemon and is in its answers."""
    services = {(row["protocol"], row["port"]): row["attempts"] for row in answers["services"]["services"]}
    for port, count in SENT.items():
        assert services.get(("udp", port)) == count, (port, count, services)
    tries = services.get(("tcp", 23), 0)
    assert tries >= 1, services
    total = sum(SENT.values()) + tries
    assert answers["summary"]["attempts"] == total, answers["summary"]
    (nflog,) = [row for row in answers["status"]["inputs"] if row["name"] == "nflog"]
    assert nflog.get("lost", 0) == 0, nflog
    rules = [
        part["counter"]["packets"]
        for entry in answers["counters"]["nftables"]
        if entry.get("rule", {}).get("chain") == "input_wan"
        for part in entry["rule"]["expr"]
        if "counter" in part
    ]
    assert sum(rules) >= total and nflog["received"] == sum(rules), (rules, nflog)
    assert {row["address"] for row in answers["sources"]["sources"]} == {"10.0.2.2"}, answers["sources"]
    print(f"vm: {total} packets sent, counted by the kernel, received and answered; {tries} of them tries at telnet")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__.strip())
    with tempfile.TemporaryDirectory(prefix="fwstat-vm-") as place:
        check(boot(Path(place), Path(sys.argv[1]).absolute(), Path(sys.argv[2]).absolute()))


if __name__ == "__main__":
    main()
