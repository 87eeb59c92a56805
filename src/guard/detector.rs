//! Events -> suspects: who floods, scans or fails logins.
//!
//! Memory is fixed. When forged sources fill the table, the source with the fewest events in the window is evicted, so
//! that a source that goes on stands out of any number of sources that appear once.

use super::source::Source;
use super::table::{Pairs, mix};
use super::window::{Limit, Window};
use crate::event::{Class, Event, Service, protocol};

/// Sources that are watched at the same time for floods and scans.
pub const SOURCES: usize = 1024;
/// Sources whose failed logins are counted at the same time.
pub const LOGIN_SOURCES: usize = 256;
/// Slots of one set of the table: a source is in one of these.
const WAYS: usize = 8;
/// Services that a reason names at most.
pub const MAX_SERVICES: usize = 4;

/// Anyone can send UDP and ICMP in another's name, and get nothing of it back. TCP needs a handshake to do
/// more than knock; what only knocks counts once, UDP and ICMP half. In units of a half:
const TCP: u32 = 2;
const OTHER: u32 = 1;

/// Why a source is blocked. The numbers are stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rule {
    /// More attempts than the option `flood` allows.
    Flood = 0,
    /// More different ports or addresses than the option `scan` allows.
    Scan = 1,
    /// More failed logins than the option `login` allows.
    Login = 2,
    /// Blocked by hand.
    Hand = 3,
    /// It was in the kernel's set already and its cause is not known.
    Found = 4,
}

impl Rule {
    pub const ALL: [Rule; 5] = [Rule::Flood, Rule::Scan, Rule::Login, Rule::Hand, Rule::Found];

    pub fn name(self) -> &'static str {
        ["flood", "scan", "login", "manual", "found"][self as usize]
    }

    /// The evidence may have been sent in the source's name by another.
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

/// Blocks with evidence of the same kind share a budget and room: what forged packets use up is not missing for what
/// cannot be forged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pool {
    /// Floods and scans: anyone can send packets in another's name.
    Packets = 0,
    /// Failed logins: a handshake was completed.
    Logins = 1,
    /// Blocked by hand.
    Manual = 2,
}

impl Pool {
    pub const COUNT: usize = 3;
    pub const ALL: [Pool; Pool::COUNT] = [Pool::Packets, Pool::Logins, Pool::Manual];
}

/// What each rule takes for too much.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Limits {
    pub flood: Limit,
    pub scan: Limit,
    pub login: Limit,
}

/// A source that reached a limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Suspect {
    pub source: Source,
    pub rule: Rule,
    /// Attempts, different services or failed logins within the window.
    pub count: u32,
    pub window_ms: u64,
    /// Since it is watched, in ms since boot.
    pub first_ms: u64,
    pub last_ms: u64,
    /// The last ones that were tried.
    pub services: Services,
}

/// Up to [`MAX_SERVICES`] different services, the newest last.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Services([Option<Service>; MAX_SERVICES]);

