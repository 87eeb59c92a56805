"""Packages of opkg: a gzipped tar of debian-binary, data.tar.gz and control.tar.gz. The same input gives the same bytes.

A package folder holds `control` (one paragraph of fields for each of its packages) and `assemble [ARGUMENTS] DEST`;
README.md beside this folder says what each field means.
"""

import gzip
import io
import os
import re
import subprocess
import tarfile
from pathlib import Path

from toolchain import BuildError, run, zopfli

# What OpenWrt's own build puts into every package; the functions call <package>.postinst-pkg and .prerm-pkg.
POSTINST = """#!/bin/sh
[ "${IPKG_NO_SCRIPT}" = "1" ] && exit 0
[ -s ${IPKG_INSTROOT}/lib/functions.sh ] || exit 0
. ${IPKG_INSTROOT}/lib/functions.sh
default_postinst $0 $@
"""
PRERM = """#!/bin/sh
[ -s ${IPKG_INSTROOT}/lib/functions.sh ] || exit 0
. ${IPKG_INSTROOT}/lib/functions.sh
default_prerm $0 $@
"""

# Fields of ours that do not go into the package.
OURS = {"Assemble"}
ORDER = [
    "Package", "Version", "Depends", "Provides", "Conflicts", "Source", "SourceName", "License", "LicenseFiles",
    "Section", "Require-User", "Maintainer", "Architecture", "Installed-Size", "Description",
]  # fmt: skip


def paragraphs(file):
    """The packages of a `control`, each as a dict of its fields."""
    packages = []
    for number, text in enumerate(re.split(r"\n\s*\n", file.read_text().strip()), 1):
        fields, last = {}, None
        for line in text.splitlines():
            if line.startswith("#"):
                continue
            if line.startswith(" ") and last:
                fields[last] += "\n" + line
            elif match := re.fullmatch(r"([A-Za-z-]+): *(\S.*)", line):
                last = match[1]
                fields[last] = match[2]
            else:
                raise BuildError(f"{file}: paragraph {number}: not a field: {line!r}")
        for needed in ("Package", "Section", "Description"):
            if needed not in fields:
                raise BuildError(f"{file}: paragraph {number} has no {needed}")
        unknown = set(fields) - OURS - set(ORDER)
        if unknown:
            raise BuildError(f"{file}: paragraph {number}: unknown field {sorted(unknown)[0]}")
        packages.append(fields)
    return packages


def assemble(folder, fields, destination, environment):
    """The package's tree as it lies on the router."""
    line = [str(folder / "assemble"), *fields.get("Assemble", "").split(), str(destination)]
    destination.mkdir(parents=True)
    run(line, env=os.environ | environment)


def files(tree):
    """Every path of a tree below `/`, directories too, in the order of the package."""
    return sorted(path.relative_to(tree).as_posix() for path in tree.rglob("*"))


def _tar(members, epoch, compress):
    """A gzipped tar of (name, mode, content or None for a directory or a Path for a link)."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, mode, content in members:
            entry = tarfile.TarInfo(name)
            entry.mtime, entry.mode = epoch, mode
            if content is None:
                entry.type = tarfile.DIRTYPE
                tar.addfile(entry)
            elif isinstance(content, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, content
                tar.addfile(entry)
            else:
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
    return compress(plain.getvalue())


def _data(tree):
    yield "./", 0o755, None
    for name in files(tree):
        path = tree / name
        if path.is_symlink():
            yield f"./{name}", 0o777, os.readlink(path)
        elif path.is_dir():
            yield f"./{name}/", 0o755, None
        else:
            yield f"./{name}", mode(name, path), path.read_bytes()


def mode(name, path):
    """A file's mode: only what is meant to run is executable, whatever the umask of the checkout was."""
    private = name.startswith("etc/config/")
    return 0o755 if path.stat().st_mode & 0o100 else 0o600 if private else 0o644


def _control(folder, fields, tree):
    scripts = {"postinst": POSTINST, "prerm": PRERM}
    own = fields["Package"] == folder.name
    for name in ("postinst", "prerm"):
        if own and (folder / name).exists():
            scripts[f"{name}-pkg"] = (folder / name).read_text()
    text = "".join(f"{name}: {fields[name]}\n" for name in ORDER if name in fields)
    yield "./", 0o755, None
    if own and (folder / "conffiles").exists():
        listed = (folder / "conffiles").read_text()
        for path in listed.split():
            if not (tree / path.lstrip("/")).is_file():
                raise BuildError(f"{folder / 'conffiles'}: the package has no file {path}")
        yield "./conffiles", 0o644, listed.encode()
    yield "./control", 0o644, text.encode()
    for name in sorted(scripts):
        yield f"./{name}", 0o755, scripts[name].encode()


def make(folder, fields, tree, version, architecture, epoch):
    """The package's file name, its control text and its bytes."""
    fields = dict(fields)
    fields.setdefault("Architecture", architecture)
    sizes = (path.stat().st_size for path in tree.rglob("*") if path.is_file() and not path.is_symlink())
    fields |= {
        "Version": version,
        "Source": f"feeds/fwstat/{folder.name}",
        "SourceName": folder.name,
        "Installed-Size": str(sum(sizes)),
        "License": fields.get("License", "Apache-2.0"),
    }
    small = zopfli()
    parts = [
        ("./debian-binary", 0o644, b"2.0\n"),
        ("./data.tar.gz", 0o644, _tar(_data(tree), epoch, small)),
        ("./control.tar.gz", 0o644, _tar(_control(folder, fields, tree), epoch, small)),
    ]
    name = f"{fields['Package']}_{version}_{fields['Architecture']}.ipk"
    control = "".join(f"{key}: {fields[key]}\n" for key in ORDER if key in fields)
    # Its parts are compressed already.
    return name, control, _tar(parts, epoch, lambda plain: gzip.compress(plain, 9, mtime=0))


def source_epoch(root):
    """The time in the packages: SOURCE_DATE_EPOCH, else the commit's."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given:
        return int(given)
    line = ["git", "-C", str(Path(root)), "log", "-1", "--format=%ct"]
    done = subprocess.run(line, capture_output=True, text=True)
    return int(done.stdout) if done.returncode == 0 and done.stdout.strip() else 0
