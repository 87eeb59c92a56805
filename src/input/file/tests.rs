use super::*;
use crate::input::batch::BATCH;
use crate::input::order::MAX_OPEN;
use flate2::{Compression, GzBuilder};
use proptest::prelude::*;
use std::fs;
use std::io::{Cursor, Write};
use std::sync::atomic::{AtomicU32, Ordering};

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
    let read = read_from(
        Box::new(Cursor::new(standard_input.to_vec())),
        files,
        &options,
        (imported, &mut SeenMessages::new()),
        &mut Paths::new(),
        &mut give,
        &mut |outcome| progress.push(outcome),
    );
    outcome.reports = read.unwrap().reports;
    outcome
}

fn read(files: &[PathBuf]) -> Outcome {
    run(files, b"", None, &mut Imported::new())
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
    let outcome = run(&files, b"", None, &mut Imported::new());
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
    let mut imported = Imported::new();
    let refused = read_files(
        &[file],
        &options,
        (&mut imported, &mut SeenMessages::new()),
        &mut Paths::new(),
        &mut |_| Err(io::Error::other("full")),
        &mut |_| {},
    );
    assert_eq!(refused.err().unwrap().to_string(), "reading log files was given up: full");
    assert!(imported.is_empty());
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
    let outcome = run(&[packed], b"", Some(2011), &mut Imported::new());
    assert_eq!(outcome.times()[2], day("2012-01-01"));
    let plain = folder.put("plain", text);
    let file = fs::File::options().write(true).open(&plain).unwrap();
    file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(day("2020-03-01") as u64))
        .unwrap();
    assert_eq!(read(&[plain]).times(), expected);
    // Standard input has no time but the present.
    let outcome = run(&["-".into()], on_days(&["Jan 14", "Jan 15"]).as_bytes(), None, &mut Imported::new());
    assert_eq!(outcome.times(), [day("2026-01-14"), day("2026-01-15")]);
    let outcome = run(&["-".into()], on_days(&["Jan 20"]).as_bytes(), None, &mut Imported::new());
    assert_eq!(outcome.times(), [day("2025-01-20")]);
}

#[test]
fn uptimes_alone_end_when_the_file_was_changed() {
    let text = packet("[   10.000000]") + &packet("[  100.000000]");
    let outcome = run(&["-".into()], text.as_bytes(), None, &mut Imported::new());
    assert_eq!(outcome.times(), [NOW - 90, NOW]);
}

#[test]
fn a_content_is_imported_once_under_any_name() {
    let folder = Folder::new();
    let text = log(0..1000);
    let mut imported = Imported::new();
    let plain = folder.put("messages", &text);
    let packed = folder.put("messages.1.gz", pack(&text));
    // Twice within one call, packed and not.
    let outcome = run(&[plain.clone(), packed.clone(), plain.clone()], b"", None, &mut imported);
    assert_eq!(
        outcome.states(),
        [&FileState::Read, &FileState::AlreadyImported, &FileState::AlreadyImported]
    );
    assert_eq!(outcome.counts(), [1000, 1000, 0, 0, 0]);
    // And in a later call, from what was stored.
    let mut imported = Imported::decode(&imported.encode()).unwrap();
    for file in [plain, packed, folder.put("renamed", &text)] {
        let outcome = run(&[file], b"", None, &mut imported);
        assert_eq!((outcome.states(), outcome.counts()), (vec![&FileState::AlreadyImported], [0; 5]));
        assert!(!outcome.reports[0].discard);
    }
    assert_eq!(imported.len(), 1);
    // One changed byte is another content.
    let other = folder.put("other", text.replacen("ID=1 ", "ID=2 ", 1));
    assert_eq!(run(&[other], b"", None, &mut imported).states(), [&FileState::Read]);
}

#[test]
fn a_shorter_copy_beside_a_longer_one_counts_once() {
    let folder = Folder::new();
    for lines in [3, 1000] {
        let short = folder.put("backup", log(0..lines));
        let long = folder.put("messages", log(0..lines + 500));
        let outcome = read(&[short, long]);
        assert_eq!(outcome.states(), [&FileState::AlreadyImported, &FileState::Read]);
        assert_eq!(outcome.events.len() as i64, lines + 500);
        assert!(outcome.reports[0].note.as_ref().unwrap().contains("messages"));
    }
}

