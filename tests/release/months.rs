//! A home router's sixteen months, 1.8 million lines, through the program: every figure against the generator's
//! truth, and every answer of a store against the report.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use crate::common::fwstat::{answer, ask, json, run, scratch, set_program};
use crate::common::generate::calendar::Day;
use crate::common::generate::months;
use crate::common::generate::months::FLOOD;
use crate::common::generate::truth::{self, SSDP, Truth};
use crate::ranges::{country, ranges};
use serde_json::Value;

pub(crate) struct Made {
    pub(crate) log: PathBuf,
    pub(crate) truth: Truth,
}

pub(crate) static MADE: LazyLock<Made> = LazyLock::new(|| {
    // Two million lines over and over: minutes for a debug build.
    set_program(crate::release::release());
    let log = scratch("months").join("router.log");
    let mut out = BufWriter::with_capacity(1 << 20, File::create(&log).unwrap());
    let truth = months(&mut out).unwrap();
    out.flush().unwrap();
    Made { log, truth }
});

/// The whole report, as it is asked for without any option.
static REPORT: LazyLock<Value> = LazyLock::new(|| report(&[]));

/// The same log in a store, asked by many tests.
pub(crate) static STORE: LazyLock<PathBuf> = LazyLock::new(|| {
    let store = scratch("months-store");
    import(&store, &[&MADE.log]);
    store
});

pub(crate) fn report(options: &[&str]) -> Value {
    let log = MADE.log.to_str().unwrap();
    json(&[&["report", log, "--json", "--timezone", "UTC"], options].concat())
}

pub(crate) fn import(store: &Path, files: &[&PathBuf]) -> String {
    let store = store.to_str().unwrap();
    let files: Vec<&str> = files.iter().map(|file| file.to_str().unwrap()).collect();
    answer(&[&["import", "--db", store, "--timezone", "UTC"], &files[..]].concat())
}

fn flood() -> String {
    let (year, month, day) = FLOOD;
    Day::of(year, month, day).to_string()
}

fn rounded(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

/// `number` is within two percent of `truth`.
fn near(number: &Value, truth: u64) -> bool {
    let number = number.as_f64().unwrap_or(f64::NAN);
    (number - truth as f64).abs() <= truth as f64 * 0.02
}

/// Different sources, within five standard errors; two of them are told. Which sources are in a sample is another choice in
/// every run.
fn within(row: &Value, truth: u64) -> bool {
    let error = row["unique_sources_error"].as_f64().unwrap_or(0.0);
    (row["unique_sources"].as_f64().unwrap() - truth as f64).abs() <= 2.5 * error
}

fn month<'a>(months: &'a Value, name: &str) -> &'a Value {
    months["months"].as_array().unwrap().iter().find(|row| row["month"] == name).unwrap()
}

/// Attempts and different sources of each service of an answer.
fn services(answer: &Value) -> BTreeMap<String, (u64, u64)> {
    let row = |row: &Value| {
        let name = match row["port"].as_u64() {
            Some(port) => format!("{}/{port}", row["protocol"].as_str().unwrap()),
            None => row["protocol"].as_str().unwrap().to_string(),
        };
        assert_eq!(row["error"], 0, "{name}");
        (name, (row["attempts"].as_u64().unwrap(), row["unique_sources"].as_u64().unwrap_or(0)))
    };
    answer["services"].as_array().unwrap().iter().map(row).collect()
}

fn hours(answer: &Value) -> Vec<u64> {
    let rows = answer["hours"].as_array().unwrap();
    assert!(rows.iter().enumerate().all(|(hour, row)| row["hour"] == hour));
    rows.iter().map(|row| row["attempts"].as_u64().unwrap()).collect()
}

#[test]
fn the_generated_months_have_the_figures_asked_for() {
    let truth = &MADE.truth;
    let lines = truth.lines;
    assert_eq!(lines.lines, lines.events + lines.malformed + lines.duplicates + lines.skipped);
    assert!((1_750_000..1_850_000).contains(&lines.lines), "{lines:?}");
    assert_eq!((truth.days.len(), truth.months.len()), (466, 16));

    let json = truth.to_json();
    let month =
        |name: &str| json["months"].as_array().unwrap().iter().find(|row| row["month"] == name).unwrap();
    assert_eq!(month("2019-04")["attempts_per_day"], 3173.0);
    assert_eq!(month("2020-04")["attempts_per_day_usual"], 5490.0);
    let ratio = month("2020-04")["year_over_year_usual"].as_f64().unwrap();
    assert!((1.725..1.735).contains(&ratio), "{ratio}");

    let flood = Day::of(2020, 4, 6);
    assert_eq!(truth.days[&flood].services[&SSDP].0, 92_890);
    let (_, hours) = truth.heavy().unwrap();
    assert_eq!(hours.iter().sum::<u64>(), 69_900);
    assert_eq!(hours[13..18], [30_000, 4_000, 3_500, 30_000, 2_400]);
    let other_days = truth.days.iter().filter(|(day, _)| **day != flood);
    assert!(other_days.flat_map(|(_, day)| &day.services).all(|(_, counts)| counts.0 < 1400));
}

