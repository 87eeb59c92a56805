//! The files of a store: in memory, or in a directory with atomic commits.
//!
//! A commit has three steps. `prepare` writes all new files into `commit.new` and syncs them: it can take long.
//! `publish` renames that directory to `commit`: from here on the commit is valid, and readers look there first.
//! `finish` moves the files to the store's directory; opening the directory for writing finishes an interrupted commit.
//!
//! Only regular files of the directory's owner, this user or root are opened, never links or FIFOs. New ones have 0600.

use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, Flock, FlockArg, OFlag, openat, renameat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat, mkdirat};
use nix::unistd::{Gid, Uid, UnlinkatFlags, fsync, unlinkat};

use crate::event::small_map::SmallMap;

mod lock;

pub use lock::Taken;

/// A file's name and new bytes; `None` removes the file.
pub type Change = (String, Option<Vec<u8>>);

const NEW: &str = "commit.new";
const COMMIT: &str = "commit";
/// The file in `commit` with the names of removed files, one a line.
const REMOVED: &str = "removed";
const LOCK: &str = "lock";
/// The longest file of a store.
const MAX_BYTES: u64 = 16 << 20;
/// Bytes that are read at once: a page, the unit of the file systems of flash.
const BLOCK: usize = 4096;

/// The files of a store.
pub enum Directory {
    Memory(SmallMap<String, Vec<u8>>),
    Disk(Disk),
}

impl Directory {
    /// The directory of a store that is on disk.
    pub fn disk(&self) -> Option<&Disk> {
        if let Directory::Disk(disk) = self { Some(disk) } else { None }
    }

    /// Names of all files, in no order.
    pub fn names(&self) -> io::Result<Vec<String>> {
        match self {
            Directory::Memory(files) => Ok(files.keys().cloned().collect()),
            Directory::Disk(disk) => disk.names(),
        }
    }

    /// All bytes of a file; `None` if there is none.
    pub fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        match self {
            Directory::Memory(files) => Ok(files.get(name).cloned()),
            Directory::Disk(disk) => disk.find(name)?.map(read_all).transpose(),
        }
    }

    /// Makes all changes, or none if it fails.
    pub fn commit(&mut self, changes: Vec<Change>) -> io::Result<()> {
        match self {
            Directory::Memory(files) => {
                for (name, bytes) in changes {
                    match bytes {
                        Some(bytes) => files.insert(name, bytes),
                        None => files.remove(&name),
                    };
                }
                Ok(())
            }
            Directory::Disk(disk) if !changes.is_empty() => {
                disk.prepare(&changes)?;
                disk.publish()?;
                // It is valid from here on: the next commit or opening finishes it.
                let _ = disk.finish();
                Ok(())
            }
            Directory::Disk(_) => Ok(()),
        }
    }

    /// See [`Disk::generation`].
    pub fn generation(&self) -> io::Result<u64> {
        match self {
            Directory::Memory(_) => Ok(0),
            Directory::Disk(disk) => disk.generation(),
        }
    }

    /// The bytes of all files.
    pub fn size(&self) -> u64 {
        match self {
            Directory::Memory(files) => files.values().map(|bytes| bytes.len() as u64).sum(),
            Directory::Disk(disk) => disk.size(),
        }
    }

    /// The file's name for messages.
    pub fn describe(&self, name: &str) -> String {
        match self {
            Directory::Memory(_) => name.to_string(),
            Directory::Disk(disk) => disk.path.join(name).display().to_string(),
        }
    }
}

/// The first [`MAX_BYTES`] of a file.
fn read_all(file: File) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; file.metadata()?.len().min(MAX_BYTES) as usize];
    read_blocks(&mut bytes, &|block, offset| file.read_exact_at(block, offset))?;
    Ok(bytes)
}

/// Fills `bytes`. Those of a block that the device cannot read are 0: the checksums tell which sections are lost, and the others
/// are read.
fn read_blocks(bytes: &mut [u8], read: &dyn Fn(&mut [u8], u64) -> io::Result<()>) -> io::Result<()> {
    for (number, block) in bytes.chunks_mut(BLOCK).enumerate() {
        match read(block, (number * BLOCK) as u64) {
            Err(error) if error.raw_os_error() == Some(Errno::EIO as i32) => block.fill(0),
            result => result?,
        }
    }
    Ok(())
}

