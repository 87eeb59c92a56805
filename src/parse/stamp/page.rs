//! Timestamps as a browser writes them: lines that were copied from LuCI's System Log page.
//!
//! The page formats each time by `Intl.DateTimeFormat` with `dateStyle: 'medium'` and `timeStyle: 'long'` in the
//! browser's language, and puts it in brackets:
//!
//! | language | text |
//! |---|---|
//! | en-US | `[Nov 21, 2026, 9:00:00 AM GMT+1]`, with a narrow no-break space before `AM` in newer browsers |
//! | de-DE | `[21.11.2026, 09:00:00 MEZ]` |
//! | ja-JP | `[2026/11/21 17:00:00 JST]` |
//! | fr-FR | `[21 nov. 2026, 09:00:00 UTC+1]` |
//!
//! Two numbers and a year behind them without full stops (`11/12/2026`) could be either order: such a time is not read.

use super::{Stamp, Writer, names};

/// Longer texts in brackets are no time.
const LONGEST: usize = 80;

/// What a browser calls time zones by their names, and hours east of UTC.
const ZONES: [(&[u8], i32); 18] = [
    (b"UTC", 0),
    (b"GMT", 0),
    (b"JST", 9),
    (b"KST", 9),
    (b"CET", 1),
    (b"CEST", 2),
    (b"MEZ", 1),
    (b"MESZ", 2),
    (b"EET", 2),
    (b"EEST", 3),
    (b"EST", -5),
    (b"EDT", -4),
    (b"CST", -6),
    (b"CDT", -5),
    (b"MST", -7),
    (b"MDT", -6),
    (b"PST", -8),
    (b"PDT", -7),
];

#[derive(Default)]
struct Parts {
    /// Numbers of the date in their order, with the count of digits.
    numbers: [(u32, usize); 3],
    held: usize,
    /// The month, if a name tells it.
    month: Option<u8>,
    dotted: bool,
    time: Option<(u8, u8, u8)>,
    minute_at: usize,
    seconds_end: usize,
    afternoon: Option<bool>,
    offset: Option<i32>,
}

/// The time in brackets that stands at `at`.
pub(super) fn stamp(line: &[u8], at: usize) -> Option<Stamp> {
    let rest = line.get(at..)?.strip_prefix(b"[")?;
    let length = rest.iter().take(LONGEST).position(|&byte| byte == b']')?;
    let text = &rest[..length];
    let mut parts = Parts::default();
    let mut next = 0;
    while next < text.len() {
        next = parts.read(text, next)?;
    }
    let (mut hour, minute, second) = parts.time?;
    match parts.afternoon {
        Some(_) if !(1..=12).contains(&hour) => return None,
        Some(afternoon) => hour = hour % 12 + if afternoon { 12 } else { 0 },
        None => {}
    }
    let (year, month, day) = parts.date()?;
    let (minute_at, seconds_end) = (at + 1 + parts.minute_at, at + 1 + parts.seconds_end);
    let (end, offset) = (at + length + 2, parts.offset);
    let writer = Writer::LuciPage;
    let year = Some(year);
    Some(Stamp { year, month, day, hour, minute, second, offset, writer, minute_at, seconds_end, end })
}

impl Parts {
    /// Reads what stands at `at`, and gives where the next part begins.
    fn read(&mut self, text: &[u8], at: usize) -> Option<usize> {
        let rest = &text[at..];
        if let [b' ' | b',' | b'.' | b'/' | b'-', ..] = rest {
            return Some(at + 1);
        }
        // No-break spaces.
        for space in ["\u{202f}", "\u{a0}"] {
            if rest.starts_with(space.as_bytes()) {
                return Some(at + space.len());
            }
        }
        if rest[0].is_ascii_digit() { self.number(text, at) } else { self.word(text, at) }
    }

    fn number(&mut self, text: &[u8], at: usize) -> Option<usize> {
        let rest = &text[at..];
        let digits = rest.iter().take(5).take_while(|byte| byte.is_ascii_digit()).count();
        if rest.get(digits) == Some(&b':') {
            return self.time_of_day(text, at, digits);
        }
        if self.held == 3 || digits > 4 {
            return None;
        }
        let value = rest[..digits].iter().fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'));
        self.numbers[self.held] = (value, digits);
        self.held += 1;
        let after = &rest[digits..];
        self.dotted |= after.first() == Some(&b'.');
        // `2026年11月21日`
        let unit = ["年", "月", "日"].into_iter().find(|unit| after.starts_with(unit.as_bytes()));
        Some(at + digits + unit.map_or(0, str::len))
    }

    fn time_of_day(&mut self, text: &[u8], at: usize, digits: usize) -> Option<usize> {
        let two = |at: usize| match text.get(at..at + 2)? {
            [a @ b'0'..=b'5', b @ b'0'..=b'9'] => Some((a - b'0') * 10 + (b - b'0')),
            _ => None,
        };
        let hour = text[at..at + digits].iter().fold(0u32, |sum, digit| sum * 10 + u32::from(digit - b'0'));
        let minute_at = at + digits + 1;
        let (minute, second) = (two(minute_at)?, two(minute_at + 3)?);
        let end = minute_at + 5;
        if digits > 2 || hour > 23 || text[minute_at + 2] != b':' || self.time.is_some() {
            return None;
        }
        if text.get(end).is_some_and(u8::is_ascii_digit) {
            return None;
        }
        self.time = Some((hour as u8, minute, second));
        (self.minute_at, self.seconds_end) = (minute_at, end);
        Some(end)
    }

