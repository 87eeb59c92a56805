//! The answers as text: one table for each question.
//!
//! Takes the answer structs, gives tables. Computes no figure, and escapes every text from outside.

use std::io::{self, Write};

use super::anomaly_table::anomaly_rows;
use super::cells::{
    ABSENT, about, count, count_or_absent, count_with_error, mean, percent, plain, plain_or_absent, ratio,
    time,
};
use super::event_tables::{blocks, recent};
use super::input_notes;
use super::rules_table::rules;
use super::source_table::source;
use super::status_table::status;
use super::summary_table::summary;
pub use super::summary_table::{Report, report};
pub use super::table_layout::Style;
use super::table_layout::{Filled, Table, left, right, write_error_note, write_wrapped};
use crate::event::Class;
use crate::query::answer::*;

/// The name of a class's events in headings, for [`Style`].
pub fn counted(class: Class) -> &'static str {
    match class {
        Class::Attempt => "attempts",
        Class::Backscatter | Class::Noise | Class::Egress => "packets",
        Class::Login => "logins",
    }
}

/// An answer as text for people, and why it is incomplete.
pub fn write_answer(answer: &Answer, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    table(answer, None, style, out)?;
    completeness(answer.completeness(), style, out)
}

/// An answer as text. `total`: the attempts in all, for each service's share; without it there is no share.
pub(super) fn table(
    answer: &Answer,
    total: Option<u64>,
    style: &Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    match answer {
        Answer::Summary(answer) => summary(answer, style, out),
        Answer::Services(answer) => {
            service_rows(&answer.services, total, style, out)?;
            advice_rows(answer.advice.as_deref(), out)
        }
        Answer::Sources(answer) => source_rows(&answer.sources, style, out),
        Answer::Source(answer) => source(answer, style, out),
        Answer::Hours(answer) => hour_rows(&answer.hours, style, out),
        Answer::Days(answer) => day_rows(&answer.days, style, out),
        Answer::Months(answer) => months(&answer.months, style, out),
        Answer::Countries(answer) => countries(&answer.countries, style, out),
        Answer::Asns(answer) => asns(answer, style, out),
        Answer::Rules(answer) => rules(answer, style, out),
        Answer::Anomalies(answer) => anomaly_rows(&answer.anomalies, style, out),
        Answer::Recent(answer) => recent(answer, style, out),
        Answer::Blocks(answer) => blocks(answer, style, out),
        Answer::Status(answer) => status(answer, style, out),
    }
}

/// The rows of services; `total` as of [`table`].
pub(super) fn service_rows(
    rows: &[ServiceRow],
    total: Option<u64>,
    style: &Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let total = total.filter(|total| *total > 0);
    let share = |row: &ServiceRow| total.map_or(ABSENT.to_string(), |total| percent(row.attempts, total));
    let columns: &[Filled<'_, ServiceRow>] = &[
        (left("protocol"), &|row| plain(&row.protocol)),
        (right("port"), &|row| port(row.port)),
        (left("name").optional(), &|row| plain_or_absent(row.name.as_deref())),
        (right(style.counted), &|row| count_with_error(row.attempts, row.error)),
        (right("share").optional(), &share),
        (right("sources").optional(), &|row| about(row.unique_sources, row.unique_sources_error)),
        (left("usually wanted").optional().flexible(), &|row| wanted(row, style)),
    ];
    Table::of(rows, columns).write_or("no matching service", style, out)?;
    write_error_note(rows.iter().map(|row| row.error), out)
}

/// What attacks on the service usually want; [`ABSENT`] for other classes than attempts.
fn wanted(row: &ServiceRow, style: &Style) -> String {
    let is_of_attempts = style.counted == counted(Class::Attempt);
    plain_or_absent(row.wants.as_deref().filter(|_| is_of_attempts))
}

/// The advice about known ports, wrapped for a terminal.
pub(super) fn advice_rows(rows: Option<&[AdviceRow]>, out: &mut dyn Write) -> io::Result<()> {
    for row in rows.unwrap_or_default() {
        writeln!(out, "\n{} {}:", plain(&row.protocol).to_ascii_uppercase(), row.port)?;
        write_wrapped(&plain(&row.en), 0, out)?;
        write_wrapped(&plain(&format!("Sources: {}", row.sources)), 0, out)?;
    }
    Ok(())
}

/// The rows of sources.
pub(super) fn source_rows(rows: &[SourceRow], style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let columns: &[Filled<'_, SourceRow>] = &[
        (left("address"), &|row| plain(&row.address)),
        (right(style.counted), &|row| count_with_error(row.attempts, row.error)),
        (right("services").optional(), &|row| count_or_absent(row.services)),
        (left("first seen").optional(), &|row| time(row.first_seen.as_deref())),
        (left("last seen").optional(), &|row| time(row.last_seen.as_deref())),
        (left("country").optional(), &|row| plain_or_absent(row.country.as_deref())),
        (left("AS").optional(), &|row| row.asn.map_or(ABSENT.to_string(), |asn| asn.to_string())),
        (left("blocked").optional(), &|row| row.blocked.map_or(ABSENT, yes_or_no).to_string()),
    ];
    Table::of(rows, columns).write_or("no matching source", style, out)?;
    write_error_note(rows.iter().map(|row| row.error), out)
}

