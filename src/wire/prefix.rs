//! A text that one line after the other begins with.
//!
//! Takes lines, gives what follows the text. The first 32 bytes are compared at once, without a call: longer
//! texts rarely differ behind them only.

const AT_ONCE: usize = 32;

#[derive(Clone, Debug, Default)]
pub struct Prefix {
    text: Vec<u8>,
    /// The text's first bytes and zeros, and which of them count.
    first: [u8; AT_ONCE],
    mask: [u8; AT_ONCE],
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
        (self.first, self.mask) = ([0; AT_ONCE], [0; AT_ONCE]);
        self.first[..at_once].copy_from_slice(&text[..at_once]);
        self.mask[..at_once].fill(0xff);
    }

    pub fn clear(&mut self) {
        self.set(b"");
    }

    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// What follows the text in `line`. An empty text begins no line.
    #[inline(always)]
    pub fn strip<'a>(&self, line: &'a [u8]) -> Option<&'a [u8]> {
        let length = self.text.len();
        if length.wrapping_sub(1) < AT_ONCE
            && let Some(start) = line.first_chunk::<AT_ONCE>()
        {
            let other =
                (0..AT_ONCE).fold(0, |other, at| other | ((start[at] ^ self.first[at]) & self.mask[at]));
            return if other == 0 { line.get(length..) } else { None };
        }
        self.strip_slowly(line)
    }

    #[inline(never)]
    fn strip_slowly<'a>(&self, line: &'a [u8]) -> Option<&'a [u8]> {
        if self.text.is_empty() { None } else { line.strip_prefix(self.text.as_slice()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn strips_what_a_slice_strips(text in "[ab]{1,70}", line in "[ab]{0,80}", joined: bool) {
            let line = if joined { format!("{text}{line}") } else { line };
            let (text, line) = (text.as_bytes(), line.as_bytes());
            prop_assert_eq!(Prefix::new(text).strip(line), line.strip_prefix(text));
            prop_assert_eq!(Prefix::default().strip(line), None);
        }
    }
}
