//! Other people's lines through the program, and files that are no proper logs: what is counted, what is said.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::common::fwstat::{Ran, command, golden, run, run_with_input, scratch, shipped};
use crate::common::generate::other;
use serde_json::Value;

const LINE: &str = "2026-03-01T10:00:00 router kernel: DROP IN=ppp0 OUT= MAC= SRC=203.0.113.7 DST=198.51.100.20 LEN=44 \
                    TOS=0x00 PREC=0x00 TTL=241 ID=54321 PROTO=TCP SPT=41234 DPT=23 WINDOW=1024 RES=0x00 SYN URGP=0\n";

/// Text with the test's own directory left out of it.
fn plain(text: &str, directory: &Path) -> String {
    text.replace(directory.to_str().unwrap(), "DIR")
}

/// Lines, events, malformed, duplicates, skipped.
fn input(ran: &Ran) -> [u64; 5] {
    let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{}", ran.stderr));
    ["lines", "events", "malformed", "duplicates", "skipped"]
        .map(|key| report["input"][key].as_u64().unwrap())
}

fn report(files: &[&Path]) -> Ran {
    let files: Vec<&str> = files.iter().map(|file| file.to_str().unwrap()).collect();
    run(&[&["report", "--json", "--timezone", "UTC"], &files[..]].concat())
}

/// The services and sources that any class has.
fn named(report: &Value, services: &mut BTreeSet<String>, sources: &mut BTreeSet<String>) {
    for row in report["services"].as_array().unwrap() {
        let protocol = row["protocol"].as_str().unwrap();
        services.insert(match row["port"].as_u64() {
            Some(port) => format!("{protocol}/{port}"),
            None => protocol.to_string(),
        });
    }
    for row in report["sources"].as_array().unwrap() {
        sources.insert(row["address"].as_str().unwrap().to_string());
    }
}

