//! The bodies of sections <-> summaries.
//!
//! A section has one body for each day and class that has data: `date`, `class`, length, body. A reader skips bodies
//! that it does not need. Within a body each field is a column, which deflates better than rows.

mod rows;
mod samples;

use crate::event::Class;
use crate::event::calendar::Date;
use crate::stats::day::{Day, Samples};
use crate::stats::rows::PairRow;
use crate::stats::summary::{ClassSummary, DaySummary, Rows};

use super::codec::{Codec, Content};
use super::container::{Kind, Open, Section};

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

/// The sections of an open day with all its rows, made one by one.
pub fn encode_open(day: &Day, pack: Pack) -> impl Iterator<Item = Section> {
    encode(&mut [], Some(day), Unit::Seconds, pack)
        .chain(std::iter::once_with(move || encode_samples(day.date, &mut day.samples(), pack)))
}

/// The sections of some days (or of the sum of a month, with the first of the month as date) and, without its samples,
/// of an open one; made one by one.
pub fn encode<'a>(
    days: &'a mut [DaySummary],
    open: Option<&'a Day>,
    unit: Unit,
    pack: Pack,
) -> impl Iterator<Item = Section> {
    KINDS.into_iter().map(move |kind| {
        let mut content = Content::default();
        for day in days.iter_mut() {
            for class in Class::ALL {
                let summary = &mut day.classes[class as usize];
                put(&mut content, day.date, class, |codec| body(codec, kind, day.date, summary, unit));
            }
        }
        for (day, class) in open.into_iter().flat_map(|day| Class::ALL.map(|class| (day, class))) {
            put(&mut content, day.date, class, |codec| open_body(codec, kind, day, class));
        }
        pack(kind, content)
    })
}

/// The samples of the classes that have sources without a row.
pub fn encode_samples(date: Date, samples: &mut Samples, pack: Pack) -> Section {
    let mut content = Content::default();
    for (class, sample) in Class::ALL.into_iter().zip(samples).filter(|(_, sample)| sample.is_some()) {
        put(&mut content, date, class, |codec| samples::with_addresses(codec, sample));
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
        let read = file.content(kind);
        whole &= read.is_ok();
        let Ok(Some(content)) = read else { continue };
        whole &= bodies(
            &content,
            |_, _| true,
            |date, class, codec| {
                let at = days.binary_search_by_key(&date, |day| day.summary.date).unwrap_or_else(|at| {
                    let (summary, samples) = (DaySummary::new(date), Samples::default());
                    days.insert(at, StoredDay { summary, samples });
                    at
                });
                let (day, class) = (&mut days[at], class as usize);
                match kind {
                    Kind::Addresses => samples::with_addresses(codec, &mut day.samples[class]),
                    kind => body(codec, kind, date, &mut day.summary.classes[class], unit),
                }
            },
        );
    }
    (days, whole)
}

fn open_body(codec: &mut Codec<'_>, kind: Kind, day: &Day, class: Class) {
    let tables = day.tables(class);
    let [services, sources, pairs] = tables.heads();
    let head = |codec: &mut Codec<'_>, head: [u64; 3]| head.iter().for_each(|number| codec.put(*number));
    match kind {
        _ if tables.count() == 0 => {}
        Kind::Services => {
            head(codec, services);
            rows::services(codec, &mut Made(tables.services()));
        }
        Kind::ServiceHours => hours(codec, &mut Made(tables.services()), |row| &mut row.hours),
        Kind::Sources => {
            head(codec, sources);
            rows::sources(codec, &mut Made(tables.sources()), day.date, Unit::Seconds);
        }
        Kind::SourceHours => hours(codec, &mut Made(tables.sources()), |row| &mut row.hours),
        Kind::Pairs => {
            head(codec, pairs);
            let row_of = |pair: &PairRow| tables.row_of_source(pair.address).map(|row| row as u64);
            let mut source_rows = tables.pairs().iter().map(row_of).collect();
            let mut rows = Made(tables.pairs().iter().map(PairRow::counted));
            pair_columns(codec, &mut rows, &mut source_rows, &Rows::default());
        }
        // Countries are looked up when the day is closed, and samples are written with addresses.
        Kind::Countries | Kind::Sample | Kind::SampleCountries | Kind::SampleServices => {}
        _ => body(codec, kind, day.date, &mut tables.totals_only(), Unit::Seconds),
    }
}

