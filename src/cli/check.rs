//! `fwstat check`: the configuration through the daemon's own loader, and the router around it.
//!
//! Every finding says what to do. Reads files and asks the kernel; changes nothing.

mod guarded;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::statvfs::statvfs;

use crate::cli::client::explained;
use crate::cli::shell::{Outcome, ShellError};
use crate::config::uci::{self, Section};
use crate::config::zones;
use crate::config::{Config, options, shown};
use crate::daemon::{CLOCK_SET, Place, Places, Ruleset, default_route_interfaces, is_running};
use crate::event::protocol;
use crate::exposure;
use crate::geoip::Database;
use crate::input::netifd;
use crate::input::nflog::{NflogError, NflogReader};
use crate::live::clock::BUILT;
use crate::output::blobmsg;
use crate::output::cells::plain;
use crate::output::summary_table::exposure_sentence;
use crate::query::answer::{ExposureRow, FindingRow, NotSeenRow, StatusAnswer, StoreStatus, SummaryAnswer};
use crate::sys::clock;
use crate::ubus::blob;
use crate::ubus::call::{CallError, call};

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
        all.map(|(kind, text)| FindingRow { kind: kind.word().to_ascii_lowercase(), text: text.clone() })
            .collect()
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

/// How long netifd and the daemon may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long the daemon may take for a month's summary on a slow router.
const SUMMARY_PATIENCE: Duration = Duration::from_secs(20);

pub fn run(places: &Places, out: &mut dyn Write) -> Result<Outcome, ShellError> {
    let (config, standing) = standing(&places.config, &places.run);
    let mut findings = Findings::default();
    let status = daemon(&config, places, &mut findings);
    findings.0.extend(standing.0);
    match &status {
        Some(status) => store(&config, &status.store, &mut findings),
        None => flash(&config, &mut findings),
    }
    let firewall = firewall(&places.config);
    outside(&config, &firewall, &places.ubus, &mut findings);
    nflog(&config, status.is_some() || is_running(&places.run), &mut findings);
    guarded::table(&config, &mut findings);
    exposure(&config, &firewall, &places.ubus, &mut findings);
    countries(&config, &mut findings);
    print(&findings, out)?;
    let wrong = findings.0.iter().filter(|(kind, _)| *kind == Kind::Wrong).count();
    let mut outcome = Outcome::fine();
    if wrong > 0 {
        outcome.failures.push(format!("{wrong} of these keep something from working"));
    }
    Ok(outcome)
}

/// The daemon's own word, where it can be asked. What is said of it is the first line.
fn daemon(config: &Config, places: &Places, findings: &mut Findings) -> Option<StatusAnswer> {
    let told = call(&places.ubus, blobmsg::OBJECT, "status", &serde_json::json!({}), PATIENCE);
    let runs = is_running(&places.run);
    match told {
        Ok(answer) => {
            let mut status = StatusAnswer::default();
            if let Err(because) = blob::fill(&mut status, answer) {
                findings.wrong(format!(
                    "the running daemon is of another version than this program: {because}; /etc/init.d/fwstat restart"
                ));
                return None;
            }
            findings.fine(format!("the daemon runs, version {}", status.version));
            return Some(status);
        }
        Err(error @ (CallError::NoObject(_) | CallError::NoBus { .. })) if runs => {
            findings.wrong(explained(&error, true));
        }
        Err(CallError::NoObject(_) | CallError::NoBus { .. }) if !config.enabled => {}
        Err(CallError::NoObject(_) | CallError::NoBus { .. }) => findings.wrong(
            "the daemon does not run: /etc/init.d/fwstat start; if it ends again, logread -e fwstat says why",
        ),
        Err(error) => findings.wrong(format!("the daemon does not answer: {error}")),
    }
    None
}

/// What can be found without asking anybody who could be slow: the daemon tells it too.
pub fn standing(config_path: &Path, run: &Path) -> (Config, Findings) {
    let mut findings = Findings::default();
    let config = configuration(config_path, &mut findings);
    zones(&config, &firewall(config_path), &mut findings);
    log_backend(&config, &mut findings);
    guarded::options(&config, &mut findings);
    time(run, clock::wall(), &mut findings);
    (config, findings)
}

/// The firewall's configuration, which lies beside ours.
fn firewall(config_path: &Path) -> String {
    let directory = config_path.parent().unwrap_or(Path::new("/etc/config"));
    fs::read_to_string(directory.join("firewall")).unwrap_or_default()
}

