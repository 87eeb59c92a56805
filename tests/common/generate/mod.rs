//! Logs made to measure, with the truth about them.
//!
//! Takes a writer, gives log lines and a [`Truth`] counted from what each line was meant to be. It uses nothing
//! of the crate and parses nothing: whatever reads these logs is held to figures that come from elsewhere.
//! Everything is deterministic: the same call gives the same bytes on every machine (whole numbers, and floating
//! point only with operations that IEEE 754 defines exactly).
//!
//! Classes as the lines mean them: a multicast or broadcast destination is `noise` whatever the interface; else
//! what comes in from `br-lan` is `egress`; else TCP with ACK, RST or FIN, UDP from a well-known port to
//! 32768-60999 and ICMP errors and echo replies are `backscatter`; the rest (TCP SYN, UDP to a service port,
//! ICMP echo) is `attempt`. A failed login is `login`.
#![allow(dead_code, unused_imports)]

pub mod calendar;
pub mod corpus;
pub mod daemons;
pub mod forged;
pub mod months;
pub mod other;
pub mod packet;
pub mod random;
pub mod router;
pub mod sample;
pub mod shapes;
pub mod stray;
pub mod truth;

pub use corpus::{Stamp, corpus};
pub use forged::forged;
pub use months::{months, months_until};
pub use other::other;
pub use sample::{sample, sample_gz};
pub use truth::{Service, Truth};
