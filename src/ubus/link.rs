//! One connection's messages as events, without the socket: bytes go in by [`Link::inbox`], come out by
//! [`Link::outgoing`].

use ubus::blobmsg::BlobMsgTable;

use super::inbox::{Frame, Inbox, Malformed};
use super::message::{Attributes, kind};
use super::outgoing::{ENOUGH, Outgoing, Request};
use super::status::Status;

/// What happened on the bus. Every part that uses the connection sees every event and takes its own.
#[derive(Clone, Copy, Debug)]
pub enum BusEvent<'a> {
    /// The broker has greeted us: nothing of an earlier connection is registered any more.
    Up,
    /// An answer to `request`; there can be several, or none.
    Data { request: Request, attributes: Attributes<'a> },
    /// `request` is over. What was pending when the connection broke never is.
    Done { request: Request, status: Status },
    /// Somebody calls a method of an object of ours, or an event or notification has come.
    Call(Call<'a>),
    /// The object `target` that `listener` subscribed to is gone.
    TargetGone { listener: u32, target: u32 },
    /// The connection is lost; it is tried again.
    Down { because: &'a str },
}

#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Ours.
    pub object: u32,
    pub method: &'a str,
    /// The arguments, a table's contents.
    pub data: &'a [u8],
    /// The caller; 0 for an event that the broker spreads.
    pub peer: u32,
    /// Set by the broker on notifications whose sender waits for nothing; a mere caller cannot set it.
    pub no_reply: bool,
    sequence: u16,
}

impl Call<'_> {
    /// Sends the answer; [`Call::done`] must follow. To a caller that is gone the broker drops both.
    pub fn reply(&self, outgoing: &mut Outgoing, answer: &BlobMsgTable) {
        if !self.no_reply {
            outgoing.reply_data(self.sequence, self.peer, self.object, answer.contents());
        }
    }

    pub fn done(&self, outgoing: &mut Outgoing, status: Status) {
        if !self.no_reply {
            outgoing.reply_status(self.sequence, self.peer, self.object, status);
        }
    }
}

#[derive(Debug, Default)]
pub struct Link {
    pub inbox: Inbox,
    pub outgoing: Outgoing,
    greeted: bool,
}

impl Link {
    pub fn is_up(&self) -> bool {
        self.greeted
    }

    /// Whether answers pile up that the broker does not take.
    pub fn is_clogged(&self) -> bool {
        self.outgoing.waiting().len() >= ENOUGH
    }

    /// Hands out what has come, until no whole message is left or the link is clogged.
    pub fn process(
        &mut self,
        on_event: &mut dyn FnMut(&mut Outgoing, BusEvent<'_>),
    ) -> Result<(), Malformed> {
        while self.outgoing.waiting().len() < ENOUGH {
            let Some(frame) = self.inbox.next_frame()? else {
                return Ok(());
            };
            if let Some(event) = event_of(&frame, &mut self.greeted) {
                if let BusEvent::Done { request, status } = event {
                    self.outgoing.check(request, status);
                }
                on_event(&mut self.outgoing, event);
            }
        }
        Ok(())
    }
}

fn event_of<'a>(frame: &Frame<'a>, greeted: &mut bool) -> Option<BusEvent<'a>> {
    if !*greeted {
        *greeted = frame.kind == kind::HELLO;
        return greeted.then_some(BusEvent::Up);
    }
    let attributes = Attributes::read(frame.attributes);
    let request = Request { sequence: frame.sequence, peer: frame.peer };
    match frame.kind {
        kind::DATA => Some(BusEvent::Data { request, attributes }),
        kind::STATUS => {
            Some(BusEvent::Done { request, status: attributes.status.map_or(Status::UNKNOWN_ERROR, Status) })
        }
        kind::INVOKE => Some(BusEvent::Call(Call {
            object: attributes.object?,
            method: attributes.method?,
            data: attributes.data.unwrap_or_default(),
            peer: frame.peer,
            no_reply: attributes.no_reply,
            sequence: frame.sequence,
        })),
        kind::UNSUBSCRIBE => {
            Some(BusEvent::TargetGone { listener: attributes.object?, target: attributes.target? })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn run(link: &mut Link, mut bytes: &[u8]) -> Result<Vec<String>, Malformed> {
        let mut events = Vec::new();
        while !bytes.is_empty() {
            let space = link.inbox.space();
            let count = space.len().min(bytes.len());
            space[..count].copy_from_slice(&bytes[..count]);
            link.inbox.filled(count);
            bytes = &bytes[count..];
            link.process(&mut |outgoing, event| {
                if let BusEvent::Call(call) = event {
                    call.done(outgoing, Status::OK);
                }
                events.push(format!("{event:?}"));
            })?;
        }
        Ok(events)
    }

    const HELLO: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 4];

    #[test]
    fn nothing_counts_before_the_greeting() {
        let mut link = Link::default();
        let mut other = HELLO;
        other[1] = kind::STATUS;
        assert!(run(&mut link, &other).unwrap().is_empty());
        assert_eq!(run(&mut link, &HELLO).unwrap(), ["Up"]);
        assert!(link.is_up());
    }

    #[test]
    fn a_status_without_a_number_is_an_unknown_error() {
        let mut link = Link::default();
        run(&mut link, &HELLO).unwrap();
        let events = run(&mut link, &[0, kind::STATUS, 0, 1, 0, 0, 0, 0, 0, 0, 0, 4]).unwrap();
        assert!(events[0].contains("status: Status(9)"), "{events:?}");
    }

    #[test]
    fn calls_that_nobody_takes_the_answers_of_are_left_in_the_inbox() {
        let mut link = Link::default();
        run(&mut link, &HELLO).unwrap();
        let mut caller = Outgoing::default();
        caller.invoke(5, "fill", &Value::Null);
        let call = caller.waiting().to_vec();
        link.outgoing.add_object(&"x".repeat(ENOUGH), b"");
        assert!(link.is_clogged());
        assert!(run(&mut link, &call).unwrap().is_empty());
        link.outgoing.wrote(ENOUGH * 2);
        assert_eq!(run(&mut link, &call).unwrap().len(), 2);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let mut link = Link::default();
            run(&mut link, &HELLO).unwrap();
            let _ = run(&mut link, &bytes);
        }

        #[test]
        fn arbitrary_attributes_never_panic(
            kind in 0u8..14, body in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let mut bytes = HELLO.to_vec();
            bytes.extend([0, kind, 0, 1, 0, 0, 0, 0]);
            bytes.extend((body.len() as u32 + 4).to_be_bytes());
            bytes.extend(body);
            run(&mut Link::default(), &bytes).unwrap();
        }
    }
}
