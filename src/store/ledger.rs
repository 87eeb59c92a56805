//! The guard's blocks and records <-> bytes, so that they come back after a restart and a reboot.
//!
//! Moments of the boot clock mean nothing after a reboot: what is left of a block is kept by both clocks.

use super::codec::{self, Writer};
use super::container::{self, Kind, Section};
use super::directory::Open;
use super::networks;
use crate::event::Service;
use crate::event::calendar::Date;
use crate::guard::detector::{MAX_SERVICES, Services};
use crate::guard::ledger::{DETAILED, ENDED, LINES, LONGEST_LINE, Ledger, RECORDS};
use crate::guard::{Block, Detail, End, Ended, Over, Protection, Record, Rule, Source, Suspect};

const VERSION: u64 = 1;
/// The shortest row of a block and of a record.
const MIN_BLOCK: usize = 15;
const MIN_RECORD: usize = 5;
const MIN_ENDED: usize = 12;
/// Of what an ended block was, and whether a network's was a dry run.
const OF_SOURCE: u8 = 0;
const OF_NETWORK: u8 = 1;
const OF_NETWORK_DRY: u8 = 2;
/// Numbers of ends; a protection's own is added to the last.
const ENDS: [End; 4] = [End::Expired, End::Hand, End::Anew, End::Off];

/// Why bytes could not be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed(pub &'static str);

/// Numbers, or an error as soon as one cannot be read.
struct Reader<'a>(codec::Reader<'a>);

impl<'a> Reader<'a> {
    fn checked<T>(&mut self, read: impl FnOnce(&mut codec::Reader<'a>) -> T) -> Result<T, Malformed> {
        let read = read(&mut self.0);
        if self.0.has_failed() { Err(Malformed("unexpected end of data")) } else { Ok(read) }
    }

    fn u8(&mut self) -> Result<u8, Malformed> {
        self.checked(codec::Reader::u8)
    }

    fn small(&mut self) -> Result<u32, Malformed> {
        self.checked(codec::Reader::small)
    }

    fn number(&mut self) -> Result<u64, Malformed> {
        self.checked(codec::Reader::number)
    }

    /// A number of rows, each of at least this many bytes.
    fn rows(&mut self, least: usize) -> Result<usize, Malformed> {
        let rows = self.checked(codec::Reader::items)?;
        if rows > self.0.left() / least { Err(Malformed("more rows than bytes")) } else { Ok(rows) }
    }
}

/// The moment of saving, on both clocks.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Moment {
    /// The kernel's boot id.
    pub boot: String,
    pub boot_ms: u64,
    /// The instant, if the clock is known.
    pub wall: Option<i64>,
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

fn write_source(writer: &mut Writer, source: Source) {
    match source {
        Source::V4(bits) => {
            writer.u8(4);
            writer.number(bits.into());
        }
        Source::V6(high) => {
            writer.u8(6);
            writer.number(high);
        }
    }
}

fn read_source(reader: &mut Reader<'_>) -> Result<Source, Malformed> {
    match reader.u8()? {
        4 => Ok(Source::V4(reader.small()?)),
        6 => Ok(Source::V6(reader.number()?)),
        _ => Err(Malformed("an address of no known family")),
    }
}

fn write_instant(writer: &mut Writer, wall: Option<i64>) {
    writer.number(wall.map_or(0, |wall| wall.max(0).cast_unsigned().saturating_add(1)));
}

fn read_instant(reader: &mut Reader<'_>) -> Result<Option<i64>, Malformed> {
    let number = reader.number()?;
    Ok(number.checked_sub(1).map(|wall| i64::try_from(wall).unwrap_or(i64::MAX)))
}

fn write_text(writer: &mut Writer, text: &str) {
    writer.raw(text.as_bytes());
}

fn read_text(reader: &mut Reader<'_>) -> Result<String, Malformed> {
    let text = String::from_utf8_lossy(reader.checked(codec::Reader::raw)?).into_owned();
    if text.len() > 4 * LONGEST_LINE { Err(Malformed("a text is too long")) } else { Ok(text) }
}

/// The ledger as a file's content (docs/FORMAT.md).
pub fn encode(serial: u64, moment: &Moment, ledger: &Ledger, today: (Option<Date>, u64)) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.number(VERSION);
    writer.number(serial);
    write_text(&mut writer, &moment.boot);
    writer.number(moment.boot_ms);
    write_instant(&mut writer, moment.wall);
    writer.u8(u8::from(today.0.is_some()));
    writer.number(today.0.map_or(0, |date| u64::from(date.0.cast_unsigned())));
    writer.number(today.1);
    writer.number(ledger.len() as u64);
    for block in ledger.blocks() {
        write_block(&mut writer, block, ledger.detail(block.suspect.source));
    }
    writer.number(ledger.records().count() as u64);
    for (source, record) in ledger.records() {
        write_source(&mut writer, *source);
        writer.number(record.times.into());
        writer.number(record.ended_ms);
        writer.number(record.pardoned_until);
    }
    writer.number(ledger.ended().len() as u64);
    ledger.ended().for_each(|ended| write_ended(&mut writer, ended, moment));
    container::write(0, &[Section::plain(Kind::Blocks, writer.bytes)])
}

