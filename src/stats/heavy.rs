//! A bounded table of counted rows that keeps the heaviest keys.
//!
//! Up to its bound every count is exact. Beyond it the table is a Space-Saving summary (Metwally,
//! Agrawal, El Abbadi: "Efficient computation of frequent and top-k elements in data streams",
//! 2005): a new key takes the place of a row with the least count, inherits that count, and
//! remembers it as the most by which its own count can be too high.

use std::hash::{BuildHasher, RandomState};

use super::countries::Country;
use crate::event::hash::fold;
use crate::event::{Address, Service};

/// What rows of a [`Heavy`] table are counted by.
pub trait Key: Copy + Ord {
    /// A well mixed hash; `seed` is secret, so that nobody can choose colliding keys.
    fn hash(&self, seed: u64) -> u64;
}

impl Key for Service {
    #[inline]
    fn hash(&self, seed: u64) -> u64 {
        mix(0, self.to_bits().into(), seed)
    }
}

impl Key for Address {
    #[inline]
    fn hash(&self, seed: u64) -> u64 {
        mix(self.high, self.low, seed)
    }
}

impl Key for (Service, Address) {
    #[inline]
    fn hash(&self, seed: u64) -> u64 {
        mix(self.1.high ^ u64::from(self.0.to_bits()) << 40, self.1.low, seed)
    }
}

impl Key for Country {
    fn hash(&self, seed: u64) -> u64 {
        mix(0, u16::from_be_bytes(self.0).into(), seed)
    }
}

impl Key for (Service, Country) {
    fn hash(&self, seed: u64) -> u64 {
        mix(u64::from(self.0.to_bits()), u16::from_be_bytes(self.1.0).into(), seed)
    }
}

/// A row of a [`Heavy`] table.
pub trait Row: Copy {
    type Key: Key;

    fn key(&self) -> Self::Key;
    fn count(&self) -> u64;
    /// A row for `key` that inherits `floor` attempts, all of which may belong to other keys.
    fn start(key: Self::Key, floor: u64) -> Self;
}

/// The first step of a lookup. It is valid until the table is changed.
#[derive(Clone, Copy)]
pub struct Lookup {
    hash: u64,
    /// The entry of the index at the key's home slot.
    entry: u16,
}

/// The slot of a touched row, and whether it is new.
#[derive(Clone, Copy)]
pub struct Touched {
    /// Index of the row.
    pub slot: usize,
    pub new: bool,
    /// Another row was evicted: see [`Heavy::take_evicted`].
    pub evicted: bool,
}

/// A table of the heaviest keys (Space-Saving): exact until it is full, then with an error of at most `floor`.
#[derive(Clone)]
pub struct Heavy<R: Row> {
    rows: Vec<R>,
    /// Open addressing: 1 + the slot of a key, at its home or after it; 0: empty.
    index: Vec<u16>,
    bound: usize,
    seed: u64,
    /// No row has a smaller count once the table is full.
    floor: u64,
    /// Added rows had left out at most this many attempts of each key.
    missing: u64,
    hand: usize,
    evictions: u64,
    /// The row that was evicted last, until it is taken.
    evicted: Option<R>,
}

const SMALLEST_INDEX: usize = 64;

/// Minimum number of slots of the hash index for each row; a slot has 2 bytes.
const SLOTS_PER_ROW: usize = 2;

/// A table with more rows is allocated at its bound.
const FEW: usize = 32;

impl<R: Row> Heavy<R> {
    /// An empty table of at most `bound` rows (1..=65,534).
    pub fn new(bound: usize) -> Heavy<R> {
        assert!((1..=65_534).contains(&bound));
        Heavy {
            rows: Vec::new(),
            index: vec![0; SMALLEST_INDEX],
            bound,
            seed: RandomState::new().hash_one(0u8),
            floor: 0,
            missing: 0,
            hand: 0,
            evictions: 0,
            evicted: None,
        }
    }

    /// The rows in the order of their slots.
    pub fn rows(&self) -> &[R] {
        &self.rows
    }

    /// Sorts the rows in place. No key can be looked up afterwards.
    pub fn sort_by_key<T: Ord>(&mut self, key: impl FnMut(&R) -> T) {
        self.index = vec![0; SMALLEST_INDEX];
        self.rows.sort_unstable_by_key(key);
    }

    /// A row by its slot.
    pub fn row_mut(&mut self, slot: usize) -> &mut R {
        &mut self.rows[slot]
    }

