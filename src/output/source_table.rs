//! The answer to `source` as text.

use std::io::{self, Write};

use super::cells::{count_or_absent, count_with_error, plain, time};
use super::event_tables::expires;
use super::table_layout::{Style, no_data, write_error_note};
use super::tables::{advice_rows, day_rows, hour_rows, lines, section_of, service_rows, yes_or_no};
use crate::query::answer::SourceAnswer;

/// Everything about one source.
pub(super) fn source(answer: &SourceAnswer, style: &Style, out: &mut dyn Write) -> io::Result<()> {
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
    for (name, value) in [("first seen", &row.first_seen), ("last seen", &row.last_seen)] {
        if value.is_some() {
            writeln!(out, "{name:<10}  {}", time(value.as_deref()))?;
        }
    }
    if let Some(country) = &row.country {
        writeln!(out, "country     {}", plain(country))?;
    }
    if let Some(asn) = row.asn {
        let name = answer.as_name.as_ref().map_or(String::new(), |name| format!(" {}", plain(name)));
        writeln!(out, "network     AS{asn}{name}")?;
    }
    write_block(answer, out)?;
    write_error_note(std::iter::once(row.error), out)?;
    section_of("Services", &answer.top_services, style, out, |rows, style, out| {
        service_rows(rows, Some(row.attempts), style, out)?;
        advice_rows(answer.advice.as_deref(), out)
    })?;
    section_of("Hours of the day", &answer.hours, style, out, hour_rows)?;
    section_of("Days", &answer.days, style, out, day_rows)?;
    section_of("Log lines", answer.evidence.as_deref().unwrap_or_default(), style, out, lines)
}

fn write_block(answer: &SourceAnswer, out: &mut dyn Write) -> io::Result<()> {
    match (&answer.block, answer.row.blocked) {
        (Some(block), _) => {
            let (since, expires) = (time(Some(&block.since)), expires(block.expires.as_deref()));
            let reason = plain(&block.reason);
            writeln!(out, "blocked     since {since} until {expires}: {reason}")
        }
        (None, Some(blocked)) => writeln!(out, "blocked     {}", yes_or_no(blocked)),
        (None, None) => Ok(()),
    }
}
