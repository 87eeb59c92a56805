//! Engine and store together: events in, answers out, commits in time.

mod status;

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use ubus::blobmsg::BlobMsgTable;

use super::counters::CounterPoll;
use super::guarding::Guarding;
use super::log::Log;
use super::notices::{Notice, Notices};
use super::outside::Outside;
use super::store::Places;
use super::zone::ZoneFiles;
use super::{load, now};
use crate::calendar::Date;
use crate::config::Config;
use crate::config::zones::Interface;
use crate::event::Origin;
use crate::exposure;
use crate::geoip::Database;
use crate::input::logd::{LogFeed, LogdCounts, Mark};
use crate::input::nflog::Counters;
use crate::input::uncounted::UncountedLines;
use crate::live::open_day::mask;
use crate::live::{Action, Brought, Engine, Input, Now};
use crate::output::blobmsg::{AnswerError, Answers, BusCommand};
use crate::parse::interfaces::Networks;
use crate::parse::line::{LineReader, Outcome};
use crate::query::answer::{CounterStatus, Exposure};
use crate::query::question::{MAX_LIMIT, Question, Topic};
use crate::query::{self, Answer};
use crate::record::Field;
use crate::sys::installed::read_text;
use crate::ubus::{Status, blob};

/// A longer firewall configuration is not looked at.
const MOST_FIREWALL: u64 = 512 * 1024;
const MINUTE_MS: u64 = 60_000;
const SECOND_MS: u64 = 1_000;
/// The state of an input that works.
pub const RUNNING: &str = "running";
/// The NTP hotplug script makes this file in the run directory.
pub const CLOCK_SET: &str = "clock-set";

/// What an input says of itself.
#[derive(Default)]
struct Told<C> {
    state: String,
    counts: C,
}

pub struct Core {
    pub config: Config,
    pub engine: Engine,
    pub counters: CounterPoll,
    pub guarding: Guarding,
    countries: Rc<RefCell<Database>>,
    notices: Notices,
    exposed: exposure::Lately,
    /// The rules' counters as they were read last.
    counted: Option<Vec<CounterStatus>>,
    config_path: PathBuf,
    run: PathBuf,
    places: Places,
    zone: ZoneFiles,
    pub outside: Outside,
    lines: LineReader,
    /// Entries of logd that look like packets and were not counted.
    uncounted: UncountedLines,
    log: Log,
    /// What is wrong with configuration and zone.
    problems: Vec<String>,
    nflog: Told<Counters>,
    logd: Told<LogdCounts>,
    mark: Option<Mark>,
    bus: Option<String>,
    started_ms: u64,
    minute_at: u64,
    commit_at: u64,
    /// When to look whether somebody has set the clock.
    look_at: u64,
    commit_now: bool,
}

impl Core {
    #[inline(never)]
    pub fn start(now: Now, config_path: &Path, run: &Path) -> Core {
        let (config, mut problems) = load(config_path);
        let directory = config_path.parent().unwrap_or(Path::new("/etc/config"));
        let mut zone = ZoneFiles::new(directory);
        let mut outside = Outside::new(directory);
        outside.look(&config.zone);
        let (calendar, wrong) = zone.first();
        problems.extend(wrong);
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let (mut places, newest, saved) = Places::open(&config, run, boot.trim());
        let mut engine = Engine::new(calendar.clone(), newest, config.evidence as usize);
        let countries = Rc::new(RefCell::new(Database::new(Path::new(&config.country_database))));
        engine.atlas = Some(countries.clone());
        let mut mark = None;
        if let Some(saved) = saved {
            engine.restore(&saved);
            let (id, time_ms) = saved.state.mark.unwrap_or_default();
            mark =
                saved.state.mark.filter(|_| places.is_this_boot(&saved.state)).map(|_| Mark { id, time_ms });
        }
        engine.tick(now);
        let directory = config_path.parent().unwrap_or(Path::new("/etc/config"));
        let guarding = Guarding::start(now, &config, &mut engine, &mut places, (directory, run));
        let mut core = Core {
            guarding,
            commit_at: now.boot_ms + config.commit_interval.as_millis() as u64,
            config,
            engine,
            counters: CounterPoll::default(),
            countries,
            notices: Notices::default(),
            exposed: exposure::Lately::default(),
            counted: None,
            config_path: config_path.to_owned(),
            run: run.to_owned(),
            places,
            zone,
            uncounted: UncountedLines::default(),
            lines: LineReader::new(&networks(&outside), calendar),
            outside,
            log: Log::default(),
            problems,
            nflog: Told { state: "connecting".into(), counts: Counters::default() },
            logd: Told { state: "connecting".into(), counts: LogdCounts::default() },
            mark,
            bus: None,
            started_ms: now.boot_ms,
            minute_at: now.boot_ms + MINUTE_MS,
            look_at: now.boot_ms,
            commit_now: false,
        };
        for sentence in core.problems.clone().iter().chain(core.places.damage().to_vec().iter()) {
            core.log.say(now.boot_ms, sentence);
        }
        for sentence in core.places.trouble.clone().iter().chain(&core.places.left_out.clone()) {
            core.log.say(now.boot_ms, sentence);
        }
        core.counters.ask(now.boot_ms);
        core
    }

