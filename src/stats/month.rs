//! A month's summary: what is left of its days after 400 days.

use crate::calendar::{Date, Month};
use crate::event::Class;

use super::day::KeptDay;
use super::kept::{Cuts, Kept};
use super::range::Range;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeptMonth {
    pub month: Month,
    /// Bit 0 is the first of the month: the days with observation.
    pub observed: u32,
    /// Anomalous (day, service) cells and their attempts; unknown until the days are dropped.
    pub anomalous: Option<(u64, u64)>,
    /// In the order of [`Class::ALL`].
    pub classes: [Kept; Class::COUNT],
}

impl KeptMonth {
    pub fn class(&self, class: Class) -> &Kept {
        &self.classes[class as usize]
    }

    pub fn days(&self) -> u32 {
        self.observed.count_ones()
    }
}

/// Sums days, and a summary of the same month that was kept before, up to a month's summary.
pub struct MonthSum {
    month: Month,
    observed: u32,
    anomalous: Option<(u64, u64)>,
    classes: [Range; Class::COUNT],
}

pub fn day_bit(date: Date) -> u32 {
    1 << (date.to_ymd().2 - 1)
}

impl MonthSum {
    pub fn new(month: Month) -> MonthSum {
        MonthSum { month, observed: 0, anomalous: None, classes: Class::ALL.map(|_| Range::new()) }
    }

    pub fn add_day(&mut self, day: &KeptDay) {
        self.observed |= day_bit(day.date);
        for (range, kept) in self.classes.iter_mut().zip(&day.classes) {
            add(range, kept);
        }
    }

    /// Adds a day without its services and sources, of which the month's summary then knows nothing.
    pub fn add_totals(&mut self, day: &KeptDay) {
        self.observed |= day_bit(day.date);
        for (range, kept) in self.classes.iter_mut().zip(&day.classes) {
            add_totals(range, kept);
            range.leave_out(kept.attempts);
        }
    }

    pub fn add_month(&mut self, month: &KeptMonth) {
        self.observed |= month.observed;
        if let Some((cells, attempts)) = month.anomalous {
            self.add_anomalous(cells, attempts);
        }
        for (range, kept) in self.classes.iter_mut().zip(&month.classes) {
            add(range, kept);
        }
    }

    pub fn add_anomalous(&mut self, cells: u64, attempts: u64) {
        let (sum_cells, sum_attempts) = self.anomalous.unwrap_or_default();
        self.anomalous = Some((sum_cells + cells, sum_attempts + attempts));
    }

    pub fn finish(self) -> KeptMonth {
        let classes = Class::ALL.map(|class| {
            let mut kept = self.classes[class as usize].to_kept();
            kept.cut(if class == Class::Attempt { &Cuts::MONTH } else { &Cuts::MONTH_OTHERS });
            kept
        });
        KeptMonth { month: self.month, observed: self.observed, anomalous: self.anomalous, classes }
    }
}

fn add(range: &mut Range, kept: &Kept) {
    add_totals(range, kept);
    range.add_services(kept);
    range.uniques.add(kept, &|_| true);
    range.add_sources(kept);
    range.add_pairs(kept);
}

fn add_totals(range: &mut Range, kept: &Kept) {
    range.add_totals(kept);
    range.add_unique(kept.unique, kept.sketch.as_ref());
    range.countries.add(&kept.countries);
}
