//! poll(2) over several file descriptors.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

pub use nix::poll::{PollFd, PollFlags};

use nix::errno::Errno;
use nix::poll::{PollTimeout, poll};

/// To wait for data, or until the peer has closed (reading then returns 0 or an error).
pub fn readable(fd: BorrowedFd<'_>) -> PollFd<'_> {
    PollFd::new(fd, PollFlags::POLLIN)
}

/// Whether a wait has shown this of a file, or that its peer has closed.
pub fn is_ready(file: &PollFd<'_>, what: PollFlags) -> bool {
    let gone = PollFlags::POLLERR | PollFlags::POLLHUP | PollFlags::POLLNVAL;
    file.revents().is_some_and(|shown| shown.intersects(what | gone))
}

/// Waits until one of them is ready or `limit` has passed (`None`: no limit). Returns how many are
/// ready; 0 also when a signal interrupted it.
pub fn wait(files: &mut [PollFd<'_>], limit: Option<Duration>) -> io::Result<usize> {
    let timeout = match limit {
        None => PollTimeout::NONE,
        // Rounded up: an early return would cost one more iteration of the loop.
        Some(limit) => limit
            .checked_add(Duration::from_nanos(999_999))
            .and_then(|limit| PollTimeout::try_from(limit).ok())
            .unwrap_or(PollTimeout::MAX),
    };
    match poll(files, timeout) {
        Ok(ready) => Ok(ready as usize),
        Err(Errno::EINTR) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn waiting_ends_with_data_with_the_end_or_with_the_limit() {
        let (mut near, far) = UnixStream::pair().unwrap();
        let mut files = [readable(far.as_fd())];
        assert_eq!(wait(&mut files, Some(Duration::from_micros(10))).unwrap(), 0);
        assert!(!is_ready(&files[0], PollFlags::POLLIN));
        near.write_all(b"x").unwrap();
        assert_eq!(wait(&mut files, None).unwrap(), 1);
        assert!(is_ready(&files[0], PollFlags::POLLIN) && !is_ready(&files[0], PollFlags::POLLOUT));
        drop(near);
        files[0].set_events(PollFlags::POLLIN | PollFlags::POLLOUT);
        assert_eq!(wait(&mut files, Some(Duration::MAX)).unwrap(), 1);
        assert!(is_ready(&files[0], PollFlags::POLLIN) && is_ready(&files[0], PollFlags::POLLOUT));
    }
}
