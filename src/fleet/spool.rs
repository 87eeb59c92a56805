//! The spools of batches to be sent: a directory in tmpfs and one on flash, which the sender empties.
//!
//! ```text
//! <day>-<sent>.ndjson.gz          waits to be sent; the sender deletes it
//! <day>-<sent>.ndjson.gz.bad      the server refused it for good
//! made-<day>-<sent>.ndjson.gz     the newest of its day, sent or not: what a correction is made from
//! sender.json                     the sender's state
//! ```
//!
//! The sender is another user, so the files are not trusted: links are not followed, sizes are bounded.

use std::fs::{self, File, Metadata};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use super::shared::{self, Shared};
use crate::event::calendar::Date;
use crate::sys::read::at_most;

/// A larger batch stays in tmpfs.
pub const MAX_FLASH_BYTES: u64 = 64 << 10;
/// Bytes of all batches in tmpfs, and on flash.
const ROOM: (u64, u64) = (1 << 20, 512 << 10);
/// Files in both; more are not looked at.
const MAX_FILES: usize = 512;
/// The text of a batch in which its first source is: its first line and, if it has sources, the second.
const HEAD: u64 = 4 << 10;
/// Text of one batch: what the server takes at most.
const MAX_TEXT: u64 = 16 << 20;
/// A quarter of the work of the usual level for a tenth more bytes.
const LEVEL: Compression = Compression::new(3);
const END: &str = ".ndjson.gz";
const BAD: &str = ".ndjson.gz.bad";
const MADE: &str = "made-";
/// The list of shared sources, which the sender fetches.
const SHARED: &str = "shared";

/// The state of a batch, by its file's name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// What a correction is made from.
    Made,
    /// To be sent.
    Waiting,
    /// The server refused it (`NAME.bad`).
    Refused,
}

/// A batch in the spool.
#[derive(Clone, Debug)]
pub struct Entry {
    pub kind: Kind,
    pub date: Date,
    /// When the batch was made (Unix seconds).
    pub sent: i64,
    /// Size of the compressed file.
    pub bytes: u64,
    pub on_flash: bool,
    pub path: PathBuf,
    /// Device and inode: a file can have two names.
    file: (u64, u64),
}

/// Batches in the spool and the bytes that they take.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SpoolUsage {
    /// Batches to be sent.
    pub waiting: u64,
    /// Batches that the server refused.
    pub refused: u64,
    pub bytes: u64,
}

/// Two directories of batches: RAM until a batch is worth a write, then flash.
#[derive(Clone, Debug, Default)]
pub struct Spool {
    pub ram: PathBuf,
    pub flash: PathBuf,
}

fn name(date: Date, sent: i64) -> String {
    format!("{date}-{sent}{END}")
}

/// Kind, day and `sent` of a batch's name.
fn parse(name: &str) -> Option<(Kind, Date, i64)> {
    let (kind, rest) = match (name.strip_prefix(MADE), name.strip_suffix(BAD)) {
        (Some(rest), _) => (Kind::Made, rest.strip_suffix(END)?),
        (None, Some(rest)) => (Kind::Refused, rest),
        (None, None) => (Kind::Waiting, name.strip_suffix(END)?),
    };
    let (date, sent) = rest.split_at_checked(10)?;
    let sent = sent.strip_prefix('-').filter(|sent| sent.bytes().all(|digit| digit.is_ascii_digit()))?;
    Some((kind, Date::parse(date)?, sent.parse().ok().filter(|sent| *sent > 0)?))
}

fn open(path: &Path) -> io::Result<File> {
    let file = File::options().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    Ok(file)
}

/// The first `most` bytes of a regular file.
fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    at_most(&mut open(path)?, most)
}

