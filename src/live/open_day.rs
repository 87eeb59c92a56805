//! Questions to the running daemon: stored days and months together with the open day.
//!
//! Takes a question and a history, gives the answer; masks addresses if configured. Opens no file.

use std::net::IpAddr;

use crate::event::calendar::{Date, Month};
use crate::event::services;
use crate::event::{Address, Class, Service};
use crate::query::answer::{Completeness, EventRow, RecentAnswer, SourcesAnswer, SummaryAnswer};
use crate::query::filter::Filter;
use crate::query::history::{History, Need};
use crate::query::open::{WithOpenDays, focused, joined};
use crate::query::question::{Prefix, Question, Topic};
use crate::query::{Answer, AnswerError, Job};
use crate::stats::countries::{Country, CountryLookup, with_lookup};
use crate::stats::summary::DaySummary;

use super::evidence::{self, RecentEvent};
use super::watch;
use super::{Engine, Now};

/// Most log lines of one source.
const MAX_LINES: usize = 50;

/// A question in progress, with the days that the store does not have.
pub struct LiveJob {
    pub question: Question,
    open: Vec<DaySummary>,
    job: Job,
}

impl LiveJob {
    /// Reads one more month; false when all were read. The store must not change between two steps.
    pub fn step(&mut self, stored: &mut dyn History) -> bool {
        self.job.step(&mut WithOpenDays { stored, open: &self.open })
    }
}

impl Engine {
    /// Answers what needs no store.
    pub fn answer_now(&mut self, now: Now, question: &Question) -> Option<Answer> {
        match question.topic {
            Topic::Recent => {
                if !question.filter.is_empty() {
                    let oldest = self.evidence.events().next().map_or(1, |held| held.number);
                    self.watches.ask(now.boot_ms, &question.filter, oldest);
                }
                Some(Answer::Recent(self.recent(question)))
            }
            Topic::Blocks => Some(Answer::Blocks(self.blocks(now, question))),
            _ => None,
        }
    }

    /// Begins to answer what needs the store.
    pub fn begin_answer(
        &mut self,
        question: &Question,
        stored: &mut dyn History,
    ) -> Result<LiveJob, AnswerError> {
        let mut question = question.clone();
        // Today, or the newest day until the clock is set. For `months` a single day would be no useful default.
        if question.topic != Topic::Months && question.from.is_none() && question.to.is_none() {
            let day = self.date().or_else(|| newest_stored(stored));
            (question.from, question.to) = (day, day);
        }
        question.running = self.clock.latest().map(|wall| {
            let hour = self.calendar.hour_of(wall);
            (hour.date, hour.hour)
        });
        let open = self.measured_days(&question);
        let has_lookup = with_lookup(self.lookup.as_ref(), |lookup| lookup.is_some());
        let job = Job::new(&question, &WithOpenDays { stored, open: &open }, has_lookup)?;
        Ok(LiveJob { question, open, job })
    }

    /// The answer of a job whose last step is done.
    pub fn end_answer(&self, now: Now, job: LiveJob) -> Result<Answer, AnswerError> {
        let LiveJob { question, job, .. } = job;
        let networks = self.networks.as_ref();
        let finish = |lookup: Option<&mut dyn CountryLookup>| job.finish(&self.calendar, lookup, networks);
        let mut answer = with_lookup(self.lookup.as_ref(), finish)?;
        if let Answer::Source(source) = &mut answer {
            source.evidence = Some(self.newest_lines(MAX_LINES, |held| self.fits(&question, held)));
        }
        self.add_blocks(now, &question, &mut answer);
        self.explain(&question, &mut answer);
        Ok(answer)
    }

    /// Answers everything but `status` at once. `stored`: what the store has.
    pub fn answer(
        &mut self,
        now: Now,
        question: &Question,
        stored: &mut dyn History,
    ) -> Result<Answer, AnswerError> {
        if let Some(answer) = self.answer_now(now, question) {
            return Ok(answer);
        }
        let mut job = self.begin_answer(question, stored)?;
        while job.step(stored) {}
        self.end_answer(now, job)
    }

    /// As [`Engine::days`], with the countries of the open days if the question is about countries.
    fn measured_days(&mut self, question: &Question) -> Vec<DaySummary> {
        if question.topic != Topic::Countries && question.country.is_none() {
            return self.days(question);
        }
        for day in self.late.iter_mut().chain(&mut self.open) {
            with_lookup(self.lookup.as_ref(), |lookup| day.measure_countries(lookup));
        }
        let days = self.days(question);
        // They are outdated with the next packet.
        self.late.iter_mut().chain(&mut self.open).for_each(|day| day.measure_countries(None));
        days
    }

