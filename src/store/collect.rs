//! Batches of events -> summaries of days, one open day at a time.
//!
//! Sorted input has each day once, so that a day can be closed when the next one begins. Unsorted input is possible:
//! then days are stored with all their rows and loaded again, with the same result.

use std::io;

use crate::event::Event;
use crate::event::calendar::{Calendar, Date};
use crate::event::paths::Rules;
use crate::stats::countries::SharedLookup;
use crate::stats::day::{Day, close};
use crate::stats::deferred::Deferred;

use super::spool::Spool;

/// The expected order of events.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// By day; an event of an earlier day is an error, and sets [`Collector::is_out_of_order`].
    Sorted,
    Any,
}

/// How to collect.
pub struct Settings {
    pub calendar: Calendar,
    /// Looks up the countries of a closed day's sources.
    pub lookup: Option<SharedLookup>,
    pub order: Order,
    /// Of the store's samples.
    pub salt: u64,
    /// The rules of the events' paths.
    pub rules: Rules,
    /// Events after this time (seconds since 1970) are deferred.
    pub latest: i64,
    /// Days that are stored with all their rows.
    pub whole: Vec<Date>,
}

/// Counts events by day; when another day begins, the open one goes to the spool.
pub struct Collector {
    settings: Settings,
    day: Option<Day>,
    first: Option<Date>,
    spool: Spool,
    /// Events dated in the future, with milliseconds since 1970.
    later: Deferred,
    /// An event belonged to an earlier day: collect again with [`Order::Any`].
    pub is_out_of_order: bool,
}

impl Collector {
    /// Begins without a day.
    pub fn new(settings: Settings, spool: Spool) -> Collector {
        let later = Deferred::default();
        Collector { settings, day: None, first: None, spool, later, is_out_of_order: false }
    }

    /// Counts a batch of events, sorted by time.
    pub fn count(&mut self, events: &[Event]) -> io::Result<()> {
        for event in events {
            if event.time > self.settings.latest {
                self.later.add(event.time.cast_unsigned().saturating_mul(1000), event);
                continue;
            }
            let hour = self.settings.calendar.hour_of(event.time);
            match &mut self.day {
                Some(day) if day.date == hour.date => day.add(event, hour.hour),
                _ => self.turn_to(hour.date)?.add(event, hour.hour),
            }
        }
        Ok(())
    }

    #[cold]
    fn turn_to(&mut self, date: Date) -> io::Result<&mut Day> {
        self.first.get_or_insert(date);
        self.leave()?;
        if self.settings.order == Order::Sorted && self.spool.contains(date) {
            self.is_out_of_order = true;
            return Err(io::Error::other("the events are not in order of time"));
        }
        let new = || Day::new(date, self.settings.salt).with_rules(&self.settings.rules);
        let day = self.day.get_or_insert_with(new);
        day.restart(date);
        if let Some(stored) = self.spool.read(date)? {
            day.add_summary(&stored.summary, &stored.samples);
        }
        Ok(day)
    }

    fn leave(&mut self) -> io::Result<()> {
        let Some(day) = &mut self.day else { return Ok(()) };
        let is_final = self.settings.order == Order::Sorted
            && self.first != Some(day.date)
            && !self.settings.whole.contains(&day.date);
        match is_final {
            true => self.spool.put_closed(close(day, self.settings.lookup.as_ref())),
            false => self.spool.put_whole(day),
        }
    }

    /// Ends the last day. Returns the spool and the events dated in the future. The first and the last day have all
    /// their rows.
    pub fn finish(mut self) -> io::Result<(Spool, Deferred)> {
        if let Some(day) = self.day.take() {
            self.spool.put_whole(&day)?;
        }
        Ok((self.spool, self.later))
    }
}
