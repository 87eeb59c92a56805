use super::*;
use crate::event::small_map::SmallMap;
use crate::event::{Address, Class, Event};
use crate::query::history::{Detail, Section as Wanted};
use crate::stats::day::Day;
use crate::stats::summary::{ClassSummary, DaySummary};
use crate::store::ledger::Moment;

const NOW: i64 = 1_790_000_000;

fn store() -> Store {
    Store::open(Directory::Memory(SmallMap::new()), Retention::default(), Some(3)).unwrap()
}

/// The same files, opened anew.
fn reopened(store: &Store, keep: Retention) -> Store {
    let Directory::Memory(files) = store.directory() else { panic!() };
    Store::open(Directory::Memory(files.clone()), keep, Some(99)).unwrap()
}

fn changed(store: &Store, name: &str, change: impl FnOnce(&mut Vec<u8>)) -> Store {
    let Directory::Memory(files) = store.directory() else { panic!() };
    let mut files = files.clone();
    let mut bytes = files.get(name).unwrap().to_vec();
    change(&mut bytes);
    files.insert(name.into(), bytes);
    Store::open(Directory::Memory(files), Retention::default(), None).unwrap()
}

fn day(date: Date, hosts: u32) -> DaySummary {
    let mut day = Day::new(date, 3);
    for host in 0..hosts {
        let event = Event {
            time: i64::from(date.0) * 86_400,
            source: Address::v4(host),
            protocol: 6,
            port: 23,
            count: 1,
            ..Event::default()
        };
        day.add(&event, 0);
    }
    day.to_closed()
}

fn add(store: &mut Store, dates: &[Date], hosts: u32) -> Vec<(Month, u64)> {
    let added = store.add(dates, dates.iter().map(|date| Ok(day(*date, hosts)))).unwrap();
    store.commit(added.changes).unwrap();
    added.left_out
}

/// The first days of so many months up to October 2026.
fn months(count: i32) -> Vec<Date> {
    let last = Month::parse("2026-10").unwrap();
    (0..count).rev().map(|back| Month(last.0 - back).first_day()).collect()
}

fn details(store: &mut Store) -> Vec<Detail> {
    let months = store.months();
    months.iter().map(|month| store.month(*month, &Need::new(Class::Attempt)).detail).collect()
}

fn total(store: &mut Store) -> u64 {
    let months = store.months();
    let mut sum = 0;
    for month in months {
        let data = store.month(month, &Need::new(Class::Attempt));
        sum += data.days.iter().map(|day| day.classes[0].attempts).sum::<u64>();
    }
    sum
}

/// Restores the files of another store; the number of restored days.
fn restore(store: &mut Store, backup: &Store) -> usize {
    let restored =
        store.restore(&mut reopened(backup, Retention::default()), &Moment::default(), |ours, _| ours.into());
    let restored = restored.unwrap();
    store.commit(restored.changes).unwrap();
    restored.days.len()
}

fn counted(details: &[Detail], detail: Detail) -> usize {
    details.iter().filter(|known| **known == detail).count()
}

#[test]
fn an_import_leaves_each_month_as_its_rank_demands() {
    let mut store = store();
    let left_out = add(&mut store, &months(130), 4);
    let oldest = Month::parse("2026-10").unwrap();
    assert_eq!(left_out.len(), 10);
    assert_eq!(left_out[0], (Month(oldest.0 - 129), 4));
    let details = details(&mut store);
    assert_eq!(details.len(), 120);
    assert_eq!((counted(&details, Detail::Fresh), counted(&details, Detail::Days)), (2, 12));
    assert!(details.is_sorted_by(|a, b| a >= b), "the newest have most");
    assert_eq!(total(&mut store), 120 * 4);
    // Nothing is left to be done.
    assert!(store.maintain(NOW, Allowed::ALL).unwrap().is_none());
    // A month below all that are kept displaces none; one between them is added.
    assert_eq!(
        add(&mut store, &[Date::parse("1999-05-05").unwrap()], 9),
        [(Month::parse("1999-05").unwrap(), 9)]
    );
    assert_eq!((store.months().len(), total(&mut store)), (120, 480));
    assert_eq!(add(&mut store, &[Date(months(120)[0].0 + 3)], 9), []);
    assert_eq!((store.months().len(), total(&mut store)), (120, 489));
}

