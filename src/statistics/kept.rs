//! A summary of one class over a day or a month: what is kept when the open tables are closed.
//!
//! A summary can be whole or cut to its heaviest rows; a floor tells the most that a row left out
//! can have had. Summaries of the same or of different days can be added.

use std::cmp::Ordering;
use std::rc::Rc;

use crate::event::{Address, Service, Verdict};

use super::countries::{CountryCuts, KeptCountries};
use super::distinct::Sketch;

/// A number of different sources.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unique {
    Exactly(u64),
    /// Within 2 %.
    About(u64),
    Unknown,
}

impl Unique {
    pub fn number(self) -> Option<u64> {
        match self {
            Unique::Exactly(number) | Unique::About(number) => Some(number),
            Unique::Unknown => None,
        }
    }
}

/// Attempts in each local hour of a day, in 24 bytes where that is enough.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Hours {
    Small([u8; 24]),
    Large(Box<[u32; 24]>),
}

impl Hours {
    pub fn new(counts: [u32; 24]) -> Hours {
        let mut small = [0; 24];
        for (small, count) in small.iter_mut().zip(counts) {
            match u8::try_from(count) {
                Ok(count) => *small = count,
                Err(_) => return Hours::Large(Box::new(counts)),
            }
        }
        Hours::Small(small)
    }

