//! A backup: the files of a store in one `.tar.gz`, which `tar` can list and unpack.
//!
//! The first member, `fwstat-backup`, has the format, the version of the program and the time. A backup is read and
//! checked completely before anything is done with it. Deletes nothing.

use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use crate::event::calendar::{Date, Month};
use crate::event::small_map::SmallMap;
use crate::query::history::MonthData;
use crate::sys::read::at_most;

use super::container::{self, Open, Unreadable};
use super::deferred;
use super::directory::Directory;
use super::ledger::Moment;
use super::meta::{LATER, META, Meta};
use super::month::{self, Wanted};
use super::networks::{self, NETWORKS};
use super::pieces;

/// The format of the archive; that of the files in it is [`container::VERSION`].
const FORMAT: u32 = 1;
const ABOUT: &str = "fwstat-backup";
const BLOCK: usize = 512;
/// The longest archive, uncompressed; a longer one is refused.
const MAX_BYTES: u64 = 16 << 20;
const MAX_FILES: usize = 2000;
/// The magic number of gzip (RFC 1952, 2.3.1).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// What was written.
pub struct Packed {
    pub files: usize,
    /// Damaged files, which are left out: a sentence each.
    pub left_out: Vec<String>,
}

/// What a backup holds.
pub struct Unpacked {
    /// The version of the program that made it.
    pub version: String,
    /// Seconds since 1970.
    pub created: i64,
    files: SmallMap<String, Vec<u8>>,
}

impl Unpacked {
    /// Its files as those of a store.
    pub fn into_directory(self) -> Directory {
        Directory::Memory(self.files)
    }
}

/// Files that a backup holds: months, open days, what is remembered of them, blocked networks. Not the blocks of single
/// sources, which expire, and no damaged files.
fn is_stored(name: &str) -> bool {
    [META, LATER, NETWORKS].contains(&name)
        || month_of(name).is_some()
        || day_of(name).is_some()
        || pieces::parse_name(name).is_some()
}

fn month_of(name: &str) -> Option<Month> {
    Month::parse(name.strip_suffix(".fws")?)
}

fn day_of(name: &str) -> Option<Date> {
    Date::parse(name.strip_suffix(".fws")?)
}

/// The salt of a file of which every section can be read; the error says what is wrong.
fn check(name: &str, bytes: Vec<u8>) -> Result<u64, String> {
    let file = Open::from_bytes(bytes).map_err(|unreadable| match unreadable {
        Unreadable::Newer(version) => format!(
            "{name} was written by a newer fwstat (format {version}, this one reads up to {})",
            container::VERSION
        ),
        Unreadable::Damaged(what) => format!("{name} is damaged: {what}"),
    })?;
    let whole = match name {
        NETWORKS => networks::from_file(&file, &Moment::default()).is_some(),
        META => Meta::decode(&file).1,
        LATER => deferred::from_file(&file).is_some(),
        _ => match (month_of(name), day_of(name)) {
            (Some(month), _) => month::read(&file, month, Wanted::All).1.is_none(),
            (None, Some(date)) => {
                let mut month = MonthData::new(date.month());
                month.read_day(&file, date, Wanted::All).is_none()
            }
            (None, None) => pieces::decode(&file).is_some_and(|saved| !saved.damaged),
        },
    };
    if whole { Ok(file.salt) } else { Err(format!("{name} is damaged: a part of it cannot be read")) }
}

/// Writes a backup of the store in `directory`, which must not change meanwhile. `created`: seconds since 1970.
pub fn pack(directory: &Directory, created: i64, out: &mut dyn Write) -> io::Result<Packed> {
    let mut out = GzEncoder::new(out, Compression::fast());
    let about = format!("format {FORMAT}\nversion {}\ncreated {created}\n", env!("CARGO_PKG_VERSION"));
    write_member(&mut out, ABOUT, about.as_bytes(), created)?;
    let mut packed = Packed { files: 0, left_out: Vec::new() };
    // The first member and the end.
    let mut length = 4 * BLOCK as u64;
    for name in directory.names()?.into_iter().filter(|name| is_stored(name)) {
        let bytes = directory.read(&name)?.unwrap_or_default();
        match check(&name, bytes.clone()) {
            Ok(_) => {
                length += (BLOCK + bytes.len().next_multiple_of(BLOCK)) as u64;
                if length >= MAX_BYTES || packed.files == MAX_FILES {
                    let room = format!("{} MiB and {MAX_FILES} files", MAX_BYTES >> 20);
                    return Err(io::Error::other(format!(
                        "a backup holds at most {room}: the store has more"
                    )));
                }
                write_member(&mut out, &name, &bytes, created)?;
                packed.files += 1;
            }
            Err(wrong) => packed.left_out.push(format!("{wrong}; it is not in the backup")),
        }
    }
    out.write_all(&[0; 2 * BLOCK])?;
    out.finish()?.flush()?;
    Ok(packed)
}

