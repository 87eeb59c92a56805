//! Which ranges of the kernel's interval sets are to be removed and added.
//!
//! Takes the ranges that the sets have and those that they shall have, gives groups of changes that belong into one
//! transaction each. Pure.

use crate::guard::networks::Element;

/// A block in the kernel may end this much earlier than it should (milliseconds); then it is as it should be.
const EARLIER_MS: u64 = 2_000;

/// Overlapping ranges to replace in one transaction, since an interval set holds no overlapping ranges.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Group<'a> {
    pub(super) removed: &'a [Element],
    pub(super) added: &'a [Element],
}

impl Group<'_> {
    /// Ranges that it changes.
    pub(super) fn size(&self) -> usize {
        self.removed.len() + self.added.len()
    }
}

/// The changes from one sorted list of disjoint ranges to the other. Those that make the sets smaller come first: at no time
/// have they more ranges than before or after all of it.
pub(super) fn changes<'a>(mut present: &'a [Element], mut wanted: &'a [Element]) -> Vec<Group<'a>> {
    let mut groups = Vec::new();
    loop {
        let next = [present.first(), wanted.first()].into_iter().flatten();
        let Some(mut last) = next.map(|((first, _), _)| *first).min() else { break };
        let (mut old, mut new) = (0, 0);
        loop {
            let (range, count) = match (present.get(old), wanted.get(new)) {
                (Some(range), _) if range.0.0 <= last => (range, &mut old),
                (_, Some(range)) if range.0.0 <= last => (range, &mut new),
                _ => break,
            };
            last = last.max(range.0.1);
            *count += 1;
        }
        let (removed, added);
        (removed, present) = present.split_at(old);
        (added, wanted) = wanted.split_at(new);
        if !matches!((removed, added), ([old], [new]) if is_same(old, new)) {
            groups.push(Group { removed, added });
        }
    }
    groups.sort_by_key(|group| group.added.len().cast_signed() - group.removed.len().cast_signed());
    groups
}

/// Whether a range is in the kernel as it should be, or ends only a little earlier.
fn is_same(present: &Element, wanted: &Element) -> bool {
    let as_long = match (present.1, wanted.1) {
        (None, None) => true,
        (Some(present), Some(wanted)) => present <= wanted && wanted - present <= EARLIER_MS,
        _ => false,
    };
    present.0 == wanted.0 && as_long
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(present: &[Element], wanted: &[Element]) -> Vec<(Vec<u128>, Vec<u128>)> {
        let firsts = |elements: &[Element]| elements.iter().map(|element| element.0.0).collect();
        let shown = |group: &Group| (firsts(group.removed), firsts(group.added));
        changes(present, wanted).iter().map(shown).collect()
    }

    #[test]
    fn what_stays_is_not_touched_and_what_overlaps_is_replaced_at_once() {
        let present = [((0, 9), None), ((20, 29), None), ((40, 99), None), ((200, 209), Some(60_000))];
        assert!(changes(&present, &present).is_empty());
        let wanted = [
            ((20, 29), None),
            ((40, 49), None),
            ((51, 60), None),
            ((101, 110), None),
            ((200, 209), Some(61_000)),
        ];
        let expected = [(vec![0], vec![]), (vec![40], vec![40, 51]), (vec![], vec![101])];
        assert_eq!(shown(&present, &wanted), expected);
        // Another end, earlier or later.
        for left in [None, Some(59_999), Some(63_000)] {
            assert_eq!(shown(&present[3..], &[((200, 209), left)]), [(vec![200], vec![200])], "{left:?}");
        }
        assert_eq!(shown(&[], &wanted[..2]), [(vec![], vec![20]), (vec![], vec![40])]);
    }

    fn elements() -> impl Strategy<Value = Vec<Element>> {
        let part = (1u128..4, 1u128..5, prop_oneof![Just(None), Just(Some(9_000u64)), Just(Some(90_000))]);
        proptest::collection::vec(part, 0..40).prop_map(|parts| {
            let mut at = 0;
            let next = |(gap, length, left): (u128, u128, Option<u64>)| {
                let first = at + gap - 1;
                at = first + length;
                ((first, at - 1), left)
            };
            parts.into_iter().map(next).collect()
        })
    }

    proptest! {
        #[test]
        fn each_step_leaves_disjoint_ranges_and_everything_blocked_that_stays_so(
            present in elements(), wanted in elements()
        ) {
            let holds = |list: &[Element], address: u128| {
                list.iter().filter(|((first, last), _)| (*first..=*last).contains(&address)).count()
            };
            let most = present.len().max(wanted.len());
            let mut now = present.clone();
            for group in changes(&present, &wanted) {
                now.retain(|element| !group.removed.contains(element));
                now.extend(group.added);
                prop_assert!(now.len() <= most);
                for address in 0..400 {
                    let held = holds(&now, address);
                    prop_assert!(held <= 1);
                    if holds(&present, address) == 1 && holds(&wanted, address) == 1 {
                        prop_assert_eq!(held, 1, "{} is let through", address);
                    }
                }
            }
            now.sort_unstable();
            prop_assert_eq!(now, wanted);
        }
    }
}
