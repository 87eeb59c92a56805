//! A batch and further events of its day -> a batch of both, the correction.
//!
//! Reads the earlier batch line by line. The totals come last: which of the sources are new is known only then.

use std::io::{self, BufRead, Read};

use serde_json::Value;

use super::batch::{HASHES, Pair, ServiceSums, Sources, Totals, Writer, known_attempts, pairs_of, totals_of};
use crate::event::{Address, Class, Service};
use crate::query::question::country;
use crate::stats::countries::Country;
use crate::stats::day::Day;

/// The longest line of a batch; the longest valid one, a service's registers, has 6 KB.
const LONGEST_LINE: u64 = 16 << 10;

/// Events of a class after the earlier batch: the present tables minus what that batch has.
struct Additions {
    totals: Totals,
    /// By service and source as it is sent.
    pairs: Vec<(Pair, Option<(u64, Country)>)>,
    /// Sources, and whether the earlier batch has them.
    sources: Vec<(Address, bool)>,
    /// Used instead of the pairs without sources.
    services: Vec<(Service, Option<ServiceSums>)>,
}

impl Additions {
    fn of(day: &Day, class: Class, writer: &mut Writer<'_>) -> Option<Additions> {
        let totals = totals_of(day, class)?;
        let shown = writer.sources;
        let (mut pairs, mut sources, mut services) = (Vec::new(), Vec::new(), Vec::new());
        for pair in pairs_of(day, class) {
            let attempts = known_attempts(&pair);
            if shown == Sources::Registers {
                // The pairs are in the order of services.
                if services.last().is_none_or(|(service, _)| *service != pair.service) {
                    services.push((pair.service, Some(ServiceSums::default())));
                }
                if let Some((_, Some(sums))) = services.last_mut() {
                    sums.add(attempts, pair.address);
                }
            } else {
                let source = shown.encoded(pair.address);
                let country = writer.country_of(class, pair.address);
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

/// Takes the addition to a key, which stays in the list.
fn take<K: Ord, V>(additions: &mut [(K, Option<V>)], key: &K) -> Option<V> {
    let at = additions.binary_search_by(|(known, _)| known.cmp(key)).ok()?;
    additions[at].1.take()
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the earlier batch {what}"))
}

/// The next line of a batch, with its class; `None` at the end.
fn next_row(text: &mut dyn BufRead) -> io::Result<Option<(Class, Value)>> {
    let mut line = Vec::new();
    if text.take(LONGEST_LINE).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.last() != Some(&b'\n') {
        return Err(invalid("is cut or has a line that is too long"));
    }
    let row: Value = serde_json::from_slice(&line).map_err(|_| invalid("has a line that is no JSON"))?;
    match row["class"].as_str().and_then(Class::from_name) {
        Some(class) if row["kind"].is_string() => Ok(Some((class, row))),
        _ => Err(invalid("has a line without class and kind")),
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

fn totals(class: Class, row: &Value) -> io::Result<Totals> {
    let mut totals = Totals {
        class,
        attempts: number(row, "attempts")?,
        sources: number(row, "sources")?,
        complete: number(row, "complete")? == 1,
        lost: number(row, "lost")?,
        hours: None,
    };
    for (hour, count) in row["hours"].as_array().into_iter().flatten().enumerate().take(24) {
        totals.hours.get_or_insert_default()[hour] = count.as_u64().unwrap_or(0);
    }
    Ok(totals)
}

/// Writes the earlier batch with a day's tables added. The option `sources` must be that of the earlier batch; an error
/// of the kind `InvalidData`: it is not, or the batch cannot be read.
pub fn merge(mut earlier: Box<dyn BufRead + '_>, day: &Day, writer: &mut Writer<'_>) -> io::Result<()> {
    let shown = writer.sources;
    let mut more = Class::ALL.map(|class| Additions::of(day, class, writer));
    let mut before: [Option<Totals>; Class::COUNT] = Default::default();
    let (mut hashes, mut addresses) = (0u64, 0u64);
    while let Some((class, row)) = next_row(&mut earlier)? {
        let (row, more) = (&row, &mut more[class as usize]);
        match row["kind"].as_str().unwrap_or_default() {
            "day" => before[class as usize] = Some(totals(class, row)?),
            "pair" if shown != Sources::Registers => {
                let (service, source) = (service(row)?, source(row)?);
                let count = if source.high == HASHES { &mut hashes } else { &mut addresses };
                *count += 1;
                let mut attempts = number(row, "attempts")?;
                if let Some(more) = more {
                    if let Ok(at) = more.sources.binary_search_by_key(&source, |(source, _)| *source) {
                        more.sources[at].1 = true;
                    }
                    if let Some((more, _)) = take(&mut more.pairs, &(service, source)) {
                        attempts = attempts.saturating_add(more);
                    }
                }
                let country = row["country"].as_str().and_then(country).map_or(Country::NONE, Country);
                writer.pair(class, (service, source), country, attempts)?;
            }
            "service" if shown == Sources::Registers => {
                let service = service(row)?;
                let new = more.as_mut().and_then(|more| take(&mut more.services, &service));
                let mut sums = new.unwrap_or_default();
                for register in row["registers"].as_array().into_iter().flatten() {
                    let register = register.as_u64().unwrap_or(0);
                    sums.raise((register / 64) as usize, (register % 64) as u8);
                }
                sums.attempts = sums.attempts.saturating_add(number(row, "attempts")?);
                sums.sources = sums.sources.max(number(row, "sources")?);
                writer.service(class, service, &sums)?;
            }
            _ => return Err(invalid("has other sources")),
        }
    }
    // Among addresses there can be some of the prefix: who sends a packet chooses its source.
    let is_other = match shown {
        Sources::Address => addresses == 0 && hashes > 0,
        Sources::Hash(..) => addresses > 0,
        Sources::Registers => false,
    };
    if is_other {
        return Err(invalid("has other sources"));
    }
    let lost = before.iter().flatten().map(|totals| totals.lost).max().unwrap_or(0).saturating_add(day.lost);
    for (before, more) in before.into_iter().zip(more) {
        let joined = match (before, &more) {
            (Some(mut totals), Some(more)) => {
                let added = &more.totals;
                totals.attempts = totals.attempts.saturating_add(added.attempts);
                totals.sources = match shown {
                    // The number of sources in both is not known.
                    Sources::Registers => totals.sources.max(added.sources),
                    _ => totals.sources.saturating_add(more.new_sources()),
                };
                totals.complete &= added.complete && shown != Sources::Registers;
                for (hour, count) in totals.hours.iter_mut().flatten().zip(added.hours.iter().flatten()) {
                    *hour = hour.saturating_add(*count);
                }
                totals
            }
            (Some(totals), None) => totals,
            (None, Some(more)) => more.totals.clone(),
            (None, None) => continue,
        };
        let class = joined.class;
        writer.day(&Totals { lost, ..joined })?;
        let Some(Additions { pairs, services, .. }) = more else { continue };
        for (pair, new) in pairs {
            if let Some((attempts, country)) = new {
                writer.pair(class, pair, country, attempts)?;
            }
        }
        for (service, new) in services {
            if let Some(sums) = new {
                writer.service(class, service, &sums)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::batch::tests::{DAY, Letters, event, text, writer};
    use super::*;

    fn merged(sources: Sources, earlier: &str, day: &Day) -> io::Result<String> {
        let mut out = Vec::new();
        merge(Box::new(earlier.as_bytes()), day, &mut writer(sources, &mut out, &mut Letters))?;
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
    fn a_source_of_the_prefix_of_hashes_is_an_address_among_others() {
        let (mut first, second, mut both) = days();
        for day in [&mut first, &mut both] {
            day.add(&event(Class::Attempt, 6, 23, "100::5", 1), 3);
        }
        let merged = merged(Sources::Address, &text(Sources::Address, &first), &second).unwrap();
        assert_eq!(sorted(&merged), sorted(&text(Sources::Address, &both)));
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
        let day = merged.lines().find(|line| line.contains(r#""kind":"day""#)).unwrap();
        assert!(day.contains(r#""attempts":13,"sources":3,"complete":0,"#));
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
