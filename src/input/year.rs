//! Completes timestamps without a year, or with an uptime only.
//!
//! Takes a file's lines, the time it was last changed and an offset from which lines will be read;
//! gives the year of the first stamp read there and the wall time of uptime 0. The last stamp is
//! taken to be no later than a day after the file's last change, and the order of the dates tells
//! how often the year changed before it.

use std::io::Read;

use super::lines::{Line, Lines};
use crate::event::calendar::{Calendar, Date};
use crate::parse::line::{FileClock, bare_uptime, day_without_year};

/// A file without such stamps in its first bytes has whole ones: it is not looked through to its end.
const SCAN_BYTES: u64 = 1024 * 1024;

const DAY: i64 = 86_400;
/// A file was changed at most so long after a boot with which it ends.
const RECENT: i64 = 30 * DAY;

/// As much of the beginning of two lines as has to be the same for their months and days to be.
const SAME_STAMP: usize = 10;

/// What is asked of a file.
#[derive(Clone, Copy)]
pub struct Wanted {
    /// The year of the file's first stamp, if the user gave it (`--year`).
    pub year: Option<i32>,
    /// Lines that begin before are not going to be read.
    pub from: u64,
}

/// What was found in a file.
#[derive(Default)]
pub struct Scan {
    month: u8,
    day: u8,
    /// Years passed since the first stamp, now and at the first stamp that will be read.
    years: i32,
    years_at_start: Option<i32>,
    uptime: Option<u64>,
    stamp: [u8; SAME_STAMP],
    /// The month and day before those of the last stamp, if these are of the year after it.
    before_last_turn: Option<(u8, u8)>,
}

impl Scan {
    /// Looks through a file, to its end if need be. `watch` is called with the source from time to time.
    pub fn run<R: Read>(lines: &mut Lines<R>, wanted: Wanted, mut watch: impl FnMut(&R)) -> Scan {
        let mut scan = Scan::default();
        let mut number = 0u64;
        loop {
            let offset = lines.offset();
            if let Some(Line::Whole(line)) = match lines.next_line() {
                None => break,
                line => line,
            } {
                scan.line(line, offset >= wanted.from);
            }
            number += 1;
            if number.is_multiple_of(1024) {
                watch(&lines.source);
            }
            let year_is_known = scan.month > 0 && wanted.year.is_some() && wanted.from == 0;
            if scan.uptime.is_none() && (year_is_known || (scan.month == 0 && offset > SCAN_BYTES)) {
                break;
            }
        }
        scan
    }

    /// Takes the next line; `read`: it will be read.
    pub fn line(&mut self, line: &[u8], read: bool) {
        let same = self.month > 0 && line.len() > SAME_STAMP && line[..SAME_STAMP] == self.stamp;
        if !same {
            match day_without_year(line) {
                Some((month, day)) => self.turn(month, day, line),
                None => {
                    if let Some(uptime) = bare_uptime(line) {
                        self.uptime = self.uptime.max(Some(uptime));
                    }
                    return;
                }
            }
        }
        if read && self.years_at_start.is_none() {
            self.years_at_start = Some(self.years);
        }
    }

    /// A stamp is of the year that brings it nearest to the stamp before, as the line parser has it.
    fn turn(&mut self, month: u8, day: u8, line: &[u8]) {
        if self.month > 0 && (month, day) != (self.month, self.day) {
            let before = day_of_year(self.month, self.day);
            let away = |turn: &i32| (day_of_year(month, day) + turn * 365 - before).abs();
            let turn = [0, 1, -1].into_iter().min_by_key(away).unwrap_or(0);
            self.years = self.years.saturating_add(turn);
            self.before_last_turn = (turn == 1).then_some((self.month, self.day));
        }
        (self.month, self.day) = (month, day);
        if let Some(stamp) = line.first_chunk() {
            self.stamp = *stamp;
        }
    }

