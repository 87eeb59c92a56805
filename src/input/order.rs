//! Several files in one order of time.
//!
//! Takes inputs whose next event is known, gives their events in batches: always from the input
//! whose next event is oldest. Files of one rotated set so follow each other, and overlapping logs are
//! merged by time. At most [`MAX_OPEN`] files are open at once; where more overlap in time, the
//! rest come late.

use std::io;

use super::batch::Batch;
use super::file::ReadOptions;
use super::open::{Meter, Open};
use super::source::Input;
use crate::event::paths::Paths;

/// Files that are open at a time while they are merged.
pub const MAX_OPEN: usize = 16;

/// An open input that has a next event.
struct Source {
    /// Its number.
    input: usize,
    /// Where two inputs have events of the same second: the one that begins earlier goes first.
    rank: usize,
    open: Box<Open>,
}

impl Source {
    /// The least is next.
    fn key(&self) -> Option<(i64, usize)> {
        self.open.next.map(|event| (event.time, self.rank))
    }
}

/// Gives the events of the inputs `wanted` to `batch`, in order of time.
pub fn merge(
    wanted: &[usize],
    inputs: &mut [Input],
    options: &ReadOptions,
    paths: &mut Paths,
    meter: &mut Meter,
    batch: &mut Batch,
) -> io::Result<()> {
    let mut waiting = Vec::new();
    for &at in wanted {
        let input = &mut inputs[at];
        let Some(open) = input.open(options, paths, meter) else { continue };
        let Some(first) = open.next else {
            input.finish(&open);
            continue;
        };
        // The time of the last change is the order of files without other evidence.
        let begin = (first.time, first.uptime, input.regular.map_or(options.now, |regular| regular.modified));
        let is_closed = wanted.len() > MAX_OPEN && input.regular.is_some();
        if is_closed {
            open.close_unread(meter);
        }
        waiting.push((begin, at, (!is_closed).then_some(open)));
    }
    waiting.sort_by_key(|(begin, ..)| *begin);
    let mut waiting = waiting.into_iter().enumerate().peekable();
    let mut sources: Vec<Source> = Vec::new();
    loop {
        sources.sort_by_key(Source::key);
        let room = sources.len() < MAX_OPEN;
        let next_file = waiting.peek().filter(|_| room).map(|(rank, (begin, ..))| (begin.0, *rank));
        let first = sources.first().and_then(Source::key);
        if let Some((rank, (_, input, open))) =
            waiting.next_if(|_| next_file.is_some_and(|next| first.is_none_or(|first| next < first)))
        {
            if let Some(open) = open.or_else(|| inputs[input].open(options, paths, meter)) {
                sources.push(Source { input, rank, open });
            }
            continue;
        }
        let until = sources.get(1).and_then(Source::key).into_iter().chain(next_file).min();
        let Some(current) = sources.first_mut() else { break };
        if let Some(until) = until {
            while let Some(event) = current.open.next
                && current.key() < Some(until)
            {
                batch.room()[0] = event;
                batch.add(current.input, 1)?;
                current.open.advance(paths, meter);
            }
        } else if let Some(event) = current.open.next.take() {
            // Nothing else is left: straight through.
            batch.room()[0] = event;
            batch.add(current.input, 1)?;
            while !current.open.has_ended {
                let read = current.open.read(paths, meter, batch.room());
                batch.add(current.input, read)?;
            }
        }
        if current.open.next.is_none() {
            let ended = sources.swap_remove(0);
            inputs[ended.input].finish(&ended.open);
        }
    }
    batch.flush()
}
