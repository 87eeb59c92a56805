//! nf_tables messages (linux/netfilter/nf_tables.h): what changes in tables, and the elements of sets.
//!
//! Takes the bytes of one datagram, gives the messages in it; makes the bytes of requests. Pure: never
//! panics, never allocates while reading.

use super::netlink::{
    self, Frame, NFGENMSG, NLM_F_ACK, NLM_F_DUMP, NLMSG_DONE, NLMSG_ERROR, NLMSG_OVERRUN, attribute,
    attributes, be32, be64, put, put_nested, text,
};

/// The group of notifications about tables.
pub const NFNLGRP_NFTABLES: u32 = 7;

const NFPROTO_INET: u8 = 1;
const SUBSYSTEM: u16 = 10 << 8;
const NEWTABLE: u16 = SUBSYSTEM;
const GETTABLE: u16 = SUBSYSTEM | 1;
const DELTABLE: u16 = SUBSYSTEM | 2;
const DELCHAIN: u16 = SUBSYSTEM | 5;
const DELRULE: u16 = SUBSYSTEM | 8;
const DELSET: u16 = SUBSYSTEM | 11;
const NEWSETELEM: u16 = SUBSYSTEM | 12;
const GETSETELEM: u16 = SUBSYSTEM | 13;
const DELSETELEM: u16 = SUBSYSTEM | 14;
const NEWOBJ: u16 = SUBSYSTEM | 18;
const GETOBJ: u16 = SUBSYSTEM | 19;
const DESTROYTABLE: u16 = SUBSYSTEM | 26;
const DESTROYSETELEM: u16 = SUBSYSTEM | 30;

/// The name of the table is the first attribute of every message.
const TABLE: u16 = 1;
const LIST_SET: u16 = 2;
const LIST_ELEMENTS: u16 = 3;
const LIST_ELEMENT: u16 = 1;
const ELEMENT_KEY: u16 = 1;
const ELEMENT_DATA: u16 = 2;
const ELEMENT_FLAGS: u16 = 3;
/// The element is the first address behind a range.
const INTERVAL_END: u32 = 1;
const ELEMENT_EXPIRATION: u16 = 5;
const ELEMENT_EXPRESSION: u16 = 7;
const DATA_VALUE: u16 = 1;
const DATA_VERDICT: u16 = 2;
const VERDICT_CODE: u16 = 1;
const NF_DROP: u32 = 0;
const EXPRESSION_DATA: u16 = 2;
const COUNTER_PACKETS: u16 = 2;
const ELEMENT_TIMEOUT: u16 = 4;
const OBJECT_NAME: u16 = 2;
const OBJECT_TYPE: u16 = 3;
const OBJECT_DATA: u16 = 4;
const OBJECT_COUNTER: u32 = 1;

/// Messages of a transaction stand between these two (linux/netfilter/nfnetlink.h).
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const NLM_F_CREATE: u16 = 0x400;

/// One element of a set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Element<'a> {
    /// In network byte order.
    pub key: &'a [u8],
    /// The first address behind a range; else the first one of a range, or a single one.
    pub is_end: bool,
    /// Until it ends, in milliseconds; `None` for an element without a timeout.
    pub expires_ms: Option<u64>,
    /// Its counter, if the set's elements have one.
    pub packets: Option<u64>,
}

/// A message of the nf_tables subsystem.
#[derive(Clone, Debug)]
pub enum Message<'a> {
    /// Something of this table of family inet was deleted by the socket with this number.
    Removed {
        table: &'a [u8],
        port: u32,
    },
    /// Elements of a set, as an answer or a notification.
    Elements(Elements<'a>),
    /// The packets of a named counter.
    Counter(Option<u64>),
    /// The answer to the request with this number: an errno, 0 for success.
    Answer {
        request: u32,
        errno: i32,
    },
    /// The end of a list.
    Done,
    /// Messages were lost, or lengths do not fit together: anything may have changed.
    Unknown,
    Other,
}

/// The messages of one datagram.
pub fn messages(datagram: &[u8]) -> impl Iterator<Item = Message<'_>> {
    netlink::frames(datagram).map(|frame| frame.map_or(Message::Unknown, read))
}

/// One message.
pub fn read(frame: Frame<'_>) -> Message<'_> {
    let rest = frame.body.get(NFGENMSG..).unwrap_or_default();
    match frame.kind {
        DELTABLE | DELCHAIN | DELRULE | DELSET | DELSETELEM | DESTROYTABLE..=DESTROYSETELEM
            if frame.body.first() == Some(&NFPROTO_INET) =>
        {
            match attribute(rest, TABLE) {
                Some(table) => Message::Removed { table: text(table), port: frame.port },
                None => Message::Unknown,
            }
        }
        NEWOBJ => {
            let packets = attribute(rest, OBJECT_DATA).and_then(|data| attribute(data, COUNTER_PACKETS));
            Message::Counter(packets.and_then(|value| be64(value, 0)))
        }
        NEWSETELEM => Message::Elements(Elements(attribute(rest, LIST_ELEMENTS).unwrap_or_default())),
        NLMSG_ERROR => match frame.answer() {
            Some((request, errno)) => Message::Answer { request, errno },
            None => Message::Unknown,
        },
        NLMSG_DONE => Message::Done,
        NLMSG_OVERRUN => Message::Unknown,
        _ => Message::Other,
    }
}

/// The elements in a message (`NFTA_SET_ELEM_LIST_ELEMENTS`).
#[derive(Clone, Copy, Debug)]
pub struct Elements<'a>(&'a [u8]);

