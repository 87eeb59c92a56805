//! Command line -> Command.
