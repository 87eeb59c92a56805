//! What several integration tests share.

pub mod fwstat;
pub mod generate;
