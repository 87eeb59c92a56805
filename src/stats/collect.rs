//! Batches of events -> days, one open day at a time.
//!
//! Events come in any order: every day that was left is stored whole and taken up again when more of it comes.

use crate::event::Event;
use crate::event::calendar::{Calendar, Date};
use crate::event::paths::Rules;

use super::countries::{SharedLookup, with_lookup};
use super::day::{Day, Samples};
use super::deferred::Deferred;
use super::summary::DaySummary;

/// Where days lie that are not open.
pub trait DayStorage {
    type Error;

    fn put(&mut self, day: &Day) -> Result<(), Self::Error>;
    fn get(&mut self, date: Date) -> Result<Option<(DaySummary, Samples)>, Self::Error>;
    /// Oldest first.
    fn dates(&self) -> Vec<Date>;
}

/// How to collect.
pub struct Settings {
    /// Tells the day of an event.
    pub calendar: Calendar,
    /// Of the store's samples.
    pub salt: u64,
    /// Of the paths of the events.
    pub rules: Rules,
    /// Later events (seconds since 1970) belong to no day yet.
    pub latest: i64,
}

/// Counts events by day; a day that is left goes to the storage.
pub struct Collector<S: DayStorage> {
    settings: Settings,
    day: Option<Day>,
    storage: S,
    /// Events dated in the future, with milliseconds since 1970.
    later: Deferred,
}

impl<S: DayStorage> Collector<S> {
    /// Begins without a day.
    pub fn new(settings: Settings, storage: S) -> Collector<S> {
        Collector { settings, day: None, storage, later: Deferred::default() }
    }

    /// Counts events.
    pub fn count(&mut self, events: &[Event]) -> Result<(), S::Error> {
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
    fn turn_to(&mut self, date: Date) -> Result<&mut Day, S::Error> {
        if let Some(day) = &self.day {
            self.storage.put(day)?;
        }
        let day = match self.day.take() {
            Some(mut day) => {
                day.restart(date);
                day
            }
            None => Day::new(date, self.settings.salt).with_rules(&self.settings.rules),
        };
        let day = self.day.insert(day);
        if let Some((summary, samples)) = self.storage.get(date)? {
            day.add_summary(&summary, &samples);
        }
        Ok(day)
    }

    /// Ends the last day and gives all, with the events dated in the future.
    pub fn finish(mut self) -> Result<(S, Deferred), S::Error> {
        if let Some(day) = self.day.take() {
            self.storage.put(&day)?;
        }
        Ok((self.storage, self.later))
    }
}

/// A day as it is stored, with the countries of its sources.
pub fn close(day: &mut Day, lookup: Option<&SharedLookup>) -> DaySummary {
    with_lookup(lookup, |lookup| day.measure_countries(lookup));
    day.to_closed()
}
