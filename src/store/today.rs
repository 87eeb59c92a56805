//! The open day on flash and in RAM.
//!
//! Flash has it in pieces, `today-2026-11-22-003.fws`: each holds what came since the piece before, so that
//! an hour writes an hour's events and not the whole day. A piece can also be whole: it then takes the place
//! of all others. The copy in tmpfs is one file that holds the day whole.
//!
//! Every piece and copy has a serial number, higher than all before: the one with the highest knows most.

use crate::calendar::Date;
use crate::query::history::Retention;
use crate::stats::day::{Day, KeptDay};

use super::aside::Aside;
use super::codec::{Malformed, Reader, Writer};
use super::format::{self, Block, Kind, Payload};
use super::history::{AddedDay, Origin, Store, StoreError};
use super::records::{self, Form};
use super::shelf::{Change, Shelf};

/// With so many pieces the next one is whole.
const MOST_PIECES: usize = 48;
/// 1 had no `written`.
const VERSION: u64 = 2;

/// Where the counting stands.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct State {
    pub serial: u64,
    /// The kernel's boot id: logd's entries are numbered anew after a boot.
    pub boot: String,
    /// The last entry of logd that was counted: its id and time.
    pub mark: Option<(u32, i64)>,
    /// The open day.
    pub date: Option<Date>,
    /// Packets that the inputs lost on it.
    pub lost: u64,
    /// Flash holds everything that this knows.
    pub on_flash: bool,
    /// Bytes that were written to flash on `date` before.
    pub written: u64,
}

impl State {
    fn encode(&self) -> Payload {
        let mut writer = Writer::plain();
        writer.number(VERSION);
        writer.number(self.serial);
        writer.number(self.boot.len() as u64);
        writer.raw(self.boot.as_bytes());
        let (id, time) = self.mark.unwrap_or_default();
        writer.u8(u8::from(self.mark.is_some()));
        writer.number(id.into());
        writer.number(time.cast_unsigned());
        writer.u8(u8::from(self.date.is_some()));
        writer.number(self.date.map_or(0, |date| u64::from(date.0.cast_unsigned())));
        writer.number(self.lost);
        writer.u8(u8::from(self.on_flash));
        writer.number(self.written);
        writer.finish()
    }

    fn decode(bytes: &[u8]) -> Result<State, Malformed> {
        let mut reader = Reader::plain(bytes);
        let version = reader.number()?;
        if !(1..=VERSION).contains(&version) {
            return Err(Malformed("another version's state"));
        }
        let serial = reader.number()?;
        let length = reader.rows(1)?;
        let boot = String::from_utf8_lossy(&reader.raw(length)?).into_owned();
        let has_mark = reader.u8()? == 1;
        let (id, time) = (reader.small()?, reader.number()?.cast_signed());
        let has_date = reader.u8()? == 1;
        let date = Date(reader.small()?.cast_signed());
        Ok(State {
            serial,
            boot,
            mark: has_mark.then_some((id, time)),
            date: has_date.then_some(date),
            lost: reader.number()?,
            on_flash: reader.u8()? == 1,
            written: if version == 1 { 0 } else { reader.number()? },
        })
    }
}

/// What was found of an earlier run.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Saved {
    /// Days that are over and not yet among the store's.
    pub closed: Vec<KeptDay>,
    /// Parts of the open day: their sum is the day.
    pub open: Vec<KeptDay>,
    /// What waited for the wall clock.
    pub aside: Aside,
    pub state: State,
}

/// One file with days, the open one last, and the state.
pub fn encode(closed: &[KeptDay], open: Option<&KeptDay>, state: &State) -> Vec<u8> {
    let block = |day: &KeptDay| Block {
        kind: Kind::Day,
        key: day.date.0,
        payload: records::write_day(day, Form::Packed),
    };
    let mut blocks = vec![Block { kind: Kind::State, key: 0, payload: state.encode() }];
    blocks.extend(closed.iter().chain(open).map(block));
    format::write(&blocks)
}

/// As [`encode`], of the open tables, with the rows of one table at a time in memory.
pub fn copy(closed: &[KeptDay], open: Option<&Day>, aside: &Aside, state: &State) -> Vec<u8> {
    let mut blocks = vec![Block { kind: Kind::State, key: 0, payload: state.encode() }];
    if !aside.is_empty() {
        blocks.push(Block { kind: Kind::Aside, key: 0, payload: aside.encode() });
    }
    let closed = closed.iter().map(|day| (day.date, records::write_day(day, Form::Deflated)));
    let open = open.iter().map(|day| (day.date, records::write_whole_day(day, Form::Deflated)));
    blocks.extend(closed.chain(open).map(|(date, payload)| Block { kind: Kind::Day, key: date.0, payload }));
    format::write(&blocks)
}

/// `None` if nothing of it can be used.
pub fn decode(bytes: &[u8]) -> Option<Saved> {
    from_blocks(format::read(bytes).ok()?.blocks)
}

fn from_blocks(blocks: Vec<Block>) -> Option<Saved> {
    let state = blocks.iter().find(|block| block.kind == Kind::State)?;
    let mut saved = Saved { state: State::decode(&state.payload.bytes).ok()?, ..Saved::default() };
    if let Some(aside) = blocks.iter().find(|block| block.kind == Kind::Aside) {
        saved.aside = Aside::decode(&aside.payload.bytes).unwrap_or_default();
    }
    for block in blocks.iter().filter(|block| block.kind == Kind::Day) {
        let date = Date(block.key);
        let Ok(day) = records::read_day(date, &block.payload) else { continue };
        if Some(date) == saved.state.date { saved.open.push(day) } else { saved.closed.push(day) }
    }
    Some(saved)
}

