//! Kernel messages that were read before: Debian and Ubuntu write each to `kern.log`, `syslog`, `messages` and `ufw.log`.
//!
//! Takes events in any order, says which is a message that came before, whatever file it stood in. Two lines are one
//! message if the kernel's timestamp (microseconds since boot) and all fields of the packet that a fingerprint holds are
//! the same, and both count as the same class; of lines that repeat a message also their time and count. Lines without the
//! kernel's timestamp are compared by the log's if it has microseconds, and otherwise never.
//!
//! Bound: [`MAX_MESSAGES`] messages in 512 KiB, whatever arrives. Of the newest 30,000 fewer than one in a thousand is forgotten,
//! of the newest 60,000 one in twenty; a forgotten one counts again. A message is taken for another with a probability
//! of at most 8 in 2^32.
//!
//! [`SeenMessages::to_bytes`] and [`SeenMessages::from_bytes`] carry it from one import to the next.

use crate::event::Event;
use crate::event::hash::fold;
use crate::parse::fingerprint_of;

/// Messages in one row: of each the newest stay.
const PER_ROW: usize = 8;
const ROWS: usize = 1 << 14;
/// Messages that are remembered at most.
pub const MAX_MESSAGES: usize = ROWS * PER_ROW;

const VERSION: u8 = 1;

/// Each message is 32 bits of its hash in the row that 14 others choose; 0 is a free place. The newest of a row comes
/// first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SeenMessages {
    /// Empty until the first message.
    rows: Vec<[u32; PER_ROW]>,
}

impl SeenMessages {
    /// Whether the message was seen before. From now on it was.
    #[inline]
    pub fn is_known(&mut self, event: &Event) -> bool {
        event.uptime != 0 && self.see(hash(event))
    }

    #[inline(never)]
    fn see(&mut self, hash: u64) -> bool {
        if self.rows.is_empty() {
            self.rows = vec![[0; PER_ROW]; ROWS];
        }
        let row = &mut self.rows[(hash >> 32) as usize % ROWS];
        let tag = (hash as u32).max(1);
        if row.contains(&tag) {
            return true;
        }
        row.rotate_right(1);
        row[0] = tag;
        false
    }

    /// All that is remembered: a version, then for each row that has any its number, how many it has, and these. Numbers
    /// are big-endian. At most 580 KB.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        for (number, row) in self.rows.iter().enumerate() {
            let held = row.iter().take_while(|tag| **tag != 0).count();
            if held > 0 {
                bytes.extend_from_slice(&(number as u16).to_be_bytes());
                bytes.push(held as u8);
                row[..held].iter().for_each(|tag| bytes.extend_from_slice(&tag.to_be_bytes()));
            }
        }
        bytes
    }

    /// None: these are not what [`SeenMessages::to_bytes`] gives.
    pub fn from_bytes(bytes: &[u8]) -> Option<SeenMessages> {
        let (&version, mut rest) = bytes.split_first()?;
        let mut seen = SeenMessages::default();
        let mut next = 0;
        while let Some((&[high, low, held], after)) = rest.split_first_chunk::<3>() {
            let (number, held) = (usize::from(u16::from_be_bytes([high, low])), usize::from(held));
            let (tags, after) = after.split_at_checked(held * 4)?;
            if number < next || number >= ROWS || !(1..=PER_ROW).contains(&held) {
                return None;
            }
            if seen.rows.is_empty() {
                seen.rows = vec![[0; PER_ROW]; ROWS];
            }
            for (place, tag) in seen.rows[number].iter_mut().zip(tags.as_chunks::<4>().0) {
                *place = u32::from_be_bytes(*tag);
                if *place == 0 {
                    return None;
                }
            }
            (next, rest) = (number + 1, after);
        }
        (version == VERSION && rest.is_empty()).then_some(seen)
    }
}

/// Of the kernel's timestamp, the packet and its class.
#[inline]
fn hash(event: &Event) -> u64 {
    let packet = fingerprint_of(event);
    let mut when = event.uptime ^ (event.class as u64) << 60 ^ u64::from(event.flags) << 52;
    if event.count > 1 {
        // A line that repeats a message has the timestamp of that message, which was counted.
        when = fold(when, event.time.cast_unsigned() ^ u64::from(event.count) << 32);
    }
    fold(when ^ 0x9e37_79b9_7f4a_7c15, packet ^ 0xd1b5_4a32_d192_ed03)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Address, Class, protocol};

    fn event(uptime: u64, source: u32) -> Event {
        let source = Address::v4(source);
        Event { uptime, source, protocol: protocol::TCP, unhashed: true, count: 1, ..Event::default() }
    }

    #[test]
    fn the_same_message_is_known_and_no_other() {
        let mut seen = SeenMessages::default();
        let first = event(100_000_037, 7);
        assert!(!seen.is_known(&first));
        assert!(seen.is_known(&first));
        assert!(seen.is_known(&Event { time: 9, ..first }));
        let repeated = Event { count: 4, ..first };
        assert!(!seen.is_known(&repeated) && seen.is_known(&repeated));
        for other in [
            Event { count: 3, ..first },
            Event { time: 9, ..repeated },
            event(100_000_038, 7),
            event(100_000_037, 8),
            Event { class: Class::Egress, ..first },
            Event { port: 23, ..first },
            Event { fingerprint: 5, ..first },
        ] {
            assert!(!seen.is_known(&other), "{other:?}");
        }
    }

    #[test]
    fn messages_without_the_kernels_timestamp_are_not_compared() {
        let mut seen = SeenMessages::default();
        assert!(!seen.is_known(&event(0, 7)) && !seen.is_known(&event(0, 7)));
    }

    #[test]
    fn the_newest_are_remembered() {
        for (count, most_forgotten) in [(30_000, 30), (60_000, 3000)] {
            let mut seen = SeenMessages::default();
            for number in 0..1_000_000 {
                seen.is_known(&event(1 + number, 7));
            }
            let newest = 1_000_000 - count..1_000_000;
            let forgotten = newest.filter(|number| !seen.has(&event(1 + number, 7))).count();
            assert!(forgotten <= most_forgotten, "{forgotten} of {count}");
            assert_eq!(seen.rows.len() * PER_ROW, MAX_MESSAGES);
        }
    }

    impl SeenMessages {
        fn has(&self, event: &Event) -> bool {
            let hash = hash(event);
            self.rows[(hash >> 32) as usize % ROWS].contains(&(hash as u32).max(1))
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let mut seen = SeenMessages::default();
        assert_eq!(SeenMessages::from_bytes(&seen.to_bytes()), Some(seen.clone()));
        (0..50_000).for_each(|number| assert!(!seen.is_known(&event(1 + number, 7))));
        let bytes = seen.to_bytes();
        assert!(bytes.len() < 580_000);
        assert_eq!(SeenMessages::from_bytes(&bytes).as_ref(), Some(&seen));
        assert_eq!(SeenMessages::from_bytes(&bytes[..bytes.len() - 1]), None);
        assert_eq!(SeenMessages::from_bytes(&[]), None);
        assert_eq!(SeenMessages::from_bytes(&[VERSION, 0, 1, 9]), None);
        assert_eq!(SeenMessages::from_bytes(&[VERSION, 0xff, 0xff, 1, 0, 0, 0, 1]), None);
    }
}
