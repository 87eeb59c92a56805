//! The daemon without its sockets: takes events, calls and the time, gives answers, commits when due; never waits.

mod inputs;
mod notice;
mod questions;
mod status;

use std::cell::RefCell;
use std::collections::VecDeque;

use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Instant, SystemTime};

use super::counters::{CounterPoll, Counts};
use super::enforcer::Enforcer;
use super::fleet::Fleet;
use super::load;
use super::log::Log;
use super::notices::{Notices, Waiting};
use super::now;
use super::running::Running;
use super::store::{AT_END, Storage};
use super::wan::WanInterfaces;
use super::zone::ZoneFiles;
use crate::config::Config;
use crate::config::exposure;
use crate::event::calendar::Date;
use crate::geoip::{Content, Database};
use crate::input::Counters;
use crate::input::logd::Mark;
use crate::input::uncounted::UncountedLines;
use crate::live::open_day::LiveJob;
use crate::live::{Engine, Now};
use crate::output::blobmsg::Answered;
use crate::output::rendering::Rendering;
use crate::parse::line::LineReader;
use crate::query::question::Prefix;
use crate::query::record::Field;
use crate::store::directory::{Disk, Taken};
use crate::sys::{clock, random};
use crate::ubus::{Status, blob};

const MINUTE_MS: u64 = 60_000;
/// Time after the start within which a missing ubus connection is no warning.
const STARTING_MS: u64 = 2_000;
const SECOND_MS: u64 = 1_000;
/// Interval of reading the rules' counters: a reload of the firewall resets fw4's.
const COUNT_MS: u64 = 300_000;
/// The state of an input that works.
pub(super) const RUNNING: &str = "running";
/// The NTP hotplug script makes this file in the run directory.
pub(super) const CLOCK_SET: &str = "clock-set";

/// The state of an input, as it reported it.
#[derive(Default)]
struct InputStatus {
    state: String,
    counts: Counters,
}

/// The daemon's state without its sockets: configuration, engine, guard, storage and the questions in progress.
pub(super) struct Core {
    pub config: Config,
    pub engine: Engine,
    counters: CounterPoll,
    pub enforcer: Enforcer,
    countries: Rc<RefCell<Database>>,
    /// `None`: the option is not set.
    asns: Option<Rc<RefCell<Database>>>,
    fleet: Rc<RefCell<Fleet>>,
    notices: Notices,
    exposure_cache: Option<exposure::CachedExposure>,
    counts: Counts,
    config_path: PathBuf,
    run: PathBuf,
    running: Running,
    storage: Storage,
    zone: ZoneFiles,
    pub outside: WanInterfaces,
    lines: LineReader,
    /// Entries of logd that look like packets and were not counted.
    uncounted: UncountedLines,
    log: Log,
    /// Errors of the configuration and the time zone, a sentence each.
    problems: Vec<String>,
    nflog: InputStatus,
    logd: InputStatus,
    /// The last entry of logd that was counted.
    pub mark: Option<Mark>,
    bus: Option<String>,
    /// Requests that ubusd or an object refused, a sentence each.
    refusals: Vec<String>,
    started_ms: u64,
    minute_at: u64,
    commit_at: u64,
    /// When to check next whether the clock was set, and when the hotplug script ran last.
    check_clock_at: u64,
    clock_set_at: Option<SystemTime>,
    /// The clock has stepped and is not trusted yet; this was logged.
    clock_ahead: bool,
    /// Queued questions, with the numbers of their answers. The first one may be in progress.
    waiting: VecDeque<(u64, Rendering, Option<LiveJob>)>,
    /// The calls of `commit` to be answered once flash has everything.
    commits: Vec<u64>,
    answered: Vec<(u64, Answered)>,
    /// The last number given to an answer.
    last_number: u64,
    /// The problem of the store that was logged last.
    logged_problem: Option<String>,
}

