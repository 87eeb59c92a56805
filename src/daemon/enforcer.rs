//! Executes the guard's decisions on the machine: the kernel's table, the ledger's files, the addresses that are protected.

mod status;

use std::path::{Path, PathBuf};

use ubus::blobmsg::BlobMsgTable;

use super::callers;
use super::ledger::LedgerFile;
use super::networks::{GuardTest, NetworkBlocks, NetworkRequest, What};
use super::nft_sync::NftSync;
use super::notices::{Incomplete, Waiting};
use super::protected::{self, ProtectedAddresses};
use super::store::Storage;
use crate::config::Config;
use crate::daemon::nft::script::{BLOCKED, GuardSpec, LogSpec, NETWORKS, Spec, is_plain_interface};
use crate::fleet::shared::Shared;
use crate::guard::{BlockRequest, Change, Detail, End, Guard, Mode, Refusal, Scope, Source, Suspect, When};
use crate::live::{Engine, Now};
use crate::output::blobmsg::{Answered, BlockArguments, Length, Refused};
use crate::query::Answer;
use crate::query::answer::BlockRow;
use crate::query::question::Prefix;
use crate::query::record::Field;
use crate::query::target::Target;
use crate::record;
use crate::store::ledger::{Moment, SavedLedger};
use crate::sys::random;
use crate::ubus::{Status, blob};

/// Interval of reading the protected addresses, and their maximum age at the time of a new block.
const REFRESH_MS: u64 = 10_000;
const FRESH_MS: u64 = 1_000;
/// Most events queued for ubus.
const MAX_EVENTS: usize = 64;
/// Most blocks of one answer whose counters are read from the kernel.
const MAX_COUNTED: usize = 100;

record! {
    /// The event of a block that has ended.
    struct Released {
        address: String,
        because: String,
        dry: bool,
    }
}

/// Executes the guard's decisions: nftables, the ledger on disk, the protected addresses, ubus events.
#[derive(Default)]
pub(super) struct Enforcer {
    pub nft_sync: NftSync,
    pub ledger: LedgerFile,
    pub networks: NetworkBlocks,
    directory: PathBuf,
    protected: ProtectedAddresses,
    /// When the protected addresses were read last (milliseconds since boot).
    refreshed_ms: u64,
    clock_was_set: bool,
    /// Queued ubus events.
    pub events: Vec<Waiting>,
    /// The reached bounds that were reported by an event.
    reached: Vec<String>,
    /// NFLOG works, so rules may log to the group.
    can_log: bool,
    /// It was logged that nothing can be blocked.
    failing: bool,
    /// Sources that many routers of the fleet saw.
    pub shared: Option<Shared>,
}

/// Now on both clocks.
fn moment(now: Now, engine: &Engine, storage: &Storage) -> Moment {
    let wall = engine.clock.is_set().then_some(now.wall);
    Moment { boot: storage.boot.clone(), boot_ms: now.boot_ms, wall }
}

/// The time of a decision that is made now.
fn when(now: Now, engine: &Engine) -> When {
    let wall = engine.clock.is_set().then_some(now.wall);
    When { now_ms: now.boot_ms, wall, today: engine.date() }
}

impl Enforcer {
    /// Restores the blocks of an earlier run. `directory`: UCI's; `run`: the daemon's in RAM.
    #[inline(never)]
    pub(super) fn start(
        now: Now,
        config: &Config,
        engine: &mut Engine,
        storage: &mut Storage,
        (directory, run): (&Path, &Path),
    ) -> Enforcer {
        let mut enforcer = Enforcer {
            nft_sync: NftSync::new(),
            ledger: LedgerFile::new(run),
            directory: directory.to_owned(),
            clock_was_set: engine.clock.is_set(),
            ..Enforcer::default()
        };
        let moment = moment(now, engine, storage);
        let stored = enforcer.ledger.read(&moment, storage);
        let over = enforcer.networks.restore(&moment, storage, &mut engine.guard);
        enforcer.set(now, config, engine);
        if let Some(stored) = stored {
            let SavedLedger { blocks, records, ended, today, .. } = stored;
            engine.guard.restore(now.boot_ms, blocks, records, ended, today);
        }
        engine.guard.note_networks_over(now.boot_ms, over);
        enforcer
    }

    /// Applies the options.
    pub(super) fn set(&mut self, now: Now, config: &Config, engine: &mut Engine) {
        engine.guard.set(now.boot_ms, config.guard.clone(), random::number());
        self.refresh_protected(now, engine, 0);
        self.networks.database = PathBuf::from(&config.country_database);
        self.networks.change_policy();
        self.update_spec(now, config, engine);
    }

