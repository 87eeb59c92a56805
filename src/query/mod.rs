//! Question -> answer. Knows no clock, file, socket, JSON or nft.
//!
//! A question is a [`Job`]: it reads one month after the other, each once and of it only what it needs, so that whoever
//! runs it can do other things between two months.

pub mod advice;
mod anomalies;
pub mod answer;
pub mod asns;
mod countries;
pub mod filter;
pub mod history;
mod lists;
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
use history::{History, MonthData, Need};
use question::{Question, Topic};
use scan::{Reasons, Span};

/// Why a question has no answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AnswerError {
    /// The question makes no sense.
    Invalid(String),
    /// It makes sense, but nothing is known.
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

/// An answer; the variant is that of the question's topic.
#[derive(Clone, Debug)]
pub enum Answer {
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
    Status(StatusAnswer),
}

/// The same of an answer, whichever it is.
macro_rules! whichever {
    ($self:expr, $answer:ident => $what:expr) => {
        match $self {
            Answer::Summary($answer) => $what,
            Answer::Services($answer) => $what,
            Answer::Sources($answer) => $what,
            Answer::Source($answer) => $what,
            Answer::Hours($answer) => $what,
            Answer::Days($answer) => $what,
            Answer::Months($answer) => $what,
            Answer::Countries($answer) => $what,
            Answer::Rules($answer) => $what,
            Answer::Asns($answer) => $what,
            Answer::Anomalies($answer) => $what,
            Answer::Recent($answer) => $what,
            Answer::Blocks($answer) => $what,
            Answer::Status($answer) => $what,
        }
    };
}

impl Answer {
    fn record(&self) -> &dyn Record {
        whichever!(self, answer => answer)
    }

    pub fn completeness_mut(&mut self) -> &mut Completeness {
        whichever!(self, answer => &mut answer.completeness)
    }
}

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

/// What a question collects.
enum Work {
    Summary(Box<summary::Summary>),
    Services(Box<lists::ServiceList>, Reasons),
    Sources(Box<lists::SourceList>, Reasons),
    Source(Box<summary::OneSource>),
    Hours(periods::HourList, Reasons),
    Days(periods::DayList, Reasons),
    Months(periods::MonthList),
    Countries(Box<countries::CountryList>),
    Rules(rules::RuleList, Reasons),
    Asns(Box<asns::AsnList>, Reasons),
    Anomalies(anomalies::Anomalies),
}

/// A question on its way to the answer.
pub struct Job {
    span: Span,
    need: Need,
    work: Work,
    /// What is still to be read, newest first.
    months: Vec<Month>,
    has_lookup: bool,
}

impl Job {
    /// A range that is not given is the whole span of the data.
    pub fn new(question: &Question, history: &dyn History, has_lookup: bool) -> Result<Job, AnswerError> {
        if let (Some(from), Some(to)) = (question.from, question.to)
            && from > to
        {
            return Err(AnswerError::Invalid(format!("the range ends ({to}) before it begins ({from})")));
        }
        check_country(question)?;
        let span = Span::of(question);
        let need = Need::new(question.class);
        let mut first = span.from;
        let (work, need) = match question.topic {
            Topic::Summary => {
                let (summary, need, from) = summary::Summary::new(question, history)?;
                first = from;
                (Work::Summary(Box::new(summary)), need)
            }
            Topic::Services => {
                let list = lists::ServiceList::new(question)?;
                let need = list.need(need);
                (Work::Services(Box::new(list), Reasons::default()), need)
            }
            Topic::Sources => {
                if question.country.is_some() && !has_lookup {
                    return Err(AnswerError::NotFound(countries::NO_DATABASE.into()));
                }
                let list = lists::SourceList::new(question);
                let need = list.need(need);
                (Work::Sources(Box::new(list), Reasons::default()), need)
            }
            Topic::Source => {
                let (source, need) = summary::OneSource::new(question)?;
                (Work::Source(Box::new(source)), need)
            }
            Topic::Hours => {
                let list = periods::HourList::new(question)?;
                let need = list.need(need);
                (Work::Hours(list, Reasons::default()), need)
            }
            Topic::Days => {
                let list = periods::DayList::new(question);
                let need = list.need(need);
                (Work::Days(list, Reasons::default()), need)
            }
            Topic::Months => {
                let (list, need, from) = periods::MonthList::new(question, history);
                first = from;
                (Work::Months(list), need)
            }
            Topic::Countries => {
                let list = countries::CountryList::new(question, has_lookup)?;
                let need = list.need();
                (Work::Countries(Box::new(list)), need)
            }
            Topic::Rules => {
                let list = rules::RuleList::new(question);
                let need = list.need(need);
                (Work::Rules(list, Reasons::default()), need)
            }
            Topic::Asns => {
                let list = asns::AsnList::new(question);
                let need = list.need(need);
                (Work::Asns(Box::new(list), Reasons::default()), need)
            }
            Topic::Anomalies => {
                let (anomalies, need, from) = anomalies::Anomalies::new(question, history)?;
                first = from;
                (Work::Anomalies(anomalies), need)
            }
            Topic::Recent | Topic::Blocks | Topic::Status => return Err(needs_daemon(question.topic)),
        };
        let wanted = |month: &Month| (first.month()..=span.to.month()).contains(month);
        let mut months: Vec<Month> = history.months().into_iter().filter(wanted).collect();
        months.reverse();
        Ok(Job { span, need, work, months, has_lookup })
    }

