//! Lines that look like packets and were not counted: how many, why, and the first of each kind.
//!
//! Takes such lines with their reasons, gives rows for people. Bounded: hostile lines can name any number of programs.

use crate::parse::syslog::{Author, header, split_tag};
use crate::parse::uncounted::Uncounted;
use crate::query::answer::SkippedBecause;

/// Rows of reasons. Further programs share the last row.
const MAX_ROWS: usize = 8;
/// Characters of an example, and of a program's name.
const LONGEST_EXAMPLE: usize = 300;
const LONGEST_NAME: usize = 32;

/// Lines that look like packets and were not counted: reasons, counts, and the first line of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UncountedLines {
    rows: Vec<Row>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    reason: Uncounted,
    /// The name in the tag, for [`Uncounted::OtherProgram`].
    program: Vec<u8>,
    shown: SkippedBecause,
}

impl UncountedLines {
    /// A line of a file; `number` counts from 1.
    pub fn add(&mut self, reason: Uncounted, number: u64, line: &[u8]) {
        let program = match header(line).author {
            // Another program's JSON has no tag.
            Author::Daemon(tag) if reason == Uncounted::OtherProgram && !line.starts_with(b"{") => tag.name,
            _ => b"",
        };
        self.count(reason, program, number, line);
    }

    /// An entry of logd that the kernel (`kernel`) or another program wrote.
    pub fn add_entry(&mut self, reason: Uncounted, kernel: bool, number: u64, message: &[u8]) {
        let program = split_tag(message).filter(|_| !kernel).map_or(&b""[..], |(tag, _)| tag.name);
        self.count(reason, program, number, message);
    }

    fn count(&mut self, reason: Uncounted, program: &[u8], number: u64, line: &[u8]) {
        let program = &program[..program.len().min(LONGEST_NAME)];
        let same = |row: &Row| row.reason == reason && row.program == program;
        let found = self.rows.iter().position(same);
        match found.or((self.rows.len() >= MAX_ROWS).then_some(MAX_ROWS - 1)) {
            Some(place) => {
                let lines = &mut self.rows[place].shown.lines;
                *lines = lines.saturating_add(1);
            }
            None => self.rows.push(Row {
                reason,
                program: program.to_vec(),
                shown: SkippedBecause {
                    reason: reason.text(&text(program)),
                    lines: 1,
                    first_line: number,
                    example: text(&line[..line.len().min(LONGEST_EXAMPLE)]),
                },
            }),
        }
    }

    /// Whether there was no such line.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Most lines first.
    pub fn rows(&self) -> Vec<SkippedBecause> {
        let mut rows: Vec<SkippedBecause> = self.rows.iter().map(|row| row.shown.clone()).collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.lines));
        rows
    }
}

/// Untrusted bytes as text without control characters.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().filter(|letter| !letter.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_count_and_first_line() {
        let mut lines = UncountedLines::default();
        lines.add(Uncounted::OtherProgram, 12, b"Nov 21 08:00:00 fw ulog[8]: IN=\x1b[31m SRC=1 DST=2");
        lines.add(Uncounted::OtherProgram, 13, b"Nov 21 08:00:00 fw ulog[9]: SRC=1 DST=2");
        lines.add(Uncounted::Accepted, 14, b"Nov 21 08:00:00 fw kernel: ACCEPT SRC=1 DST=2");
        let rows = lines.rows();
        assert_eq!((rows[0].lines, rows[0].first_line, rows.len()), (2, 12, 2));
        assert_eq!(rows[0].reason, "written by 'ulog', not by the kernel");
        let mut json = UncountedLines::default();
        json.add(Uncounted::OtherProgram, 1, br#"{"log": "SRC=1 DST=2"}"#);
        assert_eq!(json.rows()[0].reason, "written by another program, not by the kernel");
        assert!(!rows[0].example.contains('\x1b'));
        lines.add_entry(Uncounted::OtherProgram, false, 0, b"ulog[8]: SRC=1 DST=2");
        assert_eq!(lines.rows()[0].lines, 3);
    }

    #[test]
    fn any_number_of_programs_takes_no_more_rows() {
        let mut lines = UncountedLines::default();
        for number in 0..1000 {
            let line = format!("Nov 21 08:00:00 fw program{number}: SRC=1 DST=2");
            lines.add(Uncounted::OtherProgram, number, line.as_bytes());
        }
        let rows = lines.rows();
        assert_eq!((rows.len(), rows.iter().map(|row| row.lines).sum::<u64>()), (MAX_ROWS, 1000));
    }
}
