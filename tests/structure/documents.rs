//! README and docs: links lead to files, the README stays short, and every option stands in its table.

use std::fs;
use std::path::{Path, PathBuf};

use fwstat::config::options::{KINDS, OPTIONS};
use fwstat::event::Class;
use fwstat::output::blobmsg::METHODS;

const README_LINES: usize = 120;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Markdown files of the project.
fn documents() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in ["", "docs", "fleet", "openwrt", "tests"] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn links_lead_to_files() {
    let mut broken = Vec::new();
    let mut links = 0;
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        for (_, rest) in text.match_indices("](").map(|(at, _)| text.split_at(at + 2)) {
            let Some((target, _)) = rest.split_once(')') else { continue };
            if target.contains("://") || target.starts_with('#') {
                continue;
            }
            let file = target.split('#').next().unwrap();
            links += 1;
            if !document.parent().unwrap().join(file).exists() {
                broken.push(format!("{}: {target}", document.display()));
            }
        }
    }
    assert!(links > 20, "{links} links");
    assert_eq!(broken, Vec::<String>::new());
}

/// Whoever calls a method finds its arguments in one place.
#[test]
fn every_method_and_argument_of_the_bus_is_described() {
    let text = fs::read_to_string(root().join("docs/UBUS.md")).unwrap();
    let (_, methods) = text.split_once("\n## Queries\n").unwrap();
    let (methods, _) = methods.split_once("\n## Events\n").unwrap();
    let common: Vec<&str> = text.lines().filter(|line| line.starts_with("Common arguments are ")).collect();
    for (method, arguments) in METHODS {
        let rows: Vec<&str> = methods
            .lines()
            .filter(|line| line.starts_with("| ") && in_code(first_cell(line)).contains(method))
            .collect();
        let [row] = rows[..] else { panic!("{method}: {rows:?}") };
        let described = match row.split('|').nth(2) {
            Some(cell) if cell.contains("common") => format!("{cell}{}", common.concat()),
            cell => cell.unwrap_or_default().to_string(),
        };
        let mut missing: Vec<&str> = arguments.iter().copied().flatten().map(|(name, _)| *name).collect();
        missing.retain(|name| !in_code(&described).contains(name));
        assert_eq!(missing, [""; 0], "of {method}: {described}");
    }
}

/// The names that `pattern` precedes in a source file: what is between it and the first character of no name.
fn names_after<'t>(text: &'t str, pattern: &str) -> Vec<&'t str> {
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let names = text.match_indices(pattern).map(|(at, _)| &text[at + pattern.len()..]);
    names.map(|rest| rest.split(|letter| !is_name(letter)).next().unwrap()).collect()
}

/// Every key of an answer and every Prometheus metric is described, and no other metric.
#[test]
fn every_key_and_metric_is_described() {
    let source = |path: &str| fs::read_to_string(root().join("src").join(path)).unwrap();
    let text = source("../docs/UBUS.md");
    let words: Vec<&str> =
        text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').collect();
    let mut keys = 0;
    for path in ["answer.rs", "answer/status.rs"] {
        for line in source(&format!("query/{path}")).lines().filter(|line| line.contains(": ")) {
            let Some(key) = line.strip_prefix("        pub ").and_then(|rest| rest.split(':').next()) else {
                continue;
            };
            keys += 1;
            let is_flattened = line.contains("= Flatten");
            assert!(is_flattened || words.contains(&key), "docs/UBUS.md does not describe {key} of {path}");
        }
    }
    assert!(keys > 150, "{keys} keys");
    for class in Class::ALL {
        assert!(words.contains(&class.name()), "docs/UBUS.md does not describe {} of classes", class.name());
    }
    let prometheus = source("output/prometheus.rs");
    let mut metrics = names_after(&prometheus, "\"fwstat_");
    let mut described = names_after(&text, "`fwstat_");
    assert!(metrics.len() > 15, "{metrics:?}");
    for names in [&mut metrics, &mut described] {
        names.sort_unstable();
        names.dedup();
    }
    assert_eq!(metrics, described);
}

