//! The answers to `services` and `sources`.
//!
//! Takes months, gives rows sorted and cut to the limit, and the reasons why the list may not be complete.

use crate::event::calendar::{Calendar, Date};
use crate::event::services;
use crate::event::{Address, Service};
use crate::query::short::{AddressText, CountryText, InstantText};
use crate::stats::countries::{Country, CountryLookup};
use crate::stats::sample::{Distinct, Sample};
use crate::stats::sum::{Sources, Sum, Table};
use crate::stats::summary::ClassSummary;

use super::AnswerError;
use super::answer::{ServiceRow, ServicesAnswer, SourceRow, SourcesAnswer};
use super::countries::Measured;
use super::history::{MonthData, Need, Section};
use super::question::{MAX_DAILY, Question};
use super::scan::{Reasons, Span, is_about_services, matches};

/// Distinct keys of one question.
pub(super) const MAX_ROWS: usize = 16_384;

pub(super) fn service_row(
    service: Service,
    attempts: u64,
    distinct: Option<Distinct>,
    error: u64,
) -> ServiceRow {
    let known = services::look_up(service.protocol, service.port);
    ServiceRow {
        protocol: services::protocol_name(service.protocol),
        port: Service::has_ports(service.protocol).then_some(service.port),
        name: known.map(|known| known.name.into()),
        wants: known.map(|known| known.wants.into()),
        attempts,
        unique_sources: distinct.map(|distinct| distinct.number),
        unique_sources_error: distinct.map(|distinct| distinct.error).filter(|error| *error > 0),
        error,
        daily: None,
    }
}

/// What was left out of the summaries, so that rows may be missing or too low.
pub(super) struct LeftOut {
    pub what: &'static str,
    /// The most attempts of a key without a row.
    pub floor: u64,
    /// The most that a shown row can be too low.
    pub missing: u64,
}

impl LeftOut {
    pub(super) fn explain(&self, question: &Question, shown: usize, last: u64, reasons: &mut Reasons) {
        let full = shown == question.limit as usize;
        let least = if full { last.saturating_add(1) } else { question.min.max(1) };
        if self.floor >= least {
            reasons.add(format!("{} with up to {} attempts can be missing", self.what, self.floor));
        }
        if self.missing > 0 {
            reasons.add(format!("the attempts of some {} can be up to {} too low", self.what, self.missing));
        }
    }
}

/// Attempts of each day of the range by service.
struct Daily {
    dates: Vec<Date>,
    /// (service, day in `dates`, attempts), as they came.
    counts: Vec<(u32, u32, u64)>,
}

/// The rows of a list of services, with what was left out.
pub(super) struct Listed {
    pub rows: Vec<ServiceRow>,
    /// The days of `daily`.
    pub dates: Option<Vec<Date>>,
    /// The different sources of everything that was added, unless the question is about some sources.
    pub distinct: Option<Distinct>,
}

/// A list of services: of everything, of some sources, or of a country.
pub(super) struct ServiceList {
    question: Question,
    span: Span,
    services: Table<Service>,
    pairs: Table<(Service, Address)>,
    countries: Table<(Service, Country)>,
    sources: Sources,
    measured: Measured,
    daily: Option<Daily>,
    parts: u32,
}

impl ServiceList {
    pub(super) fn new(question: &Question) -> Result<ServiceList, AnswerError> {
        let span = Span::of(question);
        if question.daily && question.source.is_some() {
            return Err(AnswerError::Invalid("daily: not together with a source".into()));
        }
        if question.daily && span.to.0.saturating_sub(span.from.0) >= MAX_DAILY {
            return Err(AnswerError::Invalid(format!(
                "daily: give from and to, at most {MAX_DAILY} days apart"
            )));
        }
        // Only one of them is filled.
        let most = |used: bool| if used { MAX_ROWS } else { 1 };
        Ok(ServiceList {
            span,
            services: Table::new(most(question.source.is_none() && question.country.is_none())),
            pairs: Table::new(most(question.source.is_some())),
            countries: Table::new(most(question.country.is_some())),
            sources: Sources::default(),
            measured: Measured::default(),
            daily: question.daily.then(|| Daily { dates: Vec::new(), counts: Vec::new() }),
            parts: 0,
            question: question.clone(),
        })
    }

