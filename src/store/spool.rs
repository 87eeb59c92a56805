//! Days of an import that are not open, in a file without a name.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use crate::calendar::Date;
use crate::stats::collect::Waiting;
use crate::stats::day::{Day, KeptDay};

use super::codec::Writer;
use super::format::Payload;
use super::records::{self, Form};

pub struct Spool {
    file: File,
    end: u64,
    /// Where each day lies: offset, length, and the room it has.
    places: BTreeMap<Date, (u64, usize, usize)>,
    /// The memory of the day written last, for the next one.
    memory: Vec<u8>,
}

/// More memory is given back: few days need it.
const MOST_MEMORY: usize = 128 * 1024;

impl Spool {
    /// A spool below `directory`. The file has no name from the start: nothing is left behind
    /// even if the process is killed.
    pub fn new(directory: &Path) -> io::Result<Spool> {
        let file = nameless(directory).or_else(|_| named(directory))?;
        Ok(Spool { file, end: 0, places: BTreeMap::new(), memory: Vec::new() })
    }

    /// A day as it was written.
    pub fn payload(&self, date: Date) -> io::Result<Option<Payload>> {
        let Some((offset, length, _)) = self.places.get(&date) else { return Ok(None) };
        let mut bytes = vec![0; *length];
        self.file.read_exact_at(&mut bytes, *offset)?;
        Ok(Some(bytes.into()))
    }

    pub fn read(date: Date, payload: &Payload) -> io::Result<KeptDay> {
        records::read_day(date, payload)
            .map_err(|malformed| io::Error::other(format!("the spool of {date}: {}", malformed.0)))
    }

    fn write(&mut self, date: Date, bytes: &[u8]) -> io::Result<()> {
        let (offset, room) = match self.places.get(&date) {
            Some((offset, _, room)) if bytes.len() <= *room => (*offset, *room),
            _ => {
                // Some room to grow, so that a day that is left often does not eat the disk.
                let room = bytes.len() + bytes.len() / 2;
                self.end += room as u64;
                (self.end - room as u64, room)
            }
        };
        self.file.write_all_at(bytes, offset)?;
        self.places.insert(date, (offset, bytes.len(), room));
        Ok(())
    }
}

fn nameless(directory: &Path) -> io::Result<File> {
    File::options().read(true).write(true).custom_flags(libc::O_TMPFILE).open(directory)
}

/// Where the file system has no nameless files (jffs2, older overlays): a name for an instant.
/// What a process with this number left behind when it was killed in that instant goes first.
fn named(directory: &Path) -> io::Result<File> {
    let path = directory.join(format!(".fwstat-spool-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let file = File::options().read(true).write(true).create_new(true).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

impl Waiting for Spool {
    type Error = io::Error;

    fn put(&mut self, day: &KeptDay) -> io::Result<()> {
        let writer = Writer::scratch(std::mem::take(&mut self.memory));
        let bytes = records::write_day_with(writer, day).bytes;
        self.write(day.date, &bytes)?;
        if bytes.capacity() <= MOST_MEMORY {
            self.memory = bytes;
        }
        Ok(())
    }

    fn put_whole(&mut self, day: &Day) -> io::Result<()> {
        self.write(day.date, &records::write_whole_day(day, Form::Plain).bytes)
    }

    fn get(&mut self, date: Date) -> io::Result<Option<KeptDay>> {
        self.payload(date)?.map(|payload| Spool::read(date, &payload)).transpose()
    }

    fn contains(&self, date: Date) -> bool {
        self.places.contains_key(&date)
    }

    fn dates(&self) -> Vec<Date> {
        self.places.keys().copied().collect()
    }
}
