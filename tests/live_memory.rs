//! A day of ten million forged sources: what the engine and its store take of memory, and that every table
//! at its bound still answers. In a process of its own, since it looks at this process's memory.

use fwstat::event::calendar::Calendar;
use fwstat::event::{Address, Class, Event, PathId, Verdict, protocol};
use fwstat::live::{Commit, Engine, Input, InputItem, Now};
use fwstat::query::Answer;
use fwstat::query::question::{Prefix, Question, Topic};
use fwstat::stats::heavy::mix;
use fwstat::store::directory::{Directory, Disk};
use fwstat::store::pieces::{self, State};
use fwstat::store::{Retention, Store};

const SOURCES: u64 = 10_000_000;
/// 2026-06-10 00:00 UTC
const START: i64 = 1_781_049_600;
/// Beyond what a process takes that has only begun.
const MAX_GROWTH: u64 = 8 << 20;

/// In bytes: now, and at most so far.
fn resident() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    };
    (field("VmRSS:"), field("VmHWM:"))
}

fn forged(number: u64) -> Event {
    let random = mix(number, 1, 2);
    Event {
        time: 0,
        source: Address::v4(random as u32),
        destination: Address::v4(0xc000_0201),
        fingerprint: mix(number, 3, 4),
        uptime: 0,
        count: 1,
        source_port: 40_000,
        port: (random >> 32) as u16,
        length: 40,
        path: PathId(0),
        protocol: [protocol::TCP, protocol::UDP][(number % 2) as usize],
        flags: 2,
        icmp_type: 0,
        icmp_code: 0,
        class: if number.is_multiple_of(10) {
            Class::ALL[(random >> 50) as usize % 5]
        } else {
            Class::Attempt
        },
        verdict: Verdict::Drop,
        unhashed: false,
    }
}

#[test]
fn ten_million_forged_sources_in_a_day() {
    let directory = std::env::temp_dir().join(format!("fwstat-memory-{}", std::process::id()));
    let (before, _) = resident();
    let disk = Disk::open_for_writing(&directory).unwrap();
    let mut store = Store::open(Directory::Disk(disk), Retention::default(), None).unwrap();
    let mut engine = Engine::new(Calendar::utc(), store.salt(), 200);
    let mut now = Now { boot_ms: 0, wall: START };
    engine.clock.synchronized(now);
    let (mut serial, mut written) = (0, 0);
    for number in 0..SOURCES {
        if number.is_multiple_of(SOURCES / 1440) {
            let minute = (number / (SOURCES / 1440)).min(1439);
            now = engine.clock.update(Now { boot_ms: minute * 60_000, wall: START + minute as i64 * 60 });
            engine.tick(now);
            assert!(!engine.wants_commit);
            serial += 1;
            let state = State { serial, date: engine.date(), ..State::default() };
            if minute % 15 == 14 {
                let mut out = std::fs::File::create(directory.join("copy")).unwrap();
                engine.copy(state.clone()).unwrap().write(&mut out).unwrap();
                let copy = out.metadata().unwrap().len();
                assert!(copy < 3 << 19, "{copy} bytes");
            }
            if minute % 60 == 59 {
                let Commit { closed, part } = engine.begin_commit(false);
                let mut part = part.unwrap();
                assert!(closed.is_empty() && part.whole);
                let bytes = pieces::encode_part(store.salt(), &state, &mut part.day, &mut part.samples);
                let mut changes = Vec::new();
                for (name, ..) in store.pieces().unwrap() {
                    changes.extend(store.remove_piece(&name).unwrap());
                }
                changes.push((pieces::name_of(part.day.date, minute as u32), Some(bytes)));
                written += store.commit(changes).unwrap();
                engine.end_commit(true);
            }
        }
        engine.take(now, Input::Nflog, InputItem::Event(&mut forged(number), None, Some(&[b'x'; 300])));
        // One that tries again and again stands out of it all.
        if number.is_multiple_of(1000) {
            let source = Address::v4(0xc633_6407);
            let fingerprint = mix(number, 8, 9);
            let mut event = Event { source, port: 23, class: Class::Attempt, fingerprint, ..forged(number) };
            engine.take(now, Input::Nflog, InputItem::Event(&mut event, None, None));
        }
    }
    let (counted, _) = resident();
    let source = Prefix::parse("198.51.100.7").ok();
    for topic in [Topic::Summary, Topic::Services, Topic::Sources, Topic::Source, Topic::Hours, Topic::Days] {
        let filter = if topic == Topic::Source { source } else { None };
        let limit = if matches!(topic, Topic::Services | Topic::Sources) { 1000 } else { 10 };
        let question = Question { limit, source: filter, ..Question::new(topic) };
        match engine.answer(now, &question, &mut store).unwrap() {
            Answer::Summary(answer) => {
                let [events, attempts] = [SOURCES + SOURCES / 1000, answer.attempts];
                let [_, others @ ..] = answer.classes.0;
                assert_eq!(attempts + others.iter().sum::<u64>(), events);
                // 9 of 10 are attempts, and a fifth of the rest; addresses repeat.
                let unique = answer.unique_sources.unwrap() as f64;
                let error = answer.unique_sources_error.unwrap() as f64;
                // Twice the standard error of a sample of 512: 2 / sqrt(512). The salt is another in every run:
                // five standard errors are exceeded once in two million runs.
                assert!(error / unique < 0.1, "{unique} ± {error}");
                assert!((unique - 9_190_000.0).abs() < 2.5 * error, "{unique} ± {error}");
                assert_eq!(&*answer.sources[0].address, "198.51.100.7");
            }
            Answer::Services(answer) => assert_eq!(answer.services.len(), 1000),
            Answer::Sources(answer) => assert_eq!(answer.sources.len(), 1000),
            Answer::Source(answer) => {
                let row = &answer.row;
                assert!(row.attempts >= 10_000 && row.attempts - row.error <= 10_000, "{row:?}");
            }
            Answer::Hours(answer) => assert!(answer.hours.iter().all(|hour| hour.attempts > 300_000)),
            Answer::Days(answer) => assert_eq!(answer.days.len(), 1),
            other => panic!("{other:?}"),
        }
    }
    let (after, most) = resident();
    std::fs::remove_dir_all(&directory).unwrap();
    eprintln!(
        "resident {} KiB before, {} KiB with full tables, {} KiB after, {} KiB at most; {} bytes written",
        before / 1024,
        counted / 1024,
        after / 1024,
        most / 1024,
        written
    );
    assert!(most - before <= MAX_GROWTH, "{before} {after} {most}");
}
