//! Networks and countries that are blocked by hand, in a router of its own: what the kernel's sets hold, who is
//! protected, what brings them back; and the lists as text.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use fwstat::daemon::nft::script::NETWORKS;
use fwstat::query::question::Prefix;

use crate::guarded::{self, Guarded, ON, SERVER, Surroundings, VICTIM, address, connects, eventually};
use crate::support::namespaces::ROUTER_V4;
use nix::sys::signal::Signal;
use serde_json::json;

fn set(guarded: &Guarded, name: &str) -> String {
    guarded.nft(&["list", "set", "inet", "fwstat", name])
}

/// Switches the guard on with a country database of these ranges (`first,last,country`).
fn with_countries(guarded: &Guarded, four: &str, six: &str) -> PathBuf {
    let path = |name: &str| guarded.router.path(name);
    fs::write(path("4.csv"), four).unwrap();
    fs::write(path("6.csv"), six).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("openwrt/fwstat-country/country-mmdb");
    let database = path("country.mmdb");
    let made =
        Command::new(script).arg("2099-01-01").arg(path("4.csv")).arg(path("6.csv")).arg(&database).status();
    assert!(made.unwrap().success());
    guarded.configure(&format!("option country_database '{}'", database.display()), ON);
    guarded.router.signal(Signal::SIGHUP);
    eventually("the guard is on", || guarded.state() == "on");
    database
}

fn refused(guarded: &Guarded, target: &str) -> String {
    guarded.router.ask("block", json!({"address": target})).expect_err(target).to_string()
}

