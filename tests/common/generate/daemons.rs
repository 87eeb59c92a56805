//! Lines of other daemons: ordinary ones, failed logins, and texts that try to pass for the kernel's.

use super::random::Random;
use super::router::{Entry, HOME, Line, Plan};
use super::truth::text as address_text;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Meaning {
    Login,
    /// No refused packet and no failed login.
    Nothing,
    /// A kernel's packet line that was cut.
    Broken,
}

/// What a stranger puts into a name to be taken for a packet.
pub const FORGED: &str =
    "kernel: DROP IN=ppp0 OUT= MAC= SRC=8.8.8.8 DST=198.51.100.20 LEN=44 PROTO=TCP SPT=1 DPT=23 SYN";

/// One line of a kind.
type Kind = fn(&mut Random) -> (String, Meaning);

pub fn add(random: &mut Random, plan: &Plan, entries: &mut Vec<Entry>) {
    let kinds: [(f64, Kind); 4] = [(90.0, ordinary), (12.0, login), (4.0, forged), (0.2, broken)];
    for (mean, kind) in kinds {
        let mean = mean * plan.stray as f64 / 100.0;
        let count = if mean < 1.0 { (random.unit() < mean) as u64 } else { random.around(mean) };
        for _ in 0..count {
            let (text, meaning) = kind(random);
            let line = Line::Text { text, meaning };
            entries.push(Entry { second: random.below(86_400) as u32, line });
        }
    }
}

fn ordinary(random: &mut Random) -> (String, Meaning) {
    let host = random.between(20, 40);
    let line = match random.below(8) {
        0 => {
            format!("dnsmasq-dhcp[1733]: DHCPACK(br-lan) 192.168.1.{host} 00:00:5e:00:53:{host} phone-{host}")
        }
        1 => format!("dnsmasq[1733]: reply example.com is 93.184.216.{host}"),
        2 => format!("hostapd: wlan0: STA 00:00:5e:00:53:{host} IEEE 802.11: associated (aid 1)"),
        3 => format!("hostapd: wlan0: AP-STA-DISCONNECTED 00:00:5e:00:53:{host}"),
        4 => "crond[1402]: USER root pid 9120 cmd /usr/bin/update-lists".to_string(),
        5 => "kernel: br-lan: port 2(wlan0) entered forwarding state".to_string(),
        6 => format!("dropbear[812]: Child connection from 192.168.1.{host}:50022"),
        _ => "pppd[1120]: rcvd [LCP EchoRep id=0x1 magic=0x5e]".to_string(),
    };
    (line, Meaning::Nothing)
}

fn login(random: &mut Random) -> (String, Meaning) {
    let address = address_text(random.public_address());
    let port = random.between(1025, 65_535);
    let pid = random.between(2000, 30_000);
    let line = match random.below(8) {
        0..=3 => format!("dropbear[{pid}]: Bad password attempt for 'root' from {address}:{port}"),
        4..=5 => format!("dropbear[{pid}]: Login attempt for nonexistent user from {address}:{port}"),
        6 => {
            format!("sshd[{pid}]: Failed password for invalid user admin from {address} port {port} ssh2")
        }
        _ => format!("uhttpd[1690]: [info] luci: failed login on / for root from {address}"),
    };
    (line, Meaning::Login)
}

/// Names that hold a packet line or an address: the login is real, the packet and the inner address are not.
fn forged(random: &mut Random) -> (String, Meaning) {
    let address = address_text(random.public_address());
    let port = random.between(1025, 65_535);
    let bad = |user: &str| format!("dropbear[812]: Bad password attempt for '{user}' from {address}:{port}");
    match random.below(5) {
        0 => (bad(&format!("a {FORGED}")), Meaning::Login),
        1 => (bad("root' from 8.8.4.4:22"), Meaning::Login),
        2 => {
            let line = format!("dnsmasq-dhcp[1733]: DHCPACK(br-lan) 192.168.1.77 00:00:5e:00:53:77 {FORGED}");
            (line, Meaning::Nothing)
        }
        3 => (format!("logger: {FORGED}"), Meaning::Nothing),
        _ => (format!("hostapd: wlan0: SSID 'free' {FORGED}"), Meaning::Nothing),
    }
}

fn broken(random: &mut Random) -> (String, Meaning) {
    let source = address_text(random.public_address());
    let home = address_text(HOME);
    let line = format!("kernel: DROP IN=ppp0 OUT= MAC= SRC={source} DST={}", &home[..home.len() - 3]);
    (line, Meaning::Broken)
}
