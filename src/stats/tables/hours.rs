//! Hours of rows whose attempts in one hour exceed the row's counter.

use super::raise;

/// Hours of the day, by number: from 1 on, dense.
#[derive(Clone)]
pub(super) struct WideHours {
    hours: Vec<[u32; 24]>,
    most: usize,
    is_cut: bool,
}

impl WideHours {
    pub(super) fn new(most: usize) -> WideHours {
        WideHours { hours: Vec::new(), most, is_cut: false }
    }

    pub(super) fn clear(&mut self) {
        self.hours.clear();
        self.is_cut = false;
    }

    /// Takes what the row holds so far. `None`: no number is left, and the row's hours are cut from now on.
    pub(super) fn begin(&mut self, hours: [u32; 24]) -> Option<usize> {
        if self.hours.len() == self.most {
            self.is_cut = true;
            return None;
        }
        self.hours.push(hours);
        Some(self.hours.len())
    }

    pub(super) fn add(&mut self, number: usize, hour: usize, n: u32) {
        raise(&mut self.hours[number - 1][hour], n);
    }

    pub(super) fn of(&self, number: usize) -> [u32; 24] {
        self.hours[number - 1]
    }

    /// Forgets the hours of a row. Those that had the number given back have `number` now.
    pub(super) fn free(&mut self, number: usize) -> usize {
        let last = self.hours.len();
        self.hours.swap_remove(number - 1);
        last
    }

    /// An hour of some row was cut, since no number was left.
    pub(super) fn is_cut(&self) -> bool {
        self.is_cut
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Bounds, Tables};
    use crate::event::calendar::Date;
    use crate::event::{Address, Event, protocol};
    use crate::stats::summary::{ClassSummary, Cuts, Hours};

    fn count(tables: &mut Tables, port: u16, hour: u8, count: u32) {
        let source = Address::v4(0xc633_6407);
        let event = Event { port, count, source, protocol: protocol::TCP, ..Event::default() };
        tables.add(&event, hour);
    }

    fn hours_of(summary: &ClassSummary, port: u16) -> Option<Vec<u32>> {
        let row = summary.services.rows.iter().find(|row| row.service.port == port)?;
        Some(row.hours.as_ref().map(Hours::counts)?.to_vec())
    }

    #[test]
    fn services_and_sources_have_any_number_of_attempts_in_an_hour() {
        let mut tables = Tables::new(Bounds::ATTEMPTS, 7, Date(0));
        for times in 1..=4 {
            count(&mut tables, 23, 3, 30_000);
            count(&mut tables, 23, 4, 1);
            let mut expected = vec![0; 24];
            (expected[3], expected[4]) = (30_000 * times, times);
            let summary = tables.to_summary(&Cuts::WHOLE);
            assert_eq!(hours_of(&summary, 23), Some(expected.clone()));
            assert_eq!(
                summary.sources.rows[0].hours.as_ref().map(Hours::counts).map(Vec::from),
                Some(expected)
            );
        }
        // The same from summaries of parts of the day.
        let mut sum = Tables::new(Bounds::ATTEMPTS, 7, Date(0));
        (0..2).for_each(|_| sum.add_summary(&tables.to_summary(&Cuts::WHOLE), None));
        assert_eq!(
            hours_of(&sum.to_summary(&Cuts::WHOLE), 23).map(|hours| (hours[3], hours[4])),
            Some((240_000, 8))
        );
    }

    #[test]
    fn hours_of_a_service_that_had_to_go_are_nobodys() {
        let mut tables = Tables::new(Bounds { services: 2, ..Bounds::ATTEMPTS }, 7, Date(0));
        count(&mut tables, 1, 5, 100_000);
        count(&mut tables, 2, 6, 200_000);
        // Takes the place of port 1, whose hours were the first: those of port 2 move there.
        count(&mut tables, 3, 7, 300_000);
        count(&mut tables, 2, 6, 1);
        let summary = tables.to_summary(&Cuts::WHOLE);
        assert_eq!(hours_of(&summary, 1), None);
        let (second, third) = (hours_of(&summary, 2).unwrap(), hours_of(&summary, 3).unwrap());
        assert_eq!((second[5], second[6], second[7]), (0, 200_001, 0));
        assert_eq!((third[5], third[6], third[7]), (0, 0, 300_000));
    }

    #[test]
    fn hours_that_found_no_room_are_not_told() {
        let mut tables = Tables::new(Bounds::ATTEMPTS, 7, Date(0));
        for port in 1..=300 {
            count(&mut tables, port, 5, 1);
            count(&mut tables, port, 6, 65_535);
            count(&mut tables, port, 6, 65_535);
        }
        let summary = tables.to_summary(&Cuts::WHOLE);
        let rows = (1..=300).filter_map(|port| hours_of(&summary, port)).collect::<Vec<_>>();
        assert_eq!(rows.len(), 255);
        assert!(rows.iter().all(|hours| (hours[5], hours[6]) == (1, 131_070)));
        assert!(summary.services.rows.iter().all(|row| row.attempts == 131_071));
    }
}
