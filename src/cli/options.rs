//! The commands and their options, one row each. The parser, its error messages and `--help` use these tables.

/// One option of the command line.
#[derive(PartialEq, Eq, Debug)]
pub struct OptionRow {
    /// Its name without the leading `--`, and the placeholder of its value if it has one.
    pub usage: &'static str,
    pub repeatable: bool,
    /// With its default in `[...]`.
    pub meaning: &'static str,
}

const fn option(usage: &'static str, meaning: &'static str) -> OptionRow {
    OptionRow { usage, repeatable: false, meaning }
}

const fn repeatable(usage: &'static str, meaning: &'static str) -> OptionRow {
    OptionRow { usage, repeatable: true, meaning }
}

pub static FROM: OptionRow = option(
    "from DATE",
    "first day, YYYY-MM-DD [default: today; with --to, --db, in reports and for months the first day of the data]",
);
pub static TO: OptionRow = option(
    "to DATE",
    "last day, YYYY-MM-DD [default: today; with --from, --db, in reports and for months the last day of the data]",
);
pub static CLASS: OptionRow = option(
    "class CLASS",
    "what to count: attempt (new connections from outside), backscatter (late or stray replies), \
     noise (multicast, broadcast), egress (from the inside) or login (failed logins) [default: attempt]",
);
pub static PROTOCOL: OptionRow =
    option("protocol NAME", "only this protocol: tcp, udp, icmp, icmpv6, ... or its number [default: any]");
pub static PORT: OptionRow = option(
    "port N",
    "only this destination port, of the given protocol or of any that has ports [default: any]",
);
pub static SOURCE: OptionRow =
    option("source ADDRESS", "only this source: an address, or a prefix such as 192.0.2.0/24 [default: any]");
pub static COUNTRY: OptionRow =
    option("country CC", "only sources from this country, two letters such as JP [default: any]");
pub static MIN: OptionRow = option("min N", "leave out rows with a smaller count [default: 0]");
pub static LIMIT: OptionRow = option("limit N", "maximum number of rows, 1 to 1000 [default: 10]");
pub static FILTER: OptionRow = option(
    "filter TERMS",
    "only events for which all terms hold: class:, port:, protocol:, zone:, verdict:, source:, destination: with a \
     value, or a word of the log line; ! negates a term [default: all]",
);
pub static CURSOR: OptionRow =
    option("cursor N", "only events after this cursor, from an earlier answer [default: 0]");
pub static JSON: OptionRow = option("json", "print the answer as one JSON object");
pub static TEST: OptionRow = option("test", "send a test to everything that is configured");
pub static DB: OptionRow =
    option("db DIR", "ask the store in this directory, without a daemon [default: ask the running daemon]");
pub static COUNTRIES: OptionRow = option(
    "country-database FILE",
    "MMDB file with countries [default: /usr/share/fwstat/country.mmdb, if it is there]",
);
pub static NETWORKS: OptionRow =
    option("as-database FILE", "MMDB file with AS numbers and names [default: none]");
pub static BEFORE: OptionRow =
    option("before DATE", "delete everything before this day, YYYY-MM-DD; at most today");
pub static FORGOTTEN: OptionRow =
    option("source ADDRESS", "delete the rows of this source: an address, or a prefix such as 192.0.2.0/24");
pub static STORE: OptionRow =
    option("db DIR", "directory of a store without a daemon [default: the running daemon's store]");
pub static TIMEZONE: OptionRow = option(
    "timezone ZONE",
    "local time zone, a POSIX one such as JST-9 or, with fwstat-full, a name such as Asia/Tokyo [default: the system's]",
);
pub static UBUS: OptionRow = option("ubus SOCKET", "socket of ubusd [default: /var/run/ubus/ubus.sock]");
pub static YEAR: OptionRow = option(
    "year YYYY",
    "year of the first line, for logs whose dates have none [default: from the file's time]",
);
pub static WAN: OptionRow =
    repeatable("wan IFACE", "WAN interface, repeatable [default: guessed from log prefixes and names]");
