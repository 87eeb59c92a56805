//! NFLOG messages (linux/netfilter/nfnetlink_log.h) in netlink framing (RFC 3549).
//!
//! Takes the bytes of one datagram, gives the messages in it; makes the bytes of requests.
//! Headers are in the machine's byte order, the values of attributes big-endian. Pure: never
//! panics, never allocates while reading.

use super::netlink::{self, Frame, NFGENMSG, NLM_F_ACK, NLMSG_ERROR, attributes, be16, be32, put};

/// `NFNL_SUBSYS_ULOG` in the upper byte.
const MSG_PACKET: u16 = 4 << 8;
const MSG_CONFIG: u16 = 4 << 8 | 1;

const CFG_CMD: u16 = 1;
const CFG_MODE: u16 = 2;
const CFG_NLBUFSIZ: u16 = 3;
const CFG_TIMEOUT: u16 = 4;
const CFG_QTHRESH: u16 = 5;
const CFG_FLAGS: u16 = 6;
const CFG_CMD_BIND: u8 = 1;
const COPY_PACKET: u8 = 2;
const CFG_F_SEQ: u16 = 1;

const ARPHRD_ETHER: u16 = 1;

/// One logged packet. Numbers that the kernel did not send are 0, texts empty.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Record<'a> {
    /// `NFULA_IFINDEX_INDEV`: an interface index; 0: none.
    pub input: u32,
    /// `NFULA_IFINDEX_OUTDEV`; 0: none.
    pub output: u32,
    /// Index of the bridge's port.
    pub bridge_input: u32,
    /// `NFULA_IFINDEX_PHYSOUTDEV`; 0: none.
    pub bridge_output: u32,
    /// `NFULA_HWTYPE`: an ARPHRD_ number.
    pub hardware_type: u16,
    /// `NFULA_HWHEADER`: the link layer's header.
    pub hardware_header: &'a [u8],
    /// The log prefix without the NUL at its end.
    pub prefix: &'a [u8],
    /// The packet from its IP header on, as far as it was copied.
    pub payload: &'a [u8],
    /// Counts the packets of this group.
    pub sequence: Option<u32>,
}

impl Record<'_> {
    /// The frame went to a broadcast or multicast address of the link.
    pub fn group_mac(&self) -> bool {
        self.hardware_type == ARPHRD_ETHER
            && self.hardware_header.len() >= 14
            && self.hardware_header[0] & 1 != 0
    }
}

/// A message on an NFLOG socket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Message<'a> {
    Packet(Record<'a>),
    /// The answer to the request with this number: an errno, 0 for success.
    Answer {
        request: u32,
        errno: i32,
    },
    /// The end of a batch, a message of another subsystem, or of messages that were lost.
    Other,
    /// Lengths that do not fit together: this message is skipped, or the rest of the datagram
    /// if it is the message's own length.
    Malformed,
}

/// The messages of one datagram.
pub fn messages(datagram: &[u8]) -> impl Iterator<Item = Message<'_>> {
    netlink::frames(datagram).map(|frame| frame.map_or(Message::Malformed, read_message))
}

fn read_message(frame: Frame<'_>) -> Message<'_> {
    match frame.kind {
        MSG_PACKET => read_packet(frame.body).map_or(Message::Malformed, Message::Packet),
        NLMSG_ERROR => match frame.answer() {
            Some((request, errno)) => Message::Answer { request, errno },
            None => Message::Malformed,
        },
        _ => Message::Other,
    }
}

/// `None`: lengths do not fit, or a value is too short for what it is. Unknown attributes are skipped.
fn read_packet(body: &[u8]) -> Option<Record<'_>> {
    let mut record = Record::default();
    for attribute in attributes(body.get(NFGENMSG..)?) {
        let (kind, value) = attribute?;
        match kind {
            4 => record.input = be32(value, 0)?,
            5 => record.output = be32(value, 0)?,
            6 => record.bridge_input = be32(value, 0)?,
            7 => record.bridge_output = be32(value, 0)?,
            9 => record.payload = value,
            10 => record.prefix = netlink::text(value),
            12 => record.sequence = Some(be32(value, 0)?),
            15 => record.hardware_type = be16(value, 0)?,
            16 => record.hardware_header = value,
            _ => {}
        }
    }
    Some(record)
}

/// Bytes of each packet that are copied: IPv4 with all options and TCP need 80; IPv6 with TCP 60, so 68 are left
/// for its extension headers.
pub const COPY_RANGE: u32 = 128;

