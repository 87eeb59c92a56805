//! The walls between the modules (design, section 10), as far as the source text tells.
//!
//! Lines of unit tests are left out: everything from `#[cfg(test)]` on, and files of tests.

use std::fs;
use std::path::{Path, PathBuf};

fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn is_test(name: &str) -> bool {
    name.ends_with("tests.rs") || name.contains("/tests/") || name == "output/golden.rs"
}

/// The code of a part of `src/`, by file, with a number for each line; comments and tests left out.
fn code(part: &str) -> Vec<(String, Vec<(usize, String)>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    files(&root, &mut paths);
    let mut code = Vec::new();
    for path in paths {
        let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_string();
        let inside = name == format!("{part}.rs") || name.starts_with(&format!("{part}/")) || part.is_empty();
        if !inside || is_test(&name) {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let lines = text.lines().enumerate().map(|(number, line)| (number + 1, line.to_string()));
        let lines = lines.take_while(|(_, line)| !line.trim_start().starts_with("#[cfg(test)]"));
        let lines = lines.filter(|(_, line)| !line.trim_start().starts_with("//"));
        code.push((name, lines.collect()));
    }
    code
}

/// Every place in these parts that has one of these words.
fn places(parts: &[&str], words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for part in parts {
        let code = code(part);
        assert!(!code.is_empty() || !Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(part).exists());
        for (name, lines) in code {
            for (number, line) in lines {
                if let Some(word) = words.iter().find(|word| has_word(&line, word)) {
                    found.push(format!("src/{name}:{number}: {word}"));
                }
            }
        }
    }
    found
}

/// `word` stands in `line` and is not the end of a longer name.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        !line[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_' || before == '"')
    })
}

const NONE: Vec<String> = Vec::new();

/// The modules of `src`, each of which uses only those behind it: there are no circles, and nothing points up.
const ORDER: [&str; 16] = [
    "cli", "daemon", "output", "live", "fleet", "input", "config", "parse", "geoip", "store", "guard",
    "ubus", "query", "stats", "event", "sys",
];

/// The modules of `src` that a line names as `crate::name` or in `crate::{name, ...}`.
fn named(line: &str) -> Vec<&str> {
    let is_name = |letter: char| letter.is_alphanumeric() || letter == '_';
    let mut names = Vec::new();
    for (at, word) in line.match_indices("crate::") {
        let rest = &line[at + word.len()..];
        let parts = rest.strip_prefix('{').map_or(vec![rest], |list| list.split(',').collect());
        names.extend(
            parts.into_iter().map(|part| part.trim().split(|letter| !is_name(letter)).next().unwrap()),
        );
    }
    names
}

#[test]
fn modules_use_only_those_below_them() {
    let floor = |name: &str| ORDER.iter().position(|known| *known == name);
    let (mut wrong, mut edges) = (Vec::new(), 0);
    for (file, lines) in code("") {
        let module = file.split('/').next().unwrap().trim_end_matches(".rs").to_string();
        if ["lib", "main"].contains(&module.as_str()) {
            continue;
        }
        let Some(own) = floor(&module) else {
            wrong.push(format!("src/{file}: '{module}' has no place in ORDER"));
            continue;
        };
        for (number, line) in lines {
            for name in named(&line) {
                // Macros of `record` stand at the top of the crate.
                let Some(other) = floor(name) else { continue };
                edges += 1;
                if other < own {
                    wrong.push(format!("src/{file}:{number}: {module} uses {name}, which stands above it"));
                }
            }
        }
    }
    assert!(edges > 300, "{edges}");
    assert_eq!(wrong, NONE);
}

#[test]
fn the_core_knows_no_clock_file_socket_or_face() {
    let words = [
        "std::fs",
        "std::io",
        "std::net::Tcp",
        "std::net::Udp",
        "std::os",
        "std::process",
        "std::env",
        "std::thread",
        "std::time::Instant",
        "std::time::SystemTime",
        "SystemTime::",
        "Instant::",
        "nix::",
        "libc::",
        "ubus",
        "serde_json",
        "println!",
        "eprintln!",
        "crate::ubus",
        "crate::output",
        "crate::sys",
        "crate::input",
        "crate::daemon",
        "crate::cli::offline",
        "crate::config",
    ];
    assert_eq!(places(&["stats", "guard", "query", "event"], &words), NONE);
}

