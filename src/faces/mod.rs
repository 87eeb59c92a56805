//! Rendering of answers: ubus object, command line, exports. Compute no figure.

pub mod arguments;
pub mod export;
pub mod help;
pub mod options;
mod raw_arguments;
mod source_table;
mod summary_table;
pub mod table_layout;
pub mod tables;
pub mod ubus;
mod values;
