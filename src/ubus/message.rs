//! The attributes of one message, borrowed from the receive buffer.
//!
//! Takes a message's bytes, gives the attributes that are known; others are skipped.

use ubus::envelope::{UbusAttr, iter_attrs};

/// Kinds of messages (`enum ubus_msg_type` of ubus).
pub mod kind {
    /// Message types (`enum ubus_msg_type` of ubus's ubusmsg.h).
    pub const HELLO: u8 = 0;
    pub const STATUS: u8 = 1;
    pub const DATA: u8 = 2;
    pub const LOOKUP: u8 = 4;
    pub const INVOKE: u8 = 5;
    pub const ADD_OBJECT: u8 = 6;
    pub const SUBSCRIBE: u8 = 8;
    pub const UNSUBSCRIBE: u8 = 9;
    pub const NOTIFY: u8 = 10;
}

/// The attributes of a message (`enum ubus_msg_attr` of ubus's ubusmsg.h).
#[derive(Clone, Copy, Default, Debug)]
pub struct Attributes<'a> {
    pub status: Option<i32>,
    pub object: Option<u32>,
    pub target: Option<u32>,
    pub path: Option<&'a str>,
    pub method: Option<&'a str>,
    pub signature: Option<&'a [u8]>,
    pub data: Option<&'a [u8]>,
    pub no_reply: bool,
}

impl<'a> Attributes<'a> {
    /// Parses the attributes: of a repeated attribute the last one counts, a malformed one ends the parsing.
    pub fn read(bytes: &'a [u8]) -> Attributes<'a> {
        let mut read = Attributes::default();
        for attribute in iter_attrs(bytes) {
            const STATUS: u8 = UbusAttr::Status as u8;
            const PATH: u8 = UbusAttr::ObjPath as u8;
            const OBJECT: u8 = UbusAttr::ObjId as u8;
            const METHOD: u8 = UbusAttr::Method as u8;
            const SIGNATURE: u8 = UbusAttr::Signature as u8;
            const DATA: u8 = UbusAttr::Data as u8;
            const TARGET: u8 = UbusAttr::Target as u8;
            const NO_REPLY: u8 = UbusAttr::NoReply as u8;
            match attribute.id {
                STATUS => read.status = attribute.as_u32().map(|status| status as i32).or(read.status),
                OBJECT => read.object = attribute.as_u32().or(read.object),
                TARGET => read.target = attribute.as_u32().or(read.target),
                PATH => read.path = attribute.as_str().or(read.path),
                METHOD => read.method = attribute.as_str().or(read.method),
                SIGNATURE => read.signature = Some(attribute.payload),
                DATA => read.data = Some(attribute.payload),
                NO_REPLY => read.no_reply = attribute.as_bool_int8(),
                _ => {}
            }
        }
        read
    }
}
