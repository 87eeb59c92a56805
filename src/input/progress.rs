//! How far the reading of files has come: told to the caller now and then.

/// How far the reading has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
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
    /// Reports to `on_progress`.
    pub fn new(on_progress: &'a mut dyn FnMut(Progress)) -> Meter<'a> {
        Meter { on_progress, total: None, done: 0, lines: 0, reported: 0 }
    }

    /// Bytes of all files that will be read; `None` if a pipe is among them.
    pub fn set_total(&mut self, total: Option<u64>) {
        self.total = total;
    }

    /// So much more was read.
    pub fn read(&mut self, bytes: u64, lines: u64) {
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

    /// So much will be read again.
    pub fn take_back(&mut self, bytes: u64, lines: u64) {
        self.done -= bytes;
        self.lines -= lines;
        self.reported = self.reported.min(self.done);
    }
}
