//! The daemon's store killed at each step of a commit, imports between two runs: nothing is lost but what came since the
//! last copy, and nothing counts twice.

use std::time::{Duration, Instant};

mod commands;
mod directories;

use super::*;
use crate::event::calendar::Calendar;
use crate::event::{Address, Event, protocol};
use crate::live::{Input, InputItem, Now};
use crate::query::Answer;
use crate::query::question::{Question, Topic};

/// 2025-11-27 23:00 UTC
const EVENING: i64 = 1_764_284_400;
const HOUR: i64 = 3600;

/// A router's directories; its daemon can be killed.
struct Router {
    place: PathBuf,
    config: Config,
    boot: String,
}

struct Run {
    storage: Storage,
    engine: Engine,
    sent: u64,
}

impl Storage {
    /// As the daemon does it.
    pub(crate) fn open(config: &Config, run: &Path, boot: &str) -> (Storage, Option<(Saved, bool)>) {
        let disk = Disk::open_for_daemon(Path::new(&config.database), run);
        Storage::new(config, run, boot, disk)
    }
}

impl Router {
    fn new(name: &str) -> Router {
        let place = std::env::temp_dir().join(format!("fwstat-daemon-store-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&place);
        fs::create_dir_all(place.join("run")).unwrap();
        let database = place.join("db").display().to_string();
        Router { config: Config { database, ..Config::default() }, place, boot: "boot".into() }
    }

    fn start(&self) -> Run {
        let (storage, saved) = Storage::open(&self.config, &self.place.join("run"), &self.boot);
        let mut engine = Engine::new(Calendar::utc(), storage.store.salt(), 10);
        if let Some((saved, on_flash)) = saved {
            engine.clock.trusted = saved.state.trusted_offset;
            engine.restore(saved, on_flash);
        }
        Run { storage, engine, sent: 0 }
    }

    /// The power is cut.
    fn reboot(&mut self) {
        fs::remove_dir_all(self.place.join("run")).unwrap();
        fs::create_dir_all(self.place.join("run")).unwrap();
        self.boot = "another".into();
    }

    /// The run is killed after a copy.
    fn restart(&self, mut run: Run) -> Run {
        run.storage.copy(&mut run.engine, None);
        drop(run);
        self.start()
    }

    /// The run is killed, and the next one has flash alone.
    fn without_copy(&self, run: Run) -> Run {
        drop(run);
        let _ = fs::remove_file(self.place.join("run/today.fws"));
        self.start()
    }

    /// Files of an import between two runs: so many attempts on the day of an instant.
    fn import(&self, attempts: u64, wall: i64) {
        let log = self.place.join(format!("{attempts}-{wall}.log"));
        let time = Calendar::utc().rfc3339(wall);
        let line = |number| {
            format!(
                "{time} router kernel: DROP IN=ppp0 OUT= MAC= SRC=203.0.113.7 DST=198.51.100.20 LEN=44 TOS=0x00 \
                 PREC=0x00 TTL=241 ID={} PROTO=TCP SPT=41000 DPT=22 WINDOW=1024 RES=0x00 SYN URGP=0\n",
                attempts * 100 + number
            )
        };
        fs::write(&log, (0..attempts).map(line).collect::<String>()).unwrap();
        let input = crate::cli::arguments::Input {
            files: vec![log],
            timezone: Some("UTC".into()),
            year: None,
            wan: Vec::new(),
            lan: Vec::new(),
            firewall: None,
            countries: crate::cli::arguments::DEFAULT_COUNTRIES.into(),
        };
        let (database, run) = (Path::new(&self.config.database), self.place.join("run"));
        let reading = crate::cli::offline::import(&input, database, &run, Retention::default(), &mut |_| {});
        let reading = reading.unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!((reading.failures, reading.counts.events), (Vec::new(), attempts));
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.place);
    }
}

fn now(wall: i64) -> Now {
    Now { boot_ms: (wall - EVENING + 1_000).cast_unsigned() * 1000, wall }
}

impl Run {
    fn at(&mut self, wall: i64) -> Now {
        let machine = now(wall);
        let now = self.engine.clock.update(machine);
        self.engine.clock.synchronized(machine);
        self.engine.tick(now);
        self.engine.wants_commit = false;
        now
    }

