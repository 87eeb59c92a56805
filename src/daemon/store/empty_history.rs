//! The history of a daemon that has no store: no months.

use crate::event::calendar::Month;
use crate::query::history::{History, MonthData, Need};

/// A history without days, for a store that cannot be opened.
pub(super) struct EmptyHistory;

impl History for EmptyHistory {
    fn months(&self) -> Vec<Month> {
        Vec::new()
    }

    fn month(&mut self, month: Month, _: &Need) -> MonthData {
        MonthData::new(month)
    }
}
