//! Blocked networks and countries: requests, the kernel's sets, the file.
//!
//! What takes long (all addresses of a country, all connections, thousands of elements) runs in a worker thread, one
//! job at a time; a request is answered when its job is done.

mod job;

use std::collections::VecDeque;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;

use ubus::blobmsg::BlobMsgTable;

use super::nft_sync::NftSync;
use super::store::Storage;
use crate::daemon::nft::kernel::Elements;
use crate::event::calendar::duration_text;
use crate::guard::networks::{MAX_RANGES, NetworkBlock};
use crate::guard::ranges::range_of;
use crate::guard::{Guard, HAND};
use crate::live::{Engine, Now};
use crate::output::blobmsg::{AnswerError, Answered};
use crate::query::answer::{BlockRow, UsageStatus};
use crate::query::question::Prefix;
use crate::query::record::Field;
use crate::query::target::{MAX_NETWORKS, Target};
use crate::record;
use crate::store::ledger::Moment;
use crate::store::networks::{self, NETWORKS};
use crate::sys::worker::Worker;
use crate::ubus::blob;
use job::{Job, Outcome};

/// Bytes of the worker's stack.
const STACK: usize = 256 << 10;
/// Interval of retries after a failure.
const RETRY_MS: u64 = 15_000;
/// Most queued requests.
const MAX_WAITING: usize = 16;
/// Most refusals listed in an answer.
const MAX_LISTED: usize = 20;

/// A request to block, or to test whether a block is possible.
#[derive(Clone, Debug)]
pub(super) struct NetworkRequest {
    /// The answer's number.
    pub number: u64,
    pub targets: Vec<Target>,
    pub what: What,
    pub callers: Vec<Prefix>,
}

/// What a [`NetworkRequest`] wants.
#[derive(Clone, Debug)]
pub(super) enum What {
    /// `length_ms`: `None` until it is unblocked.
    Block { length_ms: Option<u64>, reason: Option<String>, is_list: bool },
    /// Only whether it could be blocked.
    Test,
}

record! {
    /// A target that was not blocked.
    struct RefusedRow {
        address: String,
        because: String,
    }

    /// The answer to `guard-test`.
    pub(super) struct GuardTest {
        pub address: String,
        pub would_block: bool,
        pub protected_by: Option<String>,
        /// For a network or country: how many addresses it has.
        pub warning: Option<String>,
    }
}

/// Blocks of networks and countries: the requests, the worker that executes them, and what the kernel's sets hold.
#[derive(Default)]
pub(super) struct NetworkBlocks {
    worker: Option<Worker<Job, Outcome>>,
    /// The netlink port id of the worker's socket, by which notifications identify it.
    pub port: Option<u32>,
    waiting: VecDeque<NetworkRequest>,
    /// The request of the job that runs, if it has one.
    running: Option<NetworkRequest>,
    /// The version in the kernel's sets, see [`version`]; `None`: an earlier one.
    loaded: Option<u64>,
    /// The version that the running job loads.
    loading: Option<u64>,
    /// The version that was stored last, and [`Storage::openings`] at that time.
    stored: (u64, u64),
    /// Targets unblocked since then.
    removed: Vec<Target>,
    retry_at: u64,
    /// Ranges in the kernel's sets.
    ranges: u64,
    /// Why some blocks are not in the kernel.
    load_problem: Option<String>,
    /// Why the list is not on flash.
    not_stored: Option<String>,
    /// Answers that are ready, with their numbers.
    pub answers: Vec<(u64, Answered)>,
    database: PathBuf,
}

/// Increases with every change of the list and of the table.
fn version(guard: &Guard, nft: &NftSync) -> u64 {
    guard.networks.version().wrapping_add(nft.builds)
}

/// The warning about a block of this many IPv4 addresses and IPv6 /64 networks.
fn warning((v4, v6): (u64, u64)) -> String {
    let addresses = match (v4, v6) {
        (0, 0) => return "nothing of it is left: all its addresses are protected".into(),
        (_, 0) => format!("{v4} IPv4 addresses"),
        (0, _) => format!("{v6} IPv6 networks of /64"),
        _ => format!("{v4} IPv4 addresses and {v6} IPv6 networks of /64"),
    };
    format!("nobody at {addresses} can open a connection to this router's networks")
}

