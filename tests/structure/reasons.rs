//! Every reason why an answer is incomplete has its words in Japanese.

use std::fs;
use std::path::{Path, PathBuf};

use fwstat::output::month_report::Language;

/// Where reasons stand: the folder or file, and what is before the text.
const PLACES: &[(&str, &str)] = &[
    ("query", "reasons.add("),
    ("query", ".add(format!("),
    ("query", ".push(format!("),
    ("query", "Problem::NotFound, "),
    ("query", "not_found("),
    ("query", "NO_DATABASE: &str = "),
    ("", "add_reason("),
    ("live/open_day.rs", "fn taken_for_copies(lines: u64) -> String {"),
    ("daemon/counters.rs", "Some(format!("),
    ("daemon/core/inputs.rs", "reasons.push("),
    ("daemon/ruleset", " add("),
    ("daemon/ruleset", "Some(name) => format!("),
    ("daemon/ruleset", "None => format!("),
    ("config/exposure.rs", "by: "),
    ("config/exposure.rs", "Some(name) => format!("),
    ("config/exposure.rs", "None => format!("),
    ("store", "Damaged("),
    ("store/container.rs", "Err("),
    ("store/container.rs", ".ok_or("),
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

/// Whether there are English words beside names.
fn has_english(text: &str) -> bool {
    let names = ["fwstat", "drop_invalid", "syn_flood", "db"];
    let words = text.split(|c: char| !c.is_ascii_lowercase() && c != '_');
    words.into_iter().any(|word| word.len() > 1 && !names.contains(&word))
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
    let english: Vec<(String, String)> = reasons
        .into_iter()
        .map(|reason| (Language::Japanese.sentences(&reason), reason))
        .filter(|(japanese, _)| has_english(japanese))
        .collect();
    assert_eq!(english, []);
}

/// The texts of a `.po` file with their translations, with a figure for each place.
fn translations(po: &str) -> Vec<(String, String)> {
    let filled = |text: &str| {
        let parts: Vec<&str> = text.split("%s").collect();
        let numbers = (1..parts.len()).map(|number| number.to_string()).chain([String::new()]);
        parts.iter().zip(numbers).map(|(part, number)| format!("{part}{number}")).collect::<String>()
    };
    let entry = |entry: &str| {
        let (_, entry) = entry.split_once("msgid \"")?;
        let (english, japanese) = entry.split_once("\"\nmsgstr \"")?;
        Some((filled(english), filled(japanese.trim_end().strip_suffix('"')?)))
    };
    po.split("\n\n").filter_map(entry).collect()
}

/// The report has other spaces and parentheses than the page.
fn without_style(text: &str) -> String {
    let plain = |c| match c {
        '（' => '(',
        '）' => ')',
        '：' => ':',
        c => c,
    };
    text.chars().filter(|c| *c != ' ').map(plain).collect()
}

#[test]
fn the_report_and_the_page_translate_a_sentence_alike() {
    let po = Path::new(env!("CARGO_MANIFEST_DIR")).join("openwrt/luci-app-fwstat/po/ja/fwstat.po");
    let mut compared = 0;
    for (english, of_page) in translations(&fs::read_to_string(po).unwrap()) {
        let of_report = Language::Japanese.sentences(&english);
        if of_report != english && !has_english(&of_report) {
            assert_eq!(without_style(&of_report), without_style(&of_page), "{english}");
            compared += 1;
        }
    }
    assert!(compared >= 25, "{compared}");
}
