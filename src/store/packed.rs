//! Numbers <-> few bytes: an adaptive binary range coder with a model for each column.
//!
//! Columns of counts are so short that a general compressor spends more on its tables than it gains. Here
//! each column learns from its own numbers, from the first one on: small numbers one by one, larger ones by
//! their length and two bits more; the other bits are as they come. Coder: Martin, "Range encoding" (1979),
//! with carries as in Igor Pavlov's LZMA. Bytes in a fixed order, the same on every machine.
//!
//! Takes columns and numbers, gives bytes, and the other way round. Reading never panics, and what is read
//! behind the end is told by [`Unpacker::is_beyond`].

/// Columns that can be told apart.
pub const COLUMNS: usize = 32;
/// A mask's bits, and a rank's steps, that are told apart.
const BITS: usize = 32;

/// Numbers of so many lengths, from four bits on, have models of their own for the bits behind the first.
const LENGTHS: usize = 32;

/// Probabilities have so many bits.
const SCALE: u32 = 15;
/// The range is never smaller between two bits.
const TOP: u32 = 1 << 24;
/// After so many bits a model weighs the latest like this many.
const MEMORY: u8 = 60;
/// 65,536 / (n + 1.5): how far the bit after n others moves a model.
const RATES: [u16; MEMORY as usize + 1] = {
    let mut rates = [0; MEMORY as usize + 1];
    let mut n = 0;
    while n < rates.len() {
        rates[n] = (131_072 / (2 * n as u32 + 3)) as u16;
        n += 1;
    }
    rates
};

/// How likely a bit is 0, and how many bits were seen.
#[derive(Clone, Copy)]
struct Model {
    zero: u16,
    seen: u8,
}

impl Model {
    const NEW: Model = Model { zero: 1 << (SCALE - 1), seen: 0 };

    /// The share of `range` that a 0 takes: at least one, and never all of it.
    fn bound(self, range: u32) -> u32 {
        (range >> SCALE) * u32::from(self.zero)
    }

    fn learn(&mut self, bit: bool) {
        let rate = i32::from(RATES[usize::from(self.seen)]);
        let (least, most) = (32, (1 << SCALE) - 32);
        let target = if bit { 0 } else { 1 << SCALE };
        let zero = i32::from(self.zero);
        self.zero = (zero + (((target - zero) * rate) >> 16)).clamp(least, most) as u16;
        self.seen = (self.seen + 1).min(MEMORY);
    }
}

/// The numbers of one column. Below 8 each has a place of its own; above, a length (4..=128 bits) and the two
/// bits behind the leading one.
#[derive(Clone)]
struct Column {
    large: Model,
    small: [Model; 8],
    length: [Model; 128],
    next: [[Model; 4]; LENGTHS],
    bits: [Model; BITS],
}

impl Column {
    const NEW: Column = Column {
        large: Model::NEW,
        small: [Model::NEW; 8],
        length: [Model::NEW; 128],
        next: [[Model::NEW; 4]; LENGTHS],
        bits: [Model::NEW; BITS],
    };
}

/// Each is made when it is needed: few are for a quiet day.
struct Columns(Box<[Option<Box<Column>>; COLUMNS]>);

impl Columns {
    fn new() -> Columns {
        Columns(Box::new([const { None }; COLUMNS]))
    }

    #[inline]
    fn get(&mut self, column: usize) -> &mut Column {
        self.0[column].get_or_insert_with(|| Box::new(Column::NEW))
    }
}

/// One coder for both ways, so that they cannot differ: the writer is told the bits, the reader finds them.
trait Coder {
    /// Codes a bit; `bit` is what a writer writes.
    fn bit(&mut self, model: &mut Model, bit: bool) -> bool;
    /// The lowest `length` (1..=8) bits, all equally likely.
    fn plain(&mut self, bits: u32, length: u32) -> u32;
    fn range(&mut self) -> &mut u32;
    /// Moves on by a byte.
    fn shift(&mut self);

    fn normalise(&mut self) {
        while *self.range() < TOP {
            *self.range() <<= 8;
            self.shift();
        }
    }

    /// A tree of models, the highest of `length` bits first.
    fn tree(&mut self, models: &mut [Model], length: u32, value: u32) -> u32 {
        let mut node = 1;
        for shift in (0..length).rev() {
            let bit = self.bit(&mut models[node], value >> shift & 1 != 0);
            node = node << 1 | usize::from(bit);
        }
        node as u32 - (1 << length)
    }

    fn number(&mut self, column: &mut Column, number: u128) -> u128 {
        if !self.bit(&mut column.large, number >= 8) {
            return self.tree(&mut column.small, 3, number as u32).into();
        }
        let length = 128 - number.leading_zeros();
        // 4..=128 as 1..=125, so that it has room in seven bits. A reader of anything may find others.
        let length = self.tree(&mut column.length, 7, length.saturating_sub(3)).clamp(1, 125) + 3;
        let mut rest = length - 3;
        let next = &mut column.next[(length as usize - 4).min(LENGTHS - 1)];
        let next = self.tree(next, 2, (number >> rest) as u32 & 3);
        let mut found = 4 | u128::from(next);
        while rest > 0 {
            let step = rest.min(8);
            rest -= step;
            let bits = (number >> rest) as u32 & ((1 << step) - 1);
            found = found << step | u128::from(self.plain(bits, step));
        }
        found
    }