pub static LAN: OptionRow =
    repeatable("lan IFACE", "LAN interface, repeatable; without --wan all others are WAN interfaces");
pub static FIREWALL: OptionRow = option(
    "firewall FILE",
    "/etc/config/firewall of the router that wrote the log, to know which of its rules let packets pass [default: none]",
);
pub static FOR: OptionRow = option(
    "for TIME",
    "how long, such as 90s, 10m, 1h or 7d, or forever (until unblocked) [default: option block_for; for imported \
         lists forever]",
);
pub static IMPORT: OptionRow = option("import FILE", "add the addresses of this file to the list");
pub static APPEND: OptionRow = option("append FILE", "append the addresses of the list that this file lacks");
pub static ALL: OptionRow = option("all", "also what the guard's rules block now [default: by hand only]");
pub static REASON: OptionRow = option("reason TEXT", "why, shown with the block [default: none]");
pub static CONFIG: OptionRow = option("config FILE", "configuration [default: /etc/config/fwstat]");
pub static RUN: OptionRow =
    option("run DIR", "directory in RAM for the daemon's files [default: /var/run/fwstat]");
pub static FORMAT: OptionRow = option("format FORMAT", "prometheus, json, csv or ndjson (required)");

pub static MONTH: OptionRow =
    option("month YYYY-MM", "report this month of the running daemon or of a store, instead of log files");
pub static FORM: OptionRow = option("format FORMAT", "of the month: text or html [default: text]");
pub static LANG: OptionRow = option("lang LANG", "language of the month's report: en or ja [default: en]");
pub static ADDRESSES: OptionRow =
    option("addresses", "show whole addresses in the month's report [default: 192.0.x.x]");

/// One command of the command line.
#[derive(PartialEq, Eq, Debug)]
pub struct CommandRow {
    /// Its name and its operands.
    pub usage: &'static str,
    /// For the list of commands.
    pub brief: &'static str,
    /// For the command's own help.
    pub about: &'static str,
    pub options: &'static [&'static OptionRow],
    pub examples: &'static [&'static str],
}

/// The options of questions about counts.
static COUNTS: [&OptionRow; 15] = [
    &FROM, &TO, &CLASS, &PROTOCOL, &PORT, &SOURCE, &COUNTRY, &MIN, &LIMIT, &JSON, &DB, &TIMEZONE, &COUNTRIES,
    &NETWORKS, &UBUS,
];

