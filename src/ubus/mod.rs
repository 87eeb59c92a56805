//! A connection to ubus, the router's message broker: bytes <-> messages <-> events.
//!
//! `inbox` cuts received bytes into messages, `message` reads one, `outgoing` writes them, `link` is
//! the state of one connection (pure), `connection` adds the socket and reconnects, `blob` converts
//! arguments and answers into JSON values and back, `call` is the blocking client of the command line.
//! Knows no object and no method of ours; blocks only in `call`; never allocates by a length that a
//! peer declares above [`MAX_MESSAGE`].

pub mod blob;
pub mod call;
pub mod connection;
pub mod inbox;
pub mod link;
pub mod message;
pub mod outgoing;
pub mod status;

pub use connection::Connection;
pub use link::{BusEvent, Call, OnEvent};
pub use outgoing::{Caller, Outgoing, Request};
pub use status::Status;

/// Longest message (without its header of eight bytes) that the broker forwards (`UBUS_MAX_MSGLEN` of libubus).
pub const MAX_MESSAGE: usize = ubus::wire::MAX_MSG_LEN;
