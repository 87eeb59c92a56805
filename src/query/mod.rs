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
pub mod short;
mod summary;
pub mod target;

use std::fmt;

use crate::event::calendar::{Calendar, Month};
use crate::query::record::{Field, FieldValue, Presence, Record};
use crate::stats::countries::CountryLookup;
use answer::{
    AnomaliesAnswer, AsnsAnswer, BlocksAnswer, Completeness, CountriesAnswer, DaysAnswer, HoursAnswer,
    MonthsAnswer, RecentAnswer, RulesAnswer, ServicesAnswer, SourceAnswer, SourcesAnswer, StatusAnswer,
    SummaryAnswer,
};
use asns::{NetworkLookup, SharedNetworks};
use countries::NO_DATABASE;
use history::{History, Need};
use question::{Question, Topic};
use scan::{Collect, Databases, Reasons, Span};

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

/// Defines [`Answer`] and the methods of all variants.
macro_rules! answers {
    ($($topic:ident($answer:ident)),+) => {
        /// An answer; the variant is that of the question's topic.
        #[derive(Clone, Debug)]
        pub enum Answer {
            $($topic($answer)),+
        }

        impl Answer {
            fn record(&self) -> &dyn Record {
                match self {
                    $(Answer::$topic(answer) => answer),+
                }
            }

            /// Whether it is complete.
            pub fn completeness_mut(&mut self) -> &mut Completeness {
                match self {
                    $(Answer::$topic(answer) => &mut answer.completeness),+
                }
            }
        }
    };
}

answers!(
    Summary(SummaryAnswer),
    Services(ServicesAnswer),
    Sources(SourcesAnswer),
    Source(SourceAnswer),
    Hours(HoursAnswer),
    Days(DaysAnswer),
    Months(MonthsAnswer),
    Countries(CountriesAnswer),
    Rules(RulesAnswer),
    Asns(AsnsAnswer),
    Anomalies(AnomaliesAnswer),
    Recent(RecentAnswer),
    Blocks(BlocksAnswer),
    Status(StatusAnswer)
);

impl Record for Answer {
    fn each(&self, visit: &mut dyn FnMut(&str, Presence, &dyn Field)) {
        self.record().each(visit);
    }
}

impl Field for Answer {
    fn value(&self) -> FieldValue<'_> {
        FieldValue::Record(self)
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
        check_country(question, has_lookup)?;
        let mut need = Need::new(question.class);
        let collected: Box<dyn Collect> = match question.topic {
            Topic::Summary => Box::new(summary::Summary::new(question, history, &mut need)?),
            Topic::Services => Box::new(lists::ServiceList::new(question, &mut need)?),
            Topic::Sources => Box::new(lists::SourceList::new(question, &mut need)),
            Topic::Source => Box::new(summary::OneSource::new(question, &mut need)?),
            Topic::Hours => Box::new(periods::HourList::new(question, &mut need)?),
            Topic::Days => Box::new(periods::DayList::new(question, &mut need)),
            Topic::Months => Box::new(months::MonthList::new(question, history, &mut need)),
            Topic::Countries => Box::new(countries::CountryList::new(question, &mut need)),
            Topic::Rules => Box::new(rules::RuleList::new(question, &mut need)),
            Topic::Asns => Box::new(asns::AsnList::new(question, &mut need)),
            Topic::Anomalies => Box::new(anomalies::Anomalies::new(question, history, &mut need)?),
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
        mut self,
        calendar: &Calendar,
        lookup: Option<&mut (dyn CountryLookup + '_)>,
        networks: Option<&SharedNetworks>,
    ) -> Result<Answer, AnswerError> {
        let mut networks = networks.map(|networks| networks.borrow_mut());
        let mut ready: Option<&mut dyn NetworkLookup> = None;
        if let Some(networks) = &mut networks
            && networks.is_ready()
        {
            ready = Some(&mut **networks);
        }
        let lookup = lookup.map(|lookup| lookup as &mut dyn CountryLookup);
        let mut databases = Databases { calendar, lookup, networks: ready };
        let mut answer = self.collected.finish(&self.question, &mut databases, &mut self.reasons)?;
        if let Some(networks) = databases.networks {
            asns::add(&mut answer, networks);
        }
        *answer.completeness_mut() = self.reasons.finish();
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

/// Rejects questions by country that the store cannot answer, or not without a database.
fn check_country(question: &Question, has_lookup: bool) -> Result<(), AnswerError> {
    let invalid = |text: &str| Err(AnswerError::Invalid(text.into()));
    let by_country = question.country.is_some();
    match question.topic {
        Topic::Hours | Topic::Anomalies | Topic::Summary | Topic::Asns if by_country => invalid(&format!(
            "{} is not stored by country: ask services, sources, days or months",
            question.topic.name()
        )),
        Topic::Services if by_country && question.daily => {
            invalid("daily is not stored by country: leave out one of them")
        }
        Topic::Services | Topic::Days | Topic::Months if by_country && question.source.is_some() => {
            invalid("country and source: give one of them")
        }
        Topic::Sources if by_country && !has_lookup => Err(AnswerError::NotFound(NO_DATABASE.into())),
        Topic::Countries if question.source.is_some() && !has_lookup => {
            Err(AnswerError::NotFound(NO_DATABASE.into()))
        }
        _ => Ok(()),
    }
}
