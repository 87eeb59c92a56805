//! Restores a backup into a store, which loses none of its own days.
//!
//! Both can have a day. If the backup is of the same store, or one of the two already has the days of the other, the day
//! with more attempts is the later state. If it is of another one (the store was created again), each has counted a part
//! of the day, and both are added up.
//!
//! The lists of blocked networks are merged: of a network in both, the block that ends later is kept.

use crate::event::Class;
use crate::event::calendar::{Date, Month};
use crate::guard::networks::{NetworkBlock, Networks};
use crate::query::history::{Detail, MonthData, Need};
use crate::query::target::MAX_NETWORKS;
use crate::stats::anomalies::Anomaly;
use crate::stats::day::{Day, Samples};
use crate::stats::sum::sum_of_day;
use crate::stats::summary::DaySummary;
use crate::store::directory::Change;
use crate::store::ledger::Moment;
use crate::store::meta::Meta;
use crate::store::networks::{self, NETWORKS};
use crate::store::pieces::{self, State};

use super::{FWS, Store, StoreError};

/// Changes that restore a backup.
#[derive(Default)]
pub struct Restored {
    pub changes: Vec<Change>,
    /// The restored days, oldest first.
    pub days: Vec<Date>,
    /// Number of restored blocks of networks and countries.
    pub networks: usize,
    /// Number of those beyond the limit.
    pub networks_left_out: usize,
}

impl Store {
    /// The changes that add what `backup` has. `join_imports`: merges two lists of imported contents. `now`: the time
    /// by both clocks. The store must not be used after a failed commit of the changes.
    pub fn restore(
        &mut self,
        backup: &mut Store,
        now: &Moment,
        join_imports: impl Fn(&[u8], &[u8]) -> Vec<u8>,
    ) -> Result<Restored, StoreError> {
        let mut restored = self.restore_days(backup, join_imports)?;
        self.restore_networks(backup, now, &mut restored)?;
        Ok(restored)
    }

    fn restore_days(
        &mut self,
        backup: &mut Store,
        join_imports: impl Fn(&[u8], &[u8]) -> Vec<u8>,
    ) -> Result<Restored, StoreError> {
        let (ours, theirs) = (self.meta()?.united, backup.meta()?.united);
        let same = self.salt == backup.salt || ours.contains(&backup.salt) || theirs.contains(&self.salt);
        let mut salts = ours;
        for other in [self.salt, backup.salt].into_iter().chain(theirs) {
            salts.extend((!salts.contains(&other)).then_some(other));
        }
        // Samples of two salts cannot be merged: those of the store with more days are kept.
        let salt = if backup.count_days()? >= self.count_days()? { backup.salt } else { self.salt };
        let (ours_stays, theirs_stays) = (self.salt == salt, backup.salt == salt);
        self.salt = salt;
        let mut restored = Restored::default();
        let mut months: Vec<Month> = self.months.iter().chain(&backup.months).copied().collect();
        months.sort_unstable();
        months.dedup();
        let pieces = self.pieces()?;
        for month in months {
            let mut ours = self.undamaged_days(month)?;
            let mut theirs = backup.whole(month, FWS, &|_| true)?;
            ours.iter_mut().filter(|_| !ours_stays).for_each(MonthData::drop_samples);
            if let Some(whole) = &mut theirs {
                // None of its days is stored here in the same form.
                whole.changed.extend(whole.days.iter().map(|day| day.date));
                if !theirs_stays {
                    whole.drop_samples();
                }
                if same {
                    // A day that is open here is newer here.
                    whole.keep_days(|date| pieces.iter().all(|(_, open, _)| *open != date));
                }
            }
            let mut whole = match (ours, theirs) {
                (Some(ours), Some(theirs)) => match united(ours, theirs, same, &mut restored.days) {
                    (whole, true) => whole,
                    (_, false) if ours_stays => continue,
                    (whole, false) => whole,
                },
                (None, Some(theirs)) => {
                    restored.days.extend(theirs.days.iter().map(|day| day.date));
                    theirs
                }
                (Some(ours), None) if !ours_stays => ours,
                _ => continue,
            };
            restored.changes.extend(self.change_month(&mut whole)?);
        }
        self.restore_open_days(backup, same, (ours_stays, theirs_stays), &mut restored)?;
        if restored.days.is_empty() && ours_stays {
            return Ok(Restored::default());
        }
        restored.days.sort_unstable();
        restored.days.dedup();
        self.restore_meta(backup, (same, salts), &mut restored.changes, join_imports)?;
        Ok(restored)
    }

    /// Adds the blocks that have not expired to those of this store.
    fn restore_networks(
        &mut self,
        backup: &mut Store,
        now: &Moment,
        restored: &mut Restored,
    ) -> Result<(), StoreError> {
        let mut joined = Networks::default();
        for block in self.networks(now)? {
            joined.add(block);
        }
        for block in backup.networks(now)?.into_iter().filter(|block| !block.is_over(now.boot_ms)) {
            let has_room = joined.blocks.len() < MAX_NETWORKS || joined.get(block.target).is_some();
            restored.networks_left_out += usize::from(!has_room);
            restored.networks += usize::from(joined.add_longer(block));
        }
        if restored.networks > 0 {
            restored.changes.extend(self.replace(NETWORKS, Some(networks::encode(now, &joined.blocks)))?);
        }
        Ok(())
    }

    fn networks(&mut self, now: &Moment) -> Result<Vec<NetworkBlock>, StoreError> {
        let Some(file) = self.open_file(NETWORKS)? else { return Ok(Vec::new()) };
        let blocks = networks::from_file(&file, now);
        self.note(NETWORKS, blocks.is_none().then_some("contains an invalid record"));
        Ok(blocks.unwrap_or_default())
    }

