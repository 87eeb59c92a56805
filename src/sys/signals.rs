//! Signals through signalfd(2): they are read in the poll loop; there are no handlers.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

pub use nix::sys::signal::Signal;

use nix::sys::signal::SigSet;
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// Blocked signals, readable from a signalfd(2).
pub struct Signals {
    file: SignalFd,
}

impl Signals {
    /// Blocks SIGTERM, SIGINT and SIGHUP in this thread and the threads that it starts later.
    /// Programs started with `std::process` receive them as usual.
    pub fn take() -> io::Result<Signals> {
        let mut set = SigSet::empty();
        for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
            set.add(signal);
        }
        set.thread_block()?;
        let file = SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        Ok(Signals { file })
    }

    /// The next pending signal, if any. Never blocks.
    pub fn next(&self) -> Option<Signal> {
        let signal = self.file.read_signal().ok()??;
        Signal::try_from(signal.ssi_signo as i32).ok()
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::signal::raise;

    #[test]
    fn signals_are_read_in_order_of_their_numbers_and_kill_nothing() {
        let signals = Signals::take().unwrap();
        assert_eq!(signals.next(), None);
        raise(Signal::SIGTERM).unwrap();
        raise(Signal::SIGHUP).unwrap();
        assert_eq!(signals.next(), Some(Signal::SIGHUP));
        assert_eq!(signals.next(), Some(Signal::SIGTERM));
        assert_eq!(signals.next(), None);
    }
}