    /// The last entry of logd that was counted.
    pub fn mark(&self) -> Option<Mark> {
        self.mark
    }

    /// To be stored in the copy; flash must not have it while entries up to it are only in RAM.
    fn stored_mark(&self) -> Option<(u32, i64)> {
        self.mark.map(|mark| (mark.id, mark.time_ms))
    }

    pub fn deadline(&self) -> Option<u64> {
        let look = if self.engine.clock_is_set() { u64::MAX } else { self.look_at };
        let guarding = self.guarding.deadline(&self.config, &self.engine).unwrap_or(u64::MAX);
        Some(self.minute_at.min(self.commit_at).min(look).min(guarding))
    }

    pub fn tick(&mut self, now: Now) {
        if !self.engine.clock_is_set() && now.boot_ms >= self.look_at {
            self.look_at = now.boot_ms.saturating_add(SECOND_MS);
            if self.run.join(CLOCK_SET).exists() {
                self.engine.clock_told();
            }
        }
        self.engine.tick(now);
        for action in self.engine.actions() {
            match action {
                Action::Commit => self.commit_now = true,
                Action::Say(sentence) => self.log.say(now.boot_ms, &sentence),
                Action::Suspect(suspect, lines) => {
                    self.guarding.judge(now, &mut self.engine, &suspect, lines)
                }
            }
        }
    }

    pub fn on_time(&mut self, now: Now) {
        self.guard_turn(now);
        self.counters.on_time(now.boot_ms);
        if std::mem::take(&mut self.commit_now) || now.boot_ms >= self.commit_at {
            self.commit(now);
        }
        if now.boot_ms >= self.minute_at {
            self.minute_at = now.boot_ms.saturating_add(MINUTE_MS);
            if let Some(changed) = self.zone.again() {
                self.set_zone(now, changed);
            }
            self.look_outside(now);
            let mark = self.stored_mark();
            self.places.copy(&mut self.engine, mark, false);
        }
    }

    fn guard_turn(&mut self, now: Now) {
        let can_log = self.config.input.nflog && self.nflog.state == RUNNING;
        let Core { guarding, config, engine, places, .. } = self;
        for sentence in guarding.turn(now, config, can_log, engine, places) {
            self.log.say(now.boot_ms, &sentence);
        }
    }

    fn set_zone(&mut self, now: Now, (calendar, wrong): (crate::calendar::Calendar, Option<String>)) {
        self.log.say(now.boot_ms, &format!("the time zone is {} from now on", calendar.name()));
        if let Some(wrong) = wrong {
            self.log.say(now.boot_ms, &wrong);
            self.problems.push(wrong);
        }
        self.engine.set_calendar(calendar.clone());
        self.lines = LineReader::new(&networks(&self.outside), calendar);
    }

    /// What netifd says of the networks now.
    pub fn note_networks(&mut self, now: Now, told: Vec<Interface>) {
        self.outside.note(told);
        self.look_outside(now);
    }

    fn look_outside(&mut self, now: Now) {
        if self.outside.look(&self.config.zone) {
            let interfaces = self.outside.interfaces.join(" ");
            let sentence = self.outside.guessed.clone();
            let sentence = sentence.unwrap_or_else(|| format!("these interfaces lead outside: {interfaces}"));
            self.log.say(now.boot_ms, &sentence);
            self.lines = LineReader::new(&networks(&self.outside), self.engine.calendar().clone());
        }
    }

