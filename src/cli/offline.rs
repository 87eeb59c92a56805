//! Commands without a daemon: log files are read into a store or into memory, and a store is queried.
//!
//! Takes checked arguments, gives an opened store with counts and notes. Prints nothing.

mod adding;
mod opened;

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

pub use opened::Opened;

use crate::cli::arguments::{DEFAULT_COUNTRIES, Input, StoreOptions};
use crate::config::{rules, zones};
use crate::event::Event;
use crate::event::calendar::{Calendar, Date};
use crate::event::paths::Paths;
use crate::fleet;
use crate::geoip::{Content, Database};
use crate::input::file::{FileReport, FileState, Progress, ReadOptions, read_files};
use crate::input::imported::{Imported, Unreadable};
use crate::input::seen::SeenMessages;
use crate::live::clock::BUILT;
use crate::parse::interfaces::Networks;
use crate::query::answer::InputCounts;
use crate::stats::countries::SharedLookup;
use crate::stats::deferred::Deferred;
use crate::store::collect::{Collector, Order, Settings};
use crate::store::directory::{Directory, Disk};
use crate::store::pieces;
use crate::store::spool::Spool;
use crate::store::{Retention, Store, StoreError};
use crate::sys::installed::read_text;
use crate::sys::{clock, memory};

/// A longer configuration of the firewall is cut.
const MAX_FIREWALL: u64 = 1 << 20;

impl From<StoreError> for String {
    fn from(error: StoreError) -> String {
        error.to_string()
    }
}

/// The error: a sentence that says what failed, where and why.
type Result<T> = std::result::Result<T, String>;

/// The salt of a report's samples, constant so that the same files give the same report.
const REPORT_SALT: u64 = 0;
const DAY: i64 = 86_400;
/// Most days that stay open for a correction, since the daemon holds a bounded number of closed days.
const MAX_CORRECTED_DAYS: usize = 4;
/// An import merges this many pieces of an open day into one.
const MAX_PIECES: usize = 16;

/// The result of reading log files.
pub struct Reading {
    pub counts: InputCounts,
    /// Sentences about files that were not read, or not completely.
    pub failures: Vec<String>,
    /// Sentences about other things worth knowing.
    pub notes: Vec<String>,
}

/// The sentence for an error: what cannot be done with which file.
pub(super) fn cannot(what: &str, path: &Path) -> impl Fn(io::Error) -> String {
    move |error| format!("cannot {what} {}: {error}", path.display())
}

/// The requested zone, else the store's, else the system's.
pub(super) fn choose_zone(asked: Option<&str>, stored: Option<&str>) -> Result<Calendar> {
    match (asked, stored) {
        (Some(asked), Some(stored)) if asked != stored => Err(format!(
            "the days of this store are counted in the time zone {stored}: \
             leave out --timezone {asked}, or use another directory"
        )),
        (Some(zone), _) | (None, Some(zone)) => Calendar::new(zone),
        (None, None) => Ok(Calendar::system(crate::sys::zone::name().as_deref())),
    }
}

/// The store's zone, else the system's; also for a name that this build does not know, as only fwstat-full reads zone
/// files.
pub(super) fn stored_zone(stored: Option<&str>) -> Calendar {
    choose_zone(None, stored).unwrap_or_else(|_| Calendar::system(crate::sys::zone::name().as_deref()))
}

/// Unix seconds.
pub(super) fn now() -> i64 {
    clock::wall().as_secs().cast_signed()
}

/// The same; `None` if the clock shows a time before this program was built, and so cannot be trusted.
pub(super) fn plausible_now() -> Option<i64> {
    Some(now()).filter(|now| *now >= BUILT)
}

/// A country or AS database, and what is wrong with it. Only the default file may be missing.
fn open_database(content: Content, path: &Path) -> Result<(Rc<RefCell<Database>>, Option<String>)> {
    let mut database = Database::of(content, path);
    database.refresh();
    let is_default = content == Content::Countries && path == Path::new(DEFAULT_COUNTRIES);
    if !path.exists() && !is_default {
        return Err(format!("there is no {} database {}", database.kind(), path.display()));
    }
    let problem = database.problem(now());
    Ok((Rc::new(RefCell::new(database)), problem))
}

/// Opens a store directory for questions.
pub fn open_store(options: &StoreOptions) -> Result<Opened> {
    let directory = &options.directory;
    let disk = Disk::open(directory).map_err(cannot("open the store", directory))?;
    let behind = disk.is_being_written();
    let mut store = Store::open(Directory::Disk(disk), Retention::default(), None)?;
    store.set_last(plausible_tomorrow());
    // Only the offsets of times depend on the zone: days are stored.
    let calendar = match &options.timezone {
        Some(zone) => Calendar::new(zone)?,
        None => stored_zone(store.meta()?.zone.as_deref()),
    };
    let (lookup, problem) = open_database(Content::Countries, &options.countries)?;
    let networks = options.networks.as_deref().map(|path| open_database(Content::Networks, path));
    let (networks, wrong) = networks.transpose()?.unzip();
    let mut opened = Opened::new(store, calendar, lookup)?;
    opened.networks = networks.map(|networks| networks as _);
    (opened.behind, opened.problem) = (behind, problem.or(wrong.flatten()));
    Ok(opened)
}

