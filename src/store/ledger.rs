//! The guard's blocks and records <-> bytes, so that they come back after a restart and a reboot.
//!
//! Moments of the boot clock mean nothing after a reboot: what is left of a block is kept by both clocks.

use super::codec::{Codec, Content, Reader};
use super::container::{self, Kind, Section};
use super::directory::Open;
use super::networks;
use crate::event::Service;
use crate::event::calendar::Date;
use crate::guard::detector::{MAX_SERVICES, Services};
use crate::guard::ledger::{DETAILED, ENDED, LINES, LONGEST_LINE, Ledger, RECORDS};
use crate::guard::{Block, Detail, End, Ended, Over, Protection, Record, Rule, Source, Suspect};

const VERSION: u64 = 1;
/// The shortest row of a block, a record and an ended block.
const MIN_BLOCK: usize = 15;
const MIN_RECORD: usize = 6;
const MIN_ENDED: usize = 12;
/// Beside the number of a block's rule.
const DRY: u8 = 0x80;
const PROVEN: u8 = 0x40;
/// Of what an ended block was, and whether a network's was a dry run.
const OF_SOURCE: u8 = 0;
const OF_NETWORK: u8 = 1;
const OF_NETWORK_DRY: u8 = 2;
/// Numbers of ends; a protection's own is added to the last.
const ENDS: [End; 4] = [End::Expired, End::Hand, End::Anew, End::Off];

const NO_SUSPECT: Suspect = Suspect {
    source: Source::V4(0),
    rule: Rule::Flood,
    count: 0,
    window_ms: 0,
    first_ms: 0,
    last_ms: 0,
    services: Services::NONE,
};
const NO_BLOCK: Block = Block {
    suspect: NO_SUSPECT,
    dry: false,
    times: 0,
    proven: false,
    since_ms: 0,
    until_ms: 0,
    since_wall: None,
    until_wall: None,
};
const NOT_ENDED: Ended =
    Ended { over: Over::Source(NO_BLOCK), words: None, end: End::Expired, ended_ms: 0, ended_wall: None };

/// The moment of saving, on both clocks.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Moment {
    /// The kernel's boot id.
    pub boot: String,
    pub boot_ms: u64,
    /// The instant, if the clock is known.
    pub wall: Option<i64>,
}

impl Moment {
    pub(super) fn code(&mut self, codec: &mut impl Codec) {
        text(codec, &mut self.boot);
        codec.number(&mut self.boot_ms);
        instant(codec, &mut self.wall);
    }

    /// Whether moments of this boot clock are moments of that of `now`.
    pub(super) fn holds(&self, now: &Moment) -> bool {
        self.boot == now.boot && self.boot_ms <= now.boot_ms
    }

    /// A moment before this one, by the boot clock of `now`: before that boot there are none.
    pub(super) fn past(&self, now: &Moment, moment: u64) -> u64 {
        now.boot_ms.saturating_sub(self.boot_ms.saturating_sub(moment))
    }

    /// The end of a block, by the boot clock of `now`: what was left of it is left still, and less if both clocks tell
    /// how long the router was away.
    pub(super) fn end(&self, now: &Moment, until_ms: u64, until_wall: &mut Option<i64>) -> u64 {
        let mut left = until_ms.saturating_sub(self.boot_ms);
        let by_saved = self.wall.map(|wall| wall.saturating_add_unsigned(left / 1000));
        // The clock was set then, and may have been corrected since the block began.
        *until_wall = by_saved.or(*until_wall);
        if let (Some(until), Some(wall)) = (*until_wall, now.wall) {
            left = left.min(u64::try_from(until.saturating_sub(wall)).unwrap_or(0).saturating_mul(1000));
        }
        now.boot_ms.saturating_add(left)
    }
}

/// The guard's ledger as it was stored.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SavedLedger {
    /// Counts up: of two copies the higher one knows more.
    pub serial: u64,
    pub saved: Moment,
    pub blocks: Vec<(Block, Option<Detail>)>,
    pub records: Vec<(Source, Record)>,
    /// The oldest first.
    pub ended: Vec<Ended>,
    /// Blocks begun on a day.
    pub today: (Option<Date>, u64),
}

