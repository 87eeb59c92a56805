//! The country database against the ranges that it is made of, and against damage; countries in store and answers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::fwstat::{ask, run, run_with_input, scratch};
use crate::common::generate::random::Random;
use crate::ranges::{country, ranges};
use fwstat::event::Address;
use fwstat::geoip::Database;
use fwstat::stats::countries::{Country, CountryLookup};

fn database(path: &Path) -> Database {
    let mut database = Database::new(path);
    database.refresh();
    database
}

/// A small database of ours.
fn small(name: &str) -> PathBuf {
    let directory = scratch(name);
    fs::write(
        directory.join("4.csv"),
        "192.0.2.0,192.0.2.127,JP\n192.0.2.128,192.0.2.255,JP\n198.51.100.7,198.51.100.9,BR\n",
    )
    .unwrap();
    fs::write(directory.join("6.csv"), "2001:db8::,2001:db8:0:ffff:ffff:ffff:ffff:ffff,FR\n").unwrap();
    made(&directory, "2099-01-01")
}

fn made(directory: &Path, date: &str) -> PathBuf {
    let out = directory.join("country.mmdb");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("openwrt/fwstat-country/country-mmdb");
    let csv = |family: &str| directory.join(format!("{family}.csv"));
    let made = Command::new(script).arg(date).arg(csv("4")).arg(csv("6")).arg(&out).status().unwrap();
    assert!(made.success());
    out
}

/// 1,000 random ranges of each family: both ends, and what lies just outside.
#[test]
fn every_address_has_the_country_of_its_range_or_none() {
    let Some(ranges) = ranges() else { return };
    let mut database = database(&ranges.mmdb);
    assert_eq!(database.state(), "ok");
    assert!(fs::metadata(&ranges.mmdb).unwrap().len() < 1_500_000);
    let mut random = Random::new(7);
    for (rows, most, v4) in [(&ranges.ipv4, u128::from(u32::MAX), true), (&ranges.ipv6, u128::MAX, false)] {
        let mut gaps = 0;
        for _ in 0..1000 {
            let (first, last, _) = &rows[random.below(rows.len() as u64) as usize];
            for address in [*first, *last, first.saturating_sub(1), last.saturating_add(1).min(most)] {
                let expected = country(rows, address).unwrap_or("ZZ");
                gaps += u32::from(expected == "ZZ");
                let asked = if v4 { Address::v4(address as u32) } else { Address::v6(address) };
                let told = database.country_of(asked).unwrap();
                assert_eq!(told.to_string(), expected, "{asked}");
            }
        }
        assert!(gaps > 50, "addresses that nobody announces were asked for: {gaps}");
    }
}

#[test]
fn the_same_ranges_give_the_same_bytes() {
    let bytes = |name| fs::read(small(name)).unwrap();
    assert_eq!(bytes("countries-one"), bytes("countries-two"));
}

#[test]
fn small_ranges_are_exact() {
    let mut database = database(&small("countries-small"));
    for (text, expected) in [
        ("192.0.1.255", "ZZ"),
        ("192.0.2.0", "JP"),
        ("192.0.2.200", "JP"),
        ("192.0.3.0", "ZZ"),
        ("198.51.100.6", "ZZ"),
        ("198.51.100.7", "BR"),
        ("198.51.100.9", "BR"),
        ("198.51.100.10", "ZZ"),
        ("2001:db8::1", "FR"),
        ("2001:db8:1::", "ZZ"),
        ("::c000:201", "JP"),
        ("::ffff:192.0.2.1", "JP"),
        ("0.0.0.0", "ZZ"),
        ("ffff::", "ZZ"),
    ] {
        let address = text.parse::<std::net::IpAddr>().unwrap();
        assert_eq!(database.country_of(address.into()).unwrap().to_string(), expected, "{text}");
    }
}