#[test]
fn every_line_is_accounted_for() {
    let lines = MADE.truth.lines;
    let input = &REPORT["input"];
    let told =
        ["lines", "events", "malformed", "duplicates", "skipped"].map(|key| input[key].as_u64().unwrap());
    assert_eq!(told, [lines.lines, lines.events, lines.malformed, lines.duplicates, lines.skipped]);
}

#[test]
fn classes_protocols_and_totals_are_exact() {
    let (summary, truth) = (&REPORT["summary"], &MADE.truth);
    assert_eq!(summary["attempts"], truth.total_attempts());
    assert_eq!((&summary["from"], &summary["to"]), (&"2019-01-01".into(), &"2020-04-10".into()));
    assert_eq!(summary["days"], truth.days.len());
    for (class, count) in ["attempt", "backscatter", "noise", "egress", "login"].iter().zip(truth.classes) {
        assert_eq!(summary["classes"][class], count, "{class}");
    }
    let mut protocols: BTreeMap<&str, u64> = BTreeMap::new();
    for (service, counts) in &truth.services {
        *protocols.entry(service.protocol).or_default() += counts.0;
    }
    assert_eq!(summary["protocols"], serde_json::to_value(protocols).unwrap());
    assert_eq!(hours(&REPORT["hours"]), truth.hours);
}

#[test]
fn months_are_exact() {
    let rows = REPORT["months"]["months"].as_array().unwrap();
    assert_eq!(rows.len(), MADE.truth.months.len());
    for (row, (name, truth)) in rows.iter().zip(&MADE.truth.months) {
        assert_eq!(row["month"], name.as_str());
        assert_eq!((&row["days"], &row["attempts"]), (&truth.days.into(), &truth.attempts.into()), "{name}");
        assert_eq!(row["attempts_per_day"], rounded(truth.attempts as f64 / truth.days as f64), "{name}");
        assert!(within(row, truth.unique_sources), "{row} {}", truth.unique_sources);
    }
}

#[test]
fn april_against_the_april_before_with_and_without_the_flood() {
    let april = month(&REPORT["months"], "2020-04");
    let truth = &MADE.truth.months["2020-04"];
    let before = &MADE.truth.months["2019-04"];
    let per_day_before = before.attempts as f64 / before.days as f64;
    let per_day = truth.attempts as f64 / truth.days as f64;
    assert_eq!(april["year_over_year"], rounded(per_day / per_day_before));
    assert_eq!(april["anomalous"], 1);
    assert_eq!(april["attempts_per_day_usual"], 5490.0);
    assert_eq!(april["year_over_year_usual"], rounded(5490.0 / per_day_before));
    assert_eq!(april["year_over_year_usual"], 1.73);
    let of_before = month(&REPORT["months"], "2019-04");
    assert_eq!((&of_before["anomalous"], &of_before["attempts_per_day"]), (&0.into(), &3173.0.into()));
}

#[test]
fn the_flood_is_the_top_anomaly() {
    let rows = REPORT["anomalies"]["anomalies"].as_array().unwrap();
    assert_eq!(rows.len(), 1, "{rows:?}");
    let top = &rows[0];
    assert_eq!((&top["date"], &top["protocol"]), (&flood().into(), &"udp".into()));
    assert_eq!((&top["port"], &top["attempts"]), (&1900.into(), &92_890.into()));
    assert!((40.0..60.0).contains(&top["expected"].as_f64().unwrap()), "{top}");
}

