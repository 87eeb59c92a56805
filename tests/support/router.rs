//! The daemon in a router of its own: its directories, its broker, and how it is asked. A test file that takes it has
//! `stand_in` and `support` beside it.

// Each test takes what it needs.
#![allow(dead_code)]

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use fwstat::ubus::call::{CallError, call};
use serde_json::{Value, json};

use crate::stand_in::broker::Broker;
use crate::support::namespaces::{Network, ROUTER_V4};

/// For what is only to happen at last, on a machine that is busy with other things.
const WITHIN: Duration = Duration::from_secs(60);

/// Nine hours east of UTC. The hour before midnight is still one more away there: what a test counts is of one day.
fn zone() -> &'static str {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    if (seconds + 9 * 3600) % 86_400 < 23 * 3600 { "JST-9" } else { "JST-8" }
}

/// A daemon with its directories; both are gone when this is dropped.
pub struct Router {
    pub directory: PathBuf,
    namespace: Option<String>,
    pub broker: Broker,
    pub daemon: Option<Child>,
    pub program: PathBuf,
    /// Its time zone, in which no midnight is near.
    pub zone: &'static str,
    /// The daemon's environment, beside the usual.
    pub environment: Vec<(&'static str, String)>,
}

impl Router {
    pub fn new(name: &str, network: Option<&Network>, inputs: &str) -> Router {
        let directory = std::env::temp_dir().join(format!("fwstat-daemon-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(directory.join("config")).unwrap();
        let broker = Broker::start(&directory.join("ubus.sock"));
        let namespace = network.map(|network| network.router.clone());
        let program = PathBuf::from(env!("CARGO_BIN_EXE_fwstat"));
        let (zone, environment) = (zone(), Vec::new());
        let router = Router { directory, namespace, broker, daemon: None, program, zone, environment };
        router.configure(&format!("option input '{inputs}'"));
        router.set_zone(zone);
        router
    }

    /// It is read at the next start or reload.
    pub fn set_zone(&self, zone: &str) {
        let text = format!("config system\n\toption timezone '{zone}'\n");
        fs::write(self.path("config/system"), text).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    pub fn configure(&self, options: &str) {
        let database = self.path("db").display().to_string();
        let text = format!("config fwstat 'main'\n\toption database '{database}'\n\t{options}\n");
        fs::write(self.path("config/fwstat"), text).unwrap();
    }

    pub fn program(&self) -> Command {
        match &self.namespace {
            Some(namespace) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", namespace]).arg(&self.program);
                command
            }
            None => Command::new(&self.program),
        }
    }

    /// As the hotplug script of NTP says it: the clock is right.
    pub fn tell_clock(&self) {
        let told = self.path("run/clock-set");
        let _ = fs::remove_dir(&told);
        fs::create_dir_all(&told).unwrap();
    }

    pub fn start(&mut self) {
        self.tell_clock();
        let log = fs::File::options().create(true).append(true).open(self.path("log")).unwrap();
        let mut command = self.program();
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.arg("daemon").arg("--config").arg(self.path("config/fwstat"));
        command.arg("--ubus").arg(&self.broker.socket).arg("--run").arg(self.path("run"));
        let informs = log.try_clone().unwrap();
        self.daemon = Some(command.stdin(Stdio::null()).stdout(informs).stderr(log).spawn().unwrap());
        self.wait("the daemon answers", |_| true);
    }

    /// How often the daemon had to wait so far.
    pub fn wakeups(&self) -> u64 {
        let pid = self.daemon.as_ref().unwrap().id();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).unwrap();
        line.trim().parse().unwrap()
    }

    /// Bytes of NFLOG's datagrams that the daemon has not read yet.
    pub fn unread(&self) -> u64 {
        let path = format!("/proc/{}/net/netlink", self.daemon.as_ref().unwrap().id());
        let rows = fs::read_to_string(path).unwrap();
        let rows = rows.lines().skip(1).map(|row| row.split_whitespace().collect::<Vec<_>>());
        // Protocol 12 is netfilter's.
        rows.filter(|row| row[1] == "12").map(|row| row[4].parse::<u64>().unwrap()).sum()
    }

    pub fn signal(&self, signal: nix::sys::signal::Signal) {
        // `ip netns exec` becomes the program: its process is the daemon's.
        let pid = self.daemon.as_ref().unwrap().id();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid as i32), signal).unwrap();
    }

    /// As procd stops it: SIGTERM. The exit code is 0.
    pub fn stop(&mut self) {
        self.signal(nix::sys::signal::Signal::SIGTERM);
        let status = self.daemon.take().unwrap().wait().unwrap();
        assert!(status.success(), "{status} {}", self.log());
    }

    pub fn kill(&mut self) {
        let mut daemon = self.daemon.take().unwrap();
        daemon.kill().unwrap();
        daemon.wait().unwrap();
    }

    pub fn ask(&self, method: &str, arguments: Value) -> Result<Value, CallError> {
        self.ask_within(WITHIN, method, arguments)
    }

    pub fn ask_within(&self, time: Duration, method: &str, arguments: Value) -> Result<Value, CallError> {
        call(&self.broker.socket, "fwstat", method, &arguments, time)
    }

    pub fn answer(&self, method: &str, arguments: Value) -> Value {
        self.ask(method, arguments).unwrap_or_else(|error| panic!("{method}: {error}\n{}", self.log()))
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// Until a summary is as it should be.
    pub fn wait(&self, what: &str, done: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + WITHIN;
        loop {
            // What was sent to a daemon that is killed nobody answers.
            let summary = self.ask_within(Duration::from_secs(5), "summary", json!({}));
            if let Some(summary) = summary.as_ref().ok().filter(|summary| done(summary)) {
                return summary.clone();
            }
            assert!(Instant::now() < until, "not within {WITHIN:?}: {what}\n{summary:?}\n{}", self.log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn attempts(&self, attempts: u64) -> Value {
        self.wait(&format!("{attempts} attempts"), |summary| summary["attempts"] == attempts)
    }

    pub fn input(&self, name: &str) -> Value {
        let status = self.answer("status", json!({}));
        let inputs = status["inputs"].as_array().unwrap();
        inputs.iter().find(|input| input["name"] == name).unwrap().clone()
    }

    pub fn running(&self, name: &str) {
        let until = Instant::now() + WITHIN;
        while self.input(name)["state"] != "running" {
            assert!(Instant::now() < until, "{name}: {}\n{}", self.input(name), self.log());
            thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn shell(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let out = Command::new(&self.program)
            .args(arguments)
            .arg("--ubus")
            .arg(&self.broker.socket)
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (out.status.code(), text(&out.stdout), text(&out.stderr))
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        if let Some(daemon) = &mut self.daemon {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// A SYN as the kernel logs it.
pub fn line(source: &str, port: u16, id: u16) -> String {
    format!(
        "[119160.262669] reject wan in: IN=wan OUT= MAC=02:00:00:00:00:01:02:00:00:00:00:07:08:00 SRC={source} \
         DST={ROUTER_V4} LEN=40 TOS=0x00 PREC=0x00 TTL=58 ID={id} PROTO=TCP SPT=54321 DPT={port} WINDOW=1024 \
         RES=0x00 SYN URGP=0"
    )
}
