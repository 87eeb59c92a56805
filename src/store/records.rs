//! Summaries of days and months <-> bytes. Rows are written sorted by key, column after column,
//! so that deltas are small and alike bytes stand together.

use std::rc::Rc;

use crate::calendar::{Date, Month};
use crate::event::{Address, Class, Service, Verdict};
use crate::statistics::day::{Day, KeptDay};
use crate::statistics::distinct::{MOST_EXACT, REGISTERS, Sketch};
use crate::statistics::kept::{Hours, Kept, KeptPair, KeptService, KeptSource, Unique};
use crate::statistics::month::KeptMonth;

use super::codec::{BitReader, BitWriter, Malformed, Reader, Writer};

/// No more rows are reserved at once, whatever a file says.
const MOST_RESERVED: usize = 16_384;

pub fn write_day(day: &KeptDay) -> Vec<u8> {
    let mut writer = Writer::new();
    day.classes.iter().for_each(|kept| write_kept(&mut writer, kept));
    writer.bytes
}

/// The same bytes as of `day.to_kept()`, with the rows of one table at a time in memory.
pub fn write_whole_day(day: &Day) -> Vec<u8> {
    let mut writer = Writer::new();
    for class in Class::ALL {
        let (tables, cuts) = (day.tables(class), day.whole_cuts(class));
        let mut kept = tables.kept_totals();
        write_totals(&mut writer, &kept);
        if kept.attempts == 0 {
            continue;
        }
        tables.put_services(&mut kept, cuts);
        write_services(&mut writer, &kept);
        kept.services = Vec::new();
        tables.put_sources(&mut kept, cuts);
        let addresses = write_sources(&mut writer, &kept);
        kept.sources = Vec::new();
        tables.put_pairs(&mut kept, cuts);
        write_pairs(&mut writer, &kept, &addresses);
    }
    writer.bytes
}

pub fn read_day(date: Date, bytes: &[u8]) -> Result<KeptDay, Malformed> {
    let mut reader = Reader::new(bytes);
    let classes = read_classes(&mut reader)?;
    match reader.remaining() {
        0 => Ok(KeptDay { date, classes }),
        _ => Err(Malformed("bytes are left over")),
    }
}

pub fn write_month(month: &KeptMonth) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.number(u64::from(month.observed));
    match month.anomalous {
        None => writer.u8(0),
        Some((cells, attempts)) => {
            writer.u8(1);
            writer.number(cells);
            writer.number(attempts);
        }
    }
    month.classes.iter().for_each(|kept| write_kept(&mut writer, kept));
    writer.bytes
}

pub fn read_month(month: Month, bytes: &[u8]) -> Result<KeptMonth, Malformed> {
    let mut reader = Reader::new(bytes);
    let observed = reader.small()?;
    let anomalous = match reader.u8()? {
        0 => None,
        1 => Some((reader.number()?, reader.number()?)),
        _ => return Err(Malformed("no such mark for anomalous days")),
    };
    let classes = read_classes(&mut reader)?;
    match reader.remaining() {
        0 => Ok(KeptMonth { month, observed, anomalous, classes }),
        _ => Err(Malformed("bytes are left over")),
    }
}

fn read_classes(reader: &mut Reader) -> Result<[Kept; Class::COUNT], Malformed> {
    let mut classes: [Kept; Class::COUNT] = Default::default();
    for kept in &mut classes {
        *kept = read_kept(reader)?;
    }
    Ok(classes)
}

fn write_kept(writer: &mut Writer, kept: &Kept) {
    write_totals(writer, kept);
    if kept.attempts > 0 {
        write_services(writer, kept);
        let addresses = write_sources(writer, kept);
        write_pairs(writer, kept, &addresses);
    }
}

fn write_totals(writer: &mut Writer, kept: &Kept) {
    writer.number(kept.attempts);
    if kept.attempts == 0 {
        // Nothing else is known of a class without events.
        return;
    }
    kept.hours.iter().for_each(|count| writer.number(*count));
    writer.number(kept.protocols.len() as u64);
    for (protocol, count) in &kept.protocols {
        writer.u8(*protocol);
        writer.number(*count);
    }
    kept.verdicts.iter().for_each(|count| writer.number(*count));
    write_unique(writer, kept.unique);
    write_sketch(writer, kept.sketch.as_ref());
}

fn read_kept(reader: &mut Reader) -> Result<Kept, Malformed> {
    let mut kept = Kept { attempts: reader.number()?, ..Kept::default() };
    if kept.attempts == 0 {
        return Ok(kept);
    }
    for count in &mut kept.hours {
        *count = reader.number()?;
    }
    for _ in 0..reader.rows(2)? {
        kept.protocols.push((reader.u8()?, reader.number()?));
    }
    for verdict in Verdict::ALL {
        kept.verdicts[verdict as usize] = reader.number()?;
    }
    kept.unique = read_unique(reader)?;
    kept.sketch = read_sketch(reader)?;
    read_services(reader, &mut kept)?;
    read_sources(reader, &mut kept)?;
    read_pairs(reader, &mut kept)?;
    kept.sort();
    Ok(kept)
}

