//! One home router's day: the attempts from outside, and its lines in the order of time.

use std::io::Write;

use super::calendar::{Day, clock};
use super::daemons::{self, Meaning};
use super::packet::{Content, Packet, Place, WAN, WAN_AGAIN};
use super::random::{Random, mix};
use super::stray;
use super::truth::{Class, ICMP, SSDP, Service, Truth, tcp, udp};

/// The router's own address.
pub const HOME: u32 = 0xc633_6414; // 198.51.100.20

/// What strangers try every day, and each one's share of a thousand attempts.
pub const USUAL: [(Service, f64); 26] = [
    (tcp(23), 190.0),
    (tcp(445), 110.0),
    (tcp(22), 70.0),
    (tcp(1433), 45.0),
    (tcp(3389), 40.0),
    (udp(5060), 38.0),
    (tcp(8080), 35.0),
    (tcp(80), 33.0),
    (ICMP, 29.0),
    (tcp(5555), 24.0),
    (tcp(2323), 22.0),
    (tcp(443), 20.0),
    (tcp(37215), 17.0),
    (tcp(81), 16.0),
    (tcp(6379), 15.0),
    (tcp(8545), 14.0),
    (tcp(7547), 12.0),
    (tcp(3306), 11.0),
    (udp(53), 10.0),
    (tcp(5900), 9.0),
    (udp(123), 8.0),
    (tcp(52869), 8.0),
    (udp(161), 7.0),
    (tcp(9200), 6.0),
    (udp(11211), 5.0),
    (tcp(2375), 5.0),
];

/// A day's measures.
#[derive(Clone, Copy)]
pub struct Plan {
    pub attempts: u64,
    /// About how many different sources.
    pub sources: u64,
    /// Attempts that one busy source makes over all services, 0 for none.
    pub scanner: u64,
    /// Attempts on UDP 1900 of a usual day.
    pub ssdp: f64,
    /// The day of the flood: its usual attempts on UDP 1900 come on top of `attempts`.
    pub flood: bool,
    /// Lines of the flood that come in one second.
    pub burst: u64,
    /// Every source's packets look alike, so that the log compresses well.
    pub plain: bool,
    /// Lines that are no attempt, in percent of a full-sized router's.
    pub stray: u64,
}

pub enum Line {
    /// A packet, logged `copies` times under one prefix, or once under each of two.
    Packet {
        packet: Packet,
        place: Place,
        meaning: Option<Service>,
        class: Class,
        copies: u64,
        twice: bool,
    },
    Text {
        text: String,
        meaning: Meaning,
    },
}

pub struct Entry {
    pub second: u32,
    pub line: Line,
}

pub struct Router {
    pub random: Random,
    pool: Vec<u32>,
}

impl Router {
    pub fn new(seed: u64, pool: usize) -> Router {
        let mut random = Random::new(seed);
        let pool = (0..pool).map(|_| random.public_address()).collect();
        Router { random, pool }
    }

    /// All lines of one day, sorted.
    pub fn day(&mut self, plan: &Plan) -> Vec<Entry> {
        let mut entries = Vec::new();
        let services = self.services(plan);
        let sources = self.sources(plan, services.len());
        let mut next = 0;
        while next < services.len() {
            let (service, source) = (services[next], sources[next]);
            let (most, seldom) = if plan.plain { (40, 2) } else { (9, 120) };
            let alike = services[next..].iter().take(most).take_while(|&&other| other == service).count();
            let copies = if self.random.one_in(seldom) { alike as u64 } else { 1 };
            let twice = copies == 1 && service.protocol == "tcp" && self.random.one_in(90);
            let packet = self.attempt(service, source, plan.plain);
            let line = Line::Packet {
                packet,
                place: WAN,
                meaning: Some(service),
                class: Class::Attempt,
                copies,
                twice,
            };
            entries.push(Entry { second: self.random.below(86_400) as u32, line });
            next += copies as usize;
        }
        if plan.flood {
            self.flood(plan, &mut entries);
        }
        stray::add(&mut self.random, plan, &mut entries);
        daemons::add(&mut self.random, plan, &mut entries);
        entries.sort_by_key(|entry| entry.second);
        entries
    }

    /// The service of each attempt, alike ones side by side.
    fn services(&mut self, plan: &Plan) -> Vec<Service> {
        let mut services = Vec::new();
        for (service, share) in USUAL {
            let count = self.random.around(plan.attempts as f64 * share / 1000.0);
            services.extend((0..count).map(|_| service));
        }
        let ssdp = self.random.around(plan.ssdp);
        if !plan.flood {
            services.extend((0..ssdp).map(|_| SSDP));
        }
        // The rest: a long tail of ports that few try.
        while services.len() < plan.attempts as usize {
            let service = self.rare_service();
            let most = if plan.plain { 8 } else { 3 };
            let count = (self.random.between(1, most) as usize).min(plan.attempts as usize - services.len());
            services.extend((0..count).map(|_| service));
        }
        services
    }

    fn rare_service(&mut self) -> Service {
        loop {
            let service = if self.random.one_in(4) {
                udp(self.random.between(1024, 32_000) as u16)
            } else {
                tcp(self.random.between(1, 65_535) as u16)
            };
            // Left out: what is usual, and what is discovery or file sharing in a LAN.
            let other = matches!(service.port, 1900 | 3702 | 5353 | 5355);
            if !other && USUAL.iter().all(|(usual, _)| *usual != service) {
                return service;
            }
        }
    }

