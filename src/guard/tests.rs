//! The guard at simulated time.

use super::detector::{Detector, SOURCES};
use super::ledger::{DETAILED, FORGEABLE_CAP_MS, MANUAL_BLOCKS, RECORDS};
use super::*;
use crate::event::{Address, Class, Verdict, protocol};

const HOUR: u64 = 3_600_000;
const START: u64 = 10_000_000;

fn attempt(source: Source, protocol: u8, port: u16) -> Event {
    Event {
        source: source.prefix().network,
        destination: Address::v4(0xc000_0201),
        count: 1,
        source_port: 40_000,
        port,
        length: 40,
        protocol,
        flags: 2,
        class: Class::Attempt,
        verdict: Verdict::Drop,
        ..Event::default()
    }
}

fn host(number: u32) -> Source {
    Source::V4(0xc633_6400 + number)
}

fn limit(count: u32, seconds: u64) -> Limit {
    Limit { count, window_ms: seconds * 1000 }
}

fn limits() -> Limits {
    Limits { flood: limit(200, 60), scan: limit(30, 60), login: limit(5, 600) }
}

fn settings() -> Settings {
    Settings {
        mode: Mode::On,
        limits: limits(),
        lengths: lengths(4096),
        scope: Scope::New,
        budget: limit(30, 60),
        allow: Vec::new(),
    }
}

fn lengths(max_blocks: u32) -> Lengths {
    Lengths { first_ms: HOUR, cap_ms: 7 * 24 * HOUR, max_blocks }
}

fn at(now_ms: u64) -> When {
    When { now_ms, ..When::default() }
}

fn guard(settings: Settings) -> Guard {
    let mut guard = Guard::default();
    guard.set(START, settings, 7);
    guard
}

fn suspect(source: Source, rule: Rule) -> Suspect {
    Suspect {
        source,
        rule,
        count: 200,
        window_ms: 60_000,
        first_ms: START,
        last_ms: START,
        services: Default::default(),
    }
}

/// How many of the suspects are blocked.
fn judge(
    guard: &mut Guard,
    when: When,
    suspects: &[Suspect],
    peers: impl FnOnce(&[Suspect]) -> Vec<Option<Protection>>,
) -> usize {
    let before = guard.ledger.blocks.len();
    guard.judge(when, suspects.iter().map(|suspect| (*suspect, Detail::default())).collect(), peers);
    guard.ledger.blocks.len() - before
}

fn blocked(guard: &mut Guard, now_ms: u64, source: Source, rule: Rule) -> bool {
    judge(guard, at(now_ms), &[suspect(source, rule)], |_| vec![None]) == 1
}

/// The first event of these that makes somebody suspect, and why.
fn first(detector: &mut Detector, events: impl Iterator<Item = (u64, Event)>) -> Option<(usize, Suspect)> {
    events
        .enumerate()
        .find_map(|(number, (ms, event))| Some((number + 1, detector.see(START + ms, START + ms, &event)?)))
}

#[test]
fn a_flood_is_reported_at_its_limit_and_udp_counts_half() {
    for (protocol, expected) in [(protocol::TCP, 200), (protocol::UDP, 400), (protocol::ICMP, 400)] {
        let mut detector = Detector::new(limits(), 1);
        let events = (0..1000).map(|number| (number * 10, attempt(host(1), protocol, 23)));
        let (at, suspect) = first(&mut detector, events).unwrap();
        assert_eq!((at, suspect.rule, suspect.count), (expected, Rule::Flood, expected as u32));
        assert_eq!((suspect.first_ms, suspect.last_ms), (START, START + (expected as u64 - 1) * 10));
    }
    // Three a second are no 200 a minute.
    let slow = (0..2000).map(|number| (number * 334, attempt(host(1), protocol::TCP, 23)));
    assert_eq!(first(&mut Detector::new(limits(), 1), slow), None);
    // Other classes are no evidence.
    let others = (0..2000).map(|number| {
        let class = [Class::Backscatter, Class::Noise, Class::Egress][number as usize % 3];
        (number, Event { class, ..attempt(host(1), protocol::TCP, 23) })
    });
    assert_eq!(first(&mut Detector::new(limits(), 1), others), None);
}

