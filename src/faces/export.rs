//! Export as JSON and CSV.
