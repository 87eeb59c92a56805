//! Several files in one order of time.
//!
//! Takes inputs whose next event is known, gives their events in batches: always from the input
//! whose next event is oldest. Files of one rotated set so follow each other, logs that overlap are
//! woven together. At most [`MAX_OPEN`] files are open at once; where more overlap in time, the
//! rest come late.

use std::io;

use super::batch::Batch;
use super::open::Open;
use super::progress::Meter;
use super::source::Reading;
use crate::event::paths::Paths;

/// Files that are open at a time while they are merged.
pub const MAX_OPEN: usize = 16;

/// An input that has events, in the order of their first ones.
struct Waiting {
    input: usize,
    first: (i64, u64),
    open: Option<Open>,
}

/// Gives the events of the inputs `wanted` to `batch`, in order of time.
pub fn merge(
    wanted: &[usize],
    inputs: &mut Reading,
    paths: &mut Paths,
    meter: &mut Meter,
    batch: &mut Batch,
) -> io::Result<()> {
    let mut waiting = Vec::new();
    for &input in wanted {
        let Some(open) = inputs.open(input, paths, meter) else { continue };
        let Some(first) = open.next_time() else {
            inputs.finish(open);
            continue;
        };
        let open = if wanted.len() > MAX_OPEN && inputs.can_wait(input) {
            open.put_back(meter);
            None
        } else {
            Some(open)
        };
        waiting.push(Waiting { input, first, open });
    }
    waiting.sort_by_key(|waiting| (waiting.first, inputs.modified(waiting.input)));
    let mut waiting = waiting.into_iter().enumerate().peekable();
    let mut open: Vec<Open> = Vec::new();
    loop {
        // The oldest next event of those open.
        let oldest = (0..open.len()).min_by_key(|&at| open[at].key());
        let next_file =
            waiting.peek().filter(|_| open.len() < MAX_OPEN).map(|(rank, next)| (next.first.0, *rank));
        let due = match (next_file, oldest) {
            (Some(next), Some(at)) => open[at].key().is_some_and(|key| next < key),
            (next, None) => next.is_some(),
            (None, Some(_)) => false,
        };
        if due {
            let Some((rank, next)) = waiting.next() else { break };
            if let Some(mut opened) = next.open.or_else(|| inputs.open(next.input, paths, meter)) {
                opened.rank = rank;
                open.push(opened);
            }
            continue;
        }
        let Some(at) = oldest else { break };
        let others = (0..open.len()).filter(|&other| other != at).filter_map(|other| open[other].key()).min();
        let until = others.into_iter().chain(next_file).min();
        let current = &mut open[at];
        while let Some(event) = current.next.filter(|_| until.is_none_or(|until| current.key() < Some(until)))
        {
            batch.add(&event, current.input)?;
            current.advance(paths, meter);
        }
        if current.next.is_none() {
            inputs.finish(open.swap_remove(at));
        }
    }
    batch.flush()
}