    fn send(&mut self, count: u32, wall: i64) {
        let now = self.at(wall);
        self.sent += 1;
        let mut event = Event {
            source: Address::v4(0xcb00_7107),
            destination: Address::v4(0xc633_6414),
            fingerprint: self.sent << 32 | u64::from(count),
            count,
            port: 23,
            protocol: protocol::TCP,
            ..Event::default()
        };
        self.engine.take(now, Input::Nflog, InputItem::Event(&mut event, None, None));
    }

    fn commit(&mut self) {
        self.storage.commit(&mut self.engine, None);
        self.storage.copy(&mut self.engine, None);
    }

    /// Writes everything to flash.
    fn flush(&mut self, wall: i64) {
        self.commit();
        self.settle(wall);
    }

    /// Counts `count` attempts and writes them to flash.
    fn store(&mut self, count: u32, wall: i64) {
        self.send(count, wall);
        self.flush(wall + 1);
    }

    /// Until the worker has done what it is at.
    fn wait(&mut self) {
        let until = Instant::now() + Duration::from_secs(10);
        let done = loop {
            match self.storage.worker.as_mut().and_then(|worker| worker.wait(Duration::from_secs(10))) {
                Some(done) => break done,
                None => assert!(Instant::now() < until),
            }
        };
        self.storage.done(done, &mut self.engine);
    }

    fn settle(&mut self, wall: i64) {
        let now = self.at(wall);
        let until = Instant::now() + AT_END;
        self.storage.finish_commits(&mut self.engine, now, until);
        assert!(!self.storage.is_busy() && self.storage.problem.is_none(), "{:?}", self.storage.problem);
    }

