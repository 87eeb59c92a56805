//! A bottom-k sample of sources, to estimate the number of different sources in all, of a service, or of a country,
//! over any range.
//!
//! A sample has every source whose hash is below its bound (Bar-Yossef et al. 2002, "Counting distinct elements in a
//! data stream"; Cohen and Kaplan 2007, "Summarizing data using bottom-k sketches"; the theta sketch of Apache
//! DataSketches). All samples of a store use the same salt, so the union of two samples consists of the hashes below
//! the smaller bound. The salt is secret, so that nobody can choose addresses with low hashes.

use crate::event::{Address, Service};

use super::countries::Country;
use super::heavy::mix;

/// The bound of a sample with every source: one above the highest hash.
pub const EVERYTHING: u64 = 1 << 30;

/// Most services that are recorded of one source, so that a port scan cannot fill the sample.
const SERVICES_PER_SOURCE: usize = 32;

/// Most services in a sample: this many for each source of its size, but not fewer than 1,024.
const SERVICES_PER_ROW: usize = 4;
const MIN_SERVICES: usize = 1024;

/// The hash of a source, uniform in 0..2^30, so that the distance between neighbours of a day fits in three bytes.
#[inline]
pub fn hash(address: Address, salt: u64) -> u32 {
    (mix(address.high, address.low, salt) >> 34) as u32
}

/// A number of different sources and twice its standard error (0: exact).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Distinct {
    pub number: u64,
    /// Twice the standard error; 0: exact.
    pub error: u64,
}

impl Distinct {
    /// A number without error.
    pub const fn exactly(number: u64) -> Distinct {
        Distinct { number, error: 0 }
    }

    /// The same, given that the true number is in `least..=most`.
    pub fn within(self, least: u64, most: u64) -> Distinct {
        let number = self.number.clamp(least.min(most), most);
        // The true number is not beyond the ends of the range.
        let farthest = (most - number).max(number - least.min(most));
        Distinct { number, error: self.error.min(farthest) }
    }

    /// `None` if the error reaches the number, which then says nothing.
    pub fn meaningful(self) -> Option<Distinct> {
        (self.number > 0 && self.error < self.number).then_some(self)
    }
}

/// Sources with a value each (an address in the open day's tables, a country in the store), by hash.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sample<T> {
    bound: u64,
    most: usize,
    /// Ascending by hash, each hash once, all below `bound`.
    sources: Vec<(u32, T)>,
    /// (hash, [`Service::to_bits`]), ascending, each once: what these sources tried.
    tried: Vec<(u32, u32)>,
}

impl<T: Copy> Sample<T> {
    /// An empty sample of at most `most` sources.
    pub fn new(most: usize) -> Sample<T> {
        Sample { bound: EVERYTHING, most, sources: Vec::new(), tried: Vec::new() }
    }

    /// Sets the bound and the sources; false if they are not sorted or not below the bound.
    pub fn set_sources(&mut self, bound: u64, sources: Vec<(u32, T)>) -> bool {
        let ascending = sources.is_sorted_by(|a, b| a.0 < b.0);
        let below = sources.last().is_none_or(|(hash, _)| u64::from(*hash) < bound);
        let valid = ascending && below && bound <= EVERYTHING;
        if valid {
            (self.bound, self.sources) = (bound, sources);
        }
        valid
    }

    /// Hashes below this are in the sample.
    pub fn bound(&self) -> u64 {
        self.bound
    }

    /// Changes the value of each source, in the order of their hashes.
    pub fn change_values(&mut self, mut change: impl FnMut(&mut T)) {
        self.sources.iter_mut().for_each(|(_, value)| change(value));
    }

    /// Removes sources. Gives how many.
    pub fn remove(&mut self, is_meant: impl Fn(T) -> bool) -> usize {
        let before = self.sources.len();
        self.sources.retain(|(_, value)| !is_meant(*value));
        self.tried.retain(|(hash, _)| self.sources.binary_search_by_key(hash, |(known, _)| *known).is_ok());
        before - self.sources.len()
    }

    /// Sets the services that the sources tried; false if they are not sorted, or not of these sources.
    pub fn set_tried(&mut self, tried: Vec<(u32, u32)>) -> bool {
        let valid = tried.is_sorted_by(|a, b| a < b)
            && tried.last().is_none_or(|(hash, _)| u64::from(*hash) < self.bound);
        if valid {
            self.tried = tried;
        }
        valid
    }

