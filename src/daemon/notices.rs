//! Notifications, sent as ubus events without being asked: anomalies, losses, devices that may be infected, attacked
//! ports that were opened. Each is sent once a day.

use crate::event::calendar::Date;
use crate::output::anomaly_table::notice;
use crate::query::answer::{AnomalyRow, ExposureRow, Known, SourceRow};
use crate::query::record::Field;
use crate::record;

/// Notifications of one kind per day: an attacker can make many services anomalous.
const MAX_PER_DAY: usize = 16;
/// Notifications queued while there is no ubus connection.
const MAX_WAITING: usize = 32;

/// An event's name and its data.
pub(super) type Waiting = (&'static str, Box<dyn Field>);

/// The queue of notifications, and what was sent already.
#[derive(Default)]
pub(super) struct Notices {
    /// Sent for the two newest days: the event's name and its subject.
    sent: Vec<(Date, &'static str, String)>,
    /// The ports that were open when the configuration was read last.
    open: Option<Vec<(Known, u16)>>,
    /// The events to send.
    pub waiting: Vec<Waiting>,
}

record! {
    struct Anomaly {
        row: AnomalyRow = Flatten,
        sentence: String,
    }

    struct Device {
        row: SourceRow = Flatten,
        sentence: String,
    }

    /// The event `fwstat.incomplete`: `what` is `packets` or `guard`.
    pub(super) struct Incomplete {
        pub what: &'static str,
        pub because: String,
    }
}

impl Notices {
    /// Queues an event, unless it was sent before or the day's limit is reached. Returns whether it is new.
    fn send(&mut self, date: Date, event: &'static str, about: String, data: Box<dyn Field>) -> bool {
        self.sent.retain(|(known, ..)| known.0 >= date.0 - 1);
        let of_day = self.sent.iter().filter(|(known, kind, _)| *known == date && *kind == event);
        let new = (date, event, about);
        if of_day.count() >= MAX_PER_DAY || self.sent.contains(&new) {
            return false;
        }
        self.sent.push(new);
        if self.waiting.len() < MAX_WAITING {
            self.waiting.push((event, data));
        }
        true
    }

    /// Queues events for anomalies that were not sent yet, and gives the sentences to log.
    pub(super) fn add(&mut self, rows: Vec<AnomalyRow>) -> Vec<String> {
        let mut sentences = Vec::new();
        for row in rows {
            let about = format!("{} {:?}", &*row.protocol, row.port);
            let (date, sentence) = (row.date, notice(&row));
            let data = Anomaly { row, sentence: sentence.clone() };
            if self.send(date, "fwstat.anomaly", about, Box::new(data)) {
                sentences.push(sentence);
            }
        }
        sentences
    }

    /// `lost`: packets of today that are not counted; `attempts`: those that are. Below one percent no event is sent.
    pub(super) fn add_loss(&mut self, today: Date, lost: u64, attempts: u64) {
        if lost > 0 && lost >= attempts / 100 {
            let because = format!(
                "up to {lost} packets of {today} are in no figure so far: lost before they were read (entries of the log \
                 count as packets), or refused where only their number is known"
            );
            let data = Incomplete { what: "packets", because };
            self.send(today, "fwstat.incomplete", String::new(), Box::new(data));
        }
    }

    /// Inside devices with many refused or watched connections today.
    pub(super) fn add_devices(&mut self, today: Date, rows: Vec<SourceRow>) {
        for row in rows {
            let services = row.services.map_or(String::new(), |number| format!(", to {number} services"));
            let sentence =
                format!("{} attempts today that the firewall refuses or watches{services}.", row.attempts);
            let about = row.address.to_string();
            self.send(today, "fwstat.egress", about, Box::new(Device { row, sentence }));
        }
    }

    /// The open ports with their attempts. Those that were open at the first call are not reported.
    pub(super) fn add_open(&mut self, today: Date, rows: Vec<ExposureRow>) {
        let key = |row: &ExposureRow| (row.protocol.clone(), row.port);
        let open = rows.iter().map(key).collect();
        let Some(before) = self.open.replace(open) else { return };
        for row in rows.into_iter().filter(|row| row.attempts > 0 && !before.contains(&key(row))) {
            let about = format!("{} {}", &*row.protocol, row.port);
            self.send(today, "fwstat.exposure", about, Box::new(row));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::json::text;

    fn row(port: u16, day: i32) -> AnomalyRow {
        let name = (port == 1900).then_some("SSDP".into());
        let (protocol, port) = ("udp".into(), Some(port));
        AnomalyRow { date: Date(day), protocol, port, name, attempts: 92_890, expected: 13.0, score: 9000.0 }
    }

    #[test]
    fn each_anomaly_is_told_once_and_not_too_many() {
        let mut notices = Notices::default();
        let sent = notices.add(vec![row(1900, 18_358)]);
        assert_eq!(sent, ["UDP 1900 (SSDP): 92,890 attempts on 2020-04-06, usually about 13"]);
        assert!(notices.add(vec![row(1900, 18_358)]).is_empty());
        let (name, event) = &std::mem::take(&mut notices.waiting)[0];
        assert_eq!(*name, "fwstat.anomaly");
        assert_eq!(
            text(&**event),
            "{\"date\":\"2020-04-06\",\"protocol\":\"udp\",\"port\":1900,\"name\":\"SSDP\",\"attempts\":92890,\
             \"expected\":13.0,\"score\":9000.0,\"sentence\":\"UDP 1900 (SSDP): 92,890 attempts on 2020-04-06, usually about 13\"}"
        );
        let many = (1..100).map(|port| row(port, 18_358)).collect();
        assert_eq!(notices.add(many).len(), MAX_PER_DAY - 1);
        let many = (1..100).flat_map(|port| [row(port, 18_359), row(port, 18_360)]).collect();
        notices.add(many);
        assert_eq!(std::mem::take(&mut notices.waiting).len(), MAX_WAITING);
        assert!(notices.sent.len() <= 3 * MAX_PER_DAY);
    }
    fn names(notices: &mut Notices) -> Vec<&'static str> {
        std::mem::take(&mut notices.waiting).into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn losses_and_devices_are_told_once_a_day() {
        let mut notices = Notices::default();
        notices.add_loss(Date(18_358), 9, 1000);
        notices.add_loss(Date(18_358), 0, 0);
        assert!(names(&mut notices).is_empty());
        notices.add_loss(Date(18_358), 10, 1000);
        notices.add_loss(Date(18_358), 900, 1000);
        let sent = std::mem::take(&mut notices.waiting);
        let because = "up to 10 packets of 2020-04-06 are in no figure so far: lost before they were read (entries of \
                       the log count as packets), or refused where only their number is known";
        assert_eq!(sent.len(), 1);
        assert_eq!(text(&*sent[0].1), format!("{{\"what\":\"packets\",\"because\":\"{because}\"}}"));
        let device = || SourceRow { address: "192.168.1.7".into(), attempts: 200, ..SourceRow::default() };
        for day in [18_358, 18_358, 18_359] {
            notices.add_devices(Date(day), vec![device()]);
        }
        notices.add_loss(Date(18_359), 10, 0);
        assert_eq!(names(&mut notices), ["fwstat.egress", "fwstat.egress", "fwstat.incomplete"]);
    }

    #[test]
    fn a_port_that_was_opened_is_told_if_it_is_attacked() {
        let mut notices = Notices::default();
        let port =
            |port, attempts| ExposureRow { protocol: "tcp".into(), port, attempts, ..ExposureRow::default() };
        notices.add_open(Date(1), vec![port(443, 50)]);
        notices.add_open(Date(1), vec![port(443, 50), port(8443, 0)]);
        assert!(names(&mut notices).is_empty());
        notices.add_open(Date(2), vec![port(443, 50), port(22, 7)]);
        notices.add_open(Date(2), vec![port(443, 50), port(22, 8)]);
        let sent = std::mem::take(&mut notices.waiting);
        assert_eq!(sent.len(), 1);
        let sent = (sent[0].0, text(&*sent[0].1));
        assert!(sent.0 == "fwstat.exposure" && sent.1.contains("\"port\":22"), "{}", sent.1);
    }
}