#[test]
fn a_scan_is_many_ports_or_many_addresses_each_counted_once() {
    let ports = (0..40).map(|port| (port, attempt(host(1), protocol::TCP, 100 + port as u16)));
    let (at, suspect) = first(&mut Detector::new(limits(), 1), ports).unwrap();
    assert_eq!((at, suspect.rule, suspect.count), (30, Rule::Scan, 30));
    let addresses = (0..40).map(|number| {
        (number, Event { destination: Address::v4(number as u32), ..attempt(host(1), protocol::TCP, 22) })
    });
    assert_eq!(first(&mut Detector::new(limits(), 1), addresses).unwrap().0, 30);
    let udp = (0..80).map(|port| (port, attempt(host(1), protocol::UDP, 100 + port as u16)));
    assert_eq!(first(&mut Detector::new(limits(), 1), udp).unwrap().0, 60);
    let few =
        (0..199).map(|number| (number * 100, attempt(host(1), protocol::TCP, 100 + number as u16 % 29)));
    assert_eq!(first(&mut Detector::new(limits(), 1), few), None);
    // 29 in each minute and a quarter.
    let slow = (0..500).map(|number| (number * 2600, attempt(host(1), protocol::TCP, number as u16)));
    assert_eq!(first(&mut Detector::new(limits(), 1), slow), None);
}

#[test]
fn failed_logins_are_counted_over_minutes() {
    let failed =
        |source, number: u64| (number * 100_000, Event { class: Class::Login, ..attempt(source, 6, 22) });
    let (at, suspect) = first(&mut Detector::new(limits(), 1), (0..9).map(|n| failed(host(1), n))).unwrap();
    assert_eq!((at, suspect.rule, suspect.count, suspect.window_ms), (5, Rule::Login, 5, 600_000));
    let slow = (0..50).map(|n| failed(host(1), n * 2));
    assert_eq!(first(&mut Detector::new(limits(), 1), slow), None);
    // The hosts of one /64 are one source.
    let many = (0..9).map(|n| {
        let source = Address { high: 0x2001_0db8_0001_0002, low: n };
        (n, Event { class: Class::Login, source, ..attempt(host(1), 6, 22) })
    });
    assert_eq!(
        first(&mut Detector::new(limits(), 1), many).unwrap().1.source,
        Source::V6(0x2001_0db8_0001_0002)
    );
}

#[test]
fn what_is_reported_late_counts_for_its_own_time() {
    let mut detector = Detector::new(limits(), 1);
    for number in 0..1000 {
        // An hour ago.
        assert_eq!(detector.see(START, START - HOUR + number, &attempt(host(1), protocol::TCP, 23)), None);
    }
    let recent = (0..200).map(|_| detector.see(START, START - 20_000, &attempt(host(2), protocol::TCP, 23)));
    assert_eq!(recent.flatten().count(), 1);
}

#[test]
fn a_flood_stands_out_of_a_million_forged_sources() {
    let mut detector = Detector::new(limits(), 0x1234_5678);
    let mut reported = Vec::new();
    for number in 0..1_000_000u64 {
        // A minute; the flood is 1,000 packets of it.
        let now = START + number * 60 / 1000;
        let forged = Source::V4(0x2d00_0000 + (number as u32).wrapping_mul(0x9e37_79b9) % 0x1000_0000);
        reported.extend(detector.see(now, now, &attempt(forged, protocol::TCP, 23)));
        if number % 1000 == 0 {
            reported.extend(detector.see(now, now, &attempt(host(1), protocol::TCP, 23)));
        }
    }
    assert!(!reported.is_empty() && reported.iter().all(|suspect| suspect.source == host(1)), "{reported:?}");
    assert_eq!(reported[0].count, 200);
}

