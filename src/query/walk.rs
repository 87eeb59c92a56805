//! Goes through what is kept of a range: day by day as far as days are kept, else by whole months.

use crate::calendar::{Date, Month};
use crate::event::{Class, Service};
use crate::stats::anomalies::{Anomaly, Cells};
use crate::stats::day::KeptDay;
use crate::stats::distinct::Sketch;
use crate::stats::kept::Kept;
use crate::stats::month::{KeptMonth, day_bit};

use super::history::{History, MonthOfDays};
use super::question::Question;

/// One part of a range.
pub enum Piece<'a> {
    /// The flag tells whether hours and sketches of the day are still kept.
    Day(&'a KeptDay, bool),
    /// A whole month of which the days are gone.
    Month(&'a KeptMonth),
}

impl Piece<'_> {
    pub fn class(&self, class: Class) -> &Kept {
        match self {
            Piece::Day(day, _) => day.class(class),
            Piece::Month(month) => month.class(class),
        }
    }

    /// Days with observation.
    pub fn days(&self) -> u32 {
        match self {
            Piece::Day(..) => 1,
            Piece::Month(month) => month.days(),
        }
    }

    pub fn has_hours(&self) -> bool {
        matches!(self, Piece::Day(_, true))
    }

    pub fn sketch(&self, class: Class) -> Option<&Sketch> {
        match self {
            Piece::Day(day, true) => day.class(class).sketch.as_ref(),
            Piece::Day(_, false) => None,
            Piece::Month(month) => month.class(class).sketch.as_ref(),
        }
    }
}

/// The edges of what is kept, and of what is asked.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// The oldest and the newest day with observation.
    pub oldest: Date,
    pub newest: Date,
    pub from: Date,
    pub to: Date,
    /// No first or no last day was asked for: months before or behind, of which nothing can be read,
    /// are missing in the answer too.
    open_begin: bool,
    open_end: bool,
    /// Days from here on are kept, and days with hours.
    pub first_day: Date,
    pub first_hours: Date,
}

impl Span {
    /// The span of a question; `None` if nothing is kept at all.
    pub fn new(question: &Question, history: &mut dyn History) -> Option<Span> {
        let months = history.months();
        let oldest = months.iter().find_map(|month| observed(history, *month).map(|(first, _)| first))?;
        let newest = months.iter().rev().find_map(|month| observed(history, *month).map(|(_, last)| last))?;
        let retention = history.retention();
        Some(Span {
            oldest,
            newest,
            from: question.from.unwrap_or(oldest),
            to: question.to.unwrap_or(newest),
            open_begin: question.from.is_none(),
            open_end: question.to.is_none(),
            first_day: retention.first_day(newest),
            first_hours: retention.first_with_hours(newest),
        })
    }

    pub fn with_range(self, from: Date, to: Date) -> Span {
        Span { from, to, open_begin: false, open_end: false, ..self }
    }

    pub fn contains(&self, date: Date) -> bool {
        (self.from..=self.to).contains(&date)
    }

    /// The range holds every observed day of the month.
    pub fn covers(&self, month: &KeptMonth) -> bool {
        let first = month.month.first_day();
        (0..31)
            .map(|day| Date(first.0 + day))
            .filter(|date| date.month() == month.month && month.observed & day_bit(*date) != 0)
            .all(|date| self.contains(date))
    }

    pub fn months(&self, history: &dyn History) -> Vec<Month> {
        let (first, last) = (self.from.month(), self.to.month());
        let asked = |month: &Month| (self.open_begin || *month >= first) && (self.open_end || *month <= last);
        history.months().into_iter().filter(asked).collect()
    }
}

/// The first and the last observed day of a month.
fn observed(history: &mut dyn History, month: Month) -> Option<(Date, Date)> {
    let bits = history.month(month)?.summary.observed;
    if bits == 0 {
        return None;
    }
    let first = month.first_day().0;
    let at = |bit: u32| Date(first + bit.cast_signed());
    Some((at(bits.trailing_zeros()), at(31 - bits.leading_zeros())))
}

/// Why an answer is incomplete, each reason once.
#[derive(Default)]
pub struct Reasons(pub Vec<String>);

impl Reasons {
    pub fn add(&mut self, reason: String) {
        if !self.0.contains(&reason) {
            self.0.push(reason);
        }
    }
}

