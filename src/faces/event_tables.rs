//! The newest packets and the blocks, with their log lines, as text.

use std::io::{self, Write};

use super::cells::{count, plain, plain_or_absent, time};
use super::table_layout::{Style, Table, left, right};
use super::tables::{completeness, lines, no_data, port, section};
use crate::query::answer::{BlocksAnswer, RecentAnswer};

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
        return completeness(&answer.completeness, style, out);
    }
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
            time(Some(&row.expires)),
            row.times.to_string(),
            plain(&row.rule),
            count(row.count),
            plain(&row.window),
            if row.dry { format!("(dry run) {}", plain(&row.reason)) } else { plain(&row.reason) },
        ]);
    }
    table.write(style, out)?;
    for row in answer.blocks.iter().filter(|row| !row.evidence.is_empty()) {
        section(&format!("Evidence against {}", plain(&row.address)), style, out)?;
        lines(&row.evidence, out)?;
    }
    completeness(&answer.completeness, style, out)
}
