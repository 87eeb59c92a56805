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

use super::bus_object::{BusObject, Change};
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
    object: BusObject,
    /// The ubus id of the logd that is followed.
    target: Option<u32>,
    /// The subscription that is not answered yet.
    subscription: Option<Request>,
    /// The request for the backlog, and when it is given up.
    read: Option<(Request, u64)>,
    /// Without logd: when it is looked for again.
    again_at: Option<u64>,
    /// Notifications since the backlog was read.
    unverified: u32,
    newest_at: u64,
}

impl LogFeed {
    /// Goes on after the entry that an earlier run took last.
    pub fn resume(mark: Option<Mark>) -> LogFeed {
        LogFeed { state: LogdState::resume(mark), ..LogFeed::default() }
    }

    /// In a word, for `status`.
    pub fn state_name(&self) -> &'static str {
        match self.target {
            _ if !self.object.is_online => "no ubus",
            _ if self.again_at.is_some() => "no logd",
            Some(_) if self.subscription.is_some() => "connecting",
            Some(_) if self.state.caught_up => "running",
            Some(_) => "reading",
            None => "connecting",
        }
    }

    /// When [`LogFeed::on_time`] has something to do.
    pub fn deadline(&self) -> Option<u64> {
        let verify_at = self.newest_at.saturating_add(QUIET_MS);
        let verify = self.target.filter(|_| self.unverified >= BURST).map(|_| verify_at);
        self.again_at.or(self.read.map(|(_, until)| until)).or(verify)
    }

    /// Sends requests that are due.
    pub fn on_time(&mut self, now_ms: u64, outgoing: &mut Outgoing, give: Give<'_>) {
        if self.deadline().is_none_or(|at| now_ms < at) {
            return;
        }
        if self.again_at.take().is_some() {
            self.object.look_up(OBJECT, outgoing);
        } else if self.read.take().is_some() {
            self.state.backlog_failed(give);
        } else {
            self.read(now_ms, outgoing);
        }
    }

    /// Takes an event of the bus; `give` gets each new entry.
    pub fn on_event(&mut self, now_ms: u64, outgoing: &mut Outgoing, event: &BusEvent<'_>, give: Give<'_>) {
        match self.object.on_event(outgoing, event, OBJECT, &[]) {
            Some(Change::Connection) => {
                self.state.bus_gone();
                self.unfollow(None);
            }
            Some(Change::LookedUp(Some(target)) | Change::Added(target)) if self.target != Some(target) => {
                if self.target.is_some() {
                    self.state.logd_gone(give);
                }
                self.follow(now_ms, target, outgoing);
            }
            Some(Change::LookedUp(None)) if self.target.is_none() => self.absent(now_ms),
            _ => {}
        }
        match event {
            BusEvent::Data { request, attributes } if self.is_read(*request) => {
                self.read = None;
                let data = attributes.data.unwrap_or_default();
                self.state.backlog(|| backlog_entries(data), give);
            }
            BusEvent::Done { request, status } if self.is_read(*request) => {
                self.read = None;
                outgoing.note("to read logd's entries", *status);
                self.state.backlog_failed(give);
            }
            BusEvent::Done { request, status } if self.subscription == Some(*request) => {
                self.subscription = None;
                outgoing.note("to subscribe to logd", *status);
                if *status != Status::OK {
                    // Gone in between, or not allowed.
                    self.state.backlog_failed(give);
                    self.absent(now_ms);
                }
            }
            BusEvent::TargetGone { target, .. } if self.target == Some(*target) => {
                self.state.logd_gone(give);
                self.absent(now_ms);
            }
            BusEvent::Call(call) if self.is_notification(call) => {
                self.unverified = self.unverified.saturating_add(1);
                self.newest_at = now_ms;
                match Entry::read(call.data) {
                    Some(entry) => self.state.live(&entry, now_ms, give),
                    None => self.state.counts.malformed = self.state.counts.malformed.saturating_add(1),
                }
                if self.state.wants_read {
                    self.read(now_ms, outgoing);
                }
            }
            _ => {}
        }
    }

    /// Whether this is the request for the backlog.
    fn is_read(&self, request: Request) -> bool {
        self.read.is_some_and(|(read, _)| read == request)
    }

    /// Whether this is an entry of the logd that is followed.
    fn is_notification(&self, call: &Call<'_>) -> bool {
        let is_ours = self.object.listener == Some(call.caller.object);
        self.target.is_some() && is_ours && call.caller.no_reply && call.method == "message"
    }

    /// Follows no logd, and looks for one again at this time.
    fn unfollow(&mut self, again_at: Option<u64>) {
        (self.target, self.subscription, self.read, self.again_at) = (None, None, None, again_at);
    }

    /// There is no logd: looks for one again later.
    fn absent(&mut self, now_ms: u64) {
        self.unfollow(Some(now_ms.saturating_add(LOOKUP_AGAIN_MS)));
    }

    /// Subscribes first, then reads: no entry is missed, and the ids show the overlap.
    fn follow(&mut self, now_ms: u64, target: u32, outgoing: &mut Outgoing) {
        self.unfollow(None);
        self.target = Some(target);
        self.subscription = self.object.listener.map(|listener| outgoing.subscribe(listener, target));
        self.read(now_ms, outgoing);
    }

    /// Asks for the backlog.
    fn read(&mut self, now_ms: u64, outgoing: &mut Outgoing) {
        let Some(target) = self.target else { return };
        let arguments = json!({"lines": BACKLOG_LINES, "stream": false, "oneshot": true});
        let request = outgoing.invoke(target, "read", &arguments);
        self.state.reading();
        self.unverified = 0;
        self.read = Some((request, now_ms.saturating_add(BACKLOG_MS)));
    }
}
