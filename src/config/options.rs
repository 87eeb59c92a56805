//! Every option: one row with its name, default, range and meaning.
//!
//! Defaults, error messages, `fwstat check` and the manual all come from this table.

use std::time::Duration;

use super::{Config, GuardMode, Rate, Scope};
use crate::query::question::Prefix;

/// The type of the section with the options of everything but the guard.
pub const MAIN: &str = "fwstat";
/// The type of the guard's section.
pub const GUARD: &str = "guard";
/// Types of sections that others read: the page in LuCI and the notifier.
pub const OTHERS: [&str; 2] = ["page", "notify"];

pub struct Row {
    pub section: &'static str,
    pub name: &'static str,
    /// Several for a list, none for an empty one.
    pub default: &'static [&'static str],
    pub kind: Kind,
    /// What it does and what goes wrong when it is set badly.
    pub meaning: &'static str,
}

/// What values an option takes, with its range, and where the value goes.
pub enum Kind {
    Flag(fn(&mut Config, bool)),
    Number {
        least: u32,
        most: u32,
        set: fn(&mut Config, u32),
    },
    Duration {
        least: Duration,
        most: Duration,
        set: fn(&mut Config, Duration),
    },
    Rate {
        most: u32,
        least_window: Duration,
        most_window: Duration,
        set: fn(&mut Config, Rate),
    },
    /// One of some words, given as its place among them.
    Choice {
        words: &'static [&'static str],
        set: fn(&mut Config, usize),
    },
    /// Some of some words, given as bits.
    Choices {
        words: &'static [&'static str],
        set: fn(&mut Config, u32),
    },
    /// Names of firewall zones: they become part of nft rules, so only plain ones.
    Zones(fn(&mut Config, Vec<String>)),
    /// An absolute path.
    Path(fn(&mut Config, String)),
    Prefixes(fn(&mut Config, Vec<Prefix>)),
}

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);
const WEEK: Duration = Duration::from_secs(7 * 86_400);

const fn days(number: u64) -> Duration {
    Duration::from_secs(86_400 * number)
}

const MOST_ZONES: usize = 16;
const MOST_PREFIXES: usize = 1024;

const fn main(
    name: &'static str,
    default: &'static [&'static str],
    kind: Kind,
    meaning: &'static str,
) -> Row {
    Row { section: MAIN, name, default, kind, meaning }
}

const fn guard(
    name: &'static str,
    default: &'static [&'static str],
    kind: Kind,
    meaning: &'static str,
) -> Row {
    Row { section: GUARD, name, default, kind, meaning }
}

const fn rate(set: fn(&mut Config, Rate)) -> Kind {
    Kind::Rate { most: 1_000_000, least_window: SECOND, most_window: DAY, set }
}

