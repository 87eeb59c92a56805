//! Another program's object on ubus: a listener of our own is registered, then the object is looked for.
//!
//! Takes the bus's events, says when the object's id is known or that there is none. What is asked of the object then,
//! and when it is looked for again, is the caller's.

use crate::ubus::{BusEvent, Outgoing, Request, Status, blob};

/// The broker's event for every object that comes.
const OBJECT_ADDED: &str = "ubus.object.add";

/// Our listener, and the look-up of another program's object.
#[derive(Debug, Default)]
pub(super) struct BusObject {
    /// There is a broker.
    pub(super) is_online: bool,
    /// The ubus id of our listener, once it is registered.
    pub(super) listener: Option<u32>,
    /// The request for the listener, or else for the object, and the id in its answer.
    asked: Option<(Request, Option<u32>)>,
}

/// What an event of the bus says about the object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Change {
    /// The connection to the broker was made or lost: nothing that was known holds.
    Connection,
    /// The look-up is complete, with the object's id if there is one.
    LookedUp(Option<u32>),
    /// The object has come, with this id.
    Added(u32),
}

impl BusObject {
    /// Looks for the object again.
    pub(super) fn look_up(&mut self, object: &str, outgoing: &mut Outgoing) {
        self.asked = Some((outgoing.lookup(object), None));
    }

    /// Takes an event of the bus, and replies to calls of the listener. `events`: what the listener is to hear, beside
    /// objects that come.
    pub(super) fn on_event(
        &mut self,
        outgoing: &mut Outgoing,
        event: &BusEvent<'_>,
        object: &str,
        events: &[&str],
    ) -> Option<Change> {
        match (event, &mut self.asked) {
            (BusEvent::Up, _) => {
                let asked = Some((outgoing.add_listener(), None));
                *self = BusObject { is_online: true, listener: None, asked };
                return Some(Change::Connection);
            }
            (BusEvent::Down { .. }, _) => {
                *self = BusObject::default();
                return Some(Change::Connection);
            }
            (BusEvent::Data { request, attributes }, Some((asked, id))) if request == asked => {
                *id = attributes.object.or(*id);
            }
            (BusEvent::Done { request, .. }, Some((asked, id))) if request == asked => {
                let id = *id;
                self.asked = None;
                if self.listener.is_some() {
                    return Some(Change::LookedUp(id));
                }
                self.listener = id;
                for event in events.iter().chain(&[OBJECT_ADDED]) {
                    outgoing.listen(id?, event);
                }
                self.look_up(object, outgoing);
            }
            (BusEvent::Call(call), _) if self.listener == Some(call.caller.object) => {
                outgoing.done(&call.caller, Status::OK);
                // ubusd announces objects as peer 0, which nobody else has.
                if call.caller.peer == 0 && call.method == OBJECT_ADDED {
                    let event = blob::to_value(call.data);
                    let id = event["id"].as_i64().filter(|_| event["path"] == object);
                    return id.map(|id| Change::Added(id as u32));
                }
            }
            _ => {}
        }
        None
    }
}