fn write_unique(writer: &mut Writer, unique: Unique) {
    match unique {
        Unique::Unknown => writer.u8(0),
        Unique::Exactly(number) => {
            writer.u8(1);
            writer.number(number);
        }
        Unique::About(number) => {
            writer.u8(2);
            writer.number(number);
        }
    }
}

fn read_unique(reader: &mut Reader) -> Result<Unique, Malformed> {
    match reader.u8()? {
        0 => Ok(Unique::Unknown),
        1 => Ok(Unique::Exactly(reader.number()?)),
        2 => Ok(Unique::About(reader.number()?)),
        _ => Err(Malformed("no such mark for different sources")),
    }
}

fn write_sketch(writer: &mut Writer, sketch: Option<&Sketch>) {
    match sketch {
        None => writer.u8(0),
        Some(Sketch::Exact(hashes)) => {
            writer.u8(1);
            writer.number(hashes.len() as u64);
            let mut before = 0;
            for hash in hashes {
                writer.number(u64::from(hash - before));
                before = *hash;
            }
        }
        Some(Sketch::Registers(registers)) => {
            let bits = write_registers(registers);
            writer.u8(2);
            writer.number(bits.len() as u64);
            writer.raw(&bits);
        }
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
    if set > 0 && set < REGISTERS / 4 {
        let parameter = (REGISTERS / set).ilog2();
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
        registers.iter().for_each(|rank| bits.unary(u32::from(rank - least)));
    }
    bits.finish()
}

fn read_registers(bytes: &[u8]) -> Result<Vec<u8>, Malformed> {
    let wrong = Malformed("impossible sketch of different sources");
    let mut bits = BitReader::new(bytes);
    let mut registers = vec![0u8; REGISTERS];
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

fn read_sketch(reader: &mut Reader) -> Result<Option<Sketch>, Malformed> {
    let wrong = Malformed("impossible sketch of different sources");
    match reader.u8()? {
        0 => Ok(None),
        1 => {
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
            Ok(Some(Sketch::Exact(hashes)))
        }
        2 => {
            let length = reader.rows(1)?;
            Sketch::from_registers(read_registers(reader.raw(length)?)?).map(Some).ok_or(wrong)
        }
        _ => Err(wrong),
    }
}

fn write_hours(writer: &mut Writer, hours: Option<&Hours>) {
    let Some(hours) = hours.map(Hours::counts) else {
        // A mask with a bit that no hour has.
        writer.number(1 << 24);
        return;
    };
    let mask = (0..24).filter(|&hour| hours[hour] > 0).fold(0u64, |mask, hour| mask | 1 << hour);
    writer.number(mask);
    hours.iter().filter(|count| **count > 0).for_each(|count| writer.number(u64::from(*count)));
}

fn read_hours(reader: &mut Reader) -> Result<Option<Hours>, Malformed> {
    let mask = reader.number()?;
    if mask == 1 << 24 {
        return Ok(None);
    }
    if mask > 1 << 24 {
        return Err(Malformed("a day has 24 hours"));
    }
    let mut hours = [0; 24];
    for (hour, count) in hours.iter_mut().enumerate() {
        if mask & 1 << hour != 0 {
            *count = reader.small()?;
        }
    }
    Ok(Some(Hours::new(hours)))
}

fn write_services(writer: &mut Writer, kept: &Kept) {
    let mut rows: Vec<&KeptService> = kept.services.iter().collect();
    rows.sort_unstable_by_key(|row| row.service.to_bits());
    writer.number(kept.service_floor);
    writer.number(rows.len() as u64);
    let mut before = 0;
    for row in &rows {
        writer.number(u64::from(row.service.to_bits() - before));
        before = row.service.to_bits();
    }
    rows.iter().for_each(|row| writer.number(row.attempts));
    rows.iter().for_each(|row| writer.number(row.error));
    rows.iter().for_each(|row| writer.number(row.missing));
    rows.iter().for_each(|row| write_unique(writer, row.unique));
    rows.iter().for_each(|row| write_hours(writer, row.hours.as_ref()));
    rows.iter().for_each(|row| write_sketch(writer, row.sketch.as_deref()));
}

fn read_services(reader: &mut Reader, kept: &mut Kept) -> Result<(), Malformed> {
    kept.service_floor = reader.number()?;
    let count = reader.rows(7)?;
    kept.services.reserve_exact(count.min(MOST_RESERVED));
    let mut bits = 0u32;
    for _ in 0..count {
        bits =
            bits.checked_add(reader.small()?).filter(|b| *b < 1 << 24).ok_or(Malformed("no such service"))?;
        kept.services.push(KeptService {
            service: Service::from_bits(bits),
            attempts: 0,
            error: 0,
            missing: 0,
            unique: Unique::Unknown,
            hours: None,
            sketch: None,
        });
    }
    for row in &mut kept.services {
        row.attempts = reader.number()?;
    }
    for row in &mut kept.services {
        row.error = reader.number()?;
    }
    for row in &mut kept.services {
        row.missing = reader.number()?;
    }
    for row in &mut kept.services {
        row.unique = read_unique(reader)?;
    }
    for row in &mut kept.services {
        row.hours = read_hours(reader)?;
    }
    for row in &mut kept.services {
        row.sketch = read_sketch(reader)?.map(Rc::new);
    }
    Ok(())
}

fn to_wide(address: Address) -> u128 {
    u128::from_be_bytes(address.to_bytes())
}

/// Gives the addresses in the order in which they were written.
fn write_sources(writer: &mut Writer, kept: &Kept) -> Vec<Address> {
    let mut rows: Vec<&KeptSource> = kept.sources.iter().collect();
    rows.sort_unstable_by_key(|row| row.address);
    writer.number(kept.source_floor);
    writer.number(rows.len() as u64);
    let base = rows.iter().map(|row| row.first).min().unwrap_or(0);
    writer.number(u64::from(base));
    let mut before = 0;
    for row in &rows {
        writer.wide(to_wide(row.address) - before);
        before = to_wide(row.address);
    }
    rows.iter().for_each(|row| writer.number(row.attempts));
    rows.iter().for_each(|row| writer.number(row.error));
    rows.iter().for_each(|row| writer.number(row.missing));
    rows.iter().for_each(|row| writer.number(row.services.map_or(0, |n| u64::from(n) + 1)));
    rows.iter().for_each(|row| writer.number(u64::from(row.first - base)));
    rows.iter().for_each(|row| writer.number(u64::from(row.last.saturating_sub(row.first))));
    rows.iter().for_each(|row| write_hours(writer, row.hours.as_ref()));
    rows.iter().map(|row| row.address).collect()
}

fn read_sources(reader: &mut Reader, kept: &mut Kept) -> Result<(), Malformed> {
    kept.source_floor = reader.number()?;
    let count = reader.rows(8)?;
    kept.sources.reserve_exact(count.min(MOST_RESERVED));
    let base = reader.small()?;
    let mut bits = 0u128;
    for _ in 0..count {
        bits = bits.checked_add(reader.wide()?).ok_or(Malformed("no such address"))?;
        kept.sources.push(KeptSource {
            address: Address::v6(bits),
            attempts: 0,
            error: 0,
            missing: 0,
            services: None,
            first: 0,
            last: 0,
            hours: None,
        });
    }
    for row in &mut kept.sources {
        row.attempts = reader.number()?;
    }
    for row in &mut kept.sources {
        row.error = reader.number()?;
    }
    for row in &mut kept.sources {
        row.missing = reader.number()?;
    }
    for row in &mut kept.sources {
        row.services = reader.small()?.checked_sub(1);
    }
    for row in &mut kept.sources {
        row.first = base.checked_add(reader.small()?).ok_or(Malformed("a time is too large"))?;
    }
    for row in &mut kept.sources {
        row.last = row.first.checked_add(reader.small()?).ok_or(Malformed("a time is too large"))?;
    }
    for row in &mut kept.sources {
        row.hours = read_hours(reader)?;
    }
    Ok(())
}

fn write_pairs(writer: &mut Writer, kept: &Kept, addresses: &[Address]) {
    let mut rows: Vec<&KeptPair> = kept.pairs.iter().collect();
    rows.sort_unstable_by_key(|row| (row.service, row.address));
    writer.number(kept.pair_floor);
    writer.number(rows.len() as u64);
    let mut before = 0;
    for row in &rows {
        writer.number(u64::from(row.service.to_bits() - before));
        before = row.service.to_bits();
    }
    for row in &rows {
        match addresses.binary_search(&row.address) {
            Ok(place) => writer.number(place as u64 + 1),
            Err(_) => {
                writer.number(0);
                writer.wide(to_wide(row.address));
            }
        }
    }
    rows.iter().for_each(|row| writer.number(row.attempts));
    rows.iter().for_each(|row| writer.number(row.error));
    rows.iter().for_each(|row| writer.number(row.missing));
}

fn read_pairs(reader: &mut Reader, kept: &mut Kept) -> Result<(), Malformed> {
    kept.pair_floor = reader.number()?;
    let count = reader.rows(5)?;
    kept.pairs.reserve_exact(count.min(MOST_RESERVED));
    let mut bits = 0u32;
    for _ in 0..count {
        bits =
            bits.checked_add(reader.small()?).filter(|b| *b < 1 << 24).ok_or(Malformed("no such service"))?;
        let service = Service::from_bits(bits);
        kept.pairs.push(KeptPair { service, address: Address::default(), attempts: 0, error: 0, missing: 0 });
    }
    for number in 0..count {
        // The sources are still in the order in which they were written.
        let address = match reader.number()?.checked_sub(1) {
            None => Address::v6(reader.wide()?),
            Some(place) => {
                let place = usize::try_from(place).unwrap_or(usize::MAX);
                kept.sources.get(place).ok_or(Malformed("no such source"))?.address
            }
        };
        kept.pairs[number].address = address;
    }
    for row in &mut kept.pairs {
        row.attempts = reader.number()?;
    }
    for row in &mut kept.pairs {
        row.error = reader.number()?;
    }
    for row in &mut kept.pairs {
        row.missing = reader.number()?;
    }
    Ok(())
}
