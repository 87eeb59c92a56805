//! The answers to `summary` and `source`, which join several tables.

use crate::event::Class;
use crate::event::calendar::{Calendar, Date};
use crate::event::services;
use crate::event::small_map::SmallMap;
use crate::query::short::{AddressText, CountryText};
use crate::stats::anomalies::median;
use crate::stats::countries::CountryLookup;
use crate::stats::sum::{Sources, Table, add_hours};

use super::AnswerError;
use super::anomalies::{self, Found};
use super::answer::{ClassCounts, PeriodBefore, SourceAnswer, SourceRow, SummaryAnswer};
use super::history::{Detail, History, MonthData, Need, Section};
use super::lists::{Listed, ServiceList, SourceList, source_row};
use super::periods::{DayList, HourList, hour_rows};
use super::question::Question;
use super::scan::{Reasons, Span, is_about_services, per_day, ratio, rounded};

/// Anomalies of this many days are recent ones.
const LATELY_DAYS: i32 = 30;
/// Days before a period from which the usual number is computed.
const USUAL_DAYS: i32 = 28;
/// With fewer days there is no usual number.
const MIN_DAYS: usize = 7;

/// The sums of a period.
struct Period {
    span: Span,
    days: u32,
    attempts: u64,
    hours: [u64; 24],
    /// The hours of its last day, where they are stored.
    last_day: Option<[u64; 24]>,
    /// `None` where they are counted elsewhere.
    sources: Option<Sources>,
    reasons: Reasons,
}

impl Period {
    fn new(span: Span, sources: Option<Sources>) -> Period {
        let reasons = Reasons::default();
        Period { span, days: 0, attempts: 0, hours: [0; 24], last_day: None, sources, reasons }
    }

    fn need(&self, need: Need) -> Need {
        let Span { from, to } = self.span;
        let need = need.and(&[Section::Totals], from, to);
        if self.span.is_single() || self.sources.is_none() {
            return need;
        }
        need.and(&[Section::Sample], from, to)
    }

    fn add(&mut self, data: &MonthData) {
        self.span.explain(data, &mut self.reasons);
        for day in self.span.days(data) {
            self.days += 1;
            self.attempts = self.attempts.saturating_add(day.summary.attempts);
            if day.date == self.span.to && data.detail < Detail::Month {
                self.last_day = Some(day.summary.hours);
            }
        }
        let (span, hours) = (self.span, &mut self.hours);
        span.pieces(data, &mut self.reasons, |summary, _| add_hours(hours, &summary.hours));
        if let Some(sources) = &mut self.sources {
            span.add_sources(data, sources);
        }
    }

    fn per_day(&self) -> Option<f64> {
        per_day(self.attempts, self.days)
    }

    /// The same, of the last day only the hours before `hour`.
    fn per_day_until(&self, hour: u8) -> Option<f64> {
        let rest =
            self.last_day?.iter().skip(hour.into()).fold(0, |sum: u64, count| sum.saturating_add(*count));
        per_day(self.attempts.saturating_sub(rest), self.days)
    }
}

/// Collects the answer to `summary`.
pub(super) struct Summary {
    question: Question,
    now: Period,
    /// The preceding period of the same length, if the range has both ends.
    before: Option<Period>,
    /// The attempts of the days before.
    usual: Vec<f64>,
    classes: [u64; Class::COUNT],
    protocols: SmallMap<String, u64>,
    services: ServiceList,
    sources: SourceList,
    found: Option<Found>,
    observed: Option<(Date, Date)>,
}

