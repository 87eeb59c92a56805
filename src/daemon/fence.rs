//! The guard's decisions -> the kernel's table, and what the kernel knows -> the guard.
//!
//! One nft at a time; what comes meanwhile goes with the next. When the table is hurt it is made anew from
//! the ledger.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::BorrowedFd;

use crate::guard::{Change, End, Guard, Source};
use crate::live::Now;
use crate::nft::kernel::{Elements, Notifications};
use crate::nft::run::Nft;
use crate::nft::script::{self, Spec};

/// After a failure it is tried again, at first soon.
const RETRY_MS: [u64; 6] = [500, 1_000, 2_000, 5_000, 15_000, 60_000];
/// Between two times that somebody's change makes us build the table anew.
const REBUILD_MS: u64 = 250;
/// How often it is looked whether the table is still there, should a notification have been lost.
const LOOK_MS: u64 = 30_000;

/// What an nft that runs is for.
enum Job {
    Build(Spec),
    Remove,
    Change,
}

#[derive(Default)]
pub struct Fence {
    want: Spec,
    /// What the kernel has, as far as we know.
    built: Option<Spec>,
    nft: Nft,
    job: Option<Job>,
    notifications: Option<Notifications>,
    elements: Option<Elements>,
    /// Sources to be put in or taken out; true if the kernel may have had them before.
    pending: BTreeMap<Source, bool>,
    rebuild: bool,
    failures: usize,
    not_before: u64,
    look_at: u64,
    /// What was in the kernel at the start has been looked at.
    reconciled: bool,
    /// Why the kernel does not have what it should.
    pub why: Option<String>,
    /// How often the table was made anew because somebody hurt it.
    pub repaired: u64,
}

impl Fence {
    pub fn fds(&self) -> [Option<BorrowedFd<'_>>; 2] {
        [self.nft.fd(), self.notifications.as_ref().map(Notifications::fd)]
    }

    pub fn deadline(&self) -> Option<u64> {
        if self.nft.is_running() {
            return self.nft.deadline();
        }
        let work = self.has_work().then_some(self.not_before);
        let look = self.built.is_some().then_some(self.look_at);
        [work, look].into_iter().flatten().min()
    }

    fn has_work(&self) -> bool {
        self.rebuild || !self.pending.is_empty()
    }

    /// The table shall be this from now on.
    pub fn set(&mut self, want: Spec) {
        let known = self.built.as_ref().is_some_and(|built| *built == want);
        let building = matches!(&self.job, Some(Job::Build(spec)) if *spec == want);
        if self.want != want || !(known || building || want.is_empty()) {
            self.rebuild = true;
            self.not_before = 0;
        }
        self.want = want;
    }

    /// Blocks are not what they were when the table was made.
    pub fn renew(&mut self) {
        self.rebuild |= self.built.is_some();
    }

    /// Whether blocks are in force.
    pub fn is_up(&self) -> bool {
        self.built.is_some()
    }

    pub fn note(&mut self, change: &Change) {
        match change {
            Change::Blocked(block) if !block.dry => drop(self.pending.entry(block.source).or_insert(false)),
            // The kernel ends it by itself.
            Change::Released(_, End::Expired) | Change::Blocked(_) => {}
            Change::Released(block, _) if !block.dry => drop(self.pending.insert(block.source, true)),
            Change::Released(..) => {}
        }
    }

    pub fn is_peer(&mut self, source: Source) -> bool {
        self.built.is_some() && self.elements().is_some_and(|elements| elements.is_peer(source))
    }

    pub fn dropped(&mut self, source: Source) -> Option<u64> {
        self.built.as_ref()?;
        self.elements()?.dropped(source)
    }

    fn elements(&mut self) -> Option<&mut Elements> {
        if self.elements.is_none() {
            self.elements = Elements::open().ok();
        }
        self.elements.as_mut()
    }

    /// What the kernel still has of an earlier run: nothing of it lasts longer than there.
    fn reconcile(&mut self, now: Now, wall: Option<i64>, guard: &mut Guard) {
        self.reconciled = true;
        if let Some(elements) = self.elements() {
            elements.blocked(&mut |source, left| guard.found(now.boot_ms, wall, source, left));
        }
    }

    /// Reads what has come, and starts what is due.
    pub fn turn(&mut self, now: Now, wall: Option<i64>, guard: &mut Guard) {
        if let Some(outcome) = self.nft.poll(now.boot_ms) {
            self.finished(now, outcome);
        }
        self.listen(now);
        if self.built.is_some() && now.boot_ms >= self.look_at {
            self.look_at = now.boot_ms.saturating_add(LOOK_MS);
            if matches!(self.elements().map(Elements::has_table), Some(Ok(false))) {
                self.hurt(now);
            }
        }
        if self.nft.is_running() || !self.has_work() || now.boot_ms < self.not_before {
            return;
        }
        if self.rebuild {
            self.build(now, wall, guard);
        } else if self.built.as_ref().is_some_and(|spec| spec.guard.is_some_and(|guard| guard.enforce)) {
            self.change(now, guard);
        } else {
            self.pending.clear();
        }
    }

