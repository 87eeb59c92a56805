//! The guard under attack: forged floods beside real password guessing, hosts of the inside that open very many
//! connections, connections that the kernel forgot, and an nft that takes long.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use fwstat::daemon::nft::script::PEERS;

use crate::guarded::{
    Guarded, ON, SERVER, Surroundings, VICTIM, address, elements, eventually, inside, listen, names, run,
    says_it_back, start_prepared,
};
use crate::router::Router;
use crate::stand_in::logd::{Logd, SYSLOG};
use crate::support::forge::Forger;
use crate::support::namespaces::{Network, OUTSIDE_V4, ROUTER_V4};
use nix::sys::signal::Signal;
use serde_json::json;

#[test]
fn forged_floods_do_not_keep_a_password_guesser_from_being_blocked() {
    let Some(network) = Network::up() else { return };
    network.nft(crate::guarded::RULES);
    let mut router = Router::new("guard-guesser", Some(&network), "nflog logd");
    router.configure(
        "option input 'nflog logd'\nconfig guard 'guard'\n\toption enabled '1'\n\toption max_blocks '40'\n",
    );
    let mut logd = Logd::start(&router.broker.socket);
    let events = listen(&router.broker);
    let forger = Forger::new(&network.outside, ROUTER_V4);
    let elements = elements(&network);
    router.start();
    router.running("nflog");
    router.running("logd");
    let mut guarded = Guarded { router, elements, forger, network };
    eventually("the guard is on", || guarded.state() == "on");
    for number in 0..45 {
        guarded.forger.flood(Ipv4Addr::new(192, 0, 2, number + 1), 205);
    }
    guarded.router.attempts(45 * 205);
    eventually("the budget is used up", || guarded.status()["budget"] == json!({"used": 30, "limit": 30}));
    for number in 0..40 {
        let text = format!("dropbear[1]: Bad password attempt for 'root' from 203.0.113.9:{}", 4000 + number);
        logd.log(SYSLOG, 86, &text, true);
    }
    eventually("the guesser is in the kernel's set", || {
        names(&mut guarded.elements).contains(&"203.0.113.9".to_string())
    });
    let status = guarded.status();
    assert_eq!(
        (&status["state"], &status["login_budget"]["used"]),
        (&json!("degraded"), &json!(1)),
        "{status}"
    );
    let why =
        "the budget of 30 blocks for floods and scans within 1m is used up: more sources are not blocked";
    assert_eq!(status["why"], why);
    assert_eq!(status["max_blocks"], json!({"used": 30, "limit": 40}));
    eventually("the bus is told once", || {
        events.try_iter().any(|event| event.starts_with("fwstat.incomplete"))
    });
    assert!(!events.try_iter().any(|event| event.starts_with("fwstat.incomplete")));
    guarded.router.stop();
}

