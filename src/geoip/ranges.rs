//! All addresses of one country, for a block: a walk through the whole tree of an MMDB file.
//!
//! Takes a database, gives sorted ranges, or why there are none. Bounded in the nodes that it visits. Pure.

use super::mmdb::{Bytes, Layout};
use crate::event::small_map::SmallMap;
use crate::stats::countries::Country;

/// Most records whose country is remembered during the walk; the country of a further one is read again.
const MAX_REMEMBERED: usize = 4096;
const V4_FIRST: u128 = 0xffff_0000_0000;
/// The first bits of global unicast IPv6 (2000::/3): other parts of the tree are unused, or aliases of IPv4.
const GLOBAL_UNICAST: (u128, u32) = (1 << 125, 3);

/// Most visits of nodes, as a multiple of their number: a writer may store equal subtrees once, so that nodes are
/// visited several times. The tree of a damaged file may have a cycle.
const MAX_VISITS: u64 = 16;
/// At least this many visits are allowed: the most ranges that are asked for, at regular distances, can share some twenty nodes.
const MIN_VISITS: u64 = 1 << 19;

/// Why there is no list of ranges.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoRanges {
    /// The country has more ranges than asked for.
    TooMany,
    /// The file is invalid there.
    Unusable,
}

/// Collects the ranges of the searched country while it walks the tree.
struct Collector<'a> {
    layout: &'a Layout,
    bytes: &'a mut dyn Bytes,
    country: Country,
    /// Records and whether they are of the country.
    remembered: SmallMap<u32, bool>,
    ranges: Vec<(u128, u128)>,
    most: usize,
    /// In IPv6, an alias of the tree of IPv4 (2002::/16).
    skipped: Option<u32>,
    /// Visits of nodes that are left, see [`MAX_VISITS`].
    steps: u64,
}

impl Layout {
    /// The ranges of addresses that the file says are of this country, in order, IPv4 as `::ffff:a.b.c.d`; at most
    /// `most`. Its time is bounded by [`MAX_VISITS`] visits for each of the file's nodes.
    pub fn ranges_of(
        &self,
        bytes: &mut dyn Bytes,
        country: Country,
        most: usize,
    ) -> Result<Vec<(u128, u128)>, NoRanges> {
        let (remembered, ranges, skipped) = (SmallMap::new(), Vec::new(), None);
        let steps = (u64::from(self.nodes) * MAX_VISITS).max(MIN_VISITS);
        let mut collector =
            Collector { layout: self, bytes, country, remembered, ranges, most, skipped, steps };
        collector.walk(self.ipv4, V4_FIRST, 32)?;
        if self.family == 6 {
            let (first, length) = GLOBAL_UNICAST;
            let node = self.descend(collector.bytes, first, length).ok_or(NoRanges::Unusable)?;
            collector.skipped = Some(self.ipv4);
            collector.walk(node, first, 128 - length)?;
        }
        Ok(collector.ranges)
    }
}

impl Collector<'_> {
    /// Follows a record of the tree to the addresses below it: `first` is the lowest, and their low `bits` vary.
    fn walk(&mut self, record: u32, first: u128, bits: u32) -> Result<(), NoRanges> {
        if self.skipped == Some(record) {
            return Ok(());
        }
        if record < self.layout.nodes {
            self.steps = self.steps.checked_sub(1).ok_or(NoRanges::Unusable)?;
            let bits = bits.checked_sub(1).ok_or(NoRanges::Unusable)?;
            let left = self.layout.child(self.bytes, record, false).ok_or(NoRanges::Unusable)?;
            let right = self.layout.child(self.bytes, record, true).ok_or(NoRanges::Unusable)?;
            self.walk(left, first, bits)?;
            self.walk(right, first | 1 << bits, bits)?;
        } else if record > self.layout.nodes && self.is_wanted(record)? {
            self.add(first, first | ((1u128 << bits) - 1))?;
        }
        Ok(())
    }

    /// Whether a record's data names the country.
    fn is_wanted(&mut self, record: u32) -> Result<bool, NoRanges> {
        if let Some(is_wanted) = self.remembered.get(&record) {
            return Ok(*is_wanted);
        }
        let found = self.layout.country_at(self.bytes, record).map_err(|_| NoRanges::Unusable)?;
        let is_wanted = found == Some(self.country);
        if self.remembered.len() < MAX_REMEMBERED {
            self.remembered.insert(record, is_wanted);
        }
        Ok(is_wanted)
    }

    /// Adds addresses, which follow those added before.
    fn add(&mut self, first: u128, last: u128) -> Result<(), NoRanges> {
        if let Some(before) = self.ranges.last_mut().filter(|before| before.1 + 1 == first) {
            before.1 = last;
            return Ok(());
        }
        if self.ranges.len() >= self.most {
            return Err(NoRanges::TooMany);
        }
        self.ranges.push((first, last));
        Ok(())
    }
}
