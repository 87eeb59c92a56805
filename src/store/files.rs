//! The store: months in files, open days in pieces beside them.
//!
//! `2026-10.fws` holds a month; `today-2026-11-28-007.fws` a piece of an open day; `store.fws` what was imported, the time
//! zone and what was deleted; `later.fws` events dated in the future; `2038-01.later` a month after now; `NAME.bad` a
//! damaged file. Files with other names are left alone.
//!
//! Retention counts months that have data, newest first, never dates. Opening, reading and adding delete nothing:
//! [`Store::maintain`] does, at most one month at a time.

use std::collections::VecDeque;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::io;

use crate::calendar::{Date, Month};
use crate::event::Class;
use crate::query::history::{Detail, History, MonthData, Need, Section};
use crate::stats::anomalies::Cells;
use crate::stats::deferred::Deferred;
use crate::stats::summary::DaySummary;

use super::container::{self, Unreadable};
use super::directory::{Change, Directory, Open};
use super::meta::{self, Deletion, LATER, META, Meta};
use super::month::{self, WholeMonth};
use super::pieces::{self, Saved};

/// How many months are kept, newest first, of those that have data.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Keep {
    /// With hours of rows.
    pub hours: usize,
    /// With days.
    pub days: usize,
    pub months: usize,
}

impl Default for Keep {
    fn default() -> Keep {
        Keep { hours: 2, days: 14, months: 120 }
    }
}

/// What [`Store::maintain`] may do: at most one of each after a day's close.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Upkeep {
    /// Drop hours of rows.
    pub hours: bool,
    /// Sum up the days of a month.
    pub days: bool,
    /// Delete a month.
    pub months: bool,
}

impl Upkeep {
    pub const ALL: Upkeep = Upkeep { hours: true, days: true, months: true };
}

/// A commit that a rule demands.
pub struct Demanded {
    pub changes: Vec<Change>,
    /// A sentence about it.
    pub said: String,
    /// What may still be done until the next close.
    pub left: Upkeep,
}

/// Sentences about damaged files that are told.
const MOST_DAMAGED: usize = 20;

#[derive(Debug)]
pub enum StoreError {
    Io {
        what: String,
        error: io::Error,
    },
    /// A newer version wrote the file; it is left alone.
    Newer {
        file: String,
        version: u8,
    },
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Io { what, error } => write!(f, "{what}: {error}"),
            StoreError::Newer { file, version } => write!(
                f,
                "{file} was written by a newer fwstat (format {version}, this one reads up to {}): \
                 it is left as it is; use the newer fwstat",
                container::VERSION
            ),
        }
    }
}

impl std::error::Error for StoreError {}

pub struct Store {
    directory: Directory,
    salt: u64,
    keep: Keep,
    /// Oldest first.
    months: Vec<Month>,
    /// Months after this one are in no answer.
    last: Option<Month>,
    damage: Vec<Damaged>,
    /// Files with the endings `.bad` and `.later`.
    set_aside: Vec<String>,
}

/// A file that was found damaged.
struct Damaged {
    name: String,
    sentence: String,
    /// It was neither replaced nor read whole since then.
    lasting: bool,
}

/// Changes that add days, and what they leave out.
#[derive(Default)]
pub struct Added {
    pub changes: Vec<Change>,
    /// Months that are older than all that are kept, with their attempts.
    pub left_out: Vec<(Month, u64)>,
}

fn month_file(month: Month) -> String {
    format!("{month}.fws")
}

fn later_file(month: Month) -> String {
    format!("{month}.later")
}

impl Store {
    /// Opens a store. `salt`: of one that has none yet; random if it is `None`. Nothing changes.
    pub fn open(directory: Directory, keep: Keep, salt: Option<u64>) -> Result<Store, StoreError> {
        let random = || RandomState::new().hash_one(0u8);
        let mut store = Store {
            directory,
            salt: 0,
            keep,
            months: Vec::new(),
            last: None,
            damage: Vec::new(),
            set_aside: Vec::new(),
        };
        store.look()?;
        let mut names: Vec<String> = vec![META.into()];
        names.extend(store.months.iter().rev().map(|month| month_file(*month)));
        names.extend(store.pieces()?.into_iter().map(|(name, ..)| name));
        let known = names.iter().find_map(|name| match store.directory.open(name) {
            Ok(Some(Ok(file))) => Some(file.salt()),
            _ => None,
        });
        store.salt = known.or(salt).unwrap_or_else(random);
        Ok(store)
    }

