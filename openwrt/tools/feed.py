"""A folder of packages as an opkg feed: Packages, Packages.gz, sha256sums, and Packages.sig where a key is given."""

import base64
import gzip
import hashlib
import subprocess
import tempfile
from pathlib import Path

from toolchain import BuildError

# An Ed25519 seed as PKCS #8 begins with this.
PKCS8 = bytes.fromhex("302e020100300506032b657004220420")


def write(folder, controls, key=None):
    """`controls`: control text by package file name. `key`: a secret key of usign or signify."""
    entries = []
    for name in sorted(controls):
        content = (folder / name).read_bytes()
        head, description = controls[name].split("Description: ", 1)
        entries.append(
            f"{head}Filename: {name}\nSize: {len(content)}\n"
            f"SHA256sum: {hashlib.sha256(content).hexdigest()}\nDescription: {description}\n"
        )
    index = "".join(entries).encode()
    (folder / "Packages").write_bytes(index)
    (folder / "Packages.gz").write_bytes(gzip.compress(index, 9, mtime=0))
    signature = folder / "Packages.sig"
    signature.unlink(missing_ok=True)
    if key:
        signature.write_text(sign(Path(key), index))
    sums = (f"{hashlib.sha256(path.read_bytes()).hexdigest()} *{path.name}\n" for path in sorted(folder.iterdir())
            if path.is_file() and path.name != "sha256sums")  # fmt: skip
    (folder / "sha256sums").write_text("".join(sums))


def sign(key, message):
    """A signature in the format of usign: algorithm, the key's number, Ed25519."""
    try:
        secret = base64.b64decode(key.read_text().splitlines()[1], validate=True)
    except (OSError, IndexError, ValueError) as error:
        raise BuildError(f"cannot read the key {key}: {error}") from None
    # algorithm 2, kdf 2, rounds 4, salt 16, checksum 8, number 8, seed 32, public 32
    if len(secret) != 104 or secret[:2] != b"Ed" or secret[2:4] != b"BK":
        raise BuildError(f"the key {key} is not a secret key of usign")
    if secret[4:8] != bytes(4):
        raise BuildError(f"the key {key} is locked by a password; usign makes keys without one")
    seed = secret[40:72]
    if hashlib.sha512(secret[40:104]).digest()[:8] != secret[24:32]:
        raise BuildError(f"the key {key} is damaged: its checksum is wrong")
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "key").touch(0o600)
        (Path(place) / "key").write_bytes(PKCS8 + seed)
        (Path(place) / "message").write_bytes(message)
        line = ["openssl", "pkeyutl", "-sign", "-rawin", "-keyform", "DER", "-inkey", f"{place}/key"]
        try:
            done = subprocess.run([*line, "-in", f"{place}/message"], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise BuildError(f"openssl cannot sign: {error}") from None
    number = secret[32:40]
    signed = base64.b64encode(b"Ed" + number + done.stdout).decode()
    return f"untrusted comment: signed by key {number.hex()}\n{signed}\n"
