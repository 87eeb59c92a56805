//! What is kept of countries <-> numbers: behind the classes of a day or month, since format 2.

use std::cmp::Reverse;

use super::super::codec::{Column, Malformed, Reader, Writer};
use super::sketch::{read_unique, write_unique};
use crate::event::Service;
use crate::statistics::countries::{Country, KeptCountries, KeptCountry, KeptServiceCountry};
use crate::statistics::kept::Unique;
use crate::statistics::sample::{self, Sample};

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
    writer.number(u64::from(sample.level()) + 1);
    writer.number(sample.rows().len() as u64);
    let mut before = 0;
    for (number, _) in sample.rows() {
        writer.number(u64::from((number - before) >> sample.level()));
        before = *number;
    }
    writer.column(Column::Countries);
    sample.rows().iter().for_each(|(_, country)| write_place(writer, rows, *country));
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
        bits = bits.checked_add(delta).filter(|bits| *bits < 1 << 24).ok_or(Malformed("no such service"))?;
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
    let Some(level) = reader.number()?.checked_sub(1) else { return Ok(None) };
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
    Sample::from_rows(sampled, level).map(Some).ok_or(wrong)
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
