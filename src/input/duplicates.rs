//! One packet logged twice.
//!
//! Takes events in order of time, says which are a packet that was counted before: logged by two rules, once
//! per port of a bridge, or through logd and NFLOG both. Fixed memory.
//!
//! Packets alike to the last byte that came by the same path are a flood, and each counts. So each
//! fingerprint has a count per path, and the largest of these is the number of packets. A sighting that does not raise that number is a duplicate: `A B A B` are 2 packets,
//! `A A A` are 3.
//!
//! Of live inputs, a packet that both have reported is evicted first. So one input can be ahead of the other by some 800
//! packets; beyond that the later one's sighting is [`Sighting::Unknown`].

use crate::event::Event;
use crate::parse::fingerprint_of;

/// Sightings of one packet lie at most this far apart, in seconds.
pub const WINDOW: i64 = 2;
/// Slots for fingerprints. Each fits in two rows; if both are full, the one not seen for longest is evicted.
pub const ENTRIES: usize = ROWS * PER_ROW;

const ROWS: usize = 512;
const PER_ROW: usize = 4;
const PATHS: usize = 4;

/// The packets of the last seconds, by fingerprint, in a table of fixed size.
#[derive(Debug)]
pub struct Duplicates {
    rows: Box<[Row]>,
    /// Of each row its [`PER_ROW`].
    entries: Box<[Entry]>,
    /// Time of the last event of the batch before.
    newest: i64,
}

/// What a sighting says of the packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sighting {
    New,
    /// All of it was counted before under another path.
    Copy,
    /// It is none of those remembered, but so many came in the last seconds that it may be one of the forgotten. It is not
    /// remembered either: if the packet is then seen by an awaited path, that sighting is new. Whoever counts it calls
    /// [`Duplicates::record`].
    Unknown,
}

/// What every look-up needs, in one line of the processor's cache. Times are the low 32 bits of seconds: no two
/// that are compared lie 68 years apart.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(64))]
struct Row {
    fingerprints: [u64; PER_ROW],
    /// The last sightings.
    last: [u32; PER_ROW],
    states: [State; PER_ROW],
    /// The last sighting of the newest evicted packet that another path was still expected to report.
    forgotten: Option<u32>,
}

/// What is to be expected of a remembered packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum State {
    /// The entry is empty.
    #[default]
    Free,
    /// Any number of paths may see it, or none.
    Seen,
    /// Another path will see it, too.
    Awaited,
    /// All paths that were expected to report it have done so.
    Paired,
}

/// What is lost with a remembered packet that has to go, the least last; then its age in seconds.
type Loss = (usize, i32);
const COUNTED_AGAIN: usize = 0;
const MADE_UNKNOWN: usize = 1;
/// Nothing; and the number of places of the row that are free or hold a packet that is over.
const ROOM: usize = 2;

const _: () = assert!(size_of::<Row>() == 64);

/// Where a fingerprint can lie: of two rows, the one with more room, so that they fill alike.
fn rows_of(fingerprint: u64) -> [usize; 2] {
    [fingerprint as usize % ROWS, (fingerprint >> 32) as usize % ROWS]
}

/// How long after `then` is `now`? Negative where it was before.
fn seconds_since(then: u32, now: u32) -> i32 {
    now.wrapping_sub(then).cast_signed()
}

fn is_within_window(then: u32, now: u32) -> bool {
    seconds_since(then, now).unsigned_abs() <= WINDOW as u32
}

impl Row {
    #[inline]
    fn find(&self, fingerprint: u64) -> Option<usize> {
        (0..PER_ROW).find(|&at| self.fingerprints[at] == fingerprint && self.states[at] != State::Free)
    }

