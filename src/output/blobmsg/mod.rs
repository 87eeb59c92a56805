//! The ubus object `fwstat`: its methods, their arguments, and the status of every answer.
//!
//! Takes the events of [`crate::ubus`], calls an implementation of [`Answers`], sends the answers. Computes no figure;
//! its only state is the registration and pending calls.

mod arguments;

use ubus::blobmsg::BlobMsgTable;

pub use arguments::{FOREVER, MAX_REASON, parse_duration, reason};

use super::rendering::Rendering;
use crate::query::question::{Prefix, Topic};
use crate::query::record::Field;
use crate::query::target::Target;
use crate::ubus::blob::{self, Arguments, Method, Type};
use crate::ubus::{BusEvent, Call, Caller, Outgoing, Request, Status};

/// The object's name on the bus.
pub const OBJECT: &str = "fwstat";

/// Largest answer in bytes. The query cuts its lists below this; a longer answer is refused here.
pub const MAX_ANSWER: usize = 900 * 1024;

/// Interval of tries to register while the broker refuses the name (a previous daemon still has it).
const REGISTER_AGAIN_MS: u64 = 1_000;

/// A command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BusCommand {
    Block(BlockArguments),
    Unblock(Target),
    /// Tests whether this could be blocked.
    GuardTest(Target),
    Commit,
    /// Writes everything to the store and closes it until the next commit, for a command that uses it; and removes
    /// these sources from memory.
    Release(Option<Prefix>),
}

/// The arguments of the method `block`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BlockArguments {
    pub targets: Vec<Target>,
    /// Each target separately: a protected one does not prevent the others.
    pub is_list: bool,
    pub length: Length,
    pub reason: Option<String>,
    /// The caller's own address as it states it, which must not be blocked.
    pub caller: Option<Prefix>,
    /// The call came through the web server, which adds its session.
    pub through_web: bool,
}

/// How long a block lasts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Length {
    /// The length in the guard's options.
    Default,
    Seconds(u64),
    /// Until it is unblocked.
    Forever,
}

/// Why there is no answer: the status, and a sentence that goes to the caller as `error`.
pub type Refused = (Status, String);

/// A finished reply: the answer's table, or an error.
pub type Answered = Result<BlobMsgTable, Refused>;

/// The answer to a call, or the number under which it follows.
pub enum Reply {
    Now(Answered),
    Later(u64),
}

/// Implemented by the daemon: answers questions and executes commands.
pub trait Answers {
    fn answer(&mut self, rendering: Rendering) -> Reply;
    fn command(&mut self, command: BusCommand) -> Reply;
    /// The answers that became ready since the last call.
    fn finished(&mut self) -> Vec<(u64, Answered)>;
}

/// Most pending calls; further ones are refused.
const MAX_WAITING: usize = 64;
/// Most pending calls of one ubus client, so that one client cannot use up the limit.
const MAX_WAITING_OF_PEER: usize = MAX_WAITING / 2;

