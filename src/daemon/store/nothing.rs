//! What is asked where nothing is stored.

use crate::event::calendar::Month;
use crate::query::history::{History, MonthData, Need};

pub(super) struct Nothing;

impl History for Nothing {
    fn months(&self) -> Vec<Month> {
        Vec::new()
    }

    fn month(&mut self, month: Month, _: &Need) -> MonthData {
        MonthData::new(month)
    }
}
