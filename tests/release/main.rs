//! What is asked of the release build, which these tests make: millions of lines, and the memory they take.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/ranges.rs"]
mod ranges;
#[path = "../support/release.rs"]
mod release;

mod months;
mod report_memory;
mod stores;