    /// To flash, and then to tmpfs. Whether flash has everything.
    fn commit(&mut self, now: Now) -> bool {
        self.commit_at = now.boot_ms.saturating_add(self.config.commit_interval.as_millis() as u64);
        let before = self.places.trouble.clone();
        let mark = self.stored_mark();
        let on_flash = mark.filter(|_| !self.engine.has_waiting());
        let done = self.places.commit(&self.config, &mut self.engine, now, on_flash);
        if self.places.trouble != before {
            let sentence =
                self.places.trouble.clone().unwrap_or_else(|| "the store can be written again".to_string());
            self.log.say(now.boot_ms, &sentence);
        }
        self.places.copy(&mut self.engine, mark, done);
        self.notice_anomalies(now);
        done
    }

    /// Looks for anomalies of today and of the day before, which may have just ended.
    fn notice_anomalies(&mut self, now: Now) {
        let Some(today) = self.engine.date() else { return };
        let Core { places, engine, config, notices, log, .. } = self;
        let rows = places.history(config, |stored| {
            let mut rows = engine.anomalies_on(today, stored);
            rows.extend(engine.anomalies_on(Date(today.0 - 1), stored));
            rows
        });
        for sentence in notices.add(today, rows) {
            log.say(now.boot_ms, &sentence);
        }
    }

    /// The events to send now.
    pub fn notices(&mut self) -> Vec<Notice> {
        self.notices.take()
    }

    /// Attacked ports that are open, of this month. The counts can be a minute old.
    fn exposure(&mut self, now: Now, limit: u32) -> Option<Exposure> {
        let text = read_text(&self.config_path.with_file_name("firewall"), MOST_FIREWALL)?;
        let since = self.engine.date()?.month().first_day();
        let open = exposure::opened(&text, &self.config.zone);
        if open.is_empty() {
            return Some(Exposure { since, ports: Vec::new() });
        }
        if let Some(told) = self.exposed.told(now.boot_ms, &open, since, limit) {
            return Some(told);
        }
        let question = Question { from: Some(since), limit: MAX_LIMIT, ..Question::new(Topic::Services) };
        let Core { places, engine, config, .. } = self;
        match places.history(config, |stored| engine.answer(now, &question, stored)) {
            Ok(Answer::Services(answer)) => {
                let ports = exposure::attacked(&open, &answer.services);
                self.exposed = exposure::Lately::new(now.boot_ms, open.clone(), Exposure { since, ports });
                self.exposed.told(now.boot_ms, &open, since, limit)
            }
            _ => None,
        }
    }

    pub fn stop(&mut self, now: Now) {
        if let Some(sentence) = self.guarding.stop(now, &mut self.engine, &mut self.places) {
            self.log.say(now.boot_ms, &sentence);
        }
        self.commit(now);
    }

    #[inline(never)]
    pub fn reload(&mut self, now: Now) {
        self.commit(now);
        let (config, mut problems) = load(&self.config_path);
        self.config = config;
        if let Some(changed) = self.zone.again() {
            self.set_zone(now, changed);
        }
        for sentence in &problems {
            self.log.say(now.boot_ms, sentence);
        }
        std::mem::swap(&mut self.problems, &mut problems);
        self.look_outside(now);
        self.countries.replace(Database::new(Path::new(&self.config.country_database)));
        self.engine.evidence.set_most(self.config.evidence as usize);
        self.places.reload(&self.config, &mut self.engine);
        self.guarding.set(now, &self.config, &mut self.engine);
        self.commit(now);
    }

    /// An entry of logd.
    pub fn entry(&mut self, now: Now, kernel: bool, time_ms: i64, msg: &[u8]) {
        let (seconds, paths) = (time_ms.div_euclid(1000), &mut self.engine.paths);
        let mut outcome = if kernel {
            self.lines.read_kernel(msg, seconds, Origin::Logd, paths)
        } else {
            self.lines.read_daemon(msg, seconds, Origin::Logd, paths)
        };
        if let Outcome::Malformed(reason) | Outcome::Skipped(Some(reason)) = outcome {
            self.uncounted.add_entry(reason, kernel, 0, msg);
        }
        let brought = match &mut outcome {
            Outcome::Event(event) => Brought::Event(event, Some(time_ms), Some(msg)),
            Outcome::Malformed(_) => Brought::Malformed,
            Outcome::Skipped(_) => Brought::Ignored,
        };
        self.engine.take(now, Input::Logd, brought);
    }

