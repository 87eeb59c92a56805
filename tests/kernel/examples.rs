//! Every example command of the README, the documents and `--help` runs, as it is written, with a daemon and a store.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use fwstat::cli::options::COMMANDS;

use crate::asn_mmdb::{GEOLITE2, asn_mmdb};
use crate::guarded::{Guarded, ON, run};
use crate::router::Router;

/// Commands whose examples other tests run: `tests/notify/run`, and all tests of this folder.
const ELSEWHERE: [&str; 2] = ["fwstat notify", "fwstat daemon"];

/// A call of the program, not a mention of one of its commands.
fn is_command(line: &str) -> bool {
    let Some(rest) = line.strip_prefix("fwstat ") else { return false };
    let (name, operands) = rest.split_once(' ').unwrap_or((rest, ""));
    let command = COMMANDS.iter().find(|command| command.name() == name);
    command.is_some_and(|command| command.operands().is_empty() || !operands.is_empty())
}

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
            let is_call = is_command(line) || line.contains("| fwstat ") || line.contains("cargo run");
            // Usage, not an example: a name in capitals stands for something.
            let has_placeholder = line.split([' ', '#']).take_while(|word| *word != "#").any(|word| {
                word.len() > 1 && word.bytes().all(|letter| letter.is_ascii_uppercase()) && word != "DIR"
            });
            if is_call && !has_placeholder && !line.contains("...") && !line.contains(" [--") {
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

/// The shipped log as two files, in two places, and small databases of countries and of AS numbers.
fn prepare(place: &Path) {
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/router.log.gz");
    let log = run("gzip", &["-dc", shipped]);
    let (older, newer) = log.split_at(log[..log.len() / 2].rfind('\n').unwrap() + 1);
    for (folder, name) in [("log", "messages"), (".", "router.log")] {
        fs::create_dir_all(place.join(folder)).unwrap();
        fs::write(place.join(folder).join(name), newer).unwrap();
        fs::write(place.join(folder).join(format!("{name}.1")), older).unwrap();
    }
    fs::create_dir_all(place.join("banip")).unwrap();
    fs::write(place.join("banip/banip.blocklist"), "203.0.113.0/25 # scanners\n").unwrap();
    fs::write(place.join("banip/banip.allowlist"), "192.0.2.77\n").unwrap();
    let file = |name: &str| place.join(name).to_str().unwrap().to_string();
    run("gzip", &[&file("router.log.1")]);
    fs::write(place.join("4.csv"), "100.0.0.0,100.255.255.255,JP\n").unwrap();
    fs::write(place.join("6.csv"), "2001:db8::,2001:db8::ffff,NL\n").unwrap();
    let tool = concat!(env!("CARGO_MANIFEST_DIR"), "/openwrt/fwstat-country/country-mmdb");
    run(tool, &["2026-06-17", &file("4.csv"), &file("6.csv"), &file("country.mmdb")]);
    let rows = [(0, u32::MAX.into(), 64_500, "Example Net".to_string())];
    fs::write(place.join("asn.mmdb"), asn_mmdb(&rows, GEOLITE2, 4_070_908_800)).unwrap();
}

/// Programs as a shell on the router finds them; what is asked without a store goes to this test's daemon.
fn install(place: &Path, router: &Router) {
    let (program, socket) = (router.program.display(), router.broker.socket.display());
    let (config, run) = (router.path("config/fwstat"), router.path("run"));
    let (config, run) = (config.display(), run.display());
    let script = format!(
        r#"#!/bin/sh
case " $* " in *" --db "*) exec {program} "$@" ;; esac
case "$1" in
import) exec {program} "$@" ;;
allowlist) exec {program} "$@" --config {config} ;;
report) case " $* " in *" --month "*) ;; *) exec {program} "$@" ;; esac ;;
# 1: something is missing on this router, and a sentence says so.
check) {program} "$@" --ubus {socket} --config {config} --run {run} 2> /dev/null || [ $? = 1 ]; exit ;;
esac
exec {program} "$@" --ubus {socket}
"#
    );
    // What uci is told is looked at in another test.
    let uci = format!(
        "#!/bin/sh\n{{ echo 'config guard'; sed -n 's/^add_list .*allow=/list allow /p'; }} >> {config}\n"
    );
    let others = [("logread", "#!/bin/sh\nexec cat router.log\n"), ("uci", uci.as_str())];
    for (name, text) in [("fwstat", script.as_str())].into_iter().chain(others) {
        fs::write(place.join(name), text).unwrap();
        fs::set_permissions(place.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
}

#[test]
fn every_example_runs() {
    let Some(mut guarded) = Guarded::up("examples", "", ON) else { return };
    let place = guarded.router.path("examples");
    prepare(&place);
    install(&place, &guarded.router);
    // The daemon has the months of the log, too, and countries.
    guarded.router.stop();
    let (database, log) = (guarded.router.path("db"), place.join("log/messages"));
    let program = guarded.router.program.to_str().unwrap().to_string();
    let (database, log) = (database.to_str().unwrap(), log.to_str().unwrap());
    run(&program, &["import", "--db", database, "--timezone", guarded.router.zone, log]);
    let file = |name: &str| place.join(name).display().to_string();
    let databases = [("country_database", file("country.mmdb")), ("as_database", file("asn.mmdb"))];
    let databases = databases.map(|(option, path)| format!("option {option} '{path}'"));
    guarded.configure(&databases.join("\n\t"), ON);
    guarded.start();

    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/router.log.gz");
    let here = |example: &str| {
        let example =
            example.replace("cargo run --release --", "fwstat").replace("tests/data/router.log.gz", shipped);
        let example = example
            .replace("--db DIR", "--db store")
            .replace("/mnt/fwstat", "mnt")
            .replace("/mnt/asn.mmdb", "asn.mmdb");
        example
            .replace("/var/log/", "log/")
            .replace("/etc/banip/", "banip/")
            .replace("--month 2026-10", "--month 2020-04")
    };
    let mut examples = examples();
    assert!(examples.len() > 30, "{examples:?}");
    // The stores are made first, and a block is made before it is ended.
    examples.sort_by_key(|example| (!example.contains("import"), example.contains("unblock")));
    let path = format!("{}:{}", place.display(), std::env::var("PATH").unwrap());
    let mut failed = Vec::new();
    for example in &examples {
        let mut shell = Command::new("sh");
        let ran =
            shell.args(["-ec", &here(example)]).current_dir(&place).env("PATH", &path).output().unwrap();
        let (code, error) = (ran.status.code(), String::from_utf8_lossy(&ran.stderr).into_owned());
        if code != Some(0) || !error.is_empty() {
            failed.push(format!("{example}\n  exit code {code:?} {error}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
