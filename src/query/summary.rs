//! The answers to `summary` and `source`, which consist of several tables. Takes months, gives the answers.

use super::anomalies::{self, AnomalyScan};
use super::answer::{ClassCounts, PeriodBefore, SourceAnswer, SourceRow, SummaryAnswer};
use super::asns::network_of;
use super::history::{Detail, History, MonthData, Need, Section};
use super::lists::{ServiceList, SourceList, source_row};
use super::periods::{DayList, HourList, hour_rows};
use super::question::Question;
use super::scan::{Collect, Context, Reasons, Span, per_day, ratio, rounded};
use super::{Answer, AnswerError};
use crate::event::calendar::Date;
use crate::event::services;
use crate::event::small_map::SmallMap;
use crate::event::{Address, Class};
use crate::stats::anomalies::median;
use crate::stats::sum::{Sources, Sum, Table, add_hours};
use crate::stats::summary::ClassSummary;

/// Days of `anomalies_lately`.
const LATELY_DAYS: i32 = 30;
/// Days before a period from which `usual_per_day` is computed.
const USUAL_DAYS: i32 = 28;
/// With fewer days there is no `usual_per_day`.
const MIN_DAYS: usize = 7;

/// The sums of a period.
struct Period {
    span: Span,
    days: u32,
    attempts: u64,
    hours: [u64; 24],
    /// The hours of its last day, if they are stored.
    last_day: Option<[u64; 24]>,
}

impl Period {
    fn new(span: Span, need: &mut Need) -> Period {
        need.add(&[Section::Totals], span);
        Period { span, days: 0, attempts: 0, hours: [0; 24], last_day: None }
    }

    fn add(&mut self, data: &MonthData, reasons: &mut Reasons) {
        for day in self.span.days(data) {
            self.days += 1;
            let of_class = day.class(data.class);
            self.attempts = self.attempts.saturating_add(of_class.attempts);
            if day.date == self.span.to && data.detail < Detail::Month {
                self.last_day = Some(of_class.hours);
            }
        }
        self.span.pieces(data, reasons, |summary, _| add_hours(&mut self.hours, &summary.hours));
    }

    /// Attempts per day; with `hour`, of the last day only the hours before it.
    fn per_day(&self, hour: Option<u8>) -> Option<f64> {
        let mut rest = 0u64;
        if let Some(hour) = hour {
            rest = self.last_day?.iter().skip(hour.into()).copied().fold(0, u64::saturating_add);
        }
        per_day(self.attempts.saturating_sub(rest), self.days)
    }
}

/// Collects the answer to `summary`.
pub(super) struct Summary {
    now: Period,
    /// The preceding period of the same length with its sources and why it is incomplete, if the range has both ends.
    before: Option<(Period, Sources, Reasons)>,
    /// The attempts of each day before.
    usual: Vec<f64>,
    classes: ClassCounts,
    protocols: SmallMap<String, u64>,
    services: ServiceList,
    sources: SourceList,
    found: Option<AnomalyScan>,
    observed: Option<(Date, Date)>,
}

impl Summary {
    /// Adds what it needs to `need`.
    pub(super) fn new(question: &Question, history: &dyn History, need: &mut Need) -> Summary {
        let span = Span::of(question);
        need.add_since(Date(span.from.0.saturating_sub(USUAL_DAYS)));
        let length = span.to.0.saturating_sub(span.from.0).saturating_add(1);
        let before = (question.from.is_some() && question.to.is_some()).then(|| {
            let span = Span { from: Date(span.from.0.saturating_sub(length)), to: Date(span.from.0 - 1) };
            need.add_since(span.from);
            if !span.is_single() {
                need.add(&[Section::Sample], span);
            }
            (Period::new(span, need), Sources::default(), Reasons::default())
        });
        let found = (question.class == Class::Attempt).then(|| {
            let from = span.from.min(Date(span.to.0.saturating_sub(LATELY_DAYS - 1)));
            AnomalyScan::new(Span { from, to: span.to }, history, need)
        });
        Summary {
            now: Period::new(span, need),
            before,
            usual: Vec::new(),
            classes: ClassCounts::default(),
            protocols: SmallMap::new(),
            services: ServiceList::new(question, need),
            sources: SourceList::new(question, need),
            found,
            observed: None,
        }
    }
}

impl Collect for Summary {
    fn add(&mut self, question: &Question, data: &MonthData, reasons: &mut Reasons) {
        let span = self.now.span;
        if let Some((before, sources, reasons)) = &mut self.before {
            before.span.explain(data, reasons);
            before.add(data, reasons);
            before.span.add_sources(data, sources);
        }
        let usual = Span { from: Date(span.from.0.saturating_sub(USUAL_DAYS)), to: Date(span.from.0 - 1) };
        self.usual.extend(usual.days(data).map(|day| day.class(data.class).attempts as f64));
        if let Some(found) = &mut self.found {
            found.add(question, data, reasons);
        }
        if span.days(data).next().is_none() {
            return;
        }
        self.now.add(data, reasons);
        for day in span.days(data) {
            let (first, _) = *self.observed.get_or_insert((day.date, day.date));
            self.observed = Some((first, day.date));
            for class in Class::ALL {
                let sum = &mut self.classes.0[class as usize];
                *sum = sum.saturating_add(day.class(class).attempts);
            }
        }
        span.pieces(data, &mut Reasons::default(), |summary, _| {
            for (protocol, count) in &summary.protocols {
                let sum = self.protocols.or_default(services::protocol_name(*protocol).into_owned());
                *sum = sum.saturating_add(*count);
            }
        });
        self.services.add(question, data, reasons);
        self.sources.add(question, data, reasons);
    }

