//! NFLOG messages.
