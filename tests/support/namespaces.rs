//! A router and the outside, each in a network namespace of its own, joined by a veth pair.
//!
//! Nothing is ever set up in the machine's own namespace: the pair is made inside the router's.

use std::fs::File;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sched::{CloneFlags, setns};

pub const ROUTER_V4: &str = "198.51.100.1";
pub const OUTSIDE_V4: &str = "198.51.100.7";
pub const ROUTER_V6: &str = "2001:db8::1";
pub const OUTSIDE_V6: &str = "2001:db8::7";
pub const ROUTER_MAC: &str = "02:00:00:00:00:01";
pub const OUTSIDE_MAC: &str = "02:00:00:00:00:07";

/// Two namespaces; both are gone when this is dropped.
pub struct Network {
    pub router: String,
    pub outside: String,
}

impl Network {
    /// `None`, with a word on stderr, where it cannot be: not root, or a tool is missing. With
    /// `CI=true` that is a failure.
    pub fn up() -> Option<Network> {
        if let Some(why) = impossible() {
            if std::env::var_os("CI").is_some_and(|ci| ci == "true") {
                panic!("this test must run in CI: {why}");
            }
            eprintln!("SKIPPED: {why}");
            return None;
        }
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = |what| format!("fwstat-{}-{number}-{what}", std::process::id());
        let network = Network { router: name("router"), outside: name("outside") };
        let (router, outside) = (&network.router, &network.outside);
        for namespace in [router, outside] {
            ip(&["netns", "add", namespace]);
            ip(&["-n", namespace, "link", "set", "lo", "up"]);
        }
        ip(&["-n", router, "link", "add", "wan", "type", "veth", "peer", "name", "eth0", "netns", outside]);
        for (namespace, link, mac, v4, v6, peer) in [
            (router, "wan", ROUTER_MAC, ROUTER_V4, ROUTER_V6, (OUTSIDE_V4, OUTSIDE_V6, OUTSIDE_MAC)),
            (outside, "eth0", OUTSIDE_MAC, OUTSIDE_V4, OUTSIDE_V6, (ROUTER_V4, ROUTER_V6, ROUTER_MAC)),
        ] {
            ip(&["-n", namespace, "link", "set", link, "address", mac]);
            ip(&["-n", namespace, "addr", "add", &format!("{v4}/24"), "dev", link]);
            ip(&["-n", namespace, "addr", "add", &format!("{v6}/64"), "dev", link, "nodad"]);
            ip(&["-n", namespace, "link", "set", link, "up"]);
            for address in [peer.0, peer.1] {
                ip(&["-n", namespace, "neigh", "replace", address, "lladdr", peer.2, "dev", link]);
            }
        }
        Some(network)
    }

    /// Loads nft rules in the router.
    pub fn nft(&self, rules: &str) {
        let mut nft = Command::new("ip")
            .args(["netns", "exec", &self.router, "nft", "-f", "-"])
            .stdin(Stdio::piped())
            .spawn()
            .expect("start nft");
        nft.stdin.take().unwrap().write_all(rules.as_bytes()).unwrap();
        assert!(nft.wait().unwrap().success(), "nft refused:\n{rules}");
    }

    /// The packets that a named counter in table `inet test` counted.
    pub fn counter(&self, name: &str) -> u64 {
        let out = run("ip", &["netns", "exec", &self.router, "nft", "list", "counter", "inet", "test", name]);
        let words: Vec<&str> = out.split_whitespace().collect();
        let place = words.iter().position(|word| *word == "packets").expect("a counter");
        words[place + 1].parse().unwrap()
    }

    /// Runs a Python program outside.
    pub fn python(&self, program: &str) {
        run("ip", &["netns", "exec", &self.outside, "python3", "-c", program]);
    }

    /// Moves this thread into a namespace.
    pub fn enter(namespace: &str) {
        let file = File::open(format!("/var/run/netns/{namespace}")).expect("the namespace's file");
        setns(file, CloneFlags::CLONE_NEWNET).expect("enter the namespace");
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for namespace in [&self.router, &self.outside] {
            let _ = Command::new("ip").args(["netns", "del", namespace]).stderr(Stdio::null()).status();
        }
    }
}

fn impossible() -> Option<String> {
    if !nix::unistd::geteuid().is_root() {
        return Some("network namespaces need root".to_string());
    }
    ["nft", "ip", "python3"].into_iter().find_map(|tool| {
        let found = Command::new(tool).arg("--help").stdout(Stdio::null()).stderr(Stdio::null()).status();
        found.err().map(|error| format!("cannot run {tool}: {error}"))
    })
}

fn ip(arguments: &[&str]) {
    run("ip", arguments);
}

fn run(program: &str, arguments: &[&str]) -> String {
    let out = Command::new(program).args(arguments).output().expect("start a program");
    let error = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{program} {}: {error}", arguments.join(" "));
    String::from_utf8_lossy(&out.stdout).into_owned()
}
