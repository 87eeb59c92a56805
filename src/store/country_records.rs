//! What is kept of countries <-> bytes: behind the classes of a day or month, since format 2.

use std::cmp::Reverse;

use super::codec::{Malformed, Reader, Writer};
use super::records::{read_unique, write_unique};
use crate::event::Service;
use crate::statistics::countries::{Country, KeptCountries, KeptCountry, KeptServiceCountry};
use crate::statistics::kept::Unique;
use crate::statistics::sample::{self, Sample};

pub fn write(writer: &mut Writer, kept: &KeptCountries) {
    writer.number(kept.measured);
    if kept.measured == 0 {
        return;
    }
    let mut rows: Vec<&KeptCountry> = kept.rows.iter().collect();
    rows.sort_unstable_by_key(|row| row.country);
    writer.number(kept.floor);
    writer.number(rows.len() as u64);
    rows.iter().for_each(|row| writer.raw(&row.country.0));
    rows.iter().for_each(|row| writer.number(row.attempts));
    rows.iter().for_each(|row| write_unique(writer, row.unique));
    let mut rows: Vec<&KeptServiceCountry> = kept.services.iter().collect();
    rows.sort_unstable_by_key(|row| (row.service, row.country));
    writer.number(kept.service_floor);
    writer.number(rows.len() as u64);
    let mut before = 0;
    for row in &rows {
        let bits = row.service.to_bits();
        writer.number(u64::from(bits - before));
        before = bits;
    }
    rows.iter().for_each(|row| writer.raw(&row.country.0));
    rows.iter().for_each(|row| writer.number(row.attempts));
    rows.iter().for_each(|row| write_unique(writer, row.unique));
    let Some(sample) = &kept.sample else { return writer.u8(0) };
    writer.u8(sample.level() + 1);
    writer.number(sample.rows().len() as u64);
    let mut before = 0;
    for (number, _) in sample.rows() {
        writer.number(u64::from((number - before) >> sample.level()));
        before = *number;
    }
    sample.rows().iter().for_each(|(_, country)| writer.raw(&country.0));
}

pub fn read(reader: &mut Reader) -> Result<KeptCountries, Malformed> {
    let mut kept = KeptCountries { measured: reader.number()?, ..KeptCountries::default() };
    if kept.measured == 0 {
        return Ok(kept);
    }
    kept.floor = reader.number()?;
    for _ in 0..reader.rows(4)? {
        kept.rows.push(KeptCountry { country: country(reader)?, attempts: 0, unique: Unique::Unknown });
    }
    for row in &mut kept.rows {
        row.attempts = reader.number()?;
    }
    for row in &mut kept.rows {
        row.unique = read_unique(reader)?;
    }
    kept.service_floor = reader.number()?;
    let mut bits = 0u32;
    for _ in 0..reader.rows(5)? {
        let delta = reader.small()?;
        bits = bits.checked_add(delta).filter(|bits| *bits < 1 << 24).ok_or(Malformed("no such service"))?;
        kept.services.push(KeptServiceCountry {
            service: Service::from_bits(bits),
            country: Country::UNKNOWN,
            attempts: 0,
            unique: Unique::Unknown,
        });
    }
    for row in &mut kept.services {
        row.country = country(reader)?;
    }
    for row in &mut kept.services {
        row.attempts = reader.number()?;
    }
    for row in &mut kept.services {
        row.unique = read_unique(reader)?;
    }
    kept.sample = sample(reader)?;
    if kept.rows.windows(2).any(|pair| pair[0].country >= pair[1].country) {
        return Err(Malformed("a country stands twice"));
    }
    let key = |row: &KeptServiceCountry| (row.service, row.country);
    if kept.services.windows(2).any(|pair| key(&pair[0]) >= key(&pair[1])) {
        return Err(Malformed("a service of a country stands twice"));
    }
    kept.rows.sort_unstable_by_key(|row| (Reverse(row.attempts), row.country));
    kept.services.sort_unstable_by_key(|row| (Reverse(row.attempts), row.service, row.country));
    Ok(kept)
}

fn country(reader: &mut Reader) -> Result<Country, Malformed> {
    let mut code = [0; 2];
    code.copy_from_slice(reader.raw(2)?);
    if !code.iter().all(u8::is_ascii_uppercase) {
        return Err(Malformed("no such country"));
    }
    Ok(Country(code))
}

fn sample(reader: &mut Reader) -> Result<Option<Sample>, Malformed> {
    let wrong = Malformed("impossible sample of different sources");
    let Some(level) = reader.u8()?.checked_sub(1) else { return Ok(None) };
    let count = reader.rows(3)?;
    if count > sample::MOST || level > 31 {
        return Err(wrong);
    }
    let mut numbers = Vec::with_capacity(count);
    let mut number = 0u32;
    for _ in 0..count {
        let gap = u64::from(reader.small()?) << level;
        number = u32::try_from(gap).ok().and_then(|gap| number.checked_add(gap)).ok_or(wrong)?;
        numbers.push(number);
    }
    let mut rows = Vec::with_capacity(count);
    for number in numbers {
        rows.push((number, country(reader)?));
    }
    Sample::from_rows(rows, level).map(Some).ok_or(wrong)
}
