//! Filters in use on the page, each with the newest events that match, so that other events do not evict them in a
//! flood.
//!
//! Takes events and the time. Bounded; a filter that is no longer used is removed.

use super::evidence::{Evidence, RecentEvent, line_of};
use crate::event::paths::Path;
use crate::event::{Address, Event, Service};
use crate::query::filter::{Filter, Test};

/// Most filters at a time; one more replaces the least recently used one.
pub(super) const MAX_WATCHES: usize = 4;
/// Most events that each holds.
pub(super) const MAX_HELD: usize = 100;
/// A filter that was not used for this time is removed.
const FORGET_MS: u64 = 60_000;
/// Most log lines a second that are searched for words; after more of them an answer is incomplete.
pub(super) const MAX_SEARCHED: u32 = 2_000;

/// A filter with the events that match.
pub(super) struct Watch {
    filter: Filter,
    /// The matching events.
    pub events: Evidence,
    asked_ms: u64,
    /// It holds all matching events from this number on.
    pub complete_from: u64,
}

/// The filters in use, a bounded number.
#[derive(Default)]
pub(super) struct Watches {
    /// The most recently used one last.
    watches: Vec<Watch>,
    /// A second of the boot clock, and the lines that were searched in it.
    searched: (u64, u32),
}

/// Whether an event passes a filter. `line` makes its log line, at most once.
pub(super) fn passes(
    filter: &Filter,
    event: &Event,
    path: Option<&Path>,
    line: &mut dyn FnMut() -> String,
) -> bool {
    let mut text = None;
    filter.terms.iter().all(|term| {
        let holds = match &term.test {
            Test::Class(class) => event.class == *class,
            Test::Port(port) => Service::has_ports(event.protocol) && event.port == *port,
            Test::Protocol(protocol) => event.protocol == *protocol,
            Test::Zone(zone) => path.and_then(|path| path.zone.as_ref()) == Some(zone),
            Test::Verdict(verdict) => event.verdict == *verdict,
            Test::Source(prefix) => prefix.contains(event.source),
            Test::Destination(prefix) => prefix.contains(event.destination),
            Test::Text(word) => text.get_or_insert_with(|| line().to_lowercase()).contains(word.as_str()),
        };
        holds != term.is_negated
    })
}

impl Watches {
    /// Notes the use of a filter. `from`: the number of the oldest event in the engine's [`Evidence`].
    pub(super) fn ask(&mut self, now_ms: u64, filter: &Filter, from: u64) {
        self.watches.retain(|watch| now_ms < watch.asked_ms.saturating_add(FORGET_MS));
        let mut watch = match self.watches.iter().position(|watch| watch.filter == *filter) {
            Some(at) => self.watches.remove(at),
            None => Watch {
                filter: filter.clone(),
                events: Evidence::new(MAX_HELD),
                asked_ms: now_ms,
                complete_from: from,
            },
        };
        watch.asked_ms = now_ms;
        self.watches.push(watch);
        if self.watches.len() > MAX_WATCHES {
            self.watches.remove(0);
        }
    }

    /// The watch of this filter, if it is in use.
    pub(super) fn get(&self, filter: &Filter) -> Option<&Watch> {
        self.watches.iter().find(|watch| watch.filter == *filter)
    }

    /// Adds an event to every filter that it matches.
    pub(super) fn see(&mut self, now_ms: u64, held: &RecentEvent, path: Option<&Path>) {
        self.watches.retain(|watch| now_ms < watch.asked_ms.saturating_add(FORGET_MS));
        let second = now_ms / 1000;
        if self.searched.0 != second {
            self.searched = (second, 0);
        }
        let may_search = self.searched.1 < MAX_SEARCHED;
        let mut line: Option<String> = None;
        for watch in &mut self.watches {
            let mut is_left_out = false;
            let mut make = || {
                is_left_out = !may_search;
                if may_search {
                    line.get_or_insert_with(|| line_of(held, path)).clone()
                } else {
                    String::new()
                }
            };
            let fits = passes(&watch.filter, &held.event, path, &mut make);
            if is_left_out {
                watch.complete_from = held.number + 1;
            } else if fits && let Some(gone) = watch.events.add(held.clone()) {
                watch.complete_from = watch.complete_from.max(gone.number + 1);
            }
        }
        self.searched.1 += u32::from(line.is_some());
    }

    /// Removes the events of sources.
    pub(super) fn forget_sources(&mut self, is_meant: impl Fn(Address) -> bool + Copy) {
        self.watches.iter_mut().for_each(|watch| watch.events.forget_sources(is_meant));
    }

    /// The clock is set: gives a wall time to events that have none.
    pub(super) fn label(&mut self, wall_of: impl Fn(u64) -> i64 + Copy) {
        self.watches.iter_mut().for_each(|watch| watch.events.label(wall_of));
    }
}
