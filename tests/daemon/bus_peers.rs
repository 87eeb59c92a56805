//! Peers on the bus that ask very much, or take no answers: the daemon stays small, and answers the others.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use crate::router::{Router, line};
use crate::stand_in::logd::Logd;
use crate::stand_in::wire::{Wire, number};
use serde_json::json;
use ubus::envelope::UbusAttr;

fn resident_kb(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse().unwrap()
}

#[test]
fn a_thousand_questions_at_once_cost_no_memory_and_keep_nobody_waiting() {
    let mut router = Router::new("peers", None, "logd");
    let mut logd = Logd::start(&router.broker.socket);
    router.start();
    router.running("logd");
    for number in 0..1000u16 {
        logd.kernel(&line(&format!("198.51.{}.{}", number / 250, number % 250), 23, number));
    }
    router.attempts(1000);
    let pid = router.daemon.as_ref().unwrap().id();
    let arguments = fwstat::ubus::blob::table(&json!({"limit": 1000}));
    // What one such answer needs is no matter.
    let sources = || router.answer("sources", json!({"limit": 1000}))["sources"].as_array().unwrap().len();
    assert_eq!(sources(), 1000);
    // Whoever asks then does not wait for a thousand of them, or for a third of that.
    let asked = Instant::now();
    (0..10).for_each(|_| assert_eq!(sources(), 1000));
    let most = (asked.elapsed() * 30).max(Duration::from_secs(2));
    let before = resident_kb(pid);
    let mut wires = Vec::new();
    // One that reads what it gets, and three that never do.
    for reads in [true, false, false, false] {
        let mut wire = Wire::connect(&router.broker.socket).unwrap();
        let object = number(&wire.lookup("fwstat").unwrap().unwrap(), UbusAttr::ObjId);
        if reads {
            let mut reader = wire.try_clone().unwrap();
            thread::spawn(move || while reader.receive().is_ok() {});
        }
        for _ in 0..1000 {
            if wire.invoke(object, "sources", arguments.contents()).is_err() {
                // The broker has had enough of it.
                break;
            }
        }
        wires.push(wire);
        let asked = Instant::now();
        // A question that finds too many before it is refused at once.
        while router.ask("hours", json!({})).is_err() {
            assert!(asked.elapsed() < most, "{most:?}\n{}", router.log());
            thread::sleep(Duration::from_millis(20));
        }
        assert!(asked.elapsed() < most, "{:?} of {most:?}", asked.elapsed());
    }
    router.answer("status", json!({}));
    let after = resident_kb(pid);
    eprintln!("{before} kB, then {after} kB");
    assert!(after <= before + 4096, "{before} kB, then {after} kB");
    drop(wires);
    router.stop();
}
