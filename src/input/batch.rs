//! Events between the inputs and the statistics: collected, sorted by time, without duplicates.
//!
//! Takes events of files that are merged, gives batches. Bounded in events.

use std::io;

use super::order::Inputs;
use crate::event::Event;

/// Events given at once, at most.
pub const BATCH: usize = 256;

/// Where events go. Each is read into its place: copied from another, it would wait for its parts to be written.
pub trait Sink {
    type Error;

    fn place(&mut self) -> &mut Event;

    /// There is an event in the place.
    fn taken(&mut self) -> Result<(), Self::Error>;
}

/// Events on their way to the caller.
pub struct Batch<'a, D> {
    give: &'a mut dyn FnMut(&[Event]) -> io::Result<()>,
    mark_duplicates: D,
    /// Which of the events are duplicates, if any is.
    duplicates: Vec<bool>,
    /// The first `held` are events, the others places for more.
    events: Box<[Event]>,
    held: usize,
    /// The input of the first event.
    input: usize,
    /// The input of each event, unless it is the same of all: then none.
    inputs: Vec<u32>,
    sorted: bool,
    /// Time of the event added last.
    newest: i64,
}

impl<'a, D: FnMut(&[Event], &mut Vec<bool>)> Batch<'a, D> {
    /// `mark_duplicates` is shown events in order of time; it marks duplicates in a list that is empty, or leaves it
    /// empty.
    pub fn new(give: &'a mut dyn FnMut(&[Event]) -> io::Result<()>, mark_duplicates: D) -> Batch<'a, D> {
        Batch {
            give,
            mark_duplicates,
            duplicates: Vec::new(),
            events: vec![Event::default(); BATCH].into_boxed_slice(),
            held: 0,
            input: 0,
            inputs: Vec::new(),
            sorted: true,
            newest: i64::MIN,
        }
    }

    /// Adds an event of the input with this number. Fails if the caller refuses a batch that is full by it.
    pub fn add(&mut self, event: &Event, input: usize, inputs: &mut dyn Inputs) -> io::Result<()> {
        let mut sink = IntoBatch { batch: self, input, inputs };
        *sink.place() = *event;
        sink.taken()
    }

    #[cold]
    fn add_input(&mut self, input: usize) {
        if self.held == 0 {
            self.input = input;
            return;
        }
        self.inputs.resize(self.held, self.input as u32);
        self.inputs.push(input as u32);
    }

    /// Gives what is held, in order and each packet once.
    #[inline(never)]
    pub fn flush(&mut self, inputs: &mut dyn Inputs) -> io::Result<()> {
        if !self.sorted {
            self.sort();
        }
        let events = &mut self.events[..self.held];
        self.duplicates.clear();
        (self.mark_duplicates)(events, &mut self.duplicates);
        let duplicates = self.duplicates.iter().filter(|marked| **marked).count();
        let left = events.len() - duplicates;
        if self.inputs.is_empty() {
            let all: u64 = events.iter().map(|event| u64::from(event.count)).sum();
            let twice = events.iter().zip(&self.duplicates).filter(|(_, marked)| **marked);
            let twice: u64 = twice.map(|(event, _)| u64::from(event.count)).sum();
            inputs.count(self.input, all - twice, twice);
        }
        let marked = self.duplicates.iter().copied().chain(std::iter::repeat(false));
        for ((&input, event), duplicate) in self.inputs.iter().zip(&*events).zip(marked) {
            let (count, once) = (u64::from(event.count), u64::from(!duplicate));
            inputs.count(input as usize, count * once, count * (1 - once));
        }
        if duplicates > 0 {
            let stay = (0..).zip(&self.duplicates).filter(|(_, marked)| !**marked);
            for (free, (number, _)) in stay.enumerate() {
                events[free] = events[number];
            }
        }
        let given = if left == 0 { Ok(()) } else { (self.give)(&events[..left]) };
        self.held = 0;
        self.inputs.clear();
        (self.sorted, self.newest) = (true, i64::MIN);
        given
    }

    fn sort(&mut self) {
        let events = &mut self.events[..self.held];
        let mut order: Vec<u32> = (0..events.len() as u32).collect();
        order.sort_by_key(|&at| events[at as usize].time);
        let sorted: Vec<Event> = order.iter().map(|&at| events[at as usize]).collect();
        events.copy_from_slice(&sorted);
        if !self.inputs.is_empty() {
            self.inputs = order.iter().map(|&at| self.inputs[at as usize]).collect();
        }
    }
}

/// Events of one input on their way into a batch.
pub struct IntoBatch<'a, 'b, D> {
    /// Where the events go.
    pub batch: &'a mut Batch<'b, D>,
    /// The input's number.
    pub input: usize,
    /// Told of the events and duplicates of each input.
    pub inputs: &'a mut dyn Inputs,
}

impl<D: FnMut(&[Event], &mut Vec<bool>)> Sink for IntoBatch<'_, '_, D> {
    type Error = io::Error;

    #[inline(always)]
    fn place(&mut self) -> &mut Event {
        &mut self.batch.events[self.batch.held]
    }

    #[inline(always)]
    fn taken(&mut self) -> io::Result<()> {
        let batch = &mut *self.batch;
        let time = batch.events[batch.held].time;
        batch.sorted &= time >= batch.newest;
        batch.newest = time;
        if self.input != batch.input || !batch.inputs.is_empty() {
            batch.add_input(self.input);
        }
        batch.held += 1;
        if batch.held < batch.events.len() { Ok(()) } else { batch.flush(self.inputs) }
    }
}
