//! The answer to `countries`: attempts and different sources, of everything, a service or a source. Takes months, gives
//! rows.

use super::answer::{CountriesAnswer, CountryRow};
use super::history::{MonthData, Need, Section};
use super::lists::{Listed, SourceList, cut};
use super::question::Question;
use super::scan::{Collect, Context, Reasons, Span, is_about_services, matches};
use super::{Answer, AnswerError, Problem};
use crate::event::Service;
use crate::stats::countries::{Country, CountryLookup};
use crate::stats::heavy::Key;
use crate::stats::sample::Distinct;
use crate::stats::sum::{Sources, Sum, Table};
use crate::stats::summary::ClassSummary;

/// The reason of an incomplete answer.
pub(super) const NO_DATABASE: &str = "no country database";

/// How much of a range has countries.
#[derive(Default)]
pub(super) struct Measured {
    /// Days with attempts that were counted without a country database.
    pub days_without: u32,
    pub days_with: u32,
    /// Attempts of sources that were evicted from full tables.
    unplaced: u64,
}

impl Measured {
    /// Adds a part of the range. False if it has no countries.
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

    /// An error if nothing has countries, else the reasons for what is missing.
    pub(super) fn explain(&self, context: &mut Context<'_>) -> Result<(), AnswerError> {
        let not_found = |why: &str| Err((Problem::NotFound, why.into()));
        let (installed, reasons) = (context.lookup.is_some(), &mut context.reasons);
        match (self.days_with, self.days_without) {
            (0, _) if installed && !context.question.class.has_countries() => {
                return not_found("countries are looked up of attempts and failed logins only");
            }
            (0, _) if !installed => return not_found(NO_DATABASE),
            (0, 1..) => {
                return not_found(
                    "the countries of these days were not measured: there was no country database when they ended",
                );
            }
            (_, 0) => {}
            (_, days) => reasons
                .add(format!("{days} days are left out: there was no country database when they ended")),
        }
        if self.unplaced > 0 {
            reasons
                .add(format!("the countries of {} attempts are not known: too many sources", self.unplaced));
        }
        Ok(())
    }
}

/// The row of a country whose attempts may be too low by `low`.
fn country_row(country: Country, attempts: u64, distinct: Option<Distinct>, low: u64) -> Listed<CountryRow> {
    let row = CountryRow {
        country: country.to_string(),
        attempts,
        unique_sources: distinct.map(|distinct| distinct.number),
        unique_sources_error: distinct.map(|distinct| distinct.error).filter(|error| *error > 0),
    };
    (row, attempts, low)
}

/// Collects the answer to `countries`. Only one of the tables is filled.
#[derive(Default)]
pub(super) struct CountryList {
    countries: Table<Country>,
    services: Table<(Service, Country)>,
    sources: Sources,
    measured: Measured,
    /// The sources within a prefix, whose countries are looked up for the answer.
    of_prefix: Option<SourceList>,
}

impl CountryList {
    /// Adds what it needs to `need`.
    pub(super) fn new(question: &Question, need: &mut Need) -> CountryList {
        let span = Span::of(question);
        let of_prefix = question.source.map(|_| SourceList::new(question, need));
        let sections: &[Section] = match is_about_services(question) {
            _ if of_prefix.is_some() => &[],
            _ if span.is_single() => &[Section::Countries],
            true => &[Section::Countries, Section::Sample, Section::SampleCountries, Section::SampleServices],
            false => &[Section::Countries, Section::Sample, Section::SampleCountries],
        };
        need.add(sections, span);
        CountryList { of_prefix, ..CountryList::default() }
    }
}

