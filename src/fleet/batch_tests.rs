//! Whole batches, as text.

use super::*;
use crate::event::Event;
use crate::stats::tables::Bounds;

pub(crate) const DAY: Date = Date(20_784);

pub(crate) fn event(class: Class, protocol: u8, port: u16, source: &str, count: u32) -> Event {
    let source = source.parse::<std::net::IpAddr>().unwrap().into();
    Event { class, protocol, port, source, count, time: i64::from(DAY.0) * 86_400, ..Event::default() }
}

pub(crate) struct Letters;

impl CountryLookup for Letters {
    fn country_of(&mut self, address: Address) -> Option<Country> {
        Some(if address.low & 1 == 1 { Country(*b"US") } else { Country::UNKNOWN })
    }
}

pub(crate) fn writer<'w>(sources: Sources, out: &'w mut Vec<u8>, lookup: &'w mut Letters) -> Writer<'w> {
    Writer { date: DAY, sent: 1_795_800_000, offset: 540, sources, out, lookup: Some(lookup) }
}

pub(crate) fn text(sources: Sources, day: &Day) -> String {
    let mut out = Vec::new();
    writer(sources, &mut out, &mut Letters).write_day(day).unwrap();
    String::from_utf8(out).unwrap()
}

fn day() -> Day {
    let mut day = Day::new(DAY, 7);
    day.add(&event(Class::Attempt, 6, 23, "203.0.113.5", 5), 3);
    day.add(&event(Class::Attempt, 6, 23, "203.0.113.4", 1), 23);
    day.add(&event(Class::Attempt, 58, 0, "2001:db8::1", 2), 3);
    day.add(&event(Class::Egress, 17, 53, "192.168.1.7", 1), 0);
    day.lost = 3;
    day
}

