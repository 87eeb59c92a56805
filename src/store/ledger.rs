//! The guard's ledger <-> bytes, to restore it after a restart or a reboot.
//!
//! Times of the boot clock cannot be compared after a reboot, so the end of a block is stored by both clocks.

use super::codec::{Codec, Content};
use super::container::{self, Kind, Open, Section};
use super::{networks, sections};
use crate::event::Service;
use crate::event::calendar::Date;
use crate::guard::detector::{MAX_SERVICES, Services};
use crate::guard::ledger::{DETAILED, ENDED, LINES, LONGEST_LINE, Ledger, RECORDS};
use crate::guard::{Block, Detail, End, Ended, Over, Protection, Record, Rule, Source};

const VERSION: u64 = 1;
/// Beside the number of a block's rule.
const DRY: u8 = 0x80;
const PROVEN: u8 = 0x40;
/// What an ended block was of; of a network also whether it was a dry run.
const OF_SOURCE: u8 = 0;
const OF_NETWORK: u8 = 1;
const OF_NETWORK_DRY: u8 = 2;
/// Stored numbers of [`End`]; the number of a [`Protection`] is added to the length of this list.
const ENDS: [End; 4] = [End::Expired, End::Hand, End::Anew, End::Off];

/// A time by both clocks.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Moment {
    /// The kernel's boot id.
    pub boot: String,
    pub boot_ms: u64,
    /// Unix seconds, if the clock is set.
    pub wall: Option<i64>,
}

impl Moment {
    /// Reads or writes the fields of a time.
    pub(super) fn code(&mut self, codec: &mut Codec<'_>) {
        text(codec, &mut self.boot);
        codec.number(&mut self.boot_ms);
        instant(codec, &mut self.wall);
    }

    /// Whether `now` is of the same boot, and not earlier.
    pub(super) fn holds(&self, now: &Moment) -> bool {
        self.boot == now.boot && self.boot_ms <= now.boot_ms
    }

    /// Converts a time before this one to the boot clock of `now`; 0 if it was before that boot.
    pub(super) fn past(&self, now: &Moment, moment: u64) -> u64 {
        now.boot_ms.saturating_sub(self.boot_ms.saturating_sub(moment))
    }

