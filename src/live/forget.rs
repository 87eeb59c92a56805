//! Deletes sources from everything in memory, at the owner's request. Takes a predicate. Totals stay; files are not
//! changed.

use crate::event::Address;
use crate::stats::day::{Day, forget_sampled};

use super::Engine;

impl Engine {
    /// Removes the rows of sources from the days that are in memory, and their log lines. Totals stay.
    pub fn forget_sources(&mut self, is_meant: impl Fn(Address) -> bool + Copy) {
        self.evidence.forget_sources(is_meant);
        self.watches.forget_sources(is_meant);
        self.waiting.forget_sources(is_meant);
        let rules = self.paths.rules();
        for day in self.open.iter_mut().chain(&mut self.late) {
            let (mut summary, mut samples) = (day.to_summary(), day.samples());
            if summary.forget_sources(is_meant) + forget_sampled(&mut samples, is_meant) > 0 {
                let mut rest = Day::new(day.date, self.salt).with_rules(&rules);
                rest.add_summary(&summary, &samples);
                *day = rest;
            }
        }
        for day in self.closed.iter_mut().chain(&mut self.storing) {
            day.forget_sources(is_meant);
        }
        // `since` cannot be corrected: the next commit writes the whole open day.
        self.forget_commits();
    }
}
