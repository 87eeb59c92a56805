//! The kernel's ruleset, from `nft -j -t list ruleset`: the counters of fwstat's rules, and every place where packets
//! are refused before such a rule sees them.
//!
//! fw4's chains are those of firewall4's template `ruleset.uc`; docs/FIREWALL.md has the table of its refusing places.

mod read;

use serde_json::Value;

use crate::event::small_map::SmallMap;

/// Most rules that are read; the others are one place without a number.
const MAX_RULES: usize = 2048;
/// Most entries in the list of unseen rules and chains: a ruleset can have a rule for every address.
const MAX_PLACES: usize = 64;
/// Bytes of a place's name to which no further names are added.
const LONG_NAME: usize = 400;
/// A rule's comment ends with a zone's name, or with `rule` and one of `syn_flood`, `invalid`, `forward`.
const OURS: &str = "fwstat ";

/// What a counter of the kernel shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Reading {
    /// The counter's number, which no other counter gets until the next boot: the handles of its table and of what counts.
    pub id: u64,
    /// Since the counter was made.
    pub packets: u64,
}

/// The packets of several counters.
pub(in crate::daemon) fn sum_of(readings: &[Reading]) -> u64 {
    readings.iter().fold(0, |sum, reading| sum.saturating_add(reading.packets))
}

/// Packets that were refused and not seen one by one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unseen {
    pub place: String,
    /// The counters that have them; `None` where nothing counts.
    pub packets: Option<Vec<Reading>>,
}

/// What a rule does with a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Verdict {
    #[default]
    Other,
    /// Drops or rejects.
    Refuse,
    /// `ct state vmap { ..., invalid : drop }`
    InvalidDrop,
    Jump,
    /// `vmap @target`: drops something, unless [`Ruleset::resolve_maps`] finds that it does not.
    Map,
}

/// A chain, a map or a named counter of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Chain {
    family: String,
    table: String,
    name: String,
}

impl Chain {
    /// Whether it is in fw4's table.
    fn is_fw4(&self) -> bool {
        self.table == "fw4" && self.family == "inet"
    }
}

/// A rule of the kernel.
#[derive(Debug, Default)]
struct Rule {
    chain: Chain,
    comment: String,
    /// Its own counter or a named one.
    counter: Option<Reading>,
    verdict: Verdict,
    /// The chain of a jump, or the name of a map.
    target: String,
    /// Logs to the kernel's log, which the input logd reads.
    logs: bool,
    /// The NFLOG group that it logs to.
    nflog: Option<u64>,
    /// Rate, burst and unit of time of its limit.
    limit: Option<[Value; 3]>,
    /// Has a verdict map.
    has_map: bool,
    /// Has a limit of any kind.
    is_limited: bool,
}

/// What is read of the packets that rules log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Read {
    /// The NFLOG group, if one is read.
    pub nflog: Option<u16>,
    /// Whether the kernel's log is read.
    pub logd: bool,
}

impl Rule {
    /// It is ours and logs each packet that comes by to where it is read.
    fn sees(&self, read: Read) -> bool {
        self.comment.starts_with(OURS) && self.logs_to_nflog(read)
    }

    /// Whether it logs to the NFLOG group that is read.
    fn logs_to_nflog(&self, read: Read) -> bool {
        self.nflog.is_some() && self.nflog == read.nflog.map(u64::from)
    }

    /// What its counter shows, as [`Unseen::packets`].
    fn packets(&self) -> Option<Vec<Reading>> {
        self.counter.map(|reading| vec![reading])
    }

    /// Whether it can drop or reject a packet.
    fn refuses(&self) -> bool {
        let of_policies = ["drop_from_", "reject_from_", "drop_to_", "reject_to_"];
        match self.verdict {
            Verdict::Other => false,
            Verdict::Jump if self.target == "handle_reject" => true,
            Verdict::Jump => of_policies.iter().any(|start| self.target.starts_with(start)),
            Verdict::Refuse | Verdict::InvalidDrop | Verdict::Map => true,
        }
    }
}

