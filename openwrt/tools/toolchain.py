"""From a row of cross.toml to a program: finds (or, as root on Debian, installs) what that needs, and calls cargo."""

import importlib
import importlib.metadata
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).absolute()

# Debian's Rust with the source of its standard library.
DEBIAN = ["rustc-web", "cargo-web", "rust-web-src"]
# The newest one that links musl's malloc: later ones bring an allocator of their own, which never gives small blocks back.
ZIGLANG = "0.15.2"
# Compresses packages 4 % smaller than zlib. One version, so that the same input gives the same bytes.
ZOPFLI = "0.4.3"


# Of Cargo.toml, for programs that a router runs.
PROFILE = "router"


class BuildError(Exception):
    """A sentence that says what is missing or failed, and what to do."""


def run(arguments, **options):
    """The command's output; BuildError if it fails."""
    try:
        return subprocess.run(arguments, check=True, **options)
    except (OSError, subprocess.CalledProcessError) as error:
        raise BuildError(f"{arguments[0]} failed: {error}") from None


def output(arguments):
    """What the command prints, or None if it cannot."""
    try:
        return subprocess.run(arguments, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def rust():
    """cargo and rustc of a toolchain that has the source of its standard library, as a pair of paths."""
    found = _rust_with_source()
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        install(DEBIAN)
        found = _rust_with_source()
    if found is None:
        raise BuildError(
            "no Rust 1.96 or newer with the source of its standard library: install Debian's "
            + " ".join(DEBIAN)
            + ", or: rustup toolchain install nightly --component rust-src"
        )
    return found


def _rust_with_source():
    candidates = [("cargo", "rustc"), ("/usr/bin/cargo", "/usr/bin/rustc")]
    for name in (output(["rustup", "toolchain", "list"]) or "").split():
        if name.startswith("nightly"):
            candidates += [tuple(output(["rustup", "which", "--toolchain", name, tool]) for tool in ("cargo", "rustc"))]
    for cargo, rustc in candidates:
        if not cargo or not rustc or output([cargo, "--version"]) is None:
            continue
        version = output([rustc, "--version"])
        sysroot = output([rustc, "--print", "sysroot"])
        if version is None or tuple(int(part) for part in version.split()[1].split("-")[0].split(".")[:2]) < (1, 96):
            continue
        if (Path(sysroot) / "lib/rustlib/src/rust/library/std/Cargo.toml").exists():
            return shutil.which(cargo), shutil.which(rustc)
    return None


def install(packages):
    """Debian's packages, as root."""
    print("installing", *packages, file=sys.stderr, flush=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    # Waits for another apt.
    apt = ["apt-get", "-o", "DPkg::Lock::Timeout=300"]
    run([*apt, "update", "-qq"], stdout=sys.stderr)
    line = [*apt, "install", "-y", "-qq", "--no-install-recommends", *packages]
    run(line, env=environment, stdout=subprocess.DEVNULL)


def python_package(requirement):
    """A directory with this package (`name==version`), installed there if need be."""
    place = TARGET / "openwrt" / "python"
    name, version = requirement.split("==")
    if not (place / f"{name}-{version}.dist-info").exists():
        if output([sys.executable, "-m", "pip", "--version"]) is None and os.geteuid() == 0 and shutil.which("apt-get"):
            install(["python3-pip"])
        print("installing", requirement, file=sys.stderr, flush=True)
        pip = [sys.executable, "-m", "pip", "install", "-q", "--upgrade", "--target", str(place)]
        run([*pip, requirement], stdout=sys.stderr)
    return place


def zig():
    """The environment in which `python3 -m ziglang` works."""
    works = [sys.executable, "-m", "ziglang", "version"]
    if output(works) == ZIGLANG:
        return dict(os.environ)
    place = python_package(f"ziglang=={ZIGLANG}")
    return os.environ | {"PYTHONPATH": f"{place}:{os.environ.get('PYTHONPATH', '')}"}


def zopfli():
    """The function that compresses bytes to a gzip file without time or name."""
    try:
        found = importlib.metadata.version("zopfli")
    except importlib.metadata.PackageNotFoundError:
        found = None
    if found != ZOPFLI:
        sys.path.insert(0, str(python_package(f"zopfli=={ZOPFLI}")))
        importlib.invalidate_caches()
    return importlib.import_module("zopfli.gzip").compress


def linker(row, place):
    """A script that links for this row."""
    place.mkdir(parents=True, exist_ok=True)
    script = place / f"link-{row['target']}"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -m ziglang cc -target {row["zig"]} "$@"\n')
    script.chmod(0o755)
    return script


def cargo_environment(row, rustc, profile):
    """What cargo must know for this row. Panics abort at once: their messages would cost a quarter of the program."""
    flags = [
        "-Clink-self-contained=no",
        "-Ctarget-feature=+crt-static",
        f"-Ctarget-cpu={row['cpu']}",
        *(f"-Ctarget-feature={feature}" for feature in row["features"]),
        *([f"-Crelocation-model={row['relocation']}"] if "relocation" in row else []),
        *(f"-Cllvm-args=-{option}" for option in row.get("llvm", [])),
        f"--remap-path-prefix={ROOT}=fwstat",
    ]
    if profile != "test":
        flags += ["-Zunstable-options", "-Cpanic=immediate-abort", "-Cforce-unwind-tables=no"]
        # Only for developers' eyes: where a panic was, and what `{:?}` prints.
        flags += ["-Zlocation-detail=none", "-Zfmt-debug=none"]
    name = row["target"].upper().replace("-", "_")
    environment = zig()
    # Debian's rustc and a stable one know the options of a nightly under this name.
    environment["RUSTC_BOOTSTRAP"] = "1"
    environment["RUSTC"] = rustc
    environment["CARGO_ENCODED_RUSTFLAGS"] = "\x1f".join(flags)
    environment[f"CARGO_TARGET_{name}_LINKER"] = str(linker(row, TARGET / "openwrt"))
    if "run" in row:
        environment[f"CARGO_TARGET_{name}_RUNNER"] = row["run"]
    environment["CARGO_TARGET_DIR"] = str(TARGET / "openwrt" / "cargo")
    # `loaded_part` takes the symbols away, after `openwrt/build --costs` had them.
    environment[f"CARGO_PROFILE_{profile.upper()}_STRIP"] = "none"
    return environment


def cargo(row, profile, arguments):
    """Calls cargo for this row; `arguments` begin with its command."""
    cargo_path, rustc = rust()
    line = [cargo_path, *arguments[:1], "--locked", "--target", row["target"]]
    line += ["-Zbuild-std=std,panic_abort" if profile != "test" else "-Zbuild-std=std,panic_unwind,test"]
    if profile != "test":
        line += ["-Zbuild-std-features=optimize_for_size", "--profile", profile]
    environment = cargo_environment(row, rustc, profile)
    run(line + arguments[1:], env=environment, cwd=ROOT)
    return TARGET / "openwrt" / "cargo" / row["target"] / profile


def binary(row, features=""):
    """The program of this row with its symbols, and these features of Cargo.toml alone."""
    line = ["build", "--bin", "fwstat", "--no-default-features", "--features", features]
    return (cargo(row, PROFILE, line) / "fwstat").read_bytes()


def loaded_part(elf):
    """The file up to the end of its last loaded segment, without section headers: the kernel reads no more."""
    wide, big = elf[4] == 2, elf[5] == 2
    order = ">" if big else "<"
    headers = struct.unpack_from(order + ("Q" if wide else "I"), elf, 32 if wide else 28)[0]
    size, number = struct.unpack_from(order + "HH", elf, 54 if wide else 42)
    end = 0
    for place in range(headers, headers + size * number, size):
        kind = struct.unpack_from(order + "I", elf, place)[0]
        offset, length = (
            struct.unpack_from(order + "Q24xQ", elf, place + 8)
            if wide
            else struct.unpack_from(order + "I8xI", elf, place + 4)
        )
        if kind == 1:  # PT_LOAD
            end = max(end, offset + length)
    cut = bytearray(elf[:end])
    # Where the section headers are, their number, and the one with the names.
    struct.pack_into(order + ("Q" if wide else "I"), cut, 40 if wide else 32, 0)
    struct.pack_into(order + "HH", cut, 60 if wide else 48, 0, 0)
    return bytes(cut)
