//! Decides which wall time is trusted, and converts between the boot clock and wall time.
//!
//! Takes the machine's clocks and NTP's state, gives the trusted time. Reads no clock.

/// The two clocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Now {
    /// Milliseconds since boot. Never steps.
    pub boot_ms: u64,
    /// Seconds since 1970: the machine's, or the trusted ones that [`WallClock::update`] returns.
    pub wall: i64,
}

/// 2025-06-01, in Unix seconds: this program did not exist before, so an earlier wall clock is wrong.
pub const BUILT: i64 = 1_748_736_000;

/// A clock without NTP is trusted after this time without a step, and a long step once it has lasted this long.
const TRIAL_MS: u64 = 86_400_000;
/// Steps up to this many seconds are trusted at once.
const SHORT_STEP: i64 = 86_400;
/// Between two updates the wall clock may gain or lose a second, and 0.1 % of the time between them, without a step: NTP
/// slews by at most 0.05 % (RFC 5905, 11.3), and seconds are read whole.
const SLEW: u64 = 1000;

/// Decides which wall time is trusted (docs/STATISTICS.md).
#[derive(Clone, Copy, Debug, Default)]
pub struct WallClock {
    /// The trusted offset: wall clock minus boot clock in seconds. At the start, what an earlier run of this boot trusted.
    pub trusted: Option<i64>,
    /// NTP set it; else it is trusted since it ran for a day without a step.
    is_of_ntp: bool,
    /// The same as the machine shows it, and since when (boot clock) it shows it without a step.
    shown: Option<(i64, u64)>,
    updated_ms: u64,
}

/// The wall clock is read in whole seconds: an offset that differs by less than this is the same, so that a boot time
/// always converts to the same wall time.
const SAME: u64 = 2;

impl WallClock {
    /// Whether a wall time is trusted.
    pub fn is_set(&self) -> bool {
        self.trusted.is_some()
    }

    /// The trusted wall time of a boot time, the same at every call until the clock steps.
    pub fn instant(&self, boot_ms: u64) -> i64 {
        self.trusted.unwrap_or(0).saturating_add((boot_ms / 1000).cast_signed())
    }

    /// The trusted wall time of the last update.
    pub fn latest(&self) -> Option<i64> {
        self.shown.and(self.trusted).map(|_| self.instant(self.updated_ms))
    }

    /// How many seconds the machine's clock is ahead of the trusted one.
    pub fn ahead(&self) -> i64 {
        match (self.shown, self.trusted) {
            (Some((shown, _)), Some(trusted)) => shown.saturating_sub(trusted),
            _ => 0,
        }
    }

    /// As [`WallClock::update`]; and NTP has just set the clock, or keeps it. A long step that NTP made itself before must
    /// last like any other: a single server can be wrong.
    pub fn synchronized(&mut self, machine: Now) {
        self.update(machine);
        let offset = offset_of(machine);
        let known_to_ntp = self.is_of_ntp && self.trusted.is_some_and(|trusted| is_long(offset, trusted));
        if machine.wall >= BUILT && !known_to_ntp {
            (self.trusted, self.is_of_ntp) = (Some(offset), true);
        }
    }

    /// Takes the machine's clocks; returns the trusted time, or the machine's while none is trusted.
    pub fn update(&mut self, machine: Now) -> Now {
        let offset = offset_of(machine);
        let since = match self.shown {
            Some((before, since))
                if !is_step(before, offset, machine.boot_ms.saturating_sub(self.updated_ms)) =>
            {
                since
            }
            _ => machine.boot_ms,
        };
        (self.shown, self.updated_ms) = (Some((offset, since)), machine.boot_ms);
        let lasted = machine.boot_ms.saturating_sub(since) >= TRIAL_MS;
        let plausible = machine.wall >= BUILT;
        match self.trusted {
            Some(trusted) if trusted.abs_diff(offset) < SAME => {}
            Some(trusted) if plausible && !is_long(offset, trusted) => self.trusted = Some(offset),
            _ if plausible && lasted => (self.trusted, self.is_of_ntp) = (Some(offset), false),
            _ => {}
        }
        Now { wall: self.latest().unwrap_or(machine.wall), ..machine }
    }
}

fn offset_of(machine: Now) -> i64 {
    machine.wall.saturating_sub((machine.boot_ms / 1000).cast_signed())
}

fn is_long(offset: i64, trusted: i64) -> bool {
    offset.abs_diff(trusted) > SHORT_STEP.cast_unsigned()
}

fn is_step(before: i64, offset: i64, elapsed_ms: u64) -> bool {
    before.abs_diff(offset) > 2 + elapsed_ms / 1000 / SLEW
}

