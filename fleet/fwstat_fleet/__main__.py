"""The command line of fwstat-fleet."""

import argparse
import ipaddress
import os
import sys

from . import store
from .batch import BatchError, check
from .engine import EngineError, Running, open_engine
from .registry import Registry

FORMATS = {"table": "PrettyCompactMonoBlock", "csv": "CSVWithNames", "json": "JSONEachRow", "tsv": "TabSeparatedWithNames"}


def arguments():
    parser = argparse.ArgumentParser(
        prog="fwstat-fleet",
        description="One table over many fwstat routers.",
        epilog="queries:\n" + "".join(f"  {name:16}{text}\n" for name, text in store.questions().items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--data", metavar="DIR", default=os.environ.get("FWSTAT_FLEET_DATA", "fwstat-fleet-data"),
        help="the fleet's directory: routers, tokens, the embedded engine (default: $FWSTAT_FLEET_DATA or %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--server", metavar="URL", default=os.environ.get("FWSTAT_FLEET_SERVER"),
        help="a ClickHouse server, http[s]://[user@]host[:port][/database], instead of the embedded engine; the password "
        "is read from $CLICKHOUSE_PASSWORD",
    )  # fmt: skip
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name, text):
        return commands.add_parser(name, help=text, description=text)

    command("init", "make the directory and the tables; again: add what is missing")
    enroll = command("enroll", "add a router and print its number and token")
    enroll.add_argument("name")
    enroll.add_argument("--site", default="")
    revoke = command("revoke", "take a router's token away")
    revoke.add_argument("router", type=int)
    revoke.add_argument("--forget", action="store_true", help="delete what it sent, too, and make the roll-ups anew")
    serve = command("serve", "take batches over HTTP, roll them up, give the list of shared bad sources")
    serve.add_argument("--listen", metavar="ADDRESS:PORT", default="127.0.0.1:8040", help="default: %(default)s")
    serve.add_argument(
        "--proxy", action="store_true",
        help="a proxy checks the tokens and names the router in X-Fwstat-Router; only on loopback",
    )  # fmt: skip
    serve.add_argument("--rollup-every", metavar="SECONDS", type=int, default=600, help="0: never; default: %(default)s")
    serve.add_argument("--shared-routers", metavar="N", type=int, default=2, help="the least routers of a shared bad source")
    load = command("import", "read batches and exports (*.ndjson, *.ndjson.gz; - for stdin), then roll them up")
    load.add_argument("files", nargs="+", metavar="FILE")
    load.add_argument("--router", type=int, help="whose they are; without it the folder of each file is the router's number")
    command("rollup", "make the roll-ups of the days that batches have reached since their last one")
    ask = command("ask", "answer a query (see fwstat-fleet --help)")
    ask.add_argument("question", choices=store.questions(), metavar="QUERY")
    ask.add_argument("--format", choices=FORMATS, default="table")
    for name, value in store.defaults().items():
        kind = int if isinstance(value, int) or name == "router" else str
        ask.add_argument(f"--{name}", type=kind, help=None if value is None else f"default: {value}")
    demo = command("demo", "import a made-up fleet, which is the same every time, and show a first table")
    demo.add_argument("--routers", type=int, default=20)
    demo.add_argument("--days", type=int, default=70)
    return parser.parse_args()


def load(engine, files, router, say):
    """Reads batches in the order of their names, so that corrections come after what they correct."""
    refused = 0

    def batches():
        nonlocal refused
        for name in files:
            of = router or (int(folder) if (folder := os.path.basename(os.path.dirname(name))).isdigit() else 0)
            if not of:
                sys.exit(f"fwstat-fleet: {name}: whose is it? Give --router, or put it into a folder with the router's number")
            try:
                if name == "-":
                    data = sys.stdin.buffer.read()
                else:
                    with open(name, "rb") as file:
                        data = file.read()
                yield check(data, of, most_bytes=1 << 30, most_lines=10_000_000)
            except (BatchError, OSError) as error:
                say(f"{name}: {error}: left out")
                refused += 1

    store.insert_all(engine, batches())
    return len(files) - refused, refused


