//! Event -> Class.
