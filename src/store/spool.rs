//! Events of an import -> days, one open day at a time; the others lie in a file without a name.
//!
//! Takes events in any order, gives whole days.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use crate::event::Event;
use crate::event::calendar::{Calendar, Date};
use crate::event::paths::Rules;
use crate::event::small_map::SmallMap;
use crate::stats::day::Day;
use crate::stats::deferred::Deferred;

use super::container::{self, Section};
use super::directory::Open;
use super::sections::{self, StoredDay, Unit};

/// Days of an import in a temporary file, so that memory holds one of them at a time.
pub struct Spool {
    file: File,
    end: u64,
    /// Where each day lies.
    days: SmallMap<Date, Entry>,
}

#[derive(Clone, Copy)]
struct Entry {
    offset: u64,
    length: usize,
    /// The length that it can have there.
    room: usize,
}

impl Spool {
    /// A spool below `directory`. The file has no name from the start: nothing is left behind
    /// even if the process is killed.
    pub fn new(directory: &Path) -> io::Result<Spool> {
        let file = nameless(directory).or_else(|_| named(directory))?;
        Ok(Spool { file, end: 0, days: SmallMap::new() })
    }

    /// A day with its samples.
    pub fn read(&self, date: Date) -> io::Result<Option<StoredDay>> {
        let Some(entry) = self.days.get(&date) else { return Ok(None) };
        let mut bytes = vec![0; entry.length];
        self.file.read_exact_at(&mut bytes, entry.offset)?;
        let invalid = || io::Error::other(format!("the temporary file of {date} contains an invalid record"));
        let file = Open::from_bytes(bytes).map_err(|_| invalid())?;
        let (mut days, whole) = sections::decode(&file, Unit::Seconds);
        let day = days.pop().filter(|_| whole).ok_or_else(invalid)?;
        Ok(Some(day))
    }

    /// Its days, oldest first.
    pub fn dates(&self) -> Vec<Date> {
        self.days.keys().copied().collect()
    }

    /// A day with all that is known of it, in the place of what was stored of it before.
    fn put(&mut self, day: &Day) -> io::Result<()> {
        self.write(day.date, sections::encode_open(day, Section::plain))
    }

    fn write(&mut self, date: Date, sections: impl Iterator<Item = Section>) -> io::Result<()> {
        let bytes = container::write(0, sections.collect());
        let (offset, room) = match self.days.get(&date) {
            Some(entry) if bytes.len() <= entry.room => (entry.offset, entry.room),
            _ => {
                // Some room to grow, so that a day that is left often does not eat the disk.
                let room = bytes.len() + bytes.len() / 2;
                self.end += room as u64;
                (self.end - room as u64, room)
            }
        };
        self.file.write_all_at(&bytes, offset)?;
        self.days.insert(date, Entry { offset, length: bytes.len(), room });
        Ok(())
    }
}

fn nameless(directory: &Path) -> io::Result<File> {
    File::options().read(true).write(true).custom_flags(libc::O_TMPFILE).mode(0o600).open(directory)
}

/// Where the file system has no nameless files (jffs2, older overlays): a name for an instant.
/// What a process with this number left behind when it was killed in that instant goes first.
fn named(directory: &Path) -> io::Result<File> {
    let path = directory.join(format!(".fwstat-spool-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let file = File::options().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

/// How to collect.
pub struct Settings {
    /// Tells the day of an event.
    pub calendar: Calendar,
    /// Of the store's samples.
    pub salt: u64,
    /// Of the paths of the events.
    pub rules: Rules,
    /// Later events (seconds since 1970) belong to no day yet.
    pub latest: i64,
}

/// Counts events by day; a day that is left goes to the spool, and is taken up again when more of it comes.
pub struct Collector {
    settings: Settings,
    day: Option<Day>,
    spool: Spool,
    /// Events dated in the future, with milliseconds since 1970.
    later: Deferred,
}

impl Collector {
    /// Nothing is counted yet.
    pub fn new(settings: Settings, spool: Spool) -> Collector {
        Collector { settings, day: None, spool, later: Deferred::default() }
    }

    /// Counts events.
    pub fn count(&mut self, events: &[Event]) -> io::Result<()> {
        for event in events {
            if event.time > self.settings.latest {
                self.later.add(event.time.cast_unsigned().saturating_mul(1000), event);
                continue;
            }
            let hour = self.settings.calendar.hour_of(event.time);
            match &mut self.day {
                Some(day) if day.date == hour.date => day.add(event, hour.hour),
                _ => {
                    let day = self.turn_to(hour.date)?;
                    day.add(event, hour.hour);
                }
            }
        }
        Ok(())
    }

    #[cold]
    fn turn_to(&mut self, date: Date) -> io::Result<&mut Day> {
        if let Some(day) = &self.day {
            self.spool.put(day)?;
        }
        let day = match self.day.take() {
            Some(mut day) => {
                day.restart(date);
                day
            }
            None => Day::new(date, self.settings.salt).with_rules(&self.settings.rules),
        };
        let day = self.day.insert(day);
        if let Some(stored) = self.spool.read(date)? {
            day.add_summary(&stored.summary, &stored.samples);
        }
        Ok(day)
    }

    /// Ends the last day and gives all, with the events dated in the future.
    pub fn finish(mut self) -> io::Result<(Spool, Deferred)> {
        if let Some(day) = self.day.take() {
            self.spool.put(&day)?;
        }
        Ok((self.spool, self.later))
    }
}
