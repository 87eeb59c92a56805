//! A month's file, `2026-10.fws`: read in parts for a question, or whole to add days to it.

use crate::event::Class;
use crate::event::calendar::{Date, Month};
use crate::query::history::{ClassTotal, DayData, Detail, MonthData, Need, Section as Wanted};
use crate::stats::anomalies::Anomaly;
use crate::stats::sample::Sample;
use crate::stats::sum::{Sources, sum_of, sum_of_day};
use crate::stats::summary::{ClassSummary, Cuts, DaySummary};

use super::codec::{Content, Reader};
use super::container::{self, Kind, Section, Unreadable};
use super::directory::Open;
use super::sections::{self, Unit};
pub(crate) use summary::{DayTotals, MonthSummary};
use summary::{add_totals, decode_cells, encode_cells};

mod summary;

/// What a question calls the section.
fn wanted(kind: Kind) -> Option<Wanted> {
    Some(match kind {
        Kind::Totals => Wanted::Totals,
        Kind::Services => Wanted::Services,
        Kind::ServiceHours => Wanted::ServiceHours,
        Kind::Sources => Wanted::Sources,
        Kind::SourceHours => Wanted::SourceHours,
        Kind::Pairs => Wanted::Pairs,
        Kind::Countries => Wanted::Countries,
        Kind::Sample => Wanted::Sample,
        Kind::SampleServices => Wanted::SampleServices,
        Kind::SampleCountries => Wanted::SampleCountries,
        Kind::Rules => Wanted::Rules,
        _ => return None,
    })
}

/// What adding a day needs of the other days of its month: what is usual, and who the month's different sources are.
pub(super) const OF_OTHER_DAYS: [Kind; 2] = [Kind::Services, Kind::Sample];

/// A month with all that is stored of it.
#[derive(Clone, Debug)]
pub(crate) struct WholeMonth {
    pub month: Month,
    pub summary: MonthSummary,
    pub cells: Vec<Anomaly>,
    /// With rows, unless `summary.detail` is [`Detail::Month`].
    pub days: Vec<DaySummary>,
    /// Rows of the whole month, if it is.
    pub whole: Option<DaySummary>,
    /// Days whose rows differ from what is stored, in any order, some twice.
    pub changed: Vec<Date>,
}

impl WholeMonth {
    pub(crate) fn new(month: Month, detail: Detail) -> WholeMonth {
        let summary = MonthSummary { detail, ..MonthSummary::default() };
        let (cells, days, changed) = (Vec::new(), Vec::new(), Vec::new());
        WholeMonth { month, summary, cells, days, whole: None, changed }
    }

    /// Adds days, each to what there is of it. Totals that were known of a month before are added to, never replaced.
    pub(crate) fn add(&mut self, new: Vec<DaySummary>) {
        let is_new = self.days.is_empty();
        let class = |class| (self.summary.detail == Detail::Month).then(|| Cuts::of_month(class));
        let cuts = Class::ALL.map(|known| {
            class(known).unwrap_or(match self.summary.detail {
                Detail::Fresh => Cuts::of_day(known),
                _ => Cuts::of_old_day(known),
            })
        });
        for day in new {
            self.changed.push(day.date);
            self.add_day_totals(&DayTotals::of(&day));
            if self.summary.detail == Detail::Month {
                let known = self.whole.take().unwrap_or_else(|| DaySummary::new(self.month.first_day()));
                let classes = sum_of([&known, &day].into_iter());
                self.whole = Some(DaySummary { classes, ..known });
                continue;
            }
            match self.days.iter_mut().find(|known| known.date == day.date) {
                None => self.days.push(day),
                Some(known) => {
                    *known = sum_of_day(known, &day);
                    if let Ok(at) = self.summary.days.binary_search_by_key(&day.date, |known| known.date) {
                        self.summary.days[at] = DayTotals::of(known);
                    }
                }
            }
        }
        self.days.sort_by_key(|day| day.date);
        for day in self.days.iter_mut().chain(&mut self.whole) {
            Class::ALL.iter().for_each(|class| day.classes[*class as usize].cut(cuts[*class as usize]));
        }
        if is_new && self.summary.detail == Detail::Days {
            self.align_samples();
        }
        self.count_sources();
    }

