//! The answers that are lists of services or sources.

use std::collections::HashMap;

use crate::calendar::Calendar;
use crate::event::{Address, Service};
use crate::services;
use crate::short::{AddressText, CountryText, InstantText};
use crate::stats::countries::{Atlas, Country};
use crate::stats::range::{Range, Sum};
use crate::stats::uniques::Uniques;

use super::AnswerError;
use super::answer::{Completeness, ServiceRow, ServicesAnswer, SourceAnswer, SourceRow, SourcesAnswer};
use super::countries::{Measured, NO_DATABASE};
use super::daily;
use super::history::History;
use super::periods;
use super::question::Question;
use super::walk::{Reasons, Span, is_about_services, matches, walk, walk_joined, walk_measured};

pub fn service_row(service: Service, attempts: u64, unique: Option<u64>, error: u64) -> ServiceRow {
    let known = services::look_up(service.protocol, service.port);
    ServiceRow {
        protocol: services::protocol_name(service.protocol),
        port: Service::has_ports(service.protocol).then_some(service.port),
        name: known.map(|known| known.name.into()),
        wants: known.map(|known| known.wants.into()),
        attempts,
        unique_sources: unique,
        unique_sources_error: None,
        error,
        daily: None,
    }
}

/// What was left out of the summaries, so that rows may be missing or too low.
struct LeftOut {
    what: &'static str,
    /// The most that a key without a row can have.
    floor: u64,
    /// The most that a shown row can be too low.
    missing: u64,
}

