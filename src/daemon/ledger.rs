//! The files of the guard's ledger: a copy in tmpfs after each change, one on flash at longer intervals.
//!
//! Takes the ledger and the time, reads and writes files. Decides nothing about blocks.

use std::fs;
use std::path::{Path, PathBuf};

use super::store::Storage;
use crate::guard::Guard;
use crate::store::ledger::{self, Moment, SavedLedger};

const NAME: &str = "blocks.fws";
/// Changes of a second are written together.
const COPY_MS: u64 = 1_000;
/// Flash is written once nothing has changed for this time, since writing can delay blocks; during continuous changes
/// it is written nevertheless.
const FLASH_MS: u64 = 2_000;
const FLASH_AT_LEAST_MS: u64 = 60_000;
/// Most bytes a day that are written to flash, whatever an attacker does.
const BYTES_A_DAY: u64 = 64 << 10;
/// What was changed by hand waits no longer for them.
const BY_HAND_MS: i64 = 3_600_000;
const DAY_MS: u64 = 86_400_000;

/// The guard's ledger as files: a copy in RAM after each change, on flash less often.
#[derive(Default)]
pub(super) struct LedgerFile {
    /// Path of the copy in RAM.
    copy: PathBuf,
    serial: u64,
    /// When the copy is to be written.
    copy_at: Option<u64>,
    flash_at: Option<u64>,
    /// The time of the first change that is not on flash.
    first_change: Option<u64>,
    /// Before this time nothing is written to flash, because of [`BYTES_A_DAY`].
    flash_allowed_at: i64,
    /// Why it is not stored.
    pub problem: Option<String>,
}

impl LedgerFile {
    /// `run`: the directory in RAM.
    pub(super) fn new(run: &Path) -> LedgerFile {
        LedgerFile { copy: run.join(NAME), ..LedgerFile::default() }
    }

    /// The ledger that an earlier run left, with times of this boot's clock.
    pub(super) fn read(&mut self, now: &Moment, storage: &mut Storage) -> Option<SavedLedger> {
        let copy = fs::read(&self.copy).ok().and_then(ledger::decode);
        let known = copy.as_ref().map(|copy| copy.rank(&now.boot));
        let flash = storage.get(NAME, |file| ledger::newer(file, &now.boot, known));
        let rank = flash.as_ref().map(|(rank, _)| *rank);
        if known > rank {
            // The earlier run ended before it wrote it to flash.
            self.flash_at = Some(now.boot_ms.saturating_add(FLASH_MS));
        }
        self.serial = known.max(rank)?.1;
        let stored = flash.and_then(|(_, stored)| stored).or(copy)?;
        Some(stored.at(now))
    }

    fn flash_due(&self) -> Option<u64> {
        let allowed = u64::try_from(self.flash_allowed_at).unwrap_or(0);
        self.flash_at.map(|at| at.max(allowed))
    }

    /// When [`LedgerFile::on_time`] has something to write, in milliseconds since boot.
    pub(super) fn deadline(&self) -> Option<u64> {
        [self.copy_at, self.flash_due()].into_iter().flatten().min()
    }

    /// Writes the copy and, less often, the file on flash, if they are due.
    pub(super) fn on_time(&mut self, now: &Moment, guard: &mut Guard, storage: &mut Storage) {
        if std::mem::take(&mut guard.dirty) {
            self.copy_at.get_or_insert(now.boot_ms.saturating_add(COPY_MS));
            let first = *self.first_change.get_or_insert(now.boot_ms);
            let latest = first.saturating_add(FLASH_AT_LEAST_MS);
            self.flash_at = Some(now.boot_ms.saturating_add(FLASH_MS).min(latest));
        }
        if std::mem::take(&mut guard.by_hand) {
            let latest = now.boot_ms.cast_signed().saturating_add(BY_HAND_MS);
            self.flash_allowed_at = self.flash_allowed_at.min(latest);
        }
        if self.copy_at.is_some_and(|at| now.boot_ms >= at) {
            self.write(now, guard, None);
        }
        if self.flash_due().is_some_and(|at| now.boot_ms >= at) {
            self.write(now, guard, Some(storage));
        }
    }

