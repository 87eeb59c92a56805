//! Every option: one row with its name, default, range and meaning.
//!
//! Defaults, error messages, `fwstat check`, docs/CONFIGURATION.md and the page's form use this table.

use std::ops::RangeInclusive;
use std::time::Duration;

pub use super::values::duration;
use super::values::{choice, flag, is_path, is_url, is_zone, parse_rate};
use super::{Config, FleetSources, GuardMode, Rate, Scope};
use crate::event::calendar::duration_text;
use crate::query::question::{Prefix, number};

/// The type of the section with the options of everything but the guard.
pub const MAIN: &str = "fwstat";
/// The type of the guard's section.
pub const GUARD: &str = "guard";
/// The type of the section about a fleet's server.
pub const FLEET: &str = "fleet";
/// The types of sections with options of this table.
pub const KINDS: [&str; 3] = [MAIN, GUARD, FLEET];
/// Types of sections that other programs read: the page in LuCI and the notifier.
pub const OTHERS: [&str; 2] = ["page", "notify"];

/// One UCI option.
pub struct Row {
    /// Type of the section: `fwstat`, `guard` or `fleet`.
    pub section: &'static str,
    pub name: &'static str,
    /// Several for a list; none: empty.
    pub default: &'static [&'static str],
    pub kind: Kind,
    /// Its effect, and the consequence of a bad value.
    pub meaning: &'static str,
}

/// The type of an option's value with its range, and the function that stores it.
pub enum Kind {
    /// A boolean, as OpenWrt writes it.
    Flag(fn(&mut Config, bool)),
    /// A whole number.
    Number { least: u32, most: u32, set: fn(&mut Config, u32) },
    /// A number of seconds, minutes, hours, days or weeks.
    Duration { least: Duration, most: Duration, set: fn(&mut Config, Duration) },
    /// From 1 to `most` in a window of [`RATE_WINDOW`].
    Rate { most: u32, set: fn(&mut Config, Rate) },
    /// One of several words, as its index.
    Choice { words: Words, set: fn(&mut Config, usize) },
    /// Several of several words, as bits.
    Choices { words: Words, set: fn(&mut Config, u32) },
    /// Names of firewall zones, which become part of nft rules: letters, digits, `_` and `-`.
    Zones(fn(&mut Config, Vec<String>)),
    /// A text of this syntax.
    Text(&'static Syntax, fn(&mut Config, String)),
    /// Addresses and prefixes.
    Prefixes(fn(&mut Config, Vec<Prefix>)),
}

/// The syntax of a text.
pub struct Syntax {
    /// Its name in the page's form.
    pub name: &'static str,
    is_valid: fn(&str) -> bool,
    /// The text after "expected" in messages.
    expected: &'static str,
}

/// A URL, or nothing.
static URL: Syntax =
    Syntax { name: "url", is_valid: is_url, expected: "an https:// address of at most 512 characters" };
/// Printable characters, or nothing.
static PRINTABLE: Syntax = Syntax {
    name: "text",
    is_valid: |text| text.chars().count() <= 128 && !text.contains(char::is_control),
    expected: "at most 128 printable characters",
};
static PATH: Syntax = Syntax {
    name: "path",
    is_valid: is_path,
    expected: "a path of letters, digits, . _ - and / that begins with / and has no '..' in it",
};
static OPTIONAL_PATH: Syntax = Syntax {
    name: "optional path",
    is_valid: |text| text.is_empty() || is_path(text),
    expected: PATH.expected,
};

/// The windows of rates.
pub const RATE_WINDOW: RangeInclusive<Duration> = Duration::from_secs(1)..=days(1);

const SHORTEST_BLOCK: Duration = Duration::from_secs(10);

const fn days(number: u64) -> Duration {
    Duration::from_secs(86_400 * number)
}

fn ms(duration: Duration) -> u64 {
    duration.as_millis() as u64
}

const MAX_ZONES: usize = 16;
pub(crate) const MAX_PREFIXES: usize = 1024;

type Words = &'static [&'static str];

const fn main(name: &'static str, default: Words, kind: Kind, meaning: &'static str) -> Row {
    Row { section: MAIN, name, default, kind, meaning }
}

const fn guard(name: &'static str, default: Words, kind: Kind, meaning: &'static str) -> Row {
    Row { section: GUARD, name, default, kind, meaning }
}

const fn fleet(name: &'static str, default: Words, kind: Kind, meaning: &'static str) -> Row {
    Row { section: FLEET, name, default, kind, meaning }
}

