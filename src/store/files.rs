//! The store: months in files, open days in pieces beside them.
//!
//! `2026-10.fws` holds a month; `2026-10-28.fws` a day of one whose days still have hours of rows, so that the close of a
//! day writes little; `today-2026-11-28-007.fws` a piece of an open day; `store.fws` what was imported, the time zone and what
//! was deleted; `later.fws` events dated in the future; `2038-01.later` a month after now; `NAME.bad` a damaged file. Files
//! with other names are left alone.
//!
//! Retention counts months that have data, newest first, never dates. Opening, reading and adding delete nothing:
//! [`Store::maintain`] does, at most one month at a time.

mod adding;
mod forget;
mod restore;
mod retention;

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::io;

use crate::event::calendar::{Date, Month};
use crate::query::history::{Detail, History, MonthData, Need};
use crate::stats::deferred::Deferred;

use super::container::{self, Kind, Open, Section, Unreadable};
use super::deferred;
use super::directory::{Change, Directory};
use super::meta::{LATER, META, Meta};
use super::month::{self, Wanted};
use super::pieces::{self, Saved};
use super::sections::KINDS;

pub use adding::Added;
pub use forget::Forgotten;
pub use restore::Restored;
pub use retention::{Allowed, Retention, RetentionStep};

/// Most sentences about damaged files.
const MAX_DAMAGED_FILES: usize = 20;

/// Why a file of the store cannot be read or written.
#[derive(Debug)]
pub enum StoreError {
    /// The operation failed; `what` names operation and file.
    Io { what: String, error: io::Error },
    /// A newer version wrote the file; it is left alone.
    Newer { file: String, version: u8 },
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

/// No files, in memory.
impl Default for Directory {
    fn default() -> Directory {
        Directory::Memory(Default::default())
    }
}

/// A store directory: months, pieces of open days, metadata.
#[derive(Default)]
pub struct Store {
    directory: Directory,
    salt: u64,
    pub keep: Retention,
    /// Oldest first.
    months: Vec<Month>,
    /// All files.
    names: Vec<String>,
    /// Months after this one are left out of answers.
    last: Option<Month>,
    damage: Vec<Damaged>,
    /// Files with the endings `.bad` and `.later`; of a month in the future only its own file.
    set_aside: Vec<String>,
}

/// A file that was found damaged.
struct Damaged {
    name: String,
    sentence: String,
    /// It was neither replaced nor read completely since then.
    lasting: bool,
}

/// The ending of files that are read for answers.
const FWS: &str = ".fws";

fn month_file(month: Month) -> String {
    format!("{month}{FWS}")
}

impl Store {
    /// Opens a store. `salt`: for a store without one; `None`: random. Changes no file.
    pub fn open(directory: Directory, keep: Retention, salt: Option<u64>) -> Result<Store, StoreError> {
        let random = || RandomState::new().hash_one(0u8);
        let mut store = Store { directory, keep, ..Store::default() };
        store.refresh()?;
        let months = store.months.iter().rev().map(|month| month_file(*month));
        let pieces = store.pieces()?.into_iter().map(|(name, ..)| name);
        let mut names = std::iter::once(META.to_string()).chain(months).chain(pieces);
        let known =
            names.find_map(|name| Some(Open::from_bytes(store.directory.read(&name).ok()??).ok()?.salt));
        store.salt = known.or(salt).unwrap_or_else(random);
        Ok(store)
    }

    /// Reads the list of files.
    pub fn refresh(&mut self) -> Result<(), StoreError> {
        let names = self.directory.names().map_err(|error| failed("cannot list the store", error))?;
        let stems = names.iter().filter_map(|name| name.strip_suffix(FWS));
        let month = |stem| Month::parse(stem).or_else(|| Date::parse(stem).map(Date::month));
        self.months = stems.filter_map(month).collect();
        self.months.sort_unstable();
        self.months.dedup();
        // A day's file is listed with its month's.
        let is_day = |name: &str| name.get(..10).and_then(Date::parse).is_some();
        let is_aside = |name: &str| name.ends_with(".bad") || name.ends_with(".later") && !is_day(name);
        self.set_aside = names.iter().filter(|name| is_aside(name)).cloned().collect();
        self.names = names;
        Ok(())
    }

