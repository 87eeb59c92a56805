//! The engine and its store at simulated time.

mod exposed;
mod flash;

use std::cell::Cell;
use std::io;
use std::rc::Rc;

use super::clock::BUILT;
use super::*;
use crate::event::{Address, PathId, Verdict, protocol};
use crate::query::Answer;
use crate::query::history::{History, Retention};
use crate::query::question::{Question, Topic};
use crate::store::shelf::{Change, MemoryShelf, Shelf};
use crate::store::today::{self, Keeper, State};

const HOUR: i64 = 3600;
const DAY: i64 = 86_400;
/// 2026-06-10 00:00 UTC
const START: i64 = 1_781_049_600;

/// A shelf in memory that outlives the process, and that can be full.
#[derive(Clone, Default)]
struct Flash {
    files: Rc<std::cell::RefCell<MemoryShelf>>,
    full: Rc<Cell<bool>>,
}

impl Shelf for Flash {
    fn names(&self) -> io::Result<Vec<String>> {
        self.files.borrow().names()
    }

    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        self.files.borrow().read(name)
    }

    fn commit(&mut self, changes: Vec<Change>) -> io::Result<()> {
        if self.full.get() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.files.borrow_mut().commit(changes)
    }

    fn describe(&self, name: &str) -> String {
        name.to_string()
    }
}

/// A router at simulated time.
struct Router {
    now: Now,
    engine: Engine,
    keeper: Keeper,
    flash: Flash,
    copy: Option<Vec<u8>>,
    serial: u64,
}

impl Router {
    fn boot(wall: i64, zone: &str) -> Router {
        Router::start(Now { boot_ms: 10_000, wall }, zone, Flash::default(), None)
    }

    fn start(now: Now, zone: &str, flash: Flash, copy: Option<Vec<u8>>) -> Router {
        let (mut keeper, found) = Keeper::open(flash.clone(), Retention::default(), true).unwrap();
        let newest = keeper.store.months().last().and_then(|month| {
            let observed = keeper.store.month(*month)?.summary.observed;
            Some(Date(month.first_day().0 + 31 - observed.leading_zeros().cast_signed()))
        });
        let mut engine = Engine::new(Calendar::new(zone).unwrap(), newest, 20);
        let copied = copy.as_deref().and_then(today::decode);
        let saved = match (found, copied) {
            (Some(flash), Some(copy)) if copy.state.serial > flash.state.serial => Some(copy),
            (Some(flash), _) => Some(flash),
            (None, copy) => copy,
        };
        let serial = saved.as_ref().map_or(0, |saved| saved.state.serial);
        if let Some(saved) = &saved {
            engine.restore(saved);
        }
        engine.tick(now);
        Router { now, engine, keeper, flash, copy, serial }
    }

    fn pass(&mut self, seconds: i64) {
        self.now.wall += seconds;
        self.now.boot_ms += seconds as u64 * 1000;
        self.engine.tick(self.now);
        if self.engine.actions().contains(&Action::Commit) {
            self.commit();
        }
    }

    fn step(&mut self, seconds: i64) {
        self.now.wall += seconds;
        self.pass(0);
    }

    fn state(&mut self, on_flash: bool) -> State {
        self.serial += 1;
        State {
            serial: self.serial,
            date: self.engine.date(),
            lost: self.engine.lost_today(),
            on_flash,
            written: 0,
            ..State::default()
        }
    }

    fn commit(&mut self) -> bool {
        let portion = self.engine.portion(self.keeper.wants_whole());
        if portion == Portion::Nothing && self.engine.closed().is_empty() {
            return true;
        }
        let state = self.state(true);
        let zone = self.engine.calendar().name().to_string();
        if self.keeper.commit(self.engine.closed(), &portion, &state, &zone).is_err() {
            return false;
        }
        self.engine.committed();
        self.copy(true);
        true
    }

    fn copy(&mut self, on_flash: bool) {
        let state = self.state(on_flash);
        self.copy = self.engine.copy(|_| state).or(self.copy.take());
    }

    /// kill -9 and a new start.
    fn crash(self) -> Router {
        let Router { now, engine, keeper, flash, copy, .. } = self;
        let zone = engine.calendar().name().to_string();
        drop(keeper);
        Router::start(now, &zone, flash, copy)
    }

    /// Without power: RAM is gone.
    fn power_cut(self) -> Router {
        let Router { now, engine, flash, .. } = self;
        Router::start(Now { boot_ms: 10_000, ..now }, engine.calendar().name(), flash, None)
    }

    fn packet(&mut self, source: u32, port: u16) {
        self.give(Input::Nflog, event(source, port, self.now.boot_ms), None);
    }

    fn give(&mut self, input: Input, mut event: Event, wall_ms: Option<i64>) {
        self.engine.take(self.now, input, Brought::Event(&mut event, wall_ms, None));
    }