    /// Attempts by day, those of days without any left out.
    fn days(&mut self, wall: i64) -> Vec<(String, u64)> {
        let now = self.at(wall);
        let from = Date::parse("2025-11-01");
        let question = Question { from, limit: 1000, ..Question::new(Topic::Days) };
        let engine = &mut self.engine;
        let answer = engine.answer(now, &question, &mut self.storage.store);
        let Ok(Answer::Days(answer)) = answer else { panic!("no days") };
        let rows = answer.days.iter().filter(|row| row.attempts > 0);
        rows.map(|row| (row.date.to_string(), row.attempts)).collect()
    }
}

fn is(days: &[(&str, u64)]) -> Vec<(String, u64)> {
    days.iter().map(|(date, attempts)| ((*date).to_string(), *attempts)).collect()
}

/// How far a commit goes before the kill.
const STEPS: [&str; 3] = ["prepared", "published", "copied"];

fn go_on(run: &mut Run, wall: i64, steps: usize) {
    run.commit();
    if !run.storage.in_flight() {
        return;
    }
    // What the worker does goes on in this process: it is let end.
    run.wait();
    if steps >= 1 {
        let now = run.at(wall);
        run.storage.publish(&mut run.engine, now);
        run.wait();
    }
    if steps >= 2 {
        run.storage.copy(&mut run.engine, None);
    }
}

#[test]
fn a_kill_at_each_step_of_a_commit_loses_and_doubles_nothing() {
    for (steps, step) in STEPS.iter().enumerate() {
        for reboot in [false, true] {
            let mut router = Router::new(&format!("step-{steps}-{reboot}"));
            let mut run = router.start();
            run.store(3, EVENING);
            run.send(4, EVENING + 60);
            go_on(&mut run, EVENING + 61, steps);
            drop(run);
            if reboot {
                router.reboot();
            }
            let mut run = router.start();
            // A reboot loses what flash does not have.
            let attempts = if reboot && steps < 1 { 3 } else { 7 };
            let name = format!("{}, reboot: {reboot}", step);
            assert_eq!(run.days(EVENING + 120), is(&[("2025-11-27", attempts)]), "{name}");
            // Flash gets it all, once.
            run.store(1, EVENING + 180);
            assert_eq!(
                router.without_copy(run).days(EVENING + 240),
                is(&[("2025-11-27", attempts + 1)]),
                "{name}, from flash"
            );
        }
    }
}

#[test]
fn a_directory_that_cannot_be_listed_loses_nothing() {
    let router = Router::new("listing");
    let mut run = router.start();
    run.store(3, EVENING);
    run.send(4, EVENING + 60);
    let obstacle = Path::new(&router.config.database).join("commit");
    fs::write(&obstacle, "").unwrap();
    for minute in 2..4 {
        run.commit();
        let now = run.at(EVENING + 60 * minute);
        run.storage.finish_commits(&mut run.engine, now, Instant::now() + AT_END);
        assert!(run.storage.problem.is_some());
    }
    fs::remove_file(obstacle).unwrap();
    run.store(1, EVENING + 300);
    assert_eq!(run.days(EVENING + 301), is(&[("2025-11-27", 8)]));
    assert_eq!(router.without_copy(run).days(EVENING + 302), is(&[("2025-11-27", 8)]));
}

#[test]
fn a_directory_that_cannot_be_listed_lets_a_few_closed_days_wait() {
    let router = Router::new("listing-for-days");
    let mut run = router.start();
    for day in 0..12 {
        run.send(1, EVENING + 24 * HOUR * day);
    }
    fs::write(Path::new(&router.config.database).join("commit"), "").unwrap();
    run.commit();
    assert!(run.storage.problem.is_some());
    assert_eq!(run.engine.closed().count(), 8);
    assert_eq!(run.storage.log_lines.len(), 3, "{:?}", run.storage.log_lines);
}

#[test]
fn a_kill_at_each_step_of_a_days_close_loses_and_doubles_nothing() {
    for (steps, step) in STEPS.iter().enumerate() {
        for more in [false, true] {
            let router = Router::new(&format!("close-{steps}-{more}"));
            let mut run = router.start();
            run.store(3, EVENING);
            run.send(4, EVENING + 60);
            // Midnight; the new day has nothing, or something.
            run.at(EVENING + HOUR);
            if more {
                run.send(5, EVENING + HOUR + 1);
            }
            go_on(&mut run, EVENING + HOUR + 2, steps);
            drop(run);
            let expected = is(&[("2025-11-27", 7), ("2025-11-28", 5)][..1 + usize::from(more)]);
            let mut run = router.start();
            assert_eq!(run.days(EVENING + HOUR + 60), expected, "{} {more}", step);
            run.flush(EVENING + HOUR + 61);
            drop(run);
            let mut run = router.start();
            assert_eq!(run.days(EVENING + HOUR + 120), expected, "{} {more}, again", step);
            assert_eq!(
                router.without_copy(run).days(EVENING + HOUR + 120),
                expected,
                "{} {more}, from flash",
                step
            );
        }
    }
}

#[test]
fn what_is_imported_between_two_runs_is_added_whether_the_daemon_stopped_or_was_killed() {
    for killed in [false, true] {
        let router = Router::new(&format!("import-{killed}"));
        router.import(2, EVENING - HOUR);
        let mut run = router.start();
        assert_eq!(run.days(EVENING), is(&[("2025-11-27", 2)]), "{killed}");
        run.store(3, EVENING);
        run.send(4, EVENING + 60);
        if !killed {
            run.flush(EVENING + 61);
        }
        run.storage.copy(&mut run.engine, None);
        drop(run);
        router.import(10, EVENING - HOUR);
        router.import(20, EVENING + HOUR);
        let mut run = router.start();
        let expected = is(&[("2025-11-27", 19), ("2025-11-28", 20)]);
        assert_eq!(run.days(EVENING + HOUR + 60), expected, "{killed}");
        run.storage.copy(&mut run.engine, None);
        drop(run);
        let mut run = router.start();
        assert_eq!(run.days(EVENING + HOUR + 90), expected, "{killed}, killed again");
        run.flush(EVENING + HOUR + 91);
        assert_eq!(router.without_copy(run).days(EVENING + HOUR + 120), expected, "{killed}, from flash");
    }
}

/// A store with 7 attempts that were dated in the future once, and 9 a little later.
fn with_later(name: &str) -> Router {
    let router = Router::new(name);
    let disk = Disk::open_for_writing(Path::new(&router.config.database)).unwrap();
    let mut store = Store::open(Directory::Disk(disk), Retention::default(), None).unwrap();
    let mut later = Deferred::default();
    for (wall, count) in [(EVENING + 10, 7), (EVENING + 600, 9)] {
        let event = Event { source: Address::v4(7), port: 23, protocol: 6, count, ..Event::default() };
        later.add(wall.cast_unsigned() * 1000, &event);
    }
    let mut changes = store.change_later(&later).unwrap();
    changes.extend(store.change_meta(&Meta::default()).unwrap());
    store.commit(changes).unwrap();
    router
}

#[test]
fn an_import_after_a_kill_counts_no_future_event_that_the_copy_in_ram_has() {
    let router = with_later("later-killed");
    let mut run = router.start();
    run.send(3, EVENING);
    let now = run.at(EVENING + 60);
    run.storage.count_due(&mut run.engine, now);
    run.storage.copy(&mut run.engine, None);
    drop(run);
    // By this machine's clock the time of both has come.
    router.import(20, EVENING - HOUR);
    let mut run = router.start();
    let now = run.at(EVENING + 120);
    run.storage.count_due(&mut run.engine, now);
    let expected = is(&[("2025-11-27", 3 + 7 + 9 + 20)]);
    assert_eq!(run.days(EVENING + 120), expected);
    run.flush(EVENING + 121);
    let mut run = router.without_copy(run);
    assert_eq!((run.days(EVENING + 1000), run.storage.later.count()), (expected, 0));
}

#[test]
fn no_future_event_is_counted_while_a_command_has_the_store() {
    let router = with_later("later-released");
    let mut run = router.start();
    run.store(3, EVENING);
    assert!(run.storage.release());
    let now = run.at(EVENING + 60);
    run.storage.count_due(&mut run.engine, now);
    assert_eq!(run.storage.later.count(), 16);
    router.import(20, EVENING - HOUR);
    run.flush(EVENING + 61);
    assert!(run.storage.take_back());
    let now = run.at(EVENING + 62);
    run.storage.count_due(&mut run.engine, now);
    let expected = is(&[("2025-11-27", 3 + 7 + 9 + 20)]);
    assert_eq!((run.days(EVENING + 62), run.storage.later.count()), (expected, 0));
}

/// The piece of the second import has the name that the first one's had.
#[test]
fn a_day_that_was_imported_and_closed_is_imported_again() {
    let router = Router::new("import-again");
    router.import(2, EVENING - HOUR);
    let mut run = router.start();
    run.store(3, EVENING);
    run.at(EVENING + HOUR);
    run.flush(EVENING + HOUR + 1);
    run.storage.copy(&mut run.engine, None);
    drop(run);
    router.import(10, EVENING - HOUR);
    assert_eq!(router.start().days(EVENING + HOUR + 60), is(&[("2025-11-27", 15)]));
}

#[test]
fn a_commit_that_failed_is_over_though_another_file_waits() {
    let router = Router::new("waiting");
    let mut run = router.start();
    run.send(3, EVENING);
    run.settle(EVENING);
    // What is prepared has no place.
    fs::write(run.storage.directory.join("commit.new"), "").unwrap();
    run.storage.put("blocks.fws", vec![7]).unwrap();
    run.commit();
    run.wait();
    assert!(run.storage.problem.is_some() && !run.storage.is_busy());
    // It is written when it can be.
    fs::remove_file(run.storage.directory.join("commit.new")).unwrap();
    run.flush(EVENING);
    assert_eq!(fs::read(run.storage.directory.join("blocks.fws")).unwrap(), [7]);
}

#[test]
fn a_damaged_file_beside_the_statistics_is_named_and_kept_when_it_is_replaced() {
    let router = Router::new("other-files");
    let mut run = router.start();
    let file = run.storage.directory.join("networks.fws");
    fs::write(&file, "damaged").unwrap();
    assert_eq!(run.storage.get("networks.fws", |_| Some(())), None);
    let named = |run: &Run| run.storage.warnings().filter(|warning| warning.contains("networks.fws")).count();
    assert_eq!(named(&run), 1);
    run.storage.put("networks.fws", vec![7]).unwrap();
    run.settle(EVENING);
    assert_eq!(fs::read(&file).unwrap(), [7]);
    assert_eq!(fs::read(file.with_file_name("networks.fws.bad")).unwrap(), b"damaged");
    // Once is enough.
    run.storage.put("networks.fws", vec![8]).unwrap();
    run.settle(EVENING);
    assert_eq!((fs::read(&file).unwrap(), named(&run)), (vec![8], 1));
    assert!(!file.with_file_name("networks.fws.2.bad").exists());
}
