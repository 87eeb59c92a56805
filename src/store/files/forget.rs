//! Deletes at the owner's request: all days before a date, or the rows of a source. Gives changes to commit.

use crate::event::Address;
use crate::event::calendar::{Date, Month};
use crate::query::history::Detail;
use crate::stats::day::forget_sampled;
use crate::store::directory::Change;
use crate::store::meta::Deletion;
use crate::store::pieces;

use super::{FWS, Store, StoreError};

/// Changes that delete.
#[derive(Default)]
pub struct Forgotten {
    pub changes: Vec<Change>,
    /// Days, or rows of the source.
    pub count: usize,
    /// Why nothing can be deleted.
    pub refused: Option<String>,
}

impl Store {
    /// Deletes all days before `first`. `when`: seconds since 1970, for the list of deletions.
    pub fn forget_before(&mut self, first: Date, when: i64) -> Result<Forgotten, StoreError> {
        let mut forgotten = Forgotten::default();
        for month in self.months.clone().into_iter().filter(|month| month.first_day() < first) {
            let Some(mut whole) = self.whole(month, FWS, &|_| true)? else {
                // Damaged: it is deleted as a whole, or stays.
                if month.last_day() < first {
                    forgotten.changes.extend(self.removed(month, FWS));
                    forgotten.count += 1;
                }
                continue;
            };
            let is_over = |date: Date| date < first;
            let days = whole.days.iter().filter(|day| is_over(day.date)).count();
            if days == whole.days.len() && month.last_day() < first {
                forgotten.changes.extend(self.removed(month, FWS));
            } else if whole.detail == Detail::Month && days > 0 {
                forgotten.refused = Some(format!(
                    "{month} has no single days any more and can only be deleted as a whole: give {} or {}",
                    month.first_day(),
                    Date(month.last_day().0 + 1)
                ));
                return Ok(forgotten);
            } else if days > 0 {
                whole.keep_days(|date| !is_over(date));
                forgotten.changes.extend(self.change_month(&mut whole)?);
            }
            forgotten.count += days;
        }
        let mut open: Vec<Date> = Vec::new();
        for (name, date, _) in self.pieces()?.into_iter().filter(|(_, date, _)| *date < first) {
            forgotten.changes.push((name, None));
            open.push(date);
        }
        open.dedup();
        forgotten.count += open.len();
        for name in self.set_aside.clone() {
            let day = name.trim_start_matches("today-").get(..10).and_then(Date::parse);
            let month = name.get(..7).and_then(Month::parse).map(|month| month.last_day());
            if day.or(month).is_some_and(|last| last < first) {
                forgotten.changes.push((name, None));
            }
        }
        self.note_deletion(&mut forgotten, when, format!("everything before {first}"))?;
        Ok(forgotten)
    }

    /// Deletes the rows of sources. Totals, which identify nobody, stay. `what`: the sources, for the list of
    /// deletions.
    pub fn forget_sources(
        &mut self,
        is_meant: impl Fn(Address) -> bool + Copy,
        what: &str,
        when: i64,
    ) -> Result<Forgotten, StoreError> {
        let mut forgotten = Forgotten::default();
        let fws = self.months.iter().map(|month| (*month, FWS.to_string()));
        let months: Vec<(Month, String)> = fws.chain(self.months_to_come()).collect();
        for (month, ending) in months {
            let Some(mut whole) = self.whole(month, &ending, &|_| true)? else { continue };
            let mut removed = 0;
            for day in whole.days.iter_mut().chain(whole.whole.as_deref_mut()) {
                let rows = day.forget_sources(is_meant);
                if rows > 0 {
                    whole.changed.push(day.date);
                }
                removed += rows;
            }
            if removed > 0 {
                forgotten.changes.extend(self.change_files(&mut whole, &ending)?);
                forgotten.count += removed;
            }
        }
        let mut later = self.later()?;
        let rows = later.forget_sources(is_meant);
        if rows > 0 {
            forgotten.changes.extend(self.change_later(&later)?);
            forgotten.count += rows;
        }
        for (name, date, _) in self.pieces()? {
            let Some(mut saved) = self.piece(&name)? else { continue };
            let Some(part) = saved.days.iter_mut().find(|part| part.summary.date == date) else { continue };
            let rows = part.summary.forget_sources(is_meant);
            let sampled = forget_sampled(&mut part.samples, is_meant);
            if rows + sampled > 0 {
                let (summary, samples) = (&mut part.summary, &mut part.samples);
                let bytes = pieces::encode_part(self.salt, &saved.state, summary, samples);
                forgotten.changes.push((name, Some(bytes)));
                forgotten.count += rows.max(sampled);
            }
        }
        self.note_deletion(&mut forgotten, when, format!("the rows of {what}"))?;
        Ok(forgotten)
    }

    fn note_deletion(
        &mut self,
        forgotten: &mut Forgotten,
        when: i64,
        what: String,
    ) -> Result<(), StoreError> {
        if !forgotten.changes.is_empty() {
            let mut meta = self.meta()?;
            meta.note(Deletion { when, what, because: "the owner asked for it".into() });
            forgotten.changes.extend(self.change_meta(&meta)?);
        }
        Ok(())
    }
}
