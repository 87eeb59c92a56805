//! Packets that the kernel logs and gives to NFLOG: each counts once, however far one input is ahead of the other.

use std::thread;
use std::time::{Duration, Instant};

use crate::daemon::{FRAMES, RULES};
use crate::router::{Router, line};
use crate::stand_in::logd::Logd;
use crate::support::namespaces::{Network, OUTSIDE_V4};
use crate::wall_clock::now;
use serde_json::json;

/// Sends packets with the ids from 1; the second at which the last one was sent.
fn send(router: &Router, network: &Network, count: u16) -> i64 {
    let sent = router.path("sent");
    network.python(&format!(
        "{FRAMES}
import time
for n in range({count}):
    ipv4(6, tcp(54321, 23, 0x02), ident=n + 1)
open('{}', 'w').write(str(int(time.time())))
",
        sent.display()
    ));
    std::fs::read_to_string(sent).unwrap().parse().unwrap()
}

/// As logd stamps it: however late it is read, the same packet is at most two seconds away.
fn log(logd: &mut Logd, second: i64, id: u16) {
    logd.ahead = second - now();
    logd.kernel(&line(OUTSIDE_V4, 23, id));
}

#[test]
fn a_packet_through_both_inputs_counts_once() {
    let Some(network) = Network::up() else { return };
    network.nft(RULES);
    let mut router = Router::new("both", Some(&network), "nflog logd");
    let mut logd = Logd::start(&router.broker.socket);
    router.start();
    router.running("nflog");
    router.running("logd");
    let sent = send(&router, &network, 40);
    router.attempts(40);
    for id in 1..=40 {
        log(&mut logd, sent + 1, id);
    }
    // One that NFLOG did not see.
    log(&mut logd, sent + 1, 41);
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
    let sent = send(&router, &network, PACKETS);
    router.attempts(PACKETS.into());
    for id in 1..=PACKETS {
        log(&mut logd, sent, id);
    }
    let until = Instant::now() + Duration::from_secs(60);
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
