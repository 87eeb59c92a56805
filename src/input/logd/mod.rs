//! logd over ubus: the backlog at every (re)connection, then each entry as it is notified.
//!
//! By subscription, not by the pipe of `read {stream: true}`: logd keeps for a pipe's slow reader everything
//! in its own memory, without bound, while a notification leaves it at once (it asks for no reply) and
//! waits in the broker, which keeps 1 MiB for us and then drops. What is dropped shows as a gap in the
//! ids; it is read again from logd's ring, and what is not there either is counted as lost.
//!
//! A notification cannot be forged by another program on the bus: the broker sets "no reply" only on
//! what the subscribed object's owner notifies, never on a call.

mod entry;
mod state;

use serde_json::json;

pub use entry::{Entry, backlog_entries};
pub use state::{Give, LogdState, Mark};

use super::bus_object::{Found, Lookup, added_object};
use crate::ubus::{BusEvent, Call, Outgoing, Request, Status};

/// logd's object.
const OBJECT: &str = "log";
/// Entries asked for: with the longest line that logd keeps (1 KiB) the answer stays below the broker's
/// 1 MiB; logd is thrown off the bus if it sends more. Rings of the usual 64 or 128 KiB hold fewer.
const BACKLOG_LINES: u32 = 900;
/// Timeout of a backlog: after it the broker has dropped the answer.
const BACKLOG_MS: u64 = 5_000;
/// After this many notifications the broker may have dropped the last ones, and no later one shows that:
/// once it is quiet the backlog is read again.
const BURST: u32 = 500;
const QUIET_MS: u64 = 1_000;
/// Without logd: look for it again, in case its start was missed.
const LOOKUP_AGAIN_MS: u64 = 5_000;

/// Follows logd through its restarts and the broker's.
#[derive(Debug, Default)]
pub struct LogFeed {
    /// The entries taken so far.
    pub state: LogdState,
    step: Step,
    /// Notifications since the backlog was read.
    unverified: u32,
    newest_at: u64,
}

#[derive(Debug)]
enum Step {
    Connecting(Lookup),
    Absent { listener: u32, again_at: u64 },
    Following { listener: u32, target: u32, subscription: Option<Request>, read: Option<Read> },
}

impl Default for Step {
    fn default() -> Step {
        Step::Connecting(Lookup::Offline)
    }
}

#[derive(Debug)]
struct Read {
    request: Request,
    until: u64,
}

impl LogFeed {
    /// Goes on after the entry that an earlier run took last.
    pub fn resume(mark: Option<Mark>) -> LogFeed {
        LogFeed { state: LogdState::resume(mark), ..LogFeed::default() }
    }

