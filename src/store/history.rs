//! The store: months in files on a shelf, and the ladder of what is kept how long.
//!
//! `2020-04.fws` holds the days of a month, cut to their heaviest rows, and the month's summary.
//! `open-2020-04-06.fws` holds a day whole, so that more of it can be added exactly.
//! `origin.fws` remembers which files were imported, and in which time zone the days are counted.

use std::fmt;
use std::io;

use crate::calendar::{Date, Month};
use crate::event::Class;
use crate::query::history::{History, MonthOfDays, Retention};
use crate::statistics::anomalies::Cells;
use crate::statistics::day::{Day, KeptDay};
use crate::statistics::distinct::Sketch;
use crate::statistics::kept::Unique;
use crate::statistics::month::{KeptMonth, MonthSum};

use super::format::{self, Block, Kind};
use super::records;
use super::shelf::{Change, Shelf};

const ORIGIN: &str = "origin.fws";

/// Where the days come from.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Origin {
    /// Which files were imported; empty if none was.
    pub imported: Vec<u8>,
    /// The zone that the days are counted in.
    pub zone: Option<String>,
}

#[derive(Debug)]
pub enum StoreError {
    Io {
        what: String,
        error: io::Error,
    },
    /// A newer fwstat wrote the file; it is left alone.
    Newer {
        file: String,
        version: u16,
    },
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Io { what, error } => write!(f, "{what}: {error}"),
            StoreError::Newer { file, version } => write!(
                f,
                "{file} was written by a newer fwstat (format {version}, this one knows up to {}): \
                 it is left as it is; use the newer fwstat",
                format::VERSION
            ),
        }
    }
}

impl std::error::Error for StoreError {}

pub struct Store<S: Shelf> {
    shelf: S,
    retention: Retention,
    /// Days that are known whole, as they lie in their files. Oldest first.
    open: Vec<OpenDay>,
    months: Vec<Month>,
    /// Files that could not be read whole, and what was wrong.
    damage: Vec<String>,
    writable: bool,
}

fn month_file(month: Month) -> String {
    format!("{month}.fws")
}

fn open_file(date: Date) -> String {
    format!("open-{date}.fws")
}

fn parse_month_file(name: &str) -> Option<Month> {
    Month::parse(name.strip_suffix(".fws")?)
}

impl<S: Shelf> Store<S> {
    /// Opens a store. With `writable`, damaged files are set aside and what is readable of them
    /// is kept; otherwise nothing changes.
    pub fn open(shelf: S, retention: Retention, writable: bool) -> Result<Store<S>, StoreError> {
        let mut store =
            Store { shelf, retention, open: Vec::new(), months: Vec::new(), damage: Vec::new(), writable };
        let names = store.shelf.names().map_err(|error| store.failed("cannot list the store", error))?;
        for name in names {
            if let Some(month) = parse_month_file(&name) {
                store.months.push(month);
                if writable {
                    store.read_file(&name)?;
                }
            } else if let Some(date) = name.strip_prefix("open-").and_then(|rest| rest.strip_suffix(".fws")) {
                store.read_open(&name, Date::parse(date))?;
            } else if name.ends_with(".bad") {
                let mut sentence = format!("a damaged file was set aside as {}", store.shelf.describe(&name));
                if name.starts_with(ORIGIN) {
                    sentence
                        .push_str(": files that were imported before it can have been counted again since");
                }
                store.damage.push(sentence);
            }
        }
        store.months.sort();
        store.open.sort_by_key(|open| open.date);
        Ok(store)
    }

    fn failed(&self, what: &str, error: io::Error) -> StoreError {
        StoreError::Io { what: what.to_string(), error }
    }

    pub fn shelf(&self) -> &S {
        &self.shelf
    }

    /// Changes files that are no days or months: all of them or none.
    pub fn change(&mut self, changes: Vec<Change>) -> Result<(), StoreError> {
        self.shelf.commit(changes).map_err(|error| self.failed("cannot write the store", error))
    }

    pub fn set_retention(&mut self, retention: Retention) {
        self.retention = retention;
    }

    /// What was found damaged, a sentence each.
    pub fn damage(&self) -> &[String] {
        &self.damage
    }

    fn read_open(&mut self, name: &str, date: Option<Date>) -> Result<(), StoreError> {
        for block in self.read_file(name)? {
            if block.kind == Kind::Day
                && let Some(date) = date
                && Date(block.key) == date
            {
                self.open.push(OpenDay { date, payload: block.payload });
            }
        }
        Ok(())
    }

    /// A name for a damaged file that no other has.
    fn unused_name(&self, name: &str) -> io::Result<String> {
        let names = self.shelf.names()?;
        let candidates = (1..).map(|number| match number {
            1 => format!("{name}.bad"),
            number => format!("{name}.{number}.bad"),
        });
        Ok(candidates.skip_while(|candidate| names.contains(candidate)).take(1).collect())
    }

