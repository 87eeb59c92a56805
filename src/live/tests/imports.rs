//! Imports of any past and future into a store that has months.

use super::clocks::day_of;
use super::*;
use crate::event::calendar::Month;

/// A store with a day of each of so many months before this one, of ten attempts each.
fn filled(months: i32) -> Disks {
    let newest = Date((real_now() / DAY) as i32).month();
    let dates: Vec<Date> = (1..=months).rev().map(|back| Month(newest.0 - back).first_day()).collect();
    disks_of(&dates)
}

/// A store with these days, of ten attempts each.
fn disks_of(dates: &[Date]) -> Disks {
    let disks = Disks::new();
    let disk = Disk::open_for_writing(&disks.flash()).unwrap();
    let mut store = Store::open(Directory::Disk(disk), Retention::default(), Some(7)).unwrap();
    let added = store.add(dates, dates.iter().map(|date| Ok(day_of(*date, 10)))).unwrap();
    store.commit(added.changes).unwrap();
    disks
}

fn date_text(days: i64) -> String {
    Date((real_now() / DAY + days) as i32).to_string()
}

fn at(days: i64, number: u32) -> String {
    line_at(&format!("{}T05:06:07+00:00", date_text(days)), number)
}

/// The daemon on this store, now.
fn router(disks: Disks) -> Router {
    let machine = Now { boot_ms: 10_000, wall: real_now() };
    Router::start(machine, "UTC", disks, 0, true, Config::default())
}

#[test]
fn without_a_clock_and_an_open_day_the_newest_stored_day_is_answered() {
    let days = [(4, 30), (5, 2)].map(|(month, day)| Date::from_ymd(2026, month, day).unwrap());
    let machine = Now { boot_ms: 10_000, wall: 0 };
    let mut router = Router::start(machine, "UTC", disks_of(&days), 0, false, Config::default());
    assert_eq!(router.engine.date(), None);
    let Answer::Summary(summary) = router.ask(Topic::Summary) else { panic!() };
    assert_eq!((summary.from, summary.to, summary.attempts), (Some(days[1]), Some(days[1]), 10));
}

#[test]
fn a_line_of_the_far_future_deletes_nothing_and_waits() {
    for time in ["2038-01-20T00:00:00+00:00", "5020-04-06T00:00:00+00:00", "9999-12-31T23:59:59+00:00"] {
        let disks = filled(16);
        let notes = import(&disks, "a.log", &[line_at(time, 1), at(-3, 2)]);
        assert!(
            notes
                .iter()
                .any(|note| note.contains("1 events are dated in the future") && note.contains(&time[..10])),
            "{time}: {notes:?}"
        );
        assert_eq!(disks.store().later().unwrap().count(), 1, "{time}");
        let mut router = router(disks);
        assert_eq!(router.total(), 161, "{time}");
        assert!(router.storage.warnings().any(|warning| warning.contains("dated in the future")));
        // A new month displaces the days of one, and nothing else.
        assert!(router.storage.deletions.iter().all(|deletion| deletion.what.starts_with("the days of")));
    }
}

#[test]
fn what_is_dated_in_the_future_is_counted_when_its_time_has_come() {
    let disks = filled(2);
    import(&disks, "a.log", &[at(5, 1), at(-3, 2)]);
    let mut router = router(disks);
    assert_eq!((router.total(), router.storage.later.count()), (21, 1));
    router.pass(4 * DAY);
    assert_eq!(router.storage.later.count(), 1);
    router.pass(2 * DAY);
    assert_eq!((router.total(), router.storage.later.count()), (22, 0));
    // A crash before flash knows of it counts it once.
    router.copy();
    let mut router = router.crash();
    assert_eq!((router.total(), router.storage.later.count()), (22, 0));
    assert!(router.commit());
    let mut router = router.power_cut();
    assert_eq!((router.total(), router.storage.later.count()), (22, 0));
    assert!(router.days().contains(&format!("{} 1 1", date_text(5))), "{:?}", router.days());
}

