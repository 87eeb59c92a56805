//! The jobs of the worker thread: to prepare a commit, and to move its files after it was published.
//!
//! Takes parts of days, writes files. Knows neither engine nor loop.

use std::error::Error;

use crate::event::calendar::{Date, Month};
use crate::stats::summary::DaySummary;
use crate::store::directory::{Change, Disk};
use crate::store::{Allowed, Retention, Store};

/// What the worker does.
pub(super) enum Job {
    /// Prepares a commit of days and of other changes.
    Prepare { closed: Vec<DaySummary>, changes: Vec<Change>, keep: Retention },
    /// Prepares the next deletion that retention requires, as of an instant and a day.
    Maintain { now: i64, today: Date, keep: Retention, may: Allowed },
    /// Moves the files of a published commit to the directory.
    Finish,
}

/// A commit that can be published.
pub(super) struct Prepared {
    /// Its files, and whether they are written (or removed).
    pub(super) names: Vec<(String, bool)>,
    /// Bytes that the commit writes.
    pub(super) bytes: u64,
    /// Sentences for the log.
    pub(super) log_lines: Vec<String>,
    /// What may be deleted from then on, if that changes.
    pub(super) left: Option<Allowed>,
}

/// The result of a job; `None`: there is no commit to be published.
pub(super) type Done = Result<Option<Prepared>, Box<dyn Error + Send + Sync>>;

/// One job, on the worker's own handle of the store.
pub(super) fn work(store: &mut Store, job: Job) -> Done {
    store.refresh()?;
    match job {
        Job::Prepare { closed, mut changes, keep } => {
            store.keep = keep;
            let dates: Vec<Date> = closed.iter().map(|day| day.date).collect();
            let may = (!dates.is_empty()).then_some(Allowed::ALL);
            let added = store.add(&dates, closed.into_iter().map(Ok))?;
            changes.extend(added.changes);
            let left_out = |(month, attempts): &(Month, u64)| {
                format!("{month} is older than all stored months: {attempts} attempts are left out")
            };
            prepare(store, &changes, added.left_out.iter().map(left_out).collect(), may)
        }
        Job::Maintain { now, today, keep, may } => {
            store.keep = keep;
            store.set_last(Some(Date(today.0.saturating_add(1))));
            if let Some((changes, log_line)) = store.settle(today)?.into_iter().next() {
                return prepare(store, &changes, vec![log_line], Some(may));
            }
            let Some(step) = store.maintain(now, may)? else { return Ok(None) };
            prepare(store, &step.changes, vec![step.log_line], Some(step.left))
        }
        Job::Finish => {
            store.directory().disk().map_or(Ok(()), Disk::finish)?;
            Ok(None)
        }
    }
}

fn prepare(store: &Store, changes: &[Change], log_lines: Vec<String>, left: Option<Allowed>) -> Done {
    let prepared = store.directory().disk().map_or(Ok(()), |disk| disk.prepare(changes));
    prepared.map_err(|error| format!("cannot write the store: {error}"))?;
    let names = changes.iter().map(|(name, bytes)| (name.clone(), bytes.is_some())).collect();
    let bytes = changes.iter().filter_map(|(_, bytes)| bytes.as_ref()).map(|bytes| bytes.len() as u64).sum();
    Ok(Some(Prepared { names, bytes, log_lines, left }))
}