    /// The source of each of `count` attempts: a few heavy ones, then old and new ones by turns.
    fn sources(&mut self, plan: &Plan, count: usize) -> Vec<u32> {
        let mut sources: Vec<u32> = Vec::with_capacity(count);
        for rank in 1..=10u64 {
            let share = self.random.around(count as f64 * 0.08 / rank as f64) as usize;
            let heavy = self.pool[self.random.skewed(400)];
            sources.extend((0..share.min(count - sources.len())).map(|_| heavy));
        }
        if plan.scanner > 0 {
            let scanner = self.pool[self.random.below(20) as usize];
            sources.extend((0..plan.scanner).map(|_| scanner));
        }
        let first = sources.len();
        let new = plan.sources.min((count - first) as u64 * 17 / 20);
        while sources.len() < count {
            let seen = sources.len() - first;
            let source = if seen == 0 || self.random.below((count - first) as u64) < new {
                self.pool[self.random.below(self.pool.len() as u64) as usize]
            } else {
                sources[first + self.random.below(seen as u64) as usize]
            };
            sources.push(source);
        }
        self.random.shuffle(&mut sources);
        sources
    }

    fn attempt(&mut self, service: Service, source: u32, plain: bool) -> Packet {
        let mut look =
            if plain { Random::new(mix(source as u64 / 7)) } else { Random::new(self.random.next()) };
        let id = if plain || look.one_in(2) { 54_321 } else { look.below(65_536) as u16 };
        let from = if plain { 41_234 } else { look.between(1025, 65_535) as u16 };
        let (length, content) = match service.protocol {
            "tcp" => {
                let (length, window) =
                    look.pick(&[(44, 1024), (40, 1024), (52, 8192), (60, 29_200), (40, 65_535)]);
                (length, Content::Tcp { from, to: service.port, window, flags: "SYN" })
            }
            "udp" => (look.pick(&[49, 60, 130, 432]), Content::Udp { from, to: service.port }),
            _ => (look.pick(&[28, 84]), Content::Echo { id: look.below(65_536) as u16, sequence: 1 }),
        };
        Packet { source, destination: HOME, length, ttl: look.between(40, 250) as u8, id, content }
    }

    /// The day of the flood: 92,890 attempts on UDP 1900, of which one address makes 69,900 in five hours.
    fn flood(&mut self, plan: &Plan, entries: &mut Vec<Entry>) {
        let heavy = self.random.public_address();
        for (hour, count) in [(13, 30_000), (14, 4_000), (15, 3_500), (16, 30_000), (17, 2_400)] {
            self.bursts(heavy, hour..hour + 1, count, plan.burst, entries);
        }
        let usual = self.random.around(plan.ssdp);
        for _ in 0..usual {
            let source = self.pool[self.random.below(self.pool.len() as u64) as usize];
            self.bursts(source, 0..24, 1, 1, entries);
        }
        let reflected: Vec<u32> = (0..380).map(|_| self.random.public_address()).collect();
        let mut counts = vec![1u64; reflected.len()];
        for _ in 0..22_990 - usual - reflected.len() as u64 {
            counts[self.random.skewed(reflected.len())] += 1;
        }
        for (source, count) in reflected.into_iter().zip(counts) {
            self.bursts(source, 11..19, count, plan.burst, entries);
        }
    }

    /// `count` lines alike from `source` within `hours`, `burst` in one second.
    fn bursts(
        &mut self,
        source: u32,
        hours: std::ops::Range<u64>,
        count: u64,
        burst: u64,
        entries: &mut Vec<Entry>,
    ) {
        let content = Content::Udp { from: 31_337, to: SSDP.port };
        let packet = Packet { source, destination: HOME, length: 129, ttl: 241, id: 54_321, content };
        let mut left = count;
        while left > 0 {
            let copies = left.min(burst);
            let second = self.random.between(hours.start * 3600, hours.end * 3600 - 1) as u32;
            let (meaning, class) = (Some(SSDP), Class::Attempt);
            let line = Line::Packet { packet, place: WAN, meaning, class, copies, twice: false };
            entries.push(Entry { second, line });
            left -= copies;
        }
    }
}

/// Write a day's lines, each behind its stamp and the host, and count what they mean.
pub fn write_day(day: Day, entries: &[Entry], out: &mut dyn Write, truth: &mut Truth) -> std::io::Result<()> {
    truth.begin(day);
    let date = day.to_string();
    let mut bytes = Vec::new();
    for entry in entries {
        let start = bytes.len();
        write!(bytes, "{date}T{} router ", clock(entry.second))?;
        let stamp = start..bytes.len();
        match &entry.line {
            Line::Packet { packet, place, meaning, class, copies, twice } => {
                bytes.extend_from_slice(b"kernel: ");
                packet.write(place, &mut bytes);
                bytes.push(b'\n');
                let line = start..bytes.len();
                (1..*copies).for_each(|_| bytes.extend_from_within(line.clone()));
                if *twice {
                    bytes.extend_from_within(stamp);
                    bytes.extend_from_slice(b"kernel: ");
                    packet.write(&WAN_AGAIN, &mut bytes);
                    bytes.push(b'\n');
                    truth.duplicate();
                }
                match meaning {
                    Some(service) => {
                        truth.attempts(*service, packet.source, entry.second as usize / 3600, *copies);
                    }
                    None => truth.events(*class, *copies),
                }
            }
            Line::Text { text, meaning } => {
                bytes.extend_from_slice(text.as_bytes());
                bytes.push(b'\n');
                match meaning {
                    Meaning::Login => truth.events(Class::Login, 1),
                    Meaning::Nothing => truth.skipped(),
                    Meaning::Broken => truth.malformed(),
                }
            }
        }
    }
    truth.finish();
    out.write_all(&bytes)
}
