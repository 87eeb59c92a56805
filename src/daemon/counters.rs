//! The counters of the firewall's rules.
//!
//! Runs `nft` in a child process without waiting for it, gives the increase between readings. A reload of fw4, which
//! resets counters, loses nothing that was read.

use std::io;

use super::ruleset::{Place, Read, Reading, Ruleset, Unseen};
use crate::daemon::nft::kernel::map_drops;
use crate::daemon::nft::run::{MAX_OUTPUT, Nft};
use crate::event::calendar::Date;
use crate::event::small_map::SmallMap;

/// The ruleset that nft printed, with what its verdict maps do; `None` where the text is no ruleset.
pub(super) fn read(printed: &[u8]) -> Option<Ruleset> {
    let mut ruleset = Ruleset::read(printed)?;
    ruleset.resolve_maps(&mut map_drops);
    Some(ruleset)
}

/// Runs `nft -j -t list ruleset` in a child process and collects its output.
#[derive(Default)]
pub(super) struct CounterPoll {
    pub nft: Nft,
    /// When nft was started last (milliseconds since boot).
    asked_ms: Option<u64>,
    /// Why the counters cannot be read.
    pub why: Option<String>,
}

impl CounterPoll {
    /// Starts nft, unless it runs or was started less than `age_ms` ago.
    pub(super) fn ask(&mut self, now_ms: u64, age_ms: u64) {
        if self.nft.is_running() || self.asked_ms.is_some_and(|at| now_ms < at.saturating_add(age_ms)) {
            return;
        }
        self.asked_ms = Some(now_ms);
        if let Err(error) = self.nft.list(now_ms) {
            self.why = Some(match error.kind() {
                io::ErrorKind::NotFound => "nft is missing: the rules' counters can't be read".to_string(),
                _ => format!("cannot run nft: {error}"),
            });
        }
    }

    /// The ruleset, once nft has printed it. Ends an nft that takes too long.
    pub(super) fn poll(&mut self, now_ms: u64) -> Option<Ruleset> {
        let outcome = self.nft.poll(now_ms)?;
        let ruleset = outcome.as_ref().ok().and_then(|(_, printed)| read(printed));
        self.why = match (&ruleset, outcome) {
            (Some(_), _) => None,
            (None, Err(_)) => Some("nft does not answer: the rules' counters can't be read".into()),
            (None, Ok((_, printed))) if printed.len() > MAX_OUTPUT => {
                Some("the firewall's ruleset is too long: the rules' counters can't be read".into())
            }
            (None, Ok(_)) => Some("nft's answer can't be read: may fwstat list the ruleset?".into()),
        };
        ruleset
    }
}

/// Packets that were refused and not seen one by one.
#[derive(Clone, Debug)]
pub(super) struct NotSeen {
    pub place: String,
    /// Since the daemon's start; `None` where nothing counts them.
    pub packets: Option<u64>,
    pub today: u64,
    /// The numbers of the counters that had them at the last reading.
    counters: Vec<u64>,
}

impl NotSeen {
    /// Adds these packets, and returns their sum.
    fn count(&mut self, packets: impl Iterator<Item = u64>) -> u64 {
        let more = packets.fold(0, u64::saturating_add);
        self.today = self.today.saturating_add(more);
        self.packets = self.packets.map(|packets| packets.saturating_add(more));
        more
    }
}

/// What came from one reading to the next: fw4 makes its rules' counters anew with every reload.
#[derive(Default)]
pub(super) struct Counts {
    /// The packets of our rules since the daemon's start; `None` while not known.
    pub rules: Option<SmallMap<Place, u64>>,
    /// Rules and chains whose refused packets were not logged one by one: at the last listing of the ruleset, or today.
    pub not_seen: Vec<NotSeen>,
    /// The counters at the last reading, in the order of their numbers.
    last: Vec<Reading>,
    date: Option<Date>,
}

