//! The sections of a month's file about the month as a whole: totals of its days, and anomalies.

use crate::event::calendar::{Date, Month};
use crate::event::{Class, Service};
use crate::query::history::{ClassTotal, Detail};
use crate::stats::anomalies::Anomaly;
use crate::stats::sample::Distinct;
use crate::stats::summary::{ClassSummary, DaySummary};
use crate::store::codec::{Reader, Writer};

/// What every question about a month reads.
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
    /// Packets lost before they were counted.
    pub lost: u64,
    pub totals: [ClassTotal; Class::COUNT],
}

impl DayTotals {
    pub(super) fn of(day: &DaySummary) -> DayTotals {
        let total = |class| {
            let ClassSummary { attempts, distinct, .. } = *day.class(class);
            ClassTotal { attempts, distinct }
        };
        DayTotals { date: day.date, lost: day.lost, totals: Class::ALL.map(total) }
    }

    /// The totals are stored twice: neither is to be lost with the other.
    pub(super) fn give_to(&self, day: &mut DaySummary) {
        for (summary, total) in day.classes.iter_mut().zip(self.totals) {
            (summary.attempts, summary.distinct) = (total.attempts, total.distinct);
        }
    }
}

fn write_distinct(writer: &mut Writer, distinct: Option<Distinct>) {
    writer.optional(distinct.map(|distinct| distinct.number));
    distinct.into_iter().for_each(|distinct| writer.number(distinct.error));
}

fn read_distinct(reader: &mut Reader<'_>) -> Option<Distinct> {
    let number = reader.optional()?;
    Some(Distinct { number, error: reader.number() })
}

impl MonthSummary {
    pub(super) fn encode(&self, month: Month) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u8(self.detail as u8);
        self.distinct.iter().for_each(|distinct| write_distinct(&mut writer, *distinct));
        writer.number(self.days.len() as u64);
        for day in &self.days {
            writer.u8((day.date.0 - month.first_day().0) as u8);
            writer.number(day.lost);
            for ClassTotal { attempts, distinct } in day.totals {
                writer.number(attempts);
                if attempts > 0 {
                    write_distinct(&mut writer, distinct);
                }
            }
        }
        writer.bytes
    }

    pub(super) fn decode(bytes: &[u8], month: Month) -> Option<MonthSummary> {
        let mut reader = Reader::new(bytes);
        let detail = match reader.u8() {
            0 => Detail::Fresh,
            1 => Detail::Days,
            2 => Detail::Month,
            _ => return None,
        };
        let distinct = Class::ALL.map(|_| read_distinct(&mut reader));
        let mut days = Vec::new();
        for _ in 0..reader.items() {
            let date = Date(month.first_day().0 + i32::from(reader.u8()));
            let lost = reader.number();
            let totals = Class::ALL.map(|_| {
                let attempts = reader.number();
                let distinct =
                    if attempts > 0 { read_distinct(&mut reader) } else { Some(Distinct::default()) };
                ClassTotal { attempts, distinct }
            });
            if date.month() != month || reader.has_failed() {
                return None;
            }
            days.push(DayTotals { date, lost, totals });
        }
        let ascending = days.is_sorted_by(|a, b| a.date < b.date);
        (ascending && !reader.has_failed() && reader.is_empty()).then_some(MonthSummary {
            detail,
            distinct,
            days,
        })
    }
}

pub(super) fn encode_cells(cells: &[Anomaly]) -> Vec<u8> {
    let mut writer = Writer::new();
    for cell in cells {
        writer.number(u64::from(cell.date.0.cast_unsigned()));
        writer.number(cell.service.to_bits().into());
        writer.number(cell.attempts);
        // A median is a whole number or lies halfway between two; a score has one digit after the point.
        writer.number((cell.expected * 2.0).round() as u64);
        writer.number((cell.score * 10.0).round() as u64);
    }
    writer.bytes
}

pub(super) fn decode_cells(bytes: &[u8]) -> Option<Vec<Anomaly>> {
    let mut reader = Reader::new(bytes);
    let mut cells = Vec::new();
    while !reader.is_empty() {
        cells.push(Anomaly {
            date: Date(reader.small().cast_signed()),
            service: Service::from_bits(reader.small()),
            attempts: reader.number(),
            expected: reader.number() as f64 / 2.0,
            score: reader.number() as f64 / 10.0,
        });
    }
    (!reader.has_failed()).then_some(cells)
}

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
