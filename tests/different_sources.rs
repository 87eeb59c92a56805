//! Different sources of services, and of services by country, over many days, against sets of all of them.

mod common;

use std::cell::LazyCell;
use std::collections::{BTreeMap, HashSet};

use common::generate::random::Random;
use fwstat::calendar::{Calendar, Date};
use fwstat::event::{Address, Class, Event, PathId, Verdict, protocol};
use fwstat::output::json;
use fwstat::query;
use fwstat::query::history::Retention;
use fwstat::query::question::{Question, Topic};
use fwstat::stats::countries::{Atlas, Country};
use fwstat::stats::day::{Day, KeptDay};
use fwstat::store::history::{AddedDay, Store};
use fwstat::store::shelf::MemoryShelf;
use serde_json::Value;

/// 2026-06-20, in the middle of a month.
const LAST: Date = Date(20_624);
const DAYS: i32 = 140;

/// Sources a day, of them so many of a hundred that come back.
struct Tried {
    port: u16,
    sources: u64,
    back: u64,
}

const TRIED: [Tried; 6] = [
    // About 310 in a month.
    Tried { port: 22, sources: 12, back: 15 },
    Tried { port: 5060, sources: 16, back: 80 },
    Tried { port: 3389, sources: 40, back: 20 },
    Tried { port: 80, sources: 150, back: 50 },
    Tried { port: 23, sources: 500, back: 10 },
    Tried { port: 443, sources: 900, back: 90 },
];

/// Four countries have 4, 3, 2 and 1 of ten sources.
struct Shares;

impl Shares {
    const COUNTRIES: [Country; 4] = [Country(*b"CN"), Country(*b"US"), Country(*b"RU"), Country(*b"BR")];

    fn of(source: u32) -> Country {
        Shares::COUNTRIES[[0, 0, 0, 0, 1, 1, 1, 2, 2, 3][(source / 7 % 10) as usize]]
    }
}

impl Atlas for Shares {
    fn country_of(&mut self, address: Address) -> Option<Country> {
        Some(Shares::of(address.low as u32))
    }
}

type Truth = BTreeMap<(Date, u16), HashSet<u32>>;

fn event(source: u32, port: u16) -> Event {
    Event {
        time: 1_780_000_000,
        source: Address::v4(source),
        destination: Address::v4(0xc633_6414),
        fingerprint: 0,
        uptime: 0,
        count: 1,
        source_port: 40_000,
        port,
        length: 44,
        path: PathId(0),
        protocol: protocol::TCP,
        flags: 2,
        icmp_type: 0,
        icmp_code: 0,
        class: Class::Attempt,
        verdict: Verdict::Drop,
        unhashed: false,
    }
}

thread_local! {
    /// Whole days, and who tried what on each.
    static MADE: LazyCell<&'static (Vec<KeptDay>, Truth)> = LazyCell::new(|| Box::leak(Box::new(make())));
}

fn made() -> &'static (Vec<KeptDay>, Truth) {
    MADE.with(|made| **made)
}

fn make() -> (Vec<KeptDay>, Truth) {
    let mut random = Random::new(11);
    let mut truth = Truth::new();
    let pool: Vec<u32> = (0..1000).map(|_| random.next() as u32).collect();
    let days = (LAST.0 - DAYS + 1..=LAST.0).map(|number| {
        let mut day = Day::new(Date(number));
        for tried in &TRIED {
            let set = truth.entry((Date(number), tried.port)).or_default();
            while (set.len() as u64) < tried.sources {
                let back = random.below(100) < tried.back;
                let source = if back { pool[random.below(1000) as usize] } else { random.next() as u32 };
                set.insert(source);
            }
            let mut sources: Vec<u32> = set.iter().copied().collect();
            sources.sort_unstable();
            for source in sources {
                (0..2 + random.below(2)).for_each(|_| day.add(&event(source, tried.port), 5));
            }
        }
        // More light services than are kept.
        for _ in 0..100 {
            day.add(&event(random.next() as u32, 10_000 + random.below(40_000) as u16), 7);
        }
        day.measure_countries(Some(&mut Shares));
        day.to_kept()
    });
    (days.collect(), truth)
}

fn added(days: &[KeptDay]) -> impl Iterator<Item = std::io::Result<AddedDay>> {
    days.iter().map(|day| Ok(AddedDay { day: day.clone(), whole: None }))
}

/// As a router adds them, one by one.
fn store() -> Store {
    let mut store = Store::open(MemoryShelf::new(), Retention::default(), true).unwrap();
    made().0.chunks(1).for_each(|day| store.add(added(day), None).unwrap());
    store
}

