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
use crate::stats::deferred::Counts;
use crate::stats::sum::sum_of_day;
use crate::stats::summary::DaySummary;
use crate::store::Store;
use crate::store::container::Section;
use crate::store::directory::Change;
use crate::store::pieces::{self, State};
use crate::store::spool::Spool;

/// Adds the days of a spool to the store. `unplaced`: due counts of events of which only the class is known. `sent`: days
/// of which a fleet's server has a batch. `changes`: further ones of the same commit.
///
/// Closes all days but the first, the last, today, and the newest day that is already open, so that more of these can be
/// added exactly. Returns notes: months that are too old, and days that had events before.
pub(super) fn add(
    store: &mut Store,
    spool: &Spool,
    lookup: &SharedLookup,
    unplaced: &[(u64, Counts)],
    calendar: &Calendar,
    sent: &[Date],
    mut changes: Vec<Change>,
) -> Result<Vec<String>> {
    let pieces = store.pieces()?;
    // A daemon may have more of its days in RAM, and knows which pieces of imports it has read: pieces are then
    // left for the daemon to close.
    let mut counted: Vec<Date> = Vec::new();
    for (name, date, _) in &pieces {
        counted.extend(store.piece(name)?.filter(|piece| piece.state.serial > 0).map(|_| date));
    }
    let of_daemon = !counted.is_empty();
    let new = spool.dates();
    let newest = pieces.iter().map(|(_, date, _)| *date).max();
    // A day that retention would not keep is left out now, so that the command can report it.
    let mut months: Vec<Month> = new.iter().map(|date| date.month()).collect();
    months.dedup();
    for month in &months {
        let stored = store.month(*month, &Need::new(Class::Attempt));
        counted.extend(stored.days.iter().map(|day| day.date));
    }
    let first = new.first().filter(|date| store.keeps(date.month(), &months)).copied();
    let mut calendar = calendar.clone();
    // Today is not the last day of a log with dates in the future.
    let today = plausible_now().map(|now| calendar.hour_of(now).date);
    let stays_open = |date: Date| {
        let is_at_an_end = first == Some(date) || new.last() == Some(&date);
        let is_corrected = new.contains(&date) && sent.contains(&date);
        is_at_an_end || newest == Some(date) || today == Some(date) || is_corrected
    };
    for date in new.iter().copied().filter(|date| stays_open(*date)) {
        let numbers = pieces.iter().filter(|piece| piece.1 == date).map(|piece| piece.2 + 1);
        let (count, number) = (numbers.clone().count(), numbers.max().unwrap_or(0));
        let (state, salt) = (State { date: Some(date), ..State::default() }, store.salt());
        let bytes = if of_daemon || count < MAX_PIECES {
            // A seventh larger until the day is closed, in a quarter of the time.
            let sections = spool.sections(date, Section::packed_fast).map_err(|error| error.to_string())?;
            pieces::encode(salt, &state, (date, 0), sections)
        } else {
            let mut day = join_pieces(store, date, &pieces, &mut changes)?;
            if let Some(spooled) = spool.read(date).map_err(|error| error.to_string())? {
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
        let mut day = join_pieces(store, date, &pieces, &mut changes)?;
        closed.push(close(&mut day, Some(lookup)));
    }
    let unplaced = unplaced
        .iter()
        .map(|(moment, counts)| unknown(calendar.hour_of((moment / 1000).cast_signed()), counts));
    let extra = joined(closed.into_iter().chain(unplaced));
    let mut dates: Vec<Date> = new.iter().copied().filter(|date| !stays_open(*date)).collect();
    dates.extend(extra.iter().map(|day| day.date));
    dates.sort_unstable();
    dates.dedup();
    let salt = store.salt();
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
    let added = store.add(&dates, days)?;
    changes.extend(added.changes);
    store.commit(changes)?;
    let mut notes: Vec<String> = Vec::new();
    let mut again = new.iter().filter(|date| counted.contains(date));
    if let Some(first) = again.next() {
        let last = again.next_back().map(|last| format!(" to {last}")).unwrap_or_default();
        notes.push(format!(
            "{first}{last} had events before this import: what the daemon counted of the same log counts twice"
        ));
    }
    let months = store.keep.months;
    notes.extend(added.left_out.iter().map(|(month, attempts)| {
        format!("{month} is left out with {attempts} attempts: {months} newer months have data")
    }));
    Ok(notes)
}

/// The sum of the pieces of a day, which the `changes` remove.
fn join_pieces(
    store: &mut Store,
    date: Date,
    pieces: &[(String, Date, u32)],
    changes: &mut Vec<Change>,
) -> Result<Day> {
    let mut day = Day::new(date, store.salt());
    for (name, ..) in pieces.iter().filter(|piece| piece.1 == date) {
        let saved = store.piece(name)?;
        for part in saved.iter().flat_map(|saved| &saved.days).filter(|part| part.summary.date == date) {
            day.add_summary(&part.summary, &part.samples);
        }
        changes.extend(store.remove_piece(name)?);
    }
    Ok(day)
}
