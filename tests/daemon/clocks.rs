//! The daemon's process with clocks that the test sets (libfaketime): a router without a battery clock, steps of the
//! clock, midnight, another time zone, and the minute's own copy.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use crate::router::{Router, line};
use crate::stand_in::logd::Logd;
use crate::support::namespaces::Network;
use crate::wall_clock::{WallClock, now};
use fwstat::event::calendar::Date;
use serde_json::{Value, json};

const FRAMES: &str = include_str!("../support/frames.py");
const DAY: i64 = 86_400;
const HOUR: i64 = 3_600;

const RULES: &str = r#"
table inet test {
    chain input {
        type filter hook input priority 0;
        iifname "wan" tcp flags syn counter log group 32 prefix "reject wan in: " snaplen 128 queue-threshold 40 comment "fwstat wan"
        iifname "wan" drop
    }
}
"#;

/// A router whose daemon has these clocks.
fn router(name: &str, network: &Network, inputs: &str, boot_too: bool) -> Option<(Router, WallClock)> {
    network.nft(RULES);
    let mut router = Router::new(name, Some(network), inputs);
    router.set_zone("JST-9");
    let clock = WallClock::new(&router.directory, boot_too)?;
    router.environment = clock.environment();
    Some((router, clock))
}

fn send(network: &Network, count: u32, port: u16) {
    network.python(&format!(
        "{FRAMES}\nimport os\nfor n in range({count}):\n    ipv4(6, tcp(54321, {port}, 0x02), ident=int.from_bytes(os.urandom(2)))"
    ));
}

/// The local midnight (JST, as the router is set) that begins the day after tomorrow, in seconds since 1970.
fn midnight() -> i64 {
    (now() + 9 * HOUR).div_euclid(DAY) * DAY + 2 * DAY - 9 * HOUR
}

/// The date on which a local day begins there.
fn date(midnight: i64) -> String {
    Date(((midnight + 9 * HOUR) / DAY) as i32).to_string()
}

/// Attempts of a day, by the hours that had any.
fn hours(router: &Router, date: &str) -> Vec<(u64, u64)> {
    let answer = router.answer("hours", json!({"from": date, "to": date}));
    let number = |value: &Value| value.as_u64().unwrap();
    let rows = answer["hours"].as_array().unwrap().iter();
    rows.map(|row| (number(&row["hour"]), number(&row["attempts"]))).filter(|row| row.1 > 0).collect()
}

/// Until the hours of a day are these.
fn wait_hours(router: &Router, date: &str, expected: &[(u64, u64)]) {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let found = hours(router, date);
        if found == expected {
            return;
        }
        assert!(Instant::now() < until, "{date}: {found:?} instead of {expected:?}\n{}", router.log());
        thread::sleep(Duration::from_millis(20));
    }
}

