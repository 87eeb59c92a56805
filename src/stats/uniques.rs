//! Different sources of services over several days or months.
//!
//! A service that a part has no sketch of can have had sources there that no other part knows. How many at most is
//! known, and the number is told only where they would hardly change it.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::event::Service;

use super::distinct::{FINE_REGISTERS, SERVICE_REGISTERS, Sketch};
use super::kept::{Kept, Unique};

/// So many services at most; of others nothing is told.
const MOST: usize = 16_384;
/// A number is told if what can be missing is at most this part of it: 5 %.
const MOST_MISSING: u64 = 20;

#[derive(Clone, Default)]
pub struct Uniques {
    /// The most that a service without a row can have, summed over the parts.
    floors: u64,
    rows: BTreeMap<Service, Seen>,
}

#[derive(Clone)]
struct Seen {
    parts: u32,
    /// What the last part said.
    unique: Unique,
    /// As many there are on one of the parts, and on all of them if no source came back.
    least: u64,
    most: u64,
    sketch: Option<Rc<Sketch>>,
    /// The most sources of parts without a sketch.
    left_out: u64,
    /// The most that the rows' attempts can be too low.
    missing: u64,
    /// The floors of the parts that had a row.
    floors: u64,
}

impl Uniques {
    /// Adds a part, of the services that are wanted.
    pub fn add(&mut self, kept: &Kept, wanted: &dyn Fn(Service) -> bool) {
        self.leave_out(kept.service_floor);
        for row in kept.services.iter().filter(|row| wanted(row.service)) {
            if self.rows.len() >= MOST && !self.rows.contains_key(&row.service) {
                continue;
            }
            let seen = self.rows.entry(row.service).or_insert(Seen {
                parts: 0,
                unique: Unique::Unknown,
                least: 0,
                most: 0,
                sketch: None,
                left_out: 0,
                missing: 0,
                floors: 0,
            });
            seen.parts += 1;
            seen.unique = row.unique;
            let sources = row.unique.number().unwrap_or(row.attempts);
            seen.most = seen.most.saturating_add(sources);
            if let Unique::Exactly(sources) = row.unique {
                seen.least = seen.least.max(sources);
            }
            seen.missing = seen.missing.saturating_add(row.missing);
            seen.floors = seen.floors.saturating_add(kept.service_floor);
            match (&mut seen.sketch, &row.sketch) {
                (None, Some(theirs)) => seen.sketch = Some(theirs.clone()),
                (Some(ours), Some(theirs)) => {
                    let ours = Rc::make_mut(ours);
                    ours.join(theirs);
                    ours.fold(FINE_REGISTERS);
                }
                (_, None) => seen.left_out = seen.left_out.saturating_add(sources),
            }
        }
    }

    /// Services without a row can have had so many attempts.
    pub fn leave_out(&mut self, attempts: u64) {
        self.floors = self.floors.saturating_add(attempts);
    }

    /// The different sources of a service.
    pub fn of(&self, service: Service) -> Told {
        let Some(seen) = self.rows.get(&service) else { return Told::NOTHING };
        let mut missing = seen.missing.saturating_add(self.floors - seen.floors);
        let unique = match (&seen.sketch, seen.parts) {
            (_, 1) => seen.unique,
            (None, _) => return Told::NOTHING,
            (Some(sketch), _) => {
                missing = missing.saturating_add(seen.left_out);
                match &**sketch {
                    Sketch::Exact(hashes) => Unique::Exactly(hashes.len() as u64),
                    sketch => Unique::About(sketch.estimate().clamp(seen.least.min(seen.most), seen.most)),
                }
            }
        };
        let Some(number) = unique.number().filter(|number| missing.saturating_mul(MOST_MISSING) <= *number)
        else {
            return Told::NOTHING;
        };
        let estimated = match (unique, seen.sketch.as_deref()) {
            (Unique::Exactly(_), _) => 0,
            (_, Some(Sketch::Registers(registers))) => error_of(number, registers.len()),
            _ => error_of(number, SERVICE_REGISTERS),
        };
        let unique = if missing > 0 { Unique::About(number) } else { unique };
        Told { unique, error: estimated.saturating_add(missing), sketch: seen.sketch.clone() }
    }
}

/// How many different sources, and what tells it.
pub struct Told {
    pub unique: Unique,
    /// What the number can be wrong by: two standard errors, and what can be missing.
    pub error: u64,
    pub sketch: Option<Rc<Sketch>>,
}

impl Told {
    const NOTHING: Told = Told { unique: Unique::Unknown, error: 0, sketch: None };
}

/// Two standard errors: 95 numbers of 100 are nearer to the truth.
fn error_of(number: u64, registers: usize) -> u64 {
    (number as f64 * 2.08 / (registers as f64).sqrt()).ceil() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Address;
    use crate::stats::kept::KeptService;

    const SSH: Service = Service { protocol: 6, port: 22 };

    /// A day with these sources of one service, as it is kept.
    fn day(sources: std::ops::Range<u32>, sketched: bool, floor: u64) -> Kept {
        let number = u64::from(sources.end - sources.start);
        let mut sketch = Sketch::new();
        sources.for_each(|host| sketch.add(Address::v4(host.wrapping_mul(2_654_435_761))));
        sketch.store_small();
        let row = KeptService {
            service: SSH,
            attempts: number * 3,
            error: 0,
            missing: 0,
            unique: Unique::Exactly(number),
            hours: None,
            sketch: sketched.then(|| Rc::new(sketch)),
        };
        let services = if number > 0 { vec![row] } else { Vec::new() };
        Kept { services, service_floor: floor, ..Kept::default() }
    }

    fn told(days: &[Kept]) -> Unique {
        let mut uniques = Uniques::default();
        days.iter().for_each(|day| uniques.add(day, &|_| true));
        uniques.of(SSH).unique
    }

    #[test]
    fn few_sources_a_day_are_exact_and_more_within_the_error() {
        let days = |each: u32, step: u32| (0..30).map(move |day| day * step..day * step + each);
        for (each, step, error) in [(10, 7, 0.0), (16, 10, 0.0), (40, 20, 0.07), (300, 150, 0.13)] {
            let kept: Vec<Kept> = days(each, step).map(|range| day(range, true, 0)).collect();
            let truth = f64::from(29 * step + each);
            let number = told(&kept).number().unwrap() as f64;
            assert!((number - truth).abs() <= error * truth, "{number} of {truth}");
            let backwards: Vec<Kept> = kept.into_iter().rev().collect();
            assert_eq!(told(&backwards).number(), Some(number as u64));
        }
    }

    #[test]
    fn what_can_be_missing_is_little_or_nothing_is_told() {
        let known = || day(0..100, true, 0);
        assert_eq!(told(&[day(0..100, false, 0)]), Unique::Exactly(100), "one part tells it itself");
        assert_eq!(told(&[known(), day(50..200, false, 0)]), Unique::Unknown);
        assert!(matches!(told(&[known(), day(500..503, false, 0)]), Unique::About(_)));
        // No row: as many as the floor, or none.
        assert_eq!(told(&[known(), day(0..0, true, 50)]), Unique::Unknown);
        assert_eq!(told(&[day(0..100, true, 0), day(0..0, true, 4)]), Unique::About(100));
        assert_eq!(told(&[day(0..9, true, 7), day(0..0, true, 0)]), Unique::Exactly(9));
        assert_eq!(told(&[day(0..0, true, 0)]), Unique::Unknown);
    }
}