#[test]
fn a_batch_has_a_line_for_each_class_and_pair_of_its_day() {
    let begin = |kind: &str, class: &str| {
        format!(r#"{{"format":1,"kind":"{kind}","day":"2026-11-27","sent":1795800000,"class":"{class}","#)
    };
    let version = env!("CARGO_PKG_VERSION");
    let expected = [
        begin("day", "attempt")
            + &format!(
                r#""attempts":8,"sources":3,"complete":1,"lost":3,"offset":540,"version":"{version}","hours":[0,0,0,7,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1]}}"#
            ),
        begin("pair", "attempt")
            + r#""protocol":6,"port":23,"source":"203.0.113.4","country":"ZZ","attempts":1}"#,
        begin("pair", "attempt")
            + r#""protocol":6,"port":23,"source":"203.0.113.5","country":"US","attempts":5}"#,
        begin("pair", "attempt")
            + r#""protocol":58,"port":0,"source":"2001:db8::1","country":"US","attempts":2}"#,
        begin("day", "egress")
            + &format!(
                r#""attempts":1,"sources":1,"complete":1,"lost":3,"offset":540,"version":"{version}","hours":[1,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]}}"#
            ),
        begin("pair", "egress")
            + r#""protocol":17,"port":53,"source":"192.168.1.7","country":"","attempts":1}"#,
    ];
    assert_eq!(text(Sources::Address, &day()), expected.join("\n") + "\n");
}

#[test]
fn hashed_sources_hide_the_address_and_stay_as_many() {
    let hashed = text(Sources::hashed_with("a"), &day());
    assert!(!hashed.contains("203.0.113") && !hashed.contains("2001:db8") && !hashed.contains("192.168"));
    let sources = |text: &str| -> Vec<String> {
        let mut found: Vec<String> =
            text.split(r#""source":""#).skip(1).map(|rest| rest.split('"').next().unwrap().into()).collect();
        found.sort();
        found.dedup();
        found
    };
    let found = sources(&hashed);
    assert!(found.len() == 4 && found.iter().all(|source| source.starts_with("100::")), "{found:?}");
    // The country is that of the address, and the key decides.
    assert_eq!(hashed.matches(r#""country":"US""#).count(), 2);
    assert_eq!(hashed, text(Sources::hashed_with("a"), &day()));
    assert_ne!(sources(&text(Sources::hashed_with("b"), &day())), found);
}

#[test]
fn without_sources_registers_tell_how_many_there_were() {
    let mut day = Day::new(DAY, 7);
    for number in 0..2000u32 {
        let source = Address::v4(0x0b00_0000 + number * 7919);
        day.add(&Event { source, ..event(Class::Attempt, 6, 23, "::", 1) }, 1);
    }
    day.add(&event(Class::Attempt, 17, 53, "203.0.113.5", 4), 1);
    let text = text(Sources::Registers, &day);
    assert!(!text.contains("pair") && !text.contains("203.0.113.5"));
    let rows: Vec<serde_json::Value> =
        text.lines().skip(1).map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 2);
    assert_eq!((rows[0]["attempts"].as_u64(), rows[0]["sources"].as_u64()), (Some(2000), Some(2000)));
    assert_eq!((rows[1]["attempts"].as_u64(), rows[1]["registers"].as_array().unwrap().len()), (Some(4), 1));
    // The usual estimate (Flajolet et al. 2007) is near the truth.
    let registers = rows[0]["registers"].as_array().unwrap();
    let mut sum = (REGISTERS - registers.len()) as f64;
    for register in registers {
        let register = register.as_u64().unwrap();
        assert!(register < 65_536 && register % 64 > 0);
        sum += 0.5f64.powi((register % 64) as i32);
    }
    let estimate = 0.7213 / (1.0 + 1.079 / 1024.0) * 1024.0 * 1024.0 / sum;
    assert!((1800.0..2200.0).contains(&estimate), "{estimate}");
}

#[test]
fn a_table_that_overflowed_gives_its_heaviest_rows_and_the_true_totals() {
    let bounds = Bounds { services: 64, sources: 4096, pairs: 4096, ..Bounds::OTHERS };
    let mut day = Day::with_bounds(DAY, 7, bounds, bounds);
    day.add(&event(Class::Attempt, 6, 22, "203.0.113.5", 500), 1);
    for number in 0..20_000u32 {
        let source = Address::v4(0x0b00_0000 + number);
        day.add(&Event { source, ..event(Class::Attempt, 6, 23, "::", 1) }, 1);
    }
    let text = text(Sources::Address, &day);
    let (first, pairs) = text.split_once('\n').unwrap();
    assert!(first.contains(r#""attempts":20500,"#) && first.contains(r#""complete":0,"#), "{first}");
    let sources: u64 =
        first.split(r#""sources":"#).nth(1).unwrap().split(',').next().unwrap().parse().unwrap();
    assert!((18_000..22_000).contains(&sources), "{sources}");
    assert_eq!(pairs.lines().count(), 2048);
    assert!(pairs.contains(r#""port":22,"source":"203.0.113.5","country":"US","attempts":500}"#));
    // No more is reported than what was counted.
    let sum: u64 = pairs
        .lines()
        .map(|line| {
            line.split(r#""attempts":"#).nth(1).unwrap().trim_end_matches('}').parse::<u64>().unwrap()
        })
        .sum();
    assert!(sum <= 20_500, "{sum}");
}

#[test]
fn the_stores_day_has_what_is_left_of_it() {
    let stored = |day: &Day| {
        let (summary, mut out) = (day.to_closed(), Vec::new());
        let class = summary.class(Class::Attempt);
        let totals = Totals { complete: true, ..totals_of(day, Class::Attempt).unwrap() };
        let mut letters = Letters;
        writer(Sources::Address, &mut out, &mut letters).write_stored(totals, &class.pairs).unwrap();
        String::from_utf8(out).unwrap()
    };
    // Nothing was cut of so small a day.
    let whole = text(Sources::Address, &day());
    assert!(whole.starts_with(&stored(&day())) && stored(&day()).lines().count() == 4);
    let mut many = Day::new(DAY, 7);
    for number in 0..100u32 {
        let source = Address::v4(0x0b00_0000 + number);
        many.add(&Event { source, ..event(Class::Attempt, 6, 23, "::", 1) }, 1);
    }
    let text = stored(&many);
    assert!(text.contains(r#""attempts":100,"sources":100,"complete":0,"#), "{text}");
}
