//! The engine and the daemon's store at simulated time, on real files.

mod clocks;
mod closed_days;
mod counting;
mod exposed;
mod filters;
mod flash;
mod imports;
mod restarts;
mod rules;
mod sequences;

use std::cell::Cell;
use std::path::{Path as FilePath, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::clock::BUILT;
use super::*;
use crate::cli::{arguments, offline};
use crate::config::Config;
use crate::daemon::store::Storage;
use crate::event::{Address, Class, Origin, PathId, Verdict, protocol};
use crate::query::Answer;
use crate::query::question::{Question, Topic};
use crate::store::directory::{Directory, Disk};
use crate::store::{Retention, Store};
use crate::sys::wait::{readable, wait};

const HOUR: i64 = 3600;
const DAY: i64 = 86_400;
/// 2026-06-10 00:00 UTC
const START: i64 = 1_781_049_600;

/// A router's file systems: flash, and RAM that a reboot empties.
struct Disks(PathBuf);

impl Disks {
    fn new() -> Disks {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let shared = FilePath::new("/dev/shm");
        let base = if shared.is_dir() { shared.to_path_buf() } else { std::env::temp_dir() };
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = base.join(format!("fwstat-test-{}-{number}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(path.join("flash")).unwrap();
        std::fs::create_dir_all(path.join("run")).unwrap();
        Disks(path)
    }

    fn flash(&self) -> PathBuf {
        self.0.join("flash")
    }

    fn run(&self) -> PathBuf {
        self.0.join("run")
    }

    /// A directory that can take the place of that on flash.
    fn other(&self) -> PathBuf {
        self.0.join("other")
    }

    fn swap(&self) {
        let aside = self.0.join("aside");
        std::fs::create_dir_all(self.other()).unwrap();
        for (from, to) in
            [(self.flash(), &aside), (self.other(), &self.flash()), (aside.clone(), &self.other())]
        {
            std::fs::rename(from, to).unwrap();
        }
    }

    /// What another process sees of the store.
    fn store(&self) -> Store {
        Store::open(Directory::Disk(Disk::open(&self.flash()).unwrap()), Retention::default(), None).unwrap()
    }

    /// Writing fails from now on, or works again.
    fn set_full(&self, full: bool) {
        let obstacle = self.flash().join("commit.new");
        if full {
            let _ = std::fs::remove_dir_all(&obstacle);
            std::fs::write(obstacle, "").unwrap();
        } else {
            let _ = std::fs::remove_file(obstacle);
        }
    }
}

impl Drop for Disks {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A router at simulated time: the daemon without its sockets.
struct Router {
    /// What the machine's clocks show.
    machine: Now,
    /// The trusted time.
    now: Now,
    engine: Engine,
    storage: Storage,
    config: Config,
    disks: Disks,
    boots: u32,
    /// What was logged.
    said: Vec<String>,
}

impl Router {
    /// With NTP's word.
    fn boot(wall: i64, zone: &str) -> Router {
        Router::boot_with(wall, zone, true)
    }

    fn boot_with(wall: i64, zone: &str, told: bool) -> Router {
        let machine = Now { boot_ms: 10_000, wall };
        Router::start(machine, zone, Disks::new(), 0, told, Config::default())
    }

    fn start(machine: Now, zone: &str, disks: Disks, boots: u32, told: bool, config: Config) -> Router {
        let config = Config { database: disks.flash().display().to_string(), ..config };
        let (mut storage, saved) = Storage::open(&config, &disks.run(), &format!("boot-{boots}"));
        let mut engine = Engine::new(Calendar::new(zone).unwrap(), storage.store.salt(), 20);
        engine.clock.trusted = saved.as_ref().and_then(|(saved, _)| saved.state.trusted_offset);
        engine.clock.update(machine);
        if told {
            engine.clock.synchronized(machine);
        }
        if let Some((saved, on_flash)) = saved {
            storage.restore(&mut engine, saved, on_flash);
        }
        let mut router =
            Router { machine, now: machine, engine, storage, config, disks, boots, said: Vec::new() };
        router.look();
        router.run();
        router
    }

    /// A turn of the daemon's loop.
    fn look(&mut self) {
        self.now = self.engine.clock.update(self.machine);
        self.engine.tick(self.now);
        if let Some(today) = self.engine.date().filter(|_| self.engine.clock.is_set()) {
            self.storage.set_today(today);
        }
        self.storage.count_due(&mut self.engine, self.now);
        if std::mem::take(&mut self.engine.wants_commit) {
            self.commit();
        }
    }

    fn pass(&mut self, seconds: i64) {
        self.machine.wall += seconds;
        self.machine.boot_ms += seconds as u64 * 1000;
        self.look();
    }

    /// The machine's clock steps.
    fn step(&mut self, seconds: i64) {
        self.machine.wall += seconds;
        self.look();
    }

    /// NTP's word for what the machine's clock shows.
    fn ntp(&mut self) {
        self.engine.clock.synchronized(self.machine);
        self.look();
    }

    fn begin_commit(&mut self) {
        self.copy();
        self.storage.commit(&mut self.engine, None);
    }

    /// Until the store's thread has nothing to do.
    fn run(&mut self) {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            self.storage.turn(&mut self.engine, self.now, true);
            if self.storage.wants_commit() {
                self.begin_commit();
            }
            if !self.storage.is_busy() {
                break;
            }
            assert!(Instant::now() < until, "the store's thread does not end");
            std::thread::sleep(Duration::from_micros(30));
        }
        self.said.append(&mut self.storage.log_lines);
    }

    fn commit(&mut self) -> bool {
        self.begin_commit();
        self.run();
        self.copy();
        self.storage.problem.is_none()
    }

    fn copy(&mut self) {
        self.storage.copy(&mut self.engine, None);
    }

    /// The copy in RAM as it is now.
    fn saved_copy(&self) -> Vec<u8> {
        std::fs::read(self.disks.run().join("today.fws")).unwrap()
    }

    /// The daemon was killed before it could write a newer copy.
    fn put_copy(&self, copy: &[u8]) {
        std::fs::write(self.disks.run().join("today.fws"), copy).unwrap();
    }

    /// Threads of a killed process do nothing any more, but here they would.
    fn quiesce(&self) {
        if let Some(fd) = self.storage.fd().filter(|_| self.storage.is_busy()) {
            let _ = wait(&mut [readable(fd)], Some(Duration::from_millis(20)));
        }
    }

    /// kill -9 and a new start.
    fn crash(self) -> Router {
        self.quiesce();
        let Router { machine, engine, storage, disks, boots, config, .. } = self;
        let zone = engine.calendar.name().to_string();
        drop((engine, storage));
        Router::start(machine, &zone, disks, boots, false, config)
    }

    /// Without power: RAM is gone.
    fn power_cut(self) -> Router {
        let wall = self.machine.wall;
        self.power_cut_until(wall, true)
    }

    /// The machine comes back at an instant, as its clock shows it.
    fn power_cut_until(self, wall: i64, told: bool) -> Router {
        self.quiesce();
        let Router { engine, storage, disks, boots, config, .. } = self;
        let zone = engine.calendar.name().to_string();
        drop((engine, storage));
        std::fs::remove_dir_all(disks.run()).unwrap();
        std::fs::create_dir_all(disks.run()).unwrap();
        Router::start(Now { boot_ms: 10_000, wall }, &zone, disks, boots + 1, told, config)
    }

    fn packet(&mut self, source: u32, port: u16) {
        self.give(Input::Nflog, event(source, port, self.machine.boot_ms), None);
    }

    fn give(&mut self, input: Input, mut event: Event, wall_ms: Option<i64>) {
        self.engine.take(self.now, input, InputItem::Event(&mut event, wall_ms, None));
    }

    fn ask(&mut self, topic: Topic) -> Answer {
        let question = Question { limit: 1000, ..Question::new(topic) };
        self.ask_about(&question)
    }

    fn ask_about(&mut self, question: &Question) -> Answer {
        let Router { storage, engine, now, .. } = self;
        engine.answer(*now, question, &mut storage.store).unwrap()
    }

    /// `date attempts unique` of all days.
    fn days(&mut self) -> Vec<String> {
        let from = Date::from_ymd(1970, 1, 2);
        let to = Date::from_ymd(2100, 1, 1);
        let question = Question { from, to, ..Question::new(Topic::Days) };
        match self.ask_about(&question) {
            Answer::Days(answer) => answer
                .days
                .iter()
                .map(|row| format!("{} {} {}", row.date, row.attempts, row.unique_sources.unwrap_or(0)))
                .collect(),
            other => panic!("{other:?}"),
        }
    }

    /// The attempts of all months that are answered.
    fn total(&mut self) -> u64 {
        let Answer::Months(answer) = self.ask(Topic::Months) else { panic!() };
        answer.months.iter().map(|row| row.attempts).sum()
    }
}

fn event(source: u32, port: u16, unique: u64) -> Event {
    thread_local!(static NUMBER: Cell<u64> = const { Cell::new(0) });
    NUMBER.set(NUMBER.get() + 1);
    Event {
        source: Address::v4(source),
        destination: Address::v4(0xc000_0201),
        fingerprint: crate::stats::heavy::mix(NUMBER.get(), unique, 5),
        count: 1,
        source_port: 40_000,
        port,
        length: 40,
        protocol: protocol::TCP,
        flags: 2,
        class: Class::Attempt,
        verdict: Verdict::Reject,
        ..Event::default()
    }
}

/// The machine's own clock, which an import goes by.
fn real_now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

/// A line of a log with an attempt.
fn line_at(time: &str, number: u32) -> String {
    format!(
        "{time} router kernel: DROP IN=ppp0 OUT= MAC= SRC=203.0.113.{} DST=198.51.100.20 LEN=60 TOS=0x00 PREC=0x00 \
         TTL=241 ID={number} PROTO=TCP SPT=41234 DPT=23 WINDOW=1024 RES=0x00 SYN URGP=0",
        number % 250
    )
}

/// Imports lines as `fwstat import` does, and gives its notes.
fn import(disks: &Disks, name: &str, lines: &[String]) -> Vec<String> {
    let path = disks.run().join(name);
    std::fs::write(&path, lines.join("\n") + "\n").unwrap();
    let input = arguments::Input {
        files: vec![path],
        timezone: Some("UTC".into()),
        year: None,
        wan: Vec::new(),
        countries: PathBuf::from(arguments::DEFAULT_COUNTRIES),
        lan: Vec::new(),
        firewall: None,
    };
    let read = offline::import(&input, &disks.flash(), &disks.run(), Retention::default(), &mut |_| {});
    let read = read.unwrap_or_else(|error| panic!("{error}"));
    assert!(read.failures.is_empty(), "{:?}", read.failures);
    read.notes
}
