//! What lies on flash: format (pure) and disk (atomic), and the ladder of what is kept how long.

pub mod aside;
pub mod codec;
mod deflate;
pub mod format;
pub mod history;
pub mod ledger;
pub mod packed;
pub mod records;
pub mod shelf;
pub mod spool;
pub mod today;
