"""What the program's parts cost: bytes of code and data by crate, from the symbols of an unstripped program.

Code belongs to the crate that wrote it: a function of serde_json made for a struct of ours counts as serde_json.
"""

import re
import struct

# The first crate of a name mangled as RFC 2603 says: C, a number that tells apart equal names, length, name.
CRATE = re.compile(r"C(?:s[0-9a-zA-Z]*_)?([0-9]+)_?([a-zA-Z_].*)")
RUST = {"core", "alloc", "std", "compiler_builtins", "rustc_std_workspace_core", "panic_abort", "unwind", "hashbrown"}


def crate(symbol):
    """The crate of a symbol; `(musl)` for what the C library and the compiler bring."""
    if not symbol.startswith("_R"):
        return "(musl)"
    found = CRATE.search(symbol)
    if not found:
        return "(std)"
    name = found[2][: int(found[1])]
    return "(std)" if name in RUST else name


def symbols(elf):
    """Name and size of every function and object that is in the file (.bss is not); of those at one place, one."""
    wide, big = elf[4] == 2, elf[5] == 2
    order = ">" if big else "<"
    sections, size, number = (
        struct.unpack_from(order + "Q10xHH", elf, 40)[0] if wide else struct.unpack_from(order + "I", elf, 32)[0],
        *struct.unpack_from(order + "HH", elf, 58 if wide else 46),
    )
    shape = order + ("IIQQQQIIQQ" if wide else "IIIIIIIIII")
    heads = [struct.unpack_from(shape, elf, sections + size * place) for place in range(number)]
    for head in heads:
        if head[1] != 2:  # SHT_SYMTAB
            continue
        names = heads[head[6]]
        step = 24 if wide else 16
        seen = set()
        for place in range(head[4], head[4] + head[5], step):
            if wide:
                name, info, section, value, length = struct.unpack_from(order + "IBxHQQ", elf, place)
            else:
                name, value, length, info, section = struct.unpack_from(order + "IIIBxH", elf, place)
            empty = section < number and heads[section][1] == 8  # SHT_NOBITS
            if info & 15 in (1, 2) and value not in seen and not empty:
                seen.add(value)
                start = names[4] + name
                yield elf[start : elf.index(b"\0", start)].decode(), length


def by_crate(elf):
    """Bytes by crate, most first."""
    sums = {}
    for name, length in symbols(elf):
        sums[crate(name)] = sums.get(crate(name), 0) + length
    return sorted(sums.items(), key=lambda row: -row[1])
