//! The bodies of sections <-> summaries.
//!
//! A section holds one body for each day and class that has something to say: `date`, `class`, length, body. A reader
//! skips bodies that it does not need. Within a body each field is a column, which deflates better than rows.

use std::borrow::Borrow;

use crate::calendar::Date;
use crate::event::{Address, Class, Service};
use crate::stats::countries::{Countries, Country, CountryCount, ServiceCountryCount};
use crate::stats::day::{Day, Samples};
use crate::stats::sample::{Distinct, Sample};
use crate::stats::summary::{ClassSummary, DaySummary, Hours, PairCount, Rows, ServiceCount, SourceCount};

use super::codec::{Reader, Writer};
use super::container::{Kind, Section};
use super::directory::Open;

/// More rows no table has.
const MOST_ROWS: usize = 16_384;

/// The kinds of section that hold a day's statistics, in the order of the file.
pub const KINDS: [Kind; 8] = [
    Kind::Totals,
    Kind::Services,
    Kind::ServiceHours,
    Kind::Sources,
    Kind::SourceHours,
    Kind::Pairs,
    Kind::Countries,
    Kind::Sample,
];

/// How exactly times are stored: seconds of an open day, minutes of a closed one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    Seconds = 1,
    Minutes = 60,
}

/// The sections of some days (or of the sum of a month, with the first of the month as date). `pack` makes one of its
/// bytes.
pub fn encode(days: &[DaySummary], unit: Unit, pack: fn(Kind, Vec<u8>) -> Section) -> Vec<Section> {
    let section = |kind: Kind| {
        let mut writer = Writer::new();
        for day in days {
            for class in Class::ALL {
                let mut body = Writer::new();
                write_body(&mut body, kind, day.date, day.class(class), unit);
                put(&mut writer, day.date, class, &body.bytes);
            }
        }
        pack(kind, writer.bytes)
    };
    KINDS.into_iter().map(section).collect()
}

/// The sections of an open day with all its rows, which are made while they are written.
pub fn encode_open(day: &Day, pack: fn(Kind, Vec<u8>) -> Section) -> Vec<Section> {
    let section = |kind: Kind| {
        let mut writer = Writer::new();
        for class in Class::ALL {
            let mut body = Writer::new();
            write_open_body(&mut body, kind, day, class);
            put(&mut writer, day.date, class, &body.bytes);
        }
        pack(kind, writer.bytes)
    };
    let mut sections: Vec<Section> =
        KINDS.into_iter().filter(|kind| *kind != Kind::Sample).map(section).collect();
    sections.push(encode_samples(day.date, &day.samples(), pack));
    sections
}

/// The samples of the classes whose rows do not tell all sources.
pub fn encode_samples(date: Date, samples: &Samples, pack: fn(Kind, Vec<u8>) -> Section) -> Section {
    let mut writer = Writer::new();
    for (class, sample) in Class::ALL.into_iter().zip(samples) {
        let mut body = Writer::new();
        sample.iter().for_each(|sample| write_sample(&mut body, sample, write_address));
        put(&mut writer, date, class, &body.bytes);
    }
    pack(Kind::Addresses, writer.bytes)
}

/// A day from a file that holds days by date, and the samples of its open classes.
pub struct StoredDay {
    pub summary: DaySummary,
    pub samples: Samples,
}

/// Reads all days of a file, oldest first; false if something of it could not be read.
pub fn decode(file: &Open, unit: Unit) -> (Vec<StoredDay>, bool) {
    let (mut days, mut whole): (Vec<StoredDay>, bool) = (Vec::new(), true);
    for kind in KINDS.into_iter().chain([Kind::Addresses]) {
        let bytes = match file.section(kind) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => continue,
            Err(_) => {
                whole = false;
                continue;
            }
        };
        whole &= bodies(
            &bytes,
            |_, _| true,
            |date, class, body| {
                let at = days.partition_point(|day| day.summary.date < date);
                if days.get(at).is_none_or(|day| day.summary.date != date) {
                    days.insert(
                        at,
                        StoredDay { summary: DaySummary::new(date), samples: Samples::default() },
                    );
                }
                match kind {
                    Kind::Addresses => days[at].samples[class as usize] = read_sample(body, read_address),
                    kind => read_body(body, kind, date, &mut days[at].summary.classes[class as usize], unit),
                }
            },
        );
    }
    (days, whole)
}

