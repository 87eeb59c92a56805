//! Time stamps of log lines.
//!
//! Takes a line's beginning, gives the date and time of day that stand there and where they end, or
//! the kernel's uptime. Knows no time zone but those that are written as a number, or as UTC. A day that the month does
//! not have (30 February) is no timestamp.
//!
//! | form | written by |
//! |---|---|
//! | `Mar 15 20:55:15` | classic syslog (RFC 3164): no year, no zone |
//! | `Sat Sep 12 21:46:20 2026` | logread; in brackets `dmesg -T` |
//! | `Mar 15 2026 20:55:15`, `Sat Sep 12 21:46:20 JST 2026` | other collectors, date(1) |
//! | `2015-03-07T05:09:30.045015+02:00` | ISO 8601 (RFC 3339), zone optional, blank for T, comma for the point |
//! | `Sat 2026-09-12 21:46:20 JST` | journalctl -o short-full |
//! | `Okt 20 20:55:15`, `11月 20 20:55:15` | journalctl in other languages |
//! | `1795248000.123456` | journalctl -o short-unix |
//! | `21/Nov/2026:09:00:00 +0100` | pve-firewall |
//! | `[Nov 21, 2026, 9:00:00 AM GMT+1]` | a browser: LuCI's System Log page |

use super::number::digits;
use crate::event::calendar::Date;

mod names;
mod page;

/// The program that wrote a timestamp, where its form is unique.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Writer {
    Syslog,
    Logread,
    /// dmesg -T
    Dmesg,
    /// LuCI's System Log page, in the browser's language.
    LuciPage,
}

/// A date and time of day as written, all in range.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stamp {
    /// `None`: the format has none, as RFC 3164.
    pub year: Option<i32>,
    /// 1..=12
    pub month: u8,
    /// A day that the month has in `year`, or in a leap year if there is none.
    pub day: u8,
    /// 0..=23
    pub hour: u8,
    /// 0..=59
    pub minute: u8,
    /// 0..=60
    pub second: u8,
    /// Seconds east of UTC, if the stamp has an offset.
    pub offset: Option<i32>,
    /// Whose format it is.
    pub writer: Writer,
    /// Offset of the minute's two digits; [`NOWHERE`] if there are none.
    pub minute_at: usize,
    /// Where seconds and their fraction end.
    pub seconds_end: usize,
    /// Where the stamp ends.
    pub end: usize,
}

/// [`Stamp::minute_at`] of a timestamp that has no `MM:SS`.
pub const NOWHERE: usize = usize::MAX;

/// Without a year a timestamp is checked against this one: 29 February is a day.
const LEAP_YEAR: i32 = 2024;

impl Stamp {
    /// The day in `year`; none if the month does not have it there (29 February).
    pub fn date_in(&self, year: i32) -> Option<Date> {
        Date::from_ymd(year, self.month.into(), self.day.into())
    }

    fn is_a_day(&self) -> bool {
        self.date_in(self.year.unwrap_or(LEAP_YEAR)).is_some()
    }

    /// Seconds since midnight; a leap second counts as the one before it.
    pub fn second_of_day(&self) -> u32 {
        let (hour, minute) = (u32::from(self.hour), u32::from(self.minute));
        (hour * 3600 + minute * 60 + u32::from(self.second)).min(86_399)
    }
}

