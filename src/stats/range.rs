//! Sums of summaries of different days: a month, or any range that is asked for.

use std::collections::BTreeMap;

use crate::event::{Address, Service, Verdict};

use super::countries::KeptCountries;
use super::distinct::Sketch;
use super::heavy::{Heavy, Row, mix};
use super::kept::{Kept, KeptPair, KeptService, KeptSource, Unique};
use super::rows::Pair;
use super::uniques::Uniques;

/// At most so many services, sources and pairs are told apart in a range.
const MOST_SERVICES: usize = 16_384;
const MOST_SOURCES: usize = 16_384;
const MOST_PAIRS: usize = 16_384;

/// A counted key of a range.
#[derive(Clone, Copy, Debug)]
pub struct Sum<K> {
    pub key: K,
    pub count: u64,
    /// The most that `count` can be too high, and too low.
    pub error: u64,
    missing: u64,
    /// The floors of the days that had a row of this key.
    floors: u64,
    pub first: u32,
    pub last: u32,
    /// In how many summaries the key had a row, and what the last of them said of it.
    pub present: u32,
    pub different: Option<u64>,
}

trait SumKey: Copy + Eq {
    fn hash(&self, seed: u64) -> u64;
}

impl SumKey for Service {
    fn hash(&self, seed: u64) -> u64 {
        mix(0, u64::from(self.to_bits()), seed)
    }
}

impl SumKey for Address {
    fn hash(&self, seed: u64) -> u64 {
        mix(self.high, self.low, seed)
    }
}

impl SumKey for Pair {
    fn hash(&self, seed: u64) -> u64 {
        mix(self.address.high ^ u64::from(self.service) << 40, self.address.low, seed)
    }
}

impl<K: SumKey> Row for Sum<K> {
    type Key = K;

    fn key(&self) -> K {
        self.key
    }

    fn count(&self) -> u64 {
        self.count
    }

    fn start(key: K, floor: u64) -> Sum<K> {
        Sum {
            key,
            count: floor,
            error: floor,
            missing: 0,
            floors: 0,
            first: u32::MAX,
            last: 0,
            present: 0,
            different: None,
        }
    }

    fn hash(key: &K, seed: u64) -> u64 {
        key.hash(seed)
    }
}

/// What is added to a sum from one row of one summary.
struct Part {
    attempts: u64,
    error: u64,
    missing: u64,
    floor: u64,
    different: Option<u64>,
}

fn add<'t, K: SumKey>(table: &'t mut Heavy<Sum<K>>, key: K, part: &Part) -> &'t mut Sum<K> {
    let slot = table.touch(key).slot;
    let sum = table.row_mut(slot);
    sum.count = sum.count.saturating_add(part.attempts);
    sum.error = sum.error.saturating_add(part.error);
    sum.missing = sum.missing.saturating_add(part.missing);
    sum.floors = sum.floors.saturating_add(part.floor);
    sum.different = part.different;
    sum.present += 1;
    sum
}

/// The sum of the summaries of one class over several days or months.
pub struct Range {
    pub attempts: u64,
    pub hours: [u64; 24],
    pub protocols: BTreeMap<u8, u64>,
    pub verdicts: [u64; Verdict::COUNT],
    parts: u32,
    /// What the only summary said, while there is only one.
    single_unique: Unique,
    sketch: Option<Sketch>,
    services: Heavy<Sum<Service>>,
    sources: Heavy<Sum<Address>>,
    pairs: Heavy<Sum<Pair>>,
    service_floors: u64,
    source_floors: u64,
    pair_floors: u64,
    pub countries: KeptCountries,
    /// Of the services; empty unless somebody adds to it.
    pub uniques: Uniques,
}

impl Default for Range {
    fn default() -> Range {
        Range::new()
    }
}

impl Range {
    pub fn new() -> Range {
        Range {
            attempts: 0,
            hours: [0; 24],
            protocols: BTreeMap::new(),
            verdicts: [0; Verdict::COUNT],
            parts: 0,
            single_unique: Unique::Exactly(0),
            sketch: Some(Sketch::new()),
            services: Heavy::new(MOST_SERVICES),
            sources: Heavy::new(MOST_SOURCES),
            pairs: Heavy::new(MOST_PAIRS),
            service_floors: 0,
            source_floors: 0,
            pair_floors: 0,
            countries: KeptCountries::default(),
            uniques: Uniques::default(),
        }
    }

    /// Adds totals only: no rows, no different sources.
    pub fn add_totals(&mut self, kept: &Kept) {
        self.attempts = self.attempts.saturating_add(kept.attempts);
        for (sum, count) in self.hours.iter_mut().zip(kept.hours) {
            *sum = sum.saturating_add(count);
        }
        for (protocol, count) in &kept.protocols {
            let sum = self.protocols.entry(*protocol).or_default();
            *sum = sum.saturating_add(*count);
        }
        for (sum, count) in self.verdicts.iter_mut().zip(kept.verdicts) {
            *sum = sum.saturating_add(count);
        }
    }

