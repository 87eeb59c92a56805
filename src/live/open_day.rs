//! Questions to the running daemon: the store's days and months with the open day among them.

use std::net::IpAddr;
use std::rc::Rc;

use crate::calendar::{Date, Month};
use crate::event::{Address, Class, Service};
use crate::query::answer::{AnomalyRow, Completeness, EventRow, RecentAnswer};
use crate::query::history::{History, MonthOfDays, Retention};
use crate::query::question::{Prefix, Question, Topic};
use crate::query::{self, Answer, AnswerError};
use crate::services;
use crate::short::AddressText;
use crate::stats::countries::{Atlas, Country, with_atlas};
use crate::stats::day::{Day, KeptDay};
use crate::stats::kept::SKETCHED;
use crate::stats::month::MonthSum;
use crate::stats::tables::Focus;

use super::evidence::{self, Held};
use super::{Engine, Now};

/// Rows of the open day that a question can see at most.
const MOST_ROWS: usize = 1024;

/// Rows of sources and pairs that a filter can sum up.
const MOST_SUMMED: usize = 4096;

/// Lines of evidence of one source.
const MOST_LINES: usize = 50;

/// A store with days that are not in it yet.
struct LiveHistory<'a> {
    stored: &'a mut dyn History,
    /// Oldest first, no two of one date.
    days: Vec<KeptDay>,
    /// The last of these, also once it was merged.
    newest: Date,
    /// The months that were asked for so far and have such days, with these in them.
    merged: Vec<(Month, Rc<MonthOfDays>)>,
}

impl<'a> LiveHistory<'a> {
    fn new(stored: &'a mut dyn History, days: Vec<KeptDay>) -> LiveHistory<'a> {
        let newest = days.last().map_or(Date(0), |day| day.date);
        LiveHistory { stored, days, newest, merged: Vec::new() }
    }
}

impl History for LiveHistory<'_> {
    fn months(&self) -> Vec<Month> {
        let mut months = self.stored.months();
        months.extend(self.days.iter().map(|day| day.date.month()));
        months.extend(self.merged.iter().map(|(month, _)| *month));
        months.sort();
        months.dedup();
        months
    }

    fn month(&mut self, month: Month) -> Option<Rc<MonthOfDays>> {
        if let Some((_, merged)) = self.merged.iter().find(|(known, _)| *known == month) {
            return Some(Rc::clone(merged));
        }
        let days: Vec<KeptDay> = self.days.extract_if(.., |day| day.date.month() == month).collect();
        let stored = self.stored.month(month);
        if days.is_empty() {
            return stored;
        }
        let days_tell_all = self.retention().first_with_hours(self.newest) <= month.first_day();
        let mut sum = MonthSum::new(month);
        let mut kept = match stored {
            Some(stored) => {
                sum.add_month(&stored.summary);
                Rc::try_unwrap(stored).map_or_else(|stored| stored.days.clone(), |stored| stored.days)
            }
            None => Vec::new(),
        };
        for day in days {
            // The rows of a month's summary are asked for once its days tell less than they did.
            if days_tell_all {
                sum.add_totals(&day)
            } else {
                sum.add_day(&day)
            }
            match kept.iter_mut().find(|known| known.date == day.date) {
                Some(known) => *known = sum_of(&[known, &day]),
                None => kept.push(day),
            }
        }
        kept.sort_by_key(|day| day.date);
        let merged = Rc::new(MonthOfDays { summary: sum.finish(), days: kept });
        self.merged.push((month, Rc::clone(&merged)));
        Some(merged)
    }

    fn retention(&self) -> Retention {
        self.stored.retention()
    }

    fn incomplete_because(&self, month: Month) -> Option<String> {
        self.stored.incomplete_because(month)
    }
}

/// Parts of one day.
fn sum_of(parts: &[&KeptDay]) -> KeptDay {
    let mut day = Day::new(parts[0].date);
    parts.iter().for_each(|part| day.add_kept(part));
    day.set_countries_of(parts);
    day.focused(&Focus { sketches: SKETCHED, ..Focus::heaviest(MOST_ROWS, MOST_ROWS, MOST_ROWS) })
}

