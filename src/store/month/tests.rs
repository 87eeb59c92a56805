use super::*;
use crate::event::{Address, Event, Service};
use crate::query::history::Section as SectionName;
use crate::stats::anomalies::Anomaly;
use crate::stats::day::Day;
use crate::stats::sample::Distinct;
use crate::store::sections::tests::everything;

const SALT: u64 = 9;

fn first() -> Date {
    Date::parse("2026-10-01").unwrap()
}

fn month_of(date: Date) -> Month {
    date.month()
}

/// A closed day: `sources` hosts from `from` on, two attempts each on port 23 and one on another.
fn day(date: Date, from: u32, sources: u32) -> DaySummary {
    let mut day = Day::new(date, SALT);
    for host in from..from + sources {
        for (hour, port) in [(1u8, 23), (2, 23), (3, 1000 + (host % 7) as u16)] {
            let time = i64::from(date.0) * 86_400 + i64::from(hour) * 3600;
            let event =
                Event { time, source: Address::v4(host), protocol: 6, port, count: 1, ..Event::default() };
            day.add(&event, hour);
        }
    }
    day.to_closed()
}

fn written(whole: &MonthData) -> Open {
    Open::from_bytes(whole.clone().encode(SALT)).unwrap()
}

/// The files of the days, if they have any.
fn written_days(whole: &MonthData) -> Vec<(Date, Open)> {
    let mut encoded = whole.clone();
    let days = whole.days.iter().filter(|_| whole.detail == Detail::Fresh);
    days.map(|day| (day.date, Open::from_bytes(encoded.encode_day(day.date, SALT).unwrap()).unwrap()))
        .collect()
}

fn again(whole: &MonthData) -> MonthData {
    let (mut read, damage) = super::read(&written(whole), whole.month, Wanted::All);
    assert_eq!(damage, None);
    for (date, file) in written_days(whole) {
        assert_eq!(read.read_day(&file, date, Wanted::All), None);
    }
    read
}

fn attempts(whole: &MonthData) -> Vec<(i32, u64)> {
    let of = |day: &DaySummary| (day.date.0 - first().0, day.classes[0].attempts);
    whole.days.iter().map(of).collect()
}

/// The section of the month's totals.
fn totals(whole: &MonthData) -> Vec<u8> {
    Content::of(|codec| summary::code(codec, &mut whole.clone())).bytes
}

#[test]
fn a_month_comes_back() {
    let mut whole = MonthData::new(month_of(first()));
    let mut lossy = day(Date(first().0 + 30), 50, 20);
    lossy.lost = 77;
    whole.add(vec![lossy, day(first(), 0, 10), everything(Date(first().0 + 3))]);
    let cell = Anomaly {
        date: Date(first().0 + 3),
        service: Service { protocol: 17, port: 1900 },
        attempts: 92_890,
        expected: 50.5,
        score: 1234.5,
    };
    whole.cells = vec![cell];
    let read = again(&whole);
    assert_eq!((totals(&read), &read.cells, read.days.len()), (totals(&whole), &whole.cells, 3));
    assert_eq!(attempts(&read), [(0, 30), (3, 80_000), (30, 60)]);
    assert_eq!(read.days[2].lost, 77);
    for (read, whole) in read.days.iter().zip(&whole.days) {
        for (read, whole) in read.classes.iter().zip(&whole.classes) {
            assert_eq!(
                (read.attempts, read.distinct, &read.services),
                (whole.attempts, whole.distinct, &whole.services)
            );
            assert_eq!(read.pairs, whole.pairs);
        }
    }
    // What a question reads is the same, and only what it wants.
    let need = Need::new(Class::Attempt).and(&[SectionName::Services], first(), first());
    let (mut data, damage) = super::read(&written(&whole), whole.month, Wanted::Need(&need));
    for (date, file) in written_days(&whole) {
        assert_eq!(data.read_day(&file, date, Wanted::Need(&need)), None);
    }
    assert_eq!((damage, data.days.len(), data.cells.len()), (None, 3, 0));
    assert_eq!(data.days[0].classes[0].services.rows.len(), 8);
    assert!(
        data.days[0].classes[0].services.rows[0].hours.is_none()
            && data.days[0].classes[0].sources.rows.is_empty()
    );
    assert!(data.days[1].classes[0].services.rows.is_empty());
    assert_eq!(data.days[2].classes[0].attempts, 60);
}

#[test]
fn a_late_part_joins_its_day_with_the_hours_of_rows() {
    let mut whole = MonthData::new(month_of(first()));
    whole.add(vec![day(first(), 0, 100)]);
    let mut whole = again(&whole);
    whole.add(vec![day(first(), 50, 100)]);
    let read = again(&whole);
    assert_eq!(attempts(&read), [(0, 600)]);
    let class = read.days[0].class(Class::Attempt);
    let telnet = class.services.rows.iter().find(|row| row.service.port == 23).unwrap();
    assert_eq!(telnet.attempts, 400);
    let hours = telnet.hours.as_ref().unwrap().counts();
    assert_eq!((hours[1], hours[2], hours.iter().sum::<u32>()), (200, 200, 400));
    // Both parts have whole samples: the number stays exact.
    assert_eq!(class.distinct, Some(Distinct::exactly(150)));
    assert_eq!(read.distinct[0], Some(Distinct::exactly(150)));
    assert_eq!(read.days[0].classes[0].distinct, Some(Distinct::exactly(150)));
    assert_eq!(class.hours[1], 200);
}