fn write_block(writer: &mut Writer, block: &Block, detail: Option<&Detail>) {
    let Suspect { source, rule, count, window_ms, first_ms, last_ms, services } = block.suspect;
    write_source(writer, source);
    writer.u8(rule as u8 | u8::from(block.dry) << 7);
    writer.number(block.times.into());
    writer.number(count.into());
    for moment in [window_ms, block.since_ms, first_ms, last_ms, block.until_ms] {
        writer.number(moment);
    }
    write_instant(writer, block.since_wall);
    write_instant(writer, block.until_wall);
    writer.number(services.iter().count() as u64);
    services.iter().for_each(|service| writer.number(service.to_bits().into()));
    let none = Detail::default();
    let detail = detail.unwrap_or(&none);
    writer.u8(u8::from(detail.words.is_some()));
    write_text(writer, detail.words.as_deref().unwrap_or_default());
    writer.number(detail.lines.len() as u64);
    detail.lines.iter().for_each(|line| write_text(writer, line));
}

fn write_ended(writer: &mut Writer, ended: &Ended, moment: &Moment) {
    match &ended.over {
        Over::Source(block) => {
            writer.u8(OF_SOURCE);
            write_block(writer, block, Some(&Detail { words: ended.words.clone(), lines: Vec::new() }));
        }
        Over::Network(block, dry) => {
            writer.u8(if *dry { OF_NETWORK_DRY } else { OF_NETWORK });
            networks::write_block(writer, block);
        }
    }
    let number = match ended.end {
        End::Protected(protection) => ENDS.len() + protection as usize,
        end => ENDS.iter().position(|known| *known == end).unwrap_or(0),
    };
    writer.u8(number as u8);
    writer.number(ended.ended_ms);
    let ago = moment.boot_ms.saturating_sub(ended.ended_ms) / 1000;
    write_instant(writer, ended.ended_wall.or(moment.wall.map(|wall| wall.saturating_sub_unsigned(ago))));
}

fn read_ended(reader: &mut Reader<'_>) -> Result<Ended, Malformed> {
    let (over, words) = match reader.u8()? {
        OF_SOURCE => {
            let (block, detail) = read_block(reader)?;
            (Over::Source(block), detail.and_then(|detail| detail.words))
        }
        kind @ (OF_NETWORK | OF_NETWORK_DRY) => {
            let block = reader.checked(networks::read_block)?;
            let block = block.ok_or(Malformed("a network or country that cannot be blocked"))?;
            (Over::Network(block, kind == OF_NETWORK_DRY), None)
        }
        _ => return Err(Malformed("an ended block of no known kind")),
    };
    let number = usize::from(reader.u8()?);
    let protection = || Protection::ALL.get(number - ENDS.len()).map(|known| End::Protected(*known));
    let end = ENDS.get(number).copied().or_else(protection).ok_or(Malformed("an end that is not known"))?;
    let (ended_ms, ended_wall) = (reader.number()?, read_instant(reader)?);
    Ok(Ended { over, words, end, ended_ms, ended_wall })
}

/// `None` if nothing of it can be used.
pub fn decode(bytes: &[u8]) -> Option<SavedLedger> {
    from_file(&Open::from_bytes(bytes.to_vec()).ok()?)
}

/// The ledger in an opened file; `None`: damaged.
pub fn from_file(file: &Open) -> Option<SavedLedger> {
    read(&file.section(Kind::Blocks).ok()??).ok()
}

/// Reads the payload of the file. The checksums were verified before.
pub fn read(payload: &[u8]) -> Result<SavedLedger, Malformed> {
    let reader = &mut Reader(codec::Reader::new(payload));
    if reader.number()? != VERSION {
        return Err(Malformed("another version's blocks"));
    }
    let mut saved_ledger = SavedLedger { serial: reader.number()?, ..SavedLedger::default() };
    saved_ledger.saved.boot = read_text(reader)?;
    saved_ledger.saved.boot_ms = reader.number()?;
    saved_ledger.saved.wall = read_instant(reader)?;
    let known = reader.u8()? == 1;
    let date = Date(reader.small()?.cast_signed());
    saved_ledger.today = (known.then_some(date), reader.number()?);
    for _ in 0..reader.rows(MIN_BLOCK)? {
        let block = read_block(reader)?;
        saved_ledger.blocks.push(block);
    }
    let detailed = saved_ledger.blocks.iter().filter(|(_, detail)| detail.is_some()).count();
    for (_, detail) in saved_ledger.blocks.iter_mut().take(detailed.saturating_sub(DETAILED)) {
        *detail = None;
    }
    for _ in 0..reader.rows(MIN_RECORD)?.min(RECORDS) {
        let source = read_source(reader)?;
        let (times, ended_ms, pardoned_until) = (reader.small()?, reader.number()?, reader.number()?);
        saved_ledger.records.push((source, Record { times, ended_ms, pardoned_until }));
    }
    for _ in 0..reader.rows(MIN_ENDED)?.min(ENDED) {
        let ended = read_ended(reader)?;
        saved_ledger.ended.push(ended);
    }
    Ok(saved_ledger)
}