impl Services {
    pub fn add(&mut self, service: Service) {
        if self.0.contains(&Some(service)) {
            return;
        }
        match self.0.iter_mut().find(|place| place.is_none()) {
            Some(place) => *place = Some(service),
            None => {
                self.0.rotate_left(1);
                self.0[MAX_SERVICES - 1] = Some(service);
            }
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = Service> {
        self.0.iter().flatten().copied()
    }
}

/// A source that is watched.
#[derive(Clone, Copy)]
struct Watched {
    source: Source,
    first_ms: u64,
    last_ms: u64,
    /// It reached a limit: until then it is not reported again.
    quiet_until: u64,
    services: Services,
    tcp: Window,
    other: Window,
    /// Different services, weighed as attempts are.
    different: Window,
    /// Distinguishes this source from those that had the slot before.
    generation: u8,
}

impl Watched {
    fn new(source: Source, generation: u8) -> Watched {
        Watched {
            source,
            first_ms: 0,
            last_ms: 0,
            quiet_until: 0,
            services: Services::default(),
            tcp: Window::default(),
            other: Window::default(),
            different: Window::default(),
            generation,
        }
    }
}

#[derive(Clone, Copy)]
struct Guessing {
    source: Source,
    first_ms: u64,
    quiet_until: u64,
    services: Services,
    failed: Window,
}

/// Sliding windows of the sources that sent events lately: fixed tables, see [`Pairs`] for ports and addresses.
pub struct Detector {
    limits: Limits,
    seed: u64,
    watched: Box<[Option<Watched>]>,
    pairs: Pairs,
    guessing: Box<[Option<Guessing>]>,
}

impl Detector {
    /// `seed`: unknown outside, so that nobody can choose sources that push one another out.
    pub fn new(limits: Limits, seed: u64) -> Detector {
        Detector {
            limits,
            seed,
            watched: vec![None; SOURCES].into_boxed_slice(),
            pairs: Pairs::new(),
            guessing: vec![None; LOGIN_SOURCES].into_boxed_slice(),
        }
    }

    /// Counts an event of `moment_ms`, seen at `now_ms`. What lies further back than a window does not count.
    #[inline]
    pub fn see(&mut self, now_ms: u64, moment_ms: u64, event: &Event) -> Option<Suspect> {
        match event.class {
            Class::Attempt => self.attempt(now_ms, moment_ms.min(now_ms), event),
            Class::Login => self.login(now_ms, moment_ms.min(now_ms), event),
            _ => None,
        }
    }

    fn places(&self, source: Source, all: usize) -> std::ops::Range<usize> {
        let (family, bits) = source.bits();
        let set = mix(self.seed ^ family, bits) % (all / WAYS) as u64;
        let start = set as usize * WAYS;
        start..start + WAYS
    }

    fn attempt(&mut self, now_ms: u64, moment_ms: u64, event: &Event) -> Option<Suspect> {
        let Limits { flood, scan, .. } = self.limits;
        if now_ms - moment_ms > flood.window_ms.max(scan.window_ms) {
            return None;
        }
        let source = Source::of(event.source);
        let place = self.place_of(source, now_ms);
        let watched = self.watched[place].get_or_insert(Watched::new(source, 0));
        let (part, present) = (flood.part(moment_ms), flood.part(now_ms));
        if watched.tcp.sum(present) == 0 && watched.other.sum(present) == 0 {
            (watched.first_ms, watched.services) = (moment_ms, Services::default());
        }
        watched.last_ms = watched.last_ms.max(moment_ms);
        let weight = if event.protocol == protocol::TCP {
            watched.tcp.add(part, event.count);
            TCP
        } else {
            watched.other.add(part, event.count);
            OTHER
        };
        let service = event.service();
        watched.services.add(service);
        let destination = event.destination;
        let pair = mix(self.seed ^ destination.high, destination.low ^ u64::from(service.to_bits()) << 32);
        let slot = (place as u16, watched.generation);
        let scan_part = scan.part(moment_ms);
        let change = self.pairs.see(pair, slot, scan_part, weight as u8);
        if let Some((part, weight)) = change.before {
            watched.different.take(part, weight.into());
        }
        watched.different.add(change.part, change.weight.into());
        if let Some((slot, part, weight)) = change.displaced {
            // Another pair made room: it no longer counts as tried.
            let loser = self.watched[usize::from(slot.0)].as_mut();
            if let Some(loser) = loser.filter(|loser| loser.generation == slot.1) {
                loser.different.take(part, weight.into());
            }
        }
        let watched = self.watched[place].as_mut()?;
        if now_ms < watched.quiet_until {
            return None;
        }
        let (tcp, other) = (watched.tcp.sum(present), watched.other.sum(present));
        let heat = tcp.saturating_mul(TCP).saturating_add(other.saturating_mul(OTHER));
        let different = watched.different.sum(scan.part(now_ms));
        let (rule, limit, count) = if different >= scan.count.saturating_mul(TCP) {
            (Rule::Scan, scan, self.pairs.count(slot, scan.part(now_ms)))
        } else if heat >= flood.count.saturating_mul(TCP) {
            (Rule::Flood, flood, tcp.saturating_add(other))
        } else {
            return None;
        };
        watched.quiet_until = now_ms.saturating_add(limit.pause_ms());
        Some(Suspect {
            source,
            rule,
            count,
            window_ms: limit.window_ms,
            first_ms: watched.first_ms,
            last_ms: watched.last_ms,
            services: watched.services,
        })
    }

    /// Frees the slot of a source that is blocked: what it sends does not come any more, and a set full of sources that did
    /// much has no slot for the next flood.
    pub fn release(&mut self, source: Source) {
        let places = self.places(source, SOURCES);
        for watched in self.watched[places].iter_mut().flatten() {
            if watched.source == source {
                *watched = Watched::new(source, watched.generation.wrapping_add(1));
            }
        }
    }

    /// The place of a source, or a place that is free for it: an empty one, or that of whoever did least
    /// within the window.
    #[inline]
    fn place_of(&mut self, source: Source, now_ms: u64) -> usize {
        let places = self.places(source, SOURCES);
        let present = self.limits.flood.part(now_ms);
        let mut least = (u32::MAX, u64::MAX, places.start);
        for place in places {
            match &self.watched[place] {
                Some(watched) if watched.source == source => return place,
                Some(watched) => {
                    let heat = watched.tcp.sum(present).saturating_add(watched.other.sum(present));
                    least = least.min((heat, watched.last_ms, place));
                }
                None => least = least.min((0, 0, place)),
            }
        }
        let place = least.2;
        if let Some(gone) = self.watched[place].take() {
            self.watched[place] = Some(Watched::new(source, gone.generation.wrapping_add(1)));
        }
        place
    }

    fn login(&mut self, now_ms: u64, moment_ms: u64, event: &Event) -> Option<Suspect> {
        let limit = self.limits.login;
        if now_ms - moment_ms > limit.window_ms {
            return None;
        }
        let source = Source::of(event.source);
        let (part, present) = (limit.part(moment_ms), limit.part(now_ms));
        let places = self.places(source, LOGIN_SOURCES);
        let among = &mut self.guessing[places];
        let known = among.iter().position(|one| one.is_some_and(|one| one.source == source));
        let place = known.unwrap_or_else(|| {
            let heat = |one: &Option<Guessing>| one.map_or(0, |one| 1 + one.failed.sum(present));
            (0..WAYS).min_by_key(|place| heat(&among[*place])).unwrap_or(0)
        });
        if known.is_none() {
            among[place] = None;
        }
        let guessing = among[place].get_or_insert(Guessing {
            source,
            first_ms: moment_ms,
            quiet_until: 0,
            services: Services::default(),
            failed: Window::default(),
        });
        if guessing.failed.sum(present) == 0 {
            (guessing.first_ms, guessing.services) = (moment_ms, Services::default());
        }
        guessing.failed.add(part, event.count);
        guessing.services.add(event.service());
        let count = guessing.failed.sum(present);
        if count < limit.count || now_ms < guessing.quiet_until {
            return None;
        }
        guessing.quiet_until = now_ms.saturating_add(1000);
        Some(Suspect {
            source,
            rule: Rule::Login,
            count,
            window_ms: limit.window_ms,
            first_ms: guessing.first_ms,
            last_ms: moment_ms,
            services: guessing.services,
        })
    }

    /// What is known of a source counts no more.
    pub fn forget(&mut self, source: Source) {
        for place in self.places(source, SOURCES) {
            if let Some(watched) = self.watched[place].as_mut().filter(|watched| watched.source == source) {
                *watched = Watched::new(source, watched.generation.wrapping_add(1));
            }
        }
        for place in self.places(source, LOGIN_SOURCES) {
            self.guessing[place].take_if(|guessing| guessing.source == source);
        }
    }
}
