//! Keeps the kernel's table as the guard decided, and gives the guard what the kernel knows.
//!
//! `nft` creates the table in a child process that is not waited for; single blocks are added and deleted over netlink.
//! If another program changes the table, it is re-created from the ledger.
use std::io;
use std::os::fd::BorrowedFd;
use std::process::ExitStatus;

use crate::daemon::nft::conntrack::connections_of;
use crate::daemon::nft::kernel::{Elements, Notifications, Remembered};
use crate::daemon::nft::run::{Nft, failure};
use crate::daemon::nft::script::{self, BLOCKED, Blocked, MAX_PEERS, PEERS, PEERS_FULL, PEERS_LIMITED, Spec};
use crate::guard::window::Window;
use crate::guard::{Block, Change, End, Guard, Limit, Protection, Source, Suspect, When};
use crate::query::answer::PeersStatus;
use crate::query::question::Prefix;

/// Back-off after failures.
const RETRY_MS: [u64; 6] = [500, 1_000, 2_000, 5_000, 15_000, 60_000];
/// Minimum time between two rebuilds of a table that other programs change.
const REBUILD_MS: u64 = 250;
/// How often the kernel is asked whether the table exists, in case a notification was lost.
const CHECK_MS: u64 = 30_000;
/// An nft that takes longer is reported.
const SLOW_MS: u64 = 5_000;
/// Maximum age of the number of peers in an answer: counting them needs a dump of the set.
const PEERS_AGE_MS: u64 = 5_000;
/// Sources per second that connection tracking may find to be peers, since each query dumps all connections. Queries
/// about other sources are bounded by the budget.
const MAX_FOUND: Limit = Limit { count: 10, window_ms: 1_000 };

/// Keeps the table `inet fwstat` in the kernel in the wanted state.
#[derive(Default)]
pub(super) struct NftSync {
    /// The wanted table.
    want: Spec,
    /// The table in the kernel, as far as known.
    built: Option<Spec>,
    /// The table was changed by another program since: blocks may not be in force.
    damaged: bool,
    nft: Nft,
    /// The table that the running nft creates, and when nft was started.
    building: Option<(Spec, u64)>,
    notifications: Option<Notifications>,
    elements: Option<Elements>,
    /// Sources to be added to the kernel's sets or deleted from them.
    pending: Vec<Source>,
    /// The same, for changes since the script of the running nft was written.
    late: Vec<Source>,
    /// Peers and served ports of the previous table, to be copied to the next one.
    remembered: Vec<Remembered>,
    peer_use: Option<(u64, PeersStatus)>,
    /// Peers that connection tracking found, see [`MAX_FOUND`].
    found: Window,
    rebuild: bool,
    /// Failed runs of nft in a row.
    failures: usize,
    /// Earliest time of the next run of nft (milliseconds since boot).
    not_before: u64,
    check_at: u64,
    /// What was in the kernel at the start has been read.
    reconciled: bool,
    why: Option<String>,
    /// Why connection tracking cannot be queried.
    pub no_conntrack: Option<String>,
    /// How often the table was created.
    pub builds: u64,
    /// The netlink port id of this process's other socket that changes the table.
    pub other_port: Option<u32>,
}

impl NftSync {
    /// The table that a killed daemon left will be replaced or deleted.
    pub(super) fn new() -> NftSync {
        NftSync { rebuild: true, ..NftSync::default() }
    }

    /// The pipe of nft and the socket of notifications.
    pub(super) fn fds(&self) -> [Option<BorrowedFd<'_>>; 2] {
        [self.nft.fd(), self.notifications.as_ref().map(Notifications::fd)]
    }

    /// When [`NftSync`] has something to do, in milliseconds since boot.
    pub(super) fn deadline(&self) -> Option<u64> {
        if self.nft.is_running() {
            return self.nft.deadline();
        }
        let change = self.can_change().then_some(0);
        let build = self.rebuild.then_some(self.not_before);
        let check = self.built.is_some().then_some(self.check_at);
        [change, build, check].into_iter().flatten().min()
    }

    /// Whether there is something to change in the sets, and a table that has them.
    fn can_change(&self) -> bool {
        self.is_up() && !self.pending.is_empty()
    }

