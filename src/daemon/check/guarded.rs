//! Checks of the guard: its options, nft, and the table in the kernel.
//!
//! Takes the options, asks the kernel over netlink, adds findings. Changes nothing.

use super::Findings;
use crate::config::{Config, GuardMode, Scope};
use crate::daemon::nft::kernel::Elements;
use crate::daemon::nft::run::program;

/// Findings that follow from the options alone.
pub(super) fn options(config: &Config, findings: &mut Findings) {
    if config.watch_egress && !config.input.nflog {
        findings.wrong("watch_egress logs to the group of the input nflog: put nflog into the list input");
    }
    let guard = &config.guard;
    if guard.mode == GuardMode::Off {
        // The findings of the options say why it is off although it was enabled.
        return;
    }
    if guard.allow.is_empty() {
        findings.note(
            "the guard's list allow is empty: put in the addresses from which you reach the router from outside, \
             so that nobody can have them blocked by forged packets",
        );
    }
    if guard.scope == Scope::All {
        findings.note(
            "the guard's scope is all: a flood with a forged source also cuts off what you open to it from inside",
        );
    }
    if !config.input.logd {
        findings.note("the guard's option login sees nothing: failed logins come through the input logd");
    }
}

/// Whether the kernel has the guard's table.
pub(super) fn table(config: &Config, findings: &mut Findings) {
    if config.guard.mode == GuardMode::Off {
        return;
    }
    if program().is_none() {
        return findings
            .wrong("the guard is on, but nft is missing: install nftables-nojson or nftables-json");
    }
    match Elements::open().and_then(|mut elements| elements.has_table()) {
        Ok(true) => findings.fine("the guard's table 'inet fwstat' is in the kernel"),
        Ok(false) => findings.wrong(
            "the guard is on, but its table 'inet fwstat' is not in the kernel: is the daemon running? \
             'fwstat status' says why",
        ),
        Err(error) => findings.wrong(format!("cannot ask the kernel for the guard's table: {error}")),
    }
}
