//! The live counting: events -> the open day, what of it is not on flash yet, the newest lines, the inputs'
//! health.
//!
//! Told the time and the events, gives days to keep and sentences to log. Opens nothing, reads no clock.

pub mod clock;
pub mod evidence;
mod guarded;
pub mod open_day;
mod waiting;

use crate::calendar::{Calendar, Date, Hour};
use crate::event::{Class, Event, Origin};
use crate::guard::ledger::{LINES, LONGEST_LINE};
use crate::guard::{Guard, Suspect};
use crate::input::duplicates::{Duplicates, Sighting};
use crate::paths::{Path, Paths};
use crate::stats::countries::{SharedAtlas, with_atlas};
use crate::stats::day::{Day, KeptDay};
use crate::stats::kept::Kept;
use crate::stats::tables::{Bounds, Focus};
use crate::store::today::{self, Portion, Saved, State};

pub use clock::Now;
use clock::{WallClock, instant, moment};
use evidence::Evidence;
use waiting::Waiting;

/// What came since the last commit: an hour of a busy home fits in.
const SINCE_ATTEMPTS: Bounds =
    Bounds { services: 1024, sources: 2048, pairs: 4096, sketches: 0, wide_hours: 64, places: 2 };
const SINCE_OTHERS: Bounds =
    Bounds { services: 128, sources: 256, pairs: 256, sketches: 0, wide_hours: 8, places: 2 };

/// Days that are over and that flash did not take yet.
const MOST_CLOSED: usize = 8;

/// Rows of a whole piece on flash.
const PIECE: (usize, usize, usize) = (1024, 2048, 4096);
/// Of a day that is beyond its bounds, an attack: flash gets less of it.
const PIECE_OF_MANY: (usize, usize, usize) = (512, 512, 512);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Input {
    Nflog = 0,
    Logd = 1,
}

/// What became of an input's packets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Health {
    pub attempts: u64,
    /// Events of the other classes.
    pub others: u64,
    pub malformed: u64,
    pub ignored: u64,
    pub duplicates: u64,
    /// Of the duplicates: taken for copies of packets that were forgotten already.
    pub assumed: u64,
    /// When the last event came.
    pub last_ms: Option<u64>,
    /// As the input told last.
    lost: u64,
}

/// What the loop has to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// A day is over: commit now.
    Commit,
    Say(String),
    /// A source reached a limit of the guard, with its newest log lines: others may push them out before it is judged.
    Suspect(Suspect, Vec<String>),
}

/// One thing that an input brought.
pub enum Brought<'a> {
    /// With the wall time (ms) that the input itself tells, and the raw line. Its `time` is set to what the clock
    /// says in the end.
    Event(&'a mut Event, Option<i64>, Option<&'a [u8]>),
    Malformed,
    /// No refused packet.
    Ignored,
}

pub struct Engine {
    pub paths: Paths,
    pub evidence: Evidence,
    pub guard: Guard,
    /// Tells the countries of sources; without it they are not measured.
    pub atlas: Option<SharedAtlas>,
    calendar: Calendar,
    clock: WallClock,
    duplicates: Duplicates,
    open: Option<Day>,
    since: Day,
    /// Flash and `since` together are the open day.
    since_known: bool,
    /// Events of a day before the open one.
    late: Option<Day>,
    closed: Vec<KeptDay>,
    waiting: Waiting,
    health: [Health; 2],
    lost_today: u64,
    /// Why today is not complete beside what was lost, a sentence each: what the firewall refuses unseen.
    pub not_seen: Vec<String>,
    /// Something came since the last copy.
    changed: bool,
    /// NFLOG packets by path.
    received: Vec<u64>,
    actions: Vec<Action>,
}

impl Engine {
    /// `newest`: the newest day of the store.
    pub fn new(calendar: Calendar, newest: Option<Date>, evidence: usize) -> Engine {
        let mut labels = calendar.clone();
        Engine {
            paths: Paths::new(),
            evidence: Evidence::new(evidence),
            guard: Guard::default(),
            atlas: None,
            calendar,
            clock: WallClock::new(newest.map(|date| labels.instant(date, 0))),
            duplicates: Duplicates::new(),
            open: None,
            since: Day::with_bounds(Date(0), SINCE_ATTEMPTS, SINCE_OTHERS),
            since_known: true,
            late: None,
            closed: Vec::new(),
            waiting: Waiting::default(),
            health: [Health::default(); 2],
            lost_today: 0,
            not_seen: Vec::new(),
            changed: false,
            received: Vec::new(),
            actions: Vec::new(),
        }
    }