#[test]
fn a_network_is_blocked_in_the_kernel_comes_back_and_is_taken_back() {
    let options = "option enabled '1';list allow '192.0.2.128/25'";
    let Some(mut guarded) = Guarded::up("networks", "", options) else { return };
    let (code, out, error) =
        guarded.router.shell(&["block", "192.0.2.77/24", "--for", "forever", "--reason", "a <b> reason"]);
    assert_eq!((code, error.as_str()), (Some(0), ""));
    assert!(
        out.contains("192.0.2.0/24 is blocked") && out.contains("nobody at 128 IPv4 addresses can"),
        "{out}"
    );
    let row = guarded.router.answer("block", json!({"address": "2001:db8:77::1/48", "for": "1h"}));
    assert_eq!(
        (&row["address"], &row["kind"], row.get("pending")),
        (&json!("2001:db8:77::/48"), &json!("network"), None)
    );
    assert!(row["warning"].as_str().unwrap().contains("65536 IPv6 networks of /64"), "{row}");
    assert!(
        set(&guarded, "networks4").contains("192.0.2.0/25 counter packets 0"),
        "{}",
        set(&guarded, "networks4")
    );
    let six = set(&guarded, "networks6");
    assert!(six.contains("2001:db8:77::/48") && six.contains("expires"), "{six}");
    let blocks = guarded.blocks();
    let forever = blocks.iter().find(|row| row["address"] == "192.0.2.0/24").unwrap();
    assert_eq!(
        (&forever["reason"], &forever["rule"], forever.get("expires")),
        (&json!("a <b> reason"), &json!("manual"), None)
    );
    let (_, out, _) = guarded.router.shell(&["blocks"]);
    assert!(out.contains("192.0.2.0/24") && out.contains("never"), "{out}");
    // New connections from there are stopped and counted, those of allowed addresses are not.
    for number in 0..3 {
        guarded.forger.syn(address("192.0.2.5"), 8022, number);
        guarded.forger.syn(address("192.0.2.200"), 23, number);
    }
    eventually("what it stops is counted", || {
        let rows = guarded.blocks();
        rows.iter().any(|row| row["address"] == "192.0.2.0/24" && row["dropped"] == 3)
    });
    let row = |host: &str| guarded.router.answer("source", json!({"address": host}));
    eventually("both are counted", || {
        row("192.0.2.5")["attempts"] == 3 && row("192.0.2.200")["attempts"] == 3
    });
    assert_eq!((&row("192.0.2.5")["blocked"], &row("192.0.2.200")["blocked"]), (&json!(true), &json!(false)));
    assert_eq!(row("192.0.2.5")["block"]["address"], "192.0.2.0/24");
    let status = guarded.status();
    assert_eq!((&status["networks"]["used"], &status["network_ranges"]["used"]), (&json!(2), &json!(2)));
    // Whatever takes it away.
    for script in ["flush set inet fwstat networks4\n", "delete table inet fwstat\n", "flush ruleset\n"] {
        guarded.network.nft(script);
        eventually(script, || {
            let tables = guarded.nft(&["list", "ruleset"]);
            tables.contains("192.0.2.0/25") && tables.contains("2001:db8:77::/48")
        });
    }
    guarded.network.nft(guarded::RULES);
    for killed in [false, true] {
        if killed {
            guarded.router.kill()
        } else {
            guarded.router.stop()
        }
        guarded.start();
        eventually("it is back after a restart", || {
            let tables = guarded.nft(&["list", "ruleset"]);
            tables.contains("192.0.2.0/25") && tables.contains("2001:db8:77::/48")
        });
        let rows = guarded.blocks();
        let timed = rows.iter().find(|row| row["address"] == "2001:db8:77::/48").unwrap();
        assert!(timed["expires"].is_string() && rows.len() == 2, "{rows:?}");
    }
    // Another allowed address within it is let go at once.
    guarded.configure("", "option enabled '1';list allow '192.0.2.0/26'");
    guarded.router.signal(Signal::SIGHUP);
    eventually("what is allowed now is left out", || {
        let set = set(&guarded, "networks4");
        set.contains("192.0.2.64") && !set.contains("192.0.2.0/25")
    });
    assert_eq!(guarded.router.shell(&["unblock", "192.0.2.0/24"]).0, Some(0));
    let (code, _, error) = guarded.router.shell(&["unblock", "192.0.2.0/24"]);
    assert!(code == Some(1) && error.contains("192.0.2.0/24 is not blocked"), "{error}");
    eventually("it left the kernel's set", || !set(&guarded, "networks4").contains("192.0.2."));
    guarded.router.answer("unblock", json!({"address": "2001:db8:77::/48"}));
    guarded.router.answer("block", json!({"address": "192.0.2.0/24", "for": "1s"}));
    eventually("it is over", || guarded.blocks().is_empty());
    eventually("in the kernel, too", || !set(&guarded, "networks4").contains("192.0.2."));
    // What ended is remembered, over restarts, too.
    let history = |guarded: &Guarded, question: serde_json::Value| {
        let rows = guarded.router.answer("blocks", question)["history"].as_array().unwrap().clone();
        rows.iter()
            .map(|row| ["address", "kind", "because", "reason", "rule"].map(|key| row[key].clone()))
            .collect::<Vec<_>>()
    };
    let row = |address: &str, because: &str, reason: &str| {
        [address, "network", because, reason, "manual"].map(|text| json!(text))
    };
    let expected = [
        row("192.0.2.0/24", "expired", "manual request"),
        row("2001:db8:77::/48", "by hand", "manual request"),
        row("192.0.2.0/24", "by hand", "a <b> reason"),
    ];
    assert_eq!(history(&guarded, json!({})), expected);
    assert_eq!(history(&guarded, json!({"source": "2001:db8:77:5::1"})), expected[1..2]);
    let (_, out, _) = guarded.router.shell(&["blocks"]);
    assert!(out.contains("\nEnded\n") && out.contains("2001:db8:77::/48"), "{out}");
    guarded.router.stop();
    guarded.start();
    assert_eq!(history(&guarded, json!({})), expected);
    // Of a range whose time is over the kernel lists the end alone, until it removes both.
    guarded.router.answer("block", json!({"address": "9.9.8.0/24"}));
    guarded.router.answer("block", json!({"address": "192.0.2.0/24", "for": "1s"}));
    eventually("it is over", || guarded.blocks().len() == 1);
    guarded.router.answer("unblock", json!({"address": "9.9.8.0/24"}));
    guarded.router.answer("block", json!({"address": "192.0.2.128/25"}));
    eventually("the kernel has the present list", || guarded.blocks()[0]["pending"] != true);
    let set = set(&guarded, "networks4");
    assert!(set.contains("192.0.2.128/25") && !set.contains("9.9.8.0"), "{set}");
    assert!(!guarded.router.log().contains("are not in the kernel"), "{}", guarded.router.log());
    guarded.router.stop();
    assert!(!guarded.nft(&["list", "tables"]).contains("fwstat"));
}

