//! The guard with all that it needs of the machine: the kernel's table, the ledger's files, the router's
//! surroundings.

use std::path::{Path, PathBuf};

use ubus::blobmsg::BlobMsgTable;

use super::callers;
use super::fence::Fence;
use super::ledger::LedgerFile;
use super::store::Places;
use super::surroundings::{self, Surroundings};
use crate::config::{Config, GuardMode, Rate, Scope};
use crate::guard::detector::Limits;
use crate::guard::{Change, Detail, Limit, Mode, Protection, Refusal, Settings, Source, Suspect, Wish};
use crate::hash::fold;
use crate::live::{Engine, Now};
use crate::nft::script::{GuardSpec, LogSpec, Spec, is_plain_interface};
use crate::output::blobmsg::{AnswerError, BlockWish};
use crate::query::Answer;
use crate::query::answer::{BlockRow, GuardStatus};
use crate::query::question::Prefix;
use crate::record;
use crate::record::Field;
use crate::ubus::blob;

/// How often the surroundings are looked at, and how old a look may be when somebody is to be blocked.
const LOOK_MS: u64 = 10_000;
const FRESH_MS: u64 = 1_000;
/// Events that wait for the bus.
const MOST_EVENTS: usize = 64;
/// Blocks whose counters one answer asks the kernel for.
const MOST_COUNTED: usize = 100;

/// What the bus is told when a block has ended.
struct Released {
    address: String,
    because: String,
    dry: bool,
}

record! { Released: address, because, dry; }

pub struct Guarding {
    pub fence: Fence,
    pub ledger: LedgerFile,
    directory: PathBuf,
    around: Surroundings,
    looked_ms: Option<u64>,
    clock_was_set: bool,
    seed: u64,
    /// What the bus is to be told.
    events: Vec<(&'static str, Box<dyn Field>)>,
    /// NFLOG works, so rules may log to the group.
    can_log: bool,
}

fn limit(rate: Rate) -> Limit {
    Limit { count: rate.count, window_ms: rate.window.as_millis() as u64 }
}

fn settings(config: &Config) -> Settings {
    let guard = &config.guard;
    Settings {
        mode: match guard.enabled {
            GuardMode::Off => Mode::Off,
            GuardMode::On => Mode::On,
            GuardMode::Dry => Mode::Dry,
        },
        limits: Limits { flood: limit(guard.flood), scan: limit(guard.scan), login: limit(guard.login) },
        block_for_ms: guard.block_for.as_millis() as u64,
        block_cap_ms: guard.block_cap.as_millis() as u64,
        budget: limit(guard.budget),
        max_blocks: guard.max_blocks,
        allow: guard.allow.clone(),
    }
}

/// A number that nobody outside knows.
fn seed() -> u64 {
    let random = std::fs::read("/proc/sys/kernel/random/uuid").unwrap_or_default();
    random
        .iter()
        .fold(0x9e37_79b9_7f4a_7c15, |seed, byte| fold(seed ^ u64::from(*byte), 0xd1b5_4a32_d192_ed03))
}

fn instant(now: Now, engine: &Engine) -> Option<i64> {
    engine.clock_is_set().then_some(now.wall)
}

impl Guarding {
    #[inline(never)]
    pub fn start(
        now: Now,
        config: &Config,
        engine: &mut Engine,
        places: &mut Places,
        (directory, run): (&Path, &Path),
    ) -> Guarding {
        let mut guarding = Guarding {
            fence: Fence::default(),
            ledger: LedgerFile::new(run, places.boot()),
            directory: directory.to_owned(),
            around: Surroundings::default(),
            looked_ms: None,
            clock_was_set: engine.clock_is_set(),
            seed: seed(),
            events: Vec::new(),
            can_log: false,
        };
        let wall = instant(now, engine);
        let kept = guarding.ledger.read(now, wall, places);
        guarding.set(now, config, engine);
        if let Some(kept) = kept {
            let (blocks, records) = (kept.blocks.into_iter(), kept.records.into_iter());
            engine.guard.restore(now.boot_ms, blocks, records, kept.ended.into_iter(), kept.today);
        }
        guarding
    }

    /// The options that hold from now on.
    pub fn set(&mut self, now: Now, config: &Config, engine: &mut Engine) {
        engine.guard.set(now.boot_ms, settings(config), self.seed);
        self.look(now, engine, 0);
        self.shape(config, engine);
    }

    /// Whether anything depends on what is around.
    fn looks(config: &Config, engine: &Engine) -> bool {
        engine.guard.mode() != Mode::Off || config.watch_egress
    }

