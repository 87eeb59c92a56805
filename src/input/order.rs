//! Several files in one order of time.
//!
//! Takes inputs whose next event is known, gives their events in batches: always from the input
//! whose next event is oldest. Files of one rotated set so follow each other, and overlapping logs are
//! merged by time. At most [`MAX_OPEN`] files are open at once; where more overlap in time, the
//! rest come late.

use std::io;

use super::batch::{Batch, IntoBatch, Sink};
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

/// Files that are open at a time while they are merged.
pub const MAX_OPEN: usize = 16;

/// Progress of a reading.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// What is being done.
    pub step: Step,
    /// Bytes of the files themselves, packed or not: for [`Step::Reading`] of all files, otherwise
    /// of the one in hand.
    pub done: u64,
    /// Absent when a pipe is among the files.
    pub total: Option<u64>,
    /// Lines read so far.
    pub lines: u64,
}

/// What a [`Progress`] is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Finding out whether a file was imported before.
    Comparing,
    /// Finding out in which year a file begins.
    Dating,
    Reading,
}

/// Progress is reported once per this many bytes.
const REPORT_BYTES: u64 = 1024 * 1024;

/// Calls the progress callback once per [`REPORT_BYTES`].
pub struct Meter<'a> {
    on_progress: &'a mut dyn FnMut(Progress),
    total: Option<u64>,
    done: u64,
    lines: u64,
    reported: u64,
}

impl<'a> Meter<'a> {
    /// A meter that has read nothing yet.
    pub fn new(on_progress: &'a mut dyn FnMut(Progress)) -> Meter<'a> {
        Meter { on_progress, total: None, done: 0, lines: 0, reported: 0 }
    }

    /// Bytes of all files that will be read; `None`: a pipe is among them.
    pub fn set_total(&mut self, total: Option<u64>) {
        self.total = total;
    }

    fn read(&mut self, bytes: u64, lines: u64) {
        self.done += bytes;
        self.lines += lines;
        if self.done - self.reported >= REPORT_BYTES {
            self.reported = self.done;
            let (total, lines) = (self.total.map(|total| total.max(self.done)), self.lines);
            (self.on_progress)(Progress { step: Step::Reading, done: self.done, total, lines });
        }
    }

    /// Reports a pass over one file before it is read; `reported`: the position at the last report.
    pub fn advance_pass(&mut self, step: Step, done: u64, size: u64, reported: &mut u64) {
        if done - *reported >= REPORT_BYTES {
            *reported = done;
            (self.on_progress)(Progress { step, done, total: Some(size.max(done)), lines: self.lines });
        }
    }
}

/// Of one event. There is an error once it is there.
#[derive(Default)]
struct First {
    event: Event,
}

impl Sink for First {
    type Error = ();

    fn place(&mut self) -> &mut Event {
        &mut self.event
    }

