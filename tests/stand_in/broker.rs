//! The broker of the crate `ubusd`, run as a process: the test program starts itself again. Object ids are as OpenWrt's
//! ubusd gives them, see `ids`.
//!
//! The `main.rs` of a test binary that uses it has the one test that the second process runs:
//! `#[test] fn broker_process() { stand_in::broker::serve_if_asked() }`.
//! With `FWSTAT_TEST_UBUSD=/path/to/ubusd` that program is the broker instead, such as OpenWrt's own.
#![allow(unsafe_code)]

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::ids;

const SOCKET_VARIABLE: &str = "FWSTAT_TEST_BROKER";

pub struct Broker {
    child: Child,
    pub socket: PathBuf,
}

impl Broker {
    pub fn start(socket: &Path) -> Broker {
        let mut command = match std::env::var_os("FWSTAT_TEST_UBUSD") {
            Some(program) => {
                let mut command = Command::new(program);
                command.arg("-s").arg(socket);
                command
            }
            None => {
                let mut command = Command::new(std::env::current_exe().unwrap());
                command.args(["--exact", "broker_process", "--nocapture"]).env(SOCKET_VARIABLE, socket);
                command
            }
        };
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let until = Instant::now() + Duration::from_secs(60);
        while UnixStream::connect(socket).is_err() {
            assert!(Instant::now() < until, "the broker does not listen on {}", socket.display());
            std::thread::sleep(Duration::from_millis(5));
        }
        Broker { child, socket: socket.to_owned() }
    }

    /// As `kill -9`.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn serve_if_asked() {
    let Ok(socket_path) = std::env::var(SOCKET_VARIABLE) else {
        return;
    };
    // SAFETY: sets a flag of this process only: it ends when the test that started it does.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    let inner = format!("{socket_path}.inner");
    let config = ubusd::Config { socket_path: inner.clone(), ..ubusd::Config::default() };
    let mut broker = ubusd::Broker::bind(config).unwrap();
    let _ = std::fs::remove_file(&socket_path);
    std::thread::spawn(move || ids::relay(Path::new(&socket_path), Path::new(&inner)).unwrap());
    broker.run().unwrap();
}
