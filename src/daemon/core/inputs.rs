//! The state of the inputs, of ubus and netifd; and passes log entries to the engine.
//!
//! Takes what the loop reports, keeps it for `status`, and logs a change once. Opens no socket.

use super::{Core, RUNNING, STARTING_MS};
use crate::config::Config;
use crate::daemon::ruleset::Read;
use crate::event::small_map::SmallMap;
use crate::input::Counters;
use crate::input::logd::LogFeed;
use crate::live::{Input, InputItem, Now};
use crate::parse::line::Outcome;
use crate::ubus::Status;

impl Core {
    /// Reads the time zone again, and logs a change and its error.
    pub(super) fn refresh_zone(&mut self, now: Now) {
        let Some((calendar, wrong)) = self.zone.refresh() else { return };
        self.log.write(now.boot_ms, &format!("the time zone is {} from now on", calendar.name()), false);
        if let Some(wrong) = wrong {
            self.log.warn(now.boot_ms, &wrong);
            self.problems.push(wrong);
        }
        self.engine.calendar = calendar.clone();
        self.lines.renew(&self.outside.networks, calendar);
    }

    /// Reads the WAN interfaces again, and logs a change.
    pub(crate) fn refresh_wan(&mut self, now: Now) {
        if self.outside.refresh(&self.config.zone) {
            let names = || format!("WAN interfaces: {}", self.outside.networks.wan.join(" "));
            let (guessed, is_guessed) = (self.outside.guessed.clone(), self.outside.guessed.is_some());
            self.log.write(now.boot_ms, &guessed.unwrap_or_else(names), is_guessed);
            self.lines.renew(&self.outside.networks, self.engine.calendar.clone());
        }
    }

    /// An entry of logd.
    pub(crate) fn entry(&mut self, now: Now, kernel: bool, time_ms: i64, msg: &[u8]) {
        let (seconds, paths) = (time_ms.div_euclid(1000), &mut self.engine.paths);
        let mut outcome = if kernel {
            self.lines.read_kernel(msg, seconds, paths)
        } else {
            self.lines.read_daemon(msg, seconds, paths)
        };
        if let Outcome::Malformed(reason) | Outcome::Skipped(Some(reason)) = outcome {
            self.uncounted.add_entry(reason, kernel, 0, msg);
        }
        let item = match &mut outcome {
            Outcome::Event(event) => InputItem::Event(event, Some(time_ms), Some(msg)),
            Outcome::Malformed(_) => InputItem::Malformed,
            Outcome::Skipped(_) => InputItem::Ignored,
        };
        self.engine.take(now, Input::Logd, item);
    }

    /// The state of the NFLOG input, `RUNNING` or why not, and its counters.
    pub(crate) fn note_nflog(&mut self, now: Now, state: &str, counters: Counters) {
        if self.nflog.state != state {
            self.log.write(now.boot_ms, &format!("nflog: {state}"), state != RUNNING);
            self.nflog.state = state.to_string();
            // Which of the rules' packets are seen changes now.
            self.counters.ask(now.boot_ms, 0);
            self.explain_unseen();
        }
        self.nflog.counts = counters;
        self.engine.note_lost(Input::Nflog, counters.lost);
    }

    /// The counts and the state of the logd input; `None`: it is off.
    pub(crate) fn note_logd(&mut self, now: Now, feed: Option<&LogFeed>) {
        let Some(feed) = feed else { return };
        let state = feed.state_name();
        if self.logd.state != state {
            let starting = now.boot_ms < self.started_ms.saturating_add(STARTING_MS);
            let is_fine = starting || matches!(state, RUNNING | "connecting" | "reading");
            self.log.write(now.boot_ms, &format!("logd: {state}"), !is_fine);
            self.logd.state = state.to_string();
        }
        self.logd.counts = feed.state.counts;
        self.mark = feed.state.mark;
        self.engine.note_lost(Input::Logd, feed.state.counts.lost);
    }

    /// Registrations and subscriptions that the broker refused, by name.
    pub(crate) fn note_refusals(&mut self, now: Now, refusals: &SmallMap<String, Status>) {
        let refused = |(what, status): (&String, &Status)| format!("ubus refuses {what}: {status}");
        let refusals: Vec<String> = refusals.iter().map(refused).collect();
        for sentence in refusals.iter().filter(|sentence| !self.refusals.contains(sentence)) {
            self.log.warn(now.boot_ms, sentence);
        }
        self.refusals = refusals;
    }