impl Engine {
    /// Answers everything but `status`. `stored`: what the store has.
    pub fn answer(
        &mut self,
        now: Now,
        question: &Question,
        stored: &mut dyn History,
    ) -> Result<Answer, AnswerError> {
        let mut question = question.clone();
        if question.topic == Topic::Months {
            // All that is kept: a single day's month tells nothing.
        } else if question.from.is_none() && question.to.is_none() {
            // Until the clock is set, the newest day there is.
            (question.from, question.to) = (self.date(), self.date());
        }
        match question.topic {
            Topic::Recent => return Ok(Answer::Recent(self.recent(&question))),
            Topic::Blocks => return Ok(Answer::Blocks(self.blocks(now, &question))),
            _ => {}
        }
        let atlas = self.atlas.clone();
        let mut history = LiveHistory::new(stored, self.measured_days(&question));
        let answered =
            with_atlas(atlas.as_ref(), |atlas| query::answer(&question, &mut history, &self.calendar, atlas));
        let mut answer = answered?;
        if let Answer::Source(source) = &mut answer {
            source.evidence = Some(self.lines(&question));
        }
        self.add_blocks(now, &question, &mut answer);
        self.explain(&question, &mut answer);
        Ok(answer)
    }

    /// The anomalous cells of a day as far as it is known, highest score first.
    pub fn anomalies_on(&self, date: Date, stored: &mut dyn History) -> Vec<AnomalyRow> {
        let days = self.days(&Question { limit: 1, ..Question::new(Topic::Anomalies) });
        query::anomalies_on(&mut LiveHistory::new(stored, days), date)
    }

    /// As [`Engine::days`], with the countries of the live ones where the question is about these.
    fn measured_days(&mut self, question: &Question) -> Vec<KeptDay> {
        if question.topic != Topic::Countries && question.country.is_none() {
            return self.days(question);
        }
        let atlas = self.atlas.clone();
        with_atlas(atlas.as_ref(), |mut atlas| {
            for day in self.live_days() {
                day.measure_countries(atlas.as_mut().map(|atlas| &mut **atlas as &mut dyn Atlas));
            }
        });
        let days = self.days(question);
        // They change with the next packet.
        self.live_days().for_each(|day| day.measure_countries(None));
        days
    }

    /// The days that the store does not have, as far as the question needs them.
    fn days(&self, question: &Question) -> Vec<KeptDay> {
        let services = |service: Service| {
            question.protocol.is_none_or(|protocol| protocol == service.protocol)
                && question.port.is_none_or(|port| port == service.port)
        };
        let sources = |address| question.source.is_none_or(|prefix| prefix.contains(address));
        // Rows that are summed up must all be there; of a list, as many as it shows.
        let filtered = question.source.is_some() || question.protocol.is_some() || question.port.is_some();
        let listed = question.limit as usize + 1;
        let (most_services, most_sources, most_pairs) = match question.topic {
            _ if filtered => (MOST_ROWS, MOST_SUMMED, MOST_SUMMED),
            Topic::Sources => (0, listed, 0),
            Topic::Summary => (MOST_ROWS, listed, 0),
            _ => (MOST_ROWS, 0, 0),
        };
        let focus = Focus {
            services: &services,
            sources: &sources,
            sketches: SKETCHED,
            ..Focus::heaviest(most_services, most_sources, most_pairs)
        };
        let mut days: Vec<KeptDay> = self.closed.clone();
        let live = self.late_day().into_iter().chain(self.open_day()).filter(|day| !day.is_empty());
        for day in live.map(|day| day.focused_on(question.class, &focus)) {
            match days.iter_mut().find(|known| known.date == day.date) {
                Some(known) => *known = sum_of(&[known, &day]),
                None => days.push(day),
            }
        }
        days.sort_by_key(|day| day.date);
        days
    }

    fn explain(&self, question: &Question, answer: &mut Answer) {
        let Some(today) = self.date() else { return };
        let touches =
            question.from.is_none_or(|from| from <= today) && question.to.is_none_or(|to| to >= today);
        if touches && self.lost_today > 0 {
            let lost = self.lost_today;
            answer
                .completeness_mut()
                .add_reason(format!("{lost} packets were lost today before they were read"));
        }
        if touches {
            self.not_seen.iter().for_each(|reason| answer.completeness_mut().add_reason(reason.clone()));
        }
    }