    fn listen(&mut self, now: Now) {
        if self.notifications.is_none() && self.built.is_some() {
            // Without them the table is looked at from time to time.
            self.notifications = Notifications::open().ok();
        }
        let own = self.nft.pid;
        match self.notifications.as_mut().map(|notifications| notifications.read(own)) {
            Some(Ok(true)) => self.hurt(now),
            Some(Err(_)) => {
                self.notifications = None;
                self.hurt(now);
            }
            Some(Ok(false)) | None => {}
        }
    }

    /// Somebody took the table, or something of it.
    fn hurt(&mut self, now: Now) {
        if self.built.is_some() || matches!(self.job, Some(Job::Build(_))) {
            self.repaired = self.repaired.saturating_add(1);
            if !self.rebuild {
                self.rebuild = true;
                self.not_before = self.not_before.max(now.boot_ms);
            }
        }
    }

    fn build(&mut self, now: Now, wall: Option<i64>, guard: &mut Guard) {
        if self.want.is_empty() {
            let there = self.elements().map(Elements::has_table);
            if matches!(there, Some(Ok(true))) {
                return self.start(now, Job::Remove, script::REMOVE);
            }
            // It is not there, or we may not even ask: then it is not ours either.
            (self.rebuild, self.built) = (false, None);
            self.pending.clear();
            self.notifications = None;
            return;
        }
        if self.notifications.is_none() {
            // Before the table is made: nothing that happens to it then is missed.
            self.notifications = Notifications::open().ok();
        }
        if !self.reconciled {
            self.reconcile(now, wall, guard);
        }
        // What is written now is as the ledger is now.
        guard.ledger.take_shortened();
        let blocks = guard.ledger.blocks().filter(|block| !block.dry);
        let left: Vec<(Source, u64)> = blocks
            .map(|block| (block.source, block.until_ms.saturating_sub(now.boot_ms)))
            .filter(|(_, left)| *left > 0)
            .collect();
        let script = script::build(&self.want, &left);
        self.pending.clear();
        self.start(now, Job::Build(self.want.clone()), &script);
    }

    fn change(&mut self, now: Now, guard: &Guard) {
        let (mut add, mut remove) = (Vec::new(), Vec::new());
        for (source, had) in std::mem::take(&mut self.pending) {
            if had {
                remove.push(source);
            }
            if let Some(block) = guard.ledger.get(source).filter(|block| !block.dry) {
                add.push((source, block.until_ms.saturating_sub(now.boot_ms)));
            }
        }
        let mut script = String::new();
        script::remove(&remove, &mut script);
        script::add(&add, &mut script);
        if !script.is_empty() {
            self.start(now, Job::Change, &script);
        }
    }

    fn start(&mut self, now: Now, job: Job, script: &str) {
        match self.nft.start(now.boot_ms, script) {
            Ok(()) => {
                self.job = Some(job);
                self.rebuild = false;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.failed(now, "nft is missing: install nftables".into());
            }
            Err(error) => self.failed(now, format!("cannot run nft: {error}")),
        }
    }

    fn finished(&mut self, now: Now, outcome: Result<(), String>) {
        let job = self.job.take();
        match outcome {
            Ok(()) => {
                self.failures = 0;
                self.why = None;
                self.look_at = now.boot_ms.saturating_add(LOOK_MS);
                match job {
                    Some(Job::Build(spec)) => {
                        let hurt = self.rebuild && spec == self.want;
                        self.built = Some(spec);
                        // Hurt while it was made: no race with whoever does it. Changes need not wait.
                        self.not_before = if hurt { now.boot_ms.saturating_add(REBUILD_MS) } else { 0 };
                    }
                    Some(Job::Remove) => (self.built, self.notifications) = (None, None),
                    Some(Job::Change) | None => {}
                }
            }
            // The kernel's view is not ours: the whole table, then, and only if that fails something is wrong.
            Err(_) if matches!(job, Some(Job::Change)) && self.failures == 0 => {
                self.rebuild = true;
                self.failures = 1;
                self.not_before = 0;
            }
            Err(words) => self.failed(now, format!("nft: {words}")),
        }
    }

    fn failed(&mut self, now: Now, why: String) {
        let wait = RETRY_MS[self.failures.min(RETRY_MS.len() - 1)];
        self.failures += 1;
        self.not_before = now.boot_ms.saturating_add(wait);
        self.rebuild = true;
        self.built = None;
        self.job = None;
        self.why = Some(why);
    }

    /// The daemon stops: nothing of ours stays in the kernel.
    pub fn stop(&mut self, now: impl Fn() -> u64) -> Result<(), String> {
        let busy = self.nft.is_running();
        if self.built.take().is_none() && !busy {
            return Ok(());
        }
        self.nft.finish(now, script::REMOVE)
    }
}
