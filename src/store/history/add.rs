//! New days into the store, and the ladder of what is kept how long.
//!
//! All that an addition changes is worked out first, then written in one commit.

use std::io;

use super::*;
use crate::stats::anomalies::Cells;
use crate::stats::countries::CountryCuts;
use crate::stats::day::Day;
use crate::stats::distinct::{FOLDED_REGISTERS, Sketch};
use crate::stats::kept::Unique;
use crate::stats::uniques::Uniques;

impl Store {
    /// Adds whole summaries of days, oldest first, and what to remember of the files they came
    /// from: all of it or, if writing fails, nothing.
    pub fn add(
        &mut self,
        days: impl IntoIterator<Item = io::Result<AddedDay>>,
        origin: Option<Origin>,
    ) -> Result<(), StoreError> {
        self.add_all(days, None, origin, Vec::new())
    }

    /// As [`Store::add`], with changes of other files that belong to it.
    pub fn add_with(
        &mut self,
        days: impl IntoIterator<Item = io::Result<AddedDay>>,
        origin: Option<Origin>,
        others: Vec<Change>,
    ) -> Result<(), StoreError> {
        self.add_all(days, None, origin, others)
    }

    /// As [`Store::add`] of days of which the last one is known: what the ladder will not keep of those before
    /// is then not worked out first.
    pub fn add_up_to(
        &mut self,
        last: Date,
        days: impl IntoIterator<Item = io::Result<AddedDay>>,
        origin: Option<Origin>,
    ) -> Result<(), StoreError> {
        self.add_all(days, Some(last), origin, Vec::new())
    }

    fn add_all(
        &mut self,
        days: impl IntoIterator<Item = io::Result<AddedDay>>,
        last: Option<Date>,
        origin: Option<Origin>,
        others: Vec<Change>,
    ) -> Result<(), StoreError> {
        let newest_before = self.newest();
        let border = last.map(|last| self.border(newest_before.map_or(last, |before| before.max(last))));
        let mut batch = Batch { files: Vec::new(), open: Vec::new(), touched: Vec::new(), border };
        let mut days = days.into_iter();
        let mut next = next_day(&mut days)?;
        while let Some(added) = next {
            let month = added.day.date.month();
            let mut new = vec![self.join(added, &mut batch)?];
            next = next_day(&mut days)?;
            while let Some(added) = next.take_if(|added| added.day.date.month() == month) {
                new.push(self.join(added, &mut batch)?);
                next = next_day(&mut days)?;
            }
            self.add_to_month(month, new, &mut batch)?;
        }
        let Some(newest) = newest_before.max(batch.touched.iter().map(|(_, newest)| *newest).max()) else {
            return Ok(());
        };
        self.keep_open(&mut batch, newest);
        self.descend(newest_before, newest, &mut batch)?;
        let Batch { mut files, open, touched, .. } = batch;
        if let Some(Origin { imported, zone }) = origin {
            let mut blocks = vec![Block { kind: Kind::Imported, key: 0, payload: imported.into() }];
            blocks.extend(zone.map(|zone| Block {
                kind: Kind::Zone,
                key: 0,
                payload: zone.into_bytes().into(),
            }));
            files.push((ORIGIN.to_string(), Some(blocks)));
        }
        let deflate =
            |(name, blocks): (String, Option<Vec<Block>>)| (name, blocks.map(|b| format::write(&b)));
        let mut changes: Vec<Change> = files.into_iter().map(deflate).collect();
        changes.extend(others);
        self.commit(changes).map_err(|error| self.failed("cannot write the store", error))?;
        self.open = open;
        let first = self.retention.first_month(newest);
        self.months.extend(touched.iter().map(|(month, _)| *month));
        self.months.retain(|month| *month >= first);
        self.months.sort();
        self.months.dedup();
        Ok(())
    }

    fn newest(&mut self) -> Option<Date> {
        let newest_month = *self.months.last()?;
        let month = self.read_month(newest_month).ok()??;
        let observed = month.summary.observed;
        let day = 31 - observed.leading_zeros().min(31);
        Some(Date(newest_month.first_day().0 + day.cast_signed()))
    }

    /// Adds to a new day what is already kept of it.
    fn join(&mut self, added: AddedDay, batch: &mut Batch) -> Result<KeptDay, StoreError> {
        let AddedDay { mut day, mut whole } = added;
        let known = match self.open.iter().find(|open| open.date == day.date) {
            Some(open) => open.read(),
            None => self
                .read_month(day.date.month())?
                .and_then(|month| month.days.into_iter().find(|known| known.date == day.date)),
        };
        let newly = day.classes.each_ref().map(|kept| kept.sketch.clone());
        if let Some(known) = known {
            let mut tables = Day::new(day.date);
            tables.add_kept(&known);
            tables.add_kept(&day);
            tables.set_countries_of(&[&known, &day]);
            whole = whole.map(|_| records::write_whole_day(&tables, Form::Packed));
            day = tables.to_kept();
        }
        if let Some(payload) = whole {
            batch.open.push(OpenDay { date: day.date, payload });
        }
        day.cut();
        // What joins the month's different sources is what was new.
        if self.months.contains(&day.date.month()) {
            for (kept, sketch) in day.classes.iter_mut().zip(newly) {
                if kept.sketch.is_none() {
                    kept.sketch = sketch;
                    kept.unique = Unique::Unknown;
                }
            }
        }
        Ok(day)
    }