    fn look(&mut self, now: Now, engine: &mut Engine, age_ms: u64) {
        if self.looked_ms.is_some_and(|at| now.boot_ms < at.saturating_add(age_ms)) {
            return;
        }
        self.looked_ms = Some(now.boot_ms);
        self.around = surroundings::look(&self.directory);
        engine.guard.set_surroundings(now.boot_ms, self.around.protected.clone());
    }

    /// What the kernel's table shall be.
    fn shape(&mut self, config: &Config, engine: &Engine) {
        let zone = if let [zone] = &config.zone[..] { Some(zone.clone()) } else { None };
        let log = self.can_log.then_some(LogSpec { group: config.nflog_group, zone });
        let guard = (engine.guard.mode() != Mode::Off).then(|| GuardSpec {
            enforce: engine.guard.is_on(),
            all: config.guard.scope == Scope::All,
            size: config.guard.max_blocks,
        });
        let names = self.around.outside.iter().filter(|name| is_plain_interface(name)).cloned();
        let outside: Vec<String> = names.collect();
        let egress = (config.watch_egress && !outside.is_empty()).then_some(outside);
        self.fence.set(Spec { guard, log, egress });
    }

    pub fn deadline(&self, config: &Config, engine: &Engine) -> Option<u64> {
        let look = self.looked_ms.filter(|_| Guarding::looks(config, engine)).map(|at| at + LOOK_MS);
        [self.fence.deadline(), self.ledger.deadline(), engine.guard.deadline(), look]
            .into_iter()
            .flatten()
            .min()
    }

    /// Everything that is due. Gives what is to be logged.
    #[inline(never)]
    pub fn turn(
        &mut self,
        now: Now,
        config: &Config,
        can_log: bool,
        engine: &mut Engine,
        places: &mut Places,
    ) -> Vec<String> {
        let wall = instant(now, engine);
        if let Some(wall) = wall.filter(|_| !self.clock_was_set) {
            engine.guard.ledger.clock_set(now.boot_ms, wall);
        }
        self.clock_was_set = wall.is_some();
        if Guarding::looks(config, engine) && self.looked_ms.is_none_or(|at| now.boot_ms >= at + LOOK_MS) {
            self.look(now, engine, 0);
            self.shape(config, engine);
        }
        if self.can_log != can_log {
            self.can_log = can_log;
            self.shape(config, engine);
        }
        engine.guard.on_time(now.boot_ms);
        self.pass_on(now, engine);
        if engine.guard.ledger.take_shortened() {
            self.fence.renew();
        }
        let before = self.fence.why.clone();
        self.fence.turn(now, wall, &mut engine.guard);
        self.ledger.on_time(now, wall, &mut engine.guard, places);
        let mut sentences = engine.guard.sentences();
        if self.fence.why != before {
            sentences.push(match &self.fence.why {
                Some(why) => format!("guard: nothing can be blocked: {why}"),
                None => "guard: blocks are in force again".to_string(),
            });
        }
        sentences
    }

    /// Tells the kernel and the bus what changed.
    fn pass_on(&mut self, now: Now, engine: &mut Engine) {
        for change in engine.guard.changes() {
            self.fence.note(&change);
            let (name, data) = match &change {
                Change::Blocked(block) => {
                    ("fwstat.block", Box::new(engine.block_row(now, block)) as Box<dyn Field>)
                }
                Change::Released(block, end) => {
                    let because = end.to_string();
                    let address = block.source.to_string();
                    (
                        "fwstat.unblock",
                        Box::new(Released { address, because, dry: block.dry }) as Box<dyn Field>,
                    )
                }
            };
            if self.events.len() < MOST_EVENTS {
                self.events.push((name, data));
            }
        }
    }

    /// What the bus is to be told now.
    pub fn events(&mut self) -> Vec<(&'static str, Box<dyn Field>)> {
        std::mem::take(&mut self.events)
    }

    /// `lines`: log lines of the suspect.
    pub fn judge(&mut self, now: Now, engine: &mut Engine, suspect: &Suspect, lines: Vec<String>) {
        if !engine.guard.is_open(suspect) {
            return;
        }
        self.look(now, engine, FRESH_MS);
        let is_peer = self.fence.is_peer(suspect.source);
        let (wall, today) = (instant(now, engine), engine.date());
        if engine.guard.judge(now.boot_ms, wall, today, suspect, is_peer) {
            engine.guard.ledger.explain(suspect.source, Detail { words: None, lines });
        }
    }