/// Records of 24, 28 and 32 bits, pointers, lists, records like a city's; a flat `country_code`; a record with the country
/// of registration only, and addresses without a record.
#[test]
fn files_of_other_makers_are_read() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus/country_database");
    for name in ["record-24-ip-4", "record-28-ip-4", "record-32-ip-6"] {
        let mut database = database(&corpus.join(name));
        assert_eq!(database.problem(0), None, "{name}");
        let told = [0x0102_0304, 0x8102_0304, 0xc102_0304, 0xf102_0304u32]
            .map(|bits| database.country_of(Address::v4(bits)).unwrap().to_string());
        assert_eq!(told, ["NO", "SE", "ZZ", "ZZ"], "{name}");
    }
}

/// Every byte turned and every length cut: the file is refused, or what changed is not covered by the checksum and
/// changes no country.
#[test]
fn a_damaged_file_never_tells_a_wrong_country() {
    let path = small("countries-damaged");
    let whole = fs::read(&path).unwrap();
    let asked: Vec<Address> = (0..=255u32)
        .flat_map(|low| [Address::v4(0xc000_0200 | low), Address::v4(0xc633_6400 | low)])
        .chain([Address::v6(0x2001_0db8 << 96), Address::v6(0x2001_0db8_0001 << 80)])
        .collect();
    let countries = |database: &mut Database| -> Vec<Option<Country>> {
        asked.iter().map(|address| database.country_of(*address)).collect()
    };
    let truth = countries(&mut database(&path));
    assert!(truth.iter().all(Option::is_some));
    let mut refused = 0;
    for place in 0..whole.len() {
        for turned in [0x01, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[place] ^= turned;
            fs::write(&path, &bytes).unwrap();
            let mut database = database(&path);
            match database.problem(0) {
                Some(sentence) => {
                    refused += 1;
                    assert!(sentence.contains("cannot be used: "), "{sentence}");
                    assert!(countries(&mut database).iter().all(Option::is_none), "byte {place}");
                }
                None => assert_eq!(countries(&mut database), truth, "byte {place} turned by {turned:#x}"),
            }
        }
    }
    assert!(refused > whole.len());
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        assert_eq!(database(&path).state(), "unusable", "cut at {length}");
    }
}

#[test]
fn a_new_file_in_the_old_ones_place_is_used_and_a_missing_one_is_no_fault() {
    let path = small("countries-replaced");
    let mut database = database(&path);
    let asked = Address::v4(0xc000_0201);
    assert_eq!(database.country_of(asked), Some(Country(*b"JP")));
    assert!(database.problem(database.built().unwrap() + 399 * 86_400).is_none());
    assert!(database.problem(database.built().unwrap() + 402 * 86_400).unwrap().contains("is 402 days old"));
    let directory = path.parent().unwrap();
    fs::write(directory.join("4.csv"), "192.0.2.0,192.0.2.255,DE\n192.0.4.0,192.0.4.255,AT\n").unwrap();
    made(directory, "2099-01-02");
    assert!(database.is_ready());
    assert_eq!(database.country_of(asked), Some(Country(*b"DE")));
    fs::remove_file(&path).unwrap();
    assert!(!database.is_ready() && database.problem(0).is_none());
    assert_eq!((database.state(), database.country_of(asked)), ("none", None));
}

/// Some attempts on two days of a month.
pub fn log(days: std::ops::Range<u32>) -> String {
    let mut text = String::new();
    let mut minute = 0;
    for day in days {
        for (source, port, times) in [
            ("192.0.2.1", 23, 5),
            ("192.0.2.200", 23, 3),
            ("192.0.2.200", 22, 2),
            ("198.51.100.7", 23, 4),
            ("203.0.113.9", 80, 1),
        ] {
            for time in 0..times {
                minute += 1;
                text += &format!(
                    "2026-01-{day:02}T{:02}:{:02}:00+00:00 router kernel: drop wan in: IN=wan OUT= MAC= SRC={source} DST=203.0.113.1 \
                     LEN=40 TOS=0x00 PREC=0x00 TTL=58 ID={} PROTO=TCP SPT={} DPT={port} WINDOW=16 RES=0x00 SYN URGP=0\n",
                    minute / 60 % 24,
                    minute % 60,
                    minute,
                    40_000 + time,
                );
            }
        }
    }
    text
}

