//! The beginning of a text, in which any place may be looked at without asking first whether it is there.
//!
//! Takes bytes, of which more than a line may be given, and gives single bytes and words. Each question whether a
//! text goes on so far costs as much as looking at it; so a reader asks once, at the end of its way.

/// How far a reader may come.
pub const LONGEST: usize = 512;
/// Behind that: the longest that is looked at from one place.
const MORE: usize = 64;

/// A place behind [`LONGEST`] stands for one further ahead: who comes so far has read nonsense, and must say so with
/// [`Window::holds`].
#[derive(Clone, Copy)]
pub struct Window<'a>(&'a [u8; LONGEST + MORE]);

impl<'a> Window<'a> {
    /// So many bytes it takes.
    pub const SIZE: usize = LONGEST + MORE;

    /// `None`: the text is too short.
    #[inline(always)]
    pub fn new(text: &'a [u8]) -> Option<Window<'a>> {
        text.first_chunk().map(Window)
    }

    /// Whether all that was read up to `at` was really there.
    #[inline(always)]
    pub fn holds(self, at: usize) -> bool {
        at < LONGEST
    }

    /// `N` bytes, at most 64.
    #[inline(always)]
    pub fn bytes<const N: usize>(self, at: usize) -> &'a [u8; N] {
        const { assert!(N <= MORE) };
        // Never the other: the compiler sees that, and asks nothing.
        self.0[at % LONGEST..].first_chunk().unwrap_or(&[0; N])
    }

    #[inline(always)]
    pub fn byte(self, at: usize) -> u8 {
        self.0[at % LONGEST]
    }

    /// Four bytes, the first in the lowest.
    #[inline(always)]
    pub fn half(self, at: usize) -> u32 {
        u32::from_le_bytes(*self.bytes(at))
    }

    /// Eight bytes, the first in the lowest.
    #[inline(always)]
    pub fn word(self, at: usize) -> u64 {
        u64::from_le_bytes(*self.bytes(at))
    }

    /// Whether exactly this text stands there.
    #[inline(always)]
    pub fn has<const N: usize>(self, at: usize, text: &[u8; N]) -> bool {
        self.bytes::<N>(at) == text
    }

    /// What stands there and behind it, to the window's end.
    pub fn from(self, at: usize) -> &'a [u8] {
        &self.0[at % LONGEST..]
    }
}

/// The high bit of each byte that is zero. A borrow can only disturb those behind the first.
#[inline]
pub fn zeros(bytes: u64) -> u64 {
    bytes.wrapping_sub(0x0101_0101_0101_0101) & !bytes & 0x8080_8080_8080_8080
}

/// A line by itself, with its end and room behind it.
pub struct Padded {
    bytes: [u8; LONGEST + MORE],
    whole: bool,
}

impl Padded {
    pub fn new(line: &[u8]) -> Padded {
        let mut padded = Padded { bytes: [b'\n'; LONGEST + MORE], whole: line.len() <= LONGEST };
        if padded.whole {
            padded.bytes[..line.len()].copy_from_slice(line);
        }
        padded
    }

    /// `None`: the line is too long.
    pub fn window(&self) -> Option<Window<'_>> {
        self.whole.then_some(Window(&self.bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_by_itself_ends() {
        for length in [0, 1, 8, LONGEST] {
            let line = vec![b'x'; length];
            let padded = Padded::new(&line);
            let window = padded.window().unwrap();
            assert!((0..length).all(|at| window.byte(at) == b'x'));
            assert_eq!(window.0[length], b'\n');
        }
        assert!(Padded::new(&[b'x'; LONGEST + 1]).window().is_none());
    }

    #[test]
    fn words_and_texts() {
        let mut text = vec![b' '; LONGEST + MORE];
        text[5..14].copy_from_slice(b"IN=eth0 x");
        let window = Window::new(&text).unwrap();
        assert_eq!(window.word(5), u64::from_le_bytes(*b"IN=eth0 "));
        assert_eq!(window.half(8), u32::from_le_bytes(*b"eth0"));
        assert!(window.has(5, b"IN=eth0 x") && !window.has(5, b"IN=eth1 x"));
        assert!(window.from(13).starts_with(b"x  "));
        assert!(window.holds(LONGEST - 1) && !window.holds(LONGEST));
        // Whatever the place, there is something.
        assert_eq!(window.word(usize::MAX), u64::from_le_bytes(*b"        "));
        assert!(Window::new(&text[1..]).is_none());
    }
}