    /// The sections that the answer needs, added to those of `need`.
    pub(super) fn need(&self, need: Need) -> Need {
        let rows = match (self.question.source, self.question.country) {
            (Some(_), _) => Section::Pairs,
            (_, Some(_)) => Section::Countries,
            _ => Section::Services,
        };
        let need = need.and(&[rows], self.span.from, self.span.to);
        if self.span.is_single() || self.question.source.is_some() {
            return need;
        }
        let need = need.and(&[Section::Sample, Section::SampleServices], self.span.from, self.span.to);
        match self.question.country {
            Some(_) => need.and(&[Section::SampleCountries], self.span.from, self.span.to),
            None => need,
        }
    }

    /// Adds a month.
    pub(super) fn add(&mut self, data: &MonthData, reasons: &mut Reasons) {
        let ServiceList { question, services, pairs, countries, sources, measured, parts, .. } = self;
        self.span.pieces(data, reasons, |summary, days| {
            *parts += 1;
            if let Some(prefix) = question.source {
                let wanted = |service, address| matches(question, service) && prefix.contains(address);
                pairs.add_pairs(&summary.pairs, wanted);
            } else if let Some(code) = question.country {
                if measured.note(summary, days) {
                    let wanted = |service, country| matches(question, service) && country == Country(code);
                    countries.add_countries(&summary.countries.services, wanted);
                    sources.add(summary.attempts, summary.distinct, summary.sample.as_ref());
                }
            } else {
                services.add_services(&summary.services, |service| matches(question, service));
                sources.add(summary.attempts, summary.distinct, summary.sample.as_ref());
            }
        });
        if let Some(daily) = &mut self.daily {
            for day in self.span.days(data).filter(|_| data.whole.is_none()) {
                let number = daily.dates.len() as u32;
                daily.dates.push(day.date);
                let rows = day.summary.services.rows.iter().filter(|row| matches(question, row.service));
                daily.counts.extend(rows.map(|row| (row.service.to_bits(), number, row.attempts)));
            }
        }
    }

    /// The answer, after the last month.
    pub(super) fn finish(mut self, has_lookup: bool, reasons: &mut Reasons) -> Result<Listed, AnswerError> {
        let question = &self.question;
        let (distinct, sample) = self.sources.finish();
        let sample = sample.filter(Sample::has_services);
        let by_service = sample.as_ref().map(Sample::by_service);
        let mut rows: Vec<(Service, ServiceRow)> = Vec::new();
        let mut missing = 0;
        let mut take = |service, attempts, distinct, error, low: u64| {
            if attempts >= question.min && rows.len() < question.limit as usize {
                rows.push((service, service_row(service, attempts, distinct, error)));
                missing = missing.max(low);
            }
        };
        let floor = if let Some(prefix) = question.source {
            let mut sums: Vec<(Service, u64, u64, u64)> = Vec::new();
            self.pairs.sort_by_key(|sum| sum.key);
            for sum in self.pairs.rows() {
                let low = self.pairs.missing(sum);
                match sums.last_mut().filter(|known| known.0 == sum.key.0) {
                    Some(known) => {
                        *known = (known.0, known.1 + sum.attempts, known.2 + sum.error, known.3 + low);
                    }
                    None => sums.push((sum.key.0, sum.attempts, sum.error, low)),
                }
            }
            sums.sort_by_key(|(service, attempts, ..)| (std::cmp::Reverse(*attempts), *service));
            let distinct = prefix.is_single().then_some(Distinct::exactly(1));
            sums.into_iter().for_each(|(service, attempts, error, low)| {
                take(service, attempts, distinct, error, low);
            });
            self.pairs.floor()
        } else if let Some(code) = question.country {
            self.measured.explain(question.class, has_lookup, reasons)?;
            let floor = self.countries.floor();
            // Counting the sampled sources of a pair takes a walk through the sample: for those that are shown.
            self.countries.sort();
            let shown = self.countries.rows().iter().filter(|sum| sum.attempts >= question.min);
            for sum in shown.take(question.limit as usize) {
                let service = sum.key.0;
                let of_both =
                    |sample: &Sample<Country>| sample.of_both(Country(code), |known| known == service);
                let estimate = sample.as_ref().map(of_both);
                take(
                    service,
                    sum.attempts,
                    sum.distinct(estimate, floor),
                    sum.error,
                    self.countries.missing(sum),
                );
            }
            floor
        } else {
            let floor = self.services.floor();
            self.services.sort();
            for sum in self.services.rows() {
                let estimate = by_service.as_ref().map(|by_service| by_service.of(sum.key));
                take(
                    sum.key,
                    sum.attempts,
                    sum.distinct(estimate, floor),
                    sum.error,
                    self.services.missing(sum),
                );
            }
            floor
        };
        let last = rows.last().map_or(0, |(_, row)| row.attempts);
        LeftOut { what: "services", floor, missing }.explain(question, rows.len(), last, reasons);
        if let Some(Daily { dates, counts }) = self.daily {
            for (service, row) in &mut rows {
                let mut days = vec![0; dates.len()];
                for (_, day, attempts) in counts.iter().filter(|(known, ..)| *known == service.to_bits()) {
                    days[*day as usize] = *attempts;
                }
                row.daily = Some(days);
            }
            let rows = rows.into_iter().map(|(_, row)| row).collect();
            return Ok(Listed { rows, dates: Some(dates), distinct });
        }
        Ok(Listed { rows: rows.into_iter().map(|(_, row)| row).collect(), dates: None, distinct })
    }
}