    /// When the protected addresses are to be read again, if anything depends on them and the default routes.
    fn refresh_at(&self, config: &Config, engine: &Engine) -> Option<u64> {
        let uses_them = engine.guard.settings.mode != Mode::Off || config.watch_egress;
        uses_them.then_some(self.refreshed_ms + REFRESH_MS)
    }

    /// Reads the protected addresses again, unless they were read less than `age_ms` ago.
    fn refresh_protected(&mut self, now: Now, engine: &mut Engine, age_ms: u64) {
        if now.boot_ms < self.refreshed_ms + age_ms {
            return;
        }
        self.refreshed_ms = now.boot_ms;
        self.protected = protected::read(&self.directory);
        if engine.guard.set_protected(now.boot_ms, self.protected.prefixes.clone()) {
            self.networks.change_policy();
        }
    }

    /// The shared sources that are not protected.
    pub(super) fn shared_in_force(&self, now: Now, engine: &Engine) -> Vec<Source> {
        let guard = &engine.guard;
        let is_free = |source: &&Source| guard.protection_from_rules(now.boot_ms, **source).is_none();
        let shared = self.shared.iter().filter(|_| guard.is_on()).flat_map(|shared| &shared.sources);
        shared.filter(is_free).copied().collect()
    }

    /// Sets the wanted state of the kernel's table.
    fn update_spec(&mut self, now: Now, config: &Config, engine: &Engine) {
        let zone = if let [zone] = &config.zone[..] { Some(zone.clone()) } else { None };
        let log = self.can_log.then_some(LogSpec { group: config.nflog_group, zone });
        let names = self.protected.outside.iter().filter(|name| is_plain_interface(name)).cloned();
        let outside: Vec<String> = names.collect();
        let guard = (engine.guard.settings.mode != Mode::Off).then(|| GuardSpec {
            enforce: engine.guard.is_on(),
            all: engine.guard.settings.scope == Scope::All,
            size: engine.guard.ledger.lengths.limit_of_all(),
            outside: outside.clone(),
            shared: self.shared_in_force(now, engine),
        });
        let egress = (config.watch_egress && !outside.is_empty()).then_some(outside);
        self.nft_sync.set(Spec { guard, log, egress });
    }

    /// When [`Enforcer::turn`] has something to do, in milliseconds since boot.
    pub(super) fn deadline(&self, config: &Config, engine: &Engine) -> Option<u64> {
        let networks = self.networks.deadline(&engine.guard, &self.nft_sync);
        let (guard, refresh) = (engine.guard.deadline(), self.refresh_at(config, engine));
        let all = [self.nft_sync.deadline(), self.ledger.deadline(), guard, refresh, networks];
        all.into_iter().flatten().min()
    }

    /// Does everything that is due. Returns the lines to log.
    #[inline(never)]
    pub(super) fn turn(
        &mut self,
        now: Now,
        config: &Config,
        can_log: bool,
        engine: &mut Engine,
        storage: &mut Storage,
    ) -> Vec<String> {
        let moment = moment(now, engine, storage);
        if let Some(wall) = moment.wall.filter(|_| !self.clock_was_set) {
            engine.guard.ledger.clock_set(now.boot_ms, wall);
            engine.guard.networks.clock_set(now.boot_ms, wall);
        }
        self.clock_was_set = moment.wall.is_some();
        let is_due = self.refresh_at(config, engine).is_some_and(|at| now.boot_ms >= at);
        if is_due {
            self.refresh_protected(now, engine, 0);
        }
        if std::mem::replace(&mut self.can_log, can_log) != can_log || is_due {
            self.update_spec(now, config, engine);
        }
        engine.guard.on_time(now.boot_ms);
        self.forward_changes(now, engine);
        if std::mem::take(&mut engine.guard.ledger.shortened) {
            self.nft_sync.renew();
        }
        self.nft_sync.turn(when(now, engine), &mut engine.guard);
        for target in engine.guard.expire_networks(now.boot_ms) {
            engine.guard.sentences.push(format!("guard: the block of {target} is over"));
            let dry = engine.guard.settings.mode == Mode::Dry;
            self.push_released(target.to_string(), End::Expired.to_string(), dry);
        }
        self.networks.turn(&moment, engine, &self.nft_sync, storage);
        self.ledger.on_time(&moment, &mut engine.guard, storage);
        self.nft_sync.other_port = self.networks.port;
        let why = self.nft_sync.why(now.boot_ms);
        if why.is_some() != self.failing {
            self.failing = why.is_some();
            engine.guard.sentences.push(match why {
                Some(why) if self.nft_sync.is_up() => format!("guard: its table stays as it was: {why}"),
                Some(why) => format!("guard: nothing can be blocked: {why}"),
                None => "guard: blocks are in force again".to_string(),
            });
        }
        self.report_reached(now, engine);
        std::mem::take(&mut engine.guard.sentences)
    }

