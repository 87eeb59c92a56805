//! The container of every file: a header with a directory, and sections that can be read one by one.
//!
//! ```text
//! file    magic "FWST", version u8, number of sections u8, salt (8 bytes),
//!         directory { kind u8, deflated u8, length u32, raw length u32, crc32 u32 }*,
//!         crc32 of all before; the sections, back to back. Big-endian.
//! section numbers (`raw length` bytes; deflated where the directory says so), then random bits to its end.
//! ```
//!
//! The salt is the same in all files of a store. `crc32` is that of gzip (RFC 1952), of the bytes as they lie in the
//! file. `docs/FORMAT.md` describes the whole.

use std::cell::RefCell;
use std::io::{self, Cursor, Seek, SeekFrom, Write};

use flate2::write::DeflateEncoder;
use flate2::{Compression, Decompress, FlushDecompress, Status};

use crate::query::history;
use crate::store::checksum::crc32;

use super::codec::Content;

const MAGIC: &[u8] = b"FWST";
/// Version of the container format (docs/FORMAT.md).
pub const VERSION: u8 = 1;
const FIXED: usize = 4 + 1 + 1 + 8;
const ENTRY: usize = 14;
/// Most sections of a file.
const MAX_SECTIONS: usize = 32;
/// A longer section is refused, so that reading a damaged file takes no more memory. None is written: the longest is the
/// guard's ledger with the most blocks, of all the longest numbers and texts.
pub const MAX_RAW: usize = 3 << 20;
/// A section is deflated only if this saves at least this many bytes, and 10 %.
const MIN_GAIN: usize = 64;

thread_local! {
    /// Reused, since a new one clears and copies 43 KB: that takes longer than to inflate most sections.
    static INFLATE: RefCell<Decompress> = RefCell::new(Decompress::new(false));
}

/// The kind of a section's content, with its number in docs/FORMAT.md.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Kind {
    Summary = 1,
    Cells = history::Section::Cells as u8,
    Totals = history::Section::Totals as u8,
    Services = history::Section::Services as u8,
    ServiceHours = history::Section::ServiceHours as u8,
    Sources = history::Section::Sources as u8,
    SourceHours = history::Section::SourceHours as u8,
    Pairs = history::Section::Pairs as u8,
    Countries = history::Section::Countries as u8,
    Sample = history::Section::Sample as u8,
    /// A sample with addresses, of an open day.
    Addresses = 11,
    State = 12,
    Deferred = 13,
    Imported = 14,
    Zone = 15,
    Deletions = 16,
    Blocks = 17,
    /// Kernel messages that were counted.
    Seen = 18,
    /// The countries of the sources of [`Kind::Sample`].
    SampleCountries = history::Section::SampleCountries as u8,
    /// The services that these sources tried.
    SampleServices = history::Section::SampleServices as u8,
    /// Blocks of networks and countries.
    Networks = 21,
    /// Firewall rules, and the inside destinations of forwarded attempts.
    Rules = history::Section::Rules as u8,
    /// The salts of the stores that were united with this one.
    United = 23,
}

/// Why a file cannot be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unreadable {
    /// It has a newer version of the format.
    Newer(u8),
    Damaged(&'static str),
}

/// A section in the directory of a file. Lengths and offset in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    kind: u8,
    deflated: bool,
    pub length: usize,
    raw: usize,
    crc: u32,
    pub offset: usize,
}

/// The bytes of a file: its header is decoded, its sections when they are asked for.
pub struct Open {
    /// The salt of the store's samples.
    pub salt: u64,
    entries: Vec<Entry>,
    bytes: Vec<u8>,
}

fn be32(bytes: &[u8]) -> u32 {
    bytes.iter().take(4).fold(0, |number, byte| number << 8 | u32::from(*byte))
}