impl Core {
    /// The error: another daemon writes to the store.
    #[inline(never)]
    pub(super) fn start(now: Now, config_path: &Path, run: &Path) -> Result<Core, Taken> {
        let (config, mut problems) = load(config_path, None);
        let disk = Disk::open_for_daemon(Path::new(&config.database), run);
        // A command ends soon, unlike a daemon: a later commit opens the store.
        if let Some(taken) = disk.as_ref().err().and_then(Taken::of).filter(|taken| taken.daemon.is_some()) {
            return Err(taken.clone());
        }
        let mut running = Running::default();
        running.take(run);
        let directory = config_path.parent().unwrap_or(Path::new("/etc/config"));
        let mut zone = ZoneFiles::new(directory);
        let mut outside = WanInterfaces::new(directory);
        outside.refresh(&config.zone);
        let (calendar, wrong) = zone.refresh().unwrap_or_default();
        problems.extend(wrong);
        let (mut storage, saved) = Storage::new(&config, run, &random::boot_id(), disk);
        let mut engine = Engine::new(calendar.clone(), storage.store.salt(), config.evidence as usize);
        let countries = Rc::new(RefCell::new(Database::new(Path::new(&config.country_database))));
        engine.lookup = Some(countries.clone());
        let asns = as_database(&config);
        engine.networks = asns.clone().map(|database| database as _);
        let fleet = Rc::new(RefCell::new(Fleet::new(&config, run, storage.store.salt())));
        engine.closed_days = Some(fleet.clone());
        let state = saved.as_ref().map(|(saved, _)| &saved.state);
        engine.clock.trusted = state.and_then(|state| state.trusted_offset);
        let mark = state.and_then(|state| state.mark).map(|(id, time_ms)| Mark { id, time_ms });
        let machine = now;
        if modified(&run.join(CLOCK_SET)).is_some() || clock::is_synchronized() {
            engine.clock.synchronized(machine);
        }
        let now = engine.clock.update(machine);
        // Which day is continued depends on the clock.
        if let Some((saved, on_flash)) = saved {
            storage.restore(&mut engine, saved, on_flash);
        }
        engine.tick(now);
        let enforcer = Enforcer::start(now, &config, &mut engine, &mut storage, (directory, run));
        let mut core = Core {
            enforcer,
            commit_at: next_commit(now, &config, &storage),
            config,
            engine,
            counters: CounterPoll::default(),
            countries,
            asns,
            fleet,
            notices: Notices::default(),
            exposure_cache: None,
            counts: Counts::default(),
            config_path: config_path.to_owned(),
            run: run.to_owned(),
            running,
            storage,
            zone,
            uncounted: UncountedLines::default(),
            lines: LineReader::new(&outside.networks, calendar),
            outside,
            log: Log::default(),
            problems,
            nflog: InputStatus { state: "connecting".into(), counts: Counters::default() },
            logd: InputStatus { state: "connecting".into(), counts: Counters::default() },
            mark,
            bus: None,
            refusals: Vec::new(),
            started_ms: now.boot_ms,
            minute_at: now.boot_ms + MINUTE_MS,
            check_clock_at: now.boot_ms,
            clock_set_at: None,
            clock_ahead: false,
            waiting: VecDeque::new(),
            commits: Vec::new(),
            answered: Vec::new(),
            last_number: 0,
            logged_problem: None,
        };
        let damage = core.storage.store.damage().cloned();
        let left_out = core.storage.left_out.clone();
        core.log.warn_each(now.boot_ms, core.problems.iter().cloned().chain(damage).chain(left_out));
        core.log_store(now);
        core.counters.ask(now.boot_ms, 0);
        Ok(core)
    }

    fn stored_mark(&self) -> Option<(u32, i64)> {
        self.mark.map(|mark| (mark.id, mark.time_ms))
    }

    /// Writes the copy in tmpfs, if anything changed.
    fn copy(&mut self) {
        let mark = self.stored_mark();
        self.storage.copy(&mut self.engine, mark);
    }

    /// When [`Core::on_time`] has something to do, in milliseconds since boot.
    pub(super) fn deadline(&self) -> Option<u64> {
        // Nothing wakes the loop for a commit that waited for another, or for a suspect of entries that were held back.
        let Engine { wants_commit, suspects, .. } = &self.engine;
        let has_work = self.storage.wants_commit() || *wants_commit || !suspects.is_empty();
        if !self.waiting.is_empty() || has_work {
            return Some(0);
        }
        let enforcer = self.enforcer.deadline(&self.config, &self.engine);
        let others = [enforcer, self.counters.nft.deadline()].into_iter().flatten();
        others.chain([self.minute_at, self.commit_at, self.check_clock_at]).min()
    }

    /// The boot clock and the trusted time, after doing what depends on the time.
    pub(super) fn now(&mut self) -> Now {
        let machine = now();
        if machine.boot_ms >= self.check_clock_at {
            let set = self.engine.clock.is_set();
            self.check_clock_at = machine.boot_ms.saturating_add(if set { MINUTE_MS } else { SECOND_MS });
            let set_at = modified(&self.run.join(CLOCK_SET)).filter(|at| self.clock_set_at != Some(*at));
            if set_at.is_some() || !set && clock::is_synchronized() {
                self.clock_set_at = set_at.or(self.clock_set_at);
                self.engine.clock.synchronized(machine);
            }
        }
        let now = self.engine.clock.update(machine);
        self.tick(now);
        now
    }

