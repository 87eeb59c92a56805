//! The statistics of one class over a day or a month: what is stored when the open tables are closed.
//!
//! A summary can be whole or cut to its heaviest rows. Each table then has a floor: the most attempts of a row that was
//! left out.

use std::cmp::{Ordering, Reverse};

use crate::event::calendar::Date;
use crate::event::{Address, Class, Service, Verdict};

use super::countries::{Countries, Country, OPEN_COUNTRIES};
use super::rules::{self, RuleCount};
use super::sample::{Distinct, Sample};
use super::sum::Sum;

/// Attempts in each local hour of a day, in 24 bytes where that is enough.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Hours {
    Small([u8; 24]),
    Large(Box<[u32; 24]>),
}

impl Hours {
    /// Stored in as few bytes as these counts need.
    pub fn new(counts: [u32; 24]) -> Hours {
        match counts.iter().all(|count| *count <= u8::MAX.into()) {
            true => Hours::Small(counts.map(|count| count as u8)),
            false => Hours::Large(Box::new(counts)),
        }
    }

    /// Attempts of each hour.
    pub fn counts(&self) -> [u32; 24] {
        match self {
            Hours::Small(counts) => counts.map(u32::from),
            Hours::Large(counts) => **counts,
        }
    }
}

/// A row that can be summed up.
pub trait Counted {
    type Key: Ord + Copy;

    /// The sum that this row begins.
    fn sum(&self) -> Sum<Self::Key>;

    #[inline]
    fn key(&self) -> Self::Key {
        self.sum().key
    }

    #[inline]
    fn attempts(&self) -> u64 {
        self.sum().attempts
    }
}

/// Attempts on a service.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ServiceCount {
    pub service: Service,
    pub attempts: u64,
    /// The most that `attempts` can be too high.
    pub error: u64,
    /// Different sources.
    pub distinct: Option<Distinct>,
    /// Attempts in each local hour.
    pub hours: Option<Hours>,
}

/// Attempts of a source.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SourceCount {
    pub address: Address,
    pub attempts: u64,
    /// The most that `attempts` can be too high.
    pub error: u64,
    /// Different services tried.
    pub services: Option<u64>,
    /// Seconds since 1970; `first > last`: not known.
    pub first: i64,
    pub last: i64,
    /// Attempts in each local hour.
    pub hours: Option<Hours>,
}

/// Attempts of one source on one service.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PairCount {
    pub service: Service,
    pub address: Address,
    pub attempts: u64,
    /// The most that `attempts` can be too high.
    pub error: u64,
}

impl Counted for ServiceCount {
    type Key = Service;

    #[inline]
    fn sum(&self) -> Sum<Service> {
        Sum::of(self.service, self.attempts, self.error).with(self.distinct)
    }
}

impl Counted for SourceCount {
    type Key = Address;

    #[inline]
    fn sum(&self) -> Sum<Address> {
        let services = self.services.map(Distinct::exactly);
        let mut sum = Sum::of(self.address, self.attempts, self.error).with(services);
        // Only a row with events has times.
        if self.first <= self.last {
            (sum.first, sum.last) = (self.first, self.last);
        }
        sum
    }
}

impl Counted for PairCount {
    type Key = (Service, Address);

    #[inline]
    fn sum(&self) -> Sum<(Service, Address)> {
        Sum::of((self.service, self.address), self.attempts, self.error).with(None)
    }
}

/// Rows of one table, most attempts first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rows<T> {
    pub rows: Vec<T>,
    /// The most attempts of a key without a row; 0: every key has one.
    pub floor: u64,
    /// The attempts of a row may be too low by at most this, since parts of it were left out before rows were added up.
    pub missing: u64,
}

impl<T> Rows<T> {
    /// The most attempts that are missing of a key when these rows are added to others.
    pub(super) fn left_out(&self) -> u64 {
        self.floor.saturating_add(self.missing)
    }

    /// Whether it has rows, or a floor.
    pub(crate) fn has_any(&self) -> bool {
        !self.rows.is_empty() || self.floor > 0 || self.missing > 0
    }
}

impl<T: Counted> Rows<T> {
    /// Sorts by attempts, then by key, so that the order is always the same.
    pub fn sort(&mut self) {
        self.rows.sort_unstable_by_key(|row| (Reverse(row.attempts()), row.key()));
    }

    /// Leaves out light rows. The rows must be sorted.
    pub fn cut(&mut self, cut: Cut) {
        let heavy = self.rows.partition_point(|row| row.attempts() >= cut.from);
        let keep = heavy.max(cut.top).min(cut.most).min(self.rows.len());
        self.floor = self.floor.max(self.rows.get(keep).map_or(0, Counted::attempts));
        self.rows.truncate(keep);
        self.rows.shrink_to_fit();
    }
}

