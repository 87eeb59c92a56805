//! What is answered of the open day.

use super::*;
use crate::stats::countries::Country;

/// Every source below 100 is French, the others are German.
struct Halves;

impl CountryLookup for Halves {
    fn country_of(&mut self, address: Address) -> Option<Country> {
        Some(Country(if address < Address::v4(100) { *b"FR" } else { *b"DE" }))
    }
}

#[test]
fn the_sources_of_a_country_are_listed_though_others_tried_more_often() {
    let mut router = Router::boot(START, "UTC");
    router.engine.lookup = Some(Rc::new(RefCell::new(Halves)));
    for host in 100..150 {
        (0..3).for_each(|_| router.packet(host, 23));
    }
    (0..5).for_each(|host| router.packet(host, 23));
    let today = router.engine.date();
    for (from, to) in [(None, None), (today.map(|day| Date(day.0 - 3)), today)] {
        let question = Question { from, to, country: Some(*b"FR"), ..Question::new(Topic::Sources) };
        let Answer::Sources(answer) = router.ask_about(&question) else { panic!() };
        assert_eq!(answer.sources.len(), 5, "{:?}", answer.completeness);
        assert!(answer.completeness.complete, "{:?}", answer.completeness);
    }
}

#[test]
fn today_is_answered_at_once_and_with_the_month() {
    let mut router = Router::boot(START, "UTC");
    for host in 0..10 {
        router.packet(host, 23);
    }
    let Answer::Summary(summary) = router.ask(Topic::Summary) else { panic!() };
    assert_eq!((summary.attempts, summary.unique_sources, summary.days), (10, Some(10), 1));
    assert_eq!(summary.services[0].attempts, 10);
    assert_eq!(summary.blocks.unwrap().active, 0);
    router.pass(DAY);
    router.packet(3, 22);
    assert_eq!(router.days(), ["2026-06-10 10 10", "2026-06-11 1 1"]);
    let Answer::Months(months) = router.ask(Topic::Months) else { panic!() };
    assert_eq!((months.months[0].attempts, months.months[0].unique_sources), (11, Some(10)));
    let Answer::Recent(recent) = router.ask(Topic::Recent) else { panic!() };
    assert_eq!((recent.events.len(), recent.cursor), (11, 11));
    assert_eq!(recent.events[10].time, "2026-06-11T00:00:00+00:00");
    let after = Question { cursor: 10, ..Question::new(Topic::Recent) };
    let Answer::Recent(recent) = router.ask_about(&after) else { panic!() };
    assert_eq!(recent.events.len(), 1);
}

#[test]
fn a_period_is_told_beside_the_one_before_and_what_is_usual() {
    let mut router = Router::boot(START, "UTC");
    for day in 1..=9 {
        for host in 0..day * 10 {
            router.packet(host, 23);
        }
        router.pass(DAY);
    }
    router.pass(5 * HOUR);
    (0..7).for_each(|host| router.packet(host, 22));
    let Answer::Summary(summary) = router.ask(Topic::Summary) else { panic!() };
    let hours: Vec<u64> = summary.hours.unwrap().iter().map(|row| row.attempts).collect();
    assert_eq!((hours.len(), hours[5], hours.iter().sum::<u64>()), (24, 7, 7));
    let before = summary.before.unwrap();
    assert_eq!(
        (before.to.to_string(), before.attempts, before.unique_sources),
        ("2026-06-18".into(), 90, Some(90))
    );
    assert_eq!(before.hours[0].attempts, 90);
    assert_eq!(summary.usual_per_day, Some(50.0));
    let from = Question {
        from: crate::event::calendar::Date::from_ymd(2026, 6, 10),
        ..Question::new(Topic::Summary)
    };
    let Answer::Summary(summary) = router.ask_about(&from) else { panic!() };
    assert!(summary.before.is_none() && summary.usual_per_day.is_none(), "nothing is known of before");
}

#[test]
fn a_day_that_is_not_over_is_compared_with_the_same_hours() {
    let mut router = Router::boot(START, "UTC");
    // 10 attempts an hour all day, then 20 an hour until the middle of the sixth hour.
    for _ in 0..24 {
        (0..10).for_each(|host| router.packet(host, 23));
        router.pass(HOUR);
    }
    for _ in 0..5 {
        (0..20).for_each(|host| router.packet(host, 23));
        router.pass(HOUR);
    }
    router.pass(HOUR / 2);
    (0..500).for_each(|host| router.packet(host, 23));
    let Answer::Summary(summary) = router.ask(Topic::Summary) else { panic!() };
    assert_eq!((summary.attempts, summary.change, summary.change_until_hour), (600, Some(2.0), Some(5)));
    let date = |day| crate::event::calendar::Date::from_ymd(2026, 6, day);
    // From flash, and a day that is over.
    let mut router = {
        router.commit();
        router.crash()
    };
    let Answer::Summary(summary) = router.ask(Topic::Summary) else { panic!() };
    assert_eq!((summary.change, summary.change_until_hour), (Some(2.0), Some(5)));
    router.pass(DAY);
    let over = Question { from: date(11), to: date(11), ..Question::new(Topic::Summary) };
    let Answer::Summary(summary) = router.ask_about(&over) else { panic!() };
    assert_eq!((summary.change, summary.change_until_hour), (Some(2.5), None));
    // In the first hour nothing can be compared.
    router.pass(DAY - 5 * HOUR);
    router.packet(1, 23);
    let Answer::Summary(summary) = router.ask(Topic::Summary) else { panic!() };
    assert_eq!((summary.attempts, summary.change, summary.change_until_hour), (1, None, None));
}

