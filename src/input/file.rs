//! Log files: plain, gzip or from standard input, in any number and any order.
//!
//! Takes paths, gives events in batches and in order of time, and a report on each file. One file
//! that can't be read does not keep the others from being read. Reads no clock.
//!
//! A file whose content was read before, under whatever name and packed or not, is not read again;
//! one that has grown since is read from there on. A pipe can't be read twice: whether its content
//! was imported before is known only at its end, by [`FileReport::discard`].

use std::fmt;
use std::io::{self, Read};
use std::path::PathBuf;

use super::batch::Batch;
use super::duplicates::Duplicates;
use super::imported::Imported;
use super::order::{Meter, merge};
pub use super::order::{Progress, Step};
use super::same::{self, Candidate, Verdict};
use super::seen::SeenMessages;
use super::source::{Input, Kind, Reading};
use crate::event::calendar::Calendar;
use crate::event::paths::{Direction, Paths};
use crate::event::{Class, Event};
use crate::parse::interfaces::Networks;
use crate::parse::log_prefix;
use crate::query::answer::{InputCounts, InterfaceRow};

/// Gives standard input as a file.
pub const STANDARD_INPUT: &str = "-";

/// Options of a read that hold for all files.
pub struct ReadOptions {
    /// What is known of the machine's interfaces and rules.
    pub networks: Networks,
    /// The time zone of timestamps without an offset.
    pub calendar: Calendar,
    /// The year of each file's first stamp, if the stamps have none.
    pub year: Option<i32>,
    /// Unix seconds.
    pub now: i64,
}

/// What became of one file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileReport {
    /// As it was given; [`STANDARD_INPUT`] for standard input.
    pub path: PathBuf,
    /// Lines by what became of them.
    pub counts: InputCounts,
    /// How far it was read.
    pub state: FileState,
    /// Something else to be said about it, a sentence.
    pub note: Option<String>,
    /// Nothing in it was counted, and it is no log that is read: a clause that says what it is.
    pub looks_like: Option<String>,
    /// Bytes at the beginning of its text that were imported before and not read again.
    pub skipped_bytes: u64,
    /// This pipe brought what was imported before, and its events were given to the caller. Nothing
    /// of the whole reading should be kept: neither the events nor the changed [`Imported`].
    pub discard: bool,
}

/// What became of one file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FileState {
    /// Read to its end; what was new of it, if it has grown.
    Read,
    Empty,
    /// All of its content was imported before, or is among the other files given.
    AlreadyImported,
    /// Read as far as possible; the sentence says how far, and why no further.
    Partly(String),
    /// Not read; the sentence says why.
    Failed(String),
}

/// Reasons for lines that were not counted, and interfaces, that are listed.
const MAX_ROWS: usize = 32;

/// What became of the lines of all files.
pub fn totals(reports: &[FileReport]) -> InputCounts {
    let mut sum = InputCounts::default();
    for FileReport { counts, .. } in reports {
        for row in &counts.skipped_because {
            let known = sum.skipped_because.iter().position(|known| known.reason == row.reason);
            match known {
                Some(place) => sum.skipped_because[place].lines += row.lines,
                None if sum.skipped_because.len() < MAX_ROWS => sum.skipped_because.push(row.clone()),
                None => {}
            }
        }
        if let Some(undated) = counts.undated {
            *sum.undated.get_or_insert(0) += undated;
        }
        sum.year_assumed = [sum.year_assumed, counts.year_assumed].into_iter().flatten().min();
        sum.lines += counts.lines;
        sum.events += counts.events;
        sum.malformed += counts.malformed;
        sum.duplicates += counts.duplicates;
        sum.skipped += counts.skipped;
    }
    sum.skipped_because.sort_by_key(|row| std::cmp::Reverse(row.lines));
    sum
}

/// Packets by the path that they were logged on.
#[derive(Default)]
struct PerPath {
    packets: Vec<u64>,
}

impl PerPath {
    fn add(&mut self, events: &[Event]) {
        for event in events.iter().filter(|event| event.class != Class::Login) {
            let path = usize::from(event.path.0);
            if path >= self.packets.len() {
                // As many as there can be paths.
                self.packets.resize(path + 1, 0);
            }
            self.packets[path] = self.packets[path].saturating_add(event.count.into());
        }
    }

    /// The interfaces that packets came in by, most packets first.
    fn interfaces(&self, paths: &Paths, networks: &Networks) -> Vec<InterfaceRow> {
        let lan_bridge =
            paths.iter().any(|path| [&path.input, &path.output].contains(&&"br-lan".to_string()));
        let mut rows: Vec<InterfaceRow> = Vec::new();
        for (path, &packets) in paths.iter().zip(&self.packets).filter(|(_, packets)| **packets > 0) {
            let outside = path.direction == Direction::Inbound;
            match rows.iter_mut().find(|row| row.name == path.input && row.outside == outside) {
                Some(row) => row.packets = row.packets.saturating_add(packets),
                None => {
                    let why = log_prefix::reason(path, networks, lan_bridge).to_string();
                    rows.push(InterfaceRow { name: path.input.clone(), outside, why, packets });
                }
            }
        }
        rows.sort_by(|a, b| b.packets.cmp(&a.packets).then_with(|| a.name.cmp(&b.name)));
        rows.truncate(MAX_ROWS);
        rows
    }
}

