//! How tables are laid out: columns, bars, colours, the terminal's width.
//!
//! Takes cells (printable ASCII, see [`super::cells`]), gives lines.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};

use super::cells::{ABSENT, count};

/// How to show an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Style {
    /// Bars and explanations are made to fit into this many columns; data is never cut.
    pub width: usize,
    pub bars: bool,
    pub colour: bool,
    /// What is counted, for the headings: see [`super::tables::counted`].
    pub counted: &'static str,
}

impl Style {
    /// For files and pipes: no bars, no colours, nothing cut.
    pub const PLAIN: Style = Style { width: usize::MAX, bars: false, colour: false, counted: "attempts" };

    /// What standard output is and the environment asks for (`COLUMNS`, `NO_COLOR`, `TERM`).
    pub fn for_stdout() -> Style {
        let variable = |name| std::env::var(name).unwrap_or_default();
        let plain = !variable("NO_COLOR").is_empty() || variable("TERM") == "dumb";
        Style::for_output(io::stdout().is_terminal(), &variable("COLUMNS"), plain)
    }

    fn for_output(terminal: bool, columns: &str, no_colour: bool) -> Style {
        if !terminal {
            return Style::PLAIN;
        }
        let width = columns.parse().ok().filter(|columns| (20..=1000).contains(columns)).unwrap_or(80);
        Style { width, bars: true, colour: !no_colour, ..Style::PLAIN }
    }

