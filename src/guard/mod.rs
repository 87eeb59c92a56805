//! Finds sources that flood, scan or guess passwords, and decides which are blocked.
//!
//! Takes events and the time, gives suspects and changes of blocks. Runs no command, opens nothing, reads no
//! clock; the caller looks up what only the kernel knows.
//!
//! An attacker chooses a packet's source. So a block stops new connections from outside only (by default), no address
//! that the inside needs is ever blocked, and a budget bounds the effect of forged packets.

mod bounds;
pub mod detector;
pub mod ledger;
pub mod networks;
pub mod policy;
pub mod ranges;
pub mod source;
mod table;
#[cfg(test)]
mod tests;
pub mod window;
mod words;

use std::fmt;

use crate::event::Event;
use crate::event::calendar::{Date, duration_text as duration};
use crate::query::answer::UsageStatus;
use crate::query::question::Prefix;

use bounds::Tally;
use detector::Detector;
pub use detector::{Limits, Pool, Rule, Suspect};
use ledger::Ledger;
pub use ledger::{Block, Detail, Ended, Lengths, Over, Record};
use networks::Networks;
use policy::Policy;
pub use policy::Protection;
pub use source::Source;
pub use window::Limit;
use window::Window;
pub use words::{HAND, described, service_text};

const MINUTE_MS: u64 = 60_000;
/// Blocks a minute that are logged individually.
const LINES_A_MINUTE: u32 = 10;

/// Whether the guard is on (`option enabled` of the section `guard`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Mode {
    #[default]
    Off,
    On,
    /// Decides and reports, and blocks nothing.
    Dry,
}

/// Which packets of a blocked source are stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Scope {
    /// Only new inbound connections.
    #[default]
    New,
    /// Every packet.
    All,
}

/// The options of the section `guard`.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Settings {
    pub mode: Mode,
    pub limits: Limits,
    pub lengths: Lengths,
    pub scope: Scope,
    pub budget: Limit,
    pub allow: Vec<Prefix>,
}

/// The time of a decision.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct When {
    /// In ms since boot.
    pub now_ms: u64,
    /// Unix seconds, if the clock is set.
    pub wall: Option<i64>,
    /// The day that a block counts for.
    pub today: Option<Date>,
}

/// Why a block ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    Expired,
    Hand,
    /// The source was blocked again by hand.
    Anew,
    /// It turned out that the source must not be blocked.
    Protected(Protection),
    /// The guard was switched off, or from dry to on.
    Off,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Expired => f.write_str("expired"),
            End::Hand => f.write_str("by hand"),
            End::Anew => f.write_str("blocked anew"),
            End::Protected(protection) => write!(f, "{protection}"),
            End::Off => f.write_str("the guard's mode was changed"),
        }
    }
}

/// A change of a block, for the kernel, the log and ubus.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    Blocked(Block),
    Released(Block, End),
}

/// Why a request is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    Protected(Protection),
    /// The limit of blocks by hand is reached.
    Full(u32),
}

/// The guard's state: options, detector, blocks, and what is to be reported.
#[derive(Default)]
pub struct Guard {
    /// The options in use.
    pub settings: Settings,
    detector: Option<Detector>,
    /// The prefixes that are never blocked.
    pub policy: Policy,
    pub ledger: Ledger,
    pub networks: Networks,
    budgets: [Window; Pool::COUNT],
    tally: Tally,
    /// The day of the last block, and the number of blocks begun on it.
    pub today: (Option<Date>, u64),
    /// Blocks since the start, by rule.
    pub begun: [u64; Rule::ALL.len()],
    /// Changes of blocks that were not executed yet.
    pub changes: Vec<Change>,
    /// Sentences that were not logged yet.
    pub sentences: Vec<String>,
    /// When the budget or the size of the set last kept a suspect from being blocked (milliseconds since boot).
    budget_reached: [Option<u64>; Pool::COUNT],
    room_reached: [Option<u64>; Pool::COUNT],
    /// The ledger changed since it was stored.
    pub dirty: bool,
    /// It was changed by hand.
    pub by_hand: bool,
}

