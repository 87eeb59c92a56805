//! CLOCK_BOOTTIME and CLOCK_REALTIME (clock_gettime(2)).
#![allow(unsafe_code)]

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// Time since boot including suspend (`CLOCK_BOOTTIME`). It never steps.
pub fn boot() -> Duration {
    read(ClockId::CLOCK_BOOTTIME)
}

/// Time since 1970-01-01 UTC by this machine's clock (`CLOCK_REALTIME`). It may step.
pub fn wall() -> Duration {
    read(ClockId::CLOCK_REALTIME)
}

/// Whether NTP synchronises the wall clock (`STA_UNSYNC` of adjtimex(2) is clear).
pub fn is_synchronized() -> bool {
    // SAFETY: all zeros are a valid `timex`; without a mode adjtimex only fills it in.
    let (state, timex) = unsafe {
        let mut timex: libc::timex = std::mem::zeroed();
        (libc::adjtimex(&mut timex), timex)
    };
    // Under libfaketime adjtimex still describes the real clock.
    let shown = wall().as_secs().cast_signed();
    #[allow(clippy::useless_conversion, reason = "time_t has 32 bits on some targets")]
    let same = i64::from(timex.time.tv_sec).abs_diff(shown) <= 2;
    state >= 0 && timex.status & libc::STA_UNSYNC == 0 && same
}

fn read(clock: ClockId) -> Duration {
    // Linux has these clocks since 2.6.39; reading them cannot fail.
    clock_gettime(clock).map_or(Duration::ZERO, Duration::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boot_clock_goes_forward_and_the_wall_clock_knows_this_century() {
        let before = boot();
        assert!(boot() >= before && before > Duration::ZERO);
        assert!(wall() > Duration::from_secs(1_500_000_000));
    }
}
