//! `fwstat export --format ndjson`: batches for a fleet's server, for days whose rows are still stored.
//!
//! Takes a store directory and a range of days, writes NDJSON. Computes no figure.

use std::io::{self, Write};

use crate::cli::arguments::StoreOptions;
use crate::cli::offline;
use crate::cli::shell::{Outcome, ShellError};
use crate::config::Config;
use crate::event::Class;
use crate::event::calendar::{Date, Month};
use crate::fleet::batch::{Sources, Totals, Writer};
use crate::live::clock::BUILT;
use crate::query::history::{Detail, History, Need, Section};
use crate::query::open::WithOpenDays;
use crate::stats::countries::with_lookup;

const DAY: i64 = 86_400;
/// Servers accept days that are at most this old.
const OLDEST: i32 = 400;

/// The days to export.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Range {
    pub from: Option<Date>,
    pub to: Option<Date>,
}

/// Writes the batches of a range of days. `config`: its option `sources` applies; `None`: complete addresses.
pub fn export(
    store: &StoreOptions,
    range: &Range,
    config: Option<&Config>,
    out: &mut dyn Write,
) -> Result<Outcome, ShellError> {
    let mut opened = offline::open_store(store)?;
    let wall = offline::now();
    let today = Date(wall.div_euclid(DAY) as i32);
    let oldest = if wall >= BUILT { Date(today.0 - OLDEST) } else { Date(i32::MIN) };
    let (from, to) = (range.from.unwrap_or(oldest), range.to.unwrap_or(Date(i32::MAX)));
    let sources = config.map_or(Sources::Address, |config| Sources::of(config, opened.store.salt()));
    let calendar = opened.calendar.clone();
    let lookup = opened.lookup.clone();
    let mut with_writer = |date: Date, write: &mut dyn FnMut(&mut Writer<'_>) -> io::Result<()>| {
        let end = calendar.instant(Date(date.0.saturating_add(1)), 0);
        // Lower than in the batch that was made at the day's end, which is more complete.
        let sent = wall.min(end - 1).max(i64::from(date.0) * DAY);
        let offset = calendar.offset(end - 1) / 60;
        with_lookup(Some(&lookup), |lookup| {
            let lookup = lookup.map(|lookup| lookup as _);
            write(&mut Writer { date, sent, offset, sources, out: &mut *out, lookup })
        })
    };
    let wanted = |date: Date| (from..=to).contains(&date);
    let (months, need) = (opened.store.months(), Need::new(Class::Attempt));
    let stored_in = |month| opened.store.month(month, &need).days.into_iter().map(|day| day.date);
    let stored: Vec<Date> = months.into_iter().flat_map(stored_in).collect();
    // Days that only the open tables have.
    for day in opened.open.iter().filter(|day| wanted(day.date) && !stored.contains(&day.date)) {
        with_writer(day.date, &mut |writer| writer.write_day(day))?;
    }
    let alone: Vec<Date> =
        opened.open.iter().map(|day| day.date).filter(|date| !stored.contains(date)).collect();
    let (history, open) = opened.days();
    let mut history = WithOpenDays { stored: history, open: &open };
    let sections = [Section::Totals, Section::Pairs];
    let is_wanted = |month: &Month| month.last_day() >= from && month.first_day() <= to;
    for month in history.months().into_iter().filter(is_wanted) {
        for class in Class::ALL {
            let need = Need::new(class).and(&sections, month.first_day(), month.last_day());
            let data = history.month(month, &need);
            let summed = data.detail == Detail::Month;
            for day in data.days.iter().filter(|day| wanted(day.date) && !alone.contains(&day.date)) {
                let of_class = day.class(class);
                if of_class.attempts == 0 {
                    continue;
                }
                let rows = &of_class.pairs;
                let totals = Totals {
                    class,
                    attempts: of_class.attempts,
                    sources: of_class.distinct.map_or(rows.rows.len() as u64, |all| all.number),
                    complete: false,
                    lost: day.lost,
                    hours: (!summed).then_some(of_class.hours),
                };
                with_writer(day.date, &mut |writer| writer.write_stored(totals.clone(), rows))?;
            }
        }
    }
    let failures = opened.changed().into_iter().collect();
    Ok(Outcome { failures, notes: opened.notes() })
}
