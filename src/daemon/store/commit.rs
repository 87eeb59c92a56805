//! Commits to flash: the loop starts them, the worker prepares them, the loop publishes them between two questions.
//!
//! Takes what is new of the open days, gives jobs to the worker. Waits for flash at a stop, when a command takes the
//! store, and when a reload names another directory.

use std::time::{Duration, Instant};

use super::job::{Done, Job};
use super::{MAX_PIECES, Storage};
use crate::event::calendar::Date;
use crate::live::{Commit, Engine, Now};
use crate::store::directory::Disk;
use crate::store::pieces::{encode_part, name_of};
use crate::store::{Meta, StoreError};
use crate::sys::worker::Worker;

/// How long everything may take that is written to flash while the loop waits for it.
pub(crate) const AT_END: Duration = Duration::from_secs(4);

impl Storage {
    /// Whether the worker prepares or finishes a commit, or one is prepared.
    pub(super) fn in_flight(&self) -> bool {
        self.prepared.is_some() || self.worker.as_ref().is_some_and(|worker| worker.is_busy)
    }

    /// Whether a commit is in progress or requested.
    pub(crate) fn is_busy(&self) -> bool {
        let is_due = self.worker.is_some() && !self.extra.is_empty();
        self.in_flight() || self.again || is_due
    }

    /// Begins to write to flash what it does not have; [`Storage::turn`] continues it.
    pub(crate) fn commit(&mut self, engine: &mut Engine, mark: Option<(u32, i64)>) {
        self.written_today(engine.date());
        if self.in_flight() {
            self.again = true;
            return;
        }
        self.again = false;
        let disk = self.store.directory().disk();
        let gone = disk.is_some_and(|disk| !disk.is_there());
        if self.worker.is_none() || gone || self.problem.is_some() {
            let before = engine.salt;
            // Until it has files, the store keeps the salt that was drawn for it.
            let salt = (disk.is_some() && !gone).then(|| self.store.salt());
            self.reopen(engine, salt, salt.is_none());
            if gone && engine.salt != before {
                let path = self.directory.display();
                self.log_lines.push(format!(
                    "{path} has another store now: the months of the one before are in no answer"
                ));
            }
        }
        if self.worker.is_none() {
            self.log_lines.extend(engine.bound_closed());
            return;
        }
        let pieces = match self.store.pieces() {
            Ok(pieces) => pieces,
            // A new piece could take the place of another.
            Err(error) => return self.failed(&error.to_string(), engine),
        };
        let of_today = pieces.iter().filter(|(_, date, _)| Some(*date) == engine.date()).count();
        let Commit { closed, part } = engine.begin_commit(of_today >= MAX_PIECES);
        let zone = engine.calendar.reusable_name().map(String::from);
        if closed.is_empty() && part.is_none() && self.extra.is_empty() && !self.later_changed {
            engine.end_commit(true);
            return;
        }
        let state = self.state(engine, mark);
        (self.serial, self.committing) = (state.serial, Some(state.serial));
        let mut changes = std::mem::take(&mut self.extra);
        self.extra_in_flight = changes.clone();
        let whole = part.as_ref().filter(|part| part.whole).map(|part| part.day.date);
        let is_over = |date: &Date| closed.iter().any(|day| day.date == *date) || whole == Some(*date);
        self.later_in_flight = std::mem::take(&mut self.later_changed);
        let store = &mut self.store;
        let mut change_others = || -> Result<(), StoreError> {
            for (name, ..) in pieces.iter().filter(|(_, date, _)| is_over(date)) {
                changes.extend(store.remove_piece(name)?);
            }
            if self.later_in_flight {
                changes.extend(store.change_later(&self.later)?);
            }
            Ok(())
        };
        // A piece beside its closed day would be counted twice, as would events that were taken out of `later`.
        if let Err(error) = change_others() {
            return self.failed(&error.to_string(), engine);
        }
        if let Some(mut part) = part {
            let date = part.day.date;
            let last = pieces.iter().filter(|(_, known, _)| *known == date).map(|(.., number)| *number).max();
            let name = name_of(date, last.map_or(0, |last| last.wrapping_add(1)));
            let bytes = encode_part(store.salt(), &state, &mut part.day, &mut part.samples);
            changes.push((name, Some(bytes)));
        }
        if zone.is_some() && self.zone != zone {
            let meta = store.meta().map(|meta| Meta { zone: zone.clone(), ..meta });
            match meta.and_then(|meta| store.change_meta(&meta)) {
                Ok(changed) => changes.extend(changed),
                Err(error) => self.problem = Some(error.to_string()),
            }
            self.zone = zone;
        }
        self.submit(Job::Prepare { closed, changes, keep: self.keep }, engine);
    }

