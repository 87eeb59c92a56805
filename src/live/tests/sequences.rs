//! Whatever sequence of packets, imports, steps of the clock, kills, restarts and directories that take each other's place:
//! what was counted stays counted, once.

use proptest::prelude::*;

use super::*;
use crate::store::container::Open;
use crate::store::month;

#[derive(Clone, Debug)]
enum Step {
    Packets {
        count: u32,
        port: u16,
    },
    /// What logd tells late, hours ago.
    Late {
        hours: i64,
    },
    Pass {
        seconds: i64,
    },
    Clock {
        seconds: i64,
    },
    /// The machine's clock shows this instant.
    Shows {
        wall: i64,
    },
    Ntp,
    Commit,
    Copy,
    Full {
        full: bool,
    },
    Kill,
    /// In the middle of a commit.
    KillInCommit {
        turns: u32,
    },
    PowerCut {
        wall: Option<i64>,
        told: bool,
    },
    /// Lines dated days from now, after a stop or a kill.
    Import {
        days: Vec<i64>,
        stop: bool,
    },
    /// The other directory is there now.
    Swap {
        restart: bool,
    },
}

/// Lines of an import, as days from now, and whether the daemon was stopped.
fn imports(days: std::ops::Range<i64>) -> impl Strategy<Value = Step> {
    (proptest::collection::vec(days, 1..6), any::<bool>())
        .prop_map(|(days, stop)| Step::Import { days, stop })
}

fn kills_in_commits() -> impl Strategy<Value = Step> {
    (0u32..40).prop_map(|turns| Step::KillInCommit { turns })
}

/// What happens on one day with two directories.
fn steps_of_a_day() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1u32..40, 1u16..5).prop_map(|(count, port)| Step::Packets { count, port }),
        1 => Just(Step::Commit),
        1 => Just(Step::Copy),
        1 => Just(Step::Kill),
        2 => kills_in_commits(),
        1 => Just(Step::PowerCut { wall: None, told: true }),
        1 => imports(0..1),
        3 => any::<bool>().prop_map(|restart| Step::Swap { restart }),
    ]
}

fn instants() -> impl Strategy<Value = i64> {
    prop_oneof![
        Just(100),
        Just(BUILT + 5),
        Just(2_147_000_000),
        (-900i64..900).prop_map(|days| real_now() + days * DAY),
        Just(real_now()),
    ]
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1u32..40, 1u16..5).prop_map(|(count, port)| Step::Packets { count, port }),
        1 => (1i64..60).prop_map(|hours| Step::Late { hours }),
        4 => (1i64..200_000).prop_map(|seconds| Step::Pass { seconds }),
        1 => (20i64..70).prop_map(|days| Step::Pass { seconds: days * DAY }),
        2 => (-100_000i64..100_000).prop_map(|seconds| Step::Clock { seconds }),
        1 => instants().prop_map(|wall| Step::Shows { wall }),
        2 => Just(Step::Ntp),
        2 => Just(Step::Commit),
        2 => Just(Step::Copy),
        1 => any::<bool>().prop_map(|full| Step::Full { full }),
        2 => Just(Step::Kill),
        2 => kills_in_commits(),
        1 => (proptest::option::of(instants()), any::<bool>())
            .prop_map(|(wall, told)| Step::PowerCut { wall, told }),
        2 => imports(-900..60),
    ]
}

/// The attempts of months on flash, answered or set aside.
fn on_flash(disks: &Disks) -> u64 {
    let store = disks.store();
    let mut sum = 0;
    for name in store.directory().names().unwrap() {
        let stem = name.strip_suffix(".fws").or(name.strip_suffix(".later"));
        let month = stem.and_then(|stem| crate::event::calendar::Month::parse(stem.get(..7)?));
        // The totals of a month are all in its own file.
        let is_day = name.get(7..8) == Some("-");
        let Some(month) = month.filter(|_| !name.starts_with("today") && !is_day) else { continue };
        let file = Open::from_bytes(store.directory().read(&name).unwrap().unwrap()).unwrap();
        let (whole, damage) = month::read(&file, month, month::Wanted::All);
        assert_eq!(damage, None);
        sum += whole.days.iter().map(|day| day.classes[0].attempts).sum::<u64>();
    }
    sum
}

impl Router {
    fn waiting(&self) -> u64 {
        self.engine.waiting.count() + self.engine.waiting.dropped()
    }

    /// Every attempt that the daemon knows of.
    fn counted(&self) -> u64 {
        let closed = self.engine.closed().map(|day| day.class(Class::Attempt).attempts).sum::<u64>();
        let live = self.engine.open.iter().chain(&self.engine.late);
        let live = live.map(|day| day.tables(Class::Attempt).count()).sum::<u64>();
        let later = self.storage.later.count() + self.storage.later.dropped();
        on_flash(&self.disks) + closed + live + self.waiting() + later
    }
}

/// Imports one line for each of `days`, which are offsets from `now` in days.
fn import_days(disks: &Disks, number: usize, now: i64, days: &[i64]) {
    let mut days = days.to_vec();
    days.sort_unstable();
    let lines: Vec<String> =
        days.iter().map(|days| line_at(&Calendar::utc().rfc3339(now + days * DAY), number as u32)).collect();
    import(disks, &format!("{number}.log"), &lines);
}

