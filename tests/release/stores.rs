//! The same sixteen months in stores: imported whole, in parts, in any order, every answer is the report's.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde_json::Value;

use crate::common::fwstat::{answer, ask, run, scratch, without_estimates};
use crate::common::generate::packet::WAN_AGAIN;
use crate::common::generate::random::Random;
use crate::months::{MADE, STORE, import, report};

/// Ranges and filters that answers are compared for.
const ASKED: [&[&str]; 4] = [
    &[],
    &["--limit", "1000", "--min", "100"],
    &["--from", "2020-04-01", "--to", "2020-04-10", "--limit", "200"],
    &["--from", "2019-12-24", "--to", "2020-01-07"],
];
const TABLES: [&str; 7] = ["summary", "months", "days", "services", "sources", "anomalies", "hours"];

static REPORTS: LazyLock<Vec<Value>> =
    LazyLock::new(|| ASKED.iter().map(|options| report(options)).collect());

/// Every answer of a store that differs from the report's, as text.
fn differences(store: &Path) -> Vec<String> {
    differences_but(store, &[])
}

/// The same, but for these keys.
fn differences_but(store: &Path, keys: &[&str]) -> Vec<String> {
    let without = |answer: &Value| {
        let mut answer = answer.clone();
        keys.iter().for_each(|key| drop(answer.as_object_mut().unwrap().remove(*key)));
        without_estimates(&mut answer);
        answer
    };
    let mut found = Vec::new();
    for (options, report) in ASKED.iter().zip(&*REPORTS) {
        for table in TABLES {
            let told = without(&ask(store, &[&[table], *options].concat()));
            let expected = without(&report[table]);
            if told != expected {
                let (told, expected) = (told.to_string(), expected.to_string());
                let at = told.bytes().zip(expected.bytes()).take_while(|(a, b)| a == b).count();
                let part = |text: &str| text[at.saturating_sub(80)..(at + 60).min(text.len())].to_string();
                found.push(format!(
                    "{table} {options:?}: ...{} instead of ...{}",
                    part(&told),
                    part(&expected)
                ));
            }
        }
    }
    found
}

fn lines() -> String {
    fs::read_to_string(&MADE.log).unwrap()
}

/// The log in three parts, cut at lines, but never between the two copies of one packet.
fn parts(directory: &Path) -> [PathBuf; 3] {
    let text = lines();
    let cut = |near: usize| {
        let mut at = near + text[near..].find('\n').unwrap() + 1;
        while text[at..].lines().next().unwrap().contains(WAN_AGAIN.prefix) {
            at += text[at..].find('\n').unwrap() + 1;
        }
        at
    };
    let (first, second) = (cut(text.len() / 3 + 4711), cut(text.len() * 4 / 5 + 815));
    let parts = [&text[..first], &text[first..second], &text[second..]];
    let mut number = 0;
    parts.map(|part| {
        number += 1;
        let path = directory.join(format!("part-{number}.log"));
        fs::write(&path, part).unwrap();
        path
    })
}

#[test]
fn a_store_answers_as_the_report_does() {
    assert_eq!(differences(&STORE), Vec::<String>::new());
}

#[test]
fn importing_again_changes_nothing() {
    let store = scratch("months-again");
    import(&store, &[&MADE.log]);
    let before = files(&store);
    let log = MADE.log.to_str().unwrap();
    let ran = run(&["import", "--db", store.to_str().unwrap(), "--timezone", "UTC", log]);
    assert_eq!(ran.code, Some(0));
    assert_eq!(ran.stderr, format!("fwstat: {log} was read before: it is not counted again\n"));
    assert_eq!(files(&store), before);
}

fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    // The lock names the process that held it.
    let entries = entries.filter(|path| path.is_file() && !path.ends_with("lock"));
    entries.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

#[test]
fn three_parts_at_once_in_any_order_are_the_whole() {
    let directory = scratch("months-parts");
    let [one, two, three] = parts(&directory);
    let store = directory.join("store");
    import(&store, &[&three, &one, &two]);
    assert_eq!(differences(&store), Vec::<String>::new());
}