    /// Submits a job to the worker; without a worker the job has failed.
    pub(super) fn submit(&mut self, job: Job, engine: &mut Engine) {
        if self.worker.as_mut().is_none_or(|worker| !worker.submit(job)) {
            self.failed("the thread that writes it is gone", engine);
        }
    }

    /// Takes back what a failed commit was to write: the next one has it.
    pub(super) fn failed(&mut self, why: &str, engine: &mut Engine) {
        if self.committing.take().is_some() {
            engine.end_commit(false);
        }
        self.log_lines.extend(engine.bound_closed());
        self.later_changed |= std::mem::take(&mut self.later_in_flight);
        let waiting = std::mem::take(&mut self.extra_in_flight);
        waiting.into_iter().for_each(|(name, bytes)| self.change(name, bytes));
        self.problem = Some(format!("in RAM only: {why}"));
        (self.prepared, self.finishing, self.worker) = (None, false, None);
    }

    /// Continues a commit. `publish`: no question is being answered, so that the files may change.
    pub(crate) fn turn(&mut self, engine: &mut Engine, now: Now, publish: bool) {
        if let Some(done) = self.worker.as_mut().and_then(Worker::take) {
            self.done(done, engine);
        } else if self.in_flight() && self.worker.as_ref().is_some_and(Worker::is_dead) {
            self.failed("the thread that writes it ended", engine);
        }
        if publish {
            self.publish(engine, now);
        }
        if self.in_flight() || self.worker.is_none() {
            return;
        }
        if !self.extra.is_empty() {
            let changes = std::mem::take(&mut self.extra);
            self.extra_in_flight = changes.clone();
            let job = Job::Prepare { closed: Vec::new(), changes, keep: self.keep };
            self.submit(job, engine);
        } else if self.wants_maintenance
            && let Some(today) = engine.date().filter(|_| engine.clock.is_set())
        {
            self.wants_maintenance = false;
            let job = Job::Maintain { now: now.wall, today, keep: self.keep, may: self.may };
            self.submit(job, engine);
        }
    }

    /// Whether a commit that was requested during another one can begin.
    pub(crate) fn wants_commit(&self) -> bool {
        self.again && !self.in_flight()
    }

    /// Takes the result of a job.
    pub(super) fn done(&mut self, done: Done, engine: &mut Engine) {
        if std::mem::take(&mut self.finishing) {
            self.unfinished = done.err().map(|why| {
                format!(
                    "the last commit counts, but its files could not be moved to where they belong: {why}"
                )
            });
            self.bytes = self.store.directory().size();
            return;
        }
        match done {
            Ok(prepared) => self.prepared = prepared,
            Err(why) => self.failed(&why.to_string(), engine),
        }
    }

    /// Publishes the prepared commit and lets the worker move its files.
    pub(super) fn publish(&mut self, engine: &mut Engine, now: Now) {
        let Some(prepared) = self.prepared.take() else { return };
        let store = &mut self.store;
        if let Some(Err(error)) = store.directory().disk().map(Disk::publish) {
            return self.failed(&format!("cannot write the store: {error}"), engine);
        }
        store.committed(&prepared.names);
        // A later import can reuse the name of a deleted piece.
        if let (Ok(pieces), salt) = (store.pieces(), store.salt()) {
            let is_there = |key| pieces.iter().any(|(_, date, number)| (*date, *number) == key);
            self.restored.retain(|id| id.salt != salt || is_there(id.key));
        }
        if let Some(left) = prepared.left {
            (self.may, self.wants_maintenance) = (left, true);
            self.deletions = store.meta().unwrap_or_default().deletions;
        }
        self.log_lines.extend(prepared.log_lines);
        self.extra_in_flight.clear();
        if std::mem::take(&mut self.later_in_flight) && !self.later_changed {
            // Flash has this state now: what an import adds from here on is new, whatever its date.
            self.due = 0;
        }
        self.add_written(prepared.bytes);
        self.problem = None;
        if self.committing.take().is_some() {
            engine.end_commit(true);
            self.last_commit = Some(now.wall);
        }
        self.finishing = true;
        self.submit(Job::Finish, engine);
    }

    /// Finishes pending commits, but stops at `until`.
    pub(crate) fn finish_commits(&mut self, engine: &mut Engine, now: Now, until: Instant) {
        self.wants_maintenance = false;
        loop {
            self.turn(engine, now, true);
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || !self.in_flight() && self.extra.is_empty() {
                return;
            }
            let Some(done) = self.worker.as_mut().and_then(|worker| worker.wait(left)) else { return };
            self.done(done, engine);
        }
    }
}
