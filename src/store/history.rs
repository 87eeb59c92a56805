//! The store: months in files on a shelf. `add` brings new days in, and takes away what the ladder no longer keeps.
//!
//! `2020-04.fws` holds the days of a month, cut to their heaviest rows, and the month's summary.
//! `open-2020-04-06.fws` holds a day whole, so that more of it can be added exactly.
//! `origin.fws` remembers which files were imported, and in which time zone the days are counted.

use std::fmt;
use std::io;
use std::rc::Rc;

use crate::calendar::{Date, Month};
use crate::event::Class;
use crate::query::history::{History, MonthOfDays, Retention};
use crate::stats::day::KeptDay;
use crate::stats::kept::SKETCHED;
use crate::stats::month::{KeptMonth, MonthSum};

use super::format::{self, Block, Kind, Payload};
use super::records::{self, Form};
use super::shelf::{Change, Shelf};

mod add;

pub use add::AddedDay;

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

pub struct Store {
    shelf: Box<dyn Shelf>,
    /// Bytes written since it was opened.
    written: u64,
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

impl Store {
    /// Opens a store. With `writable`, damaged files are set aside and what is readable of them
    /// is kept; otherwise nothing changes.
    pub fn open(
        shelf: impl Shelf + 'static,
        retention: Retention,
        writable: bool,
    ) -> Result<Store, StoreError> {
        Store::open_boxed(Box::new(shelf), retention, writable)
    }

    fn open_boxed(shelf: Box<dyn Shelf>, retention: Retention, writable: bool) -> Result<Store, StoreError> {
        let mut store = Store {
            shelf,
            written: 0,
            retention,
            open: Vec::new(),
            months: Vec::new(),
            damage: Vec::new(),
            writable,
        };
        let names = store.shelf.names().map_err(|error| store.failed("cannot list the store", error))?;
        for name in names {
            if let Some(month) = parse_month_file(&name) {
                store.months.push(month);
                if writable {
                    // Checksums only: records are looked at when they are read, and a daemon starts at once.
                    store.read_whole(&name, |_| true)?;
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

    pub fn shelf(&self) -> &dyn Shelf {
        &*self.shelf
    }

    /// Bytes written since the store was opened.
    pub fn written(&self) -> u64 {
        self.written
    }

    fn commit(&mut self, changes: Vec<Change>) -> io::Result<()> {
        let bytes: usize = changes.iter().filter_map(|(_, bytes)| bytes.as_ref()).map(Vec::len).sum();
        self.shelf.commit(changes)?;
        self.written = self.written.saturating_add(bytes as u64);
        Ok(())
    }

    /// Changes files that are no days or months: all of them or none.
    pub fn change(&mut self, changes: Vec<Change>) -> Result<(), StoreError> {
        self.commit(changes).map_err(|error| self.failed("cannot write the store", error))
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
        self.read_whole(name, is_readable)
    }

    fn read_whole(&mut self, name: &str, is_readable: fn(&Block) -> bool) -> Result<Vec<Block>, StoreError> {
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
                self.commit(changes).map_err(failed)?;
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
        Ok(month_of_days(month, &self.read_file(&month_file(month))?))
    }

    /// What is remembered of earlier imports.
    pub fn origin(&mut self) -> Result<Origin, StoreError> {
        let mut origin = Origin::default();
        for block in self.read_file(ORIGIN)? {
            match block.kind {
                Kind::Imported => origin.imported = block.payload.bytes,
                Kind::Zone => origin.zone = String::from_utf8(block.payload.bytes).ok(),
                _ => {}
            }
        }
        Ok(origin)
    }
}

/// A whole day, as it is written.
#[derive(Clone)]
struct OpenDay {
    date: Date,
    payload: Payload,
}

impl OpenDay {
    fn read(&self) -> Option<KeptDay> {
        records::read_day(self.date, &self.payload).ok()
    }
}

fn is_readable(block: &Block) -> bool {
    match block.kind {
        Kind::Day => records::read_day(Date(block.key), &block.payload).is_ok(),
        Kind::Month => records::read_month(Month(block.key), &block.payload).is_ok(),
        Kind::Imported | Kind::State | Kind::Blocks | Kind::Aside => true,
        Kind::Zone => std::str::from_utf8(&block.payload.bytes).is_ok(),
    }
}

/// What blocks hold of a month.
fn month_of_days(month: Month, blocks: &[Block]) -> Option<MonthOfDays> {
    let mut days = Vec::new();
    let mut summary = None;
    for block in blocks {
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
        return None;
    }
    days.sort_by_key(|day: &KeptDay| day.date);
    let summary = summary.unwrap_or_else(|| sum_days(month, &days));
    Some(MonthOfDays { summary, days })
}

fn sum_days(month: Month, days: &[KeptDay]) -> KeptMonth {
    let mut sum = MonthSum::new(month);
    days.iter().for_each(|day| sum.add_day(day));
    sum.finish()
}

impl History for Store {
    fn months(&self) -> Vec<Month> {
        self.months.clone()
    }

    fn month(&mut self, month: Month) -> Option<Rc<MonthOfDays>> {
        let mut kept = match self.read_month(month) {
            Ok(kept) => kept?,
            Err(error) => {
                self.damage.push(error.to_string());
                return None;
            }
        };
        for open in self.open.iter().filter(|open| open.date.month() == month) {
            if let Some(day) = kept.days.iter_mut().find(|day| day.date == open.date)
                && let Some(mut whole) = open.read()
            {
                whole.classes.iter_mut().for_each(|kept| kept.sketch_services(SKETCHED));
                *day = whole;
            }
        }
        Some(Rc::new(kept))
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
