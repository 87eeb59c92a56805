//! A text that one line after the other begins with.
//!
//! Takes lines, gives where the text ends in them. The first bytes are compared at once, without a call: longer
//! texts rarely differ behind them only.

use super::window::Text;

/// So many bytes are compared at once.
const AT_ONCE: usize = 32;

/// A text that lines may begin with.
#[derive(Clone, Debug, Default)]
pub(super) struct Prefix {
    text: Vec<u8>,
    /// The text's first bytes and zeros, and which of them count.
    first: [u8; AT_ONCE],
    mask: [u8; AT_ONCE],
}

impl Prefix {
    /// Compares lines with `text`.
    pub(super) fn new(text: &[u8]) -> Self {
        let mut prefix = Prefix::default();
        prefix.set(text);
        prefix
    }

    /// Replaces the text and reuses its buffer. An empty text never matches.
    pub(super) fn set(&mut self, text: &[u8]) {
        self.text.clear();
        self.text.extend_from_slice(text);
        let at_once = text.len().min(AT_ONCE);
        (self.first, self.mask) = ([0; AT_ONCE], [0; AT_ONCE]);
        self.first[..at_once].copy_from_slice(&text[..at_once]);
        self.mask[..at_once].fill(0xff);
    }

    /// The text.
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Where the text ends if it is at `at`. An empty text is never found.
    #[inline(always)]
    pub(super) fn end_at<'a>(&self, line: impl Text<'a>, at: usize) -> Option<usize> {
        let length = self.text.len();
        if !self.begins_at(line, at) {
            return None;
        }
        if length.wrapping_sub(1) < AT_ONCE || self.long_is_at(line.from(at)) {
            Some(at + length)
        } else {
            None
        }
    }

    #[inline(always)]
    fn begins_at<'a>(&self, line: impl Text<'a>, at: usize) -> bool {
        let words = |bytes: &[u8; AT_ONCE], word: usize| u64::from_ne_bytes(bytes.as_chunks::<8>().0[word]);
        let start = line.bytes(at);
        let other = |word| (words(start, word) ^ words(&self.first, word)) & words(&self.mask, word);
        (0..AT_ONCE / 8).fold(0, |others, word| others | other(word)) == 0
    }

    #[inline(never)]
    fn long_is_at(&self, line: &[u8]) -> bool {
        !self.text.is_empty() && line.starts_with(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::window::Padded;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ends_where_a_slice_of_it_ends(text in "[ab]{1,70}", line in "[ab]{0,80}", joined: bool) {
            let line = if joined { format!("{text}{line}") } else { line };
            let padded = Padded::new(line.as_bytes()).unwrap();
            let window = padded.window();
            let end = line.starts_with(&text).then_some(text.len());
            let prefix = Prefix::new(text.as_bytes());
            prop_assert_eq!(prefix.end_at(window, 0), end);
            prop_assert_eq!(Prefix::default().end_at(window, 0), None);
        }
    }
}
