#!/usr/bin/env python3
"""Reads a store by docs/FORMAT.md alone and prints what it holds as JSON.

Usage: read_store.py DIRECTORY
"""

import datetime
import ipaddress
import json
import os
import re
import sys
import zlib

EPOCH = datetime.date(1970, 1, 1)
CLASSES = ["attempt", "backscatter", "noise", "egress", "login"]
EVERYTHING = 1 << 30


class Reader:
    def __init__(self, data, random=b""):
        self.data, self.at = data, 0
        self.random, self.random_at = random, 0

    def take(self, length):
        if self.at + length > len(self.data):
            raise ValueError("unexpected end")
        self.at += length
        return self.data[self.at - length:self.at]

    def u8(self):
        return self.take(1)[0]

    def number(self):
        value = shift = 0
        while True:
            byte = self.u8()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def numbers(self, count):
        return [self.number() for _ in range(count)]

    def random16(self):
        self.random_at += 2
        if self.random_at > len(self.random):
            raise ValueError("unexpected end of the random bits")
        return big(self.random[self.random_at - 2:self.random_at])

    def nested(self):
        length, random = self.numbers(2)
        self.random_at += random
        return Reader(self.take(length), self.random[self.random_at - random:self.random_at])

    def signed(self):
        value = self.number()
        return value >> 1 if value & 1 == 0 else -(value >> 1) - 1

    def optional(self):
        value = self.number()
        return None if value == 0 else value - 1

    def raw(self):
        return self.take(self.number())

    def text(self):
        return self.raw().decode("utf-8")

    def service(self):
        protocol = self.u8()
        return f"{protocol}/{self.number()}"

    def address(self):
        family = self.u8()
        if family not in (4, 6):
            raise ValueError("an address of no known family")
        return str(ipaddress.ip_address(self.take(4 if family == 4 else 16)))

    def country(self):
        return self.take(2).decode("latin-1")

    def distincts(self, count):
        numbers = [self.optional() for _ in range(count)]
        return [None if number is None else (number, self.number()) for number in numbers]

    def distinct(self):
        return self.distincts(1)[0]

    def done(self):
        return self.at == len(self.data) and self.random_at == len(self.random)


def big(data):
    return int.from_bytes(data, "big")


def sections(data):
    if data[:4] != b"FWST" or data[4] != 1:
        raise ValueError("not a file of version 1")
    count = data[5]
    end = 14 + 14 * count
    if count > 32 or zlib.crc32(data[:end]) != big(data[end:end + 4]):
        raise ValueError("the header's checksum does not match")
    found, offset = {"salt": big(data[6:14])}, end + 4
    for entry in range(14, end, 14):
        kind, deflated = data[entry], data[entry + 1]
        length, raw, crc = (big(data[entry + at:entry + at + 4]) for at in (2, 6, 10))
        body = data[offset:offset + length]
        offset += length
        if raw > 1 << 20 or len(body) != length or zlib.crc32(body) != crc:
            raise ValueError(f"section {kind} is damaged")
        numbers, random = body[:raw], body[raw:]
        if deflated:
            stream = zlib.decompressobj(-15)
            numbers = stream.decompress(body)
            random = stream.unused_data
        if len(numbers) != raw:
            raise ValueError(f"section {kind} has another length")
        found[kind] = numbers
        found[kind, "random"] = random
    return found


def bodies(found, kind):
    reader = Reader(found[kind], found[kind, "random"])
    while not reader.done():
        date, class_number = reader.number(), reader.u8()
        body = reader.nested()
        yield date, CLASSES[class_number], body
        if not body.done():
            raise ValueError("a body is longer than what it says")


def head(reader):
    floor, missing, count = reader.numbers(3)
    return {"floor": floor, "missing": missing, "rows": []}, count


def columns(table, names, values):
    table["rows"] = [dict(zip(names, row)) for row in zip(*values)]
    return table


def totals(reader, summary, *_):
    summary["attempts"], summary["distinct"] = reader.number(), reader.distinct()
    summary["hours"] = reader.numbers(24)
    summary["protocols"] = {reader.u8(): reader.number() for _ in range(reader.number())}
    summary["verdicts"] = reader.numbers(3)


def services(reader, summary, *_):
    table, n = head(reader)
    values = [[reader.service() for _ in range(n)], reader.numbers(n), reader.numbers(n), reader.distincts(n)]
    summary["services"] = columns(table, ["service", "attempts", "error", "distinct"], values)


def hours(name):
    def read(reader, summary, *_):
        for row in summary[name]["rows"][:reader.number()]:
            if reader.u8():
                row["hours"] = reader.numbers(24)
    return read


