//! One given file: looked at, dated, opened for reading, reported on.
//!
//! Takes a path or a pipe, gives its lines from where reading is to begin, and afterwards what is
//! said of it and what is remembered.

use std::io::Read;
use std::path::Path;

use super::content::{Content, Regular, first_bytes, reason};
use super::file::{FileReport, FileState, ReadOptions, STANDARD_INPUT};
use super::imported::{Entry, HEAD, Imported};
use super::lines::{LONGEST, Lines};
use super::open::{Meter, Open};
use super::year::{Scan, Wanted};
use crate::event::paths::Paths;
use crate::parse::line::{FileClock, LineReader, names_lan_bridge};
use crate::query::answer::InputCounts;

const YEAR_2000: i64 = 946_684_800;

/// So much of two files has to be the same before they are compared as a whole.
const START: usize = 256;

/// One of the files given.
#[derive(Default)]
pub struct Input {
    /// What is known of the reading so far.
    pub report: FileReport,
    /// Of a regular file, which can be closed and opened again.
    pub regular: Option<Regular>,
    /// The content of what can be read only once, until reading begins.
    pipe: Option<Box<Content>>,
    /// The first bytes of its text, at most 256.
    pub start: Vec<u8>,
    /// Known contents it may begin with, shortest first.
    pub known: Vec<Entry>,
    /// The longest known content that it begins with: reading goes on behind it, if it is no pipe.
    pub grown_from: Option<Entry>,
    clock: Option<FileClock>,
    /// Its content, once it is read.
    pub entry: Option<Entry>,
}

impl Input {
    /// Opens a file and looks at its beginning.
    pub fn inspect(path: &Path, standard_input: &mut Option<Box<dyn Read>>, imported: &Imported) -> Input {
        let report = FileReport { path: path.to_path_buf(), ..FileReport::default() };
        let mut input = Input { report, ..Input::default() };
        input.report.state = match input.look(standard_input, imported) {
            Err(sentence) => FileState::Failed(sentence),
            Ok(()) if input.regular.is_some() && input.start.is_empty() => FileState::Empty,
            Ok(()) => FileState::Read,
        };
        input
    }

    /// Opens the file and keeps its beginning. The error is a sentence with its name.
    fn look(
        &mut self,
        standard_input: &mut Option<Box<dyn Read>>,
        imported: &Imported,
    ) -> Result<(), String> {
        let name = self.name();
        let sentence = |error| format!("cannot read {name}: {}", reason(&error));
        let mut content = if self.report.path.as_os_str() == STANDARD_INPUT {
            let twice = "standard input was given twice: it can be read only once";
            Content::new(standard_input.take().ok_or(twice)?).map_err(sentence)?
        } else {
            Content::open(&self.report.path)?
        };
        let Some(regular) = content.regular else {
            self.known = imported.by_length();
            content.marks = self.lengths_of_known();
            self.pipe = Some(Box::new(content));
            return Ok(());
        };
        let (mut bytes, fault) = first_bytes(&mut content, HEAD as usize);
        self.known = imported.candidates(&bytes);
        let modified = content.about.modified.get().unwrap_or(regular.modified);
        self.regular = Some(Regular { modified, ..regular });
        bytes.truncate(START);
        self.start = bytes;
        fault.filter(|_| self.start.is_empty()).map_or(Ok(()), |error| Err(sentence(error)))
    }

    /// Its name as sentences have it.
    pub fn name(&self) -> String {
        if self.report.path.as_os_str() == STANDARD_INPUT {
            "standard input".to_string()
        } else {
            format!("'{}'", self.report.path.display())
        }
    }

    /// The lengths at which the sum of its text is compared with that of a known content.
    pub fn lengths_of_known(&self) -> Vec<u64> {
        self.known.iter().map(|entry| entry.length).collect()
    }

    /// Finds the content that it has grown from. `sums`: of its beginnings of the [`Input::lengths_of_known`].
    pub fn find_known(&mut self, sums: &[(u64, u128)]) {
        let longest = self.known.iter().zip(sums).rfind(|(entry, (_, sum))| entry.sum == *sum);
        self.grown_from = longest.map(|(entry, _)| *entry);
    }

