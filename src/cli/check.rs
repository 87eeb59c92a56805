//! `fwstat check`: runs the checks of `daemon::check` and prints their findings. Contains no checks itself.

use std::io::Write;

use super::shell::{Outcome, ShellError};
use crate::daemon::DaemonPaths;
use crate::daemon::check::{Severity, check};
use crate::output::cells::plain;

/// One line for each finding; the command fails if something does not work.
pub fn run(paths: &DaemonPaths, out: &mut dyn Write) -> Result<Outcome, ShellError> {
    let findings = check(paths);
    for (severity, sentence) in &findings.0 {
        writeln!(out, "{:5}  {}", severity.word(), plain(sentence))?;
    }
    let errors = findings.0.iter().filter(|(severity, _)| *severity == Severity::Wrong).count();
    if errors > 0 {
        return Ok(Outcome::failed(format!("{errors} of these keep something from working")));
    }
    Ok(Outcome::fine())
}
