//! Summaries of days and months <-> bytes. Rows are written sorted by key, column after column,
//! so that deltas are small and alike bytes stand together.

use std::borrow::Borrow;
use std::rc::Rc;

use crate::calendar::{Date, Month};
use crate::event::{Address, Class, Service, Verdict};
use crate::statistics::day::{Day, KeptDay};
use crate::statistics::distinct::{FOLDED_REGISTERS, MOST_EXACT, REGISTERS, Sketch};
use crate::statistics::kept::{Hours, Kept, KeptPair, KeptService, KeptSource, Unique};
use crate::statistics::month::KeptMonth;

use super::codec::{BitReader, BitWriter, Column, Malformed, Reader, Writer};
use super::country_records;
use super::format::Payload;

/// Seconds.
const HOUR: u32 = 3600;

/// No more rows are reserved at once, whatever a file says.
const MOST_RESERVED: usize = 16_384;

/// How numbers are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// For what is soon read again.
    Plain,
    /// For flash.
    Packed,
}

impl Form {
    fn writer(self) -> Writer {
        match self {
            Form::Plain => Writer::plain(),
            Form::Packed => Writer::packed(),
        }
    }
}

fn payload(writer: Writer) -> Payload {
    Payload { packed: writer.is_packed(), bytes: writer.finish() }
}

fn reader(payload: &Payload) -> Reader<'_> {
    if payload.packed { Reader::packed(&payload.bytes) } else { Reader::plain(&payload.bytes) }
}

pub fn write_day(day: &KeptDay, form: Form) -> Payload {
    let mut writer = form.writer();
    write_classes(&mut writer, &day.classes);
    payload(writer)
}

/// The same bytes as of `day.to_kept()`, without a summary of all sources and pairs in memory.
pub fn write_whole_day(day: &Day, form: Form) -> Payload {
    let mut writer = form.writer();
    for class in Class::ALL {
        let tables = day.tables(class);
        let cuts = tables.whole_cuts();
        let kept = tables.kept_totals();
        write_totals(&mut writer, &kept);
        if kept.attempts == 0 {
            continue;
        }
        let (services, floor) = tables.kept_services(cuts.services);
        write_services(&mut writer, &services, floor);
        let (mut slots, floor) = tables.source_slots(cuts.sources);
        slots.sort_unstable_by_key(|slot| to_wide(tables.kept_source(*slot).address));
        let addresses = write_sources(&mut writer, floor, slots.len(), |row| tables.kept_source(slots[row]));
        let (mut slots, floor) = tables.pair_slots(cuts.pairs);
        slots.sort_unstable_by_key(|slot| key_of(&tables.kept_pair(*slot)));
        write_pairs(&mut writer, floor, slots.len(), |row| tables.kept_pair(slots[row]), &addresses);
    }
    for class in Class::ALL {
        country_records::write(&mut writer, day.tables(class).countries());
    }
    payload(writer)
}

pub fn read_day(date: Date, payload: &Payload) -> Result<KeptDay, Malformed> {
    let mut reader = reader(payload);
    let classes = read_classes(&mut reader)?;
    if !reader.is_at_end() {
        return Err(Malformed("bytes are left over"));
    }
    Ok(KeptDay { date, classes })
}

pub fn write_month(month: &KeptMonth) -> Payload {
    let mut writer = Writer::packed();
    writer.number(u64::from(month.observed));
    writer.column(Column::Marks);
    match month.anomalous {
        None => writer.u8(0),
        Some((cells, attempts)) => {
            writer.u8(1);
            writer.number(cells);
            writer.number(attempts);
        }
    }
    write_classes(&mut writer, &month.classes);
    payload(writer)
}

pub fn read_month(month: Month, payload: &Payload) -> Result<KeptMonth, Malformed> {
    let mut reader = reader(payload);
    let observed = reader.small()?;
    reader.column(Column::Marks);
    let anomalous = match reader.u8()? {
        0 => None,
        1 => Some((reader.number()?, reader.number()?)),
        _ => return Err(Malformed("no such mark for anomalous days")),
    };
    let classes = read_classes(&mut reader)?;
    if !reader.is_at_end() {
        return Err(Malformed("bytes are left over"));
    }
    Ok(KeptMonth { month, observed, anomalous, classes })
}

