//! The event: one refused packet or failed login, parsed and validated.
//!
//! Plain values and their names. Has no state, no I/O, and no rule except that of [`classify`].

pub mod calendar;
pub mod classify;
pub mod hash;
pub mod paths;
pub mod services;
pub mod small_map;

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// IP protocol numbers (IANA "Protocol Numbers") that are treated specially.
pub mod protocol {
    pub const ICMP: u8 = 1;
    pub const IGMP: u8 = 2;
    pub const TCP: u8 = 6;
    pub const UDP: u8 = 17;
    pub const DCCP: u8 = 33;
    pub const GRE: u8 = 47;
    pub const ESP: u8 = 50;
    pub const AH: u8 = 51;
    pub const ICMPV6: u8 = 58;
    pub const SCTP: u8 = 132;
    pub const UDPLITE: u8 = 136;
}

/// TCP flags as in the header (RFC 9293, section 3.1).
pub mod tcp {
    pub const FIN: u8 = 0x01;
    pub const SYN: u8 = 0x02;
    pub const RST: u8 = 0x04;
    pub const PSH: u8 = 0x08;
    pub const ACK: u8 = 0x10;
    pub const URG: u8 = 0x20;
    pub const ECE: u8 = 0x40;
    pub const CWR: u8 = 0x80;
}

/// An IPv4 or IPv6 address in 16 bytes; IPv4 is held as `::ffff:a.b.c.d` (RFC 4291, 2.5.5.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Address {
    pub high: u64,
    pub low: u64,
}

impl Address {
    /// From an IPv4 address in host byte order.
    pub const fn v4(bits: u32) -> Address {
        Address { high: 0, low: 0xffff_0000_0000 | bits as u64 }
    }

    /// From an IPv6 address in host byte order.
    pub const fn v6(bits: u128) -> Address {
        Address { high: (bits >> 64) as u64, low: bits as u64 }
    }

    /// Whether it is an IPv4 address.
    pub const fn is_v4(self) -> bool {
        self.high == 0 && self.low >> 32 == 0xffff
    }

    /// The IPv4 address as a number, if it is one.
    pub const fn as_v4(self) -> Option<u32> {
        if self.is_v4() { Some(self.low as u32) } else { None }
    }

    /// Network byte order; IPv4 as `::ffff:a.b.c.d` (RFC 4291, section 2.5.5.2).
    pub fn to_bytes(self) -> [u8; 16] {
        (((self.high as u128) << 64) | self.low as u128).to_be_bytes()
    }

    /// The reverse of [`Address::to_bytes`].
    pub fn from_bytes(bytes: [u8; 16]) -> Address {
        Address::v6(u128::from_be_bytes(bytes))
    }

    /// The same as a type of the standard library.
    pub fn to_ip(self) -> IpAddr {
        Ipv6Addr::from(self.to_bytes()).to_canonical()
    }

    /// The number of leading bits that `self` and a prefix of `length` bits share is at least `length`.
    /// `length` counts in the family of `network`: 0..=32 for IPv4, 0..=128 for IPv6.
    pub fn is_within(self, network: Address, length: u8) -> bool {
        self.is_v4() == network.is_v4() && self.masked(length) == network.masked(length)
    }

