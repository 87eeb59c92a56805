//! Commands that are executed by the running daemon.
//!
//! Takes validated arguments, calls the daemon over ubus, prints the text of the answer. Renders no table itself.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::arguments::{DEFAULT_CONFIG, DEFAULT_RUN, StoreOptions};
use super::fleet_export::{self, Range};
use super::shell::{Outcome, Result, ShellError, print_json};
use crate::daemon::{explained, is_running};
use crate::output::blobmsg;
use crate::output::cells::plain;
use crate::output::month_report::Wanted;
use crate::output::rendering::TEXT;
use crate::output::tables::Style;
use crate::query::question::{Prefix, Topic};
use crate::query::target::Target;
use crate::ubus::{self, call::CallError};

/// The usual time that `nft` takes to list the rules.
const COUNTING: Duration = Duration::from_millis(300);

impl From<CallError> for ShellError {
    fn from(error: CallError) -> ShellError {
        explained(&error, is_running(Path::new(DEFAULT_RUN))).into()
    }
}

/// Calls a method of the daemon and waits for the answer.
pub(super) fn call(socket: &Path, method: &str, arguments: &Value) -> Result<Value> {
    let seconds = match method {
        // They need the answers to several questions.
        "report" | "metrics" => 180,
        // Of networks and countries all addresses and all connections are checked.
        "block" | "block-list" | "blocks" | "guard-test" => 60,
        _ => 20,
    };
    Ok(ubus::call::call(socket, blobmsg::OBJECT, method, arguments, Duration::from_secs(seconds))?)
}

/// Asks a question and prints the answer, as JSON or as the daemon's text.
pub fn ask(
    topic: Topic,
    arguments: Map<String, Value>,
    socket: &Path,
    json: bool,
    out: &mut dyn Write,
) -> Result<Outcome> {
    if topic == Topic::Status {
        count_rules(socket)?;
    }
    let (method, mut arguments) = (topic.name(), Value::Object(arguments));
    if json {
        print_json(&call(socket, method, &arguments)?, out)?;
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
    print_text(socket, method, &arguments, out)
}

/// The report of a month of the running daemon.
pub fn month(wanted: Wanted, socket: &Path, out: &mut dyn Write) -> Result<Outcome> {
    let Wanted { month, form, language, addresses } = wanted;
    let arguments = json!({"month": month.to_string(), "format": form.name(), "lang": language.code(),
        "addresses": u8::from(addresses)});
    print_text(socket, "report", &arguments, out)
}

/// Prints the text that the daemon answers.
fn print_text(socket: &Path, method: &str, arguments: &Value, out: &mut dyn Write) -> Result<Outcome> {
    let answer = call(socket, method, arguments)?;
    let text = answer[TEXT]
        .as_str()
        .ok_or("the running fwstat is of another version than this program: /etc/init.d/fwstat restart")?;
    out.write_all(text.as_bytes())?;
    Ok(Outcome::fine())
}

/// `status` has the counters that were read last and starts a new reading, so it is called twice.
fn count_rules(socket: &Path) -> Result<()> {
    call(socket, Topic::Status.name(), &json!({}))?;
    std::thread::sleep(COUNTING);
    Ok(())
}

/// Exports batches of the running daemon's days: the daemon commits, then its store is read.
pub fn export_batches(socket: &Path, range: &Range, out: &mut dyn Write) -> Result<Outcome> {
    let done = call(socket, "commit", &json!({}))?;
    let (config, _) = crate::daemon::load(Path::new(DEFAULT_CONFIG), None);
    let mut store = StoreOptions::of(done["path"].as_str().unwrap_or_default().into());
    if Path::new(&config.country_database).exists() {
        store.countries = PathBuf::from(&config.country_database);
    }
    fleet_export::export(&store, range, Some(&config), out)
}

/// Makes the daemon write to flash now, and waits for the end.
pub fn commit(socket: &Path, out: &mut dyn Write) -> Result<()> {
    let done = call(socket, "commit", &json!({}))?;
    let path = done["path"].as_str().unwrap_or("the store");
    Ok(writeln!(out, "{} is up to date", plain(path))?)
}

/// Blocks by hand; prints the daemon's warning, if there is one.
pub fn block(
    target: Target,
    length: Option<&str>,
    reason: Option<&str>,
    socket: &Path,
    out: &mut dyn Write,
) -> Result<()> {
    let arguments =
        json!({"address": target.to_string(), "for": length, "reason": reason, "caller": caller()});
    let row = call(socket, "block", &arguments)?;
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
    call(socket, "unblock", &json!({"address": target.to_string()}))?;
    Ok(writeln!(out, "{target} is no longer blocked")?)
}

/// Prints whether the guard would block the target, and if not, why. Changes nothing.
pub fn guard_test(target: Target, socket: &Path, out: &mut dyn Write) -> Result<()> {
    let arguments = json!({"address": target.to_string()});
    let answer = call(socket, "guard-test", &arguments)?;
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
    print_text(socket, "metrics", &json!({}), out)
}
