//! What the server of a fleet gets of this router: a batch for each day that is over, and the directories where batches
//! wait to be sent (docs/FLEET.md).
//!
//! [`batch`], [`merge`] and [`shared`] know no clock and no file; [`spool`] has the directories. Who sends them is
//! another process.

pub mod batch;
pub mod merge;
pub mod shared;
pub mod spool;