    /// The address with all bits but the first `length` cleared; `length` counts as in [`Address::is_within`].
    pub fn masked(self, length: u8) -> Address {
        let length = if self.is_v4() { length.min(32) as u32 + 96 } else { length.min(128) as u32 };
        let mask = if length == 0 { 0 } else { u128::MAX << (128 - length) };
        Address::v6(u128::from_be_bytes(self.to_bytes()) & mask)
    }
}

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Address {
        match ip {
            IpAddr::V4(v4) => Address::v4(v4.into()),
            IpAddr::V6(v6) => Address::v6(v6.into()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_ip().fmt(f)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The meaning of a refused packet. Classes are counted separately, since a plain count of drops overstates attacks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[repr(u8)]
pub enum Class {
    /// A new inbound connection attempt to something closed.
    #[default]
    Attempt = 0,
    /// A late or stray reply.
    Backscatter = 1,
    /// Multicast, broadcast, IGMP, link-local discovery.
    Noise = 2,
    /// From the inside out, or from the inside to the router.
    Egress = 3,
    /// A failed login seen in the log.
    Login = 4,
}

impl Class {
    /// How many classes there are.
    pub const COUNT: usize = 5;
    /// All classes, in the order of their numbers.
    pub const ALL: [Class; 5] =
        [Class::Attempt, Class::Backscatter, Class::Noise, Class::Egress, Class::Login];

    /// The name in answers and options.
    pub const fn name(self) -> &'static str {
        ["attempt", "backscatter", "noise", "egress", "login"][self as usize]
    }

    /// Whether the countries of its sources are looked up: not for late replies, noise and the inside.
    pub const fn has_countries(self) -> bool {
        matches!(self, Class::Attempt | Class::Login)
    }

    /// Whether it is counted by firewall rule: not late replies and multicast, whose rows are of little use and would
    /// be written to flash every hour.
    pub const fn has_rules(self) -> bool {
        !matches!(self, Class::Backscatter | Class::Noise)
    }

    /// The class with this name.
    pub fn from_name(name: &str) -> Option<Class> {
        Class::ALL.into_iter().find(|class| class.name() == name)
    }
}

/// The firewall's verdict on the packet, as far as the log prefix names it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[repr(u8)]
pub enum Verdict {
    #[default]
    Unknown = 0,
    Drop = 1,
    Reject = 2,
}

impl Verdict {
    /// How many verdicts there are.
    pub const COUNT: usize = 3;
    /// All verdicts, in the order of their numbers.
    pub const ALL: [Verdict; 3] = [Verdict::Unknown, Verdict::Drop, Verdict::Reject];

    /// The name in answers.
    pub const fn name(self) -> &'static str {
        ["unknown", "drop", "reject"][self as usize]
    }
}

/// Which input an event came through.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Origin {
    /// Text: a log file, or logd.
    #[default]
    Log,
    Nflog,
}

/// The target of an attempt: an IP protocol and, for protocols with ports, the destination port.
/// ICMP and other protocols without ports have port 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Service {
    /// IANA's protocol number.
    pub protocol: u8,
    /// Destination port; 0 for protocols without ports.
    pub port: u16,
}

impl Service {
    /// Whether `protocol` carries 16-bit ports at the start of its header.
    pub const fn has_ports(protocol: u8) -> bool {
        matches!(
            protocol,
            protocol::TCP | protocol::UDP | protocol::DCCP | protocol::SCTP | protocol::UDPLITE
        )
    }

    /// Protocol in the upper 16 bits, port in the lower.
    pub const fn to_bits(self) -> u32 {
        (self.protocol as u32) << 16 | self.port as u32
    }

    /// The reverse of [`Service::to_bits`].
    pub const fn from_bits(bits: u32) -> Service {
        Service { protocol: (bits >> 16) as u8, port: bits as u16 }
    }
}

/// Index of a [`crate::event::paths::Path`] in the table of paths.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct PathId(pub u16);

impl PathId {
    /// The id of a path that is no longer known.
    pub const UNKNOWN: PathId = PathId(u16::MAX);
}

/// One refused packet, or `count` equal ones; or one failed login (class `Login`). The default is not a valid event,
/// but a value to parse one into.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Event {
    /// Wall time, seconds since 1970-01-01 UTC.
    pub time: i64,
    pub source: Address,
    pub destination: Address,
    /// A hash of the packet's fields that stay the same when it is logged twice (addresses, protocol, ports, length, IP
    /// id, fragment offset, ICMP fields). If it is `unhashed`, only the IP id, since the hash of most events is never
    /// needed.
    pub fingerprint: u64,
    /// The kernel's timestamp in microseconds since boot. If the line has none: the log's in microseconds since 1970,
    /// if it has microseconds; otherwise 0.
    pub uptime: u64,
    /// Number of equal packets in this event, at least 1.
    pub count: u32,
    /// 0 for protocols without ports.
    pub source_port: u16,
    /// Destination port; 0 for protocols without ports.
    pub port: u16,
    /// Length of the packet in bytes as the IP header says.
    pub length: u16,
    pub path: PathId,
    /// IANA's protocol number.
    pub protocol: u8,
    /// TCP flags, see [`tcp`]; 0 for other protocols.
    pub flags: u8,
    pub icmp_type: u8,
    pub icmp_code: u8,
    pub class: Class,
    pub verdict: Verdict,
    pub unhashed: bool,
}

impl Event {
    /// The destination as a service; port 0 for a protocol without ports.
    pub fn service(&self) -> Service {
        Service { protocol: self.protocol, port: self.port }
    }

    /// Whether the ports are known: not of a later fragment, nor of a packet that was truncated before them.
    pub fn has_known_ports(&self) -> bool {
        Service::has_ports(self.protocol) && (self.source_port, self.port) != (0, 0)
    }
}
