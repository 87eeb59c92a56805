//! Attempts and different sources by country, and by service and country.
//!
//! Countries are looked up when a day is closed or queried, not for each event. Attempts of evicted sources have no
//! country: `measured` is the number of attempts that have one.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::fmt;
use std::rc::Rc;

use super::rows::{PairRow, SourceRow};
use super::sample::Distinct;
use super::sum::Sum;
use super::summary::{Counted, Cut, Rows};
use crate::event::{Address, Service};

/// Two letters as in ISO 3166-1, upper case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Country(pub [u8; 2]);

impl Country {
    /// Looked up, and not in the database. ISO 3166-1 never assigns this code.
    pub const UNKNOWN: Country = Country(*b"ZZ");
    /// Not looked up.
    pub const NONE: Country = Country([0, 0]);
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.0).unwrap_or("ZZ"))
    }
}

/// A country database.
pub trait CountryLookup {
    /// Whether it can answer now. To be called before addresses are looked up.
    fn is_ready(&mut self) -> bool {
        true
    }

    /// [`Country::UNKNOWN`] for an address that is not in it. `None` if it cannot answer at all.
    fn country_of(&mut self, address: Address) -> Option<Country>;
}

/// A database that several components share.
pub type SharedLookup = Rc<RefCell<dyn CountryLookup>>;

/// Calls `look_up` with the database, if there is one and it is ready.
pub fn with_lookup<T>(
    lookup: Option<&SharedLookup>,
    then: impl FnOnce(Option<&mut dyn CountryLookup>) -> T,
) -> T {
    let Some(lookup) = lookup else { return then(None) };
    let mut lookup = lookup.borrow_mut();
    if lookup.is_ready() { then(Some(&mut *lookup)) } else { then(None) }
}

/// Attempts of a country.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CountryCount {
    pub country: Country,
    pub attempts: u64,
    /// Different sources.
    pub distinct: Option<Distinct>,
}

/// Attempts from one country on one service.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ServiceCountryCount {
    pub service: Service,
    pub country: Country,
    pub attempts: u64,
    pub distinct: Option<Distinct>,
}

impl Counted for CountryCount {
    type Key = Country;

    #[inline]
    fn sum(&self) -> Sum<Country> {
        Sum::of(self.country, self.attempts, 0).with(self.distinct)
    }
}

impl Counted for ServiceCountryCount {
    type Key = (Service, Country);

    #[inline]
    fn sum(&self) -> Sum<(Service, Country)> {
        Sum::of((self.service, self.country), self.attempts, 0).with(self.distinct)
    }
}

/// Attempts by country, and by service and country.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Countries {
    /// Attempts whose source's country was looked up; 0: none was.
    pub measured: u64,
    pub rows: Rows<CountryCount>,
    pub services: Rows<ServiceCountryCount>,
}

/// Most countries, and services by country, of a question about the open day.
pub(super) const OPEN_COUNTRIES: (usize, usize) = (256, 1024);

/// Sums of attempts and numbers of rows by key, most attempts first.
fn grouped<K: Ord + Copy>(mut rows: Vec<(K, u32)>) -> impl Iterator<Item = (K, u64, u64)> {
    rows.sort_unstable_by_key(|(key, _)| *key);
    let same = rows.chunk_by(|a, b| a.0 == b.0);
    let sum = |same: &[(K, u32)]| {
        (same[0].0, same.iter().map(|(_, count)| u64::from(*count)).sum(), same.len() as u64)
    };
    let mut sums: Vec<(K, u64, u64)> = same.map(sum).collect();
    sums.sort_unstable_by_key(|(key, attempts, _)| (Reverse(*attempts), *key));
    sums.into_iter()
}

impl Countries {
    /// Looks up the sources of open tables. `exact`: these are all sources, and all pairs.
    pub fn measure(
        sources: &[SourceRow],
        pairs: &[PairRow],
        exact: (bool, bool),
        lookup: &mut dyn CountryLookup,
    ) -> Countries {
        let distinct = |sources, exact: bool| exact.then_some(Distinct::exactly(sources));
        // Neighbouring addresses are close together in the database.
        let mut order: Vec<u16> = (0..=u16::MAX).take(sources.len()).collect();
        order.sort_unstable_by_key(|at| sources[usize::from(*at)].address);
        let mut counts = Vec::with_capacity(order.len());
        let mut measured = 0u64;
        for at in &order {
            let row = &sources[usize::from(*at)];
            let Some(country) = lookup.country_of(row.address) else { return Countries::default() };
            // The error of a row may be another source's attempts.
            let count = row.count - row.error.min(row.count);
            measured += u64::from(count);
            counts.push((country, count));
        }
        let known: Vec<Country> = counts.iter().map(|(country, _)| *country).collect();
        let address = |at: &u16| sources[usize::from(*at)].address;
        // One more than the limit: its attempts are the floor.
        let rows = grouped(counts).take(OPEN_COUNTRIES.0 + 1).map(|(country, attempts, sources)| {
            CountryCount { country, attempts, distinct: distinct(sources, exact.0) }
        });
        let mut countries = Countries { measured, ..Countries::default() };
        countries.rows.rows = rows.collect();
        let mut counts = Vec::with_capacity(pairs.len());
        for row in pairs {
            let found = order.binary_search_by_key(&row.address, address);
            // A pair can outlive its source if the tables are full.
            let country = found.map_or(Country::UNKNOWN, |at| known[at]);
            counts.push(((row.service, country), row.count - row.error.min(row.count)));
        }
        let sums = grouped(counts).take(OPEN_COUNTRIES.1 + 1);
        let services = sums.map(|((service, country), attempts, sources)| ServiceCountryCount {
            service,
            country,
            attempts,
            distinct: distinct(sources, exact.1),
        });
        countries.services.rows = services.collect();
        countries.cut(OPEN_COUNTRIES);
        countries
    }

    /// Leaves out light rows.
    pub fn cut(&mut self, (rows, services): (usize, usize)) {
        self.rows.cut(Cut::top(rows));
        self.services.cut(Cut::top(services));
    }
}
