//! What needs no daemon: reading log files into a store or into nothing, and asking a store.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::calendar::Calendar;
use crate::cli::arguments::{DEFAULT_COUNTRIES, Input};
use crate::config::rules;
use crate::event::Event;
use crate::geoip::Database;
use crate::input::file::{FileReport, FileState, Progress, ReadOptions, read_files};
use crate::input::imported::{Imported, Unreadable};
use crate::input::seen::SeenMessages;
use crate::parse::interfaces::Networks;
use crate::paths::Paths;
use crate::query::answer::{AdviceRow, InputCounts, ServiceRow};
use crate::query::history::{History, Retention};
use crate::query::question::Question;
use crate::query::{self, Answer, AnswerError};
use crate::services::advice;
use crate::stats::collect::{CollectError, Collector, Order, Waiting};
use crate::stats::countries::{SharedAtlas, with_atlas};
use crate::store::history::{AddedDay, Origin, Store, StoreError};
use crate::store::shelf::{DiskShelf, MemoryShelf};
use crate::store::spool::Spool;
use crate::sys::installed::read_text;
use crate::sys::memory;

/// A longer configuration of the firewall is cut.
const MOST_FIREWALL: u64 = 1 << 20;

/// A sentence that says what failed, where and why.
#[derive(Debug)]
pub struct Failure(pub String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        Failure(error.to_string())
    }
}

/// What came of reading log files.
pub struct Reading {
    pub store: Store,
    pub counts: InputCounts,
    /// Sentences about files that were not read, or not whole.
    pub failures: Vec<String>,
    /// Sentences about other things worth knowing.
    pub notes: Vec<String>,
    pub calendar: Calendar,
    pub atlas: SharedAtlas,
}

/// The zone that is asked for, else the store's, else the system's.
fn choose_zone(asked: Option<&str>, stored: Option<&str>) -> Result<Calendar, Failure> {
    match (asked, stored) {
        (Some(asked), Some(stored)) if asked != stored => Err(Failure(format!(
            "the days of this store are counted in the time zone {stored}: \
             leave out --timezone {asked}, or use another directory"
        ))),
        (Some(zone), _) | (None, Some(zone)) => Calendar::new(zone).map_err(Failure),
        (None, None) => Ok(Calendar::system()),
    }
}

/// The country database, and what is wrong with it. That there is none is wrong only where one was asked for.
pub fn country_database(path: &Path) -> Result<(SharedAtlas, Option<String>), Failure> {
    let mut database = Database::new(path);
    database.look();
    if !path.exists() && path != Path::new(DEFAULT_COUNTRIES) {
        return Err(Failure(format!("there is no country database {}", path.display())));
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs().cast_signed());
    let trouble = database.trouble(now);
    Ok((Rc::new(RefCell::new(database)), trouble))
}

/// Answers a question from what is kept.
pub fn answer(
    question: &Question,
    history: &mut dyn History,
    calendar: &Calendar,
    atlas: &SharedAtlas,
) -> Result<Answer, AnswerError> {
    let mut answer = with_atlas(Some(atlas), |atlas| query::answer(question, history, calendar, atlas))?;
    add_advice(question, &mut answer);
    Ok(answer)
}

/// Adds what the installed text says about a port.
pub fn add_advice(question: &Question, answer: &mut Answer) {
    if advice::is_wanted(question)
        && let Some(text) = read_text(Path::new(advice::INSTALLED), advice::MOST_BYTES)
    {
        advice::add(question, answer, &text);
    }
}

/// What the installed text says about services.
pub fn advice_about(rows: &[ServiceRow]) -> Vec<AdviceRow> {
    let text = read_text(Path::new(advice::INSTALLED), advice::MOST_BYTES);
    text.map_or(Vec::new(), |text| advice::of_rows(&text, rows))
}

/// Opens a store directory to ask it.
pub fn open_store(directory: &Path, timezone: Option<&str>) -> Result<(Store, Calendar), Failure> {
    let cannot = |error| Failure(format!("cannot open the store {}: {error}", directory.display()));
    let shelf = DiskShelf::open(directory).map_err(cannot)?;
    let mut store = Store::open(shelf, Retention::default(), false)?;
    let zone = store.origin()?.zone;
    // Only the offsets of times depend on it: the days are what they were counted as.
    let calendar = match timezone {
        Some(zone) => Calendar::new(zone).map_err(Failure)?,
        None => choose_zone(None, zone.as_deref())?,
    };
    Ok((store, calendar))
}

