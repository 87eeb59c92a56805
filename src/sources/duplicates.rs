//! One packet logged twice.
//!
//! Takes events in order of time, says which are a packet that was counted before: logged by two rules, once
//! per port of a bridge, or through logd and NFLOG both. Fixed memory.
//!
//! Packets alike to the last byte that came by the same path are a flood, and each counts. So for a
//! fingerprint it is kept how often each path logged it: there were as many packets as the path with the
//! most sightings has. A sighting that does not raise that number is a duplicate: `A B A B` are 2 packets,
//! `A A A` are 3.

use crate::event::Event;

/// Sightings of one packet lie at most this far apart, in seconds.
pub const WINDOW: i64 = 2;
/// Places for fingerprints; if all of a row are taken, the one not seen for longest goes.
pub const ENTRIES: usize = ROWS * PER_ROW;

const ROWS: usize = 512;
const PER_ROW: usize = 4;
const PATHS: usize = 4;

#[derive(Debug)]
pub struct Duplicates {
    rows: Box<[Row]>,
    /// Of each row its [`PER_ROW`].
    entries: Box<[Entry]>,
}

/// What a sighting says of the packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sighting {
    New,
    /// All of it was counted before under another path.
    Copy,
    /// It is none of those remembered, but so many came in the last seconds that it may be one of the forgotten.
    Unknown,
}

/// What every look-up needs, together and small.
#[derive(Clone, Copy, Debug)]
struct Row {
    fingerprints: [u64; PER_ROW],
    /// The last sightings; [`NEVER`] for a free place.
    last: [i64; PER_ROW],
    /// When the newest of those was seen that were awaited again and had to go.
    forgotten: i64,
    /// Another path will see it, too.
    awaited: [bool; PER_ROW],
}

const NEVER: i64 = i64::MIN;

impl Row {
    const EMPTY: Row = Row {
        fingerprints: [0; PER_ROW],
        last: [NEVER; PER_ROW],
        forgotten: NEVER,
        awaited: [false; PER_ROW],
    };

    fn find(&self, fingerprint: u64) -> Option<usize> {
        (0..PER_ROW).find(|&at| self.fingerprints[at] == fingerprint && self.last[at] != NEVER)
    }

    /// A free place, or that of the one not seen for longest.
    fn place(&self) -> usize {
        (0..PER_ROW).min_by_key(|&at| self.last[at]).unwrap_or(0)
    }
}

impl Default for Duplicates {
    fn default() -> Self {
        Duplicates::new()
    }
}

impl Duplicates {
    pub fn new() -> Self {
        let (rows, entries) = (vec![Row::EMPTY; ROWS], vec![Entry::EMPTY; ENTRIES]);
        Duplicates { rows: rows.into_boxed_slice(), entries: entries.into_boxed_slice() }
    }

    /// Whether all of `event` was counted before under another path.
    pub fn is_duplicate(&mut self, event: &Event) -> bool {
        self.sight(event, false) == Sighting::Copy
    }

    /// `awaited`: this packet will be seen by another path, too; should it be forgotten before, the other's
    /// sighting is told as [`Sighting::Unknown`].
    pub fn sight(&mut self, event: &Event, awaited: bool) -> Sighting {
        let number = event.fingerprint as usize % ROWS;
        let row = &mut self.rows[number];
        let found = row.find(event.fingerprint);
        let place = found.unwrap_or_else(|| row.place());
        let entry = &mut self.entries[number * PER_ROW + place];
        let last = std::mem::replace(&mut row.last[place], event.time);
        if found.is_none() || last.abs_diff(event.time) > WINDOW as u64 {
            *entry = Entry::first(event);
            row.fingerprints[place] = event.fingerprint;
            let was_awaited = std::mem::replace(&mut row.awaited[place], awaited);
            if found.is_some() {
                return Sighting::New;
            }
            if was_awaited {
                row.forgotten = row.forgotten.max(last);
            }
            let unknown = !awaited && row.forgotten.saturating_add(WINDOW) >= event.time;
            return if unknown { Sighting::Unknown } else { Sighting::New };
        }
        if entry.start.abs_diff(event.time) > WINDOW as u64 {
            entry.roll(event.time);
        }
        row.awaited[place] |= awaited;
        if entry.sighting(event.path.0, event.count) { Sighting::Copy } else { Sighting::New }
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// When the present window began.
    start: i64,
    /// How often each path logged it. A count of 0 is a free place.
    sightings: [Sightings; PATHS],
}

#[derive(Clone, Copy, Debug)]
struct Sightings {
    path: u16,
    /// Seen in the present window.
    now: bool,
    count: u32,
}

impl Entry {
    const EMPTY: Entry = Entry { start: 0, sightings: [Sightings { path: 0, now: false, count: 0 }; PATHS] };

    fn first(event: &Event) -> Entry {
        let mut entry = Entry { start: event.time, ..Entry::EMPTY };
        entry.sightings[0] = Sightings { path: event.path.0, now: true, count: event.count };
        entry
    }

