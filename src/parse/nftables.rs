//! nf_tables messages (linux/netfilter/nf_tables.h): what changes in tables, and the elements of sets.
//!
//! Takes the bytes of one datagram, gives the messages in it; makes the bytes of requests. Pure: never
//! panics, never allocates while reading.

use super::netlink::{
    self, Frame, NFGENMSG, NLM_F_ACK, NLM_F_DUMP, NLMSG_DONE, NLMSG_ERROR, NLMSG_OVERRUN, attribute,
    attributes, be64, put, put_nested, text,
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
const DESTROYTABLE: u16 = SUBSYSTEM | 26;
const DESTROYSETELEM: u16 = SUBSYSTEM | 30;

/// The name of the table is the first attribute of every message.
const TABLE: u16 = 1;
const LIST_SET: u16 = 2;
const LIST_ELEMENTS: u16 = 3;
const LIST_ELEMENT: u16 = 1;
const ELEMENT_KEY: u16 = 1;
const ELEMENT_EXPIRATION: u16 = 5;
const ELEMENT_EXPRESSION: u16 = 7;
const DATA_VALUE: u16 = 1;
const EXPRESSION_DATA: u16 = 2;
const COUNTER_PACKETS: u16 = 2;

/// One element of a set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Element<'a> {
    /// In network byte order.
    pub key: &'a [u8],
    /// Until it ends, in milliseconds; `None` for an element without a timeout.
    pub expires_ms: Option<u64>,
    /// Its counter, if the set's elements have one.
    pub packets: Option<u64>,
}

#[derive(Clone, Debug)]
pub enum Message<'a> {
    /// Something of this table of family inet was taken away by the socket with this number.
    Removed {
        table: &'a [u8],
        port: u32,
    },
    /// Elements of a set, as an answer or a notification.
    Elements(Elements<'a>),
    /// The table that was asked for is there.
    Table,
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

fn read(frame: Frame<'_>) -> Message<'_> {
    let removed = |frame: Frame<'_>| frame.body.first() == Some(&NFPROTO_INET);
    match frame.kind {
        DELTABLE | DELCHAIN | DELRULE | DELSET | DELSETELEM | DESTROYTABLE..=DESTROYSETELEM
            if removed(frame) =>
        {
            let rest = frame.body.get(NFGENMSG..).unwrap_or_default();
            match attribute(rest, TABLE) {
                Some(table) => Message::Removed { table: text(table), port: frame.port },
                None => Message::Unknown,
            }
        }
        NEWTABLE => Message::Table,
        NEWSETELEM => {
            let rest = frame.body.get(NFGENMSG..).unwrap_or_default();
            Message::Elements(Elements {
                list: attributes(attribute(rest, LIST_ELEMENTS).unwrap_or_default()),
            })
        }
        NLMSG_ERROR => match frame.answer() {
            Some((request, errno)) => Message::Answer { request, errno },
            None => Message::Unknown,
        },
        NLMSG_DONE => Message::Done,
        NLMSG_OVERRUN => Message::Unknown,
        _ => Message::Other,
    }
}

#[derive(Clone, Debug)]
pub struct Elements<'a> {
    list: netlink::Attributes<'a>,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        loop {
            let (_, element) = self.list.next()?.ok()?;
            let Some(key) = attribute(element, ELEMENT_KEY).and_then(|key| attribute(key, DATA_VALUE)) else {
                continue;
            };
            let expires_ms = attribute(element, ELEMENT_EXPIRATION).and_then(|value| be64(value, 0));
            let packets = attribute(element, ELEMENT_EXPRESSION)
                .and_then(|expression| attribute(expression, EXPRESSION_DATA))
                .and_then(|data| attribute(data, COUNTER_PACKETS))
                .and_then(|value| be64(value, 0));
            return Some(Element { key, expires_ms, packets });
        }
    }
}

fn name(message: &mut Vec<u8>, kind: u16, name: &str) {
    put(message, kind, &[name.as_bytes(), b"\0"].concat());
}

/// Whether this table of family inet is there.
pub fn get_table(table: &str, request: u32) -> Vec<u8> {
    let fill = |message: &mut Vec<u8>| name(message, TABLE, table);
    netlink::request(GETTABLE, NLM_F_ACK, request, (NFPROTO_INET, 0), fill)
}

/// One element of a set, by its key.
pub fn get_element(table: &str, set: &str, key: &[u8], request: u32) -> Vec<u8> {
    netlink::request(GETSETELEM, NLM_F_ACK, request, (NFPROTO_INET, 0), |message| {
        name(message, TABLE, table);
        name(message, LIST_SET, set);
        put_nested(message, LIST_ELEMENTS, |message| {
            put_nested(message, LIST_ELEMENT, |message| {
                put_nested(message, ELEMENT_KEY, |message| put(message, DATA_VALUE, key));
            });
        });
    })
}

/// All elements of a set.
pub fn list_elements(table: &str, set: &str, request: u32) -> Vec<u8> {
    netlink::request(GETSETELEM, NLM_F_DUMP, request, (NFPROTO_INET, 0), |message| {
        name(message, TABLE, table);
        name(message, LIST_SET, set);
    })
}

/// Notifications for the tests of those who read them.
#[cfg(test)]
pub fn example(table: &str, key: &[u8]) -> Vec<u8> {
    let mut datagram =
        netlink::request(DELTABLE, 0, 0, (NFPROTO_INET, 5), |message| name(message, TABLE, table));
    datagram.extend(netlink::request(NEWSETELEM, 0, 0, (NFPROTO_INET, 5), |message| {
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
        let expected = Element { key: &[198, 51, 100, 7], expires_ms: Some(5000), packets: Some(3) };
        assert_eq!(elements.collect::<Vec<_>>(), [expected]);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), cut in 0usize..200) {
            let whole = example("fwstat", &[1; 16]);
            for datagram in [&bytes[..], &whole[..cut.min(whole.len())]] {
                for message in messages(datagram) {
                    if let Message::Elements(elements) = message {
                        elements.for_each(drop);
                    }
                }
            }
        }
    }
}