impl NetworkBlocks {
    /// What an earlier run left. Gives the blocks whose time was up since then: the file is written anew without them.
    pub(super) fn restore(
        &mut self,
        now: &Moment,
        storage: &mut Storage,
        guard: &mut Guard,
    ) -> Vec<NetworkBlock> {
        let over = self.take_stored(now, storage, guard);
        // No list has this version: one that is empty now is written, too.
        let version = if over.is_empty() { guard.networks.version() } else { u64::MAX };
        self.stored = (version, storage.openings);
        over
    }

    /// Adds the blocks of the file, such as those that a command restored, to those that are known. Returns those whose
    /// time is up.
    fn take_stored(&self, now: &Moment, storage: &mut Storage, guard: &mut Guard) -> Vec<NetworkBlock> {
        let blocks = storage.get(NETWORKS, |file| networks::from_file(file, now)).unwrap_or_default();
        let (over, blocks): (Vec<_>, Vec<_>) =
            blocks.into_iter().partition(|block| block.is_over(now.boot_ms));
        for block in blocks.into_iter().filter(|block| !self.removed.contains(&block.target)) {
            guard.networks.add_longer(block);
        }
        over
    }

    /// To be called when the options or the protected addresses have changed.
    pub(super) fn change_policy(&mut self) {
        (self.loaded, self.loading) = (None, None);
    }

    /// Sets the country database.
    pub(super) fn set_database(&mut self, path: &str) {
        self.database = PathBuf::from(path);
        self.change_policy();
    }