pub static OPTIONS: &[Row] = &[
    main("enabled", &["1"], Kind::Flag(|c, on| c.enabled = on), "whether the service starts"),
    main(
        "input",
        &["nflog", "logd"],
        Kind::Choices {
            words: &["nflog", "logd"],
            set: |c, bits| (c.input.nflog, c.input.logd) = (bits & 1 != 0, bits & 2 != 0),
        },
        "where packets come from: nflog (the kernel's NFLOG group, complete and cheap) and logd (the system \
         log, needs 'option log 1' on the zone); with both a packet is still counted once",
    ),
    main(
        "nflog_group",
        &["32"],
        Kind::Number { least: 0, most: 65_535, set: |c, n| c.nflog_group = n as u16 },
        "the NFLOG group of our rules; must not be used by another program (e.g. ulogd2), or nothing is received",
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
        Kind::Path(|c, path| c.database = path),
        "the directory of the statistics; below /tmp or /var they are gone after a reboot",
    ),
    main(
        "commit_interval",
        &["1h"],
        Kind::Duration { least: MINUTE, most: days(7), set: |c, d| c.commit_interval = d },
        "how often they are written to flash; a power cut loses at most this much, and short intervals wear \
         the flash out",
    ),
    main(
        "keep_hours",
        &["2"],
        Kind::Number { least: 2, most: 6, set: |c, n| c.keep_hours = n as u16 },
        "months with hours of services and sources, newest first, of those that have data",
    ),
    main(
        "keep_days",
        &["14"],
        Kind::Number { least: 2, most: 36, set: |c, n| c.keep_days = n as u16 },
        "months with days, newest first; a comparison with the year before needs 13",
    ),
    main(
        "keep_months",
        &["120"],
        Kind::Number { least: 1, most: 600, set: |c, n| c.keep_months = n as u16 },
        "months, newest first, of those that have data",
    ),
    main(
        "evidence",
        &["200"],
        Kind::Number { least: 0, most: 2000, set: |c, n| c.evidence = n },
        "how many raw lines are kept in RAM as evidence, some 300 bytes each",
    ),
    main(
        "country_database",
        &["/usr/share/fwstat/country.mmdb"],
        Kind::Path(|c, path| c.country_database = path),
        "addresses to countries, in MaxMind's format; without the file 'countries' has no answer",
    ),
    main(
        "mask_sources",
        &["0"],
        Kind::Flag(|c, on| c.mask_sources = on),
        "show sources as 180.188.x.x and 2001:db8:x:: everywhere but in blocks",
    ),
    main(
        "watch_egress",
        &["0"],
        Kind::Flag(|c, on| c.watch_egress = on),
        "count connections from inside to the ports that worms look for (23, 445, 5555, 7547, ...), also those \
         that the firewall lets through: 'fwstat sources --class egress' then shows a device that may be infected",
    ),
    guard(
        "enabled",
        &["0"],
        Kind::Choice {
            words: &["0", "1", "dry"],
            set: |c, word| c.guard.enabled = [GuardMode::Off, GuardMode::On, GuardMode::Dry][word],
        },
        "block sources that flood, scan or guess passwords; dry decides and reports but blocks nothing",
    ),
    guard(
        "flood",
        &["200/1m"],
        rate(|c, r| c.guard.flood = r),
        "attempts from one source (IPv6: one /64) that make it a flood; UDP and ICMP, whose senders are easily \
         forged, count half",
    ),
    guard(
        "scan",
        &["30/1m"],
        Kind::Rate { most: 1000, least_window: SECOND, most_window: DAY, set: |c, r| c.guard.scan = r },
        "different services tried from one source that make it a scan",
    ),
    guard(
        "login",
        &["5/10m"],
        rate(|c, r| c.guard.login = r),
        "failed logins from one source that make it a password guesser; too few locks you out after typing \
         errors",
    ),
    guard(
        "block_for",
        &["1h"],
        Kind::Duration { least: Duration::from_secs(10), most: days(30), set: |c, d| c.guard.block_for = d },
        "how long the first block lasts; it doubles for repeat offenders",
    ),
    guard(
        "block_cap",
        &["7d"],
        Kind::Duration { least: Duration::from_secs(10), most: days(90), set: |c, d| c.guard.block_cap = d },
        "the longest block",
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
        "blocks per time; what is above it is reported and not blocked",
    ),
    guard(
        "max_blocks",
        &["4096"],
        Kind::Number { least: 1, most: 16_384, set: |c, n| c.guard.max_blocks = n },
        "blocks at the same time, some 150 bytes of kernel memory and as much of ours each; when there are so \
         many, further sources are reported and not blocked",
    ),
    guard(
        "allow",
        &[],
        Kind::Prefixes(|c, prefixes| c.guard.allow = prefixes),
        "addresses and prefixes that are never blocked",
    ),
];

impl Row {
    /// The default as it stands in messages and the manual.
    pub fn default_text(&self) -> String {
        if self.default.is_empty() { "(none)".to_string() } else { self.default.join(" ") }
    }
}

impl Kind {
    pub fn is_list(&self) -> bool {
        matches!(self, Kind::Choices { .. } | Kind::Zones(_) | Kind::Prefixes(_))
    }

    /// What a value must be, as it stands after "expected".
    pub fn expected(&self) -> String {
        match self {
            Kind::Flag(_) => "0 or 1".to_string(),
            Kind::Number { least, most, .. } => format!("a number from {least} to {most}"),
            Kind::Duration { least, most, .. } => format!(
                "a duration from {} to {} (such as 90s, 10m, 1h, 7d)",
                duration_text(*least),
                duration_text(*most)
            ),
            Kind::Rate { most, least_window, most_window, .. } => format!(
                "a rate such as 200/1m: 1 to {most} in {} to {}",
                duration_text(*least_window),
                duration_text(*most_window)
            ),
            Kind::Choice { words, .. } => format!("one of {}", words.join(", ")),
            Kind::Choices { words, .. } => format!("some of {}", words.join(", ")),
            Kind::Zones(_) => {
                format!("at most {MOST_ZONES} names of firewall zones (letters, digits, _ and -)")
            }
            Kind::Path(_) => "a path that begins with / and has no '..' in it".to_string(),
            Kind::Prefixes(_) => {
                format!("at most {MOST_PREFIXES} addresses or prefixes such as 198.51.100.0/24")
            }
        }
    }

