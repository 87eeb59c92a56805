//! IPv4 and IPv6 headers (RFC 791, RFC 8200) and the first words of what they carry.
//!
//! Takes the first bytes of a packet, however few, gives as many fields as are there. Pure:
//! never panics, never allocates.

use super::netlink::{be16, be32};
use crate::event::{Address, Service, protocol};

/// Extension headers that are followed. The kernel follows any number; real packets have three at most.
const MAX_EXTENSIONS: usize = 8;

/// IPv6 "next header" values that are extensions (RFC 8200, section 4; RFC 4302 for AH).
mod extension {
    /// Next Header values of IPv6 extension headers (RFC 8200, section 4; IANA's list of protocol numbers).
    pub(super) const HOP_BY_HOP: u8 = 0;
    /// Routing header.
    pub(super) const ROUTING: u8 = 43;
    /// Fragment header.
    pub(super) const FRAGMENT: u8 = 44;
    /// Nothing follows.
    pub(super) const NONE: u8 = 59;
    /// Destination options.
    pub(super) const DESTINATION: u8 = 60;
    /// With ESP and AH, which the kernel's log takes for extensions too.
    pub(super) const ALL: [u8; 7] = [HOP_BY_HOP, ROUTING, FRAGMENT, 50, 51, NONE, DESTINATION];
}

/// What the headers say. Fields that the packet does not have, or that are cut off, are 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Packet {
    /// Of the outer IP header.
    pub source: Address,
    /// Of the outer IP header.
    pub destination: Address,
    /// What the packet carries; behind IPv6's extension headers the one that they lead to.
    pub protocol: u8,
    /// 0 if absent.
    pub source_port: u16,
    /// Destination port; 0 if absent.
    pub port: u16,
    /// The whole packet in bytes, as the header says; 65535 for IPv6 packets beyond that.
    pub length: u16,
    /// TCP flags.
    pub flags: u8,
    /// Type of an ICMP or ICMPv6 message (RFC 792, RFC 4443).
    pub icmp_type: u8,
    /// Its code.
    pub icmp_code: u8,
    /// Identifier and sequence number of an echo request or reply.
    pub icmp_id: u16,
    /// See `icmp_id`.
    pub icmp_sequence: u16,
    /// IPv4: the identification (`ID=` in the log); IPv6: the flow label (`FLOWLBL=`), with a
    /// fragment header's identification (`ID:`) in the upper 32 bits.
    pub id: u64,
    /// In bytes.
    pub fragment_offset: u16,
    /// The header of what it carries is not all there, so fields may be missing. Never set for
    /// a later fragment, which has no such header.
    pub truncated: bool,
}

impl Packet {
    /// Reads an IPv4 or IPv6 packet. `None` if it is neither or its addresses are cut off.
    pub fn parse(bytes: &[u8]) -> Option<Packet> {
        match bytes.first()? >> 4 {
            4 => parse_v4(bytes),
            6 => parse_v6(bytes),
            _ => None,
        }
    }

    /// A fragment other than the first: it has no ports.
    pub fn is_later_fragment(&self) -> bool {
        self.fragment_offset != 0
    }

    /// The packet with only those fields that the kernel's log text has (nf_log_syslog.c), so that both ways of logging
    /// give one fingerprint: no ports of SCTP and DCCP, nothing of a header that is cut off, no protocol where IPv6's
    /// extension headers lead to none.
    #[inline]
    pub fn logged(mut self) -> Packet {
        if self.truncated || matches!(self.protocol, protocol::SCTP | protocol::DCCP) {
            (self.source_port, self.port, self.flags) = (0, 0, 0);
            (self.icmp_type, self.icmp_code) = (0, 0);
            (self.icmp_id, self.icmp_sequence) = (0, 0);
        }
        if !self.destination.is_v4() && extension::ALL.contains(&self.protocol) {
            self.protocol = 0;
        }
        self
    }

