//! What is kept of countries <-> numbers: behind the classes of a day or month, since format 2.

use std::cmp::Reverse;

use super::super::codec::{Column, Malformed, Reader, Writer};
use super::sketch::{read_unique, write_unique};
use crate::event::Service;
use crate::stats::countries::{Country, KeptCountries, KeptCountry, KeptServiceCountry};
use crate::stats::kept::Unique;
use crate::stats::sample::{self, Sample};

/// What is added to a sample's level, which is below 32, by whether it tells what its sources tried: since format 4.
const NO_TRIED: u64 = 1;
const TELLS_TRIED: u64 = 33;
/// Services that one mask tells.
const MASK: usize = 32;

pub fn write(writer: &mut Writer, kept: &KeptCountries) {
    writer.column(Column::CountryAttempts);
    writer.number(kept.measured);
    if kept.measured == 0 {
        return;
    }
    writer.number(kept.floor);
    let rows = &kept.rows;
    writer.number(rows.len() as u64);
    writer.column(Column::Countries);
    rows.iter().for_each(|row| write_code(writer, row.country));
    writer.column(Column::CountryAttempts);
    rows.iter().for_each(|row| writer.number(row.attempts));
    writer.column(Column::CountryUnique);
    rows.iter().for_each(|row| write_unique(writer, row.unique));

    let mut services: Vec<&KeptServiceCountry> = kept.services.iter().collect();
    services.sort_unstable_by_key(|row| (row.service, row.country));
    writer.column(Column::CountryAttempts);
    writer.number(kept.service_floor);
    writer.number(services.len() as u64);
    writer.column(Column::CountryServices);
    let mut before = 0;
    for row in &services {
        let bits = row.service.to_bits();
        writer.number(u64::from(bits - before));
        before = bits;
    }
    writer.column(Column::Countries);
    services.iter().for_each(|row| write_place(writer, rows, row.country));
    writer.column(Column::CountryAttempts);
    services.iter().for_each(|row| writer.number(row.attempts));
    writer.column(Column::CountryUnique);
    services.iter().for_each(|row| write_unique(writer, row.unique));

    writer.column(Column::Sample);
    let Some(sample) = &kept.sample else { return writer.number(0) };
    let tells_tried = !sample.known().is_empty();
    writer.number(u64::from(sample.level()) + if tells_tried { TELLS_TRIED } else { NO_TRIED });
    writer.number(sample.rows().len() as u64);
    let mut before = 0;
    for (number, _) in sample.rows() {
        writer.number(u64::from((number - before) >> sample.level()));
        before = *number;
    }
    writer.column(Column::Countries);
    sample.rows().iter().for_each(|(_, country)| write_place(writer, rows, *country));
    if tells_tried {
        write_tried(writer, sample);
    }
}

/// The services, and of each source a bit for each of them.
fn write_tried(writer: &mut Writer, sample: &Sample) {
    writer.column(Column::CountryServices);
    writer.number(sample.known().len() as u64);
    let mut before = 0;
    for service in sample.known() {
        let bits = service.to_bits();
        writer.number(u64::from(bits - before));
        before = bits;
    }
    writer.column(Column::Tried);
    let mut tried = sample.tried();
    for (number, _) in sample.rows() {
        let (of_source, rest) = tried.split_at(tried.partition_point(|(tried, _)| tried == number));
        tried = rest;
        for services in sample.known().chunks(MASK) {
            let bit = |service| u32::from(of_source.iter().any(|(_, tried)| *tried == service));
            let mask = services.iter().rev().fold(0, |mask, service| mask << 1 | bit(*service));
            writer.mask(mask, services.len());
        }
    }
}

/// Services known, and who tried which.
type Tried = (Vec<Service>, Vec<(u32, Service)>);

fn read_tried(reader: &mut Reader, sampled: &[(u32, Country)]) -> Result<Tried, Malformed> {
    reader.column(Column::CountryServices);
    let (mut known, mut tried, mut bits) = (Vec::new(), Vec::new(), 0u32);
    let count = reader.rows(1)?;
    if count > sample::MOST_KNOWN {
        return Err(Malformed("too many services of a sample"));
    }
    for _ in 0..count {
        bits = next_service(bits, reader.small()?)?;
        known.push(Service::from_bits(bits));
    }
    reader.column(Column::Tried);
    for (number, _) in sampled {
        for services in known.chunks(MASK) {
            let mask = reader.mask(services.len())?;
            let of_source = (0..).zip(services).filter(|(bit, _)| mask >> bit & 1 != 0);
            tried.extend(of_source.map(|(_, service)| (*number, *service)));
        }
    }
    Ok((known, tried))
}

fn next_service(bits: u32, delta: u32) -> Result<u32, Malformed> {
    bits.checked_add(delta).filter(|bits| *bits < 1 << 24).ok_or(Malformed("no such service"))
}

