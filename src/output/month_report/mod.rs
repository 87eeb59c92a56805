//! The monthly report as text or HTML, from a store or the running daemon. Takes answers, computes no figure but
//! comparisons.

mod document;
mod findings;
mod html;
mod reasons;
mod text;
mod words;

use std::io::{self, Write};

use crate::event::calendar::Month;
use crate::live::open_day::mask;
use crate::query::advice::{self, ReadAdvice};
use crate::query::answer::{CountriesAnswer, DayRow, MonthRow, SummaryAnswer};
use crate::query::question::{MAX_LIMIT, Question, Topic};
use crate::query::{Answer, AnswerError, Problem};
use document::Document;
use findings::Findings;
pub use words::Language;

/// Rows of each table.
const ROWS: u32 = 10;
/// Services with advice.
const EXPLAINED: usize = 5;

/// The form of a report.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    Text,
    Html,
}

impl Form {
    /// Its name as an argument.
    pub fn name(self) -> &'static str {
        match self {
            Form::Text => "text",
            Form::Html => "html",
        }
    }

    /// The form of a name.
    pub fn from_name(name: &str) -> Option<Form> {
        [Form::Text, Form::Html].into_iter().find(|form| form.name() == name)
    }
}

/// The arguments of a report.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wanted {
    pub month: Month,
    pub form: Form,
    pub language: Language,
    /// Complete addresses.
    pub addresses: bool,
}

/// The answers that a report is made of, queried one after the other: [`MonthReport::question`], then
/// [`MonthReport::take`], until there is no further question.
#[derive(Debug)]
pub struct MonthReport {
    pub(super) wanted: Wanted,
    /// Topics of the open questions, the next one last.
    topics: Vec<Topic>,
    summary: SummaryAnswer,
    month: Option<MonthRow>,
    /// The month before, if it is stored.
    before: Option<MonthRow>,
    findings: Findings,
    days: Vec<DayRow>,
    /// The answer, or why there is none.
    countries: Result<CountriesAnswer, String>,
}

impl MonthReport {
    /// A report without answers.
    pub fn new(wanted: Wanted) -> MonthReport {
        MonthReport {
            wanted,
            topics: vec![
                Topic::Countries,
                Topic::Days,
                Topic::Blocks,
                Topic::Sources,
                Topic::Services,
                Topic::Summary,
                Topic::Months,
            ],
            summary: SummaryAnswer::default(),
            month: None,
            before: None,
            findings: Findings::default(),
            days: Vec::new(),
            countries: Ok(CountriesAnswer::default()),
        }
    }

    /// The next question; `None`: the report can be written.
    pub fn question(&self) -> Option<Question> {
        let month = self.wanted.month;
        let before = Month(month.0 - 1);
        let question = |topic, first: Month, last: Month| Question {
            from: Some(first.first_day()),
            to: Some(last.last_day()),
            limit: ROWS,
            ..Question::new(topic)
        };
        self.topics.last().map(|topic| match topic {
            Topic::Months => question(Topic::Months, before, month),
            Topic::Services => Question { limit: MAX_LIMIT, ..question(Topic::Services, before, before) },
            Topic::Sources => Findings::devices_question(question(Topic::Sources, month, month)),
            Topic::Blocks => Question { limit: MAX_LIMIT, ..Question::new(Topic::Blocks) },
            topic => question(*topic, month, month),
        })
    }

    /// Takes the answer to that question. An error ends the report.
    pub fn take(&mut self, answered: Result<Answer, AnswerError>) -> Result<(), AnswerError> {
        let month = self.wanted.month;
        let mut answer = match (self.topics.pop(), answered) {
            (Some(Topic::Countries), Err((_, reason))) => {
                self.countries = Err(reason);
                return Ok(());
            }
            // A store has no blocks.
            (Some(Topic::Blocks), Err(_)) => return Ok(()),
            (_, answered) => answered?,
        };
        let addresses = self.wanted.addresses;
        if !addresses && !matches!(answer, Answer::Sources(_)) {
            mask(&mut answer);
        }
        match answer {
            Answer::Months(months) => {
                let row_of = |month| months.months.iter().find(|row| row.month == month).cloned();
                self.month = row_of(month);
                self.before = row_of(Month(month.0 - 1));
                if self.before.is_none() {
                    self.topics.retain(|topic| *topic != Topic::Services);
                }
            }
            Answer::Summary(summary) if summary.days == 0 => {
                return Err((Problem::NotFound, format!("nothing is stored of {month}")));
            }
            Answer::Summary(summary) => self.summary = summary,
            Answer::Services(before) => self.findings.take_services(before, &self.summary),
            Answer::Sources(devices) => self.findings.take_devices(devices, addresses),
            Answer::Blocks(blocks) => self.findings.take_blocks(&blocks, month),
            Answer::Days(days) => self.days = days.days,
            Answer::Countries(countries) => self.countries = Ok(countries),
            _ => return Err((Problem::Invalid, "internal error: unexpected answer type".into())),
        }
        Ok(())
    }

    /// Writes the report in its form and language.
    pub fn write(&self, read: ReadAdvice, out: &mut dyn Write) -> io::Result<()> {
        let explained = self.summary.services.get(..EXPLAINED).unwrap_or(&self.summary.services);
        let advice = read().map_or(Vec::new(), |text| advice::of_rows(&text, explained));
        let document = Document::new(self, advice);
        match self.wanted.form {
            Form::Text => text::write(&document, out),
            Form::Html => out.write_all(html::page(&document).as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests;
