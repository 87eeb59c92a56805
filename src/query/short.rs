//! Text of bounded length stored inline: a thousand rows are one allocation.

use std::fmt::{self, Write};
use std::ops::Deref;

use crate::query::record::{Field, FieldValue};

/// Text of at most `N` bytes (below 256).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Short<const N: usize> {
    length: u8,
    bytes: [u8; N],
}

/// An address, also with a prefix's length.
pub type AddressText = Short<47>;
/// An instant as RFC 3339 with an offset, from the year 0 to 9999.
pub type InstantText = Short<25>;
/// The two letters of a country.
pub type CountryText = Short<2>;

impl<const N: usize> Short<N> {
    /// The displayed value, cut after the last character that fits.
    pub fn of(shown: impl fmt::Display) -> Short<N> {
        let mut short = Short::default();
        // Only text that is too long is cut.
        let _ = write!(short, "{shown}");
        short
    }

    fn put(&mut self, letter: &str) -> bool {
        let start = usize::from(self.length);
        let Some(place) = self.bytes.get_mut(start..start + letter.len()) else { return false };
        place.copy_from_slice(letter.as_bytes());
        self.length += letter.len() as u8;
        true
    }
}

impl<const N: usize> Default for Short<N> {
    fn default() -> Short<N> {
        Short { length: 0, bytes: [0; N] }
    }
}

impl<const N: usize> Write for Short<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.put(text) || text.chars().all(|letter| self.put(letter.encode_utf8(&mut [0; 4]))) {
            return Ok(());
        }
        Err(fmt::Error)
    }
}

impl<const N: usize> Deref for Short<N> {
    type Target = str;

    fn deref(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.length)]).unwrap_or_default()
    }
}

impl<const N: usize> fmt::Debug for Short<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<const N: usize> From<&str> for Short<N> {
    fn from(text: &str) -> Short<N> {
        Short::of(text)
    }
}

impl<const N: usize> Field for Short<N> {
    fn value(&self) -> FieldValue<'_> {
        FieldValue::Text(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_fits_stays_and_longer_text_is_cut_between_letters() {
        assert_eq!(&*Short::<5>::of("12345"), "12345");
        assert_eq!(&*Short::<5>::of(format_args!("{}{}", "1234", "é")), "1234");
        assert_eq!(&*Short::<5>::of("abcdé"), "abcd");
        assert_eq!(&*Short::<0>::of("a"), "");
    }
}
