//! The benchmark's log: 2,000,000 lines of ninety days, 200,000 different sources.

use std::io::{self, Write};

use super::calendar::{Day, MONTHS, clock};
use super::packet::{Content, Packet, Place, WAN};
use super::random::{Random, mix};
use super::router::HOME;
use super::truth::{Class, ICMP, Service, Truth, tcp, udp};

pub const LINES: u64 = 2_000_000;
pub const SOURCES: usize = 200_000;
const DAYS: u64 = 90;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Stamp {
    /// `2026-01-01T00:00:00 router kernel: DROP IN=`
    Iso,
    /// `Thu Jan  1 00:00:00 2026 kern.warn kernel: [43.262669] reject wan in: IN=`
    Logread,
}

const LOGREAD: Place = Place { prefix: "reject wan in: ", ..WAN };

pub fn corpus(out: &mut dyn Write, stamp: Stamp) -> io::Result<Truth> {
    let mut random = Random::new(2_000_000);
    let mut truth = Truth::new(None);
    let first = Day::of(2026, 1, 1);
    let mut sources: Vec<u32> = Vec::with_capacity(SOURCES);
    let mut fresh = (0u32..).map(|n| n.wrapping_mul(0x9e37_79b1)).filter(|&a| super::random::is_public(a));
    let services = services(&mut random);
    let place = if stamp == Stamp::Iso { &WAN } else { &LOGREAD };
    let mut today = None;
    let mut head = (0, String::new());
    let mut bytes = Vec::new();
    for line in 0..LINES {
        let second = line * DAYS * 86_400 / LINES;
        let day = Day(first.0 + (second / 86_400) as i64);
        if today != Some(day) {
            truth.begin(day);
            today = Some(day);
        }
        if head.1.is_empty() || head.0 != second {
            head = (second, stamp_text(stamp, day, (second % 86_400) as u32));
        }
        bytes.extend_from_slice(head.1.as_bytes());
        if random.below(100) < 3 {
            daemon(&mut random, stamp, &mut bytes);
            truth.skipped();
        } else {
            // New sources come at an even pace, the last one with the last lines.
            let due = (line + 1) as usize * SOURCES / (LINES as usize - 1000);
            let new = sources.len() < due.clamp(1, SOURCES);
            let source = if new {
                sources.push(fresh.next().unwrap());
                sources[sources.len() - 1]
            } else {
                sources[random.skewed(sources.len())]
            };
            let service = services[random.skewed(services.len())];
            let late = !new && random.below(100) < 6;
            let packet = packet(&mut random, source, service, late);
            bytes.extend_from_slice(kernel(stamp, second, line).as_bytes());
            packet.write(place, &mut bytes);
            if late {
                truth.events(Class::Backscatter, 1);
            } else {
                truth.attempts(service, source, (second / 3600 % 24) as usize, 1);
            }
        }
        bytes.push(b'\n');
        if bytes.len() > 1 << 18 {
            out.write_all(&bytes)?;
            bytes.clear();
        }
    }
    out.write_all(&bytes)?;
    truth.finish();
    Ok(truth)
}

/// Two thousand services, of which the skewed draw takes the first one (TCP 23) in about a tenth of all lines;
/// no other port's number begins with 23.
fn services(random: &mut Random) -> Vec<Service> {
    let mut services = vec![tcp(23), tcp(23)];
    services.extend([tcp(445), tcp(22), udp(5060), tcp(80), tcp(8080), tcp(3389), ICMP, udp(123), tcp(1433)]);
    while services.len() < 2000 {
        let port = random.between(1, 32_000) as u16;
        if !port.to_string().starts_with("23") && !matches!(port, 1900 | 3702 | 5353 | 5355) {
            services.push(if random.one_in(5) { udp(port) } else { tcp(port) });
        }
    }
    services
}

fn packet(random: &mut Random, source: u32, service: Service, late: bool) -> Packet {
    let look = mix(source as u64);
    let ttl = (look % 180 + 50) as u8;
    let id = if look.is_multiple_of(3) { 54_321 } else { random.below(65_536) as u16 };
    let from = random.between(1025, 65_535) as u16;
    let high = random.between(32_768, 60_999) as u16;
    let (length, content) = match service.protocol {
        _ if late => (52, Content::Tcp { from: 443, to: high, window: 501, flags: "ACK" }),
        "tcp" => (44, Content::Tcp { from, to: service.port, window: 1024, flags: "SYN" }),
        "udp" => (130, Content::Udp { from, to: service.port }),
        _ => (84, Content::Echo { id, sequence: 1 }),
    };
    Packet { source, destination: HOME, length, ttl, id, content }
}

fn stamp_text(stamp: Stamp, day: Day, second: u32) -> String {
    let (year, month, date) = day.civil();
    match stamp {
        Stamp::Iso => format!("{day}T{} router ", clock(second)),
        Stamp::Logread => {
            let month = MONTHS[month as usize - 1];
            format!("{} {month} {date:2} {} {year} ", day.weekday(), clock(second))
        }
    }
}

fn kernel(stamp: Stamp, second: u64, line: u64) -> String {
    match stamp {
        Stamp::Iso => "kernel: ".to_string(),
        Stamp::Logread => format!("kern.warn kernel: [{}.{:06}] ", second + 43, mix(line) % 1_000_000),
    }
}

fn daemon(random: &mut Random, stamp: Stamp, bytes: &mut Vec<u8>) {
    let facility = if stamp == Stamp::Logread { "daemon.info " } else { "" };
    let host = random.between(20, 40);
    let text = match random.below(3) {
        0 => format!("dnsmasq-dhcp[1733]: DHCPREQUEST(br-lan) 192.168.1.{host} 00:00:5e:00:53:{host}"),
        1 => format!("dnsmasq[1733]: query[AAAA] www.example.com from 192.168.1.{host}"),
        _ => format!("hostapd: wlan0: STA 00:00:5e:00:53:{host} WPA: group key handshake completed (RSN)"),
    };
    bytes.extend_from_slice(facility.as_bytes());
    bytes.extend_from_slice(text.as_bytes());
}