    fn add_to_month(&mut self, month: Month, new: Vec<KeptDay>, batch: &mut Batch) -> Result<(), StoreError> {
        let known = self.read_month(month)?;
        let newest = new.iter().map(|day| day.date).max().unwrap_or(Date(0));
        let mut month_of_days = match known {
            None => MonthOfDays { summary: sum_days(month, &new), days: new },
            Some(MonthOfDays { summary, days }) if days.is_empty() => {
                let mut sum = MonthSum::new(month);
                sum.add_month(&summary);
                new.iter().for_each(|day| sum.add_day(day));
                MonthOfDays { summary: sum.finish(), days: Vec::new() }
            }
            Some(MonthOfDays { summary, mut days }) => {
                let sketches = join_sketches(&summary, &new);
                let mut of_services = Uniques::default();
                of_services.add(summary.class(Class::Attempt), &|_| true);
                new.iter().for_each(|day| of_services.add(day.class(Class::Attempt), &|_| true));
                days.retain(|known| new.iter().all(|day| day.date != known.date));
                days.extend(new);
                days.sort_by_key(|day| day.date);
                let mut summary = sum_days(month, &days);
                set_unique(&mut summary, sketches);
                // Days that have lost their sketches: the month knew their sources before.
                let rows = summary.classes[Class::Attempt as usize].services.iter_mut();
                for row in rows.filter(|row| row.unique == Unique::Unknown) {
                    let told = of_services.of(row.service);
                    (row.unique, row.sketch) = (told.unique, told.sketch);
                }
                MonthOfDays { summary, days }
            }
        };
        if let Some(border) = batch.border {
            forget_before(border, &mut month_of_days);
        }
        batch.put(month, newest, &month_of_days);
        Ok(())
    }

    /// Days before it have neither hours nor sketches; it moves ten days at a time.
    fn border(&self, newest: Date) -> Date {
        tenth(self.retention.first_with_hours(newest))
    }

    /// Chooses the days that stay whole: the first and the last of what was added, and the newest.
    fn keep_open(&mut self, batch: &mut Batch, newest: Date) {
        for day in &self.open {
            let replaced = batch.open.iter().any(|open| open.date == day.date);
            if replaced {
                continue;
            }
            if day.date == newest {
                batch.open.push(day.clone());
            } else {
                batch.files.push((open_file(day.date), None));
            }
        }
        batch.open.sort_by_key(|day| day.date);
        for day in &batch.open {
            let block = Block { kind: Kind::Day, key: day.date.0, payload: day.payload.clone() };
            batch.files.push((open_file(day.date), Some(vec![block])));
        }
    }

    /// Takes from months what the ladder no longer keeps of them.
    fn descend(&mut self, before: Option<Date>, newest: Date, batch: &mut Batch) -> Result<(), StoreError> {
        let retention = self.retention;
        let (first_hours, first_day) = (retention.first_with_hours(newest), retention.first_day(newest));
        let first_month = retention.first_month(newest);
        let mut months: Vec<Month> = self.months.clone();
        months.extend(batch.touched.iter().map(|(month, _)| *month));
        months.sort();
        months.dedup();
        for month in months {
            if month < first_month {
                batch.files.retain(|(name, _)| *name != month_file(month));
                batch.files.push((month_file(month), None));
                continue;
            }
            let last = month.last_day();
            let touched = batch.touched.iter().any(|(touched, _)| *touched == month);
            let passed = |first: Date, first_before: Option<Date>| {
                last < first && (touched || first_before.is_none_or(|before| last >= before))
            };
            let lost_hours = passed(first_hours, before.map(|newest| retention.first_with_hours(newest)));
            let lost_days = passed(first_day, before.map(|newest| retention.first_day(newest)));
            // A month that the border goes through loses ten days at a time: each time its file is written anew.
            let border = self.border(newest);
            let crossed =
                touched || before.is_none_or(|before| tenth(retention.first_with_hours(before)) < border);
            let split = !lost_hours && !lost_days && crossed && (month.first_day()..=last).contains(&border);
            let is_done = split && touched && batch.border == Some(border);
            if !lost_hours && !lost_days && (!split || is_done) {
                continue;
            }
            let Some(mut kept) = self.pending_month(month, batch)? else { continue };
            if split {
                forget_before(border, &mut kept);
                batch.put(month, last, &kept);
                continue;
            }
            if !kept.days.is_empty() {
                let (cells, attempts) = self.anomalies_of(month, batch)?;
                kept.summary.anomalous = Some((cells, attempts));
            }
            kept.days.iter_mut().for_each(KeptDay::forget_hours_and_sketches);
            // The month's own number of different sources stays as exact as it was; sketches are for ranges of
            // months, and only those of attempts are worth their room.
            for class in Class::ALL {
                let summary = &mut kept.summary.classes[class as usize];
                summary.forget_minutes();
                match &mut summary.sketch {
                    Some(sketch) if class == Class::Attempt => sketch.fold(FOLDED_REGISTERS),
                    sketch => *sketch = None,
                }
            }
            if lost_days {
                kept.days.clear();
                for summary in &mut kept.summary.classes {
                    summary.countries.cut(&CountryCuts::OLD_MONTH);
                    summary.services.iter_mut().for_each(|row| row.sketch = None);
                }
            }
            batch.put(month, last, &kept);
        }
        Ok(())
    }

