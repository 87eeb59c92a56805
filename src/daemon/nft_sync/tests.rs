//! Against the kernel, in networks of their own.

use nix::sched::{CloneFlags, unshare};

use super::*;
use crate::daemon::nft::run::{command, program};

/// Whether this thread has a kernel's network of its own, with nft.
fn is_alone() -> bool {
    program().is_some() && unshare(CloneFlags::CLONE_NEWNET).is_ok()
}

fn turn(sync: &mut NftSync, guard: &mut Guard, boot_ms: u64) {
    sync.turn(Now { boot_ms, wall: 0 }, None, guard);
}

#[test]
fn a_table_that_a_killed_daemon_left_is_taken_away_where_nothing_is_guarded() {
    if !is_alone() {
        return;
    }
    assert!(command().unwrap().args(["add", "table", "inet", "fwstat"]).status().unwrap().success());
    let mut sync = NftSync::new();
    sync.set(Spec::default());
    turn(&mut sync, &mut Guard::default(), 0);
    assert!(!Elements::open().unwrap().has_table().unwrap());
}
