//! The generated logs are what they are said to be, and the one that ships is the generator's.

use std::fs;
use std::io::{self, Read};

use crate::common::generate::truth::tcp;
use crate::common::generate::{Stamp, corpus, forged, other, sample_gz};
use flate2::read::GzDecoder;
use serde_json::Value;

fn shipped(name: &str) -> Vec<u8> {
    fs::read(format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn unpacked(gz: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    GzDecoder::new(gz).read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn the_shipped_log_and_its_truth_are_the_generators() {
    let (gz, truth) = sample_gz().unwrap();
    let (ours, theirs) = (unpacked(&gz), unpacked(&shipped("router.log.gz")));
    // The compressed bytes may change with the compressor, the lines may not.
    assert!(
        ours == theirs,
        "run: cargo run --release --example generate -- sample tests/data/router.log.gz tests/data/router.truth.json"
    );
    let kept: Value = serde_json::from_slice(&shipped("router.truth.json")).unwrap();
    // Through text, as the kept one: reading may round a fraction's last digit.
    let truth_text = truth.headline().to_string();
    assert_eq!(serde_json::from_str::<Value>(&truth_text).unwrap(), kept);
    assert_eq!(truth.lines.lines, ours.iter().filter(|&&byte| byte == b'\n').count() as u64);
    assert!(shipped("router.log.gz").len() <= 300_000);
    assert!(shipped("router.truth.json").len() <= 30_000);
}

#[test]
fn every_forged_line_has_a_source_of_its_own() {
    let mut log = Vec::new();
    let truth = forged(&mut log, 50_000, 2).unwrap();
    let log = String::from_utf8(log).unwrap();
    let source = |line: &str| line.split(" SRC=").nth(1).unwrap().split(' ').next().unwrap().to_string();
    let sources: std::collections::HashSet<_> = log.lines().map(source).collect();
    assert_eq!((log.lines().count(), sources.len() as u64), (50_000, truth.sources));
    for (service, count) in truth.services {
        let port = format!(" DPT={} ", service.port);
        assert_eq!(log.lines().filter(|line| line.contains(&port)).count() as u64, count, "{service:?}");
    }
    assert_eq!(truth.days.iter().map(|(_, count)| count).sum::<u64>(), 50_000);
}

#[test]
fn the_benchmarks_corpus_has_its_lines_and_sources() {
    let truth = corpus(&mut io::sink(), Stamp::Iso).unwrap();
    assert_eq!((truth.lines.lines, truth.sources.len(), truth.days.len()), (2_000_000, 200_000, 90));
    let share = truth.services[&tcp(23)].0 as f64 / 2e6;
    assert!((0.08..0.12).contains(&share), "{share}");
}

#[test]
fn other_peoples_lines_are_counted() {
    for file in other() {
        assert_eq!(file.lines, file.text.lines().count() as u64, "{}", file.name);
        assert_eq!(file.lines, file.events + file.skipped, "{}", file.name);
    }
}