    /// The readable blocks of a file. A damaged file is set aside once.
    fn read_file(&mut self, name: &str) -> Result<Vec<Block>, StoreError> {
        let path = self.shelf.describe(name);
        let bytes =
            self.shelf.read(name).map_err(|error| self.failed(&format!("cannot read {path}"), error))?;
        let Some(bytes) = bytes else { return Ok(Vec::new()) };
        let mut contents = format::read(&bytes)
            .map_err(|newer| StoreError::Newer { file: path.clone(), version: newer.version })?;
        let before = contents.blocks.len();
        contents.blocks.retain(is_readable);
        if contents.blocks.len() < before {
            contents.damage.get_or_insert_with(|| "a record in it makes no sense".to_string());
        }
        if let Some(damage) = contents.damage {
            let mut sentence = format!("{path} is damaged: {damage}; what is readable of it is used");
            if self.writable {
                let failed = |error| StoreError::Io { what: format!("cannot set {path} aside"), error };
                let aside = self.unused_name(name).map_err(failed)?;
                sentence = format!("{sentence}, the file is set aside as {}", self.shelf.describe(&aside));
                let rest = format::write(&contents.blocks);
                let changes = vec![(aside, Some(bytes)), (name.to_string(), Some(rest))];
                self.shelf.commit(changes).map_err(failed)?;
            }
            if !self.damage.contains(&sentence) {
                self.damage.push(sentence);
            }
        }
        Ok(contents.blocks)
    }

    /// The readable blocks of any file of the store.
    pub fn blocks(&mut self, name: &str) -> Result<Vec<Block>, StoreError> {
        self.read_file(name)
    }

    fn read_month(&mut self, month: Month) -> Result<Option<MonthOfDays>, StoreError> {
        let mut days = Vec::new();
        let mut summary = None;
        for block in self.read_file(&month_file(month))? {
            match block.kind {
                Kind::Day if Date(block.key).month() == month => {
                    days.extend(records::read_day(Date(block.key), &block.payload));
                }
                Kind::Month if Month(block.key) == month => {
                    summary = records::read_month(month, &block.payload).ok();
                }
                _ => {}
            }
        }
        if days.is_empty() && summary.is_none() {
            return Ok(None);
        }
        days.sort_by_key(|day| day.date);
        let summary = summary.unwrap_or_else(|| sum_days(month, &days));
        Ok(Some(MonthOfDays { summary, days }))
    }

    /// What is remembered of earlier imports.
    pub fn origin(&mut self) -> Result<Origin, StoreError> {
        let mut origin = Origin::default();
        for block in self.read_file(ORIGIN)? {
            match block.kind {
                Kind::Imported => origin.imported = block.payload,
                Kind::Zone => origin.zone = String::from_utf8(block.payload).ok(),
                _ => {}
            }
        }
        Ok(origin)
    }

    /// Adds whole summaries of days, oldest first, and what to remember of the files they came
    /// from: all of it or, if writing fails, nothing.
    pub fn add(
        &mut self,
        days: impl IntoIterator<Item = io::Result<AddedDay>>,
        origin: Option<Origin>,
    ) -> Result<(), StoreError> {
        self.add_with(days, origin, Vec::new())
    }

