//! Attempts and different sources by country, and by service and country.
//!
//! Countries are looked up when a day is closed or asked about, never for each event. Attempts of sources that the
//! full tables no longer know have no country: `measured` tells how many have one.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::fmt;
use std::rc::Rc;

use super::kept::Unique;
use super::rows::{PairRow, SourceRow};
use super::sample::Sample;
use crate::event::{Address, Service};

/// Two letters as in ISO 3166-1, upper case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Country(pub [u8; 2]);

impl Country {
    /// Looked up, and not in the database. ISO 3166-1 never gives this code to a country.
    pub const UNKNOWN: Country = Country(*b"ZZ");
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.0).unwrap_or("ZZ"))
    }
}

/// Whoever knows the country of an address.
pub trait Atlas {
    /// Whether it can tell anything now. To be asked before addresses are looked up.
    fn is_ready(&mut self) -> bool {
        true
    }

    /// [`Country::UNKNOWN`] for an address that it does not know. `None` if it can tell nothing at all.
    fn country_of(&mut self, address: Address) -> Option<Country>;
}

/// One atlas for all who look up.
pub type SharedAtlas = Rc<RefCell<dyn Atlas>>;

/// Looks something up with the atlas, if it is there and ready.
pub fn with_atlas<T>(atlas: Option<&SharedAtlas>, then: impl FnOnce(Option<&mut dyn Atlas>) -> T) -> T {
    let Some(atlas) = atlas else { return then(None) };
    let mut atlas = atlas.borrow_mut();
    if atlas.is_ready() { then(Some(&mut *atlas)) } else { then(None) }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeptCountry {
    pub country: Country,
    pub attempts: u64,
    /// Different sources.
    pub unique: Unique,
}

/// What came from one country to one service.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeptServiceCountry {
    pub service: Service,
    pub country: Country,
    pub attempts: u64,
    pub unique: Unique,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct KeptCountries {
    /// Attempts whose source's country was looked up; 0 means that none was.
    pub measured: u64,
    /// Most attempts first.
    pub rows: Vec<KeptCountry>,
    /// The most that a country without a row can have.
    pub floor: u64,
    /// Most attempts first.
    pub services: Vec<KeptServiceCountry>,
    /// The most that a service from one country without a row can have.
    pub service_floor: u64,
    /// Of the different sources.
    pub sample: Option<Sample>,
}

/// How many rows are kept: countries, and services of countries.
#[derive(Clone, Copy, Debug)]
pub struct CountryCuts {
    pub rows: usize,
    pub services: usize,
    pub sample: bool,
}

impl CountryCuts {
    /// Of a question about the open day.
    pub const OPEN: CountryCuts = CountryCuts { rows: 256, services: 512, sample: true };
    pub const DAY: CountryCuts = CountryCuts { rows: 24, services: 36, sample: true };
    /// A day whose hours are no longer kept.
    pub const OLD_DAY: CountryCuts = CountryCuts { rows: 4, services: 0, sample: false };
    pub const DAY_RARE: CountryCuts = CountryCuts { rows: 8, services: 8, sample: false };
    pub const MONTH: CountryCuts = CountryCuts { rows: 24, services: 48, sample: true };
    /// A month whose days are no longer kept.
    pub const OLD_MONTH: CountryCuts = CountryCuts { rows: 10, services: 6, sample: false };
    pub const MONTH_RARE: CountryCuts = CountryCuts { rows: 8, services: 8, sample: false };
}

/// Counts of keys that stand next to each other, heaviest first.
fn grouped<K: Ord + Copy>(mut rows: Vec<(K, u32)>) -> Vec<(K, u64, u64)> {
    rows.sort_unstable_by_key(|(key, _)| *key);
    let mut sums: Vec<(K, u64, u64)> = Vec::new();
    for (key, count) in rows {
        match sums.last_mut() {
            Some((known, attempts, sources)) if *known == key => {
                *attempts += u64::from(count);
                *sources += 1;
            }
            _ => sums.push((key, count.into(), 1)),
        }
    }
    sums.sort_unstable_by_key(|(key, attempts, _)| (Reverse(*attempts), *key));
    sums
}

impl KeptCountries {
    /// `exact`: the sources, and the pairs, are all there are. `heavy`: the services of which the sample shall know who
    /// tried them.
    pub fn measure(
        sources: &[SourceRow],
        pairs: &[PairRow],
        heavy: Vec<Service>,
        exact: (bool, bool),
        atlas: &mut dyn Atlas,
    ) -> KeptCountries {
        let unique = |sources, exact| if exact { Unique::Exactly(sources) } else { Unique::Unknown };
        // Neighbours lie together in the database.
        let mut order: Vec<u16> = (0..=u16::MAX).take(sources.len()).collect();
        order.sort_unstable_by_key(|at| sources[usize::from(*at)].address);
        let mut counts = Vec::with_capacity(order.len());
        let mut measured = 0u64;
        for at in &order {
            let row = &sources[usize::from(*at)];
            let Some(country) = atlas.country_of(row.address) else { return KeptCountries::default() };
            // What a row can be too high is not this source's.
            let count = row.count - row.error.min(row.count);
            measured += u64::from(count);
            counts.push((country, count));
        }
        let known: Vec<Country> = counts.iter().map(|(country, _)| *country).collect();
        let address = |at: &u16| sources[usize::from(*at)].address;
        let mut sample = exact.0.then(|| Sample::of(order.iter().map(address).zip(known.iter().copied())));
        if let (Some(sample), true) = (&mut sample, exact.1) {
            sample.learn(heavy, pairs.iter().map(|row| (row.address, Service::from_bits(row.service))));
        }
        let row = |(country, attempts, sources)| KeptCountry {
            country,
            attempts,
            unique: unique(sources, exact.0),
        };
        let rows = grouped(counts).into_iter().map(row).collect();
        let mut counts = Vec::with_capacity(pairs.len());
        for row in pairs {
            let place = order.binary_search_by_key(&row.address, address);
            // A pair can outlive its source where the tables are full.
            let country = place.map_or(Country::UNKNOWN, |place| known[place]);
            counts.push(((row.service, country), row.count - row.error.min(row.count)));
        }
        let row = |((service, country), attempts, sources)| KeptServiceCountry {
            service: Service::from_bits(service),
            country,
            attempts,
            unique: unique(sources, exact.1),
        };
        let services = grouped(counts).into_iter().map(row).collect();
        let mut kept = KeptCountries { measured, rows, services, sample, ..KeptCountries::default() };
        kept.cut(&CountryCuts::OPEN);
        kept
    }

    /// Leaves out light rows.
    pub fn cut(&mut self, cuts: &CountryCuts) {
        self.floor = self.floor.max(self.rows.get(cuts.rows).map_or(0, |row| row.attempts));
        self.rows.truncate(cuts.rows);
        self.rows.shrink_to_fit();
        self.service_floor =
            self.service_floor.max(self.services.get(cuts.services).map_or(0, |row| row.attempts));
        self.services.truncate(cuts.services);
        self.services.shrink_to_fit();
        if !cuts.sample {
            self.sample = None;
        }
    }

    /// Adds what was counted at another time, or in another part of the same day. Different sources of a country that
    /// both have are then told by the samples only.
    pub fn add(&mut self, other: &KeptCountries) {
        if other.measured == 0 {
            return;
        }
        if self.measured == 0 {
            *self = other.clone();
            return;
        }
        self.measured = self.measured.saturating_add(other.measured);
        for row in &other.rows {
            match self.rows.iter_mut().find(|known| known.country == row.country) {
                Some(known) => {
                    known.attempts = known.attempts.saturating_add(row.attempts);
                    known.unique = Unique::Unknown;
                }
                // The other part may have left it out.
                None if self.floor > 0 => {
                    self.rows.push(KeptCountry { unique: Unique::Unknown, ..row.clone() })
                }
                None => self.rows.push(row.clone()),
            }
        }
        if other.floor > 0 {
            let left_out =
                |row: &&mut KeptCountry| other.rows.iter().all(|their| their.country != row.country);
            self.rows.iter_mut().filter(left_out).for_each(|row| row.unique = Unique::Unknown);
        }
        self.floor = self.floor.saturating_add(other.floor);
        self.add_services(other);
        self.sample = match (self.sample.take(), &other.sample) {
            (Some(mut ours), Some(theirs)) => {
                ours.join(theirs);
                Some(ours)
            }
            _ => None,
        };
        self.rows.sort_unstable_by_key(|row| (Reverse(row.attempts), row.country));
    }

    fn add_services(&mut self, other: &KeptCountries) {
        let key = |row: &KeptServiceCountry| (row.service, row.country);
        self.services.extend_from_slice(&other.services);
        self.services.sort_unstable_by_key(key);
        let (ours, theirs) = (self.service_floor, other.service_floor);
        let merge = |row: &mut KeptServiceCountry, kept: &mut KeptServiceCountry| {
            let same = key(row) == key(kept);
            if same {
                kept.attempts = kept.attempts.saturating_add(row.attempts);
                kept.unique = Unique::Unknown;
            }
            same
        };
        self.services.dedup_by(merge);
        if ours > 0 || theirs > 0 {
            // A row that only one part has may be one that the other left out.
            self.services.iter_mut().for_each(|row| row.unique = Unique::Unknown);
        }
        self.service_floor = ours.saturating_add(theirs);
        self.services.sort_unstable_by_key(|row| (Reverse(row.attempts), row.service, row.country));
    }
}
