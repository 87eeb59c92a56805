//! The store on flash and the copy in tmpfs: opening, writing, and what to do when flash refuses.
//!
//! Writing to flash can take seconds (garbage collection of JFFS2), and closing a day takes a while on a small processor.
//! Both are a worker thread's: it prepares a commit; the loop publishes it between two questions, which takes one rename;
//! the worker does the rest.

use std::collections::VecDeque;
use std::fs;
use std::io::Write;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::calendar::{Date, Month};
use crate::config::Config;
use crate::live::{Commit, Engine, Now};
use crate::query::history::{History, MonthData, Need};
use crate::stats::deferred::Deferred;
use crate::stats::summary::DaySummary;
use crate::store::directory::{Change, Directory, Disk, Open};
use crate::store::pieces::{self, Saved, State};
use crate::store::sections::StoredDay;
use crate::store::{Deletion, Demanded, Keep, Meta, Store, Upkeep};
use crate::sys::worker::Worker;

const COPY: &str = "today.fws";
/// With this many pieces of the open day the next one is whole.
const MOST_PIECES: usize = 48;
/// Jobs that wait for the worker: it has one at a time.
const QUEUE: usize = 1;
const STACK: usize = 256 << 10;
/// Until when a commit at the end must be done.
const AT_END: Duration = Duration::from_secs(4);
/// Sentences that wait to be logged.
const MOST_SAID: usize = 20;

/// Where nothing is stored.
struct Nothing;

impl History for Nothing {
    fn months(&self) -> Vec<Month> {
        Vec::new()
    }

    fn month(&mut self, month: Month, _: &Need) -> MonthData {
        MonthData::new(month)
    }
}

pub fn keep(config: &Config) -> Keep {
    let number = |number: u16| usize::from(number);
    Keep {
        hours: number(config.keep_hours),
        days: number(config.keep_days),
        months: number(config.keep_months),
    }
}

/// What the worker does.
enum Job {
    /// Prepares a commit of days and of other changes.
    Prepare { closed: Vec<DaySummary>, changes: Vec<Change>, keep: Keep },
    /// Prepares what a rule demands next, as of an instant and a day.
    Maintain { now: i64, today: Date, keep: Keep, may: Upkeep },
    /// Moves the files of a published commit to where they belong.
    Finish,
}

/// A commit that can be published.
struct Prepared {
    /// Its files, and whether they are written (or removed).
    names: Vec<(String, bool)>,
    bytes: u64,
    /// What is to be logged.
    said: Vec<String>,
    /// Of maintenance: what may still be deleted.
    left: Option<Upkeep>,
}

/// What it did.
enum Done {
    Prepared(Prepared),
    /// No rule demands anything.
    Nothing,
    Failed(String),
    Finished(Result<(), String>),
}

/// What a prepared commit is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Purpose {
    /// The flag: days are closed with it.
    Statistics(bool),
    Extra,
    Maintenance,
    Finish,
}

fn prepare(store: &mut Store, changes: Vec<Change>, said: Vec<String>) -> Done {
    let prepared = match store.directory() {
        Directory::Disk(disk) => disk.prepare(&changes),
        Directory::Memory(_) => Ok(()),
    };
    if let Err(error) = prepared {
        return Done::Failed(format!("cannot write the store: {error}"));
    }
    let names = changes.iter().map(|(name, bytes)| (name.clone(), bytes.is_some())).collect();
    let bytes = changes.iter().filter_map(|(_, bytes)| bytes.as_ref()).map(|bytes| bytes.len() as u64).sum();
    Done::Prepared(Prepared { names, bytes, said, left: None })
}

