//! poll(2) over several file descriptors.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// What to wait for, and whether it occurred.
pub struct Wait<'fd> {
    pub fd: BorrowedFd<'fd>,
    /// Wait until it is readable.
    pub read: bool,
    /// Also wait until it is writable.
    pub write: bool,
    /// It is readable, or the peer has closed (reading then returns 0 or an error).
    pub readable: bool,
    pub writable: bool,
}

impl<'fd> Wait<'fd> {
    /// Waits for data.
    pub fn read(fd: BorrowedFd<'fd>) -> Wait<'fd> {
        Wait { fd, read: true, write: false, readable: false, writable: false }
    }
}

/// Waits until one of them is ready or `limit` has passed (`None`: no limit). Returns how many are
/// ready; 0 also when a signal interrupted it.
pub fn wait(waits: &mut [Wait<'_>], limit: Option<Duration>) -> io::Result<usize> {
    let timeout = match limit {
        None => PollTimeout::NONE,
        // Rounded up: an early return would cost one more iteration of the loop.
        Some(limit) => limit
            .checked_add(Duration::from_nanos(999_999))
            .and_then(|limit| PollTimeout::try_from(limit).ok())
            .unwrap_or(PollTimeout::MAX),
    };
    let mut files: Vec<PollFd<'_>> = waits
        .iter()
        .map(|wait| {
            let write = if wait.write { PollFlags::POLLOUT } else { PollFlags::empty() };
            let read = if wait.read { PollFlags::POLLIN } else { PollFlags::empty() };
            PollFd::new(wait.fd, read | write)
        })
        .collect();
    let ready = match poll(&mut files, timeout) {
        Ok(ready) => ready as usize,
        Err(Errno::EINTR) => 0,
        Err(error) => return Err(error.into()),
    };
    let gone = PollFlags::POLLERR | PollFlags::POLLHUP | PollFlags::POLLNVAL;
    for (wait, file) in waits.iter_mut().zip(files) {
        let result = file.revents().unwrap_or(PollFlags::empty());
        wait.readable = ready > 0 && result.intersects(PollFlags::POLLIN | gone);
        wait.writable = ready > 0 && result.intersects(PollFlags::POLLOUT | gone);
    }
    Ok(ready)
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
        let mut waits = [Wait::read(far.as_fd())];
        assert_eq!(wait(&mut waits, Some(Duration::from_micros(10))).unwrap(), 0);
        assert!(!waits[0].readable);
        near.write_all(b"x").unwrap();
        assert_eq!(wait(&mut waits, None).unwrap(), 1);
        assert!(waits[0].readable && !waits[0].writable);
        drop(near);
        waits[0].write = true;
        assert_eq!(wait(&mut waits, Some(Duration::MAX)).unwrap(), 1);
        assert!(waits[0].readable && waits[0].writable);
    }
}