impl<'a> Elements<'a> {
    /// Whether one of a verdict map's elements drops. That of `*` has no key.
    pub fn any_drops(self) -> bool {
        attributes(self.0).flatten().any(|(_, element)| {
            let verdict = attribute(element, ELEMENT_DATA).and_then(|data| attribute(data, DATA_VERDICT));
            let code = verdict.and_then(|verdict| attribute(verdict, VERDICT_CODE));
            code.and_then(|code| be32(code, 0)) == Some(NF_DROP)
        })
    }

    /// Those that have a key.
    pub fn iter(self) -> impl Iterator<Item = Element<'a>> {
        attributes(self.0).flatten().filter_map(|(_, element)| {
            let key = attribute(attribute(element, ELEMENT_KEY)?, DATA_VALUE)?;
            let flags = attribute(element, ELEMENT_FLAGS).and_then(|value| be32(value, 0));
            let is_end = flags.is_some_and(|flags| flags & INTERVAL_END != 0);
            let expires_ms = attribute(element, ELEMENT_EXPIRATION).and_then(|value| be64(value, 0));
            let packets = attribute(element, ELEMENT_EXPRESSION)
                .and_then(|expression| attribute(expression, EXPRESSION_DATA))
                .and_then(|data| attribute(data, COUNTER_PACKETS))
                .and_then(|value| be64(value, 0));
            Some(Element { key, is_end, expires_ms, packets })
        })
    }
}

fn name(message: &mut Vec<u8>, kind: u16, name: &str) {
    put(message, kind, &[name.as_bytes(), b"\0"].concat());
}

/// Whether this table of family inet is there.
pub fn get_table(table: &str, request: u32) -> Vec<u8> {
    let fill = |message: &mut Vec<u8>| name(message, TABLE, table);
    netlink::request(GETTABLE, NLM_F_ACK, request, (NFPROTO_INET, 0), &fill)
}

/// One element of a set, by its key.
pub fn get_element(table: &str, set: &str, key: &[u8], request: u32) -> Vec<u8> {
    netlink::request(GETSETELEM, NLM_F_ACK, request, (NFPROTO_INET, 0), &|message| {
        name(message, TABLE, table);
        name(message, LIST_SET, set);
        put_nested(message, LIST_ELEMENTS, |message| element(message, key, 0, None));
    })
}

/// All elements of a set.
pub fn list_elements(table: &str, set: &str, request: u32) -> Vec<u8> {
    list_elements_of(NFPROTO_INET, table, set, request)
}

/// All elements of a set or map of a table of another family.
pub fn list_elements_of(family: u8, table: &str, set: &str, request: u32) -> Vec<u8> {
    netlink::request(GETSETELEM, NLM_F_DUMP, request, (family, 0), &|message| {
        name(message, TABLE, table);
        name(message, LIST_SET, set);
    })
}

/// A named counter of a table.
pub fn get_counter(table: &str, counter: &str, request: u32) -> Vec<u8> {
    netlink::request(GETOBJ, NLM_F_ACK, request, (NFPROTO_INET, 0), &|message| {
        name(message, TABLE, table);
        name(message, OBJECT_NAME, counter);
        put(message, OBJECT_TYPE, &OBJECT_COUNTER.to_be_bytes());
    })
}

/// An element of a set, or a range of an interval set, to add or delete: the (first) key, the key after the last one of a
/// range that has an end, and a timeout in ms.
pub type Change = (Vec<u8>, Option<Vec<u8>>, Option<u64>);

/// Changes of one table that take place all together or not at all, as one datagram.
pub struct Transaction<'a> {
    table: &'a str,
    bytes: Vec<u8>,
    request: u32,
}

