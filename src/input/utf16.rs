//! UTF-16 with a byte order mark -> UTF-8: logs that were saved by an editor on Windows.
//!
//! Takes bytes, gives text; a lone surrogate becomes U+FFFD. Buffers a bounded piece.

use std::io::{self, Read};

use super::pending::Pending;

/// Turns UTF-16 into UTF-8.
pub struct Utf16<R> {
    source: R,
    big_endian: bool,
    /// An odd byte, or the first half of a pair, at the end of what was read.
    rest: Vec<u8>,
    pending: Pending,
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
        Utf16 { source, big_endian, rest: Vec::new(), pending: Pending::default() }
    }

    fn fill(&mut self) -> io::Result<()> {
        let out = self.pending.refill();
        while out.is_empty() {
            let mut bytes = [0; 8192];
            let read = super::lines::read(&mut self.source, &mut bytes)?;
            self.rest.extend_from_slice(&bytes[..read]);
            let unit = |pair: &[u8]| match (self.big_endian, pair) {
                (true, [high, low]) => u16::from_be_bytes([*high, *low]),
                (_, [low, high]) => u16::from_le_bytes([*low, *high]),
                _ => 0,
            };
            let units: Vec<u16> = self.rest.chunks_exact(2).map(unit).collect();
            let half = read > 0 && units.last().is_some_and(|unit| (0xd800..0xdc00).contains(unit));
            let whole = units.len() - usize::from(half);
            for letter in char::decode_utf16(units[..whole].iter().copied()) {
                let letter = letter.unwrap_or(char::REPLACEMENT_CHARACTER);
                if letter != '\u{feff}' {
                    out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
                }
            }
            self.rest.drain(..whole * 2);
            if read == 0 {
                return Ok(());
            }
        }
        Ok(())
    }
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.pending.is_used_up() {
            self.fill()?;
        }
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
