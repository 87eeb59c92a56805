//! Which ports this router opens to the outside, from `/etc/config/firewall`, and which of them are attacked.
//!
//! Rules that accept only some sources (`src_ip`, `ipset`) open nothing to everybody; what other programs write into the
//! firewall (UPnP, includes) is not seen.

use super::uci::{self, Section};
use super::values::{flag, is_word};
use crate::event::calendar::Date;
use crate::event::services;
use crate::event::{Service, protocol};
use crate::query::answer::{Exposure, ExposureRow, ServiceRow};

/// Most open ranges.
pub const MAX_OPEN_PORTS: usize = 256;

/// Ports that any outside address can reach.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Open {
    /// IANA's protocol number.
    pub protocol: u8,
    /// The range of ports, both included.
    pub first: u16,
    pub last: u16,
    /// What opens them, such as `rule 'Allow-SSH'`.
    pub by: String,
}

/// What the rules, redirects and policies of these zones open, in the file's order.
pub fn opened(text: &str, zones: &[String]) -> Vec<Open> {
    let (sections, _) = uci::parse(text);
    // Zones without a policy have that of the first section of defaults.
    let defaults = sections.iter().find(|section| section.kind == "defaults");
    let default = defaults.and_then(|section| section.value("input"));
    let is = |section: &Section, word| section.value("target").is_some_and(|target| is_word(word, target));
    let is_on = |section: &&Section| section.value("enabled").and_then(flag) != Some(false);
    let mut found = Vec::new();
    for section in sections.iter().filter(is_on) {
        match section.kind.as_str() {
            "zone" => {
                let name = section.value("name").unwrap_or_default();
                let policy = section.value("input").or(default).unwrap_or_default();
                if is_word("accept", policy) && zones.iter().any(|zone| zone == name) {
                    let (first, last) = (1, u16::MAX);
                    let all = |protocol| Open { protocol, first, last, by: "the zone's policy".into() };
                    found.extend([protocol::TCP, protocol::UDP].map(all));
                }
            }
            "rule" if is(section, "accept") && is_from(section, zones) => {
                add(section, "rule", "dest_port", &mut found);
            }
            // fw4 takes every target but SNAT for the default, DNAT.
            "redirect" if !is(section, "snat") && is_from(section, zones) => {
                add(section, "redirect", "src_dport", &mut found);
            }
            _ => {}
        }
    }
    found.truncate(MAX_OPEN_PORTS);
    found
}

fn is_from(section: &Section, zones: &[String]) -> bool {
    let source = section.value("src").unwrap_or_default();
    let narrows =
        |name: &&str| section.settings.iter().any(|one| one.name == **name && !one.value.starts_with('!'));
    let narrowed = ["src_ip", "src_mac", "ipset", "src_port"].iter().any(narrows);
    !narrowed && (source == "*" || zones.iter().any(|zone| zone == source))
}

fn add(section: &Section, kind: &str, ports: &str, found: &mut Vec<Open>) {
    let by = match section.value("name") {
        Some(name) => format!("{kind} '{name}'"),
        None => format!("{kind} on line {}", section.line),
    };
    let mut protocols: Vec<u8> = Vec::new();
    let named = section.words("proto");
    for word in if named.is_empty() { vec!["tcpudp"] } else { named } {
        match word.to_ascii_lowercase().as_str() {
            "tcpudp" | "all" | "any" | "*" => protocols.extend([protocol::TCP, protocol::UDP]),
            word => protocols
                .extend(services::protocol_number(word).filter(|protocol| Service::has_ports(*protocol))),
        }
    }
    // Negated ports are left out of the others: of all, if there are none.
    let words = section.words(ports).into_iter().filter(|word| !word.starts_with('!'));
    // fw4 ignores a section with a port that is none.
    let Some(mut ranges) = words.map(range).collect::<Option<Vec<_>>>() else { return };
    if ranges.is_empty() {
        ranges.push((1, u16::MAX));
    }
    for protocol in protocols {
        found.extend(ranges.iter().map(|&(first, last)| Open { protocol, first, last, by: by.clone() }));
    }
}

/// `22`, `8000-8080` or `8000:8080`.
fn range(word: &str) -> Option<(u16, u16)> {
    let (first, last) = word.split_once(['-', ':']).unwrap_or((word, word));
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then_some((first, last))
}

/// The attempts at open ports, most first; a single open port is listed even with no attempts.
pub fn attacked(open: &[Open], rows: &[ServiceRow]) -> Vec<ExposureRow> {
    let mut found: Vec<ExposureRow> = Vec::new();
    for row in rows {
        let (Some(port), Some(protocol)) = (row.port, services::protocol_number(&row.protocol)) else {
            continue;
        };
        let holds = |open: &&Open| open.protocol == protocol && (open.first..=open.last).contains(&port);
        if let Some(open) = open.iter().find(holds) {
            found.push(ExposureRow {
                protocol: row.protocol.clone(),
                port,
                name: row.name.clone(),
                by: open.by.clone(),
                attempts: row.attempts,
                unique_sources: row.unique_sources,
                unique_sources_error: row.unique_sources_error,
            });
        }
    }
    for open in open.iter().filter(|open| open.first == open.last) {
        let (protocol, port) = (services::protocol_name(open.protocol), open.first);
        if found.iter().any(|known| known.protocol == protocol && known.port == port) {
            continue;
        }
        found.push(ExposureRow {
            protocol,
            port,
            name: services::look_up(open.protocol, port).map(|known| known.name.into()),
            by: open.by.clone(),
            ..ExposureRow::default()
        });
    }
    found.truncate(MAX_OPEN_PORTS);
    found
}

