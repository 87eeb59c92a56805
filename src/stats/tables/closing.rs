//! Tables -> summaries: whole, or cut to their heaviest rows.

use super::focus::rows;
use super::*;

impl Tables {
    /// What is known, heaviest rows first, without ever making a summary of more rows than the cut leaves.
    pub fn to_summary(&self, cuts: &Cuts) -> ClassSummary {
        let limit = |cut: Cut, evictions: u64| Cut {
            most: cut.most.min(if evictions == 0 { usize::MAX } else { OVERFLOWED.most }),
            ..cut
        };
        let mut summary = self.focused(&Focus {
            services: &|_| true,
            sources: &|_| true,
            cuts: [
                limit(cuts.services, self.services.evictions()),
                limit(cuts.sources, self.sources.evictions()),
                limit(cuts.pairs, self.pairs.evictions()),
            ],
        });
        summary.cut(cuts);
        summary
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

    /// Of services, sources and pairs: the floor, what may be missing of a row, and the number of rows.
    pub fn heads(&self) -> [[u64; 3]; 3] {
        fn head<R: Row>(table: &Heavy<R>) -> [u64; 3] {
            [table.floor(), table.missing(), table.rows().len() as u64]
        }
        [head(&self.services), head(&self.sources), head(&self.pairs)]
    }

    /// The summary without rows.
    pub(super) fn totals(&self, sample: &Sample<Address>) -> ClassSummary {
        let sample = match &self.countries {
            Some((_, sample)) => sample.clone(),
            None => sample.map(|_| Country::NONE),
        };
        ClassSummary { sample: Some(sample), ..self.totals_only() }
    }

    /// The summary without rows and sample.
    pub fn totals_only(&self) -> ClassSummary {
        let distinct = if self.sources.is_whole() {
            Some(Distinct::exactly(self.sources.rows().len() as u64))
        } else {
            // More sources than attempts are impossible.
            self.sample().all().within(0, self.count).meaningful()
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
            rules: self.rules.rows.clone(),
            targets: rows(&self.targets, Cut::NONE, |_| true, PairRow::counted),
            countries: self.countries.as_ref().map(|(countries, _)| countries.clone()).unwrap_or_default(),
            ..ClassSummary::default()
        }
    }

    fn service_row(&self, row: &ServiceRow) -> ServiceCount {
        ServiceCount {
            service: row.service,
            attempts: row.count.into(),
            error: row.error.into(),
            distinct: None,
            hours: self.service_hours.of(&row.hours),
        }
    }

    /// A service as a row of a summary.
    pub(super) fn service_count(&self, row: &ServiceRow, sample: &Sample<Address>) -> ServiceCount {
        // A row with an error may have been here before, and some of its pairs counted then.
        let distinct = if self.pairs.is_whole() && row.error == 0 {
            Some(Distinct::exactly(row.unique.into()))
        } else {
            sample.of_services(|known| known == row.service).within(0, row.count.into()).meaningful()
        };
        ServiceCount { distinct, ..self.service_row(row) }
    }

    /// A source as a row of a summary.
    pub(super) fn source_count(&self, row: &SourceRow) -> SourceCount {
        let time = |since: u32| self.base.saturating_add(since.into());
        SourceCount {
            address: row.address,
            attempts: row.count.into(),
            error: row.error.into(),
            services: (self.pairs.is_whole() && row.error == 0).then_some(row.services.into()),
            first: time(row.first),
            last: time(row.last),
            hours: self.source_hours.of(&row.hours),
        }
    }
}
