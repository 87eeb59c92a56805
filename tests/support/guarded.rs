//! A guarded router: the daemon with the guard on, the kernel's sets beside it, and packets in anybody's name. A test
//! file that takes it has `router`, `stand_in` and `support` beside it.

// Each test takes what it needs.
#![allow(dead_code)]

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use fwstat::daemon::nft::kernel::Elements;
use fwstat::daemon::nft::script::BLOCKED;
use fwstat::guard::Source;
use fwstat::query::question::Prefix;
use serde_json::{Value, json};

use crate::router::Router;
use crate::stand_in::broker::Broker;
use crate::support::forge::Forger;
use crate::support::namespaces::{Network, ROUTER_V4};

/// What a firewall does, with the rules of fwstat in it. Port 8022 is open.
pub const RULES: &str = r#"
table inet fw4 {
    chain input {
        type filter hook input priority filter; policy accept;
        iifname "lo" accept
        ct state established,related accept
        icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, mld2-listener-report } accept
        iifname "wan" tcp dport 8022 accept
        iifname "wan" counter log group 32 prefix "drop wan in: " snaplen 128 queue-threshold 40 drop comment "fwstat wan"
    }
    chain forward {
        type filter hook forward priority filter; policy accept;
        ct state established,related accept
        iifname "wan" counter log group 32 prefix "drop wan forward: " snaplen 128 queue-threshold 40 drop comment "fwstat wan"
    }
    chain srcnat {
        type nat hook postrouting priority srcnat; policy accept;
        oifname "wan" masquerade
    }
}
"#;

/// For what is only to happen at last, on a machine that is busy with other things.
pub const WITHIN: Duration = Duration::from_secs(60);

pub fn source(text: &str) -> Source {
    Source::from_prefix(Prefix::parse(text).unwrap()).unwrap()
}

pub fn address(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

/// Does something in a namespace.
pub fn inside<T: Send + 'static>(namespace: &str, work: impl FnOnce() -> T + Send + 'static) -> T {
    let namespace = namespace.to_string();
    let work = move || {
        Network::enter(&namespace);
        work()
    };
    thread::spawn(work).join().unwrap()
}

pub fn elements(network: &Network) -> Elements {
    inside(&network.router, || Elements::open().unwrap())
}

pub fn run(program: &str, arguments: &[&str]) -> String {
    let out = Command::new(program).args(arguments).output().unwrap();
    let error = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{program} {arguments:?}: {error}");
    String::from_utf8_lossy(&out.stdout).into_owned()
}

/// Sources in the kernel's sets, with what is left of each.
pub fn blocked(elements: &mut Elements) -> Vec<(String, u64)> {
    let mut found = Vec::new();
    elements.sources(BLOCKED, &mut |source, element| {
        found.extend(element.expires_ms.map(|left| (source.to_string(), left)));
    });
    found.sort();
    found
}

pub fn names(elements: &mut Elements) -> Vec<String> {
    blocked(elements).into_iter().map(|(name, _)| name).collect()
}