    /// Reads the first words of what the packet carries.
    fn transport(&mut self, bytes: &[u8]) {
        match self.protocol {
            protocol::ICMP | protocol::ICMPV6 => {
                self.icmp_type = bytes.first().copied().unwrap_or(0);
                self.icmp_code = bytes.get(1).copied().unwrap_or(0);
                self.truncated = bytes.len() < 8;
                if is_echo(self.protocol, self.icmp_type) {
                    self.icmp_id = be16(bytes, 4).unwrap_or(0);
                    self.icmp_sequence = be16(bytes, 6).unwrap_or(0);
                }
            }
            carried if Service::has_ports(carried) => {
                self.source_port = be16(bytes, 0).unwrap_or(0);
                self.port = be16(bytes, 2).unwrap_or(0);
                if carried == protocol::TCP {
                    self.flags = bytes.get(13).copied().unwrap_or(0);
                }
                self.truncated = bytes.len() < transport_header(carried);
            }
            _ => {}
        }
    }
}

/// Whether the kernel logs id and sequence of this ICMP type: echo requests and replies.
pub fn is_echo(protocol: u8, icmp_type: u8) -> bool {
    matches!((protocol, icmp_type), (protocol::ICMP, 0 | 8) | (protocol::ICMPV6, 128 | 129))
}

/// The shortest header of a protocol with ports.
fn transport_header(carried: u8) -> usize {
    match carried {
        protocol::TCP => 20,
        protocol::SCTP | protocol::DCCP => 12,
        _ => 8,
    }
}

fn parse_v4(bytes: &[u8]) -> Option<Packet> {
    let mut packet = Packet {
        source: Address::v4(be32(bytes, 12)?),
        destination: Address::v4(be32(bytes, 16)?),
        protocol: bytes[9],
        length: be16(bytes, 2)?,
        id: be16(bytes, 4)?.into(),
        ..Packet::default()
    };
    let fragment = be16(bytes, 6)?;
    packet.fragment_offset = (fragment & 0x1fff) << 3;
    let header = usize::from(bytes[0] & 0x0f) * 4;
    if header < 20 {
        packet.truncated = true;
    } else if !packet.is_later_fragment() {
        // Bytes beyond the packet's own end are padding of the link.
        let end = bytes.len().min(usize::from(packet.length));
        packet.transport(bytes.get(header..end).unwrap_or_default());
    }
    Some(packet)
}