/// Visits every part of the range, oldest first.
pub fn walk(history: &mut dyn History, span: &Span, reasons: &mut Reasons, visit: &mut dyn FnMut(&Piece)) {
    for month in span.months(history) {
        let kept = history.month(month);
        if let Some(reason) = history.incomplete_because(month) {
            reasons.add(reason);
        }
        if let Some(kept) = kept {
            walk_month(&kept, span, reasons, visit);
        }
    }
}

/// As [`walk`], but by whole months where the range holds them and every attempt there has a country: of a month more
/// countries are kept than of its days.
pub fn walk_measured(
    history: &mut dyn History,
    span: &Span,
    class: Class,
    reasons: &mut Reasons,
    visit: &mut dyn FnMut(&Piece),
) {
    for month in span.months(history) {
        let kept = history.month(month);
        if let Some(reason) = history.incomplete_because(month) {
            reasons.add(reason);
        }
        let Some(kept) = kept else { continue };
        let whole = kept.summary.class(class);
        if whole.countries.measured == whole.attempts && span.from != span.to && span.covers(&kept.summary) {
            visit(&Piece::Month(&kept.summary));
        } else {
            walk_month(&kept, span, reasons, visit);
        }
    }
}

/// Visits the parts of one month that lie in the range.
pub fn walk_month(kept: &MonthOfDays, span: &Span, reasons: &mut Reasons, visit: &mut dyn FnMut(&Piece)) {
    let summary = &kept.summary;
    if days_are_gone(summary, span) && span.covers(summary) {
        visit(&Piece::Month(summary));
        return;
    }
    walk_days_of(kept, span, reasons, visit);
}

/// Visits every day of the range that is kept as a day, oldest first.
pub fn walk_days(
    history: &mut dyn History,
    span: &Span,
    reasons: &mut Reasons,
    visit: &mut dyn FnMut(&Piece),
) {
    for month in span.months(history) {
        let kept = history.month(month);
        if let Some(reason) = history.incomplete_because(month) {
            reasons.add(reason);
        }
        if let Some(kept) = kept {
            walk_days_of(&kept, span, reasons, visit);
        }
    }
}

fn walk_days_of(kept: &MonthOfDays, span: &Span, reasons: &mut Reasons, visit: &mut dyn FnMut(&Piece)) {
    if span.from < span.first_day && days_are_gone(&kept.summary, span) {
        reasons.add(format!("days before {} are kept by month only", span.first_day));
    }
    for day in &kept.days {
        if span.contains(day.date) && day.date >= span.first_day {
            visit(&Piece::Day(day, day.date >= span.first_hours));
        }
    }
}

/// Some observed days of the month are no longer kept as days.
fn days_are_gone(summary: &KeptMonth, span: &Span) -> bool {
    let first = summary.month.first_day();
    (0..31).map(|day| Date(first.0 + day)).any(|date| {
        date.month() == summary.month && date < span.first_day && summary.observed & day_bit(date) != 0
    })
}

/// The parts whose different sources make up those of the range: whole months where the range holds them, else days.
/// With `by_day` days also where they all still have their sketches: they have more of them than a month.
pub fn walk_joined(history: &mut dyn History, span: &Span, by_day: bool, visit: &mut dyn FnMut(&Piece)) {
    let single = span.from == span.to;
    for month in span.months(history) {
        let Some(kept) = history.month(month) else { continue };
        let days_tell = by_day && month.first_day() >= span.first_hours;
        if span.covers(&kept.summary) && !single && !days_tell {
            visit(&Piece::Month(&kept.summary));
        } else {
            walk_month(&kept, span, &mut Reasons::default(), visit);
        }
    }
}

/// The anomalous cells of all kept days, highest score first.
pub fn anomalies(history: &mut dyn History, span: &Span) -> Vec<Anomaly> {
    let mut cells = Cells::new();
    let all = span.with_range(span.first_day, span.newest);
    walk(history, &all, &mut Reasons::default(), &mut |piece| {
        if let Piece::Day(day, _) = piece {
            cells.add(day.date, day.class(Class::Attempt));
        }
    });
    cells.find()
}

/// The services that a question is about.
pub fn matches(question: &Question, service: Service) -> bool {
    question.protocol.is_none_or(|protocol| protocol == service.protocol)
        && question.port.is_none_or(|port| port == service.port && Service::has_ports(service.protocol))
}

/// The question is about some services only.
pub fn is_about_services(question: &Question) -> bool {
    question.protocol.is_some() || question.port.is_some()
}
