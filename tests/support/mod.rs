//! What tests with the real kernel share.

// Each test takes what it needs.
#![allow(dead_code)]

pub mod flood;
pub mod forge;
pub mod namespaces;
