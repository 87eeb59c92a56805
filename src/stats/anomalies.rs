//! Days on which a service is anomalous.
//!
//! A cell is one service on one day. It is compared with the median of the service's attempts on the days with data
//! within four weeks before and after; its score is the distance from the median in robust standard deviations (1.4826
//! x the median absolute deviation; Iglewicz and Hoaglin: "How to Detect and Handle Outliers", 1993), which are at
//! least those of a Poisson distribution (the square root of the median) and at least one attempt.

use crate::event::Service;
use crate::event::calendar::Date;

use super::rows::row_count;
use super::summary::{ClassSummary, ServiceCount};

/// Days before and after from which the median is computed.
pub const WINDOW: i32 = 28;
/// With fewer other days nothing is anomalous.
const MIN_DAYS: usize = 7;
/// Cells with fewer attempts are never anomalous.
pub const MIN_ATTEMPTS: u64 = 100;
const MIN_SCORE: f64 = 8.0;
/// Minimum ratio of the attempts to the median.
const MIN_RATIO: f64 = 3.0;

/// A service with anomalously many attempts on a day.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Anomaly {
    pub date: Date,
    pub service: Service,
    pub attempts: u64,
    /// The median of the other days.
    pub expected: f64,
    /// Distance from the median in robust standard deviations (docs/STATISTICS.md).
    pub score: f64,
}

/// The attempts of the services of some days, and the anomalous cells among them.
#[derive(Default)]
pub struct Cells {
    days: Vec<(Date, Vec<(Service, u32)>)>,
}

impl Cells {
    /// Adds a day, each once, in any order.
    pub fn add(&mut self, date: Date, attempts: &ClassSummary) {
        let cell = |row: &ServiceCount| (row.service, row_count(row.attempts));
        let mut cells: Vec<_> = attempts.services.rows.iter().map(cell).collect();
        cells.sort_unstable();
        self.days.push((date, cells));
    }

    /// Removes the days that no day from `first` on needs.
    pub fn forget_before(&mut self, first: Date) {
        self.days.retain(|(date, _)| date.0 >= first.0 - WINDOW);
    }

    /// The anomalous cells of the days `from..=to`, by day and service.
    pub fn find(&mut self, from: Date, to: Date) -> Vec<Anomaly> {
        self.days.sort_unstable_by_key(|(date, _)| *date);
        let mut found = Vec::new();
        for (date, cells) in self.days.iter().filter(|(date, _)| (from..=to).contains(date)) {
            let near = |other: Date| other.0.abs_diff(date.0) <= WINDOW as u32 && other != *date;
            let others = self.days.iter().filter(|(other, _)| near(*other)).map(|(_, cells)| cells);
            let others: Vec<&Vec<(Service, u32)>> = others.collect();
            if others.len() < MIN_DAYS {
                continue;
            }
            for (service, attempts) in cells.iter().filter(|(_, attempts)| *attempts >= MIN_ATTEMPTS as u32) {
                let of_day = |cells: &&Vec<(Service, u32)>| {
                    let at = cells.binary_search_by_key(service, |(known, _)| *known);
                    f64::from(at.map_or(0, |at| cells[at].1))
                };
                let others = others.iter().map(of_day).collect();
                found.extend(judge(*date, *service, *attempts, others));
            }
        }
        found
    }
}

/// Highest score first.
pub fn sort(found: &mut [Anomaly]) {
    found.sort_unstable_by(|a, b| {
        b.score.total_cmp(&a.score).then_with(|| (a.date, a.service).cmp(&(b.date, b.service)))
    });
}

/// Whether a day of a service is anomalous; `others`: the attempts of the other days.
fn judge(date: Date, service: Service, attempts: u32, mut others: Vec<f64>) -> Option<Anomaly> {
    let expected = median(&mut others);
    let mut deviations: Vec<f64> = others.iter().map(|count| (count - expected).abs()).collect();
    let deviation = (1.4826 * median(&mut deviations)).max(expected.sqrt()).max(1.0);
    let score = (f64::from(attempts) - expected) / deviation;
    let anomalous = score >= MIN_SCORE && f64::from(attempts) >= MIN_RATIO * expected;
    let score = (score * 10.0).round() / 10.0;
    anomalous.then_some(Anomaly { date, service, attempts: attempts.into(), expected, score })
}

/// The median of at least one number.
pub fn median(numbers: &mut [f64]) -> f64 {
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
    use crate::stats::summary::Rows;

    fn day(counts: &[(u16, u64)]) -> ClassSummary {
        let services = counts
            .iter()
            .map(|(port, attempts)| ServiceCount {
                service: Service { protocol: 17, port: *port },
                attempts: *attempts,
                error: 0,
                distinct: None,
                hours: None,
            })
            .collect();
        ClassSummary { services: Rows { rows: services, ..Rows::default() }, ..ClassSummary::default() }
    }

    #[test]
    fn one_huge_day_is_found_with_its_usual() {
        let mut cells = Cells::default();
        for number in 0..60 {
            let ssdp = if number == 40 { 92_890 } else { 45 + number % 10 };
            cells.add(Date(18_000 + number as i32), &day(&[(1900, ssdp), (53, 300 + number % 17)]));
        }
        let found = cells.find(Date(0), Date(99_999));
        assert_eq!(found.len(), 1);
        let anomaly = found[0];
        assert_eq!((anomaly.date, anomaly.service.port, anomaly.attempts), (Date(18_040), 1900, 92_890));
        assert_eq!(anomaly.expected, 50.0);
        assert!(anomaly.score > 10_000.0);
    }

    #[test]
    fn growth_few_days_and_small_counts_are_no_anomaly() {
        let mut cells = Cells::default();
        for number in 0..60u64 {
            cells.add(
                Date(number as i32),
                &day(&[(23, 200 + number * 10), (80, if number == 9 { 99 } else { 1 })]),
            );
        }
        assert_eq!(cells.find(Date(0), Date(99_999)), []);
        let mut cells = Cells::default();
        for number in 0..7 {
            cells.add(Date(number), &day(&[(23, if number == 3 { 100_000 } else { 10 })]));
        }
        assert_eq!(cells.find(Date(0), Date(99_999)), [], "six other days do not tell what is usual");
    }

    #[test]
    fn the_median_of_even_and_odd_numbers() {
        assert_eq!(median(&mut [3.0]), 3.0);
        assert_eq!(median(&mut [4.0, 1.0]), 2.5);
        assert_eq!(median(&mut [9.0, 1.0, 5.0]), 5.0);
        assert_eq!(median(&mut [9.0, 1.0, 5.0, 7.0]), 6.0);
    }
}
