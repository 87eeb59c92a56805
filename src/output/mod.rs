//! Rendering of answers: tables, JSON, blobmsg, CSV, Prometheus, the month report. Computes no figure.

pub mod anomaly_table;
pub mod blobmsg;
pub mod cells;
mod event_tables;
pub mod export;
#[cfg(test)]
pub(crate) mod golden;
mod input_notes;
pub mod json;
pub mod month_report;
pub mod prometheus;
mod source_table;
mod status_table;
pub mod summary_table;
pub mod table_layout;
pub mod tables;

use std::io;

use crate::query::AnswerError;

/// Why a command or a report did not come to its end.
pub enum ShellError {
    /// A sentence that says what, where and why.
    Failure(String),
    /// Writing the answer failed.
    Output(io::Error),
}

impl From<io::Error> for ShellError {
    fn from(error: io::Error) -> ShellError {
        ShellError::Output(error)
    }
}

impl From<AnswerError> for ShellError {
    fn from(error: AnswerError) -> ShellError {
        ShellError::Failure(error.to_string())
    }
}