#[test]
fn one_address_made_most_of_the_flood() {
    let (address, truth) = MADE.truth.heavy().unwrap();
    let (address, day) = (truth::text(address), flood());
    let range = ["--from", &day, "--to", &day];
    let rows = ask(
        &STORE,
        &[&["sources", "--port", "1900", "--protocol", "udp", "--min", "100", "--limit", "1000"], &range[..]]
            .concat(),
    );
    let rows = rows["sources"].as_array().unwrap();
    let top = &rows[0];
    assert_eq!(
        (&top["address"], &top["attempts"], &top["error"]),
        (&address.as_str().into(), &69_900.into(), &0.into())
    );
    let expected: BTreeMap<String, u64> = MADE
        .truth
        .anomaly_sources
        .iter()
        .map(|(source, hours)| (truth::text(*source), hours.iter().sum()))
        .collect();
    let expected: BTreeMap<String, u64> = expected.into_iter().filter(|(_, count)| *count >= 100).collect();
    let told = rows
        .iter()
        .map(|row| (row["address"].as_str().unwrap().to_string(), row["attempts"].as_u64().unwrap()));
    assert_eq!(told.collect::<BTreeMap<_, _>>(), expected);

    let answer = ask(&STORE, &[&["source", &address], &range[..]].concat());
    assert_eq!(hours(&answer), truth);
    assert_eq!(truth[13..18], [30_000, 4_000, 3_500, 30_000, 2_400]);
    assert_eq!(services(&serde_json::json!({"services": answer["top_services"]}))["udp/1900"].0, 69_900);
    assert_eq!(hours(&ask(&STORE, &[&["hours", "--source", &address], &range[..]].concat())), truth);
    let per_hour: Vec<u64> = (0..24)
        .map(|hour| MADE.truth.anomaly_sources.values().map(|hours| hours[hour]).sum::<u64>())
        .collect();
    let of_port = ask(&STORE, &[&["hours", "--port", "1900", "--protocol", "udp"], &range[..]].concat());
    assert_eq!(hours(&of_port), per_hour);
}

#[test]
fn services_with_a_hundred_attempts_a_day_are_exact() {
    // Every seventh day that is kept as a day, and the flood's.
    let newest = *MADE.truth.days.keys().next_back().unwrap();
    let chosen = MADE.truth.days.iter().filter(|(day, _)| {
        day.0 >= newest.0 - 400 && (day.0 % 7 == 3 || day.to_string() == flood() || **day == newest)
    });
    let mut found = 0;
    for (day, truth) in chosen {
        let date = day.to_string();
        let answer =
            ask(&STORE, &["services", "--from", &date, "--to", &date, "--min", "100", "--limit", "1000"]);
        assert_eq!(answer["complete"], true, "{date}");
        let expected: BTreeMap<String, (u64, u64)> = truth
            .services
            .iter()
            .filter(|(_, counts)| counts.0 >= 100)
            .map(|(service, counts)| (service.name(), *counts))
            .collect();
        let told = services(&answer);
        let plain = |map: &BTreeMap<String, (u64, u64)>| -> BTreeMap<String, u64> {
            map.iter().map(|(name, counts)| (name.clone(), counts.0)).collect()
        };
        assert_eq!(plain(&told), plain(&expected), "{date}");
        for (name, (_, sources)) in &told {
            assert!(near(&(*sources).into(), expected[name].1), "{date} {name}: {sources}");
        }
        found += told.len();
        let of_day = ask(&STORE, &["days", "--from", &date, "--to", &date]);
        let row = &of_day["days"][0];
        assert_eq!((&row["date"], &row["attempts"]), (&date.as_str().into(), &truth.attempts.into()));
        assert!(near(&row["unique_sources"], truth.unique_sources), "{row}: {}", truth.unique_sources);
    }
    assert!(found > 250, "{found}");
}

#[test]
fn heavy_sources_of_a_day_are_exact() {
    let newest = *MADE.truth.days.keys().next_back().unwrap();
    let mut found = 0;
    for (day, truth) in MADE
        .truth
        .days
        .iter()
        .filter(|(day, truth)| day.0 >= newest.0 - 400 && !truth.heavy_sources.is_empty())
    {
        let date = day.to_string();
        let answer =
            ask(&STORE, &["sources", "--from", &date, "--to", &date, "--min", "1000", "--limit", "1000"]);
        let told: BTreeMap<String, u64> = answer["sources"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| (row["address"].as_str().unwrap().to_string(), row["attempts"].as_u64().unwrap()))
            .collect();
        let expected: BTreeMap<String, u64> =
            truth.heavy_sources.iter().map(|(source, count)| (truth::text(*source), *count)).collect();
        assert_eq!(told, expected, "{date}");
        found += told.len();
    }
    assert!(found > 5, "{found}");
}

#[test]
fn the_days_that_are_kept_are_exact() {
    let newest = *MADE.truth.days.keys().next_back().unwrap();
    let told: BTreeMap<String, u64> = REPORT["days"]["days"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["date"].as_str().unwrap().to_string(), row["attempts"].as_u64().unwrap()))
        .collect();
    let kept = MADE.truth.days.iter().filter(|(day, _)| day.0 >= newest.0 - 400);
    for (day, truth) in kept {
        assert_eq!(told.get(&day.to_string()), Some(&truth.attempts), "{day}");
    }
    for (day, attempts) in &told {
        let truth = MADE.truth.days.iter().find(|(date, _)| date.to_string() == *day).unwrap().1;
        assert_eq!(*attempts, truth.attempts, "{day}");
    }
}

