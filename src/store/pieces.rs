//! Open days on flash and in RAM: the pieces and the copy.
//!
//! Flash has an open day in pieces, `today-2026-11-22-003.fws`: each has what was counted since the previous piece, so
//! that an hour's commit writes that hour's events only; their sum is the day. The copy in RAM is one file with
//! everything that flash may lack. An import leaves its first and last day as one piece each, so that more can be added
//! exactly.

use std::io::{self, Seek, Write};
use std::path::Path;

use crate::event::calendar::Date;
use crate::stats::day::{Day, Samples};
use crate::stats::deferred::Deferred;
use crate::stats::sum::sum_of_day;
use crate::stats::summary::DaySummary;

use super::codec::{self, Codec, Content};
use super::container::{self, Kind, Open, Section};
use super::deferred;
use super::directory::{Directory, Disk};
use super::sections::{self, StoredDay, Unit};

/// Which piece of an open day it is, also of a directory that took the place of another.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PieceId {
    /// Of the store of an import's piece, which has neither boot nor serial; else 0.
    pub salt: u64,
    /// Its day and number.
    pub key: (Date, u32),
    pub boot: String,
    pub serial: u64,
}

impl PieceId {
    /// Whether an import wrote the piece.
    pub fn is_import(&self) -> bool {
        self.serial == 0
    }
}

/// The state of counting when it was saved.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct State {
    /// Higher than in all earlier pieces and copies of the boot, see [`State::rank`]. 0: an import's.
    pub serial: u64,
    /// The kernel's boot id: the ids of logd's entries restart with each boot.
    pub boot: String,
    /// The last entry of logd that was counted: its id and time.
    pub mark: Option<(u32, i64)>,
    /// The open day.
    pub date: Option<Date>,
    /// Wall clock minus boot clock in seconds, if the wall clock was trusted.
    pub trusted_offset: Option<i64>,
    /// Whether flash has everything that this file has of the open day.
    pub on_flash: bool,
    /// Bytes written to flash on `date` so far.
    pub written: u64,
    /// Of a copy: events dated up to this time (milliseconds since 1970) were taken out of `later.fws`.
    pub due: u64,
    /// Of a copy: the pieces of imports and of earlier boots that it contains.
    pub restored: Vec<PieceId>,
    /// Of a copy: the serial of the commit in progress. If flash has it, it has the copy's closed days.
    pub committing: Option<u64>,
}

/// Packets that the inputs lost, by day.
type Lost = Vec<(Date, u64)>;

/// `lost`: of the days of the file.
fn code_state(codec: &mut Codec<'_>, (state, lost): &mut (State, Lost)) {
    codec.number(&mut state.serial);
    codec.text(&mut state.boot);
    let (mut id, mut time) = state.mark.map(|(id, time)| (id.into(), time)).unzip();
    codec.optional(&mut id);
    codec.signed(time.get_or_insert(0));
    state.mark = id.and_then(|id| u32::try_from(id).ok()).zip(time);
    let mut date = state.date.map(|date| u64::from(date.0.cast_unsigned()));
    codec.optional(&mut date);
    state.date = date.and_then(|date| i32::try_from(date).ok()).map(Date);
    codec.known(&mut state.trusted_offset, Codec::signed);
    codec.flag(&mut state.on_flash);
    codec.number(&mut state.written);
    codec.number(&mut state.due);
    codec.rows(&mut state.restored, PieceId::default(), |codec, id| {
        codec.number(&mut id.salt);
        codec.date(&mut id.key.0);
        codec.small(&mut id.key.1);
        codec.text(&mut id.boot);
        codec.number(&mut id.serial);
    });
    codec.optional(&mut state.committing);
    codec.rows(lost, (Date(0), 0), |codec, (date, lost)| {
        codec.date(date);
        codec.number(lost);
    });
}

impl State {
    /// The state of the highest rank is the newest. `boot`: this one's id. Each store counts its serials by itself, so
    /// whatever another boot left is older.
    pub fn rank(&self, boot: &str) -> (bool, u64) {
        (self.boot == boot, self.serial)
    }

    fn encode(&self, lost: &[(Date, u64)]) -> Content {
        Content::of(|codec| code_state(codec, &mut (self.clone(), lost.to_vec())))
    }

    fn decode(bytes: &[u8]) -> Option<(State, Lost)> {
        codec::decode(bytes, Default::default(), code_state)
    }
}