/// All commands, in the order of the help.
pub static COMMANDS: [CommandRow; 29] = [
    CommandRow {
        usage: "summary",
        brief: "totals, top services and sources, anomalies",
        about: "How many connection attempts from outside the firewall refused, how many a day, the change against \
                the preceding period of the same length, from how many different sources, and the first rows of \
                the other tables.",
        options: &COUNTS,
        examples: &["fwstat summary", "fwstat summary --db /mnt/fwstat --from 2020-04-01 --to 2020-04-10"],
    },
    CommandRow {
        usage: "services",
        brief: "services by attempts, with the usual aim of attacks",
        about: "Services (protocol and port), most attempts first, with the number of different sources and \
                what attacks on them usually want. A count marked ~ may be too high by at most the figure \
                below the table.",
        options: &COUNTS,
        examples: &["fwstat services --min 100", "fwstat services --source 198.51.100.7 --limit 50"],
    },
    CommandRow {
        usage: "sources",
        brief: "sources by attempts",
        about: "Source addresses, most attempts first: how often, how many different services, when first \
                and last. With --class egress: which of your own devices send packets that the firewall \
                refuses.",
        options: &COUNTS,
        examples: &[
            "fwstat sources --protocol udp --port 1900 --from 2020-04-06 --to 2020-04-06",
            "fwstat sources --class egress",
        ],
    },
    CommandRow {
        usage: "source ADDRESS",
        brief: "one source: services, hours, days, evidence",
        about: "One address: how often and when it tried, which services, by hour of the day and by day, \
                its newest log lines, and whether it is blocked.",
        options: &[&FROM, &TO, &CLASS, &LIMIT, &JSON, &DB, &TIMEZONE, &COUNTRIES, &NETWORKS, &UBUS],
        examples: &["fwstat source 198.51.100.7", "fwstat source 2001:db8::7 --db /mnt/fwstat"],
    },
    CommandRow {
        usage: "hours",
        brief: "attempts by hour of the day",
        about: "Attempts by hour of the local day, summed over the range.",
        options: &COUNTS,
        examples: &["fwstat hours --port 23", "fwstat hours --source 198.51.100.7 --from 2020-04-06"],
    },
    CommandRow {
        usage: "days",
        brief: "attempts by day",
        about: "Attempts and different sources for each day of the range. Days without data are left out.",
        options: &COUNTS,
        examples: &["fwstat days --from 2020-04-01 --to 2020-04-10"],
    },
    CommandRow {
        usage: "months",
        brief: "attempts by month, compared with the year before",
        about: "Attempts a day by month, compared with the same month of the year before, with all attempts \
                and without the anomalies (services with far more attempts on a day than on others).",
        options: &COUNTS,
        examples: &["fwstat months --from 2019-01-01"],
    },
    CommandRow {
        usage: "countries",
        brief: "attempts by country of the source",
        about: "Attempts and different sources by country. Needs a country database (option country_database).",
        options: &COUNTS,
        examples: &["fwstat countries --port 23 --limit 5"],
    },
    CommandRow {
        usage: "rules",
        brief: "attempts by firewall rule, zone and host inside",
        about: "Attempts by firewall rule (log prefix and input interface) and by zone, and the hosts and \
                ports inside that forwarded attempts were aimed at. A packet that two rules logged counts \
                for the first.",
        options: &[&FROM, &TO, &CLASS, &MIN, &LIMIT, &JSON, &DB, &TIMEZONE, &UBUS],
        examples: &["fwstat rules", "fwstat rules --class egress --from 2020-04-01 --to 2020-04-10"],
    },
    CommandRow {
        usage: "asns",
        brief: "attempts by autonomous system of the source",
        about: "Attempts by autonomous system (AS), of those sources that have rows. Needs a database of AS numbers \
                (option as_database).",
        options: &COUNTS,
        examples: &["fwstat asns --limit 5", "fwstat asns --db /mnt/fwstat --as-database /mnt/asn.mmdb"],
    },
    CommandRow {
        usage: "anomalies",
        brief: "services with far more attempts than usual, by day",
        about: "Which service had far more attempts on a day than it usually has, highest score first. The score \
                is the distance from the usual in robust standard deviations.",
        options: &COUNTS,
        examples: &["fwstat anomalies --from 2020-01-01"],
    },
    CommandRow {
        usage: "recent",
        brief: "the newest refused packets and their log lines",
        about: "The newest refused packets with their log lines, from the daemon's RAM. The cursor at the \
                end, passed with --cursor, returns what followed.",
        options: &[&CLASS, &PROTOCOL, &PORT, &SOURCE, &COUNTRY, &FILTER, &LIMIT, &CURSOR, &JSON, &UBUS],
        examples: &["fwstat recent --limit 50", "fwstat recent --filter port:22"],
    },
    CommandRow {
        usage: "blocks",
        brief: "blocked sources, with reason and expiry",
        about: "Which sources the guard blocks now, since when, until when, why, and on what evidence; then \
                the last blocks that ended.",
        options: &[&SOURCE, &LIMIT, &JSON, &UBUS],
        examples: &["fwstat blocks"],
    },
    CommandRow {
        usage: "status",
        brief: "state of the daemon: inputs, losses, clock, store",
        about: "What the running daemon received, lost, counted as duplicate or could not parse; its clock, \
                store, memory and warnings.",
        options: &[&JSON, &UBUS],
        examples: &["fwstat status"],
    },
    CommandRow {
        usage: "report FILE...",
        brief: "print all tables of log files",
        about: "Reads log files (plain or .gz, in any order; '-' is standard input) and prints summary, \
                months, services, sources, anomalies, hours and firewall rules. Stores nothing. With \
                --month and without files: a month of the running daemon or of a store, as text or as a web \
                page to forward.",
        options: &[
            &FROM, &TO, &CLASS, &MIN, &LIMIT, &JSON, &TIMEZONE, &YEAR, &WAN, &LAN, &FIREWALL, &COUNTRIES,
            &MONTH, &FORM, &LANG, &ADDRESSES, &DB, &UBUS,
        ],
        examples: &[
            "fwstat report /var/log/messages*",
            "fwstat report --month 2020-04 --format html > april.html",
            "logread | fwstat report --wan pppoe-wan -",
        ],
    },
    CommandRow {
        usage: "import FILE...",
        brief: "read log files into a store",
        about: "Reads log files (plain or .gz, in any order; '-' is standard input) into the store of the \
                running daemon, or into the one in DIR, which is created if necessary, and prints the \
                numbers of lines, events, malformed, duplicates and skipped. A file that is imported twice \
                counts once. A log that the daemon counted itself counts twice; the days are named.",
        options: &[&STORE, &TIMEZONE, &YEAR, &WAN, &LAN, &FIREWALL, &COUNTRIES, &UBUS],
        examples: &["fwstat import --db /mnt/fwstat --timezone JST-9 router.log.*.gz router.log"],
    },
    CommandRow {
        usage: "backup FILE",
        brief: "write all statistics to one file",
        about: "Writes the whole store of the running daemon, or that in DIR, to one file (.tar.gz; '-' is standard \
                output), with the blocked networks and countries. Settings are in OpenWrt's own backup; the guard's blocks \
                of single sources end by themselves and are left out.",
        options: &[&STORE, &JSON, &UBUS],
        examples: &["fwstat backup /tmp/fwstat.tar.gz", "fwstat backup - --db /mnt/fwstat > fwstat.tar.gz"],
    },
    CommandRow {
        usage: "restore FILE",
        brief: "add what the store lacks from a backup",
        about: "Reads a backup ('-' is standard input), checks it to its last byte, and adds the days that the store \
                has not; of a day that both have, what counted more. Blocked networks and countries are added, unless \
                their block is over; of one that both have, the block that ends later stays. Nothing that the store \
                has is lost, today's counts included. A damaged backup, or one of a newer version, changes nothing.",
        options: &[&STORE, &JSON, &UBUS],
        examples: &["fwstat restore /tmp/fwstat.tar.gz"],
    },
    CommandRow {
        usage: "forget [ADDRESS]",
        brief: "delete old days, or the rows of a source",
        about: "Deletes all days before a date, or the rows of a source (--source, or ADDRESS) on all days with its \
                newest log lines. Totals, which do not identify anybody, and a block of the source remain. What was \
                deleted is listed in 'fwstat status'.",
        options: &[&BEFORE, &FORGOTTEN, &STORE, &JSON, &UBUS],
        examples: &["fwstat forget --before 2020-01-01", "fwstat forget --source 198.51.100.7"],
    },
    CommandRow {
        usage: "export",
        brief: "stored data for other programs",
        about: "Writes the stored data to standard output: all stored days as JSON or CSV, counts for \
                Prometheus, or as NDJSON what the server of a fleet gets, for the days from --from to --to \
                that are still stored [default: the last 400 days].",
        options: &[&FORMAT, &FROM, &TO, &DB, &TIMEZONE, &COUNTRIES, &UBUS],
        examples: &[
            "fwstat export --format csv --db /mnt/fwstat > days.csv",
            "fwstat export --format ndjson --from 2026-11-01",
        ],
    },
    CommandRow {
        usage: "block ADDRESS",
        brief: "block an address, a network or a country",
        about: "Asks the daemon's guard to block an address, a prefix or a country (its two letters), for a \
                time or until unblocked. It refuses what contains the router's own addresses, its gateways \
                or servers, peers of the inside, or reserved addresses; allowed addresses are excluded.",
        options: &[&FOR, &REASON, &UBUS],
        examples: &[
            "fwstat block 198.51.100.7 --for 1h --reason 'guesses passwords'",
            "fwstat block 203.0.113.0/24 --for forever",
        ],
    },
    CommandRow {
        usage: "unblock ADDRESS",
        brief: "end a block",
        about: "Asks the daemon's guard to end the block of an address, a prefix or a country.",
        options: &[&UBUS],
        examples: &["fwstat unblock 198.51.100.7"],
    },
    CommandRow {
        usage: "guard-test ADDRESS",
        brief: "whether the guard would block an address",
        about: "Asks the daemon's guard whether its rules would block an address, or whether a prefix or a \
                country could be blocked, or what protects it. Nothing is changed.",
        options: &[&UBUS],
        examples: &["fwstat guard-test 198.51.100.7"],
    },
    CommandRow {
        usage: "blocklist",
        brief: "print, import or export the block list",
        about: "Prints what is blocked by hand, one address or prefix a line. --import blocks the entries \
                of a file with this format, --append adds what is blocked to such a file. Other lines are \
                kept in the file, and reported at an import. banIP's local lists have this format.",
        options: &[&IMPORT, &APPEND, &ALL, &FOR, &UBUS],
        examples: &[
            "fwstat blocklist > blocked.txt",
            "fwstat blocklist --import /etc/banip/banip.blocklist",
            "fwstat blocklist --append /etc/banip/banip.blocklist",
        ],
    },
    CommandRow {
        usage: "allowlist",
        brief: "print, import or export the allow list",
        about: "Prints the guard's option allow, one address or prefix a line. --import adds the entries of \
                a file with this format to the option (with uci), --append adds the option's addresses to \
                such a file.",
        options: &[&IMPORT, &APPEND, &CONFIG],
        examples: &["fwstat allowlist > allowed.txt", "fwstat allowlist --import /etc/banip/banip.allowlist"],
    },
    CommandRow {
        usage: "commit",
        brief: "write the store to flash now",
        about: "Asks the daemon to write the store to flash now, before its interval ends.",
        options: &[&UBUS],
        examples: &["fwstat commit"],
    },
    CommandRow {
        usage: "check",
        brief: "check the configuration and the router",
        about: "Checks the configuration and whether the router logs what it refuses, and says what is \
                missing and how to configure it. Changes nothing.",
        options: &[&CONFIG, &UBUS, &RUN],
        examples: &["fwstat check"],
    },
    CommandRow {
        usage: "notify",
        brief: "send a test message",
        about: "Runs every script of the notifier that is configured with a test event and prints how each ended: \
                fails if one did.",
        options: &[&TEST],
        examples: &["fwstat notify --test"],
    },
    CommandRow {
        usage: "daemon",
        brief: "run the daemon (started by procd)",
        about: "Counts refused packets and answers over ubus. Stays in the foreground, logs to standard \
                error, commits the store on SIGTERM, reloads the configuration on SIGHUP.",
        options: &[&CONFIG, &UBUS, &RUN],
        examples: &["fwstat daemon --config /etc/config/fwstat"],
    },
];

/// The command with this name.
pub fn find_command(name: &str) -> Option<&'static CommandRow> {
    COMMANDS.iter().find(|command| command.name() == name)
}

/// The first word of a usage, and what follows it.
fn split(usage: &'static str) -> (&'static str, &'static str) {
    usage.split_once(' ').unwrap_or((usage, ""))
}

impl OptionRow {
    /// Without the leading `--`.
    pub fn name(&self) -> &'static str {
        split(self.usage).0
    }

    /// The placeholder of its value; empty for an option without one.
    pub fn value(&self) -> &'static str {
        split(self.usage).1
    }
}

impl CommandRow {
    /// The word after `fwstat`.
    pub fn name(&self) -> &'static str {
        split(self.usage).0
    }

    /// The operands; empty for none.
    pub fn operands(&self) -> &'static str {
        split(self.usage).1
    }

    /// The option of this command with this name, without `--`.
    pub fn find_option(&self, name: &str) -> Option<&'static OptionRow> {
        self.options.iter().copied().find(|option| option.name() == name)
    }
}
