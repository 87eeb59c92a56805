//! Rows of services, sources, pairs and countries, and totals, a column for each field.

use std::borrow::Borrow;

use crate::event::calendar::Date;
use crate::event::paths::Rule;
use crate::event::{Address, Service};
use crate::stats::countries::{Countries, Country, CountryCount, ServiceCountryCount};
use crate::stats::rules::RuleCount;
use crate::stats::sample::Distinct;
use crate::stats::summary::{ClassSummary, Hours, PairCount, Rows, ServiceCount, SourceCount};
use crate::store::codec::{Reader, Writer};

use super::{MAX_ROWS, Unit, has_rows};

pub(super) fn write_totals(writer: &mut Writer, summary: &ClassSummary) {
    writer.number(summary.attempts);
    write_distinct(writer, [summary.distinct].into_iter());
    summary.hours.iter().for_each(|count| writer.number(*count));
    writer.number(summary.protocols.len() as u64);
    for (protocol, count) in &summary.protocols {
        writer.u8(*protocol);
        writer.number(*count);
    }
    summary.verdicts.iter().for_each(|count| writer.number(*count));
}

pub(super) fn read_totals(reader: &mut Reader<'_>, summary: &mut ClassSummary) {
    summary.attempts = reader.number();
    read_distinct(reader, [&mut summary.distinct].into_iter());
    summary.hours.iter_mut().for_each(|count| *count = reader.number());
    summary.protocols = (0..items(reader, 2)).map(|_| (reader.u8(), reader.number())).collect();
    summary.verdicts.iter_mut().for_each(|count| *count = reader.number());
}

/// A number of rows, each of at least this many bytes.
pub(super) fn items(reader: &mut Reader<'_>, least: usize) -> usize {
    let number = reader.number();
    if number > MAX_ROWS as u64 || number as usize * least > reader.left() {
        reader.fail();
        return 0;
    }
    number as usize
}

/// Numbers, and then the errors of those that have one.
fn write_distinct(writer: &mut Writer, all: impl Iterator<Item = Option<Distinct>> + Clone) {
    all.clone().for_each(|distinct| writer.optional(distinct.map(|distinct| distinct.number)));
    all.flatten().for_each(|distinct| writer.number(distinct.error));
}

fn read_distinct<'a>(reader: &mut Reader<'_>, all: impl Iterator<Item = &'a mut Option<Distinct>>) {
    let mut known = Vec::new();
    for distinct in all {
        *distinct = reader.optional().map(Distinct::exactly);
        known.extend(distinct.as_mut());
    }
    known.into_iter().for_each(|distinct| distinct.error = reader.number());
}

pub(super) fn write_head<T>(writer: &mut Writer, rows: &Rows<T>) {
    writer.number(rows.floor);
    writer.number(rows.missing);
    writer.number(rows.rows.len() as u64);
}

pub(super) fn read_head<T: Clone>(reader: &mut Reader<'_>, least: usize, empty: T) -> Rows<T> {
    let (floor, missing) = (reader.number(), reader.number());
    Rows { rows: vec![empty; items(reader, least)], floor, missing }
}

pub(in crate::store) fn write_service(writer: &mut Writer, service: Service) {
    writer.u8(service.protocol);
    writer.number(service.port.into());
}

pub(in crate::store) fn read_service(reader: &mut Reader<'_>) -> Service {
    let protocol = reader.u8();
    let port = u16::try_from(reader.small()).unwrap_or_else(|_| {
        reader.fail();
        0
    });
    Service { protocol, port }
}

/// The family (4 or 6), and 4 or 16 bytes.
pub(in crate::store) fn write_address(writer: &mut Writer, address: Address) {
    match address.as_v4() {
        Some(bits) => {
            writer.u8(4);
            writer.bytes.extend_from_slice(&bits.to_be_bytes());
        }
        None => {
            writer.u8(6);
            writer.bytes.extend_from_slice(&address.high.to_be_bytes());
            writer.bytes.extend_from_slice(&address.low.to_be_bytes());
        }
    }
}

pub(in crate::store) fn read_address(reader: &mut Reader<'_>) -> Address {
    let mut bits = |bytes: u32| (0..bytes).fold(0u64, |bits, _| bits << 8 | u64::from(reader.u8()));
    match bits(1) {
        4 => Address::v4(bits(4) as u32),
        6 => Address { high: bits(8), low: bits(8) },
        _ => {
            reader.fail();
            Address::v4(0)
        }
    }
}

/// Rows that are made while they are written, so that a full table is never copied: a column at a time.
pub(super) fn write_services<R: Borrow<ServiceCount>>(
    writer: &mut Writer,
    rows: impl Iterator<Item = R> + Clone,
) {
    rows.clone().for_each(|row| write_service(writer, row.borrow().service));
    rows.clone().for_each(|row| writer.number(row.borrow().attempts));
    rows.clone().for_each(|row| writer.number(row.borrow().error));
    write_distinct(writer, rows.map(|row| row.borrow().distinct));
}

