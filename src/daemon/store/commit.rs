//! Commits to flash: the loop starts them, the worker prepares them, the loop publishes them between two questions.
//!
//! Takes what is new of the open days, gives jobs to the worker. Waits for flash at a stop, when a command takes the
//! store, and when a reload names another directory.

use std::time::{Duration, Instant};

use super::job::{Done, Job, Prepared};
use super::{MAX_PIECES, Storage, keep};
use crate::config::Config;
use crate::event::calendar::Date;
use crate::live::{Commit, Engine, Now};
use crate::store::directory::Disk;
use crate::store::pieces;
use crate::store::{Allowed, Meta};
use crate::sys::worker::Worker;

/// How long everything may take that is written to flash while the loop waits for it.
pub(crate) const AT_END: Duration = Duration::from_secs(4);

/// What a prepared commit is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Purpose {
    /// The flag: days are closed with it.
    Statistics(bool),
    Extra,
    Maintenance,
    Finish,
}

impl Storage {
    /// Whether a commit is in progress or requested.
    pub(crate) fn is_busy(&self) -> bool {
        let is_due = self.worker.is_some() && !self.extra.is_empty();
        self.flight.is_some() || self.prepared.is_some() || self.again || is_due
    }

    /// Begins to write to flash what it does not have; [`Storage::turn`] continues it.
    pub(crate) fn commit(&mut self, config: &Config, engine: &mut Engine, mark: Option<(u32, i64)>) {
        self.written_today(engine.date());
        if self.flight.is_some() || self.prepared.is_some() {
            self.again = true;
            return;
        }
        self.again = false;
        let disk = self.store.as_ref().and_then(|store| store.directory().disk());
        let gone = disk.is_some_and(|disk| !disk.is_there());
        // Until it has files, the store keeps the salt that was drawn for it.
        let salt = (disk.is_some() && !gone).then(|| self.salt());
        if self.worker.is_none() || gone || self.problem.is_some() {
            let other = gone || self.store.is_none();
            let found = self.reopen(config, salt);
            let is_another = engine.salt() != self.salt();
            if self.store.is_some() && (other || is_another) {
                engine.forget_commits();
                engine.set_salt(self.salt());
                if gone && is_another {
                    let path = self.directory.display();
                    self.queue_line(format!(
                        "{path} has another store now: the months of the one before are in no answer"
                    ));
                }
            }
            if let Some((mut saved, _)) = found {
                saved.state.date = None;
                engine.restore(saved, false);
            }
        }
        if self.worker.is_none() {
            engine.bound_closed();
            return;
        }
        let of_today = self.pieces.iter().filter(|(_, date, _)| Some(*date) == engine.date()).count();
        let Commit { closed, part } = engine.begin_commit(of_today >= MAX_PIECES);
        let zone = engine.calendar().reusable_name().map(String::from);
        if closed.is_empty() && part.is_none() && self.extra.is_empty() && !self.later_changed {
            engine.end_commit(true);
            return;
        }
        let state = self.state(engine, mark);
        self.committing = Some(state.serial);
        let mut changes = std::mem::take(&mut self.extra);
        self.extra_in_flight = changes.clone();
        let whole = part.as_ref().filter(|part| part.whole).map(|part| part.day.date);
        let is_over = |date: &Date| closed.iter().any(|day| day.date == *date) || whole == Some(*date);
        let Some(store) = &mut self.store else { return };
        for (name, ..) in self.pieces.iter().filter(|(_, date, _)| is_over(date)) {
            match store.remove_piece(name) {
                Ok(removed) => changes.extend(removed),
                // A piece that stays beside its closed day would be counted twice.
                Err(error) => {
                    return self.failed(Purpose::Statistics(false), error.to_string(), engine);
                }
            }
        }
        if let Some(mut part) = part {
            let date = part.day.date;
            let last =
                self.pieces.iter().filter(|(_, known, _)| *known == date).map(|(.., number)| *number).max();
            let name = pieces::name_of(date, last.map_or(0, |last| last.wrapping_add(1)));
            let bytes = pieces::encode_part(store.salt(), &state, &mut part.day, &mut part.samples);
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
        self.later_in_flight = std::mem::take(&mut self.later_changed);
        if self.later_in_flight {
            match store.change_later(&self.later) {
                Ok(changed) => changes.extend(changed),
                // Those that were taken out would be counted again.
                Err(error) => {
                    return self.failed(Purpose::Statistics(false), error.to_string(), engine);
                }
            }
        }
        let purpose = Purpose::Statistics(!closed.is_empty());
        self.submit(Job::Prepare { closed, changes, keep: keep(config) }, purpose, engine);
    }

    /// Submits a job to the worker; without a worker the job has failed.
    pub(super) fn submit(&mut self, job: Job, purpose: Purpose, engine: &mut Engine) {
        let refused = match &mut self.worker {
            Some(worker) => worker.submit(job).is_err(),
            None => true,
        };
        if refused {
            self.failed(purpose, "the thread that writes it is gone".into(), engine);
        } else {
            self.flight = Some(purpose);
        }
    }

    /// Takes back what a failed commit was to write: the next one has it.
    pub(super) fn failed(&mut self, purpose: Purpose, why: String, engine: &mut Engine) {
        if let Purpose::Statistics(_) = purpose {
            engine.end_commit(false);
        }
        self.committing = None;
        self.later_changed |= std::mem::take(&mut self.later_in_flight);
        let waiting = std::mem::take(&mut self.extra_in_flight);
        waiting.into_iter().for_each(|(name, bytes)| self.change(name, bytes));
        self.problem = Some(format!("in RAM only: {why}"));
        (self.flight, self.worker) = (None, None);
    }

    /// Continues a commit. `publish`: no question is being answered, so that the files may change.
    pub(crate) fn turn(&mut self, config: &Config, engine: &mut Engine, now: Now, publish: bool) {
        let done = self.worker.as_mut().and_then(Worker::take);
        if let Some(done) = done {
            self.done(done, engine);
        } else if self.worker.as_ref().is_some_and(Worker::is_dead)
            && let Some(purpose) = self.flight
        {
            self.failed(purpose, "the thread that writes it ended".into(), engine);
        }
        if publish && self.prepared.is_some() {
            self.publish(engine, now);
        }
        if self.flight.is_some() || self.prepared.is_some() || self.worker.is_none() {
            return;
        }
        if !self.extra.is_empty() {
            let changes = std::mem::take(&mut self.extra);
            self.extra_in_flight = changes.clone();
            let job = Job::Prepare { closed: Vec::new(), changes, keep: keep(config) };
            self.submit(job, Purpose::Extra, engine);
        } else if self.wants_maintenance
            && let Some(today) = engine.date().filter(|_| engine.clock_is_set())
        {
            self.wants_maintenance = false;
            let job = Job::Maintain { now: now.wall, today, keep: keep(config), may: self.may };
            self.submit(job, Purpose::Maintenance, engine);
        }
    }

    /// Whether a commit that was requested during another one can begin.
    pub(crate) fn wants_commit(&self) -> bool {
        self.again && self.flight.is_none() && self.prepared.is_none()
    }

    /// Takes the result of a job.
    pub(super) fn done(&mut self, done: Done, engine: &mut Engine) {
        let Some(purpose) = self.flight.take() else { return };
        match done {
            Done::Prepared(prepared) => {
                self.flight = Some(purpose);
                self.may = prepared.left.unwrap_or(self.may);
                self.prepared = Some(prepared);
            }
            Done::Nothing => {}
            Done::Failed(why) => self.failed(purpose, why, engine),
            Done::Finished(finished) => {
                self.unfinished = finished.err().map(|why| {
                    format!(
                        "the last commit counts, but its files could not be moved to where they belong: {why}"
                    )
                });
                if let Some(store) = &self.store {
                    self.bytes = store.directory().size();
                }
            }
        }
    }

    /// Publishes the prepared commit and lets the worker move its files.
    pub(super) fn publish(&mut self, engine: &mut Engine, now: Now) {
        let (Some(Prepared { names, bytes, log_lines, .. }), Some(purpose)) =
            (self.prepared.take(), self.flight.take())
        else {
            return;
        };
        let Some(store) = &mut self.store else { return };
        if let Some(Err(error)) = store.directory().disk().map(Disk::publish) {
            return self.failed(purpose, format!("cannot write the store: {error}"), engine);
        }
        store.committed(&names);
        self.pieces = store.pieces().unwrap_or_default();
        // A later import can reuse the name of a deleted piece.
        let (pieces, salt) = (&self.pieces, store.salt());
        let is_there = |key| pieces.iter().any(|(_, date, number)| (*date, *number) == key);
        self.restored.retain(|id| id.salt != salt || is_there(id.key));
        if purpose == Purpose::Maintenance {
            self.deletions = store.meta().unwrap_or_default().deletions;
            self.wants_maintenance = true;
        }
        log_lines.into_iter().for_each(|sentence| self.queue_line(sentence));
        self.extra_in_flight.clear();
        if std::mem::take(&mut self.later_in_flight) && !self.later_changed {
            // Flash has this state now: what an import adds from here on is new, whatever its date.
            self.due = 0;
        }
        self.add_written(bytes);
        self.problem = None;
        if let Purpose::Statistics(closed) = purpose {
            self.committing = None;
            engine.end_commit(true);
            self.last_commit = Some(now.wall);
            if closed {
                (self.wants_maintenance, self.may) = (true, Allowed::ALL);
            }
        }
        self.submit(Job::Finish, Purpose::Finish, engine);
    }

    /// Finishes pending commits, but stops at `until`. Returns whether flash has everything.
    pub(crate) fn finish_commits(
        &mut self,
        config: &Config,
        engine: &mut Engine,
        now: Now,
        until: Instant,
    ) -> bool {
        self.wants_maintenance = false;
        loop {
            self.turn(config, engine, now, true);
            if self.flight.is_none() && self.prepared.is_none() && self.extra.is_empty() {
                return self.problem.is_none();
            }
            let left = until.saturating_duration_since(Instant::now());
            let Some(worker) = self.worker.as_mut().filter(|_| !left.is_zero()) else { return false };
            match worker.wait(left) {
                Some(done) => self.done(done, engine),
                None => return false,
            }
        }
    }
}
