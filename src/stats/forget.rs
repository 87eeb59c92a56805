//! Deletes the rows of sources, at the owner's request.
//!
//! Totals, services and the number of different sources name no address and stay as they were counted.

use crate::event::Address;

use super::day::Samples;
use super::summary::DaySummary;

impl DaySummary {
    /// Removes the rows of sources. Gives how many.
    pub fn forget_sources(&mut self, is_meant: impl Fn(Address) -> bool) -> usize {
        let mut removed = 0;
        for class in &mut self.classes {
            let before = class.sources.rows.len() + class.pairs.rows.len();
            class.sources.rows.retain(|row| !is_meant(row.address));
            class.pairs.rows.retain(|row| !is_meant(row.address));
            removed += before - class.sources.rows.len() - class.pairs.rows.len();
        }
        removed
    }
}

/// Removes the addresses of sources from the samples of an open day. Gives how many.
pub fn forget_sampled(samples: &mut Samples, is_meant: impl Fn(Address) -> bool) -> usize {
    samples.iter_mut().flatten().map(|sample| sample.remove(&is_meant)).sum()
}