def rollup(engine, registry, say):
    registry.write_table(engine)
    made, expired = store.rollup(engine, lambda first, last: say(f"rolled up {first} to {last}"))
    for day in expired:
        say(f"{day}: not rolled up: pairs of its routers have expired")
    return made


def become_owner(directory):
    """As root: acts as the owner of the directory, since a service that runs as that user cannot read root's files."""
    owner = os.stat(directory)
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.setgroups([])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)


def run(options, say):
    if options.server and options.command == "demo":
        sys.exit("fwstat-fleet: demo fills the embedded engine alone")
    os.makedirs(options.data, mode=0o700, exist_ok=True)
    become_owner(options.data)
    registry = Registry(options.data)
    if options.command == "enroll":
        router, token = registry.enroll(options.name, options.site)
        print(f"router {router}\ntoken  {token}")
        return 0
    if options.command == "revoke":
        if not registry.revoke(options.router) and not options.forget:
            sys.exit(f"fwstat-fleet: router {options.router} has no token")
        if not options.forget:
            return 0

    engine = open_engine(options.data, options.server)
    try:
        if options.command in ("init", "serve", "demo", "import"):
            store.init(engine)
        if options.command == "import":
            taken, refused = load(engine, options.files, options.router, say)
            rollup(engine, registry, lambda text: None if text.startswith("rolled up") else say(text))
            print(f"{taken} files imported, {refused} left out")
            return 1 if refused else 0
        if options.command == "revoke":
            days, kept = store.forget(engine, options.router)
            for day in kept:
                say(f"{day}: its figures stay in the roll-ups of that day: pairs of that day have expired")
            print(f"{days} days of router {options.router} deleted")
        elif options.command == "rollup":
            print(f"{rollup(engine, registry, say)} days rolled up")
        elif options.command == "ask":
            given = {name: getattr(options, name) for name in store.defaults()}
            given = {name: value for name, value in given.items() if value is not None}
            print(store.ask(engine, options.question, given, FORMATS[options.format]), end="")
        elif options.command == "demo":
            demo(engine, registry, options, say)
        elif options.command == "serve":
            return serve(engine, registry, options)
    finally:
        engine.close()
    return 0


def demo(engine, registry, options, say):
    from . import made_up

    fleet = made_up.Fleet(options.routers, options.days)
    if registry.routers():
        sys.exit(f"fwstat-fleet: {options.data} has routers already: give another --data for the made-up ones")
    for router in range(1, options.routers + 1):
        registry.enroll(f"made-up-{router}", made_up.SITES[router % len(made_up.SITES)])
    say(f"making and importing {options.routers} routers, {options.days} days, up to {fleet.last_day}")
    store.insert_all(engine, (check(data, router) for router, _, _, data in fleet.batches()))
    rollup(engine, registry, lambda text: None)
    print(store.ask(engine, "ports", {"limit": 10}), end="")
    print(f"\nMore: fleet/fwstat-fleet --data {options.data} ask months; all queries: fleet/fwstat-fleet --help")


def serve(engine, registry, options):
    from . import serve as service

    if isinstance(engine, Running):
        sys.exit(f"fwstat-fleet: another `serve` is running with --data {options.data}")
    host, _, port = options.listen.rpartition(":")
    host = host.strip("[]")
    try:
        loopback = ipaddress.ip_address(host).is_loopback
        port = int(port)
    except ValueError:
        sys.exit(f"fwstat-fleet: --listen {options.listen}: not ADDRESS:PORT")
    if options.proxy and not loopback:
        sys.exit("fwstat-fleet: --proxy trusts X-Fwstat-Router: it may listen on a loopback address alone")
    if not loopback:
        print("fwstat-fleet: tokens and batches cross the network without TLS", file=sys.stderr)
    shared = (options.shared_routers, 3, 4096)
    service.run(service.Service(engine, registry, options.proxy, shared), options.data, host, port, options.rollup_every)
    return 0


def main():
    options = arguments()
    try:
        return run(options, lambda text: print(text, file=sys.stderr))
    except (EngineError, OSError, ValueError) as error:
        print(f"fwstat-fleet: {error}", file=sys.stderr)
        return 1


sys.exit(main())
