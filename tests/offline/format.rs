//! A store read by a program of its own, written from `docs/FORMAT.md`, against the answers of fwstat.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Command;

use crate::common::fwstat::{answer, ask, scratch};
use crate::common::generate::calendar::Day;
use crate::common::generate::router::{Plan, Router, write_day};
use crate::common::generate::truth::Truth;
use serde_json::{Value, json};

/// 2020-01-05 to 2020-04-08.
const DAYS: i64 = 95;

fn write_log(path: &Path) {
    let mut out = BufWriter::new(File::create(path).unwrap());
    let mut truth = Truth::new(None);
    let mut router = Router::new(20_200_105, 20_000);
    let first = Day::of(2020, 1, 5);
    for offset in 0..DAYS {
        let plan = Plan {
            attempts: 900,
            sources: 600,
            scanner: 0,
            ssdp: 20.0,
            flood: offset == 80,
            burst: 12,
            plain: false,
            stray: 20,
        };
        write_day(Day(first.0 + offset), &router.day(&plan), &mut out, &mut truth).unwrap();
    }
    out.flush().unwrap();
}

fn read_store(store: &Path) -> Value {
    let reader = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/format/read_store.py");
    let output = Command::new("python3").arg(reader).arg(store).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn rows(answer: &Value, table: &str) -> Vec<Value> {
    answer[table].as_array().unwrap().clone()
}

/// `[service, attempts, sources]` of every row, as the program tells them.
fn told_services(answer: &Value) -> Vec<Value> {
    let service = |row: &Value| {
        let protocol = match row["protocol"].as_str().unwrap() {
            "tcp" => "6".to_string(),
            "udp" => "17".to_string(),
            "icmp" => "1".to_string(),
            other => other.to_string(),
        };
        format!("{protocol}/{}", row["port"].as_u64().unwrap_or(0))
    };
    rows(answer, "services")
        .iter()
        .map(|row| json!([service(row), row["attempts"], row["unique_sources"]]))
        .collect()
}

#[test]
fn another_program_reads_the_same_from_a_store() {
    let directory = scratch("format");
    let (log, store) = (directory.join("router.log"), directory.join("store"));
    write_log(&log);
    let (log, name) = (log.to_str().unwrap(), store.to_str().unwrap());
    answer(&["import", "--db", name, "--timezone", "UTC", log]);
    let read = read_store(&store);
    assert_eq!(read["zone"], "UTC");
    let salts = read["salts"].as_array().unwrap();
    assert!(salts.len() > 5 && salts.iter().all(|salt| salt == &salts[0] && salt != "0000000000000000"));

    // Days: closed ones from their months, the first and the last from their pieces.
    let mut days = Vec::new();
    for month in read["months"].as_object().unwrap().values() {
        for (date, row) in month["days"].as_object().unwrap() {
            let [attempts, distinct] = &row[1]["attempt"].as_array().unwrap()[..] else { panic!("{row}") };
            days.push(json!([date, attempts, distinct[0]]));
        }
    }
    for (date, pieces) in read["open"].as_object().unwrap() {
        let [piece] = &pieces.as_array().unwrap()[..] else { panic!("{pieces}") };
        let summary = &piece["rows"][date]["attempt"];
        days.push(json!([date, summary["attempts"], summary["sources"]["rows"].as_array().unwrap().len()]));
    }
    days.sort_by_key(|day| day[0].as_str().unwrap().to_string());
    let told = ask(&store, &["days", "--from", "2020-01-01", "--to", "2020-12-31", "--limit", "1000"]);
    let told: Vec<Value> = rows(&told, "days")
        .iter()
        .map(|row| json!([row["date"], row["attempts"], row["unique_sources"]]))
        .collect();
    assert_eq!(days.len() as i64, DAYS);
    assert_eq!(days, told);

    // One closed day's rows.
    let date = "2020-03-17";
    let range = ["--from", date, "--to", date, "--limit", "1000"];
    let day = &read["months"]["2020-03"]["rows"][date]["attempt"];
    let services: Vec<Value> = rows(&day["services"], "rows")
        .iter()
        .map(|row| json!([row["service"], row["attempts"], row["distinct"][0]]))
        .collect();
    let told = told_services(&ask(&store, &[&["services"], &range[..]].concat()));
    assert!(!services.is_empty());
    assert_eq!(services, told);
    let sources: Vec<Value> =
        rows(&day["sources"], "rows").iter().map(|row| json!([row["address"], row["attempts"]])).collect();
    let told: Vec<Value> = rows(&ask(&store, &[&["sources"], &range[..]].concat()), "sources")
        .iter()
        .map(|row| json!([row["address"], row["attempts"]]))
        .collect();
    assert!(!sources.is_empty());
    assert_eq!(sources, told);
    let hours = ask(&store, &["hours", "--from", date, "--to", date]);
    let told: Vec<Value> = rows(&hours, "hours").iter().map(|row| row["attempts"].clone()).collect();
    assert_eq!(day["hours"], json!(told));
    let rules = rows(&ask(&store, &[&["rules"], &range[..]].concat()), "rules");
    let rules: Vec<Value> = rules
        .iter()
        .map(|row| {
            let [interface, zone] = ["interface", "zone"].map(|key| row[key].as_str().unwrap_or_default());
            json!([row["prefix"], interface, zone, row["attempts"]])
        })
        .collect();
    assert!(!rules.is_empty());
    assert_eq!(day["rules"], json!(rules));
    let row = &rows(&day["sources"], "rows")[0];
    let midnight = 1_584_403_200;
    let first = row["first"].as_i64().unwrap();
    assert!((midnight..midnight + 86_400).contains(&first) && row["last"].as_i64().unwrap() >= first);

    // A whole month's different sources, from the samples of its days.
    let months = ask(&store, &["months"]);
    let told = rows(&months, "months").into_iter().find(|row| row["month"] == "2020-02").unwrap();
    let february = &read["months"]["2020-02"];
    assert_eq!(february["estimate"], told["unique_sources"]);
    assert_eq!(february["distinct"][0], told["unique_sources"]);
    assert!(february["distinct"][1].as_u64().unwrap() > 0, "an estimate");
    let range = ["services", "--from", "2020-02-01", "--to", "2020-02-29", "--limit", "1000"];
    let told = told_services(&ask(&store, &range));
    let telnet = told.iter().find(|row| row[0] == "6/23").unwrap();
    assert_eq!(february["telnet"], telnet[2]);

    // The flood is a cell.
    let told = ask(&store, &["anomalies", "--from", "2020-03-01", "--to", "2020-03-31"]);
    let cells = rows(&read["months"]["2020-03"], "cells");
    let told = rows(&told, "anomalies");
    assert_eq!(cells.len(), told.len());
    assert_eq!(
        (&cells[0]["date"], &cells[0]["attempts"], &cells[0]["expected"]),
        (&told[0]["date"], &told[0]["attempts"], &told[0]["expected"])
    );
}

#[test]
fn events_of_the_future_and_a_commit_that_was_not_finished_are_read() {
    let directory = scratch("format-later");
    let (log, store) = (directory.join("router.log"), directory.join("store"));
    let line = |time: &str| {
        format!(
            "{time} router kernel: DROP IN=ppp0 OUT= MAC= SRC=203.0.113.7 DST=198.51.100.20 LEN=60 TOS=0x00 \
             PREC=0x00 TTL=241 ID=1 PROTO=TCP SPT=41234 DPT=23 WINDOW=1024 RES=0x00 SYN URGP=0\n"
        )
    };
    std::fs::write(&log, line("2020-02-03T04:05:06+00:00") + &line("9000-02-03T04:05:06+00:00")).unwrap();
    let name = store.to_str().unwrap();
    let ran =
        crate::common::fwstat::run(&["import", "--db", name, "--timezone", "UTC", log.to_str().unwrap()]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let read = read_store(&store);
    let event = &read["later"]["events"][0];
    assert_eq!(
        (&event["source"], &event["service"], &event["count"]),
        (&json!("203.0.113.7"), &json!("6/23"), &json!(1))
    );
    // A commit that is published counts, and what it removes does not.
    let commit = store.join("commit");
    std::fs::create_dir(&commit).unwrap();
    std::fs::rename(store.join("store.fws"), commit.join("store.fws")).unwrap();
    std::fs::write(commit.join("removed"), "later.fws\n").unwrap();
    let read = read_store(&store);
    assert_eq!((&read["zone"], &read["later"]), (&json!("UTC"), &Value::Null));
    assert_eq!(rows(&ask(&store, &["days"]), "days").len(), 1);
}

/// An open day has the pairs that a closed day's rows are cut from.
#[test]
fn an_export_for_a_fleet_has_every_pair_of_an_open_day() {
    let directory = scratch("format-export");
    let (log, store) = (directory.join("router.log"), directory.join("store"));
    let line = |number: u32| {
        format!(
            "2020-02-03T04:05:06+00:00 router kernel: DROP IN=ppp0 OUT= MAC= SRC=203.0.113.{number} DST=198.51.100.20 \
             LEN=60 TOS=0x00 PREC=0x00 TTL=241 ID={number} PROTO=TCP SPT=41234 DPT=23 WINDOW=1024 RES=0x00 SYN \
             URGP=0\n"
        )
    };
    std::fs::write(&log, (1..=200).map(line).collect::<String>()).unwrap();
    let name = store.to_str().unwrap();
    answer(&["import", "--db", name, "--timezone", "UTC", "--wan", "ppp0", log.to_str().unwrap()]);
    let exported = answer(&["export", "--format", "ndjson", "--from", "2020-02-03", "--db", name]);
    let lines: Vec<Value> = exported.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of_kind = |kind: &str| lines.iter().filter(|line| line["kind"] == kind).count();
    assert_eq!((of_kind("day"), of_kind("pair")), (1, 200), "{exported}");
    assert!(lines.iter().any(|line| line["kind"] == "day" && line["complete"] == 1), "{exported}");
}
