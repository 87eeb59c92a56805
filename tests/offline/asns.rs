//! Networks of sources: databases in the shapes of their makers, hostile and damaged ones, and the answers.

use std::fs;
use std::path::{Path, PathBuf};

use crate::asn_mmdb::{GEOLITE2, Row, Shape, asn_mmdb};
use crate::common::fwstat::{ask, run, run_with_input, scratch};
use crate::countries::log;
use fwstat::event::Address;
use fwstat::geoip::{Content, Database};
use fwstat::query::asns::{Network, NetworkLookup};

pub(crate) const IP_LOCATION_DB: Shape = Shape { record: 28, version: 4, pointers: false };

/// 2099-01-01.
const BUILT: u64 = 4_070_908_800;

fn database(path: &Path) -> Database {
    let mut database = Database::of(Content::Networks, path);
    database.refresh();
    database
}

fn network(database: &mut Database, text: &str) -> Option<(u32, String)> {
    let address = text.parse::<std::net::IpAddr>().unwrap();
    let record = database.record_of(address.into())?;
    database.network_at(record).map(|Network { number, name }| (number, name))
}

fn v4(text: &str) -> u128 {
    u32::from(text.parse::<std::net::Ipv4Addr>().unwrap()).into()
}

fn rows() -> Vec<Row> {
    let row = |first: &str, last: &str, asn, name: &str| (v4(first), v4(last), asn, name.to_string());
    vec![
        row("192.0.2.0", "192.0.2.127", 64_500, "Example Net"),
        row("192.0.2.128", "192.0.2.255", 4_200_000_001, "Zürich <b>Net</b>"),
        row("198.51.100.7", "198.51.100.9", 64_500, "Example Net"),
    ]
}

fn written(name: &str, rows: &[Row], shape: Shape) -> PathBuf {
    let path = scratch(name).join("asn.mmdb");
    fs::write(&path, asn_mmdb(rows, shape, BUILT)).unwrap();
    path
}

#[test]
fn databases_of_both_makers_are_read() {
    let shapes = [GEOLITE2, IP_LOCATION_DB, Shape { record: 32, ..GEOLITE2 }];
    for (number, shape) in shapes.into_iter().enumerate() {
        let mut all = rows();
        if shape.version == 6 {
            all.push((0x2001_0db8 << 96, 0x2001_0db8 << 96 | u128::MAX >> 48, 64_501, "Six".into()));
        }
        let mut database = database(&written(&format!("asns-shape-{number}"), &all, shape));
        assert_eq!((database.state(), database.problem(0)), ("ok", None));
        for (address, expected) in [
            ("192.0.1.255", None),
            ("192.0.2.0", Some((64_500, "Example Net"))),
            ("192.0.2.255", Some((4_200_000_001, "Zürich <b>Net</b>"))),
            ("198.51.100.6", None),
            ("198.51.100.9", Some((64_500, "Example Net"))),
            ("2001:db8::7", Some((64_501, "Six")).filter(|_| shape.version == 6)),
            ("2001:db9::", None),
        ] {
            let expected = expected.map(|(number, name)| (number, name.to_string()));
            assert_eq!(network(&mut database, address), expected, "{address}, shape {number}");
        }
    }
}

/// A name is one line of bounded length; a record without a name still has its number.
#[test]
fn names_are_cleaned_and_cut() {
    let row = |last: u128, name: &str| (last << 8, last << 8 | 255, last as u32, name.to_string());
    let all = [
        row(1, "a\x1b[31m\nb\u{202e}c\u{0}\u{85}"),
        row(2, &"é".repeat(300)),
        row(3, &"x".repeat(70_000)),
        row(4, ""),
    ];
    let mut database = database(&written("asns-names", &all, GEOLITE2));
    assert_eq!(database.problem(0), None);
    assert_eq!(network(&mut database, "0.0.1.1"), Some((1, "a[31mbc".into())));
    assert_eq!(network(&mut database, "0.0.2.1"), Some((2, "é".repeat(48))));
    assert_eq!(network(&mut database, "0.0.3.1"), Some((3, "x".repeat(96))));
    assert_eq!(network(&mut database, "0.0.4.1"), Some((4, String::new())));
}