    fn most(&self) -> u32 {
        self.sightings.iter().map(|sightings| sightings.count).max().unwrap_or(0)
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
    fn roll(&mut self, time: i64) {
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
mod tests {
    use super::*;
    use crate::event::{Address, Class, PathId, Verdict, protocol};

    fn event(time: i64, fingerprint: u64, path: u16) -> Event {
        Event {
            time,
            source: Address::v4(0xc633_6407),
            destination: Address::v4(0xc000_0201),
            fingerprint,
            uptime: 0,
            count: 1,
            source_port: 40_000,
            port: 23,
            length: 40,
            path: PathId(path),
            protocol: protocol::TCP,
            flags: 2,
            icmp_type: 0,
            icmp_code: 0,
            class: Class::Attempt,
            verdict: Verdict::Drop,
        }
    }

    /// Letters are paths; one fingerprint, all in one second. The packets counted are in capitals.
    fn counted(paths: &str) -> String {
        let mut duplicates = Duplicates::new();
        let mut mark = |letter: char| match duplicates.is_duplicate(&event(1000, 7, letter as u16)) {
            true => letter,
            false => letter.to_ascii_uppercase(),
        };
        paths.chars().map(&mut mark).collect()
    }

    #[test]
    fn two_paths_are_one_packet_and_one_path_is_a_flood() {
        for (paths, expected) in [
            ("a", "A"),
            ("ab", "Ab"),
            ("aaa", "AAA"),
            ("abab", "AbAb"),
            ("aabb", "AAbb"),
            ("abba", "AbBa"),
            ("aab", "AAb"),
            ("abbb", "AbBB"),
            ("abcabc", "AbcAbc"),
        ] {
            assert_eq!(counted(paths), expected);
        }
    }

    #[test]
    fn packets_far_apart_are_different_ones() {
        let mut duplicates = Duplicates::new();
        assert!(!duplicates.is_duplicate(&event(1000, 7, 1)));
        assert!(duplicates.is_duplicate(&event(1002, 7, 2)));
        assert!(!duplicates.is_duplicate(&event(1005, 7, 2)));
        assert!(!duplicates.is_duplicate(&event(1005, 8, 1)));
    }

    #[test]
    fn a_long_flood_counts_each_packet_once() {
        for rate in [1, 3, 1000] {
            let mut duplicates = Duplicates::new();
            let mut packets = 0;
            for second in 0..60 {
                for _ in 0..rate {
                    packets += u32::from(!duplicates.is_duplicate(&event(second, 7, 1)));
                    packets += u32::from(!duplicates.is_duplicate(&event(second, 7, 2)));
                }
            }
            assert_eq!(packets, 60 * rate);
        }
    }

    #[test]
    fn the_second_log_may_be_a_second_late() {
        let mut duplicates = Duplicates::new();
        let mut packets = 0;
        for second in 0..61 {
            for _ in 0..100 {
                if second < 60 {
                    packets += u32::from(!duplicates.is_duplicate(&event(second, 7, 1)));
                }
                if second > 0 {
                    packets += u32::from(!duplicates.is_duplicate(&event(second, 7, 2)));
                }
            }
        }
        assert_eq!(packets, 6000);
    }

    #[test]
    fn what_was_forgotten_is_not_called_new() {
        let mut duplicates = Duplicates::new();
        // All of one row: the first two awaited ones have to go.
        let number = |n: u64, time, path| event(time, n * ROWS as u64, path);
        for n in 0..PER_ROW as u64 + 2 {
            assert_eq!(duplicates.sight(&number(n, 1000, 1), true), Sighting::New);
        }
        assert_eq!(duplicates.sight(&number(5, 1001, 2), false), Sighting::Copy);
        assert_eq!(duplicates.sight(&number(0, 1001, 2), false), Sighting::Unknown);
        assert_eq!(duplicates.sight(&number(77, 1002, 2), false), Sighting::Unknown);
        // In another row, and after some seconds, it is certain.
        assert_eq!(duplicates.sight(&event(1001, 1, 2), false), Sighting::New);
        assert_eq!(duplicates.sight(&number(78, 1003, 2), false), Sighting::New);
        // What nobody awaits can go without a trace.
        for n in 100..120 {
            assert_eq!(duplicates.sight(&number(n, 2000, 3), false), Sighting::New);
        }
    }

    #[test]
    fn a_full_cache_forgets_the_oldest_first() {
        let mut duplicates = Duplicates::new();
        for number in 0..=PER_ROW as u64 {
            assert!(!duplicates.is_duplicate(&event(1000 + number as i64 / 4, number * ROWS as u64, 1)));
        }
        assert!(!duplicates.is_duplicate(&event(1001, 0, 2)));
        assert!(duplicates.is_duplicate(&event(1001, PER_ROW as u64 * ROWS as u64, 2)));
        for number in 0..1_000_000u64 {
            duplicates.is_duplicate(&event(1002, number.wrapping_mul(0x9e37_79b9_7f4a_7c15), 3));
        }
        assert_eq!(duplicates.rows.len() * PER_ROW, ENTRIES);
    }
}
