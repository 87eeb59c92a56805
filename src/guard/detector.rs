//! Events -> suspects: sources that flood, scan or fail logins.
//!
//! Takes events and the time. Memory is fixed: in a full table the source with the fewest events in the window is
//! evicted, so that any number of sources that appear once do not hide one that continues. Blocks nobody.

use super::source::Source;
use super::table::{Pairs, mix};
use super::window::{Limit, Window};
use crate::event::{Class, Event, Service, protocol};

/// Most sources that are counted for floods and scans at the same time.
pub const SOURCES: usize = 1024;
/// Most sources whose failed logins are counted at the same time.
pub const LOGIN_SOURCES: usize = 256;
/// Slots of one set of the table; the hash of a source selects the set.
const WAYS: usize = 8;
/// Most services that are stored of a suspect.
pub const MAX_SERVICES: usize = 4;

/// Weights, in halves of an event: UDP and ICMP count half, since their sources are forged most easily.
const TCP: u32 = 2;
const OTHER: u32 = 1;

/// The rule that blocks a source. The numbers are stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Rule {
    /// As many attempts as the option `flood` says.
    #[default]
    Flood = 0,
    /// As many different services or destinations as the option `scan` says.
    Scan = 1,
    /// As many failed logins as the option `login` says.
    Login = 2,
    /// Blocked by hand.
    Hand = 3,
    /// It was already in the kernel's set; its cause is not known.
    Found = 4,
}

impl Rule {
    /// In the order of their numbers.
    pub const ALL: [Rule; 5] = [Rule::Flood, Rule::Scan, Rule::Login, Rule::Hand, Rule::Found];

    /// The name in answers (`rule` of `blocks`).
    pub fn name(self) -> &'static str {
        ["flood", "scan", "login", "manual", "found"][self as usize]
    }

    /// Whether the evidence can be forged: packets need no handshake.
    pub fn is_forgeable(self) -> bool {
        matches!(self, Rule::Flood | Rule::Scan)
    }

    /// The pool of blocks that this rule uses.
    pub fn pool(self) -> Pool {
        match self {
            Rule::Flood | Rule::Scan | Rule::Found => Pool::Packets,
            Rule::Login => Pool::Logins,
            Rule::Hand => Pool::Manual,
        }
    }
}

/// Blocks with evidence of the same kind share a budget and a limit, so that forged packets cannot use up those of
/// evidence that cannot be forged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pool {
    /// Floods and scans, whose packets can be forged.
    Packets = 0,
    /// Failed logins: a handshake was completed.
    Logins = 1,
    /// Blocked by hand.
    Manual = 2,
}

impl Pool {
    /// The number of pools.
    pub const COUNT: usize = 3;
    /// In the order of their numbers.
    pub const ALL: [Pool; Pool::COUNT] = [Pool::Packets, Pool::Logins, Pool::Manual];
}

/// The limit of each rule.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Limits {
    pub flood: Limit,
    pub scan: Limit,
    pub login: Limit,
}

/// A source that reached a limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Suspect {
    pub source: Source,
    pub rule: Rule,
    /// Attempts, different services or failed logins within the window.
    pub count: u32,
    pub window_ms: u64,
    /// When its first event was counted, in ms since boot.
    pub first_ms: u64,
    pub last_ms: u64,
    /// The services that were tried last.
    pub services: Services,
}

impl Suspect {
    /// A source of which no events were counted: blocked manually, or found in the kernel's set.
    pub(super) fn without_events(now_ms: u64, source: Source, rule: Rule) -> Suspect {
        Suspect { source, rule, first_ms: now_ms, last_ms: now_ms, ..Suspect::default() }
    }
}

/// Up to [`MAX_SERVICES`] different services, the newest last.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Services([Option<Service>; MAX_SERVICES]);

