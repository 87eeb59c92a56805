//! Every fuzz target over its corpus and over seeded mutations of it, on stable Rust.
//!
//! `FWSTAT_BLESS=1` writes the part of the corpus that is made here. What a fuzzer finds is added by hand.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::asn_mmdb::{GEOLITE2, Row, asn_mmdb};
use crate::asns::IP_LOCATION_DB;
use crate::common::fwstat::{run, run_with_input, scratch};
use crate::common::generate::random::Random;
use crate::common::generate::{daemons, other};
use crate::targets;
use fwstat::output::blobmsg::METHODS;
use fwstat::ubus::blob;
use fwstat::ubus::outgoing::Outgoing;
use serde_json::json;

const MUTATIONS: usize = 3000;

fn corpus(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target)
}

/// One to four changes of the kinds that break parsers.
fn mutate(random: &mut Random, bytes: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..random.between(1, 4) {
        let at = random.below(bytes.len() as u64 + 1) as usize;
        match random.below(7) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            1 if at < bytes.len() => {
                bytes[at] = random.pick(&[0, 1, 0x7f, 0x80, 0xff, b' ', b'=', b'\'', b'\n'])
            }
            2 => bytes.truncate(at),
            3 => bytes.insert(at, random.next() as u8),
            4 => {
                let end = (at + random.between(1, 20) as usize).min(bytes.len());
                bytes.drain(at..end);
            }
            5 => {
                let end = (at + random.between(1, 40) as usize).min(bytes.len());
                let copy = bytes[at..end].to_vec();
                let to = random.below(bytes.len() as u64 + 1) as usize;
                bytes.splice(to..to, copy);
            }
            _ if !other.is_empty() => {
                let from = random.below(other.len() as u64) as usize;
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            _ => {}
        }
    }
    bytes.truncate(1 << 16);
    bytes
}