    /// Adds what another file has of the same month.
    pub(crate) fn join(&mut self, other: WholeMonth) {
        let Some(more) = other.whole else { return self.add(other.days) };
        if self.summary.detail != Detail::Month {
            self.drop_days();
        }
        for totals in &other.summary.days {
            self.add_day_totals(totals);
        }
        let known = self.whole.take().unwrap_or_else(|| DaySummary::new(self.month.first_day()));
        let mut classes = sum_of([&known, &more].into_iter());
        Class::ALL.iter().for_each(|class| classes[*class as usize].cut(Cuts::of_month(*class)));
        self.whole = Some(DaySummary { classes, ..known });
        self.count_sources();
    }

    fn add_day_totals(&mut self, totals: &DayTotals) {
        match self.summary.days.binary_search_by_key(&totals.date, |known| known.date) {
            Err(at) => self.summary.days.insert(at, *totals),
            Ok(at) => add_totals(&mut self.summary.days[at], totals),
        }
    }

    /// The month's different sources, from the samples of its days.
    fn count_sources(&mut self) {
        if let Some(whole) = &self.whole {
            self.summary.distinct = whole.classes.each_ref().map(|class| class.distinct);
            return;
        }
        self.summary.distinct = Class::ALL.map(|class| {
            let mut sources = Sources::default();
            for day in self.days.iter().map(|day| day.class(class)) {
                sources.add(day.attempts, day.distinct, day.sample.as_ref());
            }
            sources.distinct()
        });
    }

    pub(crate) fn set_cells(&mut self, mut cells: Vec<Anomaly>) {
        cells.sort_by_key(|cell| (cell.date, cell.service));
        self.cells = cells;
    }

    /// Cuts samples to what the union of all days can use: what lies below the lowest of their bounds.
    fn align_samples(&mut self) {
        for class in Class::ALL {
            let samples = || self.days.iter().filter_map(|day| day.class(class).sample.as_ref());
            let Some(lowest) = samples().map(Sample::bound).min() else { continue };
            let classes = self.days.iter_mut().map(|day| &mut day.classes[class as usize]);
            classes.filter_map(|class| class.sample.as_mut()).for_each(|sample| sample.align(lowest));
        }
    }

    /// Removes all days but these. A month without days is left as it is.
    pub(crate) fn keep_days(&mut self, is_kept: impl Fn(Date) -> bool) {
        let is_over = |day: &DayTotals| !is_kept(day.date);
        if self.summary.detail != Detail::Month && self.summary.days.iter().any(is_over) {
            self.changed.extend(self.summary.days.iter().filter(|day| is_over(day)).map(|day| day.date));
            self.days.retain(|day| is_kept(day.date));
            self.summary.days.retain(|day| is_kept(day.date));
            self.cells.retain(|cell| is_kept(cell.date));
            self.count_sources();
        }
    }

    /// Removes the samples, which are of another store: unions of days are not known any more.
    pub(crate) fn drop_samples(&mut self) {
        self.changed.extend(self.days.iter().map(|day| day.date));
        let days = self.days.iter_mut().chain(&mut self.whole);
        days.flat_map(|day| &mut day.classes).for_each(|class| class.sample = None);
    }

    /// Removes the hours of rows and shrinks the samples.
    pub(crate) fn drop_hours(&mut self) {
        self.summary.detail = Detail::Days;
        for day in &mut self.days {
            Class::ALL.iter().for_each(|class| day.classes[*class as usize].cut(Cuts::of_old_day(*class)));
        }
        self.align_samples();
    }

    /// Replaces the rows of the days by those of the month. The number of different sources stays as exact as it was.
    pub(crate) fn drop_days(&mut self) {
        self.summary.detail = Detail::Month;
        let mut classes = sum_of(self.days.iter());
        for class in Class::ALL {
            let summary = &mut classes[class as usize];
            summary.distinct = self.summary.distinct[class as usize];
            summary.cut(Cuts::of_month(class));
        }
        self.whole = Some(DaySummary { classes, ..DaySummary::new(self.month.first_day()) });
        self.days.clear();
    }

    /// The month's file. The days of a fresh month have files of their own.
    pub(crate) fn encode(&self, salt: u64) -> Vec<u8> {
        let days = match (&self.whole, self.summary.detail) {
            (Some(whole), _) => std::slice::from_ref(whole),
            (None, Detail::Fresh) => &[],
            (None, _) => &self.days[..],
        };
        let mut file = vec![
            Section::plain(Kind::Summary, self.summary.encode(self.month)),
            Section::packed(Kind::Cells, encode_cells(&self.cells)),
        ];
        file.extend(sections::encode(days, Unit::Minutes, Section::packed));
        container::write(salt, &file)
    }