/// Until this input counted so many attempts.
fn wait_input(router: &Router, input: &str, attempts: u64) {
    let until = Instant::now() + Duration::from_secs(60);
    while router.input(input)["attempts"] != attempts {
        assert!(Instant::now() < until, "{}\n{}", router.input(input), router.log());
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn events_get_their_labels_when_the_clock_is_set_and_steps_and_midnight_lose_nothing() {
    let Some(network) = Network::up() else { return };
    let Some((mut router, clock)) = router("clocks", &network, "nflog logd", false) else { return };
    // As a router starts: some minutes into 1970.
    let ahead = clock.set(200);
    router.start();
    router.running("nflog");
    let mut logd = Logd::start(&router.broker.socket);
    logd.ahead = ahead;
    router.running("logd");
    send(&network, 3, 23);
    wait_input(&router, "nflog", 3);
    for id in 1..=2 {
        // Without the kernel's own stamp.
        logd.kernel(line("203.0.113.9", 22, id).split_once("] ").unwrap().1);
    }
    wait_input(&router, "logd", 2);
    let status = router.answer("status", json!({}));
    assert_eq!(status["clock"]["set"], false);
    assert!(status["warnings"].to_string().contains("the clock is not set"), "{status}");
    let recent = router.answer("recent", json!({}));
    assert!(recent["events"][0]["time"].as_str().unwrap().starts_with("boot+"), "{recent}");

    // The copy has them: the clock is still unknown when the daemon is killed and comes back.
    let copied = Instant::now() + Duration::from_secs(60);
    router.answer("commit", json!({}));
    while !router.path("run/today.fws").exists() {
        assert!(Instant::now() < copied, "{}", router.log());
        thread::sleep(Duration::from_millis(20));
    }
    router.kill();
    router.start();
    router.running("nflog");
    router.running("logd");
    assert_eq!(router.answer("status", json!({}))["clock"]["set"], false);

    // NTP answers.
    let midnight = midnight() + DAY;
    let (first, second) = (date(midnight - DAY), date(midnight));
    logd.ahead = clock.set(midnight - 11 * HOUR - 30 * 60);
    router.tell_clock();
    wait_hours(&router, &first, &[(12, 5)]);
    let status = router.answer("status", json!({}));
    assert_eq!(status["clock"]["set"], true);
    let services = router.answer("services", json!({"from": first, "to": first}));
    let rows: Vec<_> =
        services["services"].as_array().unwrap().iter().map(|row| (&row["port"], &row["attempts"])).collect();
    assert_eq!(rows, [(&json!(23), &json!(3)), (&json!(22), &json!(2))]);

    // Two hours back.
    logd.ahead = clock.set(midnight - 13 * HOUR - 30 * 60);
    send(&network, 2, 23);
    wait_hours(&router, &first, &[(10, 2), (12, 5)]);
    // Midnight passes while it runs.
    logd.ahead = clock.set(midnight - 2);
    logd.kernel(&line("203.0.113.9", 22, 7));
    wait_hours(&router, &first, &[(10, 2), (12, 5), (23, 1)]);
    router.wait("the next day", |summary| summary["from"] == json!(second));
    send(&network, 4, 23);
    wait_hours(&router, &second, &[(0, 4)]);
    // Back to the evening before, and forth again.
    logd.ahead = clock.set(midnight - 30 * 60);
    send(&network, 1, 23);
    wait_hours(&router, &first, &[(10, 2), (12, 5), (23, 2)]);
    logd.ahead = clock.set(midnight + 60);
    send(&network, 1, 23);
    wait_hours(&router, &second, &[(0, 5)]);
    wait_hours(&router, &first, &[(10, 2), (12, 5), (23, 2)]);
    router.stop();
    router.start();
    router.running("nflog");
    wait_hours(&router, &second, &[(0, 5)]);
    wait_hours(&router, &first, &[(10, 2), (12, 5), (23, 2)]);
    // Another time zone: it is yesterday afternoon there.
    router.set_zone("UTC0");
    router.signal(nix::sys::signal::Signal::SIGHUP);
    router.wait("UTC", |summary| summary["timezone"] == "UTC0" && summary["from"] == json!(first));
    send(&network, 1, 23);
    wait_hours(&router, &first, &[(10, 2), (12, 5), (15, 1), (23, 2)]);
    wait_hours(&router, &second, &[(0, 5)]);
    assert_eq!(
        (router.input("nflog")["lost"].clone(), router.input("logd")["lost"].clone()),
        (json!(0), json!(0))
    );
    router.stop();
}

#[test]
fn a_killed_daemon_loses_at_most_its_last_minute() {
    let Some(network) = Network::up() else { return };
    let Some((mut router, clock)) = router("minute", &network, "nflog", true) else { return };
    let start = midnight() + 12 * HOUR - now();
    clock.ahead(start);
    router.start();
    router.running("nflog");
    let mut ahead = start;
    let mut sum = 0;
    for minute in 1..=3 {
        send(&network, 10, 23);
        sum += 10;
        router.attempts(sum);
        let copy = router.path("run/today.fws");
        let before = fs::read(&copy).ok();
        // Its own timer, and nothing else, writes the copy; asking wakes it, since its clock only jumped.
        ahead += 61;
        clock.ahead(ahead);
        let until = Instant::now() + Duration::from_secs(60);
        while fs::read(&copy).ok() == before {
            router.attempts(sum);
            assert!(Instant::now() < until, "no copy in minute {minute}\n{}", router.log());
            thread::sleep(Duration::from_millis(20));
        }
        send(&network, 3, 22);
        router.attempts(sum + 3);
        router.kill();
        router.start();
        router.running("nflog");
        router.attempts(sum);
    }
    router.stop();
}