    /// Makes one event for each bound that keeps suspects from being blocked.
    fn report_reached(&mut self, now: Now, engine: &Engine) {
        let reached = engine.guard.reached(now.boot_ms);
        for because in &reached {
            if !self.reached.contains(because) {
                let event = Incomplete { what: "guard", because: because.clone() };
                self.push_event("fwstat.incomplete", Box::new(event));
            }
        }
        self.reached = reached;
    }

    /// Passes changes to the kernel and to ubus.
    fn forward_changes(&mut self, now: Now, engine: &mut Engine) {
        for change in std::mem::take(&mut engine.guard.changes) {
            self.nft_sync.note(&change);
            match &change {
                Change::Blocked(block) => {
                    self.push_event("fwstat.block", Box::new(engine.block_row(now, block)));
                }
                Change::Released(block, end) => {
                    self.push_released(block.suspect.source.to_string(), end.to_string(), block.dry);
                }
            }
        }
    }

    /// Queues the event that a block has ended.
    fn push_released(&mut self, address: String, because: String, dry: bool) {
        self.push_event("fwstat.unblock", Box::new(Released { address, because, dry }));
    }

    /// Queues an event; beyond [`MAX_EVENTS`] it is dropped.
    fn push_event(&mut self, name: &'static str, data: Box<dyn Field>) {
        if self.events.len() < MAX_EVENTS {
            self.events.push((name, data));
        }
    }

    /// Decides about suspects, each with its evidence.
    pub(super) fn judge(&mut self, now: Now, engine: &mut Engine, suspects: Vec<(Suspect, Detail)>) {
        if suspects.iter().any(|(suspect, _)| engine.guard.is_open(suspect)) {
            self.refresh_protected(now, engine, FRESH_MS);
            let when = when(now, engine);
            engine.guard.judge(when, suspects, |suspects| self.nft_sync.peers(now.boot_ms, suspects));
        }
    }

    /// `None`: the answer with this number follows.
    pub(super) fn block(
        &mut self,
        now: Now,
        engine: &mut Engine,
        number: u64,
        request: BlockArguments,
    ) -> Option<Answered> {
        self.refresh_protected(now, engine, 0);
        let mut callers: Vec<Prefix> = request.caller.into_iter().collect();
        if request.through_web {
            callers.extend(callers::of_the_web(&self.directory));
        }
        if engine.guard.settings.mode == Mode::Off {
            return Some(Err(off()));
        }
        let BlockArguments { targets, is_list, length, reason, .. } = request;
        let given_ms = match length {
            Length::Seconds(seconds) => Some(seconds.saturating_mul(1000)),
            Length::Default | Length::Forever => None,
        };
        // A single source is blocked as by a rule, for the given or the rules' time.
        if let ([target], false, false) = (&targets[..], is_list, length == Length::Forever)
            && let Some(source) = target.source()
        {
            let request = BlockRequest { source, length_ms: given_ms, reason, callers };
            return Some(self.block_source(now, engine, request));
        }
        let default = (length == Length::Default).then_some(engine.guard.settings.lengths.first_ms);
        let length_ms = given_ms.or(default);
        let what = What::Block { length_ms, reason, is_list };
        self.networks.ask(NetworkRequest { number, targets, what, callers });
        None
    }

    /// Blocks a single source by hand.
    fn block_source(&mut self, now: Now, engine: &mut Engine, request: BlockRequest) -> Answered {
        let (source, when) = (request.source, when(now, engine));
        engine.guard.block(when, request).map_err(|refusal| refused(refusal, source))?;
        self.forward_changes(now, engine);
        // At once, so that the answer says whether the kernel has it.
        self.nft_sync.turn(when, &mut engine.guard);
        if engine.guard.is_on()
            && self.nft_sync.is_pending(source)
            && let Some(why) = self.nft_sync.why(now.boot_ms)
        {
            return Err((Status::UNKNOWN_ERROR, format!("noted, but not in force yet: {why}")));
        }
        let row = engine.guard.ledger.blocks.get(&source).map(|block| BlockRow {
            pending: !block.dry && self.nft_sync.is_pending(source),
            ..engine.block_row(now, block)
        });
        Ok(row.map_or_else(BlobMsgTable::empty, |row| blob::table(&row)))
    }

