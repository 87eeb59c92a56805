//! Numbers and text <-> bytes, the same on every machine. Reading never panics and never allocates by a number that was
//! read.
//!
//! A format is described once, by a function that takes a [`Codec`]: [`Content`] gets the fields appended, a [`Reader`]
//! sets them.

use crate::event::calendar::Date;

/// Most rows of a table or list.
pub const MAX_ROWS: usize = 32_768;

/// The two parts of a section: numbers, which are deflated, and evenly distributed bits, which are not, since they
/// cannot be compressed and would make the numbers' Huffman codes longer.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Content {
    pub bytes: Vec<u8>,
    pub random: Vec<u8>,
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Content {
        Content { bytes, random: Vec::new() }
    }
}

/// Visits the fields of a format in order: a writer appends them, a reader sets them.
pub trait Codec {
    fn u8(&mut self, byte: &mut u8);

    /// LEB128: seven bits a byte, least significant first.
    fn number(&mut self, number: &mut u64);

    /// Sixteen evenly distributed bits, in the part for random bits.
    fn random16(&mut self, bits: &mut u16);

    /// A length and the bytes.
    fn raw(&mut self, bytes: &mut Vec<u8>);

    /// The number of rows: `rows`, or as read. `least`: the minimum bytes of a row; a number whose rows cannot fit
    /// fails.
    fn count(&mut self, rows: usize, least: usize) -> usize;

    /// Marks the data as invalid.
    fn fail(&mut self);

    /// A number that must be below 2^32.
    fn small(&mut self, number: &mut u32) {
        let mut wide = u64::from(*number);
        self.number(&mut wide);
        *number = u32::try_from(wide).unwrap_or_else(|_| {
            self.fail();
            0
        });
    }

    /// `None` as 0, a number as one more.
    fn optional(&mut self, number: &mut Option<u64>) {
        let mut wide = number.map_or(0, |number| number.saturating_add(1));
        self.number(&mut wide);
        *number = wide.checked_sub(1);
    }

    /// A signed number, small ones of either sign in few bytes (zigzag).
    fn signed(&mut self, number: &mut i64) {
        let mut zigzag = (number.cast_unsigned() << 1) ^ (*number >> 63).cast_unsigned();
        self.number(&mut zigzag);
        *number = (zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed();
    }

    /// Days since 1970-01-01.
    fn date(&mut self, date: &mut Date) {
        let mut days = date.0.cast_unsigned();
        self.small(&mut days);
        *date = Date(days.cast_signed());
    }

    fn flag(&mut self, flag: &mut bool) {
        let mut byte = u8::from(*flag);
        self.u8(&mut byte);
        *flag = byte == 1;
    }

    /// Text in UTF-8; anything else fails.
    fn text(&mut self, text: &mut String) {
        let mut bytes = std::mem::take(text).into_bytes();
        self.raw(&mut bytes);
        *text = String::from_utf8(bytes).unwrap_or_else(|_| {
            self.fail();
            String::new()
        });
    }

    /// One of several values, as its index in a list of all.
    fn one_of<T: Copy + PartialEq>(&mut self, value: &mut T, all: &[T]) {
        let mut at = all.iter().position(|known| known == value).unwrap_or(0) as u8;
        self.u8(&mut at);
        match all.get(usize::from(at)) {
            Some(known) => *value = *known,
            None => self.fail(),
        }
    }

    /// A list of rows of at least `least` bytes, one after the other.
    fn rows<T: Clone>(
        &mut self,
        rows: &mut Vec<T>,
        least: usize,
        empty: T,
        mut row: impl FnMut(&mut Self, &mut T),
    ) {
        let count = self.count(rows.len(), least);
        rows.resize(count, empty);
        rows.iter_mut().for_each(|fields| row(self, fields));
    }
}

impl Content {
    /// What `code` writes.
    pub fn of(code: impl FnOnce(&mut Content)) -> Content {
        let mut content = Content::default();
        code(&mut content);
        content
    }

    /// Appends a number (LEB128).
    #[inline]
    pub fn put(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }

    /// Appends `head`, the lengths of the numbers and random bits that `write` appends, and these; nothing if `write`
    /// appends no numbers. Written in place, since a copy can be as large as a table.
    pub fn nested(&mut self, head: &[u8], write: impl FnOnce(&mut Content)) {
        let (start, random_start) = (self.bytes.len(), self.random.len());
        write(self);
        let length = self.bytes.len() - start;
        if length == 0 {
            self.random.truncate(random_start);
            return;
        }
        let mut before = Content::from(head.to_vec());
        before.put(length as u64);
        before.put((self.random.len() - random_start) as u64);
        self.bytes.splice(start..start, before.bytes);
    }
}

impl Codec for Content {
    fn u8(&mut self, byte: &mut u8) {
        self.bytes.push(*byte);
    }

    #[inline]
    fn number(&mut self, number: &mut u64) {
        self.put(*number);
    }

    fn random16(&mut self, bits: &mut u16) {
        self.random.extend_from_slice(&bits.to_be_bytes());
    }

