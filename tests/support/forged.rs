//! Packets from sources that do not exist, as fast as one thread can send them.
#![allow(unsafe_code)]

use std::mem;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// A raw socket that takes whole packets, with any source.
pub fn raw_socket() -> OwnedFd {
    // SAFETY: takes numbers only.
    let file = unsafe { libc::socket(libc::AF_INET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::IPPROTO_RAW) };
    assert!(file >= 0, "{}", std::io::Error::last_os_error());
    // SAFETY: it was just opened and nobody else has it.
    unsafe { OwnedFd::from_raw_fd(file) }
}

/// Sends the forged packets `first..first + count`, see [`syn`].
pub fn forged(socket: &OwnedFd, destination: Ipv4Addr, first: u64, count: u64) {
    // SAFETY: all bytes zero is a valid sockaddr_in.
    let mut to: libc::sockaddr_in = unsafe { mem::zeroed() };
    to.sin_family = libc::AF_INET as libc::sa_family_t;
    to.sin_addr.s_addr = u32::from_ne_bytes(destination.octets());
    let (mut next, end) = (first, first + count);
    while next < end {
        let mut packets: Vec<[u8; 40]> =
            (next..end.min(next + 512)).map(|number| syn(number, destination)).collect();
        let mut parts: Vec<libc::iovec> = packets
            .iter_mut()
            .map(|packet| libc::iovec { iov_base: packet.as_mut_ptr().cast(), iov_len: packet.len() })
            .collect();
        let mut messages: Vec<libc::mmsghdr> = Vec::with_capacity(parts.len());
        for part in &mut parts {
            // SAFETY: all bytes zero is a valid mmsghdr.
            let mut message: libc::mmsghdr = unsafe { mem::zeroed() };
            message.msg_hdr.msg_name = (&raw mut to).cast();
            message.msg_hdr.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
            message.msg_hdr.msg_iov = part;
            message.msg_hdr.msg_iovlen = 1;
            messages.push(message);
        }
        let batch = messages.len() as libc::c_uint;
        // SAFETY: messages, parts, packets and the address live until the call is over; it only reads them.
        let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), messages.as_mut_ptr(), batch, 0) };
        // A full queue of the link is no reason to stop.
        next += sent.max(0) as u64;
    }
}

/// A SYN from the source and to the port that belong to `number`: no two numbers below 2^30 share a source.
fn syn(number: u64, destination: Ipv4Addr) -> [u8; 40] {
    let random = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 16;
    // 128.0.0.0/2 reaches the rule; an odd factor mixes and loses nothing.
    let source = 0x8000_0000 | (number as u32).wrapping_mul(0x2c1b_3c6d) & 0x3fff_ffff;
    let mut packet = [0; 40];
    (packet[0], packet[3], packet[8], packet[9]) = (0x45, 40, 64, 6);
    packet[4..6].copy_from_slice(&(random as u16).to_be_bytes());
    packet[12..16].copy_from_slice(&source.to_be_bytes());
    packet[16..20].copy_from_slice(&destination.octets());
    packet[20..22].copy_from_slice(&54_321u16.to_be_bytes());
    packet[22..24].copy_from_slice(&((random >> 16) as u16).to_be_bytes());
    (packet[32], packet[33]) = (0x50, 0x02);
    packet
}
