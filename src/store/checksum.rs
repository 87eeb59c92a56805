//! CRC-32 of gzip, the store's files and country databases. Pure.

pub use flate2::Crc;

/// The CRC-32 (IEEE 802.3) of `bytes`.
pub fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_the_standard() {
        let mut crc = Crc::new();
        crc.update(b"1234");
        crc.update(b"56789");
        assert_eq!((crc.sum(), crc32(b"123456789")), (0xcbf4_3926, 0xcbf4_3926));
    }
}