    /// The file of a day of a fresh month.
    pub(crate) fn encode_day(&self, date: Date, salt: u64) -> Option<Vec<u8>> {
        let day = self.days.iter().find(|day| day.date == date)?;
        let sections = sections::encode(std::slice::from_ref(day), Unit::Minutes, Section::packed);
        Some(container::write(salt, &sections.collect::<Vec<_>>()))
    }

    /// Reads sections of a day's file; of a day that the month's summary lacks, all.
    pub(crate) fn read_day(&mut self, file: &Open, date: Date, kinds: &[Kind]) -> Damage {
        let mut damage = None;
        let known = self.summary.days.binary_search_by_key(&date, |day| day.date);
        let at = self.days.binary_search_by_key(&date, |day| day.date).unwrap_or_else(|at| {
            self.days.insert(at, DaySummary::new(date));
            at
        });
        let kinds = if known.is_ok() { kinds } else { &sections::KINDS };
        let day = &mut self.days[at];
        read_bodies(file, kinds, |_, _, _| true, &mut damage, &mut |kind, known, class, body| {
            if known == date {
                sections::read_body(body, kind, date, &mut day.classes[class as usize], Unit::Minutes);
            } else {
                body.fail();
            }
        });
        match known {
            Ok(known) => self.summary.days[known].give_to(day),
            Err(at) => self.summary.days.insert(at, DayTotals::of(day)),
        }
        damage
    }
}

/// What was found of a file's damage, the first of it.
type Damage = Option<&'static str>;

/// A section, if the file has it; damage is noted.
fn section(file: &Open, kind: Kind, damage: &mut Damage) -> Option<Content> {
    match file.content(kind) {
        Ok(section) => section,
        Err(unreadable) => {
            damage.get_or_insert(match unreadable {
                Unreadable::Damaged(what) => what,
                Unreadable::Newer(_) => "written by a newer version",
            });
            None
        }
    }
}

const INVALID: &str = "contains an invalid record";

fn read_summary(file: &Open, month: Month, damage: &mut Damage) -> Option<MonthSummary> {
    let bytes = section(file, Kind::Summary, damage);
    if let Some(summary) = bytes.and_then(|content| MonthSummary::decode(&content.bytes, month)) {
        return Some(summary);
    }
    damage.get_or_insert(INVALID);
    let days = read_totals(file, month, damage);
    (!days.is_empty()).then_some(MonthSummary { detail: Detail::Days, days, ..MonthSummary::default() })
}

/// The totals of days, from their bodies.
fn read_totals(file: &Open, month: Month, damage: &mut Damage) -> Vec<DayTotals> {
    let mut days: Vec<DayTotals> = Vec::new();
    let is_in = |_, date: Date, _| date.month() == month;
    read_bodies(file, &[Kind::Totals], is_in, damage, &mut |kind, date, class, body| {
        let mut known = ClassSummary::default();
        sections::read_body(body, kind, date, &mut known, Unit::Minutes);
        let at = days.binary_search_by_key(&date, |day| day.date).unwrap_or_else(|at| {
            days.insert(at, DayTotals::of(&DaySummary::new(date)));
            at
        });
        days[at].totals[class as usize] = ClassTotal { attempts: known.attempts, distinct: known.distinct };
    });
    days
}

