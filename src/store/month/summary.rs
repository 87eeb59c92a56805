//! The sections of a month's file about the month as a whole: totals of its days, and anomalies.

use crate::event::calendar::{Date, Month};
use crate::event::{Class, Service};
use crate::query::history::{ClassTotal, Detail};
use crate::stats::anomalies::Anomaly;
use crate::stats::sample::Distinct;
use crate::stats::summary::{ClassSummary, DaySummary};
use crate::store::codec::{Codec, Content, Reader};
use crate::store::sections::distinct;

/// The section that every question about a month reads.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct MonthSummary {
    pub detail: Detail,
    /// Different sources of each class.
    pub distinct: [Option<Distinct>; Class::COUNT],
    pub days: Vec<DayTotals>,
}

/// Totals of a day without rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct DayTotals {
    pub date: Date,
    /// Packets lost before they could be counted.
    pub lost: u64,
    pub totals: [ClassTotal; Class::COUNT],
}

impl DayTotals {
    /// The totals of a day.
    pub(super) fn of(day: &DaySummary) -> DayTotals {
        let total = |class| {
            let ClassSummary { attempts, distinct, .. } = *day.class(class);
            ClassTotal { attempts, distinct }
        };
        DayTotals { date: day.date, lost: day.lost, totals: Class::ALL.map(total) }
    }

    /// The day without rows.
    pub(super) fn day(&self) -> DaySummary {
        let mut day = DaySummary { lost: self.lost, ..DaySummary::new(self.date) };
        self.give_to(&mut day);
        day
    }

    /// Totals are stored twice, so that damage to one copy loses nothing.
    pub(super) fn give_to(&self, day: &mut DaySummary) {
        for (summary, total) in day.classes.iter_mut().zip(self.totals) {
            (summary.attempts, summary.distinct) = (total.attempts, total.distinct);
        }
    }
}

impl MonthSummary {
    fn code(&mut self, codec: &mut impl Codec, month: Month) {
        codec.one_of(&mut self.detail, &[Detail::Fresh, Detail::Days, Detail::Month]);
        self.distinct.iter_mut().for_each(|of_class| distinct(codec, of_class));
        let first = month.first_day();
        let empty = DayTotals { date: first, lost: 0, totals: Default::default() };
        codec.rows(&mut self.days, 2 + Class::COUNT, empty, |codec, day| {
            let mut number = (day.date.0 - first.0) as u8;
            codec.u8(&mut number);
            day.date = Date(first.0 + i32::from(number));
            codec.number(&mut day.lost);
            for total in &mut day.totals {
                codec.number(&mut total.attempts);
                if total.attempts > 0 {
                    distinct(codec, &mut total.distinct);
                } else {
                    total.distinct = Some(Distinct::default());
                }
            }
        });
    }

    /// The section's content.
    pub(super) fn encode(&self, month: Month) -> Content {
        Content::of(|content| self.clone().code(content, month))
    }

    /// The reverse of [`MonthSummary::encode`]; `None`: damaged.
    pub(super) fn decode(bytes: &[u8], month: Month) -> Option<MonthSummary> {
        let (mut reader, mut summary) = (Reader::new(bytes), MonthSummary::default());
        summary.code(&mut reader, month);
        let is_valid = reader.is_whole()
            && summary.days.is_sorted_by(|a, b| a.date < b.date)
            && summary.days.iter().all(|day| day.date.month() == month);
        is_valid.then_some(summary)
    }
}

fn code_cell(codec: &mut impl Codec, cell: &mut Anomaly) {
    codec.date(&mut cell.date);
    let mut service = cell.service.to_bits();
    codec.small(&mut service);
    cell.service = Service::from_bits(service);
    codec.number(&mut cell.attempts);
    // Twice a median is a whole number; a score has one decimal.
    for (number, scale) in [(&mut cell.expected, 2.0), (&mut cell.score, 10.0)] {
        let mut scaled = (*number * scale).round() as u64;
        codec.number(&mut scaled);
        *number = scaled as f64 / scale;
    }
}

/// The section with the month's anomalies.
pub(super) fn encode_cells(cells: &[Anomaly]) -> Content {
    Content::of(|content| cells.iter().for_each(|cell| code_cell(content, &mut cell.clone())))
}

/// The reverse of [`encode_cells`]; `None`: damaged.
pub(super) fn decode_cells(bytes: &[u8]) -> Option<Vec<Anomaly>> {
    let (mut reader, mut cells) = (Reader::new(bytes), Vec::new());
    while !reader.is_empty() {
        let service = Service { protocol: 0, port: 0 };
        let mut cell = Anomaly { date: Date(0), service, attempts: 0, expected: 0.0, score: 0.0 };
        code_cell(&mut reader, &mut cell);
        cells.push(cell);
    }
    reader.is_whole().then_some(cells)
}

/// Adds the totals of another part of the day.
pub(super) fn add_totals(known: &mut DayTotals, more: &DayTotals) {
    known.lost = known.lost.saturating_add(more.lost);
    for (known, more) in known.totals.iter_mut().zip(more.totals) {
        let distinct = match (known.attempts, more.attempts) {
            (0, _) => more.distinct,
            (_, 0) => known.distinct,
            // Some sources may be in both.
            _ => None,
        };
        *known = ClassTotal { attempts: known.attempts.saturating_add(more.attempts), distinct };
    }
}