    /// Looks which files there are.
    pub fn look(&mut self) -> Result<(), StoreError> {
        let names = self.directory.names().map_err(|error| failed("cannot list the store", error))?;
        self.months = names.iter().filter_map(|name| Month::parse(name.strip_suffix(".fws")?)).collect();
        self.months.sort();
        let is_aside = |name: &String| name.ends_with(".bad") || name.ends_with(".later");
        self.set_aside = names.into_iter().filter(is_aside).collect();
        Ok(())
    }

    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    pub fn salt(&self) -> u64 {
        self.salt
    }

    pub fn set_keep(&mut self, keep: Keep) {
        self.keep = keep;
    }

    /// Months after that of `last` are in no answer.
    pub fn set_last(&mut self, last: Option<Date>) {
        self.last = last.map(Date::month);
    }

    /// What was found damaged, a sentence each.
    pub fn damage(&self) -> impl Iterator<Item = &String> {
        self.damage.iter().map(|damaged| &damaged.sentence).take(MOST_DAMAGED)
    }

    /// Files that only the owner removes: damaged ones, and months after now.
    pub fn set_aside(&self) -> &[String] {
        &self.set_aside
    }

    fn note_damage(&mut self, name: &str, what: &str) -> String {
        let path = self.directory.describe(name);
        let sentence = format!("{path} is damaged: {what}; what is readable of it is used");
        match self.damage.iter_mut().find(|damaged| damaged.name == name) {
            Some(damaged) if damaged.lasting => {}
            Some(damaged) => (damaged.sentence, damaged.lasting) = (sentence.clone(), true),
            None => {
                // The oldest of what was replaced makes room; what was not must be known when it is replaced.
                if self.damage.len() >= MOST_DAMAGED
                    && let Some(at) = self.damage.iter().position(|damaged| !damaged.lasting)
                {
                    self.damage.remove(at);
                }
                self.damage.push(Damaged { name: name.into(), sentence: sentence.clone(), lasting: true });
            }
        }
        sentence
    }

    /// All of a file could be read.
    fn note_whole(&mut self, name: &str) {
        for damaged in self.damage.iter_mut().filter(|damaged| damaged.name == name) {
            damaged.lasting = false;
        }
    }

    /// Opens a file of which something can be read.
    fn open_file(&mut self, name: &str) -> Result<Option<Open>, StoreError> {
        let path = || self.directory.describe(name);
        let opened =
            self.directory.open(name).map_err(|error| failed(&format!("cannot read {}", path()), error))?;
        match opened {
            None => Ok(None),
            Some(Ok(file)) => Ok(Some(file)),
            Some(Err(Unreadable::Newer(version))) => Err(StoreError::Newer { file: path(), version }),
            Some(Err(Unreadable::Damaged(what))) => {
                self.note_damage(name, what);
                Ok(None)
            }
        }
    }

    pub fn meta(&mut self) -> Result<Meta, StoreError> {
        let Some(file) = self.open_file(META)? else { return Ok(Meta::default()) };
        let (meta, whole) = Meta::decode(&file);
        if whole {
            self.note_whole(META);
        } else {
            self.note_damage(META, "a section cannot be read");
        }
        Ok(meta)
    }

    /// A change that stores what is remembered.
    pub fn change_meta(&mut self, meta: &Meta) -> Result<Vec<Change>, StoreError> {
        let mut changes = self.keep_damaged(META)?;
        changes.push((META.into(), Some(meta.encode(self.salt))));
        Ok(changes)
    }

    /// Events dated in the future.
    pub fn later(&mut self) -> Result<Deferred, StoreError> {
        let Some(file) = self.open_file(LATER)? else { return Ok(Deferred::default()) };
        let later = meta::decode_later(&file);
        match &later {
            Some(_) => self.note_whole(LATER),
            None => drop(self.note_damage(LATER, "contains an invalid record")),
        }
        Ok(later.unwrap_or_default())
    }

