use super::*;
use crate::store::container::{Kind, Open, Section, write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::sync::atomic::{AtomicU32, Ordering};

struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Scratch {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("fwstat-directory-{}-{number}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn changes(list: &[(&str, Option<&str>)]) -> Vec<Change> {
    let change = |(name, text): &(&str, Option<&str>)| {
        (
            name.to_string(),
            text.map(|text| write(1, vec![Section::plain(Kind::Zone, text.as_bytes().to_vec())])),
        )
    };
    list.iter().map(change).collect()
}

/// Name and content of all files, as a reader sees them.
fn content(path: &Path) -> Vec<(String, String)> {
    let directory = Directory::Disk(Disk::open(path).unwrap());
    let text = |name: &String| {
        let file = Open::from_bytes(directory.read(name).unwrap().unwrap()).unwrap();
        String::from_utf8(file.section(Kind::Zone).unwrap().unwrap()).unwrap()
    };
    directory.names().unwrap().iter().map(|name| (name.clone(), text(name))).collect()
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(name, text)| (name.to_string(), text.to_string())).collect()
}

#[test]
fn a_commit_counts_from_its_publication_on_and_is_finished_by_the_next_opening() {
    let scratch = Scratch::new();
    let path = &scratch.0;
    let mut directory = Directory::Disk(Disk::open_for_writing(path).unwrap());
    directory.commit(changes(&[("a.fws", Some("1")), ("b.fws", Some("1"))])).unwrap();
    assert_eq!(content(path), pairs(&[("a.fws", "1"), ("b.fws", "1")]));
    drop(directory);
    let disk = Disk::open_for_writing(path).unwrap();
    disk.prepare(&changes(&[("a.fws", Some("2")), ("b.fws", None), ("c.fws", Some("2"))])).unwrap();
    assert_eq!(content(path), pairs(&[("a.fws", "1"), ("b.fws", "1")]));
    disk.publish().unwrap();
    let after = pairs(&[("a.fws", "2"), ("c.fws", "2")]);
    assert_eq!(content(path), after);
    // Killed in the middle of the moves.
    std::fs::remove_file(path.join("b.fws")).unwrap();
    std::fs::rename(path.join("commit/a.fws"), path.join("a.fws")).unwrap();
    assert_eq!(content(path), after);
    drop(disk);
    drop(Disk::open_for_writing(path).unwrap());
    assert_eq!(content(path), after);
    assert!(!path.join("commit").exists());
    // What was not published is gone.
    let disk = Disk::open_for_writing(path).unwrap();
    disk.prepare(&changes(&[("a.fws", Some("3"))])).unwrap();
    drop(disk);
    drop(Disk::open_for_writing(path).unwrap());
    assert_eq!(content(path), after);
    assert!(!path.join("commit.new").exists());
}

#[test]
fn new_files_are_the_owners_alone() {
    let scratch = Scratch::new();
    let mut directory = Directory::Disk(Disk::open_for_writing(&scratch.0).unwrap());
    directory.commit(changes(&[("a.fws", Some("1"))])).unwrap();
    for name in ["a.fws", "lock"] {
        let mode = std::fs::metadata(scratch.0.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn links_fifos_directories_and_others_files_are_not_opened() {
    let scratch = Scratch::new();
    let path = &scratch.0;
    drop(Disk::open_for_writing(path).unwrap());
    let other = path.with_extension("other");
    std::fs::write(&other, changes(&[("x", Some("secret"))])[0].1.as_ref().unwrap()).unwrap();
    symlink(&other, path.join("2026-01.fws")).unwrap();
    nix::unistd::mkfifo(&path.join("2026-02.fws"), Mode::from_bits_truncate(0o600)).unwrap();
    std::fs::create_dir(path.join("2026-03.fws")).unwrap();
    let directory = Directory::Disk(Disk::open(path).unwrap());
    for (name, why) in [
        ("2026-01.fws", "is a symbolic link"),
        ("2026-02.fws", "is not a regular file"),
        ("2026-03.fws", "is not a regular file"),
    ] {
        let error = directory.read(name).err().unwrap().to_string();
        assert!(error.contains(why) && error.contains(name), "{error}");
    }
    let _ = std::fs::remove_file(&other);
    if Uid::effective().is_root() {
        let foreign = path.join("2026-04.fws");
        std::fs::write(&foreign, "").unwrap();
        std::os::unix::fs::chown(&foreign, Some(54_321), None).unwrap();
        let error = directory.read("2026-04.fws").err().unwrap().to_string();
        assert!(error.contains("another user's file"), "{error}");
        // In a directory of theirs it is.
        std::os::unix::fs::chown(path, Some(54_321), None).unwrap();
        assert_eq!(std::fs::metadata(path).unwrap().uid(), 54_321);
        assert!(Directory::Disk(Disk::open(path).unwrap()).read("2026-04.fws").is_ok());
    }
    // A link in place of a commit moves nothing.
    let elsewhere = path.with_extension("elsewhere");
    std::fs::create_dir_all(&elsewhere).unwrap();
    std::fs::write(elsewhere.join("removed"), "lock\n").unwrap();
    symlink(&elsewhere, path.join("commit")).unwrap();
    assert!(Disk::open_for_writing(path).is_err());
    assert!(path.join("lock").exists());
    let _ = std::fs::remove_dir_all(&elsewhere);
}

#[test]
fn names_of_removed_files_never_lead_elsewhere() {
    let scratch = Scratch::new();
    let path = &scratch.0;
    drop(Disk::open_for_writing(path).unwrap());
    let victim = path.with_extension("victim");
    std::fs::write(&victim, "").unwrap();
    std::fs::create_dir(path.join("commit")).unwrap();
    let name = victim.file_name().unwrap().to_str().unwrap();
    std::fs::write(path.join("commit/removed"), format!("../{name}\n{}\n", victim.display())).unwrap();
    drop(Disk::open_for_writing(path).unwrap());
    assert!(victim.exists() && !path.join("commit").exists());
    let _ = std::fs::remove_file(&victim);
}

#[test]
fn one_process_writes_and_others_are_told_which() {
    let scratch = Scratch::new();
    let writer = Disk::open_for_writing(&scratch.0).unwrap();
    let error = Disk::open_for_writing(&scratch.0).err().unwrap();
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    let process = std::process::id();
    assert_eq!(error.to_string(), format!("another fwstat (process {process}) is writing to it"));
    assert_eq!(Taken::of(&error), Some(&Taken { process: Some(process), daemon: None }));
    let reader = Disk::open(&scratch.0).unwrap();
    assert!(reader.is_being_written() && reader.is_there());
    drop(writer);
    assert!(!reader.is_being_written());
    // A daemon says which one it is, and whoever has the lock after it is not taken for it.
    let daemon = Disk::open_for_daemon(&scratch.0, Path::new("/var/run/\x1bfwstat")).unwrap();
    let error = Disk::open_for_writing(&scratch.0).err().unwrap();
    let expected =
        format!("another fwstat (process {process}, run directory /var/run/fwstat) is writing to it");
    assert_eq!(error.to_string(), expected);
    drop(daemon);
    let writer = Disk::open_for_writing(&scratch.0).unwrap();
    let error = Disk::open_for_daemon(&scratch.0, Path::new("/run")).err().unwrap();
    assert_eq!(Taken::of(&error).unwrap().daemon, None);
    drop(writer);
    std::fs::remove_dir_all(&scratch.0).unwrap();
    assert!(!reader.is_there());
}

#[test]
fn a_commit_that_cannot_be_written_changes_nothing() {
    let scratch = Scratch::new();
    let path = &scratch.0;
    let mut directory = Directory::Disk(Disk::open_for_writing(path).unwrap());
    directory.commit(changes(&[("a.fws", Some("1"))])).unwrap();
    // A name that no file can have.
    let long = "x".repeat(300);
    assert!(directory.commit(changes(&[("a.fws", Some("2")), (&long, Some("2"))])).is_err());
    assert_eq!(content(path), pairs(&[("a.fws", "1")]));
    assert!(!path.join("commit.new").exists());
    directory.commit(changes(&[("a.fws", Some("3"))])).unwrap();
    assert_eq!(content(path), pairs(&[("a.fws", "3")]));
    assert_eq!(
        directory.size(),
        std::fs::metadata(path.join("a.fws")).unwrap().len()
            + std::fs::metadata(path.join("lock")).unwrap().len()
    );
}

#[test]
fn a_block_that_cannot_be_read_takes_no_other_with_it() {
    let mut bytes = vec![7; 2 * BLOCK + 10];
    let failing = |error: Errno| {
        move |block: &mut [u8], offset: u64| {
            block.fill(1);
            if offset == BLOCK as u64 { Err(error.into()) } else { Ok(()) }
        }
    };
    read_blocks(&mut bytes, &failing(Errno::EIO)).unwrap();
    let (first, rest) = bytes.split_at(BLOCK);
    let (lost, last) = rest.split_at(BLOCK);
    assert!(first.iter().chain(last).all(|byte| *byte == 1) && lost.iter().all(|byte| *byte == 0));
    let error = read_blocks(&mut bytes, &failing(Errno::ENOMEM)).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(Errno::ENOMEM as i32));
}
