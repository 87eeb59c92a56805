//! Bytes -> lines, in place: one fixed buffer for each input, no copy and no allocation per line.
//!
//! A line ends with LF, CRLF or the end of the input. One longer than [`LONGEST`] is reported as such,
//! once, and its rest is swallowed block by block. A line may hold any bytes.

use std::io::{self, Read};

use crate::parse::window::{Window, zeros};

/// Longer lines are no log lines: syslog daemons cut at 8 KiB or earlier.
pub const LONGEST: usize = 8 * 1024;

/// So much is read at once, and looked at before the first line is read.
const BUFFER: usize = 64 * 1024;

/// Text before the unread that is kept at least: a line may repeat the message before it.
const LOOK_BACK: usize = 4 * 1024;

/// A line reader with a fixed buffer.
pub struct Lines<R> {
    /// What the lines come from.
    pub source: R,
    buffer: Box<[u8]>,
    /// Where the line begins that was given last.
    line_at: usize,
    start: usize,
    end: usize,
    /// Offset of `buffer[0]` in the input.
    base: u64,
    /// Discards input up to the next line end, for example after a line that was reported as too long.
    pub swallowing: bool,
    ended: bool,
    /// Why the input ended early.
    pub fault: Option<io::Error>,
    /// The bytes of a last line without an end.
    cut: Option<u64>,
}

/// A line, or what came instead.
#[derive(Debug, PartialEq, Eq)]
pub enum Line<'a> {
    Whole(&'a [u8]),
    TooLong,
}

impl<R: Read> Lines<R> {
    /// The lines that `source` gives.
    pub fn new(source: R) -> Lines<R> {
        Lines {
            source,
            buffer: vec![0; BUFFER].into_boxed_slice(),
            line_at: 0,
            start: 0,
            end: 0,
            base: 0,
            swallowing: false,
            ended: false,
            fault: None,
            cut: None,
        }
    }

    /// The next line without its end. `None`: the input has ended, or failed (see [`Lines::fault`]).
    pub fn next_line(&mut self) -> Option<Line<'_>> {
        loop {
            let from = self.start;
            if let Some(length) = memchr::memchr(b'\n', &self.buffer[from..self.end]) {
                (self.line_at, self.start) = (from, from + length + 1);
                if std::mem::take(&mut self.swallowing) {
                    continue;
                }
                return Some(line(&self.buffer[from..from + length]));
            }
            if self.swallowing {
                self.start = self.end;
            } else if self.end - from > LONGEST + 1 {
                self.start = self.end;
                self.swallowing = true;
                return Some(Line::TooLong);
            }
            if self.fill() {
                continue;
            }
            if self.start == self.end {
                return None;
            }
            let from = self.start;
            (self.line_at, self.start) = (from, self.end);
            self.cut = Some((self.end - from) as u64);
            return Some(line(&self.buffer[from..self.end]));
        }
    }

    /// The line that was given last, with its end, and the whole lines before it in the last [`LOOK_BACK`] bytes.
    pub fn with_lines_before(&self) -> (&[u8], &[u8]) {
        let (before, line) = self.buffer[..self.start].split_at(self.line_at.min(self.start));
        let cut = before.len().saturating_sub(LOOK_BACK);
        let kept = &before[cut..];
        // What the kept text begins with is a line only at the beginning of the input.
        let is_whole = cut == 0 && self.base == 0;
        let first = if is_whole { 0 } else { memchr::memchr(b'\n', kept).map_or(kept.len(), |end| end + 1) };
        (line, &kept[first..])
    }

    /// The next line and those behind it, as far as they were read already; enough for a [`Window`] if the input goes on
    /// so far. `None`: a line's rest comes first.
    pub fn buffered(&mut self) -> Option<&[u8]> {
        if self.end - self.start < Window::SIZE {
            self.fill();
        }
        if self.swallowing { None } else { Some(&self.buffer[self.start..self.end]) }
    }

    /// Skips this many of the buffered bytes.
    pub fn consume(&mut self, bytes: usize) {
        self.start = self.end.min(self.start + bytes);
    }

    /// Reads more behind what is unread. `false`: there is no more.
    #[inline(never)]
    fn fill(&mut self) -> bool {
        if self.ended {
            return false;
        }
        let gone = self.start.saturating_sub(LOOK_BACK);
        if gone > 0 {
            self.buffer.copy_within(gone..self.end, 0);
            self.base += gone as u64;
            self.end -= gone;
            self.start -= gone;
        }
        match read(&mut self.source, &mut self.buffer[self.end..]) {
            Ok(0) => self.ended = true,
            Ok(read) => {
                self.end += read;
                return true;
            }
            Err(error) => {
                self.ended = true;
                self.fault = Some(error);
            }
        }
        false
    }

    /// Goes on at this offset of the input. `false`: the input ended before.
    pub fn skip_to(&mut self, bytes: u64) -> bool {
        while self.offset() + ((self.end - self.start) as u64) < bytes {
            self.start = self.end;
            if !self.fill() {
                return false;
            }
        }
        self.start = (bytes - self.base) as usize;
        true
    }

    /// The next 64 KiB, as far as there is input.
    pub fn look_ahead(&mut self) -> &[u8] {
        while self.end < self.buffer.len() && self.fill() {}
        &self.buffer[self.start..self.end]
    }

    /// Where the next line begins.
    pub fn offset(&self) -> u64 {
        self.base + self.start as u64
    }

    /// The last line had no end: how many bytes of it there were (0: too many).
    pub fn cut_line(&self) -> Option<u64> {
        if self.swallowing { Some(0) } else { self.cut }
    }
}

