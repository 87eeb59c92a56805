//! Commands that have the store while the daemon runs or starts: what they leave counts once.

use super::*;

/// A router that counted 3 attempts in an earlier boot.
fn rebooted(name: &str) -> Router {
    let mut router = Router::new(name);
    let mut run = router.start();
    run.send(3, EVENING);
    run.commit(&router);
    run.settle(&router, EVENING + 1);
    drop(run);
    fs::remove_dir_all(router.place.join("run")).unwrap();
    fs::create_dir_all(router.place.join("run")).unwrap();
    router.boot = "another".into();
    router
}

#[test]
fn a_command_brings_nothing_twice_that_was_counted_before_a_reboot() {
    let router = rebooted("command");
    let mut run = router.start();
    run.send(4, EVENING + 60);
    run.commit(&router);
    run.settle(&router, EVENING + 61);
    assert!(run.storage.release());
    router.import(20, EVENING - HOUR);
    run.commit(&router);
    run.settle(&router, EVENING + 62);
    let expected = is(&[("2025-11-27", 3 + 4 + 20)]);
    assert_eq!(run.days(EVENING + 63), expected);
    drop(run);
    let _ = fs::remove_file(router.place.join("run/today.fws"));
    assert_eq!(router.start().days(EVENING + 120), expected);
}

#[test]
fn what_a_command_writes_while_the_daemon_starts_is_counted() {
    let router = rebooted("command-start");
    let lock = Disk::open_for_writing(Path::new(&router.config.database)).unwrap();
    let mut run = router.start();
    run.send(4, EVENING + 60);
    assert_eq!(run.days(EVENING + 61), is(&[("2025-11-27", 7)]));
    assert!(run.storage.is_released() && !run.storage.take_back(), "other files are read later, too");
    drop(lock);
    router.import(20, EVENING - HOUR);
    router.import(5, EVENING - 30 * HOUR);
    run.commit(&router);
    run.settle(&router, EVENING + 62);
    assert!(run.storage.take_back());
    let expected = is(&[("2025-11-26", 5), ("2025-11-27", 27)]);
    assert_eq!(run.days(EVENING + 63), expected);
    // Its pieces go when their days are closed.
    run.at(EVENING + HOUR);
    run.commit(&router);
    run.settle(&router, EVENING + HOUR);
    assert_eq!(run.days(EVENING + HOUR), expected);
    drop(run);
    let _ = fs::remove_file(router.place.join("run/today.fws"));
    assert_eq!(router.start().days(EVENING + HOUR + 60), expected);
}

#[test]
fn a_reload_to_another_directory_and_back_counts_once_what_was_before_a_reboot() {
    let mut router = rebooted("command-reload");
    let mut run = router.start();
    let home = router.config.database.clone();
    for (count, database) in [(4, router.place.join("other").display().to_string()), (5, home)] {
        router.config.database = database;
        run.storage.reload(&router.config, &mut run.engine);
        run.send(count, EVENING + 60 + i64::from(count));
        run.commit(&router);
        run.settle(&router, EVENING + 70);
    }
    assert_eq!(run.days(EVENING + 71), is(&[("2025-11-27", 12)]));
}
