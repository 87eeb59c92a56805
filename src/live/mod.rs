//! Live counting: events -> the open day, what of it is not on flash yet, the newest log lines, the inputs' health.
//!
//! Takes the time and events, gives days to store and sentences to log. Opens nothing, reads no clock.

pub mod clock;
mod commit;
pub mod evidence;
mod forget;
mod guarded;
pub mod open_day;
mod take;
pub mod totals;
pub mod waiting;
mod watch;

use std::cell::RefCell;
use std::rc::Rc;

use crate::event::Event;
use crate::event::calendar::{Calendar, Date, Hour};
use crate::event::paths::{Path, Paths};
use crate::guard::{Detail, Guard, Suspect};
use crate::input::duplicates::Duplicates;
use crate::input::packets::Packets;
use crate::query::asns::SharedNetworks;
use crate::query::open::joined;
use crate::stats::countries::{CountryLookup, SharedLookup, with_lookup};
use crate::stats::day::{Day, close};
use crate::stats::deferred::Deferred;
use crate::stats::summary::DaySummary;
use crate::stats::tables::Bounds;
use crate::store::pieces::Saved;
use crate::store::sections::StoredDay;

pub use clock::Now;
use clock::WallClock;
pub use commit::{Commit, Part};
use evidence::Evidence;
use totals::Totals;
use watch::Watches;

/// Bounds of what was counted since the last commit: enough for an hour of a busy home.
const SINCE_ATTEMPTS: Bounds =
    Bounds { services: 1024, sources: 2048, pairs: 4096, targets: 16, sample: 512, wide_hours: 64 };
const SINCE_OTHERS: Bounds =
    Bounds { services: 128, sources: 256, pairs: 256, targets: 1, sample: 64, wide_hours: 8 };

/// Closed days that are not on flash yet.
const MAX_CLOSED_DAYS: usize = 8;

/// The inputs of the daemon.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Input {
    Nflog = 0,
    Logd = 1,
}

/// What became of an input's packets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Health {
    pub attempts: u64,
    pub malformed: u64,
    pub ignored: u64,
    pub duplicates: u64,
    /// Of the duplicates: assumed copies of packets that were no longer remembered.
    pub assumed: u64,
    /// When the last event came.
    pub last_ms: Option<u64>,
    /// Losses as the input reported them last.
    lost: u64,
}

/// One item of an input.
pub enum InputItem<'a> {
    /// With the wall time (ms) that the input gives, and the raw line. Its `time` is replaced by the trusted time.
    Event(&'a mut Event, Option<i64>, Option<&'a [u8]>),
    Malformed,
    /// Not a refused packet.
    Ignored,
}

/// How much of a day is given to [`ClosedDays`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Extent {
    /// Everything that is known of it.
    #[default]
    All,
    /// An addition to a day that was closed already.
    More,
    /// Found at the start: an addition if the day was closed already, else everything.
    Found,
}

/// The tables of a closed day before their rows are cut.
pub struct DayOver<'a> {
    pub day: &'a Day,
    pub extent: Extent,
    pub calendar: &'a Calendar,
    /// The trusted time (seconds since 1970), 0 if there is none.
    pub wall: i64,
}

/// A receiver of these.
pub trait ClosedDays {
    fn day_over(&mut self, over: &DayOver<'_>, lookup: Option<&mut dyn CountryLookup>);
}

/// The statistics of the open day, without clock, files or sockets: takes events and the time, gives answers, and what is
/// to be done.
#[derive(Default)]
pub struct Engine {
    pub paths: Paths,
    pub evidence: Evidence,
    watches: Watches,
    pub guard: Guard,
    pub totals: Totals,
    /// Looks up the countries of sources; without it they are not measured.
    pub lookup: Option<SharedLookup>,
    /// Looks up the networks of sources.
    pub networks: Option<SharedNetworks>,
    pub closed_days: Option<Rc<RefCell<dyn ClosedDays>>>,
    /// Of the store's samples.
    pub(crate) salt: u64,
    /// The zone of dates and labels.
    pub(crate) calendar: Calendar,
    /// The newest day that was open.
    newest: Option<Date>,
    /// How much of the open day its tables have.
    pub open_extent: Extent,
    /// Which wall time is trusted.
    pub clock: WallClock,
    duplicates: Duplicates,
    open: Option<Day>,
    /// What flash lacks of the open day; `None`: the next commit writes all of it.
    since: Option<Day>,
    /// Events of a day before the open one.
    late: Option<Day>,
    /// Closed days that are not stored.
    closed: Vec<DaySummary>,
    /// Of these, what is being stored.
    storing: Vec<DaySummary>,
    /// A commit has begun and not ended.
    committing: bool,
    /// Events from before the wall clock was set, with milliseconds since boot. They are in the copy in RAM, but not on flash.
    pub waiting: Deferred,
    health: [Health; 2],
    /// Packets that were lost, or of which only the number is known, before the wall clock was set.
    lost_undated: u64,
    /// Today's log lines that were assumed to be copies of packets that were no longer remembered.
    assumed_today: u64,
    /// Why today is incomplete, besides losses, a sentence each: what the firewall refuses unseen.
    pub not_seen: Vec<String>,
    /// Whether anything has changed since the last copy, or it could not be written.
    pub(crate) changed: bool,
    /// NFLOG packets by path.
    received: Packets,
    /// A day has ended: commit now.
    pub wants_commit: bool,
    /// Sources that reached a limit of the guard, each with its newest log lines, which may be evicted before the decision.
    pub suspects: Vec<(Suspect, Detail)>,
}

impl Engine {
    /// `salt`: of the store's samples.
    pub fn new(calendar: Calendar, salt: u64, evidence: usize) -> Engine {
        let mut engine = Engine::default();
        engine.evidence.set_most(evidence);
        (engine.calendar, engine.salt) = (calendar, salt);
        engine.begin_since();
        engine
    }