    /// Hashes with their values, ascending.
    pub fn sources(&self) -> &[(u32, T)] {
        &self.sources
    }

    /// Hashes with the services (as bits) that their sources tried, ascending.
    pub fn tried(&self) -> &[(u32, u32)] {
        &self.tried
    }

    /// Whether it has every source, so that numbers are exact.
    pub fn is_whole(&self) -> bool {
        self.bound == EVERYTHING
    }

    /// Removes the services of the sources.
    pub fn forget_services(&mut self) {
        self.tried.clear();
    }

    /// Whether the services that its sources tried are part of it.
    pub fn has_services(&self) -> bool {
        self.sources.is_empty() || !self.tried.is_empty()
    }

    /// Removes all sources and makes the number of sources unknown.
    pub fn forget(&mut self) {
        self.lower_bound(0);
    }

    /// Adds a source and a service that it tried.
    #[inline]
    pub fn add(&mut self, hash: u32, value: T, service: u32) {
        if u64::from(hash) < self.bound {
            self.insert(hash, value, service);
        }
    }

    #[cold]
    fn insert(&mut self, hash: u32, value: T, service: u32) {
        if let Err(at) = self.sources.binary_search_by_key(&hash, |(known, _)| *known) {
            self.sources.insert(at, (hash, value));
        }
        if let Err(at) = self.tried.binary_search(&(hash, service)) {
            let (before, behind) = self.tried.split_at(at);
            let is_same = |(known, _): &&(u32, u32)| *known == hash;
            let before = before.iter().rev().take_while(is_same).count();
            if before + behind.iter().take_while(is_same).count() < SERVICES_PER_SOURCE {
                self.tried.insert(at, (hash, service));
            }
        }
        self.cut(self.most);
    }

    /// Cuts it to the `most` sources with the lowest hashes.
    pub fn cut(&mut self, most: usize) {
        self.most = self.most.min(most);
        if let Some((hash, _)) = self.sources.get(self.most) {
            self.lower_bound(u64::from(*hash));
        }
        self.cut_services(self.most.saturating_mul(SERVICES_PER_ROW).max(MIN_SERVICES));
    }

    /// Cuts it to the sources with the lowest hashes that together tried at most `most` services.
    pub fn cut_services(&mut self, most: usize) {
        if let Some((hash, _)) = self.tried.get(most) {
            self.lower_bound(u64::from(*hash));
        }
    }

    /// Lowers the bound to that of another sample, since their union needs no more, but keeps at least three quarters
    /// of its hashes.
    pub fn align(&mut self, bound: u64) {
        if !self.is_whole() {
            self.lower_bound(bound.max(self.bound / 4 * 3));
        }
    }

    fn lower_bound(&mut self, bound: u64) {
        self.bound = self.bound.min(bound);
        // Mostly the last only.
        while self.sources.pop_if(|(hash, _)| u64::from(*hash) >= self.bound).is_some() {}
        while self.tried.pop_if(|(hash, _)| u64::from(*hash) >= self.bound).is_some() {}
    }

    /// Makes it the sample of the sources of both. Their services are known only if both have them.
    pub fn join(&mut self, other: &Sample<T>) {
        let mut union = Union::new(self.most);
        union.add(self);
        union.add(other);
        *self = union.finish();
    }

    /// The same sources with other values, such as their countries.
    pub fn map<U>(&self, mut value: impl FnMut(T) -> U) -> Sample<U> {
        Sample {
            bound: self.bound,
            most: self.most,
            sources: self.sources.iter().map(|(hash, known)| (*hash, value(*known))).collect(),
            tried: self.tried.clone(),
        }
    }

    /// All different sources.
    pub fn all(&self) -> Distinct {
        estimate(self.bound, self.sources.len() as u64, 0)
    }

    /// Different sources that tried one of the wanted services.
    pub fn of_services(&self, wanted: impl Fn(Service) -> bool) -> Distinct {
        self.count_tried(wanted, |_| true)
    }

