//! The unit of counting and blocking: an IPv4 address, or an IPv6 /64. Pure.

use std::fmt;
use std::net::Ipv6Addr;

use crate::event::Address;
use crate::query::question::Prefix;
use crate::query::target::Target;

/// An IPv4 address, or the /64 of an IPv6 address: a host can take any address of its /64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Source {
    V4(u32),
    /// The upper half of the address.
    V6(u64),
}

impl Default for Source {
    fn default() -> Source {
        Source::V4(0)
    }
}

impl Source {
    /// The source that an address belongs to.
    pub fn of(address: Address) -> Source {
        match address.as_v4() {
            Some(bits) => Source::V4(bits),
            None => Source::V6(address.high),
        }
    }

    /// A single address or an IPv6 /64.
    pub fn from_prefix(prefix: Prefix) -> Option<Source> {
        let whole = prefix.is_single() || (!prefix.network.is_v4() && prefix.length == 64);
        whole.then(|| Source::of(prefix.network))
    }

    /// As an IPv4 /32 or an IPv6 /64.
    pub fn prefix(self) -> Prefix {
        match self {
            Source::V4(bits) => Prefix { network: Address::v4(bits), length: 32 },
            Source::V6(high) => Prefix { network: Address { high, low: 0 }, length: 64 },
        }
    }

    /// Whether some address belongs to both.
    pub fn touches(self, prefix: Prefix) -> bool {
        let own = self.prefix();
        prefix.contains(own.network) || (prefix.length > own.length && own.contains(prefix.network))
    }

    /// IP version and address, for hashing.
    pub(super) fn bits(self) -> (u64, u64) {
        match self {
            Source::V4(bits) => (4, u64::from(bits)),
            Source::V6(high) => (6, high),
        }
    }
}

/// `198.51.100.7`, `2001:db8:1:2::/64`
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::V4(bits) => Address::v4(*bits).fmt(f),
            Source::V6(high) => write!(f, "{}/64", Ipv6Addr::from_bits(u128::from(*high) << 64)),
        }
    }
}

impl Target {
    /// As a source: a single IPv4 address or an IPv6 /64, else `None`.
    pub fn source(self) -> Option<Source> {
        match self {
            Target::Network(prefix) => Source::from_prefix(prefix),
            Target::Country(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_single_addresses_and_64s() {
        let read = |text: &str| Source::from_prefix(Prefix::parse(text).unwrap());
        for (text, shown) in [
            ("198.51.100.7", "198.51.100.7"),
            ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
            ("2001:db8:1:2::/64", "2001:db8:1:2::/64"),
        ] {
            assert_eq!(read(text).unwrap().to_string(), shown);
        }
        assert_eq!(
            (read("198.51.100.0/24"), read("2001:db8::/48"), read("2001:db8::/65")),
            (None, None, None)
        );
    }

    #[test]
    fn touching_goes_both_ways() {
        let touches = |source: &str, prefix: &str| {
            Source::from_prefix(Prefix::parse(source).unwrap())
                .unwrap()
                .touches(Prefix::parse(prefix).unwrap())
        };
        assert!(touches("2001:db8:1:2::9", "2001:db8:1:2:3::4"));
        assert!(touches("2001:db8:1:2::9", "2001:db8::/32") && touches("10.1.2.3", "10.0.0.0/8"));
        assert!(!touches("2001:db8:1:2::9", "2001:db8:1:3::4") && !touches("10.1.2.3", "10.1.2.4"));
        assert!(!touches("10.1.2.3", "::/0") && touches("10.1.2.3", "0.0.0.0/0"));
    }
}
