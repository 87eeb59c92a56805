//! The open tables of one class on one day.
//!
//! Takes events of the class, keeps services, sources and pairs of both within bounds.

use std::cmp::Reverse;
use std::rc::Rc;

use crate::event::{Address, Event, Service, Verdict};

use super::countries::{Atlas, CountryCuts, KeptCountries};
use super::distinct::{MOST_EXACT, REGISTERS, Sketch};
use super::heavy::{Aim, Heavy, Row};
use super::kept::{Cut, Cuts, Hours, Kept, KeptPair, KeptService, KeptSource, MOST_SKETCHED, Unique};
use super::rows::{Pair, PairRow, ServiceRow, SourceRow, stored_count, stored_time};

mod counting;
mod focus;
mod hours;
mod joined;
mod summary;

pub use focus::Focus;
use hours::WideHours;

/// How many rows the tables of a class may have.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub services: usize,
    pub sources: usize,
    pub pairs: usize,
    /// Services whose different sources are counted by a sketch once there are many.
    pub sketches: usize,
    /// Sources with more than 255 attempts in an hour.
    pub wide_hours: usize,
    /// Places of the indexes for each row, at least 2.
    pub places: usize,
}

impl Bounds {
    /// For attempts. At the bounds: 0.3 MB of services, 1.1 MB of sources, 0.7 MB of pairs,
    /// 0.3 MB of sketches, 0.1 MB of wide hours.
    pub const ATTEMPTS: Bounds =
        Bounds { services: 4096, sources: 16_384, pairs: 16_384, sketches: 16, wide_hours: 1024, places: 2 };
    /// For each other class.
    pub const OTHERS: Bounds =
        Bounds { services: 512, sources: 1024, pairs: 1024, sketches: 1, wide_hours: 64, places: 2 };
}

/// So many services can have more than 65,535 attempts in an hour.
const WIDE_SERVICES: usize = u8::MAX as usize;

#[derive(Clone)]
pub struct Tables {
    bounds: Bounds,
    count: u64,
    hours: [u32; 24],
    protocols: [u32; 256],
    verdicts: [u32; Verdict::COUNT],
    services: Heavy<ServiceRow>,
    sources: Heavy<SourceRow>,
    pairs: Heavy<PairRow>,
    /// Rows that summaries added to these tables had left out have at most so many attempts each.
    missing: Missing,
    /// Of the different sources; used once the table of sources is not whole.
    unique: Sketch,
    unique_unknown: bool,
    service_sketches: Vec<Rc<Sketch>>,
    service_hours: WideHours,
    source_hours: WideHours,
    /// As they were measured last.
    countries: KeptCountries,
}

#[derive(Clone, Copy, Debug, Default)]
struct Missing {
    services: u64,
    sources: u64,
    pairs: u64,
}

impl Tables {
    pub fn new(bounds: Bounds) -> Tables {
        Tables {
            bounds,
            count: 0,
            hours: [0; 24],
            protocols: [0; 256],
            verdicts: [0; Verdict::COUNT],
            services: Heavy::with_places(bounds.services, bounds.places),
            sources: Heavy::with_places(bounds.sources, bounds.places),
            pairs: Heavy::with_places(bounds.pairs, bounds.places),
            missing: Missing::default(),
            unique: Sketch::new(),
            unique_unknown: false,
            service_sketches: Vec::new(),
            service_hours: WideHours::new(WIDE_SERVICES),
            source_hours: WideHours::new(bounds.wide_hours),
            countries: KeptCountries::default(),
        }
    }

    /// Empties the tables; their memory is kept.
    pub fn clear(&mut self) {
        self.count = 0;
        self.hours = [0; 24];
        self.protocols = [0; 256];
        self.verdicts = [0; Verdict::COUNT];
        self.services.clear();
        self.sources.clear();
        self.pairs.clear();
        self.missing = Missing::default();
        self.unique.clear();
        self.service_sketches.clear();
        self.service_hours.clear();
        self.source_hours.clear();
        self.countries = KeptCountries::default();
        self.unique_unknown = false;
    }

    pub fn count(&self) -> u64 {
        self.count
    }

