//! UCI text -> Config.
