//! Deletes the rows of sources, at the owner's request.
//!
//! Totals, services and the number of different sources name no address and stay as they were counted.

use crate::event::Address;

use super::day::Samples;
use super::sample::Sample;
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
    let mut removed = 0;
    for sample in samples.iter_mut().flatten() {
        let (meant, others): (Vec<_>, Vec<_>) =
            sample.sources().iter().copied().partition(|(_, address)| is_meant(*address));
        if meant.is_empty() {
            continue;
        }
        removed += meant.len();
        let hashes = |hash: u32| !meant.iter().any(|(known, _)| *known == hash);
        let tried = sample.tried().iter().copied().filter(|(hash, _)| hashes(*hash)).collect();
        if let Some(mut rest) = Sample::from_sources(sample.bound(), others) {
            rest.set_tried(tried);
            *sample = rest;
        }
    }
    removed
}
