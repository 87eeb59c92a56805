//! Takes the items of the inputs: removes duplicates, stores events for `recent`, passes them to the guard, counts
//! them.

use super::clock::{self, instant, moment};
use super::evidence::RecentEvent;
use super::{Action, Engine, Input, InputItem, Now};
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
            self.count_received(event);
        }
        // Sightings of a packet are compared by the boot clock, which does not step.
        let uptime = (boot_ms / 1000).cast_signed();
        let path = event.path;
        event.path = self.paths.of_sightings(path);
        let sighting = self.duplicates.sight(event, uptime, input == Input::Nflog);
        event.path = path;
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
            event.path = self.paths.of_sightings(path);
            self.duplicates.record(event, uptime);
            event.path = path;
        }
        let health = &mut self.health[input as usize];
        let sum = if event.class == Class::Attempt { &mut health.attempts } else { &mut health.others };
        *sum = sum.saturating_add(count);
        self.totals.add(event);
        if self.clock.is_set() {
            event.time = match plausible {
                Some(wall_ms) => (wall_ms / 1000).min(now.wall),
                None => instant(now, boot_ms),
            };
        }
        let wall = self.clock.is_set().then_some(event.time);
        self.evidence.add(boot_ms, wall, event, line);
        if !self.watches.is_empty() {
            let held = RecentEvent::new(self.evidence.last(), boot_ms, wall, event, line);
            self.watches.see(now.boot_ms, &held, self.paths.get(event.path));
        }
        if let Some(suspect) = self.guard.see(now.boot_ms, boot_ms, event) {
            let open = self.guard.is_open(&suspect);
            let mut detail = Detail::default();
            if open {
                detail.lines = self.lines_of(suspect.source, LINES, LONGEST_LINE);
                detail.last = Some(event.source);
            }
            self.actions.push(Action::Suspect(suspect, detail));
        }
        self.changed = true;
        if !self.clock.is_set() {
            return self.waiting.add(boot_ms, event);
        }
        self.count(event);
    }

    #[inline]
    fn count_received(&mut self, event: &Event) {
        let place = usize::from(event.path.0);
        if place >= self.received.len() {
            // One for each possible path.
            self.received.resize(place + 1, 0);
        }
        let count = &mut self.received[place];
        *count = count.saturating_add(event.count.into());
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