impl Summary {
    /// With what it needs, and the first day of it.
    pub(super) fn new(
        question: &Question,
        history: &dyn History,
    ) -> Result<(Summary, Need, Date), AnswerError> {
        if is_about_services(question) || question.source.is_some() {
            return Err(AnswerError::Invalid(
                "a summary is about everything: ask services, sources, days, months or hours with a filter"
                    .into(),
            ));
        }
        let span = Span::of(question);
        let length = span.to.0.saturating_sub(span.from.0).saturating_add(1);
        let ends = question.from.is_some() && question.to.is_some();
        let before =
            ends.then(|| Span { from: Date(span.from.0.saturating_sub(length)), to: Date(span.from.0 - 1) });
        // The list of services counts the sources of the period itself.
        let now = Period::new(span, None);
        let before = before.map(|span| Period::new(span, Some(Sources::default())));
        let mut first = span.from.min(Date(span.from.0.saturating_sub(USUAL_DAYS)));
        first = first.min(before.as_ref().map_or(first, |before| before.span.from));
        let mut need = now.need(Need::new(question.class));
        if let Some(before) = &before {
            need = before.need(need);
        }
        let (services, sources) = (ServiceList::new(question)?, SourceList::new(question));
        need = sources.need(services.need(need));
        let found = (question.class == Class::Attempt).then(|| {
            let from = span.from.min(Date(span.to.0.saturating_sub(LATELY_DAYS - 1)));
            Found::new(Span { from, to: span.to }, history)
        });
        if let Some(found) = &found {
            need = found.need(need);
            first = first.min(found.first());
        }
        let summary = Summary {
            question: question.clone(),
            now,
            before,
            usual: Vec::new(),
            classes: [0; Class::COUNT],
            protocols: SmallMap::new(),
            services,
            sources,
            found,
            observed: None,
        };
        Ok((summary, need, first))
    }

    /// Adds a month.
    pub(super) fn add(&mut self, data: &MonthData) {
        let span = self.now.span;
        if let Some(before) = &mut self.before {
            before.add(data);
        }
        let usual = Span { from: Date(span.from.0.saturating_sub(USUAL_DAYS)), to: Date(span.from.0 - 1) };
        self.usual.extend(usual.days(data).map(|day| day.summary.attempts as f64));
        if let Some(found) = &mut self.found {
            found.add(data);
        }
        if span.days(data).next().is_none() {
            // The usual number is computed from the days before: damage of them is damage of the answer.
            if data.damage.is_some() {
                span.explain(data, &mut self.now.reasons);
            }
            return;
        }
        self.now.add(data);
        for day in span.days(data) {
            let (first, _) = *self.observed.get_or_insert((day.date, day.date));
            self.observed = Some((first, day.date));
            for class in Class::ALL {
                let sum = &mut self.classes[class as usize];
                *sum = sum.saturating_add(day.total(class).attempts);
            }
        }
        let protocols = &mut self.protocols;
        span.pieces(data, &mut Reasons::default(), |summary, _| {
            for (protocol, count) in &summary.protocols {
                let name = services::protocol_name(*protocol).into_owned();
                let sum = protocols.or_default(name);
                *sum = sum.saturating_add(*count);
            }
        });
        self.services.add(data, &mut self.now.reasons);
        self.sources.add(data, &mut self.now.reasons);
    }

