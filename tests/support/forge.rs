//! Packets in anybody's name: a raw socket that writes the IP header itself.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn, sendto, socket,
};

use super::namespaces::Network;

pub struct Forger {
    socket: OwnedFd,
    to: Ipv4Addr,
}

fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum: u32 = 0;
    for part in parts {
        for pair in part.chunks(2) {
            sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
        }
    }
    while sum >> 16 > 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

impl Forger {
    /// Sends from a namespace to an address.
    pub fn new(namespace: &str, to: &str) -> Forger {
        let namespace = namespace.to_string();
        let open = move || {
            Network::enter(&namespace);
            socket(AddressFamily::Inet, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::Raw).unwrap()
        };
        Forger { socket: std::thread::spawn(open).join().unwrap(), to: to.parse().unwrap() }
    }

    fn send(&self, source: Ipv4Addr, protocol: u8, payload: &[u8], id: u16) {
        let mut packet = vec![0x45, 0];
        packet.extend(((20 + payload.len()) as u16).to_be_bytes());
        packet.extend(id.to_be_bytes());
        packet.extend([0x40, 0, 64, protocol, 0, 0]);
        packet.extend(source.octets());
        packet.extend(self.to.octets());
        packet.extend(payload);
        let to = SockaddrIn::from(SocketAddrV4::new(self.to, 0));
        // A full queue of the link is no reason to stop.
        while sendto(self.socket.as_raw_fd(), &packet, &to, MsgFlags::empty())
            == Err(nix::errno::Errno::ENOBUFS)
        {}
    }

    fn pseudo(&self, source: Ipv4Addr, protocol: u8, length: usize) -> Vec<u8> {
        let mut pseudo = source.octets().to_vec();
        pseudo.extend(self.to.octets());
        pseudo.extend([0, protocol]);
        pseudo.extend((length as u16).to_be_bytes());
        pseudo
    }

    /// A SYN from a port that `id` tells.
    pub fn syn(&self, source: Ipv4Addr, port: u16, id: u16) {
        let mut tcp = (1024 + id % 60_000).to_be_bytes().to_vec();
        tcp.extend(port.to_be_bytes());
        tcp.extend([0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x02, 0xfa, 0xf0, 0, 0, 0, 0]);
        let sum = checksum(&[&self.pseudo(source, 6, tcp.len()), &tcp]);
        tcp[16..18].copy_from_slice(&sum.to_be_bytes());
        self.send(source, 6, &tcp, id);
    }

    pub fn udp(&self, source: Ipv4Addr, port: u16, id: u16) {
        let mut udp = (1024 + id % 60_000).to_be_bytes().to_vec();
        udp.extend(port.to_be_bytes());
        // Without a checksum.
        udp.extend([0, 8, 0, 0]);
        self.send(source, 17, &udp, id);
    }

    /// An ICMP error that quotes a SYN of `inner`.
    pub fn icmp_error(&self, source: Ipv4Addr, inner: Ipv4Addr, id: u16) {
        let mut icmp = vec![3, 3, 0, 0, 0, 0, 0, 0, 0x45, 0, 0, 40, 0, 1, 0, 0, 64, 6, 0, 0];
        icmp.extend(inner.octets());
        icmp.extend(self.to.octets());
        icmp.extend([0x80, 0, 0, 22, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x02, 0xfa, 0xf0, 0, 0, 0, 0]);
        let sum = checksum(&[&icmp]);
        icmp[2..4].copy_from_slice(&sum.to_be_bytes());
        self.send(source, 1, &icmp, id);
    }

    /// So many SYNs to one port.
    pub fn flood(&self, source: Ipv4Addr, count: u16) {
        for id in 0..count {
            self.syn(source, 23, id);
        }
    }
}
