//! Numbers and dotted addresses at the beginning of a text.
//!
//! Takes bytes, gives values and what follows them. The lengths of numbers are so random in logs that
//! looking at one character after the other costs a mispredicted branch each time; so these look at four
//! or eight characters at once.

/// The digits at the beginning and what follows them. Saturates.
#[inline(always)]
pub fn digits(text: &[u8]) -> Option<(u32, &[u8])> {
    if let Some(word) = text.first_chunk::<8>() {
        let (values, length) = leading_digits(u64::from_le_bytes(*word));
        if (1..8).contains(&length) {
            return Some((
                number_of(values.wrapping_shl(0u32.wrapping_sub(8 * length))),
                &text[length as usize..],
            ));
        }
    }
    one_by_one(text)
}

/// As [`digits`], for where most numbers have `N` (1..=7) digits: then what follows can be looked at before the
/// number has been read.
#[inline(always)]
pub fn mostly<const N: usize>(text: &[u8]) -> Option<(u32, &[u8])> {
    if let Some(word) = text.first_chunk::<8>() {
        let (values, others) = digits_and_others(u64::from_le_bytes(*word));
        let beginning = u64::MAX >> (56 - 8 * N);
        if others & beginning == 0x80 << (8 * N) {
            return Some((number_of(values << (64 - 8 * N)), &text[N..]));
        }
    }
    digits(text)
}

/// Long numbers, and those near the end of a text.
#[inline(never)]
fn one_by_one(text: &[u8]) -> Option<(u32, &[u8])> {
    let mut value = 0u32;
    let mut rest = text;
    while let [digit @ b'0'..=b'9', after @ ..] = rest {
        value = value.saturating_mul(10).saturating_add(u32::from(digit - b'0'));
        rest = after;
    }
    (rest.len() < text.len()).then_some((value, rest))
}

/// What follows the digits at the beginning.
#[inline(always)]
pub fn skip_digits(text: &[u8]) -> Option<&[u8]> {
    if let Some(word) = text.first_chunk::<8>() {
        let (_, length) = leading_digits(u64::from_le_bytes(*word));
        if (1..8).contains(&length) {
            return Some(&text[length as usize..]);
        }
    }
    one_by_one(text).map(|(_, rest)| rest)
}

/// Eight characters at once: the digits' values, and how many stand at the beginning.
#[inline]
fn leading_digits(characters: u64) -> (u64, u32) {
    let (values, others) = digits_and_others(characters);
    (values, others.trailing_zeros() / 8)
}

/// The digits' values, and the high bit of each byte that is no digit. A carry out of a byte can only disturb
/// those behind it.
#[inline]
fn digits_and_others(characters: u64) -> (u64, u64) {
    let values = characters ^ 0x3030_3030_3030_3030;
    (values, (values.wrapping_add(0x7676_7676_7676_7676) | values) & 0x8080_8080_8080_8080)
}

/// The number in eight digits' values, the first in the lowest byte.
#[inline]
fn number_of(values: u64) -> u32 {
    const PAIR: u64 = 0x0000_00ff_0000_00ff;
    let pairs = values.wrapping_mul(10).wrapping_add(values >> 8);
    let high = (pairs & PAIR).wrapping_mul(0x000f_4240_0000_0064);
    let low = ((pairs >> 16) & PAIR).wrapping_mul(0x0000_2710_0000_0001);
    (high.wrapping_add(low) >> 32) as u32
}

/// A dotted IPv4 address at the beginning, as a number, and what follows.
#[inline(always)]
pub fn v4(text: &[u8]) -> Option<(u32, &[u8])> {
    match text.first_chunk::<20>() {
        Some(chunk) => v4_in(chunk, text),
        None => v4_near_the_end(text),
    }
}

#[inline(never)]
fn v4_near_the_end(text: &[u8]) -> Option<(u32, &[u8])> {
    let mut padded = [0; 20];
    padded[..text.len()].copy_from_slice(text);
    v4_in(&padded, text)
}

/// `chunk` begins like `text`.
#[inline(always)]
fn v4_in<'a>(chunk: &[u8; 20], text: &'a [u8]) -> Option<(u32, &'a [u8])> {
    // Where the dots and the end are is found first, for all parts at once.
    let (words, _) = chunk.as_chunks::<8>();
    let marks = |word: usize| digits_and_others(u64::from_le_bytes(words[word])).1;
    let mut ends = one_bit_each(marks(0)) | one_bit_each(marks(1)) << 8;
    let (mut bits, mut start) = (0, 0);
    for part in 0..4 {
        let end = ends.trailing_zeros() as usize;
        ends &= ends.wrapping_sub(1);
        let length = end.wrapping_sub(start);
        let characters = u32::from_le_bytes(*chunk.get(start..)?.first_chunk::<4>()?);
        let digits = (characters ^ 0x3030_3030).wrapping_shl(32u32.wrapping_sub(8 * length as u32));
        let value = (digits >> 8 & 0xff) * 100 + (digits >> 16 & 0xff) * 10 + (digits >> 24);
        if length.wrapping_sub(1) > 2 || value > 255 || (part < 3 && chunk.get(end) != Some(&b'.')) {
            return None;
        }
        bits = bits << 8 | value;
        start = end + 1;
    }
    Some((bits, text.get(start - 1..)?))
}

/// The high bits of eight bytes as eight bits, the first byte's lowest.
#[inline]
fn one_bit_each(marks: u64) -> u32 {
    ((marks >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_end_at_the_first_other_character() {
        for (text, expected) in [
            ("0", Some((0, ""))),
            ("7 ", Some((7, " "))),
            ("65535 DPT=", Some((65_535, " DPT="))),
            ("1234567 x", Some((1_234_567, " x"))),
            ("12345678 x", Some((12_345_678, " x"))),
            ("4294967295 x", Some((u32::MAX, " x"))),
            ("99999999999999999999 x", Some((u32::MAX, " x"))),
            ("12:34567", Some((12, ":34567"))),
            ("12/\u{ff}\u{ff}45", Some((12, "/\u{ff}\u{ff}45"))),
            ("x1234567", None),
            ("", None),
        ] {
            let expected = expected.map(|(value, rest): (u32, &str)| (value, rest.as_bytes()));
            assert_eq!(digits(text.as_bytes()), expected, "{text}");
            assert_eq!(mostly::<2>(text.as_bytes()), expected, "{text}");
            assert_eq!(mostly::<5>(text.as_bytes()), expected, "{text}");
            assert_eq!(mostly::<7>(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn dotted_addresses() {
        for (text, expected) in [
            ("192.0.2.1", Some("")),
            ("192.0.2.1 DST=1.2.3.4", Some(" DST=1.2.3.4")),
            ("255.255.255.255 DST=", Some(" DST=")),
            ("255.255.255.255", Some("")),
            ("0.0.0.0 DST=1234567", Some(" DST=1234567")),
            ("1.2.3.4.5", Some(".5")),
            ("256.0.2.1 DST=1.2.3.4", None),
            ("192.0.2.1234 DST=1.2", None),
            ("192.0.2. DST=1.2.3.4", None),
            ("192.0.2", None),
            ("192..2.1 DST=1.2.3.4", None),
            ("", None),
        ] {
            let rest = v4(text.as_bytes()).map(|(_, rest)| rest);
            assert_eq!(rest, expected.map(str::as_bytes), "{text}");
            if let Some(rest) = rest {
                let length = text.len() - rest.len();
                let address: std::net::Ipv4Addr = text[..length].parse().unwrap();
                assert_eq!(v4(text.as_bytes()).unwrap().0, u32::from(address));
            }
        }
    }
}
