//! Failed logins.
//!
//! Takes a daemon's tag, its message and the time, gives the event of a failed login. A user name is the attacker's
//! text and may look like anything, so the address is read from its fixed place, counted from the end of
//! the message; and a message so long that some log may have cut its end is not read at all.
//!
//! One failure counts once, though daemons write several lines about it:
//!
//! * dropbear: `Bad password attempt` and `Login attempt for nonexistent user` count. From 2020.79 to 2024.85 the latter
//!   has no address: the process id leads to `Child connection from` before it, or to `Exit before auth from` behind it.
//!   `Exit before auth` itself counts only with `0 fails`, a session that named a user and gave up, or if the attempts
//!   of an unknown user ended it and none was counted.
//! * sshd: `Failed password` (or keyboard-interactive) counts; `Invalid user` does not, a line about the end of
//!   its connection follows. Such an end (`Connection closed by authenticating user`, `maximum authentication
//!   attempts exceeded`, `Disconnecting`) counts unless a failure of the same address and port was counted before.
//!   `PAM: Authentication failure` counts, and the `Failed keyboard-interactive` that follows it does not.
//! * LuCI: `failed login on`, written by luci, rpcd, uhttpd or dispatcher.uc.
//!
//! What is remembered of connections is bounded in number ([`sessions::SESSIONS`], [`RECENT`]) and age ([`LONGEST_SESSION`]).

use super::netfilter::address;
use super::syslog::Tag;
use crate::event::{Address, Class, Event, protocol};

mod folded;
mod sessions;

pub use folded::{MAX_FOLDED, unfold};
use sessions::Sessions;

/// Longer messages may be cut where the attacker chose: busybox's syslogd keeps 256 bytes of a line.
const LONGEST_MESSAGE: usize = 200;
/// sshd connections that are remembered as counted.
const RECENT: usize = 32;
/// Seconds after which a connection that was not closed is forgotten: dropbear ends one that has not logged in after 300
/// (`AUTH_TIMEOUT`), sshd after 120 (`LoginGraceTime`).
const LONGEST_SESSION: u64 = 600;

/// Address and port of the client.
type Peer = (Address, u16);

/// A program that logs failed logins, as the event's path names it, and the port of the service.
fn daemon(name: &[u8]) -> Option<(&'static str, u16)> {
    match name {
        // `journalctl -o with-unit` writes the unit's name in its place.
        b"dropbear" | b"dropbear.service" => Some(("dropbear", 22)),
        b"sshd" | b"sshd-session" | b"sshd-auth" | b"ssh.service" | b"sshd.service" => Some(("sshd", 22)),
        // Without a tag: LuCI of OpenWrt 21.02.2 to 22.03.
        b"luci" | b"" => Some(("luci", 80)),
        b"rpcd" => Some(("rpcd", 80)),
        b"uhttpd" => Some(("uhttpd", 80)),
        b"dispatcher.uc" => Some(("dispatcher.uc", 80)),
        _ => None,
    }
}

/// Reads daemons' messages. Remembers the connections to dropbear that have not ended, and the last to sshd that failed.
#[derive(Debug, Default)]
pub struct Logins {
    sessions: Sessions,
    /// The last one at the end.
    recent: Vec<Recent>,
}

/// A connection to sshd of which a failure was counted.
#[derive(Clone, Copy, Debug)]
struct Recent {
    peer: Peer,
    pid: Option<u32>,
    time: i64,
    /// Failures that were counted by PAM's line, which names no port: as many lines of sshd are about the same.
    by_pam: u32,
}

impl Recent {
    fn is_open(&self, time: i64) -> bool {
        self.time.abs_diff(time) <= LONGEST_SESSION
    }
}

impl Logins {
    /// Whether a daemon of this name logs failed logins.
    pub fn reads(name: &[u8]) -> bool {
        daemon(name).is_some()
    }

    /// The failed login in a message of the daemon `tag`, or several equal ones: the name of the event's path, and the
    /// event without its path. `time`: of the message, in Unix seconds.
    pub fn read(&mut self, tag: Tag, message: &[u8], time: i64) -> Option<(&'static str, Event)> {
        let (daemon, port) = daemon(tag.name)?;
        let (count, message) = unfold(message).unwrap_or((1, message));
        if message.len() > LONGEST_MESSAGE {
            return None;
        }
        let ((source, source_port), times) = match daemon {
            "dropbear" => self.dropbear(tag.pid, message, time, count)?,
            "sshd" => (self.sshd(tag.pid, message, time, count)?, 1),
            // All other daemons of the list write LuCI's lines.
            _ => ((luci(message, tag.name.is_empty())?, 0), 1),
        };
        let event = Event {
            time,
            source,
            count: times.saturating_mul(count),
            source_port,
            port,
            protocol: protocol::TCP,
            class: Class::Login,
            unhashed: true,
            ..Event::default()
        };
        Some((daemon, event))
    }

