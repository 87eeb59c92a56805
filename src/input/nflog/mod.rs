//! NFLOG over netlink: the packets that rules with `log group N` send, and what was lost of them.
//!
//! Takes a group, gives one record for each packet. Allocates nothing per packet or datagram.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use super::Counters;
use crate::parse::nflog::{self, Message, Record};
use crate::parse::packet::Packet;
use crate::sys::clock;
use crate::sys::netlink::Netlink;
use crate::sys::wait::{readable, wait};

pub mod events;

/// The room in the kernel for what we have not read yet, as it is asked for (the kernel doubles
/// it). It is used only while a flood comes in faster than it is read, and holds some 19,000
/// packets: 40 ms of half a million packets per second.
pub const RECEIVE_BUFFER: usize = 2 << 20;

/// A batch of this many packets did not wait for the timeout: packets come in fast. A batch of the longest
/// ones has 31.
pub const FULL_BATCH: u64 = 24;

/// Longer than any batch.
const DATAGRAM: usize = 16 << 10;

const ANSWER_WAIT: Duration = Duration::from_secs(2);

/// Why there is no NFLOG input.
#[derive(Debug)]
pub enum NflogError {
    /// The kernel has no nfnetlink_log.
    NoModule,
    NoPermission,
    GroupTaken(u16),
    /// Something that should not happen: what we did, and the system's word.
    System(&'static str, io::Error),
}

impl fmt::Display for NflogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NflogError::NoModule => f.write_str(
                "the kernel cannot log to NFLOG groups: nfnetlink_log is missing (install \
                 kmod-nfnetlink-log)",
            ),
            NflogError::NoPermission => {
                f.write_str("no permission to listen to NFLOG: the capability CAP_NET_ADMIN is missing")
            }
            NflogError::GroupTaken(group) => write!(
                f,
                "NFLOG group {group} is taken by another program (ulogd, a second fwstat?): stop it, or \
                 choose another nflog_group"
            ),
            NflogError::System(what, error) => write!(f, "NFLOG: cannot {what}: {error}"),
        }
    }
}

impl std::error::Error for NflogError {}

/// One packet: what the kernel says about it and its headers.
#[derive(Clone, Copy, Debug)]
pub struct NflogRecord<'a> {
    /// The kernel's attributes.
    pub message: Record<'a>,
    /// The parsed headers of its payload.
    pub packet: Packet,
}

/// A socket bound to an NFLOG group (NETLINK_NETFILTER).
pub struct NflogReader {
    socket: Netlink,
    buffer: Box<[u8]>,
    /// The sequence number that the next packet must have.
    expected: u32,
    /// `lost` is exact, by the sequence numbers, but a loss is known only when a later packet arrives. `malformed`: packets
    /// without readable addresses, which `received` includes, and messages whose lengths do not fit together.
    pub counters: Counters,
}

impl NflogReader {
    /// Listens to `group` in the network namespace of this thread. When the reader is dropped
    /// the kernel frees the group. `counters`: those of the reader before, to which it adds its own.
    pub fn open(group: u16, counters: Counters) -> Result<NflogReader, NflogError> {
        let socket = Netlink::netfilter(0).map_err(|error| match error.raw_os_error() {
            Some(libc::EPROTONOSUPPORT | libc::EAFNOSUPPORT) => NflogError::NoModule,
            _ => NflogError::System("open a netlink socket", error),
        })?;
        socket
            .set_receive_buffer(RECEIVE_BUFFER)
            .map_err(|error| NflogError::System("set the receive buffer", error))?;
        let buffer = vec![0; DATAGRAM].into_boxed_slice();
        let mut reader = NflogReader { socket, buffer, expected: 0, counters };
        match reader.request(1, &nflog::listen(group, 1))? {
            0 => {}
            // The kernel says EPERM for a group that has a listener, too. With permission it finds
            // fault with the kind of the next request instead.
            libc::EPERM if reader.request(2, &nflog::nothing(group, 2))? != libc::EPERM => {
                return Err(NflogError::GroupTaken(group));
            }
            libc::EPERM => return Err(NflogError::NoPermission),
            libc::EBUSY => return Err(NflogError::GroupTaken(group)),
            // nfnetlink knows no subsystem of this number.
            libc::EINVAL | libc::EOPNOTSUPP => return Err(NflogError::NoModule),
            errno => {
                return Err(NflogError::System("listen to the group", io::Error::from_raw_os_error(errno)));
            }
        }
        Ok(reader)
    }