    /// Sets the wanted table.
    pub(super) fn set(&mut self, want: Spec) {
        let known = self.built.as_ref().is_some_and(|built| *built == want);
        let building = self.building.as_ref().is_some_and(|(spec, _)| *spec == want);
        if self.want != want || !(known || building || want.is_empty()) {
            self.rebuild = true;
            self.not_before = 0;
        }
        self.want = want;
    }

    /// Creates the table again, since blocks are not those it was created with.
    pub(super) fn renew(&mut self) {
        self.rebuild |= self.built.is_some();
    }

    /// Whether blocks are in force.
    pub(super) fn is_up(&self) -> bool {
        self.built.is_some() && !self.damaged
    }

    /// Whether the table is as it should be and blocks; not in a dry run.
    pub(super) fn enforces(&self) -> bool {
        self.is_up() && self.built.as_ref().is_some_and(Spec::enforces)
    }

    /// Whether the kernel does not have this block yet.
    pub(super) fn is_pending(&self, source: Source) -> bool {
        !self.is_up() || self.pending.contains(&source)
    }

    /// Why the kernel's table is not in the wanted state.
    pub(super) fn why(&self, now_ms: u64) -> Option<String> {
        let running_ms = self.building.as_ref().map(|(_, since)| now_ms.saturating_sub(*since));
        let slow = running_ms.filter(|running_ms| *running_ms >= SLOW_MS && !self.is_up());
        self.why.clone().or(slow.map(|slow| format!("nft has been running for {} s", slow / 1000)))
    }

    /// Queues a block to be added to the kernel's set or deleted from it.
    pub(super) fn note(&mut self, change: &Change) {
        let block = match change {
            // The kernel ends an expired one by itself.
            Change::Released(_, End::Expired) => return,
            Change::Blocked(block) | Change::Released(block, _) => block,
        };
        if self.building.is_some() && !block.dry {
            self.late.push(block.suspect.source);
        }
        // A table that is not up yet is written from the ledger.
        if self.is_up() && !block.dry {
            self.pending.push(block.suspect.source);
        }
    }

    /// For each suspect: its protection if the inside has, or recently had, a connection to it. One whose evidence is
    /// forgeable counts as a peer if the kernel cannot answer. Connection tracking is queried once for all.
    pub(super) fn peers(&mut self, now_ms: u64, suspects: &[Suspect]) -> Vec<Option<Protection>> {
        let up = self.is_up();
        let part = MAX_FOUND.part(now_ms);
        let can_ask = self.found.sum(part) < MAX_FOUND.count;
        let Some(elements) = self.elements() else { return vec![Some(Protection::Unknown); suspects.len()] };
        // Those that connection tracking is asked about have the answer that they get if that fails.
        let (mut answers, mut asked) = (Vec::new(), Vec::new());
        for (number, Suspect { source, rule, .. }) in suspects.iter().enumerate() {
            let forgeable = rule.is_forgeable();
            // Whether it is in the table's set of peers; `None` without a table.
            let remembered = if up { elements.is_remembered(*source).ok() } else { None };
            answers.push(match remembered {
                Some(true) => Some(Protection::Peer),
                None if forgeable => Some(Protection::Unknown),
                Some(false) if forgeable && !can_ask => Some(Protection::Unknown),
                _ => {
                    asked.push((*source, number));
                    // The set still has the connections of the last hour.
                    remembered.is_none().then_some(Protection::Unknown)
                }
            });
        }
        if asked.is_empty() {
            return answers;
        }
        asked.sort_unstable();
        let sources: Vec<Source> = asked.iter().map(|(source, _)| *source).collect();
        let mut connected: Vec<Source> = Vec::new();
        let is_wanted = |source: Source| sources.binary_search(&source).is_ok();
        let listed = elements.connected(&connections_of(&sources), &is_wanted, &mut |source| {
            if !connected.contains(&source) {
                connected.push(source);
            }
        });
        self.no_conntrack = listed.err().map(|error| error.to_string());
        self.found.add(part, connected.len() as u32);
        for (source, number) in asked {
            if connected.contains(&source) {
                answers[number] = Some(Protection::Peer);
            } else if self.no_conntrack.is_none() {
                answers[number] = None;
            }
        }
        answers
    }

    /// See [`Elements::dropped`]; `None` if the kernel does not answer.
    pub(super) fn dropped(&mut self, sets: [&str; 2], prefix: Prefix) -> Option<u64> {
        self.built.as_ref()?;
        self.elements()?.dropped(sets, prefix)
    }

