//! The stored days as CSV or JSON for other programs.
//!
//! Takes rows one by one and writes each at once. Collects nothing in memory.

use std::borrow::Cow;
use std::io::{self, Write};

use super::json;
use crate::event::calendar::Date;
use crate::record;

record! {
    /// One service on one day.
    #[derive(PartialEq)]
    pub struct ExportRow {
        pub date: Date,
        pub class: &'static str,
        pub protocol: String,
        /// Absent for protocols without ports.
        pub port: Option<u16>,
        pub attempts: u64,
        pub unique_sources: Option<u64>,
        /// `attempts` may be too high by at most this.
        pub error: u64,
    }
}

/// A header line and one line for each row (RFC 4180, but with LF). A cell that was not measured is empty.
pub fn csv(rows: &mut dyn Iterator<Item = ExportRow>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "date,class,protocol,port,attempts,unique_sources,error")?;
    for row in rows {
        let ExportRow { date, class, protocol, port, attempts, unique_sources, error } = row;
        let port = port.map(|port| port.to_string()).unwrap_or_default();
        let sources = unique_sources.map(|sources| sources.to_string()).unwrap_or_default();
        let (class, protocol) = (cell(class), cell(&protocol));
        writeln!(out, "{date},{class},{protocol},{port},{attempts},{sources},{error}")?;
    }
    Ok(())
}

/// An array with one object a line.
pub fn array(rows: &mut dyn Iterator<Item = ExportRow>, out: &mut dyn Write) -> io::Result<()> {
    let mut before = "[\n";
    for row in rows {
        write!(out, "{before}{}", json::text(&row))?;
        before = ",\n";
    }
    let begin = if before == ",\n" { "" } else { "[" };
    writeln!(out, "{begin}\n]")
}

/// A text as a cell that a spreadsheet does not interpret as a formula.
fn cell(text: &str) -> Cow<'_, str> {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    if !formula && !text.contains(['"', ',', '\r', '\n']) {
        return Cow::Borrowed(text);
    }
    let begin = if formula { "'" } else { "" };
    Cow::Owned(format!("\"{begin}{}\"", text.replace('"', "\"\"")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<ExportRow> {
        let row = ExportRow {
            date: Date::parse("2020-04-06").unwrap(),
            class: "attempt",
            protocol: "udp".into(),
            port: Some(1900),
            attempts: 92_890,
            unique_sources: Some(1234),
            error: 0,
        };
        let icmp = ExportRow {
            protocol: "icmp".into(),
            port: None,
            attempts: 3,
            unique_sources: None,
            error: 2,
            ..row.clone()
        };
        vec![row, icmp]
    }

    fn text(
        write: fn(&mut dyn Iterator<Item = ExportRow>, &mut dyn Write) -> io::Result<()>,
        rows: Vec<ExportRow>,
    ) -> String {
        let mut out = Vec::new();
        write(&mut rows.into_iter(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn csv_has_a_header_and_empty_cells_for_what_was_not_measured() {
        let header = "date,class,protocol,port,attempts,unique_sources,error\n";
        assert_eq!(text(csv, vec![]), header);
        let lines = "2020-04-06,attempt,udp,1900,92890,1234,0\n2020-04-06,attempt,icmp,,3,,2\n";
        assert_eq!(text(csv, rows()), format!("{header}{lines}"));
    }

    #[test]
    fn json_is_one_array_with_a_row_a_line() {
        assert_eq!(text(array, vec![]), "[\n]\n");
        assert_eq!(
            text(array, rows()),
            r#"[
{"date":"2020-04-06","class":"attempt","protocol":"udp","port":1900,"attempts":92890,"unique_sources":1234,"error":0},
{"date":"2020-04-06","class":"attempt","protocol":"icmp","attempts":3,"error":2}
]
"#
        );
    }

    #[test]
    fn cells_are_quoted_and_never_formulas() {
        for (given, written) in [
            ("tcp", "tcp"),
            ("a,b", "\"a,b\""),
            ("a\"b", "\"a\"\"b\""),
            ("=1+1", "\"'=1+1\""),
            ("-2", "\"'-2\""),
            ("a\nb", "\"a\nb\""),
        ] {
            assert_eq!(cell(given), written);
        }
    }
}
