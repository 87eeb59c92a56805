//! Layout of tables: columns, bars, colours, the terminal's width.
//!
//! Takes cells (printable ASCII, see [`super::cells`]), gives lines.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::ops::RangeInclusive;
use std::str::Lines;

use super::cells::{ABSENT, count};

/// The style of a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Style {
    /// Bars and explanations are fitted to this many columns; data is never cut.
    pub width: usize,
    pub bars: bool,
    pub colour: bool,
    /// What is counted, for the headings: see [`super::tables::counted`].
    pub counted: &'static str,
}

impl Style {
    /// Supported widths of a terminal.
    pub const COLUMNS: RangeInclusive<usize> = 20..=1000;

    /// For files and pipes: no bars, no colours, nothing cut.
    pub const PLAIN: Style = Style { width: usize::MAX, bars: false, colour: false, counted: "attempts" };

    /// The style for standard output and the environment (`COLUMNS`, `NO_COLOR`, `TERM`).
    pub fn for_stdout() -> Style {
        let variable = |name| std::env::var(name).unwrap_or_default();
        let plain = !variable("NO_COLOR").is_empty() || variable("TERM") == "dumb";
        Style::for_output(io::stdout().is_terminal(), &variable("COLUMNS"), plain)
    }

    fn for_output(terminal: bool, columns: &str, no_colour: bool) -> Style {
        if !terminal {
            return Style::PLAIN;
        }
        let width = columns.parse().ok().filter(|columns| Style::COLUMNS.contains(columns)).unwrap_or(80);
        Style { width, bars: true, colour: !no_colour, ..Style::PLAIN }
    }

    /// A heading line.
    pub fn heading(&self, text: &str) -> String {
        if self.colour { format!("\x1b[1m{text}\x1b[0m") } else { text.to_string() }
    }
}

/// One column of a table: heading, alignment and cells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Column {
    /// May have two lines.
    heading: &'static str,
    is_number: bool,
    /// Left out if no row has a value.
    optional: bool,
    /// Cut if the line is too long for the terminal.
    flexible: bool,
}

/// A column of text.
pub const fn left(heading: &'static str) -> Column {
    Column { heading, is_number: false, optional: false, flexible: false }
}

/// A column of numbers.
pub const fn right(heading: &'static str) -> Column {
    Column { is_number: true, ..left(heading) }
}

impl Column {
    /// The column is left out if all its cells are empty.
    pub const fn optional(self) -> Column {
        Column { optional: true, ..self }
    }

    /// The column is cut if the table is too wide.
    pub const fn flexible(self) -> Column {
        Column { flexible: true, ..self }
    }
}

/// A column, and the function that gives a row's cell.
pub type Filled<'a, R> = (Column, &'a dyn Fn(&R) -> String);

/// Columns of equal length, laid out to a width in characters.
pub struct Table {
    /// Each column with its cells, one a line in one text, so that a table takes little more memory than its text.
    columns: Vec<(Column, String)>,
    rows: usize,
    /// One for each row, or none at all.
    bars: Vec<u64>,
}

impl Table {
    /// A line for each of `rows`.
    pub fn of<R>(rows: &[R], columns: &[Filled<'_, R>]) -> Table {
        let filled = |(column, cell): &Filled<'_, R>| {
            let mut cells = String::new();
            rows.iter().for_each(|row| cells.extend([&cell(row), "\n"]));
            (*column, cells)
        };
        Table { columns: columns.iter().map(filled).collect(), rows: rows.len(), bars: Vec::new() }
    }

    /// Adds bars of these values at the ends of the rows, if the style has bars.
    pub fn with_bars(mut self, values: impl Iterator<Item = u64>) -> Table {
        self.bars = values.collect();
        self
    }

    /// As [`Table::write`], but without rows a line that says `why`.
    pub fn write_or(self, why: &str, style: &Style, out: &mut dyn Write) -> io::Result<()> {
        if self.rows == 0 { no_data(why, out) } else { self.write(style, out) }
    }

    /// Lays the table out to the style's width.
    pub fn write(mut self, style: &Style, out: &mut dyn Write) -> io::Result<()> {
        self.fit(style.width);
        let (columns, widths) = (&self.columns, self.widths());
        let lay_out = |cells: &mut dyn Iterator<Item = &str>| {
            let mut line = String::new();
            for (((column, _), width), cell) in columns.iter().zip(&widths).zip(cells) {
                let gap = if line.is_empty() { "" } else { GAP };
                // Writing to a String does not fail.
                let _ = match column.is_number {
                    false => write!(line, "{gap}{cell:<width$}"),
                    true => write!(line, "{gap}{cell:>width$}"),
                };
            }
            line.truncate(line.trim_end().len());
            line
        };
        let heading_lines =
            columns.iter().map(|(column, _)| column.heading.lines().count()).max().unwrap_or(0);
        for below in (0..heading_lines).rev() {
            // Headings are aligned to the bottom when others have more lines.
            let mut cells =
                columns.iter().map(|(column, _)| column.heading.lines().rev().nth(below).unwrap_or(""));
            writeln!(out, "{}", style.heading(&lay_out(&mut cells)))?;
        }
        let taken = widths.iter().map(|width| width + GAP.len()).sum();
        let bar_width = if style.bars { style.width.saturating_sub(taken).min(MAX_BAR_WIDTH) } else { 0 };
        let most = self.bars.iter().copied().max().unwrap_or(0);
        let mut cells: Vec<Lines<'_>> = columns.iter().map(|(_, cells)| cells.lines()).collect();
        for row in 0..self.rows {
            let line = lay_out(&mut cells.iter_mut().map(|column| column.next().unwrap_or("")));
            match self.bars.get(row) {
                Some(&value) if value > 0 && bar_width >= MIN_BAR_WIDTH => {
                    let drawn = bar(value, most, bar_width);
                    let (begin, end) = if style.colour { ("\x1b[36m", "\x1b[0m") } else { ("", "") };
                    writeln!(out, "{line:taken$}{begin}{drawn}{end}")?;
                }
                _ => writeln!(out, "{line}")?,
            }
        }
        Ok(())
    }

