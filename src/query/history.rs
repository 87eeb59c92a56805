//! The interface to stored days and months.
//!
//! Takes the sections and days that a question needs, gives one month at a time. Knows no file.

use super::scan::Span;
use crate::event::Class;
use crate::event::calendar::{Date, Month};
use crate::stats::anomalies::Anomaly;
use crate::stats::sample::Distinct;
use crate::stats::summary::DaySummary;

/// A part of a day's statistics that is stored and read separately. The numbers are those of docs/FORMAT.md.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Section {
    /// Hours, protocols and verdicts.
    Totals = 3,
    Services = 4,
    ServiceHours = 5,
    Sources = 6,
    SourceHours = 7,
    Pairs = 8,
    Countries = 9,
    /// A sample of the sources; what they tried; their countries.
    Sample = 10,
    SampleServices = 20,
    SampleCountries = 19,
    /// Firewall rules, and the inside destinations of forwarded attempts.
    Rules = 22,
    /// Anomalous cells of the month.
    Cells = 2,
}

/// The sections and days that a question needs, besides the totals that every month has.
#[derive(Clone, Debug)]
pub struct Need {
    pub class: Class,
    parts: Vec<(Section, Date, Date)>,
    /// The first needed day, if it is before the question's range.
    pub(super) since: Option<Date>,
}

impl Need {
    /// Needs the totals only.
    pub fn new(class: Class) -> Need {
        Need { class, parts: Vec::new(), since: None }
    }

    /// Needs sections of the days `from..=to`, too.
    pub fn and(mut self, sections: &[Section], from: Date, to: Date) -> Need {
        self.add(sections, Span { from, to });
        self
    }

    /// As [`Need::and`].
    pub(super) fn add(&mut self, sections: &[Section], Span { from, to }: Span) {
        self.parts.extend(sections.iter().map(|section| (*section, from, to)));
        if sections.contains(&Section::Pairs) {
            // Where the addresses of pairs are stored.
            self.parts.push((Section::Sources, from, to));
        }
    }

    /// Needs the totals of the days from this one on, too.
    pub(super) fn add_since(&mut self, date: Date) {
        self.since = Some(self.since.map_or(date, |known| known.min(date)));
    }

    /// Whether the section with this number is needed of any day in `first..=last`.
    pub fn wants(&self, section: u8, first: Date, last: Date) -> bool {
        let overlaps = |from: Date, to: Date| from <= to && from <= last && first <= to;
        self.parts.iter().any(|(known, from, to)| *known as u8 == section && overlaps(*from, *to))
    }
}

/// How much of a month is stored.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
#[repr(u8)]
pub enum Detail {
    /// Days with hours of rows and large samples.
    #[default]
    Fresh = 0,
    /// Days.
    Days = 1,
    /// Totals of days; rows of the whole month only.
    Month = 2,
}

/// One month as far as it was read: with the sections that a question needs, or everything that is stored of it.
#[derive(Clone, Debug, Default)]
pub struct MonthData {
    pub month: Month,
    /// The class that the question is about; of the others only attempts and different sources are read.
    pub class: Class,
    pub detail: Detail,
    /// Different sources of each class; not known if a part of the month is not closed yet.
    pub distinct: [Option<Distinct>; Class::COUNT],
    /// Anomalous cells, if they are needed.
    pub cells: Vec<Anomaly>,
    /// Days with data, oldest first. With rows, unless `detail` is [`Detail::Month`], or they were not wanted or cannot be
    /// read.
    pub days: Vec<DaySummary>,
    /// Rows of the whole month, where its days have none.
    pub whole: Option<Box<DaySummary>>,
    /// Why it is incomplete.
    pub damage: Option<String>,
    /// Days whose rows differ from what is stored, in any order, some twice.
    pub changed: Vec<Date>,
}

impl MonthData {
    /// A month without days.
    pub fn new(month: Month) -> MonthData {
        MonthData { month, ..MonthData::default() }
    }
}

/// A source of days and months.
pub trait History {
    /// The months with data, oldest first.
    fn months(&self) -> Vec<Month>;
    /// Days that are not closed.
    fn open_days(&self) -> Vec<Date> {
        Vec::new()
    }

    /// A month. Of a damaged one, what is readable.
    fn month(&mut self, month: Month, need: &Need) -> MonthData;
}
