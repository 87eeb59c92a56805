//! Checks of the inputs: the firewall's zones and rules, the kernel's logging, the NFLOG group, open ports.
//!
//! Takes the options and `/etc/config/firewall`, asks the kernel, netifd and the daemon, adds findings. Changes nothing.
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::{CALL_TIMEOUT, Findings, SUMMARY_TIMEOUT};
use crate::config::Config;
use crate::config::exposure::{self, Open};
use crate::config::uci::{self, Section};
use crate::config::zones;
use crate::daemon::nft;
use crate::daemon::protected::kernel_routes;
use crate::daemon::ruleset::{Place, Read, Ruleset, Unseen, sum_of};
use crate::event::protocol;
use crate::event::small_map::SmallMap;
use crate::input::Counters;
use crate::input::netifd;
use crate::input::nflog::{NflogError, NflogReader};
use crate::output::summary_table::exposure_sentence;
use crate::query::answer::{ExposureRow, NotSeenRow};
use crate::ubus::call::call;

/// Whether the counted zones exist and log. `text`: the firewall's configuration.
pub(super) fn zones(config: &Config, text: &str, findings: &mut Findings) {
    let (sections, _) = uci::parse(text);
    let zones: Vec<&Section> = sections.iter().filter(|section| section.kind == "zone").collect();
    for name in &config.zone {
        let Some(number) = zones.iter().position(|zone| zone.value("name") == Some(name)) else {
            findings
                .wrong(format!("the firewall has no zone '{name}': correct the list zone, or make the zone"));
            continue;
        };
        let zone = zones[number];
        let (place, section) = match &zone.name {
            Some(name) => (format!("firewall.{name}"), name),
            None => (format!("firewall.@zone[{number}]"), name),
        };
        let bits = zone.value("log").and_then(|bits| bits.parse::<u32>().ok()).unwrap_or(0);
        let logs = bits & 1 != 0;
        if config.input.logd && !config.input.nflog && !logs {
            findings.wrong(format!(
                "zone {section} does not log, and the log is the only input: nothing of it is counted; uci set \
                 {place}.log=1; uci commit firewall; /etc/init.d/firewall reload; or add nflog to the list input"
            ));
        } else if config.input.logd && logs {
            findings.fine(format!("zone {section} logs its refused packets"));
        }
        if let Some(limit) = zone.value("log_limit").filter(|_| config.input.logd && logs) {
            findings.note(format!(
                "zone {section} logs at most {limit}: the log input counts less than there is; \
                 uci delete {place}.log_limit"
            ));
        }
    }
}

/// Whether the counted zones have interfaces, and include those of the default routes. Asks netifd.
pub(super) fn outside(config: &Config, firewall: &str, ubus: &Path, findings: &mut Findings) {
    let answer = call(ubus, netifd::OBJECT, netifd::METHOD, &serde_json::json!({}), CALL_TIMEOUT);
    let networks = answer.as_ref().map(netifd::interfaces).unwrap_or_default();
    let zones = zones::parse(firewall);
    let mut known: Vec<String> = Vec::new();
    for name in config.zone.iter().filter(|name| zones.iter().any(|zone| zone.name == **name)) {
        let devices = zones::devices(&zones, std::slice::from_ref(name), &networks);
        known.extend(devices.iter().cloned());
        match &answer {
            _ if !devices.is_empty() => {
                findings.fine(format!("zone {name} has the interfaces {}", devices.join(" ")));
            }
            Ok(_) => findings.note(format!(
                "zone {name} has no interface at present: WAN interfaces are guessed from their names; \
                 look at the zone's list network, and at ifstatus of each"
            )),
            Err(error) => findings.note(format!(
                "cannot ask netifd for the interfaces of zone {name}: {error}; WAN interfaces are guessed from \
                 their names"
            )),
        }
    }
    not_of_a_zone(&known, &kernel_routes().outside, findings);
}

