//! Random events against a naive model: what is collected, stored and asked is what plain maps say.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::{Ipv4Addr, Ipv6Addr};

use fwstat::event::calendar::{Calendar, Date};
use fwstat::event::paths::Rules;
use fwstat::event::{Address, Class, Event, PathId, Service, Verdict};
use fwstat::output::json;
use fwstat::query;
use fwstat::query::open::{WithOpenDays, focused};
use fwstat::query::question::{Question, Topic};
use fwstat::stats::day::{Day, close};
use fwstat::stats::summary::{Cuts, DaySummary};
use fwstat::stats::tables::{Bounds, Tables};
use fwstat::store::collect::{Collector, Order, Settings};
use fwstat::store::directory::Directory;
use fwstat::store::spool::Spool;
use fwstat::store::{Retention, Store};
use proptest::prelude::*;
use serde_json::Value;

/// Middle Europe, where 2020-03-29 has no hour 2. The model knows the same by hand.
const ZONE: &str = "CET-1CEST,M3.5.0,M10.5.0/3";
const SUMMER: i64 = 1_585_443_600; // 2020-03-29T01:00:00Z
const BEGIN: i64 = SUMMER - 2 * 86_400;

fn local(time: i64) -> (Date, u8) {
    let local = time + if time < SUMMER { 3600 } else { 7200 };
    (Date(local.div_euclid(86_400) as i32), (local.rem_euclid(86_400) / 3600) as u8)
}

const SERVICES: [(u8, u16, &str); 6] =
    [(6, 23, "tcp"), (6, 22, "tcp"), (17, 53, "udp"), (17, 23, "udp"), (1, 0, "icmp"), (58, 0, "icmpv6")];

fn address(number: u8) -> Address {
    match number % 2 {
        0 => Address::v4(0xcb00_7100 + u32::from(number)),
        _ => Address::v6(0x2001_0db8_u128 << 96 | u128::from(number)),
    }
}

fn text(number: u8) -> String {
    match number % 2 {
        0 => Ipv4Addr::from(0xcb00_7100 + u32::from(number)).to_string(),
        _ => Ipv6Addr::from(0x2001_0db8_u128 << 96 | u128::from(number)).to_string(),
    }
}

/// What is drawn of an event.
#[derive(Clone, Copy, Debug)]
struct Drawn {
    time: i64,
    service: usize,
    source: u8,
    class: Class,
    count: u32,
}

fn event(drawn: &Drawn) -> Event {
    let (protocol, port, _) = SERVICES[drawn.service];
    Event {
        time: drawn.time,
        source: address(drawn.source),
        destination: Address::v4(0xc633_6414),
        fingerprint: 0,
        uptime: 0,
        count: drawn.count,
        source_port: 40_000,
        port,
        length: 44,
        path: PathId::default(),
        protocol,
        flags: 0,
        icmp_type: 0,
        icmp_code: 0,
        class: drawn.class,
        verdict: Verdict::Drop,
        unhashed: false,
    }
}

fn drawn() -> impl Strategy<Value = Vec<Drawn>> {
    let class = prop_oneof![
        6 => Just(Class::Attempt), 1 => Just(Class::Backscatter), 1 => Just(Class::Noise),
        1 => Just(Class::Egress), 1 => Just(Class::Login),
    ];
    // Six days, over the change of the clocks and the end of a month.
    let one = (0i64..6 * 86_400, 0..SERVICES.len(), 0u8..10, class, 1u32..4).prop_map(
        |(second, service, source, class, count)| Drawn {
            time: BEGIN + second,
            service,
            // Of these classes a day keeps its eight heaviest sources.
            source: if matches!(class, Class::Backscatter | Class::Noise) { source % 8 } else { source },
            class,
            count,
        },
    );
    proptest::collection::vec(one, 1..250)
}

const SALT: u64 = 7;

/// What an import collects of some events.
fn days(events: &[Drawn], batch: usize, order: Order) -> Spool {
    let spool = Spool::new(&std::env::temp_dir()).unwrap();
    let calendar = Calendar::new(ZONE).unwrap();
    let settings = Settings {
        calendar,
        lookup: None,
        order,
        salt: SALT,
        rules: Rules::default(),
        latest: i64::MAX,
        whole: Vec::new(),
    };
    let mut collector = Collector::new(settings, spool);
    let events: Vec<Event> = events.iter().map(event).collect();
    for batch in events.chunks(batch) {
        collector.count(batch).unwrap();
    }
    collector.finish().unwrap().0
}

