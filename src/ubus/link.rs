//! The protocol state of one connection, without its socket: received bytes go into [`Link::inbox`], bytes to send
//! come from [`Link::outgoing`].

use std::collections::VecDeque;

use ubus::wire::MsgType;

use super::inbox::{Frame, Inbox};
use super::message::Attributes;
use super::outgoing::{Caller, Outgoing, Request};
use super::status::Status;

/// Calls that are answered in one iteration of the loop: an answer can take milliseconds, while packets wait.
/// Notifications, which are not answered, do not count.
const CALLS_PER_TURN: u32 = 4;
/// Limits of queued calls, in total and per peer; further calls are refused.
const MAX_CALLS: usize = 128;
const MAX_CALLS_OF_PEER: usize = 16;
/// The longest call that is answered, in bytes: arguments are short.
const LONGEST_CALL: usize = 8 * 1024;

/// What happened on the bus. Every user of the connection sees every event and handles its own.
#[derive(Clone, Copy, Debug)]
pub enum BusEvent<'a> {
    /// The broker has greeted us: nothing of an earlier connection is registered any more.
    Up,
    /// An answer to `request`; there can be several, or none.
    Data { request: Request, attributes: Attributes<'a> },
    /// `request` is complete. Requests that were pending when the connection broke never complete.
    Done { request: Request, status: Status },
    /// A call of a method of one of our objects, or an event or notification.
    Call(Call<'a>),
    /// The object `target` that `listener` subscribed to is gone.
    TargetGone { listener: u32, target: u32 },
    /// The connection is lost; a new one is made later.
    Down { because: &'a str },
}

/// Handles the events and may send messages in return.
pub type OnEvent<'a> = &'a mut dyn FnMut(&mut Outgoing, BusEvent<'_>);

/// A call of a method of one of our objects.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    pub caller: Caller,
    pub method: &'a str,
    /// The arguments, a table's contents.
    pub data: &'a [u8],
}

/// The protocol on one connection, without a socket.
#[derive(Debug, Default)]
pub struct Link {
    pub inbox: Inbox,
    pub outgoing: Outgoing,
    /// Whether the broker's greeting has arrived.
    pub(super) greeted: bool,
    /// Calls answered in this iteration.
    calls: u32,
    /// Queued calls with their attributes.
    queue: VecDeque<(Caller, Vec<u8>)>,
    /// The peer that was answered last: another one is next.
    answered: u32,
}

impl Link {
    /// Begins an iteration of the loop: resets the number of answered calls.
    pub fn begin_turn(&mut self) {
        self.calls = 0;
    }

    /// Whether calls are queued for the next iteration.
    pub fn has_more(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Handles received messages until no complete one is left or too many bytes are unwritten. Calls that want an
    /// answer are queued per peer, served round robin, and a few are handled per iteration. For the error see
    /// [`Inbox::next_frame`].
    pub fn process(&mut self, on_event: OnEvent<'_>) -> Result<(), &'static str> {
        while !self.outgoing.is_full() {
            let Some(frame) = self.inbox.next_frame()? else { break };
            let Some(event) = event_of(&frame, &mut self.greeted) else { continue };
            if let BusEvent::Done { request, status } = event {
                self.outgoing.check(request, status);
            }
            match &event {
                // The broker itself is peer 0: it sends events.
                BusEvent::Call(Call { caller, .. }) if !caller.no_reply && caller.peer != 0 => {
                    let of_peer = self.queue.iter().filter(|(queued, _)| queued.peer == caller.peer).count();
                    let full = self.queue.len() >= MAX_CALLS || of_peer >= MAX_CALLS_OF_PEER;
                    if frame.attributes.len() > LONGEST_CALL {
                        self.outgoing.done(caller, Status::INVALID_ARGUMENT);
                    } else if full || self.outgoing.is_full_for(caller.peer) {
                        self.outgoing.done(caller, Status::NO_MEMORY);
                    } else {
                        self.queue.push_back((*caller, frame.attributes.to_vec()));
                    }
                }
                _ => on_event(&mut self.outgoing, event),
            }
        }
        while self.calls < CALLS_PER_TURN && !self.outgoing.is_full() {
            let other = self.queue.iter().position(|(caller, _)| caller.peer != self.answered);
            let Some((caller, attributes)) = self.queue.remove(other.unwrap_or(0)) else { break };
            (self.calls, self.answered) = (self.calls + 1, caller.peer);
            let Attributes { method, data, .. } = Attributes::read(&attributes);
            let (method, data) = (method.unwrap_or_default(), data.unwrap_or_default());
            on_event(&mut self.outgoing, BusEvent::Call(Call { caller, method, data }));
        }
        Ok(())
    }
}

fn event_of<'a>(frame: &Frame<'a>, greeted: &mut bool) -> Option<BusEvent<'a>> {
    if !*greeted {
        *greeted = frame.kind == MsgType::Hello as u8;
        return greeted.then_some(BusEvent::Up);
    }
    let attributes = Attributes::read(frame.attributes);
    let request = Request { sequence: frame.sequence, peer: frame.peer };
    match MsgType::from_u8(frame.kind).ok()? {
        MsgType::Data => Some(BusEvent::Data { request, attributes }),
        MsgType::Status => {
            Some(BusEvent::Done { request, status: attributes.status.map_or(Status::UNKNOWN_ERROR, Status) })
        }
        MsgType::Invoke => {
            let (object, method, no_reply) = (attributes.object?, attributes.method?, attributes.no_reply);
            let caller = Caller { object, peer: frame.peer, no_reply, sequence: frame.sequence };
            Some(BusEvent::Call(Call { caller, method, data: attributes.data.unwrap_or_default() }))
        }
        MsgType::Unsubscribe => {
            Some(BusEvent::TargetGone { listener: attributes.object?, target: attributes.target? })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ubus::outgoing::MAX_UNWRITTEN;
    use proptest::prelude::*;
    use serde_json::Value;

    fn run(link: &mut Link, mut bytes: &[u8]) -> Result<Vec<String>, &'static str> {
        let mut events = Vec::new();
        while !bytes.is_empty() {
            let space = link.inbox.space();
            let count = space.len().min(bytes.len());
            space[..count].copy_from_slice(&bytes[..count]);
            link.inbox.filled(count);
            bytes = &bytes[count..];
            link.begin_turn();
            link.process(&mut |outgoing, event| {
                if let BusEvent::Call(call) = event {
                    outgoing.done(&call.caller, Status::OK);
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
        other[1] = MsgType::Status as u8;
        assert!(run(&mut link, &other).unwrap().is_empty());
        assert_eq!(run(&mut link, &HELLO).unwrap(), ["Up"]);
        assert!(link.greeted);
    }

    #[test]
    fn a_status_without_a_number_is_an_unknown_error() {
        let mut link = Link::default();
        run(&mut link, &HELLO).unwrap();
        let events = run(&mut link, &[0, MsgType::Status as u8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 4]).unwrap();
        assert!(events[0].contains("status: Status(9)"), "{events:?}");
    }

    #[test]
    fn calls_that_nobody_takes_the_answers_of_are_left_in_the_inbox() {
        let mut link = Link::default();
        run(&mut link, &HELLO).unwrap();
        let mut caller = Outgoing::default();
        caller.invoke(5, "fill", &Value::Null);
        let call = caller.waiting().to_vec();
        link.outgoing.add_object(&"x".repeat(MAX_UNWRITTEN), b"");
        assert!(link.outgoing.is_full());
        assert!(run(&mut link, &call).unwrap().is_empty());
        link.outgoing.wrote(MAX_UNWRITTEN * 2);
        assert_eq!(run(&mut link, &call).unwrap().len(), 2);
    }

    fn calls(peer: u32, count: usize) -> Vec<u8> {
        let mut caller = Outgoing::default();
        caller.invoke(5, "sources", &Value::Null);
        let mut call = caller.waiting().to_vec();
        call[4..8].copy_from_slice(&peer.to_be_bytes());
        call.repeat(count)
    }

    /// Gives answers of this many bytes each.
    fn answered(link: &mut Link, length: usize) -> usize {
        let mut answered = 0;
        link.begin_turn();
        link.process(&mut |outgoing, event| {
            if let BusEvent::Call(call) = event {
                outgoing.reply(&call.caller, &vec![0; length]);
                outgoing.done(&call.caller, Status::OK);
                answered += 1;
            }
        })
        .unwrap();
        answered
    }

    fn receive(link: &mut Link, bytes: &[u8]) {
        let space = link.inbox.space();
        space[..bytes.len()].copy_from_slice(bytes);
        link.inbox.filled(bytes.len());
    }

    #[test]
    fn a_turn_answers_a_few_calls_and_the_next_one_goes_on() {
        let mut link = Link::default();
        run(&mut link, &HELLO).unwrap();
        receive(&mut link, &calls(7, 10));
        let turns: Vec<(usize, bool)> = (0..3).map(|_| (answered(&mut link, 10), link.has_more())).collect();
        assert_eq!(turns, [(4, true), (4, true), (2, false)]);
    }

    #[test]
    fn whoever_asks_a_thousand_times_at_once_delays_nobody() {
        let mut link = Link::default();
        run(&mut link, &HELLO).unwrap();
        receive(&mut link, &[calls(7, 800), calls(8, 1)].concat());
        let mut order = Vec::new();
        link.begin_turn();
        link.process(&mut |outgoing, event| {
            if let BusEvent::Call(call) = event {
                order.push(call.caller.peer);
                outgoing.done(&call.caller, Status::OK);
            }
        })
        .unwrap();
        assert_eq!(order, [7, 8, 7, 7]);
        assert_eq!(link.queue.len(), MAX_CALLS_OF_PEER - 3);
        // The others were refused at once.
        assert!(link.outgoing.unwritten > 700 * 28);
        let long = calls(9, 1);
        let mut long = [&long[..], &vec![0; LONGEST_CALL]].concat();
        let length = (long.len() - 8) as u32;
        long[8..12].copy_from_slice(&length.to_be_bytes());
        receive(&mut link, &long);
        answered(&mut link, 1);
        assert!(link.queue.iter().all(|(caller, _)| caller.peer == 7));
    }

    #[test]
    fn a_peer_that_takes_no_answers_is_refused_and_the_others_are_not() {
        let mut link = Link::default();
        run(&mut link, &HELLO).unwrap();
        receive(&mut link, &calls(7, 2));
        assert_eq!(answered(&mut link, 300_000), 2);
        receive(&mut link, &calls(8, 1));
        assert_eq!(answered(&mut link, 1000), 1);
        let before = link.outgoing.unwritten;
        receive(&mut link, &calls(7, 1));
        assert_eq!(answered(&mut link, 300_000), 0);
        // Only that it is refused.
        assert!((1..100).contains(&(link.outgoing.unwritten - before)));
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
