//! An input that is open: its lines, and the events in them.
//!
//! Takes lines, gives events in their order, counts what became of the lines, and reports the progress.

use super::content::Content;
use super::lines::{Line, Lines, find_end};
use super::uncounted::UncountedLines;
use crate::event::Event;
use crate::event::paths::Paths;
use crate::parse::foreign;
use crate::parse::line::{LineReader, Outcome, is_log_line, may_repeat};
use crate::parse::uncounted::Uncounted;
use crate::parse::window::Window;
use crate::query::answer::InputCounts;

/// Progress of a reading.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Bytes of the files themselves, packed or not: while the lines are read of all files, before that of the one that is
    /// looked through.
    pub done: u64,
    /// Absent when a pipe is among the files.
    pub total: Option<u64>,
    /// Lines read so far.
    pub lines: u64,
}

/// Progress is reported once per this many bytes.
const REPORT_BYTES: u64 = 1024 * 1024;

/// Calls the progress callback once per [`REPORT_BYTES`].
pub struct Meter<'a> {
    on_progress: &'a mut dyn FnMut(Progress),
    /// Bytes of all files that will be read; `None`: a pipe is among them.
    pub total: Option<u64>,
    done: u64,
    lines: u64,
    reported: u64,
}

impl<'a> Meter<'a> {
    /// A meter that has read nothing yet.
    pub fn new(on_progress: &'a mut dyn FnMut(Progress)) -> Meter<'a> {
        Meter { on_progress, total: None, done: 0, lines: 0, reported: 0 }
    }

    fn read(&mut self, bytes: u64, lines: u64) {
        self.done += bytes;
        self.lines += lines;
        if self.done - self.reported >= REPORT_BYTES {
            self.reported = self.done;
            let (total, lines) = (self.total.map(|total| total.max(self.done)), self.lines);
            (self.on_progress)(Progress { done: self.done, total, lines });
        }
    }

    /// Reports a pass over one file before it is read; `reported`: the position at the last report.
    pub fn advance_pass(&mut self, done: u64, size: u64, reported: &mut u64) {
        if done - *reported >= REPORT_BYTES {
            *reported = done;
            (self.on_progress)(Progress { done, total: Some(size.max(done)), lines: self.lines });
        }
    }
}

/// Lines from which the kind of file is determined.
const INSPECTED_LINES: u64 = 64;

/// What the lines at the beginning of a file look like.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Kind {
    /// The log of another firewall.
    foreign: Option<&'static str>,
    /// There is text.
    has_text: bool,
    /// Lines that begin as a log's do.
    is_log: bool,
}

impl Kind {
    fn inspect(&mut self, line: &[u8]) {
        self.foreign = self.foreign.or_else(|| foreign::system(line));
        self.has_text |= line.iter().any(u8::is_ascii_graphic);
        self.is_log |= is_log_line(line);
    }

    /// A clause that says why nothing was counted in this file, such as an unsupported firewall; `None` for a log of a known form.
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
    /// Its lines, from the next one on.
    pub lines: Lines<Content>,
    /// What reads them.
    pub reader: LineReader,
    /// Without events and duplicates, which are known only when they are given.
    pub counts: InputCounts,
    /// Lines that look like packets and are none.
    pub uncounted: UncountedLines,
    /// What the first lines look like.
    pub kind: Kind,
    /// The last line read was an event.
    pub last_was_event: bool,
    /// The event that was read last by [`Open::advance`]; `None`: there is no other.
    pub next: Option<Event>,
    /// There are no more lines.
    pub has_ended: bool,
    /// Bytes of the file that were reported to the meter.
    reported: u64,
}

impl Open {
    /// Reads up to the first event.
    pub fn new(lines: Lines<Content>, reader: LineReader, paths: &mut Paths, meter: &mut Meter) -> Box<Open> {
        let mut open = Box::new(Open {
            lines,
            reader,
            counts: InputCounts::default(),
            uncounted: UncountedLines::default(),
            kind: Kind::default(),
            last_was_event: false,
            next: None,
            has_ended: false,
            reported: 0,
        });
        open.advance(paths, meter);
        open
    }

    /// Reads up to the next event.
    pub fn advance(&mut self, paths: &mut Paths, meter: &mut Meter) {
        let mut event = [Event::default()];
        let read = self.read(paths, meter, &mut event);
        self.next = event.into_iter().take(read).next();
    }

    /// Reads lines until `events` is full, and returns the number of events: fewer only at the end. Each line is parsed into its
    /// element directly: copying an event just written stalls the CPU until its parts are stored.
    pub fn read(&mut self, paths: &mut Paths, meter: &mut Meter, events: &mut [Event]) -> usize {
        let mut read = 0;
        while read < events.len() {
            let (run, is_used_up) = self.read_run(meter, &mut events[read..]);
            read += run;
            if is_used_up || read == events.len() {
                continue;
            }
            let number = self.counts.lines + 1;
            let outcome = match self.lines.next_line() {
                Some(Line::Whole(bytes)) => {
                    let outcome = self.reader.read(bytes, paths);
                    if let Outcome::Malformed(reason) | Outcome::Skipped(Some(reason)) = outcome {
                        self.uncounted.add(reason, number, bytes);
                    }
                    if number <= INSPECTED_LINES {
                        self.kind.inspect(bytes);
                    }
                    match outcome {
                        Outcome::Skipped(None) if may_repeat(bytes) => {
                            let (line, before) = self.lines.with_lines_before();
                            let line = line.strip_suffix(b"\n").unwrap_or(line);
                            self.reader.read_repeated(line, before, paths).unwrap_or(outcome)
                        }
                        outcome => outcome,
                    }
                }
                Some(Line::TooLong) => {
                    self.uncounted.add(Uncounted::TooLong, number, b"");
                    Outcome::Malformed(Uncounted::TooLong)
                }
                None => {
                    self.has_ended = true;
                    self.count_lines(0, meter);
                    break;
                }
            };
            self.count_lines(1, meter);
            self.last_was_event = matches!(outcome, Outcome::Event(_));
            match outcome {
                Outcome::Event(event) => {
                    events[read] = event;
                    read += 1;
                }
                Outcome::Malformed(_) => self.counts.malformed += 1,
                Outcome::Skipped(_) => self.counts.skipped += 1,
            }
        }
        read
    }

    /// Reads lines by the fast path. Gives their number, and whether the buffered text is used up; if not, and there is
    /// another place, the next line needs [`LineReader::read`].
    fn read_run(&mut self, meter: &mut Meter, events: &mut [Event]) -> (usize, bool) {
        let Some(text) = self.lines.buffered() else { return (0, false) };
        let (mut at, mut lines) = (0, 0);
        while let Some(place) = events.get_mut(lines)
            && let Some(window) = Window::new(&text[at..])
            && let Some(read) = self.reader.read_quickly(window, place)
            && let Some(end) = find_end(text, at, read)
        {
            at = end + 1;
            lines += 1;
        }
        let is_used_up = lines > 0 && text.len() - at < Window::SIZE;
        self.lines.consume(at);
        self.count_lines(lines as u64, meter);
        self.last_was_event |= lines > 0;
        (lines, is_used_up)
    }

    fn count_lines(&mut self, lines: u64, meter: &mut Meter) {
        self.counts.lines += lines;
        let read = self.lines.source.about.bytes_read.get();
        meter.read(read - self.reported, lines);
        self.reported = read;
    }

    /// Closes the input as if it had never been opened.
    pub fn close_unread(&self, meter: &mut Meter) {
        meter.done -= self.reported;
        meter.lines -= self.counts.lines;
        meter.reported = meter.reported.min(meter.done);
    }
}
