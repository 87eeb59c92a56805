//! The daemon and the guard with the kernel's netfilter, in network namespaces (root).

#[path = "../common/asn_mmdb.rs"]
mod asn_mmdb;
#[path = "../support/guarded.rs"]
mod guarded;
#[path = "../support/router.rs"]
mod router;
#[path = "../stand_in/mod.rs"]
mod stand_in;
#[path = "../support/mod.rs"]
mod support;

mod examples;
mod firewall;
mod guard_attacked;
mod guard_networks;
mod guard_policy;
mod nflog;

/// Runs the broker when this program was started as one; else does nothing.
#[test]
fn broker_process() {
    stand_in::broker::serve_if_asked();
}
