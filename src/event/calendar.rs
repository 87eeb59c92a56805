//! Days, months and a time zone: from instants to the local day and hour and back.
//!
//! Takes seconds since 1970 and a zone's rules, returns dates and hours. Reads no clock.

use std::fmt;

#[cfg(feature = "files")]
use jiff::tz::Offset;
use jiff::tz::TimeZone;
use jiff::{Timestamp, civil};

/// A local calendar day, counted from 1970-01-01 (day 0).
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Date(pub i32);

/// A calendar month, counted from January of year 0.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Month(pub i32);

impl Date {
    /// The day with this year, month (1..=12) and day of the month, if there is one
    /// and the year is within 1970..=9999.
    pub fn from_ymd(year: i32, month: u32, day: u32) -> Option<Date> {
        let valid = civil::Date::new(year.try_into().ok()?, month.try_into().ok()?, day.try_into().ok()?);
        if !(1970..=9999).contains(&year) || valid.is_err() {
            return None;
        }
        // Days from civil, proleptic Gregorian, with March as the first month of the year.
        let y = year - (month <= 2) as i32;
        let era = y.div_euclid(400);
        let year_of_era = y.rem_euclid(400);
        let month_from_march = (month as i32 + 9) % 12;
        let day_of_year = (153 * month_from_march + 2) / 5 + day as i32 - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        Some(Date(era * 146_097 + day_of_era - 719_468))
    }

    /// Year, month (1 to 12), day (1 to 31).
    pub fn to_ymd(self) -> (i32, u32, u32) {
        let z = self.0.saturating_add(719_468);
        let era = z.div_euclid(146_097);
        let day_of_era = z.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = year_of_era + era * 400 + (month <= 2) as i32;
        (year, month as u32, day as u32)
    }

    /// The month that the day belongs to.
    pub fn month(self) -> Month {
        let (year, month, _) = self.to_ymd();
        Month(year * 12 + month as i32 - 1)
    }

    /// Reads `YYYY-MM-DD`.
    pub fn parse(text: &str) -> Option<Date> {
        let bytes = text.as_bytes();
        if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
            return None;
        }
        let number = |range: std::ops::Range<usize>| -> Option<u32> {
            bytes[range]
                .iter()
                .try_fold(0u32, |sum, &b| b.is_ascii_digit().then(|| sum * 10 + (b - b'0') as u32))
        };
        Date::from_ymd(number(0..4)? as i32, number(5..7)?, number(8..10)?)
    }
}

impl Month {
    /// Reads `YYYY-MM`.
    pub fn parse(text: &str) -> Option<Month> {
        if text.len() != 7 || !text.is_ascii() {
            return None;
        }
        Date::parse(&format!("{text}-01")).map(Date::month)
    }

    /// Its first day; day 0 for a month out of 1970..=9999.
    pub fn first_day(self) -> Date {
        let (year, month) = (self.0.div_euclid(12), self.0.rem_euclid(12) as u32 + 1);
        Date::from_ymd(year, month, 1).unwrap_or(Date(0))
    }

    /// Its last day.
    pub fn last_day(self) -> Date {
        Date(Month(self.0 + 1).first_day().0 - 1)
    }

    /// The same month of the year before.
    pub fn year_before(self) -> Month {
        Month(self.0 - 12)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.to_ymd();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.0.div_euclid(12), self.0.rem_euclid(12) + 1)
    }
}

/// A local hour of one day.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Hour {
    pub date: Date,
    /// 0..=23, local time.
    pub hour: u8,
}

/// The name of the system's zone if it is unknown.
const LOCAL: &str = "local";

/// A time zone that caches the last hour, since almost every instant falls
/// into the same hour as the one before.
#[derive(Clone, Debug)]
pub struct Calendar {
    zone: TimeZone,
    name: String,
    /// Instants `start..end` all fall into `hour`.
    start: i64,
    end: i64,
    hour: Hour,
}

impl Default for Calendar {
    fn default() -> Calendar {
        Calendar::utc()
    }
}