#[test]
fn a_thousand_lines_of_random_years_delete_nothing() {
    let disks = filled(16);
    let mut random = 7u64;
    let mut next = |most: i64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((random >> 33) as i64) % most
    };
    let last = i64::from(Date::from_ymd(2100, 1, 1).unwrap().0);
    let days: Vec<i64> = (0..1000).map(|_| 1 + next(last)).collect();
    let lines: Vec<String> = days
        .iter()
        .enumerate()
        .map(|(number, day)| line_at(&format!("{}T01:02:03+00:00", Date(*day as i32)), number as u32))
        .collect();
    let today = real_now() / DAY;
    let future = days.iter().filter(|day| **day > today + 1).count() as u64;
    let notes = import(&disks, "a.log", &lines);
    let left_out: u64 = notes
        .iter()
        .filter(|note| note.contains("is left out with"))
        .map(|note| {
            note.split("left out with ").nth(1).unwrap().split(' ').next().unwrap().parse::<u64>().unwrap()
        })
        .sum();
    assert!(left_out > 0 && future > 0);
    assert_eq!(disks.store().later().unwrap().count(), future, "{notes:?}");
    let mut router = router(disks);
    // Days that are still open join their months at the first close: each new month displaces one, which is named.
    let named = |deletion: &crate::store::Deletion| {
        deletion.what.starts_with("the days of") || deletion.what.starts_with("the month ")
    };
    assert!(router.storage.deletions.iter().all(named));
    if router.storage.deletions.is_empty() {
        assert_eq!(router.total(), 160 + 1000 - future - left_out);
    }
    // The months that were there are as they were: the newest.
    let days = router.days();
    let newest = Date(today as i32).month();
    for back in 1..=16 {
        let date = Month(newest.0 - back).first_day();
        let attempts = 10 + lines.iter().filter(|line| line.starts_with(&date.to_string())).count();
        assert!(days.iter().any(|day| day.starts_with(&format!("{date} {attempts} "))), "{date}: {days:?}");
    }
}

#[test]
fn an_import_of_the_far_past_says_what_it_leaves_out() {
    let disks = filled(120);
    let notes = import(&disks, "a.log", &[at(-15_000, 1), at(-14_990, 2), at(-40, 3), at(-2, 4)]);
    let month = Date((real_now() / DAY - 15_000) as i32).month();
    assert!(notes.iter().any(|note| note.contains(&format!("{month} is left out with"))), "{notes:?}");
    let mut router = router(disks);
    assert_eq!(router.total(), 1202 - 10);
    // This month, once its first day is closed, displaces the oldest.
    let deleted: Vec<&str> = router.storage.deletions.iter().map(|deletion| deletion.what.as_str()).collect();
    assert!(deleted.iter().any(|what| what.starts_with("the month ")), "{deleted:?}");
    // And of the past that is kept, everything.
    let Router { storage, engine, disks, .. } = router;
    drop((storage, engine));
    let notes = import(&disks, "b.log", &[at(-400, 5), at(-39, 6)]);
    assert!(!notes.iter().any(|note| note.contains("left out")), "{notes:?}");
    assert_eq!(super::imports::router(disks).total(), 1204 - 10);
}

