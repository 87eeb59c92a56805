//! A blocking ubus call with a time limit, for the command line.
//!
//! Takes object, method and arguments as JSON, gives the answer as JSON. Keeps no connection.

use std::fmt;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::blob;
use super::link::{BusEvent, Link};
use super::outgoing::{Outgoing, Request};
use super::status::Status;
use crate::sys::unix_socket::without_waiting;

/// Why a call failed.
#[derive(Debug)]
pub enum CallError {
    /// The broker cannot be reached.
    NoBus { socket: PathBuf, because: io::Error },
    /// No object of this name is registered.
    NoObject(String),
    /// The method answered with an error; its message if it sent one.
    Refused { status: Status, because: Option<String> },
    /// There is no such method, no answer within the time limit, or no connection any more; a sentence.
    Failed(String),
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallError::NoBus { socket, because } => write!(
                f,
                "ubus is not running here: cannot connect to {}: {because}; \
                 ask a store directory with --db DIR",
                socket.display()
            ),
            CallError::NoObject(object) if object == "fwstat" => f.write_str(
                "the fwstat daemon is not running: start it with /etc/init.d/fwstat start, \
                 or ask a store directory with --db DIR",
            ),
            CallError::NoObject(object) => write!(f, "there is no object '{object}' on ubus"),
            CallError::Refused { because: Some(sentence), .. } | CallError::Failed(sentence) => {
                f.write_str(sentence)
            }
            CallError::Refused { status, because: None } => write!(f, "refused: {status}"),
        }
    }
}

impl std::error::Error for CallError {}

/// Calls `method` of `object` with `arguments` (a JSON object) and waits for the answer.
pub fn call(
    socket: &Path,
    object: &str,
    method: &str,
    arguments: &Value,
    timeout: Duration,
) -> Result<Value, CallError> {
    let stream = UnixStream::connect(socket)
        .map_err(|because| CallError::NoBus { socket: socket.to_owned(), because })?;
    let mut client = Client { stream, link: Link::default(), until: Instant::now() + timeout };
    let request = client.link.outgoing.lookup(object);
    let answered = client.complete(request).and_then(|found| {
        let Some(id) = found.object else { return Ok(Reply { status: Status::NOT_FOUND, ..found }) };
        let request = client.link.outgoing.invoke(id, method, arguments);
        client.complete(request)
    });
    match answered {
        Ok(Reply { status: Status::OK, data, .. }) => {
            Ok(data.unwrap_or_else(|| Value::Object(Default::default())))
        }
        Ok(Reply { status: Status::METHOD_NOT_FOUND, .. }) => {
            Err(CallError::Failed(format!("the running {object} knows no '{method}': it is another version")))
        }
        // It was not there, or is no longer there.
        Ok(Reply { status: Status::NOT_FOUND, data: None, .. }) => {
            Err(CallError::NoObject(object.to_owned()))
        }
        Ok(Reply { status, data, .. }) => {
            let because = data.as_ref().and_then(|data| data["error"].as_str()).map(str::to_owned);
            Err(CallError::Refused { status, because })
        }
        Err(error) => Err(CallError::Failed(match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                format!("{object} did not answer '{method}' in time")
            }
            _ => format!("the connection to ubus broke: {error}"),
        })),
    }
}

/// What the broker or an object replied to a request.
struct Reply {
    status: Status,
    /// The id of an object that was looked up.
    object: Option<u32>,
    data: Option<Value>,
}

/// A connection for one call.
struct Client {
    stream: UnixStream,
    link: Link,
    until: Instant,
}

impl Client {
    /// Sends what is queued and reads until `request` is complete.
    fn complete(&mut self, request: Request) -> io::Result<Reply> {
        let (mut object, mut data, mut complete) = (None, None, None);
        loop {
            let mut on_event = |_: &mut Outgoing, event: BusEvent<'_>| match event {
                BusEvent::Data { request: of, attributes } if of == request => {
                    object = attributes.object.or(object);
                    data = Some(blob::to_value(attributes.data.unwrap_or_default()));
                }
                BusEvent::Done { request: of, status } if of == request => complete = Some(status),
                _ => {}
            };
            self.link.process(&mut on_event).map_err(io::Error::other)?;
            if let Some(status) = complete {
                return Ok(Reply { status, object, data });
            }
            self.transfer()?;
        }
    }

    /// Writes the outgoing bytes, then reads once.
    fn transfer(&mut self) -> io::Result<()> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.stream.set_write_timeout(Some(left))?;
        self.stream.set_read_timeout(Some(left))?;
        let Link { inbox, outgoing, .. } = &mut self.link;
        while !outgoing.waiting().is_empty() {
            self.stream.write_all(outgoing.waiting())?;
            outgoing.wrote(outgoing.waiting().len());
        }
        let (stream, space) = (&mut self.stream, inbox.space());
        let count = without_waiting(&mut || stream.read(space))?.ok_or(io::ErrorKind::TimedOut)?;
        if count == 0 {
            return Err(io::Error::other("ubus has closed it"));
        }
        inbox.filled(count);
        Ok(())
    }
}
