//! Where events come from: framing, gaps, duplicates, health counters; no policy.

pub mod batch;
mod bus_object;
pub mod content;
pub mod digest;
pub mod duplicates;
pub mod file;
pub mod gzip;
pub mod imported;
pub mod journal_text;
pub mod lines;
pub mod logd;
pub mod netifd;
pub mod nflog;
pub mod open;
pub mod order;
pub mod packed;
pub mod packets;
pub mod same;
pub mod seen;
pub mod source;
pub mod uncounted;
pub mod utf16;
pub mod year;
#[cfg(feature = "archives")]
mod zstandard;

/// Counts of an input since the daemon's start. `received`, `ignored` and `reread` grow in ordinary operation, the others
/// should stay 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Received: packets of NFLOG, or entries of logd; `ignored` and `duplicates` are among them.
    pub received: u64,
    /// New, but neither the kernel's own nor syslog's (logd).
    pub ignored: u64,
    /// Notified again although we did not read the backlog (logd).
    pub duplicates: u64,
    /// Known already when the backlog was read: the usual overlap (logd). Not in `received`.
    pub reread: u64,
    /// Missing in the sequence numbers.
    pub lost: u64,
    /// Other logd processes than the one before.
    pub restarts: u64,
    /// Could not be read.
    pub malformed: u64,
}
