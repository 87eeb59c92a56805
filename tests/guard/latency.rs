//! From the packet at the threshold to the kernel's set while everything else that the daemon does takes long: fsync,
//! a question to the whole store, a flood.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use fwstat::daemon::nft::script::BLOCKED;
use fwstat::event::calendar::Date;
use fwstat::guard::Source;
use fwstat::ubus::call::call;
use serde_json::json;

use crate::guarded::{Guarded, WITHIN, inside};
use crate::support::namespaces::ROUTER_V4;

/// Rounds with one source; the others are with twenty.
const ALONE: u8 = 100;
/// Of a stop that writes, where each fsync takes twenty.
const STOPPED: Duration = Duration::from_secs(15);
/// Packets per second of the flood beside.
const FLOOD: u64 = 20_000;
const BOUND: Duration = Duration::from_millis(100);
const DAYS: i32 = 395;

fn today() -> Date {
    let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    Date((seconds / 86_400) as i32)
}

/// Thirteen months that end yesterday: 250 attempts a day of 250 sources to 50 services.
fn thirteen_months() -> String {
    let mut text = String::new();
    for day in 1..=DAYS {
        let date = Date(today().0 - day);
        for number in 0..250 {
            let id = (day * 250 + number) as u32 % 65_536;
            let line = format!(
                "{date}T{:02}:{:02}:00+00:00 router kernel: reject wan in: IN=wan OUT= MAC= SRC=203.0.{}.{} \
                 DST={ROUTER_V4} LEN=40 TOS=0x00 PREC=0x00 TTL=58 ID={id} PROTO=TCP SPT={} DPT={} WINDOW=1024 RES=0x00 \
                 SYN URGP=0\n",
                number / 11,
                number % 60,
                day % 100,
                number % 250 + 1,
                1024 + id % 60_000,
                20 + number % 50,
            );
            text += &line;
        }
    }
    text
}

/// How long a thread was ready to run and another one had the processor.
fn waited(thread: &str) -> Duration {
    let text = fs::read_to_string(format!("/proc/{thread}/schedstat")).unwrap();
    Duration::from_nanos(text.split_whitespace().nth(1).unwrap().parse().unwrap())
}

/// Sends `packets` more packets of each of these sources, of which the first reaches the threshold. Gives the time from that
/// first packet until the last source is in the kernel's set: as it was, and without the time that the machine's other
/// programs took from the daemon, or from this test if that is more.
pub fn cross_threshold(guarded: &mut Guarded, attackers: &[Ipv4Addr], packets: u16) -> (Duration, Duration) {
    let daemon = guarded.router.daemon.as_ref().unwrap().id();
    let threads = [format!("{daemon}/task/{daemon}"), "thread-self".to_string()];
    let before = threads.each_ref().map(|thread| waited(thread));
    let sent = Instant::now();
    for id in 199..199 + packets {
        attackers.iter().for_each(|attacker| guarded.forger.syn(*attacker, 23, id));
    }
    for attacker in attackers {
        let wanted = Source::of(IpAddr::V4(*attacker).into());
        while guarded.elements.dropped(BLOCKED, wanted.prefix()).is_none() {
            assert!(sent.elapsed() < WITHIN, "{attacker} is not blocked\n{}", guarded.router.log());
            thread::sleep(Duration::from_micros(300));
        }
    }
    let took = sent.elapsed();
    let lost = threads.iter().zip(before).map(|(thread, before)| waited(thread) - before).max().unwrap();
    (took, took.saturating_sub(lost))
}

/// Prints times that [`cross_threshold`] gave; none may be above the bound without what other programs took.
pub fn check(what: &str, times: &[(Duration, Duration)]) {
    let (wall, own): (Vec<_>, Vec<_>) = times.iter().copied().unzip();
    let [wall, own] = [wall, own].map(|mut times| {
        times.sort();
        (times[times.len() / 2], times[times.len() - 1])
    });
    eprintln!(
        "from the packet at the threshold to the set, {what}: {:?} (median), {:?} (worst); without other programs {:?}, {:?}",
        wall.0, wall.1, own.0, own.1
    );
    assert!(own.1 <= BOUND, "{what}: {:?}", own.1);
}

