//! The files of the store: a header and blocks, each with its own length and checksums, so that
//! a damaged one takes no other with it. All numbers are big-endian: a file of a MIPS router
//! reads on a PC.
//!
//! ```text
//! file   = header block* end
//! header = "fwst" version:u16 0:u16 crc32:u32             of the eight bytes before
//! block  = B1 0C 46 57 kind:u8 packed:u8 key:i32 raw:u32 length:u32 crc32:u32 crc32:u32 payload
//!          packed: 1 see `packed`, 0 deflated (RFC 1951); raw: bytes once inflated;
//!          first crc32 of the payload, second of the header before it
//! end    = a block of kind 255, key = the number of blocks before it, no payload
//! ```

use std::borrow::Cow;

use flate2::{Decompress, FlushDecompress, Status};

use crate::checksum::crc32;

use super::deflate::Deflater;

/// The version that is written, and the newest that can be read. 2 has countries behind the classes of days and months,
/// 3 small sketches of services' sources, 4 what the sampled sources tried; a reader of an older one would take them for
/// damage.
pub const VERSION: u16 = 4;
const MAGIC: &[u8; 4] = b"fwst";
const MARKER: [u8; 4] = [0xb1, 0x0c, 0x46, 0x57];
const HEADER: usize = 12;
const BLOCK_HEADER: usize = 26;
const END: u8 = 255;
/// No block is larger once inflated.
const MOST_RAW: u32 = 8 << 20;

/// What a block holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Kind {
    /// A day; the key is its [`crate::calendar::Date`].
    Day = 1,
    /// A month; the key is its [`crate::calendar::Month`].
    Month = 2,
    /// Which files were imported; the key is 0.
    Imported = 3,
    /// The name of the time zone that the days are counted in; the key is 0.
    Zone = 4,
    /// Where the counting of the open day stands, see [`super::today`]; the key is 0.
    State = 5,
    /// The guard's blocks and records, see [`super::ledger`]; the key is 0.
    Blocks = 6,
    /// Events that wait for the wall clock, see [`super::aside`]; the key is 0.
    Aside = 7,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Block {
    pub kind: Kind,
    pub key: i32,
    pub payload: Payload,
}

/// What a block holds, as its numbers were written.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Payload {
    pub bytes: Vec<u8>,
    pub form: PayloadForm,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum PayloadForm {
    /// The file has it deflated.
    #[default]
    Plain,
    /// As [`super::packed`] does it.
    Packed,
    /// For a file only: it is read as plain.
    Deflated { raw: usize },
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Payload {
        Payload { bytes, form: PayloadForm::Plain }
    }
}

/// What was found in a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Contents {
    pub blocks: Vec<Block>,
    /// What was wrong, and where.
    pub damage: Option<String>,
}

/// The file was written by a newer fwstat.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Newer {
    pub version: u16,
}

pub fn write(blocks: &[Block]) -> Vec<u8> {
    let mut file = Vec::new();
    file.extend_from_slice(MAGIC);
    file.extend_from_slice(&VERSION.to_be_bytes());
    file.extend_from_slice(&[0, 0]);
    let crc = crc32(&file);
    file.extend_from_slice(&crc.to_be_bytes());
    for block in blocks {
        write_block(&mut file, block.kind as u8, block.key, &block.payload);
    }
    write_block(&mut file, END, blocks.len() as i32, &Payload::default());
    file
}

fn write_block(file: &mut Vec<u8>, kind: u8, key: i32, payload: &Payload) {
    let plain = payload.form == PayloadForm::Plain && !payload.bytes.is_empty();
    let bytes = if plain { Cow::Owned(deflate(&payload.bytes)) } else { Cow::Borrowed(&payload.bytes) };
    let raw = match payload.form {
        PayloadForm::Deflated { raw } => raw,
        _ => payload.bytes.len(),
    };
    let start = file.len();
    file.extend_from_slice(&MARKER);
    file.extend_from_slice(&[kind, u8::from(payload.form == PayloadForm::Packed)]);
    file.extend_from_slice(&key.to_be_bytes());
    file.extend_from_slice(&(raw as u32).to_be_bytes());
    file.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
    file.extend_from_slice(&crc32(&bytes).to_be_bytes());
    let crc = crc32(&file[start..]);
    file.extend_from_slice(&crc.to_be_bytes());
    file.extend_from_slice(&bytes);
}

