//! Summaries of the tables: whole, cut, or a part at a time.

use super::*;

impl Tables {
    /// A row with an error may have been here before, and some of its pairs counted then.
    pub(super) fn unique_of(&self, row: &ServiceRow) -> Unique {
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

    pub(super) fn kept_service(&self, row: &ServiceRow) -> KeptService {
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

    pub(super) fn source_as_kept(&self, row: &SourceRow) -> KeptSource {
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
}

/// The slots that a cut leaves, and the most that one of the others has.
fn pick<R: Row<Key: Ord>>(cut: Cut, table: &Heavy<R>) -> (Vec<u32>, u64) {
    let rows = table.rows();
    let rank = |slot: usize| (Reverse(rows[slot].count()), rows[slot].key());
    cut.pick(rows.len(), |slot| rows[slot].count(), rank)
}

pub(super) fn kept_pair(row: &PairRow, missing: u64) -> KeptPair {
    KeptPair {
        service: Service::from_bits(row.service),
        address: row.address,
        attempts: u64::from(row.count),
        error: u64::from(row.error),
        missing,
    }
}