pub fn read(reader: &mut Reader) -> Result<KeptCountries, Malformed> {
    reader.column(Column::CountryAttempts);
    let mut kept = KeptCountries { measured: reader.number()?, ..KeptCountries::default() };
    if kept.measured == 0 {
        return Ok(kept);
    }
    kept.floor = reader.number()?;
    let count = reader.rows(3)?;
    reader.column(Column::Countries);
    for _ in 0..count {
        kept.rows.push(KeptCountry { country: read_code(reader)?, attempts: 0, unique: Unique::Unknown });
    }
    reader.column(Column::CountryAttempts);
    for row in &mut kept.rows {
        row.attempts = reader.number()?;
    }
    reader.column(Column::CountryUnique);
    for row in &mut kept.rows {
        row.unique = read_unique(reader)?;
    }
    read_services(reader, &mut kept)?;
    kept.sample = read_sample(reader, &kept.rows)?;
    // Only now: places are told in the order of the file.
    kept.rows.sort_unstable_by_key(|row| (Reverse(row.attempts), row.country));
    let mut codes: Vec<Country> = kept.rows.iter().map(|row| row.country).collect();
    codes.sort_unstable();
    if codes.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Malformed("a country stands twice"));
    }
    Ok(kept)
}

fn read_services(reader: &mut Reader, kept: &mut KeptCountries) -> Result<(), Malformed> {
    reader.column(Column::CountryAttempts);
    kept.service_floor = reader.number()?;
    let count = reader.rows(4)?;
    reader.column(Column::CountryServices);
    let mut bits = 0u32;
    for _ in 0..count {
        let delta = reader.small()?;
        bits = next_service(bits, delta)?;
        kept.services.push(KeptServiceCountry {
            service: Service::from_bits(bits),
            country: Country::UNKNOWN,
            attempts: 0,
            unique: Unique::Unknown,
        });
    }
    reader.column(Column::Countries);
    for row in &mut kept.services {
        row.country = read_place(reader, &kept.rows)?;
    }
    reader.column(Column::CountryAttempts);
    for row in &mut kept.services {
        row.attempts = reader.number()?;
    }
    reader.column(Column::CountryUnique);
    for row in &mut kept.services {
        row.unique = read_unique(reader)?;
    }
    let key = |row: &KeptServiceCountry| (row.service, row.country);
    if kept.services.windows(2).any(|pair| key(&pair[0]) >= key(&pair[1])) {
        return Err(Malformed("a service of a country stands twice"));
    }
    kept.services.sort_unstable_by_key(|row| (Reverse(row.attempts), row.service, row.country));
    Ok(())
}

fn read_sample(reader: &mut Reader, rows: &[KeptCountry]) -> Result<Option<Sample>, Malformed> {
    let wrong = Malformed("impossible sample of different sources");
    reader.column(Column::Sample);
    let Some(level) = reader.number()?.checked_sub(NO_TRIED) else { return Ok(None) };
    let tells_tried = level >= TELLS_TRIED - NO_TRIED;
    let level = if tells_tried { level - (TELLS_TRIED - NO_TRIED) } else { level };
    let level = u8::try_from(level).ok().filter(|level| *level < 32).ok_or(wrong)?;
    let count = reader.rows(2)?;
    if count > sample::MOST {
        return Err(wrong);
    }
    let mut numbers = Vec::with_capacity(count);
    let mut number = 0u32;
    for _ in 0..count {
        let gap = u64::from(reader.small()?) << level;
        number = u32::try_from(gap).ok().and_then(|gap| number.checked_add(gap)).ok_or(wrong)?;
        numbers.push(number);
    }
    reader.column(Column::Countries);
    let mut sampled = Vec::with_capacity(count);
    for number in numbers {
        sampled.push((number, read_place(reader, rows)?));
    }
    let (known, tried) = if tells_tried { read_tried(reader, &sampled)? } else { Tried::default() };
    Sample::from_rows(sampled, level, known, tried).map(Some).ok_or(wrong)
}

fn write_code(writer: &mut Writer, Country([first, second]): Country) {
    writer.number(u64::from(first - b'A') * 26 + u64::from(second - b'A'));
}

fn read_code(reader: &mut Reader) -> Result<Country, Malformed> {
    let code = reader.number()?;
    if code >= 26 * 26 {
        return Err(Malformed("no such country"));
    }
    Ok(Country([b'A' + (code / 26) as u8, b'A' + (code % 26) as u8]))
}

/// 1 more than the place among the rows, where the heaviest is first; 0 and the code for one without a row.
fn write_place(writer: &mut Writer, rows: &[KeptCountry], country: Country) {
    match rows.iter().position(|row| row.country == country) {
        Some(place) => writer.number(place as u64 + 1),
        None => {
            writer.number(0);
            write_code(writer, country);
        }
    }
}

fn read_place(reader: &mut Reader, rows: &[KeptCountry]) -> Result<Country, Malformed> {
    match reader.number()?.checked_sub(1) {
        None => read_code(reader),
        Some(place) => {
            let row = usize::try_from(place).ok().and_then(|place| rows.get(place));
            Ok(row.ok_or(Malformed("no such country"))?.country)
        }
    }
}
