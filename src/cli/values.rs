//! Values of the command line.
//!
//! Takes the text of one value, gives the value, or a sentence with the error. Opens nothing.

use std::str::FromStr;
use std::time::Duration;

use crate::config::options;
use crate::event::calendar::{Calendar, Date, Month};
use crate::event::services;
use crate::event::{Class, Service};
use crate::output::blobmsg::{FOREVER, Length, MAX_REASON};
use crate::output::month_report::{Form, Language};
use crate::query::question::{self, MAX_LIMIT, Prefix};

/// The value, or a sentence that says what the text should be.
fn checked<T>(text: &str, value: Option<T>, expected: &str) -> Result<T, String> {
    value.ok_or_else(|| format!("'{text}' is not {expected}"))
}

/// A day.
pub(super) fn date(text: &str) -> Result<Date, String> {
    checked(text, Date::parse(text), "a date (YYYY-MM-DD, such as 2020-04-06)")
}

/// A month.
pub(super) fn month(text: &str) -> Result<Month, String> {
    checked(text, Month::parse(text), "a month (YYYY-MM, such as 2020-04)")
}

/// The form of a month's report.
pub(super) fn report_form(text: &str) -> Result<Form, String> {
    checked(text, Form::from_name(text), "text or html")
}

/// The language of a month's report.
pub(super) fn language(text: &str) -> Result<Language, String> {
    checked(text, Language::from_name(text), "en or ja")
}

/// A class of events.
pub(super) fn class(text: &str) -> Result<Class, String> {
    checked(text, Class::from_name(text), "a class (attempt, backscatter, noise, egress or login)")
}

/// IANA's number of a protocol given by name or number.
pub(super) fn protocol(text: &str) -> Result<u8, String> {
    let number = services::protocol_number(text);
    checked(text, number, "a protocol (tcp, udp, icmp, ... or a number from 0 to 255)")
}

/// A port.
pub(super) fn port(text: &str) -> Result<u16, String> {
    checked(text, number(text), "a port number (0 to 65535)")
}

/// Rejects a port together with a protocol without ports.
pub(super) fn port_of(protocol: Option<u8>, port: Option<u16>) -> Result<(), String> {
    match protocol {
        Some(protocol) if port.is_some() && !Service::has_ports(protocol) => {
            Err(format!("protocol {} has no ports", services::protocol_name(protocol)))
        }
        _ => Ok(()),
    }
}

/// An ISO 3166 code of two letters.
pub(super) fn country(text: &str) -> Result<[u8; 2], String> {
    checked(text, question::country(text), "a country code (two letters, such as JP)")
}

/// A whole number.
pub(super) fn whole_number(text: &str) -> Result<u64, String> {
    checked(text, number(text), "a whole number")
}

/// A number of rows.
pub(super) fn limit(text: &str) -> Result<u32, String> {
    let limit = number(text).filter(|limit| (1..=MAX_LIMIT).contains(limit));
    checked(text, limit, &format!("a number of rows (1 to {MAX_LIMIT})"))
}

/// A year.
pub(super) fn year(text: &str) -> Result<i32, String> {
    checked(text, number(text).filter(|year| (1970..=9999).contains(year)), "a year (1970 to 9999)")
}

/// The name of an existing time zone.
pub(super) fn timezone(text: &str) -> Result<String, String> {
    Calendar::new(text).map(|_| text.to_string())
}

/// A duration: a number of seconds, minutes, hours or days, such as `90s`, `10m`, `1h`, `7d`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    // A number without a unit is ambiguous.
    let named = Some(text).filter(|text| text.ends_with(['s', 'm', 'h', 'd']));
    let duration = named.and_then(options::duration).filter(|duration| !duration.is_zero());
    checked(text, duration, "a length of time (such as 90s, 10m, 1h or 7d)")
}

/// One address in full.
pub(super) fn address(text: &str) -> Result<Prefix, String> {
    let prefix = Prefix::parse(text)?;
    if !prefix.is_single() {
        return Err(format!("'{text}' is a prefix: give one address"));
    }
    Ok(prefix)
}

/// The duration of a block, or `forever`.
pub(super) fn block_length(text: &str) -> Result<Length, String> {
    match text {
        FOREVER => Ok(Length::Forever),
        _ => duration(text).map(|length| Length::Seconds(length.as_secs())),
    }
}

/// A network interface's name as Linux allows it: 1 to 15 bytes without blanks, slashes and control characters.
pub(super) fn interface(text: &str) -> Result<String, String> {
    let is_plain = text.chars().all(|c| c != '/' && !c.is_whitespace() && !c.is_control());
    let name = Some(text.to_string()).filter(|_| is_plain && (1..=15).contains(&text.len()));
    checked(text, name, "an interface name")
}

/// One line of text with a bounded length.
pub(super) fn short_text(text: &str) -> Result<String, String> {
    if text.len() > MAX_REASON || text.chars().any(char::is_control) {
        return Err(format!("must be one line of at most {MAX_REASON} bytes"));
    }
    Ok(text.to_string())
}

/// Decimal digits only: no sign, no blanks.
fn number<N: FromStr>(text: &str) -> Option<N> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_have_a_unit_and_are_not_nothing() {
        for (text, seconds) in [("90s", 90), ("10m", 600), ("1h", 3600), ("7d", 604_800)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)));
        }
        for text in [
            "",
            "s",
            "90",
            "0h",
            "-1h",
            "1.5h",
            "1 h",
            "1w",
            "9\u{e9}",
            "999999999999999999999d",
            "213503982334602d",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_block_has_a_length_or_lasts() {
        assert_eq!(block_length("1h"), Ok(Length::Seconds(3600)));
        assert_eq!(block_length("forever"), Ok(Length::Forever));
        assert!(block_length("ever").is_err());
    }
}