impl Open {
    /// Decodes the header.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Open, Unreadable> {
        let fixed = bytes.get(..FIXED).ok_or(Unreadable::Damaged("unexpected end of the file"))?;
        if &fixed[..4] != MAGIC {
            return Err(Unreadable::Damaged("not a file of fwstat"));
        }
        if fixed[4] > VERSION {
            return Err(Unreadable::Newer(fixed[4]));
        }
        let count = usize::from(fixed[5]);
        let length = FIXED + count * ENTRY;
        let directory = bytes.get(FIXED..length).filter(|_| count <= MAX_SECTIONS);
        let (Some(directory), Some(crc)) = (directory, bytes.get(length..length + 4)) else {
            return Err(Unreadable::Damaged("unexpected end of the header"));
        };
        if crc32(&bytes[..length]) != be32(crc) || fixed[4] == 0 {
            return Err(Unreadable::Damaged("the header's checksum does not match"));
        }
        let mut offset = length + 4;
        let mut entries = Vec::with_capacity(count);
        for entry in directory.chunks_exact(ENTRY) {
            let [length, raw] = [2, 6].map(|at| be32(&entry[at..]) as usize);
            let (kind, deflated, crc) = (entry[0], entry[1] != 0, be32(&entry[10..]));
            entries.push(Entry { kind, deflated, length, raw, crc, offset });
            offset = offset.saturating_add(length);
        }
        let salt = u64::from(be32(&fixed[6..])) << 32 | u64::from(be32(&fixed[10..]));
        Ok(Open { salt, entries, bytes })
    }

    /// The entry of a section, if the file has one of this kind.
    pub fn find(&self, kind: Kind) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.kind == kind as u8)
    }

    /// The content of a section that has only numbers; `None` if the file has no section of this kind.
    pub fn section(&self, kind: Kind) -> Result<Option<Vec<u8>>, &'static str> {
        Ok(self.content(kind)?.map(|content| content.bytes))
    }

    /// The content of a section; `None` if the file has no section of this kind. The error says how it is damaged.
    pub fn content(&self, kind: Kind) -> Result<Option<Content>, &'static str> {
        let Some(entry) = self.find(kind) else { return Ok(None) };
        let bytes = self.bytes.get(entry.offset..entry.offset.saturating_add(entry.length));
        let bytes = bytes
            .filter(|bytes| crc32(bytes) == entry.crc)
            .ok_or("the checksum of a section does not match")?;
        if entry.raw > MAX_RAW {
            return Err("a section is too long");
        }
        if !entry.deflated {
            let (bytes, random) = bytes.split_at_checked(entry.raw).ok_or("a section is too short")?;
            return Ok(Some(Content { bytes: bytes.to_vec(), random: random.to_vec() }));
        }
        let mut raw = Vec::with_capacity(entry.raw);
        INFLATE.with_borrow_mut(|inflate| {
            inflate.reset(false);
            // Everything at once, directly into `raw` and not through the decoder's window. A longer section finds no
            // room.
            match inflate.decompress_vec(bytes, &mut raw, FlushDecompress::Finish) {
                Ok(Status::StreamEnd) if raw.len() == entry.raw => {
                    let random = bytes[inflate.total_in() as usize..].to_vec();
                    Ok(Some(Content { bytes: raw, random }))
                }
                _ => Err("a section cannot be decompressed"),
            }
        })
    }
}

/// A section for a file.
pub struct Section {
    kind: Kind,
    deflated: bool,
    raw: usize,
    bytes: Vec<u8>,
}

impl Section {
    /// A section that is not deflated.
    pub fn plain(kind: Kind, content: impl Into<Content>) -> Section {
        let Content { mut bytes, random } = content.into();
        let raw = bytes.len();
        bytes.extend_from_slice(&random);
        Section { kind, deflated: false, raw, bytes }
    }

    /// A section whose numbers are deflated, if that saves enough ([`MIN_GAIN`]).
    pub fn packed(kind: Kind, content: impl Into<Content>) -> Section {
        Section::deflated(kind, content.into(), 6)
    }

    /// The same at deflate's lowest level, for what is soon replaced.
    pub fn packed_fast(kind: Kind, content: Content) -> Section {
        Section::deflated(kind, content, 1)
    }

    fn deflated(kind: Kind, Content { bytes, random }: Content, level: u32) -> Section {
        if bytes.len() < 2 * MIN_GAIN {
            // Setting up a compressor zeroes 300 KB of buffers, and content this short rarely shrinks to half.
            return Section::plain(kind, Content { bytes, random });
        }
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(level));
        // Writing to memory cannot fail.
        let _ = encoder.write_all(&bytes);
        let mut deflated = encoder.finish().unwrap_or_default();
        let raw = bytes.len();
        if deflated.len() + MIN_GAIN.max(raw / 10) <= raw && !deflated.is_empty() {
            deflated.extend_from_slice(&random);
            Section { kind, deflated: true, raw, bytes: deflated }
        } else {
            Section::plain(kind, Content { bytes, random })
        }
    }
}

/// The bytes of a file. Empty sections are left out.
pub fn write(salt: u64, mut sections: Vec<Section>) -> Vec<u8> {
    sections.retain(|section| section.raw > 0);
    let content: usize = sections.iter().map(|section| section.bytes.len()).sum();
    let mut file = Cursor::new(Vec::with_capacity(FIXED + sections.len() * ENTRY + 4 + content));
    // Writing to memory cannot fail.
    let _ = write_each(&mut file, salt, sections.len(), sections.into_iter());
    file.into_inner()
}

