//! The kernel's netfilter log text (`net/netfilter/nf_log_syslog.c`).
//!
//! Takes a kernel message without stamp and uptime, gives the way that the packet came (prefix, interfaces)
//! and the packet's outer fields. What an ICMP error carries of another packet stands in `[...]` and is
//! never read.
//!
//! ```text
//! reject wan in: IN=eth1 OUT= MAC=... SRC=198.51.100.7 DST=192.0.2.1 LEN=40 ... PROTO=TCP SPT=1 DPT=23 ...
//! |-- head: the same for many packets ---| |-- packet ----------------------------------------------------
//! ```
//!
//! There are two readers of packets. `in_order` knows the kernel's order only and is fast; what it does not
//! know, `in_any_order` reads word by word. Where both read, both read the same.

use super::number::{digits, v4};
use crate::event::{Address, Service, protocol, tcp};

mod in_order;

pub use in_order::{KnownAddress, in_order, v4_in_order, v6_in_order};

/// What the packets of one rule and interface have in common, as it stands before `SRC=`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head<'a> {
    pub prefix: &'a [u8],
    /// None: no `IN=` at all.
    pub input: Option<&'a [u8]>,
    pub output: Option<&'a [u8]>,
    pub bridge_input: &'a [u8],
    pub bridge_output: &'a [u8],
    /// The destination MAC is a broadcast or multicast address.
    pub group_mac: bool,
    /// Not IP: ARP, or another protocol on a bridge.
    pub other_protocol: bool,
    /// Where the fields begin.
    pub fields_at: usize,
    /// Where the MAC addresses begin, or `source_at`.
    pub mac_at: usize,
    /// Where the address behind `SRC=` begins if all of the head comes before it, as in the kernel's order.
    pub source_at: Option<usize>,
}

/// The outer fields of one packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Packet {
    pub source: Address,
    pub destination: Address,
    /// Identification of the IPv4 header; for IPv6 the flow label, with a fragment's identification
    /// in the upper half.
    pub id: u64,
    pub length: u16,
    /// In bytes.
    pub fragment_offset: u16,
    pub source_port: u16,
    pub port: u16,
    /// Of echo requests and replies.
    pub icmp_id: u16,
    pub icmp_sequence: u16,
    /// 0 if the line ends before it.
    pub protocol: u8,
    pub flags: u8,
    pub icmp_type: u8,
    pub icmp_code: u8,
}

/// The head of a packet's line; None if the message has none of its fields.
pub fn head(message: &[u8]) -> Option<Head<'_>> {
    let fields_at = fields_at(message)?;
    let mut head = Head { prefix: &message[..fields_at], fields_at, ..Head::default() };
    let mut mac_at = None;
    let mut ordered = true;
    for Word { at, key, value } in outer_words(message, fields_at) {
        match key {
            b"IN=" if head.input.is_none() => head.input = Some(value),
            b"OUT=" if head.output.is_none() => head.output = Some(value),
            b"PHYSIN=" => keep_first(&mut head.bridge_input, value),
            b"PHYSOUT=" => keep_first(&mut head.bridge_output, value),
            b"MAC=" | b"MACSRC=" | b"MACDST=" | b"MACPROTO=" | b"VLANPROTO=" | b"VLANTCI=" => {
                mac_at.get_or_insert(at);
                head.group_mac |= matches!(key, b"MAC=" | b"MACDST=") && is_group_mac(value);
                head.other_protocol |=
                    key == b"MACPROTO=" && !matches!(value, b"0800" | b"86dd" | b"8100" | b"88a8");
            }
            b"ARP" => head.other_protocol = true,
            b"SRC=" if ordered => {
                head.source_at = Some(at + b"SRC=".len());
                break;
            }
            _ => ordered = false,
        }
    }
    head.mac_at = mac_at.or(head.source_at).unwrap_or(message.len());
    Some(head)
}