    pub fn note_nflog(&mut self, now: Now, state: &str, counters: Counters) {
        if self.nflog.state != state {
            let sentence = format!("nflog: {state}");
            self.log.say(now.boot_ms, &sentence);
            self.nflog.state = state.to_string();
        }
        self.nflog.counts = counters;
        self.engine.note_lost(Input::Nflog, counters.lost);
    }

    pub fn note_logd(&mut self, now: Now, feed: Option<&LogFeed>) {
        let Some(feed) = feed else { return };
        let state = feed.state_name();
        if self.logd.state != state {
            let sentence = format!("logd: {state}");
            self.log.say(now.boot_ms, &sentence);
            self.logd.state = state.to_string();
        }
        self.logd.counts = feed.state.counts;
        self.mark = feed.state.mark();
        self.engine.note_lost(Input::Logd, feed.state.counts.lost);
    }

    pub fn note_bus(&mut self, down: Option<&str>, refused: Option<Status>) {
        let state = match (down, refused) {
            (Some(because), _) => Some(format!("ubus: {because}")),
            (None, Some(status)) => Some(format!("ubus: the broker refuses the object fwstat: {status}")),
            (None, None) => None,
        };
        if self.bus != state {
            self.bus = state;
        }
    }

    /// Takes what nft says, and beside it what had come by then.
    pub fn read_counters(&mut self) {
        self.counters.read();
        if self.counters.fd().is_some() {
            return;
        }
        // A rule without a prefix names no zone.
        let unnamed = if self.config.zone.len() == 1 { self.engine.received("") } else { 0 };
        let row = |(zone, packets): &(String, u64)| CounterStatus {
            zone: zone.clone(),
            packets: *packets,
            received: self.engine.received(zone).saturating_add(unnamed),
        };
        self.counted = self.counters.zones.as_ref().map(|zones| zones.iter().map(row).collect());
    }
}

impl Answers for Core {
    fn answer(&mut self, question: &Question) -> Result<BlobMsgTable, AnswerError> {
        let now = now();
        self.tick(now);
        let mut answer = if question.topic == Topic::Status {
            Answer::Status(self.status(now))
        } else {
            let Core { places, engine, config, .. } = self;
            places.history(config, |stored| engine.answer(now, question, stored)).map_err(|error| {
                match (error, question.topic) {
                    (query::AnswerError::Invalid(text), _) => AnswerError::InvalidArgument(text),
                    (query::AnswerError::NotFound(text), Topic::Countries) => AnswerError::NoData(text),
                    (query::AnswerError::NotFound(text), _) => AnswerError::NotFound(text),
                    (query::AnswerError::NeedsDaemon(text), _) => AnswerError::NotSupported(text),
                }
            })?
        };
        self.guarding.count_dropped(&mut answer);
        crate::cli::offline::add_advice(question, &mut answer);
        if let Answer::Summary(summary) = &mut answer {
            self.complete(now, summary);
            summary.exposure = self.exposure(now, question.limit);
            summary.guard = Some(self.guarding.status(now, &self.config, &self.engine));
        }
        if self.config.mask_sources {
            mask(&mut answer);
        }
        Ok(blob::table(&answer))
    }

    fn command(&mut self, command: BusCommand) -> Result<BlobMsgTable, AnswerError> {
        match command {
            BusCommand::Commit => {
                let now = now();
                self.tick(now);
                if !self.commit(now) {
                    let trouble = self.places.trouble.clone();
                    return Err(AnswerError::Failed(trouble.unwrap_or_else(|| "not written".into())));
                }
                let path = self.places.directory().display().to_string();
                Ok(blob::table(&[("path", &path as &dyn Field), ("bytes", &self.places.bytes())]))
            }
            BusCommand::Block(wish) => {
                let now = now();
                self.tick(now);
                self.guarding.block(now, &mut self.engine, wish)
            }
            BusCommand::Unblock { address } => {
                let now = now();
                self.tick(now);
                self.guarding.unblock(now, &mut self.engine, address)
            }
        }
    }
}

/// What the line reader has to know of the router's interfaces and rules.
fn networks(outside: &Outside) -> Networks {
    Networks { wan: outside.interfaces.clone(), lan: Vec::new(), rules: outside.rules.clone() }
}
