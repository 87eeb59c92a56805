//! Forged sources: every line comes from another address.

use std::io::{self, Write};
use std::net::Ipv4Addr;

use serde_json::{Map, Value, json};

use super::calendar::{Day, clock};
use super::random::{Random, is_public};
use super::truth::{Service, tcp, udp};

const PORTS: [Service; 20] = [
    tcp(23),
    tcp(22),
    tcp(445),
    tcp(3389),
    udp(5060),
    tcp(80),
    tcp(8080),
    udp(1900),
    tcp(443),
    tcp(1433),
    tcp(5555),
    tcp(2323),
    udp(123),
    tcp(7547),
    udp(53),
    tcp(6379),
    tcp(81),
    tcp(3306),
    udp(161),
    tcp(8545),
];

/// What was written: as many different sources as lines.
pub struct Forged {
    pub lines: u64,
    pub sources: u64,
    /// Attempts on each service, most first.
    pub services: Vec<(Service, u64)>,
    /// Attempts, and as many different sources, on each day.
    pub days: Vec<(Day, u64)>,
}

/// `lines` attempts evenly over `days` from 2026-03-01 on.
pub fn forged(out: &mut dyn Write, lines: u64, days: u64) -> io::Result<Forged> {
    let mut random = Random::new(10_000_000);
    let first = Day::of(2026, 3, 1);
    let mut counts = [0u64; PORTS.len()];
    let mut per_day = vec![0u64; days as usize];
    let tails: Vec<String> = PORTS.iter().map(|service| tail(*service)).collect();
    let mut sources = (0u32..=u32::MAX).map(scatter).filter(|&address| is_public(address));
    let mut head = (u64::MAX, String::new());
    let mut bytes = Vec::with_capacity(1 << 19);
    for line in 0..lines {
        let second = (line as u128 * days as u128 * 86_400 / lines as u128) as u64;
        if head.0 != second {
            let day = Day(first.0 + (second / 86_400) as i64);
            let time = clock((second % 86_400) as u32);
            head = (second, format!("{day}T{time} router kernel: DROP IN=ppp0 OUT= MAC= SRC="));
        }
        let source = sources.next().expect("fewer lines than addresses");
        let port = random.skewed(PORTS.len());
        counts[port] += 1;
        per_day[(second / 86_400) as usize] += 1;
        bytes.extend_from_slice(head.1.as_bytes());
        write!(bytes, "{}", Ipv4Addr::from(source))?;
        bytes.extend_from_slice(tails[port].as_bytes());
        if bytes.len() > 1 << 18 {
            out.write_all(&bytes)?;
            bytes.clear();
        }
    }
    out.write_all(&bytes)?;
    let mut services: Vec<_> = PORTS.into_iter().zip(counts).collect();
    services.sort_by_key(|&(service, count)| (u64::MAX - count, service));
    let days = per_day.into_iter().enumerate();
    let days = days.map(|(offset, count)| (Day(first.0 + offset as i64), count)).collect();
    Ok(Forged { lines, sources: lines, services, days })
}

/// Every number goes to another number (each step can be undone), all over the address space.
fn scatter(number: u32) -> u32 {
    let number = (number ^ (number >> 16)).wrapping_mul(0x85eb_ca6b);
    let number = (number ^ (number >> 13)).wrapping_mul(0xc2b2_ae35);
    number ^ (number >> 16)
}

fn tail(Service { protocol, port }: Service) -> String {
    let (protocol, length, end) = match protocol {
        "tcp" => ("TCP", 40, "WINDOW=1024 RES=0x00 SYN URGP=0"),
        _ => ("UDP", 60, "LEN=40"),
    };
    format!(
        " DST=198.51.100.20 LEN={length} TOS=0x00 PREC=0x00 TTL=241 ID=54321 PROTO={protocol} SPT=41234 \
         DPT={port} {end}\n"
    )
}

impl Forged {
    pub fn to_json(&self) -> Value {
        let services: Map<_, _> =
            self.services.iter().map(|(service, count)| (service.name(), json!(count))).collect();
        let days: Map<_, _> = self.days.iter().map(|(day, count)| (day.to_string(), json!(count))).collect();
        json!({"lines": self.lines, "sources": self.sources, "services": services, "days": days})
    }
}
