//! What the daemon says of itself: `status`, and the warnings that go with a summary.

use std::fs;

use super::{Core, RUNNING};
use crate::calendar::Date;
use crate::cli::check;
use crate::live::{Input, Now};
use crate::query::answer::{
    ClockStatus, Completeness, CountryStatus, FindingRow, InputStatus, MemoryStatus, StatusAnswer,
    StoreStatus, SummaryAnswer,
};

/// What is said of the country database, and what is wrong with it.
struct CountryTold {
    status: CountryStatus,
    trouble: Option<String>,
}

impl Core {
    pub(super) fn status(&mut self, now: Now) -> StatusAnswer {
        self.counters.ask(now.boot_ms);
        let warnings = self.warnings(now);
        let findings = self.findings();
        let countries = self.country_status(now);
        let today = self.engine.date();
        StatusAnswer {
            version: env!("CARGO_PKG_VERSION").to_string(),
            uptime: now.boot_ms.saturating_sub(self.started_ms) / 1000,
            clock: ClockStatus {
                set: self.engine.clock_is_set(),
                timezone: self.engine.calendar().name().to_string(),
            },
            inputs: self.inputs(now),
            outside: self.outside.guessed.is_none().then(|| self.outside.interfaces.clone()),
            counters: self.counted.clone(),
            store: StoreStatus {
                path: self.places.directory().display().to_string(),
                bytes: self.places.bytes(),
                written_today: self.places.written_today(today),
                last_commit: self.places.last_commit.map(|at| self.engine.calendar().rfc3339(at)),
                state: self.places.trouble.clone().unwrap_or_else(|| "ok".to_string()),
            },
            memory: MemoryStatus { resident: resident() },
            guard: self.guarding.status(now, &self.config, &self.engine),
            countries: Some(countries.status),
            findings: Some(findings),
            warnings,
            completeness: Completeness::from_reasons(&[]),
        }
    }

    fn country_status(&self, now: Now) -> CountryTold {
        let mut database = self.countries.borrow_mut();
        database.look();
        let wall = if self.engine.clock_is_set() { now.wall } else { 0 };
        let date = database.built().map(|built| Date(built.div_euclid(86_400) as i32));
        CountryTold {
            trouble: database.trouble(wall),
            status: CountryStatus {
                path: database.path().display().to_string(),
                state: database.state().to_string(),
                date,
            },
        }
    }

    /// What somebody should look at, a sentence each.
    fn warnings(&self, now: Now) -> Vec<String> {
        let mut warnings = self.problems.clone();
        warnings.extend(self.places.damage().iter().cloned());
        warnings.extend(self.places.trouble.iter().cloned());
        warnings.extend(self.places.no_copy.iter().chain(&self.places.left_out).cloned());
        warnings.extend(self.counters.why.iter().chain(&self.outside.guessed).cloned());
        warnings.extend(self.guarding.warnings(&self.config));
        warnings.extend(self.country_status(now).trouble);
        let assumed = self.engine.health(Input::Logd).assumed;
        if assumed > 0 {
            warnings.push(format!(
                "{assumed} lines of the log were taken for copies of NFLOG's packets: too many came at once to compare"
            ));
        }
        if !self.engine.clock_is_set() {
            warnings.push("the clock is not set: packets are counted and get their day once it is".into());
        }
        warnings
    }

    /// What `fwstat check` would find, as far as the daemon can tell without waiting.
    fn findings(&self) -> Vec<FindingRow> {
        let (_, mut findings) = check::standing(&self.config_path, &self.run);
        if self.config.input.nflog {
            match self.nflog.state.as_str() {
                RUNNING => findings.fine(format!("NFLOG group {} is read", self.config.nflog_group)),
                state => findings.wrong(format!("nflog: {state}")),
            }
            match &self.counters.zones {
                Some(zones) => check::zone_rules(&self.config, zones, &mut findings),
                None => {
                    findings.wrong(self.counters.why.as_deref().unwrap_or("the rules are not counted yet"))
                }
            }
        }
        findings.rows()
    }

    /// What the daemon alone knows of a period.
    pub(super) fn complete(&self, now: Now, summary: &mut SummaryAnswer) {
        let mut warnings = self.warnings(now);
        for input in self.inputs(now).iter().filter(|input| input.state != RUNNING) {
            warnings.push(format!("input {}: {}", input.name, input.state));
        }
        summary.warnings = Some(warnings);
        summary.now = self.engine.clock_is_set().then(|| self.engine.calendar().rfc3339(now.wall));
    }

    fn inputs(&self, now: Now) -> Vec<InputStatus> {
        let row = |name: &str, input: Input, state: &str| {
            let health = self.engine.health(input);
            InputStatus {
                name: name.to_string(),
                state: state.to_string(),
                received: 0,
                attempts: health.attempts,
                malformed: health.malformed,
                ignored: health.ignored,
                duplicates: health.duplicates,
                assumed_duplicates: health.assumed,
                lost: 0,
                last: health.last_ms.map(|last| self.engine.label(now, last)),
                skipped_because: Vec::new(),
            }
        };
        let mut rows = Vec::new();
        if self.config.input.nflog {
            let counts = self.nflog.counts;
            let row = row("nflog", Input::Nflog, &self.nflog.state);
            rows.push(InputStatus {
                received: counts.received,
                malformed: counts.malformed,
                lost: counts.lost,
                ..row
            });
        }
        if self.config.input.logd {
            let counts = self.logd.counts;
            let state = self.bus.as_deref().unwrap_or(&self.logd.state);
            let row = row("logd", Input::Logd, state);
            rows.push(InputStatus {
                received: counts.received,
                malformed: row.malformed.saturating_add(counts.malformed),
                ignored: row.ignored.saturating_add(counts.ignored),
                duplicates: row.duplicates.saturating_add(counts.duplicates),
                lost: counts.lost,
                skipped_because: self.uncounted.rows(),
                ..row
            });
        }
        rows
    }
}

/// Memory in use, as the kernel counts it.
fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}