    /// As [`Store::add`], with changes of other files that belong to it.
    pub fn add_with(
        &mut self,
        days: impl IntoIterator<Item = io::Result<AddedDay>>,
        origin: Option<Origin>,
        others: Vec<Change>,
    ) -> Result<(), StoreError> {
        let newest_before = self.newest();
        let mut batch = Batch { files: Vec::new(), open: Vec::new(), touched: Vec::new() };
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
        let Batch { mut files, open, touched } = batch;
        if let Some(Origin { imported, zone }) = origin {
            let mut blocks = vec![Block { kind: Kind::Imported, key: 0, payload: imported }];
            blocks.extend(zone.map(|zone| Block { kind: Kind::Zone, key: 0, payload: zone.into_bytes() }));
            files.push((ORIGIN.to_string(), Some(blocks)));
        }
        let deflate =
            |(name, blocks): (String, Option<Vec<Block>>)| (name, blocks.map(|b| format::write(&b)));
        let mut changes: Vec<Change> = files.into_iter().map(deflate).collect();
        changes.extend(others);
        self.shelf.commit(changes).map_err(|error| self.failed("cannot write the store", error))?;
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
            whole = whole.map(|_| records::write_whole_day(&tables));
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
        let month_of_days = match known {
            None => MonthOfDays { summary: sum_days(month, &new), days: new },
            Some(MonthOfDays { summary, days }) if days.is_empty() => {
                let mut sum = MonthSum::new(month);
                sum.add_month(&summary);
                new.iter().for_each(|day| sum.add_day(day));
                MonthOfDays { summary: sum.finish(), days: Vec::new() }
            }
            Some(MonthOfDays { summary, mut days }) => {
                let sketches = join_sketches(&summary, &new);
                days.retain(|known| new.iter().all(|day| day.date != known.date));
                days.extend(new);
                days.sort_by_key(|day| day.date);
                let mut summary = sum_days(month, &days);
                set_unique(&mut summary, sketches);
                MonthOfDays { summary, days }
            }
        };
        batch.put(month, newest, &month_of_days);
        Ok(())
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
            if !lost_hours && !lost_days {
                continue;
            }
            let Some(mut kept) = self.pending_month(month, batch)? else { continue };
            if !kept.days.is_empty() {
                let (cells, attempts) = self.anomalies_of(month, batch)?;
                kept.summary.anomalous = Some((cells, attempts));
            }
            for kept in kept.days.iter_mut().flat_map(|day| &mut day.classes) {
                kept.forget_hours_and_sketch();
            }
            if lost_days {
                kept.days.clear();
                // The month's own number of different sources stays as exact as it was; sketches are for
                // ranges of months, and only those of attempts are worth their room.
                for class in Class::ALL {
                    let sketch = &mut kept.summary.classes[class as usize].sketch;
                    match sketch {
                        Some(sketch) if class == Class::Attempt => sketch.fold(),
                        _ => *sketch = None,
                    }
                }
            }
            batch.put(month, last, &kept);
        }
        Ok(())
    }

    /// A month as it will be after the batch.
    fn pending_month(&mut self, month: Month, batch: &Batch) -> Result<Option<MonthOfDays>, StoreError> {
        let name = month_file(month);
        let Some((_, Some(blocks))) = batch.files.iter().find(|(changed, _)| *changed == name) else {
            return self.read_month(month);
        };
        let mut days = Vec::new();
        let mut summary = None;
        for block in blocks {
            match block.kind {
                Kind::Day => days.extend(records::read_day(Date(block.key), &block.payload)),
                Kind::Month => summary = records::read_month(month, &block.payload).ok(),
                Kind::Imported | Kind::Zone | Kind::State => {}
            }
        }
        Ok(summary.map(|summary| MonthOfDays { summary, days }))
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
    pub whole: Option<Vec<u8>>,
}

/// A whole day, as it is written.
#[derive(Clone)]
struct OpenDay {
    date: Date,
    payload: Vec<u8>,
}

impl OpenDay {
    fn read(&self) -> Option<KeptDay> {
        records::read_day(self.date, &self.payload).ok()
    }
}

struct Batch {
    /// Files to write, or to take away. They are deflated once, when all is known.
    files: Vec<(String, Option<Vec<Block>>)>,
    open: Vec<OpenDay>,
    /// The months that were added to, and the newest day that was.
    touched: Vec<(Month, Date)>,
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
            payload: records::write_day(day),
        }));
        self.files.push((name, Some(blocks)));
        if !self.touched.iter().any(|(touched, _)| *touched == month) {
            self.touched.push((month, newest));
        }
    }
}

fn is_readable(block: &Block) -> bool {
    match block.kind {
        Kind::Day => records::read_day(Date(block.key), &block.payload).is_ok(),
        Kind::Month => records::read_month(Month(block.key), &block.payload).is_ok(),
        Kind::Imported | Kind::State => true,
        Kind::Zone => std::str::from_utf8(&block.payload).is_ok(),
    }
}

fn sum_days(month: Month, days: &[KeptDay]) -> KeptMonth {
    let mut sum = MonthSum::new(month);
    days.iter().for_each(|day| sum.add_day(day));
    sum.finish()
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

impl<S: Shelf> History for Store<S> {
    fn months(&self) -> Vec<Month> {
        self.months.clone()
    }

    fn month(&mut self, month: Month) -> Option<MonthOfDays> {
        let mut kept = match self.read_month(month) {
            Ok(kept) => kept?,
            Err(error) => {
                self.damage.push(error.to_string());
                return None;
            }
        };
        for open in self.open.iter().filter(|open| open.date.month() == month) {
            if let Some(day) = kept.days.iter_mut().find(|day| day.date == open.date)
                && let Some(whole) = open.read()
            {
                *day = whole;
            }
        }
        Some(kept)
    }

    fn retention(&self) -> Retention {
        self.retention
    }

    fn incomplete_because(&self, month: Month) -> Option<String> {
        let name = month_file(month);
        let stem = name.trim_end_matches(".fws").to_string();
        let hit = |sentence: &&String| sentence.contains(&stem) || sentence.contains(ORIGIN);
        self.damage.iter().find(hit).cloned()
    }
}