    pub fn change_later(&mut self, later: &Deferred) -> Result<Vec<Change>, StoreError> {
        let mut changes = self.keep_damaged(LATER)?;
        let bytes = (!later.is_empty() || later.dropped() > 0).then(|| meta::encode_later(self.salt, later));
        changes.push((LATER.into(), bytes));
        Ok(changes)
    }

    /// Before a file is replaced that is known to be damaged: a change that keeps it under another name.
    fn keep_damaged(&mut self, name: &str) -> Result<Vec<Change>, StoreError> {
        if !self.damage.iter().any(|damaged| damaged.name == name && damaged.lasting) {
            return Ok(Vec::new());
        }
        let path = self.directory.describe(name);
        let bytes =
            self.directory.read(name).map_err(|error| failed(&format!("cannot read {path}"), error))?;
        let aside = (1..).map(|number| match number {
            1 => format!("{name}.bad"),
            number => format!("{name}.{number}.bad"),
        });
        let aside = aside.into_iter().find(|name| !self.set_aside.contains(name));
        Ok(aside.zip(bytes).map(|(aside, bytes)| (aside, Some(bytes))).into_iter().collect())
    }

    /// Forgets what was said of damaged files that were replaced.
    fn replaced(&mut self, changes: &[(String, bool)]) {
        for Damaged { name, sentence, lasting } in self.damage.iter_mut().filter(|damaged| damaged.lasting) {
            let aside = changes.iter().find(|(changed, _)| {
                changed.strip_suffix(".bad").is_some_and(|stem| stem.starts_with(name.as_str()))
            });
            if let Some((aside, _)) = aside {
                *sentence =
                    format!("{sentence}, the file is set aside as {}", self.directory.describe(aside));
                *lasting = false;
            }
        }
    }

    /// Makes changes: all or none. Gives the bytes written.
    pub fn commit(&mut self, changes: Vec<Change>) -> Result<u64, StoreError> {
        let names: Vec<(String, bool)> =
            changes.iter().map(|(name, bytes)| (name.clone(), bytes.is_some())).collect();
        let bytes =
            changes.iter().filter_map(|(_, bytes)| bytes.as_ref()).map(|bytes| bytes.len() as u64).sum();
        self.directory.commit(changes).map_err(|error| failed("cannot write the store", error))?;
        self.committed(&names);
        Ok(bytes)
    }

    /// Changes of these files were made by another handle of the same directory.
    pub fn committed(&mut self, names: &[(String, bool)]) {
        self.replaced(names);
        // The commit is done: that the list cannot be read now is said by the next question.
        let _ = self.look();
    }

    /// The pieces of open days, oldest first.
    pub fn pieces(&self) -> Result<Vec<(String, Date, u32)>, StoreError> {
        let names = self.directory.names().map_err(|error| failed("cannot list the store", error))?;
        let piece = |name: String| {
            let (date, number) = pieces::parse_name(&name)?;
            Some((name, date, number))
        };
        let mut pieces: Vec<_> = names.into_iter().filter_map(piece).collect();
        pieces.sort_by_key(|(_, date, number)| (*date, *number));
        Ok(pieces)
    }

    /// What one piece holds. Of a damaged one, what is readable.
    pub fn piece(&mut self, name: &str) -> Result<Option<Saved>, StoreError> {
        let Some(file) = self.open_file(name)? else { return Ok(None) };
        let saved = pieces::decode(&file);
        if saved.as_ref().is_none_or(|saved| saved.damaged) {
            self.note_damage(name, "a part of an open day cannot be read");
        } else {
            self.note_whole(name);
        }
        Ok(saved)
    }

    /// A change that removes a piece, or keeps a damaged one under another name.
    pub fn remove_piece(&mut self, name: &str) -> Result<Vec<Change>, StoreError> {
        let mut changes = self.keep_damaged(name)?;
        changes.push((name.to_string(), None));
        Ok(changes)
    }

    /// The newest months first, with those that are to come.
    fn ranks(&self, new: &[Month]) -> Vec<Month> {
        let mut months: Vec<Month> = self.months.iter().chain(new).copied().collect();
        months.sort_by_key(|month| std::cmp::Reverse(*month));
        months.dedup();
        months
    }