    fn word(&mut self, text: &[u8], at: usize) -> Option<usize> {
        let rest = &text[at..];
        if self.month.is_none()
            && self.time.is_none()
            && let Some((month, length)) = names::month(rest)
        {
            self.month = Some(month);
            return Some(at + length);
        }
        let length = rest.iter().take_while(|byte| byte.is_ascii_alphabetic() || **byte >= 0x80).count();
        // A no-break space or the sign of an offset is no letter of the word.
        let cut = ["\u{202f}", "\u{a0}", "\u{2212}"]
            .into_iter()
            .filter_map(|sign| memchr::memmem::find(&rest[..length], sign.as_bytes()))
            .min();
        let length = cut.unwrap_or(length);
        let word = rest.get(..length).filter(|word| !word.is_empty())?;
        match word {
            b"AM" | b"am" => self.afternoon = Some(false),
            b"PM" | b"pm" => self.afternoon = Some(true),
            _ => {
                if let Some((_, hours)) = ZONES.iter().find(|(name, _)| *name == word) {
                    let (offset, end) = offset(text, at + length);
                    self.offset = Some(hours * 3600 + offset);
                    return Some(end);
                }
                // `г.` (year) of Russian, `de` of Spanish and Portuguese, and zones without a known offset.
            }
        }
        Some(at + length)
    }

    fn date(&self) -> Option<(i32, u8, u8)> {
        let [(a, a_digits), (b, b_digits), (c, c_digits)] = self.numbers;
        let (year, month, day) = match (self.month, self.held) {
            (Some(month), 2) if b_digits == 4 => (b, u32::from(month), a),
            (Some(month), 2) if a_digits == 4 => (a, u32::from(month), b),
            (None, 3) if a_digits == 4 => (a, b, c),
            (None, 3) if c_digits == 4 && (self.dotted || a > 12) => (c, b, a),
            _ => return None,
        };
        ((1970..=9999).contains(&year) && month <= 12 && day <= 31).then_some((
            year as i32,
            month as u8,
            day as u8,
        ))
    }
}

/// `+1`, `-3:30` or nothing behind a zone's name: seconds, and where it ends.
fn offset(text: &[u8], at: usize) -> (i32, usize) {
    let rest = &text[at..];
    let minus = "\u{2212}".as_bytes();
    let (sign, start) = match rest {
        [b'+', ..] => (1, 1),
        [b'-', ..] => (-1, 1),
        _ if rest.starts_with(minus) => (-1, minus.len()),
        _ => return (0, at),
    };
    let number = |from: usize| {
        let digits = rest[from..].iter().take(2).take_while(|byte| byte.is_ascii_digit()).count();
        let value = rest[from..from + digits].iter().fold(0, |sum, digit| sum * 10 + i32::from(digit - b'0'));
        (value, from + digits)
    };
    let (hours, mut end) = number(start);
    let mut minutes = 0;
    if rest.get(end) == Some(&b':') {
        (minutes, end) = number(end + 1);
    }
    (sign * (hours.min(23) * 3600 + minutes.min(59) * 60), at + end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_browsers_write_them() {
        let utc = (2026, 11, 21, 9, 0, 0, Some(3600));
        let tokyo = (2026, 11, 21, 17, 0, 0, Some(9 * 3600));
        for (text, expected) in [
            ("[Nov 21, 2026, 9:00:00 AM GMT+1] kern", Some(utc)),
            ("[Nov 21, 2026, 9:00:00\u{202f}AM GMT+1] kern", Some(utc)),
            ("[Nov 21, 2026, 5:00:00 PM GMT+9]", Some(tokyo)),
            ("[Nov 21, 2026, 12:00:00 AM EST]", Some((2026, 11, 21, 0, 0, 0, Some(-5 * 3600)))),
            ("[21 Nov 2026, 09:00:00 CET]", Some(utc)),
            ("[21.11.2026, 09:00:00 MEZ] kern", Some(utc)),
            ("[21.11.2026, 17:00:00 GMT+9]", Some(tokyo)),
            ("[2026/11/21 17:00:00 JST] kern", Some(tokyo)),
            ("[21 nov. 2026, 09:00:00 UTC+1]", Some(utc)),
            ("[21 nov. 2026, 03:00:00 UTC\u{2212}5]", Some((2026, 11, 21, 3, 0, 0, Some(-5 * 3600)))),
            ("[2026年11月21日 GMT+9 17:00:00]", Some(tokyo)),
            ("[21 нояб. 2026 г., 09:00:00 GMT+1]", Some(utc)),
            ("[Nov 21, 2026, 9:00:00 AM GMT+5:30]", Some((2026, 11, 21, 9, 0, 0, Some(19_800)))),
            ("[21.11.2026, 09:00:00]", Some((2026, 11, 21, 9, 0, 0, None))),
            ("[21/11/2026, 09:00:00]", Some((2026, 11, 21, 9, 0, 0, None))),
            // Either the 11th of December or the 12th of November.
            ("[11/12/2026, 09:00:00]", None),
            ("[Nov 21, 2026, 13:00:00 AM GMT+1]", None),
            ("[Nov 21, 2026]", None),
            ("[UFW BLOCK]", None),
            ("[  100.000000] x", None),
            ("[", None),
        ] {
            let read = stamp(text.as_bytes(), 0)
                .map(|s| (s.year.unwrap(), s.month, s.day, s.hour, s.minute, s.second, s.offset));
            assert_eq!(read, expected, "{text}");
        }
    }
}
