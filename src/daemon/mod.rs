//! The daemon's poll loop: waits, reads the inputs, passes events to the engine, executes its actions. One thread.
//!
//! No thresholds and no formats: `core` joins engine and store and answers, `nflog` and `counters` are the
//! other things that are waited for.

pub use options_file::load;
pub use ruleset::{Place, Read, Ruleset};
pub use running::{explained, is_running};

mod callers;
pub mod check;
mod core;
mod counters;
mod enforcer;
mod fleet;
mod ledger;
mod log;
mod networks;
mod nflog;
pub mod nft;
mod nft_sync;
mod notices;
mod options_file;
mod protected;
mod ruleset;
mod running;
pub(crate) mod store;
mod wan;
pub mod zone;

use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::shown;
use crate::input::logd::LogFeed;
use crate::input::netifd::Netifd;
use crate::live::Now;
use crate::output::blobmsg::FwstatObject;
use crate::store::directory::Taken;
use crate::sys::clock;
use crate::sys::signals::{self, Signal, SignalFd};
use crate::sys::wait::{PollFd, PollFlags, is_ready, readable, wait};
use crate::ubus::{Connection, OnEvent};

use self::core::Core;
use self::nflog::NflogInput;

/// Packets read in one iteration of the loop, so that everything else is handled within milliseconds.
const PACKETS_AT_ONCE: usize = 2048;

/// Packets read before the daemon stops: as many as the kernel's buffer holds.
const PACKETS_AT_LAST: usize = 65_536;

/// How long a start waits for the store's lock while the daemon that holds it shuts down, and how often it tries.
const LOCK_TIMEOUT_MS: u64 = 6_000;
const LOCK_RETRY: Duration = Duration::from_millis(200);

/// The paths that the command line gives the daemon.
#[derive(Clone, PartialEq, Debug)]
pub struct DaemonPaths {
    /// The UCI file; `system`, `firewall`, `network`, `dhcp` and `uhttpd` are read beside it.
    pub config: PathBuf,
    /// ubusd's socket.
    pub ubus: PathBuf,
    /// The directory in RAM for the copy of the open day.
    pub run: PathBuf,
}

/// The machine's clocks as they are. Statistics use [`Core::now`], which corrects a wall clock that is not trusted.
pub fn now() -> Now {
    Now { boot_ms: clock::boot().as_millis() as u64, wall: clock::wall().as_secs().cast_signed() }
}

/// Runs until SIGTERM; the error says why it cannot. Not inlined, as what it calls: their variables together would take more stack than one
/// instruction of a 32-bit MIPS can reach (32 KiB), and every access three instructions.
#[inline(never)]
pub fn run(paths: DaemonPaths) -> Result<(), String> {
    let signals = signals::take().map_err(|error| format!("cannot take signals: {error}"))?;
    std::fs::create_dir_all(&paths.run)
        .map_err(|error| format!("cannot make {}: {error}", paths.run.display()))?;
    let Some(core) = start(&paths, &signals)? else { return Ok(()) };
    let mut daemon = Daemon {
        feed: core.config.input.logd.then(|| LogFeed::resume(core.mark)),
        nflog: core.config.input.nflog.then(|| NflogInput::new(core.config.nflog_group)),
        bus: Connection::new(&paths.ubus),
        object: FwstatObject::default(),
        netifd: Netifd::default(),
        core,
        signals,
    };
    while daemon.turn().map_err(|error| format!("cannot wait for packets: {error}"))? {}
    Ok(())
}

/// Starts as soon as no other daemon holds the store's lock, which it waits for up to [`LOCK_TIMEOUT_MS`]. `None` if SIGTERM comes
/// first; the error names the daemon that still holds the lock.
fn start(paths: &DaemonPaths, signals: &SignalFd) -> Result<Option<Core>, String> {
    let until = now().boot_ms.saturating_add(LOCK_TIMEOUT_MS);
    loop {
        let taken = match Core::start(now(), &paths.config, &paths.run) {
            Ok(core) => return Ok(Some(core)),
            Err(taken) => taken,
        };
        if now().boot_ms >= until {
            let database = load(&paths.config, None).0.database;
            let Taken { process, daemon } = taken;
            return Err(format!(
                "cannot start: another daemon (process {}, run directory {}) writes to the store {}: stop it, or set another \
                 option database in {}",
                process.unwrap_or_default(),
                daemon.unwrap_or_default(),
                shown(Path::new(&database)),
                shown(&paths.config)
            ));
        }
        wait(&mut [readable(signals.as_fd())], Some(LOCK_RETRY))
            .map_err(|error| format!("cannot wait for the store: {error}"))?;
        while let Some(signal) = signals::next(signals) {
            if signal != Signal::SIGHUP {
                return Ok(None);
            }
        }
    }
}

struct Daemon {
    core: Core,
    bus: Connection,
    object: FwstatObject,
    feed: Option<LogFeed>,
    netifd: Netifd,
    nflog: Option<NflogInput>,
    signals: SignalFd,
}