/// A member of a tar archive (POSIX ustar).
fn write_member(out: &mut impl Write, name: &str, bytes: &[u8], created: i64) -> io::Result<()> {
    let mut header = [0; BLOCK];
    let mut put = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, "0000600");
    put(108, "0000000");
    put(116, "0000000");
    put(124, &format!("{:011o}", bytes.len()));
    put(136, &format!("{:011o}", created.clamp(0, 0o77_777_777_777)));
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\x0000");
    let sum = sum_of(&header);
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    out.write_all(&header)?;
    out.write_all(bytes)?;
    out.write_all(&[0; BLOCK][..bytes.len().next_multiple_of(BLOCK) - bytes.len()])
}

fn sum_of(header: &[u8; BLOCK]) -> u32 {
    let byte = |(at, byte): (usize, &u8)| if (148..156).contains(&at) { 32 } else { u32::from(*byte) };
    header.iter().enumerate().map(byte).sum()
}

/// Reads a backup; the error is a sentence about what is wrong with it.
pub fn unpack(input: &mut dyn Read) -> Result<Unpacked, String> {
    let damaged = |error: io::Error| format!("it is damaged or incomplete: {error}");
    // Checked before decoding: the decoder calls any file that is shorter than gzip's header incomplete.
    let start = at_most(input, GZIP_MAGIC.len() as u64).map_err(damaged)?;
    if start != GZIP_MAGIC {
        return Err("it is not a backup of fwstat".into());
    }
    let whole: Box<dyn Read> = Box::new((&start[..]).chain(input));
    // To the end, where the checksum is compared.
    let all = at_most(&mut GzDecoder::new(whole), MAX_BYTES).map_err(damaged)?;
    if all.len() as u64 == MAX_BYTES {
        return Err("it is too long to be a backup of fwstat".into());
    }
    let mut members = Members { rest: &all };
    let about = match members.next()? {
        Some((ABOUT, bytes)) => String::from_utf8_lossy(bytes).into_owned(),
        _ => return Err("it is not a backup of fwstat".into()),
    };
    let value = |name: &str| about.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let version = value("version").unwrap_or("of an unknown version").to_string();
    if value("format").and_then(|format| format.parse().ok()).is_none_or(|format: u32| format > FORMAT) {
        return Err(format!("a newer fwstat made it ({version}): use that version or a newer one"));
    }
    let created = value("created").and_then(|created| created.parse().ok()).unwrap_or(0);
    let mut files = SmallMap::new();
    let mut salt = None;
    while let Some((name, bytes)) = members.next()? {
        if !is_stored(name) || files.len() == MAX_FILES {
            return Err(format!("it holds '{name}', which is no file of a store"));
        }
        let of_file = check(name, bytes.to_vec())?;
        // Blocked networks have no samples.
        if name != NETWORKS && *salt.get_or_insert(of_file) != of_file {
            return Err(format!("{name} is of another store than the files before it"));
        }
        files.insert(name.to_string(), bytes.to_vec());
    }
    Ok(Unpacked { version, created, files })
}

struct Members<'a> {
    rest: &'a [u8],
}

