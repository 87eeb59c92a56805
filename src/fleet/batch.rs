//! The lines of a batch: a day's totals by class and its pairs of source and service (docs/FLEET.md, format 1).
//!
//! Takes tables, writes each line at once. Knows no clock and no file.

// SipHash-2-4 with a key; `DefaultHasher` has no key.
use std::cmp::Reverse;
use std::hash::Hasher;
#[allow(deprecated)]
use std::hash::SipHasher;
use std::io::{self, Write};

use crate::config::{Config, FleetSources};
use crate::event::calendar::Date;
use crate::event::{Address, Class, Service};
use crate::stats::countries::{Country, CountryLookup};
use crate::stats::day::Day;
use crate::stats::summary::{Cut, PairCount, Rows};

/// Version of the batch format, in each line (docs/FORMAT.md).
pub const FORMAT: u32 = 1;
/// HyperLogLog registers of a service's sources.
pub const REGISTERS: usize = 1024;
/// The highest 64 bits of a hashed source: the discard-only prefix 100::/64 (RFC 6666).
pub const HASHES: u64 = 0x0100_0000_0000_0000;
/// Pairs of a table that overflowed: its lighter rows have large errors.
const HEAVIEST: Cut = Cut::top(2048);

/// What of the sources a batch contains.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Sources {
    Address,
    /// SipHash-2-4 of each, with this key.
    Hash(u64, u64),
    /// None: registers of each service's sources.
    #[default]
    Registers,
}

/// The totals of a class on a day.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Totals {
    pub class: Class,
    pub attempts: u64,
    /// Different sources; of a day that is not complete, as far as they are known.
    pub sources: u64,
    /// Whether its pairs are complete.
    pub complete: bool,
    /// Events that inputs lost, of all classes.
    pub lost: u64,
    /// Attempts of each hour; absent if not measured.
    pub hours: Option<[u64; 24]>,
}

#[allow(deprecated)]
fn sip_hash(key: (u64, u64), bytes: &[u8]) -> u64 {
    let mut hasher = SipHasher::new_with_keys(key.0, key.1);
    hasher.write(bytes);
    hasher.finish()
}

impl Sources {
    /// As the configuration allows. `salt`: the store's, a secret of the router.
    pub fn of(config: &Config, salt: u64) -> Sources {
        match config.fleet_sources() {
            FleetSources::Address => Sources::Address,
            FleetSources::Hash if config.fleet.hash_key.is_empty() => {
                Sources::hashed_with(&format!("fwstat {salt}"))
            }
            FleetSources::Hash => Sources::hashed_with(&config.fleet.hash_key),
            FleetSources::None => Sources::Registers,
        }
    }

    /// The key of the hash made from a text.
    pub fn hashed_with(text: &str) -> Sources {
        let half = |number| sip_hash((number, 0), text.as_bytes());
        Sources::Hash(half(0), half(1))
    }

    /// Whether a source may be sent that a batch has as this text.
    pub fn allows(self, source: &str) -> bool {
        match self {
            Sources::Address => true,
            Sources::Hash(..) => source.starts_with("100::"),
            Sources::Registers => false,
        }
    }

    /// A source as it is sent.
    pub fn encoded(self, address: Address) -> Address {
        match self {
            Sources::Hash(high, low) => {
                Address { high: HASHES, low: sip_hash((high, low), &address.to_bytes()) }
            }
            Sources::Address | Sources::Registers => address,
        }
    }
}

/// Service, and source as it is sent.
pub type Pair = (Service, Address);

/// Numbers between commas.
fn joined(numbers: &mut dyn Iterator<Item = u64>) -> String {
    numbers.map(|number| number.to_string()).collect::<Vec<_>>().join(",")
}

/// A service in a batch without sources.
#[derive(Clone)]
pub struct ServiceSums {
    pub attempts: u64,
    /// Different sources.
    pub sources: u64,
    /// HyperLogLog registers: each has the highest rank of its hashes.
    registers: [u8; REGISTERS],
}

impl Default for ServiceSums {
    fn default() -> ServiceSums {
        ServiceSums { attempts: 0, sources: 0, registers: [0; REGISTERS] }
    }
}

impl ServiceSums {
    /// Sets a register to `rank` if that is higher.
    pub fn raise(&mut self, place: usize, rank: u8) {
        if let Some(register) = self.registers.get_mut(place) {
            *register = (*register).max(rank);
        }
    }

    /// Adds the attempts of a source that was not added before.
    pub fn add(&mut self, attempts: u64, address: Address) {
        self.attempts = self.attempts.saturating_add(attempts);
        self.sources += 1;
        // The hash has no key, since the registers of several routers are merged.
        let hash = sip_hash((0, 0), &address.to_bytes());
        let rank = ((hash << 10) | (1 << 9)).leading_zeros() + 1;
        self.raise((hash >> 54) as usize, rank as u8);
    }
}

/// Writes the lines of a batch (NDJSON), each at once.
pub struct Writer<'w> {
    pub date: Date,
    /// Unix time: of two batches of a day the one with the higher value is valid.
    pub sent: i64,
    /// Of the time zone, in minutes east of UTC.
    pub offset: i32,
    pub sources: Sources,
    pub out: &'w mut dyn Write,
    /// Of the sources' countries.
    pub lookup: Option<&'w mut (dyn CountryLookup + 'w)>,
}