#[test]
fn each_new_month_displaces_one_at_a_time() {
    let mut store = store();
    add(&mut store, &months(3), 4);
    let mut store = reopened(&store, Retention { hours: 1, days: 1, months: 2 });
    let before = total(&mut store);
    assert_eq!(
        (counted(&details(&mut store), Detail::Fresh), before),
        (2, 12),
        "opening and asking delete nothing"
    );
    let mut may = Allowed::ALL;
    let mut log_line = Vec::new();
    while let Some(demanded) = store.maintain(NOW, may).unwrap() {
        may = demanded.left;
        log_line.push(demanded.log_line);
        store.commit(demanded.changes).unwrap();
    }
    assert_eq!(
        log_line,
        [
            "2026-09: hours of services and sources are no longer stored",
            "deleted: the days of 2026-08, because 1 newer months have data (keep_days)",
            "deleted: the month 2026-08, because 2 newer months have data (keep_months)",
        ]
    );
    assert_eq!(total(&mut store), 8);
    let deletions = store.meta().unwrap().deletions;
    assert_eq!(deletions.len(), 2);
    assert_eq!((deletions[1].when, deletions[1].what.as_str()), (NOW, "the month 2026-08"));
    // The next close goes on.
    let next = store.maintain(NOW, Allowed::ALL).unwrap().unwrap();
    assert_eq!(next.log_line, "deleted: the days of 2026-09, because 1 newer months have data (keep_days)");
}

#[test]
fn damaged_and_newer_months_are_never_deleted() {
    let mut whole = store();
    add(&mut whole, &months(4), 4);
    let keep = Retention { hours: 1, days: 1, months: 1 };
    for (name, at) in [("2026-07.fws", 4), ("2026-07.fws", 20), ("2026-07.fws", usize::MAX)] {
        let mut store = changed(&whole, name, |bytes| {
            let at = at.min(bytes.len() - 1);
            bytes[at] = if at == 4 { container::VERSION + 1 } else { bytes[at] ^ 1 };
        });
        store.keep = keep;
        let bytes = store.directory().read(name).unwrap().unwrap();
        for _ in 0..9 {
            if let Some(demanded) = store.maintain(NOW, Allowed::ALL).unwrap() {
                store.commit(demanded.changes).unwrap();
            }
        }
        assert_eq!(store.directory().read(name).unwrap().unwrap(), bytes, "{at}");
        assert_eq!(store.months(), [Month::parse("2026-07").unwrap(), Month::parse("2026-10").unwrap()]);
    }
}

#[test]
fn a_damaged_file_is_set_aside_once_when_it_is_replaced() {
    let mut whole = store();
    add(&mut whole, &months(1), 400);
    let mut store = changed(&whole, "2026-10.fws", |bytes| {
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
    });
    let damaged = store.directory().read("2026-10.fws").unwrap().unwrap();
    // Reading changes nothing.
    let need = Need::new(Class::Attempt).and(&[Wanted::Sample], Date(0), Date(99_999));
    let data = store.month(Month::parse("2026-10").unwrap(), &need);
    assert!(data.damage.is_some() && store.set_aside().is_empty());
    assert_eq!(data.days[0].classes[0].attempts, 400);
    for number in 1..4 {
        add(&mut store, &[Date(months(1)[0].0 + number)], 7);
    }
    assert_eq!(store.set_aside(), ["2026-10.fws.bad"]);
    assert_eq!(store.directory().read("2026-10.fws.bad").unwrap().unwrap(), damaged);
    assert_eq!(total(&mut store), 421);
    let told: Vec<&String> = store.damage().collect();
    assert!(told.len() == 1 && told[0].ends_with("set aside as 2026-10.fws.bad"), "{told:?}");
    // Damaged again: another name.
    let mut store = changed(&store, "2026-10.fws", |bytes| bytes.truncate(40));
    add(&mut store, &[Date(months(1)[0].0 + 9)], 7);
    assert_eq!(store.set_aside(), ["2026-10.fws.2.bad", "2026-10.fws.bad"]);
    assert_eq!(total(&mut store), 428, "the files of the days tell their totals");
}

