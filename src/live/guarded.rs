//! The rows about blocked sources and networks, for `blocks`, `source` and ubus events. Takes the guard's ledger, gives
//! rows. Changes nothing.

use crate::event::calendar::duration_text;
use crate::guard::networks::NetworkBlock;
use crate::guard::ranges::Ranges;
use crate::guard::{Block, Ended, Guard, HAND, Mode, Over, Rule, Source, described, service_text};
use crate::query::Answer;
use crate::query::answer::{BlockCounts, BlockRow, BlocksAnswer, Completeness, EndedRow, SourceRow};
use crate::query::question::{Prefix, Question};
use crate::query::target::Target;

use super::{Engine, Now};

impl Engine {
    /// The newest first.
    pub(super) fn blocks(&self, now: Now, question: &Question) -> BlocksAnswer {
        let asked =
            |block: &&Block| question.source.is_none_or(|prefix| block.suspect.source.touches(prefix));
        let sources = self.guard.ledger.blocks.values().filter(asked);
        let fits =
            |block: &&NetworkBlock| question.source.is_none_or(|prefix| is_within(prefix, block.target));
        let networks = self.guard.networks.blocks.iter().filter(fits);
        let mut blocks: Vec<(u64, Listed<'_>)> = sources
            .map(|block| (block.since_ms, Listed::Source(block)))
            .chain(networks.map(|block| (block.since_ms, Listed::Network(block))))
            .collect();
        blocks.sort_by_key(|(since_ms, _)| std::cmp::Reverse(*since_ms));
        let skipped = usize::try_from(question.cursor).unwrap_or(usize::MAX).min(blocks.len());
        let end = blocks.len().min(skipped + question.limit as usize);
        let row = |(_, block): &(u64, Listed<'_>)| match block {
            Listed::Source(block) => self.block_row(now, block),
            Listed::Network(block) => self.network_row(now, block),
        };
        let rows = blocks[skipped..end].iter().map(row).collect();
        let cursor = (end < blocks.len()).then_some(end as u64);
        let history = (question.cursor == 0).then(|| self.history(now, question));
        let completeness = Completeness::from_reasons(&[]);
        BlocksAnswer { blocks: rows, history, guard: None, cursor, completeness }
    }

    /// The ended blocks, the newest first.
    fn history(&self, now: Now, question: &Question) -> Vec<EndedRow> {
        let touches = |ended: &Ended, prefix| match &ended.over {
            Over::Source(block) => block.suspect.source.touches(prefix),
            Over::Network(block, _) => is_within(prefix, block.target),
        };
        let asked = |ended: &&Ended| question.source.is_none_or(|prefix| touches(ended, prefix));
        let over = self.guard.ledger.ended.iter().rev().filter(asked).take(question.limit as usize);
        over.map(|ended| self.ended_row(now, ended)).collect()
    }

    fn ended_row(&self, now: Now, ended: &Ended) -> EndedRow {
        let row = match &ended.over {
            Over::Source(block) => {
                let reason = ended.words.clone().unwrap_or_else(|| described(&block.suspect));
                BlockRow { reason, ..self.block_row(now, block) }
            }
            Over::Network(block, dry) => BlockRow { dry: *dry, ..self.network_row(now, block) },
        };
        let BlockRow { address, since, reason, rule, count, window, times, dry, kind, .. } = row;
        let because = ended.end.to_string();
        let ended = self.moment(ended.ended_ms, ended.ended_wall);
        EndedRow { address, since, ended, reason, rule, count, window, times, because, dry, kind }
    }

    /// The label of a past time: by its wall time, if that was noted.
    pub(super) fn moment(&self, boot_ms: u64, wall: Option<i64>) -> String {
        match wall.filter(|_| self.clock.is_set()) {
            Some(wall) => self.calendar.rfc3339(wall),
            None => self.label(boot_ms),
        }
    }

    /// A block as a row of answers and events.
    pub fn block_row(&self, now: Now, block: &Block) -> BlockRow {
        let detail = self.guard.ledger.details.get(&block.suspect.source);
        let words = detail.and_then(|detail| detail.words.clone());
        let last = detail.and_then(|detail| detail.last);
        let ruled = !matches!(block.suspect.rule, Rule::Hand | Rule::Found);
        let seen = |moment| ruled.then(|| self.label(moment));
        BlockRow {
            address: block.suspect.source.to_string(),
            since: self.moment(block.since_ms, block.since_wall),
            expires: Some(self.expiry(now, block.until_ms, block.until_wall)),
            reason: words.unwrap_or_else(|| described(&block.suspect)),
            rule: block.suspect.rule.name().to_string(),
            count: block.suspect.count.into(),
            window: duration_text(block.suspect.window_ms / 1000),
            evidence: detail.map(|detail| detail.lines.clone()).unwrap_or_default(),
            times: block.times,
            first_seen: seen(block.suspect.first_ms),
            last_seen: seen(block.suspect.last_ms),
            last_address: last.filter(|address| !address.is_v4()).map(|address| address.to_string()),
            services: block.suspect.services.iter().map(service_text).collect(),
            dry: block.dry,
            ..BlockRow::default()
        }
    }

    /// A blocked network as a row of answers and events.
    pub fn network_row(&self, now: Now, block: &NetworkBlock) -> BlockRow {
        BlockRow {
            address: block.target.to_string(),
            since: self.moment(block.since_ms, block.since_wall),
            expires: block.until_ms.map(|until| self.expiry(now, until, block.until_wall)),
            reason: block.reason.clone().unwrap_or_else(|| HAND.to_string()),
            rule: Rule::Hand.name().to_string(),
            window: duration_text(0),
            times: 1,
            dry: self.guard.settings.mode == Mode::Dry,
            kind: if matches!(block.target, Target::Country(_)) { "country" } else { "network" }.to_string(),
            ..BlockRow::default()
        }
    }

    fn expiry(&self, now: Now, until_ms: u64, until_wall: Option<i64>) -> String {
        if !self.clock.is_set() {
            return self.label(until_ms);
        }
        let ahead = until_ms.saturating_sub(now.boot_ms).div_ceil(1000);
        let wall = until_wall.unwrap_or_else(|| now.wall.saturating_add_unsigned(ahead));
        self.calendar.rfc3339(wall)
    }

    /// Adds the guard's state to an answer.
    pub(super) fn add_blocks(&self, now: Now, question: &Question, answer: &mut Answer) {
        let guard = &self.guard;
        match answer {
            Answer::Summary(summary) => {
                let today = guard.begun_on(self.date());
                summary.blocks = Some(BlockCounts { active: guard.active(), today });
                summary.sources.iter_mut().for_each(|row| row.blocked = blocked(guard, row));
            }
            Answer::Sources(sources) => {
                sources.sources.iter_mut().for_each(|row| row.blocked = blocked(guard, row));
            }
            Answer::Source(source) => {
                source.row.blocked = blocked(guard, &source.row);
                let asked = question.source.map(|prefix| Source::of(prefix.network));
                let block = asked.and_then(|asked| guard.ledger.blocks.get(&asked));
                let row = block.map(|block| self.block_row(now, block));
                let network = || Some(self.network_row(now, network_of(guard, &source.row)?));
                source.block = row.or_else(network).map(Box::new);
            }
            _ => {}
        }
    }

    /// The newest lines about a source.
    pub fn lines_of(&self, source: Source, most: usize, longest: usize) -> Vec<String> {
        let mut lines = self.newest_lines(most, |held| Source::of(held.event.source) == source);
        for line in &mut lines {
            let cut = (0..=longest.min(line.len())).rev().find(|at| line.is_char_boundary(*at));
            line.truncate(cut.unwrap_or(0));
        }
        lines
    }
}

/// A row of `blocks`.
enum Listed<'a> {
    Source(&'a Block),
    Network(&'a NetworkBlock),
}

/// Whether some address belongs to both; of a country this is not known.
fn is_within(prefix: Prefix, target: Target) -> bool {
    match target {
        Target::Network(network) => Ranges::of_prefixes(std::iter::once(network)).touches(prefix),
        Target::Country(_) => false,
    }
}

/// Whether a row's source is blocked; `None` while the guard is off.
fn blocked(guard: &Guard, row: &SourceRow) -> Option<bool> {
    if guard.settings.mode == Mode::Off {
        return None;
    }
    let source = Source::from_prefix(Prefix::parse(&row.address).ok()?)?;
    let by_itself = guard.ledger.blocks.get(&source).is_some_and(|block| !block.dry);
    Some(by_itself || guard.is_on() && network_of(guard, row).is_some())
}

/// The blocked network or country that a source belongs to.
fn network_of<'a>(guard: &'a Guard, row: &SourceRow) -> Option<&'a NetworkBlock> {
    let address = Prefix::parse(&row.address).ok()?;
    let hits = |block: &&NetworkBlock| match block.target {
        Target::Country(_) => row.country.as_deref() == Some(block.target.to_string().as_str()),
        Target::Network(network) => network.contains(address.network),
    };
    let block = guard.networks.blocks.iter().find(hits)?;
    guard.policy.protection(Source::of(address.network)).is_none().then_some(block)
}