    /// The place for another fingerprint, and what is lost with the one that is there: nothing where there is room, and the
    /// more room there is the better, so that rows fill alike.
    #[inline]
    fn place(&self, now: u32) -> (Loss, usize) {
        let age = |at: usize| seconds_since(self.last[at], now);
        let has_room =
            |at: usize| matches!(self.states[at], State::Free | State::Paired) || age(at) > WINDOW as i32;
        let room = (0..PER_ROW).filter(|at| has_room(*at)).count();
        let loss = |at: usize| match self.states[at] {
            State::Free => (ROOM + room, i32::MAX),
            _ if has_room(at) => (ROOM + room, age(at)),
            // If evicted, a packet that another path must still report is reported as unknown then; any other would be counted again.
            State::Awaited => (MADE_UNKNOWN, age(at)),
            _ => (COUNTED_AGAIN, age(at)),
        };
        let worse = |best: (Loss, usize), other: (Loss, usize)| if other.0 > best.0 { other } else { best };
        (1..PER_ROW).map(|at| (loss(at), at)).fold((loss(0), 0), worse)
    }

    /// The table is so full that a packet of the last seconds may have been evicted.
    fn has_forgotten(&self, now: u32) -> bool {
        self.forgotten.is_some_and(|then| seconds_since(then, now) <= WINDOW as i32)
    }
}

/// An empty table.
impl Default for Duplicates {
    fn default() -> Self {
        let (rows, entries) = (vec![Row::default(); ROWS], vec![Entry::default(); ENTRIES]);
        Duplicates { rows: rows.into_boxed_slice(), entries: entries.into_boxed_slice(), newest: i64::MIN }
    }
}

impl Duplicates {
    /// Which events of a batch, in order of time, are duplicates.
    ///
    /// Only what lies within [`WINDOW`] of an event by another path can be one; so most of a quiet log need not be
    /// remembered.
    pub fn mark(&mut self, events: &[Event]) -> Vec<bool> {
        let mut marks = Vec::with_capacity(events.len());
        let is_near = |one: &Event, next: &Event| next.time.saturating_sub(one.time) <= WINDOW;
        // Those near the batch before, and those that the next may be near to, must be remembered in any case.
        let mut is_edge =
            events.first().is_some_and(|first| first.time.saturating_sub(self.newest) <= WINDOW);
        for run in events.chunk_by(is_near) {
            is_edge |= marks.len() + run.len() == events.len();
            let is_kept = is_edge || run.iter().any(|event| event.path != run[0].path);
            marks.extend(run.iter().map(|event| is_kept && self.is_duplicate(event)));
            is_edge = false;
        }
        self.newest = events.last().map_or(self.newest, |last| last.time);
        marks
    }

    /// Whether all of `event` was counted before under another path.
    #[inline]
    pub fn is_duplicate(&mut self, event: &Event) -> bool {
        self.sight(event, event.time, false) == Sighting::Copy
    }

    /// `time`: of the sighting in seconds, by a clock of the caller's choice. `awaited`: this packet will be seen by
    /// another path, too; should it be forgotten before, the other's sighting is reported as [`Sighting::Unknown`].
    #[inline]
    pub fn sight(&mut self, event: &Event, time: i64, awaited: bool) -> Sighting {
        let (fingerprint, time) = (fingerprint_of(event), time as u32);
        let rows = rows_of(fingerprint);
        for number in rows {
            if let Some(place) = self.rows[number].find(fingerprint) {
                return self.sight_again(number, place, event, time, awaited);
            }
        }
        if !awaited && rows.iter().any(|number| self.rows[*number].has_forgotten(time)) {
            return Sighting::Unknown;
        }
        self.enter(fingerprint, event, time, awaited);
        Sighting::New
    }

    /// Remembers a sighting that was [`Sighting::Unknown`], and is counted.
    pub fn record(&mut self, event: &Event, time: i64) {
        self.enter(fingerprint_of(event), event, time as u32, false);
    }