    fn mask(&mut self, column: &mut Column, mask: u32, length: usize) -> u32 {
        let bits = column.bits.iter_mut().take(length).enumerate();
        bits.fold(0, |found, (place, model)| {
            found | u32::from(self.bit(model, mask >> place & 1 != 0)) << place
        })
    }

    /// A number that is mostly 0 or 1 and never large: at most 31.
    fn rank(&mut self, column: &mut Column, rank: u8) -> u8 {
        for (step, model) in column.bits.iter_mut().enumerate().take(BITS - 1) {
            if !self.bit(model, usize::from(rank) > step) {
                return step as u8;
            }
        }
        BITS as u8 - 1
    }
}

pub struct Packer {
    columns: Columns,
    writer: Bits,
}

struct Bits {
    bytes: Vec<u8>,
    low: u64,
    range: u32,
    /// The last byte, which a carry can still change, and how many 255 stand behind it.
    last: Option<u8>,
    full: usize,
}

impl Default for Packer {
    fn default() -> Packer {
        Packer::new()
    }
}

impl Packer {
    pub fn new() -> Packer {
        let writer = Bits { bytes: Vec::new(), low: 0, range: u32::MAX, last: None, full: 0 };
        Packer { columns: Columns::new(), writer }
    }

    pub fn number(&mut self, column: usize, number: u128) {
        self.writer.number(self.columns.get(column), number);
    }

    /// The lowest `length` (0..=32) bits, each of which has a model of its own.
    pub fn mask(&mut self, column: usize, mask: u32, length: usize) {
        self.writer.mask(self.columns.get(column), mask, length);
    }

    /// A number up to 31 that is mostly small.
    pub fn rank(&mut self, column: usize, rank: u8) {
        self.writer.rank(self.columns.get(column), rank);
    }

    /// As they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.writer.plain((*byte).into(), 8);
        }
    }

    pub fn finish(mut self) -> Vec<u8> {
        for _ in 0..5 {
            self.writer.shift();
        }
        self.writer.bytes
    }
}

impl Coder for Bits {
    fn range(&mut self) -> &mut u32 {
        &mut self.range
    }

    fn shift(&mut self) {
        if self.low < 0xff00_0000 || self.low > 0xffff_ffff {
            let carry = (self.low >> 32) as u8;
            self.bytes.extend(self.last.map(|last| last.wrapping_add(carry)));
            self.bytes.extend(std::iter::repeat_n(0xffu8.wrapping_add(carry), self.full));
            self.full = 0;
            self.last = Some((self.low >> 24) as u8);
        } else {
            self.full += 1;
        }
        self.low = (self.low & 0x00ff_ffff) << 8;
    }

    fn bit(&mut self, model: &mut Model, bit: bool) -> bool {
        let bound = model.bound(self.range);
        if bit {
            self.low += u64::from(bound);
            self.range -= bound;
        } else {
            self.range = bound;
        }
        model.learn(bit);
        self.normalise();
        bit
    }

    fn plain(&mut self, bits: u32, length: u32) -> u32 {
        self.range >>= length;
        self.low += u64::from(self.range) * u64::from(bits);
        self.normalise();
        bits
    }
}

pub struct Unpacker<'a> {
    columns: Columns,
    reader: Found<'a>,
}

struct Found<'a> {
    bytes: &'a [u8],
    code: u32,
    range: u32,
    /// How many bytes were read behind the end.
    beyond: usize,
}

impl<'a> Unpacker<'a> {
    pub fn new(bytes: &'a [u8]) -> Unpacker<'a> {
        let mut reader = Found { bytes, code: 0, range: u32::MAX, beyond: 0 };
        for _ in 0..4 {
            reader.shift();
        }
        Unpacker { columns: Columns::new(), reader }
    }

    pub fn number(&mut self, column: usize) -> u128 {
        self.reader.number(self.columns.get(column), 0)
    }

    pub fn mask(&mut self, column: usize, length: usize) -> u32 {
        self.reader.mask(self.columns.get(column), 0, length)
    }

    pub fn rank(&mut self, column: usize) -> u8 {
        self.reader.rank(self.columns.get(column), 0)
    }

    /// `None`: there are not so many.
    pub fn bytes(&mut self, length: usize) -> Option<Vec<u8>> {
        let left = self.reader.bytes.len() + 4;
        (length <= left).then(|| (0..length).map(|_| self.reader.plain(0, 8) as u8).collect())
    }

    /// More was read than there is: what was read last means nothing.
    pub fn is_beyond(&self) -> bool {
        self.reader.beyond > 0
    }

    /// Everything was read.
    pub fn is_at_end(&self) -> bool {
        self.reader.bytes.is_empty() && !self.is_beyond()
    }
}

impl Coder for Found<'_> {
    fn range(&mut self) -> &mut u32 {
        &mut self.range
    }