/// What a sequence of steps may have lost at most, after each.
fn check(steps: &[Step]) {
    let config = Config { keep_hours: 1, keep_days: 2, keep_months: 1000, ..Config::default() };
    let begin = real_now();
    let machine = Now { boot_ms: 10_000, wall: begin };
    let mut router = Router::start(machine, "UTC", Disks::new(), 0, true, config);
    // Everything; of it what a copy or flash has; what flash has.
    let (mut total, mut copied, mut flashed) = (0u64, 0u64, 0u64);
    // What the other directory has.
    let mut away = 0;
    let (mut full, mut was_full) = (false, false);
    for (number, step) in steps.iter().enumerate() {
        let mut exact = true;
        let mut committed = false;
        match step {
            Step::Packets { count, port } => {
                for host in 0..*count {
                    router.packet(host * 7 + number as u32, *port);
                }
                total += u64::from(*count);
            }
            Step::Late { hours } => {
                let stamp = (router.now.wall - hours * HOUR) * 1000;
                router.give(Input::Logd, event(number as u32, 9, 0), Some(stamp));
                total += 1;
            }
            Step::Pass { seconds } => router.pass(*seconds),
            Step::Clock { seconds } => router.step((*seconds).max(100 - router.machine.wall)),
            Step::Shows { wall } => {
                router.machine.wall = *wall;
                router.look();
            }
            Step::Ntp => router.ntp(),
            Step::Commit => committed = router.commit(),
            Step::Copy => router.copy(),
            Step::Full { full: now } => {
                full = *now;
                was_full |= full;
                router.disks.set_full(full);
            }
            Step::Kill => {
                router = router.crash();
                exact = false;
            }
            Step::KillInCommit { turns } => {
                router.begin_commit();
                copied = total;
                for _ in 0..*turns {
                    router.storage.turn(&mut router.engine, router.now, true);
                    std::thread::sleep(Duration::from_micros(20));
                }
                router = router.crash();
            }
            Step::PowerCut { wall, told } => {
                // What another boot counted is not known to be in both.
                let _ = std::fs::remove_dir_all(router.disks.other());
                away = 0;
                let wall = wall.unwrap_or(router.machine.wall);
                router = router.power_cut_until(wall, *told);
                exact = false;
                copied = flashed;
            }
            Step::Import { days, stop } if !full => {
                let lines = days.len() as u64;
                if *stop {
                    router.commit();
                    copied = total;
                }
                router.quiesce();
                let Router { machine, engine, storage, disks, boots, config, .. } = router;
                drop((engine, storage));
                import_days(&disks, number, begin, days);
                (total, copied, flashed) = (total + lines, copied + lines, flashed + lines);
                router = Router::start(machine, "UTC", disks, boots, false, config);
                exact = false;
            }
            Step::Import { .. } => {}
            Step::Swap { restart } => {
                if !router.disks.run().join("today.fws").exists() {
                    router.copy();
                }
                router.disks.swap();
                (flashed, away) = (away, flashed);
                if *restart {
                    router = router.crash();
                    exact = false;
                }
            }
        }
        let counted = router.counted();
        if router.said.iter().any(|said| said.contains("is lost: the store could not be written for days")) {
            // Named, and bounded: RAM holds a few days that flash does not take.
            assert!(was_full, "after step {number}: {step:?}: {:?}", router.said);
            return;
        }
        if exact {
            assert_eq!(counted, total, "after step {number}: {step:?}");
        }
        assert!(
            (copied..=total).contains(&counted),
            "after step {number}: {step:?}: {copied} {counted} {total}"
        );
        total = counted;
        match step {
            Step::Copy | Step::Commit => copied = total,
            _ => copied = copied.min(total),
        }
        // While the clock is not set, the days of an import wait in RAM for another directory.
        let is_written = router.engine.date().is_some() || router.engine.closed().next().is_none();
        if committed && is_written && router.engine.waiting.is_empty() {
            flashed = total;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 400, ..ProptestConfig::default() })]

    #[test]
    fn what_was_counted_stays_counted_once(steps in proptest::collection::vec(steps(), 1..40)) {
        check(&steps);
    }

    #[test]
    fn what_was_counted_is_once_in_each_of_two_directories(
        steps in proptest::collection::vec(steps_of_a_day(), 1..40),
    ) {
        check(&steps);
    }
}

/// The copy in RAM tells that lines dated in the future were counted; the commit that stores their day has to remove
/// them from flash's list of such lines too, or they are counted again once the copy is gone.
#[test]
fn lines_dated_in_the_future_are_counted_once_when_flash_was_full_and_ram_is_lost() {
    check(&[
        Step::Import { days: vec![2, 0], stop: false },
        Step::Full { full: true },
        Step::Pass { seconds: 20 * DAY },
        Step::Full { full: false },
        Step::Kill,
        Step::Commit,
        Step::PowerCut { wall: None, told: false },
    ]);
}

/// Lines of many days in the future, whose time came while the daemon was on: RAM holds a few days that are over, flash the rest.
#[test]
fn more_days_than_ram_holds_come_due_at_once() {
    check(&[
        Step::Import { days: (2..20).collect(), stop: false },
        Step::Pass { seconds: 30 * DAY },
        Step::Kill,
        Step::Commit,
        Step::Pass { seconds: 10 },
        Step::Commit,
        Step::Pass { seconds: 10 },
        Step::Commit,
        Step::PowerCut { wall: None, told: true },
        Step::Commit,
        Step::PowerCut { wall: None, told: true },
    ]);
}

/// A day of packets for each of twelve days before the clock is set.
#[test]
fn days_that_waited_for_the_clock_are_all_counted() {
    let mut steps = vec![Step::PowerCut { wall: Some(100), told: false }];
    for _ in 0..12 {
        steps.extend([Step::Packets { count: 3, port: 1 }, Step::Pass { seconds: DAY }]);
    }
    let set = [Step::Shows { wall: real_now() + 20 * DAY }, Step::Ntp, Step::Commit];
    steps.extend(set.into_iter().chain([Step::PowerCut { wall: None, told: true }]));
    check(&steps);
}
