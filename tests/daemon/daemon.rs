//! The daemon as a router runs it: the real program, a real broker, the kernel's nftables and NFLOG, and a
//! stand-in for logd, in network namespaces of their own.

use std::fs;
use std::net::UdpSocket;
use std::thread;
use std::time::{Duration, Instant};

use crate::guarded::eventually;
use crate::router::{Router, line};
use crate::stand_in::broker::Broker;
use crate::stand_in::logd::{Logd, SYSLOG};
use crate::stand_in::netifd::Netifd;
use crate::support::flood::flood;
use crate::support::namespaces::{Network, OUTSIDE_V4, ROUTER_V4, ROUTER_V6};
use serde_json::{Value, json};

pub(crate) const FRAMES: &str = include_str!("../support/frames.py");

/// As the rule files of fwstat have it.
pub(crate) const RULES: &str = r#"
table inet test {
    chain fragments {
        type filter hook prerouting priority -450;
        iifname "wan" ip frag-off & 0x3fff != 0 counter log group 32 prefix "reject wan in: " snaplen 128 queue-threshold 40 drop comment "fwstat wan"
    }
    chain input {
        type filter hook input priority 0;
        icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, mld2-listener-report } accept
        iifname "wan" counter log group 32 prefix "reject wan in: " snaplen 128 queue-threshold 40 comment "fwstat wan"
        iifname "wan" drop
    }
}
"#;

