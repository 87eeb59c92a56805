//! Batches of events -> summaries of days, one open day at a time.
//!
//! Sorted input visits each day once, so that a day that was left can be cut to its heaviest
//! rows at once. Input in any order is possible too: then every day that was left is kept whole
//! and taken up again, and the answer is the same.

use std::fmt;

use crate::calendar::{Calendar, Date};
use crate::event::Event;

use super::countries::{SharedAtlas, with_atlas};
use super::day::{Day, KeptDay};

/// Where days wait that are not open.
pub trait Waiting {
    type Error;

    fn put(&mut self, day: &KeptDay) -> Result<(), Self::Error>;
    /// The same as putting `day.to_kept()`, in less memory.
    fn put_whole(&mut self, day: &Day) -> Result<(), Self::Error>;
    fn get(&mut self, date: Date) -> Result<Option<KeptDay>, Self::Error>;
    fn contains(&self, date: Date) -> bool;
    /// Oldest first.
    fn dates(&self) -> Vec<Date>;
}

/// What order of events is expected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// By day; an event of a day that was left is an error.
    Sorted,
    Any,
}

#[derive(Debug)]
pub enum CollectError<E> {
    /// An event belongs to a day that was left: collect again with [`Order::Any`].
    OutOfOrder,
    Waiting(E),
}

impl<E: fmt::Display> fmt::Display for CollectError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CollectError::OutOfOrder => f.write_str("the events are not in order of time"),
            CollectError::Waiting(error) => error.fmt(f),
        }
    }
}

pub struct Collector<W: Waiting> {
    calendar: Calendar,
    atlas: Option<SharedAtlas>,
    order: Order,
    day: Option<Day>,
    first: Option<Date>,
    waiting: W,
}

impl<W: Waiting> Collector<W> {
    /// `atlas`: whoever tells the countries of the sources of a day that is left.
    pub fn new(calendar: Calendar, order: Order, waiting: W, atlas: Option<SharedAtlas>) -> Collector<W> {
        Collector { calendar, atlas, order, day: None, first: None, waiting }
    }

    /// Counts events. Within one batch their order does not matter as long as it is sorted by time.
    pub fn count(&mut self, events: &[Event]) -> Result<(), CollectError<W::Error>> {
        for event in events {
            let hour = self.calendar.hour_of(event.time);
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
    fn turn_to(&mut self, date: Date) -> Result<&mut Day, CollectError<W::Error>> {
        self.first.get_or_insert(date);
        self.leave()?;
        if self.order == Order::Sorted && self.waiting.contains(date) {
            return Err(CollectError::OutOfOrder);
        }
        let day = match self.day.take() {
            Some(mut day) => {
                day.restart(date);
                day
            }
            None => Day::of_an_import(date),
        };
        let day = self.day.insert(day);
        if let Some(kept) = self.waiting.get(date).map_err(CollectError::Waiting)? {
            day.add_kept(&kept);
        }
        Ok(day)
    }

    fn leave(&mut self) -> Result<(), CollectError<W::Error>> {
        let Some(day) = &mut self.day else { return Ok(()) };
        with_atlas(self.atlas.as_ref(), |atlas| day.measure_countries(atlas));
        let is_final = self.order == Order::Sorted && self.first != Some(day.date);
        let put = if is_final { self.waiting.put(&day.to_kept_cut()) } else { self.waiting.put_whole(day) };
        put.map_err(CollectError::Waiting)
    }

    /// Closes the open day and gives all. The first and the last day are whole.
    pub fn finish(mut self) -> Result<W, CollectError<W::Error>> {
        if let Some(mut day) = self.day.take() {
            with_atlas(self.atlas.as_ref(), |atlas| day.measure_countries(atlas));
            self.waiting.put_whole(&day).map_err(CollectError::Waiting)?;
        }
        Ok(self.waiting)
    }
}