const RANGE: Arguments<'_> = &[("from", Type::Text), ("to", Type::Text)];
const CLASS: Arguments<'_> = &[("class", Type::Text)];
const SERVICE: Arguments<'_> = &[("protocol", Type::Text), ("port", Type::Integer)];
const SOURCE: Arguments<'_> = &[("source", Type::Text)];
const ADDRESS: Arguments<'_> = &[("address", Type::Text)];
const LIMIT: Arguments<'_> = &[("limit", Type::Integer)];
const CURSOR: Arguments<'_> = &[("cursor", Type::Integer)];
const PLACE: Arguments<'_> = &[("country", Type::Text), ("min", Type::Integer)];
/// `daily` 1: with the attempts of each day.
const DAILY: Arguments<'_> = &[("daily", Type::Integer)];
/// `format` text: the answer is the table that the command line prints, in the key `text`. With `columns` it is laid
/// out for a terminal of that width, with bars; `color` 1 adds colours.
const STYLE: Arguments<'_> = &[("format", Type::Text), ("columns", Type::Integer), ("color", Type::Integer)];
const COMMON: &[Arguments<'_>] = &[RANGE, CLASS, SERVICE, SOURCE, PLACE, LIMIT, STYLE];
const FILTER: Arguments<'_> = &[("country", Type::Text), ("filter", Type::Text)];
/// `addresses` 1: complete ones.
const REPORT: Arguments<'_> =
    &[("month", Type::Text), ("format", Type::Text), ("lang", Type::Text), ("addresses", Type::Integer)];
const BLOCK: Arguments<'_> = &[("for", Type::Text), ("reason", Type::Text), ("caller", Type::Text)];

/// Every method with its arguments, as `ubus -v list fwstat` shows them.
pub const METHODS: &[Method<'static>] = &[
    ("summary", COMMON),
    ("services", &[RANGE, CLASS, SERVICE, SOURCE, PLACE, LIMIT, DAILY, STYLE]),
    ("sources", COMMON),
    ("source", &[ADDRESS, RANGE, CLASS, LIMIT, STYLE]),
    ("hours", COMMON),
    ("days", COMMON),
    ("months", COMMON),
    ("countries", COMMON),
    ("rules", &[RANGE, CLASS, &[("min", Type::Integer)], LIMIT, STYLE]),
    ("asns", COMMON),
    ("anomalies", COMMON),
    ("recent", &[LIMIT, CURSOR, CLASS, SERVICE, SOURCE, FILTER, STYLE]),
    ("blocks", &[LIMIT, CURSOR, SOURCE, STYLE]),
    ("status", &[STYLE]),
    ("block", &[ADDRESS, BLOCK]),
    ("unblock", &[ADDRESS]),
    ("guard-test", &[ADDRESS]),
    ("commit", &[]),
    ("release", &[&[("forget", Type::Text)]]),
    ("block-list", &[&[("list", Type::Text)], BLOCK]),
    // The text of a month's report.
    ("report", &[REPORT]),
    // The metrics in Prometheus' text format.
    ("metrics", &[]),
];

/// A validated call.
#[derive(Debug)]
enum CheckedCall {
    Rendering(Rendering),
    Command(BusCommand),
}

/// `None`: no such method. The error is about the arguments, for the caller.
fn read_call(method: &str, data: &[u8]) -> Option<Result<CheckedCall, String>> {
    let (name, declared) = METHODS.iter().find(|(name, _)| *name == method)?;
    Some(match (Topic::from_name(name), *name) {
        (Some(topic), _) => arguments::question(topic, declared, data).map(CheckedCall::Rendering),
        (None, "report") => arguments::report(declared, data).map(CheckedCall::Rendering),
        (None, "metrics") => Ok(CheckedCall::Rendering(Rendering::Metrics(Box::default()))),
        (None, name) => arguments::command(name, declared, data).map(CheckedCall::Command),
    })
}

/// The registration of the object on the present connection.
#[derive(Debug, Default)]
pub struct FwstatObject {
    /// The registration that is not complete yet.
    request: Option<Request>,
    /// The object's id, which is valid once the registration is complete.
    id: Option<u32>,
    /// Why the broker refused it, and when to try again.
    refused: Option<(Status, u64)>,
    /// Pending callers with the numbers of their answers.
    waiting: Vec<(u64, Caller)>,
}

impl FwstatObject {
    /// The object's id while it is registered.
    pub fn id(&self) -> Option<u32> {
        self.id.filter(|_| self.request.is_none())
    }

    /// Why it is not registered, if the broker refused it.
    pub fn refused(&self) -> Option<Status> {
        self.refused.map(|(status, _)| status)
    }

    /// When [`FwstatObject::on_time`] has something to do.
    pub fn deadline(&self) -> Option<u64> {
        self.refused.map(|(_, again_at)| again_at)
    }

    /// Registers again after a refusal.
    pub fn on_time(&mut self, now_ms: u64, outgoing: &mut Outgoing) {
        if self.deadline().is_some_and(|at| now_ms >= at) {
            self.register(outgoing);
        }
    }

    /// Registers the object and answers its calls; when the connection ends, drops both.
    pub fn on_event(
        &mut self,
        now_ms: u64,
        outgoing: &mut Outgoing,
        event: &BusEvent<'_>,
        answers: &mut dyn Answers,
    ) {
        match event {
            BusEvent::Up => self.register(outgoing),
            BusEvent::Down { .. } => *self = FwstatObject::default(),
            BusEvent::Data { request, attributes } if self.request == Some(*request) => {
                self.id = attributes.object.or(self.id);
            }
            BusEvent::Done { request, status } if self.request == Some(*request) => {
                self.request = None;
                if *status != Status::OK || self.id.is_none() {
                    self.id = None;
                    self.refused = Some((*status, now_ms + REGISTER_AGAIN_MS));
                }
            }
            BusEvent::Call(call) if self.id() == Some(call.caller.object) => {
                self.serve(outgoing, call, answers);
            }
            _ => {}
        }
    }

    fn serve(&mut self, outgoing: &mut Outgoing, call: &Call<'_>, answers: &mut dyn Answers) {
        let caller = call.caller;
        let of_peer = self.waiting.iter().filter(|(_, waiting)| waiting.peer == caller.peer).count();
        let reply = match read_call(call.method, call.data) {
            None => return outgoing.done(&caller, Status::METHOD_NOT_FOUND),
            Some(Err(wrong)) => Reply::Now(Err((Status::INVALID_ARGUMENT, wrong))),
            Some(Ok(_)) if of_peer >= MAX_WAITING_OF_PEER || self.waiting.len() >= MAX_WAITING => {
                Reply::Now(Err((Status::UNKNOWN_ERROR, "too many questions at once: ask again later".into())))
            }
            Some(Ok(CheckedCall::Rendering(rendering))) => answers.answer(rendering),
            Some(Ok(CheckedCall::Command(command))) => answers.command(command),
        };
        match reply {
            Reply::Now(answered) => send(outgoing, &caller, answered),
            Reply::Later(number) => self.waiting.push((number, caller)),
        }
    }

    /// Sends the answers that became ready.
    pub fn send_finished(&mut self, outgoing: &mut Outgoing, answers: &mut dyn Answers) {
        for (number, answered) in answers.finished() {
            if let Some(at) = self.waiting.iter().position(|(known, _)| *known == number) {
                let (_, caller) = self.waiting.remove(at);
                send(outgoing, &caller, answered);
            }
        }
    }

    fn register(&mut self, outgoing: &mut Outgoing) {
        self.request = Some(outgoing.add_object(OBJECT, &blob::signature(METHODS)));
        (self.id, self.refused) = (None, None);
    }
}

fn send(outgoing: &mut Outgoing, caller: &Caller, answered: Answered) {
    let too_long = "the answer is too long for ubus: ask with a smaller limit";
    let answered = answered.and_then(|answer| match answer.contents().len() {
        0..=MAX_ANSWER => Ok(answer),
        _ => Err((Status::UNKNOWN_ERROR, too_long.to_string())),
    });
    match answered {
        Ok(answer) => {
            outgoing.reply(caller, answer.contents());
            outgoing.done(caller, Status::OK);
        }
        Err((status, text)) => {
            let table = blob::table(&[("error", &text as &dyn Field)]);
            outgoing.reply(caller, table.contents());
            outgoing.done(caller, status);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ubus::link::Link;
    use serde_json::Value;

    /// Answers everything later, and counts what is asked.
    #[derive(Default)]
    struct Slow(u64);

    impl Answers for Slow {
        fn answer(&mut self, _: Rendering) -> Reply {
            self.0 += 1;
            Reply::Later(self.0)
        }

        fn command(&mut self, _: BusCommand) -> Reply {
            Reply::Now(Ok(BlobMsgTable::empty()))
        }

        fn finished(&mut self) -> Vec<(u64, Answered)> {
            Vec::new()
        }
    }

    #[test]
    fn whoever_asks_a_lot_keeps_nobody_else_from_asking() {
        let (mut link, mut object, mut slow) = (Link::default(), FwstatObject::default(), Slow::default());
        object.id = Some(5);
        let mut receive = |bytes: &[u8]| {
            link.inbox.space()[..bytes.len()].copy_from_slice(bytes);
            link.inbox.filled(bytes.len());
            link.begin_turn();
            link.process(&mut |outgoing, event| {
                if let BusEvent::Call(_) = event {
                    object.on_event(0, outgoing, &event, &mut slow);
                }
            })
            .unwrap();
            slow.0
        };
        receive(&[0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 4]);
        let mut call = |peer: u32| {
            let mut caller = Outgoing::default();
            caller.invoke(5, "months", &Value::Null);
            let mut call = caller.waiting().to_vec();
            call[4..8].copy_from_slice(&peer.to_be_bytes());
            receive(&call)
        };
        let asked = (0..100).map(|_| call(7)).max();
        assert_eq!(asked, Some(32));
        assert_eq!((call(8), call(7)), (33, 33));
    }
}
