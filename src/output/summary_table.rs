//! The answer to `summary`, and the report of log files, as text.

use std::io::{self, Write};

use super::anomaly_table::anomaly_rows;
use super::cells::{change, count, mean, plain, service_label};
use super::table_layout::{Style, no_data};
use super::tables::{self, completeness, section, section_of, service_rows, source_rows};
use crate::query::answer::{Answer, ExposureRow, InputCounts, SummaryAnswer, Topic};
use crate::query::record::{Field, Record};

/// The totals, then the most tried services, the sources, anomalies and open ports.
pub(super) fn summary(answer: &SummaryAnswer, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    figures(answer, style, out)?;
    section_of("Services", &answer.services, style, out, |rows, style, out| {
        service_rows(rows, Some(answer.attempts), style, out)
    })?;
    section_of("Sources", &answer.sources, style, out, source_rows)?;
    section_of("Anomalies", &answer.anomalies, style, out, anomaly_rows)?;
    let open = answer.exposure.as_ref().map_or(&[][..], |exposure| &exposure.ports);
    section_of("Open to the Internet", open, style, out, |rows, _, out| {
        rows.iter().try_for_each(|row| writeln!(out, "{}", exposure_sentence(row)))
    })
}

/// TCP 22 (SSH) is open to the Internet (rule 'Allow-SSH') and was tried 2,198 times from 310 addresses this month
pub fn exposure_sentence(row: &ExposureRow) -> String {
    let what = service_label(&row.protocol, Some(row.port), row.name.as_deref());
    let about = if row.unique_sources_error.is_some() { "about " } else { "" };
    let from = row
        .unique_sources
        .map_or(String::new(), |sources| format!(" from {about}{} addresses", count(sources)));
    let tried = match row.attempts {
        0 => "was not tried this month, as far as refused packets tell".to_string(),
        attempts => format!("was tried {} times{from} this month", count(attempts)),
    };
    format!("{what} is open to the Internet ({}) and {tried}", plain(&row.by))
}

/// The answers of a report of log files.
#[derive(Default)]
pub struct Report {
    /// In the order of [`Report::TOPICS`].
    pub answers: Vec<Answer>,
    pub input: InputCounts,
}

impl Report {
    /// The topics of its answers, and their headings in text; the summary has no heading, and days are in JSON only.
    pub const TOPICS: [(Topic, &str); 8] = [
        (Topic::Summary, ""),
        (Topic::Months, "Months"),
        (Topic::Days, ""),
        (Topic::Services, "Services"),
        (Topic::Sources, "Sources"),
        (Topic::Anomalies, "Anomalies"),
        (Topic::Hours, "Hours of the day"),
        (Topic::Rules, "Firewall rules"),
    ];
}

/// As `report --json` prints it.
impl Record for Report {
    fn each(&self, visit: &mut dyn FnMut(&str, &dyn Field)) {
        for answer in &self.answers {
            visit(answer.topic().name(), answer);
        }
        visit("input", &self.input);
    }
}

/// Every table of a report in one go.
pub fn report(report: &Report, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let mut total = None;
    for (answer, (_, heading)) in report.answers.iter().zip(Report::TOPICS) {
        match answer {
            Answer::Summary(answer) => {
                total = Some(answer.attempts);
                figures(answer, style, out)?;
            }
            Answer::Days(_) => continue,
            answer => {
                section(heading, style, out)?;
                tables::table(answer, total, style, out)?;
            }
        }
        completeness(answer.completeness(), style, out)?;
    }
    section("Input", style, out)?;
    tables::input(&report.input, out)
}

/// The totals.
fn figures(answer: &SummaryAnswer, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let zone = plain(&answer.timezone);
    match (answer.from, answer.to) {
        (Some(from), Some(to)) => {
            let heading = format!("Refused by the firewall, {from} to {to} ({zone})");
            writeln!(out, "{}", style.heading(&heading))?;
        }
        _ => return no_data("nothing was counted", out),
    }
    let mut line = |name: &str, value: String| writeln!(out, "{name:<16}  {value}");
    line(style.counted, count(answer.attempts))?;
    line("days", count(answer.days.into()))?;
    if let Some(per_day) = answer.attempts_per_day {
        line("per day", mean(per_day))?;
    }
    if let Some(ratio) = answer.change {
        let until =
            answer.change_until_hour.map_or(String::new(), |hour| format!(", both until {hour:02}:00"));
        line("change", format!("{} a day against the preceding period{until}", change(ratio)))?;
    }
    if let Some(sources) = answer.unique_sources {
        line("sources", count(sources))?;
    }
    if !answer.protocols.is_empty() {
        let mut protocols: Vec<_> = answer.protocols.iter().collect();
        protocols.sort_unstable_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
        let protocols: Vec<_> = protocols
            .iter()
            .map(|(name, attempts)| format!("{} {}", plain(name), count(**attempts)))
            .collect();
        line("protocols", protocols.join(", "))?;
    }
    let classes = answer.classes.by_name().map(|(name, events)| format!("{name} {}", count(events)));
    line("all by class", classes.join(", "))?;
    if let Some(blocks) = &answer.blocks {
        line("blocked", format!("{} now, {} today", count(blocks.active), count(blocks.today)))?;
    }
    Ok(())
}