    /// A month as it will be after the batch.
    fn pending_month(&mut self, month: Month, batch: &Batch) -> Result<Option<MonthOfDays>, StoreError> {
        let name = month_file(month);
        match batch.files.iter().find(|(changed, _)| *changed == name) {
            Some((_, Some(blocks))) => Ok(month_of_days(month, blocks)),
            _ => self.read_month(month),
        }
    }

    /// The anomalous cells of a month and their attempts, with its neighbours telling what is usual.
    fn anomalies_of(&mut self, month: Month, batch: &Batch) -> Result<(u64, u64), StoreError> {
        let mut cells = Cells::new();
        for neighbour in [Month(month.0 - 1), month, Month(month.0 + 1)] {
            if let Some(kept) = self.pending_month(neighbour, batch)? {
                kept.days.iter().for_each(|day| cells.add(day.date, day.class(Class::Attempt)));
            }
        }
        let found = cells.find().into_iter().filter(|anomaly| anomaly.date.month() == month);
        Ok(found.fold((0, 0), |(cells, attempts), anomaly| (cells + 1, attempts + anomaly.attempts)))
    }
}

fn next_day(days: &mut impl Iterator<Item = io::Result<AddedDay>>) -> Result<Option<AddedDay>, StoreError> {
    let failed = |error| StoreError::Io { what: "cannot read a day that is to be added".into(), error };
    days.next().transpose().map_err(failed)
}

/// A day to be added to a store.
pub struct AddedDay {
    pub day: KeptDay,
    /// The day as [`records::write_day`] writes it, if more of it may come: then it is kept whole.
    pub whole: Option<Payload>,
}

fn forget_before(border: Date, month: &mut MonthOfDays) {
    let passed = month.days.iter_mut().filter(|day| day.date < border);
    passed.for_each(KeptDay::forget_hours_and_sketches);
}

/// The first of the ten days that `date` belongs to, counted from 1970.
fn tenth(date: Date) -> Date {
    Date(date.0 - date.0.rem_euclid(10))
}

struct Batch {
    /// Files to write, or to take away. They are deflated once, when all is known.
    files: Vec<(String, Option<Vec<Block>>)>,
    open: Vec<OpenDay>,
    /// The months that were added to, and the newest day that was.
    touched: Vec<(Month, Date)>,
    /// Where hours and sketches end, if that is known before all days are: then no older ones are in `files`.
    border: Option<Date>,
}

impl Batch {
    fn put(&mut self, month: Month, newest: Date, kept: &MonthOfDays) {
        let name = month_file(month);
        self.files.retain(|(changed, _)| *changed != name);
        let mut blocks =
            vec![Block { kind: Kind::Month, key: month.0, payload: records::write_month(&kept.summary) }];
        blocks.extend(kept.days.iter().map(|day| Block {
            kind: Kind::Day,
            key: day.date.0,
            payload: records::write_day(day, Form::Packed),
        }));
        self.files.push((name, Some(blocks)));
        if !self.touched.iter().any(|(touched, _)| *touched == month) {
            self.touched.push((month, newest));
        }
    }
}

fn join_sketches(summary: &KeptMonth, new: &[KeptDay]) -> [Option<Sketch>; Class::COUNT] {
    Class::ALL.map(|class| {
        let mut joined = summary.class(class).sketch.clone()?;
        for day in new {
            joined.join(day.class(class).sketch.as_ref()?);
        }
        Some(joined)
    })
}

fn set_unique(summary: &mut KeptMonth, sketches: [Option<Sketch>; Class::COUNT]) {
    for (kept, sketch) in summary.classes.iter_mut().zip(sketches) {
        kept.unique = match &sketch {
            Some(Sketch::Exact(hashes)) => Unique::Exactly(hashes.len() as u64),
            Some(sketch) => Unique::About(sketch.estimate()),
            None => Unique::Unknown,
        };
        kept.sketch = sketch;
    }
}
