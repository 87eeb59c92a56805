//! The answer to `status`, and the warnings of a summary.
//!
//! Takes the state of all parts, gives sentences and rows, each list bounded. Changes nothing.

use std::cell::{RefCell, RefMut};
use std::fs;

use super::{Core, RUNNING, SECOND_MS};
use crate::daemon::check;
use crate::daemon::counters::NotSeen;
use crate::daemon::ruleset::Place;
use crate::event::Class;
use crate::event::calendar::Date;
use crate::event::paths::Path;
use crate::event::services::{self, KnownService};
use crate::geoip::Database;
use crate::guard::Rule;
use crate::input::Counters;
use crate::live::open_day::taken_for_copies;
use crate::live::{Engine, Input, Now};
use crate::query::answer::{
    ClockStatus, Completeness, CounterStatus, DatabaseStatus, DeletedRow, FindingRow, FleetStatus,
    InputStatus, MemoryStatus, NotSeenRow, ServiceTotal, StatusAnswer, StoreStatus, TotalsStatus,
};
use crate::store::Deletion;
use crate::sys::clock;

/// Sentences in a list of an answer, and the longest of them in bytes.
const MAX_LIST: usize = 20;
const LONGEST_SENTENCE: usize = 500;
const MAX_FINDINGS: usize = 40;

fn refreshed(database: &RefCell<Database>) -> RefMut<'_, Database> {
    let mut database = database.borrow_mut();
    database.refresh();
    database
}

fn status_of(database: &RefCell<Database>) -> DatabaseStatus {
    let database = refreshed(database);
    DatabaseStatus {
        path: database.path.display().to_string(),
        state: database.state().to_string(),
        date: database.built().map(|built| Date(built.div_euclid(86_400) as i32)),
    }
}

impl Core {
    /// The answer to `status`. Starts a new reading of the rules' counters, too.
    pub(super) fn status(&mut self, now: Now) -> StatusAnswer {
        self.counters.ask(now.boot_ms, SECOND_MS);
        let warnings = self.warnings(now, &[]);
        let store = StoreStatus {
            path: self.storage.directory.display().to_string(),
            bytes: self.storage.bytes,
            written_today: self.storage.written_today(self.engine.date()),
            last_commit: self.storage.last_commit.map(|at| self.engine.calendar.rfc3339(at)),
            state: self.storage.problem.clone().unwrap_or_else(|| "ok".to_string()),
        };
        let findings = self.findings(&store);
        let deleted = |deletion: &Deletion| DeletedRow {
            when: self.engine.calendar.rfc3339(deletion.when),
            what: deletion.what.clone(),
            because: deletion.because.clone(),
        };
        StatusAnswer {
            version: env!("CARGO_PKG_VERSION").to_string(),
            uptime: now.boot_ms.saturating_sub(self.started_ms) / 1000,
            clock: ClockStatus {
                set: self.engine.clock.is_set(),
                timezone: self.engine.calendar.name().to_string(),
            },
            inputs: self.inputs(),
            outside: (self.outside.guessed.is_none())
                .then(|| shortened(self.outside.networks.wan.clone(), MAX_LIST, "interfaces")),
            counters: self.counter_rows(),
            not_seen: self.counts.rules.as_ref().map(|_| self.not_seen()),
            store,
            memory: MemoryStatus { resident: resident() },
            guard: self.enforcer.status(now, &self.config, &self.engine),
            fleet: Some(FleetStatus {
                shared: (self.config.fleet.enabled && self.config.fleet.shared)
                    .then(|| self.enforcer.shared_in_force(now, &self.engine).len() as u64),
                ..self.fleet.borrow().status(&self.engine.calendar)
            }),
            totals: Some(self.totals()),
            countries: Some(status_of(&self.countries)),
            asns: self.asns.as_deref().map(status_of).map(Box::new),
            findings: Some(findings),
            // The newest first.
            deleted: self.storage.deletions.iter().rev().map(deleted).collect(),
            set_aside: self.storage.store.set_aside().to_vec(),
            warnings,
            completeness: Completeness::from_reasons(&[]),
        }
    }