/// The boot time of a wall time, relative to `now`.
pub fn moment(now: Now, wall_ms: i64) -> u64 {
    let ago = (now.wall.saturating_mul(1000).saturating_add(999)).saturating_sub(wall_ms);
    now.boot_ms.saturating_sub(u64::try_from(ago).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000;
    const TODAY: i64 = BUILT + 40_000_000;
    const FAR: i64 = 2_146_000_000; // 2038

    fn at(boot_ms: u64, wall: i64) -> Now {
        Now { boot_ms, wall }
    }

    /// The wall clock of a machine that was right at boot, moved by `ahead` seconds.
    fn shows(boot_ms: u64, ahead: i64) -> Now {
        at(boot_ms, TODAY + (boot_ms / 1000).cast_signed() + ahead)
    }

    #[test]
    fn ntp_is_trusted_at_once_and_others_after_a_day_without_a_step() {
        let mut clock = WallClock::default();
        clock.update(at(1000, 5));
        clock.synchronized(at(1000, 5));
        assert!(!clock.is_set(), "1970 is never trusted");
        clock.synchronized(shows(2000, 0));
        assert!(clock.is_set() && clock.update(shows(3000, 0)) == shows(3000, 0));
        let mut clock = WallClock::default();
        for hour in 0..24 {
            clock.update(shows(hour * HOUR, 0));
            assert!(!clock.is_set(), "{hour}");
        }
        clock.update(shows(24 * HOUR, 0));
        assert!(clock.is_set());
        // A step begins the day anew.
        let mut clock = WallClock::default();
        clock.update(shows(0, 0));
        for hour in 12..36 {
            clock.update(shows(hour * HOUR, 7200));
        }
        assert!(!clock.is_set());
        clock.update(shows(36 * HOUR, 7200));
        assert!(clock.is_set());
    }

    #[test]
    fn short_steps_are_followed_and_long_ones_must_last() {
        let mut clock = WallClock::default();
        clock.synchronized(shows(0, 0));
        for ahead in [-80_000, 0, 80_000, 3600, 0] {
            assert_eq!(clock.update(shows(HOUR, ahead)), shows(HOUR, ahead));
        }
        // To 2038 for 23 hours, and to 1970 or 2025, by itself or with NTP's authority: the trusted clock goes on.
        for wrong in [FAR, 5, BUILT] {
            for told in [false, true] {
                let mut clock = clock;
                for hour in 2..25 {
                    let boot_ms = hour * HOUR;
                    let machine = at(boot_ms, wrong + (boot_ms / 1000).cast_signed());
                    if told {
                        clock.synchronized(machine);
                    }
                    assert_eq!(clock.update(machine), shows(boot_ms, 0), "{wrong} {hour}");
                    assert_ne!(clock.ahead(), 0);
                }
                assert_eq!(clock.update(shows(26 * HOUR, 2)), shows(26 * HOUR, 2));
                assert_eq!(clock.ahead(), 0);
            }
        }
        // What lasts for a day is trusted; what never was possible is not.
        for (lasting, trusted) in [(FAR, true), (5, false)] {
            let mut clock = clock;
            let machine = |boot_ms: u64| at(boot_ms, lasting + (boot_ms / 1000).cast_signed());
            clock.update(machine(2 * HOUR));
            clock.update(machine(14 * HOUR));
            assert_eq!(clock.update(machine(26 * HOUR)) == machine(26 * HOUR), trusted);
        }
    }

    #[test]
    fn ntp_corrects_a_clock_that_only_time_vouched_for() {
        let mut clock = WallClock::default();
        clock.update(shows(0, -864_000));
        clock.update(shows(24 * HOUR, -864_000));
        assert_eq!(clock.update(shows(25 * HOUR, -864_000)), shows(25 * HOUR, -864_000));
        clock.synchronized(shows(26 * HOUR, 0));
        assert_eq!(clock.update(shows(26 * HOUR, 0)), shows(26 * HOUR, 0));
    }

    #[test]
    fn slewing_is_no_step() {
        let mut clock = WallClock::default();
        // 0.05 % for a day: 43 seconds.
        for minute in 0..=1440 {
            clock.update(shows(minute * 60_000, (minute * 60 / 2000).cast_signed()));
        }
        assert!(clock.is_set());
    }

    #[test]
    fn a_moment_has_one_instant_whenever_it_is_asked_for() {
        let mut clock = WallClock::default();
        // The second begins 300 ms after a second of the boot clock.
        let at = |boot_ms: u64| Now { boot_ms, wall: BUILT + ((boot_ms + 700) / 1000).cast_signed() };
        clock.synchronized(at(1_250));
        let instants: Vec<i64> = (0..20)
            .map(|tenth| {
                clock.update(at(2_000 + 137 * tenth));
                clock.instant(1_250)
            })
            .collect();
        assert!(instants.iter().all(|instant| *instant == instants[0]), "{instants:?}");
        clock.update(Now { boot_ms: 5_000, wall: BUILT + 1000 });
        assert_eq!(clock.instant(5_000), BUILT + 1000);
    }

    #[test]
    fn a_moment_is_relative_to_now_and_never_in_the_future() {
        let now = Now { boot_ms: 100_000, wall: 5000 };
        assert_eq!(moment(now, 4_940_500), 40_000 - 499);
        assert_eq!(moment(now, 9_000_000), 100_000);
        assert_eq!(moment(now, i64::MIN), 0);
    }
}
