//! Backup, restore and deletion of a store. A running daemon closes its store meanwhile and counts in RAM.
//!
//! Takes validated arguments, writes files and a sentence or JSON about the result. Changes a store only by its
//! commits.

use std::fs::{self, File};
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde_json::{Value, json};

use super::arguments::{Backend, StoreOptions};
use super::client;
use super::offline::{self, cannot};
use super::shell::{Outcome, Result, ShellError};
use crate::event::calendar::Date;
use crate::input::imported::Imported;
use crate::live::clock::BUILT;
use crate::output::json::text;
use crate::query::question::Prefix;
use crate::query::target::MAX_NETWORKS;
use crate::store::backup;
use crate::store::directory::{Directory, Disk};
use crate::store::ledger::Moment;
use crate::store::{Restored, Retention, Store};
use crate::sys::{clock, random};

/// What `forget` deletes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ForgetScope {
    Before(Date),
    Source(Prefix),
}

/// Works on a store directory while no other process writes to it. `forget`: what the daemon removes from its memory.
pub fn with_directory<T>(
    backend: &Backend,
    forget: Option<Prefix>,
    work: impl FnOnce(&Path) -> Result<T>,
) -> Result<T> {
    match backend {
        Backend::Store(store) => work(&store.directory),
        Backend::Daemon { ubus } => {
            let forget = forget.map(|prefix| prefix.to_string());
            let released = client::call(ubus, "release", &json!({"forget": forget}))?;
            let directory = released["path"].as_str().ok_or("the daemon's answer names no store")?;
            let done = work(Path::new(directory));
            // The daemon opens its store again, whatever the result.
            let taken = client::call(ubus, "commit", &json!({}));
            done.and_then(|done| taken.map(|_| done))
        }
    }
}

fn with_store<T>(
    backend: &Backend,
    forget: Option<Prefix>,
    work: impl FnOnce(&mut Store) -> Result<T>,
) -> Result<T> {
    with_directory(backend, forget, |directory| {
        // The directory must exist, so that a mistyped path creates none.
        fs::metadata(directory).map_err(cannot("write to", directory))?;
        let disk = Disk::open_for_writing(directory).map_err(cannot("write to", directory))?;
        work(&mut Store::open(Directory::Disk(disk), Retention::default(), None)?)
    })
}

impl From<crate::store::StoreError> for ShellError {
    fn from(error: crate::store::StoreError) -> ShellError {
        ShellError::Failure(error.to_string())
    }
}

/// Writes a backup to a file, or to standard output for `-`.
pub fn back_up(backend: &Backend, file: &Path, as_json: bool, out: &mut dyn Write) -> Result<Outcome> {
    let to_stdout = file.as_os_str() == "-";
    if to_stdout && io::stdout().is_terminal() {
        return Err("a backup is not for a terminal: give a file, or send it to a pipe".into());
    }
    let created = offline::now();
    let packed = with_store(backend, None, |store| {
        if to_stdout {
            return Ok(backup::pack(store.directory(), created, out)?);
        }
        let packed = replace(file, 0o600, |new| backup::pack(store.directory(), created, new));
        Ok(packed.map_err(cannot("write", file))?)
    })?;
    let outcome = Outcome::with_notes(packed.left_out);
    if to_stdout {
        return Ok(outcome);
    }
    let bytes = fs::metadata(file).map_err(cannot("write", file))?.len();
    match as_json {
        true => writeln!(out, "{}", text(&json!({"files": packed.files, "bytes": bytes})))?,
        false => writeln!(out, "{}: {} files, {bytes} bytes", file.display(), packed.files)?,
    }
    Ok(outcome)
}

/// Replaces `path` atomically: writes another file in its directory and renames it. `mode`: permissions, before the
/// umask.
pub(super) fn replace<T>(
    path: &Path,
    mode: u32,
    write: impl FnOnce(&mut File) -> io::Result<T>,
) -> io::Result<T> {
    let mut part = path.as_os_str().to_owned();
    part.push(".fwstat-new");
    let _ = fs::remove_file(&part);
    let mut file = File::options().write(true).create_new(true).mode(mode).open(&part)?;
    let written = write(&mut file).and_then(|written| {
        file.sync_all()?;
        fs::rename(&part, path)?;
        Ok(written)
    });
    if written.is_err() {
        let _ = fs::remove_file(&part);
    }
    written
}