#[test]
fn of_a_grown_file_only_the_rest_is_read() {
    let folder = Folder::new();
    let mut imported = Imported::new();
    for (step, bounds) in [0, 5, 1000, 1001, 4000].windows(2).enumerate() {
        let text = log(0..bounds[1]);
        let bytes = if step % 2 == 1 { pack(&text) } else { text.into_bytes() };
        let outcome = run(&[folder.put("messages", bytes)], b"", None, &mut imported);
        assert_eq!(outcome.times(), (bounds[0]..bounds[1]).collect::<Vec<_>>());
        assert_eq!(outcome.reports[0].skipped_bytes, log(0..bounds[0]).len() as u64);
    }
    // The shorter copies are known too, at the lengths they had.
    let outcome = run(&[folder.put("backup", log(0..1000))], b"", None, &mut imported);
    assert_eq!(outcome.states(), [&FileState::AlreadyImported]);
}

#[test]
fn of_a_gzip_file_that_was_cut_off_the_rest_is_read_later() {
    let folder = Folder::new();
    let mut imported = Imported::new();
    let bytes = pack(&log(1000..6000));
    let cut = folder.put("log.gz", &bytes[..bytes.len() / 2]);
    let first = run(std::slice::from_ref(&cut), b"", None, &mut imported);
    let again = run(&[cut], b"", None, &mut imported);
    assert_eq!(again.states(), [&FileState::AlreadyImported]);
    let rest = run(&[folder.put("log.gz", bytes)], b"", None, &mut imported);
    assert_eq!(rest.states(), [&FileState::Read]);
    assert_eq!(first.events.len() + rest.events.len(), 5000);
}

#[test]
fn a_file_cut_at_any_byte_and_grown_later_counts_every_line_once() {
    let folder = Folder::new();
    let text =
        &[&message(100, 0).replace('\n', "\r\n"), &message(101, 0), "#no event\n\n", &log(102..104)].concat();
    for cut in 1..text.len() {
        let mut imported = Imported::new();
        let mut times = run(&[folder.put("log", &text[..cut])], b"", None, &mut imported).times();
        let again = run(&[folder.put("log", &text[..cut])], b"", None, &mut imported);
        assert_eq!(again.states(), [&FileState::AlreadyImported], "cut at {cut}");
        times.extend(run(&[folder.put("log", text)], b"", None, &mut imported).times());
        assert_eq!(times, [100, 101, 102, 103], "cut at {cut}");
    }
}

#[test]
fn the_year_goes_on_where_a_grown_file_does() {
    let folder = Folder::new();
    let mut imported = Imported::new();
    let (begun, grown) = (on_days(&["Nov  1", "Jan  2"]), on_days(&["Nov  1", "Jan  2", "Feb  3"]));
    run(&[folder.put("log", begun)], b"", Some(2015), &mut imported);
    let outcome = run(&[folder.put("log", grown)], b"", Some(2015), &mut imported);
    assert_eq!(
        outcome.times(),
        [i64::from(crate::event::calendar::Date::parse("2016-02-03").unwrap().0) * 86_400]
    );
}

#[test]
fn standard_input_tells_at_its_end_that_it_was_known() {
    let folder = Folder::new();
    let mut imported = Imported::new();
    let input = PathBuf::from("-");
    for lines in [10, 1000] {
        let text = log(5000..5000 + lines);
        let mut imported = Imported::new();
        let first = run(std::slice::from_ref(&input), text.as_bytes(), None, &mut imported);
        assert_eq!((first.states(), first.reports[0].discard), (vec![&FileState::Read], false));
        let again = run(std::slice::from_ref(&input), &pack(&text), None, &mut imported);
        assert_eq!((again.states(), again.reports[0].discard), (vec![&FileState::AlreadyImported], true));
        let grown = text.clone() + &message(9000, 0);
        let grown = run(std::slice::from_ref(&input), grown.as_bytes(), None, &mut imported);
        assert!(matches!(grown.states()[0], FileState::Failed(why) if why.contains("begins with")));
        assert!(grown.reports[0].discard);
        // A file with that content is known as well.
        let file = run(&[folder.put("log", &text)], b"", None, &mut imported);
        assert_eq!(file.states(), [&FileState::AlreadyImported]);
    }
    let outcome = run(&[input], &pack(&message(1, 0))[..15], None, &mut imported);
    assert!(
        matches!(outcome.states()[0], FileState::Failed(_) | FileState::Partly(_)),
        "{:?}",
        outcome.states()
    );
}

#[test]
fn a_named_pipe_is_read_like_standard_input() {
    let folder = Folder::new();
    let path = folder.0.join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    if !made.is_ok_and(|status| status.success()) {
        return;
    }
    let writer = std::thread::spawn({
        let path = path.clone();
        move || fs::write(path, log(0..100)).unwrap()
    });
    assert_eq!(read(&[path]).times(), (0..100).collect::<Vec<_>>());
    writer.join().unwrap();
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
        run(&files, &packed, None, &mut Imported::new()).counts();
        run(&["-".into()], &bytes, None, &mut Imported::new()).counts();
    }
}
