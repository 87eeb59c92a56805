//! The bodies of sections <-> summaries.
//!
//! A section holds one body for each day and class that has something to say: `date`, `class`, length, body. A reader
//! skips bodies that it does not need. Within a body each field is a column, which deflates better than rows.

mod rows;
mod samples;

use crate::event::Class;
use crate::event::calendar::Date;
use crate::stats::countries::Country;
use crate::stats::day::{Day, Samples};
use crate::stats::summary::{ClassSummary, DaySummary, Rows};

use super::codec::{Content, Reader, Writer};
use super::container::{Kind, Section};
use super::directory::Open;

use rows::*;
pub(super) use rows::{read_address, read_service, write_address, write_service};

/// More rows no table has.
const MAX_ROWS: usize = 16_384;

/// The kinds of section that hold a day's statistics, in the order of the file.
pub const KINDS: [Kind; 11] = [
    Kind::Totals,
    Kind::Services,
    Kind::ServiceHours,
    Kind::Sources,
    Kind::SourceHours,
    Kind::Pairs,
    Kind::Countries,
    Kind::Sample,
    Kind::SampleCountries,
    Kind::SampleServices,
    Kind::Rules,
];

/// How exactly times are stored: seconds of an open day, minutes of a closed one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    Seconds = 1,
    Minutes = 60,
}

/// How a section is made of what it holds: [`Section::plain`] or [`Section::packed`].
pub type Pack = fn(Kind, Content) -> Section;

/// The sections of some days (or of the sum of a month, with the first of the month as date), each made when it is
/// asked for.
pub fn encode(days: &[DaySummary], unit: Unit, pack: Pack) -> impl Iterator<Item = Section> {
    encode_with(days, None, unit, pack)
}

/// The sections of an open day with all its rows, which are made while they are written.
pub fn encode_open(day: &Day, pack: Pack) -> impl Iterator<Item = Section> {
    encode_with(&[], Some(day), Unit::Seconds, pack)
        .chain(std::iter::once_with(move || encode_samples(day.date, &day.samples(), pack)))
}

/// The sections of some days and, without its samples, of an open one.
pub fn encode_with<'a>(
    days: &'a [DaySummary],
    open: Option<&'a Day>,
    unit: Unit,
    pack: Pack,
) -> impl Iterator<Item = Section> {
    KINDS.into_iter().map(move |kind| {
        let mut writer = Writer::new();
        for day in days {
            for class in Class::ALL {
                put(&mut writer, day.date, class, |body| {
                    write_body(body, kind, day.date, day.class(class), unit);
                });
            }
        }
        if let Some(day) = open {
            for class in Class::ALL {
                put(&mut writer, day.date, class, |body| write_open_body(body, kind, day, class));
            }
        }
        pack(kind, writer.into())
    })
}

/// The samples of the classes that have sources without a row.
pub fn encode_samples(date: Date, samples: &Samples, pack: Pack) -> Section {
    let mut writer = Writer::new();
    for (class, sample) in Class::ALL.into_iter().zip(samples) {
        put(&mut writer, date, class, |body| {
            sample.iter().for_each(|sample| samples::write_with_addresses(body, sample));
        });
    }
    pack(Kind::Addresses, writer.into())
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
        let content = match file.content(kind) {
            Ok(Some(content)) => content,
            Ok(None) => continue,
            Err(_) => {
                whole = false;
                continue;
            }
        };
        whole &= bodies(
            &content,
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
                    Kind::Addresses => days[at].samples[class as usize] = samples::read_with_addresses(body),
                    kind => read_body(body, kind, date, &mut days[at].summary.classes[class as usize], unit),
                }
            },
        );
    }
    (days, whole)
}

fn write_open_body(writer: &mut Writer, kind: Kind, day: &Day, class: Class) {
    let tables = day.tables(class);
    let floors = tables.heads().map(|[floor, missing, _]| (floor, missing));
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
            write_pairs(writer, tables.pair_counts(), |address| tables.row_of_source(address));
        }
        // Countries are looked up when the day is closed, and samples are written with addresses.
        Kind::Countries | Kind::Sample | Kind::SampleCountries | Kind::SampleServices => {}
        _ => write_body(writer, kind, day.date, &tables.totals_only(), Unit::Seconds),
    }
}

/// Adds a body, unless it is empty.
fn put(writer: &mut Writer, date: Date, class: Class, body: impl FnOnce(&mut Writer)) {
    let mut head = Writer::new();
    head.number(u64::from(date.0.cast_unsigned()));
    head.u8(class as u8);
    writer.nested(&head.bytes, body);
}

/// Reads the bodies that are wanted; false if the section contains an invalid one.
pub fn bodies(
    content: &Content,
    wanted: impl Fn(Date, Class) -> bool,
    mut read: impl FnMut(Date, Class, &mut Reader<'_>),
) -> bool {
    let mut reader = Reader::of(content);
    let mut valid = true;
    while !reader.is_empty() {
        let date = Date(reader.small().cast_signed());
        let class = Class::ALL.get(usize::from(reader.u8()));
        let mut body = reader.nested();
        if reader.has_failed() {
            return false;
        }
        let Some(class) = class else { return false };
        if wanted(date, *class) {
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
            write_pairs(writer, summary.pairs.rows.iter(), rows_by_address(&summary.sources));
        }
        Kind::Rules if !summary.rules.is_empty() || has_rows(&summary.targets) => {
            write_rules(writer, summary)
        }
        Kind::Countries if summary.countries.measured > 0 => write_countries(writer, &summary.countries),
        Kind::Sample | Kind::SampleCountries | Kind::SampleServices if summary.attempts > 0 => {
            if let Some(sample) = &summary.sample {
                match kind {
                    Kind::Sample => samples::write_hashes(writer, sample),
                    Kind::SampleCountries => samples::write_countries(writer, sample),
                    _ if sample.tried().is_empty() => {}
                    _ => samples::write_services(writer, sample),
                }
            }
        }
        _ => {}
    }
}

/// Reads a body of one of [`KINDS`] into a summary, in their order: hours after their rows, pairs after sources, what
/// belongs to a sample after its hashes.
pub fn read_body(reader: &mut Reader<'_>, kind: Kind, date: Date, summary: &mut ClassSummary, unit: Unit) {
    match kind {
        Kind::Totals => read_totals(reader, summary),
        Kind::Services => summary.services = read_services(reader),
        Kind::ServiceHours => {
            read_hours(reader, summary.services.rows.iter_mut().map(|row| &mut row.hours));
        }
        Kind::Sources => summary.sources = read_sources(reader, date, unit),
        Kind::SourceHours => read_hours(reader, summary.sources.rows.iter_mut().map(|row| &mut row.hours)),
        Kind::Pairs => summary.pairs = read_pairs(reader, &summary.sources),
        Kind::Rules => read_rules(reader, summary),
        Kind::Countries => summary.countries = read_countries(reader),
        Kind::Sample => summary.sample = samples::read_hashes(reader, Country::NONE),
        Kind::SampleCountries | Kind::SampleServices => match &mut summary.sample {
            Some(sample) if kind == Kind::SampleCountries => samples::read_countries(reader, sample),
            Some(sample) => samples::read_services(reader, sample),
            None => reader.fail(),
        },
        _ => reader.fail(),
    }
}

fn has_rows<T>(rows: &Rows<T>) -> bool {
    !rows.rows.is_empty() || rows.floor > 0 || rows.missing > 0
}

#[cfg(test)]
pub(crate) mod tests;