    fn raw(&mut self, bytes: &mut Vec<u8>) {
        self.put(bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
    }

    fn count(&mut self, rows: usize, _: usize) -> usize {
        self.put(rows as u64);
        rows
    }

    fn fail(&mut self) {}
}

/// Reads numbers from bytes. Past the end, and for a number that does not fit, it returns 0 and notes the failure,
/// which the caller checks once at the end.
pub struct Reader<'a> {
    bytes: &'a [u8],
    random: &'a [u8],
    failed: bool,
}

impl<'a> Reader<'a> {
    /// Reads numbers only.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, random: &[], failed: false }
    }

    /// Reads numbers and random bits.
    pub fn of(content: &'a Content) -> Reader<'a> {
        Reader { bytes: &content.bytes, random: &content.random, failed: false }
    }

    /// Whether a read failed.
    pub fn has_failed(&self) -> bool {
        self.failed
    }

    /// Whether no read failed and everything was read.
    pub fn is_whole(&self) -> bool {
        !self.failed && self.is_empty()
    }

    /// Whether everything was read.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.random.is_empty()
    }

    /// Bytes of numbers that were not read yet.
    pub fn left(&self) -> usize {
        self.bytes.len()
    }

    #[inline]
    fn byte(&mut self) -> u8 {
        match self.bytes.split_first() {
            Some((first, rest)) => {
                self.bytes = rest;
                *first
            }
            None => {
                self.failed = true;
                0
            }
        }
    }

    /// The next number.
    #[inline]
    pub fn get(&mut self) -> u64 {
        let first = self.byte();
        if first < 0x80 {
            return first.into();
        }
        let mut number = u64::from(first & 0x7f);
        for shift in (7..64).step_by(7) {
            let byte = self.byte();
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                self.failed |= shift == 63 && byte > 1;
                return number;
            }
        }
        self.failed = true;
        0
    }

    /// Reads what [`Content::nested`] wrote.
    pub fn nested(&mut self) -> Reader<'a> {
        let (length, random) = (self.get(), self.get());
        if length > self.bytes.len() as u64 || random > self.random.len() as u64 {
            self.failed = true;
            return Reader::new(&[]);
        }
        let (bytes, rest) = self.bytes.split_at(length as usize);
        let (random, random_rest) = self.random.split_at(random as usize);
        (self.bytes, self.random) = (rest, random_rest);
        Reader { bytes, random, failed: false }
    }
}

impl Codec for Reader<'_> {
    #[inline]
    fn u8(&mut self, byte: &mut u8) {
        *byte = self.byte();
    }

    #[inline]
    fn number(&mut self, number: &mut u64) {
        *number = self.get();
    }

    /// Avoids the default method's conversion through `u64`: most numbers of a store are hours' counts.
    #[inline]
    fn small(&mut self, number: &mut u32) {
        *number = u32::try_from(self.get()).unwrap_or_else(|_| {
            self.failed = true;
            0
        });
    }

    fn random16(&mut self, bits: &mut u16) {
        match self.random.split_first_chunk() {
            Some((next, rest)) => (*bits, self.random) = (u16::from_be_bytes(*next), rest),
            None => (*bits, self.failed) = (0, true),
        }
    }

    fn raw(&mut self, bytes: &mut Vec<u8>) {
        let length = self.get();
        self.failed |= length > self.bytes.len() as u64;
        let (raw, rest) = self.bytes.split_at(if self.failed { 0 } else { length as usize });
        (*bytes, self.bytes) = (raw.to_vec(), rest);
    }

    fn count(&mut self, _: usize, least: usize) -> usize {
        let number = self.get();
        if number > MAX_ROWS.min(self.bytes.len() / least) as u64 {
            self.failed = true;
            return 0;
        }
        number as usize
    }

    fn fail(&mut self) {
        self.failed = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_come_back(number in any::<u64>(), signed in any::<i64>(), bits in any::<u16>()) {
            let mut outer = Content::default();
            outer.nested(b"none", |inner| inner.random16(&mut bits.clone()));
            outer.nested(&[7], |inner| {
                inner.random16(&mut bits.clone());
                inner.put(number);
            });
            let mut outer = Reader::of(&outer);
            prop_assert_eq!(outer.get(), 7);
            let (mut inner, mut read) = (outer.nested(), 0);
            inner.random16(&mut read);
            prop_assert_eq!((read, inner.get()), (bits, number));
            prop_assert!(inner.is_whole() && outer.is_whole());
            let fields = (number, signed, number.checked_sub(1), "text".to_string(), bits > 9, number as u32);
            fn code(codec: &mut impl Codec, fields: &mut (u64, i64, Option<u64>, String, bool, u32)) {
                let (number, signed, optional, text, flag, small) = fields;
                codec.number(number);
                codec.signed(signed);
                codec.optional(optional);
                codec.text(text);
                codec.flag(flag);
                codec.small(small);
            }
            let written = Content::of(|content| code(content, &mut fields.clone()));
            let (mut reader, mut read) = (Reader::of(&written), Default::default());
            code(&mut reader, &mut read);
            prop_assert_eq!(read, fields);
            prop_assert!(reader.is_whole());
        }

        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let mut reader = Reader::new(&bytes);
            while !reader.has_failed() {
                reader.get();
                reader.text(&mut String::new());
            }
            prop_assert!(reader.has_failed());
        }
    }
}
