//! UCI text -> [`Config`]. A bad option affects no other option, and each field has a usable value.
//!
//! Takes the text of `/etc/config/fwstat`, gives the configuration and what is wrong with it.
//! Opens no file, prints nothing.

use std::path::Path;
use std::time::Duration;

use crate::event::calendar::duration_text;
use crate::guard::{Lengths, Settings};
pub use crate::guard::{Limit as Rate, Mode as GuardMode, Scope};

pub mod exposure;
pub mod options;
pub mod rules;
#[cfg(test)]
mod tests;
pub mod uci;
mod values;
pub mod zones;

use options::{OPTIONS, Row};
use uci::Section;

/// Where the init script copies UCI's files, line for line, since the daemon's user may not read the originals.
const COPIES: &str = "/var/run/fwstat/config";
const UCI: &str = "/etc/config";

/// The path for messages: of a copy in [`COPIES`] its original.
pub fn shown(path: &Path) -> String {
    match path.strip_prefix(COPIES) {
        Ok(name) => Path::new(UCI).join(name).display().to_string(),
        Err(_) => path.display().to_string(),
    }
}

/// What of the sources a batch for the fleet's server contains.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum FleetSources {
    #[default]
    Address,
    /// A keyed hash of each.
    Hash,
    /// Only their number.
    None,
}

/// Where packets come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Inputs {
    pub nflog: bool,
    pub logd: bool,
}

/// Section `config fwstat 'main'`, and the guard's.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    pub enabled: bool,
    pub input: Inputs,
    pub nflog_group: u16,
    pub zone: Vec<String>,
    pub database: String,
    pub commit_interval: Duration,
    /// Number of months stored with hours of rows, with days, and in all, counting the newest that have data.
    pub keep_hours: u16,
    pub keep_days: u16,
    pub keep_months: u16,
    pub evidence: u32,
    pub country_database: String,
    /// Empty: none.
    pub as_database: String,
    pub mask_sources: bool,
    pub watch_egress: bool,
    /// Section `config guard 'guard'`. The mode is `Off` if anything in the section is wrong at the start.
    pub guard: Settings,
    /// Why the guard is off although it was enabled, or why previous options are used instead of the file's.
    pub guard_refused: Option<String>,
    pub fleet: Fleet,
}

/// Section `config fleet 'fleet'`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Fleet {
    pub enabled: bool,
    pub url: String,
    pub token_file: String,
    pub sources: FleetSources,
    /// Key of the hash. Empty: a key of this router.
    pub hash_key: String,
    pub spread: Duration,
    pub keep: Duration,
    /// Refuse sources that many routers of the fleet saw.
    pub shared: bool,
}

impl Config {
    /// What of the sources leaves the router: no addresses while they are masked.
    pub fn fleet_sources(&self) -> FleetSources {
        match self.fleet.sources {
            FleetSources::Address if self.mask_sources => FleetSources::Hash,
            sources => sources,
        }
    }
}

/// An error of the configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    pub line: u32,
    /// File and line, what is wrong, and the consequence.
    pub sentence: String,
    /// A warning: no option is lost.
    pub warning: bool,
}

impl Default for Config {
    /// Every option at the default of its row.
    fn default() -> Config {
        let mut config = Config {
            enabled: false,
            input: Inputs::default(),
            nflog_group: 0,
            zone: Vec::new(),
            database: String::new(),
            commit_interval: Duration::ZERO,
            keep_hours: 0,
            keep_days: 0,
            keep_months: 0,
            evidence: 0,
            country_database: String::new(),
            as_database: String::new(),
            mask_sources: false,
            watch_egress: false,
            guard: Settings::default(),
            guard_refused: None,
            fleet: Fleet::default(),
        };
        OPTIONS.iter().for_each(|option| option.set(&mut config, option.default));
        config
    }
}

/// Most problems that are listed.
const MAX_PROBLEMS: usize = 100;

impl Config {
    /// Reads the text of a configuration file. `file` names it in the problems.
    pub fn parse(file: &str, text: &str) -> (Config, Vec<Problem>) {
        Config::read(file, text, None)
    }

    /// The same at a reload, with `before` in use: an option with a bad value stays as it was, and a problem in the
    /// guard's section leaves the whole guard as it was.
    pub fn read(file: &str, text: &str, before: Option<&Config>) -> (Config, Vec<Problem>) {
        let config = before.cloned().unwrap_or_default();
        let mut reading = Reading { file, config, before, ..Reading::default() };
        let (sections, faults) = uci::parse(text);
        for kind in options::KINDS {
            reading.sections(kind, &sections);
        }
        for section in &sections {
            let kind = section.kind.as_str();
            if !options::KINDS.contains(&kind) && !options::OTHERS.contains(&kind) {
                let what = format!("unknown section type '{}'", uci::shown(&section.kind));
                reading.problem(section.line, None, &what, "it is ignored", true);
            }
        }
        for fault in faults {
            // An unreadable setting of another section does not belong to the guard; any other unreadable line may.
            let section = sections.iter().rev().find(|section| section.line <= fault.line);
            let of_others = fault.setting && section.is_some_and(|section| section.kind != options::GUARD);
            let consequence = if of_others {
                "the line is ignored".to_string()
            } else {
                format!("the line is ignored and {}", reading.guard_stays())
            };
            reading.problem(fault.line, None, &fault.what, &consequence, false);
        }
        reading.guard_last();
        reading.problems.sort_by_key(|problem| problem.line);
        if reading.more > 0 {
            let line = reading.problems.last().map_or(0, |problem| problem.line);
            let sentence = format!("{file}:{line}: {} more problems; they are not listed", reading.more);
            reading.problems.push(Problem { line, sentence, warning: false });
        }
        (reading.config, reading.problems)
    }
}

