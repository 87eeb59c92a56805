//! The N-th system call fails, for every N, by strace's fault injection: an import changes the store as a whole or
//! complains and leaves it whole; the daemon goes on.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::fwstat::{PROGRAM, run, scratch};
use crate::router::{Router, line};
use crate::stand_in::logd::Logd;
use serde_json::{Value, json};

fn can_trace() -> bool {
    let traced =
        Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    if traced.is_ok_and(|status| status.success()) {
        return true;
    }
    assert!(
        std::env::var_os("CI").is_none_or(|ci| ci != "true"),
        "this test must run in CI: strace is missing"
    );
    eprintln!("SKIPPED: strace is missing or may not trace");
    false
}

fn log(first: u32, count: u32) -> String {
    let line = |number: u32| {
        format!(
            "2020-04-{:02}T12:00:00+00:00 router kernel: DROP wan in: IN=ppp0 OUT= SRC=198.51.100.{} DST=192.0.2.1 LEN=40 \
             TTL=58 ID={number} PROTO=TCP SPT={} DPT=23 WINDOW=1024 SYN URGP=0\n",
            1 + number % 20,
            number % 200,
            1024 + number
        )
    };
    (first..first + count).map(line).collect()
}

/// The attempts of a store, and whether it holds a file that was set aside because it could not be read.
fn attempts(store: &Path) -> (u64, bool) {
    let ran = run(&["summary", "--db", store.to_str().unwrap(), "--json"]);
    let only_set_aside = ran.stderr.lines().all(|line| line.contains("set aside") && line.ends_with(".bad"));
    assert!(ran.code == Some(0) && only_set_aside, "{:?}: {}", ran.code, ran.stderr);
    let answer: Value = serde_json::from_str(&ran.stdout).unwrap();
    (answer["attempts"].as_u64().unwrap(), !ran.stderr.is_empty())
}

#[test]
fn an_import_whose_system_calls_fail_leaves_a_whole_store() {
    if !can_trace() {
        return;
    }
    let place = scratch("failing-import");
    let path = |name: &str| place.join(name);
    fs::write(path("first.log"), log(0, 300)).unwrap();
    fs::write(path("second.log"), log(300, 400)).unwrap();
    let import = |store: &Path, log: &Path| {
        let mut command = Command::new(PROGRAM);
        command.args(["import", "--timezone", "UTC", "--db"]).arg(store).arg(log);
        command
    };
    assert!(import(&path("before"), &path("first.log")).stdout(Stdio::null()).status().unwrap().success());
    let mut injected = 0;
    for (call, error) in [
        ("openat", "EMFILE"),
        ("write", "ENOSPC"),
        ("pwrite64", "ENOSPC"),
        ("fsync", "EIO"),
        ("rename", "EIO"),
        ("read", "EIO"),
        ("pread64", "EIO"),
        ("mkdir", "EROFS"),
        ("unlinkat", "EIO"),
        ("flock", "ENOLCK"),
        ("ftruncate", "EIO"),
    ] {
        for number in 1.. {
            if call == "flock" && number > 1 {
                // Nothing unlocks with an error in a kernel.
                break;
            }
            let store = path("store");
            let _ = fs::remove_dir_all(&store);
            assert!(Command::new("cp").arg("-r").arg(path("before")).arg(&store).status().unwrap().success());
            let program = import(&store, &path("second.log"));
            let mut traced = Command::new("strace");
            traced.args(["-f", "-qq", "-o"]).arg(path("trace"));
            traced.arg("-e").arg(format!("trace={call}"));
            traced.arg("-e").arg(format!("inject={call}:error={error}:when={number}"));
            traced.arg(PROGRAM).args(program.get_args());
            let ran = traced.output().unwrap();
            let trace = fs::read_to_string(path("trace")).unwrap_or_default();
            if !trace.contains("(INJECTED)") {
                break;
            }
            // The loader's own calls, before main.
            let stderr = String::from_utf8_lossy(&ran.stderr).into_owned();
            if ran.status.code() == Some(127) {
                continue;
            }
            injected += 1;
            let what = format!("{call} {number} {error}: {:?} {stderr}", ran.status);
            assert!(matches!(ran.status.code(), Some(0 | 1)) && !stderr.contains("panicked"), "{what}");
            // What cannot be read of the store is named; the import succeeds with the rest.
            let mut said = stderr.lines().filter_map(|line| line.strip_prefix("fwstat: "));
            // The write that fails can be that of the sentence.
            let goes_on = |line: &str| {
                line.is_empty()
                    || line.contains(" is damaged")
                    || line.contains(" had events before this import")
            };
            match ran.status.code() {
                Some(0) => assert!(said.all(goes_on), "{what}"),
                _ => assert!(said.any(|line| !goes_on(line)), "{what}"),
            }
            let (after, set_aside) = attempts(&store);
            assert!(!set_aside || stderr.contains(" is damaged"), "{what}: a file was set aside silently");
            // A log that cannot be read to its end is counted as far as it was, and the message says so.
            let cut = stderr.contains("the lines before that were read");
            assert!(
                after == 300 || after == 700 || (cut && (300..700).contains(&after)),
                "{what}: {after} attempts"
            );
            // Once nothing fails any more, all of it is there.
            let again = import(&store, &path("second.log")).output().unwrap();
            assert!(again.status.success(), "{what}: {}", String::from_utf8_lossy(&again.stderr));
            assert_eq!(attempts(&store), (700, set_aside), "{what}");
        }
    }
    assert!(injected > 60, "only {injected} calls failed");
}