fn write_classes(writer: &mut Writer, classes: &[Kept; Class::COUNT]) {
    classes.iter().for_each(|kept| write_kept(writer, kept));
    classes.iter().for_each(|kept| country_records::write(writer, &kept.countries));
}

fn read_classes(reader: &mut Reader) -> Result<[Kept; Class::COUNT], Malformed> {
    let mut classes: [Kept; Class::COUNT] = Default::default();
    for kept in &mut classes {
        *kept = read_kept(reader)?;
    }
    // A record of format 1 ends here: countries were not measured.
    if !reader.is_at_end() {
        for kept in &mut classes {
            kept.countries = country_records::read(reader)?;
        }
    }
    Ok(classes)
}

fn write_kept(writer: &mut Writer, kept: &Kept) {
    write_totals(writer, kept);
    if kept.attempts > 0 {
        write_services(writer, &kept.services, kept.service_floor);
        let mut sources: Vec<&KeptSource> = kept.sources.iter().collect();
        sources.sort_unstable_by_key(|row| to_wide(row.address));
        let addresses = write_sources(writer, kept.source_floor, sources.len(), |row| sources[row]);
        let mut pairs: Vec<&KeptPair> = kept.pairs.iter().collect();
        pairs.sort_unstable_by_key(|row| key_of(row));
        write_pairs(writer, kept.pair_floor, pairs.len(), |row| pairs[row], &addresses);
    }
}

fn write_totals(writer: &mut Writer, kept: &Kept) {
    writer.column(Column::Totals);
    writer.number(kept.attempts);
    if kept.attempts == 0 {
        // Nothing else is known of a class without events.
        return;
    }
    writer.column(Column::Hours);
    kept.hours.iter().for_each(|count| writer.number(*count));
    writer.column(Column::Protocols);
    writer.number(kept.protocols.len() as u64);
    for (protocol, count) in &kept.protocols {
        writer.u8(*protocol);
        writer.number(*count);
    }
    kept.verdicts.iter().for_each(|count| writer.number(*count));
    writer.column(Column::Unique);
    write_unique(writer, kept.unique);
    write_sketch(writer, kept.sketch.as_ref());
}

fn read_kept(reader: &mut Reader) -> Result<Kept, Malformed> {
    reader.column(Column::Totals);
    let mut kept = Kept { attempts: reader.number()?, ..Kept::default() };
    if kept.attempts == 0 {
        return Ok(kept);
    }
    reader.column(Column::Hours);
    for count in &mut kept.hours {
        *count = reader.number()?;
    }
    reader.column(Column::Protocols);
    for _ in 0..reader.rows(2)? {
        kept.protocols.push((reader.u8()?, reader.number()?));
    }
    for verdict in Verdict::ALL {
        kept.verdicts[verdict as usize] = reader.number()?;
    }
    reader.column(Column::Unique);
    kept.unique = read_unique(reader)?;
    kept.sketch = read_sketch(reader)?;
    read_services(reader, &mut kept)?;
    read_sources(reader, &mut kept)?;
    read_pairs(reader, &mut kept)?;
    kept.sort();
    Ok(kept)
}

/// 0: unknown; otherwise 1 more than twice the number, or 2 more if that is an estimate.
pub(super) fn write_unique(writer: &mut Writer, unique: Unique) {
    writer.wide(match unique {
        Unique::Unknown => 0,
        Unique::Exactly(number) => 1 + 2 * u128::from(number),
        Unique::About(number) => 2 + 2 * u128::from(number),
    });
}

pub(super) fn read_unique(reader: &mut Reader) -> Result<Unique, Malformed> {
    let Some(more) = reader.wide()?.checked_sub(1) else { return Ok(Unique::Unknown) };
    let number = u64::try_from(more / 2).map_err(|_| Malformed("a number is too large"))?;
    Ok(if more.is_multiple_of(2) { Unique::Exactly(number) } else { Unique::About(number) })
}