fn deflate(payload: &[u8]) -> Vec<u8> {
    let mut deflater = Deflater::new();
    deflater.pending.extend_from_slice(payload);
    deflater.finish().0
}

fn inflate(bytes: &[u8], raw: usize) -> Option<Vec<u8>> {
    let mut payload = Vec::with_capacity(raw);
    let mut stream = Decompress::new(false);
    let status = stream.decompress_vec(bytes, &mut payload, FlushDecompress::Finish).ok()?;
    (status == Status::StreamEnd && payload.len() == raw).then_some(payload)
}

struct BlockHeader {
    kind: u8,
    packed: u8,
    key: i32,
    raw: u32,
    length: u32,
    crc: u32,
}

fn u32_at(bytes: &[u8], place: usize) -> u32 {
    let mut number = [0; 4];
    number.copy_from_slice(&bytes[place..place + 4]);
    u32::from_be_bytes(number)
}

fn block_header(bytes: &[u8]) -> Option<BlockHeader> {
    let header = bytes.get(..BLOCK_HEADER)?;
    let valid = header[..4] == MARKER && crc32(&header[..22]) == u32_at(header, 22);
    valid.then(|| BlockHeader {
        kind: header[4],
        packed: header[5],
        key: u32_at(header, 6) as i32,
        raw: u32_at(header, 10),
        length: u32_at(header, 14),
        crc: u32_at(header, 18),
    })
}

/// Reads a file whole. Damage costs the blocks that it hit; the others are given.
pub fn read(file: &[u8]) -> Result<Contents, Newer> {
    let mut contents = Contents { blocks: Vec::new(), damage: None };
    let mut place = 0;
    match file.get(..HEADER) {
        Some(header) if header[..4] == *MAGIC && crc32(&header[..8]) == u32_at(header, 8) => {
            let version = u16::from_be_bytes([header[4], header[5]]);
            if version > VERSION {
                return Err(Newer { version });
            }
            place = HEADER;
        }
        _ => contents.harm(0, "its header is not one of fwstat's"),
    }
    let mut found = 0;
    loop {
        let Some(header) = block_header(&file[place..]) else {
            contents
                .harm(place, if place < file.len() { "a block is damaged" } else { "its end is missing" });
            match memchr::memmem::find(file.get(place + 1..).unwrap_or_default(), &MARKER) {
                Some(next) => place += 1 + next,
                None => return Ok(contents),
            }
            continue;
        };
        let start = place + BLOCK_HEADER;
        let payload = start.checked_add(header.length as usize).and_then(|end| file.get(start..end));
        if header.kind == END {
            if header.key != found {
                contents.harm(place, "blocks are missing");
            } else if start != file.len() {
                contents.harm(start, "bytes follow its end");
            }
            return Ok(contents);
        }
        let Some(payload) = payload else {
            contents.harm(place, "a block is cut");
            place += 1;
            continue;
        };
        found += 1;
        match open_block(&header, payload) {
            Ok(block) => contents.blocks.push(block),
            Err(what) => contents.harm(place, what),
        }
        place = start + payload.len();
    }
}