/// A store, and the days that are open beside it.
struct Stored {
    store: Store,
    open: Vec<Day>,
}

/// The first and the last day of a part stay open, unless another part has closed them.
fn store(parts: Vec<Spool>) -> Stored {
    let mut store =
        Store::open(Directory::Memory(Default::default()), Retention::default(), Some(SALT)).unwrap();
    let mut open: BTreeMap<Date, Day> = BTreeMap::new();
    let mut closed_dates = BTreeSet::new();
    let add = |store: &mut Store, days: Vec<DaySummary>| {
        let dates: Vec<Date> = days.iter().map(|day| day.date).collect();
        let added = store.add(&dates, days.into_iter().map(Ok)).unwrap();
        assert_eq!(added.left_out, []);
        store.commit(added.changes).unwrap();
    };
    for part in parts {
        let dates = part.dates();
        let mut closed = Vec::new();
        for date in &dates {
            let stored = part.read(*date).unwrap().unwrap();
            let mut day = Day::new(*date, SALT);
            day.add_summary(&stored.summary, &stored.samples);
            if dates.first() == Some(date) || dates.last() == Some(date) {
                open.entry(*date)
                    .or_insert_with(|| Day::new(*date, SALT))
                    .add_summary(&stored.summary, &stored.samples);
            } else {
                closed_dates.insert(*date);
                closed.push(if part.is_whole(*date) { close(&mut day, None) } else { stored.summary });
            }
        }
        add(&mut store, closed);
    }
    let over: Vec<Date> = open.keys().copied().filter(|date| closed_dates.contains(date)).collect();
    let over = over.into_iter().filter_map(|date| open.remove(&date)).map(|mut day| close(&mut day, None));
    add(&mut store, over.collect());
    Stored { store, open: open.into_values().collect() }
}

fn ask(stored: &mut Stored, question: &Question) -> Value {
    let calendar = Calendar::new(ZONE).unwrap();
    let open: Vec<DaySummary> = stored.open.iter().map(|day| focused(question, day)).collect();
    let mut history = WithOpenDays { stored: &mut stored.store, open: &open };
    let answer = query::answer(question, &mut history, &calendar, None, None).unwrap();
    serde_json::from_str(&json::text(&answer)).unwrap()
}

/// The truth about some events of one class.
#[derive(Default)]
struct Model {
    attempts: u64,
    services: HashMap<String, (u64, BTreeSet<u8>)>,
    sources: HashMap<String, u64>,
    pairs: HashMap<(usize, u8), u64>,
    days: BTreeMap<String, (u64, BTreeSet<u8>)>,
    months: BTreeMap<String, u64>,
    hours: [u64; 24],
    protocols: BTreeMap<String, u64>,
    different: HashSet<u8>,
}

fn name(service: usize) -> String {
    let (_, port, protocol) = SERVICES[service];
    if port == 0 { protocol.to_string() } else { format!("{protocol}/{port}") }
}

fn model<'a>(events: impl Iterator<Item = &'a Drawn>) -> Model {
    let mut model = Model::default();
    for drawn in events {
        let (date, hour) = local(drawn.time);
        let count = u64::from(drawn.count);
        model.attempts += count;
        let service = model.services.entry(name(drawn.service)).or_default();
        service.0 += count;
        service.1.insert(drawn.source);
        *model.sources.entry(text(drawn.source)).or_default() += count;
        *model.pairs.entry((drawn.service, drawn.source)).or_default() += count;
        let day = model.days.entry(date.to_string()).or_default();
        day.0 += count;
        day.1.insert(drawn.source);
        *model.months.entry(date.to_string()[..7].to_string()).or_default() += count;
        model.hours[usize::from(hour)] += count;
        *model.protocols.entry(SERVICES[drawn.service].2.to_string()).or_default() += count;
        model.different.insert(drawn.source);
    }
    model
}

fn rows<'a>(answer: &'a Value, key: &str) -> &'a Vec<Value> {
    answer[key].as_array().unwrap()
}

fn service_name(row: &Value) -> String {
    let protocol = row["protocol"].as_str().unwrap();
    row["port"].as_u64().map_or(protocol.to_string(), |port| format!("{protocol}/{port}"))
}

