//! The sections of a month's file about the month as a whole: totals of its days, and anomalies.

use crate::event::Service;
use crate::event::calendar::{Date, Month};
use crate::query::history::{Detail, MonthData};
use crate::stats::anomalies::Anomaly;
use crate::stats::sample::Distinct;
use crate::stats::summary::DaySummary;
use crate::store::codec::{self, Codec};
use crate::store::sections::distinct;

const MAX_DAYS: usize = 31;

/// The section that every question about a month reads: its detail, and totals.
pub(super) fn code(codec: &mut Codec<'_>, whole: &mut MonthData) {
    codec.one_of(&mut whole.detail, &[Detail::Fresh, Detail::Days, Detail::Month]);
    whole.distinct.iter_mut().for_each(|of_class| distinct(codec, of_class));
    let first = whole.month.first_day();
    let count = codec.count(whole.days.len(), 1);
    if count > MAX_DAYS {
        return codec.fail();
    }
    // Not `resize`, which copies the summary of several KB.
    whole.days.resize_with(count, || DaySummary::new(first));
    for day in &mut whole.days {
        let mut number = (day.date.0 - first.0) as u8;
        codec.u8(&mut number);
        day.date = Date(first.0 + i32::from(number));
        codec.number(&mut day.lost);
        for class in &mut day.classes {
            codec.number(&mut class.attempts);
            if class.attempts > 0 {
                distinct(codec, &mut class.distinct);
            } else {
                class.distinct = Some(Distinct::default());
            }
        }
    }
}

/// The month without rows, from that section; `None`: damaged.
pub(super) fn decode(bytes: &[u8], month: Month) -> Option<MonthData> {
    codec::decode(bytes, MonthData::new(month), code).filter(|whole| {
        whole.days.is_sorted_by(|a, b| a.date < b.date)
            && whole.days.iter().all(|day| day.date.month() == month)
    })
}

/// The month's anomalies, to the end of their section.
pub(super) fn code_cells(codec: &mut Codec<'_>, cells: &mut Vec<Anomaly>) {
    codec.rest(cells, usize::MAX, |codec, cell| {
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
    });
}
