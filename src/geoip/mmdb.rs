//! The MaxMind DB format 2.0, as far as the country or the network of an address needs it. Pure: reads bytes through
//! [`Bytes`] only.
//!
//! ```text
//! file   = tree 16 zero bytes, data, AB CD EF "MaxMind.com" metadata
//! tree   = node_count pairs of records of 24, 28 or 32 bits; a record is a node (< node_count), nothing (node_count),
//!          or node_count + 16 + a place in the data
//! data   = maps; the country is at country.iso_code (GeoLite2, DB-IP, ours) or at country_code, the network at
//!          autonomous_system_number and autonomous_system_organization (GeoLite2-ASN, ip-location-db)
//! ```
//!
//! Every number from the file is checked against its length. A lookup takes at most 128 nodes of the tree and
//! [`MAX_STEPS`] fields of the data: no file can make this hang, allocate without bound or panic.

use crate::event::Address;
use crate::query::asns::Network;
use crate::stats::countries::Country;
use crate::store::checksum::Crc;

const MARKER: &[u8] = b"\xab\xcd\xefMaxMind.com";
/// The metadata lies within this many bytes before the file's end.
const MAX_METADATA: u64 = 128 * 1024;
/// Most fields that are read to find one country or network.
const MAX_STEPS: u32 = 512;
const SEPARATOR: u64 = 16;
/// Most offsets in the data section that are remembered as valid while a file is checked.
const MAX_PLACES: usize = 4096;
/// Nodes that are read at once while a file is checked.
const CHUNK: u32 = 512;
/// Chunks of an AS database that are checked when it is opened, evenly spaced. Checking all of its million nodes would
/// block the daemon.
const NETWORK_CHUNKS: u32 = 8;
/// Bytes of a text that are read; the rest of a longer one is skipped.
const MAX_TEXT: usize = 96;

/// The content of a database.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Content {
    Countries,
    Networks,
}

/// Access to the file's bytes.
pub trait Bytes {
    /// Of the file.
    fn length(&self) -> u64;
    /// Fills `into` from offset `at`. `None` if the file is too short.
    fn read(&mut self, at: u64, into: &mut [u8]) -> Option<()>;
}

/// The error of a file.
pub type Unusable = &'static str;

/// The file's metadata.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout {
    /// Nodes of the search tree. A record below is a node, one above leads to data.
    pub(super) nodes: u32,
    /// Bits of a record: 24, 28 or 32.
    record: u32,
    /// 4 or 6.
    pub(super) family: u8,
    /// When the data was made, seconds since 1970.
    pub built: i64,
    /// CRC-32 of everything before the metadata, in the files of fwstat-country.
    checksum: Option<u32>,
    data: u64,
    data_end: u64,
    /// The record that leads to all IPv4 addresses.
    pub(super) ipv4: u32,
}

/// A field of the data section or the metadata.
enum Field<'a> {
    Map(u32),
    Text(&'a [u8]),
    Number(u64),
    Pointer(u64),
    Other,
}

/// An offset in a section of the file whose pointers count from `base`.
struct Cursor<'b> {
    bytes: &'b mut dyn Bytes,
    base: u64,
    at: u64,
    end: u64,
    steps: u32,
    text: [u8; MAX_TEXT],
}

const CUT: Unusable = "a field is truncated";
const DEEP: Unusable = "a record of it is too complex";

