//! A file's content as one number: 128 bits, streaming, over pieces of any size.
//!
//! Folded multiplications as in wyhash (github.com/wangyi-fudan/wyhash), in four lanes. They tell files
//! of one person apart; they are no proof against somebody who makes files collide on purpose.

use crate::hash::fold;

const STRIPE: usize = 64;
const KEYS: [u64; 4] =
    [0xa076_1d64_78bd_642f, 0xe703_7ed1_a0b4_28db, 0x8ebc_6af0_9c88_c6e3, 0x5899_65cc_7537_4cc3];

#[derive(Clone, Debug)]
pub struct Digest {
    lanes: [u64; 4],
    /// What is too short for a stripe yet.
    rest: [u8; STRIPE],
    held: usize,
    length: u64,
}

impl Default for Digest {
    fn default() -> Digest {
        Digest::new()
    }
}

impl Digest {
    pub fn new() -> Digest {
        Digest { lanes: KEYS, rest: [0; STRIPE], held: 0, length: 0 }
    }

    pub fn of(bytes: &[u8]) -> Digest {
        let mut digest = Digest::new();
        digest.update(bytes);
        digest
    }

    pub fn update(&mut self, mut bytes: &[u8]) {
        self.length = self.length.wrapping_add(bytes.len() as u64);
        if self.held > 0 {
            let taken = bytes.len().min(STRIPE - self.held);
            self.rest[self.held..self.held + taken].copy_from_slice(&bytes[..taken]);
            self.held += taken;
            bytes = &bytes[taken..];
            if self.held < STRIPE {
                return;
            }
            self.lanes = stripe(self.lanes, &self.rest);
        }
        let (stripes, rest) = bytes.as_chunks::<STRIPE>();
        self.lanes = stripes.iter().fold(self.lanes, stripe);
        self.rest[..rest.len()].copy_from_slice(rest);
        self.held = rest.len();
    }

    /// The sum of all bytes so far.
    pub fn sum(&self) -> u128 {
        let [a, b, c, d] = self.last_lanes();
        let high = fold(fold(a ^ KEYS[0], b ^ self.length), fold(c ^ KEYS[1], d ^ KEYS[2]));
        let low = fold(fold(a ^ KEYS[3], d ^ KEYS[0]), fold(b ^ KEYS[2], c ^ self.length ^ KEYS[1]));
        u128::from(high) << 64 | u128::from(low)
    }

    /// Its first half.
    pub fn short_sum(&self) -> u64 {
        (self.sum() >> 64) as u64
    }

    /// With what is too short for a stripe; the length tells it from the zeros behind it.
    fn last_lanes(&self) -> [u64; 4] {
        let mut last = [0; STRIPE];
        last[..self.held].copy_from_slice(&self.rest[..self.held]);
        stripe(self.lanes, &last)
    }
}

#[inline]
fn stripe(lanes: [u64; 4], bytes: &[u8; STRIPE]) -> [u64; 4] {
    let (words, _) = bytes.as_chunks::<8>();
    let word = |number: usize| u64::from_le_bytes(words[number]);
    let lane = |number: usize| {
        let (first, second) = (word(2 * number), word(2 * number + 1));
        fold(first ^ KEYS[number], second ^ lanes[number]).wrapping_add(first)
    };
    [lane(0), lane(1), lane(2), lane(3)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_the_same_on_every_machine() {
        assert_eq!(Digest::of(b"").sum(), 0x9b94_d15e_83a1_d972_8fad_b7ae_1ae8_d1d1);
        assert_eq!(
            Digest::of(b"Nobody inspects the spammish repetition").sum(),
            0x3fee_b25a_d845_dd3e_f539_a69a_737a_29d2
        );
    }

    #[test]
    fn every_bit_and_the_length_matter() {
        let bytes = [0u8; 200];
        let mut sums = std::collections::HashSet::new();
        for length in 0..200 {
            assert!(sums.insert(Digest::of(&bytes[..length]).sum()));
        }
        for place in 0..200 {
            for bit in 0..8 {
                let mut other = bytes;
                other[place] ^= 1 << bit;
                assert!(sums.insert(Digest::of(&other).sum()), "byte {place} bit {bit}");
            }
        }
    }

    #[test]
    fn pieces_of_any_size_give_the_same_sum() {
        let bytes: Vec<u8> = (0..300u32).map(|n| ((n * n) >> 3) as u8).collect();
        for length in [0, 1, 7, 8, 31, 32, 33, 64, 100, 300] {
            let whole = Digest::of(&bytes[..length]).sum();
            for piece in 1..70 {
                let mut digest = Digest::new();
                bytes[..length].chunks(piece).for_each(|piece| digest.update(piece));
                assert_eq!(digest.sum(), whole, "{length} bytes in pieces of {piece}");
            }
        }
    }
}
