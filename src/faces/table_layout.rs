//! How tables are laid out: columns, numbers, bars, colours, and text from data made harmless.
//!
//! Takes cells, gives lines. A cell that was not measured is `-`.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};

/// How to show an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Style {
    /// Lines are cut and bars are sized to this many columns.
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
}

pub const fn left(heading: &'static str) -> Column {
    Column { heading, side: Side::Left, optional: false }
}

pub const fn right(heading: &'static str) -> Column {
    Column { heading, side: Side::Right, optional: false }
}

impl Column {
    pub const fn optional(self) -> Column {
        Column { optional: true, ..self }
    }
}

/// What was not measured.
pub const ABSENT: &str = "-";

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
        let widths: Vec<usize> = (0..self.columns.len()).map(|column| self.width_of(column)).collect();
        for line in 0..self.heading_lines() {
            let cells: Vec<&str> =
                self.columns.iter().map(|column| self.heading_line(column, line)).collect();
            writeln!(out, "{}", style.heading(cut(&self.lay_out(&cells, &widths), style.width)))?;
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
                "" => writeln!(out, "{}", cut(&line, style.width))?,
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

/// A bar of at most `width` cells, in steps of an eighth. What is not 0 can be seen.
fn bar(value: u64, most: u64, width: usize) -> String {
    const PARTS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    if value == 0 || most == 0 {
        return String::new();
    }
    let eighths = (u128::from(value) * (width * 8) as u128).div_ceil(u128::from(most)) as usize;
    let mut bar = "█".repeat(eighths / 8);
    if eighths % 8 > 0 {
        bar.push(PARTS[eighths % 8]);
    }
    bar
}

/// The first `width` columns. Lines are ASCII but for bars, which are sized to fit.
pub fn cut(line: &str, width: usize) -> &str {
    line.get(..width).unwrap_or(line)
}

/// 1,234,567
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

pub fn count_or_absent(number: Option<u64>) -> String {
    number.map_or(ABSENT.to_string(), count)
}

/// A count that may be too high is marked.
pub fn count_with_error(number: u64, error: u64) -> String {
    let mark = if error > 0 { "~" } else { "" };
    format!("{mark}{}", count(number))
}

/// What is below the table when a count is marked.
pub fn write_error_note(errors: impl Iterator<Item = u64>, out: &mut dyn Write) -> io::Result<()> {
    match errors.max() {
        None | Some(0) => Ok(()),
        Some(most) => writeln!(out, "~ may be up to {} too high", count(most)),
    }
}

/// A mean: whole from 100 on, else with one decimal.
pub fn mean(number: f64) -> String {
    if !number.is_finite() || number < 0.0 {
        ABSENT.to_string()
    } else if number >= 99.95 {
        count(number.round() as u64)
    } else {
        format!("{number:.1}")
    }
}

/// x1.73
pub fn ratio(ratio: Option<f64>) -> String {
    match ratio {
        Some(ratio) if ratio.is_finite() && ratio >= 0.0 => format!("x{ratio:.2}"),
        _ => ABSENT.to_string(),
    }
}

/// A ratio as the change that it means: +73 %.
pub fn change(ratio: f64) -> String {
    if !ratio.is_finite() || ratio < 0.0 {
        return ABSENT.to_string();
    }
    let percent = ((ratio - 1.0) * 100.0).round();
    let sign = if percent < 0.0 { "-" } else { "+" };
    format!("{sign}{} %", count(percent.abs() as u64))
}

/// Text that came in from outside, such that a terminal shows it and obeys nothing in it:
/// printable ASCII as it is, all else escaped.
pub fn plain(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        let _ = match c {
            ' '..='~' => {
                safe.push(c);
                Ok(())
            }
            '\t' => safe.write_str("\\t"),
            '\n' => safe.write_str("\\n"),
            '\r' => safe.write_str("\\r"),
            '\0'..='\x7f' => write!(safe, "\\x{:02x}", c as u32),
            _ => write!(safe, "\\u{{{:x}}}", c as u32),
        };
    }
    safe
}

pub fn plain_or_absent(text: Option<&str>) -> String {
    text.map_or(ABSENT.to_string(), plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_separators() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_234_567, "1,234,567"),
            (u64::MAX, "18,446,744,073,709,551,615"),
        ] {
            assert_eq!(count(number), text);
        }
    }

    #[test]
    fn ratios_and_means_that_are_none_are_absent() {
        assert_eq!((ratio(Some(1.7321)).as_str(), change(1.7321).as_str()), ("x1.73", "+73 %"));
        assert_eq!(
            (change(0.25).as_str(), change(1.0).as_str(), change(41.0).as_str()),
            ("-75 %", "+0 %", "+4,000 %")
        );
        for odd in [f64::NAN, f64::INFINITY, -1.0] {
            assert_eq!([ratio(Some(odd)), change(odd), mean(odd)], ["-", "-", "-"]);
        }
        assert_eq!([mean(0.04), mean(99.94), mean(99.96), mean(5489.6)], ["0.0", "99.9", "100", "5,490"]);
    }

    #[test]
    fn nothing_in_a_text_reaches_the_terminal_as_a_command() {
        assert_eq!(
            plain("a\x1b[2J\x07\x7f\r\n\t\u{9b}5\u{202e}é"),
            "a\\x1b[2J\\x07\\x7f\\r\\n\\t\\u{9b}5\\u{202e}\\u{e9}"
        );
        for c in (0..=0x10_ffff).filter_map(char::from_u32) {
            assert!(plain(&c.to_string()).bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        }
    }

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
    fn columns_are_aligned_cut_and_dropped_when_nothing_is_in_them() {
        let mut table =
            Table::new(&[left("name"), right("anomalous\ncells"), right("none").optional(), left("what")]);
        table.row(vec!["a".into(), "1".into(), "-".into(), "long text".into()]);
        table.row(vec!["bbbbb".into(), "1,000".into(), "-".into(), "-".into()]);
        let mut out = Vec::new();
        table.write(&Style { width: 22, ..Style::PLAIN }, &mut out).unwrap();
        let lines: Vec<_> = std::str::from_utf8(&out).unwrap().lines().collect();
        assert_eq!(
            lines,
            ["       anomalous", "name       cells  what", "a              1  long", "bbbbb      1,000  -"]
        );
    }
}