#[test]
fn a_file_of_another_kind_and_a_missing_one_are_told() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus/country_database");
    let countries = database(&corpus.join("record-24-ip-4"));
    let told = countries.problem(0).unwrap();
    assert!(told.starts_with("the AS database ") && told.ends_with("it holds no AS numbers"), "{told}");
    let mut asns = Database::new(&written("asns-kind", &rows(), GEOLITE2));
    asns.refresh();
    assert!(asns.problem(0).unwrap().ends_with("it holds no countries"));
    let path = written("asns-missing", &rows(), GEOLITE2);
    let mut database = database(&path);
    assert!(database.problem(BUILT as i64 + 402 * 86_400).unwrap().contains("is 402 days old"));
    fs::remove_file(&path).unwrap();
    assert!(!database.is_ready());
    assert_eq!(database.problem(0), Some(format!("there is no AS database {}", path.display())));
    assert_eq!((database.state(), database.record_of(Address::v4(0xc000_0201))), ("none", None));
}

/// Every byte turned and every length cut: nothing panics, and what is told is bounded.
#[test]
fn a_damaged_file_harms_nobody() {
    for (number, shape) in [GEOLITE2, IP_LOCATION_DB].into_iter().enumerate() {
        let path = written(&format!("asns-damaged-{number}"), &rows(), shape);
        let whole = fs::read(&path).unwrap();
        let refresh = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            let mut database = database(&path);
            for address in ["192.0.2.1", "192.0.2.130", "198.51.100.7", "203.0.113.1", "2001:db8::1"] {
                if let Some((_, name)) = network(&mut database, address) {
                    assert!(database.state() == "ok" && name.len() <= 96 && !name.contains(char::is_control));
                }
            }
            database.state() == "ok"
        };
        let mut refused = 0;
        for place in 0..whole.len() {
            for turned in [0x01, 0x80, 0xff] {
                let mut bytes = whole.clone();
                bytes[place] ^= turned;
                refused += u32::from(!refresh(&bytes));
            }
        }
        assert!(refused > 100, "{refused}");
        assert!((0..whole.len()).all(|length| !refresh(&whole[..length])));
        assert!(refresh(&whole));
    }
}

fn import(store: &Path, text: &str) {
    let store = store.to_str().unwrap();
    let imported = run_with_input(&["import", "--db", store, "--timezone", "UTC", "-"], text.as_bytes());
    assert_eq!(imported.code, Some(0), "{}", imported.stderr);
}

/// Number, name, attempts, different sources, sources that were looked up.
type Told = (Option<u64>, String, u64, Option<u64>, u64);

