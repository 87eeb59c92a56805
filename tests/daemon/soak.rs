//! Everything at once for as long as is asked for: `tests/soak MINUTES`. Packets (a trickle of forged ones, a burst
//! each minute, floods that the guard blocks), failed logins, questions, and restarts of the broker, logd and the
//! firewall. At the end every packet that the kernel counted was received or is known to be lost, and memory is flat.

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::guarded::{Guarded, RULES, elements, eventually, inside, run, set};
use crate::router::Router;
use crate::stand_in::broker::Broker;
use crate::stand_in::logd::{Logd, SYSLOG};
use crate::support::forge::Forger;
use crate::support::namespaces::{Network, ROUTER_V4};
use fwstat::ubus::call::call;
use serde_json::Value;

/// Counts what the firewall refuses, where no reload of it begins anew.
const COUNTED: &str = "table inet test {\n\tcounter refused { }\n\tchain seen {\n\t\ttype filter hook prerouting priority raw\n\
     \t\tiifname \"wan\" ip protocol tcp tcp dport != 8022 counter name refused\n\t}\n}\n";

fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse().unwrap()
}

const QUESTIONS: [(&str, &str); 12] = [
    ("summary", "{}"),
    ("services", r#"{"limit": 1000}"#),
    ("sources", r#"{"limit": 1000}"#),
    ("source", r#"{"address": "192.0.2.1"}"#),
    ("hours", "{}"),
    ("days", "{}"),
    ("months", "{}"),
    ("anomalies", "{}"),
    ("recent", r#"{"limit": 100}"#),
    ("blocks", r#"{"limit": 1000}"#),
    ("status", "{}"),
    ("sources", r#"{"source": "128.0.0.0/2", "limit": 100}"#),
];

#[test]
#[ignore = "takes as long as FWSTAT_SOAK_MINUTES says"]
fn soak() {
    let minutes: u64 =
        std::env::var("FWSTAT_SOAK_MINUTES").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let network = Network::up().expect("this needs root");
    network.nft(RULES);
    network.nft(COUNTED);
    for path in ["all", "default", "wan"] {
        let path = format!("net.ipv4.conf.{path}.rp_filter=0");
        run("ip", &["netns", "exec", &network.router, "sh", "-c", &set(&path)]);
    }
    let mut router = Router::new("soak", Some(&network), "nflog logd");
    // Another build, for instance an instrumented one.
    router.program = std::env::var_os("FWSTAT_SOAK_PROGRAM").map_or_else(crate::release::release, Into::into);
    router.configure(
        "option input 'nflog logd'\n\toption commit_interval '1m'\nconfig guard 'guard'\n\toption enabled '1'\n\
         \toption block_for '10s'\n\t\
         option block_cap '1m'\n\toption budget '1000/1m'\n",
    );
    let mut logd = Some(Logd::start(&router.broker.socket));
    let forger = Forger::new(&network.outside, ROUTER_V4);
    let elements = elements(&network);
    router.start();
    router.running("nflog");
    let mut guarded = Guarded { router, elements, forger, network };
    eventually("the guard is on", || guarded.state() == "on");

    let stop = Arc::new(AtomicBool::new(false));
    let sender = {
        let (stop, outside) = (Arc::clone(&stop), guarded.network.outside.clone());
        thread::spawn(move || {
            let socket = inside(&outside, crate::forged::raw_socket);
            let forger = Forger::new(&outside, ROUTER_V4);
            let to: Ipv4Addr = ROUTER_V4.parse().unwrap();
            let (mut next, mut sent, mut flood) = (0u64, 0u64, 0u8);
            while !stop.load(Ordering::Relaxed) {
                // 500 a second; each minute a second of 20,000; each 10 s a flood to be blocked.
                let second = next / 50;
                let count = if second % 600 < 10 { 2_000 } else { 50 };
                crate::forged::forged(&socket, to, sent, count);
                sent += count;
                if next % 100 == 99 {
                    flood = flood.wrapping_add(1);
                    forger.flood(Ipv4Addr::new(192, 0, 2, flood), 205);
                }
                next += 1;
                thread::sleep(Duration::from_millis(100));
            }
        })
    };

    let pid = guarded.router.daemon.as_ref().unwrap().id();
    let (started, length) = (Instant::now(), Duration::from_secs(minutes * 60));
    let (mut curve, mut worst): (Vec<(u64, u64)>, BTreeMap<&str, Duration>) = Default::default();
    let (mut asked, mut unanswered, mut restarts, mut turn) = (0u64, 0u64, [0u32; 3], 0u64);
    let (mut restart_at, mut sample_at) = (started + Duration::from_secs(20), started);
    // The broker is down or the object is not registered again: nobody can be asked then.
    let mut quiet_until = started;
    while started.elapsed() < length {
        turn += 1;
        let (method, arguments) = QUESTIONS[turn as usize % QUESTIONS.len()];
        let arguments: Value = serde_json::from_str(arguments).unwrap();
        let before = Instant::now();
        match call(&guarded.router.broker.socket, "fwstat", method, &arguments, Duration::from_secs(5)) {
            Ok(answer) => {
                asked += 1;
                let took = before.elapsed();
                let known = worst.entry(method).or_default();
                *known = took.max(*known);
                assert!(answer.is_object());
            }
            // Nothing of today came from that address yet.
            Err(error) if error.to_string().contains("192.0.2.1") => asked += 1,
            Err(_) if Instant::now() < quiet_until => unanswered += 1,
            Err(error) => panic!("{method}: {error}\n{}", guarded.router.log()),
        }
        if let Some(logd) = &mut logd {
            let text =
                format!("dropbear[1]: Bad password attempt for 'root' from 203.0.113.{}:4000", turn % 250);
            logd.log(SYSLOG, 86, &text, true);
        }
        if Instant::now() >= sample_at {
            sample_at += Duration::from_secs(10);
            curve.push((started.elapsed().as_secs(), resident(pid)));
            if curve.len() % 6 == 1 {
                let (seconds, kilobytes) = curve[curve.len() - 1];
                eprintln!("{:>5} min  {kilobytes} kB  {asked} answers", seconds / 60);
            }
        }
        if Instant::now() >= restart_at {
            restart_at += Duration::from_secs(30);
            let what = restarts.iter().sum::<u32>() as usize % 3;
            restarts[what] += 1;
            match what {
                0 => guarded.network.nft(&format!("flush table inet fw4\n{RULES}")),
                1 => {
                    drop(logd.take());
                    logd = Some(Logd::start(&guarded.router.broker.socket));
                }
                _ => {
                    drop(logd.take());
                    guarded.router.broker.kill();
                    let socket = guarded.router.broker.socket.clone();
                    let _ = fs::remove_file(&socket);
                    guarded.router.broker = Broker::start(&socket);
                    logd = Some(Logd::start(&socket));
                    quiet_until = Instant::now() + Duration::from_secs(15);
                }
            }
        }
        thread::sleep(Duration::from_millis(50));
    }
    stop.store(true, Ordering::Relaxed);
    sender.join().unwrap();
    thread::sleep(Duration::from_secs(2));
    let counted = guarded.network.counter("refused");
    let input = guarded.router.input("nflog");
    let (received, lost) = (input["received"].as_u64().unwrap(), input["lost"].as_u64().unwrap());
    let slowest = worst.iter().max_by_key(|(_, took)| **took).unwrap();
    eprintln!(
        "{counted} packets counted by the kernel, {received} received, {lost} lost; {asked} answers, slowest {} {:?}; \
         {unanswered} without a broker; restarts: firewall {}, logd {}, ubus {}",
        slowest.0, slowest.1, restarts[0], restarts[1], restarts[2]
    );
    for (method, took) in &worst {
        eprintln!("  {method:<10} {took:?}");
    }
    // After a third everything that grows with the number of sources has its size.
    let settled = &curve[curve.len() / 3..];
    let (first, last) =
        (settled[..settled.len().div_ceil(4)].iter(), settled[settled.len() * 3 / 4..].iter());
    let (first, last) = (first.map(|(_, kb)| kb).max().unwrap(), last.map(|(_, kb)| kb).max().unwrap());
    eprintln!("memory: at most {first} kB after a third of the time, {last} kB at the end");
    guarded.router.stop();
    assert_eq!(received + lost, counted);
    assert_eq!(lost, 0);
    // The guard's records of past blocks, 2,048 of them, are full after some 15 minutes of this.
    let allowed = if minutes >= 45 { 64 } else { 256 };
    assert!(*last <= first + allowed, "memory grows");
    assert!(guarded.router.log().lines().count() < 40 + 12 * minutes as usize, "{}", guarded.router.log());
}
