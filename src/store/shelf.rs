//! Where the store's files lie: in memory, or in a directory whose commits are all or nothing.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

/// A file's name and new bytes; `None` takes the file away.
pub type Change = (String, Option<Vec<u8>>);

pub trait Shelf {
    fn names(&self) -> io::Result<Vec<String>>;
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>>;
    /// Makes all changes or none.
    fn commit(&mut self, changes: Vec<Change>) -> io::Result<()>;
    /// How a message names the file.
    fn describe(&self, name: &str) -> String;
}

/// Files in memory: for a report that keeps nothing.
#[derive(Default)]
pub struct MemoryShelf {
    /// Sorted by name.
    files: Vec<(String, Vec<u8>)>,
}

impl MemoryShelf {
    pub fn new() -> MemoryShelf {
        MemoryShelf::default()
    }

    /// Where the file is, or would be.
    fn place(&self, name: &str) -> Result<usize, usize> {
        self.files.binary_search_by(|(known, _)| known.as_str().cmp(name))
    }
}

impl Shelf for MemoryShelf {
    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.files.iter().map(|(name, _)| name.clone()).collect())
    }

    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(self.place(name).ok().map(|place| self.files[place].1.clone()))
    }

    fn commit(&mut self, changes: Vec<Change>) -> io::Result<()> {
        for (name, bytes) in changes {
            match (self.place(&name), bytes) {
                (Ok(place), Some(bytes)) => self.files[place].1 = bytes,
                (Err(place), Some(bytes)) => self.files.insert(place, (name, bytes)),
                (Ok(place), None) => drop(self.files.remove(place)),
                (Err(_), None) => {}
            }
        }
        Ok(())
    }

    fn describe(&self, name: &str) -> String {
        name.to_string()
    }
}

/// Files in a directory.
///
/// A commit writes all new files into `commit.new`, syncs them, and renames that directory to
/// `commit`: from this instant on it counts. Then the files move to their places and `commit`
/// goes. Whoever opens the directory for writing finishes a commit that was interrupted; whoever
/// only reads looks into `commit` first.
pub struct DiskShelf {
    directory: PathBuf,
    /// Held while the directory is open for writing; `None` for reading.
    _lock: Option<Flock<File>>,
}

const NEW: &str = "commit.new";
const COMMIT: &str = "commit";
/// In `commit`: the names of the files that a commit takes away, a line each.
const REMOVED: &str = "removed";
const LOCK: &str = "lock";

impl DiskShelf {
    /// Opens for reading only: nothing in the directory changes.
    pub fn open(directory: &Path) -> io::Result<DiskShelf> {
        fs::read_dir(directory)?;
        Ok(DiskShelf { directory: directory.to_path_buf(), _lock: None })
    }

    /// Opens for writing, makes the directory if it is missing, and finishes an interrupted
    /// commit. Only one process at a time can have it; another gets `WouldBlock`.
    pub fn open_for_writing(directory: &Path) -> io::Result<DiskShelf> {
        fs::create_dir_all(directory)?;
        let path = directory.join(LOCK);
        let lock = File::options().create(true).truncate(false).write(true).open(path)?;
        let lock = Flock::lock(lock, FlockArg::LockExclusiveNonblock).map_err(|(_, error)| match error {
            Errno::EWOULDBLOCK => {
                io::Error::new(io::ErrorKind::WouldBlock, "another fwstat is writing to it")
            }
            error => error.into(),
        })?;
        let shelf = DiskShelf { directory: directory.to_path_buf(), _lock: Some(lock) };
        remove_directory(&shelf.directory.join(NEW))?;
        shelf.finish()?;
        Ok(shelf)
    }

    /// Moves the files of a commit to their places.
    fn finish(&self) -> io::Result<()> {
        let commit = self.directory.join(COMMIT);
        if !commit.is_dir() {
            return Ok(());
        }
        for name in self.removed()? {
            remove_file(&self.directory.join(name))?;
        }
        for name in file_names(&commit)? {
            if name != REMOVED {
                fs::rename(commit.join(&name), self.directory.join(&name))?;
            }
        }
        sync_directory(&self.directory)?;
        remove_directory(&commit)?;
        sync_directory(&self.directory)
    }

    fn removed(&self) -> io::Result<Vec<String>> {
        let list = read_file(&self.directory.join(COMMIT).join(REMOVED))?.unwrap_or_default();
        let list = String::from_utf8_lossy(&list).into_owned();
        Ok(list.lines().filter(|name| is_plain(name)).map(String::from).collect())
    }
}

/// A name of ours: never a path that leads elsewhere.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains('/')
}

impl Shelf for DiskShelf {
    fn names(&self) -> io::Result<Vec<String>> {
        let mut names = file_names(&self.directory)?;
        let commit = self.directory.join(COMMIT);
        if commit.is_dir() {
            let removed = self.removed()?;
            names.retain(|name| !removed.contains(name));
            names.extend(file_names(&commit)?.into_iter().filter(|name| name != REMOVED));
        }
        names.sort();
        names.dedup();
        Ok(names)
    }

    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        let commit = self.directory.join(COMMIT);
        if let Some(bytes) = read_file(&commit.join(name))? {
            return Ok(Some(bytes));
        }
        if commit.is_dir() && self.removed()?.iter().any(|removed| removed == name) {
            return Ok(None);
        }
        read_file(&self.directory.join(name))
    }

    fn commit(&mut self, changes: Vec<Change>) -> io::Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        let new = self.directory.join(NEW);
        remove_directory(&new)?;
        let written = write_commit(&new, &changes)
            .and_then(|()| fs::rename(&new, self.directory.join(COMMIT)))
            .and_then(|()| sync_directory(&self.directory));
        if let Err(error) = written {
            // What is half written must not fill the flash.
            let _ = remove_directory(&new);
            return Err(error);
        }
        self.finish()
    }

    fn describe(&self, name: &str) -> String {
        self.directory.join(name).display().to_string()
    }
}

fn write_commit(directory: &Path, changes: &[Change]) -> io::Result<()> {
    fs::create_dir(directory)?;
    let mut removed = String::new();
    for (name, bytes) in changes {
        match bytes {
            Some(bytes) => write_synced(&directory.join(name), bytes)?,
            None => {
                removed.push_str(name);
                removed.push('\n');
            }
        }
    }
    if !removed.is_empty() {
        write_synced(&directory.join(REMOVED), removed.as_bytes())?;
    }
    sync_directory(directory)
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

fn read_file(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn remove_directory(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn file_names(directory: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name: OsString = entry.file_name();
        if let Some(name) = name.to_str()
            && entry.file_type()?.is_file()
            && name != LOCK
        {
            names.push(name.to_string());
        }
    }
    Ok(names)
}
