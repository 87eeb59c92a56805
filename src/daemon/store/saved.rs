//! The state that an earlier run left: pieces of open days on flash, and the copy in tmpfs.
//!
//! Takes the files, gives days and the newest state; each event once. Writes nothing.

use crate::event::calendar::Date;
use crate::store::pieces::{Saved, State};
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

/// Which piece it is, also of a directory that took the place of another.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct PieceId {
    /// Of the store of an import's piece, which has neither boot nor serial.
    pub(super) salt: u64,
    /// Its day and number.
    pub(super) key: (Date, u32),
    pub(super) boot: String,
    pub(super) serial: u64,
}

impl PieceId {
    /// That of an import's.
    pub(super) fn of_import(salt: u64, key: (Date, u32)) -> PieceId {
        PieceId { salt, key, boot: String::new(), serial: 0 }
    }

    pub(super) fn is_import(&self) -> bool {
        self.serial == 0
    }
}

impl Flash {
    /// The days of the pieces that are wanted, with the newest state.
    pub(super) fn saved(self, wanted: impl Fn(&Piece) -> bool) -> Saved {
        let days = self.pieces.into_iter().filter(wanted).flat_map(|piece| piece.days).collect();
        Saved { days, state: self.state, ..Saved::default() }
    }
}

/// The copy in RAM, newer than flash, together with the days and imports that only flash has.
pub(super) fn with_others(mut copy: Saved, flash: Flash) -> Saved {
    if copy.state.committing.is_some_and(|serial| flash.state.serial >= serial) {
        // The commit of its closed days was published before anybody could write the next copy.
        let open = copy.state.date;
        let is_closed = |day: &StoredDay| day.summary.classes.iter().any(|class| class.sample.is_some());
        copy.days.retain(|day| !is_closed(day) && Some(day.summary.date) == open);
    } else {
        // Pieces that an import closed before the copy's commit was published: their days are in the months.
        let (held, pieces) = (&copy.state.imports, &flash.pieces);
        let is_gone = |key: &&(Date, u32)| pieces.iter().all(|piece| piece.id.key != **key);
        let gone: Vec<Date> = held.iter().filter(is_gone).map(|(date, _)| *date).collect();
        copy.days.retain(|day| !gone.contains(&day.summary.date));
    }
    let known: Vec<Date> = copy.days.iter().map(|day| day.summary.date).chain(copy.state.date).collect();
    let (imports, ours): (Vec<Piece>, Vec<Piece>) =
        flash.pieces.into_iter().partition(|piece| piece.id.is_import());
    let ours = ours.into_iter().flat_map(|piece| piece.days);
    copy.days.extend(ours.filter(|day| !known.contains(&day.summary.date)));
    let new = imports.into_iter().filter(|piece| !copy.state.imports.contains(&piece.id.key));
    copy.days.extend(new.flat_map(|piece| piece.days));
    copy
}
