//! Long questions keep the daemon from no packet: none takes the thread for long at a time.

use std::cell::RefCell;
use std::hint::black_box;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fwstat::event::calendar::Calendar;
use fwstat::event::{Address, Class, Event, protocol};
use fwstat::geoip::Database;
use fwstat::live::{Engine, Input, InputItem, Now};
use fwstat::query::question::{Prefix, Question, Topic};
use fwstat::stats::heavy::mix;
use fwstat::store::directory::{Directory, Disk};
use fwstat::store::{Retention, Store};
use fwstat::ubus::blob;
use nix::time::{ClockId, clock_gettime};
use serde_json::json;

use crate::common::fwstat::scratch;
use crate::months;
use crate::ranges::ranges;
use crate::router::Router;
use crate::support::namespaces::{Network, ROUTER_V4};
use crate::wall_clock::now;

/// A step of a question takes at most 20 ms of the processor. Tests are less optimised than the program, by which it takes
/// up to three times as long: the longest step has some 27 ms where [`work`] has [`WORK`], and more on a slower processor.
const MAX_STEP: Duration = Duration::from_millis(60);
const WORK: Duration = Duration::from_millis(32);

const RULES: &str = include_str!("../support/forged.nft");

/// Packets are sent so often.
const PACE: Duration = Duration::from_millis(10);
const PACKETS_A_SECOND: u64 = 20_000;

#[test]
fn questions_about_thirteen_months_cost_no_packet() {
    let Some(network) = Network::up() else { return };
    network.nft(RULES);
    let mut router = Router::new("questions", Some(&network), "nflog");
    let from = months::store(&router.path("db")).to_string();
    router.program = crate::release::release();
    router.start();
    router.running("nflog");

    let stop = Arc::new(AtomicBool::new(false));
    let sender = {
        let (stop, outside) = (Arc::clone(&stop), network.outside.clone());
        thread::spawn(move || {
            Network::enter(&outside);
            let socket = crate::forged::raw_socket();
            let (begin, mut sent) = (Instant::now(), 0);
            while !stop.load(Ordering::Relaxed) {
                // Where the machine was busy, what is late follows at once.
                let due = begin.elapsed().as_millis() as u64 * PACKETS_A_SECOND / 1000;
                crate::forged::forged(&socket, ROUTER_V4.parse().unwrap(), sent, due - sent);
                sent = due;
                thread::sleep(PACE);
            }
            (sent, begin.elapsed())
        })
    };
    let questions = [
        ("services", json!({"from": from, "limit": 1000})),
        ("sources", json!({"from": from, "limit": 1000})),
        ("source", json!({"from": from, "address": "128.0.0.1"})),
        ("services", json!({"from": from, "source": "128.0.0.0/2", "limit": 1000})),
        ("sources", json!({"from": from, "port": 23, "limit": 1000})),
        ("summary", json!({"from": from, "limit": 1000})),
        ("hours", json!({"from": from})),
        ("days", json!({"from": from, "limit": 1000})),
        ("months", json!({})),
    ];
    let mut most_unread = 0;
    let (begin, mut asked) = (Instant::now(), 0);
    while begin.elapsed() < Duration::from_secs(5) {
        for (topic, arguments) in &questions {
            router.answer(topic, arguments.clone());
            most_unread = most_unread.max(router.unread());
            asked += 1;
        }
    }
    stop.store(true, Ordering::Relaxed);
    let (sent, took) = sender.join().unwrap();
    let received = || {
        let input = router.input("nflog");
        (input["received"].as_u64().unwrap(), input["lost"].as_u64().unwrap())
    };
    // The kernel may still be delivering what was sent: the counter is read again each time.
    let until = Instant::now() + Duration::from_secs(60);
    while received().0 + received().1 != network.counter("arrived") && Instant::now() < until {
        thread::sleep(Duration::from_millis(10));
    }
    let arrived = network.counter("arrived");
    eprintln!(
        "{asked} answers while {sent} packets were sent in {took:?}; at most {most_unread} bytes were unread"
    );
    assert_eq!(received(), (arrived, 0));
    // The link drops few.
    assert!(arrived * 10 >= sent * 9, "{arrived} of {sent}");
    router.stop();
}