/// Makes a batch in a directory, whole or not at all, and names it for corrections in place of an earlier one.
fn put(directory: &Path, date: Date, sent: i64, fill: impl FnOnce(File) -> io::Result<()>) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o770).create(directory)?;
    let (new, path) = (directory.join(".batch.new"), directory.join(name(date, sent)));
    let _ = fs::remove_file(&new);
    let created = File::options().write(true).create_new(true).mode(0o640).open(&new);
    if let Err(error) = created.and_then(fill).and_then(|()| fs::rename(&new, &path)) {
        let _ = fs::remove_file(&new);
        return Err(error);
    }
    // Without it there is no correction, but the batch is there.
    let made = directory.join(format!("{MADE}{}", name(date, sent)));
    let _ = fs::remove_file(&made);
    let _ = fs::hard_link(path, made);
    Ok(())
}

impl Spool {
    /// `run`: the daemon's directory in tmpfs; `database`: the store's.
    pub fn new(run: &Path, database: &Path) -> Spool {
        Spool { ram: run.join("fleet"), flash: database.join("fleet") }
    }

    /// All batches, the oldest first.
    pub fn entries(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        for (on_flash, directory) in [(false, &self.ram), (true, &self.flash)] {
            for file in fs::read_dir(directory).into_iter().flatten().flatten().take(MAX_FILES) {
                let file_name = file.file_name();
                let Some((kind, date, sent)) = file_name.to_str().and_then(parse) else { continue };
                let Some(metadata) = file.metadata().ok().filter(Metadata::is_file) else { continue };
                let (bytes, path) = (metadata.len(), file.path());
                let file = (metadata.dev(), metadata.ino());
                entries.push(Entry { kind, date, sent, bytes, on_flash, path, file });
            }
        }
        entries.sort_by_key(|entry| (entry.date, entry.sent, entry.kind));
        entries
    }

    /// Counts the batches in both directories.
    pub fn usage(&self) -> SpoolUsage {
        let entries = self.entries();
        let count = |kind| entries.iter().filter(|entry| entry.kind == kind).count() as u64;
        let (waiting, refused) = (count(Kind::Waiting), count(Kind::Refused));
        SpoolUsage { waiting, refused, bytes: bytes(entries.iter()) }
    }

    /// The newest batch of a day.
    pub fn newest(&self, date: Date) -> Option<Entry> {
        let is_of_day = |entry: &Entry| entry.date == date && entry.kind != Kind::Refused;
        self.entries().into_iter().filter(is_of_day).max_by_key(|entry| entry.sent)
    }

    /// The text of a batch.
    pub fn read(entry: &Entry) -> io::Result<Box<dyn BufRead>> {
        let packed: Box<dyn Read> = Box::new(open(&entry.path)?);
        Ok(Box::new(BufReader::new(GzDecoder::new(packed).take(MAX_TEXT))))
    }

    /// Makes a batch in tmpfs: whole or not at all. Earlier ones of the day that wait there are not sent any more.
    pub fn write(
        &self,
        date: Date,
        sent: i64,
        lines: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        put(&self.ram, date, sent, |file| {
            let mut file = io::BufWriter::new(file);
            let mut out = GzEncoder::new(&mut file as &mut dyn Write, LEVEL);
            lines(&mut out)?;
            out.finish()?.flush()
        })?;
        self.remove_older(date, sent, false);
        Ok(())
    }

    fn remove_older(&self, date: Date, sent: i64, on_flash: bool) {
        for entry in self.entries() {
            let is_of_day = entry.date == date && entry.on_flash == on_flash && entry.kind != Kind::Refused;
            if is_of_day && entry.sent < sent {
                let _ = fs::remove_file(&entry.path);
            }
        }
    }

