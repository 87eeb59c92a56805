//! Whether a daemon runs, without ubus: it holds a lock in its directory in RAM.
//!
//! Takes that directory. Gives the lock to the daemon, an answer to the command line.

use std::fs::File;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::output::blobmsg;
use crate::ubus::call::CallError;

const LOCK: &str = "daemon.lock";

/// The lock, held while the daemon runs. A previous daemon that is still stopping may have it.
#[derive(Default)]
pub(super) struct Running(Option<Flock<File>>);

impl Running {
    /// Takes the lock unless it is held already. The daemon works without it, too.
    pub(super) fn take(&mut self, run: &Path) {
        if self.0.is_none() {
            let file = File::options().create(true).truncate(false).write(true).open(run.join(LOCK));
            self.0 = file.ok().and_then(|file| Flock::lock(file, FlockArg::LockExclusiveNonblock).ok());
        }
    }
}

/// Where the daemon's file of this name can be: in the service's run directory, or in `state/` below it, the only part that
/// the init script makes writable for the daemon's user.
pub(super) fn paths(run: &Path, name: &str) -> [PathBuf; 2] {
    [run.join(name), run.join("state").join(name)]
}

/// Whether a daemon with this directory runs; false if that cannot be determined.
pub fn is_running(run: &Path) -> bool {
    paths(run, LOCK).iter().any(|path| {
        let Ok(file) = File::open(path) else { return false };
        matches!(Flock::lock(file, FlockArg::LockSharedNonblock), Err((_, Errno::EWOULDBLOCK)))
    })
}

/// The message for a failed call. A daemon that runs, but cannot be reached over ubus, need not be started.
pub fn explained(error: &CallError, is_running: bool) -> String {
    match error {
        CallError::NoObject(object) if is_running && object == blobmsg::OBJECT => {
            "the fwstat daemon runs and counts, but is not on ubus: it registers again within seconds after ubusd \
             has started; if it does not: /etc/init.d/fwstat restart, and logread -e fwstat says why"
                .to_string()
        }
        CallError::NoBus { socket, because } if is_running => format!(
            "the fwstat daemon runs and counts, but ubus cannot be reached: cannot connect to {}: {because}; is \
             ubusd running?",
            socket.display()
        ),
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_running_daemon_is_told_from_one_that_left_its_lock_behind() {
        let run = std::env::temp_dir().join(format!("fwstat-running-{}", std::process::id()));
        std::fs::create_dir_all(run.join("state")).unwrap();
        assert!(!is_running(&run));
        let mut running = Running::default();
        running.take(&run.join("state"));
        assert!(is_running(&run) && is_running(&run.join("state")));
        let mut second = Running::default();
        second.take(&run.join("state"));
        assert!(second.0.is_none());
        drop(running);
        assert!(!is_running(&run));
        second.take(&run.join("state"));
        assert!(is_running(&run));
        std::fs::remove_dir_all(run).unwrap();
    }

    #[test]
    fn a_daemon_that_runs_is_not_told_to_be_started() {
        let no_object = CallError::NoObject("fwstat".into());
        assert!(explained(&no_object, false).contains("is not running: start it"));
        assert!(
            explained(&no_object, true).starts_with("the fwstat daemon runs and counts, but is not on ubus")
        );
        let no_bus =
            || CallError::NoBus { socket: "/x".into(), because: std::io::ErrorKind::NotFound.into() };
        assert!(explained(&no_bus(), false).starts_with("ubus is not running here"));
        let sentence = explained(&no_bus(), true);
        assert!(
            sentence.starts_with("the fwstat daemon runs and counts, but ubus cannot be reached"),
            "{sentence}"
        );
        let other = CallError::NoObject("log".into());
        assert_eq!(explained(&other, true), other.to_string());
    }
}