impl Cursor<'_> {
    /// Reads one byte.
    fn byte(&mut self) -> Result<u8, Unusable> {
        let mut byte = [0];
        let at = self.at;
        self.skip(1)?;
        self.bytes.read(at, &mut byte).ok_or(CUT)?;
        Ok(byte[0])
    }

    /// Reads a number of this many bytes, at most 8, the highest first.
    fn number(&mut self, bytes: u64) -> Result<u64, Unusable> {
        (0..bytes).try_fold(0, |number, _| Ok(number << 8 | u64::from(self.byte()?)))
    }

    /// Moves the cursor; an error behind the end of the section.
    fn skip(&mut self, bytes: u64) -> Result<(), Unusable> {
        self.at = self.at.checked_add(bytes).filter(|at| *at <= self.end).ok_or(CUT)?;
        Ok(())
    }

    /// Reads one field; of a map or an array only its control bytes.
    fn field(&mut self) -> Result<Field<'_>, Unusable> {
        self.steps = self.steps.checked_sub(1).ok_or(DEEP)?;
        let control = self.byte()?;
        let kind = match control >> 5 {
            0 => self.byte()?.checked_add(7).ok_or(CUT)?,
            kind => kind,
        };
        if kind == 1 {
            let low = u64::from(control & 7);
            let pointer = match control >> 3 & 3 {
                0 => low << 8 | self.number(1)?,
                1 => (low << 16 | self.number(2)?) + 2048,
                2 => (low << 24 | self.number(3)?) + 526_336,
                _ => self.number(4)?,
            };
            return Ok(Field::Pointer(pointer));
        }
        let size = match control & 31 {
            29 => 29 + self.number(1)?,
            30 => 285 + self.number(2)?,
            31 => 65_821 + self.number(3)?,
            size => u64::from(size),
        };
        Ok(match kind {
            7 => Field::Map(size as u32),
            2 => {
                let place = self.at;
                self.skip(size)?;
                let text = &mut self.text[..MAX_TEXT.min(size as usize)];
                self.bytes.read(place, text).ok_or(CUT)?;
                Field::Text(text)
            }
            5 | 6 | 9 if size <= 8 => Field::Number(self.number(size)?),
            // An array: its elements follow.
            11 => {
                for _ in 0..size {
                    self.skip_field()?;
                }
                Field::Other
            }
            3 | 4 | 8 | 10 | 15 => {
                self.skip(size)?;
                Field::Other
            }
            5 | 6 | 9 => return Err("a number of it is too large"),
            14 => Field::Other,
            _ => return Err("a field of it is of an unknown kind"),
        })
    }

    /// Moves the cursor behind the field, with all that is in it.
    fn skip_field(&mut self) -> Result<(), Unusable> {
        if let Field::Map(pairs) = self.field()? {
            for _ in 0..pairs {
                self.skip_field()?;
                self.skip_field()?;
            }
        }
        Ok(())
    }

    /// Follows the pointer at the cursor and returns the offset after it; `None` if there is no pointer. A pointer to a
    /// pointer is invalid.
    fn follow(&mut self) -> Result<Option<u64>, Unusable> {
        let start = self.at;
        let Field::Pointer(pointer) = self.field()? else {
            self.at = start;
            return Ok(None);
        };
        let behind = self.at;
        self.at = self.base.checked_add(pointer).filter(|at| *at < self.end).ok_or(CUT)?;
        Ok(Some(behind))
    }

    /// Moves the cursor to the value of `key` in the map at the cursor (following a pointer), or after the map.
    fn seek(&mut self, key: &[u8]) -> Result<bool, Unusable> {
        let Field::Map(pairs) = self.field()? else { return Err("a record of it is no map") };
        for _ in 0..pairs {
            let behind = self.follow()?;
            let here = match self.field()? {
                Field::Text(text) => text == key,
                Field::Other => false,
                _ => return Err("a key of it is no text"),
            };
            self.at = behind.unwrap_or(self.at);
            if here {
                self.follow()?;
                return Ok(true);
            }
            self.skip_field()?;
        }
        Ok(false)
    }

    /// The number that is the value of `key` in the map at the cursor. `wrong`: the error if it is something else.
    fn number_at(&mut self, key: &[u8], wrong: Unusable) -> Result<Option<u64>, Unusable> {
        if !self.seek(key)? {
            return Ok(None);
        }
        let Field::Number(number) = self.field()? else { return Err(wrong) };
        Ok(Some(number))
    }

    /// The country code that is the value of `key` in the map at the cursor.
    fn code(&mut self, key: &[u8]) -> Result<Option<Country>, Unusable> {
        if !self.seek(key)? {
            return Ok(None);
        }
        match self.field()? {
            Field::Text(&[first, second]) if first.is_ascii_uppercase() && second.is_ascii_uppercase() => {
                Ok(Some(Country([first, second])))
            }
            _ => Err("a country of it is no two letters"),
        }
    }
}

