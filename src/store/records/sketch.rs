//! Numbers of different sources, and the sketches that they come from.

use crate::stats::distinct::{
    FINE_REGISTERS, FOLDED_REGISTERS, MOST_EXACT, REGISTERS, SERVICE_REGISTERS, Sketch,
};
use crate::stats::kept::Unique;

use super::super::codec::{BitReader, BitWriter, Column, Malformed, Reader, Writer};

/// 0: unknown; otherwise 1 more than twice the number, or 2 more if that is an estimate.
pub fn write_unique(writer: &mut Writer, unique: Unique) {
    writer.wide(match unique {
        Unique::Unknown => 0,
        Unique::Exactly(number) => 1 + 2 * u128::from(number),
        Unique::About(number) => 2 + 2 * u128::from(number),
    });
}

pub fn read_unique(reader: &mut Reader) -> Result<Unique, Malformed> {
    let Some(more) = reader.wide()?.checked_sub(1) else { return Ok(Unique::Unknown) };
    let number = u64::try_from(more / 2).map_err(|_| Malformed("a number is too large"))?;
    Ok(if more.is_multiple_of(2) { Unique::Exactly(number) } else { Unique::About(number) })
}

pub fn write_sketch(writer: &mut Writer, sketch: Option<&Sketch>) {
    writer.column(Column::Marks);
    match sketch {
        None => writer.u8(0),
        Some(sketch) if sketch.short_hashes().is_some() => {
            writer.u8(6);
            writer.column(Column::ShortHashes);
            let numbers: Vec<u32> = sketch.short_hashes().into_iter().flatten().collect();
            write_hashes(writer, &numbers);
        }
        Some(Sketch::Exact(hashes)) => {
            writer.u8(1);
            writer.column(Column::Hashes);
            write_hashes(writer, hashes);
        }
        Some(Sketch::Registers(registers)) => {
            let (mark, column) = match registers.len() {
                SERVICE_REGISTERS => (5, Column::ServiceRanks),
                FINE_REGISTERS => (4, Column::FineRanks),
                FOLDED_REGISTERS => (3, Column::Ranks),
                _ if writer.is_scratch() => (7, Column::Ranks),
                _ => (2, Column::Ranks),
            };
            writer.u8(mark);
            writer.column(column);
            // What is kept for years is worth the time of the smallest form.
            if mark > 2 {
                writer.ranks(registers);
            } else {
                let bits = write_registers(registers);
                writer.number(bits.len() as u64);
                writer.raw(&bits);
            }
        }
    }
}

fn write_hashes(writer: &mut Writer, hashes: &[u32]) {
    writer.number(hashes.len() as u64);
    let mut before = 0;
    for hash in hashes {
        writer.number(u64::from(hash - before));
        before = *hash;
    }
}

/// Ranks are geometrically distributed, for which unary and Rice codes are near the best there is
/// (Rice: "Some practical universal noiseless coding techniques", 1979).
///
/// With few registers set: 1, the gaps' Rice parameter in 4 bits, the number of set registers in
/// 14 bits, then for each the gap to the one before (Rice) and its rank - 1 (unary). With many: 0,
/// the least rank in 5 bits, then each rank's distance from it (unary).
fn write_registers(registers: &[u8]) -> Vec<u8> {
    let mut bits = BitWriter::new();
    let set = registers.iter().filter(|rank| **rank > 0).count();
    if set > 0 && set < registers.len() / 4 {
        let parameter = (registers.len() / set).ilog2();
        bits.put(1, 1);
        bits.put(parameter, 4);
        bits.put(set as u32, 14);
        let mut gap = 0u32;
        for rank in registers {
            if *rank == 0 {
                gap += 1;
                continue;
            }
            bits.unary(gap >> parameter);
            bits.put(gap & ((1 << parameter) - 1), parameter);
            bits.unary(u32::from(*rank) - 1);
            gap = 0;
        }
    } else {
        let least = registers.iter().copied().min().unwrap_or(0);
        bits.put(0, 1);
        bits.put(u32::from(least), 5);
        let (fours, rest) = registers.as_chunks::<4>();
        fours.iter().for_each(|four| bits.four_unary(four.map(|rank| u32::from(rank - least))));
        rest.iter().for_each(|rank| bits.unary(u32::from(rank - least)));
    }
    bits.finish()
}