/// One job, on the worker's own handle of the store.
fn work(store: &mut Store, job: Job) -> Done {
    let failed = |error: crate::store::StoreError| Done::Failed(error.to_string());
    if let Err(error) = store.look() {
        return failed(error);
    }
    match job {
        Job::Prepare { closed, mut changes, keep } => {
            store.set_keep(keep);
            let dates: Vec<Date> = closed.iter().map(|day| day.date).collect();
            let added = match store.add(&dates, closed.into_iter().map(Ok)) {
                Ok(added) => added,
                Err(error) => return failed(error),
            };
            changes.extend(added.changes);
            let left_out = |(month, attempts): &(Month, u64)| {
                format!("{month} is older than all months that are kept: {attempts} attempts are left out")
            };
            prepare(store, changes, added.left_out.iter().map(left_out).collect())
        }
        Job::Maintain { now, today, keep, may } => {
            store.set_keep(keep);
            store.set_last(Some(Date(today.0.saturating_add(1))));
            let next = match store.settle(today) {
                Ok(mut settled) if !settled.is_empty() => {
                    let (changes, said) = settled.remove(0);
                    Ok(Some(Demanded { changes, said, left: may }))
                }
                Ok(_) => store.maintain(now, may),
                Err(error) => Err(error),
            };
            match next {
                Ok(Some(Demanded { changes, said, left })) => match prepare(store, changes, vec![said]) {
                    Done::Prepared(prepared) => Done::Prepared(Prepared { left: Some(left), ..prepared }),
                    failed => failed,
                },
                Ok(None) => Done::Nothing,
                Err(error) => failed(error),
            }
        }
        Job::Finish => Done::Finished(match store.directory() {
            Directory::Disk(disk) => disk.finish().map_err(|error| error.to_string()),
            Directory::Memory(_) => Ok(()),
        }),
    }
}

/// Where the statistics lie.
pub struct Places {
    directory: PathBuf,
    run: PathBuf,
    store: Option<Store>,
    /// `None` while the directory cannot be written.
    worker: Option<Worker<Job, Done>>,
    /// What the worker is at.
    flight: Option<Purpose>,
    prepared: Option<Prepared>,
    /// Changes of other files that wait, each file once.
    extra: Vec<Change>,
    extra_in_flight: Vec<Change>,
    wants_maintenance: bool,
    /// What may be deleted: nothing before a day's close is on flash.
    may: Upkeep,
    /// A commit was asked for while another was on its way.
    again: bool,
    restored: bool,
    boot: String,
    serial: u64,
    /// The serial of the commit on its way.
    committing: Option<u64>,
    pieces: Vec<(String, Date, u32)>,
    /// Of these, the ones of imports that were restored: by day and number.
    imports: Vec<(Date, u32)>,
    /// Of what the store remembers, what is shown.
    zone: Option<String>,
    deletions: Vec<Deletion>,
    /// Events dated in the future, and whether flash has another state of them.
    pub later: Deferred,
    later_changed: bool,
    later_in_flight: bool,
    /// Events dated up to this moment (milliseconds) were taken out of `later`.
    due: u64,
    said: VecDeque<String>,
    /// Why flash has not everything; `None`: it has.
    pub trouble: Option<String>,
    /// A commit counts, but its files are not where they belong yet.
    unfinished: Option<String>,
    /// Why there is no copy in tmpfs.
    pub no_copy: Option<String>,
    /// What an earlier run left and cannot be counted.
    pub left_out: Option<String>,
    /// The instant of the last commit.
    pub last_commit: Option<i64>,
    written: WrittenToday,
    /// Bytes written to flash since the start.
    total: u64,
    bytes: u64,
}

/// What flash has of open days.
#[derive(Default)]
struct Flash {
    state: State,
    pieces: Vec<Piece>,
}

struct Piece {
    /// Its day and number.
    key: (Date, u32),
    boot: String,
    is_import: bool,
    days: Vec<StoredDay>,
}

impl Flash {
    fn saved(self, wanted: impl Fn(&Piece) -> bool) -> Saved {
        let days = self.pieces.into_iter().filter(wanted).flat_map(|piece| piece.days).collect();
        Saved { days, state: self.state, ..Saved::default() }
    }
}

/// Bytes written to flash on a day.
#[derive(Default)]
struct WrittenToday {
    date: Option<Date>,
    /// By earlier runs.
    earlier: u64,
    /// What this run had written when the day began.
    start: u64,
}