fn first_cell(row: &str) -> &str {
    row.split('|').nth(1).unwrap_or_default()
}

/// The words in code quotes.
fn in_code(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// Paths of the repository in code quotes, such as `tests/run` or `src/query/answer.rs`.
#[test]
fn named_files_exist() {
    let mut missing = Vec::new();
    let mut named = 0;
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        for quoted in text.split('`').skip(1).step_by(2) {
            let path = quoted.split([' ', '#']).next().unwrap();
            let is_ours = ["src/", "tests/", "docs/", "openwrt/", "files/", "fleet/"]
                .iter()
                .any(|folder| path.starts_with(folder));
            // Made by a command, or a pattern.
            if !is_ours || path.contains("/.") || path.contains(['*', '<', '{', '$', '\n']) {
                continue;
            }
            named += 1;
            let beside = document.parent().unwrap();
            if !root().join(path).exists() && !beside.join(path).exists() {
                missing.push(format!("{}: {path}", document.display()));
            }
        }
    }
    assert!(named > 40, "{named} paths");
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn the_readme_is_short_and_lists_every_document() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let lines = readme.lines().count();
    assert!(lines <= README_LINES, "README.md has {lines} lines");
    for document in documents() {
        let path = document.strip_prefix(root()).unwrap().to_str().unwrap();
        if path != "README.md" && path != "CHANGELOG.md" {
            assert!(readme.contains(&format!("]({path})")), "README.md does not name {path}");
        }
    }
}

/// The table of the options of one section.
fn table(section: &str) -> String {
    let mut text = "| option | default | value | meaning |\n|---|---|---|---|\n".to_string();
    for row in OPTIONS.iter().filter(|row| row.section == section) {
        let kind = if row.kind.is_list() { "list" } else { "option" };
        let default =
            if row.default.is_empty() { String::new() } else { format!("`{}`", row.default.join("` `")) };
        let (value, meaning) = (row.kind.expected(), row.meaning.replace('|', "\\|"));
        text += &format!("| `{kind} {}` | {default} | {value} | {meaning} |\n", row.name);
    }
    text
}

/// `docs/CONFIGURATION.md` has every option as the program reads it; `FWSTAT_BLESS=1` writes the tables anew.
#[test]
fn the_options_are_documented() {
    let path = root().join("docs/CONFIGURATION.md");
    let text = fs::read_to_string(&path).unwrap();
    let mut wanted = text.clone();
    for section in KINDS {
        let (begin, end) = (format!("<!-- options of {section} -->\n"), format!("<!-- end of {section} -->"));
        let (before, rest) = wanted.split_once(&begin).expect(&begin);
        let (_, after) = rest.split_once(&end).expect(&end);
        wanted = format!("{before}{begin}{}{end}{after}", table(section));
    }
    if std::env::var_os("FWSTAT_BLESS").is_some() {
        fs::write(&path, &wanted).unwrap();
    } else {
        assert_eq!(
            text, wanted,
            "FWSTAT_BLESS=1 cargo test --test structure writes docs/CONFIGURATION.md anew"
        );
    }
}

/// Each option stands in the installed configuration, with its default.
#[test]
fn the_installed_configuration_has_every_option() {
    let text = fs::read_to_string(root().join("files/etc/config/fwstat")).unwrap();
    let lines: Vec<&str> = text.lines().map(|line| line.trim().trim_start_matches("# ")).collect();
    for row in OPTIONS {
        let kind = if row.kind.is_list() { "list" } else { "option" };
        let has = |value: &str| lines.contains(&format!("{kind} {} '{value}'", row.name).as_str());
        let any = lines.iter().any(|line| line.starts_with(&format!("{kind} {} ", row.name)));
        assert!(any && row.default.iter().all(|value| has(value)), "{} {:?}", row.name, row.default);
    }
}
