//! Commands that have the store while the daemon runs or starts: what they leave counts once.

use super::*;

/// A router that counted 3 attempts in an earlier boot.
pub(super) fn rebooted(name: &str) -> Router {
    let mut router = Router::new(name);
    let mut run = router.start();
    run.store(3, EVENING);
    drop(run);
    router.reboot();
    router
}

#[test]
fn a_command_brings_nothing_twice_that_was_counted_before_a_reboot() {
    let router = rebooted("command");
    let mut run = router.start();
    run.store(4, EVENING + 60);
    assert!(run.storage.release());
    router.import(20, EVENING - HOUR);
    run.flush(EVENING + 62);
    let expected = is(&[("2025-11-27", 3 + 4 + 20)]);
    assert_eq!(run.days(EVENING + 63), expected);
    assert_eq!(router.without_copy(run).days(EVENING + 120), expected);
}

#[test]
fn what_a_command_writes_while_the_daemon_starts_is_counted() {
    let router = rebooted("command-start");
    let lock = Disk::open_for_writing(Path::new(&router.config.database)).unwrap();
    let mut run = router.start();
    run.send(4, EVENING + 60);
    assert_eq!(run.days(EVENING + 61), is(&[("2025-11-27", 7)]));
    assert!(run.storage.released && !run.storage.take_back(), "other files are read later, too");
    drop(lock);
    router.import(20, EVENING - HOUR);
    router.import(5, EVENING - 30 * HOUR);
    run.flush(EVENING + 62);
    assert!(run.storage.take_back());
    let expected = is(&[("2025-11-26", 5), ("2025-11-27", 27)]);
    assert_eq!(run.days(EVENING + 63), expected);
    // Its pieces go when their days are closed.
    run.at(EVENING + HOUR);
    run.flush(EVENING + HOUR);
    assert_eq!(run.days(EVENING + HOUR), expected);
    assert_eq!(router.without_copy(run).days(EVENING + HOUR + 60), expected);
}