    /// Opens the input and reads up to its first event. `None`: it failed, as its report says.
    pub fn open(&mut self, options: &ReadOptions, paths: &mut Paths, meter: &mut Meter) -> Option<Box<Open>> {
        match self.lines(options, meter) {
            Ok((mut lines, clock)) => {
                self.clock = Some(clock);
                let mut reader = LineReader::new(&options.networks, options.calendar.clone());
                reader.begin_file(clock);
                // Wireless interfaces are inside if the log names br-lan, which may come after the first line about them.
                if lines.look_ahead().split(|byte| *byte == b'\n').any(names_lan_bridge) {
                    reader.set_lan_bridge();
                }
                Some(Open::new(lines, reader, paths, meter))
            }
            Err(sentence) => {
                self.report.state = FileState::Failed(sentence);
                None
            }
        }
    }

    /// The input's lines from where reading is to begin, and its clock.
    fn lines(
        &mut self,
        options: &ReadOptions,
        meter: &mut Meter,
    ) -> Result<(Lines<Content>, FileClock), String> {
        // The beginning of a line that gave no event is read again, because the line may be whole by now.
        let from = self.grown_from.map_or(0, |entry| entry.length.saturating_sub(entry.tail.into()));
        let wanted = Wanted { year: options.year, from };
        let (now, mut calendar) = (options.now, options.calendar.clone());
        let Some(regular) = self.regular else {
            let content = self.pipe.take().ok_or("standard input can be read only once")?;
            let mut lines = Lines::new(*content);
            let mut scan = Scan::default();
            // All of the beginning, though a year may be given: stamps can be followed by uptimes.
            let beginning = lines.look_ahead().split(|byte| *byte == b'\n');
            beginning.filter(|line| line.len() <= LONGEST).for_each(|line| scan.line(line, true));
            // It may go on for long.
            let clock = FileClock { latest: None, ..scan.clock(wanted, now, &mut calendar) };
            return Ok((lines, clock));
        };
        let path = &self.report.path;
        let begin = || Content::open(path).map(Lines::new);
        let date = || {
            let mut reported = 0;
            let scan = Scan::run(&mut begin()?, wanted, |content: &Content| {
                meter.advance_pass(content.about.bytes_read.get(), regular.size, &mut reported);
            });
            // A time from before the first OpenWrt was never set.
            let modified = if regular.modified < YEAR_2000 { now } else { regular.modified };
            Ok::<_, String>(scan.clock(wanted, modified, &mut calendar))
        };
        let clock = self.clock.map_or_else(date, Ok)?;
        let mut lines = begin()?;
        if !lines.skip_to(from) {
            return Err(format!("'{}' became shorter while it was read", path.display()));
        }
        if self.grown_from.is_some_and(|entry| entry.inside_line) {
            lines.swallowing = true;
        }
        Ok((lines, clock))
    }

    /// Completes the report of an input that was read to its end, and notes its content.
    pub fn finish(&mut self, open: &Open) {
        let (name, content) = (self.name(), &open.lines.source);
        let assumed = self.clock.filter(|clock| clock.year_assumed).map(|clock| clock.year);
        let report = &mut self.report;
        report.counts = InputCounts {
            skipped_because: open.uncounted.rows(),
            undated: Some(open.reader.undated()).filter(|undated| *undated > 0),
            year_assumed: assumed.and_then(|year| u32::try_from(year).ok()),
            ..open.counts.clone()
        };
        let counted = open.counts.lines > open.counts.skipped;
        report.looks_like = open.kind.sentence().filter(|_| !counted);
        let length = content.length;
        report.note = content.about.note.get().map(|note| format!("{name}: {note}"));
        report.state = match open.lines.fault.as_ref().map(reason) {
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
        if self.regular.is_none() {
            self.find_known(&content.sums);
        }
        self.entry = Some(content.entry(tail, inside_line));
    }
}
