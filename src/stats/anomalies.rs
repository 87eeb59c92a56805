//! Days on which a service is out of line.
//!
//! A cell is one service on one day. Its usual is the median of the service's attempts on the
//! observed days within four weeks before and after; its score is the distance from the median
//! in robust standard deviations (1.4826 x the median absolute deviation; Iglewicz and Hoaglin:
//! "How to Detect and Handle Outliers", 1993), but never in less than what counts of rare
//! independent attempts scatter by themselves (the root of the median, and one attempt).

use std::collections::HashMap;

use crate::calendar::Date;
use crate::event::Service;

use super::kept::Kept;

/// Days before and after that tell what is usual.
pub const WINDOW: i32 = 28;
/// With fewer other days nothing is called usual or anomalous.
const LEAST_DAYS: usize = 7;
/// Cells with fewer attempts are never anomalous.
pub const LEAST_ATTEMPTS: u64 = 100;
const LEAST_SCORE: f64 = 8.0;
/// And the attempts are at least so many times the usual.
const LEAST_RATIO: f64 = 3.0;
/// Services looked at: those with the highest days.
const MOST_SERVICES: usize = 256;

#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Anomaly {
    pub date: Date,
    pub service: Service,
    pub attempts: u64,
    /// The median of the other days.
    pub expected: f64,
    pub score: f64,
}

/// Collects days, then finds the anomalous cells. Days may come in any order, each once.
#[derive(Default)]
pub struct Cells {
    /// The heaviest day of each service that has one with enough attempts.
    highest: HashMap<u32, u64>,
    days: Vec<(Date, Vec<(u32, u32)>)>,
}

impl Cells {
    pub fn new() -> Cells {
        Cells::default()
    }

    pub fn add(&mut self, date: Date, attempts: &Kept) {
        let mut cells = Vec::with_capacity(attempts.services.len());
        for row in &attempts.services {
            let key = row.service.to_bits();
            if row.attempts >= LEAST_ATTEMPTS {
                let highest = self.highest.entry(key).or_default();
                *highest = row.attempts.max(*highest);
            }
            cells.push((key, u32::try_from(row.attempts).unwrap_or(u32::MAX)));
        }
        self.days.push((date, cells));
    }

    /// The anomalous cells, highest score first.
    pub fn find(mut self) -> Vec<Anomaly> {
        self.days.sort_unstable_by_key(|(date, _)| *date);
        let mut services: Vec<(u64, u32)> = self.highest.iter().map(|(key, most)| (*most, *key)).collect();
        services.sort_unstable_by_key(|(most, key)| (std::cmp::Reverse(*most), *key));
        services.truncate(MOST_SERVICES);
        let columns: HashMap<u32, usize> =
            services.iter().enumerate().map(|(column, (_, key))| (*key, column)).collect();
        let width = services.len();
        let mut table = vec![0u32; width * self.days.len()];
        for (row, (_, cells)) in self.days.iter().enumerate() {
            for (key, attempts) in cells {
                if let Some(column) = columns.get(key) {
                    table[row * width + column] = *attempts;
                }
            }
        }
        let dates: Vec<Date> = self.days.iter().map(|(date, _)| *date).collect();
        let mut found = Vec::new();
        for (column, (_, key)) in services.iter().enumerate() {
            let series: Vec<u32> = (0..dates.len()).map(|row| table[row * width + column]).collect();
            find_in_series(Service::from_bits(*key), &dates, &series, &mut found);
        }
        found.sort_by(|a, b| {
            b.score.total_cmp(&a.score).then_with(|| (a.date, a.service).cmp(&(b.date, b.service)))
        });
        found
    }
}

fn find_in_series(service: Service, dates: &[Date], series: &[u32], found: &mut Vec<Anomaly>) {
    for (row, &attempts) in series.iter().enumerate() {
        if u64::from(attempts) < LEAST_ATTEMPTS {
            continue;
        }
        let date = dates[row];
        let from = dates.partition_point(|other| other.0 < date.0 - WINDOW);
        let to = dates.partition_point(|other| other.0 <= date.0 + WINDOW);
        let mut others: Vec<f64> =
            (from..to).filter(|&other| other != row).map(|other| f64::from(series[other])).collect();
        if others.len() < LEAST_DAYS {
            continue;
        }
        let expected = median(&mut others);
        let mut deviations: Vec<f64> = others.iter().map(|count| (count - expected).abs()).collect();
        let deviation = (1.4826 * median(&mut deviations)).max(expected.sqrt()).max(1.0);
        let score = (f64::from(attempts) - expected) / deviation;
        if score >= LEAST_SCORE && f64::from(attempts) >= LEAST_RATIO * expected {
            let score = (score * 10.0).round() / 10.0;
            found.push(Anomaly { date, service, attempts: u64::from(attempts), expected, score });
        }
    }
}

/// The median of at least one number.
fn median(numbers: &mut [f64]) -> f64 {
    let middle = numbers.len() / 2;
    numbers.sort_unstable_by(f64::total_cmp);
    if numbers.len().is_multiple_of(2) {
        (numbers[middle - 1] + numbers[middle]) / 2.0
    } else {
        numbers[middle]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::kept::{KeptService, Unique};

    fn day(counts: &[(u16, u64)]) -> Kept {
        let services = counts
            .iter()
            .map(|(port, attempts)| KeptService {
                service: Service { protocol: 17, port: *port },
                attempts: *attempts,
                error: 0,
                missing: 0,
                unique: Unique::Unknown,
                hours: None,
                sketch: None,
            })
            .collect();
        Kept { services, ..Kept::default() }
    }

    #[test]
    fn one_huge_day_is_found_with_its_usual() {
        let mut cells = Cells::new();
        for number in 0..60 {
            let ssdp = if number == 40 { 92_890 } else { 45 + number % 10 };
            cells.add(Date(18_000 + number as i32), &day(&[(1900, ssdp), (53, 300 + number % 17)]));
        }
        let found = cells.find();
        assert_eq!(found.len(), 1);
        let anomaly = found[0];
        assert_eq!((anomaly.date, anomaly.service.port, anomaly.attempts), (Date(18_040), 1900, 92_890));
        assert_eq!(anomaly.expected, 50.0);
        assert!(anomaly.score > 10_000.0);
    }

    #[test]
    fn growth_few_days_and_small_counts_are_no_anomaly() {
        let mut cells = Cells::new();
        for number in 0..60u64 {
            cells.add(
                Date(number as i32),
                &day(&[(23, 200 + number * 10), (80, if number == 9 { 99 } else { 1 })]),
            );
        }
        assert_eq!(cells.find(), []);
        let mut cells = Cells::new();
        for number in 0..7 {
            cells.add(Date(number), &day(&[(23, if number == 3 { 100_000 } else { 10 })]));
        }
        assert_eq!(cells.find(), [], "six other days do not tell what is usual");
    }

    #[test]
    fn the_median_of_even_and_odd_numbers() {
        assert_eq!(median(&mut [3.0]), 3.0);
        assert_eq!(median(&mut [4.0, 1.0]), 2.5);
        assert_eq!(median(&mut [9.0, 1.0, 5.0]), 5.0);
        assert_eq!(median(&mut [9.0, 1.0, 5.0, 7.0]), 6.0);
    }
}