    /// Changes that add days to their months. `dates`: of all of them, ascending, as they come.
    pub fn add(
        &mut self,
        dates: &[Date],
        days: impl IntoIterator<Item = io::Result<DaySummary>>,
    ) -> Result<Added, StoreError> {
        let mut touched: Vec<Month> = dates.iter().map(|date| date.month()).collect();
        touched.dedup();
        let ranks = self.ranks(&touched);
        let rank = |month: Month| ranks.iter().position(|known| *known == month).unwrap_or(usize::MAX);
        let mut adding = Adding { window: VecDeque::new(), cells: Cells::new(), added: Added::default() };
        let mut days = days.into_iter().peekable();
        for month in self.near(&touched) {
            if !touched.contains(&month) {
                let neighbour = self.neighbour(month, &touched)?;
                adding.push(self, Slot::Neighbour(Box::new(neighbour)))?;
                continue;
            }
            let mut new = Vec::new();
            while let Some(day) =
                days.next_if(|day| day.as_ref().is_ok_and(|day| day.date.month() == month) || day.is_err())
            {
                new.push(day.map_err(|error| failed("cannot read a day that is to be added", error))?);
            }
            let exists = self.months.contains(&month);
            if !exists && rank(month) >= self.keep.months {
                let attempts = new.iter().map(|day| day.class(Class::Attempt).attempts).sum();
                adding.added.left_out.push((month, attempts));
                continue;
            }
            let mut whole = match self.whole(month)? {
                Some(whole) => whole,
                None if rank(month) < self.keep.hours => WholeMonth::new(month, Detail::Fresh),
                None => WholeMonth::new(month, Detail::Days),
            };
            whole.add(new);
            let becomes_month = !exists && rank(month) >= self.keep.days;
            adding.push(self, Slot::Touched(Box::new(whole), becomes_month))?;
        }
        adding.finish(self)
    }

    /// The touched months and those around them whose days tell, or are told, what is usual there.
    fn near(&self, touched: &[Month]) -> Vec<Month> {
        let is_near = |month: &&Month| touched.iter().any(|touched| touched.0.abs_diff(month.0) <= 2);
        let mut near: Vec<Month> = self.months.iter().filter(is_near).copied().collect();
        near.extend(touched);
        near.sort();
        near.dedup();
        near
    }

    fn neighbour(&mut self, month: Month, touched: &[Month]) -> Result<Neighbour, StoreError> {
        let (first, last) = (month.first_day(), month.last_day());
        let need = Need::new(Class::Attempt).and(&[Section::Services, Section::Cells], first, last);
        let data = self.read(month, &need)?;
        let is_next = touched.iter().any(|touched| touched.0.abs_diff(month.0) == 1);
        Ok(Neighbour { data, judged: is_next })
    }

    fn read(&mut self, month: Month, need: &Need) -> Result<MonthData, StoreError> {
        let name = month_file(month);
        let Some(file) = self.open_file(&name)? else {
            let damaged = self.damage.iter().find(|damaged| damaged.name == name);
            let damage = damaged.map(|damaged| damaged.sentence.clone());
            return Ok(MonthData { damage, ..MonthData::new(month) });
        };
        let (mut data, damage) = month::read(&file, month, need);
        data.damage = damage.map(|what| self.note_damage(&name, what));
        Ok(data)
    }

    fn whole(&mut self, month: Month) -> Result<Option<WholeMonth>, StoreError> {
        let name = month_file(month);
        let Some(file) = self.open_file(&name)? else { return Ok(None) };
        let (whole, damage) = month::read_whole(&file, month);
        match damage {
            Some(what) => drop(self.note_damage(&name, what)),
            None => self.note_whole(&name),
        }
        Ok(Some(whole))
    }

    fn change_month(&mut self, whole: &WholeMonth) -> Result<Vec<Change>, StoreError> {
        let name = month_file(whole.month);
        let mut changes = self.keep_damaged(&name)?;
        changes.push((name, Some(whole.encode(self.salt))));
        Ok(changes)
    }

