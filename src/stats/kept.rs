//! A summary of one class over a day or a month: what is kept when the open tables are closed.
//!
//! A summary can be whole or cut to its heaviest rows; a floor tells the most that a row left out
//! can have had. Summaries of the same or of different days can be added.

use std::cmp::Ordering;
use std::rc::Rc;

use crate::event::{Address, Service, Verdict};

use super::countries::{CountryCuts, KeptCountries};
use super::distinct::{FEW, FINE_REGISTERS, FOLDED_REGISTERS, MOST_EXACT, REGISTERS, Sketch};

/// A number of different sources.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unique {
    Exactly(u64),
    /// Of all sources within 2 %, of one service's within 10 % (95 times of 100).
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
    /// Of all its different sources; shared with the open tables that it comes from.
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
        // Most rows are light: these need not be looked at again.
        let mut several: Vec<u32> = Vec::new();
        for number in 0..rows {
            let count = counts(number);
            heavy += usize::from(count >= self.from);
            alike[place(count)] += 1;
            if count > 1 {
                several.push(number as u32);
            }
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
        let mut numbers = if border > 1 { several } else { (0..rows as u32).collect() };
        numbers.retain(|number| place(counts(*number as usize)) >= border);
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

/// So many of the heaviest services have a sketch of their sources: on a day, and in a month.
pub const SKETCHED: usize = 16;
const SKETCHED_OF_MONTH: usize = 12;

/// How far a summary is cut.
#[derive(Clone, Copy, Debug)]
pub struct Cuts {
    pub services: Cut,
    pub sources: Cut,
    pub pairs: Cut,
    /// So many of the heaviest services and sources keep their hours.
    pub rows_with_hours: usize,
    /// So many of the heaviest services get a small sketch of their different sources, and of the others those that few
    /// sources tried. `None`: sketches stay as they are.
    pub sketches: Option<usize>,
    pub countries: CountryCuts,
    /// The most registers that the sketch of all sources takes, and the most hashes before it has any.
    pub registers: usize,
    pub hashes: usize,
}

/// No service behind so many heavier ones gets a sketch.
pub const MOST_SKETCHED: usize = 32;

/// Of so many of the heaviest services it is kept which of the sampled sources tried them.
const MOST_SAMPLED: usize = 10;

impl Cuts {
    /// Attempts of one day.
    pub const DAY: Cuts = Cuts {
        services: Cut { top: 48, from: 100, most: 1024 },
        sources: Cut { top: 48, from: 1000, most: 256 },
        pairs: Cut { top: 32, from: 100, most: 512 },
        rows_with_hours: 16,
        sketches: Some(SKETCHED),
        countries: CountryCuts::DAY,
        registers: REGISTERS,
        hashes: MOST_EXACT,
    };
    /// Failed logins, or what left the inside, on one day: few, and each matters.
    pub const DAY_RARE: Cuts = Cuts {
        sources: Cut { top: 12, from: 1000, most: 64 },
        pairs: Cut { top: 12, from: 1000, most: 64 },
        hashes: MOST_EXACT,
        ..Cuts::DAY_OTHERS
    };
    /// Another class on one day.
    pub const DAY_OTHERS: Cuts = Cuts {
        services: Cut { top: 8, from: 1000, most: 64 },
        sources: Cut { top: 8, from: 1000, most: 64 },
        pairs: Cut { top: 4, from: 1000, most: 64 },
        rows_with_hours: 0,
        sketches: Some(0),
        countries: CountryCuts::DAY_RARE,
        registers: FOLDED_REGISTERS,
        hashes: FEW,
    };
    /// Attempts of a day whose hours are no longer kept.
    pub const OLD_DAY: Cuts = Cuts {
        sources: Cut { top: 24, ..Cuts::DAY.sources },
        pairs: Cut { top: 19, ..Cuts::DAY.pairs },
        sketches: Some(0),
        ..Cuts::DAY
    };
    pub const OLD_DAY_OTHERS: Cuts = Cuts {
        services: Cut { top: 4, ..Cuts::DAY_OTHERS.services },
        sources: Cut { top: 4, ..Cuts::DAY_OTHERS.sources },
        pairs: Cut { top: 2, ..Cuts::DAY_OTHERS.pairs },
        ..Cuts::DAY_OTHERS
    };
    /// Attempts of one month.
    pub const MONTH: Cuts = Cuts {
        services: Cut { top: 48, from: 10_000, most: 256 },
        sources: Cut { top: 24, from: 30_000, most: 256 },
        pairs: Cut { top: 24, from: 30_000, most: 256 },
        rows_with_hours: 0,
        sketches: Some(SKETCHED_OF_MONTH),
        countries: CountryCuts::MONTH,
        registers: REGISTERS,
        hashes: MOST_EXACT,
    };
    pub const MONTH_OTHERS: Cuts = Cuts {
        services: Cut { top: 6, from: 10_000, most: 64 },
        sources: Cut { top: 6, from: 30_000, most: 64 },
        pairs: Cut { top: 4, from: 30_000, most: 64 },
        rows_with_hours: 0,
        sketches: Some(0),
        countries: CountryCuts::MONTH_RARE,
        registers: FOLDED_REGISTERS,
        hashes: MOST_EXACT,
    };
}

/// A service and one of its sources.
type Tried = (Service, Address);

/// Gives the heaviest of the services, and those that few sources tried, small sketches of their sources. `pairs`: all
/// that there are of these services, if they are all known.
pub fn sketch_services(
    services: &mut [KeptService],
    heaviest: usize,
    pairs: Option<&mut dyn Iterator<Item = Tried>>,
) {
    let mut made: Vec<(Service, usize, Sketch)> = Vec::new();
    for (number, row) in services.iter_mut().enumerate() {
        let few = matches!(row.unique, Unique::Exactly(sources) if sources <= FEW as u64);
        if number >= heaviest && !(few && heaviest > 0 && number < MOST_SKETCHED) {
            row.sketch = None;
        } else if let Some(known) = &row.sketch {
            let mut small = Sketch::clone(known);
            small.store_small();
            row.sketch = Some(Rc::new(small));
        } else if pairs.is_some() {
            made.push((row.service, number, Sketch::new()));
        }
    }
    made.sort_unstable_by_key(|(service, ..)| *service);
    for (service, address) in pairs.into_iter().flatten() {
        if let Ok(at) = made.binary_search_by_key(&service, |(service, ..)| *service) {
            made[at].2.add(address);
            made[at].2.fold(FINE_REGISTERS);
        }
    }
    for (_, number, mut sketch) in made {
        sketch.store_small();
        services[number].sketch = Some(Rc::new(sketch));
    }
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
        if let Some(most) = cuts.sketches {
            self.sketch_services(most);
        }
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
        if let Some(sketch) = &mut self.sketch {
            sketch.store(cuts.registers, cuts.hashes);
        }
        for row in self.services.iter_mut().skip(cuts.rows_with_hours) {
            row.hours = None;
        }
        for row in self.sources.iter_mut().skip(cuts.rows_with_hours) {
            row.hours = None;
        }
        self.countries.cut(&cuts.countries);
        if let (Some(_), Some(sample)) = (cuts.sketches, &mut self.countries.sample) {
            // Who tried a service without a sketch is not known of all parts of a month.
            let services = &self.services[..self.services.len().min(MOST_SAMPLED)];
            sample.know_only(|service| {
                services.iter().any(|row| row.service == service && row.sketch.is_some())
            });
        }
    }

    /// Gives the services small sketches, see [`sketch_services`].
    pub fn sketch_services(&mut self, heaviest: usize) {
        let mut pairs = self.pairs.iter().map(|row| (row.service, row.address));
        sketch_services(&mut self.services, heaviest, (self.pair_floor == 0).then_some(&mut pairs));
    }

    /// Takes away what is only kept for the newest days.
    pub fn forget_hours_and_sketches(&mut self, cuts: &Cuts) {
        self.cut(cuts);
        self.countries.cut(&CountryCuts::OLD_DAY);
        self.sketch = None;
        self.services.iter_mut().for_each(|row| (row.hours, row.sketch) = (None, None));
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