    fn tick(&mut self, now: Now) {
        self.engine.tick(now);
        let warning = self.clock_warning();
        if warning.is_some() != std::mem::replace(&mut self.clock_ahead, warning.is_some()) {
            self.log.warn(now.boot_ms, warning.as_deref().unwrap_or("the clock is trusted again"));
        }
        if let Some(today) = self.today() {
            self.storage.set_today(today);
        }
        self.storage.count_due(&mut self.engine, now);
        let suspects = std::mem::take(&mut self.engine.suspects);
        self.enforcer.judge(now, &mut self.engine, suspects);
    }

    /// Does what is due: guard, store, questions, and once a minute the copy in RAM and the rest.
    pub(super) fn on_time(&mut self, now: Now) {
        self.turn_enforcer(now);
        self.read_counters(now);
        if now.boot_ms >= self.commit_at || self.engine.wants_commit || self.storage.wants_commit() {
            self.commit(now);
        }
        self.turn_store(now);
        self.step(now);
        if now.boot_ms >= self.minute_at {
            self.minute_at = now.boot_ms.saturating_add(MINUTE_MS);
            self.refresh_zone(now);
            self.refresh_wan(now);
            self.running.take(&self.run);
            self.copy();
            self.turn_fleet(now);
            self.counters.ask(now.boot_ms, COUNT_MS);
            self.explain_unseen();
        }
    }

    /// The day of a trusted clock.
    fn today(&self) -> Option<Date> {
        self.engine.date().filter(|_| self.engine.clock.is_set())
    }

    fn turn_fleet(&mut self, now: Now) {
        let today = self.today();
        let mut fleet = self.fleet.borrow_mut();
        fleet.each_minute(today);
        self.storage.add_written(std::mem::take(&mut fleet.written));
        let wall = self.engine.clock.is_set().then_some(now.wall);
        let shared = fleet.shared(wall);
        if self.enforcer.shared.as_ref() != shared {
            self.enforcer.shared = shared.cloned();
            self.enforcer.set(now, &self.config, &mut self.engine);
            // A newer list is in force for longer, also if it has the same sources.
            self.enforcer.nft_sync.renew();
        }
        self.log.warn_each(now.boot_ms, fleet.log_lines.drain(..));
    }

    /// Readable when a child process, the kernel or a worker thread has something for [`Core::on_time`].
    pub(super) fn fds(&self) -> [Option<BorrowedFd<'_>>; 5] {
        let [nft, notifications] = self.enforcer.nft_sync.fds();
        [self.counters.nft.fd(), nft, notifications, self.storage.fd(), self.enforcer.networks.fd()]
    }

    fn turn_store(&mut self, now: Now) {
        let publish = !matches!(self.waiting.front(), Some((.., Some(_))));
        self.storage.turn(&mut self.engine, now, publish);
        self.log_store(now);
        if self.storage.is_busy() {
            return;
        }
        let path = self.storage.directory.display().to_string();
        let bytes = self.storage.bytes;
        for number in std::mem::take(&mut self.commits) {
            let answered = match &self.storage.problem {
                Some(problem) => Err((Status::UNKNOWN_ERROR, problem.clone())),
                None => Ok(blob::table(&[("path", &path as &dyn Field), ("bytes", &bytes)])),
            };
            self.answered.push((number, answered));
        }
    }

    fn log_store(&mut self, now: Now) {
        if self.storage.problem != self.logged_problem {
            self.logged_problem.clone_from(&self.storage.problem);
            let sentence = self.storage.problem.as_deref().unwrap_or("the store can be written again");
            self.log.warn(now.boot_ms, sentence);
        }
        self.log.warn_each(now.boot_ms, self.storage.log_lines.drain(..));
    }

    /// A sentence while the wall clock differs from the trusted time by more than a day.
    fn clock_warning(&self) -> Option<String> {
        let ahead = self.engine.clock.ahead();
        let (days, way) = (ahead.unsigned_abs() / 86_400, if ahead > 0 { "forward" } else { "back" });
        (days > 0).then(|| {
            format!("the clock stepped {way} by {days} days: it is trusted once that lasts for 24 hours")
        })
    }

    fn turn_enforcer(&mut self, now: Now) {
        let can_log = self.reads_nflog();
        let Core { enforcer, config, engine, storage, .. } = self;
        self.log.warn_each(now.boot_ms, enforcer.turn(now, config, can_log, engine, storage));
        self.answered.append(&mut self.enforcer.networks.answers);
    }

