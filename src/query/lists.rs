//! The answers to `services` and `sources`.
//!
//! Takes months, gives rows sorted and cut to the limit, and the reasons why the list may not be complete.

use std::cmp::Reverse;

use super::answer::{ServiceRow, ServicesAnswer, SourceRow, SourcesAnswer};
use super::asns::network_of;
use super::countries::Measured;
use super::history::{MonthData, Need, Section};
use super::question::Question;
use super::scan::{Collect, Context, Reasons, Span, is_about_services, matches};
use super::{Answer, AnswerError};
use crate::event::calendar::{Calendar, Date};
use crate::event::services;
use crate::event::{Address, Service};
use crate::stats::countries::Country;
use crate::stats::heavy::Key;
use crate::stats::sample::{Distinct, Sample};
use crate::stats::sum::{Sources, Sum, Table};

/// A row with the service's names.
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

/// A sum, its attempts, and by how much these may be too low.
pub(super) type Listed<T> = (T, u64, u64);

/// The rows of a table, in its order.
pub(super) fn rows<K: Key>(table: &Table<K>) -> impl Iterator<Item = Listed<Sum<K>>> {
    table.rows().iter().map(|sum| (*sum, sum.attempts, table.missing(sum)))
}

/// Cuts a list, most attempts first, by the question's `min` and `limit`, and adds the reasons why rows may be missing
/// or too low. `floor`: the most attempts of a key that is not in the list.
pub(super) fn cut<T>(
    list: impl Iterator<Item = Listed<T>>,
    what: &str,
    floor: u64,
    question: &Question,
    reasons: &mut Reasons,
) -> Vec<T> {
    let list = list.take_while(|(_, attempts, _)| *attempts >= question.min);
    let list: Vec<Listed<T>> = list.take(question.limit as usize).collect();
    let least = match list.last() {
        Some((_, last, _)) if list.len() == question.limit as usize => last.saturating_add(1),
        _ => question.min.max(1),
    };
    if floor >= least {
        reasons.add(format!("{what} with up to {floor} attempts can be missing"));
    }
    let missing = list.iter().map(|(.., low)| *low).max().unwrap_or(0);
    if missing > 0 {
        reasons.add(format!("the attempts of some {what} can be up to {missing} too low"));
    }
    list.into_iter().map(|(row, ..)| row).collect()
}

/// Sums of pairs by one of their keys, most attempts first.
fn summed<K: Copy + Ord>(
    mut pairs: Table<(Service, Address)>,
    part: fn(&Sum<(Service, Address)>) -> K,
) -> impl Iterator<Item = Listed<Sum<K>>> {
    pairs.sort_by_key(part);
    let mut sums: Vec<(Sum<K>, u64)> = Vec::new();
    for (pair, attempts, low) in rows(&pairs) {
        match sums.last_mut().filter(|(sum, _)| sum.key == part(&pair)) {
            Some((sum, missing)) => {
                sum.attempts = sum.attempts.saturating_add(attempts);
                sum.error = sum.error.saturating_add(pair.error);
                *missing = missing.saturating_add(low);
            }
            None => sums.push((Sum::of(part(&pair), attempts, pair.error), low)),
        }
    }
    sums.sort_unstable_by_key(|(sum, _)| (Reverse(sum.attempts), sum.key));
    sums.into_iter().map(|(sum, low)| (sum, sum.attempts, low))
}

/// The services of each day of the range with their attempts.
type Daily = Vec<(Date, Vec<(Service, u64)>)>;

/// A list of services: of everything, of some sources, or of a country. Only one of the tables is filled.
#[derive(Default)]
pub(super) struct ServiceList {
    services: Table<Service>,
    pairs: Table<(Service, Address)>,
    countries: Table<(Service, Country)>,
    sources: Sources,
    measured: Measured,
    daily: Option<Daily>,
}

