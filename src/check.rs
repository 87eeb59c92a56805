//! `fwstat check`: the configuration through the daemon's own loader, and the router around it.
//!
//! Every finding says what to do. Reads files and asks the kernel; changes nothing.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use nix::sys::statvfs::statvfs;

use crate::atlas::Database;
use crate::bus::call::call;
use crate::config::uci::{self, Section};
use crate::config::{Config, options};
use crate::engine::clock::BUILT;
use crate::exposure;
use crate::faces::shell::{Outcome, ShellError};
use crate::faces::summary_table::exposure_sentence;
use crate::query::answer::{FindingRow, SummaryAnswer};
use crate::sources::nflog::{NflogError, NflogReader};
use crate::system::clock;

/// Room that a year of statistics takes at most, and some.
const ROOM: u64 = 2 << 20;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Fine,
    /// Works, but not as well as it could.
    Note,
    /// Does not work.
    Wrong,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Kind::Fine => "ok",
            Kind::Note => "note",
            Kind::Wrong => "WRONG",
        }
    }
}

#[derive(Default)]
pub struct Findings(Vec<(Kind, String)>);

impl Findings {
    /// As an answer has them: what is wrong first.
    pub fn rows(&self) -> Vec<FindingRow> {
        let of = |wanted: Kind| self.0.iter().filter(move |(kind, _)| *kind == wanted);
        let all = [Kind::Wrong, Kind::Note, Kind::Fine].into_iter().flat_map(of);
        all.map(|(kind, text)| FindingRow { kind: kind.word().to_lowercase(), text: text.clone() }).collect()
    }

    pub fn fine(&mut self, sentence: impl Into<String>) {
        self.0.push((Kind::Fine, sentence.into()));
    }

    fn note(&mut self, sentence: impl Into<String>) {
        self.0.push((Kind::Note, sentence.into()));
    }

    pub fn wrong(&mut self, sentence: impl Into<String>) {
        self.0.push((Kind::Wrong, sentence.into()));
    }
}

pub fn run(config_path: &Path, out: &mut dyn Write) -> Result<Outcome, ShellError> {
    let (config, mut findings) = standing(config_path);
    if config.input.nflog {
        group(&config, &mut findings);
        counters(&config, &mut findings);
    }
    let directory = config_path.parent().unwrap_or(Path::new("/etc/config"));
    exposure(&config, directory, &mut findings);
    countries(&config, &mut findings);
    print(&findings, out)?;
    let wrong = findings.0.iter().filter(|(kind, _)| *kind == Kind::Wrong).count();
    let mut outcome = Outcome::fine();
    if wrong > 0 {
        outcome.failures.push(format!("{wrong} of these keep something from working"));
    }
    Ok(outcome)
}

/// What can be found without asking anybody who could be slow: the daemon tells it too.
pub fn standing(config_path: &Path) -> (Config, Findings) {
    let mut findings = Findings::default();
    let config = configuration(config_path, &mut findings);
    let directory = config_path.parent().unwrap_or(Path::new("/etc/config"));
    zones(&config, &fs::read_to_string(directory.join("firewall")).unwrap_or_default(), &mut findings);
    log_backend(&config, &mut findings);
    time(&mut findings);
    flash(&config, &mut findings);
    (config, findings)
}

fn print(findings: &Findings, out: &mut dyn Write) -> io::Result<()> {
    for (kind, sentence) in &findings.0 {
        writeln!(out, "{:5}  {sentence}", kind.word())?;
    }
    Ok(())
}

fn configuration(path: &Path, findings: &mut Findings) -> Config {
    let shown = path.display();
    let text = match fs::read(path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => {
            findings.wrong(format!("cannot read {shown}: {error}; the daemon runs with its defaults"));
            return Config::default();
        }
    };
    let (config, problems) = Config::parse(&shown.to_string(), &text);
    for problem in &problems {
        let sentence = problem.to_string();
        if problem.warning { findings.note(sentence) } else { findings.wrong(sentence) }
    }
    if problems.is_empty() {
        findings.fine(format!("{shown}: every option is valid"));
    }
    if !config.enabled {
        findings.note("option enabled is 0: the service does not start; uci set fwstat.main.enabled=1");
    }
    config
}

