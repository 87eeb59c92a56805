//! The jobs of the worker thread: to prepare a commit, and to move its files after it was published.
//!
//! Takes parts of days, writes files. Knows neither engine nor loop.

use crate::event::calendar::{Date, Month};
use crate::stats::summary::DaySummary;
use crate::store::directory::{Change, Directory};
use crate::store::{Demanded, Keep, Store, Upkeep};

/// What the worker does.
pub(super) enum Job {
    /// Prepares a commit of days and of other changes.
    Prepare { closed: Vec<DaySummary>, changes: Vec<Change>, keep: Keep },
    /// Prepares what a rule demands next, as of an instant and a day.
    Maintain { now: i64, today: Date, keep: Keep, may: Upkeep },
    /// Moves the files of a published commit to where they belong.
    Finish,
}

/// A commit that can be published.
pub(super) struct Prepared {
    /// Its files, and whether they are written (or removed).
    pub(super) names: Vec<(String, bool)>,
    /// Bytes that the commit writes.
    pub(super) bytes: u64,
    /// What is to be logged.
    pub(super) log_lines: Vec<String>,
    /// Of maintenance: what may still be deleted.
    pub(super) left: Option<Upkeep>,
}

/// What it did.
pub(super) enum Done {
    Prepared(Prepared),
    /// No rule demands anything.
    Nothing,
    Failed(String),
    Finished(Result<(), String>),
}

fn prepare(store: &mut Store, changes: Vec<Change>, log_lines: Vec<String>) -> Done {
    let prepared = match store.directory() {
        Directory::Disk(disk) => disk.prepare(&changes),
        Directory::Memory(_) => Ok(()),
    };
    if let Err(error) = prepared {
        return Done::Failed(format!("cannot write the store: {error}"));
    }
    let names = changes.iter().map(|(name, bytes)| (name.clone(), bytes.is_some())).collect();
    let bytes = changes.iter().filter_map(|(_, bytes)| bytes.as_ref()).map(|bytes| bytes.len() as u64).sum();
    Done::Prepared(Prepared { names, bytes, log_lines, left: None })
}

/// One job, on the worker's own handle of the store.
pub(super) fn work(store: &mut Store, job: Job) -> Done {
    let failed = |error: crate::store::StoreError| Done::Failed(error.to_string());
    if let Err(error) = store.refresh() {
        return failed(error);
    }
    match job {
        Job::Prepare { closed, mut changes, keep } => {
            store.set_keep(keep);
            let dates: Vec<Date> = closed.iter().map(|day| day.date).collect();
            let added = match store.add(&dates, closed.into_iter().map(Ok)) {
                Ok(added) => added,
                Err(error) => return failed(error),
            };
            changes.extend(added.changes);
            let left_out = |(month, attempts): &(Month, u64)| {
                format!("{month} is older than all months that are kept: {attempts} attempts are left out")
            };
            prepare(store, changes, added.left_out.iter().map(left_out).collect())
        }
        Job::Maintain { now, today, keep, may } => {
            store.set_keep(keep);
            store.set_last(Some(Date(today.0.saturating_add(1))));
            let next = match store.settle(today) {
                Ok(mut settled) if !settled.is_empty() => {
                    let (changes, log_line) = settled.remove(0);
                    Ok(Some(Demanded { changes, log_line, left: may }))
                }
                Ok(_) => store.maintain(now, may),
                Err(error) => Err(error),
            };
            match next {
                Ok(Some(Demanded { changes, log_line, left })) => {
                    match prepare(store, changes, vec![log_line]) {
                        Done::Prepared(prepared) => Done::Prepared(Prepared { left: Some(left), ..prepared }),
                        failed => failed,
                    }
                }
                Ok(None) => Done::Nothing,
                Err(error) => failed(error),
            }
        }
        Job::Finish => Done::Finished(match store.directory() {
            Directory::Disk(disk) => disk.finish().map_err(|error| error.to_string()),
            Directory::Memory(_) => Ok(()),
        }),
    }
}
