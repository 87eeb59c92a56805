//! Events dated in the future, which are stored on flash until they are due.

use super::Storage;
use crate::live::{Engine, Now};

const DAY_MS: u64 = 86_400_000;

impl Storage {
    /// Removes due events from `later`; flash may still have them.
    pub(super) fn forget_due(&mut self, due: u64) {
        let (rows, rest) = self.later.take_until(due);
        self.later_changed |= !rows.is_empty() || !rest.is_empty();
        self.due = due;
    }

    /// Counts events dated in the future that are due.
    pub(crate) fn count_due(&mut self, engine: &mut Engine, now: Now) {
        let wall_ms = now.wall.max(0).cast_unsigned().saturating_mul(1000);
        // A day at a time: RAM holds a few days that are over, and the rest is safe on flash. A command that has the store
        // may be taking them out itself.
        while !self.released
            && engine.clock.is_set()
            && engine.has_room_for_closed()
            && let Some(first) = self.later.first().filter(|first| *first <= wall_ms)
        {
            let until = first.saturating_add(DAY_MS).min(wall_ms);
            engine.count_due(&mut self.later, until);
            (self.later_changed, self.due) = (true, self.due.max(until));
        }
    }
}
