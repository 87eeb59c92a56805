//! The daemon's log lines, on standard error and output, from where procd passes them to logd.
//!
//! Takes sentences and the time, writes at most a bounded rate of them. Never fails.

use std::io::Write;

use crate::output::cells::plain;

const BURST: u32 = 30;
const REFILL_MS: u64 = 10_000;
/// The longest line in bytes.
const LONGEST: usize = 1000;

/// Lines for syslog, with a rate limit (token bucket).
#[derive(Default)]
pub(super) struct Log {
    used: u32,
    refilled_ms: u64,
    /// Lines that the limit dropped since the last one was written.
    suppressed: u64,
}

impl Log {
    /// A condition that needs attention, on standard error: procd logs it as `daemon.err`.
    pub(super) fn warn(&mut self, now_ms: u64, sentence: &str) {
        self.write(now_ms, sentence, true);
    }

    /// Writes each sentence as [`Log::warn`].
    pub(super) fn warn_each(&mut self, now_ms: u64, sentences: impl IntoIterator<Item = String>) {
        sentences.into_iter().for_each(|sentence| self.warn(now_ms, &sentence));
    }

    /// Writes a sentence as [`Log::warn`] if it is wrong. A normal condition goes to standard output: procd logs it as
    /// `daemon.info`.
    pub(super) fn write(&mut self, now_ms: u64, sentence: &str, is_wrong: bool) {
        let refill = now_ms.saturating_sub(self.refilled_ms) / REFILL_MS;
        if refill > 0 {
            self.used = self.used.saturating_sub(u32::try_from(refill).unwrap_or(u32::MAX));
            self.refilled_ms = now_ms;
        }
        if self.used >= BURST {
            self.suppressed += 1;
            return;
        }
        self.used += 1;
        // If standard error is closed, there is nowhere to report it.
        if self.suppressed > 0 {
            let _ = writeln!(std::io::stderr(), "fwstat: {} sentences were left out", self.suppressed);
            self.suppressed = 0;
        }
        // The sentence can contain a path, an option's value or a name from outside.
        let mut sentence = plain(sentence);
        sentence.truncate(LONGEST);
        let _ = if is_wrong {
            writeln!(std::io::stderr(), "fwstat: {sentence}")
        } else {
            writeln!(std::io::stdout(), "fwstat: {sentence}")
        };
    }
}
