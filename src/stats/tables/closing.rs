//! Tables -> summaries: whole, or cut to their heaviest rows.

use super::*;

impl Tables {
    /// What is known, heaviest rows first, without ever making a summary of more rows than the cut leaves.
    pub fn to_summary(&self, cuts: &Cuts) -> ClassSummary {
        let mut summary = self.totals();
        let limit = |cut: Cut, evictions: u64| Cut {
            most: cut.most.min(if evictions == 0 { usize::MAX } else { OVERFLOWED.most }),
            ..cut
        };
        let cut = limit(cuts.services, self.services.evictions());
        summary.services =
            self.rows(&self.services, cut, self.missing.services, |row| self.service_count(row));
        let cut = limit(cuts.sources, self.sources.evictions());
        summary.sources = self.rows(&self.sources, cut, self.missing.sources, |row| self.source_count(row));
        let cut = limit(cuts.pairs, self.pairs.evictions());
        summary.pairs = self.rows(&self.pairs, cut, self.missing.pairs, pair_count);
        summary.sort();
        summary.cut(cuts);
        summary
    }

    fn rows<R: Row<Key: Ord>, T>(
        &self,
        table: &Heavy<R>,
        cut: Cut,
        missing: u64,
        counted: impl Fn(&R) -> T,
    ) -> Rows<T> {
        let rows = table.rows();
        let rank = |slot: usize| (Reverse(rows[slot].count()), rows[slot].key());
        let (slots, left_out) = cut.pick(rows.len(), |slot| rows[slot].count(), rank);
        Rows {
            rows: slots.into_iter().map(|slot| counted(&rows[slot as usize])).collect(),
            floor: left_out.max(table.floor() + missing),
            missing,
        }
    }

    /// All services, in no order.
    pub fn services(&self) -> impl Iterator<Item = ServiceCount> + Clone + '_ {
        // The numbers of different sources come back with the pairs.
        self.services.rows().iter().map(|row| self.service_row(row))
    }

    /// All sources, in no order.
    pub fn sources(&self) -> impl Iterator<Item = SourceCount> + Clone + '_ {
        self.sources.rows().iter().map(|row| self.source_count(row))
    }

    /// Which of [`Tables::sources`] an address has.
    pub fn row_of_source(&self, address: Address) -> Option<usize> {
        self.sources.find(&address)
    }

    /// All pairs, in no order.
    pub fn pair_counts(&self) -> impl Iterator<Item = PairCount> + Clone + '_ {
        self.pairs.rows().iter().map(pair_count)
    }

    /// The floor of services, sources and pairs, and what may be missing of their rows.
    pub fn floors(&self) -> [(u64, u64); 3] {
        let Missing { services, sources, pairs, .. } = self.missing;
        [
            (self.services.floor() + services, services),
            (self.sources.floor() + sources, sources),
            (self.pairs.floor() + pairs, pairs),
        ]
    }

    /// The totals without the sample.
    pub fn totals_only(&self) -> ClassSummary {
        ClassSummary { sample: None, ..self.totals() }
    }

    /// The summary without rows.
    pub fn totals(&self) -> ClassSummary {
        let distinct = if self.sources_whole() {
            Some(Distinct::exactly(self.sources.len() as u64))
        } else {
            // More sources than attempts are impossible.
            self.sample.all().within(0, self.count).meaningful()
        };
        let sample = match &self.countries {
            Some((_, sample)) => sample.clone(),
            None => self.sample.map(|_| Country::NONE),
        };
        ClassSummary {
            attempts: self.count,
            distinct,
            hours: self.hours.map(u64::from),
            protocols: (0..=255u8)
                .map(|protocol| (protocol, u64::from(self.protocols[usize::from(protocol)])))
                .filter(|(_, count)| *count > 0)
                .collect(),
            verdicts: self.verdicts.map(u64::from),
            rules: self.rules.rows().to_vec(),
            targets: self.rows(&self.targets, Cut::NONE, self.missing.targets, pair_count),
            countries: self.countries.as_ref().map(|(countries, _)| countries.clone()).unwrap_or_default(),
            sample: Some(sample),
            ..ClassSummary::default()
        }
    }

    fn service_row(&self, row: &ServiceRow) -> ServiceCount {
        ServiceCount {
            service: Service::from_bits(row.service),
            attempts: row.count.into(),
            error: row.error.into(),
            distinct: None,
            hours: self.hours_of_service(row),
        }
    }

    pub(super) fn service_count(&self, row: &ServiceRow) -> ServiceCount {
        let service = Service::from_bits(row.service);
        // A row with an error may have been here before, and some of its pairs counted then.
        let distinct = if self.pairs_whole() && row.error == 0 {
            Some(Distinct::exactly(row.unique.into()))
        } else {
            self.sample.of_services(|known| known == service).within(0, row.count.into()).meaningful()
        };
        ServiceCount { distinct, ..self.service_row(row) }
    }

    pub(super) fn source_count(&self, row: &SourceRow) -> SourceCount {
        let time = |since: u32| self.base.saturating_add(since.into());
        SourceCount {
            address: row.address,
            attempts: row.count.into(),
            error: row.error.into(),
            services: (self.pairs_whole() && row.error == 0).then_some(row.services.into()),
            first: time(row.first),
            last: time(row.last),
            hours: self.hours_of_source(row),
        }
    }

    fn hours_of_source(&self, row: &SourceRow) -> Option<Hours> {
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
}

pub(super) fn pair_count(row: &PairRow) -> PairCount {
    PairCount {
        service: Service::from_bits(row.service),
        address: row.address,
        attempts: row.count.into(),
        error: row.error.into(),
    }
}