fn import(store: &Path, countries: &str, text: &str) {
    let store = store.to_str().unwrap();
    let imported = run_with_input(
        &["import", "--db", store, "--timezone", "UTC", "--country-database", countries, "-"],
        text.as_bytes(),
    );
    assert_eq!(imported.code, Some(0), "{}", imported.stderr);
}

fn rows(answer: &serde_json::Value) -> Vec<(String, u64, Option<u64>)> {
    let row = |row: &serde_json::Value| {
        (
            row["country"].as_str().unwrap().into(),
            row["attempts"].as_u64().unwrap(),
            row["unique_sources"].as_u64(),
        )
    };
    answer["countries"].as_array().unwrap().iter().map(row).collect()
}

#[test]
fn countries_are_told_by_service_range_source_and_country() {
    let database = small("countries-asked");
    let countries = database.to_str().unwrap();
    let store = scratch("countries-asked-store");
    import(&store, countries, &log(10..13));
    let told = |question: &[&str]| {
        let question = [question, &["--country-database", countries]].concat();
        ask(&store, &question)
    };
    let row = |country: &str, attempts, unique| (country.to_string(), attempts, Some(unique));
    // A day, the range, a service, a prefix, a country.
    let day = told(&["countries", "--from", "2026-01-11", "--to", "2026-01-11"]);
    assert_eq!(rows(&day), [row("JP", 10, 2), row("BR", 4, 1), row("ZZ", 1, 1)]);
    let all = told(&["countries"]);
    assert_eq!(rows(&all), [row("JP", 30, 2), row("BR", 12, 1), row("ZZ", 3, 1)]);
    assert_eq!(all["complete"], true);
    let telnet = told(&["countries", "--port", "23", "--protocol", "tcp", "--to", "2026-01-10"]);
    assert_eq!(rows(&telnet), [row("JP", 8, 2), row("BR", 4, 1)]);
    let telnet = told(&["countries", "--port", "23"]);
    assert_eq!(rows(&telnet), [row("JP", 24, 2), row("BR", 12, 1)]);
    assert_eq!(rows(&told(&["countries", "--source", "192.0.2.128/25"])), [row("JP", 15, 1)]);
    assert_eq!(rows(&told(&["countries", "--country", "BR"])), [row("BR", 12, 1)]);
    assert_eq!(rows(&told(&["countries", "--min", "12", "--limit", "1"])), [row("JP", 30, 2)]);
    // The other questions with a country.
    let services = told(&["services", "--country", "jp"]);
    assert_eq!(
        (&services["services"][0]["port"], &services["services"][0]["attempts"]),
        (&23.into(), &24.into())
    );
    let sources = told(&["sources", "--country", "JP"]);
    assert_eq!(sources["sources"].as_array().unwrap().len(), 2);
    assert!(sources["sources"].as_array().unwrap().iter().all(|row| row["country"] == "JP"));
    let days = told(&["days", "--country", "BR"]);
    assert_eq!(
        days["days"].as_array().unwrap().iter().map(|row| row["attempts"].as_u64().unwrap()).sum::<u64>(),
        12
    );
    let months = told(&["months", "--country", "BR"]);
    assert_eq!((&months["months"][0]["attempts"], &months["months"][0]["days"]), (&12.into(), &3.into()));
    let source = told(&["source", "203.0.113.9"]);
    assert_eq!(source["country"], "ZZ");
    for (question, wrong) in [
        (vec!["hours", "--country", "JP"], "hours is not stored by country"),
        (vec!["days", "--country", "JP", "--source", "192.0.2.1"], "give one of them"),
    ] {
        let store = store.to_str().unwrap();
        let ran = run(&[&question[..], &["--db", store]].concat());
        assert!(ran.code == Some(1) && ran.stderr.contains(wrong), "{}", ran.stderr);
    }
}