/// The state and days of an earlier run.
#[derive(Default)]
pub struct Saved {
    /// Parts of days, in no order: the sum of the parts of a day is the day.
    pub days: Vec<StoredDay>,
    /// Events that waited for the wall clock.
    pub deferred: Deferred,
    pub state: State,
    /// Whether a part could not be read.
    pub damaged: bool,
}

/// A piece with a part of an open day.
pub fn encode_part(salt: u64, state: &State, day: &mut DaySummary, samples: &mut Samples) -> Vec<u8> {
    let of_day = (day.date, day.lost);
    let samples = sections::encode_samples(day.date, samples, Section::packed);
    let rows = sections::encode(std::slice::from_mut(day), None, Unit::Seconds, Section::packed);
    encode(salt, state, of_day, rows.chain([samples]))
}

/// A piece with a whole open day.
pub fn encode_day(salt: u64, state: &State, day: &Day) -> Vec<u8> {
    encode(salt, state, (day.date, day.lost), sections::encode_open(day, Section::packed))
}

/// A piece with the sections of a day. `lost`: see [`Day::lost`].
pub fn encode(
    salt: u64,
    state: &State,
    (date, lost): (Date, u64),
    sections: impl IntoIterator<Item = Section>,
) -> Vec<u8> {
    let state = Section::plain(Kind::State, state.encode(&[(date, lost)]));
    container::write(salt, [state].into_iter().chain(sections).collect())
}

/// The copy in RAM: closed days that flash lacks, the open day, and events that wait for the wall clock. It is written
/// section by section.
pub struct RamCopy<'a> {
    pub salt: u64,
    pub state: State,
    pub closed: Vec<DaySummary>,
    pub open: Option<&'a Day>,
    pub waiting: &'a Deferred,
}

impl RamCopy<'_> {
    /// Writes the file, not deflated, since it is written each minute.
    pub fn write(mut self, out: impl Write + Seek) -> io::Result<()> {
        let lost = self.closed.iter().map(|day| (day.date, day.lost));
        let lost: Lost = lost.chain(self.open.iter().map(|day| (day.date, day.lost))).collect();
        let mut rows = self.open;
        // A part of the same date may be closed, if the clock stepped back. A file has each date once.
        if let Some(open) = self.open
            && let Some(same) = self.closed.iter_mut().find(|closed| closed.date == open.date)
        {
            *same = sum_of_day(same, &open.to_summary());
            // A part with a sample is a closed day.
            same.classes.iter_mut().for_each(|class| class.sample = None);
            rows = None;
        }
        let samples = || match self.open {
            Some(open) => sections::encode_samples(open.date, &mut open.samples(), Section::plain),
            None => Section::plain(Kind::Addresses, Content::default()),
        };
        let sections = std::iter::once_with(|| Section::plain(Kind::State, self.state.encode(&lost)))
            .chain(std::iter::once_with(|| Section::plain(Kind::Deferred, deferred::encode(self.waiting))))
            .chain(sections::encode(&mut self.closed, rows, Unit::Seconds, Section::plain))
            .chain(std::iter::once_with(samples));
        container::write_each(out, self.salt, sections::KINDS.len() + 3, sections)
    }
}

/// The content of a piece or copy; `None` if its state cannot be read.
pub fn decode(file: &Open) -> Option<Saved> {
    let (state, lost) = State::decode(&file.section(Kind::State).ok()??)?;
    let waiting = deferred::from_file(file);
    let (mut days, whole) = sections::decode(file, Unit::Seconds);
    for (date, lost) in lost.into_iter().filter(|(_, lost)| *lost > 0) {
        let at = days.iter().position(|day| day.summary.date == date).unwrap_or_else(|| {
            days.push(StoredDay { summary: DaySummary::new(date), samples: Samples::default() });
            days.len() - 1
        });
        days[at].summary.lost = lost;
    }
    let damaged = waiting.is_none() || !whole;
    Some(Saved { days, deferred: waiting.unwrap_or_default(), state, damaged })
}

/// The name of the copy in RAM, in the run directory of the daemon.
pub const RAM_COPY: &str = "today.fws";

/// The copy in RAM; `None`: missing, damaged or no regular file.
pub fn open_copy(run: &Path) -> Option<Open> {
    let bytes = Directory::Disk(Disk::open(run).ok()?).read(RAM_COPY).ok()??;
    Open::from_bytes(bytes).ok()
}