fn print(findings: &Findings, out: &mut dyn Write) -> io::Result<()> {
    for (kind, sentence) in &findings.0 {
        writeln!(out, "{:5}  {}", kind.word(), plain(sentence))?;
    }
    Ok(())
}

fn configuration(path: &Path, findings: &mut Findings) -> Config {
    let shown = shown(path);
    let text = match fs::read(path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => {
            findings.wrong(format!("cannot read {shown}: {error}; the daemon runs with its defaults"));
            return Config::default();
        }
    };
    let (config, problems) = Config::parse(&shown, &text);
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
        let logs = bits & 1 != 0;
        if config.input.logd && !config.input.nflog && !logs {
            findings.wrong(format!(
                "zone {section} does not log, and the log is the only input: nothing of it is counted; uci set \
                 {place}.log=1; uci commit firewall; /etc/init.d/firewall reload; or add nflog to the list input"
            ));
        } else if config.input.logd && logs {
            findings.fine(format!("zone {section} logs its refused packets"));
        }
        if let Some(limit) = option(zone, "log_limit").filter(|_| config.input.logd && logs) {
            findings.note(format!(
                "zone {section} logs at most {limit}: the log input counts less than there is; \
                 uci delete {place}.log_limit"
            ));
        }
    }
}

fn outside(config: &Config, firewall: &str, ubus: &Path, findings: &mut Findings) {
    let told = call(ubus, netifd::OBJECT, netifd::METHOD, &serde_json::json!({}), PATIENCE);
    let networks = told.as_ref().map(netifd::interfaces).unwrap_or_default();
    let zones = zones::parse(firewall);
    let mut known: Vec<String> = Vec::new();
    for name in config.zone.iter().filter(|name| zones.iter().any(|zone| zone.name == **name)) {
        let devices = zones::devices(&zones, std::slice::from_ref(name), &networks);
        known.extend(devices.iter().cloned());
        match &told {
            _ if !devices.is_empty() => {
                findings.fine(format!("zone {name} has the interfaces {}", devices.join(" ")));
            }
            Ok(_) => findings.note(format!(
                "zone {name} has no interface at present: what comes from outside is told by the interfaces' names; \
                 look at the zone's list network, and at ifstatus of each"
            )),
            Err(error) => findings.note(format!(
                "cannot ask netifd for the interfaces of zone {name}: {error}; what comes from outside is told by the \
                 interfaces' names"
            )),
        }
    }
    not_of_a_zone(&known, &default_route_interfaces(), findings);
}

/// `known`: the interfaces of the counted zones; none where nothing is known of them.
fn not_of_a_zone(known: &[String], default_routes: &[String], findings: &mut Findings) {
    let named = |route: &&String| {
        known.iter().any(|name| match name.strip_suffix(['+', '*']) {
            Some(start) => route.starts_with(start),
            None => name == *route,
        })
    };
    for route in default_routes.iter().filter(|route| !known.is_empty() && !named(route)) {
        findings.note(format!(
            "a default route leads through {route}, which is in none of the counted zones: what is refused there is \
             not counted; add its zone to the list zone"
        ));
    }
}

fn log_backend(config: &Config, findings: &mut Findings) {
    if config.input.logd {
        for (family, file) in [("IPv4", "2"), ("IPv6", "10")] {
            let text = fs::read_to_string(format!("/proc/sys/net/netfilter/nf_log/{file}"));
            backend(family, file, text.as_deref().ok(), findings);
        }
    }
}

fn nflog(config: &Config, daemon_runs: bool, findings: &mut Findings) {
    if !config.input.nflog {
        return;
    }
    group(config.nflog_group, NflogReader::open(config.nflog_group).map(drop), daemon_runs, findings);
    let listed = crate::nft::run::command()
        .and_then(|mut nft| nft.args(["-j", "-t", "list", "ruleset"]).stdout(Stdio::piped()).output());
    let ruleset = listed.ok().and_then(|listed| Ruleset::read(&listed.stdout));
    counters(config, ruleset.as_ref(), findings);
}

/// `text`: what the kernel's file of this family has; `None` without that file.
fn backend(family: &str, file: &str, text: Option<&str>, findings: &mut Findings) {
    match text.map(str::trim) {
        // Before Linux 5.13 it was one module for each family.
        Some("nf_log_syslog" | "nf_log_ipv4" | "nf_log_ipv6") => {
            findings.fine(format!("the kernel logs {family} packets to the log"));
        }
        Some("NONE") | None => findings.wrong(format!(
            "the kernel logs no {family} packets: install kmod-nf-log (kmod-nf-log6 for IPv6)"
        )),
        Some(other) => findings.wrong(format!(
            "the kernel logs {family} packets to {other} and not to the log: \
             sysctl -w net.netfilter.nf_log.{file}=nf_log_syslog"
        )),
    }
}

