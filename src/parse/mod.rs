//! Bytes -> fields, pure. Never panics, never logs, never allocates by an attacker's number.

pub mod fingerprint;
pub mod foreign;
pub mod interfaces;
pub mod line;
pub mod log_prefix;
pub mod login;
pub mod netfilter;
pub mod netlink;
pub mod nflog;
pub mod nftables;
mod number;
pub mod packet;
mod prefix;
pub mod stamp;
mod structured;
pub mod syslog;
pub mod uncounted;
pub mod window;

pub use fingerprint::{fingerprint, fingerprint_of};
