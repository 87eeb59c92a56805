"""A root directory with busybox, nft, the stand-ins of root/ and what an OpenWrt router has below /etc.

Commands run in it by chroot, in a network namespace of its own. What opkg does is done here.
"""

import io
import shutil
import subprocess
import tarfile
from pathlib import Path

HERE = Path(__file__).resolve().parent


def members(archive):
    """The tar members of a gzipped tar by name without `./`, with their content."""
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        found = {}
        for entry in tar:
            content = tar.extractfile(entry).read() if entry.isfile() else None
            found[entry.name.removeprefix("./")] = (entry, content)
        return found


class Router:
    def __init__(self, place):
        self.place = Path(place)
        shutil.copytree(HERE / "root", self.place, dirs_exist_ok=True)
        for folder in ("bin", "usr/bin", "usr/sbin", "proc", "dev", "tmp", "etc/rc.d", "etc/init.d", "usr/lib/opkg/info"):
            (self.place / folder).mkdir(parents=True, exist_ok=True)
        (self.place / "var").symlink_to("tmp")
        (self.place / "var/run").mkdir()
        for program, path in (("busybox", "bin/busybox"), ("nft", "usr/sbin/nft")):
            self.copy_program(program, path)
        subprocess.run(["chroot", self.place, "/bin/busybox", "--install", "-s"], check=True)
        # Busybox's own would talk to a log that is not there.
        shutil.copy(HERE / "root/bin/logger", self.place / "bin/logger")
        (self.place / "usr/bin/logger").unlink(missing_ok=True)
        (self.place / "dev/null").touch()
        (self.place / "etc/init.d/firewall").touch()
        for name in ("firewall", "system", "network"):
            (self.place / "etc/config" / name).chmod(0o600)
        # Holds the network namespace.
        line = ["unshare", "--net", "sh", "-c", "echo; exec sleep infinity"]
        self.holder = subprocess.Popen(line, stdout=subprocess.PIPE)
        # Not before it has left the machine's own.
        self.holder.stdout.readline()

    def close(self):
        self.holder.kill()
        self.holder.wait()
        self.holder.stdout.close()

    def copy_program(self, program, path):
        found = Path(shutil.which(program)).resolve()
        shutil.copy(found, self.place / path)
        for word in subprocess.run(["ldd", found], capture_output=True, text=True).stdout.split():
            if word.startswith("/"):
                target = self.place / word[1:]
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(Path(word).resolve(), target)

    def run(self, *line, check=True, environment=None):
        """What the command prints; as root of the router, without a path of the machine."""
        line = ["nsenter", f"--net=/proc/{self.holder.pid}/ns/net", "chroot", self.place, *line]
        given = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"} | (environment or {})
        done = subprocess.run(line, capture_output=True, text=True, env=given)
        if check and done.returncode:
            raise AssertionError(f"{line}: {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def read(self, path):
        return (self.place / path.lstrip("/")).read_text()

    def tree(self):
        """Every path below /etc, /lib, /usr and /var/run with its content: what installing may change."""
        found = {}
        for top in ("etc", "lib", "usr", "tmp/run"):
            for path in sorted((self.place / top).rglob("*")):
                name = path.relative_to(self.place).as_posix()
                found[name] = path.read_bytes() if path.is_file() and not path.is_symlink() else None
        return found

    # --- opkg ---

    def install(self, package, upgrade=False):
        outer = members(package.read_bytes())
        control = members(outer["control.tar.gz"][1])
        name = package.name.split("_")[0]
        information = self.place / "usr/lib/opkg/info"
        kept = control.get("conffiles", (None, b""))[1].decode().split()
        listed = []
        for path, (entry, content) in members(outer["data.tar.gz"][1]).items():
            target = self.place / path
            if content is None:
                target.mkdir(parents=True, exist_ok=True)
                continue
            listed.append(f"/{path}\n")
            if f"/{path}" in kept and target.exists():
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            target.chmod(entry.mode)
        (information / f"{name}.list").write_text("".join(listed))
        for part in ("control", "postinst", "prerm", "postinst-pkg", "prerm-pkg"):
            if part in control:
                (information / f"{name}.{part}").write_bytes(control[part][1])
        environment = {"PKG_UPGRADE": "1"} if upgrade else {}
        self.run("/bin/sh", f"/usr/lib/opkg/info/{name}.postinst", environment=environment)

    def remove(self, name, upgrade=False):
        environment = {"PKG_UPGRADE": "1"} if upgrade else {}
        self.run("/bin/sh", f"/usr/lib/opkg/info/{name}.prerm", environment=environment)
        information = self.place / "usr/lib/opkg/info"
        for path in (information / f"{name}.list").read_text().split():
            target = self.place / path[1:]
            if path.startswith("/etc/config/"):
                continue
            target.unlink(missing_ok=True)
            while target.parent != self.place and not any(target.parent.iterdir()):
                target = target.parent
                target.rmdir()
        for path in information.glob(f"{name}.*"):
            path.unlink()
