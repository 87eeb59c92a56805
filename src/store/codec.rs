//! Numbers and text <-> bytes, the same on every machine. Reading never panics and never allocates by a number that was
//! read.

/// The two parts of a section: numbers, which are worth deflating, and evenly distributed bits, which are not and would
/// only spoil the numbers' Huffman codes.
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

impl From<Writer> for Content {
    fn from(Writer { bytes, random }: Writer) -> Content {
        Content { bytes, random }
    }
}

/// Appends numbers to bytes.
#[derive(Default)]
pub struct Writer {
    pub bytes: Vec<u8>,
    pub random: Vec<u8>,
}

impl Writer {
    pub fn new() -> Writer {
        Writer::default()
    }

    pub fn u8(&mut self, number: u8) {
        self.bytes.push(number);
    }

    /// LEB128: seven bits a byte, least significant first.
    #[inline]
    pub fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }

    /// `None` as 0, a number as one more.
    pub fn optional(&mut self, number: Option<u64>) {
        self.number(number.map_or(0, |number| number.saturating_add(1)));
    }

    /// A signed number, small ones of either sign in few bytes (zigzag).
    pub fn signed(&mut self, number: i64) {
        self.number((number.cast_unsigned() << 1) ^ (number >> 63).cast_unsigned());
    }

    /// A length and the bytes.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
    }

    /// Sixteen evenly distributed bits, beside the numbers.
    pub fn random16(&mut self, bits: u16) {
        self.random.extend_from_slice(&bits.to_be_bytes());
    }

    /// What `write` appends, behind `head` and the lengths of its numbers and random bits; nothing if it appends no
    /// numbers. It is written where it stays: a copy of it can be as large as a table.
    pub fn nested(&mut self, head: &[u8], write: impl FnOnce(&mut Writer)) {
        let (start, random_start) = (self.bytes.len(), self.random.len());
        write(self);
        let length = self.bytes.len() - start;
        if length == 0 {
            self.random.truncate(random_start);
            return;
        }
        let mut before = Writer { bytes: head.to_vec(), random: Vec::new() };
        before.number(length as u64);
        before.number((self.random.len() - random_start) as u64);
        self.bytes.splice(start..start, before.bytes);
    }
}

/// Takes numbers from bytes. Past the end, and where a number does not fit, it gives 0 and remembers that it failed:
/// the caller checks once, at the end.
pub struct Reader<'a> {
    bytes: &'a [u8],
    random: &'a [u8],
    failed: bool,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, random: &[], failed: false }
    }

    pub fn of(content: &'a Content) -> Reader<'a> {
        Reader { bytes: &content.bytes, random: &content.random, failed: false }
    }

    /// Something that was asked for was not there.
    pub fn has_failed(&self) -> bool {
        self.failed
    }

    /// Marks the data as invalid: all further reads give 0.
    pub fn fail(&mut self) {
        self.failed = true;
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.random.is_empty()
    }

    /// Bytes of numbers that were not read yet.
    pub fn left(&self) -> usize {
        self.bytes.len()
    }

    #[inline]
    pub fn u8(&mut self) -> u8 {
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

    /// LEB128, at most 10 bytes.
    #[inline]
    pub fn number(&mut self) -> u64 {
        let first = self.u8();
        if first < 0x80 {
            return first.into();
        }
        let mut number = u64::from(first & 0x7f);
        for shift in (7..64).step_by(7) {
            let byte = self.u8();
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                self.failed |= shift == 63 && byte > 1;
                return number;
            }
        }
        self.failed = true;
        0
    }

    /// A number that must be below 2^32.
    pub fn small(&mut self) -> u32 {
        u32::try_from(self.number()).unwrap_or_else(|_| {
            self.failed = true;
            0
        })
    }

    pub fn optional(&mut self) -> Option<u64> {
        self.number().checked_sub(1)
    }

    pub fn signed(&mut self) -> i64 {
        let number = self.number();
        (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
    }

    /// A number of items, each of at least one byte: never more than there are bytes left.
    pub fn items(&mut self) -> usize {
        let number = self.number();
        if number > self.bytes.len() as u64 {
            self.failed = true;
            return 0;
        }
        number as usize
    }

    pub fn raw(&mut self) -> &'a [u8] {
        let length = self.items();
        let (raw, rest) = self.bytes.split_at(length);
        self.bytes = rest;
        raw
    }

    /// Sixteen bits that [`Writer::random16`] wrote.
    pub fn random16(&mut self) -> u16 {
        match self.random.split_first_chunk() {
            Some((bits, rest)) => {
                self.random = rest;
                u16::from_be_bytes(*bits)
            }
            None => {
                self.failed = true;
                0
            }
        }
    }

    /// What [`Writer::nested`] wrote.
    pub fn nested(&mut self) -> Reader<'a> {
        let (length, random) = (self.number(), self.number());
        if length > self.bytes.len() as u64 || random > self.random.len() as u64 {
            self.failed = true;
            return Reader::new(&[]);
        }
        let (bytes, rest) = self.bytes.split_at(length as usize);
        let (random, random_rest) = self.random.split_at(random as usize);
        (self.bytes, self.random) = (rest, random_rest);
        Reader { bytes, random, failed: false }
    }

    /// Text in UTF-8; anything else fails.
    pub fn text(&mut self) -> String {
        let raw = self.raw().to_vec();
        String::from_utf8(raw).unwrap_or_else(|_| {
            self.failed = true;
            String::new()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_come_back(number in any::<u64>(), signed in any::<i64>(), bits in any::<u16>()) {
            let mut outer = Writer::new();
            outer.nested(b"none", |inner| inner.random16(bits));
            outer.nested(&[7], |inner| {
                inner.random16(bits);
                inner.number(number);
            });
            let outer = Content::from(outer);
            let mut outer = Reader::of(&outer);
            prop_assert_eq!(outer.u8(), 7);
            let mut inner = outer.nested();
            prop_assert_eq!((inner.random16(), inner.number()), (bits, number));
            prop_assert!(inner.is_empty() && outer.is_empty() && !inner.has_failed() && !outer.has_failed());
            let mut writer = Writer::new();
            writer.number(number);
            writer.signed(signed);
            writer.optional(number.checked_sub(1));
            writer.raw(b"text");
            let mut reader = Reader::new(&writer.bytes);
            prop_assert_eq!((reader.number(), reader.signed()), (number, signed));
            prop_assert_eq!((reader.optional(), reader.text()), (number.checked_sub(1), "text".to_string()));
            prop_assert!(reader.is_empty() && !reader.has_failed());
        }

        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let mut reader = Reader::new(&bytes);
            while !reader.has_failed() {
                reader.number();
                reader.text();
            }
            prop_assert!(reader.has_failed());
        }
    }
}
