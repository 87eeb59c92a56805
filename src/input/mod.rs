//! Where events come from: framing, gaps, duplicates, health counters; no policy.

pub mod batch;
pub mod content;
pub mod digest;
pub mod duplicates;
pub mod file;
pub mod gzip;
pub mod imported;
pub mod lines;
pub mod logd;
pub mod netifd;
pub mod nflog;
pub mod order;
pub mod same;
pub mod source;
pub mod year;