    /// Looks up the countries of all sources that the tables still know, for the next summary.
    pub fn measure_countries(&mut self, atlas: &mut dyn Atlas) {
        let exact = (self.sources_whole(), self.pairs_whole());
        let mut heavy: Vec<&ServiceRow> = Vec::new();
        if exact == (true, true) {
            heavy.extend(self.services.rows());
            heavy.sort_unstable_by_key(|row| (Reverse(row.count), row.service));
        }
        let heavy = heavy.iter().take(MOST_SKETCHED).map(|row| Service::from_bits(row.service)).collect();
        self.countries = KeptCountries::measure(self.sources.rows(), self.pairs.rows(), heavy, exact, atlas);
    }

    /// As they were measured last.
    pub fn countries(&self) -> &KeptCountries {
        &self.countries
    }

    /// Countries that were measured elsewhere.
    pub fn set_countries(&mut self, countries: KeptCountries) {
        self.countries = countries;
    }

    /// Cuts that leave everything of the tables whose counts are exact.
    pub fn whole_cuts(&self) -> Cuts {
        let cut = |evictions: u64| if evictions == 0 { Cut::NONE } else { Cut::OVERFLOWED };
        Cuts {
            services: cut(self.services.evictions()),
            sources: cut(self.sources.evictions()),
            pairs: cut(self.pairs.evictions()),
            rows_with_hours: usize::MAX,
            sketches: None,
            countries: CountryCuts::OPEN,
            registers: REGISTERS,
            hashes: MOST_EXACT,
        }
    }

    /// All pairs are there, so that the rows' numbers of services and sources are exact.
    fn pairs_whole(&self) -> bool {
        self.pairs.evictions() == 0 && self.missing.pairs == 0
    }

    /// Adds a summary of the same day, such as one that was stored before.
    pub fn add_kept(&mut self, kept: &Kept) {
        self.count = self.count.saturating_add(kept.attempts);
        for (sum, count) in self.hours.iter_mut().zip(kept.hours) {
            raise(sum, stored_count(count));
        }
        for (protocol, count) in &kept.protocols {
            raise(&mut self.protocols[usize::from(*protocol)], stored_count(*count));
        }
        for (sum, count) in self.verdicts.iter_mut().zip(kept.verdicts) {
            raise(sum, stored_count(count));
        }
        self.add_kept_unique(kept);
        self.missing.services = self.missing.services.saturating_add(kept.service_floor);
        let whole = self.pairs_whole();
        self.missing.pairs = self.missing.pairs.saturating_add(kept.pair_floor);
        for row in &kept.services {
            self.add_kept_service(row, whole, kept.pair_floor == 0);
        }
        for row in &kept.sources {
            self.add_kept_source(row);
        }
        for row in &kept.pairs {
            let service_slot = self.touch_service(row.service, self.services.aim(&row.service.to_bits()));
            let source_slot = self.touch_source(row.address, self.sources.aim(&row.address));
            let pair = Pair::new(row.service, row.address);
            let touched = self.pairs.touch(pair);
            let kept = self.pairs.row_mut(touched.slot);
            raise(&mut kept.count, stored_count(row.attempts));
            raise(&mut kept.error, stored_count(row.error));
            if touched.new {
                self.new_pair(service_slot, source_slot, pair);
            }
        }
    }

    fn add_kept_unique(&mut self, kept: &Kept) {
        if kept.source_floor == 0 {
            return;
        }
        if self.sources_whole() {
            self.unique.add_all(self.sources.rows().iter().map(|row| row.address));
        }
        self.missing.sources = self.missing.sources.saturating_add(kept.source_floor);
        match &kept.sketch {
            Some(sketch) => self.unique.join(sketch),
            None => self.unique_unknown = true,
        }
    }

    fn add_kept_source(&mut self, kept: &KeptSource) {
        let slot = self.touch_source(kept.address, self.sources.aim(&kept.address));
        let row = self.sources.row_mut(slot);
        raise(&mut row.count, stored_count(kept.attempts));
        raise(&mut row.error, stored_count(kept.error));
        row.first = row.first.min(kept.first);
        row.last = row.last.max(kept.last);
        let hours = kept.hours.as_ref().map(Hours::counts).unwrap_or_default();
        for (hour, n) in hours.into_iter().enumerate().filter(|(_, n)| *n > 0) {
            if !self.sources.row_mut(slot).add_hour(hour, n) {
                self.add_wide_hour(slot, hour, n);
            }
        }
    }
}

#[inline]
fn raise(sum: &mut u32, n: u32) {
    *sum = sum.saturating_add(n);
}