#[test]
fn the_close_of_a_day_writes_this_day_and_the_totals_of_its_month() {
    let mut store = store();
    let first = months(1)[0];
    let close = |store: &mut Store, number: i32, hosts: u32| {
        let date = Date(first.0 + number);
        let changes = store.add(&[date], [Ok(day(date, hosts))]).unwrap().changes;
        let names: Vec<String> = changes.iter().map(|(name, _)| name.clone()).collect();
        store.commit(changes).unwrap();
        names
    };
    for number in 0..5 {
        close(&mut store, number, 300);
    }
    assert_eq!(close(&mut store, 5, 400), ["2026-10.fws", "2026-10-06.fws"]);
    // A late part of a day, and what the month's days have in common.
    assert_eq!(close(&mut store, 2, 500), ["2026-10.fws", "2026-10-03.fws"]);
    let need = Need::new(Class::Attempt).and(&[Wanted::Services], first, Date(first.0 + 2));
    let data = store.month(first.month(), &need);
    assert_eq!((data.damage, data.distinct[0].unwrap().number), (None, 500));
    let telnet = |day: &DaySummary| day.classes[0].services.rows.first().map(|row| row.attempts);
    let counted: Vec<Option<u64>> = data.days.iter().map(telnet).collect();
    assert_eq!(counted, [Some(300), Some(300), Some(800), None, None, None]);
    // Without hours of rows the month is one file.
    add(&mut store, &[Date::parse("2026-11-01").unwrap(), Date::parse("2026-12-01").unwrap()], 1);
    let demanded = store.maintain(NOW, Allowed::ALL).unwrap().unwrap();
    store.commit(demanded.changes).unwrap();
    assert!(store.days(first.month(), FWS).is_empty());
    assert_eq!((details(&mut store)[0], total(&mut store)), (Detail::Days, 6 * 300 + 100 + 500 + 2));
}

#[test]
fn a_damaged_or_missing_day_is_named_and_spares_the_others() {
    let mut whole = store();
    let first = months(1)[0];
    add(&mut whole, &[first, Date(first.0 + 1)], 400);
    let Directory::Memory(mut files) = changed(&whole, "2026-10-02.fws", |bytes| bytes[30] ^= 1).directory
    else {
        panic!()
    };
    let damaged = Store::open(Directory::Memory(files.clone()), Retention::default(), None).unwrap();
    files.remove("2026-10-02.fws");
    let missing = Store::open(Directory::Memory(files), Retention::default(), None).unwrap();
    for mut store in [damaged, missing] {
        let need = Need::new(Class::Attempt).and(&[Wanted::Services], first, Date(first.0 + 1));
        let data = store.month(first.month(), &need);
        assert!(data.damage.unwrap().contains("2026-10-02.fws"));
        let rows: Vec<usize> = data.days.iter().map(|day| day.classes[0].services.rows.len()).collect();
        assert_eq!((rows, total(&mut store)), (vec![1, 0], 800));
        // Nothing is deleted of such a month.
        add(&mut store, &[Date::parse("2026-11-01").unwrap(), Date::parse("2026-12-01").unwrap()], 1);
        assert!(store.maintain(NOW, Allowed::ALL).unwrap().is_none());
    }
}

#[test]
fn of_a_damaged_month_a_question_reads_no_more_than_it_needs() {
    let mut whole = store();
    let first = months(1)[0];
    add(&mut whole, &[first, Date(first.0 + 1), Date(first.0 + 2)], 400);
    let mut store = changed(&whole, "2026-10.fws", |bytes| bytes[30] ^= 1);
    let second = Date(first.0 + 1);
    let need = Need::new(Class::Attempt).and(&[Wanted::Services], second, second);
    let data = store.month(first.month(), &need);
    assert!(data.damage.unwrap().contains("2026-10.fws"));
    let read = |day: &DaySummary| {
        let ClassSummary { services, sources, sample, .. } = &day.classes[0];
        (day.classes[0].attempts, services.rows.len(), sources.rows.len(), sample.is_some())
    };
    let expected = [(400, 0, 0, false), (400, 1, 0, false), (400, 0, 0, false)];
    assert_eq!(data.days.iter().map(read).collect::<Vec<_>>(), expected);
    // What another day needs of them is read of all: who the month's different sources are.
    add(&mut store, &[Date(first.0 + 3)], 500);
    let data = store.month(first.month(), &need);
    assert_eq!(data.days.iter().map(|day| day.classes[0].attempts).collect::<Vec<_>>(), [400, 400, 400, 500]);
    assert!(data.distinct[0].unwrap().number >= 500);
}

