//! Summaries of days and months <-> bytes. Rows are written sorted by key, column after column,
//! so that deltas are small and alike bytes stand together.

use crate::calendar::{Date, Month};
use crate::event::{Class, Verdict};
use crate::stats::day::{Day, KeptDay};
use crate::stats::kept::{Kept, KeptPair, KeptSource};
use crate::stats::month::KeptMonth;

use super::codec::{Column, Malformed, Reader, Writer};
use super::format::Payload;

mod countries;
mod rows;
mod sketch;

use rows::{
    key_of, read_pairs, read_services, read_sources, to_wide, write_pairs, write_services, write_sources,
};
use sketch::{read_sketch, read_unique, write_sketch, write_unique};

/// How numbers are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// For what is soon read again.
    Plain,
    /// For a file that is soon read again.
    Deflated,
    /// For flash.
    Packed,
}

impl Form {
    fn writer(self) -> Writer {
        match self {
            Form::Plain => Writer::plain(),
            Form::Deflated => Writer::deflated(),
            Form::Packed => Writer::packed(),
        }
    }
}

pub fn write_day(day: &KeptDay, form: Form) -> Payload {
    write_day_with(form.writer(), day)
}

pub fn write_day_with(mut writer: Writer, day: &KeptDay) -> Payload {
    write_classes(&mut writer, &day.classes);
    writer.finish()
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
        countries::write(&mut writer, day.tables(class).countries());
    }
    writer.finish()
}

pub fn read_day(date: Date, payload: &Payload) -> Result<KeptDay, Malformed> {
    let mut reader = Reader::of(payload);
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
    writer.finish()
}

pub fn read_month(month: Month, payload: &Payload) -> Result<KeptMonth, Malformed> {
    let mut reader = Reader::of(payload);
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
    classes.iter().for_each(|kept| countries::write(writer, &kept.countries));
}

fn read_classes(reader: &mut Reader) -> Result<[Kept; Class::COUNT], Malformed> {
    let mut classes: [Kept; Class::COUNT] = Default::default();
    for kept in &mut classes {
        *kept = read_kept(reader)?;
    }
    // A record of format 1 ends here: countries were not measured.
    if !reader.is_at_end() {
        for kept in &mut classes {
            kept.countries = countries::read(reader)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Address, Event, PathId, protocol};

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
                unhashed: false,
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
            let bytes = write_day_with(Writer::scratch(vec![7; 5000]), &day.to_kept());
            assert_eq!(read_day(day.date, &bytes), Ok(day.to_kept()), "{sources} sources");
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