#[test]
fn a_host_inside_cannot_fill_the_peers_and_who_is_connected_is_not_blocked() {
    let Some(mut guarded) = Guarded::up("peers", "", ON) else { return };
    let around = Surroundings::new(&guarded.network);
    // The router has a default route from now on.
    guarded.router.signal(Signal::SIGHUP);
    eventually("the way out is known", || {
        guarded.nft(&["list", "table", "inet", "fwstat"]).contains("jump served")
    });
    inside(&around.lan, || {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        for number in 0..9_000u32 {
            let to = Ipv4Addr::from(0x2d00_0000 + number);
            socket.send_to(b"x", (to, 4000)).unwrap();
            if number % 256 == 0 {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    });
    let mut peers = 0;
    guarded.elements.sources(PEERS, &mut |_, _| peers += 1);
    assert!((500..700).contains(&peers), "{peers} peers are remembered");
    let open = inside(&around.lan, || TcpStream::connect((SERVER, 8080)).unwrap());
    assert!(says_it_back(&open, b"before"));
    for host in [SERVER, VICTIM] {
        guarded.forger.flood(address(host), 300);
    }
    guarded.wait_for(&[VICTIM]);
    eventually("the flood in its name was judged", || {
        guarded.router.log().contains(&format!("{SERVER} is not blocked for"))
    });
    let log = guarded.router.log();
    let line = log.lines().find(|line| line.contains(&format!(" {SERVER} is not blocked"))).unwrap();
    assert!(line.ends_with("a connection to it was opened from inside"), "{line}");
    assert_eq!(names(&mut guarded.elements), [VICTIM]);
    // The kernel is asked for it every few seconds at most; a busy machine drops some of the datagrams before.
    eventually("what was not remembered is counted", || {
        guarded.status()["peers"]["limited"].as_u64() > Some(3_000)
    });
    let status = guarded.router.answer("status", json!({}));
    let warnings = status["warnings"].to_string();
    assert!(warnings.contains("a host of the inside opens connections to very many addresses"), "{warnings}");
    // Another table, such as one for another scope, knows them still.
    guarded.configure("", "option enabled '1';option scope 'all'");
    guarded.router.signal(Signal::SIGHUP);
    eventually("the scope is another", || {
        guarded.nft(&["list", "chain", "inet", "fwstat", "check_source"]).contains("nd-neighbor-solicit")
    });
    eventually("the peers are still known", || {
        let mut after = 0;
        guarded.elements.sources(PEERS, &mut |_, _| after += 1);
        after >= peers
    });
    guarded.router.stop();
}

#[test]
fn a_late_answer_makes_nobody_a_peer() {
    let Some(mut guarded) = Guarded::up("late", "", ON) else { return };
    guarded.network.nft("insert rule inet fw4 input udp dport 9999 accept\n");
    let router = guarded.network.router.clone();
    let (listener, socket) = inside(&router, || {
        (TcpListener::bind("0.0.0.0:8022").unwrap(), UdpSocket::bind("0.0.0.0:9999").unwrap())
    });
    let outside = guarded.network.outside.clone();
    let (mut open, asker) = inside(&outside, || {
        let asker = UdpSocket::bind("0.0.0.0:0").unwrap();
        asker.send_to(b"x", (ROUTER_V4, 9999)).unwrap();
        (TcpStream::connect((ROUTER_V4, 8022)).unwrap(), asker)
    });
    let (mut accepted, _) = listener.accept().unwrap();
    let mut byte = [0; 1];
    let (_, from) = socket.recv_from(&mut byte).unwrap();
    for _ in 0..3 {
        run("ip", &["netns", "exec", &router, "conntrack", "-F"]);
        accepted.write_all(b"y").unwrap();
        socket.send_to(b"y", from).unwrap();
        open.read_exact(&mut byte).unwrap();
        asker.recv_from(&mut byte).unwrap();
        // What goes on is no opening either.
        accepted.write_all(b"y").unwrap();
        socket.send_to(b"y", from).unwrap();
        open.read_exact(&mut byte).unwrap();
    }
    let mut peers = Vec::new();
    guarded.elements.sources(PEERS, &mut |source, _| peers.push(source.to_string()));
    assert!(!peers.contains(&OUTSIDE_V4.to_string()), "{peers:?}");
    guarded.forger.flood(address(OUTSIDE_V4), 300);
    guarded.wait_for(&[OUTSIDE_V4]);
    guarded.router.stop();
}

#[test]
fn invalid_packets_of_a_blocked_source_are_dropped_and_counted() {
    let Some(mut guarded) = Guarded::up("invalid", "", ON) else { return };
    assert_eq!(guarded.router.shell(&["block", "192.0.2.9"]).0, Some(0));
    guarded.wait_for(&["192.0.2.9"]);
    // An ICMP error about a connection that never was: conntrack calls it invalid.
    for id in 0..7 {
        guarded.forger.icmp_error(address("192.0.2.9"), address("203.0.113.7"), id);
    }
    eventually("the block counts them", || {
        guarded.router.answer("blocks", json!({"source": "192.0.2.9"}))["blocks"][0]["dropped"] == 7
    });
    guarded.router.stop();
}

/// Words that put a shell script, which ends with what nft does, in the place of nft.
fn nft_behind(guarded: &Guarded, words: &str) -> String {
    let nft =
        ["/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft"].into_iter().find(|path| fs::exists(path).unwrap());
    let nft = nft.expect("nft is installed");
    let (real, script) = (guarded.router.path("nft-real"), guarded.router.path("nft-script"));
    fs::copy(fs::canonicalize(nft).unwrap(), &real).unwrap();
    fs::write(&script, format!("#!/bin/sh\n{words}\nexec {} \"$@\"\n", real.display())).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    format!("mount --bind {} $(readlink -f {nft})", script.display())
}

/// A table that is made again forgets what it counted since nft began.
#[test]
fn a_start_makes_the_table_once() {
    let Some(mut guarded) = Guarded::stopped("once", "", ON) else { return };
    let runs = guarded.router.path("nft-runs");
    let prepare = nft_behind(&guarded, &format!("echo \"$@\" >> {}; sleep 1", runs.display()));
    start_prepared(&mut guarded, &prepare);
    eventually("the guard is on", || guarded.state() == "on");
    let table = guarded.nft(&["list", "chain", "inet", "fwstat", "drop_blocked"]);
    assert!(table.contains("log prefix") && table.contains("group 32"), "{table}");
    let runs = fs::read_to_string(runs).unwrap();
    assert_eq!(runs.lines().filter(|line| line.starts_with("-f")).count(), 1, "{runs}");
    guarded.router.stop();
}

#[test]
fn an_nft_that_takes_long_delays_the_table_and_nothing_else() {
    let Some(mut guarded) = Guarded::stopped("slow", "", ON) else { return };
    let go = guarded.router.path("nft-may-go-on");
    let waits = format!("while [ ! -e {} ]; do sleep 0.1; done", go.display());
    let prepare = nft_behind(&guarded, &waits);
    start_prepared(&mut guarded, &prepare);
    guarded.router.running("nflog");
    // While the table is made nobody is blocked whose connections cannot be asked for; what is asked for is marked.
    guarded.forger.flood(address("192.0.2.1"), 300);
    eventually("the flood is judged", || guarded.router.log().contains("192.0.2.1 is not blocked for"));
    assert!(
        guarded.router.log().contains("the kernel cannot tell now whether the inside has a connection to it")
    );
    let row = guarded.router.answer("block", json!({"address": "192.0.2.7"}));
    assert_eq!(row["pending"], true, "{row}");
    assert_eq!(guarded.blocks()[0]["pending"], true);
    let (_, text, _) = guarded.router.shell(&["blocks"]);
    assert!(text.contains("(not in the kernel yet)"), "{text}");
    let is_reported = |status: &serde_json::Value| {
        status["why"].as_str().is_some_and(|why| why.starts_with("nft has been running for "))
    };
    let status = guarded.status();
    assert!(status["state"] == "starting" || is_reported(&status), "{status}");
    eventually("it is reported that nft is slow", || is_reported(&guarded.status()));
    fs::write(&go, "").unwrap();
    guarded.wait_for(&["192.0.2.7"]);
    eventually("the guard is on", || guarded.state() == "on");
    assert_eq!(guarded.blocks()[0].get("pending"), None);
    // Single blocks need no nft.
    fs::remove_file(&go).unwrap();
    guarded.forger.flood(address("192.0.2.2"), 300);
    guarded.wait_for(&["192.0.2.2", "192.0.2.7"]);
    assert_eq!(guarded.router.shell(&["unblock", "192.0.2.7"]).0, Some(0));
    guarded.wait_for(&["192.0.2.2"]);
    // Taken away, it is made anew; until then the rows are marked. The stop waits for no nft.
    guarded.network.nft("delete table inet fwstat\n");
    eventually("the row is marked again", || guarded.blocks()[0]["pending"] == true);
    let stopping = std::time::Instant::now();
    guarded.router.stop();
    // procd kills it after 30 s.
    assert!(stopping.elapsed() < Duration::from_secs(30), "{:?}", stopping.elapsed());
    let list =
        Command::new("ip").args(["netns", "exec", &guarded.network.router, "nft", "list", "tables"]).output();
    assert!(!String::from_utf8_lossy(&list.unwrap().stdout).contains("fwstat"));
}

/// A bad option, a file that is gone, a directory in its place: the table, the blocks and the store stay.
#[test]
fn a_reload_that_fails_keeps_the_guard_and_its_blocks() {
    let options = "option enabled '1';option block_for '2h'";
    let Some(mut guarded) = Guarded::up("kept", "", options) else { return };
    guarded.router.answer("block", json!({"address": "192.0.2.7"}));
    guarded.router.answer("block", json!({"address": "9.0.0.0/16", "for": "forever"}));
    guarded.wait_for(&["192.0.2.7"]);
    let config = guarded.router.path("config/fwstat");
    let good = fs::read_to_string(&config).unwrap();
    let bad = good.replace("option block_for '2h'", "option block_for 'soon'");
    let missing = |path: &std::path::Path| fs::remove_file(path).unwrap();
    let directory = |path: &std::path::Path| fs::create_dir(path).unwrap();
    let write_bad = |path: &std::path::Path| fs::write(path, &bad).unwrap();
    type Harm<'a> = &'a dyn Fn(&std::path::Path);
    let steps: [(&str, &str, Harm<'_>); 3] = [
        ("a bad option", "block_for 'soon'", &write_bad),
        ("a missing file", "fwstat", &missing),
        ("a directory", "fwstat", &directory),
    ];
    for (what, named, harm) in steps {
        let before = guarded.router.log().len();
        harm(&config);
        guarded.router.signal(Signal::SIGHUP);
        eventually(what, || guarded.router.log().get(before..).is_some_and(|log| log.contains(named)));
        assert_eq!(names(&mut guarded.elements), ["192.0.2.7"], "{what}");
        assert!(
            guarded.nft(&["list", "set", "inet", "fwstat", "networks4"]).contains("9.0.0.0/16"),
            "{what}"
        );
        let status = guarded.router.answer("status", json!({}));
        assert_eq!(status["guard"]["enabled"], true, "{what}: {status}");
        let database = guarded.router.path("db").display().to_string();
        assert_eq!(status["store"]["path"], json!(database), "{what}");
        // The options are those of before.
        guarded.router.answer("block", json!({"address": "192.0.2.8"}));
        let left = crate::guarded::blocked(&mut guarded.elements);
        assert!(left.iter().any(|(name, left)| name == "192.0.2.8" && *left > 7_100_000), "{what}: {left:?}");
        guarded.router.answer("unblock", json!({"address": "192.0.2.8"}));
        guarded.wait_for(&["192.0.2.7"]);
    }
    fs::remove_dir(&config).unwrap();
    fs::write(&config, good).unwrap();
    guarded.router.signal(Signal::SIGHUP);
    eventually("all is well again", || guarded.state() == "on");
    guarded.router.stop();
}
