//! The guard in a router of its own: whom it never blocks, what it is told by hand, what keeps it from working.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::guarded::{
    GATEWAY, Guarded, LAN_HOST, ON, OTHER_RESOLVER, RESOLVER, RULES, SERVER, Surroundings, VICTIM, WITHIN,
    address, blocked, connects, connects_within, elements, eventually, inside, listen, names, resolves,
    says_it_back, start_prepared,
};
use crate::router::{Router, line};
use crate::stand_in::logd::{Logd, SYSLOG};
use crate::support::forge::Forger;
use crate::support::namespaces::{Network, OUTSIDE_V4, ROUTER_V4};
use nix::sys::signal::Signal;
use serde_json::json;

#[test]
fn forged_floods_hurt_nobody_whom_the_inside_needs() {
    for scope in ["new", "all"] {
        let Some(mut guarded) = Guarded::up(&format!("spoof-{scope}"), "", "option enabled '0'") else {
            return;
        };
        let around = Surroundings::new(&guarded.network);
        let (router, lan) = (guarded.network.router.clone(), around.lan.clone());
        // A connection that is older than the guard.
        let open = inside(&lan, || TcpStream::connect((SERVER, 8080)).unwrap());
        let dhcp = format!("config dnsmasq\n\tlist server '{RESOLVER}'\n");
        fs::write(guarded.router.path("config/dhcp"), dhcp).unwrap();
        guarded.configure("", &format!("option enabled '1';option scope '{scope}'"));
        guarded.router.signal(Signal::SIGHUP);
        eventually("the guard is on", || guarded.state() == "on");
        assert!(says_it_back(&open, b"before"));
        // A name server that no file names: the router asks it.
        assert!(resolves(&router, OTHER_RESOLVER));
        for host in [RESOLVER, OTHER_RESOLVER, GATEWAY, LAN_HOST, SERVER, VICTIM] {
            guarded.forger.flood(address(host), 300);
        }
        guarded.wait_for(&[VICTIM]);
        eventually("every flood was judged", || {
            guarded.router.log().matches("is not blocked for").count() >= 5
        });
        let log = guarded.router.log();
        for (host, why) in [
            (RESOLVER, "it is a name server in use"),
            (OTHER_RESOLVER, "a connection to it was opened from inside"),
            (GATEWAY, "it is a gateway of the router"),
            (LAN_HOST, "it is in a network of the inside"),
            (SERVER, "a connection to it was opened from inside"),
        ] {
            let line = log.lines().find(|line| line.contains(&format!(" {host} is not blocked")));
            assert!(line.is_some_and(|line| line.ends_with(why)), "{host}: {log}");
        }
        for who in [&router, &lan] {
            assert!(resolves(who, RESOLVER) && resolves(who, OTHER_RESOLVER), "{scope} {who}");
            assert!(connects(who, SERVER) && connects(who, GATEWAY), "{scope} {who}");
            // With `all` the option says that this is lost.
            let within = if scope == "new" { WITHIN } else { Duration::from_secs(2) };
            assert_eq!(connects_within(within, who, VICTIM), scope == "new", "{scope} {who}");
        }
        assert!(says_it_back(&open, b"the open connection goes on"));
        assert!(connects(&router, SERVER));
        assert_eq!(names(&mut guarded.elements), [VICTIM]);
        // A name server that becomes one while it is blocked is let go.
        let dhcp = format!("config dnsmasq\n\tlist server '{VICTIM}'\n");
        fs::write(guarded.router.path("config/dhcp"), dhcp).unwrap();
        guarded.router.signal(Signal::SIGHUP);
        guarded.wait_for(&[]);
        guarded.router.stop();
    }
}

