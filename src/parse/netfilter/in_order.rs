//! The fast reader of packets: it knows the kernel's order only, and gives up at anything else.
//!
//! What nearly every line is, a first or only fragment over IPv4 without options, is one function without calls,
//! so that its values stay in registers on their way to the event. No line ends within what is read: the text may
//! go on behind the packet's line.

use super::{Packet, flag, full_v6, is_echo, port_of};
use crate::event::{Address, protocol, tcp};
use crate::parse::number::{short_length, short_number, short_v4};
use crate::parse::prefix::Prefix;
use crate::parse::window::{Fields, Text, Window};

/// `192.0.2.100 DST=192.0.2.100 LEN=` is no longer.
const LONGEST_ADDRESSES: usize = 64;

/// Reads a packet in the kernel's order, whose source's address stands at `at`, and where the fields that were read
/// end. None: not in this order, or with parts that are rare.
/// `known` is the destination of the last packet: mostly the same again.
pub fn in_order(text: Window, at: usize, known: &mut KnownAddress) -> Option<(Packet, usize)> {
    match v4_in_order(text, at, known) {
        None => v6_in_order(text, at, known),
        read => read,
    }
}

/// The same for IPv4 only.
#[inline(always)]
pub fn v4_in_order(line: Window, source_at: usize, known: &mut KnownAddress) -> Option<(Packet, usize)> {
    let text = line.fields(source_at);
    let (source, at) = short_v4(text.bytes(0))?;
    let (destination, mut at) = match known.v4.read_short(text, at) {
        Some(known) => known,
        None => known.v4.read_new(text, at, |text, at| short_v4(text.bytes(at)))?,
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
    if !text.has(at, b" ID=") {
        return None;
    }
    at += 4;
    let id = number(text, &mut at)?;
    if text.has(at, b" DF ") {
        at += 3;
    }
    let mut packet = Packet {
        source: Address::v4(source),
        destination: Address::v4(destination),
        id: u64::from(id),
        length: length.min(0xffff) as u16,
        ..Packet::default()
    };
    let end = transport(&mut packet, text, at)?;
    Some((packet, source_at + end))
}

/// The same for IPv6 only.
#[inline(never)]
pub fn v6_in_order(line: Window, source_at: usize, known: &mut KnownAddress) -> Option<(Packet, usize)> {
    let text = line.fields(source_at);
    let v6 = |text: Fields, at: usize| {
        let (address, _) = full_v6(text.from(at))?;
        Some((address, 39))
    };
    let (source, at) = v6(text, 0)?;
    let (destination, mut at) = match known.v6.read(text, at) {
        Some(known) => known,
        None => known.v6.read_new(text, at, v6)?,
    };
    let length = number(text, &mut at)?;
    let mut field = |key: &[u8]| {
        at = text.from(at).starts_with(key).then_some(at + key.len())?;
        number(text, &mut at)
    };
    field(b" TC=")?;
    field(b" HOPLIMIT=")?;
    let id = u64::from(field(b" FLOWLBL=")?);
    let mut packet =
        Packet { source, destination, id, length: length.min(0xffff) as u16, ..Packet::default() };
    let end = transport(&mut packet, text, at)?;
    Some((packet, source_at + end))
}

/// The number at `at`, which is behind it then. None for long ones.
#[inline(always)]
fn number(text: Fields, at: &mut usize) -> Option<u32> {
    let (number, length) = short_number(text.word(*at))?;
    *at += length;
    Some(number)
}

/// From ` PROTO=` on. Where the fields end.
#[inline(always)]
fn transport(packet: &mut Packet, text: Fields, at: usize) -> Option<usize> {
    if text.has(at, b" PROTO=TCP SPT=") {
        packet.protocol = protocol::TCP;
        let at = ports(packet, text, at + 15)?;
        let (flags, end) = tcp_in_order(text, at)?;
        packet.flags = flags;
        Some(end)
    } else if text.has(at, b" PROTO=UDP SPT=") {
        packet.protocol = protocol::UDP;
        ports(packet, text, at + 15)
    } else if text.has(at, b" PROTO=ICMP TYPE=") {
        Some(icmp_in_order(protocol::ICMP, text, at + 17)?.put(packet, protocol::ICMP))
    } else if text.has(at, b" PROTO=ICMPv6 TYPE=") {
        Some(icmp_in_order(protocol::ICMPV6, text, at + 19)?.put(packet, protocol::ICMPV6))
    } else {
        None
    }
}

/// From the number behind `SPT=` up to the blank behind that of `DPT=`.
#[inline(always)]
fn ports(packet: &mut Packet, text: Fields, mut at: usize) -> Option<usize> {
    let source = number(text, &mut at)?;
    if !text.has(at, b" DPT=") {
        return None;
    }
    at += 5;
    let port = number(text, &mut at)?;
    (packet.source_port, packet.port) = (port_of(source), port_of(port));
    (text.byte(at) == b' ').then_some(at)
}

/// The flags, from behind the ports on.
#[inline(always)]
fn tcp_in_order(text: Fields, at: usize) -> Option<(u8, usize)> {
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
        at = after_digits(text, at + 5)?;
        if !text.has(at, b" ACK=") {
            return None;
        }
        at = after_digits(text, at + 5)?;
    }
    if !text.has(at, b" WINDOW=") {
        return None;
    }
    at = after_digits(text, at + 8)?;
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

/// Where a number of any length ends.
fn after_digits(text: Fields, at: usize) -> Option<usize> {
    let end = at + text.from(at).iter().position(|byte| !byte.is_ascii_digit())?;
    (end > at).then_some(end)
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

/// What ICMP tells, and where its fields end.
struct Icmp {
    icmp_type: u8,
    code: u8,
    id: u16,
    sequence: u16,
    end: usize,
}

impl Icmp {
    #[inline(always)]
    fn put(self, packet: &mut Packet, protocol: u8) -> usize {
        packet.protocol = protocol;
        (packet.icmp_type, packet.icmp_code) = (self.icmp_type, self.code);
        (packet.icmp_id, packet.icmp_sequence) = (self.id, self.sequence);
        self.end
    }
}

/// From the number behind `TYPE=` on. A call of its own that knows no packet, so that the packet's fields need no place
/// in memory.
#[inline(never)]
fn icmp_in_order(protocol: u8, text: Fields, mut at: usize) -> Option<Icmp> {
    let icmp_type = number(text, &mut at)?.min(255) as u8;
    if !text.has(at, b" CODE=") {
        return None;
    }
    at += 6;
    let code = number(text, &mut at)?.min(255) as u8;
    if text.byte(at) != b' ' {
        return None;
    }
    if !is_echo(protocol, icmp_type) {
        return Some(Icmp { icmp_type, code, id: 0, sequence: 0, end: at });
    }
    if !text.has(at, b" ID=") {
        return None;
    }
    at += 4;
    let id = port_of(number(text, &mut at)?);
    if !text.has(at, b" SEQ=") {
        return None;
    }
    at += 5;
    let sequence = port_of(number(text, &mut at)?);
    Some(Icmp { icmp_type, code, id, sequence, end: at })
}

/// The destinations that were read last.
#[derive(Clone, Debug, Default)]
pub struct KnownAddress {
    v4: Destination<u32>,
    v6: Destination<Address>,
}

/// A destination as ` DST=192.0.2.1 LEN=`: it mostly is the router's own.
#[derive(Clone, Debug, Default)]
struct Destination<A> {
    /// Empty: none yet.
    text: Prefix,
    address: A,
}

impl<A: Copy> Destination<A> {
    /// The address, and where `LEN=` ends.
    #[inline(always)]
    fn read(&self, text: Fields, at: usize) -> Option<(A, usize)> {
        Some((self.address, self.text.end_at(text, at)?))
    }

    /// The same, if it is no longer than that of an IPv4 address.
    #[inline(always)]
    fn read_short(&self, text: Fields, at: usize) -> Option<(A, usize)> {
        Some((self.address, self.text.short_end_at(text, at)?))
    }

    /// One that is not known, which it is from now on.
    #[inline(never)]
    fn read_new(
        &mut self,
        text: Fields,
        at: usize,
        reader: impl Fn(Fields, usize) -> Option<(A, usize)>,
    ) -> Option<(A, usize)> {
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
        Some((address, end))
    }
}
