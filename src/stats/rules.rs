//! Attempts by firewall rule: by log prefix, input interface and zone.
//!
//! A firewall has few rules, and nobody outside can add any: each has a row with an exact count. Bounded all the same.

use crate::event::PathId;
use crate::event::paths::{Rule, Rules};

/// Most rules. Stored tables may have rules that the present firewall does not have.
pub const MAX_RULES: usize = 1024;

/// Attempts that a firewall rule refused.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RuleCount {
    pub rule: Rule,
    pub attempts: u64,
}

/// Adds attempts of a rule to its row, which is created if there is room. Returns the row's index.
fn add(rows: &mut Vec<RuleCount>, rule: &Rule, attempts: u64) -> Option<usize> {
    let at = rows.iter().position(|row| row.rule == *rule).unwrap_or(rows.len());
    if at == rows.len() {
        if at == MAX_RULES {
            return None;
        }
        rows.push(RuleCount { rule: rule.clone(), attempts: 0 });
    }
    rows[at].attempts = rows[at].attempts.saturating_add(attempts);
    Some(at)
}

/// Adds up rows; beyond [`MAX_RULES`] they are left out.
pub fn add_rows(sum: &mut Vec<RuleCount>, more: &[RuleCount]) {
    for row in more {
        add(sum, &row.rule, row.attempts);
    }
}

/// Most attempts first; equal ones by prefix, interface and zone.
pub fn sort(rows: &mut [RuleCount]) {
    rows.sort_unstable_by(|a, b| b.attempts.cmp(&a.attempts).then_with(|| a.rule.cmp(&b.rule)));
}

/// The open rows of one class on one day.
#[derive(Clone, Default)]
pub struct OpenRules {
    /// Unsorted.
    pub rows: Vec<RuleCount>,
    /// By path: the number of its row and one, and [`FORWARDED`]; 0 for a path that was not seen yet.
    by_path: Vec<u16>,
    /// The rules of paths.
    pub(super) names: Rules,
}

const FORWARDED: u16 = 1 << 15;

impl OpenRules {
    /// Sets the rules of paths. Without it events have no rule.
    pub fn set_names(&mut self, names: &Rules) {
        self.by_path.clear();
        self.names = names.clone();
    }

    /// Counts packets of a path. Returns whether they were to be forwarded.
    #[inline(always)]
    pub fn add(&mut self, path: PathId, n: u32) -> bool {
        let known = self.by_path.get(usize::from(path.0)).copied().unwrap_or(0);
        match self.rows.get_mut(usize::from(known & !FORWARDED).wrapping_sub(1)) {
            Some(row) => {
                row.attempts = row.attempts.saturating_add(n.into());
                known & FORWARDED != 0
            }
            None => self.add_first(path, n),
        }
    }

    #[cold]
    fn add_first(&mut self, path: PathId, n: u32) -> bool {
        let Some((rule, is_forwarded)) = self.names.get(path) else { return false };
        if let Some(row) = add(&mut self.rows, &rule, n.into()) {
            let place = usize::from(path.0);
            if place >= self.by_path.len() {
                self.by_path.resize(place + 1, 0);
            }
            self.by_path[place] = (row + 1) as u16 | if is_forwarded { FORWARDED } else { 0 };
        }
        is_forwarded
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn count(prefix: &str, attempts: u64) -> RuleCount {
        RuleCount { rule: Rule { prefix: prefix.into(), ..Rule::default() }, attempts }
    }

    #[test]
    fn rows_are_added_up_by_rule_and_bounded() {
        let mut sum = vec![count("a", 3)];
        add_rows(&mut sum, &[count("b", 9), count("a", u64::MAX)]);
        sort(&mut sum);
        assert_eq!(sum, [count("a", u64::MAX), count("b", 9)]);
        let many: Vec<RuleCount> = (0..5000).map(|number| count(&number.to_string(), 1)).collect();
        add_rows(&mut sum, &many);
        add_rows(&mut sum, &many);
        assert_eq!(sum.len(), MAX_RULES);
        assert_eq!(sum[2], count("0", 2));
    }

    proptest! {
        #[test]
        fn rows_are_ordered_by_attempts_and_then_by_rule(attempts in proptest::collection::vec(0u64..5, 0..30)) {
            let mut rows: Vec<RuleCount> =
                (0..).zip(&attempts).map(|(number, attempts): (u32, _)| count(&number.to_string(), *attempts)).collect();
            let mut expected = rows.clone();
            expected.sort_by_key(|row| (std::cmp::Reverse(row.attempts), row.rule.clone()));
            sort(&mut rows);
            prop_assert_eq!(rows, expected);
        }
    }
}