fn run_target(name: &str) {
    let (name, target) = *targets::ALL.iter().find(|(known, _)| *known == name).unwrap();
    let mut paths: Vec<PathBuf> =
        fs::read_dir(corpus(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let seeds: Vec<Vec<u8>> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
    assert!(seeds.len() >= 2, "{name} has no corpus");
    target(b"");
    seeds.iter().for_each(|seed| target(seed));
    let mut random = Random::new(name.len() as u64);
    for _ in 0..MUTATIONS {
        let seed = &seeds[random.below(seeds.len() as u64) as usize];
        let other = &seeds[random.below(seeds.len() as u64) as usize];
        let mutated = mutate(&mut random, seed, other);
        if let Err(panic) = std::panic::catch_unwind(|| target(&mutated)) {
            let found = scratch(&format!("fuzz-{name}")).join("found");
            fs::write(&found, &mutated).unwrap();
            eprintln!("the input is kept as {}", found.display());
            std::panic::resume_unwind(panic);
        }
    }
}

#[test]
fn log_line() {
    run_target("log_line");
}

#[test]
fn login_line() {
    run_target("login_line");
}

#[test]
fn store_file() {
    run_target("store_file");
}

#[test]
fn country_database() {
    run_target("country_database");
}

#[test]
fn gzip() {
    run_target("gzip");
}

#[test]
fn options() {
    run_target("options");
}

#[test]
fn nflog_datagram() {
    run_target("nflog_datagram");
}

#[test]
fn ubus_call() {
    run_target("ubus_call");
}

#[test]
fn logd_backlog() {
    run_target("logd_backlog");
}

#[test]
fn nft_counters() {
    run_target("nft_counters");
}

#[test]
fn netifd_interfaces() {
    run_target("netifd_interfaces");
}

#[test]
fn conntrack_datagram() {
    run_target("conntrack_datagram");
}

#[test]
fn nftables_datagram() {
    run_target("nftables_datagram");
}

#[test]
fn ubus_message() {
    run_target("ubus_message");
}

#[test]
fn log_file() {
    run_target("log_file");
}

#[test]
fn journal() {
    run_target("journal");
}

#[test]
fn seen_messages() {
    run_target("seen_messages");
}

#[test]
fn every_target_has_its_program_and_its_test() {
    for (name, _) in targets::ALL {
        assert!(include_str!("fuzz_corpus.rs").contains(&format!("run_target(\"{name}\")")), "{name}");
        let program =
            corpus(name).parent().unwrap().parent().unwrap().join(format!("fuzz_targets/{name}.rs"));
        assert!(fs::read_to_string(program).unwrap().contains(&format!("targets::{name}(data)")));
    }
}

/// Numbers as the kernel of this machine's byte order would write them; the corpus holds little-endian ones.
fn attribute(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    message.extend((4 + value.len() as u16).to_le_bytes());
    message.extend(kind.to_le_bytes());
    message.extend(value);
    message.resize(message.len().next_multiple_of(4), 0);
}

fn datagram(payload: &[u8]) -> Vec<u8> {
    let mut message = vec![0; 16];
    message[4..6].copy_from_slice(&0x0400u16.to_le_bytes());
    message.extend([2, 0, 0, 32]);
    attribute(&mut message, 1, &[8, 0, 1, 0]);
    attribute(&mut message, 10, b"reject wan in: \0");
    attribute(&mut message, 4, &3u32.to_be_bytes());
    attribute(&mut message, 16, &14u16.to_be_bytes());
    attribute(&mut message, 15, &[0, 0, 0x5e, 0, 0x53, 1, 0, 0, 0x5e, 0, 0x53, 2, 8, 0]);
    attribute(&mut message, 9, payload);
    let length = message.len() as u32;
    message[..4].copy_from_slice(&length.to_le_bytes());
    message
}

/// What the kernel tells of a table that is gone, and of an element of a set.
fn table_messages() -> Vec<u8> {
    let nested = |parts: &[(u16, &[u8])]| {
        let mut value = Vec::new();
        parts.iter().for_each(|(kind, part)| attribute(&mut value, *kind, part));
        value
    };
    let key = nested(&[(0x8001, &nested(&[(1, &[203, 0, 113, 7])]))]);
    let counter =
        nested(&[(1, b"counter\0"), (0x8002, &nested(&[(1, &[0; 8]), (2, &[0, 0, 0, 0, 0, 0, 0, 3])]))]);
    let element = [key, nested(&[(5, &[0, 0, 0, 0, 0, 0, 0x13, 0x88]), (0x8007, &counter)])].concat();
    let elements = nested(&[(1, b"fwstat\0"), (2, b"blocked4\0"), (0x8003, &nested(&[(0x8001, &element)]))]);
    let mut datagram = Vec::new();
    for (kind, attributes) in [(0x0a02u16, nested(&[(1, b"fwstat\0")])), (0x0a0c, elements)] {
        datagram.extend((20 + attributes.len() as u32).to_le_bytes());
        datagram.extend(kind.to_le_bytes());
        datagram.extend([0; 10]);
        datagram.extend([1, 0, 0, 5]);
        datagram.extend(attributes);
    }
    datagram
}

fn made() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let mut made: Vec<(&str, &str, Vec<u8>)> = Vec::new();
    for file in other() {
        made.push(("log_line", file.name, file.text.lines().next().unwrap().into()));
    }
    made.push(("log_line", "forged", daemons::FORGED.into()));
    let logins = [
        ("dropbear", "dropbear\0Bad password attempt for 'root' from 203.0.113.7:50022"),
        ("dropbear-name", "dropbear\0Bad password attempt for 'a' from 8.8.4.4:22' from 203.0.113.7:50022"),
        ("dropbear-user", "dropbear\0Login attempt for nonexistent user from 2001:db8::7:50022"),
        (
            "dropbear-exit",
            "dropbear\0Exit before auth from <203.0.113.7:50022>: (user 'root', 0 fails): Exited normally",
        ),
        ("sshd", "sshd\0Failed password for invalid user admin from 203.0.113.7 port 50022 ssh2"),
        ("luci", "uhttpd\0[info] luci: failed login on / for root from 203.0.113.7"),
    ];
    made.extend(logins.map(|(name, text)| ("login_line", name, text.into())));
    let text = "config fwstat 'main'\n\toption enabled '1'\n\tlist input 'nflog'\n\tlist input \"logd\"\n\toption \
                commit_interval '1h'\n\toption keep_days '400d' # comment\n\nconfig guard 'guard'\n\toption flood \
                '200/1m'\n\tlist allow '198.51.100.0/24'\n";
    made.push(("options", "plain", text.into()));
    let networks: [Row; 2] = [
        (0xc000_0200, 0xc000_027f, 64_500, "Example <b>Net</b>".into()),
        (0xc633_6407, 0xc633_6409, 4_200_000_001, "a\x1b[31m".into()),
    ];
    for (name, shape) in [("networks-geolite2", GEOLITE2), ("networks-ip-location-db", IP_LOCATION_DB)] {
        made.push(("country_database", name, asn_mmdb(&networks, shape, 1)));
    }
    made.push((
        "options",
        "faults",
        b"config x\noption '\nlist\n\toption flood 'a\\''b' c\npackage \"\x1b[2J".into(),
    ));
    let tcp = b"\x45\0\0\x28\xd4\x31\0\0\xf1\x06\0\0\xcb\0\x71\x07\xc6\x33\x64\x14\xa1\x02\0\x17\0\0\0\0\0\0\0\0\x50\x02\x04\0\0\0\0\0";
    made.push(("nflog_datagram", "tcp", datagram(tcp)));
    let two = [datagram(tcp), datagram(&tcp[..24])].concat();
    made.push(("nflog_datagram", "two", two));
    let mut six = b"\x60\0\0\0\0\x1c\0\x40".to_vec();
    six.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]);
    six.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    six.extend([17, 0, 1, 4, 0, 0, 0, 0, 0x7a, 0x69, 7, 0x6c, 0, 20, 0, 0]);
    made.push(("nflog_datagram", "ipv6-options", datagram(&six)));
    made.push(("nftables_datagram", "gone-and-element", table_messages()));
    made.push(("gzip", "one", packed(b"a line\nand another\n")));
    made.push(("gzip", "two", [packed(b"a line\nand "), packed(b"another\n")].concat()));
    made.push(("gzip", "long", packed(&[b'x'; 20_000])));
    let mut outgoing = Outgoing::default();
    outgoing.add_object("fwstat", &[]);
    outgoing.invoke(
        7,
        "summary",
        &serde_json::json!({"from": "2020-04-01", "limit": 10, "list": [1, true, "x"]}),
    );
    // The greeting, then calls.
    let greeting = [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 4];
    let mut messages = [&[200u8][..], &greeting].concat();
    while !outgoing.waiting().is_empty() {
        messages.extend(outgoing.waiting());
        outgoing.wrote(outgoing.waiting().len());
    }
    made.push(("ubus_message", "calls", messages.clone()));
    made.push(("ubus_message", "in-pieces", [&[2u8][..], &messages[1..]].concat()));
    made.push((
        "ubus_message",
        "too-long",
        [&[255u8][..], &greeting, &[0, 5, 0, 1, 0, 0, 0, 1, 0, 0xff, 0xff, 0xff]].concat(),
    ));
    made.extend(bus_messages());
    made.extend(store_files());
    made
}

