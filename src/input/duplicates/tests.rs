use super::*;
use crate::event::{Address, Class, PathId, Verdict, protocol};
use proptest::prelude::*;

fn event(time: i64, fingerprint: u64, path: u16) -> Event {
    Event {
        time,
        source: Address::v4(0xc633_6407),
        destination: Address::v4(0xc000_0201),
        fingerprint,
        count: 1,
        source_port: 40_000,
        port: 23,
        length: 40,
        path: PathId(path),
        protocol: protocol::TCP,
        flags: 2,
        class: Class::Attempt,
        verdict: Verdict::Drop,
        ..Event::default()
    }
}

fn sight(duplicates: &mut Duplicates, event: &Event, awaited: bool) -> Sighting {
    duplicates.sight(event, event.time, awaited)
}

/// Letters are paths; one fingerprint, all in one second. The packets counted are in capitals.
fn counted(paths: &str) -> String {
    let mut duplicates = Duplicates::default();
    let mut mark = |letter: char| match duplicates.is_duplicate(&event(1000, 7, letter as u16)) {
        true => letter,
        false => letter.to_ascii_uppercase(),
    };
    paths.chars().map(&mut mark).collect()
}

#[test]
fn two_paths_are_one_packet_and_one_path_is_a_flood() {
    for (paths, expected) in [
        ("a", "A"),
        ("ab", "Ab"),
        ("aaa", "AAA"),
        ("abab", "AbAb"),
        ("aabb", "AAbb"),
        ("abba", "AbBa"),
        ("aab", "AAb"),
        ("abbb", "AbBB"),
        ("abcabc", "AbcAbc"),
    ] {
        assert_eq!(counted(paths), expected);
    }
}

#[test]
fn packets_far_apart_are_different_ones() {
    let mut duplicates = Duplicates::default();
    assert!(!duplicates.is_duplicate(&event(1000, 7, 1)));
    assert!(duplicates.is_duplicate(&event(1002, 7, 2)));
    assert!(!duplicates.is_duplicate(&event(1005, 7, 2)));
    assert!(!duplicates.is_duplicate(&event(1005, 8, 1)));
}

#[test]
fn a_long_flood_counts_each_packet_once() {
    for rate in [1, 3, 1000] {
        let mut duplicates = Duplicates::default();
        let mut packets = 0;
        for second in 0..60 {
            for _ in 0..rate {
                packets += u32::from(!duplicates.is_duplicate(&event(second, 7, 1)));
                packets += u32::from(!duplicates.is_duplicate(&event(second, 7, 2)));
            }
        }
        assert_eq!(packets, 60 * rate);
    }
}

#[test]
fn the_second_log_may_be_a_second_late() {
    let mut duplicates = Duplicates::default();
    let mut packets = 0;
    for second in 0..61 {
        for _ in 0..100 {
            if second < 60 {
                packets += u32::from(!duplicates.is_duplicate(&event(second, 7, 1)));
            }
            if second > 0 {
                packets += u32::from(!duplicates.is_duplicate(&event(second, 7, 2)));
            }
        }
    }
    assert_eq!(packets, 6000);
}

#[test]
fn what_was_forgotten_is_not_called_new() {
    let mut duplicates = Duplicates::default();
    // All of one row: the first two awaited ones have to go.
    let number = |n: u64, time, path| event(time, n * ROWS as u64, path);
    for n in 0..PER_ROW as u64 + 2 {
        assert_eq!(sight(&mut duplicates, &number(n, 1000, 1), true), Sighting::New);
    }
    assert_eq!(sight(&mut duplicates, &number(0, 1001, 2), false), Sighting::Unknown);
    assert_eq!(sight(&mut duplicates, &number(5, 1001, 2), false), Sighting::Copy);
    assert_eq!(sight(&mut duplicates, &number(77, 1002, 2), false), Sighting::Unknown);
    // In another row, and after some seconds, it is certain.
    assert_eq!(sight(&mut duplicates, &event(1001, 1 | 1 << 32, 2), false), Sighting::New);
    assert_eq!(sight(&mut duplicates, &number(78, 1003, 2), false), Sighting::New);
    // What nobody awaits can go without a trace.
    for n in 100..120 {
        assert_eq!(sight(&mut duplicates, &number(n, 2000, 3), false), Sighting::New);
    }
}

#[test]
fn what_both_have_told_makes_room_first() {
    let mut duplicates = Duplicates::default();
    let number = |n: u64, path| event(1000, n * ROWS as u64, path);
    // Any number of packets, of which the second input lags behind by one.
    for n in 0..10_000 {
        assert_eq!(sight(&mut duplicates, &number(n, 1), true), Sighting::New);
        assert_eq!(sight(&mut duplicates, &number(n, 2), false), Sighting::Copy);
        // The log was faster.
        assert_eq!(sight(&mut duplicates, &number(n + 20_000, 2), false), Sighting::New);
        assert_eq!(sight(&mut duplicates, &number(n + 20_000, 1), true), Sighting::Copy);
    }
}

#[test]
fn an_unknown_sighting_leaves_the_packet_to_the_awaited_path() {
    let mut duplicates = Duplicates::default();
    let number = |n: u64, path| event(1000, n * ROWS as u64, path);
    for n in 0..PER_ROW as u64 + 1 {
        assert_eq!(sight(&mut duplicates, &number(n, 1), true), Sighting::New);
    }
    assert_eq!(sight(&mut duplicates, &number(70, 2), false), Sighting::Unknown);
    assert_eq!(sight(&mut duplicates, &number(70, 1), true), Sighting::New);
    assert_eq!(sight(&mut duplicates, &number(71, 2), false), Sighting::Unknown);
    duplicates.record(&number(71, 2), 1000);
    assert_eq!(sight(&mut duplicates, &number(71, 1), true), Sighting::Copy);
}

#[test]
fn a_full_cache_forgets_the_oldest_first() {
    let mut duplicates = Duplicates::default();
    for number in 0..=PER_ROW as u64 {
        assert!(!duplicates.is_duplicate(&event(1000 + number as i64 / 4, number * ROWS as u64, 1)));
    }
    assert!(!duplicates.is_duplicate(&event(1001, 0, 2)));
    assert!(duplicates.is_duplicate(&event(1001, PER_ROW as u64 * ROWS as u64, 2)));
    for number in 0..1_000_000u64 {
        duplicates.is_duplicate(&event(1002, number.wrapping_mul(0x9e37_79b9_7f4a_7c15), 3));
    }
    assert_eq!(duplicates.rows.len() * PER_ROW, ENTRIES);
}

proptest! {
    #[test]
    fn batches_are_marked_as_event_by_event(
        steps in proptest::collection::vec((0i64..5, 0u64..6, 0u16..3), 0..400), size in 1usize..40
    ) {
        let mut time = 1000;
        let events: Vec<Event> = steps
            .into_iter()
            .map(|(step, fingerprint, path)| {
                // Most paths are the first, and most steps are short: clusters of all kinds.
                time += step * step / 4;
                event(time, fingerprint, path / 2)
            })
            .collect();
        let (mut one_by_one, mut batches) = (Duplicates::default(), Duplicates::default());
        for batch in events.chunks(size) {
            let marks = batches.mark(batch);
            let expected: Vec<bool> = batch.iter().map(|event| one_by_one.is_duplicate(event)).collect();
            prop_assert_eq!(marks, expected);
        }
    }
}