    /// How many peers the kernel remembers, of the family that has more, and the connections since the table was created
    /// whose peer it did not remember. `None` while there is no table.
    pub(super) fn peer_use(&mut self, now_ms: u64) -> Option<PeersStatus> {
        self.built.as_ref()?.guard.as_ref()?;
        if let Some((at, known)) = &self.peer_use
            && now_ms < at.saturating_add(PEERS_AGE_MS)
        {
            return Some(known.clone());
        }
        let elements = self.elements()?;
        let mut counts = [0u64; 2];
        elements.sources(PEERS, &mut |source, _| counts[usize::from(matches!(source, Source::V6(_)))] += 1);
        let [limited, refused] =
            [PEERS_LIMITED, PEERS_FULL].map(|counter| elements.counter(counter).unwrap_or(0));
        let used = counts[0].max(counts[1]);
        let found = PeersStatus { used, limit: MAX_PEERS.into(), limited, refused };
        self.peer_use = Some((now_ms, found.clone()));
        Some(found)
    }

    /// The socket for elements, opened if it is not; `None`: it cannot be opened.
    fn elements(&mut self) -> Option<&mut Elements> {
        if self.elements.is_none() {
            self.elements = Elements::open().ok();
        }
        self.elements.as_mut()
    }

    /// Whether the kernel has the table; `None` if it does not answer.
    fn has_table(&mut self) -> Option<bool> {
        self.elements()?.has_table().ok()
    }

    /// Deletes the table if the kernel has it; does nothing if the kernel does not answer.
    fn remove_table(&mut self) -> io::Result<()> {
        match self.has_table() {
            Some(true) => self.elements().map_or(Ok(()), Elements::delete_table),
            Some(false) | None => Ok(()),
        }
    }

    /// Reads results and notifications, and starts what is due.
    pub(super) fn turn(&mut self, now: When, guard: &mut Guard) {
        if let Some(outcome) = self.nft.poll(now.now_ms) {
            self.finished(now, outcome);
        }
        self.listen(now);
        if self.built.is_some() && now.now_ms >= self.check_at {
            self.check_at = now.now_ms.saturating_add(CHECK_MS);
            if self.has_table() == Some(false) {
                self.note_damage(now);
            }
        }
        if self.can_change() {
            self.change(now, guard);
        }
        if !self.nft.is_running() && self.rebuild && now.now_ms >= self.not_before {
            self.build(now, guard);
        }
    }

    /// Reads the notifications of what other programs changed.
    fn listen(&mut self, now: When) {
        if self.notifications.is_none() && self.built.is_some() && self.building.is_none() {
            // Without notifications the kernel is asked for the table from time to time.
            self.notifications = Notifications::open().ok();
        }
        let own = [self.nft.pid, self.elements.as_ref().map(|elements| elements.port), self.other_port];
        let own: Vec<u32> = own.into_iter().flatten().collect();
        match self.notifications.as_mut().map(|notifications| notifications.read(&own)) {
            Some(Ok(true)) => self.note_damage(now),
            Some(Err(_)) => {
                self.notifications = None;
                self.note_damage(now);
            }
            Some(Ok(false)) | None => {}
        }
    }

    /// Another program deleted the table or a part of it.
    fn note_damage(&mut self, now: When) {
        if self.built.is_some() || self.building.is_some() {
            self.damaged = true;
            if !self.rebuild {
                self.rebuild = true;
                self.not_before = self.not_before.max(now.now_ms);
            }
        }
    }

