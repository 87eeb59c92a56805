//! Stand-ins for the parts of a router: a real ubus broker in a process of its own, a logd, and a netifd.

// Each test takes what it needs.
#![allow(dead_code)]

pub mod broker;
mod ids;
pub mod logd;
pub mod netifd;
pub mod wire;