impl Calendar {
    /// A zone from a POSIX string such as `JST-9` or `CET-1CEST,M3.5.0,M10.5.0/3`
    /// (POSIX.1-2017, 8.3; RFC 8536, 3.3.1) or, in builds that read log files, an IANA name such as `Asia/Tokyo`.
    /// IANA names need the zone files below `/usr/share/zoneinfo`.
    pub fn new(name: &str) -> Result<Calendar, String> {
        let name = if name.is_empty() { "UTC" } else { name };
        let zone = match name {
            "UTC" => Ok(TimeZone::UTC),
            _ => TimeZone::posix(name).or_else(|_| TimeZone::get(name)),
        };
        let names = match cfg!(feature = "files") {
            true => {
                ", or an IANA name such as Asia/Tokyo (which needs the zone files in /usr/share/zoneinfo)"
            }
            false => "; only fwstat-full takes IANA names",
        };
        let unknown = |_| format!("unknown time zone '{name}': give a POSIX zone such as JST-9{names}");
        Ok(Calendar::with_zone(zone.map_err(unknown)?, name))
    }

    /// A calendar without offset.
    pub fn utc() -> Calendar {
        Calendar::with_zone(TimeZone::UTC, "UTC")
    }

    /// The zone with this name of the system's, see [`crate::sys::zone`]. Without one, in builds that read log files,
    /// `/etc/localtime`, which OpenWrt does not have; else UTC.
    pub fn system(name: Option<&str>) -> Calendar {
        match name.map(Calendar::new) {
            Some(Ok(calendar)) => calendar,
            _ => Calendar::of_zone_files(),
        }
    }

    #[cfg(feature = "files")]
    fn of_zone_files() -> Calendar {
        let zone = TimeZone::system();
        let is_utc = zone.is_unknown()
            || zone.to_fixed_offset().is_ok_and(|offset| offset == Offset::UTC)
            || zone.iana_name() == Some("Etc/UTC");
        // A build without zone files cannot read the name `Etc/UTC` again.
        let name = if is_utc { "UTC" } else { zone.iana_name().unwrap_or(LOCAL) }.to_string();
        Calendar::with_zone(zone, &name)
    }

    #[cfg(not(feature = "files"))]
    fn of_zone_files() -> Calendar {
        Calendar::utc()
    }

    /// The name for which [`Calendar::new`] returns this zone, if it has one.
    pub fn reusable_name(&self) -> Option<&str> {
        (self.name != LOCAL).then_some(&self.name)
    }

    fn with_zone(zone: TimeZone, name: &str) -> Calendar {
        let hour = Hour { date: Date(0), hour: 0 };
        Calendar { zone, name: name.to_string(), start: 0, end: 0, hour }
    }

    /// The zone as it was given, `UTC`, or `local`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The local day and hour of an instant. Instants outside 1970..=9999 give the nearest one.
    #[inline]
    pub fn hour_of(&mut self, time: i64) -> Hour {
        if !(self.start..self.end).contains(&time) {
            self.look_up(time);
        }
        self.hour
    }

    #[cold]
    fn look_up(&mut self, time: i64) {
        let time = time.clamp(0, 253_370_764_800);
        let offset = i64::from(self.offset(time));
        let local = time + offset;
        let hour = Hour {
            date: Date(local.div_euclid(86_400) as i32),
            hour: (local.rem_euclid(86_400) / 3600) as u8,
        };
        // The clock hour is one run of instants unless the zone's offset changes within it;
        // zones change their offset on a quarter of an hour.
        let start = time - local.rem_euclid(900);
        let (mut from, mut to) = (start, start + 900);
        let hour_start = time - local.rem_euclid(3600);
        if self.offset(hour_start) as i64 == offset && self.offset(hour_start + 3599) as i64 == offset {
            (from, to) = (hour_start, hour_start + 3600);
        }
        (self.start, self.end, self.hour) = (from, to, hour);
    }

    /// Seconds east of UTC at an instant.
    pub fn offset(&self, time: i64) -> i32 {
        match Timestamp::from_second(time) {
            Ok(instant) => self.zone.to_offset(instant).seconds(),
            Err(_) => 0,
        }
    }

    /// The instant of a local date and time of day (seconds, 0..86400). A time that a zone skips has the offset before
    /// the gap; one that occurs twice is the first.
    pub fn instant(&self, date: Date, second: u32) -> i64 {
        let (year, month, day) = date.to_ymd();
        // Of the hour, whose seconds are counted through a change of the offset within it.
        let hour = second / 3600;
        let civil = civil::DateTime::new(year as i16, month as i8, day as i8, hour as i8, 0, 0, 0);
        let start =
            match civil.ok().and_then(|civil| self.zone.to_ambiguous_timestamp(civil).compatible().ok()) {
                Some(instant) => instant.as_second(),
                None => i64::from(date.0) * 86_400 + i64::from(hour) * 3600,
            };
        start + i64::from(second % 3600)
    }

