//! The attributes of one message, borrowed from the receive buffer.
//!
//! Takes a message's bytes, gives the attributes that are known; others are skipped.

use ubus::envelope::{UbusAttr, iter_attrs};

/// The attributes of a message (`enum ubus_msg_attr` of ubus's ubusmsg.h).
#[derive(Clone, Copy, Default, Debug)]
pub struct Attributes<'a> {
    pub status: Option<i32>,
    pub object: Option<u32>,
    pub target: Option<u32>,
    pub method: Option<&'a str>,
    pub data: Option<&'a [u8]>,
    pub no_reply: bool,
}

impl<'a> Attributes<'a> {
    /// Parses the attributes: of a repeated attribute the last one counts, a malformed one ends the parsing.
    pub fn read(bytes: &'a [u8]) -> Attributes<'a> {
        let mut read = Attributes::default();
        for attribute in iter_attrs(bytes) {
            match UbusAttr::from_u8(attribute.id) {
                Some(UbusAttr::Status) => {
                    read.status = attribute.as_u32().map(u32::cast_signed).or(read.status);
                }
                Some(UbusAttr::ObjId) => read.object = attribute.as_u32().or(read.object),
                Some(UbusAttr::Target) => read.target = attribute.as_u32().or(read.target),
                Some(UbusAttr::Method) => read.method = attribute.as_str().or(read.method),
                Some(UbusAttr::Data) => read.data = Some(attribute.payload),
                Some(UbusAttr::NoReply) => read.no_reply = attribute.as_bool_int8(),
                _ => {}
            }
        }
        read
    }
}
