//! The worker's job for blocked networks: finds their addresses, checks these against what is protected, and loads them
//! into the kernel's sets.

use std::path::PathBuf;
use std::time::Instant;

use super::{NetworkRequest, What};
use crate::daemon::nft::conntrack::all_connections;
use crate::daemon::nft::kernel::Elements;
use crate::daemon::nft::script::PEERS;
use crate::geoip::{Database, NoRanges};
use crate::guard::networks::{MAX_RANGES, elements, overlap};
use crate::guard::policy::Policy;
use crate::guard::ranges::Ranges;
use crate::guard::{Protection, Source};
use crate::query::target::{MAX_NETWORKS, Target};
use crate::stats::countries::Country;

/// Most peers collected by one job; a refusal names fewer.
const MAX_PEERS: usize = 4096;

/// One job of the worker thread: candidates are checked and the sets loaded.
pub(super) struct Job {
    /// Present blocks with their remaining milliseconds; `None`: until unblocked.
    pub blocks: Vec<(Target, Option<u64>)>,
    /// Further targets to block or to test.
    pub request: Option<NetworkRequest>,
    pub policy: Policy,
    pub database: PathBuf,
    /// The table exists, so the kernel knows the peers.
    pub can_ask: bool,
    /// Load the sets; not for a test.
    pub load: bool,
}

/// What a [`Job`] did.
pub(super) struct Outcome {
    pub accepted: Vec<Target>,
    /// Candidates that must not be blocked, and why.
    pub refused: Vec<(Target, String)>,
    /// Why some blocks are not in the kernel.
    pub failed: Option<String>,
    pub ranges: usize,
    /// IPv4 addresses and IPv6 /64s of the accepted ones.
    pub size: (u64, u64),
    /// Whether the kernel's sets were loaded; absent if nothing was to be loaded.
    pub loaded: Option<Result<(), String>>,
}

/// The addresses of a target. The country database is opened, and checked, only for a country.
fn ranges_of(target: Target, database: &mut Database) -> Result<Ranges, String> {
    let code = match target {
        Target::Network(prefix) => return Ok(Ranges::of_prefixes(std::iter::once(prefix))),
        Target::Country(code) => code,
    };
    database.refresh();
    match database.ranges_of(Country(code), MAX_RANGES) {
        None => Err("no country database: install fwstat-country, or set option country_database".into()),
        Some(Ok(found)) if found.is_empty() => Err("the country database does not know this country".into()),
        Some(Ok(found)) => Ok(Ranges::new(found)),
        Some(Err(NoRanges::TooMany)) => Err(format!("it has more than {MAX_RANGES} ranges of addresses")),
        Some(Err(NoRanges::Unusable)) => Err("the country database is damaged".into()),
    }
}

/// Does one job in the worker thread.
pub(super) fn run(kernel: &mut Elements, job: Job) -> Outcome {
    let begun = Instant::now();
    let mut database = Database::new(&job.database);
    let mut failed = None;
    let mut blocks: Vec<(Target, Ranges, Option<u64>)> = Vec::new();
    for (target, left) in &job.blocks {
        match ranges_of(*target, &mut database) {
            Ok(ranges) => blocks.push((*target, ranges, *left)),
            Err(why) => failed = failed.or_else(|| Some(format!("{target} is not blocked: {why}"))),
        }
    }
    let (mut checked, mut refused) = check(kernel, &job, &mut database);
    let exempt = job.policy.exempt();
    let length_ms = match job.request.as_ref().map(|request| &request.what) {
        Some(What::Block { length_ms, .. }) => *length_ms,
        Some(What::Test) | None => None,
    };
    let with = |new: &Checked| {
        let stays = |(known, ..): &&(Target, Ranges, _)| new.iter().all(|(target, _)| target != known);
        let present = blocks.iter().filter(stays).map(|(_, ranges, left)| (ranges.clone(), *left));
        let new = new.iter().map(|(_, ranges)| (ranges.clone(), length_ms));
        elements(present.chain(new).collect(), &exempt, MAX_RANGES)
    };
    let (mut wanted, mut is_whole) = with(&checked);
    if !is_whole && !checked.is_empty() {
        let why = format!("with it more than {MAX_RANGES} ranges of addresses would be blocked");
        refused.extend(checked.drain(..).map(|(target, _)| (target, why.clone())));
        (wanted, is_whole) = with(&checked);
    }
    if !is_whole {
        let most = format!("of the blocked networks only {MAX_RANGES} ranges of addresses are in the kernel");
        failed = failed.or(Some(most));
    }
    let all = checked.iter().fold(Ranges::default(), |all, (_, ranges)| all.with(ranges));
    let loaded = job.load.then(|| {
        let elapsed_ms = begun.elapsed().as_millis() as u64;
        for (_, left) in &mut wanted {
            *left = left.map(|left| left.saturating_sub(elapsed_ms));
        }
        wanted.sort_unstable();
        kernel.set_networks(&wanted).map_err(|error| error.to_string())
    });
    Outcome {
        size: all.without(&exempt).size(),
        accepted: checked.into_iter().map(|(target, _)| target).collect(),
        refused,
        failed,
        ranges: wanted.len(),
        loaded,
    }
}

