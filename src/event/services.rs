//! The known ports: their names, and what attacks on them usually want. Names of IP protocols.
//!
//! Takes a protocol and a port, gives names. The table is part of the program and is parsed at first use. Opens no
//! file.

use std::borrow::Cow;
use std::sync::OnceLock;

use crate::event::protocol;

/// A port that is commonly probed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KnownService {
    /// IANA's protocol number.
    pub protocol: u8,
    /// Destination port.
    pub port: u16,
    /// The usual name.
    pub name: &'static str,
    /// What the attack usually wants, as a short phrase.
    pub wants: &'static str,
    /// The key of its advice, see [`crate::query::advice`].
    pub advice: &'static str,
}

/// `protocol TAB port TAB name TAB wants TAB advice`, sorted by protocol and port.
const TEXT: &str = include_str!("services.tsv");

/// All known ports, sorted by protocol and port.
pub fn all() -> &'static [KnownService] {
    static SERVICES: OnceLock<Vec<KnownService>> = OnceLock::new();
    SERVICES.get_or_init(|| TEXT.lines().filter_map(read_row).collect())
}

fn read_row(line: &'static str) -> Option<KnownService> {
    let mut fields = line.split('\t');
    let mut next = || fields.next();
    let (protocol, port) = (protocol_number(next()?)?, next()?.parse().ok()?);
    Some(KnownService { protocol, port, name: next()?, wants: next()?, advice: next()? })
}

/// The index in [`all`] of this protocol and port, if it is a known one.
pub fn index_of(protocol: u8, port: u16) -> Option<usize> {
    all().binary_search_by_key(&(protocol, port), |known| (known.protocol, known.port)).ok()
}

/// The row of this protocol and port, if it is a known one.
pub fn look_up(protocol: u8, port: u16) -> Option<&'static KnownService> {
    all().get(index_of(protocol, port)?)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_plain_and_short() {
        assert_eq!(all().len(), TEXT.lines().count(), "a row is out of shape");
        assert!((80..=110).contains(&all().len()), "{} rows", all().len());
        for pair in all().windows(2) {
            let [before, after] = pair else { unreachable!() };
            assert!(
                (before.protocol, before.port) < (after.protocol, after.port),
                "port {}: order, or twice",
                after.port
            );
        }
        for known in all() {
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
        assert!(look_up(protocol::UDP, 53413).is_some() && look_up(protocol::TCP, 53413).is_none());
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