/// The rows of countries, from a table that is sorted by them or (`is_single`) has one row of each. The different sources of
/// several services cannot be added up: some may have tried several.
fn by_country<K: Key>(
    table: &Table<K>,
    country_of: fn(&K) -> Country,
    is_single: bool,
    estimate: impl Fn(Country) -> Option<Distinct>,
) -> Vec<Listed<CountryRow>> {
    let floor = table.floor();
    let of_country = |rows: &[Sum<K>]| {
        let country = country_of(&rows[0].key);
        let estimate = estimate(country);
        let attempts = rows.iter().fold(0u64, |sum, row| sum.saturating_add(row.attempts));
        let distinct = match rows {
            [only] if is_single || floor == 0 => only.distinct(estimate, floor),
            _ => estimate.map(|estimate| estimate.within(0, attempts)).and_then(Distinct::meaningful),
        };
        let low = rows.iter().map(|row| table.missing(row)).fold(0, u64::saturating_add);
        country_row(country, attempts, distinct, low)
    };
    table.rows().chunk_by(|a, b| country_of(&a.key) == country_of(&b.key)).map(of_country).collect()
}

/// The countries of sources.
fn looked_up(sources: SourceList, lookup: &mut dyn CountryLookup) -> Vec<Listed<CountryRow>> {
    let floor = sources.floor();
    let mut rows: Vec<(Country, u64)> = Vec::new();
    sources.each_by_address(&mut |sum| {
        rows.push((lookup.country_of(sum.key).unwrap_or(Country::UNKNOWN), sum.attempts));
    });
    rows.sort_unstable();
    let of_country = |rows: &[(Country, u64)]| {
        let attempts = rows.iter().map(|(_, attempts)| attempts).sum();
        country_row(rows[0].0, attempts, (floor == 0).then(|| Distinct::exactly(rows.len() as u64)), 0)
    };
    rows.chunk_by(|a, b| a.0 == b.0).map(of_country).collect()
}

impl Collect for CountryList {
    fn add(&mut self, question: &Question, data: &MonthData, reasons: &mut Reasons) {
        let CountryList { countries, services, sources, measured, of_prefix } = self;
        if let Some(of_prefix) = of_prefix {
            return of_prefix.add(question, data, reasons);
        }
        Span::of(question).pieces(data, reasons, |summary, days| {
            if !measured.note(summary, days) {
                return;
            }
            if is_about_services(question) {
                services.add(&summary.countries.services, |(service, _)| matches(question, service));
            } else {
                countries.add(&summary.countries.rows, |_| true);
            }
            sources.add(summary.attempts, summary.distinct, summary.sample.as_ref());
        });
    }

    fn finish(mut self: Box<Self>, context: &mut Context<'_>) -> Result<Answer, AnswerError> {
        let question = context.question;
        let sample = std::mem::take(&mut self.sources).finish().1;
        let mut floor = self.countries.floor().max(self.services.floor());
        let mut list = match (context.lookup.as_deref_mut(), self.of_prefix.take()) {
            (Some(lookup), Some(sources)) => {
                floor = sources.floor();
                looked_up(sources, lookup)
            }
            _ => {
                self.measured.explain(context)?;
                let sample = sample.as_ref();
                if is_about_services(question) {
                    let is_single = question.port.is_some() && question.protocol.is_some();
                    let fits = |service| matches(question, service);
                    let estimate = |country| sample.map(|sample| sample.of_both(country, fits));
                    self.services.sort_by_key(|sum| (sum.key.1, sum.key.0));
                    by_country(&self.services, |key| key.1, is_single, estimate)
                } else {
                    let estimate = |country| sample.map(|sample| sample.of_country(country));
                    by_country(&self.countries, |key| *key, true, estimate)
                }
            }
        };
        if let Some(code) = question.country {
            list.retain(|(row, ..)| row.country == Country(code).to_string());
            floor = 0;
        }
        list.retain(|(_, attempts, _)| *attempts > 0);
        list.sort_unstable_by(|(a, ..), (b, ..)| b.attempts.cmp(&a.attempts).then(a.country.cmp(&b.country)));
        let countries = cut(list.into_iter(), "countries", floor, question, &mut context.reasons);
        Ok(Answer::Countries(CountriesAnswer { countries, ..CountriesAnswer::default() }))
    }
}
