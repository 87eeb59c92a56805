//! Adds closed days to the files of their months. Takes days, gives changes to commit; deletes nothing.

use std::io;

use crate::event::Class;
use crate::event::calendar::{Date, Month};
use crate::query::history::{Detail, MonthData, Need, Section};
use crate::stats::anomalies::Cells;
use crate::stats::summary::DaySummary;
use crate::store::directory::Change;
use crate::store::month::Wanted;

use super::{FWS, Store, StoreError, failed};

/// Changes that add days, and the days that are left out.
#[derive(Default)]
pub struct Added {
    pub changes: Vec<Change>,
    /// Months that are older than all stored ones and beyond `keep_months`, with their attempts.
    pub left_out: Vec<(Month, u64)>,
}

impl Store {
    /// The stored and the `new` months, newest first.
    fn ranks(&self, new: &[Month]) -> Vec<Month> {
        let mut months: Vec<Month> = self.months.iter().chain(new).copied().collect();
        months.sort_unstable_by_key(|month| std::cmp::Reverse(*month));
        months.dedup();
        months
    }

    /// Whether retention keeps a month, together with the `new` ones.
    pub fn keeps(&self, month: Month, new: &[Month]) -> bool {
        let rank = self.ranks(new).iter().position(|known| *known == month);
        self.months.contains(&month) || rank.is_some_and(|rank| rank < self.keep.months)
    }

    /// Changes that add days to their months. `dates`: those of the days, ascending.
    pub fn add(
        &mut self,
        dates: &[Date],
        days: impl IntoIterator<Item = io::Result<DaySummary>>,
    ) -> Result<Added, StoreError> {
        let mut touched: Vec<Month> = dates.iter().map(|date| date.month()).collect();
        touched.dedup();
        let ranks = self.ranks(&touched);
        let rank = |month: Month| ranks.iter().position(|known| *known == month).unwrap_or(usize::MAX);
        let (mut cells, mut before, mut added) =
            (Cells::default(), None::<(MonthData, Role)>, Added::default());
        let mut days = days.into_iter();
        for month in self.near(&touched) {
            let slot = if touched.contains(&month) {
                let of_month = dates.iter().filter(|date| date.month() == month).count();
                let new: io::Result<Vec<DaySummary>> = days.by_ref().take(of_month).collect();
                let new = new.map_err(|error| failed("cannot read a day that is to be added", error))?;
                let exists = self.months.contains(&month);
                if !exists && rank(month) >= self.keep.months {
                    let attempts = new.iter().map(|day| day.class(Class::Attempt).attempts).sum();
                    added.left_out.push((month, attempts));
                    continue;
                }
                let mut whole = match self.whole(month, FWS, &|date| dates.contains(&date))? {
                    Some(whole) => whole,
                    None if rank(month) < self.keep.hours => MonthData::new(month),
                    None => MonthData { detail: Detail::Days, ..MonthData::new(month) },
                };
                whole.add(new);
                (whole, Role::Touched { becomes_month: !exists && rank(month) >= self.keep.days })
            } else {
                self.neighbour(month, &touched)?
            };
            // Of a month without rows of days their services are not known.
            let days = slot.0.days.iter().filter(|_| slot.0.detail != Detail::Month);
            days.for_each(|day| cells.add(day.date, day.class(Class::Attempt)));
            // The days of this month are needed for the anomalies at the end of the previous one.
            if let Some(before) = before.replace(slot) {
                self.change_slot(before, &mut cells, &mut added.changes)?;
            }
        }
        if let Some(last) = before {
            self.change_slot(last, &mut cells, &mut added.changes)?;
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

    fn neighbour(&mut self, month: Month, touched: &[Month]) -> Result<(MonthData, Role), StoreError> {
        let (first, last) = (month.first_day(), month.last_day());
        let need = Need::new(Class::Attempt).and(&[Section::Services, Section::Cells], first, last);
        let loaded = self.load(month, FWS, Wanted::Need(&need), &|_| Some(Wanted::Need(&need)))?;
        let is_damaged = loaded.as_ref().is_none_or(|whole| whole.damage.is_some());
        let whole = loaded.unwrap_or(MonthData::new(month));
        let is_next = touched.iter().any(|touched| touched.0.abs_diff(month.0) == 1);
        let is_judged = is_next && !is_damaged && whole.detail != Detail::Month;
        Ok((whole, if is_judged { Role::Judged } else { Role::Other }))
    }

    /// Changes of a month, after the next one was read.
    fn change_slot(
        &mut self,
        (mut whole, role): (MonthData, Role),
        cells: &mut Cells,
        changes: &mut Vec<Change>,
    ) -> Result<(), StoreError> {
        let month = whole.month;
        let mut found = cells.find(month.first_day(), month.last_day());
        found.sort_unstable_by_key(|cell| (cell.date, cell.service));
        cells.forget_before(Date(month.last_day().0 + 1));
        match role {
            Role::Touched { becomes_month } => {
                if whole.detail != Detail::Month {
                    whole.cells = found;
                }
                if becomes_month {
                    whole.drop_days();
                }
                changes.extend(self.change_month(&mut whole)?);
            }
            Role::Judged if found != whole.cells => {
                let Some(mut whole) = self.whole(month, FWS, &|_| false)? else { return Ok(()) };
                whole.cells = found;
                changes.extend(self.change_month(&mut whole)?);
            }
            Role::Judged | Role::Other => {}
        }
        Ok(())
    }
}

/// What is done with a month: a commit changes it, or it is a neighbour that is read to compute anomalies.
enum Role {
    Touched {
        /// Its rows become those of the whole month.
        becomes_month: bool,
    },
    /// Its anomalies can change.
    Judged,
    /// Only its days are needed.
    Other,
}
