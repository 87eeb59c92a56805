//! The daemon behind a firewall of fw4's shape, with the rules that the init script makes of its configuration: what is
//! refused is counted, whatever refuses it, and what is not seen is told.

use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant};

use crate::guarded::inside;
use crate::router::Router;
use crate::support::forge::Forger;
use crate::support::namespaces::{Network, ROUTER_V4};
use fwstat::input::Counters;
use fwstat::input::nflog::NflogReader;
use serde_json::{Value, json};

/// The text of a file that the init script makes in a case of `firewall-rules.txt`, which `openwrt/packages.py` holds.
fn rules(case: &str, file: &str) -> &'static str {
    let text = include_str!("../data/firewall-rules.txt");
    let mut cases = text.strip_prefix("== ").unwrap().split("\n== ");
    let case = cases.find(|part| part.starts_with(&format!("{case}\n"))).expect("the case");
    let file = case.split("-- ").find(|part| part.starts_with(&format!("{file}.nft\n")));
    file.map_or("", |part| part.split_once('\n').unwrap().1)
}

/// As firewall4's `ruleset.uc` prints it: defaults REJECT, drop_invalid and syn_flood on, zone wan with input `input`.
fn fw4(case: &str, input: &str, rule: &str) -> String {
    let invalid = if case == "invalid" { ", invalid : drop" } else { "" };
    let limit = if case == "invalid" { "100/minute burst 5 packets" } else { "25/second burst 50 packets" };
    let verdict = if input == "reject" { "jump handle_reject" } else { "drop" };
    let ours = |file: &str| rules(case, file);
    format!(
        r#"table inet fw4
flush table inet fw4
table inet fw4 {{
    {}
    chain input {{
        type filter hook input priority filter; policy drop;
        iif "lo" accept comment "!fw4: Accept traffic from loopback"
        {}
        ct state vmap {{ established : accept, related : accept{invalid} }} comment "!fw4: Handle inbound flows"
        tcp flags & (fin | syn | rst | ack) == syn jump syn_flood comment "!fw4: Rate limit TCP syn packets"
        iifname "wan" jump input_wan comment "!fw4: Handle wan IPv4/IPv6 input traffic"
        jump handle_reject
    }}
    chain forward {{
        type filter hook forward priority filter; policy drop;
        {}
        ct state vmap {{ established : accept, related : accept{invalid} }} comment "!fw4: Handle forwarded flows"
        iifname "wan" jump forward_wan comment "!fw4: Handle wan IPv4/IPv6 forward traffic"
        {}
        jump handle_reject
    }}
    chain handle_reject {{
        meta l4proto tcp reject with tcp reset comment "!fw4: Reject TCP traffic"
        reject with icmpx type port-unreachable comment "!fw4: Reject any other traffic"
    }}
    chain syn_flood {{
        limit rate {limit} return comment "!fw4: Accept SYN packets below rate-limit"
        drop comment "!fw4: Drop excess packets"
    }}
    chain input_wan {{
        {rule}
        {}
        jump {input}_from_wan
    }}
    chain forward_wan {{
        {}
        jump drop_to_wan
    }}
    chain {input}_from_wan {{
        iifname "wan" counter {verdict} comment "!fw4: {input} wan IPv4/IPv6 traffic"
    }}
    chain drop_to_wan {{
        oifname "wan" counter drop comment "!fw4: drop wan IPv4/IPv6 traffic"
    }}
}}
"#,
        ours("counters"),
        ours("prepend-input"),
        ours("prepend-forward"),
        ours("append-forward"),
        ours("append-input_wan"),
        ours("append-forward_wan"),
    )
}

/// `count` SYN from one address to Telnet's port, `pause` apart.
fn flood(forger: &Forger, from: [u8; 4], count: u32, pause: Duration) {
    for number in 0..count {
        forger.syn(Ipv4Addr::from(from), 23, number as u16);
        thread::sleep(pause);
    }
}

/// A status whose counters were read after everything that was sent.
fn status(router: &Router, packets: u64) -> Value {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let status = router.answer("status", json!({}));
        let counted = status["counters"].as_array();
        let sum = counted.map(|rows| rows.iter().map(|row| row["packets"].as_u64().unwrap()).sum::<u64>());
        if sum == Some(packets) {
            return status;
        }
        assert!(Instant::now() < until, "{packets} packets are not in {status}\n{}", router.log());
        thread::sleep(Duration::from_millis(300));
    }
}

