//! The newest events that fit a filter, while others come in a flood.

use super::*;
use crate::live::watch::{MAX_HELD, MAX_SEARCHED, MAX_WATCHES};
use crate::query::answer::RecentAnswer;
use crate::query::filter::Filter;

fn recent(router: &mut Router, filter: &str, cursor: u64) -> RecentAnswer {
    let filter = Filter::parse(filter).unwrap();
    let question =
        Question { filter, cursor, every_class: true, limit: 1000, ..Question::new(Topic::Recent) };
    let Answer::Recent(recent) = router.ask_about(&question) else { panic!() };
    recent
}

fn ports(recent: &RecentAnswer) -> Vec<u16> {
    recent.events.iter().filter_map(|row| row.port).collect()
}

#[test]
fn a_rare_event_is_found_in_a_flood() {
    let mut router = Router::boot(START, "UTC");
    router.packet(1, 22);
    let first = recent(&mut router, "!port:23", 0);
    assert_eq!(ports(&first), [22]);
    // Twenty events are held; these come between two looks.
    (0..500).for_each(|host| router.packet(host, 23));
    router.packet(2, 2222);
    (0..500).for_each(|host| router.packet(host, 23));
    let next = recent(&mut router, "!port:23", first.cursor);
    assert_eq!((ports(&next), next.cursor), (vec![2222], 1002));
    assert!(next.completeness.complete, "none of them is missing");
    // A filter that nobody had asked for only knows what is held.
    assert!(ports(&recent(&mut router, "port:2222", 0)).is_empty());
    // Words of the log line.
    let line = recent(&mut router, "dpt=2222 class:attempt", 0);
    assert!(ports(&line).is_empty());
    router.packet(3, 2222);
    (0..50).for_each(|host| router.packet(host, 23));
    assert_eq!(ports(&recent(&mut router, "dpt=2222 class:attempt", line.cursor)), [2222]);
    assert!(ports(&recent(&mut router, "dpt=2222 !class:attempt", 0)).is_empty());
}

#[test]
fn a_cursor_of_an_earlier_run_gives_the_newest_events() {
    let mut router = Router::boot(START, "UTC");
    (0..150).for_each(|host| router.packet(host, 23));
    let before = recent(&mut router, "", 0);
    assert_eq!(before.cursor, 150);
    // The numbers begin at 1 again.
    router = router.crash();
    (0..3).for_each(|host| router.packet(host, 22));
    for filter in ["", "port:22"] {
        let after = recent(&mut router, filter, before.cursor);
        assert_eq!((ports(&after), after.cursor), (vec![22, 22, 22], 3), "{filter}");
        let because = after.completeness.incomplete_because.as_deref();
        assert_eq!(because, Some("older events are no longer held"));
    }
    router.packet(4, 2222);
    let next = recent(&mut router, "", 3);
    assert!(ports(&next) == [2222] && next.completeness.complete, "{next:?}");
}

#[test]
fn what_filters_hold_and_search_is_bounded_and_told() {
    let mut router = Router::boot(START, "UTC");
    let first = recent(&mut router, "port:23", 0);
    (0..MAX_HELD as u32 + 50).for_each(|host| router.packet(host, 23));
    let next = recent(&mut router, "port:23", first.cursor.max(1));
    assert_eq!(next.events.len(), MAX_HELD);
    assert!(!next.completeness.complete, "the first ones are gone");
    // One more than there can be: the one that was not asked for the longest makes room.
    for port in 0..MAX_WATCHES {
        router.pass(1);
        recent(&mut router, &format!("port:{port}"), 0);
    }
    (0..50).for_each(|host| router.packet(host, 22));
    assert!(recent(&mut router, "port:23", 0).events.is_empty());
    // Words are searched in so many lines a second; then nothing is told to be complete.
    router.pass(60);
    let words = recent(&mut router, "dpt=2222", 0);
    (0..MAX_SEARCHED).for_each(|host| router.packet(host, 23));
    router.packet(2, 2222);
    (0..50).for_each(|host| router.packet(host, 23));
    let late = recent(&mut router, "dpt=2222", words.cursor);
    assert!(late.events.is_empty() && !late.completeness.complete);
    // A second later it goes on.
    router.pass(1);
    router.packet(2, 2222);
    (0..50).for_each(|host| router.packet(host, 23));
    assert_eq!(ports(&recent(&mut router, "dpt=2222", late.cursor)), [2222]);
}

#[test]
fn what_filters_hold_of_a_deleted_source_is_deleted() {
    let mut router = Router::boot(START, "UTC");
    let first = recent(&mut router, "port:22", 0);
    (1..3).for_each(|host| router.packet(host, 22));
    (0..500).for_each(|host| router.packet(host, 23));
    router.engine.forget_sources(|address| address == Address::v4(1));
    let next = recent(&mut router, "port:22", first.cursor);
    let sources: Vec<&str> = next.events.iter().map(|row| row.source.as_str()).collect();
    assert_eq!(sources, ["0.0.0.2"]);
}

#[test]
fn a_source_that_is_deleted_before_the_clock_is_set_has_no_row_afterwards() {
    let mut router = Router::boot_with(500, "UTC", false);
    (1..3).for_each(|host| router.packet(host, 22));
    router.engine.forget_sources(|address| address == Address::v4(1));
    router.machine.wall = START + HOUR;
    router.ntp();
    let Answer::Sources(answer) = router.ask(Topic::Sources) else { panic!() };
    let sources: Vec<String> = answer.sources.iter().map(|row| row.address.to_string()).collect();
    assert_eq!((sources.concat().as_str(), router.total()), ("0.0.0.2", 2));
}
