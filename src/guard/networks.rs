//! Networks and countries that are blocked by hand, for a time or until unblocked.
//!
//! Takes requests and the time, gives the ranges for the kernel, never with a protected address. Bounded; reads no
//! clock.

use super::ledger::{Ended, Over, end_by_wall, end_of};
use super::policy::{Policy, Protection};
use super::ranges::{Range, Ranges};
use super::{End, Guard, Mode};
use crate::query::question::Prefix;
use crate::query::target::{MAX_NETWORKS, SHORTEST_V4, SHORTEST_V6, Target};

/// Most ranges of addresses in the kernel's sets, each with some 250 bytes of kernel memory. The largest countries have
/// some 15,000.
pub const MAX_RANGES: usize = 16_384;
/// Most blocks with a reason.
const MAX_REASONS: usize = 256;

/// A blocked network or country.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NetworkBlock {
    pub target: Target,
    /// In ms since boot; before it 0.
    pub since_ms: u64,
    /// `None`: until it is unblocked.
    pub until_ms: Option<u64>,
    /// The same as Unix seconds, if the clock was set.
    pub since_wall: Option<i64>,
    pub until_wall: Option<i64>,
    /// The reason given by the user.
    pub reason: Option<String>,
}

impl NetworkBlock {
    /// Whether it has expired.
    pub fn is_over(&self, now_ms: u64) -> bool {
        self.until_ms.is_some_and(|until| until <= now_ms)
    }

    /// When it began: as an instant if that is known, else by the boot clock.
    fn since(&self) -> Result<i64, u64> {
        self.since_wall.ok_or(self.since_ms)
    }
}

/// The list of [`NetworkBlock`]s.
#[derive(Default)]
pub struct Networks {
    /// The oldest first.
    pub(crate) blocks: Vec<NetworkBlock>,
    /// Incremented with each change; identifies what was stored and what the kernel has.
    pub(crate) version: u64,
}

impl Networks {
    /// The block of a target.
    pub fn get(&self, target: Target) -> Option<&NetworkBlock> {
        self.blocks.iter().find(|block| block.target == target)
    }

    /// Adds a block, which replaces one of the same target. False if the list is full.
    pub fn add(&mut self, mut block: NetworkBlock) -> bool {
        self.remove(block.target);
        if self.blocks.len() >= MAX_NETWORKS {
            return false;
        }
        let reasons = self.blocks.iter().filter(|block| block.reason.is_some()).count();
        block.reason = block.reason.filter(|_| reasons < MAX_REASONS);
        self.blocks.push(block);
        self.version += 1;
        true
    }

    /// Adds a block of a backup, unless the same target has one that ends at the same time or later (to a second).
    /// False if it has, or if the list is full.
    pub fn add_longer(&mut self, block: NetworkBlock) -> bool {
        let ends = |block: &NetworkBlock| block.until_ms.unwrap_or(u64::MAX);
        let is_longer = |known: &NetworkBlock| ends(known).saturating_add(1000) < ends(&block);
        self.get(block.target).is_none_or(is_longer) && self.add(block)
    }

    /// Removes the block of a target.
    pub fn remove(&mut self, target: Target) -> Option<NetworkBlock> {
        let at = self.blocks.iter().position(|block| block.target == target)?;
        self.version += 1;
        Some(self.blocks.remove(at))
    }

    /// When the next block ends.
    pub fn deadline(&self) -> Option<u64> {
        self.blocks.iter().filter_map(|block| block.until_ms).min()
    }

    /// The wall clock is set: stored blocks end at their time, whatever the length of the time without a daemon.
    pub fn clock_set(&mut self, now_ms: u64, wall: i64) {
        for block in &mut self.blocks {
            let since = now_ms.saturating_sub(block.since_ms) / 1000;
            block.since_wall.get_or_insert(wall.saturating_sub_unsigned(since));
            if let Some(until_ms) = &mut block.until_ms
                && end_by_wall(now_ms, wall, until_ms, &mut block.until_wall)
            {
                self.version += 1;
            }
        }
    }
}

/// Ended blocks are listed with those of single sources.
impl Guard {
    /// Blocks a network or country, replacing a block of the same target. False if the list is full.
    pub fn block_network(&mut self, now_ms: u64, block: NetworkBlock) -> bool {
        self.end_network(now_ms, block.target, End::Anew);
        self.networks.add(block)
    }

