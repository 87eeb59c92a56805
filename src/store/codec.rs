//! Numbers <-> bytes, plain or packed, the same on every machine. Reading never panics.

use super::deflate::Deflater;
use super::format::{Payload, PayloadForm};
use super::packed::{Packer, Unpacker};

/// Why bytes could not be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed(pub &'static str);

/// What the numbers that follow are: in packed bytes each column has its own statistics.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Column {
    Totals,
    Hours,
    Protocols,
    Marks,
    Floors,
    Unique,
    Hashes,
    Ranks,
    Services,
    ServiceAttempts,
    ServiceUnique,
    ServiceHours,
    Addresses,
    SourceAttempts,
    SourceServices,
    First,
    Last,
    SourceHours,
    PairServices,
    PairSources,
    PairAttempts,
    Errors,
    Missing,
    Countries,
    CountryAttempts,
    CountryUnique,
    CountryServices,
    Sample,
    ServiceRanks,
    FineRanks,
    ShortHashes,
    Tried,
}

/// Numbers one after the other, in one of two forms.
pub struct Writer {
    form: Form,
    column: Column,
    scratch: bool,
}

enum Form {
    /// LEB128, quick to write and read.
    Plain(Vec<u8>),
    /// The same, deflated as it comes.
    Deflated(Deflater),
    /// See [`super::packed`]: a third of the room.
    Packed(Packer),
}

impl Writer {
    fn new(form: Form) -> Writer {
        Writer { form, column: Column::Totals, scratch: false }
    }

    /// For what is read again by the same process, and never kept: plain, as quick to write and to read as can be.
    /// `memory` is written over.
    pub fn scratch(mut memory: Vec<u8>) -> Writer {
        memory.clear();
        Writer { scratch: true, ..Writer::new(Form::Plain(memory)) }
    }

    pub fn plain() -> Writer {
        Writer::new(Form::Plain(Vec::new()))
    }

    pub fn packed() -> Writer {
        Writer::new(Form::Packed(Packer::new()))
    }

    pub fn deflated() -> Writer {
        Writer::new(Form::Deflated(Deflater::new()))
    }

    pub fn is_scratch(&self) -> bool {
        self.scratch
    }

    /// The numbers that follow belong to this column.
    pub fn column(&mut self, column: Column) {
        self.column = column;
    }

    pub fn u8(&mut self, number: u8) {
        match &mut self.form {
            Form::Plain(bytes) | Form::Deflated(Deflater { pending: bytes, .. }) => bytes.push(number),
            Form::Packed(packer) => packer.number(self.column as usize, number.into()),
        }
    }

    /// Bytes that can't be packed any further.
    pub fn raw(&mut self, bytes: &[u8]) {
        match &mut self.form {
            Form::Plain(all) => all.extend_from_slice(bytes),
            Form::Deflated(deflater) => {
                deflater.pending.extend_from_slice(bytes);
                deflater.spill();
            }
            Form::Packed(packer) => packer.bytes(bytes),
        }
    }

    /// Plain in LEB128: seven bits a byte, least first.
    #[inline]
    pub fn number(&mut self, number: u64) {
        match &mut self.form {
            // Most are small.
            Form::Plain(bytes) if number < 0x80 => bytes.push(number as u8),
            _ => self.wide(u128::from(number)),
        }
    }

    pub fn wide(&mut self, mut number: u128) {
        match &mut self.form {
            Form::Plain(bytes) | Form::Deflated(Deflater { pending: bytes, .. }) => {
                while number >= 0x80 {
                    bytes.push(number as u8 | 0x80);
                    number >>= 7;
                }
                bytes.push(number as u8);
                if let Form::Deflated(deflater) = &mut self.form {
                    deflater.spill();
                }
            }
            Form::Packed(packer) => packer.number(self.column as usize, number),
        }
    }

    /// The lowest `length` (0..=32) bits.
    pub fn mask(&mut self, mask: u32, length: usize) {
        match &mut self.form {
            Form::Plain(_) | Form::Deflated(_) => self.number(mask.into()),
            Form::Packed(packer) => packer.mask(self.column as usize, mask, length),
        }
    }

    /// Small numbers, at most 31 each.
    pub fn ranks(&mut self, ranks: &[u8]) {
        match &mut self.form {
            Form::Plain(_) | Form::Deflated(_) => self.raw(ranks),
            Form::Packed(packer) => ranks.iter().for_each(|rank| packer.rank(self.column as usize, *rank)),
        }
    }

