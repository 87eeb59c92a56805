//! What is sent to the server of a fleet: a batch for each closed day, and the spools of batches to be sent
//! (docs/FLEET.md).
//!
//! [`batch`], [`merge`] and [`shared`] know no clock and no file; [`spool`] has the directories. Another process sends
//! the files.

pub mod batch;
pub mod merge;
pub mod shared;
pub mod spool;
