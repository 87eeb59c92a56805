//! Numbers and text <-> bytes, the same on every machine. Reading never panics and never allocates by a number that was
//! read.

/// Appends numbers to bytes.
#[derive(Default)]
pub struct Writer {
    pub bytes: Vec<u8>,
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
}

/// Takes numbers from bytes. Past the end, and where a number does not fit, it gives 0 and remembers that it failed:
/// whoever reads asks once, at the end.
pub struct Reader<'a> {
    bytes: &'a [u8],
    failed: bool,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, failed: false }
    }

    /// Something that was asked for was not there.
    pub fn has_failed(&self) -> bool {
        self.failed
    }

    pub fn fail(&mut self) {
        self.failed = true;
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Bytes that were not read yet.
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
        fn numbers_come_back(number in any::<u64>(), signed in any::<i64>()) {
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
