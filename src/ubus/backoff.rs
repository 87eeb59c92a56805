//! Exponential back-off for reconnecting. Takes the time as an argument, reads no clock.

const FIRST_MS: u64 = 100;
const MAX_DELAY_MS: u64 = 5_000;

/// Doubling waits from 0.1 s to 5 s.
#[derive(Clone, Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Records a failure at `now_ms` and returns the time of the next attempt, in milliseconds.
    pub fn failed(&mut self, now_ms: u64) -> u64 {
        let wait = FIRST_MS.saturating_mul(1 << self.failures.min(16)).min(MAX_DELAY_MS);
        self.failures = self.failures.saturating_add(1);
        now_ms.saturating_add(wait)
    }

    /// The next delay is the shortest again.
    pub fn succeeded(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_five_seconds_and_starts_anew() {
        let mut backoff = Backoff::default();
        let waits: Vec<u64> = (0..9).map(|_| backoff.failed(0)).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
        backoff.succeeded();
        assert_eq!(backoff.failed(0), 100);
        for _ in 0..100 {
            backoff.failed(u64::MAX);
        }
    }
}