    /// The answer, after the last month.
    pub(super) fn finish(
        mut self,
        calendar: &Calendar,
        lookup: Option<&mut (dyn CountryLookup + '_)>,
    ) -> Result<SummaryAnswer, AnswerError> {
        let question = &self.question;
        let mut reasons = std::mem::take(&mut self.now.reasons);
        let [attempt, backscatter, noise, egress, login] = self.classes;
        let mut answer = SummaryAnswer {
            from: question.from.or(self.observed.map(|(first, _)| first)),
            to: question.to.or(self.observed.map(|(_, last)| last)),
            timezone: calendar.name().to_string(),
            days: self.now.days,
            attempts: self.now.attempts,
            classes: ClassCounts { attempt, backscatter, noise, egress, login },
            protocols: std::mem::take(&mut self.protocols),
            ..SummaryAnswer::default()
        };
        let per_day = self.now.per_day();
        answer.attempts_per_day = per_day.map(rounded);
        answer.hours = (self.now.days > 0).then(|| hour_rows(&self.now.hours));
        // A period that is not known whole is no measure.
        let whole = |before: &Period| before.reasons.0.is_empty() && before.days > 0;
        if let Some(before) = self.before.take().filter(whole) {
            // A day that is not over is compared with the same hours of the day before.
            let running =
                question.running.filter(|(date, _)| *date == self.now.span.to).map(|(_, hour)| hour);
            answer.change = match running {
                Some(hour) => ratio(self.now.per_day_until(hour), before.per_day_until(hour)),
                None => ratio(per_day, before.per_day()),
            };
            answer.change_until_hour = running.filter(|_| answer.change.is_some()).map(u32::from);
            answer.before = Some(PeriodBefore {
                from: before.span.from,
                to: before.span.to,
                attempts: before.attempts,
                unique_sources: before.sources.and_then(Sources::distinct).map(|distinct| distinct.number),
                hours: hour_rows(&before.hours),
            });
        }
        answer.usual_per_day = (self.usual.len() >= MIN_DAYS).then(|| rounded(median(&mut self.usual)));
        let Listed { rows, distinct, .. } = self.services.finish(lookup.is_some(), &mut reasons)?;
        answer.services = rows;
        answer.unique_sources = distinct.map(|distinct| distinct.number);
        answer.unique_sources_error = distinct.map(|distinct| distinct.error).filter(|error| *error > 0);
        answer.sources = self.sources.finish(calendar, lookup, &mut reasons);
        if let Some(found) = self.found.take() {
            let found = found.finish();
            answer.anomalies = anomalies::rows(question, &self.now.span, &found);
            let last = self.observed.map_or(self.now.span.to, |(_, last)| last.min(self.now.span.to));
            let recent = Span { from: Date(last.0 - LATELY_DAYS + 1), to: last };
            answer.anomalies_lately = anomalies::rows(question, &recent, &found);
        }
        answer.completeness = reasons.finish();
        Ok(answer)
    }
}

/// Everything about one source.
pub(super) struct OneSource {
    question: Question,
    span: Span,
    sources: Table<crate::event::Address>,
    services: ServiceList,
    hours: HourList,
    days: DayList,
    reasons: Reasons,
}

impl OneSource {
    pub(super) fn new(question: &Question) -> Result<(OneSource, Need), AnswerError> {
        if question.source.is_none() {
            return Err(AnswerError::Invalid("source: give the address that you ask about".into()));
        }
        let span = Span::of(question);
        let source = OneSource {
            span,
            sources: Table::new(super::lists::MAX_ROWS),
            services: ServiceList::new(question)?,
            hours: HourList::new(question)?,
            days: DayList::new(question),
            reasons: Reasons::default(),
            question: question.clone(),
        };
        let need = source.services.need(Need::new(question.class));
        let need = source.days.need(source.hours.need(need));
        Ok((source, need))
    }

    /// Adds a month.
    pub(super) fn add(&mut self, data: &MonthData) {
        self.span.explain(data, &mut self.reasons);
        let (question, sources) = (&self.question, &mut self.sources);
        let wanted = |address| question.source.is_some_and(|prefix| prefix.contains(address));
        self.span.pieces(data, &mut self.reasons, |summary, _| sources.add_sources(&summary.sources, wanted));
        self.services.add(data, &mut self.reasons);
        self.hours.add(data, &mut self.reasons);
        self.days.add(data, &mut self.reasons);
    }

    /// The answer, after the last month.
    pub(super) fn finish(
        self,
        calendar: &Calendar,
        lookup: Option<&mut (dyn CountryLookup + '_)>,
    ) -> Result<SourceAnswer, AnswerError> {
        let OneSource { question, mut sources, mut reasons, .. } = self;
        sources.sort();
        let (floor, sums) = (sources.floor(), sources.rows());
        let row = match sums.first() {
            Some(sum) => {
                let low = sources.missing(sum);
                if low > 0 {
                    reasons.add(format!("the attempts of some sources can be up to {low} too low"));
                }
                source_row(sum, low, self.span.is_single(), calendar)
            }
            None => {
                if floor > 0 {
                    reasons.add(format!("sources with up to {floor} attempts are not stored"));
                }
                let address = question.source.map(|prefix| AddressText::of(prefix.network));
                SourceRow { address: address.unwrap_or_default(), ..SourceRow::default() }
            }
        };
        let address = sums.first().map(|sum| sum.key).or(question.source.map(|prefix| prefix.network));
        let country = lookup.zip(address).and_then(|(lookup, address)| lookup.country_of(address));
        let top_services = self.services.finish(false, &mut reasons)?.rows;
        let hours = self.hours.finish(&mut reasons);
        let days = self.days.finish(false, &mut reasons)?;
        Ok(SourceAnswer {
            row: SourceRow { country: country.map(CountryText::of), ..row },
            as_name: None,
            hours,
            top_services,
            advice: None,
            days,
            evidence: None,
            block: None,
            completeness: reasons.finish(),
        })
    }
}
