use super::*;
use crate::event::Address;
use crate::guard::networks::NetworkBlock;
use crate::guard::{Lengths, Limit, Pool, Suspect, When};
use crate::query::target::Target;
use proptest::prelude::*;

const WALL: i64 = 1_790_000_000;

fn when(now_ms: u64, wall: Option<i64>) -> When {
    When { now_ms, wall, today: None }
}

fn suspect(source: Source, rule: Rule) -> Suspect {
    let window_ms = Limit { count: 5, window_ms: 600_000 }.window_ms;
    let mut services = Services::default();
    services.add(Service { protocol: 6, port: 22 });
    Suspect { source, rule, count: 5, window_ms, first_ms: 900_000, last_ms: 1_000_000, services }
}

fn ledger() -> Ledger {
    let mut ledger = Ledger::default();
    ledger.lengths = Lengths { first_ms: 3_600_000, cap_ms: 604_800_000, max_blocks: 100 };
    let (a, b, c) = (Source::V4(0xc633_6407), Source::V6(0x2001_0db8_0001_0002), Source::V4(7));
    ledger.add(when(1_000_000, Some(WALL)), &suspect(a, Rule::Login), None, false);
    ledger.explain(
        a,
        Detail { words: None, lines: vec!["a line".into(), "é".into()], last: Some(Address::v4(7)) },
    );
    ledger.add(when(1_000_500, None), &suspect(b, Rule::Hand), Some(60_000), false);
    ledger.explain(b, Detail { words: Some("because".into()), ..Detail::default() });
    ledger.add(when(1_000_600, None), &suspect(c, Rule::Flood), None, false);
    ledger.remove(1_001_000, c, End::Hand);
    let d = Source::V4(8);
    ledger.add(when(1_000_700, None), &suspect(d, Rule::Hand), None, true);
    ledger.explain(d, Detail { words: Some("for now".into()), lines: vec!["left out".into()], last: None });
    ledger.remove(1_001_000, d, End::Protected(Protection::Caller));
    for (text, dry) in [("198.51.100.0/24", false), ("CN", true)] {
        let network = NetworkBlock {
            target: Target::parse(text).unwrap(),
            since_ms: 1_000_800,
            until_ms: dry.then_some(1_002_000),
            since_wall: Some(WALL),
            until_wall: None,
            reason: dry.then(|| "because".into()),
        };
        let (words, end, ended_ms, ended_wall) = (None, End::Hand, 1_001_000, None);
        ledger.note_ended(Ended { over: Over::Network(network, dry), words, end, ended_ms, ended_wall });
    }
    ledger
}

fn moment(boot: &str, boot_ms: u64, wall: Option<i64>) -> Moment {
    Moment { boot: boot.into(), boot_ms, wall }
}

#[test]
fn a_ledger_comes_back_as_it_was_within_a_boot() {
    let ledger = ledger();
    let saved = moment("a", 1_010_000, Some(WALL + 10));
    let saved_ledger = decode(encode(3, &saved, &ledger, (Some(Date(20_000)), 2))).unwrap();
    assert_eq!(
        (saved_ledger.serial, &saved_ledger.saved, saved_ledger.today),
        (3, &saved, (Some(Date(20_000)), 2))
    );
    let blocks: Vec<_> = ledger
        .blocks
        .values()
        .map(|block| (*block, ledger.details.get(&block.suspect.source).cloned()))
        .collect();
    let records: Vec<_> = ledger.records.iter().map(|(source, record)| (*source, *record)).collect();
    assert_eq!((&saved_ledger.blocks, &saved_ledger.records), (&blocks, &records));
    let ended: Vec<Ended> = ledger.ended.iter().cloned().collect();
    let as_told = |ended: &Ended| Ended { ended_wall: None, ..ended.clone() };
    assert_eq!(saved_ledger.ended.iter().map(as_told).collect::<Vec<_>>(), ended);
    let walls: Vec<_> = saved_ledger.ended.iter().map(|ended| ended.ended_wall).collect();
    assert_eq!(walls, [Some(WALL + 1); 4]);
    assert_eq!(saved_ledger.clone().at(&moment("a", 1_020_000, None)), saved_ledger);
}

/// The drive was away when this boot began: its file has the higher serial.
#[test]
fn what_another_boot_left_is_older_than_a_copy_of_this_one() {
    let file = Open::from_bytes(encode(9, &moment("a", 5, None), &ledger(), (None, 0))).unwrap();
    let is_read = |boot, known| newer(&file, boot, known).map(|(rank, stored)| (rank, stored.is_some()));
    assert_eq!(is_read("b", Some((true, 3))), Some(((false, 9), false)));
    assert_eq!(is_read("b", Some((false, 3))), Some(((false, 9), true)));
    assert_eq!(is_read("a", Some((true, 3))), Some(((true, 9), true)));
    assert_eq!(is_read("a", Some((true, 9))), Some(((true, 9), false)));
}

#[test]
fn every_end_is_read() {
    for end in ENDS.into_iter().chain(Protection::all().map(End::Protected)) {
        let mut ledger = ledger();
        for _ in 0..ENDED + 5 {
            let block = *ledger.blocks.values().next().unwrap();
            let (ended_ms, ended_wall) = (1_001_000, Some(WALL));
            let over = Over::Source(block);
            ledger.note_ended(Ended { over, words: None, end, ended_ms, ended_wall });
        }
        let saved_ledger = decode(encode(1, &moment("a", 1_600_000, None), &ledger, (None, 0))).unwrap();
        assert_eq!(saved_ledger.ended.len(), ENDED);
        assert!(saved_ledger.ended.iter().all(|ended| ended.end == end && ended.ended_wall == Some(WALL)));
    }
}