/// Those that are not over; with what is blocked here meanwhile.
#[test]
fn a_backup_brings_blocked_networks_back() {
    let Some(mut guarded) = Guarded::up("restored", "", ON) else { return };
    let ok = |guarded: &Guarded, arguments: &[&str]| {
        let (code, out, error) = guarded.router.shell(arguments);
        assert_eq!((code, error.as_str()), (Some(0), ""), "{arguments:?}: {out}");
        out
    };
    for (target, length) in [
        ("192.0.2.0/24", "forever"),
        ("2001:db8:77::/48", "1h"),
        ("203.0.113.0/24", "1s"),
        ("9.9.0.0/16", "1h"),
    ] {
        ok(&guarded, &["block", target, "--for", length, "--reason", "of the backup"]);
    }
    let backup = guarded.router.path("backup.tar.gz");
    let backup = backup.to_str().unwrap();
    ok(&guarded, &["backup", backup]);
    for target in ["192.0.2.0/24", "2001:db8:77::/48", "9.9.0.0/16"] {
        ok(&guarded, &["unblock", target]);
    }
    ok(&guarded, &["block", "9.8.0.0/16", "--for", "forever"]);
    eventually("the short one is over", || guarded.blocks().len() == 1);
    assert!(!set(&guarded, "networks4").contains("192.0.2."));
    // While a command has the store.
    let store = guarded.router.answer("release", json!({}))["path"].as_str().unwrap().to_string();
    let (code, out, error) = {
        let mut command = guarded.router.program();
        let ran = command.args(["restore", backup, "--db", &store]).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (ran.status.code(), text(ran.stdout), text(ran.stderr))
    };
    assert_eq!((code, error.as_str()), (Some(0), ""), "{out}");
    assert!(out.starts_with("3 blocks of networks and countries are restored"), "{out}");
    ok(&guarded, &["unblock", "9.8.0.0/16"]);
    ok(&guarded, &["block", "9.7.0.0/16", "--for", "forever"]);
    guarded.router.answer("commit", json!({}));
    let expected = ["192.0.2.0/24", "2001:db8:77::/48", "9.7.0.0/16", "9.9.0.0/16"];
    let names = |guarded: &Guarded| {
        let rows = guarded.blocks();
        let mut names: Vec<_> = rows.iter().map(|row| row["address"].as_str().unwrap().to_string()).collect();
        names.sort();
        names
    };
    let in_the_kernel = |guarded: &Guarded| {
        eventually("they are in the kernel", || {
            let (four, six) = (set(guarded, "networks4"), set(guarded, "networks6"));
            ["192.0.2.0/24", "9.7.0.0/16", "9.9.0.0/16"].iter().all(|network| four.contains(network))
                && six.contains("2001:db8:77::/48")
                && six.contains("expires")
                && !four.contains("203.0.113.")
                && !four.contains("9.8.")
        });
    };
    in_the_kernel(&guarded);
    assert_eq!(names(&guarded), expected);
    assert_eq!(guarded.blocks().iter().filter(|row| row["reason"] == "of the backup").count(), 3);
    // They stay, whether the daemon ends or is ended, and in another directory.
    guarded.router.kill();
    guarded.start();
    in_the_kernel(&guarded);
    let other = guarded.router.path("other");
    guarded.configure(&format!("option database '{}'", other.display()), ON);
    guarded.router.signal(Signal::SIGHUP);
    eventually("the other directory has them", || other.join("networks.fws").exists());
    guarded.router.stop();
    guarded.start();
    in_the_kernel(&guarded);
    assert_eq!(names(&guarded), expected);
    // As the page calls it.
    for target in ["192.0.2.0/24", "2001:db8:77::/48"] {
        ok(&guarded, &["unblock", target]);
    }
    let told = ok(&guarded, &["restore", backup]);
    assert!(told.contains("2 blocks of networks and countries are restored"), "{told}");
    in_the_kernel(&guarded);
    // A damaged one changes nothing.
    let whole = fs::read(backup).unwrap();
    fs::write(backup, &whole[..whole.len() - 5]).unwrap();
    ok(&guarded, &["unblock", "192.0.2.0/24"]);
    let (code, _, error) = guarded.router.shell(&["restore", backup]);
    assert!(code == Some(1) && error.ends_with("; nothing was changed\n"), "{error}");
    assert_eq!(names(&guarded), expected[1..]);
    guarded.router.stop();
}

