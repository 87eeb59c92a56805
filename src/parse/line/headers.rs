//! Headers that repeat from line to line: those of the kernel's lines, with the hour they belong to.

use super::super::stamp::Stamp;

/// Headers of the last kernel lines, so that an equal one is not parsed again. The last hit comes first.
#[derive(Default)]
pub(super) struct Headers {
    known: [KnownHeader; 2],
}

/// The header of a kernel line: `before MM:SS after`, and the first instant of its hour in Unix seconds.
#[derive(Default)]
struct KnownHeader {
    before: Vec<u8>,
    /// Empty: none is known.
    after: Vec<u8>,
    hour: i64,
}

/// A line whose header is known.
pub(super) struct KnownLine<'a> {
    /// Unix seconds.
    pub time: i64,
    /// What stands behind the seconds.
    pub fraction: &'a [u8],
    pub message: &'a [u8],
}

impl KnownHeader {
    #[inline]
    fn read<'a>(&self, line: &'a [u8]) -> Option<KnownLine<'a>> {
        let [a, b, b':', c, d, fraction @ ..] = line.strip_prefix(&self.before[..])? else { return None };
        let two = |tens: u8, ones: u8| match (tens, ones) {
            (b'0'..=b'5', b'0'..=b'9') => Some(i64::from(tens - b'0') * 10 + i64::from(ones - b'0')),
            _ => None,
        };
        let second = two(*a, *b)? * 60 + two(*c, *d)?;
        let mut rest = fraction;
        if let [b'.' | b',', digits @ ..] = fraction {
            rest = super::super::number::digits(digits)?.1;
        }
        let message = rest.strip_prefix(&self.after[..]).filter(|_| !self.after.is_empty())?;
        Some(KnownLine { time: self.hour + second, fraction, message })
    }
}

impl Headers {
    /// Reads the header of a line that begins like one of the kernel's last.
    #[inline]
    pub(super) fn read<'a>(&mut self, line: &'a [u8]) -> Option<KnownLine<'a>> {
        let found = self.known[0].read(line);
        if found.is_some() {
            return found;
        }
        let found = self.known[1].read(line)?;
        self.known.swap(0, 1);
        Some(found)
    }

    /// Remembers the header of a kernel line of this time, whose message begins at `message`.
    pub(super) fn remember(&mut self, line: &[u8], stamp: &Stamp, message: usize, time: i64) {
        let (Some(before), Some(after)) = (line.get(..stamp.minute_at), line.get(stamp.seconds_end..message))
        else {
            return;
        };
        // A leap second counts as the one before it.
        if stamp.second <= 59 {
            // The other one may come again.
            self.known.swap(0, 1);
            let hour = time - i64::from(stamp.minute) * 60 - i64::from(stamp.second);
            self.known[0] = KnownHeader { before: before.to_vec(), after: after.to_vec(), hour };
        }
    }

    /// Known headers stand for a day: another has begun, or the same may mean another.
    pub(super) fn forget(&mut self) {
        self.known = Default::default();
    }
}
