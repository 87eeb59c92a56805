//! The country and AS databases: MMDB files on flash -> the country of an address, its AS number and name.
//!
//! Files are read page by page into a small cache and not mapped: accessed pages of a mapping count as resident memory,
//! and truncating a mapped file raises SIGBUS.

pub mod mmdb;
mod ranges;

use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::event::Address;
use crate::query::asns::{Network, NetworkLookup};
use crate::stats::countries::{Country, CountryLookup};
pub use mmdb::Content;
use mmdb::{Bytes, Layout, Walk};
pub use ranges::NoRanges;

const PAGE: usize = 4096;
/// Pages of the cache, which takes at most 128 KiB.
const PAGES: usize = 32;
/// The largest file; checking a larger one would take a router too long.
const MAX_BYTES: u64 = 32 << 20;
/// Data older than this many days is reported as outdated.
const OUTDATED_DAYS: i64 = 400;

/// A file, with the pages that were read last.
struct Pages {
    file: File,
    length: u64,
    pages: Vec<(u64, Box<[u8; PAGE]>)>,
}

impl Pages {
    /// A page of the file. `None`: it is behind the file's end, or cannot be read.
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
            let head = into.split_off_mut(..(PAGE - within).min(into.len()))?;
            head.copy_from_slice(&self.page(at / PAGE as u64)?[within..within + head.len()]);
            at += head.len() as u64;
        }
        Some(())
    }
}

/// Identifies the file that was checked: device, inode, size, and when it was changed (seconds and nanoseconds).
type Identity = (u64, u64, u64, i64, i64);

/// A file that was checked.
struct Opened {
    pages: Pages,
    layout: Layout,
    walk: Walk,
}

/// The database at a path.
pub struct Database {
    /// Of its file.
    pub(crate) path: PathBuf,
    content: Content,
    /// The error: why the file cannot be used, `None` if there is none.
    opened: Result<Opened, Option<String>>,
    /// The file that was checked last, `Some(None)` if there was none; `None` before the first check.
    checked: Option<Option<Identity>>,
}

impl Database {
    /// A database of countries that is opened by the first [`Database::refresh`].
    pub fn new(path: &Path) -> Database {
        Database::of(Content::Countries, path)
    }

    /// A database of this content, opened by the first [`Database::refresh`].
    pub fn of(content: Content, path: &Path) -> Database {
        Database { path: path.to_owned(), content, opened: Err(None), checked: None }
    }

    /// Its name in messages.
    pub fn kind(&self) -> &'static str {
        match self.content {
            Content::Countries => "country",
            Content::Networks => "AS",
        }
    }

    /// Checks the file if it is not the one that was checked last. To be called before
    /// addresses are looked up.
    pub fn refresh(&mut self) {
        let found: Option<Identity> = std::fs::metadata(&self.path)
            .ok()
            .map(|file| (file.dev(), file.ino(), file.size(), file.mtime(), file.mtime_nsec()));
        if self.checked == Some(found) {
            return;
        }
        (self.checked, self.opened) = (Some(found), Err(None));
        if found.is_some() {
            let (kind, path) = (self.kind(), self.path.display());
            let wrong = |reason| Some(format!("the {kind} database {path} cannot be used: {reason}"));
            self.opened = open(&self.path, self.content).map_err(wrong);
        }
    }

    /// `ok`, `none`, or `unusable`.
    pub fn state(&self) -> &'static str {
        match &self.opened {
            Ok(_) => "ok",
            Err(Some(_)) => "unusable",
            Err(None) => "none",
        }
    }

    /// All ranges of addresses of a country, at most `most` of them; see [`Layout::ranges_of`]. `None` where no
    /// database can be used.
    pub fn ranges_of(
        &mut self,
        country: Country,
        most: usize,
    ) -> Option<Result<Vec<(u128, u128)>, NoRanges>> {
        let Opened { pages, layout, .. } = self.opened.as_mut().ok()?;
        Some(layout.ranges_of(pages, country, most))
    }

    /// When its data was made, seconds since 1970.
    pub fn built(&self) -> Option<i64> {
        self.opened.as_ref().ok().map(|opened| opened.layout.built)
    }

    /// The problem as a sentence: damaged, or outdated at the time `now` (seconds since 1970). A missing country
    /// database is no error, since its path has a default; a missing AS database is one, since its path was configured.
    pub fn problem(&self, now: i64) -> Option<String> {
        let age = now.saturating_sub(self.built().unwrap_or(now)) / 86_400;
        match &self.opened {
            Err(Some(wrong)) => Some(wrong.clone()),
            Ok(_) if age > OUTDATED_DAYS => Some(format!(
                "the {} database {} is {age} days old: what it says of newer address ranges is missing or wrong",
                self.kind(),
                self.path.display()
            )),
            Err(None) if self.content == Content::Networks => {
                Some(format!("there is no AS database {}", self.path.display()))
            }
            _ => None,
        }
    }
}

/// Opens a file and checks it. The error is the reason why it cannot be used.
fn open(path: &Path, content: Content) -> Result<Opened, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let metadata = file.metadata().map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("it is no file".into());
    }
    let length = metadata.len();
    if length > MAX_BYTES {
        return Err(format!("it has {length} bytes; such a database has at most {MAX_BYTES}"));
    }
    let mut pages = Pages { file, length, pages: Vec::new() };
    let layout = Layout::read(&mut pages)?;
    layout.check(&mut pages, content)?;
    Ok(Opened { pages, layout, walk: Walk::default() })
}

impl CountryLookup for Database {
    fn is_ready(&mut self) -> bool {
        self.refresh();
        self.opened.is_ok()
    }

    fn country_of(&mut self, address: Address) -> Option<Country> {
        let Opened { pages, layout, walk } = self.opened.as_mut().ok()?;
        let found = walk.record(layout, pages, address);
        Some(found.and_then(|record| layout.country_at(pages, record).ok()?).unwrap_or(Country::UNKNOWN))
    }
}

impl NetworkLookup for Database {
    fn is_ready(&mut self) -> bool {
        self.refresh();
        self.opened.is_ok()
    }

    fn record_of(&mut self, address: Address) -> Option<u32> {
        let Opened { pages, layout, walk } = self.opened.as_mut().ok()?;
        walk.record(layout, pages, address)
    }

    fn network_at(&mut self, record: u32) -> Option<Network> {
        let Opened { pages, layout, .. } = self.opened.as_mut().ok()?;
        layout.network_at(pages, record).ok()?
    }
}
