//! A month's file, `2026-10.fws`: read in parts for a question, or completely to add days.

use crate::event::Class;
use crate::event::calendar::{Date, Month};
use crate::query::history::{ClassTotal, DayData, Detail, MonthData, Need, Section as SectionName};
use crate::stats::anomalies::Anomaly;
use crate::stats::sample::Sample;
use crate::stats::sum::{Sources, sum_of, sum_of_day};
use crate::stats::summary::{ClassSummary, Cuts, DaySummary};

use super::codec::{Codec, Content, Reader};
use super::container::{self, Kind, Section, Unreadable};
use super::directory::Open;
use super::sections::{self, Unit};
pub(crate) use summary::{DayTotals, MonthSummary};
use summary::{add_totals, decode_cells, encode_cells};

mod summary;

/// What is to be read of a month or a day.
#[derive(Clone, Copy)]
pub(crate) enum Wanted<'a> {
    All,
    /// What a question needs.
    Need(&'a Need),
    /// What adding a day needs of the other days of its month: services, for anomalies, and samples.
    OfOtherDays,
}

impl Wanted<'_> {
    fn of_class(self, class: Class) -> bool {
        if let Wanted::Need(need) = self { class == need.class } else { true }
    }

    fn in_month(self, kind: Kind, month: Month) -> bool {
        match self {
            Wanted::All => true,
            Wanted::Need(need) => section_of(kind).is_some_and(|section| need.wants_in(section, month)),
            Wanted::OfOtherDays => matches!(kind, Kind::Services | Kind::Sample),
        }
    }

    fn on_day(self, kind: Kind, date: Date) -> bool {
        match self {
            Wanted::Need(need) => section_of(kind).is_some_and(|section| need.wants(section, date)),
            _ => self.in_month(kind, date.month()),
        }
    }
}

/// The section's name in a question.
fn section_of(kind: Kind) -> Option<SectionName> {
    Some(match kind {
        Kind::Totals => SectionName::Totals,
        Kind::Services => SectionName::Services,
        Kind::ServiceHours => SectionName::ServiceHours,
        Kind::Sources => SectionName::Sources,
        Kind::SourceHours => SectionName::SourceHours,
        Kind::Pairs => SectionName::Pairs,
        Kind::Countries => SectionName::Countries,
        Kind::Sample => SectionName::Sample,
        Kind::SampleServices => SectionName::SampleServices,
        Kind::SampleCountries => SectionName::SampleCountries,
        Kind::Rules => SectionName::Rules,
        Kind::Cells => SectionName::Cells,
        _ => return None,
    })
}

/// A month with everything that is stored of it.
#[derive(Clone, Debug)]
pub(crate) struct WholeMonth {
    pub month: Month,
    pub summary: MonthSummary,
    pub cells: Vec<Anomaly>,
    /// With rows, unless `summary.detail` is [`Detail::Month`].
    pub days: Vec<DaySummary>,
    /// Rows of the whole month, if it is.
    pub whole: Option<Box<DaySummary>>,
    /// Days whose rows differ from what is stored, in any order, some twice.
    pub changed: Vec<Date>,
}

impl WholeMonth {
    /// A month without days.
    pub(crate) fn new(month: Month, detail: Detail) -> WholeMonth {
        let summary = MonthSummary { detail, ..MonthSummary::default() };
        let (cells, days, changed) = (Vec::new(), Vec::new(), Vec::new());
        WholeMonth { month, summary, cells, days, whole: None, changed }
    }