/// Seconds since 1970.
pub(super) fn instant(codec: &mut impl Codec, wall: &mut Option<i64>) {
    let mut seconds = wall.map(|wall| wall.max(0).cast_unsigned());
    codec.optional(&mut seconds);
    *wall = seconds.map(|seconds| i64::try_from(seconds).unwrap_or(i64::MAX));
}

fn text(codec: &mut impl Codec, text: &mut String) {
    codec.text(text);
    if text.len() > 4 * LONGEST_LINE {
        codec.fail();
    }
}

fn source(codec: &mut impl Codec, source: &mut Source) {
    let (mut family, mut bits) = match *source {
        Source::V4(bits) => (4, bits.into()),
        Source::V6(high) => (6, high),
    };
    codec.u8(&mut family);
    codec.number(&mut bits);
    match (family, u32::try_from(bits)) {
        (4, Ok(bits)) => *source = Source::V4(bits),
        (6, _) => *source = Source::V6(bits),
        _ => codec.fail(),
    }
}

fn block(codec: &mut impl Codec, block: &mut Block, detail: &mut Detail) {
    let suspect = &mut block.suspect;
    source(codec, &mut suspect.source);
    let flag = |is_set, flag| if is_set { flag } else { 0 };
    let mut rule = suspect.rule as u8 | flag(block.dry, DRY) | flag(block.proven, PROVEN);
    codec.u8(&mut rule);
    (block.dry, block.proven) = (rule & DRY != 0, rule & PROVEN != 0);
    match Rule::ALL.get(usize::from(rule & !(DRY | PROVEN))) {
        Some(known) => suspect.rule = *known,
        None => codec.fail(),
    }
    codec.small(&mut block.times);
    codec.small(&mut suspect.count);
    codec.number(&mut suspect.window_ms);
    for moment in [&mut block.since_ms, &mut suspect.first_ms, &mut suspect.last_ms, &mut block.until_ms] {
        codec.number(moment);
    }
    instant(codec, &mut block.since_wall);
    instant(codec, &mut block.until_wall);
    let mut services: Vec<u32> = suspect.services.iter().map(Service::to_bits).collect();
    codec.rows(&mut services, 1, 0, |codec, service| codec.small(service));
    suspect.services = Services::default();
    services.iter().take(MAX_SERVICES).for_each(|bits| suspect.services.add(Service::from_bits(*bits)));
    let mut has_words = detail.words.is_some();
    codec.flag(&mut has_words);
    let mut words = detail.words.take().unwrap_or_default();
    text(codec, &mut words);
    detail.words = has_words.then_some(words);
    codec.rows(&mut detail.lines, 1, String::new(), text);
    detail.lines.truncate(LINES);
}

fn block_row(codec: &mut impl Codec, (of_source, detail): &mut (Block, Option<Detail>)) {
    let mut known = detail.take().unwrap_or_default();
    block(codec, of_source, &mut known);
    *detail = (known != Detail::default()).then_some(known);
}

fn ended(codec: &mut impl Codec, ended: &mut Ended) {
    let (mut kind, mut of_source, mut of_network) = match &ended.over {
        Over::Source(block) => (OF_SOURCE, *block, networks::no_block()),
        Over::Network(block, dry) => {
            (if *dry { OF_NETWORK_DRY } else { OF_NETWORK }, NO_BLOCK, block.clone())
        }
    };
    codec.u8(&mut kind);
    match kind {
        OF_SOURCE => {
            let mut detail = Detail { words: ended.words.take(), lines: Vec::new() };
            block(codec, &mut of_source, &mut detail);
            (ended.over, ended.words) = (Over::Source(of_source), detail.words);
        }
        OF_NETWORK | OF_NETWORK_DRY => {
            networks::block(codec, &mut of_network);
            ended.over = Over::Network(of_network, kind == OF_NETWORK_DRY);
        }
        _ => codec.fail(),
    }
    let ends: Vec<End> = ENDS.into_iter().chain(Protection::ALL.map(End::Protected)).collect();
    codec.one_of(&mut ended.end, &ends);
    codec.number(&mut ended.ended_ms);
    instant(codec, &mut ended.ended_wall);
}

