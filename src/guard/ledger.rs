//! The blocks in force, the sources that were blocked before, and the blocks that ended. Each list is bounded.
//!
//! Takes decisions and the time, gives blocks that begin or end. Reads no clock, calls no kernel.

use std::collections::{BTreeMap, VecDeque};

use super::detector::{Pool, Rule, Suspect};
use super::networks::NetworkBlock;
use super::source::Source;
use super::{End, When};
use crate::event::Address;
use crate::event::small_map::SmallMap;
use crate::query::answer::UsageStatus;

/// Most blocks for failed logins at a time.
pub const LOGIN_BLOCKS: u32 = 1024;
/// Most blocks by hand at a time.
pub const MANUAL_BLOCKS: u32 = 256;
/// Sources that were blocked before, or whose block was ended by hand.
pub const RECORDS: usize = 2048;
/// Most blocks with log lines or a reason; the newest have them.
pub const DETAILED: usize = 256;
/// Log lines of a block.
pub const LINES: usize = 3;
/// Bytes of a log line that are stored as evidence.
pub const LONGEST_LINE: usize = 240;
/// Ended blocks that are listed, the newest ones.
pub const ENDED: usize = 64;
/// After a block was ended by hand its source is exempt from the rules for this time.
pub const PARDON_MS: u64 = 24 * 3_600_000;
/// Evidence that can be forged makes no block longer than this, or than the first one.
pub const FORGEABLE_CAP_MS: u64 = 24 * 3_600_000;

/// A source in the set of blocked sources, and why.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Block {
    /// The source and its events when the limit was reached. Moments before this boot (of a stored block) are 0.
    pub suspect: Suspect,
    /// A dry run: decided and reported, but not executed.
    pub dry: bool,
    /// How often this source was blocked, this time included.
    pub times: u32,
    /// This block, or one before it that counts among these, has a cause that nobody can forge: failed logins, or the user.
    pub proven: bool,
    /// In ms since boot; before it 0.
    pub since_ms: u64,
    pub until_ms: u64,
    /// The same as Unix seconds, if the clock was set when they were noted.
    pub since_wall: Option<i64>,
    pub until_wall: Option<i64>,
}

/// The reason of a block besides its counts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Detail {
    /// The reason given by the user.
    pub words: Option<String>,
    /// Log lines.
    pub lines: Vec<String>,
    /// Where the last event came from; of a block by hand `None`.
    pub last: Option<Address>,
}

/// A source whose block has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Record {
    /// Number of blocks so far; each doubles the next one's length.
    pub times: u32,
    /// As of the last [`Block`].
    pub proven: bool,
    pub ended_ms: u64,
    /// In milliseconds since boot; 0: never.
    pub pardoned_until: u64,
}

/// What a block that has ended was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Over {
    Source(Block),
    /// The flag: it was a dry run.
    Network(NetworkBlock, bool),
}

/// A block that has ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ended {
    pub over: Over,
    /// The reason given by the user.
    pub words: Option<String>,
    pub end: End,
    /// In ms since boot; before it 0.
    pub ended_ms: u64,
    /// The same as Unix seconds, if it was before this boot.
    pub ended_wall: Option<i64>,
}

/// Options for the length of blocks and their number.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Lengths {
    /// Length of a source's first block; each further one is twice as long.
    pub first_ms: u64,
    /// Upper limit of the length.
    pub cap_ms: u64,
    /// For floods and scans.
    pub max_blocks: u32,
}

impl Lengths {
    /// Most blocks of this pool.
    pub fn limit(&self, pool: Pool) -> u32 {
        match pool {
            Pool::Packets => self.max_blocks,
            Pool::Logins => LOGIN_BLOCKS,
            Pool::Manual => MANUAL_BLOCKS,
        }
    }

    /// The most blocks of all pools together.
    pub fn limit_of_all(&self) -> u32 {
        Pool::ALL.into_iter().fold(0, |sum: u32, pool| sum.saturating_add(self.limit(pool)))
    }
}

/// Blocks in force, repeat offenders and ended blocks, each with a bound.
#[derive(Default)]
pub struct Ledger {
    /// The options, for blocks that begin from now on.
    pub lengths: Lengths,
    /// The blocks in force, of all pools: up to 17,664, too many for a `SmallMap`.
    pub(crate) blocks: BTreeMap<Source, Block>,
    /// Blocks of each pool.
    counts: [u32; Pool::COUNT],
    /// The evidence of the newest blocks.
    pub(crate) details: SmallMap<Source, Detail>,
    /// Sources that were blocked before, at most [`RECORDS`].
    pub(crate) records: SmallMap<Source, Record>,
    /// Blocks that have ended, the oldest first.
    pub(crate) ended: VecDeque<Ended>,
    /// No block ends before this time.
    pub(super) next_end: Option<u64>,
    /// A block ends earlier than the kernel has it.
    pub shortened: bool,
}

