//! Days of an import that are not open, in an unnamed temporary file.
use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use crate::event::calendar::Date;
use crate::event::small_map::SmallMap;
use crate::stats::day::Day;
use crate::stats::summary::DaySummary;

use super::container::{self, Kind, Open, Section};
use super::sections::{self, KINDS, Pack, StoredDay, Unit};

/// Days of an import in a temporary file, so that memory holds one of them at a time.
pub struct Spool {
    file: File,
    end: u64,
    /// The position of each day.
    days: SmallMap<Date, Entry>,
}

#[derive(Clone, Copy)]
struct Entry {
    offset: u64,
    length: usize,
    /// The bytes reserved for it.
    room: usize,
    /// The day has all its rows.
    whole: bool,
}

impl Spool {
    /// Creates a spool in `directory`. The file has no name, so that nothing is left behind if the process is killed.
    pub fn new(directory: &Path) -> io::Result<Spool> {
        let file = nameless(directory).or_else(|_| named(directory))?;
        Ok(Spool { file, end: 0, days: SmallMap::new() })
    }

    /// A day with its samples.
    pub fn read(&self, date: Date) -> io::Result<Option<StoredDay>> {
        let Some(file) = self.open(date)? else { return Ok(None) };
        let (mut days, whole) = sections::decode(&file, Unit::Seconds);
        let day = days.pop().filter(|_| whole).ok_or_else(|| invalid(date))?;
        Ok(Some(day))
    }

    /// The sections of a day as they were put, each made anew by `pack`; none if there is no such day.
    pub fn sections(&self, date: Date, pack: Pack) -> io::Result<Vec<Section>> {
        let Some(file) = self.open(date)? else { return Ok(Vec::new()) };
        let contents = KINDS.into_iter().chain([Kind::Addresses]).filter_map(|kind| {
            let content = file.content(kind).transpose()?;
            Some(content.map(|content| pack(kind, content)).map_err(|_| invalid(date)))
        });
        contents.collect()
    }

    fn open(&self, date: Date) -> io::Result<Option<Open>> {
        let Some(entry) = self.days.get(&date) else { return Ok(None) };
        let mut bytes = vec![0; entry.length];
        self.file.read_exact_at(&mut bytes, entry.offset)?;
        Open::from_bytes(bytes).map(Some).map_err(|_| invalid(date))
    }

    /// Whether the day has all its rows, and is still to be closed.
    pub fn is_whole(&self, date: Date) -> bool {
        self.days.get(&date).is_some_and(|entry| entry.whole)
    }

    fn write(&mut self, date: Date, whole: bool, sections: impl Iterator<Item = Section>) -> io::Result<()> {
        let bytes = container::write(0, sections.collect());
        let (offset, room) = match self.days.get(&date) {
            Some(entry) if bytes.len() <= entry.room => (entry.offset, entry.room),
            _ => self.reserve(bytes.len()),
        };
        self.file.write_all_at(&bytes, offset)?;
        self.days.insert(date, Entry { offset, length: bytes.len(), room, whole });
        Ok(())
    }

    /// Stores a day that is closed.
    pub fn put_closed(&mut self, mut day: DaySummary) -> io::Result<()> {
        let date = day.date;
        let sections = sections::encode(std::slice::from_mut(&mut day), None, Unit::Seconds, Section::plain);
        self.write(date, false, sections)
    }

    /// Stores a day with all its rows.
    pub fn put_whole(&mut self, day: &Day) -> io::Result<()> {
        let sections = sections::encode_open(day, Section::plain);
        if self.days.contains_key(&day.date) {
            return self.write(day.date, true, sections);
        }
        // One section after the other: all of them beside the day would be the most memory that an import needs.
        let mut file = &self.file;
        let start = file.seek(SeekFrom::Start(self.end))?;
        container::write_each(file, 0, KINDS.len() + 1, sections)?;
        let length = (file.stream_position()? - start) as usize;
        let (offset, room) = self.reserve(length);
        self.days.insert(day.date, Entry { offset, length, room, whole: true });
        Ok(())
    }

    /// Whether it has the day.
    pub fn contains(&self, date: Date) -> bool {
        self.days.contains_key(&date)
    }

    /// Its days, oldest first.
    pub fn dates(&self) -> Vec<Date> {
        self.days.keys().copied().collect()
    }

    /// Where a day of this length goes, and its room: with some to grow, so that a day that is left often does not eat
    /// the disk.
    fn reserve(&mut self, length: usize) -> (u64, usize) {
        let (offset, room) = (self.end, length + length / 2);
        self.end += room as u64;
        (offset, room)
    }
}

fn invalid(date: Date) -> io::Error {
    io::Error::other(format!("the temporary file of {date} contains an invalid record"))
}

fn nameless(directory: &Path) -> io::Result<File> {
    File::options().read(true).write(true).custom_flags(libc::O_TMPFILE).mode(0o600).open(directory)
}

/// For file systems without O_TMPFILE (jffs2, older overlayfs): a named file that is unlinked at once. A file that a
/// killed process with the same id left is removed first.
fn named(directory: &Path) -> io::Result<File> {
    let path = directory.join(format!(".fwstat-spool-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let file = File::options().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Address, Event, protocol};
    use crate::store::pieces::{self, State};

    fn day(date: Date, sources: u32) -> Day {
        let mut day = Day::new(date, 3);
        let time = i64::from(date.0) * 86_400;
        for source in (0..sources).map(Address::v4) {
            let protocol = protocol::TCP;
            day.add(&Event { time, source, port: 23, protocol, count: 1, ..Event::default() }, 1);
        }
        day
    }

    fn summary(spool: &Spool, date: Date) -> DaySummary {
        let stored = spool.read(date).unwrap().unwrap();
        let mut day = Day::new(date, 3);
        day.add_summary(&stored.summary, &stored.samples);
        day.to_summary()
    }

    #[test]
    fn days_that_outgrow_their_room_stay_apart() {
        let mut spool = Spool::new(&std::env::temp_dir()).unwrap();
        let dates = [Date(20_000), Date(20_001)];
        for sources in [5, 6, 500, 501] {
            dates.iter().for_each(|date| spool.put_whole(&day(*date, sources)).unwrap());
            for date in dates {
                assert_eq!(summary(&spool, date), day(date, sources).to_summary(), "{sources}");
            }
        }
        spool.put_closed(day(Date(20_002), 7).to_closed()).unwrap();
        assert_eq!(summary(&spool, dates[1]), day(dates[1], 501).to_summary());
        assert!(spool.is_whole(dates[0]) && !spool.is_whole(Date(20_002)));
    }

    #[test]
    fn the_sections_of_a_day_make_the_piece_of_that_day() {
        let mut spool = Spool::new(&std::env::temp_dir()).unwrap();
        let date = Date(20_000);
        spool.put_whole(&day(date, 300)).unwrap();
        let sections = spool.sections(date, Section::packed).unwrap();
        let piece = pieces::encode(3, &State::default(), (date, 0), sections);
        assert_eq!(piece, pieces::encode_day(3, &State::default(), &day(date, 300)));
        assert!(spool.sections(Date(1), Section::packed).unwrap().is_empty());
    }
}
