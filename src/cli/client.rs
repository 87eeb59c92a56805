//! Commands that are executed by the running daemon.
//!
//! Takes validated arguments, calls the daemon over ubus, prints the text of the answer. Renders no table itself.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::arguments::{DEFAULT_CONFIG, DEFAULT_RUN, StoreOptions};
use super::fleet_export::{self, Range};
use super::shell::{Outcome, ShellError, print_json};
use crate::daemon::{explained, is_running};
use crate::output::blobmsg::{self, Length};
use crate::output::cells::plain;
use crate::output::month_report::Wanted;
use crate::output::rendering::TEXT;
use crate::output::tables::Style;
use crate::query::question::{Prefix, Question, Topic};
use crate::query::target::Target;
use crate::ubus::{self, call::CallError};

const LIMIT: Duration = Duration::from_secs(20);
/// Timeout of outputs that need the answers to several questions.
const SEVERAL_LIMIT: Duration = Duration::from_secs(180);
/// Timeout of requests about networks and countries, which check all their addresses and all connections.
const LIST_LIMIT: Duration = Duration::from_secs(60);
/// The usual time that `nft` takes to list the rules.
const COUNTING: Duration = Duration::from_millis(300);

impl From<CallError> for ShellError {
    fn from(error: CallError) -> ShellError {
        explained(&error, is_running(Path::new(DEFAULT_RUN))).into()
    }
}

type Result<T> = std::result::Result<T, ShellError>;

/// Calls a method of the daemon; waits for the answer at most `limit`.
pub(super) fn call(socket: &Path, method: &str, arguments: &Value, limit: Duration) -> Result<Value> {
    Ok(ubus::call::call(socket, blobmsg::OBJECT, method, arguments, limit)?)
}

/// A question's arguments, without those at their default.
fn arguments(question: &Question) -> Value {
    let default = Question::new(question.topic);
    let mut keys = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            keys.insert(name.to_string(), value);
        }
    };
    put("from", question.from.map(|date| json!(date.to_string())));
    put("to", question.to.map(|date| json!(date.to_string())));
    let class = if question.every_class { "all" } else { question.class.name() };
    // With a filter the daemon's default is every class.
    let is_default = class == default.class.name() && question.filter.is_empty();
    put("class", (!is_default).then(|| json!(class)));
    put("filter", (!question.filter.is_empty()).then(|| json!(question.filter.to_string())));
    put("protocol", question.protocol.map(|number| json!(number.to_string())));
    put("port", question.port.map(|port| json!(port)));
    let source = if question.topic == Topic::Source { "address" } else { "source" };
    put(source, question.source.map(|prefix| json!(prefix.to_string())));
    put("country", question.country.map(|code| json!(String::from_utf8_lossy(&code))));
    put("min", (question.min != default.min).then(|| json!(question.min)));
    put("limit", (question.limit != default.limit).then(|| json!(question.limit)));
    put("cursor", (question.cursor != default.cursor).then(|| json!(question.cursor)));
    Value::Object(keys)
}

/// Asks a question and prints the answer, as JSON or as the daemon's text.
pub fn ask(question: &Question, socket: &Path, json: bool, out: &mut dyn Write) -> Result<Outcome> {
    if question.topic == Topic::Status {
        count_rules(socket)?;
    }
    let (method, mut arguments) = (question.topic.name(), arguments(question));
    if json {
        print_json(&call(socket, method, &arguments, LIMIT)?, out)?;
        return Ok(Outcome::fine());
    }
    let style = Style::for_stdout();
    arguments["format"] = json!("text");
    if style.bars {
        arguments["columns"] = json!(style.width);
    }
    if style.colour {
        arguments["color"] = json!(1);
    }
    print_text(socket, method, &arguments, LIMIT, out)
}

/// The report of a month of the running daemon.
pub fn month(wanted: Wanted, socket: &Path, out: &mut dyn Write) -> Result<Outcome> {
    let Wanted { month, form, language, addresses } = wanted;
    let arguments = json!({"month": month.to_string(), "format": form.name(), "lang": language.code(),
        "addresses": u8::from(addresses)});
    print_text(socket, "report", &arguments, SEVERAL_LIMIT, out)
}

/// Prints the text that the daemon answers.
fn print_text(
    socket: &Path,
    method: &str,
    arguments: &Value,
    limit: Duration,
    out: &mut dyn Write,
) -> Result<Outcome> {
    let answer = call(socket, method, arguments, limit)?;
    match answer[TEXT].as_str() {
        Some(text) => {
            out.write_all(text.as_bytes())?;
            Ok(Outcome::fine())
        }
        None => Err(format!(
            "the running {} is of another version than this program: /etc/init.d/fwstat restart",
            blobmsg::OBJECT
        )
        .into()),
    }
}