/// Where the first field stands: `IN=` with `OUT=` behind it, with or without a blank before it; otherwise
/// the first word that is a field.
fn fields_at(message: &[u8]) -> Option<usize> {
    let is_bridge_port = |at: usize| message[..at].ends_with(b"PHYS");
    let inputs = || memchr::memmem::find_iter(message, b"IN=").filter(|&at| !is_bridge_port(at));
    let pair = inputs().find(|&at| {
        let end = memchr::memchr(b' ', &message[at..]).map_or(message.len(), |length| at + length);
        message[end..].starts_with(b" OUT=")
    });
    if pair.is_some() {
        return pair;
    }
    let is_named = |key: &[u8]| matches!(key, b"IN=" | b"OUT=" | b"SRC=" | b"DST=" | b"MAC=" | b"PHYSIN=");
    let named = |word: Word| is_named(word.key).then_some(word.at);
    outer_words(message, 0).find_map(named).or_else(|| inputs().next())
}

/// Ethernet's broadcast, and the multicast of IPv4, IPv6 and bridges. Not simply the group bit: logs
/// that were made anonymous have it set by chance.
pub fn is_group_mac(mac: &[u8]) -> bool {
    [&b"ff:ff:ff:ff:ff:ff"[..], b"01:00:5e:", b"33:33:", b"01:80:c2:"]
        .iter()
        .any(|group| mac.get(..group.len()).is_some_and(|start| start.eq_ignore_ascii_case(group)))
}

fn keep_first<'a>(field: &mut &'a [u8], value: &'a [u8]) {
    if field.is_empty() {
        *field = value;
    }
}

/// A word of the message: `KEY=` and the value behind it. A word without `=` is a key with an empty value.
struct Word<'a> {
    at: usize,
    key: &'a [u8],
    value: &'a [u8],
}

/// Words from `at` up to the first that begins with a bracket.
fn outer_words(message: &[u8], at: usize) -> impl Iterator<Item = Word<'_>> {
    let mut at = at;
    std::iter::from_fn(move || {
        while message.get(at) == Some(&b' ') {
            at += 1;
        }
        let rest = &message[at..];
        if rest.is_empty() || (rest[0] == b'[' && at > 0) {
            return None;
        }
        // Words are short: a plain loop is faster than a search.
        let equals = rest.iter().position(|&byte| byte == b'=' || byte == b' ').unwrap_or(rest.len());
        let key_end = if rest.get(equals) == Some(&b'=') { equals + 1 } else { equals };
        let value = &rest[key_end..];
        let value = &value[..value.iter().position(|&byte| byte == b' ').unwrap_or(value.len())];
        let word = Word { at, key: &rest[..key_end], value };
        at += key_end + value.len();
        Some(word)
    })
}