    /// The days of a month that have files of their own with this ending.
    fn days(&self, month: Month, ending: &str) -> Vec<Date> {
        let stems = self.names.iter().filter_map(|name| name.strip_suffix(ending));
        let first = month.first_day().to_string();
        stems.filter(|stem| stem.starts_with(&first[..8])).filter_map(Date::parse).collect()
    }

    /// The names without endings of a month's files.
    fn stems(&self, month: Month, ending: &str) -> Vec<String> {
        let days = self.days(month, ending).into_iter().map(|date| date.to_string());
        std::iter::once(month.to_string()).chain(days).collect()
    }

    /// Changes that remove a month's files with this ending.
    fn removed(&self, month: Month, ending: &str) -> Vec<Change> {
        self.stems(month, ending).into_iter().map(|stem| (stem + ending, None)).collect()
    }

    /// The directory of the files.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The salt of the store's samples.
    pub fn salt(&self) -> u64 {
        self.salt
    }

    /// Months after that of `last` are left out of answers.
    pub fn set_last(&mut self, last: Option<Date>) {
        self.last = last.map(Date::month);
    }

    /// The damage that was found, a sentence each.
    pub fn damage(&self) -> impl Iterator<Item = &String> {
        self.damage.iter().map(|damaged| &damaged.sentence).take(MAX_DAMAGED_FILES)
    }

    /// Sentences about damaged pieces of open days, which no month reports.
    pub fn damage_of_pieces(&self) -> impl Iterator<Item = &String> {
        let pieces = self.damage.iter().filter(|damaged| pieces::parse_name(&damaged.name).is_some());
        pieces.map(|damaged| &damaged.sentence)
    }

