//! The report's sentences: what changed, what needs attention, what was blocked. Takes answers, gives sentences.

use std::net::IpAddr;

use super::super::cells::{count, service_label};
use super::words::{self, Language};
use crate::event::Class;
use crate::event::calendar::Month;
use crate::live::open_day::masked;
use crate::query::answer::{
    BlocksAnswer, ServiceRow, ServicesAnswer, SourceRow, SourcesAnswer, SummaryAnswer,
};
use crate::query::question::Question;

/// Most sentences of a list.
const MAX_SENTENCES: usize = 5;
/// Minimum count of a month for a sentence about a change or a device.
const MIN_COUNT: u64 = 100;
/// Number of ended blocks in the daemon's answer.
const REMEMBERED: usize = 64;

/// What a month is compared with, and its devices and blocks.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// The summary's services in the month before, and whether that answer was complete; `None` if that month is not
    /// stored.
    before: Option<(Vec<ServiceRow>, bool)>,
    devices: Vec<SourceRow>,
    blocks: Option<Blocks>,
}

/// Blocks that began in the month, dry runs left out.
#[derive(Debug)]
struct Blocks {
    /// Different blocked sources.
    sources: u64,
    /// Different blocked networks and countries.
    networks: u64,
    /// Blocks by rule, as in [`RULES`].
    rules: [u64; RULES.len()],
    /// Earlier blocks may be missing.
    at_least: bool,
}

const RULES: [&str; 4] = ["flood", "scan", "login", "manual"];

fn is_private(row: &SourceRow) -> bool {
    match row.address.parse() {
        Ok(IpAddr::V4(address)) => address.is_private(),
        Ok(IpAddr::V6(address)) => address.is_unique_local(),
        Err(_) => false,
    }
}

fn is_same_service(one: &ServiceRow, other: &ServiceRow) -> bool {
    one.protocol == other.protocol && one.port == other.port
}

impl Findings {
    /// The question about inside devices that may be infected.
    pub(super) fn devices_question(question: Question) -> Question {
        Question { limit: MAX_SENTENCES as u32, min: MIN_COUNT, class: Class::Egress, ..question }
    }

    /// Takes inside devices. Addresses are masked unless `addresses` is set, except private ones, which identify the
    /// device to its owner only.
    pub(super) fn take_devices(&mut self, answer: SourcesAnswer, addresses: bool) {
        let (inside, mut outside): (Vec<_>, Vec<_>) = answer.sources.into_iter().partition(is_private);
        if !addresses {
            outside.iter_mut().for_each(|row| row.address = masked(&row.address));
        }
        self.devices = inside.into_iter().chain(outside).collect();
    }

    /// The services of the month before.
    pub(super) fn take_services(&mut self, mut before: ServicesAnswer, summary: &SummaryAnswer) {
        before.services.retain(|old| summary.services.iter().any(|row| is_same_service(old, row)));
        self.before = Some((before.services, before.completeness.complete));
    }

    /// The blocks that began in the month.
    pub(super) fn take_blocks(&mut self, blocks: &BlocksAnswer, month: Month) {
        let (month, mut rules) = (month.to_string(), [0; RULES.len()]);
        let (mut sources, mut networks) = (Vec::new(), Vec::new());
        let history = blocks.history.as_deref().unwrap_or_default();
        let ended = history.iter().map(|row| (&row.address, &row.since, &row.rule, &row.kind, row.dry));
        let active =
            blocks.blocks.iter().map(|row| (&row.address, &row.since, &row.rule, &row.kind, row.dry));
        for (address, since, rule, kind, dry) in active.chain(ended) {
            if dry || !since.starts_with(&month) {
                continue;
            }
            let known = if kind.is_empty() { &mut sources } else { &mut networks };
            if !known.contains(&address) {
                known.push(address);
            }
            if let Some(at) = RULES.iter().position(|name| kind.is_empty() && name == rule) {
                rules[at] += 1;
            }
        }
        let at_least = history.len() >= REMEMBERED;
        let (sources, networks) = (sources.len() as u64, networks.len() as u64);
        self.blocks = Some(Blocks { sources, networks, rules, at_least });
    }

    /// Services that were tried at least twice as often as in the month before, or half as often; most attempts first.
    pub(super) fn changes(&self, summary: &SummaryAnswer, language: Language) -> Vec<String> {
        let Some((before, complete)) = &self.before else {
            return vec![language.pick(words::NO_MONTH_BEFORE).to_string()];
        };
        let mut changes = Vec::new();
        for row in &summary.services {
            let known = before.iter().find(|old| is_same_service(old, row));
            let old = match known {
                Some(known) => known.attempts,
                None if *complete => 0,
                None => continue,
            };
            let (most, least) = (row.attempts.max(old), row.attempts.min(old));
            if most >= MIN_COUNT && most / 2 >= least && changes.len() < MAX_SENTENCES {
                let name = service_label(&row.protocol, row.port, row.name.as_deref());
                changes.push(language.say(words::CHANGE, &[&name, &count(row.attempts), &count(old)]));
            }
        }
        if changes.is_empty() {
            changes.push(language.pick(words::UNCHANGED).to_string());
        }
        changes
    }

    /// Ports that are open and attacked, devices of the inside, failed logins.
    pub(super) fn warnings(&self, month: Month, summary: &SummaryAnswer, language: Language) -> Vec<String> {
        let mut warnings = Vec::new();
        let exposure = summary.exposure.iter().filter(|exposure| exposure.since.month() == month);
        for row in
            exposure.flat_map(|exposure| &exposure.ports).filter(|row| row.attempts > 0).take(MAX_SENTENCES)
        {
            let (protocol, port) = (row.protocol.to_ascii_uppercase(), row.port.to_string());
            let (by, attempts) = (language.sentences(&row.by), count(row.attempts));
            warnings.push(language.say(words::OPEN_PORT, &[&protocol, &port, &by, &attempts]));
        }
        for row in &self.devices {
            warnings.push(language.say(words::DEVICE, &[&row.address, &count(row.attempts)]));
        }
        let logins = summary.classes.0[Class::Login as usize];
        if logins > 0 {
            warnings.push(language.say(words::LOGINS, &[&count(logins)]));
        }
        if warnings.is_empty() {
            warnings.push(language.pick(words::NO_CARE).to_string());
        }
        warnings
    }

    /// The blocks that began in the month; `None` if not known.
    pub(super) fn blocked(&self, language: Language) -> Option<Vec<String>> {
        let Blocks { sources, networks, rules, at_least } = self.blocks.as_ref()?;
        let least = if *at_least { language.pick(words::AT_LEAST) } else { "" };
        let [flood, scan, login, manual] = rules.map(count);
        let mut sentences = vec![match sources {
            0 => language.pick(words::NO_SOURCE_BLOCKED).to_string(),
            _ => {
                let parts = [least, &count(*sources), &flood, &scan, &login, &manual];
                language.say(words::BLOCKED_SOURCES, &parts)
            }
        }];
        if *networks > 0 {
            sentences.push(language.say(words::BLOCKED_NETWORKS, &[least, &count(*networks)]));
        }
        Some(sentences)
    }
}
