//! Adds closed days to the files of their months.

use std::collections::VecDeque;
use std::io;

use crate::event::Class;
use crate::event::calendar::{Date, Month};
use crate::query::history::{Detail, MonthData, Need, Section};
use crate::stats::anomalies::Cells;
use crate::stats::summary::DaySummary;
use crate::store::directory::Change;
use crate::store::month::WholeMonth;

use super::{FWS, Store, StoreError, failed};

/// Changes that add days, and what they leave out.
#[derive(Default)]
pub struct Added {
    pub changes: Vec<Change>,
    /// Months that are older than all that are kept, with their attempts.
    pub left_out: Vec<(Month, u64)>,
}

impl Store {
    /// The newest months first, with those that are to come.
    fn ranks(&self, new: &[Month]) -> Vec<Month> {
        let mut months: Vec<Month> = self.months.iter().chain(new).copied().collect();
        months.sort_by_key(|month| std::cmp::Reverse(*month));
        months.dedup();
        months
    }

    /// Whether a month has a place, or gets one beside those that come with it.
    pub fn keeps(&self, month: Month, new: &[Month]) -> bool {
        let rank = self.ranks(new).iter().position(|known| *known == month);
        self.months.contains(&month) || rank.is_some_and(|rank| rank < self.keep.months)
    }

    /// Changes that add days to their months. `dates`: of all of them, ascending, as they come.
    pub fn add(
        &mut self,
        dates: &[Date],
        days: impl IntoIterator<Item = io::Result<DaySummary>>,
    ) -> Result<Added, StoreError> {
        let mut touched: Vec<Month> = dates.iter().map(|date| date.month()).collect();
        touched.dedup();
        let ranks = self.ranks(&touched);
        let rank = |month: Month| ranks.iter().position(|known| *known == month).unwrap_or(usize::MAX);
        let mut adding = Adding { window: VecDeque::new(), cells: Cells::new(), added: Added::default() };
        let mut days = days.into_iter().peekable();
        for month in self.near(&touched) {
            if !touched.contains(&month) {
                let neighbour = self.neighbour(month, &touched)?;
                adding.push(self, Slot::Neighbour(Box::new(neighbour)))?;
                continue;
            }
            let mut new = Vec::new();
            while let Some(day) =
                days.next_if(|day| day.as_ref().is_ok_and(|day| day.date.month() == month) || day.is_err())
            {
                new.push(day.map_err(|error| failed("cannot read a day that is to be added", error))?);
            }
            let exists = self.months.contains(&month);
            if !exists && rank(month) >= self.keep.months {
                let attempts = new.iter().map(|day| day.class(Class::Attempt).attempts).sum();
                adding.added.left_out.push((month, attempts));
                continue;
            }
            let mut whole = match self.whole(month, FWS, &|date| dates.contains(&date))? {
                Some(whole) => whole,
                None if rank(month) < self.keep.hours => WholeMonth::new(month, Detail::Fresh),
                None => WholeMonth::new(month, Detail::Days),
            };
            whole.add(new);
            let becomes_month = !exists && rank(month) >= self.keep.days;
            adding.push(self, Slot::Touched(Box::new(whole), becomes_month))?;
        }
        adding.finish(self)
    }

    /// The touched months and those around them whose days tell, or are told, what is usual there.
    fn near(&self, touched: &[Month]) -> Vec<Month> {
        let is_near = |month: &&Month| touched.iter().any(|touched| touched.0.abs_diff(month.0) <= 2);
        let mut near: Vec<Month> = self.months.iter().filter(is_near).copied().collect();
        near.extend(touched);
        near.sort();
        near.dedup();
        near
    }

    fn neighbour(&mut self, month: Month, touched: &[Month]) -> Result<Neighbour, StoreError> {
        let (first, last) = (month.first_day(), month.last_day());
        let need = Need::new(Class::Attempt).and(&[Section::Services, Section::Cells], first, last);
        let data = self.read(month, &need)?;
        let is_next = touched.iter().any(|touched| touched.0.abs_diff(month.0) == 1);
        Ok(Neighbour { data, judged: is_next })
    }
}

struct Neighbour {
    data: MonthData,
    /// Its own cells can change.
    judged: bool,
}

enum Slot {
    /// The flag: its rows become those of the whole month.
    Touched(Box<WholeMonth>, bool),
    Neighbour(Box<Neighbour>),
}

impl Slot {
    fn month(&self) -> Month {
        match self {
            Slot::Touched(whole, _) => whole.month,
            Slot::Neighbour(neighbour) => neighbour.data.month,
        }
    }
}

/// Months on their way into the store, in order: a month is written once the one behind it is known, too, whose days
/// determine what was usual at its end.
struct Adding {
    window: VecDeque<Slot>,
    cells: Cells,
    added: Added,
}

impl Adding {
    fn push(&mut self, store: &mut Store, slot: Slot) -> Result<(), StoreError> {
        match &slot {
            Slot::Touched(whole, _) => {
                whole.days.iter().for_each(|day| self.cells.add(day.date, day.class(Class::Attempt)));
            }
            Slot::Neighbour(neighbour) => {
                let data = &neighbour.data;
                data.days.iter().for_each(|day| self.cells.add(day.date, &day.summary));
            }
        }
        self.window.push_back(slot);
        if self.window.len() > 1 { self.write_first(store) } else { Ok(()) }
    }

    fn write_first(&mut self, store: &mut Store) -> Result<(), StoreError> {
        let Some(slot) = self.window.pop_front() else { return Ok(()) };
        let month = slot.month();
        let found = self.cells.find(month.first_day(), month.last_day());
        self.cells.forget_before(Date(month.last_day().0 + 1));
        match slot {
            Slot::Touched(mut whole, becomes_month) => {
                if whole.summary.detail != Detail::Month {
                    whole.set_cells(found);
                }
                if becomes_month {
                    whole.drop_days();
                }
                self.added.changes.extend(store.change_month(&whole)?);
            }
            Slot::Neighbour(neighbour) => {
                let Neighbour { data, judged } = *neighbour;
                let mut found = found;
                found.sort_by_key(|cell| (cell.date, cell.service));
                if judged && data.detail != Detail::Month && data.damage.is_none() && found != data.cells {
                    let Some(mut whole) = store.whole(month, FWS, &|_| false)? else { return Ok(()) };
                    whole.set_cells(found);
                    self.added.changes.extend(store.change_month(&whole)?);
                }
            }
        }
        Ok(())
    }

    fn finish(mut self, store: &mut Store) -> Result<Added, StoreError> {
        while !self.window.is_empty() {
            self.write_first(store)?;
        }
        Ok(self.added)
    }
}
