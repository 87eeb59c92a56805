//! The commands and their options, one row each: what is read, what is refused and what the help
//! says all come from here.

/// One option of the command line.
#[derive(PartialEq, Eq, Debug)]
pub struct OptionRow {
    /// Without the leading `--`.
    pub name: &'static str,
    /// What its value is called; empty for an option that takes none.
    pub value: &'static str,
    pub repeatable: bool,
    /// With its default in `[...]`.
    pub meaning: &'static str,
}

const fn option(name: &'static str, value: &'static str, meaning: &'static str) -> OptionRow {
    OptionRow { name, value, repeatable: false, meaning }
}

pub static FROM: OptionRow = option(
    "from",
    "DATE",
    "first day, YYYY-MM-DD [default: today; with --db and in reports the first day of the data]",
);
pub static TO: OptionRow = option(
    "to",
    "DATE",
    "last day, YYYY-MM-DD [default: today; with --db and in reports the last day of the data]",
);
pub static CLASS: OptionRow = option(
    "class",
    "CLASS",
    "what to count: attempt (new connections from outside), backscatter (late or stray replies), \
     noise (multicast, broadcast), egress (from the inside) or login (failed logins) [default: attempt]",
);
pub static PROTOCOL: OptionRow = option(
    "protocol",
    "NAME",
    "only this protocol: tcp, udp, icmp, icmpv6, ... or its number [default: any]",
);
pub static PORT: OptionRow = option(
    "port",
    "N",
    "only this destination port, of the given protocol or of any that has ports [default: any]",
);
pub static SOURCE: OptionRow = option(
    "source",
    "ADDRESS",
    "only this source: an address, or a prefix such as 192.0.2.0/24 [default: any]",
);
pub static COUNTRY: OptionRow =
    option("country", "CC", "only sources from this country, two letters such as JP [default: any]");
pub static MIN: OptionRow = option("min", "N", "leave out rows with a smaller count [default: 0]");
pub static LIMIT: OptionRow = option("limit", "N", "maximum number of rows, 1 to 1000 [default: 10]");
pub static FILTER: OptionRow = option(
    "filter",
    "TERMS",
    "only events for which all terms hold: class:, port:, protocol:, zone:, verdict:, source:, destination: with a \
     value, or a word of the log line; ! negates a term [default: all]",
);
pub static CURSOR: OptionRow =
    option("cursor", "N", "only what came after this cursor of an earlier answer [default: 0]");
pub static JSON: OptionRow = option("json", "", "print the answer as one JSON object");
pub static TEST: OptionRow = option("test", "", "send a test to everything that is configured");
pub static DB: OptionRow = option(
    "db",
    "DIR",
    "ask the store in this directory, without a daemon [default: ask the running daemon]",
);
pub static COUNTRIES: OptionRow = option(
    "country-database",
    "FILE",
    "MMDB file with countries [default: /usr/share/fwstat/country.mmdb, if it is there]",
);
pub static NETWORKS: OptionRow =
    option("as-database", "FILE", "MMDB file with AS numbers and names [default: none]");
pub static BEFORE: OptionRow =
    option("before", "DATE", "delete everything before this day, YYYY-MM-DD; at most today");
pub static FORGOTTEN: OptionRow = option(
    "source",
    "ADDRESS",
    "delete the rows of this source: an address, or a prefix such as 192.0.2.0/24",
);
pub static STORE: OptionRow =
    option("db", "DIR", "directory of a store without a daemon [default: the running daemon's store]");