#[test]
fn a_month_goes_from_fresh_to_days_to_the_whole_and_keeps_its_totals() {
    let mut whole = MonthData::new(month_of(first()));
    whole.add((0..31).map(|number| day(Date(first().0 + number), number as u32 * 400, 1000)).collect());
    let (distinct, of_days) = (whole.distinct, attempts(&whole));
    let Distinct { number, error } = distinct[0].unwrap();
    assert!(number.abs_diff(13_000) <= error, "{number} {error}");
    whole.drop_hours();
    let mut days = again(&whole);
    assert_eq!((attempts(&days), days.detail, days.distinct), (of_days.clone(), Detail::Days, distinct));
    for day in &days.days {
        let class = day.class(Class::Attempt);
        assert!(class.services.rows.iter().all(|row| row.hours.is_none()));
        assert!(class.sources.rows.iter().all(|row| row.hours.is_none()));
        assert!(class.sample.as_ref().unwrap().sources().len() <= 192);
    }
    days.drop_days();
    let mut month = again(&days);
    assert_eq!((attempts(&month), month.detail, month.distinct), (of_days, Detail::Month, distinct));
    assert_eq!(totals(&month)[1..], totals(&whole)[1..]);
    assert!(month.days.iter().all(|day| *day == totals_of(day)));
    let class = month.whole.as_ref().unwrap().class(Class::Attempt);
    assert_eq!(class.attempts, 31 * 3000);
    assert_eq!(class.services.rows[0].attempts, 31 * 2000);
    // More of it: a day that it has, and one that it has not.
    month.add(vec![day(first(), 90_000, 10), day(Date(first().0 + 5), 0, 5)]);
    let month = again(&month);
    assert_eq!(month.days[0].classes[0].attempts, 3030);
    assert_eq!(month.whole.as_ref().unwrap().class(Class::Attempt).attempts, 31 * 3000 + 45);
    assert_eq!(month.days.iter().map(|day| day.classes[0].attempts).sum::<u64>(), 31 * 3000 + 45);
}

#[test]
fn two_files_of_one_month_are_joined_whatever_they_have() {
    let make = |detail: Detail, from: i32| {
        let mut whole = MonthData { detail, ..MonthData::new(month_of(first())) };
        whole.add((from..from + 3).map(|number| day(Date(first().0 + number), 0, 10)).collect());
        if detail == Detail::Month && whole.detail != Detail::Month {
            whole.drop_days();
        }
        whole
    };
    let summed = |from| {
        let mut whole = make(Detail::Days, from);
        whole.drop_days();
        whole
    };
    for ours in [make(Detail::Fresh, 0), make(Detail::Days, 0), summed(0)] {
        for theirs in [make(Detail::Fresh, 2), make(Detail::Days, 2), summed(2)] {
            let details = (ours.detail, theirs.detail);
            let mut joined = ours.clone();
            joined.join(again(&theirs));
            let joined = again(&joined);
            assert_eq!(attempts(&joined), [(0, 30), (1, 30), (2, 60), (3, 30), (4, 30)], "{details:?}");
            let rows: u64 = joined
                .whole
                .as_deref()
                .map_or(&joined.days[..], std::slice::from_ref)
                .iter()
                .map(|day| day.class(Class::Attempt).attempts)
                .sum();
            assert_eq!(rows, 180, "{details:?}");
        }
    }
}

#[test]
fn totals_survive_whichever_section_is_damaged() {
    let mut whole = MonthData { detail: Detail::Days, ..MonthData::new(month_of(first())) };
    whole.add(vec![day(first(), 0, 400), day(Date(first().0 + 1), 0, 10)]);
    let bytes = whole.encode(SALT);
    let header = Open::from_bytes(bytes.clone()).unwrap();
    for kind in [Kind::Summary].into_iter().chain(sections::KINDS) {
        let Some(&container::Entry { offset, length, .. }) = header.find(kind) else { continue };
        let mut bytes = bytes.clone();
        bytes[offset + length / 2] ^= 0x20;
        let file = Open::from_bytes(bytes).unwrap();
        let (read, damage) = super::read(&file, whole.month, Wanted::All);
        assert!(damage.is_some(), "{kind:?}");
        assert_eq!(attempts(&read), [(0, 1200), (1, 30)], "{kind:?}");
        let need = Need::new(Class::Attempt);
        let data = super::read(&file, whole.month, Wanted::Need(&need)).0;
        assert_eq!(
            data.days.iter().map(|day| day.classes[0].attempts).collect::<Vec<_>>(),
            [1200, 30],
            "{kind:?}"
        );
    }
}

#[test]
fn what_cannot_be_a_summary_is_none() {
    let mut whole = MonthData::new(month_of(first()));
    whole.add(vec![day(first(), 0, 4), day(Date(first().0 + 30), 0, 1)]);
    let bytes = totals(&whole);
    let decoded = |bytes: &[u8]| summary::decode(bytes, whole.month).map(|whole| totals(&whole));
    assert_eq!(decoded(&bytes), Some(bytes.clone()));
    (0..bytes.len()).for_each(|cut| assert_eq!(decoded(&bytes[..cut]), None, "{cut}"));
    assert_eq!(decoded(&[&bytes[..], &[0]].concat()), None);
    assert_eq!(decoded(&[&[3], &bytes[1..]].concat()), None, "a detail of no known kind");
    // A 31st day is in no month of 30.
    assert!(summary::decode(&bytes, Month(whole.month.0 + 1)).is_none());
}