#[test]
fn services_are_told_day_by_day() {
    let mut router = Router::boot(START, "UTC");
    for day in 0..3 {
        (0..=day).for_each(|host| router.packet(host, 23));
        if day == 1 {
            router.packet(9, 22);
        }
        router.pass(DAY);
    }
    let date = |day| crate::event::calendar::Date::from_ymd(2026, 6, day);
    let question = Question { from: date(1), to: date(30), daily: true, ..Question::new(Topic::Services) };
    let Answer::Services(answer) = router.ask_about(&question) else { panic!() };
    let dates: Vec<String> = answer.dates.unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(dates, ["2026-06-10", "2026-06-11", "2026-06-12"]);
    let daily: Vec<_> = answer.services.iter().map(|row| (row.port, row.daily.clone().unwrap())).collect();
    assert_eq!(daily, [(Some(23), vec![1, 2, 3]), (Some(22), vec![0, 1, 0])]);
    let wide = Question { from: date(1), to: crate::event::calendar::Date::from_ymd(2026, 8, 2), ..question };
    let Router { storage, engine, now, .. } = &mut router;
    let refused = engine.answer(*now, &wide, &mut storage.store);
    assert!(refused.unwrap_err().1.contains("at most 62 days"));
}

#[test]
fn what_logd_tells_late_goes_to_its_own_day() {
    let mut router = Router::boot(START + DAY - 1, "UTC");
    router.pass(2);
    let stamp = (START + DAY) * 1000 - 300;
    router.give(Input::Logd, event(1, 23, 0), Some(stamp));
    router.packet(2, 23);
    assert_eq!(router.days(), ["2026-06-10 1 1", "2026-06-11 1 1"]);
    router.commit();
    assert_eq!(router.power_cut().days(), ["2026-06-10 1 1", "2026-06-11 1 1"]);
}

#[test]
fn one_packet_through_both_inputs_counts_once_and_logd_may_be_late() {
    let mut router = Router::boot(START, "UTC");
    for _ in 0..100 {
        let packet = Event { path: PathId(1), ..event(1, 23, 0) };
        router.give(Input::Nflog, packet, None);
        let stamp = router.now.wall * 1000;
        router.pass(1);
        router.give(Input::Logd, Event { path: PathId(2), ..packet }, Some(stamp));
    }
    assert_eq!(router.days(), ["2026-06-10 100 1"]);
    assert_eq!(router.engine.health(Input::Logd).duplicates, 100);
}

/// Of a zone's refused packets.
fn path(origin: Origin, input: &str) -> Path {
    Path {
        origin,
        prefix: "reject wan in:".into(),
        input: input.into(),
        output: String::new(),
        bridge_input: String::new(),
        bridge_output: String::new(),
        group_mac: false,
        firewall_zone: None,
        verdict: Verdict::Reject,
        zone: Some("wan".into()),
        direction: crate::event::paths::Direction::Inbound,
    }
}

/// Either input can be the first to tell of a packet, by turns and by up to 800 packets.
#[test]
fn in_a_flood_through_both_inputs_each_packet_counts_once() {
    for (batch, nflog_first) in [(1, false), (1, true), (60, false), (60, true), (400, false), (400, true)] {
        let mut router = Router::boot(START, "UTC");
        let mut path = |origin| router.engine.paths.intern(&path(origin, "wan"));
        let (nflog, logd) = (path(Origin::Nflog), path(Origin::Log));
        let mut waiting: Vec<Event> = Vec::new();
        // 3,000 a second for 20 seconds.
        for number in 0..60_000u32 {
            let packet = event(number % 20, 23, u64::from(number));
            let (first, second) = if nflog_first { (nflog, logd) } else { (logd, nflog) };
            let give = |router: &mut Router, packet: Event, path| {
                let stamp = (path == logd).then_some(router.now.wall * 1000);
                let input = if path == nflog { Input::Nflog } else { Input::Logd };
                router.give(input, Event { path, ..packet }, stamp);
            };
            give(&mut router, packet, first);
            waiting.push(packet);
            // The first of the other input's batch are told before, the last after this input's next ones.
            if waiting.len() == 2 * batch {
                waiting.drain(..batch).for_each(|packet| give(&mut router, packet, second));
            }
            if number % 3000 == 2999 {
                router.pass(1);
            }
        }
        let name = format!("{batch} at once, NFLOG first: {nflog_first}");
        assert_eq!(router.days(), ["2026-06-10 60000 20"], "{name}");
        assert_eq!(router.engine.health(Input::Logd).assumed, 0, "{name}");
    }
}

