//! Text of bounded length that is stored inline, so that a thousand rows are one allocation. Longer text is cut.

use std::fmt::{self, Write};
use std::ops::Deref;

use crate::query::record::{Field, FieldValue};

/// Text of at most `N` bytes (below 256).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct InlineText<const N: usize> {
    length: u8,
    bytes: [u8; N],
}

/// An address, or a prefix.
pub type AddressText = InlineText<47>;
/// An instant as RFC 3339 with an offset, from the year 0 to 9999.
pub type InstantText = InlineText<25>;
/// The two letters of a country.
pub type CountryText = InlineText<2>;

impl<const N: usize> InlineText<N> {
    /// The `Display` text, cut after the last character that fits.
    pub fn of(shown: impl fmt::Display) -> InlineText<N> {
        let mut text = InlineText::default();
        // Only text that is too long is cut.
        let _ = write!(text, "{shown}");
        text
    }

    fn put(&mut self, letter: &str) -> bool {
        let start = usize::from(self.length);
        let Some(place) = self.bytes.get_mut(start..start + letter.len()) else { return false };
        place.copy_from_slice(letter.as_bytes());
        self.length += letter.len() as u8;
        true
    }
}

impl<const N: usize> Default for InlineText<N> {
    fn default() -> InlineText<N> {
        InlineText { length: 0, bytes: [0; N] }
    }
}

impl<const N: usize> Write for InlineText<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.put(text) || text.chars().all(|letter| self.put(letter.encode_utf8(&mut [0; 4]))) {
            return Ok(());
        }
        Err(fmt::Error)
    }
}

impl<const N: usize> Deref for InlineText<N> {
    type Target = str;

    fn deref(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.length)]).unwrap_or_default()
    }
}

impl<const N: usize> fmt::Debug for InlineText<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<const N: usize> From<&str> for InlineText<N> {
    fn from(text: &str) -> InlineText<N> {
        InlineText::of(text)
    }
}

impl<const N: usize> Field for InlineText<N> {
    fn value(&self) -> FieldValue<'_> {
        FieldValue::Text(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_fits_stays_and_longer_text_is_cut_between_letters() {
        assert_eq!(&*InlineText::<5>::of("12345"), "12345");
        assert_eq!(&*InlineText::<5>::of(format_args!("{}{}", "1234", "é")), "1234");
        assert_eq!(&*InlineText::<5>::of("abcdé"), "abcd");
        assert_eq!(&*InlineText::<0>::of("a"), "");
    }
}
