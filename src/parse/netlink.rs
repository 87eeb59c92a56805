//! Netlink framing (RFC 3549) and the attributes of netfilter's messages.
//!
//! Takes the bytes of a datagram, gives its messages; makes the bytes of requests. Headers are in the
//! machine's byte order. Pure: never panics, never allocates while reading.

/// Message types below `NLMSG_MIN_TYPE` (linux/netlink.h): an error, or with errno 0 an acknowledgement.
pub const NLMSG_ERROR: u16 = 2;
/// The end of an answer in several messages.
pub const NLMSG_DONE: u16 = 3;
/// Data was lost.
pub const NLMSG_OVERRUN: u16 = 4;
/// Flags of a message's header (linux/netlink.h).
pub const NLM_F_REQUEST: u16 = 1;
/// An acknowledgement is wanted.
pub const NLM_F_ACK: u16 = 4;
/// `NLM_F_ROOT` with `NLM_F_MATCH`: the whole table is wanted.
pub const NLM_F_DUMP: u16 = 0x300;

const NLMSG_HEADER: usize = 16;
const ATTRIBUTE_HEADER: usize = 4;
/// The two upper bits of an attribute's type are flags (nested, byte order).
const ATTRIBUTE_TYPE: u16 = 0x3fff;
const NESTED: u16 = 0x8000;

/// `struct nfgenmsg`, which every netfilter message begins with: family, version, resource.
pub const NFGENMSG: usize = 4;

/// One message: its header's fields and what follows the header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame<'a> {
    /// `nlmsg_type` (linux/netlink.h).
    pub kind: u16,
    /// `nlmsg_seq`: the request's number in an answer.
    pub sequence: u32,
    /// Who asked, by the number of the asking socket; mostly its process id.
    pub port: u32,
    /// What follows the header.
    pub body: &'a [u8],
}

impl Frame<'_> {
    /// Of an answer (`NLMSG_ERROR`): the request's number and the errno, 0 for success.
    pub fn answer(&self) -> Option<(u32, i32)> {
        let (error, request) = (native32(self.body, 0)?, native32(self.body, 12)?);
        Some((request, (error as i32).saturating_neg().max(0)))
    }
}

/// The messages of a datagram. None at the end: a length that is beyond the datagram, or shorter than a header.
pub fn frames(datagram: &[u8]) -> impl Iterator<Item = Option<Frame<'_>>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let length = native32(rest, 0).unwrap_or(0) as usize;
        if !(NLMSG_HEADER..=rest.len()).contains(&length) {
            rest = &[];
            return Some(None);
        }
        let message = &rest[..length];
        rest = rest.get(align4(length)..).unwrap_or_default();
        Some(Some(Frame {
            kind: u16::from_ne_bytes([message[4], message[5]]),
            sequence: native32(message, 8).unwrap_or(0),
            port: native32(message, 12).unwrap_or(0),
            body: &message[NLMSG_HEADER..],
        }))
    })
}

/// The attributes in these bytes: type (without its flags) and value. Ends with None if a length does not fit.
pub fn attributes(bytes: &[u8]) -> impl Iterator<Item = Option<(u16, &[u8])>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.len() < ATTRIBUTE_HEADER {
            return None;
        }
        let length = usize::from(u16::from_ne_bytes([rest[0], rest[1]]));
        let kind = u16::from_ne_bytes([rest[2], rest[3]]) & ATTRIBUTE_TYPE;
        let Some(value) = rest.get(ATTRIBUTE_HEADER..length) else {
            rest = &[];
            return Some(None);
        };
        rest = rest.get(align4(length)..).unwrap_or_default();
        Some(Some((kind, value)))
    })
}

/// The value of the first attribute of this type.
pub fn attribute(bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    attributes(bytes).flatten().find(|(kind, _)| *kind == wanted).map(|(_, value)| value)
}

/// A text's bytes up to its NUL.
pub fn text(value: &[u8]) -> &[u8] {
    &value[..value.iter().position(|&byte| byte == 0).unwrap_or(value.len())]
}

/// A request to netfilter, with the attributes that `fill` puts.
pub fn request(
    kind: u16,
    flags: u16,
    sequence: u32,
    (family, resource): (u8, u16),
    fill: &dyn Fn(&mut Vec<u8>),
) -> Vec<u8> {
    let mut message = vec![0; 4];
    message.extend(kind.to_ne_bytes());
    message.extend((NLM_F_REQUEST | flags).to_ne_bytes());
    message.extend(sequence.to_ne_bytes());
    message.extend([0; 4]);
    message.extend([family, 0]);
    message.extend(resource.to_be_bytes());
    fill(&mut message);
    let length = message.len() as u32;
    message[..4].copy_from_slice(&length.to_ne_bytes());
    message
}

/// Appends an attribute, padded to 4 bytes.
pub fn put(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    message.extend(((ATTRIBUTE_HEADER + value.len()) as u16).to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(value);
    message.resize(align4(message.len()), 0);
}

/// An attribute that is made of others.
pub fn put_nested(message: &mut Vec<u8>, kind: u16, fill: impl FnOnce(&mut Vec<u8>)) {
    let start = message.len();
    put(message, kind | NESTED, &[]);
    fill(message);
    let length = (message.len() - start) as u16;
    message[start..start + 2].copy_from_slice(&length.to_ne_bytes());
}

const fn align4(length: usize) -> usize {
    length.saturating_add(3) & !3
}

fn native32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// In network byte order, as numbers in attributes are, at an offset; `None`: too short.
pub fn be16(value: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(value.get(at..at + 2)?.try_into().ok()?))
}

/// In network byte order, at an offset; `None`: too short.
pub fn be32(value: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(value.get(at..at + 4)?.try_into().ok()?))
}

/// In network byte order, at an offset; `None`: too short.
pub fn be64(value: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(value.get(at..at + 8)?.try_into().ok()?))
}
