//! Sums of summaries: of the days of a month, of a question's range, or of parts of one day. Takes summaries, gives
//! bounded sums with their errors.

use crate::event::small_map::SmallMap;
use crate::event::{Address, Class, Service};

use super::countries::{Country, CountryCount, ServiceCountryCount};
use super::heavy::{Heavy, Key, Row};
use super::rules;
use super::sample::{Distinct, Sample, Union};
use super::summary::{ClassSummary, Counted, DaySummary, Hours, PairCount, Rows, ServiceCount, SourceCount};

/// Most rows of each table of a sum: services, sources, pairs.
const MAX_ROWS: usize = 16_384;
/// Most sources in the sample of a sum.
const MAX_SAMPLED: usize = 8192;

/// The sum of the rows of one key.
#[derive(Clone, Copy, Debug)]
pub struct Sum<K> {
    pub key: K,
    pub attempts: u64,
    /// The most that `attempts` can be too high.
    pub error: u64,
    /// The sum of the floors of the summaries that had a row of this key, at most 4,294,967,295.
    floors: u32,
    /// How many summaries had a row of this key.
    pub present: u32,
    /// Unix seconds.
    pub first: i64,
    pub last: i64,
    /// The range of the number of different sources (of a service or country) or services (of a source), from the rows'
    /// numbers. [`UNKNOWN`] if a row has none.
    range: (u64, u64),
}

/// No range: an empty interval.
const UNKNOWN: (u64, u64) = (u64::MAX, 0);

// A question about a year has thousands of them.
const _: () = assert!(size_of::<Sum<Address>>() <= 72 && size_of::<Sum<Service>>() <= 64);

impl<K: Key> Row for Sum<K> {
    type Key = K;

    fn key(&self) -> K {
        self.key
    }

    fn count(&self) -> u64 {
        self.attempts
    }

    fn start(key: K, floor: u64) -> Sum<K> {
        Sum::of(key, floor, floor)
    }
}

impl<K> Sum<K> {
    /// A sum from other counts.
    pub fn of(key: K, attempts: u64, error: u64) -> Sum<K> {
        Sum { key, attempts, error, floors: 0, present: 0, first: i64::MAX, last: i64::MIN, range: (0, 0) }
    }

    /// With a row's number of different sources or services.
    #[inline]
    pub fn with(self, distinct: Option<Distinct>) -> Sum<K> {
        let range = distinct.map_or(UNKNOWN, |Distinct { number, error }| {
            (number.saturating_sub(error), number.saturating_add(error))
        });
        Sum { range, ..self }
    }

    /// The only row's number of different sources or services.
    pub fn single(&self) -> Option<Distinct> {
        let (least, most) = self.range;
        let error = most.checked_sub(least)? / 2;
        (self.present == 1).then_some(Distinct { number: most - error, error })
    }

    /// An estimate of different sources, bounded by the rows' numbers. `floor`: that of the table.
    pub fn distinct(&self, estimate: Option<Distinct>, floor: u64) -> Option<Distinct> {
        if self.range == UNKNOWN {
            return estimate?.meaningful();
        }
        let (least, most) = self.range;
        // Parts without a row have at most as many sources as attempts.
        let without_row = floor.saturating_sub(self.floors.into());
        if without_row == 0 && self.present == 1 {
            return self.single();
        }
        let most = most.saturating_add(without_row).min(self.attempts).max(least);
        if least == most {
            return Some(Distinct::exactly(most));
        }
        estimate?.within(least, most).meaningful()
    }
}

/// Rows of one kind, added up.
pub struct Table<K: Key> {
    rows: Heavy<Sum<K>>,
    floors: u64,
    missing: u64,
}

impl<K: Key> Default for Table<K> {
    fn default() -> Table<K> {
        Table::new(MAX_ROWS)
    }
}

impl<K: Key> Table<K> {
    /// An empty table of at most this many rows.
    pub fn new(most: usize) -> Table<K> {
        Table { rows: Heavy::new(most), floors: 0, missing: 0 }
    }

    /// Adds the rows of a summary that are wanted.
    pub fn add<T: Counted<Key = K>>(&mut self, rows: &Rows<T>, wanted: impl Fn(K) -> bool) {
        self.floors = self.floors.saturating_add(rows.floor);
        self.missing = self.missing.saturating_add(rows.missing);
        for more in rows.rows.iter().map(Counted::sum).filter(|sum| wanted(sum.key)) {
            let slot = self.rows.touch(more.key).slot;
            let sum = self.rows.row_mut(slot);
            sum.attempts = sum.attempts.saturating_add(more.attempts);
            sum.error = sum.error.saturating_add(more.error);
            sum.floors = sum.floors.saturating_add(u32::try_from(rows.floor).unwrap_or(u32::MAX));
            sum.present += 1;
            (sum.first, sum.last) = (sum.first.min(more.first), sum.last.max(more.last));
            sum.range = match (sum.range, more.range) {
                (UNKNOWN, _) | (_, UNKNOWN) => UNKNOWN,
                (sum, more) => (sum.0.max(more.0), sum.1.saturating_add(more.1)),
            };
        }
    }