/// Files in a directory.
pub struct Disk {
    path: PathBuf,
    directory: OwnedFd,
    owner: u32,
    group: u32,
    /// Held while the directory is open for writing; `None` for reading.
    _lock: Option<Flock<File>>,
}

const FOLDER: OFlag =
    OFlag::O_RDONLY.union(OFlag::O_DIRECTORY).union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

impl Disk {
    /// Opens for reading only: nothing in the directory changes.
    pub fn open(path: &Path) -> io::Result<Disk> {
        let directory: OwnedFd = File::open(path)?.into();
        let status = fstat(&directory)?;
        if !is(&status, SFlag::S_IFDIR) {
            return Err(io::Error::new(io::ErrorKind::NotADirectory, "it is not a directory"));
        }
        let (owner, group) = (status.st_uid, status.st_gid);
        Ok(Disk { path: path.to_path_buf(), directory, owner, group, _lock: None })
    }

    /// Opens for writing, makes the directory if it is missing, and finishes an interrupted commit. Only one process at
    /// a time can have it; another gets `WouldBlock` with [`Taken`].
    pub fn open_for_writing(path: &Path) -> io::Result<Disk> {
        Disk::open_locked(path, None)
    }

    /// The same for the daemon with this run directory.
    pub fn open_for_daemon(path: &Path, run: &Path) -> io::Result<Disk> {
        Disk::open_locked(path, Some(run))
    }

    fn open_locked(path: &Path, run: Option<&Path>) -> io::Result<Disk> {
        std::fs::create_dir_all(path)?;
        let mut disk = Disk::open(path)?;
        let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let lock = openat(&disk.directory, LOCK, flags, Mode::from_bits_truncate(0o600));
        let lock = File::from(lock.map_err(|error| disk.not_opened(LOCK, error))?);
        disk.check(&lock, LOCK)?;
        disk.give(&lock)?;
        disk._lock = Some(lock::take(lock, run)?);
        disk.remove_folder(NEW)?;
        disk.finish()?;
        Ok(disk)
    }

    /// Whether another process has it open for writing.
    pub fn is_being_written(&self) -> bool {
        let Ok(Some(file)) = self.open_in(&self.directory, LOCK) else { return false };
        matches!(Flock::lock(file, FlockArg::LockSharedNonblock), Err((_, Errno::EWOULDBLOCK)))
    }

    /// The same directory for another thread, without the lock.
    pub fn share(&self) -> io::Result<Disk> {
        let directory = self.directory.try_clone()?;
        Ok(Disk { path: self.path.clone(), directory, _lock: None, ..*self })
    }

    /// Whether the directory's path still leads to it.
    pub fn is_there(&self) -> bool {
        let here = fstat(&self.directory).ok().map(|status| (status.st_dev, status.st_ino));
        let there = nix::sys::stat::stat(&self.path).ok().map(|status| (status.st_dev, status.st_ino));
        here.is_some() && here == there
    }

    /// A number that changes with every commit: a reader of several files compares it before and after. Files are only
    /// replaced by renames, so inode and change time identify a version of a file.
    pub fn generation(&self) -> io::Result<u64> {
        let mut entries = entries(&self.directory)?;
        // Files in preparation and the lock are not part of the data.
        entries.retain(|(name, _)| name != NEW && name != LOCK);
        entries.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        let mut hasher = DefaultHasher::new();
        for (name, status) in entries {
            let status = status.map(|of| (of.st_ino, of.st_ctime, of.st_ctime_nsec, of.st_size));
            (name, status).hash(&mut hasher);
        }
        Ok(hasher.finish())
    }