/// The kernel's ruleset as `nft -j -t list ruleset` prints it: rules with counters, in fw4's table and others.
#[derive(Debug, Default)]
pub struct Ruleset {
    rules: Vec<Rule>,
    /// Handles of the tables, by family and name.
    tables: Vec<(String, String, u64)>,
    /// Named counters.
    counters: SmallMap<Chain, Reading>,
    /// Base chains that no inbound packet passes.
    outbound: Vec<Chain>,
    /// Base chains that inbound packets pass, and whether they drop at their end.
    inbound: Vec<(Chain, bool)>,
    /// fw4's chain forward drops at its end, or rejects just before.
    forward_refuses: bool,
    /// There were more rules than are read.
    cut: bool,
}

/// What one of fwstat's rules counts.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Place {
    /// The policies of a zone.
    Zone(String),
    /// `syn_flood`, `invalid`, `forward`: of all zones.
    All(String),
}

impl Ruleset {
    /// The counters of our rules.
    pub fn counted(&self) -> SmallMap<Place, Vec<Reading>> {
        let mut counted = SmallMap::new();
        for rule in &self.rules {
            if let (Some(packets), Some(place)) = (rule.packets(), place_of(&rule.comment)) {
                // Two rules share the counter of a zone.
                add_new(counted.or_default(place), packets);
            }
        }
        counted
    }

    /// All counters, in the order of their numbers.
    pub fn readings(&self) -> Vec<Reading> {
        let of_rules = self.rules.iter().filter_map(|rule| rule.counter);
        let mut readings: Vec<Reading> = of_rules.chain(self.counters.values().copied()).collect();
        readings.sort_unstable_by_key(|reading| reading.id);
        readings.dedup_by_key(|reading| reading.id);
        readings
    }

    /// Asks once for each named verdict map whether an element of it drops: by family, table and name, `None` if that is
    /// unknown.
    pub fn resolve_maps(&mut self, drops: &mut dyn FnMut(&str, &str, &str) -> Option<bool>) {
        let mut known: SmallMap<Chain, bool> = SmallMap::new();
        for rule in self.rules.iter_mut().filter(|rule| rule.verdict == Verdict::Map) {
            let map = Chain { name: std::mem::take(&mut rule.target), ..rule.chain.clone() };
            let ask = || drops(&map.family, &map.table, &map.name) != Some(false);
            let refuses = known.get(&map).copied().unwrap_or_else(ask);
            rule.verdict = if refuses { Verdict::Refuse } else { Verdict::Other };
            known.insert(map, refuses);
        }
    }