    fn totals(&self) -> TotalsStatus {
        let Engine { totals, guard, .. } = &self.engine;
        let named = |(known, &attempts): (&KnownService, &u64)| {
            let protocol = services::protocol_name(known.protocol).into_owned();
            (attempts > 0).then_some(ServiceTotal { protocol, port: known.port, attempts })
        };
        let names = Class::ALL.map(|class| class.name().to_string());
        let rules = Rule::ALL.map(|rule| rule.name().to_string());
        TotalsStatus {
            events: names.into_iter().zip(totals.events).collect(),
            services: services::all().iter().zip(&totals.services).filter_map(named).collect(),
            other: totals.other,
            blocks: rules.into_iter().zip(guard.begun).collect(),
        }
    }

    /// The rules' counters since the daemon started, each beside the packets that were received of it.
    fn counter_rows(&self) -> Option<Vec<CounterStatus>> {
        // A rule without a prefix names no zone.
        let is_only_zone = self.config.zone.len() == 1;
        let row = |(place, &packets): (&Place, &u64)| {
            let is_of = |path: &Path| match (place, &path.zone) {
                (Place::Zone(zone), Some(named)) => named == zone,
                (Place::Zone(_), None) => is_only_zone && path.prefix.is_empty(),
                (Place::All(_), Some(_)) => false,
                (Place::All(name), None) => match name.as_str() {
                    "syn_flood" => path.prefix == "drop syn_flood:",
                    "invalid" => path.prefix == "drop invalid ct state:",
                    _ => matches!(path.prefix.as_str(), "drop forward:" | "reject forward:"),
                },
            };
            let (zone, place) = match place {
                Place::Zone(name) => (Some(name.clone()), None),
                Place::All(name) => (None, Some(name.clone())),
            };
            CounterStatus { zone, place, packets, received: self.engine.received(is_of) }
        };
        // Readings from before nft stopped answering are left out.
        let rules = self.counts.rules.as_ref().filter(|_| self.counters.why.is_none())?;
        Some(rules.iter().map(row).collect())
    }

    fn not_seen(&self) -> Vec<NotSeenRow> {
        let row = |row: &NotSeen| NotSeenRow { place: row.place.clone(), packets: row.packets };
        self.counts.not_seen.iter().map(row).collect()
    }

    /// Conditions that need attention, a sentence each; with those of `inputs` that do not work.
    pub(super) fn warnings(&mut self, now: Now, inputs: &[InputStatus]) -> Vec<String> {
        let mut warnings = self.problems.clone();
        warnings.extend(self.storage.warnings());
        warnings.extend(self.clock_warning());
        if self.engine.waiting.dropped() > 0 {
            warnings.push(format!(
                "{} packets that came before the clock was set are not counted: too many",
                self.engine.waiting.dropped()
            ));
        }
        warnings.extend(self.counters.why.iter().chain(&self.outside.guessed).cloned());
        warnings.extend(self.fleet.borrow().warnings(&self.engine.calendar));
        warnings.extend(self.enforcer.warnings(now, &self.config, &self.engine));
        warnings.extend_from_slice(&self.refusals);
        let wall = if self.engine.clock.is_set() { now.wall } else { 0 };
        let databases = std::iter::once(&self.countries).chain(&self.asns);
        warnings.extend(databases.filter_map(|database| refreshed(database).problem(wall)));
        let assumed = self.engine.health(Input::Logd).assumed;
        if assumed > 0 {
            warnings.push(taken_for_copies(assumed));
        }
        if !self.engine.clock.is_set() {
            warnings.push("the clock is not set: packets are counted and get their day once it is".into());
        }
        for input in inputs.iter().filter(|input| input.state != RUNNING) {
            warnings.push(format!("input {}: {}", input.name, input.state));
        }
        shortened(warnings, MAX_LIST, "warnings")
    }