fn write_open_body(writer: &mut Writer, kind: Kind, day: &Day, class: Class) {
    let tables = day.tables(class);
    let floors = tables.floors();
    let head = |writer: &mut Writer, (floor, missing): (u64, u64), rows: usize| {
        writer.number(floor);
        writer.number(missing);
        writer.number(rows as u64);
    };
    match kind {
        _ if tables.count() == 0 => {}
        Kind::Services => {
            head(writer, floors[0], tables.services().count());
            write_services(writer, tables.services());
        }
        Kind::ServiceHours => write_hours(writer, tables.services().map(|row| row.hours)),
        Kind::Sources => {
            head(writer, floors[1], tables.sources().count());
            write_sources(writer, tables.sources(), day.date, Unit::Seconds);
        }
        Kind::SourceHours => write_hours(writer, tables.sources().map(|row| row.hours)),
        Kind::Pairs => {
            head(writer, floors[2], tables.pair_counts().count());
            write_pairs(writer, tables.pair_counts());
        }
        // Countries are looked up when the day is closed.
        Kind::Countries => {}
        _ => write_body(writer, kind, day.date, &tables.totals_only(), Unit::Seconds),
    }
}

/// Adds a body, unless it is empty.
pub fn put(writer: &mut Writer, date: Date, class: Class, body: &[u8]) {
    if !body.is_empty() {
        writer.number(u64::from(date.0.cast_unsigned()));
        writer.u8(class as u8);
        writer.raw(body);
    }
}

