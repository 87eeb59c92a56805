//! Computes the notifications of the present day for [`Notices`](crate::daemon::notices::Notices), at each commit.

use super::Core;
use crate::event::Class;
use crate::event::calendar::Date;
use crate::live::Now;
use crate::live::open_day::mask;
use crate::query::Answer;
use crate::query::question::{MAX_LIMIT, Question, Topic};

/// Refused or watched attempts a day from which a LAN device is reported.
const MIN_DEVICE_ATTEMPTS: u64 = 100;
/// The most devices that are reported for one day.
const MAX_DEVICES: u32 = 8;

impl Core {
    /// Computes today's notifications and queues the new ones.
    pub(super) fn notice(&mut self, now: Now) {
        let Some(today) = self.engine.date().filter(|_| self.engine.clock_is_set()) else { return };
        self.notice_anomalies(now, today);
        let attempts = self.answer_of(now, &Question::new(Topic::Days)).and_then(|answer| match answer {
            Answer::Days(answer) => answer.days.last().map(|row| row.attempts),
            _ => None,
        });
        self.notices.add_loss(today, self.engine.lost_today(), attempts.unwrap_or(0));
        let question = Question {
            class: Class::Egress,
            min: MIN_DEVICE_ATTEMPTS,
            limit: MAX_DEVICES,
            ..Question::new(Topic::Sources)
        };
        if let Some(mut answer) = self.answer_of(now, &question) {
            if self.config.mask_sources {
                mask(&mut answer);
            }
            if let Answer::Sources(answer) = answer {
                self.notices.add_devices(today, answer.sources);
            }
        }
        if let Some(exposure) = self.exposure(now, MAX_LIMIT) {
            self.notices.add_open(today, exposure.ports);
        }
    }

    fn answer_of(&mut self, now: Now, question: &Question) -> Option<Answer> {
        let Core { storage, engine, .. } = self;
        storage.history(|stored| engine.answer(now, question, stored)).ok()
    }

    /// Anomalies of today and of the day before, which may have just ended.
    fn notice_anomalies(&mut self, now: Now, today: Date) {
        let Core { storage, engine, notices, log, .. } = self;
        let rows = storage.history(|stored| {
            let mut rows = engine.anomalies_on(today, stored);
            rows.extend(engine.anomalies_on(Date(today.0 - 1), stored));
            rows
        });
        log.warn_each(now.boot_ms, notices.add(rows));
    }
}