#[test]
fn whom_the_router_needs_keeps_a_network_from_being_blocked() {
    for scope in ["new", "all"] {
        let options = format!("option enabled '1';option scope '{scope}'");
        let Some(mut guarded) = Guarded::up(&format!("protected-{scope}"), "", &options) else { return };
        let around = Surroundings::new(&guarded.network);
        let lan = around.lan.clone();
        guarded.router.signal(Signal::SIGHUP);
        for (target, why) in [
            ("198.51.100.0/24", format!("it holds {ROUTER_V4}: it is the router's own address")),
            ("198.51.0.0/16", format!("it holds {ROUTER_V4}: it is the router's own address")),
            ("2001:db8::/32", "it is the router's own address".into()),
            ("10.128.0.0/24", "it is within 10.0.0.0/8: it is a private or reserved address".into()),
            ("172.0.0.0/8", "it holds 172.16.0.0/12: it is a private or reserved address".into()),
            ("224.0.0.0/8", "it is a private or reserved address".into()),
            ("fe90::/20", "it is a private or reserved address".into()),
            ("128.0.0.0/7", "the prefix is too short: at least /8 of IPv4".into()),
            ("2400::/12", "the prefix is too short".into()),
            ("0.0.0.0/0", "the prefix is too short".into()),
            ("::ffff:10.128.0.0/120", "it is a private or reserved address".into()),
            ("::/19", "it holds ".into()),
        ] {
            let error = refused(&guarded, target);
            assert!(error.contains(&why), "{target}: {error}");
        }
        // Somebody to whom the inside talks.
        assert!(connects(&lan, SERVER));
        let error = refused(&guarded, "203.0.113.0/24");
        let why =
            "203.0.113.0/24 is not blocked: it holds 203.0.113.80: a connection to it was opened from inside";
        assert!(error.contains(why), "{error}");
        let (code, out, _) = guarded.router.shell(&["guard-test", "203.0.113.0/24"]);
        assert!(code == Some(0) && out.contains("would not be blocked: it holds 203.0.113.80"), "{out}");
        // Whoever asks, over SSH.
        let mut command = Command::new(env!("CARGO_BIN_EXE_fwstat"));
        command.args(["block", "192.0.2.0/24", "--ubus"]).arg(&guarded.router.broker.socket);
        let asked =
            command.env("SSH_CONNECTION", format!("192.0.2.9 40000 {ROUTER_V4} 22")).output().unwrap();
        let error = String::from_utf8_lossy(&asked.stderr).into_owned();
        assert!(
            !asked.status.success() && error.contains("it holds 192.0.2.9: you are connected from it"),
            "{error}"
        );
        assert!(guarded.blocks().is_empty());
        // On the allow list, it is left out of a block; to the others of that network the inside still connects.
        guarded.configure("", &format!("{options};list allow '{SERVER}'"));
        guarded.router.signal(Signal::SIGHUP);
        eventually("the option holds", || {
            guarded.router.ask("block", json!({"address": "203.0.113.0/24"})).is_ok()
        });
        for host in [SERVER, VICTIM] {
            assert!(connects(&lan, host), "{scope} {host}");
        }
        let four = set(&guarded, "networks4");
        assert!(four.contains("203.0.113.81") && !four.contains("203.0.113.80"), "{four}");
        guarded.router.stop();
    }
}