/// Where the line ends that begins at `start` and within whose first `read` bytes none does: mostly near behind them.
/// `None`: its end is not there yet, or it is too long.
#[inline(always)]
pub fn find_end(text: &[u8], start: usize, read: usize) -> Option<usize> {
    let rest = text.get(start + read..)?;
    let near = match rest.first_chunk::<8>() {
        Some(word) => zeros(u64::from_le_bytes(*word) ^ u64::from_le_bytes([b'\n'; 8])),
        None => 0,
    };
    let found = if near != 0 { near.trailing_zeros() as usize / 8 } else { memchr::memchr(b'\n', rest)? };
    (read + found <= LONGEST).then_some(start + read + found)
}

fn line(bytes: &[u8]) -> Line<'_> {
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    if bytes.len() > LONGEST { Line::TooLong } else { Line::Whole(bytes) }
}

/// One read that a signal does not end.
pub fn read(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match source.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Drip<'a>(&'a [u8], usize);

    impl Read for Drip<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let step = self.1.min(out.len());
            self.0.read(&mut out[..step])
        }
    }

    fn all(source: impl Read) -> (Vec<Option<Vec<u8>>>, Option<u64>) {
        let (mut lines, mut all) = (Lines::new(source), Vec::new());
        while let Some(line) = lines.next_line() {
            all.push(match line {
                Line::Whole(bytes) => Some(bytes.to_vec()),
                Line::TooLong => None,
            });
        }
        (all, lines.cut_line())
    }

    #[test]
    fn every_kind_of_line_end() {
        let whole = |text: &str| Some(text.as_bytes().to_vec());
        assert_eq!(all(&b""[..]), (vec![], None));
        assert_eq!(all(&b"\n"[..]), (vec![whole("")], None));
        assert_eq!(
            all(&b"a\r\nb\0\n\nc"[..]),
            (vec![whole("a"), whole("b\0"), whole(""), whole("c")], Some(1))
        );
        assert_eq!(all(&b"\xff\xfe\n"[..]), (vec![Some(vec![0xff, 0xfe])], None));
    }

    #[test]
    fn a_line_that_is_too_long_counts_once_and_the_next_is_read() {
        for length in [LONGEST, LONGEST + 1, LONGEST + 2, BUFFER - 1, BUFFER, BUFFER + 1, 5 * BUFFER] {
            let text = [&vec![b'x'; length][..], b"\nnext\n"].concat();
            let long = (length <= LONGEST).then(|| vec![b'x'; length]);
            for step in [7, 1000, BUFFER] {
                assert_eq!(
                    all(Drip(&text, step)),
                    (vec![long.clone(), Some(b"next".to_vec())], None),
                    "{length}"
                );
            }
            let (lines, cut) = all(&text[..length]);
            assert_eq!(lines, [long]);
            assert!(cut.is_some());
        }
    }

    /// As many bytes are kept whatever the reads' sizes; a line that the kept text begins within is none.
    #[test]
    fn lines_before_the_last() {
        let text: String = (0..20_000).map(|number| format!("line {number}\n")).collect();
        for step in [7, 1000, BUFFER] {
            let mut lines = Lines::new(Drip(text.as_bytes(), step));
            let mut number = 0;
            while let Some(Line::Whole(line)) = lines.next_line() {
                let line = line.to_vec();
                let (last, before) = lines.with_lines_before();
                assert_eq!(last.trim_ascii_end(), line);
                let count = before.split(|byte| *byte == b'\n').count() - 1;
                let end = text.find(&format!("line {number}\n")).unwrap();
                assert!(text.as_bytes()[..end].ends_with(before) && before.len() <= LOOK_BACK);
                assert!(count == number || before.len() > LOOK_BACK - 12, "{number} {count}");
                number += 1;
            }
            assert_eq!(number, 20_000);
        }
    }

    #[test]
    fn offsets_count_from_the_beginning() {
        let text = b"one\ntwo\nthree\n";
        let mut lines = Lines::new(Drip(text, 1));
        assert!(lines.skip_to(4));
        assert_eq!((lines.offset(), lines.next_line()), (4, Some(Line::Whole(b"two"))));
        assert!(!Lines::new(&text[..]).skip_to(15));
        let mut lines = Lines::new(&text[..]);
        assert!(lines.skip_to(5));
        lines.swallowing = true;
        assert_eq!(lines.next_line(), Some(Line::Whole(b"three")));
    }

    proptest! {
        #[test]
        fn reads_of_any_size_give_the_same_lines(
            text in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()], 0..400),
            step in 1usize..50,
        ) {
            prop_assert_eq!(all(Drip(&text, step)), all(&text[..]));
        }
    }
}