fn parse_v6(bytes: &[u8]) -> Option<Packet> {
    let address = |at: usize| -> Option<Address> {
        Some(Address::from_bytes(bytes.get(at..at + 16)?.try_into().ok()?))
    };
    let payload = be16(bytes, 4)?;
    let mut packet = Packet {
        source: address(8)?,
        destination: address(24)?,
        protocol: bytes[6],
        length: payload.saturating_add(40),
        id: (be32(bytes, 0)? & 0x000f_ffff).into(),
        ..Packet::default()
    };
    // A jumbogram (RFC 2675) has the length 0 here.
    let end = if payload == 0 { bytes.len() } else { bytes.len().min(usize::from(payload) + 40) };
    let mut rest = bytes.get(40..end).unwrap_or_default();
    for _ in 0..MAX_EXTENSIONS {
        let length = match packet.protocol {
            // A later fragment's next header is the kind of what follows the fragment header in
            // the first one; its own bytes are the middle of something.
            _ if packet.is_later_fragment() => return Some(packet),
            extension::HOP_BY_HOP | extension::ROUTING | extension::DESTINATION => {
                rest.get(1).map(|&words| (usize::from(words) + 1) * 8)
            }
            protocol::AH => rest.get(1).map(|&words| (usize::from(words) + 2) * 4),
            extension::FRAGMENT => {
                if let Some(fragment) = be16(rest, 2) {
                    packet.fragment_offset = fragment & 0xfff8;
                }
                packet.id |= u64::from(be32(rest, 4).unwrap_or(0)) << 32;
                Some(8)
            }
            extension::NONE => return Some(packet),
            _ => {
                packet.transport(rest);
                return Some(packet);
            }
        };
        let Some(after) = length.and_then(|length| rest.get(length..)) else { break };
        packet.protocol = rest[0];
        rest = after;
    }
    packet.truncated = true;
    Some(packet)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::tcp;
    use proptest::prelude::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        let digit = |c: u8| (c as char).to_digit(16).unwrap() as u8;
        digits.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
    }

    fn parse(text: &str) -> Packet {
        Packet::parse(&hex(text)).unwrap()
    }

    const V4: &str = "45 00 003c 1c46 4000 40 06 b1e6 c6336407 c0000201";
    const TCP_SYN: &str = "d431 0017 00000001 00000000 a0 02 faf0 0000 0000";
    const V6: &str =
        "6 00 abcde 0014 06 40 20010db8000000000000000000000007 20010db8000100000000000000000001";

    fn v6(next: u8, payload: &str) -> Packet {
        let payload = hex(payload);
        let mut bytes = hex(V6);
        bytes[4..6].copy_from_slice(&(payload.len() as u16).to_be_bytes());
        bytes[6] = next;
        bytes.extend(payload);
        Packet::parse(&bytes).unwrap()
    }

    #[test]
    fn a_tcp_syn_over_ipv4() {
        let packet = parse(&format!("{V4} {TCP_SYN}"));
        let expected = Packet {
            source: Address::v4(0xc633_6407),
            destination: Address::v4(0xc000_0201),
            protocol: protocol::TCP,
            source_port: 54321,
            port: 23,
            length: 60,
            flags: tcp::SYN,
            id: 0x1c46,
            ..Packet::default()
        };
        assert_eq!(packet, expected);
    }

    #[test]
    fn options_of_ipv4_are_skipped() {
        let packet = parse("46 00 0024 0001 0000 40 11 0000 c6336407 c0000201 94040000 0035 1f90 0010 0000");
        assert_eq!((packet.source_port, packet.port, packet.truncated), (53, 8080, false));
    }

    #[test]
    fn the_first_fragment_has_ports_and_later_ones_have_none() {
        let first = parse("45 00 05dc 00ff 2000 40 11 0000 c6336407 c0000201 0400 0035 0bb8 0000");
        assert_eq!((first.port, first.fragment_offset), (53, 0));
        let later = parse("45 00 05dc 00ff 20b9 40 11 0000 c6336407 c0000201 0400 0035 0bb8 0000");
        assert_eq!((later.port, later.fragment_offset), (0, 1480));
        assert!(later.is_later_fragment() && !later.truncated);
    }

    #[test]
    fn a_cut_packet_gives_what_is_there() {
        let whole = format!("{V4} {TCP_SYN}");
        let bytes = hex(&whole);
        for length in 0..bytes.len() {
            match Packet::parse(&bytes[..length]) {
                None => assert!(length < 20),
                Some(packet) => {
                    assert!(packet.truncated);
                    assert_eq!(packet.port, if length < 24 { 0 } else { 23 });
                    assert_eq!(packet.flags, if length < 34 { 0 } else { tcp::SYN });
                    assert_eq!(packet.logged().port, 0);
                }
            }
        }
        // A header length below 20 leads nowhere.
        assert!(parse("44 00 003c 1c46 4000 40 06 b1e6 c6336407 c0000201 d4310017").truncated);
    }

    #[test]
    fn padding_behind_the_packet_is_not_part_of_it() {
        let packet = parse("45 00 0014 0001 0000 40 11 0000 c6336407 c0000201 ffff ffff ffff ffff");
        assert_eq!((packet.port, packet.truncated), (0, true));
    }

    #[test]
    fn icmp_has_type_code_and_for_echo_id_and_sequence() {
        let header = "45 00 001c 0001 0000 40 01 0000 c6336407 c0000201";
        let echo = parse(&format!("{header} 08 00 f7ff 1234 0002"));
        assert_eq!((echo.icmp_type, echo.icmp_id, echo.icmp_sequence), (8, 0x1234, 2));
        let unreachable = parse(&format!("{header} 03 0a 0000 1234 0002"));
        assert_eq!((unreachable.icmp_type, unreachable.icmp_code), (3, 10));
        assert_eq!((unreachable.icmp_id, unreachable.icmp_sequence), (0, 0));
        let echo = v6(protocol::ICMPV6, "80 00 0000 0007 0009");
        assert_eq!((echo.icmp_type, echo.icmp_id, echo.icmp_sequence), (128, 7, 9));
    }

    #[test]
    fn a_tcp_syn_over_ipv6_and_its_flow_label() {
        let packet = v6(protocol::TCP, TCP_SYN);
        assert_eq!(packet.source.to_string(), "2001:db8::7");
        assert_eq!(packet.destination.to_string(), "2001:db8:1::1");
        assert_eq!((packet.length, packet.id, packet.flags), (60, 0xabcde, tcp::SYN));
        assert_eq!((packet.source_port, packet.port), (54321, 23));
    }

    #[test]
    fn extension_headers_of_ipv6_are_followed() {
        // Hop-by-hop, destination options of 16 bytes, routing, AH of 24 bytes, UDP.
        let packet = v6(
            0,
            "3c 00 0000 00000000  2b 01 0000 00000000 00000000 00000000  33 00 0000 00000000
             11 04 0000 00000000 00000000 00000000 00000000 00000000  0400 0035 0008 0000",
        );
        assert_eq!((packet.protocol, packet.port, packet.truncated), (protocol::UDP, 53, false));
        // First fragment, then a later one.
        let first = v6(44, "11 00 0001 0000abcd  0400 0035 0008 0000");
        assert_eq!((first.protocol, first.port), (protocol::UDP, 53));
        let later = v6(44, "11 00 05a8 0000abcd  0400 0035 0008 0000");
        assert_eq!((later.protocol, later.port, later.fragment_offset), (protocol::UDP, 0, 1448));
        assert_eq!((first.id, later.id), (0xabcd_000a_bcde, 0xabcd_000a_bcde));
        // No next header; one that is cut off; ESP.
        assert_eq!(v6(59, "").protocol, 59);
        assert!(v6(0, "11 05 0000 00000000").truncated);
        let esp = v6(50, "00000001 00000001");
        assert_eq!((esp.protocol, esp.logged().protocol), (protocol::ESP, 0));
    }

    #[test]
    fn an_endless_chain_of_extension_headers_ends() {
        let packet = v6(60, &"3c 00 0000 00000000".repeat(100));
        assert!(packet.truncated);
        assert_eq!(packet.protocol, 60);
    }

    #[test]
    fn ipv4_ends_at_ah_as_in_the_log() {
        let packet = parse("45 00 0030 0001 0000 40 33 0000 c6336407 c0000201 11 04 0000 00000000");
        assert_eq!((packet.protocol, packet.port), (protocol::AH, 0));
    }

    #[test]
    fn sctp_dccp_and_udplite_have_ports() {
        for (carried, logged) in [(132, 0), (33, 0), (136, 80)] {
            let mut bytes = hex(V4);
            bytes[9] = carried;
            bytes.extend(hex("0400 0050 00000000 00000000"));
            let packet = Packet::parse(&bytes).unwrap();
            assert_eq!((packet.source_port, packet.port, packet.truncated), (1024, 80, false));
            assert_eq!(packet.logged().port, logged);
        }
    }

    #[test]
    fn what_is_no_ip_packet_is_none() {
        assert_eq!(Packet::parse(&[]), None);
        assert_eq!(Packet::parse(&[0x50; 60]), None);
        assert_eq!(Packet::parse(&hex(V6)[..39]), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200), six in any::<bool>()) {
            Packet::parse(&bytes);
            if let Some(first) = bytes.first_mut() {
                *first = if six { 0x60 } else { 0x45 };
            }
            if let Some(packet) = Packet::parse(&bytes) {
                packet.logged();
                prop_assert_eq!(packet.source.is_v4(), !six || packet.source.high == 0);
            }
        }

        #[test]
        fn extension_headers_of_any_kind_are_read_without_a_panic(
            kinds in prop::collection::vec(prop::sample::select(vec![0u8, 43, 44, 51, 59, 60, 6, 17, 58]), 1..20),
            noise in prop::collection::vec(any::<u8>(), 0..100),
        ) {
            let mut bytes = hex(V6);
            bytes[6] = kinds[0];
            for kind in &kinds[1..] {
                bytes.extend([*kind, 0, 0, 0, 0, 0, 0, 0]);
            }
            bytes.extend(noise);
            Packet::parse(&bytes);
        }
    }
}
