//! The multiplication step of all hashes in this program. Takes two words, gives one. Pure, not cryptographic.

/// Both halves of the product of two words, as in wyhash and foldhash: every bit of either reaches
/// every bit of the result.
#[inline]
pub fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}
