//! Packets that the kernel logs and gives to NFLOG: each counts once, however far one input is ahead of the other.

use std::thread;
use std::time::{Duration, Instant};

use crate::daemon::{FRAMES, RULES};
use crate::router::{Router, line};
use crate::stand_in::logd::Logd;
use crate::support::namespaces::{Network, OUTSIDE_V4};
use serde_json::json;

#[test]
fn a_packet_through_both_inputs_counts_once() {
    let Some(network) = Network::up() else { return };
    network.nft(RULES);
    let mut router = Router::new("both", Some(&network), "nflog logd");
    let mut logd = Logd::start(&router.broker.socket);
    router.start();
    router.running("nflog");
    router.running("logd");
    network.python(&format!("{FRAMES}\nfor n in range(40):\n    ipv4(6, tcp(54321, 23, 0x02), ident=n + 1)"));
    router.attempts(40);
    thread::sleep(Duration::from_millis(900));
    for id in 1..=40 {
        logd.kernel(&line(OUTSIDE_V4, 23, id));
    }
    // One that NFLOG did not see.
    logd.kernel(&line(OUTSIDE_V4, 23, 41));
    router.attempts(41);
    let input = router.input("logd");
    assert_eq!(
        (&input["duplicates"], &input["attempts"], &input["received"]),
        (&json!(40), &json!(1), &json!(41))
    );
    router.stop();
}

/// More than the places for fingerprints hold: the log's lines are taken for copies, and the answer says so.
#[test]
fn a_flood_through_both_inputs_counts_what_nflog_received() {
    const PACKETS: u16 = 4000;
    let Some(network) = Network::up() else { return };
    network.nft(RULES);
    let mut router = Router::new("both-flood", Some(&network), "nflog logd");
    let mut logd = Logd::start(&router.broker.socket);
    router.start();
    router.running("nflog");
    router.running("logd");
    network.python(&format!(
        "{FRAMES}\nfor n in range({PACKETS}):\n    ipv4(6, tcp(54321, 23, 0x02), ident=n + 1)"
    ));
    router.attempts(PACKETS.into());
    for id in 1..=PACKETS {
        logd.kernel(&line(OUTSIDE_V4, 23, id));
    }
    let until = Instant::now() + Duration::from_secs(20);
    while router.input("logd")["received"] != json!(PACKETS) {
        assert!(Instant::now() < until, "{}", router.input("logd"));
        thread::sleep(Duration::from_millis(100));
    }
    let summary = router.attempts(PACKETS.into());
    assert_eq!(summary["complete"], json!(false), "{summary}");
    let input = router.input("logd");
    assert!(input["assumed_duplicates"].as_u64().unwrap() > 1000, "{input}");
    router.stop();
}
