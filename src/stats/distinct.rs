//! How many different: exact for small sets, HyperLogLog beyond.
//!
//! Flajolet, Fusy, Gandouet, Meunier: "HyperLogLog" (2007), with the estimator of Ertl: "New
//! cardinality estimation algorithms for HyperLogLog sketches" (2017), which needs no bias tables.
//! 2^14 registers give a standard error of 0.81 %. The hash is fixed: sketches of two routers or
//! two days can be joined.

use crate::event::Address;

use super::heavy::mix;

/// Registers of a sketch, and of one that was folded to take less room (a standard error of 1.6 %).
pub const REGISTERS: usize = 1 << 14;
pub const FOLDED_REGISTERS: usize = 1 << 12;
/// Registers of one service's sources on a day or in a month that is over: a standard error of 6.5 %, and of 3.3 %
/// where few of them are set.
pub const SERVICE_REGISTERS: usize = 1 << 8;
pub const FINE_REGISTERS: usize = 1 << 10;
/// So many are few.
const MOST_FINE: usize = 48;
/// A short hash has its highest 20 bits and then this one: two of 300 sources share one once in 20 times.
const SHORT: u32 = 1 << 11;
/// Up to so many hashes are kept themselves: joins of small sets stay exact.
pub const MOST_EXACT: usize = 512;
/// Up to so many hashes are stored where room matters: more take more of it than registers do.
pub const FEW: usize = 16;
/// One more than the largest rank.
const RANKS: usize = largest_rank(SERVICE_REGISTERS) as usize + 1;

/// The largest rank in so many registers: a hash has 32 bits, of which the first choose the register.
const fn largest_rank(registers: usize) -> u8 {
    (33 - registers.ilog2()) as u8
}

/// A set of addresses of which only its size can be asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Sketch {
    /// Sorted, different hashes.
    Exact(Vec<u32>),
    /// One rank (0..=19, or more where there are fewer registers) a register.
    Registers(Box<[u8]>),
}

#[inline]
pub fn hash(address: Address) -> u32 {
    let once = mix(address.high, address.low, 0x5bd1_e995_7f4a_7c15);
    (mix(once, once.rotate_left(29), 0xa076_1d64_78bd_642f) >> 32) as u32
}

impl Default for Sketch {
    fn default() -> Sketch {
        Sketch::Exact(Vec::new())
    }
}

impl Sketch {
    pub fn new() -> Sketch {
        Sketch::default()
    }

    #[inline]
    pub fn add(&mut self, address: Address) {
        self.add_hash(hash(address));
    }

    #[inline]
    pub fn add_hash(&mut self, hash: u32) {
        match self {
            Sketch::Registers(registers) => raise(registers, hash),
            Sketch::Exact(hashes) => {
                if let Err(place) = hashes.binary_search(&hash) {
                    hashes.insert(place, hash);
                    if hashes.len() > MOST_EXACT {
                        *self = Sketch::Registers(to_registers(hashes, REGISTERS));
                    }
                }
            }
        }
    }

    pub fn add_all(&mut self, addresses: impl IntoIterator<Item = Address>) {
        let mut hashes = addresses.into_iter().map(hash);
        if let Sketch::Exact(known) = self {
            // Sorted all at once: each of many would have to move those behind it.
            loop {
                let before = known.len();
                known.extend(hashes.by_ref().take(MOST_EXACT));
                if known.len() == before {
                    return;
                }
                known.sort_unstable();
                known.dedup();
                if known.len() > MOST_EXACT {
                    break;
                }
            }
            *self = Sketch::Registers(to_registers(known, REGISTERS));
        }
        if let Sketch::Registers(registers) = self {
            // Nearly all sketches have the usual number of registers.
            match registers.first_chunk_mut::<REGISTERS>() {
                Some(registers) => hashes.for_each(|hash| raise(registers, hash)),
                None => hashes.for_each(|hash| raise(registers, hash)),
            }
        }
    }

    pub fn clear(&mut self) {
        *self = Sketch::new();
    }

    /// Makes `self` the union of both.
    pub fn join(&mut self, other: &Sketch) {
        match other {
            Sketch::Exact(hashes) => hashes.iter().for_each(|&hash| self.add_hash(hash)),
            Sketch::Registers(theirs) => {
                if let Sketch::Exact(hashes) = self {
                    *self = Sketch::Registers(to_registers(hashes, theirs.len()));
                }
                let mut folded = None;
                if let Sketch::Registers(ours) = self {
                    // The coarser of both sets the precision.
                    if ours.len() > theirs.len() {
                        *ours = fold(ours, theirs.len());
                    } else if ours.len() < theirs.len() {
                        folded = Some(fold(theirs, ours.len()));
                    }
                    let theirs = folded.as_ref().unwrap_or(theirs);
                    ours.iter_mut().zip(theirs.iter()).for_each(|(our, their)| *our = (*our).max(*their));
                }
            }
        }
    }