    /// Leaves out empty optional columns, and cuts the flexible ones so that lines fit `width`.
    fn fit(&mut self, width: usize) {
        self.columns.retain(|(column, cells)| !column.optional || cells.lines().any(|cell| cell != ABSENT));
        let widths = self.widths();
        let taken: usize = widths.iter().map(|width| width + GAP.len()).sum();
        let surplus = taken.saturating_sub(GAP.len()).saturating_sub(width);
        for ((column, cells), width) in self.columns.iter_mut().zip(widths) {
            if column.flexible && surplus > 0 {
                let most = width.saturating_sub(surplus).max(MIN_TEXT_WIDTH);
                *cells = cells.lines().map(|cell| format!("{}\n", cut(cell, most))).collect();
            }
        }
    }

    fn widths(&self) -> Vec<usize> {
        let width = |(column, cells): &(Column, String)| {
            column.heading.lines().chain(cells.lines()).map(str::len).max().unwrap_or(0)
        };
        self.columns.iter().map(width).collect()
    }
}

const GAP: &str = "  ";
const MAX_BAR_WIDTH: usize = 40;
const MIN_BAR_WIDTH: usize = 4;
const MIN_TEXT_WIDTH: usize = 20;

/// A bar of at most `width` cells, in steps of an eighth. Any value above 0 is visible.
fn bar(value: u64, most: u64, width: usize) -> String {
    const PARTS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    let eighths = (value as f64 / most as f64 * (width * 8) as f64).ceil() as usize;
    let mut bar = "█".repeat(eighths / 8);
    if !eighths.is_multiple_of(8) {
        bar.push(PARTS[eighths % 8]);
    }
    bar
}

/// A text cut to `width` columns, marked as cut. Cells are ASCII.
fn cut(cell: &str, width: usize) -> Cow<'_, str> {
    const MARK: &str = "...";
    match cell.get(..width.saturating_sub(MARK.len())) {
        Some(start) if cell.len() > width => format!("{}{MARK}", start.trim_end()).into(),
        _ => cell.into(),
    }
}

/// A line that says why there are no rows.
pub fn no_data(why: &str, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "no data: {why}")
}

/// The note below a table with marked counts.
pub fn write_error_note(errors: impl Iterator<Item = u64>, out: &mut dyn Write) -> io::Result<()> {
    match errors.max() {
        None | Some(0) => Ok(()),
        Some(most) => writeln!(out, "~ may be up to {} too high", count(most)),
    }
}

/// Maximum width of wrapped text and help lines.
pub(crate) const WRAP_WIDTH: usize = 80;

/// Writes wrapped text; the first line continues at column `indent`, the others begin there.
pub(crate) fn write_wrapped(text: &str, indent: usize, out: &mut dyn Write) -> io::Result<()> {
    let mut column = indent;
    for word in text.split_ascii_whitespace() {
        if column > indent && column + 1 + word.len() > WRAP_WIDTH {
            write!(out, "\n{:indent$}", "")?;
            column = indent;
        }
        let gap = if column > indent { " " } else { "" };
        write!(out, "{gap}{word}")?;
        column += gap.len() + word.len();
    }
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_in_proportion_and_never_overflow() {
        assert_eq!(bar(0, 100, 8), "");
        assert_eq!(bar(1, 1_000_000, 8), "▏");
        assert_eq!(bar(50, 100, 8), "████");
        assert_eq!(bar(u64::MAX, u64::MAX, 8), "████████");
        assert_eq!(bar(99, 100, 2), "██");
    }

    #[test]
    fn a_pipe_gets_plain_text_and_a_terminal_its_width() {
        assert_eq!(Style::for_output(false, "40", false), Style::PLAIN);
        let terminal = Style { width: 120, bars: true, colour: true, counted: "attempts" };
        assert_eq!(Style::for_output(true, "120", false), terminal);
        assert_eq!(Style::for_output(true, "", true), Style { width: 80, colour: false, ..terminal });
        assert_eq!(Style::for_output(true, "-5", false).width, 80);
    }

    #[test]
    fn columns_are_aligned_and_dropped_when_nothing_is_in_them() {
        let rows = [["a", "1", "-", "a text that is rather long"], ["bbbbb", "1,000", "-", "-"]];
        let write = |width| {
            let table = Table::of(
                &rows,
                &[
                    (left("name"), &|row| row[0].into()),
                    (right("anomalous\ncells"), &|row| row[1].into()),
                    (right("none").optional(), &|row| row[2].into()),
                    (left("what").flexible(), &|row| row[3].into()),
                ],
            );
            let mut out = Vec::new();
            table.write(&Style { width, ..Style::PLAIN }, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let whole = "       anomalous\nname       cells  what\na              1  a text that is rather long\n\
                     bbbbb      1,000  -\n";
        assert_eq!(write(usize::MAX), whole);
        assert_eq!(write(44), whole);
        assert_eq!(write(43), whole.replace("rather long", "rather..."));
        assert_eq!(write(0), whole.replace("rather long", "ra..."));
    }
}