impl Counts {
    /// Gives how many packets were refused unseen since the reading before. `read`: what is read now of what rules log.
    pub(super) fn add(&mut self, ruleset: &Ruleset, zones: &[String], read: Read, date: Option<Date>) -> u64 {
        let mut unseen_since = 0_u64;
        if std::mem::replace(&mut self.date, date) != date {
            self.not_seen.iter_mut().for_each(|row| row.today = 0);
        }
        let last = std::mem::replace(&mut self.last, ruleset.readings());
        // What was counted before the daemon's start does not count.
        let before = self.rules.is_some().then_some(&last[..]);
        let counted = ruleset.counted();
        let rules = self.rules.get_or_insert_default();
        rules.retain(|place, _| counted.contains_key(place));
        for (place, readings) in counted {
            let sum = rules.or_default(place);
            *sum = readings.iter().fold(*sum, |sum, reading| sum.saturating_add(since(before, reading)));
        }
        // What a counter has not seen one by one at a reading is so until the next.
        for row in &mut self.not_seen {
            let counters = std::mem::take(&mut row.counters);
            let readings = counters.iter().filter_map(|id| find(&self.last, *id));
            let more = row.count(readings.map(|reading| since(before, reading)));
            unseen_since = unseen_since.saturating_add(more);
        }
        let unseen = ruleset.unseen(zones, read);
        self.not_seen.retain(|row| row.today > 0 || unseen.iter().any(|known| known.place == row.place));
        for Unseen { place, packets } in unseen {
            let known = self.not_seen.iter().position(|row| row.place == place);
            let at = known.unwrap_or_else(|| {
                self.not_seen.push(NotSeen { place, packets: None, today: 0, counters: Vec::new() });
                self.not_seen.len() - 1
            });
            let row = &mut self.not_seen[at];
            row.packets = packets.as_ref().map(|_| row.packets.unwrap_or(0));
            let readings = packets.unwrap_or_default();
            row.counters = readings.iter().map(|reading| reading.id).collect();
            // What a counter of before has, is known above, or was seen.
            let is_new = |reading: &&Reading| before.is_some_and(|before| find(before, reading.id).is_none());
            let more = row.count(readings.iter().filter(is_new).map(|new| new.packets));
            unseen_since = unseen_since.saturating_add(more);
        }
        unseen_since
    }

    /// Why today is not complete.
    pub(super) fn reasons(&self) -> Vec<String> {
        let reason = |row: &NotSeen| match row.packets {
            Some(_) if row.today == 0 => None,
            Some(_) => Some(format!(
                "{}: {} packets were refused today that are known only as a sum",
                row.place, row.today
            )),
            None => Some(format!("{}: what is refused there is not counted", row.place)),
        };
        self.not_seen.iter().filter_map(reason).collect()
    }
}

/// The counter of this number, of readings in the order of their numbers.
fn find(readings: &[Reading], id: u64) -> Option<&Reading> {
    readings.binary_search_by_key(&id, |reading| reading.id).ok().map(|at| &readings[at])
}

