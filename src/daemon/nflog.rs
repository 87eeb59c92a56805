//! The NFLOG input of the daemon.
//!
//! Opens the group, reads datagrams, gives events to the engine; opens the group again after an error. Decides nothing.

use std::os::fd::BorrowedFd;

use crate::input::Counters;
use crate::input::nflog::events::NflogEvents;
use crate::input::nflog::{FULL_BATCH, NflogError, NflogReader};
use crate::live::{Input, InputItem, Now};

use super::core::{Core, RUNNING};

const RETRY_MS: u64 = 5_000;
/// Lifetime of cached names of interfaces, which can be renamed and created again.
const FORGET_MS: u64 = 60_000;
/// Pause between two reads in a flood, in milliseconds: a wakeup for each batch would cost as much as the batch.
/// The kernel has room for ten times as many at half a million packets per second.
const PAUSE_MS: u64 = 4;

/// The NFLOG input: opens the group's socket again after errors, and passes packets to the engine.
#[derive(Default)]
pub(super) struct NflogInput {
    /// The NFLOG group that is read.
    pub group: u16,
    reader: Option<NflogReader>,
    events: NflogEvents,
    /// The sums of all readers.
    counters: Counters,
    /// When to open the socket again (milliseconds since boot).
    retry_at: u64,
    /// When the cached names of interfaces are dropped (milliseconds since boot).
    forget_at: u64,
    /// Until then packets accumulate in the kernel's buffer and the socket is not polled.
    paused_until: Option<u64>,
    /// The version of the WAN interfaces.
    outside: u32,
}

impl NflogInput {
    /// Opens the group at the first [`NflogInput::on_time`].
    pub(super) fn new(group: u16) -> NflogInput {
        NflogInput { group, ..NflogInput::default() }
    }

    /// The socket to poll; `None` during a pause.
    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        if self.paused_until.is_some() { None } else { self.reader.as_ref().map(NflogReader::fd) }
    }

    /// When to read again after a pause, or to open the socket again, in milliseconds since boot.
    pub(super) fn deadline(&self) -> Option<u64> {
        if self.reader.is_some() { self.paused_until } else { Some(self.retry_at) }
    }

    /// Ends a pause, and opens the socket if it is due.
    pub(super) fn on_time(&mut self, now: Now, core: &mut Core) {
        self.paused_until.take_if(|until| now.boot_ms >= *until);
        if self.reader.is_some() || now.boot_ms < self.retry_at {
            return;
        }
        match NflogReader::open(self.group, self.counters) {
            Ok(reader) => {
                core.note_nflog(now, RUNNING, reader.counters);
                self.reader = Some(reader);
            }
            Err(error) => self.failed(now, &error, core),
        }
    }

    /// Closes the socket, and opens it again later.
    fn failed(&mut self, now: Now, error: &NflogError, core: &mut Core) {
        (self.reader, self.paused_until) = (None, None);
        self.retry_at = now.boot_ms.saturating_add(RETRY_MS);
        core.note_nflog(now, &error.to_string(), self.counters);
    }

    /// Reads queued packets until there are none, or at least `budget` were read.
    pub(super) fn read(&mut self, now: Now, budget: usize, core: &mut Core) {
        let outside = core.outside.version;
        if now.boot_ms >= self.forget_at || std::mem::replace(&mut self.outside, outside) != outside {
            self.events.forget();
            self.forget_at = now.boot_ms.saturating_add(FORGET_MS);
        }
        let Some(reader) = &mut self.reader else { return };
        let before = reader.counters.received;
        let (events, uptime) = (&mut self.events, now.boot_ms.saturating_mul(1000));
        let read = reader.read(budget, &mut |record| {
            let networks = &core.outside.networks;
            let event = events.event(record, &mut core.engine.paths, networks, now.wall, uptime);
            let item = event.map_or(InputItem::Ignored, |event| InputItem::Event(event, None, None));
            core.engine.take(now, Input::Nflog, item);
        });
        self.counters = reader.counters;
        match read {
            Ok(more) => {
                let full_batch = self.counters.received - before >= FULL_BATCH;
                self.paused_until = (full_batch && !more).then_some(now.boot_ms.saturating_add(PAUSE_MS));
                core.note_nflog(now, RUNNING, self.counters);
            }
            Err(error) => self.failed(now, &error, core),
        }
    }
}