    /// The different sources of each service, for many services.
    pub fn by_service(&self) -> ByService {
        let mut full = 0;
        // (service, whether its source tried more than is recorded)
        let mut rows: Vec<(u32, bool)> = Vec::with_capacity(self.tried.len());
        for of_source in self.tried.chunk_by(|a, b| a.0 == b.0) {
            let is_full = of_source.len() >= SERVICES_PER_SOURCE;
            full += u64::from(is_full);
            rows.extend(of_source.iter().map(|(_, service)| (*service, is_full)));
        }
        rows.sort_unstable();
        ByService { bound: self.bound, rows, full }
    }

    fn count_tried(&self, wanted: impl Fn(Service) -> bool, among: impl Fn(u32) -> bool) -> Distinct {
        let (mut counted, mut unknown) = (0, 0);
        let by_source = self.tried.chunk_by(|a, b| a.0 == b.0);
        for of_source in by_source.filter(|of_source| among(of_source[0].0)) {
            if of_source.iter().any(|(_, service)| wanted(Service::from_bits(*service))) {
                counted += 1;
            } else if of_source.len() >= SERVICES_PER_SOURCE {
                // It tried more services than are recorded.
                unknown += 1;
            }
        }
        estimate(self.bound, counted, unknown)
    }
}

/// An estimate from the sampled sources that were counted. `unknown`: further ones may belong to them.
fn estimate(bound: u64, counted: u64, unknown: u64) -> Distinct {
    if bound == EVERYTHING {
        return Distinct { number: counted, error: unknown };
    }
    let part = bound.max(1) as f64 / EVERYTHING as f64;
    // The variance of a bottom-k estimate (Cohen and Kaplan 2007). One is added to the count, since the variance of a
    // small count is itself uncertain.
    let error = 2.0 * ((counted + 1) as f64 * (1.0 - part)).sqrt() / part;
    let all = |sampled: u64| (sampled as f64 / part).round() as u64;
    Distinct { number: all(counted), error: (error.ceil() as u64).saturating_add(all(unknown)) }
}

/// The sampled sources of each service.
pub struct ByService {
    bound: u64,
    /// Ascending by service.
    rows: Vec<(u32, bool)>,
    /// Sources that tried more services than are recorded.
    full: u64,
}

impl ByService {
    /// Different sources of a service.
    pub fn of(&self, service: Service) -> Distinct {
        let bits = service.to_bits();
        let first = self.rows.partition_point(|(known, _)| *known < bits);
        let rows = self.rows[first..].iter().take_while(|(known, _)| *known == bits);
        let (counted, full) =
            rows.fold((0, 0), |(counted, full), row| (counted + 1, full + u64::from(row.1)));
        estimate(self.bound, counted, self.full - full)
    }
}

impl Sample<Country> {
    /// Different sources of a country.
    pub fn of_country(&self, country: Country) -> Distinct {
        let counted = self.sources.iter().filter(|(_, known)| *known == country).count();
        estimate(self.bound, counted as u64, 0)
    }

    /// Different sources of a country that tried one of the wanted services.
    pub fn of_both(&self, country: Country, wanted: impl Fn(Service) -> bool) -> Distinct {
        let is_there = |hash: u32| {
            let found = self.sources.binary_search_by_key(&hash, |(known, _)| *known);
            found.is_ok_and(|at| self.sources[at].1 == country)
        };
        self.count_tried(wanted, is_there)
    }
}

/// The union of many samples: rows are collected and sorted when there are many, and at the end.
pub struct Union<T> {
    /// Unsorted.
    rows: Sample<T>,
    /// Whether all samples have the services of their sources.
    has_services: bool,
}

impl<T: Copy> Union<T> {
    /// An empty union of at most `most` sources.
    pub fn new(most: usize) -> Union<T> {
        Union { rows: Sample::new(most), has_services: true }
    }

    /// Adds the sources of a sample.
    pub fn add(&mut self, sample: &Sample<T>) {
        self.has_services &= sample.has_services();
        let rows = &mut self.rows;
        rows.bound = rows.bound.min(sample.bound);
        let below = |hash: u32| u64::from(hash) < rows.bound;
        rows.sources.extend(sample.sources.iter().take_while(|(hash, _)| below(*hash)));
        rows.tried.extend(sample.tried.iter().take_while(|(hash, _)| below(*hash)));
        // A quarter more than the size: sorting merges these into the rest, which is sorted already.
        let most = rows.most.saturating_add(rows.most / 4);
        if rows.sources.len() > most || rows.tried.len() > SERVICES_PER_ROW.saturating_mul(most) {
            self.sort();
        }
    }