/// Attempts and different sources by country, against the ranges looked up in another way.
#[test]
fn countries_are_those_of_the_sources() {
    let Some(ranges) = ranges() else { return };
    let store = scratch("months-countries");
    let (path, mmdb) = (store.to_str().unwrap(), ranges.mmdb.to_str().unwrap());
    let log = MADE.log.to_str().unwrap();
    let imported = run(&["import", "--db", path, "--timezone", "UTC", "--country-database", mmdb, log]);
    assert_eq!(imported.code, Some(0), "{}", imported.stderr);
    let asked = |options: &[&str]| -> Value {
        let question = ["countries", "--db", path, "--country-database", mmdb, "--limit", "300", "--json"];
        serde_json::from_str(&run(&[&question, options].concat()).stdout).unwrap()
    };
    let told = |options: &[&str]| -> BTreeMap<String, (u64, Option<u64>)> {
        let answer = asked(options);
        let row = |row: &Value| {
            let counts = (row["attempts"].as_u64().unwrap(), row["unique_sources"].as_u64());
            (row["country"].as_str().unwrap().to_string(), counts)
        };
        answer["countries"].as_array().unwrap().iter().map(row).collect()
    };
    let count = |sources: &mut dyn Iterator<Item = (u32, u64)>| {
        let mut truth: BTreeMap<String, (u64, Option<u64>)> = BTreeMap::new();
        for (source, attempts) in sources {
            let of = country(&ranges.ipv4, u128::from(source)).unwrap_or("ZZ");
            let sum = truth.entry(of.to_string()).or_insert((0, Some(0)));
            *sum = (sum.0 + attempts, sum.1.map(|sources| sources + 1));
        }
        truth
    };
    // The flood's port and day: every country that is kept, to the last attempt and source.
    let mut flooding = MADE.truth.anomaly_sources.iter().map(|(source, hours)| (*source, hours.iter().sum()));
    let (truth, day) = (count(&mut flooding), flood());
    let told_of_flood = told(&["--port", "1900", "--protocol", "udp", "--from", &day, "--to", &day]);
    assert!(told_of_flood.len() >= 5);
    told_of_flood.iter().for_each(|(country, counts)| assert_eq!(counts, &truth[country], "{country}"));
    let heaviest = truth.iter().max_by_key(|(_, counts)| counts.0).unwrap().0;
    assert!(told_of_flood.contains_key(heaviest));
    // Sixteen months: the light ones of each day are left out, and no more.
    let truth = count(&mut MADE.truth.sources.iter().map(|(source, sum)| (*source, sum.attempts)));
    let told_of_all = told(&[]);
    let mut order: Vec<_> = truth.iter().map(|(country, counts)| (counts.0, country)).collect();
    order.sort_unstable_by(|a, b| b.cmp(a));
    for (attempts, country) in &order[..5] {
        let (told, _) = told_of_all[*country];
        assert!(told <= *attempts && told * 100 >= attempts * 98, "{country}: {told} of {attempts}");
    }
    assert!(told_of_all.iter().all(|(country, counts)| counts.0 <= truth[country].0));
    // A port and a month: the five countries with most attempts, and their different sources within the error.
    for service in [truth::tcp(23), truth::tcp(445)] {
        let watched = MADE.truth.watched.iter().filter(|((of, _), _)| *of == service);
        let truth = count(&mut watched.map(|((_, source), attempts)| (*source, *attempts)));
        let port = service.port.to_string();
        let range = ["--from", "2020-03-01", "--to", "2020-03-31"];
        let answer = asked(&[&["--port", &port, "--protocol", "tcp"][..], &range].concat());
        for row in answer["countries"].as_array().unwrap().iter().take(5) {
            let (attempts, sources) = truth[row["country"].as_str().unwrap()];
            let number = row["unique_sources"].as_u64().unwrap_or_else(|| panic!("{answer}"));
            let error = row["unique_sources_error"].as_u64().unwrap_or(0);
            eprintln!("{row}: {attempts} attempts of {sources:?} sources");
            assert!(number.abs_diff(sources.unwrap()) <= error * 2, "{row}: {sources:?}");
            assert!(row["attempts"].as_u64().unwrap() <= attempts, "{row}: {attempts}");
        }
    }
}