#[test]
fn a_full_table_forgets_who_did_least() {
    let mut detector = Detector::new(limits(), 3);
    for number in 0..SOURCES as u32 * 4 {
        for _ in 0..150 {
            assert_eq!(detector.see(START, START, &attempt(host(number), protocol::TCP, 23)), None);
        }
    }
    // Whoever is still known needs 50 more, whoever is not needs 200: nobody less.
    let reported: Vec<u32> = (0..SOURCES as u32 * 4)
        .map(|number| {
            let event = attempt(host(number), protocol::TCP, 23);
            (1..).find(|_| detector.see(START, START, &event).is_some()).unwrap()
        })
        .collect();
    assert!(reported.iter().all(|count| (50..=200).contains(count)), "{reported:?}");
}

#[test]
fn blocks_double_up_to_the_cap_and_forgeable_ones_to_a_day() {
    for (rule, cap) in [(Rule::Login, 7 * 24 * HOUR), (Rule::Flood, FORGEABLE_CAP_MS)] {
        let mut guard = guard(settings());
        let (mut now, mut lengths) = (START, Vec::new());
        for times in 1..=12 {
            assert!(blocked(&mut guard, now, host(1), rule));
            let block = *guard.ledger.blocks.get(&host(1)).unwrap();
            assert_eq!(block.times, times);
            lengths.push(block.until_ms - now);
            guard.on_time(block.until_ms - 1);
            assert_eq!(guard.active(), 1);
            now = block.until_ms;
            guard.on_time(now);
            assert_eq!(guard.active(), 0);
        }
        let expected: Vec<u64> = (0..12).map(|times| (HOUR << times).min(cap)).collect();
        assert_eq!(lengths, expected);
        // After a quiet time it begins anew.
        assert!(blocked(&mut guard, now + 8 * 24 * HOUR, host(1), rule));
        assert_eq!(guard.ledger.blocks.get(&host(1)).unwrap().times, 1);
    }
}

#[test]
fn the_budget_and_the_size_bound_what_forged_packets_can_do() {
    let mut guard = guard(Settings { lengths: lengths(100), ..settings() });
    let mut within = |from: u64| {
        (0..10_000u32)
            .filter(|number| blocked(&mut guard, from + u64::from(*number), host(*number), Rule::Flood))
            .count()
    };
    assert_eq!(
        [within(START), within(START + 15_000), within(START + 70_000), within(START + 140_000)],
        [30, 0, 30, 30]
    );
    assert_eq!(within(START + 210_000), 10);
    let reached = guard.reached(START + 220_000);
    assert_eq!(
        reached,
        [
            "the budget of 30 blocks for floods and scans within 1m is used up: more sources are not blocked",
            "max_blocks (100) is reached: more sources are not blocked"
        ]
    );
    assert_eq!(guard.ledger.blocks.len(), 100);
    assert_eq!(guard.ledger.room(Pool::Packets), UsageStatus { used: 100, limit: 100 });
    // Reported for a while, and no longer.
    assert!(guard.reached(START + 600_000).is_empty());
    guard.on_time(START + 300_000);
    let sentences = std::mem::take(&mut guard.sentences);
    assert!(sentences.len() <= 41, "{}", sentences.len());
    assert!(sentences.iter().any(|line| line.contains("beyond the budget of 30 in 60 s")), "{sentences:?}");
    assert!(
        sentences.iter().any(|line| line.contains("no room among the 100 of max_blocks")),
        "{sentences:?}"
    );
    // By hand there is room of its own, and a bound to it.
    let mut by_hand = |number: u32| {
        let request =
            BlockRequest { source: host(number), length_ms: None, reason: None, callers: Vec::new() };
        guard.block(at(START + 300_000), request)
    };
    for number in 0..MANUAL_BLOCKS {
        assert_eq!(by_hand(77_777 + number), Ok(()));
    }
    assert_eq!(by_hand(90_000), Err(Refusal::Full(MANUAL_BLOCKS)));
    // Asked again for the same address, its block is only renewed.
    assert_eq!(by_hand(77_777), Ok(()));
}