/// A configuration that is being read, and what was wrong with it so far.
#[derive(Default)]
struct Reading<'a> {
    file: &'a str,
    config: Config,
    /// The configuration in use, at a reload.
    before: Option<&'a Config>,
    problems: Vec<Problem>,
    /// Problems beyond [`MAX_PROBLEMS`].
    more: u32,
    /// The first problem that leaves the guard as it was or off, and whether it is the option `enabled` itself.
    guard_problem: Option<(String, bool)>,
    /// The lines of the options that are given.
    lines: Vec<(&'static str, u32)>,
}

impl Reading<'_> {
    /// `given`: the option and its value, unless the line could not be parsed.
    fn problem(
        &mut self,
        line: u32,
        given: Option<(&str, &str)>,
        what: &str,
        consequence: &str,
        warning: bool,
    ) {
        let shown = |(name, value)| format!("option {} '{}': ", uci::shown(name), uci::shown(value));
        let option = given.map(shown).unwrap_or_default();
        let sentence = format!("{}:{line}: {option}{what}; {consequence}", self.file);
        if consequence.ends_with(self.guard_stays()) && self.guard_problem.is_none() {
            self.guard_problem = Some((sentence.clone(), given.is_some_and(|(name, _)| name == "enabled")));
        }
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(Problem { line, sentence, warning });
        } else {
            self.more = self.more.saturating_add(1);
        }
    }

    fn guard_stays(&self) -> &'static str {
        if self.before.is_some() { "the guard stays as it was" } else { "the guard stays off" }
    }

    fn sections(&mut self, kind: &str, sections: &[Section]) {
        let sections = || sections.iter().filter(|section| section.kind == kind);
        for second in sections().skip(1) {
            let what = format!("a second section of type '{kind}'");
            self.problem(second.line, None, &what, "its options are added to the first one's", true);
        }
        for option in OPTIONS.iter().filter(|option| option.section == kind) {
            // As in UCI: an `option` replaces earlier values, a `list` adds to them, an empty one removes them.
            let (mut values, mut line) = (Vec::new(), 0);
            let settings = sections().flat_map(|section| &section.settings);
            for setting in settings.filter(|setting| setting.name == option.name) {
                if !setting.list {
                    values.clear();
                }
                values.extend(Some(setting.value.as_str()).filter(|value| !value.is_empty()));
                line = setting.line;
            }
            if !values.is_empty() {
                self.option(option, &values, line);
            } else if self.before.is_some() {
                // Its line was removed: the default applies again.
                option.set(&mut self.config, option.default);
            }
        }
        for setting in sections().flat_map(|section| &section.settings) {
            if !OPTIONS.iter().any(|option| option.section == kind && option.name == setting.name) {
                let what = match options::nearest(kind, &setting.name) {
                    Some(name) => format!("unknown option in section '{kind}' (did you mean {name}?)"),
                    None => format!("unknown option in section '{kind}'"),
                };
                let given = Some((setting.name.as_str(), setting.value.as_str()));
                self.problem(setting.line, given, &what, "it is ignored", true);
            }
        }
    }

    fn option(&mut self, option: &'static Row, given: &[&str], line: u32) {
        self.lines.push((option.name, line));
        // An `option` for a list has values separated by blanks; of a `list` for an option the last value is used.
        let values: Vec<&str> = if option.kind.is_list() {
            given.iter().flat_map(|value| value.split_whitespace()).collect()
        } else {
            given.last().copied().into_iter().collect()
        };
        if let Err(bad) = option.kind.read(&mut self.config, &values) {
            let consequence = match option.section {
                options::GUARD => self.guard_stays().to_string(),
                _ if self.before.is_some() => "the value in use stays".to_string(),
                _ => match option.discloses_least() {
                    Some(word) => {
                        option.set(&mut self.config, &[word]);
                        format!("using {word}, so that no address is disclosed")
                    }
                    None => format!("using the default {}", option.default_text()),
                },
            };
            let what = format!("expected {}", option.kind.expected());
            self.problem(line, Some((option.name, bad)), &what, &consequence, false);
        }
    }

    /// Checks options against each other.
    fn guard_last(&mut self) {
        let Lengths { first_ms, cap_ms, .. } = self.config.guard.lengths;
        if cap_ms < first_ms {
            let [least, cap] = [first_ms, cap_ms].map(|length| duration_text(length / 1000));
            let what = format!("expected at least block_for, which is {least}");
            let given = |name| self.lines.iter().find(|line| line.0 == name);
            let line = given("block_cap").or_else(|| given("block_for")).map_or(0, |line| line.1);
            self.problem(line, Some(("block_cap", &cap)), &what, self.guard_stays(), false);
        }
        let wanted = self.config.guard.mode != GuardMode::Off;
        let Some((problem, is_enabled)) = self.guard_problem.take() else {
            self.config.guard_refused = None;
            return;
        };
        if let Some(before) = self.before {
            self.config.guard = before.guard.clone();
        } else {
            self.config.guard.mode = GuardMode::Off;
        }
        let on_before = self.before.is_some_and(|before| before.guard.mode != GuardMode::Off);
        self.config.guard_refused = (wanted || is_enabled || on_before).then_some(problem);
    }
}
