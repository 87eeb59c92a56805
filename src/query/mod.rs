//! Question -> answer. Takes questions and a [`History`]; knows no clock, file, socket, JSON or nft.
//!
//! A question is a [`Job`]: it reads one month after the other, each once and only what it needs, so that the caller
//! can do other work between two months.

pub mod advice;
mod anomalies;
pub mod answer;
pub mod asns;
mod countries;
pub mod filter;
pub mod history;
mod lists;
mod months;
pub mod open;
mod periods;
pub mod question;
pub mod record;
mod rules;
mod scan;
mod summary;
pub mod target;

use std::fmt;

use crate::event::Class;
use crate::event::calendar::{Calendar, Month};
use crate::stats::countries::CountryLookup;
pub use answer::Answer;
use asns::{NetworkLookup, SharedNetworks};
use countries::NO_DATABASE;
use history::{History, Need};
use question::{MAX_DAILY, Question, Topic};
use scan::{Collect, Context, Reasons, Span, is_about_services};

/// Why a question has no answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AnswerError {
    /// The question is invalid.
    Invalid(String),
    /// It is valid, but there is no data.
    NotFound(String),
    /// Only the running daemon can answer.
    NeedsDaemon(String),
}

impl fmt::Display for AnswerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AnswerError::Invalid(text) | AnswerError::NotFound(text) | AnswerError::NeedsDaemon(text) => {
                f.write_str(text)
            }
        }
    }
}

/// A question in progress.
pub struct Job {
    question: Question,
    need: Need,
    collected: Box<dyn Collect>,
    reasons: Reasons,
    /// Months to be read, the newest first.
    months: Vec<Month>,
}

impl Job {
    /// Without a range everything is read.
    pub fn new(question: &Question, history: &dyn History, has_lookup: bool) -> Result<Job, AnswerError> {
        check(question, has_lookup)?;
        let mut need = Need::new(question.class);
        let collected: Box<dyn Collect> = match question.topic {
            Topic::Summary => Box::new(summary::Summary::new(question, history, &mut need)),
            Topic::Services => Box::new(lists::ServiceList::new(question, &mut need)),
            Topic::Sources => Box::new(lists::SourceList::new(question, &mut need)),
            Topic::Source => Box::new(summary::OneSource::new(question, &mut need)),
            Topic::Hours => Box::new(periods::HourList::new(question, &mut need)),
            Topic::Days => Box::new(periods::DayList::new(question, &mut need)),
            Topic::Months => Box::new(months::MonthList::new(question, history, &mut need)),
            Topic::Countries => Box::new(countries::CountryList::new(question, &mut need)),
            Topic::Rules => Box::new(rules::RuleList::new(question, &mut need)),
            Topic::Asns => Box::new(asns::AsnList::new(question, &mut need)),
            Topic::Anomalies => Box::new(anomalies::AnomalyScan::new(Span::of(question), history, &mut need)),
            Topic::Recent | Topic::Blocks | Topic::Status => {
                let topic = question.topic.name();
                let why = format!("{topic} is known to the running daemon only: ask without --db");
                return Err(AnswerError::NeedsDaemon(why));
            }
        };
        let span = Span::of(question);
        let first = need.since.map_or(span.from, |since| since.min(span.from));
        let wanted = |month: &Month| (first.month()..=span.to.month()).contains(month);
        let mut months: Vec<Month> = history.months().into_iter().filter(wanted).collect();
        months.reverse();
        Ok(Job { question: question.clone(), need, collected, reasons: Reasons::default(), months })
    }

    /// Reads one more month; false when all were read.
    pub fn step(&mut self, history: &mut dyn History) -> bool {
        let Some(month) = self.months.pop() else { return false };
        let data = history.month(month, &self.need);
        Span::of(&self.question).explain(&data, &mut self.reasons);
        self.collected.add(&self.question, &data, &mut self.reasons);
        !self.months.is_empty()
    }

    /// The answer, once all months were read.
    pub fn finish(
        self,
        calendar: &Calendar,
        lookup: Option<&mut (dyn CountryLookup + '_)>,
        networks: Option<&SharedNetworks>,
    ) -> Result<Answer, AnswerError> {
        let Job { question, collected, reasons, .. } = self;
        let mut networks = networks.map(|networks| networks.borrow_mut());
        let networks = networks.as_deref_mut().map(|networks| networks as &mut dyn NetworkLookup);
        let networks = networks.and_then(|networks| networks.is_ready().then_some(networks));
        let lookup = lookup.map(|lookup| lookup as &mut dyn CountryLookup);
        let mut context = Context { question: &question, calendar, lookup, networks, reasons };
        let mut answer = collected.finish(&mut context)?;
        *answer.completeness_mut() = context.reasons.finish();
        Ok(answer)
    }
}

/// Answers a question at once.
pub fn answer(
    question: &Question,
    history: &mut dyn History,
    calendar: &Calendar,
    lookup: Option<&mut (dyn CountryLookup + '_)>,
    networks: Option<&SharedNetworks>,
) -> Result<Answer, AnswerError> {
    let mut job = Job::new(question, history, lookup.is_some())?;
    while job.step(history) {}
    job.finish(calendar, lookup, networks)
}

/// Rejects questions that the store cannot answer, or not without a database.
fn check(question: &Question, has_lookup: bool) -> Result<(), AnswerError> {
    let (by_country, by_source) = (question.country.is_some(), question.source.is_some());
    let by_service = is_about_services(question);
    let span = Span::of(question);
    let why: &str = match question.topic {
        Topic::Hours | Topic::Anomalies | Topic::Summary | Topic::Asns if by_country => &format!(
            "{} is not stored by country: ask services, sources, days or months",
            question.topic.name()
        ),
        Topic::Services if by_country && question.daily => {
            "daily is not stored by country: leave out one of them"
        }
        Topic::Services | Topic::Days | Topic::Months if by_country && by_source => {
            "country and source: give one of them"
        }
        Topic::Sources if by_country && !has_lookup => return Err(AnswerError::NotFound(NO_DATABASE.into())),
        Topic::Countries if by_source && !has_lookup => {
            return Err(AnswerError::NotFound(NO_DATABASE.into()));
        }
        Topic::Services if question.daily && by_source => "daily: not together with a source",
        Topic::Services if question.daily && span.to.0.saturating_sub(span.from.0) >= MAX_DAILY => {
            &format!("daily: give from and to, at most {MAX_DAILY} days apart")
        }
        Topic::Summary if by_service || by_source => {
            "a summary is about everything: ask services, sources, days, months or hours with a filter"
        }
        Topic::Source if !by_source => "source: give the address that you ask about",
        Topic::Hours | Topic::Source if by_service && by_source => {
            "hours are stored by service and by source, not by both: ask with one of them"
        }
        Topic::Anomalies if question.class != Class::Attempt || by_source => {
            "anomalies are days of a service: ask for them without a class and a source"
        }
        _ => return Ok(()),
    };
    Err(AnswerError::Invalid(why.to_string()))
}
