//! The store's files, damaged in every place, and imports that are killed at every step: what is asked afterwards is
//! right, or says what is wrong with it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::common::fwstat::{
    PROGRAM, Temporary, answer, command, log_of_days, run, run_with_input, scratch, scratch_in_memory,
    shipped,
};
use crate::common::generate::random::Random;
use fwstat::cli::arguments::{Input, StoreOptions};
use fwstat::cli::offline;
use fwstat::event::calendar::{Calendar, Date};
use fwstat::output::json;
use fwstat::query::question::{Prefix, Question, Topic};
use fwstat::store::directory::{Directory, Disk};
use fwstat::store::{Meta, Retention, Store};
use fwstat::sys::zone;

const TOPICS: [Topic; 8] = [
    Topic::Summary,
    Topic::Months,
    Topic::Days,
    Topic::Services,
    Topic::Sources,
    Topic::Anomalies,
    Topic::Hours,
    Topic::Source,
];

type Files = BTreeMap<String, Vec<u8>>;

fn files(directory: &Path) -> Files {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_string();
    let kept = entries.filter(|path| path.is_file() && name(path) != "lock");
    kept.map(|path| (name(&path), fs::read(&path).unwrap())).collect()
}

/// Makes `directory` hold these files and nothing else.
fn lay_out(directory: &Path, files: &Files) {
    let _ = fs::remove_dir_all(directory);
    fs::create_dir_all(directory).unwrap();
    files.iter().for_each(|(name, bytes)| fs::write(directory.join(name), bytes).unwrap());
}

struct Small {
    directory: Temporary,
    first: PathBuf,
    second: PathBuf,
    /// After the first log, and after both.
    before: Files,
    after: Files,
}

fn small(name: &str) -> Small {
    let directory = scratch_in_memory(name);
    let (first, second) = (directory.join("first.log"), directory.join("second.log"));
    fs::write(&first, log_of_days(28..34)).unwrap();
    fs::write(&second, log_of_days(34..36)).unwrap();
    let store = directory.join("store");
    import(&store, &first).unwrap();
    let before = files(&store);
    import(&store, &second).unwrap();
    let after = files(&store);
    Small { directory, first, second, before, after }
}

/// What is said of an import, or why it failed.
fn import(store: &Path, log: &Path) -> Result<Vec<String>, String> {
    let input = Input {
        files: vec![log.to_path_buf()],
        timezone: Some("UTC".into()),
        year: None,
        wan: Vec::new(),
        lan: Vec::new(),
        firewall: None,
        countries: fwstat::cli::arguments::DEFAULT_COUNTRIES.into(),
    };
    let reading =
        offline::import(&input, store, Path::new("/nonexistent"), Retention::default(), &mut |_| {})?;
    Ok(reading.failures.into_iter().chain(reading.notes).collect())
}

/// Questions that together read every section of a month.
fn questions() -> Vec<Question> {
    let mut questions: Vec<Question> = TOPICS.into_iter().map(Question::new).collect();
    let source = Prefix::parse("203.0.113.1").unwrap();
    questions.iter_mut().filter(|question| question.topic == Topic::Source).for_each(|question| {
        question.source = Some(source);
    });
    for day in ["2020-03-30", "2020-04-02"] {
        let day = Date::parse(day);
        let of_day = |topic| Question { from: day, to: day, ..Question::new(topic) };
        questions.push(Question { source: Some(source), ..of_day(Topic::Hours) });
        questions.push(Question { port: Some(23), ..of_day(Topic::Hours) });
        questions.push(Question { port: Some(23), ..of_day(Topic::Sources) });
    }
    questions
}

/// All answers of a store as JSON, and what it says of damage; or why it cannot be opened.
fn answers(store: &Path) -> Result<(Vec<String>, Vec<String>), String> {
    let mut opened = offline::open_store(&StoreOptions::of(store.into()))?;
    let mut told = Vec::new();
    for question in questions() {
        let answer = opened.answer(&question);
        told.push(answer.map_or_else(|(_, sentence)| sentence, |answer| json::text(&answer)));
    }
    Ok((told, opened.notes()))
}

