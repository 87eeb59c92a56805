//! A month's file, `2026-10.fws`: read in parts for a question, or completely to add days.

use crate::event::Class;
use crate::event::calendar::{Date, Month};
use crate::query::history::{Detail, MonthData, Need};
use crate::stats::sample::Sample;
use crate::stats::sum::{Sources, sum_of, sum_of_day};
use crate::stats::summary::{Cuts, DaySummary};

use super::codec::{self, Content};
use super::container::{self, Kind, Open, Section};
use super::sections::{self, Unit};
use summary::code_cells;

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

    /// Of any day in `first..=last`.
    pub(super) fn on_days(self, kind: Kind, first: Date, last: Date) -> bool {
        match self {
            Wanted::All => true,
            Wanted::Need(need) => need.wants(kind as u8, first, last),
            Wanted::OfOtherDays => matches!(kind, Kind::Services | Kind::Sample),
        }
    }
}

impl MonthData {
    /// Adds days, each to its stored part. Stored totals are added to, never replaced.
    pub(crate) fn add(&mut self, new: Vec<DaySummary>) {
        let is_new = self.days.is_empty();
        let cuts = match self.detail {
            Detail::Fresh => Cuts::of_day,
            Detail::Days => Cuts::of_old_day,
            Detail::Month => Cuts::of_month,
        };
        for day in new {
            self.changed.push(day.date);
            if self.detail == Detail::Month {
                self.add_rows(&day);
                self.add_day(totals_of(&day));
            } else {
                self.add_day(day);
            }
        }
        self.days.iter_mut().chain(self.whole.as_deref_mut()).for_each(|day| day.cut(cuts));
        if is_new && self.detail == Detail::Days {
            self.align_samples();
        }
        self.count_sources();
    }

    /// Adds the days of another file of the same month.
    pub(crate) fn join(&mut self, other: MonthData) {
        let Some(more) = other.whole else { return self.add(other.days) };
        if self.detail != Detail::Month {
            self.drop_days();
        }
        other.days.into_iter().for_each(|totals| self.add_day(totals));
        self.add_rows(&more);
        self.whole.iter_mut().for_each(|whole| whole.cut(Cuts::of_month));
        self.count_sources();
    }

    /// Adds to the rows of the whole month.
    fn add_rows(&mut self, more: &DaySummary) {
        let first = self.month.first_day();
        let whole = self.whole.get_or_insert_with(|| Box::new(DaySummary::new(first)));
        whole.classes = sum_of(&[&**whole, more]);
    }

    fn add_day(&mut self, day: DaySummary) {
        match self.days.binary_search_by_key(&day.date, |known| known.date) {
            Err(at) => self.days.insert(at, day),
            Ok(at) => self.days[at] = sum_of_day(&self.days[at], &day),
        }
    }

