//! The answers that go along time: summary, days, months, hours, anomalies.

use std::collections::BTreeMap;

use crate::calendar::{Calendar, Date, Month};
use crate::event::Class;
use crate::services;
use crate::stats::anomalies::{Anomaly, Cells};
use crate::stats::countries::{Atlas, Country};
use crate::stats::kept::{Hours, Kept};
use crate::stats::range::Range;

use super::AnswerError;
use super::answer::{
    AnomaliesAnswer, AnomalyRow, ClassCounts, Completeness, DayRow, DaysAnswer, HourRow, HoursAnswer,
    MonthRow, MonthsAnswer, SummaryAnswer,
};
use super::before;
use super::countries::Measured;
use super::history::History;
use super::lists;
use super::question::{Question, Topic};
use super::walk::{
    Piece, Reasons, Span, anomalies, is_about_services, matches, walk, walk_days, walk_joined, walk_month,
};

/// Anomalies of so many days are lately.
const LATELY_DAYS: i32 = 30;

/// Three digits after the point are enough for a ratio.
pub fn rounded(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

pub fn per_day(attempts: u64, days: u32) -> Option<f64> {
    (days > 0).then(|| attempts as f64 / f64::from(days))
}

fn ratio(now: Option<f64>, before: Option<f64>) -> Option<f64> {
    before.filter(|before| *before > 0.0).and_then(|before| now.map(|now| rounded(now / before)))
}

/// The attempts of a summary that a question is about: exactly, or `None` and the most that they can be.
fn attempts_of(question: &Question, kept: &Kept) -> Result<u64, u64> {
    let by_service = is_about_services(question);
    let known = |count: u64, floor: u64| if count > 0 || floor == 0 { Ok(count) } else { Err(floor) };
    if let Some(code) = question.country {
        return known(
            attempts_of_country(question, kept, Country(code)),
            floor_of_countries(kept, by_service),
        );
    }
    match (question.source, by_service) {
        (None, false) => Ok(kept.attempts),
        (None, true) if question.port.is_none() => {
            let of_protocol =
                kept.protocols.iter().find(|(protocol, _)| Some(*protocol) == question.protocol);
            Ok(of_protocol.map_or(0, |(_, count)| *count))
        }
        (None, true) => {
            let rows = kept.services.iter().filter(|row| matches(question, row.service));
            known(rows.map(|row| row.attempts).sum(), kept.service_floor)
        }
        (Some(prefix), false) => {
            let rows = kept.sources.iter().filter(|row| prefix.contains(row.address));
            known(rows.map(|row| row.attempts).sum(), kept.source_floor)
        }
        (Some(prefix), true) => {
            let rows = kept
                .pairs
                .iter()
                .filter(|row| prefix.contains(row.address) && matches(question, row.service));
            known(rows.map(|row| row.attempts).sum(), kept.pair_floor)
        }
    }
}

fn attempts_of_country(question: &Question, kept: &Kept, country: Country) -> u64 {
    if !is_about_services(question) {
        let row = kept.countries.rows.iter().find(|row| row.country == country);
        return row.map_or(0, |row| row.attempts);
    }
    let services = kept.countries.services.iter().filter(|row| row.country == country);
    services.filter(|row| matches(question, row.service)).map(|row| row.attempts).sum()
}

fn floor_of_countries(kept: &Kept, by_service: bool) -> u64 {
    if by_service { kept.countries.service_floor } else { kept.countries.floor }
}

fn not_kept(floor: u64, reasons: &mut Reasons) {
    reasons.add(format!("days with up to {floor} such attempts are left out: too few to be kept"));
}

pub fn days(
    question: &Question,
    history: &mut dyn History,
    span: &Span,
    has_atlas: bool,
) -> Result<DaysAnswer, AnswerError> {
    let mut reasons = Reasons::default();
    let (days, measured) = day_rows(question, history, span, &mut reasons)?;
    if question.country.is_some() {
        measured.explain(question.class, has_atlas, &mut reasons)?;
    }
    Ok(DaysAnswer { days, completeness: Completeness::from_reasons(&reasons.0) })
}

pub fn day_rows(
    question: &Question,
    history: &mut dyn History,
    span: &Span,
    reasons: &mut Reasons,
) -> Result<(Vec<DayRow>, Measured), AnswerError> {
    let mut measured = Measured::default();
    let mut rows = Vec::new();
    let mut floor = 0;
    walk_days(history, span, reasons, &mut |piece| {
        if let Piece::Day(day, _) = piece {
            let kept = day.class(question.class);
            if question.country.is_some() && !measured.note(kept, 1) {
                return;
            }
            match attempts_of(question, kept) {
                Err(most) => floor = floor.max(most),
                Ok(attempts) if attempts >= question.min => {
                    rows.push(DayRow {
                        date: day.date,
                        attempts,
                        unique_sources: day_unique(question, kept),
                    });
                }
                Ok(_) => {}
            }
        }
    });
    if floor > question.min {
        not_kept(floor, reasons);
    }
    Ok((rows, measured))
}

/// Different sources of one day, as far as the question's filters let them be told.
fn day_unique(question: &Question, kept: &Kept) -> Option<u64> {
    if let Some(code) = question.country {
        let row = kept.countries.rows.iter().find(|row| row.country.0 == code)?;
        return if is_about_services(question) { None } else { row.unique.number() };
    }
    match (question.source, question.protocol, question.port) {
        (None, None, None) => kept.unique.number(),
        (None, ..) => {
            let mut rows = kept.services.iter().filter(|row| matches(question, row.service));
            let first = rows.next()?;
            // Sources of several services cannot be added: some may have tried both.
            if rows.next().is_none() && question.port.is_some() { first.unique.number() } else { None }
        }
        (Some(prefix), ..) => prefix.is_single().then_some(1),
    }
}

pub fn hours(
    question: &Question,
    history: &mut dyn History,
    span: &Span,
) -> Result<HoursAnswer, AnswerError> {
    let mut reasons = Reasons::default();
    let hours = hour_rows(question, history, span, &mut reasons)?;
    Ok(HoursAnswer { hours, completeness: Completeness::from_reasons(&reasons.0) })
}

pub fn hour_rows(
    question: &Question,
    history: &mut dyn History,
    span: &Span,
    reasons: &mut Reasons,
) -> Result<Vec<HourRow>, AnswerError> {
    let by_service = is_about_services(question);
    if by_service && question.source.is_some() {
        return Err(AnswerError::Invalid(
            "hours are kept by service and by source, not by both: ask with one of them".into(),
        ));
    }
    let mut hours = [0u64; 24];
    let mut observed = false;
    let mut unknown = 0u64;
    let mut add = |row: Option<&Hours>, attempts: u64, has_hours: bool, hours: &mut [u64; 24]| match row {
        Some(row) if has_hours => {
            for (sum, count) in hours.iter_mut().zip(row.counts()) {
                *sum += u64::from(count);
            }
        }
        _ => unknown = unknown.saturating_add(attempts),
    };
    let mut floor = 0;
    walk(history, span, reasons, &mut |piece| {
        let kept = piece.class(question.class);
        observed = true;
        match (by_service, question.source) {
            (false, None) => before::add_hours(&mut hours, &kept.hours),
            (true, _) => {
                floor = floor.max(kept.service_floor);
                for row in kept.services.iter().filter(|row| matches(question, row.service)) {
                    add(row.hours.as_ref(), row.attempts, piece.has_hours(), &mut hours);
                }
            }
            (false, Some(prefix)) => {
                floor = floor.max(kept.source_floor);
                for row in kept.sources.iter().filter(|row| prefix.contains(row.address)) {
                    add(row.hours.as_ref(), row.attempts, piece.has_hours(), &mut hours);
                }
            }
        }
    });
    if unknown > 0 {
        reasons.add(format!(
            "the hours of {unknown} attempts are not kept: services and sources keep theirs from {} on, \
             and only where they are among the day's heaviest",
            span.first_hours
        ));
    }
    if floor > 0 {
        reasons.add(format!("days with up to {floor} such attempts are left out: too few to be kept"));
    }
    Ok(if observed { before::hour_rows(&hours) } else { Vec::new() })
}

/// What a month comes to.
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

fn sum_month(
    question: &Question,
    history: &mut dyn History,
    span: &Span,
    month: Month,
    found: &[Anomaly],
    measured: &mut Measured,
) -> Option<MonthSums> {
    let kept = history.month(month)?;
    let mut sums = MonthSums { days: 0, attempts: 0, anomalous: None, floor: 0 };
    let mut whole = false;
    walk_month(&kept, span, &mut Reasons::default(), &mut |piece| {
        whole |= matches!(piece, Piece::Month(_));
        let kept = piece.class(question.class);
        if question.country.is_some() && !measured.note(kept, piece.days()) {
            return;
        }
        sums.days += piece.days();
        match attempts_of(question, kept) {
            Ok(attempts) => sums.attempts = sums.attempts.saturating_add(attempts),
            Err(most) => sums.floor = sums.floor.max(most),
        }
    });
    let plain = question.source.is_none() && !is_about_services(question);
    sums.anomalous = match kept.summary.anomalous {
        _ if question.class != Class::Attempt || question.source.is_some() || question.country.is_some() => {
            None
        }
        Some(stored) if plain && span.covers(&kept.summary) => Some(stored),
        _ if whole => None,
        _ => {
            let cells = found
                .iter()
                .filter(|cell| cell.date.month() == month && span.contains(cell.date))
                .filter(|cell| matches(question, cell.service));
            Some(cells.fold((0, 0), |(cells, attempts), cell| (cells + 1, attempts + cell.attempts)))
        }
    };
    (sums.days > 0).then_some(sums)
}

pub fn months(
    question: &Question,
    history: &mut dyn History,
    span: &Span,
    has_atlas: bool,
) -> Result<MonthsAnswer, AnswerError> {
    let mut measured = Measured::default();
    let found = anomalies(history, span);
    let mut reasons = Reasons::default();
    let mut rows = Vec::new();
    let mut floor = 0;
    for month in span.months(history) {
        if let Some(reason) = history.incomplete_because(month) {
            reasons.add(reason);
        }
        let Some(sums) = sum_month(question, history, span, month, &found, &mut measured) else { continue };
        let year_before = month.year_before();
        let whole_year = span.with_range(year_before.first_day(), year_before.last_day());
        let before = sum_month(question, history, &whole_year, year_before, &found, &mut Measured::default());
        floor = floor.max(sums.floor);
        let in_month = span.with_range(span.from.max(month.first_day()), span.to.min(month.last_day()));
        let plain = question.source.is_none() && question.country.is_none() && !is_about_services(question);
        rows.push(MonthRow {
            month,
            days: sums.days,
            attempts: sums.attempts,
            attempts_per_day: rounded(sums.per_day().unwrap_or(0.0)),
            year_over_year: ratio(sums.per_day(), before.as_ref().and_then(MonthSums::per_day)),
            anomalous: sums.anomalous.map(|(cells, _)| cells),
            attempts_per_day_usual: sums.per_day_usual().map(rounded),
            year_over_year_usual: ratio(
                sums.per_day_usual(),
                before.as_ref().and_then(MonthSums::per_day_usual),
            ),
            unique_sources: if plain { unique_in(question.class, history, &in_month) } else { None },
        });
    }
    if question.country.is_some() {
        measured.explain(question.class, has_atlas, &mut reasons)?;
    }
    if floor > 0 {
        not_kept(floor, &mut reasons);
    }
    Ok(MonthsAnswer { months: rows, completeness: Completeness::from_reasons(&reasons.0) })
}

/// The different sources of a range.
pub fn unique_in(class: Class, history: &mut dyn History, span: &Span) -> Option<u64> {
    let mut range = Range::new();
    walk_joined(history, span, false, &mut |piece| {
        range.add_unique(piece.class(class).unique, piece.sketch(class));
    });
    range.unique().number()
}

/// The anomalous cells of one day, against the four weeks before.
pub fn anomalies_on(history: &mut dyn History, date: Date) -> Vec<AnomalyRow> {
    let question = Question { from: Some(date), to: Some(date), ..Question::new(Topic::Anomalies) };
    let Some(span) = Span::new(&question, history) else { return Vec::new() };
    let mut cells = Cells::new();
    let near = span.with_range(Date(date.0 - crate::stats::anomalies::WINDOW), date);
    walk(history, &near, &mut Reasons::default(), &mut |piece| {
        if let Piece::Day(day, _) = piece {
            cells.add(day.date, day.class(Class::Attempt));
        }
    });
    let of_day = cells.find().into_iter().filter(|cell| cell.date == date);
    of_day.map(|cell| anomaly_row(&cell)).collect()
}

pub fn anomaly_row(anomaly: &Anomaly) -> AnomalyRow {
    let row = lists::service_row(anomaly.service, anomaly.attempts, None, 0);
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

fn anomaly_rows(question: &Question, span: &Span, found: &[Anomaly]) -> Vec<AnomalyRow> {
    found
        .iter()
        .filter(|cell| span.contains(cell.date) && matches(question, cell.service))
        .filter(|cell| cell.attempts >= question.min)
        .take(question.limit as usize)
        .map(anomaly_row)
        .collect()
}

pub fn anomalies_answer(
    question: &Question,
    history: &mut dyn History,
    span: &Span,
) -> Result<AnomaliesAnswer, AnswerError> {
    if question.class != Class::Attempt || question.source.is_some() {
        return Err(AnswerError::Invalid(
            "anomalies are days of a service: ask for them without a class and a source".into(),
        ));
    }
    let found = anomalies(history, span);
    let mut reasons = Reasons::default();
    if span.from < span.first_day && span.oldest < span.first_day {
        reasons.add(format!("days before {} are kept by month only", span.first_day));
    }
    walk(history, span, &mut reasons, &mut |_| {});
    let anomalies = anomaly_rows(question, span, &found);
    Ok(AnomaliesAnswer { anomalies, completeness: Completeness::from_reasons(&reasons.0) })
}

pub fn summary(
    question: &Question,
    history: &mut dyn History,
    span: Option<&Span>,
    calendar: &Calendar,
    atlas: Option<&mut (dyn Atlas + '_)>,
) -> Result<SummaryAnswer, AnswerError> {
    let mut answer = SummaryAnswer {
        from: question.from,
        to: question.to,
        timezone: calendar.name().to_string(),
        days: 0,
        attempts: 0,
        attempts_per_day: None,
        unique_sources: None,
        change: None,
        classes: ClassCounts { attempt: 0, backscatter: 0, noise: 0, egress: 0, login: 0 },
        protocols: BTreeMap::new(),
        services: Vec::new(),
        sources: Vec::new(),
        anomalies: Vec::new(),
        anomalies_lately: Vec::new(),
        hours: None,
        before: None,
        usual_per_day: None,
        blocks: None,
        guard: None,
        exposure: None,
        now: None,
        warnings: None,
        completeness: Completeness::from_reasons(&[]),
    };
    let Some(span) = span else { return Ok(answer) };
    if is_about_services(question) || question.source.is_some() {
        return Err(AnswerError::Invalid(
            "a summary is about everything: ask services, sources, days, months or hours with a filter"
                .into(),
        ));
    }
    let mut reasons = Reasons::default();
    let mut classes = [0u64; Class::COUNT];
    let mut hours = [0u64; 24];
    walk(history, span, &mut reasons, &mut |piece| {
        answer.days += piece.days();
        for class in Class::ALL {
            let sum = &mut classes[class as usize];
            *sum = sum.saturating_add(piece.class(class).attempts);
        }
        let kept = piece.class(question.class);
        answer.attempts = answer.attempts.saturating_add(kept.attempts);
        before::add_hours(&mut hours, &kept.hours);
        for (protocol, count) in &kept.protocols {
            let name = services::protocol_name(*protocol).into_owned();
            let sum = answer.protocols.entry(name).or_default();
            *sum = sum.saturating_add(*count);
        }
    });
    let [attempt, backscatter, noise, egress, login] = classes;
    answer.classes = ClassCounts { attempt, backscatter, noise, egress, login };
    (answer.from, answer.to) = (Some(span.from), Some(span.to));
    let daily = per_day(answer.attempts, answer.days);
    answer.attempts_per_day = daily.map(rounded);
    answer.unique_sources = unique_in(question.class, history, span);
    answer.hours = Some(before::hour_rows(&hours));
    let (before, daily_before) = before::period_before(question, history, span).unzip();
    (answer.before, answer.change) = (before, ratio(daily, daily_before.flatten()));
    answer.usual_per_day = before::usual_per_day(question.class, history, span);
    answer.services = lists::service_rows(question, history, span, &mut reasons);
    answer.sources = lists::source_rows(question, history, span, (calendar, atlas), &mut reasons)?;
    if question.class == Class::Attempt {
        let found = anomalies(history, span);
        answer.anomalies = anomaly_rows(question, span, &found);
        let lately = span.with_range(Date(span.to.0 - LATELY_DAYS + 1), span.to);
        answer.anomalies_lately = anomaly_rows(question, &lately, &found);
    }
    answer.completeness = Completeness::from_reasons(&reasons.0);
    Ok(answer)
}
