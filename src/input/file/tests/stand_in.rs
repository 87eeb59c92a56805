//! Lines that are easy to write: `SECONDS text`, `Mon DD text` and `[uptime] text`; `#` is skipped.
//! The same text at the same time within 64 events is a duplicate.

use std::collections::VecDeque;

use crate::event::calendar::{Calendar, Date};
use crate::event::paths::Paths;
use crate::event::{Address, Class, Event, PathId, Verdict};
use crate::input::order::Parser;
use crate::input::source::Language;
use crate::input::year::Stamps;
use crate::parse::line::{FileClock, Outcome};
use crate::parse::uncounted::Uncounted;

pub const STAMPS: Stamps = Stamps { day_without_year, bare_uptime };

pub const LANGUAGE: Language = Language {
    stamps: STAMPS,
    parser: |options, clock| {
        let mut reader = LineReader::new(options.calendar.clone());
        reader.begin_file(clock);
        Box::new(reader)
    },
};

pub struct LineReader {
    calendar: Calendar,
    clock: FileClock,
    month: Option<u8>,
}

impl LineReader {
    pub fn new(calendar: Calendar) -> LineReader {
        LineReader { calendar, clock: FileClock::default(), month: None }
    }

    pub fn begin_file(&mut self, clock: FileClock) {
        self.clock = clock;
        self.month = None;
    }
}

impl Parser for LineReader {
    fn read(&mut self, line: &[u8], _paths: &mut Paths) -> Outcome {
        if line.is_empty() || line.starts_with(b"#") {
            return Outcome::Skipped(None);
        }
        let mut uptime = 0;
        let time = if let Some(microseconds) = bare_uptime(line) {
            uptime = microseconds;
            self.clock.boot.map(|boot| boot + (microseconds / 1_000_000) as i64)
        } else if let Some(month) = month_without_year(line) {
            let year = self.clock.year.unwrap_or(1970);
            let before = self.month.replace(month).unwrap_or(month);
            let year = year + i32::from(month + 6 <= before) - i32::from(month >= before + 6);
            self.clock.year = Some(year);
            let day = std::str::from_utf8(&line[4..6]).ok().and_then(|day| day.trim().parse().ok());
            day.and_then(|day| Date::from_ymd(year, month.into(), day))
                .map(|date| self.calendar.instant(date, 0))
        } else {
            let digits = line.iter().take_while(|byte| byte.is_ascii_digit()).count();
            std::str::from_utf8(&line[..digits]).ok().and_then(|digits| digits.parse().ok())
        };
        let Some(time) = time else { return Outcome::Malformed(Uncounted::Time) };
        let text = line.iter().position(|&byte| byte == b' ').map_or(line, |space| &line[space..]);
        let fingerprint = text.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Outcome::Event(Event {
            time,
            source: Address::v4(0),
            destination: Address::v4(0),
            fingerprint,
            unhashed: false,
            uptime,
            count: 1,
            source_port: 0,
            port: 0,
            length: 0,
            path: PathId(0),
            protocol: 0,
            flags: 0,
            icmp_type: 0,
            icmp_code: 0,
            class: Class::Attempt,
            verdict: Verdict::Unknown,
        })
    }
}

pub fn day_without_year(line: &[u8]) -> Option<(u8, u8)> {
    let month = month_without_year(line)?;
    let digits: String =
        line[3..].iter().take(3).filter(|byte| byte.is_ascii_digit()).map(|&b| b as char).collect();
    Some((month, digits.parse().ok().filter(|day| (1..=31).contains(day)).unwrap_or(1)))
}

pub fn month_without_year(line: &[u8]) -> Option<u8> {
    const NAMES: &[u8] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    let name = line.get(..3).filter(|_| line.get(3) == Some(&b' ') && line.len() > 6)?;
    NAMES.chunks(3).position(|month| month == name).map(|index| index as u8 + 1)
}

pub fn bare_uptime(line: &[u8]) -> Option<u64> {
    let end = line.iter().position(|&byte| byte == b']')?;
    let text = std::str::from_utf8(line.get(1..end).filter(|_| line[0] == b'[')?).ok()?;
    let (seconds, micros) = text.trim().split_once('.')?;
    Some(seconds.parse::<u64>().ok()?.checked_mul(1_000_000)? + micros.parse::<u64>().ok()?)
}

#[derive(Default)]
pub struct Duplicates {
    seen: VecDeque<(i64, u64)>,
}

impl Duplicates {
    pub fn new() -> Self {
        Duplicates::default()
    }

    pub fn is_duplicate(&mut self, event: &Event) -> bool {
        let mark = (event.time, event.fingerprint);
        if self.seen.contains(&mark) {
            return true;
        }
        self.seen.push_back(mark);
        if self.seen.len() > 64 {
            self.seen.pop_front();
        }
        false
    }
}