pub static TIMEZONE: OptionRow = option(
    "timezone",
    "ZONE",
    "local time zone, a POSIX one such as JST-9 or a name such as Asia/Tokyo [default: the system's]",
);
pub static UBUS: OptionRow = option("ubus", "SOCKET", "socket of ubusd [default: /var/run/ubus/ubus.sock]");
pub static YEAR: OptionRow = option(
    "year",
    "YYYY",
    "year of the first line, for logs whose dates have none [default: from the file's time]",
);
pub static WAN: OptionRow = OptionRow {
    name: "wan",
    value: "IFACE",
    repeatable: true,
    meaning: "WAN interface, repeatable [default: guessed from log prefixes and names]",
};
pub static LAN: OptionRow = OptionRow {
    name: "lan",
    value: "IFACE",
    repeatable: true,
    meaning: "LAN interface, repeatable; without --wan all others are WAN interfaces",
};
pub static FIREWALL: OptionRow = option(
    "firewall",
    "FILE",
    "/etc/config/firewall of the router that wrote the log, to know which of its rules let packets pass [default: none]",
);
pub static FOR: OptionRow = option(
    "for",
    "TIME",
    "how long, such as 90s, 10m, 1h or 7d, or forever: until it is taken back [default: as the guard's settings \
         say; of imported lists forever]",
);
pub static IMPORT: OptionRow = option("import", "FILE", "add the addresses of this file to the list");
pub static APPEND: OptionRow =
    option("append", "FILE", "add the addresses of the list to this file, those that it does not have");
pub static ALL: OptionRow =
    option("all", "", "also what the guard's rules block now [default: by hand only]");
pub static REASON: OptionRow = option("reason", "TEXT", "why, shown with the block [default: none]");
pub static CONFIG: OptionRow = option("config", "FILE", "configuration [default: /etc/config/fwstat]");
pub static RUN: OptionRow =
    option("run", "DIR", "directory in RAM for the work in progress [default: /var/run/fwstat]");
pub static FORMAT: OptionRow = option("format", "FORMAT", "prometheus, json, csv or ndjson; must be given");

pub static MONTH: OptionRow =
    option("month", "YYYY-MM", "report this month of the running daemon or of a store, instead of log files");
pub static REPORT_FORMAT: OptionRow =
    option("format", "FORMAT", "of the month: text or html [default: text]");
pub static LANG: OptionRow = option("lang", "LANG", "language of the month's report: en or ja [default: en]");
pub static ADDRESSES: OptionRow =
    option("addresses", "", "show whole addresses in the month's report [default: 192.0.x.x]");

/// One command of the command line.
#[derive(PartialEq, Eq, Debug)]
pub struct CommandRow {
    pub name: &'static str,
    /// What follows the name besides options; empty for nothing.
    pub operands: &'static str,
    /// For the list of commands.
    pub brief: &'static str,
    /// For the command's own help.
    pub about: &'static str,
    pub options: &'static [&'static OptionRow],
    pub examples: &'static [&'static str],
}

/// The options of the questions that are about counts.
static COUNTS: [&OptionRow; 15] = [
    &FROM, &TO, &CLASS, &PROTOCOL, &PORT, &SOURCE, &COUNTRY, &MIN, &LIMIT, &JSON, &DB, &TIMEZONE, &COUNTRIES,
    &NETWORKS, &UBUS,
];