fn whole(store: &Path) -> Vec<String> {
    let (told, damage) = answers(store).unwrap();
    assert_eq!(damage, Vec::<String>::new());
    told
}

/// Every way to harm one file: one bit of each byte turned, and each length to cut it at.
fn harms(bytes: &[u8]) -> impl Iterator<Item = (String, Vec<u8>)> {
    let flips = (0..bytes.len()).map(move |place| {
        let mut harmed = bytes.to_vec();
        harmed[place] ^= 1 << (place % 8);
        (format!("bit of byte {place}"), harmed)
    });
    flips.chain((0..bytes.len()).map(move |length| (format!("cut at {length}"), bytes[..length].to_vec())))
}

#[test]
fn whatever_is_harmed_is_said_by_whoever_reads() {
    let small = small("store-harm-read");
    let store = small.directory.join("harmed");
    lay_out(&store, &small.after);
    let original = whole(&store);
    let (mut tried, mut unread) = (0, 0);
    // Without store.fws the store's time zone is unknown: answers are in the system's, and say so.
    let zone = Calendar::system(zone::name().as_deref());
    let system_zone = format!("\"timezone\":\"{}\"", zone.name());
    for (name, bytes) in &small.after {
        for (harm, harmed) in harms(bytes) {
            fs::write(store.join(name), &harmed).unwrap();
            match answers(&store) {
                Err(sentence) => assert!(sentence.contains(name), "{name}, {harm}: {sentence}"),
                Ok((told, damage)) => {
                    let is_named = damage.iter().any(|sentence| sentence.contains(name));
                    unread += u32::from(!is_named);
                    for (told, original) in told.iter().zip(&original) {
                        // A file of a newer version is no damage: only the answer tells it.
                        let says = (is_named || told.contains(name)) && told.contains("\"complete\":false")
                            || is_named && name == "store.fws" && told.contains(&system_zone);
                        assert!(told == original || says, "{name}, {harm}: {told}");
                    }
                }
            }
            assert_eq!(fs::read(store.join(name)).unwrap(), harmed, "reading changes nothing");
            tried += 1;
        }
        fs::write(store.join(name), bytes).unwrap();
    }
    assert_eq!(files(&store), small.after);
    // Of sections that no question reads nothing can be said: the samples of classes that nobody asked about.
    eprintln!("{tried} harms, {unread} of them not read");
    assert!(tried > 3000 && unread * 10 < tried, "{tried} {unread}");
}

#[test]
fn whatever_is_harmed_is_set_aside_by_the_next_import_and_never_lost() {
    let small = small("store-harm-write");
    let store = small.directory.join("harmed");
    lay_out(&store, &small.after);
    let original = whole(&store);
    for (name, bytes) in &small.before {
        for (harm, harmed) in harms(bytes).step_by(3) {
            lay_out(&store, &small.before);
            fs::write(store.join(name), &harmed).unwrap();
            let said = match import(&store, &small.second) {
                Ok(said) => said,
                Err(sentence) => {
                    assert!(sentence.contains(name), "{name}, {harm}: {sentence}");
                    assert_eq!(fs::read(store.join(name)).unwrap(), harmed);
                    continue;
                }
            };
            let named =
                |said: &[String]| said.iter().any(|sentence| sentence.contains(&format!("{name}.bad")));
            if fs::read(store.join(name)).is_ok_and(|bytes| bytes == harmed) {
                // The import had nothing to do with it.
                continue;
            }
            assert!(named(&said), "{name}, {harm}: {said:?}");
            assert_eq!(fs::read(store.join(format!("{name}.bad"))).unwrap(), harmed, "{name}, {harm}");
            let (told, damage) = answers(&store).unwrap();
            assert!(told == original || named(&damage), "{name}, {harm}: {damage:?}");
        }
    }
}