#[test]
fn a_month_of_a_newer_version_stops_what_would_change_it() {
    let mut whole = store();
    add(&mut whole, &months(2), 4);
    let mut store = changed(&whole, "2026-10.fws", |bytes| bytes[4] = container::VERSION + 1);
    let date = Date(months(1)[0].0 + 1);
    let error = store.add(&[date], [Ok(day(date, 1))]).err().unwrap();
    assert!(error.to_string().contains("written by a newer fwstat"), "{error}");
    let data = store.month(date.month(), &Need::new(Class::Attempt));
    assert!(data.damage.unwrap().contains("written by a newer fwstat"));
}

#[test]
fn months_after_now_are_in_no_answer_and_come_back() {
    let mut store = store();
    add(&mut store, &months(3), 4);
    let today = Date::parse("2026-08-31").unwrap();
    store.set_last(Some(Date(today.0 + 1)));
    assert_eq!(store.months().len(), 2, "tomorrow's month counts");
    for (changes, _) in store.settle(today).unwrap() {
        store.commit(changes).unwrap();
    }
    assert_eq!(store.set_aside(), ["2026-10.later"]);
    store.set_last(None);
    assert_eq!((store.months().len(), total(&mut store)), (2, 8));
    // Another such month does not replace the first.
    add(&mut store, &months(1), 5);
    for (changes, _) in store.settle(today).unwrap() {
        store.commit(changes).unwrap();
    }
    assert_eq!(store.set_aside(), ["2026-10.2.later", "2026-10.later"]);
    // Its time has come, and data of its own.
    add(&mut store, &[Date(months(1)[0].0 + 2)], 6);
    let today = Date::parse("2026-10-04").unwrap();
    for _ in 0..2 {
        let (changes, log_line) = store.settle(today).unwrap().remove(0);
        assert!(log_line.contains("has come"));
        store.commit(changes).unwrap();
    }
    assert!(store.settle(today).unwrap().is_empty() && store.set_aside().is_empty());
    assert_eq!(total(&mut store), 8 + 4 + 5 + 6);
}

#[test]
fn a_new_store_has_the_salt_that_is_asked_for_and_keeps_it() {
    let mut store = store();
    assert_eq!(store.salt(), 3);
    let piece =
        pieces::encode_part(3, &pieces::State::default(), &mut day(Date(20_000), 1), &mut Default::default());
    store.commit(vec![(pieces::name_of(Date(20_000), 0), Some(piece))]).unwrap();
    assert_eq!(reopened(&store, Retention::default()).salt(), 3, "of a piece");
    add(&mut store, &months(1), 1);
    assert_eq!(reopened(&store, Retention::default()).salt(), 3, "of a month");
    let random =
        |_| Store::open(Directory::Memory(SmallMap::new()), Retention::default(), None).unwrap().salt();
    assert_ne!(random(0), random(1));
}

#[test]
fn a_cell_appears_when_its_neighbours_are_known() {
    let mut store = store();
    let first = Date::parse("2026-09-28").unwrap();
    // The huge day ends a month; the days around it are in two.
    let huge = Date::parse("2026-09-30").unwrap();
    add(&mut store, &[first, Date(first.0 + 1)], 5);
    add(&mut store, &[huge], 4000);
    let cells = |store: &mut Store| {
        let need = Need::new(Class::Attempt).and(&[Wanted::Cells], Date(0), Date(99_999));
        store.month(huge.month(), &need).cells
    };
    assert!(cells(&mut store).is_empty());
    for number in 3..9 {
        add(&mut store, &[Date(first.0 + number)], 5);
    }
    let found = cells(&mut store);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].date, found[0].attempts, found[0].expected), (huge, 4000, 5.0));
}

