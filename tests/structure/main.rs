//! What the source text itself must hold.

mod documents;
mod page_options;
mod reasons;
mod walls;
