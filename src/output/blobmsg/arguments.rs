//! The arguments of a call -> a validated question or command. A bad one refuses the call.
//!
//! Arguments that a method does not declare are ignored.

use std::borrow::Cow;

use ubus::blobmsg::{BlobIter, BlobRef, BlobType, BlobValue};

use super::{BlockArguments, BusCommand, Length};
use crate::config::options;
use crate::event::calendar::Month;
use crate::output::month_report::{Form, Language, MonthReport, Wanted};
use crate::output::rendering::Rendering;
use crate::output::tables::{Style, counted};
use crate::query::question::{Prefix, Question, Topic, number};
use crate::query::target::{MAX_NETWORKS, Target};
use crate::ubus::blob::{Arguments, text_of};

/// The length of a block that lasts until it is unblocked.
pub const FOREVER: &str = "forever";
/// The argument that uhttpd adds to every call.
const SESSION: &str = "ubus_rpc_session";
/// The longest reason of a block, in bytes.
pub const MAX_REASON: usize = 200;

/// The question of a call; the error names the argument.
pub(super) fn question(topic: Topic, declared: &[Arguments<'_>], data: &[u8]) -> Result<Rendering, String> {
    let mut question = Question::new(topic);
    let (mut has_class, mut is_table, mut style) = (false, false, Style::PLAIN);
    for_each(declared, data, |name, argument| {
        has_class |= name == "class";
        match name {
            "format" if text(argument)? == "text" => is_table = true,
            "format" => return Err(String::from("must be text")),
            "columns" => {
                let (least, most) = Style::COLUMNS.into_inner();
                style.width = integer(argument, least as u64, most as u64)? as usize;
                style.bars = true;
            }
            "color" => style.colour = is_set(argument)?,
            _ => question.set(name, &text_or_number(argument)?)?,
        }
        Ok(())
    })?;
    question.check(has_class)?;
    style.counted = counted(question.class);
    Ok(if is_table { Rendering::Table(question, style) } else { Rendering::Record(question) })
}

/// The report of a month.
pub(super) fn report(declared: &[Arguments<'_>], data: &[u8]) -> Result<Rendering, String> {
    let (mut month, mut form, mut language, mut addresses) = (None, Form::Text, Language::English, false);
    for_each(declared, data, |name, argument| {
        match name {
            "month" => month = Some(Month::parse(text(argument)?).ok_or("must be a month, YYYY-MM")?),
            "format" => form = Form::from_name(text(argument)?).ok_or("must be text or html")?,
            "lang" => language = Language::from_name(text(argument)?).ok_or("must be en or ja")?,
            "addresses" => addresses = is_set(argument)?,
            _ => {}
        }
        Ok(())
    })?;
    let month = month.ok_or("month: a month is needed, YYYY-MM")?;
    Ok(Rendering::Report(Box::new(MonthReport::new(Wanted { month, form, language, addresses }))))
}

/// The command of a call; the error names the argument.
pub(super) fn command(method: &str, declared: &[Arguments<'_>], data: &[u8]) -> Result<BusCommand, String> {
    let (mut targets, mut length, mut reason) = (None, Length::Default, None);
    let (mut caller, mut through_web, mut forget) = (None, false, None);
    for_each(declared, data, |name, argument| {
        match name {
            "address" => targets = Some(vec![Target::parse(text(argument)?)?]),
            "list" => targets = Some(list(text(argument)?)?),
            "for" if text(argument)? == FOREVER => length = Length::Forever,
            "for" => length = Length::Seconds(parse_duration(text(argument)?)?),
            "reason" => reason = Some(self::reason(text(argument)?)?),
            "caller" => caller = Some(Prefix::parse(text(argument)?)?),
            "forget" => forget = Some(Prefix::parse(text(argument)?)?),
            SESSION => through_web = true,
            _ => {}
        }
        Ok(())
    })?;
    let is_list = method == "block-list";
    let needed = match method {
        "commit" => return Ok(BusCommand::Commit),
        "release" => return Ok(BusCommand::Release(forget)),
        "block-list" => "list: addresses and prefixes are needed, one a line",
        _ => "address: an IPv4 or IPv6 address or prefix, or a country's letters, are needed",
    };
    let targets = targets.ok_or(needed)?;
    Ok(match (method, &targets[..]) {
        ("guard-test", [target]) => BusCommand::GuardTest(*target),
        ("unblock", [target]) => BusCommand::Unblock(*target),
        _ => BusCommand::Block(BlockArguments { targets, is_list, length, reason, caller, through_web }),
    })
}

/// One address or prefix a line, `#` begins a comment.
fn list(text: &str) -> Result<Vec<Target>, String> {
    let mut targets = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        if targets.len() >= MAX_NETWORKS {
            return Err(format!("must have at most {MAX_NETWORKS} addresses and prefixes"));
        }
        targets.push(Target::parse(line).map_err(|wrong| format!("line {}: {wrong}", number + 1))?);
    }
    Ok(targets)
}

/// Visits every declared argument, and [`SESSION`]; of a repeated one the last. The error starts with the argument's
/// name.
fn for_each(
    declared: &[Arguments<'_>],
    data: &[u8],
    mut each: impl FnMut(&str, &BlobRef<'_>) -> Result<(), String>,
) -> Result<(), String> {
    let is_known = |name: &&str| {
        *name == SESSION || declared.iter().copied().flatten().any(|(declared, _)| declared == name)
    };
    let mut arguments = BlobIter::new(data);
    while let Some(argument) = arguments.try_next().map_err(|_| "the arguments are malformed")? {
        if let Some(name) = argument.name.filter(is_known) {
            each(name, &argument).map_err(|wrong| format!("{name}: {wrong}"))?;
        }
    }
    Ok(())
}

fn text<'a>(argument: &BlobRef<'a>) -> Result<&'a str, String> {
    if argument.ty != BlobType::String {
        return Err(String::from("must be text"));
    }
    std::str::from_utf8(text_of(argument.payload)).map_err(|_| String::from("is no UTF-8 text"))
}

/// A text, or a number as text: uhttpd and the shell pass numbers in different types.
fn text_or_number<'a>(argument: &BlobRef<'a>) -> Result<Cow<'a, str>, String> {
    Ok(Cow::Owned(match argument.value().map_err(|_| "is malformed")? {
        BlobValue::Int8(number) => number.to_string(),
        BlobValue::Int16(number) => number.to_string(),
        BlobValue::Int32(number) => number.to_string(),
        BlobValue::Int64(number) => number.to_string(),
        BlobValue::Double(number) => number.to_string(),
        BlobValue::String(_) => return text(argument).map(Cow::Borrowed),
        _ => return Err(String::from("must be text or a number")),
    }))
}

