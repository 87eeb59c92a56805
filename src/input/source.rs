//! One given file: looked at, dated, opened for reading, reported on.
//!
//! Takes a path or a pipe, gives its lines from where reading is to begin, and afterwards what is
//! said of it and what is remembered.

use std::io::Read;
use std::path::Path;

use super::content::{Content, FirstBytes, Regular, first_bytes, reason};
use super::file::{FileReport, FileState, ReadOptions, STANDARD_INPUT};
use super::imported::{Entry, HEAD, Imported};
use super::lines::Lines;
use super::order::{Inputs, Meter, Open, Step};
use super::same::START;
use super::year::{Scan, Wanted};
use crate::event::paths::Paths;
use crate::parse::line::{FileClock, LineReader, names_lan_bridge};
use crate::query::answer::InputCounts;

const YEAR_2000: i64 = 946_684_800;

/// One of the files given.
pub struct Input {
    /// What is known of the reading so far.
    pub report: FileReport,
    /// Whether it can be read again.
    pub kind: Kind,
    /// The first bytes of its text, at most [`START`].
    pub start: Vec<u8>,
    /// Known contents it may begin with, shortest first.
    pub known: Vec<Entry>,
    /// The known content that it begins with: reading goes on behind it.
    pub grown_from: Option<Entry>,
    clock: Option<FileClock>,
    /// Its content, once it is read.
    pub entry: Option<Entry>,
}

/// How a file's lines are read.
pub enum Kind {
    /// It could not be opened.
    Nothing,
    Regular(Regular),
    /// What can be read only once: its content, until reading begins, and what was read of it.
    Pipe(Option<Box<(Content, FirstBytes)>>),
}

impl Input {
    /// Opens a file and looks at its beginning.
    pub fn inspect(path: &Path, standard_input: &mut Option<Box<dyn Read>>, imported: &Imported) -> Input {
        let mut input = Input {
            report: FileReport {
                path: path.to_path_buf(),
                counts: InputCounts::default(),
                state: FileState::Read,
                note: None,
                looks_like: None,
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
        let (mut bytes, fault) = first_bytes(&mut content, HEAD as usize);
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
            None => input.kind = Kind::Pipe(Some(Box::new((content, (bytes, fault))))),
        }
        input
    }

    /// Its name as sentences have it.
    pub fn name(&self) -> String {
        if self.report.path.as_os_str() == STANDARD_INPUT {
            "standard input".to_string()
        } else {
            format!("'{}'", self.report.path.display())
        }
    }

    /// Bytes of the file as it is stored; 0 for a pipe.
    pub fn size(&self) -> u64 {
        if let Kind::Regular(regular) = self.kind { regular.size } else { 0 }
    }

    /// The input's lines from where reading is to begin, and its clock.
    fn lines(
        &mut self,
        options: &ReadOptions,
        meter: &mut Meter,
    ) -> Result<(Lines<Content>, FileClock), String> {
        let from = self.grown_from.map_or(0, |entry| entry.resume());
        let wanted = Wanted { year: options.year, from };
        let mut calendar = options.calendar.clone();
        let path = &self.report.path;
        match &mut self.kind {
            Kind::Nothing => Err(format!("cannot read '{}'", path.display())),
            Kind::Pipe(content) => {
                let (mut content, (bytes, fault)) =
                    *content.take().ok_or("standard input can be read only once")?;
                let marks = self.known.iter().map(|entry| entry.length).filter(|&length| length > HEAD);
                content.mark(marks.collect());
                let mut lines = Lines::new(content, &bytes);
                if let Some(error) = fault {
                    lines.fail(error);
                }
                let scan = Scan::of_beginning(lines.look_ahead());
                // It may go on for long.
                let clock = FileClock { latest: None, ..scan.clock(wanted, options.now, &mut calendar) };
                self.clock = Some(clock);
                Ok((lines, clock))
            }
            Kind::Regular(regular) => {
                let clock = match self.clock {
                    Some(clock) => clock,
                    None => {
                        let mut lines = Lines::new(Content::open(path)?.0, b"");
                        let (size, mut reported) = (regular.size, 0);
                        let scan = Scan::run(&mut lines, wanted, |content| {
                            meter.advance_pass(Step::Dating, content.bytes_read(), size, &mut reported);
                        });
                        // A time from before the first OpenWrt was never set.
                        let modified =
                            if regular.modified < YEAR_2000 { options.now } else { regular.modified };
                        scan.clock(wanted, modified, &mut calendar)
                    }
                };
                self.clock = Some(clock);
                let mut lines = Lines::new(Content::open(path)?.0, b"");
                if !lines.skip_to(from) {
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

/// The inputs while they are read.
pub struct Reading<'a> {
    /// In the order in which they were given.
    pub inputs: Vec<Input>,
    options: &'a ReadOptions,
}

impl<'a> Reading<'a> {
    /// Inputs of which none is open yet.
    pub fn new(inputs: Vec<Input>, options: &'a ReadOptions) -> Reading<'a> {
        Reading { inputs, options }
    }
}

impl Inputs for Reading<'_> {
    fn open(&mut self, at: usize, paths: &mut Paths, meter: &mut Meter) -> Option<Open> {
        match self.inputs[at].lines(self.options, meter) {
            Ok((mut lines, clock)) => {
                let ReadOptions { networks, calendar, .. } = self.options;
                let mut reader = Box::new(LineReader::new(networks, calendar.clone()));
                reader.begin_file(clock);
                // What the wireless interfaces of this machine are is not told by the first line.
                if lines.look_ahead().split(|byte| *byte == b'\n').any(names_lan_bridge) {
                    reader.set_lan_bridge();
                }
                Some(Open::new(at, lines, reader, paths, meter))
            }
            Err(sentence) => {
                self.inputs[at].report.state = FileState::Failed(sentence);
                None
            }
        }
    }

    fn can_reopen(&self, at: usize) -> bool {
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
        report.counts.undated = Some(open.undated()).filter(|undated| *undated > 0);
        let counted = open.counts.lines > open.counts.skipped;
        report.looks_like = open.kind.sentence().filter(|_| !counted);
        report.counts.skipped_because = open.uncounted.rows();
        if let Some(clock) = input.clock.filter(|clock| clock.year_assumed) {
            report.counts.year_assumed = clock.year.and_then(|year| u32::try_from(year).ok());
        }
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

    fn count(&mut self, at: usize, events: u64, duplicates: u64) {
        let counts = &mut self.inputs[at].report.counts;
        counts.events += events;
        counts.duplicates += duplicates;
    }
}