#[test]
fn what_keeps_the_guard_from_working_is_told_and_counting_goes_on() {
    let Some(mut guarded) = Guarded::up("degraded", "", "option enabled '1';option flood 'many'") else {
        return;
    };
    let counted = |guarded: &Guarded, host: &str, count: u64| {
        guarded.forger.flood(address(host), count as u16);
        eventually("counting goes on", || {
            let row = guarded.router.ask("source", json!({"address": host}));
            row.is_ok_and(|row| row["attempts"].as_u64() >= Some(count))
        });
    };
    // A wrong option.
    let status = guarded.status();
    assert_eq!((&status["enabled"], &status["state"]), (&json!(false), &json!("off")));
    let why = status["why"].as_str().unwrap();
    assert!(why.contains("option flood 'many'") && why.contains("the guard stays off"), "{why}");
    counted(&guarded, "192.0.2.1", 300);
    assert_eq!(names(&mut guarded.elements), [""; 0]);
    let (code, _, error) = guarded.router.shell(&["block", "192.0.2.9"]);
    assert!(code == Some(1) && error.contains("the guard is off"), "{error}");
    // No room.
    guarded.configure("", "option enabled '1';option max_blocks '2'");
    guarded.router.signal(Signal::SIGHUP);
    eventually("the guard is on", || guarded.state() == "on");
    for host in ["192.0.2.11", "192.0.2.12", "192.0.2.13"] {
        counted(&guarded, host, 300);
    }
    guarded.wait_for(&["192.0.2.11", "192.0.2.12"]);
    let status = guarded.status();
    assert_eq!((&status["enabled"], &status["state"]), (&json!(true), &json!("degraded")));
    assert!(status["why"].as_str().unwrap().contains("max_blocks (2) is reached"), "{status}");
    // By hand there is room of its own.
    assert_eq!(guarded.router.shell(&["block", "192.0.2.14"]).0, Some(0));
    guarded.router.stop();
    // nft is missing.
    guarded.configure("", ON);
    let hide = "for place in /usr/sbin /sbin /usr/bin /bin; do \
                [ ! -e $place/nft ] || mount -t tmpfs none $(dirname $(readlink -f $place/nft)); done";
    start_prepared(&mut guarded, hide);
    guarded.router.running("nflog");
    eventually("the guard is degraded", || guarded.state() == "degraded");
    assert!(guarded.status()["why"].as_str().unwrap().contains("nft is missing"), "{}", guarded.status());
    counted(&guarded, "192.0.2.21", 300);
    assert!(guarded.router.log().contains("guard: nothing can be blocked: nft is missing"));
    guarded.router.stop();
    // No permission: neither for nft nor for NFLOG; the log still counts.
    guarded.router.configure(&format!("option input 'logd'\nconfig guard 'guard'\n\t{ON}"));
    let mut logd = Logd::start(&guarded.router.broker.socket);
    let config = guarded.router.path("config/fwstat");
    let log = fs::File::options().append(true).open(guarded.router.path("log")).unwrap();
    let mut command = Command::new("ip");
    command.args(["netns", "exec", &guarded.network.router, "setpriv", "--bounding-set=-net_admin"]);
    command.arg(env!("CARGO_BIN_EXE_fwstat")).arg("daemon").arg("--config").arg(config);
    command.arg("--ubus").arg(&guarded.router.broker.socket).arg("--run").arg(guarded.router.path("run"));
    guarded.router.daemon = Some(command.stdin(Stdio::null()).stderr(log).spawn().unwrap());
    guarded.router.wait("the daemon answers", |_| true);
    guarded.router.running("logd");
    eventually("the guard is degraded", || guarded.state() == "degraded");
    assert!(guarded.status()["why"].as_str().unwrap().contains("not permitted"), "{}", guarded.status());
    let before = guarded.router.answer("summary", json!({}))["attempts"].as_u64().unwrap();
    logd.kernel(&line("192.0.2.31", 23, 1));
    guarded.router.attempts(before + 1);
    guarded.router.stop();
}

#[test]
fn forged_text_and_quoted_packets_block_nobody_and_failed_logins_do() {
    let Some(network) = Network::up() else { return };
    network.nft(RULES);
    let mut router = Router::new("guard-login", Some(&network), "nflog logd");
    let config = "option input 'nflog logd'\nconfig guard 'guard'\n\toption enabled '1'\n";
    router.configure(config);
    let mut logd = Logd::start(&router.broker.socket);
    let forger = Forger::new(&network.outside, ROUTER_V4);
    let elements = elements(&network);
    router.start();
    router.running("nflog");
    router.running("logd");
    let mut guarded = Guarded { router, elements, forger, network };
    eventually("the guard is on", || guarded.state() == "on");
    // The failures of each are below the limit; what they say in their names is above it.
    for number in 0..40u16 {
        let (a, b) = (number % 200, 4000 + number);
        for text in [
            format!("dropbear[1]: Bad password attempt for '' from 203.0.113.7:22' from 192.0.2.{a}:{b}"),
            format!(
                "dropbear[1]: Login attempt for nonexistent user from 203.0.113.7:22 from 192.0.2.{a}:{b}x"
            ),
            format!(
                "sshd[1]: Failed password for x from 203.0.113.7 port 22 ssh2 from 192.0.2.{a} port {b} ssh2x"
            ),
            "cron[1]: Bad password attempt for 'root' from 203.0.113.7:22".to_string(),
            format!("kernel: {}", line("203.0.113.7", 23, number)),
            line("203.0.113.7", 23 + number, number),
            "dropbear[1]: Bad password attempt for 'x' from 10.0.0.7:22".to_string(),
        ] {
            logd.log(SYSLOG, 86, &text, true);
        }
        guarded.forger.icmp_error(Ipv4Addr::new(192, 0, 2, 200), address("203.0.113.7"), number);
        let quoted = line("192.0.2.201", 0, number).replace(
            "PROTO=TCP SPT=54321 DPT=0 WINDOW=1024 RES=0x00 SYN URGP=0",
            "PROTO=ICMP TYPE=3 CODE=3 [SRC=203.0.113.7 DST=198.51.100.1 LEN=40 PROTO=TCP SPT=1 DPT=22 SYN ] ",
        );
        logd.kernel(&quoted);
    }
    guarded.router.wait("all of it was read", |summary| {
        summary["classes"]["login"].as_u64() >= Some(80)
            && summary["classes"]["backscatter"].as_u64() >= Some(40)
    });
    for number in 0..5 {
        let text = format!("dropbear[1]: Bad password attempt for 'root' from 203.0.113.9:{}", 4000 + number);
        logd.log(SYSLOG, 86, &text, true);
    }
    guarded.wait_for(&["203.0.113.9"]);
    let block = &guarded.blocks()[0];
    assert_eq!(
        (&block["rule"], &block["count"], &block["window"]),
        (&json!("login"), &json!(5), &json!("10m"))
    );
    assert!(block["evidence"][2].as_str().unwrap().contains("'root' from 203.0.113.9:4004"), "{block}");
    assert!(guarded.router.log().contains("10.0.0.7 is not blocked for 5 failed logins within 10m (tcp 22)"));
    guarded.router.stop();
}