    /// In a word, for `status`.
    pub fn state_name(&self) -> &'static str {
        match self.step {
            Step::Connecting(Lookup::Offline) => "no ubus",
            Step::Connecting(_) => "connecting",
            Step::Absent { .. } => "no logd",
            Step::Following { subscription: Some(_), .. } => "connecting",
            Step::Following { .. } if !self.state.caught_up => "reading",
            Step::Following { .. } => "running",
        }
    }

    /// When [`LogFeed::on_time`] has something to do.
    pub fn deadline(&self) -> Option<u64> {
        match &self.step {
            Step::Absent { again_at, .. } => Some(*again_at),
            Step::Following { read: Some(read), .. } => Some(read.until),
            Step::Following { read: None, .. } if self.unverified >= BURST => {
                Some(self.newest_at.saturating_add(QUIET_MS))
            }
            _ => None,
        }
    }

    /// Sends requests that are due.
    pub fn on_time(&mut self, now_ms: u64, outgoing: &mut Outgoing, give: Give<'_>) {
        match &mut self.step {
            Step::Absent { listener, again_at } if now_ms >= *again_at => {
                let listener = *listener;
                self.look_up(listener, outgoing);
            }
            Step::Following { read, .. } if read.as_ref().is_some_and(|read| now_ms >= read.until) => {
                *read = None;
                self.state.backlog_failed(give);
            }
            Step::Following { target, read: None, .. }
                if self.unverified >= BURST && now_ms.saturating_sub(self.newest_at) >= QUIET_MS =>
            {
                let target = *target;
                self.read(now_ms, target, outgoing);
            }
            _ => {}
        }
    }

    /// Takes an event of the bus; `give` gets each new entry.
    pub fn on_event(&mut self, now_ms: u64, outgoing: &mut Outgoing, event: &BusEvent<'_>, give: Give<'_>) {
        if let Step::Connecting(lookup) = &mut self.step
            && let Some(Found { listener, target }) = lookup.on_event(outgoing, event, OBJECT, &[])
        {
            match target {
                Some(target) => self.follow(now_ms, listener, target, outgoing),
                None => self.absent(now_ms, listener),
            }
            return;
        }
        match event {
            BusEvent::Up => {
                self.state.bus_gone();
                self.step = Step::Connecting(Lookup::begin(outgoing));
            }
            BusEvent::Down { .. } => {
                self.state.bus_gone();
                self.step = Step::default();
            }
            BusEvent::Data { request, attributes } => {
                if let Step::Following { read, .. } = &mut self.step
                    && read.as_ref().is_some_and(|read| read.request == *request)
                {
                    *read = None;
                    let data = attributes.data.unwrap_or_default();
                    self.state.backlog(|| backlog_entries(data), give);
                }
            }
            BusEvent::Done { request, status } => self.on_done(now_ms, outgoing, *request, *status, give),
            BusEvent::TargetGone { target: gone, .. } => {
                if let Step::Following { listener, target, .. } = self.step
                    && target == *gone
                {
                    self.state.logd_gone(give);
                    self.step = Step::Absent { listener, again_at: now_ms.saturating_add(LOOKUP_AGAIN_MS) };
                }
            }
            BusEvent::Call(call) => self.on_call(now_ms, outgoing, call, give),
        }
    }

    fn on_done(
        &mut self,
        now_ms: u64,
        outgoing: &mut Outgoing,
        request: Request,
        status: Status,
        give: Give<'_>,
    ) {
        match &mut self.step {
            Step::Following { listener, subscription, .. } if *subscription == Some(request) => {
                *subscription = None;
                outgoing.note("to subscribe to logd", status);
                if status != Status::OK {
                    // Gone in between, or not allowed.
                    let listener = *listener;
                    self.state.backlog_failed(give);
                    self.absent(now_ms, listener);
                }
            }
            Step::Following { read, .. } if read.as_ref().is_some_and(|read| read.request == request) => {
                *read = None;
                outgoing.note("to read logd's entries", status);
                self.state.backlog_failed(give);
            }
            _ => {}
        }
    }

    fn on_call(&mut self, now_ms: u64, outgoing: &mut Outgoing, call: &Call<'_>, give: Give<'_>) {
        match self.step {
            Step::Following { listener, target, .. }
                if call.caller.object == listener && call.caller.no_reply && call.method == "message" =>
            {
                self.unverified = self.unverified.saturating_add(1);
                self.newest_at = now_ms;
                match Entry::read(call.data) {
                    Some(entry) => self.state.live(&entry, now_ms, give),
                    None => self.state.counts.malformed = self.state.counts.malformed.saturating_add(1),
                }
                if self.state.wants_read {
                    self.read(now_ms, target, outgoing);
                }
            }
            _ if self.listener() == Some(call.caller.object) => {
                if let Some(target) = added_object(call, OBJECT) {
                    self.on_added(now_ms, call.caller.object, target, outgoing, give);
                }
                call.caller.done(outgoing, Status::OK);
            }
            _ => {}
        }
    }

    /// Our listener, once it is registered.
    fn listener(&self) -> Option<u32> {
        match &self.step {
            Step::Connecting(lookup) => lookup.listener(),
            Step::Absent { listener, .. } | Step::Following { listener, .. } => Some(*listener),
        }
    }

    /// An object `log` has come.
    fn on_added(&mut self, now_ms: u64, listener: u32, target: u32, outgoing: &mut Outgoing, give: Give<'_>) {
        if let Step::Following { target: old, .. } = self.step {
            if old == target {
                return;
            }
            self.state.logd_gone(give);
        }
        self.follow(now_ms, listener, target, outgoing);
    }

    fn look_up(&mut self, listener: u32, outgoing: &mut Outgoing) {
        self.step = Step::Connecting(Lookup::again(listener, OBJECT, outgoing));
    }

    fn absent(&mut self, now_ms: u64, listener: u32) {
        self.step = Step::Absent { listener, again_at: now_ms.saturating_add(LOOKUP_AGAIN_MS) };
    }

    /// Subscribes first, then reads: no entry is missed, and the ids show the overlap.
    fn follow(&mut self, now_ms: u64, listener: u32, target: u32, outgoing: &mut Outgoing) {
        let subscription = Some(outgoing.subscribe(listener, target));
        self.step = Step::Following { listener, target, subscription, read: None };
        self.read(now_ms, target, outgoing);
    }

    fn read(&mut self, now_ms: u64, target: u32, outgoing: &mut Outgoing) {
        let arguments = json!({"lines": BACKLOG_LINES, "stream": false, "oneshot": true});
        let request = outgoing.invoke(target, "read", &arguments);
        self.state.reading();
        self.unverified = 0;
        if let Step::Following { read, .. } = &mut self.step {
            *read = Some(Read { request, until: now_ms.saturating_add(BACKLOG_MS) });
        }
    }
}
