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

/// Why a call failed.
#[derive(Debug)]
pub enum CallError {
    /// The broker cannot be reached.
    NoBus {
        socket: PathBuf,
        because: io::Error,
    },
    /// No object of this name is registered.
    NoObject(String),
    NoMethod {
        object: String,
        method: String,
    },
    /// No answer within the time limit.
    TimedOut {
        object: String,
        method: String,
    },
    /// The method answered with an error; its message if it sent one.
    Refused {
        status: Status,
        because: Option<String>,
    },
    /// The connection broke, or the peer does not speak ubus.
    Broken(String),
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
            CallError::NoMethod { object, method } => {
                write!(f, "the running {object} knows no '{method}': it is another version")
            }
            CallError::TimedOut { object, method } => {
                write!(f, "{object} did not answer '{method}' in time")
            }
            CallError::Refused { status: _, because: Some(because) } => f.write_str(because),
            CallError::Refused { status, because: None } => write!(f, "refused: {status}"),
            CallError::Broken(because) => write!(f, "the connection to ubus broke: {because}"),
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
    let until = Instant::now() + timeout;
    let late = || CallError::TimedOut { object: object.to_owned(), method: method.to_owned() };
    let mut exchange = Exchange { object, method, arguments, step: Step::Greeting };
    let mut link = Link::default();
    loop {
        let mut outcome = None;
        let mut on_event = |outgoing: &mut Outgoing, event: BusEvent<'_>| {
            if outcome.is_none() {
                outcome = exchange.on_event(outgoing, event);
            }
        };
        link.begin_turn();
        link.process(&mut on_event).map_err(|malformed| CallError::Broken(malformed.0.to_owned()))?;
        if let Some(outcome) = outcome {
            return outcome;
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(late());
        }
        transfer(&stream, &mut link, left).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => late(),
            io::ErrorKind::UnexpectedEof => CallError::Broken(String::from("ubus has closed it")),
            _ => CallError::Broken(error.to_string()),
        })?;
    }
}

/// Writes the outgoing bytes, then reads once.
fn transfer(mut stream: &UnixStream, link: &mut Link, left: Duration) -> io::Result<()> {
    stream.set_write_timeout(Some(left))?;
    stream.set_read_timeout(Some(left))?;
    while !link.outgoing.waiting().is_empty() {
        stream.write_all(link.outgoing.waiting())?;
        link.outgoing.wrote(link.outgoing.waiting().len());
    }
    let count = loop {
        match stream.read(link.inbox.space()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => break outcome?,
        }
    };
    if count == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    link.inbox.filled(count);
    Ok(())
}

struct Exchange<'a> {
    object: &'a str,
    method: &'a str,
    arguments: &'a Value,
    step: Step,
}

enum Step {
    Greeting,
    Looking { request: Request, id: Option<u32> },
    Calling { request: Request, answer: Option<Value> },
}

impl Exchange<'_> {
    fn on_event(&mut self, outgoing: &mut Outgoing, event: BusEvent<'_>) -> Option<Result<Value, CallError>> {
        match (&mut self.step, event) {
            (Step::Greeting, BusEvent::Up) => {
                self.step = Step::Looking { request: outgoing.lookup(self.object), id: None };
            }
            (Step::Looking { request, id }, BusEvent::Data { request: of, attributes }) if of == *request => {
                *id = attributes.object.or(*id);
            }
            (Step::Looking { request, id }, BusEvent::Done { request: of, .. }) if of == *request => {
                let Some(id) = *id else {
                    return Some(Err(CallError::NoObject(self.object.to_owned())));
                };
                let request = outgoing.invoke(id, self.method, self.arguments);
                self.step = Step::Calling { request, answer: None };
            }
            (Step::Calling { request, answer }, BusEvent::Data { request: of, attributes })
                if of == *request =>
            {
                *answer = Some(blob::to_value(attributes.data.unwrap_or_default()));
            }
            (Step::Calling { request, answer }, BusEvent::Done { request: of, status }) if of == *request => {
                let answer = answer.take();
                return Some(self.outcome(answer, status));
            }
            _ => {}
        }
        None
    }

    fn outcome(&self, answer: Option<Value>, status: Status) -> Result<Value, CallError> {
        match status {
            Status::OK => Ok(answer.unwrap_or_else(|| Value::Object(Default::default()))),
            Status::METHOD_NOT_FOUND => {
                Err(CallError::NoMethod { object: self.object.to_owned(), method: self.method.to_owned() })
            }
            // The object was registered when it was looked up.
            Status::NOT_FOUND if answer.is_none() => Err(CallError::NoObject(self.object.to_owned())),
            status => {
                let because = answer.as_ref().and_then(|answer| answer["error"].as_str()).map(str::to_owned);
                Err(CallError::Refused { status, because })
            }
        }
    }
}
