//! Thin wrappers of system calls: clocks, signals, poll, sockets. No policy.

pub mod clock;
pub mod installed;
pub mod memory;
pub mod netlink;
pub mod random;
pub mod read;
pub mod signals;
pub mod unix_socket;
pub mod wait;
pub mod worker;
pub mod zone;
