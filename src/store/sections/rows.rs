//! Rows of services, sources, pairs and countries, and totals, a column for each field.

use crate::event::calendar::Date;
use crate::event::paths::Rule;
use crate::event::{Address, Service};
use crate::stats::countries::{Countries, Country, CountryCount, ServiceCountryCount};
use crate::stats::rules::RuleCount;
use crate::stats::sample::Distinct;
use crate::stats::summary::{ClassSummary, Hours, PairCount, Rows, ServiceCount, SourceCount};
use crate::store::codec::{Codec, Content, Reader};

use super::Unit;

/// The value of a service before it is read.
pub(super) const NO_SERVICE: Service = Service { protocol: 0, port: 0 };

/// Rows whose columns are visited one after the other.
pub(super) trait Columns<T> {
    /// Visits a field of every row.
    fn each(&mut self, visit: impl FnMut(&mut T));
}

impl<T> Columns<T> for Vec<T> {
    fn each(&mut self, visit: impl FnMut(&mut T)) {
        self.iter_mut().for_each(visit);
    }
}

/// Rows that are computed again for each column, so that a full table is not copied.
pub(super) struct Made<I>(pub I);

impl<T, I: Iterator<Item = T> + Clone> Columns<T> for Made<I> {
    fn each(&mut self, mut visit: impl FnMut(&mut T)) {
        self.0.clone().for_each(|mut row| visit(&mut row));
    }
}

/// Reads or writes the totals of a class (kind 3).
pub(super) fn totals(codec: &mut impl Codec, summary: &mut ClassSummary) {
    codec.number(&mut summary.attempts);
    distinct(codec, &mut summary.distinct);
    summary.hours.iter_mut().for_each(|count| codec.number(count));
    codec.rows(&mut summary.protocols, 2, (0, 0), |codec, (protocol, count)| {
        codec.u8(protocol);
        codec.number(count);
    });
    summary.verdicts.iter_mut().for_each(|count| codec.number(count));
}

/// A number, and then its error if it is known.
pub(in crate::store) fn distinct(codec: &mut impl Codec, distinct: &mut Option<Distinct>) {
    number(codec, distinct);
    distinct.iter_mut().for_each(|distinct| codec.number(&mut distinct.error));
}

fn number(codec: &mut impl Codec, distinct: &mut Option<Distinct>) {
    let mut number = distinct.map(|distinct| distinct.number);
    codec.optional(&mut number);
    *distinct = number.map(|number| Distinct { number, ..distinct.unwrap_or_default() });
}

/// Numbers, and then the errors of those that are known.
fn distincts<T>(
    codec: &mut impl Codec,
    rows: &mut impl Columns<T>,
    of: impl Fn(&mut T) -> &mut Option<Distinct>,
) {
    rows.each(|row| number(codec, of(row)));
    rows.each(|row| of(row).iter_mut().for_each(|distinct| codec.number(&mut distinct.error)));
}

/// Writes what precedes the rows of a table.
pub(super) fn write_head<T>(content: &mut Content, rows: &Rows<T>) {
    [rows.floor, rows.missing, rows.rows.len() as u64].into_iter().for_each(|number| content.put(number));
}

/// The fields before the rows of a table. A reader creates the rows, as `empty`.
pub(super) fn head<T: Clone>(codec: &mut impl Codec, rows: &mut Rows<T>, least: usize, empty: T) {
    codec.number(&mut rows.floor);
    codec.number(&mut rows.missing);
    let count = codec.count(rows.rows.len(), least);
    rows.rows.resize(count, empty);
}

pub(in crate::store) fn service(codec: &mut impl Codec, service: &mut Service) {
    codec.u8(&mut service.protocol);
    let mut port = service.port.into();
    codec.small(&mut port);
    service.port = u16::try_from(port).unwrap_or_else(|_| {
        codec.fail();
        0
    });
}

/// The family (4 or 6), and 4 or 16 bytes.
pub(in crate::store) fn address(codec: &mut impl Codec, address: &mut Address) {
    let mut family = if address.is_v4() { 4 } else { 6 };
    codec.u8(&mut family);
    let mut bytes = (u128::from(address.high) << 64 | u128::from(address.low)).to_be_bytes();
    match family {
        4 => {
            bytes[12..].iter_mut().for_each(|byte| codec.u8(byte));
            *address = Address::v4(u128::from_be_bytes(bytes) as u32);
        }
        6 => {
            bytes.iter_mut().for_each(|byte| codec.u8(byte));
            let bits = u128::from_be_bytes(bytes);
            *address = Address { high: (bits >> 64) as u64, low: bits as u64 };
        }
        _ => codec.fail(),
    }
}