impl Guard {
    /// Applies the options. `seed`: see [`Detector::new`].
    pub fn set(&mut self, now_ms: u64, settings: Settings, seed: u64) {
        if settings.mode == Mode::Off {
            self.detector = None;
        } else if self.detector.is_none() || settings.limits != self.settings.limits {
            self.detector = Some(Detector::new(settings.limits, seed));
        }
        if settings.budget != self.settings.budget {
            // The parts of another window have other numbers.
            self.budgets = Default::default();
        }
        self.policy.allow.clone_from(&settings.allow);
        self.ledger.lengths = settings.lengths;
        self.settings = settings;
        let dry = self.settings.mode == Mode::Dry;
        if self.settings.mode != Mode::Off {
            self.release_where(now_ms, |_, block| (block.dry != dry).then_some(End::Off));
        }
        let cap = now_ms.saturating_add(self.settings.lengths.cap_ms);
        let ruled = |block: &&Block| block.suspect.rule != Rule::Hand && block.until_ms > cap;
        let long: Vec<Source> =
            self.ledger.blocks.values().filter(ruled).map(|block| block.suspect.source).collect();
        long.into_iter().for_each(|source| self.ledger.shorten(source, cap));
        self.release_protected(now_ms);
    }

    /// Whether it blocks; false in a dry run.
    pub fn is_on(&self) -> bool {
        self.settings.mode == Mode::On
    }

    /// Number of blocks in force.
    pub fn active(&self) -> u64 {
        if self.is_on() { self.ledger.blocks.len() as u64 } else { 0 }
    }

    /// Blocks begun on this day.
    pub fn begun_on(&self, date: Option<Date>) -> u64 {
        if self.today.0 == date { self.today.1 } else { 0 }
    }

    /// Blocks that rules began within the budget's time, and the most of them.
    pub fn budget(&self, now_ms: u64, pool: Pool) -> UsageStatus {
        let Limit { count, .. } = self.settings.budget;
        let used = self.budgets[pool as usize].sum(self.settings.budget.part(now_ms));
        UsageStatus { used: used.into(), limit: count.into() }
    }

    /// Counts an event, see [`Detector::see`]. `None` while the guard is off.
    #[inline]
    pub fn see(&mut self, now_ms: u64, moment_ms: u64, event: &Event) -> Option<Suspect> {
        self.detector.as_mut()?.see(now_ms, moment_ms, event)
    }

    /// The next time that [`Guard::on_time`] has something to do.
    pub fn deadline(&self) -> Option<u64> {
        let tally = self.tally.since_ms.map(|since| since.saturating_add(MINUTE_MS));
        [self.ledger.next_end, tally].into_iter().flatten().min()
    }

    /// Ends expired blocks, and logs the number of decisions without a log line.
    pub fn on_time(&mut self, now_ms: u64) {
        for source in self.ledger.expired(now_ms) {
            self.end(now_ms, source, End::Expired);
        }
        if self.tally.since_ms.is_some_and(|since| now_ms >= since.saturating_add(MINUTE_MS)) {
            let tally = std::mem::take(&mut self.tally);
            self.sum_up(&tally);
        }
    }

    /// Whether a suspect's connections must be looked up: false if it is decided already.
    pub fn is_open(&self, suspect: &Suspect) -> bool {
        self.settings.mode != Mode::Off && !self.ledger.blocks.contains_key(&suspect.source)
    }

    /// Decides about suspects with their evidence, in order. `peers`: looks up what protects each one because the inside
    /// has a connection to it; only called for those that nothing else protects.
    pub fn judge(
        &mut self,
        when: When,
        mut suspects: Vec<(Suspect, Detail)>,
        peers: impl FnOnce(&[Suspect]) -> Vec<Option<Protection>>,
    ) {
        suspects.retain(|(suspect, _)| self.may_block(when.now_ms, suspect));
        if suspects.is_empty() {
            return;
        }
        let asked: Vec<Suspect> = suspects.iter().map(|(suspect, _)| *suspect).collect();
        for ((suspect, detail), peer) in suspects.into_iter().zip(peers(&asked)) {
            if let Some(protection) = peer {
                self.spare(&suspect, protection);
            } else if self.may_block(when.now_ms, &suspect) {
                // The previous ones may have used up the budget.
                let part = self.settings.budget.part(when.now_ms);
                self.budgets[suspect.rule.pool() as usize].add(part, 1);
                self.begin(when, &suspect, None, detail);
                self.detector.iter_mut().for_each(|detector| detector.release(suspect.source));
            }
        }
    }

