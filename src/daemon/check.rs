//! The checks of `fwstat check`: whether packets can be counted and the guard can block. They use the daemon's own
//! loader for the configuration, and inspect the router.
//!
//! Reads files and asks the kernel and the running daemon; each finding says what to do. Changes nothing.

mod fleet;
mod guarded;
mod rules;

pub(super) use rules::{not_seen, zone_rules};

use std::path::Path;
use std::time::Duration;

use nix::sys::statvfs::statvfs;
use serde_json::{Value, json};

use super::DaemonPaths;
use super::core::CLOCK_SET;
use super::options_file;
use super::running::{self, explained, is_running};
use crate::config::{Config, shown};
use crate::event::calendar::duration_text;
use crate::geoip::{Content, Database};
use crate::live::clock::BUILT;
use crate::output::blobmsg;
use crate::query::answer::FindingRow;
use crate::sys::clock;
use crate::ubus::call::{CallError, call};

const CLOCK_NOT_SET: &str =
    "the clock is not set: packets wait for their day; check the NTP servers in system.ntp";

/// Free bytes that the store needs: more than a year of statistics takes.
const ROOM: u64 = 2 << 20;

/// How much a finding matters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Severity {
    Fine,
    /// Works, but not as well as it could.
    Note,
    /// Does not work.
    Wrong,
}

impl Severity {
    /// As `fwstat check` prints it.
    pub fn word(self) -> &'static str {
        ["ok", "note", "WRONG"][self as usize]
    }
}

/// Sentences for the owner, in the order of the checks.
#[derive(Default)]
pub struct Findings(pub Vec<(Severity, String)>);

impl Findings {
    /// The rows of an answer, errors first.
    pub(super) fn rows(&self) -> Vec<FindingRow> {
        let row = |(severity, text): &(Severity, String)| FindingRow {
            kind: severity.word().to_ascii_lowercase(),
            text: text.clone(),
        };
        let mut sorted: Vec<_> = self.0.iter().collect();
        sorted.sort_by_key(|(severity, _)| std::cmp::Reverse(*severity as u8));
        sorted.into_iter().map(row).collect()
    }

    /// Adds a finding of the kind `ok`.
    pub(super) fn fine(&mut self, sentence: impl Into<String>) {
        self.0.push((Severity::Fine, sentence.into()));
    }

    /// Adds a finding of the kind `note`.
    fn note(&mut self, sentence: impl Into<String>) {
        self.0.push((Severity::Note, sentence.into()));
    }

    /// Adds a finding of the kind `wrong`.
    pub(super) fn wrong(&mut self, sentence: impl Into<String>) {
        self.0.push((Severity::Wrong, sentence.into()));
    }
}

/// How long netifd and the daemon may take to answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the daemon may take for a month's summary on a slow router.
const SUMMARY_TIMEOUT: Duration = Duration::from_secs(20);

/// Every check, those that can take seconds included: netifd, the running daemon, nft and the kernel are asked.
pub fn check(paths: &DaemonPaths) -> Findings {
    let (config, from_files) = from_files(&paths.config);
    let mut findings = Findings::default();
    let status = daemon(&config, paths, &mut findings);
    findings.0.extend(from_files.0);
    let is_trusted = status.as_ref().and_then(|status| status["clock"]["set"].as_bool());
    time(&paths.run, clock::wall(), is_trusted, &mut findings);
    match status.as_ref().map(|status| &status["store"]) {
        Some(state) => store(&config, text(&state["path"]), text(&state["state"]), &mut findings),
        None => flash(&config, &mut findings),
    }
    let firewall = firewall(&paths.config);
    rules::outside(&config, &firewall, &paths.ubus, &mut findings);
    rules::nflog(&config, status.is_some() || is_running(&paths.run), &mut findings);
    guarded::table(&config, &mut findings);
    rules::exposure(&config, &firewall, &paths.ubus, &mut findings);
    fleet::sender(&config, &mut findings);
    database(Content::Countries, &config.country_database, &mut findings);
    if !config.as_database.is_empty() {
        database(Content::Networks, &config.as_database, &mut findings);
    }
    findings
}

