//! Events that have no day yet: from before the wall clock was set, or dated in the future.
//!
//! Alike ones within a quarter of an hour are one row with a count. When the rows are full, further events are counted
//! by class and quarter only; when those are full, too, they are counted as dropped.

use std::collections::HashMap;

use crate::event::{Address, Class, Event, PathId, Service, Verdict};

/// Most distinct events that wait with all their fields.
pub const MAX_ROWS: usize = 4096;
/// Most quarters of an hour with counts by class: ten days.
pub const MAX_QUARTERS: usize = 960;
const QUARTER_MS: u64 = 900_000;

/// All fields by which the statistics distinguish events; the last is the quarter of an hour.
type Key = (Address, Service, Class, Verdict, u64);

/// With a time: milliseconds of the boot clock or of the wall clock, as the owner uses it.
pub type At<T> = (u64, T);

/// By class.
pub type Counts = [u64; Class::COUNT];

/// The table of deferred events.
#[derive(Clone, Default)]
pub struct Deferred {
    rows: HashMap<Key, At<Event>>,
    /// Events by class in each quarter of an hour, of those without a row.
    rest: HashMap<u64, Counts>,
    /// Events that were dropped.
    dropped: u64,
}

impl Deferred {
    /// Whether it has no event.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.rest.is_empty()
    }

    /// The number of dropped events.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Events that are held.
    pub fn count(&self) -> u64 {
        let rows = self.rows.values().map(|(_, event)| u64::from(event.count));
        let rest = self.rest.values().flatten().copied();
        rows.chain(rest).fold(0, u64::saturating_add)
    }

    /// The earliest time.
    pub fn first(&self) -> Option<u64> {
        let rest = self.rest.keys().map(|quarter| quarter * QUARTER_MS);
        self.rows.values().map(|(moment, _)| *moment).chain(rest).min()
    }

    /// `moment`: milliseconds, since boot or since 1970, as the caller uses this table.
    pub fn add(&mut self, moment: u64, event: &Event) {
        let quarter = moment / QUARTER_MS;
        let key = (event.source, event.service(), event.class, event.verdict, quarter);
        if let Some((_, known)) = self.rows.get_mut(&key) {
            known.count = known.count.saturating_add(event.count);
        } else if self.rows.len() < MAX_ROWS {
            // Equal events can have other paths.
            self.rows.insert(key, (moment, Event { path: PathId::UNKNOWN, ..*event }));
        } else {
            self.add_counts(moment, &counts_of(event));
        }
    }

    /// Adds events of which only the class is known.
    pub fn add_counts(&mut self, moment: u64, counts: &Counts) {
        let quarter = moment / QUARTER_MS;
        if self.rest.len() >= MAX_QUARTERS && !self.rest.contains_key(&quarter) {
            self.dropped = counts.iter().fold(self.dropped, |sum, count| sum.saturating_add(*count));
            return;
        }
        let sums = self.rest.entry(quarter).or_default();
        for (sum, count) in sums.iter_mut().zip(counts) {
            *sum = sum.saturating_add(*count);
        }
    }

    /// Replaces the rows of sources by counts by class and quarter. Returns the number of removed rows.
    pub fn forget_sources(&mut self, is_meant: impl Fn(Address) -> bool) -> usize {
        let meant: Vec<_> = self.rows.extract_if(|_, (_, event)| is_meant(event.source)).collect();
        meant.iter().for_each(|(_, (moment, event))| self.add_counts(*moment, &counts_of(event)));
        meant.len()
    }

    /// Adds to the number of dropped events.
    pub fn add_dropped(&mut self, dropped: u64) {
        self.dropped = self.dropped.saturating_add(dropped);
    }

    /// Adds the events of another table.
    pub fn add_all(&mut self, other: &Deferred) {
        let (rows, rest) = other.sorted();
        rows.iter().for_each(|(moment, event)| self.add(*moment, event));
        rest.iter().for_each(|(moment, counts)| self.add_counts(*moment, counts));
        self.add_dropped(other.dropped);
    }

    /// The rows, and the counts of events without a row, sorted by time.
    pub fn sorted(&self) -> (Vec<At<Event>>, Vec<At<Counts>>) {
        let mut rows: Vec<_> = self.rows.values().copied().collect();
        rows.sort_unstable_by_key(|(moment, event)| (*moment, event.source, event.service()));
        let rest = self.rest.iter().map(|(quarter, counts)| (quarter * QUARTER_MS, *counts));
        let mut rest: Vec<_> = rest.collect();
        rest.sort_unstable_by_key(|(moment, _)| *moment);
        (rows, rest)
    }

    /// Removes and returns everything up to a time, sorted by time.
    pub fn take_until(&mut self, moment: u64) -> (Vec<At<Event>>, Vec<At<Counts>>) {
        let (mut rows, mut rest) = self.sorted();
        rows.retain(|(at, _)| *at <= moment);
        rest.retain(|(at, _)| *at <= moment);
        self.rows.retain(|_, (at, _)| *at > moment);
        self.rest.retain(|quarter, _| quarter * QUARTER_MS > moment);
        (rows, rest)
    }
}

/// An event as counts by class.
fn counts_of(event: &Event) -> Counts {
    let mut counts = [0; Class::COUNT];
    counts[event.class as usize] = event.count.into();
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(host: u32) -> Event {
        Event { source: Address::v4(host), count: 2, ..Event::default() }
    }

    #[test]
    fn everything_is_bounded_and_counted() {
        let mut deferred = Deferred::default();
        for host in 0..MAX_ROWS as u32 + 10 {
            deferred.add(0, &event(host));
        }
        assert_eq!((deferred.count(), deferred.dropped()), (2 * (MAX_ROWS as u64 + 10), 0));
        for quarter in 0..MAX_QUARTERS as u64 + 5 {
            deferred.add(quarter * QUARTER_MS, &event(1 << 30));
        }
        assert_eq!(deferred.dropped(), 2 * 5);
        let (rows, rest) = deferred.take_until(QUARTER_MS - 1);
        assert_eq!((rows.len(), rest.len()), (MAX_ROWS, 1));
        assert_eq!(deferred.first(), Some(QUARTER_MS));
    }
}
