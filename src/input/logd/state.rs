//! Which of logd's entries are new: each is given once, in order, and what is missing is counted.
//!
//! Told the entries of the backlog and of the notifications, in whatever overlap they come, and the boot
//! clock; gives entries and numbers. Knows no bus.

use super::entry::{Entry, SOURCE_KERNEL, SOURCE_SYSLOG};
use crate::input::Counters;

/// Takes a new entry: whether the kernel wrote it, its wall time in ms, its text.
pub type Give<'a> = &'a mut dyn FnMut(bool, i64, &[u8]);

/// Bytes of notified entries that are buffered at most while the backlog is being read.
pub(super) const MAX_HELD_BYTES: usize = 256 * 1024;
/// Notified entries that are buffered at most while the backlog is being read.
pub(super) const MAX_HELD: usize = 4096;

/// Ids so far ahead are another logd's; ids are compared modulo 2^32.
const MAX_AHEAD: u32 = 1 << 28;
/// Least time between two fills of a gap from logd's ring: a flood makes gaps without end.
const READ_AGAIN_MS: u64 = 1_000;

/// The last entry taken: what has to be kept over a restart of ours so that nothing counts twice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mark {
    /// logd's number of the entry, which wraps.
    pub id: u32,
    /// Wall time of the entry in milliseconds since 1970.
    pub time_ms: i64,
}

/// Joins logd's backlog and its notifications into one sequence without gaps and repetitions.
#[derive(Debug, Default)]
pub struct LogdState {
    /// To be stored together with the statistics.
    pub mark: Option<Mark>,
    /// The id that follows; `None`: whatever comes.
    next: Option<u32>,
    /// The newest time of this logd's entries.
    newest_ms: Option<i64>,
    /// `mark` is of an earlier run of ours.
    resumed: bool,
    /// The logd that `mark` is of has gone.
    gone: bool,
    /// The backlog was read, or could not be, since the connection to ubus was made.
    pub caught_up: bool,
    /// The backlog must be read now (then call [`LogdState::reading`]): there is a gap.
    pub wants_read: bool,
    read_again_at: u64,
    /// Notified entries that are buffered while the backlog is being read; `None`: it is not being read.
    held: Option<Held>,
    /// Since the start.
    pub counts: Counters,
}

impl LogdState {
    /// Goes on after the entry that an earlier run took last.
    pub fn resume(mark: Option<Mark>) -> LogdState {
        LogdState {
            mark,
            next: mark.map(|mark| mark.id.wrapping_add(1)),
            newest_ms: mark.map(|mark| mark.time_ms),
            resumed: true,
            ..LogdState::default()
        }
    }

    /// The backlog was requested: notified entries are buffered until it has been read.
    pub fn reading(&mut self) {
        self.held.get_or_insert_default();
        self.wants_read = false;
    }

    /// A new entry, as logd notifies it.
    pub fn live(&mut self, entry: &Entry<'_>, now_ms: u64, give: Give<'_>) {
        if let Some(held) = &mut self.held {
            if held.push(entry) {
                return;
            }
            self.backlog_failed(give);
        } else if self.ahead(entry.id) != Some(0) && !self.is_known(entry) && now_ms >= self.read_again_at {
            self.read_again_at = now_ms.saturating_add(READ_AGAIN_MS);
            self.wants_read = true;
            self.held.get_or_insert_default().push(entry);
            return;
        }
        self.accept_without_backlog(entry, give);
    }

    /// The backlog that was asked for. `entries` is called twice: to look, and to take.
    pub fn backlog<'e, I: Iterator<Item = Entry<'e>>>(&mut self, entries: impl Fn() -> I, give: Give<'_>) {
        let Some(held) = self.held.take() else { return };
        if !self.is_of_the_same_logd(entries()) {
            self.start_anew();
        }
        // Whatever was held came before the answer, from the same logd: first what its ring had lost by then.
        let first = entries().next().map(|entry| entry.id);
        let left_the_ring =
            |id: u32| first.is_some_and(|first| (1..MAX_AHEAD).contains(&first.wrapping_sub(id)));
        for entry in held.entries().filter(|entry| left_the_ring(entry.id)) {
            self.take_if_ahead(&entry, true, give);
        }
        for entry in entries() {
            self.take_if_ahead(&entry, true, give);
        }
        if first.is_none() {
            // A ring is never empty again once something was in it: all of this logd's entries are to come.
            self.next.get_or_insert(0);
        }
        self.caught_up_now();
        for entry in held.entries().filter(|entry| !left_the_ring(entry.id)) {
            self.take_if_ahead(&entry, true, give);
        }
    }