impl ServiceList {
    /// Adds what it needs to `need`.
    pub(super) fn new(question: &Question, need: &mut Need) -> ServiceList {
        let span = Span::of(question);
        let sections: &[Section] = match (question.source, question.country) {
            (Some(_), _) => &[Section::Pairs],
            (None, Some(_)) if span.is_single() => &[Section::Countries],
            (None, Some(_)) => {
                &[Section::Countries, Section::Sample, Section::SampleServices, Section::SampleCountries]
            }
            (None, None) if span.is_single() => &[Section::Services],
            (None, None) => &[Section::Services, Section::Sample, Section::SampleServices],
        };
        need.add(sections, span);
        ServiceList { daily: question.daily.then(Vec::new), ..ServiceList::default() }
    }

    /// The answer's rows and dates; and the different sources of all services.
    pub(super) fn answer(
        mut self,
        context: &mut Context<'_>,
    ) -> Result<(ServicesAnswer, Option<Distinct>), AnswerError> {
        let question = context.question;
        let (distinct, sample) = self.sources.finish();
        let sample = sample.filter(Sample::has_services);
        let of_day = |day: &[(Service, u64)], wanted| {
            day.iter().find(|(service, _)| *service == wanted).map_or(0, |(_, attempts)| *attempts)
        };
        let of_days = |service| {
            let days = self.daily.as_ref()?;
            Some(days.iter().map(|(_, day)| of_day(day, service)).collect())
        };
        let mut services = Vec::new();
        let mut push = |service, attempts, distinct, error| {
            let row = service_row(service, attempts, distinct, error);
            services.push(ServiceRow { daily: of_days(service), ..row });
        };
        if let Some(prefix) = question.source {
            let (floor, distinct) = (self.pairs.floor(), prefix.is_single().then_some(Distinct::exactly(1)));
            let sums = summed(self.pairs, |sum| sum.key.0);
            for sum in cut(sums, "services", floor, question, &mut context.reasons) {
                push(sum.key, sum.attempts, distinct, sum.error);
            }
        } else if let Some(code) = question.country {
            self.measured.explain(context)?;
            let floor = self.countries.floor();
            self.countries.sort();
            for sum in cut(rows(&self.countries), "services", floor, question, &mut context.reasons) {
                let service = sum.key.0;
                let of_both =
                    |sample: &Sample<Country>| sample.of_both(Country(code), |known| known == service);
                let estimate = sample.as_ref().map(of_both);
                push(service, sum.attempts, sum.distinct(estimate, floor), sum.error);
            }
        } else {
            let by_service = sample.as_ref().map(Sample::by_service);
            let floor = self.services.floor();
            self.services.sort();
            for sum in cut(rows(&self.services), "services", floor, question, &mut context.reasons) {
                let estimate = by_service.as_ref().map(|by_service| by_service.of(sum.key));
                push(sum.key, sum.attempts, sum.distinct(estimate, floor), sum.error);
            }
        }
        let dates = self.daily.as_ref().map(|days| days.iter().map(|(date, _)| *date).collect());
        Ok((ServicesAnswer { services, dates, ..ServicesAnswer::default() }, distinct))
    }
}

impl Collect for ServiceList {
    fn add(&mut self, question: &Question, data: &MonthData, reasons: &mut Reasons) {
        let span = Span::of(question);
        let ServiceList { services, pairs, countries, sources, measured, daily } = self;
        span.pieces(data, reasons, |summary, days| {
            if let Some(prefix) = question.source {
                let wanted = |(service, address)| matches(question, service) && prefix.contains(address);
                return pairs.add(&summary.pairs, wanted);
            }
            if let Some(code) = question.country {
                if !measured.note(summary, days) {
                    return;
                }
                let wanted = |(service, country)| matches(question, service) && country == Country(code);
                countries.add(&summary.countries.services, wanted);
            } else {
                services.add(&summary.services, |service| matches(question, service));
            }
            sources.add(summary.attempts, summary.distinct, summary.sample.as_ref());
        });
        if let Some(daily) = daily {
            for day in span.days(data).filter(|_| data.whole.is_none()) {
                let rows =
                    day.class(data.class).services.rows.iter().filter(|row| matches(question, row.service));
                daily.push((day.date, rows.map(|row| (row.service, row.attempts)).collect()));
            }
        }
    }

    fn finish(self: Box<Self>, context: &mut Context<'_>) -> Result<Answer, AnswerError> {
        self.answer(context).map(|(answer, _)| Answer::Services(answer))
    }
}

