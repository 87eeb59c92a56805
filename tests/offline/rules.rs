//! Attempts by firewall rule, by zone, and by the host and port inside that they were aimed at.

use std::collections::BTreeMap;

use crate::common::fwstat::{answer, ask, json, scratch};
use fwstat::event::calendar::Date;
use fwstat::event::paths::{Direction, Path, Paths};
use fwstat::event::{Address, Class, Event, Origin, Verdict, protocol};
use fwstat::stats::day::Day;
use serde_json::{Value, json};

/// A rule of the log, with the zone that it is counted in.
struct Logged {
    prefix: &'static str,
    input: &'static str,
    output: &'static str,
    /// Without and with the firewall's configuration.
    zones: [Option<&'static str>; 2],
    class: &'static str,
}

const LOGGED: [Logged; 5] = [
    Logged {
        prefix: "reject wan in:",
        input: "pppoe-wan",
        output: "",
        zones: [Some("wan"); 2],
        class: "attempt",
    },
    Logged {
        prefix: "drop wan forward:",
        input: "pppoe-wan",
        output: "br-lan",
        zones: [Some("wan"); 2],
        class: "attempt",
    },
    Logged {
        prefix: "Telnet seen",
        input: "eth9",
        output: "",
        zones: [None, Some("uplink2")],
        class: "attempt",
    },
    Logged {
        prefix: "reject guest in:",
        input: "br-guest",
        output: "",
        zones: [Some("guest"); 2],
        class: "egress",
    },
    Logged {
        prefix: "fwstat egress:",
        input: "br-lan",
        output: "pppoe-wan",
        zones: [None, Some("lan")],
        class: "egress",
    },
];

const INSIDE: [&str; 2] = ["192.168.1.10", "2001:db8:1::10"];

/// Lines of a day, and what they add up to by (prefix, interface) and by target.
#[derive(Default)]
struct Truth {
    rules: BTreeMap<&'static str, u64>,
    targets: BTreeMap<(&'static str, u16), u64>,
}

fn log(day: u32, truth: &mut Truth) -> String {
    let mut text = String::new();
    for number in 0..600u32 {
        let rule = &LOGGED[[0, 0, 1, 0, 1, 2, 3, 0, 1, 4][(number * 7 + number / 10 + day) as usize % 10]];
        let port = [22u16, 80, 443, 3389][number as usize % 4];
        let inside = INSIDE[(number / 3) as usize % 2];
        let is_v6 = rule.output == "br-lan" && inside.contains(':');
        *truth.rules.entry(rule.prefix).or_default() += 1;
        let destination = match rule.output {
            "br-lan" => {
                *truth.targets.entry((inside, port)).or_default() += 1;
                inside
            }
            _ => "198.51.100.20",
        };
        let (source, family) = if is_v6 {
            ("2001:db8:ff::7", "LEN=60 TC=0 HOPLIMIT=50 FLOWLBL=0".to_string())
        } else {
            ("203.0.113.7", format!("LEN=44 TOS=0x00 PREC=0x00 TTL=241 ID={number}"))
        };
        text += &format!(
            "2020-03-{day:02}T{:02}:{:02}:00 router kernel: {} IN={} OUT={} MAC= SRC={source} DST={destination} {family} \
             PROTO=TCP SPT={} DPT={port} WINDOW=1024 RES=0x00 SYN URGP=0\n",
            number / 30 % 24,
            number % 30,
            rule.prefix,
            rule.input,
            rule.output,
            10_000 + number,
        );
    }
    text
}

/// The rules of a class as they must be answered. `config`: the firewall's configuration is known.
fn expected_rules(truth: &Truth, class: &str, config: bool) -> Vec<Value> {
    let counted = |rule: &&Logged| rule.class == class && truth.rules.contains_key(rule.prefix);
    let mut rows: Vec<(u64, Value)> = LOGGED
        .iter()
        .filter(counted)
        .map(|rule| {
            let attempts = truth.rules[rule.prefix];
            let mut row = json!({"prefix": rule.prefix, "interface": rule.input, "attempts": attempts});
            if let Some(zone) = rule.zones[usize::from(config)] {
                row["zone"] = json!(zone);
            }
            (attempts, row)
        })
        .collect();
    // The list is in the order of prefixes where attempts are equal.
    rows.sort_by_key(|(attempts, row)| (std::cmp::Reverse(*attempts), row["prefix"].to_string()));
    rows.into_iter().map(|(_, row)| row).collect()
}

fn zones_of(rules: &[Value]) -> BTreeMap<String, u64> {
    let mut zones = BTreeMap::new();
    for row in rules {
        *zones.entry(row["zone"].as_str().unwrap_or_default().to_string()).or_default() +=
            row["attempts"].as_u64().unwrap();
    }
    zones
}

fn check(answer: &Value, truth: &Truth, class: &str, config: bool) {
    let rules = answer["rules"].as_array().unwrap();
    assert_eq!(*rules, expected_rules(truth, class, config));
    assert_eq!(zones_of(answer["zones"].as_array().unwrap()), zones_of(rules));
    let mut left = truth.targets.clone();
    let targets = answer["targets"].as_array().unwrap();
    if class == "attempt" {
        for row in targets {
            let key = (row["address"].as_str().unwrap(), row["port"].as_u64().unwrap() as u16);
            let known = left.remove(&key).map(|attempts| json!(attempts));
            assert_eq!((&row["attempts"], &row["error"]), (&known.unwrap(), &json!(0)), "{row}");
            assert_eq!(row["protocol"], "tcp");
        }
        assert!(left.is_empty(), "{left:?}");
    } else {
        assert_eq!(targets.len(), 0);
    }
    assert_eq!(answer["complete"], true, "{answer}");
}

#[test]
fn a_report_and_a_store_tell_every_rule_zone_and_target() {
    let directory = scratch("rules");
    let mut truth = Truth::default();
    let files: Vec<String> = (1..=5)
        .map(|day| {
            let path = directory.join(format!("{day}.log"));
            std::fs::write(&path, log(day, &mut truth)).unwrap();
            path.to_str().unwrap().to_string()
        })
        .collect();
    let names: Vec<&str> = files.iter().map(String::as_str).collect();
    let firewall = directory.join("firewall");
    let zone =
        |name: &str, device: &str| format!("config zone\n\toption name {name}\n\tlist device {device}\n");
    std::fs::write(&firewall, zone("uplink2", "eth+") + &zone("lan", "br-lan")).unwrap();
    for config in [false, true] {
        let with_config = ["--firewall", firewall.to_str().unwrap()];
        let options = if config { &with_config[..] } else { &[] };
        for class in ["attempt", "egress"] {
            let report = json(
                &[&["report", "--json", "--limit", "100", "--class", class], options, &names[..]].concat(),
            );
            check(&report["rules"], &truth, class, config);
            let sum: u64 = report["rules"]["rules"]
                .as_array()
                .unwrap()
                .iter()
                .map(|row| row["attempts"].as_u64().unwrap())
                .sum();
            assert_eq!(report["summary"]["attempts"], json!(sum));
        }
        // The same in a store, whose days come one after the other and not in their order.
        let store = directory.join(format!("store-{config}"));
        for day in [3, 1, 5, 2, 4] {
            answer(&[&["import", "--db", store.to_str().unwrap()], options, &[names[day - 1]]].concat());
        }
        for class in ["attempt", "egress"] {
            check(&ask(&store, &["rules", "--class", class, "--limit", "100"]), &truth, class, config);
        }
        let one = ask(&store, &["rules", "--from", "2020-03-03", "--to", "2020-03-03"]);
        let mut of_day = Truth::default();
        log(3, &mut of_day);
        assert_eq!(one["rules"], json!(expected_rules(&of_day, "attempt", config)));
        // Of a source that is deleted the counts stay: they name nobody.
        answer(&["forget", "--db", store.to_str().unwrap(), "--source", "203.0.113.7"]);
        check(&ask(&store, &["rules", "--limit", "100"]), &truth, "attempt", config);
    }
}

#[test]
fn forged_destinations_leave_rules_exact_and_heavy_targets_found() {
    let mut paths = Paths::new();
    let path = paths.intern(&Path {
        origin: Origin::Nflog,
        prefix: "drop wan forward:".into(),
        input: "wan".into(),
        output: "br-lan".into(),
        bridge_input: String::new(),
        bridge_output: String::new(),
        group_mac: false,
        verdict: Verdict::Drop,
        zone: Some("wan".into()),
        firewall_zone: Some("wan".into()),
        direction: Direction::Inbound,
    });
    let mut day = Day::new(Date(20_000), 7).with_rules(&paths.rules());
    let aimed_at = Address::v6(0x2001_0db8 << 96 | 7);
    let (mut packets, mut heavy) = (0, 0);
    for number in 0..1_000_000u128 {
        let is_heavy = number % 50 == 0;
        let forged = Address::v6(0x2001_0db8 << 96 | (number + 1) << 20);
        let event = Event {
            time: 20_000 * 86_400,
            source: Address::v4(7),
            destination: if is_heavy { aimed_at } else { forged },
            port: 22,
            protocol: protocol::TCP,
            count: 1,
            path,
            ..Event::default()
        };
        day.add(&event, 5);
        packets += 1;
        heavy += u64::from(is_heavy);
    }
    for (summary, most) in [(day.to_summary(), 256), (day.to_closed(), 32)] {
        let summary = summary.class(Class::Attempt);
        assert_eq!((summary.rules.len(), summary.rules[0].attempts), (1, packets));
        let targets = &summary.targets;
        assert!(targets.rows.len() <= most, "{}", targets.rows.len());
        let first = &targets.rows[0];
        assert_eq!(first.address, aimed_at);
        assert!(first.attempts - first.error <= heavy && heavy <= first.attempts, "{first:?}");
        // What has no row has few attempts for certain: no more than an even share.
        assert!((1..=packets / 256 + 1).contains(&targets.floor), "{}", targets.floor);
    }
}