/// What this thread has taken of the processor.
fn cpu() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap().into()
}

/// What a fixed piece of work takes of the processor.
fn work() -> Duration {
    let begin = cpu();
    let mut number = 1u64;
    for round in 0..20_000_000 {
        number = black_box(number ^ round).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(7);
    }
    black_box(number);
    cpu() - begin
}

/// A scanned day's tables, with as many rows as they can have.
fn fill(engine: &mut Engine, now: Now) {
    for number in 0..200_000u64 {
        let random = mix(number, 1, 2);
        let mut event = Event {
            source: Address::v4(random as u32),
            destination: Address::v4(0xc000_0201),
            fingerprint: random,
            count: 1,
            port: (random >> 32) as u16,
            protocol: protocol::TCP,
            flags: 2,
            class: Class::Attempt,
            ..Event::default()
        };
        engine.take(now, Input::Nflog, InputItem::Event(&mut event, None, None));
    }
}

#[test]
fn no_step_of_a_question_takes_the_processor_for_long() {
    let directory = scratch("questions").join("store");
    let from = months::store(&directory);
    let disk = Disk::open(&directory).unwrap();
    let mut store = Store::open(Directory::Disk(disk), Retention::default(), None).unwrap();
    let mut engine = Engine::new(Calendar::utc(), store.salt(), 200);
    if let Some(ranges) = ranges() {
        engine.lookup = Some(Rc::new(RefCell::new(Database::new(&PathBuf::from(&ranges.mmdb)))));
    }
    let now = engine.clock.update(Now { boot_ms: 1_000_000, wall: now() });
    engine.clock.synchronized(now);
    engine.tick(now);
    fill(&mut engine, now);
    let prefix = Prefix::parse("128.0.0.0/2").ok();
    let all = |topic: Topic| Question { from: Some(from), limit: 1000, ..Question::new(topic) };
    let today = |topic: Topic| Question { limit: 1000, ..Question::new(topic) };
    let questions = [
        all(Topic::Services),
        all(Topic::Sources),
        Question { source: Prefix::parse("128.0.0.1").ok(), ..all(Topic::Source) },
        Question { source: prefix, ..all(Topic::Services) },
        Question { source: prefix, ..all(Topic::Sources) },
        Question { port: Some(23), ..all(Topic::Sources) },
        all(Topic::Summary),
        all(Topic::Hours),
        all(Topic::Days),
        all(Topic::Months),
        all(Topic::Anomalies),
        all(Topic::Countries),
        Question { country: Some(*b"US"), ..all(Topic::Services) },
        today(Topic::Summary),
        today(Topic::Services),
        today(Topic::Sources),
        today(Topic::Countries),
    ];
    let mut slow = Vec::new();
    for question in questions {
        let max_step = MAX_STEP.mul_f64((work().as_secs_f64() / WORK.as_secs_f64()).max(1.0));
        if engine.lookup.is_none() && (question.topic == Topic::Countries || question.country.is_some()) {
            continue;
        }
        let mut steps = Vec::new();
        let mut begin = cpu();
        let mut step = |steps: &mut Vec<Duration>| {
            let end = cpu();
            steps.push(end - begin);
            begin = end;
        };
        let mut job = engine.begin_answer(&question, &mut store).unwrap();
        step(&mut steps);
        while job.step(&mut store) {
            step(&mut steps);
        }
        step(&mut steps);
        let answer = engine.end_answer(now, job).unwrap();
        assert!(!blob::table(&answer).contents().is_empty());
        step(&mut steps);
        let longest = steps.iter().max().unwrap();
        eprintln!("{:?} {:?}: {} steps, {longest:?} at most", question.topic, question.from, steps.len());
        if *longest > max_step {
            slow.push((question.topic, max_step, steps));
        }
    }
    assert!(slow.is_empty(), "{slow:?}");
}