/// `status` has the counters that were read last and starts a new reading, so it is called twice.
fn count_rules(socket: &Path) -> Result<()> {
    call(socket, Topic::Status.name(), &json!({}), LIMIT)?;
    std::thread::sleep(COUNTING);
    Ok(())
}

/// Exports batches of the running daemon's days: the daemon commits, then its store is read.
pub fn export_batches(socket: &Path, range: &Range, out: &mut dyn Write) -> Result<Outcome> {
    let done = call(socket, "commit", &json!({}), LIMIT)?;
    let (config, _) = crate::daemon::load(Path::new(DEFAULT_CONFIG), None);
    let mut store = StoreOptions::of(done["path"].as_str().unwrap_or_default().into());
    if Path::new(&config.country_database).exists() {
        store.countries = PathBuf::from(&config.country_database);
    }
    fleet_export::export(&store, range, Some(&config), out)
}

/// Makes the daemon commit and close its store. Returns the store's directory.
pub(super) fn release(socket: &Path, forget: Option<Prefix>) -> Result<PathBuf> {
    let arguments = json!({"forget": forget.map(|prefix| prefix.to_string())});
    let released = call(socket, "release", &arguments, LIMIT)?;
    match released["path"].as_str() {
        Some(path) => Ok(PathBuf::from(path)),
        None => Err("the daemon's answer names no store".into()),
    }
}

/// Makes the daemon open its store again.
pub(super) fn take_back(socket: &Path) -> Result<()> {
    call(socket, "commit", &json!({}), LIMIT)?;
    Ok(())
}

/// Makes the daemon write to flash now, and waits for the end.
pub fn commit(socket: &Path, out: &mut dyn Write) -> Result<()> {
    let done = call(socket, "commit", &json!({}), LIMIT)?;
    let path = done["path"].as_str().unwrap_or("the store");
    Ok(writeln!(out, "{} is up to date", plain(path))?)
}

/// Blocks by hand; prints the daemon's warning, if there is one.
pub fn block(
    target: Target,
    length: Length,
    reason: Option<&str>,
    socket: &Path,
    out: &mut dyn Write,
) -> Result<()> {
    let arguments =
        json!({"address": target.to_string(), "for": length.text(), "reason": reason, "caller": caller()});
    let row = call(socket, "block", &arguments, LIST_LIMIT)?;
    writeln!(out, "{target} is blocked")?;
    if let Some(warning) = row["warning"].as_str() {
        writeln!(out, "{}", plain(warning))?;
    }
    Ok(())
}

/// The client's address of this SSH session, from the environment that sshd and dropbear set.
fn caller() -> Option<String> {
    let connection = std::env::var("SSH_CONNECTION").or_else(|_| std::env::var("SSH_CLIENT")).ok()?;
    let address = connection.split_whitespace().next()?;
    Prefix::parse(address).is_ok().then(|| address.to_string())
}

/// Ends a block by hand.
pub fn unblock(target: Target, socket: &Path, out: &mut dyn Write) -> Result<()> {
    call(socket, "unblock", &json!({"address": target.to_string()}), LIMIT)?;
    Ok(writeln!(out, "{target} is no longer blocked")?)
}

/// Prints whether the guard would block the target, and if not, why. Changes nothing.
pub fn guard_test(target: Target, socket: &Path, out: &mut dyn Write) -> Result<()> {
    let arguments = json!({"address": target.to_string()});
    let answer = call(socket, "guard-test", &arguments, LIST_LIMIT)?;
    let text = |key: &str| answer[key].as_str().map(plain);
    match (text("protected_by"), text("warning")) {
        (Some(why), _) => Ok(writeln!(out, "{target} would not be blocked: {why}")?),
        (None, Some(warning)) => Ok(writeln!(out, "{target} could be blocked: {warning}")?),
        (None, None) => Ok(writeln!(out, "{target} would be blocked by the rules")?),
    }
}

/// The daemon's figures of today for Prometheus.
pub fn metrics(socket: &Path, out: &mut dyn Write) -> Result<Outcome> {
    count_rules(socket)?;
    print_text(socket, "metrics", &json!({}), SEVERAL_LIMIT, out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Class;

    #[test]
    fn only_what_was_asked_goes_over_the_bus() {
        assert_eq!(arguments(&Question::new(Topic::Summary)), json!({}));
        let question = Question {
            port: Some(23),
            protocol: Some(6),
            limit: 5,
            source: Prefix::parse("192.0.2.0/24").ok(),
            from: crate::event::calendar::Date::parse("2026-01-02"),
            class: Class::Login,
            ..Question::new(Topic::Hours)
        };
        let expected = json!({"port": 23, "protocol": "6", "limit": 5, "source": "192.0.2.0/24",
            "from": "2026-01-02", "class": "login"});
        assert_eq!(arguments(&question), expected);
        let source = Question { source: Prefix::parse("::1").ok(), ..Question::new(Topic::Source) };
        assert_eq!(arguments(&source), json!({"address": "::1"}));
    }
}