#[test]
fn a_daemon_whose_system_calls_fail_now_and_then_goes_on() {
    if !can_trace() {
        return;
    }
    let mut router = Router::new("failing", None, "logd");
    router.configure(
        "option input 'logd'\n\toption commit_interval '1m'\nconfig guard 'guard'\n\toption enabled 'dry'\n",
    );
    let mut logd = Logd::start(&router.broker.socket);
    router.start();
    router.running("logd");
    let pid = router.daemon.as_ref().unwrap().id().to_string();
    let mut sent = 0;
    for (call, error) in [
        ("openat", "EMFILE"),
        ("socket", "EMFILE"),
        ("sendto", "ENOBUFS"),
        ("recvfrom", "ENOMEM"),
        ("recvmsg", "ENOBUFS"),
        ("read", "EIO"),
        ("write", "ENOSPC"),
        ("fsync", "EIO"),
        ("rename", "EIO"),
        ("pwrite64", "EIO"),
        ("memfd_create", "ENFILE"),
        ("clone3", "EAGAIN"),
        ("pipe2", "EMFILE"),
        ("fcntl", "EIO"),
    ] {
        let mut strace = Command::new("strace")
            .args(["-f", "-qq", "-o", "/dev/null", "-p", &pid])
            .arg("-e")
            .arg(format!("trace={call}"))
            .arg("-e")
            .arg(format!("inject={call}:error={error}:when=2+3"))
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let until = Instant::now() + Duration::from_millis(1_500);
        while Instant::now() < until {
            sent += 1;
            logd.kernel(&line("198.51.100.9", 23, sent));
            // Whether it is answered depends on which call fails.
            let method = ["summary", "status", "commit", "blocks"][usize::from(sent) % 4];
            let _ = router.ask_within(Duration::from_secs(5), method, json!({}));
            std::thread::sleep(Duration::from_millis(20));
        }
        let strace_pid = nix::unistd::Pid::from_raw(strace.id() as i32);
        nix::sys::signal::kill(strace_pid, nix::sys::signal::Signal::SIGINT).unwrap();
        // Where the daemon is just starting a process strace waits for it, and it for strace, for ever; a tracer that is killed
        // lets go.
        let until = Instant::now() + Duration::from_secs(10);
        while strace.try_wait().unwrap().is_none() {
            if Instant::now() > until {
                strace.kill().unwrap();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let ended = router.daemon.as_mut().unwrap().try_wait().unwrap();
        assert!(ended.is_none(), "{call} {error}: {ended:?}\n{}", router.log());
        // It connects again to the broker and to logd, with its back-off.
        let until = Instant::now() + Duration::from_secs(60);
        let running = || {
            let status = router.ask_within(Duration::from_secs(5), "status", json!({})).ok()?;
            let inputs = status["inputs"].as_array()?;
            inputs.iter().any(|input| input["name"] == "logd" && input["state"] == "running").then_some(())
        };
        while running().is_none() {
            assert!(Instant::now() < until, "{call} {error}: not running again\n{}", router.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    // A commit opens the store again if it was closed. What logd still has in its ring is counted; nothing twice.
    router.answer("commit", json!({}));
    router.wait("every line was counted, and the store is open", |summary| {
        summary["attempts"] == sent && summary["complete"] == true
    });
    router.stop();
}
