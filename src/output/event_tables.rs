//! The answers to `recent` and `blocks` as text, with their log lines.

use std::io::{self, Write};

use super::cells::{count, plain, plain_or_absent, time};
use super::table_layout::{Filled, Style, Table, left, right};
use super::tables::{lines, port, section_of};
use crate::query::answer::{BlockRow, BlocksAnswer, EndedRow, EventRow, RecentAnswer};

/// The events of `recent`, one a line.
pub(super) fn recent(answer: &RecentAnswer, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let columns: &[Filled<'_, EventRow>] = &[
        (left("time"), &|row| time(Some(&row.time))),
        (left("class"), &|row| plain(&row.class)),
        (left("verdict"), &|row| plain(&row.verdict)),
        (left("zone").optional(), &|row| plain_or_absent(row.zone.as_deref())),
        (left("source"), &|row| plain(&row.source)),
        (left("protocol"), &|row| plain(&row.protocol)),
        (right("port"), &|row| port(row.port)),
        (left("line"), &|row| plain(&row.line)),
    ];
    Table::of(&answer.events, columns).write_or("no matching event is stored", style, out)?;
    writeln!(out, "newer ones: --cursor {}", answer.cursor)
}

/// The blocks in force with their evidence, and those that ended.
pub(super) fn blocks(answer: &BlocksAnswer, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let columns: &[Filled<'_, BlockRow>] = &[
        (left("address"), &|row| plain(&row.address)),
        (left("since"), &|row| time(Some(&row.since))),
        (left("expires"), &|row| expires(row.expires.as_deref())),
        (right("times"), &|row| row.times.to_string()),
        (left("rule"), &|row| plain(&row.rule)),
        (right("count"), &|row| count(row.count)),
        (left("within"), &|row| plain(&row.window)),
        (left("reason"), &|row| reason(row.dry, row.pending, &row.reason)),
    ];
    Table::of(&answer.blocks, columns).write_or("nothing is blocked", style, out)?;
    for row in &answer.blocks {
        let heading = format!("Evidence against {}", plain(&row.address));
        section_of(&heading, &row.evidence, style, out, lines)?;
    }
    let columns: &[Filled<'_, EndedRow>] = &[
        (left("address"), &|row| plain(&row.address)),
        (left("since"), &|row| time(Some(&row.since))),
        (left("ended"), &|row| time(Some(&row.ended))),
        (left("because"), &|row| plain(&row.because)),
        (right("times"), &|row| row.times.to_string()),
        (left("rule"), &|row| plain(&row.rule)),
        (left("reason"), &|row| reason(row.dry, false, &row.reason)),
    ];
    let history = answer.history.as_deref().unwrap_or_default();
    section_of("Ended", history, style, out, |rows, style, out| Table::of(rows, columns).write(style, out))
}

/// When a block ends.
pub(super) fn expires(instant: Option<&str>) -> String {
    instant.map_or("never".to_string(), |instant| time(Some(instant)))
}

fn reason(dry: bool, pending: bool, reason: &str) -> String {
    match (dry, pending) {
        (true, _) => format!("(dry run) {}", plain(reason)),
        (false, true) => format!("(not in the kernel yet) {}", plain(reason)),
        (false, false) => plain(reason),
    }
}
