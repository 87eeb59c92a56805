//! Backup, restore, delete and import: of a store, and with a daemon that counts meanwhile.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::fwstat::{answer, ask, json, run, scratch, shipped, without_estimates};
use crate::router::{Router, line};
use crate::stand_in::logd::Logd;
use fwstat::guard::networks::NetworkBlock;
use fwstat::query::target::{MAX_NETWORKS, Target};
use fwstat::store::container::Open;
use fwstat::store::ledger::Moment;
use fwstat::store::networks;
use serde_json::{Value, json};

/// Packets of the days `from` to `to` of 2020, `more` of them each day.
fn log(from: u32, to: u32, more: u32) -> String {
    let mut text = String::new();
    for day in from..to {
        let first = fwstat::event::calendar::Date::parse("2020-01-01").unwrap();
        let date = fwstat::event::calendar::Date(first.0 + day as i32);
        for packet in 0..(more + day % 4) {
            text += &format!(
                "{date}T0{}:{:02}:00 router kernel: DROP IN=ppp0 OUT= MAC= SRC=203.0.113.{} DST=198.51.100.20 LEN=44 \
                 TOS=0x00 PREC=0x00 TTL=241 ID={day} PROTO=TCP SPT={} DPT={} WINDOW=1024 RES=0x00 SYN URGP=0\n",
                packet % 10,
                packet % 60,
                packet % 5 + 1,
                41_000 + packet,
                [23, 22, 445][packet as usize % 3],
            );
        }
    }
    text
}

fn import(store: &Path, log: &str) {
    let file = store.with_extension("log");
    fs::write(&file, log).unwrap();
    answer(&["import", "--db", store.to_str().unwrap(), "--timezone", "UTC", file.to_str().unwrap()]);
}

