//! Messages to the broker -> bytes to be written. Bounded in total and for each peer that is answered.
//!
//! Registering for events and sending events are answered by a status only: refusals are listed by
//! [`Outgoing::refusals`].

use std::collections::VecDeque;

use serde_json::Value;

use crate::event::small_map::SmallMap;
use crate::query::record::Field;
use ubus::envelope::{EnvBuilder, UbusAttr};
use ubus::wire::{MsgType, PROTO_VERSION};

use super::blob;
use super::status::Status;

/// While more bytes than this are unwritten, nothing is read from the broker (and so nothing answered), and events
/// are dropped.
pub const MAX_UNWRITTEN: usize = 1024 * 1024;
/// While this many bytes are unwritten for one peer, its further calls are refused: the longest answer, once.
const MAX_UNWRITTEN_OF_PEER: usize = 512 * 1024;

/// The broker's own object that registers listeners and forwards events.
const EVENT_OBJECT: u32 = 1;

/// At least the bytes of a reply besides its data.
const REPLY_OVERHEAD: usize = 64;

/// A pending request of ours; the events [`super::BusEvent::Data`] and `Done` name it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Request {
    pub(super) sequence: u16,
    pub(super) peer: u32,
}

/// The caller of a method, to be answered now or later on the same connection.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// The id of our object that is called.
    pub object: u32,
    /// The caller's id; 0 for an event that the broker forwards.
    pub peer: u32,
    /// Set by the broker on notifications whose sender wants no reply; a caller of a method cannot set it.
    pub no_reply: bool,
    pub(super) sequence: u16,
}

/// Most pending requests that are tracked; the refusal of a further one is not noticed.
const MAX_WATCHED: usize = 64;
/// More than the kinds of requests.
const MAX_REFUSALS: usize = 16;

/// A message to be written, with the peer that it is for.
#[derive(Debug)]
struct Message {
    peer: u32,
    bytes: Vec<u8>,
}

/// Messages to the broker in order, with bounds per peer and in total.
#[derive(Debug, Default)]
pub struct Outgoing {
    messages: VecDeque<Message>,
    /// Bytes of the first message that were written.
    written: usize,
    /// Unwritten bytes of all messages.
    pub unwritten: usize,
    sequence: u16,
    watched: VecDeque<(Request, String)>,
    /// What was refused on this connection and has not succeeded since, with the status.
    pub refusals: SmallMap<String, Status>,
}

impl Outgoing {
    /// Registers an object under `path`, with the signature of [`blob::signature`].
    pub fn add_object(&mut self, path: &str, signature: &[u8]) -> Request {
        let mut attributes = EnvBuilder::new();
        attributes.push_str(UbusAttr::ObjPath, path);
        attributes.push_signature(signature);
        self.request(MsgType::AddObject, 0, attributes)
    }

    /// Registers an object without a name, for subscriptions and events.
    pub fn add_listener(&mut self) -> Request {
        self.request(MsgType::AddObject, 0, EnvBuilder::new())
    }

    /// Looks up the object of this name; `Data` carries its id.
    pub fn lookup(&mut self, path: &str) -> Request {
        let mut attributes = EnvBuilder::new();
        attributes.push_str(UbusAttr::ObjPath, path);
        self.request(MsgType::Lookup, 0, attributes)
    }

    /// Subscribes our object `listener` to the object `target`.
    pub fn subscribe(&mut self, listener: u32, target: u32) -> Request {
        let mut attributes = EnvBuilder::new();
        attributes.push_u32(UbusAttr::ObjId, listener);
        attributes.push_u32(UbusAttr::Target, target);
        self.request(MsgType::Subscribe, 0, attributes)
    }

    /// Calls a method. `arguments` is an object; keys with `null` are left out.
    pub fn invoke(&mut self, object: u32, method: &str, arguments: &dyn Field) -> Request {
        let mut attributes = EnvBuilder::new();
        attributes.push_u32(UbusAttr::ObjId, object);
        attributes.push_str(UbusAttr::Method, method);
        attributes.push_data(blob::table(arguments).contents());
        self.request(MsgType::Invoke, object, attributes)
    }

