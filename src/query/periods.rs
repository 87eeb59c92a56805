//! The answers to `days`, `months` and `hours`.

use crate::event::Class;
use crate::event::calendar::{Date, Month};
use crate::stats::anomalies::Anomaly;
use crate::stats::countries::Country;
use crate::stats::sample::Distinct;
use crate::stats::sum::{Sources, add_hours};
use crate::stats::summary::{ClassSummary, Hours};

use super::AnswerError;
use super::answer::{DayRow, DaysAnswer, HourRow, HoursAnswer, MonthRow, MonthsAnswer};
use super::countries::Measured;
use super::history::{DayData, History, MonthData, Need, Section};
use super::question::Question;
use super::scan::{Reasons, Span, is_about_services, matches, per_day, ratio, rounded};

pub(super) fn hour_rows(hours: &[u64; 24]) -> Vec<HourRow> {
    let row = |(hour, attempts): (usize, &u64)| HourRow { hour: hour as u8, attempts: *attempts };
    hours.iter().enumerate().map(row).collect()
}

/// The section with the attempts that a question is about; `None`: the totals.
fn section_of(question: &Question) -> Option<Section> {
    match (question.country, question.source, is_about_services(question)) {
        (Some(_), ..) => Some(Section::Countries),
        (_, Some(_), true) => Some(Section::Pairs),
        (_, Some(_), false) => Some(Section::Sources),
        (_, None, true) if question.port.is_none() => Some(Section::Totals),
        (_, None, true) => Some(Section::Services),
        (_, None, false) => None,
    }
}

/// The attempts of a summary that a question is about: exactly, or `None` and the most that they can be.
fn attempts_of(question: &Question, summary: &ClassSummary) -> Result<u64, u64> {
    let by_service = is_about_services(question);
    let known = |count: u64, floor: u64| if count > 0 || floor == 0 { Ok(count) } else { Err(floor) };
    if let Some(code) = question.country {
        let countries = &summary.countries;
        if by_service {
            let rows = countries.services.rows.iter().filter(|row| row.country == Country(code));
            let asked = rows.filter(|row| matches(question, row.service));
            return known(asked.map(|row| row.attempts).sum(), countries.services.floor);
        }
        let row = countries.rows.rows.iter().find(|row| row.country == Country(code));
        return known(row.map_or(0, |row| row.attempts), countries.rows.floor);
    }
    match (question.source, by_service) {
        (None, false) => Ok(summary.attempts),
        (None, true) if question.port.is_none() => {
            let mut protocols = summary.protocols.iter();
            let of_protocol = protocols.find(|(protocol, _)| Some(*protocol) == question.protocol);
            Ok(of_protocol.map_or(0, |(_, count)| *count))
        }
        (None, true) => {
            let rows = summary.services.rows.iter().filter(|row| matches(question, row.service));
            known(rows.map(|row| row.attempts).sum(), summary.services.floor)
        }
        (Some(prefix), false) => {
            let rows = summary.sources.rows.iter().filter(|row| prefix.contains(row.address));
            known(rows.map(|row| row.attempts).sum(), summary.sources.floor)
        }
        (Some(prefix), true) => {
            let rows = summary.pairs.rows.iter();
            let asked = rows.filter(|row| prefix.contains(row.address) && matches(question, row.service));
            known(asked.map(|row| row.attempts).sum(), summary.pairs.floor)
        }
    }
}

fn not_stored(floor: u64, reasons: &mut Reasons) {
    reasons.add(format!("days with up to {floor} such attempts are left out: too few to be stored"));
}

/// Different sources of one day; `None` where the question's filters make them unknown.
fn distinct_of(question: &Question, summary: &ClassSummary) -> Option<Distinct> {
    if let Some(code) = question.country {
        let row = summary.countries.rows.rows.iter().find(|row| row.country == Country(code))?;
        return if is_about_services(question) { None } else { row.distinct };
    }
    match (question.source, question.protocol, question.port) {
        (None, None, None) => summary.distinct,
        (None, ..) => {
            let mut rows = summary.services.rows.iter().filter(|row| matches(question, row.service));
            let first = rows.next()?;
            // Sources of several services cannot be added: some may have tried both.
            if rows.next().is_none() && question.port.is_some() { first.distinct } else { None }
        }
        (Some(prefix), ..) => prefix.is_single().then_some(Distinct::exactly(1)),
    }
}

