//! The known ports: what each is called, and what an attack on it usually wants. Names of IP protocols.
//!
//! Takes a protocol and a port, gives plain words. The table is read when the program is built:
//! a row of `services.tsv` out of shape is a compile error, and none of it is allocated.

use std::borrow::Cow;

use crate::event::protocol;

/// A port that matters on the outside of a home network.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KnownService {
    /// IANA's protocol number.
    pub protocol: u8,
    pub port: u16,
    /// The usual name.
    pub name: &'static str,
    /// What the attack usually wants, as a short phrase.
    pub wants: &'static str,
}

/// `protocol TAB port TAB name TAB wants TAB advice`, sorted by protocol and port; then the advice, see [`advice`](crate::query::advice).
/// Read when the program is built: only the names and wants become part of it.
const TEXT: &str = include_str!("../../files/usr/share/fwstat/services.tsv");

const ROWS: usize = count_services(TEXT.as_bytes());

static NAMES: [u8; read_table(TEXT.as_bytes(), &mut [0; TEXT.len()]).1] = {
    let mut all = [0; TEXT.len()];
    let (_, length) = read_table(TEXT.as_bytes(), &mut all);
    let mut names = [0; read_table(TEXT.as_bytes(), &mut [0; TEXT.len()]).1];
    let mut at = 0;
    while at < length {
        names[at] = all[at];
        at += 1;
    }
    names
};

static SERVICES: [Row; ROWS] = read_table(TEXT.as_bytes(), &mut [0; TEXT.len()]).0;

/// Offsets of a known port's name and wants in [`NAMES`], where both are adjacent.
#[derive(Clone, Copy)]
struct Row {
    port: u16,
    start: u16,
    protocol: u8,
    name: u8,
    wants: u8,
}

impl Row {
    fn known(&self) -> KnownService {
        let text = |start: usize, length: u8| {
            let bytes = NAMES.get(start..start + usize::from(length)).unwrap_or_default();
            std::str::from_utf8(bytes).unwrap_or_default()
        };
        let start = usize::from(self.start);
        KnownService {
            protocol: self.protocol,
            port: self.port,
            name: text(start, self.name),
            wants: text(start + usize::from(self.name), self.wants),
        }
    }
}

/// The row of this protocol and port, if it is a known one.
pub fn look_up(protocol: u8, port: u16) -> Option<KnownService> {
    let index = SERVICES.binary_search_by_key(&(protocol, port), |row| (row.protocol, row.port)).ok()?;
    SERVICES.get(index).map(Row::known)
}

/// How many rows there are.
pub const KNOWN: usize = ROWS;

/// The place of a known protocol and port among the rows.
pub fn place_of(protocol: u8, port: u16) -> Option<usize> {
    SERVICES.binary_search_by_key(&(protocol, port), |row| (row.protocol, row.port)).ok()
}

/// Protocol and port of a row.
pub fn at_place(place: usize) -> Option<(u8, u16)> {
    SERVICES.get(place).map(|row| (row.protocol, row.port))
}

/// Whether the table has a name for it.
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

/// Lines that begin with a protocol; the others are advice.
const fn count_services(text: &[u8]) -> usize {
    let (mut services, mut at) = (0, 0);
    while at < text.len() {
        if (at == 0 || text[at - 1] == b'\n') && text[at] != b'=' {
            services += 1;
        }
        at += 1;
    }
    services
}

/// The rows, and how many bytes of `names` they fill.
const fn read_table(mut text: &'static [u8], names: &mut [u8]) -> ([Row; ROWS], usize) {
    let mut table = [Row { protocol: 0, port: 0, start: 0, name: 0, wants: 0 }; ROWS];
    let (mut row, mut length) = (0, 0);
    while row < ROWS {
        let (protocol, rest) = cut(text, b'\t');
        let (port, rest) = cut(rest, b'\t');
        let (name, rest) = cut(rest, b'\t');
        let (wants, rest) = cut(rest, b'\t');
        let (_, rest) = cut(rest, b'\n');
        table[row] = Row {
            protocol: match protocol {
                b"tcp" => protocol::TCP,
                b"udp" => protocol::UDP,
                _ => panic!("services.tsv: the protocol is neither tcp nor udp"),
            },
            port: read_port(port),
            start: length as u16,
            name: name.len() as u8,
            wants: wants.len() as u8,
        };
        length = append(name, names, length);
        length = append(wants, names, length);
        assert!(length <= u16::MAX as usize, "services.tsv: too many names");
        text = rest;
        row += 1;
    }
    (table, length)
}

const fn append(text: &[u8], names: &mut [u8], mut length: usize) -> usize {
    assert!(text.len() <= u8::MAX as usize, "services.tsv: a text is too long");
    let mut at = 0;
    while at < text.len() {
        assert!(text[at] < 128, "services.tsv: a name is not ASCII");
        names[length] = text[at];
        at += 1;
        length += 1;
    }
    length
}

/// The text before and after the next `separator`.
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
                "port {}: order, or twice",
                after.port
            );
        }
        for known in SERVICES.iter().map(Row::known) {
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
