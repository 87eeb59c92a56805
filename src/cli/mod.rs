//! The command line: arguments -> question or command -> printed answer.
//!
//! Takes the process's arguments, gives text on standard output and an outcome for the exit code. Computes no figure.

pub mod arguments;
pub mod check;
pub mod client;
pub mod fleet_export;
pub mod help;
pub mod lists;
pub mod offline;
pub mod options;
mod raw_arguments;
pub mod shell;
pub mod upkeep;
