//! Reads the options of the daemon, at its start and while it runs.
//!
//! Takes the file and the options in use, gives new ones: an invalid or missing file leaves what is in use. Applies nothing.

use std::fs::File;
use std::path::Path;

use crate::config::{Config, shown};
use crate::sys::read::at_most;

/// A longer file is not read.
const MAX_FILE: u64 = 256 << 10;

/// The file's text. The error is a sentence without its consequence.
pub(super) fn read(path: &Path) -> Result<String, String> {
    match File::open(path).and_then(|mut file| at_most(&mut file, MAX_FILE + 1)) {
        Err(error) => Err(format!("cannot read {}: {error}", shown(path))),
        Ok(bytes) if bytes.len() as u64 > MAX_FILE => {
            Err(format!("cannot read {}: it is longer than {} KiB", shown(path), MAX_FILE >> 10))
        }
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

/// The options to use, and the errors of the file. `in_use`: the options of a running daemon, which stay where the file
/// is wrong.
pub fn load(path: &Path, in_use: Option<&Config>) -> (Config, Vec<String>) {
    let (config, problems) = match (read(path), in_use) {
        (Ok(text), in_use) => Config::read(&shown(path), &text, in_use),
        (Err(why), Some(in_use)) => return (in_use.clone(), vec![format!("{why}; the options in use stay")]),
        (Err(why), None) => return (Config::default(), vec![format!("{why}; using the defaults")]),
    };
    (config, problems.into_iter().map(|problem| problem.sentence).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_or_endless_file_leaves_everything() {
        let in_use = Config { database: "/mnt/x".into(), ..Config::default() };
        for (path, what) in [
            ("/nonexistent/fwstat", "No such file"),
            ("/dev/zero", "longer than 256 KiB"),
            ("/", "directory"),
        ] {
            let (config, problems) = load(Path::new(path), Some(&in_use));
            assert_eq!(config, in_use);
            assert!(
                problems[0].contains(what) && problems[0].ends_with("the options in use stay"),
                "{problems:?}"
            );
        }
    }
}
