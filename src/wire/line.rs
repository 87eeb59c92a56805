//! One log line -> one event.