pub(super) fn read_services(reader: &mut Reader<'_>) -> Rows<ServiceCount> {
    let empty = ServiceCount {
        service: Service { protocol: 0, port: 0 },
        attempts: 0,
        error: 0,
        distinct: None,
        hours: None,
    };
    let mut services = read_head(reader, 5, empty);
    services.rows.iter_mut().for_each(|row| row.service = read_service(reader));
    services.rows.iter_mut().for_each(|row| row.attempts = reader.number());
    services.rows.iter_mut().for_each(|row| row.error = reader.number());
    read_distinct(reader, services.rows.iter_mut().map(|row| &mut row.distinct));
    services
}

/// The hours of the first rows, up to the last that has them.
pub(super) fn write_hours(writer: &mut Writer, rows: impl Iterator<Item = Option<Hours>> + Clone) {
    let with_hours = rows.clone().enumerate().filter(|(_, hours)| hours.is_some());
    let count = with_hours.map(|(at, _)| at + 1).last().unwrap_or(0);
    if count == 0 {
        return;
    }
    writer.number(count as u64);
    for hours in rows.take(count) {
        writer.u8(hours.is_some().into());
        hours.as_ref().map(Hours::counts).into_iter().flatten().for_each(|count| writer.number(count.into()));
    }
}

pub(super) fn read_hours<'a>(reader: &mut Reader<'_>, mut rows: impl Iterator<Item = &'a mut Option<Hours>>) {
    for _ in 0..items(reader, 1) {
        if reader.u8() == 0 {
            rows.next();
            continue;
        }
        let mut counts = [0; 24];
        counts.iter_mut().for_each(|count| *count = reader.small());
        if let Some(hours) = rows.next() {
            *hours = Some(Hours::new(counts));
        }
    }
}

/// Before the day begins in any time zone, in units.
fn base(date: Date, unit: Unit) -> i64 {
    (i64::from(date.0) - 1) * (86_400 / unit as i64)
}

pub(super) fn write_sources<R: Borrow<SourceCount>>(
    writer: &mut Writer,
    rows: impl Iterator<Item = R> + Clone,
    date: Date,
    unit: Unit,
) {
    rows.clone().for_each(|row| write_address(writer, row.borrow().address));
    rows.clone().for_each(|row| writer.number(row.borrow().attempts));
    rows.clone().for_each(|row| writer.number(row.borrow().error));
    rows.clone().for_each(|row| writer.optional(row.borrow().services));
    let units = |time: i64| time.div_euclid(unit as i64);
    let times = rows.map(|row| (row.borrow().first, row.borrow().last));
    for (first, last) in times.clone() {
        let since = u64::try_from(units(first).saturating_sub(base(date, unit))).unwrap_or(0);
        writer.optional((first <= last).then_some(since));
    }
    for (first, last) in times.filter(|(first, last)| first <= last) {
        writer.number((units(last) - units(first)).cast_unsigned());
    }
}

pub(super) fn read_sources(reader: &mut Reader<'_>, date: Date, unit: Unit) -> Rows<SourceCount> {
    let empty = SourceCount {
        address: Address::v4(0),
        attempts: 0,
        error: 0,
        services: None,
        first: i64::MAX,
        last: i64::MIN,
        hours: None,
    };
    let mut sources = read_head(reader, 5, empty);
    sources.rows.iter_mut().for_each(|row| row.address = read_address(reader));
    sources.rows.iter_mut().for_each(|row| row.attempts = reader.number());
    sources.rows.iter_mut().for_each(|row| row.error = reader.number());
    sources.rows.iter_mut().for_each(|row| row.services = reader.optional());
    let known = |since: u64| base(date, unit).saturating_add_unsigned(since).saturating_mul(unit as i64);
    for row in &mut sources.rows {
        row.first = reader.optional().map_or(i64::MAX, known);
    }
    for row in sources.rows.iter_mut().filter(|row| row.first != i64::MAX) {
        row.last = row.first.saturating_add_unsigned(reader.number().saturating_mul(unit as u64));
    }
    sources
}

/// `row_of`: which of the rows of sources an address has. An address without a row is stored behind the other columns.
pub(super) fn write_pairs<R: Borrow<PairCount>>(
    writer: &mut Writer,
    rows: impl Iterator<Item = R> + Clone,
    row_of: impl Fn(Address) -> Option<usize>,
) {
    rows.clone().for_each(|row| write_service(writer, row.borrow().service));
    let sources = rows.clone().map(|row| row_of(row.borrow().address).map(|row| row as u64));
    sources.clone().for_each(|source| writer.optional(source));
    rows.clone().for_each(|row| writer.number(row.borrow().attempts));
    rows.clone().for_each(|row| writer.number(row.borrow().error));
    let without_row = rows.zip(sources).filter(|(_, source)| source.is_none());
    without_row.for_each(|(row, _)| write_address(writer, row.borrow().address));
}

