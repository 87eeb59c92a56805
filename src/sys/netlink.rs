//! A netlink socket (netlink(7), family NETLINK_NETFILTER), and names of interfaces.

use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recvmsg, sendto,
    setsockopt, socket, sockopt,
};

/// A netlink socket (netlink(7)).
pub struct Netlink {
    file: OwnedFd,
}

/// One datagram that was received.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Datagram {
    pub length: usize,
    /// The kernel sent it; any process may send to a netlink socket.
    pub from_kernel: bool,
    /// It was longer than the buffer.
    pub cut: bool,
}

impl Netlink {
    /// A non-blocking socket, bound to a port id that the kernel chooses. `groups`: the notifications that
    /// it gets, a bit each.
    pub fn netfilter(groups: u32) -> io::Result<Netlink> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let file = socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkNetFilter)?;
        bind(file.as_raw_fd(), &NetlinkAddr::new(0, groups))?;
        Ok(Netlink { file })
    }

    /// Sets the receive buffer to `bytes`, beyond `net.core.rmem_max` if permitted (CAP_NET_ADMIN). The
    /// kernel doubles it, since it counts its own overhead too.
    pub fn set_receive_buffer(&self, bytes: usize) -> io::Result<()> {
        setsockopt(&self.file, sockopt::RcvBufForce, &bytes)
            .or_else(|_| setsockopt(&self.file, sockopt::RcvBuf, &bytes))?;
        Ok(())
    }

    /// Lets datagrams of up to `bytes` be sent, beyond `net.core.wmem_max` if permitted (CAP_NET_ADMIN). The kernel
    /// doubles it.
    pub fn set_send_buffer(&self, bytes: usize) -> io::Result<()> {
        setsockopt(&self.file, sockopt::SndBufForce, &bytes)
            .or_else(|_| setsockopt(&self.file, sockopt::SndBuf, &bytes))?;
        Ok(())
    }

    /// The port id of this socket (`nl_pid`).
    pub fn port(&self) -> io::Result<u32> {
        Ok(nix::sys::socket::getsockname::<NetlinkAddr>(self.file.as_raw_fd())?.pid())
    }

    /// Sends one datagram to the kernel.
    pub fn send(&self, message: &[u8]) -> io::Result<()> {
        sendto(self.file.as_raw_fd(), message, &NetlinkAddr::new(0, 0), MsgFlags::empty())?;
        Ok(())
    }

    /// The next datagram, `None` if none is queued. `ENOBUFS` means that the
    /// kernel dropped some because the buffer was full; the socket stays usable.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<Datagram>> {
        let mut parts = [IoSliceMut::new(buffer)];
        match recvmsg::<NetlinkAddr>(self.file.as_raw_fd(), &mut parts, None, MsgFlags::MSG_DONTWAIT) {
            Ok(message) => Ok(Some(Datagram {
                length: message.bytes,
                from_kernel: message.address.is_some_and(|from| from.pid() == 0),
                cut: message.flags.contains(MsgFlags::MSG_TRUNC),
            })),
            Err(Errno::EAGAIN | Errno::EINTR) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl AsFd for Netlink {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// The current name of the interface with this index.
pub fn interface_name(index: u32) -> Option<String> {
    let name = nix::net::if_::if_indextoname(index).ok()?;
    // nix does not report an unknown index: the name is empty then.
    (!name.is_empty()).then(|| name.to_string_lossy().into_owned())
}