    /// An instant as RFC 3339 with the zone's offset, such as `2020-04-06T13:02:11+09:00`.
    pub fn rfc3339(&self, time: i64) -> String {
        let offset = self.offset(time);
        let local = time + i64::from(offset);
        let date = Date(local.div_euclid(86_400) as i32);
        let second = local.rem_euclid(86_400);
        let (sign, away) = if offset < 0 { ('-', -offset) } else { ('+', offset) };
        format!(
            "{date}T{:02}:{:02}:{:02}{sign}{:02}:{:02}",
            second / 3600,
            second / 60 % 60,
            second % 60,
            away / 3600,
            away / 60 % 60
        )
    }
}

/// Seconds in the largest unit without a remainder: `90s`, `10m`, `1h`, `7d`.
pub fn duration_text(seconds: u64) -> String {
    let units = [(86_400, 'd'), (3600, 'h'), (60, 'm')];
    match units.into_iter().find(|(unit, _)| seconds > 0 && seconds.is_multiple_of(*unit)) {
        Some((unit, letter)) => format!("{}{letter}", seconds / unit),
        None => format!("{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_go_both_ways() {
        for (text, number) in
            [("1970-01-01", 0), ("2000-02-29", 11_016), ("2020-04-06", 18_358), ("9999-12-31", 2_932_896)]
        {
            assert_eq!(Date::parse(text), Some(Date(number)));
            assert_eq!(Date(number).to_string(), text);
        }
        for day in -1..2_932_897 {
            let (year, month, dom) = Date(day).to_ymd();
            assert_eq!(Date::from_ymd(year, month, dom), (day >= 0).then_some(Date(day)));
        }
    }

    #[test]
    fn impossible_dates_are_none() {
        for text in ["2019-02-29", "2020-13-01", "2020-00-10", "2020-1-01", "20200101xx", "2020-01-0x"] {
            assert_eq!(Date::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_posix_zone_has_its_sign_reversed() {
        let mut tokyo = Calendar::new("JST-9").unwrap();
        let hour = tokyo.hour_of(1_586_145_600); // 2020-04-06T04:00:00Z
        assert_eq!((hour.date.to_string().as_str(), hour.hour), ("2020-04-06", 13));
        assert_eq!(tokyo.rfc3339(1_586_145_731), "2020-04-06T13:02:11+09:00");
        assert_eq!(tokyo.instant(hour.date, 13 * 3600 + 131), 1_586_145_731);
    }

    #[cfg(feature = "files")]
    #[test]
    fn an_iana_name_is_read_from_the_zone_files() {
        let mut tokyo = Calendar::new("Asia/Tokyo").unwrap();
        assert_eq!(tokyo.hour_of(1_586_145_600).hour, 13);
        assert_eq!(tokyo.name(), "Asia/Tokyo");
        let error = Calendar::new("Asia/Nowhere").unwrap_err();
        assert!(error.contains("unknown time zone 'Asia/Nowhere'"), "{error}");
    }

    #[test]
    fn days_of_23_and_25_hours_lose_and_double_nothing() {
        let mut berlin = Calendar::new("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        for (text, hours) in [("2020-03-29", 23), ("2020-10-25", 25), ("2020-06-01", 24)] {
            let date = Date::parse(text).unwrap();
            let (start, end) = (berlin.instant(date, 0), berlin.instant(Date(date.0 + 1), 0));
            assert_eq!((end - start) / 3600, hours, "{text}");
            for time in start..end {
                assert_eq!(berlin.hour_of(time).date, date);
            }
            assert_ne!(berlin.hour_of(end).date, date);
        }
    }

    #[test]
    fn zones_with_odd_offsets_change_the_hour_on_time() {
        let mut kathmandu = Calendar::new("<+0545>-5:45").unwrap();
        for time in 0..90_000 {
            let local = time + 5 * 3600 + 45 * 60;
            assert_eq!(i64::from(kathmandu.hour_of(time).hour), local % 86_400 / 3600);
        }
    }

    #[test]
    fn months_know_their_ends() {
        let month = Month::parse("2020-02").unwrap();
        assert_eq!(month.last_day().to_string(), "2020-02-29");
        assert_eq!(month.year_before().to_string(), "2019-02");
        assert_eq!(Month::parse("2020-13"), None);
    }
}
