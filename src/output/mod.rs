//! Rendering of answers: tables, JSON, blobmsg, CSV, Prometheus, the month report. Computes no figure.

pub mod anomaly_table;
pub mod blobmsg;
pub mod cells;
pub mod export;
#[cfg(test)]
pub(crate) mod golden;
mod input_notes;
pub mod json;
pub mod month_report;
pub mod prometheus;
pub mod rendering;
mod status_table;
pub mod summary_table;
pub mod table_layout;
pub mod tables;