/// Every answer about one class, over everything and over one day, is the model's.
fn check(store: &mut Stored, events: &[Drawn], class: Class) -> Result<(), TestCaseError> {
    let all: Vec<&Drawn> = events.iter().filter(|drawn| drawn.class == class).collect();
    let some_day = local(events[0].time).0;
    for day in [None, Some(some_day)] {
        let chosen = all.iter().copied().filter(|drawn| day.is_none_or(|day| local(drawn.time).0 == day));
        let model = model(chosen.clone());
        let question = |topic| Question { class, from: day, to: day, limit: 1000, ..Question::new(topic) };

        let answer = ask(store, &question(Topic::Services));
        prop_assert_eq!(&answer["complete"], true);
        prop_assert_eq!(rows(&answer, "services").len(), model.services.len());
        for row in rows(&answer, "services") {
            let truth = &model.services[&service_name(row)];
            prop_assert_eq!((&row["attempts"], &row["error"]), (&truth.0.into(), &0.into()));
            // Of attempts it is always told, of other classes of a day and of few sources.
            prop_assert!(class != Class::Attempt || row.get("unique_sources").is_some());
            if let Some(unique) = row.get("unique_sources") {
                prop_assert_eq!((unique, row.get("unique_sources_error")), (&truth.1.len().into(), None));
            }
        }
        let answer = ask(store, &question(Topic::Sources));
        prop_assert_eq!(rows(&answer, "sources").len(), model.sources.len());
        for row in rows(&answer, "sources") {
            prop_assert_eq!(&row["attempts"], model.sources[row["address"].as_str().unwrap()]);
            prop_assert_eq!(&row["error"], 0);
        }
        let answer = ask(store, &question(Topic::Days));
        let told: BTreeMap<String, (u64, usize)> = rows(&answer, "days")
            .iter()
            .filter(|row| row["attempts"] != 0)
            .map(|row| {
                let number = |key: &str| row[key].as_u64().unwrap();
                let date = row["date"].as_str().unwrap().to_string();
                (date, (number("attempts"), number("unique_sources") as usize))
            })
            .collect();
        let truth = model.days.iter().map(|(date, (count, sources))| (date.clone(), (*count, sources.len())));
        prop_assert_eq!(told, truth.collect::<BTreeMap<_, _>>());

        let answer = ask(store, &question(Topic::Hours));
        let hours: Vec<u64> =
            rows(&answer, "hours").iter().map(|row| row["attempts"].as_u64().unwrap()).collect();
        prop_assert_eq!(hours, model.hours.to_vec());

        let answer = ask(store, &question(Topic::Months));
        let months: BTreeMap<String, u64> = rows(&answer, "months")
            .iter()
            .map(|row| (row["month"].as_str().unwrap().to_string(), row["attempts"].as_u64().unwrap()))
            .filter(|(_, attempts)| *attempts > 0)
            .collect();
        prop_assert_eq!(months, model.months.clone());

        let answer = ask(store, &question(Topic::Summary));
        prop_assert_eq!(&answer["attempts"], model.attempts);
        prop_assert_eq!(&answer["unique_sources"], model.different.len());
        prop_assert_eq!(&answer["protocols"], &serde_json::to_value(&model.protocols).unwrap());
        for other in Class::ALL {
            let count: u64 = events
                .iter()
                .filter(|drawn| drawn.class == other && day.is_none_or(|day| local(drawn.time).0 == day))
                .map(|drawn| u64::from(drawn.count))
                .sum();
            prop_assert_eq!(&answer["classes"][other.name()], count);
        }
        // Other classes keep the twelve heaviest pairs only.
        if class == Class::Attempt {
            let (protocol, port, _) = SERVICES[0];
            let question =
                Question { protocol: Some(protocol), port: Some(port), ..question(Topic::Sources) };
            let answer = ask(store, &question);
            let told: BTreeMap<String, u64> = rows(&answer, "sources")
                .iter()
                .map(|row| (row["address"].as_str().unwrap().to_string(), row["attempts"].as_u64().unwrap()))
                .collect();
            let truth = model.pairs.iter().filter(|((service, _), _)| *service == 0);
            let truth: BTreeMap<String, u64> =
                truth.map(|((_, source), count)| (text(*source), *count)).collect();
            prop_assert_eq!(told, truth);
        }
    }
    Ok(())
}

