//! The answers to `days` and `hours`, and the attempts of a day that a question is about. Takes months, gives rows.

use super::answer::{DayRow, DaysAnswer, HourRow, HoursAnswer};
use super::countries::Measured;
use super::history::{MonthData, Need, Section};
use super::question::Question;
use super::scan::{Collect, Context, Reasons, Span, is_about_services, matches};
use super::{Answer, AnswerError};
use crate::stats::countries::Country;
use crate::stats::sample::Distinct;
use crate::stats::sum::add_hours;
use crate::stats::summary::{ClassSummary, Counted, Hours, Rows};

/// A row for each hour.
pub(super) fn hour_rows(hours: &[u64; 24]) -> Vec<HourRow> {
    (0..).zip(hours).map(|(hour, attempts)| HourRow { hour, attempts: *attempts }).collect()
}

/// The section with the attempts that a question is about; `None`: the totals that every month has.
pub(super) fn section_of(question: &Question) -> Option<Section> {
    match (question.country, question.source, is_about_services(question)) {
        (Some(_), ..) => Some(Section::Countries),
        (_, Some(_), true) => Some(Section::Pairs),
        (_, Some(_), false) => Some(Section::Sources),
        (_, None, true) if question.port.is_none() => Some(Section::Totals),
        (_, None, true) => Some(Section::Services),
        (_, None, false) => None,
    }
}

/// The attempts of a summary that a question is about; the error: only the most that they can be is known.
pub(super) fn attempts_of(question: &Question, summary: &ClassSummary) -> Result<u64, u64> {
    let ClassSummary { services, sources, pairs, countries, .. } = summary;
    let service = |service| matches(question, service);
    match (question.country.map(Country), question.source, is_about_services(question)) {
        (Some(code), _, true) => {
            sum_of(&countries.services, |row| row.country == code && service(row.service))
        }
        (Some(code), _, false) => sum_of(&countries.rows, |row| row.country == code),
        (_, Some(prefix), true) => sum_of(pairs, |row| prefix.contains(row.address) && service(row.service)),
        (_, Some(prefix), false) => sum_of(sources, |row| prefix.contains(row.address)),
        (_, None, true) if question.port.is_none() => {
            let mut protocols = summary.protocols.iter();
            let of_protocol = protocols.find(|(protocol, _)| Some(*protocol) == question.protocol);
            Ok(of_protocol.map_or(0, |(_, count)| *count))
        }
        (_, None, true) => sum_of(services, |row| service(row.service)),
        (_, None, false) => Ok(summary.attempts),
    }
}

fn sum_of<T: Counted>(rows: &Rows<T>, wanted: impl Fn(&&T) -> bool) -> Result<u64, u64> {
    let attempts = rows.rows.iter().filter(wanted).map(T::attempts).sum();
    if attempts > 0 || rows.floor == 0 { Ok(attempts) } else { Err(rows.floor) }
}

/// Adds the reason why days are missing whose rows were cut at `floor` attempts.
pub(super) fn explain_floor(floor: u64, reasons: &mut Reasons) {
    reasons.add(format!("days with up to {floor} such attempts are left out: too few to be stored"));
}

/// Different sources of one day; `None` if they are not known with the question's filters.
fn distinct_of(question: &Question, summary: &ClassSummary) -> Option<Distinct> {
    match (question.country.map(Country), question.source, is_about_services(question)) {
        (Some(_), _, true) => None,
        (Some(code), _, false) => {
            summary.countries.rows.rows.iter().find(|row| row.country == code)?.distinct
        }
        (_, None, false) => summary.distinct,
        (_, None, true) => {
            let mut rows = summary.services.rows.iter().filter(|row| matches(question, row.service));
            let first = rows.next()?;
            // Sources of several services cannot be added up: a source may have tried both.
            if rows.next().is_none() && question.port.is_some() { first.distinct } else { None }
        }
        (_, Some(prefix), _) => prefix.is_single().then_some(Distinct::exactly(1)),
    }
}

/// Collects the answer to `days`.
#[derive(Default)]
pub(super) struct DayList {
    rows: Vec<DayRow>,
    measured: Measured,
    floor: u64,
}

impl DayList {
    /// Adds what it needs to `need`.
    pub(super) fn new(question: &Question, need: &mut Need) -> DayList {
        need.add(section_of(question).as_slice(), Span::of(question));
        DayList::default()
    }