/// The days of a range.
pub(super) struct DayList {
    question: Question,
    span: Span,
    rows: Vec<DayRow>,
    measured: Measured,
    floor: u64,
}

impl DayList {
    pub(super) fn new(question: &Question) -> DayList {
        let (span, question) = (Span::of(question), question.clone());
        DayList { question, span, rows: Vec::new(), measured: Measured::default(), floor: 0 }
    }

    /// The sections that the answer needs, added to those of `need`.
    pub(super) fn need(&self, need: Need) -> Need {
        let sections = section_of(&self.question);
        sections.iter().fold(need, |need, section| need.and(&[*section], self.span.from, self.span.to))
    }

    /// Adds a month.
    pub(super) fn add(&mut self, data: &MonthData, reasons: &mut Reasons) {
        let needs_rows = section_of(&self.question).is_some();
        if needs_rows && data.whole.is_some() && self.span.days(data).next().is_some() {
            reasons.add(format!("of {} only the whole month is stored, not its days", data.month));
            return;
        }
        for DayData { date, summary, .. } in self.span.days(data) {
            if self.question.country.is_some() && !self.measured.note(summary, 1) {
                continue;
            }
            match attempts_of(&self.question, summary) {
                Err(most) => self.floor = self.floor.max(most),
                Ok(attempts) if attempts >= self.question.min => self.rows.push(DayRow {
                    date: *date,
                    attempts,
                    unique_sources: distinct_of(&self.question, summary).map(|distinct| distinct.number),
                }),
                Ok(_) => {}
            }
        }
    }

    /// The answer, after the last month.
    pub(super) fn finish(self, has_lookup: bool, reasons: &mut Reasons) -> Result<Vec<DayRow>, AnswerError> {
        if self.question.country.is_some() {
            self.measured.explain(self.question.class, has_lookup, reasons)?;
        }
        if self.floor > self.question.min {
            not_stored(self.floor, reasons);
        }
        Ok(self.rows)
    }
}

pub(super) fn days_answer(
    list: DayList,
    has_lookup: bool,
    mut reasons: Reasons,
) -> Result<DaysAnswer, AnswerError> {
    let days = list.finish(has_lookup, &mut reasons)?;
    Ok(DaysAnswer { days, completeness: reasons.finish() })
}

/// Attempts by the hour of the day.
pub(super) struct HourList {
    question: Question,
    span: Span,
    hours: [u64; 24],
    observed: bool,
    /// Attempts whose hours are not stored, and the most attempts of a day without a row.
    unknown: u64,
    floor: u64,
}

impl HourList {
    pub(super) fn new(question: &Question) -> Result<HourList, AnswerError> {
        if is_about_services(question) && question.source.is_some() {
            return Err(AnswerError::Invalid(
                "hours are stored by service and by source, not by both: ask with one of them".into(),
            ));
        }
        let (span, question) = (Span::of(question), question.clone());
        Ok(HourList { question, span, hours: [0; 24], observed: false, unknown: 0, floor: 0 })
    }

    /// The sections that the answer needs, added to those of `need`.
    pub(super) fn need(&self, need: Need) -> Need {
        let sections: &[Section] = match (is_about_services(&self.question), self.question.source) {
            (false, None) => &[Section::Totals],
            (true, _) => &[Section::Services, Section::ServiceHours],
            (false, Some(_)) => &[Section::Sources, Section::SourceHours],
        };
        need.and(sections, self.span.from, self.span.to)
    }