/// What other programs on the bus, nft and the kernel say.
fn bus_messages() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let table = |value: serde_json::Value| blob::table(&value).contents().to_vec();
    let call = |method: &str, arguments: serde_json::Value| {
        let place = METHODS.iter().position(|(name, _)| *name == method).unwrap();
        [vec![place as u8], table(arguments)].concat()
    };
    let entry = |id: i32, source: i32, msg: &str| json!({"msg": msg, "id": id, "priority": 4, "source": source, "time": 1_789_000_000_123i64});
    let drop = "[1.2] reject wan in: IN=wan OUT= MAC= SRC=198.51.100.7 DST=192.0.2.1 LEN=40 PROTO=TCP SPT=5 DPT=23 SYN";
    let login = "dropbear[1]: Bad password attempt for 'root' from 203.0.113.9:4000";
    let interface = json!({"interface": [{"interface": "wan", "up": true, "l3_device": "pppoe-wan", "device": "eth1",
        "data": {"zone": "wan"}}, {"interface": "lan", "device": "br-lan"}]});
    let rules =
        br#"{"nftables": [{"metainfo": {"version": "1.1.1"}}, {"rule": {"comment": "fwstat wan", "expr":
        [{"counter": {"packets": 5, "bytes": 200}}, {"log": {"group": 32}}, {"drop": null}]}}]}"#;
    vec![
        (
            "ubus_call",
            "sources",
            call(
                "sources",
                json!({"from": "2020-04-01", "to": "2020-04-10", "class": "attempt", "protocol": "tcp",
                "port": 23, "source": "198.51.100.0/24", "country": "DE", "min": 2, "limit": 1000}),
            ),
        ),
        (
            "ubus_call",
            "block",
            call(
                "block",
                json!({"address": "2001:db8::7", "for": "2h", "reason": "x", "caller": "192.0.2.1"}),
            ),
        ),
        (
            "ubus_call",
            "recent",
            call("recent", json!({"limit": "5", "cursor": 7.0, "class": "all", "ubus_rpc_session": "0"})),
        ),
        (
            "logd_backlog",
            "backlog",
            table(json!({"log": [entry(1, 0, drop), entry(2, 1, login), entry(7, 0, "")]})),
        ),
        ("logd_backlog", "entry", table(entry(3, 0, drop))),
        ("nft_counters", "rules", rules.to_vec()),
        ("nft_counters", "empty", br#"{"nftables": []}"#.to_vec()),
        ("netifd_interfaces", "dump", table(interface)),
        ("netifd_interfaces", "empty", table(json!({"interface": []}))),
        ("conntrack_datagram", "tcp", connection(6)),
        ("conntrack_datagram", "udp", connection(17)),
    ]
}