/// The last answer: adding up a month is expensive, and the page asks every 30 seconds.
pub struct CachedExposure {
    /// Milliseconds since boot.
    pub asked_ms: u64,
    pub open: Vec<Open>,
    pub exposure: Exposure,
}

/// How long the answer is reused while the same ports are open, in milliseconds.
const CACHE_MS: u64 = 60_000;

impl CachedExposure {
    /// Whether it is new enough (`now_ms` since boot) and of these ports.
    pub fn fits(&self, now_ms: u64, open: &[Open], since: Date) -> bool {
        now_ms.saturating_sub(self.asked_ms) < CACHE_MS && self.open == open && self.exposure.since == since
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIREWALL: &str = "
config zone
\toption name 'wan'
\toption input 'REJECT'

config rule
\toption name 'Allow-Ping'
\toption src 'wan'
\toption proto 'icmp'
\toption target 'ACCEPT'

config rule
\toption name 'Allow-SSH'
\toption src 'wan'
\toption proto 'tcp'
\toption dest_port '22 8000-8010'
\toption target 'ACCEPT'

config rule
\toption name 'Office'
\toption src 'wan'
\toption src_ip '192.0.2.1'
\toption dest_port '3389'
\toption target 'ACCEPT'

config rule
\toption src 'wan'
\toption dest_port '23'
\toption target 'REJECT'

config rule
\toption src 'lan'
\toption dest_port '80'
\toption target 'ACCEPT'

config redirect
\toption src 'wan'
\toption src_dport '443'
\tlist proto 'tcp'
\tlist proto 'udp'
\toption dest_ip '192.168.1.2'

config redirect
\toption enabled '0'
\toption src 'wan'
\toption src_dport '21'
";

    fn shown(text: &str) -> Vec<String> {
        let open = opened(text, &["wan".to_string()]);
        open.iter()
            .map(|open| format!("{} {}-{} {}", open.protocol, open.first, open.last, open.by))
            .collect()
    }

    #[test]
    fn what_everybody_outside_can_reach_is_found() {
        let expected = [
            "6 22-22 rule 'Allow-SSH'",
            "6 8000-8010 rule 'Allow-SSH'",
            "6 443-443 redirect on line 36",
            "17 443-443 redirect on line 36",
        ];
        assert_eq!(shown(FIREWALL), expected);
        let accepts = "config zone\n\toption name 'wan'\n\toption input 'ACCEPT'\n";
        assert_eq!(shown(accepts), ["6 1-65535 the zone's policy", "17 1-65535 the zone's policy"]);
        let odd = "config rule\n\toption src '*'\n\toption target 'accept'\n\toption proto 'gre tcp'\n\toption dest_port '!22 x 9-1 70000'\n";
        assert_eq!(shown(odd), Vec::<String>::new());
    }

    #[test]
    fn words_are_read_as_fw4_reads_them() {
        let defaults = |first: &str, second: &str| {
            shown(&format!(
                "config defaults\n\toption input '{first}'\nconfig zone\n\toption name 'wan'\n\
                 config defaults\n\toption input '{second}'\n"
            ))
        };
        assert_eq!(defaults("acc", "DROP"), ["6 1-65535 the zone's policy", "17 1-65535 the zone's policy"]);
        assert_eq!(defaults("DROP", "ACCEPT"), Vec::<String>::new());
        let rule = "config rule\n\toption src 'wan'\n\toption proto 'tcp'\n\toption target 'a'\n";
        let with = |option: &str| shown(&format!("{rule}\toption {option}\n"));
        assert_eq!(with("dest_port '!22'"), ["6 1-65535 rule on line 1"]);
        assert_eq!(with("dest_port '80 !443'"), ["6 80-80 rule on line 1"]);
        assert_eq!(with("src_ip '!198.51.100.7'"), ["6 1-65535 rule on line 1"]);
        for off in ["no", "off", "false"] {
            assert_eq!(with(&format!("enabled '{off}'")), Vec::<String>::new());
        }
    }

    #[test]
    fn open_ports_are_told_with_their_attempts() {
        let row = |protocol: &'static str, port, attempts| ServiceRow {
            protocol: protocol.into(),
            port: Some(port),
            attempts,
            unique_sources: Some(310),
            ..ServiceRow::default()
        };
        let rows = [row("tcp", 23, 9000), row("tcp", 22, 2198), row("udp", 22, 5), row("tcp", 8005, 4)];
        let found = attacked(&opened(FIREWALL, &["wan".to_string()]), &rows);
        let ports: Vec<_> = found.iter().map(|row| (&*row.protocol, row.port, row.attempts)).collect();
        assert_eq!(ports, [("tcp", 22, 2198), ("tcp", 8005, 4), ("tcp", 443, 0), ("udp", 443, 0)]);
        assert_eq!((found[0].unique_sources, found[2].unique_sources), (Some(310), None));
    }

    #[test]
    fn what_was_told_is_told_again_for_a_minute() {
        let open = opened(FIREWALL, &["wan".to_string()]);
        let since = Date(20_000);
        let exposure = Exposure { since, ports: attacked(&open, &[]) };
        let cache = CachedExposure { asked_ms: 1000, open: open.clone(), exposure };
        assert!(cache.fits(60_999, &open, since));
        assert!(!cache.fits(61_000, &open, since));
        assert!(!cache.fits(2000, &open[1..], since));
        assert!(!cache.fits(2000, &open, Date(20_031)));
    }

    #[test]
    fn many_rules_are_bounded() {
        let rule = "config rule\n\toption src 'wan'\n\toption target 'ACCEPT'\n\toption dest_port '1 2 3'\n";
        assert_eq!(opened(&rule.repeat(500), &["wan".to_string()]).len(), MAX_OPEN_PORTS);
    }
}
