//! Against the kernel, in networks of their own.

use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, unshare};

use super::*;
use crate::daemon::nft::kernel::map_drops;
use crate::daemon::nft::run::{command, program};
use crate::daemon::nft::script::GuardSpec;
use crate::guard::{BlockRequest, Mode, Settings};

/// Moves this thread into a new network namespace (unshare(2)). Without nft or root it gives false, so that the test is
/// skipped; with `CI=true` that is a failure.
fn enter_netns() -> bool {
    let entered = program().is_some() && unshare(CloneFlags::CLONE_NEWNET).is_ok();
    assert!(entered || std::env::var("CI").as_deref() != Ok("true"), "this test must run in CI");
    entered
}

fn turn(sync: &mut NftSync, guard: &mut Guard, boot_ms: u64) {
    sync.turn(When { now_ms: boot_ms, ..When::default() }, guard);
}

/// Turns, on the clock that begins at `began`, until something is so.
fn until(began: Instant, sync: &mut NftSync, guard: &mut Guard, is_done: &dyn Fn(&NftSync) -> bool) {
    while !is_done(sync) {
        assert!(began.elapsed() < Duration::from_secs(60));
        turn(sync, guard, began.elapsed().as_millis() as u64);
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A guard that blocks.
fn on() -> Guard {
    let mut guard = Guard::default();
    guard.set(0, Settings { mode: Mode::On, ..Settings::default() }, 1);
    guard
}

fn request() -> BlockRequest {
    let source = Source::V4(0xc633_6407);
    BlockRequest { source, length_ms: Some(60_000), reason: None, callers: Vec::new() }
}

fn spec(outside: &str) -> GuardSpec {
    let (outside, shared) = (vec![outside.to_string()], Vec::new());
    GuardSpec { enforce: true, all: false, size: 9, outside, shared }
}

#[test]
fn a_table_that_a_killed_daemon_left_is_taken_away_where_nothing_is_guarded() {
    if !enter_netns() {
        return;
    }
    assert!(command().unwrap().args(["add", "table", "inet", "fwstat"]).status().unwrap().success());
    let mut sync = NftSync::new();
    sync.set(Spec::default());
    turn(&mut sync, &mut Guard::default(), 0);
    assert!(!Elements::open().unwrap().has_table().unwrap());
}

#[test]
fn without_a_table_no_changes_are_queued() {
    let (mut sync, mut guard) = (NftSync::new(), on());
    guard.block(When::default(), request()).unwrap();
    std::mem::take(&mut guard.changes).iter().for_each(|change| sync.note(change));
    assert!(sync.pending.is_empty() && sync.is_pending(request().source));
}

#[test]
fn the_table_that_is_there_takes_blocks_while_nft_cannot_make_another() {
    if !enter_netns() {
        return;
    }
    let (mut sync, mut guard) = (NftSync::new(), on());
    let began = Instant::now();
    sync.set(Spec { guard: Some(spec("wan")), ..Spec::default() });
    until(began, &mut sync, &mut guard, &NftSync::is_up);
    // Longer than the kernel's names.
    sync.set(Spec { guard: Some(spec("a-very-long-name-of-wan")), ..Spec::default() });
    until(began, &mut sync, &mut guard, &|sync| sync.why.is_some());
    let source = request().source;
    guard.block(When::default(), request()).unwrap();
    std::mem::take(&mut guard.changes).iter().for_each(|change| sync.note(change));
    turn(&mut sync, &mut guard, 0);
    let mut blocked = Vec::new();
    Elements::open().unwrap().sources(BLOCKED, &mut |source, _| blocked.push(source));
    assert_eq!((blocked, sync.is_pending(source)), (vec![source], false));
}

#[test]
fn another_table_counts_on_what_blocks_drop() {
    if !enter_netns() {
        return;
    }
    let (mut sync, mut guard) = (NftSync::new(), on());
    let began = Instant::now();
    let source = request().source;
    guard.block(When::default(), request()).unwrap();
    sync.set(Spec { guard: Some(spec("wan")), ..Spec::default() });
    until(began, &mut sync, &mut guard, &|sync| sync.builds == 1);
    let words = "add element inet fwstat blocked4 { 198.51.100.7 counter packets 40 bytes 40 timeout 60s }";
    for words in ["flush set inet fwstat blocked4", words] {
        assert!(command().unwrap().args(words.split(' ')).status().unwrap().success());
    }
    assert_eq!(sync.dropped(BLOCKED, source.prefix()), Some(40));
    // Another interface leads outside.
    sync.set(Spec { guard: Some(spec("wan2")), ..Spec::default() });
    until(began, &mut sync, &mut guard, &|sync| sync.builds == 2);
    assert_eq!(sync.dropped(BLOCKED, source.prefix()), Some(40));
}

#[test]
fn what_many_blocks_drop_is_listed() {
    if !enter_netns() {
        return;
    }
    let element = |last: u32| format!("198.51.100.{last} counter packets {last} bytes 1 timeout 60s");
    let elements: Vec<String> = (1..200).map(element).collect();
    for words in [
        "add table inet fwstat".to_string(),
        "add set inet fwstat blocked4 { type ipv4_addr; size 999; flags timeout; counter; }".to_string(),
        format!("add element inet fwstat blocked4 {{ {} }}", elements.join(", ")),
    ] {
        assert!(command().unwrap().arg(words).status().unwrap().success());
    }
    let mut dropped = Vec::new();
    Elements::open().unwrap().sources(BLOCKED, &mut |source, element| {
        dropped.push((source, element.packets.unwrap()));
    });
    dropped.sort_unstable();
    let expected: Vec<_> = (1..200).map(|last| (Source::V4(0xc633_6400 + last), u64::from(last))).collect();
    assert_eq!(dropped, expected);
}

#[test]
fn a_table_with_many_peers_is_made_once_and_has_the_peers() {
    if !enter_netns() {
        return;
    }
    let (mut sync, mut guard) = (NftSync::new(), on());
    let began = Instant::now();
    sync.set(Spec { guard: Some(spec("wan")), ..Spec::default() });
    until(began, &mut sync, &mut guard, &|sync| sync.builds == 1 && sync.is_up());
    // More notifications than a socket takes.
    for third in 0..32 {
        let peers: Vec<String> = (0..250).map(|last| format!("198.18.{third}.{last}")).collect();
        let words = format!("add element inet fwstat peers4 {{ {} }}", peers.join(", "));
        assert!(command().unwrap().arg(words).status().unwrap().success());
        let ended = Instant::now() + Duration::from_millis(20);
        until(began, &mut sync, &mut guard, &|_| Instant::now() > ended);
    }
    sync.set(Spec { guard: Some(spec("wan2")), ..Spec::default() });
    until(began, &mut sync, &mut guard, &|sync| sync.builds == 2);
    let ended = Instant::now() + Duration::from_secs(1);
    until(began, &mut sync, &mut guard, &|_| Instant::now() > ended);
    assert_eq!((sync.builds, sync.is_up(), sync.peer_use(0).unwrap().used), (2, true, 8000));
    // What another program does is noticed again.
    assert!(
        command().unwrap().args(["flush", "chain", "inet", "fwstat", "input"]).status().unwrap().success()
    );
    until(began, &mut sync, &mut guard, &|sync| sync.builds == 3 && sync.is_up());
}

#[test]
fn a_transaction_that_fails_is_an_error_however_long_it_is() {
    if !enter_netns() {
        return;
    }
    for words in [
        "add table inet fwstat",
        "add set inet fwstat networks4 { type ipv4_addr; flags interval,timeout; }",
        "add set inet fwstat networks6 { type ipv6_addr; size 9; flags interval,timeout; }",
    ] {
        assert!(command().unwrap().arg(words).status().unwrap().success());
    }
    let range = |number: u128| ((number << 64, (number << 64) + 7), Some(60_000));
    let wanted: Vec<_> = (0x2a00_0000_0000_0000..0x2a00_0000_0000_0100).map(range).collect();
    let error = Elements::open().unwrap().set_networks(&wanted).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ENFILE));
}

#[test]
fn what_a_verdict_map_of_another_table_does_is_asked() {
    if !enter_netns() {
        return;
    }
    let maps = "table ip own { chain services { }; \
        map some { type inet_service : verdict; elements = { 22 : accept, * : drop }; }; \
        map none { type inet_service : verdict; elements = { 22 : accept, * : jump services }; }; }";
    assert!(command().unwrap().arg(maps).status().unwrap().success());
    let drops = |map| map_drops("ip", "own", map);
    assert_eq!([drops("some"), drops("none"), drops("missing")], [Some(true), Some(false), None]);
}