/// Packets of a batch. A rule's `queue-threshold` can only lower it and should be the same; a lower one costs time.
pub const QUEUE_THRESHOLD: u32 = 40;

/// Bytes of a batch's buffer in the kernel. With its administration it fills a block of 8 KiB, and
/// 36 packets of a scan (some 205 bytes each) fill it: the kernel need not copy it to a smaller
/// block, and the receive buffer holds the more of them.
const BATCH_BUFFER: u32 = 7500;

/// A batch waits at most 20 ms for its next packet: the guard's answer to a slow flood waits for it.
const FLUSH_TIMEOUT: u32 = 2;

/// The request number `request` to listen to `group`, with sequence numbers. All of it is one message, so that there is no
/// time in which packets are logged in another way.
pub fn listen(group: u16, request: u32) -> Vec<u8> {
    netlink::request(MSG_CONFIG, NLM_F_ACK, request, (0, group), &|message| {
        put(message, CFG_CMD, &[CFG_CMD_BIND]);
        let range = COPY_RANGE.to_be_bytes();
        put(message, CFG_MODE, &[range[0], range[1], range[2], range[3], COPY_PACKET, 0]);
        put(message, CFG_NLBUFSIZ, &BATCH_BUFFER.to_be_bytes());
        put(message, CFG_TIMEOUT, &FLUSH_TIMEOUT.to_be_bytes());
        put(message, CFG_QTHRESH, &QUEUE_THRESHOLD.to_be_bytes());
        put(message, CFG_FLAGS, &CFG_F_SEQ.to_be_bytes());
    })
}

/// A request of no known kind. The kernel refuses it with EPERM to those who have no permission
/// for netfilter, with EINVAL to the others.
pub fn nothing(group: u16, request: u32) -> Vec<u8> {
    netlink::request(MSG_PACKET | 0xff, NLM_F_ACK, request, (0, group), &|_| {})
}