#[test]
fn days_without_rows_are_no_neighbours_of_a_cell() {
    let keep = Retention { hours: 1, days: 1, ..Retention::default() };
    let mut store = Store::open(Directory::default(), keep, Some(3)).unwrap();
    let first = Date::parse("2026-08-22").unwrap();
    let dates: Vec<Date> = (0..11).map(|number| Date(first.0 + number)).collect();
    let huge = dates[10];
    // Ten days in August have noise only: their attempts are known, those of the month's services are not.
    let days = dates.iter().map(|date| {
        let mut day = day(*date, if *date == huge { 4000 } else { 5 });
        if *date != huge {
            day.classes.swap(Class::Attempt as usize, Class::Noise as usize);
        }
        Ok(day)
    });
    let added = store.add(&dates, days).unwrap();
    store.commit(added.changes).unwrap();
    assert_eq!(details(&mut store), [Detail::Month, Detail::Fresh]);
    add(&mut store, &[Date(huge.0 + 1)], 5);
    let need = Need::new(Class::Attempt).and(&[Wanted::Cells], Date(0), Date(99_999));
    assert!(store.month(huge.month(), &need).cells.is_empty());
}

#[test]
fn a_source_is_deleted_in_what_is_yet_to_come() {
    let mut store = store();
    add(&mut store, &months(2), 3);
    let mut later = Deferred::default();
    for host in 0..3 {
        later.add(5_000_000_000_000, &Event { source: Address::v4(host), count: 2, ..Event::default() });
    }
    let changes = store.change_later(&later).unwrap();
    store.commit(changes).unwrap();
    let today = Date::parse("2026-08-31").unwrap();
    for (changes, _) in store.settle(today).unwrap() {
        store.commit(changes).unwrap();
    }
    assert_eq!(store.set_aside(), ["2026-10.later"]);
    let forgotten = store.forget_sources(|address| address == Address::v4(1), "it", NOW).unwrap();
    store.commit(forgotten.changes).unwrap();
    let (mut rows, rest) = store.later().unwrap().sorted();
    rows.retain(|(_, event)| event.source == Address::v4(1));
    assert_eq!((rows.len(), rest.len(), store.later().unwrap().count()), (0, 1, 6));
    // The month comes back without the source.
    for (changes, _) in store.settle(Date::parse("2026-10-04").unwrap()).unwrap() {
        store.commit(changes).unwrap();
    }
    assert!(store.set_aside().is_empty());
    let need = Need::new(Class::Attempt).and(&[Wanted::Sources], Date(0), Date(99_999));
    for month in store.months() {
        let data = store.month(month, &need);
        let rows = data.days[0].classes[0].sources.rows.iter().map(|row| row.address);
        assert_eq!(rows.collect::<Vec<_>>(), [Address::v4(0), Address::v4(2)], "{month}");
    }
    assert_eq!(total(&mut store), 6);
}

/// Whichever store has more days, so that its salt stays.
#[test]
fn a_backup_that_was_restored_is_restored_again_without_counting_twice() {
    let first = months(1)[0];
    for (old, new) in [(9, 4), (4, 9)] {
        let days =
            |from: i32, count: i32| (from..from + count).map(|day| Date(first.0 + day)).collect::<Vec<_>>();
        let open =
            |salt| Store::open(Directory::Memory(SmallMap::new()), Retention::default(), Some(salt)).unwrap();
        let (mut backup, mut store) = (open(7), open(8));
        add(&mut backup, &days(0, old), 5);
        // One day of the backup has a part in the new store, too.
        add(&mut store, &days(old - 1, new), 3);
        let expected = old as u64 * 5 + new as u64 * 3;
        assert_eq!((restore(&mut store, &backup), total(&mut store)), (old as usize, expected));
        let united = reopened(&store, Retention::default());
        assert_eq!((restore(&mut store, &backup), total(&mut store)), (0, expected), "{old} {new}");
        // The same, if the united store was lost and made again from the older backup.
        let mut again = reopened(&backup, Retention::default());
        restore(&mut again, &united);
        assert_eq!(total(&mut again), expected, "{old} {new}");
    }
}
