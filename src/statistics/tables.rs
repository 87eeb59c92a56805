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

mod focus;
mod hours;
mod joined;

pub use focus::Focus;
use hours::WideHours;
use joined::sketch_at;

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
}

impl Bounds {
    /// For attempts. At the bounds: 0.3 MB of services, 1.1 MB of sources, 0.7 MB of pairs,
    /// 0.3 MB of sketches, 0.1 MB of wide hours.
    pub const ATTEMPTS: Bounds =
        Bounds { services: 4096, sources: 16_384, pairs: 16_384, sketches: 16, wide_hours: 1024 };
    /// For each other class.
    pub const OTHERS: Bounds =
        Bounds { services: 512, sources: 1024, pairs: 1024, sketches: 1, wide_hours: 64 };
}

/// So many services can have more than 65,535 attempts in an hour.
const WIDE_SERVICES: usize = u8::MAX as usize;

/// A service gets a sketch when so many sources tried it.
const SKETCH_FROM: u16 = 256;

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
            services: Heavy::new(bounds.services),
            sources: Heavy::new(bounds.sources),
            pairs: Heavy::new(bounds.pairs),
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

    /// Counts an event of this class that fell into the local hour `hour` (0..=23).
    #[inline]
    pub fn add(&mut self, event: &Event, hour: u8) {
        let hour = usize::from(hour.min(23));
        let n = event.count;
        self.count = self.count.saturating_add(u64::from(n));
        raise(&mut self.hours[hour], n);
        raise(&mut self.protocols[usize::from(event.protocol)], n);
        raise(&mut self.verdicts[event.verdict as usize], n);

        let service = event.service();
        let pair = Pair::new(service, event.source);
        let service_aim = self.services.aim(&service.to_bits());
        let source_aim = self.sources.aim(&event.source);
        let pair_aim = self.pairs.aim(&pair);

        let service_slot = self.touch_service(service, service_aim);
        let row = self.services.row_mut(service_slot);
        raise(&mut row.count, n);
        if !row.add_hour(hour, n) {
            self.add_wide_service_hour(service_slot, hour, n);
        }

        let source_slot = self.touch_source(event.source, source_aim);
        let row = self.sources.row_mut(source_slot);
        raise(&mut row.count, n);
        let time = stored_time(event.time);
        row.first = row.first.min(time);
        row.last = row.last.max(time);
        if !row.add_hour(hour, n) {
            self.add_wide_hour(source_slot, hour, n);
        }

        let touched = self.pairs.touch_aimed(pair, pair_aim);
        raise(&mut self.pairs.row_mut(touched.slot).count, n);
        if touched.new {
            self.new_pair(service_slot, source_slot, pair);
        }
    }

    #[inline(always)]
    fn touch_service(&mut self, service: Service, aim: Aim) -> usize {
        let touched = self.services.touch_aimed(service.to_bits(), aim);
        if touched.new
            && let Some(row) = self.services.take_evicted()
            && row.wide > 0
        {
            self.free_service_hours(&row);
        }
        touched.slot
    }

    #[cold]
    fn free_service_hours(&mut self, evicted: &ServiceRow) {
        let last = self.service_hours.free(evicted.wide.into());
        let moved = self.services.rows().iter().position(|row| usize::from(row.wide) == last);
        if let Some(slot) = moved {
            self.services.row_mut(slot).wide = evicted.wide;
        }
    }

    #[inline(always)]
    fn touch_source(&mut self, address: Address, aim: Aim) -> usize {
        let touched = self.sources.touch_aimed(address, aim);
        if touched.new {
            if let Some(row) = self.sources.take_evicted() {
                self.source_evicted(&row);
            }
            // The sketch is only needed once rows are lost: until then the table is the set.
            if !self.sources_whole() {
                self.unique.add(address);
            }
        }
        touched.slot
    }

    #[inline]
    fn sources_whole(&self) -> bool {
        self.sources.evictions() == 0 && self.missing.sources == 0
    }

    fn source_evicted(&mut self, evicted: &SourceRow) {
        if self.sources.evictions() == 1 {
            self.unique.add(evicted.address);
            self.unique.add_all(self.sources.rows().iter().map(|row| row.address));
        }
        if evicted.wide > 0 {
            let last = self.source_hours.free(evicted.wide.into());
            let moved = self.sources.rows().iter().position(|row| usize::from(row.wide) == last);
            if let Some(slot) = moved {
                self.sources.row_mut(slot).wide = evicted.wide;
            }
        }
    }

    #[cold]
    fn add_wide_hour(&mut self, slot: usize, hour: usize, n: u32) {
        let row = self.sources.row_mut(slot);
        if row.wide == 0 {
            match self.source_hours.begin(row.hours.map(u32::from)) {
                Some(number) => row.wide = number as u16,
                None => return row.hours[hour] = u8::MAX,
            }
        }
        self.source_hours.add(row.wide.into(), hour, n);
    }

    #[cold]
    fn add_wide_service_hour(&mut self, slot: usize, hour: usize, n: u32) {
        let row = self.services.row_mut(slot);
        if row.wide == 0 {
            match self.service_hours.begin(row.hours.map(u32::from)) {
                Some(number) => row.wide = number as u8,
                None => return row.hours[hour] = u16::MAX,
            }
        }
        self.service_hours.add(row.wide.into(), hour, n);
    }

    #[inline(always)]
    fn new_pair(&mut self, service_slot: usize, source_slot: usize, pair: Pair) {
        let source = self.sources.row_mut(source_slot);
        source.services = source.services.saturating_add(1);
        let service = self.services.row_mut(service_slot);
        service.unique = service.unique.saturating_add(1);
        if service.sketch != 0 || service.unique >= SKETCH_FROM {
            self.add_to_sketch(service_slot, pair);
        }
    }

    /// Adds the source of a new pair to the sketch of its service, which gets one if it can.
    #[inline(never)]
    fn add_to_sketch(&mut self, service_slot: usize, pair: Pair) {
        let whole = self.pairs_whole();
        let service = self.services.row_mut(service_slot);
        if let Some(sketch) = sketch_at(service.sketch).and_then(|at| self.service_sketches.get_mut(at)) {
            Rc::make_mut(sketch).add(pair.address);
        } else if service.sketch == 0
            && whole
            && service.error == 0
            && self.service_sketches.len() < self.bounds.sketches
        {
            let mut sketch = Sketch::new();
            for row in self.pairs.rows().iter().filter(|row| row.service == pair.service) {
                sketch.add(row.address);
            }
            self.service_sketches.push(Rc::new(sketch));
            service.sketch = self.service_sketches.len() as u8;
        }
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

    /// A row with an error may have been here before, and some of its pairs counted then.
    fn unique_of(&self, row: &ServiceRow) -> Unique {
        if self.pairs_whole() && row.error == 0 {
            Unique::Exactly(u64::from(row.unique))
        } else if let Some(sketch) = self.sketch_of(row) {
            // An estimate may be too high; more sources than attempts are impossible.
            Unique::About(sketch.estimate().min(u64::from(row.count)))
        } else {
            Unique::Unknown
        }
    }

    fn hours_of(&self, row: &SourceRow) -> Option<Hours> {
        match row.wide {
            0 if self.source_hours.is_cut() && row.hours.contains(&u8::MAX) => None,
            0 => Some(Hours::Small(row.hours)),
            wide => Some(Hours::new(self.source_hours.of(wide.into()))),
        }
    }

    fn hours_of_service(&self, row: &ServiceRow) -> Option<Hours> {
        match row.wide {
            0 if self.service_hours.is_cut() && row.hours.contains(&u16::MAX) => None,
            0 => Some(Hours::new(row.hours.map(u32::from))),
            wide => Some(Hours::new(self.service_hours.of(wide.into()))),
        }
    }

    /// What is known, heaviest rows first: all of it, or cut to the heaviest rows without ever
    /// making a summary of all.
    pub fn to_kept(&self, cuts: Option<&Cuts>) -> Kept {
        let cuts_or_none = |cut: fn(&Cuts) -> Cut| cuts.map_or(Cut::NONE, cut);
        let mut kept = self.kept_totals();
        (kept.services, kept.service_floor) = self.kept_services(cuts_or_none(|cuts| cuts.services));
        let (sources, floor) = self.source_slots(cuts_or_none(|cuts| cuts.sources));
        kept.sources = sources.into_iter().map(|slot| self.kept_source(slot)).collect();
        kept.source_floor = floor;
        let (pairs, floor) = self.pair_slots(cuts_or_none(|cuts| cuts.pairs));
        kept.pairs = pairs.into_iter().map(|slot| self.kept_pair(slot)).collect();
        kept.pair_floor = floor;
        kept.sort();
        if let Some(cuts) = cuts {
            if let Some(most) = cuts.sketches {
                self.sketch_services(&mut kept.services, most);
            }
            kept.cut(cuts);
        }
        kept
    }

    /// The summary without rows.
    pub fn kept_totals(&self) -> Kept {
        let mut sketch = self.unique.clone();
        if self.sources_whole() {
            sketch.add_all(self.sources.rows().iter().map(|row| row.address));
        }
        let unique = match (self.sources_whole(), self.unique_unknown) {
            (true, _) => Unique::Exactly(self.sources.len() as u64),
            (_, false) => Unique::About(sketch.estimate().min(self.count)),
            (_, true) => Unique::Unknown,
        };
        Kept {
            attempts: self.count,
            hours: self.hours.map(u64::from),
            protocols: (0..=255u8)
                .map(|protocol| (protocol, u64::from(self.protocols[usize::from(protocol)])))
                .filter(|(_, count)| *count > 0)
                .collect(),
            verdicts: self.verdicts.map(u64::from),
            unique,
            sketch: (!self.unique_unknown).then_some(sketch),
            countries: self.countries.clone(),
            ..Kept::default()
        }
    }

    /// The rows of services that a cut leaves, in no order, and the most that one left out has.
    pub fn kept_services(&self, cut: Cut) -> (Vec<KeptService>, u64) {
        let (slots, floor) = pick(cut, &self.services);
        let row = |slot: u32| self.kept_service(&self.services.rows()[slot as usize]);
        let floor = floor.max(self.services.floor() + self.missing.services);
        (slots.into_iter().map(row).collect(), floor)
    }

    /// Where the sources stand that a cut leaves, in no order, and the most that one left out has.
    pub fn source_slots(&self, cut: Cut) -> (Vec<u32>, u64) {
        let (slots, floor) = pick(cut, &self.sources);
        (slots, floor.max(self.sources.floor() + self.missing.sources))
    }

    /// Where the pairs stand that a cut leaves, in no order, and the most that one left out has.
    pub fn pair_slots(&self, cut: Cut) -> (Vec<u32>, u64) {
        let (slots, floor) = pick(cut, &self.pairs);
        (slots, floor.max(self.pairs.floor() + self.missing.pairs))
    }

    pub fn kept_source(&self, slot: u32) -> KeptSource {
        self.source_as_kept(&self.sources.rows()[slot as usize])
    }

    pub fn kept_pair(&self, slot: u32) -> KeptPair {
        kept_pair(&self.pairs.rows()[slot as usize], self.missing.pairs)
    }

    fn kept_service(&self, row: &ServiceRow) -> KeptService {
        KeptService {
            service: Service::from_bits(row.service),
            attempts: u64::from(row.count),
            error: u64::from(row.error),
            missing: self.missing.services,
            unique: self.unique_of(row),
            hours: self.hours_of_service(row),
            sketch: self.sketch_of(row).cloned(),
        }
    }

    fn source_as_kept(&self, row: &SourceRow) -> KeptSource {
        KeptSource {
            address: row.address,
            attempts: u64::from(row.count),
            error: u64::from(row.error),
            missing: self.missing.sources,
            services: (self.pairs_whole() && row.error == 0).then_some(u32::from(row.services)),
            first: row.first,
            last: row.last,
            hours: self.hours_of(row),
        }
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

/// The slots that a cut leaves, and the most that one of the others has.
fn pick<R: Row<Key: Ord>>(cut: Cut, table: &Heavy<R>) -> (Vec<u32>, u64) {
    let rows = table.rows();
    let rank = |slot: usize| (Reverse(rows[slot].count()), rows[slot].key());
    cut.pick(rows.len(), |slot| rows[slot].count(), rank)
}

fn kept_pair(row: &PairRow, missing: u64) -> KeptPair {
    KeptPair {
        service: Service::from_bits(row.service),
        address: row.address,
        attempts: u64::from(row.count),
        error: u64::from(row.error),
        missing,
    }
}

#[inline]
fn raise(sum: &mut u32, n: u32) {
    *sum = sum.saturating_add(n);
}
