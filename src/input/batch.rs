//! Events between the inputs and the statistics: collected, sorted by time, without duplicates.
//!
//! Takes events of files that are merged, gives batches. Bounded in events.

use std::io;

use crate::event::Event;

/// Events given at once, at most.
pub const BATCH: usize = 1024;

/// Events on their way to the caller.
pub struct Batch<'a> {
    give: &'a mut dyn FnMut(&[Event]) -> io::Result<()>,
    is_duplicate: &'a mut dyn FnMut(&Event) -> bool,
    /// Each with the number of its input.
    events: Vec<(Event, usize)>,
    /// Without duplicates, as they are given.
    unique: Vec<Event>,
    /// Packets of each input.
    pub counts: Vec<Counts>,
}

/// Packets of one input.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Given to the caller.
    pub events: u64,
    /// Left out, as they were counted before.
    pub duplicates: u64,
}

impl<'a> Batch<'a> {
    /// `is_duplicate` is asked for each event, in order of time. `inputs`: their number.
    pub fn new(
        give: &'a mut dyn FnMut(&[Event]) -> io::Result<()>,
        is_duplicate: &'a mut dyn FnMut(&Event) -> bool,
        inputs: usize,
    ) -> Batch<'a> {
        let (events, unique) = (Vec::with_capacity(BATCH), Vec::with_capacity(BATCH));
        Batch { give, is_duplicate, events, unique, counts: vec![Counts::default(); inputs] }
    }

    /// Adds an event of the input with this number.
    pub fn add(&mut self, event: &Event, input: usize) -> io::Result<()> {
        self.events.push((*event, input));
        if self.events.len() < BATCH { Ok(()) } else { self.flush() }
    }

    /// Gives the events that were added, in order of time and each packet once.
    pub fn flush(&mut self) -> io::Result<()> {
        self.events.sort_by_key(|(event, _)| event.time);
        self.unique.clear();
        for (event, input) in self.events.drain(..) {
            let counts = &mut self.counts[input];
            if (self.is_duplicate)(&event) {
                counts.duplicates += u64::from(event.count);
            } else {
                counts.events += u64::from(event.count);
                self.unique.push(event);
            }
        }
        if self.unique.is_empty() { Ok(()) } else { (self.give)(&self.unique) }
    }
}
