//! The retention of hours, days and months, by the rank of months that have data: the only automatic deletion. Takes
//! the trusted time, gives changes to commit.

use crate::event::Class;
use crate::event::calendar::{Date, Month};
use crate::query::history::{Detail, MonthData, Need};
use crate::store::directory::Change;
use crate::store::meta::Deletion;

use super::{FWS, Store, StoreError, month_file};

/// How many months are stored, counting the newest that have data.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retention {
    /// With hours of rows.
    pub hours: usize,
    /// With days.
    pub days: usize,
    pub months: usize,
}

impl Default for Retention {
    fn default() -> Retention {
        Retention { hours: 2, days: 14, months: 120 }
    }
}

/// What [`Store::maintain`] may do: at most one of each after a day's close.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Allowed {
    /// Drop hours of rows.
    pub hours: bool,
    /// Sum up the days of a month.
    pub days: bool,
    /// Delete a month.
    pub months: bool,
}

impl Allowed {
    /// Everything, as after a day's close.
    pub const ALL: Allowed = Allowed { hours: true, days: true, months: true };
}

/// A deletion that a rule requires.
pub struct RetentionStep {
    pub changes: Vec<Change>,
    /// A sentence about it.
    pub log_line: String,
    /// What may still be done until the next close.
    pub left: Allowed,
}

impl Store {
    /// The next deletion that a rule requires: hours of rows, the days of a month, or a month. To be called after a
    /// day's close, with a trusted clock and [`Allowed::ALL`]; then with what is left.
    pub fn maintain(&mut self, now: i64, may: Allowed) -> Result<Option<RetentionStep>, StoreError> {
        let mut newest_first: Vec<Month> = self.answered().collect();
        newest_first.reverse();
        let beyond =
            |keep: usize, may: bool| newest_first.iter().copied().skip(keep).rev().filter(move |_| may);
        for month in beyond(self.keep.hours, may.hours) {
            if self.detail(month)? == Some(Detail::Fresh)
                && let Some(mut whole) = self.undamaged(month, FWS)?
            {
                whole.drop_hours();
                let log_line = format!("{month}: hours of services and sources are no longer stored");
                let changes = self.change_month(&mut whole)?;
                return Ok(Some(RetentionStep { changes, log_line, left: Allowed { hours: false, ..may } }));
            }
        }
        for month in beyond(self.keep.days, may.days) {
            if self.detail(month)?.is_some_and(|detail| detail < Detail::Month)
                && let Some(mut whole) = self.undamaged(month, FWS)?
            {
                whole.drop_days();
                let because = format!("{} newer months have data (keep_days)", self.keep.days);
                let changes = self.change_month(&mut whole)?;
                let left = Allowed { days: false, ..may };
                return self.deleted(now, changes, format!("the days of {month}"), because, left).map(Some);
            }
        }
        for month in beyond(self.keep.months, may.months) {
            if self.undamaged(month, FWS)?.is_some() {
                let because = format!("{} newer months have data (keep_months)", self.keep.months);
                let left = Allowed { months: false, ..may };
                let changes = self.removed(month, FWS);
                return self.deleted(now, changes, format!("the month {month}"), because, left).map(Some);
            }
        }
        Ok(None)
    }

    /// `None` if a newer version wrote the month, or its summary is damaged.
    fn detail(&mut self, month: Month) -> Result<Option<Detail>, StoreError> {
        match self.read(month, &Need::new(Class::Attempt)) {
            Ok(data) => Ok(data.damage.is_none().then_some(data.detail)),
            Err(StoreError::Newer { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A month from which something may be deleted: all of its files can be read.
    fn undamaged(&mut self, month: Month, ending: &str) -> Result<Option<MonthData>, StoreError> {
        let whole = match self.whole(month, ending, &|_| true) {
            Err(StoreError::Newer { .. }) => return Ok(None),
            whole => whole?,
        };
        let days = whole.iter().flat_map(|whole| &whole.days).map(|day| day.date.to_string());
        let mut stems = days.chain([month.to_string()]);
        let is_damaged = stems.any(|stem| self.is_damaged(&(stem + ending)));
        Ok(whole.filter(|_| !is_damaged))
    }

    fn deleted(
        &mut self,
        when: i64,
        mut changes: Vec<Change>,
        what: String,
        because: String,
        left: Allowed,
    ) -> Result<RetentionStep, StoreError> {
        let log_line = format!("deleted: {what}, because {because}");
        let mut meta = self.meta()?;
        meta.note(Deletion { when, what, because });
        changes.extend(self.change_meta(&meta)?);
        Ok(RetentionStep { changes, log_line, left })
    }

    /// Changes that rename months in the future, and add those that are due; with a sentence for each.
    pub fn settle(&mut self, today: Date) -> Result<Vec<(Vec<Change>, String)>, StoreError> {
        let last = Date(today.0.saturating_add(1)).month();
        let mut settled = Vec::new();
        for month in self.months.clone().into_iter().filter(|month| *month > last) {
            let stems = self.stems(month, FWS);
            let numbered = (2..).map(|number| format!(".{number}.later"));
            let mut endings = std::iter::once(".later".to_string()).chain(numbered);
            let is_free = |ending: &String| {
                !stems.iter().any(|stem| self.names.iter().any(|name| *name == format!("{stem}{ending}")))
            };
            let Some(ending) = endings.find(is_free) else { continue };
            let log_line = format!("{} is in the future and set aside as {month}{ending}", month_file(month));
            settled.push((self.renamed(&stems, FWS, &ending)?, log_line));
        }
        for (month, ending) in self.months_to_come().into_iter().filter(|(month, _)| *month <= last) {
            let log_line =
                format!("the time of {month}{ending} has come: it is in {} again", month_file(month));
            let stems = self.stems(month, &ending);
            if !self.months.contains(&month) {
                settled.push((self.renamed(&stems, &ending, FWS)?, log_line));
                continue;
            }
            // The month already has data: both are merged.
            let Some(more) = self.undamaged(month, &ending)? else { continue };
            let Some(mut whole) = self.undamaged(month, FWS)? else { continue };
            whole.join(more);
            let mut changes = self.change_month(&mut whole)?;
            changes.extend(self.removed(month, &ending));
            settled.push((changes, log_line));
        }
        Ok(settled)
    }

    /// Months that are set aside until they are due, with the endings of their files.
    pub(super) fn months_to_come(&self) -> Vec<(Month, String)> {
        let month = |name: &String| {
            let (stem, ending) = name.split_once('.').filter(|_| name.ends_with(".later"))?;
            Some((Month::parse(stem)?, format!(".{ending}")))
        };
        self.set_aside.iter().filter_map(month).collect()
    }

    /// Changes that give files other endings.
    fn renamed(&self, stems: &[String], from: &str, to: &str) -> Result<Vec<Change>, StoreError> {
        let mut changes = Vec::new();
        for stem in stems {
            let name = format!("{stem}{from}");
            if let Some(bytes) = self.read_bytes(&name)? {
                changes.push((format!("{stem}{to}"), Some(bytes)));
                changes.push((name, None));
            }
        }
        Ok(changes)
    }
}