#[test]
fn refused_packets_are_counted_and_every_question_is_answered() {
    let Some(network) = Network::up() else { return };
    network.nft(RULES);
    let mut router = Router::new("questions", Some(&network), "nflog");
    router.start();
    router.running("nflog");
    network.python(&format!(
        "{FRAMES}
for n in range(50):
    ipv4(6, tcp(54321, 23, 0x02), ident=n)
for n in range(20):
    ipv4(17, udp(40000, 1900, b'x' * 30), ident=n)
ipv4(1, echo(8, 0x1234, 7))
ipv6(6, tcp(54321, 22, 0x02))
ipv4(6, tcp(443, 50000, 0x12))
ipv4(17, bytes(24), ident=0xff, fragment=0x2003)
"
    ));
    let summary = router
        .wait("all packets", |summary| summary["attempts"] == 72 && summary["classes"]["backscatter"] == 2);
    assert_eq!(
        summary["classes"],
        json!({"attempt": 72, "backscatter": 2, "noise": 0, "egress": 0, "login": 0})
    );
    assert_eq!(summary["protocols"], json!({"icmp": 1, "tcp": 51, "udp": 20}));
    assert_eq!((&summary["unique_sources"], &summary["timezone"]), (&json!(2), &json!(router.zone)));
    assert_eq!(summary["blocks"], json!({"active": 0, "today": 0}));
    assert_eq!(summary["complete"], true);

    let services = router.answer("services", json!({"min": 10}));
    let rows: Vec<_> =
        services["services"].as_array().unwrap().iter().map(|row| (&row["port"], &row["attempts"])).collect();
    assert_eq!(rows, [(&json!(23), &json!(50)), (&json!(1900), &json!(20))]);
    let sources = router.answer("sources", json!({}));
    assert_eq!(sources["sources"][0]["address"], OUTSIDE_V4);
    assert_eq!(sources["sources"][0]["attempts"], 71);
    let hours = router.answer("hours", json!({}));
    let sum: u64 =
        hours["hours"].as_array().unwrap().iter().map(|row| row["attempts"].as_u64().unwrap()).sum();
    assert_eq!(sum, 72);
    let recent = router.answer("recent", json!({"limit": 100}));
    let events = recent["events"].as_array().unwrap();
    assert_eq!(events.len(), 72);
    let v6 = events.iter().find(|event| event["port"] == 22).unwrap();
    assert_eq!(
        (&v6["flags"], &v6["destination"], &v6["zone"]),
        (&json!("SYN"), &json!(ROUTER_V6), &json!("wan"))
    );
    let source = router.answer("source", json!({"address": OUTSIDE_V4}));
    assert_eq!((&source["attempts"], &source["services"]), (&json!(71), &json!(3)));
    assert!(
        source["evidence"].as_array().unwrap().iter().all(|line| line.as_str().unwrap().contains(OUTSIDE_V4))
    );
    assert_eq!(router.answer("blocks", json!({}))["blocks"], json!([]));

    // The rules' counters are read beside the answer: one of the next has them.
    let counted = json!([{"zone": "wan", "packets": 74, "received": 74}]);
    let mut status = router.answer("status", json!({}));
    eventually("the rules' counters are read", || {
        status = router.answer("status", json!({}));
        thread::sleep(Duration::from_millis(200));
        status["counters"] == counted
    });
    assert_eq!(status["clock"], json!({"set": true, "timezone": router.zone}));
    assert_eq!(status["store"]["state"], "ok");

    let months = router.answer("months", json!({}));
    assert_eq!(months["months"][0]["attempts"], 72);
    let (code, out, error) = router.shell(&["services", "--min", "10"]);
    assert_eq!((code, error.as_str()), (Some(0), ""), "{out}");
    assert!(out.contains("1900") && out.contains("50"), "{out}");
    for question in
        ["summary", "sources", "hours", "days", "months", "anomalies", "recent", "blocks", "status"]
    {
        let (code, out, error) = router.shell(&[question]);
        assert_eq!((code, error.as_str()), (Some(0), ""), "{question}: {out}");
        let (code, out, _) = router.shell(&[question, "--json"]);
        assert!(code == Some(0) && serde_json::from_str::<Value>(&out).is_ok(), "{question}: {out}");
    }
    let (code, out, error) = router.shell(&["export", "--format", "prometheus"]);
    assert_eq!((code, error.as_str()), (Some(0), ""));
    for line in [
        "fwstat_events_today{class=\"attempt\"} 72",
        "fwstat_events_total{class=\"attempt\"} 72",
        "fwstat_events_total{class=\"backscatter\"} 2",
        "fwstat_service_attempts_total{protocol=\"tcp\",port=\"23\"} 50",
        "fwstat_service_attempts_total{protocol=\"other\",port=\"other\"} 1",
        "fwstat_lost_total{input=\"nflog\"} 0",
        "fwstat_blocks_total{rule=\"flood\"} 0",
        concat!("fwstat_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
    ] {
        assert!(out.lines().any(|told| told == line), "{line} in\n{out}");
    }
    // What was written today is not forgotten by a restart.
    router.answer("commit", json!({}));
    let written = router.answer("status", json!({}))["store"]["written_today"].as_u64().unwrap();
    assert!(written > 0);
    router.stop();
    router.start();
    assert!(router.answer("status", json!({}))["store"]["written_today"].as_u64().unwrap() >= written);
    let (code, _, error) = router.shell(&["block", "192.0.2.1"]);
    assert_eq!(
        (code, error.as_str()),
        (
            Some(1),
            "fwstat: the guard is off: switch it on with uci set fwstat.guard.enabled=1; uci commit fwstat; \
         /etc/init.d/fwstat reload\n"
        )
    );
    router.stop();
    let (code, _, error) = router.shell(&["summary"]);
    assert_eq!(code, Some(1));
    assert!(error.contains("the fwstat daemon is not running") && error.contains("--db DIR"), "{error}");
}

#[test]
fn sigterm_loses_nothing_and_kill_at_most_what_came_since_the_copy() {
    let Some(network) = Network::up() else { return };
    network.nft(RULES);
    let mut router = Router::new("restart", Some(&network), "nflog");
    router.start();
    router.running("nflog");
    let send = |count: u32, port: u16| {
        network.python(&format!(
            "{FRAMES}\nfor n in range({count}):\n    ipv4(6, tcp(54321, {port}, 0x02), ident=n)"
        ));
    };
    send(30, 23);
    router.attempts(30);
    router.stop();
    router.start();
    router.attempts(30);
    router.running("nflog");
    send(12, 22);
    router.attempts(42);
    // The copy is what a commit leaves in tmpfs, too.
    router.answer("commit", json!({}));
    send(5, 21);
    router.attempts(47);
    router.kill();
    router.start();
    router.attempts(42);
    // Without tmpfs, after a power cut.
    router.kill();
    fs::remove_dir_all(router.path("run")).unwrap();
    router.start();
    router.attempts(42);
    // SIGHUP keeps everything, and takes the new options.
    router.running("nflog");
    send(3, 21);
    router.attempts(45);
    router.configure("option input 'nflog'\n\toption mask_sources '1'");
    router.signal(nix::sys::signal::Signal::SIGHUP);
    router.wait("masked", |summary| summary["sources"][0]["address"] == "198.51.x.x");
    router.attempts(45);
    router.stop();
}

#[test]
fn logd_alone_is_counted_its_restarts_double_nothing_and_ubus_comes_back() {
    let mut router = Router::new("logd", None, "logd");
    let mut logd = Logd::start(&router.broker.socket);
    logd.kernel(&line("198.51.100.9", 23, 1));
    logd.log(SYSLOG, 30, &line("203.0.113.1", 23, 2), true);
    router.start();
    router.attempts(1);
    router.running("logd");
    logd.kernel(&line("198.51.100.9", 23, 3));
    logd.log(SYSLOG, 86, "dropbear[1234]: Bad password attempt for 'root' from 203.0.113.5:4711", true);
    router.wait("both entries", |summary| summary["attempts"] == 2 && summary["classes"]["login"] == 1);
    let recent = router.answer("recent", json!({}));
    assert!(
        recent["events"][0]["line"].as_str().unwrap().starts_with("[119160.262669] reject wan in: IN=wan")
    );
    // The daemon restarts: the backlog is known.
    router.stop();
    logd.kernel(&line("198.51.100.9", 23, 4));
    router.start();
    router.attempts(3);
    // logd restarts.
    drop(logd);
    let mut logd = Logd::start(&router.broker.socket);
    logd.kernel(&line("198.51.100.9", 23, 5));
    router.attempts(4);
    // The broker restarts.
    router.broker.kill();
    drop(logd);
    router.broker = Broker::start(&router.path("ubus.sock"));
    let started = Instant::now();
    let mut logd = Logd::start(&router.broker.socket);
    router.attempts(4);
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    logd.kernel(&line("198.51.100.9", 23, 6));
    router.attempts(5);
    assert_eq!(router.input("logd")["lost"], 0);
    router.stop();
}

#[test]
fn what_comes_from_outside_is_told_by_netifd_and_the_zone_or_else_by_names() {
    let mut router = Router::new("netifd", None, "logd");
    fs::write(
        router.path("config/firewall"),
        "config zone\n\toption name 'wan'\n\toption log '1'\n\tlist network 'wan'\n\tlist network 'wan6'\n",
    )
    .unwrap();
    let mut logd = Logd::start(&router.broker.socket);
    let mut id = 0;
    let mut through = |logd: &mut Logd, interface: &str, port| {
        id += 1;
        logd.kernel(&line("198.51.100.9", port, id).replace("IN=wan", &format!("IN={interface}")));
    };
    router.start();
    router.running("logd");
    let outside = |router: &Router| router.answer("status", json!({}))["outside"].clone();
    assert_eq!(outside(&router), json!(null));
    let warnings = router.answer("status", json!({}))["warnings"].to_string();
    assert!(warnings.contains("netifd has not reported the networks"), "{warnings}");
    // A port of the switch as WAN: the prefix names the zone.
    through(&mut logd, "lan5", 23);
    router.attempts(1);
    let mut netifd =
        Netifd::start(&router.broker.socket, &[("lan", "br-lan"), ("wan", "lan5"), ("wan6", "lan5")]);
    let until = Instant::now() + Duration::from_secs(60);
    while outside(&router) != json!(["lan5"]) {
        assert!(Instant::now() < until, "{}", router.log());
        thread::sleep(Duration::from_millis(50));
    }
    through(&mut logd, "lan5", 23);
    through(&mut logd, "eth7", 23);
    let summary = router.attempts(2);
    assert_eq!(router.wait("both", |summary| summary["classes"]["egress"] == 1)["attempts"], 2, "{summary}");
    netifd.change(&[("wan", "pppoe-wan"), ("lan", "br-lan")]);
    while outside(&router) != json!(["pppoe-wan"]) {
        assert!(Instant::now() < until, "{}", router.log());
        thread::sleep(Duration::from_millis(50));
    }
    through(&mut logd, "pppoe-wan", 23);
    router.attempts(3);

    let config = router.path("config/fwstat").display().to_string();
    let (_, out, _) = router.shell(&["check", "--config", &config]);
    assert!(out.contains("ok     zone wan has the interfaces pppoe-wan\n"), "{out}");
    assert!(out.contains("ok     zone wan logs its refused packets\n"), "{out}");
    netifd.change(&[("wan", "")]);
    let (_, out, _) = router.shell(&["check", "--config", &config]);
    assert!(out.contains("note   zone wan has no interface at present"), "{out}");
    drop(netifd);
    let (_, out, _) = router.shell(&["check", "--config", &config]);
    assert!(
        out.contains("note   cannot ask netifd for the interfaces of zone wan: there is no object"),
        "{out}"
    );
    // Without netifd and without an interface its name tells.
    through(&mut logd, "pppoe-wan", 23);
    router.attempts(4);
    // Nothing that the daemon asks of ubus is refused.
    assert!(!router.log().contains("ubus refuses"), "{}", router.log());
    let run = router.path("run").display().to_string();
    let check = |router: &Router| router.shell(&["check", "--config", &config, "--run", &run]);
    let (_, out, _) = check(&router);
    assert!(out.starts_with("ok     the daemon runs, version "), "{out}");
    assert!(out.contains("ok     the daemon can write to "), "{out}");
    router.broker.kill();
    let (code, out, _) = check(&router);
    assert!(out.starts_with("WRONG  the fwstat daemon runs and counts, but ubus cannot be reached"), "{out}");
    assert_eq!(code, Some(1));
    router.stop();
    let (code, out, _) = check(&router);
    assert!(out.starts_with("WRONG  the daemon does not run: /etc/init.d/fwstat start"), "{out}");
    assert_eq!(code, Some(1));
}

#[test]
fn a_group_that_is_taken_is_told_and_tried_again() {
    let Some(network) = Network::up() else { return };
    network.nft(RULES);
    let mut first = Router::new("first", Some(&network), "nflog");
    first.start();
    first.running("nflog");
    let mut second = Router::new("second", Some(&network), "nflog");
    second.start();
    let state = second.input("nflog")["state"].as_str().unwrap().to_string();
    assert!(state.contains("group 32 is taken"), "{state}");
    first.stop();
    second.running("nflog");
    second.stop();
}

#[test]
fn packets_of_a_flood_gather_before_they_are_read() {
    const BURSTS: u64 = 200;
    const BURST: u64 = 1000;
    let Some(network) = Network::up() else { return };
    network.nft(RULES);
    let mut router = Router::new("bursts", Some(&network), "nflog");
    router.start();
    router.running("nflog");
    let before = router.wakeups();
    let outside = network.outside.clone();
    let sender = thread::spawn(move || {
        Network::enter(&outside);
        let socket = UdpSocket::bind((OUTSIDE_V4, 1234)).unwrap();
        socket.connect((ROUTER_V4, 53)).unwrap();
        for _ in 0..BURSTS {
            flood(&socket, BURST as usize);
            thread::sleep(Duration::from_millis(4));
        }
    });
    sender.join().unwrap();
    let wakeups = router.wakeups() - before;
    router.attempts(BURSTS * BURST);
    // A batch has 36 packets. A burst and the pause after it last 4 ms and more, and so does each rest; a rest ends
    // with a wake-up of its own.
    assert!(wakeups < BURSTS * BURST / 36 / 2, "{wakeups} wake-ups");
    router.stop();
}

#[test]
fn two_million_packets_at_full_rate_are_counted_and_questions_answered_meanwhile() {
    const PACKETS: u64 = 2_000_000;
    let Some(network) = Network::up() else { return };
    network.nft(RULES);
    let mut router = Router::new("flood", Some(&network), "nflog");
    router.start();
    router.running("nflog");
    let outside = network.outside.clone();
    let sender = thread::spawn(move || {
        Network::enter(&outside);
        let socket = UdpSocket::bind((OUTSIDE_V4, 1234)).unwrap();
        socket.connect((ROUTER_V4, 53)).unwrap();
        let start = Instant::now();
        flood(&socket, PACKETS as usize);
        eprintln!("sent at {:.0} packets/s", PACKETS as f64 / start.elapsed().as_secs_f64());
        thread::sleep(Duration::from_millis(300));
        flood(&socket, 1);
    });
    let mut waits = Vec::new();
    let began = Instant::now();
    while !sender.is_finished() {
        let asked = Instant::now();
        router.answer("summary", json!({}));
        waits.push(asked.elapsed());
        thread::sleep(Duration::from_millis(50));
    }
    sender.join().unwrap();
    let flooded = began.elapsed();
    waits.sort();
    let until = Instant::now() + Duration::from_secs(60);
    let input = loop {
        let input = router.input("nflog");
        let seen = input["received"].as_u64().unwrap() + input["lost"].as_u64().unwrap();
        if seen > PACKETS || Instant::now() > until {
            break input;
        }
        thread::sleep(Duration::from_millis(50));
    };
    let (received, lost) = (input["received"].as_u64().unwrap(), input["lost"].as_u64().unwrap());
    let status = router.answer("status", json!({}));
    eprintln!(
        "received {received} lost {lost}; answers took {:?} (median), {:?} (most); {}",
        waits[waits.len() / 2],
        waits[waits.len() - 1],
        status["memory"]
    );
    assert_eq!(received + lost, PACKETS + 1);
    let summary = router.answer("summary", json!({}));
    assert_eq!(summary["attempts"], received);
    assert_eq!(summary["complete"], lost == 0);
    // Whoever asks does not wait for the flood's end, however slow the machine is.
    let most = (flooded / 20).clamp(Duration::from_millis(50), Duration::from_millis(250));
    let late = waits.iter().filter(|wait| **wait > most).count();
    assert!(
        late * 20 <= waits.len(),
        "{late} of {} answers were late in {flooded:?}: {waits:?}",
        waits.len()
    );
    router.stop();
}

/// Devices that may be infected and attacked ports that were opened.
#[test]
fn what_the_owner_should_know_is_sent() {
    let mut router = Router::new("notices", None, "logd");
    let firewall = router.path("config/firewall");
    let zone = "config zone\n\toption name 'wan'\n\toption log '1'\n\tlist network 'wan'\n";
    let open = |port: u16| {
        format!(
            "\nconfig rule\n\toption src 'wan'\n\toption proto 'tcp'\n\toption dest_port '{port}'\n\toption target 'ACCEPT'\n"
        )
    };
    fs::write(&firewall, format!("{zone}{}", open(443))).unwrap();
    let mut logd = Logd::start(&router.broker.socket);
    router.start();
    router.running("logd");
    let events = crate::guarded::listen(&router.broker);
    let inside = line("192.168.1.7", 23, 1)
        .replace("reject wan in: IN=wan OUT=", "reject lan forward: IN=br-lan OUT=wan");
    for id in 0..120 {
        logd.kernel(&inside.replace("ID=1 ", &format!("ID={id} ")));
    }
    for (id, port) in [22, 22, 443, 8443].into_iter().enumerate() {
        logd.kernel(&line("198.51.100.9", port, id as u16));
    }
    router.wait("all", |summary| summary["attempts"] == 4 && summary["classes"]["egress"] == 120);
    let sent = |router: &Router, count: usize| {
        router.answer("commit", json!({}));
        let mut told: Vec<String> =
            (0..count).map_while(|_| events.recv_timeout(Duration::from_secs(60)).ok()).collect();
        // And no more.
        thread::sleep(Duration::from_millis(300));
        told.extend(events.try_iter());
        told
    };
    let told = sent(&router, 1);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("fwstat.egress") && told[0].contains("192.168.1.7"), "{told:?}");
    fs::write(&firewall, format!("{zone}{}{}{}", open(443), open(22), open(8080))).unwrap();
    let told = sent(&router, 1);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("fwstat.exposure"), "{told:?}");
    assert_eq!(sent(&router, 0), Vec::<String>::new());
    router.stop();
}
