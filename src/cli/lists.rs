//! The block list and the allow list as text: one address or prefix a line, `#` begins a comment, as in banIP's local
//! lists.
//!
//! Takes files, gives lists, calls of the daemon or changes of the configuration by `uci`. Removes no entry.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::client::call;
use super::offline::cannot;
use super::shell::{Outcome, Result, ShellError};
use super::upkeep::replace;
use crate::config::Config;
use crate::config::options::{GUARD, MAX_PREFIXES};
use crate::config::uci;
use crate::output::blobmsg::FOREVER;
use crate::output::cells::plain;
use crate::query::question::{MAX_LIMIT, Prefix};
use crate::query::target::Target;

/// The longest file; a longer one is refused.
const MAX_BYTES: u64 = 1 << 20;
/// The daemon takes calls of up to 8 KB.
const ENTRIES_PER_CALL: usize = 128;
/// Most lines that are reported; the others are counted.
const MAX_NAMED: usize = 20;
const RELOAD: &str = "/etc/init.d/fwstat";

/// The action on a list.
#[derive(Clone, PartialEq, Debug)]
pub enum Action {
    /// Prints it.
    Print,
    /// Adds the addresses of this file to the list.
    Import(PathBuf),
    /// Adds the entries that this file lacks to the file.
    Append(PathBuf),
}

/// The entries of a list, and a sentence about each invalid line.
fn read_list<T>(text: &str, read: impl Fn(&str) -> std::result::Result<T, String>) -> (Vec<T>, Vec<String>) {
    let (mut entries, mut wrong) = (Vec::new(), Vec::new());
    for (number, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default();
        let Some(word) = line.split_whitespace().next() else { continue };
        match read(word) {
            Ok(entry) => entries.push(entry),
            Err(why) => wrong.push(format!("line {} is left out: {why}", number + 1)),
        }
    }
    (entries, wrong)
}

