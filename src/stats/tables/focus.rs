//! A part of the open tables as a summary, without ever making a summary of all: what a question is
//! about, or the heaviest rows for a copy.

use crate::event::{Address, Service};

use super::summary::kept_pair;
use super::*;

/// Which rows, and how many of the heaviest of these.
pub struct Focus<'a> {
    pub services: &'a dyn Fn(Service) -> bool,
    pub sources: &'a dyn Fn(Address) -> bool,
    /// Pairs of which both are wanted.
    pub most_services: usize,
    pub most_sources: usize,
    pub most_pairs: usize,
    /// So many of the heaviest services get a small sketch of their different sources, which other days' can join, and
    /// of the others those that few sources tried.
    pub sketches: usize,
}

impl Focus<'_> {
    /// The heaviest rows of everything.
    pub fn heaviest(services: usize, sources: usize, pairs: usize) -> Focus<'static> {
        Focus {
            services: &|_| true,
            sources: &|_| true,
            most_services: services,
            most_sources: sources,
            most_pairs: pairs,
            sketches: 0,
        }
    }
}

impl Tables {
    /// No row was ever evicted or left out.
    pub fn is_whole(&self) -> bool {
        self.sources_whole()
            && self.pairs_whole()
            && self.services.evictions() == 0
            && self.missing.services == 0
    }

    pub fn focused(&self, focus: &Focus<'_>) -> Kept {
        let mut kept = self.kept_totals();
        let is_service = |bits: u32| (focus.services)(Service::from_bits(bits));
        let is_source = |address: Address| (focus.sources)(address);
        let (services, left_out) =
            heaviest(&self.services, focus.most_services, |row| is_service(row.service));
        kept.service_floor = left_out.max(self.services.floor() + self.missing.services);
        kept.services = services.into_iter().map(|row| self.kept_service(row)).collect();
        let (sources, left_out) = heaviest(&self.sources, focus.most_sources, |row| is_source(row.address));
        kept.source_floor = left_out.max(self.sources.floor() + self.missing.sources);
        kept.sources = sources.into_iter().map(|row| self.source_as_kept(row)).collect();
        let (pairs, left_out) =
            heaviest(&self.pairs, focus.most_pairs, |row| is_service(row.service) && is_source(row.address));
        kept.pair_floor = left_out.max(self.pairs.floor() + self.missing.pairs);
        kept.pairs = pairs.into_iter().map(|row| kept_pair(row, self.missing.pairs)).collect();
        kept.sort();
        self.sketch_services(&mut kept.services, focus.sketches);
        kept
    }
}

/// The heaviest rows of those that are wanted, in no order, and the most that one left out has.
fn heaviest<R: Row<Key: Ord>>(table: &Heavy<R>, most: usize, wanted: impl Fn(&R) -> bool) -> (Vec<&R>, u64) {
    let rows: Vec<&R> = table.rows().iter().filter(|row| wanted(row)).collect();
    let cut = Cut { top: most, from: u64::MAX, most };
    let rank = |number: usize| (Reverse(rows[number].count()), rows[number].key());
    let (numbers, floor) = cut.pick(rows.len(), |number| rows[number].count(), rank);
    (numbers.into_iter().map(|number| rows[number as usize]).collect(), floor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Class, PathId, protocol};

    fn event_of(source: Address, port: u16) -> Event {
        Event {
            time: 1000,
            source,
            destination: Address::v4(1),
            fingerprint: 0,
            uptime: 0,
            count: 1,
            source_port: 40_000,
            port,
            length: 40,
            path: PathId(0),
            protocol: protocol::TCP,
            flags: 2,
            icmp_type: 0,
            icmp_code: 0,
            class: Class::Attempt,
            verdict: Verdict::Drop,
            unhashed: false,
        }
    }

    #[test]
    fn a_focus_gives_the_heaviest_rows_of_what_is_asked_for() {
        let mut tables = Tables::new(Bounds::ATTEMPTS);
        for host in 0..100u32 {
            for _ in 0..=host {
                tables.add(&event_of(Address::v4(host), 23), 5);
            }
        }
        tables.add(&event_of(Address::v4(7), 22), 6);
        let whole = tables.to_kept(None);
        let all = tables.focused(&Focus::heaviest(9999, 9999, 9999));
        assert_eq!(all, whole);
        let kept = tables.focused(&Focus::heaviest(1, 10, 5));
        assert_eq!((kept.services.len(), kept.sources.len(), kept.pairs.len()), (1, 10, 5));
        assert_eq!((kept.service_floor, kept.source_floor, kept.pair_floor), (1, 90, 95));
        assert_eq!((kept.attempts, kept.unique), (5051, Unique::Exactly(100)));
        let one = Focus { sources: &|address| address == Address::v4(7), ..Focus::heaviest(9, 9, 9) };
        let kept = tables.focused(&one);
        assert_eq!((kept.sources[0].attempts, kept.sources.len(), kept.pairs.len()), (9, 1, 2));
        assert_eq!((kept.source_floor, kept.pair_floor), (0, 0));
        assert!(tables.is_whole());
    }
}
