//! Names of the known ports.