/// [`State::due`] of the copy in RAM, if there is one of the store with this salt; else 0.
pub fn taken_of_later(run: &Path, salt: u64) -> u64 {
    let state = |file: Open| State::decode(&file.section(Kind::State).ok()??);
    let copy = open_copy(run).filter(|file| file.salt == salt);
    copy.and_then(state).map_or(0, |(state, _)| state.due)
}

/// The name of a piece.
pub fn name_of(date: Date, number: u32) -> String {
    format!("today-{date}-{number:03}.fws")
}

/// The day and number of a piece.
pub fn parse_name(name: &str) -> Option<(Date, u32)> {
    let (date, number) = name.strip_prefix("today-")?.strip_suffix(".fws")?.rsplit_once('-')?;
    Some((Date::parse(date)?, number.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Address, Class, Event};
    use proptest::prelude::*;

    #[test]
    fn a_copy_comes_back() {
        let state = State {
            serial: 7,
            boot: "b".into(),
            mark: Some((u32::MAX, -1)),
            date: Some(Date(20_000)),
            trusted_offset: Some(-5),
            on_flash: true,
            written: 70_000,
            due: 5,
            restored: vec![
                PieceId { salt: u64::MAX, key: (Date(20_000), 3), ..PieceId::default() },
                PieceId { salt: 0, key: (Date(20_000), 0), boot: "a".into(), serial: 4 },
            ],
            committing: Some(6),
        };
        for state in [state, State::default()] {
            let lost = vec![(Date(7), 9)];
            assert_eq!(State::decode(&state.encode(&lost).bytes), Some((state, lost)));
        }
        let mut day = Day::new(Date(20_000), 3);
        for host in 0..1000 {
            let source = Address::v4(host);
            let event = Event {
                time: 20_000 * 86_400 + 77,
                source,
                port: 23,
                protocol: 6,
                count: 2,
                ..Event::default()
            };
            day.add(&event, 5);
        }
        // Alone, beside another day that is over, and beside a part of the same day that is.
        for closed in [None, Some(Date(19_999)), Some(Date(20_000))] {
            let closed: Vec<DaySummary> = closed
                .into_iter()
                .map(|date| {
                    let mut part = Day::new(date, 3);
                    let (time, source) = (i64::from(date.0) * 86_400 + 5, Address::v4(5000));
                    let event = Event { time, source, count: 7, ..Event::default() };
                    part.add(&event, 1);
                    part.to_closed()
                })
                .collect();
            let mut bytes = std::io::Cursor::new(Vec::new());
            let (state, waiting) = (State::default(), Deferred::default());
            let copy =
                RamCopy { salt: 3, state, closed: closed.clone(), open: Some(&day), waiting: &waiting };
            copy.write(&mut bytes).unwrap();
            let saved = decode(&Open::from_bytes(bytes.into_inner()).unwrap()).unwrap();
            assert!(!saved.damaged);
            let mut again = Day::new(Date(20_000), 3);
            let mut expected = day.clone();
            for part in saved.days {
                match closed.first().filter(|closed| closed.date == part.summary.date) {
                    Some(closed) if closed.date != day.date => {
                        assert_eq!(
                            part.summary.class(Class::Attempt).sources,
                            closed.class(Class::Attempt).sources
                        );
                    }
                    _ => again.add_summary(&part.summary, &part.samples),
                }
            }
            for closed in closed.iter().filter(|closed| closed.date == day.date) {
                expected.add_summary(closed, &Samples::default());
            }
            assert_eq!(again.to_summary(), expected.to_summary());
        }
        let part = encode_part(3, &State::default(), &mut day.to_summary(), &mut day.samples());
        let whole = encode_day(3, &State::default(), &day);
        for bytes in [part, whole] {
            let saved = decode(&Open::from_bytes(bytes).unwrap()).unwrap();
            let mut again = Day::new(Date(20_000), 3);
            saved.days.iter().for_each(|part| again.add_summary(&part.summary, &part.samples));
            assert_eq!(again.to_summary(), day.to_summary());
        }
    }

    #[test]
    fn names_tell_day_and_number() {
        let date = Date::parse("2026-11-22").unwrap();
        assert_eq!(parse_name(&name_of(date, 3)), Some((date, 3)));
        assert_eq!(parse_name(&name_of(date, 4711)), Some((date, 4711)));
        assert_eq!(parse_name("today-2026-11-22.fws"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = State::decode(&bytes);
        }
    }
}
