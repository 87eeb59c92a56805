//! A [`Link`] with its socket: connects, reads and writes without blocking, and reconnects.
//!
//! Times are of the boot clock, in milliseconds. The loop waits for [`Connection::fd`] as
//! `wants_read` and `wants_write` say, at most until [`Connection::deadline`].
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use super::link::{BusEvent, Link, OnEvent};
use super::outgoing::Outgoing;
use super::status::Status;
use crate::event::small_map::SmallMap;
use crate::sys::unix_socket::{connect, without_waiting};

/// Milliseconds from a failure to the next attempt to connect; doubled after each further failure.
const FIRST_WAIT_MS: u64 = 100;
const LONGEST_WAIT_MS: u64 = 5_000;
/// Milliseconds from connecting until the broker's greeting must have arrived.
const GREETING_MS: u64 = 5_000;
/// Most bytes read in one iteration of the loop, so that its other inputs are read, too.
const READ_PER_TURN: usize = 1024 * 1024;
/// Milliseconds after which a broker that accepts no bytes although some are queued counts as failed.
const STALLED_MS: u64 = 30_000;

/// A connection to ubusd that is made again with back-off.
#[derive(Debug, Default)]
pub struct Connection {
    /// ubusd's socket.
    pub path: PathBuf,
    open: Option<(UnixStream, Link)>,
    /// Failures in a row.
    failures_in_row: u32,
    /// When to connect, or by when the greeting must have arrived.
    due: u64,
    /// Since when bytes are queued and the broker has accepted none.
    stalled_since: Option<u64>,
    /// Connections that were lost or refused.
    pub failures: u64,
    /// Why the last one was lost or refused; `None` while connected.
    pub down_because: Option<String>,
}

impl Connection {
    /// Connects at the first [`Connection::on_time`].
    pub fn new(path: &Path) -> Connection {
        let down_because = Some(String::from("not connected yet"));
        Connection { path: path.to_owned(), down_because, ..Connection::default() }
    }

    /// For poll(2); `None` while there is no connection.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.open.as_ref().map(|(socket, _)| socket.as_fd())
    }

    /// Whether the broker has greeted.
    pub fn is_up(&self) -> bool {
        self.open.as_ref().is_some_and(|(_, link)| link.greeted)
    }

    /// Whether to wait until it is readable: not while the broker does not read what is queued.
    pub fn wants_read(&self) -> bool {
        self.open.as_ref().is_some_and(|(_, link)| !link.outgoing.is_full())
    }

    /// Whether calls are queued that the last iteration did not answer: [`Connection::on_ready`] continues with them.
    pub fn has_more(&self) -> bool {
        self.open.as_ref().is_some_and(|(_, link)| link.has_more() && !link.outgoing.is_full())
    }

    /// Whether to wait until it is writable: bytes are queued.
    pub fn wants_write(&self) -> bool {
        self.open.as_ref().is_some_and(|(_, link)| !link.outgoing.waiting().is_empty())
    }

    /// When [`Connection::on_time`] has something to do.
    pub fn deadline(&self) -> Option<u64> {
        if !self.is_up() {
            return Some(self.due);
        }
        if self.has_more() {
            return Some(0);
        }
        self.wants_write().then_some(self.stalled_since.map_or(0, |since| since.saturating_add(STALLED_MS)))
    }

    /// For messages that are not sent in response to an event; `None` while there is no connection. Call
    /// [`Connection::on_ready`] after it, or wait for the socket.
    pub fn outgoing(&mut self) -> Option<&mut Outgoing> {
        self.open.as_mut().filter(|(_, link)| link.greeted).map(|(_, link)| &mut link.outgoing)
    }

    /// What the broker or an object refused on this connection; `None` while there is no connection.
    pub fn refusals(&self) -> Option<&SmallMap<String, Status>> {
        self.open.as_ref().map(|(_, link)| &link.outgoing.refusals)
    }

    /// Connects, or closes a stalled connection, if that is due.
    pub fn on_time(&mut self, now_ms: u64, on_event: OnEvent<'_>) {
        if self.is_up() {
            let stalled = self.wants_write();
            let since = stalled.then(|| *self.stalled_since.get_or_insert(now_ms));
            if since.is_some_and(|since| now_ms >= since.saturating_add(STALLED_MS)) {
                self.failed(now_ms, "ubusd does not read", on_event);
            }
            return;
        }
        if now_ms < self.due {
            return;
        }
        if self.open.is_some() {
            return self.failed(now_ms, "ubusd sent no hello message", on_event);
        }
        match connect(&self.path) {
            Ok(socket) => {
                self.open = Some((socket, Link::default()));
                self.due = now_ms.saturating_add(GREETING_MS);
                self.stalled_since = None;
            }
            Err(error) => self.failed(now_ms, &error.to_string(), on_event),
        }
    }

    /// Reads and passes events on, and writes queued bytes; a connection that fails is closed.
    pub fn on_ready(&mut self, now_ms: u64, on_event: OnEvent<'_>) {
        let Some((socket, link)) = &mut self.open else { return };
        let before = link.outgoing.unwritten;
        let outcome = transfer(socket, link, on_event);
        let left = link.outgoing.unwritten;
        if left == 0 || left < before {
            self.stalled_since = (left > 0).then_some(now_ms);
        }
        match outcome {
            Err(because) => self.failed(now_ms, &because, on_event),
            Ok(()) if self.is_up() && self.down_because.is_some() => {
                (self.failures_in_row, self.down_because) = (0, None);
            }
            Ok(()) => {}
        }
    }

    fn failed(&mut self, now_ms: u64, because: &str, on_event: OnEvent<'_>) {
        let wait = FIRST_WAIT_MS.saturating_mul(1 << self.failures_in_row.min(16)).min(LONGEST_WAIT_MS);
        self.due = now_ms.saturating_add(wait);
        self.failures_in_row = self.failures_in_row.saturating_add(1);
        self.failures = self.failures.saturating_add(1);
        self.down_because = Some(because.to_owned());
        if self.open.take().is_some_and(|(_, link)| link.greeted) {
            on_event(&mut Outgoing::default(), BusEvent::Down { because });
        }
    }
}