/// All commands, in the order of the help.
pub static COMMANDS: [CommandRow; 29] = [
    CommandRow {
        name: "summary",
        operands: "",
        brief: "the range in short: totals, top services and sources, anomalies",
        about: "How many connection attempts from outside the firewall refused, how many a day, the change against \
                the preceding period of the same length, from how many different sources, and the first rows of \
                the other tables.",
        options: &COUNTS,
        examples: &["fwstat summary", "fwstat summary --db /mnt/fwstat --from 2020-04-01 --to 2020-04-10"],
    },
    CommandRow {
        name: "services",
        operands: "",
        brief: "which ports were tried, most first, and what is wanted there",
        about: "Which services (protocol and port) were tried, most first, from how many different sources, and \
                what attacks on them usually want. A count marked ~ may be too high by at most the figure below \
                the table.",
        options: &COUNTS,
        examples: &["fwstat services --min 100", "fwstat services --source 198.51.100.7 --limit 50"],
    },
    CommandRow {
        name: "sources",
        operands: "",
        brief: "which addresses tried, most first",
        about: "Which addresses tried, most first: how often, how many different services, when first and last. \
                With --class egress: which of your own devices send what the firewall refuses.",
        options: &COUNTS,
        examples: &[
            "fwstat sources --protocol udp --port 1900 --from 2020-04-06 --to 2020-04-06",
            "fwstat sources --class egress",
        ],
    },
    CommandRow {
        name: "source",
        operands: "ADDRESS",
        brief: "all about one address: services, hours, days, evidence",
        about: "All about one address: how often and when it tried, which services, by hour of the day and by day, \
                the newest log lines, and whether it is blocked.",
        options: &[
            &FROM, &TO, &CLASS, &PROTOCOL, &PORT, &LIMIT, &JSON, &DB, &TIMEZONE, &COUNTRIES, &NETWORKS, &UBUS,
        ],
        examples: &["fwstat source 198.51.100.7", "fwstat source 2001:db8::7 --db /mnt/fwstat"],
    },
    CommandRow {
        name: "hours",
        operands: "",
        brief: "attempts by hour of the day",
        about: "Attempts by hour of the local day, summed over the range.",
        options: &COUNTS,
        examples: &["fwstat hours --port 23", "fwstat hours --source 198.51.100.7 --from 2020-04-06"],
    },
    CommandRow {
        name: "days",
        operands: "",
        brief: "attempts day by day",
        about: "Attempts and different sources for each day of the range. Days without data are left out.",
        options: &COUNTS,
        examples: &["fwstat days --from 2020-04-01 --to 2020-04-10"],
    },
    CommandRow {
        name: "months",
        operands: "",
        brief: "attempts a day by month, against the year before",
        about: "Attempts a day by month, against the same month of the year before, both with everything counted \
                and with the anomalous cells left out. A cell is one service on one day.",
        options: &COUNTS,
        examples: &["fwstat months --from 2019-01-01"],
    },
    CommandRow {
        name: "countries",
        operands: "",
        brief: "attempts by country of the source",
        about: "Attempts and different sources by country. Needs a country database (option country_database).",
        options: &COUNTS,
        examples: &["fwstat countries --port 23 --limit 5"],
    },
    CommandRow {
        name: "rules",
        operands: "",
        brief: "attempts by firewall rule, zone, and host inside",
        about: "Attempts by rule of the firewall (its log prefix and the interface) and by zone; and the hosts and \
                ports inside that attempts were aimed at which were to be forwarded. A packet that two rules logged \
                counts for the first.",
        options: &[&FROM, &TO, &CLASS, &MIN, &LIMIT, &JSON, &DB, &TIMEZONE, &UBUS],
        examples: &["fwstat rules", "fwstat rules --class egress --from 2020-04-01 --to 2020-04-10"],
    },
    CommandRow {
        name: "asns",
        operands: "",
        brief: "attempts by autonomous system of the source",
        about: "Attempts by autonomous system (AS), of those sources that have rows. Needs a database of AS numbers \
                (option as_database).",
        options: &COUNTS,
        examples: &["fwstat asns --limit 5", "fwstat asns --db /mnt/fwstat --as-database /mnt/asn.mmdb"],
    },
    CommandRow {
        name: "anomalies",
        operands: "",
        brief: "which port on which day was out of line, and by how much",
        about: "Which service had far more attempts on a day than it usually has, highest score first. The score \
                is the distance from the usual in robust standard deviations.",
        options: &COUNTS,
        examples: &["fwstat anomalies --from 2020-01-01"],
    },
    CommandRow {
        name: "recent",
        operands: "",
        brief: "the newest refused packets and their log lines",
        about: "The newest refused packets with their log lines, as the running daemon holds them. The cursor at \
                the end, given back with --cursor, asks for what came since.",
        options: &[&CLASS, &PROTOCOL, &PORT, &SOURCE, &COUNTRY, &FILTER, &LIMIT, &CURSOR, &JSON, &UBUS],
        examples: &["fwstat recent --limit 50", "fwstat recent --filter port:22"],
    },
    CommandRow {
        name: "blocks",
        operands: "",
        brief: "who is blocked, why, until when",
        about: "Which sources the guard blocks now, since when, until when, why, and on what evidence; then the last blocks that ended.",
        options: &[&SOURCE, &LIMIT, &JSON, &UBUS],
        examples: &["fwstat blocks"],
    },
    CommandRow {
        name: "status",
        operands: "",
        brief: "whether the figures can be trusted: inputs, losses, store",
        about: "What the running daemon received, lost, counted twice or could not read; its clock, store, memory \
                and warnings.",
        options: &[&JSON, &UBUS],
        examples: &["fwstat status"],
    },
    CommandRow {
        name: "report",
        operands: "FILE...",
        brief: "the tables straight from log files",
        about: "Reads log files (plain or .gz, in any order; '-' is standard input) and prints summary, months, \
                services, sources, anomalies, hours and firewall rules. Keeps nothing. With --month, and without files: a month of the \
                running daemon or of a store as a text or web page to send to somebody.",
        options: &[
            &FROM,
            &TO,
            &CLASS,
            &MIN,
            &LIMIT,
            &JSON,
            &TIMEZONE,
            &YEAR,
            &WAN,
            &LAN,
            &FIREWALL,
            &COUNTRIES,
            &MONTH,
            &REPORT_FORMAT,
            &LANG,
            &ADDRESSES,
            &DB,
            &UBUS,
        ],
        examples: &[
            "fwstat report /var/log/messages*",
            "fwstat report --month 2020-04 --format html > april.html",
            "logread | fwstat report --wan pppoe-wan -",
        ],
    },
    CommandRow {
        name: "import",
        operands: "FILE...",
        brief: "read log files into a store",
        about: "Reads log files (plain or .gz, in any order; '-' is standard input) into the store of the running \
                daemon, or into that in DIR, which is made if there is none, and prints the lines, events, malformed, \
                duplicates and skipped. A file that is imported twice counts once.",
        options: &[&STORE, &TIMEZONE, &YEAR, &WAN, &LAN, &FIREWALL, &COUNTRIES, &UBUS],
        examples: &["fwstat import --db /mnt/fwstat --timezone JST-9 router.log.*.gz router.log"],
    },
    CommandRow {
        name: "backup",
        operands: "FILE",
        brief: "write all statistics to one file",
        about: "Writes the whole store of the running daemon, or that in DIR, to one file (.tar.gz; '-' is standard \
                output). Settings are in OpenWrt's own backup; the guard's blocks end by themselves and are left out.",
        options: &[&STORE, &JSON, &UBUS],
        examples: &["fwstat backup /tmp/fwstat.tar.gz", "fwstat backup - --db /mnt/fwstat > fwstat.tar.gz"],
    },
    CommandRow {
        name: "restore",
        operands: "FILE",
        brief: "bring back what a backup has and the store has not",
        about: "Reads a backup ('-' is standard input), checks it to its last byte, and adds the days that the store \
                has not; of a day that both have, what counted more. Nothing that the store has is lost, today's \
                counts included. A damaged backup, or one of a newer version, changes nothing.",
        options: &[&STORE, &JSON, &UBUS],
        examples: &["fwstat restore /tmp/fwstat.tar.gz"],
    },
    CommandRow {
        name: "forget",
        operands: "",
        brief: "delete old days, or the rows of a source",
        about: "Deletes all days before a date, or the rows of a source on all days, its newest log lines included. \
                Totals, which name nobody, stay when a source is deleted; its block, if there is one, does, too. \
                What was deleted is listed in 'fwstat status'.",
        options: &[&BEFORE, &FORGOTTEN, &STORE, &JSON, &UBUS],
        examples: &["fwstat forget --before 2020-01-01", "fwstat forget --source 198.51.100.7"],
    },
    CommandRow {
        name: "export",
        operands: "",
        brief: "everything kept, for other programs",
        about: "Writes what is kept to standard output: the kept days whole as JSON or CSV, counts for Prometheus, or \
                as NDJSON what the server of a fleet gets: of the days from --from to --to sources and what they \
                tried, as far as it is still known [default: of the last 400 days].",
        options: &[&FORMAT, &FROM, &TO, &DB, &TIMEZONE, &COUNTRIES, &UBUS],
        examples: &[
            "fwstat export --format csv --db /mnt/fwstat > days.csv",
            "fwstat export --format ndjson --from 2026-11-01",
        ],
    },
    CommandRow {
        name: "block",
        operands: "ADDRESS",
        brief: "block an address, a network or a country",
        about: "Asks the daemon's guard to block an address, a prefix, or a country (its two letters), for a time or \
                until that is taken back. What holds the router's own addresses, its gateways or servers, somebody \
                whom the inside talks to, or reserved addresses is not blocked; allowed addresses are left out.",
        options: &[&FOR, &REASON, &UBUS],
        examples: &[
            "fwstat block 198.51.100.7 --for 1h --reason 'guesses passwords'",
            "fwstat block 203.0.113.0/24 --for forever",
        ],
    },
    CommandRow {
        name: "unblock",
        operands: "ADDRESS",
        brief: "end a block",
        about: "Asks the daemon's guard to end the block of an address, a prefix or a country.",

        options: &[&UBUS],
        examples: &["fwstat unblock 198.51.100.7"],
    },
    CommandRow {
        name: "guard-test",
        operands: "ADDRESS",
        brief: "would this be blocked, and if not, why",
        about: "Asks the daemon's guard whether its rules would block an address, or whether a prefix or a country \
                could be blocked, and what protects it if not. Nothing is changed.",
        options: &[&UBUS],
        examples: &["fwstat guard-test 198.51.100.7"],
    },
    CommandRow {
        name: "blocklist",
        operands: "",
        brief: "print, import or hand over the blocked addresses",
        about: "Prints what is blocked by hand, one address or prefix a line. With --import it blocks what a file of \
                that form holds, with --append it adds what is blocked to such a file. Lines of other forms stay, or \
                are left out and named. banIP's local lists have that form.",
        options: &[&IMPORT, &APPEND, &ALL, &FOR, &UBUS],
        examples: &[
            "fwstat blocklist > blocked.txt",
            "fwstat blocklist --import /etc/banip/banip.blocklist",
            "fwstat blocklist --append /etc/banip/banip.blocklist",
        ],
    },
    CommandRow {
        name: "allowlist",
        operands: "",
        brief: "print, import or hand over the allowed addresses",
        about: "Prints the guard's option allow, one address or prefix a line. With --import it adds what a file of \
                that form holds to the option (by uci), with --append it adds the option's addresses to such a file.",
        options: &[&IMPORT, &APPEND, &CONFIG],
        examples: &["fwstat allowlist > allowed.txt", "fwstat allowlist --import /etc/banip/banip.allowlist"],
    },
    CommandRow {
        name: "commit",
        operands: "",
        brief: "write the store to flash now",
        about: "Asks the daemon to write the store to flash now, ahead of its interval.",
        options: &[&UBUS],
        examples: &["fwstat commit"],
    },
    CommandRow {
        name: "check",
        operands: "",
        brief: "check configuration and router, say what to do",
        about: "Checks the configuration and whether the router is set up to log what it refuses, and says what is \
                missing and how to set it. Changes nothing.",
        options: &[&CONFIG, &UBUS, &RUN],
        examples: &["fwstat check"],
    },
    CommandRow {
        name: "notify",
        operands: "",
        brief: "send a test message",
        about: "Runs every script of /etc/fwstat/notify.d that is configured with a test event and prints how each \
                ended: fails if one did.",
        options: &[&TEST],
        examples: &["fwstat notify --test"],
    },
    CommandRow {
        name: "daemon",
        operands: "",
        brief: "count; what procd starts",
        about: "Counts refused packets and answers over ubus. Stays in the foreground, logs to standard error, \
                writes the store on SIGTERM, reads the configuration again on SIGHUP.",
        options: &[&CONFIG, &UBUS, &RUN],
        examples: &["fwstat daemon --config /etc/config/fwstat"],
    },
];

pub fn find_command(name: &str) -> Option<&'static CommandRow> {
    COMMANDS.iter().find(|command| command.name == name)
}

impl CommandRow {
    pub fn find_option(&self, name: &str) -> Option<&'static OptionRow> {
        self.options.iter().copied().find(|option| option.name == name)
    }
}