#[test]
fn a_country_is_blocked_unless_the_router_or_its_peers_are_there() {
    let Some(mut guarded) = Guarded::up("country", "", "option enabled '0'") else { return };
    let around = Surroundings::new(&guarded.network);
    let lan = around.lan.clone();
    let four = "9.0.0.0,9.0.255.255,FR\n9.2.0.0,9.2.255.255,FR\n10.0.0.0,10.255.255.255,FR\n\
                192.0.2.0,192.0.2.255,BR\n198.51.100.0,198.51.100.255,JP\n203.0.113.0,203.0.113.255,DE\n";
    let database = with_countries(&guarded, four, "2001:db8:9::,2001:db8:9:ffff:ffff:ffff:ffff:ffff,FR\n");
    let (code, out, error) = guarded.router.shell(&["block", "fr", "--for", "forever"]);
    assert_eq!((code, error.as_str()), (Some(0), ""));
    assert!(out.contains("FR is blocked") && out.contains("131072 IPv4 addresses and 65536 IPv6"), "{out}");
    let (sets, six) = (set(&guarded, "networks4"), set(&guarded, "networks6"));
    assert!(sets.contains("9.0.0.0/16") && sets.contains("9.2.0.0/16") && !sets.contains("10.0."), "{sets}");
    assert!(six.contains("2001:db8:9::/48"), "{six}");
    guarded.forger.syn(address("9.2.3.4"), 8022, 1);
    guarded.forger.syn(address("9.1.3.4"), 8022, 1);
    eventually("what it stops is counted", || {
        guarded.router.answer("source", json!({"address": "9.2.3.4"}))["attempts"] == 1
    });
    let row = guarded.router.answer("source", json!({"address": "9.2.3.4"}));
    assert_eq!(
        (&row["blocked"], &row["block"]["address"], &row["block"]["kind"]),
        (&json!(true), &json!("FR"), &json!("country"))
    );
    // Its own country, one with a peer, one that nobody knows.
    let error = refused(&guarded, "JP");
    assert!(
        error.contains(&format!("JP is not blocked: it holds {ROUTER_V4}: it is the router's own address")),
        "{error}"
    );
    assert!(connects(&lan, SERVER));
    assert!(
        refused(&guarded, "DE").contains("it holds 203.0.113.80: a connection to it was opened from inside")
    );
    assert!(refused(&guarded, "XX").contains("the country database does not know this country"));
    guarded.router.stop();
    guarded.start();
    eventually("it is back", || set(&guarded, "networks4").contains("9.2.0.0/16"));
    // Without the database it says what is missing.
    fs::remove_file(&database).unwrap();
    guarded.router.signal(Signal::SIGHUP);
    eventually("it is told", || guarded.state() == "degraded");
    let why = guarded.status()["why"].as_str().unwrap().to_string();
    assert!(why.contains("FR is not blocked: no country database"), "{why}");
    assert_eq!(guarded.router.shell(&["unblock", "FR"]).0, Some(0));
    eventually("and all is well again", || guarded.state() == "on");
    guarded.router.stop();
}

