//! Rows of services, sources, pairs and countries, and totals, a column for each field.

use crate::event::calendar::Date;
use crate::event::{Address, Service};
use crate::stats::countries::{Countries, Country};
use crate::stats::sample::Distinct;
use crate::stats::summary::{ClassSummary, Hours, PairCount, Rows, ServiceCount, SourceCount};
use crate::store::codec::Codec;

use super::Unit;

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

/// The totals of a class (kind 3).
pub(super) fn totals(codec: &mut Codec<'_>, summary: &mut ClassSummary) {
    codec.number(&mut summary.attempts);
    distinct(codec, &mut summary.distinct);
    summary.hours.iter_mut().for_each(|count| codec.number(count));
    codec.rows(&mut summary.protocols, (0, 0), |codec, (protocol, count)| {
        codec.u8(protocol);
        codec.number(count);
    });
    summary.verdicts.iter_mut().for_each(|count| codec.number(count));
}

/// A number, and then its error if it is known.
pub(in crate::store) fn distinct(codec: &mut Codec<'_>, distinct: &mut Option<Distinct>) {
    number(codec, distinct);
    distinct.iter_mut().for_each(|distinct| codec.number(&mut distinct.error));
}

fn number(codec: &mut Codec<'_>, distinct: &mut Option<Distinct>) {
    let mut number = distinct.map(|distinct| distinct.number);
    codec.optional(&mut number);
    *distinct = number.map(|number| Distinct { number, ..distinct.unwrap_or_default() });
}

/// Numbers, and then the errors of those that are known.
fn distincts<T>(
    codec: &mut Codec<'_>,
    rows: &mut impl Columns<T>,
    of: impl Fn(&mut T) -> &mut Option<Distinct>,
) {
    rows.each(|row| number(codec, of(row)));
    rows.each(|row| of(row).iter_mut().for_each(|distinct| codec.number(&mut distinct.error)));
}

/// Minimum bytes of a row of a table: services, sources, pairs, countries, rules.
const MIN_ROW: usize = 4;

/// The fields before the rows of a table. A reader creates the rows.
pub(super) fn head<T: Default>(codec: &mut Codec<'_>, rows: &mut Rows<T>) {
    codec.number(&mut rows.floor);
    codec.number(&mut rows.missing);
    let count = codec.count(rows.rows.len(), MIN_ROW);
    rows.rows.resize_with(count, T::default);
}

pub(in crate::store) fn service(codec: &mut Codec<'_>, service: &mut Service) {
    codec.u8(&mut service.protocol);
    let mut port = service.port.into();
    codec.small(&mut port);
    service.port = u16::try_from(port).unwrap_or_else(|_| {
        codec.fail();
        0
    });
}

/// The family (4 or 6), and 4 or 16 bytes.
pub(in crate::store) fn address(codec: &mut Codec<'_>, address: &mut Address) {
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
pub(super) fn country(codec: &mut Codec<'_>, country: &mut Country) {
    country.0.iter_mut().for_each(|letter| codec.u8(letter));
}

/// The columns of services (kind 4).
pub(super) fn services(codec: &mut Codec<'_>, rows: &mut impl Columns<ServiceCount>) {
    rows.each(|row| service(codec, &mut row.service));
    rows.each(|row| codec.number(&mut row.attempts));
    rows.each(|row| codec.number(&mut row.error));
    distincts(codec, rows, |row| &mut row.distinct);
}

/// The hours of the first rows, up to the last that has them (kinds 5 and 7). Nothing is written if none has.
pub(super) fn hours<T>(
    codec: &mut Codec<'_>,
    rows: &mut impl Columns<T>,
    of: impl Fn(&mut T) -> &mut Option<Hours>,
) {
    let (mut visited, mut known) = (0, 0);
    rows.each(|row| {
        visited += 1;
        known = if of(row).is_some() { visited } else { known };
    });
    if codec.writes() && known == 0 {
        return;
    }
    let mut left = codec.count(known, 1);
    rows.each(|row| {
        if left > 0 {
            left -= 1;
            hours_of_row(codec, of(row));
        }
    });
    // The section with their rows is damaged.
    (0..left).for_each(|_| hours_of_row(codec, &mut None));
}

fn hours_of_row(codec: &mut Codec<'_>, hours: &mut Option<Hours>) {
    let mut is_known = u8::from(hours.is_some());
    codec.u8(&mut is_known);
    if is_known != 0 {
        let mut counts = hours.as_ref().map(Hours::counts).unwrap_or_default();
        counts.iter_mut().for_each(|count| codec.small(count));
        *hours = Some(Hours::new(counts));
    }
}

/// The columns of sources (kind 6).
pub(super) fn sources(codec: &mut Codec<'_>, rows: &mut impl Columns<SourceCount>, date: Date, unit: Unit) {
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
        if codec.writes() {
            return;
        }
        let first = since.map(|since| base.saturating_add_unsigned(since).saturating_mul(unit));
        (row.first, row.last) = first.map_or((i64::MAX, i64::MIN), |first| (first, first));
    });
    rows.each(|row| {
        if row.first <= row.last {
            let mut span = (row.last.div_euclid(unit) - row.first.div_euclid(unit)).cast_unsigned();
            codec.number(&mut span);
            if !codec.writes() {
                row.last = row.first.saturating_add_unsigned(span.saturating_mul(unit.cast_unsigned()));
            }
        }
    });
}