impl Layout {
    /// Reads the metadata.
    pub fn read(bytes: &mut dyn Bytes) -> Result<Layout, Unusable> {
        let length = bytes.length();
        let start = length.saturating_sub(MAX_METADATA);
        let mut tail = vec![0; (length - start) as usize];
        bytes.read(start, &mut tail).ok_or(CUT)?;
        let marker = memchr::memmem::rfind(&tail, MARKER).ok_or("it is no MMDB file, or truncated")?;
        let data_end = start + marker as u64;
        let metadata = data_end + MARKER.len() as u64;
        drop(tail);
        let invalid = "its metadata is invalid";
        let mut number = |key: &[u8]| {
            let text = [0; MAX_TEXT];
            Cursor { bytes, base: metadata, at: metadata, end: length, steps: MAX_STEPS, text }
                .number_at(key, invalid)
        };
        let missing = "its metadata is incomplete";
        if number(b"binary_format_major_version")? != Some(2) {
            return Err("it is of another version than 2");
        }
        let nodes = u32::try_from(number(b"node_count")?.ok_or(missing)?).map_err(|_| missing)?;
        let record = number(b"record_size")?.ok_or(missing)? as u32;
        let family = number(b"ip_version")?.ok_or(missing)? as u8;
        let built = i64::try_from(number(b"build_epoch")?.ok_or(missing)?).map_err(|_| missing)?;
        let checksum = number(b"fwstat_crc32")?.and_then(|sum| u32::try_from(sum).ok());
        if !matches!(record, 24 | 28 | 32) || !matches!(family, 4 | 6) || nodes == 0 {
            return Err(invalid);
        }
        let data = u64::from(nodes) * u64::from(record / 4) + SEPARATOR;
        if data > data_end {
            return Err("it is truncated");
        }
        let mut layout = Layout { nodes, record, family, built, checksum, data, data_end, ipv4: 0 };
        if family == 6 {
            layout.ipv4 = layout.descend(bytes, 0, 96).ok_or(CUT)?;
        }
        Ok(layout)
    }

    /// Bytes of a node.
    fn node_size(&self) -> u64 {
        u64::from(self.record / 4)
    }

    /// The left and right record of a node.
    fn records(&self, node: &[u8]) -> (u32, u32) {
        let number = |bytes: &[u8]| bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte));
        let whole = self.record as usize / 8;
        let (left, right) = (number(&node[..whole]), number(&node[node.len() - whole..]));
        // The middle byte of records of 28 bits has the highest four of both.
        let middle = if self.record == 28 { u32::from(node[whole]) } else { 0 };
        (middle >> 4 << 24 | left, (middle & 15) << 24 | right)
    }

    /// The left or right record of a node. `None` if the file ends before.
    pub(super) fn child(&self, bytes: &mut dyn Bytes, node: u32, right: bool) -> Option<u32> {
        let mut pair = [0; 8];
        let pair = &mut pair[..self.node_size() as usize];
        bytes.read(u64::from(node) * self.node_size(), pair)?;
        let (zero, one) = self.records(pair);
        Some(if right { one } else { zero })
    }

    /// The record that the first `length` bits of an address lead to, or that of an earlier leaf.
    pub(super) fn descend(&self, bytes: &mut dyn Bytes, bits: u128, length: u32) -> Option<u32> {
        let mut record = 0;
        for bit in 0..length {
            if record < self.nodes {
                record = self.child(bytes, record, bits >> (127 - bit) & 1 == 1)?;
            }
        }
        Some(record)
    }

    /// A cursor at this offset of the data section.
    fn cursor<'b>(&self, bytes: &'b mut dyn Bytes, at: u64) -> Cursor<'b> {
        Cursor { bytes, base: self.data, at, end: self.data_end, steps: MAX_STEPS, text: [0; MAX_TEXT] }
    }

    /// The offset in the file that a record names.
    fn data_at(&self, record: u32) -> Result<u64, Unusable> {
        let place = u64::from(record).checked_sub(u64::from(self.nodes) + SEPARATOR);
        let at = place.map(|place| self.data + place).filter(|at| *at < self.data_end);
        at.ok_or("its search tree points outside the file")
    }

    /// The country at the offset that a record names; `None` if the data has none there.
    pub fn country_at(&self, bytes: &mut dyn Bytes, record: u32) -> Result<Option<Country>, Unusable> {
        let at = self.data_at(record)?;
        let mut nested = self.cursor(bytes, at);
        if nested.seek(b"country")? {
            return nested.code(b"iso_code");
        }
        self.cursor(bytes, at).code(b"country_code")
    }

    /// The network at the offset that a record names; `None` if the data has no number there.
    pub fn network_at(&self, bytes: &mut dyn Bytes, record: u32) -> Result<Option<Network>, Unusable> {
        let at = self.data_at(record)?;
        let invalid = "an AS number in it is invalid";
        let number = self.cursor(bytes, at).number_at(b"autonomous_system_number", invalid)?;
        let Some(number) = number else { return Ok(None) };
        let number = u32::try_from(number).map_err(|_| invalid)?;
        let mut cursor = self.cursor(bytes, at);
        let mut name = String::new();
        if cursor.seek(b"autonomous_system_organization")? {
            name = match cursor.field()? {
                Field::Text(text) => name_of(text),
                _ => return Err("a name of an AS in it is no text"),
            };
        }
        Ok(Some(Network { number, name }))
    }

    /// Checks records of the tree and their data: all of them in a country database, and the checksum if there is one.
    pub fn check(&self, bytes: &mut dyn Bytes, content: Content) -> Result<(), Unusable> {
        let chunks = self.nodes.div_ceil(CHUNK);
        let (step, missing) = match content {
            Content::Countries => (1, "it holds no countries"),
            Content::Networks => (chunks.div_ceil(NETWORK_CHUNKS), "it holds no AS numbers"),
        };
        if content == Content::Countries {
            self.check_sum(bytes)?;
        }
        let mut sound: Vec<u32> = Vec::new();
        let mut found = false;
        let size = self.node_size();
        let mut chunk = vec![0; size as usize * CHUNK as usize];
        for node in (0..chunks).step_by(step as usize).map(|chunk| chunk * CHUNK) {
            let some = (self.nodes - node).min(CHUNK);
            let chunk = &mut chunk[..(u64::from(some) * size) as usize];
            bytes.read(u64::from(node) * size, chunk).ok_or(CUT)?;
            for pair in chunk.chunks_exact(size as usize) {
                let (zero, one) = self.records(pair);
                for record in [zero, one].into_iter().filter(|record| *record > self.nodes) {
                    let Err(place) = sound.binary_search(&record) else { continue };
                    found |= match content {
                        Content::Countries => self.country_at(bytes, record)?.is_some(),
                        Content::Networks => self.network_at(bytes, record)?.is_some(),
                    };
                    if sound.len() < MAX_PLACES {
                        sound.insert(place, record);
                    }
                }
            }
        }
        if found { Ok(()) } else { Err(missing) }
    }

    /// Compares the file's checksum, if it has one.
    fn check_sum(&self, bytes: &mut dyn Bytes) -> Result<(), Unusable> {
        let Some(expected) = self.checksum else { return Ok(()) };
        let mut crc = Crc::new();
        let mut chunk = [0; 4096];
        for at in (0..self.data_end).step_by(chunk.len()) {
            let some = (self.data_end - at).min(chunk.len() as u64) as usize;
            bytes.read(at, &mut chunk[..some]).ok_or(CUT)?;
            crc.update(&chunk[..some]);
        }
        if crc.sum() == expected { Ok(()) } else { Err("its checksum is wrong: it is damaged") }
    }
}

