//! Events -> counts of days, heavy hitters, different sources; bounded.
//!
//! Takes events and the local hour each fell into, gives summaries. Knows no clock, file or socket.

pub mod anomalies;
pub mod countries;
pub mod day;
pub mod deferred;
pub mod heavy;
pub mod rows;
pub mod rules;
pub mod sample;
pub mod sum;
pub mod summary;
pub mod tables;