fn services(store: &mut Store, from: Date, to: Date) -> Value {
    let question = Question {
        from: Some(from),
        to: Some(to),
        limit: TRIED.len() as u32,
        ..Question::new(Topic::Services)
    };
    let answer = query::answer(&question, store, &Calendar::new("UTC").unwrap(), None).unwrap();
    serde_json::from_str(&json::text(&answer)).unwrap()
}

/// What is told of a port's different sources, and the truth.
struct Told {
    port: u16,
    number: Option<u64>,
    error: u64,
    truth: u64,
}

fn told(store: &mut Store, from: Date, to: Date) -> Vec<Told> {
    let answer = services(store, from, to);
    let rows = answer["services"].as_array().unwrap().iter();
    let rows = rows.map(|row| {
        let port = row["port"].as_u64().unwrap() as u16;
        let sets = made().1.iter().filter(|((date, of), _)| *of == port && (from..=to).contains(date));
        let truth: HashSet<u32> = sets.flat_map(|(_, set)| set.iter().copied()).collect();
        let error = row["unique_sources_error"].as_u64().unwrap_or(0);
        Told { port, number: row["unique_sources"].as_u64(), error, truth: truth.len() as u64 }
    });
    rows.collect()
}

/// Everything is told; an error of three standard errors is one in 400. `exact`: few sources a day are counted one by
/// one up to 512.
fn check(store: &mut Store, from: Date, to: Date, exact: bool) {
    let rows = told(store, from, to);
    assert_eq!(rows.len(), TRIED.len());
    for Told { port, number, error, truth } in rows {
        let number = number.unwrap_or_else(|| panic!("{from} to {to}: nothing is told of {port}"));
        let percent = (number as f64 / truth as f64 - 1.0) * 100.0;
        eprintln!("{from} {to} {port}: {number} +- {error} of {truth} ({percent:+.1} %)");
        let few = TRIED.iter().any(|tried| tried.port == port && tried.sources <= 16);
        if from == to || exact && few && truth <= 512 {
            assert_eq!((number, error), (truth, 0), "{from} to {to}: {port}");
        }
        assert!(number.abs_diff(truth) <= error * 3 / 2, "{from} to {to}: {port}");
        assert!(error as f64 <= 0.131 * number as f64 + 1.0, "{from} to {to}: {port}");
    }
}

fn days_before(days: i32) -> Date {
    Date(LAST.0 - days)
}

fn month(month: u32) -> (Date, Date) {
    let first = Date::from_ymd(2026, month, 1).unwrap();
    (first, first.month().last_day())
}

#[test]
fn any_range_of_sixty_days_and_whole_months_before_are_told() {
    let mut store = store();
    for (from, to) in [(0, 0), (1, 0), (6, 0), (19, 0), (40, 11), (59, 0), (60, 30), (60, 60)] {
        check(&mut store, days_before(from), days_before(to), true);
    }
    for number in 2..=5 {
        check(&mut store, month(number).0, month(number).1, true);
    }
    check(&mut store, month(2).0, month(3).1, false);
    check(&mut store, month(2).0, LAST, false);
    // Parts of months whose days have no sketches any more.
    for (from, to) in [(days_before(100), days_before(90)), (days_before(100), LAST)] {
        assert!(told(&mut store, from, to).iter().all(|told| told.number.is_none()));
    }
}

#[test]
fn how_days_came_does_not_matter() {
    let mut expected = store();
    let mut months = Store::open(MemoryShelf::new(), Retention::default(), true).unwrap();
    for month in made().0.chunk_by(|day, next| day.date.month() == next.date.month()) {
        months.add(added(month), None).unwrap();
    }
    let mut backwards = Store::open(MemoryShelf::new(), Retention::default(), true).unwrap();
    let mut chunks: Vec<&[KeptDay]> = made().0.chunks(7).collect();
    chunks.reverse();
    chunks.into_iter().for_each(|days| backwards.add(added(days), None).unwrap());
    for (from, to) in [(days_before(19), LAST), (days_before(59), days_before(3)), (days_before(50), LAST)] {
        let answer = services(&mut expected, from, to);
        assert_eq!(services(&mut months, from, to), answer);
        assert_eq!(services(&mut backwards, from, to), answer);
    }
    let (first, last) = month(2);
    assert_eq!(services(&mut months, first, last), services(&mut expected, first, last));
}