/// What is committed of the open day.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Portion {
    /// What came since the last commit.
    Since(KeptDay),
    /// All of it.
    Whole(KeptDay),
    /// There is none.
    Nothing,
}

/// The store and the pieces of the open day beside it.
pub struct Keeper {
    pub store: Store,
    pieces: Vec<String>,
    next: u32,
}

impl Keeper {
    /// Opens the store, and gives what the pieces hold of the open day.
    pub fn open(
        shelf: impl Shelf + 'static,
        retention: Retention,
        writable: bool,
    ) -> Result<(Keeper, Option<Saved>), StoreError> {
        Keeper::of(Store::open(shelf, retention, writable)?)
    }

    fn of(store: Store) -> Result<(Keeper, Option<Saved>), StoreError> {
        let mut keeper = Keeper { store, pieces: Vec::new(), next: 0 };
        let names = keeper.store.shelf().names().unwrap_or_default();
        keeper.pieces = names.into_iter().filter(|name| number_of(name).is_some()).collect();
        keeper.next = keeper.pieces.iter().filter_map(|name| number_of(name)).max().map_or(0, |n| n + 1);
        let mut saved: Option<Saved> = None;
        for name in keeper.pieces.clone() {
            let Some(piece) = from_blocks(keeper.store.blocks(&name)?) else { continue };
            let sum = saved.get_or_insert_default();
            if piece.state.serial >= sum.state.serial {
                sum.state = piece.state;
            }
            sum.open.extend(piece.open);
            sum.closed.extend(piece.closed);
        }
        if let Some(saved) = &mut saved {
            // A day that ended without us.
            let (open, closed) =
                saved.open.drain(..).partition(|day: &KeptDay| Some(day.date) == saved.state.date);
            saved.open = open;
            saved.closed.extend::<Vec<KeptDay>>(closed);
            saved.state.on_flash = true;
        }
        Ok((keeper, saved))
    }

    /// Whether the next piece should be whole, so that there are not too many of them.
    pub fn wants_whole(&self) -> bool {
        self.pieces.len() >= MOST_PIECES
    }

    /// Writes a file that is none of the statistics.
    pub fn put(&mut self, name: &str, bytes: Vec<u8>) -> Result<(), StoreError> {
        self.store.change(vec![(name.to_string(), Some(bytes))])
    }

    /// The blocks of such a file; none if there is none.
    pub fn get(&mut self, name: &str) -> Result<Vec<Block>, StoreError> {
        self.store.blocks(name)
    }

    /// Bytes written since the start.
    pub fn written(&self) -> u64 {
        self.store.written()
    }

    /// Bytes that the store takes.
    pub fn bytes(&self) -> u64 {
        let shelf = self.store.shelf();
        let length = |name: &String| shelf.read(name).ok().flatten().map_or(0, |bytes| bytes.len() as u64);
        shelf.names().unwrap_or_default().iter().map(length).sum()
    }

    /// Writes days that are over to their months, and the open one's portion: all of it or nothing.
    pub fn commit(
        &mut self,
        closed: &[KeptDay],
        portion: &Portion,
        state: &State,
        zone: &str,
    ) -> Result<(), StoreError> {
        let (day, replaces) = match portion {
            Portion::Since(day) => (Some(day), false),
            Portion::Whole(day) => (Some(day), true),
            Portion::Nothing => (None, false),
        };
        let mut changes: Vec<Change> = Vec::new();
        let mut pieces = self.pieces.clone();
        if replaces || !closed.is_empty() {
            changes.extend(pieces.drain(..).map(|name| (name, None)));
        }
        let date = state.date.map_or_else(|| "none".to_string(), |date| date.to_string());
        let name = format!("today-{date}-{:05}.fws", self.next);
        changes.push((name.clone(), Some(encode(&[], day, &State { on_flash: true, ..state.clone() }))));
        pieces.push(name);
        if closed.is_empty() {
            self.store.change(changes)?;
        } else {
            let mut origin = self.store.origin()?;
            let known = origin.zone.as_deref() == Some(zone);
            origin.zone = Some(zone.to_string());
            let origin: Option<Origin> = (!known).then_some(origin);
            let days = closed.iter().map(|day| Ok(AddedDay { day: day.clone(), whole: None }));
            self.store.add_with(days, origin, changes)?;
        }
        (self.pieces, self.next) = (pieces, self.next.wrapping_add(1));
        Ok(())
    }
}

fn number_of(name: &str) -> Option<u32> {
    let name = name.strip_prefix("today-")?.strip_suffix(".fws")?;
    name.rsplit_once('-')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_state_comes_back() {
        let state = State {
            serial: 7,
            boot: "b".into(),
            mark: Some((u32::MAX, -1)),
            date: Some(Date(20_000)),
            lost: 3,
            on_flash: true,
            written: 70_000,
        };
        for state in [state, State::default()] {
            assert_eq!(State::decode(&state.encode().bytes), Ok(state.clone()));
            assert_eq!(decode(&encode(&[], None, &state)).unwrap().state, state);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = State::decode(&bytes);
            decode(&bytes);
        }
    }
}