    /// Ends a block; a single address is exempt from the rules for a day. False if it is not blocked.
    pub fn unblock_network(&mut self, now_ms: u64, target: Target) -> bool {
        let ended = self.end_network(now_ms, target, End::Hand);
        if ended {
            self.sentences.push(format!("guard: the block of {target} was ended by hand"));
            target.source().into_iter().for_each(|source| self.pardon(now_ms, source));
        }
        ended
    }

    /// Ends the expired blocks and returns their targets.
    pub fn expire_networks(&mut self, now_ms: u64) -> Vec<Target> {
        let over = self.networks.blocks.iter().filter(|block| block.is_over(now_ms));
        let targets: Vec<Target> = over.map(|block| block.target).collect();
        for target in &targets {
            self.end_network(now_ms, *target, End::Expired);
        }
        targets
    }

    /// Ends a block. False if there is none.
    fn end_network(&mut self, now_ms: u64, target: Target, end: End) -> bool {
        let Some(block) = self.networks.remove(target) else { return false };
        self.note_network_ended((now_ms, None), block, end);
        true
    }

    /// Stored blocks whose time was up while no daemon ran, unless an earlier run remembered that.
    pub fn note_networks_over(&mut self, now_ms: u64, mut over: Vec<NetworkBlock>) {
        over.sort_by_key(|block| (block.until_ms, block.until_wall));
        for block in over {
            let is_known = |ended: &Ended| match &ended.over {
                Over::Network(known, _) => known.target == block.target && known.since() == block.since(),
                Over::Source(_) => false,
            };
            if !self.ledger.ended.iter().any(is_known) {
                let ended = end_of(now_ms, block.until_ms.unwrap_or(now_ms), block.until_wall);
                self.note_network_ended(ended, block, End::Expired);
            }
        }
    }

    /// `at`: since when, see [`Ended`].
    fn note_network_ended(&mut self, at: (u64, Option<i64>), block: NetworkBlock, end: End) {
        let (ended_ms, ended_wall) = at;
        let over = Over::Network(block, self.settings.mode == Mode::Dry);
        self.ledger.note_ended(Ended { over, words: None, end, ended_ms, ended_wall });
        self.dirty = true;
    }
}

/// Why a target cannot be blocked that has addresses in common with this protected prefix.
pub fn overlap(target: Target, prefix: Prefix, protection: Protection) -> String {
    match target {
        Target::Network(network) if network == prefix => protection.to_string(),
        Target::Network(network) if prefix.contains(network.network) && prefix.length < network.length => {
            format!("it is within {prefix}: {protection}")
        }
        Target::Network(_) | Target::Country(_) => format!("it holds {prefix}: {protection}"),
    }
}

impl Policy {
    /// Why a target, whose addresses are `ranges`, cannot be blocked; `None`: it can be. Allowed addresses within it are no
    /// reason: they are left out. `callers`: the addresses of the requesting client, also protected.
    pub fn conflict(&self, target: Target, ranges: &Ranges, callers: &[Prefix]) -> Option<String> {
        if target.is_too_short() {
            let least = format!("at least /{SHORTEST_V4} of IPv4, /{SHORTEST_V6} of IPv6");
            return Some(format!("the prefix is too short: {least}"));
        }
        let mut allowed = Ranges::of_prefixes(self.allow.iter().copied());
        let mut reserved = None;
        match target {
            Target::Network(prefix) => {
                let around =
                    |allowed: &&Prefix| allowed.length <= prefix.length && allowed.contains(prefix.network);
                if let Some(allowed) = self.allow.iter().find(around) {
                    return Some(format!("it is within {allowed}, which is on the allow list"));
                }
                reserved = Policy::reserved().find(|prefix| ranges.touches(*prefix));
            }
            // A country database may hold reserved addresses by mistake: there they are left out.
            Target::Country(_) => allowed = allowed.with(&Ranges::of_prefixes(Policy::reserved())),
        }
        let is_touched = |prefix| ranges.touches(prefix) && !allowed.covers(prefix);
        let callers = callers.iter().map(|caller| (*caller, Protection::Caller));
        let found = self.protected.iter().copied().chain(callers).find(|(prefix, _)| is_touched(*prefix));
        let found = found.or(reserved.map(|prefix| (prefix, Protection::Private)));
        found.map(|(prefix, protection)| overlap(target, prefix, protection))
    }

