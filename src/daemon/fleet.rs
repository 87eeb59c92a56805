//! The daemon's part of the fleet: a batch of each closed day, written to flash later, and the sender's state.

use std::io;
use std::path::Path;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use crate::config::{self, Config};
use crate::event::Class;
use crate::event::calendar::{Calendar, Date};
use crate::fleet::batch::{Sources, Writer};
use crate::fleet::merge::merge;
use crate::fleet::shared::Shared;
use crate::fleet::spool::Spool;
use crate::live::clock::BUILT;
use crate::live::{ClosedDays, DayOver, Extent};
use crate::query::answer::FleetStatus;
use crate::stats::countries::CountryLookup;
use crate::sys::clock;

const STACK: usize = 64 << 10;
/// Minutes that a correction waits in RAM for further ones before it is written to flash.
const CORRECTIONS: u32 = 10;
/// Minutes until batches that could not be written to flash are tried again.
const RETRY: u32 = 60;
/// Seconds before the day's end: `sent` of a batch that may be of a part of the day. Lower than that of the batch that
/// was made at the day's end, so the server takes it only if it has none.
const GAP: i64 = 60;
/// How long the daemon waits for flash when it stops.
const AT_END: Duration = Duration::from_millis(500);
/// How often it looks whether flash has them.
const POLL: Duration = Duration::from_millis(5);

/// The batches for a fleet's server: made when a day closes, kept in RAM and on flash, corrected, deleted when they are too old.
#[derive(Default)]
pub(super) struct Fleet {
    options: config::Fleet,
    sources: Sources,
    spool: Spool,
    /// Moves batches to flash; its result: the bytes written.
    moving: Option<JoinHandle<io::Result<u64>>>,
    /// Minutes until they are moved.
    move_in: Option<u32>,
    /// Batches dropped without being sent, since the start.
    dropped: u64,
    /// Bytes written to flash that were not reported yet.
    pub written: u64,
    /// Queued sentences for the log.
    pub log_lines: Vec<String>,
    /// The list of shared sources.
    shared: Option<Shared>,
    /// Modification time of the list that was read last.
    shared_at: Option<SystemTime>,
}

/// An older list has expired. Seconds.
const SHARED_FOR: i64 = 2 * 86_400;

impl Fleet {
    /// `salt`: the store's, a secret of this router.
    pub(super) fn new(config: &Config, run: &Path, salt: u64) -> Fleet {
        // Batches that an earlier run left in tmpfs are moved at once.
        let mut fleet = Fleet { move_in: Some(0), ..Fleet::default() };
        fleet.set(config, run, salt);
        fleet
    }

    /// Applies the options.
    pub(super) fn set(&mut self, config: &Config, run: &Path, salt: u64) {
        self.options = config.fleet.clone();
        self.sources = Sources::of(config, salt);
        self.spool = Spool::new(run, Path::new(&config.database));
        if self.options.enabled && self.sources != Sources::Address {
            let lost = self.spool.remove_sources(|source| self.sources.allows(source));
            self.note_dropped(lost, "they say more of the sources than the options allow now");
        }
    }

    /// Days after which a batch that was not sent is deleted.
    fn keep_days(&self) -> i32 {
        i32::try_from(self.options.keep.as_secs() / 86_400).unwrap_or(i32::MAX)
    }

    fn note_dropped(&mut self, lost: u64, why: &str) {
        if lost > 0 {
            self.dropped = self.dropped.saturating_add(lost);
            self.log_lines.push(format!("{lost} batches for the fleet's server are dropped: {why}"));
        }
    }

    /// To be called once a minute. `today`: by a trusted clock.
    pub(super) fn each_minute(&mut self, today: Option<Date>) {
        self.take_result();
        if !self.options.enabled {
            return;
        }
        match &mut self.move_in {
            Some(0) => self.begin_move(),
            Some(minutes) => *minutes -= 1,
            None => {}
        }
        if let Some(today) = today {
            self.prune(today);
        }
    }

    /// The sources that many routers saw, as of an instant of a trusted clock; `None`: there are none.
    pub(super) fn shared(&mut self, wall: Option<i64>) -> Option<&Shared> {
        let written = self.spool.shared_written().filter(|_| self.options.enabled && self.options.shared);
        if written != self.shared_at {
            self.shared_at = written;
            match written.map(|_| self.spool.read_shared()) {
                Some(Ok(shared)) => self.shared = Some(shared),
                // An invalid list changes nothing.
                Some(Err(why)) => {
                    self.log_lines.push(format!("the fleet's list of shared sources is not taken: {why}"))
                }
                None => self.shared = None,
            }
        }
        let holds = |shared: &&Shared| wall.is_some_and(|wall| (wall - shared.made).abs() < SHARED_FOR);
        self.shared.as_ref().filter(holds).filter(|shared| !shared.sources.is_empty())
    }

    fn prune(&mut self, today: Date) {
        let lost = self.spool.prune(Date(today.0.saturating_sub(self.keep_days()).saturating_sub(1)));
        self.note_dropped(lost, "they waited for longer than the option keep, or there were too many");
    }

    /// Takes the result of a move that has ended.
    fn take_result(&mut self) {
        let Some(moving) = self.moving.take_if(|moving| moving.is_finished()) else { return };
        // A thread that panicked has no result.
        match moving.join().unwrap_or(Ok(0)) {
            Ok(bytes) => self.written = self.written.saturating_add(bytes),
            Err(error) => {
                self.log_lines.push(format!(
                    "a batch for the fleet's server stays in RAM: cannot write to {}: {error}",
                    self.spool.flash.display()
                ));
                self.move_in = Some(RETRY);
            }
        }
    }