    /// Whether the next new key evicts a row.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.rows.len() == self.bound
    }

    /// The number of evictions; 0: every count is exact.
    pub fn evictions(&self) -> u64 {
        self.evictions
    }

    /// Takes the row that the last touch evicted.
    pub fn take_evicted(&mut self) -> Option<R> {
        self.evicted.take()
    }

    /// The most attempts that a key without a row can have.
    pub fn floor(&self) -> u64 {
        self.floor.saturating_add(self.missing)
    }

    /// The count of a row may be too low by at most this.
    pub fn missing(&self) -> u64 {
        self.missing
    }

    /// Notes that added rows had left out at most this many attempts of each key.
    pub fn add_missing(&mut self, attempts: u64) {
        self.missing = self.missing.saturating_add(attempts);
    }

    /// Whether every key has a row and every count is exact.
    pub fn is_whole(&self) -> bool {
        self.evictions == 0 && self.missing == 0
    }

    /// The slot of a key; `None`: it has no row.
    #[inline]
    pub fn find(&self, key: &R::Key) -> Option<usize> {
        self.probe(key, self.look_up(key))
    }

    /// The row of `key`, made if there is none.
    #[inline]
    pub fn touch(&mut self, key: R::Key) -> Touched {
        self.touch_at(key, self.look_up(&key))
    }

    /// The first step of a lookup. Doing it for several tables before touching them overlaps their cache misses.
    #[inline(always)]
    pub fn look_up(&self, key: &R::Key) -> Lookup {
        let hash = key.hash(self.seed);
        Lookup { hash, entry: self.index[self.home(hash)] }
    }

    /// The second half of [`Heavy::touch`].
    #[inline(always)]
    pub fn touch_at(&mut self, key: R::Key, lookup: Lookup) -> Touched {
        match self.probe(&key, lookup) {
            Some(slot) => Touched { slot, new: false, evicted: false },
            None => self.insert(key, lookup.hash),
        }
    }

    #[inline]
    fn home(&self, hash: u64) -> usize {
        (hash >> 32) as usize & (self.index.len() - 1)
    }

    #[inline]
    fn probe(&self, key: &R::Key, lookup: Lookup) -> Option<usize> {
        let Lookup { hash, mut entry } = lookup;
        let mut place = self.home(hash);
        while let Some(slot) = usize::from(entry).checked_sub(1) {
            if self.rows[slot].key() == *key {
                return Some(slot);
            }
            place = self.after(place);
            entry = self.index[place];
        }
        None
    }

    #[inline]
    fn after(&self, place: usize) -> usize {
        (place + 1) & (self.index.len() - 1)
    }

    #[inline(always)]
    fn insert(&mut self, key: R::Key, hash: u64) -> Touched {
        let slot = self.rows.len();
        if slot == self.bound {
            return Touched { slot: self.replace(key, hash), new: true, evicted: true };
        }
        if slot == self.rows.capacity() || (slot + 1) * SLOTS_PER_ROW > self.index.len() {
            self.make_room();
        }
        self.enter(hash, slot);
        self.rows.push(R::start(key, self.floor));
        Touched { slot, new: true, evicted: false }
    }

    /// Makes room for one more row.
    #[cold]
    fn make_room(&mut self) {
        let rows = self.rows.len();
        if (rows + 1) * SLOTS_PER_ROW > self.index.len() {
            let size = self.index.len() * 2;
            self.index.clear();
            self.index.resize(size, 0);
            for slot in 0..rows {
                self.enter(self.rows[slot].key().hash(self.seed), slot);
            }
        }
        if rows == self.rows.capacity() {
            // Reserves all rows at once: the kernel provides memory when pages are written, and nothing is copied.
            let room = if rows < FEW { FEW.min(self.bound) } else { self.bound };
            self.rows.reserve_exact(room - rows);
        }
    }

    /// Inserts a new key into the index.
    fn enter(&mut self, hash: u64, slot: usize) {
        let mut place = self.home(hash);
        while self.index[place] > 0 {
            place = self.after(place);
        }
        self.index[place] = (slot + 1) as u16;
    }

    #[cold]
    fn replace(&mut self, key: R::Key, hash: u64) -> usize {
        let slot = self.least();
        let old = self.rows[slot];
        self.forget(slot);
        self.evictions += 1;
        self.evicted = Some(old);
        self.enter(hash, slot);
        self.rows[slot] = R::start(key, old.count());
        slot
    }

    /// A slot with the smallest count (clock algorithm): each round without a row at the floor raises the floor, so
    /// that the cost is constant on average.
    fn least(&mut self) -> usize {
        loop {
            let mut least = u64::MAX;
            for _ in 0..self.rows.len() {
                let slot = self.hand;
                self.hand = if slot + 1 == self.rows.len() { 0 } else { slot + 1 };
                let count = self.rows[slot].count();
                if count <= self.floor {
                    return slot;
                }
                least = least.min(count);
            }
            self.floor = least;
        }
    }

    /// Removes a row from the index and closes the gap (Knuth, TAOCP 6.4, algorithm R).
    fn forget(&mut self, slot: usize) {
        let home = |table: &Heavy<R>, slot: usize| table.home(table.rows[slot].key().hash(table.seed));
        let mut gap = home(self, slot);
        while usize::from(self.index[gap]) != slot + 1 {
            gap = self.after(gap);
        }
        let (mut place, mask) = (self.after(gap), self.index.len() - 1);
        while let Some(other) = usize::from(self.index[place]).checked_sub(1) {
            // It may move to the gap if that is not before its home.
            let (distance, leap) = (place.wrapping_sub(home(self, other)), place.wrapping_sub(gap));
            if distance & mask >= leap & mask {
                self.index[gap] = self.index[place];
                gap = place;
            }
            place = self.after(place);
        }
        self.index[gap] = 0;
    }
}

