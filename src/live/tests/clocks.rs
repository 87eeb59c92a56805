//! Clocks that step, zones that change.

use super::*;

#[test]
fn a_clock_that_steps_back_over_midnight_loses_and_doubles_nothing() {
    let mut router = Router::boot(START + DAY - 10, "UTC");
    router.packet(1, 23);
    router.pass(20);
    router.packet(2, 23);
    router.step(-15);
    router.packet(3, 23);
    // Of a day that is partly stored the different sources are not told until it is closed again.
    assert_eq!(router.days(), ["2026-06-10 2 0", "2026-06-11 1 1"]);
    router.pass(20);
    router.packet(4, 23);
    assert_eq!(router.days(), ["2026-06-10 2 2", "2026-06-11 2 0"]);
    router.commit();
    let mut router = router.power_cut();
    assert_eq!(router.days(), ["2026-06-10 2 2", "2026-06-11 2 0"]);
    router.pass(DAY);
    assert_eq!(router.days(), ["2026-06-10 2 2", "2026-06-11 2 2"]);
}

#[test]
fn days_of_23_and_25_hours_are_days() {
    // 2026-03-29 and 2026-10-25 in Berlin.
    for (start, hours, date) in [(1_774_738_800, 23, "2026-03-29"), (1_792_879_200, 25, "2026-10-25")] {
        let mut router = Router::boot(start, "CET-1CEST,M3.5.0,M10.5.0/3");
        for _ in 0..hours * 60 {
            router.packet(1, 23);
            router.pass(60);
        }
        let expected = format!("{date} {} 1", hours * 60);
        assert_eq!(router.days(), [expected]);
    }
}

#[test]
fn a_changed_zone_labels_what_comes() {
    let mut router = Router::boot(START + 20 * HOUR, "UTC");
    router.packet(1, 23);
    router.engine.calendar = Calendar::new("JST-9").unwrap();
    router.pass(1);
    router.packet(2, 23);
    assert_eq!(router.days(), ["2026-06-10 1 1", "2026-06-11 1 1"]);
    router.engine.calendar = Calendar::utc();
    router.pass(1);
    router.packet(3, 23);
    assert_eq!(router.days(), ["2026-06-10 2 0", "2026-06-11 1 1"]);
    router.pass(DAY);
    assert_eq!(router.days(), ["2026-06-10 2 2", "2026-06-11 1 1"]);
}

/// Seconds from `START` to a date.
fn until(year: i32, month: u32, day: u32) -> i64 {
    i64::from(Date::from_ymd(year, month, day).unwrap().0) * DAY - START
}

/// A store of sixteen months before `START`, a day of each, and what it holds.
fn filled(disks: &Disks, months: i32) -> u64 {
    let disk = Disk::open_for_writing(&disks.flash()).unwrap();
    let mut store = Store::open(Directory::Disk(disk), Retention::default(), Some(7)).unwrap();
    let newest = Date((START / DAY) as i32).month();
    let mut dates = Vec::new();
    for back in (1..=months).rev() {
        dates.push(crate::event::calendar::Month(newest.0 - back).first_day());
    }
    let days: Vec<DaySummary> = dates.iter().map(|date| day_of(*date, 10)).collect();
    let added = store.add(&dates, days.into_iter().map(Ok)).unwrap();
    assert!(added.left_out.is_empty());
    store.commit(added.changes).unwrap();
    months as u64 * 10
}

/// A closed day of some sources.
pub(super) fn day_of(date: Date, sources: u32) -> DaySummary {
    let mut day = Day::new(date, 7);
    for host in 0..sources {
        day.add(&Event { time: i64::from(date.0) * DAY + 60, count: 1, ..event(host, 23, 0) }, 0);
    }
    close(&mut day, None)
}

fn with_months(wall: i64, told: bool, months: i32) -> (Router, u64) {
    let disks = Disks::new();
    let total = filled(&disks, months);
    let machine = Now { boot_ms: 10_000, wall };
    (Router::start(machine, "UTC", disks, 0, told, Config::default()), total)
}

