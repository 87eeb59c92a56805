//! What a period is compared with: the one before it, and what is usual.

use crate::calendar::Date;
use crate::event::Class;

use super::answer::{HourRow, PeriodBefore};
use super::history::History;
use super::periods::{self, rounded};
use super::question::Question;
use super::walk::{Piece, Reasons, Span, walk, walk_days};

/// So many days before a period tell what is usual.
const USUAL_DAYS: i32 = 28;
/// Fewer tell nothing.
const LEAST_DAYS: usize = 7;

/// The preceding period of the same length, if it is kept whole; with the attempts per day.
pub fn period_before(
    question: &Question,
    history: &mut dyn History,
    span: &Span,
) -> Option<(PeriodBefore, Option<f64>)> {
    let length = span.to.0 - span.from.0 + 1;
    let before = span.with_range(Date(span.from.0 - length), Date(span.from.0 - 1));
    if before.from < span.oldest {
        return None;
    }
    let mut reasons = Reasons::default();
    let (mut days, mut attempts, mut hours) = (0, 0u64, [0u64; 24]);
    walk(history, &before, &mut reasons, &mut |piece| {
        days += piece.days();
        let kept = piece.class(question.class);
        attempts = attempts.saturating_add(kept.attempts);
        add_hours(&mut hours, &kept.hours);
    });
    if !reasons.0.is_empty() || days == 0 {
        return None;
    }
    let period = PeriodBefore {
        from: before.from,
        to: before.to,
        attempts,
        unique_sources: periods::unique_in(question.class, history, &before),
        hours: hour_rows(&hours),
    };
    Some((period, periods::per_day(attempts, days)))
}

pub fn add_hours(sums: &mut [u64; 24], hours: &[u64; 24]) {
    for (sum, count) in sums.iter_mut().zip(hours) {
        *sum = sum.saturating_add(*count);
    }
}

pub fn hour_rows(hours: &[u64; 24]) -> Vec<HourRow> {
    let row = |(hour, attempts): (usize, &u64)| HourRow { hour: hour as u8, attempts: *attempts };
    hours.iter().enumerate().map(row).collect()
}

/// The median of the days before a period, as far as they are kept.
pub fn usual_per_day(class: Class, history: &mut dyn History, span: &Span) -> Option<f64> {
    let before = span.with_range(Date(span.from.0 - USUAL_DAYS), Date(span.from.0 - 1));
    let mut days = Vec::new();
    walk_days(history, &before, &mut Reasons::default(), &mut |piece| {
        if let Piece::Day(day, _) = piece {
            days.push(day.class(class).attempts);
        }
    });
    if days.len() < LEAST_DAYS {
        return None;
    }
    days.sort_unstable();
    let middle = days.len() / 2;
    let median = if days.len() % 2 == 1 {
        days[middle] as f64
    } else {
        (days[middle - 1] as f64 + days[middle] as f64) / 2.0
    };
    Some(rounded(median))
}