impl Services {
    /// Adds a service that is not among them; if full, the oldest one is removed.
    pub fn add(&mut self, service: Service) {
        if self.0.contains(&Some(service)) {
            return;
        }
        let free = self.0.iter().position(Option::is_none).unwrap_or_else(|| {
            self.0.rotate_left(1);
            MAX_SERVICES - 1
        });
        self.0[free] = Some(service);
    }

    /// The oldest first.
    pub fn iter(&self) -> impl Iterator<Item = Service> {
        self.0.iter().flatten().copied()
    }
}

/// A source whose events are counted.
#[derive(Clone, Copy, Default)]
struct Watched {
    source: Source,
    first_ms: u64,
    last_ms: u64,
    /// After it reached a limit it is not reported again until then.
    quiet_until: u64,
    services: Services,
    /// Attempts by TCP, or failed logins.
    tcp: Window,
    other: Window,
    /// Different services, weighted as attempts.
    different: Window,
    /// Distinguishes this source from the slot's previous ones.
    generation: u8,
}

impl Watched {
    /// Counts another source from now on.
    fn reset(&mut self, source: Source) {
        *self = Watched { source, generation: self.generation.wrapping_add(1), ..Watched::default() };
    }

    /// Attempts or failed logins within the window that ends with `part`.
    fn count(&self, part: u32) -> u32 {
        self.tcp.sum(part).saturating_add(self.other.sum(part))
    }

    /// Notes time and service of an event. `part`: the present one.
    fn note(&mut self, moment_ms: u64, part: u32, service: Service) {
        if self.count(part) == 0 {
            (self.first_ms, self.services) = (moment_ms, Services::default());
        }
        self.last_ms = self.last_ms.max(moment_ms);
        self.services.add(service);
    }

    /// The source as a suspect, with what is counted of it.
    fn suspect(&self, rule: Rule, count: u32, window_ms: u64) -> Suspect {
        let Watched { source, first_ms, last_ms, services, .. } = *self;
        Suspect { source, rule, count, window_ms, first_ms, last_ms, services }
    }
}

/// A set-associative table of sources. An empty slot has no events.
struct Table {
    seed: u64,
    slots: Box<[Watched]>,
}

impl Table {
    /// An empty table of this many slots.
    fn new(seed: u64, size: usize) -> Table {
        Table { seed, slots: vec![Watched::default(); size].into_boxed_slice() }
    }

    /// The slots that a source can have.
    fn set_of(&self, source: Source) -> std::ops::Range<usize> {
        let (family, bits) = source.bits();
        let set = mix(self.seed ^ family, bits) % (self.slots.len() / WAYS) as u64;
        let start = set as usize * WAYS;
        start..start + WAYS
    }

    /// The slot of a source. One that has none replaces the source with the fewest events in the window that ends with
    /// `part`.
    #[inline]
    fn slot_of(&mut self, source: Source, part: u32) -> usize {
        let set = self.set_of(source);
        if let Some(slot) = set.clone().find(|slot| self.slots[*slot].source == source) {
            return slot;
        }
        let activity = |slot: &usize| (self.slots[*slot].count(part), self.slots[*slot].last_ms);
        let slot = set.min_by_key(activity).unwrap_or(0);
        self.slots[slot].reset(source);
        slot
    }

    /// Removes what is known of a source.
    fn forget(&mut self, source: Source) {
        let set = self.set_of(source);
        self.slots[set].iter_mut().filter(|watched| watched.source == source).for_each(|it| it.reset(source));
    }
}

/// Sliding windows of the sources that sent events recently: fixed tables, see [`Pairs`] for ports and addresses.
pub struct Detector {
    limits: Limits,
    attempts: Table,
    pairs: Pairs,
    logins: Table,
}

impl Detector {
    /// `seed`: secret, so that nobody can choose sources that evict one another.
    pub fn new(limits: Limits, seed: u64) -> Detector {
        Detector {
            limits,
            attempts: Table::new(seed, SOURCES),
            pairs: Pairs::new(),
            logins: Table::new(seed, LOGIN_SOURCES),
        }
    }

