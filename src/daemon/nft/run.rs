//! Runs nft in a child process, one at a time, without blocking.
//!
//! Takes arguments and a script, gives the process's exit status with what it printed. Knows nothing of either.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};

/// nft is searched for here only; the environment's PATH is ignored.
const DIRECTORIES: [&str; 4] = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"];
/// Loading the table takes milliseconds; with thousands of blocks on a small router it takes a second, and longer while
/// flash is busy.
const LOAD_TIMEOUT_MS: u64 = 60_000;
const LIST_TIMEOUT_MS: u64 = 5_000;
/// Polling interval for the exit of a process that has closed its output.
const EXIT_POLL_MS: u64 = 5;
/// Longest output that is read.
pub const MAX_OUTPUT: usize = 1 << 20;

/// nft's path; `None`: not installed.
pub fn program() -> Option<PathBuf> {
    DIRECTORIES.iter().map(|directory| Path::new(directory).join("nft")).find(|path| path.is_file())
}

/// A command for nft with an empty environment.
pub fn command() -> io::Result<Command> {
    let program = program().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "nft is missing"))?;
    let mut command = Command::new(program);
    command.env_clear().current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Ok(command)
}

/// nft that prints the kernel's ruleset as JSON, without the elements of sets.
pub fn list_ruleset() -> io::Result<Command> {
    let mut command = command()?;
    command.args(["-j", "-t", "list", "ruleset"]).stdout(Stdio::piped());
    Ok(command)
}

/// A child process of nft, at most one at a time.
#[derive(Default)]
pub struct Nft {
    running: Option<Running>,
    /// The last process, which may still run.
    pub pid: Option<u32>,
}

/// A process that runs, or that has closed its output.
struct Running {
    child: Child,
    /// The pipe of its standard output or error.
    output: File,
    printed: Vec<u8>,
    /// When it times out (milliseconds since boot).
    until: u64,
    /// When to poll it at the latest.
    poll_at: u64,
    closed: bool,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have exited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Nft {
    /// Whether a process runs.
    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// The pipe of its output, while it is open.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.running.as_ref().filter(|running| !running.closed).map(|running| running.output.as_fd())
    }

    /// When to call [`Nft::poll`] at the latest, in milliseconds since boot.
    pub fn deadline(&self) -> Option<u64> {
        self.running.as_ref().map(|running| running.poll_at)
    }

    /// Starts `nft -f -` with this script; nothing else may be running. What it prints are its errors.
    pub fn load(&mut self, now_ms: u64, script: &str) -> io::Result<()> {
        let mut command = command()?;
        // A memfd: a pipe could block while nft does not read.
        let name = c"fwstat.nft";
        let mut file = File::from(memfd_create(name, MFdFlags::MFD_CLOEXEC)?);
        file.write_all(script.as_bytes())?;
        file.rewind()?;
        let child = command.args(["-f", "-"]).stdin(file).stderr(Stdio::piped()).spawn()?;
        self.watch(child, now_ms, LOAD_TIMEOUT_MS)
    }

    /// Starts to list the ruleset; nothing else may be running.
    pub fn list(&mut self, now_ms: u64) -> io::Result<()> {
        self.watch(list_ruleset()?.spawn()?, now_ms, LIST_TIMEOUT_MS)
    }

    /// Keeps a child process that has been started, and the pipe of its standard output or error.
    fn watch(&mut self, mut child: Child, now_ms: u64, timeout_ms: u64) -> io::Result<()> {
        let errors = child.stderr.take().map(OwnedFd::from);
        let output = child.stdout.take().map(OwnedFd::from).or(errors);
        let output = File::from(output.ok_or(io::ErrorKind::BrokenPipe)?);
        fcntl(&output, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        self.pid = Some(child.id());
        let until = now_ms.saturating_add(timeout_ms);
        let printed = Vec::new();
        self.running = Some(Running { child, output, printed, until, poll_at: until, closed: false });
        Ok(())
    }

    /// Tests whether it has exited: with which status, and what it printed. The error says what became of it otherwise.
    pub fn poll(&mut self, now_ms: u64) -> Option<Result<(ExitStatus, Vec<u8>), String>> {
        let running = self.running.as_mut()?;
        if !running.closed {
            // One byte more than the limit, to detect longer output.
            let room = (MAX_OUTPUT + 1).saturating_sub(running.printed.len()) as u64;
            let read = (&running.output).take(room).read_to_end(&mut running.printed);
            running.closed = read.is_ok();
        }
        let is_late = now_ms >= running.until;
        let exited = if running.printed.len() > MAX_OUTPUT {
            // The caller sees that it is too long.
            running.child.kill().and_then(|()| running.child.wait()).map(Some)
        } else if running.closed {
            // Its output is complete only when the pipe is closed.
            running.child.try_wait()
        } else {
            Ok(None)
        };
        let outcome = match exited {
            Ok(Some(status)) => Ok((status, std::mem::take(&mut running.printed))),
            Ok(None) if !is_late => {
                let again = if running.closed { now_ms.saturating_add(EXIT_POLL_MS) } else { running.until };
                running.poll_at = again.min(running.until);
                return None;
            }
            Ok(None) => Err("it did not end in time and was killed".to_string()),
            Err(error) => Err(format!("cannot wait for nft: {error}")),
        };
        self.running = None;
        Some(outcome)
    }
}

/// The error of an `nft -f -` that failed, in its own words.
pub fn failure(status: ExitStatus, printed: &[u8]) -> String {
    first_line(printed).unwrap_or_else(|| format!("nft ended with {status}"))
}

/// The first line of nft's messages that says what is wrong, in plain letters.
fn first_line(text: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(text);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    // `/dev/stdin:1:2-3: Error: words`
    let words = line.split_once("Error: ").map_or(line, |(_, words)| words);
    Some(words.chars().filter(|letter| !letter.is_control()).take(160).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_what_stands_after_the_place() {
        let text = b"/dev/stdin:1:18-23: Error: No such file or directory\nadd element ...\n  ^^^\n";
        assert_eq!(first_line(text).as_deref(), Some("No such file or directory"));
        assert_eq!(
            first_line(b"netlink: Error: cache initialization failed: Operation not permitted\n").as_deref(),
            Some("cache initialization failed: Operation not permitted")
        );
        assert_eq!(first_line(b"\n"), None);
    }
}