#[test]
fn a_log_that_spans_now_joins_the_daemons_day() {
    let disks = filled(2);
    let mut daemon = router(disks);
    for host in 0..20 {
        daemon.packet(host, 22);
    }
    assert!(daemon.commit());
    let Router { storage, engine, disks, machine, .. } = daemon;
    drop((storage, engine));
    let today = Calendar::utc().rfc3339(machine.wall);
    import(&disks, "a.log", &[at(-2, 1), at(-1, 2), line_at(&today, 3), line_at(&today, 4), at(3, 5)]);
    // Stopped and started in the same boot: the copy in RAM is older than the import.
    let mut daemon = router(disks);
    assert_eq!((daemon.total(), daemon.storage.later.count()), (44, 1));
    let question = Question { limit: 50, ..Question::new(Topic::Services) };
    let Answer::Services(services) = daemon.ask_about(&question) else { panic!() };
    let rows: Vec<_> =
        services.services.iter().map(|row| (row.port, row.attempts, row.unique_sources)).collect();
    assert_eq!(rows, [(Some(22), 20, Some(20)), (Some(23), 2, Some(2))]);
    let Answer::Hours(hours) = daemon.ask(Topic::Hours) else { panic!() };
    assert_eq!(hours.hours.iter().map(|row| row.attempts).sum::<u64>(), 22);
    // A second import, after a crash before the next commit, and after one.
    for round in 0..2 {
        daemon.packet(round, 80);
        daemon.copy();
        let Router { storage, engine, disks, .. } = daemon;
        drop((storage, engine));
        import(&disks, &format!("b{round}.log"), &[line_at(&today, 10 + round)]);
        daemon = router(disks);
        assert_eq!(daemon.total(), 44 + 2 * (u64::from(round) + 1));
        daemon.pass(1);
        assert!(daemon.commit());
    }
    let mut daemon = daemon.power_cut();
    assert_eq!(daemon.total(), 48);
}

/// What somebody sees of today: the hours, the different sources, and of each source its attempts and services.
#[derive(PartialEq)]
struct Today {
    hours: Vec<u64>,
    unique: Option<u64>,
    sources: Vec<(String, u64, Option<u64>)>,
}

fn today_in_full(router: &mut Router) -> Today {
    let Answer::Sources(sources) = router.ask(Topic::Sources) else { panic!() };
    let rows = sources.sources.iter().map(|row| (row.address.to_string(), row.attempts, row.services));
    let mut rows: Vec<_> = rows.collect();
    rows.sort();
    let Answer::Hours(hours) = router.ask(Topic::Hours) else { panic!() };
    let Answer::Summary(summary) = router.ask(Topic::Summary) else { panic!() };
    let hours = hours.hours.iter().map(|row| row.attempts).collect();
    Today { hours, unique: summary.unique_sources, sources: rows }
}

/// The newest day that the daemon left is yesterday's: the import's day must not be closed for it.
#[test]
fn an_import_of_today_is_whole_beside_an_open_day_of_yesterday() {
    let today = real_now().div_euclid(DAY) * DAY;
    let lines: Vec<String> =
        (0..300).map(|number| line_at(&Calendar::utc().rfc3339(today), number)).collect();
    let disks = Disks::new();
    import(&disks, "today.log", &lines);
    let mut expected = router(disks);
    let expected = today_in_full(&mut expected);
    assert_eq!(expected.sources.len(), 250);
    for (killed, cut) in [(false, false), (true, false), (false, true)] {
        let machine = Now { boot_ms: 10_000, wall: today - 3600 };
        let mut daemon = Router::start(machine, "UTC", filled(2), 0, true, Config::default());
        for host in 0..20 {
            daemon.packet(host, 22);
        }
        assert!(daemon.commit());
        if killed {
            daemon.packet(99, 22);
            daemon.copy();
        }
        let Router { storage, engine, disks, .. } = daemon;
        drop((storage, engine));
        import(&disks, "today.log", &lines);
        if cut {
            std::fs::remove_file(disks.run().join("today.fws")).unwrap();
        }
        let machine = Now { boot_ms: 4_000_000, wall: real_now() };
        let mut daemon = Router::start(machine, "UTC", disks, 0, true, Config::default());
        let name = format!("killed {killed}, cut {cut}");
        assert!(today_in_full(&mut daemon) == expected, "{name}");
        let yesterday = 20 + u64::from(killed);
        assert_eq!(daemon.total(), 20 + yesterday + 300, "{name}");
        assert!(daemon.commit());
        let mut daemon = daemon.power_cut();
        assert!(today_in_full(&mut daemon) == expected, "{name}, from flash");
        assert_eq!(daemon.total(), 20 + yesterday + 300, "{name}, from flash");
    }
}