    /// Sorts the rows in place, most attempts first. Nothing can be added or looked up afterwards.
    pub fn sort(&mut self) {
        self.rows.sort_by_key(|row| (std::cmp::Reverse(row.attempts), row.key));
    }

    /// As [`Table::sort`], by key.
    pub fn sort_by_key<T: Ord>(&mut self, key: impl FnMut(&Sum<K>) -> T) {
        self.rows.sort_by_key(key);
    }

    /// The rows in their present order.
    pub fn rows(&self) -> &[Sum<K>] {
        self.rows.rows()
    }

    /// The attempts of a row may be too low by at most this.
    pub fn missing(&self, row: &Sum<K>) -> u64 {
        self.missing.saturating_add(self.floors.saturating_sub(row.floors.into()))
    }

    /// The most attempts of a key without a row.
    pub fn floor(&self) -> u64 {
        self.floors.saturating_add(self.rows.floor())
    }

    /// The row of a key.
    pub fn get(&self, key: K) -> Option<&Sum<K>> {
        Some(&self.rows.rows()[self.rows.find(&key)?])
    }

    /// `row`: makes a row of a sum and the table's floor.
    fn into_rows<T>(mut self, row: impl Fn(&Sum<K>, u64) -> T) -> Rows<T> {
        self.sort();
        let missing = self.rows().iter().map(|sum| self.missing(sum)).max().unwrap_or(0);
        let floor = self.floor();
        Rows { rows: self.rows().iter().map(|sum| row(sum, floor)).collect(), floor, missing }
    }
}

/// The different sources of several periods, from their numbers and samples.
pub struct Sources {
    parts: u32,
    most: u64,
    sum: u64,
    single: Option<Distinct>,
    /// `None`: a part had sources but no sample.
    union: Option<Union<Country>>,
    unknown: bool,
}

impl Default for Sources {
    fn default() -> Sources {
        let union = Some(Union::new(MAX_SAMPLED));
        Sources { parts: 0, most: 0, sum: 0, single: None, union, unknown: false }
    }
}

impl Sources {
    /// Adds a period: its attempts, its number of different sources, and its sample.
    pub fn add(&mut self, attempts: u64, distinct: Option<Distinct>, sample: Option<&Sample<Country>>) {
        if attempts == 0 {
            return;
        }
        self.parts += 1;
        self.single = distinct;
        match distinct {
            Some(Distinct { number, error }) => {
                self.most = self.most.max(number.saturating_sub(error));
                self.sum = self.sum.saturating_add(number.saturating_add(error));
            }
            None => self.unknown = true,
        }
        match (&mut self.union, sample) {
            (Some(ours), Some(theirs)) => ours.add(theirs),
            _ => self.union = None,
        }
    }

    /// Different sources of all parts together, and their sample, if every part had one.
    pub fn finish(self) -> (Option<Distinct>, Option<Sample<Country>>) {
        let sample = self.union.map(Union::finish);
        let distinct = match self.parts {
            0 => Some(Distinct::default()),
            1 if self.single.is_some() => self.single,
            _ => sample.as_ref().and_then(|sample| {
                let estimate = sample.all();
                let known = if self.unknown { estimate } else { estimate.within(self.most, self.sum) };
                if known == Distinct::default() { Some(known) } else { known.meaningful() }
            }),
        };
        (distinct, sample)
    }

    /// Different sources of all parts together.
    pub fn distinct(self) -> Option<Distinct> {
        self.finish().0
    }
}

fn pair_count(sum: &Sum<(Service, Address)>, _: u64) -> PairCount {
    PairCount { service: sum.key.0, address: sum.key.1, attempts: sum.attempts, error: sum.error }
}

/// Adds attempts hour by hour.
pub fn add_hours(sums: &mut [u64; 24], hours: &[u64; 24]) {
    for (sum, count) in sums.iter_mut().zip(hours) {
        *sum = sum.saturating_add(*count);
    }
}

