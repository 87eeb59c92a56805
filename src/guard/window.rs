//! A sliding window of counts.
//!
//! Takes counts and the number of the part of time that they fall into, gives the sum over the window. Reads no clock.

/// Parts of a window, which slides by one part: its sum covers between seven eighths and the whole of its length, never
/// more.
pub const PARTS: u32 = 8;

/// A count per time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Limit {
    /// Events in the window that reach it.
    pub count: u32,
    pub window_ms: u64,
}

impl Limit {
    /// Milliseconds of a part of the window.
    fn part_ms(self) -> u64 {
        (self.window_ms / u64::from(PARTS)).max(1)
    }

    /// The number of the part that contains this time (ms since boot).
    pub fn part(self, moment_ms: u64) -> u32 {
        u32::try_from(moment_ms / self.part_ms()).unwrap_or(u32::MAX)
    }

    /// Milliseconds until a source that reached the limit is reported again.
    pub fn pause_ms(self) -> u64 {
        self.part_ms().max(1000)
    }
}

/// A sliding window of [`PARTS`] parts with a count each.
#[derive(Clone, Copy, Debug, Default)]
pub struct Window {
    counts: [u32; PARTS as usize],
    newest: u32,
}

impl Window {
    /// Slides to `part`. False if that is too old to be in the window.
    fn slide(&mut self, part: u32) -> bool {
        let ahead = part.saturating_sub(self.newest).min(PARTS);
        for step in 0..ahead {
            self.counts[(part.wrapping_sub(step) % PARTS) as usize] = 0;
        }
        self.newest = self.newest.max(part);
        self.newest - part < PARTS
    }

    /// Adds to a part; a part that is too old is ignored.
    #[inline]
    pub fn add(&mut self, part: u32, count: u32) {
        if self.slide(part) {
            let place = &mut self.counts[(part % PARTS) as usize];
            *place = place.saturating_add(count);
        }
    }

    /// Subtracts what was added.
    pub fn take(&mut self, part: u32, count: u32) {
        if part <= self.newest && self.newest - part < PARTS {
            let place = &mut self.counts[(part % PARTS) as usize];
            *place = place.saturating_sub(count);
        }
    }

    /// The sum of the window that ends with `part`.
    #[inline]
    pub fn sum(&self, part: u32) -> u32 {
        let gone = part.saturating_sub(self.newest);
        (gone..PARTS).fold(0, |sum: u32, age| {
            let place = self.newest.wrapping_sub(age - gone) % PARTS;
            sum.saturating_add(self.counts[place as usize])
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_older_than_the_window_does_not_count() {
        let limit = Limit { count: 3, window_ms: 60_000 };
        let mut window = Window::default();
        let mut at = |seconds: u64| {
            window.add(limit.part(seconds * 1000), 1);
            window.sum(limit.part(seconds * 1000))
        };
        assert_eq!(
            [at(1000), at(1010), at(1020), at(1061), at(1200), at(1100), at(1190)],
            [1, 2, 3, 3, 1, 1, 2]
        );
        assert_eq!(window.sum(limit.part(1_200_000)), 2);
        assert_eq!(window.sum(limit.part(1_300_000)), 0);
    }

    proptest! {
        /// Never more than came within the window, and never less than came within seven eighths of it.
        #[test]
        fn the_sum_lies_between_its_bounds(moments in proptest::collection::vec(0u64..200_000, 1..60)) {
            let limit = Limit { count: 1, window_ms: 60_000 };
            let mut window = Window::default();
            let mut sorted = moments.clone();
            sorted.sort();
            for (number, moment) in sorted.iter().enumerate() {
                window.add(limit.part(*moment), 1);
                let within = |length: u64| {
                    sorted[..=number].iter().filter(|other| **other + length > *moment).count() as u32
                };
                let sum = window.sum(limit.part(*moment));
                prop_assert!(sum <= within(60_000) && sum >= within(52_500), "{sum}");
            }
        }
    }
}