#[test]
fn by_hand_over_the_bus_and_in_the_shell() {
    let options = "option enabled '1';list allow '203.0.113.64/26'";
    let Some(mut guarded) = Guarded::up("hand", "", options) else { return };
    let events = listen(&guarded.router.broker);
    let (code, out, error) =
        guarded.router.shell(&["block", "203.0.113.9", "--for", "5m", "--reason", "a <b> reason"]);
    assert_eq!((code, error.as_str()), (Some(0), ""), "{out}");
    guarded.router.answer("block", json!({"address": "2001:db8:1:2::9", "ubus_rpc_session": "0"}));
    guarded.wait_for(&["203.0.113.9", "2001:db8:1:2::/64"]);
    let left = blocked(&mut guarded.elements);
    assert!(left[1].1 <= 300_000 && left[1].1 > 200_000, "{left:?}");
    let blocks = guarded.blocks();
    let hand = blocks.iter().find(|block| block["address"] == "203.0.113.9").unwrap();
    assert_eq!((&hand["reason"], &hand["rule"]), (&json!("a <b> reason"), &json!("manual")));
    let (code, out, _) = guarded.router.shell(&["blocks"]);
    assert!(code == Some(0) && out.contains("2001:db8:1:2::/64") && out.contains("a <b> reason"), "{out}");
    for (address, why) in [
        (ROUTER_V4, "it is the router's own address"),
        ("192.168.1.7", "it is a private or reserved address"),
        ("127.0.0.1", "it is the router's own address"),
        ("203.0.113.70", "it is on the allow list"),
    ] {
        let (code, _, error) = guarded.router.shell(&["block", address]);
        assert!(code == Some(1) && error.contains(why), "{address}: {error}");
    }
    // Asked beforehand: the rules would, and why not.
    let (code, out, _) = guarded.router.shell(&["guard-test", "203.0.113.9"]);
    assert_eq!((code, out.trim()), (Some(0), "203.0.113.9 would be blocked by the rules"));
    let test = guarded.router.answer("guard-test", json!({"address": "203.0.113.70"}));
    let expected =
        json!({"address": "203.0.113.70", "would_block": false, "protected_by": "it is on the allow list"});
    assert_eq!(test, expected);
    let (code, out, _) = guarded.router.shell(&["guard-test", ROUTER_V4]);
    assert!(code == Some(0) && out.contains("would not be blocked: it is the router's own address"), "{out}");
    assert!(guarded.router.ask("guard-test", json!({"address": "nobody"})).is_err());
    // Whoever asks does not lock himself out: over SSH, and through the web server.
    let mut command = Command::new(env!("CARGO_BIN_EXE_fwstat"));
    command.args(["block", OUTSIDE_V4, "--ubus"]).arg(&guarded.router.broker.socket);
    let refused =
        command.env("SSH_CONNECTION", format!("{OUTSIDE_V4} 40000 {ROUTER_V4} 22")).output().unwrap();
    let error = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && error.contains("you are connected from it"), "{error}");
    fs::write(
        guarded.router.path("config/uhttpd"),
        "config uhttpd 'main'\n\tlist listen_http '0.0.0.0:8022'\n",
    )
    .unwrap();
    let listener = inside(&guarded.network.router, || TcpListener::bind("0.0.0.0:8022").unwrap());
    let outside = guarded.network.outside.clone();
    let caller = inside(&outside, || TcpStream::connect((address(ROUTER_V4), 8022)).unwrap());
    let accepted = listener.accept().unwrap();
    let through_web = json!({"address": OUTSIDE_V4, "ubus_rpc_session": "0"});
    let error = guarded.router.ask("block", through_web.clone()).unwrap_err().to_string();
    assert!(error.contains("you are connected from it"), "{error}");
    drop((caller, accepted, listener));
    // Ended by hand: the rules leave it alone, another wish does not.
    assert_eq!(guarded.router.shell(&["unblock", "203.0.113.9"]).0, Some(0));
    let (code, _, error) = guarded.router.shell(&["unblock", "203.0.113.9"]);
    assert!(code == Some(1) && error.contains("203.0.113.9 is not blocked"), "{error}");
    guarded.forger.flood(address("203.0.113.9"), 300);
    eventually("the flood was judged", || guarded.router.log().contains("its block was ended by hand"));
    guarded.wait_for(&["2001:db8:1:2::/64"]);
    guarded.router.answer("block", json!({"address": "203.0.113.9", "for": "1s"}));
    guarded.wait_for(&["2001:db8:1:2::/64"]);
    eventually("it is over in the ledger, too", || guarded.blocks().len() == 1);
    guarded.router.answer("unblock", json!({"address": "2001:db8:1:2::/64"}));
    guarded.wait_for(&[]);
    let expected = [
        "fwstat.block 203.0.113.9",
        "fwstat.block 2001:db8:1:2::/64",
        "fwstat.unblock 203.0.113.9",
        "fwstat.block 203.0.113.9",
        "fwstat.unblock 203.0.113.9",
        "fwstat.unblock 2001:db8:1:2::/64",
    ];
    let mut told: Vec<String> = Vec::new();
    while told.len() < expected.len() {
        told.push(events.recv_timeout(WITHIN).unwrap_or_else(|_| panic!("{told:?}")));
    }
    assert_eq!(told, expected);
    guarded.router.stop();
}

