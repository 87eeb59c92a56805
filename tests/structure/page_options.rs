//! The form in LuCI offers the ranges and defaults that the daemon has: its module `fwstat/options.js` is made of the
//! daemon's table of options. `FWSTAT_BLESS=1 cargo test --test structure page_options` writes it anew.

use std::path::Path;
use std::time::Duration;

use fwstat::config::Config;
use fwstat::config::options::{FLEET, GUARD, Kind, MAIN, OPTIONS, RATE_WINDOW, Row};

const MODULE: &str = "openwrt/luci-app-fwstat/htdocs/luci-static/resources/fwstat/options.js";

/// The most values that a list takes, found by trying.
fn most_values(kind: &Kind, value: &str) -> usize {
    let takes = |count: usize| {
        let values: Vec<String> = (0..count).map(|number| value.replace('#', &number.to_string())).collect();
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        kind.read(&mut Config::default(), &values).is_ok()
    };
    (1..100_000).find(|count| !takes(*count)).expect("a list has a bound") - 1
}

/// What the form checks of an option.
fn checked(kind: &Kind) -> String {
    let seconds = Duration::as_secs;
    match kind {
        Kind::Flag(_) => "kind: 'flag'".to_string(),
        Kind::Number { least, most, .. } => format!("kind: 'number', least: {least}, most: {most}"),
        Kind::Duration { least, most, .. } => {
            format!("kind: 'duration', least: {}, most: {}", seconds(least), seconds(most))
        }
        Kind::Rate { most, .. } => {
            let (least, longest) = (seconds(RATE_WINDOW.start()), seconds(RATE_WINDOW.end()));
            format!("kind: 'rate', most: {most}, window: [ {least}, {longest} ]")
        }
        Kind::Choice { words, .. } => format!("kind: 'choice', words: {}", list(words)),
        Kind::Choices { words, .. } => format!("kind: 'choices', words: {}", list(words)),
        Kind::Zones(_) => format!("kind: 'zones', most: {}", most_values(kind, "z#")),
        Kind::Text(syntax, _) if syntax.name == "optional path" => "kind: 'path', optional: true".to_string(),
        Kind::Text(syntax, _) => format!("kind: '{}'", syntax.name),
        Kind::Prefixes(_) => format!("kind: 'prefixes', most: {}", most_values(kind, "2001:db8:#::/48")),
    }
}

fn list(words: &[&str]) -> String {
    if words.is_empty() {
        return "[]".to_string();
    }
    format!("[ {} ]", words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(", "))
}

fn line(row: &Row) -> String {
    let default = if row.kind.is_list() { list(row.default) } else { format!("'{}'", row.default.join(" ")) };
    format!("\t\t{}: {{ {}, 'default': {default} }}", row.name, checked(&row.kind))
}

fn section(name: &str) -> String {
    let rows: Vec<String> = OPTIONS.iter().filter(|row| row.section == name).map(line).collect();
    format!("\t{name}: {{\n{}\n\t}}", rows.join(",\n"))
}

#[test]
fn the_form_has_the_ranges_and_defaults_of_the_table() {
    let wanted = format!(
        "'use strict';\n'require baseclass';\n\n/* Made of the daemon's table of options by tests/structure/page_options.rs: do not \
         change it here. Times in seconds. */\n\nreturn baseclass.extend({{\n{},\n{},\n{}\n}});\n",
        section(MAIN),
        section(GUARD),
        section(FLEET)
    );
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(MODULE);
    if std::env::var_os("FWSTAT_BLESS").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), wanted, "see the head of this file");
}
