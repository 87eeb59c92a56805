//! Calls over ubus: a question that needs the store is answered in steps of one month.
//!
//! Takes renderings and commands, gives finished answers to the loop. Between two steps packets are read.

use ubus::blobmsg::BlobMsgTable;

use super::{Core, MINUTE_MS};
use crate::config::exposure::{self, CachedExposure};
use crate::guard::Source;
use crate::live::Now;
use crate::live::open_day::{mask, refused_by_mask};
use crate::output::blobmsg::{Answered, Answers, BusCommand, Refused, Reply};
use crate::output::rendering::Rendering;
use crate::query::answer::Exposure;
use crate::query::question::{MAX_LIMIT, Question, Topic};
use crate::query::{Answer, AnswerError, Problem, advice};
use crate::sys::installed::{self, read_text};
use crate::ubus::Status;

/// A longer firewall configuration is not read.
const MAX_FIREWALL: u64 = 512 * 1024;

/// The answer to a question, or why there is none.
type Found = Result<Answer, AnswerError>;

impl Core {
    /// One step of the first queued question: begins it, reads one month of the store, or ends it.
    pub(super) fn step(&mut self, now: Now) {
        let Some((number, mut rendering, job)) = self.waiting.pop_front() else { return };
        let Some(question) = rendering.question() else { return };
        let found = if let Some(mut job) = job {
            if job.step(&mut self.storage.store) {
                return self.waiting.push_front((number, rendering, Some(job)));
            }
            self.engine.end_answer(now, job)
        } else if let Some(answer) = self.answer_now(now, &question) {
            Ok(answer)
        } else {
            match self.engine.begin_answer(&question, &mut self.storage.store) {
                Ok(job) => return self.waiting.push_front((number, rendering, Some(job))),
                Err(error) => Err(error),
            }
        };
        match self.rendered(now, &mut rendering, found) {
            Some(answered) => self.answered.push((number, answered)),
            // The next question of a rendering is queued behind those of other callers.
            None => self.waiting.push_back((number, rendering, None)),
        }
    }

    /// What is sent to the caller; `None` if there is a further question.
    fn rendered(&mut self, now: Now, rendering: &mut Rendering, found: Found) -> Option<Answered> {
        let question = rendering.question()?;
        let found = found.map(|answer| self.finish_answer(now, &question, answer));
        let rendered = rendering.take(found, installed::advice);
        rendered.map_err(|error| refusal(error, question.topic)).transpose()
    }

    fn answer_now(&mut self, now: Now, question: &Question) -> Option<Answer> {
        match question.topic {
            Topic::Status => Some(Answer::Status(self.status(now))),
            _ => self.engine.answer_now(now, question),
        }
    }

    /// Adds what only the daemon knows.
    fn finish_answer(&mut self, now: Now, question: &Question, mut answer: Answer) -> Answer {
        self.enforcer.add_kernel_state(&self.engine.guard, &mut answer);
        advice::add(question, &mut answer, installed::advice);
        match &mut answer {
            Answer::Summary(summary) => {
                self.counters.ask(now.boot_ms, MINUTE_MS);
                summary.warnings = Some(self.warnings(now, &self.inputs()));
                summary.now = self.engine.clock.is_set().then(|| self.engine.calendar.rfc3339(now.wall));
                summary.exposure = self.exposure(now, question.limit);
                summary.guard = Some(self.enforcer.status(now, &self.config, &self.engine));
            }
            Answer::Blocks(blocks) if question.cursor == 0 => {
                blocks.guard = Some(self.enforcer.status(now, &self.config, &self.engine));
            }
            _ => {}
        }
        if !matches!(question.topic, Topic::Recent | Topic::Blocks | Topic::Status)
            && let Some(why) = self.storage.unread()
        {
            answer.completeness_mut().add_reason(format!("the stored days cannot be read: {why}"));
        }
        if self.config.mask_sources {
            mask(&mut answer);
        }
        answer
    }

    /// Attacked ports that are open, of this month. The counts can be a minute old.
    pub(super) fn exposure(&mut self, now: Now, limit: u32) -> Option<Exposure> {
        let text = read_text(&self.config_path.with_file_name("firewall"), MAX_FIREWALL)?;
        let since = self.engine.date()?.month().first_day();
        let open = exposure::opened(&text, &self.config.zone);
        if open.is_empty() {
            return Some(Exposure { since, ports: Vec::new() });
        }
        let cached = self.exposure_cache.as_ref();
        if !cached.is_some_and(|cached| cached.fits(now.boot_ms, &open, since)) {
            let question = Question { from: Some(since), limit: MAX_LIMIT, ..Question::new(Topic::Services) };
            let Some(Answer::Services(answer)) = self.answer_of(now, &question) else { return None };
            let exposure = Exposure { since, ports: exposure::attacked(&open, &answer.services) };
            self.exposure_cache = Some(CachedExposure { asked_ms: now.boot_ms, open, exposure });
        }
        let ports = self.exposure_cache.iter().flat_map(|cached| &cached.exposure.ports);
        Some(Exposure { since, ports: ports.take(limit as usize).cloned().collect() })
    }
}

fn refusal((problem, text): AnswerError, topic: Topic) -> Refused {
    let status = match (problem, topic) {
        (Problem::Invalid, _) => Status::INVALID_ARGUMENT,
        (Problem::NotFound, Topic::Countries | Topic::Asns) => Status::NO_DATA,
        (Problem::NotFound, _) => Status::NOT_FOUND,
        (Problem::NeedsDaemon, _) => Status::NOT_SUPPORTED,
    };
    (status, text)
}

impl Answers for Core {
    fn answer(&mut self, mut rendering: Rendering) -> Reply {
        let now = self.now();
        let Some(question) = rendering.question() else { return Reply::Now(Ok(BlobMsgTable::empty())) };
        let is_blocked = |address| self.engine.guard.ledger.blocks.contains_key(&Source::of(address));
        if self.config.mask_sources
            && let Some(why) = refused_by_mask(&question, is_blocked)
        {
            return Reply::Now(Err((Status::PERMISSION_DENIED, why)));
        }
        let answer = self.answer_now(now, &question);
        if let Some(answered) = answer.and_then(|answer| self.rendered(now, &mut rendering, Ok(answer))) {
            return Reply::Now(answered);
        }
        self.last_number += 1;
        self.waiting.push_back((self.last_number, rendering, None));
        Reply::Later(self.last_number)
    }

    fn command(&mut self, command: BusCommand) -> Reply {
        let now = self.now();
        self.last_number += 1;
        let (number, engine) = (self.last_number, &mut self.engine);
        let answered = match command {
            BusCommand::Commit => {
                self.commit(now);
                self.commits.push(number);
                None
            }
            BusCommand::Release(forget) => Some(self.release(now, forget)),
            BusCommand::Block(arguments) => self.enforcer.block(now, engine, number, arguments),
            BusCommand::GuardTest(target) => self.enforcer.test(now, engine, number, target),
            BusCommand::Unblock(target) => Some(self.enforcer.unblock(now, engine, target)),
        };
        answered.map_or(Reply::Later(number), Reply::Now)
    }

    fn finished(&mut self) -> Vec<(u64, Answered)> {
        std::mem::take(&mut self.answered)
    }
}
