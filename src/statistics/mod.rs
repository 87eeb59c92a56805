//! Counts of one day and what is kept of it; bounded.
