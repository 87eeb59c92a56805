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
//! | da-DK, fi-FI, id-ID | full stops in the time of day: `[21. nov. 2026, 09.00.00 CET]` |
//! | ko-KR, fr-CA | units in the time of day: `[2026. 11. 21. AM 9시 0분 0초 GMT+1]` |
//! | zh-TW | `[2026年11月21日 上午9:00:00 [GMT+1]]` |
//!
//! Two numbers and a year behind them without full stops (`11/12/2026`) could be either order: such a time is not read,
//! nor is any other whose order or month is in doubt. A zone whose name is not known counts as the own one.

use super::{Cursor, NOWHERE, Stamp, Writer, names};

/// Longer texts in brackets are no time.
const LONGEST: usize = 80;

/// Minutes east of UTC, and what browsers call such time zones.
const ZONES: [(i32, &[&str]); 16] = [
    (0, &["UTC", "GMT", "WET"]),
    (60, &["WEST", "CET", "MEZ", "SEČ"]),
    (120, &["CEST", "MESZ", "SELČ", "EET"]),
    (180, &["EEST", "MSK"]),
    (480, &["AWST"]),
    (540, &["JST", "KST"]),
    (570, &["ACST"]),
    (600, &["AEST"]),
    (660, &["AEDT"]),
    (720, &["NZST"]),
    (780, &["NZDT"]),
    (-240, &["EDT", "HAE"]),
    (-300, &["EST", "HNE", "CDT"]),
    (-360, &["CST"]),
    (-420, &["MST", "PDT"]),
    (-480, &["PST"]),
];

/// Words for the first half of the day, in lower case.
const FORENOON: [&str; 12] =
    ["am", "a.m.", "a. m.", "π.μ.", "오전", "凌晨", "清晨", "早上", "上午", "午夜", "午前", "pg"];
/// Words for the second one.
const AFTERNOON: [&str; 10] = ["pm", "p.m.", "p. m.", "μ.μ.", "오후", "中午", "下午", "晚上", "午後", "ptg"];

/// Units behind hour, minute and second, each with its place in [`Parts::units`].
const UNITS: [(&str, usize); 6] = [("시", 0), ("분", 1), ("초", 2), ("h ", 0), ("min ", 1), ("s ", 2)];

#[derive(Default)]
struct Parts {
    /// Numbers of the date in their order, with the count of digits.
    numbers: Vec<(u32, usize)>,
    /// The month, if it is a name.
    month: Option<u8>,
    /// The day comes first, known by a word of the language.
    day_first: bool,
    dotted: bool,
    time: Option<(u8, u8, u8)>,
    /// Offsets of minutes and seconds in the normalised text.
    minute_at: Option<usize>,
    seconds_end: usize,
    /// Hour, minute and second with units behind them.
    units: [Option<u8>; 3],
    afternoon: Option<bool>,
    /// Minutes east of UTC.
    offset: Option<i32>,
}

/// The time in brackets that stands at `at`.
pub(super) fn stamp(line: &[u8], at: usize) -> Option<Stamp> {
    let rest = line.get(at..)?.strip_prefix(b"[")?;
    // Of two closing brackets the second one ends the time.
    let closes = |place: &usize| rest[*place] == b']' && rest.get(place + 1) != Some(&b']');
    let length = (0..rest.len().min(LONGEST)).find(closes)?;
    let text = normal(std::str::from_utf8(&rest[..length]).ok()?);
    let mut parts = Parts::default();
    let mut next = 0;
    while next < text.len() {
        next = parts.read(&text, next)?;
    }
    let [hour, minute, second] = parts.units;
    let units = hour.and_then(|hour| Some((hour, minute?, second?)));
    let (mut hour, minute, second) = parts.time.or(units)?;
    match parts.afternoon {
        Some(_) if !(1..=12).contains(&hour) => return None,
        Some(afternoon) => hour = hour % 12 + if afternoon { 12 } else { 0 },
        None => {}
    }
    let (year, month, day) = parts.date()?;
    let (end, offset) = (at + length + 2, parts.offset.map(|minutes| minutes * 60));
    // Only where nothing before was normalised are these the places of the line.
    let is_unchanged = rest.get(..parts.seconds_end) == text.as_bytes().get(..parts.seconds_end);
    let (minute_at, seconds_end) = match parts.minute_at.filter(|_| is_unchanged) {
        Some(minute_at) => (at + 1 + minute_at, at + 1 + parts.seconds_end),
        None => (NOWHERE, end),
    };
    let (writer, year) = (Writer::LuciPage, Some(year));
    Some(Stamp { year, month, day, hour, minute, second, offset, writer, minute_at, seconds_end, end })
}

