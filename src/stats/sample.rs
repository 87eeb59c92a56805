//! Different sources by country over any range: a sample of the sources, each with its country and what it tried.
//!
//! Gibbons: "Distinct Sampling for Highly-Accurate Answers to Distinct Values Queries" (2001). A source is in the
//! sample if the lowest `level` bits of its number are 0; the level rises whenever the sample is full. So the sample
//! of a union is made of the samples of its parts, and of few sources all are in it.

use super::countries::Country;
use super::distinct::hash;
use crate::event::{Address, Service};

/// So many sources are kept at most.
pub const MOST: usize = 256;
/// And so many of what the kept samples of a range hold together.
pub const MOST_ASKED: usize = 8192;
/// Of so many services at most it is stored who tried them.
pub const MOST_KNOWN: usize = 64;
/// Bits of a source's number.
const BITS: u32 = 20;

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Sample {
    /// Sorted by number, each number once.
    rows: Vec<(u32, Country)>,
    level: u8,
    /// The services of which it is known whether the sources tried them, sorted.
    known: Vec<Service>,
    /// Who tried which of these, sorted, each once.
    tried: Vec<(u32, Service)>,
}

impl Sample {
    pub fn of(sources: impl Iterator<Item = (Address, Country)>) -> Sample {
        let mut sample = Sample::default();
        for (address, country) in sources {
            sample.rows.push((number_of(address), country));
            if sample.rows.len() >= 2 * MOST {
                sample.tidy(MOST);
            }
        }
        sample.tidy(MOST);
        sample
    }

    /// Learns who tried `known`, of which all pairs must be given.
    pub fn learn(&mut self, mut known: Vec<Service>, pairs: impl Iterator<Item = (Address, Service)>) {
        known.sort_unstable();
        known.dedup();
        for (address, service) in pairs {
            let number = number_of(address);
            if is_in(number, self.level) && known.binary_search(&service).is_ok() {
                self.tried.push((number, service));
            }
        }
        self.known = known;
        self.tidy(MOST);
    }

    /// Rows as they were stored; `None` unless they are possible.
    pub fn from_rows(
        rows: Vec<(u32, Country)>,
        level: u8,
        known: Vec<Service>,
        tried: Vec<(u32, Service)>,
    ) -> Option<Sample> {
        let fits = |(number, _): &(u32, Country)| *number < 1 << BITS && is_in(*number, level);
        let sorted = rows.windows(2).all(|pair| pair[0].0 < pair[1].0);
        let valid = u32::from(level) <= BITS && rows.len() <= MOST && sorted && rows.iter().all(fits);
        let services = known.len() <= MOST_KNOWN && known.windows(2).all(|pair| pair[0] < pair[1]);
        let is_known = |(number, service): &(u32, Service)| {
            rows.binary_search_by_key(number, |row| row.0).is_ok() && known.binary_search(service).is_ok()
        };
        let valid = valid && services && tried.is_sorted_by(|a, b| a < b) && tried.iter().all(is_known);
        valid.then_some(Sample { rows, level, known, tried })
    }

    pub fn rows(&self) -> &[(u32, Country)] {
        &self.rows
    }

    pub fn level(&self) -> u8 {
        self.level
    }

    pub fn known(&self) -> &[Service] {
        &self.known
    }

    pub fn tried(&self) -> &[(u32, Service)] {
        &self.tried
    }

    pub fn knows(&self, service: Service) -> bool {
        self.known.binary_search(&service).is_ok()
    }

    /// Forgets who tried the other services.
    pub fn know_only(&mut self, keep: impl Fn(Service) -> bool) {
        self.known.retain(|service| keep(*service));
        self.tried.retain(|(_, service)| keep(*service));
        self.known.shrink_to_fit();
        self.tried.shrink_to_fit();
    }

    /// Of the sources that tried one of these services, as far as that is known.
    pub fn who_tried(&self, wanted: impl Fn(Service) -> bool) -> Sample {
        let mut numbers: Vec<u32> =
            self.tried.iter().filter(|(_, service)| wanted(*service)).map(|(number, _)| *number).collect();
        numbers.dedup();
        let tried = |(number, _): &&(u32, Country)| numbers.binary_search(number).is_ok();
        let rows = self.rows.iter().filter(tried).copied().collect();
        Sample { rows, level: self.level, ..Sample::default() }
    }

    /// Makes `self` the sample of both. What only one knows of services is then known.
    pub fn join(&mut self, other: &Sample) {
        self.known.extend_from_slice(&other.known);
        self.known.sort_unstable();
        self.known.dedup();
        self.tried.extend_from_slice(&other.tried);
        self.join_sources(other, MOST);
    }

    /// The same without what the other's sources tried, and with at most so many sources.
    pub fn join_sources(&mut self, other: &Sample, most: usize) {
        self.level = self.level.max(other.level);
        self.rows.extend_from_slice(&other.rows);
        self.tidy(most);
    }