    /// Readable when the worker has done a job.
    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.worker.as_ref().map(Worker::fd)
    }

    /// When [`NetworkBlocks::turn`] has something to do, in milliseconds since boot.
    pub(super) fn deadline(&self, guard: &Guard, nft: &NftSync) -> Option<u64> {
        let retry = (!self.is_busy() && self.wants_load(guard, nft)).then_some(self.retry_at);
        [guard.networks.deadline(), retry].into_iter().flatten().min()
    }

    fn is_busy(&self) -> bool {
        self.worker.as_ref().is_some_and(|worker| worker.is_busy)
    }

    /// Whether the kernel's sets differ from the wanted ones.
    fn wants_load(&self, guard: &Guard, nft: &NftSync) -> bool {
        let has_any = !guard.networks.blocks().is_empty() || self.ranges > 0 || self.load_problem.is_some();
        has_any && nft.enforces() && self.loaded != Some(version(guard, nft))
    }

    /// Blocks, and ranges of addresses in the kernel, each with its limit.
    pub(super) fn usage(&self, guard: &Guard) -> (UsageStatus, UsageStatus) {
        let used = guard.networks.blocks().len() as u64;
        let networks = UsageStatus { used, limit: MAX_NETWORKS as u64 };
        (networks, UsageStatus { used: self.ranges, limit: MAX_RANGES as u64 })
    }

    /// Why a block is not in the kernel or not on flash.
    pub(super) fn problem(&self) -> Option<&String> {
        self.load_problem.as_ref().or(self.not_stored.as_ref())
    }

    /// Whether the kernel's sets lack the present list.
    pub(super) fn is_pending(&self, guard: &Guard, nft: &NftSync) -> bool {
        !nft.enforces() || self.loaded != Some(version(guard, nft))
    }

    /// Adds the kernel's state to a row.
    pub(super) fn add_kernel_state(&self, row: &mut BlockRow, guard: &Guard, nft: &mut NftSync) {
        row.pending = self.is_pending(guard, nft);
        if let Ok(Target::Network(prefix)) = Target::parse(&row.address)
            && !row.pending
        {
            row.dropped = nft.dropped_by_network(range_of(prefix));
        }
    }

    /// Queues a request, whose answer follows; refuses it if too many are queued.
    pub(super) fn ask(&mut self, request: NetworkRequest) {
        if self.waiting.len() >= MAX_WAITING {
            let busy = "too many requests at once: ask again later".to_string();
            return self.answers.push((request.number, Err(AnswerError::Failed(busy))));
        }
        self.waiting.push_back(request);
    }

    /// Ends a block. False if there is none.
    pub(super) fn unblock(&mut self, now: Now, guard: &mut Guard, target: Target) -> bool {
        if self.removed.len() < MAX_NETWORKS && !self.removed.contains(&target) {
            self.removed.push(target);
        }
        guard.unblock_network(now.boot_ms, target)
    }

    /// Does everything that is due. Adds lines for the log to `sentences`.
    pub(super) fn turn(
        &mut self,
        now: Now,
        moment: &Moment,
        engine: &mut Engine,
        nft: &NftSync,
        storage: &mut Storage,
        sentences: &mut Vec<String>,
    ) {
        if storage.take_back() {
            self.take_stored(moment, storage, &mut engine.guard);
        }
        if let Some(outcome) = self.worker.as_mut().and_then(Worker::take) {
            self.finish(now, moment, engine, nft, outcome, sentences);
        } else if self.worker.as_ref().is_some_and(Worker::is_dead) {
            self.lose_worker(now, "its thread ended");
        }
        self.store_file(moment, &engine.guard, storage);
        if !self.is_busy() {
            self.submit(now, engine, nft);
        }
    }

    /// Writes the file when the daemon stops.
    pub(super) fn stop(&mut self, moment: &Moment, guard: &Guard, storage: &mut Storage) {
        // The remaining time of blocks changes continuously.
        if guard.networks.deadline().is_some() {
            self.stored = Default::default();
        }
        self.store_file(moment, guard, storage);
    }

    /// Writes the file if it has changed.
    fn store_file(&mut self, moment: &Moment, guard: &Guard, storage: &mut Storage) {
        let version = (guard.networks.version(), storage.openings);
        // What a command wrote meanwhile must be read first.
        if self.stored == version || storage.released {
            return;
        }
        let is_new = self.stored.0 != version.0 || !guard.networks.blocks().is_empty();
        self.stored = version;
        self.removed.clear();
        if !is_new {
            return;
        }
        let stored = storage.put(NETWORKS, networks::encode(moment, guard.networks.blocks()));
        self.not_stored = stored.err().map(|error| format!("blocked networks are not on flash: {error}"));
    }

    fn submit(&mut self, now: Now, engine: &Engine, nft: &NftSync) {
        let guard = &engine.guard;
        let version = version(guard, nft);
        let wants_load = self.wants_load(guard, nft) && now.boot_ms >= self.retry_at;
        if self.waiting.is_empty() && !wants_load {
            return;
        }
        if self.worker.is_none() {
            let started = Elements::open().and_then(|mut elements| {
                let port = elements.port;
                let worker =
                    Worker::start("fwstat-networks", STACK, move |job| job::run(&mut elements, job))?;
                Ok((port, worker))
            });
            match started {
                Ok((port, worker)) => (self.port, self.worker) = (Some(port), Some(worker)),
                Err(error) => return self.lose_worker(now, &error.to_string()),
            }
        }
        let request = self.waiting.pop_front();
        let is_test = request.as_ref().is_some_and(|request| matches!(request.what, What::Test));
        let left = |until: Option<u64>| until.map(|until| until.saturating_sub(now.boot_ms).max(1));
        let blocks =
            guard.networks.blocks().iter().map(|block| (block.target, left(block.until_ms))).collect();
        let job = Job {
            blocks,
            request: request.clone(),
            room: guard.networks.room(),
            policy: guard.policy.clone(),
            database: self.database.clone(),
            can_ask: nft.is_up(),
            load: nft.enforces() && !is_test,
        };
        (self.running, self.loading) = (request, job.load.then_some(version));
        if let Some(worker) = &mut self.worker
            && worker.submit(job).is_err()
        {
            self.lose_worker(now, "its thread ended");
        }
    }

    fn lose_worker(&mut self, now: Now, why: &str) {
        (self.worker, self.port, self.loading) = (None, None, None);
        let why = format!("networks cannot be blocked: {why}");
        let waiting = std::mem::take(&mut self.waiting);
        for request in self.running.take().into_iter().chain(waiting) {
            self.answers.push((request.number, Err(AnswerError::Failed(why.clone()))));
        }
        self.load_problem = Some(why);
        self.retry_at = now.boot_ms.saturating_add(RETRY_MS);
    }

    fn finish(
        &mut self,
        now: Now,
        moment: &Moment,
        engine: &mut Engine,
        nft: &NftSync,
        outcome: Outcome,
        sentences: &mut Vec<String>,
    ) {
        let request = self.running.take();
        let is_current = self.loading.take() == Some(version(&engine.guard, nft));
        if let Some(NetworkRequest { what: What::Block { length_ms, reason, .. }, .. }) = &request {
            for target in &outcome.accepted {
                let block = NetworkBlock {
                    target: *target,
                    since_ms: now.boot_ms,
                    until_ms: length_ms.map(|length| now.boot_ms.saturating_add(length)),
                    since_wall: moment.wall,
                    until_wall: (length_ms.zip(moment.wall))
                        .map(|(length, wall)| wall.saturating_add_unsigned(length / 1000)),
                    reason: reason.clone(),
                };
                engine.guard.block_network(now.boot_ms, block);
            }
            let length = length_ms.map(|length| format!("for {}", duration_text(length / 1000)));
            let length = length.unwrap_or_else(|| "until unblocked".into());
            let blocked = match &outcome.accepted[..] {
                [] => None,
                [target] => Some(format!("{target} is")),
                many => Some(format!("{} addresses and networks are", many.len())),
            };
            let sentence = |blocked: String| format!("guard: {blocked} blocked {length}: {HAND}");
            sentences.extend(blocked.map(sentence));
        }
        match &outcome.loaded {
            // The list, the protected addresses or the table have changed meanwhile: the next job loads them.
            Some(_) if !is_current || !nft.enforces() => {
                // The kernel may have some of them, so they are deleted even if nothing is blocked any more.
                (self.loaded, self.ranges) = (None, outcome.ranges as u64);
            }
            Some(Ok(())) => {
                (self.loaded, self.ranges) = (Some(version(&engine.guard, nft)), outcome.ranges as u64);
                self.load_problem = outcome.failed.first().cloned();
            }
            Some(Err(why)) => {
                self.load_problem = Some(format!("blocked networks are not in the kernel: {why}"));
                self.loaded = None;
                self.retry_at = now.boot_ms.saturating_add(RETRY_MS);
            }
            None => {}
        }
        if let Some(request) = request {
            let answered = self.answer(now, engine, nft, &request, &outcome);
            self.answers.push((request.number, answered));
        }
    }

    fn answer(
        &self,
        now: Now,
        engine: &Engine,
        nft: &NftSync,
        request: &NetworkRequest,
        outcome: &Outcome,
    ) -> Answered {
        let Outcome { accepted, refused, size, .. } = outcome;
        let row = |(target, because): &(Target, String)| RefusedRow {
            address: target.to_string(),
            because: because.clone(),
        };
        match (&request.what, &accepted[..], refused) {
            (What::Test, _, _) => Ok(blob::table(&GuardTest {
                address: request.targets.first().map(Target::to_string).unwrap_or_default(),
                would_block: refused.is_empty(),
                protected_by: refused.first().map(|(_, because)| because.clone()),
                warning: refused.is_empty().then(|| warning(*size)),
            })),
            (What::Block { is_list: true, .. }, _, _) => {
                let refusals: Vec<RefusedRow> = refused.iter().take(MAX_LISTED).map(row).collect();
                Ok(blob::table(&[
                    ("blocked", &(accepted.len() as u64) as &dyn Field),
                    ("refused", &(refused.len() as u64)),
                    ("refusals", &refusals),
                ]))
            }
            (What::Block { .. }, [target, ..], _) => {
                let block = engine.guard.networks.get(*target);
                let row = block.map(|block| BlockRow {
                    pending: self.is_pending(&engine.guard, nft),
                    warning: Some(warning(*size)),
                    ..engine.network_row(now, block)
                });
                Ok(row.map_or_else(BlobMsgTable::empty, |row| blob::table(&row)))
            }
            (What::Block { .. }, [], refused) => {
                let why =
                    refused.first().map(|(target, because)| format!("{target} is not blocked: {because}"));
                Err(AnswerError::PermissionDenied(why.unwrap_or_default()))
            }
        }
    }
}