    /// Whether a suspect is not blocked yet and nothing but a connection can protect it. Counts what prevents a block.
    fn may_block(&mut self, now_ms: u64, suspect: &Suspect) -> bool {
        if !self.is_open(suspect) {
            return false;
        }
        let pool = suspect.rule.pool();
        self.tally.since_ms.get_or_insert(now_ms);
        if let Some(protection) = self.protection_from_rules(now_ms, suspect.source) {
            self.spare(suspect, protection);
            return false;
        }
        if self.ledger.is_full(pool) {
            self.room_reached[pool as usize] = Some(now_ms);
            self.tally.full[pool as usize] += 1;
            return false;
        }
        let UsageStatus { used, limit } = self.budget(now_ms, pool);
        if used >= limit {
            self.budget_reached[pool as usize] = Some(now_ms);
            self.tally.over_budget[pool as usize] += 1;
            return false;
        }
        true
    }

    fn spare(&mut self, suspect: &Suspect, protection: Protection) {
        if self.has_line() {
            let (source, what) = (suspect.source, described(suspect));
            self.sentences.push(format!("guard: {source} is not blocked for {what}: {protection}"));
        } else {
            self.tally.spared += 1;
        }
    }

    fn has_line(&mut self) -> bool {
        self.tally.lines += 1;
        self.tally.lines <= LINES_A_MINUTE
    }

    fn begin(&mut self, when: When, suspect: &Suspect, length_ms: Option<u64>, detail: Detail) {
        let dry = self.settings.mode == Mode::Dry;
        let block = self.ledger.add(when, suspect, length_ms, dry);
        self.ledger.explain(suspect.source, detail);
        if !dry {
            self.begun[suspect.rule as usize] += 1;
            self.today = (when.today, self.begun_on(when.today) + 1);
        }
        self.dirty = true;
        if self.has_line() {
            let length = duration(block.until_ms.saturating_sub(when.now_ms) / 1000);
            let verb = if dry { "dry run: would block" } else { "blocked" };
            let (source, what) = (suspect.source, described(suspect));
            self.sentences.push(format!("guard: {verb} {source} for {length}: {what}"));
        } else {
            self.tally.since_ms.get_or_insert(when.now_ms);
            self.tally.unlogged += 1;
        }
        self.changes.push(Change::Blocked(block));
    }

    /// Blocks by hand, which the guard must be on for: neither the budget nor an earlier unblock prevents it.
    pub fn block(&mut self, when: When, request: BlockRequest) -> Result<(), Refusal> {
        let (now_ms, source) = (when.now_ms, request.source);
        let is_caller = request.callers.iter().any(|prefix| source.touches(*prefix));
        let protection = self.policy.protection(source).or(is_caller.then_some(Protection::Caller));
        if let Some(protection) = protection {
            return Err(Refusal::Protected(protection));
        }
        let manual =
            self.ledger.blocks.get(&source).is_some_and(|block| block.suspect.rule.pool() == Pool::Manual);
        if !manual && self.ledger.is_full(Pool::Manual) {
            self.room_reached[Pool::Manual as usize] = Some(now_ms);
            return Err(Refusal::Full(ledger::MANUAL_BLOCKS));
        }
        self.end(now_ms, source, End::Anew);
        self.by_hand = true;
        let suspect = Suspect::without_events(now_ms, source, Rule::Hand);
        let detail = Detail { words: request.reason, ..Detail::default() };
        self.begin(when, &suspect, request.length_ms, detail);
        Ok(())
    }

    /// Ends a block by hand; its source is exempt from the rules for [`ledger::PARDON_MS`]. False if it is not blocked.
    pub fn unblock(&mut self, now_ms: u64, source: Source) -> bool {
        if !self.end(now_ms, source, End::Hand) {
            return false;
        }
        self.by_hand = true;
        self.detector.iter_mut().for_each(|detector| detector.forget(source));
        self.sentences.push(format!("guard: the block of {source} was ended by hand"));
        true
    }