    /// The findings of `fwstat check` that need no waiting.
    fn findings(&self, store: &StoreStatus) -> Vec<FindingRow> {
        let (_, mut findings) = check::from_files(&self.config_path);
        check::time(&self.run, clock::wall(), Some(self.engine.clock.is_set()), &mut findings);
        check::store(&self.config, &store.path, &store.state, &mut findings);
        if self.config.input.nflog {
            match self.nflog.state.as_str() {
                RUNNING => findings.fine(format!("NFLOG group {} is read", self.config.nflog_group)),
                state => findings.wrong(format!("nflog: {state}")),
            }
            match (&self.counts.rules, &self.counters.why) {
                (_, Some(why)) => findings.wrong(why.as_str()),
                (None, None) => findings.wrong("the rules are not counted yet"),
                (Some(rules), None) => {
                    check::zone_rules(&self.config, rules, &mut findings);
                    check::not_seen(&self.not_seen(), &mut findings);
                }
            }
        }
        let rows = findings.rows().into_iter().map(|row| (row.kind, row.text));
        let (kinds, texts): (Vec<String>, Vec<String>) = rows.unzip();
        let texts = shortened(texts, MAX_FINDINGS, "findings: fwstat check lists them");
        let kinds = kinds.into_iter().take(MAX_FINDINGS).chain(["note".to_string()]);
        kinds.zip(texts).map(|(kind, text)| FindingRow { kind, text }).collect()
    }

    /// A row for each input that is on.
    pub(super) fn inputs(&self) -> Vec<InputStatus> {
        let row = |name: &str, input: Input, state: &str, counts: Counters| {
            let health = self.engine.health(input);
            InputStatus {
                name: name.to_string(),
                state: state.to_string(),
                received: counts.received,
                attempts: health.attempts,
                malformed: health.malformed.saturating_add(counts.malformed),
                ignored: health.ignored.saturating_add(counts.ignored),
                duplicates: health.duplicates.saturating_add(counts.duplicates),
                assumed_duplicates: health.assumed,
                lost: counts.lost,
                last: health.last_ms.map(|last| self.engine.label(last)),
                skipped_because: Vec::new(),
            }
        };
        let mut rows = Vec::new();
        if self.config.input.nflog {
            rows.push(row("nflog", Input::Nflog, &self.nflog.state, self.nflog.counts));
        }
        if self.config.input.logd {
            let state = self.bus.as_deref().unwrap_or(&self.logd.state);
            let row = row("logd", Input::Logd, state, self.logd.counts);
            rows.push(InputStatus { skipped_because: self.uncounted.rows(), ..row });
        }
        rows
    }
}

/// A list of sentences, at most `most` and a last one that says how many are left out.
fn shortened(mut list: Vec<String>, most: usize, what: &str) -> Vec<String> {
    if list.len() > most {
        // The added sentence makes one row more than the limit.
        let more = list.len() - most;
        list.truncate(most);
        list.push(format!("{more} more {what}"));
    }
    list.iter_mut().for_each(cut);
    list
}

/// Cuts a sentence that is too long.
fn cut(sentence: &mut String) {
    if sentence.len() > LONGEST_SENTENCE {
        let end = (0..=LONGEST_SENTENCE).rev().find(|at| sentence.is_char_boundary(*at)).unwrap_or(0);
        sentence.truncate(end);
        sentence.push_str("...");
    }
}

/// Memory in use, as the kernel counts it.
fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_of_long_sentences_are_cut() {
        let list: Vec<String> =
            (0..50_000).map(|number| format!("{number} {}", "\u{e9}".repeat(1000))).collect();
        let list = shortened(list, MAX_LIST, "warnings");
        assert_eq!((list.len(), list[20].as_str()), (21, "49980 more warnings"));
        assert!(list.iter().all(|sentence| sentence.len() <= LONGEST_SENTENCE + 3));
        assert_eq!(shortened(vec!["one".to_string(); 20], MAX_LIST, "warnings").len(), 20);
    }
}
