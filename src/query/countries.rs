//! The answer to `countries`: attempts and different sources, of everything, a service or a source.

use std::cmp::Reverse;

use super::AnswerError;
use super::answer::{CountriesAnswer, CountryRow};
use super::history::{MonthData, Need, Section};
use super::lists::{LeftOut, MAX_ROWS};
use super::question::Question;
use super::scan::{Reasons, Span, is_about_services, matches};
use crate::event::{Address, Class, Service};
use crate::stats::countries::{Country, CountryLookup};
use crate::stats::sample::{Distinct, Sample};
use crate::stats::sum::{Sources, Table};
use crate::stats::summary::ClassSummary;

/// The reason of an incomplete answer.
pub(super) const NO_DATABASE: &str = "no country database";

/// Whether the parts of a range were measured.
#[derive(Default)]
pub(super) struct Measured {
    /// Days with attempts that were counted without a country database.
    pub days_without: u32,
    pub days_with: u32,
    /// Attempts of sources that full tables no longer held.
    unplaced: u64,
}

impl Measured {
    /// False if nothing of this part was measured.
    pub(super) fn note(&mut self, summary: &ClassSummary, days: u32) -> bool {
        let measured = summary.countries.measured;
        if summary.attempts > 0 && measured == 0 {
            self.days_without += days;
            return false;
        }
        self.days_with += days;
        self.unplaced = self.unplaced.saturating_add(summary.attempts.saturating_sub(measured));
        true
    }

    /// An error if nothing was measured, else what is missing.
    pub(super) fn explain(
        &self,
        class: Class,
        installed: bool,
        reasons: &mut Reasons,
    ) -> Result<(), AnswerError> {
        match self {
            Measured { days_with: 0, .. } if installed && !class.has_countries() => {
                return Err(AnswerError::NotFound(
                    "countries are looked up of attempts and failed logins only".into(),
                ));
            }
            Measured { days_with: 0, .. } if !installed => {
                return Err(AnswerError::NotFound(NO_DATABASE.into()));
            }
            Measured { days_with: 0, days_without: 1.., .. } => {
                return Err(AnswerError::NotFound(
                    "the countries of these days were not measured: there was no country database when they ended".into(),
                ));
            }
            Measured { days_without: 0, .. } => {}
            Measured { days_without, .. } => reasons.add(format!(
                "{days_without} days are left out: there was no country database when they ended"
            )),
        }
        if self.unplaced > 0 {
            reasons
                .add(format!("the countries of {} attempts are not known: too many sources", self.unplaced));
        }
        Ok(())
    }
}

/// A row before it is shown.
struct Sum {
    country: Country,
    attempts: u64,
    distinct: Option<Distinct>,
    low: u64,
}

/// Collects the answer to `countries`.
pub(super) struct CountryList {
    question: Question,
    span: Span,
    by_service: bool,
    countries: Table<Country>,
    services: Table<(Service, Country)>,
    sources: Sources,
    measured: Measured,
    /// Of the sources within a prefix.
    addresses: Table<Address>,
    pairs: Table<(Service, Address)>,
    reasons: Reasons,
}

impl CountryList {
    pub(super) fn new(question: &Question, has_lookup: bool) -> Result<CountryList, AnswerError> {
        let by_service = is_about_services(question);
        let by_source = question.source.is_some();
        if by_source && !has_lookup {
            return Err(AnswerError::NotFound(NO_DATABASE.into()));
        }
        let most = |used: bool| if used { MAX_ROWS } else { 1 };
        Ok(CountryList {
            span: Span::of(question),
            by_service,
            countries: Table::new(if by_source { 1 } else { 1024 }),
            services: Table::new(most(by_service && !by_source)),
            sources: Sources::default(),
            measured: Measured::default(),
            addresses: Table::new(most(by_source && !by_service)),
            pairs: Table::new(most(by_source && by_service)),
            reasons: Reasons::default(),
            question: question.clone(),
        })
    }

    /// The sections that the answer needs.
    pub(super) fn need(&self) -> Need {
        let sections: &[Section] = match (self.question.source.is_some(), self.by_service) {
            (true, true) => &[Section::Pairs],
            (true, false) => &[Section::Sources],
            (false, _) if self.span.is_single() => &[Section::Countries],
            (false, true) => {
                &[Section::Countries, Section::Sample, Section::SampleCountries, Section::SampleServices]
            }
            (false, false) => &[Section::Countries, Section::Sample, Section::SampleCountries],
        };
        Need::new(self.question.class).and(sections, self.span.from, self.span.to)
    }

    /// Adds a month.
    pub(super) fn add(&mut self, data: &MonthData) {
        let span = self.span;
        span.explain(data, &mut self.reasons);
        let CountryList { question, by_service, countries, services, sources, measured, .. } = self;
        let (addresses, pairs) = (&mut self.addresses, &mut self.pairs);
        span.pieces(data, &mut self.reasons, |summary, days| {
            if let Some(prefix) = question.source {
                if *by_service {
                    let wanted = |service, address| matches(question, service) && prefix.contains(address);
                    pairs.add_pairs(&summary.pairs, wanted);
                } else {
                    addresses.add_sources(&summary.sources, |address| prefix.contains(address));
                }
            } else if measured.note(summary, days) {
                if *by_service {
                    services
                        .add_countries(&summary.countries.services, |service, _| matches(question, service));
                } else {
                    countries.add_countries(&summary.countries.rows);
                }
                sources.add(summary.attempts, summary.distinct, summary.sample.as_ref());
            }
        });
    }