const MONTHS: [&[u8; 3]; 12] =
    [b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"];
const WEEKDAYS: [&[u8; 3]; 7] = [b"mon", b"tue", b"wed", b"thu", b"fri", b"sat", b"sun"];

/// The timestamp that stands at `at`. It ends at a blank, at the line's end, or at its closing bracket.
pub fn stamp(line: &[u8], at: usize) -> Option<Stamp> {
    ascii(line, at).or_else(|| other(line, at)).filter(Stamp::is_a_day)
}

/// The same, but only the forms of syslog, logread, dmesg, ISO 8601 and journalctl in English.
pub fn english_stamp(line: &[u8], at: usize) -> Option<Stamp> {
    ascii(line, at).filter(Stamp::is_a_day)
}

fn ascii(line: &[u8], at: usize) -> Option<Stamp> {
    let mut cursor = Cursor { line, at };
    let bracket = cursor.eat(b'[');
    let weekday = cursor.name(&WEEKDAYS).is_some();
    if weekday {
        cursor.eat(b',');
        cursor.blanks(1)?;
    }
    let month = cursor.name(&MONTHS);
    let mut stamp = match month {
        Some(month) => cursor.month_first(month as u8 + 1)?,
        None => cursor.iso(weekday)?,
    };
    if bracket {
        cursor.expect(b']')?;
    }
    stamp.writer = match (bracket, weekday && month.is_some() && stamp.year.is_some()) {
        (true, _) => Writer::Dmesg,
        (false, true) => Writer::Logread,
        (false, false) => Writer::Syslog,
    };
    cursor.ends(stamp)
}

/// Timestamps of browsers, of journalctl in other languages, and of journalctl -o short-unix.
fn other(line: &[u8], at: usize) -> Option<Stamp> {
    let rest = line.get(at..)?;
    let mut cursor = Cursor { line, at };
    match rest.first()? {
        b'[' => page::stamp(line, at),
        b'0'..=b'9' if rest.iter().take(9).all(u8::is_ascii_digit) => cursor.unix(),
        _ => {
            if let Some((month, length)) = names::month(rest) {
                cursor.at += length;
                let stamp = cursor.month_first(month)?;
                return cursor.ends(stamp);
            }
            cursor.at += names::weekday(rest)?;
            cursor.blanks(1)?;
            let stamp = cursor.iso(true)?;
            cursor.ends(stamp)
        }
    }
}

/// `21/Nov/2026:09:00:00 +0100` of pve-firewall at `at`.
pub fn pve(line: &[u8], at: usize) -> Option<Stamp> {
    let mut cursor = Cursor { line, at };
    let day = cursor.number(2, 2, 1..=31)? as u8;
    cursor.expect(b'/')?;
    let month = cursor.name(&MONTHS)? as u8 + 1;
    cursor.expect(b'/')?;
    let year = cursor.number(4, 4, 1970..=9999)? as i32;
    cursor.expect(b':')?;
    let mut stamp = cursor.time_of_day(Some(year), month, day)?;
    cursor.blanks(1)?;
    stamp.offset = Some(cursor.offset()?);
    stamp.date_in(year)?;
    cursor.ends(stamp)
}

/// A timestamp without `MM:SS` of this instant in Unix seconds; none before 1970 and after 9999.
pub fn of_unix(seconds: i64, end: usize) -> Option<Stamp> {
    let (year, month, day) = Date(i32::try_from(seconds.div_euclid(86_400)).ok()?).to_ymd();
    let second = seconds.rem_euclid(86_400);
    (1970..=9999).contains(&year).then_some(Stamp {
        year: Some(year),
        month: month as u8,
        day: day as u8,
        hour: (second / 3600) as u8,
        minute: (second / 60 % 60) as u8,
        second: (second % 60) as u8,
        offset: Some(0),
        writer: Writer::Syslog,
        minute_at: NOWHERE,
        seconds_end: end,
        end,
    })
}

/// The kernel's `[119160.262669]` at `at`, in microseconds, and where it and the blank behind it end.
/// The thread or CPU that newer kernels may write behind it (`[T123]`, `[    C0]`) is passed over.
#[inline(never)]
pub fn uptime(line: &[u8], at: usize) -> Option<(u64, usize)> {
    let mut text = line.get(at..)?.strip_prefix(b"[")?;
    while let [b' ', rest @ ..] = text {
        text = rest;
    }
    let (seconds, rest) = digits(text)?;
    let fraction = rest.strip_prefix(b".")?;
    let (number, after) = digits(fraction)?;
    let micros = match fraction.len() - after.len() {
        length @ 0..=6 => u64::from(number) * 10u64.pow(6 - length as u32),
        length @ 7..=9 => u64::from(number) / 10u64.pow(length as u32 - 6),
        _ => return None,
    };
    // The largest number stands for all that are too large.
    if seconds == u32::MAX {
        return None;
    }
    let rest = without_caller(without_delta(after).strip_prefix(b"]")?);
    let rest = rest.strip_prefix(b" ").unwrap_or(rest);
    Some((u64::from(seconds) * 1_000_000 + micros, line.len() - rest.len()))
}

/// Behind the time since the line before that `dmesg -d` and `journalctl -o short-delta` write: ` <    0.000001 >`.
fn without_delta(text: &[u8]) -> &[u8] {
    let is_delta = |byte: &u8| matches!(byte, b' ' | b'.' | b'+') || byte.is_ascii_digit();
    let Some(rest) = text.strip_prefix(b" <") else { return text };
    let length = rest.iter().take(32).take_while(|byte| is_delta(byte)).count();
    rest[length..].strip_prefix(b">").map_or(text, |after| after.strip_prefix(b" ").unwrap_or(after))
}

/// Behind the thread or CPU: `[T123]` or `[   C0]`.
fn without_caller(text: &[u8]) -> &[u8] {
    let mut cursor = Cursor { line: text, at: 0 };
    let is_caller = cursor.eat(b'[')
        && cursor.blanks(0).is_some()
        && (cursor.eat(b'T') || cursor.eat(b'C'))
        && cursor.digits(10).is_some()
        && cursor.eat(b']');
    if is_caller { &text[cursor.at..] } else { text }
}

struct Cursor<'a> {
    line: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.line.get(self.at).copied()
    }

    fn peek_at(&self, ahead: usize) -> Option<u8> {
        self.line.get(self.at + ahead).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.eat(byte).then_some(())
    }

    /// At least `least` blanks.
    fn blanks(&mut self, least: usize) -> Option<()> {
        let start = self.at;
        while self.eat(b' ') {}
        (self.at - start >= least).then_some(())
    }

    /// At least one digit; reads at most `most`. The value and the number of digits.
    fn digits(&mut self, most: usize) -> Option<(u64, usize)> {
        let start = self.at;
        let mut value = 0u64;
        while let Some(digit @ b'0'..=b'9') = self.peek()
            && self.at - start < most
        {
            value = value * 10 + u64::from(digit - b'0');
            self.at += 1;
        }
        (self.at > start).then_some((value, self.at - start))
    }

    /// A number of `least..=most` digits within `range`.
    fn number(&mut self, least: usize, most: usize, range: std::ops::RangeInclusive<u64>) -> Option<u64> {
        let (value, length) = self.digits(most)?;
        (length >= least && range.contains(&value)).then_some(value)
    }

    /// One of `names`, without regard to case, and not part of a longer word.
    fn name(&mut self, names: &[&[u8; 3]]) -> Option<usize> {
        let word = self.line.get(self.at..self.at + 3)?;
        if self.peek_at(3).is_some_and(|byte| byte.is_ascii_alphanumeric()) {
            return None;
        }
        let index = names.iter().position(|name| word.eq_ignore_ascii_case(*name))?;
        self.at += 3;
        Some(index)
    }

    fn year(&mut self) -> Option<i32> {
        let start = self.at;
        match self.number(4, 4, 1970..=2199) {
            // Not the beginning of a host's IPv6 address.
            Some(year) if !self.peek().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b':') => {
                Some(year as i32)
            }
            _ => {
                self.at = start;
                None
            }
        }
    }

    /// `15 20:55:15`, with a year before or behind the time of day.
    fn month_first(&mut self, month: u8) -> Option<Stamp> {
        self.blanks(1)?;
        let day = self.number(1, 2, 1..=31)? as u8;
        self.blanks(1)?;
        let before = self.year();
        if before.is_some() {
            self.blanks(1)?;
        }
        let mut stamp = self.time_of_day(before, month, day)?;
        if before.is_none() {
            let end = self.at;
            let zone = self.zone_name();
            if self.eat(b' ')
                && let Some(year) = self.year()
            {
                (stamp.year, stamp.offset) = (Some(year), zone.flatten());
            } else {
                self.at = end;
            }
        }
        Some(stamp)
    }

    /// The timestamp, if it ends here.
    fn ends(&self, mut stamp: Stamp) -> Option<Stamp> {
        stamp.end = self.at;
        matches!(self.peek(), None | Some(b' ' | b'\t')).then_some(stamp)
    }

    /// `1795248000.123456`
    fn unix(&mut self) -> Option<Stamp> {
        let (seconds, _) = self.digits(11)?;
        self.expect(b'.')?;
        self.number(6, 6, 0..=999_999)?;
        let stamp = of_unix(seconds as i64, self.at)?;
        self.ends(stamp)
    }

    /// `2015-03-07T05:09:30.045015+02:00`
    fn iso(&mut self, weekday: bool) -> Option<Stamp> {
        let year = self.number(4, 4, 1970..=9999)? as i32;
        let separator = self.peek().filter(|byte| matches!(byte, b'-' | b'/'))?;
        self.at += 1;
        let month = self.number(2, 2, 1..=12)? as u8;
        self.expect(separator)?;
        let day = self.number(2, 2, 1..=31)? as u8;
        if !(self.eat(b'T') || self.eat(b't') || self.eat(b' ')) {
            return None;
        }
        let mut stamp = self.time_of_day(Some(year), month, day)?;
        stamp.offset = self.zone(weekday);
        Some(stamp)
    }

    fn time_of_day(&mut self, year: Option<i32>, month: u8, day: u8) -> Option<Stamp> {
        let hour = self.number(2, 2, 0..=23)? as u8;
        self.expect(b':')?;
        let minute_at = self.at;
        let minute = self.number(2, 2, 0..=59)? as u8;
        self.expect(b':')?;
        let second = self.number(2, 2, 0..=60)? as u8;
        if let (Some(b'.' | b','), Some(b'0'..=b'9')) = (self.peek(), self.peek_at(1)) {
            self.at += 1;
            while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
                self.at += 1;
            }
        }
        let (offset, writer, seconds_end) = (None, Writer::Syslog, self.at);
        Some(Stamp { year, month, day, hour, minute, second, offset, writer, minute_at, seconds_end, end: 0 })
    }

    /// The zone behind an ISO time: `Z`, `+02:00`, `+0200`, `+02`, these after a blank, or ` UTC`. After a
    /// day of the week (journalctl) also a zone's short name, which says nothing by itself.
    fn zone(&mut self, weekday: bool) -> Option<i32> {
        if self.eat(b'Z') || self.eat(b'z') {
            return Some(0);
        }
        let start = self.at;
        self.eat(b' ');
        if let Some(offset) = self.offset() {
            return Some(offset);
        }
        self.at = start;
        let offset = self.zone_name()?;
        if offset.is_none() && !weekday {
            self.at = start;
        }
        offset
    }

    fn offset(&mut self) -> Option<i32> {
        let sign = match self.peek()? {
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        self.at += 1;
        let hours = self.number(2, 2, 0..=23)? as i32;
        let colon = self.eat(b':');
        let minutes = match self.peek() {
            Some(b'0'..=b'9') => self.number(2, 2, 0..=59)? as i32,
            _ if colon => return None,
            _ => 0,
        };
        matches!(self.peek(), None | Some(b' ' | b'\t' | b']'))
            .then_some(sign * (hours * 3600 + minutes * 60))
    }

    /// A blank and two to five capitals: Some(Some(0)) for UTC, Some(None) for a name such as JST.
    fn zone_name(&mut self) -> Option<Option<i32>> {
        let rest = self.line.get(self.at..)?.strip_prefix(b" ")?;
        let length = rest.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
        if !(2..=5).contains(&length) || !matches!(rest.get(length), None | Some(b' ' | b'\t')) {
            return None;
        }
        self.at += 1 + length;
        Some(matches!(&rest[..length], b"UTC" | b"GMT").then_some(0))
    }
}

#[cfg(test)]
mod tests;
