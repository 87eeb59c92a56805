//! Different sources by country over any range: a sample of the sources, each with its country.
//!
//! Gibbons: "Distinct Sampling for Highly-Accurate Answers to Distinct Values Queries" (2001). A source is in the
//! sample if the lowest `level` bits of its number are 0; the level rises whenever the sample is full. So the sample
//! of a union is made of the samples of its parts, and of few sources all are in it.

use super::countries::Country;
use super::distinct::hash;
use crate::event::Address;

/// So many sources at most.
pub const MOST: usize = 256;
/// Bits of a source's number.
const BITS: u32 = 20;

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Sample {
    /// Sorted by number, each number once.
    rows: Vec<(u32, Country)>,
    level: u8,
}

impl Sample {
    pub fn of(sources: impl Iterator<Item = (Address, Country)>) -> Sample {
        let mut sample = Sample::default();
        for (address, country) in sources {
            sample.rows.push((hash(address) >> (32 - BITS), country));
            if sample.rows.len() >= 2 * MOST {
                sample.tidy();
            }
        }
        sample.tidy();
        sample
    }

    /// Rows as they were stored; `None` unless they are possible.
    pub fn from_rows(rows: Vec<(u32, Country)>, level: u8) -> Option<Sample> {
        let fits = |(number, _): &(u32, Country)| *number < 1 << BITS && is_in(*number, level);
        let sorted = rows.windows(2).all(|pair| pair[0].0 < pair[1].0);
        let valid = u32::from(level) <= BITS && rows.len() <= MOST && sorted && rows.iter().all(fits);
        valid.then_some(Sample { rows, level })
    }

    pub fn rows(&self) -> &[(u32, Country)] {
        &self.rows
    }

    pub fn level(&self) -> u8 {
        self.level
    }

    /// Makes `self` the sample of both.
    pub fn join(&mut self, other: &Sample) {
        self.level = self.level.max(other.level);
        self.rows.extend_from_slice(&other.rows);
        self.tidy();
    }

    fn tidy(&mut self) {
        let level = self.level;
        self.rows.retain(|(number, _)| is_in(*number, level));
        self.rows.sort_unstable();
        self.rows.dedup_by_key(|(number, _)| *number);
        while self.rows.len() > MOST {
            self.level += 1;
            let level = self.level;
            self.rows.retain(|(number, _)| is_in(*number, level));
        }
        self.rows.shrink_to_fit();
    }

    /// Different sources of a country, and twice the standard error of that.
    pub fn estimate(&self, country: Country) -> (u64, u64) {
        let found = self.rows.iter().filter(|(_, of)| *of == country).count() as u64;
        let scale = 1u64 << self.level;
        let error = 2.0 * ((found * scale * (scale - 1)) as f64).sqrt();
        (found * scale, error.round() as u64)
    }
}

fn is_in(number: u32, level: u8) -> bool {
    number & ((1 << level) - 1) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(number: u32) -> (Address, Country) {
        let country = if number.is_multiple_of(4) { Country(*b"JP") } else { Country(*b"CN") };
        (Address::v4(number.wrapping_mul(2_654_435_761)), country)
    }

    #[test]
    fn few_are_exact_and_many_within_the_error() {
        for size in [0u32, 1, 40, 200, 2_000, 60_000] {
            let sample = Sample::of((0..size).map(source));
            assert!(sample.rows.len() <= MOST);
            let (number, error) = sample.estimate(Country(*b"JP"));
            let truth = u64::from(size.div_ceil(4));
            if size <= 200 {
                assert_eq!((number, error), (truth, 0), "{size}");
            }
            assert!(number.abs_diff(truth) <= error.max(truth / 20), "{size}: {number} +- {error}");
        }
    }

    #[test]
    fn a_join_is_the_sample_of_both() {
        for (first, second) in [(0..100, 50..300), (0..3_000, 2_000..9_000), (0..20_000, 5..9)] {
            let mut joined = Sample::of(first.clone().map(source));
            joined.join(&Sample::of(second.clone().map(source)));
            assert_eq!(joined, Sample::of(first.chain(second).map(source)));
        }
    }

    #[test]
    fn impossible_samples_are_refused() {
        let row = |number| (number, Country::UNKNOWN);
        assert!(Sample::from_rows(vec![row(4), row(8)], 2).is_some());
        for (rows, level) in [
            (vec![row(8), row(4)], 0),
            (vec![row(3)], 1),
            (vec![row(1 << 20)], 0),
            (vec![], 21),
            (vec![row(4); 2], 0),
        ] {
            assert!(Sample::from_rows(rows, level).is_none());
        }
    }
}
