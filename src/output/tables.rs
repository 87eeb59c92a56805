//! The answers as text for people: one table for each question.
//!
//! Takes the answer structs, computes no figure, escapes every text that came in from outside.

use std::io::{self, Write};

use super::anomaly_table::anomaly_rows;
use super::cells::{
    ABSENT, about, count, count_or_absent, count_with_error, mean, plain, plain_or_absent, ratio, time,
};
pub use super::event_tables::{blocks, recent};
use super::input_notes;
pub use super::rules_table::rules;
pub use super::source_table::source;
pub use super::status_table::status;
pub use super::summary_table::{report, summary};
pub use super::table_layout::Style;
use super::table_layout::{Table, left, right, write_error_note};
use crate::event::Class;
use crate::event::services;
use crate::query::answer::*;
use crate::record;

record! {
    /// The answers of one report; `report --json` prints this very object.
    pub struct Report {
        pub summary: SummaryAnswer,
        pub months: MonthsAnswer,
        pub days: DaysAnswer,
        pub services: ServicesAnswer,
        pub sources: SourcesAnswer,
        pub anomalies: AnomaliesAnswer,
        pub hours: HoursAnswer,
        pub rules: RulesAnswer,
        pub input: InputCounts,
    }
}

/// What the events of a class are called in headings, for [`Style`].
pub fn counted(class: Class) -> &'static str {
    match class {
        Class::Attempt => "attempts",
        Class::Backscatter | Class::Noise | Class::Egress => "packets",
        Class::Login => "logins",
    }
}

/// `total`: the attempts in all, for each service's share; without it there is no share.
pub fn services(
    answer: &ServicesAnswer,
    total: Option<u64>,
    style: &Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    if answer.services.is_empty() {
        no_data("no service fits", out)?;
    } else {
        service_rows(&answer.services, total, style, out)?;
    }
    advice_rows(answer.advice.as_deref(), out)?;
    completeness(&answer.completeness, style, out)
}

pub(super) fn service_rows(
    rows: &[ServiceRow],
    total: Option<u64>,
    style: &Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut table = Table::new(&[
        left("protocol"),
        right("port"),
        left("name").optional(),
        right(style.counted),
        right("share").optional(),
        right("sources").optional(),
        left("usually wanted").optional().flexible(),
    ]);
    for row in rows {
        let share = total.filter(|total| *total > 0).map(|total| row.attempts as f64 / total as f64 * 100.0);
        table.row(vec![
            plain(&row.protocol),
            port(row.port),
            plain_or_absent(row.name.as_deref()),
            count_with_error(row.attempts, row.error),
            share.map_or(ABSENT.to_string(), |share| format!("{share:.1} %")),
            about(row.unique_sources, row.unique_sources_error),
            wanted(row, style).to_string(),
        ]);
    }
    table.write(style, out)?;
    write_error_note(rows.iter().map(|row| row.error), out)
}

/// What attacks on the service usually want. Stray replies and packets from inside are no attacks.
fn wanted(row: &ServiceRow, style: &Style) -> &'static str {
    if style.counted != counted(Class::Attempt) {
        return ABSENT;
    }
    let protocol = services::protocol_number(&row.protocol);
    let known = protocol.zip(row.port).and_then(|(protocol, port)| services::look_up(protocol, port));
    known.map_or(ABSENT, |known| known.wants)
}

/// What to know and do about known ports, wrapped for a terminal.
pub(super) fn advice_rows(rows: Option<&[AdviceRow]>, out: &mut dyn Write) -> io::Result<()> {
    for row in rows.unwrap_or_default() {
        writeln!(out, "\n{} {}:", plain(&row.protocol).to_ascii_uppercase(), row.port)?;
        super::table_layout::write_wrapped(&plain(&row.en), 0, out)?;
        super::table_layout::write_wrapped(&plain(&format!("Sources: {}", row.sources)), 0, out)?;
    }
    Ok(())
}

pub fn sources(answer: &SourcesAnswer, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    if answer.sources.is_empty() {
        no_data("no source fits", out)?;
    } else {
        source_rows(&answer.sources, style, out)?;
    }
    completeness(&answer.completeness, style, out)
}

pub(super) fn source_rows(rows: &[SourceRow], style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new(&[
        left("address"),
        right(style.counted),
        right("services").optional(),
        left("first seen").optional(),
        left("last seen").optional(),
        left("country").optional(),
        left("AS").optional(),
        left("blocked").optional(),
    ]);
    for row in rows {
        table.row(vec![
            plain(&row.address),
            count_with_error(row.attempts, row.error),
            count_or_absent(row.services),
            time(row.first_seen.as_deref()),
            time(row.last_seen.as_deref()),
            plain_or_absent(row.country.as_deref()),
            row.asn.map_or(ABSENT.to_string(), |asn| asn.to_string()),
            row.blocked.map_or(ABSENT, yes_or_no).to_string(),
        ]);
    }
    table.write(style, out)?;
    write_error_note(rows.iter().map(|row| row.error), out)
}

