//! The guard's bounds: how much of each is used, and how many blocks they prevented.
//!
//! Takes the guard's state, gives sentences. Decides nothing.

use super::detector::Pool;
use super::{Guard, MINUTE_MS, ledger};
use crate::event::calendar::duration_text as duration;
use crate::guard::window::Limit;

/// Time for which it is reported that a bound was reached.
const REPORT_MS: u64 = 5 * MINUTE_MS;

/// Counts of decisions about suspects, for the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Tally {
    pub(super) since_ms: Option<u64>,
    /// Log lines about suspects in this minute.
    pub(super) lines: u32,
    /// Blocks without a log line of their own.
    pub(super) unlogged: u64,
    pub(super) over_budget: [u64; Pool::COUNT],
    pub(super) full: [u64; Pool::COUNT],
    pub(super) spared: u64,
}

impl Guard {
    /// The bounds that prevented blocks within the last minutes, a sentence each.
    pub fn reached(&self, now_ms: u64) -> Vec<String> {
        let is_recent = |at: Option<u64>| at.is_some_and(|at| now_ms < at.saturating_add(REPORT_MS));
        let mut sentences = Vec::new();
        for pool in Pool::ALL {
            let (who, option) = match pool {
                Pool::Packets => ("more sources", "max_blocks"),
                Pool::Logins => ("more password guessers", "the limit of blocks for failed logins"),
                Pool::Manual => ("more addresses by hand", "the limit of blocks by hand"),
            };
            if is_recent(self.budget_reached[pool as usize]) {
                let Limit { count, window_ms } = self.settings.budget;
                let within = duration(window_ms / 1000);
                let what = if pool == Pool::Logins { "failed logins" } else { "floods and scans" };
                let budget = format!("the budget of {count} blocks for {what} within {within} is used up");
                sentences.push(format!("{budget}: {who} are not blocked"));
            }
            if is_recent(self.room_reached[pool as usize]) && self.ledger.is_full(pool) {
                let limit = self.ledger.lengths.limit(pool);
                sentences.push(format!("{option} ({limit}) is reached: {who} are not blocked"));
            }
        }
        sentences
    }

    /// Logs how many decisions were made that have no log line each.
    pub(super) fn sum_up(&mut self, tally: &Tally) {
        let Limit { count, window_ms } = self.settings.budget;
        let budget = format!("the budget of {count} in {} s", window_ms / 1000);
        let [packets_over, logins_over, _] = tally.over_budget;
        let [packets_full, logins_full, _] = tally.full;
        let parts = [
            (tally.unlogged, "more sources were blocked".into()),
            (packets_over, format!("blocks were beyond {budget}")),
            (logins_over, format!("blocks for failed logins were beyond {budget}")),
            (
                packets_full,
                format!("had no room among the {} of max_blocks", self.settings.lengths.max_blocks),
            ),
            (logins_full, format!("had no room among the {} blocks for failed logins", ledger::LOGIN_BLOCKS)),
            (tally.spared, "more times a protected source was left alone".into()),
        ];
        let part = |(count, what): (u64, String)| (count > 0).then(|| format!("{count} {what}"));
        let parts: Vec<String> = parts.into_iter().filter_map(part).collect();
        if !parts.is_empty() {
            self.sentences.push(format!("guard: within the last minute {}", parts.join(", ")));
        }
    }
}
