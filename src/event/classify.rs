//! Event -> Class.
//!
//! Takes the facts of one packet, returns its class; stateless. First match wins: noise, egress, then
//! by protocol for an inbound packet.

use crate::event::paths::Direction;
use crate::event::services;
use crate::event::{Address, Class, protocol, tcp};

/// The fields of a packet that its class depends on.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    pub direction: Direction,
    /// IANA's protocol number.
    pub protocol: u8,
    /// TCP flags; 0 for other protocols.
    pub flags: u8,
    pub source_port: u16,
    pub port: u16,
    pub icmp_type: u8,
    pub source: Address,
    pub destination: Address,
    /// The destination MAC is a broadcast or multicast address.
    pub group_mac: bool,
    /// A fragment other than the first: it has no ports and no flags.
    pub later_fragment: bool,
    /// It is forwarded, and its direction is known from the names of interfaces only: then a private source with a
    /// public destination is inside.
    pub forwarded: bool,
}

/// The class by the first rule that matches (docs/STATISTICS.md).
#[inline(always)]
pub fn classify(facts: &Facts) -> Class {
    if is_noise(facts) {
        return Class::Noise;
    }
    if facts.direction == Direction::Egress || facts.forwarded && is_on_its_way_out(facts) {
        return Class::Egress;
    }
    if facts.later_fragment {
        return Class::Backscatter;
    }
    let attempt = match facts.protocol {
        protocol::TCP => is_opening(facts.flags),
        protocol::UDP | protocol::UDPLITE => {
            !(facts.source_port < 1024 && facts.port >= 1024 && !is_service(facts.protocol, facts.port))
        }
        // Echo, timestamp, information and address mask requests (RFC 792, RFC 950).
        protocol::ICMP => matches!(facts.icmp_type, 8 | 13 | 15 | 17),
        // Echo request (RFC 4443), node information query (RFC 4620).
        protocol::ICMPV6 => matches!(facts.icmp_type, 128 | 139),
        _ => true,
    };
    if attempt { Class::Attempt } else { Class::Backscatter }
}

#[inline(never)]
fn is_on_its_way_out(facts: &Facts) -> bool {
    is_private(facts.source) && !is_private(facts.destination)
}

/// Addresses that are not routed on the Internet: RFC 1918, RFC 6598 (behind a provider's NAT), RFC 4193.
fn is_private(address: Address) -> bool {
    match address.as_v4() {
        Some(bits) => {
            bits >> 24 == 10 || bits >> 20 == 0xac1 || bits >> 16 == 0xc0a8 || bits >> 22 == 0x6440_0000 >> 22
        }
        None => address.high >> 57 == 0xfc >> 1,
    }
}

/// SYN alone opens a connection. No flag at all, or only URG and PSH, is no reply to anything: a probe.
/// ACK, RST and FIN belong to a connection that exists or existed.
fn is_opening(flags: u8) -> bool {
    if flags & tcp::SYN != 0 {
        return flags & (tcp::ACK | tcp::RST) == 0;
    }
    flags & (tcp::ACK | tcp::RST | tcp::FIN) == 0
}

/// Whether it is a known service from port 1024 up to Linux's ephemeral ports (`net.ipv4.ip_local_port_range`): a
/// packet to one of these is an attempt even if it comes from a well-known port.
fn is_service(protocol: u8, port: u16) -> bool {
    port < 32_768 && services::look_up(protocol, port).is_some()
}

#[inline(always)]
fn is_noise(facts: &Facts) -> bool {
    if facts.group_mac || facts.protocol == protocol::IGMP || is_link_local(facts.source) {
        return true;
    }
    match facts.destination.as_v4() {
        Some(bits) if bits >> 28 == 0xe || bits == u32::MAX || bits >> 16 == 0xa9fe => return true,
        None if facts.destination.high >> 56 == 0xff || is_link_local(facts.destination) => return true,
        _ => {}
    }
    match facts.protocol {
        // Multicast listeners, routers, neighbours and redirects (RFC 2710, 3810, 4861).
        protocol::ICMPV6 => matches!(facts.icmp_type, 130..=137 | 143),
        // DHCP of a host that has no address yet; DHCPv6 is link-local.
        protocol::UDP => matches!(facts.port, 67 | 68) && facts.source == Address::v4(0),
        _ => false,
    }
}

