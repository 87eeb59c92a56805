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
pub mod order;
pub mod packed;
mod pending;
pub mod same;
pub mod seen;
pub mod source;
pub mod uncounted;
pub mod utf16;
pub mod year;
#[cfg(feature = "archives")]
mod zstandard;
