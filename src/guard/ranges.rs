//! Sorted, disjoint ranges of addresses, both families in one order (IPv4 as `::ffff:a.b.c.d`).
//!
//! Takes ranges and prefixes, gives unions and differences. Pure.

use crate::event::Address;
use crate::query::question::Prefix;

/// First and last address.
pub type Range = (u128, u128);

const V4_FIRST: u128 = 0xffff_0000_0000;
const V4_LAST: u128 = 0xffff_ffff_ffff;

/// Ranges of addresses: sorted, disjoint, merged where they touch.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Ranges(pub(crate) Vec<Range>);

/// An address as a number, in which IPv4 is `::ffff:a.b.c.d`.
fn number(address: Address) -> u128 {
    u128::from_be_bytes(address.to_bytes())
}

/// The addresses of a prefix, as one range or two: the addresses of IPv4 are no part of `::/8`.
fn parts_of(prefix: Prefix) -> [Range; 2] {
    let (first, last) = range_of(prefix);
    if !prefix.network.is_v4() && first < V4_FIRST && last > V4_LAST {
        [(first, V4_FIRST - 1), (V4_LAST + 1, last)]
    } else {
        [(first, last), (first, last)]
    }
}

/// From the first to the last address of a prefix.
pub fn range_of(prefix: Prefix) -> Range {
    let host_bits = if prefix.network.is_v4() { 32 } else { 128 } - u32::from(prefix.length);
    let hosts = 1u128.checked_shl(host_bits).map_or(u128::MAX, |size| size - 1);
    let first = number(prefix.network) & !hosts;
    (first, first | hosts)
}

/// The bounds of an IPv4 range as 32 bits; `None` for IPv6.
pub fn as_v4((first, last): Range) -> Option<(u32, u32)> {
    ((V4_FIRST..=V4_LAST).contains(&first) && last <= V4_LAST).then_some((first as u32, last as u32))
}

/// The address with these 32 bits, as in a [`Range`].
pub const fn of_v4(bits: u32) -> u128 {
    V4_FIRST | bits as u128
}

impl Ranges {
    /// The union of ranges in any order.
    pub fn new(mut ranges: Vec<Range>) -> Ranges {
        ranges.sort_unstable();
        ranges.dedup_by(|next, before| {
            let joined = next.0 <= before.1.saturating_add(1);
            if joined {
                before.1 = before.1.max(next.1);
            }
            joined
        });
        Ranges(ranges)
    }

    /// The union of the prefixes.
    pub fn of_prefixes(prefixes: impl Iterator<Item = Prefix>) -> Ranges {
        Ranges::new(prefixes.flat_map(parts_of).collect())
    }

    /// The first range that does not end before this address.
    fn ending_from(&self, first: u128) -> Option<&Range> {
        self.0.get(self.0.partition_point(|(_, last)| *last < first))
    }

    /// Whether some address of the prefix belongs to it.
    pub fn touches(&self, prefix: Prefix) -> bool {
        let touches = |(first, last)| self.ending_from(first).is_some_and(|found| found.0 <= last);
        parts_of(prefix).into_iter().any(touches)
    }

    /// Whether all addresses of the prefix belong to it.
    pub fn covers(&self, prefix: Prefix) -> bool {
        let covers =
            |(first, last)| self.ending_from(first).is_some_and(|found| found.0 <= first && last <= found.1);
        parts_of(prefix).into_iter().all(covers)
    }

    /// What is left without the addresses of `other`.
    pub fn without(&self, other: &Ranges) -> Ranges {
        let mut left = Vec::new();
        let mut at = 0;
        for &(mut first, last) in &self.0 {
            while other.0.get(at).is_some_and(|gone| gone.1 < first) {
                at += 1;
            }
            let mut is_left = true;
            for gone in other.0[at..].iter().take_while(|gone| gone.0 <= last) {
                if gone.0 > first {
                    left.push((first, gone.0 - 1));
                }
                match gone.1.checked_add(1).filter(|next| *next <= last) {
                    Some(next) => first = next,
                    None => is_left = false,
                }
            }
            if is_left {
                left.push((first, last));
            }
        }
        Ranges(left)
    }