impl Writer<'_> {
    /// The country of a source, of the classes that have countries; [`Country::NONE`] if it is not known.
    pub(super) fn country_of(&mut self, class: Class, address: Address) -> Country {
        let lookup = self.lookup.as_mut().filter(|_| class.has_countries());
        lookup.and_then(|lookup| lookup.country_of(address)).unwrap_or(Country::NONE)
    }

    fn begin(&mut self, kind: &str, class: Class) -> io::Result<()> {
        let (date, sent, class) = (self.date, self.sent, class.name());
        write!(
            self.out,
            r#"{{"format":{FORMAT},"kind":"{kind}","day":"{date}","sent":{sent},"class":"{class}","#
        )
    }

    /// The line of a class's totals.
    pub fn day(&mut self, totals: &Totals) -> io::Result<()> {
        let Totals { class, attempts, sources, complete, lost, hours } = totals;
        self.begin("day", *class)?;
        let (complete, offset, version) = (u8::from(*complete), self.offset, env!("CARGO_PKG_VERSION"));
        writeln!(
            self.out,
            r#""attempts":{attempts},"sources":{sources},"complete":{complete},"lost":{lost},"offset":{offset},"version":"{version}","hours":[{}]}}"#,
            joined(&mut hours.iter().flatten().copied())
        )
    }

    /// The line of a pair.
    pub fn pair(&mut self, class: Class, pair: Pair, country: Country, attempts: u64) -> io::Result<()> {
        self.begin("pair", class)?;
        let (Service { protocol, port }, source) = pair;
        write!(self.out, r#""protocol":{protocol},"port":{port},"source":"{source}","country":""#)?;
        if country != Country::NONE {
            write!(self.out, "{country}")?;
        }
        writeln!(self.out, r#"","attempts":{attempts}}}"#)
    }

    /// The line of a service, without its sources.
    pub fn service(&mut self, class: Class, service: Service, sums: &ServiceSums) -> io::Result<()> {
        self.begin("service", class)?;
        let Service { protocol, port } = service;
        let ServiceSums { attempts, sources, registers } = sums;
        // Only registers that are not 0: each is written as 64 times its index plus its rank.
        let set = registers.iter().zip(0u64..).filter(|(rank, _)| **rank > 0);
        let registers = joined(&mut set.map(|(rank, place)| place * 64 + u64::from(*rank)));
        writeln!(
            self.out,
            r#""protocol":{protocol},"port":{port},"attempts":{attempts},"sources":{sources},"registers":[{registers}]}}"#
        )
    }

    /// Writes the pairs of a class, sorted by service.
    fn pairs(&mut self, class: Class, pairs: &mut dyn Iterator<Item = PairCount>) -> io::Result<()> {
        let mut pairs = pairs.peekable();
        let mut sums = ServiceSums::default();
        while let Some(pair) = pairs.next() {
            let attempts = known_attempts(&pair);
            if self.sources != Sources::Registers {
                let country = self.country_of(class, pair.address);
                let source = self.sources.encoded(pair.address);
                self.pair(class, (pair.service, source), country, attempts)?;
                continue;
            }
            sums.add(attempts, pair.address);
            if pairs.peek().is_none_or(|next| next.service != pair.service) {
                self.service(class, pair.service, &std::mem::take(&mut sums))?;
            }
        }
        Ok(())
    }

    /// Writes a day's tables before their rows are cut.
    pub fn write_day(&mut self, day: &Day) -> io::Result<()> {
        for totals in Class::ALL.into_iter().filter_map(|class| totals_of(day, class)) {
            self.day(&totals)?;
            self.pairs(totals.class, &mut pairs_of(day, totals.class))?;
        }
        Ok(())
    }

    /// Writes the stored rows of a class on a day, with its heaviest pairs.
    pub fn write_stored(&mut self, mut totals: Totals, rows: &Rows<PairCount>) -> io::Result<()> {
        let mut pairs = rows.rows.clone();
        pairs.sort_unstable_by_key(|pair| (pair.service, pair.address));
        let sum = pairs.iter().fold(0u64, |sum, pair| sum.saturating_add(known_attempts(pair)));
        totals.complete = (rows.floor, rows.missing) == (0, 0) && sum == totals.attempts;
        self.day(&totals)?;
        self.pairs(totals.class, &mut pairs.into_iter())
    }
}

/// The attempts that are certain: a row that evicted another one has that one's attempts as its error.
pub fn known_attempts(pair: &PairCount) -> u64 {
    pair.attempts.saturating_sub(pair.error)
}

/// `None` for a class without events.
pub fn totals_of(day: &Day, class: Class) -> Option<Totals> {
    let tables = day.tables(class);
    if tables.count() == 0 {
        return None;
    }
    let summary = tables.totals_only();
    let [_, [sources_floor, ..], [pairs_floor, ..]] = tables.heads();
    let rows = tables.sources().count() as u64;
    Some(Totals {
        class,
        attempts: summary.attempts,
        sources: if sources_floor == 0 { rows } else { summary.distinct.map_or(rows, |all| all.number) },
        complete: (sources_floor, pairs_floor) == (0, 0),
        lost: day.lost,
        hours: Some(summary.hours),
    })
}

/// The pairs of a class in a batch, by service and address: all, or the heaviest if some were evicted.
pub fn pairs_of(day: &Day, class: Class) -> impl Iterator<Item = PairCount> {
    let tables = day.tables(class);
    let rows = tables.pairs();
    let key = |slot: u32| (rows[slot as usize].service, rows[slot as usize].address);
    let [.., [floor, missing, _]] = tables.heads();
    let mut slots: Vec<u32> = if floor == missing {
        (0..rows.len() as u32).collect()
    } else {
        let attempts: Vec<u32> = rows.iter().map(|row| row.count).collect();
        HEAVIEST.pick(&attempts, |slot| (Reverse(rows[slot as usize].count), key(slot))).0
    };
    slots.sort_unstable_by_key(|slot| key(*slot));
    slots.into_iter().map(|slot| rows[slot as usize].counted())
}

#[cfg(test)]
#[path = "batch_tests.rs"]
pub(crate) mod tests;
