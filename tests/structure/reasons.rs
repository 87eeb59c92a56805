//! Every reason why an answer is incomplete has its words in Japanese.

use std::fs;
use std::path::{Path, PathBuf};

use fwstat::output::month_report::Language;

/// Where reasons stand: the folder or file, and what is before the text.
const PLACES: &[(&str, &str)] = &[
    ("query", "reasons.add("),
    ("query", ".add(format!("),
    ("query", ".push(format!("),
    ("query", "NotFound("),
    ("query", "not_found("),
    ("query", "NO_DATABASE: &str = "),
    ("", "add_reason("),
    ("live/open_day.rs", "fn taken_for_copies(lines: u64) -> String {"),
    ("daemon/counters.rs", "Some(format!("),
    ("daemon/core/inputs.rs", "reasons.push("),
    ("daemon/ruleset", "places.add("),
    ("daemon/ruleset", "Some(name) => format!("),
    ("daemon/ruleset", "None => format!("),
    ("config/exposure.rs", "by: "),
    ("config/exposure.rs", "Some(name) => format!("),
    ("config/exposure.rs", "None => format!("),
    ("store", "Damaged("),
    ("store/files.rs", "let sentence = format!("),
    ("store/files.rs", "note_damage(name, "),
    ("store/files.rs", "StoreError::Newer { file, version } => write!("),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => sources(&path, found),
            false => found.push(path),
        }
    }
}

/// The text in quotes that follows at once, with a figure for each place in it but those of other words.
fn quoted(code: &str) -> Option<String> {
    let code = code.trim_start();
    let code = code.strip_prefix("format!(").or_else(|| code.strip_prefix("f,")).unwrap_or(code).trim_start();
    let code = code.strip_prefix('"')?;
    let (mut text, mut rest) = (String::new(), code.chars());
    loop {
        match rest.next()? {
            '"' => return Some(text),
            '\\' => match rest.next()? {
                '\n' => rest = rest.as_str().trim_start().chars(),
                other => text.push(other),
            },
            '{' => {
                let name: String = rest.by_ref().take_while(|c| *c != '}').collect();
                text.push_str(match name.as_str() {
                    "kind" => "rule",
                    "most" => "",
                    _ => "7",
                });
            }
            other => text.push(other),
        }
    }
}

#[test]
fn no_reason_is_left_in_english() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    let mut reasons = Vec::new();
    for (place, before) in PLACES {
        let count = reasons.len();
        for path in files.iter().filter(|path| path.starts_with(src.join(place))) {
            let code = fs::read_to_string(path).unwrap();
            let code = code.split("#[cfg(test)]\nmod tests {").next().unwrap();
            if !path.to_str().unwrap().contains("tests") {
                reasons.extend(
                    code.match_indices(before).filter_map(|(at, _)| quoted(&code[at + before.len()..])),
                );
            }
        }
        assert!(reasons.len() > count, "there is no {before} with a text in src/{place}");
    }
    reasons.sort();
    reasons.dedup();
    assert!(reasons.len() > 40, "{reasons:#?}");
    // Names, and a damage that no reader gives.
    let names = ["fwstat", "drop_invalid", "syn_flood", "db"];
    let english: Vec<(String, String)> = reasons
        .into_iter()
        .map(|reason| (Language::Japanese.sentences(&reason), reason))
        .filter(|(japanese, _)| {
            let words = japanese.split(|c: char| !c.is_ascii_lowercase() && c != '_');
            words.into_iter().any(|word| word.len() > 1 && !names.contains(&word))
        })
        .collect();
    assert_eq!(english, []);
}