fn read_block(reader: &mut Reader<'_>) -> Result<(Block, Option<Detail>), Malformed> {
    let source = read_source(reader)?;
    let rule = reader.u8()?;
    let (times, count) = (reader.small()?, reader.small()?);
    let mut moments = [0; 5];
    for moment in &mut moments {
        *moment = reader.number()?;
    }
    let [window_ms, since_ms, first_ms, last_ms, until_ms] = moments;
    let (since_wall, until_wall) = (read_instant(reader)?, read_instant(reader)?);
    let mut services = Services::default();
    for _ in 0..reader.rows(1)?.min(MAX_SERVICES) {
        services.add(Service::from_bits(reader.small()?));
    }
    let has_words = reader.u8()? == 1;
    let words = read_text(reader)?;
    let mut detail = Detail { words: has_words.then_some(words), lines: Vec::new() };
    for _ in 0..reader.rows(1)?.min(LINES) {
        detail.lines.push(read_text(reader)?);
    }
    let dry = rule & 0x80 != 0;
    let rule = *Rule::ALL.get(usize::from(rule & 0x7f)).ok_or(Malformed("a rule that is not known"))?;
    let suspect = Suspect { source, rule, count, window_ms, first_ms, last_ms, services };
    let block = Block { suspect, dry, times, since_ms, until_ms, since_wall, until_wall };
    Ok((block, (detail != Detail::default()).then_some(detail)))
}

impl SavedLedger {
    /// The same in the moments of now. After a reboot what was left of a block is left still, and less if
    /// both clocks tell how long the router was away.
    pub fn at(mut self, now: &Moment) -> SavedLedger {
        if self.saved.boot == now.boot && self.saved.boot_ms <= now.boot_ms {
            return self;
        }
        let saved = self.saved.boot_ms;
        // Before this boot there are no moments.
        let moved = |moment: u64| now.boot_ms.saturating_sub(saved.saturating_sub(moment));
        for (block, _) in &mut self.blocks {
            let left = block.until_ms.saturating_sub(saved);
            let by_saved = self.saved.wall.map(|wall| wall.saturating_add_unsigned(left / 1000));
            // The clock was set then, and may have been corrected since the block began.
            block.until_wall = by_saved.or(block.until_wall);
            let left = match (block.until_wall, now.wall) {
                (Some(until), Some(wall)) => {
                    left.min(u64::try_from(until.saturating_sub(wall)).unwrap_or(0).saturating_mul(1000))
                }
                _ => left,
            };
            block.until_ms = now.boot_ms.saturating_add(left);
            for moment in [&mut block.since_ms, &mut block.suspect.first_ms, &mut block.suspect.last_ms] {
                *moment = moved(*moment);
            }
        }
        for (_, record) in &mut self.records {
            record.ended_ms = moved(record.ended_ms);
            let left = record.pardoned_until.saturating_sub(saved);
            record.pardoned_until = if left > 0 { now.boot_ms.saturating_add(left) } else { 0 };
        }
        for ended in &mut self.ended {
            ended.ended_ms = moved(ended.ended_ms);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::Limit;
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
        let saved_ledger = decode(&encode(3, &saved, &ledger, (Some(Date(20_000)), 2))).unwrap();
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
            let saved_ledger = decode(&encode(1, &moment("a", 1_600_000, None), &ledger, (None, 0))).unwrap();
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
            let saved_ledger = decode(&bytes).unwrap().at(now);
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
        let saved_ledger = decode(&bytes).unwrap().at(&moment("b", 5_000, None));
        assert_eq!(saved_ledger.records[0].1.pardoned_until, 5_000 + 86_400_000 - 599_000);
    }

    #[test]
    fn a_clock_that_was_corrected_since_a_block_began_ends_no_block_too_early() {
        let mut ledger = Ledger::default();
        ledger.set_lengths(Lengths { first_ms: 3_600_000, cap_ms: 604_800_000, max_blocks: 100 });
        // Then the clock was 20 hours behind.
        ledger.add(1_000_000, Some(WALL - 72_000), &suspect(Source::V4(7), Rule::Flood), None, false);
        let saved = moment("a", 1_600_000, Some(WALL));
        let saved_ledger = decode(&encode(1, &saved, &ledger, (None, 0))).unwrap();
        let block = saved_ledger.at(&moment("b", 5_000, Some(WALL + 600))).blocks[0].0;
        assert_eq!((block.until_ms, block.until_wall), (2_405_000, Some(WALL + 3000)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..120), at in 0usize..400, value: u8) {
            let _ = read(&bytes);
            let mut file = encode(1, &moment("a", 1_600_000, None), &ledger(), (None, 0));
            let at = at % file.len();
            file[at] = value;
            if let Some(saved_ledger) = decode(&file) {
                let _ = saved_ledger.at(&moment("b", 7, Some(WALL)));
            }
        }
    }
}