/// The rows of days, with bars.
pub(super) fn day_rows(rows: &[DayRow], style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let columns: &[Filled<'_, DayRow>] = &[
        (left("date"), &|row| row.date.to_string()),
        (right(style.counted), &|row| count(row.attempts)),
        (right("sources").optional(), &|row| count_or_absent(row.unique_sources)),
    ];
    let table = Table::of(rows, columns).with_bars(rows.iter().map(|row| row.attempts));
    table.write_or("nothing was counted on any day of the range", style, out)
}

/// The rows of months; their bars are attempts per day.
fn months(rows: &[MonthRow], style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let usual = |row: &MonthRow| row.attempts_per_day_usual.map_or(ABSENT.to_string(), mean);
    let columns: &[Filled<'_, MonthRow>] = &[
        (left("month"), &|row| row.month.to_string()),
        (right("days"), &|row| count(row.days.into())),
        (right(style.counted), &|row| count(row.attempts)),
        (right("per day"), &|row| mean(row.attempts_per_day)),
        (right("vs year\nbefore").optional(), &|row| ratio(row.year_over_year)),
        (right("anomalies").optional(), &|row| count_or_absent(row.anomalous)),
        (right("per day\nusual").optional(), &usual),
        (right("vs year\nusual").optional(), &|row| ratio(row.year_over_year_usual)),
        (right("sources").optional(), &|row| count_or_absent(row.unique_sources)),
    ];
    let bars = rows.iter().map(|row| (row.attempts_per_day * 10.0) as u64);
    let table = Table::of(rows, columns).with_bars(bars);
    table.write_or("nothing was counted in any month of the range", style, out)?;
    if rows.iter().any(|row| row.attempts_per_day_usual.is_some()) {
        let usual = "usual: without the anomalies (services with far more attempts on a day than on others)";
        writeln!(out, "{usual}")?;
    }
    Ok(())
}

/// The rows of hours, with bars.
pub(super) fn hour_rows(rows: &[HourRow], style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let columns: &[Filled<'_, HourRow>] = &[
        (right("hour"), &|row| format!("{:02}", row.hour)),
        (right(style.counted), &|row| count(row.attempts)),
    ];
    let table = Table::of(rows, columns).with_bars(rows.iter().map(|row| row.attempts));
    table.write_or("no hours are stored for the range", style, out)
}

fn countries(rows: &[CountryRow], style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let columns: &[Filled<'_, CountryRow>] = &[
        (left("country"), &|row| plain(&row.country)),
        (right(style.counted), &|row| count(row.attempts)),
        (right("sources").optional(), &|row| about(row.unique_sources, row.unique_sources_error)),
    ];
    Table::of(rows, columns).write_or("no matching source", style, out)
}

/// The autonomous systems, and how much of the attempts they cover.
fn asns(answer: &AsnsAnswer, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let columns: &[Filled<'_, AsnRow>] = &[
        (left("AS"), &|row| row.asn.map_or("unknown".to_string(), |asn| asn.to_string())),
        (left("name").optional(), &|row| plain_or_absent(row.name.as_deref())),
        (right(style.counted), &|row| count(row.attempts)),
        (right("sources"), &|row| count(row.listed_sources)),
    ];
    Table::of(&answer.asns, columns).write_or("no matching source", style, out)?;
    if let Some(covers) = answer.covers.filter(|covers| *covers < 1.0) {
        let percent = (covers * 100.0).round() as u64;
        writeln!(out, "of the sources that have rows: {percent} % of the {}", style.counted)?;
    }
    Ok(())
}

/// The results of parsing the lines of an import or report.
pub fn input(counts: &InputCounts, out: &mut dyn Write) -> io::Result<()> {
    let InputCounts { lines, events, malformed, duplicates, skipped, .. } = *counts;
    let [lines, events, malformed, duplicates, skipped] =
        [lines, events, malformed, duplicates, skipped].map(count);
    writeln!(
        out,
        "lines {lines}, events {events}, malformed {malformed}, duplicates {duplicates}, skipped {skipped}"
    )?;
    input_notes::write(counts, out)
}

/// A blank line and a heading.
pub(super) fn section(heading: &str, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\n{}", style.heading(heading))
}

/// A heading, and below it what `write` makes of the rows; nothing without rows.
pub(super) fn section_of<R>(
    heading: &str,
    rows: &[R],
    style: &Style,
    out: &mut dyn Write,
    write: impl FnOnce(&[R], &Style, &mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    section(heading, style, out)?;
    write(rows, style, out)
}

/// Log lines, escaped.
pub(super) fn lines(lines: &[String], _: &Style, out: &mut dyn Write) -> io::Result<()> {
    lines.iter().try_for_each(|line| writeln!(out, "{}", plain(line)))
}

/// Why an answer is incomplete; nothing if it is complete.
pub(super) fn completeness(answer: &Completeness, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    if answer.complete {
        return Ok(());
    }
    let reason = answer.incomplete_because.as_deref().unwrap_or("the reason is not known");
    writeln!(out, "{}", style.heading(&format!("incomplete: {}", plain(reason))))
}

/// `yes` or `no`.
pub(super) fn yes_or_no(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

/// `-` for a service without a port.
pub(super) fn port(port: Option<u16>) -> String {
    port.map_or(ABSENT.to_string(), |port| port.to_string())
}

#[cfg(test)]
mod tests;
