//! The header of the kernel's lines, which repeats from line to line, with the hour it belongs to.

use super::super::stamp::Stamp;

/// The header of the last kernel line, so that an equal one is not parsed again: `before MM:SS after`, and the first
/// instant of its hour in Unix seconds.
#[derive(Default)]
pub(super) struct Headers {
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

impl Headers {
    /// Reads the header of a line that begins like the kernel's last.
    #[inline]
    pub(super) fn read<'a>(&self, line: &'a [u8]) -> Option<KnownLine<'a>> {
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

    /// Remembers the header of a kernel line of this time, whose message begins at `message`.
    pub(super) fn remember(&mut self, line: &[u8], stamp: &Stamp, message: usize, time: i64) {
        let (Some(before), Some(after)) = (line.get(..stamp.minute_at), line.get(stamp.seconds_end..message))
        else {
            return;
        };
        // A leap second counts as the one before it.
        if stamp.second <= 59 {
            let hour = time - i64::from(stamp.minute) * 60 - i64::from(stamp.second);
            *self = Headers { before: before.to_vec(), after: after.to_vec(), hour };
        }
    }

    /// A known header stands for a day: another has begun, or the same may mean another.
    pub(super) fn forget(&mut self) {
        *self = Headers::default();
    }
}
