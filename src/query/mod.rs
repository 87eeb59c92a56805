//! Question -> answer. Knows no clock, file, socket, JSON or nft.

pub mod answer;
mod before;
pub mod countries;
mod daily;
pub mod history;
mod lists;
mod periods;
pub mod question;
mod walk;

pub use periods::anomalies_on;

use std::fmt;

use crate::calendar::Calendar;
use crate::record::{Field, Need, Record, Seen};
use crate::stats::countries::Atlas;
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
            Answer::Anomalies($answer) => $what,
            Answer::Recent($answer) => $what,
            Answer::Blocks($answer) => $what,
            Answer::Status($answer) => $what,
        }
    };
}

impl Answer {
    /// One to be filled from what was answered elsewhere.
    pub fn blank(topic: Topic) -> Answer {
        match topic {
            Topic::Summary => Answer::Summary(Default::default()),
            Topic::Services => Answer::Services(Default::default()),
            Topic::Sources => Answer::Sources(Default::default()),
            Topic::Source => Answer::Source(Default::default()),
            Topic::Hours => Answer::Hours(Default::default()),
            Topic::Days => Answer::Days(Default::default()),
            Topic::Months => Answer::Months(Default::default()),
            Topic::Countries => Answer::Countries(Default::default()),
            Topic::Anomalies => Answer::Anomalies(Default::default()),
            Topic::Recent => Answer::Recent(Default::default()),
            Topic::Blocks => Answer::Blocks(Default::default()),
            Topic::Status => Answer::Status(Default::default()),
        }
    }

    fn record(&self) -> &dyn Record {
        whichever!(self, answer => answer)
    }

    fn record_mut(&mut self) -> &mut dyn Record {
        whichever!(self, answer => answer)
    }

    pub fn completeness_mut(&mut self) -> &mut Completeness {
        whichever!(self, answer => &mut answer.completeness)
    }
}

impl Record for Answer {
    fn each(&self, visit: &mut dyn FnMut(&str, Need, &dyn Field)) {
        self.record().each(visit);
    }

    fn each_mut(&mut self, visit: &mut dyn FnMut(&str, Need, &mut dyn Field)) {
        self.record_mut().each_mut(visit);
    }
}

impl Field for Answer {
    fn seen(&self) -> Seen<'_> {
        Seen::Table(self)
    }
}

/// Answers a question from what is kept. A range that is not given is the whole span of the data.
pub fn answer(
    question: &Question,
    history: &mut dyn History,
    calendar: &Calendar,
    atlas: Option<&mut (dyn Atlas + '_)>,
) -> Result<Answer, AnswerError> {
    if let (Some(from), Some(to)) = (question.from, question.to)
        && from > to
    {
        return Err(AnswerError::Invalid(format!("the range ends ({to}) before it begins ({from})")));
    }
    by_country(question)?;
    let span = Span::new(question, history);
    let Some(span) = span else { return empty(question, history, calendar, atlas.is_some()) };
    match question.topic {
        Topic::Summary => {
            periods::summary(question, history, Some(&span), calendar, atlas).map(Answer::Summary)
        }
        Topic::Services => lists::services(question, history, &span, atlas.is_some()).map(Answer::Services),
        Topic::Sources => lists::sources(question, history, &span, calendar, atlas).map(Answer::Sources),
        Topic::Source => lists::source(question, history, &span, calendar, atlas).map(Answer::Source),
        Topic::Hours => periods::hours(question, history, &span).map(Answer::Hours),
        Topic::Days => periods::days(question, history, &span, atlas.is_some()).map(Answer::Days),
        Topic::Months => periods::months(question, history, &span, atlas.is_some()).map(Answer::Months),
        Topic::Anomalies => periods::anomalies_answer(question, history, &span).map(Answer::Anomalies),
        Topic::Countries => countries::countries(question, history, &span, atlas).map(Answer::Countries),
        Topic::Recent | Topic::Blocks | Topic::Status => Err(needs_daemon(question.topic)),
    }
}

/// What is not kept by country, or not by country and source.
fn by_country(question: &Question) -> Result<(), AnswerError> {
    if question.country.is_none() {
        return Ok(());
    }
    let invalid = |text: &str| Err(AnswerError::Invalid(text.into()));
    match question.topic {
        Topic::Hours | Topic::Anomalies | Topic::Summary => invalid(&format!(
            "{} is not kept by country: ask services, sources, days or months",
            question.topic.name()
        )),
        Topic::Services if question.daily => invalid("daily is not kept by country: leave out one of them"),
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

/// The answer where nothing is kept at all.
fn empty(
    question: &Question,
    history: &mut dyn History,
    calendar: &Calendar,
    has_atlas: bool,
) -> Result<Answer, AnswerError> {
    let damage = history.months().into_iter().filter_map(|month| history.incomplete_because(month));
    let completeness = Completeness::from_reasons(&damage.collect::<Vec<_>>());
    Ok(match question.topic {
        Topic::Summary => {
            let summary = periods::summary(question, history, None, calendar, None)?;
            Answer::Summary(SummaryAnswer { completeness, ..summary })
        }
        Topic::Countries if has_atlas => {
            Answer::Countries(CountriesAnswer { countries: Vec::new(), completeness })
        }
        Topic::Countries => return Err(AnswerError::NotFound(countries::NO_DATABASE.into())),
        Topic::Services => {
            Answer::Services(ServicesAnswer { services: Vec::new(), dates: None, advice: None, completeness })
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
