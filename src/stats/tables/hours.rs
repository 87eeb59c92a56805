//! Hours of rows whose attempts in one hour exceed the row's counter.

use super::raise;
use crate::stats::rows::RowHours;
use crate::stats::summary::Hours;

/// Hours of the day, by number: from 1 on.
#[derive(Clone)]
pub(super) struct WideHours {
    hours: Vec<[u32; 24]>,
    /// Numbers (index in `hours` plus 1) of evicted rows, to be given again.
    free: Vec<u16>,
    most: usize,
    /// An hour of some row was cut, since no number was left.
    is_cut: bool,
}

impl WideHours {
    /// At most `most` rows.
    pub(super) fn new(most: usize) -> WideHours {
        WideHours { hours: Vec::new(), free: Vec::new(), most, is_cut: false }
    }

    /// Counts in the hours of a row.
    #[inline(always)]
    pub(super) fn add(&mut self, row: &mut RowHours, hour: usize, n: u32) {
        match u8::try_from(u32::from(row.counts[hour]).saturating_add(n)) {
            Ok(sum) if row.wide == 0 => row.counts[hour] = sum,
            _ => self.add_wide(row, hour, n),
        }
    }

    /// Adds the hours of a stored row.
    pub(super) fn add_all(&mut self, row: &mut RowHours, more: Option<&Hours>) {
        let more = more.map(Hours::counts).unwrap_or_default();
        more.iter().enumerate().filter(|(_, n)| **n > 0).for_each(|(hour, n)| self.add(row, hour, *n));
    }

    #[cold]
    fn add_wide(&mut self, row: &mut RowHours, hour: usize, n: u32) {
        if row.wide == 0 {
            if self.is_cut(row) {
                return;
            }
            let hours = row.counts.map(u32::from);
            row.wide = match self.free.pop() {
                Some(number) => {
                    self.hours[usize::from(number) - 1] = hours;
                    number
                }
                None if self.hours.len() < self.most => {
                    self.hours.push(hours);
                    self.hours.len() as u16
                }
                None => {
                    (self.is_cut, row.counts[hour]) = (true, u8::MAX);
                    return;
                }
            };
        }
        raise(&mut self.hours[usize::from(row.wide) - 1][hour], n);
    }

    /// Whether hours of a row may have been cut.
    fn is_cut(&self, row: &RowHours) -> bool {
        self.is_cut && row.wide == 0 && row.counts.contains(&u8::MAX)
    }

    /// The hours of a row; `None`: they were cut.
    pub(super) fn of(&self, row: &RowHours) -> Option<Hours> {
        match row.wide {
            _ if self.is_cut(row) => None,
            0 => Some(Hours::Small(row.counts)),
            wide => Some(Hours::new(self.hours[usize::from(wide) - 1])),
        }
    }

    /// A row is gone: another one can have its number.
    pub(super) fn free(&mut self, row: &RowHours) {
        self.free.extend(Some(row.wide).filter(|wide| *wide > 0));
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Bounds, Tables};
    use super::Hours;
    use crate::event::calendar::Date;
    use crate::event::{Address, Event, protocol};
    use crate::stats::summary::{ClassSummary, Cuts};

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
        let mut tables = Tables::new(Bounds { wide_hours: 255, ..Bounds::ATTEMPTS }, 7, Date(0));
        for source in (1..=300).map(Address::v4) {
            for (hour, count) in [(5, 1), (6, 255), (6, 255)] {
                let event = Event { port: 23, count, source, protocol: protocol::TCP, ..Event::default() };
                tables.add(&event, hour);
            }
        }
        let rows = tables.to_summary(&Cuts::WHOLE).sources.rows;
        let told: Vec<_> = rows.iter().filter_map(|row| row.hours.as_ref().map(Hours::counts)).collect();
        assert_eq!((rows.len(), told.len()), (300, 255));
        assert!(told.iter().all(|hours| (hours[5], hours[6]) == (1, 510)));
        assert!(rows.iter().all(|row| row.attempts == 511));
    }
}