#[test]
fn a_blocked_country_stays_blocked_while_its_sets_change() {
    let Some(mut guarded) = Guarded::up("reloads", "", "option enabled '0'") else { return };
    let four: String =
        (0..4096).map(|number| number_range(number, "FR")).chain([number_range(4096, "BR")]).collect();
    let database = with_countries(&guarded, &four, "2001:db8:9::,2001:db8:9:ffff:ffff:ffff:ffff:ffff,FR\n");
    for (target, length) in [("FR", "forever"), ("203.0.113.0/24", "1h")] {
        let (code, out, error) = guarded.router.shell(&["block", target, "--for", length]);
        assert_eq!((code, error.as_str()), (Some(0), ""), "{out}");
    }
    guarded.network.nft(
        "table inet probe {\n\tchain first {\n\t\ttype filter hook prerouting priority -450;\n\
         \t\tip saddr 9.0.0.0/8 tcp dport 8022 counter comment \"arrived\"\n\t}\n\
         \tchain input {\n\t\ttype filter hook input priority filter;\n\
         \t\tip saddr 9.0.0.0/8 tcp dport 8022 counter comment \"passed\"\n\t}\n}\n",
    );
    let last = Prefix::parse("9.15.255.0/25").unwrap();
    let mut sent = 0;
    for round in 0..8 {
        // Whoever is allowed now is within a range that was blocked; what was allowed before is blocked again.
        let allowed = format!("9.3.{round}.5");
        let options = format!("{ON};list allow '{allowed}'");
        guarded.configure(&format!("option country_database '{}'", database.display()), &options);
        guarded.router.signal(Signal::SIGHUP);
        let allowed = Prefix::parse(&allowed).unwrap();
        eventually("the option holds", || {
            for _ in 0..50 {
                // None of them so often that it is a flood.
                guarded.forger.syn(address(&format!("9.15.255.{}", sent % 100)), 8022, sent);
                sent += 1;
            }
            guarded.elements.dropped(NETWORKS, allowed).is_none()
        });
    }
    let counted = |guarded: &Guarded, comment: &str| -> u64 {
        let probe = guarded.nft(&["list", "table", "inet", "probe"]);
        let line = probe.lines().find(|line| line.contains(comment)).unwrap();
        let number = line.split("packets ").nth(1).unwrap().split(' ').next().unwrap();
        number.parse().unwrap()
    };
    assert_eq!(counted(&guarded, "passed"), 0, "{sent} were sent");
    // What does not change keeps its counter, as the table is not made anew. The link drops some of what is sent.
    let mut all = (0, None);
    eventually("all are counted", || {
        all = (counted(&guarded, "arrived"), guarded.elements.dropped(NETWORKS, last));
        all.1 == Some(all.0)
    });
    assert!(all.0 > u64::from(sent) / 2, "{all:?} of {sent}");
    assert!(set(&guarded, "networks4").contains("9.3.7.6"));
    for target in ["FR", "203.0.113.0/24"] {
        assert_eq!(guarded.router.shell(&["unblock", target]).0, Some(0));
    }
    eventually("nothing of it is left", || {
        !set(&guarded, "networks4").contains("elements") && !set(&guarded, "networks6").contains("elements")
    });
    guarded.router.stop();
}

/// Every other half of a /24.
fn number_range(number: u32, country: &str) -> String {
    let (high, low) = (number / 256, number % 256);
    format!("9.{high}.{low}.0,9.{high}.{low}.127,{country}\n")
}