fn read_file(path: &Path) -> Result<String> {
    let size = fs::metadata(path).map_err(cannot("read", path))?.len();
    if size > MAX_BYTES {
        return Err(format!("{} has {size} bytes: more than a list may have", path.display()).into());
    }
    let bytes = fs::read(path).map_err(cannot("read", path))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn named(mut sentences: Vec<String>) -> Vec<String> {
    let more = sentences.len().saturating_sub(MAX_NAMED);
    sentences.truncate(MAX_NAMED);
    if more > 0 {
        sentences.push(format!("and {more} more"));
    }
    sentences
}

/// Appends the entries that a file lacks. Its other lines are not changed.
fn append(path: &Path, entries: &[String], out: &mut dyn Write) -> Result<Outcome> {
    let before = if path.exists() { read_file(path)? } else { String::new() };
    let read = |word: &str| Ok(Target::parse(word).map_or_else(|_| word.into(), |one| one.to_string()));
    let (known, _) = read_list(&before, read);
    let new: Vec<&String> = entries.iter().filter(|entry| !known.contains(entry)).collect();
    if !new.is_empty() {
        let mut text = before;
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        new.iter().for_each(|entry| text.extend([entry.as_str(), "\n"]));
        let write = |file: &mut File| {
            if let Ok(before) = fs::metadata(path) {
                file.set_permissions(before.permissions())?;
            }
            file.write_all(text.as_bytes())
        };
        replace(path, 0o666, write).map_err(cannot("write", path))?;
    }
    writeln!(out, "{} lines were added to {}", new.len(), plain(&path.display().to_string()))?;
    Ok(Outcome::fine())
}

/// Prints the entries, one a line.
fn print(entries: &[String], out: &mut dyn Write) -> Result<Outcome> {
    entries.iter().try_for_each(|entry| writeln!(out, "{entry}"))?;
    Ok(Outcome::fine())
}

/// The blocks of the running daemon: those by hand, or `all`.
fn blocked(socket: &Path, all: bool) -> Result<Vec<String>> {
    let (mut entries, mut cursor) = (Vec::new(), 0);
    loop {
        let answer = call(socket, "blocks", &json!({"limit": MAX_LIMIT, "cursor": cursor}))?;
        let rows = answer["blocks"].as_array().cloned().unwrap_or_default();
        let wanted = rows.iter().filter(|row| all || row["rule"] == "manual");
        let addresses = wanted.filter(|row| row["dry"] != true).filter_map(|row| row["address"].as_str());
        let targets = addresses.filter_map(|address| Target::parse(address).ok());
        entries.extend(targets.map(|target| target.to_string()));
        match answer["cursor"].as_u64().filter(|next| *next > cursor) {
            Some(next) => cursor = next,
            None => break,
        }
    }
    entries.sort_unstable();
    entries.dedup();
    Ok(entries)
}

/// Prints, imports or appends the blocks of the running daemon.
pub fn block_list(
    action: &Action,
    all: bool,
    length: Option<&str>,
    socket: &Path,
    out: &mut dyn Write,
) -> Result<Outcome> {
    let is_country = |entry: &String| matches!(Target::parse(entry), Ok(Target::Country(_)));
    match action {
        Action::Print => print(&blocked(socket, all)?, out),
        Action::Append(path) => {
            // Other programs cannot read countries there.
            let (countries, entries): (Vec<_>, Vec<_>) =
                blocked(socket, all)?.into_iter().partition(is_country);
            let mut outcome = append(path, &entries, out)?;
            outcome.notes.extend(countries.iter().map(|code| format!("the country {code} is left out")));
            Ok(outcome)
        }
        Action::Import(path) => {
            let (targets, wrong) = read_list(&read_file(path)?, Target::parse);
            let (mut count, mut notes, mut failures) = (0, wrong, Vec::new());
            for some in targets.chunks(ENTRIES_PER_CALL) {
                let list: Vec<String> = some.iter().map(Target::to_string).collect();
                let arguments = json!({"list": list.join("\n"), "for": length.unwrap_or(FOREVER)});
                let answer = match call(socket, "block-list", &arguments) {
                    Ok(answer) => answer,
                    // Those before are blocked.
                    Err(ShellError::Failure(why)) if count > 0 => {
                        failures.push(why);
                        break;
                    }
                    Err(error) => return Err(error),
                };
                count += answer["blocked"].as_u64().unwrap_or(0);
                let refusals = answer["refusals"].as_array().cloned().unwrap_or_default();
                let text = |value: &Value| plain(value.as_str().unwrap_or_default());
                let refused = |row: &Value| {
                    format!("{} is not blocked: {}", text(&row["address"]), text(&row["because"]))
                };
                notes.extend(refusals.iter().map(refused));
                let more = answer["refused"].as_u64().unwrap_or(0).saturating_sub(refusals.len() as u64);
                if more > 0 {
                    notes.push(format!("{more} more are not blocked"));
                }
            }
            writeln!(out, "{count} addresses and networks are blocked")?;
            Ok(Outcome { failures, notes: named(notes) })
        }
    }
}

/// The option `allow` of the configuration.
pub fn allow_list(action: &Action, config: &Path, out: &mut dyn Write) -> Result<Outcome> {
    let allow = Config::parse(&config.display().to_string(), &read_file(config)?).0.guard.allow;
    let entries: Vec<String> = allow.iter().map(Prefix::to_string).collect();
    match action {
        Action::Print => print(&entries, out),
        Action::Append(path) => append(path, &entries, out),
        Action::Import(path) => {
            let (prefixes, wrong) = read_list(&read_file(path)?, Prefix::parse);
            let mut new: Vec<Prefix> = Vec::new();
            for prefix in prefixes {
                if !allow.contains(&prefix) && !new.contains(&prefix) {
                    new.push(prefix);
                }
            }
            if allow.len() + new.len() > MAX_PREFIXES {
                let (count, known) = (new.len(), allow.len());
                return Err(format!(
                    "the allow list has at most {MAX_PREFIXES} entries: it has {known}, and {count} are new; it is not \
                     changed"
                )
                .into());
            }
            if !new.is_empty() {
                add_to_config(config, &new)?;
            }
            writeln!(out, "{} addresses and networks were added to the allow list", new.len())?;
            Ok(Outcome::with_notes(named(wrong)))
        }
    }
}

/// With `uci`; then reloads the service.
fn add_to_config(config: &Path, prefixes: &[Prefix]) -> Result<()> {
    let failed = |error: io::Error| format!("cannot run uci, which changes the configuration: {error}");
    let directory = config.parent().unwrap_or(Path::new("/etc/config"));
    let package = config.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut batch = Command::new("uci");
    batch.arg("-c").arg(directory).arg("batch").stdin(Stdio::piped());
    let mut child = batch.spawn().map_err(failed)?;
    let mut script = String::new();
    for prefix in prefixes {
        // A section without a name, too.
        script.push_str(&format!("add_list {package}.@{GUARD}[0].allow='{prefix}'\n"));
    }
    script.push_str(&format!("commit {package}\n"));
    if let Some(mut input) = child.stdin.take() {
        input.write_all(script.as_bytes()).map_err(failed)?;
    }
    child.wait().map_err(failed)?;
    // It ends with 0 after errors, too.
    let (sections, _) = uci::parse(&read_file(config)?);
    let guard = sections.iter().filter(|section| section.kind == GUARD);
    let allow: Vec<&str> = guard.flat_map(|section| section.words("allow")).collect();
    if !prefixes.iter().all(|prefix| allow.contains(&prefix.to_string().as_str())) {
        return Err(
            format!("uci did not add them to {}: the allow list is not changed", config.display()).into()
        );
    }
    if Path::new(RELOAD).exists() {
        Command::new(RELOAD).arg("reload").status().map_err(cannot("run", Path::new(RELOAD)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_blank_lines_are_skipped_and_other_lines_are_named() {
        let text = "# a list\n198.51.100.7 # why\n\n  2001:db8::/32  x\nexample.org\n00:11:22:33:44:55\n";
        let (entries, wrong) = read_list(text, Target::parse);
        let shown: Vec<String> = entries.iter().map(Target::to_string).collect();
        assert_eq!(shown, ["198.51.100.7", "2001:db8::/32"]);
        assert_eq!(wrong.len(), 2);
        assert_eq!(wrong[0], "line 5 is left out: 'example.org' is no IPv4 or IPv6 address or prefix");
        assert_eq!(named(vec![String::new(); 25]).last().unwrap(), "and 5 more");
    }

    #[test]
    fn more_than_the_allow_list_can_have_is_refused_at_once() {
        let folder = std::env::temp_dir().join(format!("fwstat-allow-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (config, list) = (folder.join("fwstat"), folder.join("list"));
        let before = "config guard 'guard'\n\tlist allow '192.0.2.1'\n";
        fs::write(&config, before).unwrap();
        let lines = (1..=1024).map(|number| format!("198.18.{}.{}\n", number >> 8, number & 255));
        fs::write(&list, lines.collect::<String>()).unwrap();
        let Err(ShellError::Failure(error)) = allow_list(&Action::Import(list), &config, &mut Vec::new())
        else {
            panic!("imported")
        };
        let because =
            "the allow list has at most 1024 entries: it has 1, and 1024 are new; it is not changed";
        assert_eq!(error, because);
        assert_eq!(fs::read_to_string(&config).unwrap(), before);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_a_file_has_stays_and_what_it_lacks_is_added_once() {
        let path = std::env::temp_dir().join(format!("fwstat-list-{}", std::process::id()));
        fs::write(&path, "# mine\nexample.org\n198.51.100.7").unwrap();
        let entries = ["198.51.100.7".to_string(), "203.0.113.0/24".to_string()];
        for _ in 0..2 {
            assert!(append(&path, &entries, &mut Vec::new()).is_ok());
            let text = fs::read_to_string(&path).unwrap();
            assert_eq!(text, "# mine\nexample.org\n198.51.100.7\n203.0.113.0/24\n");
        }
        fs::remove_file(&path).unwrap();
    }
}