pub(super) fn services_answer(
    list: ServiceList,
    has_lookup: bool,
    mut reasons: Reasons,
) -> Result<ServicesAnswer, AnswerError> {
    let Listed { rows: services, dates, .. } = list.finish(has_lookup, &mut reasons)?;
    Ok(ServicesAnswer { services, dates, advice: None, completeness: reasons.finish() })
}

/// A list of sources: of everything, or of some services.
pub(super) struct SourceList {
    question: Question,
    span: Span,
    by_service: bool,
    sources: Table<Address>,
    pairs: Table<(Service, Address)>,
}

impl SourceList {
    pub(super) fn new(question: &Question) -> SourceList {
        let by_service = is_about_services(question);
        SourceList {
            span: Span::of(question),
            by_service,
            sources: Table::new(if by_service { 1 } else { MAX_ROWS }),
            pairs: Table::new(if by_service { MAX_ROWS } else { 1 }),
            question: question.clone(),
        }
    }

    /// The sections that the answer needs, added to those of `need`.
    pub(super) fn need(&self, need: Need) -> Need {
        let rows = if self.by_service { Section::Pairs } else { Section::Sources };
        need.and(&[rows], self.span.from, self.span.to)
    }

    /// Adds a month.
    pub(super) fn add(&mut self, data: &MonthData, reasons: &mut Reasons) {
        let SourceList { question, by_service, sources, pairs, .. } = self;
        let wanted = |address: Address| question.source.is_none_or(|prefix| prefix.contains(address));
        self.span.pieces(data, reasons, |summary: &ClassSummary, _| {
            if *by_service {
                let wanted = |service, address| matches(question, service) && wanted(address);
                pairs.add_pairs(&summary.pairs, wanted);
            } else {
                sources.add_sources(&summary.sources, wanted);
            }
        });
    }

    /// Of some services: sources with attempts, error and what can be missing, heaviest first.
    fn sums_of_pairs(&mut self) -> Vec<(Sum<Address>, u64)> {
        self.pairs.sort_by_key(|sum| (sum.key.1, sum.key.0));
        let mut sums: Vec<(Sum<Address>, u64)> = Vec::new();
        for pair in self.pairs.rows() {
            let low = self.pairs.missing(pair);
            match sums.last_mut().filter(|(sum, _)| sum.key == pair.key.1) {
                Some((sum, missing)) => {
                    sum.attempts = sum.attempts.saturating_add(pair.attempts);
                    sum.error = sum.error.saturating_add(pair.error);
                    *missing = missing.saturating_add(low);
                }
                None => sums.push((Sum::of(pair.key.1, pair.attempts, pair.error), low)),
            }
        }
        sums.sort_unstable_by_key(|(sum, _)| (std::cmp::Reverse(sum.attempts), sum.key));
        sums
    }

