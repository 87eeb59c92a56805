//! The beginning of a text, in which any place may be looked at without asking first whether it is there.
//!
//! Takes bytes, of which more than a line may be given, and gives single bytes and words. Each question whether a
//! text goes on so far costs as much as looking at it; so a reader asks once, at the end of its way.

/// Longest text before a packet's fields, and longest line that is read by itself, in bytes.
const LONGEST: usize = 512;
/// A packet's fields are no longer.
const FIELDS: usize = 320;

/// A text in which any place may be looked at.
pub trait Text<'a>: Copy {
    fn bytes<const N: usize>(self, at: usize) -> &'a [u8; N];

    #[inline(always)]
    fn byte(self, at: usize) -> u8 {
        let [byte] = *self.bytes(at);
        byte
    }

    /// Eight bytes, the first in the lowest.
    #[inline(always)]
    fn word(self, at: usize) -> u64 {
        u64::from_le_bytes(*self.bytes(at))
    }

    /// Whether exactly this text is there.
    #[inline(always)]
    fn has<const N: usize>(self, at: usize, text: &[u8; N]) -> bool {
        // As slices: arrays of some sizes would be put together from pieces first.
        self.bytes::<N>(at)[..] == text[..]
    }

    /// The text from there to the end.
    fn from(self, at: usize) -> &'a [u8];
}

/// The beginning of a line, and of what follows. A place behind [`LONGEST`] stands for one further ahead: who comes so
/// far has read nonsense, and finds no fields there.
#[derive(Clone, Copy)]
pub struct Window<'a>(&'a [u8; LONGEST + FIELDS]);

impl<'a> Window<'a> {
    /// Its length in bytes.
    pub const SIZE: usize = LONGEST + FIELDS;

    /// `None`: the text is too short.
    #[inline(always)]
    pub fn new(text: &'a [u8]) -> Option<Window<'a>> {
        text.first_chunk().map(Window)
    }

    /// What begins at `at`.
    #[inline(always)]
    pub fn fields(self, at: usize) -> Fields<'a> {
        let rest = if at <= LONGEST { &self.0[at..] } else { &[] };
        Fields(rest.first_chunk().unwrap_or(&[0; FIELDS]))
    }
}

impl<'a> Text<'a> for Window<'a> {
    #[inline(always)]
    fn bytes<const N: usize>(self, at: usize) -> &'a [u8; N] {
        const { assert!(N <= FIELDS) };
        // Never the other: the compiler sees that, and asks nothing.
        self.0[at % LONGEST..].first_chunk().unwrap_or(&[0; N])
    }

    fn from(self, at: usize) -> &'a [u8] {
        &self.0[at % LONGEST..]
    }
}

/// The fields of a packet, and what follows; zeros behind that. The compiler knows how far a reader has come at most,
/// and asks nothing.
#[derive(Clone, Copy)]
pub struct Fields<'a>(&'a [u8; FIELDS]);

impl<'a> Text<'a> for Fields<'a> {
    #[inline(always)]
    fn bytes<const N: usize>(self, at: usize) -> &'a [u8; N] {
        const { assert!(N <= FIELDS) };
        let rest = if at <= FIELDS - N { &self.0[at..] } else { &[] };
        rest.first_chunk().unwrap_or(&[0; N])
    }

    fn from(self, at: usize) -> &'a [u8] {
        self.0.get(at..).unwrap_or_default()
    }
}

/// The high bit of each byte that is zero. A borrow can only disturb those behind the first.
#[inline]
pub fn zeros(bytes: u64) -> u64 {
    bytes.wrapping_sub(0x0101_0101_0101_0101) & !bytes & 0x8080_8080_8080_8080
}

/// A line by itself, with its end and room behind it.
pub struct Padded([u8; Window::SIZE]);

impl Padded {
    /// Copies a line; `None`: it is longer than [`LONGEST`].
    pub fn new(line: &[u8]) -> Option<Padded> {
        if line.len() > LONGEST {
            return None;
        }
        let mut padded = Padded([b'\n'; Window::SIZE]);
        padded.0[..line.len()].copy_from_slice(line);
        Some(padded)
    }

    /// The line as a text in which any place may be looked at.
    pub fn window(&self) -> Window<'_> {
        Window(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_by_itself_ends() {
        for length in [0, 1, 8, LONGEST] {
            let line = vec![b'x'; length];
            let padded = Padded::new(&line).unwrap();
            let window = padded.window();
            assert!((0..length).all(|at| window.byte(at) == b'x'));
            assert_eq!(window.0[length], b'\n');
        }
        assert!(Padded::new(&[b'x'; LONGEST + 1]).is_none());
    }

    #[test]
    fn every_character_of_a_text_counts() {
        fn all_count<const N: usize>(text: &[u8; N]) {
            let mut line = [b'.'; Window::SIZE];
            line[3..3 + N].copy_from_slice(text);
            assert!(Window(&line).has(3, text) && !Window(&line).has(4, text));
            for place in 3..3 + N {
                let mut other = line;
                other[place] ^= 4;
                assert!(!Window(&other).has(3, text), "character {place} of {N}");
            }
        }
        all_count(b" ID=");
        all_count(b" WINDOW=");
        all_count(b" SEQ=12 A");
        all_count(b" PROTO=TCP SPT=");
        all_count(b"0123456789abcdef");
        all_count(b" RES=0x00 SYN URGP=");
    }

    #[test]
    fn words_and_texts() {
        let mut text = vec![b' '; Window::SIZE];
        text[5..14].copy_from_slice(b"IN=eth0 x");
        let window = Window::new(&text).unwrap();
        assert_eq!(window.word(5), u64::from_le_bytes(*b"IN=eth0 "));
        assert_eq!(window.bytes(8), b"eth0");
        assert!(window.has(5, b"IN=eth0 x") && !window.has(5, b"IN=eth1 x"));
        assert!(window.from(13).starts_with(b"x  "));
        // Whatever the place, there is something.
        assert_eq!(window.word(usize::MAX), u64::from_le_bytes(*b"        "));
        let fields = window.fields(5);
        assert_eq!((fields.word(0), fields.word(FIELDS - 8)), (window.word(5), window.word(100)));
        assert_eq!((fields.word(FIELDS - 7), fields.byte(FIELDS), fields.word(usize::MAX)), (0, 0, 0));
        assert!(fields.from(FIELDS + 1).is_empty());
        assert_eq!((window.fields(LONGEST).byte(9), window.fields(LONGEST + 1).byte(9)), (b' ', 0));
        assert!(Window::new(&text[1..]).is_none());
    }
}
