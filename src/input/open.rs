//! An open input and its next event.
//!
//! Takes the lines of a file, gives their events one after the other, and counts the lines that give none.

use super::content::Content;
use super::lines::{Line, Lines};
use super::progress::Meter;
use super::uncounted::UncountedLines;
use crate::event::Event;
use crate::event::paths::Paths;
use crate::parse::foreign;
use crate::parse::line::{LineReader, Outcome, is_log_line, may_repeat};
use crate::parse::uncounted::Uncounted;
use crate::query::answer::InputCounts;

/// What makes events of lines.
pub trait Parser {
    /// Reads a line without its end.
    fn read(&mut self, line: &[u8], paths: &mut Paths) -> Outcome;

    /// Reads a line that repeats the message before it. `before`: whole lines before it. None: it is none.
    fn read_repeated(&mut self, _line: &[u8], _before: &[u8], _paths: &mut Paths) -> Option<Outcome> {
        None
    }

    /// Events so far whose line had no time of its own.
    fn undated(&self) -> u64 {
        0
    }

    /// The file names OpenWrt's `br-lan`.
    fn set_lan_bridge(&mut self) {}
}

impl Parser for LineReader {
    fn read(&mut self, line: &[u8], paths: &mut Paths) -> Outcome {
        LineReader::read(self, line, paths)
    }

    fn read_repeated(&mut self, line: &[u8], before: &[u8], paths: &mut Paths) -> Option<Outcome> {
        LineReader::read_repeated(self, line, before, paths)
    }

    fn undated(&self) -> u64 {
        LineReader::undated(self)
    }

    fn set_lan_bridge(&mut self) {
        LineReader::set_lan_bridge(self);
    }
}

/// Lines from which the kind of file is determined.
const INSPECTED_LINES: u64 = 64;

/// What the lines at the beginning of a file look like.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Kind {
    /// The log of another firewall.
    pub foreign: Option<&'static str>,
    /// There is text.
    pub has_text: bool,
    /// Lines that begin as a log's do.
    pub is_log: bool,
}

impl Kind {
    fn inspect(&mut self, line: &[u8]) {
        self.foreign = self.foreign.or_else(|| foreign::system(line));
        self.has_text |= line.iter().any(u8::is_ascii_graphic);
        self.is_log |= is_log_line(line);
    }

    /// A clause that says what a file is in which nothing was found to be counted; none: a log like others.
    pub fn sentence(&self) -> Option<String> {
        match self.foreign {
            Some(system) => Some(format!("it looks like a log of {system}, which is not read")),
            None if self.has_text && !self.is_log => Some(
                "it does not look like a log: no line begins with a time or the name of a program"
                    .to_string(),
            ),
            None => None,
        }
    }
}

/// An open input and its next event.
pub struct Open {
    /// Which input this is.
    pub input: usize,
    pub lines: Lines<Content>,
    parser: Box<dyn Parser>,
    /// Without events and duplicates, which are known only when they are given.
    pub counts: InputCounts,
    /// Lines that look like packets and are none.
    pub uncounted: UncountedLines,
    /// What the first lines look like.
    pub kind: Kind,
    /// The last line read was an event.
    pub last_was_event: bool,
    pub next: Option<Event>,
    /// Where two inputs have events of the same second: the one that begins earlier goes first.
    pub rank: usize,
    reported: (u64, u64),
}

impl Open {
    /// Reads up to the first event.
    pub fn new(
        input: usize,
        lines: Lines<Content>,
        parser: Box<dyn Parser>,
        paths: &mut Paths,
        meter: &mut Meter,
    ) -> Open {
        let mut open = Open {
            input,
            lines,
            parser,
            counts: InputCounts::default(),
            uncounted: UncountedLines::default(),
            kind: Kind::default(),
            last_was_event: false,
            next: None,
            rank: 0,
            reported: (0, 0),
        };
        open.advance(paths, meter);
        open
    }

    /// Time and uptime of the next event. `None`: the input has ended.
    pub fn next_time(&self) -> Option<(i64, u64)> {
        self.next.map(|event| (event.time, event.uptime))
    }

    /// Time of the next event, then the rank.
    pub fn key(&self) -> Option<(i64, usize)> {
        self.next.map(|event| (event.time, self.rank))
    }

    /// Reads up to the next event.
    pub fn advance(&mut self, paths: &mut Paths, meter: &mut Meter) {
        self.next = None;
        while self.next.is_none()
            && let Some(line) = self.lines.next_line()
        {
            self.counts.lines += 1;
            let outcome = match line {
                Line::Whole(bytes) => {
                    let outcome = self.parser.read(bytes, paths);
                    if let Outcome::Malformed(reason) | Outcome::Skipped(Some(reason)) = outcome {
                        self.uncounted.add(reason, self.counts.lines, bytes);
                    }
                    if self.counts.lines <= INSPECTED_LINES {
                        self.kind.inspect(bytes);
                    }
                    match outcome {
                        Outcome::Skipped(None) if may_repeat(bytes) => {
                            let (line, before) = self.lines.with_lines_before();
                            let line = line.strip_suffix(b"\n").unwrap_or(line);
                            self.parser.read_repeated(line, before, paths).unwrap_or(outcome)
                        }
                        outcome => outcome,
                    }
                }
                Line::TooLong => {
                    self.uncounted.add(Uncounted::TooLong, self.counts.lines, b"");
                    Outcome::Malformed(Uncounted::TooLong)
                }
            };
            self.last_was_event = matches!(outcome, Outcome::Event(_));
            match outcome {
                Outcome::Event(event) => self.next = Some(event),
                Outcome::Malformed(_) => self.counts.malformed += 1,
                Outcome::Skipped(_) => self.counts.skipped += 1,
            }
            if self.counts.lines.is_multiple_of(256) {
                self.report_progress(meter);
            }
        }
        if self.next.is_none() {
            self.report_progress(meter);
        }
    }

    fn report_progress(&mut self, meter: &mut Meter) {
        let now = (self.lines.source().taken(), self.counts.lines);
        meter.read(now.0 - self.reported.0, now.1 - self.reported.1);
        self.reported = now;
    }

    /// Events whose line had no time of its own.
    pub fn undated(&self) -> u64 {
        self.parser.undated()
    }

    /// Closes the input as if it had never been opened.
    pub fn put_back(self, meter: &mut Meter) {
        meter.take_back(self.reported.0, self.reported.1);
    }
}