    /// Rows with up to so many attempts were not added.
    pub fn leave_out(&mut self, attempts: u64) {
        for floors in [&mut self.service_floors, &mut self.source_floors, &mut self.pair_floors] {
            *floors = floors.saturating_add(attempts);
        }
        self.uniques.leave_out(attempts);
    }

    /// Adds to the different sources. A period whose sketch is gone makes their number unknown.
    pub fn add_unique(&mut self, unique: Unique, sketch: Option<&Sketch>) {
        self.parts += 1;
        self.single_unique = unique;
        match (&mut self.sketch, sketch) {
            (Some(ours), Some(theirs)) => ours.join(theirs),
            _ => self.sketch = None,
        }
    }

    pub fn add_services(&mut self, kept: &Kept) {
        let floor = kept.service_floor;
        self.service_floors = self.service_floors.saturating_add(floor);
        for row in &kept.services {
            let part = Part {
                attempts: row.attempts,
                error: row.error,
                missing: row.missing,
                floor,
                different: row.unique.number(),
            };
            add(&mut self.services, row.service, &part);
        }
    }

    pub fn add_sources(&mut self, kept: &Kept) {
        let floor = kept.source_floor;
        self.source_floors = self.source_floors.saturating_add(floor);
        for row in &kept.sources {
            let part = Part {
                attempts: row.attempts,
                error: row.error,
                missing: row.missing,
                floor,
                different: row.services.map(u64::from),
            };
            let sum = add(&mut self.sources, row.address, &part);
            sum.first = sum.first.min(row.first);
            sum.last = sum.last.max(row.last);
        }
    }

    pub fn add_pairs(&mut self, kept: &Kept) {
        let floor = kept.pair_floor;
        self.pair_floors = self.pair_floors.saturating_add(floor);
        for row in &kept.pairs {
            let part = Part {
                attempts: row.attempts,
                error: row.error,
                missing: row.missing,
                floor,
                different: None,
            };
            add(&mut self.pairs, Pair::new(row.service, row.address), &part);
        }
    }

    pub fn unique(&self) -> Unique {
        match (&self.sketch, self.parts) {
            (_, 0 | 1) => self.single_unique,
            (Some(Sketch::Exact(hashes)), _) => Unique::Exactly(hashes.len() as u64),
            (Some(sketch), _) => Unique::About(sketch.estimate()),
            (None, _) => Unique::Unknown,
        }
    }

    /// Heaviest first, with the most that each count can be too low.
    pub fn services(&self) -> Vec<(Sum<Service>, u64)> {
        sorted(&self.services, self.service_floors)
    }

    pub fn sources(&self) -> Vec<(Sum<Address>, u64)> {
        sorted(&self.sources, self.source_floors)
    }

    pub fn pairs(&self) -> Vec<(Sum<Pair>, u64)> {
        sorted(&self.pairs, self.pair_floors)
    }

    /// The most that a service, source or pair without a row can have.
    pub fn service_floor(&self) -> u64 {
        self.service_floors.saturating_add(self.services.floor())
    }

    pub fn source_floor(&self) -> u64 {
        self.source_floors.saturating_add(self.sources.floor())
    }

    pub fn pair_floor(&self) -> u64 {
        self.pair_floors.saturating_add(self.pairs.floor())
    }

    /// The sum as a summary, heaviest rows first.
    pub fn to_kept(&self) -> Kept {
        Kept {
            attempts: self.attempts,
            hours: self.hours,
            protocols: self.protocols.iter().map(|(protocol, count)| (*protocol, *count)).collect(),
            verdicts: self.verdicts,
            unique: self.unique(),
            sketch: self.sketch.clone(),
            services: self
                .services()
                .into_iter()
                .map(|(sum, missing)| {
                    let told = self.uniques.of(sum.key);
                    KeptService {
                        service: sum.key,
                        attempts: sum.count,
                        error: sum.error,
                        missing,
                        unique: told.unique,
                        hours: None,
                        sketch: told.sketch,
                    }
                })
                .collect(),
            service_floor: self.service_floor(),
            sources: self
                .sources()
                .into_iter()
                .map(|(sum, missing)| KeptSource {
                    address: sum.key,
                    attempts: sum.count,
                    error: sum.error,
                    missing,
                    services: if sum.present == 1 { sum.different.map(|n| n as u32) } else { None },
                    first: sum.first,
                    last: sum.last,
                    hours: None,
                })
                .collect(),
            source_floor: self.source_floor(),
            pairs: self
                .pairs()
                .into_iter()
                .map(|(sum, missing)| KeptPair {
                    service: Service::from_bits(sum.key.service),
                    address: sum.key.address,
                    attempts: sum.count,
                    error: sum.error,
                    missing,
                })
                .collect(),
            pair_floor: self.pair_floor(),
            countries: self.countries.clone(),
        }
    }
}

fn sorted<K: SumKey + Ord>(table: &Heavy<Sum<K>>, floors: u64) -> Vec<(Sum<K>, u64)> {
    let mut rows: Vec<(Sum<K>, u64)> =
        table.rows().iter().map(|row| (*row, row.missing + floors.saturating_sub(row.floors))).collect();
    rows.sort_unstable_by_key(|(row, _)| (std::cmp::Reverse(row.count), row.key));
    rows
}