    fn shift(&mut self) {
        let next = match self.bytes.split_first() {
            Some((first, rest)) => {
                self.bytes = rest;
                *first
            }
            None => {
                self.beyond += 1;
                0
            }
        };
        self.code = self.code << 8 | u32::from(next);
    }

    fn bit(&mut self, model: &mut Model, _: bool) -> bool {
        let bound = model.bound(self.range);
        let bit = self.code >= bound;
        if bit {
            self.code -= bound;
            self.range -= bound;
        } else {
            self.range = bound;
        }
        model.learn(bit);
        self.normalise();
        bit
    }

    fn plain(&mut self, _: u32, length: u32) -> u32 {
        self.range >>= length;
        let bits = (self.code / self.range).min((1 << length) - 1);
        self.code = self.code.wrapping_sub(bits.wrapping_mul(self.range));
        self.normalise();
        bits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Item {
        Number(usize, u128),
        Mask(usize, u32, usize),
        Rank(usize, u8),
        Bytes(Vec<u8>),
    }

    fn item() -> impl Strategy<Value = Item> {
        let column = 0..COLUMNS;
        prop_oneof![
            (column.clone(), any::<u128>(), 0u32..128)
                .prop_map(|(column, number, shift)| Item::Number(column, number >> shift)),
            (column.clone(), any::<u32>(), 0usize..33).prop_map(|(column, mask, length)| {
                Item::Mask(column, (u64::from(mask) & ((1 << length) - 1)) as u32, length)
            }),
            (column, 0u8..32).prop_map(|(column, rank)| Item::Rank(column, rank)),
            proptest::collection::vec(any::<u8>(), 0..9).prop_map(Item::Bytes),
        ]
    }

    fn pack(items: &[Item]) -> Vec<u8> {
        let mut packer = Packer::new();
        for item in items {
            match *item {
                Item::Bytes(ref bytes) => packer.bytes(bytes),
                Item::Number(column, number) => packer.number(column, number),
                Item::Mask(column, mask, length) => packer.mask(column, mask, length),
                Item::Rank(column, rank) => packer.rank(column, rank),
            }
        }
        packer.finish()
    }

    proptest! {
        #[test]
        fn what_was_packed_comes_back(items in proptest::collection::vec(item(), 0..300)) {
            let bytes = pack(&items);
            let mut unpacker = Unpacker::new(&bytes);
            for item in &items {
                match *item {
                    Item::Bytes(ref bytes) => prop_assert_eq!(unpacker.bytes(bytes.len()), Some(bytes.clone())),
                    Item::Number(column, number) => prop_assert_eq!(unpacker.number(column), number),
                    Item::Mask(column, mask, length) => prop_assert_eq!(unpacker.mask(column, length), mask),
                    Item::Rank(column, rank) => prop_assert_eq!(unpacker.rank(column), rank),
                }
            }
            prop_assert!(unpacker.is_at_end());
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let mut unpacker = Unpacker::new(&bytes);
            for turn in 0..200 {
                unpacker.number(turn % COLUMNS);
                unpacker.mask(turn % COLUMNS, 32);
                unpacker.rank(turn % COLUMNS);
                unpacker.bytes(turn);
            }
        }
    }

    #[test]
    fn carries_go_through() {
        // Numbers whose bits are all ones push `low` against its upper end.
        let items: Vec<Item> =
            (0..5000).map(|turn| Item::Number(turn % 3, u128::MAX >> (turn * 7 % 125))).collect();
        let bytes = pack(&items);
        let mut unpacker = Unpacker::new(&bytes);
        for item in &items {
            let Item::Number(column, number) = *item else { unreachable!() };
            assert_eq!(unpacker.number(column), number);
        }
        assert!(unpacker.is_at_end());
    }

    #[test]
    fn what_repeats_takes_nearly_nothing() {
        let bytes = pack(&vec![Item::Number(0, 0); 10_000]);
        assert!(bytes.len() < 80, "{}", bytes.len());
        // A thousand numbers of six random bits take six bits each, and a little more.
        let mut random = 1u32;
        let mut next = || {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            random >> 26
        };
        let items: Vec<Item> = (0..1000).map(|_| Item::Number(0, next().into())).collect();
        let bytes = pack(&items);
        assert!((740..800).contains(&bytes.len()), "{}", bytes.len());
    }

    #[test]
    fn the_bytes_are_the_same_on_every_machine() {
        let items =
            [Item::Number(3, 5), Item::Number(3, 1_000_000), Item::Mask(1, 0b101, 3), Item::Rank(2, 4)];
        assert_eq!(pack(&items), [93, 180, 105, 160, 30, 139, 0, 0, 0]);
    }

    #[test]
    fn the_end_is_told() {
        let bytes = pack(&[Item::Number(0, 123_456_789), Item::Number(0, 123_456_789)]);
        let mut unpacker = Unpacker::new(&bytes[..bytes.len() - 5]);
        unpacker.number(0);
        unpacker.number(0);
        assert!(unpacker.is_beyond());
        assert!(!Unpacker::new(&bytes).is_at_end());
    }
}
