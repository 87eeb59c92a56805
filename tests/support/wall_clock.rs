//! A daemon's clocks as the test wants them, by libfaketime: it reads a file with the offset whenever the daemon asks
//! for the time, so that a clock can be set while the daemon runs.

// Each test takes what it needs.
#![allow(dead_code)]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// The difference between a daemon's wall clock and this machine's.
pub struct WallClock {
    file: PathBuf,
    library: PathBuf,
    /// Its boot clock moves along.
    boot_too: bool,
}

impl WallClock {
    /// `None`, with a word on stderr, where libfaketime is missing. With `CI=true` that is a failure.
    pub fn new(directory: &Path, boot_too: bool) -> Option<WallClock> {
        let places = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
        let library =
            places.map(|place| place.path().join("faketime/libfaketime.so.1")).find(|path| path.exists());
        let Some(library) = library else {
            let why = "libfaketime is missing (Debian's package faketime)";
            if std::env::var_os("CI").is_some_and(|ci| ci == "true") {
                panic!("this test must run in CI: {why}");
            }
            eprintln!("SKIPPED: {why}");
            return None;
        };
        Some(WallClock { file: directory.join("clock"), library, boot_too })
    }

    /// For the daemon's process.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let mut environment = vec![
            ("LD_PRELOAD", self.library.display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", self.file.display().to_string()),
            ("FAKETIME_NO_CACHE", "1".to_string()),
            ("NO_FAKE_STAT", "1".to_string()),
        ];
        if !self.boot_too {
            environment.push(("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_string()));
            environment.push(("DONT_FAKE_MONOTONIC", "1".to_string()));
        }
        environment
    }

    /// So many seconds ahead of this machine's clock.
    pub fn ahead(&self, seconds: i64) {
        let new = self.file.with_extension("new");
        fs::write(&new, format!("{seconds:+}\n")).unwrap();
        fs::rename(&new, &self.file).unwrap();
    }

    /// To an instant, in seconds since 1970 UTC; gives how far it is ahead then.
    pub fn set(&self, instant: i64) -> i64 {
        let ahead = instant - now();
        self.ahead(ahead);
        ahead
    }
}

/// This machine's clock.
pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}