    /// The month's different sources, from the samples of its days.
    fn count_sources(&mut self) {
        if let Some(whole) = &self.whole {
            self.distinct = whole.classes.each_ref().map(|class| class.distinct);
            return;
        }
        self.distinct = Class::ALL.map(|class| {
            let mut sources = Sources::default();
            for day in self.days.iter().map(|day| day.class(class)) {
                sources.add(day.attempts, day.distinct, day.sample.as_ref());
            }
            sources.distinct()
        });
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

    /// Removes all days but these. A month without rows of days is left as it is.
    pub(crate) fn keep_days(&mut self, is_kept: impl Fn(Date) -> bool) {
        let gone: Vec<Date> = self.days.iter().map(|day| day.date).filter(|date| !is_kept(*date)).collect();
        if self.detail != Detail::Month && !gone.is_empty() {
            self.changed.extend(gone);
            self.days.retain(|day| is_kept(day.date));
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
        self.detail = Detail::Days;
        self.days.iter_mut().for_each(|day| day.cut(Cuts::of_old_day));
        self.align_samples();
    }

    /// Replaces the rows of the days by those of the month. The number of different sources stays as exact as it was.
    pub(crate) fn drop_days(&mut self) {
        self.detail = Detail::Month;
        let classes = sum_of(&self.days.iter().collect::<Vec<_>>());
        let mut whole = DaySummary { classes, ..DaySummary::new(self.month.first_day()) };
        for (summary, distinct) in whole.classes.iter_mut().zip(self.distinct) {
            summary.distinct = distinct;
        }
        whole.cut(Cuts::of_month);
        self.whole = Some(Box::new(whole));
        self.days.iter_mut().for_each(|day| *day = totals_of(day));
    }

    /// The bytes of the month's file. The days of a month with [`Detail::Fresh`] have files of their own.
    pub(crate) fn encode(&mut self, salt: u64) -> Vec<u8> {
        let summary = Content::of(|codec| summary::code(codec, self));
        let cells = Content::of(|codec| code_cells(codec, &mut self.cells));
        let mut file = vec![Section::plain(Kind::Summary, summary), Section::packed(Kind::Cells, cells)];
        let days = match (&mut self.whole, self.detail) {
            (Some(whole), _) => std::slice::from_mut(&mut **whole),
            (None, Detail::Fresh) => &mut [],
            (None, _) => &mut self.days[..],
        };
        file.extend(sections::encode(days, None, Unit::Minutes, Section::packed));
        container::write(salt, file)
    }

    /// The bytes of the file of a day of a month with [`Detail::Fresh`].
    pub(crate) fn encode_day(&mut self, date: Date, salt: u64) -> Option<Vec<u8>> {
        let day = self.days.iter_mut().find(|day| day.date == date)?;
        let sections = sections::encode(std::slice::from_mut(day), None, Unit::Minutes, Section::packed);
        Some(container::write(salt, sections.collect()))
    }

    /// Reads what is wanted of a day's file; of a day that the month's summary lacks, the totals, too.
    pub(crate) fn read_day(&mut self, file: &Open, date: Date, wanted: Wanted<'_>) -> Damage {
        let at = self.days.binary_search_by_key(&date, |day| day.date);
        if let Err(at) = at {
            self.days.insert(at, DaySummary::new(date));
        }
        let mut damage = None;
        self.read_bodies(file, Some(date), at.is_ok(), wanted, &mut damage);
        damage
    }

    /// Reads wanted bodies. `of`: the day of a day's file. Unless totals are known, they are read, too.
    fn read_bodies(
        &mut self,
        file: &Open,
        of: Option<Date>,
        has_totals: bool,
        wanted: Wanted<'_>,
        damage: &mut Damage,
    ) {
        let (first, last) = of.map_or((self.month.first_day(), self.month.last_day()), |of| (of, of));
        // KINDS begins with the totals.
        for kind in sections::KINDS {
            let is_lacking = kind == Kind::Totals && !has_totals;
            if !is_lacking && !wanted.on_days(kind, first, last) {
                continue;
            }
            let Some(content) = section(file, kind, damage) else { continue };
            let is_whole = self.whole.is_some();
            let is_wanted = |date, class| {
                is_lacking || wanted.of_class(class) && (is_whole || wanted.on_days(kind, date, date))
            };
            let is_valid = sections::bodies(&content, is_wanted, |date, class, body| {
                let at = self.days.binary_search_by_key(&date, |day| day.date);
                let day = match (&mut self.whole, at) {
                    (Some(whole), _) => (date == whole.date).then_some(&mut **whole),
                    (None, Ok(at)) => Some(&mut self.days[at]).filter(|_| of.is_none_or(|of| of == date)),
                    (None, Err(at)) if is_lacking && of.is_none() && date.month() == self.month => {
                        self.days.insert(at, DaySummary::new(date));
                        Some(&mut self.days[at])
                    }
                    _ => None,
                };
                let Some(day) = day else { return body.fail() };
                let summary = &mut day.classes[class as usize];
                let known = (summary.attempts, summary.distinct);
                sections::body(body, kind, date, summary, Unit::Minutes);
                if has_totals {
                    // Totals are stored twice, so that damage to one copy loses nothing.
                    (summary.attempts, summary.distinct) = known;
                }
            });
            if !is_valid {
                damage.get_or_insert(INVALID);
            }
        }
    }
}

/// A day without rows.
fn totals_of(day: &DaySummary) -> DaySummary {
    let mut totals = DaySummary { lost: day.lost, ..DaySummary::new(day.date) };
    for (total, class) in totals.classes.iter_mut().zip(&day.classes) {
        (total.attempts, total.distinct) = (class.attempts, class.distinct);
    }
    totals
}

/// The first damage that was found in a file.
type Damage = Option<&'static str>;

/// A section, if the file has it; damage is noted.
fn section(file: &Open, kind: Kind, damage: &mut Damage) -> Option<Content> {
    file.content(kind).unwrap_or_else(|what| {
        damage.get_or_insert(what);
        None
    })
}

const INVALID: &str = "contains an invalid record";

/// Reads what is wanted of a month's file, and the totals of its days.
pub(crate) fn read(file: &Open, month: Month, wanted: Wanted<'_>) -> (MonthData, Damage) {
    let mut damage = None;
    let known = section(file, Kind::Summary, &mut damage);
    let known = known.and_then(|content| summary::decode(&content.bytes, month));
    let has_totals = known.is_some();
    let mut whole = known.unwrap_or_else(|| MonthData::new(month));
    if !has_totals {
        damage.get_or_insert(INVALID);
    }
    if wanted.on_days(Kind::Cells, month.first_day(), month.last_day())
        && let Some(content) = section(file, Kind::Cells, &mut damage)
    {
        whole.cells = codec::decode(&content.bytes, Vec::new(), code_cells).unwrap_or_else(|| {
            damage.get_or_insert(INVALID);
            Vec::new()
        });
    }
    if whole.detail == Detail::Month {
        let mut sum = DaySummary::new(month.first_day());
        for class in Class::ALL {
            let of_days = whole.days.iter().map(|day| day.class(class).attempts);
            let of_class = &mut sum.classes[class as usize];
            of_class.attempts = of_days.fold(0, u64::saturating_add);
            of_class.distinct = whole.distinct[class as usize];
        }
        whole.whole = Some(Box::new(sum));
    }
    whole.read_bodies(file, None, has_totals, wanted, &mut damage);
    if !has_totals && !whole.days.is_empty() {
        whole.detail = Detail::Days;
    }
    (whole, damage)
}

#[cfg(test)]
mod tests;