impl LeftOut {
    fn explain(&self, question: &Question, shown: usize, last: u64, reasons: &mut Reasons) {
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

pub fn services(
    question: &Question,
    history: &mut dyn History,
    span: &Span,
    has_atlas: bool,
) -> Result<ServicesAnswer, AnswerError> {
    let mut reasons = Reasons::default();
    let mut services = match question.country {
        Some(code) => services_of_country(question, history, span, Country(code), has_atlas, &mut reasons)?,
        None => service_rows(question, history, span, &mut reasons),
    };
    let dates = match question.daily {
        true => Some(daily::add(question, history, span, &mut services, &mut reasons)?),
        false => None,
    };
    Ok(ServicesAnswer { services, dates, advice: None, completeness: Completeness::from_reasons(&reasons.0) })
}

/// What sources of one country tried.
fn services_of_country(
    question: &Question,
    history: &mut dyn History,
    span: &Span,
    country: Country,
    has_atlas: bool,
    reasons: &mut Reasons,
) -> Result<Vec<ServiceRow>, AnswerError> {
    let mut measured = Measured::default();
    let mut sums: HashMap<Service, (u64, Option<u64>)> = HashMap::new();
    let (mut floor, mut parts) = (0u64, 0);
    walk_measured(history, span, question.class, reasons, &mut |piece| {
        let kept = piece.class(question.class);
        if !measured.note(kept, piece.days()) || kept.attempts == 0 {
            return;
        }
        parts += 1;
        floor = floor.saturating_add(kept.countries.service_floor);
        for row in kept.countries.services.iter().filter(|row| row.country == country) {
            let sum = sums.entry(row.service).or_default();
            *sum = (sum.0.saturating_add(row.attempts), row.unique.number());
        }
    });
    measured.explain(question.class, has_atlas, reasons)?;
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_unstable_by_key(|(service, (attempts, _))| (std::cmp::Reverse(*attempts), *service));
    let wanted = |(service, (attempts, _)): &(Service, (u64, _))| {
        matches(question, *service) && *attempts >= question.min
    };
    let row = |(service, (attempts, unique)): (Service, (u64, Option<u64>))| {
        service_row(service, attempts, unique.filter(|_| parts == 1), 0)
    };
    let rows: Vec<ServiceRow> =
        sums.into_iter().filter(wanted).take(question.limit as usize).map(row).collect();
    let last = rows.last().map_or(0, |row| row.attempts);
    let missing = if parts > 1 { floor } else { 0 };
    LeftOut { what: "services", floor, missing }.explain(question, rows.len(), last, reasons);
    Ok(rows)
}

pub fn service_rows(
    question: &Question,
    history: &mut dyn History,
    span: &Span,
    reasons: &mut Reasons,
) -> Vec<ServiceRow> {
    let mut range = Range::new();
    let by_source = question.source;
    walk(history, span, reasons, &mut |piece| {
        let kept = piece.class(question.class);
        if by_source.is_some() { range.add_pairs(kept) } else { range.add_services(kept) }
    });
    let mut rows = Vec::new();
    let mut shown = Vec::new();
    let mut missing = 0;
    let mut take = |service: Service, attempts: u64, unique: Option<u64>, error: u64, low: u64| {
        if matches(question, service) && attempts >= question.min && rows.len() < question.limit as usize {
            rows.push(service_row(service, attempts, unique, error));
            shown.push(service);
            missing = missing.max(low);
        }
    };
    let single = span.from == span.to;
    let floor = match by_source {
        None => {
            for (sum, low) in range.services() {
                take(sum.key, sum.count, sum.different.filter(|_| single), sum.error, low);
            }
            range.service_floor()
        }
        Some(prefix) => {
            let mut sums: HashMap<u32, (u64, u64, u64)> = HashMap::new();
            for (sum, low) in range.pairs().iter().filter(|(sum, _)| prefix.contains(sum.key.address)) {
                let entry = sums.entry(sum.key.service).or_default();
                *entry = (entry.0 + sum.count, entry.1 + sum.error, entry.2 + low);
            }
            let mut sums: Vec<_> = sums.into_iter().collect();
            sums.sort_unstable_by_key(|(service, (count, ..))| (std::cmp::Reverse(*count), *service));
            for (service, (count, error, low)) in sums {
                let unique = prefix.is_single().then_some(1);
                take(Service::from_bits(service), count, unique, error, low);
            }
            range.pair_floor()
        }
    };
    if by_source.is_none() && !single {
        add_unique(question, history, span, &mut rows, &shown);
    }
    let last = rows.last().map_or(0, |row| row.attempts);
    LeftOut { what: "services", floor, missing }.explain(question, rows.len(), last, reasons);
    rows
}

/// Tells the different sources of services over several days or months.
fn add_unique(
    question: &Question,
    history: &mut dyn History,
    span: &Span,
    rows: &mut [ServiceRow],
    shown: &[Service],
) {
    let mut wanted = shown.to_vec();
    wanted.sort_unstable();
    let mut uniques = Uniques::default();
    walk_joined(history, span, true, &mut |piece| {
        uniques.add(piece.class(question.class), &|service| wanted.binary_search(&service).is_ok());
    });
    for (row, service) in rows.iter_mut().zip(shown) {
        let told = uniques.of(*service);
        row.unique_sources = told.unique.number();
        row.unique_sources_error = (told.error > 0).then_some(told.error);
    }
}

/// The instant of a source's first or last attempt. Minutes and hours are forgotten with time: midnight sharp stands
/// for a day of which no hour is known, and is told as the date alone.
fn seen(time: u32, calendar: &Calendar) -> InstantText {
    let instant = calendar.rfc3339(i64::from(time));
    match instant.split_once('T') {
        Some((date, clock)) if clock.starts_with("00:00:00") => InstantText::of(date),
        _ => InstantText::of(instant),
    }
}

fn source_row(address: Address, sum: &Sum<Address>, low: u64, span: &Span, calendar: &Calendar) -> SourceRow {
    let known = sum.first <= sum.last;
    let single = span.from == span.to;
    SourceRow {
        address: AddressText::of(address),
        attempts: sum.count,
        error: sum.error,
        services: sum.different.filter(|_| sum.present == 1 && (low == 0 || single)),
        first_seen: known.then(|| seen(sum.first, calendar)),
        last_seen: known.then(|| seen(sum.last, calendar)),
        country: None,
        blocked: None,
    }
}

pub fn sources(
    question: &Question,
    history: &mut dyn History,
    span: &Span,
    calendar: &Calendar,
    atlas: Option<&mut (dyn Atlas + '_)>,
) -> Result<SourcesAnswer, AnswerError> {
    let mut reasons = Reasons::default();
    let sources = source_rows(question, history, span, (calendar, atlas), &mut reasons)?;
    Ok(SourcesAnswer { sources, completeness: Completeness::from_reasons(&reasons.0) })
}

pub fn source_rows(
    question: &Question,
    history: &mut dyn History,
    span: &Span,
    (calendar, mut atlas): (&Calendar, Option<&mut (dyn Atlas + '_)>),
    reasons: &mut Reasons,
) -> Result<Vec<SourceRow>, AnswerError> {
    if question.country.is_some() && atlas.is_none() {
        return Err(AnswerError::NotFound(NO_DATABASE.into()));
    }
    let mut range = Range::new();
    let by_service = is_about_services(question);
    walk(history, span, reasons, &mut |piece| {
        let kept = piece.class(question.class);
        if by_service { range.add_pairs(kept) } else { range.add_sources(kept) }
    });
    let mut wanted = |address: Address| {
        let country =
            |code: [u8; 2]| atlas.as_deref_mut().is_some_and(|atlas| is_of(atlas, address, Country(code)));
        question.source.is_none_or(|prefix| prefix.contains(address)) && question.country.is_none_or(country)
    };
    let mut rows = Vec::new();
    let mut missing = 0;
    let floor = if by_service {
        let mut sums: HashMap<Address, (u64, u64, u64)> = HashMap::new();
        for (sum, low) in range.pairs() {
            if matches(question, Service::from_bits(sum.key.service)) && wanted(sum.key.address) {
                let entry = sums.entry(sum.key.address).or_default();
                *entry = (entry.0 + sum.count, entry.1 + sum.error, entry.2 + low);
            }
        }
        let mut sums: Vec<_> = sums.into_iter().filter(|(_, (count, ..))| *count >= question.min).collect();
        sums.sort_unstable_by_key(|(address, (count, ..))| (std::cmp::Reverse(*count), *address));
        for (address, (attempts, error, low)) in sums.into_iter().take(question.limit as usize) {
            missing = missing.max(low);
            rows.push(SourceRow {
                address: AddressText::of(address),
                attempts,
                error,
                services: None,
                first_seen: None,
                last_seen: None,
                country: None,
                blocked: None,
            });
        }
        range.pair_floor()
    } else {
        let sums = range.sources();
        let heavy = sums.iter().filter(|(sum, _)| sum.count >= question.min && wanted(sum.key));
        for (sum, low) in heavy.take(question.limit as usize) {
            missing = missing.max(*low);
            rows.push(source_row(sum.key, sum, *low, span, calendar));
        }
        range.source_floor()
    };
    let last = rows.last().map_or(0, |row| row.attempts);
    LeftOut { what: "sources", floor, missing }.explain(question, rows.len(), last, reasons);
    if let Some(atlas) = atlas {
        rows.iter_mut().for_each(|row| set_country(row, atlas));
    }
    Ok(rows)
}

fn is_of(atlas: &mut dyn Atlas, address: Address, country: Country) -> bool {
    atlas.country_of(address) == Some(country)
}

fn set_country(row: &mut SourceRow, atlas: &mut dyn Atlas) {
    let address = row.address.parse::<std::net::IpAddr>().ok().map(Address::from);
    row.country = address.and_then(|address| atlas.country_of(address)).map(CountryText::of);
}

/// Everything about one source.
pub fn source(
    question: &Question,
    history: &mut dyn History,
    span: &Span,
    calendar: &Calendar,
    atlas: Option<&mut (dyn Atlas + '_)>,
) -> Result<SourceAnswer, AnswerError> {
    let Some(prefix) = question.source else {
        return Err(AnswerError::Invalid("source: give the address that you ask about".into()));
    };
    let mut reasons = Reasons::default();
    let mut range = Range::new();
    walk(history, span, &mut reasons, &mut |piece| range.add_sources(piece.class(question.class)));
    let sums = range.sources();
    let found = sums.iter().find(|(sum, _)| prefix.contains(sum.key));
    let Some((sum, low)) = found else {
        let floor = range.source_floor();
        let also = if floor == 0 {
            String::new()
        } else {
            format!(" (sources with up to {floor} attempts are not kept)")
        };
        return Err(AnswerError::NotFound(format!(
            "nothing is known of {} in this range{also}",
            prefix.network
        )));
    };
    let top_services = service_rows(question, history, span, &mut reasons);
    let hours = periods::hour_rows(question, history, span, &mut reasons)?;
    let days = periods::day_rows(question, history, span, &mut reasons)?.0;
    if *low > 0 {
        reasons.add(format!("the attempts of some sources can be up to {low} too low"));
    }
    let mut row = source_row(sum.key, sum, *low, span, calendar);
    if let Some(atlas) = atlas {
        set_country(&mut row, atlas);
    }
    Ok(SourceAnswer {
        row,
        hours,
        top_services,
        advice: None,
        days,
        evidence: None,
        block: None,
        completeness: Completeness::from_reasons(&reasons.0),
    })
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
