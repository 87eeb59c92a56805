//! Whether the wall clock can be believed, and which instant belongs to a moment of the boot clock.

/// The two clocks, as the loop has just read them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Now {
    /// Milliseconds since boot. Never steps.
    pub boot_ms: u64,
    /// Seconds since 1970, as far as the machine knows. Steps.
    pub wall: i64,
}

/// This program did not exist before 2025-06-01: a wall clock that shows less is wrong.
pub const BUILT: i64 = 1_748_736_000;

#[derive(Clone, Copy, Debug)]
pub struct WallClock {
    set: bool,
    /// Less is not believed without being told.
    least: i64,
    /// The wall clock less the boot clock, in milliseconds. It stays unless the clock steps, so that a moment has the
    /// same instant whenever somebody asks.
    ahead_ms: i64,
}

/// The wall clock is read in whole seconds: what differs by less is no step.
const STEP_MS: u64 = 1_500;

impl WallClock {
    /// `newest`: the instant that the newest stored day begins.
    pub fn new(newest: Option<i64>) -> WallClock {
        WallClock { set: false, least: newest.unwrap_or(BUILT).max(BUILT), ahead_ms: 0 }
    }

    pub fn is_set(&self) -> bool {
        self.set
    }

    /// Who sets the clock says that it is right now.
    pub fn told(&mut self) {
        self.least = BUILT;
    }

    /// Looks at the clock. Once set it may step back, but not to before the program existed.
    pub fn look(&mut self, now: Now) -> bool {
        self.set = now.wall >= if self.set { BUILT } else { self.least };
        let ahead_ms = now.wall.saturating_mul(1000).saturating_sub_unsigned(now.boot_ms);
        if ahead_ms.abs_diff(self.ahead_ms) >= STEP_MS {
            self.ahead_ms = ahead_ms;
        }
        self.set
    }

    /// The instant of a moment, the same at every call until the clock steps.
    pub fn instant(&self, boot_ms: u64) -> i64 {
        self.ahead_ms.saturating_add_unsigned(boot_ms).div_euclid(1000)
    }
}

/// The instant of a moment `boot_ms`, seen from now.
pub fn instant(now: Now, boot_ms: u64) -> i64 {
    let ago = now.boot_ms.saturating_sub(boot_ms) / 1000;
    now.wall.saturating_sub_unsigned(ago)
}

/// The moment of an instant, seen from now.
pub fn moment(now: Now, wall_ms: i64) -> u64 {
    let ago = (now.wall.saturating_mul(1000).saturating_add(999)).saturating_sub(wall_ms);
    now.boot_ms.saturating_sub(u64::try_from(ago).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_believed_from_the_newest_stored_day_on_or_when_told() {
        let at = |wall| Now { boot_ms: 10_000, wall };
        let mut clock = WallClock::new(Some(BUILT + 1000));
        assert!(!clock.look(at(0)) && !clock.look(at(BUILT + 999)) && clock.look(at(BUILT + 1000)));
        // Set, it may step back; but not to 1970.
        assert!(clock.look(at(BUILT)) && !clock.look(at(5)) && !clock.look(at(BUILT + 999)));
        clock.told();
        assert!(!clock.look(at(5)) && clock.look(at(BUILT + 1)));
    }

    #[test]
    fn a_moment_has_one_instant_whenever_it_is_asked_for() {
        let mut clock = WallClock::new(None);
        // The second begins 300 ms after a second of the boot clock.
        let at = |boot_ms: u64| Now { boot_ms, wall: BUILT + ((boot_ms + 700) / 1000) as i64 };
        clock.look(at(1_250));
        let instants: Vec<i64> = (0..20)
            .map(|tenth| {
                clock.look(at(2_000 + 137 * tenth));
                clock.instant(1_250)
            })
            .collect();
        assert!(instants.iter().all(|instant| *instant == instants[0]), "{instants:?}");
        clock.look(Now { boot_ms: 5_000, wall: BUILT + 1000 });
        assert_eq!(clock.instant(5_000), BUILT + 1000);
    }

    #[test]
    fn moments_and_instants_belong_together() {
        let now = Now { boot_ms: 100_000, wall: 5000 };
        assert_eq!(instant(now, 40_000), 4940);
        assert_eq!(moment(now, 4_940_500), 40_000 - 499);
        assert_eq!(moment(now, 9_000_000), 100_000);
        assert_eq!(moment(now, i64::MIN), 0);
    }
}
