//! Common parts of all answers: the range of a question, the days of a month in it, and the reasons of an incomplete
//! answer.

use super::answer::Completeness;
use super::asns::NetworkLookup;
use super::history::{Detail, MonthData};
use super::question::Question;
use super::{Answer, AnswerError};
use crate::event::Service;
use crate::event::calendar::{Calendar, Date, Month};
use crate::stats::countries::CountryLookup;
use crate::stats::sum::Sources;
use crate::stats::summary::{ClassSummary, DaySummary};

/// The days of a question's range, inclusive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Span {
    pub from: Date,
    pub to: Date,
}

impl Span {
    /// Every day.
    pub(super) const ALL: Span = Span { from: Date(0), to: Date(i32::MAX / 2) };

    /// The question's range; all days if it has none.
    pub(super) fn of(question: &Question) -> Span {
        let Span { from, to } = Span::ALL;
        Span { from: question.from.unwrap_or(from), to: question.to.unwrap_or(to) }
    }

    /// Whether the day lies in it.
    pub(super) fn contains(&self, date: Date) -> bool {
        (self.from..=self.to).contains(&date)
    }

    /// Whether it is one day.
    pub(super) fn is_single(&self) -> bool {
        self.from == self.to
    }

    /// The days of a month that lie in it, oldest first.
    pub(super) fn days<'a>(&self, data: &'a MonthData) -> impl Iterator<Item = &'a DaySummary> + use<'a> {
        let span = *self;
        data.days.iter().filter(move |day| span.contains(day.date))
    }

    /// Whether it contains every day of the month that has data.
    pub(super) fn covers(&self, data: &MonthData) -> bool {
        data.days.iter().all(|day| self.contains(day.date))
    }

    /// Visits the summaries that have rows: days, or the whole month if its days have none; with the number of days.
    pub(super) fn pieces(
        &self,
        data: &MonthData,
        reasons: &mut Reasons,
        mut visit: impl FnMut(&ClassSummary, u32),
    ) {
        match &data.whole {
            Some(whole) if self.covers(data) => visit(whole.class(data.class), data.days.len() as u32),
            _ => {
                let days = self.days(data).filter(|_| data.detail < Detail::Month);
                days.for_each(|day| visit(day.class(data.class), 1));
            }
        }
        if data.whole.is_some() && !self.covers(data) && self.days(data).next().is_some() {
            reasons.add_whole(data.month);
        }
    }

    /// Adds the reasons why any answer about the month is incomplete.
    pub(super) fn explain(&self, data: &MonthData, reasons: &mut Reasons) {
        data.damage.iter().for_each(|damage| reasons.add(damage.clone()));
        let mut lost = self.days(data).filter(|day| day.lost > 0);
        if let Some(day) = lost.next() {
            let sum = lost.fold(day.lost, |sum, day| sum.saturating_add(day.lost));
            let when =
                if self.is_single() { format!("on {}", day.date) } else { format!("in {}", data.month) };
            reasons.add(format!(
                "up to {sum} packets {when} are in no figure: lost before they were read (entries of the log count as \
                 packets), or refused where only their number is known"
            ));
        }
    }

    /// Adds the different sources of the days.
    pub(super) fn add_sources(&self, data: &MonthData, sources: &mut Sources) {
        self.pieces(data, &mut Reasons::default(), |summary, _| {
            sources.add(summary.attempts, summary.distinct, summary.sample.as_ref());
        });
    }
}

/// Most reasons that are listed; further ones are counted.
const MAX_REASONS: usize = 8;

/// Why an answer is incomplete, each reason once.
#[derive(Clone, Default)]
pub(super) struct Reasons(pub Vec<String>);

impl Reasons {
    /// Adds a reason that was not given yet.
    pub(super) fn add(&mut self, reason: String) {
        if !self.0.contains(&reason) {
            self.0.push(reason);
        }
    }

    /// Adds the reason that only the whole month is stored.
    pub(super) fn add_whole(&mut self, month: Month) {
        self.add(format!("of {month} only the whole month is stored, not its days"));
    }

    /// The answer's completeness: complete without reasons.
    pub(super) fn finish(mut self) -> Completeness {
        if self.0.len() > MAX_REASONS {
            let more = self.0.len() - MAX_REASONS;
            self.0.truncate(MAX_REASONS);
            self.0.push(format!("and {more} more reasons"));
        }
        Completeness::from_reasons(&self.0)
    }
}

/// What an answer is made with after the last month.
pub(super) struct Context<'a> {
    pub question: &'a Question,
    pub calendar: &'a Calendar,
    pub lookup: Option<&'a mut dyn CountryLookup>,
    pub networks: Option<&'a mut dyn NetworkLookup>,
    /// Why the answer is incomplete.
    pub reasons: Reasons,
}

/// Collects the answer to a question.
pub(super) trait Collect {
    /// Adds a month.
    fn add(&mut self, question: &Question, data: &MonthData, reasons: &mut Reasons);

    /// The answer, after the last month. Adds the reasons why it is incomplete.
    fn finish(self: Box<Self>, context: &mut Context<'_>) -> Result<Answer, AnswerError>;
}

/// Whether a question is about this service.
pub(super) fn matches(question: &Question, service: Service) -> bool {
    question.protocol.is_none_or(|protocol| protocol == service.protocol)
        && question.port.is_none_or(|port| port == service.port && Service::has_ports(service.protocol))
}

/// Whether a question is about some services only.
pub(super) fn is_about_services(question: &Question) -> bool {
    question.protocol.is_some() || question.port.is_some()
}

/// A ratio rounded to three decimals.
pub(super) fn rounded(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

/// Attempts per day; `None` for no days.
pub(super) fn per_day(attempts: u64, days: u32) -> Option<f64> {
    (days > 0).then(|| attempts as f64 / f64::from(days))
}

/// `now / before`, rounded; `None` if one is unknown or `before` is 0.
pub(super) fn ratio(now: Option<f64>, before: Option<f64>) -> Option<f64> {
    before.filter(|before| *before > 0.0).and_then(|before| now.map(|now| rounded(now / before)))
}
