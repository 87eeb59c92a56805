//! The target of a block by hand: an address, a network, or a country. Takes text, gives a validated target.

use std::fmt;

use super::question::{self, Prefix};

/// Shortest IPv4 prefix that can be blocked.
pub const SHORTEST_V4: u8 = 8;
/// Shortest IPv6 prefix that can be blocked: the largest allocation of one provider.
pub const SHORTEST_V6: u8 = 19;

/// Most blocks of networks and countries at the same time.
pub const MAX_NETWORKS: usize = 1024;

/// The target of a block by hand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// Without host bits; a single IPv6 address is its /64.
    Network(Prefix),
    /// ISO 3166 code of two letters, upper case.
    Country([u8; 2]),
}

impl Target {
    /// Reads an address, a prefix, or a country's two letters. The error is a sentence.
    pub fn parse(text: &str) -> Result<Target, String> {
        if let Some(code) = question::country(text) {
            return Ok(Target::Country(code));
        }
        Prefix::parse(text).map(Target::from_prefix)
    }

    /// Without host bits; a single IPv6 address becomes its /64.
    pub fn from_prefix(prefix: Prefix) -> Target {
        let length = if prefix.network.is_v4() || prefix.length < 128 { prefix.length } else { 64 };
        Target::Network(Prefix { network: prefix.network.masked(length), length })
    }

    /// Whether it is shorter than [`SHORTEST_V4`] or [`SHORTEST_V6`].
    pub fn is_too_short(self) -> bool {
        match self {
            Target::Network(Prefix { network, length }) => {
                length < if network.is_v4() { SHORTEST_V4 } else { SHORTEST_V6 }
            }
            Target::Country(_) => false,
        }
    }

    /// `country`, `network`, or `address`.
    pub fn kind(self) -> &'static str {
        match self {
            Target::Country(_) => "country",
            Target::Network(_) if self.source().is_some() => "address",
            Target::Network(_) => "network",
        }
    }
}

/// `198.51.100.7`, `198.51.100.0/24`, `2001:db8::/32`, `CN`
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Network(prefix) => prefix.fmt(f),
            Target::Country([first, second]) => write!(f, "{}{}", char::from(*first), char::from(*second)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_and_shown_without_host_bits() {
        for (text, shown, kind) in [
            ("198.51.100.7", "198.51.100.7", "address"),
            ("198.51.100.7/24", "198.51.100.0/24", "network"),
            ("2001:db8:1:2:3::4", "2001:db8:1:2::/64", "address"),
            ("2001:db8:1:2:3::4/65", "2001:db8:1:2::/65", "network"),
            ("2001:db8:ffff::/33", "2001:db8:8000::/33", "network"),
            ("cn", "CN", "country"),
        ] {
            let target = Target::parse(text).unwrap();
            assert_eq!((target.to_string().as_str(), target.kind()), (shown, kind), "{text}");
            assert_eq!(Target::parse(shown), Ok(target));
        }
        for text in ["", "C", "CHN", "198.51.100.0/33", "example.org", "00:11:22:33:44:55"] {
            assert!(Target::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn prefixes_that_are_too_short_are_told() {
        for (text, is_too_short) in [
            ("8.0.0.0/8", false),
            ("8.0.0.0/7", true),
            ("2001::/19", false),
            ("2001::/18", true),
            ("CN", false),
        ] {
            assert_eq!(Target::parse(text).unwrap().is_too_short(), is_too_short, "{text}");
        }
    }
}
