//! A bounded table of counted rows that finds its heaviest exactly.
//!
//! Up to its bound every count is exact. Beyond it the table is a Space-Saving summary (Metwally,
//! Agrawal, El Abbadi: "Efficient computation of frequent and top-k elements in data streams",
//! 2005): a new key takes the place of a row with the least count, inherits that count, and
//! remembers it as the most by which its own count can be too high.

use std::hash::{BuildHasher, RandomState};

use crate::event::hash::fold;

/// A row of a [`Heavy`] table.
pub trait Row: Copy {
    type Key: Copy + Eq;

    fn key(&self) -> Self::Key;
    fn count(&self) -> u64;
    /// A row for `key` that inherits `floor` attempts, all of which may be somebody else's.
    fn start(key: Self::Key, floor: u64) -> Self;
    /// A well mixed hash of the key; `seed` is secret, so that nobody can choose colliding keys.
    fn hash(key: &Self::Key, seed: u64) -> u64;
}

/// Where the search for a key begins. It holds until the table is changed.
#[derive(Clone, Copy)]
pub struct Lookup {
    hash: u64,
    /// The entry of the index at the key's home.
    entry: Entry,
}

/// The slot of a touched row, and whether it is new.
#[derive(Clone, Copy)]
pub struct Touched {
    /// Index of the row.
    pub slot: usize,
    pub new: bool,
    /// Another row had to go: see [`Heavy::take_evicted`].
    pub evicted: bool,
}

/// A free place of the index, and how far it is from home.
#[derive(Clone, Copy)]
struct Free {
    place: usize,
    distance: usize,
}

/// A table of the heaviest keys (Space-Saving): exact until it is full, then with an error of at most `floor`.
#[derive(Clone)]
pub struct Heavy<R: Row> {
    rows: Vec<R>,
    /// Open addressing.
    index: Vec<Entry>,
    bound: usize,
    /// The index has at least this many slots for each row.
    slots: usize,
    /// Capacity in rows: the bound, the allocation and the index are sized for it.
    room: usize,
    seed: u64,
    /// No row has a smaller count once the table is full.
    floor: u64,
    hand: usize,
    evictions: u64,
    /// The row that had to go last, until it is asked for.
    evicted: Option<R>,
}

const SMALLEST_INDEX: usize = 64;

/// A table with more rows than these gets room for all of them.
const FEW: usize = 32;

/// One place of the index, in 32 bits: 12 of the hash, 4 for how far from its home it is, and 1 + the slot
/// in 16. With these a row is rarely looked at in vain, and hardly ever to keep the index in order.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Entry(u32);

impl Entry {
    const EMPTY: Entry = Entry(0);
    /// So far from home, or further.
    const FAR: usize = 15;

    #[inline]
    fn new(hash: u64, distance: usize, slot: usize) -> Entry {
        Entry((hash as u32) << 20 | (distance.min(Entry::FAR) as u32) << 16 | (slot as u32 + 1))
    }

    #[inline]
    fn is_empty(self) -> bool {
        self == Entry::EMPTY
    }

    #[inline]
    fn may_be(self, hash: u64) -> bool {
        (self.0 ^ (hash as u32) << 20) >> 20 == 0
    }

    #[inline]
    fn slot(self) -> usize {
        (self.0 & 0xffff) as usize - 1
    }

    #[inline]
    fn distance(self) -> usize {
        (self.0 >> 16) as usize & 15
    }

    fn with_distance(self, distance: usize) -> Entry {
        Entry(self.0 & 0xfff0_ffff | (distance.min(Entry::FAR) as u32) << 16)
    }
}

impl<R: Row> Heavy<R> {
    /// An empty table of at most `bound` rows (1..=65,534).
    pub fn new(bound: usize) -> Heavy<R> {
        Heavy::with_slots(bound, 2)
    }

    /// With this many slots (2 or more) of the index for each row, of 4 bytes each: with 4 a key is mostly found, or
    /// missed, at the first slot.
    pub fn with_slots(bound: usize, slots: usize) -> Heavy<R> {
        assert!((1..=65_534).contains(&bound) && slots >= 2);
        Heavy {
            rows: Vec::new(),
            index: vec![Entry::EMPTY; SMALLEST_INDEX],
            bound,
            slots,
            room: 0,
            seed: RandomState::new().hash_one(0u8),
            floor: 0,
            hand: 0,
            evictions: 0,
            evicted: None,
        }
    }

