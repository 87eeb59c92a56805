//! Adds the days of an import to a store.
//!
//! Takes the days that were read, gives what is to be said of them. Commits once.

use super::{MAX_PIECES, Result, plausible_now};
use crate::event::Class;
use crate::event::calendar::{Calendar, Date, Month};
use crate::live::waiting::unknown;
use crate::query::history::{History, Need};
use crate::query::open::joined;
use crate::stats::countries::SharedLookup;
use crate::stats::day::{Day, close};
use crate::stats::deferred::{Counts, Deferred};
use crate::stats::sum::sum_of_day;
use crate::stats::summary::DaySummary;
use crate::store::container::Section;
use crate::store::directory::Change;
use crate::store::pieces::{self, State};
use crate::store::spool::Spool;
use crate::store::{Meta, Store};

/// Days that are added to the store.
pub(super) struct Adding<'a> {
    pub(super) store: &'a mut Store,
    pub(super) spool: Spool,
    pub(super) lookup: &'a SharedLookup,
    pub(super) later: Deferred,
    /// Due counts of events of which only the class is known.
    pub(super) unplaced: Vec<(u64, Counts)>,
    pub(super) calendar: &'a Calendar,
    /// Days of which a fleet's server has a batch.
    pub(super) sent: &'a [Date],
}

impl Adding<'_> {
    /// Closes all days but the first, the last, today, and the newest day that is already open, so that more of these
    /// can be added exactly. Returns notes: months that are too old, and days that had events before.
    pub(super) fn add(mut self, meta: &Meta) -> Result<Vec<String>> {
        let sent = self.sent;
        let pieces = self.store.pieces()?;
        // A daemon may have more of its days in RAM, and knows which pieces of imports it has read: pieces are then
        // left for the daemon to close.
        let mut counted: Vec<Date> = Vec::new();
        for (name, date, _) in &pieces {
            counted.extend(self.store.piece(name)?.filter(|piece| piece.state.serial > 0).map(|_| date));
        }
        let of_daemon = !counted.is_empty();
        let new = self.spool.dates();
        let newest = pieces.iter().map(|(_, date, _)| *date).max();
        // A day that retention would not keep is left out now, so that the command can report it.
        let mut months: Vec<Month> = new.iter().map(|date| date.month()).collect();
        months.dedup();
        for month in &months {
            let stored = self.store.month(*month, &Need::new(Class::Attempt));
            counted.extend(stored.days.iter().map(|day| day.date));
        }
        let first = new.first().filter(|date| self.store.keeps(date.month(), &months)).copied();
        let mut calendar = self.calendar.clone();
        // Today is not the last day of a log with dates in the future.
        let today = plausible_now().map(|now| calendar.hour_of(now).date);
        let stays_open = |date: Date| {
            let is_at_an_end = first == Some(date) || new.last() == Some(&date);
            let is_corrected = new.contains(&date) && sent.contains(&date);
            is_at_an_end || newest == Some(date) || today == Some(date) || is_corrected
        };
        let mut changes: Vec<Change> = Vec::new();
        for date in new.iter().copied().filter(|date| stays_open(*date)) {
            let numbers = pieces.iter().filter(|piece| piece.1 == date).map(|piece| piece.2 + 1);
            let (count, number) = (numbers.clone().count(), numbers.max().unwrap_or(0));
            let (state, salt) = (State { date: Some(date), ..State::default() }, self.store.salt());
            let bytes = if of_daemon || count < MAX_PIECES {
                // A seventh larger until the day is closed, in a quarter of the time.
                let sections =
                    self.spool.sections(date, Section::packed_fast).map_err(|error| error.to_string())?;
                pieces::encode(salt, &state, (date, 0), sections)
            } else {
                let mut day = self.join_pieces(date, &pieces, &mut changes)?;
                if let Some(spooled) = self.spool.read(date).map_err(|error| error.to_string())? {
                    day.add_summary(&spooled.summary, &spooled.samples);
                }
                pieces::encode_day(salt, &state, &day)
            };
            changes.push((pieces::name_of(date, number), Some(bytes)));
        }
        let mut over: Vec<Date> = pieces.iter().map(|(_, date, _)| *date).collect();
        over.retain(|date| !of_daemon && !stays_open(*date));
        over.dedup();
        let mut closed: Vec<DaySummary> = Vec::new();
        for date in over {
            let mut day = self.join_pieces(date, &pieces, &mut changes)?;
            closed.push(close(&mut day, Some(self.lookup)));
        }
        let unplaced = self
            .unplaced
            .iter()
            .map(|(moment, counts)| unknown(calendar.hour_of((moment / 1000).cast_signed()), counts));
        let extra = joined(closed.into_iter().chain(unplaced));
        let mut dates: Vec<Date> = new.iter().copied().filter(|date| !stays_open(*date)).collect();
        dates.extend(extra.iter().map(|day| day.date));
        dates.sort_unstable();
        dates.dedup();
        let (spool, lookup, salt) = (&self.spool, self.lookup, self.store.salt());
        let days = dates.iter().map(|date| {
            let known = extra.iter().find(|day| day.date == *date).cloned();
            let spooled = if stays_open(*date) { None } else { spool.read(*date)? };
            let spooled = spooled.map(|day| {
                if !spool.is_whole(*date) {
                    return day.summary;
                }
                let mut whole = Day::new(*date, salt);
                whole.add_summary(&day.summary, &day.samples);
                close(&mut whole, Some(lookup))
            });
            Ok(match (known, spooled) {
                (Some(known), Some(spooled)) => sum_of_day(&known, &spooled),
                (known, spooled) => known.or(spooled).unwrap_or_else(|| DaySummary::new(*date)),
            })
        });
        let added = self.store.add(&dates, days)?;
        changes.extend(added.changes);
        changes.extend(self.store.change_meta(meta)?);
        changes.extend(self.store.change_later(&self.later)?);
        self.store.commit(changes)?;
        let mut notes: Vec<String> = Vec::new();
        let mut again = new.iter().filter(|date| counted.contains(date));
        if let Some(first) = again.next() {
            let last = again.next_back().map(|last| format!(" to {last}")).unwrap_or_default();
            notes.push(format!(
                "{first}{last} had events before this import: what the daemon counted of the same log counts twice"
            ));
        }
        let months = self.store.keep.months;
        notes.extend(added.left_out.iter().map(|(month, attempts)| {
            format!("{month} is left out with {attempts} attempts: {months} newer months have data")
        }));
        Ok(notes)
    }

    /// The sum of the pieces of a day, which the `changes` remove.
    fn join_pieces(
        &mut self,
        date: Date,
        pieces: &[(String, Date, u32)],
        changes: &mut Vec<Change>,
    ) -> Result<Day> {
        let mut day = Day::new(date, self.store.salt());
        for (name, ..) in pieces.iter().filter(|piece| piece.1 == date) {
            let saved = self.store.piece(name)?;
            for part in saved.iter().flat_map(|saved| &saved.days).filter(|part| part.summary.date == date) {
                day.add_summary(&part.summary, &part.samples);
            }
            changes.extend(self.store.remove_piece(name)?);
        }
        Ok(day)
    }
}
