//! The report as plain text.

use std::io::{self, Write};

use super::super::cells::{about, count};
use super::{AdviceRow, MonthReport, percent, service};

/// The longest bar.
const BAR: usize = 40;

pub(super) fn write(report: &MonthReport, advice: &[AdviceRow], out: &mut dyn Write) -> io::Result<()> {
    let language = report.wanted.language;
    let words = language.words();
    writeln!(out, "{}\n\n{}", safe(&report.title()), report.headline())?;
    let total = report.summary.attempts;
    for (title, sentences) in report.in_words() {
        heading(title, out)?;
        sentences.iter().try_for_each(|sentence| writeln!(out, "{}", safe(sentence)))?;
    }
    heading(words.anomalies, out)?;
    if report.anomalies.anomalies.is_empty() {
        writeln!(out, "{}", words.none)?;
    }
    for row in &report.anomalies.anomalies {
        writeln!(out, "{}", safe(&language.anomaly(row)))?;
    }
    let days: Vec<_> = report.days.iter().map(|row| (row.date.to_string(), row.attempts)).collect();
    bars(words.days, &days, out)?;
    let hours: Vec<_> = report.hours.iter().map(|row| (format!("{:02}", row.hour), row.attempts)).collect();
    bars(words.hours, &hours, out)?;
    heading(words.services, out)?;
    for row in &report.summary.services {
        let share = percent(row.attempts, total);
        let sources = about(row.unique_sources, row.unique_sources_error);
        writeln!(out, "{:>11}  {share:>7}  {sources:>9}  {}", count(row.attempts), safe(&service(row)))?;
    }
    heading(words.countries, out)?;
    match &report.countries {
        Err(reason) => writeln!(out, "{}: {}", words.no_countries, safe(&language.sentences(reason)))?,
        Ok(countries) => {
            for row in &countries.countries {
                let country = if row.country == "ZZ" { words.unknown_country } else { &row.country };
                let sources = about(row.unique_sources, row.unique_sources_error);
                writeln!(out, "{:>11}  {sources:>9}  {}", count(row.attempts), safe(country))?;
            }
            if let Some(reason) = &countries.completeness.incomplete_because {
                writeln!(out, "{}: {}", words.incomplete, safe(&language.sentences(reason)))?;
            }
        }
    }
    heading(words.sources, out)?;
    for row in &report.summary.sources {
        let country = row.country.as_deref().filter(|code| *code != "ZZ").unwrap_or_default();
        writeln!(out, "{:>11}  {} {}", count(row.attempts), safe(&row.address), safe(country))?;
    }
    if !advice.is_empty() {
        heading(words.advice, out)?;
    }
    for row in advice {
        writeln!(
            out,
            "{} {}: {}",
            safe(&row.protocol).to_ascii_uppercase(),
            row.port,
            safe(report.advice_text(row))
        )?;
    }
    heading(words.notes, out)?;
    report.notes().iter().try_for_each(|note| writeln!(out, "{}", safe(note)))
}

fn heading(text: &str, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\n{text}")
}

fn bars(title: &str, rows: &[(String, u64)], out: &mut dyn Write) -> io::Result<()> {
    let most = rows.iter().map(|(_, attempts)| *attempts).max().unwrap_or(0);
    if most == 0 {
        return Ok(());
    }
    heading(title, out)?;
    for (name, attempts) in rows {
        let length = (*attempts as f64 / most as f64 * BAR as f64).ceil() as usize;
        writeln!(out, "{}", format!("{name}  {:>11}  {}", count(*attempts), "#".repeat(length)).trim_end())?;
    }
    Ok(())
}

/// Without what a terminal would obey.
fn safe(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