/// More of a day that is over, and of one whose pairs are no longer all known, adds to its sources.
#[test]
fn more_of_a_day_that_is_over_counts_nobody_twice() {
    let mut store = Store::open(MemoryShelf::new(), Retention::default(), true).unwrap();
    store.add(added(&made().0[made().0.len() - 20..]), None).unwrap();
    let of = |port: u16, count: u32| {
        let mut day = Day::new(days_before(5));
        let known: Vec<u32> = made().1[&(days_before(5), port)].iter().copied().collect();
        known.iter().take(10).for_each(|source| day.add(&event(*source, port), 3));
        (0..count).for_each(|source| day.add(&event(0x0a00_0000 + source, port), 3));
        day.to_kept()
    };
    store.add(added(&[of(22, 5)]), None).unwrap();
    store.add(added(&[of(23, 100)]), None).unwrap();
    let rows = told(&mut store, days_before(6), days_before(4));
    for (port, more) in [(22, 5), (23, 100)] {
        let row = rows.iter().find(|row| row.port == port).unwrap();
        let (number, truth) = (row.number.unwrap(), row.truth + more);
        assert!(number.abs_diff(truth) <= row.error * 3 / 2, "{port}: {number} of {truth}");
    }
}

/// Forged sources fill the tables: what was heavy before is still told, of others nothing wrong.
#[test]
fn a_flood_of_forged_sources_makes_nothing_wrong() {
    let mut days = made().0.clone();
    let flooded = days.len() - 3;
    let mut day = Day::new(days[flooded].date);
    day.add_kept(&days[flooded]);
    (0..40_000u32).for_each(|source| day.add(&event(source.wrapping_mul(2_654_435_761), 23), 9));
    days[flooded] = day.to_kept();
    let mut store = Store::open(MemoryShelf::new(), Retention::default(), true).unwrap();
    days[flooded - 3..].chunks(1).for_each(|day| store.add(added(day), None).unwrap());
    for Told { port, number, error, truth } in told(&mut store, days[flooded - 3].date, LAST) {
        let truth = truth + if port == 23 { 40_000 } else { 0 };
        let heavy = port == 23 || port == 443;
        assert_eq!(number.is_some(), heavy, "{port}");
        assert!(number.is_none_or(|number| number.abs_diff(truth) <= error * 3 / 2), "{port}: {number:?}");
    }
}

/// The different sources of a port by country; `most`: what the largest can be wrong by, as a part of it.
fn check_countries(store: &mut Store, port: u16, from: Date, to: Date, most: f64) {
    let question = Question {
        from: Some(from),
        to: Some(to),
        port: Some(port),
        limit: 5,
        ..Question::new(Topic::Countries)
    };
    let answer = query::answer(&question, store, &Calendar::new("UTC").unwrap(), Some(&mut Shares)).unwrap();
    let answer: Value = serde_json::from_str(&json::text(&answer)).unwrap();
    let sets = made().1.iter().filter(|((date, of), _)| *of == port && (from..=to).contains(date));
    let truth: HashSet<u32> = sets.flat_map(|(_, set)| set.iter().copied()).collect();
    let rows = answer["countries"].as_array().unwrap();
    assert_eq!(rows.len(), 4, "{answer}");
    for (country, row) in Shares::COUNTRIES.iter().zip(rows) {
        assert_eq!(row["country"], country.to_string());
        let truth = truth.iter().filter(|source| Shares::of(**source) == *country).count() as u64;
        let number = row["unique_sources"].as_u64().unwrap_or_else(|| panic!("{from} {to} {port}: {answer}"));
        let error = row["unique_sources_error"].as_u64().unwrap_or(0);
        eprintln!("{from} {to} {port} {country}: {number} +- {error} of {truth}");
        // Four standard errors: there are many numbers here.
        assert!(number.abs_diff(truth) <= error * 2, "{from} {to} {port} {country}");
        let share = [1.0, 1.2, 1.6, 2.4][rows.iter().position(|other| other == row).unwrap()];
        assert!(
            error as f64 <= most * share * number as f64,
            "{from} {to} {port} {country}: {number} +- {error}"
        );
    }
}

#[test]
fn the_countries_of_a_port_have_different_sources_over_any_range_of_sixty_days() {
    let mut store = store();
    for (from, to) in [(0, 0), (1, 0), (6, 0), (29, 0), (45, 10)] {
        for (port, most) in [(23, 0.3), (443, 0.3), (80, 0.6)] {
            check_countries(&mut store, port, days_before(from), days_before(to), most);
        }
    }
    // Whole months, of which the days are kept with their samples.
    for port in [23, 443] {
        check_countries(&mut store, port, month(5).0, month(5).1, 0.2);
    }
    // Months that are older have the sample of a month.
    check_countries(&mut store, 23, month(3).0, month(3).1, 0.5);
}
