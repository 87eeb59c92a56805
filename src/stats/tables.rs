//! The open tables of one class on one day.
//!
//! Takes events of the class, gives services, sources and pairs of both. Bounded.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::event::calendar::Date;
use crate::event::{Address, Class, Event, Service, Verdict};

use super::countries::{Countries, Country, CountryLookup};
use super::heavy::{Heavy, Lookup, Row};
use super::rows::{Pair, PairRow, ServiceRow, SourceRow, row_count};
use super::rules::{OpenRules, add_rows};
use super::sample::{self, Distinct, Sample};
use super::summary::{ClassSummary, Cut, Cuts, PairCount, Rows, ServiceCount, SourceCount};

mod closing;
mod counting;
mod focus;
mod hours;

pub use focus::Focus;
use hours::WideHours;

/// How many rows the tables of a class may have.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Most rows of each table.
    pub services: usize,
    pub sources: usize,
    pub pairs: usize,
    /// Destinations and services of forwarded attempts.
    pub targets: usize,
    /// Sources in the sample.
    pub sample: usize,
    /// Sources with more than 255 attempts in an hour; services with as many have no separate bound.
    pub wide_hours: usize,
}

impl Bounds {
    /// For attempts. At the bounds: 0.3 MB of services, 1.1 MB of sources, 0.7 MB of pairs, 0.5 MB of wide hours,
    /// 0.03 MB of the sample.
    pub const ATTEMPTS: Bounds = Bounds {
        services: 4096,
        sources: 16_384,
        pairs: 16_384,
        targets: 256,
        sample: 512,
        wide_hours: 1024,
    };
    /// For each other class.
    pub const OTHERS: Bounds =
        Bounds { services: 512, sources: 1024, pairs: 1024, targets: 1, sample: 64, wide_hours: 64 };
}

/// Rows of a summary of a table that overflowed: a copy of all its rows would not fit in a small router's RAM.
const OVERFLOWED: Cut = Cut::top(2048);

/// The tables of one class of an open day.
#[derive(Clone)]
pub struct Tables {
    bounds: Bounds,
    /// Of the store's samples.
    salt: u64,
    /// Times of rows are counted from here (seconds since 1970): before the day begins in any time zone.
    base: i64,
    /// Events of the class.
    count: u64,
    /// Events by local hour.
    hours: [u32; 24],
    protocols: [u32; 256],
    verdicts: [u32; Verdict::COUNT],
    services: Heavy<ServiceRow>,
    sources: Heavy<SourceRow>,
    pairs: Heavy<PairRow>,
    pub(super) rules: OpenRules,
    /// Destination addresses and services of attempts that were to be forwarded.
    targets: Heavy<PairRow>,
    /// `None`: no pair was evicted. The sample is then that of the pairs' sources, and made only when it is asked for.
    sample: Option<Sample<Address>>,
    service_hours: WideHours,
    source_hours: WideHours,
    /// The last measured countries, also those of the sample.
    countries: Option<(Countries, Sample<Country>)>,
}

impl Tables {
    /// Empty tables. `salt`: of the store's samples.
    pub fn new(bounds: Bounds, salt: u64, date: Date) -> Tables {
        Tables {
            bounds,
            salt,
            base: base_of(date),
            count: 0,
            hours: [0; 24],
            protocols: [0; 256],
            verdicts: [0; Verdict::COUNT],
            services: Heavy::new(bounds.services),
            sources: Heavy::new(bounds.sources),
            pairs: Heavy::new(bounds.pairs),
            rules: OpenRules::default(),
            targets: Heavy::new(bounds.targets),
            sample: None,
            service_hours: WideHours::new(bounds.services),
            source_hours: WideHours::new(bounds.wide_hours),
            countries: None,
        }
    }

    /// Empties the tables for another day, with the same rules of paths.
    pub fn restart(&mut self, date: Date) {
        let names = std::mem::take(&mut self.rules.names);
        *self = Tables::new(self.bounds, self.salt, date);
        self.rules.names = names;
    }

    /// Events of the class.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Every pair with its attempts: for uses of a day before its rows are cut.
    pub fn pairs(&self) -> &[PairRow] {
        self.pairs.rows()
    }

    /// Looks up the countries of all sources that the tables still hold, for the next summary. Without a database it has
    /// none.
    pub fn measure_countries(&mut self, lookup: Option<&mut (dyn CountryLookup + '_)>) {
        self.countries = None;
        let Some(lookup) = lookup else { return };
        let exact = (self.sources.is_whole(), self.pairs.is_whole());
        let countries = Countries::measure(self.sources.rows(), self.pairs.rows(), exact, lookup);
        let sample = self.sample().map(|address| lookup.country_of(address).unwrap_or(Country::UNKNOWN));
        self.countries = (countries.measured > 0).then_some((countries, sample));
    }

    /// The sample of the sources, with their addresses.
    pub fn sample(&self) -> Cow<'_, Sample<Address>> {
        match &self.sample {
            Some(sample) => Cow::Borrowed(sample),
            None => Cow::Owned(self.sample_of_pairs()),
        }
    }

