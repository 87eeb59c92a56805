//! A batch that was made, and more events of its day -> a batch of both: the correction.
//!
//! Reads the earlier batch line by line, twice: which of the sources are new must be known before the totals are written.

use std::io::{self, BufRead, Read};

use serde_json::Value;

use super::batch::{
    Registers, Sources, Totals, Writer, country_of, known_attempts, pair_count, slots_of, totals_of,
};
use crate::event::{Address, Class, Service};
use crate::stats::countries::{Country, CountryLookup};
use crate::stats::day::Day;

/// A longer line is no line of a batch: a service's registers take most, 6 KB.
const LONGEST_LINE: u64 = 16 << 10;

/// Service, and source as it leaves the router.
type Pair = (Service, Address);

/// Events of a class after the earlier batch: the present tables minus what that batch has.
struct Additions {
    totals: Totals,
    /// By service and source as it leaves the router.
    pairs: Vec<(Pair, Option<(u64, Country)>)>,
    /// Sources, and whether the earlier batch has them.
    sources: Vec<(Address, bool)>,
    /// Instead of the pairs.
    services: Vec<(Service, Option<ServiceAdditions>)>,
}

#[derive(Default)]
struct ServiceAdditions {
    attempts: u64,
    sources: u64,
    registers: Registers,
}

impl Additions {
    fn of(
        day: &Day,
        class: Class,
        shown: Sources,
        lookup: &mut Option<&mut (dyn CountryLookup + '_)>,
    ) -> Option<Additions> {
        let totals = totals_of(day, class)?;
        let (mut pairs, mut sources, mut services) = (Vec::new(), Vec::new(), Vec::new());
        let rows = day.tables(class).pairs();
        for slot in slots_of(day, class) {
            let pair = pair_count(&rows[slot as usize]);
            let attempts = known_attempts(&pair);
            if shown == Sources::Registers {
                // The slots are in the order of services.
                if services.last().is_none_or(|(service, _)| *service != pair.service) {
                    services.push((pair.service, Some(ServiceAdditions::default())));
                }
                if let Some((_, Some(of))) = services.last_mut() {
                    of.attempts = of.attempts.saturating_add(attempts);
                    of.sources += 1;
                    of.registers.add(pair.address);
                }
            } else {
                let source = shown.shown(pair.address);
                let country = country_of(class, pair.address, lookup);
                pairs.push(((pair.service, source), Some((attempts, country))));
                sources.push((source, false));
            }
        }
        pairs.sort_unstable_by_key(|(key, _)| *key);
        sources.sort_unstable();
        sources.dedup();
        Some(Additions { totals, pairs, sources, services })
    }

    fn new_sources(&self) -> u64 {
        self.sources.iter().filter(|(_, known)| !known).count() as u64
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the earlier batch {what}"))
}

fn lines(
    text: Box<dyn BufRead + '_>,
    each: &mut dyn FnMut(&str, Class, &Value) -> io::Result<()>,
) -> io::Result<()> {
    let mut text = text;
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = (&mut text).take(LONGEST_LINE).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(());
        }
        if line.last() != Some(&b'\n') {
            return Err(invalid("is cut or has a line that is too long"));
        }
        let row: Value = serde_json::from_slice(&line).map_err(|_| invalid("has a line that is no JSON"))?;
        let class = row["class"].as_str().and_then(Class::from_name);
        let (Some(class), Some(kind)) = (class, row["kind"].as_str()) else {
            return Err(invalid("has a line without class and kind"));
        };
        each(kind, class, &row)?;
    }
}

fn number(row: &Value, key: &str) -> io::Result<u64> {
    row[key].as_u64().ok_or_else(|| invalid(&format!("has a line without '{key}'")))
}

fn service(row: &Value) -> io::Result<Service> {
    let (protocol, port) = (number(row, "protocol")?, number(row, "port")?);
    match (u8::try_from(protocol), u16::try_from(port)) {
        (Ok(protocol), Ok(port)) => Ok(Service { protocol, port }),
        _ => Err(invalid("has a service that is none")),
    }
}

fn source(row: &Value) -> io::Result<Address> {
    let text = row["source"].as_str().unwrap_or_default();
    text.parse::<std::net::IpAddr>().map(Address::from).map_err(|_| invalid("has a source that is none"))
}