/// Reads the bodies that are wanted; false if the section contains an invalid one.
pub fn bodies(
    raw: &[u8],
    wanted: impl Fn(Date, Class) -> bool,
    mut read: impl FnMut(Date, Class, &mut Reader<'_>),
) -> bool {
    let mut reader = Reader::new(raw);
    let mut valid = true;
    while !reader.is_empty() {
        let date = Date(reader.small().cast_signed());
        let class = Class::ALL.get(usize::from(reader.u8()));
        let body = reader.raw();
        if reader.has_failed() {
            return false;
        }
        let Some(class) = class else { return false };
        if wanted(date, *class) {
            let mut body = Reader::new(body);
            read(date, *class, &mut body);
            valid &= !body.has_failed() && body.is_empty();
        }
    }
    valid
}

fn write_body(writer: &mut Writer, kind: Kind, date: Date, summary: &ClassSummary, unit: Unit) {
    match kind {
        Kind::Totals if summary.attempts > 0 => write_totals(writer, summary),
        Kind::Services if has_rows(&summary.services) => {
            write_head(writer, &summary.services);
            write_services(writer, summary.services.rows.iter());
        }
        Kind::ServiceHours => {
            write_hours(writer, summary.services.rows.iter().map(|row| row.hours.clone()));
        }
        Kind::Sources if has_rows(&summary.sources) => {
            write_head(writer, &summary.sources);
            write_sources(writer, summary.sources.rows.iter(), date, unit);
        }
        Kind::SourceHours => {
            write_hours(writer, summary.sources.rows.iter().map(|row| row.hours.clone()));
        }
        Kind::Pairs if has_rows(&summary.pairs) => {
            write_head(writer, &summary.pairs);
            write_pairs(writer, summary.pairs.rows.iter());
        }
        Kind::Countries if summary.countries.measured > 0 => write_countries(writer, &summary.countries),
        Kind::Sample if summary.attempts > 0 => {
            if let Some(sample) = &summary.sample {
                write_sample(writer, sample, write_country);
            }
        }
        _ => {}
    }
}

/// Reads a body of one of [`KINDS`] into a summary. Hours are read after their rows.
pub fn read_body(reader: &mut Reader<'_>, kind: Kind, date: Date, summary: &mut ClassSummary, unit: Unit) {
    match kind {
        Kind::Totals => read_totals(reader, summary),
        Kind::Services => summary.services = read_services(reader),
        Kind::ServiceHours => {
            read_hours(reader, summary.services.rows.iter_mut().map(|row| &mut row.hours));
        }
        Kind::Sources => summary.sources = read_sources(reader, date, unit),
        Kind::SourceHours => read_hours(reader, summary.sources.rows.iter_mut().map(|row| &mut row.hours)),
        Kind::Pairs => summary.pairs = read_pairs(reader),
        Kind::Countries => summary.countries = read_countries(reader),
        Kind::Sample => {
            summary.sample = read_sample(reader, read_country);
        }
        _ => reader.fail(),
    }
}

fn has_rows<T>(rows: &Rows<T>) -> bool {
    !rows.rows.is_empty() || rows.floor > 0 || rows.missing > 0
}

fn write_totals(writer: &mut Writer, summary: &ClassSummary) {
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

fn read_totals(reader: &mut Reader<'_>, summary: &mut ClassSummary) {
    summary.attempts = reader.number();
    read_distinct(reader, [&mut summary.distinct].into_iter());
    summary.hours.iter_mut().for_each(|count| *count = reader.number());
    summary.protocols = (0..items(reader, 2)).map(|_| (reader.u8(), reader.number())).collect();
    summary.verdicts.iter_mut().for_each(|count| *count = reader.number());
}

/// A number of rows, each of at least this many bytes.
fn items(reader: &mut Reader<'_>, least: usize) -> usize {
    let number = reader.number();
    if number > MOST_ROWS as u64 || number as usize * least > reader.left() {
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

fn write_head<T>(writer: &mut Writer, rows: &Rows<T>) {
    writer.number(rows.floor);
    writer.number(rows.missing);
    writer.number(rows.rows.len() as u64);
}

fn read_head<T: Clone>(reader: &mut Reader<'_>, least: usize, empty: T) -> Rows<T> {
    let (floor, missing) = (reader.number(), reader.number());
    Rows { rows: vec![empty; items(reader, least)], floor, missing }
}

pub fn write_service(writer: &mut Writer, service: Service) {
    writer.u8(service.protocol);
    writer.number(service.port.into());
}

pub fn read_service(reader: &mut Reader<'_>) -> Service {
    let protocol = reader.u8();
    let port = u16::try_from(reader.small()).unwrap_or_else(|_| {
        reader.fail();
        0
    });
    Service { protocol, port }
}

/// The family (4 or 6), and 4 or 16 bytes.
pub fn write_address(writer: &mut Writer, address: Address) {
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

pub fn read_address(reader: &mut Reader<'_>) -> Address {
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
fn write_services<R: Borrow<ServiceCount>>(writer: &mut Writer, rows: impl Iterator<Item = R> + Clone) {
    rows.clone().for_each(|row| write_service(writer, row.borrow().service));
    rows.clone().for_each(|row| writer.number(row.borrow().attempts));
    rows.clone().for_each(|row| writer.number(row.borrow().error));
    write_distinct(writer, rows.map(|row| row.borrow().distinct));
}

fn read_services(reader: &mut Reader<'_>) -> Rows<ServiceCount> {
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
fn write_hours(writer: &mut Writer, rows: impl Iterator<Item = Option<Hours>> + Clone) {
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

fn read_hours<'a>(reader: &mut Reader<'_>, mut rows: impl Iterator<Item = &'a mut Option<Hours>>) {
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

fn write_sources<R: Borrow<SourceCount>>(
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

fn read_sources(reader: &mut Reader<'_>, date: Date, unit: Unit) -> Rows<SourceCount> {
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

fn write_pairs<R: Borrow<PairCount>>(writer: &mut Writer, rows: impl Iterator<Item = R> + Clone) {
    rows.clone().for_each(|row| write_service(writer, row.borrow().service));
    rows.clone().for_each(|row| write_address(writer, row.borrow().address));
    rows.clone().for_each(|row| writer.number(row.borrow().attempts));
    rows.for_each(|row| writer.number(row.borrow().error));
}

fn read_pairs(reader: &mut Reader<'_>) -> Rows<PairCount> {
    let service = Service { protocol: 0, port: 0 };
    let mut pairs =
        read_head(reader, 5, PairCount { service, address: Address::v4(0), attempts: 0, error: 0 });
    pairs.rows.iter_mut().for_each(|row| row.service = read_service(reader));
    pairs.rows.iter_mut().for_each(|row| row.address = read_address(reader));
    pairs.rows.iter_mut().for_each(|row| row.attempts = reader.number());
    pairs.rows.iter_mut().for_each(|row| row.error = reader.number());
    pairs
}

fn write_country(writer: &mut Writer, country: Country) {
    writer.u8(country.0[0]);
    writer.u8(country.0[1]);
}

fn read_country(reader: &mut Reader<'_>) -> Country {
    Country([reader.u8(), reader.u8()])
}

fn write_countries(writer: &mut Writer, countries: &Countries) {
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

fn read_countries(reader: &mut Reader<'_>) -> Countries {
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

/// Hashes ascend, so their differences are stored; then the values; then how many services each source tried, these
/// services, and their numbers.
pub fn write_sample<T: Copy>(writer: &mut Writer, sample: &Sample<T>, value: impl Fn(&mut Writer, T)) {
    writer.number(sample.bound());
    writer.number(sample.sources().len() as u64);
    let mut before = 0;
    for (hash, _) in sample.sources() {
        writer.number((hash - before).into());
        before = *hash;
    }
    sample.sources().iter().for_each(|(_, known)| value(writer, *known));
    let counts = |hash: u32| {
        let tried = sample.tried();
        let first = tried.partition_point(|(known, _)| *known < hash);
        tried[first..].iter().take_while(|(known, _)| *known == hash).count() as u64
    };
    sample.sources().iter().for_each(|(hash, _)| writer.number(counts(*hash)));
    let services = by_frequency(sample.tried());
    writer.number(services.len() as u64);
    services.iter().for_each(|service| write_service(writer, Service::from_bits(*service)));
    let mut places: Vec<(u32, u64)> = services.iter().copied().zip(0..).collect();
    places.sort_unstable();
    for (_, service) in sample.tried() {
        let at = places.partition_point(|(known, _)| known < service);
        writer.number(places[at].1);
    }
}

/// The services that were tried, the most frequent first: their numbers are then small.
fn by_frequency(tried: &[(u32, u32)]) -> Vec<u32> {
    let mut all: Vec<u32> = tried.iter().map(|(_, service)| *service).collect();
    all.sort_unstable();
    let mut counted: Vec<(usize, u32)> =
        all.chunk_by(|a, b| a == b).map(|same| (same.len(), same[0])).collect();
    counted.sort_unstable_by_key(|(count, service)| (std::cmp::Reverse(*count), *service));
    counted.into_iter().map(|(_, service)| service).collect()
}

pub fn read_sample<T: Copy>(
    reader: &mut Reader<'_>,
    value: impl Fn(&mut Reader<'_>) -> T,
) -> Option<Sample<T>> {
    let bound = reader.number();
    let count = items(reader, 3);
    let mut hash = 0u32;
    let hashes: Vec<u32> = (0..count)
        .map(|_| {
            hash = hash.saturating_add(reader.small());
            hash
        })
        .collect();
    let sources: Vec<(u32, T)> = hashes.iter().map(|hash| (*hash, value(reader))).collect();
    let counts: Vec<u64> = (0..count).map(|_| reader.number()).collect();
    let services: Vec<u32> = (0..items(reader, 2)).map(|_| read_service(reader).to_bits()).collect();
    let mut tried = Vec::with_capacity(count);
    for ((hash, _), count) in sources.iter().zip(counts) {
        for _ in 0..count {
            match services.get(reader.small() as usize) {
                Some(service) => tried.push((*hash, *service)),
                None => reader.fail(),
            }
            if reader.has_failed() || tried.len() > 16 * MOST_ROWS {
                reader.fail();
                return None;
            }
        }
    }
    let sample = Sample::from_parts(bound, sources, tried);
    if sample.is_none() {
        reader.fail();
    }
    sample
}

#[cfg(test)]
pub(crate) mod tests;