/// Tomorrow, if this machine's clock is plausible: later months are left out of answers.
fn plausible_tomorrow() -> Option<Date> {
    plausible_now().map(|now| Date((now + DAY).div_euclid(DAY) as i32))
}

/// Reads log files into a store directory, of which a daemon can have this run directory.
pub fn import(
    input: &Input,
    directory: &Path,
    run: &Path,
    keep: Retention,
    progress: &mut dyn FnMut(Progress),
) -> Result<Reading> {
    let disk = Disk::open_for_writing(directory).map_err(cannot("write to", directory))?;
    let store = Store::open(Directory::Disk(disk), keep, None)?;
    let counted = pieces::taken_of_later(run, store.salt());
    let daemon = (&*days_sent(directory, run), counted);
    let (reading, ..) = read_into(store, input, directory, daemon, progress)?;
    Ok(reading)
}

/// The newest days of which a fleet's server has a batch: they stay open, so that the daemon makes a correction.
fn days_sent(directory: &Path, run: &Path) -> Vec<Date> {
    let spool = fleet::spool::Spool::new(run, directory);
    let mut days: Vec<Date> = spool.entries().iter().map(|entry| entry.date).collect();
    days.dedup();
    days.split_off(days.len().saturating_sub(MAX_CORRECTED_DAYS))
}

/// Reads log files into memory, for questions about them.
pub fn report(input: &Input, progress: &mut dyn FnMut(Progress)) -> Result<(Reading, Opened)> {
    let store = Store::open(Directory::Memory(Default::default()), Retention::default(), Some(REPORT_SALT))?;
    let (reading, store, calendar, lookup) =
        read_into(store, input, &std::env::temp_dir(), (&[], 0), progress)?;
    Ok((reading, Opened::new(store, calendar, lookup)?))
}

