//! One packet logged twice. Stand-in: the same text at the same time, within 64 events.

use std::collections::VecDeque;

use crate::event::Event;

#[derive(Default)]
pub struct Duplicates {
    seen: VecDeque<(i64, u64)>,
}

impl Duplicates {
    pub fn new() -> Self {
        Duplicates::default()
    }

    pub fn is_duplicate(&mut self, event: &Event) -> bool {
        let mark = (event.time, event.fingerprint);
        if self.seen.contains(&mark) {
            return true;
        }
        self.seen.push_back(mark);
        if self.seen.len() > 64 {
            self.seen.pop_front();
        }
        false
    }
}
