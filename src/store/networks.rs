//! Blocked networks and countries <-> bytes, so that they come back after a restart and a reboot.

use super::codec::{Reader, Writer};
use super::container::{self, Kind, Section};
use super::directory::Open;
use super::ledger::Moment;
use crate::event::Address;
use crate::guard::networks::NetworkBlock;
use crate::query::question::Prefix;
use crate::query::target::MAX_NETWORKS;
use crate::query::target::Target;

pub const NETWORKS: &str = "networks.fws";

const VERSION: u64 = 1;
/// Longer reasons are not ours.
const LONGEST_REASON: usize = 1024;
const V4: u8 = 4;
const V6: u8 = 6;
const COUNTRY: u8 = 1;

/// `moment`: when this is, by both clocks.
pub fn encode(moment: &Moment, blocks: &[NetworkBlock]) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.number(VERSION);
    writer.raw(moment.boot.as_bytes());
    writer.number(moment.boot_ms);
    write_instant(&mut writer, moment.wall);
    writer.number(blocks.len() as u64);
    blocks.iter().for_each(|block| write_block(&mut writer, block));
    container::write(0, &[Section::plain(Kind::Networks, writer.bytes)])
}

pub(super) fn write_block(writer: &mut Writer, block: &NetworkBlock) {
    match block.target {
        Target::Network(Prefix { network, length }) => {
            writer.u8(if network.is_v4() { V4 } else { V6 });
            writer.u8(length);
            writer.number(network.high);
            writer.number(network.low);
        }
        Target::Country([first, second]) => {
            [COUNTRY, first, second].into_iter().for_each(|byte| writer.u8(byte));
        }
    }
    writer.number(block.since_ms);
    writer.optional(block.until_ms);
    write_instant(writer, block.since_wall);
    write_instant(writer, block.until_wall);
    writer.raw(block.reason.as_deref().unwrap_or_default().as_bytes());
}

fn write_instant(writer: &mut Writer, wall: Option<i64>) {
    writer.optional(wall.map(|wall| wall.max(0).cast_unsigned()));
}

fn read_instant(reader: &mut Reader<'_>) -> Option<i64> {
    reader.optional().map(|wall| i64::try_from(wall).unwrap_or(i64::MAX))
}

/// The blocks of a file in the moments of now. `None` if it cannot be read.
pub fn from_file(file: &Open, now: &Moment) -> Option<Vec<NetworkBlock>> {
    read(&file.section(Kind::Networks).ok()??, now)
}

/// Reads what stands between the checksums. After a reboot what was left of a block is left still, and less if both
/// clocks tell how long the router was away.
pub fn read(payload: &[u8], now: &Moment) -> Option<Vec<NetworkBlock>> {
    let reader = &mut Reader::new(payload);
    if reader.number() != VERSION {
        return None;
    }
    let boot = String::from_utf8_lossy(reader.raw()).into_owned();
    let saved = Moment { boot, boot_ms: reader.number(), wall: read_instant(reader) };
    let mut blocks = Vec::new();
    for _ in 0..reader.items().min(MAX_NETWORKS) {
        blocks.push(read_block(reader)?);
    }
    if reader.has_failed() {
        return None;
    }
    if saved.boot != now.boot || saved.boot_ms > now.boot_ms {
        blocks.iter_mut().for_each(|block| move_to(block, &saved, now));
    }
    Some(blocks)
}

pub(super) fn read_block(reader: &mut Reader<'_>) -> Option<NetworkBlock> {
    let target = match reader.u8() {
        COUNTRY => {
            let code = [reader.u8(), reader.u8()];
            Target::Country(code.iter().all(u8::is_ascii_uppercase).then_some(code)?)
        }
        family @ (V4 | V6) => {
            let (length, high, low) = (reader.u8(), reader.number(), reader.number());
            let network = Address { high, low };
            let most = if family == V4 { 32 } else { 128 };
            let is_sound = network.is_v4() == (family == V4) && length <= most;
            Target::from_prefix(is_sound.then_some(Prefix { network, length })?)
        }
        _ => return None,
    };
    if target.is_too_short() {
        return None;
    }
    let (since_ms, until_ms) = (reader.number(), reader.optional());
    let (since_wall, until_wall) = (read_instant(reader), read_instant(reader));
    let reason = String::from_utf8_lossy(reader.raw()).into_owned();
    let reason = Some(reason).filter(|reason| (1..=LONGEST_REASON).contains(&reason.len()));
    (!reader.has_failed()).then_some(NetworkBlock {
        target,
        since_ms,
        until_ms,
        since_wall,
        until_wall,
        reason,
    })
}

/// The moments of another boot in those of this one.
fn move_to(block: &mut NetworkBlock, saved: &Moment, now: &Moment) {
    block.since_ms = now.boot_ms.saturating_sub(saved.boot_ms.saturating_sub(block.since_ms));
    let Some(until_ms) = block.until_ms else { return };
    let mut left = until_ms.saturating_sub(saved.boot_ms);
    let by_saved = saved.wall.map(|wall| wall.saturating_add_unsigned(left / 1000));
    // The clock was set then, and may have been corrected since the block began.
    block.until_wall = by_saved.or(block.until_wall);
    if let (Some(until), Some(wall)) = (block.until_wall, now.wall) {
        left = left.min(u64::try_from(until.saturating_sub(wall)).unwrap_or(0).saturating_mul(1000));
    }
    block.until_ms = Some(now.boot_ms.saturating_add(left));
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
