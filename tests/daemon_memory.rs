//! The daemon's process with every table full: ten million forged sources through the kernel's NFLOG, and a
//! full log beside them, while its clock runs through a whole day.

#[path = "support/forged.rs"]
mod forged;
#[path = "support/release.rs"]
mod release;
#[path = "support/router.rs"]
mod router;
mod stand_in;
mod support;
#[path = "support/wall_clock.rs"]
mod wall_clock;

use std::fs;
use std::process::Command;
use std::sync::mpsc::{channel, sync_channel};
use std::thread;
use std::time::Duration;

use forged::{forged, raw_socket};
use router::{Router, line};
use serde_json::{Value, json};
use stand_in::logd::Logd;
use support::namespaces::{Network, ROUTER_V4};
use wall_clock::{WallClock, now};

const SOURCES: u64 = 10_000_000;
/// Of the clock, a minute and some each.
const STEPS: u64 = 1000;
const DAY: i64 = 86_400;
/// The most that the test itself takes of the day.
const MEANWHILE: i64 = 600;
/// The goal is 8 MiB, which the moments of a commit do not reach yet.
const MOST_KIB: u64 = 11 * 1024;

#[test]
fn broker_process() {
    stand_in::broker::serve_if_asked();
}

const RULES: &str = r#"
table inet test {
    counter arrived {
    }
    chain input {
        type filter hook input priority 0;
        iifname "wan" tcp flags syn counter name arrived log group 32 prefix "reject wan in: " snaplen 128 queue-threshold 40
        iifname "wan" drop
    }
}
"#;

/// The value of a field in /proc, such as `VmRSS:      12 kB`, in KiB.
fn kib(line: &str) -> Option<u64> {
    line.split_once(':')?.1.trim().strip_suffix(" kB")?.parse().ok()
}

/// What the daemon has in memory now, and the most it ever had, in KiB.
fn resident(router: &Router) -> (u64, u64) {
    let path = format!("/proc/{}/status", router.daemon.as_ref().unwrap().id());
    let status = fs::read_to_string(path).unwrap();
    let field = |name: &str| status.lines().find(|line| line.starts_with(name)).and_then(kib).unwrap();
    (field("VmRSS:"), field("VmHWM:"))
}

/// What of it are libraries that the daemon has not without the shim of its clock, in KiB.
fn shims(router: &Router) -> u64 {
    // The dynamic linker's list of what the program itself needs (ld.so(8)).
    let list = Command::new(&router.program).env("LD_TRACE_LOADED_OBJECTS", "1").output().unwrap();
    let needed = String::from_utf8(list.stdout).unwrap();
    assert!(needed.contains("libc.so"), "{needed}");
    let path = format!("/proc/{}/smaps", router.daemon.as_ref().unwrap().id());
    let (mut sum, mut is_shim) = (0, false);
    for line in fs::read_to_string(path).unwrap().lines() {
        if line.starts_with(|letter: char| letter.is_ascii_hexdigit() && !letter.is_ascii_uppercase()) {
            let file = line.split_whitespace().nth(5).unwrap_or_default();
            let name = file.rsplit('/').next().unwrap_or_default();
            is_shim = name.contains(".so") && !needed.contains(name);
        } else if is_shim && line.starts_with("Rss:") {
            sum += kib(line).unwrap();
        }
    }
    assert!((1..1024).contains(&sum), "{sum} KiB of shims");
    sum
}

/// Bytes of NFLOG's datagrams that the daemon has not read yet.
fn unread(router: &Router) -> u64 {
    let path = format!("/proc/{}/net/netlink", router.daemon.as_ref().unwrap().id());
    let rows = fs::read_to_string(path).unwrap();
    let rows = rows.lines().skip(1).map(|row| row.split_whitespace().collect::<Vec<_>>());
    // Protocol 12 is netfilter's.
    rows.filter(|row| row[1] == "12").map(|row| row[4].parse::<u64>().unwrap()).sum()
}