    /// `modified`: when the last line was written, at the latest.
    pub fn clock(&self, wanted: Wanted, modified: i64, calendar: &mut Calendar) -> FileClock {
        let mut at_start = self.years_at_start.unwrap_or(self.years);
        let limit = modified.saturating_add(DAY);
        let year = match wanted.year {
            Some(year) => year.saturating_add(at_start),
            None => {
                let (mut last, mut years) = (latest((self.month, self.day), limit, calendar), self.years);
                let before = self.before_last_turn.map(|before| latest(before, limit, calendar));
                if let Some(before) = before
                    && before > last
                    && calendar.instant(before, 0) > limit.saturating_sub(RECENT)
                {
                    // The file ends with a boot before the clock was set, and not in the next year.
                    (last, years) = (before, years.saturating_sub(1));
                    at_start = at_start.min(years);
                }
                last.to_ymd().0.saturating_sub(years.saturating_sub(at_start))
            }
        };
        let boot = self.uptime.map(|uptime| modified.saturating_sub((uptime / 1_000_000) as i64));
        let year_assumed = wanted.year.is_none() && self.month > 0;
        let year = year.clamp(1970, 9999);
        FileClock { year, modified, boot, year_assumed, latest: year_assumed.then_some(limit) }
    }
}

/// The latest date of this month and day that is not after `limit`; of month 0 that of `limit`.
fn latest((month, day): (u8, u8), limit: i64, calendar: &mut Calendar) -> Date {
    let last = calendar.hour_of(limit).date;
    let (year, ..) = last.to_ymd();
    let fits = |year: i32| {
        let date = Date::from_ymd(year, month.into(), day.into())?;
        (calendar.instant(date, 0) <= limit).then_some(date)
    };
    // Every 8 years there is a 29th of February, but around 1900 and 2100.
    (year - 8..=year).rev().find_map(fits).unwrap_or(last)
}