    /// The daemon stops.
    pub(super) fn stop(&mut self, now: &Moment, guard: &mut Guard, storage: &mut Storage) {
        // The remaining time of blocks changes continuously.
        let has_blocks = !guard.ledger.blocks.is_empty();
        if std::mem::take(&mut guard.dirty) || has_blocks || self.copy_at.is_some() || self.flash_at.is_some()
        {
            self.write(now, guard, Some(storage));
        }
    }

    fn write(&mut self, now: &Moment, guard: &Guard, flash: Option<&mut Storage>) {
        self.serial = self.serial.saturating_add(1);
        let bytes = ledger::encode(self.serial, now, &guard.ledger, guard.today);
        self.copy_at = None;
        let new = self.copy.with_extension("new");
        let copied = fs::write(&new, &bytes).and_then(|()| fs::rename(&new, &self.copy));
        self.problem = copied.err().map(|error| format!("cannot write {}: {error}", self.copy.display()));
        if let Some(storage) = flash {
            (self.flash_at, self.first_change) = (None, None);
            let rest = (bytes.len() as u64).saturating_mul(DAY_MS) / BYTES_A_DAY;
            // A quarter of a day's bytes may be written in a burst.
            let earliest = now.boot_ms.cast_signed().saturating_sub_unsigned(DAY_MS / 4);
            self.flash_allowed_at = self.flash_allowed_at.max(earliest).saturating_add_unsigned(rest);
            if let Err(error) = storage.put(NAME, bytes) {
                self.problem = Some(format!("the blocks are not on flash: {error}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::guard::{BlockRequest, Mode, Settings, Source, When};

    /// A new directory, a store in it, and a guard with one block by hand.
    fn started(name: &str) -> (PathBuf, Storage, Guard) {
        let place = std::env::temp_dir().join(format!("fwstat-ledger-{}-{name}", std::process::id()));
        let run = place.join("run");
        fs::create_dir_all(&run).unwrap();
        let config = Config { database: place.join("db").display().to_string(), ..Config::default() };
        let (storage, _) = Storage::open(&config, &run, "a");
        let mut guard = Guard::default();
        guard.set(0, Settings { mode: Mode::On, ..Settings::default() }, 1);
        let (source, length_ms) = (Source::V4(0xc633_6407), Some(7 * DAY_MS));
        let request = BlockRequest { source, length_ms, reason: None, callers: vec![] };
        guard.block(When::default(), request).unwrap();
        (place, storage, guard)
    }

    /// In the boot `a`, whose clock is not set.
    fn at(boot_ms: u64) -> Moment {
        Moment { boot: "a".into(), boot_ms, wall: None }
    }

    #[test]
    fn what_was_changed_by_hand_is_on_flash_within_an_hour() {
        let (place, mut storage, mut guard) = started("hand");
        let mut file = LedgerFile::new(&place.join("run"));
        file.on_time(&at(0), &mut guard, &mut storage);
        // As if an attacker's changes had used up the bytes of days.
        file.flash_allowed_at = 5 * DAY_MS.cast_signed();
        assert_eq!(file.flash_due(), Some(5 * DAY_MS));
        assert!(guard.unblock(60_000, Source::V4(0xc633_6407)));
        file.on_time(&at(60_000), &mut guard, &mut storage);
        assert_eq!(file.flash_due(), Some(60_000 + 3_600_000));
        file.on_time(&at(60_000 + 3_600_000), &mut guard, &mut storage);
        assert_eq!(file.deadline(), None);
        fs::remove_dir_all(place).unwrap();
    }

    #[test]
    fn a_stop_stores_what_is_left_of_blocks_though_none_changed() {
        let (place, mut storage, mut guard) = started("stop");
        let run = place.join("run");
        let mut file = LedgerFile::new(&run);
        for second in 0..10 {
            file.on_time(&at(second * 1000), &mut guard, &mut storage);
        }
        assert_eq!(file.deadline(), None);
        file.stop(&at(6 * DAY_MS), &mut guard, &mut storage);
        let another = Moment { boot: "b".into(), ..at(5_000) };
        let stored = LedgerFile::new(&run).read(&another, &mut storage).unwrap();
        fs::remove_dir_all(place).unwrap();
        assert_eq!(stored.blocks[0].0.until_ms, 5_000 + DAY_MS);
    }
}
