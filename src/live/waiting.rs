//! Deferred events: those from before the clock was set, and those dated in the future.
//!
//! Takes events and the time, gives those that can be counted. Bounded.

use super::Engine;
use crate::event::calendar::Hour;
use crate::event::{Class, Event};
use crate::stats::day::Samples;
use crate::stats::deferred::{Counts, Deferred};
use crate::stats::summary::{ClassSummary, DaySummary};

/// Events with their times, and counts of those of which only the class is known.
type Taken = (Vec<(u64, Event)>, Vec<(u64, Counts)>);

impl Engine {
    /// Counts the events that waited for the clock.
    pub(super) fn label_waiting(&mut self) {
        let clock = self.clock;
        self.evidence.label(|boot_ms| clock.instant(boot_ms));
        self.watches.label(|boot_ms| clock.instant(boot_ms));
        let taken = self.waiting.take_until(u64::MAX);
        self.count_taken(taken, &|boot_ms| clock.instant(boot_ms));
    }

    /// Counts deferred events. `time_of`: converts their time to wall time.
    fn count_taken(&mut self, (rows, rest): Taken, time_of: &dyn Fn(u64) -> i64) {
        for (moment, event) in rows {
            self.count(&Event { time: time_of(moment), ..event });
        }
        for (moment, counts) in rest {
            let part = unknown(self.calendar.hour_of(time_of(moment)), &counts);
            match &mut self.open {
                Some(day) if day.date == part.date => {
                    for day in std::iter::once(day).chain(&mut self.since) {
                        day.add_summary(&part, &Samples::default());
                    }
                }
                _ => self.close(part),
            }
        }
    }

    /// Counts events dated in the future that are due: those up to `until` (milliseconds of wall time).
    pub fn count_due(&mut self, later: &mut Deferred, until: u64) {
        let taken = later.take_until(until);
        self.changed |= !taken.0.is_empty();
        self.count_taken(taken, &|moment| (moment / 1000).cast_signed());
    }
}

/// A day with the totals of these events and no rows.
pub fn unknown(hour: Hour, counts: &Counts) -> DaySummary {
    let mut day = DaySummary::new(hour.date);
    for class in Class::ALL {
        let attempts = counts[class as usize];
        if attempts == 0 {
            continue;
        }
        let summary: &mut ClassSummary = &mut day.classes[class as usize];
        summary.attempts = attempts;
        summary.hours[usize::from(hour.hour.min(23))] = attempts;
        for floor in [&mut summary.services.floor, &mut summary.sources.floor, &mut summary.pairs.floor] {
            *floor = attempts;
        }
    }
    day
}