#[test]
fn other_peoples_logs_are_counted() {
    let directory = scratch("shapes");
    for file in other() {
        let log = directory.join(format!("{}.log", file.name));
        fs::write(&log, &file.text).unwrap();
        let store = directory.join(format!("{}.store", file.name));
        let (log, store) = (log.to_str().unwrap(), store.to_str().unwrap());
        let ran = run(&["import", "--db", store, "--timezone", "UTC", "--year", "2026", log]);
        assert_eq!(ran.code, Some(0), "{}: {}", file.name, ran.stderr);
        let ran = run(&["report", "--json", "--timezone", "UTC", "--year", "2026", log]);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{}", file.name);
        assert_eq!(input(&ran), [file.lines, file.events, 0, 0, file.skipped], "{}", file.name);
        let (mut services, mut sources) = (BTreeSet::new(), BTreeSet::new());
        let summary: Value = serde_json::from_str::<Value>(&ran.stdout).unwrap()["summary"].take();
        if let Some(attempts) = file.attempts {
            assert_eq!(summary["attempts"], attempts, "{}", file.name);
        }
        let classes: u64 =
            summary["classes"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
        assert_eq!(classes, file.events, "{}", file.name);
        for class in ["attempt", "backscatter", "noise", "egress", "login"] {
            for table in ["services", "sources"] {
                let question = [table, "--class", class, "--limit", "1000", "--json", "--db", store];
                let mut answer: Value = serde_json::from_str(&run(&question).stdout).unwrap();
                for key in ["services", "sources"] {
                    if answer.get(key).is_none() {
                        answer[key] = Value::Array(Vec::new());
                    }
                }
                named(&answer, &mut services, &mut sources);
            }
        }
        // A later fragment's or a cut packet's port is not known: it is counted as port 0.
        let expected = file.services.iter().map(|service| match service.as_str() {
            "tcp" | "udp" => format!("{service}/0"),
            _ => service.clone(),
        });
        assert_eq!(services, expected.collect(), "{}", file.name);
        assert_eq!(sources, file.sources.iter().cloned().collect(), "{}", file.name);
    }
}

#[test]
fn what_is_no_log_is_named_and_the_rest_is_read() {
    let directory = scratch("not-logs");
    let good = directory.join("good.log");
    fs::write(&good, LINE).unwrap();
    fs::create_dir(directory.join("folder")).unwrap();
    fs::write(directory.join("empty.log"), "").unwrap();
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    (0..2000).for_each(|n| write!(gz, "{}", LINE.replace("ID=54321", &format!("ID={n}"))).unwrap());
    let gz = gz.finish().unwrap();
    fs::write(directory.join("cut.log.gz"), &gz[..gz.len() / 2]).unwrap();
    let mut damaged = gz.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0x10;
    fs::write(directory.join("damaged.log.gz"), &damaged).unwrap();
    fs::write(directory.join("text.log.gz"), LINE.replace("ID=54321", "ID=4711")).unwrap();
    fs::write(directory.join("magic.log.gz"), b"\x1f\x8b").unwrap();
    let mut told = String::new();
    for name in
        ["folder", "missing.log", "empty.log", "cut.log.gz", "damaged.log.gz", "text.log.gz", "magic.log.gz"]
    {
        let ran = report(&[&directory.join(name), &good]);
        let counts = if ran.stdout.is_empty() { "nothing".to_string() } else { format!("{:?}", input(&ran)) };
        told += &format!(
            "{name}: exit {}, input {counts}\n{}",
            ran.code.unwrap(),
            plain(&ran.stderr, &directory)
        );
    }
    golden("not-logs", &told);
}

#[test]
fn strange_bytes_cost_their_line_only() {
    let directory = scratch("strange-bytes");
    let long = format!("{}{}\n", LINE.trim_end(), " x".repeat(6000));
    let cases: [(&str, Vec<u8>, [u64; 5]); 9] = [
        ("nul line", [LINE.as_bytes(), b"\0\0\0\n", LINE.as_bytes()].concat(), [3, 2, 0, 0, 1]),
        ("nul inside", LINE.replace("SRC=203.0.113.7", "SRC=203.0\0.113.7").into_bytes(), [1, 0, 1, 0, 0]),
        ("crlf", LINE.replace('\n', "\r\n").into_bytes(), [1, 1, 0, 0, 0]),
        ("no last line end", LINE.trim_end().as_bytes().to_vec(), [1, 1, 0, 0, 0]),
        (
            "cut in the address",
            LINE.as_bytes()[..LINE.find("203.0.1").unwrap() + 9].to_vec(),
            [1, 0, 1, 0, 0],
        ),
        ("only line ends", b"\n\n\n".to_vec(), [3, 0, 0, 0, 3]),
        ("no text at all", b"\xff\xfe\x80\n".to_vec(), [1, 0, 0, 0, 1]),
        (
            "text of another kind in a prefix",
            LINE.replace("DROP ", "DR\u{d6}P\u{7f} ").into_bytes(),
            [1, 1, 0, 0, 0],
        ),
        ("too long", [long.as_bytes(), LINE.as_bytes()].concat(), [2, 1, 1, 0, 0]),
    ];
    for (name, bytes, expected) in cases {
        let log = directory.join("strange.log");
        fs::write(&log, &bytes).unwrap();
        let ran = report(&[&log]);
        assert_eq!((ran.code, input(&ran)), (Some(0), expected), "{name}: {}", ran.stderr);
        let ran = run_with_input(&["report", "--json", "--timezone", "UTC", "-"], &bytes);
        assert_eq!((ran.code, input(&ran)), (Some(0), expected), "{name} on standard input: {}", ran.stderr);
    }
}

/// Files that are no plain text of lines, and a log of another firewall.
#[test]
fn files_of_other_kinds_are_read_or_named() {
    let directory = scratch("kinds");
    let log = directory.join("kind.log");
    let packet = LINE.split_once("kernel: ").unwrap().1.trim_end();
    let export = format!(
        "__CURSOR=s=1\n__REALTIME_TIMESTAMP=1795248000000000\n_TRANSPORT=kernel\nMESSAGE={packet}\n\n\
         __CURSOR=s=2\n_TRANSPORT=syslog\nSYSLOG_IDENTIFIER=kernel\nMESSAGE={packet}\n\n"
    );
    let utf16: Vec<u8> = format!("\u{feff}{LINE}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mark = format!("\u{feff}{LINE}").into_bytes();
    let entry =
        |writer: &str| format!("{{\n\t\"_TRANSPORT\" : \"{writer}\",\n\t\"MESSAGE\" : \"{packet}\"\n}}\n");
    let pretty = entry("kernel") + &entry("syslog");
    let cases = [
        (export.into_bytes(), [2, 1, 0, 0, 1]),
        (pretty.into_bytes(), [2, 1, 0, 0, 1]),
        (utf16, [1, 1, 0, 0, 0]),
        (mark, [1, 1, 0, 0, 0]),
    ];
    for (bytes, expected) in cases {
        fs::write(&log, &bytes).unwrap();
        let ran = report(&[&log]);
        assert_eq!((ran.code, input(&ran)), (Some(0), expected), "{}", ran.stderr);
    }
    let mikrotik = "Nov 21 08:00:00 gw firewall,info input: in:ether1 out:(unknown 0), proto TCP (SYN), \
                    203.0.113.7:4000->192.0.2.10:23, len 40\n";
    fs::write(&log, mikrotik).unwrap();
    let ran = report(&[&log]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("MikroTik RouterOS"), "{}", ran.stderr);
}

/// Between the message and its repetition stands more text than is read at once, or a line of another host.
#[test]
fn a_repeated_message_counts_wherever_it_stands() {
    let directory = scratch("repeated");
    let log = directory.join("repeated.log");
    for before in [0, 1, 1000, 1100, 1200, 5000] {
        let others = "2026-03-01T10:00:00 other cron[1]: nothing that counts here\n".repeat(before);
        let between = "2026-03-01T10:00:01 other cron[2]: x\n";
        let repeated = "2026-03-01T10:00:09 router last message repeated 3 times\n".repeat(2);
        fs::write(&log, format!("{others}{LINE}{between}{repeated}")).unwrap();
        let lines = before as u64 + 4;
        // The packet, and three more for each of the two repetitions.
        assert_eq!(input(&report(&[&log])), [lines, 7, 0, 0, before as u64 + 1], "{before}");
    }
}

/// The reason, the count and the first line; nothing of it counts.
#[test]
fn lines_that_look_like_packets_and_are_none_are_told() {
    let directory = scratch("uncounted");
    let log = directory.join("uncounted.log");
    fs::write(&log, format!("{LINE}{}", LINE.replace("kernel:", "ulog[7]:").repeat(3))).unwrap();
    let ran = report(&[&log]);
    assert_eq!(input(&ran), [4, 1, 0, 0, 3]);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let row = &report["input"]["skipped_because"][0];
    assert_eq!((&row["lines"], &row["first_line"]), (&Value::from(3), &Value::from(2)));
    assert_eq!(row["reason"], "written by 'ulog', not by the kernel");
}

#[test]
fn several_members_of_gzip_are_one_text() {
    let directory = scratch("members");
    let mut bytes = Vec::new();
    for id in 1..4 {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gz.write_all(LINE.replace("ID=54321", &format!("ID={id}")).as_bytes()).unwrap();
        bytes.extend(gz.finish().unwrap());
    }
    let log = directory.join("members.gz");
    fs::write(&log, &bytes).unwrap();
    assert_eq!(input(&report(&[&log])), [3, 3, 0, 0, 0]);
    let ran = run_with_input(&["report", "--json", "--timezone", "UTC", "-"], &bytes);
    assert_eq!(input(&ran), [3, 3, 0, 0, 0]);
}

#[test]
fn one_file_under_two_names_counts_once() {
    let directory = scratch("two-names");
    let (one, two) = (directory.join("one.log"), directory.join("two.log"));
    fs::write(&one, LINE).unwrap();
    fs::write(&two, LINE).unwrap();
    let ran = report(&[&one, &two]);
    assert_eq!(input(&ran)[1], 1, "{}", ran.stderr);
}

#[test]
fn a_reader_that_has_seen_enough_is_success() {
    let mut child = command(&["report", &shipped("router.log.gz"), "--timezone", "UTC", "--limit", "1000"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0u8; 20];
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut first).unwrap();
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    assert_eq!(&first, b"Refused by the firew");
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}

#[test]
fn a_full_disk_below_the_answer_is_failure() {
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = command(&["report", &shipped("router.log.gz"), "--timezone", "UTC"])
        .stdout(full)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let expected = "fwstat: cannot write the answer: No space left on device (os error 28)\n";
    assert_eq!((output.status.code(), stderr.as_str()), (Some(1), expected));
}

#[test]
fn wrong_usage_is_two_and_help_is_success() {
    let mut told = String::new();
    let wrong: [&[&str]; 12] = [
        &[],
        &["nonsense"],
        &["--frobnicate"],
        &["report"],
        &["import"],
        &["services", "--db"],
        &["services", "--port", "65536"],
        &["services", "--from", "2020-02-30"],
        &["services", "--from", "2020-04-02", "--to", "2020-04-01"],
        &["services", "--limit", "0"],
        &["report", "--timezone", "Mars/Olympus", "x.log"],
        &["export", "--db", "x"],
    ];
    for arguments in wrong {
        let ran = run(arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{arguments:?}");
        assert_eq!(ran.stderr.lines().count(), 1, "{arguments:?}");
        told += &format!("$ fwstat {}\n{}", arguments.join(" "), ran.stderr);
    }
    golden("wrong-usage", &told);
    for arguments in
        [&["--help"][..], &["-h"], &["help"], &["report", "--help"], &["help", "import"], &["--version"]]
    {
        let ran = run(arguments);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{arguments:?}");
        assert!(
            ran.stdout.starts_with("Usage: fwstat") || ran.stdout.starts_with("fwstat"),
            "{}",
            ran.stdout
        );
    }
    assert!(run(&["--help"]).stdout.contains("report"));
}

#[test]
fn a_store_that_is_not_there_or_is_a_file_is_named() {
    let directory = scratch("no-store");
    let file = directory.join("file");
    fs::write(&file, "x").unwrap();
    let missing: PathBuf = directory.join("missing");
    let log = directory.join("a.log");
    fs::write(&log, LINE).unwrap();
    let mut told = String::new();
    for (store, verb) in [(&missing, "summary"), (&file, "summary"), (&file, "import")] {
        let store = store.to_str().unwrap();
        let log = log.to_str().unwrap();
        let ran =
            if verb == "import" { run(&["import", "--db", store, log]) } else { run(&[verb, "--db", store]) };
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{store}");
        told += &plain(&ran.stderr, &directory);
    }
    assert!(!missing.exists());
    golden("no-store", &told);
}