fn group(group: u16, opened: Result<(), NflogError>, daemon_runs: bool, findings: &mut Findings) {
    match opened {
        Ok(()) => findings.fine(format!("NFLOG group {group} is free")),
        Err(NflogError::GroupTaken(_)) if daemon_runs => {
            findings.fine(format!("NFLOG group {group} is taken, by the running daemon as it seems"));
        }
        Err(error) => findings.wrong(error.to_string()),
    }
}

/// `ruleset`: the kernel's; `None`: nft could not tell.
fn counters(config: &Config, ruleset: Option<&Ruleset>, findings: &mut Findings) {
    match ruleset {
        Some(ruleset) => {
            let counted = ruleset.counted().into_iter().map(|(place, reading)| (place, reading.packets));
            zone_rules(config, &counted.collect(), findings);
            let unseen = ruleset.unseen(&config.zone, config.input.logd).into_iter();
            let rows: Vec<_> = unseen
                .map(|unseen| NotSeenRow {
                    place: unseen.place,
                    packets: unseen.packets.map(|reading| reading.packets),
                })
                .collect();
            not_seen(&rows, findings);
        }
        None => findings.wrong("cannot list the firewall's rules: is nft installed, and are you root?"),
    }
}

/// `counted`: the packets that our rules counted.
pub fn zone_rules(config: &Config, counted: &BTreeMap<Place, u64>, findings: &mut Findings) {
    for name in &config.zone {
        match counted.get(&Place::Zone(name.clone())).or(counted.get(&Place::All("forward".into()))) {
            Some(packets) => findings.fine(format!("our rules of zone {name} counted {packets} packets")),
            None => findings.wrong(format!(
                "the firewall has no rule of ours for zone {name}: /etc/init.d/fwstat restart makes it"
            )),
        }
    }
}

/// Where packets are refused that are not counted one by one.
pub fn not_seen(rows: &[NotSeenRow], findings: &mut Findings) {
    for row in rows {
        match row.packets {
            Some(0) => {}
            Some(packets) => findings.note(format!(
                "{}: {packets} refused packets are known only as a sum, not one by one",
                row.place
            )),
            None => findings.note(format!("{}: what is refused there is not counted", row.place)),
        }
    }
}

/// What OpenWrt's own rules open to what a router needs: DHCP, DHCPv6 and IPsec's key exchange.
const USUAL: [(u8, u16); 3] = [(protocol::UDP, 68), (protocol::UDP, 546), (protocol::UDP, 500)];

fn is_usual(protocol: u8, port: u16, by: &str) -> bool {
    USUAL.contains(&(protocol, port)) && by.starts_with("rule 'Allow-")
}

