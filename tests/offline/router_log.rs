//! The log that ships with the project: the whole text of its report, and its figures against the truth beside it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::common::fwstat::{answer, ask, golden, json, run, scratch, shipped, without_estimates};
use crate::common::generate::packet::WAN_AGAIN;
use crate::common::generate::random::Random;
use serde_json::Value;

fn truth() -> Value {
    serde_json::from_str(&fs::read_to_string(shipped("router.truth.json")).unwrap()).unwrap()
}

fn log() -> String {
    let mut text = String::new();
    let gz = fs::File::open(shipped("router.log.gz")).unwrap();
    flate2::read::GzDecoder::new(gz).read_to_string(&mut text).unwrap();
    text
}

fn report() -> Value {
    json(&["report", &shipped("router.log.gz"), "--timezone", "UTC", "--json", "--limit", "1000"])
}

#[test]
fn the_whole_report_reads_so() {
    golden("router-report", &answer(&["report", &shipped("router.log.gz"), "--timezone", "UTC"]));
}

#[test]
fn the_report_is_true() {
    let (report, truth) = (report(), truth());
    let summary = &report["summary"];
    for key in ["attempts", "classes", "protocols", "from", "to"] {
        assert_eq!(summary[key], truth[key], "{key}");
    }
    for (key, expected) in truth["lines"].as_object().unwrap() {
        assert_eq!(&report["input"][key], expected, "{key}");
    }

    for (row, expected) in
        report["months"]["months"].as_array().unwrap().iter().zip(truth["months"].as_array().unwrap())
    {
        for key in ["month", "days", "attempts"] {
            assert_eq!(row[key], expected[key], "{key}");
        }
        for key in ["attempts_per_day", "attempts_per_day_usual"] {
            let (told, expected) = (row[key].as_f64().unwrap(), expected[key].as_f64().unwrap());
            assert!((told - expected).abs() <= 0.0005, "{key} {told} {expected}");
        }
        let (told, expected) =
            (row["unique_sources"].as_f64().unwrap(), expected["unique_sources"].as_f64().unwrap());
        assert!((told / expected - 1.0).abs() <= 0.02, "{row}: {expected}");
    }

    let days: BTreeMap<String, Value> = report["days"]["days"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let counts = serde_json::json!([row["attempts"], row["unique_sources"]]);
            (row["date"].as_str().unwrap().to_string(), counts)
        })
        .collect();
    assert_eq!(serde_json::to_value(days).unwrap(), truth["days"]);

    let hours: Vec<&Value> =
        report["hours"]["hours"].as_array().unwrap().iter().map(|row| &row["attempts"]).collect();
    assert_eq!(serde_json::to_value(hours).unwrap(), truth["hours"]);

    let anomalies = report["anomalies"]["anomalies"].as_array().unwrap();
    assert_eq!(anomalies.len(), 1);
    assert_eq!(anomalies[0]["attempts"], truth["anomaly"]["attempts"]);
    assert_eq!(anomalies[0]["date"], truth["anomaly"]["date"]);
}

/// Over months, a service or a source that is light on some days is missing there: its count may be too low by
/// what the answer says, and is never too high.
#[test]
fn sums_over_the_whole_span_are_within_their_bound() {
    let (report, truth) = (report(), truth());
    let bound = |answer: &Value| -> u64 {
        let sentence = answer["incomplete_because"].as_str().unwrap_or("");
        sentence
            .split("can be up to ")
            .nth(1)
            .map_or(0, |rest| rest.split(' ').next().unwrap().parse().unwrap())
    };
    let services = &report["services"];
    let mut found = 0;
    for row in services["services"].as_array().unwrap() {
        let name = match row["port"].as_u64() {
            Some(port) => format!("{}/{port}", row["protocol"].as_str().unwrap()),
            None => row["protocol"].as_str().unwrap().to_string(),
        };
        let Some(expected) = truth["services"][&name][0].as_u64() else { continue };
        let (told, error) = (row["attempts"].as_u64().unwrap(), row["error"].as_u64().unwrap());
        assert!(told - error <= expected && expected <= told + bound(services), "{name} {told} {expected}");
        found += 1;
    }
    assert_eq!(found, 25);
    let sources = &report["sources"];
    for row in sources["sources"].as_array().unwrap() {
        let address = row["address"].as_str().unwrap();
        let Some(expected) = truth["sources"][address].as_u64() else { continue };
        let (told, error) = (row["attempts"].as_u64().unwrap(), row["error"].as_u64().unwrap());
        assert!(told - error <= expected && expected <= told + bound(sources), "{address} {told} {expected}");
    }
}

#[test]
fn services_with_a_hundred_attempts_a_day_are_named() {
    let (directory, truth) = (scratch("router-busy"), truth());
    import(&directory, &[PathBuf::from(shipped("router.log.gz"))]);
    for date in truth["days"].as_object().unwrap().keys() {
        let answer =
            ask(&directory, &["services", "--from", date, "--to", date, "--min", "100", "--limit", "1000"]);
        assert_eq!(answer["complete"], true, "{date}");
        let mut told: Vec<String> = answer["services"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| match row["port"].as_u64() {
                Some(port) => format!("{}/{port}", row["protocol"].as_str().unwrap()),
                None => row["protocol"].as_str().unwrap().to_string(),
            })
            .collect();
        told.sort();
        let none = Value::Array(Vec::new());
        assert_eq!(&serde_json::to_value(told).unwrap(), truth["busy_services"].get(date).unwrap_or(&none));
    }
}

