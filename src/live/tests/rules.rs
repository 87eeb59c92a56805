//! What is answered by firewall rule, zone and target.

use super::*;
use crate::event::paths::Direction;

/// Gives packets that a zone's rule refused, or another one that tells no zone; forwarded ones with their host inside.
fn give(router: &mut Router, prefix: &str, zone: Option<&str>, inside: Option<u32>, count: u32) {
    let path = router.engine.paths.intern(&Path {
        origin: Origin::Nflog,
        prefix: prefix.into(),
        input: "pppoe-wan".into(),
        output: if inside.is_some() { "br-lan".into() } else { String::new() },
        bridge_input: String::new(),
        bridge_output: String::new(),
        group_mac: false,
        verdict: Verdict::Drop,
        zone: None,
        firewall_zone: zone.map(str::to_string),
        direction: Direction::Inbound,
    });
    for source in 0..count {
        let packet = Event { path, ..event(source, 22, router.machine.boot_ms) };
        let destination = inside.map_or(packet.destination, Address::v4);
        router.give(Input::Nflog, Event { destination, ..packet }, None);
    }
}

/// `prefix zone attempts`, `zone attempts` and `address port attempts`, and what is missing.
fn told(router: &mut Router, from: u32) -> (Vec<String>, String) {
    let from = crate::event::calendar::Date::from_ymd(2026, 6, from);
    let question = Question { from, to: router.engine.date(), ..Question::new(Topic::Rules) };
    let Answer::Rules(answer) = router.ask_about(&question) else { panic!() };
    let known = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
    let mut rows: Vec<String> = Vec::new();
    rows.extend(
        answer.rules.iter().map(|row| format!("{} {} {}", row.prefix, known(&row.zone), row.attempts)),
    );
    rows.extend(answer.zones.iter().map(|row| format!("{} {}", known(&row.zone), row.attempts)));
    rows.extend(
        answer.targets.iter().map(|row| format!("{} {} {}", &*row.address, row.port.unwrap(), row.attempts)),
    );
    (rows, answer.completeness.incomplete_because.unwrap_or_default())
}

const HOST: u32 = 0xc0a8_010a;

#[test]
fn rules_survive_crashes_power_cuts_and_midnight() {
    let mut router = Router::boot(START + HOUR, "UTC");
    let whole = |times: u32| {
        vec![
            format!("drop wan in: wan {}", 5 * times),
            format!("drop wan forward: wan {}", 3 * times),
            format!("mine - {}", 2 * times),
            format!("wan {}", 8 * times),
            format!("- {}", 2 * times),
            format!("192.168.1.10 22 {}", 3 * times),
        ]
    };
    for times in 1..=6 {
        give(&mut router, "drop wan in:", Some("wan"), None, 5);
        give(&mut router, "mine", None, None, 2);
        give(&mut router, "drop wan forward:", Some("wan"), Some(HOST), 3);
        assert_eq!(told(&mut router, 10), (whole(times), String::new()));
        if times % 2 == 0 {
            router.commit();
            router = router.power_cut();
        } else {
            router.copy();
            router = router.crash();
        }
        assert_eq!(told(&mut router, 10), (whole(times), String::new()));
    }
    // A closed day and an open one.
    router.pass(DAY);
    give(&mut router, "mine", None, None, 2);
    let mut both = whole(6);
    (both[2], both[4]) = ("mine - 14".into(), "- 14".into());
    assert_eq!(told(&mut router, 10), (both.clone(), String::new()));
    router.commit();
    // Sources are deleted; what names none of them stays.
    router.engine.forget_sources(|_| true);
    assert_eq!(told(&mut router, 10), (both.clone(), String::new()));
    give(&mut router, "mine", None, None, 1);
    assert_eq!(told(&mut router, 11).0, ["mine - 3", "- 3"]);
    // Another store's salt.
    router.engine.set_salt(99);
    give(&mut router, "mine", None, None, 1);
    assert_eq!(told(&mut router, 11).0, ["mine - 4", "- 4"]);
}

#[test]
fn of_what_waited_for_the_clock_no_rule_is_told() {
    let mut router = Router::boot_with(500, "UTC", false);
    router.pass(60);
    give(&mut router, "drop wan in:", Some("wan"), None, 7);
    router.machine.wall = START + HOUR;
    router.ntp();
    give(&mut router, "drop wan in:", Some("wan"), None, 2);
    let (rows, because) = told(&mut router, 10);
    assert_eq!(rows, ["drop wan in: wan 2", "wan 2"]);
    assert_eq!(because, "of 7 attempts it is not known, or no longer kept, which rule logged them");
}
