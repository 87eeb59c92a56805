//! The answers to `recent` and `blocks` as text, with their log lines.

use std::io::{self, Write};

use super::cells::{count, plain, plain_or_absent, time};
use super::table_layout::{Style, Table, left, right};
use super::tables::{completeness, lines, no_data, port, section};
use crate::query::answer::{BlocksAnswer, EndedRow, RecentAnswer};

pub fn recent(answer: &RecentAnswer, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    if answer.events.is_empty() {
        no_data("no event that fits is held", out)?;
    } else {
        let mut table = Table::new(&[
            left("time"),
            left("class"),
            left("verdict"),
            left("zone").optional(),
            left("source"),
            left("protocol"),
            right("port"),
            left("line"),
        ]);
        for row in &answer.events {
            table.row(vec![
                time(Some(&row.time)),
                plain(&row.class),
                plain(&row.verdict),
                plain_or_absent(row.zone.as_deref()),
                plain(&row.source),
                plain(&row.protocol),
                port(row.port),
                plain(&row.line),
            ]);
        }
        table.write(style, out)?;
    }
    writeln!(out, "newer ones: --cursor {}", answer.cursor)?;
    completeness(&answer.completeness, style, out)
}

pub fn blocks(answer: &BlocksAnswer, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    if answer.blocks.is_empty() {
        no_data("nothing is blocked", out)?;
    } else {
        active_blocks(answer, style, out)?;
    }
    if let Some(history) = answer.history.as_ref().filter(|history| !history.is_empty()) {
        section("Ended", style, out)?;
        ended_blocks(history, style, out)?;
    }
    completeness(&answer.completeness, style, out)
}

fn ended_blocks(history: &[EndedRow], style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new(&[
        left("address"),
        left("since"),
        left("ended"),
        left("because"),
        right("times"),
        left("rule"),
        left("reason"),
    ]);
    for row in history {
        table.row(vec![
            plain(&row.address),
            time(Some(&row.since)),
            time(Some(&row.ended)),
            plain(&row.because),
            row.times.to_string(),
            plain(&row.rule),
            reason(row.dry, false, &row.reason),
        ]);
    }
    table.write(style, out)
}

fn reason(dry: bool, pending: bool, reason: &str) -> String {
    match (dry, pending) {
        (true, _) => format!("(dry run) {}", plain(reason)),
        (false, true) => format!("(not in the kernel yet) {}", plain(reason)),
        (false, false) => plain(reason),
    }
}

fn active_blocks(answer: &BlocksAnswer, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new(&[
        left("address"),
        left("since"),
        left("expires"),
        right("times"),
        left("rule"),
        right("count"),
        left("within"),
        left("reason"),
    ]);
    for row in &answer.blocks {
        table.row(vec![
            plain(&row.address),
            time(Some(&row.since)),
            row.expires.as_ref().map_or_else(|| "never".into(), |expires| time(Some(expires))),
            row.times.to_string(),
            plain(&row.rule),
            count(row.count),
            plain(&row.window),
            reason(row.dry, row.pending, &row.reason),
        ]);
    }
    table.write(style, out)?;
    for row in answer.blocks.iter().filter(|row| !row.evidence.is_empty()) {
        section(&format!("Evidence against {}", plain(&row.address)), style, out)?;
        lines(&row.evidence, out)?;
    }
    Ok(())
}