fn import(store: &Path, files: &[PathBuf]) {
    let files: Vec<&str> = files.iter().map(|file| file.to_str().unwrap()).collect();
    answer(&[&["import", "--db", store.to_str().unwrap(), "--timezone", "UTC"], &files[..]].concat());
}

const TABLES: [&str; 7] = ["summary", "months", "days", "services", "sources", "anomalies", "hours"];

/// Lines of all days mixed, without second copies of a packet, which are told by their neighbourhood.
#[test]
fn lines_in_any_order_give_the_same_answers() {
    let directory = scratch("router-shuffled");
    let text = log();
    let mut lines: Vec<&str> = text.lines().filter(|line| !line.contains(WAN_AGAIN.prefix)).collect();
    let sorted = directory.join("sorted.log");
    fs::write(&sorted, lines.join("\n") + "\n").unwrap();
    Random::new(11).shuffle(&mut lines);
    let shuffled = directory.join("shuffled.log");
    fs::write(&shuffled, lines.join("\n") + "\n").unwrap();
    let report = |log: &Path| json(&["report", log.to_str().unwrap(), "--timezone", "UTC", "--json"]);
    let (mut shuffled, mut sorted) = (report(&shuffled), report(&sorted));
    // The first line of each kind is another one.
    for report in [&mut shuffled, &mut sorted] {
        report["input"].as_object_mut().unwrap().remove("skipped_because").unwrap();
        without_estimates(report);
    }
    for table in TABLES.iter().chain(&["input"]) {
        assert_eq!(shuffled[table], sorted[table], "{table}");
    }
}

/// Imports one after the other, the newest first: what is counted exactly stays exact.
#[test]
fn parts_in_any_order_of_imports_keep_every_total() {
    let directory = scratch("router-steps");
    let text = log();
    let mut cuts: Vec<usize> =
        [text.len() / 3, text.len() * 2 / 3].map(|near| near + text[near..].find('\n').unwrap() + 1).into();
    cuts.push(text.len());
    let mut begin = 0;
    let parts: Vec<PathBuf> = cuts
        .into_iter()
        .map(|end| {
            let path = directory.join(format!("{end}.log"));
            fs::write(&path, &text[begin..end]).unwrap();
            begin = end;
            path
        })
        .collect();
    let truth = truth();
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let store = directory.join(format!("{order:?}"));
        order.iter().for_each(|part| import(&store, &[parts[*part].clone()]));
        let summary = ask(&store, &["summary"]);
        assert_eq!(summary["attempts"], truth["attempts"], "{order:?}");
        assert_eq!(summary["classes"], truth["classes"], "{order:?}");
        assert_eq!(summary["protocols"], truth["protocols"], "{order:?}");
        let days = ask(&store, &["days"]);
        for row in days["days"].as_array().unwrap() {
            assert_eq!(row["attempts"], truth["days"][row["date"].as_str().unwrap()][0], "{order:?} {row}");
        }
        assert_eq!(days["days"].as_array().unwrap().len(), truth["days"].as_object().unwrap().len());
        let hours = ask(&store, &["hours"]);
        let hours: Vec<&Value> =
            hours["hours"].as_array().unwrap().iter().map(|row| &row["attempts"]).collect();
        assert_eq!(serde_json::to_value(hours).unwrap(), truth["hours"], "{order:?}");
        let anomalies = ask(&store, &["anomalies"]);
        assert_eq!(anomalies["anomalies"][0]["attempts"], truth["anomaly"]["attempts"], "{order:?}");
        // Counts of services never exceed the truth, and the bound on what is missing holds.
        for row in ask(&store, &["services", "--limit", "25"])["services"].as_array().unwrap() {
            if let Some(port) = row["port"].as_u64() {
                let name = format!("{}/{port}", row["protocol"].as_str().unwrap());
                if let Some(expected) = truth["services"][&name][0].as_u64() {
                    let told = row["attempts"].as_u64().unwrap();
                    assert!(told <= expected + row["error"].as_u64().unwrap(), "{order:?} {name}");
                }
            }
        }
        let month = ask(&store, &["months"]);
        for (row, expected) in
            month["months"].as_array().unwrap().iter().zip(truth["months"].as_array().unwrap())
        {
            if let Some(told) = row["unique_sources"].as_f64() {
                let expected = expected["unique_sources"].as_f64().unwrap();
                assert!((told / expected - 1.0).abs() <= 0.02, "{order:?} {row}: {expected}");
            }
        }
    }
}

/// The report's own tables cannot take every filter; it says which question can.
#[test]
fn a_filter_that_no_report_can_take_is_refused() {
    let ran = run(&["report", &shipped("router.log.gz"), "--port", "23"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
    assert_eq!(ran.stderr, "fwstat: 'fwstat report' takes no option --port; try 'fwstat report --help'\n");
}