/// The rows of one table of all parts.
fn table<'a, T: Counted<Key: Key> + 'a>(
    parts: &[&'a ClassSummary],
    rows: impl Fn(&'a ClassSummary) -> &'a Rows<T>,
) -> Table<T::Key> {
    let mut table = Table::default();
    parts.iter().for_each(|part| table.add(rows(part), |_| true));
    table
}

/// The sum of summaries of one class, heaviest rows first. Hours of rows are not summed up.
pub fn sum_of_class(parts: &[&ClassSummary]) -> ClassSummary {
    let mut sum = ClassSummary::default();
    let (mut sources, mut protocols) = (Sources::default(), SmallMap::new());
    for part in parts {
        sum.attempts = sum.attempts.saturating_add(part.attempts);
        add_hours(&mut sum.hours, &part.hours);
        for (protocol, count) in &part.protocols {
            let sum: &mut u64 = protocols.or_default(*protocol);
            *sum = sum.saturating_add(*count);
        }
        for (sum, count) in sum.verdicts.iter_mut().zip(part.verdicts) {
            *sum = sum.saturating_add(count);
        }
        sources.add(part.attempts, part.distinct, part.sample.as_ref());
        rules::add_rows(&mut sum.rules, &part.rules);
        sum.countries.measured = sum.countries.measured.saturating_add(part.countries.measured);
    }
    rules::sort(&mut sum.rules);
    sum.protocols = protocols.iter().map(|(protocol, count)| (*protocol, *count)).collect();
    (sum.distinct, sum.sample) = sources.finish();
    let sample = sum.sample.as_ref();
    let with_services = sample.filter(|sample| sample.has_services());
    let by_service = with_services.map(Sample::by_service);
    sum.services = table(parts, |part| &part.services).into_rows(|row, floor| ServiceCount {
        service: row.key,
        attempts: row.attempts,
        error: row.error,
        distinct: row.distinct(by_service.as_ref().map(|by_service| by_service.of(row.key)), floor),
        hours: None,
    });
    sum.sources = table(parts, |part| &part.sources).into_rows(|row, _| SourceCount {
        address: row.key,
        attempts: row.attempts,
        error: row.error,
        services: row.single().map(|distinct| distinct.number),
        first: row.first,
        last: row.last,
        hours: None,
    });
    sum.pairs = table(parts, |part| &part.pairs).into_rows(pair_count);
    sum.targets = table(parts, |part| &part.targets).into_rows(pair_count);
    sum.countries.rows = table(parts, |part| &part.countries.rows).into_rows(|row, floor| CountryCount {
        country: row.key,
        attempts: row.attempts,
        distinct: row.distinct(sample.map(|sample| sample.of_country(row.key)), floor),
    });
    sum.countries.services = table(parts, |part| &part.countries.services).into_rows(|row, floor| {
        let (service, country) = row.key;
        let estimate = with_services.map(|sample| sample.of_both(country, |known| known == service));
        let distinct = row.distinct(estimate, floor);
        ServiceCountryCount { service, country, attempts: row.attempts, distinct }
    });
    sum
}

/// The sum of summaries of the days of one month.
pub fn sum_of(parts: &[&DaySummary]) -> [ClassSummary; Class::COUNT] {
    Class::ALL.map(|class| {
        let of_class: Vec<&ClassSummary> = parts.iter().map(|part| part.class(class)).collect();
        sum_of_class(&of_class)
    })
}

/// The sum of two parts of one day.
pub fn sum_of_day(known: &DaySummary, more: &DaySummary) -> DaySummary {
    let classes = Class::ALL.map(|class| sum_of_parts(known.class(class), more.class(class)));
    DaySummary { date: known.date, lost: known.lost.saturating_add(more.lost), classes }
}

/// The sum of two parts of one class on one day: as [`sum_of_class`], with the hours of rows.
pub fn sum_of_parts(known: &ClassSummary, more: &ClassSummary) -> ClassSummary {
    let mut sum = sum_of_class(&[known, more]);
    add_row_hours(&mut sum.services, [&known.services, &more.services], |row| &mut row.hours);
    add_row_hours(&mut sum.sources, [&known.sources, &more.sources], |row| &mut row.hours);
    sum
}

/// Adds up the hours of rows, if every part that has the row has its hours.
fn add_row_hours<T: Counted + Clone>(
    sum: &mut Rows<T>,
    parts: [&Rows<T>; 2],
    hours: impl Fn(&mut T) -> &mut Option<Hours>,
) {
    for row in &mut sum.rows {
        let found = parts.iter().filter_map(|part| part.rows.iter().find(|known| known.key() == row.key()));
        let mut counts = Some([0u32; 24]);
        for part in found {
            let part = hours(&mut part.clone()).as_ref().map(Hours::counts);
            counts = counts.zip(part).map(|(mut sum, part)| {
                sum.iter_mut().zip(part).for_each(|(sum, count)| *sum = sum.saturating_add(count));
                sum
            });
        }
        *hours(row) = counts.map(Hours::new);
    }
}
