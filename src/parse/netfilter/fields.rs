//! The fields of a packet, from `SRC=` on.
//!
//! The parser is [`any_order`], which reads word by word. As an optimisation [`kernel_order`] is tried before it: it reads
//! the kernel's own order only, and gives up at anything rare. Where the latter reads, the former reads the same.
//!
//! What nearly every line is, a first or only fragment over IPv4 without options, is one function without calls,
//! so that its values stay in registers until the event is made. No line ends within what is read: the text may
//! go on behind the packet's line.

use super::super::packet::{Packet, is_echo};
use super::{Word, address, full_v6, outer_words};
use crate::event::{Address, Service, protocol, services, tcp};
use crate::parse::number::{digits, short_length, short_number, short_v4};
use crate::parse::prefix::Prefix;
use crate::parse::window::{Fields, Text, Window};

/// `192.0.2.100 DST=192.0.2.100 LEN=` is no longer.
const LONGEST_ADDRESSES: usize = 64;

/// Reads a packet word by word, whatever the order; the first of each field counts. `text` begins at any
/// field. None: no address to be read behind `SRC=` or `DST=`.
pub fn any_order(text: &[u8]) -> Option<Packet> {
    let mut packet = Packet::default();
    let (mut has_fragment, mut has_urgent) = (false, false);
    // Each field has a bit.
    let (source, destination, id) = (0, 1, 2);
    let mut seen = 0u32;
    let mut is_first = |field: u32| {
        let before = seen;
        seen |= 1 << field;
        seen != before
    };
    for Word { key, value, .. } in outer_words(text, 0) {
        let is_icmp = matches!(packet.protocol, protocol::ICMP | protocol::ICMPV6);
        let number = || digits(value).map_or(0, |(number, _)| number);
        match key {
            b"SRC=" if is_first(source) => packet.source = address(value)?,
            b"DST=" if is_first(destination) => packet.destination = address(value)?,
            b"ID=" if is_first(id) => packet.id |= u64::from(number()),
            b"LEN=" if is_first(3) => packet.length = number().min(0xffff) as u16,
            b"FLOWLBL=" if is_first(4) => packet.id |= u64::from(number()),
            b"PROTO=" if is_first(5) => {
                packet.protocol = protocol_of(value);
                // An `ID=` after the protocol is that of ICMP, not that of the IP header.
                is_first(id);
            }
            b"SPT=" if is_first(6) => packet.source_port = port_of(number()),
            b"DPT=" if is_first(7) => packet.port = port_of(number()),
            b"TYPE=" if is_icmp && is_first(8) => packet.icmp_type = number().min(255) as u8,
            b"CODE=" if is_icmp && is_first(9) => packet.icmp_code = number().min(255) as u8,
            b"ID=" if is_icmp && is_first(10) => packet.icmp_id = port_of(number()),
            b"SEQ=" if is_icmp && is_first(11) => packet.icmp_sequence = port_of(number()),
            b"URGP=" => has_urgent = true,
            &[a, b, c] if packet.protocol == protocol::TCP && !has_urgent => {
                packet.flags |= flag(&[a, b, c]).unwrap_or(0);
            }
            // `FRAG:185` counts units of 8 bytes for IPv4, bytes for IPv6, where `ID:0000abcd` goes with it.
            _ => {
                if let Some((offset, _)) = key.strip_prefix(b"FRAG:").and_then(digits)
                    && !has_fragment
                {
                    let bytes = if packet.source.is_v4() { offset.saturating_mul(8) } else { offset };
                    packet.fragment_offset = bytes.min(0xffff) as u16;
                    has_fragment = true;
                } else if let Some(digits) = key.strip_prefix(b"ID:")
                    && has_fragment
                    && let Ok(digits) = std::str::from_utf8(digits)
                    && let Ok(id) = u32::from_str_radix(digits, 16)
                {
                    packet.id |= u64::from(id) << 32;
                }
            }
        }
    }
    if is_first(source) || is_first(destination) {
        return None;
    }
    if !Service::has_ports(packet.protocol) {
        (packet.source_port, packet.port) = (0, 0);
    }
    if !is_echo(packet.protocol, packet.icmp_type) {
        (packet.icmp_id, packet.icmp_sequence) = (0, 0);
    }
    Some(packet)
}

