use super::*;
use crate::event::paths::Rule;
use crate::event::{Address, Service, Verdict};
use crate::stats::countries::{Countries, Country, CountryCount, ServiceCountryCount};
use crate::stats::rules::RuleCount;
use crate::stats::sample::{Distinct, Sample};
use crate::stats::summary::{Hours, PairCount, Rows, ServiceCount, SourceCount};
use crate::store::codec;
use crate::store::container;

fn service(port: u16) -> Service {
    Service { protocol: 6, port }
}

/// A summary with something in every field.
pub(crate) fn everything(date: Date) -> DaySummary {
    let midnight = i64::from(date.0) * 86_400;
    let mut day = DaySummary::new(date);
    for (number, class) in Class::ALL.into_iter().enumerate() {
        let scale = number as u64 * 1000 + 1;
        let mut hours = [7; 24];
        hours[3] = 70_000;
        let row = |port, attempts, hours| ServiceCount {
            service: service(port),
            attempts,
            error: attempts / 3,
            distinct: (port != 22).then_some(Distinct { number: attempts / 2, error: u64::from(port == 80) }),
            hours,
        };
        let source = |address, attempts, first, last, hours| SourceCount {
            address,
            attempts,
            error: 1,
            services: (attempts != 5).then_some(3),
            first,
            last,
            hours,
        };
        let mut sample = Sample::new(64);
        for host in 0..200u32 {
            let country = Country(if host % 2 == 0 { *b"JP" } else { [0, 0] });
            sample.add(host << 20, country, (6 << 16) + host % 5);
            // Nobody else tried it.
            sample.add(host << 20, country, (17 << 16) + 60_000 + host);
        }
        day.classes[class as usize] = ClassSummary {
            attempts: 80_000 * scale,
            distinct: Some(Distinct { number: 9 * scale, error: scale }),
            hours: [scale; 24],
            protocols: vec![(1, 5), (6, u64::MAX / 2), (255, 1)],
            verdicts: [scale; Verdict::COUNT],
            services: Rows {
                rows: vec![
                    row(80, 71_000 * scale, Some(Hours::new(hours))),
                    row(22, 800, None),
                    row(443, 7, Some(Hours::new([1; 24]))),
                    row(0, 1, None),
                ],
                floor: 5,
                missing: 2,
            },
            sources: Rows {
                rows: vec![
                    source(Address::v4(u32::MAX), 9 * scale, midnight - 3600, midnight + 90_000, None),
                    source(Address::v6(1), 6, midnight, midnight, Some(Hours::new([0; 24]))),
                    source(Address::v6(u128::MAX), 5, i64::MAX, i64::MIN, None),
                ],
                floor: 4,
                missing: 0,
            },
            pairs: Rows {
                // A source without a row, and one that has one.
                rows: [Address::v4(7), Address::v6(1)]
                    .map(|address| PairCount { service: service(80), address, attempts: scale, error: 3 })
                    .into(),
                floor: 0,
                missing: 9,
            },
            rules: ["reject wan in:", ""]
                .map(|prefix| RuleCount {
                    rule: Rule { prefix: prefix.into(), interface: "pppoe-wan".into(), zone: "wan".into() },
                    attempts: scale,
                })
                .into(),
            // Of a class without rows of targets something can be missing all the same.
            targets: Rows {
                rows: [Address::v4(7), Address::v6(1)]
                    .iter()
                    .filter(|_| class != Class::Login)
                    .map(|address| PairCount {
                        service: service(22),
                        address: *address,
                        attempts: scale,
                        error: 1,
                    })
                    .collect(),
                floor: 2,
                missing: 1,
            },
            countries: Countries {
                measured: 77,
                rows: Rows {
                    rows: vec![CountryCount {
                        country: Country(*b"JP"),
                        attempts: 70,
                        distinct: Some(Distinct { number: 3, error: 1 }),
                    }],
                    floor: 1,
                    missing: 0,
                },
                services: Rows {
                    rows: vec![ServiceCountryCount {
                        service: service(80),
                        country: Country::UNKNOWN,
                        attempts: 7,
                        distinct: None,
                    }],
                    floor: 6,
                    missing: 5,
                },
            },
            sample: Some(sample),
        };
    }
    day
}

/// What a sample says, whatever it may hold at most.
type Sampled<'a> = Option<(u64, &'a [(u32, Country)], &'a [(u32, u32)])>;

fn sampled(sample: &Option<Sample<Country>>) -> Sampled<'_> {
    sample.as_ref().map(|sample| (sample.bound(), sample.sources(), sample.tried()))
}

fn assert_same(ours: &DaySummary, theirs: &DaySummary) {
    assert_eq!(ours.date, theirs.date);
    for (a, b) in ours.classes.iter().zip(&theirs.classes) {
        assert_eq!(sampled(&a.sample), sampled(&b.sample));
        let without = |class: &ClassSummary| ClassSummary { sample: None, ..class.clone() };
        assert_eq!(without(a), without(b));
    }
}

fn file_of(days: &[DaySummary], unit: Unit, pack: Pack) -> Open {
    Open::from_bytes(container::write(1, encode(&mut days.to_vec(), None, unit, pack).collect())).unwrap()
}

#[test]
fn every_field_comes_back() {
    let days = [everything(Date(20_000)), DaySummary::new(Date(20_001)), everything(Date(20_002))];
    for pack in [Section::plain, Section::packed] {
        let (read, whole) = decode(&file_of(&days, Unit::Seconds, pack), Unit::Seconds);
        assert!(whole && read.len() == 2, "an empty day says nothing");
        assert_same(&read[0].summary, &days[0]);
        assert_same(&read[1].summary, &days[2]);
    }
    // In minutes times are the minute's begin.
    let mut day = everything(Date(20_000));
    for row in day.classes.iter_mut().flat_map(|class| &mut class.sources.rows) {
        if row.first <= row.last {
            (row.first, row.last) = (row.first + 1, row.last + 59);
        }
    }
    let (read, _) = decode(&file_of(&[day], Unit::Minutes, Section::packed), Unit::Minutes);
    assert_same(&read[0].summary, &days[0]);
}

