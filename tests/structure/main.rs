//! What the source text itself must hold.

mod page_options;
mod walls;
