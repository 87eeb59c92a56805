//! Different sources, in all, of services, of countries and of both, over many days, against sets of all of them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::LazyLock;

use crate::common::generate::random::Random;
use fwstat::event::calendar::{Calendar, Date};
use fwstat::event::{Address, Class, Event, PathId, Verdict, protocol};
use fwstat::output::json;
use fwstat::query;
use fwstat::query::question::{Question, Topic};
use fwstat::stats::countries::{Country, CountryLookup};
use fwstat::stats::day::Day;
use fwstat::stats::summary::DaySummary;
use fwstat::store::directory::Directory;
use fwstat::store::{Retention, Store};
use serde_json::{Value, json as value};

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

impl CountryLookup for Shares {
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

/// Who tried what on each day, and light services: date, source, port, times.
struct Made {
    truth: Truth,
    tried: Vec<(Date, u32, u16, u64)>,
}

static MADE: LazyLock<Made> = LazyLock::new(|| {
    let mut random = Random::new(11);
    let mut made = Made { truth: Truth::new(), tried: Vec::new() };
    let pool: Vec<u32> = (0..1000).map(|_| random.next() as u32).collect();
    for date in (LAST.0 - DAYS + 1..=LAST.0).map(Date) {
        for tried in &TRIED {
            let set = made.truth.entry((date, tried.port)).or_default();
            while (set.len() as u64) < tried.sources {
                let back = random.below(100) < tried.back;
                let source = if back { pool[random.below(1000) as usize] } else { random.next() as u32 };
                set.insert(source);
            }
            let mut sources: Vec<u32> = set.iter().copied().collect();
            sources.sort_unstable();
            made.tried.extend(sources.iter().map(|source| (date, *source, tried.port, 2 + random.below(2))));
        }
        // More light services than have rows.
        for _ in 0..100 {
            let port = 10_000 + random.below(40_000) as u16;
            made.tried.push((date, random.next() as u32, port, 1));
        }
    }
    made
});

/// All days, closed, with samples of this salt.
fn days(salt: u64) -> Vec<DaySummary> {
    let chunks = MADE.tried.chunk_by(|one, next| one.0 == next.0);
    let days = chunks.map(|tried| {
        let mut day = Day::new(tried[0].0, salt);
        for (_, source, port, times) in tried {
            (0..*times).for_each(|_| day.add(&event(*source, *port), 5));
        }
        day.measure_countries(Some(&mut Shares));
        day.to_closed()
    });
    days.collect()
}

fn empty(salt: u64) -> Store {
    Store::open(Directory::Memory(Default::default()), Retention::default(), Some(salt)).unwrap()
}

fn add(store: &mut Store, days: &[DaySummary]) {
    let dates: Vec<Date> = days.iter().map(|day| day.date).collect();
    let added = store.add(&dates, days.iter().cloned().map(Ok)).unwrap();
    store.commit(added.changes).unwrap();
}

/// With all days of this salt, a month at a time.
fn store(salt: u64) -> Store {
    let mut store = empty(salt);
    days(salt)
        .chunk_by(|day, next| day.date.month() == next.date.month())
        .for_each(|days| add(&mut store, days));
    store
}

fn answer(store: &mut Store, question: &Question) -> Value {
    let answer =
        query::answer(question, store, &Calendar::new("UTC").unwrap(), Some(&mut Shares), None).unwrap();
    serde_json::from_str(&json::text(&answer)).unwrap()
}

fn question(topic: Topic, port: Option<u16>, (from, to): (Date, Date)) -> Question {
    let limit = if topic == Topic::Countries { 4 } else { TRIED.len() as u32 };
    Question { from: Some(from), to: Some(to), port, limit, ..Question::new(topic) }
}

/// One number of different sources that is told: of what, the number and two standard errors.
struct Told {
    port: Option<u16>,
    country: Option<Country>,
    number: Option<u64>,
    error: u64,
}

/// Everything that is told of a range.
fn told(store: &mut Store, range: (Date, Date)) -> Vec<Told> {
    let number = |row: &Value, port, country| Told {
        port,
        country,
        number: row["unique_sources"].as_u64(),
        error: row["unique_sources_error"].as_u64().unwrap_or(0),
    };
    let mut all = vec![number(&answer(store, &question(Topic::Summary, None, range)), None, None)];
    let services = answer(store, &question(Topic::Services, None, range));
    for row in services["services"].as_array().unwrap() {
        all.push(number(row, Some(row["port"].as_u64().unwrap() as u16), None));
    }
    for port in [None, Some(443), Some(23), Some(80)] {
        let answer = answer(store, &question(Topic::Countries, port, range));
        for row in answer["countries"].as_array().unwrap() {
            let code = row["country"].as_str().unwrap().as_bytes();
            all.push(number(row, port, Some(Country([code[0], code[1]]))));
        }
    }
    all
}

/// Different sources by port (`None`: of all) and country.
type Counts = HashMap<(Option<u16>, Option<Country>), u64>;

/// The truth of a range: of each day, and of all of it.
struct Range {
    days: Vec<Counts>,
    all: Counts,
}

fn count(sets: &[(u16, &HashSet<u32>)], light: &[u32]) -> Counts {
    let mut counts = HashMap::new();
    let mut count = |port, sources: HashSet<u32>| {
        for source in sources {
            *counts.entry((port, None)).or_default() += 1;
            *counts.entry((port, Some(Shares::of(source)))).or_default() += 1;
        }
    };
    for tried in &TRIED {
        let of_port = sets.iter().filter(|(port, _)| *port == tried.port);
        count(Some(tried.port), of_port.flat_map(|(_, set)| set.iter().copied()).collect());
    }
    count(None, sets.iter().flat_map(|(_, set)| set.iter()).chain(light).copied().collect());
    counts
}

fn truth((from, to): (Date, Date)) -> Range {
    let sets = |from: Date, to: Date| {
        let found = MADE.truth.iter().filter(move |((date, _), _)| (from..=to).contains(date));
        found.map(|((_, port), set)| (*port, set)).collect::<Vec<_>>()
    };
    let light = |from: Date, to: Date| {
        let found =
            MADE.tried.iter().filter(|(date, _, port, _)| *port >= 10_000 && (from..=to).contains(date));
        found.map(|(_, source, ..)| *source).collect::<Vec<_>>()
    };
    let days = (from.0..=to.0).map(Date).map(|date| count(&sets(date, date), &light(date, date)));
    Range { days: days.collect(), all: count(&sets(from, to), &light(from, to)) }
}

fn days_before(days: i32) -> Date {
    Date(LAST.0 - days)
}

/// What holds for every number: below its error it is not told, it lies between the most of one day and the sum of all.
/// Whether the truth lies within the two standard errors.
fn check(told: &Told, range: &Range, name: &str) -> bool {
    let Told { port, country, number, error } = *told;
    let key = (port, country);
    let truth = range.all.get(&key).copied().unwrap_or(0);
    let Some(number) = number else { return true };
    assert!(error < number, "{name} {key:?}: {number} +- {error} of {truth}");
    let of_days = || range.days.iter().map(|day| day.get(&key).copied().unwrap_or(0));
    let (least, most) = (of_days().max().unwrap_or(0), of_days().sum::<u64>());
    // The light rows of a country are left out of each day.
    if country.is_none() {
        assert!((least..=most).contains(&number), "{name} {key:?}: {number} is not in {least}..={most}");
    }
    if range.days.len() == 1 {
        assert_eq!((number, error), (truth, 0), "{name} {key:?}");
    }
    number.abs_diff(truth) <= error
}

#[test]
fn of_ten_thousand_numbers_95_percent_lie_within_their_two_standard_errors() {
    let begins = [0, 1, 2, 4, 6, 10, 13, 19, 25, 29, 36, 40, 50, 59, 70, 80, 89, 95, 101, 113, 126, 139];
    let ranges: Vec<(Date, Date)> = begins
        .iter()
        .flat_map(|from| [(*from, 0), (*from, from / 2)])
        .map(|(from, to)| (days_before(from), days_before(to)))
        .collect();
    let truths: Vec<Range> = ranges.iter().map(|range| truth(*range)).collect();
    let (mut told_numbers, mut untold, mut within, mut estimated, mut off) = (0, 0, 0, 0, 0.0);
    for salt in 0..14 {
        let mut store = store(salt);
        for (range, truth) in ranges.iter().zip(&truths) {
            let name = format!("{} to {}", range.0, range.1);
            let told = told(&mut store, *range);
            assert_eq!(told.len(), 1 + TRIED.len() + 4 * 4, "{name}");
            for told in &told {
                let is_within = check(told, truth, &name);
                // Half of all sources tried it.
                let busy = told.country.is_none() && matches!(told.port, None | Some(443 | 23 | 80));
                assert!(told.number.is_some() || !busy, "{name} {:?} {:?}", told.port, told.country);
                untold += u32::from(told.number.is_none());
                if let Some(number) = told.number {
                    told_numbers += 1;
                    within += u32::from(is_within);
                    estimated += u32::from(told.error > 0);
                    let truth = truth.all[&(told.port, told.country)];
                    if told.port.is_none() && told.country.is_none() {
                        off += (number as f64 / truth as f64 - 1.0).powi(2);
                    }
                }
            }
        }
    }
    let rms = (off / f64::from(14 * ranges.len() as u32)).sqrt();
    eprintln!(
        "{told_numbers} numbers, {estimated} of them estimates, {within} within; {untold} not told; all sources: rms \
         {rms:.4}"
    );
    assert!(told_numbers >= 10_000 && estimated >= 8_000, "{told_numbers} {estimated}");
    assert!(within * 100 >= told_numbers * 95, "{within} of {told_numbers}");
    // 512 sources of a day, 2,500 of a month: some 2 %.
    assert!(rms < 0.06, "{rms}");
}

/// What is counted exactly; which light rows and which sources of samples are left depends on how the days came.
fn totals(topic: Topic, answer: &Value) -> Value {
    match topic {
        Topic::Summary => value!([answer["attempts"], answer["classes"], answer["days"], answer["hours"]]),
        Topic::Services => answer["services"].as_array().unwrap().iter().map(row_total).collect(),
        _ => answer["countries"][0]["country"].clone(),
    }
}

fn row_total(row: &Value) -> Value {
    value!([row["protocol"], row["port"], row["attempts"]])
}

#[test]
fn how_days_came_does_not_matter() {
    const SALT: u64 = 7;
    let days = days(SALT);
    let days = &days[days.len() - 75..];
    let mut expected = empty(SALT);
    days.chunks(1).for_each(|day| add(&mut expected, day));
    let mut months = empty(SALT);
    days.chunk_by(|day, next| day.date.month() == next.date.month()).for_each(|days| add(&mut months, days));
    let mut backwards = empty(SALT);
    days.chunks(7).rev().for_each(|days| add(&mut backwards, days));
    for range in [(19, 0), (59, 3), (50, 0), (74, 0)] {
        let range = (days_before(range.0), days_before(range.1));
        for topic in [Topic::Summary, Topic::Services, Topic::Countries] {
            let question = question(topic, None, range);
            let expected = answer(&mut expected, &question);
            let counts = |answer: &Value| totals(topic, answer);
            assert_eq!(counts(&answer(&mut months, &question)), counts(&expected), "{topic:?}");
            assert_eq!(counts(&answer(&mut backwards, &question)), counts(&expected), "{topic:?}");
        }
    }
}

/// More of a day that is over, and of one whose pairs are no longer all known, adds to its sources.
#[test]
fn more_of_a_day_that_is_over_counts_nobody_twice() {
    const SALT: u64 = 7;
    let mut store = empty(SALT);
    add(&mut store, &days(SALT)[DAYS as usize - 20..]);
    for (port, count) in [(22, 5), (23, 100)] {
        let mut day = Day::new(days_before(5), SALT);
        let known: Vec<u32> = MADE.truth[&(days_before(5), port)].iter().copied().collect();
        known.iter().take(10).for_each(|source| day.add(&event(*source, port), 3));
        (0..count).for_each(|source| day.add(&event(0x0a00_0000 + source, port), 3));
        add(&mut store, &[day.to_closed()]);
    }
    let range = (days_before(6), days_before(4));
    let told = told(&mut store, range);
    let truth = truth(range);
    for (port, more) in [(22, 5), (23, 100)] {
        let row = told.iter().find(|told| told.port == Some(port) && told.country.is_none()).unwrap();
        let truth = truth.all[&(Some(port), None)] + more;
        if let Some(number) = row.number {
            assert!(
                number.abs_diff(truth) <= row.error * 3 / 2,
                "{port}: {number} +- {} of {truth}",
                row.error
            );
        }
    }
}

/// Forged sources fill the tables: of the flooded port the number is told, of others nothing wrong.
#[test]
fn a_flood_of_forged_sources_makes_nothing_wrong() {
    const SALT: u64 = 7;
    let flooded = DAYS as usize - 3;
    let date = days_before(2);
    let mut days = days(SALT);
    let mut day = Day::new(date, SALT);
    for (_, source, port, times) in MADE.tried.iter().filter(|tried| tried.0 == date) {
        (0..*times).for_each(|_| day.add(&event(*source, *port), 5));
    }
    (0..40_000u32).for_each(|source| day.add(&event(source.wrapping_mul(2_654_435_761), 23), 9));
    day.measure_countries(Some(&mut Shares));
    days[flooded] = day.to_closed();
    let mut store = empty(SALT);
    days[flooded - 3..].chunks(1).for_each(|day| add(&mut store, day));
    let range = (days_before(5), LAST);
    let truth = truth(range);
    for told in told(&mut store, range).iter().filter(|told| told.country.is_none()) {
        let flood = if matches!(told.port, None | Some(23)) { 40_000 } else { 0 };
        let truth = truth.all[&(told.port, None)] + flood;
        assert!(told.number.is_some() || flood == 0, "{:?}", told.port);
        let Some(number) = told.number else { continue };
        assert!(
            number.abs_diff(truth) <= told.error * 3 / 2,
            "{:?}: {number} +- {} of {truth}",
            told.port,
            told.error
        );
    }
}
