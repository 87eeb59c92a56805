//! The report as plain text. Takes a [`Document`], gives printable lines.

use std::io::{self, Write};

use super::super::cells::count;
use super::document::{Bar, Document, Part, Table};

/// The longest bar.
const BAR: usize = 40;

/// Writes the report.
pub(super) fn write(document: &Document, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}\n\n{}", safe(&document.title), document.headline)?;
    for section in &document.sections {
        writeln!(out, "\n{}", section.title)?;
        for part in &section.parts {
            match part {
                Part::List(lines) => lines.iter().try_for_each(|line| writeln!(out, "{}", safe(line)))?,
                Part::Paragraph(text) | Part::Note(text) => writeln!(out, "{}", safe(text))?,
                Part::Bars(bars) => write_bars(bars, out)?,
                Part::Table(table) => write_table(table, out)?,
                Part::Advice(rows) => {
                    for row in rows {
                        let protocol = safe(&row.protocol).to_ascii_uppercase();
                        writeln!(out, "{protocol} {}: {}", row.port, safe(document.advice(row)))?;
                    }
                }
            }
        }
    }
    Ok(())
}

/// Numbers first, since names vary in length.
fn write_table(table: &Table, out: &mut dyn Write) -> io::Result<()> {
    for row in &table.rows {
        let mut names = Vec::new();
        for ((_, width), cell) in table.columns.iter().zip(row) {
            match width {
                None => names.push(safe(cell)),
                Some(0) => {}
                Some(width) => write!(out, "{cell:>width$}  ")?,
            }
        }
        writeln!(out, "{}", names.join(" "))?;
    }
    Ok(())
}

fn write_bars(bars: &[Bar], out: &mut dyn Write) -> io::Result<()> {
    let most = bars.iter().map(|bar| bar.attempts).max().unwrap_or(0);
    for Bar { name, attempts, .. } in bars {
        let length = (*attempts as f64 / most as f64 * BAR as f64).ceil() as usize;
        // An hour is shown without minutes.
        let name = name.trim_end_matches(":00");
        writeln!(out, "{}", format!("{name}  {:>11}  {}", count(*attempts), "#".repeat(length)).trim_end())?;
    }
    Ok(())
}

/// Text without control characters.
fn safe(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