    /// Counts an event of `moment_ms`, seen at `now_ms`. Events older than the window do not count.
    #[inline]
    pub fn see(&mut self, now_ms: u64, moment_ms: u64, event: &Event) -> Option<Suspect> {
        match event.class {
            Class::Attempt => self.attempt(now_ms, moment_ms.min(now_ms), event),
            Class::Login => self.login(now_ms, moment_ms.min(now_ms), event),
            _ => None,
        }
    }

    /// Counts an attempt.
    fn attempt(&mut self, now_ms: u64, moment_ms: u64, event: &Event) -> Option<Suspect> {
        let Limits { flood, scan, .. } = self.limits;
        if now_ms - moment_ms > flood.window_ms.max(scan.window_ms) {
            return None;
        }
        let present = flood.part(now_ms);
        let slot = self.attempts.slot_of(Source::of(event.source), present);
        let watched = &mut self.attempts.slots[slot];
        let service = event.service();
        watched.note(moment_ms, present, service);
        let (window, weight) = match event.protocol {
            protocol::TCP => (&mut watched.tcp, TCP),
            _ => (&mut watched.other, OTHER),
        };
        window.add(flood.part(moment_ms), event.count);
        let destination = event.destination;
        let seed = self.attempts.seed;
        let pair = mix(seed ^ destination.high, destination.low ^ u64::from(service.to_bits()) << 32);
        let holder = (slot as u16, watched.generation);
        let (before, counted) = self.pairs.see(pair, holder, scan.part(moment_ms), weight as u8);
        let loser = &mut self.attempts.slots[usize::from(before.slot)];
        if before.weight > 0 && loser.generation == before.generation {
            loser.different.take(before.part, before.weight.into());
        }
        let watched = &mut self.attempts.slots[slot];
        watched.different.add(counted.part, counted.weight.into());
        if now_ms < watched.quiet_until {
            return None;
        }
        let (tcp, other) = (watched.tcp.sum(present), watched.other.sum(present));
        let weighed = tcp.saturating_mul(TCP).saturating_add(other.saturating_mul(OTHER));
        let different = watched.different.sum(scan.part(now_ms));
        let (rule, limit, count) = if different >= scan.count.saturating_mul(TCP) {
            (Rule::Scan, scan, self.pairs.count(holder, scan.part(now_ms)))
        } else if weighed >= flood.count.saturating_mul(TCP) {
            (Rule::Flood, flood, tcp.saturating_add(other))
        } else {
            return None;
        };
        watched.quiet_until = now_ms.saturating_add(limit.pause_ms());
        Some(watched.suspect(rule, count, limit.window_ms))
    }

    /// Counts a failed login.
    fn login(&mut self, now_ms: u64, moment_ms: u64, event: &Event) -> Option<Suspect> {
        let limit = self.limits.login;
        if now_ms - moment_ms > limit.window_ms {
            return None;
        }
        let present = limit.part(now_ms);
        let slot = self.logins.slot_of(Source::of(event.source), present);
        let watched = &mut self.logins.slots[slot];
        watched.note(moment_ms, present, event.service());
        watched.tcp.add(limit.part(moment_ms), event.count);
        let count = watched.count(present);
        if count < limit.count || now_ms < watched.quiet_until {
            return None;
        }
        watched.quiet_until = now_ms.saturating_add(1000);
        Some(watched.suspect(Rule::Login, count, limit.window_ms))
    }

    /// Frees the slot of a source that is blocked: its packets are dropped, and a set full of heavy sources would have
    /// no slot for the next flood.
    pub fn release(&mut self, source: Source) {
        self.attempts.forget(source);
    }

    /// Removes what is known of a source.
    pub fn forget(&mut self, source: Source) {
        self.attempts.forget(source);
        self.logins.forget(source);
    }
}