fn read_registers(bytes: &[u8], count: usize) -> Result<Vec<u8>, Malformed> {
    let wrong = Malformed("impossible sketch of different sources");
    let mut bits = BitReader::new(bytes);
    let mut registers = vec![0u8; count];
    if bits.take(1)? == 1 {
        let parameter = bits.take(4)?;
        let mut place = 0usize;
        for _ in 0..bits.take(14)? {
            let gap = u64::from(bits.unary()?) << parameter | u64::from(bits.take(parameter)?);
            place = usize::try_from(gap).ok().and_then(|gap| place.checked_add(gap)).ok_or(wrong)?;
            *registers.get_mut(place).ok_or(wrong)? = u8::try_from(bits.unary()? + 1).map_err(|_| wrong)?;
            place += 1;
        }
    } else {
        let least = bits.take(5)?;
        for rank in &mut registers {
            *rank = u8::try_from(bits.unary()? + least).map_err(|_| wrong)?;
        }
    }
    Ok(registers)
}

pub fn read_sketch(reader: &mut Reader) -> Result<Option<Sketch>, Malformed> {
    let wrong = Malformed("impossible sketch of different sources");
    reader.column(Column::Marks);
    match reader.u8()? {
        0 => Ok(None),
        kind @ (1 | 6) => {
            reader.column(if kind == 1 { Column::Hashes } else { Column::ShortHashes });
            let count = reader.rows(1)?;
            if count > MOST_EXACT {
                return Err(wrong);
            }
            let mut hashes = Vec::with_capacity(count);
            let mut hash = 0u32;
            for number in 0..count {
                let delta = reader.small()?;
                hash = hash.checked_add(delta).filter(|_| number == 0 || delta > 0).ok_or(wrong)?;
                hashes.push(hash);
            }
            match kind {
                1 => Ok(Some(Sketch::Exact(hashes))),
                _ => Sketch::from_short_hashes(hashes).map(Some).ok_or(wrong),
            }
        }
        kind @ (2..=5 | 7) => {
            let (number, column) = match kind {
                2 | 7 => (REGISTERS, Column::Ranks),
                3 => (FOLDED_REGISTERS, Column::Ranks),
                4 => (FINE_REGISTERS, Column::FineRanks),
                _ => (SERVICE_REGISTERS, Column::ServiceRanks),
            };
            reader.column(column);
            let mut registers = vec![0; number];
            if kind > 2 {
                reader.ranks(&mut registers)?;
            } else {
                let length = reader.rows(1)?;
                registers = read_registers(&reader.raw(length)?, registers.len())?;
            }
            Sketch::from_registers(registers).map(Some).ok_or(wrong)
        }
        _ => Err(wrong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Every form, and what is left of its bytes: another sketch or an error, never a panic.
        #[test]
        fn sketches_come_back(
            hashes in proptest::collection::vec(any::<u32>(), 0..700), form in 0u8..4, cut in any::<prop::sample::Index>()
        ) {
            let mut sketch = Sketch::new();
            hashes.iter().for_each(|hash| sketch.add_hash(*hash));
            match form {
                0 => {}
                1 => sketch.store(FOLDED_REGISTERS, 0),
                2 => sketch.store(FINE_REGISTERS, 0),
                _ => sketch.store_small(),
            }
            let writers = [(Writer::scratch(vec![7; 9]), false), (Writer::plain(), false), (Writer::packed(), true)];
            for (mut writer, packed) in writers {
                write_sketch(&mut writer, Some(&sketch));
                let bytes = writer.finish().bytes;
                let open = |bytes| if packed { Reader::packed(bytes) } else { Reader::plain(bytes) };
                let mut reader = open(&bytes);
                prop_assert_eq!(read_sketch(&mut reader), Ok(Some(sketch.clone())));
                prop_assert!(reader.is_at_end());
                let mut bad = bytes.clone();
                let place = cut.index(bad.len());
                bad[place] ^= 0x55;
                let _ = read_sketch(&mut open(&bad));
                prop_assert!(packed || read_sketch(&mut open(&bytes[..place])).is_err());
            }
        }
    }
}