    pub fn rows(&self) -> &[R] {
        &self.rows
    }

    /// Orders the rows, in place. Nothing can be found or touched afterwards.
    pub fn sort_by_key<T: Ord>(&mut self, key: impl FnMut(&R) -> T) {
        self.index = vec![Entry::EMPTY; SMALLEST_INDEX];
        self.rows.sort_unstable_by_key(key);
    }

    pub fn row_mut(&mut self, slot: usize) -> &mut R {
        &mut self.rows[slot]
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How often a row had to make room: 0 means that every count is exact.
    pub fn evictions(&self) -> u64 {
        self.evictions
    }

    /// The row that had to go for the one touched last, once.
    pub fn take_evicted(&mut self) -> Option<R> {
        self.evicted.take()
    }

    /// The most that a key without a row can have.
    pub fn floor(&self) -> u64 {
        self.floor
    }

    pub fn clear(&mut self) {
        self.rows.clear();
        self.index.fill(Entry::EMPTY);
        (self.floor, self.hand, self.evictions, self.evicted) = (0, 0, 0, None);
    }

    /// The slot of a key; `None`: it has no row.
    #[inline]
    pub fn find(&self, key: &R::Key) -> Option<usize> {
        self.probe(key, self.look_up(key)).ok()
    }

    /// The row of `key`, made if there is none.
    #[inline]
    pub fn touch(&mut self, key: R::Key) -> Touched {
        self.touch_at(key, self.look_up(&key))
    }

    /// What is looked at first. Looking up a key in several tables before touching them waits for memory once.
    #[inline(always)]
    pub fn look_up(&self, key: &R::Key) -> Lookup {
        let hash = R::hash(key, self.seed);
        Lookup { hash, entry: self.index[self.home(hash)] }
    }

    /// The second half of [`Heavy::touch`].
    #[inline(always)]
    pub fn touch_at(&mut self, key: R::Key, lookup: Lookup) -> Touched {
        match self.probe(&key, lookup) {
            Ok(slot) => Touched { slot, new: false, evicted: false },
            Err(free) => self.insert(key, lookup.hash, free),
        }
    }

    #[inline]
    fn home(&self, hash: u64) -> usize {
        (hash >> 32) as usize & (self.index.len() - 1)
    }

    /// The slot that holds `key`, or where it belongs in the index.
    #[inline]
    fn probe(&self, key: &R::Key, lookup: Lookup) -> Result<usize, Free> {
        let Lookup { hash, mut entry } = lookup;
        let mask = self.index.len() - 1;
        let mut free = Free { place: self.home(hash), distance: 0 };
        loop {
            if entry.is_empty() {
                return Err(free);
            }
            if entry.may_be(hash) && self.rows[entry.slot()].key() == *key {
                return Ok(entry.slot());
            }
            free = Free { place: (free.place + 1) & mask, distance: free.distance + 1 };
            entry = self.index[free.place];
        }
    }

    #[cold]
    fn grow(&mut self) {
        let size = self.index.len() * 2;
        self.index.clear();
        self.index.resize(size, Entry::EMPTY);
        for slot in 0..self.rows.len() {
            self.enter(R::hash(&self.rows[slot].key(), self.seed), slot);
        }
    }

    #[inline(always)]
    fn insert(&mut self, key: R::Key, hash: u64, free: Free) -> Touched {
        let slot = self.rows.len();
        if slot >= self.room {
            return self.insert_and_make_room(key, hash);
        }
        self.rows.push(R::start(key, self.floor));
        self.index[free.place] = Entry::new(hash, free.distance, slot);
        Touched { slot, new: true, evicted: false }
    }

    #[cold]
    fn insert_and_make_room(&mut self, key: R::Key, hash: u64) -> Touched {
        let slot = self.rows.len();
        if slot == self.bound {
            return Touched { slot: self.replace(key, hash), new: true, evicted: true };
        }
        if (slot + 1) * self.slots > self.index.len() {
            self.grow();
        }
        if slot == self.rows.capacity() {
            // Address space for all at once: the kernel gives memory to what is written to, and nothing is copied.
            let room = if slot < FEW { FEW.min(self.bound) } else { self.bound };
            self.rows.reserve_exact(room - slot);
        }
        self.room = self.bound.min(self.rows.capacity()).min(self.index.len() / self.slots);
        self.rows.push(R::start(key, self.floor));
        self.enter(hash, slot);
        Touched { slot, new: true, evicted: false }
    }

    /// Puts a key that is not there into the index.
    fn enter(&mut self, hash: u64, slot: usize) {
        let mask = self.index.len() - 1;
        let mut free = Free { place: self.home(hash), distance: 0 };
        while !self.index[free.place].is_empty() {
            free = Free { place: (free.place + 1) & mask, distance: free.distance + 1 };
        }
        self.index[free.place] = Entry::new(hash, free.distance, slot);
    }

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

    /// A slot with the least count. The hand goes round; each round that finds no row at the
    /// floor raises the floor, so that the cost is constant on average.
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

    /// Takes a row out of the index, closing the gap (Knuth, TAOCP 6.4, algorithm R).
    fn forget(&mut self, slot: usize) {
        let mask = self.index.len() - 1;
        let mut gap = self.home(R::hash(&self.rows[slot].key(), self.seed));
        loop {
            let entry = self.index[gap];
            if entry.is_empty() {
                return;
            }
            if entry.slot() == slot {
                break;
            }
            gap = (gap + 1) & mask;
        }
        let mut place = gap;
        loop {
            place = (place + 1) & mask;
            let entry = self.index[place];
            if entry.is_empty() {
                break;
            }
            let (distance, leap) = (self.distance(entry, place), place.wrapping_sub(gap) & mask);
            if distance >= leap {
                self.index[gap] = entry.with_distance(distance - leap);
                gap = place;
            }
        }
        self.index[gap] = Entry::EMPTY;
    }

    /// How far from its home an entry at `place` is.
    fn distance(&self, entry: Entry, place: usize) -> usize {
        match entry.distance() {
            Entry::FAR => {
                let home = self.home(R::hash(&self.rows[entry.slot()].key(), self.seed));
                place.wrapping_sub(home) & (self.index.len() - 1)
            }
            distance => distance,
        }
    }
}

/// Mixes 128 bits and a secret into 64. Who does not know the secret cannot choose keys that collide.
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
        fn hash(key: &u32, seed: u64) -> u64 {
            mix(0, u64::from(*key), seed)
        }
    }

    fn count(table: &mut Heavy<Counted>, key: u32) {
        let slot = table.touch(key).slot;
        table.row_mut(slot).count += 1;
    }

    /// All keys have one of three homes: keys are far from them, and in each other's way.
    #[derive(Clone, Copy)]
    struct Crowded(Counted);

    impl Row for Crowded {
        type Key = u32;
        fn key(&self) -> u32 {
            self.0.key
        }
        fn count(&self) -> u64 {
            self.0.count()
        }
        fn start(key: u32, floor: u64) -> Crowded {
            Crowded(Counted::start(key, floor))
        }
        fn hash(key: &u32, _: u64) -> u64 {
            u64::from(key % 3 * 5) << 32 | u64::from(key % 7)
        }
    }

    #[test]
    fn crowded_keys_are_found_whoever_had_to_go() {
        let bounds = [1, 4, 5, 30, 32, 33, 200].into_iter().flat_map(|bound| [(bound, 2), (bound, 4)]);
        for (bound, places) in bounds {
            let mut table = Heavy::<Crowded>::with_slots(bound, places);
            let mut number = 1u32;
            for _ in 0..5_000 {
                number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let slot = table.touch(number >> 20).slot;
                table.row_mut(slot).0.count += 1;
            }
            for (slot, row) in table.rows().iter().enumerate() {
                assert_eq!(table.find(&row.0.key), Some(slot));
            }
            let entries = table.index.iter().filter(|entry| !entry.is_empty());
            assert_eq!((entries.count(), table.len()), (bound, bound));
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
        assert_eq!(table.len(), 1024);
        for key in 0..5 {
            let row = table.rows()[table.find(&key).unwrap()];
            assert!(row.count - row.error <= 2_000 && row.count >= 2_000, "{key}");
            assert_eq!(row.error, 0, "they came before the table was full");
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
            prop_assert!(table.len() <= bound);
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