type Checked = Vec<(Target, Ranges)>;

/// Candidates that may be blocked, with their addresses, and the others.
fn check(kernel: &mut Elements, job: &Job, database: &mut Database) -> (Checked, Vec<(Target, String)>) {
    let (mut checked, mut refused): (Checked, _) = (Vec::new(), Vec::new());
    let Some(request) = &job.request else { return (checked, refused) };
    let mut room = MAX_NETWORKS.saturating_sub(job.blocks.len());
    for target in &request.targets {
        let is_new = !job.blocks.iter().any(|(known, _)| known == target);
        let found = match *target {
            _ if is_new && room == 0 => {
                Err(format!("the limit of {MAX_NETWORKS} blocked networks and countries is reached"))
            }
            target => ranges_of(target, database),
        };
        let conflict = |ranges: &Ranges| job.policy.conflict(*target, ranges, &request.callers);
        match found.and_then(|ranges| conflict(&ranges).map_or(Ok(ranges), Err)) {
            Ok(ranges) => {
                room -= usize::from(is_new);
                checked.push((*target, ranges));
            }
            Err(why) => refused.push((*target, why)),
        }
    }
    if checked.is_empty() {
        return (checked, refused);
    }
    match peers(kernel, job, &checked) {
        None => {
            refused.extend(checked.drain(..).map(|(target, _)| (target, Protection::Unknown.to_string())))
        }
        Some(peers) => checked.retain(|(target, ranges)| {
            let peer = peers.iter().find(|source| ranges.touches(source.prefix()));
            if let Some(source) = peer {
                refused.push((*target, overlap(*target, source.prefix(), Protection::Peer)));
            }
            peer.is_none()
        }),
    }
    (checked, refused)
}

/// Peers of the inside within these networks; `None` if the kernel cannot tell.
fn peers(kernel: &mut Elements, job: &Job, checked: &Checked) -> Option<Vec<Source>> {
    if !job.can_ask || !matches!(kernel.has_table(), Ok(true)) {
        return None;
    }
    let all = Ranges::new(checked.iter().flat_map(|(_, ranges)| ranges.0.iter().copied()).collect());
    // Allowed addresses are not part of the block.
    let all = all.without(&job.policy.exempt());
    let mut found = Vec::new();
    let is_wanted = |source: Source| all.touches(source.prefix());
    let mut note = |source: Source| {
        if found.len() < MAX_PEERS && is_wanted(source) {
            found.push(source);
        }
    };
    kernel.sources(PEERS, &mut |source, _| note(source));
    // Without connection tracking over netlink the table's sets still have the last hour's peers.
    let _ = kernel.connected(&all_connections(), &is_wanted, &mut note);
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_blocked_stays_blocked_where_it_may_not_be_blocked_anew() {
        let blocked = Target::parse("203.0.113.0/24").unwrap();
        let job = Job {
            blocks: vec![(blocked, None)],
            request: Some(NetworkRequest {
                number: 1,
                targets: vec![blocked],
                what: What::Block { length_ms: Some(60_000), reason: None, is_list: false },
                callers: Vec::new(),
            }),
            policy: Policy::default(),
            database: "/nonexistent".into(),
            // Whether there is a connection to it cannot be determined.
            can_ask: false,
            load: false,
        };
        let outcome = run(&mut Elements::open().unwrap(), job);
        assert_eq!((outcome.accepted.len(), outcome.refused.len(), outcome.ranges), (0, 1, 1));
    }
}