/// Reads a packet word by word, whatever the order; the first of each field counts. `text` begins at any
/// field. None: no address to be read behind `SRC=` or `DST=`.
pub fn in_any_order(text: &[u8]) -> Option<Packet> {
    let mut packet = Packet::default();
    let mut seen = Seen::default();
    for word in outer_words(text, 0) {
        seen.read(&word, &mut packet)?;
    }
    if !(seen.source && seen.destination) {
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

/// Which fields were read already.
#[derive(Default)]
struct Seen {
    source: bool,
    destination: bool,
    length: bool,
    id: bool,
    label: bool,
    fragment: bool,
    protocol: bool,
    source_port: bool,
    port: bool,
    icmp_type: bool,
    icmp_code: bool,
    icmp_id: bool,
    icmp_sequence: bool,
    urgent: bool,
}

impl Seen {
    /// None: an address that can't be read.
    fn read(&mut self, word: &Word, packet: &mut Packet) -> Option<()> {
        let is_icmp = matches!(packet.protocol, protocol::ICMP | protocol::ICMPV6);
        let Word { key, value, .. } = *word;
        let number = || digits(value).map_or(0, |(number, _)| number);
        let first = |seen: &mut bool| !std::mem::replace(seen, true);
        match key {
            b"SRC=" if first(&mut self.source) => packet.source = address(value)?,
            b"DST=" if first(&mut self.destination) => packet.destination = address(value)?,
            b"LEN=" if first(&mut self.length) => packet.length = number().min(0xffff) as u16,
            b"ID=" if !self.protocol && first(&mut self.id) => packet.id |= u64::from(number()),
            b"ID=" if is_icmp && first(&mut self.icmp_id) => packet.icmp_id = port_of(number()),
            b"SEQ=" if is_icmp && first(&mut self.icmp_sequence) => packet.icmp_sequence = port_of(number()),
            b"FLOWLBL=" if first(&mut self.label) => packet.id |= u64::from(number()),
            b"PROTO=" if first(&mut self.protocol) => packet.protocol = protocol_of(value),
            b"SPT=" if first(&mut self.source_port) => packet.source_port = port_of(number()),
            b"DPT=" if first(&mut self.port) => packet.port = port_of(number()),
            b"TYPE=" if is_icmp && first(&mut self.icmp_type) => packet.icmp_type = number().min(255) as u8,
            b"CODE=" if is_icmp && first(&mut self.icmp_code) => packet.icmp_code = number().min(255) as u8,
            b"URGP=" => self.urgent = true,
            &[a, b, c] if packet.protocol == protocol::TCP && !self.urgent => {
                packet.flags |= flag(&[a, b, c]).unwrap_or(0);
            }
            _ => self.fragment(key, packet),
        }
        Some(())
    }

    /// `FRAG:185` counts units of 8 bytes for IPv4, bytes for IPv6, where `ID:0000abcd` goes with it.
    fn fragment(&mut self, word: &[u8], packet: &mut Packet) {
        if let Some(value) = word.strip_prefix(b"FRAG:")
            && let Some((offset, _)) = digits(value)
            && !std::mem::replace(&mut self.fragment, true)
        {
            let bytes = if packet.source.is_v4() { offset.saturating_mul(8) } else { offset };
            packet.fragment_offset = bytes.min(0xffff) as u16;
        } else if let Some(value) = word.strip_prefix(b"ID:")
            && self.fragment
            && let Ok(text) = std::str::from_utf8(value)
            && let Ok(id) = u32::from_str_radix(text, 16)
        {
            packet.id |= u64::from(id) << 32;
        }
    }
}

/// Whether the kernel logs id and sequence of this ICMP type.
pub fn is_echo(protocol: u8, icmp_type: u8) -> bool {
    matches!((protocol, icmp_type), (protocol::ICMP, 0 | 8) | (protocol::ICMPV6, 128 | 129))
}

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

/// An address that is the whole of `text`: dotted IPv4, any form of IPv6.
pub fn address(text: &[u8]) -> Option<Address> {
    if let Some((bits, [])) = v4(text) {
        return Some(Address::v4(bits));
    }
    if let Some((address, [])) = full_v6(text) {
        return Some(address);
    }
    let text = std::str::from_utf8(text).ok()?;
    let text = text.split('%').next().unwrap_or(text);
    text.parse::<std::net::Ipv6Addr>().ok().map(|address| Address::v6(address.into()))
}

/// An IPv6 address at the beginning as the kernel writes it, all 32 digits, and what follows.
fn full_v6(text: &[u8]) -> Option<(Address, &[u8])> {
    let (address, rest) = text.split_at_checked(39)?;
    let mut bits = 0u128;
    for (group, chunk) in address.chunks(5).enumerate() {
        let mut value = 0u32;
        for &byte in &chunk[..4] {
            value = value << 4 | (byte as char).to_digit(16)?;
        }
        if group < 7 && chunk[4] != b':' {
            return None;
        }
        bits = bits << 16 | u128::from(value);
    }
    if matches!(rest.first(), Some(b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F' | b':' | b'.')) {
        return None;
    }
    Some((Address::v6(bits), rest))
}