impl<'a> Members<'a> {
    /// `None` at the archive's end.
    fn next(&mut self) -> Result<Option<(&'a str, &'a [u8])>, String> {
        const DAMAGED: &str = "it is damaged: its list of files cannot be read";
        let (header, rest) = self.rest.split_first_chunk::<BLOCK>().ok_or(DAMAGED)?;
        if header.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let text = |from: usize, to: usize| {
            let field = &header[from..to];
            let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
            std::str::from_utf8(&field[..end]).ok()
        };
        let octal = |from, to| usize::from_str_radix(text(from, to)?.trim_matches(' '), 8).ok();
        let (name, size) = (text(0, 100).ok_or(DAMAGED)?, octal(124, 136).ok_or(DAMAGED)?);
        if octal(148, 156) != Some(sum_of(header) as usize) {
            return Err(DAMAGED.into());
        }
        let bytes = rest.get(..size).ok_or(DAMAGED)?;
        self.rest = rest.get(size.next_multiple_of(BLOCK)..).ok_or(DAMAGED)?;
        Ok(Some((name, bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::day::Day;
    use crate::store::Retention;
    use crate::store::Store;
    use proptest::prelude::*;

    fn example() -> Vec<u8> {
        let mut store =
            Store::open(Directory::Memory(SmallMap::new()), Retention::default(), Some(7)).unwrap();
        let changes = store.change_meta(&Meta { zone: Some("JST-9".into()), ..Meta::default() }).unwrap();
        store.commit(changes).unwrap();
        let mut bytes = Vec::new();
        pack(store.directory(), 1_800_000_000, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_backup_comes_back() {
        let unpacked = unpack(&mut &example()[..]).unwrap();
        assert_eq!((unpacked.version.as_str(), unpacked.created), (env!("CARGO_PKG_VERSION"), 1_800_000_000));
        let mut store = Store::open(unpacked.into_directory(), Retention::default(), None).unwrap();
        assert_eq!((store.salt(), store.meta().unwrap().zone.as_deref()), (7, Some("JST-9")));
    }

    #[test]
    fn every_changed_byte_and_every_cut_is_noticed() {
        let whole = example();
        let expected = unpack(&mut &whole[..]).unwrap();
        for at in 0..whole.len() {
            assert!(unpack(&mut &whole[..at]).is_err(), "cut at {at}");
            let mut changed = whole.clone();
            changed[at] ^= 0x10;
            // Some bits of gzip mean nothing, or the same: what is read then is what was written.
            if let Ok(read) = unpack(&mut &changed[..]) {
                assert_eq!((read.created, &read.files), (expected.created, &expected.files), "byte {at}");
            }
        }
    }

    #[test]
    fn what_could_not_be_restored_is_not_written() {
        let mut files = SmallMap::new();
        let name = |number: u32| pieces::name_of(Date(20_000), number);
        let piece = pieces::encode_day(7, &pieces::State::default(), &Day::new(Date(20_000), 7));
        (0..MAX_FILES as u32).for_each(|number| drop(files.insert(name(number), piece.clone())));
        let pack = |files: &SmallMap<_, _>| {
            let mut bytes = Vec::new();
            pack(&Directory::Memory(files.clone()), 0, &mut bytes).map(|_| bytes)
        };
        let unpacked = unpack(&mut &pack(&files).unwrap()[..]).unwrap();
        assert_eq!(unpacked.files.len(), MAX_FILES);
        files.insert(name(MAX_FILES as u32), piece);
        let error = pack(&files).unwrap_err().to_string();
        assert_eq!(error, "a backup holds at most 16 MiB and 2000 files: the store has more");
    }

    #[test]
    fn other_archives_and_newer_ones_are_refused() {
        let packed = |members: &[(&str, &str)]| {
            let mut out = GzEncoder::new(Vec::new(), Compression::fast());
            for (name, text) in members {
                write_member(&mut out, name, text.as_bytes(), 0).unwrap();
            }
            out.write_all(&[0; 2 * BLOCK]).unwrap();
            unpack(&mut &out.finish().unwrap()[..]).err().unwrap()
        };
        assert_eq!(packed(&[("etc/passwd", "")]), "it is not a backup of fwstat");
        assert_eq!(packed(&[]), "it is not a backup of fwstat");
        let newer = packed(&[(ABOUT, "format 2\nversion 9.1\n")]);
        assert_eq!(newer, "a newer fwstat made it (9.1): use that version or a newer one");
        let path = packed(&[(ABOUT, "format 1\n"), ("../../etc/passwd", "root")]);
        assert_eq!(path, "it holds '../../etc/passwd', which is no file of a store");
        let month = packed(&[(ABOUT, "format 1\n"), ("2026-10.fws", "FWST")]);
        assert_eq!(month, "2026-10.fws is damaged: unexpected end of the file");
        for text in ["", "x", "no backup", "no backup, and longer than a header of gzip"] {
            assert_eq!(
                unpack(&mut text.as_bytes()).err().unwrap(),
                "it is not a backup of fwstat",
                "{text:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..700)) {
            let mut out = GzEncoder::new(Vec::new(), Compression::fast());
            out.write_all(&bytes).unwrap();
            let _ = (unpack(&mut &bytes[..]), unpack(&mut &out.finish().unwrap()[..]));
        }
    }
}