fn days(store: &Path) -> Value {
    let mut answer = ask(store, &["days", "--limit", "1000"]);
    without_estimates(&mut answer);
    answer["days"].take()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Every file of a directory with its bytes.
fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap() != "lock")
        .map(|path| (path.display().to_string(), fs::read(&path).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn a_backup_makes_the_same_store_again() {
    let directory = scratch("upkeep-same");
    let (store, other, backup) = (directory.join("a"), directory.join("b"), directory.join("a.tar.gz"));
    import(&store, &log(0, 100, 30));
    let made = json(&["backup", text(&backup), "--db", text(&store), "--json"]);
    let metadata = fs::metadata(&backup).unwrap();
    assert_eq!(
        (metadata.permissions().mode() & 0o777, made["bytes"].as_u64()),
        (0o600, Some(metadata.size()))
    );
    // Anybody can look into it.
    let listed = std::process::Command::new("tar").arg("tzf").arg(&backup).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert_eq!(listed.lines().next(), Some("fwstat-backup"), "{listed}");
    assert!(listed.contains("2020-02.fws\n") && listed.contains("store.fws\n"), "{listed}");
    let restored = json(&["restore", text(&backup), "--db", text(&other), "--json"]);
    assert_eq!((&restored["days"], &restored["first"]), (&json!(100), &json!("2020-01-01")), "{restored}");
    for question in ["days", "months", "services", "sources", "hours", "anomalies", "summary"] {
        let question = &[question, "--limit", "1000"];
        assert_eq!(ask(&other, question), ask(&store, question), "{question:?}");
    }
    // Once more brings nothing, and a file that was imported before is still known.
    let before = files(&other);
    let again = answer(&["restore", text(&backup), "--db", text(&other)]);
    assert!(again.starts_with("the store has all that the backup of "), "{again}");
    assert_eq!(files(&other), before);
    let log = store.with_extension("log");
    let ran = run(&["import", "--db", text(&other), text(&log)]);
    assert!(ran.stderr.contains("was read before: it is not counted again"), "{}", ran.stderr);
}

#[test]
fn what_was_counted_since_a_router_was_set_up_anew_stays() {
    let directory = scratch("upkeep-anew");
    let (old, new, both) = (directory.join("old"), directory.join("new"), directory.join("both"));
    import(&old, &log(0, 50, 30));
    let backup = directory.join("old.tar.gz");
    answer(&["backup", text(&backup), "--db", text(&old)]);
    // In the new store, of another salt: a part of the last day, days after it, in the month of the backup and later.
    let since = log(49, 70, 10).replace("T0", "T1");
    import(&new, &since);
    import(&both, &log(0, 50, 30));
    import(&both, &since);
    let told = answer(&["restore", text(&backup), "--db", text(&new)]);
    assert!(told.starts_with("50 days from 2020-01-01 to 2020-02-19 are restored"), "{told}");
    assert_eq!(days(&new), days(&both));
    for question in ["services", "sources", "hours", "months"] {
        let (mut of_new, mut of_both) = (ask(&new, &[question]), ask(&both, &[question]));
        without_estimates(&mut of_new);
        without_estimates(&mut of_both);
        assert_eq!(of_new, of_both, "{question}");
    }
    // Now it is the same store: nothing is counted twice.
    let again = answer(&["restore", text(&backup), "--db", text(&new)]);
    assert!(again.starts_with("the store has all"), "{again}");
}

#[test]
fn a_damaged_month_is_brought_back_and_a_damaged_backup_changes_nothing() {
    let directory = scratch("upkeep-damage");
    let (store, backup) = (directory.join("a"), directory.join("a.tar.gz"));
    import(&store, &log(0, 100, 30));
    answer(&["backup", text(&backup), "--db", text(&store)]);
    let whole = fs::read(&backup).unwrap();
    let expected = days(&store);
    let before = files(&store);
    for at in (20..whole.len()).step_by(997) {
        fs::write(directory.join("damaged"), &whole[..at]).unwrap();
        let ran = run(&["restore", text(&directory.join("damaged")), "--db", text(&store)]);
        assert_eq!(ran.code, Some(1), "{at}");
        assert!(ran.stderr.ends_with("; nothing was changed\n"), "{at}: {}", ran.stderr);
    }
    assert_eq!(files(&store), before);
    fs::write(store.join("2020-02.fws"), b"nonsense").unwrap();
    // What is damaged is not backed up, and said.
    let ran = run(&["backup", text(&directory.join("less.tar.gz")), "--db", text(&store)]);
    assert!(ran.code == Some(0) && ran.stderr.contains("2020-02.fws is damaged"), "{}", ran.stderr);
    let ran = run(&["restore", text(&backup), "--db", text(&store)]);
    assert!(ran.stdout.starts_with("29 days from 2020-02-01 to 2020-02-29"), "{} {}", ran.stdout, ran.stderr);
    assert!(store.join("2020-02.fws.bad").exists());
    // The file that is set aside is named with every answer.
    fs::remove_file(store.join("2020-02.fws.bad")).unwrap();
    assert_eq!(days(&store), expected);
}

/// Blocks of networks and countries, as a daemon stores them.
fn block_networks(store: &Path, boot_ms: u64, wall: i64, blocks: &[(&str, Option<u64>)]) {
    let blocks: Vec<NetworkBlock> = blocks
        .iter()
        .map(|(target, seconds)| NetworkBlock {
            target: Target::parse(target).unwrap(),
            since_ms: boot_ms,
            until_ms: seconds.map(|seconds| boot_ms + seconds * 1000),
            since_wall: Some(wall),
            until_wall: seconds.map(|seconds| wall + seconds as i64),
            reason: Some(format!("of {}", store.file_name().unwrap().display())),
        })
        .collect();
    let moment = Moment { boot: "another boot".into(), boot_ms, wall: Some(wall) };
    fs::create_dir_all(store).unwrap();
    fs::write(store.join("networks.fws"), networks::encode(&moment, &blocks)).unwrap();
}

/// The blocks of a store: of which network, whether it ends, and whose it was, if that has a reason still.
fn networks_of(store: &Path) -> Vec<(String, bool, String)> {
    let file = Open::from_bytes(fs::read(store.join("networks.fws")).unwrap()).unwrap();
    let blocks = networks::from_file(&file, &Moment::default()).unwrap();
    let row = |block: NetworkBlock| {
        (block.target.to_string(), block.until_ms.is_some(), block.reason.unwrap_or_default())
    };
    blocks.into_iter().map(row).collect()
}

#[test]
fn blocked_networks_come_back_beside_those_of_the_store() {
    let directory = scratch("upkeep-networks");
    let (old, new, backup) = (directory.join("old"), directory.join("new"), directory.join("old.tar.gz"));
    import(&old, &log(0, 3, 30));
    let wall = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() as i64;
    let day = 86_400;
    let blocked = [
        ("198.51.100.0/24", None),
        ("CN", Some(9 * day)),
        ("2001:db8::/32", Some(day)),
        ("203.0.113.0/24", None),
        ("192.0.2.0/24", Some(2 * day)),
    ];
    // Two days ago: one is over.
    block_networks(&old, 1_000_000, wall - 2 * day as i64 + 60, &blocked);
    answer(&["backup", text(&backup), "--db", text(&old)]);
    let listed = Command::new("tar").arg("tzf").arg(&backup).output().unwrap();
    assert!(String::from_utf8(listed.stdout).unwrap().contains("networks.fws\n"));
    let of = |owner: &str, rows: &[(&str, bool)]| {
        let row = |(target, ends): &(&str, bool)| (target.to_string(), *ends, format!("of {owner}"));
        rows.iter().map(row).collect::<Vec<_>>()
    };
    // Into an empty store, and once more.
    let empty = directory.join("empty");
    let restored = json(&["restore", text(&backup), "--db", text(&empty), "--json"]);
    assert_eq!((&restored["days"], &restored["networks"]), (&json!(3), &json!(4)), "{restored}");
    let all = [("198.51.100.0/24", false), ("CN", true), ("203.0.113.0/24", false), ("192.0.2.0/24", true)];
    assert_eq!(networks_of(&empty), of("old", &all));
    let again = answer(&["restore", text(&backup), "--db", text(&empty)]);
    assert!(again.starts_with("the store has all that the backup of "), "{again}");
    // Beside others: of each network the block that ends later.
    let own = [("203.0.113.0/24", Some(5)), ("CN", None), ("9.0.0.0/8", None)];
    block_networks(&new, 5_000, wall, &own);
    let told = answer(&["restore", text(&backup), "--db", text(&new)]);
    assert!(told.contains("\n3 blocks of networks and countries are restored from the backup of "), "{told}");
    let mut expected = of("new", &[("CN", false), ("9.0.0.0/8", false)]);
    expected
        .extend(of("old", &[("198.51.100.0/24", false), ("203.0.113.0/24", false), ("192.0.2.0/24", true)]));
    assert_eq!(networks_of(&new), expected);
    // A damaged list is not backed up, and one of the store is set aside.
    let whole = fs::read(old.join("networks.fws")).unwrap();
    fs::write(old.join("networks.fws"), &whole[..whole.len() - 1]).unwrap();
    fs::write(new.join("networks.fws"), &whole[..whole.len() - 1]).unwrap();
    let less = directory.join("less.tar.gz");
    let ran = run(&["backup", text(&less), "--db", text(&old)]);
    assert!(ran.code == Some(0) && ran.stderr.contains("networks.fws is damaged"), "{}", ran.stderr);
    let ran = run(&["restore", text(&backup), "--db", text(&new)]);
    assert!(ran.stdout.contains("4 blocks of networks") && ran.stderr.contains(".bad"), "{}", ran.stderr);
    assert_eq!(networks_of(&new), of("old", &all));
    assert_eq!(fs::read(new.join("networks.fws.bad")).unwrap(), &whole[..whole.len() - 1]);
    // More than there is room for.
    let many: Vec<String> =
        (0..MAX_NETWORKS - 1).map(|number| format!("9.{}.{}.0/24", number / 256, number % 256)).collect();
    let many: Vec<(&str, Option<u64>)> = many.iter().map(|target| (target.as_str(), None)).collect();
    block_networks(&new, 5_000, wall, &many);
    let ran = run(&["restore", text(&backup), "--db", text(&new)]);
    assert!(
        ran.stderr.contains("3 blocked networks of the backup were not added: 1024 are blocked"),
        "{}",
        ran.stderr
    );
    assert_eq!(networks_of(&new).len(), MAX_NETWORKS);
}

/// Made by version 0.1.0.
#[test]
fn a_backup_of_an_older_version_is_restored() {
    let store = scratch("upkeep-older").join("store");
    let told = json(&["restore", &shipped("backup-0.1.0.tar.gz"), "--db", text(&store), "--json"]);
    assert_eq!(
        (&told["version"], &told["days"], &told["last"]),
        (&json!("0.1.0"), &json!(40), &json!("2020-02-09"))
    );
    let days = days(&store);
    assert_eq!(
        (&days[0], days.as_array().unwrap().len()),
        (&json!({"date": "2020-01-01", "attempts": 5}), 40)
    );
}

#[test]
fn days_are_deleted_and_named() {
    let store = scratch("upkeep-days").join("store");
    import(&store, &log(0, 100, 30));
    let before = days(&store);
    let told = answer(&["forget", "--before", "2020-02-10", "--db", text(&store)]);
    assert_eq!(told, "deleted: 40 days before 2020-02-10\n");
    assert_eq!(days(&store).as_array().unwrap()[..], before.as_array().unwrap()[40..]);
    assert!(!store.join("2020-01.fws").exists());
    let names = |store: &Path| {
        let disk = fwstat::store::directory::Disk::open(store).unwrap();
        let directory = fwstat::store::directory::Directory::Disk(disk);
        let mut store =
            fwstat::store::Store::open(directory, fwstat::store::Retention::default(), None).unwrap();
        store.meta().unwrap().deletions.into_iter().map(|one| one.what).collect::<Vec<_>>()
    };
    assert_eq!(names(&store), ["everything before 2020-02-10"]);
    let again = answer(&["forget", "--before", "2020-02-10", "--db", text(&store)]);
    assert_eq!(again, "deleted: 0 days before 2020-02-10\n");
    assert_eq!(names(&store).len(), 1);
    let ran = run(&["forget", "--before", "2999-01-01", "--db", text(&store)]);
    assert!(ran.code == Some(1) && ran.stderr.contains("is after today"), "{}", ran.stderr);
    let ran = run(&["forget", "--before", "2020-01-01", "--db", "/nowhere/at/all"]);
    assert!(ran.code == Some(1) && !Path::new("/nowhere").exists(), "{}", ran.stderr);
}

#[test]
fn a_source_is_deleted_from_every_day() {
    let store = scratch("upkeep-source").join("store");
    import(&store, &log(0, 100, 30));
    let before = days(&store);
    let told = answer(&["forget", "--source", "203.0.113.2", "--db", text(&store)]);
    assert!(told.contains(" rows of 203.0.113.2 in the store"), "{told}");
    let sources = ask(&store, &["sources", "--limit", "100"]).to_string();
    assert!(!sources.contains("203.0.113.2\"") && sources.contains("203.0.113.3\""), "{sources}");
    assert_eq!(days(&store), before);
    for (name, bytes) in files(&store) {
        // Addresses are numbers of 32 bits, in rows that are not always deflated.
        assert!(!bytes.windows(4).any(|window| window == [203, 0, 113, 2]), "{name}");
    }
}

/// Today's counts stay whatever is done, and the daemon has what was restored, deleted and imported at once.
#[test]
fn a_running_daemon_counts_on() {
    let mut router = Router::new("upkeep", None, "logd");
    let mut logd = Logd::start(&router.broker.socket);
    router.start();
    router.running("logd");
    for id in 0..6 {
        logd.kernel(&line(if id < 4 { "198.51.100.9" } else { "198.51.100.7" }, 23, id));
    }
    router.attempts(6);
    let store = router.path("other");
    import(&store, &log(0, 100, 30));
    let backup = router.path("other.tar.gz");
    answer(&["backup", text(&backup), "--db", text(&store)]);
    let ok = |ran: (Option<i32>, String, String)| {
        assert_eq!((ran.0, ran.2.as_str()), (Some(0), ""), "{}", ran.1);
        ran.1
    };
    let of_2020 = |router: &Router| {
        let answer = router.answer("days", json!({"from": "2020-01-01", "to": "2020-12-31", "limit": 1000}));
        (answer["days"].as_array().unwrap().len(), answer["complete"].clone())
    };
    let told = ok(router.shell(&["restore", text(&backup)]));
    assert!(told.starts_with("100 days from 2020-01-01"), "{told}");
    router.attempts(6);
    assert_eq!(of_2020(&router).0, 100);
    // What came meanwhile and later is counted, and stays over a crash.
    logd.kernel(&line("198.51.100.9", 23, 7));
    router.attempts(7);
    router.answer("commit", json!({}));
    router.kill();
    router.start();
    router.attempts(7);
    assert_eq!(of_2020(&router).0, 100);
    // Its own backup, and with it a new router.
    let mine = router.path("mine.tar.gz");
    let told = ok(router.shell(&["backup", text(&mine)]));
    assert!(told.contains(" files, "), "{told}");
    let fresh = router.path("fresh");
    assert!(answer(&["restore", text(&mine), "--db", text(&fresh)]).starts_with("101 days"), "{told}");
    assert_eq!(
        ok(router.shell(&["forget", "--before", "2020-03-01"])),
        "deleted: 60 days before 2020-03-01\n"
    );
    assert_eq!(of_2020(&router).0, 40);
    let deleted = &router.answer("status", json!({}))["deleted"];
    assert_eq!(deleted[0]["what"], "everything before 2020-03-01");
    ok(router.shell(&["forget", "--source", "198.51.100.9"]));
    router.attempts(7);
    let everything = |router: &Router| {
        ["sources", "source", "recent"]
            .map(|method| {
                router.answer(method, json!({"address": "198.51.100.7", "limit": 1000})).to_string()
            })
            .concat()
    };
    assert!(!everything(&router).contains("198.51.100.9") && everything(&router).contains("198.51.100.7"));
    router.stop();
    router.start();
    router.attempts(7);
    assert!(!everything(&router).contains("198.51.100.9"));
    // A log of last year, and the same once more.
    let imported = router.path("imported.log");
    fs::write(&imported, log(0, 10, 20).replace("T0", "T1")).unwrap();
    let told = ok(router.shell(&["import", "--timezone", router.zone, text(&imported)]));
    assert!(told.contains("events"), "{told}");
    router.wait("the imported days", |_| of_2020(&router).0 == 50);
    let (_, _, notes) = router.shell(&["import", "--timezone", router.zone, text(&imported)]);
    assert!(notes.contains("was read before: it is not counted again"), "{notes}");
    assert_eq!(of_2020(&router).0, 50);
    router.attempts(7);
    // A damaged backup is refused before the daemon is asked.
    fs::write(&mine, b"no backup").unwrap();
    let (code, _, error) = router.shell(&["restore", text(&mine)]);
    assert!(code == Some(1) && error.ends_with("; nothing was changed\n"), "{error}");
    let warnings = router.answer("status", json!({}))["warnings"].to_string();
    assert!(!warnings.contains("in RAM only"), "{warnings}");
    router.stop();
}

/// A command that ends before it is done, or a store that another one works on.
#[test]
fn a_daemon_takes_its_store_back_by_itself() {
    let mut router = Router::new("upkeep-back", None, "logd");
    let mut logd = Logd::start(&router.broker.socket);
    router.start();
    router.running("logd");
    logd.kernel(&line("198.51.100.9", 23, 1));
    router.attempts(1);
    assert_eq!(router.answer("release", json!({}))["path"], text(&router.path("db")));
    let state = |router: &Router| router.answer("status", json!({}))["store"]["state"].clone();
    assert_eq!(state(&router), "in RAM only: a command works on the store");
    let months = |router: &Router| router.answer("months", json!({})).to_string();
    let unread = "the stored days cannot be read: a command works on the store";
    assert!(months(&router).contains(unread), "{}", months(&router));
    logd.kernel(&line("198.51.100.9", 23, 2));
    router.attempts(2);
    let lock = fwstat::store::directory::Disk::open_for_writing(&router.path("db")).unwrap();
    assert!(router.ask("commit", json!({})).is_err());
    let told = state(&router).to_string();
    assert!(told.contains("is writing to it"), "{told}");
    drop(lock);
    router.answer("commit", json!({}));
    assert_eq!(state(&router), "ok");
    assert!(!months(&router).contains("cannot be read"));
    router.attempts(2);
    router.stop();
    router.start();
    router.attempts(2);
}

/// Two daemons that differ in everything but the store would hide from one another what they wrote.
#[test]
fn a_second_daemon_on_a_store_refuses_to_start() {
    let mut router = Router::new("upkeep-second", None, "logd");
    let mut logd = Logd::start(&router.broker.socket);
    router.start();
    router.running("logd");
    logd.kernel(&line("198.51.100.9", 23, 1));
    router.attempts(1);
    router.answer("commit", json!({}));
    let (database, config) = (router.path("db"), router.path("config/fwstat"));
    let first = router.daemon.as_ref().unwrap().id();
    let second = || {
        let mut command = Command::new(&router.program);
        command.arg("daemon").arg("--config").arg(&config).arg("--run").arg(router.path("run-of-second"));
        command.arg("--ubus").arg(router.path("no.sock")).stdin(Stdio::null());
        command
    };
    let refused = second().output().unwrap();
    let stderr = String::from_utf8(refused.stderr).unwrap();
    let expected = format!(
        "fwstat: cannot start: another daemon (process {first}, run directory {}) writes to the store {}: stop it, or set \
         another option database in {}\n",
        text(&router.path("run")),
        text(&database),
        text(&config),
    );
    assert_eq!((refused.status.code(), stderr), (Some(1), expected));
    // Nothing of the first one's was touched.
    assert_eq!(router.answer("status", json!({}))["store"]["state"], "ok");
    // Commands work beside a daemon: what only reads tells that the open day is missing.
    let days = router.path("days.log");
    fs::write(&days, log(0, 3, 4)).unwrap();
    let report: Value = serde_json::from_str(&answer(&["report", text(&days), "--json"])).unwrap();
    assert_eq!(report["input"]["events"], 15, "{report}");
    import(&router.path("other"), &log(0, 3, 4));
    let stored: Value =
        serde_json::from_str(&answer(&["summary", "--json", "--db", text(&database)])).unwrap();
    assert_eq!(stored["complete"], false, "{stored}");
    let ran = run(&["import", "--timezone", "UTC", "--db", text(&database), text(&days)]);
    let first_is = format!("another fwstat (process {first}, run directory {})", text(&router.path("run")));
    assert!(ran.code == Some(1) && ran.stderr.contains(&first_is), "{}", ran.stderr);
    assert_eq!(router.shell(&["import", "--timezone", router.zone, text(&days)]).0, Some(0));
    // One that is about to end is waited for, as in a restart.
    let mut next = second().stderr(fs::File::create(router.path("second.log")).unwrap()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(500));
    assert!(next.try_wait().unwrap().is_none());
    router.stop();
    let until = Instant::now() + Duration::from_secs(60);
    let lock = || fs::read_to_string(database.join("lock")).unwrap_or_default();
    while lock() != format!("{}\n{}\n", next.id(), text(&router.path("run-of-second"))) {
        assert!(next.try_wait().unwrap().is_none() && Instant::now() < until, "{}", lock());
        std::thread::sleep(Duration::from_millis(20));
    }
    let pid = nix::unistd::Pid::from_raw(next.id() as i32);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    assert!(next.wait().unwrap().success());
}