    pub fn counts(&self) -> [u32; 24] {
        match self {
            Hours::Small(counts) => counts.map(u32::from),
            Hours::Large(counts) => **counts,
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeptService {
    pub service: Service,
    pub attempts: u64,
    /// The most that `attempts` can be too high.
    pub error: u64,
    /// The most that `attempts` can be too low, since light rows were left out.
    pub missing: u64,
    pub unique: Unique,
    /// Attempts in each local hour.
    pub hours: Option<Hours>,
    /// Of its different sources; shared with the open tables that it comes from.
    pub sketch: Option<Rc<Sketch>>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeptSource {
    pub address: Address,
    pub attempts: u64,
    /// The most that `attempts` can be too high.
    pub error: u64,
    /// The most that `attempts` can be too low, since light rows were left out.
    pub missing: u64,
    /// Different services tried.
    pub services: Option<u32>,
    /// Seconds since 1970.
    pub first: u32,
    pub last: u32,
    /// Attempts in each local hour.
    pub hours: Option<Hours>,
}

/// What one source tried at one service.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeptPair {
    pub service: Service,
    pub address: Address,
    pub attempts: u64,
    /// The most that `attempts` can be too high.
    pub error: u64,
    /// The most that `attempts` can be too low, since light rows were left out.
    pub missing: u64,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kept {
    pub attempts: u64,
    pub hours: [u64; 24],
    /// By protocol number, ascending.
    pub protocols: Vec<(u8, u64)>,
    /// By [`Verdict`].
    pub verdicts: [u64; Verdict::COUNT],
    pub unique: Unique,
    pub sketch: Option<Sketch>,
    /// Most attempts first.
    pub services: Vec<KeptService>,
    /// The most that a service without a row can have; 0 means that none was left out.
    pub service_floor: u64,
    pub sources: Vec<KeptSource>,
    pub source_floor: u64,
    pub pairs: Vec<KeptPair>,
    pub pair_floor: u64,
    pub countries: KeptCountries,
}

impl Default for Kept {
    fn default() -> Kept {
        Kept {
            attempts: 0,
            hours: [0; 24],
            protocols: Vec::new(),
            verdicts: [0; Verdict::COUNT],
            unique: Unique::Exactly(0),
            sketch: Some(Sketch::new()),
            services: Vec::new(),
            service_floor: 0,
            sources: Vec::new(),
            source_floor: 0,
            pairs: Vec::new(),
            pair_floor: 0,
            countries: KeptCountries::default(),
        }
    }
}

/// Which rows a cut leaves: the `top` heaviest, and beyond these all with at least `from`, up to `most`.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    pub top: usize,
    pub from: u64,
    pub most: usize,
}

impl Cut {
    pub const NONE: Cut = Cut { top: usize::MAX, from: 0, most: usize::MAX };
    /// Of a table that overflowed: its counts are no longer exact, and a copy of all of it would not
    /// fit beside it on a small router.
    pub const OVERFLOWED: Cut = Cut { top: 2048, from: u64::MAX, most: 2048 };

    /// Picks the rows that stay, in no order: their numbers, and the most that one left out has.
    /// `rank` orders rows, those to keep first, by their attempts before anything else; `counts` gives a
    /// row's attempts.
    pub fn pick<K: Ord>(
        &self,
        rows: usize,
        counts: impl Fn(usize) -> u64,
        rank: impl Fn(usize) -> K,
    ) -> (Vec<u32>, u64) {
        // How many rows have so many attempts; the last place stands for all that have more.
        let mut alike = [0usize; 256];
        let place = |count: u64| count.min(255) as usize;
        let mut heavy = 0;
        for number in 0..rows {
            let count = counts(number);
            heavy += usize::from(count >= self.from);
            alike[place(count)] += 1;
        }
        let keep = heavy.max(self.top).min(self.most);
        if keep >= rows {
            return ((0..rows as u32).collect(), 0);
        }
        // Only rows at this count or above come into question.
        let (mut border, mut above) = (255, 0);
        while above + alike[border] <= keep {
            above += alike[border];
            border -= 1;
        }
        let mut numbers: Vec<u32> = Vec::with_capacity(above + alike[border]);
        numbers.extend((0..rows as u32).filter(|number| place(counts(*number as usize)) >= border));
        select(&mut numbers, keep, &mut |a, b| rank(a as usize).cmp(&rank(b as usize)));
        // The first that does not stay is the heaviest of them.
        let floor = counts(numbers[keep] as usize);
        numbers.truncate(keep);
        (numbers, floor)
    }

    fn keeps<T>(&self, rows: &[T], attempts: impl Fn(&T) -> u64) -> usize {
        let heavy = rows.partition_point(|row| attempts(row) >= self.from);
        heavy.max(self.top).min(self.most).min(rows.len())
    }
}

/// Puts the number that would be at this place if they were sorted there, and those before it in front. Made once, not
/// anew for each kind of row: it is much code.
fn select(numbers: &mut [u32], place: usize, compare: &mut dyn FnMut(u32, u32) -> Ordering) {
    numbers.select_nth_unstable_by(place, |a, b| compare(*a, *b));
}

/// How far a summary is cut.
#[derive(Clone, Copy, Debug)]
pub struct Cuts {
    pub services: Cut,
    pub sources: Cut,
    pub pairs: Cut,
    /// So many of the heaviest services and sources keep their hours.
    pub rows_with_hours: usize,
    /// So many of the heaviest services keep their sketch of different sources.
    pub rows_with_sketch: usize,
    pub countries: CountryCuts,
    /// The sketch of all sources takes a quarter of the room, at twice the error.
    pub folded: bool,
}

impl Cuts {
    /// Attempts of one day.
    pub const DAY: Cuts = Cuts {
        services: Cut { top: 48, from: 100, most: 1024 },
        sources: Cut { top: 48, from: 1000, most: 256 },
        pairs: Cut { top: 32, from: 100, most: 512 },
        rows_with_hours: 16,
        rows_with_sketch: 0,
        countries: CountryCuts::DAY,
        folded: false,
    };
    /// Failed logins, or what left the inside, on one day: few, and each matters.
    pub const DAY_RARE: Cuts = Cuts {
        sources: Cut { top: 12, from: 1000, most: 64 },
        pairs: Cut { top: 12, from: 1000, most: 64 },
        ..Cuts::DAY_OTHERS
    };
    /// Another class on one day.
    pub const DAY_OTHERS: Cuts = Cuts {
        services: Cut { top: 8, from: 1000, most: 64 },
        sources: Cut { top: 8, from: 1000, most: 64 },
        pairs: Cut { top: 4, from: 1000, most: 64 },
        rows_with_hours: 0,
        rows_with_sketch: 0,
        countries: CountryCuts::DAY_RARE,
        folded: true,
    };
    /// Attempts of one month.
    pub const MONTH: Cuts = Cuts {
        services: Cut { top: 48, from: 10_000, most: 256 },
        sources: Cut { top: 24, from: 30_000, most: 256 },
        pairs: Cut { top: 24, from: 30_000, most: 256 },
        rows_with_hours: 0,
        rows_with_sketch: 0,
        countries: CountryCuts::MONTH,
        folded: false,
    };
    pub const MONTH_OTHERS: Cuts = Cuts {
        services: Cut { top: 6, from: 10_000, most: 64 },
        sources: Cut { top: 6, from: 30_000, most: 64 },
        pairs: Cut { top: 4, from: 30_000, most: 64 },
        rows_with_hours: 0,
        rows_with_sketch: 0,
        countries: CountryCuts::MONTH_RARE,
        folded: true,
    };
}

impl Kept {
    /// Heaviest rows first; equals in the order of their keys, so that the order is the same everywhere.
    pub fn sort(&mut self) {
        self.services.sort_unstable_by_key(|row| (std::cmp::Reverse(row.attempts), row.service));
        self.sources.sort_unstable_by_key(|row| (std::cmp::Reverse(row.attempts), row.address));
        self.pairs.sort_unstable_by_key(|row| (std::cmp::Reverse(row.attempts), row.service, row.address));
    }

    /// Leaves out light rows. The rows must be sorted.
    pub fn cut(&mut self, cuts: &Cuts) {
        let keep = cuts.services.keeps(&self.services, |row| row.attempts);
        self.service_floor = self.service_floor.max(self.services.get(keep).map_or(0, |row| row.attempts));
        self.services.truncate(keep);
        self.services.shrink_to_fit();
        let keep = cuts.sources.keeps(&self.sources, |row| row.attempts);
        self.source_floor = self.source_floor.max(self.sources.get(keep).map_or(0, |row| row.attempts));
        self.sources.truncate(keep);
        self.sources.shrink_to_fit();
        let keep = cuts.pairs.keeps(&self.pairs, |row| row.attempts);
        self.pair_floor = self.pair_floor.max(self.pairs.get(keep).map_or(0, |row| row.attempts));
        self.pairs.truncate(keep);
        // A cut day waits for the rest of its month: what was cut off must not stay with it.
        self.services.shrink_to_fit();
        self.sources.shrink_to_fit();
        self.pairs.shrink_to_fit();
        if cuts.folded
            && let Some(sketch) = &mut self.sketch
        {
            sketch.fold();
        }
        for (number, row) in self.services.iter_mut().enumerate() {
            if number >= cuts.rows_with_sketch {
                row.sketch = None;
            }
            if number >= cuts.rows_with_hours {
                row.hours = None;
            }
        }
        for row in self.sources.iter_mut().skip(cuts.rows_with_hours) {
            row.hours = None;
        }
        self.countries.cut(&cuts.countries);
    }

    /// Takes away what is only kept for the newest days.
    pub fn forget_hours_and_sketch(&mut self) {
        self.countries.cut(&CountryCuts::OLD_DAY);
        self.sketch = None;
        self.services.iter_mut().for_each(|row| row.hours = None);
        self.sources.iter_mut().for_each(|row| row.hours = None);
        self.forget_minutes();
    }

    /// From now on it is told to the hour when a source was seen first and last.
    pub fn forget_minutes(&mut self) {
        for row in &mut self.sources {
            row.first -= row.first % 3600;
            row.last -= row.last % 3600;
        }
    }
}