/// Pairs of a service and a source (kind 8). `sources`: those of the same day and class.
pub(super) fn pairs(codec: &mut Codec<'_>, rows: &mut Rows<PairCount>, sources: &Rows<SourceCount>) {
    head(codec, rows);
    let mut source_rows = vec![None; rows.rows.len()];
    if codec.writes() {
        let row_of = rows_by_address(sources);
        source_rows = rows.rows.iter().map(|row| row_of(row.address)).collect();
    }
    pair_columns(codec, &mut rows.rows, &mut source_rows, sources);
    if source_rows.iter().flatten().any(|place| *place >= sources.rows.len() as u64) {
        codec.fail();
        *rows = Rows::default();
    }
}

/// `source_rows`: for each pair the index of its source's row, if it has one; then its address is not stored.
pub(super) fn pair_columns(
    codec: &mut Codec<'_>,
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

/// The rules and, if there are any, the destinations of forwarded attempts (kind 22).
pub(super) fn rules(codec: &mut Codec<'_>, summary: &mut ClassSummary) {
    let rules = &mut summary.rules;
    let count = codec.count(rules.len(), MIN_ROW);
    rules.resize_with(count, Default::default);
    rules.each(|row| codec.text(&mut row.rule.prefix));
    rules.each(|row| codec.text(&mut row.rule.interface));
    rules.each(|row| codec.text(&mut row.rule.zone));
    rules.each(|row| codec.number(&mut row.attempts));
    if summary.targets.has_any() || codec.left() > 0 {
        pairs(codec, &mut summary.targets, &Rows::default());
    }
}

/// Finds the row of an address.
fn rows_by_address(sources: &Rows<SourceCount>) -> impl Fn(Address) -> Option<u64> {
    let mut order: Vec<(Address, u64)> = sources.rows.iter().map(|row| row.address).zip(0..).collect();
    order.sort_unstable();
    move |address| {
        let at = order.binary_search_by_key(&address, |(known, _)| *known).ok()?;
        Some(order[at].1)
    }
}

/// Countries, and services by country (kind 9).
pub(super) fn countries(codec: &mut Codec<'_>, countries: &mut Countries) {
    codec.number(&mut countries.measured);
    head(codec, &mut countries.rows);
    let rows = &mut countries.rows.rows;
    rows.each(|row| country(codec, &mut row.country));
    rows.each(|row| codec.number(&mut row.attempts));
    distincts(codec, rows, |row| &mut row.distinct);
    head(codec, &mut countries.services);
    let rows = &mut countries.services.rows;
    rows.each(|row| service(codec, &mut row.service));
    rows.each(|row| country(codec, &mut row.country));
    rows.each(|row| codec.number(&mut row.attempts));
    distincts(codec, rows, |row| &mut row.distinct);
}