    /// Remembers a packet that is not among those remembered.
    #[inline]
    fn enter(&mut self, fingerprint: u64, event: &Event, time: u32, awaited: bool) {
        let [first, second] = rows_of(fingerprint);
        let (of_first, of_second) = (self.rows[first].place(time), self.rows[second].place(time));
        let (number, place) =
            if of_second.0 > of_first.0 { (second, of_second.1) } else { (first, of_first.1) };
        let row = &mut self.rows[number];
        let last = row.last[place];
        if row.states[place] == State::Awaited
            && row.forgotten.is_none_or(|newest| seconds_since(newest, last) > 0)
        {
            row.forgotten = Some(last);
        }
        row.fingerprints[place] = fingerprint;
        self.begin(number, place, event, time, awaited);
    }

    /// The first sighting in a window.
    #[inline(always)]
    fn begin(&mut self, number: usize, place: usize, event: &Event, time: u32, awaited: bool) {
        let row = &mut self.rows[number];
        row.last[place] = time;
        row.states[place] = if awaited { State::Awaited } else { State::Seen };
        self.entries[number * PER_ROW + place] = Entry::first(event.path.0, event.count, time);
    }

    #[inline(never)]
    fn sight_again(
        &mut self,
        number: usize,
        place: usize,
        event: &Event,
        time: u32,
        awaited: bool,
    ) -> Sighting {
        let row = &mut self.rows[number];
        if !is_within_window(row.last[place], time) {
            self.begin(number, place, event, time, awaited);
            return Sighting::New;
        }
        row.last[place] = time;
        let entry = &mut self.entries[number * PER_ROW + place];
        if !is_within_window(entry.start, time) {
            entry.roll(time);
        }
        let is_copy = entry.sighting(event.path.0, event.count);
        // Of files no path is awaited: any number of rules may have logged a packet.
        if awaited || row.states[place] != State::Seen {
            row.states[place] = if entry.is_level() { State::Paired } else { State::Awaited };
        }
        if is_copy { Sighting::Copy } else { Sighting::New }
    }
}

/// The sightings of a fingerprint.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    /// When the present window began.
    start: u32,
    /// How often each path logged it. A count of 0 is a free place.
    sightings: [Sightings; PATHS],
}

#[derive(Clone, Copy, Debug, Default)]
struct Sightings {
    path: u16,
    /// Seen in the present window.
    now: bool,
    count: u32,
}

impl Entry {
    fn first(path: u16, count: u32, time: u32) -> Entry {
        let mut entry = Entry { start: time, ..Entry::default() };
        entry.sightings[0] = Sightings { path, now: true, count };
        entry
    }

    fn most(&self) -> u32 {
        self.sightings.iter().map(|sightings| sightings.count).max().unwrap_or(0)
    }

    /// Several paths have seen it, each as often.
    fn is_level(&self) -> bool {
        let most = self.most();
        let seen = || self.sightings.iter().filter(|sightings| sightings.count > 0);
        seen().nth(1).is_some() && seen().all(|sightings| sightings.count == most)
    }

    fn sighting(&mut self, path: u16, count: u32) -> bool {
        let most = self.most();
        let known = self.sightings.iter().position(|s| s.path == path && s.count > 0);
        let index = known.unwrap_or_else(|| {
            let fewest = (0..PATHS).min_by_key(|&index| self.sightings[index].count).unwrap_or(0);
            self.sightings[fewest].count = 0;
            fewest
        });
        let sightings = &mut self.sightings[index];
        (sightings.path, sightings.now) = (path, true);
        sightings.count = sightings.count.saturating_add(count);
        sightings.count <= most
    }

    /// Begins a new window in a flood that goes on. Paths keep only how far they are ahead of each other,
    /// so that a path that lags behind stays paired, and one that joins later starts level.
    fn roll(&mut self, time: u32) {
        let seen = self.sightings.iter().filter(|s| s.now && s.count > 0).map(|s| s.count);
        let base = seen.min().unwrap_or(0).min(self.most().saturating_sub(1));
        for sightings in &mut self.sightings {
            sightings.count = if sightings.now { sightings.count.saturating_sub(base) } else { 0 };
            sightings.now = false;
        }
        self.start = time;
    }
}

#[cfg(test)]
mod tests;