#[test]
fn statistics_know_no_store_and_no_json() {
    let words = ["crate::store", "crate::query", "serde"];
    assert_eq!(places(&["stats"], &words), NONE);
    assert_eq!(places(&["query"], &["crate::store"]), NONE);
}

/// What is decided and what is done are apart.
#[test]
fn the_guard_knows_no_nft_and_nftables_decides_nothing() {
    assert_eq!(places(&["guard"], &["nft ", "Command", "Netlink", "netlink"]), NONE);
    let words = ["crate::live", "crate::stats", "crate::config", "crate::daemon", "crate::event"];
    assert_eq!(places(&["daemon/nft"], &words), NONE);
    assert_eq!(places(&["daemon/nft/script"], &["std::process", "std::fs", "std::io", "crate::sys"]), NONE);
}

#[test]
fn wire_is_pure_and_says_nothing() {
    let words = [
        "std::fs",
        "std::io",
        "std::os",
        "std::process",
        "std::env",
        "std::time",
        "nix::",
        "libc::",
        "println!",
        "eprintln!",
        "print!",
        "dbg!",
        "panic!",
        "unimplemented!",
        "todo!",
        "unreachable!",
        "log::",
        "crate::stats",
        "crate::store",
        "crate::query",
        "crate::output",
        "crate::input",
        "crate::sys",
        "crate::cli::offline",
        "crate::ubus",
        "crate::daemon",
    ];
    assert_eq!(places(&["parse"], &words), NONE);
    // The lines of the journal and of ulogd2 are JSON.
    let mut json = places(&["parse"], &["serde"]);
    json.retain(|place| !place.starts_with("src/parse/structured.rs:"));
    assert_eq!(json, NONE);
    let words = [".unwrap()", ".expect("];
    assert_eq!(
        places(
            &[
                "parse",
                "store/container",
                "store/codec",
                "store/sections",
                "store/month",
                "store/meta",
                "store/deferred"
            ],
            &words
        ),
        NONE
    );
}

/// Faces get answers; the tables that these are made of are nothing to them.
#[test]
fn faces_compute_no_figure() {
    let words =
        ["crate::stats", "crate::parse", "crate::event::classify", "crate::guard", "stats::", "parse::"];
    assert_eq!(places(&["output"], &words), NONE);
}

#[test]
fn the_formats_of_the_store_touch_no_disk() {
    let words = ["std::fs", "std::net::Tcp", "std::time", "std::env", "nix::"];
    assert_eq!(
        places(
            &[
                "store/container",
                "store/codec",
                "store/sections",
                "store/month",
                "store/meta",
                "store/deferred"
            ],
            &words
        ),
        NONE
    );
}

#[test]
fn unsafe_stands_in_system_only() {
    let places = places(&[""], &["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern"]);
    let outside: Vec<_> = places.into_iter().filter(|place| !place.starts_with("src/sys/")).collect();
    assert_eq!(outside, NONE);
    for (name, lines) in code("sys") {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(&name)).unwrap();
        let all: Vec<&str> = text.lines().collect();
        for (number, _) in lines.iter().filter(|(_, line)| has_word(line, "unsafe {")) {
            let before = all[number.saturating_sub(8)..*number].join("\n");
            assert!(before.contains("SAFETY:"), "src/{name}:{number}: unsafe without its reason");
        }
    }
}

/// With its tests.
#[test]
fn no_file_has_more_than_500_lines() {
    let mut paths = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut paths);
    let lines = |path: &PathBuf| fs::read_to_string(path).unwrap().lines().count();
    let long: Vec<PathBuf> = paths.into_iter().filter(|path| lines(path) > 500).collect();
    assert!(long.is_empty(), "{long:?}");
}

/// One place prints and one ends the process.
#[test]
fn only_main_speaks_and_ends() {
    let words = ["println!", "eprintln!", "std::process::exit", "process::exit"];
    let places = places(&[""], &words);
    let others: Vec<_> = places
        .into_iter()
        .filter(|place| !place.starts_with("src/main.rs") && !place.starts_with("src/daemon"))
        .collect();
    assert_eq!(others, NONE);
}
