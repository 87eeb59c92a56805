//! Log files: plain, gzip or from standard input, in any number and any order.
//!
//! Takes paths, gives events in batches and in order of time, and a report on each file. One file
//! that can't be read does not keep the others from being read. Reads no clock.
//!
//! A file whose content was read before, under whatever name and packed or not, is not read again;
//! one that has grown since is read from there on. A pipe can't be read twice: whether its content
//! was imported before is known only at its end, by [`FileReport::discard`].

use std::io::{self, Read};
use std::path::PathBuf;

use super::batch::Batch;
use super::imported::Imported;
use super::open::Meter;
pub use super::open::Progress;
use super::order::merge;
use super::packets::Packets;
use super::same::compare;
use super::seen::SeenMessages;
use super::source::Input;
use crate::event::Event;
use crate::event::calendar::Calendar;
use crate::event::paths::{Direction, Paths};
use crate::parse::interfaces::Networks;
use crate::parse::log_prefix;
use crate::query::answer::{InputCounts, InterfaceRow};

/// Gives standard input as a file.
pub const STANDARD_INPUT: &str = "-";

/// Options of a read that hold for all files.
pub struct ReadOptions {
    /// What is known of the machine's interfaces and rules.
    pub networks: Networks,
    /// The time zone of timestamps without an offset.
    pub calendar: Calendar,
    /// The year of each file's first stamp, if the stamps have none.
    pub year: Option<i32>,
    /// Unix seconds.
    pub now: i64,
}

/// What became of one file.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FileReport {
    /// As it was given; [`STANDARD_INPUT`] for standard input.
    pub path: PathBuf,
    /// Lines by what became of them.
    pub counts: InputCounts,
    /// How far it was read.
    pub state: FileState,
    /// Something else to be said about it, a sentence.
    pub note: Option<String>,
    /// Nothing in it was counted, and it is no log that is read: a clause that says what it is.
    pub looks_like: Option<String>,
    /// This pipe brought what was imported before, and its events were given to the caller. Nothing
    /// of the whole reading should be kept: neither the events nor the changed [`Imported`].
    pub discard: bool,
}

/// What became of one file.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum FileState {
    /// Read to its end; what was new of it, if it has grown.
    #[default]
    Read,
    Empty,
    /// All of its content was imported before, or is among the other files given.
    AlreadyImported,
    /// Read as far as possible; the sentence says how far, and why no further.
    Partly(String),
    /// Not read; the sentence says why.
    Failed(String),
}

/// Reasons for lines that were not counted, and interfaces, that are listed.
const MAX_ROWS: usize = 32;

/// What became of the lines of all files.
pub fn totals(reports: &[FileReport]) -> InputCounts {
    let mut sum = InputCounts::default();
    for FileReport { counts, .. } in reports {
        for row in &counts.skipped_because {
            let known = sum.skipped_because.iter().position(|known| known.reason == row.reason);
            match known {
                Some(place) => sum.skipped_because[place].lines += row.lines,
                None if sum.skipped_because.len() < MAX_ROWS => sum.skipped_because.push(row.clone()),
                None => {}
            }
        }
        if let Some(undated) = counts.undated {
            *sum.undated.get_or_insert(0) += undated;
        }
        sum.year_assumed = [sum.year_assumed, counts.year_assumed].into_iter().flatten().min();
        sum.lines += counts.lines;
        sum.events += counts.events;
        sum.malformed += counts.malformed;
        sum.duplicates += counts.duplicates;
        sum.skipped += counts.skipped;
    }
    sum.skipped_because.sort_by_key(|row| std::cmp::Reverse(row.lines));
    sum
}

