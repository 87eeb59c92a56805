//! What the daemon's process takes of memory at any time, on a store of sixteen months with every table full: ten million
//! forged sources through the kernel's NFLOG, a full log beside them, a guard that blocks, commits, the close of a day with
//! its batch for a fleet's server, a month that is summed up, and every question.
//!
//! `FWSTAT_ROUTER_PROGRAM` names OpenWrt's program for this machine, a static one with musl, which is what the bound is
//! about. Without it this machine's release build is measured, of which glibc and the readers of log files are part.

mod common;
#[path = "support/forged.rs"]
mod forged;
#[path = "support/guarded.rs"]
mod guarded;
#[path = "support/months.rs"]
mod months;
#[path = "common/ranges.rs"]
mod ranges;
#[path = "support/release.rs"]
mod release;
#[path = "support/router.rs"]
mod router;
mod stand_in;
mod support;
#[path = "support/wall_clock.rs"]
mod wall_clock;

use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::mpsc::{channel, sync_channel};
use std::thread;
use std::time::Duration;

use forged::{forged, raw_socket};
use fwstat::ubus::call::call;
use guarded::{ON, eventually, run, set};
use nix::sys::signal::Signal;
use router::{Router, line};
use serde_json::{Value, json};
use stand_in::logd::Logd;
use support::forge::Forger;
use support::namespaces::{Network, ROUTER_V4};
use wall_clock::now;

const SOURCES: u64 = 10_000_000;
/// The kernel's buffer has room for what is sent in one of them, even if the daemon does not run meanwhile.
const STEPS: u64 = 5000;
const COMMITS: u64 = 24;
const BLOCKED: u8 = 124;
/// A `summary` of thirteen months takes some 7.5 MiB, everything else stays below 6.9 MiB.
const MAX_KIB: u64 = 8 * 1024;
/// Of this machine's release build: 3 MiB more of mapped program and libraries, and glibc's heaps.
const MAX_KIB_HERE: u64 = 12 * 1024;

#[test]
fn broker_process() {
    stand_in::broker::serve_if_asked();
}

const RULES: &str = include_str!("support/forged.nft");

/// The most that the daemon had in memory, by what it did then, in KiB.
#[derive(Default)]
struct Peaks(Vec<(u64, String)>);

impl Peaks {
    /// What it has now; `what` it did since this was asked last.
    fn note(&mut self, router: &Router, what: &str) -> u64 {
        let process = format!("/proc/{}", router.daemon.as_ref().unwrap().id());
        let status = fs::read_to_string(format!("{process}/status")).unwrap();
        let field = |name: &str| -> u64 {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().strip_suffix(" kB").unwrap().parse().unwrap()
        };
        self.0.push((field("VmHWM:"), what.to_string()));
        // The peak begins anew (proc_pid_clear_refs(5)).
        fs::write(format!("{process}/clear_refs"), "5").unwrap();
        field("VmRSS:")
    }

    fn ask(&mut self, router: &Router, topic: &str, arguments: Value) {
        match call(&router.broker.socket, "fwstat", topic, &arguments, Duration::from_secs(30)) {
            Ok(answer) => assert!(answer.is_object(), "{answer}"),
            Err(error) => panic!("{topic} {arguments}: {error}\n{}", router.log()),
        }
        self.note(router, &format!("{topic} {arguments}"));
    }

    /// Every question, about today and since `from`.
    fn ask_all(&mut self, router: &Router, from: &str) {
        for since in [None, Some(from)] {
            let topics = ["summary", "services", "sources", "days", "months", "countries", "anomalies"];
            for topic in topics {
                self.ask(router, topic, json!({"from": since, "limit": 1000}));
            }
            self.ask(router, "hours", json!({"from": since}));
            self.ask(router, "source", json!({"from": since, "address": "192.0.2.1"}));
            let everybody = "128.0.0.0/2";
            self.ask(router, "services", json!({"from": since, "source": everybody, "limit": 1000}));
            self.ask(router, "sources", json!({"from": since, "source": everybody, "limit": 1000}));
            self.ask(router, "sources", json!({"from": since, "port": 23, "limit": 1000}));
            self.ask(router, "services", json!({"from": since, "country": "US", "limit": 1000}));
        }
        self.ask(router, "recent", json!({"limit": 1000}));
        self.ask(router, "blocks", json!({"limit": 1000}));
        self.ask(router, "status", json!({}));
    }
}