    /// A heading line.
    pub fn heading(&self, text: &str) -> String {
        if self.colour { format!("\x1b[1m{text}\x1b[0m") } else { text.to_string() }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Side {
    Left,
    Right,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Column {
    /// May have two lines.
    heading: &'static str,
    side: Side,
    /// Left out when no row has it.
    optional: bool,
    /// Cut where the line gets too long for the terminal.
    flexible: bool,
}

pub const fn left(heading: &'static str) -> Column {
    Column { heading, side: Side::Left, optional: false, flexible: false }
}

pub const fn right(heading: &'static str) -> Column {
    Column { heading, side: Side::Right, optional: false, flexible: false }
}

impl Column {
    pub const fn optional(self) -> Column {
        Column { optional: true, ..self }
    }

    pub const fn flexible(self) -> Column {
        Column { flexible: true, ..self }
    }
}

pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
    /// One for each row, or none at all.
    bars: Vec<u64>,
}

impl Table {
    pub fn new(columns: &[Column]) -> Table {
        Table { columns: columns.to_vec(), rows: Vec::new(), bars: Vec::new() }
    }

    /// `cells`: as many as there are columns.
    pub fn row(&mut self, cells: Vec<String>) {
        debug_assert_eq!(cells.len(), self.columns.len());
        self.rows.push(cells);
    }

    /// A row with a bar at its end where the style has bars.
    pub fn row_with_bar(&mut self, cells: Vec<String>, value: u64) {
        self.row(cells);
        self.bars.push(value);
    }

    pub fn write(mut self, style: &Style, out: &mut dyn Write) -> io::Result<()> {
        self.drop_empty_columns();
        self.cut_flexible_columns(style.width);
        let widths: Vec<usize> = (0..self.columns.len()).map(|column| self.width_of(column)).collect();
        for line in 0..self.heading_lines() {
            let cells: Vec<&str> =
                self.columns.iter().map(|column| self.heading_line(column, line)).collect();
            writeln!(out, "{}", style.heading(&self.lay_out(&cells, &widths)))?;
        }
        let taken: usize = widths.iter().map(|width| width + GAP.len()).sum();
        let bar_width = if style.bars { style.width.saturating_sub(taken).min(MOST_BAR) } else { 0 };
        let most = self.bars.iter().copied().max().unwrap_or(0);
        for (number, row) in self.rows.iter().enumerate() {
            let cells: Vec<&str> = row.iter().map(String::as_str).collect();
            let line = self.lay_out(&cells, &widths);
            let drawn = match self.bars.get(number) {
                Some(&value) if bar_width >= LEAST_BAR => bar(value, most, bar_width),
                _ => String::new(),
            };
            match drawn.as_str() {
                "" => writeln!(out, "{line}")?,
                drawn => {
                    let (begin, end) = if style.colour { ("\x1b[36m", "\x1b[0m") } else { ("", "") };
                    writeln!(out, "{line:width$}{begin}{drawn}{end}", width = taken)?;
                }
            }
        }
        Ok(())
    }

    fn drop_empty_columns(&mut self) {
        for column in (0..self.columns.len()).rev() {
            if self.columns[column].optional && self.rows.iter().all(|row| row[column] == ABSENT) {
                self.columns.remove(column);
                self.rows.iter_mut().for_each(|row| drop(row.remove(column)));
            }
        }
    }

    fn cut_flexible_columns(&mut self, width: usize) {
        let taken: usize = (0..self.columns.len()).map(|column| self.width_of(column) + GAP.len()).sum();
        let surplus = taken.saturating_sub(GAP.len()).saturating_sub(width);
        if surplus == 0 {
            return;
        }
        for column in (0..self.columns.len()).filter(|&column| self.columns[column].flexible) {
            let width = self.width_of(column).saturating_sub(surplus).max(LEAST_TEXT);
            self.rows.iter_mut().for_each(|row| cut(&mut row[column], width));
        }
    }

    fn width_of(&self, column: usize) -> usize {
        let heading = self.columns[column].heading.lines().map(str::len).max().unwrap_or(0);
        self.rows.iter().map(|row| row[column].len()).fold(heading, usize::max)
    }

    fn heading_lines(&self) -> usize {
        self.columns.iter().map(|column| column.heading.lines().count()).max().unwrap_or(0)
    }

    /// Headings stand at the bottom when others have more lines.
    fn heading_line(&self, column: &Column, line: usize) -> &'static str {
        let above = self.heading_lines() - column.heading.lines().count();
        line.checked_sub(above).and_then(|line| column.heading.lines().nth(line)).unwrap_or("")
    }

    fn lay_out(&self, cells: &[&str], widths: &[usize]) -> String {
        let mut line = String::new();
        for ((column, cell), &width) in self.columns.iter().zip(cells).zip(widths) {
            let gap = if line.is_empty() { "" } else { GAP };
            // Writing to a String does not fail.
            let _ = match column.side {
                Side::Left => write!(line, "{gap}{cell:<width$}"),
                Side::Right => write!(line, "{gap}{cell:>width$}"),
            };
        }
        line.truncate(line.trim_end().len());
        line
    }
}

const GAP: &str = "  ";
const MOST_BAR: usize = 40;
const LEAST_BAR: usize = 4;
const LEAST_TEXT: usize = 20;

/// A bar of at most `width` cells, in steps of an eighth. What is not 0 can be seen.
fn bar(value: u64, most: u64, width: usize) -> String {
    const PARTS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    if value == 0 || most == 0 {
        return String::new();
    }
    let eighths = (u128::from(value) * (width * 8) as u128).div_ceil(u128::from(most)) as usize;
    let mut bar = "█".repeat(eighths / 8);
    if !eighths.is_multiple_of(8) {
        bar.push(PARTS[eighths % 8]);
    }
    bar
}

/// Cuts a text to `width` columns and shows that it was cut. Cells are ASCII.
fn cut(cell: &mut String, width: usize) {
    const MARK: &str = "...";
    if cell.len() > width && cell.is_char_boundary(width - MARK.len()) {
        cell.truncate(width - MARK.len());
        cell.truncate(cell.trim_end().len());
        cell.push_str(MARK);
    }
}

/// What is below the table when a count is marked.
pub fn write_error_note(errors: impl Iterator<Item = u64>, out: &mut dyn Write) -> io::Result<()> {
    match errors.max() {
        None | Some(0) => Ok(()),
        Some(most) => writeln!(out, "~ may be up to {} too high", count(most)),
    }
}

/// Columns that wrapped text and help lines occupy at most.
pub(crate) const WRAP_WIDTH: usize = 80;

/// Writes words, the first line going on at column `indent`, the others beginning there.
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
        let columns =
            [left("name"), right("anomalous\ncells"), right("none").optional(), left("what").flexible()];
        let write = |width| {
            let mut table = Table::new(&columns);
            table.row(vec!["a".into(), "1".into(), "-".into(), "a text that is rather long".into()]);
            table.row(vec!["bbbbb".into(), "1,000".into(), "-".into(), "-".into()]);
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
