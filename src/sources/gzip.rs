//! gzip framing.