pub fn days(answer: &DaysAnswer, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    if answer.days.is_empty() {
        no_data("nothing was counted on any day of the range", out)?;
    } else {
        day_rows(&answer.days, style, out)?;
    }
    completeness(&answer.completeness, style, out)
}

pub(super) fn day_rows(rows: &[DayRow], style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new(&[left("date"), right(style.counted), right("sources").optional()]);
    for row in rows {
        let cells = vec![row.date.to_string(), count(row.attempts), count_or_absent(row.unique_sources)];
        table.row_with_bar(cells, row.attempts);
    }
    table.write(style, out)
}

pub fn months(answer: &MonthsAnswer, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    if answer.months.is_empty() {
        no_data("nothing was counted in any month of the range", out)?;
        return completeness(&answer.completeness, style, out);
    }
    let mut table = Table::new(&[
        left("month"),
        right("days"),
        right(style.counted),
        right("per day"),
        right("vs year\nbefore").optional(),
        right("anomalous\ncells").optional(),
        right("per day\nusual").optional(),
        right("vs year\nusual").optional(),
        right("sources").optional(),
    ]);
    for row in &answer.months {
        let cells = vec![
            row.month.to_string(),
            count(row.days.into()),
            count(row.attempts),
            mean(row.attempts_per_day),
            ratio(row.year_over_year),
            count_or_absent(row.anomalous),
            row.attempts_per_day_usual.map_or(ABSENT.to_string(), mean),
            ratio(row.year_over_year_usual),
            count_or_absent(row.unique_sources),
        ];
        table.row_with_bar(cells, (row.attempts_per_day * 10.0) as u64);
    }
    table.write(style, out)?;
    if answer.months.iter().any(|row| row.attempts_per_day_usual.is_some()) {
        writeln!(out, "usual: without the anomalous cells (one service on one day)")?;
    }
    completeness(&answer.completeness, style, out)
}

pub fn hours(answer: &HoursAnswer, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    if answer.hours.is_empty() {
        no_data("no hours are kept for the range", out)?;
    } else {
        hour_rows(&answer.hours, style, out)?;
    }
    completeness(&answer.completeness, style, out)
}

pub(super) fn hour_rows(rows: &[HourRow], style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new(&[right("hour"), right(style.counted)]);
    for row in rows {
        table.row_with_bar(vec![format!("{:02}", row.hour), count(row.attempts)], row.attempts);
    }
    table.write(style, out)
}

pub fn countries(answer: &CountriesAnswer, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    if answer.countries.is_empty() {
        no_data("no source fits", out)?;
    } else {
        let mut table = Table::new(&[left("country"), right(style.counted), right("sources").optional()]);
        for row in &answer.countries {
            let sources = about(row.unique_sources, row.unique_sources_error);
            table.row(vec![plain(&row.country), count(row.attempts), sources]);
        }
        table.write(style, out)?;
    }
    completeness(&answer.completeness, style, out)
}

pub fn asns(answer: &AsnsAnswer, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    if answer.asns.is_empty() {
        no_data("no source fits", out)?;
    } else {
        let columns = [left("AS"), left("name").optional(), right(style.counted), right("sources")];
        let mut table = Table::new(&columns);
        for row in &answer.asns {
            let asn = row.asn.map_or("unknown".to_string(), |asn| asn.to_string());
            let name = plain_or_absent(row.name.as_deref());
            table.row(vec![asn, name, count(row.attempts), count(row.listed_sources)]);
        }
        table.write(style, out)?;
    }
    if let Some(covers) = answer.covers.filter(|covers| *covers < 1.0) {
        writeln!(out, "of the sources that have rows: {:.0} % of the {}", covers * 100.0, style.counted)?;
    }
    completeness(&answer.completeness, style, out)
}

pub fn anomalies(answer: &AnomaliesAnswer, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    if answer.anomalies.is_empty() {
        no_data("no service was anomalous on any day", out)?;
    } else {
        anomaly_rows(&answer.anomalies, style, out)?;
    }
    completeness(&answer.completeness, style, out)
}

/// What became of the lines of an import or report.
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

pub(super) fn lines(lines: &[String], out: &mut dyn Write) -> io::Result<()> {
    lines.iter().try_for_each(|line| writeln!(out, "{}", plain(line)))
}

/// A line that says why there are no rows.
pub(super) fn no_data(why: &str, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "no data: {why}")
}

pub(super) fn completeness(
    completeness: &Completeness,
    style: &Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    if completeness.complete {
        return Ok(());
    }
    let reason = completeness.incomplete_because.as_deref().unwrap_or("the reason is not known");
    writeln!(out, "{}", style.heading(&format!("incomplete: {}", plain(reason))))
}

pub(super) fn yes_or_no(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

/// `-` for a service without a port.
pub(super) fn port(port: Option<u16>) -> String {
    port.map_or(ABSENT.to_string(), |port| port.to_string())
}

#[cfg(test)]
mod tests;
