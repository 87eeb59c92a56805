//! The fast reader of packets: it knows the kernel's order only, and gives up at anything else.
//!
//! What nearly every line is, a first or only fragment over IPv4 without options, is one function without calls,
//! so that its values stay in registers on their way to the event.

use super::{Packet, flag, full_v6, is_echo, port_of};
use crate::event::{Address, protocol, tcp};
use crate::wire::number::{digits, mostly, skip_digits, v4};
use crate::wire::prefix::Prefix;

/// Reads a packet in the kernel's order, from the address behind `SRC=` on. None: not in this order, or with
/// parts that are rare.
/// `known` is the destination of the last packet: mostly the same again.
pub fn in_order(text: &[u8], known: &mut KnownAddress) -> Option<Packet> {
    if text.get(4) == Some(&b':') { v6_in_order(text, known) } else { v4_in_order(text, known) }
}

/// The same for IPv4 only.
#[inline(always)]
pub fn v4_in_order(text: &[u8], known: &mut KnownAddress) -> Option<Packet> {
    let (source, after) = v4(text)?;
    let (destination, after) = known.v4.read(after, |text| v4(text))?;
    let (length, after) = mostly::<2>(after)?;
    let after = skip_digits(service_in_order(after)?)?;
    let (id, mut rest) = mostly::<5>(after.strip_prefix(b" ID=")?)?;
    if !rest.starts_with(b" PROTO=") {
        rest = flags_and_options(rest)?;
    }
    let mut packet = Packet {
        source: Address::v4(source),
        destination: Address::v4(destination),
        id: u64::from(id),
        length: length.min(0xffff) as u16,
        ..Packet::default()
    };
    transport(&mut packet, rest)?;
    Some(packet)
}

#[inline(never)]
fn v6_in_order(text: &[u8], known: &mut KnownAddress) -> Option<Packet> {
    let (source, after) = full_v6(text)?;
    let (destination, after) = known.v6.read(after, full_v6)?;
    let (length, after) = digits(after)?;
    let after = skip_digits(after.strip_prefix(b" TC=")?)?;
    let after = skip_digits(after.strip_prefix(b" HOPLIMIT=")?)?;
    let (label, rest) = digits(after.strip_prefix(b" FLOWLBL=")?)?;
    let (id, length) = (u64::from(label), length.min(0xffff) as u16);
    let mut packet = Packet { source, destination, id, length, ..Packet::default() };
    transport(&mut packet, options(rest)?)?;
    Some(packet)
}

/// The bits of the IPv4 header that have names, and its options.
#[inline(never)]
fn flags_and_options(text: &[u8]) -> Option<&[u8]> {
    let mut rest = text;
    for bit in [b" CE", b" DF", b" MF"] {
        rest = rest.strip_prefix(bit).unwrap_or(rest);
    }
    options(rest)
}

fn options(text: &[u8]) -> Option<&[u8]> {
    let mut rest = text;
    while let Some(after) = rest.strip_prefix(b" OPT (") {
        let end = after.iter().position(|byte| !byte.is_ascii_hexdigit() && *byte != b' ')?;
        rest = after[end..].strip_prefix(b")")?;
    }
    Some(rest)
}

/// From ` PROTO=` on.
#[inline(always)]
fn transport(packet: &mut Packet, text: &[u8]) -> Option<()> {
    match text.strip_prefix(b" PROTO=")? {
        [b'T', b'C', b'P', b' ', rest @ ..] => {
            packet.protocol = protocol::TCP;
            let rest = ports_in_order(packet, rest)?;
            packet.flags = tcp_in_order(rest)?;
        }
        [b'U', b'D', b'P', b' ', rest @ ..] => {
            packet.protocol = protocol::UDP;
            ports_in_order(packet, rest)?;
        }
        [b'I', b'C', b'M', b'P', b' ', rest @ ..] => icmp_in_order(packet, protocol::ICMP, rest)?,
        [b'I', b'C', b'M', b'P', b'v', b'6', b' ', rest @ ..] => {
            icmp_in_order(packet, protocol::ICMPV6, rest)?;
        }
        _ => return None,
    }
    Some(())
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
    /// The address, and what follows `LEN=`.
    #[inline(always)]
    fn read<'a>(
        &mut self,
        text: &'a [u8],
        reader: impl Fn(&'a [u8]) -> Option<(A, &'a [u8])>,
    ) -> Option<(A, &'a [u8])> {
        match self.text.strip(text) {
            Some(rest) => Some((self.address, rest)),
            None => self.read_new(text, reader),
        }
    }

    #[inline(never)]
    fn read_new<'a>(
        &mut self,
        text: &'a [u8],
        reader: impl Fn(&'a [u8]) -> Option<(A, &'a [u8])>,
    ) -> Option<(A, &'a [u8])> {
        let (address, rest) = reader(text.strip_prefix(b" DST=")?)?;
        let rest = rest.strip_prefix(b" LEN=")?;
        self.text.set(&text[..text.len() - rest.len()]);
        self.address = address;
        Some((address, rest))
    }
}

