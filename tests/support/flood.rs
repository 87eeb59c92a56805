//! Packets as fast as one thread can send them.
#![allow(unsafe_code)]

use std::mem;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

/// Sends `count` small UDP packets to the socket's peer.
pub fn flood(socket: &UdpSocket, count: usize) {
    let payload = [0u8; 8];
    let mut part = libc::iovec { iov_base: payload.as_ptr() as *mut _, iov_len: payload.len() };
    // SAFETY: all bytes zero is a valid mmsghdr.
    let mut messages: Vec<libc::mmsghdr> = (0..1024).map(|_| unsafe { mem::zeroed() }).collect();
    for message in &mut messages {
        message.msg_hdr.msg_iov = &mut part;
        message.msg_hdr.msg_iovlen = 1;
    }
    let mut left = count;
    while left > 0 {
        let batch = left.min(messages.len()) as u32;
        // SAFETY: the messages, the part and the payload live until the call is over; it only reads them.
        let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), messages.as_mut_ptr(), batch, 0) };
        // A full queue of the link is no reason to stop.
        left -= sent.max(0) as usize;
    }
}