/// A commit whose fsyncs take twenty seconds each, a question to thirteen months and a flood of 20,000 packets per second
/// are there from the first to the last measurement. A time is that of the wall clock, from the packet to its source's
/// element, without what the daemon's thread waited for a processor: other programs of a busy machine have it then, and the
/// flood's sender. What the daemon waits for by itself, such as flash, counts.
#[test]
fn slow_flash_a_long_question_and_a_flood_do_not_delay_a_block() {
    let _turn = crate::TURN.write().unwrap_or_else(|broken| broken.into_inner());
    let options = "option enabled '1';option budget '10000/1m'";
    let Some(mut guarded) = Guarded::stopped("loaded", "", options) else { return };
    let (log, library) = (guarded.router.path("months.log"), guarded.router.path("slow_flash.so"));
    fs::write(&log, thirteen_months()).unwrap();
    let mut import = Command::new(&guarded.router.program);
    import
        .args(["import", "--timezone", guarded.router.zone, "--db"])
        .arg(guarded.router.path("db"))
        .arg(&log);
    assert!(import.output().unwrap().status.success());
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/slow_flash.c");
    let made =
        Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).args([source, "-ldl"]).status();
    assert!(made.expect("a C compiler").success());
    guarded.router.environment.push(("LD_PRELOAD", library.display().to_string()));
    guarded.start();

    let stop = Arc::new(AtomicBool::new(false));
    let answers = Arc::new(AtomicU32::new(0));
    let question = {
        let (socket, stop, answers) = (guarded.router.broker.socket.clone(), stop.clone(), answers.clone());
        let arguments = json!({"from": Date(today().0 - DAYS).to_string(), "limit": 1000});
        thread::spawn(move || {
            let mut longest = Duration::ZERO;
            while !stop.load(Ordering::Relaxed) {
                let asked = Instant::now();
                call(&socket, "fwstat", "services", &arguments, Duration::from_secs(60)).unwrap();
                longest = longest.max(asked.elapsed());
                answers.fetch_add(1, Ordering::Relaxed);
            }
            longest
        })
    };
    // A commit has more than ten fsyncs: this one is not done before the end.
    let commit = {
        let socket = guarded.router.broker.socket.clone();
        thread::spawn(move || call(&socket, "fwstat", "commit", &json!({}), Duration::from_secs(300)))
    };
    let flood = {
        let (stop, outside) = (stop.clone(), guarded.network.outside.clone());
        thread::spawn(move || {
            let socket = inside(&outside, crate::forged::raw_socket);
            let (started, mut sent) = (Instant::now(), 0);
            while !stop.load(Ordering::Relaxed) {
                let due = started.elapsed().as_micros() as u64 * FLOOD / 1_000_000;
                crate::forged::forged(&socket, ROUTER_V4.parse().unwrap(), sent, due - sent);
                sent = due;
                thread::sleep(Duration::from_millis(1));
            }
            sent * 1000 / started.elapsed().as_millis() as u64
        })
    };
    thread::sleep(Duration::from_millis(500));

    let mut times = Vec::new();
    for round in 0..ALONE + 10 {
        let count = if round < ALONE { 1 } else { 20 };
        let attackers: Vec<_> = (0..count).map(|number| Ipv4Addr::new(203, 0, number, round + 1)).collect();
        attackers.iter().for_each(|attacker| guarded.forger.flood(*attacker, 199));
        // Everything before the threshold is counted.
        thread::sleep(Duration::from_millis(80));
        // The detector's table is full of forged sources that appear once. One of them can take the slot of an attacker
        // that has sent a single packet so far, which then is not counted.
        times.push(cross_threshold(&mut guarded, &attackers, 3));
    }
    assert!(!commit.is_finished(), "flash was not slow");
    stop.store(true, Ordering::Relaxed);
    let (rate, longest) = (flood.join().unwrap(), question.join().unwrap());
    let answers = answers.load(Ordering::Relaxed);
    eprintln!("{rate} packets a second; {answers} answers, the slowest in {longest:?}");
    assert!(rate >= FLOOD * 95 / 100, "the flood had {rate} packets a second only");
    assert!(answers >= 10, "only {answers} questions were answered");
    let together = times.split_off(ALONE.into());
    check("one source", &times);
    check("twenty sources at once", &together);
    // The stop does not wait for flash either: what it does not have is in the copy in RAM.
    let stopped = Instant::now();
    guarded.router.stop();
    assert!(stopped.elapsed() < STOPPED, "{:?}", stopped.elapsed());
}
