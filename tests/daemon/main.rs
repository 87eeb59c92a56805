//! The daemon with a bus, clocks and failing system calls.

#[path = "../common/mod.rs"]
mod common;
#[path = "../support/forged.rs"]
mod forged;
#[path = "../support/guarded.rs"]
mod guarded;
#[path = "../support/months.rs"]
mod months;
#[path = "../common/ranges.rs"]
mod ranges;
#[path = "../support/release.rs"]
mod release;
#[path = "../support/router.rs"]
mod router;
#[path = "../stand_in/mod.rs"]
mod stand_in;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/wall_clock.rs"]
mod wall_clock;

mod both_inputs;
mod bus_peers;
mod clocks;
mod daemon;
mod failing_calls;
mod logd_feed;
mod questions;
mod soak;
mod ubus;
mod upkeep;

/// Runs the broker when this program was started as one; else does nothing.
#[test]
fn broker_process() {
    stand_in::broker::serve_if_asked();
}
