//! What is left after a crash, a power cut, a full flash.

use super::*;

#[test]
fn a_crash_loses_nothing_that_was_copied_and_a_power_cut_nothing_committed() {
    let mut router = Router::boot(START + HOUR, "UTC");
    for round in 0..5 {
        for host in 0..20 {
            router.packet(host + round, 23);
        }
        router.commit();
        router.packet(99, 22);
        router.copy();
        router.packet(98, 21);
        // The packet since the copy is gone.
        router = router.crash();
    }
    assert_eq!(router.days(), ["2026-06-10 105 25"]);
    router.packet(97, 1);
    router.commit();
    router.packet(96, 1);
    router = router.power_cut();
    assert_eq!(router.days(), ["2026-06-10 106 26"]);
    for _ in 0..100 {
        router.packet(97, 1);
        router.commit();
    }
    assert!(router.disks.store().pieces().unwrap().len() < 60);
    assert_eq!(router.power_cut().days(), ["2026-06-10 206 26"]);
}

#[test]
fn a_crash_between_the_commit_and_the_copy_counts_nothing_twice() {
    let mut router = Router::boot(START + HOUR, "UTC");
    router.packet(1, 23);
    router.copy();
    let old = router.saved_copy();
    router.packet(2, 23);
    router.commit();
    router.put_copy(&old);
    router = router.crash();
    assert_eq!(router.days(), ["2026-06-10 2 2"]);
    // The same at midnight.
    router.packet(3, 23);
    router.copy();
    let old = router.saved_copy();
    router.pass(DAY);
    router.put_copy(&old);
    router = router.crash();
    assert_eq!(router.days(), ["2026-06-10 3 3"]);
}

#[test]
fn without_a_clock_events_wait_and_get_their_hours() {
    let mut router = Router::boot_with(500, "UTC", false);
    router.pass(60);
    for host in 0..5000 {
        router.packet(host, 23);
    }
    router.pass(2 * HOUR);
    router.packet(1, 22);
    let Answer::Summary(summary) = router.ask(Topic::Summary) else { panic!() };
    assert_eq!(summary.attempts, 0);
    // NTP answers half an hour after midnight.
    router.machine.wall = START + DAY + HOUR / 2;
    router.ntp();
    // Of what had no row only the number and the hour are known.
    assert_eq!(router.days(), ["2026-06-10 5000 0", "2026-06-11 1 0"]);
    router.commit();
    assert_eq!(router.power_cut().days(), ["2026-06-10 5000 0", "2026-06-11 1 0"]);
}

#[test]
fn what_waits_for_the_clock_survives_a_crash() {
    let mut router = Router::boot_with(500, "UTC", false);
    router.pass(60);
    for host in 0..5000 {
        router.packet(host, 23);
    }
    router.copy();
    // Without events that need a day a commit writes nothing, and the copy stays what it is.
    router.commit();
    router = router.crash();
    router.pass(HOUR);
    router.packet(1, 22);
    router.copy();
    router = router.crash();
    router.machine.wall = START + 2 * HOUR + HOUR / 2;
    router.ntp();
    assert_eq!(router.days(), ["2026-06-10 5001 0"]);
    let Answer::Hours(answer) = router.ask(Topic::Hours) else { panic!() };
    assert_eq!((answer.hours[0].attempts, answer.hours[1].attempts, answer.hours[2].attempts), (0, 5000, 1));
}

#[test]
fn a_full_flash_is_ram_until_there_is_room() {
    let mut router = Router::boot(START, "UTC");
    router.packet(1, 23);
    router.disks.set_full(true);
    assert!(!router.commit());
    router.pass(DAY);
    router.packet(2, 23);
    assert!(!router.commit());
    assert_eq!(router.days(), ["2026-06-10 1 1", "2026-06-11 1 1"]);
    router.copy();
    router = router.crash();
    assert_eq!(router.days(), ["2026-06-10 1 1", "2026-06-11 1 1"]);
    router.disks.set_full(false);
    assert!(router.commit());
    assert_eq!(router.power_cut().days(), ["2026-06-10 1 1", "2026-06-11 1 1"]);
}

#[test]
fn what_was_lost_today_is_told() {
    let mut router = Router::boot(START, "UTC");
    router.packet(1, 23);
    router.engine.note_lost(Input::Nflog, 7);
    router.copy();
    router = router.crash();
    let Answer::Summary(summary) = router.ask(Topic::Summary) else { panic!() };
    let because = "up to 7 packets on 2026-06-10 are in no figure: lost before they were read (entries of the log count \
                   as packets), or refused where only their number is known";
    assert_eq!(summary.completeness.incomplete_because.as_deref(), Some(because));
    router.pass(DAY);
    router.packet(1, 23);
    let Answer::Summary(summary) = router.ask(Topic::Summary) else { panic!() };
    assert!(summary.completeness.complete);
}