fn write_sketch(writer: &mut Writer, sketch: Option<&Sketch>) {
    writer.column(Column::Marks);
    match sketch {
        None => writer.u8(0),
        Some(Sketch::Exact(hashes)) => {
            writer.u8(1);
            writer.column(Column::Hashes);
            writer.number(hashes.len() as u64);
            let mut before = 0;
            for hash in hashes {
                writer.number(u64::from(hash - before));
                before = *hash;
            }
        }
        Some(Sketch::Registers(registers)) => {
            let folded = registers.len() == FOLDED_REGISTERS;
            writer.u8(if folded { 3 } else { 2 });
            writer.column(Column::Ranks);
            // What is kept for years is worth the time of the smallest form.
            if folded && writer.is_packed() {
                writer.ranks(registers);
            } else {
                let bits = write_registers(registers);
                writer.number(bits.len() as u64);
                writer.raw(&bits);
            }
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
        registers.iter().for_each(|rank| bits.unary(u32::from(rank - least)));
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

fn read_sketch(reader: &mut Reader) -> Result<Option<Sketch>, Malformed> {
    let wrong = Malformed("impossible sketch of different sources");
    reader.column(Column::Marks);
    match reader.u8()? {
        0 => Ok(None),
        1 => {
            reader.column(Column::Hashes);
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
        kind @ (2 | 3) => {
            reader.column(Column::Ranks);
            let mut registers = vec![0; if kind == 2 { REGISTERS } else { FOLDED_REGISTERS }];
            if kind == 3 && reader.is_packed() {
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

/// A mask of the hours with a count, the 25th bit if nothing is known, then those counts.
fn write_hours(writer: &mut Writer, hours: Option<&Hours>) {
    let Some(hours) = hours.map(Hours::counts) else {
        writer.mask(1 << 24, 25);
        return;
    };
    let mask = (0..24).filter(|&hour| hours[hour] > 0).fold(0, |mask, hour| mask | 1 << hour);
    writer.mask(mask, 25);
    hours.iter().filter(|count| **count > 0).for_each(|count| writer.number(u64::from(*count)));
}

fn read_hours(reader: &mut Reader) -> Result<Option<Hours>, Malformed> {
    let mask = reader.mask(25)?;
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

fn write_services(writer: &mut Writer, services: &[KeptService], floor: u64) {
    let mut rows: Vec<&KeptService> = services.iter().collect();
    rows.sort_unstable_by_key(|row| row.service.to_bits());
    writer.column(Column::Floors);
    writer.number(floor);
    writer.number(rows.len() as u64);
    writer.column(Column::Services);
    let mut before = 0;
    for row in &rows {
        writer.number(u64::from(row.service.to_bits() - before));
        before = row.service.to_bits();
    }
    writer.column(Column::ServiceAttempts);
    rows.iter().for_each(|row| writer.number(row.attempts));
    writer.column(Column::Errors);
    rows.iter().for_each(|row| writer.number(row.error));
    writer.column(Column::Missing);
    rows.iter().for_each(|row| writer.number(row.missing));
    writer.column(Column::ServiceUnique);
    rows.iter().for_each(|row| write_unique(writer, row.unique));
    writer.column(Column::ServiceHours);
    rows.iter().for_each(|row| write_hours(writer, row.hours.as_ref()));
    rows.iter().for_each(|row| write_sketch(writer, row.sketch.as_deref()));
}

fn read_services(reader: &mut Reader, kept: &mut Kept) -> Result<(), Malformed> {
    reader.column(Column::Floors);
    kept.service_floor = reader.number()?;
    let count = reader.rows(7)?;
    reader.column(Column::Services);
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
    reader.column(Column::ServiceAttempts);
    for row in &mut kept.services {
        row.attempts = reader.number()?;
    }
    reader.column(Column::Errors);
    for row in &mut kept.services {
        row.error = reader.number()?;
    }
    reader.column(Column::Missing);
    for row in &mut kept.services {
        row.missing = reader.number()?;
    }
    reader.column(Column::ServiceUnique);
    for row in &mut kept.services {
        row.unique = read_unique(reader)?;
    }
    reader.column(Column::ServiceHours);
    for row in &mut kept.services {
        row.hours = read_hours(reader)?;
    }
    for row in &mut kept.services {
        row.sketch = read_sketch(reader)?.map(Rc::new);
    }
    Ok(())
}

/// IPv4 comes first, so that its addresses are small numbers.
fn to_wide(address: Address) -> u128 {
    u128::from_be_bytes(address.to_bytes()).wrapping_sub(FIRST_V4)
}

fn from_wide(number: u128) -> Address {
    Address::v6(number.wrapping_add(FIRST_V4))
}

/// `::ffff:0.0.0.0`, as which IPv4 addresses are held.
const FIRST_V4: u128 = 0xffff_0000_0000;

/// `row` gives the rows in the order of [`to_wide`]; the addresses are given back.
fn write_sources<R: Borrow<KeptSource>>(
    writer: &mut Writer,
    floor: u64,
    rows: usize,
    row: impl Fn(usize) -> R,
) -> Vec<Address> {
    let base = (0..rows).map(|at| row(at).borrow().first).min().unwrap_or(0);
    // What is older is told to the hour.
    let is_whole = |time: u32| time.is_multiple_of(HOUR);
    let hourly = (0..rows).all(|at| is_whole(row(at).borrow().first) && is_whole(row(at).borrow().last));
    let unit = if hourly { HOUR } else { 1 };
    writer.column(Column::Floors);
    writer.number(floor);
    writer.number(rows as u64);
    writer.number(u64::from(unit));
    writer.number(u64::from(base / unit));
    writer.column(Column::Addresses);
    let addresses: Vec<Address> = (0..rows).map(|at| row(at).borrow().address).collect();
    let mut before = 0;
    for address in &addresses {
        writer.wide(to_wide(*address) - before);
        before = to_wide(*address);
    }
    let mut column = |column: Column, write: &dyn Fn(&mut Writer, &KeptSource)| {
        writer.column(column);
        (0..rows).for_each(|at| write(writer, row(at).borrow()));
    };
    column(Column::SourceAttempts, &|writer, row| writer.number(row.attempts));
    column(Column::Errors, &|writer, row| writer.number(row.error));
    column(Column::Missing, &|writer, row| writer.number(row.missing));
    column(Column::SourceServices, &|writer, row| {
        writer.number(row.services.map_or(0, |n| u64::from(n) + 1));
    });
    column(Column::First, &|writer, row| writer.number(u64::from((row.first - base) / unit)));
    column(Column::Last, &|writer, row| {
        writer.number(u64::from(row.last.saturating_sub(row.first) / unit));
    });
    column(Column::SourceHours, &|writer, row| write_hours(writer, row.hours.as_ref()));
    addresses
}

fn read_sources(reader: &mut Reader, kept: &mut Kept) -> Result<(), Malformed> {
    reader.column(Column::Floors);
    kept.source_floor = reader.number()?;
    let count = reader.rows(8)?;
    kept.sources.reserve_exact(count.min(MOST_RESERVED));
    let unit = reader.small()?;
    let base = reader.small()?;
    // Checked multiplication and addition: the numbers may be any.
    let time = |from: u32, units: u32| {
        units
            .checked_mul(unit)
            .and_then(|time| from.checked_add(time))
            .ok_or(Malformed("a time is too large"))
    };
    let base = time(0, base)?;
    reader.column(Column::Addresses);
    let mut bits = 0u128;
    for _ in 0..count {
        bits = bits.checked_add(reader.wide()?).ok_or(Malformed("no such address"))?;
        kept.sources.push(KeptSource {
            address: from_wide(bits),
            attempts: 0,
            error: 0,
            missing: 0,
            services: None,
            first: 0,
            last: 0,
            hours: None,
        });
    }
    reader.column(Column::SourceAttempts);
    for row in &mut kept.sources {
        row.attempts = reader.number()?;
    }
    reader.column(Column::Errors);
    for row in &mut kept.sources {
        row.error = reader.number()?;
    }
    reader.column(Column::Missing);
    for row in &mut kept.sources {
        row.missing = reader.number()?;
    }
    reader.column(Column::SourceServices);
    for row in &mut kept.sources {
        row.services = reader.small()?.checked_sub(1);
    }
    reader.column(Column::First);
    for row in &mut kept.sources {
        row.first = time(base, reader.small()?)?;
    }
    reader.column(Column::Last);
    for row in &mut kept.sources {
        row.last = time(row.first, reader.small()?)?;
    }
    reader.column(Column::SourceHours);
    for row in &mut kept.sources {
        row.hours = read_hours(reader)?;
    }
    Ok(())
}

fn key_of(pair: &KeptPair) -> (Service, Address) {
    (pair.service, pair.address)
}

/// `row` gives the rows in the order of [`key_of`].
fn write_pairs<R: Borrow<KeptPair>>(
    writer: &mut Writer,
    floor: u64,
    rows: usize,
    row: impl Fn(usize) -> R,
    addresses: &[Address],
) {
    writer.column(Column::Floors);
    writer.number(floor);
    writer.number(rows as u64);
    writer.column(Column::PairServices);
    let mut before = 0;
    for at in 0..rows {
        let bits = row(at).borrow().service.to_bits();
        writer.number(u64::from(bits - before));
        before = bits;
    }
    for at in 0..rows {
        let address = row(at).borrow().address;
        writer.column(Column::PairSources);
        match addresses.binary_search_by_key(&to_wide(address), |known| to_wide(*known)) {
            Ok(place) => writer.number(place as u64 + 1),
            Err(_) => {
                writer.number(0);
                writer.column(Column::Addresses);
                writer.wide(to_wide(address));
            }
        }
    }
    let mut column = |column: Column, number: fn(&KeptPair) -> u64| {
        writer.column(column);
        (0..rows).for_each(|at| writer.number(number(row(at).borrow())));
    };
    column(Column::PairAttempts, |row| row.attempts);
    column(Column::Errors, |row| row.error);
    column(Column::Missing, |row| row.missing);
}

fn read_pairs(reader: &mut Reader, kept: &mut Kept) -> Result<(), Malformed> {
    reader.column(Column::Floors);
    kept.pair_floor = reader.number()?;
    let count = reader.rows(5)?;
    reader.column(Column::PairServices);
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
        reader.column(Column::PairSources);
        let address = match reader.number()?.checked_sub(1) {
            None => {
                reader.column(Column::Addresses);
                from_wide(reader.wide()?)
            }
            Some(place) => {
                let place = usize::try_from(place).unwrap_or(usize::MAX);
                kept.sources.get(place).ok_or(Malformed("no such source"))?.address
            }
        };
        kept.pairs[number].address = address;
    }
    reader.column(Column::PairAttempts);
    for row in &mut kept.pairs {
        row.attempts = reader.number()?;
    }
    reader.column(Column::Errors);
    for row in &mut kept.pairs {
        row.error = reader.number()?;
    }
    reader.column(Column::Missing);
    for row in &mut kept.pairs {
        row.missing = reader.number()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, PathId, protocol};

    /// More services, sources and pairs than the tables hold, or fewer.
    fn day(sources: u32, services: u16) -> Day {
        let mut day = Day::new(Date(18_358));
        for number in 0..sources {
            let event = Event {
                time: 1_586_131_200 + i64::from(number % 86_400),
                source: Address::v4(number.wrapping_mul(2_654_435_761)),
                destination: Address::v4(1),
                fingerprint: 0,
                uptime: 0,
                count: 1 + number % 300,
                source_port: 1,
                port: 1 + (number % u32::from(services)) as u16,
                length: 40,
                path: PathId(0),
                protocol: protocol::TCP,
                flags: 2,
                icmp_type: 0,
                icmp_code: 0,
                class: Class::ALL[number as usize % 2 * 3],
                verdict: Verdict::Drop,
            };
            day.add(&event, (number % 24) as u8);
        }
        day
    }

    #[test]
    fn both_ways_to_write_a_day_are_one() {
        for (sources, services) in [(0, 1), (700, 40), (3000, 3), (50_000, 9000)] {
            let day = day(sources, services);
            for form in [Form::Plain, Form::Packed] {
                let bytes = write_whole_day(&day, form);
                assert_eq!(bytes, write_day(&day.to_kept(), form), "{sources} sources");
                assert_eq!(read_day(day.date, &bytes), Ok(day.to_kept()), "{sources} sources");
            }
        }
    }

    #[test]
    fn only_what_overflowed_is_cut() {
        // Each source tries one service: the table of pairs is full when that of sources is.
        let day = day(50_000, 3);
        let kept = &day.to_kept().classes[Class::Attempt as usize];
        assert_eq!((kept.services.len(), kept.service_floor), (3, 0));
        assert_eq!(kept.sources.len(), 2048);
        assert!(kept.source_floor > 0);
    }
}
