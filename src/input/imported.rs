//! Which contents were read before, so that importing a file twice counts it once.
//!
//! Takes and gives sums of contents, never a name or a time: a renamed or a compressed copy is the
//! same content. Pure and bounded; what [`Imported::encode`] gives is kept with the statistics.
//!
//! A file that begins with a known content has grown since: only the rest is to be read. What can't
//! be recognised is a file that is a shorter beginning of a known content, unless it was imported at just
//! that length: sums can't be taken back to any length, and keeping all lines is no choice.

use super::digest::Digest;

/// At most this many contents are remembered. Outgrown ones go first, then the oldest.
pub const MAX_ENTRIES: usize = 1024;

/// The beginning of a content by which it is looked up.
pub const HEAD: u64 = 4096;

/// A content that was read to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Sum of the first `min(length, HEAD)` bytes.
    pub head: u64,
    /// Bytes of text, unpacked.
    pub length: u64,
    /// Sum of all bytes.
    pub sum: u128,
    /// The last line had no end and gave no event: this many bytes of it are read again when the
    /// file has grown, because the line may be whole by then.
    pub tail: u32,
    /// The last line had no end and was counted as an event, or was too long: the rest of it is
    /// not a line of its own.
    pub inside_line: bool,
    /// A longer content with this beginning was read later.
    pub outgrown: bool,
}

impl Entry {
    fn same_content(&self, other: &Entry) -> bool {
        self.length == other.length && self.sum == other.sum
    }
}

const MAGIC: &[u8; 4] = b"FWIM";
/// Version 1 had other sums of the same contents.
const VERSION: u8 = 2;
const ENTRY_SIZE: usize = 8 + 8 + 16 + 4 + 1;
const HEADER_SIZE: usize = 4 + 1 + 4;

/// Why a list cannot be read, a sentence without its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unreadable {
    /// A newer fwstat wrote it, which still knows what it holds.
    Newer(String),
    /// What it held is lost.
    Lost(String),
}

/// The contents read before, oldest first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Imported {
    pub(super) entries: Vec<Entry>,
}

impl Imported {
    /// The entries with which a content may begin whose first [`HEAD`] bytes (or all, if they are
    /// fewer) are `beginning`; shortest first.
    pub fn candidates(&self, beginning: &[u8]) -> Vec<Entry> {
        let beginning = &beginning[..beginning.len().min(HEAD as usize)];
        let sum = Digest::of(beginning).short_sum();
        let is_begun = |entry: &Entry| match beginning.get(..entry.length.min(HEAD) as usize) {
            Some(head) if head.len() == beginning.len() => sum == entry.head,
            Some(head) => Digest::of(head).short_sum() == entry.head,
            None => false,
        };
        let mut found = self.by_length();
        found.retain(is_begun);
        found
    }

    /// All entries, shortest first.
    pub fn by_length(&self) -> Vec<Entry> {
        let mut entries = self.entries.clone();
        entries.sort_by_key(|entry| entry.length);
        entries
    }

    /// Whether this content was imported before.
    pub fn contains(&self, content: &Entry) -> bool {
        self.entries.iter().any(|known| known.same_content(content))
    }

    /// Remembers a content; `beginning` is the known one that it has grown from.
    pub fn add(&mut self, content: Entry, beginning: Option<&Entry>) {
        if content.length == 0 || self.contains(&content) {
            return;
        }
        if let Some(old) = beginning
            && let Some(known) = self.entries.iter_mut().find(|known| known.same_content(old))
        {
            known.outgrown = true;
        }
        if self.entries.len() >= MAX_ENTRIES {
            let goes = self.entries.iter().position(|entry| entry.outgrown).unwrap_or(0);
            self.entries.remove(goes);
        }
        self.entries.push(content);
    }

    /// Adds the contents of another list.
    pub fn add_all(&mut self, other: Imported) {
        other.entries.into_iter().for_each(|content| self.add(content, None));
    }

