//! Adds closed days to the files of their months. Takes days, gives changes to commit; deletes nothing.

use std::io;

use crate::event::Class;
use crate::event::calendar::{Date, Month};
use crate::query::history::{Detail, MonthData, Need, Section};
use crate::stats::anomalies::Cells;
use crate::stats::summary::DaySummary;
use crate::store::directory::Change;

use super::{FWS, Store, StoreError, failed};

/// Changes that add days, and the days that are left out.
#[derive(Default)]
pub struct Added {
    pub changes: Vec<Change>,
    /// Months that are older than all stored ones and beyond `keep_months`, with their attempts.
    pub left_out: Vec<(Month, u64)>,
}

impl Store {
    /// How many of the stored and the `new` months are newer than this one.
    fn rank(&self, month: Month, new: &[Month]) -> usize {
        let known = self.months.iter().chain(new);
        let mut newer: Vec<Month> = known.copied().filter(|known| *known > month).collect();
        newer.sort_unstable();
        newer.dedup();
        newer.len()
    }

    /// Whether retention keeps a month, together with the `new` ones.
    pub fn keeps(&self, month: Month, new: &[Month]) -> bool {
        self.months.contains(&month) || self.rank(month, new) < self.keep.months
    }

    /// Changes that add days to their months. `dates`: those of the days, ascending.
    pub fn add(
        &mut self,
        dates: &[Date],
        days: impl IntoIterator<Item = io::Result<DaySummary>>,
    ) -> Result<Added, StoreError> {
        let mut touched: Vec<Month> = dates.iter().map(|date| date.month()).collect();
        touched.dedup();
        let (mut cells, mut before, mut added) = (Cells::default(), None, Added::default());
        let mut days = days.into_iter();
        for month in self.near(&touched) {
            let (is_new, rank) = (!self.months.contains(&month), self.rank(month, &touched));
            let mut whole = if touched.contains(&month) {
                let of_month = dates.iter().filter(|date| date.month() == month).count();
                let new: io::Result<Vec<DaySummary>> = days.by_ref().take(of_month).collect();
                let new = new.map_err(|error| failed("cannot read a day that is to be added", error))?;
                if is_new && rank >= self.keep.months {
                    let attempts = new.iter().map(|day| day.class(Class::Attempt).attempts).sum();
                    added.left_out.push((month, attempts));
                    continue;
                }
                let mut whole = match self.whole(month, FWS, &|date| dates.contains(&date))? {
                    Some(whole) => whole,
                    None if rank < self.keep.hours => MonthData::new(month),
                    None => MonthData { detail: Detail::Days, ..MonthData::new(month) },
                };
                whole.add(new);
                whole
            } else {
                let need = Need::new(Class::Attempt);
                let sections = [Section::Services, Section::Cells];
                self.read(month, &need.and(&sections, month.first_day(), month.last_day()))?
            };
            // Of a month without rows of days their services are not known.
            let with_rows = whole.days.iter().filter(|_| whole.detail != Detail::Month);
            with_rows.for_each(|day| cells.add(day.date, day.class(Class::Attempt)));
            if is_new && rank >= self.keep.days {
                whole.drop_days();
            }
            // The days of this month are needed for the anomalies at the end of the previous one.
            if let Some(before) = before.replace(whole) {
                self.change_judged(before, &touched, &mut cells, &mut added.changes)?;
            }
        }
        if let Some(last) = before {
            self.change_judged(last, &touched, &mut cells, &mut added.changes)?;
        }
        Ok(added)
    }

    /// The touched months and their neighbours, whose anomalies depend on each other's days.
    fn near(&self, touched: &[Month]) -> Vec<Month> {
        let is_near = |month: &&Month| touched.iter().any(|touched| touched.0.abs_diff(month.0) <= 2);
        let mut near: Vec<Month> = self.months.iter().filter(is_near).copied().collect();
        near.extend(touched);
        near.sort_unstable();
        near.dedup();
        near
    }

    /// Changes of a month, after the next one was read: of one that was touched, or whose anomalies have changed.
    fn change_judged(
        &mut self,
        mut whole: MonthData,
        touched: &[Month],
        cells: &mut Cells,
        changes: &mut Vec<Change>,
    ) -> Result<(), StoreError> {
        let month = whole.month;
        let found = cells.find(month.first_day(), month.last_day());
        cells.forget_before(Date(month.last_day().0 + 1));
        let has_days = whole.detail != Detail::Month;
        if touched.contains(&month) {
            // Rows of its days may have become those of the month just now.
            if has_days || !found.is_empty() {
                whole.cells = found;
            }
            changes.extend(self.change_month(&mut whole)?);
            return Ok(());
        }
        let is_next = touched.iter().any(|touched| touched.0.abs_diff(month.0) == 1);
        if is_next
            && has_days
            && whole.damage.is_none()
            && found != whole.cells
            && let Some(mut whole) = self.whole(month, FWS, &|_| false)?
        {
            whole.cells = found;
            changes.extend(self.change_month(&mut whole)?);
        }
        Ok(())
    }
}