    /// Has events whose name matches `pattern` sent to `listener`, as calls from peer 0.
    pub fn listen(&mut self, listener: u32, pattern: &str) {
        // ubusd wants the id as an INT32, though ids use all 32 bits.
        let object = Value::from(listener.cast_signed());
        let arguments: [(&str, &dyn Field); 2] = [("object", &object), ("pattern", &pattern)];
        let request = self.invoke(EVENT_OBJECT, "register", &arguments);
        self.watch(request, format!("to register for events '{pattern}'"));
    }

    /// Sends an event to all listeners; it is dropped while the broker does not read.
    pub fn send_event(&mut self, name: &str, data: &dyn Field) {
        if self.is_full() {
            return;
        }
        let arguments = [("id", &name as &dyn Field), ("data", data)];
        let request = self.invoke(EVENT_OBJECT, "send", &arguments);
        self.watch(request, format!("to send the event '{name}'"));
    }

    fn watch(&mut self, request: Request, what: String) {
        if self.watched.len() >= MAX_WATCHED {
            self.watched.pop_front();
        }
        self.watched.push_back((request, what));
    }

    /// `request` is complete; requests with a handler of their own are ignored here.
    pub(super) fn check(&mut self, request: Request, status: Status) {
        let place = self.watched.iter().position(|(watched, _)| *watched == request);
        if let Some((_, what)) = place.and_then(|place| self.watched.remove(place)) {
            self.note(&what, status);
        }
    }

    /// The outcome of a request; `what` names it in a refusal, such as `to read the log`.
    pub fn note(&mut self, what: &str, status: Status) {
        if status == Status::OK {
            self.refusals.remove(what);
        } else if self.refusals.len() < MAX_REFUSALS || self.refusals.contains_key(what) {
            self.refusals.insert(what.to_owned(), status);
        }
    }

    /// Sends the answer, a table's contents; [`Outgoing::done`] must follow. The broker drops both if the caller has
    /// disconnected. The answer is copied once, since it can be long.
    pub fn reply(&mut self, caller: &Caller, table: &[u8]) {
        if !caller.no_reply {
            let mut attributes = EnvBuilder::with_capacity(REPLY_OVERHEAD + table.len());
            attributes.push_u32(UbusAttr::ObjId, caller.object);
            attributes.push_data(table);
            self.push(MsgType::Data, caller.sequence, caller.peer, attributes);
        }
    }

    /// Whether this peer's unwritten bytes are at their limit, so that it gets no further answers.
    pub(super) fn is_full_for(&self, peer: u32) -> bool {
        let of_peer = self.messages.iter().filter(|message| message.peer == peer);
        of_peer.map(|message| message.bytes.len()).sum::<usize>() >= MAX_UNWRITTEN_OF_PEER
    }

    /// Whether the unwritten bytes are at their limit, so that nothing may be added.
    pub fn is_full(&self) -> bool {
        self.unwritten >= MAX_UNWRITTEN
    }

    /// Ends a call with a status.
    pub fn done(&mut self, caller: &Caller, status: Status) {
        if !caller.no_reply {
            let mut attributes = EnvBuilder::new();
            attributes.push_i32(UbusAttr::Status, status.0);
            attributes.push_u32(UbusAttr::ObjId, caller.object);
            self.push(MsgType::Status, caller.sequence, caller.peer, attributes);
        }
    }

    fn request(&mut self, kind: MsgType, peer: u32, attributes: EnvBuilder) -> Request {
        self.sequence = self.sequence.wrapping_add(1);
        self.push(kind, self.sequence, peer, attributes);
        Request { sequence: self.sequence, peer }
    }

    fn push(&mut self, kind: MsgType, sequence: u16, peer: u32, attributes: EnvBuilder) {
        let mut bytes = attributes.finish();
        let [high, low] = sequence.to_be_bytes();
        bytes.splice(..0, [PROTO_VERSION, kind as u8, high, low].into_iter().chain(peer.to_be_bytes()));
        self.unwritten += bytes.len();
        self.messages.push_back(Message { peer, bytes });
    }

    /// The bytes to be written next; empty if there are none.
    pub fn waiting(&self) -> &[u8] {
        self.messages.front().map_or(&[], |message| &message.bytes[self.written..])
    }

    /// Removes bytes that were written.
    pub fn wrote(&mut self, mut count: usize) {
        while let Some(first) = self.messages.front() {
            let left = first.bytes.len() - self.written;
            if count < left {
                self.written += count;
                self.unwritten -= count;
                return;
            }
            count -= left;
            self.unwritten -= left;
            self.messages.pop_front();
            self.written = 0;
        }
        self.messages.shrink_to(64);
    }
}