fn open_block(header: &BlockHeader, payload: &[u8]) -> Result<Block, &'static str> {
    if crc32(payload) != header.crc {
        return Err("a block's checksum is wrong");
    }
    let kind = match header.kind {
        1 => Kind::Day,
        2 => Kind::Month,
        3 => Kind::Imported,
        4 => Kind::Zone,
        5 => Kind::State,
        6 => Kind::Blocks,
        7 => Kind::Aside,
        _ => return Err("a block is of an unknown kind"),
    };
    if header.raw > MOST_RAW {
        return Err("a block is too large");
    }
    let bytes = match header.packed {
        _ if header.raw == 0 && payload.is_empty() => Vec::new(),
        0 => inflate(payload, header.raw as usize).ok_or("a block cannot be inflated")?,
        1 => payload.to_vec(),
        _ => return Err("a block is packed in an unknown way"),
    };
    let form = if header.packed == 1 { PayloadForm::Packed } else { PayloadForm::Plain };
    Ok(Block { kind, key: header.key, payload: Payload { bytes, form } })
}

impl Contents {
    /// Remembers the first damage.
    fn harm(&mut self, place: usize, what: &str) {
        self.damage.get_or_insert_with(|| format!("{what} (byte {place})"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::codec::Writer;

    #[test]
    fn what_is_deflated_as_it_comes_is_written_as_if_it_came_at_once() {
        for count in [0u64, 1, 5_000, 300_000] {
            let (mut at_once, mut as_it_comes) = (Writer::plain(), Writer::deflated());
            for writer in [&mut at_once, &mut as_it_comes] {
                (0..count).for_each(|number| writer.number(number * number));
                writer.ranks(&[7; 300]);
                writer.mask(9, 32);
                writer.u8(1);
            }
            let block = |writer: Writer| Block { kind: Kind::Day, key: 1, payload: writer.finish() };
            let (plain, deflated) = ([block(at_once)], write(&[block(as_it_comes)]));
            assert_eq!(read(&deflated).unwrap().blocks, plain);
        }
    }

    fn sample() -> Vec<Block> {
        vec![
            Block { kind: Kind::Day, key: 18_358, payload: b"the sixth of April".to_vec().into() },
            Block { kind: Kind::Day, key: 18_359, payload: vec![7; 5_000].into() },
            Block { kind: Kind::Month, key: -1, payload: Payload::default() },
            Block {
                kind: Kind::Month,
                key: 3,
                payload: Payload { bytes: vec![8; 60], form: PayloadForm::Packed },
            },
        ]
    }

    #[test]
    fn a_file_comes_back() {
        let file = write(&sample());
        assert_eq!(read(&file), Ok(Contents { blocks: sample(), damage: None }));
    }

    #[test]
    fn the_bytes_are_the_same_on_every_machine() {
        let file = write(&[Block { kind: Kind::Month, key: 24_243, payload: Payload::default() }]);
        assert_eq!(file[..12], *b"fwst\x00\x04\x00\x00\xdc\x84\x09\x4c");
        assert_eq!(
            file[12..34],
            *b"\xb1\x0cFW\x02\x00\x00\x00\x5e\xb3\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
        );
    }

    #[test]
    fn any_flipped_byte_is_noticed_and_costs_at_most_one_block() {
        let file = write(&sample());
        for place in 0..file.len() {
            for bit in 0..8 {
                let mut bad = file.clone();
                bad[place] ^= 1 << bit;
                let contents = read(&bad).expect("a flipped version is no newer version");
                assert!(contents.damage.is_some(), "byte {place} bit {bit}");
                assert!(contents.blocks.len() >= 3, "byte {place} bit {bit}");
                assert!(contents.blocks.iter().all(|block| sample().contains(block)));
            }
        }
    }

    #[test]
    fn any_cut_is_noticed_and_what_was_whole_is_read() {
        let file = write(&sample());
        for length in 0..file.len() {
            let contents = read(&file[..length]).unwrap();
            assert!(contents.damage.is_some(), "cut at {length}");
            assert!(sample().starts_with(&contents.blocks));
        }
    }

    #[test]
    fn a_newer_version_is_refused() {
        let mut file = write(&sample());
        file[5] = 9;
        let crc = crc32(&file[..8]);
        file[8..12].copy_from_slice(&crc.to_be_bytes());
        assert_eq!(read(&file), Err(Newer { version: 9 }));
    }
}
