//! The store on flash and the copy in tmpfs: opening, writing, and what to do if flash cannot be written.
//!
//! Writing to flash can take seconds (garbage collection of JFFS2), and closing a day takes a while on a small
//! processor. A worker thread does both: it prepares a commit; the loop publishes it between two questions, which takes
//! one rename; the worker does the rest.

mod commit;
mod future;
mod job;
mod other_files;
mod saved;

use std::error::Error;
use std::fs;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

pub(crate) use self::commit::AT_END;
use self::job::{Done, Job, Prepared, work};
use self::saved::{Flash, Piece, with_others};
use crate::config::Config;
use crate::event::Class;
use crate::event::calendar::Date;
use crate::live::{Engine, Extent};
use crate::query::history::{History as _, Need};
use crate::stats::deferred::Deferred;
use crate::store::directory::{Change, Directory, Disk, Open, Taken};
use crate::store::pieces::{self, PieceId, Saved, State};
use crate::store::sections::StoredDay;
use crate::store::{Allowed, Deletion, Meta, Retention, Store};
use crate::sys::worker::Worker;

/// After this many pieces of the open day the next one has the whole day.
const MAX_PIECES: usize = 48;
const STACK: usize = 256 << 10;

/// The retention options.
pub(crate) fn keep(config: &Config) -> Retention {
    Retention {
        hours: config.keep_hours.into(),
        days: config.keep_days.into(),
        months: config.keep_months.into(),
    }
}

/// The statistics on flash, their copy in tmpfs, and the worker that writes them.
#[derive(Default)]
pub(crate) struct Storage {
    /// The directory on flash.
    pub directory: PathBuf,
    run: PathBuf,
    keep: Retention,
    /// Empty and in memory while the directory cannot be opened.
    pub store: Store,
    /// `None` while the directory cannot be written.
    worker: Option<Worker<Job, Done>>,
    /// A commit that can be published.
    prepared: Option<Prepared>,
    /// The worker moves the files of a published commit.
    finishing: bool,
    /// Queued changes of other files, each file once.
    extra: Vec<Change>,
    extra_in_flight: Vec<Change>,
    wants_maintenance: bool,
    /// What may be deleted: nothing before a day's close is on flash.
    may: Allowed,
    /// A commit was requested while another was in progress.
    again: bool,
    /// The directory may have files that were not read yet: it could not be opened, or it was released to another
    /// process.
    pub released: bool,
    /// Incremented whenever a directory is opened: it may lack what was stored in the previous one.
    pub openings: u64,
    /// Months after this day are left out of answers.
    last: Option<Date>,
    /// The kernel's id of this boot.
    pub boot: String,
    serial: u64,
    /// The serial of the commit in progress.
    committing: Option<u64>,
    pieces: Vec<(String, Date, u32)>,
    /// Pieces of imports and of earlier boots that were restored: RAM has them, too.
    restored: Vec<PieceId>,
    /// From the store's metadata.
    zone: Option<String>,
    /// The newest deletions by retention, oldest first.
    pub deletions: Vec<Deletion>,
    /// Events dated in the future, and whether flash has another state of them.
    pub later: Deferred,
    later_changed: bool,
    later_in_flight: bool,
    /// Events dated up to this moment (milliseconds) were taken out of `later`.
    due: u64,
    /// Queued sentences for the log.
    pub log_lines: Vec<String>,
    /// Why flash lacks something; `None`: it has everything.
    pub problem: Option<String>,
    /// Why the files of a published commit are not moved yet.
    unfinished: Option<String>,
    /// Why there is no copy in tmpfs.
    pub no_copy: Option<String>,
    /// What an earlier run left and cannot be counted.
    pub left_out: Option<String>,
    /// The instant of the last commit.
    pub last_commit: Option<i64>,
    /// Bytes written to flash on a day.
    written: u64,
    written_on: Option<Date>,
    /// Size of the store on flash in bytes.
    pub bytes: u64,
}

