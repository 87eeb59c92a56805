//! Bytes -> deflated bytes (RFC 1951), as they come.

use std::io::Write;

use flate2::Compression;
use flate2::write::DeflateEncoder;

/// Payloads are packed numbers: more effort gains 3 % and takes thrice the time.
const LEVEL: u32 = 1;
const CHUNK: usize = 4096;

/// Takes numbers' bytes and never holds all of them.
pub struct Deflater {
    /// What is not deflated yet; more is put here, and [`Deflater::spill`] called.
    pub pending: Vec<u8>,
    encoder: DeflateEncoder<Vec<u8>>,
    raw: usize,
}

impl Deflater {
    pub fn new() -> Deflater {
        let encoder = DeflateEncoder::new(Vec::new(), Compression::new(LEVEL));
        Deflater { pending: Vec::with_capacity(CHUNK), encoder, raw: 0 }
    }

    /// Deflates what is pending if it is worth it.
    pub fn spill(&mut self) {
        if self.pending.len() >= CHUNK {
            self.deflate();
        }
    }

    fn deflate(&mut self) {
        // Writing to memory cannot fail.
        let _ = self.encoder.write_all(&self.pending);
        self.raw += self.pending.len();
        self.pending.clear();
    }

    /// The deflated bytes, and how many there were.
    pub fn finish(mut self) -> (Vec<u8>, usize) {
        self.deflate();
        (self.encoder.finish().unwrap_or_default(), self.raw)
    }
}
