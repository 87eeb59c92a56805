//! Failed logins.
//!
//! Takes a daemon's name and its message, gives the peer of a failed login. A user name is the attacker's
//! text and may look like anything, so the address is read from its fixed place, counted from the end of
//! the message; and a message so long that some log may have cut its end is not read at all.
//!
//! One failure counts once, though daemons write several lines about it:
//!
//! * dropbear: `Bad password attempt` and `Login attempt for nonexistent user` count. `Exit before auth` counts
//!   only with `0 fails`, a session that named a user and gave up: with more, the lines before it counted.
//! * sshd: `Failed password` (or keyboard-interactive) counts; `Invalid user` does not, a line about the end of
//!   its connection follows. Such an end (`Connection closed by authenticating user`, `maximum authentication
//!   attempts exceeded`) counts unless a failure of the same address and port was counted just before.
//! * LuCI: `failed login on`, written by luci, rpcd or uhttpd.

use super::netfilter::address;
use crate::event::Address;

/// Longer messages may be cut where the attacker chose: busybox's syslogd keeps 256 bytes of a line.
const LONGEST_MESSAGE: usize = 200;
/// So many sshd connections are remembered as counted.
const RECENT: usize = 32;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Login {
    /// As the name of the event's path.
    pub daemon: &'static str,
    pub source: Address,
    /// 0 if the line does not tell.
    pub source_port: u16,
    /// The service's port.
    pub port: u16,
}

/// Who tells of failed logins.
enum Daemon {
    Dropbear,
    Sshd,
    /// Whichever writes LuCI's lines.
    Luci(&'static str),
}

impl Daemon {
    fn of(name: &[u8]) -> Option<Daemon> {
        match name {
            b"dropbear" => Some(Daemon::Dropbear),
            b"sshd" | b"sshd-session" => Some(Daemon::Sshd),
            b"luci" => Some(Daemon::Luci("luci")),
            b"rpcd" => Some(Daemon::Luci("rpcd")),
            b"uhttpd" => Some(Daemon::Luci("uhttpd")),
            _ => None,
        }
    }
}

/// Reads daemons' messages. Remembers the last connections to sshd that failed.
#[derive(Debug, Default)]
pub struct Logins {
    recent: [(Address, u16); RECENT],
    next: usize,
}

impl Logins {
    /// Whether a daemon of this name tells of failed logins.
    pub fn reads(name: &[u8]) -> bool {
        Daemon::of(name).is_some()
    }

    /// The failed login that `message` of the daemon `name` tells of.
    pub fn read(&mut self, name: &[u8], message: &[u8]) -> Option<Login> {
        if message.len() > LONGEST_MESSAGE {
            return None;
        }
        match Daemon::of(name)? {
            Daemon::Dropbear => dropbear(message),
            Daemon::Sshd => self.sshd(message),
            Daemon::Luci(name) => luci(name, message),
        }
    }

