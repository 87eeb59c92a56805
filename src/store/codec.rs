//! Numbers <-> bytes: big-endian and LEB128, the same on every machine. Reading never panics.

/// Why bytes could not be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed(pub &'static str);

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

    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// LEB128: seven bits a byte, least first.
    pub fn number(&mut self, number: u64) {
        self.wide(u128::from(number));
    }

    pub fn wide(&mut self, mut number: u128) {
        while number >= 0x80 {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }
}

pub struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes }
    }

    pub fn remaining(&self) -> usize {
        self.bytes.len()
    }

    pub fn u8(&mut self) -> Result<u8, Malformed> {
        let (first, rest) = self.bytes.split_first().ok_or(Malformed("it ends early"))?;
        self.bytes = rest;
        Ok(*first)
    }

    pub fn raw(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.bytes.split_at_checked(length).ok_or(Malformed("it ends early"))?;
        self.bytes = rest;
        Ok(taken)
    }

    pub fn number(&mut self) -> Result<u64, Malformed> {
        u64::try_from(self.wide()?).map_err(|_| Malformed("a number is too large"))
    }

    pub fn small(&mut self) -> Result<u32, Malformed> {
        u32::try_from(self.wide()?).map_err(|_| Malformed("a number is too large"))
    }

    pub fn wide(&mut self) -> Result<u128, Malformed> {
        let mut number = 0u128;
        for shift in (0..128).step_by(7) {
            let byte = self.u8()?;
            let part = u128::from(byte & 0x7f);
            if shift == 126 && part > 3 {
                break;
            }
            number |= part << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Malformed("a number is too large"))
    }

    /// A number of rows, each of which takes at least `least` bytes of what remains: no more
    /// can be allocated than was really read.
    pub fn rows(&mut self, least: usize) -> Result<usize, Malformed> {
        let rows = self.number()?;
        match usize::try_from(rows) {
            Ok(rows) if rows <= self.remaining() / least.max(1) => Ok(rows),
            _ => Err(Malformed("more rows than bytes")),
        }
    }
}

/// Bits after each other, the highest of a byte first.
#[derive(Default)]
pub struct BitWriter {
    bytes: Vec<u8>,
    /// Bits not yet in `bytes`, and how many: fewer than 32.
    bits: u64,
    length: u32,
}

impl BitWriter {
    pub fn new() -> BitWriter {
        BitWriter::default()
    }

    /// The lowest `length` (0..=32) bits of `bits`.
    pub fn put(&mut self, bits: u32, length: u32) {
        self.bits = self.bits << length | u64::from(bits);
        self.length += length;
        if self.length >= 32 {
            self.length -= 32;
            self.bytes.extend_from_slice(&((self.bits >> self.length) as u32).to_be_bytes());
        }
    }

    /// `number` ones and a zero.
    pub fn unary(&mut self, mut number: u32) {
        while number >= 16 {
            self.put(0xffff, 16);
            number -= 16;
        }
        self.put(((1 << number) - 1) << 1, number + 1);
    }

    pub fn finish(mut self) -> Vec<u8> {
        self.put(0, (8 - self.length % 8) % 8);
        while self.length > 0 {
            self.length -= 8;
            self.bytes.push((self.bits >> self.length) as u8);
        }
        self.bytes
    }
}

pub struct BitReader<'a> {
    bytes: &'a [u8],
    /// The next bits, the first of them highest, and how many.
    bits: u64,
    length: u32,
}

impl<'a> BitReader<'a> {
    pub fn new(bytes: &'a [u8]) -> BitReader<'a> {
        BitReader { bytes, bits: 0, length: 0 }
    }

    fn fill(&mut self) {
        while self.length <= 56
            && let Some((first, rest)) = self.bytes.split_first()
        {
            self.bits |= u64::from(*first) << (56 - self.length);
            self.length += 8;
            self.bytes = rest;
        }
    }

    fn pass(&mut self, length: u32) -> Result<(), Malformed> {
        self.length = self.length.checked_sub(length).ok_or(Malformed("it ends early"))?;
        self.bits = self.bits.checked_shl(length).unwrap_or(0);
        Ok(())
    }

    /// A number of `length` (0..=32) bits.
    pub fn take(&mut self, length: u32) -> Result<u32, Malformed> {
        self.fill();
        let bits = self.bits.checked_shr(64 - length.min(32)).unwrap_or(0);
        self.pass(length.min(32))?;
        Ok(bits as u32)
    }

    pub fn unary(&mut self) -> Result<u32, Malformed> {
        let mut number = 0;
        loop {
            self.fill();
            let ones = self.bits.leading_ones().min(self.length);
            number += ones;
            if ones < self.length {
                self.pass(ones + 1)?;
                return Ok(number);
            }
            self.pass(ones)?;
            if self.bytes.is_empty() {
                return Err(Malformed("it ends early"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_come_back(numbers in proptest::collection::vec(any::<u128>(), 0..20)) {
            let mut writer = Writer::new();
            numbers.iter().for_each(|number| writer.wide(*number));
            let mut reader = Reader::new(&writer.bytes);
            for number in numbers {
                prop_assert_eq!(reader.wide(), Ok(number));
            }
            prop_assert_eq!(reader.remaining(), 0);
        }

        #[test]
        fn bits_come_back(numbers in proptest::collection::vec((any::<u32>(), 0u32..33, 0u32..70), 0..50)) {
            let mut writer = BitWriter::new();
            for (bits, length, unary) in &numbers {
                writer.put((u64::from(*bits) & ((1u64 << length) - 1)) as u32, *length);
                writer.unary(*unary);
            }
            let bytes = writer.finish();
            let mut reader = BitReader::new(&bytes);
            for (bits, length, unary) in &numbers {
                prop_assert_eq!(reader.take(*length), Ok((u64::from(*bits) & ((1u64 << length) - 1)) as u32));
                prop_assert_eq!(reader.unary(), Ok(*unary));
            }
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let mut reader = Reader::new(&bytes);
            while reader.wide().is_ok() {}
            let mut reader = Reader::new(&bytes);
            let rows = reader.rows(3).unwrap_or(0);
            prop_assert!(rows * 3 <= bytes.len());
        }
    }
}
