//! netifd over ubus: which device each network has at present. Asked at every (re)connection, and again when netifd
//! says that an interface changed.
//!
//! Takes the bus's events, gives networks; decides nothing. Whoever floods the bus with such events has us ask once
//! a second.

use serde_json::{Value, json};

use super::bus_object::{Found, Lookup, added_object};
use crate::config::zones::Interface;
use crate::ubus::{BusEvent, Call, Outgoing, Request, Status, blob};

/// netifd's object, and the name of its events.
pub const OBJECT: &str = "network.interface";
/// netifd's method that lists the networks.
pub const METHOD: &str = "dump";

/// Networks of one router are fewer.
pub const MAX_INTERFACES: usize = 256;
/// The longest name that is kept; the kernel's have 15 bytes.
const LONGEST_NAME: usize = 64;

/// One change often comes as several events.
const SETTLE_MS: u64 = 1_000;
const ANSWER_MS: u64 = 5_000;
/// Without netifd: asked again, in case its start was missed.
const AGAIN_MS: u64 = 60_000;
/// With it: an event may have been dropped, or we may not be allowed to hear any.
const REFRESH_MS: u64 = 600_000;

/// Asks netifd for the networks when it starts and when it sends an event of a change.
#[derive(Debug, Default)]
pub struct Netifd {
    step: Step,
    /// The newest answer of netifd; the caller takes it.
    pub news: Option<Vec<Interface>>,
    /// Something changed after it was asked.
    outdated: bool,
}

#[derive(Debug)]
enum Step {
    Connecting(Lookup),
    Asking {
        listener: u32,
        request: Request,
        until: u64,
    },
    /// Until something changes, or it is time to ask again.
    Resting {
        listener: u32,
        again_at: u64,
    },
}

impl Default for Step {
    fn default() -> Step {
        Step::Connecting(Lookup::Offline)
    }
}

impl Netifd {
    /// When [`Netifd::on_time`] has something to do.
    pub fn deadline(&self) -> Option<u64> {
        match self.step {
            Step::Asking { until, .. } => Some(until),
            Step::Resting { again_at, .. } => Some(again_at),
            _ => None,
        }
    }

    /// Sends requests that are due.
    pub fn on_time(&mut self, now_ms: u64, outgoing: &mut Outgoing) {
        match self.step {
            Step::Asking { listener, until, .. } if now_ms >= until => self.failed(now_ms, listener),
            Step::Resting { listener, again_at } if now_ms >= again_at => self.look_up(listener, outgoing),
            _ => {}
        }
    }

    /// Takes an event of the bus; a new answer is in `news`.
    pub fn on_event(&mut self, now_ms: u64, outgoing: &mut Outgoing, event: &BusEvent<'_>) {
        if let Step::Connecting(lookup) = &mut self.step
            && let Some(Found { listener, target }) = lookup.on_event(outgoing, event, OBJECT, &[OBJECT])
        {
            match target {
                Some(target) => {
                    let request = outgoing.invoke(target, METHOD, &json!({}));
                    self.step = Step::Asking { listener, request, until: now_ms.saturating_add(ANSWER_MS) };
                }
                None => self.failed(now_ms, listener),
            }
            return;
        }
        match (event, &mut self.step) {
            (BusEvent::Up, step) => *step = Step::Connecting(Lookup::begin(outgoing)),
            // What was known still holds, most likely.
            (BusEvent::Down { .. }, step) => *step = Step::default(),
            (BusEvent::Data { request, attributes }, Step::Asking { request: asked, .. })
                if request == asked =>
            {
                self.news = Some(interfaces(&blob::to_value(attributes.data.unwrap_or_default())));
            }
            (BusEvent::Done { request, status }, _) => self.on_done(now_ms, outgoing, *request, *status),
            (BusEvent::Call(call), _) => self.on_call(now_ms, outgoing, call),
            _ => {}
        }
    }

    fn on_done(&mut self, now_ms: u64, outgoing: &mut Outgoing, request: Request, status: Status) {
        match self.step {
            Step::Asking { listener, request: asked, .. } if request == asked => {
                outgoing.note("to ask netifd for the interfaces", status);
                if status == Status::OK {
                    let rest = if std::mem::take(&mut self.outdated) { SETTLE_MS } else { REFRESH_MS };
                    self.step = Step::Resting { listener, again_at: now_ms.saturating_add(rest) };
                } else {
                    self.failed(now_ms, listener);
                }
            }
            _ => {}
        }
    }

    fn on_call(&mut self, now_ms: u64, outgoing: &mut Outgoing, call: &Call<'_>) {
        let listener = match &self.step {
            Step::Connecting(lookup) => lookup.listener(),
            Step::Asking { listener, .. } | Step::Resting { listener, .. } => Some(*listener),
        };
        if listener != Some(call.caller.object) {
            return;
        }
        let changed = call.method == OBJECT || added_object(call, OBJECT).is_some();
        if changed {
            match &mut self.step {
                Step::Resting { again_at, .. } => {
                    *again_at = now_ms.saturating_add(SETTLE_MS).min(*again_at);
                }
                // The answer that is on its way may be of before.
                _ => self.outdated = true,
            }
        }
        call.caller.done(outgoing, Status::OK);
    }

    fn look_up(&mut self, listener: u32, outgoing: &mut Outgoing) {
        self.step = Step::Connecting(Lookup::again(listener, OBJECT, outgoing));
    }

    fn failed(&mut self, now_ms: u64, listener: u32) {
        self.step = Step::Resting { listener, again_at: now_ms.saturating_add(AGAIN_MS) };
    }
}

/// The networks in the answer to `dump`. What has another form than netifd's is left out.
pub fn interfaces(answer: &Value) -> Vec<Interface> {
    let text = |value: &Value| {
        let text = value.as_str().filter(|text| !text.is_empty() && text.len() <= LONGEST_NAME)?;
        Some(text.to_string())
    };
    let rows = answer["interface"].as_array().into_iter().flatten();
    rows.filter_map(|row| {
        Some(Interface {
            name: text(&row["interface"])?,
            device: text(&row["l3_device"]).or_else(|| text(&row["device"])),
            zone: text(&row["data"]["zone"]),
        })
    })
    .take(MAX_INTERFACES)
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_is_read_and_what_is_no_dump_is_empty() {
        let answer = json!({"interface": [
            {"interface": "wan", "up": true, "l3_device": "pppoe-wan", "device": "eth1", "data": {}},
            {"interface": "wan6", "up": false, "device": "eth1"},
            {"interface": "wan_4", "l3_device": "ds-wan_4", "data": {"zone": "wan"}},
            {"interface": "x".repeat(65)}, {"interface": 5}, 7, {}]});
        let rows: Vec<_> = interfaces(&answer)
            .into_iter()
            .map(|row| format!("{} {:?} {:?}", row.name, row.device, row.zone))
            .collect();
        assert_eq!(
            rows,
            [
                "wan Some(\"pppoe-wan\") None",
                "wan6 Some(\"eth1\") None",
                "wan_4 Some(\"ds-wan_4\") Some(\"wan\")"
            ]
        );
        assert!(interfaces(&json!({"interface": "wan"})).is_empty() && interfaces(&json!(null)).is_empty());
        let many: Vec<_> = (0..1000).map(|n| json!({"interface": format!("n{n}")})).collect();
        assert_eq!(interfaces(&json!({"interface": many})).len(), MAX_INTERFACES);
    }
}
