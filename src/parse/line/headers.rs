//! Headers that repeat from line to line: the kernel's, with the hour they belong to, and those of daemons whose lines are
//! never counted.

use super::super::number::short_number;
use super::super::prefix::Prefix;
use super::super::stamp::Stamp;
use super::super::window::{Text, Window};
use super::LONGEST_CONTEXT;

/// Daemons that are known to log nothing that is counted: capacity of the cache.
const IRRELEVANT: usize = 8;
/// `MM:SS` and a fraction of seven digits.
const LONGEST_CLOCK: usize = 13;

/// Headers of the last lines, so that an equal one is not parsed again.
#[derive(Default)]
pub(super) struct Headers {
    /// The last hit first.
    known: [KnownHeader; 2],
    /// The text between the timestamp and the message in lines of irrelevant daemons.
    irrelevant: [Prefix; IRRELEVANT],
    next_irrelevant: usize,
}

/// The header of a kernel line: `before MM:SS after`, and the first instant of its hour.
#[derive(Default)]
struct KnownHeader {
    before: Prefix,
    after: Prefix,
    hour: i64,
}

impl KnownHeader {
    #[inline(always)]
    fn read(&self, line: Window) -> Option<(i64, usize)> {
        let (second, at) = self.clock(line)?;
        Some((self.hour + i64::from(second), self.after.end_at(line, at)?))
    }

    /// The second of the hour, and where the clock ends.
    #[inline(always)]
    fn clock(&self, line: Window) -> Option<(u32, usize)> {
        let clock_at = self.before.end_at(line, 0)?;
        let second = second_of_hour(line.word(clock_at))?;
        let mut at = clock_at + 5;
        if matches!(line.byte(at), b'.' | b',') {
            at += 1 + short_number(line.word(at + 1))?.1;
        }
        Some((second, at))
    }
}

impl Headers {
    /// Time and place of the message, if the line begins like one of the kernel's last.
    #[inline(always)]
    pub(super) fn read(&mut self, line: Window) -> Option<(i64, usize)> {
        if let Some(found) = self.known[0].read(line) {
            return Some(found);
        }
        let found = self.known[1].read(line)?;
        self.known.swap(0, 1);
        Some(found)
    }

    /// What stands behind the seconds in a line whose header was just read.
    #[inline(always)]
    pub(super) fn fraction<'a>(&self, line: Window<'a>) -> &'a [u8] {
        line.from(self.known[0].before.text().len() + b"MM:SS".len())
    }

    /// Whether the line is an irrelevant daemon's, of an hour that is known.
    #[inline(never)]
    pub(super) fn is_irrelevant(&self, line: Window) -> bool {
        // Those that were not forgotten.
        let mut known = self.known.iter().filter(|known| !known.after.text().is_empty());
        let clock = known.find_map(|known| known.clock(line));
        clock.is_some_and(|(_, at)| self.irrelevant.iter().any(|text| text.end_at(line, at).is_some()))
    }

    /// Remembers the header of a kernel line, whose message begins at `message`.
    pub(super) fn remember(&mut self, line: &[u8], stamp: &Stamp, message: usize, time: i64) {
        let second = i64::from(stamp.minute) * 60 + i64::from(stamp.second);
        // A leap second is not worth it.
        let (Some(before), Some(after)) = (line.get(..stamp.minute_at), line.get(stamp.seconds_end..message))
        else {
            return;
        };
        if stamp.second > 59 || before.len() + LONGEST_CLOCK + after.len() > LONGEST_CONTEXT {
            return;
        }
        // The other one may come again.
        self.known.swap(0, 1);
        let known = &mut self.known[0];
        known.before.set(before);
        known.after.set(after);
        known.hour = time - second;
    }

    /// Remembers a daemon of which no line counts. Only with the blank behind its tag: `foo:` may go on as
    /// `foo:kernel:`, which is another's.
    pub(super) fn remember_irrelevant(&mut self, line: &[u8], stamp: &Stamp, message: usize) {
        let Some(text) = line.get(stamp.seconds_end..message) else { return };
        if text.len() <= LONGEST_CONTEXT && text.ends_with(b" ") {
            self.irrelevant[self.next_irrelevant].set(text);
            self.next_irrelevant = (self.next_irrelevant + 1) % IRRELEVANT;
        }
    }

    /// Known headers stand for a day: another has begun, or the same may mean another.
    pub(super) fn forget(&mut self) {
        self.known.iter_mut().for_each(|known| known.after.set(b""));
    }
}

/// `MM:SS` in seconds. What follows it does not matter.
#[inline(always)]
fn second_of_hour(characters: u64) -> Option<u32> {
    // All at once: the values, and in the high bits what is out of range.
    let values = (characters ^ 0x3030_3030_303a_3030) & 0xff_ffff_ffff;
    let out_of_range = (values + 0x7f7f_7f76_7a7f_767a) | values;
    let [a, b, _, d, e, ..] = values.to_le_bytes().map(u32::from);
    (out_of_range & 0x8080_8080_8080_8080 == 0).then_some(a * 600 + b * 60 + d * 10 + e)
}
