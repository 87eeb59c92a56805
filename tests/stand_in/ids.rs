//! Object ids as OpenWrt's ubusd gives them: random 32 bits. The broker of the crate `ubusd` counts up from 4, so a relay
//! before it gives every object another id, with the highest bit set.
//!
//! ubusd wants the id in `register` as an INT32 blob: what comes as INT64 is passed on as it is, and refused.

use std::io::{self, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use fwstat::ubus::blob;
use ubus::blobmsg::{BlobMsgTable, BlobType, lookup};
use ubus::envelope::{EnvBuilder, UbusAttr, iter_attrs, unwrap};
use ubus::wire::{Codec, Frame, MsgType};

/// Ids below belong to the broker itself.
const SYSTEM: u32 = 4;
const EVENT_OBJECT: u32 = 1;
const SCRAMBLE: u32 = 0xC3A5_9F0E;

/// Its own inverse.
fn other(id: u32) -> u32 {
    if id < SYSTEM { id } else { id ^ SCRAMBLE }
}

/// Relays every connection to `front` to the broker behind `inner`, for ever.
pub fn relay(front: &Path, inner: &Path) -> io::Result<()> {
    let listener = UnixListener::bind(front)?;
    loop {
        let client = listener.accept()?.0;
        let Ok(broker) = UnixStream::connect(inner) else { continue };
        let (client_too, broker_too) = (client.try_clone()?, broker.try_clone()?);
        std::thread::spawn(move || copy(client, broker, true));
        std::thread::spawn(move || copy(broker_too, client_too, false));
    }
}

fn copy(from: UnixStream, mut to: UnixStream, to_broker: bool) {
    let mut reader = BufReader::with_capacity(64 * 1024, from);
    while let Ok(bytes) = message(&mut reader) {
        let bytes = match Codec::read_frame(&bytes) {
            Ok((frame, _)) => Codec::write_frame(&translated(frame, to_broker)),
            Err(_) => bytes,
        };
        if to.write_all(&bytes).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = reader.get_ref().shutdown(Shutdown::Both);
}

fn message(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; 12];
    reader.read_exact(&mut bytes)?;
    let length = u32::from_be_bytes([0, bytes[9], bytes[10], bytes[11]]) as usize;
    bytes.resize((8 + length).max(12), 0);
    reader.read_exact(&mut bytes[12..])?;
    Ok(bytes)
}

fn translated(mut frame: Frame, to_broker: bool) -> Frame {
    // Of a call the peer is the called object; in what is sent on to its owner it is the caller.
    let is_object = match frame.hdr.ty {
        MsgType::Invoke | MsgType::Notify => to_broker,
        MsgType::Data | MsgType::Status => !to_broker,
        _ => false,
    };
    let called = frame.hdr.peer;
    if is_object {
        frame.hdr.peer = other(called);
    }
    let Ok(attributes) = unwrap(&frame.payload) else { return frame };
    let mut method = String::new();
    let mut written = EnvBuilder::new();
    for attribute in iter_attrs(attributes) {
        const OBJECT: u8 = UbusAttr::ObjId as u8;
        const KIND: u8 = UbusAttr::ObjType as u8;
        const TARGET: u8 = UbusAttr::Target as u8;
        const METHOD: u8 = UbusAttr::Method as u8;
        const DATA: u8 = UbusAttr::Data as u8;
        match attribute.id {
            OBJECT | KIND | TARGET => {
                written.push_u32_id(attribute.id, other(attribute.as_u32().unwrap_or_default()));
            }
            DATA if frame.hdr.ty == MsgType::Invoke => {
                let key = if to_broker {
                    ("object", called == EVENT_OBJECT && method == "register")
                } else {
                    ("id", method.starts_with("ubus.object."))
                };
                written.push_bytes_id(DATA, &with_other_id(attribute.payload, key));
            }
            _ => {
                if attribute.id == METHOD {
                    method = attribute.as_str().unwrap_or_default().to_owned();
                }
                written.push_bytes_id(attribute.id, attribute.payload);
            }
        }
    }
    frame.payload = written.finish();
    frame
}

/// The table with the id under this key translated.
fn with_other_id(table: &[u8], (key, is_meant): (&str, bool)) -> Vec<u8> {
    let id = lookup(table, key).filter(|id| is_meant && id.ty == BlobType::Int32);
    let Some(id) = id.and_then(|id| id.as_i32()) else { return table.to_vec() };
    let mut keys = blob::to_value(table);
    let rest = keys.as_object_mut().unwrap();
    rest.remove(key);
    let table = BlobMsgTable::build(|out| {
        out.put_i32(Some(key), other(id as u32) as i32);
        for (name, text) in rest.iter() {
            out.put_str(Some(name), text.as_str().unwrap_or_default());
        }
    });
    table.contents().to_vec()
}