    /// The peer, and how many failures the message stands for.
    fn dropbear(&mut self, pid: Option<u32>, message: &[u8], time: i64, count: u32) -> Option<(Peer, u32)> {
        let bad_password: [&[u8]; 3] =
            [b"Bad password attempt for '", b"bad password attempt for '", b"Bad PAM password attempt for '"];
        let no_user: [&[u8]; 3] = [
            b"Login attempt for nonexistent user",
            b"login attempt for nonexistent user",
            b"Login attempt with wrong user",
        ];
        if let Some(rest) = message.strip_prefix(b"Child connection from ") {
            self.sessions.open(pid?, peer(rest)?, time);
            return None;
        }
        if let Some(rest) = without_any(message, &bad_password) {
            let peer = peer(after_last(rest, b"' from ")?)?;
            self.sessions.counted(pid, time);
            return Some((peer, 1));
        }
        if let Some(rest) = without_any(message, &no_user) {
            if rest.is_empty() {
                // Folded lines are multiplied by the caller; those that wait for their address are not.
                return self.sessions.unknown_user(pid?, time, count).map(|peer| (peer, 1));
            }
            let peer = peer(after_last(rest, b" from ")?)?;
            self.sessions.counted(pid, time);
            return Some((peer, 1));
        }
        // The address stands before the user's name here.
        let rest = without_any(message, &[b"Exit before auth from <", b"exit before auth from <"])?;
        let end = memchr::memchr(b'>', rest)?;
        let peer = peer(&rest[..end])?;
        let reason = rest[end..].strip_prefix(b">: ")?;
        let session = self.sessions.close(pid, time);
        if session.waiting > 0 {
            return Some((peer, session.waiting));
        }
        let is_failure = match reason.strip_prefix(b"(user '") {
            // A name can't hold the end of this bracket and a reason both unless it lies; the last one is dropbear's.
            Some(named) => split_last(named, b"', ")?.1.starts_with(b"0 fails)"),
            // Versions of 2013 to 2018 write ` from ADDR:PORT` behind it.
            None => reason.starts_with(b"Max auth tries reached - user 'is invalid'") && !session.counted,
        };
        is_failure.then_some((peer, 1))
    }

    fn sshd(&mut self, pid: Option<u32>, message: &[u8], time: i64, count: u32) -> Option<Peer> {
        let message = message.strip_prefix(b"error: ").unwrap_or(message);
        if let Some(rest) = message.strip_prefix(b"PAM: ") {
            let (reason, peer) = split_last(rest, b" from ")?;
            without_any(
                reason,
                &[
                    b"Authentication failure for ",
                    b"User not known to the underlying ",
                    // FreeBSD's.
                    b"Authentication error for ",
                    b"authentication error for ",
                ],
            )?;
            let peer = (address(peer)?, 0);
            self.remember(Recent { peer, pid, time, by_pam: count });
            return Some(peer);
        }
        let failed: [(&[u8], bool); 3] = [
            (b"Failed password for ", false),
            (b"Failed keyboard-interactive/pam for ", true),
            (b"Failed keyboard-interactive for ", true),
        ];
        let failure =
            failed.iter().find_map(|(prefix, by_pam)| Some((message.strip_prefix(*prefix)?, *by_pam)));
        if let Some((rest, pam_may_report)) = failure {
            let peer = sshd_peer(after_last(without_protocol(rest), b" from ")?)?;
            if pam_may_report && self.is_reported_by_pam(peer, pid, time) {
                return None;
            }
            self.remember(Recent { peer, pid, time, by_pam: 0 });
            return Some(peer);
        }
        let peer = sshd_peer(sshd_end(message)?)?;
        let is_counted = |recent: &Recent| {
            recent.is_open(time) && (recent.peer == peer || recent.peer == (peer.0, 0) && recent.pid == pid)
        };
        if self.recent.iter().any(is_counted) {
            return None;
        }
        self.remember(Recent { peer, pid, time, by_pam: 0 });
        Some(peer)
    }

