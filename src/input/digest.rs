//! A file's content as one number: 128 bits, streaming, over pieces of any size.
//!
//! Products of halves of words, as in NH (Black, Halevi, Krawczyk, Krovetz, Rogaway: "UMAC", 1999) and XXH3
//! (github.com/Cyan4973/xxHash), in eight lanes that a processor can do side by side, or in 32 bits. They tell files
//! of one person apart; they are no proof against somebody who makes files collide on purpose.

use crate::event::hash::fold;

const LANES: usize = 8;
const STRIPE: usize = 8 * LANES;
/// The highest bit of each byte is set: no half of a word of text is 0 under them at first.
const KEYS: [u64; LANES] = [
    0xa0f6_9de4_f8bd_e4af,
    0xe783_fed1_a0b4_a8db,
    0x8ebc_eaf0_9c88_c6e3,
    0xd899_e5cc_f5b7_ccc3,
    0x9eb7_f9b9_ffca_fc95,
    0xd1b5_cab2_d192_ed83,
    0x8db7_8e95_a3c4_9a97,
    0xc2b2_aebd_a7d4_ebcf,
];
/// The keys grow by it with each stripe, so that the order of stripes matters.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// A running digest; equal bytes in pieces of any size give the same sum.
#[derive(Clone, Debug)]
pub struct Digest {
    sums: [u64; LANES],
    keys: [u64; LANES],
    /// What is too short for a stripe yet.
    rest: [u8; STRIPE],
    held: usize,
    length: u64,
}

/// The digest of nothing.
impl Default for Digest {
    fn default() -> Digest {
        Digest { sums: [0; LANES], keys: KEYS, rest: [0; STRIPE], held: 0, length: 0 }
    }
}

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Digest {
        let mut digest = Digest::default();
        digest.update(bytes);
        digest
    }

    /// Adds the bytes that follow.
    pub fn update(&mut self, mut bytes: &[u8]) {
        self.length = self.length.wrapping_add(bytes.len() as u64);
        if self.held > 0 {
            bytes = self.hold(bytes);
            if self.held < STRIPE {
                return;
            }
            let rest = self.rest;
            self.add(&[rest]);
        }
        let (stripes, rest) = bytes.as_chunks::<STRIPE>();
        self.add(stripes);
        self.held = 0;
        self.hold(rest);
    }

    /// Puts bytes behind those that are held, as many as make a stripe, and gives the others.
    fn hold<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let free = self.rest.iter_mut().skip(self.held);
        let taken = free.zip(bytes).map(|(place, byte)| *place = *byte).count();
        self.held += taken;
        bytes.get(taken..).unwrap_or_default()
    }

    /// The sum of all bytes so far.
    pub fn sum(&self) -> u128 {
        // The length tells what is too short for a stripe from the zeros behind it.
        let mut padded = self.clone();
        padded.update(&[0; STRIPE][self.held..]);
        let [a, b, c, d, e, f, g, h] = padded.sums;
        let high = [(a, b), (c, d), (e, f), (g, h)];
        let low = [(a, h), (b, g), (c, f), (d, e)];
        let all = |start: u64, keys: &[u64], pairs: [(u64, u64); 4]| {
            keys.iter().zip(pairs).fold(start, |sum, (key, (a, b))| fold(a ^ key, b ^ sum))
        };
        let (high_keys, low_keys) = KEYS.split_at(LANES / 2);
        u128::from(all(self.length, high_keys, high)) << 64 | u128::from(all(!self.length, low_keys, low))
    }

    /// Its first half.
    pub fn short_sum(&self) -> u64 {
        (self.sum() >> 64) as u64
    }

    fn add(&mut self, stripes: &[[u8; STRIPE]]) {
        // Not in memory in the meantime.
        let (mut sums, mut keys) = (self.sums, self.keys);
        for stripe in stripes {
            let (words, _) = stripe.as_chunks::<8>();
            for (lane, word) in words.iter().enumerate() {
                let word = u64::from_le_bytes(*word) ^ keys[lane];
                // Of a word that differs in one half only, this is never the same.
                let product = (word & 0xffff_ffff).wrapping_mul(word >> 32);
                sums[lane] = sums[lane].wrapping_add(product).wrapping_add(word);
                keys[lane] = keys[lane].wrapping_add(STEP);
            }
        }
        (self.sums, self.keys) = (sums, keys);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_the_same_on_every_machine() {
        // As worked out by a program of its own, in Python.
        let text = b"Nobody inspects the spammish repetition";
        assert_eq!(Digest::of(b"").sum(), 0x86ba_9423_6aa6_0c4c_ce38_bada_c516_23bc);
        assert_eq!(Digest::of(text).sum(), 0xa66e_b159_c37b_2191_8acd_f2c5_d161_d8bf);
        assert_eq!(Digest::of(&text.repeat(5)).sum(), 0xa0c6_9241_78f2_b8c8_9947_12d8_8a6d_9c17);
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
    fn the_order_of_lines_matters() {
        let lines: Vec<[u8; STRIPE]> = (0..4u8).map(|number| [b'a' + number; STRIPE]).collect();
        let mut sums = std::collections::HashSet::new();
        for order in 0..256usize {
            let text: Vec<u8> = (0..4).flat_map(|place| lines[order >> (2 * place) & 3]).collect();
            assert!(sums.insert(Digest::of(&text).sum()), "{order}");
        }
    }

    #[test]
    fn pieces_of_any_size_give_the_same_sum() {
        let bytes: Vec<u8> = (0..300u32).map(|n| ((n * n) >> 3) as u8).collect();
        for length in [0, 1, 7, 8, 31, 32, 33, 64, 100, 300] {
            let whole = Digest::of(&bytes[..length]).sum();
            for piece in 1..70 {
                let mut digest = Digest::default();
                bytes[..length].chunks(piece).for_each(|piece| digest.update(piece));
                assert_eq!(digest.sum(), whole, "{length} bytes in pieces of {piece}");
            }
        }
    }
}
