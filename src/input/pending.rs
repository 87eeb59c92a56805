//! A buffer between a converting reader and its reader: text that was made and not read yet.

use std::io::{self, Read};

/// Bytes to be read, made anew each time all of them were.
#[derive(Default)]
pub(super) struct Pending {
    bytes: Vec<u8>,
    given: usize,
}

impl Pending {
    /// Whether all was read.
    pub(super) fn is_used_up(&self) -> bool {
        self.given == self.bytes.len()
    }

    /// The place for more, empty. What was not read is gone.
    pub(super) fn refill(&mut self) -> &mut Vec<u8> {
        self.bytes.clear();
        self.given = 0;
        &mut self.bytes
    }
}

impl Read for Pending {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut rest = self.bytes.get(self.given..).unwrap_or_default();
        let given = rest.read(out)?;
        self.given += given;
        Ok(given)
    }
}