#[test]
fn three_parts_one_after_the_other_are_the_whole() {
    let directory = scratch("months-steps");
    let parts = parts(&directory);
    let store = directory.join("store");
    for part in &parts {
        import(&store, &[part]);
    }
    // The last cut's day is still kept whole: over many days, light sources and services have its attempts too.
    let but = ["complete", "incomplete_because", "services", "sources"];
    assert_eq!(differences_but(&store, &but), Vec::<String>::new());
    let first_day = |part: &Path| fs::read_to_string(part).unwrap()[..10].to_string();
    for date in [first_day(&parts[1]), first_day(&parts[2])] {
        let of_day = ["--from", &date, "--to", &date, "--min", "100", "--limit", "1000"];
        for table in ["services", "sources", "hours"] {
            let question = [&[table], &of_day[..]].concat();
            assert_eq!(but_reasons(ask(&store, &question)), but_reasons(ask(&STORE, &question)), "{date}");
        }
    }
}

fn but_reasons(mut answer: Value) -> Value {
    answer.as_object_mut().unwrap().remove("incomplete_because");
    answer.as_object_mut().unwrap().remove("complete");
    without_estimates(&mut answer);
    // To the second in a day that is open, else to the minute.
    for row in answer["sources"].as_array_mut().into_iter().flatten() {
        row.as_object_mut().unwrap().retain(|key, _| !key.ends_with("_seen"));
    }
    answer
}

#[test]
fn a_compressed_log_is_the_plain_one() {
    let directory = scratch("months-gz");
    let gz = directory.join("router.log.gz");
    let mut out = flate2::write::GzEncoder::new(File::create(&gz).unwrap(), flate2::Compression::fast());
    out.write_all(lines().as_bytes()).unwrap();
    out.finish().unwrap();
    let store = directory.join("store");
    import(&store, &[&gz]);
    assert_eq!(files(&store).len(), files(&STORE).len());
    assert_eq!(differences(&store), Vec::<String>::new());
    // The plain file has the same content.
    let ran = run(&["import", "--db", store.to_str().unwrap(), MADE.log.to_str().unwrap()]);
    assert!(ran.stderr.contains("was read before"), "{}", ran.stderr);
}

/// Blocks of about ten days in any order, and the lines of each block in any order. Copies of one packet under
/// two prefixes are told by their neighbourhood, so that none may be in a shuffled log.
#[test]
fn lines_in_any_order_give_the_same_answers() {
    let directory = scratch("months-shuffled");
    let text = lines();
    let mut lines: Vec<&str> = text.lines().filter(|line| !line.contains(WAN_AGAIN.prefix)).collect();
    let mut random = Random::new(7);
    let mut blocks: Vec<&mut [&str]> = lines.chunks_mut(40_000).collect();
    blocks.iter_mut().for_each(|block| random.shuffle(block));
    random.shuffle(&mut blocks);
    let log = directory.join("shuffled.log");
    fs::write(&log, blocks.concat().join("\n") + "\n").unwrap();
    let store = directory.join("store");
    import(&store, &[&log]);
    assert_eq!(differences(&store), Vec::<String>::new());
}

#[test]
fn the_export_adds_up_to_the_days() {
    let store = STORE.to_str().unwrap();
    let csv = answer(&["export", "--format", "csv", "--db", store]);
    let mut rows = csv.lines();
    assert_eq!(rows.next(), Some("date,class,protocol,port,attempts,unique_sources,error"));
    let mut from_csv: BTreeMap<(String, String), u64> = BTreeMap::new();
    for row in rows {
        let cells: Vec<&str> = row.split(',').collect();
        assert_eq!(cells.len(), 7, "{row}");
        *from_csv.entry((cells[0].into(), cells[1].into())).or_default() += cells[4].parse::<u64>().unwrap();
    }
    let exported: Value =
        serde_json::from_str(&answer(&["export", "--format", "json", "--db", store])).unwrap();
    let mut from_json: BTreeMap<(String, String), u64> = BTreeMap::new();
    for row in exported.as_array().unwrap() {
        let text = |key: &str| row[key].as_str().unwrap().to_string();
        *from_json.entry((text("date"), text("class"))).or_default() += row["attempts"].as_u64().unwrap();
    }
    assert_eq!(from_csv, from_json);
    // Services that few tried are not exported one by one: no sum is above the day's.
    let newest = *MADE.truth.days.keys().next_back().unwrap();
    for (day, truth) in &MADE.truth.days {
        let sum = from_csv.get(&(day.to_string(), "attempt".to_string())).copied().unwrap_or(0);
        assert!(sum <= truth.attempts, "{day}: {sum} of {}", truth.attempts);
        if day.0 >= newest.0 - 400 {
            let busy: u64 =
                truth.services.values().filter(|counts| counts.0 >= 100).map(|counts| counts.0).sum();
            assert!(sum >= busy, "{day}: {sum} of {busy}");
        }
    }
}