/// Whoever guesses passwords must not be safe because others' packets were forged.
#[test]
fn forged_floods_leave_budget_and_room_for_failed_logins() {
    let mut guard = guard(Settings { lengths: lengths(40), ..settings() });
    let flooding = |guard: &mut Guard, now: u64| {
        (0..45u32).filter(|number| blocked(guard, now, host(*number), Rule::Flood)).count()
    };
    assert_eq!(flooding(&mut guard, START), 30);
    assert!(blocked(&mut guard, START + 1, host(500), Rule::Login), "the budget is of floods alone");
    assert_eq!(flooding(&mut guard, START + 61_000), 10);
    assert!(guard.ledger.is_full(Pool::Packets));
    assert!(blocked(&mut guard, START + 61_001, host(501), Rule::Login), "there is room for it");
    // The budget of failed logins bounds them, and not the floods.
    let mut logins = 1;
    for number in 600..700 {
        logins += usize::from(blocked(&mut guard, START + 61_002, host(number), Rule::Login));
    }
    assert_eq!(logins, 30);
    assert_eq!(guard.budget(START + 61_002, Pool::Logins), UsageStatus { used: 30, limit: 30 });
    let reached = guard.reached(START + 61_002).join("\n");
    assert!(reached.contains("30 blocks for failed logins within 1m is used up"), "{reached}");
}

/// To look connections up costs time: it is done once for all suspects, and not for what is not blocked in any case.
#[test]
fn connections_are_looked_up_last_and_together() {
    let mut guard = guard(settings());
    guard.set_protected(START, vec![(host(0).prefix(), Protection::NameServer)]);
    let hosts = |numbers: std::ops::Range<u32>| -> Vec<Suspect> {
        numbers.map(|number| suspect(host(number), Rule::Flood)).collect()
    };
    let mut questions = Vec::new();
    for suspects in [hosts(0..20), hosts(10..50), hosts(60..1000)] {
        judge(&mut guard, at(START), &suspects, |asked| {
            questions.push(asked.len());
            asked.iter().map(|suspect| (suspect.source == host(5)).then_some(Protection::Peer)).collect()
        });
    }
    // Neither the name server nor who is blocked already is asked for, nobody once the budget is used up.
    assert_eq!(questions, [19, 30]);
    assert_eq!((guard.active(), guard.ledger.blocks.get(&host(5))), (30, None));
    assert!(
        guard.ledger.blocks.contains_key(&host(31)) && !guard.ledger.blocks.contains_key(&host(32)),
        "in order"
    );
}

#[test]
fn nobody_protected_is_blocked_and_who_becomes_it_is_let_go() {
    let mut guard = guard(settings());
    let resolver = host(53);
    assert!(blocked(&mut guard, START, resolver, Rule::Flood));
    std::mem::take(&mut guard.changes);
    guard.set_protected(START + 1, vec![(resolver.prefix(), Protection::NameServer)]);
    let changes = std::mem::take(&mut guard.changes);
    assert!(
        matches!(changes[..], [Change::Released(_, End::Protected(Protection::NameServer))]),
        "{changes:?}"
    );
    assert!(!blocked(&mut guard, START + 2, resolver, Rule::Login));
    let peer = [suspect(host(80), Rule::Flood)];
    assert_eq!(judge(&mut guard, at(START + 2), &peer, |_| vec![Some(Protection::Peer)]), 0);
    let allow = vec![host(99).prefix()];
    assert!(blocked(&mut guard, START + 3, host(99), Rule::Flood));
    guard.set(START + 4, Settings { allow, ..settings() }, 7);
    assert_eq!(guard.active(), 0);
    let request = BlockRequest { source: host(99), length_ms: None, reason: None, callers: Vec::new() };
    assert_eq!(guard.block(at(START + 5), request), Err(Refusal::Protected(Protection::Allowed)));
}

#[test]
fn an_end_by_hand_is_remembered() {
    let mut guard = guard(settings());
    assert!(blocked(&mut guard, START, host(1), Rule::Login));
    assert!(guard.unblock(START + 1000, host(1)));
    assert!(!guard.unblock(START + 1000, host(1)));
    assert!(!blocked(&mut guard, START + 23 * HOUR, host(1), Rule::Login));
    assert!(blocked(&mut guard, START + 25 * HOUR, host(1), Rule::Login));
    assert_eq!(guard.ledger.blocks.get(&host(1)).unwrap().times, 1);
}