/// The log is seconds behind NFLOG in a flood, and now and then it is faster: NFLOG's packets all count.
#[test]
fn no_packet_of_nflog_is_lost_where_too_many_came_to_compare() {
    let mut router = Router::boot(START, "UTC");
    let mut path = |origin| router.engine.paths.intern(&path(origin, "wan"));
    let (nflog, logd) = (path(Origin::Nflog), path(Origin::Log));
    let packets: Vec<Event> = (0..30_000).map(|number| event(number % 20, 23, number.into())).collect();
    let late = 5_000;
    for (number, packet) in packets.iter().enumerate() {
        let stamp = Some(router.now.wall * 1000);
        let early = number % 7 == 0;
        if early {
            router.give(Input::Logd, Event { path: logd, ..*packet }, stamp);
        }
        router.give(Input::Nflog, Event { path: nflog, ..*packet }, None);
        if let Some(before) = number.checked_sub(late).filter(|before| before % 7 != 0) {
            router.give(Input::Logd, Event { path: logd, ..packets[before] }, stamp);
        }
        if number % 5000 == 4999 {
            router.pass(1);
        }
    }
    let (nflog, logd) = (router.engine.health(Input::Nflog), router.engine.health(Input::Logd));
    assert!(logd.assumed > 10_000, "{logd:?}");
    assert_eq!(nflog.attempts + logd.attempts, 30_000, "{nflog:?} {logd:?}");
}

#[test]
fn in_a_flood_what_cannot_be_compared_is_a_copy_and_everything_else_counts() {
    let mut router = Router::boot(START, "UTC");
    let mut path = |origin, input: &str| router.engine.paths.intern(&path(origin, input));
    let (nflog, logd, other) =
        (path(Origin::Nflog, "wan"), path(Origin::Log, "wan"), path(Origin::Log, "wg0"));
    let incomplete = |router: &mut Router| {
        let Answer::Summary(summary) = router.ask(Topic::Summary) else { panic!() };
        summary.completeness.incomplete_because
    };
    assert_eq!(incomplete(&mut router), None);
    let packets: Vec<Event> = (0..20_000).map(|n| Event { path: nflog, ..event(n, 23, 0) }).collect();
    packets.iter().for_each(|packet| router.give(Input::Nflog, *packet, None));
    let stamp = Some(router.now.wall * 1000);
    packets.iter().for_each(|packet| router.give(Input::Logd, Event { path: logd, ..*packet }, stamp));
    let health = router.engine.health(Input::Logd);
    assert_eq!(
        (router.engine.health(Input::Nflog).attempts, health.attempts, health.duplicates),
        (20_000, 0, 20_000)
    );
    let remembered = crate::input::duplicates::ENTRIES as u64;
    assert!(health.assumed > 0 && health.assumed >= 20_000 - 2 * remembered, "{health:?}");
    let reason = incomplete(&mut router).unwrap();
    assert!(
        reason.contains(&format!("{} lines of the log were taken for copies", health.assumed)),
        "{reason}"
    );
    // Another interface's packets are no copies, and neither are this one's when the flood is over.
    router.give(Input::Logd, Event { path: other, ..event(1, 22, 0) }, stamp);
    router.pass(5);
    router.give(Input::Logd, Event { path: logd, ..event(2, 22, 0) }, None);
    let after = router.engine.health(Input::Logd);
    assert_eq!((after.attempts, after.assumed), (2, health.assumed));
    // What is few enough to be compared is counted however fast it comes.
    for n in 0..300 {
        router.give(Input::Nflog, Event { path: nflog, ..event(n, 80, 0) }, None);
        router.give(Input::Logd, Event { path: logd, ..event(n, 81, 0) }, None);
    }
    let last = router.engine.health(Input::Logd);
    assert!(last.attempts >= 2 + 285 && last.attempts + last.assumed - after.assumed == 302, "{last:?}");
}

#[test]
fn what_an_input_loses_before_the_clock_is_set_is_missing_on_the_day_that_begins() {
    let mut router = Router::boot_with(500, "UTC", false);
    router.packet(1, 23);
    router.engine.note_lost(Input::Nflog, 5);
    router.engine.note_unseen(2);
    router.pass(60);
    router.machine.wall = START + HOUR;
    router.ntp();
    router.engine.note_lost(Input::Nflog, 6);
    assert_eq!(router.engine.lost_today(), 8);
    router.commit();
    // The day before the power cut is open, and not the one that begins.
    let mut router = router.power_cut_until(START + 3 * DAY, false);
    router.engine.note_lost(Input::Nflog, 4);
    router.ntp();
    assert_eq!(router.engine.lost_today(), 4);
}

#[test]
fn an_input_that_is_opened_anew_counts_its_losses_anew() {
    let mut router = Router::boot(START, "UTC");
    for lost in [500, 500, 0, 3, 7] {
        router.engine.note_lost(Input::Nflog, lost);
    }
    assert_eq!(router.engine.lost_today(), 507);
}
