//! What the kernel says of our table: notifications of changes, and the elements of its sets.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use super::script::{self, BLOCKED, PEERS, TABLE};
use crate::guard::Source;
use crate::parse::nftables::{self, Message, NFNLGRP_NFTABLES};
use crate::sys::netlink::Netlink;
use crate::sys::wait::{Wait, wait};

/// As long as the kernel's own messages get.
const DATAGRAM: usize = 16 << 10;
/// The whole ruleset of a router is some hundred notifications when it is reloaded.
const RECEIVE_BUFFER: usize = 256 << 10;
/// Datagrams that one turn reads.
const AT_ONCE: usize = 256;
/// The kernel answers while it is asked; this is for when it is out of memory.
const PATIENCE: Duration = Duration::from_millis(200);

/// Notifications about tables.
pub struct Notifications {
    socket: Netlink,
    buffer: Box<[u8]>,
}

impl Notifications {
    pub fn open() -> io::Result<Notifications> {
        let socket = Netlink::netfilter(1 << (NFNLGRP_NFTABLES - 1))?;
        socket.set_receive_buffer(RECEIVE_BUFFER)?;
        Ok(Notifications { socket, buffer: vec![0; DATAGRAM].into_boxed_slice() })
    }

    pub fn fd(&self) -> BorrowedFd<'_> {
        use std::os::fd::AsFd;
        self.socket.as_fd()
    }

    /// Reads what has come. True if somebody else than the process `own` took something of our table away,
    /// or may have.
    pub fn read(&mut self, own: Option<u32>) -> io::Result<bool> {
        let mut hurt = false;
        for _ in 0..AT_ONCE {
            let datagram = match self.socket.receive(&mut self.buffer) {
                Ok(Some(datagram)) => datagram,
                Ok(None) => break,
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                    hurt = true;
                    continue;
                }
                Err(error) => return Err(error),
            };
            if !datagram.from_kernel {
                continue;
            }
            hurt |= datagram.cut;
            for message in nftables::messages(&self.buffer[..datagram.length.min(DATAGRAM)]) {
                hurt |= match message {
                    Message::Removed { table, port } => table == TABLE.as_bytes() && Some(port) != own,
                    Message::Unknown => true,
                    _ => false,
                };
            }
        }
        Ok(hurt)
    }
}

/// Asks about elements; each question is answered at once.
pub struct Elements {
    socket: Netlink,
    buffer: Box<[u8]>,
    request: u32,
}

impl Elements {
    pub fn open() -> io::Result<Elements> {
        let socket = Netlink::netfilter(0)?;
        Ok(Elements { socket, buffer: vec![0; DATAGRAM].into_boxed_slice(), request: 0 })
    }

    /// Asks, and gives every message of the answer to `each`. The errno of the answer, 0 for success.
    fn ask(&mut self, make: impl Fn(u32) -> Vec<u8>, each: &mut dyn FnMut(Message<'_>)) -> io::Result<i32> {
        self.request = self.request.wrapping_add(1);
        let wanted = self.request;
        self.socket.send(&make(wanted))?;
        loop {
            let Some(datagram) = self.socket.receive(&mut self.buffer)? else {
                use std::os::fd::AsFd;
                if wait(&mut [Wait::read(self.socket.as_fd())], Some(PATIENCE))? == 0 {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                continue;
            };
            if !datagram.from_kernel {
                continue;
            }
            for message in nftables::messages(&self.buffer[..datagram.length.min(DATAGRAM)]) {
                match message {
                    Message::Answer { request, errno } if request == wanted => return Ok(errno),
                    Message::Done => return Ok(0),
                    message => each(message),
                }
            }
        }
    }

    /// Whether our table is there.
    pub fn has_table(&mut self) -> io::Result<bool> {
        match self.ask(|request| nftables::get_table(TABLE, request), &mut |_| {})? {
            0 => Ok(true),
            libc::ENOENT => Ok(false),
            errno => Err(io::Error::from_raw_os_error(errno)),
        }
    }

    /// Whether a connection to this source was opened from inside, as far as the kernel remembers. Also true if
    /// the kernel cannot say: then nobody is cut off.
    pub fn is_peer(&mut self, source: Source) -> bool {
        let (set, key) = (script::set_of(PEERS, source), script::key(source));
        let asked = self.ask(|request| nftables::get_element(TABLE, set, &key, request), &mut |_| {});
        !matches!(asked, Ok(libc::ENOENT))
    }

    /// Packets of a blocked source that were dropped.
    pub fn dropped(&mut self, source: Source) -> Option<u64> {
        let (set, key) = (script::set_of(BLOCKED, source), script::key(source));
        let mut packets = None;
        let asked = self.ask(|request| nftables::get_element(TABLE, set, &key, request), &mut |message| {
            if let Message::Elements(mut elements) = message {
                packets = elements.next().and_then(|element| element.packets);
            }
        });
        asked.ok().filter(|errno| *errno == 0).and(packets)
    }

    /// Every blocked source, with the milliseconds that are left.
    pub fn blocked(&mut self, each: &mut dyn FnMut(Source, u64)) {
        for set in BLOCKED {
            // What cannot be listed is made anew from the ledger.
            let _ = self.ask(|request| nftables::list_elements(TABLE, set, request), &mut |message| {
                if let Message::Elements(elements) = message {
                    for element in elements {
                        if let (Some(source), Some(left)) =
                            (script::source_of(element.key), element.expires_ms)
                        {
                            each(source, left);
                        }
                    }
                }
            });
        }
    }
}