#[test]
fn words_and_records_have_their_bounds() {
    let mut guard = guard(Settings { budget: limit(1_000_000, 60), lengths: lengths(16_384), ..settings() });
    for number in 0..16_384 {
        assert!(blocked(&mut guard, START + u64::from(number), host(number), Rule::Flood));
        let lines = vec!["a line".to_string()];
        guard.ledger.explain(host(number), Detail { lines, ..Detail::default() });
    }
    let detailed = (0..16_384).filter(|number| guard.ledger.details.contains_key(&host(*number))).count();
    assert_eq!(detailed, DETAILED);
    assert!(guard.ledger.details.contains_key(&host(16_383)), "the newest keep theirs");
    guard.on_time(START + 2 * HOUR);
    assert_eq!((guard.ledger.blocks.len(), guard.ledger.records.iter().count()), (0, RECORDS));
}

#[test]
fn a_dry_run_decides_the_same_and_what_was_dry_ends_with_it() {
    let dry = Settings { mode: Mode::Dry, ..settings() };
    let mut guard = guard(dry.clone());
    assert!(blocked(&mut guard, START, host(1), Rule::Login));
    assert_eq!((guard.active(), guard.ledger.blocks.len(), guard.begun_on(None)), (0, 1, 0));
    guard.set(START + 1, settings(), 7);
    assert_eq!((guard.ledger.blocks.len(), guard.ledger.records.iter().count()), (0, 0));
    assert!(blocked(&mut guard, START + 2, host(1), Rule::Login));
    assert_eq!((guard.active(), guard.begun_on(None)), (1, 1));
}

#[test]
fn nothing_found_in_the_kernel_lasts_longer_than_there() {
    let mut guard = guard(settings());
    assert!(blocked(&mut guard, START, host(1), Rule::Login));
    guard.found(at(START + 1000), host(1), 60_000);
    guard.found(at(START + 1000), host(2), 90_000);
    guard.found(at(START + 1000), Source::V4(0x0a00_0001), 90_000);
    let ends: Vec<u64> = guard.ledger.blocks.values().map(|block| block.until_ms - START).collect();
    assert_eq!(ends, [61_000, 91_000]);
}

/// More flooding sources than the detector has slots, mixed with forged sources of one packet each: a blocked source
/// releases its slot.
#[test]
fn blocked_sources_leave_the_detector_to_those_that_follow() {
    let mut guard = guard(Settings { budget: limit(10_000, 60), ..settings() });
    for number in 0..2 * SOURCES as u32 {
        let mut suspects = Vec::new();
        for packet in 0..250 {
            let forged = Source::V4(0x0a00_0000 + number * 250 + packet);
            for source in [host(number), forged] {
                suspects.extend(guard.see(START, START, &attempt(source, protocol::TCP, 23)));
            }
        }
        let blocked = judge(&mut guard, at(START), &suspects, |asked| vec![None; asked.len()]);
        assert_eq!(blocked, 1, "{number}: {suspects:?}");
    }
}

#[test]
fn a_budget_of_another_time_counts_from_then_on() {
    for (before, after) in [(60, 600), (600, 60)] {
        let of = |seconds| Settings { budget: limit(3, seconds), ..settings() };
        let mut guard = guard(of(before));
        let tried = |guard: &mut Guard, now_ms: u64, first: u32| -> Vec<bool> {
            (first..first + 4).map(|number| blocked(guard, now_ms, host(number), Rule::Flood)).collect()
        };
        assert_eq!(tried(&mut guard, START, 0), [true, true, true, false]);
        guard.set(START, of(after), 7);
        assert_eq!(tried(&mut guard, START + HOUR, 10), [true, true, true, false], "{before} {after}");
    }
}