impl Daemon {
    /// One iteration of the loop; false after the last one.
    #[inline(never)]
    fn turn(&mut self) -> io::Result<bool> {
        let now = self.core.now();
        self.on_time(now);
        let (readable, writable) = self.wait()?;
        let now = self.core.now();
        while let Some(signal) = signals::next(&self.signals) {
            match signal {
                Signal::SIGHUP => self.reload(now),
                _ => {
                    self.read_packets(now, PACKETS_AT_LAST);
                    self.core.stop(now);
                    return Ok(false);
                }
            }
        }
        // A call is answered with all packets that have arrived, even during a pause.
        self.read_packets(now, PACKETS_AT_ONCE);
        if readable || writable || self.bus.has_more() {
            self.on_bus(now, Connection::on_ready);
        }
        Ok(true)
    }

    fn read_packets(&mut self, now: Now, budget: usize) {
        if let Some(nflog) = &mut self.nflog {
            nflog.read(now, budget, &mut self.core);
        }
    }

    fn on_time(&mut self, now: Now) {
        // First: with NFLOG's state known, the guard's table is complete at once and need not be made a second time.
        if let Some(nflog) = &mut self.nflog {
            nflog.on_time(now, &mut self.core);
        }
        self.core.on_time(now);
        let Daemon { core, bus, object, feed, netifd, .. } = self;
        if let Some(outgoing) = bus.outgoing() {
            object.on_time(now.boot_ms, outgoing);
            object.send_finished(outgoing, core);
            for (name, data) in core.take_events() {
                outgoing.send_event(name, &*data);
            }
            netifd.on_time(now.boot_ms, outgoing);
            if let Some(feed) = feed {
                feed.on_time(now.boot_ms, outgoing, &mut |kernel, time, msg| {
                    core.entry(now, kernel, time, msg)
                });
            }
        }
        self.on_bus(now, Connection::on_time);
        let Daemon { core, bus, object, feed, .. } = self;
        core.note_bus(bus.down_because.as_deref(), object.refused());
        if let Some(refusals) = bus.refusals() {
            core.note_refusals(now, refusals);
        }
        core.note_logd(now, feed.as_ref());
    }

    /// Passes what was received from ubusd to all users of the connection.
    fn on_bus(&mut self, now: Now, turn: fn(&mut Connection, u64, OnEvent<'_>)) {
        let Daemon { core, bus, object, feed, netifd, .. } = self;
        turn(bus, now.boot_ms, &mut |outgoing, event| {
            core.note_logd(now, feed.as_ref());
            object.on_event(now.boot_ms, outgoing, &event, core);
            netifd.on_event(now.boot_ms, outgoing, &event);
            if let Some(interfaces) = netifd.news.take() {
                core.outside.answer = Some(interfaces);
                core.refresh_wan(now);
            }
            if let Some(feed) = feed {
                feed.on_event(now.boot_ms, outgoing, &event, &mut |kernel, time, msg| {
                    core.entry(now, kernel, time, msg);
                });
            }
        });
    }

    /// Waits until something is due or ready. Returns whether the ubus socket is readable and writable; everything else is
    /// checked in every iteration.
    fn wait(&self) -> io::Result<(bool, bool)> {
        let limit = self.deadline().map(|at| Duration::from_millis(at.saturating_sub(now().boot_ms)));
        let nflog = self.nflog.as_ref().and_then(NflogInput::fd);
        let others = [Some(self.signals.as_fd()), nflog].into_iter().chain(self.core.fds());
        let mut files: Vec<PollFd<'_>> = others.flatten().map(readable).collect();
        let Some(fd) = self.bus.fd() else { return wait(&mut files, limit).map(|_| (false, false)) };
        let mut wanted = PollFlags::empty();
        wanted.set(PollFlags::POLLIN, self.bus.wants_read());
        wanted.set(PollFlags::POLLOUT, self.bus.wants_write());
        files.insert(0, PollFd::new(fd, wanted));
        wait(&mut files, limit)?;
        Ok((is_ready(&files[0], PollFlags::POLLIN), is_ready(&files[0], PollFlags::POLLOUT)))
    }

    /// When the next thing is due.
    fn deadline(&self) -> Option<u64> {
        let nflog = self.nflog.as_ref().and_then(NflogInput::deadline);
        let feed = self.feed.as_ref().and_then(LogFeed::deadline);
        let on_bus = [feed, self.object.deadline(), self.netifd.due];
        let on_bus = on_bus.into_iter().filter(|_| self.bus.is_up()).flatten();
        [nflog, self.bus.deadline(), self.core.deadline()].into_iter().flatten().chain(on_bus).min()
    }

    fn reload(&mut self, now: Now) {
        self.core.reload(now);
        let config = &self.core.config;
        self.nflog.take_if(|nflog| !config.input.nflog || nflog.group != config.nflog_group);
        if config.input.nflog {
            self.nflog.get_or_insert_with(|| NflogInput::new(config.nflog_group));
        }
        if !config.input.logd {
            self.feed = None;
        } else if self.feed.is_none() {
            // The feed starts at the connection's greeting, so it is created again.
            self.feed = Some(LogFeed::resume(self.core.mark));
            self.bus = Connection::new(&self.bus.path);
            self.object = FwstatObject::default();
            self.netifd = Netifd::default();
        }
    }
}
