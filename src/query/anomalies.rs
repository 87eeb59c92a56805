//! The answer to `anomalies`: stored ones, and those of open days. Takes months, gives rows.

use super::answer::{AnomaliesAnswer, AnomalyRow, ServiceRow};
use super::history::{Detail, History, MonthData, Need, Section};
use super::lists::service_row;
use super::question::Question;
use super::scan::{Collect, Context, Reasons, Span, matches};
use super::{Answer, AnswerError};
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
        need.add(&[Section::Cells], span);
        need.add_since(span.from);
        for date in &open {
            let first = Date(date.0 - WINDOW);
            need.add(&[Section::Services], Span { from: first, to: *date });
            need.add_since(first);
        }
        AnomalyScan { span, cells: Vec::new(), usual: Cells::default(), open }
    }

    /// The anomalies, highest score first.
    pub(super) fn found(mut self) -> Vec<Anomaly> {
        for date in std::mem::take(&mut self.open) {
            self.cells.extend(self.usual.find(date, date));
        }
        anomalies::sort(&mut self.cells);
        self.cells
    }
}

impl Collect for AnomalyScan {
    fn add(&mut self, _: &Question, data: &MonthData, _: &mut Reasons) {
        let is_open = |date: &Date| self.open.contains(date);
        self.cells
            .extend(data.cells.iter().filter(|cell| self.span.contains(cell.date) && !is_open(&cell.date)));
        let near = |date: Date| self.open.iter().any(|open| (Date(open.0 - WINDOW)..=*open).contains(&date));
        for day in data.days.iter().filter(|day| near(day.date) && data.detail < Detail::Month) {
            self.usual.add(day.date, day.class(data.class));
        }
    }

    fn finish(self: Box<Self>, context: &mut Context<'_>) -> Result<Answer, AnswerError> {
        let anomalies = rows(context.question, self.span, &self.found());
        Ok(Answer::Anomalies(AnomaliesAnswer { anomalies, ..AnomaliesAnswer::default() }))
    }
}

/// The rows of anomalies in a range that match the question.
pub(super) fn rows(question: &Question, span: Span, found: &[Anomaly]) -> Vec<AnomalyRow> {
    let fits = |cell: &&Anomaly| {
        span.contains(cell.date) && matches(question, cell.service) && cell.attempts >= question.min
    };
    let row = |cell: &Anomaly| {
        let ServiceRow { protocol, port, name, attempts, .. } =
            service_row(cell.service, cell.attempts, None, 0);
        let Anomaly { date, expected, score, .. } = *cell;
        AnomalyRow { date, protocol, port, name, attempts, expected, score }
    };
    found.iter().filter(fits).take(question.limit as usize).map(row).collect()
}
