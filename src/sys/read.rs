//! Reading what may be longer than expected.

use std::io::{self, Read};

/// The first `most` bytes of `source`, or all if it is shorter.
pub fn at_most(source: &mut dyn Read, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}