#[test]
fn the_program_names_the_damaged_file() {
    let small = small("store-harm-program");
    let store = small.directory.join("harmed");
    let text = store.to_str().unwrap();
    lay_out(&store, &small.after);
    let expected = run(&["summary", "--json", "--db", text]).stdout;
    for (name, bytes) in &small.after {
        for (harm, harmed) in harms(bytes).step_by(61) {
            lay_out(&store, &small.after);
            fs::write(store.join(name), &harmed).unwrap();
            let ran = run(&["summary", "--json", "--db", text]);
            assert!(matches!(ran.code, Some(0 | 1)), "{name}, {harm}: {:?}", ran.code);
            let unread = ran.stdout == expected && ran.code == Some(0);
            assert!(unread || ran.stderr.contains(name), "{name}, {harm}: {}", ran.stderr);
            let ran = run(&["import", "--timezone", "UTC", "--db", text, small.second.to_str().unwrap()]);
            assert!(matches!(ran.code, Some(0 | 1)), "{name}, {harm}: {:?}", ran.code);
            let untouched = fs::read(store.join(name)).unwrap() == harmed;
            assert!(untouched || ran.stderr.contains(name), "{name}, {harm}: {}", ran.stderr);
        }
    }
}

/// Every state that a power cut can leave behind between a commit's first and last step.
#[test]
fn a_commit_that_is_cut_at_any_step_is_all_or_nothing() {
    let small = small("store-steps");
    let store = small.directory.join("cut");
    lay_out(&store, &small.before);
    let before = whole(&store);
    lay_out(&store, &small.after);
    let after = whole(&store);
    let new: Vec<_> =
        small.after.iter().filter(|(name, bytes)| small.before.get(*name) != Some(*bytes)).collect();
    let gone: Vec<&String> = small.before.keys().filter(|name| !small.after.contains_key(*name)).collect();
    assert!(new.len() >= 3 && !gone.is_empty(), "{} {}", new.len(), gone.len());
    let list: String = gone.iter().map(|name| format!("{name}\n")).collect();

    let check = |expected: &Vec<String>, step: &str| {
        assert_eq!(whole(&store), *expected, "{step}");
        import(&store, &small.second).unwrap();
        assert_eq!(whole(&store), after, "{step}, imported again");
        assert!(!store.join("commit").exists() && !store.join("commit.new").exists(), "{step}");
    };
    // What is not complete counts for nothing: some of its files, the last of them half written.
    for written in 0..=new.len() {
        lay_out(&store, &small.before);
        fs::create_dir(store.join("commit.new")).unwrap();
        for (name, bytes) in &new[..written] {
            fs::write(store.join("commit.new").join(name), &bytes[..bytes.len() / 2]).unwrap();
        }
        check(&before, &format!("{written} files written"));
    }
    // From the rename on it counts whole, however many files have moved.
    for removed in 0..=gone.len() {
        for moved in 0..=new.len() {
            if moved > 0 && removed < gone.len() {
                continue;
            }
            lay_out(&store, &small.before);
            fs::create_dir(store.join("commit")).unwrap();
            fs::write(store.join("commit/removed"), &list).unwrap();
            for (number, (name, bytes)) in new.iter().enumerate() {
                let directory = if number < moved { store.clone() } else { store.join("commit") };
                fs::write(directory.join(name), bytes).unwrap();
            }
            gone[..removed].iter().for_each(|name| fs::remove_file(store.join(name)).unwrap());
            check(&after, &format!("{removed} files removed, {moved} moved"));
        }
    }
    lay_out(&store, &small.after);
    fs::create_dir(store.join("commit")).unwrap();
    check(&after, "all moved, the list gone");
}

