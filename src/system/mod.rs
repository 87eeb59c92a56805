//! The kernel's side of things, thin: clocks, signals, waiting, netlink. No policy.

pub mod clock;
pub mod netlink;
pub mod signals;
pub mod wait;