#[test]
fn a_clock_in_1970_or_2038_while_running_is_not_trusted_and_deletes_nothing() {
    for wrong in [100, until(2038, 1, 20) + START] {
        for told in [false, true] {
            let (mut router, stored) = with_months(START, true, 16);
            router.packet(1, 23);
            router.commit();
            let right = router.machine.wall;
            router.machine.wall = wrong;
            if told {
                router.ntp();
            }
            router.look();
            for _ in 0..6 {
                router.packet(2, 23);
                router.pass(600);
            }
            assert!(router.commit());
            assert!(router.engine.clock.ahead().abs() > 86_400);
            assert_eq!(router.total(), stored + 7, "{wrong} {told}");
            router.machine.wall = right + 3600;
            router.look();
            assert_eq!(router.engine.clock.ahead(), 0);
            router.packet(3, 23);
            assert_eq!(router.total(), stored + 8);
            let days = router.days();
            assert_eq!(days.last().unwrap(), "2026-06-10 8 3");
            let mut router = router.power_cut();
            assert_eq!(router.total(), stored + 7);
            assert!(router.storage.deletions.iter().all(|deletion| deletion.what.contains("the days of")));
        }
    }
}

#[test]
fn a_clock_that_is_wrong_at_boot_deletes_nothing_whoever_vouches_for_it() {
    // Believed after a day without a step, or at once with NTP's word.
    for wrong in [100, BUILT + 1, until(2038, 1, 20) + START] {
        for told in [false, true] {
            let (router, stored) = with_months(START, true, 16);
            let mut router = router.power_cut_until(wrong, told);
            for _ in 0..30 {
                router.packet(1, 23);
                router.pass(3600);
                router.commit();
            }
            if wrong == 100 {
                assert!(!router.engine.clock.is_set(), "1970 is never trusted");
            }
            // NTP's word is the last.
            let passed = router.machine.boot_ms as i64 / 1000;
            router.machine.wall = START + passed;
            router.ntp();
            router.pass(2 * DAY);
            router.pass(DAY);
            router.commit();
            let mut router = router.power_cut();
            let stored_now: u64 = router.total();
            let set_aside: Vec<String> = router.storage.store.set_aside().to_vec();
            let aside = if set_aside.is_empty() { 0 } else { 30 };
            assert!(
                stored_now >= stored && stored_now + aside >= stored + 30,
                "{wrong} {told}: {stored_now} {set_aside:?}"
            );
            assert!(router.storage.deletions.iter().all(|deletion| deletion.what.contains("the days of")));
        }
    }
}

#[test]
fn back_and_forth_counts_everything_once() {
    let (mut router, stored) = with_months(START + 12 * HOUR, true, 3);
    let mut packets = 0;
    for round in 0..12 {
        for step in [-13 * HOUR, 20 * HOUR, -7 * HOUR, 400 * DAY, -400 * DAY] {
            router.step(step);
            router.packet(round, 23);
            packets += 1;
            assert_eq!(router.total(), stored + packets, "{round} {step}");
        }
        router.pass(HOUR);
    }
    assert!(router.commit());
    let mut router = router.crash();
    assert_eq!(router.total(), stored + packets);
    let mut router = router.power_cut();
    assert_eq!(router.total(), stored + packets);
}

#[test]
fn two_years_off_age_nothing_and_each_new_month_displaces_one() {
    let (router, stored) = with_months(START, true, 14);
    let mut router = router.power_cut_until(START + 731 * DAY, true);
    assert_eq!(router.total(), stored);
    assert!(router.storage.deletions.is_empty());
    for month in 1..=3 {
        router.packet(1, 23);
        router.pass(DAY);
        router.run();
        let told = router.storage.deletions.len();
        assert_eq!(told, month, "{:?}", router.storage.deletions);
        assert_eq!(router.total(), stored + month as u64);
        router.pass(30 * DAY);
    }
    let oldest = &router.storage.deletions[0];
    assert_eq!(oldest.what, "the days of 2025-04");
    assert_eq!(oldest.because, "14 newer months have data (keep_days)");
    assert!(router.said.iter().any(|said| said.contains("the days of 2025-04")), "{:?}", router.said);
}