/// `known`: the interfaces of the counted zones, empty if unknown.
pub(super) fn not_of_a_zone(known: &[String], default_routes: &[String], findings: &mut Findings) {
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

/// Whether the kernel logs to its ring buffer: `/proc/sys/net/netfilter/nf_log/` (2: IPv4, 10: IPv6).
pub(super) fn log_backend(config: &Config, findings: &mut Findings) {
    if config.input.logd {
        for (family, file) in [("IPv4", "2"), ("IPv6", "10")] {
            let text = fs::read_to_string(format!("/proc/sys/net/netfilter/nf_log/{file}"));
            backend(family, file, text.as_deref().ok(), findings);
        }
    }
}

/// Whether the NFLOG group can be read, and the rules count. Opens the group, and runs nft.
pub(super) fn nflog(config: &Config, daemon_runs: bool, findings: &mut Findings) {
    if !config.input.nflog {
        return;
    }
    group(
        config.nflog_group,
        NflogReader::open(config.nflog_group, Counters::default()).map(drop),
        daemon_runs,
        findings,
    );
    let listed = nft::run::list_ruleset().and_then(|mut nft| nft.output());
    let ruleset = listed.ok().and_then(|listed| crate::daemon::counters::read(&listed.stdout));
    counters(config, ruleset.as_ref(), findings);
}

/// `text`: what the kernel's file of this family has; `None` without that file.
pub(super) fn backend(family: &str, file: &str, text: Option<&str>, findings: &mut Findings) {
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

/// `opened`: the result of binding the group.
pub(super) fn group(group: u16, opened: Result<(), NflogError>, daemon_runs: bool, findings: &mut Findings) {
    match opened {
        Ok(()) => findings.fine(format!("NFLOG group {group} is free")),
        Err(NflogError::GroupTaken(_)) if daemon_runs => {
            findings.fine(format!("NFLOG group {group} is in use, apparently by the running daemon"));
        }
        Err(error) => findings.wrong(error.to_string()),
    }
}

/// `ruleset`: the kernel's; `None`: nft failed.
pub(super) fn counters(config: &Config, ruleset: Option<&Ruleset>, findings: &mut Findings) {
    let Some(ruleset) = ruleset else {
        return findings.wrong("cannot list the firewall's rules: is nft installed, and are you root?");
    };
    let counted = ruleset.counted().into_iter().map(|(place, readings)| (place, sum_of(&readings)));
    zone_rules(config, &counted.collect(), findings);
    let read = Read { nflog: Some(config.nflog_group), logd: config.input.logd };
    let row = |Unseen { place, packets }| NotSeenRow { place, packets: packets.as_deref().map(sum_of) };
    let rows: Vec<NotSeenRow> = ruleset.unseen(&config.zone, read).into_iter().map(row).collect();
    not_seen(&rows, findings);
}

/// `counted`: the packets that our rules counted.
pub(in crate::daemon) fn zone_rules(
    config: &Config,
    counted: &SmallMap<Place, u64>,
    findings: &mut Findings,
) {
    for name in &config.zone {
        match counted.get(&Place::Zone(name.clone())).or(counted.get(&Place::All("forward".into()))) {
            Some(packets) => {
                findings.fine(format!("fwstat's rules for zone {name} counted {packets} packets"))
            }
            None => findings.wrong(format!(
                "the firewall has no rule of fwstat for zone {name}: /etc/init.d/fwstat restart adds it"
            )),
        }
    }
}

/// Where packets are refused that are not counted one by one.
pub(in crate::daemon) fn not_seen(rows: &[NotSeenRow], findings: &mut Findings) {
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

/// Ports that OpenWrt's default rules open for the router itself: DHCP, DHCPv6 and IPsec's key exchange.
const USUAL: [(u8, u16); 3] = [(protocol::UDP, 68), (protocol::UDP, 546), (protocol::UDP, 500)];

/// Whether OpenWrt's default rules open this port.
fn is_usual(protocol: u8, port: u16, by: &str) -> bool {
    USUAL.contains(&(protocol, port)) && by.starts_with("rule 'Allow-")
}

/// A row of the daemon's answer; `None`: it is of another version.
fn exposure_row(row: &Value) -> Option<ExposureRow> {
    let text = |key: &str| row[key].as_str().map(String::from);
    Some(ExposureRow {
        protocol: text("protocol")?.into(),
        port: row["port"].as_u64()?.try_into().ok()?,
        name: text("name").map(Into::into),
        by: text("by")?,
        attempts: row["attempts"].as_u64()?,
        unique_sources: row["unique_sources"].as_u64(),
        unique_sources_error: row["unique_sources_error"].as_u64(),
    })
}

/// Ports that are open to everybody outside, with their attempts if the daemon answers.
pub(super) fn exposure(config: &Config, firewall: &str, ubus: &Path, findings: &mut Findings) {
    let mut open = exposure::opened(firewall, &config.zone);
    open.retain(|open| open.first != open.last || !is_usual(open.protocol, open.first, &open.by));
    let asked = call(ubus, "fwstat", "summary", &json!({"limit": exposure::MAX_OPEN_PORTS}), SUMMARY_TIMEOUT);
    let rows = |answer: Value| answer["exposure"]["ports"].as_array()?.iter().map(exposure_row).collect();
    let rows: Option<Vec<ExposureRow>> = asked.ok().and_then(rows);
    open_ports(&open, rows.as_deref(), findings);
}

/// `rows`: the daemon's, with the attempts at single ports; `None` if it does not answer.
pub(super) fn open_ports(open: &[Open], rows: Option<&[ExposureRow]>, findings: &mut Findings) {
    if open.is_empty() {
        return findings.fine(
            "the firewall's configuration opens no port to everybody outside but those of OpenWrt's own rules",
        );
    }
    let protocol =
        |row: &ExposureRow| crate::event::services::protocol_number(&row.protocol).unwrap_or_default();
    let of_daemon = rows.unwrap_or_default();
    for row in of_daemon.iter().filter(|row| !is_usual(protocol(row), row.port, &row.by)) {
        findings.note(exposure_sentence(row));
    }
    for Open { protocol: number, first, last, by } in open {
        let is_row = |row: &ExposureRow| protocol(row) == *number && row.port == *first && first == last;
        if of_daemon.iter().any(is_row) {
            continue;
        }
        let ports = if first == last { first.to_string() } else { format!("{first}-{last}") };
        let name = crate::event::services::protocol_name(*number).to_ascii_uppercase();
        let unknown =
            if rows.is_some() { "" } else { "; without the daemon it is unknown how often it was tried" };
        findings.note(format!("{name} {ports} is open to the Internet ({by}){unknown}"));
    }
}