    fn ask(&mut self, topic: Topic) -> Answer {
        let question = Question { limit: 1000, ..Question::new(topic) };
        self.ask_about(&question)
    }

    fn ask_about(&mut self, question: &Question) -> Answer {
        self.engine.answer(self.now, question, &mut self.keeper.store).unwrap()
    }

    /// `date attempts unique` of all days.
    fn days(&mut self) -> Vec<String> {
        let from = crate::calendar::Date::from_ymd(1970, 1, 2);
        let to = crate::calendar::Date::from_ymd(2100, 1, 1);
        let question = Question { from, to, ..Question::new(Topic::Days) };
        match self.ask_about(&question) {
            Answer::Days(answer) => answer
                .days
                .iter()
                .map(|row| format!("{} {} {}", row.date, row.attempts, row.unique_sources.unwrap_or(0)))
                .collect(),
            other => panic!("{other:?}"),
        }
    }
}

fn event(source: u32, port: u16, unique: u64) -> Event {
    thread_local!(static NUMBER: Cell<u64> = const { Cell::new(0) });
    NUMBER.set(NUMBER.get() + 1);
    Event {
        time: 0,
        source: Address::v4(source),
        destination: Address::v4(0xc000_0201),
        fingerprint: crate::stats::heavy::mix(NUMBER.get(), unique, 5),
        uptime: 0,
        count: 1,
        source_port: 40_000,
        port,
        length: 40,
        path: PathId(0),
        protocol: protocol::TCP,
        flags: 2,
        icmp_type: 0,
        icmp_code: 0,
        class: Class::Attempt,
        verdict: Verdict::Reject,
        unhashed: false,
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
    let from =
        Question { from: crate::calendar::Date::from_ymd(2026, 6, 10), ..Question::new(Topic::Summary) };
    let Answer::Summary(summary) = router.ask_about(&from) else { panic!() };
    assert!(summary.before.is_none() && summary.usual_per_day.is_none(), "nothing is known of before");
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
    let date = |day| crate::calendar::Date::from_ymd(2026, 6, day);
    let question = Question { from: date(1), to: date(30), daily: true, ..Question::new(Topic::Services) };
    let Answer::Services(answer) = router.ask_about(&question) else { panic!() };
    let dates: Vec<String> = answer.dates.unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(dates, ["2026-06-10", "2026-06-11", "2026-06-12"]);
    let daily: Vec<_> = answer.services.iter().map(|row| (row.port, row.daily.clone().unwrap())).collect();
    assert_eq!(daily, [(Some(23), vec![1, 2, 3]), (Some(22), vec![0, 1, 0])]);
    let wide = Question { from: date(1), to: crate::calendar::Date::from_ymd(2026, 8, 2), ..question };
    let refused = router.engine.answer(router.now, &wide, &mut router.keeper.store);
    assert!(refused.unwrap_err().to_string().contains("at most 62 days"));
}

#[test]
fn a_crash_loses_nothing_that_was_copied_and_a_power_cut_nothing_committed() {
    let mut router = Router::boot(START + HOUR, "UTC");
    for round in 0..5 {
        for host in 0..20 {
            router.packet(host + round, 23);
        }
        router.commit();
        router.packet(99, 22);
        router.copy(false);
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
    assert!(router.flash.names().unwrap().len() < 60);
    assert_eq!(router.power_cut().days(), ["2026-06-10 206 26"]);
}

#[test]
fn a_crash_between_the_commit_and_the_copy_counts_nothing_twice() {
    let mut router = Router::boot(START + HOUR, "UTC");
    router.packet(1, 23);
    router.copy(false);
    let old = router.copy.clone();
    router.packet(2, 23);
    router.commit();
    router.copy = old.clone();
    router = router.crash();
    assert_eq!(router.days(), ["2026-06-10 2 2"]);
    // The same at midnight.
    router.packet(3, 23);
    router.copy(false);
    let old = router.copy.clone();
    router.pass(DAY);
    router.copy = old;
    router = router.crash();
    assert_eq!(router.days(), ["2026-06-10 3 3"]);
}

#[test]
fn without_a_clock_events_wait_and_get_their_hours() {
    let mut router = Router::boot(500, "UTC");
    router.pass(60);
    for host in 0..5000 {
        router.packet(host, 23);
    }
    router.pass(2 * HOUR);
    router.packet(1, 22);
    let Answer::Summary(summary) = router.ask(Topic::Summary) else { panic!() };
    assert_eq!(summary.attempts, 0);
    // NTP answers half an hour after midnight.
    router.now.wall = START + DAY + HOUR / 2;
    router.pass(0);
    // Of what had no row only the number and the hour are known.
    assert_eq!(router.days(), ["2026-06-10 5000 0", "2026-06-11 1 0"]);
    router.commit();
    assert_eq!(router.power_cut().days(), ["2026-06-10 5000 0", "2026-06-11 1 0"]);
}

#[test]
fn what_waits_for_the_clock_survives_a_crash() {
    let mut router = Router::boot(500, "UTC");
    router.pass(60);
    for host in 0..5000 {
        router.packet(host, 23);
    }
    router.copy(false);
    // Without events that need a day a commit writes nothing, and the copy stays what it is.
    router.commit();
    router = router.crash();
    router.pass(HOUR);
    router.packet(1, 22);
    router.copy(false);
    router = router.crash();
    router.now.wall = START + 2 * HOUR + HOUR / 2;
    router.pass(0);
    assert_eq!(router.days(), ["2026-06-10 5001 0"]);
    let Answer::Hours(answer) = router.ask(Topic::Hours) else { panic!() };
    assert_eq!((answer.hours[0].attempts, answer.hours[1].attempts, answer.hours[2].attempts), (0, 5000, 1));
}

#[test]
fn a_clock_that_steps_back_over_midnight_loses_and_doubles_nothing() {
    let mut router = Router::boot(START + DAY - 10, "UTC");
    router.packet(1, 23);
    router.pass(20);
    router.packet(2, 23);
    router.step(-15);
    router.packet(3, 23);
    assert_eq!(router.days(), ["2026-06-10 2 2", "2026-06-11 1 1"]);
    router.pass(20);
    router.packet(4, 23);
    assert_eq!(router.days(), ["2026-06-10 2 2", "2026-06-11 2 2"]);
    router.commit();
    assert_eq!(router.power_cut().days(), ["2026-06-10 2 2", "2026-06-11 2 2"]);
}

#[test]
fn a_clock_in_the_past_is_no_clock() {
    let mut router = Router::boot(START, "UTC");
    router.packet(1, 23);
    router.commit();
    router.step(-START + 100);
    router.packet(2, 23);
    assert!(!router.engine.clock_is_set());
    router.step(START);
    assert_eq!(router.days(), ["2026-06-10 2 2"]);
}

#[test]
fn the_newest_stored_day_makes_an_older_clock_wait_until_it_is_told() {
    let mut router = Router::boot(START, "UTC");
    router.packet(1, 23);
    router.pass(DAY);
    router.packet(1, 23);
    router.commit();
    let Router { flash, .. } = router;
    let mut router = Router::start(Now { boot_ms: 1000, wall: BUILT + 1 }, "UTC", flash, None);
    assert!(!router.engine.clock_is_set());
    router.engine.clock_told();
    router.pass(1);
    assert!(router.engine.clock_is_set());
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
    router.engine.set_calendar(Calendar::new("JST-9").unwrap());
    router.pass(1);
    router.packet(2, 23);
    assert_eq!(router.days(), ["2026-06-10 1 1", "2026-06-11 1 1"]);
    router.engine.set_calendar(Calendar::utc());
    router.pass(1);
    router.packet(3, 23);
    assert_eq!(router.days(), ["2026-06-10 2 2", "2026-06-11 1 1"]);
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
fn a_full_flash_is_ram_until_there_is_room() {
    let mut router = Router::boot(START, "UTC");
    router.packet(1, 23);
    router.flash.full.set(true);
    assert!(!router.commit());
    router.pass(DAY);
    router.packet(2, 23);
    assert!(!router.commit());
    assert_eq!(router.days(), ["2026-06-10 1 1", "2026-06-11 1 1"]);
    router.copy(false);
    router = router.crash();
    assert_eq!(router.days(), ["2026-06-10 1 1", "2026-06-11 1 1"]);
    router.flash.full.set(false);
    assert!(router.commit());
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

#[test]
fn in_a_flood_what_cannot_be_compared_is_a_copy_and_everything_else_counts() {
    let mut router = Router::boot(START, "UTC");
    let mut path = |origin, input: &str| {
        router.engine.paths.intern(&Path {
            origin,
            prefix: "reject wan in:".into(),
            input: input.into(),
            output: String::new(),
            bridge_input: String::new(),
            bridge_output: String::new(),
            group_mac: false,
            verdict: Verdict::Reject,
            zone: Some("wan".into()),
            direction: crate::paths::Direction::Inbound,
            accepted: false,
        })
    };
    let (nflog, logd, other) =
        (path(Origin::Nflog, "wan"), path(Origin::Logd, "wan"), path(Origin::Logd, "wg0"));
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
fn what_was_lost_today_is_told() {
    let mut router = Router::boot(START, "UTC");
    router.packet(1, 23);
    router.engine.note_lost(Input::Nflog, 7);
    router.copy(false);
    router = router.crash();
    let Answer::Summary(summary) = router.ask(Topic::Summary) else { panic!() };
    let because = "7 packets were lost today before they were read";
    assert_eq!(summary.completeness.incomplete_because.as_deref(), Some(because));
    router.pass(DAY);
    router.packet(1, 23);
    let Answer::Summary(summary) = router.ask(Topic::Summary) else { panic!() };
    assert!(summary.completeness.complete);
}
