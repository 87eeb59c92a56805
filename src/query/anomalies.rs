//! The answer to `anomalies`: stored ones, and those of days that are not closed.

use crate::event::Class;
use crate::event::calendar::Date;
use crate::stats::anomalies::{self, Anomaly, Cells, WINDOW};

use super::AnswerError;
use super::answer::{AnomaliesAnswer, AnomalyRow};
use super::history::{Detail, History, MonthData, Need, Section};
use super::lists::service_row;
use super::question::Question;
use super::scan::{Reasons, Span, matches};

/// The anomalous cells of a range.
pub(super) struct Found {
    span: Span,
    cells: Vec<Anomaly>,
    /// Of the days that are not closed, and the four weeks before.
    usual: Cells,
    open: Vec<Date>,
}

impl Found {
    pub(super) fn new(span: Span, history: &dyn History) -> Found {
        let open = history.open_days().into_iter().filter(|date| span.contains(*date)).collect();
        Found { span, cells: Vec::new(), usual: Cells::new(), open }
    }

    /// What it needs besides.
    pub(super) fn need(&self, need: Need) -> Need {
        let before = |date: &Date| Date(date.0 - WINDOW);
        let need = need.and(&[Section::Cells], self.span.from, self.span.to);
        self.open.iter().fold(need, |need, date| need.and(&[Section::Services], before(date), *date))
    }

    /// The first day that it needs anything of.
    pub(super) fn first(&self) -> Date {
        self.open.iter().map(|date| Date(date.0 - WINDOW)).min().unwrap_or(self.span.from).min(self.span.from)
    }

    /// Adds a month.
    pub(super) fn add(&mut self, data: &MonthData) {
        let is_open = |date: &Date| self.open.contains(date);
        self.cells
            .extend(data.cells.iter().filter(|cell| self.span.contains(cell.date) && !is_open(&cell.date)));
        let near = |date: Date| self.open.iter().any(|open| (Date(open.0 - WINDOW)..=*open).contains(&date));
        for day in data.days.iter().filter(|day| near(day.date) && data.detail < Detail::Month) {
            self.usual.add(day.date, &day.summary);
        }
    }

    /// Highest score first.
    pub(super) fn finish(mut self) -> Vec<Anomaly> {
        for date in std::mem::take(&mut self.open) {
            self.cells.extend(self.usual.find(date, date));
        }
        anomalies::sort(&mut self.cells);
        self.cells
    }
}

pub(super) fn row(anomaly: &Anomaly) -> AnomalyRow {
    let row = service_row(anomaly.service, anomaly.attempts, None, 0);
    AnomalyRow {
        date: anomaly.date,
        protocol: row.protocol,
        port: row.port,
        name: row.name,
        attempts: anomaly.attempts,
        expected: anomaly.expected,
        score: anomaly.score,
    }
}

/// The rows that are asked for.
pub(super) fn rows(question: &Question, span: &Span, found: &[Anomaly]) -> Vec<AnomalyRow> {
    found
        .iter()
        .filter(|cell| span.contains(cell.date) && matches(question, cell.service))
        .filter(|cell| cell.attempts >= question.min)
        .take(question.limit as usize)
        .map(row)
        .collect()
}

/// Collects the answer to `anomalies`.
pub(super) struct Anomalies {
    question: Question,
    found: Found,
    reasons: Reasons,
}

impl Anomalies {
    pub(super) fn new(
        question: &Question,
        history: &dyn History,
    ) -> Result<(Anomalies, Need, Date), AnswerError> {
        if question.class != Class::Attempt || question.source.is_some() {
            return Err(AnswerError::Invalid(
                "anomalies are days of a service: ask for them without a class and a source".into(),
            ));
        }
        let found = Found::new(Span::of(question), history);
        let (need, first) = (found.need(Need::new(Class::Attempt)), found.first());
        Ok((Anomalies { question: question.clone(), found, reasons: Reasons::default() }, need, first))
    }

    /// Adds a month.
    pub(super) fn add(&mut self, data: &MonthData) {
        self.found.span.explain(data, &mut self.reasons);
        self.found.add(data);
    }

    /// The answer, after the last month.
    pub(super) fn finish(self) -> AnomaliesAnswer {
        let span = self.found.span;
        let found = self.found.finish();
        AnomaliesAnswer {
            anomalies: rows(&self.question, &span, &found),
            completeness: self.reasons.finish(),
        }
    }
}