    /// Puts checked values into `config`. If one is bad, nothing changes and it is given back.
    pub fn read(&self, config: &mut Config, values: &[&str]) -> Result<(), String> {
        let one = values.last().copied().unwrap_or_default();
        self.try_read(config, values, one).map_err(|bad| bad.to_string())
    }

    fn try_read<'v>(&self, config: &mut Config, values: &[&'v str], one: &'v str) -> Result<(), &'v str> {
        match self {
            Kind::Flag(set) => set(config, flag(one).ok_or(one)?),
            Kind::Number { least, most, set } => {
                set(config, number(one).filter(|n| (least..=most).contains(&n)).ok_or(one)?);
            }
            Kind::Duration { least, most, set } => {
                set(config, duration(one).filter(|d| (least..=most).contains(&d)).ok_or(one)?);
            }
            Kind::Rate { most, least_window, most_window, set } => {
                let in_range = |rate: &Rate| {
                    (1..=*most).contains(&rate.count) && (least_window..=most_window).contains(&&rate.window)
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
                if let Some(bad) = values.iter().find(|zone| !is_zone(zone)) {
                    return Err(bad);
                }
                let mut zones: Vec<String> = Vec::new();
                for zone in values {
                    if !zones.iter().any(|known| known == zone) {
                        zones.push(zone.to_string());
                    }
                }
                if zones.len() > MOST_ZONES {
                    return Err(one);
                }
                set(config, zones);
            }
            Kind::Path(set) => set(config, path(one).ok_or(one)?),
            Kind::Prefixes(set) => {
                let mut prefixes = Vec::new();
                for value in values {
                    prefixes.push(Prefix::parse(value).map_err(|_| *value)?);
                }
                if prefixes.len() > MOST_PREFIXES {
                    return Err(one);
                }
                set(config, prefixes);
            }
        }
        Ok(())
    }
}

/// Booleans as OpenWrt's `config_get_bool` reads them.
fn flag(text: &str) -> Option<bool> {
    match text {
        "1" | "on" | "true" | "yes" | "enabled" => Some(true),
        "0" | "off" | "false" | "no" | "disabled" => Some(false),
        _ => None,
    }
}

fn choice(words: &[&str], text: &str) -> Option<usize> {
    let place = |word: &str| words.iter().position(|known| *known == word);
    place(text).or_else(|| place(if flag(text)? { "1" } else { "0" }))
}

fn number(text: &str) -> Option<u32> {
    if text.bytes().all(|c| c.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// `90s`, `10m`, `1h`, `7d`, `2w`, or seconds alone.
pub fn duration(text: &str) -> Option<Duration> {
    let (text, unit) = match text.as_bytes().last()? {
        b's' => (&text[..text.len() - 1], SECOND),
        b'm' => (&text[..text.len() - 1], MINUTE),
        b'h' => (&text[..text.len() - 1], HOUR),
        b'd' => (&text[..text.len() - 1], DAY),
        b'w' => (&text[..text.len() - 1], WEEK),
        _ => (text, SECOND),
    };
    unit.checked_mul(number(text)?)
}

/// `200/1m`, or `200/m` for the same.
fn parse_rate(text: &str) -> Option<Rate> {
    let (count, window) = text.split_once('/')?;
    let window = match window {
        "s" => SECOND,
        "m" => MINUTE,
        "h" => HOUR,
        "d" => DAY,
        window => duration(window)?,
    };
    Some(Rate { count: number(count)?, window })
}

fn is_zone(name: &str) -> bool {
    let plain = |c: u8| c.is_ascii_alphanumeric() || c == b'_' || c == b'-';
    name.len() <= 32 && name.bytes().all(plain) && name.starts_with(|c: char| c.is_ascii_alphanumeric())
}

fn path(text: &str) -> Option<String> {
    let plain = text.starts_with('/')
        && text.len() < 256
        && !text.contains(char::is_control)
        && !text.split('/').any(|part| part == "..");
    plain.then(|| text.to_string())
}

/// The duration in the largest unit that holds it whole.
pub fn duration_text(duration: Duration) -> String {
    crate::calendar::duration_text(duration.as_secs())
}

/// The option of this section that is written most like `name`, if one is.
pub fn nearest(section: &str, name: &str) -> Option<&'static str> {
    let candidates = OPTIONS.iter().filter(|row| row.section == section);
    let (distance, name) = candidates.map(|row| (distance(row.name, name), row.name)).min()?;
    (distance <= 2).then_some(name)
}

/// How many letters must be changed, added or removed. Words that differ much in length are
/// not compared, so that a long one costs nothing.
fn distance(a: &str, b: &str) -> usize {
    if a.len().abs_diff(b.len()) > 2 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let change = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
