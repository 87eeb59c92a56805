//! The prefixes that are never blocked.
//!
//! Takes the option `allow` and the addresses that the router has and uses, gives the reason why a source is protected. Reads no file.

use std::fmt;

use super::source::Source;
use crate::event::Address;
use crate::query::question::Prefix;

/// Most protected prefixes; the allow list has its own bound.
pub const MAX_PROTECTED: usize = 4096;

/// Why a source is not blocked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Protection {
    Allowed,
    Own,
    Gateway,
    NameServer,
    TimeServer,
    Lan,
    /// Private, shared, link-local, multicast or reserved addresses.
    Private,
    /// A connection to it was opened from inside.
    Peer,
    /// Its block was ended by hand.
    Pardoned,
    /// The address of the client that asks for the block.
    Caller,
    /// Whether the inside has a connection to it cannot be determined now.
    Unknown,
}

impl Protection {
    /// In the order of their numbers in a file, as text.
    const TEXTS: [(Protection, &str); 11] = [
        (Protection::Allowed, "it is on the allow list"),
        (Protection::Own, "it is the router's own address"),
        (Protection::Gateway, "it is a gateway of the router"),
        (Protection::NameServer, "it is a name server in use"),
        (Protection::TimeServer, "it is a time server in use"),
        (Protection::Lan, "it is in a network of the inside"),
        (Protection::Private, "it is a private or reserved address"),
        (Protection::Peer, "a connection to it was opened from inside"),
        (Protection::Pardoned, "its block was ended by hand not long ago"),
        (Protection::Caller, "you are connected from it"),
        (Protection::Unknown, "the kernel cannot tell now whether the inside has a connection to it"),
    ];

    /// In the order of their numbers in a file.
    pub fn all() -> impl Iterator<Item = Protection> {
        Protection::TEXTS.into_iter().map(|(protection, _)| protection)
    }
}

impl fmt::Display for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Protection::TEXTS[*self as usize].1)
    }
}

/// Special-purpose prefixes (RFC 6890): packets from them are local or forged.
const PRIVATE: [(Address, u8); 14] = [
    (Address::v4(0), 8),
    (Address::v4(0x0a00_0000), 8),
    (Address::v4(0x6440_0000), 10),
    (Address::v4(0x7f00_0000), 8),
    (Address::v4(0xa9fe_0000), 16),
    (Address::v4(0xac10_0000), 12),
    (Address::v4(0xc000_0000), 24),
    (Address::v4(0xc0a8_0000), 16),
    // Multicast and reserved.
    (Address::v4(0xe000_0000), 3),
    // Loopback, and NAT64: its /96 is one /64 for all of IPv4.
    (Address::v6(0), 8),
    (Address::v6(0xfc00 << 112), 7),
    (Address::v6(0xfe80 << 112), 10),
    (Address::v6(0xfec0 << 112), 10),
    (Address::v6(0xff00 << 112), 8),
];

/// Prefixes that must not be blocked: the option `allow`, and what the router has and uses.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Policy {
    /// The option `allow`.
    pub(super) allow: Vec<Prefix>,
    /// What the router has and uses, and why each is protected.
    pub(super) protected: Vec<(Prefix, Protection)>,
    /// How many of what the router has and uses are not protected, since there are more than [`MAX_PROTECTED`].
    pub left_out: usize,
}

impl Policy {
    /// Special-purpose prefixes, which no host on the Internet uses.
    pub(super) fn reserved() -> impl Iterator<Item = Prefix> {
        PRIVATE.iter().map(|(network, length)| Prefix { network: *network, length: *length })
    }

    /// Sets what the router has and uses now. True if it has changed.
    pub fn set_protected(&mut self, mut protected: Vec<(Prefix, Protection)>) -> bool {
        self.left_out = protected.len().saturating_sub(MAX_PROTECTED);
        protected.truncate(MAX_PROTECTED);
        let changed = self.protected != protected;
        self.protected = protected;
        changed
    }

    /// Why the source must not be blocked; `None`: it may be.
    pub fn protection(&self, source: Source) -> Option<Protection> {
        if self.allow.iter().any(|prefix| source.touches(*prefix)) {
            return Some(Protection::Allowed);
        }
        let reserved = Policy::reserved().map(|prefix| (prefix, Protection::Private));
        let mut known = self.protected.iter().copied().chain(reserved);
        known.find(|(prefix, _)| source.touches(*prefix)).map(|(_, protection)| protection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::from_prefix(Prefix::parse(text).unwrap()).unwrap()
    }

    #[test]
    fn private_and_reserved_addresses_are_never_blocked() {
        let policy = Policy::default();
        for text in [
            "0.0.0.0",
            "10.255.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "169.254.9.9",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.168.255.1",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "64:ff9b::198.51.100.7",
            "fc00::1",
            "fdff::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert_eq!(policy.protection(source(text)), Some(Protection::Private), "{text}");
        }
        for text in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.1",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "192.167.0.1",
            "192.169.0.1",
            "223.255.255.255",
            "2001:db8::1",
            "2a00::1",
        ] {
            assert_eq!(policy.protection(source(text)), None, "{text}");
        }
    }

    #[test]
    fn the_allow_list_and_the_routers_own_addresses_hold_also_within_a_64() {
        let mut policy =
            Policy { allow: vec![Prefix::parse("198.51.100.0/24").unwrap()], ..Policy::default() };
        let gateway = (Prefix::parse("2001:db8:5:6::1").unwrap(), Protection::Gateway);
        assert!(policy.set_protected(vec![gateway]) && !policy.set_protected(vec![gateway]));
        assert_eq!(policy.protection(source("198.51.100.200")), Some(Protection::Allowed));
        assert_eq!(policy.protection(source("198.51.101.200")), None);
        assert_eq!(policy.protection(source("2001:db8:5:6:7::8")), Some(Protection::Gateway));
        assert_eq!(policy.protection(source("2001:db8:5:7::1")), None);
        let many = vec![gateway; 10_000];
        policy.set_protected(many);
        assert_eq!((policy.protected.len(), policy.left_out), (MAX_PROTECTED, 10_000 - MAX_PROTECTED));
        policy.set_protected(vec![gateway]);
        assert_eq!(policy.left_out, 0);
    }
}
