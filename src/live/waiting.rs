//! Events from before the wall clock was set: kept aside with the boot clock's time, labelled later.
//!
//! Alike ones are one row with a count. When the rows are full, further ones are counted by class and
//! quarter of an hour only.

use std::collections::HashMap;

use crate::event::{Class, Event};
use crate::stats::kept::{Kept, Unique};
use crate::store::aside::Aside;

pub const MOST_ROWS: usize = 4096;
/// Ten days; later ones count as of the last quarter.
const MOST_QUARTERS: u64 = 960;
const QUARTER_MS: u64 = 900_000;

/// Everything that the statistics tell apart.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    source: crate::event::Address,
    service: u32,
    class: Class,
    verdict: crate::event::Verdict,
    quarter: u64,
}

/// With a moment of the boot clock.
pub type At<T> = (u64, T);

/// By class.
pub type Counts = [u64; Class::COUNT];

#[derive(Default)]
pub struct Waiting {
    rows: HashMap<Key, (u64, Event)>,
    /// Events by class in each quarter of an hour since boot, of those without a row.
    rest: HashMap<u64, Counts>,
}

impl Waiting {
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.rest.is_empty()
    }

    pub fn add(&mut self, boot_ms: u64, event: &Event) {
        let quarter = (boot_ms / QUARTER_MS).min(MOST_QUARTERS);
        let Event { source, class, verdict, .. } = *event;
        let key = Key { source, service: event.service().to_bits(), class, verdict, quarter };
        if let Some((_, known)) = self.rows.get_mut(&key) {
            known.count = known.count.saturating_add(event.count);
        } else if self.rows.len() < MOST_ROWS {
            self.rows.insert(key, (boot_ms, *event));
        } else {
            let counts = self.rest.entry(quarter).or_default();
            let sum = &mut counts[class as usize];
            *sum = sum.saturating_add(event.count.into());
        }
    }

    /// A copy of it all.
    pub fn aside(&self) -> Aside {
        let mut aside = Aside {
            events: self.rows.values().copied().collect(),
            rest: self.rest.iter().map(|(quarter, counts)| (quarter * QUARTER_MS, *counts)).collect(),
        };
        aside.events.sort_unstable_by_key(|(boot_ms, event)| (*boot_ms, event.source, event.service()));
        aside.rest.sort_unstable_by_key(|(boot_ms, _)| *boot_ms);
        aside
    }

    /// What an earlier run of this boot kept aside.
    pub fn restore(&mut self, aside: &Aside) {
        aside.events.iter().for_each(|(boot_ms, event)| self.add(*boot_ms, event));
        for (boot_ms, counts) in &aside.rest {
            let sums = self.rest.entry((boot_ms / QUARTER_MS).min(MOST_QUARTERS)).or_default();
            for (sum, count) in sums.iter_mut().zip(counts) {
                *sum = sum.saturating_add(*count);
            }
        }
    }

    /// The rows with their moments, and the moments of what has only a class. Leaves nothing.
    pub fn take(&mut self) -> (Vec<At<Event>>, Vec<At<Counts>>) {
        let mut rows: Vec<_> = std::mem::take(&mut self.rows).into_values().collect();
        rows.sort_unstable_by_key(|(boot_ms, event)| (*boot_ms, event.source, event.service()));
        let rest = std::mem::take(&mut self.rest).into_iter();
        let mut rest: Vec<_> = rest.map(|(quarter, counts)| (quarter * QUARTER_MS, counts)).collect();
        rest.sort_unstable_by_key(|(boot_ms, _)| *boot_ms);
        (rows, rest)
    }
}

/// A summary of `attempts` events of which nothing is known but the hour.
pub fn unknown(attempts: u64, hour: u8) -> Kept {
    if attempts == 0 {
        return Kept::default();
    }
    let mut kept = Kept {
        attempts,
        unique: Unique::Unknown,
        sketch: None,
        service_floor: attempts,
        source_floor: attempts,
        pair_floor: attempts,
        ..Kept::default()
    };
    kept.hours[usize::from(hour.min(23))] = attempts;
    kept
}