    /// Goes on where an earlier run stopped.
    pub fn restore(&mut self, saved: &Saved) {
        saved.closed.iter().for_each(|day| self.close(day.clone()));
        self.waiting.restore(&saved.aside);
        self.changed |= !saved.aside.is_empty();
        let Some(date) = saved.state.date else { return };
        let begun = self.open.as_ref().is_some_and(|open| !open.is_empty());
        let known = saved.state.on_flash && saved.closed.is_empty() && !begun;
        match &mut self.open {
            Some(open) if open.date == date => saved.open.iter().for_each(|part| open.add_kept(part)),
            Some(_) => {
                let mut day = Day::new(date);
                saved.open.iter().for_each(|part| day.add_kept(part));
                let over = summary(&mut day, self.atlas.as_ref());
                return self.close(over);
            }
            None => {
                let mut day = Day::new(date);
                saved.open.iter().for_each(|part| day.add_kept(part));
                self.open = Some(day);
                self.since.restart(date);
            }
        }
        self.since_known = known;
        self.lost_today = self.lost_today.saturating_add(saved.state.lost);
        self.changed = true;
    }

    /// Looks at the clocks; to be called before events are given and before anything is asked.
    pub fn tick(&mut self, now: Now) {
        if !self.clock.look(now) {
            return;
        }
        let date = self.calendar.hour_of(now.wall).date;
        if self.open.as_ref().is_none_or(|day| day.date != date) {
            self.turn_to(date);
        }
        if !self.waiting.is_empty() {
            self.label_waiting(now);
        }
        if self.since_known && !self.since.is_whole() {
            // Too much for it: the next commit is whole, and until then its memory is better used.
            self.since_known = false;
            self.since = Day::with_bounds(self.since.date, SINCE_ATTEMPTS, SINCE_OTHERS);
        }
    }

    /// What is to be done now.
    pub fn actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    /// The wall clock has just been set right.
    pub fn clock_told(&mut self) {
        self.clock.told();
    }

    pub fn clock_is_set(&self) -> bool {
        self.clock.is_set()
    }

    pub fn calendar(&self) -> &Calendar {
        &self.calendar
    }

    /// Labels are of another zone from now on.
    pub fn set_calendar(&mut self, calendar: Calendar) {
        self.calendar = calendar;
    }

    pub fn health(&self, input: Input) -> Health {
        self.health[input as usize]
    }

    /// The day of today's events.
    pub fn date(&self) -> Option<Date> {
        self.open.as_ref().map(|day| day.date)
    }

    pub fn lost_today(&self) -> u64 {
        self.lost_today
    }

    /// All that `input` lost since its start.
    pub fn note_lost(&mut self, input: Input, lost: u64) {
        let known = &mut self.health[input as usize].lost;
        let more = lost.saturating_sub(*known);
        if more > 0 {
            *known = lost;
            self.lost_today = self.lost_today.saturating_add(more);
            self.changed = true;
        }
    }

