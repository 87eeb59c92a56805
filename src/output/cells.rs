//! One value -> the text of one cell: numbers, ratios, times, and escaped text from packets.
//!
//! Every cell is printable ASCII. What was not measured is `-`.

use std::fmt::Write;

/// What was not measured.
pub const ABSENT: &str = "-";

/// 1,234,567
pub fn count(number: u64) -> String {
    match number {
        0..1000 => number.to_string(),
        _ => format!("{},{:03}", count(number / 1000), number % 1000),
    }
}

/// A number; `-` if it was not measured.
pub fn count_or_absent(number: Option<u64>) -> String {
    number.map_or(ABSENT.to_string(), count)
}

/// A number, marked if it is an estimate.
pub fn about(number: Option<u64>, error: Option<u64>) -> String {
    let mark = if error.is_some() { "~" } else { "" };
    format!("{mark}{}", count_or_absent(number))
}

/// A count, marked if it may be too high.
pub fn count_with_error(number: u64, error: u64) -> String {
    let mark = if error > 0 { "~" } else { "" };
    format!("{mark}{}", count(number))
}

/// A number that is not negative, rounded to 1 or 2 decimals; exact halves to the even digit, as Rust's own formatting of
/// floats does, which takes 13 KB of the program.
pub fn decimal(number: f64, decimals: usize) -> String {
    let unit = if decimals == 1 { 10 } else { 100 };
    let scaled = number * unit as f64;
    // Of the numbers halfway between two with 1 or 2 decimals, a float is exact only for multiples of 1/8.
    let is_exact = number * 8.0 == (number * 8.0).trunc();
    let rounded = if is_exact { scaled.round_ties_even() } else { scaled.round() } as u64;
    format!("{}.{:0decimals$}", rounded / unit, rounded % unit)
}

/// A mean, with one decimal below 100.
pub fn mean(number: f64) -> String {
    if !number.is_finite() || number < 0.0 {
        ABSENT.to_string()
    } else if number >= 99.95 {
        count(number.round() as u64)
    } else {
        decimal(number, 1)
    }
}

/// 12.5 %
pub fn percent(part: u64, all: u64) -> String {
    format!("{} %", decimal(part as f64 * 100.0 / all as f64, 1))
}

/// x1.73
pub fn ratio(ratio: Option<f64>) -> String {
    match ratio {
        Some(ratio) if ratio.is_finite() && ratio >= 0.0 => format!("x{}", decimal(ratio, 2)),
        _ => ABSENT.to_string(),
    }
}

/// A ratio as a change: +73 %.
pub fn change(ratio: f64) -> String {
    if !ratio.is_finite() || ratio < 0.0 {
        return ABSENT.to_string();
    }
    let percent = ((ratio - 1.0) * 100.0).round();
    let sign = if percent < 0.0 { "-" } else { "+" };
    format!("{sign}{} %", count(percent.abs() as u64))
}

/// An RFC 3339 time without its offset: a table has one time zone, and `--json` has the offset.
pub fn time(rfc3339: Option<&str>) -> String {
    let Some(text) = rfc3339 else { return ABSENT.to_string() };
    match text.split_once('T') {
        Some((date, rest)) if date.len() == 10 && rest.is_ascii() && rest.len() >= 8 => {
            plain(&format!("{date} {}", &rest[..8]))
        }
        _ => plain(text),
    }
}

/// Text from outside without control sequences: printable ASCII unchanged, everything else escaped.
pub fn plain(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            ' '..='~' => safe.push(c),
            '\t' | '\n' | '\r' => safe.extend(c.escape_default()),
            '\0'..='\x7f' => _ = write!(safe, "\\x{:02x}", c as u32),
            _ => safe.extend(c.escape_unicode()),
        }
    }
    safe
}

/// The same; `-` for none.
pub fn plain_or_absent(text: Option<&str>) -> String {
    text.map_or(ABSENT.to_string(), plain)
}

/// `TCP 22 (SSH)`
pub fn service_label(protocol: &str, port: Option<u16>, name: Option<&str>) -> String {
    let port = port.map_or(String::new(), |port| format!(" {port}"));
    let name = name.map_or(String::new(), |name| format!(" ({})", plain(name)));
    format!("{}{port}{name}", plain(protocol).to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_separators() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_234_567, "1,234,567"),
            (u64::MAX, "18,446,744,073,709,551,615"),
        ] {
            assert_eq!(count(number), text);
        }
    }

    #[test]
    fn ratios_and_means_that_are_none_are_absent() {
        assert_eq!((ratio(Some(1.7321)).as_str(), change(1.7321).as_str()), ("x1.73", "+73 %"));
        assert_eq!(
            (change(0.25).as_str(), change(1.0).as_str(), change(41.0).as_str()),
            ("-75 %", "+0 %", "+4,000 %")
        );
        for odd in [f64::NAN, f64::INFINITY, -1.0] {
            assert_eq!([ratio(Some(odd)), change(odd), mean(odd)], ["-", "-", "-"]);
        }
        assert_eq!([decimal(12.25, 1), decimal(0.996, 2), decimal(7.05, 2)], ["12.2", "1.00", "7.05"]);
        assert_eq!((percent(1, 8).as_str(), percent(7, 7).as_str()), ("12.5 %", "100.0 %"));
        assert_eq!([mean(0.04), mean(99.94), mean(99.96), mean(5489.6)], ["0.0", "99.9", "100", "5,490"]);
    }

    #[test]
    fn nothing_in_a_text_reaches_the_terminal_as_a_command() {
        assert_eq!(
            plain("a\x1b[2J\x07\x7f\r\n\t\u{9b}5\u{202e}é"),
            "a\\x1b[2J\\x07\\x7f\\r\\n\\t\\u{9b}5\\u{202e}\\u{e9}"
        );
        for c in (0..=0x10_ffff).filter_map(char::from_u32) {
            assert!(plain(&c.to_string()).bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        }
    }

    #[test]
    fn times_are_shown_without_offset() {
        assert_eq!(time(Some("2020-04-06T13:02:11+09:00")), "2020-04-06 13:02:11");
        for odd in ["", "T", "2020-04-06T", "2020-04-06Tmidday", "now"] {
            assert_eq!(time(Some(odd)), odd);
        }
        assert_eq!(time(None), "-");
    }
}
