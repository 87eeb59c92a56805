//! Who wants a day's whole tables gets them before they are cut, each event once.

use super::*;

/// Date, extent, attempts and pairs of each day that was told.
#[derive(Default)]
struct SeenDays(Vec<(String, Extent, u64, usize)>);

impl ClosedDays for SeenDays {
    fn day_over(&mut self, over: &DayOver<'_>, _: Option<&mut dyn CountryLookup>) {
        let tables = over.day.tables(Class::Attempt);
        assert!(over.wall == 0 || over.wall >= START);
        self.0.push((over.day.date.to_string(), over.extent, tables.count(), tables.pairs().len()));
    }
}

fn told(router: &mut Router) -> Rc<RefCell<SeenDays>> {
    let told = Rc::new(RefCell::new(SeenDays::default()));
    router.engine.closed_days = Some(told.clone());
    told
}

fn taken(told: &Rc<RefCell<SeenDays>>) -> Vec<(String, Extent, u64, usize)> {
    std::mem::take(&mut told.borrow_mut().0)
}

#[test]
fn midnight_tells_every_pair_and_late_events_are_more() {
    let mut router = Router::boot(START + HOUR, "UTC");
    let told = told(&mut router);
    for host in 0..500 {
        router.packet(host, 23);
        router.packet(host, 22);
    }
    router.commit();
    router.pass(DAY);
    assert_eq!(taken(&told), [("2026-06-10".to_string(), Extent::All, 1000, 1000)]);
    // What is stored is less: that is why.
    let question = Question {
        from: Date::parse("2026-06-10"),
        to: Date::parse("2026-06-10"),
        limit: 1000,
        ..Question::new(Topic::Sources)
    };
    let Answer::Sources(answer) = router.ask_about(&question) else { panic!() };
    assert!(answer.sources.len() < 500, "{}", answer.sources.len());
    // Told by logd after midnight.
    let mut late = event(7, 80, 1);
    late.uptime = 1;
    let before = (router.now.wall - DAY) * 1000;
    router.give(Input::Logd, late, Some(before));
    router.copy();
    assert_eq!(taken(&told), [("2026-06-10".to_string(), Extent::More, 1, 1)]);
    router.pass(DAY);
    assert_eq!(taken(&told), []);
    assert_eq!(router.days(), ["2026-06-10 1001 500"]);
}

#[test]
fn a_day_that_was_closed_before_a_restart_is_not_given_as_everything() {
    let mut router = Router::boot(START + HOUR, "UTC");
    router.packet(1, 23);
    router.pass(DAY);
    router.step(-DAY + HOUR);
    router.ntp();
    router.packet(2, 23);
    router.commit();
    let mut router = router.crash();
    let seen = told(&mut router);
    router.pass(DAY);
    assert_eq!(taken(&seen), [("2026-06-10".to_string(), Extent::Found, 1, 1)]);
    router.packet(3, 23);
    router.commit();
    let mut router = router.crash();
    let seen = told(&mut router);
    router.pass(DAY);
    assert_eq!(taken(&seen), [("2026-06-11".to_string(), Extent::All, 1, 1)]);
}

#[test]
fn a_day_that_a_clock_goes_back_to_is_more_of_it() {
    let mut router = Router::boot(START + HOUR, "UTC");
    let told = told(&mut router);
    router.packet(1, 23);
    router.pass(DAY);
    router.packet(2, 23);
    router.step(-DAY + HOUR);
    router.ntp();
    router.packet(3, 23);
    router.pass(DAY);
    let all: Vec<_> =
        taken(&told).into_iter().map(|(date, extent, attempts, _)| (date, extent, attempts)).collect();
    let expected = [
        ("2026-06-10".to_string(), Extent::All, 1),
        ("2026-06-11".to_string(), Extent::All, 1),
        ("2026-06-10".to_string(), Extent::More, 1),
    ];
    assert_eq!(all, expected);
    router.packet(4, 23);
    router.pass(DAY);
    assert_eq!(taken(&told), [("2026-06-11".to_string(), Extent::More, 1, 1)]);
}
