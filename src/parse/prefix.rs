//! A text that one line after the other begins with.
//!
//! Takes lines, gives where the text ends in them. The first bytes are compared at once, without a call: longer
//! texts rarely differ behind them only.

use super::window::Text;

/// The first `AT_ONCE` bytes are compared at once.
#[derive(Clone, Debug)]
pub(super) struct Prefix<const AT_ONCE: usize = 32> {
    text: Vec<u8>,
    /// The text's first bytes and zeros, and which of them count.
    first: Aligned<AT_ONCE>,
    mask: Aligned<AT_ONCE>,
}

/// Aligned bytes are compared without being loaded first.
#[derive(Clone, Debug)]
#[repr(align(16))]
struct Aligned<const N: usize>([u8; N]);

impl<const AT_ONCE: usize> Default for Prefix<AT_ONCE> {
    fn default() -> Self {
        Prefix { text: Vec::new(), first: Aligned([0; AT_ONCE]), mask: Aligned([0; AT_ONCE]) }
    }
}

impl<const AT_ONCE: usize> Prefix<AT_ONCE> {
    /// Compares lines with `text`.
    pub(super) fn new(text: &[u8]) -> Self {
        let mut prefix = Prefix::default();
        prefix.set(text);
        prefix
    }

    /// Replaces the text.
    pub(super) fn set(&mut self, text: &[u8]) {
        self.set_joined(&[text]);
    }

    /// The texts after each other, of which any characters may stand at `holes`, for [`Prefix::short_end_at`]. It finds
    /// none that is longer than what is compared at once: such a text is not kept.
    pub(super) fn set_with_holes(&mut self, texts: &[&[u8]], holes: impl Iterator<Item = usize>) {
        if texts.iter().map(|text| text.len()).sum::<usize>() > AT_ONCE {
            return self.clear();
        }
        self.set_joined(texts);
        for hole in holes.filter(|&hole| hole < AT_ONCE) {
            (self.first.0[hole], self.mask.0[hole]) = (0, 0);
        }
    }

    /// In the memory of the text before: this may be asked for each line.
    fn set_joined(&mut self, texts: &[&[u8]]) {
        self.text.clear();
        texts.iter().for_each(|text| self.text.extend_from_slice(text));
        let at_once = self.text.len().min(AT_ONCE);
        (self.first.0, self.mask.0) = ([0; AT_ONCE], [0; AT_ONCE]);
        self.first.0[..at_once].copy_from_slice(&self.text[..at_once]);
        self.mask.0[..at_once].fill(0xff);
    }

    /// Finds nothing from now on.
    pub(super) fn clear(&mut self) {
        self.set(b"");
    }

    /// The text; at its holes are the characters that it was set with.
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

    /// The same of a text that can be compared at once: no other is found.
    #[inline(always)]
    pub(super) fn short_end_at<'a>(&self, line: impl Text<'a>, at: usize) -> Option<usize> {
        let length = self.text.len();
        let found = length.wrapping_sub(1) < AT_ONCE && self.begins_at(line, at);
        if found { Some(at + length) } else { None }
    }

    #[inline(always)]
    fn begins_at<'a>(&self, line: impl Text<'a>, at: usize) -> bool {
        let words = |bytes: &[u8; AT_ONCE], word: usize| u64::from_ne_bytes(bytes.as_chunks::<8>().0[word]);
        let start = line.bytes(at);
        let other = |word| (words(start, word) ^ words(&self.first.0, word)) & words(&self.mask.0, word);
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

    #[test]
    fn any_character_may_stand_at_a_hole() {
        let mut prefix = Prefix::<32>::default();
        prefix.set_with_holes(&[b"at ", b"00:00", b" kernel: "], [3, 4, 6, 7].into_iter());
        let end = |line: &str| prefix.short_end_at(Padded::new(line.as_bytes()).window().unwrap(), 0);
        assert_eq!(end("at 12:34 kernel: DROP"), Some(17));
        assert_eq!(end("at xx:\u{e9} kernel: DROP"), Some(17));
        assert_eq!(end("at 12.34 kernel: DROP"), None);
        assert_eq!(end("at 12:34 kernel- DROP"), None);
        prefix.set_with_holes(&[b"at ", &[b'x'; 30]], [3].into_iter());
        assert!(prefix.text().is_empty());
        prefix.set(b"at 00:00");
        assert_eq!(prefix.short_end_at(Padded::new(b"at 12:34 ").window().unwrap(), 0), None);
    }

    proptest! {
        #[test]
        fn ends_where_a_slice_of_it_ends(text in "[ab]{1,70}", line in "[ab]{0,80}", joined: bool) {
            let line = if joined { format!("{text}{line}") } else { line };
            let padded = Padded::new(line.as_bytes());
            let window = padded.window().unwrap();
            let end = line.starts_with(&text).then_some(text.len());
            let (short, long) = (Prefix::<32>::new(text.as_bytes()), Prefix::<64>::new(text.as_bytes()));
            prop_assert_eq!((short.end_at(window, 0), long.end_at(window, 0)), (end, end));
            let short_end = |most: usize| end.filter(|_| text.len() <= most);
            prop_assert_eq!(short.short_end_at(window, 0), short_end(32));
            prop_assert_eq!(long.short_end_at(window, 0), short_end(64));
            prop_assert_eq!(Prefix::<32>::default().end_at(window, 0), None);
        }
    }
}