    /// The number of different addresses.
    pub fn estimate(&self) -> u64 {
        match self {
            Sketch::Exact(hashes) => hashes.len() as u64,
            Sketch::Registers(registers) => estimate(registers),
        }
    }

    /// Has at most so many registers from now on. Few hashes stay exact.
    pub fn fold(&mut self, to: usize) {
        if let Sketch::Registers(registers) = self
            && registers.len() > to
        {
            *registers = fold(registers, to);
        }
    }

    /// The form that is stored: so many registers at most, and no registers for so few hashes.
    pub fn store(&mut self, registers: usize, exact: usize) {
        match self {
            Sketch::Exact(hashes) if hashes.len() > exact => {
                *self = Sketch::Registers(to_registers(hashes, registers));
            }
            sketch => sketch.fold(registers),
        }
    }

    /// The form that is stored of one service's sources: few short hashes, or few registers. Such sketches join each
    /// other; a whole hash must not be added to short ones.
    pub fn store_small(&mut self) {
        self.store(FINE_REGISTERS, FEW);
        match self {
            Sketch::Exact(hashes) => {
                hashes.iter_mut().for_each(|hash| *hash = *hash & !(2 * SHORT - 1) | SHORT);
                hashes.dedup();
            }
            Sketch::Registers(registers) => {
                if registers.iter().filter(|rank| **rank > 0).count() > MOST_FINE {
                    self.fold(SERVICE_REGISTERS);
                }
            }
        }
    }

    /// In the form that [`Sketch::store_small`] gives.
    pub fn is_small(&self) -> bool {
        match self {
            Sketch::Exact(_) => self.short_hashes().is_some(),
            Sketch::Registers(registers) => registers.len() <= FINE_REGISTERS,
        }
    }

    /// The short hashes behind each other as numbers, if they are all short.
    pub fn short_hashes(&self) -> Option<impl Iterator<Item = u32>> {
        let Sketch::Exact(hashes) = self else { return None };
        let short = hashes.len() <= FEW && hashes.iter().all(|hash| hash % (2 * SHORT) == SHORT);
        short.then(|| hashes.iter().map(|hash| hash / (2 * SHORT)))
    }

    /// Made of such numbers; `None` unless they are possible.
    pub fn from_short_hashes(numbers: Vec<u32>) -> Option<Sketch> {
        let valid = numbers.len() <= FEW
            && numbers.windows(2).all(|pair| pair[0] < pair[1])
            && numbers.iter().all(|number| *number <= u32::MAX / (2 * SHORT));
        valid.then(|| Sketch::Exact(numbers.iter().map(|number| number * 2 * SHORT + SHORT).collect()))
    }

    /// Registers as read from a file; `None` unless their number and ranks are possible.
    pub fn from_registers(registers: Vec<u8>) -> Option<Sketch> {
        let valid =
            matches!(registers.len(), REGISTERS | FOLDED_REGISTERS | FINE_REGISTERS | SERVICE_REGISTERS)
                && registers.iter().fold(0, |most, &rank| most.max(rank)) <= largest_rank(registers.len());
        valid.then(|| Sketch::Registers(registers.into_boxed_slice()))
    }
}

fn to_registers(hashes: &[u32], number: usize) -> Box<[u8]> {
    let mut registers = vec![0u8; number].into_boxed_slice();
    hashes.iter().for_each(|&hash| raise(&mut registers, hash));
    registers
}

#[inline(always)]
fn raise(registers: &mut [u8], hash: u32) {
    let precision = registers.len().ilog2();
    let register = (hash >> (32 - precision)) as usize;
    // The marker bit stops the count of zeros at the hash's end.
    let rank = ((hash << precision) | 1 << (precision - 1)).leading_zeros() as u8 + 1;
    // Not only where it is larger: nobody can guess where.
    registers[register] = registers[register].max(rank);
}

/// Several registers become one: the bits that told them apart now belong to the rank, so that the first that is set
/// has the largest.
fn fold(registers: &[u8], to: usize) -> Box<[u8]> {
    let bits = (registers.len() / to).ilog2() as u8;
    let rank = |group: &[u8]| match group.iter().position(|rank| *rank > 0) {
        None => 0,
        Some(0) => group[0] + bits,
        Some(place) => bits - place.ilog2() as u8,
    };
    registers.chunks_exact(1 << bits).map(rank).collect()
}