/// One class on one day, or in one month.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ClassSummary {
    pub attempts: u64,
    /// Different sources.
    pub distinct: Option<Distinct>,
    pub hours: [u64; 24],
    /// By protocol number, ascending.
    pub protocols: Vec<(u8, u64)>,
    /// By [`Verdict`].
    pub verdicts: [u64; Verdict::COUNT],
    pub services: Rows<ServiceCount>,
    pub sources: Rows<SourceCount>,
    pub pairs: Rows<PairCount>,
    /// Most attempts first.
    pub rules: Vec<RuleCount>,
    /// The destinations and services of attempts that were to be forwarded.
    pub targets: Rows<PairCount>,
    pub countries: Countries,
    pub sample: Option<Sample<Country>>,
}

/// A day's summary: one for each class, in the order of [`Class::ALL`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DaySummary {
    pub date: Date,
    /// Packets of this day that are in no figure: lost by the inputs, or refused where only their number is known.
    pub lost: u64,
    pub classes: [ClassSummary; Class::COUNT],
}

impl DaySummary {
    /// A day without events.
    pub fn new(date: Date) -> DaySummary {
        DaySummary { date, lost: 0, classes: Default::default() }
    }

    /// The summary of a class.
    pub fn class(&self, class: Class) -> &ClassSummary {
        &self.classes[class as usize]
    }

    /// Leaves out light rows. `cuts`: of each class, such as [`Cuts::of_day`].
    pub fn cut(&mut self, cuts: fn(Class) -> &'static Cuts) {
        Class::ALL.iter().for_each(|class| self.classes[*class as usize].cut(cuts(*class)));
    }

    /// Removes the rows of sources, at the owner's request. Gives how many. Totals, services and the number of different
    /// sources name no address and stay as they were counted.
    pub fn forget_sources(&mut self, is_meant: impl Fn(Address) -> bool) -> usize {
        let mut removed = 0;
        for class in &mut self.classes {
            let before = class.sources.rows.len() + class.pairs.rows.len();
            class.sources.rows.retain(|row| !is_meant(row.address));
            class.pairs.rows.retain(|row| !is_meant(row.address));
            removed += before - class.sources.rows.len() - class.pairs.rows.len();
        }
        removed
    }
}

/// Which rows a cut leaves: the `top` heaviest, and beyond these all with at least `from`, up to `most`.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    /// Rows that are kept in any case.
    pub top: usize,
    /// Attempts from which further rows are kept.
    pub from: u64,
    /// Most rows.
    pub most: usize,
}

impl Cut {
    /// All rows.
    pub const NONE: Cut = Cut { top: usize::MAX, from: 0, most: usize::MAX };

    /// The `top` heaviest.
    pub const fn top(top: usize) -> Cut {
        Cut { top, from: u64::MAX, most: top }
    }

    /// Picks the rows to keep, unsorted: their indexes, and the most attempts of one that is left out. `attempts`: of
    /// each row; `rank` orders rows, those to keep first, by their attempts before anything else.
    pub fn pick<K: Ord>(&self, attempts: &[u32], rank: impl Fn(u32) -> K) -> (Vec<u32>, u64) {
        let heavy = attempts.iter().filter(|attempts| u64::from(**attempts) >= self.from).count();
        let keep = heavy.max(self.top).min(self.most);
        if keep >= attempts.len() {
            return ((0..attempts.len() as u32).collect(), 0);
        }
        // By the attempts alone first, which is cheap: most rows are lighter than the heaviest that goes.
        let mut order = attempts.to_vec();
        select(&mut order, keep, &mut |a, b| b.cmp(&a));
        let floor = order[keep];
        let numbers = (0..).zip(attempts).filter(|(_, attempts)| **attempts >= floor);
        let mut numbers: Vec<u32> = numbers.map(|(number, _)| number).collect();
        select(&mut numbers, keep, &mut |a, b| rank(a).cmp(&rank(b)));
        numbers.truncate(keep);
        (numbers, floor.into())
    }
}

/// Quickselect: places the index that would be at `position` in sorted order. Not generic, since it is much code.
fn select(numbers: &mut [u32], position: usize, compare: &mut dyn FnMut(u32, u32) -> Ordering) {
    numbers.select_nth_unstable_by(position, |a, b| compare(*a, *b));
}

/// The limits to which a summary is cut.
#[derive(Clone, Copy, Debug)]
pub struct Cuts {
    pub services: Cut,
    pub sources: Cut,
    pub pairs: Cut,
    pub rules: usize,
    pub targets: Cut,
    /// This many of the heaviest services and sources have hours.
    pub rows_with_hours: usize,
    /// Countries, and services of countries.
    pub countries: (usize, usize),
    /// Sources in the sample.
    pub sample: usize,
    /// Services of these sources, in total; 0: not stored.
    pub tried: usize,
}