    /// What the question needs of the days that the store does not have.
    fn days(&self, question: &Question) -> Vec<DaySummary> {
        let live = self.late.iter().chain(&self.open).filter(|day| !day.is_empty());
        joined(self.closed().cloned().chain(live.map(|day| focused(question, day))))
    }

    /// Adds the reasons why today is incomplete.
    fn explain(&self, question: &Question, answer: &mut Answer) {
        let Some(today) = self.date() else { return };
        if question.from.is_none_or(|from| from <= today) && question.to.is_none_or(|to| to >= today) {
            self.not_seen.iter().for_each(|reason| answer.completeness_mut().add_reason(reason.clone()));
            if self.assumed_today > 0 {
                answer.completeness_mut().add_reason(taken_for_copies(self.assumed_today));
            }
        }
    }

    fn fits(&self, question: &Question, held: &RecentEvent) -> bool {
        let event = &held.event;
        (question.every_class || question.class == event.class)
            && question.protocol.is_none_or(|protocol| protocol == event.protocol)
            && question.port.is_none_or(|port| port == event.port && Service::has_ports(event.protocol))
            && question.source.is_none_or(|prefix| prefix.contains(event.source))
            && question.country.is_none_or(|code| self.country_of(event.source) == Some(Country(code)))
            && self.passes(&question.filter, held)
    }

    fn passes(&self, filter: &Filter, held: &RecentEvent) -> bool {
        let path = self.paths.get(held.event.path);
        filter.is_empty() || watch::passes(filter, &held.event, path, &mut || evidence::line_of(held, path))
    }

    fn country_of(&self, address: Address) -> Option<Country> {
        with_lookup(self.lookup.as_ref(), |lookup| lookup.and_then(|lookup| lookup.country_of(address)))
    }

    /// With a cursor the first events after it, else the newest. The oldest of them first. Numbers begin at 1 with each
    /// start of the daemon: a cursor that is greater than the last one is of an earlier run.
    fn recent(&self, question: &Question) -> RecentAnswer {
        let limit = question.limit as usize;
        let watch = self.watches.get(&question.filter);
        let oldest = self.evidence.events().next().map_or(self.evidence.last + 1, |held| held.number);
        let earlier =
            watch.into_iter().flat_map(|watch| watch.events.events()).filter(|held| held.number < oldest);
        let mut completeness = Completeness::from_reasons(&[]);
        let mut cursor = self.evidence.last;
        let is_of_earlier_run = question.cursor > cursor;
        let from = watch.map_or(oldest, |watch| watch.complete_from.min(oldest));
        if is_of_earlier_run || question.cursor > 0 && question.cursor.saturating_add(1) < from {
            completeness.add_reason("older events are no longer held".to_string());
        }
        let fitting = earlier
            .chain(self.evidence.events())
            .filter(|held| (is_of_earlier_run || held.number > question.cursor) && self.fits(question, held));
        let mut chosen: Vec<&RecentEvent> = fitting.collect();
        let more = chosen.len().saturating_sub(limit);
        if question.cursor == 0 || is_of_earlier_run {
            chosen.drain(..more);
        } else if more > 0 {
            chosen.truncate(limit);
            cursor = chosen.last().map_or(cursor, |held| held.number);
        }
        let events = chosen.into_iter().map(|held| self.row(held)).collect();
        RecentAnswer { events, cursor, completeness }
    }

    fn row(&self, held: &RecentEvent) -> EventRow {
        let event = &held.event;
        let path = self.paths.get(event.path);
        let has_ports = event.has_known_ports();
        EventRow {
            id: held.number,
            time: self.moment(held.boot_ms, held.wall),
            class: event.class.name().to_string(),
            verdict: event.verdict.name().to_string(),
            zone: path.and_then(|path| path.zone.clone()),
            source: event.source.to_string(),
            destination: event.destination.to_string(),
            protocol: services::protocol_name(event.protocol),
            source_port: (has_ports && event.class != Class::Login).then_some(event.source_port),
            port: has_ports.then_some(event.port),
            length: event.length,
            flags: evidence::flags_of(event),
            line: evidence::line_of(held, path),
        }
    }

    /// A boot time as RFC 3339; while the clock is not set, as seconds since boot.
    pub fn label(&self, boot_ms: u64) -> String {
        if self.clock.is_set() {
            self.calendar.rfc3339(self.clock.instant(boot_ms))
        } else {
            format!("boot+{}s", boot_ms / 1000)
        }
    }

    /// The log lines of the newest events that `fits` accepts, at most `most`, oldest first.
    pub(super) fn newest_lines(&self, most: usize, fits: impl Fn(&RecentEvent) -> bool) -> Vec<String> {
        let held = self.evidence.events().rev().filter(|held| fits(held)).take(most);
        let mut lines: Vec<String> =
            held.map(|held| evidence::line_of(held, self.paths.get(held.event.path))).collect();
        lines.reverse();
        lines
    }
}

