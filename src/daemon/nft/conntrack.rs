//! Queries the kernel's connection tracking for addresses to which the inside has a connection (ctnetlink,
//! linux/netfilter/nfnetlink_conntrack.h).

use std::io;

use super::{DATAGRAM, receive_answer, result_of, script};
use crate::guard::Source;
use crate::parse::netlink::{
    self, NFGENMSG, NLM_F_DUMP, NLMSG_DONE, NLMSG_ERROR, attribute, be16, put, put_nested,
};
use crate::sys::netlink::Netlink;

const SUBSYSTEM: u16 = 1 << 8;
const GET: u16 = SUBSYSTEM | 1;

const TUPLE_ORIGINAL: u16 = 1;
const TUPLE_REPLY: u16 = 2;
const PROTOINFO: u16 = 4;
const FILTER: u16 = 25;
const FILTER_REPLY_FLAGS: u16 = 2;
/// The filter compares the tuple's source address.
const FILTER_SOURCE: u32 = 1;
const TUPLE_IP: u16 = 1;
const TUPLE_PROTOCOL: u16 = 2;
const IP_V4_SOURCE: u16 = 1;
const IP_V6_SOURCE: u16 = 3;
const PROTOCOL_NUMBER: u16 = 1;
const PROTOCOL_SOURCE_PORT: u16 = 2;
const PROTOINFO_TCP: u16 = 1;
const TCP_FLAGS_ORIGINAL: u16 = 4;
/// `IP_CT_TCP_FLAG_BE_LIBERAL`: set on a connection whose opening was not seen.
const BE_LIBERAL: u8 = 8;
const TCP: u8 = 6;

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

/// Where a tracked connection comes from: address (in network byte order), protocol, port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Opener<'a> {
    pub address: &'a [u8],
    /// IANA's protocol number.
    pub protocol: u8,
    pub port: u16,
}

/// Requests for lists of all connections, both families.
pub fn all_connections() -> Vec<Vec<u8>> {
    [AF_INET, AF_INET6].map(|family| request(family, None)).to_vec()
}

/// Requests for lists of all connections whose answers can come from these sources: one, or one for each family.
pub fn connections_of(sources: &[Source]) -> Vec<Vec<u8>> {
    // Kernels before 5.8 list all.
    if let [Source::V4(bits)] = sources {
        return vec![request(AF_INET, Some(*bits))];
    }
    let family = |source: &Source| if matches!(source, Source::V4(_)) { AF_INET } else { AF_INET6 };
    let is_asked = |asked: &u8| sources.iter().any(|source| family(source) == *asked);
    [AF_INET, AF_INET6].into_iter().filter(is_asked).map(|family| request(family, None)).collect()
}

/// Gives the entries that the kernel lists.
pub(super) fn list(request: &[u8], each: &mut dyn FnMut(&[u8])) -> io::Result<()> {
    // A new socket each time: closing it ends a dump that was not read completely.
    let socket = Netlink::netfilter(0)?;
    socket.send(request)?;
    let errno = receive_answer(&socket, &mut vec![0; DATAGRAM], &mut |datagram| {
        for frame in netlink::frames(datagram).flatten() {
            match frame.kind {
                NLMSG_DONE => return Some(0),
                NLMSG_ERROR => return Some(frame.answer().map_or(0, |(_, errno)| errno)),
                _ => each(frame.body.get(NFGENMSG..).unwrap_or_default()),
            }
        }
        None
    })?;
    result_of(errno)
}

/// The source of a tuple.
fn source_address(tuple: &[u8]) -> Option<&[u8]> {
    let ip = attribute(tuple, TUPLE_IP)?;
    attribute(ip, IP_V4_SOURCE).or_else(|| attribute(ip, IP_V6_SOURCE))
}

/// Where the replies of a connection come from.
pub fn answering(entry: &[u8]) -> Option<Source> {
    script::source_of(source_address(attribute(entry, TUPLE_REPLY)?)?)
}

/// Requests all connections, or those whose replies come from this IPv4 address.
fn request(family: u8, from: Option<u32>) -> Vec<u8> {
    netlink::request(GET, NLM_F_DUMP, 1, (family, 0), &|message| {
        let Some(bits) = from else { return };
        put_nested(message, TUPLE_REPLY, |message| {
            put_nested(message, TUPLE_IP, |message| put(message, IP_V4_SOURCE, &bits.to_be_bytes()));
        });
        put_nested(message, FILTER, |message| {
            put(message, FILTER_REPLY_FLAGS, &FILTER_SOURCE.to_ne_bytes());
        });
    })
}

/// Who opened this connection, if its handshake was seen.
pub fn opener(entry: &[u8]) -> Option<Opener<'_>> {
    let original = attribute(entry, TUPLE_ORIGINAL)?;
    let protocol = attribute(original, TUPLE_PROTOCOL)?;
    let number = *attribute(protocol, PROTOCOL_NUMBER)?.first()?;
    let flags = attribute(entry, PROTOINFO)
        .and_then(|info| attribute(info, PROTOINFO_TCP))
        .and_then(|tcp| attribute(tcp, TCP_FLAGS_ORIGINAL))
        .and_then(|flags| flags.first().copied());
    if number == TCP && flags.is_some_and(|flags| flags & BE_LIBERAL != 0) {
        return None;
    }
    Some(Opener {
        address: source_address(original)?,
        protocol: number,
        port: attribute(protocol, PROTOCOL_SOURCE_PORT).and_then(|port| be16(port, 0)).unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const INSIDE: [u8; 4] = [192, 168, 1, 10];
    const SOURCE: [u8; 4] = [198, 51, 100, 7];

    fn entry(protocol: u8, opener: [u8; 4], answers: [u8; 4], tcp_flags: u8) -> Vec<u8> {
        let mut entry = Vec::new();
        for (tuple, address, port) in [(TUPLE_ORIGINAL, opener, 4000u16), (TUPLE_REPLY, answers, 443)] {
            put_nested(&mut entry, tuple, |entry| {
                put_nested(entry, TUPLE_IP, |entry| put(entry, IP_V4_SOURCE, &address));
                put_nested(entry, TUPLE_PROTOCOL, |entry| {
                    put(entry, PROTOCOL_NUMBER, &[protocol]);
                    put(entry, PROTOCOL_SOURCE_PORT, &port.to_be_bytes());
                });
            });
        }
        put_nested(&mut entry, PROTOINFO, |entry| {
            put_nested(entry, PROTOINFO_TCP, |entry| put(entry, TCP_FLAGS_ORIGINAL, &[tcp_flags, 0xff]));
        });
        entry
    }

    #[test]
    fn whoever_is_answered_by_the_source_opened_the_connection() {
        let source = Source::V4(u32::from_be_bytes(SOURCE));
        let opened = entry(TCP, INSIDE, SOURCE, 3);
        let expected = Opener { address: &INSIDE, protocol: TCP, port: 4000 };
        assert_eq!((answering(&opened), opener(&opened)), (Some(source), Some(expected)));
        // The source opened it.
        assert_ne!(answering(&entry(TCP, SOURCE, INSIDE, 3)), Some(source));
        // Its opening was not seen; UDP has no such thing.
        assert_eq!(opener(&entry(TCP, INSIDE, SOURCE, 3 | BE_LIBERAL)), None);
        assert!(opener(&entry(17, INSIDE, SOURCE, 3 | BE_LIBERAL)).is_some());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), cut in 0usize..120) {
            let whole = entry(TCP, INSIDE, SOURCE, 0);
            for entry in [&bytes[..], &whole[..cut.min(whole.len())]] {
                answering(entry);
                opener(entry);
            }
        }
    }
}