/// Days since the beginning of a year that has 365.
fn day_of_year(month: u8, day: u8) -> i32 {
    let new_year = Date::from_ymd(2001, 1, 1).map_or(0, |date| date.0);
    Date::from_ymd(2001, month.into(), day.min(28).into()).map_or(0, |date| date.0) - new_year
        + i32::from(day.saturating_sub(28))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With a time behind each month and day.
    fn stamped(text: &str) -> String {
        let line = |line: &str| match line.as_bytes() {
            [b'A'..=b'Z', _, _, b' ', _, _, ..] => [&line[..6], " 10:00:00", &line[6..]].concat(),
            _ => line.to_string(),
        };
        text.split_inclusive('\n').map(line).collect()
    }

    /// The clock of a file last changed on this date, read from `from` on, where that is in `text`.
    fn clock(text: &str, modified: &str, wanted: Wanted) -> FileClock {
        let modified = i64::from(Date::parse(modified).unwrap().0) * DAY + DAY / 2;
        let wanted = Wanted { from: stamped(&text[..wanted.from as usize]).len() as u64, ..wanted };
        let text = stamped(text);
        let mut lines = Lines::new(text.as_bytes());
        Scan::run(&mut lines, wanted, |_| {}).clock(wanted, modified, &mut Calendar::utc())
    }

    fn year(text: &str, modified: &str, given: Option<i32>, from: u64) -> i32 {
        clock(text, modified, Wanted { year: given, from }).year
    }

    #[test]
    fn the_last_stamp_is_no_later_than_the_file() {
        assert_eq!(year("Apr  6 a\n", "2020-04-06", None, 0), 2020);
        assert_eq!(year("Apr  7 a\n", "2020-04-06", None, 0), 2020);
        assert_eq!(year("Apr  8 a\n", "2020-04-06", None, 0), 2019);
        assert_eq!(year("Dec 31 a\n", "2020-01-01", None, 0), 2019);
        assert_eq!(year("Jan  1 a\n", "2019-12-31", None, 0), 2020);
        assert_eq!(year("Feb 29 a\n", "2019-05-01", None, 0), 2016);
    }

    #[test]
    fn the_order_of_months_tells_how_many_years() {
        let text =
            "Mar  1 a\nAug  1 a\nDec 31 a\nJan  1 a\nDec 31 late\nJan  1 a\nMay  1 a\nSep  1 a\nJan 20 a\n";
        assert_eq!(year(text, "2020-02-02", None, 0), 2018);
        assert_eq!(year(text, "2020-01-02", None, 0), 2017);
        assert_eq!(year(text, "2020-01-02", Some(2001), 0), 2001);
        let from = text.find("May").unwrap() as u64;
        assert_eq!(year(text, "2020-02-02", None, from), 2019);
        assert_eq!(year(text, "2020-02-02", Some(2001), from), 2002);
    }

    #[test]
    fn a_gap_of_less_than_half_a_year_is_no_turn() {
        assert_eq!(year("Jan  5 a\nJul  1 a\nDec 20 a\n", "2020-12-20", None, 0), 2020);
        assert_eq!(year("Jul 10 a\nJan  2 a\n", "2020-12-20", None, 0), 2019);
        assert_eq!(year("Jan  1 a\nDec 31 late\nJan  1 a\n", "2020-12-20", None, 0), 2020);
        assert_eq!(year("Feb 28 a\nFeb 29 a\nMar  1 a\n", "2020-12-20", None, 0), 2020);
    }

    #[test]
    fn a_boot_before_the_clock_was_set_is_no_turn() {
        let log = "Dec 30 a\nJan  1 a\nJun  1 a\nNov 28 a\n";
        for boot in ["May  5 a\nMay  5 b\n", "Jan  1 a\n"] {
            assert_eq!(year(&format!("Nov 28 a\n{boot}"), "2026-11-29", None, 0), 2026, "{boot}");
            assert_eq!(year(&format!("{log}{boot}"), "2026-11-29", None, 0), 2025, "{boot}");
            assert_eq!(year(&format!("{log}{boot}"), "2026-11-29", None, 9), 2026, "{boot}");
            assert_eq!(year(&format!("{log}{boot}"), "2026-11-29", None, log.len() as u64), 2026, "{boot}");
        }
        // At the beginning, and a later part of a log before an earlier one.
        assert_eq!(year("May  5 a\nNov 28 a\n", "2026-11-29", None, 0), 2027);
        assert_eq!(year("Jan 10 a\nMar 20 a\nOct  1 a\nDec 31 a\n", "2026-04-01", None, 0), 2026);
        // Logs that ended in spring.
        assert_eq!(year("Nov 28 a\nMay  5 a\n", "2026-05-06", None, 0), 2025);
        assert_eq!(year("Nov 28 a\nMay  5 a\nMay  6 a\n", "2026-11-29", None, 0), 2025);
    }

    #[test]
    fn lines_between_without_a_stamp_do_not_matter() {
        let text = format!("{}Dec 30 a\njunk\n[junk\n{}\nJan  2 a", "x\n".repeat(5000), "y".repeat(100_000));
        assert_eq!(year(&text, "2020-01-03", None, 0), 2019);
    }

    #[test]
    fn the_highest_uptime_was_when_the_file_was_changed() {
        let text = "[   10.000001] a\n[  500.999999] b\n[  400.0] c\n";
        let clock = clock(text, "2020-04-06", Wanted { year: None, from: 0 });
        assert_eq!(clock.boot, Some(clock.modified - 500));
    }

    #[test]
    fn whole_stamps_are_not_looked_through_to_the_end() {
        struct Endless(u64);
        impl Read for Endless {
            fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
                self.0 += out.len() as u64;
                out.fill(b'\n');
                Ok(out.len())
            }
        }
        let mut lines = Lines::new(Endless(0));
        Scan::run(&mut lines, Wanted { year: None, from: 0 }, |_| {});
        assert!(lines.source.0 < 2 * SCAN_BYTES);
    }
}