/// Adds a body, unless it is empty.
fn put(content: &mut Content, date: Date, class: Class, body: impl FnOnce(&mut Codec<'_>)) {
    let head = Content::of(|head| body_head(head, &mut date.clone(), &mut class.clone()));
    content.nested(&head.bytes, body);
}

fn body_head(codec: &mut Codec<'_>, date: &mut Date, class: &mut Class) {
    codec.date(date);
    codec.one_of(class, &Class::ALL);
}

/// Reads the bodies that are wanted; false if the section contains an invalid one.
pub fn bodies(
    content: &Content,
    wanted: impl Fn(Date, Class) -> bool,
    mut read: impl FnMut(Date, Class, &mut Codec<'_>),
) -> bool {
    let mut reader = content.reader();
    let mut valid = true;
    while !reader.is_empty() {
        let (mut date, mut class) = (Date(0), Class::Attempt);
        body_head(&mut reader, &mut date, &mut class);
        let mut body = reader.nested();
        if reader.failed {
            return false;
        }
        if wanted(date, class) {
            read(date, class, &mut body);
            valid &= body.is_whole();
        }
    }
    valid
}

/// Whether a body has something to write.
fn has_any(kind: Kind, summary: &ClassSummary) -> bool {
    let ClassSummary { attempts, services, sources, pairs, targets, sample, .. } = summary;
    match kind {
        Kind::Totals => *attempts > 0,
        Kind::Services => services.has_any(),
        Kind::Sources => sources.has_any(),
        Kind::Pairs => pairs.has_any(),
        Kind::Rules => !summary.rules.is_empty() || targets.has_any(),
        Kind::Countries => summary.countries.measured > 0,
        Kind::Sample | Kind::SampleCountries => *attempts > 0 && sample.is_some(),
        Kind::SampleServices => {
            *attempts > 0 && sample.as_ref().is_some_and(|sample| !sample.tried().is_empty())
        }
        _ => true,
    }
}

/// A body of one of [`KINDS`]. They are read in their order: hours after their rows, pairs after sources, what belongs
/// to a sample after its hashes.
pub fn body(codec: &mut Codec<'_>, kind: Kind, date: Date, summary: &mut ClassSummary, unit: Unit) {
    if codec.writes() && !has_any(kind, summary) {
        return;
    }
    let ClassSummary { services, sources, sample, .. } = summary;
    match (kind, sample) {
        (Kind::Totals, _) => totals(codec, summary),
        (Kind::Services, _) => {
            head(codec, services);
            rows::services(codec, &mut services.rows);
        }
        (Kind::ServiceHours, _) => hours(codec, &mut services.rows, |row| &mut row.hours),
        (Kind::Sources, _) => {
            head(codec, sources);
            rows::sources(codec, &mut sources.rows, date, unit);
        }
        (Kind::SourceHours, _) => hours(codec, &mut sources.rows, |row| &mut row.hours),
        (Kind::Pairs, _) => pairs(codec, &mut summary.pairs, sources),
        (Kind::Rules, _) => rules(codec, summary),
        (Kind::Countries, _) => countries(codec, &mut summary.countries),
        (Kind::Sample, sample) => samples::hashes(codec, sample),
        (Kind::SampleCountries, Some(sample)) => samples::countries(codec, sample),
        (Kind::SampleServices, Some(sample)) => samples::services(codec, sample),
        _ => codec.fail(),
    }
}

#[cfg(test)]
pub(crate) mod tests;
