//! Every example command of the README, the documents and `--help` runs, as it is written, with a daemon and a store.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use fwstat::cli::options::COMMANDS;

use crate::guarded::{Guarded, ON};

/// Commands whose examples other tests run: `tests/notify/run`, and all tests of this folder.
const ELSEWHERE: [&str; 2] = ["fwstat notify", "fwstat daemon"];

/// The lines of the code blocks of README and docs that call the program, and the examples of `--help`.
fn examples() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut documents = vec![root.join("README.md")];
    documents.extend(fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path()));
    let mut found: Vec<String> = Vec::new();
    for path in
        documents.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "md"))
    {
        let text = fs::read_to_string(&path).unwrap();
        let blocks = text.lines().filter_map(|line| line.strip_prefix("    "));
        // Single commands in code quotes stand within a line.
        let quoted = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
        for line in blocks.chain(quoted) {
            let line = line.trim();
            let is_call =
                line.starts_with("fwstat ") || line.contains("| fwstat ") || line.contains("cargo run");
            // Usage, not an example: a name in capitals stands for something.
            let has_placeholder = line.split([' ', '#']).take_while(|word| *word != "#").any(|word| {
                word.len() > 1 && word.bytes().all(|letter| letter.is_ascii_uppercase()) && word != "DIR"
            });
            if is_call && !has_placeholder && !line.contains("...") {
                found.push(line.to_string());
            }
        }
    }
    found.extend(COMMANDS.iter().flat_map(|command| command.examples).map(|example| example.to_string()));
    found.retain(|example| !ELSEWHERE.iter().any(|command| example.starts_with(command)));
    found.sort();
    found.dedup();
    found
}

#[test]
fn every_example_runs() {
    let Some(guarded) = Guarded::up("examples", "", ON) else { return };
    let place = guarded.router.path("examples");
    fs::create_dir_all(&place).unwrap();
    let log = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/router.log.gz");
    fs::create_dir(place.join("log")).unwrap();
    for name in ["log/messages.1.gz", "router.log.1.gz"] {
        fs::copy(log, place.join(name)).unwrap();
    }
    let unpacked = Command::new("gzip").args(["-dc", log]).output().unwrap().stdout;
    fs::write(place.join("log/messages"), &unpacked).unwrap();
    fs::write(place.join("router.log"), &unpacked).unwrap();
    // As a shell on the router finds them. What is asked without a store goes to this test's daemon.
    let (program, socket) = (guarded.router.program.display(), guarded.router.broker.socket.display());
    let config = guarded.router.path("config/fwstat");
    let run = guarded.router.path("run");
    let (config, run) = (config.display(), run.display());
    let script = format!(
        r#"#!/bin/sh
case " $* " in *" --db "*) exec {program} "$@" ;; esac
case "$1" in
import) exec {program} "$@" ;;
report) case " $* " in *" --month "*) ;; *) exec {program} "$@" ;; esac ;;
# 1: something is missing on this router.
check) {program} "$@" --ubus {socket} --config {config} --run {run} || [ $? = 1 ]; exit ;;
esac
exec {program} "$@" --ubus {socket}
"#
    );
    for (name, text) in [("fwstat", script), ("logread", "#!/bin/sh\nexec cat router.log\n".to_string())] {
        fs::write(place.join(name), text).unwrap();
        fs::set_permissions(place.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let store = place.join("store");
    let in_store = |example: &str| {
        let example = example.replace("/mnt/fwstat", store.to_str().unwrap());
        let example = example.replace("--db DIR", &format!("--db {}", store.display()));
        let example = example.replace("/var/log/messages*", "log/messages*");
        let example = example.replace("tests/data/router.log.gz", log);
        example.replace("cargo run --release --", "fwstat")
    };
    let mut examples = examples();
    assert!(examples.len() > 30, "{examples:?}");
    // The store is made first, and a block is made before it is ended.
    examples.sort_by_key(|example| (!example.contains("import"), example.contains("unblock")));
    let path = format!("{}:{}", place.display(), std::env::var("PATH").unwrap());
    let mut failed = Vec::new();
    for example in &examples {
        let ran = Command::new("sh")
            .args(["-ec", &in_store(example)])
            .current_dir(&place)
            .env("PATH", &path)
            .output()
            .unwrap();
        let (code, error) = (ran.status.code(), String::from_utf8_lossy(&ran.stderr).into_owned());
        if code != Some(0) || !error.is_empty() {
            failed.push(format!("{example}\n  exit code {code:?} {error}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