    fn sample_of_pairs(&self) -> Sample<Address> {
        let rows = self.pairs.rows();
        let hashes = rows.iter().map(|row| sample::hash(row.address, self.salt));
        // Lowest first: most of the others need not be looked at.
        let mut hashes: BinaryHeap<Reverse<(u32, u32)>> = hashes.zip(0..).map(Reverse).collect();
        let mut sample = Sample::new(self.bounds.sample);
        while let Some(Reverse((hash, slot))) = hashes.pop()
            && u64::from(hash) < sample.bound()
        {
            let PairRow { address, service, .. } = rows[slot as usize];
            sample.add(hash, address, service.to_bits());
        }
        sample
    }

    /// The sample, if there are sources without a row.
    pub fn overflowed_sample(&self) -> Option<Cow<'_, Sample<Address>>> {
        (!self.sources.is_whole() || !self.pairs.is_whole()).then(|| self.sample())
    }

    /// No row was ever evicted or left out, but for targets: these do not make a stored day a whole one.
    pub fn is_whole(&self) -> bool {
        self.sources.is_whole() && self.pairs.is_whole() && self.services.is_whole()
    }

    /// Adds a summary of the same day that was stored before, and the sample of one that overflowed.
    pub fn add_summary(&mut self, summary: &ClassSummary, sample: Option<&Sample<Address>>) {
        self.count = self.count.saturating_add(summary.attempts);
        for (protocol, count) in &summary.protocols {
            raise(&mut self.protocols[usize::from(*protocol)], row_count(*count));
        }
        let hours = self.hours.iter_mut().zip(&summary.hours);
        for (sum, count) in hours.chain(self.verdicts.iter_mut().zip(&summary.verdicts)) {
            raise(sum, row_count(*count));
        }
        self.services.add_missing(summary.services.left_out());
        self.sources.add_missing(summary.sources.left_out());
        self.pairs.add_missing(summary.pairs.left_out());
        self.targets.add_missing(summary.targets.left_out());
        add_rows(&mut self.rules.rows, &summary.rules);
        for row in &summary.targets.rows {
            add_pair(&mut self.targets, row);
        }
        summary.services.rows.iter().for_each(|row| self.add_service(row));
        summary.sources.rows.iter().for_each(|row| self.add_source(row));
        for row in &summary.pairs.rows {
            let service_slot = self.touch_service(row.service, self.services.look_up(&row.service));
            let source_slot = self.touch_source(row.address, self.sources.look_up(&row.address));
            if add_pair(&mut self.pairs, row) {
                self.new_pair(service_slot, source_slot, (row.service, row.address));
            }
        }
        // Sources that have no row are in no sample.
        if sample.is_some() || summary.sources.floor > 0 || summary.pairs.floor > 0 {
            let mut joined = self.sample().into_owned();
            match sample {
                Some(sample) => joined.join(sample),
                None => joined.forget(),
            }
            self.sample = Some(joined);
        }
    }

    fn add_service(&mut self, counted: &ServiceCount) {
        let slot = self.touch_service(counted.service, self.services.look_up(&counted.service));
        let row = self.services.row_mut(slot);
        raise(&mut row.count, row_count(counted.attempts));
        raise(&mut row.error, row_count(counted.error));
        self.service_hours.add_all(&mut row.hours, counted.hours.as_ref());
    }

    fn add_source(&mut self, counted: &SourceCount) {
        let slot = self.touch_source(counted.address, self.sources.look_up(&counted.address));
        let base = self.base;
        let row = self.sources.row_mut(slot);
        raise(&mut row.count, row_count(counted.attempts));
        raise(&mut row.error, row_count(counted.error));
        if counted.first <= counted.last {
            row.first = row.first.min(time_since(base, counted.first));
            row.last = row.last.max(time_since(base, counted.last));
        }
        self.source_hours.add_all(&mut row.hours, counted.hours.as_ref());
    }
}

/// Adds to the row of a pair. Returns whether it is new.
fn add_pair(table: &mut Heavy<PairRow>, counted: &PairCount) -> bool {
    let touched = table.touch((counted.service, counted.address));
    let row = table.row_mut(touched.slot);
    raise(&mut row.count, row_count(counted.attempts));
    raise(&mut row.error, row_count(counted.error));
    touched.new
}

/// A day before the day begins in UTC.
fn base_of(date: Date) -> i64 {
    (i64::from(date.0) - 1) * 86_400
}

fn time_since(base: i64, time: i64) -> u32 {
    u32::try_from(time.saturating_sub(base).max(0)).unwrap_or(u32::MAX)
}

#[inline]
fn raise(sum: &mut u32, n: u32) {
    *sum = sum.saturating_add(n);
}
