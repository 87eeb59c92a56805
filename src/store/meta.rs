//! `store.fws`: the store's metadata; `later.fws`: events dated in the future.

use super::codec::{Codec, Content};
use super::container::{self, Kind, Open, Section};

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
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Deletion {
    /// Seconds since 1970.
    pub when: i64,
    pub what: String,
    pub because: String,
}

impl Deletion {
    fn code(&mut self, codec: &mut Codec<'_>) {
        codec.signed(&mut self.when);
        codec.text(&mut self.what);
        codec.text(&mut self.because);
        codec.failed |= self.what.len().max(self.because.len()) > LONGEST;
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
        let (mut deletions, mut united) = (self.deletions.clone(), self.united.clone());
        let deletions = Content::of(|codec| code_deletions(codec, &mut deletions));
        let united = Content::of(|codec| code_united(codec, &mut united));
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
        let mut section = |kind| {
            let read = file.section(kind);
            whole &= read.is_ok();
            read.ok().flatten().unwrap_or_default()
        };
        let zone = String::from_utf8(section(Kind::Zone)).unwrap_or_default();
        let mut meta = Meta {
            imported: section(Kind::Imported),
            seen: section(Kind::Seen),
            zone: (!zone.is_empty()).then_some(zone),
            ..Meta::default()
        };
        let (deletions, united) = (section(Kind::Deletions), section(Kind::United));
        let mut codec = Codec::reader(&deletions);
        code_deletions(&mut codec, &mut meta.deletions);
        whole &= !codec.failed;
        let mut codec = Codec::reader(&united);
        code_united(&mut codec, &mut meta.united);
        whole &= !codec.failed;
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

fn code_deletions(codec: &mut Codec<'_>, deletions: &mut Vec<Deletion>) {
    codec.rest(deletions, MAX_DELETIONS, |codec, deletion| deletion.code(codec));
}

fn code_united(codec: &mut Codec<'_>, united: &mut Vec<u64>) {
    codec.rest(united, MAX_UNITED, Codec::number);
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
