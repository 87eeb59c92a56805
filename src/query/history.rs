//! What a question can be answered from: kept days and months, oldest first.

use std::rc::Rc;

use crate::calendar::{Date, Month};
use crate::stats::day::KeptDay;
use crate::stats::month::KeptMonth;

/// A month as it is kept: its summary, and its days as far as they are still there.
pub struct MonthOfDays {
    pub summary: KeptMonth,
    /// Oldest first.
    pub days: Vec<KeptDay>,
}

/// How long what is kept, counted back from the newest day.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retention {
    /// Days with hours of services and sources, and with different sources that can be joined.
    pub hours: u32,
    /// Days.
    pub days: u32,
    pub months: u32,
}

impl Default for Retention {
    fn default() -> Retention {
        Retention { hours: 60, days: 400, months: 120 }
    }
}

impl Retention {
    /// The first day that still has hours, seen from the newest day.
    pub fn first_with_hours(&self, newest: Date) -> Date {
        Date(newest.0.saturating_sub(self.hours.cast_signed()))
    }

    pub fn first_day(&self, newest: Date) -> Date {
        Date(newest.0.saturating_sub(self.days.cast_signed()))
    }

    pub fn first_month(&self, newest: Date) -> Month {
        Month(newest.month().0 + 1 - self.months.cast_signed())
    }
}

/// A source of kept days and months.
pub trait History {
    /// The months of which anything is kept, oldest first.
    fn months(&self) -> Vec<Month>;
    /// What is kept of a month. A damaged one answers what is readable of it.
    fn month(&mut self, month: Month) -> Option<Rc<MonthOfDays>>;
    fn retention(&self) -> Retention;
    /// Why answers that touch `month` are incomplete.
    fn incomplete_because(&self, month: Month) -> Option<String>;
}