    fn check(&self, file: &File, name: &str) -> io::Result<()> {
        let status = fstat(file)?;
        if !is(&status, SFlag::S_IFREG) {
            return Err(self.refused(name, "not a regular file: it is not opened"));
        }
        match [self.owner, 0, Uid::effective().as_raw()].contains(&status.st_uid) {
            true => Ok(()),
            false => Err(self.refused(name, "another user's file: it is not opened")),
        }
    }

    fn open_in(&self, folder: impl AsFd, name: &str) -> io::Result<Option<File>> {
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        match openat(folder, name, flags, Mode::empty()) {
            Ok(file) => {
                let file = File::from(file);
                self.check(&file, name)?;
                Ok(Some(file))
            }
            Err(Errno::ENOENT) => Ok(None),
            Err(error) => Err(self.not_opened(name, error)),
        }
    }

    /// An error about a file that is not what it should be.
    fn refused(&self, name: &str, what: &str) -> io::Error {
        io::Error::other(format!("{} is {what}", self.path.join(name).display()))
    }

    fn not_opened(&self, name: &str, error: Errno) -> io::Error {
        match error {
            Errno::ELOOP => self.refused(name, "a symbolic link: it is not opened"),
            error => error.into(),
        }
    }

    fn folder(&self, name: &str) -> io::Result<Option<OwnedFd>> {
        match openat(&self.directory, name, FOLDER, Mode::empty()) {
            Ok(folder) => Ok(Some(folder)),
            Err(Errno::ENOENT) => Ok(None),
            Err(Errno::ELOOP | Errno::ENOTDIR) => Err(self.refused(name, "not a directory: remove it")),
            Err(error) => Err(error.into()),
        }
    }

    fn find(&self, name: &str) -> io::Result<Option<File>> {
        if let Some(commit) = self.folder(COMMIT)? {
            if let Some(file) = self.open_in(&commit, name)? {
                return Ok(Some(file));
            }
            if self.removed(&commit)?.iter().any(|removed| removed == name) {
                return Ok(None);
            }
        }
        self.open_in(&self.directory, name)
    }

    fn removed(&self, commit: &OwnedFd) -> io::Result<Vec<String>> {
        let list = self.open_in(commit, REMOVED)?.map(read_all).transpose()?.unwrap_or_default();
        let list = String::from_utf8_lossy(&list).into_owned();
        Ok(list.lines().filter(|name| is_plain(name)).map(String::from).collect())
    }

    fn names(&self) -> io::Result<Vec<String>> {
        // Links and FIFOs are listed, so that opening one fails with a message about what it is.
        let mut entries = entries(&self.directory)?;
        let is_folder = |status: &FileStat| is(status, SFlag::S_IFDIR);
        entries.retain(|(name, status)| is_plain(name) && !status.as_ref().is_some_and(is_folder));
        let mut names: Vec<String> = entries.into_iter().map(|(name, _)| name).collect();
        if let Some(commit) = self.folder(COMMIT)? {
            let removed = self.removed(&commit)?;
            names.retain(|name| !removed.contains(name));
            names.extend(files(&commit)?.into_iter().map(|(name, _)| name));
        }
        names.retain(|name| name != LOCK && name != REMOVED);
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    fn size(&self) -> u64 {
        let files = files(&self.directory).unwrap_or_default();
        files.iter().filter_map(|(_, status)| u64::try_from(status.as_ref()?.st_size).ok()).sum()
    }

    /// Writes and syncs the files of a commit, which is not valid yet.
    pub fn prepare(&self, changes: &[Change]) -> io::Result<()> {
        self.finish()?;
        self.remove_folder(NEW)?;
        let written = self.write(changes);
        if written.is_err() {
            // An incomplete commit must not fill the flash.
            let _ = self.remove_folder(NEW);
        }
        written
    }

    fn write(&self, changes: &[Change]) -> io::Result<()> {
        mkdirat(&self.directory, NEW, Mode::from_bits_truncate(0o700))?;
        let Some(folder) = self.folder(NEW)? else { return Err(Errno::ENOENT.into()) };
        self.give(&folder)?;
        let mut removed = String::new();
        for (name, bytes) in changes {
            match bytes {
                Some(bytes) => self.write_synced(&folder, name, bytes)?,
                None => removed += &format!("{name}\n"),
            }
        }
        if !removed.is_empty() {
            self.write_synced(&folder, REMOVED, removed.as_bytes())?;
        }
        Ok(fsync(&folder)?)
    }

    fn write_synced(&self, folder: &OwnedFd, name: &str, bytes: &[u8]) -> io::Result<()> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let mut file = File::from(openat(folder, name, flags, Mode::from_bits_truncate(0o600))?);
        self.give(&file)?;
        file.write_all(bytes)?;
        file.sync_all()
    }

