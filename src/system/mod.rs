//! The operating system: thin, and the only place for what a core must not do.

pub mod unix_socket;