    /// Adds a month.
    pub(super) fn add(&mut self, data: &MonthData, reasons: &mut Reasons) {
        let HourList { question, hours, observed, unknown, floor, .. } = self;
        let by_service = is_about_services(question);
        let mut add = |row: Option<&Hours>, attempts: u64| match row {
            Some(row) => add_hours(hours, &row.counts().map(u64::from)),
            None => *unknown = unknown.saturating_add(attempts),
        };
        self.span.pieces(data, reasons, |summary, _| {
            *observed = true;
            match (by_service, question.source) {
                (false, None) => {
                    let counted: u64 = summary.hours.iter().sum();
                    add(None, summary.attempts.saturating_sub(counted));
                    let large = summary.hours.map(|count| u32::try_from(count).unwrap_or(u32::MAX));
                    add(Some(&Hours::new(large)), 0);
                }
                (true, _) => {
                    *floor = (*floor).max(summary.services.floor);
                    let rows = summary.services.rows.iter().filter(|row| matches(question, row.service));
                    rows.for_each(|row| add(row.hours.as_ref(), row.attempts));
                }
                (false, Some(prefix)) => {
                    *floor = (*floor).max(summary.sources.floor);
                    let rows = summary.sources.rows.iter().filter(|row| prefix.contains(row.address));
                    rows.for_each(|row| add(row.hours.as_ref(), row.attempts));
                }
            }
        });
    }

    /// The answer, after the last month.
    pub(super) fn finish(self, reasons: &mut Reasons) -> Vec<HourRow> {
        if self.unknown > 0 {
            reasons.add(format!(
                "the hours of {} attempts are not stored: services and sources have theirs in the newest months, and \
                 only where they are among the day's heaviest",
                self.unknown
            ));
        }
        if self.floor > 0 {
            not_stored(self.floor, reasons);
        }
        if self.observed { hour_rows(&self.hours) } else { Vec::new() }
    }
}

pub(super) fn hours_answer(list: HourList, mut reasons: Reasons) -> HoursAnswer {
    let hours = list.finish(&mut reasons);
    HoursAnswer { hours, completeness: reasons.finish() }
}

/// The sums of a month or a part of it.
#[derive(Clone, Copy, Default)]
struct MonthSums {
    days: u32,
    attempts: u64,
    /// Anomalous cells and their attempts.
    anomalous: Option<(u64, u64)>,
    floor: u64,
}

impl MonthSums {
    fn per_day(&self) -> Option<f64> {
        per_day(self.attempts, self.days)
    }

    fn per_day_usual(&self) -> Option<f64> {
        self.anomalous.and_then(|(_, attempts)| per_day(self.attempts.saturating_sub(attempts), self.days))
    }
}

/// Of the part of a month that is asked for, with its different sources.
type AskedSums = (MonthSums, Option<Distinct>);

/// Collects the answer to `months`.
pub(super) struct MonthList {
    question: Question,
    span: Span,
    found: Option<super::anomalies::Found>,
    /// The whole of each month, and the part of it that is asked for.
    sums: Vec<(Month, MonthSums, Option<AskedSums>)>,
    measured: Measured,
    reasons: Reasons,
}

impl MonthList {
    /// With what it needs, and the first day of it.
    pub(super) fn new(question: &Question, history: &dyn History) -> (MonthList, Need, Date) {
        let span = Span::of(question);
        let first = span.from.month().year_before();
        let plain = question.source.is_none() && question.country.is_none();
        let mut need = Need::new(question.class);
        let whole = Span { from: first.first_day(), to: span.to };
        if let Some(section) = section_of(question) {
            // The month of the end of time has no last day.
            let to = question.to.map_or(span.to, |to| to.month().last_day());
            need = need.and(&[section], whole.from, to);
        }
        let found =
            (plain && question.class == Class::Attempt).then(|| super::anomalies::Found::new(whole, history));
        let mut first_day = first.first_day();
        if let Some(found) = &found {
            need = found.need(need);
            first_day = first_day.min(found.first());
        }
        if plain && !is_about_services(question) {
            // The different sources of a part of a month, and of one that is not over.
            let parts = [question.from, question.to].into_iter().flatten().chain(history.open_days());
            for date in parts {
                need = need.and(&[Section::Sample], date.month().first_day(), date.month().last_day());
            }
        }
        let list = MonthList {
            question: question.clone(),
            span,
            found,
            sums: Vec::new(),
            measured: Measured::default(),
            reasons: Reasons::default(),
        };
        (list, need, first_day)
    }