    /// Visits the sources in the order of their addresses, with their attempts, what these can be too high left out. Gives
    /// the most attempts of a source that is not visited.
    pub(super) fn each_by_address(mut self, visit: &mut dyn FnMut(Address, u64)) -> u64 {
        let mut visit = |sum: &Sum<Address>| visit(sum.key, sum.attempts.saturating_sub(sum.error));
        if self.by_service {
            let mut sums = self.sums_of_pairs();
            sums.sort_unstable_by_key(|(sum, _)| sum.key);
            sums.iter().for_each(|(sum, _)| visit(sum));
            return self.pairs.floor();
        }
        self.sources.sort_by_key(|sum| sum.key);
        self.sources.rows().iter().for_each(visit);
        self.sources.floor()
    }

    /// The answer, after the last month.
    pub(super) fn finish(
        mut self,
        calendar: &Calendar,
        mut lookup: Option<&mut (dyn CountryLookup + '_)>,
        reasons: &mut Reasons,
    ) -> Vec<SourceRow> {
        let of_pairs = if self.by_service { self.sums_of_pairs() } else { Vec::new() };
        let (question, is_single) = (&self.question, self.span.is_single());
        let (mut rows, mut missing) = (Vec::new(), 0);
        // False where no further row is wanted.
        let mut take = |sum: &Sum<Address>, low: u64| {
            if sum.attempts < question.min || rows.len() >= question.limit as usize {
                return false;
            }
            let country = lookup.as_deref_mut().and_then(|lookup| lookup.country_of(sum.key));
            if question.country.is_none_or(|code| country == Some(Country(code))) {
                missing = missing.max(low);
                let row = source_row(sum, low, is_single, calendar);
                rows.push(SourceRow { country: country.map(CountryText::of), ..row });
            }
            true
        };
        let floor = if self.by_service {
            of_pairs.iter().all(|(sum, low)| take(sum, *low));
            self.pairs.floor()
        } else {
            self.sources.sort();
            self.sources.rows().iter().all(|sum| take(sum, self.sources.missing(sum)));
            self.sources.floor()
        };
        let last = rows.last().map_or(0, |row: &SourceRow| row.attempts);
        LeftOut { what: "sources", floor, missing }.explain(question, rows.len(), last, reasons);
        rows
    }
}

/// The instant of a source's first or last attempt. Minutes and hours are forgotten with time: midnight sharp stands
/// for a day of which no hour is known, and is told as the date alone.
fn seen(time: i64, calendar: &Calendar) -> InstantText {
    let instant = calendar.rfc3339(time);
    match instant.split_once('T') {
        Some((date, clock)) if clock.starts_with("00:00:00") => InstantText::of(date),
        _ => InstantText::of(instant),
    }
}

pub(super) fn source_row(sum: &Sum<Address>, low: u64, single: bool, calendar: &Calendar) -> SourceRow {
    let known = sum.first <= sum.last;
    let services = sum.single().filter(|_| low == 0 || single);
    SourceRow {
        address: AddressText::of(sum.key),
        attempts: sum.attempts,
        error: sum.error,
        services: services.map(|distinct| distinct.number),
        first_seen: known.then(|| seen(sum.first, calendar)),
        last_seen: known.then(|| seen(sum.last, calendar)),
        country: None,
        asn: None,
        blocked: None,
    }
}

pub(super) fn sources_answer(
    list: SourceList,
    calendar: &Calendar,
    lookup: Option<&mut (dyn CountryLookup + '_)>,
    mut reasons: Reasons,
) -> SourcesAnswer {
    let sources = list.finish(calendar, lookup, &mut reasons);
    SourcesAnswer { sources, completeness: reasons.finish() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_of_which_only_the_day_is_known_is_a_date() {
        let calendar = Calendar::new("JST-9").unwrap();
        // 2020-04-06 00:00:00 in Japan.
        let midnight = 1_586_098_800;
        assert_eq!(&*seen(midnight, &calendar), "2020-04-06");
        assert_eq!(&*seen(midnight + 1, &calendar), "2020-04-06T00:00:01+09:00");
        assert_eq!(&*seen(midnight + 3600, &calendar), "2020-04-06T01:00:00+09:00");
    }
}
