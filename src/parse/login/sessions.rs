//! dropbear's sessions that have not logged in, by process id.

use super::{LONGEST_SESSION, Peer};

/// Sessions that are remembered; if there are more, the one that was heard of longest ago goes.
pub(super) const SESSIONS: usize = 64;

/// The newest sessions of sshd and dropbear, by process id, to join their messages.
#[derive(Debug)]
pub(super) struct Sessions {
    open: [Option<Session>; SESSIONS],
    /// Counts up with each message about any session.
    messages: u64,
}

/// What was read of one process.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Session {
    pid: u32,
    /// Of the last message about it, and which that was.
    time: i64,
    message: u64,
    peer: Option<Peer>,
    /// Attempts of unknown users whose address is not known yet.
    pub waiting: u32,
    /// A failure of this session was counted.
    pub counted: bool,
}

impl Default for Sessions {
    fn default() -> Sessions {
        Sessions { open: [None; SESSIONS], messages: 0 }
    }
}

impl Sessions {
    /// A process of this id has begun to serve `peer`.
    pub(super) fn open(&mut self, pid: u32, peer: Peer, time: i64) {
        let session = self.session(pid, time);
        *session = Session { peer: Some(peer), waiting: 0, counted: false, ..*session };
    }

    /// A failure of the session was counted.
    pub(super) fn counted(&mut self, pid: Option<u32>, time: i64) {
        if let Some(pid) = pid {
            self.session(pid, time).counted = true;
        }
    }

    /// The peer of an attempt that names none. Not known: it waits, `count` times, for the session's end.
    pub(super) fn unknown_user(&mut self, pid: u32, time: i64, count: u32) -> Option<Peer> {
        let session = self.session(pid, time);
        if session.peer.is_some() {
            session.counted = true;
        } else {
            session.waiting = session.waiting.saturating_add(count);
        }
        session.peer
    }

    /// What was known of a session that has ended.
    pub(super) fn close(&mut self, pid: Option<u32>, time: i64) -> Session {
        let is_it = |open: &&mut Option<Session>| {
            open.is_some_and(|session| Some(session.pid) == pid && session.is_recent(time))
        };
        self.open.iter_mut().find(is_it).and_then(Option::take).unwrap_or_default()
    }

    fn session(&mut self, pid: u32, time: i64) -> &mut Session {
        let of_pid = |open: &Option<Session>| open.is_some_and(|session| session.pid == pid);
        let place = self.open.iter().position(of_pid).unwrap_or_else(|| {
            let last = |place: &usize| self.open[*place].map_or(0, |session| session.message);
            (0..SESSIONS).min_by_key(last).unwrap_or(0)
        });
        self.messages += 1;
        let message = self.messages;
        let known = self.open[place].filter(|session| session.pid == pid && session.is_recent(time));
        self.open[place].insert(Session {
            time,
            message,
            ..known.unwrap_or(Session { pid, ..Session::default() })
        })
    }
}

impl Session {
    fn is_recent(&self, time: i64) -> bool {
        self.time.abs_diff(time) <= LONGEST_SESSION
    }
}