    fn fits(&self, question: &Question, held: &Held) -> bool {
        let event = &held.event;
        (question.every_class || question.class == event.class)
            && question.protocol.is_none_or(|protocol| protocol == event.protocol)
            && question.port.is_none_or(|port| port == event.port && Service::has_ports(event.protocol))
            && question.source.is_none_or(|prefix| prefix.contains(event.source))
            && question.country.is_none_or(|code| self.country_of(event.source) == Some(Country(code)))
    }

    fn country_of(&self, address: Address) -> Option<Country> {
        with_atlas(self.atlas.as_ref(), |atlas| atlas.and_then(|atlas| atlas.country_of(address)))
    }

    /// With a cursor the first events after it, else the newest; oldest first.
    fn recent(&self, question: &Question) -> RecentAnswer {
        let limit = question.limit as usize;
        let fitting = self.evidence.held().filter(|held| self.fits(question, held));
        let mut completeness = Completeness::from_reasons(&[]);
        let mut cursor = self.evidence.last();
        let chosen: Vec<&Held> = if question.cursor == 0 {
            let mut newest: Vec<&Held> = fitting.rev().take(limit).collect();
            newest.reverse();
            newest
        } else {
            let oldest = self.evidence.held().next().map_or(cursor + 1, |held| held.number);
            if question.cursor.saturating_add(1) < oldest {
                completeness.add_reason("older events are no longer held".to_string());
            }
            let mut after: Vec<&Held> =
                fitting.filter(|held| held.number > question.cursor).take(limit + 1).collect();
            if after.len() > limit {
                after.pop();
                cursor = after.last().map_or(cursor, |held| held.number);
            }
            after
        };
        let events = chosen.into_iter().map(|held| self.row(held)).collect();
        RecentAnswer { events, cursor, completeness }
    }

    fn row(&self, held: &Held) -> EventRow {
        let event = &held.event;
        let path = self.paths.get(event.path);
        let has_ports = event.tells_ports();
        EventRow {
            time: match held.wall {
                Some(wall) => self.calendar.rfc3339(wall),
                None => self.label(held.boot_ms),
            },
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

    /// A moment as an instant; with a clock that is not set, as seconds since boot.
    pub fn label(&self, boot_ms: u64) -> String {
        if self.clock_is_set() {
            self.calendar.rfc3339(self.clock.instant(boot_ms))
        } else {
            format!("boot+{}s", boot_ms / 1000)
        }
    }

    fn lines(&self, question: &Question) -> Vec<String> {
        let of_source = self.evidence.held().rev().filter(|held| self.fits(question, held));
        let mut lines: Vec<String> = of_source
            .take(MOST_LINES)
            .map(|held| evidence::line_of(held, self.paths.get(held.event.path)))
            .collect();
        lines.reverse();
        lines
    }
}

/// Hides the lower half of every source, as `mask_sources` asks.
/// Why a question must not be answered while sources are masked: it asks for less than is shown, and enough such
/// questions would tell the rest of an address. What is blocked is shown whole, and may be asked for.
pub fn refused_by_mask(question: &Question, is_blocked: impl FnOnce(Address) -> bool) -> Option<String> {
    let Prefix { network, length } = question.source.filter(|_| question.topic != Topic::Blocks)?;
    let shown = if network.is_v4() { 16 } else { 32 };
    let is_single = length == if network.is_v4() { 32 } else { 128 };
    let hidden = length > shown && !(is_single && is_blocked(network));
    let key = if question.topic == Topic::Source { "address" } else { "source" };
    hidden.then(|| format!("{key}: mask_sources is on: no prefix longer than /{shown} is answered"))
}

pub fn mask(answer: &mut Answer) {
    match answer {
        Answer::Summary(answer) => answer.sources.iter_mut().for_each(|row| mask_text(&mut row.address)),
        Answer::Sources(answer) => answer.sources.iter_mut().for_each(|row| mask_text(&mut row.address)),
        Answer::Source(answer) => {
            let masked = masked(&answer.row.address);
            for line in answer.evidence.iter_mut().flatten() {
                *line = mask_in(line, &answer.row.address, &masked);
            }
            answer.row.address = AddressText::of(masked);
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

fn mask_text(address: &mut AddressText) {
    *address = AddressText::of(masked(address));
}

fn masked(address: &str) -> String {
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