#[test]
fn samples_of_an_open_day_have_addresses() {
    let mut sample = Sample::new(16);
    for host in 0..100u32 {
        sample.add(host << 24, Address::v6(u128::from(host)), 6 << 16 | host);
    }
    let mut samples = Samples::default();
    samples[Class::Login as usize] = Some(sample.clone());
    let section = encode_samples(Date(9), &mut samples, Section::packed);
    let file = Open::from_bytes(container::write(1, vec![section])).unwrap();
    let (read, whole) = decode(&file, Unit::Seconds);
    assert!(whole);
    let known = read[0].samples[Class::Login as usize].as_ref().unwrap();
    assert_eq!(
        (known.bound(), known.sources(), known.tried()),
        (sample.bound(), sample.sources(), sample.tried())
    );
    assert!(read[0].samples[Class::Attempt as usize].is_none());
}

#[test]
fn invalid_bodies_are_told_and_the_others_read() {
    let body = |date: i32, class: u8, body: &[u8]| {
        let head = Content::of(|head| {
            head.put(date as u64);
            head.u8(&mut class.clone());
        });
        let mut content = Content::default();
        content.nested(&head.bytes, |codec| body.iter().for_each(|byte| codec.u8(&mut byte.clone())));
        content.bytes
    };
    let mut seen = Vec::new();
    let mut read = |raw: &[u8]| {
        seen.clear();
        let valid = bodies(
            &raw.to_vec().into(),
            |_, _| true,
            |date, class, body| {
                seen.push((date.0, class, body.left()));
                while !body.is_empty() {
                    body.u8(&mut 0);
                }
            },
        );
        (valid, seen.clone())
    };
    let good = body(7, 0, &[1, 2]);
    assert_eq!(read(&good), (true, vec![(7, Class::Attempt, 2)]));
    let both = [good.clone(), body(8, 4, &[9])].concat();
    assert_eq!(read(&both), (true, vec![(7, Class::Attempt, 2), (8, Class::Login, 1)]));
    assert_eq!(read(&[good.clone(), body(8, 5, &[9])].concat()), (false, vec![(7, Class::Attempt, 2)]));
    for cut in 1..good.len() {
        assert!(!read(&good[..cut]).0, "{cut}");
    }
    // Bytes that nobody reads make a body invalid.
    assert!(!bodies(&good.clone().into(), |_, _| true, |_, _, _| {}));
    assert!(bodies(&good.into(), |_, _| false, |_, _, _| panic!()));
}

#[test]
fn numbers_of_rows_are_never_believed() {
    for kind in KINDS {
        for count in [codec::MAX_ROWS as u64 + 1, u64::MAX, 1 << 40] {
            let content = Content::of(|codec| (0..3).for_each(|_| codec.put(count)));
            let mut sample = Sample::new(9);
            assert!(sample.set_sources(9, vec![(1, Country::NONE)]));
            let mut summary = ClassSummary { sample: Some(sample), ..ClassSummary::default() };
            let mut reader = content.reader();
            super::body(&mut reader, kind, Date(1), &mut summary, Unit::Minutes);
            assert!(reader.failed, "{kind:?} {count}");
            assert!(summary.services.rows.is_empty() && summary.sources.rows.is_empty());
        }
    }
}

#[test]
fn a_damaged_section_spares_the_others() {
    let mut days = [everything(Date(20_000))];
    let sections = encode(&mut days, None, Unit::Minutes, Section::packed);
    let bytes = container::write(1, sections.collect());
    for kind in KINDS {
        let mut bytes = bytes.clone();
        let entry = *Open::from_bytes(bytes.clone()).unwrap().find(kind).unwrap();
        bytes[entry.offset + entry.length / 2] ^= 1;
        let (read, whole) = decode(&Open::from_bytes(bytes).unwrap(), Unit::Minutes);
        assert!(!whole, "{kind:?}");
        let class = &read[0].summary.classes[0];
        assert_eq!(class.attempts == 0, kind == Kind::Totals);
        assert_eq!(class.pairs.rows.is_empty(), matches!(kind, Kind::Pairs | Kind::Sources));
        assert_eq!(class.sample.is_none(), kind == Kind::Sample);
        assert_eq!(class.countries.measured == 0, kind == Kind::Countries);
        assert_eq!(class.sources.rows.is_empty(), kind == Kind::Sources);
        assert_eq!(class.services.rows.is_empty(), kind == Kind::Services);
    }
}

#[test]
fn a_table_has_no_more_rows_than_its_bytes_can_hold() {
    for kind in [Kind::Services, Kind::Sources, Kind::Pairs, Kind::Countries, Kind::Rules] {
        let mut summary = ClassSummary::default();
        // As many rows as bytes, all of them zero; countries and rules have other fields before the rows.
        let content = [&[0; 6][..], &[200, 1], &[0; 200]].concat();
        for skipped in 0..=6 {
            let mut reader = codec::Codec::reader(&content[skipped..]);
            body(&mut reader, kind, Date(20_000), &mut summary, Unit::Minutes);
        }
        let ClassSummary { services, sources, pairs, rules, countries, .. } = &summary;
        let lengths = [services.rows.len(), sources.rows.len(), pairs.rows.len(), rules.len()];
        assert_eq!((lengths, countries.rows.rows.len()), ([0; 4], 0), "{kind:?}");
    }
}