/// What came of all files.
pub struct FilesRead {
    /// One for each file, in the order in which they were given.
    pub reports: Vec<FileReport>,
    /// The sum of all reports' counts, with the interfaces of the packets.
    pub counts: InputCounts,
}

/// Why reading stopped before the last file.
#[derive(Debug)]
pub enum Error {
    /// The caller refused a batch.
    Batch(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Error::Batch(error) = self;
        write!(f, "reading log files was given up: {error}")
    }
}

impl std::error::Error for Error {}

/// Reads `files` and gives their events to `batch`, at most [`super::batch::BATCH`] at once, in order of time and each
/// packet once. Contents read are added to `imported`, and kernel messages to `seen`, unless this returns an error.
pub fn read_files(
    files: &[PathBuf],
    options: &ReadOptions,
    (imported, seen): (&mut Imported, &mut SeenMessages),
    paths: &mut Paths,
    batch: &mut dyn FnMut(&[Event]) -> io::Result<()>,
    progress: &mut dyn FnMut(Progress),
) -> Result<FilesRead, Error> {
    read_from(Box::new(io::stdin()), files, options, (imported, seen), paths, batch, progress)
}

fn read_from(
    standard_input: Box<dyn Read>,
    files: &[PathBuf],
    options: &ReadOptions,
    (imported, seen): (&mut Imported, &mut SeenMessages),
    paths: &mut Paths,
    batch: &mut dyn FnMut(&[Event]) -> io::Result<()>,
    progress: &mut dyn FnMut(Progress),
) -> Result<FilesRead, Error> {
    let mut duplicates = Duplicates::new();
    let mut per_path = PerPath::default();
    let mut give = |events: &[Event]| {
        per_path.add(events);
        batch(events)
    };
    let mut batch = Batch::new(&mut give, |events: &[Event], marks: &mut Vec<bool>| {
        duplicates.mark(events, marks);
        for (number, event) in events.iter().enumerate() {
            if seen.is_known(event) {
                marks.resize(events.len(), false);
                marks[number] = true;
            }
        }
    });
    let mut standard_input = Some(standard_input);
    let mut inputs: Vec<Input> =
        files.iter().map(|path| Input::inspect(path, &mut standard_input, imported)).collect();
    let all_regular = inputs.iter().all(|input| !matches!(input.kind, Kind::Pipe(_)));
    let mut meter = Meter::new(progress);
    compare(&mut inputs, &mut meter);
    let wanted: Vec<usize> =
        (0..inputs.len()).filter(|&at| inputs[at].report.state == FileState::Read).collect();
    meter.set_total(all_regular.then(|| wanted.iter().map(|&at| inputs[at].size()).sum()));
    let mut reading = Reading::new(inputs, options);
    merge(&wanted, &mut reading, paths, &mut meter, &mut batch).map_err(Error::Batch)?;
    remember(&mut reading.inputs, imported);
    let reports: Vec<FileReport> = reading.inputs.into_iter().map(|input| input.report).collect();
    let counts =
        InputCounts { interfaces: per_path.interfaces(paths, &options.networks), ..totals(&reports) };
    Ok(FilesRead { reports, counts })
}

/// Finds the files that are not to be read, or only from some byte on.
fn compare(inputs: &mut [Input], meter: &mut Meter) {
    let numbers: Vec<usize> = (0..inputs.len())
        .filter(|&at| {
            matches!(inputs[at].kind, Kind::Regular(_)) && inputs[at].report.state == FileState::Read
        })
        .collect();
    let files: Vec<Candidate> = numbers
        .iter()
        .map(|&at| &inputs[at])
        .map(|input| Candidate {
            path: &input.report.path,
            size: input.size(),
            start: &input.start,
            known: &input.known,
        })
        .collect();
    let verdicts = same::compare(&files, meter);
    for (&at, verdict) in numbers.iter().zip(verdicts) {
        match verdict {
            Verdict::New => {}
            Verdict::Grown(entry) => {
                inputs[at].grown_from = Some(entry);
                inputs[at].report.skipped_bytes = entry.resume();
            }
            Verdict::Known => inputs[at].report.state = FileState::AlreadyImported,
            Verdict::Within(other) => {
                let (name, other) = (inputs[at].name(), inputs[numbers[other]].name());
                inputs[at].report.state = FileState::AlreadyImported;
                inputs[at].report.note = Some(format!("{name}: all of it is in {other} too"));
            }
        }
    }
}

/// Adds what was read to `imported`; pipes last, to see whether they brought anything new.
fn remember(inputs: &mut [Input], imported: &mut Imported) {
    for input in inputs.iter().filter(|input| !matches!(input.kind, Kind::Pipe(_))) {
        if let Some(entry) = input.entry {
            imported.add(entry, input.grown_from.as_ref());
        }
    }
    for input in inputs.iter_mut().filter(|input| matches!(input.kind, Kind::Pipe(_))) {
        let Some(entry) = input.entry.filter(|entry| entry.length > 0) else { continue };
        if imported.contains(&entry) {
            input.report.state = FileState::AlreadyImported;
            input.report.discard = true;
        } else if let Some(known) = input.known.last() {
            input.report.state = FileState::Failed(format!(
                "{} begins with {} bytes that were imported before: save it to a file and import that, then \
                 only the rest is read",
                input.name(),
                known.length
            ));
            input.report.discard = true;
        } else {
            imported.add(entry, None);
        }
    }
}

#[cfg(test)]
mod tests;