/// Reads the wanted bodies of sections.
fn read_bodies(
    file: &Open,
    kinds: &[Kind],
    is_wanted: impl Fn(Kind, Date, Class) -> bool,
    damage: &mut Damage,
    read: &mut dyn FnMut(Kind, Date, Class, &mut Reader<'_>),
) {
    for kind in kinds {
        let Some(content) = section(file, *kind, damage) else { continue };
        let is_wanted = |date, class| is_wanted(*kind, date, class);
        if !sections::bodies(&content, is_wanted, |date, class, body| read(*kind, date, class, body)) {
            damage.get_or_insert(INVALID);
        }
    }
}

fn read_cells(file: &Open, damage: &mut Damage) -> Vec<Anomaly> {
    let Some(content) = section(file, Kind::Cells, damage) else { return Vec::new() };
    decode_cells(&content.bytes).unwrap_or_else(|| {
        damage.get_or_insert(INVALID);
        Vec::new()
    })
}

/// Reads what a question needs of a month.
pub(crate) fn read(file: &Open, month: Month, need: &Need) -> (MonthData, Damage) {
    let mut damage = None;
    let mut data = MonthData::new(month);
    let Some(summary) = read_summary(file, month, &mut damage) else { return (data, damage) };
    data.detail = summary.detail;
    data.distinct = Some(summary.distinct);
    data.days = summary
        .days
        .iter()
        .map(|day| {
            let ClassTotal { attempts, distinct } = day.totals[need.class as usize];
            let summary = ClassSummary { attempts, distinct, ..ClassSummary::default() };
            DayData { lost: day.lost, totals: day.totals, summary, ..DayData::new(day.date) }
        })
        .collect();
    if need.wants_in(Wanted::Cells, month) {
        data.cells = read_cells(file, &mut damage);
    }
    let attempts = summary.days.iter().map(|day| day.totals[need.class as usize].attempts);
    let mut whole = ClassSummary {
        attempts: attempts.fold(0, u64::saturating_add),
        distinct: summary.distinct[need.class as usize],
        ..ClassSummary::default()
    };
    let is_whole = summary.detail == Detail::Month;
    let wants = |kind: &Kind| wanted(*kind).is_some_and(|section| need.wants_in(section, month));
    let kinds: Vec<Kind> = sections::KINDS.into_iter().filter(wants).collect();
    let is_wanted = |kind: Kind, date: Date, class: Class| {
        class == need.class && (is_whole || wanted(kind).is_some_and(|section| need.wants(section, date)))
    };
    read_bodies(file, &kinds, is_wanted, &mut damage, &mut |kind, date, _, body| {
        if is_whole {
            sections::read_body(body, kind, date, &mut whole, Unit::Minutes);
        } else if let Ok(at) = data.days.binary_search_by_key(&date, |day| day.date) {
            sections::read_body(body, kind, date, &mut data.days[at].summary, Unit::Minutes);
        } else {
            body.fail();
        }
    });
    if summary.detail == Detail::Month {
        data.whole = Some(whole);
    }
    (data, damage)
}

/// Reads what a question needs of a day from its own file.
pub(crate) fn read_day(file: &Open, date: Date, need: &Need, data: &mut MonthData) -> Damage {
    let mut damage = None;
    let at = data.days.binary_search_by_key(&date, |day| day.date).unwrap_or_else(|at| {
        // The month's summary is lost.
        let totals = read_totals(file, data.month, &mut damage).first().map(|day| day.totals);
        let mut day = DayData { totals: totals.unwrap_or_default(), ..DayData::new(date) };
        let ClassTotal { attempts, distinct } = day.total(need.class);
        (day.summary.attempts, day.summary.distinct) = (attempts, distinct);
        data.days.insert(at, day);
        at
    });
    let wants = |kind: &Kind| wanted(*kind).is_some_and(|section| need.wants(section, date));
    let kinds: Vec<Kind> = sections::KINDS.into_iter().filter(wants).collect();
    let day = &mut data.days[at];
    read_bodies(file, &kinds, |_, _, class| class == need.class, &mut damage, &mut |kind, known, _, body| {
        if known == date {
            sections::read_body(body, kind, date, &mut day.summary, Unit::Minutes);
        } else {
            body.fail();
        }
    });
    damage
}

/// Reads everything that a month's file has.
pub(crate) fn read_whole(file: &Open, month: Month) -> (WholeMonth, Damage) {
    let mut damage = None;
    let mut whole = WholeMonth::new(month, Detail::Fresh);
    let Some(summary) = read_summary(file, month, &mut damage) else { return (whole, damage) };
    whole.cells = read_cells(file, &mut damage);
    let mut days: Vec<DaySummary> = match summary.detail {
        Detail::Month => vec![DaySummary::new(month.first_day())],
        _ => summary
            .days
            .iter()
            .map(|day| DaySummary { lost: day.lost, ..DaySummary::new(day.date) })
            .collect(),
    };
    read_bodies(
        file,
        &sections::KINDS,
        |_, _, _| true,
        &mut damage,
        &mut |kind, date, class, body| match days.binary_search_by_key(&date, |day| day.date) {
            Ok(at) => {
                let summary = &mut days[at].classes[class as usize];
                sections::read_body(body, kind, date, summary, Unit::Minutes);
            }
            Err(_) => body.fail(),
        },
    );
    if summary.detail == Detail::Month {
        whole.whole = days.pop();
    } else {
        days.iter_mut().zip(&summary.days).for_each(|(day, totals)| totals.give_to(day));
        whole.days = days;
    }
    whole.summary = summary;
    (whole, damage)
}

#[cfg(test)]
mod tests;