    pub fn block(
        &mut self,
        now: Now,
        engine: &mut Engine,
        wish: BlockWish,
    ) -> Result<BlobMsgTable, AnswerError> {
        self.look(now, engine, 0);
        let mut callers: Vec<Prefix> = wish.caller.into_iter().collect();
        if wish.through_web {
            callers.extend(callers::of_the_web(&self.directory));
        }
        let wish = Wish {
            prefix: wish.address,
            length_ms: wish.seconds.map(|seconds| seconds.saturating_mul(1000)),
            reason: wish.reason,
            refuse: callers.into_iter().map(|caller| (caller, Protection::Caller)).collect(),
        };
        let (wall, today) = (instant(now, engine), engine.date());
        let source =
            engine.guard.block(now.boot_ms, wall, today, &wish).map_err(|refusal| refused(refusal, &wish))?;
        self.pass_on(now, engine);
        if engine.guard.is_on() && self.fence.why.is_some() {
            let why = self.fence.why.clone().unwrap_or_default();
            return Err(AnswerError::Failed(format!("noted, but not in force yet: {why}")));
        }
        let row = engine.guard.ledger.get(source).map(|block| engine.block_row(now, block));
        Ok(row.map_or_else(BlobMsgTable::empty, |row| blob::table(&row)))
    }

    pub fn unblock(
        &mut self,
        now: Now,
        engine: &mut Engine,
        address: Prefix,
    ) -> Result<BlobMsgTable, AnswerError> {
        let wish = Wish { prefix: address, length_ms: None, reason: None, refuse: Vec::new() };
        let source = engine.guard.unblock(now.boot_ms, address).map_err(|refusal| refused(refusal, &wish))?;
        self.pass_on(now, engine);
        Ok(blob::table(&[("address", &source.to_string() as &dyn Field)]))
    }

    /// Puts the kernel's counters into an answer.
    pub fn count_dropped(&mut self, answer: &mut Answer) {
        let rows: Vec<&mut BlockRow> = match answer {
            Answer::Blocks(blocks) => blocks.blocks.iter_mut().take(MOST_COUNTED).collect(),
            Answer::Source(source) => source.block.iter_mut().map(Box::as_mut).collect(),
            _ => return,
        };
        for row in rows {
            let source = Prefix::parse(&row.address).ok().and_then(Source::from_prefix);
            row.dropped = source.filter(|_| !row.dry).and_then(|source| self.fence.dropped(source));
        }
    }

    pub fn status(&self, now: Now, config: &Config, engine: &Engine) -> GuardStatus {
        let guard = &engine.guard;
        let (state, why) = match guard.mode() {
            Mode::Off => ("off", config.guard.refused.clone()),
            _ if self.fence.why.is_some() => ("degraded", self.fence.why.clone()),
            _ if !self.fence.is_up() => ("starting", None),
            Mode::Dry => ("dry", None),
            Mode::On if guard.was_full(now.boot_ms) => (
                "degraded",
                Some(format!("max_blocks ({}) is reached: more sources are not blocked", guard.max_blocks())),
            ),
            Mode::On => ("on", None),
        };
        GuardStatus { enabled: guard.mode() != Mode::Off, state: state.to_string(), why }
    }

    /// What somebody should look at.
    pub fn warnings(&self, config: &Config) -> Vec<String> {
        let mut warnings: Vec<String> = self.ledger.trouble.iter().cloned().collect();
        if config.watch_egress && self.around.outside.is_empty() {
            warnings.push("watch_egress: no default route tells which interface leads outside".into());
        } else if config.watch_egress && self.fence.why.is_some() {
            warnings.push("watch_egress: nothing is watched, since nft fails".into());
        } else if config.watch_egress && !self.can_log {
            warnings.push("watch_egress: nothing is logged without the input nflog".into());
        }
        warnings
    }

    pub fn stop(&mut self, now: Now, engine: &mut Engine, places: &mut Places) -> Option<String> {
        self.ledger.stop(now, instant(now, engine), &mut engine.guard, places);
        self.fence
            .stop(|| super::now().boot_ms)
            .err()
            .map(|why| format!("guard: the table stays behind: {why}"))
    }
}

fn refused(refusal: Refusal, wish: &Wish) -> AnswerError {
    let Prefix { network, length } = wish.prefix;
    match refusal {
        Refusal::Off => AnswerError::NotSupported(
            "the guard is off: switch it on with uci set fwstat.guard.enabled=1; uci commit fwstat; \
             /etc/init.d/fwstat reload"
                .into(),
        ),
        Refusal::TooWide => AnswerError::InvalidArgument(format!(
            "address: {network}/{length} is neither a single address nor an IPv6 /64"
        )),
        Refusal::Protected(protection) => {
            AnswerError::PermissionDenied(format!("{network} is not blocked: {protection}"))
        }
        Refusal::Full(most) => {
            AnswerError::Failed(format!("{network} is not blocked: max_blocks ({most}) is reached"))
        }
        Refusal::NotBlocked => AnswerError::NotFound(format!("{network} is not blocked")),
    }
}
