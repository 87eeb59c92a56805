//! The store on flash and the copy in tmpfs: opening, writing, and what to do when flash refuses.

use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::calendar::{Date, Month};
use crate::config::Config;
use crate::live::{Engine, Now};
use crate::query::history::{History, MonthOfDays, Retention};
use crate::store::format::Block;
use crate::store::shelf::DiskShelf;
use crate::store::today::{self, Keeper, Portion, Saved, State};

const COPY: &str = "today.fws";

/// Where the statistics lie.
pub struct Places {
    directory: PathBuf,
    run: PathBuf,
    keeper: Option<Keeper>,
    /// It was opened for writing.
    writable: bool,
    /// What was found of an earlier run has been taken.
    restored: bool,
    boot: String,
    serial: u64,
    /// Why flash has not everything; `None`: it has.
    pub trouble: Option<String>,
    /// Why there is no copy in tmpfs.
    pub no_copy: Option<String>,
    /// What an earlier run kept aside and cannot be counted.
    pub left_out: Option<String>,
    /// The instant of the last commit.
    pub last_commit: Option<i64>,
    written: WrittenToday,
    written_before: u64,
    bytes: u64,
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

pub fn retention(config: &Config) -> Retention {
    let days = |duration: std::time::Duration| u32::try_from(duration.as_secs() / 86_400).unwrap_or(u32::MAX);
    Retention {
        hours: days(config.keep_hours),
        days: days(config.keep_days),
        months: config.keep_months.into(),
    }
}

/// Where nothing is kept.
struct Nothing(Retention);

impl History for Nothing {
    fn months(&self) -> Vec<Month> {
        Vec::new()
    }

    fn month(&mut self, _: Month) -> Option<Rc<MonthOfDays>> {
        None
    }

    fn retention(&self) -> Retention {
        self.0
    }

