//! Which files were read before.
