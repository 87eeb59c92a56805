//! What lies on flash: format (pure) and disk (atomic), and the ladder of what is kept how long.

pub mod codec;
mod country_records;
pub mod format;
pub mod history;
pub mod packed;
pub mod records;
pub mod shelf;
pub mod spool;
pub mod today;
