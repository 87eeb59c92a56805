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
        let Some(today) = self.today() else { return };
        // The day before may have just ended.
        for day in [today, Date(today.0 - 1)] {
            let question =
                Question { from: Some(day), to: Some(day), limit: 20, ..Question::new(Topic::Anomalies) };
            if let Some(Answer::Anomalies(answer)) = self.answer_of(now, &question) {
                self.log.warn_each(now.boot_ms, self.notices.add(answer.anomalies));
            }
        }
        let attempts = match self.answer_of(now, &Question::new(Topic::Days)) {
            Some(Answer::Days(answer)) => answer.days.last().map_or(0, |row| row.attempts),
            _ => 0,
        };
        self.notices.add_loss(today, self.engine.lost_today(), attempts);
        let question = Question {
            class: Class::Egress,
            min: MIN_DEVICE_ATTEMPTS,
            limit: MAX_DEVICES,
            ..Question::new(Topic::Sources)
        };
        let mut answer = self.answer_of(now, &question);
        answer.iter_mut().filter(|_| self.config.mask_sources).for_each(mask);
        if let Some(Answer::Sources(answer)) = answer {
            self.notices.add_devices(today, answer.sources);
        }
        if let Some(exposure) = self.exposure(now, MAX_LIMIT) {
            self.notices.add_open(today, exposure.ports);
        }
    }

    /// The answer to a question, at once.
    pub(super) fn answer_of(&mut self, now: Now, question: &Question) -> Option<Answer> {
        self.engine.answer(now, question, &mut self.storage.store).ok()
    }
}