def sources(reader, summary, date, unit):
    table, n = head(reader)
    addresses = [reader.address() for _ in range(n)]
    attempts, errors = reader.numbers(n), reader.numbers(n)
    tried = [reader.optional() for _ in range(n)]
    first = [reader.optional() for _ in range(n)]
    last = [None if begin is None else begin + reader.number() for begin in first]
    base = (date - 1) * 86400
    instant = lambda units: None if units is None else base + units * unit
    values = [addresses, attempts, errors, tried, map(instant, first), map(instant, last)]
    summary["sources"] = columns(table, ["address", "attempts", "error", "services", "first", "last"], values)


def pairs(reader, summary, *_):
    table, n = head(reader)
    tried, rows = [reader.service() for _ in range(n)], [reader.optional() for _ in range(n)]
    attempts, errors = reader.numbers(n), reader.numbers(n)
    sources = summary.get("sources", {"rows": []})["rows"]
    addresses = [reader.address() if row is None else sources[row]["address"] for row in rows]
    values = [tried, addresses, attempts, errors]
    summary["pairs"] = columns(table, ["service", "address", "attempts", "error"], values)


def countries(reader, summary, *_):
    summary["measured"] = reader.number()
    table, n = head(reader)
    values = [[reader.country() for _ in range(n)], reader.numbers(n), reader.distincts(n)]
    summary["countries"] = columns(table, ["country", "attempts", "distinct"], values)
    table, n = head(reader)
    values = [[reader.service() for _ in range(n)], [reader.country() for _ in range(n)], reader.numbers(n),
              reader.distincts(n)]
    summary["country_services"] = columns(table, ["service", "country", "attempts", "distinct"], values)


def sample(reader, summary, *_):
    bound, n = reader.numbers(2)
    hashes, known = [], 0
    for step in reader.numbers(n):
        known += step << 16 | reader.random16()
        hashes.append(known)
    if sorted(set(hashes)) != hashes or any(known >= bound for known in hashes):
        raise ValueError("a sample is not in order")
    summary["sample"] = {"bound": bound, "sources": {key: (None, []) for key in hashes}}


def sampled(reader, summary, value=None, tried=None):
    rows = summary["sample"]["sources"]
    for key in rows:
        rows[key] = (value() if value else rows[key][0], tried() if tried else rows[key][1])


def sample_countries(reader, summary, *_):
    listed = [reader.country() for _ in range(reader.number())]
    sampled(reader, summary, value=lambda: listed[reader.number()])


def sample_services(reader, summary, *_):
    counts = reader.numbers(len(summary["sample"]["sources"]))
    listed = [reader.service() for _ in range(reader.number())]
    places, counts = iter(reader.numbers(sum(counts))), iter(counts)
    service = lambda place: listed[place - 1] if place else f"{reader.u8()}/{reader.random16()}"
    sampled(reader, summary, tried=lambda: [service(next(places)) for _ in range(next(counts))])


def addresses(reader, summary, *_):
    sample(reader, summary)
    sampled(reader, summary, value=reader.address)
    sample_services(reader, summary)


def rules(reader, summary, *_):
    count = reader.number()
    names = [[reader.text() for _ in range(count)] for _ in ("prefix", "interface", "zone")]
    summary["rules"] = [[*row, attempts] for *row, attempts in zip(*names, reader.numbers(count))]
    if not reader.done():
        inside = {}
        pairs(reader, inside)
        summary["targets"] = inside["pairs"]


KINDS = {3: totals, 4: services, 5: hours("services"), 6: sources, 7: hours("sources"), 8: pairs, 9: countries,
         10: sample, 11: addresses, 19: sample_countries, 20: sample_services, 22: rules}


def days(found, unit):
    read = {}
    for kind in sorted(KINDS.keys() & found.keys()):
        for date, class_name, body in bodies(found, kind):
            KINDS[kind](body, read.setdefault(date, {}).setdefault(class_name, {}), date, unit)
    return read


def month(found, first):
    reader = Reader(found[1])
    detail = reader.u8()
    distinct = {name: reader.distinct() for name in CLASSES}
    totals = {}
    for _ in range(reader.number()):
        date, lost = first + reader.u8(), reader.number()
        classes = {}
        for name in CLASSES:
            attempts = reader.number()
            classes[name] = (attempts, reader.distinct() if attempts else (0, 0))
        totals[date] = (lost, classes)
    if not reader.done():
        raise ValueError("the summary is longer than what it says")
    cells, reader = [], Reader(found.get(2, b""))
    while not reader.done():
        date, bits, attempts, expected, score = reader.numbers(5)
        cells.append({"date": text(date), "service": f"{bits >> 16}/{bits & 0xFFFF}", "attempts": attempts,
                      "expected": expected / 2, "score": score / 10})
    return {"detail": detail, "distinct": distinct, "days": totals, "cells": cells, "rows": days(found, 60)}


