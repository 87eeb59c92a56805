//! Rendering of answers: ubus object, command line, exports. Compute no figure.

pub mod arguments;
pub mod export;
pub mod help;
pub mod tables;
pub mod ubus;