    /// To wait for packets with.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Gives the packets that are there now, and stops after the datagram with the `budget`th
    /// one. Answers whether there may be more. Never waits.
    pub fn read(
        &mut self,
        budget: usize,
        each: &mut dyn FnMut(&NflogRecord<'_>),
    ) -> Result<bool, NflogError> {
        let end = self.counters.received.saturating_add(budget as u64);
        while self.counters.received < end {
            let received = self.receive().map_err(|error| NflogError::System("receive packets", error))?;
            let Some(length) = received else { return Ok(false) };
            let Self { buffer, expected, counters, .. } = self;
            take(&buffer[..length], expected, counters, each);
        }
        Ok(true)
    }

    /// Receives a datagram of the kernel, and gives its length in the buffer. `None`: there is none now.
    fn receive(&mut self) -> io::Result<Option<usize>> {
        loop {
            match self.socket.receive(&mut self.buffer) {
                Ok(Some(datagram)) if datagram.from_kernel => {
                    self.counters.malformed = self.counters.malformed.saturating_add(datagram.cut.into());
                    return Ok(Some(datagram.length.min(self.buffer.len())));
                }
                Ok(Some(_)) => {}
                Ok(None) => return Ok(None),
                // The kernel had no room for a datagram: the sequence numbers tell the packets lost.
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Sends a request and waits for the kernel's answer, which is there at once: an errno.
    fn request(&mut self, number: u32, message: &[u8]) -> Result<i32, NflogError> {
        let failed = |error| NflogError::System("talk to the kernel", error);
        self.socket.send(message).map_err(failed)?;
        let until = clock::boot() + ANSWER_WAIT;
        loop {
            let Some(length) = self.receive().map_err(failed)? else {
                let left = until.saturating_sub(clock::boot());
                if left.is_zero() {
                    return Err(failed(io::Error::from(io::ErrorKind::TimedOut)));
                }
                wait(&mut [readable(self.socket.as_fd())], Some(left)).map_err(failed)?;
                continue;
            };
            for message in nflog::messages(&self.buffer[..length]) {
                match message {
                    Message::Answer { request, errno } if request == number => return Ok(errno),
                    // Packets before the answer are not read. Those with a number will be
                    // missed when the next one comes; the first few have none yet.
                    Message::Packet(Record { sequence: None, .. }) => self.counters.lost += 1,
                    _ => {}
                }
            }
        }
    }
}

/// The packets of one datagram.
fn take(
    datagram: &[u8],
    expected: &mut u32,
    counters: &mut Counters,
    each: &mut dyn FnMut(&NflogRecord<'_>),
) {
    for message in nflog::messages(datagram) {
        match message {
            Message::Packet(message) => {
                counters.received = counters.received.saturating_add(1);
                if let Some(sequence) = message.sequence {
                    let missing = sequence.wrapping_sub(*expected);
                    // A number from before means that the kernel counts anew.
                    if missing <= u32::MAX / 2 {
                        counters.lost = counters.lost.saturating_add(missing.into());
                    }
                    *expected = sequence.wrapping_add(1);
                }
                match Packet::parse(message.payload) {
                    Some(packet) => each(&NflogRecord { message, packet }),
                    None => counters.malformed = counters.malformed.saturating_add(1),
                }
            }
            Message::Malformed => counters.malformed = counters.malformed.saturating_add(1),
            Message::Answer { .. } | Message::Other => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A datagram with one packet of each sequence number.
    fn datagram(sequences: &[u32], payload: &[u8]) -> Vec<u8> {
        sequences.iter().flat_map(|sequence| nflog::example(*sequence, payload)).collect()
    }

    fn udp() -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 28, 0, 1, 0, 0, 64, 17, 0, 0, 198, 51, 100, 7, 192, 0, 2, 1];
        packet.extend([4, 0, 0, 53, 0, 8, 0, 0]);
        packet
    }

    #[test]
    fn gaps_in_the_sequence_are_the_lost_packets() {
        let (mut expected, mut counters, mut ports) = (0, Counters::default(), Vec::new());
        for (sequences, lost) in [
            (&[0, 1, 2][..], 0),
            (&[5], 2),
            (&[6, 8], 3),
            (&[u32::MAX / 2], 2_147_483_641),
            (&[0, 1], 2_147_483_641),
        ] {
            take(&datagram(sequences, &udp()), &mut expected, &mut counters, &mut |record| {
                ports.push(record.packet.port);
            });
            assert_eq!(counters.lost, lost, "{sequences:?}");
        }
        assert_eq!((counters.received, counters.malformed), (9, 0));
        assert_eq!(ports, [53; 9]);
        // The number of packets goes beyond 32 bits.
        let mut expected = u32::MAX;
        take(&datagram(&[u32::MAX, 0, 1], &udp()), &mut expected, &mut counters, &mut |_| {});
        assert_eq!((counters.lost, expected), (2_147_483_641, 2));
    }

    #[test]
    fn what_is_no_ip_packet_is_counted_and_skipped() {
        let (mut expected, mut counters) = (0, Counters::default());
        let mut bytes = datagram(&[0], b"");
        bytes.extend(datagram(&[1], b"\0\0\0"));
        bytes.extend([1, 2, 3]);
        take(&bytes, &mut expected, &mut counters, &mut |_| panic!("no packet"));
        assert_eq!(counters, Counters { received: 2, malformed: 3, ..Counters::default() });
    }

    #[test]
    fn errors_say_what_to_do() {
        for (error, word) in [
            (NflogError::NoModule, "kmod-nfnetlink-log"),
            (NflogError::NoPermission, "CAP_NET_ADMIN"),
            (NflogError::GroupTaken(32), "group 32 is taken"),
            (NflogError::System("listen", io::Error::from_raw_os_error(12)), "cannot listen: "),
        ] {
            assert!(error.to_string().contains(word), "{error}");
        }
    }
}