    /// NFLOG packets of these paths, whatever became of them.
    pub fn received(&self, is_of: impl Fn(&Path) -> bool) -> u64 {
        let counts = self.paths.iter().zip(&self.received);
        counts.filter(|(path, _)| is_of(path)).fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    pub fn take(&mut self, now: Now, input: Input, brought: Brought<'_>) {
        let health = &mut self.health[input as usize];
        let (event, wall_ms, line) = match brought {
            Brought::Event(event, wall_ms, line) => (event, wall_ms, line),
            Brought::Malformed => return health.malformed = health.malformed.saturating_add(1),
            Brought::Ignored => return health.ignored = health.ignored.saturating_add(1),
        };
        health.last_ms = Some(now.boot_ms);
        let count = u64::from(event.count);
        let plausible = wall_ms.filter(|ms| *ms >= clock::BUILT * 1000 && self.clock.is_set());
        let boot_ms = match plausible {
            Some(wall_ms) => moment(now, wall_ms),
            None if input == Input::Logd && event.uptime > 0 => (event.uptime / 1000).min(now.boot_ms),
            None => now.boot_ms,
        };
        if input == Input::Nflog {
            self.count_received(event);
        }
        // Sightings of one packet are told by the clock that does not step.
        let uptime = (boot_ms / 1000).cast_signed();
        let path = event.path;
        event.path = self.paths.of_sightings(path);
        let sighting = self.duplicates.sight(event, uptime, input == Input::Nflog);
        event.path = path;
        // A flood pushes packets out before logd's word of them comes; what NFLOG tells of an interface, logd only
        // repeats.
        let assumed = sighting == Sighting::Unknown && self.is_told_by_nflog(event);
        if assumed || sighting == Sighting::Copy {
            let health = &mut self.health[input as usize];
            health.assumed = health.assumed.saturating_add(if assumed { count } else { 0 });
            health.duplicates = health.duplicates.saturating_add(count);
            return;
        }
        let health = &mut self.health[input as usize];
        let sum = if event.class == Class::Attempt { &mut health.attempts } else { &mut health.others };
        *sum = sum.saturating_add(count);
        if self.clock.is_set() {
            event.time = match plausible {
                Some(wall_ms) => (wall_ms / 1000).min(now.wall),
                None => instant(now, boot_ms),
            };
        }
        self.evidence.add(boot_ms, self.clock.is_set().then_some(event.time), event, line);
        if let Some(suspect) = self.guard.see(now.boot_ms, boot_ms, event) {
            let open = self.guard.is_open(&suspect);
            let lines = if open { self.lines_of(suspect.source, LINES, LONGEST_LINE) } else { Vec::new() };
            self.actions.push(Action::Suspect(suspect, lines));
        }
        self.changed = true;
        if !self.clock.is_set() {
            return self.waiting.add(boot_ms, event);
        }
        self.count(event);
    }

    #[inline]
    fn count_received(&mut self, event: &Event) {
        let place = usize::from(event.path.0);
        if place >= self.received.len() {
            // As many as there can be paths.
            self.received.resize(place + 1, 0);
        }
        let count = &mut self.received[place];
        *count = count.saturating_add(event.count.into());
    }

    fn is_told_by_nflog(&self, event: &Event) -> bool {
        if event.class == Class::Login {
            return false;
        }
        let Some(way) = self.paths.get(event.path) else { return false };
        self.paths.iter().any(|path| {
            path.origin == Origin::Nflog && path.input == way.input && path.direction == way.direction
        })
    }

    #[inline]
    fn count(&mut self, event: &Event) {
        let hour = self.calendar.hour_of(event.time);
        match &mut self.open {
            Some(day) if day.date == hour.date => {
                day.add(event, hour.hour);
                if self.since_known {
                    self.since.add(event, hour.hour);
                }
            }
            _ => self.count_elsewhere(event, hour),
        }
    }

    /// An event of the day before, told late, or the first one of a new day.
    #[cold]
    fn count_elsewhere(&mut self, event: &Event, hour: Hour) {
        if self.open.as_ref().is_none_or(|day| hour.date > day.date) {
            self.turn_to(hour.date);
            if let Some(day) = &mut self.open {
                day.add(event, hour.hour);
                self.since.add(event, hour.hour);
            }
            return;
        }
        if self.late.as_ref().is_some_and(|day| day.date != hour.date) {
            self.settle_late();
        }
        let new = || Day::with_bounds(hour.date, SINCE_ATTEMPTS, SINCE_OTHERS);
        self.late.get_or_insert_with(new).add(event, hour.hour);
    }

    /// Another day begins, later or, if the clock stepped back, earlier.
    fn turn_to(&mut self, date: Date) {
        match &mut self.open {
            Some(day) => {
                let over = (!day.is_empty()).then(|| summary(day, self.atlas.as_ref()));
                day.restart(date);
                if let Some(over) = over {
                    self.close(over);
                }
                self.actions.push(Action::Commit);
            }
            None => self.open = Some(Day::new(date)),
        }
        self.since.restart(date);
        self.since_known = self.closed.is_empty() && self.since_known;
        self.lost_today = 0;
        self.changed = true;
    }

    /// Keeps a day that is over until the store has it.
    fn close(&mut self, mut day: KeptDay) {
        self.since_known = false;
        if let Some(known) = self.closed.iter().position(|known| known.date == day.date) {
            let mut sum = Day::new(day.date);
            let known = self.closed.swap_remove(known);
            sum.add_kept(&known);
            sum.add_kept(&day);
            sum.set_countries_of(&[&known, &day]);
            day = sum.to_kept_cut();
        }
        if self.closed.len() == MOST_CLOSED {
            self.closed.sort_by_key(|day| day.date);
            let lost = self.closed.remove(0);
            let sentence = format!("{} is lost: the store could not be written for days", lost.date);
            self.actions.push(Action::Say(sentence));
        }
        self.closed.push(day);
        self.closed.sort_by_key(|day| day.date);
    }

    fn settle_late(&mut self) {
        if let Some(mut late) = self.late.take() {
            let over = summary(&mut late, self.atlas.as_ref());
            self.close(over);
        }
    }

    fn label_waiting(&mut self, now: Now) {
        self.evidence.label(|boot_ms| instant(now, boot_ms));
        let (rows, rest) = self.waiting.take();
        for (boot_ms, event) in rows {
            self.count(&Event { time: instant(now, boot_ms), ..event });
        }
        for (boot_ms, counts) in rest {
            let hour = self.calendar.hour_of(instant(now, boot_ms));
            let classes: [Kept; Class::COUNT] = counts.map(|count| waiting::unknown(count, hour.hour));
            let part = KeptDay { date: hour.date, classes };
            match &mut self.open {
                Some(day) if day.date == hour.date => {
                    day.add_kept(&part);
                    self.since.add_kept(&part);
                }
                _ => self.close(part),
            }
        }
    }

    /// The days that are over and not in the store yet.
    pub fn closed(&self) -> &[KeptDay] {
        &self.closed
    }

    /// What flash does not have yet of the open day. `whole`: all of it in any case.
    pub fn portion(&mut self, whole: bool) -> Portion {
        self.settle_late();
        let Some(day) = &self.open else { return Portion::Nothing };
        if whole || !self.since_known || !self.closed.is_empty() || !self.since.is_whole() {
            let (services, sources, pairs) = if day.is_whole() { PIECE } else { PIECE_OF_MANY };
            return Portion::Whole(without_sketches(day.focused(&Focus::heaviest(services, sources, pairs))));
        }
        if self.since.is_empty() {
            return Portion::Nothing;
        }
        Portion::Since(without_sketches(self.since.to_kept()))
    }

    /// The store has `closed` and the portion.
    pub fn committed(&mut self) {
        self.closed.clear();
        if let Some(day) = &self.open {
            self.since.restart(day.date);
        }
        self.since_known = true;
        // The copy has to be newer than what flash has now.
        self.changed = true;
    }

    /// A copy of everything that flash may not have, with a state made for it, if anything came since the
    /// last one.
    pub fn copy(&mut self, state: impl FnOnce(&Engine) -> State) -> Option<Vec<u8>> {
        self.settle_late();
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        Some(today::copy(&self.closed, self.open.as_ref(), &self.waiting.aside(), &state(self)))
    }

    /// What was committed was to another store.
    pub fn forget_commits(&mut self) {
        self.since_known = false;
        self.changed = true;
    }

    /// The copy could not be written.
    pub fn copy_failed(&mut self) {
        self.changed = true;
    }

    /// Events wait for the wall clock: they are in the copy in RAM, but not on flash.
    pub fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    fn live_days(&mut self) -> impl Iterator<Item = &mut Day> {
        self.late.iter_mut().chain(&mut self.open)
    }

    fn open_day(&self) -> Option<&Day> {
        self.open.as_ref()
    }

    fn late_day(&self) -> Option<&Day> {
        self.late.as_ref()
    }
}

/// A day that is over, with the countries of its sources.
fn summary(day: &mut Day, atlas: Option<&SharedAtlas>) -> KeptDay {
    with_atlas(atlas, |atlas| day.measure_countries(atlas));
    day.to_kept_cut()
}

/// The sketch of a table of sources that is whole can be made again of its rows.
fn without_sketches(mut day: KeptDay) -> KeptDay {
    for kept in day.classes.iter_mut().filter(|kept| kept.source_floor == 0) {
        kept.sketch = None;
    }
    day
}

#[cfg(test)]
mod tests;
