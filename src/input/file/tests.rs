use super::*;
use crate::input::batch::BATCH;
use crate::input::order::MAX_OPEN;
use flate2::{Compression, GzBuilder};
use proptest::prelude::*;
use std::fs;
use std::io::{Cursor, Write};
use std::sync::atomic::{AtomicU32, Ordering};

mod known;

/// A folder that goes when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("fwstat-files-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn put(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn pack(text: &str) -> Vec<u8> {
    pack_at(text, 0)
}

fn pack_at(text: &str, modified: u32) -> Vec<u8> {
    let mut writer = GzBuilder::new().mtime(modified).write(Vec::new(), Compression::default());
    writer.write_all(text.as_bytes()).unwrap();
    writer.finish().unwrap()
}

/// 2026-01-15T00:00:00Z.
const NOW: i64 = 1_768_435_200;

struct Outcome {
    events: Vec<Event>,
    batches: Vec<usize>,
    reports: Vec<FileReport>,
    progress: Vec<Progress>,
}

impl Outcome {
    fn times(&self) -> Vec<i64> {
        self.events.iter().map(|event| event.time).collect()
    }

    fn states(&self) -> Vec<&FileState> {
        self.reports.iter().map(|report| &report.state).collect()
    }

    /// Lines, events, malformed, duplicates, skipped.
    fn counts(&self) -> [u64; 5] {
        let sum = totals(&self.reports);
        assert_eq!(sum.lines, sum.events + sum.malformed + sum.duplicates + sum.skipped);
        assert_eq!(sum.events, self.events.len() as u64);
        [sum.lines, sum.events, sum.malformed, sum.duplicates, sum.skipped]
    }
}

fn run(files: &[PathBuf], standard_input: &[u8], year: Option<i32>, imported: &mut Imported) -> Outcome {
    let options = ReadOptions { networks: Networks::default(), calendar: Calendar::utc(), year, now: NOW };
    let mut outcome = Outcome { events: vec![], batches: vec![], reports: vec![], progress: vec![] };
    let (events, batches, progress) = (&mut outcome.events, &mut outcome.batches, &mut outcome.progress);
    let mut give = |batch: &[Event]| {
        assert!(batch.is_sorted_by_key(|event| event.time));
        batches.push(batch.len());
        events.extend_from_slice(batch);
        Ok(())
    };
    let read = read_files(
        Box::new(Cursor::new(standard_input.to_vec())),
        files,
        &options,
        (imported, &mut SeenMessages::default()),
        &mut Paths::new(),
        &mut give,
        &mut |outcome| progress.push(outcome),
    );
    outcome.reports = read.unwrap().reports;
    outcome
}

fn read(files: &[PathBuf]) -> Outcome {
    run(files, b"", None, &mut Imported::default())
}

/// A line with a packet behind this header.
fn packet(header: &str) -> String {
    format!(
        "{header} DROP IN=eth0 OUT= MAC= SRC=203.0.113.7 DST=192.0.2.10 LEN=40 TOS=0x00 PREC=0x00 TTL=58 ID=1 DF \
         PROTO=TCP SPT=40000 DPT=23 WINDOW=1024 RES=0x00 SYN URGP=0\n"
    )
}

/// A message of the kernel at this time; another number makes it another message.
fn message(time: i64, number: u32) -> String {
    packet(&format!("{} h kernel: [{time:5}.{number:06}]", Calendar::utc().rfc3339(time)))
}

/// Packets on days without a year.
fn on_days(days: &[&str]) -> String {
    days.iter().map(|day| packet(&format!("{day} 00:00:00 h kernel:"))).collect()
}

fn log(times: impl Iterator<Item = i64>) -> String {
    times.map(|time| message(time, 0)).collect()
}

#[test]
fn every_line_is_counted_once() {
    let folder = Folder::new();
    let no_address = message(8, 0).replace("DST=192.0.2.10", "DST=192.0.2");
    let text = [
        message(5, 0).replace('\n', "\r\n").as_bytes(),
        b"\n#comment\n\0\n\xff\xfe\n",
        no_address.as_bytes(),
        message(6, 0).as_bytes(),
        message(6, 0).as_bytes(),
        message(7, 0).trim_end().as_bytes(),
    ]
    .concat();
    let outcome = read(&[folder.put("messages", text)]);
    assert_eq!(outcome.counts(), [9, 3, 1, 1, 4]);
    assert_eq!(outcome.times(), [5, 6, 7]);
    let packed = folder.put("no-gz-in-its-name", pack(log(1..3).trim_end()));
    assert_eq!(read(&[packed]).times(), [1, 2]);
    let long = folder.put("long", message(1, 0) + &"x".repeat(300_000) + "\n" + &message(3, 0));
    let outcome = read(&[long]);
    assert_eq!((outcome.counts(), outcome.times()), ([3, 2, 1, 0, 0], vec![1, 3]));
}

