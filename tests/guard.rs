//! The guard in a router of its own: what it does to the kernel's sets, and what brings them back.

#[path = "support/forged.rs"]
mod forged;
#[path = "support/guarded.rs"]
mod guarded;
#[path = "guard/latency.rs"]
mod latency;
#[path = "support/router.rs"]
mod router;
mod stand_in;
mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::RwLock;
use std::thread;
use std::time::{Duration, Instant};

use fwstat::daemon::nft::script::BLOCKED;
use fwstat::guard::Source;
use guarded::{Guarded, ON, RULES, WITHIN, address, blocked, eventually, inside, names, run, start_prepared};
use nix::sys::signal::Signal;
use router::line;
use serde_json::json;
use support::forge::Forger;
use support::namespaces::{OUTSIDE_V4, ROUTER_V4};

/// The test that measures a time has the machine to itself, as far as it depends on these tests.
static TURN: RwLock<()> = RwLock::new(());

/// Runs the broker when this program was started as one; else does nothing.
#[test]
fn broker_process() {
    stand_in::broker::serve_if_asked();
}

#[test]
fn a_flood_is_in_the_kernels_set_within_milliseconds_and_nobody_else_is() {
    let _turn = TURN.write().unwrap_or_else(|broken| broken.into_inner());
    const RUNS: u8 = 100;
    let Some(mut guarded) = Guarded::up("latency", "", "option enabled '1';option budget '1000/1m'") else {
        return;
    };
    let bystander = address("192.0.2.250");
    let mut times = Vec::new();
    for number in 0..RUNS {
        let attacker = Ipv4Addr::new(192, 0, 2, number + 1);
        guarded.forger.flood(attacker, 199);
        guarded.forger.syn(bystander, 23, number.into());
        // Everything before the threshold is counted.
        thread::sleep(Duration::from_millis(40));
        let wanted = Source::of(std::net::IpAddr::V4(attacker).into());
        assert_eq!(guarded.elements.dropped(BLOCKED, wanted.prefix()), None, "blocked below the threshold");
        times.push(latency::cross_threshold(&mut guarded, &[attacker], 1));
    }
    // Most of it is the question to connection tracking, which goes through the kernel's whole hash table: 262,144 buckets
    // on a large machine, 16,384 at most on a router.
    latency::check("alone", &times);
    assert_eq!(names(&mut guarded.elements).len(), usize::from(RUNS));
    let row = guarded.router.answer("source", json!({"address": "192.0.2.1"}));
    assert_eq!((&row["blocked"], &row["attempts"]), (&json!(true), &json!(200)));
    let block = &row["block"];
    assert_eq!(
        (&block["rule"], &block["count"], &block["window"]),
        (&json!("flood"), &json!(200), &json!("1m"))
    );
    assert_eq!((&block["services"], &block["times"]), (&json!(["tcp 23"]), &json!(1)));
    assert!(block["evidence"][0].as_str().unwrap().contains("SRC=192.0.2.1 "), "{block}");
    let other = guarded.router.answer("source", json!({"address": bystander.to_string()}));
    assert_eq!((&other["blocked"], &other["attempts"]), (&json!(false), &json!(RUNS)));
    let summary = guarded.router.answer("summary", json!({}));
    assert_eq!(summary["blocks"], json!({"active": RUNS, "today": RUNS}));
    // A blocked source is still counted.
    guarded.forger.flood(address("192.0.2.1"), 50);
    eventually("what the block stops is counted", || {
        guarded.router.answer("source", json!({"address": "192.0.2.1"}))["attempts"] == 250
    });
    eventually("and the block counts it", || {
        guarded.router.answer("blocks", json!({"source": "192.0.2.1"}))["blocks"][0]["dropped"] == 50
    });
    // Ten lines of their own, the others in one.
    assert_eq!(guarded.router.log().matches("guard: blocked 192.0.2.").count(), 10);
    guarded.router.stop();
    let left = Command::new("ip")
        .args(["netns", "exec", &guarded.network.router, "nft", "list", "table", "inet", "fwstat"])
        .stderr(Stdio::null())
        .status();
    assert!(!left.unwrap().success(), "the table is still there");
}