    /// Takes the state of an earlier run; call [`WallClock::update`] first. `on_flash`: flash has all of the day
    /// `state.date`.
    pub fn restore(&mut self, saved: Saved, on_flash: bool) {
        self.waiting.add_all(&saved.deferred);
        let is_closed = |day: &StoredDay| day.summary.classes.iter().any(|class| class.sample.is_some());
        let (closed, mut parts): (Vec<StoredDay>, Vec<StoredDay>) =
            saved.days.into_iter().partition(is_closed);
        closed.into_iter().for_each(|day| self.close(day.summary));
        let open = saved.state.date.map(|date| self.day_to_open(date, &parts));
        if self.open.is_none()
            && let Some(date) = open
        {
            self.open = Some(self.new_day(date));
            self.begin_since();
            self.since.take_if(|_| !on_flash || saved.state.date != open);
        }
        parts.sort_by_key(|part| part.summary.date);
        for parts in parts.chunk_by(|one, next| one.summary.date == next.summary.date) {
            let date = parts[0].summary.date;
            let add =
                |day: &mut Day| parts.iter().for_each(|part| day.add_summary(&part.summary, &part.samples));
            match &mut self.open {
                Some(open) if open.date == date => {
                    self.since.take_if(|_| !on_flash || !open.is_empty());
                    add(open);
                }
                _ => {
                    let mut day = Day::new(date, self.salt);
                    add(&mut day);
                    // Of a day that was closed before, these are an import's additions.
                    let over = self.close_tables(&mut day, Extent::Found);
                    self.close(over);
                }
            }
        }
        self.newest = self.newest.max(open);
        if !on_flash || !self.closed.is_empty() {
            // An import before the commit would read pieces that the copy in RAM contains, too.
            self.wants_commit = true;
        }
        self.changed = true;
    }

    /// The day of an earlier run that is continued: today, if the clock is trusted, else the newest. An import can have
    /// added days after the one that was open.
    fn day_to_open(&mut self, last: Date, parts: &[StoredDay]) -> Date {
        let today = self.clock.latest().map(|wall| self.calendar.hour_of(wall).date);
        let dates = parts.iter().map(|part| part.summary.date);
        dates.filter(|date| today.is_none_or(|today| *date <= today)).fold(last, Date::max)
    }

    /// To be called with the result of [`WallClock::update`], before events and questions.
    pub fn tick(&mut self, now: Now) {
        if !self.clock.is_set() {
            return;
        }
        let date = self.calendar.hour_of(now.wall).date;
        if self.open.as_ref().is_none_or(|day| day.date != date) {
            self.turn_to(date);
        }
        if !self.waiting.is_empty() {
            self.label_waiting();
        }
        let undated = std::mem::take(&mut self.lost_undated);
        self.note_unseen(undated);
        // Where it overflowed, the next commit writes the whole day, and until then its memory is not needed.
        self.since.take_if(|since| !since.is_whole());
    }

    /// What became of an input's packets since the start.
    pub fn health(&self, input: Input) -> Health {
        self.health[input as usize]
    }

    /// The day of today's events.
    pub fn date(&self) -> Option<Date> {
        self.open.as_ref().map(|day| day.date)
    }

    /// Packets of the open day that were not counted, as far as known.
    pub fn lost_today(&self) -> u64 {
        self.open.as_ref().map_or(0, |day| day.lost)
    }

    /// The losses of `input` since its start. A lower number than before means that it was opened again.
    pub fn note_lost(&mut self, input: Input, lost: u64) {
        let known = std::mem::replace(&mut self.health[input as usize].lost, lost);
        self.note_unseen(lost.checked_sub(known).unwrap_or(lost));
    }