const fn rate(set: fn(&mut Config, Rate)) -> Kind {
    Kind::Rate { most: 1_000_000, set }
}

/// Every option that the daemon knows.
pub static OPTIONS: &[Row] = &[
    main("enabled", &["1"], Kind::Flag(|c, on| c.enabled = on), "whether the service starts"),
    main(
        "input",
        &["nflog", "logd"],
        Kind::Choices {
            words: &["nflog", "logd"],
            set: |c, bits| (c.input.nflog, c.input.logd) = (bits & 1 != 0, bits & 2 != 0),
        },
        "where packets come from: nflog (the kernel's NFLOG group, complete and cheap), logd (the system \
         log; needs 'option log 1' on the zone; failed logins come from it alone); a packet from both is \
         counted once",
    ),
    main(
        "nflog_group",
        &["32"],
        Kind::Number { least: 0, most: 65_535, set: |c, n| c.nflog_group = n as u16 },
        "the NFLOG group of fwstat's rules; must not be used by another program (e.g. ulogd2), or nothing \
         is received",
    ),
    main(
        "zone",
        &["wan"],
        Kind::Zones(|c, zones| c.zone = zones),
        "the firewall zones whose refused packets are counted",
    ),
    main(
        "database",
        &["/etc/fwstat"],
        Kind::Text(&PATH, |c, path| c.database = path),
        "the directory of the statistics; below /tmp or /var they are lost at a reboot",
    ),
    main(
        "commit_interval",
        &["1h"],
        Kind::Duration { least: Duration::from_secs(60), most: days(7), set: |c, d| c.commit_interval = d },
        "how often the statistics are written to flash; a power cut loses at most this much, short \
         intervals wear out the flash",
    ),
    main(
        "keep_hours",
        &["2"],
        Kind::Number { least: 2, most: 6, set: |c, n| c.keep_hours = n as u16 },
        "number of months stored with hours of services and sources, the newest that have data",
    ),
    main(
        "keep_days",
        &["14"],
        Kind::Number { least: 2, most: 36, set: |c, n| c.keep_days = n as u16 },
        "number of months stored with days, the newest that have data; a comparison with the year before \
         needs 13",
    ),
    main(
        "keep_months",
        &["120"],
        Kind::Number { least: 1, most: 600, set: |c, n| c.keep_months = n as u16 },
        "number of months stored in all, the newest that have data",
    ),
    main(
        "evidence",
        &["200"],
        Kind::Number { least: 0, most: 2000, set: |c, n| c.evidence = n },
        "number of raw log lines held in RAM as evidence, some 300 bytes each",
    ),
    main(
        "country_database",
        &["/usr/share/fwstat/country.mmdb"],
        Kind::Text(&PATH, |c, path| c.country_database = path),
        "MMDB file (MaxMind's format) with the countries of addresses; without it 'countries' has no answer",
    ),
    main(
        "as_database",
        &[],
        Kind::Text(&OPTIONAL_PATH, |c, path| c.as_database = path),
        "MMDB file with AS numbers and names (GeoLite2-ASN or ip-location-db's asn.mmdb); without it 'asns' \
         has no answer",
    ),
    main(
        "mask_sources",
        &["0"],
        Kind::Flag(|c, on| c.mask_sources = on),
        "show sources as 180.188.x.x and 2001:db8:x::, except in blocks; commands with --db, backups and the \
         log have whole addresses",
    ),
    main(
        "watch_egress",
        &["0"],
        Kind::Flag(|c, on| c.watch_egress = on),
        "count connections from inside to the ports that worms look for (23, 445, 5555, 7547, ...), also \
         those that the firewall accepts, at most 20 a second: 'fwstat sources --class egress' then shows \
         devices that may be infected",
    ),
    guard(
        "enabled",
        &["0"],
        Kind::Choice {
            words: &["0", "1", "dry"],
            set: |c, word| c.guard.mode = [GuardMode::Off, GuardMode::On, GuardMode::Dry][word],
        },
        "block sources that flood, scan or guess passwords; dry decides and reports but blocks nothing",
    ),
    guard(
        "flood",
        &["200/1m"],
        rate(|c, r| c.guard.limits.flood = r),
        "attempts from one source (IPv6: one /64) that are a flood; UDP and ICMP, whose sources are easily \
         forged, count half",
    ),
    guard(
        "scan",
        &["30/1m"],
        Kind::Rate { most: 1000, set: |c, r| c.guard.limits.scan = r },
        "different services or destinations tried from one source that are a scan; UDP and ICMP count half",
    ),
    guard(
        "login",
        &["5/10m"],
        rate(|c, r| c.guard.limits.login = r),
        "failed logins from one source that are password guessing; if too low, mistyped passwords lock you \
         out",
    ),
    guard(
        "block_for",
        &["1h"],
        Kind::Duration {
            least: SHORTEST_BLOCK,
            most: days(30),
            set: |c, d| c.guard.lengths.first_ms = ms(d),
        },
        "duration of the first block; it doubles for each further one of the same source",
    ),
    guard(
        "block_cap",
        &["7d"],
        Kind::Duration { least: SHORTEST_BLOCK, most: days(90), set: |c, d| c.guard.lengths.cap_ms = ms(d) },
        "the longest duration of a block by a rule; for floods and scans it is at most 1d, or block_for if \
         that is longer",
    ),
    guard(
        "scope",
        &["new"],
        Kind::Choice {
            words: &["new", "all"],
            set: |c, word| c.guard.scope = [Scope::New, Scope::All][word],
        },
        "new stops only new inbound connections of a blocked source; all stops every packet, and with a \
         forged source also replies that you wait for",
    ),
    guard(
        "budget",
        &["30/1m"],
        rate(|c, r| c.guard.budget = r),
        "blocks per time; sources beyond it are reported and not blocked",
    ),
    guard(
        "max_blocks",
        &["4096"],
        Kind::Number { least: 1, most: 16_384, set: |c, n| c.guard.lengths.max_blocks = n },
        "the most blocks for floods and scans at a time (failed logins have 1024, blocks by hand 256 of \
         their own), each with some 150 bytes of kernel memory and as much in the daemon; sources beyond it \
         are reported and not blocked",
    ),
    guard(
        "allow",
        &[],
        Kind::Prefixes(|c, prefixes| c.guard.allow = prefixes),
        "addresses and prefixes that are never blocked",
    ),
    fleet(
        "enabled",
        &["0"],
        Kind::Flag(|c, on| c.fleet.enabled = on),
        "make a file with the sources and services of each day and send it to the server of your fleet",
    ),
    fleet(
        "url",
        &[],
        Kind::Text(&URL, |c, url| c.fleet.url = url),
        "URL to which the files are sent; without it they are made, but not sent",
    ),
    fleet(
        "token_file",
        &["/etc/fwstat.token"],
        Kind::Text(&PATH, |c, path| c.fleet.token_file = path),
        "file with the router's token, mode 0600; anybody who can read it can send in the router's name",
    ),
    fleet(
        "sources",
        &["address"],
        Kind::Choice {
            words: &["address", "hash", "none"],
            set: |c, word| {
                c.fleet.sources = [FleetSources::Address, FleetSources::Hash, FleetSources::None][word]
            },
        },
        "how sources are sent: as addresses, as a keyed hash of each, or only their number; with \
         mask_sources at least the hash",
    ),
    fleet(
        "hash_key",
        &[],
        Kind::Text(&PRINTABLE, |c, key| c.fleet.hash_key = key),
        "key of the hash; the same on all routers, so that a source that several routers see counts once; \
         without it each router has its own key",
    ),
    fleet(
        "spread",
        &["6h"],
        Kind::Duration { least: Duration::ZERO, most: days(1), set: |c, d| c.fleet.spread = d },
        "a file waits a random part of this time, so that not all routers send at once",
    ),
    fleet(
        "keep",
        &["7d"],
        Kind::Duration { least: days(1), most: days(60), set: |c, d| c.fleet.keep = d },
        "how long a file waits for a server that does not answer; then it is dropped",
    ),
    fleet(
        "shared",
        &["0"],
        Kind::Flag(|c, on| c.fleet.shared = on),
        "fetch the server's list of sources that many routers saw, and refuse new connections from them \
         while the guard is on, except from what the guard never blocks",
    ),
];