impl Cuts {
    /// All rows of everything.
    pub const WHOLE: Cuts = Cuts {
        services: Cut::NONE,
        sources: Cut::NONE,
        pairs: Cut::NONE,
        rules: usize::MAX,
        targets: Cut::NONE,
        rows_with_hours: usize::MAX,
        countries: OPEN_COUNTRIES,
        sample: usize::MAX,
        tried: usize::MAX,
    };
    /// Attempts of one day.
    const DAY: Cuts = Cuts {
        services: Cut { top: 48, from: 100, most: 1024 },
        sources: Cut { top: 48, from: 1000, most: 256 },
        pairs: Cut { top: 32, from: 100, most: 512 },
        rules: 16,
        targets: Cut { top: 8, from: 100, most: 32 },
        rows_with_hours: 16,
        countries: (24, 36),
        sample: 512,
        tried: 1024,
    };
    /// Failed logins, or egress, on one day: few, and each matters.
    const DAY_RARE: Cuts = Cuts {
        sample: 64,
        sources: Cut { top: 12, from: 1000, most: 64 },
        pairs: Cut { top: 12, from: 1000, most: 64 },
        tried: 512,
        ..Cuts::DAY_OTHER
    };
    /// Another class on one day.
    const DAY_OTHER: Cuts = Cuts {
        services: Cut { top: 8, from: 1000, most: 64 },
        sources: Cut { top: 8, from: 1000, most: 64 },
        pairs: Cut { top: 4, from: 1000, most: 64 },
        rules: 4,
        targets: Cut::top(0),
        rows_with_hours: 0,
        countries: (8, 8),
        sample: 48,
        // Late replies go to arbitrary ports, which would take more space than the sample.
        tried: 0,
    };
    /// A day without hours of rows.
    const OLD_DAY: Cuts = Cuts {
        sources: Cut { top: 24, ..Cuts::DAY.sources },
        pairs: Cut { top: 20, ..Cuts::DAY.pairs },
        rules: 8,
        targets: Cut { top: 4, from: 1000, most: 12 },
        rows_with_hours: 0,
        countries: (10, 16),
        sample: 176,
        tried: 320,
        ..Cuts::DAY
    };
    const OLD_DAY_OTHER: Cuts = Cuts {
        services: Cut { top: 4, ..Cuts::DAY_OTHER.services },
        sources: Cut { top: 4, ..Cuts::DAY_OTHER.sources },
        pairs: Cut { top: 2, ..Cuts::DAY_OTHER.pairs },
        rules: 2,
        sample: 16,
        ..Cuts::DAY_OTHER
    };
    const MONTH: Cuts = Cuts {
        services: Cut { top: 48, from: 10_000, most: 256 },
        sources: Cut { top: 24, from: 30_000, most: 256 },
        pairs: Cut { top: 24, from: 30_000, most: 256 },
        rules: 8,
        targets: Cut { top: 4, from: 10_000, most: 12 },
        rows_with_hours: 0,
        countries: (24, 48),
        sample: 256,
        tried: 512,
    };
    const MONTH_OTHER: Cuts = Cuts {
        services: Cut { top: 6, from: 10_000, most: 64 },
        sources: Cut { top: 6, from: 30_000, most: 64 },
        pairs: Cut { top: 4, from: 30_000, most: 64 },
        rules: 2,
        sample: 32,
        ..Cuts::DAY_OTHER
    };

    /// A closed day of this month or the last one.
    pub const fn of_day(class: Class) -> &'static Cuts {
        match class {
            Class::Attempt => &Cuts::DAY,
            Class::Login | Class::Egress => &Cuts::DAY_RARE,
            Class::Backscatter | Class::Noise => &Cuts::DAY_OTHER,
        }
    }

    /// A day of an older month.
    pub const fn of_old_day(class: Class) -> &'static Cuts {
        match class {
            Class::Attempt => &Cuts::OLD_DAY,
            Class::Login | Class::Egress => &Cuts { sample: 24, tried: 256, ..Cuts::DAY_RARE },
            Class::Backscatter | Class::Noise => &Cuts::OLD_DAY_OTHER,
        }
    }

    /// A month whose days were summed up.
    pub const fn of_month(class: Class) -> &'static Cuts {
        match class {
            Class::Attempt => &Cuts::MONTH,
            _ => &Cuts::MONTH_OTHER,
        }
    }
}

impl ClassSummary {
    /// Orders the rows of all tables, most attempts first.
    pub fn sort(&mut self) {
        self.services.sort();
        self.sources.sort();
        self.pairs.sort();
        rules::sort(&mut self.rules);
        self.targets.sort();
    }

    /// Leaves out light rows. The rows must be sorted.
    pub fn cut(&mut self, cuts: &Cuts) {
        self.services.cut(cuts.services);
        self.sources.cut(cuts.sources);
        self.pairs.cut(cuts.pairs);
        self.rules.truncate(cuts.rules);
        self.targets.cut(cuts.targets);
        self.services.rows.iter_mut().skip(cuts.rows_with_hours).for_each(|row| row.hours = None);
        self.sources.rows.iter_mut().skip(cuts.rows_with_hours).for_each(|row| row.hours = None);
        self.countries.cut(cuts.countries);
        if let Some(sample) = &mut self.sample {
            if cuts.tried == 0 {
                sample.forget_services();
            }
            sample.cut(cuts.sample);
            sample.cut_services(cuts.tried);
        }
    }
}