#[cfg(test)]
mod tests {
    use ubus::blobmsg::{BlobType, lookup};

    use super::*;
    use crate::ubus::message::Attributes;

    /// Bytes before a message's attributes, and before an attribute's payload.
    const MESSAGE_HEADER: usize = 8;
    const ATTRIBUTE_HEADER: usize = 4;

    #[test]
    fn a_listener_with_a_high_id_is_registered_as_int32_and_a_refusal_is_kept_until_it_succeeds() {
        let mut outgoing = Outgoing::default();
        outgoing.listen(0xC3A5_9F0E, "ubus.object.add");
        let message = outgoing.waiting();
        let data = Attributes::read(&message[MESSAGE_HEADER + ATTRIBUTE_HEADER..]).data.unwrap();
        let object = lookup(data, "object").unwrap();
        assert_eq!((object.ty, object.as_i32()), (BlobType::Int32, Some(0xC3A5_9F0E_u32.cast_signed())));

        let mut outgoing = Outgoing::default();
        outgoing.listen(5, "network.interface");
        let request = |sequence| Request { sequence, peer: EVENT_OBJECT };
        outgoing.check(request(1), Status::PERMISSION_DENIED);
        outgoing.check(request(1), Status::OK);
        let what = "to register for events 'network.interface'";
        assert_eq!(outgoing.refusals.get(what), Some(&Status::PERMISSION_DENIED));
        outgoing.listen(5, "network.interface");
        outgoing.check(request(2), Status::OK);
        assert!(outgoing.refusals.is_empty());
        for number in 0..100 {
            outgoing.send_event(&number.to_string(), &"");
            outgoing.check(request(3 + number), Status::PERMISSION_DENIED);
            outgoing.listen(5, "never answered");
        }
        assert_eq!((outgoing.refusals.len(), outgoing.watched.len()), (MAX_REFUSALS, MAX_WATCHED));
    }

    const CALLER: Caller = Caller { object: 5, peer: 9, no_reply: false, sequence: 3 };

    #[test]
    fn an_answer_of_any_length_is_one_whole_message() {
        for length in [0, 1, 3, 4, 5, 900_000] {
            let table = vec![7u8; length];
            let mut outgoing = Outgoing::default();
            outgoing.reply(&CALLER, &table);
            let message = outgoing.waiting();
            let declared = u32::from_be_bytes([0, message[9], message[10], message[11]]) as usize;
            assert_eq!((declared + MESSAGE_HEADER, message.len() % 4), (message.len(), 0));
            let read = Attributes::read(&message[MESSAGE_HEADER + ATTRIBUTE_HEADER..]);
            assert_eq!((read.object, read.data), (Some(5), Some(&table[..])));
        }
    }

    /// The broker takes a little at a time, and so there is always something left.
    #[test]
    fn what_is_written_takes_no_memory_though_something_always_waits() {
        let mut outgoing = Outgoing::default();
        let answer = vec![7u8; 28_000];
        for _ in 0..1000 {
            outgoing.reply(&CALLER, &answer);
            // As much as came, in pieces: a message is longer than its answer.
            let mut left = if outgoing.unwritten > 2 * answer.len() { answer.len() + 100 } else { 0 };
            while left > 0 {
                let piece = left.min(outgoing.waiting().len());
                outgoing.wrote(piece);
                left -= piece;
            }
        }
        let held: usize = outgoing.messages.iter().map(|message| message.bytes.capacity()).sum();
        assert!(held <= 4 * answer.len(), "{held} bytes are held, {} unwritten", outgoing.unwritten);
        while !outgoing.waiting().is_empty() {
            outgoing.wrote(1000);
        }
        assert_eq!((outgoing.unwritten, outgoing.messages.len()), (0, 0));
    }

    #[test]
    fn events_have_their_bound() {
        let mut outgoing = Outgoing::default();
        let text = "x".repeat(10_000);
        for _ in 0..1000 {
            outgoing.send_event("fwstat.block", &text);
        }
        assert!(outgoing.unwritten < MAX_UNWRITTEN + 20_000 && outgoing.messages.len() < 200);
    }
}
