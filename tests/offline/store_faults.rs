//! A commit whose system calls fail or are cut off by a kill, one after the other; links and FIFOs in a store's directory;
//! power cuts. What is asked afterwards is as before the commit or as after it, and what is imported again counts once.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::common::fwstat::{Ran, Temporary, answer, command, log_of_days, run, scratch_in_memory};

type Files = BTreeMap<String, Vec<u8>>;

fn files(directory: &Path) -> Files {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_string();
    entries.filter(|path| path.is_file()).map(|path| (name(&path), fs::read(&path).unwrap())).collect()
}

fn lay_out(directory: &Path, files: &Files) {
    let _ = fs::remove_dir_all(directory);
    fs::create_dir_all(directory).unwrap();
    files.iter().for_each(|(name, bytes)| fs::write(directory.join(name), bytes).unwrap());
}

fn import_arguments<'a>(store: &'a Path, log: &'a Path) -> [&'a str; 6] {
    ["import", "--db", store.to_str().unwrap(), "--timezone", "UTC", log.to_str().unwrap()]
}

fn import(store: &Path, log: &Path) {
    let ran = run(&import_arguments(store, log));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

/// What a store answers; nothing may be wrong with it.
fn answers(store: &Path) -> String {
    let store = store.to_str().unwrap();
    ["days", "services", "sources"].map(|topic| answer(&[topic, "--json", "--db", store])).join("\n")
}

struct Small {
    directory: Temporary,
    first: PathBuf,
    second: PathBuf,
    before: Files,
    told_before: String,
    told_after: String,
}

/// A store with one log; what it answers then, and after a second one.
fn small(name: &str) -> Small {
    let directory = scratch_in_memory(name);
    let (first, second) = (directory.join("first.log"), directory.join("second.log"));
    fs::write(&first, log_of_days(28..34)).unwrap();
    fs::write(&second, log_of_days(34..36)).unwrap();
    let store = directory.join("whole");
    import(&store, &first);
    let (before, told_before) = (files(&store), answers(&store));
    import(&store, &second);
    let told_after = answers(&store);
    assert_ne!(told_before, told_after);
    Small { directory, first, second, before, told_before, told_after }
}

/// The library that makes calls fail.
fn failing_calls(directory: &Path) -> PathBuf {
    let library = directory.join("failing_calls.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/failing_calls.c");
    let made =
        Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).args([source, "-ldl"]).status();
    assert!(made.expect("a C compiler").success());
    library
}

/// Imports the second log; the call of this number fails.
fn fail(small: &Small, library: &Path, store: &Path, at: u32, error: i32, after: bool) -> (Ran, u32) {
    let count = small.directory.join("count");
    let _ = fs::remove_file(&count);
    let child = command(&import_arguments(store, &small.second))
        .env("LD_PRELOAD", library)
        .env("FAIL_AT", at.to_string())
        .env("FAIL_ERRNO", error.to_string())
        .env("FAIL_AFTER", u8::from(after).to_string())
        .env("FAIL_COUNT", &count)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let calls = fs::read_to_string(&count).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (Ran { code: child.status.code(), stdout: text(child.stdout), stderr: text(child.stderr) }, calls)
}

#[test]
fn a_commit_whose_calls_fail_or_are_cut_off_is_all_or_nothing_and_says_which() {
    let small = small("faults-calls");
    let library = failing_calls(&small.directory);
    let store = small.directory.join("store");
    lay_out(&store, &small.before);
    let (ran, calls) = fail(&small, &library, &store, 0, 0, false);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(answers(&store), small.told_after);
    // Five files or more, each created, written and synced, moved; three directories synced.
    assert!((25..200).contains(&calls), "{calls}");
    let mut seen = BTreeMap::new();
    for at in 1..=calls {
        for error in [libc::ENOSPC, libc::EIO, libc::EROFS, 0] {
            for after in [false, true] {
                let name = format!("call {at} of {calls}, error {error}, done: {after}");
                lay_out(&store, &small.before);
                let (ran, _) = fail(&small, &library, &store, at, error, after);
                let told = answers(&store);
                let counts = told == small.told_after;
                assert!(counts || told == small.told_before, "{name}: {told}");
                if error != 0 {
                    // What is said is true.
                    assert_eq!(ran.code == Some(0), counts, "{name}: {:?} {}", ran.code, ran.stderr);
                }
                *seen.entry((error, counts)).or_insert(0) += 1;
                import(&store, &small.second);
                assert_eq!(answers(&store), small.told_after, "{name}, imported again");
                assert!(!store.join("commit").exists() && !store.join("commit.new").exists(), "{name}");
            }
        }
    }
    eprintln!("{calls} calls: {seen:?}");
    assert!(seen.len() >= 6, "{seen:?}");
}

/// What stands in a file's place and is none: it is never opened, the owner is told, and it stays.
#[test]
fn links_and_fifos_in_a_stores_directory_are_told_and_left_alone() {
    let small = small("faults-links");
    let store = small.directory.join("store");
    let elsewhere = small.directory.join("elsewhere");
    for name in small.before.keys().map(String::as_str).chain(["commit", "commit.new"]) {
        for kind in ["link", "dangling", "fifo"] {
            lay_out(&store, &small.before);
            let path = store.join(name);
            let _ = fs::remove_file(&path);
            // A link to a file that is a whole one of the store.
            fs::write(&elsewhere, small.before.get(name).map_or(&b"x"[..], Vec::as_slice)).unwrap();
            match kind {
                "link" => symlink(&elsewhere, &path).unwrap(),
                "dangling" => symlink(small.directory.join("nowhere"), &path).unwrap(),
                _ => {
                    let path = CString::new(path.to_str().unwrap()).unwrap();
                    nix::unistd::mkfifo(path.as_c_str(), nix::sys::stat::Mode::S_IRWXU).unwrap();
                }
            }
            let about = format!("{name}, {kind}");
            let ran = run(&["summary", "--json", "--db", store.to_str().unwrap()]);
            let is_told = ran.stderr.contains(name) || ran.stdout.contains("\"complete\":false");
            let is_lock = name == "lock" || name == "commit.new";
            assert!(is_told || is_lock, "{about}: {} {}", ran.stdout, ran.stderr);
            let ran = run(&import_arguments(&store, &small.second));
            assert_eq!(ran.code, Some(1), "{about}: {}", ran.stderr);
            assert!(ran.stderr.contains(name), "{about}: {}", ran.stderr);
            let status = fs::symlink_metadata(&path).unwrap();
            assert!(!status.is_file(), "{about}");
            let whole = small.before.get(name).map_or(&b"x"[..], Vec::as_slice);
            assert_eq!(fs::read(&elsewhere).unwrap(), whole, "{about}");
            assert!(!small.directory.join("nowhere").exists(), "{about}");
        }
    }
    assert!(small.first.exists());
}

/// Images of a file system, copied at random moments while imports run: `tests/power-cut` tries many.
#[test]
fn a_power_cut_leaves_a_commit_whole_or_undone() {
    if !nix::unistd::geteuid().is_root() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "power cuts need root");
        return eprintln!("SKIPPED: power cuts need root");
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/power-cut");
    let ran = Command::new(script).args(["4", crate::common::fwstat::PROGRAM]).output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    if ran.status.code() == Some(77) {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{stderr}");
        return eprintln!("SKIPPED: {stderr}");
    }
    assert!(ran.status.success(), "{stdout}{stderr}");
}