fn protocol_of(value: &[u8]) -> u8 {
    // Names that only the log's text has.
    const OTHERS: [(&[u8], u8); 4] =
        [(b"IPv6-ICMP", protocol::ICMPV6), (b"IPIP", 4), (b"IPv6", 41), (b"OSPF", 89)];
    let other = OTHERS.iter().find(|(name, _)| value.eq_ignore_ascii_case(name)).map(|(_, number)| *number);
    let known = || services::protocol_number(std::str::from_utf8(value).ok()?);
    let number = || digits(value).and_then(|(number, _)| u8::try_from(number).ok());
    other.or_else(known).or_else(number).unwrap_or(0)
}

#[inline]
fn flag(word: &[u8; 3]) -> Option<u8> {
    Some(match word {
        b"SYN" => tcp::SYN,
        b"ACK" => tcp::ACK,
        b"RST" => tcp::RST,
        b"PSH" => tcp::PSH,
        b"FIN" => tcp::FIN,
        b"URG" => tcp::URG,
        b"ECE" => tcp::ECE,
        b"CWR" => tcp::CWR,
        _ => return None,
    })
}

/// Numbers out of range are no port: 0.
fn port_of(number: u32) -> u16 {
    u16::try_from(number).unwrap_or(0)
}

/// Reads a packet in the kernel's order, whose source's address stands at `at`, and where the fields that were read
/// end. None: not in this order, or with parts that are rare.
/// `known` is the destination of the last packet: mostly the same again.
pub fn kernel_order(text: Window, at: usize, known: &mut KnownAddress) -> Option<(Packet, usize)> {
    v4_kernel_order(text, at, known).or_else(|| v6_kernel_order(text, at, known))
}

/// The same for IPv4 only.
#[inline(always)]
pub fn v4_kernel_order(line: Window, source_at: usize, known: &mut KnownAddress) -> Option<(Packet, usize)> {
    let text = line.fields(source_at);
    let (source, at) = v4_at(text, 0)?;
    let mut at = match known.text.end_at(text, at) {
        Some(end) => end,
        None => known.read_new(text, at, v4_at)?,
    };
    if at > LONGEST_ADDRESSES {
        // Never, which the compiler does not see.
        return None;
    }
    let length = number(text, &mut at)?;
    if !(text.has(at, b" TOS=0x00 PREC=0x00 TTL=") || has_service(text, at)) {
        return None;
    }
    at += 24;
    at += short_length(text.word(at))?;
    let id = number_behind(text, &mut at, b" ID=")?;
    if text.has(at, b" DF ") {
        at += 3;
    }
    let mut packet = Packet {
        source,
        destination: Address::v4(known.address.as_v4()?),
        id: u64::from(id),
        length: length.min(0xffff) as u16,
        ..Packet::default()
    };
    let end = transport(&mut packet, text, at)?;
    Some((packet, source_at + end))
}

/// The same for IPv6 only.
#[inline(never)]
pub fn v6_kernel_order(line: Window, source_at: usize, known: &mut KnownAddress) -> Option<(Packet, usize)> {
    let text = line.fields(source_at);
    let (source, at) = v6_at(text, 0)?;
    let mut at = match known.text.end_at(text, at) {
        Some(end) => end,
        None => known.read_new(text, at, v6_at)?,
    };
    let length = number(text, &mut at)?;
    number_behind(text, &mut at, b" TC=")?;
    number_behind(text, &mut at, b" HOPLIMIT=")?;
    let id = u64::from(number_behind(text, &mut at, b" FLOWLBL=")?);
    let mut packet = Packet {
        source,
        destination: known.address,
        id,
        length: length.min(0xffff) as u16,
        ..Packet::default()
    };
    let end = transport(&mut packet, text, at)?;
    Some((packet, source_at + end))
}