    /// Whether a line of PAM before has reported this failure. Each of its lines stands for one.
    fn is_reported_by_pam(&mut self, peer: Peer, pid: Option<u32>, time: i64) -> bool {
        let same = |recent: &&mut Recent| {
            recent.is_open(time) && recent.by_pam > 0 && recent.peer.0 == peer.0 && recent.pid == pid
        };
        let Some(recent) = self.recent.iter_mut().find(same) else { return false };
        recent.by_pam -= 1;
        recent.peer = peer;
        true
    }

    fn remember(&mut self, new: Recent) {
        let same = |recent: &&mut Recent| recent.peer == new.peer && recent.pid == new.pid;
        if let Some(recent) = self.recent.iter_mut().find(same) {
            recent.time = new.time;
            recent.by_pam = recent.by_pam.saturating_add(new.by_pam);
            return;
        }
        if self.recent.len() == RECENT {
            self.recent.remove(0);
        }
        self.recent.push(new);
    }
}

/// `ADDR port N` at the end of sshd's words about the end of a connection that named a user and did not log in.
fn sshd_end(message: &[u8]) -> Option<&[u8]> {
    let preauth = message.strip_suffix(b" [preauth]");
    if let Some(rest) = message.strip_prefix(b"maximum authentication attempts exceeded for ") {
        return after_last(without_protocol(rest), b" from ");
    }
    let rest = if let Some(rest) = message.strip_prefix(b"Disconnecting ") {
        let rest = rest.strip_suffix(b" [preauth]").unwrap_or(rest);
        let rest = rest.strip_suffix(b": Too many authentication failures").unwrap_or(rest);
        // Names that the client chose follow it: nothing is certain if one of them looks like it.
        let changed = b": Change of username or service not allowed: (";
        match split_last(rest, changed) {
            Some((before, _)) if memchr::memmem::find(before, changed).is_none() => before,
            Some(_) => return None,
            None => rest,
        }
    } else {
        let ends: [&[u8]; 3] = [b"Connection closed by ", b"Connection reset by ", b"Disconnected from "];
        without_any(preauth?, &ends)?
    };
    let rest = without_any(rest, &[b"authenticating user ", b"invalid user "])?;
    // `NAME ADDR port N`: the address is the third word from the end.
    let blanks = memchr::memrchr_iter(b' ', rest).nth(2)?;
    Some(&rest[blanks + 1..])
}

/// Without the protocol at the end; with ` [preauth]` the child wrote it before privileges were separated otherwise.
fn without_protocol(text: &[u8]) -> &[u8] {
    let text = text.strip_suffix(b" [preauth]").unwrap_or(text);
    [&b" ssh2"[..], b" ssh1", b" ssh"].iter().find_map(|end| text.strip_suffix(*end)).unwrap_or(text)
}

/// `ADDR port N`
fn sshd_peer(text: &[u8]) -> Option<Peer> {
    let (source, port) = split_last(text, b" port ")?;
    Some((address(source)?, port_number(port)?))
}

/// `ADDR:PORT` of dropbear, which puts IPv6 in brackets since 2026.
fn peer(text: &[u8]) -> Option<Peer> {
    let (source, port) = split_last(text, b":")?;
    let bracketed = source.strip_prefix(b"[").map(|source| source.strip_suffix(b"]"));
    Some((address(bracketed.unwrap_or(Some(source))?)?, port_number(port)?))
}

fn luci(message: &[u8], untagged: bool) -> Option<Address> {
    let message = without_any(message, &[b"[info] ", b"[err] ", b"[warn] ", b"[notice] "]).unwrap_or(message);
    let message = match message.strip_prefix(b"luci: ") {
        None if untagged => return None,
        rest => rest.unwrap_or(message),
    };
    let rest = message.strip_prefix(b"failed login on ")?;
    address(after_last(rest, b" from ")?)
}

fn without_any<'a>(text: &'a [u8], prefixes: &[&[u8]]) -> Option<&'a [u8]> {
    prefixes.iter().find_map(|prefix| text.strip_prefix(*prefix))
}

fn split_last<'a>(text: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = memchr::memmem::rfind(text, separator)?;
    Some((&text[..at], &text[at + separator.len()..]))
}

fn after_last<'a>(text: &'a [u8], separator: &[u8]) -> Option<&'a [u8]> {
    split_last(text, separator).map(|(_, after)| after)
}

fn port_number(text: &[u8]) -> Option<u16> {
    let is_number = (1..=5).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    if is_number { std::str::from_utf8(text).ok()?.parse().ok() } else { None }
}

#[cfg(test)]
mod tests;