/// Two bytes, see [`Country`].
pub(super) fn country(codec: &mut impl Codec, country: &mut Country) {
    country.0.iter_mut().for_each(|letter| codec.u8(letter));
}

/// Reads or writes the columns of services (kind 4).
pub(super) fn services(codec: &mut impl Codec, rows: &mut impl Columns<ServiceCount>) {
    rows.each(|row| service(codec, &mut row.service));
    rows.each(|row| codec.number(&mut row.attempts));
    rows.each(|row| codec.number(&mut row.error));
    distincts(codec, rows, |row| &mut row.distinct);
}

/// Reads the rows of services.
pub(super) fn read_services(reader: &mut Reader<'_>) -> Rows<ServiceCount> {
    let mut rows = Rows::default();
    let empty = ServiceCount { service: NO_SERVICE, attempts: 0, error: 0, distinct: None, hours: None };
    head(reader, &mut rows, 5, empty);
    services(reader, &mut rows.rows);
    rows
}

/// Writes the hours of the first rows, up to the last that has them.
pub(super) fn write_hours(content: &mut Content, rows: impl Iterator<Item = Option<Hours>> + Clone) {
    let with_hours = rows.clone().enumerate().filter(|(_, hours)| hours.is_some());
    let count = with_hours.map(|(at, _)| at + 1).last().unwrap_or(0);
    if count > 0 {
        content.put(count as u64);
        rows.take(count).for_each(|mut of_row| hours(content, &mut of_row));
    }
}

/// Reads the hours of the first rows.
pub(super) fn read_hours<'a>(reader: &mut Reader<'_>, rows: impl Iterator<Item = &'a mut Option<Hours>>) {
    let (count, mut rows) = (reader.count(0, 1), rows);
    for _ in 0..count {
        hours(reader, rows.next().unwrap_or(&mut None));
    }
}

fn hours(codec: &mut impl Codec, hours: &mut Option<Hours>) {
    let mut is_known = u8::from(hours.is_some());
    codec.u8(&mut is_known);
    if is_known != 0 {
        let mut counts = hours.as_ref().map(Hours::counts).unwrap_or_default();
        counts.iter_mut().for_each(|count| codec.small(count));
        *hours = Some(Hours::new(counts));
    }
}

/// Reads or writes the columns of sources (kind 6).
pub(super) fn sources(codec: &mut impl Codec, rows: &mut impl Columns<SourceCount>, date: Date, unit: Unit) {
    let unit = unit as i64;
    // Earlier than the begin of the day in any time zone.
    let base = (i64::from(date.0) - 1) * (86_400 / unit);
    rows.each(|row| address(codec, &mut row.address));
    rows.each(|row| codec.number(&mut row.attempts));
    rows.each(|row| codec.number(&mut row.error));
    rows.each(|row| codec.optional(&mut row.services));
    rows.each(|row| {
        let since = row.first.div_euclid(unit).saturating_sub(base);
        let mut since = (row.first <= row.last).then_some(u64::try_from(since).unwrap_or(0));
        codec.optional(&mut since);
        let first = since.map(|since| base.saturating_add_unsigned(since).saturating_mul(unit));
        (row.first, row.last) = first.map_or((i64::MAX, i64::MIN), |first| (first, first));
    });
    rows.each(|row| {
        if row.first <= row.last {
            let mut span = (row.last.div_euclid(unit) - row.first.div_euclid(unit)).cast_unsigned();
            codec.number(&mut span);
            row.last = row.first.saturating_add_unsigned(span.saturating_mul(unit.cast_unsigned()));
        }
    });
}

/// Reads the rows of sources.
pub(super) fn read_sources(reader: &mut Reader<'_>, date: Date, unit: Unit) -> Rows<SourceCount> {
    let mut rows = Rows::default();
    let empty = SourceCount {
        address: Address::v4(0),
        attempts: 0,
        error: 0,
        services: None,
        first: i64::MAX,
        last: i64::MIN,
        hours: None,
    };
    head(reader, &mut rows, 5, empty);
    sources(reader, &mut rows.rows, date, unit);
    rows
}

