//! UTF-16 with a byte order mark -> UTF-8: logs that were saved by an editor on Windows.
//!
//! Takes bytes, gives text; a lone surrogate becomes U+FFFD. Buffers a bounded piece.

use std::collections::VecDeque;
use std::io::{self, Read};

/// Turns UTF-16 into UTF-8.
pub struct Utf16<R> {
    source: R,
    big_endian: bool,
    /// An odd byte, or the first half of a pair, at the end of what was read.
    rest: Vec<u8>,
    /// Text that was made and not read yet.
    pending: VecDeque<u8>,
}

/// Whether a text begins with the mark, and whether it is big-endian then.
pub fn big_endian(beginning: &[u8]) -> Option<bool> {
    match beginning {
        [0xff, 0xfe, ..] => Some(false),
        [0xfe, 0xff, ..] => Some(true),
        _ => None,
    }
}

impl<R: Read> Utf16<R> {
    /// Converts UTF-16 of this byte order to UTF-8.
    pub fn new(source: R, big_endian: bool) -> Utf16<R> {
        Utf16 { source, big_endian, rest: Vec::new(), pending: VecDeque::new() }
    }

    fn fill(&mut self) -> io::Result<()> {
        let mut is_end = false;
        while self.pending.is_empty() && !is_end {
            let mut bytes = [0; 8192];
            let read = super::lines::read(&mut self.source, &mut bytes)?;
            is_end = read == 0;
            self.rest.extend_from_slice(&bytes[..read]);
            let unit = |pair: &[u8; 2]| {
                if self.big_endian { u16::from_be_bytes(*pair) } else { u16::from_le_bytes(*pair) }
            };
            let units: Vec<u16> = self.rest.as_chunks().0.iter().map(unit).collect();
            let half = !is_end && units.last().is_some_and(|unit| (0xd800..0xdc00).contains(unit));
            let whole = units.len() - usize::from(half);
            for letter in char::decode_utf16(units[..whole].iter().copied()) {
                let letter = letter.unwrap_or(char::REPLACEMENT_CHARACTER);
                if letter != '\u{feff}' {
                    self.pending.extend(letter.encode_utf8(&mut [0; 4]).as_bytes());
                }
            }
            self.rest.drain(..whole * 2);
        }
        Ok(())
    }
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.fill()?;
        self.pending.read(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_byte_orders() {
        let text = "\u{feff}Nov 21 \u{e9}\u{1f600}\n".repeat(3000);
        for big in [false, true] {
            let bytes: Vec<u8> = text
                .encode_utf16()
                .flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() })
                .collect();
            assert_eq!(big_endian(&bytes), Some(big));
            let mut read = String::new();
            Utf16::new(&bytes[..], big).read_to_string(&mut read).unwrap();
            assert_eq!(read, text.replace('\u{feff}', ""));
        }
        let mut cut = Vec::new();
        Utf16::new(&b"a\0\x3d\xd8\0"[..], false).read_to_end(&mut cut).unwrap();
        assert_eq!(cut, "a\u{fffd}".as_bytes());
    }
}
