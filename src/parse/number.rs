//! Numbers and dotted addresses at the beginning of a text. Takes bytes, gives values and what follows them.

/// The digits at the beginning, one at least, and what follows them. Saturates.
#[inline]
pub(super) fn digits(text: &[u8]) -> Option<(u32, &[u8])> {
    let (mut value, mut length) = (0u64, 0);
    while let Some(digit @ b'0'..=b'9') = text.get(length) {
        value = (value * 10 + u64::from(digit - b'0')).min(u32::MAX.into());
        length += 1;
    }
    (length > 0).then(|| (value as u32, &text[length..]))
}

/// A dotted IPv4 address at the beginning, as a number, and what follows. No further dot may.
#[inline]
pub(super) fn v4(text: &[u8]) -> Option<(u32, &[u8])> {
    let (mut bits, mut rest) = (0, text);
    for part in 0..4 {
        let number = if part == 0 { rest } else { rest.strip_prefix(b".")? };
        let (value, after) = digits(number)?;
        if value > 255 || number.len() - after.len() > 3 {
            return None;
        }
        (bits, rest) = (bits << 8 | value, after);
    }
    (rest.first() != Some(&b'.')).then_some((bits, rest))
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
            ("1.2.3.4.5", None),
            ("1.2.3.45.6", None),
            ("101.102.103.104.5", None),
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