impl<'a> Transaction<'a> {
    /// `request`: the number of its first message; the others count up from it.
    pub fn new(table: &'a str, request: u32) -> Transaction<'a> {
        let bytes = netlink::request(BATCH_BEGIN, 0, request, (0, SUBSYSTEM >> 8), &|_| {});
        Transaction { table, bytes, request }
    }

    fn push(&mut self, kind: u16, flags: u16, fill: &dyn Fn(&mut Vec<u8>)) {
        self.request = self.request.wrapping_add(1);
        let flags = flags | NLM_F_ACK;
        self.bytes.extend(netlink::request(kind, flags, self.request, (NFPROTO_INET, 0), fill));
    }

    /// Adds elements or ranges to a set. An element that is there stays as it is; no range may overlap another one.
    pub fn add(&mut self, set: &str, added: &[Change]) {
        self.change((NEWSETELEM, NLM_F_CREATE), set, added);
    }

    /// Removes elements or ranges from a set; each must be there.
    pub fn delete(&mut self, set: &str, deleted: &[Change]) {
        self.change((DELSETELEM, 0), set, deleted);
    }

    fn change(&mut self, (kind, flags): (u16, u16), set: &str, changes: &[Change]) {
        let table = self.table;
        self.push(kind, flags, &|message| {
            name(message, TABLE, table);
            name(message, LIST_SET, set);
            put_nested(message, LIST_ELEMENTS, |message| {
                for (first, behind, timeout) in changes {
                    element(message, first, 0, *timeout);
                    if let Some(behind) = behind {
                        element(message, behind, INTERVAL_END, None);
                    }
                }
            });
        });
    }

    /// Takes the table away, whether it is there or not.
    pub fn delete_table(&mut self) {
        let table = self.table;
        self.push(NEWTABLE, NLM_F_CREATE, &|message| name(message, TABLE, table));
        self.push(DELTABLE, 0, &|message| name(message, TABLE, table));
    }

    /// The datagram, and the number of its last message that is answered.
    pub fn finish(mut self) -> (Vec<u8>, u32) {
        let end = self.request.wrapping_add(1);
        self.bytes.extend(netlink::request(BATCH_END, 0, end, (0, SUBSYSTEM >> 8), &|_| {}));
        (self.bytes, self.request)
    }
}

fn element(message: &mut Vec<u8>, key: &[u8], flags: u32, timeout: Option<u64>) {
    put_nested(message, LIST_ELEMENT, |message| {
        put_nested(message, ELEMENT_KEY, |message| put(message, DATA_VALUE, key));
        if flags != 0 {
            put(message, ELEMENT_FLAGS, &flags.to_be_bytes());
        }
        if let Some(timeout) = timeout {
            put(message, ELEMENT_TIMEOUT, &timeout.to_be_bytes());
        }
    });
}

/// Notifications for the tests of those who read them.
#[cfg(test)]
pub fn example(table: &str, key: &[u8]) -> Vec<u8> {
    let mut datagram =
        netlink::request(DELTABLE, 0, 0, (NFPROTO_INET, 5), &|message| name(message, TABLE, table));
    datagram.extend(netlink::request(NEWSETELEM, 0, 0, (NFPROTO_INET, 5), &|message| {
        name(message, TABLE, table);
        put_nested(message, LIST_ELEMENTS, |message| {
            put_nested(message, LIST_ELEMENT, |message| {
                put_nested(message, ELEMENT_KEY, |message| put(message, DATA_VALUE, key));
                put(message, ELEMENT_EXPIRATION, &5000u64.to_be_bytes());
                put_nested(message, ELEMENT_EXPRESSION, |message| {
                    name(message, 1, "counter");
                    put_nested(message, EXPRESSION_DATA, |message| {
                        put(message, 1, &60u64.to_be_bytes());
                        put(message, COUNTER_PACKETS, &3u64.to_be_bytes());
                    });
                });
            });
        });
    }));
    datagram
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn removals_and_elements_are_read() {
        let datagram = example("fwstat", &[198, 51, 100, 7]);
        let read: Vec<Message<'_>> = messages(&datagram).collect();
        assert!(matches!(read[0], Message::Removed { table: b"fwstat", port: 0 }));
        let Message::Elements(elements) = read[1].clone() else { panic!("{read:?}") };
        let key = &[198, 51, 100, 7];
        let expected = Element { key, is_end: false, expires_ms: Some(5000), packets: Some(3) };
        assert_eq!(elements.iter().collect::<Vec<_>>(), [expected]);
    }

    #[test]
    fn an_element_of_a_map_that_drops_needs_no_key() {
        let any_drops = |codes: &[u32]| {
            let message = netlink::request(NEWSETELEM, 0, 0, (2, 0), &|message| {
                put_nested(message, LIST_ELEMENTS, |message| {
                    for code in codes {
                        put_nested(message, LIST_ELEMENT, |message| {
                            put_nested(message, ELEMENT_DATA, |message| {
                                put_nested(message, DATA_VERDICT, |message| {
                                    put(message, VERDICT_CODE, &code.to_be_bytes());
                                });
                            });
                        });
                    }
                });
            });
            let Some(Message::Elements(elements)) = messages(&message).next() else { panic!() };
            elements.any_drops()
        };
        assert!(any_drops(&[1, NF_DROP]));
        // NF_ACCEPT and NFT_JUMP.
        assert!(!any_drops(&[1, u32::MAX - 2]));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), cut in 0usize..200) {
            let whole = example("fwstat", &[1; 16]);
            for datagram in [&bytes[..], &whole[..cut.min(whole.len())]] {
                for message in messages(datagram) {
                    if let Message::Elements(elements) = message {
                        elements.any_drops();
                        elements.iter().for_each(drop);
                    }
                }
            }
        }
    }
}