#[test]
fn what_cannot_be_read_is_named_and_the_rest_is_read() {
    let folder = Folder::new();
    let missing = folder.0.join("missing");
    let files = [
        folder.0.clone(),
        missing.clone(),
        folder.put("empty", ""),
        folder.put("good", message(1, 0)),
        "-".into(),
        "-".into(),
    ];
    let outcome = run(&files, b"", None, &mut Imported::default());
    let directory = format!("cannot read '{}': it is a directory, not a log file", folder.0.display());
    let missing = format!("cannot read '{}': No such file or directory", missing.display());
    let twice = "standard input was given twice: it can be read only once".to_string();
    assert_eq!(
        outcome.states(),
        [
            &FileState::Failed(directory),
            &FileState::Failed(missing),
            &FileState::Empty,
            &FileState::Read,
            &FileState::Empty,
            &FileState::Failed(twice)
        ]
    );
    assert_eq!(outcome.times(), [1]);
}

#[test]
fn a_damaged_gzip_file_says_how_far_it_was_read() {
    let folder = Folder::new();
    let text = log(1..5000);
    let mut bytes = pack(&text);
    bytes.truncate(bytes.len() / 2);
    let outcome = read(&[
        folder.put("cut.gz", &bytes),
        folder.put("garbage.gz", [&pack(&message(9000, 0))[..], b"xx"].concat()),
    ]);
    let [FileState::Partly(sentence), FileState::Read] = outcome.states()[..] else {
        panic!("{:?}", outcome.states())
    };
    assert!(sentence.contains("cut.gz': the gzip data is cut off after "), "{sentence}");
    assert!(outcome.reports[1].note.as_ref().unwrap().contains("left out"));
    assert!(outcome.events.len() > 1000);
    assert_eq!(read(&[folder.put("only.gz", &bytes[..12])]).counts(), [0; 5]);
}

#[test]
fn every_cut_of_two_members_gives_a_beginning_of_the_lines() {
    let folder = Folder::new();
    let bytes = [pack(&log(1000..1075)), pack(&log(1075..1150))].concat();
    for cut in 0..bytes.len() {
        let path = folder.put("cut.gz", &bytes[..cut]);
        let times = read(&[path]).times();
        assert_eq!(times, (1000..1000 + times.len() as i64).collect::<Vec<_>>(), "cut at {cut}");
    }
}

#[test]
fn a_rotated_set_in_any_order_and_overlapping_logs_come_in_order_of_time() {
    let folder = Folder::new();
    let old = folder.put("messages.2.gz", pack(&log(0..100)));
    let middle = folder.put("messages.1", log(100..200));
    let new = folder.put("messages", log(200..300));
    let other = folder.put("other", [50, 150, 250].map(|time| message(time, 1)).concat());
    let outcome = read(&[new, other, old, middle]);
    assert_eq!(outcome.events.len(), 303);
    assert!(outcome.times().is_sorted());
    assert_eq!(outcome.batches, [BATCH, 303 - BATCH]);
}

#[test]
fn more_files_than_may_be_open_still_come_in_order() {
    let folder = Folder::new();
    let files: Vec<PathBuf> = (0..3 * MAX_OPEN as i64)
        .rev()
        .map(|n| folder.put(&format!("log.{n}"), log(n * 10..n * 10 + 25)))
        .collect();
    let outcome = read(&files);
    assert!(outcome.times().is_sorted());
    assert_eq!(outcome.counts(), [48 * 25, 47 * 10 + 25, 0, 47 * 15, 0]);
    // Too many at the same time: the events of the rest come late, but all come.
    let files: Vec<PathBuf> =
        (0..40).map(|n| folder.put(&format!("same.{n}"), message(1, n) + &message(2, n))).collect();
    assert_eq!(read(&files).counts(), [80, 80, 0, 0, 0]);
}

#[test]
fn batches_are_bounded_and_sorted_and_a_refused_one_ends_it() {
    let folder = Folder::new();
    let file = folder.put("log", log((0..20_000).map(|n| n ^ 3)));
    let outcome = read(std::slice::from_ref(&file));
    let mut expected = vec![BATCH; 20_000 / BATCH];
    expected.push(20_000 % BATCH);
    assert_eq!(outcome.batches, expected);
    assert_eq!(outcome.times(), (0..20_000).collect::<Vec<_>>());
    let options =
        ReadOptions { networks: Networks::default(), calendar: Calendar::utc(), year: None, now: NOW };
    let mut imported = Imported::default();
    let refused = read_files(
        Box::new(io::empty()),
        &[file],
        &options,
        (&mut imported, &mut SeenMessages::default()),
        &mut Paths::new(),
        &mut |_| Err(io::Error::other("full")),
        &mut |_| {},
    );
    assert_eq!(refused.err().unwrap().to_string(), "reading log files was given up: full");
    assert!(imported.entries.is_empty());
}