    /// Starts nft with the script of the wanted table.
    fn build(&mut self, now: When, guard: &mut Guard) {
        if self.want.is_empty() {
            return self.delete(now);
        }
        // Nobody listens while the table is created and its peers are copied: the kernel would hold a notification of each
        // element, and more than the socket takes would count as damage. Afterwards the kernel is asked for the table.
        self.notifications = None;
        let is_first = !std::mem::replace(&mut self.reconciled, true);
        let mut dropped: Vec<(Source, u64)> = Vec::new();
        if let Some(elements) = self.elements() {
            elements.sources(BLOCKED, &mut |source, element| {
                // A block that the kernel still has from an earlier run ends no later than there.
                if let Some(left) = element.expires_ms.filter(|_| is_first) {
                    guard.found(now, source, left);
                }
                dropped
                    .extend(element.packets.filter(|packets| *packets > 0).map(|packets| (source, packets)));
            });
        }
        dropped.sort_unstable();
        // The script is written from the present ledger.
        guard.ledger.shortened = false;
        let blocked = |block: &Block| {
            let source = block.suspect.source;
            let known = dropped.binary_search_by_key(&source, |(known, _)| *known);
            let left_ms = block.until_ms.saturating_sub(now.now_ms);
            Blocked { source, left_ms, dropped: known.map_or(0, |at| dropped[at].1) }
        };
        let blocks = guard.ledger.blocks.values().filter(|block| !block.dry);
        let blocks: Vec<Blocked> = blocks.map(blocked).filter(|block| block.left_ms > 0).collect();
        let script = script::build(&self.want, &blocks);
        // Read before nft can replace the table.
        let remembered = self.elements().map(Elements::remembered).unwrap_or_default();
        match self.nft.load(now.now_ms, &script) {
            Ok(()) => {
                self.building = Some((self.want.clone(), now.now_ms));
                self.remembered = remembered;
                self.rebuild = false;
                self.late.clear();
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.failed(now, "nft is missing: install nftables".into());
            }
            Err(error) => self.failed(now, format!("cannot run nft: {error}")),
        }
    }

    /// Deletes the table, which is not wanted any more.
    fn delete(&mut self, now: When) {
        if let Err(error) = self.remove_table() {
            return self.failed(now, format!("the table inet fwstat cannot be deleted: {error}"));
        }
        (self.rebuild, self.damaged, self.built) = (false, false, None);
        (self.failures, self.why) = (0, None);
        self.pending.clear();
        self.notifications = None;
    }

    /// Makes the sets have the pending sources as the ledger has them.
    fn change(&mut self, now: When, guard: &Guard) {
        let mut pending = std::mem::take(&mut self.pending);
        pending.sort_unstable();
        pending.dedup();
        if !self.built.as_ref().is_some_and(Spec::enforces) {
            return;
        }
        let left = |source: Source| {
            let block = guard.ledger.blocks.get(&source).filter(|block| !block.dry);
            (source, block.map(|block| block.until_ms.saturating_sub(now.now_ms)))
        };
        let sources: Vec<(Source, Option<u64>)> = pending.into_iter().map(left).collect();
        if !matches!(self.elements().map(|elements| elements.change(&sources)), Some(Ok(()))) {
            // The kernel's state is not the expected one: the whole table is created again, and only its failure is an
            // error.
            self.note_damage(now);
        }
    }

    /// nft has ended.
    fn finished(&mut self, now: When, outcome: Result<(ExitStatus, Vec<u8>), String>) {
        let Some((spec, _)) = self.building.take() else { return };
        match outcome {
            Ok((status, _)) if status.success() => {
                (self.failures, self.why, self.damaged) = (0, None, false);
                self.check_at = now.now_ms;
                self.not_before = now.now_ms.saturating_add(REBUILD_MS);
                self.built = Some(spec);
                self.builds += 1;
                self.pending = std::mem::take(&mut self.late);
                let remembered = std::mem::take(&mut self.remembered);
                if let Some(elements) = self.elements() {
                    // If this fails, the peers are learnt again with their next packets.
                    let _ = elements.remember(&remembered);
                }
            }
            Ok((status, printed)) => self.failed(now, format!("nft: {}", failure(status, &printed))),
            Err(why) => self.failed(now, format!("nft: {why}")),
        }
    }

    /// Plans the next try.
    fn failed(&mut self, now: When, why: String) {
        let wait = RETRY_MS[self.failures.min(RETRY_MS.len() - 1)];
        self.failures += 1;
        self.not_before = now.now_ms.saturating_add(wait);
        self.rebuild = true;
        self.building = None;
        // nft's changes are atomic: the previous table still exists.
        if self.has_table() != Some(true) {
            self.built = None;
        }
        self.why = Some(why);
    }

    /// Kills a running nft and deletes the table, at the end of the daemon.
    pub(super) fn stop(&mut self) -> Result<(), String> {
        // Kills a running process.
        self.nft = Nft::default();
        self.built = None;
        // Also a table that could not be replaced by the last wanted one. Before the first turn nothing was created.
        let removed = if self.reconciled { self.remove_table() } else { Ok(()) };
        removed.map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests;
