use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

/// Entries of one logd: the time is `epoch * 1_000_000 + id`, the text names both.
struct Told {
    epoch: i64,
    id: u32,
    text: String,
}

impl Told {
    fn new(epoch: i64, id: u32) -> Told {
        Told { epoch, id, text: format!("{epoch}:{id}") }
    }

    fn entry(&self) -> Entry<'_> {
        Entry {
            id: self.id,
            time_ms: self.epoch * 1_000_000 + self.id.wrapping_add(1000) as i64,
            source: SOURCE_KERNEL,
            priority: 4,
            msg: self.text.as_bytes(),
        }
    }
}

#[derive(Default)]
struct Run {
    state: LogdState,
    given: Vec<String>,
}

impl Run {
    fn live(&mut self, epoch: i64, ids: impl IntoIterator<Item = u32>) {
        self.live_at(0, epoch, ids);
    }

    fn live_at(&mut self, now_ms: u64, epoch: i64, ids: impl IntoIterator<Item = u32>) {
        for id in ids {
            let given = &mut self.given;
            self.state.live(&Told::new(epoch, id).entry(), now_ms, &mut |_, _, msg| {
                given.push(String::from_utf8(msg.to_vec()).unwrap());
            });
        }
    }

    fn backlog(&mut self, epoch: i64, ids: impl IntoIterator<Item = u32>) {
        let told: Vec<Told> = ids.into_iter().map(|id| Told::new(epoch, id)).collect();
        let given = &mut self.given;
        self.state.reading();
        self.state.backlog(|| told.iter().map(Told::entry), &mut |_, _, msg| {
            given.push(String::from_utf8(msg.to_vec()).unwrap())
        });
    }

    fn gone(&mut self) {
        let given = &mut self.given;
        self.state.logd_gone(&mut |_, _, msg| given.push(String::from_utf8(msg.to_vec()).unwrap()));
    }

    fn failed(&mut self) {
        let given = &mut self.given;
        self.state.backlog_failed(&mut |_, _, msg| given.push(String::from_utf8(msg.to_vec()).unwrap()));
    }

    fn check(&self, given: &str, reread: u64, lost: u64, restarts: u64) {
        assert_eq!(self.given.join(" "), given);
        let counts = self.state.counts;
        assert_eq!((counts.reread, counts.lost, counts.restarts), (reread, lost, restarts));
    }
}

#[test]
fn what_came_live_before_the_backlog_is_given_once_and_in_order() {
    let mut run = Run::default();
    run.state.reading();
    run.live(1, 3..5);
    run.backlog(1, 0..5);
    run.live(1, 5..7);
    run.check("1:0 1:1 1:2 1:3 1:4 1:5 1:6", 2, 0, 0);
}

#[test]
fn a_restart_of_ours_counts_nothing_twice() {
    let mut run = Run::default();
    run.backlog(1, 0..3);
    let mut again = Run { state: LogdState::resume(run.state.mark), ..Run::default() };
    again.backlog(1, 0..5);
    again.check("1:3 1:4", 3, 0, 0);
}

#[test]
fn entries_that_left_the_ring_while_we_were_away_are_lost() {
    let mut run =
        Run { state: LogdState::resume(Some(Mark { id: 9, time_ms: 1_001_009 })), ..Run::default() };
    run.backlog(1, 15..17);
    run.check("1:15 1:16", 0, 5, 0);
}

#[test]
fn after_a_reboot_the_old_mark_means_nothing() {
    let mark = Some(Mark { id: 9, time_ms: 1_001_009 });
    let mut shorter = Run { state: LogdState::resume(mark), ..Run::default() };
    shorter.backlog(2, 0..3);
    shorter.check("2:0 2:1 2:2", 0, 0, 1);
    let mut longer = Run { state: LogdState::resume(mark), ..Run::default() };
    longer.backlog(2, 8..12);
    longer.check("2:8 2:9 2:10 2:11", 0, 0, 1);
}

#[test]
fn a_restart_of_logd_loses_and_doubles_nothing() {
    let mut run = Run::default();
    run.backlog(1, 0..9);
    run.gone();
    run.state.reading();
    run.live(2, 2..3);
    run.backlog(2, 0..3);
    run.live(2, 3..4);
    run.check("1:0 1:1 1:2 1:3 1:4 1:5 1:6 1:7 1:8 2:0 2:1 2:2 2:3", 1, 0, 1);
}

