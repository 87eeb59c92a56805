//! All about one source, as text.

use std::io::{self, Write};

use super::table_layout::{Style, count_or_absent, count_with_error, plain, write_error_note};
use super::tables::{completeness, day_rows, hour_rows, lines, no_data, section, service_rows, yes_or_no};
use crate::query::answer::SourceAnswer;

pub fn source(answer: &SourceAnswer, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let row = &answer.row;
    writeln!(out, "{}", style.heading(&format!("Source {}", plain(&row.address))))?;
    if row.attempts == 0 {
        no_data("nothing of this source was counted in the range", out)?;
    } else {
        writeln!(out, "{:<10}  {}", style.counted, count_with_error(row.attempts, row.error))?;
    }
    if row.services.is_some() {
        writeln!(out, "services    {}", count_or_absent(row.services))?;
    }
    for (name, value) in
        [("first seen", &row.first_seen), ("last seen", &row.last_seen), ("country", &row.country)]
    {
        if let Some(value) = value {
            writeln!(out, "{name:<10}  {}", plain(value))?;
        }
    }
    write_block(answer, out)?;
    write_error_note(std::iter::once(row.error), out)?;
    if !answer.top_services.is_empty() {
        section("Services", style, out)?;
        service_rows(&answer.top_services, Some(row.attempts), style, out)?;
    }
    if !answer.hours.is_empty() {
        section("Hours of the day", style, out)?;
        hour_rows(&answer.hours, style, out)?;
    }
    if !answer.days.is_empty() {
        section("Days", style, out)?;
        day_rows(&answer.days, style, out)?;
    }
    if let Some(evidence) = answer.evidence.as_ref().filter(|evidence| !evidence.is_empty()) {
        section("Log lines", style, out)?;
        lines(evidence, style, out)?;
    }
    completeness(&answer.completeness, style, out)
}

fn write_block(answer: &SourceAnswer, out: &mut dyn Write) -> io::Result<()> {
    match (&answer.block, answer.row.blocked) {
        (Some(block), _) => {
            let [since, expires, reason] =
                [&block.since, &block.expires, &block.reason].map(|text| plain(text));
            writeln!(out, "blocked     since {since} until {expires}: {reason}")
        }
        (None, Some(blocked)) => writeln!(out, "blocked     {}", yes_or_no(blocked)),
        (None, None) => Ok(()),
    }
}