/// The path in the tree to the last address, so that for sorted addresses only the differing part of each path is read.
#[derive(Default)]
pub struct Walk {
    /// The address's bits, and the nodes before each of them as far as they were followed.
    bits: u128,
    nodes: Vec<u32>,
}

impl Walk {
    /// The record of an address. `None` if the file does not contain the address.
    pub fn record(&mut self, layout: &Layout, bytes: &mut dyn Bytes, address: Address) -> Option<u32> {
        let (bits, length, start) = match address.as_v4() {
            Some(v4) => (u128::from(v4) << 96, 32, layout.ipv4),
            None if layout.family == 6 => (u128::from_be_bytes(address.to_bytes()), 128, 0),
            None => return None,
        };
        if self.nodes.first() != Some(&start) {
            self.nodes = vec![start];
        }
        let shared = (self.bits ^ bits).leading_zeros() as usize;
        self.bits = bits;
        self.nodes.truncate(shared.min(length) + 1);
        let mut record = *self.nodes.last()?;
        while record < layout.nodes {
            let at = self.nodes.len() - 1;
            if at == length {
                return None;
            }
            record = layout.child(bytes, record, bits >> (127 - at) & 1 == 1)?;
            self.nodes.push(record);
        }
        (record > layout.nodes).then_some(record)
    }
}

/// A network's name as text of one line: control characters and those that change the direction of writing are left
/// out. It is untrusted and may contain markup.
fn name_of(text: &[u8]) -> String {
    let is_plain = |letter: &char| {
        !letter.is_control()
            && !matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
                | '\u{feff}' | '\u{fffd}')
    };
    String::from_utf8_lossy(text).chars().filter(is_plain).collect()
}