#[test]
fn what_was_not_measured_is_never_told_as_zero() {
    let database = small("countries-late");
    let countries = database.to_str().unwrap();
    let store = scratch("countries-late-store");
    let nothing = scratch("countries-nothing").join("4.csv");
    fs::write(&nothing, "no database").unwrap();
    import(&store, nothing.to_str().unwrap(), &log(10..13));
    let path = store.to_str().unwrap();
    let asked = |options: &[&str]| run(&[&["countries", "--db", path, "--json"], options].concat());
    let none = asked(&[]);
    assert!(none.code == Some(1) && none.stderr.contains("no country database"), "{}", none.stderr);
    let closed = ["--country-database", countries, "--from", "2026-01-11", "--to", "2026-01-11"];
    let late = asked(&closed);
    assert!(late.code == Some(1) && late.stderr.contains("were not measured"), "{}", late.stderr);
    // The first and the last day of an import stay open, and are measured when somebody asks.
    import(&store, countries, &log(14..16));
    let told = ask(&store, &["countries", "--country-database", countries]);
    assert_eq!(rows(&told)[0], ("JP".to_string(), 40, Some(2)));
    assert_eq!(told["complete"], false);
    assert_eq!(
        told["incomplete_because"],
        "1 days are left out: there was no country database when they ended"
    );
    let missing = asked(&["--country-database", "/nowhere/x.mmdb"]);
    assert!(
        missing.code == Some(1) && missing.stderr.contains("there is no country database"),
        "{}",
        missing.stderr
    );
}

/// What is told of a whole country is what is told of its addresses one by one.
#[test]
fn all_ranges_of_a_country_are_found() {
    let shown = |path: &Path, code: &[u8; 2], most| {
        let ranges = database(path).ranges_of(Country(*code), most).unwrap();
        ranges.map(|ranges| {
            let address = |number: u128| Address::from_bytes(number.to_be_bytes()).to_string();
            ranges
                .iter()
                .map(|(first, last)| format!("{}-{}", address(*first), address(*last)))
                .collect::<Vec<_>>()
        })
    };
    let path = small("ranges-of");
    assert_eq!(shown(&path, b"JP", 9).unwrap(), ["192.0.2.0-192.0.2.255"]);
    assert_eq!(shown(&path, b"BR", 9).unwrap(), ["198.51.100.7-198.51.100.9"]);
    assert_eq!(shown(&path, b"FR", 9).unwrap(), ["2001:db8::-2001:db8:0:ffff:ffff:ffff:ffff:ffff"]);
    assert_eq!(shown(&path, b"DE", 9).unwrap(), [""; 0]);
    let Some(ranges) = ranges() else { return };
    for code in ["JP", "CN", "LI"] {
        let code: &[u8; 2] = code.as_bytes().try_into().unwrap();
        let mut database = database(&ranges.mmdb);
        let found = database.ranges_of(Country(*code), 100_000).unwrap().unwrap();
        let mut expected: Vec<(u128, u128)> = Vec::new();
        let is_global = |row: &&(u128, u128, String)| row.0 >> 125 == 1;
        let of = |rows: &[(u128, u128, String)]| {
            rows.iter().filter(|row| row.2.as_bytes() == code).cloned().collect::<Vec<_>>()
        };
        let four = of(&ranges.ipv4)
            .into_iter()
            .map(|(first, last, _)| (0xffff_0000_0000 | first, 0xffff_0000_0000 | last));
        let six = of(&ranges.ipv6);
        let six = six.iter().filter(is_global).map(|(first, last, _)| (*first, *last));
        for range in four.chain(six) {
            match expected.last_mut().filter(|before| before.1 + 1 == range.0) {
                Some(before) => before.1 = range.1,
                None => expected.push(range),
            }
        }
        assert_eq!(found, expected);
        assert!(database.ranges_of(Country(*code), found.len() - 1).unwrap().is_err());
    }
}