/// The IPv4 address at `at`, and its length.
#[inline(always)]
fn v4_at(text: Fields, at: usize) -> Option<(Address, usize)> {
    short_v4(text.bytes(at)).map(|(bits, length)| (Address::v4(bits), length))
}

/// The IPv6 address at `at` as the kernel writes it, and its length.
fn v6_at(text: Fields, at: usize) -> Option<(Address, usize)> {
    full_v6(text.from(at)).map(|(address, _)| (address, 39))
}

/// The number at `at`, which is behind it then. None for long ones.
#[inline(always)]
fn number(text: Fields, at: &mut usize) -> Option<u32> {
    let (number, length) = short_number(text.word(*at))?;
    *at += length;
    Some(number)
}

/// The same of the number behind `key`, which stands at `at`.
#[inline(always)]
fn number_behind<const N: usize>(text: Fields, at: &mut usize, key: &[u8; N]) -> Option<u32> {
    if !text.has(*at, key) {
        return None;
    }
    *at += N;
    number(text, at)
}

/// From ` PROTO=` on. Where the fields end.
#[inline(always)]
fn transport(packet: &mut Packet, text: Fields, at: usize) -> Option<usize> {
    if text.has(at, b" PROTO=TCP SPT=") {
        packet.protocol = protocol::TCP;
        let at = ports(packet, text, at + 15)?;
        let (flags, end) = tcp_fields(text, at)?;
        packet.flags = flags;
        Some(end)
    } else if text.has(at, b" PROTO=UDP SPT=") {
        packet.protocol = protocol::UDP;
        ports(packet, text, at + 15)
    } else if text.has(at, b" PROTO=ICMP TYPE=") {
        icmp(packet, protocol::ICMP, text, at + 17)
    } else if text.has(at, b" PROTO=ICMPv6 TYPE=") {
        icmp(packet, protocol::ICMPV6, text, at + 19)
    } else {
        None
    }
}

/// From the number behind `SPT=` up to the blank behind that of `DPT=`.
#[inline(always)]
fn ports(packet: &mut Packet, text: Fields, mut at: usize) -> Option<usize> {
    let source = number(text, &mut at)?;
    let port = number_behind(text, &mut at, b" DPT=")?;
    (packet.source_port, packet.port) = (port_of(source), port_of(port));
    (text.byte(at) == b' ').then_some(at)
}

/// The flags, from behind the ports on.
#[inline(always)]
fn tcp_fields(text: Fields, at: usize) -> Option<(u8, usize)> {
    if text.has(at, b" WINDOW=") {
        let after = at + 8 + short_length(text.word(at + 8))?;
        if text.has(after, b" RES=0x00 SYN URGP=") {
            // Nearly all of them.
            return Some((tcp::SYN, after + 19));
        }
    }
    tcp_flags(text, at)
}

#[inline(never)]
fn tcp_flags(text: Fields, mut at: usize) -> Option<(u8, usize)> {
    if text.has(at, b" SEQ=") {
        at = end_of_number_behind(text, at, b" SEQ=")?;
        at = end_of_number_behind(text, at, b" ACK=")?;
    }
    at = end_of_number_behind(text, at, b" WINDOW=")?;
    if !(text.has(at, b" RES=0x") && is_hexadecimal(text, at + 7)) {
        return None;
    }
    at += 9;
    let mut flags = 0;
    while !text.has(at, b" URGP=") {
        let [b' ', a, b, c] = *text.bytes(at) else { return None };
        flags |= flag(&[a, b, c])?;
        at += 4;
    }
    Some((flags, at + 6))
}

/// Where the number behind `key` ends, of any length.
fn end_of_number_behind<const N: usize>(text: Fields, at: usize, key: &[u8; N]) -> Option<usize> {
    let digits = text.from(at + N).iter().position(|byte| !byte.is_ascii_digit())?;
    (text.has(at, key) && digits > 0).then_some(at + N + digits)
}

/// Two characters that are not blanks, such as the `C0` of `PREC=0xC0`.
fn is_hexadecimal(text: Fields, at: usize) -> bool {
    text.byte(at) > b' ' && text.byte(at + 1) > b' '
}