    fn tidy(&mut self, most: usize) {
        let level = self.level;
        self.rows.retain(|(number, _)| is_in(*number, level));
        self.rows.sort_unstable();
        self.rows.dedup_by_key(|(number, _)| *number);
        while self.rows.len() > most {
            self.level += 1;
            let level = self.level;
            self.rows.retain(|(number, _)| is_in(*number, level));
        }
        self.rows.shrink_to_fit();
        let level = self.level;
        self.tried.retain(|(number, _)| is_in(*number, level));
        self.tried.sort_unstable();
        self.tried.dedup();
        self.tried.shrink_to_fit();
    }

    /// Different sources of a country, and twice the standard error of that.
    pub fn estimate(&self, country: Country) -> (u64, u64) {
        let found = self.rows.iter().filter(|(_, of)| *of == country).count() as u64;
        let scale = 1u64 << self.level;
        let error = 2.0 * ((found * scale * (scale - 1)) as f64).sqrt();
        (found * scale, error.round() as u64)
    }
}

fn number_of(source: Address) -> u32 {
    hash(source) >> (32 - BITS)
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

    fn service(port: u16) -> Service {
        Service { protocol: 6, port }
    }

    /// Every source tried port 23, every third one port 22, every 300th one another port.
    fn sample(sources: std::ops::Range<u32>) -> Sample {
        let mut sample = Sample::of(sources.clone().map(source));
        let pair = |number: u32, port| (source(number).0, service(port));
        let of = |each: u32, port| {
            sources
                .clone()
                .filter(move |number| number.is_multiple_of(each))
                .map(move |number| pair(number, port))
        };
        let pairs = of(1, 23).chain(of(3, 22)).chain(of(300, 9));
        sample.learn(vec![service(23), service(22)], pairs);
        sample
    }

    #[test]
    fn a_join_is_the_sample_of_both() {
        for (first, second) in [(0..100, 50..300), (0..3_000, 2_000..9_000), (0..20_000, 5..9)] {
            let mut joined = sample(first.clone());
            joined.join(&sample(second.clone()));
            let all = first.start.min(second.start)..first.end.max(second.end);
            assert_eq!(joined, sample(all));
        }
    }

    #[test]
    fn what_sources_tried_is_exact_for_few_and_within_the_error_for_many() {
        for size in [30u32, 200, 9_000, 60_000] {
            let sample = sample(0..size);
            assert!(sample.knows(service(22)) && !sample.knows(service(9)));
            for (ports, truth) in [(&[22][..], size.div_ceil(12)), (&[22, 23], size.div_ceil(4)), (&[9], 0)] {
                let who = sample.who_tried(|service| ports.contains(&service.port));
                let (number, error) = who.estimate(Country(*b"JP"));
                assert!(
                    number.abs_diff(truth.into()) <= error,
                    "{size} {ports:?}: {number} +- {error}, not {truth}"
                );
            }
        }
    }

    #[test]
    fn a_large_join_is_nearer_to_the_truth() {
        let tried_ssh =
            |day: u32| sample(day * 1_000..day * 1_000 + 2_000).who_tried(|service| service.port == 22);
        let mut joined = tried_ssh(0);
        (1..30).for_each(|day| joined.join_sources(&tried_ssh(day), MOST_ASKED));
        assert!(joined.level() <= 4);
        let (number, error) = joined.estimate(Country(*b"JP"));
        let truth = 31_000u64.div_ceil(12);
        assert!(error * 4 < truth && number.abs_diff(truth) <= error, "{number} +- {error}, not {truth}");
    }

    #[test]
    fn only_what_is_asked_for_stays_known() {
        let mut sample = sample(0..100);
        sample.know_only(|service| service.port == 22);
        assert_eq!((sample.known(), sample.tried().len()), (&[service(22)][..], 34));
    }

    #[test]
    fn impossible_samples_are_refused() {
        let row = |number| (number, Country::UNKNOWN);
        let refused = |rows, level| Sample::from_rows(rows, level, Vec::new(), Vec::new()).is_none();
        assert!(!refused(vec![row(4), row(8)], 2));
        for (rows, level) in [
            (vec![row(8), row(4)], 0),
            (vec![row(3)], 1),
            (vec![row(1 << 20)], 0),
            (vec![], 21),
            (vec![row(4); 2], 0),
        ] {
            assert!(refused(rows, level));
        }
        let (ssh, telnet) = (service(22), service(23));
        for (known, tried, possible) in [
            (vec![ssh, telnet], vec![(4, ssh), (4, telnet)], true),
            (vec![telnet, ssh], vec![], false),
            (vec![ssh], vec![(4, telnet)], false),
            (vec![ssh], vec![(8, ssh)], false),
            (vec![ssh], vec![(4, ssh), (4, ssh)], false),
        ] {
            assert_eq!(Sample::from_rows(vec![row(4)], 2, known, tried).is_some(), possible);
        }
    }
}
