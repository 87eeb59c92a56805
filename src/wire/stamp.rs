//! Time stamps of log lines.
