//! Stand-ins for the parts of a router: a real ubus broker in a process of its own, and a logd.

// Each test takes what it needs.
#![allow(dead_code)]

pub mod broker;
pub mod logd;
pub mod wire;