/// The text with plain blanks and signs, and without marks of the direction of writing.
fn normal(text: &str) -> String {
    let letters = text.chars().filter(|letter| !matches!(letter, '\u{200e}' | '\u{200f}'));
    let plain = |letter| match letter {
        '\u{a0}' | '\u{2009}' | '\u{202f}' => ' ',
        '\u{2212}' => '-',
        '\u{60c}' => ',',
        letter => letter,
    };
    letters.map(plain).collect()
}

impl Parts {
    /// Reads the part at `at`, and gives where the next one begins.
    fn read(&mut self, text: &str, at: usize) -> Option<usize> {
        match text.get(at..)?.as_bytes().first()? {
            b' ' | b',' | b'.' | b'/' | b'-' | b'(' | b')' | b'[' | b']' => Some(at + 1),
            b'0'..=b'9' => self.number(text, at),
            _ => self.word(text, at),
        }
    }

    fn number(&mut self, text: &str, at: usize) -> Option<usize> {
        let rest = &text[at..];
        let digits = rest.bytes().take(5).take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        let value: u32 = number.parse().ok()?;
        let has_year = self.numbers.iter().any(|(_, digits)| *digits == 4);
        if after.starts_with(':') || after.starts_with('.') && has_year && is_time(after) {
            return self.time_of_day(text, at);
        }
        let unit = UNITS.iter().find(|(unit, _)| {
            let after = after.strip_prefix(' ').unwrap_or(after);
            after
                .strip_prefix(unit.trim_end())
                .is_some_and(|end| !unit.ends_with(' ') || !end.starts_with(char::is_alphabetic))
        });
        if let Some((unit, place)) = unit
            && self.numbers.len() > 1
        {
            let most = if *place == 0 { 23 } else { 59 };
            self.units[*place] = u8::try_from(value).ok().filter(|value| *value <= most);
            let blank = usize::from(after.starts_with(' '));
            return self.units[*place].map(|_| at + digits + blank + unit.trim_end().len());
        }
        if self.numbers.len() == 3 || digits > 4 {
            return None;
        }
        self.numbers.push((value, digits));
        self.dotted |= after.starts_with('.');
        // `2026年11月21日`
        let unit = ["年", "月", "日"].into_iter().find(|unit| after.starts_with(unit));
        Some(at + digits + unit.map_or(0, str::len))
    }

    fn time_of_day(&mut self, text: &str, at: usize) -> Option<usize> {
        let mut cursor = Cursor { line: text.as_bytes(), at };
        let hour = cursor.number(1, 2, 0..=23)? as u8;
        let separator = cursor.peek()?;
        cursor.at += 1;
        let minute_at = cursor.at;
        let minute = cursor.number(2, 2, 0..=59)? as u8;
        cursor.expect(separator)?;
        let second = cursor.number(2, 2, 0..=59)? as u8;
        if self.time.is_some() || cursor.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            return None;
        }
        self.time = Some((hour, minute, second));
        (self.minute_at, self.seconds_end) = ((separator == b':').then_some(minute_at), cursor.at);
        Some(cursor.at)
    }

    fn word(&mut self, text: &str, at: usize) -> Option<usize> {
        let rest = &text[at..];
        let start = rest.char_indices().nth(6).map_or(rest, |(end, _)| &rest[..end]).to_lowercase();
        let is_here = |half: &&&str| {
            let after = start.strip_prefix(**half);
            after.is_some_and(|after| {
                !half.is_ascii() || !after.starts_with(|next: char| next.is_ascii_alphabetic())
            })
        };
        if let Some(half) = FORENOON.iter().chain(&AFTERNOON).find(is_here) {
            self.afternoon = Some(AFTERNOON.contains(half));
            return Some(at + half.len());
        }
        if self.month.is_none()
            && self.time.is_none()
            && let Some((month, length)) = names::month(rest.as_bytes())
        {
            self.month = Some(month);
            return Some(at + length);
        }
        // `г.` (year) of Russian, `de` of Spanish and Portuguese, zones without a known offset.
        let length = rest
            .find(|letter: char| letter.is_ascii() && !letter.is_ascii_alphabetic())
            .unwrap_or(rest.len());
        let word = rest.get(..length).filter(|word| !word.is_empty())?;
        self.day_first |= word == "thg";
        let zone = ZONES.iter().find(|(_, names)| names.contains(&word));
        let has_time = self.time.is_some() || self.units[0].is_some();
        let (minutes, end) = offset(text, at + length)?;
        if let Some((zone, _)) = zone {
            self.offset = Some(zone + minutes.unwrap_or(0));
            return Some(end);
        }
        if minutes.is_some() && has_time {
            // What a language calls GMT.
            self.offset = minutes;
            return Some(end);
        }
        Some(at + length)
    }

    fn date(&self) -> Option<(i32, u8, u8)> {
        let (year, month, day) = match (self.month, &self.numbers[..]) {
            (Some(month), &[(a, _), (b, 4)]) => (b, u32::from(month), a),
            (Some(month), &[(a, 4), (b, _)]) => (a, u32::from(month), b),
            (None, &[(a, 4), (b, _), (c, _)]) => (a, b, c),
            (None, &[(a, _), (b, _), (c, 4)]) if self.dotted || self.day_first || a > 12 => (c, b, a),
            (None, &[(a, _), (b, _), (c, 4)]) if b > 12 => (c, a, b),
            _ => return None,
        };
        let is_date = (1970..=2199).contains(&year) && month <= 12 && day <= 31;
        is_date.then_some((year as i32, month as u8, day as u8))
    }
}

