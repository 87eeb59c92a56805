//! Days and stamps, by the civil calendar alone: a log has no zone here.

use std::fmt;

/// Days since 1970-01-01.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Day(pub i64);

pub const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];

impl Day {
    pub fn of(year: i64, month: i64, day: i64) -> Day {
        let before = |year: i64| year * 365 + (year + 3) / 4 - (year + 99) / 100 + (year + 399) / 400;
        let months: i64 = (1..month).map(|month| days_of(year, month)).sum();
        Day(before(year) - before(1970) + months + day - 1)
    }

    pub fn civil(self) -> (i64, i64, i64) {
        let mut year = 1970 + self.0 / 366;
        while Day::of(year + 1, 1, 1) <= self {
            year += 1;
        }
        let mut month = 1;
        while month < 12 && Day::of(year, month + 1, 1) <= self {
            month += 1;
        }
        (year, month, self.0 - Day::of(year, month, 1).0 + 1)
    }

    pub fn month(self) -> String {
        self.to_string()[..7].to_string()
    }

    pub fn weekday(self) -> &'static str {
        WEEKDAYS[self.0.rem_euclid(7) as usize]
    }

    pub fn days_until(self, end: Day) -> impl Iterator<Item = Day> {
        (self.0..end.0).map(Day)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.civil();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

pub fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// `HH:MM:SS` of a second of the day.
pub fn clock(second: u32) -> Clock {
    Clock(second)
}

pub struct Clock(u32);

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}:{:02}", self.0 / 3600, self.0 / 60 % 60, self.0 % 60)
    }
}