#[test]
fn a_new_logd_that_is_ahead_of_the_old_one_is_still_new() {
    let mut run = Run::default();
    run.backlog(1, 0..2);
    run.gone();
    run.backlog(2, 3..6);
    run.check("1:0 1:1 2:3 2:4 2:5", 0, 3, 1);
}

#[test]
fn a_new_logd_with_an_empty_ring_starts_at_0() {
    let mut run = Run::default();
    run.backlog(1, 0..2);
    run.gone();
    run.backlog(2, []);
    run.live(2, 0..2);
    run.check("1:0 1:1 2:0 2:1", 0, 0, 1);
}

#[test]
fn what_left_the_ring_before_the_first_entry_came_is_lost() {
    let mut run = Run::default();
    run.backlog(1, []);
    run.state.bus_gone();
    run.backlog(1, 7..9);
    run.check("1:7 1:8", 0, 7, 0);
}

#[test]
fn what_was_notified_and_left_the_ring_before_it_was_read_is_given() {
    let mut run = Run::default();
    run.state.reading();
    run.live(1, 0..6);
    run.backlog(1, 3..6);
    run.live(1, 6..7);
    run.check("1:0 1:1 1:2 1:3 1:4 1:5 1:6", 3, 0, 0);
}

#[test]
fn a_logd_that_only_lost_the_bus_is_the_same() {
    let mut run = Run::default();
    run.backlog(1, 0..2);
    run.gone();
    run.backlog(1, 0..4);
    run.check("1:0 1:1 1:2 1:3", 2, 0, 0);
}

#[test]
fn a_restart_that_nobody_announced_is_told_by_ids_and_times() {
    let mut run = Run::default();
    run.backlog(1, 0..9);
    run.live(2, 0..2);
    assert!(run.state.wants_read);
    run.backlog(2, 0..2);
    assert!(run.given.ends_with(&["1:8".into(), "2:0".into(), "2:1".into()]), "{:?}", run.given);
    assert_eq!(run.state.counts.restarts, 1);
}

#[test]
fn a_gap_is_filled_from_the_ring_and_the_rest_counted() {
    let mut run = Run::default();
    run.backlog(1, 0..2);
    run.live_at(5_000, 1, [6]);
    assert!(run.state.wants_read);
    run.backlog(1, 4..8);
    run.live_at(5_000, 1, [7, 8]);
    run.check("1:0 1:1 1:4 1:5 1:6 1:7 1:8", 1, 2, 0);
    // Not again so soon.
    run.live_at(5_500, 1, [10]);
    assert!(!run.state.wants_read);
    assert_eq!(run.state.counts.lost, 3);
}

#[test]
fn ids_wrap() {
    let mut run = Run::default();
    run.backlog(1, u32::MAX - 1..=u32::MAX);
    run.live(1, 0..2);
    run.check("1:4294967294 1:4294967295 1:0 1:1", 0, 0, 0);
}

#[test]
fn what_is_notified_twice_counts_as_a_duplicate() {
    let mut run = Run::default();
    run.live(1, [0, 1, 1, 0, 2]);
    run.check("1:0 1:1 1:2", 0, 0, 0);
    assert_eq!((run.state.counts.duplicates, run.state.counts.received), (2, 5));
}

#[test]
fn the_hold_is_bounded_and_then_live_goes_on() {
    let mut run = Run::default();
    run.state.reading();
    run.live(1, 10..10 + MAX_HELD as u32 + 5);
    assert_eq!(run.given.len(), MAX_HELD + 5);
    assert!(run.state.held.is_none());
    run.state.reading();
    let text = vec![b'x'; 1000];
    let long = |id| Entry { id, time_ms: 9_000_000, source: 0, priority: 0, msg: &text };
    for id in 0..10_000 {
        run.state.live(&long(20_000 + id), 0, &mut |_, _, _| {});
        assert!(run.state.held.as_ref().is_none_or(|held| held.bytes <= MAX_HELD_BYTES));
    }
}

#[test]
fn without_a_backlog_live_entries_count() {
    let mut run = Run::default();
    run.state.reading();
    run.live(1, 5..8);
    run.failed();
    run.live(1, 8..9);
    run.check("1:5 1:6 1:7 1:8", 0, 0, 0);
}