fn estimate(registers: &[u8]) -> u64 {
    let last = usize::from(largest_rank(registers.len()));
    // Four counts of each rank: neighbours are often alike, and adding to the same count again has to wait.
    let mut counts = [[0u32; RANKS]; 4];
    for four in registers.as_chunks::<4>().0 {
        for (count, rank) in counts.iter_mut().zip(four) {
            count[usize::from(*rank).min(last)] += 1;
        }
    }
    let multiplicity: [u32; RANKS] = std::array::from_fn(|rank| counts.iter().map(|count| count[rank]).sum());
    let m = registers.len() as f64;
    let mut z = m * tau(1.0 - f64::from(multiplicity[last]) / m);
    for rank in (1..last).rev() {
        z = 0.5 * (z + f64::from(multiplicity[rank]));
    }
    z += m * sigma(f64::from(multiplicity[0]) / m);
    let raw = m * m / (2.0 * std::f64::consts::LN_2 * z);
    // Different addresses that share one of the 2^32 hashes count once: put them back.
    let hashes = 4_294_967_296.0;
    if raw < hashes { (-hashes * libm::log1p(-raw / hashes)).round() as u64 } else { u64::from(u32::MAX) }
}

fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if z == before {
            return z / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(range: std::ops::Range<u32>) -> Sketch {
        let mut sketch = Sketch::new();
        range.for_each(|number| sketch.add(Address::v4(number.wrapping_mul(2_654_435_761))));
        sketch
    }

    #[test]
    fn small_sets_are_exact_and_large_ones_within_two_percent() {
        for size in [0, 1, 7, 512, 513, 2_000, 16_384, 100_000, 1_000_000, 10_000_000] {
            let estimate = filled(0..size).estimate() as f64;
            let size = f64::from(size);
            let allowed = if size <= MOST_EXACT as f64 { 0.0 } else { 0.02 };
            assert!((estimate - size).abs() <= allowed * size, "{size}: {estimate}");
        }
    }

    #[test]
    fn many_at_once_are_as_one_after_the_other() {
        let address = |number: u32| Address::v4((number % 3000).wrapping_mul(2_654_435_761));
        for before in [0, 1, 400, 512, 513, 3000] {
            for more in [0, 1, 100, 511, 512, 513, 1024, 1025, 6000] {
                let (mut one, mut all) = (filled(0..before), filled(0..before));
                (200..200 + more).for_each(|number| one.add(address(number)));
                all.add_all((200..200 + more).map(address));
                assert_eq!(one, all, "{before} and {more}");
            }
        }
        let mut coarse = filled(0..5000);
        coarse.fold(SERVICE_REGISTERS);
        let mut all = coarse.clone();
        (0..9000).for_each(|number| coarse.add(address(number)));
        all.add_all((0..9000).map(address));
        assert_eq!(coarse, all);
    }

    #[test]
    fn a_join_is_the_sketch_of_both() {
        for (a, b) in [(0..100, 50..200), (0..400, 300..900), (0..5_000, 10..20), (0..9_000, 8_000..20_000)] {
            let mut joined = filled(a.clone());
            joined.join(&filled(b.clone()));
            let mut both = filled(a);
            b.for_each(|number| both.add(Address::v4(number.wrapping_mul(2_654_435_761))));
            assert_eq!(joined, both);
        }
    }

    #[test]
    fn folding_is_as_if_it_had_been_coarse_from_the_start() {
        let sizes = [513u32, 5_000, 100_000].into_iter();
        let cases = sizes.flat_map(|size| [(size, FOLDED_REGISTERS, 0.05), (size, SERVICE_REGISTERS, 0.13)]);
        for (size, registers, error) in cases {
            let mut folded = filled(0..size);
            folded.fold(registers);
            let mut coarse = Sketch::Registers(vec![0; registers].into_boxed_slice());
            (0..size).for_each(|number| coarse.add(Address::v4(number.wrapping_mul(2_654_435_761))));
            assert_eq!(folded, coarse, "{size}");
            assert!((folded.estimate() as f64 / f64::from(size) - 1.0).abs() < error, "{size}");
            // Fine and coarse join to coarse, either way round.
            let (mut one, mut other) = (filled(0..size), folded.clone());
            one.join(&folded);
            other.join(&filled(0..size));
            assert_eq!((&one, &other), (&folded, &folded));
        }
    }

    #[test]
    fn impossible_registers_are_refused() {
        assert!(Sketch::from_registers(vec![0; REGISTERS - 1]).is_none());
        assert!(Sketch::from_registers(vec![20; REGISTERS]).is_none());
        assert!(Sketch::from_registers(vec![22; FOLDED_REGISTERS]).is_none());
        assert!(Sketch::from_registers(vec![19; REGISTERS]).unwrap().estimate() > 1 << 30);
        assert!(Sketch::from_registers(vec![21; FOLDED_REGISTERS]).unwrap().estimate() > 1 << 30);
        assert!(Sketch::from_registers(vec![26; SERVICE_REGISTERS]).is_none());
        assert!(Sketch::from_registers(vec![25; SERVICE_REGISTERS]).unwrap().estimate() > 1 << 30);
    }
}