    /// Whatever a rule demands next, one thing at a time: hours of rows dropped, a month summed up, a month deleted. To
    /// be called after a day's close, with a believed clock and [`Upkeep::ALL`]; then with what is left.
    pub fn maintain(&mut self, now: i64, may: Upkeep) -> Result<Option<Demanded>, StoreError> {
        let months: Vec<Month> = self.answered().collect();
        let newest_first: Vec<Month> = months.iter().rev().copied().collect();
        for month in newest_first.iter().skip(self.keep.hours).rev().filter(|_| may.hours) {
            if self.detail(*month)? == Some(Detail::Fresh) {
                let Some(mut whole) = self.undamaged(*month)? else { continue };
                whole.drop_hours();
                let said = format!("{month}: hours of services and sources are no longer stored");
                let changes = self.change_month(&whole)?;
                return Ok(Some(Demanded { changes, said, left: Upkeep { hours: false, ..may } }));
            }
        }
        for month in newest_first.iter().skip(self.keep.days).rev().filter(|_| may.days) {
            if self.detail(*month)?.is_some_and(|detail| detail < Detail::Month) {
                let Some(mut whole) = self.undamaged(*month)? else { continue };
                whole.drop_days();
                let because = format!("{} newer months have data (keep_days)", self.keep.days);
                let changes = self.change_month(&whole)?;
                let left = Upkeep { days: false, ..may };
                return self.deleted(now, changes, format!("the days of {month}"), because, left).map(Some);
            }
        }
        for month in newest_first.iter().skip(self.keep.months).rev().filter(|_| may.months) {
            if self.undamaged(*month)?.is_some() {
                let because = format!("{} newer months have data (keep_months)", self.keep.months);
                let changes = vec![(month_file(*month), None)];
                let left = Upkeep { months: false, ..may };
                return self.deleted(now, changes, format!("the month {month}"), because, left).map(Some);
            }
        }
        Ok(None)
    }