/// The interfaces that packets came in by, most packets first.
fn interfaces(packets: &Packets, paths: &Paths, networks: &Networks) -> Vec<InterfaceRow> {
    let lan_bridge = paths.iter().any(|path| [&path.input, &path.output].contains(&&"br-lan".to_string()));
    let mut rows: Vec<InterfaceRow> = Vec::new();
    for (path, packets) in packets.by_path(paths).filter(|(_, packets)| *packets > 0) {
        let outside = path.direction == Direction::Inbound;
        match rows.iter_mut().find(|row| row.name == path.input && row.outside == outside) {
            Some(row) => row.packets = row.packets.saturating_add(packets),
            None => {
                let why = log_prefix::reason(path, networks, lan_bridge).to_string();
                rows.push(InterfaceRow { name: path.input.clone(), outside, why, packets });
            }
        }
    }
    rows.sort_by(|a, b| b.packets.cmp(&a.packets).then_with(|| a.name.cmp(&b.name)));
    rows.truncate(MAX_ROWS);
    rows
}

/// What came of all files.
pub struct FilesRead {
    /// One for each file, in the order in which they were given.
    pub reports: Vec<FileReport>,
    /// The sum of all reports' counts, with the interfaces of the packets.
    pub counts: InputCounts,
}

/// Reads `files` and gives their events to `batch`, at most [`super::batch::BATCH`] at once, in order of time and each
/// packet once. Contents read are added to `imported`, and kernel messages to `seen`, unless this returns an error: the
/// caller refused a batch.
pub fn read_files(
    standard_input: Box<dyn Read>,
    files: &[PathBuf],
    options: &ReadOptions,
    (imported, seen): (&mut Imported, &mut SeenMessages),
    paths: &mut Paths,
    batch: &mut dyn FnMut(&[Event]) -> io::Result<()>,
    progress: &mut dyn FnMut(Progress),
) -> io::Result<FilesRead> {
    let mut standard_input = Some(standard_input);
    let mut inputs: Vec<Input> =
        files.iter().map(|path| Input::inspect(path, &mut standard_input, imported)).collect();
    let mut meter = Meter::new(progress);
    compare(&mut inputs, &mut meter);
    let wanted: Vec<usize> =
        (0..inputs.len()).filter(|&at| inputs[at].report.state == FileState::Read).collect();
    meter.total = wanted.iter().map(|&at| inputs[at].regular.map(|regular| regular.size)).sum();
    let mut batch = Batch::new(batch, seen, inputs.len());
    merge(&wanted, &mut inputs, options, paths, &mut meter, &mut batch)
        .map_err(|error| io::Error::other(format!("reading log files was given up: {error}")))?;
    for (input, (events, duplicates)) in inputs.iter_mut().zip(&batch.counts) {
        (input.report.counts.events, input.report.counts.duplicates) = (*events, *duplicates);
    }
    remember(&mut inputs, imported);
    let interfaces = interfaces(&batch.packets, paths, &options.networks);
    let reports: Vec<FileReport> = inputs.into_iter().map(|input| input.report).collect();
    let counts = InputCounts { interfaces, ..totals(&reports) };
    Ok(FilesRead { reports, counts })
}

/// Adds what was read to `imported`; pipes last, to see whether they brought anything new.
fn remember(inputs: &mut [Input], imported: &mut Imported) {
    let mut inputs: Vec<&mut Input> = inputs.iter_mut().collect();
    inputs.sort_by_key(|input| input.regular.is_none());
    for input in inputs {
        let Some(entry) = input.entry else { continue };
        let is_pipe = input.regular.is_none();
        if is_pipe && imported.contains(&entry) {
            input.report.state = FileState::AlreadyImported;
            input.report.discard = true;
        } else if is_pipe && let Some(known) = input.grown_from {
            input.report.state = FileState::Failed(format!(
                "{} begins with {} bytes that were imported before: save it to a file and import that, then \
                 only the rest is read",
                input.name(),
                known.length
            ));
            input.report.discard = true;
        } else {
            imported.add(entry, input.grown_from.as_ref());
        }
    }
}

#[cfg(test)]
mod tests;
