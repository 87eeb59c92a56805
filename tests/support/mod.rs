//! What tests with the real kernel share.

pub mod namespaces;
