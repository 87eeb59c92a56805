//! The state that an earlier run left: pieces of open days on flash, and the copy in tmpfs.
//!
//! Takes the files, gives days and the newest state; each event once. Writes nothing.

use crate::event::calendar::Date;
use crate::store::pieces::{PieceId, Saved, State};
use crate::store::sections::StoredDay;

/// The open days on flash.
#[derive(Default)]
pub(super) struct Flash {
    pub(super) state: State,
    pub(super) pieces: Vec<Piece>,
}

/// A file with a part of an open day that an earlier run or an import left.
pub(super) struct Piece {
    pub(super) id: PieceId,
    pub(super) days: Vec<StoredDay>,
}

impl Flash {
    /// The days of the pieces that are wanted, with the newest state.
    pub(super) fn saved(self, wanted: impl Fn(&Piece) -> bool) -> Saved {
        let days = self.pieces.into_iter().filter(wanted).flat_map(|piece| piece.days).collect();
        Saved { days, state: self.state, ..Saved::default() }
    }
}

/// The copy in RAM, newer than flash, together with the pieces that only flash has. `salt`: of the store on flash, if the
/// copy was written with it.
pub(super) fn with_others(mut copy: Saved, flash: Flash, salt: Option<u64>) -> Saved {
    let State { restored, boot, date: open, committing, .. } = &copy.state;
    let is_published =
        |serial| flash.pieces.iter().any(|Piece { id, .. }| id.boot == *boot && id.serial >= serial);
    if committing.is_some_and(is_published) {
        // The commit of its closed days was published before anybody could write the next copy.
        let is_closed = |day: &StoredDay| day.summary.classes.iter().any(|class| class.sample.is_some());
        copy.days.retain(|day| !is_closed(day) && Some(day.summary.date) == *open);
    } else {
        // Pieces that an import closed before the copy's commit was published: their days are in the months.
        let is_there = |id: &PieceId| flash.pieces.iter().any(|piece| piece.id == *id);
        let is_gone = |id: &&PieceId| id.is_import() && Some(id.salt) == salt && !is_there(id);
        let gone: Vec<Date> = restored.iter().filter(is_gone).map(|id| id.key.0).collect();
        copy.days.retain(|day| !gone.contains(&day.summary.date));
    }
    let known: Vec<Date> = copy.days.iter().map(|day| day.summary.date).chain(*open).collect();
    // What was written in the copy's boot or restored is in the copy, unless it could not hold the day any longer.
    let is_held = |id: &PieceId| id.boot == *boot || restored.contains(id);
    for Piece { id, days } in flash.pieces {
        let is_missing =
            |day: &StoredDay| !is_held(&id) || !id.is_import() && !known.contains(&day.summary.date);
        copy.days.extend(days.into_iter().filter(is_missing));
    }
    copy
}
