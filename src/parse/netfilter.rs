//! The kernel's netfilter log text (`net/netfilter/nf_log_syslog.c`).
//!
//! Takes a kernel message without stamp and uptime, gives the packet's context (prefix, interfaces)
//! and the packet's outer fields. What an ICMP error carries of another packet stands in `[...]` and is
//! never read.
//!
//! ```text
//! reject wan in: IN=eth1 OUT= MAC=... SRC=198.51.100.7 DST=192.0.2.1 LEN=40 ... PROTO=TCP SPT=1 DPT=23 ...
//! |-- context: the same for many packets ---| |-- packet ----------------------------------------------------
//! ```
//!
//! The packet's fields are read by the module `fields`.

use super::number::v4;
use crate::event::Address;

mod fields;

pub use fields::{KnownAddress, any_order, kernel_order, v4_kernel_order, v6_kernel_order};

/// What the packets of one rule and interface have in common, as it stands before `SRC=`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Context<'a> {
    /// The rule's log prefix: all that comes before the fields.
    pub prefix: &'a [u8],
    /// None: no `IN=` at all.
    pub input: Option<&'a [u8]>,
    /// `None`: no `OUT=` at all.
    pub output: Option<&'a [u8]>,
    /// `PHYSIN=`; empty if absent.
    pub bridge_input: &'a [u8],
    /// `PHYSOUT=`; empty if absent.
    pub bridge_output: &'a [u8],
    /// The destination MAC is a broadcast or multicast address.
    pub group_mac: bool,
    /// Not IP: ARP, or another protocol on a bridge.
    pub other_protocol: bool,
    /// Where the address behind `SRC=` begins if all of the context comes before it, as in the kernel's order.
    pub source_at: Option<usize>,
}

/// The context of a packet's line; None if the message has none of its fields.
pub fn context(message: &[u8]) -> Option<Context<'_>> {
    let fields_at = fields_at(message)?;
    let mut context = Context { prefix: &message[..fields_at], ..Context::default() };
    let mut ordered = true;
    for Word { at, key, value } in outer_words(message, fields_at) {
        match key {
            b"IN=" if context.input.is_none() => context.input = Some(value),
            b"OUT=" if context.output.is_none() => context.output = Some(value),
            b"PHYSIN=" => keep_first(&mut context.bridge_input, value),
            b"PHYSOUT=" => keep_first(&mut context.bridge_output, value),
            b"MAC=" | b"MACSRC=" | b"MACDST=" | b"MACPROTO=" | b"VLANPROTO=" | b"VLANTCI=" => {
                context.group_mac |= matches!(key, b"MAC=" | b"MACDST=") && is_group_mac(value);
                context.other_protocol |=
                    key == b"MACPROTO=" && !matches!(value, b"0800" | b"86dd" | b"8100" | b"88a8");
            }
            b"ARP" => context.other_protocol = true,
            b"SRC=" if ordered => {
                context.source_at = Some(at + b"SRC=".len());
                break;
            }
            _ => ordered = false,
        }
    }
    Some(context)
}

/// Offset of the first field: `IN=` with `OUT=` behind it, with or without a blank before it; otherwise
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

/// An address that is the whole of `text`: dotted IPv4, any form of IPv6.
pub fn address(text: &[u8]) -> Option<Address> {
    if let Some((bits, [])) = v4(text) {
        return Some(Address::v4(bits));
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