    /// Exempts a source from the rules for a day.
    pub fn pardon(&mut self, now_ms: u64, source: Source) {
        self.detector.iter_mut().for_each(|detector| detector.forget(source));
        self.ledger.pardon(now_ms, source);
        (self.dirty, self.by_hand) = (true, true);
    }

    /// Ends the blocks for which `why` gives a reason.
    fn release_where(&mut self, now_ms: u64, why: impl Fn(&Policy, &Block) -> Option<End>) {
        let reason = |block: &Block| Some((block.suspect.source, why(&self.policy, block)?));
        let over: Vec<(Source, End)> = self.ledger.blocks.values().filter_map(reason).collect();
        for (source, end) in over {
            if let End::Protected(protection) = end {
                self.sentences.push(format!("guard: {source} is no longer blocked: {protection}"));
            }
            self.end(now_ms, source, end);
        }
    }

    /// Ends a block. False if the source is not blocked.
    fn end(&mut self, now_ms: u64, source: Source, end: End) -> bool {
        let Some(block) = self.ledger.remove(now_ms, source, end) else { return false };
        self.changes.push(Change::Released(block, end));
        self.dirty = true;
        true
    }

    /// Sets the addresses that the router has and uses, and ends blocks of them. True if they changed.
    pub fn set_protected(&mut self, now_ms: u64, protected: Vec<(Prefix, Protection)>) -> bool {
        let changed = self.policy.set_protected(protected);
        if changed {
            self.release_protected(now_ms);
        }
        changed
    }

    fn release_protected(&mut self, now_ms: u64) {
        self.release_where(now_ms, |policy, block| {
            policy.protection(block.suspect.source).map(End::Protected)
        });
    }

    /// What protects this source from the rules, apart from connections, which must be looked up.
    pub fn protection_from_rules(&self, now_ms: u64, source: Source) -> Option<Protection> {
        let pardoned = || self.ledger.is_pardoned(now_ms, source).then_some(Protection::Pardoned);
        self.policy.protection(source).or_else(pardoned)
    }

    /// What was stored: blocks and records of an earlier run, and how many blocks the day had. Blocks that ended since
    /// then are remembered as those that end while the daemon runs.
    pub fn restore(
        &mut self,
        now_ms: u64,
        mut blocks: Vec<(Block, Option<Detail>)>,
        records: Vec<(Source, Record)>,
        ended: Vec<Ended>,
        today: (Option<Date>, u64),
    ) {
        let dry = self.settings.mode == Mode::Dry;
        records.into_iter().for_each(|(source, record)| self.ledger.remember(source, record));
        ended.into_iter().for_each(|ended| self.ledger.note_ended(ended));
        blocks.sort_unstable_by_key(|(block, _)| (block.until_ms, block.until_wall));
        for (block, detail) in blocks {
            if block.dry == dry && block.until_ms > now_ms {
                self.ledger.restore(block, detail);
            } else {
                self.ledger.restore_ended(now_ms, block, detail);
                self.dirty = true;
            }
        }
        self.today = today;
        self.release_protected(now_ms);
    }

    /// Takes an element of the kernel's set: its block ends no later than the element, and an unknown one is listed
    /// until its end.
    pub fn found(&mut self, when: When, source: Source, left_ms: u64) {
        let now_ms = when.now_ms;
        if self.ledger.blocks.contains_key(&source) {
            return self.ledger.shorten(source, now_ms.saturating_add(left_ms));
        }
        let unwanted = self.protection_from_rules(now_ms, source).is_some();
        if unwanted || self.ledger.is_full(Pool::Packets) || !self.is_on() {
            return;
        }
        let suspect = Suspect::without_events(now_ms, source, Rule::Found);
        self.ledger.add(when, &suspect, Some(left_ms.min(self.settings.lengths.cap_ms)), false);
        self.dirty = true;
    }
}

/// A block by hand.
#[derive(Clone, PartialEq, Debug)]
pub struct BlockRequest {
    pub source: Source,
    /// `None`: as long as a rule's block.
    pub length_ms: Option<u64>,
    pub reason: Option<String>,
    /// The addresses of the requesting client, which must not be blocked.
    pub callers: Vec<Prefix>,
}