/// Writes a file of exactly `count` sections where `out` is, and leaves `out` at its end. No section has to stay in
/// memory. The header comes last: until then nothing can be read.
pub fn write_each(
    mut out: impl Write + Seek,
    salt: u64,
    count: usize,
    sections: impl Iterator<Item = Section>,
) -> io::Result<()> {
    let mut header = [MAGIC, &[VERSION, count as u8][..], &salt.to_be_bytes()].concat();
    let start = out.stream_position()?;
    out.seek(SeekFrom::Start(start + (FIXED + count * ENTRY + 4) as u64))?;
    for section in sections {
        out.write_all(&section.bytes)?;
        header.extend_from_slice(&[section.kind as u8, section.deflated.into()]);
        for number in [section.bytes.len() as u32, section.raw as u32, crc32(&section.bytes)] {
            header.extend_from_slice(&number.to_be_bytes());
        }
    }
    debug_assert_eq!(header.len(), FIXED + count * ENTRY);
    header.extend_from_slice(&crc32(&header).to_be_bytes());
    let end = out.stream_position()?;
    out.seek(SeekFrom::Start(start))?;
    out.write_all(&header)?;
    out.seek(SeekFrom::Start(end))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(bytes: &[u8], kind: Kind) -> Result<Content, Unreadable> {
        let file = Open::from_bytes(bytes.to_vec())?;
        file.content(kind).map_err(Unreadable::Damaged)?.ok_or(Unreadable::Damaged("none"))
    }

    fn example() -> Vec<u8> {
        let numbers: Vec<u8> = (0..2000u32).map(|number| (number % 7) as u8).collect();
        let services = Content { bytes: numbers, random: vec![9, 8, 7] };
        let summary = Content { bytes: vec![1, 2, 3], random: vec![4] };
        write(7, vec![Section::plain(Kind::Summary, summary), Section::packed(Kind::Services, services)])
    }

    #[test]
    fn sections_come_back() {
        let bytes = example();
        assert!(bytes.len() < 300 && Open::from_bytes(bytes.clone()).unwrap().salt == 7);
        assert_eq!(read(&bytes, Kind::Summary), Ok(Content { bytes: vec![1, 2, 3], random: vec![4] }));
        let services = read(&bytes, Kind::Services).unwrap();
        assert_eq!((services.bytes.len(), services.random), (2000, vec![9, 8, 7]));
        assert!(Open::from_bytes(bytes).unwrap().find(Kind::Pairs).is_none());
    }

    #[test]
    fn every_changed_byte_and_every_cut_is_noticed() {
        let whole = example();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            assert!(read(&bytes, Kind::Summary).is_err() || read(&bytes, Kind::Services).is_err(), "{at}");
            assert!(read(&whole[..at], Kind::Services).is_err(), "{at}");
        }
        let mut newer = whole;
        newer[4] = VERSION + 1;
        assert_eq!(Open::from_bytes(newer).err(), Some(Unreadable::Newer(VERSION + 1)));
    }

    #[test]
    fn a_section_of_another_length_than_its_entry_says_is_refused() {
        for (raw, is_right) in [(1999, false), (2000, true), (2001, false)] {
            let mut section = Section::packed(Kind::Services, vec![7; 2000]);
            section.raw = raw;
            assert_eq!(read(&write(7, vec![section]), Kind::Services).is_ok(), is_right, "{raw}");
        }
    }

    #[test]
    fn a_section_that_cannot_be_inflated_leaves_nothing_behind() {
        let packed = |kind, content: &[u8]| Section::packed(kind, content.to_vec());
        for (changed, mask) in [(0, 6), (0, 7), (1, 0xff), (5, 0xff), (9, 0x10), (12, 0xff)] {
            let mut damaged = packed(Kind::Services, &b"one two three, one two three, ".repeat(20));
            damaged.bytes[changed] ^= mask;
            let cut = Section { bytes: damaged.bytes[..damaged.bytes.len() / 2].to_vec(), ..damaged };
            let whole = packed(Kind::Pairs, &[7; 2000]);
            let file = Open::from_bytes(write(7, vec![cut, whole])).unwrap();
            assert!(file.content(Kind::Services).is_err(), "{changed} {mask}");
            assert_eq!(file.section(Kind::Pairs), Ok(Some(vec![7; 2000])), "{changed} {mask}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Open::from_bytes(bytes.clone());
            let mut bytes = bytes;
            bytes.splice(0..bytes.len().min(5), *b"FWST\x01");
            let _ = read(&bytes, Kind::Summary);
        }
    }
}
