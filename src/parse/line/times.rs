//! The time of a line: from a timestamp with or without a year, an uptime, or the file's time of change.

use super::super::stamp::Stamp;
use super::*;

impl LineReader {
    /// Unix seconds of a line without a timestamp: by the kernel's uptime if it has one, else the file's time.
    pub(super) fn time_without_stamp(&mut self, message: &[u8]) -> i64 {
        match uptime(message, 0) {
            Some((micros, _)) => self.time_of_uptime(micros),
            None => self.time_of_file(),
        }
    }

    /// For a line that has no time at all.
    pub(super) fn time_of_file(&mut self) -> i64 {
        self.undated = self.undated.saturating_add(1);
        self.clock.modified
    }

    /// Unix seconds of microseconds since boot, by the file's clock.
    pub(super) fn time_of_uptime(&self, micros: u64) -> i64 {
        let since = |boot: i64| boot.saturating_add((micros / 1_000_000) as i64);
        self.clock.boot.map_or(self.clock.modified, since)
    }

    /// The instant of a stamp. One without a year gets the year that brings it nearest to the stamp before. If it then is
    /// later than the file, the clock was not set yet: it gets the instant of a stamp before, or is the file's first, of
    /// the year before. None: a day that this year does not have.
    pub(super) fn time_of(&mut self, stamp: &Stamp) -> Option<i64> {
        let date = match (stamp.year, self.previous) {
            (Some(year), _) => stamp.date_in(year),
            (None, Some((previous, _))) => {
                let (year, _, _) = previous.to_ymd();
                // 29 February stands for the day before in years that do not have it, to find the year.
                let day = |year: &i32| {
                    let day = stamp.date_in(*year).or_else(|| Date::from_ymd(*year, stamp.month.into(), 28));
                    day.map_or(u32::MAX, |day| day.0.abs_diff(previous.0))
                };
                [year, year + 1, year - 1].into_iter().min_by_key(day).and_then(|year| stamp.date_in(year))
            }
            (None, None) => stamp.date_in(self.clock.year),
        };
        let date = date?;
        let mut time = self.instant(stamp, date);
        if stamp.year.is_none() && self.clock.latest.is_some_and(|latest| time > latest) {
            match self.previous {
                Some((_, before)) => return Some(before),
                None => time = self.instant(stamp, stamp.date_in(date.to_ymd().0 - 1)?),
            }
        }
        if self.previous.is_none_or(|(previous, _)| previous != date) {
            // Known headers stand for a day that may have another year now.
            self.headers.forget();
        }
        self.previous = Some((date, time));
        Some(time)
    }

    fn instant(&mut self, stamp: &Stamp, date: Date) -> i64 {
        match stamp.offset {
            Some(offset) => i64::from(date.0) * 86_400 + i64::from(stamp.second_of_day()) - i64::from(offset),
            None => self.calendar.instant(date, stamp.second_of_day()),
        }
    }
}

/// Gives an event without the kernel's timestamp (Ubuntu since 24.04) the log's timestamp in its place, as far as that has
/// microseconds: copies of one message in several files are recognised by it. `fraction`: the text after the seconds.
pub(super) fn with_log_timestamp(outcome: Outcome, fraction: &[u8]) -> Outcome {
    match outcome {
        Outcome::Event(event) if event.uptime == 0 && event.class != Class::Login => {
            Outcome::Event(Event { uptime: micros_of(event.time, fraction), ..event })
        }
        outcome => outcome,
    }
}

/// Microseconds since 1970, which no uptime reaches; 0 if the fraction is none, has fewer digits, or is zero as collectors
/// write it that know none.
#[inline(always)]
pub(super) fn micros_of(time: i64, fraction: &[u8]) -> u64 {
    let [b'.' | b',', digits @ ..] = fraction else { return 0 };
    let Some(digits) = digits.first_chunk::<6>().filter(|digits| digits.iter().all(u8::is_ascii_digit))
    else {
        return 0;
    };
    let micros = digits.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    let since_1970 = u64::try_from(time).unwrap_or(0).saturating_mul(1_000_000);
    if micros == 0 { 0 } else { since_1970.saturating_add(micros) }
}