impl Ledger {
    /// Blocks of this pool, and the most of them.
    pub fn room(&self, pool: Pool) -> UsageStatus {
        UsageStatus { used: self.counts[pool as usize].into(), limit: self.lengths.limit(pool).into() }
    }

    /// Whether this pool has reached its limit.
    pub fn is_full(&self, pool: Pool) -> bool {
        self.counts[pool as usize] >= self.lengths.limit(pool)
    }

    /// Whether the source's block was ended by hand within [`PARDON_MS`].
    pub fn is_pardoned(&self, now_ms: u64, source: Source) -> bool {
        self.records.get(&source).is_some_and(|record| now_ms < record.pardoned_until)
    }

    /// Whether a record counts; an old one no longer does.
    fn is_fresh(&self, now_ms: u64, record: &Record) -> bool {
        now_ms <= record.ended_ms.saturating_add(self.lengths.cap_ms)
    }

    /// The length of the `times`th block.
    fn length(&self, rule: Rule, times: u32) -> u64 {
        let Lengths { first_ms, cap_ms, .. } = self.lengths;
        let cap = if rule.is_forgeable() { cap_ms.min(FORGEABLE_CAP_MS.max(first_ms)) } else { cap_ms };
        first_ms.saturating_mul(1 << (times - 1).min(32)).min(cap)
    }

    /// Blocks a suspect. `length_ms`: instead of what the options say.
    pub fn add(&mut self, when: When, suspect: &Suspect, length_ms: Option<u64>, dry: bool) -> Block {
        let When { now_ms, wall, .. } = when;
        let record = self.records.get(&suspect.source).filter(|record| self.is_fresh(now_ms, record));
        let times = record.map_or(0, |record| record.times).saturating_add(1);
        let is_proven = matches!(suspect.rule, Rule::Login | Rule::Hand);
        let proven = is_proven || record.is_some_and(|record| record.proven);
        let length = length_ms.unwrap_or_else(|| self.length(suspect.rule, times));
        let until_ms = now_ms.saturating_add(length);
        let until_wall = wall.map(|wall| wall.saturating_add_unsigned(length / 1000));
        let (suspect, since_ms, since_wall) = (*suspect, now_ms, wall);
        let block = Block { suspect, dry, times, proven, since_ms, until_ms, since_wall, until_wall };
        self.insert(block);
        block
    }

    /// Adds a block, which replaces the one of the same source and its record.
    fn insert(&mut self, block: Block) {
        self.next_end = Some(self.next_end.map_or(block.until_ms, |next| next.min(block.until_ms)));
        self.records.remove(&block.suspect.source);
        self.counts[block.suspect.rule.pool() as usize] += 1;
        if let Some(before) = self.blocks.insert(block.suspect.source, block) {
            self.counts[before.suspect.rule.pool() as usize] -= 1;
        }
    }

    /// Stores the reason of a block; beyond [`DETAILED`] the oldest block's is removed.
    pub fn explain(&mut self, source: Source, detail: Detail) {
        if self.details.len() >= DETAILED && !self.details.contains_key(&source) {
            let since = |source: &Source| self.blocks.get(source).map_or(0, |block| block.since_ms);
            if let Some(oldest) = self.details.keys().copied().min_by_key(since) {
                self.details.remove(&oldest);
            }
        }
        if detail != Detail::default() {
            self.details.insert(source, detail);
        }
    }

    /// Ends a block. It counts for the length of the next one; if it was ended by hand ([`End::Hand`]), the source is
    /// pardoned.
    pub fn remove(&mut self, now_ms: u64, source: Source, end: End) -> Option<Block> {
        let block = self.blocks.remove(&source)?;
        self.counts[block.suspect.rule.pool() as usize] -= 1;
        let words = self.details.remove(&source).and_then(|detail| detail.words);
        self.over(block, words, end, (now_ms, None));
        Some(block)
    }

    /// A block is over; `at`: since when, see [`Ended`].
    fn over(&mut self, block: Block, words: Option<String>, end: End, at: (u64, Option<i64>)) {
        let (ended_ms, ended_wall) = at;
        let Block { suspect: Suspect { source, .. }, times, proven, .. } = block;
        self.note_ended(Ended { over: Over::Source(block), words, end, ended_ms, ended_wall });
        match end {
            _ if block.dry => {}
            End::Hand => self.pardon(ended_ms, source),
            _ => self.remember(source, Record { times, proven, ended_ms, pardoned_until: 0 }),
        }
    }

    /// Exempts a source from the rules for [`PARDON_MS`].
    pub fn pardon(&mut self, now_ms: u64, source: Source) {
        // An unblocked source starts over: its next block is a first one.
        let pardoned_until = now_ms.saturating_add(PARDON_MS);
        self.remember(source, Record { ended_ms: now_ms, pardoned_until, ..Record::default() });
    }