impl SavedLedger {
    fn code(&mut self, codec: &mut impl Codec) {
        self.code_head(codec);
        codec.rows(&mut self.blocks, MIN_BLOCK, (NO_BLOCK, None), block_row);
        self.code_rest(codec);
    }

    /// All before the blocks.
    fn code_head(&mut self, codec: &mut impl Codec) {
        let mut version = VERSION;
        codec.number(&mut version);
        if version != VERSION {
            codec.fail();
        }
        codec.number(&mut self.serial);
        self.saved.code(codec);
        let (date, begun) = &mut self.today;
        let (mut is_known, mut day) = (date.is_some(), date.unwrap_or(Date(0)));
        codec.flag(&mut is_known);
        codec.date(&mut day);
        *date = is_known.then_some(day);
        codec.number(begun);
    }

    /// All that follows the blocks.
    fn code_rest(&mut self, codec: &mut impl Codec) {
        let none = (NO_SUSPECT.source, Record::default());
        codec.rows(&mut self.records, MIN_RECORD, none, |codec, (of_source, record)| {
            source(codec, of_source);
            codec.small(&mut record.times);
            codec.flag(&mut record.proven);
            codec.number(&mut record.ended_ms);
            codec.number(&mut record.pardoned_until);
        });
        codec.rows(&mut self.ended, MIN_ENDED, NOT_ENDED, ended);
    }

    /// The same in the moments of now.
    pub fn at(mut self, now: &Moment) -> SavedLedger {
        let saved = &self.saved;
        if saved.holds(now) {
            return self;
        }
        for (block, _) in &mut self.blocks {
            block.until_ms = saved.end(now, block.until_ms, &mut block.until_wall);
            for moment in [&mut block.since_ms, &mut block.suspect.first_ms, &mut block.suspect.last_ms] {
                *moment = saved.past(now, *moment);
            }
        }
        for (_, record) in &mut self.records {
            record.ended_ms = saved.past(now, record.ended_ms);
            let left = record.pardoned_until.saturating_sub(saved.boot_ms);
            record.pardoned_until = if left > 0 { now.boot_ms.saturating_add(left) } else { 0 };
        }
        for ended in &mut self.ended {
            ended.ended_ms = saved.past(now, ended.ended_ms);
        }
        self
    }
}

/// The ledger as a file's content (docs/FORMAT.md).
pub fn encode(serial: u64, moment: &Moment, ledger: &Ledger, today: (Option<Date>, u64)) -> Vec<u8> {
    let ended_wall = |ended: &Ended| {
        let ago = moment.boot_ms.saturating_sub(ended.ended_ms) / 1000;
        ended.ended_wall.or(moment.wall.map(|wall| wall.saturating_sub_unsigned(ago)))
    };
    let ended = ledger.ended().map(|ended| Ended { ended_wall: ended_wall(ended), ..ended.clone() });
    let mut saved = SavedLedger {
        serial,
        saved: moment.clone(),
        blocks: Vec::new(),
        records: ledger.records().map(|(source, record)| (*source, *record)).collect(),
        ended: ended.collect(),
        today,
    };
    // One block at a time: there can be 16,384.
    let content = Content::of(|content| {
        saved.code_head(content);
        content.put(ledger.len() as u64);
        for block in ledger.blocks() {
            block_row(content, &mut (*block, ledger.detail(block.suspect.source).cloned()));
        }
        saved.code_rest(content);
    });
    container::write(0, vec![Section::plain(Kind::Blocks, content)])
}