#[test]
fn only_the_kernel_itself_is_the_kernel() {
    let mut state = LogdState::default();
    let mut given = Vec::new();
    for (id, source, priority) in [(0, 0, 4), (1, 0, 12), (2, 1, 4), (3, 2, 4), (4, 77, 4)] {
        let entry = Entry { id, time_ms: 1, source, priority, msg: b"" };
        state.live(&entry, 0, &mut |kernel, _, _| given.push((id, kernel)));
    }
    assert_eq!(given, [(0, true), (2, false)]);
    assert_eq!((state.counts.received, state.counts.ignored), (5, 3));
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Log(u32),
    Dropped(u32),
    BacklogComes,
    BusBreaks,
    LogdRestarts,
    WeRestart,
}

fn step(drops: bool) -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1u32..6).prop_map(Step::Log),
        2 => (1u32..4).prop_map(move |n| if drops { Step::Dropped(n) } else { Step::Log(n) }),
        4 => Just(Step::BacklogComes),
        1 => Just(Step::BusBreaks),
        1 => Just(Step::LogdRestarts),
        1 => Just(Step::WeRestart),
    ]
}

/// A logd with a ring, and us in front of it.
struct World {
    run: Run,
    epoch: i64,
    next: u32,
    ring: VecDeque<u32>,
    size: usize,
    logged: Vec<String>,
    now_ms: u64,
    asked: bool,
}

impl World {
    fn new(size: usize) -> World {
        let mut world = World {
            run: Run::default(),
            epoch: 1,
            next: 0,
            ring: VecDeque::new(),
            size,
            logged: Vec::new(),
            now_ms: 0,
            asked: true,
        };
        world.run.state.reading();
        world
    }

    fn log(&mut self, told: bool) {
        self.logged.push(format!("{}:{}", self.epoch, self.next));
        self.ring.push_back(self.next);
        if self.ring.len() > self.size {
            self.ring.pop_front();
        }
        if told {
            self.now_ms += 200;
            self.run.live_at(self.now_ms, self.epoch, [self.next]);
            self.asked |= self.run.state.wants_read;
        }
        self.next += 1;
    }

    fn follow(&mut self) {
        self.run.state.reading();
        self.asked = true;
    }

    fn backlog(&mut self) {
        if self.asked {
            self.run.backlog(self.epoch, self.ring.clone());
            self.asked = false;
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Log(count) => (0..count).for_each(|_| self.log(true)),
            Step::Dropped(count) => (0..count).for_each(|_| self.log(false)),
            Step::BacklogComes => self.backlog(),
            Step::BusBreaks => {
                self.run.state.bus_gone();
                self.log(false);
                self.follow();
            }
            Step::LogdRestarts => {
                self.backlog();
                self.run.gone();
                self.epoch += 1;
                self.next = 0;
                self.ring.clear();
                self.log(false);
                self.follow();
            }
            Step::WeRestart => {
                self.run.state = LogdState::resume(self.run.state.mark);
                self.log(false);
                self.follow();
            }
        }
    }
}

proptest! {
    #[test]
    fn nothing_is_given_twice_or_out_of_order(
        steps in proptest::collection::vec(step(true), 0..60), size in 1usize..40,
    ) {
        let mut world = World::new(size);
        steps.into_iter().for_each(|step| world.step(step));
        world.backlog();
        let mut logged = world.logged.iter();
        for given in &world.run.given {
            prop_assert!(logged.any(|logged| logged == given), "{:?} of {:?}", world.run.given, world.logged);
        }
    }

    #[test]
    fn with_a_ring_that_holds_it_all_nothing_is_missed(
        steps in proptest::collection::vec(step(false), 0..60),
    ) {
        let mut world = World::new(10_000);
        steps.into_iter().for_each(|step| world.step(step));
        world.backlog();
        prop_assert_eq!(&world.run.given, &world.logged);
        prop_assert_eq!(world.run.state.counts.lost, 0);
    }

    #[test]
    fn given_and_lost_are_all_there_was(
        counts in proptest::collection::vec((1u32..9, any::<bool>(), any::<bool>()), 0..60), size in 1usize..30,
    ) {
        let mut world = World::new(size);
        world.backlog();
        world.log(true);
        for (count, told, read) in counts {
            world.step(if told { Step::Log(count) } else { Step::Dropped(count) });
            if read {
                world.backlog();
            }
        }
        world.now_ms += 10_000;
        world.log(true);
        world.backlog();
        let lost = world.run.state.counts.lost as usize;
        prop_assert_eq!(world.run.given.len() + lost, world.logged.len());
    }
}