fn is_link_local(address: Address) -> bool {
    match address.as_v4() {
        Some(bits) => bits >> 16 == 0xa9fe,
        None => address.high >> 54 == 0xfe80 >> 6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    fn facts() -> Facts {
        Facts {
            direction: Direction::Inbound,
            protocol: protocol::TCP,
            flags: tcp::SYN,
            source_port: 40_000,
            port: 23,
            icmp_type: 0,
            source: Address::v4(0xc633_6407),
            destination: Address::v4(0xc000_0201),
            group_mac: false,
            later_fragment: false,
            forwarded: false,
        }
    }

    fn address(text: &str) -> Address {
        text.parse::<IpAddr>().unwrap().into()
    }

    #[test]
    fn tcp_by_its_flags() {
        use tcp::*;
        for (flags, class) in [
            (SYN, Class::Attempt),
            (SYN | ECE | CWR, Class::Attempt),
            (SYN | FIN, Class::Attempt),
            (0, Class::Attempt),
            (URG | PSH, Class::Attempt),
            (SYN | ACK, Class::Backscatter),
            (SYN | RST, Class::Backscatter),
            (ACK, Class::Backscatter),
            (RST, Class::Backscatter),
            (FIN, Class::Backscatter),
            (URG | PSH | FIN, Class::Backscatter),
        ] {
            assert_eq!(classify(&Facts { flags, ..facts() }), class, "{flags:#x}");
        }
    }

    #[test]
    fn udp_by_its_ports() {
        for (source_port, port, class) in [
            (40_000, 53, Class::Attempt),
            (53, 53, Class::Attempt),
            (53, 40_000, Class::Backscatter),
            (123, 1900, Class::Attempt),
            (40_000, 40_000, Class::Attempt),
        ] {
            let facts = Facts { protocol: protocol::UDP, flags: 0, source_port, port, ..facts() };
            assert_eq!(classify(&facts), class, "{source_port} {port}");
        }
    }

    #[test]
    fn icmp_by_its_type() {
        for (protocol, icmp_type, class) in [
            (protocol::ICMP, 8, Class::Attempt),
            (protocol::ICMP, 13, Class::Attempt),
            (protocol::ICMP, 0, Class::Backscatter),
            (protocol::ICMP, 3, Class::Backscatter),
            (protocol::ICMPV6, 128, Class::Attempt),
            (protocol::ICMPV6, 1, Class::Backscatter),
            (protocol::ICMPV6, 135, Class::Noise),
            (protocol::ICMPV6, 143, Class::Noise),
        ] {
            assert_eq!(classify(&Facts { protocol, icmp_type, ..facts() }), class, "{protocol} {icmp_type}");
        }
    }

    #[test]
    fn a_private_source_on_its_way_to_a_public_address_comes_from_inside() {
        for (source, destination, class) in [
            ("192.168.1.9", "198.51.100.9", Class::Egress),
            ("10.0.0.9", "198.51.100.9", Class::Egress),
            ("172.31.0.9", "198.51.100.9", Class::Egress),
            ("172.32.0.9", "198.51.100.9", Class::Attempt),
            ("100.64.0.9", "198.51.100.9", Class::Egress),
            ("fd00::9", "2001:db8::9", Class::Egress),
            ("192.168.1.9", "10.0.0.9", Class::Attempt),
            ("198.51.100.9", "192.168.1.9", Class::Attempt),
        ] {
            let (source, destination) = (address(source), address(destination));
            let facts = Facts { source, destination, forwarded: true, ..facts() };
            assert_eq!(classify(&facts), class, "{source} {destination}");
            assert_eq!(
                classify(&Facts { forwarded: false, ..facts }),
                Class::Attempt,
                "{source} {destination}"
            );
        }
    }

    #[test]
    fn noise_comes_before_direction() {
        for (source, destination, class) in [
            ("198.51.100.7", "192.0.2.1", Class::Egress),
            ("198.51.100.7", "224.0.0.1", Class::Noise),
            ("198.51.100.7", "239.255.255.250", Class::Noise),
            ("198.51.100.7", "255.255.255.255", Class::Noise),
            ("198.51.100.7", "240.0.0.1", Class::Egress),
            ("169.254.3.4", "192.0.2.1", Class::Noise),
            ("198.51.100.7", "169.254.0.9", Class::Noise),
            ("fe80::1", "2001:db8::1", Class::Noise),
            ("febf::1", "2001:db8::1", Class::Noise),
            ("fec0::1", "2001:db8::1", Class::Egress),
            ("2001:db8::2", "ff02::1", Class::Noise),
            ("2001:db8::2", "fe80::2", Class::Noise),
        ] {
            let facts = Facts {
                direction: Direction::Egress,
                source: address(source),
                destination: address(destination),
                ..facts()
            };
            assert_eq!(classify(&facts), class, "{source} {destination}");
        }
        assert_eq!(classify(&Facts { group_mac: true, ..facts() }), Class::Noise);
        assert_eq!(classify(&Facts { protocol: protocol::IGMP, ..facts() }), Class::Noise);
        let dhcp = Facts { protocol: protocol::UDP, port: 67, source: Address::v4(0), ..facts() };
        assert_eq!(classify(&dhcp), Class::Noise);
        assert_eq!(classify(&Facts { port: 67, ..dhcp }), Class::Noise);
        assert_eq!(classify(&Facts { port: 53, ..dhcp }), Class::Attempt);
    }

    #[test]
    fn other_protocols_are_attempts_and_later_fragments_are_not() {
        for protocol in [protocol::GRE, protocol::ESP, protocol::SCTP, 0, 255] {
            assert_eq!(classify(&Facts { protocol, ..facts() }), Class::Attempt);
        }
        assert_eq!(classify(&Facts { later_fragment: true, ..facts() }), Class::Backscatter);
    }
}