/// `None` if nothing of it can be used.
pub fn decode(bytes: Vec<u8>) -> Option<SavedLedger> {
    read(&Open::from_bytes(bytes).ok()?.section(Kind::Blocks).ok()??)
}

/// The serial in an opened file, and the ledger if that is higher than `known`: two ledgers in memory are too many.
/// `None`: damaged.
pub fn newer(file: &Open, known: Option<u64>) -> Option<(u64, Option<SavedLedger>)> {
    let payload = file.section(Kind::Blocks).ok()??;
    let (mut reader, mut head) = (Reader::new(&payload), SavedLedger::default());
    head.code_head(&mut reader);
    if reader.has_failed() {
        return None;
    }
    let is_newer = known < Some(head.serial);
    Some((head.serial, if is_newer { Some(read(&payload)?) } else { None }))
}

/// Reads the payload of the file. The checksums were verified before.
pub fn read(payload: &[u8]) -> Option<SavedLedger> {
    let (mut reader, mut saved) = (Reader::new(payload), SavedLedger::default());
    saved.code(&mut reader);
    let detailed = saved.blocks.iter().filter(|(_, detail)| detail.is_some()).count();
    for (_, detail) in saved.blocks.iter_mut().take(detailed.saturating_sub(DETAILED)) {
        *detail = None;
    }
    saved.records.truncate(RECORDS);
    saved.ended.truncate(ENDED);
    (!reader.has_failed()).then_some(saved)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::{Limit, Pool};
    use crate::guard::ledger::Lengths;
    use crate::guard::networks::NetworkBlock;
    use crate::query::target::Target;
    use proptest::prelude::*;

    const WALL: i64 = 1_790_000_000;

    fn suspect(source: Source, rule: Rule) -> Suspect {
        let window_ms = Limit { count: 5, window_ms: 600_000 }.window_ms;
        let mut services = Services::default();
        services.add(Service { protocol: 6, port: 22 });
        Suspect { source, rule, count: 5, window_ms, first_ms: 900_000, last_ms: 1_000_000, services }
    }

    fn ledger() -> Ledger {
        let mut ledger = Ledger::default();
        ledger.set_lengths(Lengths { first_ms: 3_600_000, cap_ms: 604_800_000, max_blocks: 100 });
        let (a, b, c) = (Source::V4(0xc633_6407), Source::V6(0x2001_0db8_0001_0002), Source::V4(7));
        ledger.add(1_000_000, Some(WALL), &suspect(a, Rule::Login), None, false);
        ledger.explain(a, Detail { words: None, lines: vec!["a line".into(), "é".into()] });
        ledger.add(1_000_500, None, &suspect(b, Rule::Hand), Some(60_000), false);
        ledger.explain(b, Detail { words: Some("because".into()), lines: vec![] });
        ledger.add(1_000_600, None, &suspect(c, Rule::Flood), None, false);
        ledger.remove(1_001_000, c, End::Hand);
        let d = Source::V4(8);
        ledger.add(1_000_700, None, &suspect(d, Rule::Hand), None, true);
        ledger.explain(d, Detail { words: Some("for now".into()), lines: vec!["left out".into()] });
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
        let blocks: Vec<_> =
            ledger.blocks().map(|block| (*block, ledger.detail(block.suspect.source).cloned())).collect();
        let records: Vec<_> = ledger.records().map(|(source, record)| (*source, *record)).collect();
        assert_eq!((&saved_ledger.blocks, &saved_ledger.records), (&blocks, &records));
        let ended: Vec<Ended> = ledger.ended().cloned().collect();
        let as_told = |ended: &Ended| Ended { ended_wall: None, ..ended.clone() };
        assert_eq!(saved_ledger.ended.iter().map(as_told).collect::<Vec<_>>(), ended);
        let walls: Vec<_> = saved_ledger.ended.iter().map(|ended| ended.ended_wall).collect();
        assert_eq!(walls, [Some(WALL + 1); 4]);
        assert_eq!(saved_ledger.clone().at(&moment("a", 1_020_000, None)), saved_ledger);
    }

    #[test]
    fn every_end_is_read() {
        for end in ENDS.into_iter().chain(Protection::ALL.map(End::Protected)) {
            let mut ledger = ledger();
            for _ in 0..ENDED + 5 {
                let block = *ledger.blocks().next().unwrap();
                let (ended_ms, ended_wall) = (1_001_000, Some(WALL));
                let over = Over::Source(block);
                ledger.note_ended(Ended { over, words: None, end, ended_ms, ended_wall });
            }
            let saved_ledger = decode(encode(1, &moment("a", 1_600_000, None), &ledger, (None, 0))).unwrap();
            assert_eq!(saved_ledger.ended.len(), ENDED);
            assert!(
                saved_ledger.ended.iter().all(|ended| ended.end == end && ended.ended_wall == Some(WALL))
            );
        }
    }

    #[test]
    fn after_a_reboot_what_was_left_is_left_and_less_if_the_clock_tells() {
        let ledger = ledger();
        let bytes = encode(1, &moment("a", 1_600_000, Some(WALL + 600)), &ledger, (None, 0));
        let left = |now: &Moment| {
            let saved_ledger = decode(bytes.clone()).unwrap().at(now);
            let left: Vec<u64> = saved_ledger
                .blocks
                .iter()
                .map(|(block, _)| block.until_ms.saturating_sub(now.boot_ms))
                .collect();
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
        ledger.set_lengths(Lengths { first_ms: 3_600_000, cap_ms: 604_800_000, max_blocks: 100 });
        // Then the clock was 20 hours behind.
        ledger.add(1_000_000, Some(WALL - 72_000), &suspect(Source::V4(7), Rule::Flood), None, false);
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
        ledger.set_lengths(lengths);
        let mut services = Services::default();
        (0..4).for_each(|port| services.add(Service { protocol: 255, port: u16::MAX - port }));
        let (mut longest, mut ended) = (suspect(Source::V4(0), Rule::Flood), None);
        (longest.count, longest.window_ms, longest.services) = (u32::MAX, u64::MAX, services);
        (longest.first_ms, longest.last_ms) = (u64::MAX, u64::MAX);
        let rules = Pool::ALL.into_iter().zip([Rule::Flood, Rule::Login, Rule::Hand]);
        let rules = rules.flat_map(|(pool, rule)| std::iter::repeat_n(rule, lengths.limit(pool) as usize));
        for (number, rule) in (0..).zip(rules) {
            longest = Suspect { source: Source::V6(u64::MAX - number), rule, ..longest };
            ended = Some(ledger.add(u64::MAX, Some(i64::MAX), &longest, None, false));
        }
        let text = || "x".repeat(LONGEST_LINE);
        for number in 0..DETAILED as u64 {
            let detail = Detail { words: Some(text()), lines: vec![text(); LINES] };
            ledger.explain(Source::V6(u64::MAX - number), detail);
        }
        for number in 0..RECORDS as u64 {
            let (times, proven, ended_ms, pardoned_until) = (u32::MAX, true, u64::MAX, u64::MAX);
            let record = Record { times, proven, ended_ms, pardoned_until };
            ledger.restore_record(Source::V6(u64::MAX / 2 - number), record);
        }
        for _ in 0..ENDED {
            let (over, words) = (Over::Source(ended.unwrap()), Some(text()));
            let (end, ended_wall) = (End::Expired, Some(i64::MAX));
            ledger.note_ended(Ended { over, words, end, ended_ms: u64::MAX, ended_wall });
        }
        let read = decode(encode(1, &moment("a", u64::MAX, Some(i64::MAX)), &ledger, (None, 0))).unwrap();
        assert_eq!((read.blocks.len(), read.blocks.len()), (ledger.len(), lengths.limit_of_all() as usize));
        let is_same = |(block, detail): &(Block, Option<Detail>)| {
            let source = block.suspect.source;
            ledger.get(source) == Some(block) && ledger.detail(source) == detail.as_ref()
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
}