#[test]
fn after_a_reboot_what_was_left_is_left_and_less_if_the_clock_tells() {
    let ledger = ledger();
    let bytes = encode(1, &moment("a", 1_600_000, Some(WALL + 600)), &ledger, (None, 0));
    let left = |now: &Moment| {
        let saved_ledger = decode(bytes.clone()).unwrap().at(now);
        let left: Vec<u64> =
            saved_ledger.blocks.iter().map(|(block, _)| block.until_ms.saturating_sub(now.boot_ms)).collect();
        left
    };
    // The clock is in the past, or not known: 50 minutes were left of the first, nothing of the other.
    assert_eq!(left(&moment("b", 5_000, None)), [3_000_000, 0]);
    // The router was away for 40 minutes, then for a week.
    assert_eq!(left(&moment("b", 5_000, Some(WALL + 3000))), [600_000, 0]);
    assert_eq!(left(&moment("b", 5_000, Some(WALL + 604_800))), [0, 0]);
    // A clock that is behind makes no block longer.
    assert_eq!(left(&moment("b", 5_000, Some(WALL - 500_000))), [3_000_000, 0]);
    let saved_ledger = decode(bytes.clone()).unwrap().at(&moment("b", 5_000, None));
    assert_eq!(saved_ledger.records[0].1.pardoned_until, 5_000 + 86_400_000 - 599_000);
}

#[test]
fn a_clock_that_was_corrected_since_a_block_began_ends_no_block_too_early() {
    let mut ledger = Ledger::default();
    ledger.lengths = Lengths { first_ms: 3_600_000, cap_ms: 604_800_000, max_blocks: 100 };
    // Then the clock was 20 hours behind.
    ledger.add(when(1_000_000, Some(WALL - 72_000)), &suspect(Source::V4(7), Rule::Flood), None, false);
    let saved = moment("a", 1_600_000, Some(WALL));
    let saved_ledger = decode(encode(1, &saved, &ledger, (None, 0))).unwrap();
    let block = saved_ledger.at(&moment("b", 5_000, Some(WALL + 600))).blocks[0].0;
    assert_eq!((block.until_ms, block.until_wall), (2_405_000, Some(WALL + 3000)));
}

#[test]
fn the_longest_ledger_that_can_be_comes_back() {
    let mut ledger = Ledger::default();
    // The most that the option max_blocks takes.
    let lengths = Lengths { first_ms: 1, cap_ms: 1, max_blocks: 16_384 };
    ledger.lengths = lengths;
    let mut services = Services::default();
    (0..4).for_each(|port| services.add(Service { protocol: 255, port: u16::MAX - port }));
    let (mut longest, mut ended) = (suspect(Source::V4(0), Rule::Flood), None);
    (longest.count, longest.window_ms, longest.services) = (u32::MAX, u64::MAX, services);
    (longest.first_ms, longest.last_ms) = (u64::MAX, u64::MAX);
    let rules = Pool::ALL.into_iter().zip([Rule::Flood, Rule::Login, Rule::Hand]);
    let rules = rules.flat_map(|(pool, rule)| std::iter::repeat_n(rule, lengths.limit(pool) as usize));
    for (number, rule) in (0..).zip(rules) {
        longest = Suspect { source: Source::V6(u64::MAX - number), rule, ..longest };
        ended = Some(ledger.add(when(u64::MAX, Some(i64::MAX)), &longest, None, false));
    }
    let text = || "x".repeat(LONGEST_LINE);
    for number in 0..DETAILED as u64 {
        let detail = Detail {
            words: Some(text()),
            lines: vec![text(); LINES],
            last: Some(Address { high: 1 << 60, low: 7 }),
        };
        ledger.explain(Source::V6(u64::MAX - number), detail);
    }
    for number in 0..RECORDS as u64 {
        let (times, proven, ended_ms, pardoned_until) = (u32::MAX, true, u64::MAX, u64::MAX);
        let record = Record { times, proven, ended_ms, pardoned_until };
        ledger.remember(Source::V6(u64::MAX / 2 - number), record);
    }
    for _ in 0..ENDED {
        let (over, words) = (Over::Source(ended.unwrap()), Some(text()));
        let (end, ended_wall) = (End::Expired, Some(i64::MAX));
        ledger.note_ended(Ended { over, words, end, ended_ms: u64::MAX, ended_wall });
    }
    let read = decode(encode(1, &moment("a", u64::MAX, Some(i64::MAX)), &ledger, (None, 0))).unwrap();
    assert_eq!((read.blocks.len(), ledger.blocks.len()), (17_664, 17_664));
    let is_same = |(block, detail): &(Block, Option<Detail>)| {
        let source = block.suspect.source;
        ledger.blocks.get(&source) == Some(block) && ledger.details.get(&source) == detail.as_ref()
    };
    assert!(read.blocks.iter().all(is_same));
    assert_eq!((read.records.len(), read.ended.len()), (RECORDS, ENDED));
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..120), at in 0usize..400, value: u8) {
        let _ = read(&bytes);
        let mut file = encode(1, &moment("a", 1_600_000, None), &ledger(), (None, 0));
        let at = at % file.len();
        file[at] = value;
        if let Some(saved_ledger) = decode(file) {
            let _ = saved_ledger.at(&moment("b", 7, Some(WALL)));
        }
    }
}
