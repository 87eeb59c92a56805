//! What is stored on flash: months, open days, metadata of imports.
//!
//! Takes summaries of days and the events of an import, gives what a question needs of a month; commits are atomic. Never
//! deletes because of a date in the data.

pub mod backup;
pub mod checksum;
pub mod codec;
pub mod collect;
pub mod container;
mod deferred;
pub mod directory;
mod files;
pub mod ledger;
mod meta;
pub(crate) mod month;
pub mod networks;
pub mod pieces;
pub mod sections;
pub mod spool;

pub use files::{Added, Allowed, Forgotten, Restored, Retention, RetentionStep, Store, StoreError, failed};
pub use meta::{Deletion, Meta};