    /// Adds packets that the firewall refused and of which only the number is known.
    pub fn note_unseen(&mut self, more: u64) {
        if more == 0 {
            return;
        }
        match &mut self.open {
            Some(open) if self.clock.is_set() => {
                for day in std::iter::once(open).chain(&mut self.since) {
                    day.lost = day.lost.saturating_add(more);
                }
                self.changed = true;
            }
            _ => self.lost_undated = self.lost_undated.saturating_add(more),
        }
    }

    /// The number of NFLOG packets of these paths, counted as events or not.
    pub fn received(&self, is_of: impl Fn(&Path) -> bool) -> u64 {
        let counts = self.received.by_path(&self.paths).filter(|(path, _)| is_of(path));
        counts.fold(0, |sum, (_, count)| sum.saturating_add(count))
    }

    #[inline]
    fn count(&mut self, event: &Event) {
        let hour = self.calendar.hour_of(event.time);
        match &mut self.open {
            Some(day) if day.date == hour.date => {
                day.add(event, hour.hour);
                if let Some(since) = &mut self.since {
                    since.add(event, hour.hour);
                }
            }
            _ => self.count_elsewhere(event, hour),
        }
    }

    /// Counts a late event of the day before, or the first one of a new day.
    #[cold]
    fn count_elsewhere(&mut self, event: &Event, hour: Hour) {
        if self.open.as_ref().is_none_or(|day| hour.date > day.date) {
            self.turn_to(hour.date);
            return self.count(event);
        }
        if self.late.as_ref().is_some_and(|day| day.date != hour.date) {
            self.close_late();
        }
        let new = || since(hour.date, self.salt, &self.paths);
        self.late.get_or_insert_with(new).add(event, hour.hour);
    }

    fn new_day(&self, date: Date) -> Day {
        Day::new(date, self.salt).with_rules(&self.paths.rules())
    }

    /// Flash has all of the open day now, or there is nothing of it yet. Not inlined: a day would take some 12 KB of the stack
    /// of each caller.
    #[inline(never)]
    fn begin_since(&mut self) {
        self.since = Some(since(self.date().unwrap_or_default(), self.salt, &self.paths));
    }

    /// Begins another day, later or, if the clock stepped back, earlier.
    fn turn_to(&mut self, date: Date) {
        if let Some(mut day) = self.open.take() {
            if !day.is_empty() {
                let over = self.close_tables(&mut day, self.open_extent);
                self.close(over);
            }
            self.wants_commit = true;
        }
        self.open = Some(self.new_day(date));
        let is_new = self.newest.is_none_or(|newest| date > newest);
        self.open_extent = if is_new { Extent::All } else { Extent::More };
        self.newest = self.newest.max(Some(date));
        self.begin_since();
        self.assumed_today = 0;
        self.changed = true;
    }

    /// Holds a closed day until the store has it.
    fn close(&mut self, day: DaySummary) {
        self.closed = joined(self.closed.drain(..).chain([day]));
    }

    /// The store could not be written: drops the oldest of more than [`MAX_CLOSED_DAYS`] closed days. Gives a sentence for
    /// each.
    pub fn bound_closed(&mut self) -> impl Iterator<Item = String> {
        let lost = self.closed.drain(..self.closed.len().saturating_sub(MAX_CLOSED_DAYS));
        lost.map(|day| format!("{} is lost: the store could not be written for days", day.date))
    }

    /// Whether another closed day can be held.
    pub fn has_room_for_closed(&self) -> bool {
        self.closed().count() < MAX_CLOSED_DAYS
    }

    fn close_late(&mut self) {
        if let Some(mut late) = self.late.take() {
            let over = self.close_tables(&mut late, Extent::More);
            self.close(over);
        }
    }

    /// A day as it is stored; its whole tables are first given to [`ClosedDays`].
    fn close_tables(&mut self, day: &mut Day, extent: Extent) -> DaySummary {
        if let Some(closed_days) = self.closed_days.clone() {
            let wall = self.clock.latest().unwrap_or(0);
            let over = DayOver { day, extent, calendar: &self.calendar, wall };
            with_lookup(self.lookup.as_ref(), |lookup| closed_days.borrow_mut().day_over(&over, lookup));
        }
        close(day, self.lookup.as_ref())
    }

    /// The closed days that are not in the store yet.
    pub fn closed(&self) -> impl Iterator<Item = &DaySummary> {
        self.storing.iter().chain(&self.closed)
    }
}

/// A day with the bounds of `since`.
fn since(date: Date, salt: u64, paths: &Paths) -> Day {
    Day::with_bounds(date, salt, SINCE_ATTEMPTS, SINCE_OTHERS).with_rules(&paths.rules())
}

#[cfg(test)]
mod tests;
