//! Numbers and dotted addresses at the beginning of a text.
//!
//! Takes bytes, gives values and what follows them. The lengths of numbers are so random in logs that
//! looking at one character after the other costs a mispredicted branch each time; so these look at four
//! or eight characters at once.

/// The digits at the beginning and what follows them. Saturates.
#[inline]
pub(super) fn digits(text: &[u8]) -> Option<(u32, &[u8])> {
    if let Some(word) = text.first_chunk::<8>()
        && let Some((number, length)) = short_number(u64::from_le_bytes(*word))
    {
        return Some((number, &text[length..]));
    }
    one_by_one(text)
}

/// The number at the beginning of eight characters, the first in the lowest byte, and how many digits it has: 1 to 7.
/// `None`: others.
#[inline(always)]
pub(super) fn short_number(characters: u64) -> Option<(u32, usize)> {
    // The digits' values, and the high bit of each byte that is no digit. A carry out of a byte can only disturb those
    // behind it.
    let values = characters ^ 0x3030_3030_3030_3030;
    let others = (values.wrapping_add(0x7676_7676_7676_7676) | values) & 0x8080_8080_8080_8080;
    // The highest bit of the first other character's byte: 8 times the number of digits, plus 7.
    let end = others.trailing_zeros();
    if !(15..64).contains(&end) {
        return None;
    }
    Some((number_of(values.wrapping_shl(7u32.wrapping_sub(end))), end as usize / 8))
}

/// How many characters come before the first blank of eight, 1 to 7: of a number that is passed over. A character of
/// other text may be taken for the blank.
#[inline(always)]
pub(super) fn short_length(characters: u64) -> Option<usize> {
    // A bit that all digits have, and a blank has not.
    let end = (!characters & 0x1010_1010_1010_1010).trailing_zeros();
    if (12..64).contains(&end) { Some(end as usize / 8) } else { None }
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
pub(super) fn v4(text: &[u8]) -> Option<(u32, &[u8])> {
    let mut padded = [0; 24];
    let length = text.len().min(padded.len());
    padded[..length].copy_from_slice(&text[..length]);
    let (bits, length) = short_v4(&padded)?;
    Some((bits, text.get(length..)?))
}

/// The same, and how long it is: up to 15 of the characters.
#[inline(always)]
pub(super) fn short_v4(text: &[u8; 24]) -> Option<(u32, usize)> {
    let (mut bits, mut at, mut too_large) = (0, 0, 0);
    for part in 0..4 {
        let four = text[at..].first_chunk().map_or(0, |four| u32::from_le_bytes(*four));
        let values = four ^ 0x3030_3030;
        // The highest bit of the first other character's byte: 8 times the number of digits, plus 7.
        let end = ((values.wrapping_add(0x7676_7676) | values) & 0x8080_8080).trailing_zeros();
        if !(15..32).contains(&end) {
            return None;
        }
        // The last digit in the highest byte.
        let digits = values.wrapping_shl(7u32.wrapping_sub(end));
        let number = (digits >> 8 & 0xff) * 100 + (digits >> 16 & 0xff) * 10 + (digits >> 24);
        too_large |= number >> 8;
        bits = bits << 8 | number;
        at += end as usize / 8;
        if part < 3 {
            if text[at] != b'.' {
                return None;
            }
            at += 1;
        }
    }
    if too_large == 0 { Some((bits, at)) } else { None }
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
    fn a_number_is_passed_over_up_to_the_blank() {
        for (text, expected) in [
            ("0 ID=123", Some(1)),
            ("64 ID=12", Some(2)),
            ("65535 RE", Some(5)),
            ("1234567 ", Some(7)),
            ("12345678", None),
            (" 1234567", None),
        ] {
            let characters = u64::from_le_bytes(text.as_bytes().try_into().unwrap());
            assert_eq!(short_length(characters), expected, "{text}");
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
            ("1.2.3.45.6", Some(".6")),
            ("101.102.103.104.5", Some(".5")),
            ("1.2.3.4 .", Some(" .")),
            ("1.2.3.4     .", Some("     .")),
            ("1.2/3.4.5", None),
            ("1./.3.4", None),
            ("1.2.3.4/", Some("/")),
            ("1.2.3.4:5", Some(":5")),
            ("1:.2.3.4", None),
            ("1.2.3.:", None),
            (":.2.3.4", None),
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