    /// Does nothing while a move is in progress.
    fn begin_move(&mut self) {
        self.take_result();
        if self.moving.is_some() {
            return;
        }
        let (thread, spool) = (thread::Builder::new().name("fwstat-spool".into()), self.spool.clone());
        match thread.stack_size(STACK).spawn(move || spool.move_to_flash()) {
            Ok(moving) => (self.moving, self.move_in) = (Some(moving), None),
            Err(error) => self
                .log_lines
                .push(format!("a batch for the fleet's server stays in RAM: cannot start a thread: {error}")),
        }
    }

    /// Waits for flash, but not for long: what stays in tmpfs is moved by the next run.
    pub(super) fn stop(&mut self) {
        if !self.options.enabled {
            return;
        }
        self.begin_move();
        let until = Instant::now() + AT_END;
        while self.moving.as_ref().is_some_and(|moving| !moving.is_finished()) && Instant::now() < until {
            thread::sleep(POLL);
        }
    }

    fn make(&mut self, over: &DayOver<'_>, lookup: Option<&mut (dyn CountryLookup + '_)>) -> io::Result<()> {
        let date = over.day.date;
        let mut calendar: Calendar = over.calendar.clone();
        let end = calendar.instant(Date(date.0 + 1), 0);
        let earlier = self.spool.newest(date);
        if over.extent == Extent::More && earlier.is_none() {
            let sum: u64 = Class::ALL.iter().map(|class| over.day.tables(*class).count()).sum();
            self.log_lines.push(format!(
                "{sum} events of {date} came late: the batch for the fleet's server does not have them"
            ));
            return Ok(());
        }
        // A day that ended long ago is from an import: no batch is made of it.
        let wall = clock::wall().as_secs().cast_signed();
        let is_old = wall >= BUILT && calendar.hour_of(wall).date.0 - date.0 > self.keep_days();
        if over.extent == Extent::Found && earlier.is_none() && is_old {
            return Ok(());
        }
        let fills_gap =
            over.extent != Extent::All && earlier.as_ref().is_none_or(|earlier| earlier.sent < end);
        let lowest = if fills_gap { end - GAP } else { over.wall.max(end) };
        // A clock that went back must not make a correction look older than what it corrects.
        let sent = lowest.max(earlier.as_ref().map_or(0, |earlier| earlier.sent + 1));
        let offset = calendar.offset(end - 1) / 60;
        let more = earlier.filter(|_| over.extent != Extent::All);
        self.spool.write(date, sent, |out| {
            let lookup = lookup.map(|lookup| lookup as _);
            let mut writer = Writer { date, sent, offset, sources: self.sources, out, lookup };
            match &more {
                Some(earlier) => merge(Spool::read(earlier)?, over.day, &mut writer),
                None => writer.write_day(over.day),
            }
        })?;
        self.move_in = Some(if more.is_some() { CORRECTIONS } else { 0 });
        if more.is_none() {
            self.begin_move();
        }
        self.prune(calendar.hour_of(sent).date);
        Ok(())
    }

    /// The answer's section `fleet`.
    pub(super) fn status(&self, calendar: &Calendar) -> FleetStatus {
        if !self.options.enabled {
            return FleetStatus::default();
        }
        let usage = self.spool.usage();
        let sender = self.spool.sender();
        let field = |key: &str| sender.as_ref().and_then(|sender| sender[key].as_u64());
        let last_sent = field("last_sent").and_then(|at| i64::try_from(at).ok()).filter(|at| *at > 0);
        let state = sender.as_ref().and_then(|sender| sender["state"].as_str());
        FleetStatus {
            enabled: true,
            sources: Some(match self.sources {
                Sources::Address => "address".into(),
                Sources::Hash(..) => "hash".into(),
                Sources::Registers => "none".into(),
            }),
            last_sent: last_sent.map(|at| calendar.rfc3339(at)),
            waiting: Some(usage.waiting),
            refused: Some(usage.refused),
            dropped: Some(self.dropped),
            bytes: Some(usage.bytes),
            state: state.filter(|state| ["idle", "waiting", "stopped"].contains(state)).map(String::from),
            answer: field("answer").filter(|answer| (100..600).contains(answer)),
            shared: None,
        }
    }

    /// Conditions that need attention, a sentence each.
    pub(super) fn warnings(&self, calendar: &Calendar) -> Vec<String> {
        let status = self.status(calendar);
        let mut warnings = Vec::new();
        if status.state.as_deref() == Some("stopped") {
            let answer = status.answer.map_or(String::new(), |answer| format!(" (HTTP {answer})"));
            warnings.push(format!(
                "no batch is sent to the fleet's server{answer}: logread -e fwstat-fleet says why; \
                 /etc/init.d/fwstat reload tries again"
            ));
        }
        if let Some(refused) = status.refused.filter(|refused| *refused > 0) {
            warnings.push(format!("the fleet's server refused {refused} batches: they are kept as .bad"));
        }
        warnings
    }
}

impl ClosedDays for Fleet {
    fn day_over(&mut self, over: &DayOver<'_>, lookup: Option<&mut dyn CountryLookup>) {
        if !self.options.enabled || Class::ALL.iter().all(|class| over.day.tables(*class).count() == 0) {
            return;
        }
        if let Err(error) = self.make(over, lookup.map(|lookup| lookup as _)) {
            self.dropped = self.dropped.saturating_add(1);
            self.log_lines
                .push(format!("the batch of {} for the fleet's server is not made: {error}", over.day.date));
        }
    }
}

#[cfg(test)]
mod tests;