/// A packet message for the tests of those who read them.
#[cfg(test)]
pub fn example(sequence: u32, payload: &[u8]) -> Vec<u8> {
    netlink::request(MSG_PACKET, NLM_F_ACK, 0, (0, 32), &|message| {
        put(message, 10, b"drop wan in: \0");
        put(message, 12, &sequence.to_be_bytes());
        put(message, 9, payload);
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::netlink::{NLMSG_DONE, NLMSG_OVERRUN};
    use proptest::prelude::*;

    /// A packet message with these attributes.
    fn packet(attributes: &[(u16, &[u8])]) -> Vec<u8> {
        netlink::request(MSG_PACKET, NLM_F_ACK, 0, (2, 32), &|message| {
            for (kind, value) in attributes {
                put(message, *kind, value);
            }
        })
    }

    fn header(length: u32, kind: u16) -> Vec<u8> {
        let mut message = length.to_ne_bytes().to_vec();
        message.extend(kind.to_ne_bytes());
        message.resize(16, 0);
        message
    }

    #[test]
    fn every_attribute_is_read() {
        let ethernet = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 8, 0];
        let message = packet(&[
            (10, b"drop wan in: \0"),
            (4, &[0, 0, 0, 7]),
            (5, &[0, 0, 0, 8]),
            (6, &[0, 0, 0, 9]),
            (7, &[0, 0, 0, 10]),
            (15, &[0, 1]),
            (17, &[0, 14]),
            (16, &ethernet),
            (12, &[0, 0, 0, 3]),
            (99, b"later kernels"),
            (9, b"payload"),
        ]);
        let expected = Record {
            input: 7,
            output: 8,
            bridge_input: 9,
            bridge_output: 10,
            hardware_type: 1,
            hardware_header: &ethernet,
            prefix: b"drop wan in: ",
            payload: b"payload",
            sequence: Some(3),
        };
        assert!(expected.group_mac());
        assert_eq!(messages(&message).collect::<Vec<_>>(), [Message::Packet(expected)]);
    }

    #[test]
    fn a_batch_is_read_message_by_message() {
        let mut datagram = packet(&[(12, &[0, 0, 0, 1]), (9, b"odd")]);
        datagram.extend(packet(&[(12, &[0, 0, 0, 2])]));
        datagram.extend(header(16, 1));
        datagram.extend(header(16, NLMSG_OVERRUN));
        datagram.extend(header(16, 0x0105));
        let mut done = header(20, NLMSG_DONE);
        done.extend([0; 4]);
        datagram.extend(done);
        let kinds: Vec<String> = messages(&datagram)
            .map(|message| match message {
                Message::Packet(record) => format!("packet {:?}", record.sequence),
                other => format!("{other:?}"),
            })
            .collect();
        let expected = ["packet Some(1)", "packet Some(2)", "Other", "Other", "Other", "Other"];
        assert_eq!(kinds, expected);
    }

    #[test]
    fn answers_carry_the_error_and_the_request() {
        for (error, errno) in [(0i32, 0), (-16, 16), (i32::MIN, i32::MAX), (5, 0)] {
            let mut message = header(36, NLMSG_ERROR);
            message.extend(error.to_ne_bytes());
            message.extend(nothing(32, 77)[..16].to_vec());
            let expected = Message::Answer { request: 77, errno };
            assert_eq!(messages(&message).collect::<Vec<_>>(), [expected]);
        }
    }

    #[test]
    fn lengths_that_lie_cost_one_message_or_one_datagram() {
        // An attribute that ends beyond its message: the message is skipped, the next one read.
        let mut datagram = packet(&[(12, &[0, 0, 0, 1])]);
        datagram[20..22].copy_from_slice(&200u16.to_ne_bytes());
        datagram.extend(packet(&[(12, &[0, 0, 0, 2])]));
        assert_eq!(messages(&datagram).next(), Some(Message::Malformed));
        assert!(matches!(messages(&datagram).nth(1), Some(Message::Packet(_))));
        // An attribute shorter than its own header, and a value too short for its kind.
        for (length, value) in [(0u16, &[][..]), (3, &[]), (6, &[0, 0])] {
            let mut datagram = packet(&[(12, value)]);
            datagram[20..22].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(messages(&datagram).collect::<Vec<_>>(), [Message::Malformed]);
        }
        // A message's own length that is too short or beyond the datagram: the rest is skipped.
        for length in [0u32, 15, 4096, u32::MAX] {
            let mut datagram = packet(&[]);
            datagram[..4].copy_from_slice(&length.to_ne_bytes());
            datagram.extend(packet(&[]));
            assert_eq!(messages(&datagram).collect::<Vec<_>>(), [Message::Malformed]);
        }
        // A packet message without room for nfgenmsg.
        assert_eq!(messages(&header(16, MSG_PACKET)).next(), Some(Message::Malformed));
        assert_eq!(messages(&[1, 2, 3]).collect::<Vec<_>>(), [Message::Malformed]);
    }

    #[test]
    fn group_mac_needs_an_ethernet_header() {
        let mut record = Record { hardware_type: 1, hardware_header: &[1; 14], ..Record::default() };
        assert!(record.group_mac());
        record.hardware_header = &[1; 13];
        assert!(!record.group_mac());
        record = Record { hardware_type: 512, hardware_header: &[1; 14], ..Record::default() };
        assert!(!record.group_mac());
    }

    #[test]
    fn requests_have_the_kernels_form() {
        let message = listen(32, 5);
        assert_eq!(
            message.first_chunk().map(|length| u32::from_ne_bytes(*length)),
            Some(message.len() as u32)
        );
        assert_eq!(message[4..8], [MSG_CONFIG.to_ne_bytes(), 5u16.to_ne_bytes()].concat());
        assert_eq!(message[8..12], 5u32.to_ne_bytes());
        assert_eq!(message[16..20], [0, 0, 0, 32]);
        assert_eq!(message[24..28], [CFG_CMD_BIND, 0, 0, 0]);
        assert_eq!(message[32..38], [0, 0, 0, 128, 2, 0]);
        assert_eq!(message.len(), 20 + 8 + 12 + 8 + 8 + 8 + 8);
        assert_eq!(nothing(32, 5)[4..6], 0x04ffu16.to_ne_bytes());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            for message in messages(&bytes) {
                if let Message::Packet(record) = message {
                    record.group_mac();
                }
            }
        }

        #[test]
        fn a_damaged_datagram_is_read_without_a_panic(
            at in 0usize..140,
            value in any::<u8>(),
            cut in 0usize..200,
        ) {
            let mut datagram = packet(&[(10, b"drop wan in: \0"), (12, &[0, 0, 0, 1]), (9, &[0x45; 40])]);
            datagram.extend(packet(&[(12, &[0, 0, 0, 2]), (16, &[1; 14])]));
            let at = at.min(datagram.len() - 1);
            datagram[at] = value;
            datagram.truncate(cut);
            prop_assert!(messages(&datagram).count() <= datagram.len());
        }
    }
}
