//! The bodies of sections <-> summaries.
//!
//! A section has one body for each day and class that has data: `date`, `class`, length, body. A reader skips bodies
//! that it does not need. Within a body each field is a column, which deflates better than rows.

mod rows;
mod samples;

use crate::event::Class;
use crate::event::calendar::Date;
use crate::stats::countries::Country;
use crate::stats::day::{Day, Samples};
use crate::stats::summary::{ClassSummary, DaySummary};

use super::codec::{Codec, Content, Reader};
use super::container::{Kind, Section};
use super::directory::Open;

use rows::*;
pub(super) use rows::{address, distinct, service};

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

/// The unit of stored times: seconds for an open day, minutes for a closed one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    Seconds = 1,
    Minutes = 60,
}

/// How a section is made of its content: [`Section::plain`] or [`Section::packed`].
pub type Pack = fn(Kind, Content) -> Section;

/// The sections of some days (or of the sum of a month, with the first of the month as date), made one by one.
pub fn encode(days: &[DaySummary], unit: Unit, pack: Pack) -> impl Iterator<Item = Section> {
    encode_with(days, None, unit, pack)
}

/// The sections of an open day with all its rows, made one by one.
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
        let mut content = Content::default();
        for day in days {
            for class in Class::ALL {
                put(&mut content, day.date, class, |body| {
                    write_body(body, kind, day.date, day.class(class), unit);
                });
            }
        }
        if let Some(day) = open {
            for class in Class::ALL {
                put(&mut content, day.date, class, |body| write_open_body(body, kind, day, class));
            }
        }
        pack(kind, content)
    })
}

/// The samples of the classes that have sources without a row.
pub fn encode_samples(date: Date, samples: &Samples, pack: Pack) -> Section {
    let mut content = Content::default();
    for (class, sample) in Class::ALL.into_iter().zip(samples) {
        put(&mut content, date, class, |body| {
            sample.iter().for_each(|sample| samples::write_with_addresses(body, sample));
        });
    }
    pack(Kind::Addresses, content)
}

/// A day from a file that holds days by date, and the samples of its open classes.
pub struct StoredDay {
    pub summary: DaySummary,
    pub samples: Samples,
}

impl StoredDay {
    /// Drops the samples: those of two salts cannot be joined.
    pub fn drop_samples(&mut self) {
        self.samples = Samples::default();
        // A day that has samples is a closed one: they stay, without sources.
        let samples = self.summary.classes.iter_mut().filter_map(|class| class.sample.as_mut());
        samples.for_each(|sample| sample.forget());
    }
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

fn write_open_body(content: &mut Content, kind: Kind, day: &Day, class: Class) {
    let tables = day.tables(class);
    let [services, sources, pairs] = tables.heads();
    let head = |content: &mut Content, head: [u64; 3]| head.iter().for_each(|number| content.put(*number));
    match kind {
        _ if tables.count() == 0 => {}
        Kind::Services => {
            head(content, services);
            rows::services(content, &mut Made(tables.services()));
        }
        Kind::ServiceHours => write_hours(content, tables.services().map(|row| row.hours)),
        Kind::Sources => {
            head(content, sources);
            rows::sources(content, &mut Made(tables.sources()), day.date, Unit::Seconds);
        }
        Kind::SourceHours => write_hours(content, tables.sources().map(|row| row.hours)),
        Kind::Pairs => {
            head(content, pairs);
            write_pairs(content, tables.pair_counts(), |address| tables.row_of_source(address));
        }
        // Countries are looked up when the day is closed, and samples are written with addresses.
        Kind::Countries | Kind::Sample | Kind::SampleCountries | Kind::SampleServices => {}
        _ => write_body(content, kind, day.date, &tables.totals_only(), Unit::Seconds),
    }
}

/// Adds a body, unless it is empty.
fn put(content: &mut Content, date: Date, class: Class, body: impl FnOnce(&mut Content)) {
    let head = Content::of(|head| body_head(head, &mut date.clone(), &mut class.clone()));
    content.nested(&head.bytes, body);
}

fn body_head(codec: &mut impl Codec, date: &mut Date, class: &mut Class) {
    codec.date(date);
    codec.one_of(class, &Class::ALL);
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
        let (mut date, mut class) = (Date(0), Class::Attempt);
        body_head(&mut reader, &mut date, &mut class);
        let mut body = reader.nested();
        if reader.has_failed() {
            return false;
        }
        if wanted(date, class) {
            read(date, class, &mut body);
            valid &= body.is_whole();
        }
    }
    valid
}