    fn sshd(&mut self, message: &[u8]) -> Option<Login> {
        let message = message.strip_prefix(b"error: ").unwrap_or(message);
        let preauth = message.strip_suffix(b" [preauth]");
        let (is_end, peer) = if let Some(rest) = without_any(
            message,
            &[
                b"Failed password for ",
                b"Failed keyboard-interactive/pam for ",
                b"Failed keyboard-interactive for ",
            ],
        ) {
            (false, after_last(rest.strip_suffix(b" ssh2")?, b" from ")?)
        } else if let Some(rest) = without_any(message, &[b"maximum authentication attempts exceeded for "]) {
            let rest = rest.strip_suffix(b" [preauth]").unwrap_or(rest);
            (true, after_last(rest.strip_suffix(b" ssh2")?, b" from ")?)
        } else {
            let rest = without_any(
                preauth?,
                &[
                    b"Connection closed by ",
                    b"Connection reset by ",
                    b"Disconnected from ",
                    b"Disconnecting ",
                ],
            )?;
            let rest = without_any(rest, &[b"authenticating user ", b"invalid user "])?;
            // `NAME ADDR port N`: the address is the third word from the end.
            let blanks = memchr::memrchr_iter(b' ', rest).nth(2)?;
            (true, &rest[blanks + 1..])
        };
        let (source, port) = split_last(peer, b" port ")?;
        let (source, source_port) = (address(source)?, port_number(port)?);
        let known = self.recent.contains(&(source, source_port));
        if is_end && known {
            return None;
        }
        if !known {
            self.recent[self.next] = (source, source_port);
            self.next = (self.next + 1) % RECENT;
        }
        Some(Login { daemon: "sshd", source, source_port, port: 22 })
    }
}

fn dropbear(message: &[u8]) -> Option<Login> {
    let bad_password: [&[u8]; 2] = [b"Bad password attempt for '", b"Bad PAM password attempt for '"];
    let no_user: [&[u8]; 4] = [
        b"Login attempt for nonexistent user ",
        b"login attempt for nonexistent user ",
        b"Login attempt with wrong user ",
        b"Login attempt for nonexistent user",
    ];
    let peer = if let Some(rest) = without_any(message, &bad_password) {
        after_last(rest, b"' from ")?
    } else if let Some(rest) = without_any(message, &no_user) {
        rest.strip_prefix(b"from ").or_else(|| after_last(rest, b" from "))?
    } else {
        // The address stands before the user's name here.
        let rest = without_any(message, &[b"Exit before auth from <", b"exit before auth from <"])?;
        let end = memchr::memchr(b'>', rest)?;
        let told = rest[end..].strip_prefix(b">: (user '")?;
        // A name can't hold the end of this bracket and a reason both unless it lies; the last one is dropbear's.
        let (_, reason) = split_last(told, b"', ")?;
        reason.starts_with(b"0 fails)").then_some(&rest[..end])?
    };
    let (source, port) = split_last(peer, b":")?;
    let (source, source_port) = (address(source)?, port_number(port)?);
    Some(Login { daemon: "dropbear", source, source_port, port: 22 })
}

fn luci(daemon: &'static str, message: &[u8]) -> Option<Login> {
    let message = without_any(message, &[b"[info] ", b"[err] ", b"[warn] ", b"[notice] "]).unwrap_or(message);
    let message = message.strip_prefix(b"luci: ").unwrap_or(message);
    let rest = message.strip_prefix(b"failed login on ")?;
    let source = address(after_last(rest, b" from ")?)?;
    Some(Login { daemon, source, source_port: 0, port: 80 })
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
mod tests {
    use super::*;

    fn read(logins: &mut Logins, name: &str, message: &str) -> String {
        match logins.read(name.as_bytes(), message.as_bytes()) {
            Some(login) => format!("{} {} {}", login.source, login.source_port, login.port),
            None => "none".to_string(),
        }
    }

    #[test]
    fn each_daemon_in_its_words() {
        for (name, message, expected) in [
            ("dropbear", "Bad password attempt for 'root' from 192.0.2.1:4022", "192.0.2.1 4022 22"),
            ("dropbear", "Bad password attempt for 'root' from 2001:db8::5:4022", "2001:db8::5 4022 22"),
            ("dropbear", "Bad password attempt for 'root' from ::ffff:192.0.2.1:4022", "192.0.2.1 4022 22"),
            (
                "dropbear",
                "Bad password attempt for 'x' from 198.51.100.7:22' from 192.0.2.1:4022",
                "192.0.2.1 4022 22",
            ),
            ("dropbear", "Bad password attempt for 'root' from 192.0.2.1:4022 trailing", "none"),
            ("dropbear", "Bad password attempt for 'root' from 192.0.2.1", "none"),
            ("dropbear", "Bad password attempt for 'root' from 192.0.2.1:99999", "none"),
            ("dropbear", "Login attempt for nonexistent user from 192.0.2.1:4022", "192.0.2.1 4022 22"),
            ("dropbear", "Login attempt for nonexistent user 'x' from 192.0.2.1:4022", "192.0.2.1 4022 22"),
            (
                "dropbear",
                "Exit before auth from <192.0.2.1:4022>: (user 'root', 0 fails): Exited",
                "192.0.2.1 4022 22",
            ),
            (
                "dropbear",
                "Exit before auth from <192.0.2.1:4022>: (user 'root', 5 fails): Max auth tries",
                "none",
            ),
            ("dropbear", "Exit before auth from <192.0.2.1:4022>: Timeout before auth", "none"),
            ("dropbear", "Child connection from 192.0.2.1:4022", "none"),
            ("dropbear", "Password auth succeeded for 'root' from 192.0.2.1:4022", "none"),
            ("sshd", "Failed password for root from 192.0.2.1 port 4022 ssh2", "192.0.2.1 4022 22"),
            (
                "sshd",
                "Failed password for invalid user a b from 192.0.2.2 port 4022 ssh2",
                "192.0.2.2 4022 22",
            ),
            (
                "sshd-session",
                "Failed password for x from 198.51.100.7 port 1 ssh2 from 2001:db8::1 port 4022 ssh2",
                "2001:db8::1 4022 22",
            ),
            ("sshd", "Invalid user admin from 192.0.2.1 port 4022", "none"),
            (
                "sshd",
                "Connection closed by authenticating user root 192.0.2.3 port 4022 [preauth]",
                "192.0.2.3 4022 22",
            ),
            (
                "sshd",
                "error: maximum authentication attempts exceeded for invalid user x from 192.0.2.4 port 1 ssh2 [preauth]",
                "192.0.2.4 1 22",
            ),
            ("sshd", "Connection closed by 192.0.2.5 port 4022 [preauth]", "none"),
            ("luci", "failed login on / for root from 192.0.2.1", "192.0.2.1 0 80"),
            (
                "uhttpd",
                "[info] luci: failed login on /admin for x from 1.1.1.1 from 192.0.2.1",
                "192.0.2.1 0 80",
            ),
            ("rpcd", "luci: failed login on / for root from 192.0.2.1 x", "none"),
            ("luci", "accepted login on / for root from 192.0.2.1", "none"),
            ("cron", "Bad password attempt for 'root' from 192.0.2.1:4022", "none"),
        ] {
            assert_eq!(read(&mut Logins::default(), name, message), expected, "{message}");
        }
    }

    #[test]
    fn the_end_of_a_connection_does_not_count_twice() {
        let logins = &mut Logins::default();
        let failed = "Failed password for root from 192.0.2.1 port 4022 ssh2";
        assert_ne!(read(logins, "sshd", failed), "none");
        assert_ne!(read(logins, "sshd", failed), "none");
        let end = "Connection closed by authenticating user root 192.0.2.1 port 4022 [preauth]";
        assert_eq!(read(logins, "sshd", end), "none");
        let other = "Connection closed by authenticating user root 192.0.2.1 port 4023 [preauth]";
        assert_ne!(read(logins, "sshd", other), "none");
    }

    #[test]
    fn a_name_that_pushes_the_end_out_is_not_read() {
        let message = format!(
            "Failed password for invalid user x from 198.51.100.7 port 22 ssh2{} from 192.0.2.1 port 4022 ssh2",
            "y".repeat(180)
        );
        assert_eq!(read(&mut Logins::default(), "sshd", &message), "none");
    }
}