/// A text; empty if the value is something else.
fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The running daemon's status, where it can be asked. Whether it runs is the first finding.
fn daemon(config: &Config, paths: &DaemonPaths, findings: &mut Findings) -> Option<Value> {
    let answer = call(&paths.ubus, blobmsg::OBJECT, "status", &json!({}), CALL_TIMEOUT);
    let runs = is_running(&paths.run);
    match answer {
        Ok(answer) => {
            let known = [&answer["version"], &answer["store"]["path"], &answer["store"]["state"]];
            if known.iter().all(|value| value.is_string()) && answer["clock"]["set"].is_boolean() {
                findings.fine(format!("the daemon runs, version {}", text(&answer["version"])));
                return Some(answer);
            }
            findings.wrong(
                "the running daemon is of another version than this program: /etc/init.d/fwstat restart",
            );
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

/// Reads the configuration and runs the checks that need only files; the daemon's `status` contains their findings,
/// too.
pub(super) fn from_files(config_path: &Path) -> (Config, Findings) {
    let mut findings = Findings::default();
    let config = configuration(config_path, &mut findings);
    rules::zones(&config, &firewall(config_path), &mut findings);
    rules::log_backend(&config, &mut findings);
    guarded::options(&config, &mut findings);
    fleet::options(&config, &mut findings);
    (config, findings)
}

/// The text of `firewall` in the same directory.
fn firewall(config_path: &Path) -> String {
    super::protected::text(&config_path.with_file_name("firewall"))
}

/// Reads the options and adds their errors.
fn configuration(path: &Path, findings: &mut Findings) -> Config {
    let shown = shown(path);
    let text = match options_file::read(path) {
        Ok(text) => text,
        Err(why) => {
            findings.wrong(format!("{why}; the daemon runs with its defaults"));
            return Config::default();
        }
    };
    let (config, problems) = Config::parse(&shown, &text);
    for problem in &problems {
        let sentence = problem.sentence.as_str();
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

/// Checks the file of a database.
fn database(content: Content, path: &str, findings: &mut Findings) {
    let mut database = Database::of(content, Path::new(path));
    database.refresh();
    match (database.problem(clock::wall().as_secs().cast_signed()), database.built()) {
        (Some(problem), _) => findings.note(problem),
        (None, Some(built)) => {
            let date = crate::event::calendar::Date(built.div_euclid(86_400) as i32);
            findings.fine(format!("the {} database has data of {date}", database.kind()));
        }
        (None, None) => findings.note(format!(
            "there is no country database {path}: countries are not measured; install fwstat-country"
        )),
    }
}

/// `is_trusted`: whether the running daemon trusts the clock; `None` if it cannot be asked. It trusts a clock that NTP
/// has set or that ran for a day without a step, however plausible the time is.
pub(super) fn time(run: &Path, wall: Duration, is_trusted: Option<bool>, findings: &mut Findings) {
    if is_trusted == Some(false) {
        return findings.wrong(CLOCK_NOT_SET);
    }
    if running::paths(run, CLOCK_SET).iter().any(|path| path.exists()) {
        findings.fine("the clock was set by NTP");
    } else if wall.as_secs().cast_signed() >= BUILT {
        findings.fine("the clock is plausible");
    } else {
        findings.wrong(CLOCK_NOT_SET);
    }
}

/// The running daemon's store: its permissions differ from those of this process. `path`: the store of the running
/// daemon. `state`: `ok`, or why it cannot write there.
pub(super) fn store(config: &Config, path: &str, state: &str, findings: &mut Findings) {
    in_ram(config, findings);
    if path != config.database {
        let wanted = &config.database;
        findings.wrong(format!(
            "the running daemon writes to {path} and not to {wanted}: /etc/init.d/fwstat reload"
        ));
    } else if state == "ok" {
        let interval = duration_text(config.commit_interval.as_secs());
        findings.fine(format!("the daemon can write to {}; written every {interval}", config.database));
    } else {
        findings.wrong(format!("the statistics are in RAM only: {state}"));
    }
}

/// Notes that a database in RAM does not survive a reboot.
fn in_ram(config: &Config, findings: &mut Findings) {
    let path = Path::new(&config.database);
    if ["/tmp", "/var"].iter().any(|volatile| path.starts_with(volatile)) {
        findings.note(format!("{} is in RAM: the statistics are gone after a reboot", path.display()));
    }
}

/// Checks the flash when no daemon can be asked.
fn flash(config: &Config, findings: &mut Findings) {
    in_ram(config, findings);
    let path = Path::new(&config.database);
    let there = path.ancestors().find(|parent| parent.exists()).unwrap_or(Path::new("/"));
    match statvfs(there) {
        Ok(there_is) => {
            // These types have other widths on 32-bit machines.
            #[allow(clippy::useless_conversion)]
            let free =
                u64::from(there_is.blocks_available()).saturating_mul(u64::from(there_is.fragment_size()));
            room(config, there, free, findings);
        }
        Err(error) => {
            let (shown, error) = (there.display(), std::io::Error::from(error));
            findings.wrong(format!("cannot read the free space of {shown}: {error}"));
        }
    }
}

/// Checks the free bytes of the file system at `there`.
fn room(config: &Config, there: &Path, free: u64, findings: &mut Findings) {
    if free < ROOM {
        let shown = there.display();
        findings.wrong(format!(
            "{shown} has {free} bytes left, {ROOM} are needed: make room or choose another database"
        ));
    } else {
        let interval = duration_text(config.commit_interval.as_secs());
        findings.fine(format!("{} has room; written every {interval}", config.database));
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::rules::*;
    use super::*;
    use crate::config::{Inputs, exposure};
    use crate::daemon::ruleset::Place;
    use crate::event::small_map::SmallMap;
    use crate::input::nflog::NflogError;
    use crate::query::answer::NotSeenRow;

    fn printed(findings: &Findings) -> String {
        findings.0.iter().map(|(severity, text)| format!("{:5}  {text}\n", severity.word())).collect()
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
        zone_rules(&config, &SmallMap::from_iter([(Place::Zone("wan".into()), 74)]), &mut findings);
        counters(&config, None, &mut findings);
        let lines: Vec<String> = printed(&findings).lines().map(str::to_string).collect();
        let expected = [
            "ok     the kernel logs IPv6 packets to the log",
            "WRONG  the kernel logs no IPv6 packets: install kmod-nf-log (kmod-nf-log6 for IPv6)",
            "WRONG  the kernel logs no IPv6 packets: install kmod-nf-log (kmod-nf-log6 for IPv6)",
            "WRONG  the kernel logs IPv6 packets to nfnetlink_log and not to the log: sysctl -w \
             net.netfilter.nf_log.10=nf_log_syslog",
            "ok     NFLOG group 32 is free",
            "ok     NFLOG group 32 is in use, apparently by the running daemon",
            &format!("WRONG  {}", NflogError::GroupTaken(32)),
            &format!("WRONG  {}", NflogError::NoModule),
            "ok     fwstat's rules for zone wan counted 74 packets",
            "WRONG  the firewall has no rule of fwstat for zone dmz: /etc/init.d/fwstat restart adds it",
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
        let plausible = Duration::from_secs(BUILT as u64);
        time(&run, Duration::from_secs(500), None, &mut findings);
        time(&run, plausible, None, &mut findings);
        // The daemon's answer takes precedence.
        time(&run, plausible, Some(true), &mut findings);
        time(&run, plausible, Some(false), &mut findings);
        fs::write(run.join(CLOCK_SET), "").unwrap();
        time(&run, Duration::from_secs(500), None, &mut findings);
        let config = Config { database: "/tmp/db".into(), ..Config::default() };
        room(&config, Path::new("/tmp"), ROOM - 1, &mut findings);
        room(&config, Path::new("/tmp"), ROOM, &mut findings);
        fs::remove_dir_all(run).unwrap();
        let expected = "\
WRONG  the clock is not set: packets wait for their day; check the NTP servers in system.ntp
ok     the clock is plausible
ok     the clock is plausible
WRONG  the clock is not set: packets wait for their day; check the NTP servers in system.ntp
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
    fn every_open_port_is_told_with_and_without_the_daemon() {
        let text = "config rule\n\toption name 'Web'\n\toption src 'wan'\n\toption proto 'tcp'\n\
                    \toption dest_port '22 8000-8010'\n\toption target 'ACCEPT'\n";
        let open = exposure::opened(text, &["wan".to_string()]);
        let rows = exposure::attacked(&open[..1], &[]);
        let mut findings = Findings::default();
        open_ports(&open, Some(&rows), &mut findings);
        // The daemon has not read the firewall's new options yet.
        open_ports(&open[..1], Some(&[]), &mut findings);
        open_ports(&open[1..], None, &mut findings);
        open_ports(&[], None, &mut findings);
        let expected = "\
note   TCP 22 (SSH) is open to the Internet (rule 'Web') and was not tried this month, as far as refused packets tell
note   TCP 8000-8010 is open to the Internet (rule 'Web')
note   TCP 22 is open to the Internet (rule 'Web')
note   TCP 8000-8010 is open to the Internet (rule 'Web'); without the daemon it is unknown how often it was tried
ok     the firewall's configuration opens no port to everybody outside but those of OpenWrt's own rules
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
            store(&config, path, state, &mut findings);
        }
        let expected = "\
ok     the daemon can write to /mnt/usb/fwstat; written every 1h
WRONG  the statistics are in RAM only: cannot open /mnt/usb/fwstat: Read-only file system
WRONG  the running daemon writes to /etc/fwstat and not to /mnt/usb/fwstat: /etc/init.d/fwstat reload
";
        assert_eq!(printed(&findings), expected);
    }
}
