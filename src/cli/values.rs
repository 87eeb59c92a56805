//! Values of the command line.
//!
//! Takes the text of one value, gives the value, or a sentence with the error. Opens nothing.

use std::time::Duration;

use crate::config::options;
use crate::event::Service;
use crate::event::calendar::{Calendar, Month};
use crate::event::services;
use crate::output::blobmsg::{FOREVER, Length};
use crate::output::month_report::{Form, Language};
use crate::query::question::{checked, number};

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

/// Rejects a port together with a protocol without ports.
pub(super) fn port_of(protocol: Option<u8>, port: Option<u16>) -> Result<(), String> {
    match protocol {
        Some(protocol) if port.is_some() && !Service::has_ports(protocol) => {
            Err(format!("protocol {} has no ports", services::protocol_name(protocol)))
        }
        _ => Ok(()),
    }
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