/// Ports that are open to everybody outside, with how often they were tried where the daemon can tell.
fn exposure(config: &Config, firewall: &str, ubus: &Path, findings: &mut Findings) {
    let mut open = exposure::opened(firewall, &config.zone);
    open.retain(|open| open.first != open.last || !is_usual(open.protocol, open.first, &open.by));
    let asked =
        call(ubus, "fwstat", "summary", &serde_json::json!({"limit": exposure::MOST}), SUMMARY_PATIENCE);
    let told = asked.ok().and_then(|answer| {
        let mut summary = SummaryAnswer::default();
        blob::fill(&mut summary, answer).ok().map(|()| summary)
    });
    if open.is_empty() {
        findings.fine(
            "the firewall's configuration opens no port to everybody outside but those of OpenWrt's own rules",
        );
    } else if let Some(exposure) = told.and_then(|summary| summary.exposure) {
        let protocol =
            |row: &ExposureRow| crate::services::protocol_number(&row.protocol).unwrap_or_default();
        let unusual = exposure.ports.iter().filter(|row| !is_usual(protocol(row), row.port, &row.by));
        unusual.for_each(|row| findings.note(exposure_sentence(row)));
    } else {
        for open in &open {
            let ports = if open.first == open.last {
                open.first.to_string()
            } else {
                format!("{}-{}", open.first, open.last)
            };
            let protocol = crate::services::protocol_name(open.protocol).to_ascii_uppercase();
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

fn time(run: &Path, wall: Duration, findings: &mut Findings) {
    if run.join(CLOCK_SET).exists() {
        findings.fine("the clock was set by NTP");
    } else if wall.as_secs().cast_signed() >= BUILT {
        findings.fine("the clock is plausible");
    } else {
        findings
            .wrong("the clock is not set: packets wait for their day; check the NTP servers in system.ntp");
    }
}

/// The running daemon's store: what it can write may differ from what can be written from here.
pub fn store(config: &Config, store: &StoreStatus, findings: &mut Findings) {
    in_ram(config, findings);
    if store.path != config.database {
        findings.wrong(format!(
            "the running daemon writes to {} and not to {}: /etc/init.d/fwstat reload",
            store.path, config.database
        ));
    } else if store.state == "ok" {
        let interval = options::duration_text(config.commit_interval);
        findings.fine(format!("the daemon can write to {}; written every {interval}", config.database));
    } else {
        findings.wrong(format!("the statistics are in RAM only: {}", store.state));
    }
}

fn in_ram(config: &Config, findings: &mut Findings) {
    let path = Path::new(&config.database);
    if ["/tmp", "/var"].iter().any(|volatile| path.starts_with(volatile)) {
        findings.note(format!("{} is in RAM: the statistics are gone after a reboot", path.display()));
    }
}

/// Without a daemon that could be asked.
fn flash(config: &Config, findings: &mut Findings) {
    in_ram(config, findings);
    let path = Path::new(&config.database);
    let there = path.ancestors().find(|parent| parent.exists()).unwrap_or(Path::new("/"));
    match statvfs(there) {
        Ok(there_is) => {
            // Of other widths on 32 bits.
            #[allow(clippy::useless_conversion)]
            let free =
                u64::from(there_is.blocks_available()).saturating_mul(u64::from(there_is.fragment_size()));
            room(config, there, free, findings);
        }
        Err(error) => findings.wrong(format!("cannot look at {}: {error}", there.display())),
    }
}

fn room(config: &Config, there: &Path, free: u64, findings: &mut Findings) {
    if free < ROOM {
        findings.wrong(format!(
            "{} has {free} bytes left, {ROOM} are needed: make room or choose another database",
            there.display()
        ));
    } else {
        let interval = options::duration_text(config.commit_interval);
        findings.fine(format!("{} has room; written every {interval}", config.database));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Inputs;

    fn printed(findings: &Findings) -> String {
        let mut out = Vec::new();
        print(findings, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_the_kernel_and_the_rules_lack_is_told_with_what_to_do() {
        let mut findings = Findings::default();
        for text in [Some("nf_log_syslog\n"), Some("NONE\n"), None, Some("nfnetlink_log\n")] {
            backend("IPv6", "10", text, &mut findings);
        }
        group(32, Ok(()), false, &mut findings);
        group(32, Err(NflogError::GroupTaken(32)), true, &mut findings);
        group(32, Err(NflogError::GroupTaken(32)), false, &mut findings);
        group(32, Err(NflogError::NoModule), false, &mut findings);
        let config = Config { zone: vec!["wan".into(), "dmz".into()], ..Config::default() };
        zone_rules(&config, &BTreeMap::from([(Place::Zone("wan".into()), 74)]), &mut findings);
        counters(&config, None, &mut findings);
        let lines: Vec<String> = printed(&findings).lines().map(str::to_string).collect();
        let expected = [
            "ok     the kernel logs IPv6 packets to the log",
            "WRONG  the kernel logs no IPv6 packets: install kmod-nf-log (kmod-nf-log6 for IPv6)",
            "WRONG  the kernel logs no IPv6 packets: install kmod-nf-log (kmod-nf-log6 for IPv6)",
            "WRONG  the kernel logs IPv6 packets to nfnetlink_log and not to the log: sysctl -w \
             net.netfilter.nf_log.10=nf_log_syslog",
            "ok     NFLOG group 32 is free",
            "ok     NFLOG group 32 is taken, by the running daemon as it seems",
            &format!("WRONG  {}", NflogError::GroupTaken(32)),
            &format!("WRONG  {}", NflogError::NoModule),
            "ok     our rules of zone wan counted 74 packets",
            "WRONG  the firewall has no rule of ours for zone dmz: /etc/init.d/fwstat restart makes it",
            "WRONG  cannot list the firewall's rules: is nft installed, and are you root?",
        ];
        assert_eq!(lines, expected);
        assert!(NflogError::NoModule.to_string().contains("kmod-nfnetlink-log"));
    }

    #[test]
    fn clock_and_flash_are_looked_at() {
        let mut findings = Findings::default();
        let run = std::env::temp_dir().join(format!("fwstat-check-{}", std::process::id()));
        fs::create_dir_all(&run).unwrap();
        time(&run, Duration::from_secs(500), &mut findings);
        time(&run, Duration::from_secs(BUILT as u64), &mut findings);
        fs::write(run.join(CLOCK_SET), "").unwrap();
        time(&run, Duration::from_secs(500), &mut findings);
        let config = Config { database: "/tmp/db".into(), ..Config::default() };
        room(&config, Path::new("/tmp"), ROOM - 1, &mut findings);
        room(&config, Path::new("/tmp"), ROOM, &mut findings);
        fs::remove_dir_all(run).unwrap();
        let expected = "\
WRONG  the clock is not set: packets wait for their day; check the NTP servers in system.ntp
ok     the clock is plausible
ok     the clock was set by NTP
WRONG  /tmp has 2097151 bytes left, 2097152 are needed: make room or choose another database
ok     /tmp/db has room; written every 1h
";
        assert_eq!(printed(&findings), expected);
    }

    #[test]
    fn zones_are_looked_at_with_what_to_do() {
        let text = "config zone\n\toption name 'lan'\nconfig zone\n\toption name 'wan'\n\toption log_limit '10/minute'\n";
        let mut findings = Findings::default();
        let config = Config { zone: vec!["wan".into(), "dmz".into()], ..Config::default() };
        zones(&config, text, &mut findings);
        // NFLOG brings its packets.
        let no_zone = "WRONG  the firewall has no zone 'dmz': correct the list zone, or make the zone\n";
        assert_eq!(printed(&findings), no_zone);
        let config = Config { zone: vec!["wan".into()], ..config };
        let only_log = Config { input: Inputs { nflog: false, logd: true }, ..config.clone() };
        let mut findings = Findings::default();
        zones(&only_log, text, &mut findings);
        zones(
            &config,
            &text.replace("option log_limit", "option log '1'\n\toption log_limit"),
            &mut findings,
        );
        let expected = "\
WRONG  zone wan does not log, and the log is the only input: nothing of it is counted; uci set \
firewall.@zone[1].log=1; uci commit firewall; /etc/init.d/firewall reload; or add nflog to the list input
ok     zone wan logs its refused packets
note   zone wan logs at most 10/minute: the log input counts less than there is; uci delete \
firewall.@zone[1].log_limit
";
        assert_eq!(printed(&findings), expected);
    }

    #[test]
    fn what_is_not_counted_one_by_one_is_told_with_the_place() {
        let row = |place: &str, packets| NotSeenRow { place: place.into(), packets };
        let mut findings = Findings::default();
        not_seen(&[row("rule 'A'", Some(0)), row("rule 'B'", Some(7)), row("rule 'C'", None)], &mut findings);
        let names = |names: &[&str]| names.iter().map(|name| name.to_string()).collect::<Vec<_>>();
        not_of_a_zone(&names(&["eth1", "ppp+"]), &names(&["eth1", "ppp0", "wwan0"]), &mut findings);
        not_of_a_zone(&[], &names(&["wwan0"]), &mut findings);
        let expected = "\
note   rule 'B': 7 refused packets are known only as a sum, not one by one
note   rule 'C': what is refused there is not counted
note   a default route leads through wwan0, which is in none of the counted zones: what is refused there is not \
counted; add its zone to the list zone
";
        assert_eq!(printed(&findings), expected);
    }

    #[test]
    fn the_running_daemons_store_counts_and_not_what_can_be_written_from_outside() {
        let config = Config { database: "/mnt/usb/fwstat".into(), ..Config::default() };
        let mut findings = Findings::default();
        for (path, state) in [
            ("/mnt/usb/fwstat", "ok"),
            ("/mnt/usb/fwstat", "cannot open /mnt/usb/fwstat: Read-only file system"),
            ("/etc/fwstat", "ok"),
        ] {
            let status = StoreStatus { path: path.into(), state: state.into(), ..StoreStatus::default() };
            store(&config, &status, &mut findings);
        }
        let expected = "\
ok     the daemon can write to /mnt/usb/fwstat; written every 1h
WRONG  the statistics are in RAM only: cannot open /mnt/usb/fwstat: Read-only file system
WRONG  the running daemon writes to /etc/fwstat and not to /mnt/usb/fwstat: /etc/init.d/fwstat reload
";
        assert_eq!(printed(&findings), expected);
    }
}
