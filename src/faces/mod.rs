//! Rendering of answers: ubus object, command line, exports. Compute no figure.

pub mod anomaly_table;
pub mod arguments;
mod cells;
mod event_tables;
pub mod export;
#[cfg(test)]
mod golden;
pub mod help;
pub mod json;
pub mod month_report;
pub mod options;
pub mod prometheus;
mod raw_arguments;
pub mod remote;
pub mod shell;
mod source_table;
mod status_table;
pub mod summary_table;
pub mod table_layout;
pub mod tables;
pub mod ubus;
mod values;