pub fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let until = Instant::now() + WITHIN;
    while !done() {
        assert!(Instant::now() < until, "not within {WITHIN:?}: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

pub struct Guarded {
    // The daemon ends before its network does.
    pub router: Router,
    pub elements: Elements,
    pub forger: Forger,
    pub network: Network,
}

impl Guarded {
    /// A router with the guard on.
    pub fn up(name: &str, main: &str, guard: &str) -> Option<Guarded> {
        let mut guarded = Guarded::stopped(name, main, guard)?;
        guarded.start();
        Some(guarded)
    }

    /// The same before its daemon was started.
    pub fn stopped(name: &str, main: &str, guard: &str) -> Option<Guarded> {
        let network = Network::up()?;
        network.nft(RULES);
        for path in ["all", "default", "wan"] {
            let path = format!("net.ipv4.conf.{path}.rp_filter=0");
            run("ip", &["netns", "exec", &network.router, "sh", "-c", &set(&path)]);
        }
        let router = Router::new(&format!("guard-{name}"), Some(&network), "nflog");
        let forger = Forger::new(&network.outside, ROUTER_V4);
        let guarded = Guarded { elements: elements(&network), router, forger, network };
        guarded.configure(main, guard);
        Some(guarded)
    }

    pub fn configure(&self, main: &str, guard: &str) {
        let guard = guard.replace(';', "\n\t");
        self.router.configure(&format!("option input 'nflog'\n\t{main}\nconfig guard 'guard'\n\t{guard}\n"));
    }

    pub fn start(&mut self) {
        self.router.start();
        self.router.running("nflog");
        eventually("the guard is up", || !["starting"].contains(&self.state().as_str()));
    }

    pub fn status(&self) -> Value {
        self.router.answer("status", json!({}))["guard"].clone()
    }

    pub fn state(&self) -> String {
        self.status()["state"].as_str().unwrap().to_string()
    }

    pub fn blocks(&self) -> Vec<Value> {
        let answer = self.router.answer("blocks", json!({"limit": 1000}));
        answer["blocks"].as_array().unwrap().clone()
    }

    pub fn wait_for(&mut self, expected: &[&str]) {
        let mut expected: Vec<String> = expected.iter().map(|text| text.to_string()).collect();
        expected.sort();
        let (elements, router) = (&mut self.elements, &self.router);
        let until = Instant::now() + WITHIN;
        loop {
            let found = names(elements);
            if found == expected {
                return;
            }
            assert!(Instant::now() < until, "{found:?} and not {expected:?}\n{}", router.log());
            thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn nft(&self, arguments: &[&str]) -> String {
        run("ip", &[&["netns", "exec", &self.network.router, "nft"], arguments].concat())
    }
}

/// A setting of the kernel, for a shell.
pub fn set(setting: &str) -> String {
    let (name, value) = setting.split_once('=').unwrap();
    format!("echo {value} > /proc/sys/{}", name.replace('.', "/"))
}

pub const ON: &str = "option enabled '1'";

/// Runs the daemon in a mount namespace where `prepare`, a shell's words, has been done.
pub fn start_prepared(guarded: &mut Guarded, prepare: &str) {
    let router = &guarded.router;
    let log = fs::File::options().create(true).append(true).open(router.path("log")).unwrap();
    let script = format!("{prepare}; exec \"$@\"");
    let config = router.path("config/fwstat");
    let run = router.path("run");
    let mut command = Command::new("ip");
    command.args(["netns", "exec", &guarded.network.router, "unshare", "-m", "sh", "-ec", &script, "sh"]);
    command.arg(env!("CARGO_BIN_EXE_fwstat")).arg("daemon").arg("--config").arg(config);
    command.arg("--ubus").arg(&router.broker.socket).arg("--run").arg(run);
    guarded.router.daemon = Some(command.stdin(Stdio::null()).stderr(log).spawn().unwrap());
    guarded.router.wait("the daemon answers", |_| true);
}

/// The outside has everything that the inside talks to; a host of the inside stands behind the router.
pub struct Surroundings {
    pub lan: String,
}

pub const GATEWAY: &str = "198.51.100.254";
pub const RESOLVER: &str = "203.0.113.53";
pub const OTHER_RESOLVER: &str = "203.0.113.54";
pub const SERVER: &str = "203.0.113.80";
pub const VICTIM: &str = "203.0.113.99";
pub const LAN_HOST: &str = "192.168.77.10";

impl Surroundings {
    pub fn new(network: &Network) -> Surroundings {
        let lan = format!("{}-lan", network.router);
        let (router, outside) = (&network.router, &network.outside);
        let ip = |arguments: &[&str]| run("ip", arguments);
        ip(&["netns", "add", &lan]);
        let surroundings = Surroundings { lan: lan.clone() };
        ip(&["-n", router, "link", "add", "br-lan", "type", "veth", "peer", "name", "eth0", "netns", &lan]);
        ip(&["-n", router, "addr", "add", "192.168.77.1/24", "dev", "br-lan"]);
        ip(&["-n", router, "link", "set", "br-lan", "up"]);
        ip(&["-n", &lan, "addr", "add", &format!("{LAN_HOST}/24"), "dev", "eth0"]);
        ip(&["-n", &lan, "link", "set", "eth0", "up"]);
        ip(&["-n", &lan, "link", "set", "lo", "up"]);
        ip(&["-n", &lan, "route", "add", "default", "via", "192.168.77.1"]);
        ip(&["-n", outside, "addr", "add", &format!("{GATEWAY}/24"), "dev", "eth0"]);
        for host in [RESOLVER, OTHER_RESOLVER, SERVER, VICTIM] {
            ip(&["-n", outside, "addr", "add", &format!("{host}/32"), "dev", "lo"]);
        }
        ip(&["-n", router, "route", "add", "default", "via", GATEWAY]);
        ip(&["netns", "exec", router, "sh", "-c", &set("net.ipv4.ip_forward=1")]);
        // Name servers and web servers that say what they are told.
        inside(outside, || {
            for host in [RESOLVER, OTHER_RESOLVER] {
                let socket = UdpSocket::bind((host, 53)).unwrap();
                thread::spawn(move || {
                    let mut question = [0; 512];
                    while let Ok((length, from)) = socket.recv_from(&mut question) {
                        let _ = socket.send_to(&question[..length], from);
                    }
                });
            }
            for host in [SERVER, VICTIM, GATEWAY] {
                let listener = TcpListener::bind((host, 8080)).unwrap();
                thread::spawn(move || {
                    for stream in listener.incoming().map_while(Result::ok) {
                        thread::spawn(move || {
                            let _ = std::io::copy(&mut &stream, &mut &stream);
                        });
                    }
                });
            }
        });
        surroundings
    }
}

impl Drop for Surroundings {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.lan]).status();
    }
}

pub fn says_it_back(mut stream: &TcpStream, word: &[u8]) -> bool {
    stream.set_read_timeout(Some(WITHIN)).unwrap();
    let mut answer = vec![0; word.len()];
    stream.write_all(word).is_ok() && stream.read_exact(&mut answer).is_ok() && answer == word
}

pub fn connects(namespace: &str, host: &'static str) -> bool {
    connects_within(WITHIN, namespace, host)
}

/// Until it is taken for impossible.
pub fn connects_within(time: Duration, namespace: &str, host: &'static str) -> bool {
    inside(namespace, move || {
        let to = (address(host), 8080).into();
        TcpStream::connect_timeout(&to, time).is_ok_and(|stream| says_it_back(&stream, b"hello"))
    })
}

pub fn resolves(namespace: &str, host: &'static str) -> bool {
    inside(namespace, move || {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        socket.set_read_timeout(Some(WITHIN)).unwrap();
        socket.send_to(b"name?", (host, 53)).unwrap();
        let mut answer = [0; 16];
        socket.recv_from(&mut answer).is_ok_and(|(length, _)| &answer[..length] == b"name?")
    })
}

/// What the bus was told, by a listener of its own.
pub fn listen(broker: &Broker) -> std::sync::mpsc::Receiver<String> {
    use crate::stand_in::wire::{self, Wire};
    use ubus::envelope::{EnvBuilder, UbusAttr, find};
    let mut wire = Wire::connect(&broker.socket).unwrap();
    let listener = wire.add_object(None).unwrap();
    let table = ubus::blobmsg::BlobMsgTable::build(|out| {
        out.put_i32(Some("object"), listener as i32);
        out.put_str(Some("pattern"), "fwstat.*");
    });
    let mut attributes = EnvBuilder::new();
    attributes.push_u32(UbusAttr::ObjId, 1);
    attributes.push_str(UbusAttr::Method, "register");
    attributes.push_data(table.contents());
    let sequence = wire.ask(ubus::wire::MsgType::Invoke, 1, attributes).unwrap();
    assert_eq!(wire.answers(sequence).unwrap().1, 0);
    let (sender, receiver) = std::sync::mpsc::channel();
    thread::spawn(move || {
        while let Ok(frame) = wire.receive() {
            let name =
                find(&frame.payload, UbusAttr::Method).and_then(|name| name.as_str().map(String::from));
            let data = find(&frame.payload, UbusAttr::Data);
            let text = data.map(|_| wire::data(&frame, UbusAttr::Data).to_vec()).unwrap_or_default();
            let table = fwstat::ubus::blob::to_value(&text);
            let _ = sender.send(format!(
                "{} {}",
                name.unwrap_or_default(),
                table["address"].as_str().unwrap_or("")
            ));
        }
    });
    receiver
}
