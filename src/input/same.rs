//! Which of the given files were read before, and which are given twice.
//!
//! Takes the files' beginnings and the imported contents they may begin with. Only files that begin alike, or
//! like a known content, are read through for it.

use std::path::Path;

use super::content::Content;
use super::imported::Entry;
use super::lines::read;
use super::order::{Meter, Step};

/// So much of two files has to be the same before they are compared as a whole.
pub const START: usize = 256;

/// A regular file to be compared.
pub struct Candidate<'a> {
    /// Where it is opened again.
    pub path: &'a Path,
    /// Bytes of the file as it is stored.
    pub size: u64,
    /// The first bytes of its text, at most [`START`] of them.
    pub start: &'a [u8],
    /// Known contents it may begin with, shortest first.
    pub known: &'a [Entry],
}

/// What a file has that the other files and earlier imports do not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    New,
    /// It begins with a known content and has grown since.
    Grown(Entry),
    Known,
    /// The other of the given files (its number) has this content, or begins with it.
    Within(usize),
}

/// Length and checksums of a whole file.
#[derive(Default)]
struct Measured {
    length: u64,
    sum: u128,
    /// Sums of its beginnings of asked lengths.
    sums: Vec<(u64, u128)>,
}

/// Whether each file's content was imported before, continues such a content, or is that of another file. Reads files that may be to their end.
pub fn compare(files: &[Candidate], meter: &mut Meter) -> Vec<Verdict> {
    let mut verdicts = vec![Verdict::New; files.len()];
    let groups = groups(files);
    for group in &groups {
        if group.len() == 1 && files[group[0]].known.is_empty() {
            continue;
        }
        let lengths = |at: usize| files[at].known.iter().map(|entry| entry.length).collect();
        let measured: Vec<Measured> =
            group.iter().map(|&at| measure(&files[at], lengths(at), meter)).collect();
        for (&at, measured) in group.iter().zip(&measured) {
            let same = |entry: &&Entry| has(&measured.sums, (entry.length, entry.sum));
            verdicts[at] = match files[at].known.iter().rev().find(same) {
                Some(entry) if entry.length == measured.length => Verdict::Known,
                Some(entry) => Verdict::Grown(*entry),
                None => Verdict::New,
            };
        }
        within_each_other(files, group, &measured, &mut verdicts, meter);
    }
    verdicts
}

/// Files whose beginnings are the same, as far as the shorter one goes.
fn groups(files: &[Candidate]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..files.len()).collect();
    order.sort_by_key(|&at| files[at].start);
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for at in order {
        match groups.last_mut() {
            Some(group) if files[at].start.starts_with(files[group[0]].start) => group.push(at),
            _ => groups.push(vec![at]),
        }
    }
    groups
}

/// Finds the files of a group that are the same as another one, or its beginning.
fn within_each_other(
    files: &[Candidate],
    group: &[usize],
    measured: &[Measured],
    verdicts: &mut [Verdict],
    meter: &mut Meter,
) {
    let mut lengths: Vec<u64> = measured.iter().map(|measured| measured.length).collect();
    lengths.sort_unstable();
    lengths.dedup();
    for (&at, longer) in group.iter().zip(measured) {
        let shorter: Vec<u64> = lengths.iter().copied().filter(|&length| length < longer.length).collect();
        let beginnings =
            if shorter.is_empty() { Vec::new() } else { measure(&files[at], shorter, meter).sums };
        for (&other, shorter) in group.iter().zip(measured) {
            let content = (shorter.length, shorter.sum);
            // Of two files with one content, the first given is read.
            let twin = other > at && content == (longer.length, longer.sum);
            if (twin || has(&beginnings, content))
                && matches!(verdicts[other], Verdict::New | Verdict::Grown(_))
            {
                verdicts[other] = Verdict::Within(at);
            }
        }
    }
}

/// `sums` stand in the order of their lengths; one length can stand there several times.
fn has(sums: &[(u64, u128)], content: (u64, u128)) -> bool {
    let from = sums.partition_point(|(length, _)| *length < content.0);
    sums.get(from).is_some_and(|sum| *sum == content)
}

/// Reads a file through. One that can't be read any more has no sums: reading it will tell why.
fn measure(file: &Candidate, marks: Vec<u64>, meter: &mut Meter) -> Measured {
    let Ok((mut content, _)) = Content::open(file.path) else { return Measured::default() };
    content.mark(marks);
    let mut buffer = vec![0; 64 * 1024];
    let mut reported = 0;
    // An error ends the content: what comes before it is what will be read.
    while read(&mut content, &mut buffer).is_ok_and(|bytes| bytes > 0) {
        meter.advance_pass(Step::Comparing, content.bytes_read(), file.size, &mut reported);
    }
    Measured { length: content.length(), sum: content.sum(), sums: content.marked().collect() }
}