    /// Files that only the owner removes: damaged ones, and months in the future.
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
                // The oldest entry of a replaced file is dropped; the others are needed when their file is replaced.
                if self.damage.len() >= MAX_DAMAGED_FILES
                    && let Some(at) = self.damage.iter().position(|damaged| !damaged.lasting)
                {
                    self.damage.remove(at);
                }
                self.damage.push(Damaged { name: name.into(), sentence: sentence.clone(), lasting: true });
            }
        }
        sentence
    }

    /// Opens a file; a damaged one is noted and gives `None`.
    pub(crate) fn open_file(&mut self, name: &str) -> Result<Option<Open>, StoreError> {
        match self.read_bytes(name)?.map(Open::from_bytes).transpose() {
            Ok(opened) => Ok(opened),
            Err(Unreadable::Newer(version)) => {
                Err(StoreError::Newer { file: self.directory.describe(name), version })
            }
            Err(Unreadable::Damaged(what)) => {
                self.note_damage(name, what);
                Ok(None)
            }
        }
    }

    /// The metadata; empty if there is none.
    pub fn meta(&mut self) -> Result<Meta, StoreError> {
        let Some(file) = self.open_file(META)? else { return Ok(Meta::default()) };
        let (meta, whole) = Meta::decode(&file);
        self.note(META, (!whole).then_some("a section cannot be read"));
        Ok(meta)
    }

    /// The changes that store the metadata.
    pub fn change_meta(&mut self, meta: &Meta) -> Result<Vec<Change>, StoreError> {
        self.replace(META, Some(meta.encode(self.salt)))
    }

    /// Events dated in the future.
    pub fn later(&mut self) -> Result<Deferred, StoreError> {
        let Some(file) = self.open_file(LATER)? else { return Ok(Deferred::default()) };
        let later = deferred::from_file(&file);
        self.note(LATER, later.is_none().then_some("contains an invalid record"));
        Ok(later.unwrap_or_default())
    }

    /// The changes that store these events, or remove the file if there are none.
    pub fn change_later(&mut self, later: &Deferred) -> Result<Vec<Change>, StoreError> {
        let bytes = (!later.is_empty() || later.dropped() > 0).then(|| {
            container::write(self.salt, vec![Section::packed(Kind::Deferred, deferred::encode(later))])
        });
        self.replace(LATER, bytes)
    }

    fn is_damaged(&self, name: &str) -> bool {
        self.damage.iter().any(|damaged| damaged.name == name && damaged.lasting)
    }

    /// For a file that is to be replaced and is known to be damaged: a change that renames it.
    pub(crate) fn keep_damaged(&mut self, name: &str) -> Result<Vec<Change>, StoreError> {
        if !self.is_damaged(name) {
            return Ok(Vec::new());
        }
        let bytes = self.read_bytes(name)?;
        let aside = (1..).map(|number| match number {
            1 => format!("{name}.bad"),
            number => format!("{name}.{number}.bad"),
        });
        let aside = aside.into_iter().find(|name| !self.set_aside.contains(name));
        Ok(aside.zip(bytes).map(|(aside, bytes)| (aside, Some(bytes))).into_iter().collect())
    }

    /// Changes that replace a file, or remove it without `bytes`; a damaged one is renamed.
    fn replace(&mut self, name: &str, bytes: Option<Vec<u8>>) -> Result<Vec<Change>, StoreError> {
        let mut changes = self.keep_damaged(name)?;
        changes.push((name.into(), bytes));
        Ok(changes)
    }

    /// To be called after another handle of the same directory has changed these files.
    pub fn committed(&mut self, names: &[(String, bool)]) {
        // A damaged file that was replaced is damaged no longer.
        for Damaged { name, sentence, lasting } in self.damage.iter_mut().filter(|damaged| damaged.lasting) {
            let aside = names.iter().find(|(changed, _)| {
                changed.strip_suffix(".bad").is_some_and(|stem| stem.starts_with(name.as_str()))
            });
            if let Some((aside, _)) = aside {
                *sentence =
                    format!("{sentence}, the file is set aside as {}", self.directory.describe(aside));
                *lasting = false;
            }
        }
        // The commit succeeded: if the list cannot be read now, the next read reports it.
        let _ = self.refresh();
    }

    /// Commits changes, atomically. Returns the bytes written.
    pub fn commit(&mut self, changes: Vec<Change>) -> Result<u64, StoreError> {
        let names: Vec<(String, bool)> =
            changes.iter().map(|(name, bytes)| (name.clone(), bytes.is_some())).collect();
        let bytes = changes.iter().flat_map(|(_, bytes)| bytes).map(|bytes| bytes.len() as u64).sum();
        self.directory.commit(changes).map_err(|error| failed("cannot write the store", error))?;
        self.committed(&names);
        Ok(bytes)
    }

    /// The pieces of open days, oldest first.
    pub fn pieces(&self) -> Result<Vec<(String, Date, u32)>, StoreError> {
        let names = self.directory.names().map_err(|error| failed("cannot list the store", error))?;
        let piece = |name: String| {
            let (date, number) = pieces::parse_name(&name)?;
            Some((name, date, number))
        };
        let mut pieces: Vec<_> = names.into_iter().filter_map(piece).collect();
        pieces.sort_unstable_by_key(|(_, date, number)| (*date, *number));
        Ok(pieces)
    }

    /// The content of a piece; of a damaged one, what is readable.
    pub fn piece(&mut self, name: &str) -> Result<Option<Saved>, StoreError> {
        let Some(file) = self.open_file(name)? else { return Ok(None) };
        let saved = pieces::decode(&file);
        let is_damaged = saved.as_ref().is_none_or(|saved| saved.damaged);
        self.note(name, is_damaged.then_some("a part of an open day cannot be read"));
        Ok(saved)
    }

    /// A change that removes a piece, or renames a damaged one.
    pub fn remove_piece(&mut self, name: &str) -> Result<Vec<Change>, StoreError> {
        self.replace(name, None)
    }

    fn read(&mut self, month: Month, need: &Need) -> Result<MonthData, StoreError> {
        if !self.months.contains(&month) {
            return Ok(MonthData::new(month));
        }
        Ok(match self.load(month, FWS, Wanted::Need(need), &|_| Wanted::Need(need))? {
            Some(read) => MonthData { class: need.class, ..read },
            None => MonthData { damage: Some(self.unreadable(&month_file(month))), ..MonthData::new(month) },
        })
    }

    /// Reads a month from the files with this ending. `wanted`: the sections to read of the month's file; `of_day`:
    /// those of a day's file. It is damaged if one of these sections cannot be read.
    fn load<'a>(
        &mut self,
        month: Month,
        ending: &str,
        wanted: Wanted<'a>,
        of_day: &dyn Fn(Date) -> Wanted<'a>,
    ) -> Result<Option<MonthData>, StoreError> {
        let name = format!("{month}{ending}");
        let files = self.days(month, ending);
        let mut whole = match self.open_file(&name)? {
            Some(file) => {
                let (whole, found) = month::read(&file, month, wanted);
                MonthData { damage: self.note_read(&name, found, wanted), ..whole }
            }
            None if files.is_empty() => return Ok(None),
            None => MonthData { damage: Some(self.unreadable(&name)), ..MonthData::new(month) },
        };
        if whole.detail > Detail::Fresh {
            return Ok(Some(whole));
        }
        let mut dates: Vec<Date> = whole.days.iter().map(|day| day.date).chain(files).collect();
        dates.sort_unstable();
        dates.dedup();
        for date in dates {
            // Of a day that the month's summary has lost the totals are in the day's file only.
            let is_known = whole.days.iter().any(|day| day.date == date);
            let wanted = of_day(date);
            if is_known && !KINDS.iter().any(|kind| wanted.on_days(*kind, date, date)) {
                continue;
            }
            let name = format!("{date}{ending}");
            let found = match self.open_file(&name)? {
                Some(file) => {
                    let found = whole.read_day(&file, date, wanted);
                    self.note_read(&name, found, wanted)
                }
                None => Some(self.unreadable(&name)),
            };
            whole.damage = whole.damage.or(found);
        }
        Ok(Some(whole))
    }

    /// A sentence about a file of which nothing can be read.
    fn unreadable(&mut self, name: &str) -> String {
        match self.damage.iter().find(|damaged| damaged.name == name) {
            Some(damaged) => damaged.sentence.clone(),
            None => self.note_damage(name, "it is missing"),
        }
    }

    /// Everything that is stored of a month in files with this ending; of days with files of their own that are not
    /// `wanted`, only what adding another day needs.
    fn whole(
        &mut self,
        month: Month,
        ending: &str,
        is_wanted: &dyn Fn(Date) -> bool,
    ) -> Result<Option<MonthData>, StoreError> {
        let of_day = |date| if is_wanted(date) { Wanted::All } else { Wanted::OfOtherDays };
        self.load(month, ending, Wanted::All, &of_day)
    }

    /// Notes the damage of a file that was read completely.
    pub(crate) fn note(&mut self, name: &str, damage: Option<&str>) {
        self.note_read(name, damage, Wanted::All);
    }

    /// Notes the damage of a file that was read in part. Returns a sentence if it is damaged.
    fn note_read(&mut self, name: &str, damage: Option<&str>, read: Wanted<'_>) -> Option<String> {
        if damage.is_none() && matches!(read, Wanted::All) {
            let of_file = self.damage.iter_mut().filter(|damaged| damaged.name == name);
            of_file.for_each(|damaged| damaged.lasting = false);
        }
        damage.map(|what| self.note_damage(name, what))
    }

    /// Changes that store a month, of which everything was read that has changed.
    fn change_month(&mut self, whole: &mut MonthData) -> Result<Vec<Change>, StoreError> {
        self.change_files(whole, FWS)
    }

    /// The same of files with this ending.
    fn change_files(&mut self, whole: &mut MonthData, ending: &str) -> Result<Vec<Change>, StoreError> {
        let bytes = whole.encode(self.salt);
        let mut changes = self.replace(&format!("{}{ending}", whole.month), Some(bytes))?;
        let is_fresh = whole.detail == Detail::Fresh;
        let mut dates = if is_fresh { whole.changed.clone() } else { self.days(whole.month, ending) };
        dates.sort_unstable();
        dates.dedup();
        for date in dates {
            let bytes = if is_fresh { whole.encode_day(date, self.salt) } else { None };
            changes.extend(self.replace(&format!("{date}{ending}"), bytes)?);
        }
        Ok(changes)
    }

    fn read_bytes(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.directory.describe(name);
        self.directory.read(name).map_err(|error| failed(&format!("cannot read {path}"), error))
    }

    fn answered(&self) -> impl Iterator<Item = Month> + '_ {
        self.months.iter().copied().filter(|month| self.last.is_none_or(|last| *month <= last))
    }
}

/// An error with the operation that failed.
pub fn failed(what: &str, error: io::Error) -> StoreError {
    StoreError::Io { what: what.to_string(), error }
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

#[cfg(test)]
mod tests;