impl Places {
    /// Opens what the configuration names, and gives what an earlier run left; with the flag that flash has all of the
    /// open day.
    pub fn open(config: &Config, run: &Path, boot: &str) -> (Places, Option<(Saved, bool)>) {
        let mut places = Places {
            directory: PathBuf::from(&config.database),
            run: run.to_owned(),
            store: None,
            worker: None,
            flight: None,
            prepared: None,
            extra: Vec::new(),
            extra_in_flight: Vec::new(),
            wants_maintenance: true,
            may: Upkeep::default(),
            again: false,
            restored: false,
            boot: boot.to_owned(),
            serial: 0,
            committing: None,
            pieces: Vec::new(),
            imports: Vec::new(),
            zone: None,
            deletions: Vec::new(),
            later: Deferred::default(),
            later_changed: false,
            later_in_flight: false,
            due: 0,
            said: VecDeque::new(),
            trouble: None,
            unfinished: None,
            no_copy: None,
            left_out: None,
            last_commit: None,
            written: WrittenToday::default(),
            total: 0,
            bytes: 0,
        };
        let saved = places.reopen(config);
        (places, saved)
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The kernel's id of this boot.
    pub fn boot(&self) -> &str {
        &self.boot
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Of the store's samples.
    pub fn salt(&self) -> u64 {
        self.store.as_ref().map_or(0, Store::salt)
    }

    /// Sentences about damaged files.
    pub fn damage(&self) -> Vec<String> {
        self.store.iter().flat_map(|store| store.damage().cloned()).collect()
    }

    /// Files that only the owner removes.
    pub fn set_aside(&self) -> Vec<String> {
        self.store.as_ref().map(|store| store.set_aside().to_vec()).unwrap_or_default()
    }

    pub fn deletions(&self) -> &[Deletion] {
        &self.deletions
    }

    /// What is to be logged.
    pub fn sentences(&mut self) -> Vec<String> {
        self.said.drain(..).collect()
    }

    fn say(&mut self, sentence: String) {
        if self.said.len() < MOST_SAID {
            self.said.push_back(sentence);
        }
    }

    /// The boot that the marks of logd are of.
    pub fn is_this_boot(&self, state: &State) -> bool {
        state.boot == self.boot
    }

    /// Readable when the worker has done something.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.worker.as_ref().map(Worker::fd)
    }

    /// Tries to open for writing, else for reading. Gives what was found of an earlier run, once.
    fn reopen(&mut self, config: &Config) -> Option<(Saved, bool)> {
        (self.worker, self.store, self.flight, self.prepared) = (None, None, None, None);
        let keep = keep(config);
        let known = std::mem::take(&mut self.imports);
        let opened = Disk::open_for_writing(&self.directory).and_then(|disk| Ok((disk.share()?, disk)));
        let (shared, disk) = match opened {
            Ok((shared, disk)) => (Some(shared), Some(disk)),
            Err(error) => {
                self.trouble =
                    Some(format!("in RAM only: cannot write to {}: {error}", self.directory.display()));
                (None, Disk::open(&self.directory).ok())
            }
        };
        let first = !std::mem::replace(&mut self.restored, true);
        let opened = disk.map(|disk| Store::open(Directory::Disk(disk), keep, None));
        let flash = match opened {
            Some(Ok(store)) => {
                // A new store has no salt yet: both handles must have the same.
                let salt = Some(store.salt());
                match shared.map(|shared| Store::open(Directory::Disk(shared), keep, salt)) {
                    Some(Ok(store)) => self.start_worker(store),
                    Some(Err(error)) => self.trouble = Some(format!("in RAM only: {error}")),
                    None => {}
                }
                self.store = Some(store);
                self.read_store()
            }
            Some(Err(error)) => {
                self.worker = None;
                self.trouble = Some(format!("in RAM only: {error}"));
                None
            }
            None => None,
        };
        if !first {
            self.forget_due(self.due);
            // What this boot wrote is in RAM.
            let saved = flash
                .map(|flash| flash.saved(|piece| piece.boot != self.boot && !known.contains(&piece.key)));
            return saved.map(|saved| (saved, false));
        }
        let copy = open_copy(&self.run.join(COPY)).and_then(|file| pieces::decode(&file));
        let (mut saved, on_flash) = match (flash, copy) {
            (Some(flash), Some(copy)) if copy.state.serial > flash.state.serial => {
                self.forget_due(copy.state.due);
                let on_flash = copy.state.on_flash && self.imports.is_empty();
                (with_others(copy, flash), on_flash)
            }
            (None, Some(copy)) => {
                self.forget_due(copy.state.due);
                (copy, false)
            }
            (Some(flash), copy) => {
                let on_flash = self.imports.is_empty();
                let mut saved = flash.saved(|_| true);
                // What waits for the clock is on no flash. Once the clock was believed, it had its days.
                if saved.state.believed.is_none()
                    && let Some(copy) = copy.filter(|copy| copy.state.boot == saved.state.boot)
                {
                    saved.deferred = copy.deferred;
                }
                (saved, on_flash)
            }
            (None, None) => return None,
        };
        self.serial = saved.state.serial;
        if let State { date: Some(date), written, .. } = saved.state {
            self.written = WrittenToday { date: Some(date), earlier: written, start: 0 };
        }
        if !self.is_this_boot(&saved.state) {
            saved.state.believed = None;
            self.leave_out(&mut saved);
        }
        Some((saved, on_flash))
    }

    /// Flash may not know yet that these events were taken out of those that are dated in the future.
    fn forget_due(&mut self, due: u64) {
        drop(self.later.take_until(due));
        self.due = due;
    }

    fn start_worker(&mut self, mut store: Store) {
        let started = Worker::start("fwstat-store", QUEUE, STACK, move |job| work(&mut store, job));
        match started {
            Ok(worker) => (self.worker, self.trouble) = (Some(worker), None),
            Err(error) => self.trouble = Some(format!("in RAM only: cannot start a thread: {error}")),
        }
    }

    /// What is remembered besides months, and the pieces of open days.
    fn read_store(&mut self) -> Option<Flash> {
        let store = self.store.as_mut()?;
        let Meta { zone, deletions, .. } = store.meta().unwrap_or_default();
        (self.zone, self.deletions) = (zone, deletions);
        self.later = store.later().unwrap_or_default();
        self.bytes = store.directory().size();
        self.pieces = store.pieces().unwrap_or_default();
        let mut all: Option<Flash> = None;
        for (name, date, number) in &self.pieces {
            let Ok(Some(Saved { days, state, .. })) = store.piece(name) else { continue };
            let all = all.get_or_insert_default();
            let (key, is_import) = ((*date, *number), state.serial == 0);
            if is_import {
                self.imports.push(key);
            }
            all.pieces.push(Piece { key, boot: state.boot.clone(), is_import, days });
            if state.serial >= all.state.serial {
                all.state = state;
            }
        }
        all
    }

    /// Moments of another boot's clock mean nothing now: what waited for its day then stays without one.
    fn leave_out(&mut self, saved: &mut Saved) {
        if !saved.deferred.is_empty() {
            let left_out = std::mem::take(&mut saved.deferred).count();
            self.left_out = Some(format!(
                "{left_out} packets from before the reboot are left out: the clock was not set, their day is unknown"
            ));
        }
    }

    pub fn history<T>(&mut self, ask: impl FnOnce(&mut dyn History) -> T) -> T {
        match &mut self.store {
            Some(store) => ask(store),
            None => ask(&mut Nothing),
        }
    }

    /// Months after tomorrow are in no answer.
    pub fn set_today(&mut self, today: Date) {
        if let Some(store) = &mut self.store {
            store.set_last(Some(Date(today.0.saturating_add(1))));
        }
        // The time of a month that was set aside may have come.
        self.wants_maintenance = true;
    }

    /// Bytes written to flash on the day of the clock.
    pub fn written_today(&mut self, today: Option<Date>) -> u64 {
        // Until the clock is set, it is the day that was counted last.
        if today.is_some() && self.written.date != today {
            self.written = WrittenToday { date: today, earlier: 0, start: self.total };
        }
        self.written.earlier.saturating_add(self.total.saturating_sub(self.written.start))
    }

    fn state(&mut self, engine: &Engine, mark: Option<(u32, i64)>) -> State {
        self.serial = self.serial.saturating_add(1);
        let written = self.written_today(engine.date());
        State {
            serial: self.serial,
            boot: self.boot.clone(),
            mark,
            date: engine.date(),
            believed: engine.clock_offset(),
            on_flash: false,
            written,
            ..State::default()
        }
    }

    /// A commit is on its way, or asked for.
    pub fn is_busy(&self) -> bool {
        self.flight.is_some() || self.prepared.is_some() || self.again || !self.extra.is_empty()
    }

    /// Begins to write to flash what it does not have; [`Places::turn`] goes on with it.
    pub fn commit(&mut self, config: &Config, engine: &mut Engine, mark: Option<(u32, i64)>) {
        self.written_today(engine.date());
        if self.flight.is_some() || self.prepared.is_some() {
            self.again = true;
            return;
        }
        self.again = false;
        let gone = self.store.as_ref().is_some_and(|store| match store.directory() {
            Directory::Disk(disk) => !disk.is_there(),
            Directory::Memory(_) => false,
        });
        if self.worker.is_none() || gone || self.trouble.is_some() {
            let (salt, other) = (self.salt(), gone || self.store.is_none());
            let found = self.reopen(config);
            if self.worker.is_some() && (other || salt != self.salt()) {
                engine.forget_commits();
                engine.set_salt(self.salt());
            }
            if let Some((mut saved, _)) = found.filter(|_| other) {
                saved.state.date = None;
                engine.restore(saved, false);
            }
        }
        if self.worker.is_none() {
            return;
        }
        let of_today = self.pieces.iter().filter(|(_, date, _)| Some(*date) == engine.date()).count();
        let Commit { closed, part } = engine.begin_commit(of_today >= MOST_PIECES);
        let zone = engine.calendar().lasting_name().map(String::from);
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
        if let Some(part) = part {
            let date = part.day.date;
            let last =
                self.pieces.iter().filter(|(_, known, _)| *known == date).map(|(.., number)| *number).max();
            let name = pieces::name_of(date, last.map_or(0, |last| last.wrapping_add(1)));
            changes.push((name, Some(pieces::encode_part(store.salt(), &state, &part.day, &part.samples))));
        }
        if zone.is_some() && self.zone != zone {
            let meta = store.meta().map(|meta| Meta { zone: zone.clone(), ..meta });
            match meta.and_then(|meta| store.change_meta(&meta)) {
                Ok(changed) => changes.extend(changed),
                Err(error) => self.trouble = Some(error.to_string()),
            }
            self.zone = zone;
        }
        self.later_in_flight = std::mem::take(&mut self.later_changed);
        if self.later_in_flight {
            changes.extend(store.change_later(&self.later).unwrap_or_default());
        }
        let purpose = Purpose::Statistics(!closed.is_empty());
        self.submit(Job::Prepare { closed, changes, keep: keep(config) }, purpose, engine);
    }

    fn submit(&mut self, job: Job, purpose: Purpose, engine: &mut Engine) {
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

    fn failed(&mut self, purpose: Purpose, why: String, engine: &mut Engine) {
        if let Purpose::Statistics(_) = purpose {
            engine.end_commit(false);
        }
        self.committing = None;
        self.later_changed |= std::mem::take(&mut self.later_in_flight);
        let waiting = std::mem::take(&mut self.extra_in_flight);
        waiting.into_iter().for_each(|(name, bytes)| self.change(name, bytes));
        self.trouble = Some(format!("in RAM only: {why}"));
        (self.flight, self.worker) = (None, None);
    }

    /// Events dated in the future whose time has come.
    pub fn count_due(&mut self, engine: &mut Engine, now: Now) {
        let wall_ms = now.wall.max(0).cast_unsigned().saturating_mul(1000);
        if engine.clock_is_set() && self.later.first().is_some_and(|first| first <= wall_ms) {
            engine.count_due(&mut self.later, now);
            (self.later_changed, self.due) = (true, self.due.max(wall_ms));
        }
    }

    /// Goes on with a commit. `publish`: nobody reads the store.
    pub fn turn(&mut self, config: &Config, engine: &mut Engine, now: Now, publish: bool) {
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

    /// A commit that was asked for while another was on its way can begin.
    pub fn wants_commit(&self) -> bool {
        self.again && self.flight.is_none() && self.prepared.is_none()
    }

    fn done(&mut self, done: Done, engine: &mut Engine) {
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

    fn publish(&mut self, engine: &mut Engine, now: Now) {
        let (Some(Prepared { names, bytes, said, .. }), Some(purpose)) =
            (self.prepared.take(), self.flight.take())
        else {
            return;
        };
        let Some(store) = &mut self.store else { return };
        let published = match store.directory() {
            Directory::Disk(disk) => disk.publish(),
            Directory::Memory(_) => Ok(()),
        };
        if let Err(error) = published {
            return self.failed(purpose, format!("cannot write the store: {error}"), engine);
        }
        store.committed(&names);
        self.pieces = store.pieces().unwrap_or_default();
        // A later import can use the name of a piece that is gone.
        let pieces = &self.pieces;
        self.imports.retain(|key| pieces.iter().any(|(_, date, number)| (*date, *number) == *key));
        if purpose == Purpose::Maintenance {
            self.deletions = store.meta().unwrap_or_default().deletions;
            self.wants_maintenance = true;
        }
        said.into_iter().for_each(|sentence| self.say(sentence));
        self.extra_in_flight.clear();
        if std::mem::take(&mut self.later_in_flight) && !self.later_changed {
            // Flash knows now; what an import adds from here on is new, whatever its date.
            self.due = 0;
        }
        self.total = self.total.saturating_add(bytes);
        self.trouble = None;
        if let Purpose::Statistics(closed) = purpose {
            self.committing = None;
            engine.end_commit(true);
            self.last_commit = Some(now.wall);
            if closed {
                (self.wants_maintenance, self.may) = (true, Upkeep::ALL);
            }
        }
        self.submit(Job::Finish, Purpose::Finish, engine);
    }

    /// Goes on until nothing is on its way, or a time is over. Whether flash has everything.
    pub fn settle(&mut self, config: &Config, engine: &mut Engine, now: Now) -> bool {
        let until = Instant::now() + AT_END;
        self.wants_maintenance = false;
        loop {
            self.turn(config, engine, now, true);
            if self.flight.is_none() && self.prepared.is_none() && self.extra.is_empty() {
                return self.trouble.is_none();
            }
            let left = until.saturating_duration_since(Instant::now());
            let Some(worker) = self.worker.as_mut().filter(|_| !left.is_zero()) else { return false };
            match worker.wait(left) {
                Some(done) => self.done(done, engine),
                None => return false,
            }
        }
    }

    /// Writes the copy in tmpfs, if anything changed.
    pub fn copy(&mut self, engine: &mut Engine, mark: Option<(u32, i64)>) {
        let state = |engine: &Engine| State {
            on_flash: engine.is_on_flash(),
            due: self.due,
            imports: self.imports.clone(),
            committing: self.committing,
            ..self.state(engine, mark)
        };
        let Some(bytes) = engine.copy(state) else { return };
        let (new, path) = (self.run.join("today.new"), self.run.join(COPY));
        let _ = fs::remove_file(&new);
        let written = fs::File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)
            .and_then(|mut file| file.write_all(&bytes))
            .and_then(|()| fs::rename(&new, &path));
        self.no_copy = written.err().map(|error| {
            engine.copy_failed();
            format!("cannot write {}: {error}; a crash would lose what flash does not have", path.display())
        });
    }

    fn change(&mut self, name: String, bytes: Option<Vec<u8>>) {
        if !self.extra.iter().any(|(known, _)| *known == name) {
            self.extra.push((name, bytes));
        }
    }

    /// Writes a file that is none of the statistics beside them, soon.
    pub fn put(&mut self, name: &str, bytes: Vec<u8>) -> Result<(), String> {
        self.extra.retain(|(known, _)| known != name);
        self.change(name.to_string(), Some(bytes));
        match &self.trouble {
            Some(trouble) if self.worker.is_none() => Err(trouble.clone()),
            _ => Ok(()),
        }
    }

    /// Such a file, if it can be read.
    pub fn get(&mut self, name: &str) -> Option<Open> {
        self.store.as_ref()?.directory().open(name).ok()??.ok()
    }

    /// What somebody should look at.
    pub fn warnings(&self) -> impl Iterator<Item = String> + '_ {
        let told = [&self.trouble, &self.unfinished, &self.no_copy, &self.left_out];
        let later = (!self.later.is_empty()).then(|| {
            format!(
                "{} events are dated in the future: they are counted when their time has come",
                self.later.count()
            )
        });
        let dropped = (self.later.dropped() > 0)
            .then(|| format!("{} events dated in the future found no room", self.later.dropped()));
        self.damage().into_iter().chain(told.into_iter().flatten().cloned()).chain(later).chain(dropped)
    }

    /// Other options hold from now on. What another directory has of open days is taken.
    pub fn reload(&mut self, config: &Config, engine: &mut Engine) {
        if self.directory != Path::new(&config.database) {
            if let Some(purpose) = self.flight.take() {
                // What was on its way to the other directory goes to this one.
                self.failed(purpose, "the store is another directory now".into(), engine);
            }
            self.directory = PathBuf::from(&config.database);
            self.due = 0;
            let found = self.reopen(config);
            engine.forget_commits();
            engine.set_salt(self.salt());
            if let Some((mut saved, _)) = found {
                saved.state.date = None;
                engine.restore(saved, false);
            }
        } else if let Some(store) = &mut self.store {
            store.set_keep(keep(config));
        }
        self.wants_maintenance = true;
    }
}

/// The copy that holds more than flash, with the days that only flash has,
/// and the imports that it does not hold.
fn with_others(mut copy: Saved, flash: Flash) -> Saved {
    if copy.state.committing.is_some_and(|serial| flash.state.serial >= serial) {
        // The commit of its closed days was published before anybody could write the next copy.
        let open = copy.state.date;
        let is_closed = |day: &StoredDay| day.summary.classes.iter().any(|class| class.sample.is_some());
        copy.days.retain(|day| !is_closed(day) && Some(day.summary.date) == open);
    } else {
        // Pieces that an import closed before the copy's commit was published: their days are in the months.
        let (held, pieces) = (&copy.state.imports, &flash.pieces);
        let is_gone = |key: &&(Date, u32)| pieces.iter().all(|piece| piece.key != **key);
        let gone: Vec<Date> = held.iter().filter(is_gone).map(|(date, _)| *date).collect();
        copy.days.retain(|day| !gone.contains(&day.summary.date));
    }
    let known: Vec<Date> = copy.days.iter().map(|day| day.summary.date).chain(copy.state.date).collect();
    let (imports, ours): (Vec<Piece>, Vec<Piece>) =
        flash.pieces.into_iter().partition(|piece| piece.is_import);
    let ours = ours.into_iter().flat_map(|piece| piece.days);
    copy.days.extend(ours.filter(|day| !known.contains(&day.summary.date)));
    let new = imports.into_iter().filter(|piece| !copy.state.imports.contains(&piece.key));
    copy.days.extend(new.flat_map(|piece| piece.days));
    copy
}

fn open_copy(path: &Path) -> Option<Open> {
    Open::from_bytes(fs::read(path).ok()?).ok()
}

#[cfg(test)]
mod tests;
