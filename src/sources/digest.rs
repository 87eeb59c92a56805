//! A file's content as one number: 128 bits, streaming, over pieces of any size.
//!
//! Two XXH64 sums (github.com/Cyan4973/xxHash, doc/xxhash_spec.md) with different seeds. They tell
//! files of one person apart; they are no proof against somebody who makes files collide on purpose.

const P1: u64 = 0x9E37_79B1_85EB_CA87;
const P2: u64 = 0xC2B2_AE3D_27D4_EB4F;
const P3: u64 = 0x1656_67B1_9E37_79F9;
const P4: u64 = 0x85EB_CA77_C2B2_AE63;
const P5: u64 = 0x27D4_EB2F_1656_67C5;

const STRIPE: usize = 32;
const SEEDS: [u64; 2] = [0, 0x6677_7374_6174_2121];

#[derive(Clone, Debug)]
pub struct Digest {
    lanes: [[u64; 4]; 2],
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
        let lanes = SEEDS.map(|seed| {
            [seed.wrapping_add(P1).wrapping_add(P2), seed.wrapping_add(P2), seed, seed.wrapping_sub(P1)]
        });
        Digest { lanes, rest: [0; STRIPE], held: 0, length: 0 }
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
            let stripe = self.rest;
            self.stripes(&stripe);
        }
        let rest = self.stripes(bytes);
        self.rest[..rest.len()].copy_from_slice(rest);
        self.held = rest.len();
    }

    /// Takes whole stripes, gives back what is left.
    fn stripes<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let [mut first, mut second] = self.lanes;
        let stripes = bytes.chunks_exact(STRIPE);
        let rest = stripes.remainder();
        for stripe in stripes {
            for (lane, bytes) in stripe.chunks_exact(8).enumerate() {
                let word = word(bytes).wrapping_mul(P2);
                first[lane] = first[lane].wrapping_add(word).rotate_left(31).wrapping_mul(P1);
                second[lane] = second[lane].wrapping_add(word).rotate_left(31).wrapping_mul(P1);
            }
        }
        self.lanes = [first, second];
        rest
    }

    /// The sum of all bytes so far.
    pub fn sum(&self) -> u128 {
        (u128::from(self.finish(0)) << 64) | u128::from(self.finish(1))
    }

    /// Its first half: plain XXH64 with seed 0.
    pub fn short_sum(&self) -> u64 {
        self.finish(0)
    }

    fn finish(&self, which: usize) -> u64 {
        let lanes = self.lanes[which];
        let mut hash = if self.length >= STRIPE as u64 {
            let [a, b, c, d] = lanes;
            let sum = a
                .rotate_left(1)
                .wrapping_add(b.rotate_left(7))
                .wrapping_add(c.rotate_left(12))
                .wrapping_add(d.rotate_left(18));
            lanes.iter().fold(sum, |hash, &lane| (hash ^ round(0, lane)).wrapping_mul(P1).wrapping_add(P4))
        } else {
            SEEDS[which].wrapping_add(P5)
        };
        hash = hash.wrapping_add(self.length);
        let words = self.rest[..self.held].chunks_exact(8);
        let mut rest = words.remainder();
        for bytes in words {
            hash = (hash ^ round(0, word(bytes))).rotate_left(27).wrapping_mul(P1).wrapping_add(P4);
        }
        if let Some((four, after)) = rest.split_first_chunk::<4>() {
            let half = u64::from(u32::from_le_bytes(*four));
            hash = (hash ^ half.wrapping_mul(P1)).rotate_left(23).wrapping_mul(P2).wrapping_add(P3);
            rest = after;
        }
        for &byte in rest {
            hash = (hash ^ u64::from(byte).wrapping_mul(P5)).rotate_left(11).wrapping_mul(P1);
        }
        hash = (hash ^ (hash >> 33)).wrapping_mul(P2);
        hash = (hash ^ (hash >> 29)).wrapping_mul(P3);
        hash ^ (hash >> 32)
    }
}

fn word(bytes: &[u8]) -> u64 {
    bytes.first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

fn round(lane: u64, word: u64) -> u64 {
    lane.wrapping_add(word.wrapping_mul(P2)).rotate_left(31).wrapping_mul(P1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_half_is_xxh64() {
        for (text, sum) in [
            ("", 0xEF46_DB37_51D8_E999),
            ("a", 0xD24E_C4F1_A98C_6E5B),
            ("abc", 0x44BC_2CF5_AD77_0999),
            ("Nobody inspects the spammish repetition", 0xFBCE_A83C_8A37_8BF1),
        ] {
            assert_eq!(Digest::of(text.as_bytes()).short_sum(), sum, "{text}");
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
