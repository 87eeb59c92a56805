//! Which services a source has tried within the window: one bounded table for all sources.
//!
//! Takes hashes of services and the time, gives how many different ones each source has. Bounded; reads no clock.

use super::window::PARTS;
use crate::event::hash::fold;

/// Pairs of source and service in the table.
pub(super) const PAIRS: usize = 8192;
const WAYS: usize = 8;

/// A source's slot in the detector and its generation.
pub(super) type Slot = (u16, u8);

/// A source and a service that it tried.
#[derive(Clone, Copy, Default)]
pub(super) struct Pair {
    /// A hash of service and destination.
    print: u32,
    pub(super) part: u32,
    /// The source's slot and its generation.
    pub(super) slot: u16,
    pub(super) generation: u8,
    /// 0: there is no pair.
    pub(super) weight: u8,
}

impl Pair {
    /// Whether it is there and belongs to this source.
    fn is_of(&self, slot: Slot) -> bool {
        self.weight > 0 && (self.slot, self.generation) == slot
    }
}

/// Pairs of source and service within the window: a set-associative table of [`PAIRS`].
pub(super) struct Pairs(Box<[Pair]>);

/// A hash of two words.
#[inline]
pub(super) fn mix(a: u64, b: u64) -> u64 {
    fold(a ^ 0x9e37_79b9_7f4a_7c15, fold(b ^ 0xd1b5_4a32_d192_ed03, 0xe703_7ed1_a0b4_28db))
}

impl Pairs {
    /// An empty table.
    pub(super) fn new() -> Pairs {
        Pairs(vec![Pair::default(); PAIRS].into_boxed_slice())
    }

    /// Notes that the source in `slot` tried the service with this hash, in this part of the window. If all slots of
    /// its set are in use, the least recently seen pair is evicted. Returns the pair as it counted so far, or the evicted
    /// one, and the pair as it counts now.
    #[inline]
    pub(super) fn see(&mut self, hash: u64, slot: Slot, part: u32, weight: u8) -> (Pair, Pair) {
        let place = mix(hash, u64::from(slot.0)) as usize % (PAIRS / WAYS) * WAYS;
        let print = (hash >> 32) as u32;
        let among = &mut self.0[place..place + WAYS];
        let is = |pair: &Pair| pair.print == print && pair.is_of(slot);
        let age = |pair: &Pair| if pair.weight == 0 { 0 } else { u64::from(pair.part) + 1 };
        let known = among.iter().position(is);
        let at = known.or_else(|| (0..WAYS).min_by_key(|at| age(&among[*at]))).unwrap_or(0);
        let before = among[at];
        among[at] = match known {
            Some(_) => Pair { part: before.part.max(part), ..before },
            None => Pair { print, part, slot: slot.0, generation: slot.1, weight },
        };
        (before, among[at])
    }

    /// Different services of a source within the window that ends with `part`.
    pub(super) fn count(&self, slot: Slot, part: u32) -> u32 {
        let within = |pair: &&Pair| pair.is_of(slot) && part.saturating_sub(pair.part) < PARTS;
        self.0.iter().filter(within).count() as u32
    }
}