fn write_body(content: &mut Content, kind: Kind, date: Date, summary: &ClassSummary, unit: Unit) {
    let ClassSummary { services, sources, pairs, sample, .. } = summary;
    match kind {
        Kind::Totals if summary.attempts > 0 => {
            let ClassSummary { attempts, distinct, hours, verdicts, .. } = *summary;
            let (protocols, none) = (summary.protocols.clone(), ClassSummary::default());
            totals(content, &mut ClassSummary { attempts, distinct, hours, verdicts, protocols, ..none });
        }
        Kind::Services if services.has_any() => {
            write_head(content, services);
            rows::services(content, &mut Made(services.rows.iter().cloned()));
        }
        Kind::ServiceHours => write_hours(content, services.rows.iter().map(|row| row.hours.clone())),
        Kind::Sources if sources.has_any() => {
            write_head(content, sources);
            rows::sources(content, &mut Made(sources.rows.iter().cloned()), date, unit);
        }
        Kind::SourceHours => write_hours(content, sources.rows.iter().map(|row| row.hours.clone())),
        Kind::Pairs if pairs.has_any() => {
            write_head(content, pairs);
            write_pairs(content, pairs.rows.iter().cloned(), rows_by_address(sources));
        }
        Kind::Rules if !summary.rules.is_empty() || summary.targets.has_any() => {
            write_rules(content, summary)
        }
        Kind::Countries if summary.countries.measured > 0 => {
            countries(content, &mut summary.countries.clone())
        }
        Kind::Sample | Kind::SampleCountries | Kind::SampleServices if summary.attempts > 0 => {
            match (kind, sample) {
                (Kind::Sample, Some(sample)) => samples::write_hashes(content, sample),
                (Kind::SampleCountries, Some(sample)) => samples::write_countries(content, sample),
                (_, Some(sample)) if !sample.tried().is_empty() => samples::write_services(content, sample),
                _ => {}
            }
        }
        _ => {}
    }
}

/// Reads a body of one of [`KINDS`] into a summary, in their order: hours after their rows, pairs after sources, what
/// belongs to a sample after its hashes.
pub fn read_body(reader: &mut Reader<'_>, kind: Kind, date: Date, summary: &mut ClassSummary, unit: Unit) {
    let ClassSummary { services, sources, sample, .. } = summary;
    match (kind, sample) {
        (Kind::Totals, _) => totals(reader, summary),
        (Kind::Services, _) => *services = read_services(reader),
        (Kind::ServiceHours, _) => read_hours(reader, services.rows.iter_mut().map(|row| &mut row.hours)),
        (Kind::Sources, _) => *sources = read_sources(reader, date, unit),
        (Kind::SourceHours, _) => read_hours(reader, sources.rows.iter_mut().map(|row| &mut row.hours)),
        (Kind::Pairs, _) => summary.pairs = read_pairs(reader, sources),
        (Kind::Rules, _) => read_rules(reader, summary),
        (Kind::Countries, _) => countries(reader, &mut summary.countries),
        (Kind::Sample, sample) => *sample = samples::read_hashes(reader, Country::NONE),
        (Kind::SampleCountries, Some(sample)) => samples::read_countries(reader, sample),
        (Kind::SampleServices, Some(sample)) => samples::read_services(reader, sample),
        _ => reader.fail(),
    }
}

#[cfg(test)]
pub(crate) mod tests;
