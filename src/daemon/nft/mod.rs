//! The guard's own table `inet fwstat` in the kernel: what it shall be -> nft's text -> `nft -f -`; and what
//! the kernel says of it.
//!
//! Decides nothing. No packet's text comes here, only addresses.

pub mod conntrack;
pub mod kernel;
mod range_changes;
pub mod run;
pub mod script;

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use crate::sys::netlink::Netlink;
use crate::sys::wait::{Wait, wait};

/// As long as the kernel's own messages get.
const DATAGRAM: usize = 16 << 10;
/// The kernel answers while it is asked; this is for when it is out of memory.
const TIMEOUT: Duration = Duration::from_millis(200);

/// Receives the kernel's datagrams until `read` gives the answer's errno, 0 for success. The error is the socket's, or that
/// none came in time.
fn receive_answer(
    socket: &Netlink,
    buffer: &mut [u8],
    timeout: Duration,
    read: &mut dyn FnMut(&[u8]) -> Option<i32>,
) -> io::Result<i32> {
    loop {
        let Some(datagram) = socket.receive(buffer)? else {
            if wait(&mut [Wait::read(socket.as_fd())], Some(timeout))? == 0 {
                return Err(io::ErrorKind::TimedOut.into());
            }
            continue;
        };
        let length = datagram.length.min(buffer.len());
        if datagram.from_kernel
            && let Some(errno) = read(&buffer[..length])
        {
            return Ok(errno);
        }
    }
}

/// An errno as a result.
fn result_of(errno: i32) -> io::Result<()> {
    if errno == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(errno)) }
}