    /// `None` if a newer version wrote the month, or its summary is damaged.
    fn detail(&mut self, month: Month) -> Result<Option<Detail>, StoreError> {
        match self.read(month, &Need::new(Class::Attempt)) {
            Ok(data) => Ok(data.damage.is_none().then_some(data.detail)),
            Err(StoreError::Newer { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A month from which something may be deleted: every byte of it can be read.
    fn undamaged(&mut self, month: Month) -> Result<Option<WholeMonth>, StoreError> {
        let whole = match self.whole(month) {
            Err(StoreError::Newer { .. }) => return Ok(None),
            whole => whole?,
        };
        let name = month_file(month);
        let is_damaged = self.damage.iter().any(|damaged| damaged.name == name && damaged.lasting);
        Ok(whole.filter(|_| !is_damaged))
    }

    fn deleted(
        &mut self,
        when: i64,
        mut changes: Vec<Change>,
        what: String,
        because: String,
        left: Upkeep,
    ) -> Result<Demanded, StoreError> {
        let said = format!("deleted: {what}, because {because}");
        let mut meta = self.meta()?;
        meta.note(Deletion { when, what, because });
        changes.extend(self.change_meta(&meta)?);
        Ok(Demanded { changes, said, left })
    }

    /// Changes that rename months after now, and bring back those whose time has come; with a sentence for each.
    pub fn settle(&mut self, today: Date) -> Result<Vec<(Vec<Change>, String)>, StoreError> {
        let last = Date(today.0.saturating_add(1)).month();
        let mut settled = Vec::new();
        for month in self.months.clone().into_iter().filter(|month| *month > last) {
            let name = month_file(month);
            let Some(bytes) = self.read_bytes(&name)? else { continue };
            let numbered = (2..).map(|number| format!("{month}.{number}.later"));
            let mut asides = std::iter::once(later_file(month)).chain(numbered);
            let Some(aside) = asides.find(|aside| !self.set_aside.contains(aside)) else { continue };
            let said = format!("{name} is after now and set aside as {aside}");
            settled.push((vec![(aside, Some(bytes)), (name, None)], said));
        }
        for name in self.set_aside.clone() {
            let Some(stem) = name.strip_suffix(".later") else { continue };
            let Some(month) = Month::parse(stem.split('.').next().unwrap_or(stem)) else { continue };
            if month > last {
                continue;
            }
            let back = month_file(month);
            let said = format!("the time of {name} has come: it is in {back} again");
            if !self.months.contains(&month) {
                let Some(bytes) = self.read_bytes(&name)? else { continue };
                settled.push((vec![(back, Some(bytes)), (name, None)], said));
                continue;
            }
            // The month has begun without it.
            let Some((more, None)) = self.open_file(&name)?.map(|file| month::read_whole(&file, month))
            else {
                continue;
            };
            let Some(mut whole) = self.undamaged(month)? else { continue };
            whole.join(more);
            let mut changes = self.change_month(&whole)?;
            changes.push((name, None));
            settled.push((changes, said));
        }
        Ok(settled)
    }

    fn read_bytes(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.directory.describe(name);
        self.directory.read(name).map_err(|error| failed(&format!("cannot read {path}"), error))
    }

    fn answered(&self) -> impl Iterator<Item = Month> + '_ {
        self.months.iter().copied().filter(|month| self.last.is_none_or(|last| *month <= last))
    }
}

pub fn failed(what: &str, error: io::Error) -> StoreError {
    StoreError::Io { what: what.to_string(), error }
}

struct Neighbour {
    data: MonthData,
    /// Its own cells can change.
    judged: bool,
}

enum Slot {
    /// The flag: its rows become those of the whole month.
    Touched(Box<WholeMonth>, bool),
    Neighbour(Box<Neighbour>),
}

impl Slot {
    fn month(&self) -> Month {
        match self {
            Slot::Touched(whole, _) => whole.month,
            Slot::Neighbour(neighbour) => neighbour.data.month,
        }
    }
}

/// Months on their way into the store, in order: a month is written once the one behind it is known, too, whose days
/// tell what was usual at its end.
struct Adding {
    window: VecDeque<Slot>,
    cells: Cells,
    added: Added,
}

impl Adding {
    fn push(&mut self, store: &mut Store, slot: Slot) -> Result<(), StoreError> {
        match &slot {
            Slot::Touched(whole, _) => {
                whole.days.iter().for_each(|day| self.cells.add(day.date, day.class(Class::Attempt)));
            }
            Slot::Neighbour(neighbour) => {
                let data = &neighbour.data;
                data.days.iter().for_each(|day| self.cells.add(day.date, &day.summary));
            }
        }
        self.window.push_back(slot);
        if self.window.len() > 1 { self.write_first(store) } else { Ok(()) }
    }

    fn write_first(&mut self, store: &mut Store) -> Result<(), StoreError> {
        let Some(slot) = self.window.pop_front() else { return Ok(()) };
        let month = slot.month();
        let found = self.cells.find(month.first_day(), month.last_day());
        self.cells.forget_before(Date(month.last_day().0 + 1));
        match slot {
            Slot::Touched(mut whole, becomes_month) => {
                if whole.summary.detail != Detail::Month {
                    whole.set_cells(found);
                }
                if becomes_month {
                    whole.drop_days();
                }
                self.added.changes.extend(store.change_month(&whole)?);
            }
            Slot::Neighbour(neighbour) => {
                let Neighbour { data, judged } = *neighbour;
                let mut found = found;
                found.sort_by_key(|cell| (cell.date, cell.service));
                if judged && data.detail != Detail::Month && data.damage.is_none() && found != data.cells {
                    let Some(mut whole) = store.whole(month)? else { return Ok(()) };
                    whole.set_cells(found);
                    self.added.changes.extend(store.change_month(&whole)?);
                }
            }
        }
        Ok(())
    }

    fn finish(mut self, store: &mut Store) -> Result<Added, StoreError> {
        while !self.window.is_empty() {
            self.write_first(store)?;
        }
        Ok(self.added)
    }
}

impl History for Store {
    fn months(&self) -> Vec<Month> {
        self.answered().collect()
    }

    fn month(&mut self, month: Month, need: &Need) -> MonthData {
        match self.read(month, need) {
            Ok(data) => data,
            Err(error) => MonthData { damage: Some(error.to_string()), ..MonthData::new(month) },
        }
    }
}