/// What follows ` TOS=0x00 PREC=0x00 TTL=`; the numbers may be any.
#[inline]
fn service_in_order(text: &[u8]) -> Option<&[u8]> {
    let (fixed, rest) = text.split_first_chunk::<24>()?;
    let is_number = fixed[7] > b' ' && fixed[8] > b' ' && fixed[17] > b' ' && fixed[18] > b' ';
    let is_named = fixed[..7] == *b" TOS=0x" && fixed[9..17] == *b" PREC=0x" && fixed[19..] == *b" TTL=";
    (is_number && is_named).then_some(rest)
}

#[inline(always)]
fn ports_in_order<'a>(packet: &mut Packet, text: &'a [u8]) -> Option<&'a [u8]> {
    let (source, rest) = mostly::<5>(text.strip_prefix(b"SPT=")?)?;
    let (port, rest) = digits(rest.strip_prefix(b" DPT=")?)?;
    (packet.source_port, packet.port) = (port_of(source), port_of(port));
    rest.strip_prefix(b" ")
}

/// The flags, from behind the ports on.
#[inline(always)]
fn tcp_in_order(text: &[u8]) -> Option<u8> {
    if let Some(after) = text.strip_prefix(b"WINDOW=")
        && skip_digits(after)?.starts_with(b" RES=0x00 SYN URGP=")
    {
        // Nearly all of them.
        return Some(tcp::SYN);
    }
    tcp_flags(text)
}

#[inline(never)]
fn tcp_flags(text: &[u8]) -> Option<u8> {
    let mut rest = text;
    if let Some(after) = rest.strip_prefix(b"SEQ=") {
        let after = skip_digits(after)?;
        let after = skip_digits(after.strip_prefix(b" ACK=")?)?;
        rest = after.strip_prefix(b" ")?;
    }
    let after = skip_digits(rest.strip_prefix(b"WINDOW=")?)?;
    rest = hexadecimal(after.strip_prefix(b" RES=0x")?)?;
    let mut flags = 0;
    loop {
        match rest {
            [b' ', b'U', b'R', b'G', b'P', b'=', ..] => return Some(flags),
            [b' ', a, b, c, after @ ..] => {
                flags |= flag(&[*a, *b, *c])?;
                rest = after;
            }
            _ => return None,
        }
    }
}

/// Two characters that are not blanks, such as the `C0` of `PREC=0xC0`.
fn hexadecimal(text: &[u8]) -> Option<&[u8]> {
    match text {
        [a, b, rest @ ..] if *a > b' ' && *b > b' ' => Some(rest),
        _ => None,
    }
}

#[inline(always)]
fn icmp_in_order(packet: &mut Packet, protocol: u8, text: &[u8]) -> Option<()> {
    packet.protocol = protocol;
    let (icmp_type, rest) = digits(text.strip_prefix(b"TYPE=")?)?;
    let (code, rest) = digits(rest.strip_prefix(b" CODE=")?)?;
    (packet.icmp_type, packet.icmp_code) = (icmp_type.min(255) as u8, code.min(255) as u8);
    let rest = rest.strip_prefix(b" ")?;
    if is_echo(protocol, packet.icmp_type) {
        let (id, rest) = digits(rest.strip_prefix(b"ID=")?)?;
        let (sequence, _) = digits(rest.strip_prefix(b" SEQ=")?)?;
        (packet.icmp_id, packet.icmp_sequence) = (port_of(id), port_of(sequence));
    }
    Some(())
}