fn option<'a>(section: &'a Section, name: &str) -> Option<&'a str> {
    let setting = section.settings.iter().rev().find(|setting| setting.name == name)?;
    Some(setting.value.as_str())
}

fn zones(config: &Config, text: &str, findings: &mut Findings) {
    let (sections, _) = uci::parse(text);
    for name in &config.zone {
        let zone = sections
            .iter()
            .find(|section| section.kind == "zone" && option(section, "name") == Some(name.as_str()));
        let Some(zone) = zone else {
            findings
                .wrong(format!("the firewall has no zone '{name}': correct the list zone, or make the zone"));
            continue;
        };
        let bits = option(zone, "log").and_then(|bits| bits.parse::<u32>().ok()).unwrap_or(0);
        let (place, section) = match &zone.name {
            Some(name) => (format!("firewall.{name}"), name.clone()),
            None => {
                let place = sections.iter().filter(|section| section.kind == "zone");
                let number = place.take_while(|section| section.line != zone.line).count();
                (format!("firewall.@zone[{number}]"), name.clone())
            }
        };
        if config.input.logd && bits & 1 == 0 {
            let kind = "the log input gets no packets of it";
            findings.note(format!(
                "zone {section} does not log: {kind}; uci set {place}.log=1, or take logd out of the list input"
            ));
        } else if config.input.logd {
            findings.fine(format!("zone {section} logs its refused packets"));
        }
        if let Some(limit) = option(zone, "log_limit").filter(|_| config.input.logd) {
            findings.note(format!(
                "zone {section} logs at most {limit}: the log input counts less than there is; \
                 uci delete {place}.log_limit"
            ));
        }
    }
}

fn log_backend(config: &Config, findings: &mut Findings) {
    if config.input.logd {
        for (family, file) in [("IPv4", "2"), ("IPv6", "10")] {
            let backend = fs::read_to_string(format!("/proc/sys/net/netfilter/nf_log/{file}"));
            match backend.as_deref().map(str::trim) {
                // Before Linux 5.13 it was one module for each family.
                Ok("nf_log_syslog" | "nf_log_ipv4" | "nf_log_ipv6") => {
                    findings.fine(format!("the kernel logs {family} packets to the log"))
                }
                Ok("NONE") | Err(_) => findings.wrong(format!(
                    "the kernel logs no {family} packets: install kmod-nf-log (kmod-nf-log6 for IPv6)"
                )),
                Ok(other) => findings.wrong(format!(
                    "the kernel logs {family} packets to {other} and not to the log: \
                     sysctl -w net.netfilter.nf_log.{file}=nf_log_syslog"
                )),
            }
        }
    }
}

fn group(config: &Config, findings: &mut Findings) {
    let group = config.nflog_group;
    match NflogReader::open(group) {
        Ok(_) => findings.fine(format!("NFLOG group {group} is free")),
        Err(NflogError::GroupTaken(_)) if is_running() => {
            findings.fine(format!("NFLOG group {group} is taken, by the running daemon as it seems"));
        }
        Err(error) => findings.wrong(error.to_string()),
    }
}

fn is_running() -> bool {
    let socket = Path::new(crate::bus::DEFAULT_SOCKET);
    let limit = std::time::Duration::from_secs(2);
    call(socket, "fwstat", "status", &serde_json::json!({}), limit).is_ok()
}

fn counters(config: &Config, findings: &mut Findings) {
    let listed = std::process::Command::new("nft").args(["-j", "-t", "list", "ruleset"]).output();
    let Some(zones) = listed.ok().and_then(|listed| crate::daemon::zones(&listed.stdout)) else {
        findings.wrong("cannot list the firewall's rules: is nft installed, and are you root?");
        return;
    };
    zone_rules(config, &zones, findings);
}

/// `counted`: the packets that the rules of each zone counted.
pub fn zone_rules(config: &Config, counted: &[(String, u64)], findings: &mut Findings) {
    for name in &config.zone {
        match counted.iter().find(|(zone, _)| zone == name) {
            Some((_, packets)) => {
                findings.fine(format!("our rules of zone {name} counted {packets} packets"))
            }
            None => findings.wrong(format!(
                "the firewall has no rule of ours for zone {name}: /etc/init.d/fwstat restart makes it"
            )),
        }
    }
}