#[test]
fn networks_are_told_of_ranges_services_and_sources() {
    let path = written("asns-asked", &rows(), GEOLITE2);
    let asns = path.to_str().unwrap();
    let store = scratch("asns-asked-store");
    import(&store, &log(10..13));
    let told = |question: &[&str]| ask(&store, &[question, &["--as-database", asns]].concat());
    let rows = |answer: &serde_json::Value| -> Vec<Told> {
        let row = |row: &serde_json::Value| {
            let name = row["name"].as_str().unwrap_or_default().to_string();
            let count = |key: &str| row[key].as_u64();
            (
                count("asn"),
                name,
                count("attempts").unwrap(),
                count("unique_sources"),
                count("listed_sources").unwrap(),
            )
        };
        answer["asns"].as_array().unwrap().iter().map(row).collect()
    };
    let row = |asn, name: &str, attempts, sources| (asn, name.to_string(), attempts, Some(sources), sources);
    let (example, zurich) = (Some(64_500), Some(4_200_000_001));
    let all = told(&["asns"]);
    let expected =
        [row(example, "Example Net", 27, 2), row(zurich, "Zürich <b>Net</b>", 15, 1), row(None, "", 3, 1)];
    assert_eq!(rows(&all), expected);
    assert_eq!((&all["covers"], &all["complete"]), (&1.0.into(), &true.into()));
    let day = told(&["asns", "--from", "2026-01-11", "--to", "2026-01-11", "--limit", "1"]);
    assert_eq!(rows(&day), [row(example, "Example Net", 9, 2)]);
    let telnet = told(&["asns", "--port", "23"]);
    assert_eq!(rows(&telnet), [row(example, "Example Net", 27, 2), row(zurich, "Zürich <b>Net</b>", 9, 1)]);
    assert_eq!(telnet["covers"], 1.0);
    let prefix = told(&["asns", "--source", "192.0.2.128/25", "--min", "15"]);
    assert_eq!(rows(&prefix), [row(zurich, "Zürich <b>Net</b>", 15, 1)]);
    assert!(prefix["covers"].is_null());
    assert_eq!(rows(&told(&["asns", "--min", "16"])).len(), 1);
    // The other questions with sources.
    let source = told(&["source", "192.0.2.200"]);
    assert_eq!((&source["asn"], &source["as_name"]), (&4_200_000_001u32.into(), &"Zürich <b>Net</b>".into()));
    let nobody = told(&["source", "203.0.113.9"]);
    assert!(nobody["asn"].is_null() && nobody["as_name"].is_null() && nobody["attempts"] == 3);
    for question in ["sources", "summary"] {
        let answer = told(&[question]);
        let numbers: Vec<_> =
            answer["sources"].as_array().unwrap().iter().map(|row| row["asn"].as_u64()).collect();
        assert_eq!(numbers, [example, zurich, example, None], "{question}");
    }
    let store = store.to_str().unwrap();
    for (question, wrong) in [
        (vec!["asns"], "no AS database"),
        (vec!["asns", "--country", "JP"], "asns is not stored by country"),
        (vec!["asns", "--as-database", "/nowhere/asn.mmdb"], "there is no AS database /nowhere/asn.mmdb"),
    ] {
        let ran = run(&[&question[..], &["--db", store]].concat());
        assert!(ran.code == Some(1) && ran.stderr.contains(wrong), "{}", ran.stderr);
    }
}

/// Closed days keep the rows of the heaviest sources only: the answer says of how many attempts it speaks.
#[test]
fn what_has_no_row_is_told() {
    let path = written("asns-covers", &[(0, u32::MAX.into(), 64_500, "All".into())], GEOLITE2);
    let store = scratch("asns-covers-store");
    let mut text = String::new();
    for (day, source) in (10..13).flat_map(|day| (0..2000u32).map(move |source| (day, source))) {
        let heavy = if source % 10 == 0 { 3 } else { 1 };
        for time in 0..heavy {
            let [.., third, fourth] = source.to_be_bytes();
            text += &format!(
                "2026-01-{day:02}T{:02}:{:02}:{:02}+00:00 router kernel: drop wan in: IN=wan OUT= MAC= SRC=203.0.{third}.{fourth} \
                 DST=198.51.100.1 LEN=40 TOS=0x00 PREC=0x00 TTL=58 ID={source} PROTO=TCP SPT={} DPT=23 WINDOW=16 RES=0x00 SYN URGP=0\n",
                source / 100,
                source % 60,
                time * 7,
                40_000 + time,
            );
        }
    }
    import(&store, &text);
    let answer = ask(&store, &["asns", "--as-database", path.to_str().unwrap()]);
    let (row, total) = (&answer["asns"][0], 3 * (1800 + 200 * 3));
    let (attempts, listed) = (row["attempts"].as_u64().unwrap(), row["listed_sources"].as_u64().unwrap());
    assert!(attempts < total && listed > 100 && row["unique_sources"].is_null(), "{answer}");
    let covers = answer["covers"].as_f64().unwrap();
    assert!((covers - attempts as f64 / total as f64).abs() < 0.001, "{answer}");
    let because = answer["incomplete_because"].as_str().unwrap();
    assert!(
        because.contains(&format!("the networks of {} attempts are not known", total - attempts)),
        "{because}"
    );
}
