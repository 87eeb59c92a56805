"""Packages of apk-tools 3, as OpenWrt's include/package-pack.mk makes them, and their index; `apk` itself writes both.

The scripts are those of the .ipk, put together as OpenWrt does it: what /lib/functions.sh does for every package comes
before the package's own. Lists of files, configuration files and users lie in the package below /lib/apk/packages.
"""

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

import ipk
from toolchain import BuildError, run

LISTS = "lib/apk/packages"
BEGIN = """#!/bin/sh
[ "${IPKG_NO_SCRIPT}" = "1" ] && exit 0
[ -s ${IPKG_INSTROOT}/lib/functions.sh ] || exit 0
. ${IPKG_INSTROOT}/lib/functions.sh
export root="${IPKG_INSTROOT}"
export pkgname="%s"
"""


def tool():
    """The program: APK, or `apk` in the path."""
    found = shutil.which(os.environ.get("APK", "apk"))
    if not found:
        raise BuildError("--apk needs apk-tools 3: set APK to its program (github alpinelinux/apk-tools)")
    return found


def scripts(folder, name):
    """The package's scripts by apk's names."""

    def own(script):
        path = folder / script
        if folder.name != name or not path.exists():
            return ""
        return "".join(line for line in path.read_text().splitlines(True) if not line.startswith("#!"))

    install = BEGIN % name + "add_group_and_user\ndefault_postinst\n" + own("postinst")
    return {
        "post-install": install,
        "post-upgrade": install.replace("#!/bin/sh\n", "#!/bin/sh\nexport PKG_UPGRADE=1\n", 1),
        "pre-deinstall": BEGIN % name + "default_prerm\n" + own("prerm"),
    }


def prepare(folder, fields, tree, epoch):
    """Adds the lists to the tree, and gives every path the mode and time that it has in the package."""
    name = fields["Package"]
    listed = ipk.files(tree)
    (tree / LISTS).mkdir(parents=True, exist_ok=True)
    place = tree / LISTS / name
    paths = [path for path in listed if (tree / path).is_symlink() or not (tree / path).is_dir()]
    Path(f"{place}.list").write_text("".join(f"/{path}\n" for path in paths))
    if "Require-User" in fields:
        Path(f"{place}.rusers").write_text(fields["Require-User"] + "\n")
    if folder.name == name and (folder / "conffiles").exists():
        kept = (folder / "conffiles").read_text()
        Path(f"{place}.conffiles").write_text(kept)
        sums = (f"{path} {hashlib.sha256((tree / path.lstrip('/')).read_bytes()).hexdigest()}\n" for path in kept.split())
        Path(f"{place}.conffiles_static").write_text("".join(sums))
    for path in ipk.files(tree):
        file = tree / path
        if not file.is_symlink():
            file.chmod(0o755 if file.is_dir() else ipk.mode(path, file))
        os.utime(file, (epoch, epoch), follow_symlinks=False)
    os.utime(tree, (epoch, epoch))


def information(fields, version, architecture, folder):
    """What `apk mkpkg --info` takes. `folder`: the name of the package's folder in the feed."""
    of_package = fields.get("Architecture", architecture)
    # With a version it stands in that package's place and cannot be installed beside it.
    provides = fields.get("Provides", "").replace(",", " ").split()
    return {
        "name": fields["Package"],
        "version": version,
        "description": " ".join(fields["Description"].split()),
        "arch": "noarch" if of_package == "all" else of_package,
        "license": fields.get("License", "Apache-2.0"),
        "origin": f"feeds/fwstat/{folder}",
        "depends": fields.get("Depends", "").replace(",", ""),
        "provides": " ".join(f"{other}={version}" for other in provides),
    }


def make(folder, fields, tree, version, architecture, epoch, place):
    """Writes NAME-VERSION.apk below `place`; gives its path. The tree is changed."""
    name = fields["Package"]
    prepare(folder, fields, tree, epoch)
    package = place / f"{name}-{version}.apk"
    with tempfile.TemporaryDirectory() as temporary:
        line = [tool(), "mkpkg"]
        for key, value in information(fields, version, architecture, folder.name).items():
            if value:
                line += ["--info", f"{key}:{value}"]
        for script, text in scripts(folder, name).items():
            path = Path(temporary) / script
            path.write_text(text)
            path.chmod(0o755)
            line += ["--script", f"{script}:{path}"]
        line += ["--files", str(tree), "--output", str(package)]
        # Everything belongs to root.
        if os.geteuid() != 0:
            line = ["unshare", "--map-root-user", *line]
        run(line, env=os.environ | {"SOURCE_DATE_EPOCH": str(epoch)})
    return package


def index(place, packages, key=None):
    """Writes packages.adb, signed where a key (an EC key in PEM) is given."""
    line = [tool(), "mkndx", "--allow-untrusted", "--output", str(place / "packages.adb")]
    if key:
        line += ["--sign-key", str(key)]
    run([*line, *map(str, packages)])