/// Adds what the store lacks of the backup in a file, or in standard input for `-`.
pub fn restore(backend: &Backend, file: &Path, as_json: bool, out: &mut dyn Write) -> Result<Outcome> {
    let refused = |why: String| format!("cannot restore {}: {why}; nothing was changed", file.display());
    let unpacked = match file.as_os_str() == "-" {
        true => backup::unpack(&mut io::stdin().lock()),
        false => {
            File::open(file).map_err(|error| error.to_string()).and_then(|mut file| backup::unpack(&mut file))
        }
    };
    let unpacked = unpacked.map_err(refused)?;
    let (created, version) = (unpacked.created, unpacked.version.clone());
    let mut theirs = Store::open(unpacked.into_directory(), Retention::default(), None)?;
    if let Backend::Store(StoreOptions { directory, .. }) = backend {
        // A new router has no directory yet.
        fs::create_dir_all(directory).map_err(cannot("make", directory))?;
    }
    let (restored, mut notes) = with_store(backend, None, |store| {
        let mut restored = store.restore(&mut theirs, &moment(), joined)?;
        store.commit(std::mem::take(&mut restored.changes))?;
        Ok((restored, store.damage().cloned().collect::<Vec<_>>()))
    })?;
    let Restored { days, networks, networks_left_out, .. } = restored;
    if networks_left_out > 0 {
        notes.push(format!(
            "{networks_left_out} blocked networks of the backup were not added: {MAX_NETWORKS} are blocked already"
        ));
    }
    let made = crate::event::calendar::Calendar::system(crate::sys::zone::name().as_deref()).rfc3339(created);
    let (first, last) = (days.first(), days.last());
    if as_json {
        let day = |date: Option<&Date>| date.map(ToString::to_string);
        let answer = json!({"days": days.len(), "first": day(first), "last": day(last), "networks": networks,
            "created": made, "version": version});
        writeln!(out, "{}", text(&answer))?;
        return Ok(Outcome::with_notes(notes));
    }
    if let (Some(first), Some(last)) = (first, last) {
        writeln!(out, "{} days from {first} to {last} are restored from the backup of {made}", days.len())?;
    }
    if networks > 0 {
        writeln!(out, "{networks} blocks of networks and countries are restored from the backup of {made}")?;
    }
    if days.is_empty() && networks == 0 {
        writeln!(out, "the store has all that the backup of {made} has")?;
    }
    Ok(Outcome::with_notes(notes))
}

/// The present time by both clocks.
fn moment() -> Moment {
    let boot_ms = clock::boot().as_millis() as u64;
    Moment { boot: random::boot_id(), boot_ms, wall: offline::plausible_now() }
}

/// Merges two lists of imported contents. An unreadable one is left out; an import reports it.
fn joined(ours: &[u8], theirs: &[u8]) -> Vec<u8> {
    match (Imported::decode(ours), Imported::decode(theirs)) {
        (Ok(mut ours), Ok(theirs)) => {
            ours.add_all(theirs);
            ours.encode()
        }
        (Err(_), Ok(_)) if ours.is_empty() => theirs.to_vec(),
        _ => ours.to_vec(),
    }
}

/// Deletes days or a source.
pub fn forget(backend: &Backend, scope: ForgetScope, as_json: bool, out: &mut dyn Write) -> Result<Outcome> {
    let now = offline::now();
    let (source, key, what) = match scope {
        ForgetScope::Before(first) => (None, "days", format!("days before {first}")),
        ForgetScope::Source(prefix) => (Some(prefix), "rows", format!("rows of {prefix} in the store")),
    };
    let count = with_store(backend, source, |store| {
        let forgotten = match scope {
            ForgetScope::Before(first) => {
                let mut calendar = offline::stored_zone(store.meta()?.zone.as_deref());
                let today = calendar.hour_of(now).date;
                if now >= BUILT && first > today {
                    return Err(
                        format!("--before {first} is after today, {today}: today is still counted").into()
                    );
                }
                store.forget_before(first, now)?
            }
            ForgetScope::Source(prefix) => {
                store.forget_sources(|address| prefix.contains(address), &prefix.to_string(), now)?
            }
        };
        if let Some(why) = forgotten.refused {
            return Err(why.into());
        }
        store.commit(forgotten.changes)?;
        Ok(forgotten.count)
    })?;
    match as_json {
        true => writeln!(out, "{}", text(&Value::from_iter([(key, count)])))?,
        false => writeln!(out, "deleted: {count} {what}")?,
    }
    Ok(Outcome::fine())
}