    pub fn finish(self) -> Payload {
        match self.form {
            Form::Plain(bytes) => bytes.into(),
            Form::Deflated(deflater) => {
                let (bytes, raw) = deflater.finish();
                Payload { bytes, form: PayloadForm::Deflated { raw } }
            }
            Form::Packed(packer) => Payload { bytes: packer.finish(), form: PayloadForm::Packed },
        }
    }
}

pub struct Reader<'a> {
    form: ReadForm<'a>,
    column: Column,
}

enum ReadForm<'a> {
    Plain(&'a [u8]),
    Packed(Unpacker<'a>),
}

const ENDS_EARLY: Malformed = Malformed("it ends early");
const TOO_LARGE: Malformed = Malformed("a number is too large");

impl<'a> Reader<'a> {
    pub fn plain(bytes: &'a [u8]) -> Reader<'a> {
        Reader { form: ReadForm::Plain(bytes), column: Column::Totals }
    }

    /// What a deflated payload holds is only read from its file.
    pub fn of(payload: &'a Payload) -> Reader<'a> {
        match payload.form {
            PayloadForm::Packed => Reader::packed(&payload.bytes),
            PayloadForm::Plain => Reader::plain(&payload.bytes),
            PayloadForm::Deflated { .. } => Reader::plain(&[]),
        }
    }

    pub fn packed(bytes: &'a [u8]) -> Reader<'a> {
        Reader { form: ReadForm::Packed(Unpacker::new(bytes)), column: Column::Totals }
    }

    pub fn column(&mut self, column: Column) {
        self.column = column;
    }

    pub fn is_at_end(&self) -> bool {
        match &self.form {
            ReadForm::Plain(bytes) => bytes.is_empty(),
            ReadForm::Packed(unpacker) => unpacker.is_at_end(),
        }
    }

    pub fn u8(&mut self) -> Result<u8, Malformed> {
        match &mut self.form {
            ReadForm::Plain(bytes) => {
                let (first, rest) = bytes.split_first().ok_or(ENDS_EARLY)?;
                *bytes = rest;
                Ok(*first)
            }
            ReadForm::Packed(_) => u8::try_from(self.wide()?).map_err(|_| TOO_LARGE),
        }
    }

    pub fn raw(&mut self, length: usize) -> Result<Vec<u8>, Malformed> {
        match &mut self.form {
            ReadForm::Plain(bytes) => {
                let (taken, rest) = bytes.split_at_checked(length).ok_or(ENDS_EARLY)?;
                *bytes = rest;
                Ok(taken.to_vec())
            }
            ReadForm::Packed(unpacker) => unpacker.bytes(length).ok_or(ENDS_EARLY),
        }
    }

    pub fn number(&mut self) -> Result<u64, Malformed> {
        u64::try_from(self.wide()?).map_err(|_| TOO_LARGE)
    }

    pub fn small(&mut self) -> Result<u32, Malformed> {
        u32::try_from(self.wide()?).map_err(|_| TOO_LARGE)
    }

    pub fn wide(&mut self) -> Result<u128, Malformed> {
        if let ReadForm::Packed(unpacker) = &mut self.form {
            let number = unpacker.number(self.column as usize);
            return if unpacker.is_beyond() { Err(ENDS_EARLY) } else { Ok(number) };
        }
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
        Err(TOO_LARGE)
    }

    /// A number of `length` (0..=32) bits.
    pub fn mask(&mut self, length: usize) -> Result<u32, Malformed> {
        let ReadForm::Packed(unpacker) = &mut self.form else {
            let mask = self.small()?;
            return if u64::from(mask) >> length == 0 { Ok(mask) } else { Err(TOO_LARGE) };
        };
        let mask = unpacker.mask(self.column as usize, length);
        if unpacker.is_beyond() { Err(ENDS_EARLY) } else { Ok(mask) }
    }

    /// Fills `ranks` with small numbers.
    pub fn ranks(&mut self, ranks: &mut [u8]) -> Result<(), Malformed> {
        let ReadForm::Packed(unpacker) = &mut self.form else {
            ranks.copy_from_slice(&self.raw(ranks.len())?);
            return Ok(());
        };
        ranks.iter_mut().for_each(|rank| *rank = unpacker.rank(self.column as usize));
        if unpacker.is_beyond() { Err(ENDS_EARLY) } else { Ok(()) }
    }

    /// A number of rows: no more than a table of an open day can have, and plain no more than there are
    /// bytes if each takes at least `least` of them. So little more is allocated than was really read.
    pub fn rows(&mut self, least: usize) -> Result<usize, Malformed> {
        let rows = usize::try_from(self.number()?).unwrap_or(usize::MAX);
        let most = match &self.form {
            ReadForm::Plain(bytes) => bytes.len() / least.max(1),
            ReadForm::Packed(_) => MOST_ROWS,
        };
        if rows <= most { Ok(rows) } else { Err(Malformed("more rows than there can be")) }
    }
}

/// No table has more rows.
const MOST_ROWS: usize = 1 << 16;

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
    #[inline]
    pub fn put(&mut self, bits: u32, length: u32) {
        self.bits = self.bits << length | u64::from(bits);
        self.length += length;
        if self.length >= 32 {
            self.length -= 32;
            self.bytes.extend_from_slice(&((self.bits >> self.length) as u32).to_be_bytes());
        }
    }

    /// `number` ones and a zero.
    #[inline]
    pub fn unary(&mut self, mut number: u32) {
        while number >= 16 {
            self.put(0xffff, 16);
            number -= 16;
        }
        self.put(((1 << number) - 1) << 1, number + 1);
    }

    /// The same for four numbers, which are mostly small.
    #[inline]
    pub fn four_unary(&mut self, numbers: [u32; 4]) {
        let length = numbers.iter().sum::<u32>() + 4;
        if length > 32 {
            return numbers.into_iter().for_each(|number| self.unary(number));
        }
        // Ones all along, but for each number's end.
        let mut bits = u64::MAX;
        for number in numbers {
            bits = bits << (number + 1) | ((1 << (number + 1)) - 2);
        }
        self.put((bits & ((1 << length) - 1)) as u32, length);
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

    #[inline]
    fn fill(&mut self) {
        if let Some(word) = self.bytes.first_chunk::<8>() {
            let taken = (64 - self.length) / 8;
            // Bits of a byte that is not taken as a whole come again, the same.
            self.bits |= u64::from_be_bytes(*word).checked_shr(self.length).unwrap_or(0);
            self.length += taken * 8;
            self.bytes = &self.bytes[taken as usize..];
            return;
        }
        while self.length <= 56
            && let Some((first, rest)) = self.bytes.split_first()
        {
            self.bits |= u64::from(*first) << (56 - self.length);
            self.length += 8;
            self.bytes = rest;
        }
    }

    #[inline]
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

    #[inline]
    pub fn unary(&mut self) -> Result<u32, Malformed> {
        let mut number = 0;
        loop {
            if self.length < 32 {
                self.fill();
            }
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
        fn numbers_come_back(numbers in proptest::collection::vec((any::<u128>(), 0u32..32), 0..20)) {
            for mut writer in [Writer::plain(), Writer::packed()] {
                for (number, bits) in &numbers {
                    writer.column(Column::Services);
                    writer.wide(*number >> bits);
                    writer.column(Column::Hours);
                    writer.mask((*number as u32) >> bits, 32);
                    writer.u8(*bits as u8);
                }
                let bytes = writer.finish();
                let mut reader = Reader::of(&bytes);
                for (number, bits) in &numbers {
                    reader.column(Column::Services);
                    prop_assert_eq!(reader.wide(), Ok(*number >> bits));
                    reader.column(Column::Hours);
                    prop_assert_eq!(reader.mask(32), Ok((*number as u32) >> bits));
                    prop_assert_eq!(reader.u8(), Ok(*bits as u8));
                }
                prop_assert!(reader.is_at_end());
            }
        }

        #[test]
        fn bits_come_back(numbers in proptest::collection::vec((any::<u32>(), 0u32..33, 0u32..70), 0..50)) {
            let mut writer = BitWriter::new();
            for (bits, length, unary) in &numbers {
                writer.put((u64::from(*bits) & ((1u64 << length) - 1)) as u32, *length);
                writer.unary(*unary);
                writer.four_unary([*unary, *length, 0, unary / 8]);
            }
            let bytes = writer.finish();
            let mut reader = BitReader::new(&bytes);
            for (bits, length, unary) in &numbers {
                prop_assert_eq!(reader.take(*length), Ok((u64::from(*bits) & ((1u64 << length) - 1)) as u32));
                for number in [*unary, *unary, *length, 0, unary / 8] {
                    prop_assert_eq!(reader.unary(), Ok(number));
                }
            }
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let mut reader = Reader::plain(&bytes);
            while reader.wide().is_ok() {}
            let rows = Reader::plain(&bytes).rows(3).unwrap_or(0);
            prop_assert!(rows * 3 <= bytes.len());
            let mut reader = Reader::packed(&bytes);
            // Bytes end, however little of them a number takes.
            let numbers = (0..10_000_000).take_while(|_| reader.number().is_ok()).count();
            prop_assert!(numbers < 10_000_000);
            prop_assert!(Reader::packed(&bytes).rows(3).unwrap_or(0) <= MOST_ROWS);
        }
    }
}
