//! A number by which the same packet is known again when it is logged twice.
//!
//! Takes the fields that both a log line and an NFLOG message have by default and that forwarding does
//! not change. Not among them: prefix, interfaces, MAC, TTL, marks, TCP sequence numbers.

use super::packet::{Packet, is_echo};
use crate::event::hash::fold;
use crate::event::{Event, protocol};

/// The fingerprint. Fields that do not belong to the protocol, and everything above IP in a fragment
/// that is not the first, count as 0 whatever they are.
#[inline(always)]
pub fn fingerprint(packet: &Packet) -> u64 {
    let Packet { source, destination, id, length, fragment_offset, protocol, .. } = *packet;
    let upper = if fragment_offset != 0 {
        0
    } else {
        match protocol {
            protocol::TCP | protocol::UDP | protocol::UDPLITE => {
                u64::from(packet.source_port) << 16 | u64::from(packet.port)
            }
            protocol::ICMP | protocol::ICMPV6 => {
                let kind = u64::from(packet.icmp_type) << 40 | u64::from(packet.icmp_code) << 32;
                let echo = u64::from(packet.icmp_id) << 16 | u64::from(packet.icmp_sequence);
                kind | if is_echo(protocol, packet.icmp_type) { echo } else { 0 }
            }
            _ => 0,
        }
    };
    let header = u64::from(length) << 48 | u64::from(fragment_offset) << 32 | u64::from(protocol);
    let addresses = fold(source.high ^ 0x9e37_79b9_7f4a_7c15, source.low ^ 0xd1b5_4a32_d192_ed03)
        ^ fold(destination.high ^ 0xa076_1d64_78bd_642f, destination.low ^ 0xe703_7ed1_a0b4_28db)
            .rotate_left(23);
    let rest = fold(header ^ 0x8ebc_6af0_9c88_c6e3, upper ^ 0x5899_65cc_7537_4cc3);
    fold(addresses ^ rest ^ 0x1d8e_4e27_c47d_124f, id ^ rest.rotate_left(32) ^ 0xeb44_acca_b455_d165)
}

/// The fingerprint of an event, made now if it is not yet.
#[inline]
pub fn fingerprint_of(event: &Event) -> u64 {
    if !event.unhashed {
        return event.fingerprint;
    }
    fingerprint(&Packet {
        source: event.source,
        destination: event.destination,
        id: event.fingerprint,
        length: event.length,
        source_port: event.source_port,
        port: event.port,
        protocol: event.protocol,
        ..Packet::default()
    })
}

/// What an event is given of a packet as `fingerprint` and `unhashed`: of the most frequent ones the hash is made
/// by [`fingerprint_of`] only.
#[inline(always)]
pub fn fingerprint_or_id(packet: &Packet) -> (u64, bool) {
    if matches!(packet.protocol, protocol::TCP | protocol::UDP) && packet.fragment_offset == 0 {
        (packet.id, true)
    } else {
        // Not a call: for that all of the packet would need a place in memory.
        (fingerprint(packet), false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Address;
    use std::collections::HashSet;

    fn packet() -> Packet {
        Packet {
            source: Address::v4(0xc633_6407),
            destination: Address::v4(0xc000_0201),
            length: 40,
            id: 54_321,
            protocol: protocol::TCP,
            source_port: 40_000,
            port: 23,
            ..Packet::default()
        }
    }

    #[test]
    fn packets_that_differ_have_different_fingerprints() {
        let mut seen = HashSet::new();
        let mut count = 0;
        for id in 0..100 {
            for port in 0..100 {
                for host in 0..20 {
                    let source = Address::v4(0xc633_6400 + host);
                    seen.insert(fingerprint(&Packet { id, port, source, ..packet() }));
                    count += 1;
                }
            }
        }
        assert_eq!(seen.len(), count);
        // The bits that choose a place in a cache are spread.
        let places: HashSet<u64> = seen.iter().map(|fingerprint| fingerprint % 4096).collect();
        assert_eq!(places.len(), 4096);
    }

    #[test]
    fn what_the_kernel_does_not_log_makes_no_difference() {
        let sctp = Packet { protocol: protocol::SCTP, ..packet() };
        assert_eq!(fingerprint(&sctp), fingerprint(&Packet { port: 0, source_port: 0, ..sctp }));
        let later = Packet { fragment_offset: 1480, ..packet() };
        assert_eq!(fingerprint(&later), fingerprint(&Packet { port: 0, source_port: 0, ..later }));
        let error = Packet { protocol: protocol::ICMP, icmp_type: 3, ..packet() };
        assert_eq!(fingerprint(&error), fingerprint(&Packet { icmp_id: 7, ..error }));
        assert_ne!(fingerprint(&error), fingerprint(&Packet { icmp_code: 1, ..error }));
    }

    #[test]
    fn it_is_the_same_whenever_it_is_made() {
        for number in 0..4000u32 {
            let port = |shift: u32| (number.wrapping_mul(2_654_435_761) >> shift) as u16;
            let packet = Packet {
                source: Address::v4(0xc633_6400 + number % 7),
                destination: Address::v4(0xc000_0200 + number % 3),
                id: u64::from(number) << (number % 33),
                length: port(3),
                fragment_offset: if number % 5 == 0 { 1480 } else { 0 },
                source_port: port(1),
                port: port(16),
                icmp_id: port(2),
                icmp_sequence: port(5),
                protocol: [6, 17, 1, 58, 47, 136, 132][number as usize % 7],
                flags: port(4) as u8,
                icmp_type: [0, 8, 3, 128][number as usize % 4],
                icmp_code: port(7) as u8,
                ..Packet::default()
            };
            let (fingerprint, unhashed) = fingerprint_or_id(&packet);
            let Packet { source, destination, length, source_port, port, protocol, .. } = packet;
            let event = Event {
                source,
                destination,
                length,
                source_port,
                port,
                protocol,
                fingerprint,
                unhashed,
                ..Event::default()
            };
            assert_eq!(fingerprint_of(&event), super::fingerprint(&packet), "{number}");
        }
    }
}