    /// Begins a commit to flash, then writes the copy in tmpfs.
    fn commit(&mut self, now: Now) {
        // Flash must not have the mark while entries up to it are only in RAM.
        let on_flash = self.stored_mark().filter(|_| self.engine.waiting.is_empty());
        self.copy();
        let openings = self.storage.openings;
        self.storage.commit(&mut self.engine, on_flash);
        if self.storage.openings != openings {
            self.begin_question_anew();
        }
        self.engine.wants_commit = false;
        self.commit_at = next_commit(now, &self.config, &self.storage);
        self.log_store(now);
        self.notice(now);
    }

    /// The events to send now.
    pub(super) fn take_events(&mut self) -> Vec<Waiting> {
        let mut events = std::mem::take(&mut self.enforcer.events);
        events.append(&mut self.notices.waiting);
        events
    }

    /// Writes everything to flash and deletes the guard's table.
    pub(super) fn stop(&mut self, now: Now) {
        if self.storage.released {
            // Reads what a command has just written before overwriting it.
            self.commit_and_wait(now);
            self.turn_enforcer(now);
        }
        self.log.warn_each(now.boot_ms, self.enforcer.stop(now, &mut self.engine, &mut self.storage));
        self.commit_and_wait(now);
        self.fleet.borrow_mut().stop();
    }

    /// Writes everything to flash and waits for it, but for seconds at most.
    fn commit_and_wait(&mut self, now: Now) {
        let until = Instant::now() + AT_END;
        self.begin_question_anew();
        self.storage.finish_commits(&mut self.engine, now, until);
        self.commit(now);
        self.storage.finish_commits(&mut self.engine, now, until);
        self.copy();
        self.log_store(now);
    }

    /// The store or what is shown of it changes: a question that is being answered begins anew.
    fn begin_question_anew(&mut self) {
        if let Some((.., job)) = self.waiting.front_mut() {
            *job = None;
        }
    }

    /// Closes the store until the next commit, which the command that uses the store requests when it is done.
    fn release(&mut self, now: Now, forget: Option<Prefix>) -> Answered {
        self.commit_and_wait(now);
        if let Some(problem) = &self.storage.problem {
            return Err((Status::UNKNOWN_ERROR, problem.clone()));
        }
        if !self.storage.release() {
            let why = "the store is being written: try again in a minute";
            return Err((Status::UNKNOWN_ERROR, why.into()));
        }
        // It was requested, so it is not logged.
        self.logged_problem.clone_from(&self.storage.problem);
        if let Some(prefix) = forget {
            self.engine.forget_sources(|address| prefix.contains(address));
            self.copy();
        }
        // In case the command ends without requesting a commit.
        self.commit_at = next_commit(now, &self.config, &self.storage);
        let path = self.storage.directory.display().to_string();
        Ok(blob::table(&[("path", &path as &dyn Field)]))
    }

    /// Reads the options again and applies them.
    #[inline(never)]
    pub(super) fn reload(&mut self, now: Now) {
        let (config, problems) = load(&self.config_path, Some(&self.config));
        if config.database != self.config.database {
            // The old directory gets what it does not have. Otherwise nothing is waited for: a flood fills the socket of NFLOG
            // meanwhile.
            self.commit_and_wait(now);
        }
        (self.config, self.problems) = (config, problems);
        self.begin_question_anew();
        self.log.warn_each(now.boot_ms, self.problems.iter().cloned());
        self.refresh_zone(now);
        self.refresh_wan(now);
        self.countries.replace(Database::new(Path::new(&self.config.country_database)));
        self.asns = as_database(&self.config);
        self.engine.networks = self.asns.clone().map(|database| database as _);
        self.engine.evidence.set_most(self.config.evidence as usize);
        self.storage.reload(&self.config, &mut self.engine);
        self.fleet.borrow_mut().set(&self.config, &self.run, self.storage.store.salt());
        self.enforcer.set(now, &self.config, &mut self.engine);
        self.turn_fleet(now);
        // Another input can see other packets.
        self.counters.ask(now.boot_ms, 0);
        self.commit(now);
    }
}

/// When the next commit is due, in milliseconds since boot.
fn next_commit(now: Now, config: &Config, storage: &Storage) -> u64 {
    // A command ends soon, and a drive may be mounted.
    let soon = storage.released.then_some(MINUTE_MS);
    now.boot_ms.saturating_add(soon.unwrap_or(config.commit_interval.as_millis() as u64))
}

/// The AS database that the options name.
fn as_database(config: &Config) -> Option<Rc<RefCell<Database>>> {
    let path = Some(&config.as_database).filter(|path| !path.is_empty())?;
    Some(Rc::new(RefCell::new(Database::of(Content::Networks, Path::new(path)))))
}

/// The modification time of a file; that of `clock-set` is the last run of NTP's hotplug script.
fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().ok()?.modified().ok()
}