    /// `down`: why there is no connection. `refused_by`: the broker's answer to the object's registration.
    pub(crate) fn note_bus(&mut self, down: Option<&str>, refused_by: Option<Status>) {
        let refused = |status| format!("ubus: the broker refuses the object fwstat: {status}");
        self.bus = down.map(|because| format!("ubus: {because}")).or_else(|| refused_by.map(refused));
    }

    /// Takes the ruleset that nft has printed, and what follows of it for today.
    pub(super) fn read_counters(&mut self, now: Now) {
        let was_running = self.counters.nft.is_running();
        if let Some(ruleset) = self.counters.poll(now.boot_ms) {
            let Config { zone, input, nflog_group, .. } = &self.config;
            let read = Read { nflog: self.reads_nflog().then_some(*nflog_group), logd: input.logd };
            let unseen = self.counts.add(&ruleset, zone, read, self.engine.date());
            self.engine.note_unseen(unseen);
        }
        // The sentences take too long to be made again for every batch of packets.
        if was_running && !self.counters.nft.is_running() {
            self.explain_unseen();
        }
    }

    pub(super) fn reads_nflog(&self) -> bool {
        self.config.input.nflog && self.nflog.state == RUNNING
    }

    /// Why today is not complete beside what was lost. Also called when the counters were asked for, since nft may be missing.
    pub(super) fn explain_unseen(&mut self) {
        let mut reasons = self.counts.reasons();
        if self.counters.why.is_some() {
            reasons.push("rules that cannot be listed: what is refused there is not counted".into());
        } else if self.config.input.nflog && !self.reads_nflog() && self.counts.rules.is_none() {
            reasons.push("NFLOG is not read: what is refused there is not counted".into());
        }
        self.engine.not_seen = reasons;
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;
    use std::time::{Duration, Instant, UNIX_EPOCH};

    use nix::sched::{CloneFlags, unshare};

    use super::*;
    use crate::daemon::nft::run::program;
    use crate::event::Class;
    use crate::guard::Source;
    use crate::live::clock::BUILT;
    use crate::output::rendering::Rendering;
    use crate::query::question::{Question, Topic};

    /// The same date in UTC and in Japan.
    const NOW: Now = Now { boot_ms: 100_000, wall: BUILT + 463 * 86_400 };

    /// The daemon's core with temporary directories and the guard enabled, before it has created its nftables table.
    struct Started {
        core: Core,
        directory: PathBuf,
    }

    impl Started {
        fn new(name: &str) -> Started {
            let directory = std::env::temp_dir().join(format!("fwstat-core-{}-{name}", std::process::id()));
            let _ = fs::remove_dir_all(&directory);
            for name in ["config", "db", "run/clock-set"] {
                fs::create_dir_all(directory.join(name)).unwrap();
            }
            let options = format!(
                "config fwstat 'main'\n\toption input 'logd'\n\toption database '{}'\n\
                 config guard 'guard'\n\toption enabled '1'\n",
                directory.join("db").display()
            );
            fs::write(directory.join("config/fwstat"), options).unwrap();
            let core = Core::start(NOW, &directory.join("config/fwstat"), &directory.join("run"));
            let mut core = core.unwrap_or_else(|taken| panic!("{taken:?}"));
            core.engine.wants_commit = false;
            Started { core, directory }
        }

        fn entry(&mut self, message: &str) {
            self.core.entry(NOW, false, NOW.wall * 1000, message.as_bytes());
        }

        fn logins(&mut self) -> u64 {
            let question = Question { class: Class::Login, ..Question::new(Topic::Summary) };
            let answer = self.core.answer_of(NOW, &question);
            let Some(crate::query::Answer::Summary(summary)) = answer else { panic!() };
            summary.attempts
        }
    }

    impl Drop for Started {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.directory);
        }
    }

    #[test]
    fn who_guesses_passwords_is_judged_in_the_next_turn() {
        // The guard creates its nftables table in a separate network namespace.
        if unshare(CloneFlags::CLONE_NEWNET).is_err() {
            return eprintln!("SKIPPED: a network namespace needs root");
        }
        let mut started = Started::new("suspect");
        let until = Instant::now() + Duration::from_secs(20);
        while started.core.deadline() == Some(0) {
            assert!(Instant::now() < until, "something stays due");
            std::thread::sleep(Duration::from_millis(1));
            started.core.on_time(NOW);
        }
        for number in 0..100 {
            started.entry(&format!("dropbear[7]: Bad password attempt for 'root' from 203.0.113.5:{number}"));
        }
        assert_eq!(started.core.deadline(), Some(0));
    }

    #[test]
    fn a_newer_list_of_shared_sources_lasts_longer_though_it_has_the_same_ones() {
        if program().is_none() || unshare(CloneFlags::CLONE_NEWNET).is_err() {
            return eprintln!("SKIPPED: a network namespace needs root, and the table nft");
        }
        let mut started = Started::new("shared");
        let spool = started.directory.join("run/fleet");
        fs::create_dir_all(&spool).unwrap();
        let core = &mut started.core;
        (core.config.fleet.enabled, core.config.fleet.shared) = (true, true);
        core.fleet.borrow_mut().set(&core.config, &core.run, 0);
        for builds in 1..=2 {
            let made = NOW.wall + i64::try_from(builds).unwrap();
            let list = format!("fwstat-shared 1 {made} 1\n185.0.2.7 412 7\nend\n");
            fs::write(spool.join("new"), list).unwrap();
            let written = fs::File::options().write(true).open(spool.join("new")).unwrap();
            written.set_modified(UNIX_EPOCH + Duration::from_secs(builds)).unwrap();
            fs::rename(spool.join("new"), spool.join("shared")).unwrap();
            core.turn_fleet(NOW);
            let began = Instant::now();
            while core.enforcer.nft_sync.builds < builds {
                assert!(began.elapsed() < Duration::from_secs(20), "{builds}");
                std::thread::sleep(Duration::from_millis(1));
                let boot_ms = NOW.boot_ms + began.elapsed().as_millis() as u64;
                core.turn_enforcer(Now { boot_ms, ..NOW });
            }
        }
        assert_eq!(core.enforcer.shared_in_force(NOW, &core.engine), [Source::V4(0xb900_0207)]);
    }

    #[test]
    fn while_the_rules_cannot_be_listed_today_is_not_complete() {
        let mut started = Started::new("ruleset");
        started.core.counters.why = Some("the firewall's ruleset is too long".into());
        started.core.explain_unseen();
        let reason = "rules that cannot be listed: what is refused there is not counted";
        assert_eq!(started.core.engine.not_seen, [reason]);
        // No sentence is made again before the next listing.
        started.core.counters.nft = Default::default();
        let made = started.core.engine.not_seen.as_ptr();
        started.core.read_counters(NOW);
        assert_eq!(started.core.engine.not_seen.as_ptr(), made);
    }

    #[test]
    fn a_question_begins_anew_once_the_store_is_open_again() {
        let mut started = Started::new("anew");
        let core = &mut started.core;
        core.release(NOW, None).unwrap();
        core.waiting.push_back((1, Rendering::Record(Question::new(Topic::Days)), None));
        core.step(NOW);
        assert!(matches!(core.waiting.front(), Some((1, _, Some(_)))));
        core.commit(NOW);
        assert!(core.storage.problem.is_none());
        assert!(matches!(core.waiting.front(), Some((1, _, None))));
    }

    #[test]
    fn a_connection_counts_once_though_interfaces_and_the_time_zone_change() {
        let mut started = Started::new("sessions");
        started.entry("sshd[9]: Failed password for root from 203.0.113.5 port 4022 ssh2");
        started.entry("dropbear[7]: Child connection from 203.0.113.6:4022");
        let zone = "config zone\n\toption name 'wan'\n\tlist device 'eth7'\n";
        fs::write(started.directory.join("config/firewall"), zone).unwrap();
        started.core.refresh_wan(NOW);
        assert_eq!(started.core.outside.networks.wan, ["eth7"]);
        started
            .entry("sshd[9]: Connection closed by authenticating user root 203.0.113.5 port 4022 [preauth]");
        assert_eq!(started.logins(), 1);
        let zone = "config system\n\toption timezone 'JST-9'\n";
        fs::write(started.directory.join("config/system"), zone).unwrap();
        started.core.refresh_zone(NOW);
        assert_eq!(started.core.engine.calendar.name(), "JST-9");
        started
            .entry("sshd[9]: Connection closed by authenticating user root 203.0.113.5 port 4022 [preauth]");
        started.entry("dropbear[7]: Login attempt for nonexistent user");
        assert_eq!(started.logins(), 2, "dropbear's first line named the source");
    }
}
