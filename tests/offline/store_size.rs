//! What ten years of a busy home take on flash: 6,000 attempts of 2,000 sources a day.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::common::generate::random::Random;
use fwstat::event::calendar::{Calendar, Date, Month};
use fwstat::event::paths::{Direction, Path, Paths, Rules};
use fwstat::event::{Address, Class, Event, Origin, PathId, Verdict, protocol};
use fwstat::live::{Commit, Engine, Input, InputItem, Now};
use fwstat::stats::countries::{Country, CountryLookup};
use fwstat::stats::day::Day;
use fwstat::stats::summary::DaySummary;
use fwstat::store::directory::Directory;
use fwstat::store::pieces::{self, State};
use fwstat::store::{Allowed, Retention, Store};

/// Seventeen months: three of them have lost their days; older ones are as large as these.
const MONTHS: usize = 17;
/// What stays of ten years, all in all.
const MAX_STORED: usize = 1_500_000;
/// What is written to flash on the day on which most is written.
const MAX_WRITTEN: u64 = 150_000;
const SALT: u64 = 3;

const TRIED: [u16; 24] = [
    23, 22, 80, 443, 3389, 5060, 8080, 445, 1433, 2323, 8443, 5555, 6379, 3306, 7547, 21, 25, 81, 8081,
    37215, 52869, 5900, 123, 1900,
];

/// One attempt in so many is aimed at a host inside.
const FORWARDED: u64 = 100;
/// So many hosts inside are aimed at, one port each.
const INSIDE: usize = 4;

/// What the router's rules log: the zone's input and forward, the SYN flood protection.
fn paths() -> Paths {
    let mut paths = Paths::new();
    for (prefix, output) in
        [("reject wan in:", ""), ("reject wan forward:", "br-lan"), ("drop syn_flood:", "")]
    {
        paths.intern(&Path {
            origin: Origin::Nflog,
            prefix: prefix.into(),
            input: "pppoe-wan".into(),
            output: output.into(),
            bridge_input: String::new(),
            bridge_output: String::new(),
            group_mac: false,
            verdict: Verdict::Reject,
            zone: None,
            firewall_zone: Some("wan".into()),
            direction: Direction::Inbound,
        });
    }
    paths
}

struct Home {
    random: Random,
    rules: Rules,
    /// Scanners that come back day after day; now and then one is replaced.
    regulars: Vec<u32>,
}

impl Home {
    fn new() -> Home {
        let mut random = Random::new(7);
        let regulars = (0..300).map(|_| random.next() as u32).collect();
        Home { random, rules: paths().rules(), regulars }
    }

    fn day(&mut self, date: Date) -> DaySummary {
        let mut day = Day::new(date, SALT).with_rules(&self.rules);
        for event in self.events(date) {
            day.add(&event, (event.time.rem_euclid(86_400) / 3600) as u8);
        }
        day.measure_countries(Some(&mut Spread));
        day.to_closed()
    }

    /// In no order.
    fn events(&mut self, date: Date) -> Vec<Event> {
        let random = &mut self.random;
        for _ in 0..6 {
            let gone = random.below(300) as usize;
            self.regulars[gone] = random.next() as u32;
        }
        let passers: Vec<u32> = (0..1700).map(|_| random.next() as u32).collect();
        let mut events = Vec::new();
        let midnight = i64::from(date.0) * 86_400;
        for number in 0..7000u32 {
            let second = random.below(86_400) as i64;
            let source = match random.below(2) {
                0 => self.regulars[random.skewed(300)],
                _ => passers[random.below(1700) as usize],
            };
            let port =
                if random.one_in(3) { random.below(65_535) as u16 + 1 } else { TRIED[random.skewed(24)] };
            // A packet in seven is a late reply or multicast.
            let class = match number % 70 {
                0..9 => Class::Backscatter,
                9 => Class::Noise,
                _ => Class::Attempt,
            };
            let udp = class == Class::Attempt && matches!(port, 5060 | 123 | 1900) || random.one_in(10);
            // Those inside have their usual ports, and each an address of its own.
            let inside = (class == Class::Attempt && random.below(FORWARDED) == 0)
                .then(|| random.skewed(INSIDE) as u128);
            let (path, destination, port) = match inside {
                Some(host) => {
                    let host_part = 0x0211_32ff_fe00_0000_u128 + host * 0x1357_9bdf;
                    (PathId(1), Address::v6(0x2001_0db8 << 96 | host_part), TRIED[host as usize % 24])
                }
                None => (PathId(if number % 50 == 0 { 2 } else { 0 }), Address::v4(0xc633_6414), port),
            };
            events.push(Event {
                time: midnight + second,
                source: Address::v4(source),
                destination,
                fingerprint: 0,
                uptime: 0,
                count: 1,
                source_port: 40_000,
                port,
                length: 44,
                path,
                protocol: if udp { protocol::UDP } else { protocol::TCP },
                flags: 2,
                icmp_type: 0,
                icmp_code: 0,
                class,
                verdict: Verdict::Drop,
                unhashed: false,
            });
        }
        events
    }
}

/// Attempts come from 120 countries, half of them from the first nine or so, as the real ones do.
struct Spread;

