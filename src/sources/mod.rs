//! Where events come from: framing, gaps, duplicates, health counters; no policy.

pub mod duplicates;
pub mod file;
pub mod gzip;
pub mod imported;
pub mod logd;
pub mod nflog;