impl Storage {
    /// `disk`: the opened `database` directory. Also returns the state that an earlier run left, with whether flash has
    /// all of its open day.
    pub(crate) fn new(
        config: &Config,
        run: &Path,
        boot: &str,
        disk: io::Result<Disk>,
    ) -> (Storage, Option<(Saved, bool)>) {
        // What the command does is read when it is done.
        let is_taken = disk.as_ref().err().and_then(Taken::of).is_some();
        let mut storage = Storage {
            directory: PathBuf::from(&config.database),
            run: run.to_owned(),
            keep: keep(config),
            wants_maintenance: true,
            boot: boot.to_owned(),
            ..Storage::default()
        };
        let flash = storage.open_disk(disk, None);
        storage.released = is_taken || !storage.is_open();
        let saved = storage.earlier(flash);
        (storage, saved)
    }

    /// Whether the directory could be opened, for reading at least.
    fn is_open(&self) -> bool {
        self.store.directory().disk().is_some()
    }

    /// Readable when the worker has done something.
    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.worker.as_ref().map(Worker::fd)
    }

    /// Opens the directory again while the daemon runs, and gives the engine what it has of the open days. `salt`: for a
    /// store without files. `is_other`: the directory may lack what the engine has written.
    fn reopen(&mut self, engine: &mut Engine, salt: Option<u64>, is_other: bool) {
        (self.worker, self.store, self.prepared) = Default::default();
        let flash = self.open_disk(Disk::open_for_daemon(&self.directory, &self.run), salt);
        if self.is_open() && (is_other || engine.salt() != self.store.salt()) {
            engine.forget_commits();
            engine.set_salt(self.store.salt());
        }
        let new = self.add_restored(flash.as_ref());
        self.forget_due(self.due);
        let Some(flash) = flash else { return };
        let mut saved = flash.saved(|piece| new.contains(&piece.id));
        if !saved.days.is_empty() {
            saved.state.date = None;
            engine.restore(saved, false);
        }
    }

    /// Opens the store, for writing if `disk` is, else for reading. Returns what it has of open days.
    fn open_disk(&mut self, disk: io::Result<Disk>, salt: Option<u64>) -> Option<Flash> {
        self.openings += 1;
        if let Err(why) = self.open_handles(disk, salt) {
            self.problem = Some(format!("in RAM only: {why}"));
        }
        if self.is_open() { self.read_store() } else { None }
    }

    /// Opens the loop's handle and the worker's.
    fn open_handles(&mut self, disk: io::Result<Disk>, salt: Option<u64>) -> Result<(), Box<dyn Error>> {
        let (shared, disk) = match disk.and_then(|disk| Ok((disk.share()?, disk))) {
            Ok((shared, disk)) => (Ok(shared), disk),
            Err(error) => {
                let why = format!("cannot write to {}: {error}", self.directory.display());
                let Ok(disk) = Disk::open(&self.directory) else { return Err(why.into()) };
                (Err(why), disk)
            }
        };
        self.store = Store::open(Directory::Disk(disk), self.keep, salt)?;
        self.store.set_last(self.last);
        // A new store has no salt yet: both handles must have the same.
        let mut store = Store::open(Directory::Disk(shared?), self.keep, Some(self.store.salt()))?;
        let started = Worker::start("fwstat-store", STACK, move |job| work(&mut store, job));
        self.worker = Some(started.map_err(|error| format!("cannot start a thread: {error}"))?);
        self.problem = None;
        Ok(())
    }

    /// Adds the pieces that RAM does not have to those that were restored, and returns them.
    fn add_restored(&mut self, flash: Option<&Flash>) -> Vec<PieceId> {
        // What was written in this boot is in RAM.
        let is_new = |id: &&PieceId| (id.is_import() || id.boot != self.boot) && !self.restored.contains(id);
        let ids = flash.iter().flat_map(|flash| &flash.pieces).map(|piece| &piece.id);
        let new: Vec<PieceId> = ids.filter(is_new).cloned().collect();
        self.restored.extend_from_slice(&new);
        new
    }

    /// The state that an earlier run left on flash and in the copy in RAM, with whether flash has all of its open day.
    fn earlier(&mut self, flash: Option<Flash>) -> Option<(Saved, bool)> {
        let file = pieces::open_copy(&self.run);
        let salt = file.as_ref().map_or(0, Open::salt);
        let is_of_this_store = salt == self.store.salt();
        let mut copy = file.and_then(|file| pieces::decode(&file));
        let rank = flash.as_ref().map(|flash| flash.state.rank(&self.boot));
        if let Some(copy) = &copy {
            self.restored.clone_from(&copy.state.restored);
        }
        let mut newer = copy.take_if(|copy| Some(copy.state.rank(&self.boot)) > rank);
        if let Some(copy) = &mut newer {
            // A copy that was written without a store has no salt.
            if is_of_this_store || salt == 0 || !self.is_open() {
                self.forget_due(copy.state.due);
            }
            if !is_of_this_store {
                copy.days.iter_mut().for_each(StoredDay::drop_samples);
            }
        }
        let new = self.add_restored(flash.as_ref());
        let (mut saved, on_flash) = match (flash, newer) {
            (Some(flash), Some(copy)) => {
                let on_flash = copy.state.on_flash && is_of_this_store && new.is_empty();
                (with_others(copy, flash, is_of_this_store.then_some(salt)), on_flash)
            }
            (None, Some(copy)) => (copy, false),
            (Some(flash), None) => {
                let on_flash = !new.iter().any(PieceId::is_import);
                let mut saved = flash.saved(|_| true);
                // Events that wait for the clock are not on flash. They got their days once the clock was trusted.
                if saved.state.trusted_offset.is_none()
                    && let Some(copy) = copy.filter(|copy| copy.state.boot == saved.state.boot)
                {
                    saved.deferred = copy.deferred;
                }
                (saved, on_flash)
            }
            (None, None) => return None,
        };
        self.serial = self.serial.max(saved.state.serial);
        if let State { date: Some(date), written, .. } = saved.state {
            (self.written_on, self.written) = (Some(date), written);
        }
        if saved.state.boot != self.boot {
            (saved.state.trusted_offset, saved.state.mark) = (None, None);
            // Times of another boot's clock cannot be converted: events that waited for their day then never get one.
            let left_out = std::mem::take(&mut saved.deferred).count();
            self.left_out = (left_out > 0).then(|| {
                format!(
                    "{left_out} packets from before the reboot are left out: the clock was not set, their day is unknown"
                )
            });
        }
        Some((saved, on_flash))
    }

    /// Closes the store and its lock, so that another process can write to the directory; the next commit opens it again.
    /// False while a commit is in progress.
    pub(crate) fn release(&mut self) -> bool {
        if self.is_busy() {
            return false;
        }
        (self.worker, self.store) = Default::default();
        self.problem = Some("in RAM only: a command works on the store".into());
        self.released = true;
        true
    }

    /// True once, when a released directory is open again and its files can be read.
    pub(crate) fn take_back(&mut self) -> bool {
        self.worker.is_some() && std::mem::take(&mut self.released)
    }

    /// Reads the metadata and the pieces of open days.
    fn read_store(&mut self) -> Option<Flash> {
        let store = &mut self.store;
        let Meta { zone, deletions, .. } = store.meta().unwrap_or_default();
        (self.zone, self.deletions) = (zone, deletions);
        self.later = store.later().unwrap_or_default();
        self.bytes = store.directory().size();
        self.pieces = store.pieces().unwrap_or_default();
        let mut all: Option<Flash> = None;
        for (name, date, number) in &self.pieces {
            let Ok(Some(Saved { days, state, .. })) = store.piece(name) else { continue };
            let all = all.get_or_insert_default();
            let salt = if state.serial == 0 { store.salt() } else { 0 };
            let (boot, serial) = (state.boot.clone(), state.serial);
            all.pieces.push(Piece { id: PieceId { salt, key: (*date, *number), boot, serial }, days });
            self.serial = self.serial.max(serial);
            if state.rank(&self.boot) >= all.state.rank(&self.boot) {
                all.state = state;
            }
        }
        all
    }

    /// Why no stored days are in answers; `None`: they can be read.
    pub(crate) fn unread(&self) -> Option<&str> {
        let why = self.problem.as_deref().filter(|_| !self.is_open())?;
        Some(why.strip_prefix("in RAM only: ").unwrap_or(why))
    }

    /// Months after tomorrow are left out of answers.
    pub(crate) fn set_today(&mut self, today: Date) {
        let last = Some(Date(today.0.saturating_add(1)));
        // A month that was set aside may be due.
        self.wants_maintenance |= last != self.last;
        self.last = last;
        self.store.set_last(last);
    }

    /// Adds bytes that were written to flash outside the store.
    pub(crate) fn add_written(&mut self, bytes: u64) {
        self.written = self.written.saturating_add(bytes);
    }

    /// Bytes written to flash on the day of the clock.
    pub(crate) fn written_today(&mut self, today: Option<Date>) -> u64 {
        // Until the clock is set, it is the day that was counted last.
        if today.is_some() && self.written_on != today {
            (self.written_on, self.written) = (today, 0);
        }
        self.written
    }

    /// Gives the engine what an earlier run left, as [`Engine::restore`].
    pub(crate) fn restore(&mut self, engine: &mut Engine, saved: Saved, on_flash: bool) {
        engine.restore(saved, on_flash);
        let Some(open) = engine.date() else { return };
        let need = Need::new(Class::Attempt);
        // A clock or a time zone can go back to a day that was closed.
        if self.store.month(open.month(), &need).days.iter().any(|day| day.date == open) {
            engine.open_extent = Extent::Found;
        }
    }

    fn state(&mut self, engine: &Engine, mark: Option<(u32, i64)>) -> State {
        self.serial = self.serial.saturating_add(1);
        let written = self.written_today(engine.date());
        State {
            serial: self.serial,
            boot: self.boot.clone(),
            mark,
            date: engine.date(),
            trusted_offset: engine.clock.offset(),
            written,
            ..State::default()
        }
    }

    /// Writes the copy in tmpfs, if anything changed.
    pub(crate) fn copy(&mut self, engine: &mut Engine, mark: Option<(u32, i64)>) {
        let (new, path) = (self.run.join("today.new"), self.run.join(pieces::RAM_COPY));
        let state = |engine: &Engine| State {
            on_flash: engine.is_on_flash(),
            due: self.due,
            restored: self.restored.clone(),
            committing: self.committing,
            ..self.state(engine, mark)
        };
        let write = |copy: pieces::RamCopy<'_>| {
            let _ = fs::remove_file(&new);
            let file = fs::File::options().write(true).create_new(true).mode(0o600).open(&new)?;
            copy.write(file)?;
            fs::rename(&new, &path)
        };
        let Some(written) = engine.copy(state, write) else { return };
        self.no_copy = written.err().map(|error| {
            engine.copy_failed();
            format!("cannot write {}: {error}; a crash would lose what flash does not have", path.display())
        });
    }

    /// Conditions that need attention, a sentence each.
    pub(crate) fn warnings(&self) -> impl Iterator<Item = String> + '_ {
        let problems = [&self.problem, &self.unfinished, &self.no_copy, &self.left_out];
        let later = (!self.later.is_empty()).then(|| {
            format!(
                "{} events are dated in the future: they are counted once that time is reached",
                self.later.count()
            )
        });
        let dropped = (self.later.dropped() > 0).then(|| {
            format!("{} events dated in the future were dropped: the table is full", self.later.dropped())
        });
        self.store
            .damage()
            .cloned()
            .chain(problems.into_iter().flatten().cloned())
            .chain(later)
            .chain(dropped)
    }

    /// Applies the options. The open days in another directory are added.
    pub(crate) fn reload(&mut self, config: &Config, engine: &mut Engine) {
        self.keep = keep(config);
        if self.directory != Path::new(&config.database) {
            if self.in_flight() {
                // What was to be written to the previous directory is written to this one.
                self.failed("the store is another directory now", engine);
            }
            self.directory = PathBuf::from(&config.database);
            self.due = 0;
            engine.forget_commits();
            self.reopen(engine, None, true);
        }
        self.wants_maintenance = true;
    }
}

#[cfg(test)]
mod tests;