/// Reads log files into a store. A daemon on it has made batches of the days `sent` for a fleet's server, and has
/// counted events dated up to the moment `counted` (milliseconds), though they may still be among those that wait.
fn read_into(
    mut store: Store,
    input: &Input,
    room: &Path,
    (sent, counted): (&[Date], u64),
    progress: &mut dyn FnMut(Progress),
) -> Result<(Reading, Store, Calendar, SharedLookup)> {
    let mut meta = store.meta()?;
    let calendar = choose_zone(input.timezone.as_deref(), meta.zone.as_deref())?;
    let (known, unknown) = match Imported::decode(&meta.imported) {
        Ok(known) => (known, None),
        Err(Unreadable::Newer(why)) => return Err(format!("{why}; use the newer fwstat")),
        Err(Unreadable::Lost(why)) => {
            let is_lost = !meta.imported.is_empty() || store.damage().next().is_some();
            let unknown = is_lost.then(|| format!("{why}; a file that was imported before is counted again"));
            (Imported::default(), unknown)
        }
    };
    let (lookup, problem) = open_database(Content::Countries, &input.countries)?;
    let lookup: SharedLookup = lookup;
    let now = now();
    let latest = plausible_now().map_or(i64::MAX, |now| now + DAY);
    let mut later = store.later()?;
    // A daemon that was killed has them in its copy in RAM, and takes them out when it starts again.
    let (rows, rest) = later.take_until(counted);
    let due = later.take_until(u64::try_from(latest).unwrap_or(u64::MAX).saturating_mul(1000));
    rows.iter().for_each(|(moment, event)| later.add(*moment, event));
    rest.iter().for_each(|(moment, counts)| later.add_counts(*moment, counts));
    let timed = |(moment, event): &(u64, Event)| Event { time: (moment / 1000).cast_signed(), ..*event };
    let waited: Vec<Event> = due.0.iter().map(timed).collect();
    let options =
        ReadOptions { networks: networks(input)?, calendar: calendar.clone(), year: input.year, now };
    // A pipe can be read only once, so any order must be expected. Files are first read as sorted, which is cheaper,
    // and again if they are not.
    memory::retain_freed_memory();
    let mut order = if has_pipe(&input.files) { Order::Any } else { Order::Sorted };
    let (read, spool, new_later, imported, seen) = loop {
        let spool = Spool::new(room).map_err(cannot("write a temporary file in", room))?;
        let (salt, calendar, lookup) = (store.salt(), calendar.clone(), Some(lookup.clone()));
        let whole = sent.to_vec();
        let mut paths = Paths::new();
        let rules = paths.rules();
        let settings = Settings { calendar, lookup, order, salt, rules, latest, whole };
        let mut collector = Collector::new(settings, spool);
        let mut imported = known.clone();
        let mut seen = SeenMessages::from_bytes(&meta.seen).unwrap_or_default();
        let mut count = |events: &[Event]| collector.count(events);
        let read = count(&waited).map_err(|error| error.to_string()).and_then(|()| {
            let known = (&mut imported, &mut seen);
            let standard_input = Box::new(io::stdin());
            let read =
                read_files(standard_input, &input.files, &options, known, &mut paths, &mut count, progress);
            read.map_err(|error| error.to_string())
        });
        match read {
            Err(_) if collector.is_out_of_order => order = Order::Any,
            Err(error) => return Err(error),
            Ok(read) => {
                let (spool, later) = collector.finish().map_err(|error| error.to_string())?;
                break (read, spool, later, imported, seen);
            }
        }
    };
    let (mut failures, mut notes) = sentences(&read.reports, &read.counts);
    notes.splice(0..0, problem.into_iter().chain(unknown));
    if read.reports.iter().any(|report| report.discard) {
        let is_known =
            |report: &FileReport| matches!(report.state, FileState::AlreadyImported | FileState::Empty);
        if read.reports.iter().all(is_known) {
            notes.push("nothing was added: it was all imported before".into());
        } else if read.reports.len() > 1 {
            let why = "since a pipe brought what was imported before: import the other files without it";
            failures.push(format!("nothing was added, {why}"));
        }
    } else if !spool.dates().is_empty() || !new_later.is_empty() || !due.1.is_empty() {
        if !new_later.is_empty() {
            notes.push(note_of_future_events(&new_later, &calendar));
        }
        later.add_all(&new_later);
        meta.imported = imported.encode();
        meta.seen = seen.to_bytes();
        meta.zone = calendar.reusable_name().map(String::from);
        let mut changes = store.change_meta(&meta)?;
        changes.extend(store.change_later(&later)?);
        notes.extend(adding::add(&mut store, &spool, &lookup, &due.1, &calendar, sent, changes)?);
    }
    memory::return_freed_memory();
    notes.extend(store.damage().cloned());
    store.set_last(plausible_tomorrow());
    Ok((Reading { counts: read.counts, failures, notes }, store, calendar, lookup))
}

fn note_of_future_events(later: &Deferred, calendar: &Calendar) -> String {
    let first = later.first().map_or(0, |first| (first / 1000).cast_signed());
    let mut note = format!(
        "{} events are dated in the future, the first {}: they are stored and counted once that time is reached",
        later.count(),
        calendar.rfc3339(first)
    );
    if later.dropped() > 0 {
        note.push_str(&format!("; {} more were dropped: the table is full", later.dropped()));
    }
    note
}

/// The machine's interfaces and rules, from the command line and a firewall's configuration.
fn networks(input: &Input) -> Result<Networks> {
    let text = match &input.firewall {
        None => String::new(),
        Some(path) => read_text(path, MAX_FIREWALL)
            .ok_or_else(|| format!("cannot read the firewall's configuration {}", path.display()))?,
    };
    // The device of a network is only known to the router's netifd.
    let (rules, zones) = (rules::parse(&text), zones::by_device(&zones::parse(&text), &[]));
    Ok(Networks { wan: input.wan.clone(), lan: input.lan.clone(), rules, zones })
}

fn has_pipe(files: &[PathBuf]) -> bool {
    files.iter().any(|file| match std::fs::metadata(file) {
        Ok(metadata) => !metadata.is_file() && !metadata.is_dir(),
        Err(_) => file.as_os_str() == "-",
    })
}

/// Failures and notes of files.
fn sentences(reports: &[FileReport], counts: &InputCounts) -> (Vec<String>, Vec<String>) {
    let (mut failures, mut notes) = (Vec::new(), Vec::new());
    for report in reports {
        let file = report.path.display();
        match &report.state {
            FileState::Read => {}
            FileState::Empty => notes.push(format!("{file} is empty")),
            FileState::AlreadyImported => {
                notes.push(format!("{file} was read before: it is not counted again"))
            }
            FileState::Partly(sentence) | FileState::Failed(sentence) => failures.push(sentence.clone()),
        }
        notes.extend(report.note.clone());
        if let Some(what) = &report.looks_like {
            let sentence = format!("nothing in {file} was counted: {what}");
            let nothing = counts.events == 0 && counts.duplicates == 0;
            if nothing { &mut failures } else { &mut notes }.push(sentence);
        }
    }
    (failures, notes)
}
