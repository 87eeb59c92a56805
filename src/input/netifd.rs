//! netifd over ubus: which device each network has at present. Asked at every (re)connection, and again when netifd
//! says that an interface changed.
//!
//! Takes the bus's events, gives networks; decides nothing. Whoever floods the bus with such events has us ask once
//! a second.

use serde_json::{Value, json};

use super::bus_object::{BusObject, Change};
use crate::config::zones::Interface;
use crate::ubus::{BusEvent, Outgoing, Request, Status, blob};

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
    object: BusObject,
    /// The request for the networks.
    asked: Option<Request>,
    /// When [`Netifd::on_time`] has something to do: when the answer must be there, or else when to ask again.
    pub due: Option<u64>,
    /// The newest answer of netifd; the caller takes it.
    pub news: Option<Vec<Interface>>,
    /// Something changed after it was asked.
    outdated: bool,
}

impl Netifd {
    /// Sends requests that are due.
    pub fn on_time(&mut self, now_ms: u64, outgoing: &mut Outgoing) {
        if self.due.is_none_or(|due| now_ms < due) {
            return;
        }
        if self.asked.take().is_some() {
            self.due = Some(now_ms.saturating_add(AGAIN_MS));
        } else {
            self.due = None;
            self.object.look_up(OBJECT, outgoing);
        }
    }

    /// Takes an event of the bus; a new answer is in `news`.
    pub fn on_event(&mut self, now_ms: u64, outgoing: &mut Outgoing, event: &BusEvent<'_>) {
        match self.object.on_event(outgoing, event, OBJECT, &[OBJECT]) {
            // What was known still holds, most likely.
            Some(Change::Connection) => (self.asked, self.due) = (None, None),
            Some(Change::LookedUp(target)) => {
                self.asked = target.map(|target| outgoing.invoke(target, METHOD, &json!({})));
                let wait = if target.is_some() { ANSWER_MS } else { AGAIN_MS };
                self.due = Some(now_ms.saturating_add(wait));
            }
            Some(Change::Added(_)) => self.on_change(now_ms),
            None => {}
        }
        match event {
            BusEvent::Data { request, attributes } if self.asked == Some(*request) => {
                self.news = Some(interfaces(&blob::to_value(attributes.data.unwrap_or_default())));
            }
            BusEvent::Done { request, status } if self.asked == Some(*request) => {
                self.asked = None;
                outgoing.note("to ask netifd for the interfaces", *status);
                let wait = match *status {
                    Status::OK if std::mem::take(&mut self.outdated) => SETTLE_MS,
                    Status::OK => REFRESH_MS,
                    _ => AGAIN_MS,
                };
                self.due = Some(now_ms.saturating_add(wait));
            }
            BusEvent::Call(call)
                if self.object.listener == Some(call.caller.object) && call.method == OBJECT =>
            {
                self.on_change(now_ms);
            }
            _ => {}
        }
    }

    /// netifd has changed a network, or has come: asks again soon.
    fn on_change(&mut self, now_ms: u64) {
        match &mut self.due {
            Some(due) if self.asked.is_none() => *due = now_ms.saturating_add(SETTLE_MS).min(*due),
            // The outstanding answer may have been made before this change.
            _ => self.outdated = true,
        }
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
