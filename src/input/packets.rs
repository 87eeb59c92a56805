//! Numbers of packets by the path that they were logged on.

use crate::event::Event;
use crate::event::paths::{Path, Paths};

/// Numbers of packets by path; at most as many as there can be paths.
#[derive(Default)]
pub struct Packets {
    counts: Vec<u64>,
}

impl Packets {
    /// Counts the packets of an event.
    #[inline]
    pub fn add(&mut self, event: &Event) {
        let path = usize::from(event.path.0);
        if path >= self.counts.len() {
            self.counts.resize(path + 1, 0);
        }
        self.counts[path] = self.counts[path].saturating_add(event.count.into());
    }

    /// The paths with their packets.
    pub fn by_path<'a>(&'a self, paths: &'a Paths) -> impl Iterator<Item = (&'a Path, u64)> {
        paths.iter().zip(self.counts.iter().copied())
    }
}
