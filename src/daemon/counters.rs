//! The firewall's own counters: asks `nft` for the ruleset in a process of its own, never waits for it, and counts on
//! from one reading to the next.

use std::io;

use super::ruleset::{Place, Reading, Ruleset, Unseen};
use crate::daemon::nft::run::{MAX_OUTPUT, Nft};
use crate::event::calendar::Date;
use crate::event::small_map::SmallMap;

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
    /// Starts to ask, unless nft runs, or was started less than `age_ms` ago.
    pub(super) fn ask(&mut self, now_ms: u64, age_ms: u64) {
        if self.nft.is_running() || self.asked_ms.is_some_and(|at| now_ms < at.saturating_add(age_ms)) {
            return;
        }
        self.asked_ms = Some(now_ms);
        if let Err(error) = self.nft.list(now_ms) {
            let why = match error.kind() {
                io::ErrorKind::NotFound => "nft is missing: the rules' counters can't be read".to_string(),
                _ => format!("cannot run nft: {error}"),
            };
            self.why = Some(why);
        }
    }

    /// The ruleset, once nft has printed it. Ends an nft that takes too long.
    pub(super) fn poll(&mut self, now_ms: u64) -> Option<Ruleset> {
        let outcome = self.nft.poll(now_ms)?;
        let ruleset = outcome.as_ref().ok().and_then(|(_, printed)| Ruleset::read(printed));
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

/// Counts on from one reading to the next: fw4 makes its rules' counters anew with every reload.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tally {
    last: Reading,
    /// Since the daemon's start.
    pub sum: u64,
}

impl Tally {
    /// `known`: the counter was there before the daemon counted.
    fn new(reading: Reading, known: bool) -> Tally {
        Tally { last: reading, sum: if known { 0 } else { reading.packets } }
    }

    /// What came since the last reading.
    fn add(&mut self, reading: Reading) -> u64 {
        let anew = reading.made != self.last.made || reading.packets < self.last.packets;
        let more = if anew { reading.packets } else { reading.packets - self.last.packets };
        self.last = reading;
        self.sum = self.sum.saturating_add(more);
        more
    }
}

/// Packets that were refused and not seen one by one.
#[derive(Clone, Debug)]
pub(super) struct NotSeen {
    pub place: String,
    /// `None` where nothing counts them.
    pub packets: Option<Tally>,
    pub today: u64,
}

/// All readings so far.
#[derive(Default)]
pub(super) struct Counts {
    /// Of our rules; `None` while not known.
    pub rules: Option<SmallMap<Place, Tally>>,
    /// At the last reading, and with packets today.
    pub not_seen: Vec<NotSeen>,
    date: Option<Date>,
}

impl Counts {
    /// Gives how many packets were refused unseen since the reading before.
    pub(super) fn add(&mut self, ruleset: &Ruleset, zones: &[String], logd: bool, date: Option<Date>) -> u64 {
        let mut unseen_since = 0_u64;
        let known = self.rules.is_none();
        if std::mem::replace(&mut self.date, date) != date {
            self.not_seen.iter_mut().for_each(|row| row.today = 0);
        }
        let counted = ruleset.counted();
        let rules = self.rules.get_or_insert_default();
        rules.retain(|place, _| counted.contains_key(place));
        for (place, packets) in counted {
            match rules.get_mut(&place) {
                Some(tally) => drop(tally.add(packets)),
                None => drop(rules.insert(place, Tally::new(packets, known))),
            }
        }
        let unseen = ruleset.unseen(zones, logd);
        self.not_seen.retain(|row| row.today > 0 || unseen.iter().any(|known| known.place == row.place));
        for Unseen { place, packets } in unseen {
            match self.not_seen.iter_mut().find(|row| row.place == place) {
                Some(row) => match (&mut row.packets, packets) {
                    (Some(tally), Some(packets)) => {
                        let more = tally.add(packets);
                        row.today = row.today.saturating_add(more);
                        unseen_since = unseen_since.saturating_add(more);
                    }
                    (tally, packets) => *tally = packets.map(|packets| Tally::new(packets, true)),
                },
                None => {
                    let packets = packets.map(|packets| Tally::new(packets, known));
                    let today = packets.map_or(0, |tally| tally.sum);
                    unseen_since = unseen_since.saturating_add(today);
                    self.not_seen.push(NotSeen { place, packets, today });
                }
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn ruleset(refused: u64, counted: u64, handle: u64) -> Ruleset {
        let rule = |comment: &str, packets: u64, end: &str| {
            format!(
                r#"{{"rule": {{"family": "inet", "table": "fw4", "chain": "input_wan", "comment": "{comment}",
                "handle": {handle},
                "expr": [{{"counter": {{"packets": {packets}, "bytes": 1}}}}, {end}]}}}}"#
            )
        };
        let drop = rule("!fw4: Drop-telnet", refused, r#"{"drop": null}"#);
        let ours = rule("fwstat wan", counted, r#"{"log": {"group": 32}}"#);
        Ruleset::read(format!(r#"{{"nftables": [{drop}, {ours}]}}"#).as_bytes()).unwrap()
    }

    #[test]
    fn sums_count_on_over_a_reload_of_the_firewall_and_today_begins_at_midnight() {
        let mut counts = Counts::default();
        let mut read = |refused, counted, handle, day| {
            let ruleset = ruleset(refused, counted, handle);
            counts.add(&ruleset, &["wan".to_string()], false, Some(Date(day)));
            let zone = counts.rules.as_ref().unwrap().get(&Place::Zone("wan".into())).unwrap().sum;
            (counts.not_seen[0].packets.unwrap().sum, counts.not_seen[0].today, zone, counts.reasons())
        };
        // What was there before the daemon is not its.
        assert_eq!(read(100, 1000, 8, 1), (0, 0, 0, vec![]));
        let sentence = "rule 'Drop-telnet': 5 packets were refused today that are known only as a sum";
        assert_eq!(read(105, 1007, 8, 1), (5, 5, 7, vec![sentence.to_string()]));
        // Reloaded, and once more with more packets than before.
        assert_eq!(read(2, 1, 9, 1).0, 7);
        assert_eq!(read(3, 1, 10, 1).0, 10);
        assert_eq!(read(3, 1, 10, 2), (10, 0, 9, vec![]));
    }
}