/// A connection from inside as the kernel lists it.
fn connection(protocol: u8) -> Vec<u8> {
    use fwstat::parse::netlink::{put, put_nested, request};
    request(256, 0, 1, (2, 0), &|message| {
        for (tuple, addresses) in
            [(1, [[192, 168, 1, 10], [198, 51, 100, 7]]), (2, [[198, 51, 100, 7], [192, 0, 2, 1]])]
        {
            put_nested(message, tuple, |message| {
                put_nested(message, 1, |message| {
                    put(message, 1, &addresses[0]);
                    put(message, 2, &addresses[1]);
                });
                put_nested(message, 2, |message| {
                    put(message, 1, &[protocol]);
                    put(message, 2, &4000u16.to_be_bytes());
                    put(message, 3, &443u16.to_be_bytes());
                });
            });
        }
        put_nested(message, 4, |message| put_nested(message, 1, |message| put(message, 4, &[3, 0xff])));
    })
}

fn packed(text: &[u8]) -> Vec<u8> {
    let mut gz = flate2::GzBuilder::new().mtime(1).write(Vec::new(), flate2::Compression::best());
    gz.write_all(text).unwrap();
    gz.finish().unwrap()
}

fn store_files() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let store = scratch("fuzz-store");
    let text = store.to_str().unwrap();
    let log = other().into_iter().find(|file| file.name == "iso").unwrap().text;
    // The first and the last of three days stay open.
    let log = ["2026-09-12", "2026-09-13", "2026-09-14"].map(|date| log.replace("2026-09-12", date)).concat();
    let ran = run_with_input(&["import", "--db", text, "--timezone", "UTC", "-"], log.as_bytes());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(run(&["days", "--db", text]).code, Some(0));
    let names = [("month", "2026-09.fws"), ("piece", "today-2026-09-12-000.fws"), ("store", "store.fws")];
    names.map(|(name, file)| ("store_file", name, fs::read(store.join(file)).unwrap())).into()
}

#[test]
fn the_corpus_is_there() {
    for (target, name, bytes) in made() {
        let path = corpus(target).join(name);
        if std::env::var_os("FWSTAT_BLESS").is_some() {
            fs::create_dir_all(corpus(target)).unwrap();
            fs::write(&path, &bytes).unwrap();
        }
        assert!(path.exists(), "{}: write it with FWSTAT_BLESS=1", path.display());
    }
}