    /// The end of a block by the boot clock of `now`: with the remaining time at saving, less the time without power if
    /// both wall clocks are known.
    pub(super) fn end(&self, now: &Moment, until_ms: u64, until_wall: &mut Option<i64>) -> u64 {
        let mut left = until_ms.saturating_sub(self.boot_ms);
        let by_saved = self.wall.map(|wall| wall.saturating_add_unsigned(left / 1000));
        // The wall clock at saving is preferred, since it may have been corrected after the block began.
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
    /// Increases with each save, see [`Rank`].
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
pub(super) fn instant(codec: &mut Codec<'_>, wall: &mut Option<i64>) {
    let mut seconds = wall.map(|wall| wall.max(0).cast_unsigned());
    codec.optional(&mut seconds);
    *wall = seconds.map(|seconds| i64::try_from(seconds).unwrap_or(i64::MAX));
}

fn text(codec: &mut Codec<'_>, text: &mut String) {
    codec.text(text);
    codec.failed |= text.len() > 4 * LONGEST_LINE;
}

fn source(codec: &mut Codec<'_>, source: &mut Source) {
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

fn block(codec: &mut Codec<'_>, block: &mut Block, detail: &mut Detail) {
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
    codec.rows(&mut services, 0, Codec::small);
    suspect.services = Services::default();
    services.iter().take(MAX_SERVICES).for_each(|bits| suspect.services.add(Service::from_bits(*bits)));
    codec.known(&mut detail.words, text);
    codec.rows(&mut detail.lines, String::new(), text);
    detail.lines.truncate(LINES);
    let (mut has_last, mut last) = (detail.last.is_some(), detail.last.unwrap_or_default());
    codec.flag(&mut has_last);
    if has_last {
        sections::address(codec, &mut last);
    }
    detail.last = has_last.then_some(last);
}

fn block_row(codec: &mut Codec<'_>, (of_source, detail): &mut (Block, Option<Detail>)) {
    let mut known = detail.take().unwrap_or_default();
    block(codec, of_source, &mut known);
    *detail = (known != Detail::default()).then_some(known);
}

fn ended(codec: &mut Codec<'_>, ended: &mut Ended) {
    let (mut kind, mut of_source, mut of_network) = match &ended.over {
        Over::Source(block) => (OF_SOURCE, *block, networks::no_block()),
        Over::Network(block, dry) => {
            (if *dry { OF_NETWORK_DRY } else { OF_NETWORK }, Block::default(), block.clone())
        }
    };
    codec.u8(&mut kind);
    match kind {
        OF_SOURCE => {
            let mut detail = Detail { words: ended.words.take(), ..Detail::default() };
            block(codec, &mut of_source, &mut detail);
            (ended.over, ended.words) = (Over::Source(of_source), detail.words);
        }
        OF_NETWORK | OF_NETWORK_DRY => {
            networks::block(codec, &mut of_network);
            ended.over = Over::Network(of_network, kind == OF_NETWORK_DRY);
        }
        _ => codec.fail(),
    }
    let ends: Vec<End> = ENDS.into_iter().chain(Protection::all().map(End::Protected)).collect();
    codec.one_of(&mut ended.end, &ends);
    codec.number(&mut ended.ended_ms);
    instant(codec, &mut ended.ended_wall);
}

impl SavedLedger {
    /// Everything before the blocks.
    fn code_head(&mut self, codec: &mut Codec<'_>) {
        let mut version = VERSION;
        codec.number(&mut version);
        codec.failed |= version != VERSION;
        codec.number(&mut self.serial);
        self.saved.code(codec);
        let (date, begun) = &mut self.today;
        codec.known(date, Codec::date);
        codec.number(begun);
    }

    /// Everything after the blocks.
    fn code_rest(&mut self, codec: &mut Codec<'_>) {
        codec.rows(&mut self.records, Default::default(), |codec, (of_source, record)| {
            source(codec, of_source);
            codec.small(&mut record.times);
            codec.flag(&mut record.proven);
            codec.number(&mut record.ended_ms);
            codec.number(&mut record.pardoned_until);
        });
        let over = Over::Source(Block::default());
        let none = Ended { over, words: None, end: End::Expired, ended_ms: 0, ended_wall: None };
        codec.rows(&mut self.ended, none, ended);
    }

    /// See [`Rank`]. `boot`: this one's id.
    pub fn rank(&self, boot: &str) -> Rank {
        (self.saved.boot == boot, self.serial)
    }

    /// The same with times of the boot clock of `now`.
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
    let ended = ledger.ended.iter().map(|ended| Ended { ended_wall: ended_wall(ended), ..ended.clone() });
    let mut saved = SavedLedger {
        serial,
        saved: moment.clone(),
        blocks: Vec::new(),
        records: ledger.records.iter().map(|(source, record)| (*source, *record)).collect(),
        ended: ended.collect(),
        today,
    };
    // One block at a time: there can be 16,384.
    let content = Content::of(|codec| {
        saved.code_head(codec);
        codec.put(ledger.blocks.len() as u64);
        for block in ledger.blocks.values() {
            block_row(codec, &mut (*block, ledger.details.get(&block.suspect.source).cloned()));
        }
        saved.code_rest(codec);
    });
    container::write(0, vec![Section::plain(Kind::Blocks, content)])
}

/// `None` if nothing of it can be used.
pub fn decode(bytes: Vec<u8>) -> Option<SavedLedger> {
    read(&Open::from_bytes(bytes).ok()?.section(Kind::Blocks).ok()??)
}

/// Whether a ledger was saved in this boot, and its serial: the highest rank is the newest. What an earlier boot left on
/// flash can have a higher serial, if flash was away when this one began.
pub type Rank = (bool, u64);

/// The rank of the ledger in an opened file, and the ledger if that is higher than `known`: two ledgers in memory are
/// too many. `None`: damaged.
pub fn newer(file: &Open, boot: &str, known: Option<Rank>) -> Option<(Rank, Option<SavedLedger>)> {
    let payload = file.section(Kind::Blocks).ok()??;
    let (mut reader, mut head) = (Codec::reader(&payload), SavedLedger::default());
    head.code_head(&mut reader);
    if reader.failed {
        return None;
    }
    let rank = head.rank(boot);
    Some((rank, if known < Some(rank) { Some(read(&payload)?) } else { None }))
}

/// Reads the payload of the file. The checksums were verified before.
pub fn read(payload: &[u8]) -> Option<SavedLedger> {
    let (mut reader, mut saved) = (Codec::reader(payload), SavedLedger::default());
    saved.code_head(&mut reader);
    reader.rows(&mut saved.blocks, Default::default(), block_row);
    saved.code_rest(&mut reader);
    let detailed = saved.blocks.iter().filter(|(_, detail)| detail.is_some()).count();
    for (_, detail) in saved.blocks.iter_mut().take(detailed.saturating_sub(DETAILED)) {
        *detail = None;
    }
    saved.records.truncate(RECORDS);
    saved.ended.truncate(ENDED);
    (!reader.failed).then_some(saved)
}

#[cfg(test)]
mod tests;
