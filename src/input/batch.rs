//! Events between the inputs and the statistics: collected, sorted by time, without duplicates.
//!
//! Takes events of files that are merged, gives batches. Bounded in events.

use std::io;

use super::duplicates::Duplicates;
use super::packets::Packets;
use super::seen::SeenMessages;
use crate::event::{Class, Event};

/// Events given at once, at most.
pub const BATCH: usize = 256;

/// Events on their way to the caller.
pub struct Batch<'a> {
    give: &'a mut dyn FnMut(&[Event]) -> io::Result<()>,
    seen: &'a mut SeenMessages,
    duplicates: Duplicates,
    /// A buffer of fixed length: the first `inputs.len()` elements are events, the rest is free.
    events: Box<[Event]>,
    /// The input of each event.
    inputs: Vec<u32>,
    /// Of each input: events given, and duplicates.
    pub counts: Vec<(u64, u64)>,
    /// The packets given.
    pub packets: Packets,
}

impl<'a> Batch<'a> {
    /// A batch of this number of inputs. `give` gets events in order of time, each packet once and none of the messages
    /// `seen`.
    pub fn new(
        give: &'a mut dyn FnMut(&[Event]) -> io::Result<()>,
        seen: &'a mut SeenMessages,
        inputs: usize,
    ) -> Batch<'a> {
        Batch {
            give,
            seen,
            duplicates: Duplicates::default(),
            events: vec![Event::default(); BATCH].into_boxed_slice(),
            inputs: Vec::new(),
            counts: vec![(0, 0); inputs],
            packets: Packets::default(),
        }
    }

    /// The free part of the buffer, at least one element.
    pub fn room(&mut self) -> &mut [Event] {
        &mut self.events[self.inputs.len()..]
    }

    /// Adds the first `events` elements of [`Batch::room`], which the caller has filled, as events of the input with this number.
    /// Gives the batch if the buffer is full then; the error is that of `give`.
    pub fn add(&mut self, input: usize, events: usize) -> io::Result<()> {
        self.inputs.resize(self.inputs.len() + events, input as u32);
        if self.inputs.len() < self.events.len() { Ok(()) } else { self.flush() }
    }

    /// Gives what is held, in order and each packet once.
    pub fn flush(&mut self) -> io::Result<()> {
        let events = &mut self.events[..self.inputs.len()];
        if !events.is_sorted_by_key(|event| event.time) {
            let mut rows: Vec<(Event, u32)> = events.iter().copied().zip(self.inputs.drain(..)).collect();
            rows.sort_by_key(|(event, _)| event.time);
            self.inputs.extend(rows.iter().map(|(_, input)| *input));
            events.iter_mut().zip(rows).for_each(|(place, (event, _))| *place = event);
        }
        let marks = self.duplicates.mark(events);
        let mut left = 0;
        for (at, (input, mark)) in self.inputs.drain(..).zip(marks).enumerate() {
            let event = &events[at];
            let (given, duplicates) = &mut self.counts[input as usize];
            if self.seen.is_known(event) || mark {
                *duplicates += u64::from(event.count);
                continue;
            }
            *given += u64::from(event.count);
            if event.class != Class::Login {
                self.packets.add(event);
            }
            if left < at {
                events[left] = events[at];
            }
            left += 1;
        }
        if left == 0 { Ok(()) } else { (self.give)(&events[..left]) }
    }
}
