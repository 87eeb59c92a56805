//! The country database: an MMDB file on flash -> the country of an address.
//!
//! Read page by page into a small cache, not mapped: a mapping counts every page that was ever accessed as
//! resident, and truncating a mapped file raises SIGBUS.

pub mod mmdb;
mod ranges;

use std::fs::{File, Metadata};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::event::Address;
use crate::stats::countries::{Country, CountryLookup};
use mmdb::{Bytes, Layout, Unusable, Walk};
pub use ranges::NoRanges;

const PAGE: usize = 4096;
/// The cache takes 128 KiB at most.
const PAGES: usize = 32;
/// A country database is smaller; checking a larger file would keep a router busy.
const MOST_BYTES: u64 = 32 << 20;
/// Data older than this is called outdated, in days.
const OUTDATED_DAYS: i64 = 400;

struct Pages {
    file: File,
    length: u64,
    pages: Vec<(u64, Box<[u8; PAGE]>)>,
}

impl Pages {
    fn page(&mut self, number: u64) -> Option<&[u8; PAGE]> {
        let slot = (number % PAGES as u64) as usize;
        while self.pages.len() <= slot {
            self.pages.push((u64::MAX, Box::new([0; PAGE])));
        }
        let (held, page) = &mut self.pages[slot];
        if *held != number {
            *held = u64::MAX;
            let start = number.checked_mul(PAGE as u64)?;
            let there = self.length.checked_sub(start)?.min(PAGE as u64) as usize;
            self.file.read_exact_at(&mut page[..there], start).ok()?;
            *held = number;
        }
        Some(page)
    }
}

impl Bytes for Pages {
    fn length(&self) -> u64 {
        self.length
    }

    fn read(&mut self, at: u64, into: &mut [u8]) -> Option<()> {
        let end = at.checked_add(into.len() as u64).filter(|end| *end <= self.length)?;
        let (mut at, mut into) = (at, into);
        while at < end {
            let within = (at % PAGE as u64) as usize;
            let some = (PAGE - within).min(into.len());
            let (head, rest) = into.split_at_mut(some);
            head.copy_from_slice(&self.page(at / PAGE as u64)?[within..within + some]);
            (at, into) = (at + some as u64, rest);
        }
        Some(())
    }
}

/// Identifies the file that was checked.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Identity(u64, u64, u64, (i64, i64));

impl Identity {
    fn of(metadata: &Metadata) -> Identity {
        let changed = (metadata.mtime(), metadata.mtime_nsec());
        Identity(metadata.dev(), metadata.ino(), metadata.size(), changed)
    }
}

struct Opened {
    pages: Pages,
    layout: Layout,
    walk: Walk,
}

/// The database at a path.
pub struct Database {
    path: PathBuf,
    opened: Option<Opened>,
    /// The file that was checked last; `None` if there was none.
    seen: Option<Identity>,
    looked: bool,
    /// What is wrong with the file.
    wrong: Option<String>,
}

impl Database {
    pub fn new(path: &Path) -> Database {
        Database { path: path.to_owned(), opened: None, seen: None, looked: false, wrong: None }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Checks the file if it is not the one that was checked last. To be called before
    /// addresses are looked up.
    pub fn look(&mut self) {
        let found = std::fs::metadata(&self.path).ok().map(|metadata| Identity::of(&metadata));
        if self.looked && found == self.seen {
            return;
        }
        (self.looked, self.seen, self.opened, self.wrong) = (true, found, None, None);
        if found.is_none() {
            return;
        }
        match open(&self.path) {
            Ok(opened) => self.opened = Some(opened),
            Err(reason) => {
                self.wrong =
                    Some(format!("the country database {} cannot be used: {reason}", self.path.display()));
            }
        }
    }

    pub fn is_usable(&self) -> bool {
        self.opened.is_some()
    }

    /// `ok`, `none`, or `unusable`.
    pub fn state(&self) -> &'static str {
        match (&self.opened, &self.wrong) {
            (Some(_), _) => "ok",
            (None, Some(_)) => "unusable",
            (None, None) => "none",
        }
    }

    /// All ranges of addresses of a country, at most `most` of them; see [`Layout::ranges_of`]. `None` where no
    /// database can be used.
    pub fn ranges_of(
        &mut self,
        country: Country,
        most: usize,
    ) -> Option<Result<Vec<(u128, u128)>, NoRanges>> {
        let Opened { pages, layout, .. } = self.opened.as_mut()?;
        Some(layout.ranges_of(pages, country, most))
    }

    /// When its data was made, seconds since 1970.
    pub fn built(&self) -> Option<i64> {
        self.opened.as_ref().map(|opened| opened.layout.built)
    }

    /// What is wrong, as a sentence: damaged, or outdated at the time `now` (seconds since 1970). That there is no file
    /// is no error.
    pub fn trouble(&self, now: i64) -> Option<String> {
        let age = now.saturating_sub(self.built().unwrap_or(now)) / 86_400;
        match &self.wrong {
            Some(wrong) => Some(wrong.clone()),
            None if age > OUTDATED_DAYS => Some(format!(
                "the country database {} is {age} days old: countries of newer address ranges are missing or wrong",
                self.path.display()
            )),
            None => None,
        }
    }
}

fn open(path: &Path) -> Result<Opened, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let metadata = file.metadata().map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("it is no file".into());
    }
    let length = metadata.len();
    if length > MOST_BYTES {
        return Err(format!("it has {length} bytes; a country database has at most {MOST_BYTES}"));
    }
    let mut pages = Pages { file, length, pages: Vec::new() };
    let checked = Layout::read(&mut pages).and_then(|layout| layout.check(&mut pages).map(|()| layout));
    match checked {
        Ok(layout) => Ok(Opened { pages, layout, walk: Walk::default() }),
        Err(Unusable(reason)) => Err(reason.into()),
    }
}

impl CountryLookup for Database {
    fn is_ready(&mut self) -> bool {
        self.look();
        self.is_usable()
    }

    fn country_of(&mut self, address: Address) -> Option<Country> {
        let Opened { pages, layout, walk } = self.opened.as_mut()?;
        Some(walk.country(layout, pages, address).unwrap_or(Country::UNKNOWN))
    }
}
