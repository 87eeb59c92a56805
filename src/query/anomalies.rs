//! The answer to `anomalies`: stored ones, and those of open days. Takes months, gives rows.

use super::answer::{AnomaliesAnswer, AnomalyRow};
use super::history::{Detail, History, MonthData, Need, Section};
use super::lists::service_row;
use super::question::Question;
use super::scan::{Collect, Databases, Reasons, Span, matches};
use super::{Answer, AnswerError};
use crate::event::Class;
use crate::event::calendar::Date;
use crate::stats::anomalies::{self, Anomaly, Cells, WINDOW};

/// Collects the anomalies of a range.
pub(super) struct AnomalyScan {
    span: Span,
    cells: Vec<Anomaly>,
    /// The attempts of the open days and the four weeks before.
    usual: Cells,
    open: Vec<Date>,
}

impl AnomalyScan {
    /// Adds to `need` the stored anomalies of the span, and the services of the days before open ones.
    pub(super) fn new(span: Span, history: &dyn History, need: &mut Need) -> AnomalyScan {
        let open: Vec<Date> = history.open_days().into_iter().filter(|date| span.contains(*date)).collect();
        need.add(&[Section::Cells], span.from, span.to);
        need.add_since(span.from);
        for date in &open {
            let first = Date(date.0 - WINDOW);
            need.add(&[Section::Services], first, *date);
            need.add_since(first);
        }
        AnomalyScan { span, cells: Vec::new(), usual: Cells::new(), open }
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

fn row(anomaly: &Anomaly) -> AnomalyRow {
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

/// The rows that match the question.
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
pub(super) struct Anomalies(AnomalyScan);

impl Anomalies {
    /// Adds what it needs to `need`.
    pub(super) fn new(
        question: &Question,
        history: &dyn History,
        need: &mut Need,
    ) -> Result<Anomalies, AnswerError> {
        if question.class != Class::Attempt || question.source.is_some() {
            return Err(AnswerError::Invalid(
                "anomalies are days of a service: ask for them without a class and a source".into(),
            ));
        }
        Ok(Anomalies(AnomalyScan::new(Span::of(question), history, need)))
    }
}

impl Collect for Anomalies {
    fn add(&mut self, _: &Question, data: &MonthData, _: &mut Reasons) {
        self.0.add(data);
    }

    fn finish(
        self: Box<Self>,
        question: &Question,
        _: &mut Databases<'_>,
        _: &mut Reasons,
    ) -> Result<Answer, AnswerError> {
        let anomalies = rows(question, &Span::of(question), &self.0.finish());
        Ok(Answer::Anomalies(AnomaliesAnswer { anomalies, ..AnomaliesAnswer::default() }))
    }
}