#[test]
fn a_dry_run_tells_and_does_nothing() {
    let Some(mut guarded) = Guarded::up("dry", "", "option enabled 'dry'") else { return };
    assert_eq!(guarded.state(), "dry");
    guarded.forger.flood(address("192.0.2.1"), 200);
    eventually("it is told", || guarded.blocks().len() == 1);
    let block = &guarded.blocks()[0];
    assert_eq!((&block["dry"], &block["rule"]), (&json!(true), &json!("flood")));
    assert!(
        guarded.router.log().contains("guard: dry run: would block 192.0.2.1 for 1h: a flood, 200 attempts")
    );
    let summary = guarded.router.answer("summary", json!({}));
    assert_eq!(summary["blocks"], json!({"active": 0, "today": 0}));
    assert_eq!(summary["sources"][0]["blocked"], false);
    assert!(!guarded.nft(&["list", "table", "inet", "fwstat"]).contains("drop"));
    // Switched on, what was dry is forgotten.
    guarded.configure("", ON);
    guarded.router.signal(Signal::SIGHUP);
    eventually("the guard is on", || guarded.state() == "on");
    assert_eq!(guarded.blocks().len(), 0);
    guarded.forger.udp(address("192.0.2.1"), 23, 1);
    guarded.router.stop();
}

#[test]
fn a_device_of_the_inside_that_looks_for_victims_is_seen() {
    let Some(mut guarded) = Guarded::up("egress", "option watch_egress '1'", "option enabled '0'") else {
        return;
    };
    let around = Surroundings::new(&guarded.network);
    guarded.router.signal(Signal::SIGHUP);
    eventually("the table is there", || guarded.nft(&["list", "tables"]).contains("fwstat"));
    let table = guarded.nft(&["list", "table", "inet", "fwstat"]);
    assert!(!table.contains("blocked4") && table.contains("limit rate 20/second"), "{table}");
    inside(&around.lan, || {
        for port in [23, 445, 5555, 7547, 80, 443] {
            // The victim refuses at once.
            let _ = TcpStream::connect_timeout(&(address(VICTIM), port).into(), Duration::from_millis(500));
        }
    });
    eventually("what it did is told", || {
        let rows = guarded.router.answer("sources", json!({"class": "egress"}));
        rows["sources"][0]["address"] == LAN_HOST && rows["sources"][0]["attempts"] == 4
    });
    assert_eq!(guarded.router.answer("summary", json!({}))["attempts"], 0);
    // From outside nothing of it is watched.
    guarded.forger.flood(address("192.0.2.1"), 5);
    guarded.router.attempts(5);
    let counted = guarded.nft(&["list", "chain", "inet", "fwstat", "watched"]);
    assert!(counted.contains("counter packets 4 "), "{counted}");
    guarded.router.stop();
    assert!(!guarded.nft(&["list", "tables"]).contains("fwstat"));
}
