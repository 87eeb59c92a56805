//! The lock of a store's directory: only one process at a time writes to it. Takes the lock or gives who has it.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::sys::read::at_most;

/// Bytes that are read of the file.
const MAX_BYTES: u64 = 4096;

/// Another process has the lock.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Taken {
    /// Its process id, if it can be found.
    pub process: Option<u32>,
    /// The run directory, if it is a daemon.
    pub daemon: Option<String>,
}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("another fwstat")?;
        match (self.process, &self.daemon) {
            (Some(process), Some(run)) => write!(f, " (process {process}, run directory {run})")?,
            (Some(process), None) => write!(f, " (process {process})")?,
            (None, _) => {}
        }
        f.write_str(" is writing to it")
    }
}

impl std::error::Error for Taken {}

impl Taken {
    /// What an error of [`super::Disk::open_for_writing`] says of another process.
    pub fn of(error: &io::Error) -> Option<&Taken> {
        error.get_ref()?.downcast_ref()
    }

    /// The first line is the process id; a daemon's run directory is in the second.
    fn read(mut file: File) -> Taken {
        // Another process has the lock, whatever the file contains.
        let bytes = at_most(&mut file, MAX_BYTES).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let mut lines = text.lines();
        let process = lines.next().and_then(|line| line.trim().parse().ok());
        let run: Option<String> =
            lines.next().map(|line| line.chars().filter(|letter| !letter.is_control()).collect());
        Taken { process, daemon: run.filter(|run| !run.is_empty()) }
    }
}

/// Takes the lock and writes this process's id to the file, and its run directory if it is a daemon.
pub(super) fn take(file: File, run: Option<&Path>) -> io::Result<Flock<File>> {
    let mut lock =
        Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(file, error)| match error {
            Errno::EWOULDBLOCK => io::Error::new(io::ErrorKind::WouldBlock, Taken::read(file)),
            error => error.into(),
        })?;
    let run = run.map(|run| format!("{}\n", run.display())).unwrap_or_default();
    // Only for messages of other processes: errors are ignored.
    let _ = lock.set_len(0).and_then(|()| write!(&mut *lock, "{}\n{run}", std::process::id()));
    Ok(lock)
}