    /// Adds an ended block; beyond [`ENDED`] the oldest is removed.
    pub fn note_ended(&mut self, ended: Ended) {
        if self.ended.len() >= ENDED {
            self.ended.pop_front();
        }
        self.ended.push_back(ended);
    }

    /// Adds a record. The oldest of those that are worth least makes room: forged packets must not push out what cannot
    /// be forged.
    pub(crate) fn remember(&mut self, source: Source, record: Record) {
        let now_ms = record.ended_ms;
        let worth = |record: &Record| match record {
            _ if now_ms < record.pardoned_until => 2,
            _ if record.proven && self.is_fresh(now_ms, record) => 1,
            _ => 0,
        };
        if self.records.len() >= RECORDS && !self.records.contains_key(&source) {
            let least =
                self.records.iter().map(|(source, known)| (worth(known), known.ended_ms, *source)).min();
            match least {
                Some((least, _, source)) if least <= worth(&record) => self.records.remove(&source),
                _ => return,
            };
        }
        self.records.insert(source, record);
    }

    /// The sources whose blocks have expired and are to be removed.
    pub fn expired(&mut self, now_ms: u64) -> Vec<Source> {
        if self.next_end.is_none_or(|next| now_ms < next) {
            return Vec::new();
        }
        self.next_end =
            self.blocks.values().map(|block| block.until_ms).filter(|until| *until > now_ms).min();
        let over = self.blocks.values().filter(|block| block.until_ms <= now_ms);
        over.map(|block| block.suspect.source).collect()
    }

    /// Restores a stored block, unless it has expired, its pool is full, or a longer one is in force.
    pub fn restore(&mut self, block: Block, detail: Option<Detail>) {
        if self.is_full(block.suspect.rule.pool()) || self.blocks.contains_key(&block.suspect.source) {
            return;
        }
        let source = block.suspect.source;
        self.insert(block);
        self.explain(source, detail.unwrap_or_default());
    }

    /// A stored block that is not in force any more: its time was up, or the guard's mode was changed, while no daemon ran.
    pub fn restore_ended(&mut self, now_ms: u64, block: Block, detail: Option<Detail>) {
        let words = detail.and_then(|detail| detail.words);
        let end = if block.until_ms > now_ms { End::Off } else { End::Expired };
        self.over(block, words, end, end_of(now_ms, block.until_ms, block.until_wall));
    }

    /// Ends a block at this time at the latest, as in the kernel's set or by a shorter option.
    pub fn shorten(&mut self, source: Source, until_ms: u64) {
        if let Some(block) = self.blocks.get_mut(&source)
            && until_ms < block.until_ms
        {
            block.until_wall =
                block.until_wall.map(|wall| wall.saturating_sub_unsigned((block.until_ms - until_ms) / 1000));
            block.until_ms = until_ms;
            self.next_end = self.next_end.map(|next| next.min(until_ms));
            self.shortened = true;
        }
    }

    /// The wall clock is set: stored blocks end at their time, whatever the length of the time without a daemon.
    pub fn clock_set(&mut self, now_ms: u64, wall: i64) {
        for block in self.blocks.values_mut() {
            if end_by_wall(now_ms, wall, &mut block.until_ms, &mut block.until_wall) {
                self.next_end = self.next_end.map(|next| next.min(block.until_ms));
                self.shortened = true;
            }
            let since = now_ms.saturating_sub(block.since_ms) / 1000;
            block.since_wall.get_or_insert(wall.saturating_sub_unsigned(since));
        }
    }
}

/// The wall clock is set: a block ends at its stored time, if that is earlier. True if it is; else that time is stored.
pub(super) fn end_by_wall(now_ms: u64, wall: i64, until_ms: &mut u64, until_wall: &mut Option<i64>) -> bool {
    let left = until_ms.saturating_sub(now_ms) / 1000;
    let until_wall = *until_wall.get_or_insert(wall.saturating_add_unsigned(left));
    let left_by_wall = u64::try_from(until_wall.saturating_sub(wall)).unwrap_or(0);
    let is_earlier = left_by_wall < left;
    if is_earlier {
        *until_ms = now_ms.saturating_add(left_by_wall * 1000);
    }
    is_earlier
}

/// When a stored block ended, for [`Ended`]. `until_ms`: not before `now_ms` if it ended before this boot, or before
/// anybody knew how long the router was away; then the wall clock tells.
pub(super) fn end_of(now_ms: u64, until_ms: u64, until_wall: Option<i64>) -> (u64, Option<i64>) {
    (until_ms.min(now_ms), until_wall.filter(|_| until_ms == now_ms))
}