    /// There will be no backlog: what was held is all there is.
    pub fn backlog_failed(&mut self, give: Give<'_>) {
        if self.gone {
            self.start_anew();
        }
        self.caught_up_now();
        let held = self.held.take().unwrap_or_default();
        held.entries().for_each(|entry| self.accept_without_backlog(&entry, give));
    }

    /// logd itself has gone, its ring with it.
    pub fn logd_gone(&mut self, give: Give<'_>) {
        if self.held.is_some() {
            self.backlog_failed(give);
        }
        self.gone = true;
        self.caught_up = false;
    }

    /// The bus has gone; logd may still be there, so what was held will be in its backlog.
    pub fn bus_gone(&mut self) {
        self.held = None;
        self.caught_up = false;
        self.wants_read = false;
    }

    /// How many ids lie between the expected one and `id`; `None` if it is behind.
    fn ahead(&self, id: u32) -> Option<u32> {
        let gap = self.next.map_or(0, |next| id.wrapping_sub(next));
        (gap < MAX_AHEAD).then_some(gap)
    }

    /// Behind, and no younger than what was seen: a repetition. A younger one is another logd's.
    fn is_known(&self, entry: &Entry<'_>) -> bool {
        self.ahead(entry.id).is_none() && self.newest_ms.is_some_and(|newest| entry.time_ms <= newest)
    }

    fn is_of_the_same_logd<'e>(&self, entries: impl Iterator<Item = Entry<'e>>) -> bool {
        let Some(mark) = self.mark else {
            return !self.gone;
        };
        let mut any_ahead = false;
        for entry in entries {
            if entry.id == mark.id {
                return entry.time_ms == mark.time_ms;
            }
            any_ahead |= self.ahead(entry.id).is_some();
        }
        // The marked entry is not in the ring: pushed out of it, or never in this one.
        any_ahead && !self.gone
    }

    /// Another logd, whose ids count from 0. How long it ran before our own start is unknown.
    fn start_anew(&mut self) {
        self.counts.restarts = self.counts.restarts.saturating_add(1);
        self.next = if self.resumed { None } else { Some(0) };
        self.newest_ms = None;
    }

    fn caught_up_now(&mut self) {
        self.caught_up = true;
        self.wants_read = false;
        self.gone = false;
        self.resumed = false;
    }

    /// Without a backlog to compare with.
    fn accept_without_backlog(&mut self, entry: &Entry<'_>, give: Give<'_>) {
        if self.ahead(entry.id).is_none() && !self.is_known(entry) {
            self.start_anew();
            self.next = Some(entry.id);
        }
        self.take_if_ahead(entry, false, give);
    }

    fn take_if_ahead(&mut self, entry: &Entry<'_>, overlap: bool, give: Give<'_>) {
        let gap = self.ahead(entry.id);
        if overlap && gap.is_none() {
            self.counts.reread = self.counts.reread.saturating_add(1);
            return;
        }
        self.counts.received = self.counts.received.saturating_add(1);
        let Some(gap) = gap else {
            self.counts.duplicates = self.counts.duplicates.saturating_add(1);
            return;
        };
        self.counts.lost = self.counts.lost.saturating_add(gap.into());
        self.next = Some(entry.id.wrapping_add(1));
        self.mark = Some(Mark { id: entry.id, time_ms: entry.time_ms });
        self.newest_ms = self.newest_ms.max(Some(entry.time_ms));
        // The kernel's own facility is 0; what a program writes to /dev/kmsg has another.
        match (entry.source, entry.priority >> 3) {
            (SOURCE_KERNEL, 0) => give(true, entry.time_ms, entry.msg),
            (SOURCE_SYSLOG, _) => give(false, entry.time_ms, entry.msg),
            _ => self.counts.ignored = self.counts.ignored.saturating_add(1),
        }
    }
}

/// Copies of entries, bounded.
#[derive(Debug, Default)]
struct Held {
    /// Each with its text, which it lacks itself.
    entries: Vec<(Entry<'static>, Box<[u8]>)>,
    /// Of all texts.
    bytes: usize,
}

impl Held {
    fn push(&mut self, entry: &Entry<'_>) -> bool {
        let bytes = self.bytes + entry.msg.len();
        if self.entries.len() >= MAX_HELD || bytes > MAX_HELD_BYTES {
            return false;
        }
        self.bytes = bytes;
        let Entry { id, time_ms, source, priority, msg } = *entry;
        self.entries.push((Entry { id, time_ms, source, priority, msg: b"" }, msg.into()));
        true
    }

    fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        self.entries.iter().map(|(entry, msg)| Entry { msg, ..*entry })
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
