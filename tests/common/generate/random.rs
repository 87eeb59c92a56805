//! Numbers that look random and are the same on every machine (SplitMix64), and the few draws that a log needs.

#[derive(Clone)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A whole number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((self.next() as u128 * bound as u128) >> 64) as u64
    }

    /// A whole number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// A number in 0..1.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// True once in `every` times.
    pub fn one_in(&mut self, every: u64) -> bool {
        self.below(every) == 0
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    /// Normal with mean 0 and deviation 1, as the sum of twelve uniform draws.
    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    /// A count around `mean` with a Poisson count's deviation.
    pub fn around(&mut self, mean: f64) -> u64 {
        (mean + mean.sqrt() * self.normal()).round().max(0.0) as u64
    }

    /// An index below `count` where the low ones are far more frequent.
    pub fn skewed(&mut self, count: usize) -> usize {
        let unit = self.unit();
        ((count as f64 * unit * unit * unit) as usize).min(count - 1)
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }

    /// An address that a stranger can have; never one of those that the forged texts name.
    pub fn public_address(&mut self) -> u32 {
        loop {
            let address = self.next() as u32;
            if is_public(address) {
                return address;
            }
        }
    }
}

/// SplitMix64's finalizer: different numbers stay different.
pub fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// Neither private, reserved nor multicast, nor in the networks of the forged texts (8/8 and 9/8).
pub fn is_public(address: u32) -> bool {
    let [a, b, _, d] = address.to_be_bytes();
    let special = matches!(a, 0 | 8 | 9 | 10 | 127 | 224..=255)
        || (a, b) == (169, 254)
        || (a, b) == (192, 168)
        || (a, b) == (192, 0)
        || (a == 172 && (16..32).contains(&b))
        || (a == 100 && (64..128).contains(&b))
        || (a == 198 && matches!(b, 18 | 19 | 51))
        || (a, b) == (203, 0);
    !special && d != 0 && d != 255
}