/// Reads log files into a store directory.
pub fn import(
    input: &Input,
    directory: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<Reading, Failure> {
    let cannot = |error: io::Error| Failure(format!("cannot write to {}: {error}", directory.display()));
    let shelf = DiskShelf::open_for_writing(directory).map_err(cannot)?;
    let store = Store::open(shelf, Retention::default(), true)?;
    read_into(store, input, directory, progress)
}

/// Reads log files into nothing.
pub fn report(input: &Input, progress: &mut dyn FnMut(Progress)) -> Result<Reading, Failure> {
    let store = Store::open(MemoryShelf::new(), Retention::default(), true)?;
    read_into(store, input, &std::env::temp_dir(), progress)
}

fn read_into(
    mut store: Store,
    input: &Input,
    room: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<Reading, Failure> {
    let origin = store.origin()?;
    let calendar = choose_zone(input.timezone.as_deref(), origin.zone.as_deref())?;
    let (known, unknown) = match Imported::decode(&origin.imported) {
        Ok(known) => (known, None),
        Err(Unreadable::Newer(why)) => return Err(Failure(format!("{why}; use the newer fwstat"))),
        Err(Unreadable::Lost(_)) if origin.imported.is_empty() => (Imported::new(), None),
        Err(Unreadable::Lost(why)) => {
            (Imported::new(), Some(format!("{why}; a file that was imported before is counted again")))
        }
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs().cast_signed());
    let (atlas, trouble) = country_database(&input.countries)?;
    let options =
        ReadOptions { networks: networks(input)?, calendar: calendar.clone(), year: input.year, now };
    // A pipe can be read once only: it may be in any order. Files mostly are in order, which is
    // cheaper; if they turn out not to be, they are read again.
    memory::keep_for_the_next_day();
    let mut order = if has_pipe(&input.files) { Order::Any } else { Order::Sorted };
    let (read, spool, imported) = loop {
        let spool = Spool::new(room).map_err(|error| {
            Failure(format!("cannot write a temporary file in {}: {error}", room.display()))
        })?;
        let mut collector = Collector::new(calendar.clone(), order, spool, Some(atlas.clone()));
        let mut imported = known.clone();
        let mut seen = SeenMessages::new();
        let mut out_of_order = false;
        let mut count = |events: &[Event]| {
            collector.count(events).map_err(|error| match error {
                CollectError::OutOfOrder => {
                    out_of_order = true;
                    io::Error::other("out of order")
                }
                CollectError::Waiting(error) => error,
            })
        };
        let known = (&mut imported, &mut seen);
        let read = read_files(&input.files, &options, known, &mut Paths::new(), &mut count, progress);
        match read {
            Err(_) if out_of_order => order = Order::Any,
            Err(error) => return Err(Failure(error.to_string())),
            Ok(read) => {
                let spool = collector.finish().map_err(|error| Failure(error.to_string()))?;
                memory::give_back_what_is_freed();
                break (read, spool, imported);
            }
        }
    };
    let mut reading = Reading {
        store,
        counts: read.counts,
        failures: Vec::new(),
        notes: trouble.into_iter().chain(unknown).collect(),
        calendar: calendar.clone(),
        atlas,
    };
    read.reports.iter().for_each(|report| reading.tell(report));
    if read.reports.iter().any(|report| report.discard) {
        reading.notes.push("nothing was added: it was all imported before".into());
    } else if !spool.dates().is_empty() {
        let origin = Origin { imported: imported.encode(), zone: calendar.lasting_name().map(String::from) };
        add(&mut reading.store, spool, origin)?;
    }
    reading.notes.extend(reading.store.damage().iter().cloned());
    Ok(reading)
}

/// What the command line and a firewall's configuration tell of the machine's interfaces and rules.
fn networks(input: &Input) -> Result<Networks, Failure> {
    let rules = match &input.firewall {
        None => Vec::new(),
        Some(path) => match read_text(path, MOST_FIREWALL) {
            Some(text) => rules::parse(&text),
            None => {
                return Err(Failure(format!("cannot read the firewall's configuration {}", path.display())));
            }
        },
    };
    Ok(Networks { wan: input.wan.clone(), lan: input.lan.clone(), rules })
}

fn has_pipe(files: &[PathBuf]) -> bool {
    files.iter().any(|file| match std::fs::metadata(file) {
        Ok(metadata) => !metadata.is_file() && !metadata.is_dir(),
        Err(_) => file.as_os_str() == "-",
    })
}

fn add(store: &mut Store, spool: Spool, origin: Origin) -> Result<(), Failure> {
    let dates = spool.dates();
    let (first, last) = (dates.first().copied(), dates.last().copied());
    let days = dates.into_iter().filter_map(|date| {
        let read = || {
            let Some(payload) = spool.payload(date)? else { return Ok(None) };
            let day = Spool::read(date, &payload)?;
            let is_edge = Some(date) == first || Some(date) == last;
            Ok(Some(AddedDay { day, whole: is_edge.then_some(payload) }))
        };
        read().transpose()
    });
    let Some(last) = last else { return Ok(()) };
    Ok(store.add_up_to(last, days, Some(origin))?)
}

impl Reading {
    fn tell(&mut self, report: &FileReport) {
        let file = report.path.display();
        match &report.state {
            FileState::Read => {}
            FileState::Empty => self.notes.push(format!("{file} is empty")),
            FileState::AlreadyImported => {
                self.notes.push(format!("{file} was read before: it is not counted again"))
            }
            FileState::Partly(sentence) | FileState::Failed(sentence) => self.failures.push(sentence.clone()),
        }
        self.notes.extend(report.note.clone());
        if let Some(what) = &report.looks_like {
            let sentence = format!("nothing in {file} was counted: {what}");
            let nothing = self.counts.events == 0 && self.counts.duplicates == 0;
            if nothing { &mut self.failures } else { &mut self.notes }.push(sentence);
        }
    }
}