    /// Reads one more month; false when all were read.
    pub fn step(&mut self, history: &mut dyn History) -> bool {
        let Some(month) = self.months.pop() else { return false };
        let data = history.month(month, &self.need);
        self.add(&data);
        !self.months.is_empty()
    }

    fn add(&mut self, data: &MonthData) {
        let span = self.span;
        match &mut self.work {
            Work::Summary(summary) => summary.add(data),
            Work::Services(list, reasons) => {
                span.explain(data, reasons);
                list.add(data, reasons);
            }
            Work::Sources(list, reasons) => {
                span.explain(data, reasons);
                list.add(data, reasons);
            }
            Work::Source(source) => source.add(data),
            Work::Hours(list, reasons) => {
                span.explain(data, reasons);
                list.add(data, reasons);
            }
            Work::Days(list, reasons) => {
                span.explain(data, reasons);
                list.add(data, reasons);
            }
            Work::Months(list) => list.add(data),
            Work::Countries(list) => list.add(data),
            Work::Rules(list, reasons) => {
                span.explain(data, reasons);
                list.add(data, reasons);
            }
            Work::Asns(list, reasons) => {
                span.explain(data, reasons);
                list.add(data, reasons);
            }
            Work::Anomalies(anomalies) => anomalies.add(data),
        }
    }

    /// The answer, once all months were read.
    pub fn finish(
        self,
        calendar: &Calendar,
        lookup: Option<&mut (dyn CountryLookup + '_)>,
        networks: Option<&SharedNetworks>,
    ) -> Result<Answer, AnswerError> {
        let has_lookup = self.has_lookup;
        let mut networks = networks.map(|networks| networks.borrow_mut());
        let mut ready: Option<&mut dyn NetworkLookup> = None;
        if let Some(networks) = &mut networks
            && networks.is_ready()
        {
            ready = Some(&mut **networks);
        }
        let mut answer = match self.work {
            Work::Summary(summary) => summary.finish(calendar, lookup).map(Answer::Summary),
            Work::Services(list, reasons) => {
                lists::services_answer(*list, has_lookup, reasons).map(Answer::Services)
            }
            Work::Sources(list, reasons) => {
                Ok(Answer::Sources(lists::sources_answer(*list, calendar, lookup, reasons)))
            }
            Work::Source(source) => source.finish(calendar, lookup).map(Answer::Source),
            Work::Hours(list, reasons) => Ok(Answer::Hours(periods::hours_answer(list, reasons))),
            Work::Days(list, reasons) => periods::days_answer(list, has_lookup, reasons).map(Answer::Days),
            Work::Months(list) => list.finish(has_lookup).map(Answer::Months),
            Work::Countries(list) => list.finish(lookup).map(Answer::Countries),
            Work::Rules(list, reasons) => Ok(Answer::Rules(list.finish(reasons))),
            Work::Asns(list, reasons) => return list.finish(ready, reasons).map(Answer::Asns),
            Work::Anomalies(anomalies) => Ok(Answer::Anomalies(anomalies.finish())),
        }?;
        if let Some(networks) = ready {
            asns::add(&mut answer, networks);
        }
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

/// What is not stored by country, or not by country and source.
fn check_country(question: &Question) -> Result<(), AnswerError> {
    if question.country.is_none() {
        return Ok(());
    }
    let invalid = |text: &str| Err(AnswerError::Invalid(text.into()));
    match question.topic {
        Topic::Hours | Topic::Anomalies | Topic::Summary | Topic::Asns => invalid(&format!(
            "{} is not stored by country: ask services, sources, days or months",
            question.topic.name()
        )),
        Topic::Services if question.daily => invalid("daily is not stored by country: leave out one of them"),
        Topic::Services | Topic::Days | Topic::Months if question.source.is_some() => {
            invalid("country and source: give one of them")
        }
        _ => Ok(()),
    }
}

fn needs_daemon(topic: Topic) -> AnswerError {
    AnswerError::NeedsDaemon(format!(
        "{} is known to the running daemon only: ask without --db",
        topic.name()
    ))
}
