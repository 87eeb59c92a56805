//! Whatever is in paths, options, log lines and arguments: nothing that a terminal obeys comes out.

use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::fwstat::{PROGRAM, run, scratch};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Colour, title, C1's CSI, right-to-left override, and a line that looks like one of ours.
const EVIL: &str = "\x1b[31m\x1b]0;x\x07\u{9b}5m\u{202e}\x7f\rfwstat: ok";

fn assert_clean(what: &str, text: &str) {
    let obeyed = |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
    if let Some(at) = text.find(obeyed) {
        let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        panic!("{what}: {:?}", text[start..].lines().next().unwrap_or_default());
    }
}

fn hostile_log() -> String {
    let mut log = String::new();
    for minute in 0..50 {
        log += &format!(
            "2020-04-06T12:{minute:02}:00+00:00 router kernel: {EVIL} DROP wan{EVIL}in: IN=ppp0{EVIL} OUT= MAC={EVIL} \
             SRC=198.51.100.7 DST=192.0.2.1 LEN=40 TTL=58 ID={minute} PROTO=TCP SPT=5 DPT=23 WINDOW=1024 SYN URGP=0 {EVIL}\n\
             2020-04-06T12:{minute:02}:01+00:00 router dropbear[1]: Bad password attempt for '{EVIL}' from 203.0.113.9:4000\n"
        );
    }
    log
}

#[test]
fn no_output_has_a_control_character() {
    let place = scratch("clean-outputs");
    let path = |name: &str| place.join(name).to_str().unwrap().to_string();
    let (log, config) = (path("log"), path(&format!("config{}", EVIL.replace('/', ""))));
    fs::write(&log, hostile_log()).unwrap();
    let options = format!(
        "config fwstat 'main'\n\toption database '{EVIL}'\n\toption evil{EVIL} '1'\n\tlist zone 'wan{EVIL}'\n\
         \toption evidence '{EVIL}'\nconfig {EVIL}\nconfig guard 'guard'\n\tlist allow '{EVIL}'\n"
    );
    fs::write(&config, options).unwrap();
    let (database, missing, odd_log) = (path("db"), path(EVIL), path(&format!("{EVIL}.log")));
    fs::write(&odd_log, hostile_log()).unwrap();
    let mut asked = 0;
    let mut check = |arguments: &[&str]| {
        let ran = run(arguments);
        assert_clean(&format!("{arguments:?} stdout"), &ran.stdout);
        assert_clean(&format!("{arguments:?} stderr"), &ran.stderr);
        asked += usize::from(ran.code == Some(0));
        ran
    };
    let imported = check(&["import", "--db", &database, &log, &odd_log, &missing]);
    assert!(imported.stderr.contains("\\x1b[31m"), "{}", imported.stderr);
    for question in [
        "summary",
        "services",
        "sources",
        "hours",
        "days",
        "months",
        "countries",
        "anomalies",
        "recent",
        "blocks",
        "status",
    ] {
        check(&[question, "--db", &database]);
        check(&[question, "--db", &database, "--json"]);
        check(&[question, "--db", &missing]);
        check(&[question, "--ubus", &missing]);
        check(&[question, "--db", &database, "--port", EVIL]);
        check(&[question, "--db", &database, "--from", EVIL]);
    }
    check(&["source", "198.51.100.7", "--db", &database]);
    check(&["source", EVIL, "--db", &database]);
    check(&["report", &log]);
    check(&["report", &log, "--json"]);
    check(&["report", &missing, &odd_log]);
    check(&["report", &log, "--timezone", EVIL]);
    for format in ["prometheus", "json", "csv", EVIL] {
        check(&["export", "--format", format, "--db", &database]);
    }
    check(&["check", "--config", &config]);
    check(&["check", "--config", &missing]);
    check(&["block", EVIL]);
    check(&["block", "198.51.100.7", "--reason", EVIL, "--ubus", &missing]);
    check(&[EVIL]);
    check(&["summary", EVIL]);
    check(&[&format!("--{EVIL}")]);
    assert!(asked > 15, "only {asked} of them were answered");
}

#[test]
fn the_daemon_logs_no_control_character() {
    let place = scratch("clean-daemon");
    let config = place.join("fwstat");
    let options = |value: &str| {
        format!(
            "config fwstat 'main'\n\toption input 'logd'\n\toption database '/proc/x{value}'\n\toption {value} 1\n\toption evidence '{value}'\n"
        )
    };
    fs::write(&config, options("fine")).unwrap();
    let mut daemon = Command::new(PROGRAM)
        .args(["daemon", "--config", config.to_str().unwrap()])
        .arg("--ubus")
        .arg(place.join(EVIL))
        .arg("--run")
        .arg(place.join(format!("run{EVIL}")))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = Pid::from_raw(daemon.id() as i32);
    let until = Instant::now() + Duration::from_secs(60);
    while !place.join(format!("run{EVIL}")).exists() {
        assert!(Instant::now() < until, "the daemon does not start");
        std::thread::sleep(Duration::from_millis(10));
    }
    fs::write(&config, options(EVIL)).unwrap();
    // It takes signals once its loop runs; one that came before is read then.
    std::thread::sleep(Duration::from_millis(200));
    kill(pid, Signal::SIGHUP).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    kill(pid, Signal::SIGTERM).unwrap();
    let mut log = String::new();
    daemon.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    daemon.wait().unwrap();
    assert!(log.contains("evidence"), "{log}");
    assert_clean("the daemon's log", &log);
}
