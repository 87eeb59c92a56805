//! Notes about the lines that were read: those that look like packets and were not counted, the interfaces, and missing
//! dates. Takes counts, gives sentences.

use std::io::{self, Write};

use super::cells::{count, plain};
use crate::query::answer::{InputCounts, InterfaceRow, SkippedBecause};

/// Most reasons in text; JSON has all.
const MAX_REASONS: usize = 3;
/// Most interfaces in text.
const MAX_INTERFACES: usize = 8;

/// Writes all notes.
pub(super) fn write(counts: &InputCounts, out: &mut dyn Write) -> io::Result<()> {
    uncounted(&counts.skipped_because, out)?;
    if let Some(undated) = counts.undated {
        let sentence = "events have no time in their lines: they count on the day of the file";
        writeln!(out, "{} {sentence}", count(undated))?;
    }
    if let Some(year) = counts.year_assumed {
        writeln!(out, "the dates have no year: the first was taken to be of {year}; --year says another")?;
    }
    interfaces(&counts.interfaces, out)
}

/// A sentence for each reason.
pub(super) fn uncounted(rows: &[SkippedBecause], out: &mut dyn Write) -> io::Result<()> {
    for row in rows.iter().take(MAX_REASONS) {
        let lines = match row.lines {
            1 => "1 line looks like a packet and was".to_string(),
            lines => format!("{} lines look like packets and were", count(lines)),
        };
        let first = match row.first_line {
            0 => "the first".to_string(),
            line => format!("the first, line {}", count(line)),
        };
        writeln!(out, "{lines} not counted: {}; {first}: {}", plain(&row.reason), plain(&row.example))?;
    }
    Ok(())
}

fn interfaces(rows: &[InterfaceRow], out: &mut dyn Write) -> io::Result<()> {
    for (outside, title) in [(true, "from outside"), (false, "from inside")] {
        let shown = rows.iter().filter(|row| row.outside == outside).take(MAX_INTERFACES);
        let text = |row: &InterfaceRow| {
            let name = if row.name.is_empty() { "no interface".to_string() } else { plain(&row.name) };
            format!("{name} {} ({})", count(row.packets), plain(&row.why))
        };
        let texts: Vec<String> = shown.map(text).collect();
        if !texts.is_empty() {
            writeln!(out, "{title}: {}", texts.join(", "))?;
        }
    }
    if !rows.is_empty() {
        writeln!(out, "another choice: --wan IFACE for WAN interfaces, --lan IFACE for LAN interfaces")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_can_be_said() {
        let interface = |name: &str, outside, packets| InterfaceRow {
            name: name.to_string(),
            outside,
            why: "the log prefix says so".to_string(),
            packets,
        };
        let counts = InputCounts {
            skipped_because: vec![SkippedBecause {
                reason: "written by 'ulog', not by the kernel".to_string(),
                lines: 4307,
                first_line: 12,
                example: "Nov 21 08:00:00 fw ulog: IN=".to_string(),
            }],
            interfaces: vec![interface("wan", true, 1200), interface("", false, 3)],
            undated: Some(7),
            year_assumed: Some(2026),
            ..InputCounts::default()
        };
        let mut out = Vec::new();
        write(&counts, &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "4,307 lines look like packets and were not counted: written by 'ulog', not by the kernel; the first, line 12: \
             Nov 21 08:00:00 fw ulog: IN=\n\
             7 events have no time in their lines: they count on the day of the file\n\
             the dates have no year: the first was taken to be of 2026; --year says another\n\
             from outside: wan 1,200 (the log prefix says so)\n\
             from inside: no interface 3 (the log prefix says so)\n\
             another choice: --wan IFACE for WAN interfaces, --lan IFACE for LAN interfaces\n"
        );
    }
}
