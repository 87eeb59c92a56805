//! The guard's own table `inet fwstat` in the kernel: what it shall be -> nft's text -> `nft -f -`; and what
//! the kernel says of it.
//!
//! Decides nothing. No packet's text comes here, only addresses.

pub mod conntrack;
pub mod kernel;
pub mod run;
pub mod script;