    /// The answer, after the last month.
    pub(super) fn finish(
        mut self,
        lookup: Option<&mut (dyn CountryLookup + '_)>,
    ) -> Result<CountriesAnswer, AnswerError> {
        let mut reasons = std::mem::take(&mut self.reasons);
        let sample = std::mem::take(&mut self.sources).finish().1;
        let (sums, floor) = match (lookup, self.question.source) {
            (Some(lookup), Some(_)) => self.of_sources(lookup),
            (lookup, _) => {
                self.measured.explain(self.question.class, lookup.is_some(), &mut reasons)?;
                if self.by_service { self.of_services(sample.as_ref()) } else { self.of_all(sample.as_ref()) }
            }
        };
        let question = &self.question;
        let mut sums: Vec<Sum> = sums
            .into_iter()
            .filter(|sum| question.country.is_none_or(|code| sum.country == Country(code)))
            .filter(|sum| sum.attempts >= question.min.max(1))
            .collect();
        sums.sort_by_key(|sum| (Reverse(sum.attempts), sum.country));
        sums.truncate(question.limit as usize);
        let missing = sums.iter().map(|sum| sum.low).max().unwrap_or(0);
        let (last, floor) =
            (sums.last().map_or(0, |sum| sum.attempts), if question.country.is_some() { 0 } else { floor });
        LeftOut { what: "countries", floor, missing }.explain(question, sums.len(), last, &mut reasons);
        let row = |sum: Sum| CountryRow {
            country: sum.country.to_string(),
            attempts: sum.attempts,
            unique_sources: sum.distinct.map(|distinct| distinct.number),
            unique_sources_error: sum.distinct.map(|distinct| distinct.error).filter(|error| *error > 0),
        };
        Ok(CountriesAnswer { countries: sums.into_iter().map(row).collect(), completeness: reasons.finish() })
    }

    fn of_all(&self, sample: Option<&Sample<Country>>) -> (Vec<Sum>, u64) {
        let floor = self.countries.floor();
        let row = |sum: &crate::stats::sum::Sum<Country>| {
            let estimate = sample.map(|sample| sample.of_country(sum.key));
            let distinct = sum.distinct(estimate, floor);
            Sum { country: sum.key, attempts: sum.attempts, distinct, low: self.countries.missing(sum) }
        };
        (self.countries.sorted().into_iter().map(row).collect(), floor)
    }

    /// The different sources of several services cannot be added up: some may have tried several.
    fn of_services(&self, sample: Option<&Sample<Country>>) -> (Vec<Sum>, u64) {
        let floor = self.services.floor();
        let mut rows = self.services.sorted();
        rows.sort_by_key(|sum| (sum.key.1, sum.key.0));
        let mut sums: Vec<Sum> = Vec::new();
        for of_country in rows.chunk_by(|a, b| a.key.1 == b.key.1) {
            let country = of_country[0].key.1;
            let estimate =
                sample.map(|sample| sample.of_both(country, |service| matches(&self.question, service)));
            let attempts = of_country.iter().fold(0u64, |sum, row| sum.saturating_add(row.attempts));
            let distinct = match of_country {
                [only] if self.question.port.is_some() && self.question.protocol.is_some() => {
                    only.distinct(estimate, floor)
                }
                [only] if floor == 0 => only.distinct(estimate, floor),
                _ => estimate.map(|estimate| estimate.within(0, attempts)).and_then(Distinct::meaningful),
            };
            let low = of_country.iter().map(|row| self.services.missing(row)).fold(0, u64::saturating_add);
            sums.push(Sum { country, attempts, distinct, low });
        }
        (sums, floor)
    }

    /// The countries of the sources within a prefix, looked up now.
    fn of_sources(&self, lookup: &mut dyn CountryLookup) -> (Vec<Sum>, u64) {
        let floor = if self.by_service { self.pairs.floor() } else { self.addresses.floor() };
        let mut sources: Vec<(Address, u64)> = match self.by_service {
            true => self.pairs.sorted().iter().map(|sum| (sum.key.1, sum.attempts)).collect(),
            false => self.addresses.sorted().iter().map(|sum| (sum.key, sum.attempts)).collect(),
        };
        sources.sort_unstable_by_key(|(address, _)| *address);
        let mut rows: Vec<(Country, u64, u64)> = Vec::new();
        for of_source in sources.chunk_by(|a, b| a.0 == b.0) {
            let country = lookup.country_of(of_source[0].0).unwrap_or(Country::UNKNOWN);
            let attempts = of_source.iter().map(|(_, attempts)| attempts).sum();
            rows.push((country, attempts, 1));
        }
        rows.sort_unstable_by_key(|(country, ..)| *country);
        let sum = |of_country: &[(Country, u64, u64)]| Sum {
            country: of_country[0].0,
            attempts: of_country.iter().map(|(_, attempts, _)| attempts).sum(),
            distinct: (floor == 0).then(|| Distinct::exactly(of_country.len() as u64)),
            low: 0,
        };
        (rows.chunk_by(|a, b| a.0 == b.0).map(sum).collect(), floor)
    }
}