    /// Files that root creates in another user's directory are given to that user, the daemon's.
    fn give(&self, made: impl AsFd) -> io::Result<()> {
        if Uid::effective().is_root() && self.owner != 0 {
            nix::unistd::fchown(made, Some(Uid::from_raw(self.owner)), Some(Gid::from_raw(self.group)))?;
        }
        Ok(())
    }

    /// Makes the prepared commit valid.
    pub fn publish(&self) -> io::Result<()> {
        match renameat(&self.directory, NEW, &self.directory, COMMIT) {
            Ok(()) => Ok(()),
            // The rename may have succeeded in spite of an error.
            Err(_) if matches!((self.folder(NEW), self.folder(COMMIT)), (Ok(None), Ok(Some(_)))) => Ok(()),
            Err(error) => {
                let _ = self.remove_folder(NEW);
                Err(error.into())
            }
        }
    }

    /// Moves the files of a published commit to the store's directory.
    pub fn finish(&self) -> io::Result<()> {
        let Some(commit) = self.folder(COMMIT)? else { return Ok(()) };
        fsync(&self.directory)?;
        for name in self.removed(&commit)? {
            remove(&self.directory, &name, UnlinkatFlags::NoRemoveDir)?;
        }
        for (name, _) in files(&commit)?.into_iter().filter(|(name, _)| name != REMOVED) {
            renameat(&commit, name.as_str(), &self.directory, name.as_str())?;
        }
        fsync(&self.directory)?;
        self.remove_folder(COMMIT)?;
        Ok(fsync(&self.directory)?)
    }

    fn remove_folder(&self, name: &str) -> io::Result<()> {
        let Some(folder) = self.folder(name)? else { return Ok(()) };
        for (name, _) in entries(&folder)? {
            remove(&folder, &name, UnlinkatFlags::NoRemoveDir)?;
        }
        remove(&self.directory, name, UnlinkatFlags::RemoveDir)
    }
}

fn is(status: &FileStat, kind: SFlag) -> bool {
    SFlag::from_bits_truncate(status.st_mode) & SFlag::S_IFMT == kind
}

/// Whether this can be the name of a store's file, and not a path to another directory.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains('/')
}

/// Removes an entry, if it is there.
fn remove(folder: &OwnedFd, name: &str, flag: UnlinkatFlags) -> io::Result<()> {
    match unlinkat(folder, name, flag) {
        Ok(()) | Err(Errno::ENOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// What is in a folder. An entry whose status cannot be read is listed without it: opening the file gives the error.
fn entries(folder: &OwnedFd) -> io::Result<Vec<(String, Option<FileStat>)>> {
    let mut entries = Vec::new();
    for entry in Dir::openat(folder, ".", FOLDER, Mode::empty())?.iter() {
        let entry = entry?;
        let Some(name) = entry.file_name().to_str().ok().filter(|name| !matches!(*name, "." | "..")) else {
            continue;
        };
        match fstatat(folder, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Err(Errno::ENOENT) => {}
            status => entries.push((name.to_string(), status.ok())),
        }
    }
    Ok(entries)
}

/// Regular files with plain names.
fn files(folder: &OwnedFd) -> io::Result<Vec<(String, Option<FileStat>)>> {
    let mut entries = entries(folder)?;
    let is_file = |status: &FileStat| is(status, SFlag::S_IFREG);
    entries.retain(|(name, status)| is_plain(name) && status.as_ref().is_none_or(is_file));
    Ok(entries)
}

#[cfg(test)]
mod tests;
