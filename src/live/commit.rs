//! The parts of the open day: for a commit to flash, and for the copy in RAM.
//!
//! Takes the engine's tables, gives what flash does not have yet. Writes nothing.

use super::Engine;
use crate::query::open::joined;
use crate::stats::day::{Day, Samples};
use crate::stats::summary::DaySummary;
use crate::stats::tables::Focus;
use crate::store::pieces::{RamCopy, State};

/// Rows of a whole piece on flash.
const PIECE: (usize, usize, usize) = (1024, 2048, 4096);
/// Rows of a day whose tables overflowed, in an attack: less is written to flash.
const PIECE_OF_MANY: (usize, usize, usize) = (512, 512, 512);

/// What a commit stores of the open day.
pub struct Part {
    pub day: DaySummary,
    pub samples: Samples,
    /// It is the whole day and replaces what flash has of it.
    pub whole: bool,
}

/// What a commit stores.
pub struct Commit {
    pub closed: Vec<DaySummary>,
    pub part: Option<Part>,
}

impl Engine {
    /// Begins a commit: the closed days, and of the open day what flash lacks, or the `whole` day. What is counted from
    /// now on belongs to the next commit. Without an open day nothing is stored, since there is no state to store with
    /// it.
    pub fn begin_commit(&mut self, whole: bool) -> Commit {
        self.close_late();
        debug_assert!(!self.committing);
        self.committing = true;
        let mut part = None;
        if let Some(day) = &self.open {
            self.storing = std::mem::take(&mut self.closed);
            let since = self.since.as_ref().filter(|since| !whole && since.is_whole());
            let (summary, samples) = match since {
                Some(since) => (since.to_summary(), since.samples()),
                None => {
                    let (services, sources, pairs) = if day.is_whole() { PIECE } else { PIECE_OF_MANY };
                    let focused = day.focused(&Focus::heaviest(services, sources, pairs));
                    let samples = if is_cut(&focused) { day.all_samples() } else { day.samples() };
                    (focused, samples)
                }
            };
            // An empty part carries the state, so that a copy from before the days' close does not replace it.
            let has_news = !since.unwrap_or(day).is_empty() || !self.storing.is_empty();
            let (day, whole) = (without_countries(summary), since.is_none());
            part = has_news.then_some(Part { day, samples, whole });
        }
        self.begin_since();
        let mut closed = self.storing.clone();
        for class in closed.iter_mut().flat_map(|day| &mut day.classes) {
            // It only marks a closed day in the copy in RAM; of the store it would shrink the samples of other days.
            class.sample.take_if(|sample| sample.bound() == 0);
        }
        Commit { closed, part }
    }

    /// Ends a commit. `stored`: whether the store has what [`Engine::begin_commit`] returned.
    pub fn end_commit(&mut self, stored: bool) {
        self.committing = false;
        let storing = std::mem::take(&mut self.storing);
        if !stored {
            self.since = None;
            storing.into_iter().for_each(|day| self.close(day));
        }
        // The copy must be newer than flash.
        self.changed = true;
    }

    /// Everything that flash may lack, with the state, if anything has changed since the last copy. [`State::on_flash`] is
    /// set here.
    pub fn copy(&mut self, state: State) -> Option<RamCopy<'_>> {
        self.close_late();
        // The closed days of a copy must be those of the commit in progress, if there is one, so that a reader knows
        // whether flash has them. Otherwise the previous copy stays until the commit has ended.
        let is_mixed = self.committing && !self.closed.is_empty();
        if is_mixed || !std::mem::take(&mut self.changed) {
            return None;
        }
        let (on_flash, closed) = (self.is_on_flash(), joined(self.closed().cloned()));
        let (open, waiting) = (self.open.as_ref(), &self.waiting);
        Some(RamCopy { salt: self.salt, state: State { on_flash, ..state }, closed, open, waiting })
    }

    /// Everything must be written again, to another store.
    pub fn forget_commits(&mut self) {
        self.since = None;
        self.changed = true;
    }

    /// The samples of another store hash with another salt.
    pub fn set_salt(&mut self, salt: u64) {
        if salt == self.salt {
            return;
        }
        self.salt = salt;
        let rules = self.paths.rules();
        let rebuilt = |day: &Day| {
            let mut new = Day::new(day.date, salt).with_rules(&rules);
            new.add_summary(&day.to_summary(), &Samples::default());
            new
        };
        self.open = self.open.as_ref().map(rebuilt);
        self.late = self.late.as_ref().map(rebuilt);
        self.since = None;
        // Samples of closed days cannot be made again. Without sources they still mark these days as closed.
        for class in self.closed.iter_mut().flat_map(|day| &mut day.classes) {
            class.sample.iter_mut().for_each(|sample| sample.forget());
        }
    }

    /// Whether flash has everything of the open day, and no other day is to be written.
    fn is_on_flash(&self) -> bool {
        !self.committing
            && self.since.as_ref().is_some_and(Day::is_empty)
            && self.late.is_none()
            && self.closed().next().is_none()
    }
}

fn is_cut(day: &DaySummary) -> bool {
    day.classes.iter().any(|class| class.sources.floor > 0 || class.pairs.floor > 0)
}

/// Countries and samples are computed when the day is closed.
fn without_countries(mut day: DaySummary) -> DaySummary {
    for class in &mut day.classes {
        class.countries = Default::default();
        class.sample = None;
    }
    day
}