impl Row {
    /// The value in place of an invalid one, if the default would disclose what the owner may have meant to hide.
    pub fn discloses_least(&self) -> Option<&'static str> {
        match (self.section, self.name) {
            (MAIN, "mask_sources") => Some("1"),
            (FLEET, "sources") => Some("none"),
            _ => None,
        }
    }

    /// Stores values that are known to be valid.
    pub(super) fn set(&self, config: &mut Config, values: &[&str]) {
        let read = self.kind.read(config, values);
        debug_assert!(read.is_ok(), "{} does not take {values:?}", self.name);
    }

    /// The default in messages and in docs/CONFIGURATION.md.
    pub fn default_text(&self) -> String {
        if self.default.is_empty() { "(none)".to_string() } else { self.default.join(" ") }
    }
}

impl Kind {
    /// Whether UCI's `list` is expected.
    pub fn is_list(&self) -> bool {
        matches!(self, Kind::Choices { .. } | Kind::Zones(_) | Kind::Prefixes(_))
    }

    /// The text after "expected" in messages.
    pub fn expected(&self) -> String {
        match self {
            Kind::Flag(_) => "0 or 1".to_string(),
            Kind::Number { least, most, .. } => format!("a number from {least} to {most}"),
            Kind::Duration { least, most, .. } => format!(
                "a duration from {} to {} (such as 90s, 10m, 1h, 7d)",
                duration_text(least.as_secs()),
                duration_text(most.as_secs())
            ),
            Kind::Rate { most, .. } => format!("a rate such as 200/1m: 1 to {most} in 1s to 1d"),
            Kind::Choice { words, .. } => format!("one of {}", words.join(", ")),
            Kind::Choices { words, .. } => format!("some of {}", words.join(", ")),
            Kind::Zones(_) => {
                format!("at most {MAX_ZONES} names of firewall zones (letters, digits, _ and -)")
            }
            Kind::Text(syntax, _) => syntax.expected.to_string(),
            Kind::Prefixes(_) => {
                format!("at most {MAX_PREFIXES} addresses or prefixes such as 198.51.100.0/24")
            }
        }
    }