/// `row_of`: the index of an address in the rows of sources. An address without a row is stored after the other
/// columns.
pub(super) fn write_pairs(
    content: &mut Content,
    rows: impl Iterator<Item = PairCount> + Clone,
    row_of: impl Fn(Address) -> Option<usize>,
) {
    let mut source_rows = rows.clone().map(|row| row_of(row.address).map(|row| row as u64)).collect();
    pairs(content, &mut Made(rows), &mut source_rows, &Rows::default());
}

/// `sources`: those of the same day and class.
pub(super) fn read_pairs(reader: &mut Reader<'_>, sources: &Rows<SourceCount>) -> Rows<PairCount> {
    let mut rows = Rows::default();
    let empty = PairCount { service: NO_SERVICE, address: Address::v4(0), attempts: 0, error: 0 };
    head(reader, &mut rows, 5, empty);
    let mut source_rows = vec![None; rows.rows.len()];
    pairs(reader, &mut rows.rows, &mut source_rows, sources);
    if source_rows.iter().flatten().any(|place| *place >= sources.rows.len() as u64) {
        reader.fail();
        return Rows::default();
    }
    rows
}

/// `source_rows`: for each pair the index of its source's row, if it has one; then its address is not stored.
fn pairs(
    codec: &mut impl Codec,
    rows: &mut impl Columns<PairCount>,
    source_rows: &mut Vec<Option<u64>>,
    sources: &Rows<SourceCount>,
) {
    rows.each(|row| service(codec, &mut row.service));
    source_rows.each(|place| codec.optional(place));
    rows.each(|row| codec.number(&mut row.attempts));
    rows.each(|row| codec.number(&mut row.error));
    let mut source_rows = source_rows.iter();
    rows.each(|row| match source_rows.next() {
        Some(Some(place)) => {
            let source = sources.rows.get(usize::try_from(*place).unwrap_or(usize::MAX));
            source.into_iter().for_each(|source| row.address = source.address);
        }
        _ => address(codec, &mut row.address),
    });
}

/// Writes the rules and, if there are any, the destinations of forwarded attempts (kind 22).
pub(super) fn write_rules(content: &mut Content, summary: &ClassSummary) {
    rules(content, &mut summary.rules.clone());
    if summary.targets.has_any() {
        write_head(content, &summary.targets);
        write_pairs(content, summary.targets.rows.iter().cloned(), |_| None);
    }
}

/// Reads what [`write_rules`] wrote.
pub(super) fn read_rules(reader: &mut Reader<'_>, summary: &mut ClassSummary) {
    rules(reader, &mut summary.rules);
    if reader.left() > 0 {
        summary.targets = read_pairs(reader, &Rows::default());
    }
}

fn rules(codec: &mut impl Codec, rules: &mut Vec<RuleCount>) {
    let count = codec.count(rules.len(), 4);
    rules.resize(count, RuleCount { rule: Rule::default(), attempts: 0 });
    rules.each(|row| codec.text(&mut row.rule.prefix));
    rules.each(|row| codec.text(&mut row.rule.interface));
    rules.each(|row| codec.text(&mut row.rule.zone));
    rules.each(|row| codec.number(&mut row.attempts));
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

/// Reads or writes countries, and services by country (kind 9).
pub(super) fn countries(codec: &mut impl Codec, countries: &mut Countries) {
    codec.number(&mut countries.measured);
    let empty = CountryCount { country: Country::UNKNOWN, attempts: 0, distinct: None };
    head(codec, &mut countries.rows, 4, empty);
    let rows = &mut countries.rows.rows;
    rows.each(|row| country(codec, &mut row.country));
    rows.each(|row| codec.number(&mut row.attempts));
    distincts(codec, rows, |row| &mut row.distinct);
    let country = Country::UNKNOWN;
    let empty = ServiceCountryCount { service: NO_SERVICE, country, attempts: 0, distinct: None };
    head(codec, &mut countries.services, 6, empty);
    let rows = &mut countries.services.rows;
    rows.each(|row| service(codec, &mut row.service));
    rows.each(|row| self::country(codec, &mut row.country));
    rows.each(|row| codec.number(&mut row.attempts));
    distincts(codec, rows, |row| &mut row.distinct);
}