    fn sum(&mut self, data: &MonthData, span: Span, note: bool) -> MonthSums {
        let mut sums = MonthSums::default();
        let needs_rows = section_of(&self.question).is_some();
        let question = &self.question;
        let (measured, mut unused) = (&mut self.measured, Measured::default());
        let mut add = |summary: &ClassSummary, days: u32| {
            let measured = if note { &mut *measured } else { &mut unused };
            if question.country.is_some() && !measured.note(summary, days) {
                return;
            }
            sums.days += days;
            match attempts_of(question, summary) {
                Ok(attempts) => sums.attempts = sums.attempts.saturating_add(attempts),
                Err(most) => sums.floor = sums.floor.max(most),
            }
        };
        if needs_rows {
            let mut reasons = Reasons::default();
            span.pieces(data, &mut reasons, &mut add);
            if note {
                reasons.0.into_iter().for_each(|reason| self.reasons.add(reason));
            }
        } else {
            span.days(data).for_each(|day| add(&day.summary, 1));
        }
        sums
    }

    /// Adds a month.
    pub(super) fn add(&mut self, data: &MonthData) {
        if let Some(found) = &mut self.found {
            found.add(data);
        }
        let everything = Span { from: Date(0), to: Date(i32::MAX / 2) };
        let whole = self.sum(data, everything, false);
        // The year before is compared with: damage of it is damage of the answer.
        if data.damage.is_some() {
            self.span.explain(data, &mut self.reasons);
        }
        let asked = self.span.days(data).next().is_some().then(|| {
            self.span.explain(data, &mut self.reasons);
            (self.sum(data, self.span, true), self.distinct(data))
        });
        self.sums.push((data.month, whole, asked));
    }

    /// Different sources of the part of a month that is asked for.
    fn distinct(&self, data: &MonthData) -> Option<Distinct> {
        let question = &self.question;
        if question.source.is_some() || question.country.is_some() || is_about_services(question) {
            return None;
        }
        if let (Some(distinct), true) = (&data.distinct, self.span.covers(data)) {
            return distinct[question.class as usize];
        }
        let mut sources = Sources::default();
        self.span.add_sources(data, &mut sources);
        sources.distinct()
    }

    /// The answer, after the last month.
    pub(super) fn finish(mut self, has_lookup: bool) -> Result<MonthsAnswer, AnswerError> {
        let cells = self.found.take().map(super::anomalies::Found::finish);
        let judged = |month: Month, span: Span, sums: &MonthSums| {
            let of_month = |cell: &&Anomaly| cell.date.month() == month && span.contains(cell.date);
            let anomalous = cells.as_ref().map(|cells| {
                let found =
                    cells.iter().filter(of_month).filter(|cell| matches(&self.question, cell.service));
                found.fold((0, 0), |(cells, attempts), cell| (cells + 1, attempts + cell.attempts))
            });
            MonthSums { anomalous, ..*sums }
        };
        let everything = Span { from: Date(0), to: Date(i32::MAX / 2) };
        let mut rows = Vec::new();
        let mut floor = 0;
        for (month, _, asked) in &self.sums {
            let Some((asked, distinct)) = asked else { continue };
            let asked = judged(*month, self.span, asked);
            let before = self.sums.iter().find(|(known, ..)| *known == month.year_before());
            let before = before.map(|(month, whole, _)| judged(*month, everything, whole));
            floor = floor.max(asked.floor);
            if asked.days == 0 {
                continue;
            }
            rows.push(MonthRow {
                month: *month,
                days: asked.days,
                attempts: asked.attempts,
                attempts_per_day: rounded(asked.per_day().unwrap_or(0.0)),
                year_over_year: ratio(asked.per_day(), before.as_ref().and_then(MonthSums::per_day)),
                anomalous: asked.anomalous.map(|(cells, _)| cells),
                attempts_per_day_usual: asked.per_day_usual().map(rounded),
                year_over_year_usual: ratio(
                    asked.per_day_usual(),
                    before.as_ref().and_then(MonthSums::per_day_usual),
                ),
                unique_sources: distinct.map(|distinct| distinct.number),
                unique_sources_error: distinct.map(|distinct| distinct.error).filter(|error| *error > 0),
            });
        }
        let mut reasons = self.reasons;
        if self.question.country.is_some() {
            self.measured.explain(self.question.class, has_lookup, &mut reasons)?;
        }
        if floor > 0 {
            not_stored(floor, &mut reasons);
        }
        Ok(MonthsAnswer { months: rows, completeness: reasons.finish() })
    }
}