/// Reads available bytes, handles messages (also those left because too many bytes were unwritten), then writes queued
/// bytes.
fn transfer(mut socket: &UnixStream, link: &mut Link, on_event: OnEvent<'_>) -> Result<(), String> {
    link.begin_turn();
    link.process(on_event)?;
    let mut total = 0;
    while total < READ_PER_TURN && !link.outgoing.is_full() {
        let space = link.inbox.space();
        let room = space.len();
        let count = without_waiting(&mut || socket.read(space)).map_err(|error| error.to_string())?;
        let Some(count) = count else { break };
        if count == 0 {
            return Err(String::from("the broker has closed the connection"));
        }
        link.inbox.filled(count);
        link.process(on_event)?;
        total += count;
        if count < room {
            break;
        }
    }
    loop {
        while !link.outgoing.waiting().is_empty() {
            match without_waiting(&mut || socket.write(link.outgoing.waiting())) {
                Ok(Some(count)) => link.outgoing.wrote(count),
                Ok(None) => return Ok(()),
                Err(error) => return Err(error.to_string()),
            }
        }
        link.process(on_event)?;
        if link.outgoing.waiting().is_empty() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn waits_double_up_to_five_seconds_and_start_anew_after_a_greeting() {
        let path = std::env::temp_dir().join(format!("fwstat-connection-{}", std::process::id()));
        let mut connection = Connection::new(&path);
        let mut now_ms = 0;
        let mut wait = |connection: &mut Connection| {
            connection.on_time(now_ms, &mut |_, _| ());
            let wait = connection.deadline().unwrap() - now_ms;
            now_ms += wait;
            wait
        };
        let waits: Vec<u64> = (0..9).map(|_| wait(&mut connection)).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
        let listener = UnixListener::bind(&path).unwrap();
        assert_eq!(wait(&mut connection), GREETING_MS);
        let (mut broker, _) = listener.accept().unwrap();
        broker.write_all(&[0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 4]).unwrap();
        connection.on_ready(60_000, &mut |_, _| ());
        assert!(connection.is_up() && connection.down_because.is_none());
        drop((broker, listener));
        std::fs::remove_file(&path).unwrap();
        let mut lost = 0;
        connection
            .on_ready(60_000, &mut |_, event| lost += u32::from(matches!(event, BusEvent::Down { .. })));
        assert_eq!((lost, connection.deadline(), connection.failures), (1, Some(60_100), 10));
    }
}