impl CountryLookup for Spread {
    fn country_of(&mut self, address: Address) -> Option<Country> {
        let network = Random::new(address.low >> 12).next();
        let share = (network % 10_000) as f64 / 10_000.0;
        let number = (share.powi(3) * 120.0) as u8;
        Some(Country([b'A' + number / 26, b'A' + number % 26]))
    }
}

/// The newest months of a store, a month at a time, and what the rules then demand.
fn seventeen_months() -> (Store, Home, Date) {
    let mut store =
        Store::open(Directory::Memory(Default::default()), Retention::default(), Some(SALT)).unwrap();
    let mut home = Home::new();
    let newest = Month::parse("2026-10").unwrap();
    let months = (0..MONTHS as i32).rev().map(|before| Month(newest.0 - before));
    for month in months {
        let dates: Vec<Date> = (month.first_day().0..=month.last_day().0).map(Date).collect();
        let added = store.add(&dates, dates.iter().map(|date| Ok(home.day(*date)))).unwrap();
        store.commit(added.changes).unwrap();
    }
    // One of each a day's close: as many closes as there are months.
    while let Some(demanded) = store.maintain(0, Allowed::ALL).unwrap() {
        store.commit(demanded.changes).unwrap();
    }
    (store, home, newest.last_day())
}

#[test]
fn ten_years_of_a_busy_home_take_less_than_one_and_a_half_megabytes() {
    let (store, ..) = seventeen_months();
    let directory = store.directory();
    let mut sizes: BTreeMap<String, usize> = BTreeMap::new();
    for name in directory.names().unwrap() {
        // A month's days have files of their own while they have hours of rows.
        let month = name.get(..7).filter(|_| name.starts_with("20")).unwrap_or(&name);
        *sizes.entry(month.to_string()).or_default() += directory.read(&name).unwrap().unwrap().len();
    }
    let months: Vec<usize> =
        sizes.iter().filter(|(name, _)| name.starts_with("20")).map(|(_, size)| *size).collect();
    let keep = Retention::default();
    assert_eq!(months.len(), MONTHS);
    let (old, with_days) = months.split_at(MONTHS - keep.days);
    assert!(old.iter().max() < with_days.iter().min(), "{months:?}");
    let more = keep.months - MONTHS;
    let total = sizes.values().sum::<usize>() + more * old.iter().sum::<usize>() / old.len();
    eprintln!("{total} bytes, with {more} more months like {old:?}: {sizes:?}");
    assert!(total <= MAX_STORED, "{total} bytes");
}

/// At hourly commits, with its close and what the rules then demand: a month loses its hours, another its days.
#[test]
fn the_first_day_of_a_month_writes_less_than_150_kilobytes() {
    let (mut store, mut home, last) = seventeen_months();
    let today = Date(last.0 + 1);
    let mut engine = Engine::new(Calendar::utc(), store.salt(), 200);
    engine.lookup = Some(Rc::new(RefCell::new(Spread)));
    for path in paths().iter() {
        engine.paths.intern(path);
    }
    let mut written = 0;
    let midnight = i64::from(today.0) * 86_400;
    let mut events = home.events(today);
    events.sort_by_key(|event| event.time);
    let mut events = events.into_iter().peekable();
    let now = |time: i64| Now { boot_ms: (time - midnight + 60) as u64 * 1000, wall: time };
    engine.clock.synchronized(now(midnight));
    let mut begun = 0u16;
    for hour in 1..=24 {
        let end = midnight + hour * 3600;
        let begin = engine.clock.update(now(end - 3600));
        engine.tick(begin);
        while let Some(mut event) = events.next_if(|event| event.time < end) {
            // No two of them are copies of one packet.
            begun = begun.wrapping_add(1);
            event.fingerprint = u64::from(begun);
            let now = engine.clock.update(now(event.time));
            engine.take(now, Input::Nflog, InputItem::Event(&mut event, None, None));
        }
        let over = engine.clock.update(now(end));
        engine.tick(over);
        let Commit { closed, part } = engine.begin_commit(false);
        let mut changes = Vec::new();
        if let Some(mut part) = part {
            let state = State { serial: hour.cast_unsigned(), date: Some(today), ..State::default() };
            let bytes = pieces::encode_part(store.salt(), &state, &mut part.day, &mut part.samples);
            changes.push((pieces::name_of(today, hour as u32), Some(bytes)));
        }
        if !closed.is_empty() {
            assert_eq!(hour, 24);
            for (name, ..) in store.pieces().unwrap() {
                changes.extend(store.remove_piece(&name).unwrap());
            }
            let dates: Vec<Date> = closed.iter().map(|day| day.date).collect();
            changes.extend(store.add(&dates, closed.into_iter().map(Ok)).unwrap().changes);
        }
        written += store.commit(changes).unwrap();
        engine.end_commit(true);
    }
    assert!(events.next().is_none());
    let of_commits = written;
    let (mut left, mut rules) = (Allowed::ALL, 0);
    while let Some(demanded) = store.maintain(0, left).unwrap() {
        written += store.commit(demanded.changes).unwrap();
        (left, rules) = (demanded.left, rules + 1);
    }
    assert_eq!(rules, 2);
    eprintln!("{written} bytes written in a day, {of_commits} of them by hourly commits and the close");
    assert!(written <= MAX_WRITTEN, "{written}");
}