fn integer(argument: &BlobRef<'_>, least: u64, most: u64) -> Result<u64, String> {
    let number = text_or_number(argument).ok().and_then(|text| number(&text));
    let number = number.filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| format!("must be a whole number from {least} to {most}"))
}

fn is_set(argument: &BlobRef<'_>) -> Result<bool, String> {
    Ok(integer(argument, 0, 1)? == 1)
}

/// `90`, `90s`, `30m`, `1h`, `7d`, `2w` in seconds, from a second to ten years.
pub fn parse_duration(text: &str) -> Result<u64, String> {
    options::duration(text)
        .map(|duration| duration.as_secs())
        .filter(|seconds| (1..=315_360_000).contains(seconds))
        .ok_or_else(|| String::from("must be a time such as 90s, 30m, 1h or 7d"))
}

/// The reason of a block.
pub fn reason(text: &str) -> Result<String, String> {
    if text.len() > MAX_REASON || text.chars().any(char::is_control) {
        return Err(format!("must be one line of at most {MAX_REASON} bytes"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::{CheckedCall, read_call};
    use super::*;
    use crate::event::Class;
    use crate::event::calendar::Date;
    use crate::query::filter::Filter;
    use crate::ubus::blob::table as from_value;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn ask(method: &str, arguments: Value) -> Result<CheckedCall, String> {
        read_call(method, from_value(&arguments).contents()).expect("a method of ours")
    }

    fn asked(method: &str, arguments: Value) -> Question {
        match ask(method, arguments).unwrap() {
            CheckedCall::Rendering(Rendering::Record(question)) => question,
            other => panic!("{other:?}"),
        }
    }

    fn commanded(method: &str, arguments: Value) -> BusCommand {
        match ask(method, arguments).unwrap() {
            CheckedCall::Command(command) => command,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn all_classes_can_be_asked_of_events_only() {
        let recent = asked("recent", json!({"class": "all"}));
        assert!(recent.every_class && recent.class == Class::Attempt);
        assert!(ask("services", json!({"class": "all"})).is_err());
        assert!(!asked("recent", json!({"class": "noise"})).every_class);
        let filtered = asked("recent", json!({"filter": "!port:23"}));
        assert!(filtered.every_class && filtered.filter == Filter::parse("!port:23").unwrap());
        assert!(!asked("recent", json!({"filter": "x", "class": "login"})).every_class);
    }

    #[test]
    fn days_of_services_are_asked_for_by_1() {
        assert!(asked("services", json!({"daily": 1})).daily);
        assert!(!asked("services", json!({"daily": 0})).daily && !asked("services", json!({})).daily);
        assert_eq!(ask("services", json!({"daily": 2})).unwrap_err(), "daily: '2' is not 0 or 1");
        assert!(!asked("sources", json!({"daily": 1})).daily);
    }

    #[test]
    fn every_argument_reaches_the_question() {
        let question = asked(
            "services",
            json!({"from": "2026-01-01", "to": "2026-01-31", "class": "login", "protocol": "TCP", "port": 23,
                   "source": "192.0.2.0/24", "country": "jp", "min": 100, "limit": 1000,
                   "ubus_rpc_session": "00000000000000000000000000000000", "cursor": "ignored here"}),
        );
        let expected = Question {
            from: Date::from_ymd(2026, 1, 1),
            to: Date::from_ymd(2026, 1, 31),
            class: Class::Login,
            protocol: Some(6),
            port: Some(23),
            source: Some(Prefix::parse("192.0.2.0/24").unwrap()),
            country: Some(*b"JP"),
            min: 100,
            limit: 1000,
            ..Question::new(Topic::Services)
        };
        assert_eq!(question, expected);
        assert_eq!(asked("status", json!({"port": 70000})), Question::new(Topic::Status));
    }

    #[test]
    fn a_table_is_laid_out_as_the_caller_wants() {
        let asked = |arguments| match ask("services", arguments).unwrap() {
            CheckedCall::Rendering(Rendering::Table(question, style)) => (question, style),
            other => panic!("{other:?}"),
        };
        let login = Question { class: Class::Login, ..Question::new(Topic::Services) };
        let plain = Style { counted: "logins", ..Style::PLAIN };
        assert_eq!(asked(json!({"format": "text", "class": "login"})), (login, plain));
        let terminal = Style { width: 100, bars: true, colour: true, ..Style::PLAIN };
        let arguments = json!({"format": "text", "columns": 100, "color": 1});
        assert_eq!(asked(arguments), (Question::new(Topic::Services), terminal));
    }

    #[test]
    fn a_report_is_of_a_month() {
        let asked = |arguments| match ask("report", arguments).unwrap() {
            CheckedCall::Rendering(Rendering::Report(report)) => report.wanted,
            other => panic!("{other:?}"),
        };
        let month = Month::parse("2026-10").unwrap();
        let text = Wanted { month, form: Form::Text, language: Language::English, addresses: false };
        assert_eq!(asked(json!({"month": "2026-10"})), text);
        let html = Wanted { form: Form::Html, language: Language::Japanese, addresses: true, ..text };
        let arguments = json!({"month": "2026-10", "format": "html", "lang": "ja", "addresses": 1});
        assert_eq!(asked(arguments), html);
    }

    #[test]
    fn whole_numbers_come_in_any_type() {
        for port in [json!(80), json!(80.0), json!("80")] {
            assert_eq!(asked("services", json!({ "port": port })).port, Some(80));
        }
        assert_eq!(asked("recent", json!({"cursor": 5_000_000_000i64})).cursor, 5_000_000_000);
        assert_eq!(asked("services", json!({"protocol": 17})).protocol, Some(17));
    }

    #[test]
    fn a_bad_argument_refuses_the_call_and_says_which() {
        for (method, arguments, wrong) in [
            ("recent", json!({"filter": "port:x"}), "filter: 'port:x': expected a port from 0 to 65535"),
            ("services", json!({"port": 70000}), "port: '70000' is not a port number (0 to 65535)"),
            ("services", json!({"port": -1}), "port: '-1' is not a port number (0 to 65535)"),
            ("services", json!({"port": 22.5}), "port: '22.5' is not a port number (0 to 65535)"),
            ("services", json!({"port": "ssh"}), "port: 'ssh' is not a port number (0 to 65535)"),
            ("services", json!({"port": [22]}), "port: must be text or a number"),
            ("services", json!({"limit": 1001}), "limit: '1001' is not a number of rows (1 to 1000)"),
            ("services", json!({"limit": 0}), "limit: '0' is not a number of rows (1 to 1000)"),
            ("services", json!({"min": -5}), "min: '-5' is not a whole number"),
            (
                "services",
                json!({"protocol": 300}),
                "protocol: '300' is not a protocol (tcp, udp, icmp, ... or a number from 0 to 255)",
            ),
            (
                "days",
                json!({"from": "2026-02-30"}),
                "from: '2026-02-30' is not a date (YYYY-MM-DD, such as 2020-04-06)",
            ),
            (
                "days",
                json!({"from": 20260201}),
                "from: '20260201' is not a date (YYYY-MM-DD, such as 2020-04-06)",
            ),
            (
                "days",
                json!({"from": "2026-02-02", "to": "2026-02-01"}),
                "the range ends (2026-02-01) before it begins (2026-02-02)",
            ),
            (
                "days",
                json!({"class": "all"}),
                "class: 'all' is not a class (attempt, backscatter, noise, egress or login)",
            ),
            ("sources", json!({"source": "x"}), "source: 'x' is no IPv4 or IPv6 address or prefix"),
            (
                "sources",
                json!({"country": "JPN"}),
                "country: 'JPN' is not a country code (two letters, such as JP)",
            ),
            ("source", json!({}), "address: one IPv4 or IPv6 address is needed"),
            (
                "source",
                json!({"address": "192.0.2.0/24"}),
                "address: '192.0.2.0/24' is a prefix: give one address",
            ),
            (
                "block",
                json!({}),
                "address: an IPv4 or IPv6 address or prefix, or a country's letters, are needed",
            ),
            (
                "block-list",
                json!({"list": "192.0.2.1\n\nx # y"}),
                "list: line 3: 'x' is no IPv4 or IPv6 address or prefix",
            ),
            ("block-list", json!({}), "list: addresses and prefixes are needed, one a line"),
            (
                "block",
                json!({"address": "192.0.2.1", "for": "soon"}),
                "for: must be a time such as 90s, 30m, 1h or 7d",
            ),
            ("services", json!({"format": "html"}), "format: must be text"),
            ("status", json!({"columns": 19}), "columns: must be a whole number from 20 to 1000"),
            ("status", json!({"color": "always"}), "color: must be a whole number from 0 to 1"),
            ("report", json!({}), "month: a month is needed, YYYY-MM"),
            ("report", json!({"month": "2026-13"}), "month: must be a month, YYYY-MM"),
            ("report", json!({"month": "2026-10", "format": "pdf"}), "format: must be text or html"),
            ("report", json!({"month": "2026-10", "lang": "de"}), "lang: must be en or ja"),
            (
                "block",
                json!({"address": "192.0.2.1", "reason": "a\nb"}),
                "reason: must be one line of at most 200 bytes",
            ),
        ] {
            assert_eq!(ask(method, arguments.clone()).unwrap_err(), wrong, "{method} {arguments}");
        }
    }

    #[test]
    fn commands() {
        let target = Target::parse("192.0.2.1").unwrap();
        let country = Target::parse("CN").unwrap();
        assert_eq!(
            commanded("block-list", json!({"list": "192.0.2.1 # why\n\n# none\nCN", "for": "forever"})),
            BusCommand::Block(BlockArguments {
                targets: vec![target, country],
                is_list: true,
                length: Length::Forever,
                reason: None,
                caller: None,
                through_web: false,
            })
        );
        assert_eq!(
            commanded("block", json!({"address": "192.0.2.1", "for": "1h", "reason": "floods"})),
            BusCommand::Block(BlockArguments {
                targets: vec![target],
                is_list: false,
                length: Length::Seconds(3600),
                reason: Some("floods".into()),
                caller: None,
                through_web: false,
            })
        );
        assert_eq!(
            commanded("unblock", json!({"address": "192.0.2.1", "for": 7})),
            BusCommand::Unblock(target)
        );
        assert_eq!(commanded("commit", json!({})), BusCommand::Commit);
        assert!(read_call("delete", b"").is_none());
    }

    #[test]
    fn durations() {
        for (text, seconds) in [("90", 90), ("90s", 90), ("30m", 1800), ("7d", 604_800), ("2w", 1_209_600)] {
            assert_eq!(parse_duration(text), Ok(seconds));
        }
        for text in ["", "h", "0", "-1h", "1.5h", "1y", "99999999999999999999d", "11000d", "1é"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(method in 0usize..super::super::METHODS.len(), bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_call(super::super::METHODS[method].0, &bytes);
        }
    }
}