    /// Moves the batches in tmpfs that are small enough to flash. Blocks as long as flash takes. Gives the bytes
    /// written.
    pub fn move_to_flash(&self) -> io::Result<u64> {
        let mut written = 0;
        for entry in self.entries() {
            if entry.on_flash || entry.kind != Kind::Waiting || entry.bytes > MAX_FLASH_BYTES {
                continue;
            }
            let bytes = match read(&entry.path, MAX_FLASH_BYTES) {
                // It was sent meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                bytes => bytes?,
            };
            put(&self.flash, entry.date, entry.sent, |mut file| {
                file.write_all(&bytes)?;
                file.sync_all()
            })?;
            File::open(&self.flash)?.sync_all()?;
            written += entry.bytes;
            let made = self.ram.join(format!("{MADE}{}", name(entry.date, entry.sent)));
            for path in [&entry.path, &made] {
                let _ = fs::remove_file(path);
            }
            self.remove_older(entry.date, entry.sent, true);
        }
        Ok(written)
    }

    /// Deletes batches of days before `first`, and the oldest of a directory that holds too many bytes. Gives how many
    /// were lost with that, as [`remove`].
    pub fn prune(&self, first: Date) -> u64 {
        let (mut gone, entries): (Vec<Entry>, Vec<Entry>) =
            self.entries().into_iter().partition(|entry| entry.date < first);
        for (on_flash, room) in [(false, ROOM.0), (true, ROOM.1)] {
            let mut of_directory: Vec<&Entry> =
                entries.iter().filter(|entry| entry.on_flash == on_flash).collect();
            // What is only for corrections goes before what is still to be sent.
            of_directory.sort_unstable_by_key(|entry| (entry.kind != Kind::Made, entry.date, entry.sent));
            while bytes(of_directory.iter().copied()) > room {
                gone.push(of_directory.remove(0).clone());
            }
        }
        remove(gone)
    }

    /// Deletes batches to be sent and for corrections with a source in their first lines that is not allowed. Gives how
    /// many were lost with that.
    pub fn remove_sources(&self, is_allowed: impl Fn(&str) -> bool) -> u64 {
        let is_wrong = |entry: &Entry| {
            let mut head = Vec::new();
            let _ = Spool::read(entry).map(|text| text.take(HEAD).read_to_end(&mut head));
            let head = String::from_utf8_lossy(&head);
            // The last line is cut.
            let lines = &head[..head.rfind('\n').unwrap_or(0)];
            let mut sources = lines.split(r#""source":""#).skip(1);
            entry.kind != Kind::Refused && sources.any(|source| !is_allowed(source))
        };
        remove(self.entries().into_iter().filter(is_wrong).collect())
    }

    /// When the sender wrote a list of shared sources.
    pub fn shared_written(&self) -> Option<SystemTime> {
        fs::symlink_metadata(self.ram.join(SHARED)).ok()?.modified().ok()
    }

    /// Reads the list of shared sources; the error is a sentence.
    pub fn read_shared(&self) -> Result<Shared, String> {
        let text = read(&self.ram.join(SHARED), shared::MAX_BYTES + 1).map_err(|error| error.to_string())?;
        if text.len() as u64 > shared::MAX_BYTES {
            return Err("it is too long".into());
        }
        shared::parse(&text)
    }

    /// What the sender wrote of itself.
    pub fn sender(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&read(&self.ram.join("sender.json"), 1024).ok()?).ok()
    }
}

/// Deletes these files. Gives how many batches were lost with that: those that waited or were refused.
fn remove(mut gone: Vec<Entry>) -> u64 {
    gone.retain(|entry| fs::remove_file(&entry.path).is_ok());
    // In both directories is what was not taken from the first before the daemon ended.
    let mut lost: Vec<(Date, i64)> =
        gone.iter().filter(|entry| entry.kind != Kind::Made).map(|entry| (entry.date, entry.sent)).collect();
    lost.sort_unstable();
    lost.dedup();
    lost.len() as u64
}

/// Of files with two names once.
fn bytes<'a>(entries: impl Iterator<Item = &'a Entry>) -> u64 {
    let mut files: Vec<((u64, u64), u64)> = entries.map(|entry| (entry.file, entry.bytes)).collect();
    files.sort_unstable();
    files.dedup();
    files.iter().map(|(_, bytes)| bytes).sum()
}

#[cfg(test)]
#[path = "spool_tests.rs"]
mod tests;
