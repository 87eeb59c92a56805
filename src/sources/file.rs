//! Log files: plain, gzip or from standard input, in any number and any order.
//!
//! Takes paths, gives events in batches and in order of time, and a report on each file. One file
//! that can't be read does not keep the others from being read. Reads no clock.
//!
//! A file whose content was read before, under whatever name and packed or not, is not read again;
//! one that has grown since is read from there on. A pipe can't be read twice: whether its content
//! was known is only told at its end, by [`FileReport::discard`].

use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::content::{Content, Regular, beginning, reason};
use super::imported::{Entry, HEAD, Imported};
use super::lines::Lines;
use super::order::{Batch, Inputs, Meter, Open, merge};
pub use super::order::{Progress, Step};
use super::same::{self, Candidate, START, Verdict};
use super::year::{Clock, Scan, Wanted};
use crate::calendar::Calendar;
use crate::event::Event;
use crate::paths::Paths;
use crate::query::answer::InputCounts;
use crate::wire::line::LineReader;

/// Gives standard input as a file.
pub const STANDARD_INPUT: &str = "-";

pub struct ReadOptions {
    /// Interfaces that lead outside, as the line parser takes them.
    pub wan: Vec<String>,
    pub calendar: Calendar,
    /// The year of each file's first stamp, if the stamps have none.
    pub year: Option<i32>,
    /// Unix seconds.
    pub now: i64,
}

/// What became of one file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileReport {
    pub path: PathBuf,
    pub counts: InputCounts,
    pub state: FileState,
    /// Something else to be said about it, a sentence.
    pub note: Option<String>,
    /// The first so many bytes of its text were imported before and not read again.
    pub skipped_bytes: u64,
    /// This pipe brought what was imported before, and its events were given to the caller. Nothing
    /// of the whole reading should be kept: neither the events nor the changed [`Imported`].
    pub discard: bool,
}

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

/// What became of the lines of all files.
pub fn totals(reports: &[FileReport]) -> InputCounts {
    let mut sum = InputCounts::default();
    for FileReport { counts, .. } in reports {
        sum.lines += counts.lines;
        sum.events += counts.events;
        sum.malformed += counts.malformed;
        sum.duplicates += counts.duplicates;
        sum.skipped += counts.skipped;
    }
    sum
}

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

