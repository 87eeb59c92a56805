//! Takes the items of the inputs: removes duplicates, stores events for `recent`, passes them to the guard, counts
//! them.

use super::clock::{self, moment};
use super::evidence::{self, RecentEvent};
use super::{Engine, Input, InputItem, Now};
use crate::event::{Class, Event, Origin};
use crate::guard::Detail;
use crate::guard::ledger::{LINES, LONGEST_LINE};
use crate::input::duplicates::Sighting;

impl Engine {
    /// Takes one item of an input: counts the event unless it is a duplicate, and passes it to the guard.
    pub fn take(&mut self, now: Now, input: Input, item: InputItem<'_>) {
        let health = &mut self.health[input as usize];
        let (event, wall_ms, line) = match item {
            InputItem::Event(event, wall_ms, line) => (event, wall_ms, line),
            InputItem::Malformed => return health.malformed = health.malformed.saturating_add(1),
            InputItem::Ignored => return health.ignored = health.ignored.saturating_add(1),
        };
        health.last_ms = Some(now.boot_ms);
        let count = u64::from(event.count);
        // By the trusted clock.
        let wall_ms = wall_ms.map(|ms| ms.saturating_sub(self.clock.ahead().saturating_mul(1000)));
        let plausible = wall_ms.filter(|ms| *ms >= clock::BUILT * 1000 && self.clock.is_set());
        let boot_ms = match plausible {
            Some(wall_ms) => moment(now, wall_ms),
            None if input == Input::Logd && event.uptime > 0 => (event.uptime / 1000).min(now.boot_ms),
            None => now.boot_ms,
        };
        if input == Input::Nflog {
            self.received.add(event);
        }
        // Sightings of a packet are compared by the boot clock, which does not step.
        let uptime = (boot_ms / 1000).cast_signed();
        let sighted = Event { path: self.paths.of_sightings(event.path), ..*event };
        let sighting = self.duplicates.sight(&sighted, uptime, input == Input::Nflog);
        // In a flood packets are forgotten before logd reports them; of an interface that NFLOG covers, logd only
        // reports copies.
        let assumed = sighting == Sighting::Unknown && self.is_covered_by_nflog(event);
        if assumed || sighting == Sighting::Copy {
            let assumed = if assumed { count } else { 0 };
            self.assumed_today = self.assumed_today.saturating_add(assumed);
            let health = &mut self.health[input as usize];
            health.assumed = health.assumed.saturating_add(assumed);
            health.duplicates = health.duplicates.saturating_add(count);
            return;
        }
        if sighting == Sighting::Unknown {
            self.duplicates.record(&sighted, uptime);
        }
        let health = &mut self.health[input as usize];
        if event.class == Class::Attempt {
            health.attempts = health.attempts.saturating_add(count);
        }
        self.totals.add(event);
        if self.clock.is_set() {
            event.time = match plausible {
                Some(wall_ms) => (wall_ms / 1000).min(now.wall),
                None => self.clock.instant(boot_ms),
            };
        }
        let wall = self.clock.is_set().then_some(event.time);
        let line = line.map(|line| line[..line.len().min(evidence::LONGEST_LINE)].into());
        let held = RecentEvent { number: self.evidence.last + 1, boot_ms, wall, event: *event, line };
        self.watches.see(now.boot_ms, &held, self.paths.get(event.path));
        self.evidence.add(held);
        if let Some(suspect) = self.guard.see(now.boot_ms, boot_ms, event) {
            let mut detail = Detail::default();
            if self.guard.is_open(&suspect) {
                detail.lines = self.lines_of(suspect.source, LINES, LONGEST_LINE);
                detail.last = Some(event.source);
            }
            self.suspects.push((suspect, detail));
        }
        self.changed = true;
        if !self.clock.is_set() {
            return self.waiting.add(boot_ms, event);
        }
        self.count(event);
    }

    fn is_covered_by_nflog(&self, event: &Event) -> bool {
        if event.class == Class::Login {
            return false;
        }
        let Some(path) = self.paths.get(event.path) else { return false };
        self.paths.iter().any(|logged| {
            logged.origin == Origin::Nflog && logged.input == path.input && logged.direction == path.direction
        })
    }
}