fn row<'s>(status: &'s Value, key: &str, name: &str) -> &'s Value {
    status["counters"].as_array().unwrap().iter().find(|row| row[key] == name).expect("the counter")
}

#[test]
fn of_a_flood_every_packet_is_counted_though_syn_flood_drops_most() {
    let Some(network) = Network::up() else { return };
    network.nft(&fw4("default", "reject", ""));
    let mut router = Router::new("synflood", Some(&network), "nflog");
    router.start();
    router.running("nflog");
    status(&router, 0);
    let forger = Forger::new(&network.outside, ROUTER_V4);
    let (mut sent, mut refused) = (0, 0);
    // 20, 60 and 600 a second, and as many as there can be.
    for (count, pause) in [(30, 50_000), (180, 16_000), (1200, 1_500), (5000, 0)] {
        flood(&forger, [192, 0, 2, 1], count, Duration::from_micros(pause));
        sent += u64::from(count);
        router.attempts(sent);
        let status = status(&router, sent);
        let (zone, syn_flood) = (row(&status, "zone", "wan"), row(&status, "place", "syn_flood"));
        assert_eq!(zone["packets"], zone["received"], "{status}");
        assert_eq!(syn_flood["packets"], syn_flood["received"], "{status}");
        assert_eq!(status["not_seen"], json!([]));
        refused = syn_flood["packets"].as_u64().unwrap();
    }
    assert!(refused > 3000, "{refused}");
    let summary = router.answer("summary", json!({}));
    assert_eq!((&summary["complete"], &summary["attempts"]), (&json!(true), &json!(sent)), "{summary}");
    // By rule, as the rules' own counters have it.
    let rules = router.answer("rules", json!({}));
    assert_eq!(rules["complete"], true, "{rules}");
    let mut counted: Vec<(&str, u64)> = Vec::new();
    for row in rules["rules"].as_array().unwrap() {
        assert_eq!(row["interface"], "wan", "{rules}");
        counted.push((row["prefix"].as_str().unwrap(), row["attempts"].as_u64().unwrap()));
    }
    assert_eq!(counted, [("drop syn_flood:", refused), ("reject wan in:", sent - refused)]);
    let events = router.answer("recent", json!({"limit": 10}))["events"].clone();
    assert!(events.as_array().unwrap().iter().all(|event| event["verdict"] == "drop"), "{events}");
    // fw4 reload: our counters go on, and nothing is counted twice.
    network.nft(&fw4("default", "reject", ""));
    flood(&forger, [192, 0, 2, 2], 20, Duration::from_millis(5));
    router.attempts(sent + 20);
    status(&router, sent + 20);
    router.stop();
}

#[test]
fn what_a_rule_of_the_owner_refuses_is_a_sum_and_makes_the_day_incomplete() {
    let Some(network) = Network::up() else { return };
    let drop = "tcp dport 23 counter drop comment \"!fw4: Drop-telnet\"";
    network.nft(&fw4("default", "reject", drop));
    let mut router = Router::new("sum", Some(&network), "nflog");
    router.start();
    router.running("nflog");
    status(&router, 0);
    let summary = router.answer("summary", json!({}));
    assert_eq!(summary["complete"], true, "{summary}");
    let forger = Forger::new(&network.outside, ROUTER_V4);
    flood(&forger, [192, 0, 2, 1], 30, Duration::from_millis(5));
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let status = router.answer("status", json!({}));
        if status["not_seen"] == json!([{"place": "rule 'Drop-telnet'", "packets": 30}]) {
            break;
        }
        assert!(Instant::now() < until, "{status}");
        thread::sleep(Duration::from_millis(300));
    }
    let summary = router.answer("summary", json!({}));
    assert_eq!((&summary["complete"], &summary["attempts"]), (&json!(false), &json!(0)), "{summary}");
    let because = summary["incomplete_because"].as_str().unwrap();
    let place = "rule 'Drop-telnet': 30 packets were refused today that are known only as a sum";
    assert!(because.contains(place), "{because}");
    // The day keeps it.
    assert!(because.starts_with("up to 30 packets ") && because.contains(" are in no figure: "), "{because}");
    let (_, out, _) = router.shell(&["status"]);
    assert!(out.contains("Refused, but not seen one by one") && out.contains("rule 'Drop-telnet'"), "{out}");
    router.stop();
}

