"""A made-up fleet for trying things out and for tests: the same every time, with all that it is made of at hand.

Addresses are made up, too; they lie in ranges that are in use, so no name or country of theirs means anything.
"""

import bisect
import gzip
import ipaddress
import itertools
import json
import random
from datetime import datetime, timedelta, timezone

SITES = ("Berlin", "Osaka", "Lisboa", "Tartu")
SERVICES = (
    (6, 23), (6, 22), (6, 445), (6, 8080), (6, 3389), (6, 80), (6, 443), (6, 2323), (6, 5555), (17, 5060), (6, 1433),
    (6, 8443), (17, 1900), (6, 7547), (17, 123), (17, 53), (6, 3306), (6, 6379), (1, 0), (6, 81), (6, 25), (6, 21),
    (17, 161), (6, 9200), (6, 5432), (6, 8291), (17, 11211), (6, 2222), (6, 5900), (6, 37215), (58, 0), (17, 389),
)  # fmt: skip
COUNTRIES = ("CN", "US", "NL", "RU", "BR", "IN", "VN", "DE", "KR", "TW", "FR", "GB", "")
SCANNERS, STRANGERS = 400, 60_000
# On this day before the last one a flood of UDP 1900 reaches every router.
FLOOD_BEFORE = 9
WEIGHTS = list(itertools.accumulate(1 / (1 + place) for place in range(len(SERVICES))))


def address(number):
    """A source by its number: every tenth has IPv6."""
    mixed = number * 2654435761 % (1 << 32)
    if number % 10 == 9:
        return str(ipaddress.IPv6Address((0x2A00_0000 + number % 4096 << 96) + mixed))
    # 20.0.0.0 to 99.255.255.255: no private or special range lies in it.
    return str(ipaddress.IPv4Address((20 << 24) + mixed % (80 << 24)))


def country(number):
    return COUNTRIES[number * 40503 % 65537 % len(COUNTRIES)]


class Fleet:
    """`routers` routers over `days` days that end with `last_day` (default: yesterday, UTC)."""

    def __init__(self, routers, days, last_day=None, pairs=120):
        self.routers = range(1, routers + 1)
        self.last_day = last_day or datetime.now(timezone.utc).date() - timedelta(days=1)
        self.days = [self.last_day - timedelta(days=back) for back in range(days - 1, -1, -1)]
        self.pairs = pairs

    def events(self, router, day):
        """What the router saw: {(class, protocol, port, number of the source): attempts}."""
        back = (self.last_day - day).days
        dice = random.Random(f"{router}/{back}")
        seen = {}

        def add(name, service, source, attempts):
            key = (name, *service, source)
            seen[key] = seen.get(key, 0) + attempts

        for _ in range(self.pairs):
            place = bisect.bisect_left(WEIGHTS, dice.random() * WEIGHTS[-1])
            source = dice.randrange(SCANNERS) if dice.random() < 0.4 else SCANNERS + dice.randrange(STRANGERS)
            add("attempt", SERVICES[place], source, 1 + int(dice.expovariate(0.3)))
        if back == FLOOD_BEFORE:
            for source in range(SCANNERS, SCANNERS + 30):
                add("attempt", (17, 1900), source, 500 + dice.randrange(50))
        for _ in range(dice.randrange(4)):
            add("login", (6, 22), dice.randrange(SCANNERS), 1 + dice.randrange(20))
        for _ in range(dice.randrange(6)):
            add("backscatter", (6, 443), SCANNERS + dice.randrange(STRANGERS), 1)
        if router % 7 == 3 and back % 3 == 0:
            add("egress", (6, 23), 0, 40 + dice.randrange(100))
        return seen

    def sent(self, router, day):
        """When the router made the batch: within a minute after its midnight (nine hours before UTC's)."""
        midnight = datetime(day.year, day.month, day.day, tzinfo=timezone.utc) + timedelta(hours=15)
        return int(midnight.timestamp()) + router * 7919 % 60

    def incomplete(self, router, day):
        """Attempts of sources that a full table did not keep: in the totals, not in the pairs."""
        return 1000 if (router * 31 + (self.last_day - day).days) % 50 == 0 else 0

    def lines(self, router, day, sent=None, events=None):
        """The lines of a batch, as objects."""
        events = self.events(router, day) if events is None else events
        head = {"format": 1, "day": str(day), "sent": sent or self.sent(router, day)}
        lines = []
        for name in sorted({key[0] for key in events}):
            own = {key: count for key, count in events.items() if key[0] == name}
            unseen = self.incomplete(router, day) if name == "attempt" else 0
            attempts = sum(own.values()) + unseen
            hours = [attempts // 24 + (hour < attempts % 24) for hour in range(24)]
            lines.append({
                **head, "kind": "day", "class": name, "attempts": attempts,
                "sources": len({key[3] for key in own}), "complete": int(not unseen), "lost": 0, "offset": 540,
                "version": "0.2.0", "hours": hours,
            })  # fmt: skip
            for (_, protocol, port, source), count in own.items():
                place = ("192.168.1.7", "") if name == "egress" else (address(source), country(source))
                lines.append({
                    **head, "kind": "pair", "class": name, "protocol": protocol, "port": port, "source": place[0],
                    "country": place[1], "attempts": count,
                })  # fmt: skip
        return lines

    def batch(self, router, day, sent=None, events=None):
        """The batch as it lies in the router's spool."""
        text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in self.lines(router, day, sent, events))
        return gzip.compress(text.encode(), 6, mtime=0)

    def batches(self):
        """(router, day, sent, batch) of the whole fleet, day by day."""
        for day in self.days:
            for router in self.routers:
                yield router, day, self.sent(router, day), self.batch(router, day)