    /// Where packets are refused that no rule of ours logs one by one. `zones`: the counted ones.
    pub fn unseen(&self, zones: &[String], read: Read) -> Vec<Unseen> {
        let logd = read.logd;
        let mut rows = Vec::new();
        let mut add = |place: String, packets| add_unseen(&mut rows, place, packets);
        let (fw4, others): (Vec<_>, Vec<_>) = self.rules.iter().partition(|rule| rule.chain.is_fw4());
        let ours = |chain: &str, comment: &str| of_chain(&fw4, chain).find(|rule| rule.comment == comment);
        // A rule of fwstat that only counts gives a sum.
        let sum = |rule: Option<&Rule>| rule.and_then(Rule::packets);
        let sees = |rule: Option<&Rule>| rule.is_some_and(|rule| rule.logs_to_nflog(read));
        let logs = |chain: &str| logd && of_chain(&fw4, chain).any(|rule| rule.logs && rule.refuses());
        // Whether the chain ends in fw4's jump to this chain of a policy.
        let ends_in = |chain: &str, target: &str| {
            of_chain(&fw4, chain).any(|rule| rule.target == target && rule.comment.is_empty())
        };

        if let Some(syn_flood) = of_chain(&fw4, "syn_flood").find(|rule| rule.limit.is_some()) {
            let twin = ours("input", "fwstat rule syn_flood").filter(|twin| twin.limit == syn_flood.limit);
            if !sees(twin) {
                add("the SYN flood protection (chain syn_flood)".into(), sum(twin));
            }
        }
        for chain in ["input", "forward"] {
            let rule = ours(chain, "fwstat rule invalid");
            if of_chain(&fw4, chain).any(|rule| rule.verdict == Verdict::InvalidDrop) && !sees(rule) {
                add(format!("drop_invalid (chain {chain})"), sum(rule));
            }
        }
        for zone in zones {
            let (input, forward) = (format!("input_{zone}"), format!("forward_{zone}"));
            let name = format!("fwstat {zone}");
            let (our_input, our_forward) = (ours(&input, &name), ours(&forward, &name));
            for verdict in ["reject", "drop"] {
                let target = format!("{verdict}_from_{zone}");
                if ends_in(&input, &target) && !sees(our_input) && !logs(&target) {
                    add(format!("the input policy of zone {zone}"), sum(our_input));
                }
            }
            let our_rule = our_forward.or(ours("forward", "fwstat rule forward"));
            // fw4's own at the end of the chain, not an owner's for some of the packets.
            let is_log = |rule: &Rule| {
                rule.logs && !rule.is_limited && rule.verdict == Verdict::Other && rule.comment.is_empty()
            };
            if self.forward_refuses && !sees(our_rule) && !(logd && of_chain(&fw4, &forward).any(is_log)) {
                add(format!("forwarding from zone {zone}"), sum(our_rule));
            }
            for verdict in ["reject", "drop"] {
                // Out through the zone it came from: a rule of fwstat in forward_Z sees it.
                let target = format!("{verdict}_to_{zone}");
                if ends_in(&forward, &target) && !sees(our_forward) && !logs(&target) {
                    let packets = of_chain(&fw4, &target).filter(|rule| rule.refuses()).map(Rule::packets);
                    let packets = packets.reduce(both).flatten();
                    add(format!("the forward policy of zone {zone} for its own interfaces"), packets);
                }
            }
        }
        for (at, rule) in fw4.iter().enumerate() {
            let is_logged = || (logd && rule.logs) || logs(&rule.target);
            if self.is_refusing_rule(rule, zones, read, &fw4[..at]) && !is_logged() {
                add(name_of(rule), rule.packets());
            }
        }
        for (at, rule) in others.iter().enumerate() {
            if self.is_foreign(rule, read, &others[..at]) && !(logd && rule.logs) {
                add(format!("table {} {}", rule.chain.family, rule.chain.table), rule.packets());
            }
        }
        for (chain, _) in self.inbound.iter().filter(|(_, drops)| *drops) {
            if self.is_unseen_policy(chain, read) {
                let Chain { family, table, name } = chain;
                add(format!("the policy of chain {name} in table {family} {table}"), None);
            }
        }
        if self.cut {
            add("rules beyond the first 2048".into(), None);
        }
        rows
    }

    /// Whether a rule of fw4's table, the owner's or an include's, refuses packets of a counted zone before a rule of
    /// fwstat has seen them. `before`: the rules before it.
    fn is_refusing_rule(&self, rule: &Rule, zones: &[String], read: Read, before: &[&Rule]) -> bool {
        let chain = rule.chain.name.as_str();
        let handles_flows = matches!(chain, "input" | "forward" | "output");
        let is_drop_invalid = rule.verdict == Verdict::InvalidDrop && handles_flows;
        if !rule.refuses() || is_drop_invalid || rule.sees(read) {
            return false;
        }
        let zone =
            |start: &str| chain.strip_prefix(start).is_some_and(|name| zones.iter().any(|zone| zone == name));
        if matches!(chain, "input" | "forward") {
            // At the chain's end are packets that fwstat's rules of the zones have seen, and those of interfaces in no
            // zone.
            return !(rule.target == "handle_reject" && rule.comment.is_empty());
        }
        if zone("input_") || zone("forward_") {
            let last =
                rule.comment.is_empty() && rule.verdict == Verdict::Jump && rule.target != "handle_reject";
            let seen = before.iter().any(|ours| ours.chain == rule.chain && ours.sees(read));
            return !last && !seen;
        }
        // An owner's base chain can have a name that begins as those of fw4's zones.
        let is_base = self.inbound.iter().any(|(chain, _)| *chain == rule.chain);
        (is_base || !is_of_fw4(chain)) && !self.outbound.contains(&rule.chain)
    }