    fn finish(self: Box<Self>, context: &mut Context<'_>) -> Result<Answer, AnswerError> {
        let question = context.question;
        let Summary { now, mut usual, observed, .. } = *self;
        let (listed, distinct) = self.services.answer(context)?;
        let mut answer = SummaryAnswer {
            from: question.from.or(observed.map(|(first, _)| first)),
            to: question.to.or(observed.map(|(_, last)| last)),
            timezone: context.calendar.name().to_string(),
            days: now.days,
            attempts: now.attempts,
            attempts_per_day: now.per_day(None).map(rounded),
            unique_sources: distinct.map(|distinct| distinct.number),
            unique_sources_error: distinct.map(|distinct| distinct.error).filter(|error| *error > 0),
            classes: self.classes,
            protocols: self.protocols,
            services: listed.services,
            sources: self.sources.rows(context),
            hours: (now.days > 0).then(|| hour_rows(&now.hours)),
            usual_per_day: (usual.len() >= MIN_DAYS).then(|| rounded(median(&mut usual))),
            ..SummaryAnswer::default()
        };
        // An incomplete period is not compared with.
        let before = self.before.filter(|(before, _, reasons)| reasons.0.is_empty() && before.days > 0);
        if let Some((before, sources, _)) = before {
            // A day that is not over is compared with the same hours of the day before.
            let running = question.running.filter(|(date, _)| *date == now.span.to).map(|(_, hour)| hour);
            answer.change = ratio(now.per_day(running), before.per_day(running));
            answer.change_until_hour = running.filter(|_| answer.change.is_some()).map(u32::from);
            answer.before = Some(PeriodBefore {
                from: before.span.from,
                to: before.span.to,
                attempts: before.attempts,
                unique_sources: sources.distinct().map(|distinct| distinct.number),
                hours: hour_rows(&before.hours),
            });
        }
        if let Some(found) = self.found.map(AnomalyScan::found) {
            answer.anomalies = anomalies::rows(question, now.span, &found);
            let last = observed.map_or(now.span.to, |(_, last)| last.min(now.span.to));
            let recent = Span { from: Date(last.0 - LATELY_DAYS + 1), to: last };
            answer.anomalies_lately = anomalies::rows(question, recent, &found);
        }
        Ok(Answer::Summary(answer))
    }
}

/// Collects the answer to `source`.
pub(super) struct OneSource {
    sources: Table<Address>,
    services: ServiceList,
    hours: HourList,
    days: DayList,
}

impl OneSource {
    /// Adds what it needs to `need`.
    pub(super) fn new(question: &Question, need: &mut Need) -> OneSource {
        OneSource {
            sources: Table::default(),
            services: ServiceList::new(question, need),
            hours: HourList::new(question, need),
            days: DayList::new(question, need),
        }
    }
}

impl Collect for OneSource {
    fn add(&mut self, question: &Question, data: &MonthData, reasons: &mut Reasons) {
        let wanted = |address| question.source.is_some_and(|prefix| prefix.contains(address));
        let add = |summary: &ClassSummary, _| self.sources.add(&summary.sources, wanted);
        Span::of(question).pieces(data, reasons, add);
        self.services.add(question, data, reasons);
        self.hours.add(question, data, reasons);
        self.days.add(question, data, reasons);
    }

    fn finish(mut self: Box<Self>, context: &mut Context<'_>) -> Result<Answer, AnswerError> {
        let question = context.question;
        self.sources.sort();
        let (found, floor) = (self.sources.rows().first(), self.sources.floor());
        let low = found.map_or(0, |sum| self.sources.missing(sum));
        if low > 0 {
            context.reasons.add(format!("the attempts of some sources can be up to {low} too low"));
        }
        if found.is_none() && floor > 0 {
            context.reasons.add(format!("sources with up to {floor} attempts are not stored"));
        }
        let asked = question.source.map_or(Address::default(), |prefix| prefix.network);
        let sum = found.copied().unwrap_or(Sum::of(asked, 0, 0));
        let country = context.lookup.as_deref_mut().and_then(|lookup| lookup.country_of(sum.key));
        let network = network_of(context, sum.key);
        Ok(Answer::Source(SourceAnswer {
            row: SourceRow {
                country: country.map(|country| country.to_string()),
                asn: network.as_ref().map(|network| network.number),
                ..source_row(&sum, low, question, context.calendar)
            },
            as_name: network.map(|network| network.name).filter(|name| !name.is_empty()),
            top_services: self.services.answer(context)?.0.services,
            hours: self.hours.rows(&mut context.reasons),
            days: self.days.rows(context)?,
            ..SourceAnswer::default()
        }))
    }
}
