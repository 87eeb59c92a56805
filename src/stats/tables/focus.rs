//! A summary of the part of the open tables that a question needs, without a summary of all.

use super::*;

/// Which rows, and how many of the heaviest of these.
pub struct Focus<'a> {
    pub services: &'a dyn Fn(Service) -> bool,
    pub sources: &'a dyn Fn(Address) -> bool,
    /// Of services, sources, and pairs of which both are wanted.
    pub cuts: [Cut; 3],
}

impl Focus<'_> {
    /// The heaviest rows of everything.
    pub fn heaviest(services: usize, sources: usize, pairs: usize) -> Focus<'static> {
        Focus { services: &|_| true, sources: &|_| true, cuts: [services, sources, pairs].map(Cut::top) }
    }
}

impl Tables {
    /// The summary of the rows that the focus wants.
    pub fn focused(&self, focus: &Focus<'_>) -> ClassSummary {
        let sample = self.sample();
        let mut summary = self.totals(&sample);
        let [services, sources, pairs] = focus.cuts;
        let is_wanted = |row: &ServiceRow| (focus.services)(row.service);
        summary.services = rows(&self.services, services, is_wanted, |row| self.service_count(row, &sample));
        let is_wanted = |row: &SourceRow| (focus.sources)(row.address);
        summary.sources = rows(&self.sources, sources, is_wanted, |row| self.source_count(row));
        let is_wanted = |row: &PairRow| (focus.services)(row.service) && (focus.sources)(row.address);
        summary.pairs = rows(&self.pairs, pairs, is_wanted, PairRow::counted);
        summary.sort();
        summary
    }
}

/// What a cut leaves of the rows that are wanted, in no order.
pub(super) fn rows<R: Row<Key: Ord>, T>(
    table: &Heavy<R>,
    cut: Cut,
    wanted: impl Fn(&R) -> bool,
    counted: impl Fn(&R) -> T,
) -> Rows<T> {
    let rows: Vec<&R> = table.rows().iter().filter(|row| wanted(row)).collect();
    let attempts: Vec<u32> = rows.iter().map(|row| row_count(row.count())).collect();
    let (numbers, left_out) =
        cut.pick(&attempts, |number| (Reverse(attempts[number as usize]), rows[number as usize].key()));
    Rows {
        rows: numbers.into_iter().map(|number| counted(rows[number as usize])).collect(),
        floor: left_out.max(table.floor()),
        missing: table.missing(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::protocol;

    fn event_of(source: Address, port: u16) -> Event {
        Event { time: 1000, source, count: 1, port, protocol: protocol::TCP, ..Event::default() }
    }

    #[test]
    fn a_focus_gives_the_heaviest_rows_of_what_is_asked_for() {
        let mut tables = Tables::new(Bounds::ATTEMPTS, 7, Date(0));
        for host in 0..100u32 {
            for _ in 0..=host {
                tables.add(&event_of(Address::v4(host), 23), 5);
            }
        }
        tables.add(&event_of(Address::v4(7), 22), 6);
        let whole = tables.to_summary(&Cuts::WHOLE);
        let all = tables.focused(&Focus::heaviest(9999, 9999, 9999));
        assert_eq!(all, whole);
        let summary = tables.focused(&Focus::heaviest(1, 10, 5));
        let lengths = (summary.services.rows.len(), summary.sources.rows.len(), summary.pairs.rows.len());
        assert_eq!(lengths, (1, 10, 5));
        assert_eq!((summary.services.floor, summary.sources.floor, summary.pairs.floor), (1, 90, 95));
        assert_eq!((summary.attempts, summary.distinct), (5051, Some(Distinct::exactly(100))));
        let one = Focus { sources: &|address| address == Address::v4(7), ..Focus::heaviest(9, 9, 9) };
        let summary = tables.focused(&one);
        let rows = &summary.sources.rows;
        assert_eq!((rows[0].attempts, rows.len(), summary.pairs.rows.len()), (9, 1, 2));
        assert_eq!((summary.sources.floor, summary.pairs.floor), (0, 0));
        assert!(tables.is_whole());
    }
}