    /// Adds days, each to its stored part. Stored totals are added to, never replaced.
    pub(crate) fn add(&mut self, new: Vec<DaySummary>) {
        let is_new = self.days.is_empty();
        let cuts = match self.summary.detail {
            Detail::Fresh => Cuts::of_day,
            Detail::Days => Cuts::of_old_day,
            Detail::Month => Cuts::of_month,
        };
        for day in new {
            self.changed.push(day.date);
            self.add_day_totals(&DayTotals::of(&day));
            if self.summary.detail == Detail::Month {
                self.add_rows(&day);
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
        self.days.sort_unstable_by_key(|day| day.date);
        self.days.iter_mut().chain(self.whole.as_deref_mut()).for_each(|day| day.cut(cuts));
        if is_new && self.summary.detail == Detail::Days {
            self.align_samples();
        }
        self.count_sources();
    }

    /// Adds the days of another file of the same month.
    pub(crate) fn join(&mut self, other: WholeMonth) {
        let Some(more) = other.whole else { return self.add(other.days) };
        if self.summary.detail != Detail::Month {
            self.drop_days();
        }
        for totals in &other.summary.days {
            self.add_day_totals(totals);
        }
        self.add_rows(&more);
        self.whole.iter_mut().for_each(|whole| whole.cut(Cuts::of_month));
        self.count_sources();
    }

    /// Adds to the rows of the whole month.
    fn add_rows(&mut self, more: &DaySummary) {
        let first = self.month.first_day();
        let whole = self.whole.get_or_insert_with(|| Box::new(DaySummary::new(first)));
        whole.classes = sum_of([&**whole, more].into_iter());
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

    /// Replaces the anomalies.
    pub(crate) fn set_cells(&mut self, mut cells: Vec<Anomaly>) {
        cells.sort_unstable_by_key(|cell| (cell.date, cell.service));
        self.cells = cells;
    }

    /// Cuts samples to what the union of all days can use: hashes below the lowest bound.
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

    /// Removes the samples, which have another store's salt: unions of days become unknown.
    pub(crate) fn drop_samples(&mut self) {
        self.changed.extend(self.days.iter().map(|day| day.date));
        let days = self.days.iter_mut().chain(self.whole.as_deref_mut());
        days.flat_map(|day| &mut day.classes).for_each(|class| class.sample = None);
    }

    /// Removes the hours of rows and shrinks the samples.
    pub(crate) fn drop_hours(&mut self) {
        self.summary.detail = Detail::Days;
        self.days.iter_mut().for_each(|day| day.cut(Cuts::of_old_day));
        self.align_samples();
    }

    /// Replaces the rows of the days by those of the month. The number of different sources stays as exact as it was.
    pub(crate) fn drop_days(&mut self) {
        self.summary.detail = Detail::Month;
        let classes = sum_of(self.days.iter());
        let mut whole = DaySummary { classes, ..DaySummary::new(self.month.first_day()) };
        for (summary, distinct) in whole.classes.iter_mut().zip(self.summary.distinct) {
            summary.distinct = distinct;
        }
        whole.cut(Cuts::of_month);
        self.whole = Some(Box::new(whole));
        self.days.clear();
    }

    /// The bytes of the month's file. The days of a month with [`Detail::Fresh`] have files of their own.
    pub(crate) fn encode(&self, salt: u64) -> Vec<u8> {
        let days = match (&self.whole, self.summary.detail) {
            (Some(whole), _) => std::slice::from_ref(&**whole),
            (None, Detail::Fresh) => &[],
            (None, _) => &self.days[..],
        };
        let mut file = vec![
            Section::plain(Kind::Summary, self.summary.encode(self.month)),
            Section::packed(Kind::Cells, encode_cells(&self.cells)),
        ];
        file.extend(sections::encode(days, Unit::Minutes, Section::packed));
        container::write(salt, file)
    }

    /// The bytes of the file of a day of a month with [`Detail::Fresh`].
    pub(crate) fn encode_day(&self, date: Date, salt: u64) -> Option<Vec<u8>> {
        let day = self.days.iter().find(|day| day.date == date)?;
        let sections = sections::encode(std::slice::from_ref(day), Unit::Minutes, Section::packed);
        Some(container::write(salt, sections.collect()))
    }

    /// Reads what is wanted of a day's file; of a day that the month's summary lacks, the totals, too.
    pub(crate) fn read_day(&mut self, file: &Open, date: Date, wanted: Wanted<'_>) -> Damage {
        let mut damage = None;
        let known = self.summary.days.binary_search_by_key(&date, |day| day.date);
        let at = self.days.binary_search_by_key(&date, |day| day.date).unwrap_or_else(|at| {
            self.days.insert(at, DaySummary::new(date));
            at
        });
        let day = &mut self.days[at];
        let is_lacking = |kind| known.is_err() && kind == Kind::Totals;
        let kinds =
            sections::KINDS.into_iter().filter(|kind| is_lacking(*kind) || wanted.on_day(*kind, date));
        let is_wanted = |kind, _, class| is_lacking(kind) || wanted.of_class(class);
        read_bodies(file, kinds, is_wanted, &mut damage, &mut |kind, known, class, body| {
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

    /// The month as a question about a class gets it.
    pub(crate) fn into_data(mut self, class: Class) -> MonthData {
        let MonthSummary { detail, distinct, days } = self.summary;
        let mut rows = self.days.into_iter().peekable();
        let days = days.into_iter().map(|DayTotals { date, lost, totals }| {
            let mut day = rows.next_if(|day| day.date == date);
            let ClassTotal { attempts, distinct } = totals[class as usize];
            let summary = day.as_mut().map(|day| std::mem::take(&mut day.classes[class as usize]));
            let summary = ClassSummary { attempts, distinct, ..summary.unwrap_or_default() };
            DayData { lost, totals, summary, ..DayData::new(date) }
        });
        let whole = self.whole.as_mut().map(|whole| std::mem::take(&mut whole.classes[class as usize]));
        MonthData {
            detail,
            // If the month's summary is lost, nothing is known.
            distinct: distinct.iter().any(Option::is_some).then_some(distinct),
            cells: self.cells,
            days: days.collect(),
            whole,
            ..MonthData::new(self.month)
        }
    }
}

/// The first damage that was found in a file.
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
    read_bodies(file, [Kind::Totals], is_in, damage, &mut |kind, date, class, body| {
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
    kinds: impl IntoIterator<Item = Kind>,
    is_wanted: impl Fn(Kind, Date, Class) -> bool,
    damage: &mut Damage,
    read: &mut dyn FnMut(Kind, Date, Class, &mut Reader<'_>),
) {
    for kind in kinds {
        let Some(content) = section(file, kind, damage) else { continue };
        let is_wanted = |date, class| is_wanted(kind, date, class);
        if !sections::bodies(&content, is_wanted, |date, class, body| read(kind, date, class, body)) {
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

/// Reads what is wanted of a month's file, and the totals of its days.
pub(crate) fn read(file: &Open, month: Month, wanted: Wanted<'_>) -> (WholeMonth, Damage) {
    let mut damage = None;
    let mut whole = WholeMonth::new(month, Detail::Fresh);
    let Some(summary) = read_summary(file, month, &mut damage) else { return (whole, damage) };
    if wanted.in_month(Kind::Cells, month) {
        whole.cells = read_cells(file, &mut damage);
    }
    let is_whole = summary.detail == Detail::Month;
    let kinds = sections::KINDS.into_iter().filter(|kind| wanted.in_month(*kind, month));
    let is_wanted = |kind, date, class| wanted.of_class(class) && (is_whole || wanted.on_day(kind, date));
    let mut days: Vec<DaySummary> = if is_whole {
        let mut sum = DaySummary::new(month.first_day());
        for class in Class::ALL {
            let of_days = summary.days.iter().map(|day| day.totals[class as usize].attempts);
            let of_class = &mut sum.classes[class as usize];
            of_class.attempts = of_days.fold(0, u64::saturating_add);
            of_class.distinct = summary.distinct[class as usize];
        }
        vec![sum]
    } else {
        let is_read = |day: &&DayTotals| kinds.clone().any(|kind| wanted.on_day(kind, day.date));
        summary.days.iter().filter(is_read).map(DayTotals::day).collect()
    };
    read_bodies(file, kinds.clone(), is_wanted, &mut damage, &mut |kind, date, class, body| match days
        .binary_search_by_key(&date, |day| day.date)
    {
        Ok(at) => {
            let of_class = &mut days[at].classes[class as usize];
            sections::read_body(body, kind, date, of_class, Unit::Minutes);
        }
        Err(_) => body.fail(),
    });
    if is_whole {
        whole.whole = days.pop().map(Box::new);
    } else {
        whole.days = days;
    }
    whole.summary = summary;
    (whole, damage)
}

#[cfg(test)]
mod tests;