    fn incomplete_because(&self, _: Month) -> Option<String> {
        None
    }
}

impl Places {
    /// Opens the store; gives the newest day in it and what was found of an earlier run.
    #[inline(never)]
    pub fn open(config: &Config, run: &Path, boot: &str) -> (Places, Option<Date>, Option<Saved>) {
        let mut places = Places {
            directory: PathBuf::from(&config.database),
            run: run.to_owned(),
            keeper: None,
            writable: false,
            restored: false,
            boot: boot.to_owned(),
            serial: 0,
            trouble: None,
            no_copy: None,
            left_out: None,
            last_commit: None,
            written: WrittenToday::default(),
            written_before: 0,
            bytes: 0,
        };
        let saved = places.reopen(config);
        let newest = places.keeper.as_mut().and_then(|keeper| newest(&mut keeper.store));
        (places, newest, saved)
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

    /// Sentences about damaged files.
    pub fn damage(&self) -> &[String] {
        self.keeper.as_ref().map_or(&[], |keeper| keeper.store.damage())
    }

    /// The boot that the marks of logd are of.
    pub fn is_this_boot(&self, state: &State) -> bool {
        state.boot == self.boot
    }

    /// Tries to open for writing, else for reading. Gives what was found, once.
    fn reopen(&mut self, config: &Config) -> Option<Saved> {
        if let Some(keeper) = self.keeper.take() {
            self.written_before = self.written_before.saturating_add(keeper.written());
        }
        let kept = retention(config);
        let opened = DiskShelf::open_for_writing(&self.directory)
            .map_err(|error| error.to_string())
            .and_then(|shelf| Keeper::open(shelf, kept, true).map_err(|error| error.to_string()));
        self.writable = opened.is_ok();
        let opened = opened.or_else(|error| {
            self.trouble =
                Some(format!("in RAM only: cannot write to {}: {error}", self.directory.display()));
            let shelf = DiskShelf::open(&self.directory).map_err(|error| error.to_string())?;
            Keeper::open(shelf, kept, false).map_err(|error| error.to_string())
        });
        let (keeper, flash) = opened.ok()?;
        self.bytes = keeper.bytes();
        self.keeper = Some(keeper);
        if std::mem::replace(&mut self.restored, true) {
            return None;
        }
        let copy = fs::read(self.run.join(COPY)).ok().and_then(|bytes| today::decode(&bytes));
        let saved = match (flash, copy) {
            (Some(flash), Some(copy)) if copy.state.serial > flash.state.serial => Some(copy),
            (Some(flash), _) => Some(flash),
            (None, copy) => copy,
        };
        self.serial = saved.as_ref().map_or(0, |saved| saved.state.serial);
        if let Some(State { date: Some(date), written, .. }) = saved.as_ref().map(|saved| &saved.state) {
            self.written = WrittenToday { date: Some(*date), earlier: *written, start: 0 };
        }
        saved.map(|saved| self.of_this_boot(saved))
    }

    /// Moments of another boot's clock mean nothing now: what waited for its day then stays without one.
    fn of_this_boot(&mut self, mut saved: Saved) -> Saved {
        if !self.is_this_boot(&saved.state) && !saved.aside.is_empty() {
            let left_out = std::mem::take(&mut saved.aside).count();
            self.left_out = Some(format!(
                "{left_out} packets from before the reboot are left out: the clock was not set, their day is unknown"
            ));
        }
        saved
    }

    pub fn history<T>(&mut self, config: &Config, ask: impl FnOnce(&mut dyn History) -> T) -> T {
        match &mut self.keeper {
            Some(keeper) => ask(&mut keeper.store),
            None => ask(&mut Nothing(retention(config))),
        }
    }

    /// Bytes written to flash on the day of the clock.
    pub fn written_today(&mut self, today: Option<Date>) -> u64 {
        let written =
            self.written_before.saturating_add(self.keeper.as_ref().map_or(0, |keeper| keeper.written()));
        // Until the clock is set, it is the day that was counted last.
        if today.is_some() && self.written.date != today {
            self.written = WrittenToday { date: today, earlier: 0, start: written };
        }
        self.written.earlier.saturating_add(written.saturating_sub(self.written.start))
    }

    fn state(&mut self, engine: &Engine, mark: Option<(u32, i64)>) -> State {
        self.serial = self.serial.saturating_add(1);
        let written = self.written_today(engine.date());
        State {
            serial: self.serial,
            boot: self.boot.clone(),
            mark,
            date: engine.date(),
            lost: engine.lost_today(),
            on_flash: false,
            written,
        }
    }

    /// Writes to flash what it does not have. Whether it has everything now.
    pub fn commit(
        &mut self,
        config: &Config,
        engine: &mut Engine,
        now: Now,
        mark: Option<(u32, i64)>,
    ) -> bool {
        self.written_today(engine.date());
        if !self.writable {
            // What is found now and was not before is of an earlier run.
            let saved = self.reopen(config);
            if let Some(saved) = saved {
                engine.restore(&saved);
            }
        }
        let Some(keeper) = self.keeper.as_mut().filter(|_| self.writable) else { return false };
        let portion = engine.portion(keeper.wants_whole());
        if portion == Portion::Nothing && engine.closed().is_empty() {
            self.trouble = None;
            return true;
        }
        let state = self.state(engine, mark);
        let Some(keeper) = &mut self.keeper else { return false };
        match keeper.commit(engine.closed(), &portion, &state, engine.calendar().name()) {
            Ok(()) => {
                engine.committed();
                self.trouble = None;
                self.last_commit = Some(now.wall);
                self.bytes = keeper.bytes();
                true
            }
            Err(error) => {
                self.trouble = Some(format!("in RAM only: {error}"));
                self.writable = false;
                false
            }
        }
    }

    /// Writes the copy in tmpfs, if anything changed.
    pub fn copy(&mut self, engine: &mut Engine, mark: Option<(u32, i64)>, on_flash: bool) {
        let state = |engine: &Engine| State { on_flash, ..self.state(engine, mark) };
        let Some(bytes) = engine.copy(state) else { return };
        let (new, path) = (self.run.join("today.new"), self.run.join(COPY));
        let written = fs::write(&new, bytes).and_then(|()| fs::rename(&new, &path));
        self.no_copy = written.err().map(|error| {
            engine.copy_failed();
            format!("cannot write {}: {error}; a crash would lose what flash does not have", path.display())
        });
    }

    /// Writes a file that is none of the statistics beside them.
    pub fn put(&mut self, name: &str, bytes: Vec<u8>) -> Result<(), String> {
        let keeper = self.keeper.as_mut().filter(|_| self.writable);
        let keeper = keeper.ok_or_else(|| self.trouble.clone().unwrap_or_default())?;
        keeper.put(name, bytes).map_err(|error| error.to_string())
    }

    /// The readable blocks of such a file.
    pub fn get(&mut self, name: &str) -> Vec<Block> {
        self.keeper.as_mut().and_then(|keeper| keeper.get(name).ok()).unwrap_or_default()
    }

    /// Other options hold from now on.
    pub fn reload(&mut self, config: &Config, engine: &mut Engine) {
        if self.directory != Path::new(&config.database) {
            self.directory = PathBuf::from(&config.database);
            engine.forget_commits();
            self.reopen(config);
        } else if let Some(keeper) = &mut self.keeper {
            keeper.store.set_retention(retention(config));
        }
    }
}

fn newest(history: &mut dyn History) -> Option<Date> {
    let month = *history.months().last()?;
    let observed = history.month(month)?.summary.observed;
    let day = 31u32.checked_sub(observed.leading_zeros())?;
    Some(Date(month.first_day().0 + day.cast_signed()))
}
