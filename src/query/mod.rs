//! Question -> answer. Knows no clock, file, socket, JSON or nft.

pub mod answer;
mod before;
mod daily;
pub mod history;
mod lists;
mod periods;
pub mod question;
mod walk;

use std::fmt;

use serde::Serialize;

use crate::calendar::Calendar;
use answer::{
    AnomaliesAnswer, BlocksAnswer, Completeness, CountriesAnswer, DaysAnswer, HoursAnswer, MonthsAnswer,
    RecentAnswer, ServicesAnswer, SourceAnswer, SourcesAnswer, StatusAnswer, SummaryAnswer,
};
use history::History;
use question::{Question, Topic};
use walk::Span;

/// Why a question has no answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AnswerError {
    /// The question makes no sense.
    Invalid(String),
    /// It makes sense, but nothing is known.
    NotFound(String),
    /// Only the running daemon can tell.
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

#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Answer {
    Summary(SummaryAnswer),
    Services(ServicesAnswer),
    Sources(SourcesAnswer),
    Source(SourceAnswer),
    Hours(HoursAnswer),
    Days(DaysAnswer),
    Months(MonthsAnswer),
    Countries(CountriesAnswer),
    Anomalies(AnomaliesAnswer),
    Recent(RecentAnswer),
    Blocks(BlocksAnswer),
    Status(StatusAnswer),
}

impl Answer {
    pub fn completeness_mut(&mut self) -> &mut Completeness {
        match self {
            Answer::Summary(answer) => &mut answer.completeness,
            Answer::Services(answer) => &mut answer.completeness,
            Answer::Sources(answer) => &mut answer.completeness,
            Answer::Source(answer) => &mut answer.completeness,
            Answer::Hours(answer) => &mut answer.completeness,
            Answer::Days(answer) => &mut answer.completeness,
            Answer::Months(answer) => &mut answer.completeness,
            Answer::Countries(answer) => &mut answer.completeness,
            Answer::Anomalies(answer) => &mut answer.completeness,
            Answer::Recent(answer) => &mut answer.completeness,
            Answer::Blocks(answer) => &mut answer.completeness,
            Answer::Status(answer) => &mut answer.completeness,
        }
    }
}

/// Answers a question from what is kept. A range that is not given is the whole span of the data.
pub fn answer(
    question: &Question,
    history: &mut dyn History,
    calendar: &Calendar,
) -> Result<Answer, AnswerError> {
    if let (Some(from), Some(to)) = (question.from, question.to)
        && from > to
    {
        return Err(AnswerError::Invalid(format!("the range ends ({to}) before it begins ({from})")));
    }
    if question.country.is_some() || question.topic == Topic::Countries {
        return Err(AnswerError::NotFound("no country database".into()));
    }
    let span = Span::new(question, history);
    let Some(span) = span else { return empty(question, history, calendar) };
    match question.topic {
        Topic::Summary => periods::summary(question, history, Some(&span), calendar).map(Answer::Summary),
        Topic::Services => lists::services(question, history, &span).map(Answer::Services),
        Topic::Sources => lists::sources(question, history, &span, calendar).map(Answer::Sources),
        Topic::Source => lists::source(question, history, &span, calendar).map(Answer::Source),
        Topic::Hours => periods::hours(question, history, &span).map(Answer::Hours),
        Topic::Days => periods::days(question, history, &span).map(Answer::Days),
        Topic::Months => periods::months(question, history, &span).map(Answer::Months),
        Topic::Anomalies => periods::anomalies_answer(question, history, &span).map(Answer::Anomalies),
        Topic::Countries | Topic::Recent | Topic::Blocks | Topic::Status => Err(needs_daemon(question.topic)),
    }
}

fn needs_daemon(topic: Topic) -> AnswerError {
    AnswerError::NeedsDaemon(format!(
        "{} is known to the running daemon only: ask without --db",
        topic.name()
    ))
}

/// The answer where nothing is kept at all.
fn empty(question: &Question, history: &mut dyn History, calendar: &Calendar) -> Result<Answer, AnswerError> {
    let damage = history.months().into_iter().filter_map(|month| history.incomplete_because(month));
    let completeness = Completeness::from_reasons(&damage.collect::<Vec<_>>());
    Ok(match question.topic {
        Topic::Summary => {
            let summary = periods::summary(question, history, None, calendar)?;
            Answer::Summary(SummaryAnswer { completeness, ..summary })
        }
        Topic::Services => {
            Answer::Services(ServicesAnswer { services: Vec::new(), dates: None, completeness })
        }
        Topic::Sources => Answer::Sources(SourcesAnswer { sources: Vec::new(), completeness }),
        Topic::Source => return Err(AnswerError::NotFound("nothing is kept yet".into())),
        Topic::Hours => Answer::Hours(HoursAnswer { hours: Vec::new(), completeness }),
        Topic::Days => Answer::Days(DaysAnswer { days: Vec::new(), completeness }),
        Topic::Months => Answer::Months(MonthsAnswer { months: Vec::new(), completeness }),
        Topic::Anomalies => Answer::Anomalies(AnomaliesAnswer { anomalies: Vec::new(), completeness }),
        topic => return Err(needs_daemon(topic)),
    })
}
