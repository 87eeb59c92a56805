//! Numbers and text <-> bytes, the same on every machine. Reading never panics, and allocates no more rows than bytes.
//!
//! A format is described once, by a function that takes a [`Codec`] and the fields: a codec that writes appends them to a
//! [`Content`], one that reads sets them.

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

impl Content {
    /// What `code` writes.
    pub fn of(code: impl FnOnce(&mut Codec<'_>)) -> Content {
        let mut content = Content::default();
        code(&mut content.writer());
        content
    }

    /// A codec that appends to it.
    pub fn writer(&mut self) -> Codec<'_> {
        Codec { written: Some(self), bytes: &[], random: &[], failed: false }
    }

    /// A codec that reads it.
    pub fn reader(&self) -> Codec<'_> {
        Codec { random: &self.random, ..Codec::reader(&self.bytes) }
    }

    /// Appends a number (LEB128).
    #[inline(never)]
    fn put(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }

    /// Appends `head`, the lengths of the numbers and random bits that `write` appends, and these; nothing if `write`
    /// appends no numbers. Written in place, since a copy can be as large as a table.
    pub fn nested(&mut self, head: &[u8], write: impl FnOnce(&mut Codec<'_>)) {
        let (start, random_start) = (self.bytes.len(), self.random.len());
        write(&mut self.writer());
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

/// Visits the fields of a format in order, to write or to read them.
///
/// Past the end, and for a number that does not fit, 0 is read and the failure noted, which the caller checks once at
/// the end. Writing does not fail.
pub struct Codec<'a> {
    /// Where fields are appended; `None`: they are read.
    written: Option<&'a mut Content>,
    bytes: &'a [u8],
    random: &'a [u8],
    /// Whether a read failed, or what was read is invalid.
    pub failed: bool,
}

impl<'a> Codec<'a> {
    /// Reads numbers only.
    pub fn reader(bytes: &'a [u8]) -> Codec<'a> {
        Codec { written: None, bytes, random: &[], failed: false }
    }

    /// Whether fields are written, and not read.
    pub fn writes(&self) -> bool {
        self.written.is_some()
    }

    /// Marks the data as invalid.
    pub fn fail(&mut self) {
        self.failed = true;
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

    /// Reads what [`Content::nested`] wrote.
    pub fn nested(&mut self) -> Codec<'a> {
        let (length, random) = (self.get(), self.get());
        if length > self.bytes.len() as u64 || random > self.random.len() as u64 {
            self.failed = true;
            return Codec::reader(&[]);
        }
        let (bytes, rest) = self.bytes.split_at(length as usize);
        let (random, random_rest) = self.random.split_at(random as usize);
        (self.bytes, self.random) = (rest, random_rest);
        Codec { random, ..Codec::reader(bytes) }
    }

    #[inline]
    fn next_byte(&mut self) -> u8 {
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

    #[inline(never)]
    fn next_number(&mut self) -> u64 {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.next_byte();
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                self.failed |= shift == 63 && byte > 1;
                return number;
            }
        }
        self.failed = true;
        0
    }

    /// A byte.
    pub fn u8(&mut self, byte: &mut u8) {
        match &mut self.written {
            Some(content) => content.bytes.push(*byte),
            None => *byte = self.next_byte(),
        }
    }

    /// LEB128: seven bits a byte, least significant first.
    #[inline]
    pub fn number(&mut self, number: &mut u64) {
        match (&mut self.written, self.bytes) {
            (Some(content), _) => content.put(*number),
            // Most are small, such as the attempts of an hour.
            (None, [first, rest @ ..]) if *first < 0x80 => (*number, self.bytes) = (u64::from(*first), rest),
            (None, _) => *number = self.next_number(),
        }
    }

    /// Writes a number.
    pub fn put(&mut self, mut number: u64) {
        self.number(&mut number);
    }

    /// Reads a number.
    pub fn get(&mut self) -> u64 {
        let mut number = 0;
        self.number(&mut number);
        number
    }

    /// Sixteen evenly distributed bits, in the part for random bits.
    pub fn random16(&mut self, bits: &mut u16) {
        match (&mut self.written, self.random.split_first_chunk()) {
            (Some(content), _) => content.random.extend_from_slice(&bits.to_be_bytes()),
            (None, Some((next, rest))) => (*bits, self.random) = (u16::from_be_bytes(*next), rest),
            (None, None) => (*bits, self.failed) = (0, true),
        }
    }

    /// The number of rows: `rows`, or as read. `least`: the minimum bytes of a row; a number whose rows cannot fit fails.
    pub fn count(&mut self, rows: usize, least: usize) -> usize {
        let mut number = rows as u64;
        self.number(&mut number);
        if self.written.is_none() && number > MAX_ROWS.min(self.bytes.len() / least) as u64 {
            self.failed = true;
            return 0;
        }
        number as usize
    }

    /// A number that must be below 2^32.
    #[inline]
    pub fn small(&mut self, number: &mut u32) {
        let mut wide = u64::from(*number);
        self.number(&mut wide);
        *number = u32::try_from(wide).unwrap_or_else(|_| {
            self.fail();
            0
        });
    }

    /// `None` as 0, a number as one more.
    pub fn optional(&mut self, number: &mut Option<u64>) {
        let mut wide = number.map_or(0, |number| number.saturating_add(1));
        self.number(&mut wide);
        *number = wide.checked_sub(1);
    }

    /// A signed number, small ones of either sign in few bytes (zigzag).
    pub fn signed(&mut self, number: &mut i64) {
        let mut zigzag = (number.cast_unsigned() << 1) ^ (*number >> 63).cast_unsigned();
        self.number(&mut zigzag);
        *number = (zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed();
    }

    /// Days since 1970-01-01.
    pub fn date(&mut self, date: &mut Date) {
        let mut days = date.0.cast_unsigned();
        self.small(&mut days);
        *date = Date(days.cast_signed());
    }

    /// A byte, 1 or 0.
    pub fn flag(&mut self, flag: &mut bool) {
        let mut byte = u8::from(*flag);
        self.u8(&mut byte);
        *flag = byte == 1;
    }

    /// Whether a value is known, and in any case a value.
    pub fn known<T: Default>(&mut self, value: &mut Option<T>, code: impl FnOnce(&mut Codec<'a>, &mut T)) {
        let (mut is_known, mut known) = (value.is_some(), value.take().unwrap_or_default());
        self.flag(&mut is_known);
        code(self, &mut known);
        *value = is_known.then_some(known);
    }

    /// A length and text in UTF-8; anything else fails.
    pub fn text(&mut self, text: &mut String) {
        let mut length = text.len() as u64;
        self.number(&mut length);
        if let Some(content) = &mut self.written {
            content.bytes.extend_from_slice(text.as_bytes());
            return;
        }
        self.failed |= length > self.bytes.len() as u64;
        let (bytes, rest) = self.bytes.split_at(if self.failed { 0 } else { length as usize });
        self.bytes = rest;
        *text = String::from_utf8(bytes.to_vec()).unwrap_or_else(|_| {
            self.fail();
            String::new()
        });
    }

    /// One of several values, as its index in a list of all.
    pub fn one_of<T: Copy + PartialEq>(&mut self, value: &mut T, all: &[T]) {
        let mut at = all.iter().position(|known| known == value).unwrap_or(0) as u8;
        self.u8(&mut at);
        match all.get(usize::from(at)) {
            Some(known) => *value = *known,
            None => self.fail(),
        }
    }

    /// The number of rows, and these one after the other. `empty`: a row before it is read.
    pub fn rows<T: Clone>(
        &mut self,
        rows: &mut Vec<T>,
        empty: T,
        mut row: impl FnMut(&mut Codec<'a>, &mut T),
    ) {
        let count = self.count(rows.len(), 1);
        rows.resize(count, empty);
        rows.iter_mut().for_each(|fields| row(self, fields));
    }

    /// At most `most` rows up to the end of the section. Reads those before an invalid one.
    pub fn rest<T: Default>(
        &mut self,
        rows: &mut Vec<T>,
        most: usize,
        mut row: impl FnMut(&mut Codec<'a>, &mut T),
    ) {
        rows.iter_mut().take(most).for_each(|fields| row(self, fields));
        while !self.is_empty() && rows.len() < most {
            let mut fields = T::default();
            row(self, &mut fields);
            if self.failed {
                return;
            }
            rows.push(fields);
        }
    }
}

/// What `code` reads from bytes into `value`; `None` if they are invalid, or it does not read all of them.
pub fn decode<T>(bytes: &[u8], mut value: T, code: impl FnOnce(&mut Codec<'_>, &mut T)) -> Option<T> {
    let mut codec = Codec::reader(bytes);
    code(&mut codec, &mut value);
    codec.is_whole().then_some(value)
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
            let mut outer = outer.reader();
            prop_assert_eq!(outer.get(), 7);
            let (mut inner, mut read) = (outer.nested(), 0);
            inner.random16(&mut read);
            prop_assert_eq!((read, inner.get()), (bits, number));
            prop_assert!(inner.is_whole() && outer.is_whole());
            let fields = (number, signed, number.checked_sub(1), "text".to_string(), bits > 9, number as u32);
            fn code(codec: &mut Codec<'_>, fields: &mut (u64, i64, Option<u64>, String, bool, u32)) {
                let (number, signed, optional, text, flag, small) = fields;
                codec.number(number);
                codec.signed(signed);
                codec.optional(optional);
                codec.text(text);
                codec.flag(flag);
                codec.small(small);
            }
            let written = Content::of(|codec| code(codec, &mut fields.clone()));
            prop_assert_eq!(decode(&written.bytes, Default::default(), code), Some(fields));
        }

        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let mut reader = Codec::reader(&bytes);
            while !reader.failed {
                reader.get();
                reader.text(&mut String::new());
            }
            prop_assert!(reader.failed);
        }
    }
}