    /// Addresses of both.
    pub fn with(self, other: &Ranges) -> Ranges {
        let mut all = self.0;
        all.extend_from_slice(&other.0);
        Ranges::new(all)
    }

    /// How many IPv4 addresses and how many IPv6 /64s it holds.
    pub fn size(&self) -> (u64, u64) {
        self.0.iter().fold((0, 0), |(v4, v6), range| match as_v4(*range) {
            Some((first, last)) => (v4 + u64::from(last - first) + 1, v6),
            None => {
                let networks = u64::try_from((range.1 >> 64) - (range.0 >> 64)).unwrap_or(u64::MAX);
                (v4, v6.saturating_add(networks).saturating_add(1))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ranges(prefixes: &[&str]) -> Ranges {
        Ranges::of_prefixes(prefixes.iter().map(|text| Prefix::parse(text).unwrap()))
    }

    #[test]
    fn a_prefix_is_its_first_and_last_address() {
        let prefix = |text| range_of(Prefix::parse(text).unwrap());
        assert_eq!(as_v4(prefix("198.51.100.7/24")), Some((0xc633_6400, 0xc633_64ff)));
        assert_eq!(as_v4(prefix("0.0.0.0/0")), Some((0, u32::MAX)));
        assert_eq!(prefix("::/0"), (0, u128::MAX));
        assert_eq!(prefix("2001:db8::1"), (0x2001_0db8 << 96 | 1, 0x2001_0db8 << 96 | 1));
        assert_eq!(as_v4(prefix("::1")), None);
    }

    #[test]
    fn neighbours_are_joined_and_families_are_not() {
        let joined = ranges(&["198.51.101.0/24", "198.51.100.0/24", "198.51.100.128/25", "2001:db8::/32"]);
        assert_eq!((joined.0.len(), joined.size()), (2, (512, 1 << 32)));
        assert!(joined.touches(Prefix::parse("198.51.0.0/16").unwrap()));
        assert!(!joined.touches(Prefix::parse("198.51.102.0/24").unwrap()));
        assert!(joined.covers(Prefix::parse("198.51.100.0/23").unwrap()));
        assert!(!joined.covers(Prefix::parse("198.51.100.0/22").unwrap()));
    }

    #[test]
    fn no_ipv6_prefix_holds_ipv4_addresses() {
        let four = Prefix::parse("192.0.2.1").unwrap();
        for text in ["::/0", "::/8", "::/64"] {
            let six = ranges(&[text]);
            assert!(!six.touches(four) && six.covers(Prefix::parse("::1").unwrap()), "{text}");
            assert!(!ranges(&["192.0.2.0/24"]).touches(Prefix::parse(text).unwrap()), "{text}");
        }
    }

    proptest! {
        /// Against sets of single addresses.
        #[test]
        fn differences_and_unions_hold_the_right_addresses(
            one in proptest::collection::vec((0u128..60, 0u128..9), 0..8),
            other in proptest::collection::vec((0u128..60, 0u128..9), 0..8),
        ) {
            let make = |list: &[(u128, u128)]| Ranges::new(list.iter().map(|(at, more)| (*at, at + more)).collect());
            let has = |list: &[(u128, u128)], address: u128| list.iter().any(|(at, more)| (*at..=at + more).contains(&address));
            let (left, all) = (make(&one).without(&make(&other)), make(&one).with(&make(&other)));
            for address in 0..80 {
                let (a, b) = (has(&one, address), has(&other, address));
                let single = Prefix { network: Address::v6(address), length: 128 };
                prop_assert_eq!(left.touches(single), a && !b);
                prop_assert_eq!(all.touches(single), a || b);
            }
            prop_assert!(all.0.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0));
            prop_assert!(left.0.windows(2).all(|pair| pair[0].1 < pair[1].0));
        }
    }
}
