//! The monthly report: what a person would send to a colleague, as text or HTML, from a store or the running daemon.

mod findings;
mod html;
mod text;
mod words;

use std::io::Write;

use super::ShellError;
use crate::event::calendar::Month;
use crate::live::open_day::mask;
use crate::query::Answer;
use crate::query::answer::{
    AdviceRow, AnomaliesAnswer, CountriesAnswer, DayRow, HourRow, MonthRow, ServiceRow, SummaryAnswer,
};
use crate::query::question::{Question, Topic};
use findings::Findings;
use words::Headline;
pub use words::Language;

/// Rows of each table.
const ROWS: u32 = 10;
/// Services that are explained.
const EXPLAINED: usize = 5;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    Text,
    Html,
}

/// How the report is to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wanted {
    pub month: Month,
    pub form: Form,
    pub language: Language,
    /// Whole addresses.
    pub addresses: bool,
}

struct MonthReport {
    wanted: Wanted,
    summary: SummaryAnswer,
    month: Option<MonthRow>,
    /// The month before, if it is stored.
    before: Option<MonthRow>,
    findings: Findings,
    days: Vec<DayRow>,
    hours: Vec<HourRow>,
    /// Or why there are none.
    countries: Result<CountriesAnswer, String>,
    anomalies: AnomaliesAnswer,
    advice: Vec<AdviceRow>,
}

/// Whoever answers: a store or the daemon.
pub type Ask<'a> = &'a mut dyn FnMut(&Question) -> Result<Answer, ShellError>;

/// `advice`: what is known of services, see [`crate::query::advice`].
pub fn write(
    wanted: Wanted,
    ask: Ask<'_>,
    advice: &dyn Fn(&[ServiceRow]) -> Vec<AdviceRow>,
    out: &mut dyn Write,
) -> Result<(), ShellError> {
    let report = gather(wanted, ask, advice)?;
    match wanted.form {
        Form::Text => text::write(&report, out)?,
        Form::Html => html::write(&report, out)?,
    }
    Ok(())
}

fn gather(
    wanted: Wanted,
    ask: Ask<'_>,
    advice: &dyn Fn(&[ServiceRow]) -> Vec<AdviceRow>,
) -> Result<MonthReport, ShellError> {
    let other = || ShellError::Failure("the answer is of another kind than the question".into());
    let before = Month(wanted.month.0 - 1);
    let question = Question {
        from: Some(before.first_day()),
        to: Some(wanted.month.last_day()),
        ..Question::new(Topic::Months)
    };
    let Answer::Months(months) = ask(&question)? else { return Err(other()) };
    let findings = Findings::gather(wanted.month, &months.months, wanted.addresses, ask)?;
    let mut about = |topic: Topic| -> Result<Answer, ShellError> {
        let question = Question {
            from: Some(wanted.month.first_day()),
            to: Some(wanted.month.last_day()),
            limit: ROWS,
            ..Question::new(topic)
        };
        let mut answer = ask(&question)?;
        if !wanted.addresses {
            mask(&mut answer);
        }
        Ok(answer)
    };
    let Answer::Summary(summary) = about(Topic::Summary)? else { return Err(other()) };
    if summary.days == 0 {
        return Err(ShellError::Failure(format!("nothing is kept of {}", wanted.month)));
    }
    let Answer::Days(days) = about(Topic::Days)? else { return Err(other()) };
    let Answer::Hours(hours) = about(Topic::Hours)? else { return Err(other()) };
    let Answer::Anomalies(anomalies) = about(Topic::Anomalies)? else { return Err(other()) };
    let countries = match about(Topic::Countries) {
        Ok(Answer::Countries(countries)) => Ok(countries),
        Ok(_) => return Err(other()),
        Err(ShellError::Failure(reason)) => Err(reason),
        Err(error) => return Err(error),
    };
    let row_of = |month| months.months.iter().find(|row| row.month == month).cloned();
    let explained = summary.services.get(..EXPLAINED).unwrap_or(&summary.services);
    Ok(MonthReport {
        wanted,
        advice: advice(explained),
        month: row_of(wanted.month),
        before: row_of(before),
        findings,
        days: days.days,
        hours: hours.hours,
        countries,
        anomalies,
        summary,
    })
}

impl MonthReport {
    fn headline(&self) -> String {
        let month = self.month.as_ref();
        self.wanted.language.headline(&Headline {
            attempts: self.summary.attempts,
            days: self.summary.days,
            per_day: self.summary.attempts_per_day,
            sources: self.summary.unique_sources,
            month_over_month: month
                .map(|row| row.attempts_per_day)
                .zip(self.before.as_ref().map(|row| row.attempts_per_day))
                .filter(|(_, before)| *before > 0.0)
                .map(|(now, before)| now / before),
            year_over_year: month.and_then(|row| row.year_over_year),
            usual: month.and_then(|row| row.anomalous.zip(row.attempts_per_day_usual)),
        })
    }

    /// Headings, each with its sentences: what comes before the figures.
    fn in_words(&self) -> Vec<(&'static str, Vec<String>)> {
        let (language, findings, month) = (self.wanted.language, &self.findings, self.wanted.month);
        let words = language.words();
        let mut parts = vec![
            (words.changed, findings.changes(&self.summary, language)),
            (words.care, findings.cares(month, &self.summary, language)),
        ];
        parts.extend(findings.blocked(month, language).map(|blocked| (words.blocked, vec![blocked])));
        parts
    }

    fn title(&self) -> String {
        format!("{}, {}", self.wanted.language.words().title, self.wanted.month)
    }

    /// What to bear in mind.
    fn notes(&self) -> Vec<String> {
        let words = self.wanted.language.words();
        let mut notes = vec![words.registration.to_string(), words.forged.to_string()];
        if !self.wanted.addresses {
            notes.push(words.masked.to_string());
        }
        if let Some(reason) = &self.summary.completeness.incomplete_because {
            notes.push(format!("{}: {reason}", words.incomplete));
        }
        notes
    }

    fn advice_text<'a>(&self, row: &'a AdviceRow) -> &'a str {
        if self.wanted.language == Language::Japanese { &row.ja } else { &row.en }
    }
}

/// `TCP 22 (SSH)`
fn service(row: &ServiceRow) -> String {
    let protocol = row.protocol.to_ascii_uppercase();
    let port = row.port.map_or(String::new(), |port| format!(" {port}"));
    let name = row.name.as_ref().map_or(String::new(), |name| format!(" ({name})"));
    format!("{protocol}{port}{name}")
}

fn percent(part: u64, all: u64) -> String {
    if all == 0 { String::new() } else { format!("{:.1} %", part as f64 * 100.0 / all as f64) }
}

#[cfg(test)]
mod tests;