    fn sort(&mut self) {
        let rows = &mut self.rows;
        // A stable sort only merges the sorted runs that these are made of.
        rows.sources.sort_by_key(|(hash, _)| *hash);
        rows.sources.dedup_by_key(|(hash, _)| *hash);
        rows.tried.sort();
        rows.tried.dedup();
        if !self.has_services {
            rows.tried.clear();
        }
        rows.lower_bound(rows.bound);
        rows.cut(rows.most);
    }

    /// The sample of all sources that were in one of the samples.
    pub fn finish(mut self) -> Sample<T> {
        self.sort();
        self.rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SSH: u32 = 6 << 16 | 22;

    fn day(sources: std::ops::Range<u32>, most: usize) -> Sample<Country> {
        let mut sample = Sample::new(most);
        for host in sources {
            let country = Country(if host % 4 == 0 { *b"JP" } else { *b"US" });
            let service = if host % 3 == 0 { SSH } else { 6 << 16 | 23 };
            sample.add(hash(Address::v4(host), 7), country, service);
        }
        sample
    }

    #[test]
    fn few_sources_are_exact() {
        let mut sample = day(0..400, 512);
        sample.join(&day(200..500, 512));
        assert_eq!(sample.all(), Distinct::exactly(500));
        assert_eq!(sample.of_country(Country(*b"JP")), Distinct::exactly(125));
        assert_eq!(sample.of_services(|service| service.port == 22), Distinct::exactly(167));
        assert_eq!(sample.of_both(Country(*b"JP"), |service| service.port == 22), Distinct::exactly(42));
    }

    #[test]
    fn the_union_of_samples_is_the_sample_of_the_union() {
        let all = day(0..9000, 512);
        for order in [[0, 1, 2], [2, 0, 1]] {
            let mut joined = Sample::new(512);
            for part in order {
                joined.join(&day(part * 3000..(part + 1) * 3000, 512));
            }
            assert_eq!((joined.bound(), joined.all()), (all.bound(), all.all()));
            assert_eq!(joined.sources(), all.sources());
        }
    }

    #[test]
    fn numbers_lie_within_their_errors_95_times_of_100() {
        let (mut within, mut total) = (0, 0);
        for salt in 0..400 {
            let mut sample = Sample::new(256);
            for host in 0..4000u32 {
                let service = 6 << 16 | host.trailing_ones();
                sample.add(hash(Address::v4(host), salt), Country(*b"ZZ"), service);
            }
            for (truth, distinct) in [
                (4000, sample.all()),
                (2000, sample.of_services(|service| service.port == 0)),
                (500, sample.of_services(|service| service.port == 2)),
                (125, sample.of_services(|service| service.port == 4)),
            ] {
                if let Some(Distinct { number, error }) = distinct.meaningful() {
                    total += 1;
                    within += u32::from(number.abs_diff(truth) <= error);
                }
            }
        }
        assert!(total > 1500 && within * 100 >= total * 95, "{within} of {total}");
    }

    #[test]
    fn a_scan_of_all_ports_neither_fills_the_sample_nor_hides() {
        let mut sample = day(0..4000, 512);
        let before = sample.bound();
        for salt in 0..50u32 {
            for port in 0..5000 {
                sample.add(salt, Country(*b"ZZ"), 6 << 16 | port);
            }
        }
        assert!(sample.bound() > before / 4, "{} of {before}", sample.bound());
        assert!(sample.of_services(|service| service.port == 4321).error > 0);
    }

    #[test]
    fn a_known_range_bounds_a_number() {
        let distinct = Distinct { number: 100, error: 40 };
        assert_eq!(distinct.within(90, 120), Distinct { number: 100, error: 20 });
        assert_eq!(distinct.within(120, 130), Distinct { number: 120, error: 10 });
        assert_eq!(distinct.within(7, 7), Distinct::exactly(7));
        assert_eq!(Distinct { number: 5, error: 5 }.meaningful(), None);
    }
}