/// `.MM.SS` and no digit behind it.
fn is_time(after: &str) -> bool {
    matches!(after.as_bytes(), [b'.', a, b, b'.', c, d, rest @ ..]
        if [a, b, c, d].iter().all(|digit| digit.is_ascii_digit()) && !rest.first().is_some_and(u8::is_ascii_digit))
}

/// `+1`, `-3:30`, ` +1` behind a zone's name: minutes, and where it ends. Without one it ends at `at`.
fn offset(text: &str, at: usize) -> Option<(Option<i32>, usize)> {
    let mut cursor = Cursor { line: text.as_bytes(), at };
    cursor.eat(b' ');
    let sign = match cursor.peek() {
        Some(b'+') => 1,
        Some(b'-') => -1,
        _ => return Some((None, at)),
    };
    cursor.at += 1;
    let Some((hours, _)) = cursor.digits(2) else { return Some((None, at)) };
    let minutes = if cursor.eat(b':') { cursor.digits(2)?.0 } else { 0 };
    (hours <= 23 && minutes <= 59).then_some((Some(sign * (hours * 60 + minutes) as i32), cursor.at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::calendar::{Calendar, Date};

    /// What a browser's `Intl.DateTimeFormat` writes for these instants, in the languages of its users: language, zone,
    /// Unix seconds, text.
    const BROWSER_TIMES: &str = include_str!("browser_times.tsv");
    /// Languages whose months, digits or years are not known: their times are not read, or right.
    const UNREAD: [&str; 12] = [
        "ar-EG", "bn-BD", "fa-IR", "he-IL", "hi-IN", "hr-HR", "ka-GE", "kk-KZ", "mr-IN", "ta-IN", "th-TH",
        "ur-PK",
    ];

    #[test]
    fn times_of_every_language_are_right_or_not_read() {
        for row in BROWSER_TIMES.lines().filter(|row| !row.starts_with('#')) {
            let [language, zone, instant, text] = row.split('\t').collect::<Vec<_>>()[..] else {
                panic!("{row}")
            };
            let (zone, rules) = match zone {
                "UTC" => (0, "UTC0"),
                "CET" => (3600, "CET-1CEST,M3.5.0,M10.5.0/3"),
                "EST" => (-18_000, "EST5EDT,M3.2.0,M11.1.0"),
                other => panic!("{other}"),
            };
            let instant: i64 = instant.parse().unwrap();
            let read = stamp(format!("[{text}] kern").as_bytes(), 0);
            let Some(read) = read else {
                let in_doubt = language == "pt-PT" && text.starts_with("05/");
                assert!(UNREAD.contains(&language) || in_doubt, "not read: {row}");
                continue;
            };
            let date = read.date_in(read.year.unwrap()).unwrap();
            let found = match read.offset {
                Some(offset) => {
                    i64::from(date.0) * 86_400 + i64::from(read.second_of_day()) - i64::from(offset)
                }
                None => Calendar::new(rules).unwrap().instant(date, read.second_of_day()),
            };
            assert_eq!(found, instant, "{row}");
            assert_eq!(date, Date((instant + zone).div_euclid(86_400) as i32), "{row}");
        }
    }

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
            ("[11/21/2026, 9:00:00 AM]", Some((2026, 11, 21, 9, 0, 0, None))),
            // Either the 11th of December or the 12th of November.
            ("[11/12/2026, 09:00:00]", None),
            ("[21.11.26, 09.00.00]", None),
            ("[21 lis 2569, 09:00:00]", None),
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
