//! Another program's object on ubus: a listener of our own is registered, then the object is looked for.
//!
//! Takes the bus's events, says when the object's id is known or that there is none. What is asked of the object then,
//! and when it is looked for again, is the caller's.

use crate::ubus::{BusEvent, Call, Outgoing, Request, blob};

/// The broker's event for every object that comes.
const OBJECT_ADDED: &str = "ubus.object.add";

/// State of a look-up.
#[derive(Debug, Default)]
pub(super) enum Lookup {
    /// Without a broker.
    #[default]
    Offline,
    Adding {
        request: Request,
        listener: Option<u32>,
    },
    Looking {
        listener: u32,
        request: Request,
        target: Option<u32>,
    },
}

/// Result of a look-up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Found {
    /// The ubus id of our own object, the listener.
    pub(super) listener: u32,
    /// None: there is no such object.
    pub(super) target: Option<u32>,
}

impl Lookup {
    /// Begins with the listener. Call it when the broker is there.
    pub(super) fn begin(outgoing: &mut Outgoing) -> Lookup {
        Lookup::Adding { request: outgoing.add_listener(), listener: None }
    }

    /// Looks for the object again.
    pub(super) fn again(listener: u32, object: &str, outgoing: &mut Outgoing) -> Lookup {
        Lookup::Looking { listener, request: outgoing.lookup(object), target: None }
    }

    /// The listener, once it is registered.
    pub(super) fn listener(&self) -> Option<u32> {
        match self {
            Lookup::Looking { listener, .. } => Some(*listener),
            Lookup::Offline | Lookup::Adding { .. } => None,
        }
    }

    /// Takes an answer of the broker. `events`: what the listener is to hear, beside objects that come.
    pub(super) fn on_event(
        &mut self,
        outgoing: &mut Outgoing,
        event: &BusEvent<'_>,
        object: &str,
        events: &[&str],
    ) -> Option<Found> {
        match (event, &mut *self) {
            (BusEvent::Data { request, attributes }, Lookup::Adding { request: asked, listener })
                if request == asked =>
            {
                *listener = attributes.object.or(*listener);
            }
            (BusEvent::Data { request, attributes }, Lookup::Looking { request: asked, target, .. })
                if request == asked =>
            {
                *target = attributes.object.or(*target);
            }
            (BusEvent::Done { request, .. }, Lookup::Adding { request: asked, listener: Some(listener) })
                if request == asked =>
            {
                let listener = *listener;
                for event in events.iter().chain(&[OBJECT_ADDED]) {
                    outgoing.listen(listener, event);
                }
                *self = Lookup::again(listener, object, outgoing);
            }
            (BusEvent::Done { request, .. }, Lookup::Looking { listener, request: asked, target })
                if request == asked =>
            {
                return Some(Found { listener: *listener, target: *target });
            }
            _ => {}
        }
        None
    }
}

/// The id of a new object of this name, if ubusd announces it by `call` (nobody else calls as peer 0).
pub(super) fn added_object(call: &Call<'_>, object: &str) -> Option<u32> {
    if call.caller.peer != 0 || call.method != OBJECT_ADDED {
        return None;
    }
    let event = blob::to_value(call.data);
    if event["path"] != object {
        return None;
    }
    event["id"].as_i64().map(|id| id as u32)
}
