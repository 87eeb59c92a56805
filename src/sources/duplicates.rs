//! One packet logged twice.