#[test]
fn stamps_without_a_year_get_it_from_the_time_of_the_file() {
    let folder = Folder::new();
    let day = |text: &str| i64::from(crate::event::calendar::Date::parse(text).unwrap().0) * 86_400;
    let text = &on_days(&["Dec 30", "Dec 31", "Jan  1"]);
    // A gzip header's time wins over the file's own.
    let packed = folder.put("packed.gz", pack_at(text, day("2020-03-01") as u32));
    let expected = [day("2019-12-30"), day("2019-12-31"), day("2020-01-01")];
    assert_eq!(read(std::slice::from_ref(&packed)).times(), expected);
    let outcome = run(&[packed], b"", Some(2011), &mut Imported::default());
    assert_eq!(outcome.times()[2], day("2012-01-01"));
    let plain = folder.put("plain", text);
    let file = fs::File::options().write(true).open(&plain).unwrap();
    file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(day("2020-03-01") as u64))
        .unwrap();
    assert_eq!(read(&[plain]).times(), expected);
    // Standard input has no time but the present.
    let outcome =
        run(&["-".into()], on_days(&["Jan 14", "Jan 15"]).as_bytes(), None, &mut Imported::default());
    assert_eq!(outcome.times(), [day("2026-01-14"), day("2026-01-15")]);
    let outcome = run(&["-".into()], on_days(&["Jan 20"]).as_bytes(), None, &mut Imported::default());
    assert_eq!(outcome.times(), [day("2025-01-20")]);
}

#[test]
fn uptimes_alone_end_when_the_file_was_changed() {
    let text = packet("[   10.000000]") + &packet("[  100.000000]");
    let outcome = run(&["-".into()], text.as_bytes(), None, &mut Imported::default());
    assert_eq!(outcome.times(), [NOW - 90, NOW]);
    // Behind stamps whose year is given, too.
    let text = on_days(&["Jan 14"]) + &text;
    let outcome = run(&["-".into()], text.as_bytes(), Some(2020), &mut Imported::default());
    assert_eq!(outcome.times()[1..], [NOW - 90, NOW]);
}

#[test]
fn progress_is_told_seldom_and_never_passes_its_total() {
    let folder = Folder::new();
    let text = log(0..30_000);
    let outcome = read(&[folder.put("a", &text), folder.put("b", text.replace("eth0", "eth1"))]);
    assert!((8..=12).contains(&outcome.progress.len()), "{}", outcome.progress.len());
    assert!(outcome.progress.iter().all(|outcome| outcome.total.is_some_and(|total| outcome.done <= total)));
    assert!(outcome.progress.is_sorted_by_key(|outcome| (outcome.done, outcome.lines)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_split_gives_the_same_events(
        gaps in proptest::collection::vec(0i64..3, 1..300),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..24),
        keys in proptest::collection::vec(any::<u32>(), 25),
        packed in any::<u32>(),
    ) {
        let mut time = 1;
        let lines: Vec<String> = gaps
            .iter()
            .enumerate()
            .map(|(number, gap)| {
                time += gap;
                // Uptime orders what one second holds when a file begins in it.
                packet(&format!("[{time:5}.{number:06}]"))
            })
            .collect();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(lines.len())).collect();
        cuts.extend([0, lines.len()]);
        cuts.sort_unstable();
        cuts.dedup();
        let folder = Folder::new();
        let mut files: Vec<(u32, PathBuf)> = cuts
            .windows(2)
            .enumerate()
            .map(|(number, bounds)| {
                // The last line of all is the highest uptime: it gives every part the same boot time.
                let text = format!("{}#\n", lines[bounds[0]..bounds[1]].concat());
                let is_packed = packed >> number & 1 == 1;
                let highest = lines[bounds[1] - 1][1..6].trim().parse::<u32>().unwrap();
                let bytes = if is_packed { pack_at(&text, 1_000_000_000 + highest) } else { text.into_bytes() };
                let path = folder.put(&format!("part{number}"), bytes);
                let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000 + u64::from(highest));
                fs::File::options().write(true).open(&path).unwrap().set_modified(at).unwrap();
                (keys[number], path)
            })
            .collect();
        files.sort();
        let files: Vec<PathBuf> = files.into_iter().map(|(_, path)| path).collect();
        let outcome = read(&files);
        let numbers: Vec<u64> = outcome.events.iter().map(|event| event.uptime % 1_000_000).collect();
        prop_assert_eq!(numbers, (0..lines.len() as u64).collect::<Vec<_>>());
        prop_assert!(outcome.times().is_sorted());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_bytes_are_counted_or_refused(
        bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'1'), Just(b' '), any::<u8>()], 0..600),
        damage in any::<prop::sample::Index>(),
    ) {
        let folder = Folder::new();
        let mut packed = pack(&String::from_utf8_lossy(&bytes));
        let at = damage.index(packed.len());
        packed[at] = packed[at].wrapping_add(1);
        let magic = [&crate::input::gzip::MAGIC[..], &bytes].concat();
        let files = [folder.put("plain", &bytes), folder.put("damaged", &packed), folder.put("magic", magic)];
        let files = [&files[..], &["-".into()]].concat();
        run(&files, &packed, None, &mut Imported::default()).counts();
        run(&["-".into()], &bytes, None, &mut Imported::default()).counts();
    }
}