/// ` TOS=0x00 PREC=0x00 TTL=`; the numbers may be any.
#[inline(never)]
fn has_service(text: Fields, at: usize) -> bool {
    text.has(at, b" TOS=0x")
        && is_hexadecimal(text, at + 7)
        && text.has(at + 9, b" PREC=0x")
        && is_hexadecimal(text, at + 17)
        && text.has(at + 19, b" TTL=")
}

/// From the number behind `TYPE=` on. Where the fields end.
#[inline(always)]
fn icmp(packet: &mut Packet, protocol: u8, text: Fields, at: usize) -> Option<usize> {
    let ([icmp_type, icmp_code], [icmp_id, icmp_sequence], end) = icmp_fields(protocol, text, at)?;
    *packet = Packet { protocol, icmp_type, icmp_code, icmp_id, icmp_sequence, ..*packet };
    Some(end)
}

/// Type and code, id and sequence number, and the offset behind them. Not inlined, and without access to the packet, so that the
/// compiler keeps the packet's fields in registers.
#[inline(never)]
fn icmp_fields(protocol: u8, text: Fields, mut at: usize) -> Option<([u8; 2], [u16; 2], usize)> {
    let icmp_type = number(text, &mut at)?.min(255) as u8;
    let code = number_behind(text, &mut at, b" CODE=")?.min(255) as u8;
    if text.byte(at) != b' ' {
        return None;
    }
    let mut echo = [0, 0];
    if is_echo(protocol, icmp_type) {
        echo = [
            port_of(number_behind(text, &mut at, b" ID=")?),
            port_of(number_behind(text, &mut at, b" SEQ=")?),
        ];
    }
    Some(([icmp_type, code], echo, at))
}

/// The destination that was read last, as ` DST=192.0.2.1 LEN=`: it mostly is the router's own.
#[derive(Clone, Debug, Default)]
pub struct KnownAddress {
    /// Empty: none yet.
    text: Prefix,
    address: Address,
}

impl KnownAddress {
    /// Parses an address that is not cached, caches it, and returns it with the offset behind the ` LEN=` that follows. `reader`
    /// gives the address at an offset and its length.
    #[inline(never)]
    fn read_new(
        &mut self,
        text: Fields,
        at: usize,
        reader: fn(Fields, usize) -> Option<(Address, usize)>,
    ) -> Option<usize> {
        if !text.has(at, b" DST=") {
            return None;
        }
        let (address, length) = reader(text, at + 5)?;
        let end = at + 5 + length + 5;
        if !text.has(end - 5, b" LEN=") {
            return None;
        }
        self.text.set(text.from(at).get(..end - at)?);
        self.address = address;
        Some(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::window::Padded;

    #[test]
    fn a_known_destination_is_not_taken_for_one_of_the_other_family() {
        let v6 = "2001:0db8:0000:0000:0000:0000:0000:0001";
        let fields = [("192.0.2.1", "TOS=0x00 PREC=0x00 TTL=58 ID=1 DF"), (v6, "TC=0 HOPLIMIT=58 FLOWLBL=0")];
        let mut known = KnownAddress::default();
        let mut read = 0;
        for _ in 0..2 {
            for ((source, fields), destination) in [
                (0, "192.0.2.9"),
                (0, v6),
                (1, v6),
                (0, v6),
                (1, "192.0.2.9"),
                (0, "192.0.2.9"),
                (1, "192.0.2.9"),
            ]
            .map(|(family, destination)| (fields[family], destination))
            {
                let line = format!("{source} DST={destination} LEN=40 {fields} PROTO=UDP SPT=1 DPT=2 LEN=20");
                let padded = Padded::new(line.as_bytes()).unwrap();
                if let Some((packet, _)) = kernel_order(padded.window(), 0, &mut known) {
                    read += 1;
                    assert_eq!(Some(packet), any_order(&[b"SRC=", line.as_bytes()].concat()), "{line}");
                }
            }
        }
        assert!(read >= 6, "{read}");
    }
}
