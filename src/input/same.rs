//! Which of the given files were read before, and which are given twice.
//!
//! Takes the files' beginnings and the imported contents they may begin with. Only files that begin alike, or
//! like a known content, are read through for it.

use super::content::Content;
use super::file::FileState;
use super::lines::read;
use super::open::Meter;
use super::source::Input;

/// Length and checksums of a whole file.
#[derive(Default)]
struct Measured {
    length: u64,
    sum: u128,
    /// Sums of its beginnings of asked lengths.
    sums: Vec<(u64, u128)>,
}

/// Finds the files that are not to be read, or only from some byte on: those whose content was imported before, continues
/// such a content, or is that of another file. Reads files that may be to their end.
pub fn compare(inputs: &mut [Input], meter: &mut Meter) {
    for group in groups(inputs) {
        if group.len() == 1 && inputs[group[0]].known.is_empty() {
            continue;
        }
        let whole = |&at: &usize| measure(&inputs[at], inputs[at].lengths_of_known(), meter);
        let measured: Vec<Measured> = group.iter().map(whole).collect();
        for (&at, measured) in group.iter().zip(&measured) {
            let input = &mut inputs[at];
            input.find_known(&measured.sums);
            if input.grown_from.is_some_and(|entry| entry.length == measured.length) {
                input.report.state = FileState::AlreadyImported;
            }
        }
        within_each_other(inputs, &group, &measured, meter);
    }
}

/// Readable files whose beginnings are the same, as far as the shorter one goes.
fn groups(inputs: &[Input]) -> Vec<Vec<usize>> {
    let is_readable =
        |at: &usize| inputs[*at].regular.is_some() && inputs[*at].report.state == FileState::Read;
    let mut order: Vec<usize> = (0..inputs.len()).filter(is_readable).collect();
    order.sort_by_key(|&at| &inputs[at].start);
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for at in order {
        match groups.last_mut() {
            Some(group) if inputs[at].start.starts_with(&inputs[group[0]].start) => group.push(at),
            _ => groups.push(vec![at]),
        }
    }
    groups
}

/// Finds the files of a group that are the same as another one, or its beginning.
fn within_each_other(inputs: &mut [Input], group: &[usize], measured: &[Measured], meter: &mut Meter) {
    let mut lengths: Vec<u64> = measured.iter().map(|measured| measured.length).collect();
    lengths.sort_unstable();
    lengths.dedup();
    for (&at, longer) in group.iter().zip(measured) {
        let shorter: Vec<u64> = lengths.iter().copied().filter(|&length| length < longer.length).collect();
        let beginnings =
            if shorter.is_empty() { Vec::new() } else { measure(&inputs[at], shorter, meter).sums };
        for (&other, shorter) in group.iter().zip(measured) {
            let content = (shorter.length, shorter.sum);
            // Of two files with one content, the first given is read.
            let twin = other > at && content == (longer.length, longer.sum);
            if (twin || has(&beginnings, content)) && inputs[other].report.state == FileState::Read {
                let (name, longer) = (inputs[other].name(), inputs[at].name());
                inputs[other].report.state = FileState::AlreadyImported;
                inputs[other].report.note = Some(format!("{name}: all of it is in {longer} too"));
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
fn measure(input: &Input, marks: Vec<u64>, meter: &mut Meter) -> Measured {
    let Ok(mut content) = Content::open(&input.report.path) else { return Measured::default() };
    let size = input.regular.map_or(0, |regular| regular.size);
    content.marks = marks;
    let mut buffer = vec![0; 64 * 1024];
    let mut reported = 0;
    // An error ends the content: what comes before it is what will be read.
    while read(&mut content, &mut buffer).is_ok_and(|bytes| bytes > 0) {
        meter.advance_pass(content.about.bytes_read.get(), size, &mut reported);
    }
    Measured { length: content.length, sum: content.whole.sum(), sums: content.sums }
}
