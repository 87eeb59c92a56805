//! The guard's part of `status`: its state, how much of its bounds is used, and its warnings.

use super::{Enforcer, Mode};
use crate::config::Config;
use crate::guard::Pool;
use crate::guard::policy::MAX_PROTECTED;
use crate::live::{Engine, Now};
use crate::query::answer::{GuardStatus, PeersStatus};

impl Enforcer {
    /// The guard's section of the answer `status`.
    pub(in crate::daemon) fn status(&mut self, now: Now, config: &Config, engine: &Engine) -> GuardStatus {
        let guard = &engine.guard;
        let reached = guard.reached(now.boot_ms);
        let failing = self.nft_sync.why(now.boot_ms);
        let (state, why) = match guard.settings.mode {
            Mode::Off => ("off", config.guard_refused.clone()),
            _ if failing.is_some() => ("degraded", failing),
            _ if !self.nft_sync.is_up() => ("starting", config.guard_refused.clone()),
            _ if self.networks.problem().is_some() => ("degraded", self.networks.problem().cloned()),
            _ if !reached.is_empty() => ("degraded", Some(reached.join("; "))),
            // The reload failed and the previous options stay in force: `status` says so.
            Mode::Dry => ("dry", config.guard_refused.clone()),
            Mode::On => ("on", config.guard_refused.clone()),
        };
        let on = guard.settings.mode != Mode::Off;
        let budget = |pool| on.then(|| guard.budget(now.boot_ms, pool));
        let room = |pool| on.then(|| guard.ledger.room(pool));
        let (networks, network_ranges) = self.networks.usage(guard);
        GuardStatus {
            enabled: on,
            state: state.to_string(),
            why,
            budget: budget(Pool::Packets),
            max_blocks: room(Pool::Packets),
            login_budget: budget(Pool::Logins),
            login_blocks: room(Pool::Logins),
            manual_blocks: room(Pool::Manual),
            networks: on.then_some(networks),
            network_ranges: on.then_some(network_ranges),
            peers: self.nft_sync.peer_use(now.boot_ms).filter(|_| on),
        }
    }

    /// Conditions that need attention, a sentence each.
    pub(in crate::daemon) fn warnings(&mut self, now: Now, config: &Config, engine: &Engine) -> Vec<String> {
        let mut warnings: Vec<String> = self.ledger.problem.iter().cloned().collect();
        if engine.guard.settings.mode != Mode::Off {
            self.warn_of_peers(now, &mut warnings);
            let left_out = engine.guard.policy.left_out;
            if left_out > 0 {
                warnings.push(format!(
                    "guard: {MAX_PROTECTED} addresses and networks of the router are protected, the limit; {left_out} more \
                     are not"
                ));
            }
        }
        if config.watch_egress && self.protected.outside.is_empty() {
            warnings.push("watch_egress: there is no default route, so the WAN interface is unknown".into());
        } else if config.watch_egress && !self.nft_sync.is_up() && self.nft_sync.why(now.boot_ms).is_some() {
            warnings.push("watch_egress: nothing is watched, since nft fails".into());
        } else if config.watch_egress && !self.can_log {
            warnings.push("watch_egress: nothing is logged without the input nflog".into());
        }
        warnings
    }

    /// Warnings if the peers of the inside exceed a bound.
    fn warn_of_peers(&mut self, now: Now, warnings: &mut Vec<String>) {
        if let Some(why) = &self.nft_sync.no_conntrack {
            warnings.push(format!(
                "guard: connection tracking cannot be asked ({why}; is kmod-nf-conntrack-netlink installed?): \
                 peers of inside hosts are known for the last hour only"
            ));
        }
        let peers = self.nft_sync.peer_use(now.boot_ms).unwrap_or_default();
        let PeersStatus { limit, limited, refused, .. } = peers;
        if refused > 0 {
            warnings.push(format!(
                "guard: the limit of {limit} peers is reached: the peers of {refused} connections were not remembered, and \
                 forged packets can have them blocked once these connections are over"
            ));
        }
        if limited > 0 {
            warnings.push(format!(
                "guard: a host of the inside opens connections to very many addresses: the peers of {limited} were not \
                 remembered"
            ));
        }
    }
}