#[test]
fn the_blocked_source_cannot_open_connections_and_what_is_open_goes_on() {
    let _turn = TURN.read().unwrap_or_else(|broken| broken.into_inner());
    let Some(mut guarded) = Guarded::up("stopped", "", ON) else { return };
    let listener = inside(&guarded.network.router, || TcpListener::bind("0.0.0.0:8022").unwrap());
    let outside = guarded.network.outside.clone();
    let connect_within =
        |time| inside(&outside, move || TcpStream::connect_timeout(&(address(ROUTER_V4), 8022).into(), time));
    let mut open = connect_within(WITHIN).unwrap();
    let (mut accepted, _) = listener.accept().unwrap();
    for port in 0..30 {
        guarded.forger.syn(address(OUTSIDE_V4), 100 + port, port);
    }
    guarded.wait_for(&[OUTSIDE_V4]);
    assert_eq!(guarded.blocks()[0]["rule"], "scan");
    assert!(connect_within(Duration::from_millis(700)).is_err());
    open.write_all(b"x").unwrap();
    accepted.set_read_timeout(Some(WITHIN)).unwrap();
    accepted.read_exact(&mut [0]).unwrap();
    // Ended by hand; and every packet is stopped if that is asked for.
    assert_eq!(guarded.router.shell(&["unblock", OUTSIDE_V4]).0, Some(0));
    guarded.wait_for(&[]);
    assert!(connect_within(WITHIN).is_ok());
    guarded.configure("", "option enabled '1';option scope 'all'");
    guarded.router.signal(Signal::SIGHUP);
    eventually("the scope is another", || {
        guarded.nft(&["list", "chain", "inet", "fwstat", "check_source"]).contains("nd-neighbor-solicit")
    });
    assert_eq!(guarded.router.shell(&["block", OUTSIDE_V4, "--for", "1m"]).0, Some(0));
    guarded.wait_for(&[OUTSIDE_V4]);
    open.write_all(b"x").unwrap();
    accepted.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    assert!(accepted.read_exact(&mut [0]).is_err());
    guarded.router.stop();
}

#[test]
fn the_table_comes_back_whatever_takes_it_away() {
    let _turn = TURN.read().unwrap_or_else(|broken| broken.into_inner());
    let Some(mut guarded) = Guarded::up("back", "", "option enabled '1';option block_for '10m'") else {
        return;
    };
    guarded.forger.flood(address("192.0.2.1"), 200);
    guarded.wait_for(&["192.0.2.1"]);
    let reload = format!("flush table inet fw4\n{RULES}");
    let restart = format!("delete table inet fw4\n{RULES}");
    let all = "flush ruleset\n".to_string();
    let hand = "delete table inet fwstat\n".to_string();
    let rules = "flush table inet fwstat\n".to_string();
    let chain = "flush chain inet fwstat check_source\n".to_string();
    let element = "delete element inet fwstat blocked4 { 192.0.2.1 }\n".to_string();
    for (what, script) in [
        ("delete", &hand),
        ("flush ruleset", &all),
        ("stop and start", &RULES.to_string()),
        ("reload", &reload),
        ("restart", &restart),
        ("flushed", &rules),
        ("a chain emptied", &chain),
        ("an element deleted", &element),
        ("delete again", &hand),
    ] {
        // What happens to a table before the daemon listens again is not noticed.
        eventually("the guard is on", || guarded.state() == "on");
        let before = blocked(&mut guarded.elements)[0].1;
        let asked = Instant::now();
        let expected = guarded.nft(&["-s", "-t", "list", "table", "inet", "fwstat"]);
        // As long as some forty runs of nft take where the machine is that slow.
        let most = Duration::from_secs(2).max(40 * asked.elapsed());
        let hurt = Instant::now();
        guarded.network.nft(script);
        let back = loop {
            let found = blocked(&mut guarded.elements);
            let now = Command::new("ip")
                .args([
                    "netns",
                    "exec",
                    &guarded.network.router,
                    "nft",
                    "-s",
                    "-t",
                    "list",
                    "table",
                    "inet",
                    "fwstat",
                ])
                .stderr(Stdio::null())
                .output()
                .unwrap();
            let whole = String::from_utf8_lossy(&now.stdout) == expected;
            if let Some((_, left)) = found.iter().find(|(name, _)| name == "192.0.2.1").filter(|_| whole) {
                break *left;
            }
            assert!(hurt.elapsed() < most, "{what}: not back within {most:?}\n{}", guarded.router.log());
            thread::sleep(Duration::from_millis(10));
        };
        eprintln!("{what}: back after {:?}", hurt.elapsed());
        assert!(back <= before, "{what}: {before} ms were left, now {back}");
    }
    // Killed, then gone from the kernel, then only half of it gone.
    for script in [hand.as_str(), "flush set inet fwstat blocked4\n"] {
        let before = blocked(&mut guarded.elements)[0].1;
        thread::sleep(Duration::from_millis(1200));
        guarded.router.kill();
        guarded.network.nft(script);
        guarded.start();
        guarded.wait_for(&["192.0.2.1"]);
        assert!(blocked(&mut guarded.elements)[0].1 <= before);
    }
    // The kernel knows what the ledger does not, and the other way round.
    guarded.router.kill();
    fs::remove_dir_all(guarded.router.path("run")).unwrap();
    let _ = fs::remove_file(guarded.router.path("db/blocks.fws"));
    guarded.start();
    guarded.wait_for(&["192.0.2.1"]);
    assert_eq!(guarded.blocks()[0]["rule"], "found");
    // Stopped and started as procd does.
    guarded.router.stop();
    guarded.start();
    guarded.wait_for(&["192.0.2.1"]);
    // Switched off, nothing stays.
    guarded.configure("", "option enabled '0'");
    guarded.router.signal(Signal::SIGHUP);
    eventually("the table is gone", || !guarded.nft(&["list", "tables"]).contains("fwstat"));
    guarded.router.stop();
}