    /// Whether it is another table's rule that can refuse inbound packets. `before`: the rules before it.
    fn is_foreign(&self, rule: &Rule, read: Read, before: &[&Rule]) -> bool {
        let Chain { family, table, .. } = &rule.chain;
        let seen = rule.sees(read) || before.iter().any(|ours| ours.chain == rule.chain && ours.sees(read));
        // With several zones its rule has no comment.
        let guard = family == "inet" && table == "fwstat" && rule.logs_to_nflog(read);
        let refuses = rule.verdict != Verdict::Jump && rule.refuses();
        has_packets(family) && refuses && !guard && !seen && !self.outbound.contains(&rule.chain)
    }

    /// Whether no rule of ours sees what a base chain drops at its end. What reaches the end of fw4's is in no zone, or was
    /// seen in a zone's chain.
    fn is_unseen_policy(&self, chain: &Chain, read: Read) -> bool {
        let is_fw4 = chain.is_fw4() && matches!(chain.name.as_str(), "input" | "forward");
        let seen = self.rules.iter().any(|ours| ours.chain == *chain && ours.sees(read));
        has_packets(&chain.family) && !is_fw4 && !seen
    }
}

/// The rules in the chains of this name.
fn of_chain<'r>(rules: &[&'r Rule], chain: &str) -> impl Iterator<Item = &'r Rule> {
    rules.iter().copied().filter(move |rule| rule.chain.name == chain)
}

/// Whether the tables of a family take IP packets that are routed or for the router.
fn has_packets(family: &str) -> bool {
    matches!(family, "inet" | "ip" | "ip6" | "netdev")
}

/// All counters; not known unless both have some.
fn both(one: Option<Vec<Reading>>, other: Option<Vec<Reading>>) -> Option<Vec<Reading>> {
    let (mut one, other) = one.zip(other)?;
    add_new(&mut one, other);
    Some(one)
}

/// Rules can share a named counter.
fn add_new(readings: &mut Vec<Reading>, more: Vec<Reading>) {
    for reading in more {
        if readings.iter().all(|known| known.id != reading.id) {
            readings.push(reading);
        }
    }
}

/// Names of fw4's own chains that refuse packets. An owner's chain has another name; fw4's other chains refuse only by
/// rules of an owner.
fn is_of_fw4(chain: &str) -> bool {
    const BEGIN: &str =
        "input_ output_ forward_ accept_from_ accept_to_ reject_from_ reject_to_ drop_from_ drop_to_";
    matches!(chain, "output" | "handle_reject" | "syn_flood")
        || BEGIN.split(' ').any(|start| chain.starts_with(start))
}

/// How a rule is named in [`Unseen::place`].
fn name_of(rule: &Rule) -> String {
    // Such a rule also counts packets that leave through another zone's interface, which it does not refuse.
    let most = if rule.target.contains("_to_") { " (at most)" } else { "" };
    match rule.comment.strip_prefix("!fw4: ") {
        Some(name) => format!("rule '{name}'{most}"),
        None => format!("a rule in chain {}{most}", rule.chain.name),
    }
}

/// What the rule with this comment counts; `None`: not one of ours.
fn place_of(comment: &str) -> Option<Place> {
    let name = comment.strip_prefix(OURS)?;
    Some(match name.strip_prefix("rule ") {
        Some(name) => Place::All(name.to_string()),
        None => Place::Zone(name.to_string()),
    })
}

/// Adds a rule or chain to the unseen ones. Entries with the same name are merged and their counters added; entries that
/// share a counter are merged, so that it counts once.
fn add_unseen(rows: &mut Vec<Unseen>, place: String, packets: Option<Vec<Reading>>) {
    if let Some(row) = rows.iter_mut().find(|row| row.place == place) {
        row.packets = both(row.packets.take(), packets);
    } else if let Some(row) = rows.iter_mut().find(|row| packets.is_some() && row.packets == packets) {
        if row.place.len() < LONG_NAME {
            row.place = format!("{} and {place}", row.place);
        }
    } else if rows.len() < MAX_PLACES {
        rows.push(Unseen { place, packets });
    } else if let Some(last) = rows.last_mut() {
        last.place = "further rules".into();
        last.packets = both(last.packets.take(), packets);
    }
}

#[cfg(test)]
mod tests;