    /// A month without its damaged days.
    fn undamaged_days(&mut self, month: Month) -> Result<Option<MonthData>, StoreError> {
        let mut whole = self.whole(month, FWS, &|_| true)?;
        whole.iter_mut().for_each(|whole| whole.keep_days(|date| !self.is_damaged(&format!("{date}{FWS}"))));
        Ok(whole)
    }

    fn count_days(&mut self) -> Result<usize, StoreError> {
        let need = Need::new(Class::Attempt);
        self.months.clone().into_iter().map(|month| Ok(self.read(month, &need)?.days.len())).sum()
    }

    fn has_day(&mut self, date: Date) -> Result<bool, StoreError> {
        let days = self.read(date.month(), &Need::new(Class::Attempt))?.days;
        Ok(days.iter().any(|day| day.date == date))
    }

    /// Days that were open in the backup become pieces, which the daemon or an import closes.
    fn restore_open_days(
        &mut self,
        backup: &mut Store,
        same: bool,
        (ours_stays, theirs_stays): (bool, bool),
        restored: &mut Restored,
    ) -> Result<(), StoreError> {
        let mut known = self.pieces()?;
        if !ours_stays {
            for (name, date, _) in &known {
                let Some(saved) = self.piece(name)? else { continue };
                let mut day = DaySummary::new(*date);
                saved.days.iter().for_each(|part| day = sum_of_day(&day, &part.summary));
                let bytes = pieces::encode_part(self.salt, &saved.state, &mut day, &mut Samples::default());
                restored.changes.push((name.clone(), Some(bytes)));
            }
        }
        for of_day in backup.pieces()?.chunk_by(|(_, one, _), (_, next, _)| one == next) {
            let date = of_day[0].1;
            let last = known.iter().filter(|(_, open, _)| *open == date).map(|(.., number)| *number).max();
            if same && (last.is_some() || self.has_day(date)?) {
                continue;
            }
            let mut day = Day::new(date, self.salt);
            for (name, ..) in of_day {
                for part in backup.piece(name)?.into_iter().flat_map(|saved| saved.days) {
                    let samples = if theirs_stays { part.samples } else { Samples::default() };
                    day.add_summary(&part.summary, &samples);
                }
            }
            let number = last.map_or(0, |last| last.saturating_add(1));
            let state = State { date: Some(date), ..State::default() };
            let name = pieces::name_of(date, number);
            restored.changes.push((name.clone(), Some(pieces::encode_day(self.salt, &state, &day))));
            restored.days.push(date);
            known.push((name, date, number));
        }
        Ok(())
    }

    fn restore_meta(
        &mut self,
        backup: &mut Store,
        (same, united): (bool, Vec<u64>),
        changes: &mut Vec<Change>,
        join_imports: impl Fn(&[u8], &[u8]) -> Vec<u8>,
    ) -> Result<(), StoreError> {
        let (ours, theirs) = (self.meta()?, backup.meta()?);
        let seen = if ours.seen.is_empty() { theirs.seen } else { ours.seen };
        let imported = join_imports(&ours.imported, &theirs.imported);
        let zone = ours.zone.or(theirs.zone);
        let mut meta = Meta { imported, seen, zone, deletions: Vec::new(), united };
        let mut deletions = [ours.deletions, theirs.deletions].concat();
        deletions.sort_unstable();
        deletions.dedup();
        deletions.into_iter().for_each(|deletion| meta.note(deletion));
        changes.extend(self.change_meta(&meta)?);
        let mut later = self.later()?;
        // The same store still has these events, or has counted them since.
        if !same {
            later.add_all(&backup.later()?);
            changes.extend(self.change_later(&later)?);
        }
        Ok(())
    }
}

/// The days of two files of one month, and whether `theirs` added any.
fn united(mut ours: MonthData, theirs: MonthData, same: bool, restored: &mut Vec<Date>) -> (MonthData, bool) {
    let total =
        |day: &DaySummary| day.classes.iter().fold(0u64, |sum, class| sum.saturating_add(class.attempts));
    let attempts =
        |whole: &MonthData| (whole.days.len(), whole.days.iter().map(total).fold(0, u64::saturating_add));
    if ours.detail.max(theirs.detail) == Detail::Month {
        // The rows of a whole month cannot be split into days.
        if same && attempts(&theirs) <= attempts(&ours) {
            return (ours, false);
        }
        restored.extend(theirs.days.iter().map(|day| day.date));
        if same {
            return (theirs, true);
        }
        ours.join(theirs);
        return (ours, true);
    }
    let is_fuller = |day: &DaySummary| match ours.days.iter().find(|known| known.date == day.date) {
        None => true,
        Some(known) => !same || total(day) > total(known),
    };
    let detail = theirs.detail;
    let new: Vec<DaySummary> = theirs.days.into_iter().filter(is_fuller).collect();
    if new.is_empty() {
        return (ours, false);
    }
    let dates: Vec<Date> = new.iter().map(|day| day.date).collect();
    if detail > ours.detail {
        ours.drop_hours();
    }
    if same {
        ours.keep_days(|date| !dates.contains(&date));
    }
    ours.add(new);
    let is_added = |cell: &Anomaly| dates.contains(&cell.date) && !ours.cells.contains(cell);
    let added: Vec<Anomaly> = theirs.cells.into_iter().filter(is_added).collect();
    ours.cells.extend(added);
    ours.cells.sort_unstable_by_key(|cell| (cell.date, cell.service));
    restored.extend(dates);
    (ours, true)
}