/// Three packets of each of these sources, all of them read or known to be lost.
fn forge(guarded: &Guarded, numbers: std::ops::Range<u32>) {
    let sum = u64::from(numbers.end) * 3;
    let outside = guarded.network.outside.clone();
    let sender = thread::spawn(move || {
        let forger = Forger::new(&outside, ROUTER_V4);
        for number in numbers {
            let source = Ipv4Addr::from(0x2d00_0000 + number * 37);
            for id in 0..3 {
                forger.syn(source, 23, id);
            }
            if number % 64 == 0 {
                // A minute is enough for it on any machine; the kernel's buffer is not the question here.
                thread::sleep(Duration::from_millis(1));
            }
        }
    });
    sender.join().unwrap();
    let mut seen = (0, Instant::now());
    loop {
        let input = guarded.router.input("nflog");
        let now = input["received"].as_u64().unwrap() + input["lost"].as_u64().unwrap();
        if now >= sum {
            break;
        }
        if now > seen.0 {
            seen = (now, Instant::now());
        }
        // A loss is known only when a later packet arrives.
        if seen.1.elapsed() > Duration::from_secs(10) {
            break;
        }
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_hundred_thousand_forged_sources_use_up_the_budget_and_nothing_else() {
    let _turn = TURN.read().unwrap_or_else(|broken| broken.into_inner());
    let options = "option enabled '1';option flood '2/1m';option scan '1000/1m'";
    let Some(mut guarded) = Guarded::up("forged", "", options) else { return };
    let forged = 100_000u32;
    let first = 40_000;
    forge(&guarded, 0..first);
    let resident = |guarded: &Guarded| {
        guarded.router.answer("status", json!({}))["memory"]["resident"].as_u64().unwrap()
    };
    let full = resident(&guarded);
    forge(&guarded, first..forged);
    let summary = guarded.router.answer("summary", json!({}));
    let input = guarded.router.input("nflog");
    assert_eq!(summary["attempts"], input["attempts"]);
    let lost = input["lost"].as_u64().unwrap();
    assert_eq!(input["received"].as_u64().unwrap() + lost, u64::from(forged) * 3);
    // Four standard errors; two of them are told.
    let most_off = 2.0 * summary["unique_sources_error"].as_f64().unwrap();
    let unique = summary["unique_sources"].as_f64().unwrap();
    assert!((unique - f64::from(forged)).abs() <= most_off || lost > 0, "{summary}");
    let found = names(&mut guarded.elements).len();
    // The budget is 30 a minute; a busy machine may have taken more than one.
    assert!((30..=60).contains(&found), "{found}");
    assert_eq!(summary["blocks"]["active"], found);
    let more = resident(&guarded).saturating_sub(full);
    // Every table was full before.
    assert!(more <= 512 << 10, "{more} bytes more for further sources");
    let resident = resident(&guarded);
    eprintln!("{found} blocked, {lost} packets lost, {} KiB resident", resident / 1024);
    // Who would have been blocked and was not is told.
    let status = guarded.status();
    assert_eq!((&status["state"], &status["budget"]["limit"]), (&json!("degraded"), &json!(30)), "{status}");
    assert!(status["why"].as_str().unwrap().starts_with("the budget of 30 blocks"), "{status}");
    let until = Instant::now() + Duration::from_secs(150);
    while !guarded.router.log().contains("beyond the budget of 30 in 60 s") {
        assert!(Instant::now() < until, "{}", guarded.router.log());
        thread::sleep(Duration::from_millis(100));
    }
    let log = guarded.router.log();
    assert!(log.lines().count() <= 40, "{log}");
    assert!(log.matches("beyond the budget").count() <= 2, "{log}");
    guarded.router.stop();
}

#[test]
fn blocks_return_after_a_reboot_with_the_clock_in_the_past() {
    let _turn = TURN.read().unwrap_or_else(|broken| broken.into_inner());
    let Some(mut guarded) = Guarded::up("reboot", "", "option enabled '1';option block_for '10m'") else {
        return;
    };
    for host in ["192.0.2.1", "192.0.2.2"] {
        guarded.forger.flood(address(host), 200);
    }
    guarded.wait_for(&["192.0.2.1", "192.0.2.2"]);
    let mut before = blocked(&mut guarded.elements);
    // On flash, not in tmpfs alone.
    eventually("the ledger is on flash", || {
        let bytes = fs::read(guarded.router.path("db/blocks.fws")).unwrap_or_default();
        fwstat::store::ledger::decode(bytes).is_some_and(|kept| kept.blocks.len() == 2)
    });
    before[0].1 = before[0].1.min(blocked(&mut guarded.elements)[0].1);
    guarded.router.kill();
    guarded.network.nft("delete table inet fwstat\n");
    fs::remove_dir_all(guarded.router.path("run")).unwrap();
    // What is stored is of a later day than the clock's: the clock is in the past.
    let year = 2 + jiff_year();
    let line = format!("{year}-03-01T12:00:00+00:00 router kernel: {}\n", line("192.0.2.9", 23, 1));
    fs::write(guarded.router.path("late.log"), line).unwrap();
    let (db, late) = (guarded.router.path("db"), guarded.router.path("late.log"));
    let (db, late) = (db.to_str().unwrap(), late.to_str().unwrap());
    run(env!("CARGO_BIN_EXE_fwstat"), &["import", "--db", db, "--timezone", guarded.router.zone, late]);
    let boot = guarded.router.path("boot_id");
    fs::write(&boot, "00000000-0000-4000-8000-000000000000\n").unwrap();
    let mount = format!("mount --bind {} /proc/sys/kernel/random/boot_id", boot.display());
    start_prepared(&mut guarded, &mount);
    assert_eq!(guarded.router.answer("status", json!({}))["clock"]["set"], false);
    guarded.wait_for(&["192.0.2.1", "192.0.2.2"]);
    for ((name, after), (_, before)) in blocked(&mut guarded.elements).iter().zip(&before) {
        // The file was written a moment before we looked.
        assert!(*after <= before + 2_000 && after + 60_000 > *before, "{name}: {after} of {before}");
    }
    assert_eq!(guarded.blocks()[0]["times"], 1);
    assert!(guarded.blocks()[0]["evidence"][0].as_str().unwrap().contains("SRC=192.0.2."));
    // A third one while the clock is not known, and then it is.
    guarded.router.running("nflog");
    eventually("the guard is on", || guarded.state() == "on");
    guarded.forger.flood(address("192.0.2.3"), 200);
    guarded.wait_for(&["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
    fs::write(guarded.router.path("run/clock-set"), "").unwrap();
    eventually("the clock is known", || guarded.router.answer("status", json!({}))["clock"]["set"] == true);
    assert_eq!(names(&mut guarded.elements).len(), 3);
    guarded.router.stop();
}

/// This year.
fn jiff_year() -> i64 {
    let seconds = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    1970 + (seconds / 31_556_952) as i64
}
