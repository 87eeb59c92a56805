//! Runs `nft -f -`, one process at a time, without blocking.
//!
//! Takes a script, gives the end of the process with the first line of its errors. Knows nothing of the script.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};

/// nft is looked for here alone: what the surroundings call PATH is not asked.
const DIRECTORIES: [&str; 4] = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"];
/// It takes milliseconds; on a small router with thousands of blocks a second, and longer while flash is busy.
const LIMIT_MS: u64 = 60_000;
/// After it closed its messages it is about to end.
const ENDING_MS: u64 = 5;
/// Bytes of its messages that are read.
const MAX_BYTES: usize = 2048;

/// nft's path; `None`: not installed.
pub fn program() -> Option<PathBuf> {
    DIRECTORIES.iter().map(|directory| Path::new(directory).join("nft")).find(|path| path.is_file())
}

/// nft with nothing of the surroundings that could change what it does.
pub fn command() -> io::Result<Command> {
    let program = program().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "nft is missing"))?;
    let mut command = Command::new(program);
    command.env_clear().current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Ok(command)
}

/// A child process `nft -f -`, at most one at a time.
#[derive(Default)]
pub struct Nft {
    running: Option<Running>,
    /// The process that ran last, and still may.
    pub pid: Option<u32>,
}

struct Running {
    child: Child,
    messages: ChildStderr,
    text: Vec<u8>,
    until: u64,
    ended: bool,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may be over already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Nft {
    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// The pipe of its standard error, while it is open.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.running.as_ref().filter(|running| !running.ended).map(|running| running.messages.as_fd())
    }

    /// When to call [`Nft::poll`] at the latest, in milliseconds since boot.
    pub fn deadline(&self) -> Option<u64> {
        self.running.as_ref().map(|running| running.until)
    }

    /// Starts it with this text; nothing else may be running.
    pub fn start(&mut self, now_ms: u64, script: &str) -> io::Result<()> {
        let mut command = command()?;
        // A file in memory: no pipe that fills up while nobody reads.
        let name = c"fwstat.nft";
        let mut file = File::from(memfd_create(name, MFdFlags::MFD_CLOEXEC)?);
        file.write_all(script.as_bytes())?;
        file.rewind()?;
        let mut child = command.args(["-f", "-"]).stdin(file).stderr(Stdio::piped()).spawn()?;
        self.pid = Some(child.id());
        let messages = child.stderr.take().ok_or(io::ErrorKind::BrokenPipe)?;
        fcntl(&messages, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let until = now_ms.saturating_add(LIMIT_MS);
        self.running = Some(Running { child, messages, text: Vec::new(), until, ended: false });
        Ok(())
    }

    /// Looks whether it is done; the error is its own words, or what became of it.
    pub fn poll(&mut self, now_ms: u64) -> Option<Result<(), String>> {
        let running = self.running.as_mut()?;
        let mut piece = [0; 512];
        while !running.ended {
            match running.messages.read(&mut piece) {
                Ok(0) => {
                    running.ended = true;
                    running.until = running.until.min(now_ms.saturating_add(ENDING_MS));
                }
                Ok(count) => {
                    let room = MAX_BYTES.saturating_sub(running.text.len());
                    running.text.extend_from_slice(&piece[..count.min(room)]);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        let outcome = match running.child.try_wait() {
            Ok(Some(status)) if status.success() => Ok(()),
            Ok(Some(status)) => Err(match first_line(&running.text) {
                Some(words) => words,
                None => format!("nft ended with {status}"),
            }),
            Ok(None) if running.ended && now_ms >= running.until => {
                // Its messages are closed: waiting for it takes no time.
                running.until = now_ms.saturating_add(ENDING_MS);
                return None;
            }
            Ok(None) if now_ms < running.until => return None,
            Ok(None) => Err(format!("it was ended after {} s", LIMIT_MS / 1000).to_string()),
            Err(error) => Err(format!("cannot wait for nft: {error}")),
        };
        self.running = None;
        Some(outcome)
    }

    /// Ends what runs, if anything does.
    pub fn kill(&mut self) {
        self.running = None;
    }
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