    /// Big-endian: `FWIM`, version, number of entries (u32), then each entry: head (u64), length (u64),
    /// sum (u128), tail (u32), flags (u8: 1 inside a line, 2 outgrown).
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_SIZE + self.entries.len() * ENTRY_SIZE);
        bytes.extend_from_slice(MAGIC);
        bytes.push(VERSION);
        bytes.extend_from_slice(&(self.entries.len() as u32).to_be_bytes());
        for entry in &self.entries {
            bytes.extend_from_slice(&entry.head.to_be_bytes());
            bytes.extend_from_slice(&entry.length.to_be_bytes());
            bytes.extend_from_slice(&entry.sum.to_be_bytes());
            bytes.extend_from_slice(&entry.tail.to_be_bytes());
            bytes.push(u8::from(entry.inside_line) | u8::from(entry.outgrown) << 1);
        }
        bytes
    }

    /// Reads [`Imported::encode`]'s bytes.
    pub fn decode(bytes: &[u8]) -> Result<Imported, Unreadable> {
        let damaged =
            |what: &str| Err(Unreadable::Lost(format!("the list of imported files is damaged ({what})")));
        let Some((header, body)) = bytes.split_first_chunk::<HEADER_SIZE>() else {
            return damaged("shorter than its header");
        };
        let [m0, m1, m2, m3, version, count @ ..] = *header;
        if [m0, m1, m2, m3] != *MAGIC {
            return damaged("no such magic");
        }
        if version != VERSION {
            let why =
                format!("the list of imported files has version {version}: this fwstat reads {VERSION}");
            return Err(if version > VERSION { Unreadable::Newer(why) } else { Unreadable::Lost(why) });
        }
        let count = u32::from_be_bytes(count);
        if count > MAX_ENTRIES as u32 || body.len() != count as usize * ENTRY_SIZE {
            return damaged("wrong length");
        }
        let mut entries = Vec::with_capacity(count as usize);
        for bytes in body.chunks_exact(ENTRY_SIZE) {
            let Some(entry) = decode_entry(bytes) else { return damaged("impossible entry") };
            entries.push(entry);
        }
        Ok(Imported { entries })
    }
}

fn decode_entry(bytes: &[u8]) -> Option<Entry> {
    let (head, bytes) = bytes.split_first_chunk()?;
    let (length, bytes) = bytes.split_first_chunk()?;
    let (sum, bytes) = bytes.split_first_chunk()?;
    let (tail, bytes) = bytes.split_first_chunk()?;
    let &[flags] = bytes else { return None };
    let entry = Entry {
        head: u64::from_be_bytes(*head),
        length: u64::from_be_bytes(*length),
        sum: u128::from_be_bytes(*sum),
        tail: u32::from_be_bytes(*tail),
        inside_line: flags & 1 != 0,
        outgrown: flags & 2 != 0,
    };
    (flags < 4 && entry.length > 0 && u64::from(entry.tail) <= entry.length).then_some(entry)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(text: &[u8]) -> Entry {
        Entry {
            head: Digest::of(&text[..text.len().min(HEAD as usize)]).short_sum(),
            length: text.len() as u64,
            sum: Digest::of(text).sum(),
            tail: 3,
            inside_line: text.len().is_multiple_of(2),
            outgrown: false,
        }
    }

    #[test]
    fn candidates_share_the_beginning_and_come_shortest_first() {
        let text: Vec<u8> = (0..20_000u32).map(|n| (n % 251) as u8).collect();
        let mut imported = Imported::default();
        for length in [10_000, 100, 4096, 5000] {
            imported.add(entry(&text[..length]), None);
        }
        imported.add(entry(b"something else"), None);
        let lengths = |text: &[u8]| -> Vec<u64> {
            imported.candidates(text).iter().map(|entry| entry.length).collect()
        };
        assert_eq!(lengths(&text), [100, 4096, 5000, 10_000]);
        assert_eq!(lengths(&text[..4095]), [100]);
        assert!(lengths(&text[..99]).is_empty());
        assert!(lengths(b"").is_empty());
    }

    #[test]
    fn a_full_list_forgets_outgrown_contents_first_and_then_the_oldest() {
        let mut imported = Imported::default();
        let named = |number: usize| entry(format!("log number {number}").as_bytes());
        for number in 0..MAX_ENTRIES {
            imported.add(named(number), None);
        }
        imported.add(named(5), None);
        assert_eq!(imported.entries.len(), MAX_ENTRIES);
        assert!(imported.contains(&named(0)));
        imported.add(named(2000), Some(&named(7)));
        assert!(imported.contains(&named(0)) && !imported.contains(&named(7)));
        imported.add(named(2001), None);
        assert!(!imported.contains(&named(0)) && imported.contains(&named(1)));
        assert_eq!(imported.entries.len(), MAX_ENTRIES);
        assert_eq!(Imported::decode(&imported.encode()).as_ref(), Ok(&imported));
    }

    #[test]
    fn a_newer_version_is_refused_by_name() {
        let mut bytes = Imported::default().encode();
        bytes[4] = 9;
        assert!(matches!(Imported::decode(&bytes), Err(Unreadable::Newer(why)) if why.contains("version 9")));
    }

    proptest! {
        #[test]
        fn any_bytes_decode_or_are_refused(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            count in 0u32..6,
        ) {
            let _ = Imported::decode(&bytes);
            let whole = [&b"FWIM\x01"[..], &count.to_be_bytes(), &bytes].concat();
            if let Ok(imported) = Imported::decode(&whole) {
                prop_assert_eq!(imported.encode(), whole);
            }
        }
    }
}
