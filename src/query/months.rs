//! The answer to `months`. Takes months, gives rows with comparisons.

use super::anomalies::AnomalyScan;
use super::answer::{MonthRow, MonthsAnswer};
use super::countries::Measured;
use super::history::{History, MonthData, Need, Section};
use super::periods::{attempts_of, explain_floor, section_of};
use super::question::Question;
use super::scan::{Collect, Context, Reasons, Span, is_about_services, matches, per_day, ratio, rounded};
use super::{Answer, AnswerError};
use crate::event::Class;
use crate::event::calendar::Month;
use crate::stats::sample::Distinct;
use crate::stats::sum::Sources;
use crate::stats::summary::ClassSummary;

/// The sums of a month or a part of it.
#[derive(Clone, Copy, Default)]
struct Sums {
    days: u32,
    attempts: u64,
    /// The most attempts of a day whose row is not stored.
    floor: u64,
}

impl Sums {
    fn of(
        question: &Question,
        data: &MonthData,
        span: Span,
        measured: &mut Measured,
        reasons: &mut Reasons,
    ) -> Sums {
        let mut sums = Sums::default();
        let mut add = |summary: &ClassSummary, days: u32| {
            if question.country.is_some() && !measured.note(summary, days) {
                return;
            }
            sums.days += days;
            match attempts_of(question, summary) {
                Ok(attempts) => sums.attempts = sums.attempts.saturating_add(attempts),
                Err(most) => sums.floor = sums.floor.max(most),
            }
        };
        match section_of(question) {
            Some(_) => span.pieces(data, reasons, add),
            None => span.days(data).for_each(|day| add(day.class(data.class), 1)),
        }
        sums
    }

    /// Attempts per day, `without` this number of attempts.
    fn per_day(&self, without: u64) -> Option<f64> {
        per_day(self.attempts.saturating_sub(without), self.days)
    }
}

/// The sums and different sources of the part of a month in the question's range.
type Asked = (Sums, Option<Distinct>);

/// Collects the answer to `months`.
pub(super) struct MonthList {
    found: Option<AnomalyScan>,
    /// The sums of each month, and of its part in the question's range.
    sums: Vec<(Month, Sums, Option<Asked>)>,
    measured: Measured,
}

impl MonthList {
    /// Adds what it needs to `need`.
    pub(super) fn new(question: &Question, history: &dyn History, need: &mut Need) -> MonthList {
        let span = Span::of(question);
        let first = span.from.month().year_before().first_day();
        need.add_since(first);
        // The month of [`Span::ALL`]'s end has no last day.
        let last = question.to.map_or(span.to, |to| to.month().last_day());
        need.add(section_of(question).as_slice(), Span { from: first, to: last });
        let plain = question.source.is_none() && question.country.is_none();
        let found = (plain && question.class == Class::Attempt)
            .then(|| AnomalyScan::new(Span { from: first, to: span.to }, history, need));
        if plain && !is_about_services(question) {
            // For the different sources of a partial month.
            for date in [question.from, question.to].into_iter().flatten().chain(history.open_days()) {
                let month = date.month();
                need.add(&[Section::Sample], Span { from: month.first_day(), to: month.last_day() });
            }
        }
        MonthList { found, sums: Vec::new(), measured: Measured::default() }
    }
}

/// Different sources of the part of a month in the question's range.
fn distinct_of(question: &Question, data: &MonthData) -> Option<Distinct> {
    if question.source.is_some() || question.country.is_some() || is_about_services(question) {
        return None;
    }
    let span = Span::of(question);
    let of_month = data.distinct[question.class as usize];
    if of_month.is_some() && span.covers(data) {
        return of_month;
    }
    let mut sources = Sources::default();
    span.add_sources(data, &mut sources);
    sources.distinct()
}

impl Collect for MonthList {
    fn add(&mut self, question: &Question, data: &MonthData, reasons: &mut Reasons) {
        if let Some(found) = &mut self.found {
            found.add(question, data, reasons);
        }
        let (mut measured, mut unused) = (Measured::default(), Reasons::default());
        let whole = Sums::of(question, data, Span::ALL, &mut measured, &mut unused);
        let span = Span::of(question);
        let asked = span.days(data).next().is_some().then(|| {
            let sums = Sums::of(question, data, span, &mut self.measured, reasons);
            (sums, distinct_of(question, data))
        });
        self.sums.push((data.month, whole, asked));
    }

    fn finish(self: Box<Self>, context: &mut Context<'_>) -> Result<Answer, AnswerError> {
        let question = context.question;
        let cells = self.found.map(AnomalyScan::found);
        // The number of a month's anomalies, and their attempts.
        let anomalous = |month: Month, span: Span| {
            let cells = cells.as_ref()?.iter();
            let cells = cells.filter(|cell| cell.date.month() == month && span.contains(cell.date));
            let cells = cells.filter(|cell| matches(question, cell.service));
            Some(cells.fold((0, 0), |(cells, attempts), cell| (cells + 1, attempts + cell.attempts)))
        };
        let (mut months, mut floor) = (Vec::new(), 0);
        for (month, _, asked) in &self.sums {
            let Some((asked, distinct)) = asked else { continue };
            floor = floor.max(asked.floor);
            if asked.days == 0 {
                continue;
            }
            let before = self.sums.iter().find(|(known, ..)| *known == month.year_before());
            let before = before.map(|(month, whole, _)| (whole, anomalous(*month, Span::ALL)));
            let cells = anomalous(*month, Span::of(question));
            let usual = cells.and_then(|(_, attempts)| asked.per_day(attempts));
            let usual_before = before.and_then(|(whole, cells)| whole.per_day(cells?.1));
            months.push(MonthRow {
                month: *month,
                days: asked.days,
                attempts: asked.attempts,
                attempts_per_day: rounded(asked.per_day(0).unwrap_or(0.0)),
                year_over_year: ratio(asked.per_day(0), before.and_then(|(whole, _)| whole.per_day(0))),
                anomalous: cells.map(|(cells, _)| cells),
                attempts_per_day_usual: usual.map(rounded),
                year_over_year_usual: ratio(usual, usual_before),
                unique_sources: distinct.map(|distinct| distinct.number),
                unique_sources_error: distinct.map(|distinct| distinct.error).filter(|error| *error > 0),
            });
        }
        if question.country.is_some() {
            self.measured.explain(context)?;
        }
        if floor > 0 {
            explain_floor(floor, &mut context.reasons);
        }
        Ok(Answer::Months(MonthsAnswer { months, ..MonthsAnswer::default() }))
    }
}