#[test]
fn a_block_that_ends_while_nobody_counts_is_remembered() {
    let now = START + 10 * HOUR;
    let mut stored = guard(settings());
    for (when, suspect) in [
        (When { wall: Some(1_000), ..at(START) }, suspect(host(1), Rule::Login)),
        (When { wall: Some(2_800), ..at(START + HOUR / 2) }, suspect(host(2), Rule::Flood)),
    ] {
        judge(&mut stored, when, &[suspect], |_| vec![None]);
    }
    let mut blocks: Vec<_> = stored.ledger.blocks.values().map(|block| (*block, None)).collect();
    blocks.reverse();
    let mut later = guard(settings());
    later.restore(now, blocks.clone(), Vec::new(), Vec::new(), (None, 0));
    let ended: Vec<_> = later.ledger.ended.iter().map(|ended| (ended.ended_ms, ended.ended_wall)).collect();
    assert_eq!(ended, [(START + HOUR, None), (START + 3 * HOUR / 2, None)]);
    assert!(
        later.ledger.ended.iter().all(|ended| ended.end == End::Expired) && std::mem::take(&mut later.dirty)
    );
    // It counts for the length of the next one.
    assert!(blocked(&mut later, now, host(1), Rule::Login));
    assert_eq!(later.ledger.blocks.get(&host(1)).map(|block| block.times), Some(2));
    // After a reboot only the wall clock tells when.
    blocks.iter_mut().for_each(|(block, _)| block.until_ms = 5_000);
    let mut rebooted = guard(settings());
    rebooted.restore(5_000, blocks.clone(), Vec::new(), Vec::new(), (None, 0));
    let ended: Vec<_> =
        rebooted.ledger.ended.iter().map(|ended| (ended.ended_ms, ended.ended_wall)).collect();
    assert_eq!(ended, [(5_000, Some(4_600)), (5_000, Some(6_400))]);
    // One whose time is not up, but which the guard's mode ended.
    let mut dry = guard(Settings { mode: Mode::Dry, ..settings() });
    dry.restore(4_000, blocks, Vec::new(), Vec::new(), (None, 0));
    assert!(dry.ledger.ended.iter().all(|ended| (ended.end, ended.ended_ms) == (End::Off, 4_000)));
    assert_eq!((dry.ledger.blocks.len(), dry.ledger.ended.len()), (0, 2));
}

#[test]
fn forged_packets_push_out_no_record_of_failed_logins() {
    let mut guard = guard(Settings { budget: limit(1_000_000, 60), lengths: lengths(16_384), ..settings() });
    assert!(blocked(&mut guard, START, host(1), Rule::Login));
    // Later somebody floods in the name of the same source, and of thousands of others.
    guard.on_time(START + HOUR);
    assert!(blocked(&mut guard, START + 2 * HOUR, host(1), Rule::Flood));
    guard.on_time(START + 5 * HOUR);
    for number in 0..2 * RECORDS as u32 {
        assert!(blocked(&mut guard, START + 5 * HOUR, Source::V4(1 << 24 | number), Rule::Flood));
    }
    guard.on_time(START + 10 * HOUR);
    let times = |guard: &Guard, source| {
        guard.ledger.records.iter().find(|(known, _)| **known == source).map(|(_, record)| record.times)
    };
    assert_eq!((times(&guard, host(1)), guard.ledger.records.iter().count()), (Some(2), RECORDS));
    // What nobody can forge pushes out what anybody can, and never the other way round.
    let (login, flood) = (Source::V4(1 << 30), Source::V4(1 << 29));
    for number in 0..RECORDS as u32 {
        guard.ledger.remember(
            Source::V4(1 << 31 | number),
            Record { times: 1, proven: true, ended_ms: START + 10 * HOUR, pardoned_until: 0 },
        );
    }
    let now = START + 11 * HOUR;
    assert!(blocked(&mut guard, now, login, Rule::Login) && blocked(&mut guard, now, flood, Rule::Flood));
    guard.on_time(now + HOUR);
    assert_eq!((times(&guard, login), times(&guard, flood)), (Some(1), None));
    // Once they count no more they make room.
    let now = now + settings().lengths.cap_ms + HOUR;
    assert!(blocked(&mut guard, now, flood, Rule::Flood));
    guard.on_time(now + HOUR);
    assert_eq!((times(&guard, flood), guard.ledger.records.iter().count()), (Some(1), RECORDS));
}
