//! Batches of events -> summaries of days, one open day at a time.
//!
//! Sorted input has each day once, so that a day can be closed when the next one begins. Unsorted input is possible:
//! then days are stored with all their rows and loaded again, with the same result.

use std::fmt;

use crate::event::Event;
use crate::event::calendar::{Calendar, Date};
use crate::event::paths::Rules;

use super::countries::{SharedLookup, with_lookup};
use super::day::{Day, Samples};
use super::deferred::Deferred;
use super::summary::DaySummary;

/// The storage of days that are not open.
pub trait DayStorage {
    type Error;

    fn put_closed(&mut self, day: DaySummary) -> Result<(), Self::Error>;
    fn put_whole(&mut self, day: &Day) -> Result<(), Self::Error>;
    fn get(&mut self, date: Date) -> Result<Option<(DaySummary, Samples)>, Self::Error>;
    fn contains(&self, date: Date) -> bool;
    /// Oldest first.
    fn dates(&self) -> Vec<Date>;
}

/// The expected order of events.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// By day; an event of an earlier day is an error.
    Sorted,
    Any,
}

/// Why collecting failed.
#[derive(Debug)]
pub enum CollectError<E> {
    /// An event belongs to an earlier day: collect again with [`Order::Any`].
    OutOfOrder,
    /// The storage of days failed.
    Storage(E),
}

impl<E: fmt::Display> fmt::Display for CollectError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CollectError::OutOfOrder => f.write_str("the events are not in order of time"),
            CollectError::Storage(error) => error.fmt(f),
        }
    }
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

/// Counts events by day; when another day begins, the open one goes to the storage.
pub struct Collector<S: DayStorage> {
    settings: Settings,
    day: Option<Day>,
    first: Option<Date>,
    storage: S,
    /// Events dated in the future, with milliseconds since 1970.
    later: Deferred,
}

impl<S: DayStorage> Collector<S> {
    /// Begins without a day.
    pub fn new(settings: Settings, storage: S) -> Collector<S> {
        Collector { settings, day: None, first: None, storage, later: Deferred::default() }
    }

    /// Counts a batch of events, sorted by time.
    pub fn count(&mut self, events: &[Event]) -> Result<(), CollectError<S::Error>> {
        for event in events {
            if event.time > self.settings.latest {
                self.later.add(event.time.cast_unsigned().saturating_mul(1000), event);
                continue;
            }
            let hour = self.settings.calendar.hour_of(event.time);
            match &mut self.day {
                Some(day) if day.date == hour.date => day.add(event, hour.hour),
                _ => {
                    let day = self.turn_to(hour.date)?;
                    day.add(event, hour.hour);
                }
            }
        }
        Ok(())
    }

    #[cold]
    fn turn_to(&mut self, date: Date) -> Result<&mut Day, CollectError<S::Error>> {
        self.first.get_or_insert(date);
        self.leave()?;
        if self.settings.order == Order::Sorted && self.storage.contains(date) {
            return Err(CollectError::OutOfOrder);
        }
        let day = match self.day.take() {
            Some(mut day) => {
                day.restart(date);
                day
            }
            None => Day::new(date, self.settings.salt).with_rules(&self.settings.rules),
        };
        let day = self.day.insert(day);
        if let Some((summary, samples)) = self.storage.get(date).map_err(CollectError::Storage)? {
            day.add_summary(&summary, &samples);
        }
        Ok(day)
    }

    fn leave(&mut self) -> Result<(), CollectError<S::Error>> {
        let Some(day) = &mut self.day else { return Ok(()) };
        let is_final = self.settings.order == Order::Sorted
            && self.first != Some(day.date)
            && !self.settings.whole.contains(&day.date);
        let put = if is_final {
            self.storage.put_closed(close(day, self.settings.lookup.as_ref()))
        } else {
            self.storage.put_whole(day)
        };
        put.map_err(CollectError::Storage)
    }

    /// Ends the last day. Returns the storage and the events dated in the future. The first and the last day have all
    /// their rows.
    pub fn finish(mut self) -> Result<(S, Deferred), CollectError<S::Error>> {
        if let Some(day) = self.day.take() {
            self.storage.put_whole(&day).map_err(CollectError::Storage)?;
        }
        Ok((self.storage, self.later))
    }
}

/// A day as it is stored, with the countries of its sources.
pub fn close(day: &mut Day, lookup: Option<&SharedLookup>) -> DaySummary {
    with_lookup(lookup, |lookup| day.measure_countries(lookup));
    day.to_closed()
}
