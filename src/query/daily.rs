//! Services with their attempts on each day of a range.

use std::collections::HashMap;

use crate::calendar::Date;
use crate::event::Service;
use crate::services;

use super::AnswerError;
use super::answer::ServiceRow;
use super::history::History;
use super::question::{MAX_DAILY, Question};
use super::walk::{Piece, Reasons, Span, walk_days};

/// Adds to every row its attempts on each of the days that are given back: those of the range that are kept.
/// A day on which a service was too light to be kept has 0.
pub fn add(
    question: &Question,
    history: &mut dyn History,
    span: &Span,
    rows: &mut [ServiceRow],
    reasons: &mut Reasons,
) -> Result<Vec<Date>, AnswerError> {
    if question.source.is_some() {
        return Err(AnswerError::Invalid("daily: not together with a source".into()));
    }
    if span.to.0 - span.from.0 >= MAX_DAILY {
        return Err(AnswerError::Invalid(format!("daily: at most {MAX_DAILY} days can be asked for")));
    }
    let places: HashMap<Service, usize> = rows
        .iter()
        .enumerate()
        .filter_map(|(place, row)| {
            let protocol = services::protocol_number(&row.protocol)?;
            Some((Service { protocol, port: row.port.unwrap_or(0) }, place))
        })
        .collect();
    let mut counts: Vec<Vec<u64>> = vec![Vec::new(); rows.len()];
    let mut dates = Vec::new();
    walk_days(history, span, reasons, &mut |piece| {
        let Piece::Day(day, _) = piece else { return };
        dates.push(day.date);
        counts.iter_mut().for_each(|row| row.push(0));
        for kept in &day.class(question.class).services {
            if let Some(place) = places.get(&kept.service)
                && let Some(count) = counts[*place].last_mut()
            {
                *count = kept.attempts;
            }
        }
    });
    for (row, counts) in rows.iter_mut().zip(counts) {
        row.daily = Some(counts);
    }
    Ok(dates)
}