    /// Addresses that are left out of every block.
    pub fn exempt(&self) -> Ranges {
        let protected = self.protected.iter().map(|(prefix, _)| *prefix);
        Ranges::of_prefixes(self.allow.iter().copied().chain(protected).chain(Policy::reserved()))
    }
}

/// A range of the kernel's sets, with the remaining milliseconds of its block; `None`: until unblocked.
pub type Element = (Range, Option<u64>);

/// The contents of the kernel's sets: disjoint ranges, each until the last of its blocks ends, without exempt
/// addresses. At most `most` ranges; the flag says whether these are all.
pub fn elements(
    mut blocks: Vec<(Ranges, Option<u64>)>,
    exempt: &Ranges,
    most: usize,
) -> (Vec<Element>, bool) {
    // The longest first: ranges that they cover need no shorter block.
    blocks.sort_by_key(|(_, left)| std::cmp::Reverse(left.unwrap_or(u64::MAX)));
    let mut done = exempt.clone();
    let mut elements: Vec<Element> = Vec::new();
    for alike in blocks.chunk_by(|one, next| one.1 == next.1) {
        let all = Ranges::new(alike.iter().flat_map(|(ranges, _)| ranges.0.iter().copied()).collect());
        let new = all.without(&done);
        let room = most - elements.len();
        elements.extend(new.0.iter().take(room).map(|range| (*range, alike[0].1)));
        if new.0.len() > room {
            return (elements, false);
        }
        done = done.with(&new);
    }
    (elements, true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::ledger::ENDED;
    use crate::guard::ranges::as_v4;

    fn target(text: &str) -> Target {
        Target::parse(text).unwrap()
    }

    fn prefix(text: &str) -> Prefix {
        Prefix::parse(text).unwrap()
    }

    fn ranges(prefixes: &[&str]) -> Ranges {
        Ranges::of_prefixes(prefixes.iter().map(|text| prefix(text)))
    }

    fn block(text: &str, until_ms: Option<u64>) -> NetworkBlock {
        let (since_wall, until_wall) = (None, None);
        NetworkBlock { target: target(text), since_ms: 0, until_ms, since_wall, until_wall, reason: None }
    }

    #[test]
    fn a_network_that_holds_what_is_protected_is_refused_and_what_is_allowed_is_left_out() {
        let mut policy =
            Policy { allow: vec![prefix("198.51.100.0/24"), prefix("203.0.113.9")], ..Policy::default() };
        policy.set_protected(vec![
            (prefix("192.0.2.1"), Protection::Own),
            (prefix("203.0.113.9"), Protection::NameServer),
            (prefix("2001:db8:5::1"), Protection::Gateway),
        ]);
        let check = |text: &str| policy.conflict(target(text), &ranges(&[text]), &[prefix("192.0.9.9")]);
        let holds = |held: &str, protection| Some(format!("it holds {held}: {protection}"));
        assert_eq!(check("192.0.2.0/24"), holds("192.0.2.1", Protection::Own));
        assert_eq!(check("192.0.8.0/23"), holds("192.0.9.9", Protection::Caller));
        assert_eq!(check("2001:db8::/32"), holds("2001:db8:5::1", Protection::Gateway));
        let allowed = "it is within 198.51.100.0/24, which is on the allow list";
        assert_eq!(check("198.51.100.128/25").as_deref(), Some(allowed));
        // What is allowed stays reachable whatever is around it; a name server that is allowed is no reason.
        assert_eq!((check("198.51.0.0/16"), check("203.0.113.0/24")), (None, None));
        let too_short = "the prefix is too short: at least /8 of IPv4, /19 of IPv6";
        assert_eq!(check("128.0.0.0/7").as_deref(), Some(too_short));
        for text in [
            "10.0.0.0/8",
            "172.0.0.0/8",
            "192.168.7.0/24",
            "224.0.0.0/8",
            "fe80::/64",
            "fd00::/19",
            "100.100.0.0/16",
        ] {
            let found = check(text).unwrap();
            assert!(found.ends_with(&Protection::Private.to_string()), "{text}: {found}");
        }
        let country = Target::Country(*b"XX");
        let here = ranges(&["192.0.2.0/24", "10.0.0.0/8"]);
        let found = policy.conflict(country, &here, &[]);
        assert_eq!(found, holds("192.0.2.1", Protection::Own));
        let elsewhere = ranges(&["9.0.0.0/8", "10.0.0.0/8", "198.51.0.0/16"]);
        assert_eq!(policy.conflict(country, &elsewhere, &[]), None);
        // What the kernel gets of it has neither reserved nor allowed addresses.
        let (given, whole) = elements(vec![(elsewhere, None)], &policy.exempt(), 100);
        let shown: Vec<_> = given.iter().map(|(range, _)| as_v4(*range).unwrap()).collect();
        assert!(whole);
        assert_eq!(
            shown,
            [(0x0900_0000, 0x09ff_ffff), (0xc633_0000, 0xc633_63ff), (0xc633_6500, 0xc633_ffff)]
        );
    }

    #[test]
    fn a_refusal_tells_which_of_the_two_prefixes_holds_the_other() {
        let refusal =
            |blocked: &str, protected: &str| overlap(target(blocked), prefix(protected), Protection::Private);
        let reserved = Protection::Private.to_string();
        assert_eq!(refusal("10.1.2.3", "10.0.0.0/8"), format!("it is within 10.0.0.0/8: {reserved}"));
        assert_eq!(refusal("172.0.0.0/8", "172.16.0.0/12"), format!("it holds 172.16.0.0/12: {reserved}"));
        assert_eq!(refusal("10.0.0.0/8", "10.0.0.0/8"), reserved);
        assert_eq!(refusal("fe80:1::/32", "fe80::/10"), format!("it is within fe80::/10: {reserved}"));
        let own = overlap(Target::Country(*b"JP"), prefix("198.51.100.1"), Protection::Own);
        assert_eq!(own, "it holds 198.51.100.1: it is the router's own address");
    }

    #[test]
    fn an_address_of_several_blocks_stays_until_the_last_of_them_ends() {
        let blocks = vec![
            (ranges(&["198.51.100.0/24"]), Some(1000)),
            (ranges(&["198.51.100.64/26", "198.51.102.0/24"]), None),
            (ranges(&["198.51.100.0/25"]), Some(5000)),
        ];
        let (given, whole) = elements(blocks.clone(), &Ranges::default(), 100);
        let shown: Vec<_> = given.iter().map(|(range, left)| (as_v4(*range).unwrap(), *left)).collect();
        let at = |last: u32| 0xc633_6400 + last;
        let expected = [
            ((at(64), at(127)), None),
            ((at(512), at(767)), None),
            ((at(0), at(63)), Some(5000)),
            ((at(128), at(255)), Some(1000)),
        ];
        assert!(whole);
        assert_eq!(shown, expected);
        let (given, whole) = elements(blocks, &Ranges::default(), 3);
        assert_eq!((given.len(), whole), (3, false));
    }

    #[test]
    fn blocks_are_bounded_replaced_and_end() {
        let mut guard = Guard::default();
        let networks = &mut guard.networks;
        for number in 0..MAX_NETWORKS + 5 {
            let text = format!("9.{}.{}.0/24", number / 256, number % 256);
            assert_eq!(networks.add(block(&text, None)), number < MAX_NETWORKS);
        }
        assert!(networks.add(block("9.0.0.0/24", Some(5000))), "anew");
        assert_eq!((networks.blocks.len(), networks.deadline()), (MAX_NETWORKS, Some(5000)));
        let version = networks.version;
        assert!(guard.expire_networks(4999).is_empty() && guard.networks.version == version);
        assert_eq!(guard.expire_networks(5000), [target("9.0.0.0/24")]);
        let networks = &mut guard.networks;
        assert!(networks.version > version && networks.remove(target("9.0.0.0/24")).is_none());
        assert!(networks.remove(target("9.0.1.7/24")).is_some());
        let mut reasons = Networks::default();
        for number in 0..MAX_REASONS + 1 {
            let text = format!("9.{}.{}.0/24", number / 256, number % 256);
            assert!(reasons.add(NetworkBlock { reason: Some("x".into()), ..block(&text, None) }));
        }
        assert_eq!(reasons.blocks.iter().filter(|block| block.reason.is_some()).count(), MAX_REASONS);
    }

    #[test]
    fn ended_blocks_are_remembered_within_the_bound_of_all() {
        let mut guard = Guard::default();
        assert!(guard.block_network(100, block("9.0.0.0/24", None)));
        assert!(guard.block_network(200, block("9.0.0.0/24", Some(5000))), "anew");
        assert!(guard.block_network(300, block("9.0.1.0/24", None)));
        assert!(!std::mem::take(&mut guard.dirty) || guard.networks.blocks.len() == 2);
        assert!(!guard.unblock_network(400, target("9.0.2.0/24")) && !std::mem::take(&mut guard.dirty));
        assert!(guard.unblock_network(400, target("9.0.1.0/24")) && std::mem::take(&mut guard.dirty));
        assert!(guard.expire_networks(4999).is_empty() && !std::mem::take(&mut guard.dirty));
        assert_eq!(guard.expire_networks(5001), [target("9.0.0.0/24")]);
        assert!(std::mem::take(&mut guard.dirty));
        let ended = |guard: &Guard| -> Vec<(Over, End, u64)> {
            guard.ledger.ended.iter().map(|ended| (ended.over.clone(), ended.end, ended.ended_ms)).collect()
        };
        let over = |text, until_ms| Over::Network(block(text, until_ms), false);
        let expected = [
            (over("9.0.0.0/24", None), End::Anew, 200),
            (over("9.0.1.0/24", None), End::Hand, 400),
            (over("9.0.0.0/24", Some(5000)), End::Expired, 5001),
        ];
        assert_eq!(ended(&guard), expected);
        for number in 0..2 * ENDED {
            guard.block_network(6000, block(&format!("9.1.{number}.0/24"), Some(7000)));
        }
        assert_eq!((guard.expire_networks(7000).len(), guard.ledger.ended.len()), (2 * ENDED, ENDED));
    }

    #[test]
    fn of_two_blocks_of_a_target_the_longer_one_stays() {
        let mut networks = Networks::default();
        networks.add(block("9.0.0.0/24", Some(5000)));
        assert!(!networks.add_longer(block("9.0.0.0/24", Some(4000))));
        assert!(!networks.add_longer(block("9.0.0.0/24", Some(6000))));
        assert!(networks.add_longer(block("9.0.0.0/24", Some(6001))));
        assert!(networks.add_longer(block("9.0.0.0/24", None)));
        assert!(!networks.add_longer(block("9.0.0.0/24", Some(7000))));
        assert!(networks.add_longer(block("9.0.1.0/24", Some(1))));
        assert_eq!(networks.blocks, [block("9.0.0.0/24", None), block("9.0.1.0/24", Some(1))]);
        while networks.blocks.len() < MAX_NETWORKS {
            let number = networks.blocks.len();
            networks.add(block(&format!("8.{}.{}.0/24", number / 256, number % 256), None));
        }
        assert!(!networks.add_longer(block("9.0.2.0/24", None)), "no room");
        assert!(networks.add_longer(block("9.0.1.0/24", None)), "in the place of the shorter one");
    }

    #[test]
    fn the_clock_ends_what_should_have_ended_and_makes_nothing_longer() {
        let mut networks = Networks::default();
        networks.add(NetworkBlock { until_wall: Some(1_790_000_010), ..block("9.0.0.0/24", Some(60_000)) });
        networks.add(block("9.0.1.0/24", Some(60_000)));
        networks.add(block("9.0.2.0/24", None));
        networks.clock_set(1000, 1_790_000_000);
        let until: Vec<_> = networks.blocks.iter().map(|block| block.until_ms).collect();
        assert_eq!(until, [Some(11_000), Some(60_000), None]);
        assert_eq!(networks.blocks[1].until_wall, Some(1_790_000_059));
    }

    #[test]
    fn the_rules_leave_an_address_alone_that_was_blocked_forever_and_is_unblocked() {
        let mut guard = Guard::default();
        assert!(guard.networks.add(block("198.51.100.7", None)));
        assert!(guard.unblock_network(5000, target("198.51.100.7")));
        let source = target("198.51.100.7").source().unwrap();
        let protection = |now_ms| guard.protection_from_rules(now_ms, source);
        assert_eq!(protection(5000 + 86_399_000), Some(Protection::Pardoned));
        assert_eq!(protection(5000 + 86_400_000), None);
    }

    #[test]
    fn a_block_that_ends_while_nobody_counts_is_remembered_once() {
        let mut guard = Guard::default();
        let over = || vec![block("9.0.0.0/24", Some(60_000)), block("8.0.0.0/24", Some(50_000))];
        guard.note_networks_over(70_000, over());
        guard.note_networks_over(70_000, over());
        let ended: Vec<_> = guard.ledger.ended.iter().map(|ended| (ended.ended_ms, ended.end)).collect();
        assert_eq!(ended, [(50_000, End::Expired), (60_000, End::Expired)]);
    }
}