    /// Stores checked values in `config`. If one is bad, changes nothing and returns it.
    pub fn read<'v>(&self, config: &mut Config, values: &[&'v str]) -> Result<(), &'v str> {
        let one = values.last().copied().unwrap_or_default();
        match self {
            Kind::Flag(set) => set(config, flag(one).ok_or(one)?),
            Kind::Number { least, most, set } => {
                set(config, number(one).filter(|n| (least..=most).contains(&n)).ok_or(one)?);
            }
            Kind::Duration { least, most, set } => {
                set(config, duration(one).filter(|d| (least..=most).contains(&d)).ok_or(one)?);
            }
            Kind::Rate { most, set } => {
                let in_range = |rate: &Rate| {
                    let window = Duration::from_millis(rate.window_ms);
                    (1..=*most).contains(&rate.count) && RATE_WINDOW.contains(&window)
                };
                set(config, parse_rate(one).filter(in_range).ok_or(one)?);
            }
            Kind::Choice { words, set } => set(config, choice(words, one).ok_or(one)?),
            Kind::Choices { words, set } => {
                let mut bits = 0;
                for value in values {
                    bits |= 1 << choice(words, value).ok_or(*value)?;
                }
                set(config, bits);
            }
            Kind::Zones(set) => {
                let mut zones: Vec<String> = Vec::new();
                for zone in values {
                    if !is_zone(zone) {
                        return Err(zone);
                    } else if !zones.iter().any(|known| known == zone) {
                        zones.push(zone.to_string());
                    }
                }
                set(config, Some(zones).filter(|all| all.len() <= MAX_ZONES).ok_or(one)?);
            }
            Kind::Text(syntax, set) if (syntax.is_valid)(one) => set(config, one.to_string()),
            Kind::Text(..) => return Err(one),
            Kind::Prefixes(set) => {
                let prefixes = values.iter().map(|value| Prefix::parse(value).map_err(|_| *value));
                let prefixes = prefixes.collect::<Result<Vec<_>, _>>()?;
                set(config, Some(prefixes).filter(|all| all.len() <= MAX_PREFIXES).ok_or(one)?);
            }
        }
        Ok(())
    }
}

/// The option of this section whose name is most similar to `name`, if one is.
pub fn nearest(section: &str, name: &str) -> Option<&'static str> {
    let candidates = OPTIONS.iter().filter(|row| row.section == section);
    let (distance, name) = candidates.map(|row| (distance(name, row.name), row.name)).min()?;
    (distance <= 2).then_some(name)
}

/// The Levenshtein distance of two words. Words longer than any name are not compared.
pub(crate) fn distance(given: &str, name: &str) -> usize {
    if given.len() > 32 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=name.len()).collect();
    for (i, a) in given.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in name.bytes().enumerate() {
            let change = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = change.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[name.len()]
}
