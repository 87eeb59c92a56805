//! Directories that go away, return or are replaced, while the daemon runs and between two runs: nothing is lost, and
//! nothing counts twice.

use std::cell::RefCell;
use std::rc::Rc;

use super::commands::rebooted;
use super::*;
use crate::live::{ClosedDays, DayOver};
use crate::stats::countries::CountryLookup;

/// Records the days whose tables are passed to [`ClosedDays`].
#[derive(Default)]
struct Given(Vec<Date>);

impl ClosedDays for Given {
    fn day_over(&mut self, over: &DayOver<'_>, _: Option<&mut dyn CountryLookup>) {
        self.0.push(over.day.date);
    }
}

/// A fleet's server would get it twice.
#[test]
fn a_day_that_was_closed_while_the_drive_is_away_is_not_closed_again_at_a_restart() {
    let router = Router::new("closed-away");
    let here = router.place.join("db");
    let mut run = router.start();
    run.store(3, EVENING);
    fs::rename(&here, router.place.join("away")).unwrap();
    fs::write(&here, "").unwrap();
    run.send(2, EVENING + 86_400);
    run.storage.copy(&mut run.engine, None);
    drop(run);
    let (storage, saved) = Storage::open(&router.config, &router.place.join("run"), &router.boot);
    let mut engine = Engine::new(Calendar::utc(), storage.store.salt(), 10);
    let given = Rc::new(RefCell::new(Given::default()));
    engine.closed_days = Some(given.clone());
    let (saved, on_flash) = saved.unwrap();
    engine.clock.trusted = saved.state.trusted_offset;
    engine.restore(saved, on_flash);
    let mut run = Run { storage, engine, sent: 10 };
    assert_eq!(run.days(EVENING + 86_500), is(&[("2025-11-27", 3), ("2025-11-28", 2)]));
    assert_eq!(given.borrow().0, []);
}

#[test]
fn a_directory_that_goes_away_and_returns_has_everything_once() {
    let router = Router::new("away");
    let (here, away) = (router.place.join("db"), router.place.join("away"));
    let mut run = router.start();
    run.store(3, EVENING);
    fs::rename(&here, &away).unwrap();
    run.store(4, EVENING + 60);
    assert_eq!(run.days(EVENING + 62), is(&[("2025-11-27", 7)]));
    fs::remove_dir_all(&here).unwrap();
    fs::rename(&away, &here).unwrap();
    run.store(5, EVENING + 120);
    let expected = is(&[("2025-11-27", 12)]);
    assert_eq!(run.days(EVENING + 122), expected);
    assert_eq!(router.without_copy(run).days(EVENING + 180), expected);
}

/// Another router's store in its place: its open day is added to ours, also if a command has its lock at first.
#[test]
fn a_directory_that_is_replaced_by_another_store_loses_nothing_of_either() {
    for is_locked in [false, true] {
        let router = Router::new(&format!("replaced-{is_locked}"));
        let mut other = Router::new(&format!("replaced-other-{is_locked}"));
        other.boot = "other".into();
        let mut run = other.start();
        run.store(100, EVENING);
        drop(run);
        let here = router.place.join("db");
        let mut run = router.start();
        run.store(3, EVENING);
        fs::remove_dir_all(&here).unwrap();
        fs::rename(other.place.join("db"), &here).unwrap();
        if is_locked {
            let lock = Disk::open_for_writing(&here).unwrap();
            run.commit();
            drop(lock);
        }
        run.store(4, EVENING + 60);
        let expected = is(&[("2025-11-27", 107)]);
        assert_eq!(run.days(EVENING + 62), expected, "{is_locked}");
        assert_eq!(run.engine.salt, run.storage.store.salt(), "{is_locked}");
        let said = &run.storage.log_lines;
        assert!(said.iter().any(|said| said.contains("has another store now")), "{is_locked}: {said:?}");
        assert_eq!(router.without_copy(run).days(EVENING + 180), expected, "{is_locked}");
    }
}

#[test]
fn a_reload_to_another_directory_and_back_counts_once_also_what_was_before_a_reboot() {
    for mut router in [Router::new("reload"), rebooted("reload-reboot")] {
        let mut run = router.start();
        if router.boot == "boot" {
            run.store(3, EVENING);
        }
        let home = router.config.database.clone();
        for (count, database) in [(4, router.place.join("other").display().to_string()), (5, home)] {
            router.config.database = database;
            run.storage.reload(&router.config, &mut run.engine);
            run.store(count, EVENING + 60 + i64::from(count));
        }
        let expected = is(&[("2025-11-27", 12)]);
        assert_eq!(run.days(EVENING + 71), expected);
        assert_eq!(router.without_copy(run).days(EVENING + 180), expected);
    }
}

