//! Event -> Class.
//!
//! Takes the fields of one packet and its way, returns its class; stateless. First match wins: noise, egress, then
//! by protocol for an inbound packet.

use crate::event::paths::Direction;
use crate::event::services;
use crate::event::{Address, Class, Event, protocol, tcp};

/// What the class of a packet depends on beside its own fields.
#[derive(Clone, Copy, Debug, Default)]
pub struct Way {
    pub direction: Direction,
    /// The destination MAC is a broadcast or multicast address.
    pub group_mac: bool,
    /// It is forwarded, and its direction is known from the names of interfaces only: then a private source with a
    /// public destination is inside.
    pub forwarded: bool,
    /// A fragment other than the first: it has no ports and no flags.
    pub later_fragment: bool,
}

/// The class by the first rule that matches (docs/STATISTICS.md).
#[inline(always)]
pub fn classify(event: &Event, way: &Way) -> Class {
    if is_noise(event, way) {
        return Class::Noise;
    }
    if way.direction == Direction::Egress || way.forwarded && is_on_its_way_out(event) {
        return Class::Egress;
    }
    if way.later_fragment {
        return Class::Backscatter;
    }
    let attempt = match event.protocol {
        protocol::TCP => is_opening(event.flags),
        protocol::UDP | protocol::UDPLITE => {
            !(event.source_port < 1024 && event.port >= 1024 && !is_service(event.protocol, event.port))
        }
        // Echo, timestamp, information and address mask requests (RFC 792, RFC 950).
        protocol::ICMP => matches!(event.icmp_type, 8 | 13 | 15 | 17),
        // Echo request (RFC 4443), node information query (RFC 4620).
        protocol::ICMPV6 => matches!(event.icmp_type, 128 | 139),
        _ => true,
    };
    if attempt { Class::Attempt } else { Class::Backscatter }
}

#[inline(never)]
fn is_on_its_way_out(event: &Event) -> bool {
    is_private(event.source) && !is_private(event.destination)
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
fn is_noise(event: &Event, way: &Way) -> bool {
    if way.group_mac || event.protocol == protocol::IGMP || is_link_local(event.source) {
        return true;
    }
    match event.destination.as_v4() {
        Some(bits) if bits >> 28 == 0xe || bits == u32::MAX || bits >> 16 == 0xa9fe => return true,
        None if event.destination.high >> 56 == 0xff || is_link_local(event.destination) => return true,
        _ => {}
    }
    match event.protocol {
        // Multicast listeners, routers, neighbours and redirects (RFC 2710, 3810, 4861).
        protocol::ICMPV6 => matches!(event.icmp_type, 130..=137 | 143),
        // DHCP of a host that has no address yet; DHCPv6 is link-local.
        protocol::UDP => matches!(event.port, 67 | 68) && event.source == Address::v4(0),
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

    fn event() -> Event {
        Event {
            protocol: protocol::TCP,
            flags: tcp::SYN,
            source_port: 40_000,
            port: 23,
            source: Address::v4(0xc633_6407),
            destination: Address::v4(0xc000_0201),
            ..Event::default()
        }
    }

    /// The class of a packet from outside to the machine itself.
    fn class_of(event: &Event) -> Class {
        classify(event, &Way::default())
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
            assert_eq!(class_of(&Event { flags, ..event() }), class, "{flags:#x}");
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
            let event = Event { protocol: protocol::UDP, flags: 0, source_port, port, ..event() };
            assert_eq!(class_of(&event), class, "{source_port} {port}");
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
            assert_eq!(class_of(&Event { protocol, icmp_type, ..event() }), class, "{protocol} {icmp_type}");
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
            let event = Event { source, destination, ..event() };
            let forwarded = Way { forwarded: true, ..Way::default() };
            assert_eq!(classify(&event, &forwarded), class, "{source} {destination}");
            assert_eq!(class_of(&event), Class::Attempt, "{source} {destination}");
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
            let event = Event { source: address(source), destination: address(destination), ..event() };
            let egress = Way { direction: Direction::Egress, ..Way::default() };
            assert_eq!(classify(&event, &egress), class, "{source} {destination}");
        }
        assert_eq!(classify(&event(), &Way { group_mac: true, ..Way::default() }), Class::Noise);
        assert_eq!(class_of(&Event { protocol: protocol::IGMP, ..event() }), Class::Noise);
        let dhcp = Event { protocol: protocol::UDP, port: 67, source: Address::v4(0), ..event() };
        assert_eq!(class_of(&dhcp), Class::Noise);
        assert_eq!(class_of(&Event { port: 67, ..dhcp }), Class::Noise);
        assert_eq!(class_of(&Event { port: 53, ..dhcp }), Class::Attempt);
    }

    #[test]
    fn other_protocols_are_attempts_and_later_fragments_are_not() {
        for protocol in [protocol::GRE, protocol::ESP, protocol::SCTP, 0, 255] {
            assert_eq!(class_of(&Event { protocol, ..event() }), Class::Attempt);
        }
        assert_eq!(classify(&event(), &Way { later_fragment: true, ..Way::default() }), Class::Backscatter);
    }
}
