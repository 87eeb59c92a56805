//! The fields of a packet, from `SRC=` on.
//!
//! [`fields`] is the parser. It reads word by word, in any order ([`any_order`]); as an optimisation it first reads what
//! it can in the kernel's own order ([`kernel_order`]), which gives up at anything rare. Where the latter reads, the
//! former reads the same.

use super::super::packet::{Packet, is_echo};
use super::{Word, address, outer_words};
use crate::event::{Address, Service, protocol, tcp};
use crate::parse::number::{digits, v4};

/// Reads the packet whose source's address stands at `at` of `message`, behind `SRC=`. None: no address can be read
/// behind `SRC=` or `DST=`.
pub fn fields(message: &[u8], at: usize) -> Option<Packet> {
    kernel_order(message.get(at..)?).or_else(|| any_order(message.get(at - b"SRC=".len()..)?))
}

/// Reads a packet word by word, whatever the order; the first of each field counts. `text` begins at any
/// field. None: no address to be read behind `SRC=` or `DST=`.
pub fn any_order(text: &[u8]) -> Option<Packet> {
    let mut packet = Packet::default();
    let mut seen = FieldsRead::default();
    for word in outer_words(text, 0) {
        seen.read(&word, &mut packet)?;
    }
    if seen.first(SOURCE) || seen.first(DESTINATION) {
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

/// The keys of the fields that were read already.
#[derive(Default)]
struct FieldsRead(Vec<&'static [u8]>);

impl FieldsRead {
    /// Whether a field is read for the first time.
    fn first(&mut self, key: &'static [u8]) -> bool {
        let is_first = !self.0.contains(&key);
        if is_first {
            self.0.push(key);
        }
        is_first
    }

    /// None: an address that can't be read.
    fn read(&mut self, word: &Word, packet: &mut Packet) -> Option<()> {
        let is_icmp = matches!(packet.protocol, protocol::ICMP | protocol::ICMPV6);
        let Word { key, value, .. } = *word;
        let number = || digits(value).map_or(0, |(number, _)| number);
        let before_protocol = !self.0.contains(&PROTOCOL);
        match key {
            b"SRC=" if self.first(SOURCE) => packet.source = address(value)?,
            b"DST=" if self.first(DESTINATION) => packet.destination = address(value)?,
            b"LEN=" if self.first(b"LEN=") => packet.length = number().min(0xffff) as u16,
            b"ID=" if before_protocol && self.first(b"ID=") => packet.id |= u64::from(number()),
            b"ID=" if is_icmp && self.first(b"ICMP ID=") => packet.icmp_id = port_of(number()),
            b"SEQ=" if is_icmp && self.first(b"SEQ=") => packet.icmp_sequence = port_of(number()),
            b"FLOWLBL=" if self.first(b"FLOWLBL=") => packet.id |= u64::from(number()),
            b"PROTO=" if self.first(PROTOCOL) => packet.protocol = protocol_of(value),
            b"SPT=" if self.first(b"SPT=") => packet.source_port = port_of(number()),
            b"DPT=" if self.first(b"DPT=") => packet.port = port_of(number()),
            b"TYPE=" if is_icmp && self.first(b"TYPE=") => packet.icmp_type = number().min(255) as u8,
            b"CODE=" if is_icmp && self.first(b"CODE=") => packet.icmp_code = number().min(255) as u8,
            b"URGP=" => drop(self.first(URGENT)),
            &[a, b, c] if packet.protocol == protocol::TCP && !self.0.contains(&URGENT) => {
                packet.flags |= flag(&[a, b, c]).unwrap_or(0);
            }
            _ => self.fragment(key, packet),
        }
        Some(())
    }

    /// `FRAG:185` counts units of 8 bytes for IPv4, bytes for IPv6, where `ID:0000abcd` goes with it.
    fn fragment(&mut self, word: &[u8], packet: &mut Packet) {
        if let Some(value) = word.strip_prefix(FRAGMENT)
            && let Some((offset, _)) = digits(value)
            && self.first(FRAGMENT)
        {
            let bytes = if packet.source.is_v4() { offset.saturating_mul(8) } else { offset };
            packet.fragment_offset = bytes.min(0xffff) as u16;
        } else if let Some(value) = word.strip_prefix(b"ID:")
            && self.0.contains(&FRAGMENT)
            && let Ok(text) = std::str::from_utf8(value)
            && let Ok(id) = u32::from_str_radix(text, 16)
        {
            packet.id |= u64::from(id) << 32;
        }
    }
}

const SOURCE: &[u8] = b"SRC=";
const DESTINATION: &[u8] = b"DST=";
const PROTOCOL: &[u8] = b"PROTO=";
const URGENT: &[u8] = b"URGP=";
const FRAGMENT: &[u8] = b"FRAG:";

fn protocol_of(value: &[u8]) -> u8 {
    const NAMES: [(&[u8], u8); 15] = [
        (b"TCP", protocol::TCP),
        (b"UDP", protocol::UDP),
        (b"ICMP", protocol::ICMP),
        (b"ICMPv6", protocol::ICMPV6),
        (b"IPv6-ICMP", protocol::ICMPV6),
        (b"UDPLITE", protocol::UDPLITE),
        (b"SCTP", protocol::SCTP),
        (b"DCCP", protocol::DCCP),
        (b"ESP", protocol::ESP),
        (b"AH", protocol::AH),
        (b"IGMP", protocol::IGMP),
        (b"GRE", protocol::GRE),
        (b"IPIP", 4),
        (b"IPv6", 41),
        (b"OSPF", 89),
    ];
    match NAMES.iter().find(|(name, _)| value.eq_ignore_ascii_case(name)) {
        Some((_, number)) => *number,
        None => digits(value).and_then(|(number, _)| u8::try_from(number).ok()).unwrap_or(0),
    }
}

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

/// Reads a packet in the kernel's order, from behind `SRC=` on: a first or only fragment without IP options. None: not
/// in this order, or with fields that are rare.
pub fn kernel_order(text: &[u8]) -> Option<Packet> {
    let mut rest = Cursor(text);
    let source = rest.address(b"")?;
    let destination = rest.address(b" DST=")?;
    let length = rest.number(b" LEN=")?.min(0xffff) as u16;
    let id = if source.is_v4() {
        // As nearly all packets have it.
        if rest.text(b" TOS=0x00 PREC=0x00").is_none() {
            rest.word(b" TOS=")?;
            rest.word(b" PREC=")?;
        }
        rest.word(b" TTL=")?;
        let id = rest.number(b" ID=")?;
        let _ = rest.text(b" DF");
        id
    } else {
        rest.word(b" TC=")?;
        rest.word(b" HOPLIMIT=")?;
        rest.number(b" FLOWLBL=")?
    };
    let mut packet = Packet { source, destination, length, id: id.into(), ..Packet::default() };
    match rest.word(b" PROTO=")? {
        b"TCP" => {
            packet.protocol = protocol::TCP;
            rest.ports(&mut packet)?;
            packet.flags = rest.tcp_flags()?;
        }
        b"UDP" => {
            packet.protocol = protocol::UDP;
            rest.ports(&mut packet)?;
        }
        b"ICMP" => rest.icmp(&mut packet, protocol::ICMP)?,
        b"ICMPv6" => rest.icmp(&mut packet, protocol::ICMPV6)?,
        _ => return None,
    }
    Some(packet)
}

/// The text that was not read yet. Each step gives `None` where something else stands there. Always inlined: only so the
/// texts that are compared have known lengths, which an import's speed depends on.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    /// Exactly this text.
    #[inline(always)]
    fn text(&mut self, text: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(text)?;
        Some(())
    }

    /// The text behind `key` up to a blank.
    #[inline(always)]
    fn word(&mut self, key: &[u8]) -> Option<&'a [u8]> {
        self.text(key)?;
        let (word, rest) = self.0.split_at(self.0.iter().position(|byte| *byte == b' ')?);
        self.0 = rest;
        Some(word)
    }

    /// The number behind `key`.
    #[inline(always)]
    fn number(&mut self, key: &[u8]) -> Option<u32> {
        self.text(key)?;
        let (number, rest) = digits(self.0)?;
        self.0 = rest;
        Some(number)
    }

    /// The address behind `key`.
    #[inline(always)]
    fn address(&mut self, key: &[u8]) -> Option<Address> {
        self.text(key)?;
        let Some((bits, rest)) = v4(self.0) else { return address(self.word(b"")?) };
        self.0 = rest;
        Some(Address::v4(bits))
    }

    #[inline(always)]
    fn ports(&mut self, packet: &mut Packet) -> Option<()> {
        packet.source_port = port_of(self.number(b" SPT=")?);
        packet.port = port_of(self.number(b" DPT=")?);
        Some(())
    }

    /// The flags, from behind the ports on.
    #[inline(always)]
    fn tcp_flags(&mut self) -> Option<u8> {
        if self.word(b" SEQ=").is_some() {
            self.word(b" ACK=")?;
        }
        self.word(b" WINDOW=")?;
        if self.text(b" RES=0x00 SYN URGP=").is_some() {
            return Some(tcp::SYN);
        }
        self.word(b" RES=")?;
        let mut flags = 0;
        while self.text(b" URGP=").is_none() {
            let (&[b' ', a, b, c], rest) = self.0.split_first_chunk()? else { return None };
            flags |= flag(&[a, b, c])?;
            self.0 = rest;
        }
        Some(flags)
    }

    fn icmp(&mut self, packet: &mut Packet, protocol: u8) -> Option<()> {
        packet.protocol = protocol;
        packet.icmp_type = self.number(b" TYPE=")?.min(255) as u8;
        packet.icmp_code = self.number(b" CODE=")?.min(255) as u8;
        if is_echo(protocol, packet.icmp_type) {
            packet.icmp_id = port_of(self.number(b" ID=")?);
            packet.icmp_sequence = port_of(self.number(b" SEQ=")?);
        }
        Some(())
    }
}
