//! The program itself: runs it as a person would, and gives what it said.
#![allow(dead_code)]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_fwstat");
static INSTEAD: OnceLock<PathBuf> = OnceLock::new();

/// Another build of the program is asked from now on.
pub fn set_program(program: PathBuf) {
    INSTEAD.get_or_init(|| program);
}

/// What a run of the program came to.
pub struct Ran {
    /// `None`: killed by a signal.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// The program with nothing of the surroundings that could change its answers.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(INSTEAD.get().map_or(Path::new(PROGRAM), PathBuf::as_path));
    command.args(arguments).env_clear().env("TZ", "UTC").env("TMPDIR", env!("CARGO_TARGET_TMPDIR"));
    command
}

pub fn run(arguments: &[&str]) -> Ran {
    run_with_input(arguments, b"")
}

/// Runs it with `input` on standard input.
pub fn run_with_input(arguments: &[&str], input: &[u8]) -> Ran {
    let mut child = command(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // It may have seen enough before the end.
    let feeder = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    Ran {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs it, which must succeed and complain of nothing.
pub fn answer(arguments: &[&str]) -> String {
    let ran = run(arguments);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{arguments:?}");
    ran.stdout
}

pub fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(&answer(arguments)).unwrap()
}

/// A question to a store.
pub fn ask(store: &Path, question: &[&str]) -> Value {
    let store = store.to_str().unwrap();
    json(&[question, &["--db", store, "--json"]].concat())
}

/// A directory of the test's own, empty, below the build directory.
pub fn scratch(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).unwrap();
    directory
}

/// A directory of the test's own, removed with this value.
pub struct Temporary(PathBuf);

impl std::ops::Deref for Temporary {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// In memory, where the system has a file system there (tmpfs): for tests that write thousands of small stores, each of
/// which would wait for the disk in `fsync`.
pub fn scratch_in_memory(name: &str) -> Temporary {
    let memory = Path::new("/dev/shm");
    let memory = if memory.is_dir() { memory } else { Path::new(env!("CARGO_TARGET_TMPDIR")) };
    let directory = memory.join(format!("fwstat-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    Temporary(directory)
}

pub fn shipped(name: &str) -> String {
    format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// A whole text against `tests/golden/{name}.txt`; `FWSTAT_BLESS=1` writes it anew.
pub fn golden(name: &str, text: &str) {
    let path = format!("{}/tests/golden/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("FWSTAT_BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    assert_eq!(text, expected, "{path}");
}

/// Takes out what samples of the sources tell: a store has a salt of its own, and which sources are in a sample
/// depends on how the days came.
pub fn without_estimates(answer: &mut Value) {
    match answer {
        Value::Object(members) => {
            members.retain(|key, _| !key.starts_with("unique_sources"));
            members.values_mut().for_each(without_estimates);
        }
        Value::Array(rows) => rows.iter_mut().for_each(without_estimates),
        _ => {}
    }
}

/// A log with three to six packets a day; the days are counted from 2020-03-01 and reach into April.
pub fn log_of_days(days: std::ops::Range<u32>) -> String {
    let mut text = String::new();
    for day in days {
        let date =
            if day < 31 { format!("2020-03-{:02}", day + 1) } else { format!("2020-04-{:02}", day - 30) };
        for packet in 0..(3 + day % 4) {
            text += &format!(
                "{date}T0{packet}:00:00 router kernel: DROP IN=ppp0 OUT= MAC= SRC=203.0.113.{} DST=198.51.100.20 LEN=44 \
                 TOS=0x00 PREC=0x00 TTL=241 ID={day} PROTO=TCP SPT={} DPT={} WINDOW=1024 RES=0x00 SYN URGP=0\n",
                packet % 3 + 1,
                41_000 + packet,
                [23, 22, 445][packet as usize % 3],
            );
        }
    }
    text
}