/// Reads `files` and gives their events to `batch`, at most 8,192 at once, in order of time and each
/// packet once. Contents read are added to `imported`, unless this returns an error.
pub fn read_files(
    files: &[PathBuf],
    options: &ReadOptions,
    imported: &mut Imported,
    paths: &mut Paths,
    batch: &mut dyn FnMut(&[Event]) -> io::Result<()>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<FileReport>, Error> {
    read_files_and(Box::new(io::stdin()), files, options, imported, paths, batch, progress)
}

#[allow(clippy::too_many_arguments)]
fn read_files_and(
    standard_input: Box<dyn Read>,
    files: &[PathBuf],
    options: &ReadOptions,
    imported: &mut Imported,
    paths: &mut Paths,
    batch: &mut dyn FnMut(&[Event]) -> io::Result<()>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<FileReport>, Error> {
    let mut standard_input = Some(standard_input);
    let mut inputs: Vec<Input> =
        files.iter().map(|path| Input::inspect(path, &mut standard_input, imported)).collect();
    let all_regular = inputs.iter().all(|input| !matches!(input.kind, Kind::Pipe(_)));
    let mut meter = Meter::new(progress);
    compare(&mut inputs, &mut meter);
    let wanted: Vec<usize> =
        (0..inputs.len()).filter(|&at| inputs[at].report.state == FileState::Read).collect();
    meter.set_total(all_regular.then(|| wanted.iter().map(|&at| inputs[at].size()).sum()));
    let mut reading = Reading { inputs, options };
    let mut batch = Batch::new(batch);
    merge(&wanted, &mut reading, paths, &mut meter, &mut batch).map_err(Error::Batch)?;
    remember(&mut reading.inputs, imported);
    Ok(reading.inputs.into_iter().map(|input| input.report).collect())
}

/// One of the files given.
struct Input {
    report: FileReport,
    kind: Kind,
    /// The first bytes of its text, at most [`START`].
    start: Vec<u8>,
    /// Known contents it may begin with, shortest first.
    known: Vec<Entry>,
    grown_from: Option<Entry>,
    clock: Option<Clock>,
    /// Its content, once it is read.
    entry: Option<Entry>,
}

enum Kind {
    /// It could not be opened.
    Nothing,
    Regular(Regular),
    /// What can be read only once: its content, until reading begins, and what was read of it.
    Pipe(Option<(Box<Content>, Vec<u8>)>),
}

impl Input {
    /// Opens a file and looks at its beginning.
    fn inspect(path: &Path, standard_input: &mut Option<Box<dyn Read>>, imported: &Imported) -> Input {
        let mut input = Input {
            report: FileReport {
                path: path.to_path_buf(),
                counts: InputCounts::default(),
                state: FileState::Read,
                note: None,
                skipped_bytes: 0,
                discard: false,
            },
            kind: Kind::Nothing,
            start: Vec::new(),
            known: Vec::new(),
            grown_from: None,
            clock: None,
            entry: None,
        };
        let opened = if path.as_os_str() == STANDARD_INPUT {
            match standard_input.take() {
                None => Err("standard input was given twice: it can be read only once".to_string()),
                Some(standard_input) => Content::new(standard_input)
                    .map(|content| (content, None))
                    .map_err(|error| format!("cannot read {}: {}", input.name(), reason(&error))),
            }
        } else {
            Content::open(path)
        };
        let (mut content, regular) = match opened {
            Ok(opened) => opened,
            Err(sentence) => {
                input.report.state = FileState::Failed(sentence);
                return input;
            }
        };
        let (mut bytes, fault) = beginning(&mut content, HEAD as usize);
        input.known = imported.candidates(&bytes);
        match regular {
            Some(regular) => {
                let modified = content.packed_modified().unwrap_or(regular.modified);
                input.kind = Kind::Regular(Regular { modified, ..regular });
                if bytes.is_empty() {
                    input.report.state = match fault {
                        Some(error) => {
                            FileState::Failed(format!("cannot read {}: {}", input.name(), reason(&error)))
                        }
                        None => FileState::Empty,
                    };
                }
                bytes.truncate(START);
                input.start = bytes;
            }
            None => input.kind = Kind::Pipe(Some((Box::new(content), bytes))),
        }
        input
    }

    fn name(&self) -> String {
        if self.report.path.as_os_str() == STANDARD_INPUT {
            "standard input".to_string()
        } else {
            format!("'{}'", self.report.path.display())
        }
    }

    fn size(&self) -> u64 {
        if let Kind::Regular(regular) = self.kind { regular.size } else { 0 }
    }

    /// The input's lines from where reading is to begin, and its clock.
    fn lines(&mut self, options: &ReadOptions, meter: &mut Meter) -> Result<(Lines<Content>, Clock), String> {
        let from = self.grown_from.map_or(0, |entry| entry.resume());
        let wanted = Wanted { year: options.year, from };
        let mut calendar = options.calendar.clone();
        let path = &self.report.path;
        match &mut self.kind {
            Kind::Nothing => Err(format!("cannot read '{}'", path.display())),
            Kind::Pipe(content) => {
                let (mut content, bytes) = content.take().ok_or("standard input can be read only once")?;
                let marks = self.known.iter().map(|entry| entry.length).filter(|&length| length > HEAD);
                content.mark(marks.collect());
                let mut lines = Lines::new(*content, &bytes);
                let clock = Scan::of_beginning(lines.look_ahead()).clock(wanted, options.now, &mut calendar);
                Ok((lines, clock))
            }
            Kind::Regular(regular) => {
                let clock = match self.clock {
                    Some(clock) => clock,
                    None => {
                        let mut lines = Lines::new(Content::open(path)?.0, b"");
                        let (size, mut told) = (regular.size, 0);
                        let scan = Scan::run(&mut lines, wanted, |content| {
                            meter.aside(Step::Dating, content.taken(), size, &mut told);
                        });
                        // A time from before the first OpenWrt was never set.
                        let modified =
                            if regular.modified < YEAR_2000 { options.now } else { regular.modified };
                        scan.clock(wanted, modified, &mut calendar)
                    }
                };
                self.clock = Some(clock);
                let mut lines = Lines::new(Content::open(path)?.0, b"");
                if !lines.pass_over(from) {
                    return Err(format!("'{}' became shorter while it was read", path.display()));
                }
                if self.grown_from.is_some_and(|entry| entry.inside_line) {
                    lines.swallow_rest_of_line();
                }
                Ok((lines, clock))
            }
        }
    }
}

const YEAR_2000: i64 = 946_684_800;

/// The inputs while they are read.
struct Reading<'a> {
    inputs: Vec<Input>,
    options: &'a ReadOptions,
}

impl Inputs for Reading<'_> {
    fn open(&mut self, at: usize, paths: &mut Paths, meter: &mut Meter) -> Option<Open> {
        match self.inputs[at].lines(self.options, meter) {
            Ok((lines, clock)) => {
                let mut reader = LineReader::new(&self.options.wan, self.options.calendar.clone());
                reader.begin_file(clock.to_file_clock());
                Some(Open::new(at, lines, reader, paths, meter))
            }
            Err(sentence) => {
                self.inputs[at].report.state = FileState::Failed(sentence);
                None
            }
        }
    }

    fn can_wait(&self, at: usize) -> bool {
        matches!(self.inputs[at].kind, Kind::Regular(_))
    }

    fn modified(&self, at: usize) -> i64 {
        if let Kind::Regular(regular) = self.inputs[at].kind { regular.modified } else { self.options.now }
    }

    fn finish(&mut self, open: Open) {
        let input = &mut self.inputs[open.input];
        let (name, content) = (input.name(), open.lines.source());
        let report = &mut input.report;
        report.counts.lines += open.counts.lines;
        report.counts.malformed += open.counts.malformed;
        report.counts.skipped += open.counts.skipped;
        let length = content.length();
        report.note = content.note().map(|note| format!("{name}: {note}"));
        report.state = match open.lines.fault().map(reason) {
            None if length == 0 => FileState::Empty,
            None => FileState::Read,
            Some(why) if length == 0 => FileState::Failed(format!("cannot read {name}: {why}")),
            Some(why) => FileState::Partly(format!(
                "{name}: {why} after {length} bytes of text; the lines before that were read"
            )),
        };
        let (tail, inside_line) = match open.lines.cut_line() {
            None => (0, false),
            Some(bytes) if bytes == 0 || open.last_was_event => (0, true),
            Some(bytes) => (bytes as u32, false),
        };
        if matches!(input.kind, Kind::Pipe(_)) {
            let sums: Vec<(u64, u128)> = content.marked().collect();
            input.known.retain(|entry| entry.length <= HEAD || sums.contains(&(entry.length, entry.sum)));
        }
        input.entry = Some(content.entry(tail, inside_line));
    }

    fn count(&mut self, at: usize, duplicate: bool) {
        let counts = &mut self.inputs[at].report.counts;
        if duplicate {
            counts.duplicates += 1;
        } else {
            counts.events += 1;
        }
    }
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