#[test]
fn while_another_program_has_the_group_what_is_refused_is_a_sum() {
    let Some(network) = Network::up() else { return };
    network.nft(&fw4("default", "reject", ""));
    let mut router = Router::new("group-taken", Some(&network), "nflog");
    let other = inside(&network.router, || NflogReader::open(32, Counters::default()).unwrap());
    router.start();
    status(&router, 0);
    let forger = Forger::new(&network.outside, ROUTER_V4);
    let place = "the input policy of zone wan and forwarding from zone wan";
    let sum = |status: &Value| {
        let mut rows = status["not_seen"].as_array().unwrap().iter();
        rows.find(|row| row["place"] == place).map_or(Value::Null, |row| row["packets"].clone())
    };
    flood(&forger, [192, 0, 2, 1], 30, Duration::from_millis(5));
    assert_eq!(sum(&status(&router, 30)), 30);
    let incomplete = |attempts: u64| {
        let summary = router.answer("summary", json!({}));
        assert_eq!(
            (&summary["complete"], &summary["attempts"]),
            (&json!(false), &json!(attempts)),
            "{summary}"
        );
        let because = summary["incomplete_because"].as_str().unwrap();
        let counted = format!("{place}: 30 packets were refused today that are known only as a sum");
        assert!(because.starts_with("up to 30 packets ") && because.ends_with(&counted), "{because}");
    };
    incomplete(0);
    // The program is gone: what comes now is counted one by one, and what came before stays a sum.
    drop(other);
    router.running("nflog");
    thread::sleep(Duration::from_secs(2));
    flood(&forger, [192, 0, 2, 2], 20, Duration::from_millis(5));
    router.attempts(20);
    assert_eq!(sum(&status(&router, 50)), 30);
    incomplete(20);
    router.stop();
}

#[test]
fn a_limit_of_other_numbers_than_ours_is_not_called_counted() {
    let Some(network) = Network::up() else { return };
    network.nft(&fw4("default", "reject", "").replace("limit rate 25/second", "limit rate 30/second"));
    let mut router = Router::new("other-limit", Some(&network), "nflog");
    router.start();
    router.running("nflog");
    let status = status(&router, 0);
    let place = "the SYN flood protection (chain syn_flood)";
    assert_eq!(status["not_seen"], json!([{ "place": place }]), "{status}");
    let summary = router.answer("summary", json!({}));
    assert_eq!(
        (&summary["complete"], summary["incomplete_because"].as_str()),
        (&json!(false), Some(&*format!("{place}: what is refused there is not counted"))),
    );
    router.stop();
}

#[test]
fn invalid_packets_are_counted_once_and_as_dropped() {
    let Some(network) = Network::up() else { return };
    network.nft(&fw4("invalid", "drop", ""));
    let mut router = Router::new("invalid", Some(&network), "nflog");
    router.start();
    router.running("nflog");
    status(&router, 0);
    // RST and ACK of no connection, and UDP that nothing takes.
    network.python(&format!(
        "{}
for n in range(40): ipv4(6, tcp(2000 + n, 80, 0x14), n)
for n in range(20): ipv4(17, udp(3000 + n, 1900), n)
",
        include_str!("../support/frames.py")
    ));
    router.attempts(20);
    let status = status(&router, 60);
    let (zone, invalid) = (row(&status, "zone", "wan"), row(&status, "place", "invalid"));
    assert_eq!((&zone["packets"], &invalid["packets"]), (&json!(20), &json!(40)), "{status}");
    assert_eq!((&zone["received"], &invalid["received"]), (&json!(20), &json!(40)), "{status}");
    let summary = router.answer("summary", json!({}));
    assert_eq!((&summary["classes"]["backscatter"], &summary["complete"]), (&json!(40), &json!(true)));
    router.stop();
}
