//! The guard's own table `inet fwstat` in the kernel: the script that creates it, the process `nft -f -`, and netlink.
//!
//! Takes decisions and addresses, gives the kernel's state. Decides nothing and has no text from packets.

pub mod conntrack;
pub mod kernel;
mod range_changes;
pub mod run;
pub mod script;

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use crate::parse::netlink::{self, Frame, NLMSG_DONE, NLMSG_ERROR};
use crate::sys::netlink::Netlink;
use crate::sys::wait::{readable, wait};

/// The longest datagram of the kernel.
const DATAGRAM: usize = 16 << 10;
/// The kernel answers within the system call; the timeout is for when it is out of memory.
const TIMEOUT: Duration = Duration::from_millis(200);

/// Receives the kernel's datagrams until `read` gives the answer's errno, 0 for success. The error is the socket's, or
/// a timeout.
fn receive_answer(
    socket: &Netlink,
    buffer: &mut [u8],
    read: &mut dyn FnMut(&[u8]) -> Option<i32>,
) -> io::Result<i32> {
    loop {
        let Some(datagram) = socket.receive(buffer)? else {
            if wait(&mut [readable(socket.as_fd())], Some(TIMEOUT))? == 0 {
                return Err(io::ErrorKind::TimedOut.into());
            }
            continue;
        };
        if !datagram.from_kernel {
            continue;
        }
        if datagram.cut {
            return Err(io::Error::from_raw_os_error(libc::EMSGSIZE));
        }
        if let Some(errno) = read(&buffer[..datagram.length]) {
            return Ok(errno);
        }
    }
}

/// Passes what the kernel lists to `each`, until the list ends or `each` gives an errno.
fn list(request: &[u8], each: &mut dyn FnMut(Frame<'_>) -> Option<i32>) -> io::Result<()> {
    // A new socket each time: closing it ends a list that was not read to its end.
    let socket = Netlink::netfilter(0)?;
    socket.send(request)?;
    let errno = receive_answer(&socket, &mut vec![0; DATAGRAM], &mut |datagram| {
        netlink::frames(datagram).flatten().find_map(|frame| match frame.kind {
            NLMSG_DONE => Some(0),
            NLMSG_ERROR => Some(frame.answer().map_or(libc::EBADMSG, |(_, errno)| errno)),
            _ => each(frame),
        })
    })?;
    result_of(errno)
}

/// An errno as a result.
fn result_of(errno: i32) -> io::Result<()> {
    if errno == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(errno)) }
}