fn country(row: &Value) -> Country {
    match row["country"].as_str().map(str::as_bytes) {
        Some(&[a, b]) if a.is_ascii_uppercase() && b.is_ascii_uppercase() => Country([a, b]),
        _ => Country::NONE,
    }
}

/// Writes the earlier batch, which `open` opens, with a day's tables added. The kind of sources must be the earlier
/// batch's own; an error of the kind `InvalidData` says that it is not, or that the batch cannot be read.
pub fn merge(
    open: &mut dyn FnMut() -> io::Result<Box<dyn BufRead>>,
    day: &Day,
    writer: &mut Writer<'_>,
    mut lookup: Option<&mut (dyn CountryLookup + '_)>,
) -> io::Result<()> {
    let shown = writer.header.sources;
    let of = |class| Additions::of(day, class, shown, &mut lookup);
    let mut more: Vec<Option<Additions>> = Class::ALL.into_iter().map(of).collect();
    lines(open()?, &mut |kind, class, row| {
        let registers = shown == Sources::Registers;
        match kind {
            "pair" if !registers => {
                let source = source(row)?;
                if (source.high == 0x0100_0000_0000_0000) != matches!(shown, Sources::Hash(..)) {
                    return Err(invalid("has other sources"));
                }
                if let Some(more) = &mut more[class as usize]
                    && let Ok(at) = more.sources.binary_search_by_key(&source, |(source, _)| *source)
                {
                    more.sources[at].1 = true;
                }
            }
            "service" if registers => {}
            "day" => {}
            _ => return Err(invalid("has other sources")),
        }
        Ok(())
    })?;
    let mut merged = [false; Class::COUNT];
    let mut lost = day.lost;
    lines(open()?, &mut |kind, class, row| {
        let attempts = number(row, "attempts")?;
        let more = &mut more[class as usize];
        match kind {
            "day" => {
                merged[class as usize] = true;
                lost = number(row, "lost")?.saturating_add(day.lost);
                let mut totals = Totals {
                    class,
                    attempts,
                    sources: number(row, "sources")?,
                    complete: number(row, "complete")? == 1,
                    lost,
                    hours: None,
                };
                let hours = row["hours"].as_array().into_iter().flatten();
                for (hour, count) in hours.enumerate().take(24) {
                    totals.hours.get_or_insert_default()[hour] = count.as_u64().unwrap_or(0);
                }
                if let Some(more) = more {
                    let new = &more.totals;
                    totals.attempts = totals.attempts.saturating_add(new.attempts);
                    totals.sources = match shown {
                        // How many both have in common is not known.
                        Sources::Registers => totals.sources.max(new.sources),
                        _ => totals.sources.saturating_add(more.new_sources()),
                    };
                    totals.complete &= new.complete && shown != Sources::Registers;
                    for (hour, count) in totals.hours.iter_mut().flatten().zip(new.hours.iter().flatten()) {
                        *hour = hour.saturating_add(*count);
                    }
                }
                writer.day(&totals)
            }
            "pair" => {
                let (service, source) = (service(row)?, source(row)?);
                let new = more.as_mut().and_then(|more| {
                    let at = more.pairs.binary_search_by_key(&(service, source), |(key, _)| *key).ok()?;
                    more.pairs[at].1.take()
                });
                let sum = attempts.saturating_add(new.map_or(0, |(attempts, _)| attempts));
                writer.pair(class, service, source, country(row), sum)
            }
            _ => {
                let service = service(row)?;
                let new = more.as_mut().and_then(|more| {
                    let at = more.services.binary_search_by_key(&service, |(service, _)| *service).ok()?;
                    more.services[at].1.take()
                });
                let ServiceAdditions { attempts: more, sources, mut registers } = new.unwrap_or_default();
                for register in row["registers"].as_array().into_iter().flatten() {
                    let register = register.as_u64().unwrap_or(0);
                    registers.raise((register / 64) as usize, (register % 64) as u8);
                }
                let sources = sources.max(number(row, "sources")?);
                writer.service(class, service, attempts.saturating_add(more), sources, &registers)
            }
        }
    })?;
    for (class, more) in Class::ALL.into_iter().zip(more) {
        let Some(more) = more else { continue };
        if !merged[class as usize] {
            writer.day(&Totals { lost, ..more.totals })?;
        }
        for ((service, source), new) in more.pairs {
            if let Some((attempts, country)) = new {
                writer.pair(class, service, source, country, attempts)?;
            }
        }
        for (service, new) in more.services {
            if let Some(ServiceAdditions { attempts, sources, registers }) = new {
                writer.service(class, service, attempts, sources, &registers)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::batch::tests::{DAY, Letters, event, header, text};
    use super::*;
    use std::io::{BufReader, Cursor};

    fn merged(sources: Sources, earlier: &str, day: &Day) -> io::Result<String> {
        let mut out = Vec::new();
        let mut open = || -> io::Result<Box<dyn BufRead>> {
            Ok(Box::new(BufReader::new(Cursor::new(earlier.as_bytes().to_vec()))))
        };
        merge(&mut open, day, &mut Writer::new(header(sources), &mut out), Some(&mut Letters))?;
        Ok(String::from_utf8(out).unwrap())
    }

    fn sorted(text: &str) -> Vec<&str> {
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        lines
    }

    /// Two parts of a day, and the whole of it.
    fn days() -> (Day, Day, Day) {
        let (mut first, mut second, mut both) = (Day::new(DAY, 7), Day::new(DAY, 7), Day::new(DAY, 7));
        for (event, hour, late) in [
            (event(Class::Attempt, 6, 23, "203.0.113.5", 5), 3, false),
            (event(Class::Attempt, 6, 22, "203.0.113.6", 1), 3, false),
            (event(Class::Noise, 2, 0, "192.168.1.1", 9), 3, false),
            // Known pair, known source at another service, new source, new class.
            (event(Class::Attempt, 6, 23, "203.0.113.5", 2), 23, true),
            (event(Class::Attempt, 6, 80, "203.0.113.6", 4), 23, true),
            (event(Class::Attempt, 6, 23, "203.0.113.9", 1), 23, true),
            (event(Class::Login, 6, 22, "203.0.113.5", 3), 22, true),
        ] {
            if late { &mut second } else { &mut first }.add(&event, hour);
            both.add(&event, hour);
        }
        (first.lost, second.lost, both.lost) = (1, 2, 3);
        (first, second, both)
    }

    #[test]
    fn a_correction_is_the_batch_of_all_events() {
        let (first, second, both) = days();
        for sources in [Sources::Address, Sources::hashed_with("key")] {
            let merged = merged(sources, &text(sources, &first), &second).unwrap();
            assert_eq!(sorted(&merged), sorted(&text(sources, &both)), "{sources:?}");
        }
    }

    #[test]
    fn registers_join_and_never_claim_to_be_complete() {
        let (first, second, both) = days();
        let sources = Sources::Registers;
        let merged = merged(sources, &text(sources, &first), &second).unwrap();
        let all = text(sources, &both);
        let of = |text: &str, port: u16| -> Value {
            let found = text.lines().find(|line| line.contains(&format!(r#""port":{port},"#))).unwrap();
            serde_json::from_str(found).unwrap()
        };
        for port in [23, 22, 80] {
            assert_eq!(of(&merged, port)["registers"], of(&all, port)["registers"]);
            assert_eq!(of(&merged, port)["attempts"], of(&all, port)["attempts"]);
        }
        assert!(merged.lines().next().unwrap().contains(r#""attempts":13,"sources":3,"complete":0,"#));
    }

    #[test]
    fn what_is_no_batch_of_these_sources_is_refused() {
        let (first, second, _) = days();
        let good = text(Sources::Address, &first);
        for bad in [
            good[..good.len() - 2].to_string(),
            text(Sources::Registers, &first),
            text(Sources::hashed_with("x"), &first),
            good.replace("203.0.113.5", "203.0.113"),
            good.replace(r#""port":23"#, r#""port":65559"#),
            good.replace(r#""attempts":5"#, r#""attempts":-5"#),
            "[".repeat(100_000),
            "null\n".into(),
        ] {
            let error = merged(Sources::Address, &bad, &second).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
        }
    }
}