#[test]
fn a_killed_import_is_all_or_nothing() {
    let directory = scratch_in_memory("store-kill");
    let text = {
        let gz = fs::File::open(shipped("router.log.gz")).unwrap();
        std::io::read_to_string(flate2::read::GzDecoder::new(gz)).unwrap()
    };
    let half = text.len() / 2 + text[text.len() / 2..].find('\n').unwrap() + 1;
    let (first, second) = (directory.join("first.log"), directory.join("second.log"));
    fs::write(&first, &text[..half]).unwrap();
    fs::write(&second, &text[half..]).unwrap();
    let store = directory.join("store");
    import(&store, &first).unwrap();
    let (before_files, before) = (files(&store), whole(&store));
    let started = std::time::Instant::now();
    let arguments =
        ["import", "--db", store.to_str().unwrap(), "--timezone", "UTC", second.to_str().unwrap()];
    answer(&arguments);
    let length = started.elapsed();
    let after = whole(&store);
    let mut random = Random::new(std::process::id().into());
    let mut seen = [0; 2];
    for _ in 0..60 {
        lay_out(&store, &before_files);
        let mut child = command(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // Most of them late: the commit is the last part.
        let part = if random.one_in(4) { random.unit() } else { 0.7 + random.unit() * 0.4 };
        std::thread::sleep(length.mul_f64(part));
        child.kill().unwrap();
        child.wait().unwrap();
        let told = whole(&store);
        assert!(told == before || told == after);
        seen[usize::from(told == after)] += 1;
        let mut names = fs::read_dir(&store).unwrap().map(|entry| entry.unwrap().file_name());
        assert!(names.all(|name| !name.to_str().unwrap().contains("spool")));
        // The next import takes the lock, cleans up and ends where an undisturbed one does.
        import(&store, &second).unwrap();
        assert_eq!(whole(&store), after);
    }
    assert!(seen[0] > 0, "no import was cut: {seen:?}");
}

#[test]
fn only_one_process_writes_at_a_time() {
    let small = small("store-lock");
    let store = small.directory.join("locked");
    let text = store.to_str().unwrap();
    let arguments = ["import", "--db", text, "--timezone", "UTC", "-"];
    let mut first = command(&arguments).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    // It has the lock once it has read something; a pipe holds 64 KiB.
    let mut stdin = first.stdin.take().unwrap();
    let filler = "2020-03-01T00:00:00 router dnsmasq[1]: nothing of interest here\n".repeat(4000);
    stdin.write_all(filler.as_bytes()).unwrap();
    let ran = run(&["import", "--db", text, "--timezone", "UTC", small.second.to_str().unwrap()]);
    assert_eq!(ran.code, Some(1));
    let first_is = format!("another fwstat (process {}) is writing to it", first.id());
    assert_eq!(ran.stderr, format!("fwstat: cannot write to {text}: {first_is}\n"));
    let ran = run(&["summary", "--db", text]);
    assert_eq!(ran.code, Some(0), "reading is possible meanwhile: {}", ran.stderr);
    stdin.write_all(log_of_days(28..34).as_bytes()).unwrap();
    drop(stdin);
    assert!(first.wait().unwrap().success());
    import(&store, &small.second).unwrap();
    let parts = whole(&store);
    lay_out(&store, &small.after);
    assert_eq!(parts, whole(&store));
    // Nobody holds a lock for a process that is gone.
    let mut killed = command(&arguments).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    killed.stdin.as_mut().unwrap().write_all(filler.as_bytes()).unwrap();
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert!(import(&store, &small.first).is_ok());
}

fn whole_but_damaged(store: &Path) -> Vec<String> {
    answers(store).unwrap().0
}

/// Without the list of what was imported, the first log is counted a second time, and the import says so.
#[test]
fn a_lost_list_of_imports_does_not_count_twice_unsaid() {
    let small = small("store-imported");
    let store = small.directory.join("harmed");
    lay_out(&store, &small.before);
    let expected = whole(&store);
    let mut list = small.before["store.fws"].clone();
    let last = list.len() - 1;
    list[last / 2] ^= 1;
    fs::write(store.join("store.fws"), list).unwrap();
    let said = import(&store, &small.first).unwrap();
    assert!(
        said.iter().any(|said| said.contains("a file that was imported before is counted again")),
        "{said:?}"
    );
    assert_ne!(whole_but_damaged(&store), expected);
}

/// Makes an empty list of this version that of the store.
fn put_list(directory: &Path, version: u8) {
    let disk = Disk::open_for_writing(directory).unwrap();
    let mut store = Store::open(Directory::Disk(disk), Retention::default(), None).unwrap();
    let imported = [&b"FWIM"[..], &[version], &[0; 4]].concat();
    let changes = store.change_meta(&Meta { imported, ..Meta::default() }).unwrap();
    store.commit(changes).unwrap();
}

/// The sums of version 1 are not those of today.
#[test]
fn a_list_of_imports_of_an_older_version_is_told() {
    let small = small("store-older-list");
    let directory = small.directory.join("store");
    put_list(&directory, 1);
    let told = "the list of imported files has version 1: this fwstat reads 2; a file that was imported before is \
                counted again";
    assert_eq!(import(&directory, &small.second).unwrap(), [told]);
    let known = format!("{} was read before: it is not counted again", small.second.display());
    assert_eq!(import(&directory, &small.second).unwrap(), [known]);
}

#[test]
fn a_list_of_imports_of_a_newer_version_is_left_alone() {
    let small = small("store-newer-list");
    let directory = small.directory.join("store");
    put_list(&directory, 3);
    let before = files(&directory);
    let told = "the list of imported files has version 3: this fwstat reads 2; use the newer fwstat";
    assert_eq!(import(&directory, &small.second), Err(told.into()));
    assert_eq!(files(&directory), before);
}

fn as_newer(bytes: &[u8]) -> Vec<u8> {
    let mut newer = bytes.to_vec();
    newer[4] = 9;
    newer
}

#[test]
fn a_newer_file_is_left_alone() {
    let small = small("store-newer");
    let store = small.directory.join("newer");
    let text = store.to_str().unwrap();
    for name in small.after.keys() {
        let mut files_of_newer = small.after.clone();
        files_of_newer.insert(name.clone(), as_newer(&small.after[name]));
        lay_out(&store, &files_of_newer);
        let third = small.directory.join("third.log");
        fs::write(&third, log_of_days(36..37)).unwrap();
        let ran = run(&["import", "--db", text, "--timezone", "UTC", third.to_str().unwrap()]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{name}");
        assert_eq!(
            ran.stderr,
            format!(
                "fwstat: {text}/{name} was written by a newer fwstat (format 9, this one reads up to 1): it is left as \
                 it is; use the newer fwstat\n"
            )
        );
        let ran = run(&["summary", "--json", "--db", text]);
        let told = ran.stderr + &ran.stdout;
        assert!(told.contains(name.as_str()) && told.contains("newer"), "{name}: {told}");
        assert_eq!(files(&store), files_of_newer, "{name}");
    }
}

/// As somebody who may read and not write; root may always write.
fn as_reader(arguments: &[&str], program: &Path) -> (Option<i32>, String) {
    let mut command = Command::new(program);
    command.args(arguments).env("TMPDIR", "/tmp");
    if nix::unistd::geteuid().is_root() {
        command.uid(65_534).gid(65_534);
    }
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_directory_that_cannot_be_written_is_read_and_says_so() {
    let small = small("store-read-only");
    // Where everybody may look.
    let directory = std::env::temp_dir().join(format!("fwstat-read-only-{}", std::process::id()));
    let store = directory.join("store");
    lay_out(&store, &small.before);
    let program = directory.join("fwstat");
    // Not by this process: another test's child could hold the open copy, which then cannot be run.
    assert!(Command::new("cp").arg(PROGRAM).arg(&program).status().unwrap().success());
    let log = directory.join("second.log");
    fs::copy(&small.second, &log).unwrap();
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    mode(&directory, 0o755);
    mode(&store, 0o555);
    let text = store.to_str().unwrap();
    let read = as_reader(&["summary", "--db", text], &program);
    let wrote = as_reader(&["import", "--db", text, log.to_str().unwrap()], &program);
    let kept = files(&store);
    mode(&store, 0o755);
    fs::remove_dir_all(&directory).unwrap();
    assert_eq!(read, (Some(0), String::new()));
    let refused = format!("fwstat: cannot write to {text}: Permission denied (os error 13)\n");
    assert_eq!(wrote, (Some(1), refused));
    assert_eq!(kept, small.before);
}

#[test]
fn a_store_keeps_its_time_zone() {
    let directory = scratch("store-zone");
    let store = directory.join("store");
    let text = store.to_str().unwrap();
    let ran =
        run_with_input(&["import", "--db", text, "--timezone", "JST-9", "-"], log_of_days(28..30).as_bytes());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let ran =
        run_with_input(&["import", "--db", text, "--timezone", "UTC", "-"], log_of_days(30..31).as_bytes());
    assert_eq!(ran.code, Some(1));
    assert_eq!(
        ran.stderr,
        "fwstat: the days of this store are counted in the time zone JST-9: leave out --timezone UTC, or use another \
         directory\n"
    );
}
