//! Small files in the shapes of other people's logs.
//!
//! The truth of each file: `lines`, `events` (kernel packet lines of any class), `services` and `sources` (all
//! different ones, sorted), `attempts` where every event is one (else absent), `year` where the stamps have none,
//! `skipped` (other lines).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::daemons::FORGED;
use super::shapes::{Shape, attempts, decorated, ipv6, protocols};

pub struct OtherFile {
    pub name: &'static str,
    pub text: String,
    pub lines: u64,
    pub events: u64,
    pub skipped: u64,
    /// Where every event is an attempt.
    pub attempts: Option<u64>,
    pub services: Vec<String>,
    pub sources: Vec<String>,
}

const MAC: &str = "00:00:5e:00:53:04:00:00:5e:00:53:03:08:00";

/// All that stands before `IN=`, for the packet with this number.
type Head = fn(usize) -> String;

fn uptime(number: usize) -> String {
    format!("[{:5}.262669] ", 160 + number)
}

fn classic(number: usize) -> String {
    format!("Sep {:2} 21:46:{number:02}", 8 + number / 4)
}

/// As `logread` prints it: 2026-09-12 was a Saturday.
fn logread(number: usize) -> String {
    format!("Sat Sep 12 21:46:{number:02} 2026")
}

/// Name, what stands before `IN=`, the packets, the line end.
fn shapes() -> Vec<(&'static str, Head, Vec<Shape>, &'static str)> {
    let usual = || attempts("eth0", MAC);
    vec![
        (
            "logread",
            |n| format!("{} kern.warn kernel: {}reject wan in: ", logread(n), uptime(n)),
            attempts("wan", MAC),
            "\n",
        ),
        (
            "logread-no-uptime",
            |n| format!("{} kern.warn kernel: drop wan in: ", logread(n)),
            attempts("pppoe-wan", ""),
            "\n",
        ),
        (
            "logread-rule",
            |n| format!("{} kern.info kernel: {}@rule[7]: ", logread(n), uptime(n)),
            attempts("wan", MAC),
            "\n",
        ),
        (
            "logread-decorated",
            |n| format!("{} kern.warn kernel: {}reject wan in: ", logread(n), uptime(n)),
            decorated("br-wan"),
            "\n",
        ),
        ("classic", |n| format!("{} router kernel: {}DROP ", classic(n), uptime(n)), usual(), " \n"),
        ("classic-no-uptime", |n| format!("{} router kernel: DROP ", classic(n)), usual(), "\n"),
        ("classic-crlf", |n| format!("{} router kernel: DROP ", classic(n)), usual(), "\r\n"),
        ("iso", |n| format!("2026-09-12T21:46:{n:02} router kernel: DROP "), attempts("ppp0", ""), "\n"),
        ("iso-zone", |n| format!("2026-09-12T21:46:{n:02}+02:00 router kernel: DROP: "), usual(), "\n"),
        (
            "iso-zone-micros",
            |n| format!("2026-09-12T21:46:{n:02}.045015+02:00 router kernel: {}DROP: ", uptime(n)),
            usual(),
            "\n",
        ),
        ("iso-utc", |n| format!("2026-09-12T21:46:{n:02}.045Z router kernel: DROP: "), usual(), "\n"),
        ("dmesg", |n| format!("{}DROP ", uptime(n)), usual(), "\n"),
        ("ufw", |n| format!("{} host kernel: {}[UFW BLOCK] ", classic(n), uptime(n)), usual(), " \n"),
        (
            "shorewall",
            |n| format!("{} host kernel: {}Shorewall:net2fw:DROP:", classic(n), uptime(n)),
            usual(),
            " \n",
        ),
        ("shorewall-5", |n| format!("{} host kernel: net-fw DROP ", classic(n)), usual(), "\n"),
        (
            "banip",
            |n| format!("{} kern.warn kernel: {}banIP/inbound/drop/country.v4: ", logread(n), uptime(n)),
            attempts("pppoe-wan", ""),
            "\n",
        ),
        ("edgeos", |n| format!("{} ubnt kernel: [WAN_LOCAL-default-D]", classic(n)), usual(), " \n"),
        ("asus", |n| format!("{} kernel: DROP ", classic(n)), usual(), " \n"),
        (
            "dd-wrt",
            |n| format!("{} DD-WRT kern.warn kernel: {}DROP ", classic(n), uptime(n)),
            attempts("vlan2", MAC),
            "\n",
        ),
        ("priority", |n| format!("<4>{} router kernel: DROP ", classic(n)), usual(), "\n"),
        ("parenthesis", |n| format!("{} router kernel: DROP(src wan)", classic(n)), usual(), "\n"),
        (
            "ipv6",
            |n| format!("{} kern.warn kernel: {}reject wan in: ", logread(n), uptime(n)),
            ipv6("wan6"),
            " \n",
        ),
        (
            "protocols",
            |n| format!("{} kern.warn kernel: {}reject wan in: ", logread(n), uptime(n)),
            protocols("wan"),
            " \n",
        ),
    ]
}

pub fn other() -> Vec<OtherFile> {
    let mut files = Vec::new();
    for (name, head, packets, end) in shapes() {
        let mut text = String::new();
        for (number, packet) in packets.iter().enumerate() {
            text += &(head(number) + &packet.text + end);
        }
        let distinct = |of: fn(&Shape) -> String| {
            packets.iter().map(of).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>()
        };
        let events = packets.len() as u64;
        files.push(OtherFile {
            name,
            text,
            lines: events,
            events,
            skipped: 0,
            attempts: (!matches!(name, "protocols" | "logread-decorated")).then_some(events),
            services: distinct(|shape| shape.service.to_string()),
            sources: distinct(|shape| shape.source.clone()),
        });
    }
    files.push(forgeries());
    files
}

/// Lines that other programs wrote, each with a packet's text in it: no event at all.
fn forgeries() -> OtherFile {
    let lines = [
        format!("Sat Sep 12 21:46:20 2026 user.notice root: {FORGED}"),
        format!("Sat Sep 12 21:46:21 2026 daemon.info hostapd: wlan0: SSID 'x' {FORGED}"),
        format!(
            "Sat Sep 12 21:46:22 2026 daemon.info dnsmasq-dhcp[1733]: DHCPACK(br-lan) 192.168.1.7 {FORGED}"
        ),
        format!("Sep 12 21:46:23 router root: {FORGED}"),
        format!("Sep 12 21:46:24 router dnsmasq-dhcp[1733]: DHCPACK(br-lan) 192.168.1.7 {FORGED}"),
        format!("2026-09-12T21:46:25+02:00 router logger[812]: {FORGED}"),
        format!("2026-09-12T21:46:26 router my {FORGED}"),
    ];
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let lines = lines.len() as u64;
    let (services, sources) = (Vec::new(), Vec::new());
    OtherFile {
        name: "forgeries",
        text,
        lines,
        events: 0,
        skipped: lines,
        attempts: Some(0),
        services,
        sources,
    }
}

pub fn truth_json() -> Value {
    let row = |file: OtherFile| {
        let mut row = json!({"lines": file.lines, "events": file.events, "skipped": file.skipped,
            "services": file.services, "sources": file.sources});
        if let Some(attempts) = file.attempts {
            row["attempts"] = json!(attempts);
        }
        if file.text.starts_with("Sep") || file.text.starts_with('<') {
            row["year"] = json!(2026);
        }
        (file.name.to_string(), row)
    };
    other().into_iter().map(row).collect()
}
