//! Anomalies as text: the table, and one sentence for each. Takes rows, gives lines.

use std::io::{self, Write};

use super::cells::{ABSENT, count, mean, plain, plain_or_absent, service_label};
use super::table_layout::{Filled, Style, Table, left, right};
use super::tables::port;
use crate::query::answer::AnomalyRow;

/// The first one as a sentence, then all of them.
pub(super) fn anomaly_rows(rows: &[AnomalyRow], style: &Style, out: &mut dyn Write) -> io::Result<()> {
    if let Some(first) = rows.first() {
        writeln!(out, "{}", anomaly_sentence(first, style))?;
    }
    let columns: &[Filled<'_, AnomalyRow>] = &[
        (left("date"), &|row| row.date.to_string()),
        (left("protocol"), &|row| plain(&row.protocol)),
        (right("port"), &|row| port(row.port)),
        (left("name").optional(), &|row| plain_or_absent(row.name.as_deref())),
        (right(style.counted), &|row| count(row.attempts)),
        (right("usual"), &|row| mean(row.expected)),
        (right("score"), &|row| score(row.score)),
    ];
    Table::of(rows, columns).write_or("no service was anomalous on any day", style, out)
}

/// `UDP 1900 (SSDP)`, or `protocol 99`
pub(super) fn service_name(row: &AnomalyRow) -> String {
    let label = service_label(&row.protocol, row.port, row.name.as_deref());
    match row.protocol.bytes().all(|byte| byte.is_ascii_digit()) {
        true => format!("protocol {label}"),
        false => label,
    }
}

/// The sentence about an anomaly in the router's notification.
pub fn notice(row: &AnomalyRow) -> String {
    anomaly_sentence(row, &Style::PLAIN)
}

/// UDP 1900 (SSDP): 92,890 attempts on 2020-04-06, usually about 50
pub(super) fn anomaly_sentence(row: &AnomalyRow, style: &Style) -> String {
    let what = service_name(row);
    let usual = match row.expected {
        expected if expected < 0.5 => "none".to_string(),
        expected if expected < 10.0 => format!("about {}", mean(expected)),
        expected => format!("about {}", count(expected.round() as u64)),
    };
    format!("{what}: {} {} on {}, usually {usual}", count(row.attempts), style.counted, row.date)
}

fn score(score: f64) -> String {
    if score.is_finite() { count(score.round() as u64) } else { ABSENT.to_string() }
}