/// What a counter counted since the readings before; `None`: this is the first.
fn since(before: Option<&[Reading]>, reading: &Reading) -> u64 {
    let Some(before) = before else { return 0 };
    let known = find(before, reading.id).map_or(0, |known| known.packets);
    // Below what it was: it was set to 0.
    reading.packets.checked_sub(known).unwrap_or(reading.packets)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NFLOG: Read = Read { nflog: Some(32), logd: false };

    fn ruleset(refused: u64, counted: u64, handle: u64) -> Ruleset {
        let rule = |comment: &str, handle: u64, packets: u64, end: &str| {
            format!(
                r#"{{"rule": {{"family": "inet", "table": "fw4", "chain": "input_wan", "comment": "{comment}",
                "handle": {handle},
                "expr": [{{"counter": {{"packets": {packets}, "bytes": 1}}}}, {end}]}}}}"#
            )
        };
        let drop = rule("!fw4: Drop-telnet", handle, refused, r#"{"drop": null}"#);
        let ours = rule("fwstat wan", handle + 100, counted, r#"{"log": {"group": 32}}"#);
        Ruleset::read(format!(r#"{{"nftables": [{drop}, {ours}]}}"#).as_bytes()).unwrap()
    }

    /// `handle` and packets of the zone's counter, and of the rule in the guard's table, whose number is `table`.
    fn guarded(zone: (u64, u64), table: u64, guard: (u64, u64)) -> Ruleset {
        let text = format!(
            r#"{{"nftables": [
            {{"table": {{"family": "inet", "name": "fw4", "handle": 1}}}},
            {{"counter": {{"family": "inet", "table": "fw4", "name": "zone", "handle": {}, "packets": {}}}}},
            {{"rule": {{"family": "inet", "table": "fw4", "chain": "input_wan", "comment": "fwstat wan", "handle": 70,
                "expr": [{{"counter": "zone"}}, {{"log": {{"group": 32}}}}]}}}},
            {{"rule": {{"family": "inet", "table": "fw4", "chain": "input_wan", "handle": 71,
                "expr": [{{"jump": {{"target": "reject_from_wan"}}}}]}}}},
            {{"table": {{"family": "inet", "name": "fwstat", "handle": {table}}}}},
            {{"rule": {{"family": "inet", "table": "fwstat", "chain": "drop_blocked", "comment": "fwstat wan", "handle": {},
                "expr": [{{"counter": {{"packets": {}}}}}, {{"log": {{"group": 32}}}}, {{"drop": null}}]}}}}]}}"#,
            zone.0, zone.1, guard.0, guard.1
        );
        Ruleset::read(text.as_bytes()).unwrap()
    }

    #[test]
    fn of_the_counters_of_a_place_each_counts_on_by_itself() {
        let mut counts = Counts::default();
        let mut read = |zone, table, guard| {
            counts.add(&guarded(zone, table, guard), &["wan".to_string()], NFLOG, Some(Date(1)));
            counts.rules.as_ref().unwrap().get(&Place::Zone("wan".into())).copied().unwrap()
        };
        assert_eq!(read((5, 1000), 2, (9, 50)), 0);
        assert_eq!(read((5, 1003), 2, (9, 52)), 5);
        // The guard's table is built anew, twice, at last with the handles of before: only its rule begins at 0.
        assert_eq!(read((5, 1003), 3, (9, 1)), 6);
        assert_eq!(read((5, 1004), 4, (9, 1)), 8);
        // The other way round.
        assert_eq!(read((6, 2), 4, (9, 4)), 13);
        // Both were set to 0.
        assert_eq!(read((6, 1), 4, (9, 0)), 14);
    }

    #[test]
    fn while_nflog_is_not_read_what_its_rules_count_is_a_sum() {
        let mut counts = Counts::default();
        let mut read = |nflog, zone, guard| {
            let read = Read { nflog, logd: true };
            let ruleset = guarded((5, zone), 2, (9, guard));
            let unseen = counts.add(&ruleset, &["wan".to_string()], read, Some(Date(1)));
            let rows = counts.not_seen.iter().map(|row| {
                assert_eq!(row.packets, Some(row.today));
                (row.place.clone(), row.today)
            });
            (unseen, rows.collect::<Vec<_>>(), counts.reasons())
        };
        let rows = |policy: u64, guard: u64| {
            vec![
                ("the input policy of zone wan".to_string(), policy),
                ("table inet fwstat".to_string(), guard),
            ]
        };
        let reasons = |policy, guard| {
            rows(policy, guard).into_iter().map(|(place, packets)| {
                format!("{place}: {packets} packets were refused today that are known only as a sum")
            })
        };
        let reasons = |policy, guard| reasons(policy, guard).collect::<Vec<_>>();
        read(Some(32), 1000, 50);
        assert_eq!(read(Some(32), 1010, 55), (0, vec![], vec![]));
        // It ended just now: what was counted before came over it.
        assert_eq!(read(None, 1012, 56), (0, rows(0, 0), vec![]));
        assert_eq!(read(None, 1020, 58), (10, rows(8, 2), reasons(8, 2)));
        // It runs again just now.
        assert_eq!(read(Some(32), 1025, 58), (5, rows(13, 2), reasons(13, 2)));
        assert_eq!(read(Some(32), 1100, 70), (0, rows(13, 2), reasons(13, 2)));
        // Another group is read than the rules log to.
        assert_eq!(read(Some(33), 1100, 70), (0, rows(13, 2), reasons(13, 2)));
        assert_eq!(read(Some(33), 1101, 71), (2, rows(14, 3), reasons(14, 3)));
    }

    #[test]
    fn what_a_rule_counted_while_its_log_was_read_is_not_lost_when_that_ends() {
        let mut counts = Counts::default();
        let mut read = |logd, packets| {
            let text = format!(
                r#"{{"nftables": [{{"rule": {{"family": "inet", "table": "fw4", "chain": "input_wan",
                "comment": "!fw4: Drop-telnet", "handle": 9, "expr": [{{"counter": {{"packets": {packets}}}}},
                {{"log": {{"prefix": "Drop-telnet: "}}}}, {{"drop": null}}]}}}}]}}"#
            );
            let (ruleset, read) = (Ruleset::read(text.as_bytes()).unwrap(), Read { nflog: Some(32), logd });
            let unseen = counts.add(&ruleset, &["wan".to_string()], read, Some(Date(1)));
            (unseen, counts.reasons().len())
        };
        assert_eq!(read(true, 70_000), (0, 0));
        assert_eq!(read(true, 90_000), (0, 0));
        assert_eq!(read(false, 90_001), (0, 0));
        assert_eq!(read(false, 90_004), (3, 1));
    }

    #[test]
    fn a_further_rule_of_a_table_does_not_count_the_others_again() {
        let mut counts = Counts::default();
        let mut read = |rules: &[(u64, u64)]| {
            let rule = |(handle, packets): &(u64, u64)| {
                format!(
                    r#", {{"rule": {{"family": "ip", "table": "filter", "chain": "DOCKER", "handle": {handle},
                    "expr": [{{"counter": {{"packets": {packets}}}}}, {{"drop": null}}]}}}}"#
                )
            };
            let rules: String = rules.iter().map(rule).collect();
            let table = r#"{"table": {"family": "ip", "name": "filter", "handle": 4}}"#;
            let ruleset = Ruleset::read(format!(r#"{{"nftables": [{table}{rules}]}}"#).as_bytes()).unwrap();
            counts.add(&ruleset, &[], NFLOG, Some(Date(1)))
        };
        assert_eq!(read(&[(3, 500)]), 0);
        assert_eq!(read(&[(3, 501), (8, 2)]), 3);
        assert_eq!(read(&[(8, 2)]), 0);
        assert_eq!(read(&[(8, 3), (9, 1)]), 2);
    }

    #[test]
    fn sums_count_on_over_a_reload_of_the_firewall_and_today_begins_at_midnight() {
        let mut counts = Counts::default();
        let mut read = |refused, counted, handle, day| {
            let ruleset = ruleset(refused, counted, handle);
            counts.add(&ruleset, &["wan".to_string()], NFLOG, Some(Date(day)));
            let zone = counts.rules.as_ref().unwrap().get(&Place::Zone("wan".into())).copied().unwrap();
            (counts.not_seen[0].packets.unwrap(), counts.not_seen[0].today, zone, counts.reasons())
        };
        // What was counted before the daemon's start does not count.
        assert_eq!(read(100, 1000, 8, 1), (0, 0, 0, vec![]));
        let sentence = "rule 'Drop-telnet': 5 packets were refused today that are known only as a sum";
        assert_eq!(read(105, 1007, 8, 1), (5, 5, 7, vec![sentence.to_string()]));
        // Reloaded, and once more with more packets than before.
        assert_eq!(read(2, 1, 9, 1).0, 7);
        assert_eq!(read(3, 1, 10, 1).0, 10);
        assert_eq!(read(3, 1, 10, 2), (10, 0, 9, vec![]));
    }
}