/// Some answers of two stores that must not differ in anything.
fn all_answers(store: &mut Stored) -> Vec<Value> {
    let topics = [Topic::Summary, Topic::Months, Topic::Days, Topic::Services, Topic::Sources, Topic::Hours];
    Class::ALL
        .iter()
        .flat_map(|class| topics.map(|topic| Question { class: *class, limit: 1000, ..Question::new(topic) }))
        .map(|question| ask(store, &question))
        .collect()
}

fn sorted(events: &[Drawn]) -> Vec<Drawn> {
    let mut sorted = events.to_vec();
    sorted.sort_by_key(|drawn| drawn.time);
    sorted
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn answers_are_the_models(events in drawn()) {
        let events = sorted(&events);
        let mut store = store(vec![days(&events, 8192, Order::Sorted)]);
        for class in Class::ALL {
            check(&mut store, &events, class)?;
        }
    }

    #[test]
    fn the_order_of_events_does_not_matter(events in drawn().prop_shuffle(), batch in 1usize..300) {
        let mut in_order = store(vec![days(&sorted(&events), 8192, Order::Sorted)]);
        let mut as_they_come = store(vec![days(&events, batch, Order::Any)]);
        prop_assert_eq!(all_answers(&mut as_they_come), all_answers(&mut in_order));
    }

    #[test]
    fn parts_add_up_to_the_whole(events in drawn(), other_first in any::<bool>()) {
        let events = sorted(&events);
        let part = |parity: usize| {
            let part: Vec<Drawn> = events.iter().copied().skip(parity).step_by(2).collect();
            days(&part, 8192, Order::Sorted)
        };
        let mut parts = vec![part(0), part(1)];
        if other_first {
            parts.reverse();
        }
        let mut store = store(parts);
        for class in Class::ALL {
            check(&mut store, &events, class)?;
        }
    }

    /// Tables that are far too small: every count is at least the truth, and at most its error above it.
    #[test]
    fn full_tables_know_their_error(
        events in drawn(), services in 1usize..5, sources in 1usize..8,
    ) {
        let bounds = Bounds { services, sources, pairs: 8, sample: 8, wide_hours: 2, ..Bounds::OTHERS };
        let mut tables = Tables::new(bounds, SALT, local(BEGIN).0);
        for drawn in &events {
            tables.add(&event(drawn), local(drawn.time).1);
        }
        let (kept, truth) = (tables.to_summary(&Cuts::WHOLE), model(events.iter()));
        prop_assert_eq!(kept.attempts, truth.attempts);
        prop_assert_eq!(kept.hours, truth.hours);
        let within = |count: u64, error: u64, truth: u64| count - error <= truth && truth <= count;

        prop_assert!(kept.services.rows.len() <= services);
        let mut left = truth.services.clone();
        for row in &kept.services.rows {
            let number = SERVICES.iter().position(|(protocol, port, _)| {
                row.service == Service { protocol: *protocol, port: *port }
            });
            let (count, _) = left.remove(&name(number.unwrap())).unwrap();
            prop_assert!(within(row.attempts, row.error, count), "{:?} {}", row, count);
        }
        prop_assert!(left.values().all(|(count, _)| *count <= kept.services.floor), "{:?}", left);

        prop_assert!(kept.sources.rows.len() <= sources);
        let mut left = truth.sources.clone();
        for row in &kept.sources.rows {
            let count = left.remove(&row.address.to_string()).unwrap();
            prop_assert!(within(row.attempts, row.error, count), "{:?} {}", row, count);
        }
        prop_assert!(left.values().all(|count| *count <= kept.sources.floor), "{:?}", left);

        let mut left = truth.pairs.clone();
        for row in &kept.pairs.rows {
            let service = SERVICES.iter().position(|(protocol, port, _)| {
                row.service == Service { protocol: *protocol, port: *port }
            });
            let source = (0..10).find(|number| address(*number) == row.address);
            let count = left.remove(&(service.unwrap(), source.unwrap())).unwrap();
            prop_assert!(within(row.attempts, row.error, count), "{:?} {}", row, count);
        }
        prop_assert!(left.values().all(|count| *count <= kept.pairs.floor), "{:?}", left);
        if let Some(distinct) = kept.distinct {
            let truth = truth.different.len() as u64;
            // A sample of eight of at most ten sources: its two standard errors are as many.
            prop_assert!(distinct.number.abs_diff(truth) <= distinct.error.max(10 * u64::from(distinct.error > 0)));
        }
    }
}
