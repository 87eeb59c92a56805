//! Blocked networks and countries <-> bytes, to restore them after a restart or a reboot.

use super::codec::{Codec, Content};
use super::container::{self, Kind, Open, Section};
use super::ledger::{Moment, instant};
use crate::event::Address;
use crate::guard::networks::NetworkBlock;
use crate::query::question::Prefix;
use crate::query::target::MAX_NETWORKS;
use crate::query::target::Target;

/// The file of blocked networks and countries.
pub const NETWORKS: &str = "networks.fws";

const VERSION: u64 = 1;
/// The longest reason in bytes; a longer one is invalid.
const LONGEST_REASON: usize = 1024;
const V4: u8 = 4;
const V6: u8 = 6;
const COUNTRY: u8 = 1;

/// An empty block, which a reader fills.
pub(super) fn no_block() -> NetworkBlock {
    let target = Target::Country([0, 0]);
    NetworkBlock { target, since_ms: 0, until_ms: None, since_wall: None, until_wall: None, reason: None }
}

fn code(codec: &mut Codec<'_>, saved: &mut Moment, blocks: &mut Vec<NetworkBlock>) {
    let mut version = VERSION;
    codec.number(&mut version);
    codec.failed |= version != VERSION;
    saved.code(codec);
    codec.rows(blocks, no_block(), block);
}

/// Reads or writes a block of a network or country.
pub(super) fn block(codec: &mut Codec<'_>, block: &mut NetworkBlock) {
    target(codec, &mut block.target);
    codec.number(&mut block.since_ms);
    codec.optional(&mut block.until_ms);
    instant(codec, &mut block.since_wall);
    instant(codec, &mut block.until_wall);
    let mut reason = block.reason.take().unwrap_or_default();
    codec.text(&mut reason);
    block.reason = Some(reason).filter(|reason| (1..=LONGEST_REASON).contains(&reason.len()));
}

fn target(codec: &mut Codec<'_>, target: &mut Target) {
    let (mut kind, mut country, mut prefix) = match *target {
        Target::Country(code) => (COUNTRY, code, Prefix { network: Address::v4(0), length: 0 }),
        Target::Network(prefix) => (if prefix.network.is_v4() { V4 } else { V6 }, [0, 0], prefix),
    };
    codec.u8(&mut kind);
    if kind == COUNTRY {
        country.iter_mut().for_each(|letter| codec.u8(letter));
        *target = Target::Country(country);
        codec.failed |= !country.iter().all(u8::is_ascii_uppercase);
        return;
    }
    let Prefix { network, length } = &mut prefix;
    codec.u8(length);
    codec.number(&mut network.high);
    codec.number(&mut network.low);
    let most = if kind == V4 { 32 } else { 128 };
    if [V4, V6].contains(&kind) && network.is_v4() == (kind == V4) && *length <= most {
        *target = Target::from_prefix(prefix);
    }
    // Also rejects a text that is not a country code, which leaves the target unchanged.
    codec.failed |= target.is_too_short() || matches!(target, Target::Country(_));
}

/// The bytes of the file. `moment`: the time of saving.
pub fn encode(moment: &Moment, blocks: &[NetworkBlock]) -> Vec<u8> {
    let content = Content::of(|codec| code(codec, &mut moment.clone(), &mut blocks.to_vec()));
    container::write(0, vec![Section::plain(Kind::Networks, content)])
}

/// The blocks of a file, with times of the boot clock of `now`. `None` if it is damaged.
pub fn from_file(file: &Open, now: &Moment) -> Option<Vec<NetworkBlock>> {
    read(&file.section(Kind::Networks).ok()??, now)
}

