//! The rows of a summary, column after column: services, sources, and pairs of both.

use std::borrow::Borrow;
use std::rc::Rc;

use crate::event::{Address, Service};
use crate::stats::kept::{Hours, Kept, KeptPair, KeptService, KeptSource, Unique};

use super::super::codec::{Column, Malformed, Reader, Writer};
use super::sketch::{read_sketch, read_unique, write_sketch, write_unique};

/// Seconds.
const HOUR: u32 = 3600;

/// No more rows are reserved at once, whatever a file says.
const MOST_RESERVED: usize = 16_384;

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

pub fn write_services(writer: &mut Writer, services: &[KeptService], floor: u64) {
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

pub fn read_services(reader: &mut Reader, kept: &mut Kept) -> Result<(), Malformed> {
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
pub fn to_wide(address: Address) -> u128 {
    u128::from_be_bytes(address.to_bytes()).wrapping_sub(FIRST_V4)
}

fn from_wide(number: u128) -> Address {
    Address::v6(number.wrapping_add(FIRST_V4))
}

/// `::ffff:0.0.0.0`, as which IPv4 addresses are held.
const FIRST_V4: u128 = 0xffff_0000_0000;

/// `row` gives the rows in the order of [`to_wide`]; the addresses are given back.
pub fn write_sources<R: Borrow<KeptSource>>(
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

pub fn read_sources(reader: &mut Reader, kept: &mut Kept) -> Result<(), Malformed> {
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

pub fn key_of(pair: &KeptPair) -> (Service, Address) {
    (pair.service, pair.address)
}

/// `row` gives the rows in the order of [`key_of`].
pub fn write_pairs<R: Borrow<KeptPair>>(
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

pub fn read_pairs(reader: &mut Reader, kept: &mut Kept) -> Result<(), Malformed> {
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