#[test]
fn months_beyond_keep_months_go_one_at_a_close_and_are_named() {
    let (router, stored) = with_months(START, true, 16);
    let Router { machine, engine, storage, disks, config, .. } = router;
    drop((engine, storage));
    let config = Config { keep_days: 2, keep_months: 12, ..config };
    let mut router = Router::start(machine, "UTC", disks, 1, true, config);
    router.run();
    let gone: u64 =
        10 * router.storage.deletions.iter().filter(|gone| gone.what.starts_with("the month")).count() as u64;
    router.packet(1, 23);
    assert_eq!(router.total(), stored + 1 - gone);
    for _ in 0..10 {
        router.pass(DAY);
        router.packet(1, 23);
    }
    let deletions = &router.storage.deletions;
    let gone: Vec<&str> = deletions
        .iter()
        .map(|gone| gone.what.as_str())
        .filter(|what| what.starts_with("the month"))
        .collect();
    assert_eq!(
        gone,
        [
            "the month 2025-02",
            "the month 2025-03",
            "the month 2025-04",
            "the month 2025-05",
            "the month 2025-06"
        ]
    );
    assert_eq!(router.total(), stored + 11 - 50);
}

#[test]
fn a_month_after_now_is_set_aside_and_comes_back() {
    let (router, stored) = with_months(START, true, 3);
    let Router { machine, engine, storage, disks, config, .. } = router;
    drop((engine, storage));
    let mut store = Store::open(
        Directory::Disk(Disk::open_for_writing(&disks.flash()).unwrap()),
        Retention::default(),
        None,
    )
    .unwrap();
    let date = Date::from_ymd(2027, 1, 5).unwrap();
    let added = store.add(&[date], [Ok(day_of(date, 7))]).unwrap();
    store.commit(added.changes).unwrap();
    drop(store);
    let mut router = Router::start(machine, "UTC", disks, 1, true, config);
    assert_eq!(router.storage.store.set_aside(), ["2027-01.later"]);
    assert_eq!(router.total(), stored);
    router.packet(1, 23);
    router.pass(DAY);
    let mut router = router.power_cut_until(START + 200 * DAY, true);
    router.packet(1, 23);
    router.pass(DAY);
    router.pass(60 * DAY);
    assert_eq!(router.total(), stored + 2 + 7);
    assert!(router.storage.store.set_aside().is_empty(), "{:?}", router.storage.store.set_aside());
}

#[test]
fn a_backup_restored_older_or_newer_is_answered_whole() {
    let (mut router, stored) = with_months(START, true, 5);
    for day in 0..3 {
        router.packet(day, 23);
        router.pass(DAY);
    }
    assert!(router.commit());
    let backup: Vec<(String, Vec<u8>)> = std::fs::read_dir(router.disks.flash())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_string(), std::fs::read(path).unwrap()))
        .collect();
    for day in 0..40 {
        router.packet(day, 23);
        router.pass(DAY);
    }
    assert_eq!(router.total(), stored + 43);
    let restore = |router: &Router| {
        std::fs::remove_dir_all(router.disks.flash()).unwrap();
        std::fs::create_dir_all(router.disks.flash()).unwrap();
        backup
            .iter()
            .for_each(|(name, bytes)| std::fs::write(router.disks.flash().join(name), bytes).unwrap());
    };
    // Older: what the backup does not have is gone, all else stays, and the days go on.
    restore(&router);
    let mut router = router.power_cut();
    assert_eq!(router.total(), stored + 3);
    router.packet(1, 23);
    router.pass(DAY);
    assert_eq!(router.total(), stored + 4);
    // Newer than the clock: nothing is deleted, and what is not after tomorrow's month is answered.
    restore(&router);
    let mut router = router.power_cut_until(START - 40 * DAY, true);
    router.packet(1, 23);
    router.pass(DAY);
    router.pass(42 * DAY);
    router.packet(1, 23);
    router.pass(DAY);
    assert_eq!(router.total(), stored + 3 + 2);
    assert!(router.storage.deletions.is_empty());
}

#[test]
fn the_newest_stored_day_is_no_evidence_about_the_clock() {
    let mut router = Router::boot(START, "UTC");
    router.packet(1, 23);
    router.pass(DAY);
    router.packet(1, 23);
    router.commit();
    let router = router.power_cut_until(BUILT + 1, false);
    assert!(!router.engine.clock.is_set());
    let mut router = router.power_cut_until(BUILT + 1, true);
    assert!(router.engine.clock.is_set());
    router.packet(1, 23);
    assert_eq!(router.days().len(), 1);
    let mut router = router.power_cut_until(START + 2 * DAY, true);
    assert_eq!(router.days().len(), 2, "{:?}", router.days());
}