#[test]
fn ten_million_forged_sources_on_a_store_of_sixteen_months() {
    let Some(network) = Network::up() else { return };
    let Some(ranges) = ranges::ranges() else { return };
    network.nft(RULES);
    for path in ["all", "default", "wan"] {
        let path = format!("net.ipv4.conf.{path}.rp_filter=0");
        run("ip", &["netns", "exec", &network.router, "sh", "-c", &set(&path)]);
    }
    let mut router = Router::new("memory", Some(&network), "nflog logd");
    let from = months::store(&router.path("db")).to_string();
    let (program, bound) = match std::env::var_os("FWSTAT_ROUTER_PROGRAM") {
        Some(program) => (PathBuf::from(program), MAX_KIB),
        None => (release::release(), MAX_KIB_HERE),
    };
    router.program = program;
    router.configure(&format!(
        "option input 'nflog logd'\n\toption country_database '{}'\nconfig guard 'guard'\n\t{ON}\n\t\
         option budget '1000/1m'\nconfig fleet 'fleet'\n\toption enabled '1'\n",
        ranges.mmdb.display()
    ));
    // Zones a day apart, in which no midnight is near.
    let [zone, of_tomorrow] =
        if now() % 86_400 < 22 * 3600 { ["UTC0", "XXX-24"] } else { ["XXX3", "XXX-21"] };
    router.set_zone(zone);
    let mut logd = Logd::with_ring(&router.broker.socket, 1 << 20);
    for id in 0..900 {
        logd.kernel(&format!("{} {}", line("198.51.100.9", 23, id), "x".repeat(700)));
    }
    router.start();
    router.running("nflog");
    router.running("logd");
    let mut peaks = Peaks::default();
    let idle = peaks.note(&router, "start");
    // Until its table is there nobody is blocked on evidence that can be forged.
    eventually("the guard is on", || router.answer("status", json!({}))["guard"]["state"] == "on");
    let forger = Forger::new(&network.outside, ROUTER_V4);
    // More than a flood's 200; as a link under load may drop most of them before they reach the rule, others come for them.
    // Perhaps the source of the log's lines is blocked, too, which may have come before the guard was on.
    let flooded = |host| Ipv4Addr::new(192, 0, 2, host);
    // What overflows in the kernel's buffer is not the question.
    let read = || {
        while router.unread() > 64 << 10 {
            thread::sleep(Duration::from_millis(1));
        }
    };
    router.wait("the guard blocks them", |_| {
        let blocks = router.answer("blocks", json!({"limit": 1000}))["blocks"].take();
        let blocked = |source: Ipv4Addr| {
            let address = source.to_string();
            blocks.as_array().unwrap().iter().any(|block| block["address"] == address.as_str())
        };
        let missing: Vec<_> = (1..=BLOCKED).map(flooded).filter(|source| !blocked(*source)).collect();
        for source in &missing {
            forger.flood(*source, 400);
            read();
        }
        missing.is_empty()
    });
    peaks.note(&router, "blocks");

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
        step.send(number).unwrap();
        sent.recv().unwrap();
        read();
        number += 1;
        if number.is_multiple_of(STEPS / COMMITS) {
            router.answer("commit", json!({}));
        }
    }
    drop(step);
    sender.join().unwrap();
    // The kernel may still be delivering what was sent: the counter is read again each time.
    let accounted_for = || {
        let input = router.input("nflog");
        input["received"].as_u64().unwrap() + input["lost"].as_u64().unwrap() == network.counter("arrived")
    };
    eventually("all that arrived was received or lost", accounted_for);
    let arrived = network.counter("arrived");
    let input = router.input("nflog");
    assert_eq!((&input["received"], &input["lost"]), (&json!(arrived), &json!(0)), "{input}");
    // Sources of 169.254.0.0/16 are noise; the log's lines are counted, too.
    let counted = |summary: &Value| {
        let of = |class: &str| summary["classes"][class].as_u64().unwrap();
        of("attempt") + of("noise")
    };
    let summary = router.wait("all of them", |summary| counted(summary) >= arrived);
    let full = peaks.note(&router, "ten million sources");
    let unique = summary["unique_sources"].as_f64().unwrap();
    // Four standard errors; two of them are told.
    let most_off = 2.0 * summary["unique_sources_error"].as_f64().unwrap();
    assert!((unique - arrived as f64).abs() <= most_off, "{unique} of {arrived}");
    let rows =
        |question: &str| router.answer(question, json!({"limit": 1000}))[question].as_array().unwrap().len();
    assert_eq!((rows("services"), rows("sources"), rows("days")), (1000, 1000, 1));
    peaks.ask_all(&router, &from);
    for question in ["services", "sources", "recent"] {
        let table = router.answer(question, json!({"limit": 1000, "format": "text"}));
        assert!(table["text"].as_str().unwrap().lines().count() > 100, "{table}");
        peaks.note(&router, "tables as text");
    }
    router.answer("commit", json!({}));
    peaks.note(&router, "commit");

    // Where it is tomorrow already the day is over.
    router.set_zone(of_tomorrow);
    router.signal(Signal::SIGHUP);
    router.wait("the next day", |summary| counted(summary) == 0);
    router.answer("commit", json!({}));
    eventually("the day's batch", || router.answer("status", json!({}))["fleet"]["waiting"] == 1);
    peaks.note(&router, "close of the day, and its batch");
    // It began a month.
    let upkeep = ["hours of services and sources are no longer stored", "deleted: the days of "];
    eventually("what months lose", || upkeep.iter().all(|said| router.log().contains(said)));
    peaks.note(&router, "what months lose");
    peaks.ask_all(&router, &from);
    let store = &router.answer("status", json!({}))["store"];
    assert!(store["state"] == "ok" && store["last_commit"].is_string(), "{store}");
    let after = peaks.note(&router, "status");
    router.stop();
    peaks.0.sort();
    peaks.0.iter().rev().take(12).for_each(|(kib, what)| eprintln!("{kib:>6} KiB at most: {what}"));
    let most = peaks.0.last().unwrap().0;
    eprintln!("resident: {idle} KiB idle, {full} with full tables, {after} after all, {most} at most");
    assert!(most <= bound, "{most} KiB at most");
}
