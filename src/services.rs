//! The known ports: what each is called, and what an attack on it usually wants. Names of IP protocols.
//!
//! Takes a protocol and a port, gives plain words. The table is read when the program is built:
//! a row of `services.tsv` out of shape is a compile error, and none of it is allocated.

use std::borrow::Cow;

use crate::event::protocol;

/// A port that matters on the outside of a home network.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KnownService {
    pub protocol: u8,
    pub port: u16,
    /// The usual name.
    pub name: &'static str,
    /// What the attack usually wants, as a short phrase.
    pub wants: &'static str,
}

/// One row a line: protocol, port, name, wants; separated by tabs, sorted by protocol and port.
const TEXT: &str = include_str!("services.tsv");

static SERVICES: [KnownService; count_lines(TEXT.as_bytes())] = read_table(TEXT.as_bytes());

/// The row of this protocol and port, if it is a known one.
pub fn look_up(protocol: u8, port: u16) -> Option<&'static KnownService> {
    let index =
        SERVICES.binary_search_by_key(&(protocol, port), |known| (known.protocol, known.port)).ok()?;
    SERVICES.get(index)
}

pub fn is_known(protocol: u8, port: u16) -> bool {
    look_up(protocol, port).is_some()
}

const PROTOCOLS: [(u8, &str); 11] = [
    (protocol::ICMP, "icmp"),
    (protocol::IGMP, "igmp"),
    (protocol::TCP, "tcp"),
    (protocol::UDP, "udp"),
    (protocol::DCCP, "dccp"),
    (protocol::GRE, "gre"),
    (protocol::ESP, "esp"),
    (protocol::AH, "ah"),
    (protocol::ICMPV6, "icmpv6"),
    (protocol::SCTP, "sctp"),
    (protocol::UDPLITE, "udplite"),
];

/// The protocol's name, or its number where it has none here.
pub fn protocol_name(protocol: u8) -> Cow<'static, str> {
    match PROTOCOLS.iter().find(|(number, _)| *number == protocol) {
        Some((_, name)) => Cow::Borrowed(name),
        None => Cow::Owned(protocol.to_string()),
    }
}

/// The number of a protocol given by name (in any case) or number.
pub fn protocol_number(text: &str) -> Option<u8> {
    match PROTOCOLS.iter().find(|(_, name)| name.eq_ignore_ascii_case(text)) {
        Some((number, _)) => Some(*number),
        None if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        None => None,
    }
}

const fn count_lines(text: &[u8]) -> usize {
    let (mut lines, mut at) = (0, 0);
    while at < text.len() {
        if text[at] == b'\n' {
            lines += 1;
        }
        at += 1;
    }
    lines
}

const fn read_table<const ROWS: usize>(mut text: &'static [u8]) -> [KnownService; ROWS] {
    let mut table = [KnownService { protocol: 0, port: 0, name: "", wants: "" }; ROWS];
    let mut row = 0;
    while row < ROWS {
        let (protocol, rest) = cut(text, b'\t');
        let (port, rest) = cut(rest, b'\t');
        let (name, rest) = cut(rest, b'\t');
        let (wants, rest) = cut(rest, b'\n');
        table[row] = KnownService {
            protocol: match protocol {
                b"tcp" => protocol::TCP,
                b"udp" => protocol::UDP,
                _ => panic!("services.tsv: the protocol is neither tcp nor udp"),
            },
            port: read_port(port),
            name: as_text(name),
            wants: as_text(wants),
        };
        text = rest;
        row += 1;
    }
    table
}

/// What stands before and after the next `separator`.
const fn cut(text: &'static [u8], separator: u8) -> (&'static [u8], &'static [u8]) {
    let mut at = 0;
    while text[at] != separator {
        assert!(text[at] >= b' ', "services.tsv: a row has too few fields");
        at += 1;
    }
    let (before, after) = text.split_at(at);
    (before, after.split_at(1).1)
}

const fn read_port(digits: &[u8]) -> u16 {
    let (mut port, mut at) = (0, 0);
    while at < digits.len() {
        assert!(digits[at].is_ascii_digit(), "services.tsv: the port is not a number");
        port = port * 10 + (digits[at] - b'0') as u16;
        at += 1;
    }
    port
}

const fn as_text(bytes: &'static [u8]) -> &'static str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => panic!("services.tsv: not UTF-8"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_plain_and_short() {
        assert!((80..=110).contains(&SERVICES.len()), "{} rows", SERVICES.len());
        for pair in SERVICES.windows(2) {
            let [before, after] = pair else { unreachable!() };
            assert!(
                (before.protocol, before.port) < (after.protocol, after.port),
                "{after:?}: order, or twice"
            );
        }
        for known in &SERVICES {
            for (text, most) in [(known.name, 20), (known.wants, 60)] {
                assert!((1..=most).contains(&text.len()), "{known:?}: length");
                assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{known:?}: not plain ASCII");
                assert_eq!(text.trim(), text, "{known:?}: blanks");
            }
        }
    }

    #[test]
    fn ports_are_known_by_protocol() {
        let wants = |protocol, port| look_up(protocol, port).map(|known| (known.name, known.wants));
        assert_eq!(wants(protocol::TCP, 23), Some(("Telnet", "IoT worms (Mirai): default passwords")));
        assert_eq!(
            wants(protocol::UDP, 1900),
            Some(("SSDP", "reflection by UPnP devices, routers open to UPnP"))
        );
        assert!(is_known(protocol::UDP, 53413) && !is_known(protocol::TCP, 53413));
        for (protocol, port) in [(protocol::TCP, 0), (protocol::TCP, 65535), (protocol::ICMP, 0), (255, 22)] {
            assert_eq!(look_up(protocol, port), None);
        }
    }

    #[test]
    fn protocols_have_names_or_numbers() {
        for number in 0..=255 {
            assert_eq!(protocol_number(&protocol_name(number)), Some(number));
        }
        assert_eq!(protocol_name(58), "icmpv6");
        assert_eq!(protocol_name(2), "igmp");
        assert_eq!(protocol_name(200), "200");
        assert_eq!(protocol_number("UDP"), Some(17));
        for text in ["", "256", "-1", "+6", "tcp ", "icmp6"] {
            assert_eq!(protocol_number(text), None, "{text}");
        }
    }
}
