//! A text that one line after the other begins with.
//!
//! Takes lines, gives where the text ends in them. The first 32 bytes are compared at once, without a call: longer
//! texts rarely differ behind them only.

use super::window::Text;

const AT_ONCE: usize = WORDS * 8;
const WORDS: usize = 4;

#[derive(Clone, Debug, Default)]
pub struct Prefix {
    text: Vec<u8>,
    /// The text's first bytes and zeros, and which of them count.
    first: [u64; WORDS],
    mask: [u64; WORDS],
}

impl Prefix {
    pub fn new(text: &[u8]) -> Prefix {
        let mut prefix = Prefix::default();
        prefix.set(text);
        prefix
    }

    pub fn set(&mut self, text: &[u8]) {
        self.text.clear();
        self.text.extend_from_slice(text);
        let at_once = text.len().min(AT_ONCE);
        let (mut first, mut mask) = ([0; AT_ONCE], [0; AT_ONCE]);
        first[..at_once].copy_from_slice(&text[..at_once]);
        mask[..at_once].fill(0xff);
        (self.first, self.mask) = (words(&first), words(&mask));
    }

    pub fn clear(&mut self) {
        self.set(b"");
    }

    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Where the text ends if it stands at `at`. An empty text stands nowhere.
    #[inline(always)]
    pub fn end_at<'a>(&self, line: impl Text<'a>, at: usize) -> Option<usize> {
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

    /// The same of a text that can be compared at once: no other is found.
    #[inline(always)]
    pub fn short_end_at<'a>(&self, line: impl Text<'a>, at: usize) -> Option<usize> {
        let length = self.text.len();
        let found = length.wrapping_sub(1) < AT_ONCE && self.begins_at(line, at);
        if found { Some(at + length) } else { None }
    }

    #[inline(always)]
    fn begins_at<'a>(&self, line: impl Text<'a>, at: usize) -> bool {
        let start = words(line.bytes(at));
        let other = |word: usize| (start[word] ^ self.first[word]) & self.mask[word];
        other(0) | other(1) | other(2) | other(3) == 0
    }

    #[inline(never)]
    fn long_is_at(&self, line: &[u8]) -> bool {
        !self.text.is_empty() && line.starts_with(&self.text)
    }
}

#[inline(always)]
fn words(bytes: &[u8; AT_ONCE]) -> [u64; WORDS] {
    let (words, _) = bytes.as_chunks::<8>();
    std::array::from_fn(|word| u64::from_ne_bytes(words[word]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::window::Padded;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ends_where_a_slice_of_it_ends(text in "[ab]{1,70}", line in "[ab]{0,80}", joined: bool) {
            let line = if joined { format!("{text}{line}") } else { line };
            let padded = Padded::new(line.as_bytes());
            let window = padded.window().unwrap();
            let end = line.starts_with(&text).then_some(text.len());
            prop_assert_eq!(Prefix::new(text.as_bytes()).end_at(window, 0), end);
            prop_assert_eq!(Prefix::default().end_at(window, 0), None);
        }
    }
}