    fn taken(&mut self) -> Result<(), ()> {
        Err(())
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
    /// Its lines, from the next one on.
    pub lines: Lines<Content>,
    reader: Box<LineReader>,
    /// Without events and duplicates, which are known only when they are given.
    pub counts: InputCounts,
    /// Lines that look like packets and are none.
    pub uncounted: UncountedLines,
    /// What the first lines look like.
    pub kind: Kind,
    /// The last line read was an event.
    pub last_was_event: bool,
    next: Option<Event>,
    /// Where two inputs have events of the same second: the one that begins earlier goes first.
    rank: usize,
    reported: (u64, u64),
}

impl Open {
    /// Reads up to the first event.
    pub fn new(
        input: usize,
        lines: Lines<Content>,
        reader: Box<LineReader>,
        paths: &mut Paths,
        meter: &mut Meter,
    ) -> Open {
        let mut open = Open {
            input,
            lines,
            reader,
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

    fn key(&self) -> Option<(i64, usize)> {
        self.next.map(|event| (event.time, self.rank))
    }

    /// Reads up to the next event.
    fn advance(&mut self, paths: &mut Paths, meter: &mut Meter) {
        let mut first = First::default();
        let ended = self.read(paths, meter, &mut first).is_ok();
        self.next = (!ended).then_some(first.event);
    }

    /// Reads lines and gives their events until one is refused.
    fn read<S: Sink>(&mut self, paths: &mut Paths, meter: &mut Meter, to: &mut S) -> Result<(), S::Error> {
        loop {
            if self.read_run(meter, to)? {
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
                None => break,
            };
            self.count_lines(1, meter);
            self.last_was_event = matches!(outcome, Outcome::Event(_));
            match outcome {
                Outcome::Event(event) => {
                    *to.place() = event;
                    to.taken()?;
                }
                Outcome::Malformed(_) => self.counts.malformed += 1,
                Outcome::Skipped(_) => self.counts.skipped += 1,
            }
        }
        self.report_progress(meter);
        Ok(())
    }

    /// Reads lines by the fast path. `true`: up to the end of the buffered text; `false`: the next line needs [`LineReader::read`].
    fn read_run<S: Sink>(&mut self, meter: &mut Meter, to: &mut S) -> Result<bool, S::Error> {
        let Some(text) = self.lines.buffered() else { return Ok(false) };
        let (mut at, mut lines) = (0, 0);
        let mut given = Ok(());
        while given.is_ok()
            && let Some(window) = Window::new(&text[at..])
            && let Some(read) = self.reader.read_quickly(window, to.place())
            && let Some(end) = find_end(text, at, read)
        {
            at = end + 1;
            lines += 1;
            given = to.taken();
        }
        let is_used_up = lines > 0 && text.len() - at < Window::SIZE;
        self.lines.consume(at);
        self.count_lines(lines, meter);
        self.last_was_event |= lines > 0;
        given.map(|()| is_used_up)
    }

    fn count_lines(&mut self, lines: u64, meter: &mut Meter) {
        let before = self.counts.lines;
        self.counts.lines += lines;
        if self.counts.lines / 256 != before / 256 {
            self.report_progress(meter);
        }
    }

    fn report_progress(&mut self, meter: &mut Meter) {
        let now = (self.lines.source().bytes_read(), self.counts.lines);
        meter.read(now.0 - self.reported.0, now.1 - self.reported.1);
        self.reported = now;
    }

    /// Events whose line had no time of its own.
    pub fn undated(&self) -> u64 {
        self.reader.undated()
    }

    /// Closes the input as if it had never been opened.
    fn close_unread(self, meter: &mut Meter) {
        meter.done -= self.reported.0;
        meter.lines -= self.reported.1;
        meter.reported = meter.reported.min(meter.done);
    }
}

/// What the merge asks of its inputs.
pub trait Inputs {
    /// Opens an input and reads up to its first event. `None`: it failed, and knows that itself.
    fn open(&mut self, input: usize, paths: &mut Paths, meter: &mut Meter) -> Option<Open>;
    /// Whether it can be closed and opened again.
    fn can_reopen(&self, input: usize) -> bool;
    /// When it was last changed: the order of files without other evidence.
    fn modified(&self, input: usize) -> i64;
    fn finish(&mut self, open: Open);
    fn count(&mut self, input: usize, events: u64, duplicates: u64);
}

/// An input that has events, in the order of their first ones.
struct Waiting {
    input: usize,
    first: (i64, u64),
    open: Option<Open>,
}

/// Gives the events of the inputs `wanted` to `batch`, in order of time.
pub fn merge<D: FnMut(&[Event], &mut Vec<bool>)>(
    wanted: &[usize],
    inputs: &mut dyn Inputs,
    paths: &mut Paths,
    meter: &mut Meter,
    batch: &mut Batch<D>,
) -> io::Result<()> {
    let mut waiting = Vec::new();
    for &input in wanted {
        let Some(open) = inputs.open(input, paths, meter) else { continue };
        let Some(first) = open.next_time() else {
            inputs.finish(open);
            continue;
        };
        let open = if wanted.len() > MAX_OPEN && inputs.can_reopen(input) {
            open.close_unread(meter);
            None
        } else {
            Some(open)
        };
        waiting.push(Waiting { input, first, open });
    }
    waiting.sort_by_key(|waiting| (waiting.first, inputs.modified(waiting.input)));
    let mut waiting = waiting.into_iter().enumerate().peekable();
    let mut open: Vec<Open> = Vec::new();
    loop {
        // The oldest next event of those open.
        let oldest = (0..open.len()).min_by_key(|&at| open[at].key());
        let next_file =
            waiting.peek().filter(|_| open.len() < MAX_OPEN).map(|(rank, next)| (next.first.0, *rank));
        let due = match (next_file, oldest) {
            (Some(next), Some(at)) => open[at].key().is_some_and(|key| next < key),
            (next, None) => next.is_some(),
            (None, Some(_)) => false,
        };
        if due {
            let Some((rank, next)) = waiting.next() else { break };
            if let Some(mut opened) = next.open.or_else(|| inputs.open(next.input, paths, meter)) {
                opened.rank = rank;
                open.push(opened);
            }
            continue;
        }
        let Some(at) = oldest else { break };
        let others = (0..open.len()).filter(|&other| other != at).filter_map(|other| open[other].key()).min();
        let until = others.into_iter().chain(next_file).min();
        let current = &mut open[at];
        if until.is_none() {
            // Nothing else is left: straight through.
            let input = current.input;
            if let Some(event) = current.next.take() {
                batch.add(&event, input, inputs)?;
            }
            current.read(paths, meter, &mut IntoBatch { batch, input, inputs })?;
            inputs.finish(open.swap_remove(at));
            continue;
        }
        while let Some(event) = current.next.filter(|_| until.is_none_or(|until| current.key() < Some(until)))
        {
            batch.add(&event, current.input, inputs)?;
            current.advance(paths, meter);
        }
        if current.next.is_none() {
            inputs.finish(open.swap_remove(at));
        }
    }
    batch.flush(inputs)
}
