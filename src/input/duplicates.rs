//! One packet logged twice.
//!
//! Takes events in order of time, says which are a packet that was counted before: logged by two rules, once
//! per port of a bridge, or through logd and NFLOG both. Fixed memory.
//!
//! Packets alike to the last byte that came by the same path are a flood, and each counts. So for a
//! fingerprint it is kept how often each path logged it: there were as many packets as the path with the
//! most sightings has. A sighting that does not raise that number is a duplicate: `A B A B` are 2 packets,
//! `A A A` are 3.
//!
//! Of live inputs, a packet that both have reported is evicted first. So one input can be ahead of the other by some 800
//! packets; beyond that the later one's sighting is [`Sighting::Unknown`].

use crate::event::Event;

/// Sightings of one packet lie at most this far apart, in seconds.
pub const WINDOW: i64 = 2;
/// Packets that are remembered. Each can lie in two rows; if all places of both are taken, the one not seen for longest
/// goes.
pub const ENTRIES: usize = ROWS * PER_ROW;

const ROWS: usize = 512;
const PER_ROW: usize = 4;
const PATHS: usize = 4;

/// The packets of the last seconds, by fingerprint, in a table of fixed size.
#[derive(Debug)]
pub struct Duplicates {
    rows: Box<[Row]>,
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

#[derive(Clone, Copy, Debug, Default)]
struct Row {
    entries: [Entry; PER_ROW],
    /// When the newest packet was seen that was awaited by another path and had to go.
    forgotten: Option<u32>,
}

/// A packet. Times are the low 32 bits of seconds: no two that are compared lie 68 years apart.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    fingerprint: u64,
    state: State,
    /// The last sighting.
    last: u32,
    /// When the present window began.
    start: u32,
    /// How often each path logged it. A count of 0 is a free place.
    sightings: [Sightings; PATHS],
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum State {
    #[default]
    Free,
    /// Of files no path is awaited: any number of rules may have logged a packet.
    Seen,
    /// Another path will see it, too.
    Awaited,
    /// All paths that were awaited have seen it.
    Paired,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sightings {
    path: u16,
    /// Seen in the present window.
    now: bool,
    count: u32,
}

/// What is lost with a remembered packet that has to go, the least last; then its age in seconds.
type Loss = (usize, i32);
/// A packet that is not awaited would count again.
const COUNTED_AGAIN: usize = 0;
/// The other path's sighting will be unknown.
const MADE_UNKNOWN: usize = 1;
/// Nothing; and the number of places of the row that are free or hold a packet that is over: rows fill alike.
const ROOM: usize = 2;

/// Where a fingerprint can lie: of two rows, the one with more room.
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
    /// The place for another packet, and what is lost with the one that is there.
    fn place(&self, now: u32) -> (Loss, usize) {
        let is_free = |entry: &Entry| entry.state == State::Free;
        let age = |entry: &Entry| seconds_since(entry.last, now);
        let is_over = |entry: &Entry| entry.state == State::Paired || age(entry) > WINDOW as i32;
        let room = ROOM + self.entries.iter().filter(|entry| is_free(entry) || is_over(entry)).count();
        if let Some(at) = self.entries.iter().position(is_free) {
            return ((room, 0), at);
        }
        let loss = |entry: &Entry| match entry.state {
            _ if is_over(entry) => (room, age(entry)),
            State::Awaited => (MADE_UNKNOWN, age(entry)),
            _ => (COUNTED_AGAIN, age(entry)),
        };
        let worse = |best: (Loss, usize), other: (Loss, usize)| if other.0 > best.0 { other } else { best };
        self.entries.iter().map(loss).zip(0..).reduce(worse).unwrap_or(((room, 0), 0))
    }

    /// The table is so full that a packet of the last seconds may have been evicted.
    fn has_forgotten(&self, now: u32) -> bool {
        self.forgotten.is_some_and(|forgotten| seconds_since(forgotten, now) <= WINDOW as i32)
    }

    fn forget(&mut self, last: u32) {
        if self.forgotten.is_none_or(|forgotten| seconds_since(forgotten, last) > 0) {
            self.forgotten = Some(last);
        }
    }
}

impl Default for Duplicates {
    fn default() -> Self {
        Duplicates::new()
    }
}

impl Duplicates {
    /// Without any packet.
    pub fn new() -> Self {
        Duplicates { rows: vec![Row::default(); ROWS].into_boxed_slice() }
    }

    /// Whether all of `event` was counted before under another path.
    pub fn is_duplicate(&mut self, event: &Event) -> bool {
        self.sight(event, event.time, false) == Sighting::Copy
    }

    /// `time`: of the sighting in seconds, by a clock of the caller's choice. `awaited`: this packet will be seen by
    /// another path, too; should it be forgotten before, the other's sighting is told as [`Sighting::Unknown`].
    pub fn sight(&mut self, event: &Event, time: i64, awaited: bool) -> Sighting {
        let time = time as u32;
        let rows = rows_of(event.fingerprint);
        let is_it = |entry: &Entry| entry.fingerprint == event.fingerprint && entry.state != State::Free;
        for number in rows {
            if let Some(place) = self.rows[number].entries.iter().position(is_it) {
                return self.rows[number].entries[place].sight_again(event, time, awaited);
            }
        }
        if !awaited && rows.iter().any(|number| self.rows[*number].has_forgotten(time)) {
            return Sighting::Unknown;
        }
        self.enter(event, time, awaited);
        Sighting::New
    }

    /// Remembers a sighting that was [`Sighting::Unknown`], and is counted.
    pub fn record(&mut self, event: &Event, time: i64) {
        self.enter(event, time as u32, false);
    }

    /// Remembers a packet that is not among those remembered.
    fn enter(&mut self, event: &Event, time: u32, awaited: bool) {
        let [first, second] = rows_of(event.fingerprint);
        let (of_first, of_second) = (self.rows[first].place(time), self.rows[second].place(time));
        let (number, place) =
            if of_second.0 > of_first.0 { (second, of_second.1) } else { (first, of_first.1) };
        let row = &mut self.rows[number];
        let before = std::mem::replace(&mut row.entries[place], Entry::first(event, time, awaited));
        if before.state == State::Awaited {
            row.forget(before.last);
        }
    }
}

impl Entry {
    /// The first sighting in a window.
    fn first(event: &Event, time: u32, awaited: bool) -> Entry {
        let mut sightings = [Sightings::default(); PATHS];
        sightings[0] = Sightings { path: event.path.0, now: true, count: event.count };
        let state = if awaited { State::Awaited } else { State::Seen };
        Entry { fingerprint: event.fingerprint, state, last: time, start: time, sightings }
    }

    fn sight_again(&mut self, event: &Event, time: u32, awaited: bool) -> Sighting {
        if !is_within_window(self.last, time) {
            *self = Entry::first(event, time, awaited);
            return Sighting::New;
        }
        self.last = time;
        if !is_within_window(self.start, time) {
            self.roll(time);
        }
        let is_copy = self.sighting(event.path.0, event.count);
        if awaited || self.state != State::Seen {
            self.state = if self.is_level() { State::Paired } else { State::Awaited };
        }
        if is_copy { Sighting::Copy } else { Sighting::New }
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
