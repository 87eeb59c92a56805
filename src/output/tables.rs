//! The answers as text: one table for each question.
//!
//! Takes the answer structs, gives tables. Computes no figure, and escapes every text from outside.

use std::io::{self, Write};

use super::anomaly_table::anomaly_rows;
use super::cells::{
    ABSENT, about, count, count_or_absent, count_with_error, mean, percent, plain, plain_or_absent, ratio,
    time,
};
use super::input_notes;
use super::status_table::status;
use super::summary_table::summary;
pub use super::summary_table::{Report, report};
pub use super::table_layout::Style;
use super::table_layout::{Filled, Table, left, no_data, right, write_error_note, write_wrapped};
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
fn advice_rows(rows: Option<&[AdviceRow]>, out: &mut dyn Write) -> io::Result<()> {
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
fn day_rows(rows: &[DayRow], style: &Style, out: &mut dyn Write) -> io::Result<()> {
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
fn hour_rows(rows: &[HourRow], style: &Style, out: &mut dyn Write) -> io::Result<()> {
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

/// Attempts by rule and by zone, and the destinations of forwarded ones.
fn rules(answer: &RulesAnswer, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let zone = |zone: &Option<String>| plain_or_absent(zone.as_deref());
    let columns: &[Filled<'_, RuleRow>] = &[
        (left("log prefix").flexible(), &|row| match &*row.prefix {
            "" => ABSENT.to_string(),
            prefix => plain(prefix),
        }),
        (left("interface").optional(), &|row| plain_or_absent(row.interface.as_deref())),
        (left("zone").optional(), &|row| zone(&row.zone)),
        (right(style.counted), &|row| count(row.attempts)),
    ];
    Table::of(&answer.rules, columns).write_or("no rule fits", style, out)?;
    let has_rules = !answer.rules.is_empty();
    if has_rules && answer.zones.iter().any(|row| row.zone.is_some()) {
        section("Zones", style, out)?;
        let columns: &[Filled<'_, ZoneRow>] =
            &[(left("zone"), &|row| zone(&row.zone)), (right(style.counted), &|row| count(row.attempts))];
        Table::of(&answer.zones, columns).write(style, out)?;
    }
    if has_rules && !answer.targets.is_empty() {
        section("Forwarded to", style, out)?;
        let columns: &[Filled<'_, TargetRow>] = &[
            (left("address"), &|row| plain(&row.address)),
            (left("protocol"), &|row| plain(&row.protocol)),
            (right("port"), &|row| port(row.port)),
            (left("name").optional(), &|row| plain_or_absent(row.name.as_deref())),
            (right(style.counted), &|row| count_with_error(row.attempts, row.error)),
        ];
        Table::of(&answer.targets, columns).write(style, out)?;
        write_error_note(answer.targets.iter().map(|row| row.error), out)?;
    }
    Ok(())
}

/// The events of `recent`, one a line.
fn recent(answer: &RecentAnswer, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let columns: &[Filled<'_, EventRow>] = &[
        (left("time"), &|row| time(Some(&row.time))),
        (left("class"), &|row| plain(&row.class)),
        (left("verdict"), &|row| plain(&row.verdict)),
        (left("zone").optional(), &|row| plain_or_absent(row.zone.as_deref())),
        (left("source"), &|row| plain(&row.source)),
        (left("protocol"), &|row| plain(&row.protocol)),
        (right("port"), &|row| port(row.port)),
        (left("line"), &|row| plain(&row.line)),
    ];
    Table::of(&answer.events, columns).write_or("no matching event is stored", style, out)?;
    writeln!(out, "newer ones: --cursor {}", answer.cursor)
}

/// The blocks in force with their evidence, and those that ended.
fn blocks(answer: &BlocksAnswer, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let columns: &[Filled<'_, BlockRow>] = &[
        (left("address"), &|row| plain(&row.address)),
        (left("since"), &|row| time(Some(&row.since))),
        (left("expires"), &|row| expires(row.expires.as_deref())),
        (right("times"), &|row| row.times.to_string()),
        (left("rule"), &|row| plain(&row.rule)),
        (right("count"), &|row| count(row.count)),
        (left("within"), &|row| plain(&row.window)),
        (left("reason"), &|row| reason(row.dry, row.pending, &row.reason)),
    ];
    Table::of(&answer.blocks, columns).write_or("nothing is blocked", style, out)?;
    for row in &answer.blocks {
        let heading = format!("Evidence against {}", plain(&row.address));
        section_of(&heading, &row.evidence, style, out, lines)?;
    }
    let columns: &[Filled<'_, EndedRow>] = &[
        (left("address"), &|row| plain(&row.address)),
        (left("since"), &|row| time(Some(&row.since))),
        (left("ended"), &|row| time(Some(&row.ended))),
        (left("because"), &|row| plain(&row.because)),
        (right("times"), &|row| row.times.to_string()),
        (left("rule"), &|row| plain(&row.rule)),
        (left("reason"), &|row| reason(row.dry, false, &row.reason)),
    ];
    let history = answer.history.as_deref().unwrap_or_default();
    section_of("Ended", history, style, out, |rows, style, out| Table::of(rows, columns).write(style, out))
}

/// When a block ends.
fn expires(instant: Option<&str>) -> String {
    instant.map_or("never".to_string(), |instant| time(Some(instant)))
}

fn reason(dry: bool, pending: bool, reason: &str) -> String {
    match (dry, pending) {
        (true, _) => format!("(dry run) {}", plain(reason)),
        (false, true) => format!("(not in the kernel yet) {}", plain(reason)),
        (false, false) => plain(reason),
    }
}

/// Everything about one source.
fn source(answer: &SourceAnswer, style: &Style, out: &mut dyn Write) -> io::Result<()> {
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
