//! Values of UCI options.
//!
//! Takes a text, gives the value, or `None` for a text that is not one. Knows no option.

use std::time::Duration;

use super::Rate;
use crate::query::question::number;

/// Units of windows and durations, in seconds.
const UNITS: [(&str, u64); 5] = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400), ("w", 7 * 86_400)];

/// Booleans as OpenWrt's `config_get_bool` reads them.
pub(super) fn flag(text: &str) -> Option<bool> {
    match text {
        "1" | "on" | "true" | "yes" | "enabled" => Some(true),
        "0" | "off" | "false" | "no" | "disabled" => Some(false),
        _ => None,
    }
}

/// Whether fw4 reads `text` as this keyword: it accepts any abbreviation, in upper or lower case.
pub(super) fn is_word(word: &str, text: &str) -> bool {
    !text.is_empty() && word.get(..text.len()).is_some_and(|start| start.eq_ignore_ascii_case(text))
}

/// The index of the word that `text` is.
pub(super) fn choice(words: &[&str], text: &str) -> Option<usize> {
    let place = |word: &str| words.iter().position(|known| *known == word);
    place(text).or_else(|| place(if flag(text)? { "1" } else { "0" }))
}

/// `90s`, `10m`, `1h`, `7d`, `2w`, or seconds alone.
pub fn duration(text: &str) -> Option<Duration> {
    let unit = unit(text.get(text.len().checked_sub(1)?..)?);
    let digits = if unit.is_some() { &text[..text.len() - 1] } else { text };
    unit.unwrap_or(Duration::from_secs(1)).checked_mul(number(digits)?)
}

fn unit(letter: &str) -> Option<Duration> {
    UNITS.iter().find(|unit| unit.0 == letter).map(|unit| Duration::from_secs(unit.1))
}

/// `200/1m`, or `200/m` for the same.
pub(super) fn parse_rate(text: &str) -> Option<Rate> {
    let (count, window) = text.split_once('/')?;
    let window = unit(window).or_else(|| duration(window))?;
    Some(Rate { count: number(count)?, window_ms: window.as_millis() as u64 })
}

/// Whether fw4 takes this as the name of a zone.
pub(super) fn is_zone(name: &str) -> bool {
    let plain = |c: u8| c.is_ascii_alphanumeric() || c == b'_' || c == b'-';
    name.len() <= 32 && name.bytes().all(plain) && name.starts_with(|c: char| c.is_ascii_alphanumeric())
}

/// Whether the init script can mount it in the service's jail and name it in its own shell: as in
/// `/usr/share/fwstat/service.sh`.
pub(super) fn is_path(text: &str) -> bool {
    text.starts_with('/')
        && text.len() < 256
        && text.bytes().all(|c| c.is_ascii_alphanumeric() || b"_./-".contains(&c))
        && !text.split('/').any(|part| part == "..")
}

/// Whether it is empty or an https URL. It becomes an argument of a command, so only characters that a URL can
/// have (RFC 3986).
pub(super) fn is_url(url: &str) -> bool {
    let plain = |c: u8| c.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&()*+,;=%".contains(&c);
    let host = url.strip_prefix("https://").unwrap_or_default();
    let valid = !host.is_empty() && !host.starts_with('/') && url.len() <= 512 && url.bytes().all(plain);
    valid || url.is_empty()
}