/// The last day of a store.
fn newest_stored(stored: &mut dyn History) -> Option<Date> {
    let months = stored.months();
    let last = |month: Month| stored.month(month, &Need::new(Class::Attempt)).days.last().map(|day| day.date);
    months.into_iter().rev().find_map(last)
}

/// The sentence about assumed duplicates.
pub(crate) fn taken_for_copies(lines: u64) -> String {
    format!(
        "{lines} lines of the log were taken for copies of NFLOG's packets: too many came at once to compare"
    )
}

/// Why a question must not be answered while sources are masked: its prefix is longer than what is shown, and enough
/// such questions would reveal an address. Blocked sources are shown completely and may be queried.
pub fn refused_by_mask(question: &Question, is_blocked: impl FnOnce(Address) -> bool) -> Option<String> {
    if question.filter.reveals_addresses() {
        return Some("filter: mask_sources is on: no address or word is searched for".into());
    }
    let Prefix { network, length } = question.source.filter(|_| question.topic != Topic::Blocks)?;
    let shown = if network.is_v4() { 16 } else { 32 };
    let is_single = length == if network.is_v4() { 32 } else { 128 };
    let hidden = length > shown && !(is_single && is_blocked(network));
    let key = if question.topic == Topic::Source { "address" } else { "source" };
    hidden.then(|| format!("{key}: mask_sources is on: no prefix longer than /{shown} is answered"))
}

/// Masks every source as the option `mask_sources` says.
pub fn mask(answer: &mut Answer) {
    match answer {
        Answer::Summary(SummaryAnswer { sources, .. }) | Answer::Sources(SourcesAnswer { sources, .. }) => {
            sources.iter_mut().for_each(|row| row.address = masked(&row.address));
        }
        Answer::Source(answer) => {
            let masked = masked(&answer.row.address);
            for line in answer.evidence.iter_mut().flatten() {
                *line = mask_in(line, &answer.row.address, &masked);
            }
            answer.row.address = masked;
        }
        Answer::Recent(answer) => {
            for row in &mut answer.events {
                let masked = masked(&row.source);
                row.line = mask_in(&row.line, &row.source, &masked);
                row.source = masked;
            }
        }
        _ => {}
    }
}

/// An address as [`mask`] shows it.
pub(crate) fn masked(address: &str) -> String {
    match address.parse() {
        Ok(IpAddr::V4(v4)) => {
            let [a, b, ..] = v4.octets();
            format!("{a}.{b}.x.x")
        }
        Ok(IpAddr::V6(v6)) => {
            let [a, b, ..] = v6.segments();
            format!("{a:x}:{b:x}:x::")
        }
        Err(_) => "x".to_string(),
    }
}

/// The address as it is written in answers, and as the kernel's log writes it.
fn mask_in(line: &str, address: &str, masked: &str) -> String {
    let line = line.replace(address, masked);
    match address.parse() {
        Ok(IpAddr::V6(v6)) => {
            let full: Vec<String> = v6.segments().iter().map(|part| format!("{part:04x}")).collect();
            line.replace(&full.join(":"), masked)
        }
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masked_sources_show_their_network_only() {
        assert_eq!(masked("180.188.7.9"), "180.188.x.x");
        assert_eq!(masked("2001:db8::7"), "2001:db8:x::");
        let line = "SRC=2001:0db8:0000:0000:0000:0000:0000:0007 DST=::1";
        assert_eq!(mask_in(line, "2001:db8::7", "2001:db8:x::"), "SRC=2001:db8:x:: DST=::1");
    }

    #[test]
    fn masked_sources_cannot_be_found_out_prefix_by_prefix() {
        let refused = |topic, prefix: &str, blocked: bool| {
            let source = Some(Prefix::parse(prefix).unwrap());
            refused_by_mask(&Question { source, ..Question::new(topic) }, |_| blocked).is_some()
        };
        for topic in [Topic::Sources, Topic::Summary, Topic::Recent, Topic::Services, Topic::Hours] {
            assert!(!refused(topic, "180.188.0.0/16", false) && !refused(topic, "2001:db8::/32", false));
            for prefix in ["180.188.0.0/17", "180.188.12.34", "2001:db8::/33", "2001:db8::1"] {
                assert!(refused(topic, prefix, false), "{topic:?} {prefix}");
            }
        }
        // Blocks are shown whole.
        assert!(!refused(Topic::Blocks, "180.188.12.34", false));
        assert!(
            !refused(Topic::Source, "180.188.12.34", true) && refused(Topic::Source, "180.188.12.34", false)
        );
        assert!(refused(Topic::Sources, "180.188.12.0/24", true));
        assert!(refused_by_mask(&Question::new(Topic::Sources), |_| false).is_none());
    }
}