#[test]
fn ten_million_forged_sources_in_a_day_through_the_kernel() {
    let Some(network) = Network::up() else { return };
    network.nft(RULES);
    let mut router = Router::new("memory", Some(&network), "nflog logd");
    let Some(clock) = WallClock::new(&router.directory, true) else { return };
    router.environment = clock.environment();
    // From the next midnight (JST) on.
    let midnight = (now() + 9 * 3600).div_euclid(DAY) * DAY + DAY - 9 * 3600;
    let start = midnight + 5 - now();
    clock.ahead(start);
    router.program = release::release().0;
    let mut logd = Logd::with_ring(&router.broker.socket, 1 << 20);
    for id in 0..900 {
        logd.kernel(&format!("{} {}", line("198.51.100.9", 23, id), "x".repeat(700)));
    }
    router.start();
    router.running("nflog");
    router.running("logd");
    let idle = resident(&router).0;
    let outside = network.outside.clone();
    let (step, steps) = sync_channel::<u64>(0);
    let (done, sent) = channel();
    let sender = thread::spawn(move || {
        Network::enter(&outside);
        let socket = raw_socket();
        for number in steps {
            forged(&socket, ROUTER_V4.parse().unwrap(), number * (SOURCES / STEPS), SOURCES / STEPS);
            done.send(()).unwrap();
        }
    });
    // A link under load drops some before they reach the rule: others come for them.
    let mut number = 0;
    while number < STEPS || network.counter("arrived") < SOURCES {
        assert!(number < 2 * STEPS, "only {} packets reach the rule", network.counter("arrived"));
        // Time passes: a copy each minute, a commit each hour.
        clock.ahead(start + number.min(STEPS) as i64 * (DAY - MEANWHILE) / STEPS as i64);
        step.send(number).unwrap();
        sent.recv().unwrap();
        // The question is not what the kernel's buffer holds.
        while unread(&router) > 64 << 10 {
            thread::sleep(Duration::from_millis(1));
        }
        number += 1;
    }
    drop(step);
    sender.join().unwrap();
    let arrived = network.counter("arrived");
    // Sources of 169.254.0.0/16 are noise; the log's lines are of the day before.
    let counted = |summary: &Value| {
        let of = |class: &str| summary["classes"][class].as_u64().unwrap();
        of("attempt") + of("noise")
    };
    let summary = router.wait("all of them", |summary| counted(summary) == arrived);
    let full = resident(&router).0;
    let unique = summary["unique_sources"].as_f64().unwrap();
    // Four standard errors; two of them are told.
    let most_off = 2.0 * summary["unique_sources_error"].as_f64().unwrap();
    assert!((unique - arrived as f64).abs() <= most_off, "{unique} of {arrived}");
    let input = router.input("nflog");
    assert_eq!((&input["received"], &input["lost"]), (&json!(arrived), &json!(0)), "{input}");
    let rows =
        |question: &str| router.answer(question, json!({"limit": 1000}))[question].as_array().unwrap().len();
    assert_eq!((rows("services"), rows("sources"), rows("days")), (1000, 1000, 1));
    let hours = router.answer("hours", json!({}));
    assert!(
        hours["hours"].as_array().unwrap().iter().all(|hour| hour["attempts"].as_u64() > Some(SOURCES / 30))
    );
    for question in ["summary", "months", "anomalies", "recent", "status"] {
        router.answer(question, json!({"limit": 1000}));
    }
    let store = &router.answer("status", json!({}))["store"];
    assert!(store["state"] == "ok" && store["last_commit"].is_string(), "{store}");
    let ((after, most), shims) = (resident(&router), shims(&router));
    eprintln!(
        "resident: {idle} KiB idle, {full} with full tables, {after} after all questions, {most} at most; \
         {shims} of each are the clock's shim"
    );
    assert!(most - shims <= MOST_KIB, "{} KiB at most", most - shims);
    router.stop();
}
