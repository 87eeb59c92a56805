//! Events of which only the class and the hour are known.

use crate::calendar::Hour;
use crate::event::Class;
use crate::stats::deferred::Counts;
use crate::stats::summary::{ClassSummary, DaySummary};

/// A day with these events and nothing else: no row tells them.
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
