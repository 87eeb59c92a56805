//! The path of a packet: the rule that logged it, and its interfaces.
//!
//! Takes the texts that many packets have in common, gives small numbers for them, so that an event has no text.
//! Bounded, since a file can contain any number of prefixes.

use std::cell::RefCell;
use std::rc::Rc;

use crate::event::{Origin, PathId, Verdict};

/// The direction of a packet, by its input interface and the zone in the log prefix.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[repr(u8)]
pub enum Direction {
    /// From outside: only these packets can be attempts.
    #[default]
    Inbound = 0,
    /// From the inside, or from the router itself.
    Egress = 1,
}

/// The common properties of the packets of one rule and one pair of interfaces.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Path {
    pub origin: Origin,
    /// The log prefix without the blanks at its end; for logins the daemon's name.
    pub prefix: String,
    pub input: String,
    pub output: String,
    /// The bridge port of the input (`PHYSIN=`).
    pub bridge_input: String,
    pub bridge_output: String,
    /// The destination MAC is a broadcast or multicast address.
    pub group_mac: bool,
    pub verdict: Verdict,
    /// The zone that the prefix names.
    pub zone: Option<String>,
    /// The firewall's zone: the one that the prefix names, else that of the input interface.
    pub firewall_zone: Option<String>,
    pub direction: Direction,
}

/// The part of a path that is stored in the statistics.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Rule {
    /// The log prefix without the blanks at its end; for logins the daemon's name.
    pub prefix: String,
    /// The input interface; empty for what the router itself sent.
    pub interface: String,
    /// The firewall's zone; empty where it is not known.
    pub zone: String,
}

/// The firewall rule of each path, and whether its packets were to be forwarded. Shared with the tables that count by
/// rule.
#[derive(Clone, Debug, Default)]
pub struct Rules(Rc<RefCell<Vec<(Rule, bool)>>>);

impl Rules {
    /// `None`: the path is not known.
    pub fn get(&self, id: PathId) -> Option<(Rule, bool)> {
        self.0.borrow().get(usize::from(id.0)).cloned()
    }

    fn push(&self, path: &Path) {
        let rule = Rule {
            prefix: path.prefix.clone(),
            interface: path.input.clone(),
            zone: path.firewall_zone.clone().unwrap_or_default(),
        };
        let is_forwarded = !path.input.is_empty() && !path.output.is_empty();
        self.0.borrow_mut().push((rule, is_forwarded));
    }
}

/// The most different paths; further ones share an entry for each origin, direction and verdict.
pub const MAX_PATHS: usize = 512;

impl Path {
    /// Whether no packet matches the rules of both: they are fwstat's, of which a refused packet matches exactly one, and
    /// log the same interfaces.
    fn excludes(&self, other: &Path) -> bool {
        let is_ours = |path: &Path| {
            let prefix = path.prefix.strip_prefix("reject ").or(path.prefix.strip_prefix("drop "));
            let is_known = prefix.is_some_and(|prefix| {
                matches!(prefix, "syn_flood:" | "invalid ct state:" | "forward:")
                    || (path.zone.is_some() && (prefix.ends_with(" in:") || prefix.ends_with(" forward:")))
            });
            is_known && path.origin == Origin::Nflog
        };
        is_ours(self)
            && is_ours(other)
            && self.input == other.input
            && self.output == other.output
            && self.bridge_input == other.bridge_input
            && self.bridge_output == other.bridge_output
            && self.group_mac == other.group_mac
    }
}

/// The table of paths. Ids stay valid for its whole life.
#[derive(Debug, Default)]
pub struct Paths {
    paths: Vec<Path>,
    /// For each path the first one that can log the same packets.
    exclusive: Vec<PathId>,
    rules: Rules,
}

impl Paths {
    /// An empty table.
    pub fn new() -> Paths {
        Paths::default()
    }

    /// The number of `path`. When the table is full, the number of a path with the same
    /// origin, direction and verdict and without names.
    pub fn intern(&mut self, path: &Path) -> PathId {
        if let Some(index) = self.paths.iter().position(|known| known == path) {
            return PathId(index as u16);
        }
        if self.paths.len() < MAX_PATHS {
            return self.push(path.clone());
        }
        let nameless = Path {
            origin: path.origin,
            group_mac: path.group_mac,
            verdict: path.verdict,
            direction: path.direction,
            ..Path::default()
        };
        // 2 origins, 2 directions, 3 verdicts and a flag: at most 24 more.
        match self.paths.iter().position(|known| *known == nameless) {
            Some(index) => PathId(index as u16),
            None => self.push(nameless),
        }
    }

    fn push(&mut self, path: Path) -> PathId {
        let id = PathId(self.paths.len() as u16);
        let first = self.paths.iter().position(|known| known.excludes(&path));
        self.exclusive.push(first.map_or(id, |first| PathId(first as u16)));
        self.rules.push(&path);
        self.paths.push(path);
        id
    }

    /// The path by which sightings of one packet are distinguished: mutually exclusive rules never log the same packet,
    /// so that identical packets in logs of two such rules are different packets.
    pub fn of_sightings(&self, id: PathId) -> PathId {
        self.exclusive.get(usize::from(id.0)).copied().unwrap_or(id)
    }

    /// The rules of these paths, including future ones.
    pub fn rules(&self) -> Rules {
        self.rules.clone()
    }

    /// The path of an id; `None` for [`PathId::UNKNOWN`].
    pub fn get(&self, id: PathId) -> Option<&Path> {
        self.paths.get(id.0 as usize)
    }

    /// All paths, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &Path> {
        self.paths.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_rules_exclude_each_other_and_others_do_not() {
        let mut paths = Paths::new();
        let path = |prefix: &str, zone: Option<&str>, input: &str, origin| Path {
            origin,
            prefix: prefix.into(),
            input: input.into(),
            verdict: Verdict::Drop,
            zone: zone.map(str::to_string),
            ..Path::default()
        };
        let mut group = |path: Path| {
            let id = paths.intern(&path);
            paths.of_sightings(id).0
        };
        let nflog = Origin::Nflog;
        assert_eq!(group(path("drop wan in:", Some("wan"), "wan", nflog)), 0);
        assert_eq!(group(path("drop syn_flood:", None, "wan", nflog)), 0);
        assert_eq!(group(path("drop invalid ct state:", None, "wan", nflog)), 0);
        // By another interface, of another's rule, from the log.
        assert_eq!(group(path("drop syn_flood:", None, "lan", nflog)), 3);
        assert_eq!(group(path("mine:", None, "wan", nflog)), 4);
        assert_eq!(group(path("drop wan in:", Some("wan"), "wan", Origin::Log)), 5);
    }

    #[test]
    fn a_full_table_still_answers_with_direction_and_verdict() {
        let mut paths = Paths::new();
        let mut path = Path { input: "wan".into(), verdict: Verdict::Drop, ..Path::default() };
        for number in 0..10_000 {
            path.prefix = format!("rule {number}");
            path.direction = if number % 2 == 0 { Direction::Inbound } else { Direction::Egress };
            let id = paths.intern(&path);
            assert_eq!(paths.get(id).unwrap().direction, path.direction);
        }
        assert_eq!(paths.iter().count(), MAX_PATHS + 2);
    }
}
