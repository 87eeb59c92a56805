//! `store.fws`: the store's metadata; `later.fws`: events dated in the future.

use crate::stats::deferred::Deferred;

use super::codec::{Codec, Content, Reader};
use super::container::{self, Kind, Section};
use super::deferred;
use super::directory::Open;

/// The file of the store's metadata.
pub(super) const META: &str = "store.fws";
/// The file of events dated in the future.
pub(super) const LATER: &str = "later.fws";

/// Most deletions in the list.
const MAX_DELETIONS: usize = 20;
/// Most salts in the list.
const MAX_UNITED: usize = 64;
/// Longest text of a deletion in bytes.
const LONGEST: usize = 200;

/// A deletion, and its reason.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Deletion {
    /// Seconds since 1970.
    pub when: i64,
    pub what: String,
    pub because: String,
}

impl Deletion {
    fn code(&mut self, codec: &mut impl Codec) {
        codec.signed(&mut self.when);
        codec.text(&mut self.what);
        codec.text(&mut self.because);
    }
}

/// The store's metadata, in [`META`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Meta {
    /// The contents that were imported, as [`crate::input::imported::Imported::encode`] writes them; empty if none was.
    pub imported: Vec<u8>,
    /// The kernel messages that were counted last, as [`crate::input::seen::SeenMessages::to_bytes`] writes them.
    pub seen: Vec<u8>,
    /// The time zone that the days are counted in.
    pub zone: Option<String>,
    /// Oldest first.
    pub deletions: Vec<Deletion>,
    /// The salts of other stores whose days were added by restoring a backup.
    pub united: Vec<u64>,
}

impl Meta {
    /// The bytes of the file.
    pub fn encode(&self, salt: u64) -> Vec<u8> {
        let deletions = Content::of(|content| {
            self.deletions.clone().iter_mut().for_each(|deletion| deletion.code(content))
        });
        let united = Content::of(|content| {
            self.united.iter().take(MAX_UNITED).for_each(|salt| content.put(*salt));
        });
        container::write(
            salt,
            vec![
                Section::packed(Kind::Imported, self.imported.clone()),
                Section::packed(Kind::Seen, self.seen.clone()),
                Section::plain(Kind::Zone, self.zone.clone().unwrap_or_default().into_bytes()),
                Section::packed(Kind::Deletions, deletions),
                Section::plain(Kind::United, united),
            ],
        )
    }

    /// The readable part, and whether it is everything.
    pub fn decode(file: &Open) -> (Meta, bool) {
        let mut whole = true;
        let mut section = |kind| match file.section(kind) {
            Ok(bytes) => bytes.unwrap_or_default(),
            Err(_) => {
                whole = false;
                Vec::new()
            }
        };
        let (imported, seen) = (section(Kind::Imported), section(Kind::Seen));
        let zone = String::from_utf8(section(Kind::Zone)).unwrap_or_default();
        let deletions = section(Kind::Deletions);
        let united = section(Kind::United);
        let zone = (!zone.is_empty()).then_some(zone);
        let mut meta = Meta { imported, seen, zone, ..Meta::default() };
        let mut reader = Reader::new(&united);
        while !reader.is_empty() && !reader.has_failed() && meta.united.len() < MAX_UNITED {
            let mut salt = 0;
            reader.number(&mut salt);
            meta.united.push(salt);
        }
        whole &= !reader.has_failed();
        let mut reader = Reader::new(&deletions);
        while !reader.is_empty() && meta.deletions.len() < MAX_DELETIONS {
            let mut deletion = Deletion { when: 0, what: String::new(), because: String::new() };
            deletion.code(&mut reader);
            if reader.has_failed() || deletion.what.len().max(deletion.because.len()) > LONGEST {
                whole = false;
                break;
            }
            meta.deletions.push(deletion);
        }
        (meta, whole)
    }

    /// Adds a deletion; the oldest is dropped.
    pub fn note(&mut self, deletion: Deletion) {
        if self.deletions.len() == MAX_DELETIONS {
            self.deletions.remove(0);
        }
        self.deletions.push(deletion);
    }
}

/// The bytes of [`LATER`].
pub(super) fn encode_later(salt: u64, later: &Deferred) -> Vec<u8> {
    container::write(salt, vec![Section::packed(Kind::Deferred, deferred::encode(later))])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_comes_back() {
        let mut meta = Meta {
            imported: vec![7; 500],
            seen: vec![1; 9],
            zone: Some("JST-9".into()),
            deletions: Vec::new(),
            united: vec![u64::MAX, 3],
        };
        for when in 0..30 {
            meta.note(Deletion { when, what: "2016-10".into(), because: "120 newer months".into() });
        }
        assert_eq!((meta.deletions.len(), meta.deletions[0].when), (MAX_DELETIONS, 10));
        let file = Open::from_bytes(meta.encode(1)).unwrap();
        assert_eq!(Meta::decode(&file), (meta, true));
    }
}