/// Ports that are open to everybody outside, with how often they were tried where the daemon can tell.
fn exposure(config: &Config, directory: &Path, findings: &mut Findings) {
    let text = fs::read_to_string(directory.join("firewall")).unwrap_or_default();
    let open = exposure::opened(&text, &config.zone);
    let limit = std::time::Duration::from_secs(20);
    let asked =
        call(Path::new(crate::bus::DEFAULT_SOCKET), "fwstat", "summary", &serde_json::json!({}), limit);
    let told = asked.ok().and_then(|answer| serde_json::from_value::<SummaryAnswer>(answer).ok());
    if open.is_empty() {
        findings.fine("the firewall's configuration opens no port to everybody outside");
    } else if let Some(exposure) = told.and_then(|summary| summary.exposure) {
        exposure.ports.iter().for_each(|row| findings.note(exposure_sentence(row)));
    } else {
        for open in &open {
            let ports = if open.first == open.last {
                open.first.to_string()
            } else {
                format!("{}-{}", open.first, open.last)
            };
            let protocol = crate::services::protocol_name(open.protocol).to_uppercase();
            findings.note(format!("{protocol} {ports} is open to the Internet ({}); the daemon is not there to tell how often it was tried", open.by));
        }
    }
}

fn countries(config: &Config, findings: &mut Findings) {
    let mut database = Database::new(Path::new(&config.country_database));
    database.look();
    match (database.trouble(clock::wall().as_secs().cast_signed()), database.built()) {
        (Some(trouble), _) => findings.note(trouble),
        (None, Some(built)) => {
            let date = crate::calendar::Date(built.div_euclid(86_400) as i32);
            findings.fine(format!("the country database has data of {date}"));
        }
        (None, None) => findings.note(format!(
            "there is no country database {}: countries are not measured; install fwstat-country",
            config.country_database
        )),
    }
}

fn time(findings: &mut Findings) {
    if clock::wall().as_secs().cast_signed() >= BUILT {
        findings.fine("the clock is plausible");
    } else {
        findings
            .wrong("the clock is not set: packets wait for their day; check the NTP servers in system.ntp");
    }
}

fn flash(config: &Config, findings: &mut Findings) {
    let path = Path::new(&config.database);
    if ["/tmp", "/var"].iter().any(|volatile| path.starts_with(volatile)) {
        findings.note(format!("{} is in RAM: the statistics are gone after a reboot", path.display()));
    }
    let there = path.ancestors().find(|parent| parent.exists()).unwrap_or(Path::new("/"));
    match statvfs(there) {
        Ok(room) => {
            // Of other widths on 32 bits.
            #[allow(clippy::useless_conversion)]
            let free = u64::from(room.blocks_available()).saturating_mul(u64::from(room.fragment_size()));
            let interval = options::duration_text(config.commit_interval);
            if free < ROOM {
                findings.wrong(format!(
                    "{} has {free} bytes left, {ROOM} are needed: make room or choose another database",
                    there.display()
                ));
            } else {
                findings.fine(format!("{} has room; written every {interval}", path.display()));
            }
        }
        Err(error) => findings.wrong(format!("cannot look at {}: {error}", there.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_looked_at_with_what_to_do() {
        let text = "config zone\n\toption name 'lan'\nconfig zone\n\toption name 'wan'\n\toption log_limit '10/minute'\n";
        let mut findings = Findings::default();
        let config = Config { zone: vec!["wan".into(), "dmz".into()], ..Config::default() };
        zones(&config, text, &mut findings);
        let mut out = Vec::new();
        print(&findings, &mut out).unwrap();
        let expected = "\
note   zone wan does not log: the log input gets no packets of it; uci set firewall.@zone[1].log=1, or take logd \
out of the list input
note   zone wan logs at most 10/minute: the log input counts less than there is; uci delete \
firewall.@zone[1].log_limit
WRONG  the firewall has no zone 'dmz': correct the list zone, or make the zone
";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
