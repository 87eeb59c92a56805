//! CRC-32 as gzip, the store's files and country databases carry it.
//!
//! Uses the processor's instructions where it has them, else a table of 1 KB: the 16 KB of the fast
//! variant do not fit into a small router's data cache and take flash.

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub use flate2::Crc;

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub use plain::Crc;

#[cfg(any(test, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
mod plain {
    /// The remainders of all bytes, for the reflected polynomial of IEEE 802.3.
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut byte = 0;
        while byte < table.len() {
            let mut remainder = byte as u32;
            let mut bit = 0;
            while bit < 8 {
                remainder = (remainder >> 1) ^ if remainder & 1 == 1 { 0xedb8_8320 } else { 0 };
                bit += 1;
            }
            table[byte] = remainder;
            byte += 1;
        }
        table
    };

    /// The checksum of the bytes so far.
    #[derive(Default)]
    pub struct Crc(u32);

    impl Crc {
        pub fn new() -> Crc {
            Crc::default()
        }

        pub fn update(&mut self, bytes: &[u8]) {
            self.0 =
                !bytes.iter().fold(!self.0, |sum, byte| (sum >> 8) ^ TABLE[usize::from(sum as u8 ^ byte)]);
        }

        /// The CRC-32 (IEEE 802.3) of the bytes so far.
        pub fn sum(&self) -> u32 {
            self.0
        }
    }
}

/// The checksum of `bytes`.
pub fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_check_value_of_the_standard() {
        let mut crc = plain::Crc::new();
        crc.update(b"1234");
        crc.update(b"56789");
        assert_eq!((crc.sum(), crc32(b"123456789")), (0xcbf4_3926, 0xcbf4_3926));
    }

    proptest! {
        #[test]
        fn both_ways_give_the_same(parts in proptest::collection::vec(any::<Vec<u8>>(), 0..5)) {
            let mut crc = plain::Crc::new();
            parts.iter().for_each(|part| crc.update(part));
            prop_assert_eq!(crc.sum(), crc32(&parts.concat()));
        }
    }
}
