//! Which services a source has tried within the window: one bounded table for all sources.
//!
//! Takes hashes of services and the time, gives how many different ones each source has. Bounded; reads no clock.

use crate::event::hash::fold;

/// Pairs of source and service in the table.
pub(super) const PAIRS: usize = 8192;
const WAYS: usize = 8;

/// A source's slot in the detector and its generation.
pub(super) type Slot = (u16, u8);

#[derive(Clone, Copy, Default)]
struct Pair {
    /// A hash of service and destination.
    print: u32,
    part: u32,
    slot: u16,
    generation: u8,
    /// 0: the slot is empty.
    weight: u8,
}

/// Pairs of source and service within the window: a set-associative table of [`PAIRS`].
pub(super) struct Pairs {
    pairs: Box<[Pair]>,
}

/// The change of the table by a pair that was seen.
pub(super) struct Change {
    /// The pair as it counted so far, or another one that was evicted: its source's slot, part and weight.
    pub removed: Option<(Slot, u32, u8)>,
    /// The part in which the pair counts now.
    pub part: u32,
    pub weight: u8,
}

/// A hash of two words.
#[inline]
pub(super) fn mix(a: u64, b: u64) -> u64 {
    fold(a ^ 0x9e37_79b9_7f4a_7c15, fold(b ^ 0xd1b5_4a32_d192_ed03, 0xe703_7ed1_a0b4_28db))
}

impl Pairs {
    /// An empty table.
    pub(super) fn new() -> Pairs {
        Pairs { pairs: vec![Pair::default(); PAIRS].into_boxed_slice() }
    }

    /// Notes that the source in `slot` tried the service with this hash, in this part of the window. If all slots of
    /// its set are in use, the least recently seen pair is evicted.
    #[inline]
    pub(super) fn see(&mut self, hash: u64, slot: Slot, part: u32, weight: u8) -> Change {
        let place = mix(hash, u64::from(slot.0)) as usize % (PAIRS / WAYS) * WAYS;
        let print = (hash >> 32) as u32;
        let among = &mut self.pairs[place..place + WAYS];
        let is = |pair: &Pair| pair.weight > 0 && pair.print == print && (pair.slot, pair.generation) == slot;
        let age = |pair: &Pair| if pair.weight == 0 { 0 } else { u64::from(pair.part) + 1 };
        let known = among.iter().position(is);
        let at = known.or_else(|| (0..WAYS).min_by_key(|at| age(&among[*at]))).unwrap_or(0);
        let before = among[at];
        among[at] = match known {
            Some(_) => Pair { part: before.part.max(part), ..before },
            None => Pair { print, part, slot: slot.0, generation: slot.1, weight },
        };
        let removed = ((before.slot, before.generation), before.part, before.weight);
        let Pair { part, weight, .. } = among[at];
        Change { removed: (before.weight > 0).then_some(removed), part, weight }
    }

    /// Different services of a source within the window that ends with `part`.
    pub(super) fn count(&self, slot: Slot, part: u32) -> u32 {
        let within = |pair: &&Pair| {
            pair.weight > 0
                && (pair.slot, pair.generation) == slot
                && part.saturating_sub(pair.part) < super::window::PARTS
        };
        self.pairs.iter().filter(within).count() as u32
    }
}