/// Until it can be opened, answers say that the stored days are missing.
#[test]
fn a_reload_to_a_directory_that_cannot_be_opened_yet_loses_nothing() {
    for (is_killed, has_store) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut router = Router::new(&format!("reload-early-{is_killed}-{has_store}"));
        let mut other = Router::new(&format!("reload-early-other-{is_killed}-{has_store}"));
        other.boot = "other".into();
        other.start().store(100, EVENING);
        let mut run = router.start();
        run.store(3, EVENING);
        let first =
            std::mem::replace(&mut router.config.database, router.place.join("second").display().to_string());
        fs::write(&router.config.database, "no directory").unwrap();
        run.storage.reload(&router.config, &mut run.engine);
        run.send(4, EVENING + 60);
        run.commit();
        assert!(run.storage.unread().is_some() && run.storage.problem.is_some());
        assert_eq!(run.days(EVENING + 61), is(&[("2025-11-27", 7)]));
        fs::remove_file(&router.config.database).unwrap();
        if has_store {
            fs::rename(other.place.join("db"), &router.config.database).unwrap();
        }
        if is_killed {
            run = router.restart(run);
        }
        run.store(5, EVENING + 120);
        assert_eq!((run.storage.unread(), &run.storage.problem), (None, &None));
        let expected = is(&[("2025-11-27", if has_store { 112 } else { 12 })]);
        assert_eq!(run.days(EVENING + 121), expected, "{is_killed} {has_store}");
        assert_eq!(router.without_copy(run).days(EVENING + 180), expected, "{is_killed} {has_store}");
        router.config.database = first;
        assert_eq!(router.start().days(EVENING + 180), is(&[("2025-11-27", 3)]));
    }
}

/// The drive is away when the daemon starts again, on a day with an earlier reboot, and returns while it runs or not.
#[test]
fn a_directory_that_is_away_at_a_restart_has_everything_once_when_it_returns() {
    for restart in [false, true] {
        let router = rebooted(&format!("away-at-restart-{restart}"));
        let (here, away) = (router.place.join("db"), router.place.join("away"));
        let mut run = router.start();
        run.store(4, EVENING + 60);
        fs::rename(&here, &away).unwrap();
        let mut run = router.restart(run);
        assert_eq!(run.days(EVENING + 90), is(&[("2025-11-27", 7)]));
        run.send(5, EVENING + 120);
        fs::remove_dir_all(&here).unwrap();
        fs::rename(&away, &here).unwrap();
        if restart {
            run = router.restart(run);
        }
        run.flush(EVENING + 121);
        let expected = is(&[("2025-11-27", 12)]);
        assert_eq!(run.days(EVENING + 122), expected, "{restart}");
        assert_eq!(router.without_copy(run).days(EVENING + 180), expected, "{restart}");
    }
}

/// The drive is not mounted yet when the daemon starts after a reboot, and is there when it starts again. Whichever of
/// the two stores has the higher serials.
#[test]
fn a_drive_that_is_mounted_after_a_reboot_and_before_a_restart_loses_nothing_of_either() {
    for (old, new) in [(100_000, 0), (0, 100_000)] {
        let mut router = Router::new(&format!("mounted-{old}"));
        let mut run = router.start();
        run.storage.serial = old;
        run.store(3, EVENING);
        drop(run);
        router.reboot();
        let drive =
            std::mem::replace(&mut router.config.database, router.place.join("mount").display().to_string());
        let mut run = router.start();
        run.storage.serial = new;
        run.store(4, EVENING + 60);
        router.config.database = drive;
        let mut run = router.restart(run);
        let expected = is(&[("2025-11-27", 7)]);
        assert_eq!(run.days(EVENING + 90), expected, "{old}");
        run.flush(EVENING + 91);
        assert_eq!(router.without_copy(run).days(EVENING + 180), expected, "{old}");
    }
}

/// The copy in RAM says that flash has everything; that is the other store.
#[test]
fn a_restart_with_the_store_of_before_writes_the_day_to_it() {
    let mut router = Router::new("of-before");
    let mut run = router.start();
    run.store(3, EVENING);
    let second = router.place.join("second").display().to_string();
    let first = std::mem::replace(&mut router.config.database, second);
    let mut run = router.restart(run);
    run.store(4, EVENING + 60);
    router.config.database = first;
    let mut run = router.restart(run);
    run.flush(EVENING + 90);
    assert_eq!(router.without_copy(run).days(EVENING + 180), is(&[("2025-11-27", 7)]));
}

#[test]
fn serials_go_on_when_the_directory_opens_after_the_start() {
    let router = Router::new("serials");
    let (here, away) = (router.place.join("db"), router.place.join("away"));
    let mut run = router.start();
    run.storage.serial = 100;
    run.store(3, EVENING);
    drop(run);
    fs::rename(&here, &away).unwrap();
    fs::write(&here, "no directory").unwrap();
    let mut run = router.start();
    fs::remove_file(&here).unwrap();
    fs::rename(&away, &here).unwrap();
    run.store(4, EVENING + 60);
    assert!(run.storage.serial > 100);
}
