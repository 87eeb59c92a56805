//! dropbear's sessions that have not logged in, by process id.

use super::{LONGEST_SESSION, Peer};

/// Sessions that are remembered; if there are more, the one that was heard of longest ago goes.
pub(super) const SESSIONS: usize = 64;

/// The newest sessions of dropbear, by process id, to join their messages.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    /// The one that was heard of last at the end.
    open: Vec<Session>,
}

/// What was read of one process.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Session {
    pid: u32,
    /// Of the last message about it.
    time: i64,
    peer: Option<Peer>,
    /// Attempts of unknown users whose address is not known yet.
    pub waiting: u32,
    /// A failure of this session was counted.
    pub counted: bool,
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
        let is_it = |open: &Session| Some(open.pid) == pid && open.time.abs_diff(time) <= LONGEST_SESSION;
        self.open.iter().position(is_it).map(|place| self.open.remove(place)).unwrap_or_default()
    }

    /// The session of a process of which there is a message now.
    fn session(&mut self, pid: u32, time: i64) -> &mut Session {
        let known = self.close(Some(pid), time);
        self.open.retain(|open| open.pid != pid);
        if self.open.len() == SESSIONS {
            self.open.remove(0);
        }
        self.open.push(Session { pid, time, ..known });
        let last = self.open.len() - 1;
        &mut self.open[last]
    }
}