#[test]
fn lists_are_printed_imported_and_handed_over() {
    let options = "option enabled '1';list allow '203.0.113.7';list allow '2001:db8:a::/48'";
    let Some(mut guarded) = Guarded::up("lists", "", options) else { return };
    let banip = guarded.router.path("banip.blocklist");
    let file = banip.to_str().unwrap().to_string();
    fs::write(
        &banip,
        "# mine\n192.0.2.0/25 # scanners\n9.9.9.9\nexample.org\n198.51.100.0/24\n203.0.113.7\n",
    )
    .unwrap();
    let (code, out, error) = guarded.router.shell(&["blocklist", "--import", &file]);
    assert!(code == Some(0) && out.contains("2 addresses and networks are blocked"), "{out}{error}");
    assert!(error.contains("line 4 is left out: 'example.org'"), "{error}");
    assert!(error.contains("198.51.100.0/24 is not blocked: it holds 198.51.100.1"), "{error}");
    assert!(
        error.contains("203.0.113.7 is not blocked: it is within 203.0.113.7, which is on the allow list"),
        "{error}"
    );
    let sets = set(&guarded, "networks4");
    assert!(sets.contains("192.0.2.0/25") && sets.contains("9.9.9.9"), "{sets}");
    guarded.router.answer("block", json!({"address": "192.0.2.200", "for": "1h"}));
    guarded.forger.flood(address("192.0.2.222"), 200);
    guarded.wait_for(&["192.0.2.200", "192.0.2.222"]);
    let (_, out, _) = guarded.router.shell(&["blocklist"]);
    assert_eq!(out, "192.0.2.0/25\n192.0.2.200\n9.9.9.9\n");
    let (_, out, _) = guarded.router.shell(&["blocklist", "--all"]);
    assert!(out.contains("192.0.2.222\n"), "{out}");
    for _ in 0..2 {
        let (code, _, error) = guarded.router.shell(&["blocklist", "--append", &file]);
        assert_eq!((code, error.as_str()), (Some(0), ""));
        let text = fs::read_to_string(&banip).unwrap();
        assert!(text.starts_with("# mine\n192.0.2.0/25 # scanners\n9.9.9.9\nexample.org\n"), "{text}");
        assert_eq!(text.matches("192.0.2.200\n").count(), 1, "{text}");
    }
    // More than there is room for.
    let many: String =
        (0..1100).map(|number| format!("9.{}.{}.0/24\n", number / 256, number % 256)).collect();
    fs::write(&banip, many).unwrap();
    let (code, out, error) = guarded.router.shell(&["blocklist", "--import", &file, "--for", "1h"]);
    assert!(code == Some(0) && out.contains("1022 addresses and networks are blocked"), "{out}{error}");
    assert!(error.contains("the limit of 1024 blocked networks and countries is reached"), "{error}");
    assert_eq!(guarded.status()["networks"], json!({"used": 1024, "limit": 1024}));
    // The allow list is an option, which uci changes.
    let config = guarded.router.path("config/fwstat");
    let stand_in = guarded.router.path("bin");
    fs::create_dir_all(&stand_in).unwrap();
    let said = guarded.router.path("uci.said");
    let script = format!(
        "#!/bin/sh\necho \"$@\" > {0}\ncat >> {0}\n\
         {{ echo 'config guard'; sed -n 's/^add_list .*allow=/list allow /p' {0}; }} >> {1}\n",
        said.display(),
        config.display()
    );
    fs::write(stand_in.join("uci"), script).unwrap();
    fs::set_permissions(stand_in.join("uci"), fs::Permissions::from_mode(0o755)).unwrap();
    let list = guarded.router.path("banip.allowlist");
    fs::write(&list, "203.0.113.7\n203.0.113.8 # office\nmy.example.org\n2001:db8:b::1\n").unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fwstat"));
        command.args(arguments).arg("--config").arg(&config);
        command.env("PATH", format!("{}:/usr/bin:/bin", stand_in.display())).output().unwrap()
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert_eq!(text(&run(&["allowlist"]).stdout), "203.0.113.7\n2001:db8:a::/48\n");
    let done = run(&["allowlist", "--import", list.to_str().unwrap()]);
    assert!(done.status.success() && text(&done.stdout).starts_with("2 addresses"), "{done:?}");
    assert!(text(&done.stderr).contains("line 3 is left out"), "{done:?}");
    let directory = config.parent().unwrap().display().to_string();
    let expected = format!(
        "-c {directory} batch\nadd_list fwstat.@guard[0].allow='203.0.113.8'\nadd_list fwstat.@guard[0].allow='2001:db8:b::1'\n\
         commit fwstat\n"
    );
    assert_eq!(fs::read_to_string(said).unwrap(), expected);
    guarded.router.stop();
}
