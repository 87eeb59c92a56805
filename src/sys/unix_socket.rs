//! A non-blocking Unix stream socket: connect, read, write; nothing else.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr, connect, recv, send, socket};

/// A non-blocking stream socket.
#[derive(Debug)]
pub struct UnixSocket(OwnedFd);

impl UnixSocket {
    /// Connects or fails at once: a listener whose queue is full is an error, not a wait.
    pub fn connect(path: &Path) -> io::Result<UnixSocket> {
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let fd = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
        connect(fd.as_raw_fd(), &UnixAddr::new(path)?)?;
        Ok(UnixSocket(fd))
    }

    /// For poll(2).
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Bytes read; 0 when the peer has closed; `None` when no bytes are available.
    pub fn read(&self, into: &mut [u8]) -> io::Result<Option<usize>> {
        without_waiting(|| recv(self.0.as_raw_fd(), into, MsgFlags::empty()))
    }

    /// Bytes written; `None` when the socket's buffer is full.
    pub fn write(&self, bytes: &[u8]) -> io::Result<Option<usize>> {
        without_waiting(|| send(self.0.as_raw_fd(), bytes, MsgFlags::MSG_NOSIGNAL))
    }
}

fn without_waiting(mut call: impl FnMut() -> nix::Result<usize>) -> io::Result<Option<usize>> {
    loop {
        match call() {
            Ok(count) => return Ok(Some(count)),
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    }
}