/// `sources`: those of the same day and class.
pub(super) fn read_pairs(reader: &mut Reader<'_>, sources: &Rows<SourceCount>) -> Rows<PairCount> {
    let service = Service { protocol: 0, port: 0 };
    let mut pairs =
        read_head(reader, 5, PairCount { service, address: Address::v4(0), attempts: 0, error: 0 });
    pairs.rows.iter_mut().for_each(|row| row.service = read_service(reader));
    let places: Vec<Option<u64>> = pairs.rows.iter().map(|_| reader.optional()).collect();
    pairs.rows.iter_mut().for_each(|row| row.attempts = reader.number());
    pairs.rows.iter_mut().for_each(|row| row.error = reader.number());
    for (row, place) in pairs.rows.iter_mut().zip(places) {
        row.address = match place.map(|place| sources.rows.get(usize::try_from(place).unwrap_or(usize::MAX)))
        {
            Some(Some(source)) => source.address,
            Some(None) => {
                reader.fail();
                return Rows::default();
            }
            None => read_address(reader),
        };
    }
    pairs
}

pub(super) fn write_rules(writer: &mut Writer, summary: &ClassSummary) {
    let rows = summary.rules.iter();
    writer.number(rows.len() as u64);
    rows.clone().for_each(|row| writer.raw(row.rule.prefix.as_bytes()));
    rows.clone().for_each(|row| writer.raw(row.rule.interface.as_bytes()));
    rows.clone().for_each(|row| writer.raw(row.rule.zone.as_bytes()));
    rows.for_each(|row| writer.number(row.attempts));
    if has_rows(&summary.targets) {
        write_head(writer, &summary.targets);
        write_pairs(writer, summary.targets.rows.iter(), |_| None);
    }
}

pub(super) fn read_rules(reader: &mut Reader<'_>, summary: &mut ClassSummary) {
    let mut rules = vec![RuleCount { rule: Rule::default(), attempts: 0 }; items(reader, 4)];
    rules.iter_mut().for_each(|row| row.rule.prefix = reader.text());
    rules.iter_mut().for_each(|row| row.rule.interface = reader.text());
    rules.iter_mut().for_each(|row| row.rule.zone = reader.text());
    rules.iter_mut().for_each(|row| row.attempts = reader.number());
    summary.rules = rules;
    if reader.left() > 0 {
        summary.targets = read_pairs(reader, &Rows::default());
    }
}

/// Finds the row of an address.
pub(super) fn rows_by_address(sources: &Rows<SourceCount>) -> impl Fn(Address) -> Option<usize> {
    let mut order: Vec<(Address, usize)> =
        sources.rows.iter().enumerate().map(|(at, row)| (row.address, at)).collect();
    order.sort_unstable();
    move |address| {
        let at = order.binary_search_by_key(&address, |(known, _)| *known).ok()?;
        Some(order[at].1)
    }
}

pub(super) fn write_country(writer: &mut Writer, country: Country) {
    writer.u8(country.0[0]);
    writer.u8(country.0[1]);
}

pub(super) fn read_country(reader: &mut Reader<'_>) -> Country {
    Country([reader.u8(), reader.u8()])
}

pub(super) fn write_countries(writer: &mut Writer, countries: &Countries) {
    writer.number(countries.measured);
    write_head(writer, &countries.rows);
    let rows = countries.rows.rows.iter();
    rows.clone().for_each(|row| write_country(writer, row.country));
    rows.clone().for_each(|row| writer.number(row.attempts));
    write_distinct(writer, rows.map(|row| row.distinct));
    write_head(writer, &countries.services);
    let rows = countries.services.rows.iter();
    rows.clone().for_each(|row| write_service(writer, row.service));
    rows.clone().for_each(|row| write_country(writer, row.country));
    rows.clone().for_each(|row| writer.number(row.attempts));
    write_distinct(writer, rows.map(|row| row.distinct));
}

pub(super) fn read_countries(reader: &mut Reader<'_>) -> Countries {
    let measured = reader.number();
    let country = Country::UNKNOWN;
    let mut rows = read_head(reader, 4, CountryCount { country, attempts: 0, distinct: None });
    rows.rows.iter_mut().for_each(|row| row.country = read_country(reader));
    rows.rows.iter_mut().for_each(|row| row.attempts = reader.number());
    read_distinct(reader, rows.rows.iter_mut().map(|row| &mut row.distinct));
    let service = Service { protocol: 0, port: 0 };
    let empty = ServiceCountryCount { service, country, attempts: 0, distinct: None };
    let mut services = read_head(reader, 6, empty);
    services.rows.iter_mut().for_each(|row| row.service = read_service(reader));
    services.rows.iter_mut().for_each(|row| row.country = read_country(reader));
    services.rows.iter_mut().for_each(|row| row.attempts = reader.number());
    read_distinct(reader, services.rows.iter_mut().map(|row| &mut row.distinct));
    Countries { measured, rows, services }
}