    /// The rows, after the last month. Adds reasons for what is missing.
    pub(super) fn rows(self, context: &mut Context<'_>) -> Result<Vec<DayRow>, AnswerError> {
        if context.question.country.is_some() {
            self.measured.explain(context)?;
        }
        if self.floor > context.question.min {
            explain_floor(self.floor, &mut context.reasons);
        }
        Ok(self.rows)
    }
}

impl Collect for DayList {
    fn add(&mut self, question: &Question, data: &MonthData, reasons: &mut Reasons) {
        let span = Span::of(question);
        if section_of(question).is_some() && data.whole.is_some() && span.days(data).next().is_some() {
            return reasons.add_whole(data.month);
        }
        for day in span.days(data) {
            let summary = day.class(data.class);
            if question.country.is_some() && !self.measured.note(summary, 1) {
                continue;
            }
            match attempts_of(question, summary) {
                Err(most) => self.floor = self.floor.max(most),
                Ok(attempts) if attempts >= question.min => self.rows.push(DayRow {
                    date: day.date,
                    attempts,
                    unique_sources: distinct_of(question, summary).map(|distinct| distinct.number),
                }),
                Ok(_) => {}
            }
        }
    }

    fn finish(self: Box<Self>, context: &mut Context<'_>) -> Result<Answer, AnswerError> {
        let days = self.rows(context)?;
        Ok(Answer::Days(DaysAnswer { days, ..DaysAnswer::default() }))
    }
}

/// Collects the answer to `hours`.
#[derive(Default)]
pub(super) struct HourList {
    hours: [u64; 24],
    observed: bool,
    /// Attempts whose hours are not stored, and the most attempts of a day without a row.
    unknown: u64,
    floor: u64,
}

impl HourList {
    /// Adds what it needs to `need`.
    pub(super) fn new(question: &Question, need: &mut Need) -> HourList {
        let sections: &[Section] = match (is_about_services(question), question.source) {
            (false, None) => &[Section::Totals],
            (true, _) => &[Section::Services, Section::ServiceHours],
            (false, Some(_)) => &[Section::Sources, Section::SourceHours],
        };
        need.add(sections, Span::of(question));
        HourList::default()
    }

    fn add_row(&mut self, attempts: u64, hours: Option<&Hours>) {
        match hours {
            Some(hours) => add_hours(&mut self.hours, &hours.counts().map(u64::from)),
            None => self.unknown = self.unknown.saturating_add(attempts),
        }
    }

    /// The rows, after the last month. Adds reasons for what is missing.
    pub(super) fn rows(&self, reasons: &mut Reasons) -> Vec<HourRow> {
        if self.unknown > 0 {
            reasons.add(format!(
                "the hours of {} attempts are not stored: services and sources have theirs in the newest months, and \
                 only where they are among the day's heaviest",
                self.unknown
            ));
        }
        if self.floor > 0 {
            explain_floor(self.floor, reasons);
        }
        if self.observed { hour_rows(&self.hours) } else { Vec::new() }
    }
}

impl Collect for HourList {
    fn add(&mut self, question: &Question, data: &MonthData, reasons: &mut Reasons) {
        Span::of(question).pieces(data, reasons, |summary, _| {
            self.observed = true;
            if let Some(prefix) = question.source {
                self.floor = self.floor.max(summary.sources.floor);
                let rows = summary.sources.rows.iter().filter(|row| prefix.contains(row.address));
                rows.for_each(|row| self.add_row(row.attempts, row.hours.as_ref()));
            } else if is_about_services(question) {
                self.floor = self.floor.max(summary.services.floor);
                let rows = summary.services.rows.iter().filter(|row| matches(question, row.service));
                rows.for_each(|row| self.add_row(row.attempts, row.hours.as_ref()));
            } else {
                let counted: u64 = summary.hours.iter().sum();
                self.unknown = self.unknown.saturating_add(summary.attempts.saturating_sub(counted));
                add_hours(&mut self.hours, &summary.hours);
            }
        });
    }

    fn finish(self: Box<Self>, context: &mut Context<'_>) -> Result<Answer, AnswerError> {
        let hours = self.rows(&mut context.reasons);
        Ok(Answer::Hours(HoursAnswer { hours, ..HoursAnswer::default() }))
    }
}