/// A list of sources: of everything, or of some services. Only one of the tables is filled.
#[derive(Default)]
pub(super) struct SourceList {
    sources: Table<Address>,
    pairs: Table<(Service, Address)>,
}

impl SourceList {
    /// Adds what it needs to `need`.
    pub(super) fn new(question: &Question, need: &mut Need) -> SourceList {
        let rows = if is_about_services(question) { Section::Pairs } else { Section::Sources };
        need.add(&[rows], Span::of(question));
        SourceList::default()
    }

    /// The most attempts of a source that is not in the list.
    pub(super) fn floor(&self) -> u64 {
        self.pairs.floor().saturating_add(self.sources.floor())
    }

    /// Visits the sources in the order of their addresses.
    pub(super) fn each_by_address(mut self, visit: &mut dyn FnMut(&Sum<Address>)) {
        let mut of_pairs: Vec<Sum<Address>> =
            summed(self.pairs, |sum| sum.key.1).map(|(sum, ..)| sum).collect();
        of_pairs.sort_unstable_by_key(|sum| sum.key);
        self.sources.sort_by_key(|sum| sum.key);
        of_pairs.iter().chain(self.sources.rows()).for_each(visit);
    }

    /// The rows.
    pub(super) fn rows(mut self, context: &mut Context<'_>) -> Vec<SourceRow> {
        let question = context.question;
        let floor = self.floor();
        self.sources.sort();
        let list = summed(self.pairs, |sum| sum.key.1).chain(rows(&self.sources));
        // The countries of further ones are not looked up.
        let list = list.take_while(|(_, attempts, _)| *attempts >= question.min);
        let list = list.filter_map(|(sum, attempts, low)| {
            let country = context.lookup.as_deref_mut().and_then(|lookup| lookup.country_of(sum.key));
            let is_wanted = question.country.is_none_or(|code| country == Some(Country(code)));
            is_wanted.then_some(((sum, low, country), attempts, low))
        });
        let list = cut(list, "sources", floor, question, &mut context.reasons);
        let row = |(sum, low, country): (Sum<Address>, u64, Option<Country>)| SourceRow {
            country: country.map(|country| country.to_string()),
            asn: network_of(context, sum.key).map(|network| network.number),
            ..source_row(&sum, low, question, context.calendar)
        };
        list.into_iter().map(row).collect()
    }
}

impl Collect for SourceList {
    fn add(&mut self, question: &Question, data: &MonthData, reasons: &mut Reasons) {
        let wanted = |address: Address| question.source.is_none_or(|prefix| prefix.contains(address));
        Span::of(question).pieces(data, reasons, |summary, _| {
            if is_about_services(question) {
                let wanted = |(service, address)| matches(question, service) && wanted(address);
                self.pairs.add(&summary.pairs, wanted);
            } else {
                self.sources.add(&summary.sources, wanted);
            }
        });
    }

    fn finish(self: Box<Self>, context: &mut Context<'_>) -> Result<Answer, AnswerError> {
        let sources = self.rows(context);
        Ok(Answer::Sources(SourcesAnswer { sources, ..SourcesAnswer::default() }))
    }
}

/// The time of a source's first or last attempt. Older data has only the day, stored as midnight and shown as a date.
fn seen(time: i64, calendar: &Calendar) -> String {
    let instant = calendar.rfc3339(time);
    match instant.split_once('T') {
        Some((date, clock)) if clock.starts_with("00:00:00") => date.to_string(),
        _ => instant,
    }
}

/// The row of a source whose attempts may be too low by `low`.
pub(super) fn source_row(
    sum: &Sum<Address>,
    low: u64,
    question: &Question,
    calendar: &Calendar,
) -> SourceRow {
    let known = sum.first <= sum.last;
    let services = sum.single().filter(|_| low == 0 || Span::of(question).is_single());
    SourceRow {
        address: sum.key.to_string(),
        attempts: sum.attempts,
        error: sum.error,
        services: services.map(|distinct| distinct.number),
        first_seen: known.then(|| seen(sum.first, calendar)),
        last_seen: known.then(|| seen(sum.last, calendar)),
        ..SourceRow::default()
    }
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
