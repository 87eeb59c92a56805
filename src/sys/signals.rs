//! Signals through signalfd(2): they are read in the poll loop; there are no handlers.

use std::io;

pub use nix::sys::signal::Signal;
pub use nix::sys::signalfd::SignalFd;

use nix::sys::signal::SigSet;
use nix::sys::signalfd::SfdFlags;

/// Blocks SIGTERM, SIGINT and SIGHUP in this thread and the threads that it starts later; they are read from the
/// signalfd(2). Programs started with `std::process` receive them as usual.
pub fn take() -> io::Result<SignalFd> {
    let set = SigSet::from_iter([Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP]);
    set.thread_block()?;
    Ok(SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?)
}

/// The next pending signal, if any. Never blocks.
pub fn next(signals: &SignalFd) -> Option<Signal> {
    let signal = signals.read_signal().ok()??;
    Signal::try_from(signal.ssi_signo as i32).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::signal::raise;

    #[test]
    fn signals_are_read_in_order_of_their_numbers_and_kill_nothing() {
        let signals = take().unwrap();
        assert_eq!(next(&signals), None);
        raise(Signal::SIGTERM).unwrap();
        raise(Signal::SIGHUP).unwrap();
        assert_eq!(next(&signals), Some(Signal::SIGHUP));
        assert_eq!(next(&signals), Some(Signal::SIGTERM));
        assert_eq!(next(&signals), None);
    }
}