def state(raw):
    reader = Reader(raw)
    known = {"serial": reader.number(), "boot": reader.text(), "mark": (reader.optional(), reader.signed()),
             "date": reader.optional(), "clock": (reader.u8(), reader.signed()), "on_flash": reader.u8(),
             "written": reader.number(), "due": reader.number()}
    known["restored"] = [(*reader.numbers(3), reader.text(), reader.number()) for _ in range(reader.number())]
    known["committing"] = reader.optional()
    known["lost"] = [reader.numbers(2) for _ in range(reader.number())]
    if not reader.done():
        raise ValueError("the state is longer than what it says")
    return known


def deletions(raw):
    reader, found = Reader(raw), []
    while not reader.done():
        found.append({"when": reader.signed(), "what": reader.text(), "because": reader.text()})
    return found


def waiting(raw):
    reader = Reader(raw)
    dropped, events = reader.number(), []
    for _ in range(reader.number()):
        moment, address, service = reader.number(), reader.address(), reader.service()
        events.append({"moment": moment, "source": address, "service": service, "class": CLASSES[reader.u8()],
                       "verdict": reader.u8(), "count": reader.number()})
    counts = [reader.numbers(6) for _ in range(reader.number())]
    if not reader.done():
        raise ValueError("more than what waits")
    return {"dropped": dropped, "events": events, "counts": counts}


def text(date):
    return str(EPOCH + datetime.timedelta(days=date))


def files(directory):
    """The files that count: those of a commit that is not finished are newer."""
    commit = os.path.join(directory, "commit")
    found, removed = {}, []
    for folder in (directory, commit):
        for name in os.listdir(folder) if os.path.isdir(folder) else []:
            if os.path.isfile(os.path.join(folder, name)):
                with open(os.path.join(folder, name), "rb") as file:
                    found[name] = file.read()
        if folder == directory and os.path.isfile(os.path.join(commit, "removed")):
            with open(os.path.join(commit, "removed"), encoding="utf-8") as file:
                removed = file.read().split("\n")
            found = {name: data for name, data in found.items() if name not in removed}
    found.pop("removed", None)
    return found


def union(samples):
    bound = min([known["bound"] for known in samples], default=EVERYTHING)
    joined = {}
    for known in samples:
        for key, (country, tried) in known["sources"].items():
            if key < bound:
                joined[key] = (country, joined.get(key, (country, set()))[1] | set(tried))
    return bound, joined


def estimate(samples, wanted=lambda country, tried: True):
    bound, joined = union(samples)
    counted = sum(1 for country, tried in joined.values() if wanted(country, tried))
    return counted if bound == EVERYTHING else round(counted * EVERYTHING / bound)


def main():
    store = {"months": {}, "days": {}, "open": {}, "salts": []}
    found_days = {}
    # The files of days come before that of their month: "-" is less than ".".
    for name, data in sorted(files(sys.argv[1]).items()):
        if re.fullmatch(r"\d{4}-\d\d\.fws", name):
            found = sections(data)
            first = (datetime.date.fromisoformat(name[:7] + "-01") - EPOCH).days
            read = month(found, first)
            if read["detail"] == 0:
                read["rows"] = {date: found_days.get(date, {}) for date in read["days"]}
            samples = [day["attempt"]["sample"] for day in read["rows"].values() if "sample" in day.get("attempt", {})]
            store["months"][name[:7]] = {
                "detail": read["detail"], "distinct": read["distinct"]["attempt"], "cells": read["cells"],
                "estimate": estimate(samples), "telnet": estimate(samples, lambda _, tried: "6/23" in tried),
                "days": {text(date): row for date, row in read["days"].items()},
                "rows": {text(date): row for date, row in read["rows"].items()}}
        elif re.fullmatch(r"\d{4}-\d\d-\d\d\.fws", name):
            found = sections(data)
            found_days |= days(found, 60)
        elif piece := re.fullmatch(r"today-(\d{4}-\d\d-\d\d)-(\d+)\.fws", name):
            found = sections(data)
            store["open"].setdefault(piece[1], []).append({
                "state": state(found[12]), "rows": {text(date): row for date, row in days(found, 1).items()}})
        elif name == "store.fws":
            found = sections(data)
            store["zone"] = found.get(15, b"").decode("utf-8")
            store["deletions"] = deletions(found.get(16, b""))
        elif name == "later.fws":
            found = sections(data)
            store["later"] = waiting(found[13]) if 13 in found else None
        else:
            continue
        store["salts"].append(f"{found['salt']:016x}")
    # A sample's hashes are of no use to others.
    for rows in [month["rows"] for month in store["months"].values()]:
        for day in rows.values():
            for summary in day.values():
                if "sample" in summary:
                    summary["sample"] = {"bound": summary["sample"]["bound"], "sources": len(summary["sample"]["sources"])}
    for pieces in store["open"].values():
        for piece in pieces:
            for day in piece["rows"].values():
                for summary in day.values():
                    summary.pop("sample", None)
    json.dump(store, sys.stdout)


main()