/// Hashes 128 bits with a secret. Without the secret nobody can choose keys that collide.
#[inline]
pub fn mix(high: u64, low: u64, seed: u64) -> u64 {
    fold(high ^ seed.rotate_left(32) ^ 0x9e37_79b9_7f4a_7c15, low ^ seed ^ 0xd1b5_4a32_d192_ed03)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    #[derive(Clone, Copy)]
    struct Counted {
        key: u32,
        count: u32,
        error: u32,
    }

    impl Row for Counted {
        type Key = u32;
        fn key(&self) -> u32 {
            self.key
        }
        fn count(&self) -> u64 {
            u64::from(self.count)
        }
        fn start(key: u32, floor: u64) -> Counted {
            Counted { key, count: floor as u32, error: floor as u32 }
        }
    }

    fn count(table: &mut Heavy<Counted>, key: u32) {
        let slot = table.touch(key).slot;
        table.row_mut(slot).count += 1;
    }

    /// All keys have one of three homes: keys are far from them, and in each other's way.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    struct CrowdedKey(u32);

    impl Key for CrowdedKey {
        fn hash(&self, _: u64) -> u64 {
            u64::from(self.0 % 3 * 5) << 32 | u64::from(self.0 % 7)
        }
    }

    #[derive(Clone, Copy)]
    struct Crowded(Counted);

    impl Row for Crowded {
        type Key = CrowdedKey;
        fn key(&self) -> CrowdedKey {
            CrowdedKey(self.0.key)
        }
        fn count(&self) -> u64 {
            self.0.count()
        }
        fn start(key: CrowdedKey, floor: u64) -> Crowded {
            Crowded(Counted::start(key.0, floor))
        }
    }

    #[test]
    fn crowded_keys_are_found_whoever_had_to_go() {
        for bound in [1, 4, 5, 30, 32, 33, 200] {
            let mut table = Heavy::<Crowded>::new(bound);
            let mut number = 1u32;
            for _ in 0..5_000 {
                number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let slot = table.touch(CrowdedKey(number >> 20)).slot;
                table.row_mut(slot).0.count += 1;
            }
            for (slot, row) in table.rows().iter().enumerate() {
                assert_eq!(table.find(&row.key()), Some(slot));
            }
            let entries = table.index.iter().filter(|entry| **entry > 0);
            assert_eq!((entries.count(), table.rows().len()), (bound, bound));
        }
    }

    #[test]
    fn ten_million_keys_leave_the_heavy_ones_exact_and_the_table_bounded() {
        let mut table = Heavy::new(1024);
        for number in 0..1_000_000u32 {
            count(&mut table, 1_000 + number);
            if number % 100 == 0 {
                count(&mut table, number / 100 % 5);
            }
        }
        assert_eq!(table.rows().len(), 1024);
        for key in 0..5 {
            let row = table.rows()[table.find(&key).unwrap()];
            assert!(row.count - row.error <= 2_000 && row.count >= 2_000, "{key}");
            assert_eq!(row.error, 0, "they came before the table was full");
        }
    }

    impl Key for u32 {
        fn hash(&self, seed: u64) -> u64 {
            mix(0, u64::from(*self), seed)
        }
    }

    proptest! {
        #[test]
        fn counts_are_never_too_low_and_at_most_their_error_too_high(
            keys in proptest::collection::vec(0u32..60, 0..2000), bound in 1usize..80
        ) {
            let mut table = Heavy::new(bound);
            let mut truth: HashMap<u32, u32> = HashMap::new();
            for key in keys {
                count(&mut table, key);
                *truth.entry(key).or_default() += 1;
            }
            prop_assert!(table.rows().len() <= bound);
            for row in table.rows() {
                let real = truth[&row.key];
                prop_assert!(row.count >= real && row.count - row.error <= real);
                prop_assert_eq!(table.find(&row.key).map(|slot| table.rows()[slot].key), Some(row.key));
            }
            for (key, real) in &truth {
                if table.find(key).is_none() {
                    let least = table.rows().iter().map(|row| row.count).min().unwrap();
                    prop_assert!(u64::from(*real) <= table.floor().max(u64::from(least)));
                }
            }
            if truth.len() <= bound {
                prop_assert_eq!(table.evictions(), 0);
                prop_assert!(table.rows().iter().all(|row| row.error == 0 && row.count == truth[&row.key]));
            }
        }
    }
}
