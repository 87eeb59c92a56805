//! What the daemon tells of its own accord: `fwstat.anomaly`, once for each anomalous service and day.

use crate::calendar::Date;
use crate::output::anomaly_table::notice;
use crate::query::answer::{AnomalyRow, Known};
use crate::record;

/// An attacker can make many services anomalous: so many a day are told.
const MOST_A_DAY: usize = 16;
/// Notices that wait while the bus is away.
const MOST_WAITING: usize = 32;

#[derive(Default)]
pub struct Notices {
    /// What was told of the two newest days.
    told: Vec<(Date, Known, Option<u16>)>,
    waiting: Vec<Notice>,
}

/// What an event tells.
pub struct Notice {
    row: AnomalyRow,
    sentence: String,
}

record! { Notice: row = Within, sentence; }

impl Notices {
    /// Sentences to log about anomalies that were not told yet.
    pub fn add(&mut self, date: Date, rows: Vec<AnomalyRow>) -> Vec<String> {
        self.told.retain(|(known, ..)| known.0 >= date.0 - 1);
        let mut sentences = Vec::new();
        for row in rows {
            let key = (row.date, row.protocol.clone(), row.port);
            let of_day = self.told.iter().filter(|(known, ..)| *known == row.date).count();
            if self.told.contains(&key) || of_day >= MOST_A_DAY {
                continue;
            }
            self.told.push(key);
            let sentence = notice(&row);
            if self.waiting.len() < MOST_WAITING {
                self.waiting.push(Notice { sentence: sentence.clone(), row });
            }
            sentences.push(sentence);
        }
        sentences
    }

    /// The events to send now.
    pub fn take(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.waiting)
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
        let told = notices.add(Date(18_358), vec![row(1900, 18_358)]);
        assert_eq!(told, ["UDP 1900 (SSDP): 92,890 attempts on 2020-04-06, usually about 13"]);
        assert!(notices.add(Date(18_358), vec![row(1900, 18_358)]).is_empty());
        let event = &notices.take()[0];
        assert_eq!(
            text(event),
            "{\"date\":\"2020-04-06\",\"protocol\":\"udp\",\"port\":1900,\"name\":\"SSDP\",\"attempts\":92890,\
             \"expected\":13.0,\"score\":9000.0,\"sentence\":\"UDP 1900 (SSDP): 92,890 attempts on 2020-04-06, usually about 13\"}"
        );
        let many = (1..100).map(|port| row(port, 18_358)).collect();
        assert_eq!(notices.add(Date(18_358), many).len(), MOST_A_DAY - 1);
        let many = (1..100).flat_map(|port| [row(port, 18_359), row(port, 18_360)]).collect();
        notices.add(Date(18_360), many);
        assert_eq!(notices.take().len(), MOST_WAITING);
        assert!(notices.told.len() <= 3 * MOST_A_DAY);
    }
}
