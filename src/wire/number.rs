//! Numbers and dotted addresses at the beginning of a text.
//!
//! Takes bytes, gives values and what follows them. The lengths of numbers are so random in logs that
//! looking at one character after the other costs a mispredicted branch each time; so these look at four
//! or eight characters at once.

use crate::event::Address;

/// The digits at the beginning and what follows them. Saturates.
#[inline]
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
    let mut value = 0u32;
    let mut rest = text;
    while let [digit @ b'0'..=b'9', after @ ..] = rest {
        value = value.saturating_mul(10).saturating_add(u32::from(digit - b'0'));
        rest = after;
    }
    (rest.len() < text.len()).then_some((value, rest))
}

/// What follows the digits at the beginning.
#[inline]
pub fn skip_digits(text: &[u8]) -> Option<&[u8]> {
    if let Some(word) = text.first_chunk::<8>() {
        let (_, length) = leading_digits(u64::from_le_bytes(*word));
        if (1..8).contains(&length) {
            return text.get(length as usize..);
        }
    }
    digits(text).map(|(_, rest)| rest)
}

/// Eight characters at once: the digits' values, and how many stand at the beginning. The lengths of numbers
/// are so random in logs that looking at one character after the other costs a mispredicted branch each time.
#[inline]
fn leading_digits(characters: u64) -> (u64, u32) {
    let values = characters ^ 0x3030_3030_3030_3030;
    // The high bit of each byte that is no digit. A carry out of a byte can only disturb those behind it.
    let others = (values.wrapping_add(0x7676_7676_7676_7676) | values) & 0x8080_8080_8080_8080;
    (values, others.trailing_zeros() / 8)
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

/// A dotted IPv4 address at the beginning, and what follows.
#[inline]
pub fn v4(text: &[u8]) -> Option<(Address, &[u8])> {
    let mut padded = [0u8; 16];
    let chunk = match text.first_chunk::<16>() {
        Some(chunk) => chunk,
        None => {
            padded[..text.len()].copy_from_slice(text);
            &padded
        }
    };
    let (mut bits, mut at) = (0u32, 0usize);
    for part in 0..4 {
        // At most 12 here, so that there are four characters.
        let characters = u32::from_le_bytes(*chunk.get(at..)?.first_chunk::<4>()?);
        let (values, length) = leading_digits(u64::from(characters) | 0xffff_ffff_0000_0000);
        let number = (values as u32).wrapping_shl(0u32.wrapping_sub(8 * (length & 3)));
        let value = (number >> 8 & 0xff) * 100 + (number >> 16 & 0xff) * 10 + (number >> 24);
        if length.wrapping_sub(1) > 2 || value > 255 {
            return None;
        }
        bits = bits << 8 | value;
        at = at.wrapping_add(length as usize);
        if part < 3 {
            if chunk.get(at) != Some(&b'.') {
                return None;
            }
            at = at.wrapping_add(1);
        }
    }
    Some((Address::v4(bits), text.get(at..)?))
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
                let address: std::net::IpAddr = text[..length].parse().unwrap();
                assert_eq!(v4(text.as_bytes()).unwrap().0, address.into());
            }
        }
    }
}