    /// Whether a rule would block this address now, or somebody could block this network or country, and what protects
    /// it. Nothing is changed. `None`: the answer with this number follows.
    pub(super) fn test(
        &mut self,
        now: Now,
        engine: &mut Engine,
        number: u64,
        target: Target,
    ) -> Option<Answered> {
        if engine.guard.settings.mode == Mode::Off {
            return Some(Err(off()));
        }
        self.refresh_protected(now, engine, FRESH_MS);
        let Some(source) = target.source() else {
            let (targets, callers) = (vec![target], Vec::new());
            self.networks.ask(NetworkRequest { number, targets, what: What::Test, callers });
            return None;
        };
        // Of a flood, whose packets can be forged.
        let suspect = Suspect { source, ..Suspect::default() };
        let peer = || self.nft_sync.peers(now.boot_ms, &[suspect]).into_iter().flatten().next();
        let protection = engine.guard.protection_from_rules(now.boot_ms, source).or_else(peer);
        Some(Ok(blob::table(&GuardTest {
            address: source.to_string(),
            would_block: protection.is_none(),
            protected_by: protection.map(|protection| protection.to_string()),
            warning: None,
        })))
    }

    /// Ends blocks of the target; the error: there is none.
    pub(super) fn unblock(&mut self, now: Now, engine: &mut Engine, target: Target) -> Answered {
        let from_list = self.networks.unblock(now, &mut engine.guard, target);
        let ended = target.source().is_some_and(|source| engine.guard.unblock(now.boot_ms, source));
        if !from_list && !ended {
            return Err((Status::NOT_FOUND, format!("{target} is not blocked")));
        }
        let shown = target.source().map_or_else(|| target.to_string(), |source| source.to_string());
        if from_list {
            let dry = engine.guard.settings.mode == Mode::Dry;
            self.push_released(shown.clone(), End::Hand.to_string(), dry);
        }
        self.forward_changes(now, engine);
        Ok(blob::table(&[("address", &shown as &dyn Field)]))
    }

    /// Adds the kernel's state of blocks to an answer: counters, and which blocks are pending.
    pub(super) fn add_kernel_state(&mut self, guard: &Guard, answer: &mut Answer) {
        let rows: Vec<&mut BlockRow> = match answer {
            Answer::Blocks(blocks) => blocks.blocks.iter_mut().collect(),
            Answer::Source(source) => source.block.iter_mut().map(Box::as_mut).collect(),
            _ => return,
        };
        for (number, row) in rows.into_iter().filter(|row| !row.dry).enumerate() {
            // A country is no prefix.
            let prefix = Prefix::parse(&row.address).ok();
            let sets = if row.kind.is_empty() { BLOCKED } else { NETWORKS };
            row.pending = if sets == NETWORKS {
                self.networks.is_pending(guard, &self.nft_sync)
            } else {
                prefix.and_then(Source::from_prefix).is_some_and(|source| self.nft_sync.is_pending(source))
            };
            if !row.pending && (sets == NETWORKS || number < MAX_COUNTED) {
                row.dropped = prefix.and_then(|prefix| self.nft_sync.dropped(sets, prefix));
            }
        }
    }

    /// Writes the ledger and removes the table. The sentence says what went wrong.
    pub(super) fn stop(&mut self, now: Now, engine: &mut Engine, storage: &mut Storage) -> Option<String> {
        let moment = moment(now, engine, storage);
        self.ledger.stop(&moment, &mut engine.guard, storage);
        self.networks.stop(&moment, &engine.guard, storage);
        self.nft_sync.stop().err().map(|why| format!("guard: the table is not deleted: {why}"))
    }
}

/// The answer to all who would change blocks while the guard is off.
fn off() -> Refused {
    (
        Status::NOT_SUPPORTED,
        "the guard is off: switch it on with uci set fwstat.guard.enabled=1; uci commit fwstat; \
         /etc/init.d/fwstat reload"
            .into(),
    )
}

/// The answer to a request that was refused.
fn refused(refusal: Refusal, source: Source) -> Refused {
    let why = format!("{source} is not blocked");
    match refusal {
        Refusal::Protected(protection) => (Status::PERMISSION_DENIED, format!("{why}: {protection}")),
        Refusal::Full(most) => {
            (Status::UNKNOWN_ERROR, format!("{why}: the limit of blocks by hand ({most}) is reached"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_limit_of_blocks_by_hand() {
        let refused = refused(Refusal::Full(256), Source::V4(0xc633_6407));
        let wanted = "198.51.100.7 is not blocked: the limit of blocks by hand (256) is reached";
        assert_eq!(refused, (Status::UNKNOWN_ERROR, wanted.into()));
    }
}