/// Reads the payload of the file, whose checksums were verified. See [`Moment::end`] for the end of a block after a
/// reboot.
pub fn read(payload: &[u8], now: &Moment) -> Option<Vec<NetworkBlock>> {
    let (mut reader, mut saved, mut blocks) = (Codec::reader(payload), Moment::default(), Vec::new());
    code(&mut reader, &mut saved, &mut blocks);
    if reader.failed {
        return None;
    }
    blocks.truncate(MAX_NETWORKS);
    for block in blocks.iter_mut().filter(|_| !saved.holds(now)) {
        block.since_ms = saved.past(now, block.since_ms);
        block.until_ms = block.until_ms.map(|until_ms| saved.end(now, until_ms, &mut block.until_wall));
    }
    Some(blocks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WALL: i64 = 1_790_000_000;

    fn blocks() -> Vec<NetworkBlock> {
        let block = |text: &str, until_ms: Option<u64>| NetworkBlock {
            target: Target::parse(text).unwrap(),
            since_ms: 500_000,
            until_ms,
            since_wall: Some(WALL - 500),
            until_wall: None,
            reason: (text == "CN").then(|| "é, because".into()),
        };
        vec![
            block("198.51.100.0/24", Some(4_600_000)),
            block("2001:db8::/32", None),
            block("CN", None),
            block("203.0.113.7", Some(1_000_500)),
        ]
    }

    fn moment(boot: &str, boot_ms: u64, wall: Option<i64>) -> Moment {
        Moment { boot: boot.into(), boot_ms, wall }
    }

    fn payload(moment: &Moment) -> Vec<u8> {
        let file = Open::from_bytes(encode(moment, &blocks())).unwrap();
        file.section(Kind::Networks).unwrap().unwrap()
    }

    #[test]
    fn within_a_boot_they_come_back_as_they_were() {
        let payload = payload(&moment("a", 1_000_000, Some(WALL)));
        assert_eq!(read(&payload, &moment("a", 1_200_000, None)), Some(blocks()));
    }

    #[test]
    fn after_a_reboot_what_was_left_is_left_and_less_if_the_clock_tells() {
        let payload = payload(&moment("a", 1_000_000, Some(WALL)));
        let until = |now: &Moment| {
            let blocks = read(&payload, now).unwrap();
            blocks.iter().map(|block| block.until_ms).collect::<Vec<_>>()
        };
        assert_eq!(until(&moment("b", 5_000, None)), [Some(3_605_000), None, None, Some(5_500)]);
        assert_eq!(until(&moment("b", 5_000, Some(WALL + 3000))), [Some(605_000), None, None, Some(5_000)]);
        assert_eq!(until(&moment("b", 5_000, Some(WALL - 9000))), [Some(3_605_000), None, None, Some(5_500)]);
    }

    #[test]
    fn what_nobody_can_block_is_not_read() {
        let all = NetworkBlock { target: Target::parse("0.0.0.0/0").unwrap(), ..blocks().remove(0) };
        let file = Open::from_bytes(encode(&moment("a", 1_000_000, None), &[all])).unwrap();
        assert_eq!(from_file(&file, &moment("a", 1_000_000, None)), None);
    }

    #[test]
    fn a_clock_that_was_corrected_since_a_block_began_ends_no_block_too_early() {
        let mut block = blocks().remove(0);
        // Then the clock was 20 hours behind.
        block.until_wall = Some(WALL + 3600 - 72_000);
        let file = Open::from_bytes(encode(&moment("a", 1_000_000, Some(WALL)), &[block])).unwrap();
        let payload = file.section(Kind::Networks).unwrap().unwrap();
        let read = read(&payload, &moment("b", 5_000, Some(WALL + 600))).unwrap();
        assert_eq!((read[0].until_ms, read[0].until_wall), (Some(3_005_000), Some(WALL + 3600)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80), at in 0usize..200, value: u8) {
            let now = moment("b", 7, Some(WALL));
            let _ = read(&bytes, &now);
            let mut whole = payload(&moment("a", 1_000_000, None));
            let at = at % whole.len();
            whole[at] = value;
            for block in read(&whole, &now).unwrap_or_default() {
                let _ = block.target.to_string();
            }
        }
    }
}
